/* $envelope as JSON. Only for the chain. */
#ifndef FERRULE_TRANSFORMERS_CHAIN_ENVELOPE_H
#define FERRULE_TRANSFORMERS_CHAIN_ENVELOPE_H

#include "base/transformer.h"

/* New references: of the input, and of an item made from it. */
json_t *envelope_of_message(const struct message *);
json_t *envelope_of_item(json_t *of_message, const struct item *);

#endif
