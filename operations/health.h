/* What a site says of itself to probes and to Prometheus, from the answer to the question `status` (operations/ask.h);
 * NULL: the queue process did not answer. */
#ifndef FERRULE_OPERATIONS_HEALTH_H
#define FERRULE_OPERATIONS_HEALTH_H

#include <jansson.h>

#include "base/buf.h"

void health_live(int *status, const char **type, struct buf *body);
/* 200 when the site consumes and accepts; 503 else. Only the status speaks to machines; verbose tells people each
 * check. */
void health_ready(const json_t *answer, bool draining, bool verbose, int *status, const char **type, struct buf *body);
/* Prometheus text format 0.0.4; names, units and labels: docs/metrics.md. Never an id in a label. */
void health_metrics(const json_t *answer, int *status, const char **type, struct buf *body);

#endif
