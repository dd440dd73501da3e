/* Segments out of a document, wherever buffers end. See edi.h. */
#include "config.h"
#include "transformers/edi/edi.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define AHEAD 4096 /* bytes wanted at once, where the document has them */

void edi_syntax_ready(struct edi_syntax *syntax)
{
	uint8_t *class = syntax->class;

	memset(class, EDI_TEXT, 256);
	memset(class, EDI_CONTROL, 0x20);
	class[0x7f] = EDI_CONTROL;
	class['\r'] = class['\n'] = EDI_LINE;
	class['"'] = class['\\'] = class['\t'] = EDI_QUOTE; /* people paste tabs */
	if (syntax->charset)
		memset(class + 0x80, EDI_HIGH, 128);
	if (syntax->release)
		class[(uint8_t)syntax->release] = EDI_RELEASE;
	if (syntax->repetition)
		class[(uint8_t)syntax->repetition] = EDI_REPETITION;
	if (syntax->component)
		class[(uint8_t)syntax->component] = EDI_COMPONENT;
	class[(uint8_t)syntax->element] = EDI_ELEMENT;
	class[(uint8_t)syntax->terminator] = EDI_END;
	memset(syntax->wide[0], syntax->element, 16);
	memset(syntax->wide[1], syntax->component ? syntax->component : syntax->terminator, 16);
	memset(syntax->wide[2], syntax->terminator, 16);
	memset(syntax->wide[3], syntax->repetition ? syntax->repetition : syntax->terminator, 16);
	memset(syntax->wide[4], syntax->release ? syntax->release : syntax->terminator, 16);
	memset(syntax->columns, 0, sizeof syntax->columns);
	for (unsigned c = 0; c < 0x80; c++)
		if (class[c] != EDI_TEXT)
			syntax->columns[c & 15] |= (uint8_t)(1u << (c >> 4));
	syntax->wraps = syntax->terminator != '\r' && syntax->terminator != '\n';
}

/* Names may be wrapped behind any character, and those of two are followed by any. */
static void note_name(struct edi_scan *scan, uint8_t bit, const char *name)
{
	if (!name)
		return;
	scan->first[(uint8_t)name[0]] |= bit;
	for (int c = 0; c < 256; c++) {
		bool wrapped = c == '\r' || c == '\n';

		if (wrapped || c == (uint8_t)name[1])
			scan->second[c] |= bit;
		/* Where a line ends behind the first, the second comes third. */
		if (wrapped || !name[2] || c == (uint8_t)name[2] || c == (uint8_t)name[1])
			scan->third[c] |= bit;
	}
}

void edi_scan_speak(struct edi_scan *scan, const struct edi_dialect *dialect)
{
	if (scan->dialect == dialect)
		return;
	scan->dialect = dialect;
	memset(scan->first, 0, sizeof scan->first);
	memset(scan->second, 0, sizeof scan->second);
	memset(scan->third, 0, sizeof scan->third);
	for (int level = EDI_INTERCHANGE; level <= EDI_TRANSACTION; level++) {
		note_name(scan, (uint8_t)(1u << 2 * level), dialect->open[level]);
		note_name(scan, (uint8_t)(2u << 2 * level), dialect->close[level]);
	}
	note_name(scan, 1u << 2 * EDI_TRANSACTION, dialect->package[0]);
	note_name(scan, EDI_BINARY_BIT, dialect->binary ? "BIN" : NULL);
	note_name(scan, EDI_BINARY_BIT, dialect->binary ? "BDS" : NULL);
}

void edi_scan_begin(struct edi_scan *scan, const struct edi_dialect *dialect, struct reader *reader, struct out *out)
{
	memset(scan, 0, sizeof *scan);
	edi_scan_speak(scan, dialect);
	scan->syntax.terminator = '~'; /* until a header says which: none that is white space */
	window_begin(&scan->window, reader, out);
	buf_init(&scan->unwrapped, 2 * EDI_SEGMENT_MAX);
	buf_init(&scan->filler, 2 * EDI_FILLER_MAX);
}

void edi_scan_end(struct edi_scan *scan)
{
	window_end(&scan->window);
	buf_free(&scan->unwrapped);
	buf_free(&scan->filler);
}

