/* Working days: days of the week, holidays by date, by year or by Easter, and exceptions. Pure. */
#ifndef FERRULE_MFT_CALENDAR_H
#define FERRULE_MFT_CALENDAR_H

#include "base/error.h"
#include "config/transfer.h"

#define CALENDAR_DATES_MAX 4096
#define CALENDAR_SEARCH_DAYS 400 /* further than this no working day is looked for */

struct calendar;
/* NULL: REJECT `calendar.day`, `calendar.date`, `calendar.empty` (never a working day). spec NULL:
 * every day is one. */
struct calendar *calendar_new(const struct calendar_spec *, struct error *);
int calendar_check(const struct calendar_spec *, struct error *); /* would it be one? */
void calendar_free(struct calendar *);
bool calendar_works(const struct calendar *, int64_t day);
/* The first working day at or after this one, the last at or before it; the day itself when there is none near. */
int64_t calendar_next(const struct calendar *, int64_t day);
int64_t calendar_previous(const struct calendar *, int64_t day);

#endif
