/* A sliding window over a document, so that a decoder never holds more of it than the part in hand. */
#ifndef FERRULE_TRANSFORMERS_WINDOW_H
#define FERRULE_TRANSFORMERS_WINDOW_H

#include "base/transformer.h"

#define WINDOW_SLACK 64 /* bytes behind those of the window that may be read (and mean nothing) */

struct window {
	struct reader *reader; /* borrowed */
	/* Where the bytes come from, when not from the reader itself; as reader_read. */
	ssize_t (*source)(void *arg, uint64_t offset, void *into, size_t len, struct error *);
	void *arg;
	struct out *out;       /* told of progress */
	char *data;
	uint64_t base, size; /* offset of data[0]; size of the document */
	size_t len, capacity;
};

void window_begin(struct window *, struct reader *, struct out *);
void window_end(struct window *);
/* The same over something else than a reader: `size` bytes of the source. */
void window_begin_over(struct window *, ssize_t (*source)(void *, uint64_t, void *, size_t, struct error *), void *arg,
		       uint64_t size, struct out *);
/* A few bytes elsewhere, without moving it; as reader_read. */
ssize_t window_peek(struct window *, uint64_t offset, void *into, size_t len, struct error *);
/* The bytes at offset: at least `want` of them, less only where the document ends, often more. Borrowed until the next
 * call. -1: RETRY, or told to stop. */
int window_get(struct window *, uint64_t offset, size_t want, struct span *, struct error *);

#endif
