/* Schedules, calendars and zones by hand-made tables; tests/mft/runs.py goes through whole years. */
#include "config.h"
#include "tests/support/support.h"

#include <stdlib.h>

#include "base/clock.h"
#include "mft/calendar.h"
#include "mft/cron.h"
#include "mft/date.h"
#include "mft/schedule.h"
#include "mft/zone.h"

static const char *target_days[] = {"01-01", "easter-2", "easter+1", "05-01", "12-25", "12-26"};
static const struct calendar_spec target = {.name = "target2", .holidays = {target_days, 6}};

static int64_t ms(const char *text)
{
	int64_t value;

	if (clock_parse(span_of(text), &value))
		fail_msg("not a time: %s", text);
	return value;
}

static struct schedule *made(const struct schedule_spec *spec)
{
	struct error error = {0};
	struct schedule *schedule = schedule_new(spec, &error);

	if (!schedule)
		fail_msg("%s: %s", error.code, error.text);
	return schedule;
}

static void assert_time(const struct schedule *schedule, int64_t at, const char *text)
{
	char shown[SCHEDULE_TEXT];

	schedule_format(schedule, at, shown);
	assert_string_equal(shown, text);
}

static void a_run_that_clocks_skip_happens_when_they_do_and_one_that_comes_twice_once(void **state)
{
	struct schedule_spec spec = {.cron = "30 2 * * *", .zone = "Europe/Berlin"};
	struct schedule *schedule = made(&spec);
	int64_t at = schedule_next(schedule, ms("2026-03-28T12:00:00Z"));

	assert_time(schedule, at, "2026-03-29T03:00:00+02:00");
	assert_time(schedule, schedule_next(schedule, at), "2026-03-30T02:30:00+02:00");
	at = schedule_next(schedule, ms("2026-10-24T12:00:00Z"));
	assert_time(schedule, at, "2026-10-25T02:30:00+02:00");
	assert_time(schedule, schedule_next(schedule, at), "2026-10-26T02:30:00+01:00");
	schedule_free(schedule);
}

static void holidays_fall_out_or_are_moved(void **state)
{
	struct schedule_spec spec = {.cron = "0 7 * * *", .zone = "Europe/Berlin", .calendar = &target};
	struct schedule *schedule = made(&spec);

	assert_time(schedule, schedule_next(schedule, ms("2026-04-02T12:00:00Z")), "2026-04-07T07:00:00+02:00");
	schedule_free(schedule);
	spec.cron = "0 7 1 * *";
	spec.holidays = HOLIDAYS_NEXT;
	schedule = made(&spec);
	assert_time(schedule, schedule_next(schedule, ms("2026-04-20T00:00:00Z")), "2026-05-04T07:00:00+02:00");
	schedule_free(schedule);
	spec.holidays = HOLIDAYS_PREVIOUS;
	schedule = made(&spec);
	assert_time(schedule, schedule_next(schedule, ms("2026-04-20T00:00:00Z")), "2026-04-30T07:00:00+02:00");
	schedule_free(schedule);
}

static void assert_turn(struct schedule_spec *spec, const char *last, const char *now, const char *due, uint64_t missed,
			const char *next)
{
	struct schedule *schedule = made(spec);
	struct schedule_turn turn;

	schedule_turn(schedule, ms(last), ms(now), &turn);
	assert_int_equal(turn.due_ms, due ? ms(due) : 0);
	assert_int_equal(turn.missed, missed);
	assert_int_equal(turn.next_ms, ms(next));
	schedule_free(schedule);
}

static void missed_runs_are_made_up_for_once_not_at_all_or_each(void **state)
{
	struct schedule_spec spec = {.cron = "0 * * * *", .zone = "UTC"};

	assert_turn(&spec, "2026-03-02T07:00:00Z", "2026-03-02T07:30:00Z", NULL, 0, "2026-03-02T08:00:00Z");
	assert_turn(&spec, "2026-03-02T07:00:00Z", "2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z", 0,
		    "2026-03-02T09:00:00Z");
	assert_turn(&spec, "2026-03-02T07:00:00Z", "2026-03-02T10:30:00Z", "2026-03-02T10:00:00Z", 2,
		    "2026-03-02T11:00:00Z");
	spec.missed = MISSED_SKIP;
	assert_turn(&spec, "2026-03-02T07:00:00Z", "2026-03-02T10:30:00Z", NULL, 3, "2026-03-02T11:00:00Z");
	assert_turn(&spec, "2026-03-02T07:00:00Z", "2026-03-02T10:00:30Z", "2026-03-02T10:00:00Z", 2,
		    "2026-03-02T11:00:00Z");
	spec.missed = MISSED_ALL;
	assert_turn(&spec, "2026-03-02T07:00:00Z", "2026-03-02T10:30:00Z", "2026-03-02T08:00:00Z", 0,
		    "2026-03-02T10:30:00Z");
	assert_turn(&spec, "2026-03-02T09:00:00Z", "2026-03-02T10:30:00Z", "2026-03-02T10:00:00Z", 0,
		    "2026-03-02T11:00:00Z");
}

