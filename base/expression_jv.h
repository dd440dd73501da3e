/* jansson's trees to libjq's values and back. Only for expression.c: the two are libjq's fence. */
#ifndef FERRULE_BASE_EXPRESSION_JV_H
#define FERRULE_BASE_EXPRESSION_JV_H

#include <jansson.h>
#include <jv.h>

#include "base/error.h"

/* Invalid, with REJECT `jq.number` (names the path) for an integer that no double can hold, or `jq.depth`. */
jv jv_from_tree(const json_t *, struct error *);
/* Takes the value. A new reference, or NULL with REJECT `jq.depth`, `jq.text`. Integral doubles become integers, NaN
 * null. */
json_t *tree_from_jv(jv, struct error *);

#endif
