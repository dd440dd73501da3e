/* How fast bytes may go, by the given clock. */
#include "config.h"

#include "base/clock.h"
#include "base/pace.h"
#include "tests/support/support.h"

#define START 1790000000000

static int clock_to_start(void **state)
{
	clock_set(START);
	return 0;
}

static int clock_back(void **state)
{
	pace_limit(0);
	clock_set(0);
	return 0;
}

/* How long it takes to move so much, by who waits as long as it is told. */
static int64_t time_for(uint64_t bytes, uint64_t piece)
{
	int64_t began = clock_tick_ms();

	for (uint64_t moved = 0; moved < bytes; moved += piece) {
		int64_t wait = pace_owed(piece);

		if (wait)
			clock_advance(wait);
	}
	return clock_tick_ms() - began;
}

static void without_a_limit_nothing_waits(void **state)
{
	pace_limit(0);
	assert_int_equal(time_for(1 << 30, 1 << 20), 0);
	assert_int_equal(pace_window(4 << 20), 4 << 20);
}

static void a_limit_holds_over_the_whole_time_whatever_the_pieces(void **state)
{
	static const uint64_t pieces[] = {1000, 32768, 250000, 1000000};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		pace_limit(1000000);
		assert_in_range(time_for(20 * pieces[3], pieces[i]), 19700, 20000);
	}
}

static void what_was_not_used_for_long_is_no_more_than_a_quarter_of_a_second(void **state)
{
	pace_limit(1000000);
	time_for(1000000, 1000);
	clock_advance(3600000);
	assert_in_range(time_for(2000000, 1000), 1700, 1800);
}

static void a_large_piece_is_owed_and_paid_before_the_next(void **state)
{
	pace_limit(1000);
	assert_in_range(pace_owed(10000), 9700, 9800);
	clock_advance(5000);
	assert_in_range(pace_owed(0), 4700, 4800);
}

static void what_is_under_way_at_once_suits_the_limit(void **state)
{
	pace_limit(1000000);
	assert_int_equal(pace_window(4 << 20), 250000);
	assert_int_equal(pace_window(32768), 32768);
	pace_limit(100);
	assert_int_equal(pace_window(32768), 1024);
	assert_int_equal(pace_window(100), 100);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_a_limit_nothing_waits, clock_to_start, clock_back),
		cmocka_unit_test_setup_teardown(a_limit_holds_over_the_whole_time_whatever_the_pieces, clock_to_start,
						clock_back),
		cmocka_unit_test_setup_teardown(what_was_not_used_for_long_is_no_more_than_a_quarter_of_a_second,
						clock_to_start, clock_back),
		cmocka_unit_test_setup_teardown(a_large_piece_is_owed_and_paid_before_the_next, clock_to_start,
						clock_back),
		cmocka_unit_test_setup_teardown(what_is_under_way_at_once_suits_the_limit, clock_to_start, clock_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
