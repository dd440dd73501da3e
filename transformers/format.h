/* What a format of `decode` is: a reader of bytes that emits trees. Formats are files of their own; decode.c lists
 * them. */
#ifndef FERRULE_TRANSFORMERS_FORMAT_H
#define FERRULE_TRANSFORMERS_FORMAT_H

#include "base/transformer.h"

struct decode_settings {
	int format;
	/* x12, edifact, tradacoms */
	const char *charset;
};

struct decode_format {
	const char *name, *help;
	/* Emits one item for each part, rejects what is broken alone. REJECT: the whole document. */
	int (*run)(const struct decode_settings *, struct item *, struct out *, struct error *);
};

extern const struct decode_format decode_x12, decode_edifact, decode_tradacoms, decode_json, decode_json_lines;

#endif
