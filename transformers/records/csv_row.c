/* A row of CSV to JSON text, in one pass and without a tree: sixteen bytes at a time are copied and looked through for
 * one that is not plain text. See csv.h. */
#include "config.h"
#include "transformers/records/csv.h"

#include <assert.h>
#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define STEP 16
#define ROOM ((size_t)4096) /* that there is at least before each field and each step, but for names */

struct cursor {
	struct csv_row *row;
	struct buf *json;
	const char *p, *end;
	char *o, *full;
	bool last;
	unsigned high;
	const char *field; /* where it starts */
	size_t value;      /* offset of its text in json */
	bool quoted;
#ifdef __SSE2__
	__m128i separator, quote;
#endif
};

/* ---- output */
static void more_room(struct cursor *c, size_t len)
{
	c->json->len = (size_t)(c->o - c->json->data);
	c->o = buf_room(c->json, len + ROOM); /* without a maximum: the row has one */
	assert(c->o);
	c->full = c->o + len;
}

static inline void need_room(struct cursor *c, size_t len)
{
	if (c->o + len > c->full)
		more_room(c, len);
}

static inline void put(struct cursor *c, const char *text, size_t n)
{
	memcpy(c->o, text, n);
	c->o += n;
}

static void put_escaped(struct cursor *c, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *short_form = byte ? strchr("\bb\ff\nn\rr\tt\"\"\\\\", byte) : NULL;

	*c->o++ = '\\';
	if (short_form) {
		*c->o++ = short_form[1];
		return;
	}
	put(c, "u00", 3);
	*c->o++ = digits[byte >> 4];
	*c->o++ = digits[byte & 15];
}

/* ---- plain text */
#ifdef __SSE2__
static inline unsigned special(const struct cursor *c, __m128i v)
{
	__m128i m = _mm_or_si128(_mm_cmpeq_epi8(v, c->separator), _mm_cmpeq_epi8(v, c->quote));

	m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
	m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
	m = _mm_or_si128(m, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
	return (unsigned)_mm_movemask_epi8(m);
}
#else
static inline bool is_special(const struct cursor *c, char byte)
{
	return byte == c->row->separator || byte == c->row->quote || byte == '\\' || byte == '"' ||
	       (unsigned char)byte < 0x20;
}
#endif

/* Up to the next byte that is not plain, or the end. */
static inline void copy_plain(struct cursor *c)
{
	const char *p = c->p;
	char *o = c->o;

#ifdef __SSE2__
	for (;;) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		unsigned found = special(c, v);

		_mm_storeu_si128((__m128i *)(void *)o, v);
		c->high |= (unsigned)_mm_movemask_epi8(v);
		if (found) {
			p += __builtin_ctz(found);
			o += __builtin_ctz(found);
			break;
		}
		p += STEP;
		o += STEP;
		if (p >= c->end)
			break;
		if (o > c->full) {
			c->o = o;
			more_room(c, ROOM);
			o = c->o;
		}
	}
	if (p > c->end) {
		o -= p - c->end;
		p = c->end;
	}
#else
	for (; p < c->end && !is_special(c, *p); p++) {
		c->high |= (unsigned char)*p & 0x80;
		*o++ = *p;
		if (o > c->full) {
			c->o = o;
			more_room(c, ROOM);
			o = c->o;
		}
	}
#endif
	c->p = p;
	c->o = o;
}

/* ---- what is wrong */
static enum csv_result lost(struct cursor *c, const char *code, const char *what)
{
	error_set(&c->row->why, ERROR_REJECT, code, "field %zu %s", c->row->fields + 1, what);
	return CSV_LOST;
}

/* The first mistake counts; where the row ends is known all the same. */
static void __attribute__((format(printf, 3, 4))) wrong(struct cursor *c, const char *code, const char *format, ...)
{
	va_list arguments;
	char text[200];

	if (c->row->why.class != ERROR_NONE)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	error_set(&c->row->why, ERROR_REJECT, code, "%s", text);
}

static bool is_too_long(const struct cursor *c)
{
	return (size_t)(c->p - c->field) > c->row->field_max + (c->quoted ? 2 : 0);
}

static enum csv_result too_long(struct cursor *c)
{
	char what[80];

	snprintf(what, sizeof what, "is longer than %zu bytes%s", c->row->field_max,
		 c->quoted ? ", or a quote is missing behind it" : "");
	return lost(c, "csv.limit", what);
}