void edi_seek(struct edi_scan *scan, uint64_t offset)
{
	scan->offset = offset;
	scan->got = SPAN_NONE;
}

/* At least so many bytes at scan->offset, where the document has them. */
static int need(struct edi_scan *scan, size_t want, struct error *error)
{
	if (scan->got.len >= want)
		return 0;
	return window_get(&scan->window, scan->offset, want, &scan->got, error);
}

static void advance(struct edi_scan *scan, size_t n)
{
	scan->offset += n;
	scan->got = n < scan->got.len ? span_make(scan->got.data + n, scan->got.len - n) : SPAN_NONE;
}

static int skip_some(struct edi_scan *scan, struct span *filler, struct error *error)
{
	size_t n = 0, want = AHEAD;

	for (;;) {
		if (need(scan, want, error))
			return -1;
		while (n < scan->got.len && n < EDI_FILLER_MAX && edi_is_filler(scan->got.data[n]) &&
		       (!scan->syntax.wraps || scan->got.data[n] != scan->syntax.terminator))
			n++;
		if (n < scan->got.len || scan->offset + n >= scan->window.size || n == EDI_FILLER_MAX)
			break;
		want = scan->got.len * 2;
	}
	*filler = span_make(scan->got.data, n);
	advance(scan, n);
	return 0;
}

int edi_skip_filler(struct edi_scan *scan, struct span *filler, struct error *error)
{
	do
		if (skip_some(scan, filler, error))
			return -1;
	while (filler->len == EDI_FILLER_MAX && (scan->lost_filler = true));
	return 0;
}

/* BIN*length*bytes and BDS*filter*length*bytes: any byte may stand in the last element. Length of the whole segment
 * without terminator, 0: not such a one. */
static int measure_binary(struct edi_scan *scan, size_t *length, size_t *from, struct error *error)
{
	struct span got = scan->got;
	const char *p = got.data + 4, *end = got.data + (got.len < 64 ? got.len : 64);
	size_t bytes = 0, digits = 0;

	*length = 0;
	if (got.len < 6 || got.data[3] != scan->syntax.element ||
	    (memcmp(got.data, "BIN", 3) && memcmp(got.data, "BDS", 3)))
		return 0;
	if (got.data[2] == 'S') {
		while (p < end && *p != scan->syntax.element && *p != scan->syntax.terminator)
			p++;
		p++;
	}
	for (; p < end && isdigit((unsigned char)*p) && digits < 9; p++, digits++)
		bytes = bytes * 10 + (size_t)(*p - '0');
	if (!digits || p >= end || *p != scan->syntax.element || bytes > EDI_SEGMENT_MAX)
		return 0;
	*from = (size_t)(p + 1 - got.data);
	if (need(scan, *from + bytes + 1, error))
		return -1;
	if (scan->got.len > *from + bytes && scan->got.data[*from + bytes] == scan->syntax.terminator)
		*length = *from + bytes;
	return 0;
}

static bool is_released(const struct edi_syntax *syntax, const char *start, const char *end)
{
	const char *p = end;

	while (p > start && p[-1] == syntax->release)
		p--;
	return (end - p) & 1;
}

/* The terminator at or behind `from`; NULL: not in these bytes. */
static const char *find_end(const struct edi_syntax *syntax, struct span got, size_t from)
{
	while (from < got.len) {
		const char *end = memchr(got.data + from, syntax->terminator, got.len - from);

		if (!end || !syntax->release || end == got.data || end[-1] != syntax->release ||
		    !is_released(syntax, got.data, end))
			return end;
		from = (size_t)(end - got.data) + 1;
	}
	return NULL;
}

/* Past the limit the rest of the segment is only passed over. */
static int pass_over(struct edi_scan *scan, struct edi_segment *segment, struct error *error)
{
	const char *end = NULL;

	segment->oversized = true;
	segment->text.len = 64;
	advance(scan, EDI_SEGMENT_MAX);
	while (!end && scan->offset < scan->window.size) {
		if (need(scan, 1, error))
			return -1;
		end = memchr(scan->got.data, scan->syntax.terminator, scan->got.len);
		advance(scan, end ? (size_t)(end - scan->got.data) + 1 : scan->got.len);
	}
	segment->end = scan->offset;
	segment->text = SPAN_LITERAL("");
	return 1;
}

