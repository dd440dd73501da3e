/* The validator beside its cases (tests/schema): faults as data, limits, what is not shown, schemas that are inspected.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/tree.h"
#include "tests/support/support.h"
#include "transformers/schema/schema.h"
#include "transformers/schema/schema_pattern.h"

static json_t *parse(const char *text)
{
	struct error error;
	json_t *tree = tree_parse_new(span_of(text), &error);

	if (!tree)
		fail_msg("%s: %s", text, error.text);
	return tree;
}

/* The faults of a document, as JSON. */
static char *faults_of(const char *schema_text, const char *document_text, const struct schema_options *how)
{
	json_t *root = parse(schema_text), *document = parse(document_text), *list;
	struct schema_faults faults;
	struct error error;
	struct schema *schema = schema_new(root, how, &error);
	char *text = NULL;

	if (!schema)
		fail_msg("%s", error.text);
	if (schema_check_all(schema, document, &faults)) {
		list = schema_faults_json_new(&faults);
		text = json_dumps(list, JSON_COMPACT);
		json_decref(list);
		schema_faults_free(&faults);
	}
	schema_free(schema);
	json_decref(root);
	json_decref(document);
	return text;
}

static void a_fault_names_instance_schema_keyword_and_what_is_wrong(void **state)
{
	char *text = faults_of("{\"properties\": {\"lines\": {\"items\": {\"$ref\": \"#/$defs/line\"}}}, \"$defs\": "
			       "{\"line\": {\"properties\": {\"quantity\": {\"type\": \"number\"}}}}}",
			       "{\"lines\": [{}, {\"quantity\": \"five\"}]}", NULL);

	assert_string_equal(text,
			    "[{\"instance\":\"/lines/1/quantity\",\"schema\":\"#/$defs/line/properties/quantity/type\","
			    "\"keyword\":\"type\",\"message\":\"must be a number, is the text \\\"five\\\"\"}]");
	free(text);
}

static const json_t *others(void *arg, const char *address)
{
	return json_object_get(arg, address);
}

static void the_place_in_another_contract_has_its_name(void **state)
{
	json_t *documents = parse("{\"address/v1\": {\"required\": [\"city\"]}}");
	struct schema_options how = {.name = "order/v1", .document = others, .arg = documents};
	char *text = faults_of("{\"properties\": {\"a\": {\"$ref\": \"address/v1\"}}}", "{\"a\": {}}", &how);

	assert_non_null(strstr(text, "\"schema\":\"address/v1#/required\""));
	free(text);
	json_decref(documents);
}

static void personal_and_secret_values_are_not_shown(void **state)
{
	static const char *const marks[] = {"\"x-ferrule-personal\": true", "\"writeOnly\": true"},
				 *const rules[] = {"\"pattern\": \"^[0-9]+$\"", "\"enum\": [\"a\"]", "\"const\": \"b\"",
						   "\"type\": \"null\"", "\"format\": \"email\""};
	struct schema_options how = {.formats = true};

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 5; j++) {
			char *schema = mem_printf("{%s, %s}", marks[i], rules[j]);
			char *text = faults_of(schema, "\"Jane Roe\"", &how);

			assert_non_null(text);
			assert_null(strstr(text, "Jane"));
			free(schema);
			free(text);
		}
}

static void what_lies_within_or_behind_a_mark_is_not_shown_either(void **state)
{
	static const char *const schemas[] = {
		"{\"x-ferrule-personal\": true, \"properties\": {\"name\": {\"type\": \"integer\"}}}",
		"{\"properties\": {\"name\": {\"$ref\": \"#/$defs/n\"}}, \"x-ferrule-personal\": true, \"$defs\": "
		"{\"n\": "
		"{\"maxLength\": 2, \"pattern\": \"^x\"}}}",
		"{\"properties\": {\"name\": {\"$ref\": \"#/$defs/n\", \"pattern\": \"^x\"}}, \"$defs\": {\"n\": "
		"{\"x-ferrule-personal\": true}}}"};

	for (size_t i = 0; i < 3; i++) {
		char *text = faults_of(schemas[i], "{\"name\": \"Jane Roe\"}", NULL);

		assert_non_null(text);
		assert_null(strstr(text, "Jane"));
		free(text);
	}
}

static void at_most_ten_faults_are_told_and_that_there_are_more(void **state)
{
	json_t *root = parse("{\"items\": {\"type\": \"null\"}}"), *document = parse("[1,1,1,1,1,1,1,1,1,1,1,1]");
	struct schema_faults faults;
	struct error error;
	struct schema *schema = schema_new(root, NULL, &error);

	assert_int_equal(schema_check_all(schema, document, &faults), -1);
	assert_int_equal(faults.count, SCHEMA_FAULTS_MAX);
	assert_true(faults.more);
	schema_faults_free(&faults);
	schema_free(schema);
	json_decref(root);
	json_decref(document);
}

static void work_has_a_limit(void **state)
{
	/* Each level doubles the work: 2^40 without a limit. */
	struct schema_options how = {.work_max = 100000};
	struct buf document;
	char *text;

	buf_init(&document, 1000);
	for (int i = 0; i < 40; i++)
		buf_text(&document, "{\"a\":");
	buf_text(&document, "1");
	for (int i = 0; i < 40; i++)
		buf_char(&document, '}');
	text = faults_of("{\"anyOf\": [{\"properties\": {\"a\": {\"$ref\": \"#\"}}, \"required\": [\"b\"]}, "
			 "{\"properties\": {\"a\": {\"$ref\": \"#\"}}, \"required\": [\"c\"]}]}",
			 document.data, &how);
	assert_non_null(strstr(text, "too much work"));
	free(text);
	buf_free(&document);
}

