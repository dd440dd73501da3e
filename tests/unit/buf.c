/* Bounded buffers, and integers in bytes. */
#include "config.h"
#include "tests/support/support.h"

#include <stdlib.h>

#include "base/buf.h"

static void what_is_appended_stands_there_with_a_nul_behind(void **state)
{
	struct buf buf;

	buf_init(&buf, 100);
	assert_int_equal(buf_text(&buf, "a"), 0);
	assert_int_equal(buf_char(&buf, 'b'), 0);
	assert_int_equal(buf_span(&buf, span_make("cde", 2)), 0);
	assert_int_equal(buf_printf(&buf, "%d", 12345), 0);
	assert_int_equal(buf_append(&buf, NULL, 0), 0);
	assert_string_equal(buf.data, "abcd12345");
	assert_int_equal(buf.len, 9);
	buf_drop(&buf, 4);
	assert_string_equal(buf.data, "12345");
	buf_drop(&buf, 0);
	buf_reset(&buf);
	assert_string_equal(buf.data, "");
	buf_free(&buf);
	buf_free(&buf);
}

static void past_the_maximum_nothing_changes_and_the_buffer_stays_full(void **state)
{
	struct buf buf;

	buf_init(&buf, 10);
	assert_int_equal(buf_text(&buf, "12345678"), 0);
	assert_int_equal(buf_text(&buf, "abc"), -1);
	assert_true(buf.full);
	assert_string_equal(buf.data, "12345678");
	assert_int_equal(buf_char(&buf, 'x'), -1); /* so that a writer may check once */
	assert_int_equal(buf_printf(&buf, "x"), -1);
	assert_null(buf_room(&buf, 1));
	buf_reset(&buf);
	assert_int_equal(buf_text(&buf, "1234567890"), 0);
	assert_int_equal(buf_append(&buf, "x", SIZE_MAX), -1);
	buf_free(&buf);
}

static void a_field_is_appended_whole_or_not_at_all(void **state)
{
	struct buf buf;

	buf_init(&buf, 10);
	assert_int_equal(buf_field(&buf, SPAN_LITERAL("abc")), 0);
	assert_int_equal(buf_field(&buf, SPAN_LITERAL("")), -1);
	assert_int_equal(buf.len, 7);
	buf_free(&buf);
}

static void a_taken_buffer_starts_empty(void **state)
{
	struct buf buf;
	char *taken;

	buf_init(&buf, 10);
	taken = buf_take(&buf);
	assert_string_equal(taken, "");
	free(taken);
	buf_text(&buf, "abc");
	taken = buf_take(&buf);
	assert_string_equal(taken, "abc");
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf_text(&buf, "0123456789"), 0);
	free(taken);
	buf_free(&buf);
}

static void integers_and_fields_are_read_back(void **state)
{
	struct buf buf;
	struct span in, field = SPAN_NONE, two = SPAN_NONE;
	uint8_t u8 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;

	buf_init(&buf, 100);
	buf_u8(&buf, 0xfe);
	buf_u32(&buf, 0xdeadbeef);
	buf_u64(&buf, 0x0123456789abcdef);
	buf_field(&buf, SPAN_LITERAL("field"));
	buf_text(&buf, "ab");
	assert_memory_equal(buf.data, "\xfe\xef\xbe\xad\xde\xef\xcd\xab\x89\x67\x45\x23\x01\x05\0\0\0field", 22);
	in = buf_view(&buf);
	assert_true(take_u8(&in, &u8) && take_u32(&in, &u32) && take_u64(&in, &u64) && take_field(&in, &field) &&
		    take_bytes(&in, 2, &two));
	assert_int_equal(u8, 0xfe);
	assert_int_equal(u32, 0xdeadbeef);
	assert_true(u64 == 0x0123456789abcdef);
	assert_true(span_is(field, "field") && span_is(two, "ab"));
	assert_int_equal(in.len, 0);
	buf_free(&buf);
}

static void what_is_too_short_is_left_alone(void **state)
{
	struct span in = span_make("\x05\0\0\0abc", 7), field;
	uint8_t u8;
	uint64_t u64;

	assert_false(take_field(&in, &field));
	assert_int_equal(in.len, 7);
	assert_false(take_u64(&in, &u64));
	assert_false(take_bytes(&in, 8, &field));
	assert_int_equal(in.len, 7);
	in.len = 0;
	assert_false(take_u8(&in, &u8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_appended_stands_there_with_a_nul_behind),
		cmocka_unit_test(past_the_maximum_nothing_changes_and_the_buffer_stays_full),
		cmocka_unit_test(a_field_is_appended_whole_or_not_at_all),
		cmocka_unit_test(a_taken_buffer_starts_empty),
		cmocka_unit_test(integers_and_fields_are_read_back),
		cmocka_unit_test(what_is_too_short_is_left_alone),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
