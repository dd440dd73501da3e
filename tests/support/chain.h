/* Chains for tests: made from JSON, and what comes of a document as JSON lines. */
#ifndef FERRULE_TESTS_CHAIN_H
#define FERRULE_TESTS_CHAIN_H

#include "transformers/chain.h"
#include "transformers/transformers.h"

struct made_chain {
	struct chain *chain;
	struct arena *arena;
	json_t *config;
	const char *directory; /* where mappings lie */
};

/* config: {"media_type": "…", "steps": [{"decode": "x12"}, …], "contracts": {"order/v1": {…}}, "tables": {"a.csv":
 * [{…}]}, "stores": {"ids": {KEY: value}}}. Ends the test on
 * mistakes. */
struct made_chain *made_chain_new(const char *config, const char *directory, const char *flow,
				  const struct chain_limits *);
void made_chain_free(struct made_chain *);

struct came {
	struct buf lines;
	bool with_ids, with_groups; /* "groups": true in the config: a line for each group that is told at its end */
	unsigned published, dead, dropped, asked; /* asked: questions to the store */
	json_t *stores;                           /* borrowed */
	size_t content_len;
};

int made_chain_run(struct made_chain *, struct span body, struct span part, struct came *, struct error *);

#endif
