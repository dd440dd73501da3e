/* decode's options of X12, EDIFACT and TRADACOMS. */
#ifndef FERRULE_TRANSFORMERS_EDI_DECODE_H
#define FERRULE_TRANSFORMERS_EDI_DECODE_H

#include "base/transformer.h"

struct edi_decode_settings {
	const char *charset; /* of the bytes, in place of what headers say; or NULL */
	/* X12 and EDIFACT: */
	struct text_list grammars; /* files of edi/ */
	int form;                  /* plain, nested */
	struct text_list check;    /* levels beyond syntax */
	int keys;                  /* enum edi_keys */
};

/* For others who read such documents. */
struct edi_decoder;
struct edi_judge;
unsigned edi_check_level_of(const char *word); /* enum edi_check_level; 0: it is none */
/* format: "x12", "edifact". */
int edi_decoder_check(const struct edi_decode_settings *, const char *format, const struct transformer_context *,
		      struct place, struct findings *);
struct edi_decoder *edi_decoder_new(const struct edi_decode_settings *, const char *format,
				    const struct transformer_context *, struct error *);
struct edi_judge *edi_decoder_judge(const struct edi_decoder *); /* NULL: nothing is judged */
void edi_decoder_free(struct edi_decoder *);

#endif
