/* The schemas for editors: are they schemas, do they take every YAML that ships, and find what is wrong in others? The
 * documents are read as an editor reads them: plain scalars by their types (YAML 1.2's core schema). */
#include "config.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "config/editor_schema.h"
#include "config/site.h"
#include "config/yaml.h"
#include "services/registry.h"
#include "tests/support/support.h"
#include "transformers/schema/schema.h"

#define KINDS_MAX 16

static json_t *trees[KINDS_MAX];
static struct schema *compiled[KINDS_MAX];

static int compile_all(void **state)
{
	for (size_t i = 0; editor_schema_kinds[i].name; i++) {
		struct error error = {0};

		trees[i] = editor_schema_new(registry_get(), editor_schema_kinds[i].name);
		compiled[i] = schema_new(trees[i], NULL, &error);
		if (!compiled[i])
			fail_msg("%s: %s", editor_schema_kinds[i].name, error.text);
	}
	return 0;
}

static int free_all(void **state)
{
	for (size_t i = 0; editor_schema_kinds[i].name; i++) {
		schema_free(compiled[i]);
		json_decref(trees[i]);
	}
	return 0;
}

static json_t *scalar_new(const struct node *node)
{
	char *text = mem_span_dup(node->text), *end;
	json_t *value = NULL;
	double number;

	if (!node->quoted && (!*text || !strcmp(text, "~") || !strcmp(text, "null")))
		value = json_null();
	else if (!node->quoted && (!strcmp(text, "true") || !strcmp(text, "false")))
		value = json_boolean(*text == 't');
	else if (!node->quoted && strspn(text + (*text == '-'), "0123456789") == strlen(text + (*text == '-')))
		value = json_integer(strtoll(text, NULL, 10));
	else if (!node->quoted && strspn(text, "0123456789.eE+-") == strlen(text)) {
		number = strtod(text, &end);
		value = *end ? NULL : json_real(number);
	}
	if (!value)
		value = json_string(text);
	free(text);
	return value;
}

static json_t *value_new(const struct node *node)
{
	json_t *value;
	char *key;

	if (node->type == NODE_SCALAR)
		return scalar_new(node);
	value = node->type == NODE_MAP ? json_object() : json_array();
	for (size_t i = 0; i < node->count; i++) {
		if (node->type == NODE_LIST) {
			json_array_append_new(value, value_new(node->items[i]));
			continue;
		}
		key = mem_span_dup(node->pairs[i].key.text);
		json_object_set_new(value, key, value_new(node->pairs[i].value));
		free(key);
	}
	return value;
}

/* What the schema has against the documents of a text; "" when nothing. How many there were. */
static size_t faults(const char *kind, const char *name, struct span text, struct buf *out)
{
	struct arena *arena = arena_new();
	struct yaml_documents documents;
	struct findings findings;
	size_t k = 0;

	findings_init(&findings);
	while (strcmp(editor_schema_kinds[k].name, kind) != 0)
		k++;
	if (yaml_read(arena, &findings, name, text, NULL, &documents))
		documents.count = 0; /* no matter of schemas */
	for (size_t d = 0; d < documents.count; d++) {
		json_t *document = value_new(documents.items[d]);
		struct error error = {0};

		if (!(documents.items[d]->type == NODE_SCALAR && !documents.items[d]->text.len) &&
		    schema_check(compiled[k], document, &error))
			buf_printf(out, "%s: %s\n", name, error.text);
		json_decref(document);
	}
	findings_free(&findings);
	arena_free(arena);
	return documents.count;
}

static const char *kind_of(const char *path)
{
	static const char *const folders[][2] = {
		{"transfers/", "transfer"}, {"calendars/", "calendar"},
		{"flows/", "flow"}, {"systems/", "system"},           {"snippets/", "snippet"},
		{"tests/", "test"}, {"environments/", "environment"}, {"site.yaml", "site"}};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && strcmp(dot, ".yaml") == 0 && i < sizeof folders / sizeof *folders; i++) {
		if (strncmp(path, folders[i][0], strlen(folders[i][0])) == 0)
			return folders[i][1];
	}
	return NULL;
}

static struct span read_text(const char *path, struct buf *text)
{
	char chunk[4096];
	FILE *file = fopen(path, "re");
	size_t n;

	assert_non_null(file);
	while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
		buf_append(text, chunk, n);
	fclose(file);
	return buf_view(text);
}

static unsigned check_file(const char *site, const char *path, struct buf *out)
{
	struct buf text;
	char *full;

	if (!kind_of(path))
		return 0;
	full = mem_printf("%s/%s", site, path);
	buf_init(&text, 1 << 20);
	faults(kind_of(path), full, read_text(full, &text), out);
	buf_free(&text);
	free(full);
	return 1;
}

