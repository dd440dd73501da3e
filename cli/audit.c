/* ferrule audit: who did what, which configuration ran, what was transferred; records that each carry the hash of the
 * one before (operations/audit.h). */
#include "config.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/parts.h"
#include "cli/site.h"
#include "operations/audit.h"

#define SHOWN_RECORDS 50

static const struct verb_option options[] = {
	{"what", "PATTERN", "only these, such as hold.* or received", "show"},
	{"by", "NAME", "only what this person did", "show"},
	{"since", "TIME", "from then on: 2h ago, or 2026-01-31T18:00:00Z", "show"},
	{"limit", "N", "so many, the newest (50)", "show"},
	{"key", "KEY", "only check points by this key count, as an earlier verification told it", "verify"},
	{"head", "N:HASH", "record N must be there, with this hash, as an earlier verification told it", "verify"},
	SITE_OPTIONS,
	{.name = NULL},
};

/* ---- reading the trail */
typedef int line_fn(void *arg, struct span line, struct error *);

static int each_record(const json_t *answer, line_fn *each, void *arg, struct error *error)
{
	const json_t *record;
	size_t i;

	json_array_foreach(json_object_get(answer, "records"), i, record)
		if (each(arg, span_of(json_text(record, "line")), error))
			return -1;
	return 0;
}

/* All lines of the site's trail. An exit code; the failure of `each` is told by the caller. */
static int each_of_site(const struct arguments *arguments, struct session *session, line_fn *each, void *arg,
			struct error *error)
{
	json_int_t after = 0;
	int code = EXIT_DONE;

	do {
		json_t *answer = site_ask(arguments, session, "audit.list",
					  json_pack("{s:I s:i}", "after", after, "limit", 5000), &code);

		if (!answer)
			return code;
		if (each_record(answer, each, arg, error))
			code = EXIT_FINDINGS;
		after = json_object_get(answer, "next") ? json_number(answer, "next") : 0;
		json_decref(answer);
	} while (after && !code);
	return code;
}

/* ---- show */
struct showing {
	const struct arguments *arguments;
	const char *what, *by;
	int64_t since;
	json_t **ring; /* the newest that fit */
	size_t size, count;
};

/* A check point tells people nothing; --what checkpoint shows them, and so does --json. */
static bool is_hidden(const struct showing *showing, const json_t *record)
{
	return !showing->what && !showing->arguments->json && !strcmp(json_text(record, "what"), "checkpoint");
}

static int consider(void *arg, struct span line, struct error *error)
{
	struct showing *showing = arg;
	json_t *record = json_loadb(line.data, line.len, 0, NULL), **place;
	int64_t at = 0;

	clock_parse(span_of(json_text(record, "at")), &at);
	if (is_hidden(showing, record) || at < showing->since ||
	    (showing->what && fnmatch(showing->what, json_text(record, "what"), 0)) ||
	    (showing->by && strcmp(showing->by, json_text(record, "by")) != 0)) {
		json_decref(record);
		return 0;
	}
	place = &showing->ring[showing->count++ % showing->size];
	json_decref(*place);
	*place = record;
	return 0;
}

static void print_record(struct table *table, const json_t *record)
{
	const json_t *facts = json_object_get(record, "facts");
	char *text = json_object_size(facts) ? json_dumps(facts, JSON_COMPACT) : NULL;
	int64_t at = 0;

	clock_parse(span_of(json_text(record, "at")), &at);
	table_number(table, json_number(record, "n"));
	table_add(table, show_time(SHOWN_HERE, at));
	table_add(table, json_text(record, "what"));
	table_add(table, json_text(record, "by"));
	table_add(table, text ? text : "");
	free(text);
}

static void print_shown(const struct showing *showing)
{
	static const char *const titles[] = {">record", "at", "what", "by", "facts", NULL};
	size_t first = showing->count > showing->size ? showing->count - showing->size : 0;
	struct table *table = showing->arguments->json ? NULL : table_new(titles);

	for (size_t i = first; i < showing->count; i++) {
		if (showing->arguments->json)
			verb_print_line_take(json_incref(showing->ring[i % showing->size]));
		else
			print_record(table, showing->ring[i % showing->size]);
	}
	if (!table)
		return;
	table_print_take(table, "");
	if (first)
		printf("… and %zu older: --limit shows more, ferrule audit export FILE all of them\n", first);
}

