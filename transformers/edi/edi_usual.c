/* Segments of the usual kind as JSON text, as many as are in hand, all in registers: thirty-two bytes are looked
 * through at once, so that one element does not wait for the one before it, nor one segment for another. Anything that
 * is not usual is left to edi_write_segment(). See edi.h. */
#include "config.h"
#include "transformers/edi/edi.h"

#include "transformers/edi/edi_chunk.h"

#define GROWTH 6 /* as in edi_json.c */
#define SLACK 64
#define BLOCK (2 * STEP)

#ifdef __SSE2__
struct usual {
	const struct edi_scan *scan;
	const char *p, *limit;
	char *o;
	bool comma;
	uint64_t most, written;
	unsigned high;
	chunk wide[5];
};

/* A bit for each byte of the block that is not plain text. sign: of those beyond ASCII. */
typedef unsigned looking(const struct usual *, const char *, unsigned *sign);

static inline unsigned look_at_chunks(const struct usual *u, const char *p, unsigned *sign)
{
	chunk a = load(p), b = load(p + STEP);

	*sign = signs(a) | signs(b) << STEP;
	return special(a, u->wide) | special(b, u->wide) << STEP;
}

static inline bool is_capital(char c)
{
	return (unsigned char)(c - 'A') < 26 || (unsigned char)(c - '0') < 10;
}

/* Of the name at p; 0: it is none. */
static inline size_t measure_name(const char *p, char tag)
{
	size_t n = is_capital(p[2]) ? 3 : 2;

	return is_capital(p[0]) && is_capital(p[1]) && p[n] == tag ? n : 0;
}

/* At most a block, from p to `at`; what lies behind is overwritten later. */
static inline char *copy(char *o, const char *p, const char *at)
{
	store(o, load(p));
	if (at - p > STEP)
		store(o + STEP, load(p + STEP));
	return o + (at - p);
}

static inline char *put_high(char *o, const struct edi_syntax *syntax, unsigned char byte)
{
	const char *text = syntax->charset->utf8[byte - 0x80];

	while (*text)
		*o++ = *text++;
	return o;
}

static inline bool is_released(uint8_t class)
{
	return class == EDI_ELEMENT || class == EDI_COMPONENT || class == EDI_END || class == EDI_REPETITION ||
	       class == EDI_RELEASE;
}

#define INLINE static inline __attribute__((always_inline))

/* Where the loop is; it all stays in registers. */
struct run {
	const struct edi_syntax *syntax;
	const char *p, *base, *at;      /* the next byte to copy, the block in hand, the special byte that was found */
	char *o, *start;                /* start: of the element's first string, its quote included */
	unsigned bits, high, sign_mask; /* sign_mask: all ones where bytes beyond ASCII are special */
	unsigned elements;
	int depth;
};

INLINE void take_block(const struct usual *u, struct run *r, const char *base, looking *looks)
{
	unsigned sign;

	r->base = base;
	r->bits = looks(u, base, &sign);
	r->bits |= sign & r->sign_mask;
	r->high |= sign;
}

/* Goes on at p, whatever special bytes lie before it. */
INLINE void go_on_at(const struct usual *u, struct run *r, const char *p, looking *looks)
{
	r->p = p;
	if (p - r->base < BLOCK)
		r->bits &= ~0u << (p - r->base);
	else
		take_block(u, r, p, looks);
}

/* Plain text up to the next special byte. */
INLINE uint8_t copy_plain(const struct usual *u, struct run *r, looking *looks)
{
	while (!r->bits) {
		r->o = copy(r->o, r->p, r->base + BLOCK);
		r->p = r->base + BLOCK;
		take_block(u, r, r->p, looks);
	}
	r->at = r->base + __builtin_ctz(r->bits);
	r->bits &= r->bits - 1;
	r->o = copy(r->o, r->p, r->at);
	r->p = r->at + 1;
	return r->syntax->class[(uint8_t)*r->at];
}

INLINE void next_element(struct run *r)
{
	r->o[0] = '"';
	r->o[1] = ']';
	r->o += 1 + r->depth;
	r->o[0] = ',';
	r->o[1] = '"';
	r->start = r->o + 1;
	r->o += 2;
	r->depth = 0;
	r->elements++;
}

INLINE void next_component(struct run *r)
{
	if (!r->depth) { /* a bracket in front of the first */
		if (r->o - r->start <= STEP)
			store(r->start + 1, load(r->start));
		else
			memmove(r->start + 1, r->start, (size_t)(r->o - r->start));
		*r->start++ = '[';
		r->o++;
		r->depth = 1;
	}
	memcpy(r->o, "\",\"", 3);
	r->o += 3;
}

