/* For fuzz targets whose input is lines of text with a body behind an empty one, as people write HTTP by hand. */
#ifndef FERRULE_TESTS_FUZZ_LINES_H
#define FERRULE_TESTS_FUZZ_LINES_H

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts what stands before the first `end` off the front; all, when there is none. */
static inline struct span cut(struct span *text, char end)
{
	const char *at = text->len ? memchr(text->data, end, text->len) : NULL;
	size_t len = at ? (size_t)(at - text->data) : text->len, whole = at ? len + 1 : len;
	struct span piece = span_make(text->data, len);

	*text = whole ? span_make(text->data + whole, text->len - whole) : *text;
	return piece;
}

#endif
