/* What the files of a rehearsal share. See rehearsal.h. */
#ifndef FERRULE_SERVICES_REHEARSAL_PRIVATE_H
#define FERRULE_SERVICES_REHEARSAL_PRIVATE_H

#include <unistd.h>

#include "services/deliver_request.h"
#include "services/rehearsal.h"
#include "transformers/chain.h"

struct stage {
	const struct site *site;
	struct chain ***chains; /* for each flow one for each segment; NULL: not opened yet */
	void (*looked)(void *, struct span contract, const json_t *tree);
	void *looked_arg;
};

/* A message on its way to a flow, or to the steps behind a durable one. */
struct waiting {
	struct message *message;
	const struct flow *flow;
	size_t segment;
	struct waiting *next;
};

/* What the callbacks need of the run under way. */
struct run {
	struct rehearsal *rehearsal;
	struct stage *stage;
	const struct trial *trial;
	const struct flow *flow;
	size_t segment, runs;
	struct chain *chain;
	const struct message *message;
	struct waiting *first, **last;
	size_t *answered; /* for each endpoint's flow: deliveries so far */
	json_t *stores;   /* what flows learned so far */
	struct gathering *gatherings;
	json_t *seen;   /* of dedupe: key → digest of the first */
	json_t *groups; /* group → {size, dead, dropped} */
};

void rehearsal_wait(struct run *, const struct message *, const struct flow *, size_t segment);
int rehearsal_died(struct run *, const struct item *, const struct message *, const char *step, const struct error *why,
		   struct span content, struct error *);
void rehearsal_dropped(struct run *, const struct item *, const char *step, const char *why);

/* rehearsal_hold.c: durable steps, in memory */
int rehearsal_hold(struct run *, const struct chain_output *, struct error *);
void rehearsal_group(struct run *, struct span group, uint32_t size);
void rehearsal_gap(struct run *, struct span group, bool dead);
/* Nothing is under way any more: what a group has is what it will have. How many went on; -1. */
int rehearsal_close_groups(struct run *, struct error *);
int rehearsal_time_passes(struct run *, struct error *);
void rehearsal_holds_free(struct run *);

/* The message that this input becomes for the flow, body at hand. NULL: it cannot be one. */
struct message *input_message_new(const struct stage *, struct arena *, const struct flow *, const struct trial_input *,
				  struct span bytes, struct error *);
json_t *json_text_new(struct span); /* cleaned, so that it is text whatever it was */

#endif
