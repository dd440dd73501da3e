/* For fuzz targets whose input is lines of text with a body behind an empty one, as people write HTTP by hand. */
#ifndef FERRULE_TESTS_FUZZ_LINES_H
#define FERRULE_TESTS_FUZZ_LINES_H

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts what stands before the first `end` off the front; all, when there is none. */
static inline struct span cut(struct span *text, char end)
{
	struct span piece = *text;

	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] == end) {
			piece.len = i;
			break;
		}
	*text = span_make(text->data + piece.len, text->len - piece.len);
	if (text->len) /* the end itself */
		*text = span_make(text->data + 1, text->len - 1);
	return piece;
}

#endif
