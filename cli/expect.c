/* ferrule expect: what must happen by a time, and what did not. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/parts.h"
#include "cli/site.h"
#include "operations/expectation_period.h"

static const struct verb_option options[] = {
	{"open", NULL, "only those that are waited for", "list"},
	{"missed", NULL, "only those that did not come in time and still have not", "list"},
	{"done", NULL, "only those that came, in time or late", "list"},
	{"name", "NAME", "only this expectation", "list"},
	{"first", "N", "at most so many, the earliest due first", "list"},
	{"reason", "TEXT", "why it is not waited for any longer", "close"},
	SITE_OPTIONS,
	{.name = NULL},
};

static const struct expectation *find(const struct site *site, const char *name)
{
	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].expect_count; k++)
			if (!strcmp(site->flows[i].expect[k].name, name))
				return &site->flows[i].expect[k];
	return NULL;
}

/* "bank.xml by 07:30", "order.accepted.v1 within 2h" */
static const char *show_what(char *text, const struct site *site, const char *name)
{
	const struct expectation *e = find(site, name);
	char within[CLOCK_TEXT], count[32] = "";

	if (!e)
		return "no flow expects it any more";
	duration_format(e->within_ms, within);
	if (e->count > 1)
		snprintf(count, sizeof count, "%lld of ", (long long)e->count);
	snprintf(text, SHOWN, "%s%s %s %s", count, e->file ? e->file : e->event, e->by ? "by" : "within",
		 e->by ? e->by : within);
	return text;
}

/* "in 5m 3s", "12m late", "met", "met 3m late" */
static const char *show_state(char *text, const json_t *one)
{
	const char *state = json_text(one, "state");
	int64_t due = json_number(one, "due_ms"), now = clock_now_ms(), met = json_number(one, "met_ms");
	bool open = !strcmp(state, "open"), late = !strcmp(state, "late");
	char duration[CLOCK_TEXT];

	if (!open && !late && strcmp(state, "missed"))
		return state;
	duration_format(late ? met - due : now > due ? now - due : due - now, duration);
	snprintf(text, SHOWN, late ? "came %s late" : now > due ? "missed %s ago" : "in %s", duration);
	return text;
}

static const char *show_came(char *text, const json_t *one)
{
	snprintf(text, SHOWN, "%lld of %lld", (long long)json_number(one, "came"),
		 (long long)json_number(one, "needed"));
	return text;
}

static void print_list(const struct arguments *arguments, const struct site *site, const json_t *list)
{
	static const char *const titles[] = {">number", "expectation", "of", "what", "due", "came", "state", NULL};
	const char *next = show_site(SHOWN_HERE, arguments);
	struct table *table = table_new(titles);
	bool missed = false;
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		table_number(table, json_number(one, "number"));
		table_add(table, json_text(one, "name"));
		table_add(table, json_text(one, "label"));
		table_add(table, show_what(SHOWN_HERE, site, json_text(one, "name")));
		table_add(table, show_time(SHOWN_HERE, json_number(one, "due_ms")));
		table_add(table, show_came(SHOWN_HERE, one));
		table_add(table, show_state(SHOWN_HERE, one));
		missed = missed || !strcmp(json_text(one, "state"), "missed");
	}
	table_print_take(table, "");
	json_array_foreach(list, i, one) {
		const json_t *about = json_object_get(one, "about");

		if (strcmp(json_text(one, "state"), "missed"))
			continue;
		printf("\n%lld: %s\n   owner %s%s%s\n   next  %s%s\n", (long long)json_number(one, "number"),
		       json_text(about, "what"), json_text(about, "owner"),
		       *json_text(about, "runbook") ? ", runbook " : "", json_text(about, "runbook"),
		       json_text(about, "next"), next);
	}
	if (missed)
		printf("\nWhat comes late closes it. When nothing will come: ferrule "
		       "expect close N --reason WHY%s\n",
		       next);
}

/* Of a day that is over nothing is waited for until the next begins. */
static void print_next(const struct site *site)
{
	static const char *const titles[] = {"expectation", "what", "next due", NULL};
	struct table *table;
	size_t n = 0;

	for (size_t i = 0; i < site->flows_count; i++)
		n += site->flows[i].expect_count;
	puts(n ? "Nothing is waited for now. The site expects:\n" : "Nothing is waited for: no flow says `expect`.");
	if (!n)
		return;
	table = table_new(titles);
	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].expect_count; k++) {
			const struct expectation *e = &site->flows[i].expect[k];
			struct expectation_period day;
			bool known = e->by && !expectation_period_at(e, clock_now_ms(), &day) &&
				     (day.due_ms > clock_now_ms() || !expectation_period_next(e, &day, &day));

			table_add(table, e->name);
			table_add(table, show_what(SHOWN_HERE, site, e->name));
			table_add(table, known   ? show_time(SHOWN_HERE, day.due_ms)
					 : e->by ? "none within a year"
						 : "with the next message");
		}
	table_print_take(table, "");
}

