/* Between envelopes and AMQP's properties and headers. Pure.
 *
 * Our own messages carry the envelope whole in the header `x-ferrule`; properties beside it are for people, the ce-*
 * headers of what goes to a topic for other programs. Messages of other programs follow the CloudEvents AMQP binding
 * (headers with prefix `cloudEvents:`, `cloudEvents_` or `ce-`, or the structured mode of CloudEvents 1.0 JSON), or
 * have nothing of it: then an envelope is made from the properties. */
#ifndef FERRULE_ADAPTERS_AMQP_HEADER_H
#define FERRULE_ADAPTERS_AMQP_HEADER_H

#include "base/broker.h"
#include "base/clock.h"
#include "broker-adapters/queues/amqp_wire.h"

#define HEADER_ENVELOPE "x-ferrule"

struct header_text { /* room for what is not in the envelope as text */
	struct message *message;
	char id[ID_TEXT], time[CLOCK_TEXT];
};

/* Fills `out` from a publication; both borrow from it and from `text` until header_text_free. An envelope that cannot
 * be read travels alone. */
void header_from_publication(const struct publication *, struct wire_message *out, struct header_text *text);
void header_text_free(struct header_text *);

/* The envelope and body of what arrived. `queue` is the name as the topology knows it. Appends to envelope_buf (and
 * body_buf) when they have to be made; otherwise borrows. REJECT when an envelope would pass its limit. */
int header_to_envelope(const struct wire_message *, const char *queue, bool backstop, struct buf *envelope_buf,
		       struct buf *body_buf, struct span *envelope, struct span *body, struct error *);

#endif