static unsigned check_folder(const char *site, const char *folder, struct buf *out)
{
	char *path = mem_printf("%s/%s", site, folder);
	DIR *directory = opendir(path);
	struct dirent *entry;
	unsigned count = 0;

	free(path);
	while (directory && (entry = readdir(directory))) {
		path = mem_printf("%s%s%s", folder, *folder ? "/" : "", entry->d_name);
		count += entry->d_name[0] != '.' ? check_file(site, path, out) : 0;
		free(path);
	}
	if (directory)
		closedir(directory);
	return count;
}

static unsigned check_site(const char *site, struct buf *out)
{
	static const char *const folders[] = {"", "flows", "systems", "snippets", "tests", "environments"};
	unsigned count = 0;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		count += check_folder(site, folders[i], out);
	return count;
}

/* ---- tests ----------------------------------------------------------------------------------------------- */
static void every_schema_is_one(void **state)
{
	for (size_t i = 0; editor_schema_kinds[i].name; i++) {
		struct schema_faults found = {0};

		if (schema_inspect(trees[i], NULL, &found, NULL))
			fail_msg("%s: %s %s", editor_schema_kinds[i].name, found.list[0].instance,
				 found.list[0].message);
		schema_faults_free(&found);
	}
	assert_null(editor_schema_new(registry_get(), "nonsense"));
}

static void every_file_of_the_templates_is_taken(void **state)
{
	char samples[4096], site[4400];
	struct dirent *entry;
	unsigned count = 0;
	DIR *directory;
	struct buf out;

	config_shipped(samples, sizeof samples, "sample");
	directory = opendir(samples);
	assert_non_null(directory);
	buf_init(&out, 1 << 20);
	while ((entry = readdir(directory))) {
		snprintf(site, sizeof site, "%s/%s", samples, entry->d_name);
		if (entry->d_name[0] != '.')
			count += check_site(site, &out);
	}
	closedir(directory);
	if (out.len)
		fail_msg("%.*s", (int)out.len, out.data);
	assert_true(count >= 20);
	buf_free(&out);
}

/* One file of a case of tests/broken: what a schema has against it, check has as well. */
static void compare_file(const char *name, const char *path, struct span text, const char *expected)
{
	char *start = mem_printf("\n%s:", path);
	const char *line = strstr(expected, start), *error = line ? strstr(line, ": error: ") : NULL;
	struct buf out;

	buf_init(&out, 1 << 20);
	if (kind_of(path))
		faults(kind_of(path), path, text, &out);
	if (out.len && !error)
		fail_msg("%s: check takes what the schema does not: %.*s", name, (int)out.len, out.data);
	buf_free(&out);
	free(start);
}

static unsigned compare_case(const char *path)
{
	struct buf all;
	const char *expected, *at;
	unsigned count = 0;

	buf_init(&all, 1 << 20);
	read_text(path, &all);
	buf_char(&all, 0);
	expected = strstr(all.data, "=== expect");
	for (at = all.data; expected && (at = strstr(at, "=== file ")) && at < expected; count++) {
		char file[512] = "";
		const char *text = strchr(at, '\n') + 1, *end = strstr(text - 1, "\n===");

		sscanf(at, "=== file %500s", file);
		compare_file(path, file, span_make(text, end > text ? (size_t)(end + 1 - text) : 0), expected);
		at = text;
	}
	buf_free(&all);
	return count;
}

static void what_the_schemas_refuse_check_refuses(void **state)
{
	const char *source = getenv("FERRULE_SRCDIR");
	char *base = mem_printf("%s/tests/broken", source ? source : SRCDIR), *path;
	DIR *directory = opendir(base);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		const char *dot = strrchr(entry->d_name, '.');

		path = mem_printf("%s/%s", base, entry->d_name);
		count += dot && !strcmp(dot, ".case") ? compare_case(path) : 0;
		free(path);
	}
	closedir(directory);
	free(base);
	assert_true(count > 150);
}

