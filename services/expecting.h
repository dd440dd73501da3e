/* What workers tell of expectations: each word goes into the unit of the message that it is about, so that an
 * expectation is open as soon as that message is on its way, and met as soon as the answer is. */
#ifndef FERRULE_SERVICES_EXPECTING_H
#define FERRULE_SERVICES_EXPECTING_H

#include "base/queue.h"
#include "config/site.h"
#include "transformers/chain.h"

/* A document came in by one of the flow's sources. */
void expecting_document(struct unit *, const struct flow *, const struct message *);
/* The flow sent a message on that was made of `from`. */
void expecting_sent(struct unit *, const struct flow *, const struct message *from, const struct message *sent,
		    struct chain *, struct item *);
/* A message was published to this topic: whoever expects it has it. */
void expecting_event(struct unit *, const struct site *, const char *topic, const struct message *, struct chain *,
		     struct item *);

#endif