static int ask_state(const struct arguments *arguments, struct session *session, const char *state, int64_t first,
		     json_t *into, int *code)
{
	json_t *request = json_pack("{s:I s:s}", "limit", (json_int_t)first, "state", state), *answer;

	json_object_set_new(request, "name",
			    json_string(argument_given(arguments, "name") ? argument(arguments, "name") : ""));
	answer = site_ask(arguments, session, "expect.list", request, code);
	if (!answer)
		return -1;
	json_array_extend(json_object_get(into, "expectations"), json_object_get(answer, "expectations"));
	if (json_is_true(json_object_get(answer, "more")))
		json_object_set_new(into, "more", json_true());
	json_decref(answer);
	return 0;
}

static int gather(const struct arguments *arguments, struct session *session, json_t *into, int *code)
{
	static const char *const states[] = {"missed", "open", "late", "met", "closed"};
	bool open = argument_given(arguments, "open"), missed = argument_given(arguments, "missed"),
	     done = argument_given(arguments, "done"), any = open || missed || done;
	const bool wanted[] = {missed || !any, open || !any, done, done, done};
	int64_t first;

	*code = verb_count(arguments, "first", 200, &first);
	if (*code)
		return -1;
	for (size_t i = 0; i < 5; i++)
		if (wanted[i] && ask_state(arguments, session, states[i], first, into, code))
			return -1;
	return 0;
}

static int list(const struct arguments *arguments, struct session *session)
{
	json_t *answer = json_pack("{s:[]}", "expectations");
	const char *name = argument(arguments, "name");
	int code = EXIT_DONE;

	if (!gather(arguments, session, answer, &code)) {
		site_tidy(arguments, answer);
		if (arguments->json)
			verb_print_json(answer);
		else if (json_array_size(json_object_get(answer, "expectations")))
			print_list(arguments, session_site(session), json_object_get(answer, "expectations"));
		else if (name && !find(session_site(session), name))
			code = verb_usage(arguments, "no flow has an expectation %s", name);
		else if (argument_given(arguments, "missed"))
			puts("Nothing was missed.");
		else
			print_next(session_site(session));
		if (!arguments->json && json_is_true(json_object_get(answer, "more")))
			puts("… and more: --first N shows more of them");
	}
	json_decref(answer);
	return code;
}

static int close_one(const struct arguments *arguments, struct session *session)
{
	const char *reason = argument(arguments, "reason");
	char *end;
	int64_t number = strtoll(arguments->words[1], &end, 10);
	int code;

	if (*end || number <= 0)
		return verb_usage(arguments, "`%s` is no number of an expectation: ferrule expect list shows them",
				  arguments->words[1]);
	if (!reason || !*reason)
		return verb_usage(arguments, "why? --reason TEXT: whoever looks later wants to know");
	code = site_change(
		arguments, session, "expect.close",
		json_pack("{s:I s:s s:s}", "number", (json_int_t)number, "reason", reason, "by", site_person()));
	if (!code && arguments->json)
		verb_print_line_take(json_pack("{s:I s:s}", "number", (json_int_t)number, "done", "closed"));
	else if (!code)
		printf("Number %lld is not waited for any longer.\n", (long long)number);
	return code;
}

static const struct part parts[] = {
	{"list", 0, 0, NULL, list, NULL},
	{"close", 1, 1, "which? ferrule expect close NUMBER (ferrule expect list shows them)", close_one, NULL},
	{.name = NULL},
};

static int expect(const struct arguments *arguments)
{
	const struct part *part = part_find(arguments, parts);

	return part ? part_run(arguments, part) : EXIT_USAGE;
}

const struct verb verb_expect = {
	.name = "expect",
	.words = "list|close [NUMBER]",
	.words_max = 2,
	.summary = "What must happen by a time, and what did not",
	.text = "  ferrule expect list\n"
		"  ferrule expect list --missed\n"
		"  ferrule expect close 7 --reason 'the bank has a holiday'\n"
		"\nWhat comes late closes what was missed. close is for what will "
		"not come any more.\n",
	.json = "list: {expectations: [{number, name, flow, state: open | missed | "
		"met | late | closed, label, "
		"message,\n"
		"  needed, came, start_ms, due_ms, opened_ms, met_ms, closed_ms, "
		"about: {owner, runbook, what, next}, "
		"why}], more?}\n"
		"  close: {number, done: closed}",
	.options = options,
	.run = expect,
};
