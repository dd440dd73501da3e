/* What makes an output itself, and which part of a document is asked for. Only for the chain. */
#ifndef FERRULE_TRANSFORMERS_CHAIN_IDENTITY_H
#define FERRULE_TRANSFORMERS_CHAIN_IDENTITY_H

#include "base/transformer.h"

struct id identity_of(const struct id *parent, const char *flow, const char *step, const struct item *);
void identity_level(struct arena *, struct item *, const char *ordinal);
void identity_declare(struct arena *, struct item *, const struct span *values, size_t n);

/* Does the item lead to the part, or lie in it? Is it in it? An empty part is everything. */
bool part_touches(struct span part, struct span path);
bool part_holds(struct span part, struct span path);

/* The ids of one input's outputs so far, with what they held. */
struct seen_ids {
	struct seen_id *slots;
	size_t count, size; /* size: 0 or a power of two */
};

enum seen_before { SEEN_FIRST, SEEN_SAME, SEEN_OTHER };
enum seen_before seen_ids_add(struct seen_ids *, const struct id *id, const struct id *digest);
void seen_ids_free(struct seen_ids *);

#endif
