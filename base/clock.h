/* Time. Production code asks here and nowhere else, so that tests can turn the clock. */
#ifndef FERRULE_BASE_CLOCK_H
#define FERRULE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define CLOCK_TEXT 32

int64_t clock_now_ms(void);  /* Unix time in milliseconds */
int64_t clock_tick_ms(void); /* monotonic, for intervals; arbitrary origin */
void clock_set(int64_t now_ms); /* tests: stands still at this time; both clocks follow it. 0: real time again */
void clock_advance(int64_t ms); /* tests: only while set */

/* The next time after `now_ms` that a clock on the wall here shows this minute of the day. */
int64_t clock_next_minute(int64_t now_ms, int minute_of_day);

void clock_format(int64_t ms, char out[CLOCK_TEXT]); /* 2026-01-31T12:00:00.000Z (RFC 3339) */
int clock_parse(struct span text, int64_t *ms);      /* RFC 3339 with Z or an offset; -1 when it is not */
/* "90s", "5d", "1h30m", "250ms"; a bare number is refused. -1 when it is not a duration. */
int duration_parse(struct span text, int64_t *ms);
void duration_format(int64_t ms, char out[CLOCK_TEXT]); /* for people: "2h 5m" */

#endif
