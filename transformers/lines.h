/* Lines of JSON on their way out of a decoder: an item each, or, by hand, many at once. */
#ifndef FERRULE_TRANSFORMERS_LINES_H
#define FERRULE_TRANSFORMERS_LINES_H

#include "base/transformer.h"

struct lines {
	struct item *whole; /* what the step was given */
	struct out *out;
	struct buf json; /* the line in hand is at its end, from `start` on; no maximum */
	size_t start;
	bool in_pieces;
	uint64_t count; /* emitted or refused */
};

void lines_begin(struct lines *, struct item *whole, struct out *);
void lines_end(struct lines *);
/* The line is complete: line number `count` + 1, one level down, with its place in the document ("record 3 at byte
 * 120").
 */
int lines_emit(struct lines *, const char *what, uint64_t offset, uint64_t length, struct error *);
/* What was written of it is forgotten; `why` gets the place in front. */
int lines_reject(struct lines *, const char *what, uint64_t offset, uint64_t length, struct error *why, struct error *);
int lines_emit_whole(struct lines *, struct error *); /* one document for what the step was given */
int lines_flush(struct lines *, struct error *); /* at the end */

#endif