static void making_up_has_bounds(void **state)
{
	struct schedule_spec spec = {.cron = "* * * * *", .zone = "UTC", .missed = MISSED_ALL};
	struct schedule *schedule = made(&spec);
	struct schedule_turn turn = {0};
	int64_t now = ms("2026-03-02T10:00:30Z"), last = ms("2020-01-01T00:00:00Z");
	int runs = 0;

	schedule_turn(schedule, last, now, &turn);
	assert_int_equal(turn.due_ms, ms("2026-03-02T10:00:00Z") - 99 * 60000);
	assert_true(turn.missed > 40000); /* of 31 days */
	for (last = turn.last_ms, runs = 1; turn.due_ms; last = turn.last_ms, runs++)
		schedule_turn(schedule, last, now, &turn);
	assert_int_equal(runs, 101);
	schedule_turn(schedule, now + 86400000, now, &turn); /* the clock was put back */
	assert_int_equal(turn.next_ms, ms("2026-03-02T10:01:00Z"));
	schedule_free(schedule);
}

static void a_missed_run_waits_for_the_window(void **state)
{
	struct schedule_spec spec = {
		.cron = "0 18 * * *", .zone = "UTC", .calendar = &target, .window_from = "08:00", .window_to = "20:00"};

	/* due on Friday at 18:00, up again in the night to Saturday: on Monday at 08:00 */
	assert_turn(&spec, "2026-03-05T18:00:00Z", "2026-03-06T23:00:00Z", NULL, 0, "2026-03-09T08:00:00Z");
	assert_turn(&spec, "2026-03-05T18:00:00Z", "2026-03-09T08:00:00Z", "2026-03-06T18:00:00Z", 0,
		    "2026-03-09T18:00:00Z");
}

