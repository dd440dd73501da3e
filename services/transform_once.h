/* Outputs that come out otherwise each time they are made, an encryption and what is made of it (a signature, a sidecar
 * that says its digest), are made once: before any of them is published, what they are is noted in the store, and
 * whoever makes them again publishes what was noted. Otherwise a process that dies between two publishes would leave
 * a file of the first time and a sidecar of the second.
 *
 * The table ONCE_TABLE has ID-GENERATION-STANDS → {ref, sha256}; its entries go when originals do. */
#ifndef FERRULE_SERVICES_TRANSFORM_ONCE_H
#define FERRULE_SERVICES_TRANSFORM_ONCE_H

#include "services/transform_inner.h"

#define ONCE_TABLE "ferrule-once"

/* A copy of the message, addressed and with its body at hand, is published with what belongs to it: by a later call of
 * either. -1: as unit_publish, or RETRY of vault and store. */
int once_add(struct run *, const struct chain_output *, const char *topic, const char *queue, const struct message *,
	     struct error *);
int once_flush(struct run *, struct error *); /* the chain has come to its end */
void once_drop(struct run *);                 /* what was not published is not */

#endif