/* Within a field. What is said must not depend on how much of the document was at hand. */
static enum csv_result cut_off(struct cursor *c)
{
	if (is_too_long(c))
		return too_long(c);
	return c->last ? lost(c, "csv.quote", "begins with a quote, and none ends it") : CSV_MORE;
}

static enum csv_result stray(struct cursor *c)
{
	if (is_too_long(c))
		return too_long(c);
	return lost(c, "csv.quote", "has text behind the quote that ends it: quotes within are doubled");
}

/* ---- fields */
/* CSV_ROW: what follows is looked at by read_plain. */
static enum csv_result read_quoted(struct cursor *c)
{
	struct csv_row *row = c->row;

	for (c->p++;;) {
		copy_plain(c);
		if (c->p >= c->end)
			return cut_off(c);
		if (*c->p != row->quote) {
			if (!*c->p)
				wrong(c, "csv.character", "field %zu has a zero byte", row->fields + 1);
			row->lines += *c->p == '\n' || (*c->p == '\r' && c->p + 1 < c->end && c->p[1] != '\n');
			if (*c->p == row->separator && *c->p != '\t')
				*c->o++ = *c->p++;
			else
				put_escaped(c, (unsigned char)*c->p++);
		} else if (c->p + 1 >= c->end) {
			if (!c->last)
				return CSV_MORE;
			c->p++;
			return CSV_ROW;
		} else if (c->p[1] == row->quote) {
			if (row->quote == '"')
				*c->o++ = '\\';
			*c->o++ = row->quote;
			c->p += 2;
		} else {
			c->p++;
			return CSV_ROW;
		}
		need_room(c, 64);
	}
}

/* Up to the separator or the line end, at which p then stands. */
static enum csv_result read_plain(struct cursor *c)
{
	const struct csv_row *row = c->row;