static void a_deep_document_fits_a_recursive_schema_to_the_depth_that_the_reader_allows(void **state)
{
	struct buf document;
	char *text;

	buf_init(&document, 10000);
	for (int i = 0; i < TREE_DEPTH_MAX; i++)
		buf_char(&document, '[');
	for (int i = 0; i < TREE_DEPTH_MAX; i++)
		buf_char(&document, ']');
	text = faults_of("{\"$ref\": \"#/$defs/list\", \"$defs\": {\"list\": {\"items\": {\"$ref\": \"#\"}}}}",
			 document.data, NULL);
	assert_null(text);
	buf_free(&document);
}

static void a_pattern_that_backtracks_for_ever_is_given_up(void **state)
{
	char *text =
		faults_of("{\"pattern\": \"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", NULL);

	assert_non_null(strstr(text, "too much work"));
	free(text);
}

static void many_patterns_that_backtrack_are_given_up_together(void **state)
{
	struct pattern *pattern = pattern_new(span_of("^(a+)+$"), NULL);
	size_t cheap = 0, dear = 0;

	assert_int_equal(pattern_match(pattern, span_of("aaaa"), &cheap), 1);
	assert_int_equal(pattern_match(pattern, span_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), &dear), -1);
	assert_true(cheap < 10);
	assert_true(dear > 100000);
	pattern_free(pattern);
}

static void a_text_longer_than_patterns_look_at_does_not_fit(void **state)
{
	char *long_text = mem_alloc(PATTERN_TEXT_MAX + 10), *text;

	memset(long_text, 'a', PATTERN_TEXT_MAX + 9);
	long_text[0] = long_text[PATTERN_TEXT_MAX + 8] = '"';
	text = faults_of("{\"pattern\": \"^a+$\"}", long_text, NULL);
	assert_non_null(strstr(text, "too long"));
	free(text);
	free(long_text);
}

static void the_error_of_a_check_carries_code_text_and_place(void **state)
{
	json_t *root = parse("{\"properties\": {\"a\": {\"type\": \"integer\"}}}"), *document = parse("{\"a\": null}");
	struct error error;
	struct schema *schema = schema_new(root, NULL, &error);

	assert_int_equal(schema_check(schema, document, &error), -1);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(error.code, "schema.fault");
	assert_string_equal(error.text, "/a: must be a whole number, is null");
	assert_string_equal(error.position, "/a");
	schema_free(schema);
	json_decref(root);
	json_decref(document);
}

/* ---- inspecting */
static void put(void *arg, bool mistake, const char *pointer, const char *message)
{
	buf_printf(arg, "%s: %s%s\n", pointer, mistake ? "" : "perhaps ", message);
}

static void inspect(const char *schema, const char *want)
{
	json_t *root = parse(schema);
	struct buf said;

	buf_init(&said, 10000);
	schema_each_fault(root, "thing/v1", NULL, NULL, put, &said);
	assert_string_equal(said.data ? said.data : "", want);
	buf_free(&said);
	json_decref(root);
}

static void a_schema_is_inspected_with_every_mistake_at_its_place(void **state)
{
	inspect("{\"type\": \"object\", \"properties\": {\"a\": {\"enum\": [1]}}}", "");
	inspect("{\"properties\": {\"a\": {\"type\": \"text\", \"minLength\": -1}, \"b\": {\"$ref\": "
		"\"#/$defs/none\"}, "
		"\"c\": {\"pattern\": \"(\"}}, \"required\": [\"a\", \"a\"]}",
		"/properties/a/type: `type` must name a type: string, object, array, number, integer, boolean or null\n"
		"/properties/a/minLength: `minLength` must be a whole number, 0 or more\n"
		"/properties/c/pattern: `pattern` \"(\" does not compile: missing closing parenthesis\n"
		"/properties/b/$ref: `$ref` \"#/$defs/none\" leads nowhere in its document\n"
		"/required: `required` has the same item twice, at 0 and 1 (counting from 0)\n");
	inspect("{\"format\": \"datetime\", \"items\": {\"format\": \"colour\"}}",
		"/format: perhaps `format` datetime asserts nothing; did you mean `date-time`?\n");
	inspect("[]", ": a schema is an object, true or false\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_names_instance_schema_keyword_and_what_is_wrong),
		cmocka_unit_test(the_place_in_another_contract_has_its_name),
		cmocka_unit_test(personal_and_secret_values_are_not_shown),
		cmocka_unit_test(what_lies_within_or_behind_a_mark_is_not_shown_either),
		cmocka_unit_test(at_most_ten_faults_are_told_and_that_there_are_more),
		cmocka_unit_test(work_has_a_limit),
		cmocka_unit_test(a_deep_document_fits_a_recursive_schema_to_the_depth_that_the_reader_allows),
		cmocka_unit_test(a_pattern_that_backtracks_for_ever_is_given_up),
		cmocka_unit_test(many_patterns_that_backtrack_are_given_up_together),
		cmocka_unit_test(a_text_longer_than_patterns_look_at_does_not_fit),
		cmocka_unit_test(the_error_of_a_check_carries_code_text_and_place),
		cmocka_unit_test(a_schema_is_inspected_with_every_mistake_at_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
