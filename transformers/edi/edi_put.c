/* JSON strings to the bytes of a segment: released where they are separators, in the character set, and refused or
 * replaced where that has them not. See edi_encode.h. */
#include "config.h"
#include "transformers/edi/edi_encode.h"

#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/utf8.h"

#define STEP 16

/* ---- tables */
static bool is_level_a(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(" .,-()/=!\"%&*;<>'+:?", c));
}

/* Strict: the sets of ISO 9735 for UNOA and UNOB. */
static bool is_allowed(const struct edi_sink *sink, unsigned char c)
{
	if (sink->strictness == EDI_FIT || !sink->level)
		return true;
	return is_level_a(c) || (sink->level == 'B' && c >= 'a' && c <= 'z');
}

static void set_separator(struct edi_sink *sink, char c)
{
	if (c)
		sink->put[(uint8_t)c] = PUT_SEPARATOR;
}

void edi_sink_ready(struct edi_sink *sink)
{
	const struct edi_syntax *syntax = &sink->syntax;

	memset(sink->put, PUT_CONTROL, 0x20);
	memset(sink->put + 0x20, PUT_PLAIN, 0x60);
	memset(sink->put + 0x80, sink->utf8 && !sink->profile ? PUT_PLAIN : PUT_HIGH, 0x80);
	sink->put[0x7f] = PUT_CONTROL;
	sink->table_only = false;
	for (unsigned c = 0x20; c < 0x7f; c++)
		if (!is_allowed(sink, (unsigned char)c)) {
			sink->put[c] = PUT_FOREIGN;
			sink->table_only = true;
		}
	set_separator(sink, syntax->element);
	set_separator(sink, syntax->component);
	set_separator(sink, syntax->terminator);
	set_separator(sink, syntax->repetition);
	set_separator(sink, syntax->release);
	/* Behind the quote and the backslash of JSON these two may be separators themselves: put_byte looks again. */
	sink->put['"'] = PUT_END;
	sink->put['\\'] = PUT_ESCAPE;
	memset(sink->columns, 0, sizeof sink->columns);
	for (unsigned c = 0; c < 0x80; c++)
		if (sink->put[c] != PUT_PLAIN)
			sink->columns[c & 15] |= (uint8_t)(1u << (c >> 4));
}

static bool is_separator(const struct edi_syntax *syntax, char c)
{
	return c && (c == syntax->element || c == syntax->component || c == syntax->terminator ||
		     c == syntax->repetition || c == syntax->release);
}

/* ---- one character */
static int refuse(struct edi_sink *sink, const char *kind, struct error *error, const char *format, unsigned value)
{
	edi_fault(error, sink->dialect, kind, format, value);
	return -1;
}

static void put_replacement(struct edi_sink *sink)
{
	char c = is_separator(&sink->syntax, '?') ? '.' : '?';

	buf_char(sink->out, is_separator(&sink->syntax, c) ? ' ' : c);
}

static int put_ascii(struct edi_sink *sink, char c, struct error *error)
{
	if (is_separator(&sink->syntax, c)) {
		if (sink->syntax.release) {
			buf_char(sink->out, sink->syntax.release);
			buf_char(sink->out, c);
			return 0;
		}
		if (sink->strictness <= EDI_REJECT)
			return refuse(sink, "separator", error,
				      "an element contains the separator \"%c\", which cannot be escaped: choose other "
				      "separators",
				      (unsigned char)c);
		buf_char(sink->out, ' ');
		return 0;
	}
	if (((unsigned char)c < 0x20 || c == 0x7f) && (c != '\t' || sink->strictness != EDI_FIT)) {
		if (sink->strictness <= EDI_REJECT)
			return refuse(sink, "character", error, "an element contains the control character 0x%02x",
				      (unsigned char)c);
		buf_char(sink->out, ' ');
		return 0;
	}
	if (!is_allowed(sink, (unsigned char)c)) {
		if (sink->strictness == EDI_REJECT)
			return refuse(sink, "charset", error,
				      "an element contains \"%c\", which is not in the character set",
				      (unsigned char)c);
		if (sink->strictness == EDI_TRANSLITERATE && c >= 'a' && c <= 'z')
			buf_char(sink->out, (char)(c - 'a' + 'A'));
		else
			put_replacement(sink);
		return 0;
	}
	buf_char(sink->out, c);
	return 0;
}

