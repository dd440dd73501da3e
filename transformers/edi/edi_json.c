/* A segment as JSON text, in one pass over its bytes and without a tree: sixteen bytes at a time are copied and looked
 * through for one that is not plain text. See edi.h. */
#include "config.h"
#include "transformers/edi/edi.h"

#include <stdio.h>

#include "transformers/edi/edi_chunk.h"

#define SLACK 64

/* What a byte can become at most: \u001f, or a separator that opens and closes. */
#define GROWTH 6

struct cursor {
	const struct edi_syntax *syntax;
	const char *p, *end; /* *end is the terminator, or end is not known: where it starts */
	const char *limit;   /* nothing is read behind it */
	char *o;
	char *start; /* of the element's first string, its quote included */
	int depth;   /* 0: a string, 1: components, 2: repetitions */
	unsigned elements, high;
	bool needless;
};

static void open_brackets(struct cursor *c, int depth)
{
	size_t more = (size_t)(depth - c->depth);

	if (!more)
		return;
	memmove(c->start + more, c->start, (size_t)(c->o - c->start));
	memset(c->start, '[', more);
	c->start += more;
	c->o += more;
	c->depth = depth;
}

static inline void put(struct cursor *c, const char *text, size_t n)
{
	memcpy(c->o, text, n);
	c->o += n;
}

static void put_literal(struct cursor *c)
{
	unsigned char byte = (unsigned char)*c->p++;

	if (byte == '"' || byte == '\\' || byte == '\t')
		*c->o++ = '\\';
	if (byte == '\t')
		byte = 't';
	if (byte >= 0x80 && c->syntax->charset) {
		const char *text = c->syntax->charset->utf8[byte - 0x80];
		size_t n = strlen(text);

		memcpy(c->o, text, n);
		c->o += n;
	} else {
		c->high |= byte & 0x80;
		*c->o++ = (char)byte;
	}
}

/* ?x where x is no separator says x as well; it is remembered that it was so written. */
static bool put_released(struct cursor *c)
{
	uint8_t class;

	c->p++;
	class = c->syntax->class[(uint8_t)*c->p];
	if (c->p >= c->limit || class == EDI_CONTROL || class == EDI_LINE)
		return false;
	c->needless |= class == EDI_TEXT || class == EDI_QUOTE || class == EDI_HIGH;
	if (class == EDI_HIGH && !c->syntax->charset->utf8[(uint8_t)*c->p - 0x80][0])
		return false;
	put_literal(c);
	return true;
}

static void close_element(struct cursor *c)
{
	*c->o++ = '"';
	if (c->depth == 2)
		*c->o++ = ']';
	if (c->depth)
		*c->o++ = ']';
}

/* Between two strings of the element. */
static bool put_separator(struct cursor *c, uint8_t class)
{
	switch (class) {
	case EDI_COMPONENT:
		open_brackets(c, c->depth ? c->depth : 1);
		put(c, "\",\"", 3);
		c->p++;
		return true;
	case EDI_REPETITION:
		open_brackets(c, 2);
		put(c, "\"],[\"", 5);
		c->p++;
		return true;
	case EDI_QUOTE:
		put_literal(c);
		return true;
	case EDI_RELEASE:
		return put_released(c);
	case EDI_HIGH:
		if (!c->syntax->charset->utf8[(uint8_t)*c->p - 0x80][0])
			return false;
		put_literal(c);
		return true;
	default:
		return false;
	}
}

/* Plain text from p on is copied; where the first other byte is. */
static inline void copy_text(struct cursor *c)
{
#ifdef __SSE2__
	chunk wide[5];

	for (int i = 0; i < 5; i++)
		wide[i] = load(c->syntax->wide[i]);
	for (;; c->p += STEP, c->o += STEP) {
		chunk v = load(c->p);
		unsigned bits = special(v, wide) | (c->syntax->charset ? signs(v) : 0);

		store(c->o, v);
		c->high |= signs(v);
		if (!bits)
			continue;
		c->p += __builtin_ctz(bits);
		c->o += __builtin_ctz(bits);
		return;
	}
#else
	const uint8_t *class = c->syntax->class;

	for (; class[(uint8_t)*c->p] == EDI_TEXT; c->p++) {
		c->high |= (unsigned)*c->p & 0x80;
		*c->o++ = *c->p;
	}
#endif
}

