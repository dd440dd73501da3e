/* ferrule table: tables that the store keeps, which `enrich` looks up and `remember` writes. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tree.h"
#include "cli/parts.h"
#include "cli/site.h"
#include "config/site.h"

#define PAGE 1000
#define UNIT_CHANGES 500
#define FILE_MAX (64u << 20)

static const struct verb_option options[] = {
	{"text", NULL, "the value is text, whatever it looks like", "put"},
	{"after", "KEY", "what comes behind this key", "list"},
	SITE_OPTIONS,
	{.name = NULL},
};

static const char *shown_value(struct buf *text, const json_t *value)
{
	buf_reset(text);
	if (json_is_string(value))
		buf_text(text, json_string_value(value));
	else
		tree_write(text, (json_t *)(uintptr_t)value, 0);
	buf_text(text, "");
	return text->data;
}

/* ---- reading */
static int list_tables(const struct arguments *arguments, struct session *session)
{
	static const char *const titles[] = {"table", ">entries", "last written", NULL};
	int code = EXIT_DONE;
	json_t *answer = site_ask(arguments, session, "tables", json_object(), &code), *entry;
	json_t *tables = json_object_get(answer, "tables");
	struct table *table;
	size_t i;

	if (answer && arguments->json) {
		verb_print_json(answer);
	} else if (answer && !json_array_size(tables)) {
		puts("The store has no tables. ferrule table put NAME KEY VALUE begins one; so does a step "
		     "`remember`.");
	} else if (answer) {
		table = table_new(titles);
		json_array_foreach(tables, i, entry) {
			table_add(table, json_text(entry, "name"));
			table_number(table, json_number(entry, "count"));
			table_add(table, show_age(SHOWN_HERE, json_number(entry, "last_ms")));
		}
		table_print_take(table, "");
	}
	json_decref(answer);
	return code;
}

static json_t *page(const struct arguments *arguments, struct session *session, const char *after, int *code)
{
	return site_ask(arguments, session, "table.list",
			json_pack("{s:s s:s s:i}", "table", arguments->words[1], "after", after, "limit", PAGE), code);
}

static void print_entries(const json_t *answer)
{
	static const char *const titles[] = {"key", "value", "written", "by", NULL};
	const json_t *entries = json_object_get(answer, "entries"), *entry;
	struct table *table = table_new(titles);
	struct buf value;
	size_t i;

	buf_init(&value, 1u << 20);
	json_array_foreach(entries, i, entry) {
		const char *message = json_text(entry, "message");

		table_add(table, json_text(entry, "key"));
		table_add(table, shown_value(&value, json_object_get(entry, "value")));
		table_add(table, show_age(SHOWN_HERE, json_number(entry, "at_ms")));
		table_add(table, *message ? show_id(SHOWN_HERE, message) : json_text(entry, "by"));
	}
	table_print_take(table, "");
	buf_free(&value);
	if (json_object_get(answer, "next"))
		printf("… and more: --after '%s'\n", json_text(answer, "next"));
}

static int list(const struct arguments *arguments, struct session *session)
{
	int code = EXIT_DONE;
	json_t *answer;

	if (arguments->count < 2)
		return list_tables(arguments, session);
	answer =
		page(arguments, session, argument_given(arguments, "after") ? argument(arguments, "after") : "", &code);
	if (answer && arguments->json)
		verb_print_json(answer);
	else if (answer && !json_array_size(json_object_get(answer, "entries")))
		printf("%s is empty.\n", arguments->words[1]);
	else if (answer)
		print_entries(answer);
	json_decref(answer);
	return code;
}

static int get(const struct arguments *arguments, struct session *session)
{
	const char *key = arguments->words[2];
	int code = EXIT_DONE;
	json_t *answer = site_ask(arguments, session, "table.find",
				  json_pack("{s:s s:[s]}", "table", arguments->words[1], "keys", key), &code);
	json_t *value = json_object_get(json_object_get(answer, "values"), key), *report;
	struct buf text;

	if (answer && !value) {
		code = verb_refused(arguments, EXIT_FINDINGS, "table.key", "%s has no `%s`", arguments->words[1], key);
	} else if (answer && arguments->json) {
		report = json_pack("{s:s s:s s:O}", "table", arguments->words[1], "key", key, "value", value);
		verb_print_json(report);
		json_decref(report);
	} else if (answer) {
		buf_init(&text, 1u << 20);
		puts(shown_value(&text, value));
		buf_free(&text);
	}
	json_decref(answer);
	return code;
}