/* The rarer ones. False: it is not usual. */
INLINE bool put_other(const struct usual *u, struct run *r, uint8_t class, looking *looks)
{
	char *was = r->o;

	switch (class) {
	case EDI_QUOTE:
		*r->o++ = '\\';
		*r->o++ = *r->at == '\t' ? 't' : *r->at;
		return true;
	case EDI_HIGH:
		r->o = put_high(r->o, r->syntax, (unsigned char)*r->at);
		return r->o > was;
	case EDI_RELEASE:
		if (r->p >= u->limit || !is_released(r->syntax->class[(uint8_t)*r->p]))
			return false;
		if (*r->p == '\t')
			return false;
		if (*r->p == '"' || *r->p == '\\')
			*r->o++ = '\\';
		*r->o++ = *r->p;
		go_on_at(u, r, r->p + 1, looks);
		return true;
	default:
		return false;
	}
}

/* From the name's first element on to the terminator, r->at. */
INLINE bool write_elements(const struct usual *u, struct run *r, looking *looks)
{
	for (;;) {
		uint8_t class = copy_plain(u, r, looks);

		if (class == EDI_ELEMENT)
			next_element(r);
		else if (class == EDI_COMPONENT)
			next_component(r);
		else if (class == EDI_END)
			return r->at < u->limit && r->elements < EDI_ELEMENTS_MAX &&
			       r->at - u->p <= (ptrdiff_t)EDI_SEGMENT_MAX;
		else if (!put_other(u, r, class, looks))
			return false;
	}
}

/* Up to the quote of the first string. */
INLINE bool begin_segment(const struct usual *u, struct run *r, bool comma, looking *looks)
{
	const char *p = r->p + r->syntax->suffix_len;
	size_t n = measure_name(p, r->syntax->tag);

	if (!n)
		return false;
	*r->o = ',';
	r->o += comma;
	*r->o++ = '[';
	if (r->syntax->tag != r->syntax->element) {
		*r->o++ = '"';
		memcpy(r->o, p, 4);
		r->o += n;
		memcpy(r->o, "\",", 2);
		r->o += 2;
		p += n + 1;
	}
	r->start = r->o;
	*r->o++ = '"';
	r->elements = 0;
	r->depth = 0;
	go_on_at(u, r, p, looks);
	return true;
}

INLINE void write_usual(struct usual *u, looking *looks)
{
	struct run r = {.syntax = &u->scan->syntax, .p = u->p, .o = u->o};

	r.sign_mask = r.syntax->charset ? ~0u : 0;
	take_block(u, &r, r.p, looks);
	while (u->written < u->most && u->limit - r.p > SLACK && edi_is_usual(u->scan, r.p) &&
	       begin_segment(u, &r, u->comma || u->written, looks) && write_elements(u, &r, looks)) {
		r.o[0] = '"';
		r.o[1] = ']';
		r.o[2] = ']';
		r.o += 2 + r.depth;
		u->o = r.o;
		u->p = r.p;
		u->written++;
	}
	u->high |= r.high;
}

#ifdef AVX2
AVX2 static inline unsigned look_at_block(const struct usual *u, const char *p, unsigned *sign)
{
	return look_wide(p, u->scan->syntax.columns, sign);
}

AVX2 static void write_with_avx2(struct usual *u)
{
	write_usual(u, look_at_block);
}
#endif

static void write_with_sse2(struct usual *u)
{
	write_usual(u, look_at_chunks);
}

const char *edi_write_row(struct buf *out, const struct edi_scan *scan, bool comma, const char *p, const char *limit,
			  uint64_t most, uint64_t *written, unsigned *high)
{
	size_t room = (size_t)(limit - p) * GROWTH + SLACK;
	struct usual u = {.scan = scan, .p = p, .limit = limit, .comma = comma, .most = most};
	char *from = u.o = buf_room(out, room);

	*written = 0;
	if (!from)
		return p;
	for (int i = 0; i < 5; i++)
		u.wide[i] = load(scan->syntax.wide[i]);
#ifdef AVX2
	if (__builtin_cpu_supports("avx2"))
		write_with_avx2(&u);
	else
#endif
		write_with_sse2(&u);
	buf_added(out, (size_t)(u.o - from));
	*written = u.written;
	*high |= scan->syntax.charset ? 0 : u.high;
	return u.p;
}
#else
const char *edi_write_row(struct buf *out, const struct edi_scan *scan, bool comma, const char *p, const char *limit,
			  uint64_t most, uint64_t *written, unsigned *high)
{
	*written = 0;
	return p;
}
#endif
