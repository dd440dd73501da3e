/* ferrule hold, ferrule resume: maintenance without ceasing to receive. */
#include "config.h"
#include "cli/hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const struct verb_option hold_options[] = {
	{"until", "TIME", "when it ends by itself: 90m from now, the next 06:00, or 2026-01-31T18:00:00Z", NULL},
	{"reason", "TEXT", "why; shown by status", NULL},
	SITE_OPTIONS,
	{.name = NULL},
};

static const struct verb_option resume_options[] = {
	SITE_OPTIONS,
	{.name = NULL},
};

/* Flows, endpoints and systems of the site: what can be held. The array is the caller's. */
static const char **names_of(const struct site *site, size_t *n)
{
	const char **names = NULL;
	size_t capacity = 0;

	*n = 0;
	for (size_t i = 0; i < site->flows_count; i++) {
		const struct flow *flow = &site->flows[i];

		names = mem_grow(names, &capacity, *n + 3 + flow->sources_count, sizeof *names);
		names[(*n)++] = flow->name;
		if (flow->sink)
			names[(*n)++] = flow->sink->name;
		if (flow->sink && flow->sink->system)
			names[(*n)++] = flow->sink->system;
		for (size_t j = 0; j < flow->sources_count; j++)
			names[(*n)++] = flow->sources[j].endpoint.name;
	}
	return names;
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* "06:00": the next one, by this machine's clock. */
static int next_time(const char *text, int64_t *ms)
{
	time_t now = (time_t)(clock_now_ms() / 1000);
	unsigned hour, minute;
	struct tm tm;
	int n = 0;

	if (sscanf(text, "%2u:%2u%n", &hour, &minute, &n) != 2 || text[n] || hour > 23 || minute > 59)
		return -1;
	localtime_r(&now, &tm);
	tm.tm_hour = (int)hour;
	tm.tm_min = (int)minute;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	if (mktime(&tm) <= now)
		tm.tm_mday++;
	tm.tm_isdst = -1;
	*ms = (int64_t)mktime(&tm) * 1000;
	return 0;
}

int hold_until(const struct arguments *arguments, int64_t *until)
{
	const char *text = argument(arguments, "until");
	int64_t span;

	if (!text)
		return verb_usage(arguments, "--until is missing: a hold that nobody ends must end by itself");
	if (!duration_parse(span_of(text), &span))
		*until = clock_now_ms() + span;
	else if (next_time(text, until) && clock_parse(span_of(text), until))
		return verb_usage(arguments, "--until %s: a time looks like 90m, 06:00 or 2026-01-31T18:00:00Z", text);
	return *until > clock_now_ms() ? 0 : verb_usage(arguments, "--until %s is over already", text);
}

static const char *reason_of(const struct arguments *arguments)
{
	return argument_given(arguments, "reason") ? argument(arguments, "reason") : "";
}

int hold_set(const struct arguments *arguments, struct session *session, const char *name, int64_t until,
	     const char *ending)
{
	json_t *answer;
	int code = site_change(arguments, session, "hold.set",
			       json_pack("{s:s s:I s:s s:s}", "name", name, "until_ms", (json_int_t)until, "reason",
					 reason_of(arguments), "by", site_person()));

	if (code)
		return code;
	if (!arguments->json) {
		printf("%s is held until %s; what arrives for it waits. To end it sooner: ferrule %s %s%s\n", name,
		       show_time(SHOWN_HERE, until), ending, name, show_site(SHOWN_HERE, arguments));
		return EXIT_DONE;
	}
	answer = json_pack("{s:s s:s s:I s:s s:s}", "result", "held", "name", name, "until_ms", (json_int_t)until,
			   "reason", reason_of(arguments), "by", site_person());
	verb_print_json(answer);
	json_decref(answer);
	return EXIT_DONE;
}

static int hold(const struct arguments *arguments)
{
	struct session *session;
	const char **names;
	int64_t until;
	size_t n;
	int code;

	if (hold_until(arguments, &until))
		return EXIT_USAGE;
	session = site_reach(arguments, NULL, NULL, &code);
	if (!session)
		return code;
	names = names_of(session_site(session), &n);
	if (is_among(arguments->words[0], names, n))
		code = hold_set(arguments, session, arguments->words[0], until, "resume");
	else
		code = verb_unknown(arguments, "flow, endpoint or system", arguments->words[0], names, n,
				    "ferrule status shows them");
	free(names);
	session_close(session);
	return code;
}

static bool is_held(const json_t *answer, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(answer, "holds"), i, entry)
		if (!strcmp(json_text(entry, "name"), name))
			return true;
	return false;
}

/* Not held and not known: a slip of the pen, else the hold ended already. */
static int check_name(const struct arguments *arguments, struct session *session, bool held)
{
	size_t n;
	const char **names = names_of(session_site(session), &n);
	int code = EXIT_DONE;

	if (!held && !is_among(arguments->words[0], names, n))
		code = verb_unknown(arguments, "flow, endpoint or system", arguments->words[0], names, n,
				    "ferrule status shows what is held");
	free(names);
	return code;
}

static int release(const struct arguments *arguments, struct session *session, const char *name, bool held)
{
	json_t *answer;
	int code = held ? site_change(arguments, session, "hold.release",
				      json_pack("{s:s s:s}", "name", name, "by", site_person()))
			: EXIT_DONE;

	if (code)
		return code;
	if (!arguments->json) {
		printf(held ? "%s goes on\n" : "%s is not held\n", name);
		return EXIT_DONE;
	}
	answer = json_pack("{s:s s:s}", "result", held ? "resumed" : "not-held", "name", name);
	verb_print_json(answer);
	json_decref(answer);
	return EXIT_DONE;
}

int hold_end(const struct arguments *arguments, struct session *session, const char *name)
{
	int code;
	json_t *holds = site_ask(arguments, session, "holds", json_object(), &code);

	if (holds)
		code = release(arguments, session, name, is_held(holds, name));
	json_decref(holds);
	return code;
}

static int resume(const struct arguments *arguments)
{
	int code;
	struct session *session = site_reach(arguments, NULL, NULL, &code);
	json_t *holds;
	bool held;

	if (!session)
		return code;
	holds = site_ask(arguments, session, "holds", json_object(), &code);
	held = is_held(holds, arguments->words[0]);
	if (holds)
		code = check_name(arguments, session, held);
	if (!code)
		code = release(arguments, session, arguments->words[0], held);
	json_decref(holds);
	session_close(session);
	return code;
}

const struct verb verb_hold = {
	.name = "hold",
	.words = "FLOW|ENDPOINT|SYSTEM --until TIME [--reason TEXT]",
	.words_min = 1,
	.words_max = 1,
	.summary = "Let everything for a flow, endpoint or system wait",
	.text = "  ferrule hold orders-to-erp --until 90m --reason 'month end'\n"
		"  ferrule hold support --until 06:00 --reason 'upgrade of the tool'\n"
		"\nWhat arrives is received, and waits; the rest of the site goes on. A hold ends by itself at its "
		"time.\n"
		"Holding again changes the time and the reason.\n",
	.json = "{result: held, name, until_ms, reason, by}",
	.options = hold_options,
	.run = hold,
};

const struct verb verb_resume = {
	.name = "resume",
	.words = "FLOW|ENDPOINT|SYSTEM",
	.words_min = 1,
	.words_max = 1,
	.summary = "End a hold",
	.text = "  ferrule resume orders-to-erp\n",
	.json = "{result: resumed | not-held, name}",
	.options = resume_options,
	.run = resume,
};