/* One line of JSON for each, as import takes them. */
static int export(const struct arguments *arguments, struct session *session)
{
	char *after = mem_strdup("");
	int code = EXIT_DONE;

	while (after && !code) {
		json_t *answer = page(arguments, session, after, &code), *entry;
		size_t i;

		free(after);
		after = NULL;
		json_array_foreach(json_object_get(answer, "entries"), i, entry)
			verb_print_line_take(json_pack("{s:O s:O}", "key", json_object_get(entry, "key"), "value",
						       json_object_get(entry, "value")));
		if (json_object_get(answer, "next"))
			after = mem_strdup(json_text(answer, "next"));
		json_decref(answer);
	}
	free(after);
	return code;
}

/* ---- writing */
static int say(const struct arguments *arguments, const char *result, int64_t count)
{
	json_t *report;

	if (arguments->json) {
		report = json_pack("{s:s s:s s:I}", "result", result, "table", arguments->words[1], "entries",
				   (json_int_t)count);
		verb_print_json(report);
		json_decref(report);
	} else {
		printf("%s in %s %s\n", show_count(SHOWN_HERE, count, "key"), arguments->words[1], result);
	}
	return EXIT_DONE;
}

/* JSON where it is some, else text: 4711 is a number, ACME a text. */
static json_t *value_of(const struct arguments *arguments, const char *text)
{
	json_t *value = argument_given(arguments, "text")
				? NULL
				: json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	return value ? value : json_string(text);
}

static json_t *put_request(const struct arguments *arguments, const char *key, json_t *value)
{
	return json_pack("{s:s s:s s:o s:s}", "table", arguments->words[1], "key", key, "value", value, "by",
			 site_person());
}

static int put(const struct arguments *arguments, struct session *session)
{
	json_t *value = value_of(arguments, arguments->words[3]);
	int code;

	if (!value)
		return verb_usage(arguments, "the value must be UTF-8 text");
	code = site_change(arguments, session, "table.put", put_request(arguments, arguments->words[2], value));
	return code ? code : say(arguments, "written", 1);
}

static int remove_key(const struct arguments *arguments, struct session *session)
{
	int code = site_change(arguments, session, "table.remove",
			       json_pack("{s:s s:s s:s}", "table", arguments->words[1], "key", arguments->words[2],
					 "by", site_person()));

	return code ? code : say(arguments, "removed", 1);
}

static int read_file(const char *path, struct buf *text, struct error *error)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	ssize_t n = -1;
	char *room;

	while (fd >= 0 && (room = buf_room(text, 65536)) && (n = read(fd, room, 65536)) > 0)
		buf_added(text, (size_t)n);
	if (fd < 0 || n < 0)
		error_errno(error, ERROR_REJECT, "table.file", "%s", path);
	else if (n > 0)
		error_set(error, ERROR_REJECT, "table.file", "%s is larger than %u MiB", path, FILE_MAX >> 20);
	if (fd >= 0)
		close(fd);
	return n ? -1 : 0;
}

/* {key, value} a line, as export writes them. NULL: error says which line is none. */
static json_t *lines_new(struct span text, struct error *error)
{
	json_t *entries = json_array();

	for (int line = 1; text.len; line++) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t n = end ? (size_t)(end - text.data) : text.len;
		json_t *entry = n ? json_loadb(text.data, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
		bool good = json_is_string(json_object_get(entry, "key")) && json_object_get(entry, "value");

		if (good)
			json_array_append(entries, entry);
		json_decref(entry);
		if (n && !good) {
			error_set(error, ERROR_REJECT, "table.file", "line %d is not {\"key\": …, \"value\": …}", line);
			json_decref(entries);
			return NULL;
		}
		text = span_make(text.data + n + (end != NULL), text.len - n - (end != NULL));
	}
	return entries;
}

/* A row of two columns is key and value; of more, the value is the row without its key. */
static json_t *entry_of_row(const struct lookup_table *table, json_t *row)
{
	const char *column = table->columns[0];
	json_t *key = json_object_get(row, column), *rest = json_copy(row), *value;

	json_object_del(rest, column);
	value = table->columns_count == 2 ? json_object_get(row, table->columns[1]) : rest;
	value = json_is_string(key) && value ? json_pack("{s:O s:O}", "key", key, "value", value) : NULL;
	json_decref(rest);
	return value;
}

