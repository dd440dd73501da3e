/* Days of the Gregorian calendar, counted from 1970-01-01; earlier ones are negative. Pure. */
#ifndef FERRULE_MFT_DATE_H
#define FERRULE_MFT_DATE_H

#include <stdint.h>

#include "base/span.h"

#define DAY_SECONDS 86400

struct date {
	int year, month, day; /* 1 … 12, 1 … 31 */
};

int64_t date_days(struct date);
struct date date_of(int64_t days);
int date_weekday(int64_t days); /* 0: Sunday */
int date_month_length(int year, int month);
int64_t date_easter(int year); /* the western Easter Sunday */
/* The day that a count of seconds is in, and how far into it; for negative ones, too. */
int64_t date_floor(int64_t seconds, int *of_day);
int date_parse(struct span text, struct date *);             /* 2026-12-24, and a day that exists; else -1 */
int date_minute_parse(struct span text, int *minute_of_day); /* 07:30, up to 24:00; else -1 */
/* The number of a day of the week by its English name or the first three letters of it, in any case; -1: none. */
int date_weekday_parse(struct span text);

#endif
