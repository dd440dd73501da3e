/* Our own cases of JSON Schema 2020-12: tests/schema/AREA.json is a list of
 *
 *	{about, schema, fits: [value, …], fails: [[value, what is said], …]}, or {about, schema, invalid: what is said}
 *
 * with, where needed, `formats`, `name` (the contract's) and `documents` (others, by address). What is said is the text
 * of the error, word for word. With SCHEMA_SAYS in the environment it is printed instead, as AREA, group, value, text.
 * */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/support/support.h"
#include "transformers/schema/schema.h"

static const char *const areas[] = {"arrays",  "combining", "dialects",   "dynamic", "formats",     "mistakes",
				    "numbers", "objects",   "references", "texts",   "unevaluated", "values"};
#define AREAS (sizeof areas / sizeof *areas)

static size_t assertions;

static const json_t *document(void *arg, const char *address)
{
	return json_object_get(arg, address);
}

static bool said(const char *area, size_t group, size_t at, const json_t *want, const char *text)
{
	assertions++;
	if (getenv("SCHEMA_SAYS")) {
		printf("%s\t%zu\t%zu\t%s\n", area, group, at, text);
		return true;
	}
	if (want && !strcmp(json_string_value(want), text))
		return true;
	print_message("%s, group %zu, value %zu: says\n  %s\nand not\n  %s\n", area, group, at, text,
		      json_string_value(want));
	return false;
}

static bool run_values(const char *area, size_t n, const json_t *group, const struct schema *schema)
{
	json_t *value;
	struct error error;
	bool ok = true;
	size_t i;

	json_array_foreach(json_object_get(group, "fits"), i, value) {
		assertions++;
		if (!schema_check(schema, value, &error))
			continue;
		print_message("%s, group %zu: value %zu should fit: %s\n", area, n, i, error.text);
		ok = false;
	}
	json_array_foreach(json_object_get(group, "fails"), i, value) {
		if (!schema_check(schema, json_array_get(value, 0), &error)) {
			print_message("%s, group %zu: value %zu should not fit\n", area, n, i);
			ok = false;
		} else {
			ok = said(area, n, i, json_array_get(value, 1), error.text) && ok;
		}
	}
	return ok;
}

static bool run_group(const char *area, size_t n, const json_t *group)
{
	struct schema_options how = {.formats = json_is_true(json_object_get(group, "formats")),
				     .name = json_string_value(json_object_get(group, "name")),
				     .document = document,
				     .arg = json_object_get(group, "documents")};
	const json_t *invalid = json_object_get(group, "invalid");
	struct error error;
	struct schema *schema = schema_new(json_object_get(group, "schema"), &how, &error);
	bool ok;

	if (!schema)
		return said(area, n, 0, invalid, error.text);
	ok = !invalid && run_values(area, n, group, schema);
	if (!ok)
		print_message("in: %s\n", json_string_value(json_object_get(group, "about")));
	schema_free(schema);
	return ok;
}

static void run_area(void **state)
{
	const char *area = *state;
	char *path = mem_printf("%s/tests/schema/%s.json", SRCDIR, area);
	json_error_t why;
	json_t *groups = json_load_file(path, JSON_REJECT_DUPLICATES, &why), *group;
	bool ok = true;
	size_t i;

	if (!groups)
		fail_msg("%s:%d: %s", path, why.line, why.text);
	json_array_foreach(groups, i, group)
		ok = run_group(area, i, group) && ok;
	json_decref(groups);
	free(path);
	assert_true(ok);
}

static void there_are_at_least_300_assertions(void **state)
{
	assert_true(assertions >= 300);
}

int main(void)
{
	struct CMUnitTest tests[AREAS + 1];

	for (size_t i = 0; i < AREAS; i++)
		tests[i] = (struct CMUnitTest){
			.name = areas[i], .test_func = run_area, .initial_state = (void *)(uintptr_t)areas[i]};
	tests[AREAS] = (struct CMUnitTest)cmocka_unit_test(there_are_at_least_300_assertions);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
