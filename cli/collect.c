/* ferrule collect: what waits in durable steps (collect, resequence, dedupe), and letting it go on now. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/parts.h"
#include "cli/site.h"

static const struct verb_option options[] = {
	{"flow", "NAME", "only those of this flow", "list"},
	{"key", "KEY", "only those with this key", "list"},
	{"first", "N", "at most so many, the oldest first", "list"},
	SITE_OPTIONS,
	{.name = NULL},
};

/* "in 5m 3s", "now", or what it waits for instead. */
static const char *show_due(char *text, const json_t *one)
{
	int64_t due = json_number(one, "due_ms"), wait = due - clock_now_ms();
	char duration[CLOCK_TEXT];

	if (strcmp(json_text(one, "state"), "open"))
		return json_text(one, "state");
	if (json_is_null(json_object_get(one, "due_ms")))
		return strcmp(json_text(one, "kind"), "resequence") ? "when it is complete" : "a person, or its number";
	duration_format(wait > 0 ? wait : 0, duration);
	snprintf(text, SHOWN, wait > 0 ? "in %s" : "now", duration);
	return text;
}

/* "3 of 6, 1 dead" */
static const char *show_members(char *text, const json_t *one)
{
	int64_t size = json_number(one, "size"), dead = json_number(one, "dead"), dropped = json_number(one, "dropped");
	size_t n = (size_t)snprintf(text, SHOWN, "%lld", (long long)json_number(one, "count"));

	if (size)
		n += (size_t)snprintf(text + n, SHOWN - n, " of %lld", (long long)size);
	if (dead)
		n += (size_t)snprintf(text + n, SHOWN - n, ", %lld dead", (long long)dead);
	if (dropped)
		n += (size_t)snprintf(text + n, SHOWN - n, ", %lld dropped", (long long)dropped);
	if (!strcmp(json_text(one, "kind"), "resequence"))
		snprintf(text + n, SHOWN - n, " behind %lld", (long long)json_number(one, "next"));
	return text;
}

static void print_list(const struct arguments *arguments, const json_t *answer)
{
	static const char *const titles[] = {">number", "flow", "step", "key", "holds", "since", "goes on", NULL};
	const json_t *list = json_object_get(answer, "collections"), *one;
	struct table *table;
	size_t i;

	if (!json_array_size(list)) {
		puts("Nothing waits in a collect, resequence or dedupe step.");
		return;
	}
	table = table_new(titles);
	json_array_foreach(list, i, one) {
		table_number(table, json_number(one, "number"));
		table_add(table, json_text(one, "flow"));
		table_add(table, json_text(one, "step"));
		table_add(table, json_text(one, "key"));
		table_add(table, show_members(SHOWN_HERE, one));
		table_add(table, show_age(SHOWN_HERE, json_number(one, "first_ms")));
		table_add(table, show_due(SHOWN_HERE, one));
	}
	table_print_take(table, "");
	printf("\nferrule collect show N%s tells what one holds, ferrule collect close N%s lets it go on now.\n",
	       show_site(SHOWN_HERE, arguments), show_site(SHOWN_HERE, arguments));
}

static int list(const struct arguments *arguments, struct session *session)
{
	json_t *request = json_object(), *answer;
	int64_t first;
	int code = verb_count(arguments, "first", 200, &first);

	if (code)
		return json_decref(request), code;
	json_object_set_new(request, "limit", json_integer(first));
	json_object_set_new(request, "flow",
			    json_string(argument_given(arguments, "flow") ? argument(arguments, "flow") : ""));
	json_object_set_new(request, "key",
			    json_string(argument_given(arguments, "key") ? argument(arguments, "key") : ""));
	answer = site_ask(arguments, session, "collect.list", request, &code);
	if (!answer)
		return code;
	if (arguments->json)
		verb_print_json(answer);
	else
		print_list(arguments, answer);
	json_decref(answer);
	return EXIT_DONE;
}

