/* What a format of `decode` is: a reader of bytes that emits trees. Formats are files of their own; decode.c lists
 * them. */
#ifndef FERRULE_TRANSFORMERS_FORMAT_H
#define FERRULE_TRANSFORMERS_FORMAT_H

#include "base/transformer.h"

struct decode_format {
	const char *name, *help;
	/* Emits one item for each part, rejects what is broken alone. REJECT: the whole document. */
	int (*run)(struct item *, struct out *, struct error *);
};

extern const struct decode_format decode_x12, decode_json, decode_json_lines;

#endif
