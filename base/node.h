/* A tree as YAML gives it: mappings, lists and scalars that remember their place. Scalars are what was typed; the
 * option that reads them decides their type. Everything lives in the arena that it was read into. */
#ifndef FERRULE_BASE_NODE_H
#define FERRULE_BASE_NODE_H

#include "base/finding.h"

enum node_type { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_type type;
	struct place place;
	struct span text;    /* NODE_SCALAR; after ${VAR} was replaced */
	struct span written; /* NODE_SCALAR; before, where there was one; else len 0 */
	bool quoted;         /* NODE_SCALAR: 'x' or "x"; a plain empty scalar is null */
	struct pair *pairs;  /* NODE_MAP, in the order of the file; keys are unique */
	struct node **items; /* NODE_LIST */
	size_t count;        /* of pairs or items */
};

struct pair {
	struct node key; /* a scalar, for its place */
	struct node *value;
};

const struct node *node_find(const struct node *map, const char *key); /* NULL when absent, or not a map */

#endif
