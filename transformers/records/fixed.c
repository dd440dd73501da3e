/* Records of fixed positions, by a layout: decode: fixed-width, encode: fixed-width. See layout.h, fixed.h. */
#include "config.h"
#include "transformers/records/fixed.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/format.h"
#include "transformers/lines.h"
#include "transformers/window.h"

enum { EACH_RECORD, EACH_DOCUMENT };

#define LAYOUT_OPTION                                                                                                  \
	{                                                                                                              \
		.name = "layout", .type = OPTION_FILE, .offset = offsetof(struct fixed_settings, layout),              \
		.range = "layouts", .flags = OPTION_REQUIRED,                                                          \
		.help = "the file under layouts/ that says where fields stand: YAML, or a COBOL copybook (.cpy)"       \
	}

static const struct option decode_options[] = {
	LAYOUT_OPTION,
	{.name = "each",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct fixed_settings, each),
	 .range = "record|document",
	 .fallback = "record",
	 .help = "what goes on by itself: a record, or all of them as `records` of one document"},
	{.name = "records-max",
	 .type = OPTION_INT,
	 .offset = offsetof(struct fixed_settings, records_max),
	 .range = "1..1000000",
	 .fallback = "100000",
	 .help = "records that one document may have, with each: document"},
	OPTION_END,
};

const struct option fixed_encode_options[] = {LAYOUT_OPTION, OPTION_END};

struct fixed_read {
	const struct fixed *fixed;
	const struct layout *layout;
	struct fixed_state state;
	struct window window;
	struct lines lines;
	uint64_t at;                     /* of the record */
	bool mark;                       /* a byte order mark came before it */
	unsigned char ends[2], carriage; /* line ends; 0: none */
	struct span usual;               /* line end, as bytes */
	char usual_bytes[8];
};

/* ---- line ends */
size_t fixed_line_end(const struct layout *layout, const char *utf8, char into[8])
{
	struct span text = span_of(utf8);
	size_t n = 0, len;

	if (layout->set.utf8) {
		memcpy(into, utf8, text.len);
		return text.len;
	}
	for (size_t at = 0; at < text.len && n < 8; at += len ? len : 1) {
		int byte = text_set_byte(&layout->set, span_make(text.data + at, text.len - at), &len);

		if (byte >= 0)
			into[n++] = (char)byte;
	}
	return n;
}

/* A line's length without its end; *end: of how many bytes that is. The end of the document ends a line as well. */
static size_t find_end(const struct fixed_read *r, struct span text, size_t *end)
{
	const char *found = NULL;
	size_t len = 0, step = r->ends[1] ? 1024 : text.len; /* one of the two may stand nowhere */

	while (!found && len < text.len) {
		size_t n = text.len - len < step ? text.len - len : step;
		const char *other;

		found = memchr(text.data + len, r->ends[0], n);
		other = r->ends[1] ? memchr(text.data + len, r->ends[1], found ? (size_t)(found - text.data) - len : n)
				   : NULL;
		found = other ? other : found;
		len = found ? (size_t)(found - text.data) : len + n;
	}
	*end = found != NULL;
	if (*end && len && (unsigned char)text.data[len - 1] == r->carriage) {
		len--;
		++*end;
	}
	return len;
}

static void write_end(struct fixed_read *r, struct span end)
{
	struct buf *json = &r->lines.json;

	if (span_equal(end, r->usual))
		return;
	buf_text(json, ",\"end\":\"");
	for (size_t i = 0; i < end.len; i++) {
		unsigned char byte = (unsigned char)end.data[i], c = r->layout->set.ascii[byte];

		buf_text(json, c == '\r' ? "\\r" : c == '\n' ? "\\n" : "\\u0085");
	}
	buf_char(json, '"');
}

/* ---- a record */
static const struct layout_record *record_of(const struct fixed_read *r, struct span bytes)
{
	const struct layout *layout = r->layout;

	for (size_t i = 0; i < layout->records_count; i++) {
		const struct layout_record *record = &layout->records[i];
		char text[5 * 64];
		size_t n = 0;

		if (!record->conditional)
			return record;
		if (record->when.at + record->when.length > bytes.len)
			continue;
		for (size_t k = 0; k < record->when.length; k++) {
			const char *utf8 = layout->set.utf8_of[(unsigned char)bytes.data[record->when.at + k]];

			memcpy(text + n, utf8, strlen(utf8));
			n += strlen(utf8);
		}
		if (fixed_matches(&record->when, span_make(text, n)))
			return record;
	}
	return NULL;
}

static int write_record(struct fixed_read *r, struct span bytes, struct error *why)
{
	const struct layout_record *record = record_of(r, bytes);

	if (!record)
		return error_set(why, ERROR_REJECT, "fixed-width.record", "it is none of the layout's records");
	return fixed_read_record(&r->state, record, bytes, r->layout->framing != FRAMING_FIXED, &r->lines.json, why);
}

