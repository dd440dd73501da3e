/* ferrule dead: what could not go on, grouped by cause; shown here, and replayed, discarded or edited by dead_change.c.
 */
#include "config.h"
#include "cli/dead.h"

#include <string.h>

#include "cli/letter.h"
#include "cli/parts.h"

#define PAGE 200        /* for people to read */
#define PAGE_JSON 50000 /* for programs: all that one answer may hold */
#define BODY_MAX (4u << 20)

#define SEVERAL "list replay discard"

static const struct verb_option options[] = {
	{"cause", "CODE", "only those of this cause: x12.count, jq.error …", SEVERAL},
	{"flow", "NAME", "only those of this flow", SEVERAL},
	{"key", "KEY", "only those with this business key, or of this document", SEVERAL},
	{"since", "TIME", "only those since then: 2026-01-31T12:00:00Z, or so long ago: 2h", SEVERAL},
	{"state", "STATE", "open (if not given), replayed, discarded or all", "list"},
	{"first", "N", "at most so many, the oldest first", SEVERAL},
	{"rate", "N/s", "at most so many a second", "replay discard"},
	{"again", NULL, "deliver anew what was delivered before", "replay"},
	{"dry-run", NULL, "only say what would be done", "replay discard"},
	{"reason", "TEXT", "why; whoever asks later reads it", "discard"},
	{"file", "FILE", "take the new body from a file instead of an editor", "edit"},
	SITE_OPTIONS,
	{.name = NULL},
};

json_t *dead_filter(const struct arguments *arguments, int64_t limit, int *code)
{
	static const char *const names[] = {"cause", "flow", "key", "state"};
	json_t *filter = json_pack("{s:I}", "limit", (json_int_t)limit);
	int64_t since;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (argument_given(arguments, names[i]))
			json_object_set_new(filter, names[i], json_string(argument(arguments, names[i])));
	*code = site_time(arguments, "since", 0, &since);
	if (since)
		json_object_set_new(filter, "since", json_integer(since));
	return filter;
}

const char *dead_name(char *text, const json_t *letter)
{
	const char *document = json_text(letter, "document");

	show_keys(text, json_object_get(letter, "keys"));
	if (!*text)
		snprintf(text, SHOWN, "%.400s",
			 *document ? document : json_text(json_object_get(letter, "origin"), "name"));
	return text;
}

json_t *dead_get(const struct arguments *arguments, struct session *session, const char *which, int *code)
{
	char *end;
	long long number = strtoll(which, &end, 10);
	json_t *request = *end ? json_pack("{s:s}", "id", which) : json_pack("{s:I}", "number", (json_int_t)number);

	return site_ask(arguments, session, "dead.get", request, code);
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

static void print_groups(const json_t *groups)
{
	static const char *const titles[] = {">count", "cause", "step", "flow", "last", NULL};
	struct table *table = table_new(titles);
	const json_t *group;
	size_t i;

	json_array_foreach(groups, i, group) {
		table_number(table, json_number(group, "count"));
		table_add(table, json_text(group, "cause"));
		table_add(table, json_text(group, "step"));
		table_add(table, json_text(group, "flow"));
		table_add(table, show_age(SHOWN_HERE, json_number(group, "last_ms")));
	}
	table_print_take(table, "");
}

static void print_letters(const json_t *letters)
{
	static const char *const titles[] = {">number", "when", "cause", "flow", "keys or document", "where", NULL};
	struct table *table = table_new(titles);
	const json_t *letter;
	size_t i;

	json_array_foreach(letters, i, letter) {
		table_number(table, json_number(letter, "number"));
		table_add(table, show_age(SHOWN_HERE, json_number(letter, "at_ms")));
		table_add(table, json_text(letter, "cause"));
		table_add(table, json_text(letter, "flow"));
		table_add(table, dead_name(SHOWN_HERE, letter));
		table_add(table, strcmp(json_text(letter, "state"), "open") ? json_text(letter, "state")
									    : json_text(letter, "position"));
	}
	table_print_take(table, "");
}

static void print_list(const struct arguments *arguments, const json_t *answer)
{
	const json_t *groups = json_object_get(answer, "groups"), *letters = json_object_get(answer, "letters"),
		     *first = json_array_get(letters, 0);
	const char *site = show_site(SHOWN_HERE, arguments);

	if (!first) {
		puts("No dead letters.");
		return;
	}
	print_groups(groups);
	puts("");
	print_letters(letters);
	if (json_object_get(answer, "next"))
		printf("… and more: --first 1000\n");
	printf("\nOne in full:          ferrule dead show %lld%s\n", (long long)json_number(first, "number"), site);
	if (!strcmp(json_text(first, "state"), "open"))
		printf("One of a cause again: ferrule dead replay --cause %s --first 1%s\n", json_text(first, "cause"),
		       site);
}

static int list(const struct arguments *arguments, struct session *session)
{
	json_t *filter, *answer;
	int64_t most;
	int code;

	if (verb_count(arguments, "first", arguments->json ? PAGE_JSON : PAGE, &most))
		return EXIT_USAGE;
	filter = dead_filter(arguments, most, &code);
	if (code) {
		json_decref(filter);
		return code;
	}
	answer = site_ask(arguments, session, "dead.list", filter, &code);
	if (answer && arguments->json)
		verb_print_json(answer);
	else if (answer)
		print_list(arguments, answer);
	json_decref(answer);
	return code;
}

/* ---- show -------------------------------------------------------------------------------------------------------- */

static void print_content(struct session *session, const json_t *letter)
{
	struct error error = {0};
	struct buf bytes;

	buf_init(&bytes, BODY_MAX);
	if (!base64_decode(&bytes, span_of(json_text(letter, "content"))) && bytes.len) {
		letter_print("what the step had in hand", buf_view(&bytes));
	} else {
		buf_reset(&bytes);
		if (!letter_body(session, letter, &bytes, &error))
			letter_print("the message", buf_view(&bytes));
		else
			printf("\nthe message cannot be shown: %s\n", error.text);
	}
	buf_free(&bytes);
}

static void print_history(const json_t *letter)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(letter, "history"), i, entry)
		printf("  %-9s %s%s%s%s%s\n", json_text(entry, "what"),
		       show_time(SHOWN_HERE, json_number(entry, "at_ms")), *json_text(entry, "who") ? " by " : "",
		       json_text(entry, "who"), *json_text(entry, "why") ? ": " : "", json_text(entry, "why"));
}

