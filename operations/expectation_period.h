/* The days of an expectation by a time of day: when each begins to count, by when it is due, and when the next takes
 * over. Asks no clock. */
#ifndef FERRULE_OPERATIONS_EXPECTATION_PERIOD_H
#define FERRULE_OPERATIONS_EXPECTATION_PERIOD_H

#include "config/site.h"

struct expectation_period {
	char day[16]; /* "2026-11-23", the day of its due time */
	int64_t start_ms, due_ms;
	int64_t end_ms; /* the start of the next: what comes later is for that one */
};

/* The one that counts at this time: the last that began at or before it. */
int expectation_period_at(const struct expectation *, int64_t at_ms, struct expectation_period *);
/* The one behind that. Both: -1 when there is none within a year. */
int expectation_period_next(const struct expectation *, const struct expectation_period *, struct expectation_period *);

#endif