/* `taken`: with what separates it from the next. */
static int take_record(struct fixed_read *r, struct span bytes, struct span end, uint64_t taken, struct error *error)
{
	const struct fixed_settings *settings = r->fixed->settings;
	bool document = settings->each == EACH_DOCUMENT;
	uint64_t at = r->at;
	struct error why;

	if (document && r->lines.count)
		buf_char(&r->lines.json, ',');
	r->at += taken;
	if (write_record(r, bytes, &why)) {
		if (!document)
			return lines_reject(&r->lines, "record", at, taken, &why, error);
		*error = why;
		return error_wrap(error, "record %llu at byte %llu", (unsigned long long)r->lines.count + 1,
				  (unsigned long long)at);
	}
	if (r->layout->framing == FRAMING_LINES)
		write_end(r, end);
	buf_text(&r->lines.json, r->mark ? ",\"before\":\"\\ufeff\"}" : "}");
	r->mark = false;
	if (!document)
		return lines_emit(&r->lines, "record", at, taken, error);
	if (++r->lines.count > (uint64_t)settings->records_max || r->lines.json.len > out_tree_max(r->lines.out))
		return error_set(
			error, ERROR_REJECT, "fixed-width.limit",
			"there are more than %lld records, or they are too large for one document: take each: record",
			(long long)settings->records_max);
	return 0;
}

static int refuse(struct fixed_read *r, uint64_t taken, struct error *why, struct error *error)
{
	uint64_t at = r->at;

	r->at += taken;
	if (r->fixed->settings->each == EACH_RECORD)
		return lines_reject(&r->lines, "record", at, taken, why, error);
	*error = *why;
	return error_wrap(error, "byte %llu", (unsigned long long)at);
}

/* ---- what separates records */
static int skip_line(struct fixed_read *r, struct error *error)
{
	uint64_t start = r->at, at = r->at;
	struct error why;
	struct span got;
	size_t end = 0;

	while (!end && at < r->window.size) {
		if (window_get(&r->window, at, 4096, &got, error))
			return -1;
		at += find_end(r, got, &end) + end;
	}
	error_set(&why, ERROR_REJECT, "fixed-width.limit", "the line is longer than %zu bytes", LAYOUT_RECORD_MAX);
	return refuse(r, at - start, &why, error);
}

/* Empty lines behind a record are kept with its line end, so that writing it gives the same bytes; more than there is
 * room for are dropped, as are those in front of all records. */
static int take_empty(struct fixed_read *r, size_t len, size_t *end, struct span *got, struct error *error)
{
	size_t next = len + *end, more;
	unsigned char byte;

	if (!*end || (next >= got->len && window_get(&r->window, r->at, len + FIXED_END_MAX, got, error)))
		return *end ? -1 : 0;
	byte = next < got->len ? (unsigned char)got->data[next] : 0;
	if (next >= got->len || (byte != r->ends[0] && byte != r->carriage && (!r->ends[1] || byte != r->ends[1])))
		return 0;
	if (window_get(&r->window, r->at, len + FIXED_END_MAX, got, error))
		return -1;
	for (;;) {
		size_t room = len + FIXED_END_MAX < got->len ? len + FIXED_END_MAX : got->len;

		next = len + *end;
		if (next >= room || find_end(r, span_make(got->data + next, room - next), &more) || !more)
			return 0;
		*end += more;
	}
}

static int take_line(struct fixed_read *r, struct error *error)
{
	size_t want = 4096, len, end;
	struct span got;

	for (;;) {
		if (window_get(&r->window, r->at, want, &got, error))
			return -1;
		len = find_end(r, got, &end);
		if (len > LAYOUT_RECORD_MAX)
			return skip_line(r, error);
		if (end || r->at + got.len >= r->window.size)
			break;
		want = got.len * 2;
	}
	if (!len) {
		r->at += end;
		return out_drop(r->lines.out, out_item(r->lines.out, r->lines.whole), "an empty line", error);
	}
	if (take_empty(r, len, &end, &got, error))
		return -1;
	return take_record(r, span_make(got.data, len), span_make(got.data + len, end), len + end, error);
}

static int take_fixed(struct fixed_read *r, struct error *error)
{
	size_t length = r->layout->length;
	struct error why;
	struct span got;

	if (window_get(&r->window, r->at, length, &got, error))
		return -1;
	if (got.len >= length)
		return take_record(r, span_make(got.data, length), SPAN_NONE, length, error);
	error_set(&why, ERROR_REJECT, "fixed-width.length", "the document ends with %zu bytes, and a record has %zu",
		  got.len, length);
	return refuse(r, got.len, &why, error);
}