static int show(const struct arguments *arguments, struct session *session)
{
	struct showing showing = {
		.arguments = arguments, .what = argument(arguments, "what"), .by = argument(arguments, "by")};
	struct error error = {0};
	int64_t limit;
	int code;

	if (site_time(arguments, "since", 0, &showing.since) || verb_count(arguments, "limit", SHOWN_RECORDS, &limit))
		return EXIT_USAGE;
	showing.size = limit > 1000000 ? 1000000 : (size_t)limit;
	showing.ring = mem_alloc(showing.size * sizeof(json_t *));
	code = each_of_site(arguments, session, consider, &showing, &error);
	if (!code)
		print_shown(&showing);
	for (size_t i = 0; i < showing.size; i++)
		json_decref(showing.ring[i]);
	free(showing.ring);
	return code;
}

/* ---- verify */
struct verifying {
	struct audit_check check;
	int64_t number; /* of --head */
	uint8_t hash[SHA256_SIZE];
	bool head_given;
};

static int verify_line(void *arg, struct span line, struct error *error)
{
	struct verifying *verifying = arg;

	if (audit_check_line(&verifying->check, line, error))
		return -1;
	if (verifying->head_given && verifying->check.head.number == verifying->number &&
	    memcmp(verifying->hash, verifying->check.head.hash, sizeof verifying->hash) != 0)
		return error_set(error, ERROR_REJECT, "audit.head",
				 "record %" PRId64 " has another hash than the one given: the trail was written anew",
				 verifying->number);
	return 0;
}

static int expected(const struct arguments *arguments, struct verifying *verifying)
{
	const char *head = argument(arguments, "head"), *key = argument(arguments, "key");
	struct buf bytes;
	char *end;

	if (head) {
		verifying->head_given = true;
		verifying->number = strtoll(head, &end, 10);
		if (verifying->number < 1 || *end != ':' ||
		    hex_decode(verifying->hash, sizeof verifying->hash, span_of(end + 1)))
			return verb_usage(arguments, "--head %s: it looks like 128:5f0c… with 64 digits", head);
	}
	if (!key)
		return 0;
	buf_init(&bytes, 256);
	if (!base64_decode(&bytes, span_of(key)) && bytes.len == SIGN_KEY_SIZE) {
		memcpy(verifying->check.keys[0], bytes.data, SIGN_KEY_SIZE);
		verifying->check.keys_count = 1;
		verifying->check.pinned = true;
	}
	buf_free(&bytes);
	return verifying->check.pinned ? 0 : verb_usage(arguments, "--key is no public key of 32 bytes in base64");
}

static void key_text(const struct audit_check *check, struct buf *text)
{
	if (check->keys_count)
		base64_encode(text, span_make(check->keys[check->keys_count - 1], SIGN_KEY_SIZE));
	buf_text(text, "");
}

static int tell(const struct arguments *arguments, const struct verifying *verifying)
{
	const struct audit_check *check = &verifying->check;
	char hash[2 * SHA256_SIZE + 1];
	struct buf key;

	hex_encode(hash, check->head.hash, sizeof check->head.hash);
	buf_init(&key, 256);
	key_text(check, &key);
	if (arguments->json) {
		json_t *answer = json_pack("{s:s s:I s:s s:I s:I s:s}", "result", "holds", "records",
					   (json_int_t)check->head.number, "hash", hash, "checkpoints",
					   (json_int_t)check->checkpoints, "signed", (json_int_t)check->signed_number,
					   "key", key.data ? key.data : "");

		verb_print_json(answer);
		json_decref(answer);
	} else {
		printf("The trail holds: %" PRId64 " records, %" PRId64 " check points; signed up to record %" PRId64
		       ".\n",
		       check->head.number, check->checkpoints, check->signed_number);
		printf("Note these elsewhere; the next verification compares with them:\n"
		       "  ferrule audit verify --head %" PRId64 ":%s --key %s\n",
		       check->head.number, hash, key.data ? key.data : "");
	}
	buf_free(&key);
	return EXIT_DONE;
}

static int judge(const struct arguments *arguments, struct verifying *verifying, int code, const struct error *error)
{
	if (code == EXIT_FINDINGS && error->class != ERROR_NONE)
		return verb_failed(arguments, error);
	if (code)
		return code;
	if (verifying->head_given && verifying->check.head.number < verifying->number)
		return verb_refused(arguments, EXIT_FINDINGS, "audit.short",
				    "the trail ends at record %" PRId64 ", and record %" PRId64 " was there before",
				    verifying->check.head.number, verifying->number);
	return tell(arguments, verifying);
}

