/* The transformers that exist; services/registry.c lists them. */
#ifndef FERRULE_TRANSFORMERS_TRANSFORMERS_H
#define FERRULE_TRANSFORMERS_TRANSFORMERS_H

#include "base/transformer.h"

extern const struct transformer_ops decode_transformer, encode_transformer, filter_transformer, map_transformer,
	route_transformer, split_transformer, use_transformer, validate_transformer;

#endif
