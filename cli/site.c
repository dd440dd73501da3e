/* What verbs that talk to a site share. See site.h. */
#include "config.h"
#include "cli/site.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define ASK_MS 30000
#define WAIT_MS 200
#define PATIENCE_MS 1000

struct session *site_reach(const struct arguments *arguments, const char *directory, bool *running, int *code)
{
	const char *site = directory                           ? directory
			   : argument_given(arguments, "site") ? argument(arguments, "site")
							       : ".";
	struct error error = {0};
	struct findings findings;
	struct session *session;

	log_role(arguments->verb->name);
	log_levels("error");
	findings_init(&findings);
	session = session_open(site, argument_given(arguments, "env") ? argument(arguments, "env") : "", &findings,
			       running, &error);
	*code = EXIT_DONE;
	if (!session)
		*code = verb_failed_with(arguments, &error, &findings, EXIT_UNREACHABLE);
	findings_free(&findings);
	return session;
}

json_t *site_ask(const struct arguments *arguments, struct session *session, const char *question, json_t *request,
		 int *code)
{
	struct error error = {0};
	json_t *answer = NULL;

	if (queue_ask(session_queue(session), question, request, &answer, ASK_MS, &error))
		*code = verb_failed(arguments, &error);
	json_decref(request);
	return answer;
}

/* ---- signals ------------------------------------------------------------------------------------------------------
 */

static sigset_t ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

void site_hold_signals(void)
{
	sigset_t set = ending_signals();

	sigprocmask(SIG_BLOCK, &set, NULL);
}

bool site_interrupted(const struct timespec *pause)
{
	sigset_t set = ending_signals();

	return sigtimedwait(&set, NULL, pause) > 0;
}

static void yield_to_signals(void)
{
	sigset_t set = ending_signals(), pending;

	sigpending(&pending);
	if (!sigismember(&pending, SIGINT) && !sigismember(&pending, SIGTERM))
		return;
	fputs("\nThe queue process did not answer in time. What was under way is done whole or not at all: look, then "
	      "start the same command again for the rest.\n",
	      stderr);
	fflush(NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int site_wait(struct session *session, int64_t since_ms, struct error *error)
{
	if (clock_tick_ms() - since_ms > PATIENCE_MS)
		yield_to_signals();
	return queue_wait(session_queue(session), WAIT_MS, error);
}

/* ---- units ------------------------------------------------------------------------------------------------------- */

struct waiting {
	bool done;
	struct error error;
};

static void committed(void *arg, const struct error *error)
{
	struct waiting *waiting = arg;

	waiting->done = true;
	if (error)
		waiting->error = *error;
}

int site_commit(struct session *session, struct unit *unit, struct error *error)
{
	struct waiting waiting = {0};
	int64_t since = clock_tick_ms();

	if (unit_commit(unit, committed, &waiting, error)) {
		unit_free(unit);
		return -1;
	}
	while (!waiting.done)
		if (site_wait(session, since, error)) /* the unit goes with the queue */
			return -1;
	if (waiting.error.class == ERROR_NONE)
		return 0;
	*error = waiting.error;
	return -1;
}

int site_change(const struct arguments *arguments, struct session *session, const char *change, json_t *request)
{
	struct unit *unit = unit_new(session_queue(session));
	struct error error = {0};

	unit_change(unit, change, request);
	return site_commit(session, unit, &error) ? verb_failed(arguments, &error) : EXIT_DONE;
}

int site_note(const struct arguments *arguments, const char *what, json_t *facts)
{
	int code = EXIT_DONE;
	struct session *session = site_reach(arguments, NULL, NULL, &code);

	if (session)
		code = site_change(arguments, session, "audit.note",
				   json_pack("{s:s s:s s:O}", "what", what, "by", site_person(), "facts", facts));
	session_close(session);
	json_decref(facts);
	return code;
}

const struct flow *site_flow_named(const struct arguments *arguments, struct session *session, const char *name)
{
	const struct site *site = session_site(session);
	const struct flow *flow = site_flow(site, span_of(name));
	const char **names = mem_alloc((site->flows_count + 1) * sizeof *names);

	for (size_t i = 0; i < site->flows_count; i++)
		names[i] = site->flows[i].name;
	if (!flow)
		verb_unknown(arguments, "flow", name, names, site->flows_count, "ferrule status shows them");
	free(names);
	return flow;
}

const char *site_person(void)
{
	const char *sudo = getenv("SUDO_USER"), *user = getenv("USER");

	return sudo && *sudo ? sudo : user && *user ? user : "root";
}

int site_time(const struct arguments *arguments, const char *name, int64_t fallback, int64_t *ms)
{
	const char *text = argument(arguments, name);
	int64_t span;

	*ms = fallback;
	if (!text || !clock_parse(span_of(text), ms))
		return 0;
	if (duration_parse(span_of(text), &span))
		return verb_usage(arguments, "--%s %s: a time looks like 2026-01-31T12:00:00Z or 2h", name, text);
	*ms = clock_now_ms() - span;
	return 0;
}

int site_rate(const struct arguments *arguments, struct timespec *pause)
{
	const char *text = argument(arguments, "rate");
	double rate = text ? strtod(text, NULL) : 0, seconds;

	*pause = (struct timespec){0, 0};
	if (!text)
		return 0;
	if (rate < 0.001)
		return verb_usage(arguments, "--rate %s: a rate looks like 10/s", text);
	seconds = 1 / rate;
	pause->tv_sec = (time_t)seconds;
	pause->tv_nsec = (long)((seconds - (double)pause->tv_sec) * 1e9);
	return 0;
}

void site_tidy_text(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < 32 || *c == 127)
			*c = ' ';
		else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) /* U+0080 to U+009F */
			c[0] = c[1] = ' ';
	}
}

