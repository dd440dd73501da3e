/* Documents in any character set as UTF-8. See text.h. */
#include "config.h"
#include "transformers/text.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/utf8.h"

#define PIECE ((size_t)16 * 1024) /* of the document, converted at a time */
#define GROWTH 4                  /* bytes of UTF-8 that a byte can become at most, in the sets of iconv */
#define KEEP ((size_t)256 * 1024)

static const struct mark {
	const char *bytes;
	size_t len;
	const char *charset;
} marks[] = {{"\xef\xbb\xbf", 3, "UTF-8"}, {"\xff\xfe", 2, "UTF-16LE"}, {"\xfe\xff", 2, "UTF-16BE"}};

static bool is_utf8(const char *charset)
{
	return !strcasecmp(charset, "UTF-8") || !strcasecmp(charset, "UTF8");
}

bool text_charset_known(const char *charset)
{
	iconv_t conversion = is_utf8(charset) ? (iconv_t)-1 : iconv_open("UTF-8", charset);

	if (conversion != (iconv_t)-1)
		iconv_close(conversion);
	return is_utf8(charset) || conversion != (iconv_t)-1;
}

/* ---- which set */
static bool is_one_byte(iconv_t conversion)
{
	for (unsigned i = 0; i < 256; i++) {
		char in = (char)i, out[16], *from = &in, *to = out;
		size_t left = 1, room = sizeof out;
		bool cut = iconv(conversion, &from, &left, &to, &room) == (size_t)-1 && errno == EINVAL;

		iconv(conversion, NULL, NULL, NULL, NULL);
		if (cut)
			return false;
	}
	return true;
}

static int read_as(struct text *text, const char *charset, uint64_t at, struct error *error)
{
	iconv_t conversion;

	snprintf(text->charset, sizeof text->charset, "%s", is_utf8(charset) ? "UTF-8" : charset);
	text->base = text->from = at;
	text->unit = 1;
	if (is_utf8(charset))
		return 0;
	conversion = iconv_open("UTF-8", charset);
	if (conversion == (iconv_t)-1)
		return error_set(error, ERROR_REJECT, "decode.charset", "the character set %.40s is not known here",
				 charset);
	text->conversion = conversion;
	if (!strncasecmp(charset, "UTF-16", 6))
		text->unit = 2;
	else
		text->unit = is_one_byte(conversion);
	return 0;
}

int text_begin(struct text *text, struct reader *reader, struct out *out, const char *charset, struct error *error)
{
	bool wide = charset && (!strcasecmp(charset, "UTF-16") || !strcasecmp(charset, "UTF16"));
	struct span head;

	memset(text, 0, sizeof *text);
	window_begin(&text->window, reader, out);
	if (window_get(&text->window, 0, 4, &head, error))
		return -1;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (head.len >= marks[i].len && !memcmp(head.data, marks[i].bytes, marks[i].len) &&
		    (!charset || !strcasecmp(charset, marks[i].charset) || (wide && marks[i].len == 2))) {
			text->start = marks[i].len;
			return read_as(text, marks[i].charset, text->start, error);
		}
	if (wide)
		charset = head.len > 1 && !head.data[0] && head.data[1] ? "UTF-16BE" : "UTF-16LE";
	text->unit = 1;
	return charset ? read_as(text, charset, 0, error) : 0;
}

void text_end(struct text *text)
{
	if (text->conversion)
		iconv_close((iconv_t)text->conversion);
	window_end(&text->window);
	free(text->data);
}

/* Bytes at the front that are UTF-8; the rest may be a character that is cut off. */
static size_t utf8_front(struct span text)
{
	size_t at = 0, n;

	while (at < text.len) {
		uint64_t eight = 0x80;

		if (text.len - at >= sizeof eight)
			memcpy(&eight, text.data + at, sizeof eight);
		if (!(eight & 0x8080808080808080u)) {
			at += sizeof eight;
			continue;
		}
		n = text.data[at] ? utf8_character(span_make(text.data + at, text.len - at)) : 1;
		if (!n)
			break;
		at += n;
	}
	return at;
}

bool text_is_utf8(struct span text)
{
	return utf8_front(text) == text.len;
}

int text_settle(struct text *text, uint64_t at, struct error *error)
{
	uint64_t next = at;
	struct span got;

	do {
		size_t front;

		if (window_get(&text->window, next, 4096, &got, error))
			return -1;
		front = utf8_front(got);
		next += front;
		/* A character that the window cuts off is looked at again, with what follows it. */
		if (front < got.len && (got.len - front >= 4 || next + (got.len - front) == text->window.size))
			return read_as(text, "CP1252", at, error);
	} while (next < text->window.size);
	return read_as(text, "UTF-8", at, error);
}

/* ---- conversion */
static void keep_from(struct text *text, uint64_t at)
{
	size_t before = (size_t)(at - text->base);

	if (before < KEEP)
		return;
	memmove(text->data, text->data + before, text->len - before);
	text->base = at;
	text->len -= before;
}

