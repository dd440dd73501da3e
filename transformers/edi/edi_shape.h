/* The shape of a segment: which separators it has, and which of its cells are empty. Two segments of one shape differ
 * in nothing but their text, so that what was found out about one of them goes for the other. See edi_steps.c. */
#ifndef FERRULE_TRANSFORMERS_EDI_SHAPE_H
#define FERRULE_TRANSFORMERS_EDI_SHAPE_H

#include "transformers/edi/edi.h"

#define EDI_SHAPE_MAX 32 /* separators, the terminator included */

struct edi_shape {
	/* The lower half: which separators are of components, and the terminator; the upper: which follow another. */
	uint64_t bits;
	uint32_t cells;                 /* behind the tag */
	uint32_t at[EDI_SHAPE_MAX + 8]; /* where the separators are: cell i lies between at[i] and at[i + 1] */
};

/* Of the segment at p, its tag included, of whose end nothing is known but that a terminator stands at `limit` at the
 * latest, behind which WINDOW_SLACK bytes may be read. The terminator; NULL: it has something else than text and
 * separators, or more than is kept. */
typedef const char *edi_shape_taking(const struct edi_syntax *, const char *p, struct edi_shape *);
/* The way to take shapes that is best on this processor; NULL: there is none. */
edi_shape_taking *edi_shape_way(void);

#endif