static void print_letter(const struct arguments *arguments, const json_t *letter)
{
	const json_t *origin = json_object_get(letter, "origin");

	printf("dead letter %lld, %s%s\n", (long long)json_number(letter, "number"), json_text(letter, "state"),
	       json_number(letter, "deaths") > 1 ? ", died more than once" : "");
	printf("  when      %s (%s)\n", show_time(SHOWN_HERE, json_number(letter, "at_ms")),
	       show_age(SHOWN_HERE, json_number(letter, "at_ms")));
	printf("  flow      %s, step %s\n", json_text(letter, "flow"), json_text(letter, "step"));
	printf("  cause     %s\n  reason    %s\n", json_text(letter, "cause"), json_text(letter, "reason"));
	if (*json_text(letter, "position"))
		printf("  position  %s\n", json_text(letter, "position"));
	printf("  message   %s\n", json_text(letter, "id"));
	if (json_array_size(json_object_get(letter, "keys")))
		printf("  keys      %s\n", show_keys(SHOWN_HERE, json_object_get(letter, "keys")));
	if (*json_text(origin, "name"))
		printf("  document  %s\n", json_text(origin, "name"));
	print_history(letter);
}

static void print_next(const struct arguments *arguments, const json_t *letter)
{
	const char *site = show_site(SHOWN_HERE, arguments);
	long long number = (long long)json_number(letter, "number");

	if (strcmp(json_text(letter, "state"), "open") != 0)
		printf("\nWhat became of it: ferrule trace %s%s\n", show_id(SHOWN_HERE, json_text(letter, "id")), site);
	else
		printf("\nAgain:   ferrule dead replay %lld%s\nChanged: ferrule dead edit %lld%s\nNever:   ferrule "
		       "dead "
		       "discard %lld --reason WHY%s\n",
		       number, site, number, site, number, site);
}

static int show(const struct arguments *arguments, struct session *session)
{
	int code = EXIT_DONE;
	json_t *letter = dead_get(arguments, session, arguments->words[1], &code);

	if (letter && arguments->json) {
		verb_print_json(letter);
	} else if (letter) {
		site_tidy(arguments, letter);
		print_letter(arguments, letter);
		print_content(session, letter);
		print_next(arguments, letter);
	}
	json_decref(letter);
	return code;
}

/* ---- the verb ---------------------------------------------------------------------------------------------------- */

#define WHICH(part) "which? ferrule dead " part " NUMBER (ferrule dead list shows them)"

static const struct part parts[] = {
	{"list", 0, 0, NULL, list, NULL},
	{"show", 1, 1, WHICH("show"), show, NULL},
	{"replay", 0, ARGUMENTS_MAX, NULL, dead_replay, NULL},
	{"edit", 1, 1, WHICH("edit"), dead_edit, NULL},
	{"discard", 0, ARGUMENTS_MAX, NULL, dead_discard, NULL},
	{.name = NULL},
};

static int dead(const struct arguments *arguments)
{
	const struct part *part = part_find(arguments, parts);

	if (!part)
		return EXIT_USAGE;
	if (part->run == dead_discard && !argument_given(arguments, "reason"))
		return verb_usage(arguments, "--reason is missing: whoever asks later wants to know why");
	return part_run(arguments, part);
}

const struct verb verb_dead = {
	.name = "dead",
	.words = "list|show|replay|edit|discard [NUMBER…]",
	.words_max = ARGUMENTS_MAX,
	.summary = "Dead letters: what could not go on, by cause",
	.text = "  ferrule dead list\n"
		"  ferrule dead show 1\n"
		"  ferrule dead replay --cause jq.error --first 1 --dry-run\n"
		"  ferrule dead replay --cause jq.error --rate 10/s\n"
		"  ferrule dead edit 1 --file mended.edi\n"
		"  ferrule dead discard 1 --reason 'sent again as PO-4760'\n"
		"\nA replay runs under today's configuration, and says first what it will do. It can be interrupted at "
		"any\n"
		"point: each letter is replayed whole or not at all; the same command again does the rest. What was\n"
		"delivered before is recognised and not delivered again, unless --again says so.\n",
	.json = "list: {groups: [{cause, step, flow, count, first_ms, last_ms, example}], letters: [{number, id, "
		"step,\n"
		"  flow, queue, cause, reason, position, at_ms, deaths, document, keys, state}], next?}\n"
		"  show: {the same of one; envelope, body and content in base64, origin, history}\n"
		"  replay, discard: a line each {result: replayed | discarded | would-replay | would-discard, number, "
		"flow,\n"
		"  queue, keys, document}, at last {result: end, done, failed, left}\n"
		"  edit: {result: edited, number, size}",
	.options = options,
	.run = dead,
};