/* One piece more. */
static int convert(struct text *text, struct error *error)
{
	struct span piece;
	char *from, *to;
	size_t left, room;

	if (window_get(&text->window, text->from, PIECE, &piece, error))
		return -1;
	if (piece.len > PIECE)
		piece.len = PIECE;
	text->data = mem_grow(text->data, &text->capacity, text->len + PIECE * GROWTH + WINDOW_SLACK, 1);
	from = (char *)(uintptr_t)piece.data;
	to = text->data + text->len;
	left = piece.len;
	room = PIECE * GROWTH;
	while (left && iconv((iconv_t)text->conversion, &from, &left, &to, &room) == (size_t)-1) {
		bool cut = errno == EINVAL && text->from + piece.len < text->window.size;
		size_t skip = text->unit == 2 && left > 1 ? 2 : 1;

		if (cut || errno == E2BIG || !room)
			break;
		*to++ = TEXT_BROKEN;
		room--;
		from += skip;
		left -= skip;
		iconv((iconv_t)text->conversion, NULL, NULL, NULL, NULL);
	}
	if (left == piece.len) { /* nothing of it fits: never with the sets there are, but never for ever either */
		*to++ = TEXT_BROKEN;
		left--;
	}
	text->from += piece.len - left;
	text->len = (size_t)(to - text->data);
	return 0;
}

int text_get(struct text *text, uint64_t at, size_t want, struct span *got, bool *last, struct error *error)
{
	if (!text->conversion) {
		if (window_get(&text->window, at, want, got, error))
			return -1;
		*last = at + got->len >= text->window.size;
		return 0;
	}
	if (!text->data)
		text->data = mem_grow(NULL, &text->capacity, PIECE, 1);
	keep_from(text, at);
	while (text->base + text->len < at + want && text->from < text->window.size)
		if (convert(text, error))
			return -1;
	*got = span_make(text->data + (at - text->base), text->len - (size_t)(at - text->base));
	*last = text->from >= text->window.size;
	return 0;
}

uint64_t text_source(const struct text *text, struct span piece)
{
	uint64_t characters = 0;

	if (!text->conversion)
		return piece.len;
	for (size_t i = 0; i < piece.len; i++) {
		unsigned char c = (unsigned char)piece.data[i];

		characters += (c & 0xc0) != 0x80;
		characters += text->unit == 2 && c >= 0xf0 && c != (unsigned char)TEXT_BROKEN;
	}
	return characters * text->unit;
}

/* ---- tables */
static void set_byte(struct text_set *set, unsigned byte, const char *utf8, size_t len)
{
	memcpy(set->utf8_of[byte], utf8, len);
	if (len == 1 && (unsigned char)*utf8 < 0x80 && *utf8) {
		set->ascii[byte] = (uint8_t)*utf8;
		if (!set->byte_of[(uint8_t)*utf8])
			set->byte_of[(uint8_t)*utf8] = (uint8_t)byte;
	}
}

int text_set_make(struct text_set *set, const char *charset)
{
	iconv_t conversion;

	memset(set, 0, sizeof *set);
	set->utf8 = is_utf8(charset);
	if (set->utf8) {
		for (unsigned i = 1; i < 128; i++)
			set_byte(set, i, (char[]){(char)i}, 1);
		return 0;
	}
	conversion = iconv_open("UTF-8", charset);
	if (conversion == (iconv_t)-1)
		return -1;
	for (unsigned i = 1; i < 256; i++) {
		char in = (char)i, out[16], *from = &in, *to = out;
		size_t left = 1, room = 4;

		iconv(conversion, NULL, NULL, NULL, NULL);
		if (iconv(conversion, &from, &left, &to, &room) != (size_t)-1 && !left && to > out &&
		    utf8_character(span_make(out, (size_t)(to - out))) == (size_t)(to - out))
			set_byte(set, i, out, (size_t)(to - out));
	}
	iconv_close(conversion);
	for (const char *c = "0123456789 +-AZaz"; *c; c++)
		if (!set->byte_of[(uint8_t)*c])
			return -1;
	return 0;
}

int text_set_byte(const struct text_set *set, struct span utf8, size_t *len)
{
	*len = utf8_character(utf8);
	if (*len == 1)
		return set->byte_of[(uint8_t)*utf8.data] ? set->byte_of[(uint8_t)*utf8.data] : -1;
	for (unsigned i = 1; *len && i < 256; i++)
		if (!strncmp(set->utf8_of[i], utf8.data, *len) && !set->utf8_of[i][*len])
			return (int)i;
	return -1;
}

static uint32_t character_of(iconv_t conversion, char *code, size_t len)
{
	char out[16], *to = out;
	size_t room = sizeof out;
	unsigned char *c = (unsigned char *)out;

	iconv(conversion, NULL, NULL, NULL, NULL);
	if (iconv(conversion, &code, &len, &to, &room) == (size_t)-1 || len || to != out + 4)
		return 0;
	return (uint32_t)c[0] << 24 | (uint32_t)c[1] << 16 | (uint32_t)c[2] << 8 | c[3];
}

int text_codes(const char *charset, const char *prefix, unsigned first, unsigned count, bool wide, uint32_t *characters)
{
	iconv_t conversion = iconv_open("UCS-4BE", charset);
	size_t n = strlen(prefix);
	char code[8];

	if (conversion == (iconv_t)-1)
		return -1;
	memcpy(code, prefix, n);
	for (unsigned i = 0; i < (wide ? count * count : count); i++) {
		code[n] = (char)(first + (wide ? i / count : i));
		code[n + 1] = (char)(first + i % count);
		characters[i] = character_of(conversion, code, n + 1 + wide);
	}
	iconv_close(conversion);
	return 0;
}
