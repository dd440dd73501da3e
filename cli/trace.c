/* ferrule trace: the life of a message, a document or a business key, from where it came to every place it went. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/site.h"
#include "services/site_store.h"

#define SETTLE_MS 2000
#define MESSAGES_MAX 1000000

static const struct verb_option options[] = {
	{"messages", "N", "at most so many messages (500)", NULL},
	SITE_OPTIONS,
	{.name = NULL},
};

static void indent(int depth)
{
	for (int i = 0; i < depth; i++)
		fputs("   ", stdout);
}

/* What people look for in a stage's detail: the reason of a failure, or where the effect is. */
static void print_detail(const json_t *detail)
{
	static const char *const shown[] = {"reason", "path", "status",  "location", "why",
					    "step",   "key",  "number", "until",    "result",   "archived"};

	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
		const json_t *value = json_object_get(detail, shown[i]);

		if (!strcmp(shown[i], "result") && json_is_string(value))
			printf("  %s: %s", shown[i], show_id(SHOWN_HERE, json_string_value(value)));
		else if (json_is_string(value) && *json_string_value(value))
			printf("  %s: %s", shown[i], json_string_value(value));
		else if (json_is_integer(value))
			printf("  %s: %lld", shown[i], (long long)json_integer_value(value));
	}
}

static void print_stage(const json_t *stage, int depth)
{
	indent(depth);
	printf("   %s  %-10s %s", show_time(SHOWN_HERE, json_number(stage, "at_ms")), json_text(stage, "stage"),
	       json_text(stage, "place"));
	if (json_number(stage, "generation"))
		printf(" (anew, %lld)", (long long)json_number(stage, "generation"));
	print_detail(json_object_get(stage, "detail"));
	puts("");
}

/* A message that was published and of which nothing came yet is still on its way. */
static bool under_way(const json_t *message)
{
	const json_t *stages = json_object_get(message, "stages"), *stage;
	size_t i;

	if (json_array_size(json_object_get(message, "children")))
		return false;
	json_array_foreach(stages, i, stage)
		if (strcmp(json_text(stage, "stage"), "published") && strcmp(json_text(stage, "stage"), "received") &&
		    strcmp(json_text(stage, "stage"), "parked"))
			return false;
	return true;
}

static void print_tree(const json_t *messages, int depth, const char *site)
{
	const json_t *message, *stage;
	size_t i, j;

	json_array_foreach(messages, i, message) {
		const char *name = json_text(json_object_get(message, "origin"), "name"),
			   *keys = show_keys(SHOWN_HERE, json_object_get(message, "keys"));

		indent(depth);
		printf("%s %s", json_is_true(json_object_get(message, "match")) ? "*" : "-",
		       show_id(SHOWN_HERE, json_text(message, "id")));
		if (*keys)
			printf("  %s", keys);
		if (!depth && *name)
			printf("  from %s", name);
		if (*json_text(message, "position"))
			printf("  (%s)", json_text(message, "position"));
		puts("");
		json_array_foreach(json_object_get(message, "stages"), j, stage)
			print_stage(stage, depth);
		if (under_way(message)) {
			indent(depth);
			printf("   … on its way; what waits where: ferrule status%s\n", site);
		}
		print_tree(json_object_get(message, "children"), depth + 1, site);
	}
}

static void print_unknown(const json_t *answer)
{
	const json_t *place;
	size_t i;

	fprintf(stderr, "ferrule trace: `%s` is not known here. Looked at", json_text(answer, "key"));
	json_array_foreach(json_object_get(answer, "looked"), i, place)
		fprintf(stderr, "%s %s", i ? "," : "", json_string_value(place));
	if (json_number(answer, "since_ms"))
		fprintf(stderr, "; back to %s", show_time(SHOWN_HERE, json_number(answer, "since_ms")));
	else
		fputs("; nothing was recorded yet", stderr);
	fputs(json_object_get(answer, "ambiguous") ? "\nSeveral messages begin with these digits: give more of them.\n"
						   : "\n",
	      stderr);
}

