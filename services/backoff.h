/* How long to wait before the next try. */
#ifndef FERRULE_SERVICES_BACKOFF_H
#define FERRULE_SERVICES_BACKOFF_H

#include "base/endpoint.h"
#include "base/message.h"

struct backoff {
	unsigned failures;
	int64_t since_ms; /* of the first failure in a row */
	int64_t wait_ms;  /* the current one */
};

/* from, doubled with each attempt, at most to; what the other side asked for when that is longer, at most an hour. */
int64_t backoff_wait(const struct retry_spec *, uint32_t attempt, int64_t asked_ms);
/* One more failed attempt at this message, to be parked with it: what backoff_wait counts, and since when. */
void backoff_count(struct message *, int64_t now_ms);
void backoff_fail(struct backoff *, const struct retry_spec *, int64_t asked_ms, int64_t now_ms);
void backoff_clear(struct backoff *);

#endif