static int verify_site(const struct arguments *arguments, struct session *session)
{
	struct verifying verifying = {0};
	struct error error = {0};
	int code;

	if (expected(arguments, &verifying))
		return EXIT_USAGE;
	code = each_of_site(arguments, session, verify_line, &verifying, &error);
	return judge(arguments, &verifying, code, &error);
}

static int verify_file(const struct arguments *arguments)
{
	struct verifying verifying = {0};
	const char *path = arguments->words[1];
	struct error error = {0};
	FILE *file = NULL;
	char *line = mem_alloc(AUDIT_LINE_MAX + 2);
	int code = expected(arguments, &verifying) ? EXIT_USAGE : EXIT_DONE;

	if (!code)
		file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!code && !file)
		code = verb_refused(arguments, EXIT_UNREACHABLE, "file.unreadable", "%s: %s", path, strerror(errno));
	while (!code && fgets(line, AUDIT_LINE_MAX + 2, file)) {
		size_t len = strlen(line);

		len -= len && line[len - 1] == '\n';
		if (verify_line(&verifying, span_make(line, len), &error))
			code = EXIT_FINDINGS;
	}
	free(line);
	if (file && file != stdin)
		fclose(file);
	return code == EXIT_USAGE || code == EXIT_UNREACHABLE ? code : judge(arguments, &verifying, code, &error);
}

/* ---- export */
static int write_line(void *arg, struct span line, struct error *error)
{
	FILE *file = arg;

	if (fwrite(line.data, 1, line.len, file) == line.len && fputc('\n', file) != EOF)
		return 0;
	return error_set(error, ERROR_FATAL, "file.write", "the trail cannot be written: %s", strerror(errno));
}

static int export(const struct arguments *arguments, struct session *session)
{
	const char *path = argument_word(arguments, 1, "-");
	struct error error = {0};
	FILE *file;
	int code = site_change(arguments, session, "audit.checkpoint", json_object());

	if (code)
		return code;
	file = strcmp(path, "-") ? fopen(path, "wxe") : stdout;
	if (!file)
		return verb_refused(arguments, EXIT_FINDINGS, "file.write", "%s: %s", path, strerror(errno));
	code = each_of_site(arguments, session, write_line, file, &error);
	if (fflush(file) && !code) {
		code = EXIT_FINDINGS;
		error_set(&error, ERROR_FATAL, "file.write", "%s: %s", path, strerror(errno));
	}
	if (file != stdout)
		fclose(file);
	return error.class != ERROR_NONE ? verb_failed(arguments, &error) : code;
}

static const struct part parts[] = {
	{"show", 0, 0, NULL, show, NULL},
	{"verify", 0, 1, NULL, verify_site, NULL},
	{"export", 0, 1, NULL, export, NULL},
	{.name = NULL},
};

static int audit(const struct arguments *arguments)
{
	const struct part *part = part_find(arguments, parts);

	if (!part)
		return EXIT_USAGE;
	return part->run == verify_site && arguments->count > 1 ? verify_file(arguments) : part_run(arguments, part);
}

const struct verb verb_audit = {
	.name = "audit",
	.words = "show|verify|export [FILE]",
	.words_max = 2,
	.summary = "Show, verify and export the audit trail",
	.text = "  ferrule audit show --what 'hold.*' --since 30d\n"
		"  ferrule audit verify\n"
		"  ferrule audit export audit.jsonl\n"
		"  ferrule audit verify audit.jsonl\n"
		"\nThe trail has what persons did with ferrule, every configuration that ran, and what transfers\n"
		"and flows with `audit: yes` received and delivered. Each record carries the hash of the one\n"
		"before; check points are signed with the site's key (data/audit.key). What verify tells at its\n"
		"end, noted elsewhere, is what a later verification compares with: without it nobody can see that\n"
		"a trail was cut at its end. Exit code 1: it does not hold. show leaves check points out: --what\n"
		"checkpoint shows them, and so does --json.\n",
	.json = "show, a line each: {n, at, what, by, facts, before}; "
		"verify: {result: holds, records, hash, checkpoints, signed, key}",
	.options = options,
	.run = audit,
};
