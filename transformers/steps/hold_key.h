/* The key of a durable step, from a list of jq. Only for collect, resequence and dedupe. */
#ifndef FERRULE_TRANSFORMERS_HOLD_KEY_H
#define FERRULE_TRANSFORMERS_HOLD_KEY_H

#include "base/transformer.h"

#define HOLD_KEYS_MAX 8

/* Sets key and label; the label is in out_arena. No expressions: one key for all. REJECT with this code when one of
 * them gives nothing. */
int hold_key(const struct expression_list *, const char *code, struct item *, struct out *, struct hold *,
	     struct error *);
int hold_key_check(const struct expression_list *, const char *step, struct place, struct findings *);
void hold_key_drop(const struct expression_list *);

#endif
