/* The days of an expectation. See expectation_period.h. */
#include "config.h"
#include "operations/expectation_period.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static bool counts(const struct expectation *e, struct tm day, int days)
{
	struct tm tm = {.tm_year = day.tm_year,
			.tm_mon = day.tm_mon,
			.tm_mday = day.tm_mday + days,
			.tm_hour = 12,
			.tm_isdst = -1};

	mktime(&tm);
	return e->days_mask >> ((tm.tm_wday + 6) % 7) & 1;
}

static int64_t start_of(const struct expectation *e, struct tm today, int days)
{
	return instant(today, days - (e->since_minute > e->by_minute), e->since_minute);
}

static void fill(const struct expectation *e, struct tm today, int days, struct expectation_period *period)
{
	struct tm noon = {.tm_year = today.tm_year,
			  .tm_mon = today.tm_mon,
			  .tm_mday = today.tm_mday + days,
			  .tm_hour = 12,
			  .tm_isdst = -1};

	mktime(&noon);
	strftime(period->day, sizeof period->day, "%Y-%m-%d", &noon);
	period->start_ms = start_of(e, today, days);
	period->due_ms = instant(today, days, e->by_minute);
	period->end_ms = INT64_MAX;
	for (int next = days + 1; next < days + DAYS_MOST; next++)
		if (counts(e, today, next)) {
			period->end_ms = start_of(e, today, next);
			return;
		}
}

static int find(const struct expectation *e, int64_t at_ms, struct expectation_period *period)
{
	time_t at = (time_t)(at_ms / 1000);
	struct tm today;

	localtime_r(&at, &today);
	for (int days = 1; days > -DAYS_MOST; days--)
		if (counts(e, today, days) && start_of(e, today, days) <= at_ms) {
			fill(e, today, days, period);
			return 0;
		}
	return -1;
}

int expectation_period_at(const struct expectation *e, int64_t at_ms, struct expectation_period *period)
{
	struct zone_kept kept;
	int result;

	zone_enter(e->zone, &kept);
	result = find(e, at_ms, period);
	zone_leave(e->zone, &kept);
	return result;
}

int expectation_period_next(const struct expectation *e, const struct expectation_period *period,
			    struct expectation_period *next)
{
	return period->end_ms == INT64_MAX ? -1 : expectation_period_at(e, period->end_ms, next);
}
