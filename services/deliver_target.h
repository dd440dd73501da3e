/* An endpoint as the deliver role serves it. While it fails as a whole it is paused: nothing is taken for it but one
 * message as a probe whenever the back-off is over, and no attempt is counted against any message. */
#ifndef FERRULE_SERVICES_DELIVER_TARGET_H
#define FERRULE_SERVICES_DELIVER_TARGET_H

#include "services/backoff.h"
#include "services/worker.h"

struct target {
	const struct endpoint *endpoint;
	const char *queue;
	unsigned window; /* deliveries in hand at most */
	struct backoff backoff;
	bool paused;
	struct timer *probe; /* when the next try is due */
	unsigned in_hand;
};

void target_credit(struct worker *, struct target *); /* as many deliveries as its state allows */
void target_pause(struct worker *, struct target *, const struct error *why);
void target_open(struct worker *, struct target *); /* it works (again) */

#endif
