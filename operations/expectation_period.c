/* The days of an expectation. See expectation_period.h. */
#include "config.h"
#include "operations/expectation_period.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mft/calendar.h"
#include "mft/date.h"

#define DAYS_MOST 370

/* ---- a clock on the wall there. A worker has one thread, so its zone may change for a moment. */
struct zone_kept {
	char *before;
};

static void zone_enter(const char *zone, struct zone_kept *kept)
{
	const char *before = getenv("TZ");

	kept->before = before ? mem_strdup(before) : NULL;
	if (zone)
		setenv("TZ", zone, 1);
	tzset();
}

static void zone_leave(const char *zone, struct zone_kept *kept)
{
	if (zone && kept->before)
		setenv("TZ", kept->before, 1);
	else if (zone)
		unsetenv("TZ");
	free(kept->before);
	tzset();
}

/* Days as they are counted from the one on which somebody asks. */
struct wall {
	const struct expectation *e;
	struct calendar *calendar; /* NULL: every day works */
	struct tm today;
};

static int64_t instant(struct tm day, int days, int minute)
{
	struct tm tm = {.tm_year = day.tm_year,
			.tm_mon = day.tm_mon,
			.tm_mday = day.tm_mday + days,
			.tm_hour = minute / 60,
			.tm_min = minute % 60,
			.tm_isdst = -1};

	return (int64_t)mktime(&tm) * 1000;
}

static bool counts(const struct wall *wall, int days)
{
	struct date today = {wall->today.tm_year + 1900, wall->today.tm_mon + 1, wall->today.tm_mday};
	int64_t day = date_days(today) + days;

	return wall->e->days_mask >> ((date_weekday(day) + 6) % 7) & 1 &&
	       (!wall->calendar || calendar_works(wall->calendar, day));
}

static int64_t start_of(const struct wall *wall, int days)
{
	const struct expectation *e = wall->e;

	return instant(wall->today, days - (e->since_minute > e->by_minute), e->since_minute);
}

static void fill(const struct wall *wall, int days, struct expectation_period *period)
{
	struct date today = {wall->today.tm_year + 1900, wall->today.tm_mon + 1, wall->today.tm_mday};
	struct date day = date_of(date_days(today) + days);

	snprintf(period->day, sizeof period->day, "%04u-%02u-%02u", (unsigned)day.year % 10000,
		 (unsigned)day.month % 100, (unsigned)day.day % 100);
	period->start_ms = start_of(wall, days);
	period->due_ms = instant(wall->today, days, wall->e->by_minute);
	period->end_ms = INT64_MAX;
	for (int next = days + 1; next < days + DAYS_MOST; next++)
		if (counts(wall, next)) {
			period->end_ms = start_of(wall, next);
			return;
		}
}

static int find(const struct wall *wall, int64_t at_ms, struct expectation_period *period)
{
	for (int days = 1; days > -DAYS_MOST; days--)
		if (counts(wall, days) && start_of(wall, days) <= at_ms) {
			fill(wall, days, period);
			return 0;
		}
	return -1;
}

int expectation_period_at(const struct expectation *e, int64_t at_ms, struct expectation_period *period)
{
	struct wall wall = {.e = e, .calendar = e->calendar ? calendar_new(e->calendar, NULL) : NULL};
	time_t at = (time_t)(at_ms / 1000);
	struct zone_kept kept;
	int result;

	zone_enter(e->zone, &kept);
	localtime_r(&at, &wall.today);
	result = find(&wall, at_ms, period);
	zone_leave(e->zone, &kept);
	calendar_free(wall.calendar);
	return result;
}

int expectation_period_next(const struct expectation *e, const struct expectation_period *period,
			    struct expectation_period *next)
{
	return period->end_ms == INT64_MAX ? -1 : expectation_period_at(e, period->end_ms, next);
}
