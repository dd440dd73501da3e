/* What steps over whole files share. See document.h. */
#include "config.h"
#include "transformers/files/document.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"

#define BOMB_LEAST (16u << 20)

struct span document_name(struct out *out, const struct item *item)
{
	json_t *name = json_object_get(out_envelope(out, item), "name");

	return document_base(span_make(json_string_value(name), json_string_length(name)));
}

struct span document_base(struct span path)
{
	for (size_t i = path.len; i > 0; i--)
		if (path.data[i - 1] == '/' || path.data[i - 1] == '\\')
			return span_make(path.data + i, path.len - i);
	return path;
}

struct span document_media_type(struct span name)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
		{".json", "application/json"}, {".xml", "application/xml"},  {".csv", "text/csv"},
		{".txt", "text/plain"},        {".pdf", "application/pdf"},  {".gz", "application/gzip"},
		{".zip", "application/zip"},   {".pgp", "application/pgp-encrypted"},
		{".gpg", "application/pgp-encrypted"},
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t n = strlen(types[i].ending);

		if (name.len > n && !strncasecmp(name.data + name.len - n, types[i].ending, n))
			return span_of(types[i].type);
	}
	return SPAN_LITERAL("application/octet-stream");
}

void document_feed_begin(struct document_feed *feed, struct item *item, struct out *out)
{
	*feed = (struct document_feed){.bytes = item->bytes, .out = out, .chunk = mem_alloc(DOCUMENT_CHUNK)};
}

void document_feed_end(struct document_feed *feed)
{
	free(feed->chunk);
	feed->chunk = NULL;
}

int document_feed_next(struct document_feed *feed, struct span *bytes, struct error *error)
{
	ssize_t n = reader_read(feed->bytes, feed->at, feed->chunk, DOCUMENT_CHUNK, error);

	*bytes = SPAN_NONE;
	if (n < 0 || (n && out_tick(feed->out, error)))
		return -1;
	feed->at += (uint64_t)n;
	*bytes = span_make(feed->chunk, (size_t)n);
	return n > 0;
}

bool document_is_bomb(uint64_t in, uint64_t out, int64_t ratio)
{
	return ratio && out > BOMB_LEAST && out / (uint64_t)ratio > in;
}

struct item *document_made(struct out *out, const struct item *from, struct spill *spill, struct span media_type,
			   struct error *error)
{
	struct reader *bytes = spill_take(spill, error);
	struct item *made;

	if (!bytes)
		return NULL;
	made = out_item(out, from);
	made->form = FORM_BYTES;
	made->bytes = bytes;
	made->tree = json_incref(from->tree);
	made->media_type = media_type;
	return made;
}
