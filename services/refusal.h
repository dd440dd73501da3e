/* `on-reject: {publish: TOPIC}`: besides its dead letter, what could not go on is told to a topic, so that whoever sent
 * it can be answered by an ordinary flow. */
#ifndef FERRULE_SERVICES_REFUSAL_H
#define FERRULE_SERVICES_REFUSAL_H

#include "base/queue.h"

struct flow; /* config/site.h */

#define REFUSAL_CONTENT_MAX (32u * 1024) /* how much of the content is told */

/* The event about a dead letter: {flow, step, code, reason, position, path, document, keys, content | content_base64,
 * cut?}. Its id follows from message, step, path and reason, so that the same refusal told twice is one. The caller
 * frees it. */
struct message *refusal_new(const char *flow, const char *topic, const struct dead *);
/* Publishes it in the unit that has the letter. NULL, or a flow that wants nothing told: 0. The message's body must be
 * at hand. As unit_publish: 1 when there is no room now. */
int refusal_publish(struct unit *, const struct flow *, const struct dead *);

#endif
