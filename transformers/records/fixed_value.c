/* A field's bytes and its value as JSON: texts here, numbers and dates next door. See fixed.h. */
#include "config.h"
#include "transformers/records/fixed.h"

#include <stdio.h>

#include "base/tree.h"

bool fixed_is_all(struct span bytes, unsigned char byte)
{
	for (size_t i = 0; i < bytes.len; i++)
		if ((unsigned char)bytes.data[i] != byte)
			return false;
	return true;
}

void fixed_pad(const struct layout *layout, char pad, size_t n, struct buf *bytes)
{
	char *room = buf_room(bytes, n);

	if (!room)
		return;
	memset(room, layout->set.byte_of[(uint8_t)pad], n);
	buf_added(bytes, n);
}

static int bad_character(struct error *error, size_t at, unsigned char byte)
{
	return error_set(error, ERROR_REJECT, "fixed-width.character",
			 "its byte %zu, 0x%02x, is no character of the character set", at + 1, byte);
}

/* ---- texts */
static void put_escaped(struct buf *json, const char *utf8)
{
	if (*utf8 == '"' || *utf8 == '\\')
		buf_printf(json, "\\%c", *utf8);
	else if ((unsigned char)*utf8 < 0x20)
		buf_printf(json, "\\u%04x", (unsigned)*utf8);
	else
		buf_text(json, utf8);
}

/* None of the eight bytes at p is a control character, a quote, a backslash or beyond ASCII; may err on the safe side.
 */
static inline bool are_plain(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;

	return !(((x - ones * 0x20) | ((x ^ ones * '"') - ones) | ((x ^ ones * '\\') - ones) | x) & high);
}

/* In UTF-8 most text is copied as it stands. How many bytes were. */
static size_t copy_plain(struct span bytes, char *to)
{
	size_t at = 0;

	for (uint64_t eight; bytes.len - at >= sizeof eight; at += sizeof eight) {
		memcpy(&eight, bytes.data + at, sizeof eight);
		if (!are_plain(eight))
			break;
		memcpy(to + at, &eight, sizeof eight);
	}
	return at;
}

static int put_text(const struct layout *layout, struct span bytes, struct buf *json, struct error *error)
{
	const struct text_set *set = &layout->set;
	size_t from = json->len, start;
	char *o = buf_room(json, bytes.len + 1);
	bool high = false;

	if (!o)
		return error_set(error, ERROR_REJECT, "fixed-width.limit", "the record is too large");
	start = set->utf8 ? copy_plain(bytes, o) : 0;
	o += start;
	for (size_t i = start; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.data[i], c = set->ascii[byte];

		if (c >= 0x20 && c != '"' && c != '\\') {
			*o++ = (char)c;
			continue;
		}
		if (set->utf8 && byte >= 0x80) {
			*o++ = (char)byte;
			high = true;
			continue;
		}
		if (!set->utf8_of[byte][0])
			return bad_character(error, i, byte);
		json->len = (size_t)(o - json->data);
		put_escaped(json, set->utf8_of[byte]);
		o = buf_room(json, bytes.len - i);
		if (!o)
			return error_set(error, ERROR_REJECT, "fixed-width.limit", "the record is too large");
	}
	json->len = (size_t)(o - json->data);
	if (high && !text_is_utf8(span_make(json->data + from, json->len - from)))
		return error_set(error, ERROR_REJECT, "fixed-width.character", "it is no UTF-8");
	return 0;
}

/* Blanks in front of a text that is not justified, or behind one that is, are part of it. */
static struct span trim(const struct layout *layout, const struct field *field, struct span bytes)
{
	char pad = (char)layout->set.byte_of[(uint8_t)field->pad];

	while (bytes.len && bytes.data[field->right ? 0 : bytes.len - 1] == pad) {
		bytes.len--;
		bytes.data += field->right;
	}
	return bytes;
}

static int put_null(struct buf *json)
{
	buf_text(json, "null");
	return 0;
}

