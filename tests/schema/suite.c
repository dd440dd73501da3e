/* Runs the public JSON-Schema-Test-Suite's draft 2020-12, which lies outside of this project: FERRULE_JSON_SCHEMA_SUITE
 * names its directory (with tests/draft2020-12 and remotes). Without it Debian's package json-schema-test-suite is
 * looked for; that ends with draft 7, of which the files serve whose keywords are the same today.
 *
 * A required test that fails is a failure; an optional one, too, unless it is named below. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/support/support.h"
#include "transformers/schema/schema.h"

#define DEBIAN "/usr/share/json-schema-test-suite"
#define REMOTE "http://localhost:1234/"
#define FILES_MAX 300

struct suite {
	char *root;
	json_t *remotes;            /* those that were read, by address */
	size_t passed[2], count[2]; /* required, optional */
};

struct file {
	struct suite *suite;
	char *path;
	bool optional, formats;
};

/* Optional tests that do not pass, and why. */
static const char *const excepted[][2] = {
	{"", ""},
};

/* Halves of surrogate pairs, which no JSON in UTF-8 can hold, become U+FFFD. */
static void mend_surrogates(char *text)
{
	for (char *p = text; *p; p++) {
		unsigned code, next;

		if (*p == '\\' && p[1] != 'u') {
			p += p[1] != '\0';
			continue;
		}
		if (sscanf(p, "\\u%4x", &code) != 1 || code < 0xd800 || code > 0xdfff)
			continue;
		if (code < 0xdc00 && sscanf(p + 6, "\\u%4x", &next) == 1 && next >= 0xdc00 && next <= 0xdfff)
			p += 11;
		else
			memcpy(p, "\\ufffd", 6);
	}
}

/* Integers beyond 64 bits become doubles here; the program's own reader refuses them. */
static json_t *load(const char *path)
{
	const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t why;
	size_t len = 0;
	char *text = support_read(path, &len);
	json_t *tree;

	if (!text)
		return NULL;
	mend_surrogates(text);
	tree = json_loadb(text, len, flags, &why);
	if (!tree && json_error_code(&why) == json_error_numeric_overflow)
		tree = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, &why);
	free(text);
	return tree;
}

static const json_t *remote(void *arg, const char *address)
{
	struct suite *suite = arg;
	json_t *known = json_object_get(suite->remotes, address);
	char *path;

	if (known || strncmp(address, REMOTE, strlen(REMOTE)))
		return known;
	path = mem_printf("%s/remotes/%s", suite->root, address + strlen(REMOTE));
	known = load(path);
	free(path);
	if (known)
		json_object_set_new(suite->remotes, address, known);
	return known;
}

static bool is_excepted(const char *group, const char *test)
{
	for (size_t i = 0; excepted[i][0][0]; i++)
		if (!strcmp(excepted[i][0], group) && !strcmp(excepted[i][1], test))
			return true;
	return false;
}

static bool run_group(struct file *file, const json_t *group)
{
	const char *name = json_string_value(json_object_get(group, "description")), *what;
	struct schema_options how = {.formats = file->formats, .document = remote, .arg = file->suite};
	json_t *tests = json_object_get(group, "tests"), *test;
	struct error error;
	struct schema *schema = schema_new(json_object_get(group, "schema"), &how, &error);
	bool ok = true;
	size_t i;

	if (!schema)
		print_message("%s: %s: %s\n", file->path, name, error.text);
	json_array_foreach(tests, i, test) {
		bool fits = schema && !schema_check(schema, json_object_get(test, "data"), &error), passed;

		what = json_string_value(json_object_get(test, "description"));
		passed = schema && fits == json_is_true(json_object_get(test, "valid"));
		file->suite->count[file->optional]++;
		file->suite->passed[file->optional] += passed;
		if (passed || (file->optional && is_excepted(name, what)))
			continue;
		print_message("%s: %s: %s: %s\n", file->path, name, what, fits ? "fits" : error.text);
		ok = false;
	}
	schema_free(schema);
	return ok;
}

static void run_file(void **state)
{
	struct file *file = *state;
	json_t *groups = load(file->path), *group;
	bool ok = json_is_array(groups);
	size_t i;

	json_array_foreach(groups, i, group)
		ok = run_group(file, group) && ok;
	json_decref(groups);
	assert_true(ok);
}

static bool changed_since_7(const char *name)
{
	static const char *const changed[] = {"additionalItems.json", "definitions.json", "dependencies.json",
					      "items.json",           "ref.json",         "refRemote.json"};

	for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
		if (!strcmp(name, changed[i]))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

static size_t collect(struct suite *suite, const char *draft, const char *folder, struct CMUnitTest *tests, size_t n)
{
	char *path = mem_printf("%s/tests/%s%s", suite->root, draft, folder);
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)) && n < FILES_MAX) {
		size_t len = strlen(entry->d_name);
		struct file *file;

		if (len < 6 || strcmp(entry->d_name + len - 5, ".json") ||
		    (!strcmp(draft, "draft7") && changed_since_7(entry->d_name)))
			continue;
		file = mem_alloc(sizeof *file);
		*file = (struct file){suite, support_path(path, entry->d_name), *folder, strstr(folder, "format")};
		tests[n++] = (struct CMUnitTest){.name = file->path + strlen(suite->root) + strlen("/tests/"),
						 .test_func = run_file,
						 .initial_state = file};
	}
	if (directory)
		closedir(directory);
	free(path);
	return n;
}

int main(void)
{
	const char *given = getenv("FERRULE_JSON_SCHEMA_SUITE");
	struct suite suite = {.root = mem_strdup(given ? given : DEBIAN), .remotes = json_object()};
	static struct CMUnitTest tests[FILES_MAX];
	const char *draft = "draft2020-12";
	size_t n = collect(&suite, draft, "", tests, 0);
	int failed;

	if (!n)
		n = collect(&suite, draft = "draft7", "", tests, 0);
	else
		n = collect(&suite, draft, "/optional/format", tests, collect(&suite, draft, "/optional", tests, n));
	if (!n) {
		printf("1..0 # SKIP there is no JSON-Schema-Test-Suite in %s; FERRULE_JSON_SCHEMA_SUITE names another "
		       "directory\n",
		       suite.root);
		return 0;
	}
	qsort(tests, n, sizeof *tests, by_name);
	failed = _cmocka_run_group_tests("JSON-Schema-Test-Suite", tests, n, NULL, NULL);
	printf("# %s: %zu of %zu required tests pass, %zu of %zu optional\n", draft, suite.passed[0], suite.count[0],
	       suite.passed[1], suite.count[1]);
	for (size_t i = 0; i < n; i++) {
		struct file *file = tests[i].initial_state;

		free(file->path);
		free(file);
	}
	json_decref(suite.remotes);
	free(suite.root);
	return failed;
}
