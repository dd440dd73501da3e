/* Files on their way, for people. See moving.h. */
#include "config.h"
#include "cli/moving.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/site.h"
#include "services/turns.h"

#define SILENT_MS 5000 /* between two lines where no terminal is */
#define NAME_MIN 12    /* columns of a name, however narrow the terminal is */
#define SETTLE_MS 3000 /* a state of before the run was asked for is of no use */

static void put_size(struct buf *into, int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1000 && unit < 4; unit++)
		value /= 1000;
	buf_printf(into, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void put_state(const json_t *one, struct buf *into)
{
	int64_t done = json_number(one, "done"), total = json_number(one, "total"), rate = json_number(one, "rate");
	char left[CLOCK_TEXT];

	buf_printf(into, " %s %s: ", !strcmp(json_text(one, "direction"), "in") ? "comes in at" : "goes out at",
		   json_text(one, "endpoint"));
	put_size(into, done);
	if (total) {
		buf_text(into, " of ");
		put_size(into, total);
		buf_printf(into, " (%d %%)", (int)((double)done * 100 / (double)total));
	}
	buf_text(into, ", ");
	put_size(into, rate);
	buf_text(into, "/s");
	if (json_number(one, "left_ms") >= 1000) {
		duration_format(json_number(one, "left_ms") / 1000 * 1000, left);
		buf_printf(into, ", %s left", left);
	}
	if (json_number(one, "attempt") > 1)
		buf_printf(into, ", attempt %lld", (long long)json_number(one, "attempt"));
}

static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t columns_of(struct span text)
{
	size_t columns = 0;

	for (size_t i = 0; i < text.len; i++)
		columns += begins_character(text.data[i]);
	return columns;
}

/* Its first and last characters, as many as fit, around "…". */
static void put_name(const char *name, size_t columns, struct buf *into)
{
	size_t all = columns_of(span_of(name)), at = 0;
	bool fits = !columns || all <= columns;

	for (; *name; name++) {
		at += begins_character(*name);
		if (fits || at <= columns / 2 || at > all - (columns - columns / 2 - 1))
			buf_char(into, (unsigned char)*name < ' ' || *name == 127 ? ' ' : *name);
		else if (at == columns / 2 + 1 && begins_character(*name))
			buf_text(into, "…");
	}
}

void moving_line(const json_t *one, size_t columns, struct buf *into)
{
	struct buf state;
	size_t rest;

	buf_init(&state, 1000);
	put_state(one, &state);
	rest = columns_of(buf_view(&state));
	put_name(json_text(one, "name"), !columns ? 0 : columns > rest + NAME_MIN ? columns - rest : NAME_MIN, into);
	buf_span(into, buf_view(&state));
	buf_free(&state);
}

/* ---- waiting for a run ----------------------------------------------------------------------------------------- */

struct wait {
	const struct arguments *arguments;
	struct session *session;
	const struct flow *flow;
	int64_t asked_ms, told;
	size_t width; /* of the line that stands in the terminal */
};

static bool is_of(const struct flow *flow, const char *endpoint)
{
	for (size_t i = 0; i < flow->sources_count; i++)
		if (!strcmp(flow->sources[i].endpoint.name, endpoint))
			return true;
	return flow->sink && !strcmp(flow->sink->name, endpoint);
}

/* One less than there are: what fills a line begins the next. 0: there is no terminal. */
static size_t terminal_columns(void)
{
	struct winsize size = {0};

	return isatty(STDERR_FILENO) && !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 1 ? size.ws_col - 1
												    : 0;
}

static void show(struct wait *wait, const char *text)
{
	size_t width;

	if (!isatty(STDERR_FILENO)) {
		if (!*text || clock_tick_ms() - wait->told < SILENT_MS)
			return;
		fprintf(stderr, "  %s\n", text);
		wait->told = clock_tick_ms();
		return;
	}
	if (!*text && !wait->width)
		return;
	width = columns_of(span_of(text));
	fprintf(stderr, "\r%s%*s", text, wait->width > width ? (int)(wait->width - width) : 0, "");
	if (!*text)
		fputc('\r', stderr);
	wait->width = width;
}

static void show_moving(struct wait *wait, const json_t *status)
{
	size_t columns = terminal_columns(), i;
	const json_t *one;
	struct buf text;

	buf_init(&text, 2000);
	json_array_foreach(json_object_get(status, "moving"), i, one) {
		if (!is_of(wait->flow, json_text(one, "endpoint")))
			continue;
		buf_reset(&text);
		moving_line(one, columns, &text);
	}
	buf_char(&text, '\0');
	show(wait, text.data);
	buf_free(&text);
}

/* All its sources ran since then, and nothing of it waits or is in hand. *result: how the last run ended. */
static bool is_over(const struct wait *wait, const json_t *runs, const json_t *status, const char **result,
		    int64_t *taken)
{
	const json_t *entry, *queue;
	size_t i, ended = 0;

	*taken = 0;
	*result = "done";
	json_array_foreach(json_object_get(runs, "entries"), i, entry) {
		const json_t *value = json_object_get(entry, "value");

		if (strcmp(json_text(value, "transfer"), wait->flow->name) != 0 ||
		    json_number(value, "asked") < wait->asked_ms ||
		    json_number(value, "ended") < json_number(value, "began"))
			continue;
		ended++;
		*taken += json_number(value, "taken");
		if (strcmp(json_text(value, "result"), "done") != 0)
			*result = json_text(value, "result");
	}
	json_array_foreach(json_object_get(status, "queues"), i, queue)
		if (!strcmp(json_text(queue, "flow"), wait->flow->name) &&
		    (json_number(queue, "ready") || json_number(queue, "unsettled")))
			return false;
	return ended >= wait->flow->sources_count;
}

static bool is_running(const json_t *status)
{
	const json_t *worker;
	size_t i;

	json_array_foreach(json_object_get(status, "workers"), i, worker)
		if (!strcmp(json_text(worker, "role"), "transform") || !strcmp(json_text(worker, "role"), "poll"))
			return true;
	return false;
}

/* One of its sources cannot be asked: how long that lasts nobody knows. */
static const json_t *failure_of(const struct wait *wait, const json_t *status)
{
	for (size_t i = 0; i < wait->flow->sources_count; i++) {
		const json_t *state =
			json_object_get(json_object_get(status, "endpoints"), wait->flow->sources[i].endpoint.name);

		if (!strcmp(json_text(state, "state"), "failing"))
			return state;
	}
	return NULL;
}

static int tell_failure(const struct wait *wait, const json_t *state)
{
	return verb_refused(wait->arguments, EXIT_FINDINGS, json_text(state, "code"),
			    "%s cannot be asked: %s. It is tried again by itself; how it stands: ferrule transfer show "
			    "%s%s",
			    wait->flow->name, json_text(state, "error"), wait->flow->name,
			    show_site(SHOWN_HERE, wait->arguments));
}

/* Dead letters of it since it was asked for; not 0: said why that is not known. */
static int count_dead(const struct wait *wait, int64_t *dead)
{
	int code = EXIT_DONE;
	json_t *group, *answer = site_ask(wait->arguments, wait->session, "dead.list",
					  json_pack("{s:s s:I s:i}", "flow", wait->flow->name, "since",
						    (json_int_t)wait->asked_ms, "limit", 1),
					  &code);
	size_t i;

	*dead = 0;
	json_array_foreach(json_object_get(answer, "groups"), i, group)
		*dead += json_number(group, "count");
	json_decref(answer);
	return code;
}

static int tell(const struct wait *wait, const char *result, int64_t taken)
{
	json_t *report;
	int64_t dead;
	int code = count_dead(wait, &dead);

	if (code)
		return code;
	if (wait->arguments->json) {
		report = json_pack("{s:s s:s s:I s:I}", "result", result, "name", wait->flow->name, "taken",
				   (json_int_t)taken, "dead", (json_int_t)dead);
		verb_print_json(report);
		json_decref(report);
	} else {
		printf("%s: %s, %s\n", wait->flow->name, result, show_count(SHOWN_HERE, taken, "file"));
		if (dead)
			printf("%s, which nobody got; why: ferrule dead list --flow %s%s\n",
			       show_count(SHOWN_HERE, dead, "dead letter"), wait->flow->name,
			       show_site(SHOWN_HERE, wait->arguments));
	}
	return dead || !strcmp(result, "failed") ? EXIT_FINDINGS : EXIT_DONE;
}

int moving_wait(const struct arguments *arguments, struct session *session, const struct flow *flow, int64_t asked_ms)
{
	struct wait wait = {arguments, session, flow, asked_ms, clock_tick_ms(), 0};
	struct timespec nap = {0, 300000000};
	bool over = false, running = true;
	int code = EXIT_DONE;

	while (!code && !over && running) {
		json_t *runs = site_ask(arguments, session, "table.list",
					json_pack("{s:s s:i}", "table", TURNS_TABLE, "limit", 10000), &code),
		       *status = runs ? site_ask(arguments, session, "status", json_object(), &code) : NULL;
		const char *result = "";
		int64_t taken = 0;

		running = !status || is_running(status);
		over = status && is_over(&wait, runs, status, &result, &taken);
		show_moving(&wait, over || !running ? NULL : status);
		if (over)
			code = tell(&wait, result, taken);
		else if (!code && failure_of(&wait, status) && clock_now_ms() - asked_ms > SETTLE_MS)
			code = tell_failure(&wait, failure_of(&wait, status));
		json_decref(runs);
		json_decref(status);
		if (!over && running && !code)
			nanosleep(&nap, NULL);
		else
			break;
	}
	if (!code && !running)
		return verb_refused(arguments, EXIT_FINDINGS, "transfer.idle",
				    "the site does not run, so there is nothing to wait for: %s runs when it does "
				    "(ferrule run)",
				    flow->name);
	return code;
}
