/* What the files of the transform role share; nobody else includes it. */
#ifndef FERRULE_SERVICES_TRANSFORM_INNER_H
#define FERRULE_SERVICES_TRANSFORM_INNER_H

#include "services/transform_tables.h"
#include "services/worker.h"
#include "transformers/chain.h"

#define BATCH_MESSAGES 100

struct prepared { /* a segment of a flow of one revision, ready to run */
	struct prepared *next;
	const struct site *site;
	const struct flow *flow;
	size_t segment;
	struct chain *chain;
	const char *gathers[SITE_GATHERS_MAX]; /* where parts of a group are missed when they end here */
	size_t gathers_count;
};

struct batch {
	struct worker *worker;
	struct unit *unit;
	struct delivery *deliveries[BATCH_MESSAGES];
	size_t count, bytes;
	struct unit_tables tables;
	bool counted; /* in transform.noting */
	bool last;   /* it tells what became of a message that could not be done */
};

/* What the chain's callbacks need of the run under way. */
struct run {
	struct worker *worker;
	struct batch *batch;
	const struct prepared *prepared;
	const struct delivery *delivery;
	struct once *once; /* transform_once.c: what is to be published with what belongs to it */
	size_t once_count, once_capacity;
};

/* transform.c */
/* Publishes into the run's unit, with its record; waits for room. */
int transform_publish(struct run *, const char *topic, const char *queue, bool optional, const struct message *,
		      struct error *);
int transform_body(struct run *, struct message *, const struct chain_output *, struct error *);
/* A dead letter for an error that takes the letter's place as the caller's: on failure it says what failed. */
int transform_bury(struct run *, const struct item *, const char *step, struct error *);

/* transform_hold.c */
/* What reached a durable step goes into the unit: the message that the steps behind it will get, or a member of it. */
int hold_keep(struct run *, const struct chain_output *, struct error *);
/* A part of a group ends here (item NULL: the whole message), or goes a way that leads only to some of the collections
 * that it might have come to: the others hear that it does not come. */
void gap_tell(struct run *, const struct item *, const char *const *reached, size_t n, enum gap);
void gap_tell_way(struct run *, const struct item *, const char *topic); /* topic NULL: it is delivered */
int group_tell(void *run, struct span group, uint32_t size, struct error *);

#endif