static uint32_t character_of(const char *p, size_t n)
{
	static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)*p & masks[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

static int put_foreign(struct edi_sink *sink, uint32_t character, struct error *error)
{
	const char *text = sink->strictness == EDI_TRANSLITERATE ? edi_transliterate(character) : NULL;

	if (sink->strictness <= EDI_REJECT)
		return refuse(sink, "charset", error, "an element contains U+%04X, which is not in the character set",
			      character);
	if (!text)
		put_replacement(sink);
	for (; text && *text; text++)
		if (put_ascii(sink, *text, error))
			return -1;
	return 0;
}

/* The character at p, of n bytes and not ASCII. */
static int put_high(struct edi_sink *sink, const char *p, size_t n, struct error *error)
{
	if (sink->profile && sink->strictness != EDI_FIT && !iso2022_has(sink->sets, sink->profile, character_of(p, n)))
		return put_foreign(sink, character_of(p, n), error);
	if (sink->utf8) {
		buf_append(sink->out, p, n);
		return 0;
	}
	for (unsigned i = 0; i < 128 && n < 4; i++)
		if (!memcmp(sink->charset.utf8[i], p, n) && !sink->charset.utf8[i][n]) {
			buf_char(sink->out, (char)(0x80 + i));
			return 0;
		}
	return put_foreign(sink, character_of(p, n), error);
}

int edi_put_text(struct edi_sink *sink, struct span text, struct error *error)
{
	for (size_t i = 0; i < text.len;) {
		size_t n =
			(unsigned char)text.data[i] < 0x80 ? 1 : utf8_character(span_make(text.data + i, text.len - i));

		if (!n)
			return refuse(sink, "charset", error, "an element contains the byte 0x%02x, which is no UTF-8",
				      (unsigned char)text.data[i]);
		if (n == 1 ? put_ascii(sink, text.data[i], error) : put_high(sink, text.data + i, n, error))
			return -1;
		i += n;
	}
	return 0;
}

/* ---- a string of JSON */
static int hex(const char *p, const char *end, uint32_t *value)
{
	*value = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*value = *value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return 0;
}

static size_t utf8_of(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The escape at *p, behind its backslash, as UTF-8; 0: it is none. */
static size_t unescape(const char **p, const char *end, char text[4])
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name;
	uint32_t c, low;

	if (*p >= end)
		return 0;
	if (**p != 'u') {
		name = strchr(names, **p);
		if (!name || !**p)
			return 0;
		++*p;
		text[0] = values[name - names];
		return 1;
	}
	if (hex(*p + 1, end, &c))
		return 0;
	*p += 5;
	if (c >= 0xd800 && c < 0xdc00) {
		if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || hex(*p + 2, end, &low) || low < 0xdc00 ||
		    low > 0xdfff)
			return 0;
		*p += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return 0;
	}
	return utf8_of(c, text);
}

static const char *broken(struct edi_sink *sink, struct error *error)
{
	edi_fault(error, sink->dialect, "json", "the line is no JSON: a string is broken");
	return NULL;
}

/* The bytes at p are not plain, and no quote. */
static const char *put_special(struct edi_sink *sink, const char *p, const char *end, struct error *error)
{
	unsigned char c = (unsigned char)*p;
	char text[4];
	size_t n;

	if (c == '\\') {
		p++;
		n = unescape(&p, end, text);
		if (!n)
			return broken(sink, error);
		return (n == 1 ? put_ascii(sink, text[0], error) : put_high(sink, text, n, error)) ? NULL : p;
	}
	if (c < 0x20)
		return broken(sink, error);
	if (c < 0x80)
		return put_ascii(sink, *p, error) ? NULL : p + 1;
	n = utf8_character(span_make(p, (size_t)(end - p)));
	if (!n)
		return broken(sink, error);
	return put_high(sink, p, n, error) ? NULL : p + n;
}

#ifdef __SSE2__
/* Plain bytes from p on, copied; where the first other one is. */
static inline const char *copy_plain(struct edi_sink *sink, const char *p, const char *end)
{
	const struct edi_syntax *syntax = &sink->syntax;
	const __m128i element = _mm_set1_epi8(syntax->element), component = _mm_set1_epi8(syntax->component),
		      terminator = _mm_set1_epi8(syntax->terminator),
		      repetition = _mm_set1_epi8(syntax->repetition ? syntax->repetition : '"'),
		      release = _mm_set1_epi8(syntax->release ? syntax->release : '"'), quote = _mm_set1_epi8('"'),
		      backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f);

	while (p < end) {
		char *room = buf_room(sink->out, STEP);
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p), m;
		int bits;

		if (!room)
			return p;
		_mm_storeu_si128((__m128i *)(void *)room, v);
		m = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash));
		m = _mm_or_si128(m, _mm_or_si128(_mm_cmpeq_epi8(v, element), _mm_cmpeq_epi8(v, component)));
		m = _mm_or_si128(m, _mm_or_si128(_mm_cmpeq_epi8(v, terminator), _mm_cmpeq_epi8(v, release)));
		m = _mm_or_si128(m, _mm_or_si128(_mm_cmpeq_epi8(v, repetition), _mm_cmpeq_epi8(v, del)));
		m = _mm_or_si128(m, _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
		bits = _mm_movemask_epi8(m) | _mm_movemask_epi8(v);
		if (bits) {
			int n = __builtin_ctz((unsigned)bits);

			buf_added(sink->out, (size_t)n);
			return p + n;
		}
		buf_added(sink->out, STEP);
		p += STEP;
	}
	return p;
}
#else
static inline const char *copy_plain(struct edi_sink *sink, const char *p, const char *end)
{
	const char *from = p;

	while (p < end && (unsigned char)*p < 0x80 && sink->put[(uint8_t)*p] == PUT_PLAIN)
		p++;
	buf_append(sink->out, from, (size_t)(p - from));
	return p;
}
#endif

const char *edi_put_json(struct edi_sink *sink, const char *p, const char *end, struct error *error)
{
	while (p && p < end) {
		if (!sink->table_only)
			p = copy_plain(sink, p, end);
		if (p < end && *p == '"')
			return p + 1;
		if (p >= end || sink->out->full)
			break;
		p = put_special(sink, p, end, error);
		if (!p)
			return NULL;
	}
	if (sink->out->full) {
		edi_fault(error, sink->dialect, "limit", "the document passes %zu bytes", sink->out->max);
		return NULL;
	}
	return broken(sink, error);
}
