/* Plain paths, evaluated on jansson's trees with jq's semantics. Within base/ only. */
#ifndef FERRULE_BASE_EXPRESSION_PATH_H
#define FERRULE_BASE_EXPRESSION_PATH_H

#include <jansson.h>

#include "base/error.h"
#include "base/mem.h"

struct path_step {
	const char *key; /* NULL: an index */
	int index;       /* negative: from the end */
};

struct path {
	bool envelope; /* starts at $envelope */
	size_t count;
	struct path_step steps[];
};

/* NULL: not a plain path; libjq has to look at it. */
struct path *path_parse(struct arena *, struct span text);
/* Borrowed from root; NULL inside *result never: a missing value is json_null(). -1 with jq's message (no class, no
 * place: the caller says them). */
int path_follow(const struct path *, json_t *root, json_t **result, struct error *);

#endif