static int measure(struct edi_scan *scan, struct edi_segment *segment, struct error *error)
{
	size_t want = AHEAD, length = 0;
	const char *end;

	if (scan->dialect->binary && scan->got.data[0] == 'B') {
		if (measure_binary(scan, &length, &segment->binary_from, error))
			return -1;
		segment->binary = length != 0;
	}
	end = length ? scan->got.data + length : find_end(&scan->syntax, scan->got, 0);
	while (!end && scan->offset + scan->got.len < scan->window.size && scan->got.len <= EDI_SEGMENT_MAX) {
		size_t from = scan->got.len;

		want = from * 2 < AHEAD ? AHEAD : from * 2;
		if (need(scan, want, error))
			return -1;
		end = find_end(&scan->syntax, scan->got, from);
	}
	length = end ? (size_t)(end - scan->got.data) : scan->got.len;
	if (length > EDI_SEGMENT_MAX)
		return pass_over(scan, segment, error);
	segment->text = span_make(scan->got.data, length);
	segment->open = !end;
	if (!end) /* behind the document's last byte there is room for it */
		scan->window.data[scan->window.len] = scan->syntax.terminator;
	advance(scan, length + (end != NULL));
	segment->end = scan->offset;
	return 1;
}

/* What is read next may move the bytes. */
static void keep_filler(struct edi_scan *scan, struct span *filler)
{
	if (span_equal(*filler, span_make(scan->syntax.suffix, scan->syntax.suffix_len))) {
		filler->data = scan->syntax.suffix;
		return;
	}
	buf_reset(&scan->filler);
	buf_span(&scan->filler, *filler);
	*filler = buf_view(&scan->filler);
}

int edi_next(struct edi_scan *scan, struct edi_segment *segment, struct error *error)
{
	const struct edi_syntax *syntax = &scan->syntax;

	memset(segment, 0, sizeof *segment);
	/* The usual case at once: the same line ends as always, and a whole segment behind them. */
	if (scan->got.len > syntax->suffix_len + 64 && edi_starts_with_suffix(syntax, scan->got.data) &&
	    (unsigned char)scan->got.data[syntax->suffix_len] > ' ') {
		const char *end;

		segment->filler = span_make(syntax->suffix, syntax->suffix_len);
		advance(scan, syntax->suffix_len);
		segment->offset = scan->offset;
		end = scan->got.data[0] == 'B' && scan->dialect->binary ? NULL : find_end(syntax, scan->got, 0);
		if (end && (size_t)(end - scan->got.data) <= EDI_SEGMENT_MAX) {
			segment->text = span_make(scan->got.data, (size_t)(end - scan->got.data));
			advance(scan, segment->text.len + 1);
			segment->end = scan->offset;
			return 1;
		}
		edi_seek(scan, segment->offset - syntax->suffix_len);
	}
	if (edi_skip_filler(scan, &segment->filler, error))
		return -1;
	keep_filler(scan, &segment->filler);
	segment->offset = scan->offset;
	if (scan->offset >= scan->window.size)
		return 0;
	if (need(scan, AHEAD, error))
		return -1;
	return measure(scan, segment, error);
}

#ifdef __SSE2__
void edi_pass_over(struct edi_scan *scan)
{
	const struct edi_syntax *syntax = &scan->syntax;
	const __m128i terminator = _mm_set1_epi8(syntax->terminator);
	const char *start = scan->got.data, *last = start, *p = start;

	if (!edi_at_usual(scan))
		return;
	for (const char *end = start + scan->got.len - EDI_SUFFIX_MAX - WINDOW_SLACK; p < end; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		unsigned bits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, terminator));

		for (; bits; bits &= bits - 1) {
			const char *at = p + __builtin_ctz(bits);

			if (at < last + syntax->suffix_len ||
			    (syntax->release && at[-1] == syntax->release && is_released(syntax, last, at)))
				continue;
			if (at - last > (ptrdiff_t)EDI_SEGMENT_MAX)
				goto done;
			last = at + 1;
			if (!edi_is_usual(scan, last))
				goto done;
		}
	}
