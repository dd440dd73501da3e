/* What a format of `decode` is: a reader of bytes that emits trees. Formats are files of their own; decode.c lists
 * them. */
#ifndef FERRULE_TRANSFORMERS_FORMAT_H
#define FERRULE_TRANSFORMERS_FORMAT_H

#include "base/transformer.h"

struct decode_format {
	const char *name, *help; /* help: "ASC X12 interchanges, a transaction set each" */
	struct option_more more; /* its options and the struct that they fill, which `self` below is; none: NULL, 0 */
	/* What the option table cannot check, offline. NULL: nothing. */
	int (*check)(const void *settings, const struct transformer_context *, struct place, struct findings *);
	/* Makes it ready in a transform process; NULL: the settings are used as they are. */
	void *(*open)(const void *settings, const struct transformer_context *, struct error *);
	void (*close)(void *self);
	/* Emits one item for each part, rejects what is broken alone. REJECT: the whole document. */
	int (*run)(void *self, struct item *, struct out *, struct error *);
};

/* A dictionary, grammar or overlay in edi/ (transformers/edi/edi_grammar_set.c). */
void edi_file_check(const struct transformer_context *, const char *folder, const char *name, struct findings *);

extern const struct decode_format decode_x12, decode_edifact, decode_tradacoms, decode_json, decode_json_lines,
	decode_csv, decode_xml, decode_fixed_width, decode_idoc, decode_mt940, decode_bai2, decode_nacha;

#endif
