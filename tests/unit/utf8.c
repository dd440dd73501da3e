/* UTF-8: what is valid, and what becomes of the rest. */
#include "config.h"
#include "tests/support/support.h"

#include "base/utf8.h"

static void every_character_of_unicode_is_known_and_nothing_else(void **state)
{
	for (unsigned c = 1; c < 0x120000; c++) {
		char s[4];
		size_t n;

		if (c < 0x80)
			n = 1, s[0] = (char)c;
		else if (c < 0x800)
			n = 2, s[0] = (char)(0xc0 | c >> 6), s[1] = (char)(0x80 | (c & 63));
		else if (c < 0x10000)
			n = 3, s[0] = (char)(0xe0 | c >> 12), s[1] = (char)(0x80 | (c >> 6 & 63)),
				s[2] = (char)(0x80 | (c & 63));
		else
			n = 4, s[0] = (char)(0xf0 | c >> 18), s[1] = (char)(0x80 | (c >> 12 & 63)),
			s[2] = (char)(0x80 | (c >> 6 & 63)), s[3] = (char)(0x80 | (c & 63));
		if (utf8_character(span_make(s, n)) != ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff ? 0 : n))
			fail_msg("U+%04X", c);
		if (n > 1 && utf8_character(span_make(s, n - 1)))
			fail_msg("half of U+%04X", c);
	}
	assert_int_equal(utf8_character(SPAN_NONE), 0);
	assert_int_equal(utf8_character(span_make("\0", 1)), 0);
}

static void longer_forms_of_short_characters_are_refused(void **state)
{
	assert_false(utf8_is_clean(SPAN_LITERAL("\xc0\xaf")));
	assert_false(utf8_is_clean(SPAN_LITERAL("\xc1\xbf")));
	assert_false(utf8_is_clean(SPAN_LITERAL("\xe0\x9f\xbf")));
	assert_false(utf8_is_clean(SPAN_LITERAL("\xf0\x8f\xbf\xbf")));
	assert_true(utf8_is_clean(SPAN_LITERAL("h\xc3\xa4lt \xe2\x82\xac")));
	assert_true(utf8_is_clean(SPAN_NONE));
}

static void cleaning_replaces_each_bad_byte_and_keeps_the_rest(void **state)
{
	struct buf buf;

	buf_init(&buf, 100);
	utf8_clean(&buf, span_make("a\xff\xc3\xa4\0\xe2\x82z", 8));
	assert_string_equal(buf.data, "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
	assert_true(utf8_is_clean(buf_view(&buf)));
	buf_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_of_unicode_is_known_and_nothing_else),
		cmocka_unit_test(longer_forms_of_short_characters_are_refused),
		cmocka_unit_test(cleaning_replaces_each_bad_byte_and_keeps_the_rest),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