#ifdef __SSE2__
/* The usual elements, all in registers: strings, and components. Leaves off at anything else, within an element. What
 * is special is found for a block at once, so that one element does not wait for the one before it. */
static void write_usual(struct cursor *cursor)
{
	const struct edi_syntax *syntax = cursor->syntax;
	const uint8_t *class_of = syntax->class;
	const unsigned mask = syntax->charset ? ~0u : 0;
	const char *p = cursor->p, *base = p;
	char *o = cursor->o, *start = cursor->start;
	unsigned elements = cursor->elements, high = cursor->high, bits;
	int depth = cursor->depth;
	chunk wide[5];

	for (int i = 0; i < 5; i++)
		wide[i] = load(syntax->wide[i]);
	bits = look(base, wide, mask, &high);
	for (;;) {
		const char *at;
		uint8_t class;

		while (!bits) { /* plain up to the end of the block, and beyond */
			store(o, load(p));
			store(o + STEP, load(p + STEP));
			o += base + 2 * STEP - p;
			p = base += 2 * STEP;
			bits = look(base, wide, mask, &high);
		}
		at = base + __builtin_ctz(bits);
		bits &= bits - 1;
		class = class_of[(uint8_t)*at];
		if (class == EDI_ELEMENT) {
			store(o, load(p));
			if (at - p > STEP)
				store(o + STEP, load(p + STEP));
			o += at - p;
			o[0] = '"';
			o[1] = ']';
			o += 1 + depth;
			o[0] = ',';
			o[1] = '"';
			start = o + 1;
			o += 2;
			depth = 0;
			elements++;
		} else if (class == EDI_COMPONENT && (depth || (o == start + 1 && at - p < STEP))) {
			/* A first component of few bytes: a bracket in front of it. */
			unsigned first = !depth;

			start[0] = first ? '[' : start[0];
			start[1] = first ? '"' : start[1];
			start += first;
			o += first;
			store(o, load(p));
			if (at - p > STEP)
				store(o + STEP, load(p + STEP));
			o += at - p;
			memcpy(o, "\",\"", 4);
			o += 3;
			depth = 1;
		} else {
			store(o, load(p));
			store(o + STEP, load(p + STEP));
			o += at - p;
			p = at;
			break;
		}
		p = at + 1;
	}
	cursor->p = p;
	cursor->o = o;
	cursor->start = start;
	cursor->elements = elements;
	cursor->high = high;
	cursor->depth = depth;
}
#else
static void write_usual(struct cursor *cursor)
{
	copy_text(cursor);
}
#endif

static inline void begin_element(struct cursor *c)
{
	c->depth = 0;
	c->start = c->o;
	*c->o++ = '"';
}

/* From the first element on. False: at a byte that cannot stand here. */
static bool write_elements(struct cursor *c)
{
	const uint8_t *class_of = c->syntax->class;

	begin_element(c);
	for (;;) {
		uint8_t class;

		if (c->depth < 2)
			write_usual(c);
		else
			copy_text(c);
		class = class_of[(uint8_t)*c->p];
		if (class == EDI_ELEMENT) {
			close_element(c);
			*c->o++ = ',';
			c->p++;
			c->elements++;
			begin_element(c);
		} else if (class == EDI_END && c->p >= c->end) {
			close_element(c);
			return true;
		} else if (!put_separator(c, class)) {
			return false;
		}
	}
}

