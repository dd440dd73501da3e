/* decode's options of X12, EDIFACT and TRADACOMS. */
#ifndef FERRULE_TRANSFORMERS_EDI_DECODE_H
#define FERRULE_TRANSFORMERS_EDI_DECODE_H

#include "base/option.h"

struct edi_decode_settings {
	const char *charset; /* of the bytes, in place of what headers say; or NULL */
	/* X12 and EDIFACT: */
	struct text_list grammars; /* files of edi/ */
	int form;                  /* plain, nested */
	struct text_list check;    /* levels beyond syntax */
	int keys;                  /* enum edi_keys */
};

#endif
