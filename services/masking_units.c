/* The letters and digits of a text, however they are written, and stand-ins for them. See masking_private.h. */
#include "config.h"
#include "services/masking_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "base/utf8.h"

#define GAP_MAX 3 /* punctuation between two letters of a value */

/* ---- letters */
/* The same byte length in UTF-8, and one byte of ISO 8859-1 stays one. */
static uint32_t fold(uint32_t c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) ||
	    (c >= 0x410 && c <= 0x42f))
		return c + 0x20;
	if (c >= 0x400 && c <= 0x40f)
		return c + 0x50;
	if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14a && c <= 0x177) || (c >= 0x1e00 && c <= 0x1eff))
		return c | 1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
		return c + (c & 1);
	return c;
}

static uint32_t raise_case(uint32_t c)
{
	static const uint32_t steps[] = {0x20, 1, 0x50};

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if (c > steps[i] && fold(c - steps[i]) == c)
			return c - steps[i];
	return c;
}

static bool significant(uint32_t c)
{
	if (c < 0x80)
		return isalnum((int)c);
	return c >= 0xc0 && c != 0xd7 && c != 0xf7 && (c < 0x2000 || c > 0x206f) && (c < 0x3000 || c > 0x303f) &&
	       c != 0xfeff && c != 0xfffd;
}

/* Punctuation that stands within values, and what some formats put before it. */
static bool soft(uint32_t c)
{
	return c < 0x80 ? c && strchr(" -./()+@_'\\?&\n\r\t", (int)c)
			: c == 0xa0 || c == 0xad || (c >= 0x2000 && c <= 0x206f) || c == 0x3000 || c == 0x30fb;
}

unsigned chance_below(unsigned below)
{
	uint32_t n;

	crypto_random((unsigned char *)&n, sizeof n);
	return n % below;
}

/* Alphabets without gaps, of one length in UTF-8 and in decimals: what is from..to becomes one of low..low + step ×
 * count.
 */
static const struct alphabet {
	uint32_t from, to, low, count, step;
} alphabets[] = {
	{0xc0, 0xff, 0xe0, 23, 1},             /* ISO 8859-1 */
	{0x100, 0x17f, 0x101, 24, 2},          /* Latin, extended */
	{0x180, 0x2af, 0x250, 80, 1},          /* … and for phonetics */
	{0x370, 0x3ff, 0x3b1, 17, 1},          /* Greek */
	{0x400, 0x4ff, 0x430, 32, 1},          /* Cyrillic */
	{0x531, 0x587, 0x561, 38, 1},          /* Armenian */
	{0x5d0, 0x5f2, 0x5d0, 27, 1},          /* Hebrew */
	{0x620, 0x6d3, 0x628, 19, 1},          /* Arabic */
	{0x904, 0x939, 0x915, 37, 1},          /* Devanagari */
	{0xe01, 0xe2e, 0xe01, 46, 1},          /* Thai */
	{0x10a0, 0x10ff, 0x10d0, 33, 1},       /* Georgian */
	{0x1e00, 0x1eff, 0x1ea1, 44, 2},       /* Vietnamese */
	{0x3041, 0x3096, 0x3042, 82, 1},       /* Hiragana */
	{0x30a1, 0x30fa, 0x30a2, 82, 1},       /* Katakana */
	{0x3400, 0x9fff, 0x4e00, 20902, 1},    /* Han */
	{0xac00, 0xd7a3, 0xac00, 11172, 1},    /* Hangul */
	{0x20000, 0x323af, 0x20000, 42711, 1}, /* Han, extended */
};

uint32_t stand_in_for(uint32_t c, bool first)
{
	static const char vowels[] = "aeiou", others[] = "bcdfghjklmnprstvwz";

	if (c >= '0' && c <= '9')
		return !first ? '0' + chance_below(10) : c == '0' ? c : '1' + chance_below(9);
	if (c < 0x80)
		return (unsigned char)(strchr("aeiouy", (int)c) ? vowels[chance_below(5)] : others[chance_below(18)]);
	for (size_t i = 0; i < sizeof alphabets / sizeof *alphabets; i++)
		if (c >= alphabets[i].from && c <= alphabets[i].to)
			return alphabets[i].low + alphabets[i].step * chance_below(alphabets[i].count);
	return c;
}

