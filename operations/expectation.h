/* What must happen by a time: the store's part. See config/site.h for the kinds.
 *
 * An expectation that was opened is a row: for EXPECT_ANSWER one for each message that the flow sent on, with that
 * message's key; for the others one for each day, without a key. What may meet it is an arrival, kept by (expectation,
 * key, message), so that the same again counts once. It is met by so many arrivals within its time, which begins when
 * the message was accepted (so that an answer that overtakes the question counts) or with its day, and ends never, or
 * when the next day begins.
 *   open   → met      by arrivals up to its due time, in the transaction of the last of them
 *   open   → missed   judged by the steward behind its due time, with the event ferrule.expectation-missed.v1
 *   missed → late     by arrivals after that, with the event ferrule.expectation-met.v1, in the same transaction
 *   open, missed → closed  by a person, or since no flow expects it any more
 * Times decide, not when somebody looked: what came after the due time is late, judged or not. Events go through the
 * store (store.h), so that each is told once. */
#ifndef FERRULE_OPERATIONS_EXPECTATION_H
#define FERRULE_OPERATIONS_EXPECTATION_H

#include "operations/store.h"

#define EVENT_EXPECTATION_MISSED "ferrule.expectation-missed.v1"
#define EVENT_EXPECTATION_MET "ferrule.expectation-met.v1"

#define EXPECTATION_KEY_MAX 512 /* bytes of a key; what is longer is known by its digest */

enum expectation_state {
	EXPECTATION_OPEN,
	EXPECTATION_MISSED,
	EXPECTATION_MET,
	EXPECTATION_LATE,
	EXPECTATION_CLOSED,
};

struct store_expectation {
	const char *name, *flow; /* of the configuration */
	struct span key;         /* empty: by the day */
	const struct id *member; /* the message, or the digest of the day */
	const char *label;       /* for people: the key, or the day */
	const char *message;     /* its id for `trace`, or "" */
	int64_t needed, start, end, due;
};

/* *due: there is something for the steward, or it has to wait for less long. */
int store_expect_open(struct store *, const struct store_expectation *, int64_t now, bool *due, struct error *);
int store_expect_arrived(struct store *, const char *name, struct span key, const struct id *member, int64_t at,
			 bool *due, struct error *);
/* about: JSON object of what the configuration knows, for the event: owner, runbook, what, next. */
int store_expect_judge(struct store *, int64_t number, struct span about, int64_t now, bool *due, struct error *);
int store_expect_close(struct store *, int64_t number, const char *why, int64_t now, bool *closed, struct error *);
int store_expect_next(struct store *, int64_t *due, struct error *); /* of open ones; INT64_MAX: none */

#endif