	for (;;) {
		const char *start = c->p;

		copy_plain(c);
		if (c->quoted && c->p > start && row->stray != STRAY_LOOSE)
			return stray(c);
		if (c->p >= c->end)
			return c->last ? CSV_ROW : cut_off(c);
		if (*c->p == row->separator || *c->p == '\n' || *c->p == '\r')
			return CSV_ROW;
		if (c->quoted && row->stray != STRAY_LOOSE)
			return stray(c);
		if (*c->p == row->quote && row->stray == STRAY_REJECT)
			return is_too_long(c) ? too_long(c)
					      : lost(c, "csv.quote", "has a quote and does not begin with one");
		if (!*c->p)
			wrong(c, "csv.character", "field %zu has a zero byte", row->fields + 1);
		if (*c->p == row->quote && row->quote != '"')
			*c->o++ = *c->p++;
		else
			put_escaped(c, (unsigned char)*c->p++);
		need_room(c, 64);
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ="001" is how a text is written so that a spreadsheet takes it for one. */
static void unwrap_excel(struct cursor *c)
{
	char *value = c->json->data + c->value;
	size_t len = (size_t)(c->o - value);

	if (len < 5 || memcmp(value, "=\\\"", 3) || memcmp(c->o - 2, "\\\"", 2))
		return;
	memmove(value, value + 3, len - 5);
	c->o -= 5;
}

static enum csv_result read_field(struct cursor *c)
{
	const struct csv_row *row = c->row;
	enum csv_result result;

	c->field = c->p;
	c->value = (size_t)(c->o - c->json->data);
	c->quoted = false;
	if (row->trim)
		while (c->p < c->end && is_blank(*c->p) && *c->p != row->separator)
			c->p++;
	if (c->p < c->end && *c->p == row->quote && row->quote != row->separator) {
		c->quoted = true;
		result = read_quoted(c);
		if (result != CSV_ROW)
			return result;
		if (row->trim)
			while (c->p < c->end && is_blank(*c->p) && *c->p != row->separator)
				c->p++;
		if (c->p >= c->end || *c->p == row->separator || *c->p == '\n' || *c->p == '\r') {
			result = c->p >= c->end && !c->last ? CSV_MORE : CSV_ROW;
			goto done;
		}
	}
	result = read_plain(c);
	if (row->trim && !c->quoted) /* a tabulator has become \t */
		for (const char *p = c->p; c->o > c->json->data + c->value && is_blank(p[-1]); p--)
			c->o -= p[-1] == ' ' ? 1 : 2;
done:
	if (result == CSV_ROW && is_too_long(c))
		return too_long(c);
	if (result == CSV_ROW && row->excel_text)
		unwrap_excel(c);
	return result;
}

/* ---- rows */
static void begin_field(struct cursor *c)
{
	const struct csv_columns *columns = c->row->columns;
	size_t at = c->row->fields;

	if (!columns) {
		need_room(c, 64);
		put(c, at ? "\",\"" : "[\"", at ? 3 : 2);
	} else if (at < columns->count) {
		const struct span *prefix = &columns->prefixes[at];

		need_room(c, prefix->len + 64);
		put(c, prefix->data, prefix->len);
	} else {
		need_room(c, 64);
		c->o += sprintf(c->o, "\",\"column_%zu\":\"", at + 1);
	}
}

/* A field that there is no column for: an empty one is nothing. */
static void end_extra(struct cursor *c, size_t width, size_t before)
{
	struct csv_row *row = c->row;
	bool empty = (size_t)(c->o - c->json->data) == c->value, many = row->fields >= row->columns_max;

	if (empty || many)
		c->o = c->json->data + before;
	if (empty)
		return;
	if (many)
		wrong(c, "csv.limit", "there are more than %zu fields", row->columns_max);
	else if (row->ragged != RAGGED_KEEP)
		wrong(c, "csv.ragged", "there is a field %zu, and only %zu column%s", row->fields + 1, width,
		      width == 1 ? "" : "s");
}

static void end_row(struct cursor *c, size_t width)
{
	struct csv_row *row = c->row;

	if (row->fields < width && row->ragged == RAGGED_REJECT)
		wrong(c, "csv.ragged", "there are %zu columns, and only %zu field%s", width, row->fields,
		      row->fields == 1 ? "" : "s");
	if (row->fields < width && row->ragged == RAGGED_PAD) {
		size_t fields = row->fields;

		for (; row->fields < width; row->fields++)
			begin_field(c);
		row->fields = fields;
	}
	need_room(c, 64);
	put(c, row->columns ? "\"}" : "\"]", 2);
}

static enum csv_result read_fields(struct cursor *c)
{
	struct csv_row *row = c->row;
	size_t width = row->columns ? row->columns->count : row->width;

	for (;; row->fields++) {
		size_t before = (size_t)(c->o - c->json->data);
		enum csv_result result;

		begin_field(c);
		result = read_field(c);
		if (result != CSV_ROW)
			return result;
		if (row->fields >= row->columns_max || (width && row->fields >= width))
			end_extra(c, width, before);
		if (c->p >= c->end || *c->p != row->separator)
			break;
		c->p++;
	}
	row->fields++;
	end_row(c, width);
	return CSV_ROW;
}

/* The line end at p, where there is one. */
static enum csv_result end_line(struct cursor *c)
{
	if (c->p >= c->end)
		return CSV_ROW;
	if (*c->p == '\r' && c->p + 1 >= c->end && !c->last)
		return CSV_MORE;
	c->p += *c->p == '\r' && c->p + 1 < c->end && c->p[1] == '\n' ? 2 : 1;
	return CSV_ROW;
}

size_t csv_line_end(struct span text, size_t *end)
{
	size_t len = 0;

	while (len < text.len && text.data[len] != '\n' && text.data[len] != '\r')
		len++;
	*end = len == text.len ? 0 : text.data[len] == '\r' && len + 1 < text.len && text.data[len + 1] == '\n' ? 2 : 1;
	return len;
}

enum csv_result csv_row_read(struct csv_row *row, struct span text, bool last, struct buf *json)
{
	struct cursor c = {.row = row, .json = json, .p = text.data, .end = text.data + text.len, .last = last};
	size_t before = json->len;
	enum csv_result result;

#ifdef __SSE2__
	c.separator = _mm_set1_epi8(row->separator);
	c.quote = _mm_set1_epi8(row->quote);
#endif
	row->fields = 0;
	row->lines = 1;
	row->high = false;
	row->why.class = ERROR_NONE;
	c.o = c.full = json->data ? json->data + json->len : NULL;
	more_room(&c, ROOM);
	result = *c.p == '\r' || *c.p == '\n' ? CSV_BLANK : read_fields(&c);
	if ((result == CSV_ROW || result == CSV_BLANK) && end_line(&c) == CSV_MORE)
		result = CSV_MORE;
	row->used = (size_t)(c.p - text.data);
	row->high = c.high != 0;
	json->len = (size_t)(c.o - json->data);
	if (result == CSV_ROW && row->why.class != ERROR_NONE)
		result = CSV_BAD;
	if (result != CSV_ROW)
		json->len = before;
	row->json_len = json->len - before;
	return result;
}
