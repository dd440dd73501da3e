/* The days of expectations: operations/expectation_period.h. */
#include "config.h"
#include "operations/expectation_period.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

static int64_t at(const char *text)
{
	int64_t ms;

	assert_int_equal(clock_parse(span_of(text), &ms), 0);
	return ms;
}

static void is(const struct expectation_period *day, const char *name, const char *start, const char *due,
	       const char *end)
{
	assert_string_equal(day->day, name);
	assert_int_equal(day->start_ms, at(start));
	assert_int_equal(day->due_ms, at(due));
	assert_int_equal(day->end_ms, at(end));
}

static void a_working_day_lasts_until_the_next_one_begins(void **state)
{
	struct expectation e = {.by_minute = 7 * 60 + 30, .days_mask = 0x1f, .zone = "Europe/Berlin"};
	struct expectation_period day, next;

	assert_int_equal(expectation_period_at(&e, at("2026-11-21T12:00:00Z"), &day), 0); /* a Saturday */
	is(&day, "2026-11-20", "2026-11-19T23:00:00Z", "2026-11-20T06:30:00Z", "2026-11-22T23:00:00Z");
	assert_int_equal(expectation_period_next(&e, &day, &next), 0);
	is(&next, "2026-11-23", "2026-11-22T23:00:00Z", "2026-11-23T06:30:00Z", "2026-11-23T23:00:00Z");
	assert_int_equal(expectation_period_at(&e, next.start_ms - 1, &day), 0);
	assert_string_equal(day.day, "2026-11-20");
}

static void an_evening_before_counts_for_the_day_of_its_morning(void **state)
{
	struct expectation e = {.by_minute = 2 * 60, .since_minute = 18 * 60, .days_mask = 0x7f, .zone = "UTC"};
	struct expectation_period day;

	assert_int_equal(expectation_period_at(&e, at("2026-11-22T23:30:00Z"), &day), 0);
	is(&day, "2026-11-23", "2026-11-22T18:00:00Z", "2026-11-23T02:00:00Z", "2026-11-23T18:00:00Z");
}

static void the_days_on_which_clocks_change_have_their_hours_too(void **state)
{
	struct expectation e = {.by_minute = 24 * 60, .days_mask = 0x7f, .zone = "Europe/Berlin"};
	struct expectation_period day;

	assert_int_equal(expectation_period_at(&e, at("2026-03-29T10:00:00Z"), &day), 0);
	is(&day, "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-29T22:00:00Z");
	assert_int_equal(expectation_period_at(&e, at("2026-10-25T10:00:00Z"), &day), 0);
	is(&day, "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-25T23:00:00Z");
}

static void a_holiday_is_no_day_of_it(void **state)
{
	const char *holidays[] = {"12-25", "12-26"};
	struct calendar_spec spec = {.name = "de", .holidays = {holidays, 2}};
	struct expectation e = {
		.by_minute = 7 * 60 + 30, .days_mask = 0x7f, .zone = "Europe/Berlin", .calendar = &spec};
	struct expectation_period day, next;

	assert_int_equal(expectation_period_at(&e, at("2026-12-24T12:00:00Z"), &day), 0); /* a Thursday */
	assert_int_equal(expectation_period_next(&e, &day, &next), 0);
	assert_string_equal(next.day, "2026-12-28");
}

static void a_year_of_days_follows_one_after_the_other(void **state)
{
	struct expectation e = {.by_minute = 7 * 60 + 30, .days_mask = 0x1f, .zone = "America/New_York"};
	struct expectation_period day, next;
	int days = 1;

	assert_int_equal(expectation_period_at(&e, at("2026-01-01T12:00:00Z"), &day), 0);
	for (; day.end_ms < at("2027-01-01T05:00:00Z"); days++) {
		assert_int_equal(expectation_period_next(&e, &day, &next), 0);
		assert_int_equal(next.start_ms, day.end_ms);
		assert_true(next.due_ms > next.start_ms && next.due_ms < next.end_ms);
		day = next;
	}
	assert_int_equal(days, 261); /* from Monday to Friday in 2026 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_working_day_lasts_until_the_next_one_begins),
		cmocka_unit_test(an_evening_before_counts_for_the_day_of_its_morning),
		cmocka_unit_test(the_days_on_which_clocks_change_have_their_hours_too),
		cmocka_unit_test(a_holiday_is_no_day_of_it),
		cmocka_unit_test(a_year_of_days_follows_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