/* `why`: what could not be asked, so that something newer may be missing. */
static int print_answer(const struct arguments *arguments, json_t *answer, const char *why)
{
	bool found = json_is_true(json_object_get(answer, "found"));

	site_tidy(arguments, answer);
	if (arguments->json)
		verb_print_json(answer);
	else if (found)
		print_tree(json_object_get(answer, "tree"), 0, show_site(SHOWN_HERE, arguments));
	else
		print_unknown(answer);
	if (!arguments->json && json_is_true(json_object_get(answer, "truncated")))
		printf("… and more: --messages %lld\n", 10 * (long long)json_number(answer, "messages"));
	if (*why)
		verb_refused(arguments, found ? EXIT_DONE : EXIT_FINDINGS, "trace.behind",
			     "the last steps may be missing: %s", why);
	return found ? EXIT_DONE : EXIT_FINDINGS;
}

static int look(const struct arguments *arguments, const struct site *site, int64_t most, const char *why)
{
	struct error error = {0};
	struct lineage *lineage = site_lineage_reader(site, &error);
	json_t *answer = NULL;
	int code;

	if (!lineage && !strcmp(error.code, "db.missing"))
		code = verb_refused(
			arguments, EXIT_FINDINGS, error.code,
			"nothing is known of `%s`: nothing was ever recorded here. Has the site run? (ferrule run)",
			arguments->words[0]);
	else if (lineage && !lineage_trace(lineage, span_of(arguments->words[0]), (unsigned)most, &answer, &error))
		code = print_answer(arguments, answer, why);
	else
		code = verb_failed(arguments, &error);
	json_decref(answer);
	lineage_close(lineage);
	return code;
}

/* Lineage is read beside the site. Only what happened just now needs the queue process: it is recorded a moment later.
 * A site whose queue process does not answer can be traced all the same. */
static int look_behind(const struct arguments *arguments, const char *directory, const char *environment, int64_t most)
{
	struct error error = {0};
	struct findings findings;
	struct generation *generation = NULL;
	struct session *session;
	int code = EXIT_UNREACHABLE;

	log_role("trace");
	log_levels("error");
	findings_init(&findings);
	session = session_open(directory, environment, &findings, NULL, &error);
	if (session) {
		session_settle(session, SETTLE_MS);
		code = look(arguments, session_site(session), most, "");
	} else {
		struct error unused = {0};
		struct findings again;

		findings_init(&again);
		generation = generation_new(directory, environment, NULL, &again, &unused);
		if (generation)
			code = look(arguments, generation->site, most, error.text);
		else
			verb_failed_with(arguments, &error, &findings, code);
		findings_free(&again);
	}
	session_close(session);
	generation_free(generation);
	findings_free(&findings);
	return code;
}

static int trace(const struct arguments *arguments)
{
	int64_t most;

	if (verb_count(arguments, "messages", LINEAGE_TRACE_MESSAGES, &most))
		return EXIT_USAGE;
	return look_behind(arguments, argument_given(arguments, "site") ? argument(arguments, "site") : ".",
			   argument_given(arguments, "env") ? argument(arguments, "env") : "",
			   most < MESSAGES_MAX ? most : MESSAGES_MAX);
}

const struct verb verb_trace = {
	.name = "trace",
	.words = "KEY",
	.words_min = 1,
	.words_max = 1,
	.summary = "Show the life of a message: from its document to every delivery",
	.text = "  ferrule trace PO-4711\n"
		"  ferrule trace 20260302-acme-0001.edi\n"
		"\nKEY is a business key, a document's name, an event's id, a digest, or (the beginning of) a "
		"message's id.\n"
		"* marks what matched; what is under it came of it. Exit code 1: nothing is known of the key.\n",
	.json = "{key, found, by, messages, truncated, tree: [{id, causation, correlation, type, flow, revision, "
		"generation,\n"
		"  position, match, origin: {name, digest, ref, offset, length}, keys, first_ms, stages: [{stage, "
		"place,\n"
		"  attempt, generation, at_ms, detail}], children: [the same]}]}, or {key, found: false, looked, "
		"since_ms}",
	.options = options,
	.run = trace,
};
