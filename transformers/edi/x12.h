/* What the files of X12 share: x12.c (reading), x12_isa.c (the header of an interchange), x12_encode.c (writing). */
#ifndef FERRULE_TRANSFORMERS_X12_H
#define FERRULE_TRANSFORMERS_X12_H

#include "transformers/edi/edi.h"

#define X12_ISA_ELEMENTS 17 /* with its name */
#define X12_ISA_SEEN 2048   /* bytes that x12_read_isa looks at, where the document has them */

extern const uint8_t x12_isa_lengths[X12_ISA_ELEMENTS];

/* From bytes that begin with ISA, at start->offset: fills header and end of start, and the separators. REJECT. */
int x12_read_isa(struct span, struct edi_start *, struct edi_syntax *, struct error *why);
/* Each element has its length. */
bool x12_isa_is_fixed(const struct edi_syntax *, struct span isa);

#endif
