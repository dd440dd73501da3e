/* Lines of JSON. See lines.h. */
#include "config.h"
#include "transformers/lines.h"

#include <stdio.h>

#define PIECE ((size_t)64 * 1024)

void lines_begin(struct lines *lines, struct item *whole, struct out *out)
{
	*lines = (struct lines){.whole = whole, .out = out, .in_pieces = out_in_pieces(out)};
	buf_init(&lines->json, SIZE_MAX / 4);
}

void lines_end(struct lines *lines)
{
	buf_free(&lines->json);
}

static struct item *new_item(struct lines *lines, const char *what, uint64_t offset, uint64_t length)
{
	struct item *item = out_item(lines->out, lines->whole);
	char ordinal[24];

	snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)lines->count);
	out_level(lines->out, item, ordinal);
	item->position = span_of(
		arena_printf(out_arena(lines->out), "%s %s at byte %llu", what, ordinal, (unsigned long long)offset));
	item->offset = offset;
	item->length = length;
	return item;
}

static int send(struct lines *lines, struct item *item, struct span text, struct error *error)
{
	item->form = FORM_BYTES;
	item->media_type = SPAN_LITERAL("application/json");
	item->bytes = reader_new_copy(text);
	buf_reset(&lines->json);
	lines->start = 0;
	return out_emit(lines->out, item, error);
}

int lines_flush(struct lines *lines, struct error *error)
{
	size_t len = lines->start;

	if (!len)
		return 0;
	/* The last line end is written behind it. */
	return send(lines, out_item(lines->out, lines->whole), span_make(lines->json.data, len - 1), error);
}

int lines_emit_whole(struct lines *lines, struct error *error)
{
	return send(lines, out_item(lines->out, lines->whole), buf_view(&lines->json), error);
}

int lines_emit(struct lines *lines, const char *what, uint64_t offset, uint64_t length, struct error *error)
{
	lines->count++;
	if (!lines->in_pieces)
		return send(lines, new_item(lines, what, offset, length), buf_view(&lines->json), error);
	buf_char(&lines->json, '\n');
	lines->start = lines->json.len;
	return lines->start < PIECE ? 0 : lines_flush(lines, error);
}

int lines_reject(struct lines *lines, const char *what, uint64_t offset, uint64_t length, struct error *why,
		 struct error *error)
{
	struct item *item;

	lines->count++;
	lines->json.len = lines->start;
	item = new_item(lines, what, offset, length);
	error_wrap(why, "%.*s", SPAN_ARGS(item->position));
	return out_reject(lines->out, item, why, error);
}
