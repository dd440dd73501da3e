/* When a source is asked: cron, an interval, or on arrival; in a time zone, on the days of a calendar, within a window
 * of the day; and what becomes of runs that were missed. No clock and no I/O: times come from the caller.
 *
 * Summer time. A schedule that names hours ('30 2 * * *') runs once for each time on the wall: where clocks are put
 * forward over it, at the moment when that happens; where they are put back and it comes twice, at the first. One whose
 * hour is * ('*' '/15 * * * *') runs as the minutes pass, so in the hour that comes twice, too. Two that fall on one
 * moment are one run. An interval counts seconds from 1970 in UTC and knows no summer time.
 *
 * Holidays. A run on a day that is no working day falls out, or is moved to the next or previous one, at the same time
 * of day; two that meet there are one. The window is one of the wall's day; from 22:00 to 06:00 it goes over midnight,
 * and each half belongs to its own day: in the night to a holiday it ends at midnight. A run whose time lies outside of
 * the window falls out. */
#ifndef FERRULE_MFT_SCHEDULE_H
#define FERRULE_MFT_SCHEDULE_H

#include "base/error.h"
#include "config/transfer.h"

#define SCHEDULE_NEVER INT64_MAX
#define SCHEDULE_MISSED_MAX 100            /* so many runs are made up for, the newest */
#define SCHEDULE_LATE_MS 60000             /* a run that begins later than this was missed */
#define SCHEDULE_BACK_MS (31 * 86400000ll) /* further back none is looked for */

struct schedule;
/* Times are Unix milliseconds. NULL: REJECT `schedule.…`, `calendar.…`, `zone.…`. The spec and what it points to must
 * outlive it. Reads the zone's file. */
struct schedule *schedule_new(const struct schedule_spec *, struct error *);
void schedule_free(struct schedule *);

int schedule_check(const struct schedule_spec *, struct error *); /* would it be one? */

bool schedule_runs(const struct schedule *); /* it has runs (cron, interval); else the source is asked all the time */
/* The first run after this time. On arrival: the first moment from which on the source may be asked. SCHEDULE_NEVER:
 * none within twelve years. */
int64_t schedule_next(const struct schedule *, int64_t after_ms);
/* May the source be asked now: a working day, inside of the window? Runs that were missed wait for it, too. */
bool schedule_open(const struct schedule *, int64_t now_ms);
/* When the current window ends; SCHEDULE_NEVER without one. */
int64_t schedule_closes(const struct schedule *, int64_t now_ms);

/* What is to be done now, the last run having been that of `last_ms`. On arrival: something is due whenever it is
 * open. */
struct schedule_turn {
	int64_t due_ms;  /* run now, as this one; 0: nothing is due */
	int64_t next_ms; /* the run after that, or when to ask again */
	int64_t last_ms; /* remember this as the last run, also when nothing is due (what was skipped) */
	uint64_t missed; /* runs that fell out: skipped, taken together, or too many */
};
void schedule_turn(const struct schedule *, int64_t last_ms, int64_t now_ms, struct schedule_turn *);

/* The working day that something belongs to which arrived then: with a cut-off time, what comes after it belongs to the
 * next. Days since 1970. */
int64_t schedule_working_day(const struct schedule *, int64_t arrived_ms);
int64_t schedule_local(const struct schedule *, int64_t ms); /* seconds that the wall shows */
/* RFC 3339 in the schedule's zone, without fractions: 2026-03-02T07:30:00+01:00 */
#define SCHEDULE_TEXT 64
void schedule_format(const struct schedule *, int64_t ms, char out[SCHEDULE_TEXT]);

#endif
