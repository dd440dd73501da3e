/* Segments as JSON to segments as bytes. See edi_encode.h. */
#include "config.h"
#include "transformers/edi/edi_encode.h"

#include "base/tree.h"
#include "transformers/edi/edi_chunk.h"

void edi_put_end(struct edi_sink *sink)
{
	buf_char(sink->out, sink->syntax.terminator);
	buf_append(sink->out, sink->syntax.suffix, sink->syntax.suffix_len);
}

/* ---- from text */
static const char *broken(struct edi_sink *sink, struct error *error, const char *what)
{
	edi_fault(error, sink->dialect, "json", "%s", what);
	return NULL;
}

static bool is_scalar_character(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* A string, a number as it is written, null for nothing. */
static const char *put_scalar(struct edi_sink *sink, const char *p, const char *end, struct error *error)
{
	const char *from = p;

	if (p < end && *p == '"')
		return edi_put_json(sink, p + 1, end, error);
	if (end - p >= 4 && !memcmp(p, "null", 4))
		return p + 4;
	while (p < end && is_scalar_character(*p))
		p++;
	if (p == from || (*from != '-' && (*from < '0' || *from > '9')))
		return broken(sink, error, "an element is a text, a number, null, or an array of them");
	return edi_put_text(sink, span_make(from, (size_t)(p - from)), error) ? NULL : p;
}

/* Behind a value: ',' or ']'; *more says which. */
static inline const char *next(const char *p, const char *end, bool *more)
{
	if (p >= end || (*p != ',' && *p != ']'))
		p = edi_json_space(p, end);
	if (p >= end || (*p != ',' && *p != ']'))
		return NULL;
	*more = *p == ',';
	p++;
	return *more && p < end && *p != '"' ? edi_json_space(p, end) : p;
}

static const char *no_separator(bool repetitions)
{
	return repetitions ? "an element has repetitions, but there is no separator for them"
			   : "an element has components, but there is no separator for them";
}

static const char *put_list(struct edi_sink *sink, const char *p, const char *end, bool repetitions,
			    struct error *error);

/* One item of a list: a component, or a repetition, itself a list of components. */
static const char *put_item(struct edi_sink *sink, const char *p, const char *end, bool repetitions,
			    struct error *error)
{
	if (repetitions && p < end && *p == '[')
		return put_list(sink, edi_json_space(p + 1, end), end, false, error);
	return put_scalar(sink, p, end, error);
}

static const char *put_list(struct edi_sink *sink, const char *p, const char *end, bool repetitions,
			    struct error *error)
{
	char separator = repetitions ? sink->syntax.repetition : sink->syntax.component;
	bool more = true;

	if (p < end && *p == ']')
		return p + 1;
	for (;;) {
		p = put_item(sink, p, end, repetitions, error);
		if (!p)
			return NULL;
		p = next(p, end, &more);
		if (!p)
			return broken(sink, error, "the line is no JSON: a list of components is broken");
		if (!more)
			return p;
		if (!separator)
			return broken(sink, error, no_separator(repetitions));
		buf_char(sink->out, separator);
	}
}

static const char *put_element(struct edi_sink *sink, const char *p, const char *end, struct error *error)
{
	if (p >= end || *p != '[')
		return put_scalar(sink, p, end, error);
	p = edi_json_space(p + 1, end);
	return put_list(sink, p, end, p < end && *p == '[', error);
}

static bool is_name(const char *name, size_t n)
{
	if (n < 2 || n > 3)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9')))
			return false;
	return true;
}

/* EDIFACT may have components behind it. */
static size_t name_length(const struct edi_sink *sink, size_t start)
{
	size_t n = 0;

	while (start + n < sink->out->len && sink->out->data[start + n] != sink->syntax.component)
		n++;
	return n;
}

/* BIN and BDS: the last element goes out as bytes. They are rare, so as a tree. */
static const char *put_binary(struct edi_sink *sink, const char *from, const char *end, struct error *error)
{
	const char *to = edi_json_skip(from, end);
	json_t *segment = to ? json_loadb(from, (size_t)(to - from), JSON_ALLOW_NUL, NULL) : NULL;
	int failed = segment ? edi_put_segment(sink, segment, false, error) : -1;

	if (!segment)
		return broken(sink, error, "the line is no JSON: a binary segment is broken");
	json_decref(segment);
	return failed ? NULL : to;
}

/* From '[' on. */
static const char *put_segment(struct edi_sink *sink, const char *from, const char *end, struct edi_place *place,
			       struct error *error)
{
	size_t start = sink->out->len, name;
	const char *p = edi_json_space(from + 1, end);
	bool more = true;

	place->element = 0;
	p = put_element(sink, p, end, error);
	name = p ? name_length(sink, start) : 0;
	if (!is_name(sink->out->data + start, name)) {
		edi_fault(error, sink->dialect, "segment",
			  "a segment is an array that begins with a name of two or three capital letters and digits");
		return NULL;
	}
	if (sink->dialect->binary && name == 3 &&
	    (!memcmp(sink->out->data + start, "BIN", 3) || !memcmp(sink->out->data + start, "BDS", 3))) {
		sink->out->len = start;
		return put_binary(sink, from, end, error);
	}
	p = next(p, end, &more);
	for (bool first = true; p && more; first = false) {
		buf_char(sink->out, first ? sink->syntax.tag : sink->syntax.element);
		place->element++;
		p = put_element(sink, p, end, error);
		if (!p)
			return NULL;
		p = next(p, end, &more);
	}
	if (!p)
		return broken(sink, error, "the line is no JSON: a segment is broken");
	edi_put_end(sink);
	return p;
}

#ifdef __SSE2__
#define LOOK (4 * STEP)

/* What is special is found for many bytes at once, so that one string does not wait for the one before it. */
struct block {
	chunk wide[5];
	const uint8_t *columns;
	const char *base;
	uint64_t bits; /* of the bytes from base on that are not plain */
};

typedef void looking(struct block *, const char *);

static inline uint64_t look_at(const char *p, const chunk wide[5])
{
	chunk v = load(p);

	return special(v, wide) | signs(v);
}

static inline void look_at_chunks(struct block *block, const char *p)
{
	block->base = p;
	block->bits = 0;
	for (unsigned i = 0; i < LOOK / STEP; i++)
		block->bits |= look_at(p + i * STEP, block->wide) << i * STEP;
}

static inline void copy(char *o, const char *p, size_t n)
{
	for (size_t i = 0;; i += STEP) {
		store(o + i, load(p + i));
		if (i + STEP >= n)
			return;
	}
}

/* A string of plain characters, and of separators that are released: copied, and what follows its quote; NULL at
 * anything else. */
static inline __attribute__((always_inline)) const char *copy_string(const struct edi_sink *sink, const char *p,
								     const char *end, char **out, struct block *block,
								     looking *looks)
{
	char *o = *out;

	while (p < end) {
		uint64_t bits;
		size_t n;

		if (p - block->base >= LOOK)
			looks(block, p);
		bits = block->bits >> (p - block->base);
		n = bits ? (size_t)__builtin_ctzll(bits) : (size_t)(LOOK - (p - block->base));
		copy(o, p, n);
		p += n;
		o += n;
		if (!bits)
			continue;
		if (*p == '"') {
			*out = o;
			return p + 1;
		}
		if (sink->put[(uint8_t)*p] != PUT_SEPARATOR || !sink->syntax.release)
			return NULL;
		*o++ = sink->syntax.release;
		*o++ = *p++;
	}
	return NULL;
}

static inline bool is_capital(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* One segment of the usual kind: a name, strings, and lists of strings. NULL: it is another. */
static inline __attribute__((always_inline)) const char *put_usual(const struct edi_sink *sink, const char *p,
								   const char *end, char **out, struct edi_place *place,
								   struct block *block, looking *looks)
{
	const struct edi_syntax *syntax = &sink->syntax;
	char *o = *out, separator = syntax->tag;
	size_t n;

	if (p[0] != '[' || p[1] != '"' || !is_capital(p[2]) || !is_capital(p[3]) ||
	    (sink->dialect->binary && p[2] == 'B'))
		return NULL;
	n = is_capital(p[4]) ? 3 : 2;
	memcpy(o, p + 2, 4);
	o += n;
	p += 2 + n;
	if (*p++ != '"')
		return NULL;
	for (; *p == ','; separator = syntax->element) {
		bool list = p[1] == '[';

		*o++ = separator;
		p += 1 + list;
		if (*p != '"' || !(p = copy_string(sink, p + 1, end, &o, block, looks)))
			return NULL;
		if (!list)
			continue;
		while (*p == ',' && syntax->component) {
			*o++ = syntax->component;
			if (p[1] != '"' || !(p = copy_string(sink, p + 2, end, &o, block, looks)))
				return NULL;
		}
		if (*p++ != ']')
			return NULL;
	}
	if (*p != ']' || p >= end)
		return NULL;
	*o++ = syntax->terminator;
	memcpy(o, syntax->suffix, EDI_SUFFIX_MAX);
	*out = o + syntax->suffix_len;
	place->segment++;
	return p + 1;
}

/* As many segments as are usual; where the first other one begins, or the bracket behind the last. */
static inline __attribute__((always_inline)) const char *put_row(const struct edi_sink *sink, const char *p,
								 const char *end, char **out, struct edi_place *place,
								 struct block *block, looking *looks)
{
	looks(block, p);
	while (p + 8 < end) {
		char *o = *out;
		const char *next = put_usual(sink, p, end, &o, place, block, looks);

		if (!next)
			break;
		*out = o;
		p = next;
		if (*p != ',' || p[1] != '[')
			break;
		p++;
	}
	return p;
}

static const char *put_with_sse2(const struct edi_sink *sink, const char *p, const char *end, char **out,
				 struct edi_place *place, struct block *block)
{
	return put_row(sink, p, end, out, place, block, look_at_chunks);
}

#ifdef AVX2
AVX2 static inline void look_at_blocks(struct block *block, const char *p)
{
	unsigned sign, more;

	block->base = p;
	block->bits = look_wide(p, block->columns, &sign) | (uint64_t)look_wide(p + 2 * STEP, block->columns, &more)
								    << 2 * STEP;
	block->bits |= sign | (uint64_t)more << 2 * STEP;
}

AVX2 static const char *put_with_avx2(const struct edi_sink *sink, const char *p, const char *end, char **out,
				      struct edi_place *place, struct block *block)
{
	return put_row(sink, p, end, out, place, block, look_at_blocks);
}
#endif

static const char *put_many(struct edi_sink *sink, const char *p, const char *end, struct edi_place *place)
{
	char *room = buf_room(sink->out, 2 * (size_t)(end - p) + 2 * LOOK), *o = room;
	const char *wide_of[5] = {&sink->syntax.element, &sink->syntax.component, &sink->syntax.terminator,
				  &sink->syntax.repetition, &sink->syntax.release};
	struct block block = {.columns = sink->columns};

	if (!room || sink->table_only)
		return p;
	for (int i = 0; i < 5; i++)
		block.wide[i] = _mm_set1_epi8(*wide_of[i] ? *wide_of[i] : '"');
#ifdef AVX2
	if (__builtin_cpu_supports("avx2"))
		p = put_with_avx2(sink, p, end, &o, place, &block);
	else
#endif
		p = put_with_sse2(sink, p, end, &o, place, &block);
	buf_added(sink->out, (size_t)(o - room));
	return p;
}
#else
static const char *put_many(struct edi_sink *sink, const char *p, const char *end, struct edi_place *place)
{
	return p;
}
#endif

const char *edi_put_segments(struct edi_sink *sink, const char *p, const char *end, struct edi_place *place,
			     struct error *error)
{
	bool more = true;

	*place = (struct edi_place){0};
	if (p >= end || *p != '[')
		return broken(sink, error, "`segments` must be an array of segments");
	p = edi_json_space(p + 1, end);
	if (p < end && *p == ']')
		return p + 1;
	while (more) {
		const char *from = p;

		p = put_many(sink, p, end, place);
		if (p == from || *p == '[') {
			place->segment++;
			if (p >= end || *p != '[')
				return broken(sink, error, "`segments` must be an array of arrays");
			p = put_segment(sink, p, end, place, error);
		}
		if (!p)
			return NULL;
		p = next(p, end, &more);
		if (!p)
			return broken(sink, error, "the line is no JSON: `segments` is broken");
	}
	return p;
}

/* ---- from a tree */
static int put_raw(struct edi_sink *sink, struct span text, struct error *error)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c >= 0x80) {
			if (c > 0xc3 || i + 1 == text.len)
				return edi_fault(error, sink->dialect, "charset",
						 "binary data has a character that is no byte");
			c = (unsigned char)((c & 3) << 6 | ((unsigned char)text.data[++i] & 0x3f));
		}
		buf_char(sink->out, (char)c);
	}
	return 0;
}

