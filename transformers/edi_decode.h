/* decode's options that X12, EDIFACT and TRADACOMS have in common. */
#ifndef FERRULE_TRANSFORMERS_EDI_DECODE_H
#define FERRULE_TRANSFORMERS_EDI_DECODE_H

#include "transformers/edi.h"

struct edi_decode_settings {
	const char *charset; /* of the bytes, in place of what headers say; or NULL */
};

extern const struct option edi_decode_options[];
#define EDI_DECODE_MORE                                                                                                \
	{                                                                                                              \
		edi_decode_options, sizeof(struct edi_decode_settings)                                                 \
	}

/* struct decode_format's. */
int edi_check(const void *settings, const struct transformer_context *, struct place, struct findings *);
int edi_run(const struct edi_dialect *, const struct edi_decode_settings *, struct item *, struct out *,
	    struct error *);

#endif