/* A record descriptor word: its length with these four bytes, and two zero bytes. */
static int take_described(struct fixed_read *r, struct error *error)
{
	uint64_t left = r->window.size - r->at;
	struct error why;
	struct span got;
	size_t length;

	if (window_get(&r->window, r->at, FIXED_RDW, &got, error))
		return -1;
	length = got.len < FIXED_RDW ? 0 : (size_t)((unsigned char)got.data[0] << 8 | (unsigned char)got.data[1]);
	if (length < FIXED_RDW || length > left || got.data[2] || got.data[3]) {
		error_set(&why, ERROR_REJECT, "fixed-width.rdw",
			  "there is no record descriptor word: two bytes of length, then two zero bytes, and that many "
			  "bytes");
		return refuse(r, left, &why, error);
	}
	if (window_get(&r->window, r->at, length, &got, error))
		return -1;
	return take_record(r, span_make(got.data + FIXED_RDW, length - FIXED_RDW), SPAN_NONE, length, error);
}

static int take_next(struct fixed_read *r, struct error *error)
{
	switch (r->layout->framing) {
	case FRAMING_LINES:
		return take_line(r, error);
	case FRAMING_FIXED:
		return take_fixed(r, error);
	case FRAMING_RDW:
		break;
	}
	return take_described(r, error);
}

/* ---- a document */
static int begin(struct fixed_read *r, struct item *item, struct out *out, struct error *error)
{
	const struct layout *layout = r->layout;
	char bytes[8];
	struct span head;

	r->state.layout = layout;
	window_begin(&r->window, item->bytes, out);
	lines_begin(&r->lines, item, out);
	r->lines.in_pieces = r->lines.in_pieces && r->fixed->settings->each == EACH_RECORD;
	r->usual = span_make(r->usual_bytes, fixed_line_end(layout, layout->line_end, r->usual_bytes));
	r->ends[0] = layout->set.byte_of['\n'];
	r->carriage = layout->set.byte_of['\r'];
	if (layout->set.byte_of['0'] == 0xf0 && fixed_line_end(layout, "\xc2\x85", bytes))
		r->ends[1] = (unsigned char)bytes[0];
	if (!strcmp(layout->line_end, "\r"))
		r->ends[1] = r->carriage;
	if (window_get(&r->window, 0, 3, &head, error))
		return -1;
	if (layout->set.utf8 && layout->framing == FRAMING_LINES && head.len >= 3 &&
	    !memcmp(head.data, FIXED_MARK, 3)) {
		r->mark = true;
		r->at = 3;
	}
	if (r->at >= r->window.size)
		return error_set(error, ERROR_REJECT, "fixed-width.empty", "the document is empty");
	return 0;
}

static int read_records(struct fixed_read *r, struct error *error)
{
	bool document = r->fixed->settings->each == EACH_DOCUMENT;

	if (document)
		buf_text(&r->lines.json, "{\"format\":\"fixed-width\",\"records\":[");
	while (r->at < r->window.size)
		if (take_next(r, error))
			return -1;
	if (!document)
		return lines_flush(&r->lines, error);
	buf_text(&r->lines.json, "]}");
	return lines_emit_whole(&r->lines, error);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct fixed *fixed = self;
	struct fixed_read *r = mem_alloc(sizeof *r);
	int failed;

	r->fixed = fixed;
	r->layout = fixed->layout;
	failed = begin(r, item, out, error) || read_records(r, error);
	lines_end(&r->lines);
	window_end(&r->window);
	free(r);
	return failed ? -1 : 0;
}

/* ---- settings */
int fixed_check(const void *of, const struct transformer_context *context, struct place place,
		struct findings *findings)
{
	const struct fixed_settings *settings = of;
	struct layout *layout = layout_new(settings->layout, context, findings);

	layout_free(layout);
	return layout ? 0 : -1;
}

void *fixed_open(const void *of, const struct transformer_context *context, struct error *error)
{
	const struct fixed_settings *settings = of;
	struct findings findings;
	struct fixed *fixed = NULL;
	struct layout *layout;

	findings_init(&findings);
	layout = layout_new(settings->layout, context, &findings);
	if (layout) {
		fixed = mem_alloc(sizeof *fixed);
		*fixed = (struct fixed){settings, layout};
	} else {
		error_set(error, ERROR_REJECT, findings.list[0].code, "%s:%d: %s", findings.list[0].place.file,
			  findings.list[0].place.line, findings.list[0].text);
	}
	findings_free(&findings);
	return fixed;
}

void fixed_close(void *self)
{
	struct fixed *fixed = self;

	layout_free(fixed->layout);
	free(fixed);
}

const struct decode_format decode_fixed_width = {
	.name = "fixed-width",
	.help = "Records whose fields have places, by a layout or a COBOL copybook",
	.more = {decode_options, sizeof(struct fixed_settings)},
	.check = fixed_check,
	.open = fixed_open,
	.close = fixed_close,
	.run = run,
};