static int read_text(const struct layout *layout, const struct field *field, struct span bytes, struct buf *json,
		     bool *unusual, struct error *error)
{
	*unusual = fixed_is_all(bytes, 0) || fixed_is_all(bytes, 0xff);
	if (*unusual)
		return put_null(json);
	buf_char(json, '"');
	if (put_text(layout, trim(layout, field, bytes), json, error))
		return -1;
	buf_char(json, '"');
	return 0;
}

int fixed_value_read(const struct layout *layout, const struct field *field, struct span bytes, struct buf *json,
		     bool *unusual, struct error *error)
{
	bool blanks, date = field->type == FIELD_DATE;

	*unusual = false;
	if (field->type == FIELD_TEXT)
		return read_text(layout, field, bytes, json, unusual, error);
	blanks = fixed_is_all(bytes, layout->set.byte_of[' ']);
	if (field->type != FIELD_BINARY && (blanks || fixed_is_all(bytes, 0) || fixed_is_all(bytes, 0xff) ||
					    (date && fixed_is_all(bytes, layout->set.byte_of['0'])))) {
		*unusual = !blanks || field->type == FIELD_PACKED || field->type == FIELD_ZONED;
		return put_null(json);
	}
	buf_char(json, '"');
	if (date ? fixed_date_read(layout, field, bytes, json, error)
		 : fixed_number_read(layout, field, bytes, json, unusual, error))
		return -1;
	buf_char(json, '"');
	return 0;
}

/* ---- to bytes */
static int write_text(const struct layout *layout, const struct field *field, struct span text, struct buf *bytes,
		      struct error *error)
{
	size_t from = bytes->len, len, need;

	if (layout->set.utf8) {
		buf_span(bytes, text);
	} else {
		for (size_t at = 0; at < text.len; at += len) {
			int byte = text_set_byte(&layout->set, span_make(text.data + at, text.len - at), &len);

			if (byte < 0)
				return error_set(error, ERROR_REJECT, "fixed-width.character",
						 "a character of the value is not in %s", layout->charset);
			buf_char(bytes, (char)byte);
		}
	}
	need = bytes->len - from;
	if (need > field->length)
		return error_set(error, ERROR_REJECT, "fixed-width.length",
				 "the value has %zu bytes, and the field %zu", need, field->length);
	fixed_pad(layout, field->pad, field->length - need, bytes);
	if (field->right && need && need < field->length) {
		memmove(bytes->data + from + field->length - need, bytes->data + from, need);
		memset(bytes->data + from, layout->set.byte_of[(uint8_t)field->pad], field->length - need);
	}
	return 0;
}

static int write_span(const struct layout *layout, const struct field *field, struct span text, struct buf *bytes,
		      struct error *error)
{
	if (field->type == FIELD_TEXT)
		return write_text(layout, field, text, bytes, error);
	if (field->type == FIELD_DATE)
		return fixed_date_write(layout, field, text, bytes, error);
	return fixed_number_write(layout, field, text, bytes, error);
}

int fixed_value_write(const struct layout *layout, const struct field *field, const json_t *value, struct buf *bytes,
		      struct error *error)
{
	struct buf text;
	int failed;

	if (!value || json_is_null(value)) {
		if (field->type == FIELD_PACKED || field->type == FIELD_BINARY || field->type == FIELD_ZONED)
			return error_set(error, ERROR_REJECT, "fixed-width.missing",
					 "there is no value, and the field cannot be empty");
		fixed_pad(layout, field->type == FIELD_TEXT ? field->pad : ' ', field->length, bytes);
		return 0;
	}
	if (json_is_object(value) || json_is_array(value))
		return error_set(error, ERROR_REJECT, "fixed-width.value", "the value must be a text or a number");
	if (json_is_string(value))
		return write_span(layout, field, span_make(json_string_value(value), json_string_length(value)), bytes,
				  error);
	buf_init(&text, 64);
	tree_write(&text, value, 0);
	failed = write_span(layout, field, buf_view(&text), bytes, error);
	buf_free(&text);
	return failed;
}