static json_t *rows_new(const char *path, struct span text, struct error *error)
{
	struct arena *arena = arena_new();
	struct findings findings;
	struct lookup_table table;
	json_t *entries = json_array(), *row;
	size_t i;

	findings_init(&findings);
	if (lookup_table_read(arena, &findings, path, text, &table)) {
		error_set(error, ERROR_REJECT, "table.file", "%s:%d: %s", path, findings.list[0].place.line,
			  findings.list[0].text);
		json_decref(entries);
		entries = NULL;
	}
	json_array_foreach(table.rows, i, row) {
		json_t *entry = entries && table.columns_count > 1 ? entry_of_row(&table, row) : NULL;

		if (entries && !entry) {
			error_set(error, ERROR_REJECT, "table.file",
				  "%s:%d: a row has a text as key and at least one value", path, table.lines[i]);
			json_decref(entries);
			entries = NULL;
		} else if (entries) {
			json_array_append_new(entries, entry);
		}
	}
	json_decref(table.rows);
	free(table.lines);
	findings_free(&findings);
	arena_free(arena);
	return entries;
}

static int write_entries(const struct arguments *arguments, struct session *session, const json_t *entries,
			 struct error *error)
{
	size_t n = json_array_size(entries);

	for (size_t at = 0; at < n; at += UNIT_CHANGES) {
		struct unit *unit = unit_new(session_queue(session));

		for (size_t i = at; i < n && i < at + UNIT_CHANGES; i++) {
			const json_t *entry = json_array_get(entries, i);

			unit_change(unit, "table.put",
				    put_request(arguments, json_text(entry, "key"),
						json_incref(json_object_get(entry, "value"))));
		}
		if (site_commit(session, unit, error))
			return error_wrap(error, "after %zu of %zu entries", at, n);
	}
	return 0;
}

static int import(const struct arguments *arguments, struct session *session)
{
	const char *path = arguments->words[2];
	json_t *entries = NULL;
	struct error error = {0};
	struct buf text;
	int code;

	buf_init(&text, FILE_MAX);
	buf_text(&text, "");
	if (!read_file(path, &text, &error))
		entries = span_ends(span_of(path), ".csv") || span_ends(span_of(path), ".json") ||
				  span_ends(span_of(path), ".yaml")
				  ? rows_new(path, buf_view(&text), &error)
				  : lines_new(buf_view(&text), &error);
	buf_free(&text);
	if (!entries || write_entries(arguments, session, entries, &error))
		code = verb_failed(arguments, &error);
	else
		code = say(arguments, "written", (int64_t)json_array_size(entries));
	json_decref(entries);
	return code;
}

static const struct part parts[] = {
	{"list", 0, 1, "", list, NULL},
	{"get", 2, 2, "which table, and which key?", get, NULL},
	{"put", 3, 3, "which table, which key, and what is its value?", put, NULL},
	{"remove", 2, 2, "which table, and which key?", remove_key, NULL},
	{"import", 2, 2, "which table, and which file (- for standard input)?", import, NULL},
	{"export", 1, 1, "which table?", export, NULL},
	{.name = NULL},
};

static int table_verb(const struct arguments *arguments)
{
	const struct part *part = part_find(arguments, parts);

	return part ? part_run(arguments, part) : EXIT_USAGE;
}

const struct verb verb_table = {
	.name = "table",
	.words = "list|get|put|remove|import|export [TABLE] [KEY] [VALUE|FILE]",
	.words_max = 4,
	.summary = "Tables of the store, which `enrich` looks up and `remember` writes",
	.text = "  ferrule table list\n"
		"  ferrule table put customer-ids C-1001 '{\"erp\": \"4711\"}'\n"
		"  ferrule table get customer-ids C-1001\n"
		"  ferrule table list customer-ids\n"
		"  ferrule table export customer-ids > customer-ids.jsonl\n"
		"  ferrule table import customer-ids customer-ids.jsonl\n"
		"  ferrule table remove customer-ids C-1001\n"
		"\nA value is JSON, or text where it is none; --text takes it as text. import takes the lines that "
		"export\n"
		"writes, or a .csv, .json or .yaml file: its first column is the key; with two columns the second is "
		"the\n"
		"value, else the value is a map of the others. What is there already is written over.\n",
	.json = "list: {tables: [{name, count, last_ms}]}\n"
		"  list TABLE: {entries: [{key, value, at_ms, message | by}], next?}\n"
		"  get: {table, key, value}\n"
		"  put, remove, import: {result: written | removed, table, entries}\n"
		"  export: lines of {key, value}",
	.options = options,
	.run = table_verb,
};