/* ---- reading */
static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* n hexadecimal digits; -1: they are not there. */
static int32_t hex_at(struct span text, size_t at, size_t n)
{
	int32_t value = 0;

	if (at + n > text.len)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (hex_of(text.data[at + i]) < 0)
			return -1;
		value = value * 16 + hex_of(text.data[at + i]);
	}
	return value;
}

struct found {
	uint32_t code;
	enum form form;
	size_t len; /* 0: it is not written so */
};

static uint32_t code_of(const unsigned char *bytes, size_t n)
{
	uint32_t code = n == 1 ? bytes[0] : bytes[0] & (0x7f >> n);

	for (size_t i = 1; i < n; i++)
		code = code << 6 | (bytes[i] & 0x3f);
	return code;
}

/* \u00e9 of JSON, two of them for what lies beyond U+FFFF; \n and the like are white space. */
static struct found read_escape(struct span text, size_t at, bool json)
{
	int32_t code = hex_at(text, at + 2, 4), low;

	if (at + 1 >= text.len)
		return (struct found){0};
	if (text.data[at + 1] == 'u' && code >= 0) {
		low = text.len > at + 7 && text.data[at + 6] == '\\' && text.data[at + 7] == 'u'
			      ? hex_at(text, at + 8, 4)
			      : -1;
		if (code >= 0xd800 && code < 0xdc00 && low >= 0xdc00 && low < 0xe000)
			return (struct found){0x10000u + (uint32_t)((code - 0xd800) << 10) + (uint32_t)(low - 0xdc00),
					      FORM_ESCAPE, 12};
		return (struct found){(uint32_t)code, FORM_ESCAPE, 6};
	}
	if (json && strchr("nrtbf\\\"/", text.data[at + 1]) && text.data[at + 1])
		return (struct found){' ', FORM_BYTE, 2};
	return (struct found){0};
}

/* &#233; &#xe9; and the names that XML has. */
static struct found read_entity(struct span text, size_t at)
{
	static const char *const names[] = {"&amp;", "&apos;", "&quot;", "&lt;", "&gt;"};
	bool hex = at + 2 < text.len && (text.data[at + 2] | 32) == 'x';
	size_t i = at + (hex ? 3 : 2);
	uint32_t code = 0;

	for (size_t n = 0; n < sizeof names / sizeof *names; n++)
		if (text.len - at >= strlen(names[n]) && !memcmp(text.data + at, names[n], strlen(names[n])))
			return (struct found){'\'', FORM_BYTE, strlen(names[n])};
	if (at + 1 >= text.len || text.data[at + 1] != '#')
		return (struct found){0};
	for (; i < text.len && i < at + 12 && (hex ? hex_of(text.data[i]) >= 0 : isdigit((unsigned char)text.data[i]));
	     i++)
		code = code * (hex ? 16 : 10) + (uint32_t)hex_of(text.data[i]);
	if (i >= text.len || text.data[i] != ';' || code > 0x10ffff)
		return (struct found){0};
	return (struct found){code, hex ? FORM_HEX : FORM_DECIMAL, i + 1 - at};
}

/* %C3%A9 of addresses and forms. */
static struct found read_percent(struct span text, size_t at)
{
	unsigned char bytes[4];
	size_t n = 0, character;

	while (n < 4 && at + 3 * n < text.len && text.data[at + 3 * n] == '%' && hex_at(text, at + 3 * n + 1, 2) >= 0) {
		bytes[n] = (unsigned char)hex_at(text, at + 3 * n + 1, 2);
		n++;
	}
	if (!n)
		return (struct found){0};
	character = utf8_character(span_make((const char *)bytes, n));
	return character ? (struct found){code_of(bytes, character), FORM_PERCENT, 3 * character}
			 : (struct found){bytes[0], FORM_PERCENT, 3};
}

