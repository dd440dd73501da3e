/* What the encoder wrote as UTF-8, escaped: a line at a time, as its `escapes` say or as its character set is usually
 * written. See edi_encode.h. */
#include "config.h"
#include "transformers/edi/edi_encode.h"

#include <stdlib.h>
#include <strings.h>

#define ESCAPE_BYTES 8192 /* of a note, at most */

/* Each character is a byte. */
static bool take_bytes_of(const json_t *text, struct buf *bytes)
{
	const unsigned char *p = (const unsigned char *)json_string_value(text);
	size_t n = json_string_length(text);

	if (!json_is_string(text) || n > ESCAPE_BYTES)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x80) {
			buf_char(bytes, (char)p[i]);
		} else if ((p[i] == 0xc2 || p[i] == 0xc3) && i + 1 < n) {
			buf_char(bytes, (char)((p[i] & 3) << 6 | (p[i + 1] & 0x3f)));
			i++;
		} else {
			return false;
		}
	}
	return true;
}

struct notes {
	struct edi_escape *list;
	size_t count;
	struct buf bytes;
};

/* False: they are not of a text of this length, or none at all. */
static bool read_notes(const json_t *escapes, size_t len, struct notes *notes)
{
	size_t n = json_array_size(escapes), at = 0;

	if (!n || json_integer_value(json_array_get(escapes, 0)) != (json_int_t)len)
		return false;
	notes->list = mem_resize(NULL, n * sizeof *notes->list);
	for (size_t i = 1; i < n; i++) {
		const json_t *note = json_array_get(escapes, i);
		json_int_t place = json_integer_value(json_array_get(note, 0));
		size_t was = notes->bytes.len;

		if (place < 0 || place > (json_int_t)len || !take_bytes_of(json_array_get(note, 1), &notes->bytes))
			return false;
		notes->list[notes->count++] =
			(struct edi_escape){(uint64_t)place, {NULL, notes->bytes.len - was}};
	}
	for (size_t i = 0; i < notes->count; i++) {
		notes->list[i].bytes.data = notes->bytes.data + at;
		at += notes->list[i].bytes.len;
	}
	return true;
}

/* As it was. -1: the line is another now. */
static int escape_as_was(struct edi_encoder *encoder, struct span text, struct span escapes)
{
	json_t *list = json_loadb(escapes.data, escapes.len, JSON_ALLOW_NUL, NULL);
	struct notes notes = {0};
	uint32_t unused;
	int failed = -1;

	buf_init(&notes.bytes, SIZE_MAX / 4);
	if (read_notes(list, text.len, &notes))
		failed = edi_escaping_put(&encoder->escaping, text, notes.list, notes.count, &encoder->escaped,
					  &unused);
	buf_free(&notes.bytes);
	free(notes.list);
	json_decref(list);
	return failed;
}

int edi_escape(struct edi_encoder *encoder, struct span escapes, struct error *error)
{
	struct edi_escaping *escaping = &encoder->escaping;
	size_t from = encoder->plain_from;
	struct span text = span_make(encoder->out->data + from, encoder->out->len - from);
	uint32_t foreign;
	int failed = -1;

	if (escaping->profile && text.len && !encoder->out->full) {
		buf_reset(&encoder->escaped);
		if (escapes.len)
			failed = escape_as_was(encoder, text, escapes);
		if (failed && edi_escaping_put(escaping, text, NULL, 0, &encoder->escaped, &foreign))
			return edi_fault(error, encoder->dialect, "charset",
					 "U+%04X is in none of the sets of %s", foreign,
					 iso2022_profile_name(escaping->profile));
		encoder->out->len = from;
		buf_span(encoder->out, buf_view(&encoder->escaped));
	}
	escaping->object_at = escaping->object_len = 0;
	encoder->plain_from = encoder->out->len;
	return 0;
}

/* An escape sequence in front of an interchange, whose state is taken over: its length; 0: there is none. */
static size_t take_escape(struct edi_encoder *encoder, struct span text)
{
	struct iso2022_unit unit;

	if (!text.len || !memchr("\x1b\x0e\x0f", *text.data, 3))
		return 0;
	iso2022_read(NULL, &encoder->escaping.state, text, &unit);
	if (unit.kind != ISO2022_ESCAPE)
		return 0;
	encoder->escaping.state = unit.after;
	return unit.len;
}

static bool is_unox(const json_t *facts)
{
	const char *level = edi_fact(facts, "syntax");

	return level && !strcasecmp(level, "UNOX");
}

void edi_put_before(struct edi_encoder *encoder, struct span before, const json_t *facts)
{
	bool unox = is_unox(facts);
	struct iso2022_state was = encoder->escaping.state;
	json_t *value = before.len ? json_loadb(before.data, before.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
	struct span text = span_make(json_string_value(value), json_string_length(value));
	size_t n = 0, m;

	while (n < text.len)
		if (unox && (m = take_escape(encoder, span_make(text.data + n, text.len - n))))
			n += m;
		else if (span_starts(span_make(text.data + n, text.len - n), EDI_MARK))
			n += strlen(EDI_MARK);
		else if (edi_is_filler(text.data[n]))
			n++;
		else
			break;
	if (n && n == text.len)
		buf_span(encoder->out, text);
	else
		encoder->escaping.state = was;
	encoder->plain_from = encoder->out->len;
	json_decref(value);
}
