/* What interrupted deliveries left at a target. */
#ifndef FERRULE_SERVICES_DELIVER_SWEEP_H
#define FERRULE_SERVICES_DELIVER_SWEEP_H

#include "base/adapter.h"
#include "base/queue.h"

/* Removes it where the store says that nobody needs it; waits for the store's answers. What cannot be told stays. */
void deliver_sweep(struct queue *, const struct sink_ops *, void *sink, const struct endpoint *);

#endif
