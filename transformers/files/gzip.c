/* gzip and gunzip (RFC 1952); the fence around zlib. Checksums and lengths are verified before anything goes on. What
 * is written names no file and no time, so that the same document gives the same bytes. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>
#include <zlib.h>

#include "transformers/files/document.h"

#define GZIP_WINDOW (MAX_WBITS + 16) /* a gzip header and trailer around it */

struct gunzip_settings {
	uint64_t size;
	int64_t ratio;
};

static const struct option gunzip_options[] = {
	{.name = "size",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct gunzip_settings, size),
	 .flags = OPTION_MAIN,
	 .help = "what comes out has at most so many bytes; without it the site's `limits: {document}`"},
	{.name = "ratio",
	 .type = OPTION_INT,
	 .offset = offsetof(struct gunzip_settings, ratio),
	 .fallback = "200",
	 .range = "0..1000000",
	 .help = "past 16 MiB, what comes out is at most so many times as large as what went in; 0: however large"},
	OPTION_END,
};

/* ---- gunzip */
struct inflating {
	const struct gunzip_settings *settings;
	z_stream stream;
	struct spill *spill;
	char *made; /* DOCUMENT_CHUNK */
	bool inside; /* a member has begun and not ended */
	unsigned members;
	uint64_t in;
};

static int damaged(const char *code, const char *text, uint64_t at, struct error *error)
{
	error_set(error, ERROR_REJECT, code, "%s", text);
	error_place(error, "byte %llu", (unsigned long long)at);
	return -1;
}

static int keep(struct inflating *z, size_t n, struct error *error)
{
	uint64_t size = spill_size(z->spill) + n;

	if (z->settings->size && size > z->settings->size)
		return error_set(error, ERROR_REJECT, "gzip.too-large",
				 "more than %llu bytes come out, the limit that the step sets",
				 (unsigned long long)z->settings->size);
	if (document_is_bomb(z->in, size, z->settings->ratio))
		return error_set(error, ERROR_REJECT, "gzip.bomb",
				 "it swells more than %lld times (%llu bytes from %llu): raise `ratio` if that is "
				 "right",
				 (long long)z->settings->ratio, (unsigned long long)size, (unsigned long long)z->in);
	return spill_add(z->spill, z->made, n, error);
}

/* After the last member there may be zeros that fill a block. */
static bool is_filling(struct span rest)
{
	for (size_t i = 0; i < rest.len; i++)
		if (rest.data[i])
			return false;
	return true;
}

static int inflate_some(struct inflating *z, struct document_feed *feed, struct error *error)
{
	int result;

	z->stream.next_out = (Bytef *)z->made;
	z->stream.avail_out = DOCUMENT_CHUNK;
	z->inside = true;
	result = inflate(&z->stream, Z_NO_FLUSH);
	z->in = feed->at - z->stream.avail_in;
	if (keep(z, DOCUMENT_CHUNK - z->stream.avail_out, error) || out_tick(feed->out, error))
		return -1;
	if (result == Z_STREAM_END) {
		z->inside = false;
		z->members++;
		return inflateReset(&z->stream) == Z_OK ? 0 : damaged("gzip.damaged", "zlib gave up", z->in, error);
	}
	if (result == Z_OK || result == Z_BUF_ERROR)
		return 0;
	if (result == Z_MEM_ERROR)
		return error_set(error, ERROR_RETRY, "gzip.memory", "there is no memory to unpack it");
	if (!z->members && z->in < 10)
		return damaged("gzip.form", "this is no gzip file", 0, error);
	return damaged("gzip.damaged", z->stream.msg ? z->stream.msg : "the compressed bytes are damaged", z->in,
		       error);
}

static int inflate_chunk(struct inflating *z, struct document_feed *feed, struct span chunk, struct error *error)
{
	z->stream.next_in = (Bytef *)(uintptr_t)chunk.data;
	z->stream.avail_in = (uInt)chunk.len;
	do {
		struct span rest = span_make(z->stream.next_in, z->stream.avail_in);

		if (!z->inside && z->members && is_filling(rest))
			return 0;
		if (inflate_some(z, feed, error))
			return -1;
	} while (z->stream.avail_in || !z->stream.avail_out);
	return 0;
}

static int inflate_all(struct inflating *z, struct item *item, struct out *out, struct error *error)
{
	struct document_feed feed;
	struct span chunk;
	int more, result = -1;

	document_feed_begin(&feed, item, out);
	while ((more = document_feed_next(&feed, &chunk, error)) > 0)
		if (inflate_chunk(z, &feed, chunk, error))
			goto done;
	if (more < 0)
		goto done;
	if (!feed.at)
		damaged("gzip.form", "this is no gzip file: it is empty", 0, error);
	else if (z->inside)
		damaged("gzip.truncated", "the file ends before its compressed bytes do", feed.at, error);
	else
		result = 0;
done:
	document_feed_end(&feed);
	return result;
}

