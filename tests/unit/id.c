/* Identity: the same parts give the same id, other parts another. */
#include "config.h"
#include "tests/support/support.h"

#include "base/id.h"

static struct id id_two(const char *a, const char *b)
{
	struct span parts[2] = {span_of(a), span_of(b)};

	return id_of(parts, 2);
}

static void parts_do_not_run_together(void **state)
{
	struct id one = id_two("ab", "c"), other = id_two("a", "bc"), again = id_two("ab", "c"),
		empty = id_two("abc", "");

	assert_true(id_equal(&one, &again));
	assert_false(id_equal(&one, &other));
	assert_false(id_equal(&one, &empty));
}

/* Stored ids must stay what they are through every version. */
static void an_id_is_the_digest_of_length_prefixed_parts(void **state)
{
	struct id id = id_two("ab", "c"), plain = id_digest(span_make("\2\0\0\0ab\1\0\0\0c", 11));

	assert_true(id_equal(&id, &plain));
}

static void an_id_survives_its_text_and_its_bytes(void **state)
{
	struct id id = id_two("x", "y"), back;
	char hex[ID_TEXT];

	id_hex(&id, hex);
	assert_int_equal(strlen(hex), 64);
	assert_int_equal(id_parse(&back, span_of(hex)), 0);
	assert_true(id_equal(&id, &back));
	assert_int_equal(id_from_span(&back, id_span(&id)), 0);
	assert_true(id_equal(&id, &back));
	assert_int_equal(id_from_span(&back, SPAN_LITERAL("short")), -1);
	assert_int_equal(id_parse(&back, span_make(hex, 63)), -1);
	assert_true(id_hash(&id) == id_hash(&back));
}

static void none_is_none(void **state)
{
	struct id none = {{0}}, some = id_two("", "");

	assert_true(id_is_none(&none));
	assert_false(id_is_none(&some));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_do_not_run_together),
		cmocka_unit_test(an_id_is_the_digest_of_length_prefixed_parts),
		cmocka_unit_test(an_id_survives_its_text_and_its_bytes),
		cmocka_unit_test(none_is_none),
	};

	return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