static const struct {
	const char *kind, *text;
} good[] = {
	{"site", "name: a\nqueue: {amqp: {host: h, password: {secret: s}, tls: on}}\nstore: {postgresql: h}\n"},
	{"site", "name: a\nlisten: {http: 8080}\nlimits: {document: 10 MB}\nretention: {queue: 1d12h}\n"},
	{"flow", "flow: a\nowner: b\nfrom: [{file: x}, {webhook: /y, max: 1MiB, name: z}]\npublish: c.v1\n"},
	{"flow", "flow: a\nowner: b\nfrom: {file: x}\nduplicates: none\nto: {file: y, mode: 0640}\neffect: rename\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: [c.v1]\norder: .k\nto: {operation: s.o}\nretry: 3d\nexpect: {file: x, "
		 "by: 7:30}\n"},
	{"flow",
	 "flow: a\nowner: b\nsubscribe: c.v1\nsteps:\n  - decode: {format: x12}\n  - {encode: csv, header: "
	 "'${H:yes}'}\n"
	 "  - {map: a.jq, on-reject: {publish: r.v1}}\n  - route: [{when: .a, publish: p.v1}]\npublish: d.v1\n"},
	{"system",
	 "system: a\nowner: b\nurl: http://x\nheaders: {a: 1}\noperations: {o: {method: PUT, path: /x}, p: }\n"},
	{"snippet", "snippet: a\nparameters: {x: 1, y: }\nsteps:\n  - filter: .a == ${x}\n"},
	{"transfer", "transfer: a\nowner: b\nfrom: {file: x}\nschedule: 0 7 * * *\ncalendar: target2\n"},
	{"transfer", "transfer: a\nowner: b\nfrom: {file: x}\nto: {file: y}\neffect: rename\nzone: Europe/Berlin\n"
		     "schedule: {every: 15m, missed: all}\ncalendar: {use: c, cut-off: '16:00'}\n"
		     "window: {from: '06:00', to: '20:00'}\n"},
	{"flow", "flow: a\nowner: b\nfrom: {transfer: t}\npublish: d.v1\n"},
	{"calendar", "calendar: a\ndays: [mon, tue]\nholidays: [12-24, easter-2]\n"},
	{"calendar", "calendar: a\nholidays: [01-mon#3, 05-monL]\nobserved: next\n"},
	{"environment", "A: 1\nB: x\n"},
	{"test", "test: a\nflow: b\ninput: {json: {a: 1}}\npublished: none\n"},
};

static const struct {
	const char *kind, *text;
} bad[] = {
	{"site", "nam: a\n"},
	{"site", "summary: no name\n"},
	{"site", "name: a\nqueue: rabbit\n"},
	{"site", "name: a\nqueue: {amqp: {hots: h}}\n"},
	{"site", "name: a\nqueue: {amqp: {port: 70000}}\n"},
	{"site", "name: a\nqueue: {amqp: {password: geheim}}\n"},
	{"site", "name: a\nretention: {queue: a week}\n"},
	{"site", "name: a\nlimits: {document: 10 apples}\n"},
	{"site", "name: a\nprocesses: {transform: many}\n"},
	{"site", "- name: a\n"},
	{"flow", "flow: a\nsubscribe: c.v1\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nfrom: {file: x}\nsubscribe: c.v1\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nfrom: {fiel: x}\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nfrom: {file: x, aftre: move}\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nfrom: {file: x, after: burn}\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nfrom: {operation: a.b}\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nduplicates: none\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nto: {file: x}\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nto: {file: x}\neffect: renamed\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nto: {file: x}\neffect: rename\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\npublish: d.v1\nretry: {for: 3d}\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nto: {file: x}\neffect: rename\nretry: {form: 3d}\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nto: {operation: nodot}\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nsteps: {map: a.jq}\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nsteps:\n  - decode: x13\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nsteps:\n  - mapp: a.jq\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nsteps:\n  - {encode: xml, rot: a}\npublish: d.v1\n"},
	{"flow", "flow: a\nowner: b\nsubscribe: c.v1\nsteps:\n  - route: [{publsh: a.v1}]\n"},
	{"system", "system: a\nurl: http://x\n"},
	{"system", "system: a\nowner: b\noperations: {o: {methd: PUT}}\n"},
	{"system", "system: a\nowner: b\noperations: {o: {method: FETCH}}\n"},
	{"system", "system: a\nowner: b\nauth: {bearer: token}\n"},
	{"snippet", "snippet: a\n"},
	{"transfer", "transfer: a\nowner: b\nfrom: {file: x}\nschedule: {corn: 0 7 * * *}\n"},
	{"transfer", "transfer: a\nowner: b\nfrom: {file: x}\nwindow: {from: '06:00'}\n"},
	{"transfer", "owner: b\nfrom: {file: x}\n"},
	{"calendar", "calendar: a\nholiday: [12-24]\n"},
	{"calendar", "calendar: a\nobserved: monday\n"},
	{"environment", "A: {b: c}\n"},
	{"test", "test: a\nflow: b\n"},
	{"test", "test: a\nflow: b\ninput: x\nexpected: y\n"},
};

static void what_is_right_is_taken(void **state)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(faults(good[i].kind, good[i].text, span_of(good[i].text), &out) > 0);
	if (out.len)
		fail_msg("%.*s", (int)out.len, out.data);
	buf_free(&out);
}

static void what_is_wrong_is_found(void **state)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		faults(bad[i].kind, "wrong", span_of(bad[i].text), &out);
		if (!out.len)
			fail_msg("nothing is found in the %s\n%s", bad[i].kind, bad[i].text);
		buf_reset(&out);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_schema_is_one),
		cmocka_unit_test(every_file_of_the_templates_is_taken),
		cmocka_unit_test(what_the_schemas_refuse_check_refuses),
		cmocka_unit_test(what_is_right_is_taken),
		cmocka_unit_test(what_is_wrong_is_found),
	};

	return cmocka_run_group_tests(tests, compile_all, free_all);
}
