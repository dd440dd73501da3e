/* How long to wait before the next try. */
#include "config.h"
#include "services/backoff.h"

#include "tests/support/support.h"

static const struct retry_spec spec = {.for_ms = 3600000, .from_ms = 1000, .to_ms = 60000};

static void it_doubles_from_the_first_wait_to_the_longest(void **state)
{
	assert_int_equal(backoff_wait(&spec, 0, 0), 1000);
	assert_int_equal(backoff_wait(&spec, 1, 0), 2000);
	assert_int_equal(backoff_wait(&spec, 5, 0), 32000);
	assert_int_equal(backoff_wait(&spec, 6, 0), 60000);
	assert_int_equal(backoff_wait(&spec, 4000000000u, 0), 60000);
}

static void a_longer_wish_of_the_other_side_wins_up_to_an_hour(void **state)
{
	assert_int_equal(backoff_wait(&spec, 0, 500), 1000);
	assert_int_equal(backoff_wait(&spec, 0, 120000), 120000);
	assert_int_equal(backoff_wait(&spec, 0, 86400000), 3600000);
}

static void a_spec_that_says_nothing_waits_from_a_second_to_a_quarter_of_an_hour(void **state)
{
	static const struct retry_spec nothing;

	assert_int_equal(backoff_wait(&nothing, 0, 0), 1000);
	assert_int_equal(backoff_wait(&nothing, 30, 0), 900000);
}

static void failures_in_a_row_are_counted_since_the_first(void **state)
{
	struct backoff backoff = {0};

	backoff_fail(&backoff, &spec, 0, 5000);
	assert_int_equal(backoff.wait_ms, 1000);
	backoff_fail(&backoff, &spec, 0, 7000);
	assert_int_equal(backoff.wait_ms, 2000);
	assert_int_equal(backoff.since_ms, 5000);
	assert_int_equal(backoff.failures, 2);
	backoff_clear(&backoff);
	backoff_fail(&backoff, &spec, 0, 9000);
	assert_int_equal(backoff.wait_ms, 1000);
	assert_int_equal(backoff.since_ms, 9000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_doubles_from_the_first_wait_to_the_longest),
		cmocka_unit_test(a_longer_wish_of_the_other_side_wins_up_to_an_hour),
		cmocka_unit_test(a_spec_that_says_nothing_waits_from_a_second_to_a_quarter_of_an_hour),
		cmocka_unit_test(failures_in_a_row_are_counted_since_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