done:
	advance(scan, (size_t)(last - start));
}
#else
void edi_pass_over(struct edi_scan *scan)
{
}
#endif

bool edi_unwrap(struct edi_scan *scan, struct edi_segment *segment)
{
	struct span text = segment->text;

	if (segment->binary || !text.len || (!memchr(text.data, '\n', text.len) && !memchr(text.data, '\r', text.len)))
		return false;
	buf_reset(&scan->unwrapped);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != '\r' && text.data[i] != '\n')
			buf_char(&scan->unwrapped, text.data[i]);
	buf_char(&scan->unwrapped, scan->syntax.terminator);
	buf_room(&scan->unwrapped, WINDOW_SLACK);
	segment->text = span_make(scan->unwrapped.data, scan->unwrapped.len - 1);
	return true;
}

bool edi_is(const struct edi_syntax *syntax, struct span segment, const char *name)
{
	size_t n = 0;

	for (; name[n]; n++)
		if (n == segment.len || segment.data[n] != name[n])
			return false;
	return segment.len == n || segment.data[n] == syntax->tag || segment.data[n] == syntax->element;
}

static const char *find_separator(const struct edi_syntax *syntax, struct span text, char separator)
{
	for (size_t i = 0; i < text.len; i++) {
		if (syntax->release && text.data[i] == syntax->release)
			i++;
		else if (text.data[i] == separator)
			return text.data + i;
	}
	return NULL;
}

static struct span cut_nth(const struct edi_syntax *syntax, struct span rest, char separator, int number)
{
	for (int i = 1;; i++) {
		const char *end = find_separator(syntax, rest, separator);
		size_t n = end ? (size_t)(end - rest.data) : rest.len;

		if (i == number)
			return span_make(rest.data, n);
		if (!end)
			return SPAN_NONE;
		rest = span_make(rest.data + n + 1, rest.len - n - 1);
	}
}

struct span edi_element(const struct edi_syntax *syntax, struct span segment, int number)
{
	const char *first = find_separator(syntax, segment, syntax->tag);

	if (!number)
		return first ? span_make(segment.data, (size_t)(first - segment.data)) : segment;
	if (!first)
		return SPAN_NONE;
	return cut_nth(syntax, span_make(first + 1, segment.len - (size_t)(first + 1 - segment.data)), syntax->element,
		       number);
}

struct span edi_trimmed(struct span text)
{
	while (text.len && text.data[text.len - 1] == ' ')
		text.len--;
	return text;
}

struct span edi_component(const struct edi_syntax *syntax, struct span element, int number)
{
	if (syntax->repetition)
		element = cut_nth(syntax, element, syntax->repetition, 1);
	if (!syntax->component)
		return number == 1 ? element : SPAN_NONE;
	return cut_nth(syntax, element, syntax->component, number);
}

static bool collect(struct span got, const struct edi_syntax *syntax, struct edi_start *start)
{
	size_t n = 0;
	bool released = false;

	for (size_t i = 0; i < got.len && n < EDI_HEADER_MAX; i++) {
		char c = got.data[i];

		if ((c == '\r' || c == '\n') && c != syntax->terminator)
			continue;
		start->text[n] = c;
		if (!released && c == syntax->terminator) {
			start->header = span_make(start->text, n);
			start->end = start->header_from + i + 1;
			return true;
		}
		released = !released && syntax->release && c == syntax->release;
		n++;
	}
	return false;
}

int edi_take_header(const struct edi_scan *scan, struct span got, struct edi_start *start, struct error *why)
{
	const struct edi_dialect *dialect = scan->dialect;

	if (collect(got, &scan->syntax, start))
		return 0;
	if (got.len < EDI_HEADER_MAX)
		return edi_fault(why, dialect, "truncated", "the document ends within %.3s", got.data);
	return edi_fault(why, dialect, "limit", "%.3s is longer than %d bytes: its terminator may be missing", got.data,
			 EDI_HEADER_MAX);
}

int edi_fault(struct error *error, const struct edi_dialect *dialect, const char *kind, const char *format, ...)
{
	char code[40], text[400];
	va_list arguments;

	snprintf(code, sizeof code, "%s.%s", dialect->name, kind);
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return error_set(error, ERROR_REJECT, code, "%s", text);
}
