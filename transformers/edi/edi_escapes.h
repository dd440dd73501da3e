/* UNOX: an interchange whose characters are those that escape sequences say (ISO 2022), as UTF-8 for the reader, which
 * knows nothing of it but these calls. The bytes of a character are none of the separators, whatever they look like.
 *
 * Nothing is stored: the text is made anew wherever it is read, from the nearest of some places that were noted when
 * the interchange was gone through for its end. Offsets of the text begin at the interchange's own offset. The objects
 * of packages are handed over as they are. */
#ifndef FERRULE_TRANSFORMERS_EDI_ESCAPES_H
#define FERRULE_TRANSFORMERS_EDI_ESCAPES_H

#include "transformers/edi/edi.h"
#include "transformers/iso2022.h"

struct edi_escapes;

/* From the interchange that starts at start->offset, with what is designated there; the scan has its separators. NULL
 * and 0: it has no escape sequences. -1: as window_get. `state` becomes that of its end. */
int edi_escapes_new(struct edi_escapes **, const struct edi_scan *, const struct edi_start *,
		    struct iso2022_state *state, struct error *);
void edi_escapes_free(struct edi_escapes *);
/* The scan reads the text from now on; and then the document again, from where it was in the text on, or from behind
 * the interchange. `state` is what is designated there. */
void edi_escapes_enter(struct edi_escapes *, struct edi_scan *);
int edi_escapes_leave(struct edi_escapes *, struct edi_scan *, struct iso2022_state *, struct error *);
const struct iso2022_profile *edi_escapes_profile(const struct edi_escapes *);
uint64_t edi_escapes_looked(const struct edi_escapes *); /* bytes of the document that were gone through */
/* The first thing at or behind this offset of the text that is broken, for people; NULL: nothing, up to `to`. *offset:
 * where in the document. */
const char *edi_escapes_fault(struct edi_escapes *, uint64_t from, uint64_t to, uint64_t *offset);
/* Characters of two bytes went on until the end of the interchange: the offset of what called them; 0: they did not. */
uint64_t edi_escapes_unclosed(const struct edi_escapes *);

/* A stretch of the text, what is escaped in it as the encoder writes it by itself, else as `,"escapes":[…]`. 1: the
 * encoder could not write these bytes again; 0; -1. */
int edi_escapes_write(struct edi_escapes *, uint64_t from, uint64_t to, struct buf *, struct error *);

/* ---- encoding (edi_escapes_write.c) */
struct edi_escaping {
	struct iso2022 *sets;
	const struct iso2022_profile *profile; /* NULL: nothing is escaped */
	struct iso2022_state state;
	size_t object_at, object_len; /* bytes of the text that stand as they are */
};

/* One or several escape sequences of a note, for a place in the text. */
struct edi_escape {
	uint64_t at;
	struct span bytes;
};

/* The UTF-8 as the profile writes it; with `notes`, with these escape sequences and no others. -1: it cannot be, and
 * the state is as it was. *foreign: the character that no set has. */
int edi_escaping_put(struct edi_escaping *, struct span utf8, const struct edi_escape *notes, size_t count,
		     struct buf *, uint32_t *foreign);
/* Escape sequences and nothing else; the state after them. */
bool edi_escaping_take(struct iso2022 *, struct iso2022_state *, struct span bytes);

#endif