/* In TRADACOMS something else stands behind the name. False: there is neither. */
static bool write_name(struct cursor *c)
{
	const char *tag = memchr(c->p, c->syntax->tag, (size_t)(c->end - c->p));

	if (!tag || tag - c->p > 3) {
		size_t n = (size_t)(c->end - c->p);

		if (n > 3) {
			c->p += 3;
			return false;
		}
		tag = c->end;
	}
	*c->o++ = '"';
	put(c, c->p, (size_t)(tag - c->p));
	*c->o++ = '"';
	c->p = tag;
	if (c->p == c->end)
		return true;
	c->p++;
	*c->o++ = ',';
	return write_elements(c);
}

static void write_binary(struct cursor *c, struct span bytes)
{
	put(c, ",\"", 2);
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];

		if (byte < 0x20 || byte == 0x7f) {
			c->o += sprintf(c->o, "\\u%04x", byte);
		} else if (byte >= 0x80) {
			*c->o++ = (char)(0xc0 | byte >> 6);
			*c->o++ = (char)(0x80 | (byte & 0x3f));
		} else {
			if (byte == '"' || byte == '\\')
				*c->o++ = '\\';
			*c->o++ = (char)byte;
		}
	}
	*c->o++ = '"';
}

/* Which element and component the byte stands in. */
static void place(const struct edi_syntax *syntax, struct span text, size_t at, struct edi_fault *fault)
{
	bool in_name = true;

	*fault = (struct edi_fault){.at = at, .kind = "character", .byte = (unsigned char)text.data[at]};
	for (size_t i = 0; i < at; i++) {
		uint8_t class = syntax->class[(uint8_t)text.data[i]];

		if (syntax->release && text.data[i] == syntax->release) {
			i++;
		} else if (class == EDI_ELEMENT || (in_name && text.data[i] == syntax->tag)) {
			in_name = false;
			fault->element++;
			fault->component = 1;
		} else if (class == EDI_COMPONENT) {
			fault->component++;
		}
	}
}

static bool is_name(const struct edi_syntax *syntax, struct span text, struct edi_fault *fault)
{
	size_t n = 0;

	while (n < text.len && n < 4 &&
	       ((text.data[n] >= 'A' && text.data[n] <= 'Z') || (text.data[n] >= '0' && text.data[n] <= '9')))
		n++;
	if (n >= 2 && n <= 3 &&
	    (n == text.len || text.data[n] == syntax->tag ||
	     (text.data[n] == syntax->component && syntax->tag == syntax->element)))
		return true;
	*fault = (struct edi_fault){
		.at = n < text.len ? n : 0, .kind = "segment", .byte = n < text.len ? (unsigned char)text.data[n] : 0};
	return false;
}

static enum edi_written fail(struct buf *out, size_t was, const struct edi_syntax *syntax, struct span text,
			     const struct cursor *c, struct edi_fault *fault)
{
	out->len = was;
	if (syntax->class[(uint8_t)*c->p] == EDI_LINE && c->p < c->end)
		return EDI_WRAPPED;
	if (!fault->kind)
		place(syntax, text, (size_t)(c->p - text.data), fault);
	return EDI_FAULTY;
}