static struct found read_one(struct span text, size_t at, bool plain, bool json)
{
	unsigned char c = (unsigned char)text.data[at];
	struct found found = {0};
	size_t n;

	if (!plain && c == '\\')
		found = read_escape(text, at, json);
	else if (!plain && c == '&')
		found = read_entity(text, at);
	else if (!plain && c == '%')
		found = read_percent(text, at);
	if (found.len)
		return found;
	n = c < 0x80 ? 0 : utf8_character(span_make(text.data + at, text.len - at));
	if (n > 1)
		return (struct found){code_of((const unsigned char *)text.data + at, n), FORM_UTF8, n};
	return (struct found){c, FORM_BYTE, 1};
}

static bool looks_like_json(struct span text)
{
	size_t i = 0;

	while (i < text.len && isspace((unsigned char)text.data[i]))
		i++;
	return i < text.len && strchr("{[\"", text.data[i]) && text.data[i];
}

void units_read(struct units *units, struct span text, bool plain)
{
	bool far = true, json = !plain && looks_like_json(text);
	struct found found;
	size_t gap = 0;

	*units = (struct units){0};
	for (size_t at = 0; at < text.len; at += found.len) {
		found = read_one(text, at, plain, json);
		if (!significant(found.code)) {
			far = far || !soft(found.code) || ++gap > GAP_MAX;
			continue;
		}
		units->list = mem_grow(units->list, &units->capacity, units->count + 1, sizeof *units->list);
		units->list[units->count++] = (struct unit){.at = (uint32_t)at,
							    .code = fold(found.code) & 0x1fffff,
							    .form = found.form,
							    .len = (unsigned)found.len & 31,
							    .upper = fold(found.code) != found.code,
							    .adjacent = gap == 0 && !far,
							    .far = far};
		far = false;
		/* "\nAnn" may be a new line and Ann, where that is not known */
		gap = !json && at && text.data[at - 1] == '\\' && strchr("nrtbf", text.data[at]);
	}
}

void units_free(struct units *units)
{
	free(units->list);
	*units = (struct units){0};
}

/* ---- writing */
static size_t utf8_of(uint32_t c, unsigned char out[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (unsigned char)(0x80 | (c & 0x3f));
	out[0] = n == 1 ? (unsigned char)c : (unsigned char)((0xf00u >> n & 0xf0) | c);
	return n;
}

static void write_percent(char *at, size_t len, uint32_t code)
{
	unsigned char bytes[4];
	char hex[4];
	size_t n = utf8_of(code, bytes);

	if (len == 3 && code < 0x100) {
		bytes[0] = (unsigned char)code;
		n = 1;
	}
	for (size_t i = 0; i < n && 3 * n == len; i++) {
		snprintf(hex, sizeof hex, "%%%02X", bytes[i]);
		memcpy(at + 3 * i, hex, 3);
	}
}

void unit_write(char *text, const struct unit *unit, uint32_t code)
{
	char *at = text + unit->at, made[24] = "";
	unsigned char bytes[4];
	size_t n;

	code = unit->upper ? raise_case(code) : code;
	switch ((enum form)unit->form) {
	case FORM_BYTE:
		*at = code < 0x100 ? (char)code : *at;
		return;
	case FORM_UTF8:
		n = utf8_of(code, bytes);
		memcpy(at, bytes, n == unit->len ? n : 0);
		return;
	case FORM_ESCAPE:
		if (unit->len == 12 && code > 0xffff)
			snprintf(made, sizeof made, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
				 0xdc00 + (code & 0x3ff));
		else
			snprintf(made, sizeof made, "\\u%04x", code);
		break;
	case FORM_DECIMAL:
		snprintf(made, sizeof made, "&#%0*u;", (int)unit->len - 3, code);
		break;
	case FORM_HEX:
		snprintf(made, sizeof made, "&#x%0*x;", (int)unit->len - 4, code);
		break;
	case FORM_PERCENT:
		write_percent(at, unit->len, code);
		return;
	}
	if (strlen(made) == unit->len)
		memcpy(at, made, unit->len);
}
