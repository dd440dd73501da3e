/* Errors: class, code and a text that is fit for logs, terminals and JSON. */
#include "config.h"
#include "tests/support/support.h"

#include <errno.h>

#include "base/error.h"

static void an_error_has_class_code_and_text(void **state)
{
	struct error error = {.class = ERROR_FATAL, .scope = SCOPE_SITE, .retry_after_ms = 5};

	assert_int_equal(error_set(&error, ERROR_REJECT, "file.exists", "%s is there: take it away", "a.xml"), -1);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_int_equal(error.scope, SCOPE_MESSAGE);
	assert_int_equal(error.retry_after_ms, 0);
	assert_string_equal(error.code, "file.exists");
	assert_string_equal(error.text, "a.xml is there: take it away");
	error_clear(&error);
	assert_int_equal(error.class, ERROR_NONE);
	assert_string_equal(error.text, "");
}

static void errno_is_told_and_kept(void **state)
{
	struct error error;

	errno = ENOSPC;
	assert_int_equal(error_errno(&error, ERROR_RETRY, "disk.full", "writing %s", "x"), -1);
	assert_string_equal(error.text, "writing x: No space left on device");
	assert_int_equal(errno, ENOSPC);
}

static void each_layer_puts_one_phrase_in_front(void **state)
{
	struct error error;

	error_set(&error, ERROR_DOUBT, "http.timeout", "no answer within 30s");
	error.scope = SCOPE_ENDPOINT;
	error.retry_after_ms = 1000;
	assert_int_equal(error_wrap(&error, "endpoint %s", "erp"), -1);
	assert_string_equal(error.text, "endpoint erp: no answer within 30s");
	assert_string_equal(error.code, "http.timeout");
	assert_int_equal(error.class, ERROR_DOUBT);
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	assert_int_equal(error.retry_after_ms, 1000);
}

static void nobody_needs_to_want_the_error(void **state)
{
	assert_int_equal(error_set(NULL, ERROR_RETRY, "x", "y"), -1);
	assert_int_equal(error_errno(NULL, ERROR_RETRY, "x", "y"), -1);
	assert_int_equal(error_wrap(NULL, "z"), -1);
	error_clear(NULL);
}

static void an_error_may_be_made_from_its_own_text(void **state)
{
	struct error error;

	error_set(&error, ERROR_RETRY, "a.b", "inner");
	error_set(&error, ERROR_REJECT, error.code, "outer (%s)", error.text);
	assert_string_equal(error.text, "outer (inner)");
	assert_string_equal(error.code, "a.b");
}

static void long_texts_are_cut_and_never_inside_a_character(void **state)
{
	char text[2001] = "";
	struct error error;

	for (size_t i = 0; i < 1000; i++)
		strcat(text, "ä");
	error_set(&error, ERROR_REJECT, "a-code-that-is-much-longer-than-any-code-should-ever-be", "%s", text);
	assert_int_equal(strlen(error.text), 598);
	assert_int_equal(strlen(error.code), sizeof error.code - 1);
	error_wrap(&error, "a");
	assert_int_equal((unsigned char)error.text[strlen(error.text) - 1], 0xa4);
}

static void what_peers_wrote_becomes_one_line_of_valid_text(void **state)
{
	struct error error;

	error_set(&error, ERROR_REJECT, "x", "%s", "one\r\ntwo\033[31m\x7f\n");
	assert_string_equal(error.text, "one  two [31m");
	error_set(&error, ERROR_REJECT, "x", "%s", "bad \xff\xc0\xaf \xed\xa0\x80 good \xe2\x82\xac \xf0\x9f\x98\x80");
	assert_string_equal(error.text, "bad ??? ??? good \xe2\x82\xac \xf0\x9f\x98\x80");
	error_set(&error, ERROR_REJECT, "x", "%s", "cut \xe2\x82");
	assert_string_equal(error.text, "cut");
}

static void classes_have_names(void **state)
{
	enum error_class class;

	for (int i = ERROR_NONE; i <= ERROR_FATAL; i++) {
		assert_int_equal(error_class_parse(error_class_name((enum error_class)i), &class), 0);
		assert_int_equal(class, i);
	}
	assert_int_equal(error_class_parse("maybe", &class), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_has_class_code_and_text),
		cmocka_unit_test(errno_is_told_and_kept),
		cmocka_unit_test(each_layer_puts_one_phrase_in_front),
		cmocka_unit_test(nobody_needs_to_want_the_error),
		cmocka_unit_test(an_error_may_be_made_from_its_own_text),
		cmocka_unit_test(long_texts_are_cut_and_never_inside_a_character),
		cmocka_unit_test(what_peers_wrote_becomes_one_line_of_valid_text),
		cmocka_unit_test(classes_have_names),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
