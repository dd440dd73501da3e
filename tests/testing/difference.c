/* Differences for people. */
#include "config.h"
#include "base/difference.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tests/support/support.h"

static char *difference(const char *a, const char *b)
{
	struct buf out;
	char *text;

	buf_init(&out, 1 << 24);
	difference_lines(&out, span_of(a), span_of(b));
	text = mem_span_dup(buf_view(&out));
	buf_free(&out);
	return text;
}

static void shows(const char *a, const char *b, const char *wanted)
{
	char *got = difference(a, b);

	assert_string_equal(got, wanted);
	free(got);
}

static void equal_texts_have_none(void **state)
{
	shows("", "", "");
	shows("a\nb\n", "a\nb\n", "");
}

static void a_change_stands_between_what_is_the_same(void **state)
{
	shows("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
	      "@@ line 2, line 2 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
}

static void changes_far_apart_are_told_apart(void **state)
{
	shows("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "1\n2\n3\n4\n5\n6\n7\nb\nc\n",
	      "@@ line 1, line 1 @@\n-a\n 1\n 2\n 3\n@@ line 7, line 6 @@\n 6\n 7\n b\n+c\n");
}

static void lines_that_moved_are_found(void **state)
{
	shows("a\nb\nc\n", "b\nc\na\n", "@@ line 1, line 1 @@\n-a\n b\n c\n+a\n");
}

static void texts_that_are_too_long_are_compared_coarsely(void **state)
{
	size_t lines = 3000;
	char *a = mem_alloc(lines * 4 + 1), *b = mem_alloc(lines * 4 + 1), *got;

	for (size_t i = 0; i < lines; i++) {
		memcpy(a + 4 * i, "aaa\n", 4);
		memcpy(b + 4 * i, "bbb\n", 4);
	}
	got = difference(a, b);
	assert_int_equal(got[0], '@');
	assert_int_equal(strlen(got), strlen("@@ line 1, line 1 @@\n") + 2 * lines * 5);
	free(got);
	free(a);
	free(b);
}

static void what_cannot_be_seen_can_be(void **state)
{
	struct buf out;

	buf_init(&out, 4096);
	difference_visible(&out, SPAN_LITERAL("a\tb \r\n\xc3\xa9 \xff\x7f\nend  "));
	assert_string_equal(out.data, "a␉b ␍\né «ff»␡\nend··\n(no newline at the end)\n");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_texts_have_none),
		cmocka_unit_test(a_change_stands_between_what_is_the_same),
		cmocka_unit_test(changes_far_apart_are_told_apart),
		cmocka_unit_test(lines_that_moved_are_found),
		cmocka_unit_test(texts_that_are_too_long_are_compared_coarsely),
		cmocka_unit_test(what_cannot_be_seen_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