enum edi_written edi_write_segment(struct buf *out, const struct edi_syntax *syntax, const struct edi_segment *segment,
				   unsigned *elements, unsigned *high, struct edi_fault *fault)
{
	struct span text = segment->text;
	size_t until = segment->binary ? segment->binary_from - 1 : text.len, was = out->len;
	char *room = buf_room(out, text.len * GROWTH + SLACK);
	struct cursor c = {
		.syntax = syntax, .p = text.data, .end = text.data + until, .limit = text.data + until, .o = room};
	bool sound;

	if (!room) {
		memset(fault, 0, sizeof *fault);
		return EDI_FAULTY;
	}
	if (!is_name(syntax, text, fault)) {
		c.p = text.data + fault->at;
		return fail(out, was, syntax, text, &c, fault);
	}
	*c.o++ = '[';
	if (segment->binary) {
		struct edi_syntax to_end = *syntax;

		/* The elements before the bytes end where an element does. */
		to_end.class[(uint8_t)syntax->terminator] = EDI_CONTROL;
		put(&c, "\"", 1);
		for (; c.p < c.end; c.p++) {
			if (*c.p == syntax->element)
				put(&c, "\",\"", 3);
			else if (to_end.class[(uint8_t)*c.p] == EDI_TEXT)
				*c.o++ = *c.p;
			else
				return fail(out, was, syntax, text, &c, fault);
		}
		put(&c, "\"", 1);
		write_binary(&c, span_make(text.data + until + 1, text.len - until - 1));
		sound = true;
	} else {
		sound = syntax->tag != syntax->element ? write_name(&c) : write_elements(&c);
	}
	if (!sound) {
		memset(fault, 0, sizeof *fault);
		return fail(out, was, syntax, text, &c, fault);
	}
	*c.o++ = ']';
	buf_added(out, (size_t)(c.o - room));
	*elements = c.elements + 1;
	*high |= c.high & (syntax->charset ? 0 : ~0u);
	return c.needless ? EDI_NEEDLESS : EDI_WRITTEN;
}

const char *edi_write_usual(struct buf *out, const struct edi_syntax *syntax, bool comma, const char *p,
			    const char *limit, unsigned *elements, unsigned *high)
{
	size_t most = (size_t)(limit - p) * GROWTH + SLACK;
	char *room = out->capacity - out->len > most ? out->data + out->len : buf_room(out, most);
	struct cursor c = {.syntax = syntax, .p = p, .end = p, .limit = limit, .o = room};
	size_t n = 0;

	while (n < 4 && ((p[n] >= 'A' && p[n] <= 'Z') || (p[n] >= '0' && p[n] <= '9')))
		n++;
	if (!room || n < 2 || n > 3 || p[n] != syntax->tag)
		return NULL;
	*c.o = ',';
	c.o += comma;
	*c.o++ = '[';
	if (syntax->tag != syntax->element) {
		*c.o++ = '"';
		put(&c, p, n);
		put(&c, "\",", 2);
		c.p = p + n + 1;
	}
	/* The first terminator that is not released ends it: so `end` may be where it begins. */
	if (!write_elements(&c) || c.p >= limit || c.needless)
		return NULL;
	*c.o++ = ']';
	buf_added(out, (size_t)(c.o - room));
	*elements = c.elements + 1;
	*high |= c.high & (syntax->charset ? 0 : ~0u);
	return c.p + 1;
}

static void write_control(struct buf *out, unsigned byte)
{
	if (byte == '\n' || byte == '\r' || byte == '\t')
		buf_text(out, byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t");
	else
		buf_printf(out, "\\u%04x", byte);
}

void edi_write_string(struct buf *out, struct span text)
{
	buf_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.data[i];

		if (byte == '"' || byte == '\\')
			buf_char(out, '\\');
		if (byte < 0x20)
			write_control(out, byte);
		else
			buf_char(out, (char)byte);
	}
	buf_char(out, '"');
}

void edi_write_text(struct buf *out, const struct edi_syntax *syntax, struct span text)
{
	buf_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.data[i];

		if (syntax->release && text.data[i] == syntax->release && i + 1 < text.len)
			byte = (unsigned char)text.data[++i];
		if (byte == '"' || byte == '\\')
			buf_char(out, '\\');
		if (byte < 0x20)
			write_control(out, byte);
		else if (byte >= 0x80 && syntax->charset)
			buf_text(out, syntax->charset->utf8[byte - 0x80]);
		else
			buf_char(out, (char)byte);
	}
	buf_char(out, '"');
}

void edi_write_fact(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span value)
{
	buf_char(out, '"');
	buf_text(out, name);
	buf_text(out, "\":");
	edi_write_text(out, syntax, value);
	buf_char(out, ',');
}
