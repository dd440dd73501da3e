/* Time and durations. */
#include "config.h"
#include "tests/support/support.h"

#include "base/clock.h"

static int64_t parsed(const char *text)
{
	int64_t ms = -1;

	if (clock_parse(span_of(text), &ms))
		fail_msg("not a time: %s", text);
	return ms;
}

static void times_are_written_as_rfc_3339(void **state)
{
	char text[CLOCK_TEXT];

	clock_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_format(1790000000123, text);
	assert_string_equal(text, "2026-09-21T14:13:20.123Z");
	clock_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void times_are_read_with_zones_and_fractions(void **state)
{
	assert_int_equal(parsed("2026-09-21T14:13:20.123Z"), 1790000000123);
	assert_int_equal(parsed("2026-09-21t16:13:20.123+02:00"), 1790000000123);
	assert_int_equal(parsed("2026-09-21 08:43:20.1239999-05:30"), 1790000000123);
	assert_int_equal(parsed("2026-09-21T14:13:20Z"), 1790000000000);
	assert_int_equal(parsed("2024-02-29T00:00:00Z"), 1709164800000);
	assert_int_equal(parsed("2000-02-29T00:00:00Z"), 951782400000);
	assert_int_equal(parsed("2016-12-31T23:59:60Z"), 1483228800000);
}

static void what_is_not_a_time_is_refused(void **state)
{
	static const char *const bad[] = {"", "now", "2026-09-21", "2026-09-21T14:13:20", "2026-9-21T14:13:20Z",
					  "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
					  "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z",
					  "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
					  "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0200",
					  "2026-01-01T00:00:00Zx"};
	int64_t ms;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (clock_parse(span_of(bad[i]), &ms) == 0)
			fail_msg("accepted %s", bad[i]);
}

static void tests_turn_both_clocks(void **state)
{
	clock_advance(5000); /* nothing while real */
	assert_true(clock_now_ms() > 1700000000000);
	clock_set(1000);
	assert_int_equal(clock_now_ms(), 1000);
	assert_int_equal(clock_tick_ms(), 1000);
	clock_advance(500);
	assert_int_equal(clock_now_ms(), 1500);
	clock_set(0);
	assert_true(clock_now_ms() > 1700000000000);
	assert_true(clock_tick_ms() <= clock_tick_ms());
}

static void durations_have_units(void **state)
{
	static const struct { const char *text; int64_t ms; } good[] = {
		{"90s", 90000}, {"5d", 432000000}, {"1h30m", 5400000}, {"250ms", 250}, {"0s", 0}, {"1m5ms", 60005},
		{"9999999999d", 863999999913600000},
	};
	static const char *const bad[] = {"", "90", "s", "5 d", "-5s", "1.5h", "5y", "1h30", "5months", "99999999999s",
					  "1h ",
					  "9999999999d9999999999d9999999999d9999999999d9999999999d"};
	int64_t ms;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(duration_parse(span_of(good[i].text), &ms), 0);
		assert_true(ms == good[i].ms);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (duration_parse(span_of(bad[i]), &ms) == 0)
			fail_msg("accepted %s", bad[i]);
}

static void durations_are_written_for_people(void **state)
{
	static const struct { int64_t ms; const char *text; } pairs[] = {
		{0, "0ms"}, {999, "999ms"}, {59999, "59s"}, {65000, "1m 5s"}, {7500000, "2h 5m"}, {90000000, "1d 1h"},
	};
	char text[CLOCK_TEXT];

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		duration_format(pairs[i].ms, text);
		assert_string_equal(text, pairs[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_as_rfc_3339),
		cmocka_unit_test(times_are_read_with_zones_and_fractions),
		cmocka_unit_test(what_is_not_a_time_is_refused),
		cmocka_unit_test(tests_turn_both_clocks),
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(durations_are_written_for_people),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