static void print_one(const struct arguments *arguments, const json_t *one)
{
	static const char *const titles[] = {"message", ">place", "since", "keys", NULL};
	struct table *table = table_new(titles);
	const json_t *member, *gap;
	size_t i;

	printf("%s of flow %s, key %s: %s; goes on: %s\n\n", json_text(one, "step"), json_text(one, "flow"),
	       json_text(one, "key"), show_members(SHOWN_HERE, one), show_due(SHOWN_HERE, one));
	json_array_foreach(json_object_get(one, "members"), i, member) {
		table_add(table, show_id(SHOWN_HERE, json_text(member, "message")));
		table_number(table, json_number(member, "place"));
		table_add(table, show_age(SHOWN_HERE, json_number(member, "at_ms")));
		table_add(table, show_keys(SHOWN_HERE, json_object_get(member, "keys")));
	}
	table_print_take(table, "");
	json_array_foreach(json_object_get(one, "gaps"), i, gap)
		printf("  part %lld is %s%s\n", (long long)json_number(gap, "place"), json_text(gap, "why"),
		       strcmp(json_text(gap, "why"), "dead") ? "" : " (ferrule dead list)");
	if (!strcmp(json_text(one, "state"), "open"))
		printf("\nferrule collect close %lld%s lets it go on now.\n", (long long)json_number(one, "number"),
		       show_site(SHOWN_HERE, arguments));
}

static int show(const struct arguments *arguments, struct session *session, int64_t number)
{
	json_t *answer;
	int code;

	answer = site_ask(arguments, session, "collect.get",
			  json_pack("{s:I s:I}", "number", (json_int_t)number, "limit", (json_int_t)1000), &code);
	if (!answer)
		return code;
	site_tidy(arguments, answer);
	if (arguments->json)
		verb_print_json(answer);
	else
		print_one(arguments, answer);
	json_decref(answer);
	return EXIT_DONE;
}

static int close_now(const struct arguments *arguments, struct session *session, int64_t number)
{
	json_t *answer;
	int code;

	answer = site_ask(arguments, session, "collect.get",
			  json_pack("{s:I s:I}", "number", (json_int_t)number, "limit", (json_int_t)1), &code);
	if (!answer)
		return code;
	code = site_change(arguments, session, "collect.close",
			   json_pack("{s:I s:s}", "number", (json_int_t)number, "by", site_person()));
	if (!code && arguments->json)
		verb_print_line_take(json_pack("{s:I s:s}", "number", (json_int_t)number, "done", "closed"));
	else if (!code)
		printf("Collection %lld of flow %s goes on now%s.\n", (long long)number, json_text(answer, "flow"),
		       json_number(answer, "count") ? "" : ": it holds nothing");
	json_decref(answer);
	return code;
}

static int with_number(const struct arguments *arguments, struct session *session,
		       int (*what)(const struct arguments *, struct session *, int64_t))
{
	char *end;
	int64_t number = strtoll(arguments->words[1], &end, 10);

	if (*end || number <= 0)
		return verb_usage(arguments, "`%s` is no number of a collection: ferrule collect list shows them",
				  arguments->words[1]);
	return what(arguments, session, number);
}

static int show_part(const struct arguments *arguments, struct session *session)
{
	return with_number(arguments, session, show);
}

static int close_part(const struct arguments *arguments, struct session *session)
{
	return with_number(arguments, session, close_now);
}

#define WHICH(part) "which? ferrule collect " part " NUMBER (ferrule collect list shows them)"

static const struct part parts[] = {
	{"list", 0, 0, NULL, list, NULL},
	{"show", 1, 1, WHICH("show"), show_part, NULL},
	{"close", 1, 1, WHICH("close"), close_part, NULL},
	{.name = NULL},
};

static int collect(const struct arguments *arguments)
{
	const struct part *part = part_find(arguments, parts);

	return part ? part_run(arguments, part) : EXIT_USAGE;
}

const struct verb verb_collect = {
	.name = "collect",
	.words = "list|show|close [NUMBER]",
	.words_max = 2,
	.summary = "What waits in collect, resequence and dedupe steps, by collection",
	.text = "list tells each collection that is open: what it holds, since when, and when it goes on. show N tells "
		"its\n"
		"members, and which parts of a group are dead. close N lets one go on now: a collection with what it "
		"has, a\n"
		"sequence behind the number that is missing.\n\n"
		"  ferrule collect\n"
		"  ferrule collect list --flow invoices --key 2026-01-31\n"
		"  ferrule collect close 17\n",
	.json = "list: {collections: [{number, state, kind, policy, queue, flow, step, key, due_ms, count, bytes, "
		"filled,\n"
		"  dead, dropped, size, missing, next, first_ms, last_ms, closed_ms, reason, revision, generation,\n"
		"  within_ms}]}; show: the same of one, with members: [{message, place, at_ms, keys}] and gaps: "
		"[{place,\n"
		"  why}]; close: {number, done}",
	.options = options,
	.run = collect,
};
