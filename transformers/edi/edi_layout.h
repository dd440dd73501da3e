/* What of a document's bytes the JSON form does not say by itself: line ends at other places than behind each
 * terminator, release characters that were not needed. Kept as a list of what stands where in the text that the encoder
 * would write, so that it can write the same bytes again. Most documents have none. */
#ifndef FERRULE_TRANSFORMERS_EDI_LAYOUT_H
#define FERRULE_TRANSFORMERS_EDI_LAYOUT_H

#include "transformers/edi/edi.h"

#define EDI_LAYOUT_MAX (1u << 28) /* bytes of the list; past them the line is refused */

struct edi_drop;

struct edi_layout {
	struct buf notes; /* ,[offset,"text"] or ,[offset,"text",drop] each */
	uint64_t length;  /* of what the encoder would have written so far */
};

struct edi_layout_mark {
	size_t notes;
	uint64_t length;
};

struct edi_layout_mark edi_layout_mark(const struct edi_layout *);
void edi_layout_return(struct edi_layout *, struct edi_layout_mark); /* forgets what came since */
void edi_layout_reset(struct edi_layout *);
/* The text stands at the end of what was written so far, in place of its last `drop` bytes. */
void edi_layout_note(struct edi_layout *, uint64_t at, struct span text, size_t drop);
/* White space in front of a segment, where the suffix would be written. */
void edi_layout_filler(struct edi_layout *, const struct edi_syntax *, struct span filler);
/* A segment as it came; `text` with its line ends. `look`: it has some, or needless release characters. */
void edi_layout_segment(struct edi_layout *, const struct edi_syntax *, struct span text, bool look);
/* The same for one that the nested form does not tell all separators of: `drops`, in the text without line ends. */
void edi_layout_dropped(struct edi_layout *, const struct edi_syntax *, struct span text, bool look,
			const struct edi_drop *drops, size_t count);
/* `,"layout":[…]`, or nothing. */
void edi_layout_write(struct edi_layout *, struct buf *);

#endif
