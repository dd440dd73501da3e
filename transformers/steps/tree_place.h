/* Places in a tree that steps write to: `.price`, `.a."b c"`, and elements of arrays: `.lines[]`, `.orders[].lines[]`.
 * Trees are shared, so what is on the way to a place is copied, and nothing else. */
#ifndef FERRULE_TRANSFORMERS_TREE_PLACE_H
#define FERRULE_TRANSFORMERS_TREE_PLACE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"

struct tree_place;
/* elements: the text ends in [] and may have others; else it has none. NULL: it is no such path. */
struct tree_place *tree_place_new(struct arena *, const char *text, bool elements);
/* A new tree, like the one given but for the value at the place. REJECT `tree.place` where something else stands in the
 * way. */
int tree_place_put(const struct tree_place *, json_t *tree, json_t *value, json_t **with, struct error *);
/* Calls back with each element, and makes a new tree of what it gives (a new reference); place NULL: with the tree
 * itself. An array that is not there has no elements; REJECT `tree.place` where there is something else. */
typedef int tree_place_fn(void *arg, json_t *element, json_t **with, struct error *);
int tree_place_each(const struct tree_place *, json_t *tree, tree_place_fn *, void *arg, json_t **with, struct error *);

#endif
