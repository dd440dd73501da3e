/* The sliding window. See window.h. */
#include "config.h"
#include "transformers/window.h"

#include <stdlib.h>

#define CHUNK (128u * 1024)
#define KEEP (256u * 1024) /* looking back this far costs nothing */

void window_begin(struct window *window, struct reader *reader, struct out *out)
{
	memset(window, 0, sizeof *window);
	window->reader = reader;
	window->out = out;
	window->size = reader_size(reader);
}

void window_begin_over(struct window *window, ssize_t (*source)(void *, uint64_t, void *, size_t, struct error *),
		       void *arg, uint64_t size, struct out *out)
{
	memset(window, 0, sizeof *window);
	window->source = source;
	window->arg = arg;
	window->out = out;
	window->size = size;
}

void window_end(struct window *window)
{
	free(window->data);
}

/* Drops what lies before offset when it has become too much, or everything when offset lies elsewhere. */
static void move_to(struct window *window, uint64_t offset)
{
	size_t before;

	if (offset < window->base || offset > window->base + window->len) {
		window->base = offset;
		window->len = 0;
		return;
	}
	before = (size_t)(offset - window->base);
	if (before < KEEP)
		return;
	memmove(window->data, window->data + before, window->len - before);
	window->base = offset;
	window->len -= before;
}

ssize_t window_peek(struct window *window, uint64_t offset, void *into, size_t len, struct error *error)
{
	if (window->source)
		return window->source(window->arg, offset, into, len, error);
	return reader_read(window->reader, offset, into, len, error);
}

static int fill(struct window *window, struct error *error)
{
	uint64_t at = window->base + window->len;
	ssize_t n;

	window->data = mem_grow(window->data, &window->capacity, window->len + CHUNK + WINDOW_SLACK, 1);
	n = window_peek(window, at, window->data + window->len, CHUNK, error);
	if (n < 0 || out_tick(window->out, error))
		return -1;
	window->len += (size_t)n;
	return 0;
}

int window_get(struct window *window, uint64_t offset, size_t want, struct span *got, struct error *error)
{
	if (offset > window->size)
		offset = window->size;
	if (want > window->size - offset)
		want = (size_t)(window->size - offset);
	if (offset < window->base || window->base + window->len < offset + want) {
		move_to(window, offset);
		while (window->base + window->len < offset + want)
			if (fill(window, error))
				return -1;
	}
	*got = window->len ? span_make(window->data + (offset - window->base),
				       window->len - (size_t)(offset - window->base))
			   : SPAN_NONE; /* of an empty document there is no data to point into */
	return 0;
}