static void tidy_text(json_t *value)
{
	char *text = mem_strdup(json_string_value(value));

	site_tidy_text(text);
	json_string_set(value, text);
	free(text);
}

static void tidy(json_t *value)
{
	const char *key;
	json_t *one;
	size_t i;

	if (json_is_string(value))
		tidy_text(value);
	json_array_foreach(value, i, one)
		tidy(one);
	if (json_is_object(value))
		json_object_foreach(value, key, one)
			tidy(one);
}

void site_tidy(const struct arguments *arguments, json_t *answer)
{
	if (!arguments->json)
		tidy(answer);
}

const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t json_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *show_age(char *text, int64_t ms)
{
	char span[CLOCK_TEXT];
	int64_t age = clock_now_ms() - ms;

	if (ms <= 0)
		return "";
	if (age > -1000 && age < 1000) {
		snprintf(text, SHOWN, age < 0 ? "in a moment" : "just now");
		return text;
	}
	duration_format(age < 0 ? -age : age, span);
	snprintf(text, SHOWN, age < 0 ? "in %s" : "%s ago", span);
	return text;
}

const char *show_time(char *text, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms <= 0)
		return "";
	localtime_r(&seconds, &tm);
	strftime(text, SHOWN, "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}

static void add_option(struct buf *line, const char *name, const char *value)
{
	bool plain = !value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:,@=")];

	buf_printf(line, " --%s ", name);
	if (!plain)
		buf_char(line, '\'');
	for (const char *c = value; *c; c++)
		if (*c == '\'')
			buf_text(line, "'\\''");
		else
			buf_char(line, *c);
	if (!plain)
		buf_char(line, '\'');
}

/* `status` and `run` take the directory as a word. */
const char *show_site(char *text, const struct arguments *arguments)
{
	const char *directory = argument(arguments, "site");
	struct buf line;

	if (!strcmp(arguments->verb->name, "status"))
		directory = argument_word(arguments, 0, directory);
	buf_init(&line, SHOWN - 1);
	if (directory)
		add_option(&line, "site", directory);
	if (argument_given(arguments, "env"))
		add_option(&line, "env", argument(arguments, "env"));
	snprintf(text, SHOWN, "%.*s", line.full ? 0 : (int)line.len, line.len ? line.data : "");
	buf_free(&line);
	return text;
}

const char *show_id(char *text, const char *hex)
{
	snprintf(text, SHOWN, "%.12s", hex);
	return text;
}

static const char *key_text(const json_t *key)
{
	return json_is_string(key) ? json_string_value(key) : json_text(key, "value");
}

/* Two names may have one value: an order's number, and the number of the order of a line. */
static bool is_repeated(const json_t *keys, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!strcmp(key_text(json_array_get(keys, i)), key_text(json_array_get(keys, at))))
			return true;
	return false;
}

const char *show_keys(char *text, const json_t *keys)
{
	size_t used = 0, i, shown = 0;
	const json_t *key;

	text[0] = '\0';
	json_array_foreach(keys, i, key) {
		if (used > 300)
			break;
		if (is_repeated(keys, i))
			continue;
		used += (size_t)snprintf(text + used, SHOWN - used, "%s%.60s", shown++ ? ", " : "", key_text(key));
	}
	if (i < json_array_size(keys))
		snprintf(text + used, SHOWN - used, " … %zu more", json_array_size(keys) - i);
	return text;
}

const char *show_count(char *text, int64_t n, const char *one)
{
	snprintf(text, SHOWN, "%lld %s%s", (long long)n, one, n == 1 ? "" : "s");
	return text;
}