static struct span without_ending(struct arena *arena, struct span name)
{
	if (span_ends(name, ".gz") || span_ends(name, ".GZ"))
		return span_make(name.data, name.len - 3);
	if (span_ends(name, ".tgz"))
		return span_of(arena_printf(arena, "%.*s.tar", (int)name.len - 4, name.data));
	return name;
}

static int run_gunzip(void *self, struct item *item, struct out *out, struct error *error)
{
	struct inflating z = {.settings = self, .spill = out_spill(out), .made = mem_alloc(DOCUMENT_CHUNK)};
	struct span name = arena_span(out_arena(out), document_name(out, item));
	struct item *made = NULL;
	int failed = inflateInit2(&z.stream, GZIP_WINDOW) == Z_OK
			     ? 0
			     : error_set(error, ERROR_RETRY, "gzip.memory", "there is no memory to unpack it");

	if (!failed) {
		failed = inflate_all(&z, item, out, error);
		inflateEnd(&z.stream);
	}
	free(z.made);
	if (failed)
		spill_free(z.spill);
	else
		made = document_made(out, item, z.spill, document_media_type(without_ending(out_arena(out), name)),
				     error);
	if (!made)
		return -1;
	json_decref(made->tree);
	made->tree = NULL;
	if (name.len)
		out_name(out, made, without_ending(out_arena(out), name));
	return out_emit(out, made, error);
}

const struct transformer_ops gunzip_transformer = {
	.name = "gunzip",
	.help = "Unpacks a gzip file",
	.options = gunzip_options,
	.settings_size = sizeof(struct gunzip_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.run = run_gunzip,
};

/* ---- gzip */
struct gzip_settings {
	int64_t level;
};

static const struct option gzip_options[] = {
	{.name = "level",
	 .type = OPTION_INT,
	 .offset = offsetof(struct gzip_settings, level),
	 .fallback = "6",
	 .range = "1..9",
	 .flags = OPTION_MAIN,
	 .help = "1: fast, 9: small"},
	OPTION_END,
};

static int deflate_chunk(z_stream *stream, struct span chunk, int flush, char *made, struct spill *spill,
			 struct error *error)
{
	stream->next_in = (Bytef *)(uintptr_t)chunk.data;
	stream->avail_in = (uInt)chunk.len;
	do {
		stream->next_out = (Bytef *)made;
		stream->avail_out = DOCUMENT_CHUNK;
		deflate(stream, flush);
		if (spill_add(spill, made, DOCUMENT_CHUNK - stream->avail_out, error))
			return -1;
	} while (!stream->avail_out);
	return 0;
}

static int deflate_all(z_stream *stream, struct item *item, struct out *out, struct spill *spill, struct error *error)
{
	struct document_feed feed;
	char *made = mem_alloc(DOCUMENT_CHUNK);
	struct span chunk;
	int more, failed = 0;

	document_feed_begin(&feed, item, out);
	while (!failed && (more = document_feed_next(&feed, &chunk, error)) != 0)
		failed = more < 0 || deflate_chunk(stream, chunk, Z_NO_FLUSH, made, spill, error);
	if (!failed)
		failed = deflate_chunk(stream, SPAN_NONE, Z_FINISH, made, spill, error);
	document_feed_end(&feed);
	free(made);
	return failed ? -1 : 0;
}

static int run_gzip(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct gzip_settings *settings = self;
	struct spill *spill = out_spill(out);
	struct span name = arena_span(out_arena(out), document_name(out, item));
	z_stream stream = {0};
	struct item *made = NULL;
	int failed = deflateInit2(&stream, (int)settings->level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK
			     ? 0
			     : error_set(error, ERROR_RETRY, "gzip.memory", "there is no memory to pack it");

	if (!failed) {
		failed = deflate_all(&stream, item, out, spill, error);
		deflateEnd(&stream);
	}
	if (failed)
		spill_free(spill);
	else
		made = document_made(out, item, spill, SPAN_LITERAL("application/gzip"), error);
	if (!made)
		return -1;
	if (name.len)
		out_name(out, made, span_of(arena_printf(out_arena(out), "%.*s.gz", SPAN_ARGS(name))));
	return out_emit(out, made, error);
}

const struct transformer_ops gzip_transformer = {
	.name = "gzip",
	.help = "Packs the document as a gzip file",
	.options = gzip_options,
	.settings_size = sizeof(struct gzip_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.run = run_gzip,
};