static int put_value(struct edi_sink *sink, const json_t *value, bool raw, struct error *error)
{
	struct span text = span_make(json_string_value(value), json_string_length(value));
	struct buf number;
	int failed;

	if (json_is_null(value))
		return 0;
	if (json_is_number(value)) {
		buf_init(&number, 64);
		tree_write(&number, value, 0);
		failed = edi_put_text(sink, buf_view(&number), error);
		buf_free(&number);
		return failed;
	}
	if (!json_is_string(value))
		return edi_fault(error, sink->dialect, "json",
				 "an element is a text, a number, null, or an array of them");
	if (!raw)
		return edi_put_text(sink, text, error);
	buf_span(sink->out, text);
	return 0;
}

static int put_tree(struct edi_sink *sink, const json_t *element, int depth, bool raw, struct error *error)
{
	bool repetitions = !depth && json_is_array(json_array_get(element, 0));

	if (!json_is_array(element) || depth > 1)
		return put_value(sink, element, raw, error);
	for (size_t i = 0; i < json_array_size(element); i++) {
		char separator = repetitions ? sink->syntax.repetition : sink->syntax.component;

		if (i && !separator)
			return edi_fault(error, sink->dialect, "json", "%s", no_separator(repetitions));
		if (i)
			buf_char(sink->out, separator);
		if (put_tree(sink, json_array_get(element, i), repetitions ? 1 : 2, raw, error))
			return -1;
	}
	return 0;
}

int edi_put_segment(struct edi_sink *sink, const json_t *segment, bool raw, struct error *error)
{
	const json_t *first = json_array_get(segment, 0);
	const char *name = json_string_value(json_is_array(first) ? json_array_get(first, 0) : first);
	bool binary = name && sink->dialect->binary && (!strcmp(name, "BIN") || !strcmp(name, "BDS"));
	size_t n = json_array_size(segment);

	if (!name || !is_name(name, strlen(name)))
		return edi_fault(
			error, sink->dialect, "segment",
			"a segment is an array that begins with a name of two or three capital letters and digits");
	if (put_tree(sink, first, 0, raw, error))
		return -1;
	for (size_t i = 1; i < n; i++) {
		const json_t *element = json_array_get(segment, i);

		buf_char(sink->out, i == 1 ? sink->syntax.tag : sink->syntax.element);
		if (binary && i == n - 1 && json_is_string(element)) {
			if (put_raw(sink, span_make(json_string_value(element), json_string_length(element)), error))
				return -1;
		} else if (put_tree(sink, element, 0, raw, error)) {
			return -1;
		}
	}
	edi_put_end(sink);
	return 0;
}
