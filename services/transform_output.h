/* What a message that comes out of a chain carries besides its body: what it has from the message it was made from, its
 * business keys, the order keys of its subscribers, and where a sink is to send it. */
#ifndef FERRULE_SERVICES_TRANSFORM_OUTPUT_H
#define FERRULE_SERVICES_TRANSFORM_OUTPUT_H

#include "config/site.h"
#include "transformers/chain.h"

void output_inherit(struct message *, const struct message *from, const struct chain_output *, const struct flow *);
/* The item's own keys, then those of `from` while there is room. REJECT when a key cannot be one. */
int output_keys(struct message *, const struct message *from, const struct item *, struct error *);
/* The order key of each ordered subscriber, so that its queue can keep the order without reading the body. */
int output_orders(struct message *, const struct site *, struct chain *, struct item *, const char *topic,
		  struct error *);
/* Where it goes, as the flow's sink wants it: "path", "url" … and the idempotency key that the flow declares. */
int output_address(struct message *, const struct message *from, const struct flow *, struct chain *, struct item *,
		   struct error *);

/* Parts of a list all begin at 0: their paths tell them apart (FNV-1a). Never 0. */
uint32_t output_part_number(const struct item *);

#endif
