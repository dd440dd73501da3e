/* The steps of a flow between two queues, run as one: each item is pushed through all steps before the next is made, so
 * that a document of a hundred thousand transactions needs the memory of one. Nothing here does I/O or reads a clock;
 * what comes out is handed to callbacks. The same input gives the same outputs with the same ids.
 *
 * Identity: id = SHA-256 over (input's id, flow, "out" or the label of the branch that it left by, the item's ids). The
 * ids are ordinals in the source document, or what `split` declared; never "the n-th output". Two outputs of one input
 * with the same id: the second is dropped when it has the same bytes, and a dead letter `identity.conflict` when it has
 * others.
 *
 * Replay of a part: when the input names one (message.part), items whose path neither leads to it nor lies below it are
 * skipped in silence.
 *
 * Refusals: an item that a step with `on_reject` refuses goes on there as {flow, step, code, reason, position, path,
 * document, digest, offset, length, keys} and what was in hand: `body` (data), `content` or `content_base64`, `cut`.
 *
 * Conversions: bytes become a tree by themselves only where the media type says JSON; else REJECT `chain.form` ("add a
 * decode step"). A tree becomes compact JSON at the end, or where a step takes bytes. */
#ifndef FERRULE_TRANSFORMERS_CHAIN_H
#define FERRULE_TRANSFORMERS_CHAIN_H

#include "base/transformer.h"

/* Beside what follows it a step may send items along a branch: steps of its own, then a topic. */
struct chain_branch {
	const char *topic;
	const char *label; /* its part in the identity of what comes out of it; unique in the flow for what may meet */
	const struct chain_step *steps;
	size_t steps_count;
};

struct chain_step {
	const struct transformer_ops *ops;
	const void *settings;
	const char *label; /* "map:acme-850-to-order.jq" */
	const char *used;  /* said with its refusals: "in snippets/prices.yaml:4, used at flows/a.yaml:7"; or NULL */
	const struct chain_branch *branches; /* as many as its ops name */
	size_t branches_count;
	const struct chain_branch *on_reject; /* what it refuses goes on here and is not dead; NULL: it is dead */
};

/* Attributes of messages that a chain reads again: $envelope.name where a step gave the document another, and
 * item.stands in hexadecimal. No header of a peer has such a name. */
#define CHAIN_ATTR_NAME "ferrule:name"
#define CHAIN_ATTR_STANDS "ferrule:stands"

struct chain_limits {                  /* 0: the default */
	size_t tree_max;               /* bytes that may become one tree; 64 MiB */
	uint64_t outputs_max;          /* of one input; 1,000,000 */
	uint64_t document_max;         /* bytes that a step may make of one document; 10 GiB */
	const char *spill;             /* a directory for what is large (spill.h); copied */
	struct expression_limits step; /* of one expression */
};

/* What comes out. Everything is borrowed for the call. */
struct chain_output {
	const char *topic;       /* NULL: the flow's own end (publish: or to:) */
	const struct hold *hold; /* not NULL: it waits in a durable step, which is the last of this chain */
	const char *step;        /* its label, or that of the branch, or "out" */
	struct id id;
	struct reader *body;   /* final bytes; take a reference with reader_ref */
	struct id body_digest; /* SHA-256 of them */
	struct id stands;      /* as of struct item */
	struct span media_type;
	struct item *item; /* path, position, offset, length, group, contract, keys; ->tree when there is one */
};

/* All return 0, or -1 with the error set to stop (RETRY or FATAL): chain_run returns it. */
struct chain_events {
	void *arg;
	bool bare; /* outputs have no id and no digest, and there is no limit to their number */
	int (*publish)(void *arg, const struct chain_output *, struct error *);
	/* step: a label, or "out". content: what the step had in hand, cut to 64 KiB. */
	int (*dead)(void *arg, const struct item *, const char *step, const struct error *why, struct span content,
		    struct error *);
	int (*drop)(void *arg, const struct item *, const char *step, const char *why, struct error *);
	int (*tick)(void *arg, struct error *); /* NULL: none */
	/* For out_lookup and out_remember; NULL: there is no store here, and what asks it is REJECT `lookup.offline`.
	 */
	int (*lookup)(void *arg, const char *table, json_t *keys, json_t **values, struct error *);
	int (*remember)(void *arg, const struct item *, const char *table, struct span key, json_t *value, bool replace,
			struct error *);
	/* This is what its contract says, as a step of this chain found; it has a tree. NULL: nobody wants to know. */
	void (*valid)(void *arg, const struct item *);
	/* This group has so many parts; after the last of them. NULL: nobody wants to know. */
	int (*group)(void *arg, struct span group, uint32_t size, struct error *);
};

struct chain;
struct site;
struct flow;
/* Opens the steps. Settings, labels and topics are borrowed until chain_free, the arrays only for the call. NULL:
 * FATAL, or REJECT when a step cannot be made ready. */
struct chain *chain_new(const char *flow, const struct chain_step *, size_t n, const struct transformer_context *,
			const struct chain_limits *, struct error *);
void chain_free(struct chain *); /* NULL is legal */

/* The same for the steps of a flow (of one of its segments: site.h), with the site's contracts and limits. */
struct chain *chain_of_flow_new(const struct site *, const struct flow *, size_t segment, struct error *);

/* Runs one message, whose body must be at hand. 0: everything that came of it was handed over. -1: RETRY or FATAL,
 * nothing may be settled. May block on local disk. Not to be called from its own callbacks. */
int chain_run(struct chain *, const struct message *, const struct chain_events *, struct error *);

/* For callbacks. $envelope of the item at the end of the chain, and its body as a tree for expressions (order keys,
 * addresses): the item's own, or parsed from JSON bytes. Borrowed for the callback. chain_input: REJECT `chain.form`
 * when it is no JSON; then use an input with body json_null(). */
json_t *chain_envelope(struct chain *, const struct item *);
int chain_input(struct chain *, struct item *, struct expression_input *, struct error *);

/* Looks up and notes in such tables, which are a map of maps: for those who run a chain without a site. */
json_t *stores_lookup_new(json_t *stores, const char *table, json_t *keys);
void stores_remember(json_t *stores, const char *table, struct span key, json_t *value, bool replace);

/* ---- by hand: the verbs decode, map, validate and encode */
struct chain_report {
	uint64_t outputs, dead, dropped;
};
/* Runs a document that belongs to no flow through the chain. Outputs are written to `out`: trees as one JSON text a
 * line (or TREE_PRETTY), bytes as they are. Each dead letter and drop is handed to `tell` (may be NULL). name and
 * media_type may be empty. */
struct chain_hand {
	unsigned flags;  /* enum tree_flag */
	int64_t time_ms; /* what `now` says */
	int (*write)(void *arg, struct span bytes, struct error *);
	void (*tell)(void *arg, const char *step, struct span position, const struct error *why /* NULL: dropped */,
		     const char *dropped, const json_t *findings /* of a decoder, or NULL */);
	void *arg;
	/* Each output is a document of its own, which begins here; `name` is $envelope.name. NULL: they are written one
	 * behind the other. */
	int (*begin)(void *arg, struct span name, struct error *);
	json_t *stores; /* {TABLE: {KEY: value}}: where enrich looks and remember writes; NULL: there is no store */
};
int chain_run_by_hand(struct chain *, struct reader *body, struct span name, struct span media_type,
		      const struct chain_hand *, struct chain_report *, struct error *);

#endif
