/* JSON texts to trees and back: the same text comes out, and bad ones are refused with their place. */
#include "config.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tree.h"

static void assert_written(const char *text, unsigned flags, const char *expected)
{
	struct error error = {0};
	json_t *tree = tree_parse_new(span_of(text), &error);
	struct buf buf;

	if (!tree)
		fail_msg("%s: %s", text, error.text);
	buf_init(&buf, 100000);
	assert_int_equal(tree_write(&buf, tree, flags), 0);
	assert_string_equal(buf.data, expected);
	buf_free(&buf);
	json_decref(tree);
}

static void values_come_back_as_they_went_in(void **state)
{
	static const char *const texts[] = {
		"null", "true", "false", "0", "-1", "9223372036854775807", "1.5", "0.1", "1e+300", "-2.5e-08", "\"\"",
		"\"a\\\"b\\\\c\\n\\t\\r\\u0001\xc3\xa4\"", "[]", "{}", "[1,[2,[3]],{}]",
		"{\"b\":1,\"a\":{\"c\":[null]}}",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_written(texts[i], 0, texts[i]);
}

static void doubles_have_the_fewest_digits_that_read_back(void **state)
{
	assert_written("0.30000000000000004", 0, "0.30000000000000004");
	assert_written("9.50", 0, "9.5");
	assert_written("100.0", 0, "100.0");
	assert_written("1E2", 0, "100.0");
}

static void sorted_and_pretty_are_what_they_say(void **state)
{
	assert_written("{\"b\":1,\"a\":[1,{\"z\":2,\"y\":3}],\"aa\":2,\"B\":3}", TREE_SORTED,
		       "{\"B\":3,\"a\":[1,{\"y\":3,\"z\":2}],\"aa\":2,\"b\":1}");
	assert_written("{\"a\":[1,2],\"b\":{},\"c\":[]}", TREE_PRETTY,
		       "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

static void a_byte_order_mark_and_white_space_are_allowed(void **state)
{
	assert_written("\xef\xbb\xbf {\"a\": 1}\n", 0, "{\"a\":1}");
}

static void assert_refused(struct span text, const char *code, const char *part)
{
	struct error error = {0};
	json_t *tree = tree_parse_new(text, &error);

	assert_null(tree);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(error.code, code);
	if (!strstr(error.text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, error.text);
}

static void bad_texts_are_refused_with_their_place(void **state)
{
	assert_refused(SPAN_NONE, "json.empty", "the document is empty");
	assert_refused(SPAN_LITERAL(" \n"), "json.empty", "white space");
	assert_refused(SPAN_LITERAL("{\"a\":\n  x}"), "json.syntax", "line 2, column 3");
	assert_refused(SPAN_LITERAL("[1,2"), "json.syntax", "line 1");
	assert_refused(SPAN_LITERAL("[1] [2]"), "json.syntax", "line 1, column");
	assert_refused(SPAN_LITERAL("{\"a\":1,\"a\":2}"), "json.duplicate", "line 1");
	assert_refused(SPAN_LITERAL("[\"\xff\"]"), "json.encoding", "line 1");
	assert_refused(SPAN_LITERAL("\xff\xfe[\0]\0"), "json.encoding", "UTF-16");
	assert_refused(SPAN_LITERAL("[\0]\0"), "json.encoding", "UTF-16");
	assert_refused(SPAN_LITERAL("99999999999999999999"), "json.number", "line 1");
}

static void deep_nesting_is_refused_before_it_costs_anything(void **state)
{
	char *deep = malloc(1000000);

	memset(deep, '[', 1000000);
	assert_refused(span_make(deep, 1000000), "json.depth", "512");
	memset(deep, '[', 512);
	memset(deep + 512, ']', 512);
	json_decref(tree_parse_new(span_make(deep, 1024), NULL));
	snprintf(deep, 100, "[\"%s\"]", "[[[[\\\"[[[[");
	assert_written(deep, 0, deep);
	free(deep);
}

static void a_full_buffer_is_told(void **state)
{
	json_t *tree = tree_parse_new(SPAN_LITERAL("[\"0123456789\",\"0123456789\"]"), NULL);
	struct buf buf;

	buf_init(&buf, 20);
	assert_int_equal(tree_write(&buf, tree, 0), -1);
	buf_free(&buf);
	json_decref(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_back_as_they_went_in),
		cmocka_unit_test(doubles_have_the_fewest_digits_that_read_back),
		cmocka_unit_test(sorted_and_pretty_are_what_they_say),
		cmocka_unit_test(a_byte_order_mark_and_white_space_are_allowed),
		cmocka_unit_test(bad_texts_are_refused_with_their_place),
		cmocka_unit_test(deep_nesting_is_refused_before_it_costs_anything),
		cmocka_unit_test(a_full_buffer_is_told),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
