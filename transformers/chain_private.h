/* What the files of the chain share; nobody else includes it. */
#ifndef FERRULE_TRANSFORMERS_CHAIN_PRIVATE_H
#define FERRULE_TRANSFORMERS_CHAIN_PRIVATE_H

#include "transformers/chain.h"
#include "transformers/chain_identity.h"

#define CHAIN_END SIZE_MAX

/* A row of steps and where it ends: the flow's own, or a branch. */
struct way {
	size_t first;      /* of its steps, or CHAIN_END */
	const char *topic; /* NULL: the flow's own end */
	const char *label;
};

/* What lies behind one step. */
struct out {
	struct chain *chain;
	size_t index;          /* of the step */
	struct item *incoming; /* what it was given; belongs to the level above */
	struct arena *arena;
	size_t outstanding; /* items made and not yet handed on */
	uint32_t parts;     /* of the whole input, in this run */
	char group[ID_TEXT + 1];
};

struct flat_step {
	const struct transformer_ops *ops;
	const char *label, *used;
	void *self;
	struct out out;
	size_t next;           /* CHAIN_END: the end of its way */
	const struct way *way; /* that it is on */
	struct way *branches;
	size_t branches_count;
	struct way *on_reject; /* or NULL */
};

struct chain {
	const char *flow;
	struct arena *arena; /* the ways */
	struct flat_step *steps;
	size_t count; /* opened */
	struct way way;
	struct chain_limits limits;
	/* of one run */
	const struct message *input;
	const struct chain_events *events;
	json_t *envelope;      /* of the input; made when first asked for */
	json_t *item_envelope; /* of the item below */
	const struct item *envelope_item;
	uint64_t serial, envelope_serial;
	uint64_t outputs;
	struct seen_ids seen;
	bool stopped; /* a call of out_… returned -1: unwind */
	struct error why_stopped;
};

/* The digest of the item's bytes. RETRY. */
int chain_sign(struct chain *, const struct item *, struct id *digest, struct error *);
/* What a step makes of what stands for something else stands for something else, too. */
void chain_stands_on(const struct chain *, size_t index, struct item *);

/* What goes along a branch for refusals. content: where the item is no tree. */
json_t *refused_tree_new(const struct chain *, const char *step, const struct item *, const struct error *why,
			 struct span content);

#endif