static void what_comes_after_the_cut_off_belongs_to_the_next_working_day(void **state)
{
	struct schedule_spec spec = {.zone = "Europe/Berlin", .calendar = &target, .cut_off = "16:00"};
	struct schedule *schedule = made(&spec);
	static const struct {
		const char *arrived;
		struct date day;
	} cases[] = {
		{"2026-04-01T13:59:59Z", {2026, 4, 1}},   {"2026-04-01T14:00:00Z", {2026, 4, 2}},
		{"2026-04-02T14:00:00Z", {2026, 4, 7}},   {"2026-04-04T08:00:00Z", {2026, 4, 7}},
		{"2026-12-24T15:30:00Z", {2026, 12, 28}},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(schedule_working_day(schedule, ms(cases[i].arrived)), date_days(cases[i].day));
	schedule_free(schedule);
}

static void on_arrival_goes_by_calendar_and_window_alone(void **state)
{
	struct schedule_spec spec = {
		.zone = "Europe/Berlin", .calendar = &target, .window_from = "22:00", .window_to = "06:00"};
	struct schedule *schedule = made(&spec);

	assert_false(schedule_runs(schedule));
	assert_true(schedule_open(schedule, ms("2026-03-02T23:30:00Z")));
	assert_false(schedule_open(schedule, ms("2026-03-02T12:00:00Z")));
	assert_false(schedule_open(schedule, ms("2026-03-06T23:30:00Z"))); /* Saturday by now */
	assert_time(schedule, schedule_next(schedule, ms("2026-03-06T23:30:00Z")), "2026-03-09T00:00:00+01:00");
	assert_time(schedule, schedule_closes(schedule, ms("2026-03-02T23:30:00Z")), "2026-03-03T06:00:00+01:00");
	schedule_free(schedule);
}

static void assert_refused(struct schedule_spec spec, const char *code)
{
	struct error error = {0};

	if (!spec.zone)
		spec.zone = "UTC";
	assert_null(schedule_new(&spec, &error));
	assert_string_equal(error.code, code);
}

static void what_is_no_schedule_is_refused(void **state)
{
	static const char *const crons[] = {"",           "* * * *",     "* * * * * *",  "60 * * * *",    "* 24 * * *",
					    "0 0 31 2 *", "5-1 * * * *", "*/0 * * * *",  "0 0 * * fri#6", "a * * * *",
					    "0 0 0 * *",  "0 0 * 13 *",  "1,,2 * * * *", "0 0 L-3 * *"};
	static const char *bad[] = {"2026-02-29"}, *day[] = {"montag"}, *easter[] = {"easter-"};
	struct calendar_spec calendar = {.holidays = {bad, 1}};

	for (size_t i = 0; i < sizeof crons / sizeof *crons; i++)
		assert_refused((struct schedule_spec){.cron = crons[i]}, "schedule.cron");
	assert_refused((struct schedule_spec){.cron = "0 0 * * *", .every_ms = 60000}, "schedule.form");
	assert_refused((struct schedule_spec){.window_from = "08:00"}, "schedule.form");
	assert_refused((struct schedule_spec){.window_from = "08:00", .window_to = "8:30"}, "schedule.time");
	assert_refused((struct schedule_spec){.cut_off = "24:30"}, "schedule.time");
	assert_refused((struct schedule_spec){.zone = "Europe/Bonn"}, "zone.unknown");
	assert_refused((struct schedule_spec){.zone = "../../etc/passwd"}, "zone.unknown");
	assert_refused((struct schedule_spec){.calendar = &calendar}, "calendar.date");
	calendar.holidays.items = easter;
	assert_refused((struct schedule_spec){.calendar = &calendar}, "calendar.date");
	calendar = (struct calendar_spec){.days = {day, 1}};
	assert_refused((struct schedule_spec){.calendar = &calendar}, "calendar.day");
	/* a run at noon, a window at night */
	assert_refused((struct schedule_spec){.cron = "0 12 * * *", .window_from = "22:00", .window_to = "06:00"},
		       "schedule.form");
}

static void easter_is_where_the_church_has_it(void **state)
{
	static const struct date sundays[] = {{1961, 4, 2},  {1981, 4, 19}, {2000, 4, 23}, {2008, 3, 23},
					      {2011, 4, 24}, {2024, 3, 31}, {2025, 4, 20}, {2026, 4, 5},
					      {2038, 4, 25}, {2076, 4, 19}, {2285, 3, 22}};

	for (size_t i = 0; i < sizeof sundays / sizeof *sundays; i++)
		assert_int_equal(date_easter(sundays[i].year), date_days(sundays[i]));
	for (int64_t day = -800000; day < 800000; day += 7) /* the two counts agree */
		assert_int_equal(date_days(date_of(day)), day);
}

static void days_of_the_month_by_week(void **state)
{
	struct error error = {0};
	struct cron cron;

	assert_int_equal(cron_parse(SPAN_LITERAL("0 0 * * fri#2,monL"), &cron, &error), 0);
	assert_true(cron_day(&cron, date_days((struct date){2026, 3, 13})));
	assert_false(cron_day(&cron, date_days((struct date){2026, 3, 6})));
	assert_true(cron_day(&cron, date_days((struct date){2026, 3, 30})));
	assert_false(cron_day(&cron, date_days((struct date){2026, 3, 23})));
	assert_int_equal(cron_parse(SPAN_LITERAL("@weekly"), &cron, &error), 0);
	assert_true(cron_day(&cron, date_days((struct date){2026, 3, 8})));
}

static void a_damaged_zone_is_refused(void **state)
{
	size_t len = 0;
	char *file = support_read("/usr/share/zoneinfo/Europe/Berlin", &len);
	struct error error = {0};
	struct zone *zone;

	assert_non_null(file);
	zone = zone_parse_new(span_make(file, len), &error);
	assert_non_null(zone);
	assert_int_equal(zone_offset(zone, ms("2026-07-01T00:00:00Z") / 1000), 7200);
	zone_free(zone);
	for (size_t cut = 0; cut + 1 < len; cut += cut < 64 ? 1 : 37) {
		char *part = malloc(cut + 1); /* so that a step too far is seen */

		memcpy(part, file, cut);
		error_clear(&error);
		zone = zone_parse_new(span_make(part, cut), &error);
		assert_null(zone);
		assert_string_equal(error.code, "zone.damaged");
		free(part);
	}
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_that_clocks_skip_happens_when_they_do_and_one_that_comes_twice_once),
		cmocka_unit_test(holidays_fall_out_or_are_moved),
		cmocka_unit_test(missed_runs_are_made_up_for_once_not_at_all_or_each),
		cmocka_unit_test(making_up_has_bounds),
		cmocka_unit_test(a_missed_run_waits_for_the_window),
		cmocka_unit_test(what_comes_after_the_cut_off_belongs_to_the_next_working_day),
		cmocka_unit_test(on_arrival_goes_by_calendar_and_window_alone),
		cmocka_unit_test(what_is_no_schedule_is_refused),
		cmocka_unit_test(easter_is_where_the_church_has_it),
		cmocka_unit_test(days_of_the_month_by_week),
		cmocka_unit_test(a_damaged_zone_is_refused),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
