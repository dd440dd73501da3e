/* The text of an interchange with escape sequences. See edi_escapes.h. */
#include "config.h"
#include "transformers/edi/edi_escapes.h"

#include <stdlib.h>

#include "transformers/edi/edi_package.h"

#define POINTS_MAX 4096
#define POINTS_APART (64u * 1024) /* at first; twice as far each time there are too many */
#define SEGMENT_KEPT 1024         /* bytes of an UNO, for its length */
#define PEEK 64                   /* so few bytes are wanted besides those in hand */
#define BROKEN_TEXT "\x1b"        /* what stands for what is broken: never sound */

struct point { /* behind a segment */
	uint64_t from, at, object;
	struct iso2022_state state;
};

/* A place in document and text, and how it goes on from there. */
struct cursor {
	struct window raw;
	uint64_t from, at; /* of the document, of the text */
	uint64_t object;   /* bytes of an object that are left */
	struct iso2022_state state;
	bool released;
	size_t have; /* of the segment's beginning */
	char segment[SEGMENT_KEPT + 1];
};

enum kind { PIECE_TEXT, PIECE_OBJECT, PIECE_ESCAPE, PIECE_BROKEN, PIECE_END };

struct piece {
	enum kind kind;
	struct span raw, text;
	char character[4];
	const char *why;
	struct iso2022_state after;
	bool ends, closes; /* a segment, the interchange */
};

struct edi_escapes {
	struct iso2022 *sets;
	const struct edi_dialect *dialect;
	struct edi_syntax syntax;
	uint64_t start, una_end, end; /* of the text */
	uint64_t limit;               /* of the document: nothing behind it is ours */
	uint64_t unclosed;
	const struct iso2022_profile *profile;
	struct cursor reading, peeking, mapping, writing;
	struct window outside; /* of the document, while the scan has ours */
	struct point *points;
	size_t points_count, points_capacity;
	uint64_t apart;
	struct buf text, raw, again, notes;
	struct edi_escape *escapes;
	size_t escapes_count, escapes_capacity;
};

/* ---- segments: no more than is needed to know objects and the end */
static bool is_named(const struct cursor *c, const char *name)
{
	return name && c->have >= 3 && !memcmp(c->segment, name, 3);
}

static void keep(const struct edi_escapes *e, struct cursor *c, struct span text)
{
	for (size_t i = 0; i < text.len && c->have < SEGMENT_KEPT; i++) {
		char byte = text.data[i];

		if (c->have >= 3 && !is_named(c, e->dialect->package[0]))
			return;
		if (byte != '\r' && byte != '\n' && (c->have || !edi_is_filler(byte)))
			c->segment[c->have++] = byte;
	}
}

/* UNP stands behind an object of the length that UNO says. */
static int measure_object(const struct edi_escapes *e, struct cursor *c, struct error *error)
{
	struct span text = span_make(c->segment, c->have), length;
	const char *closing = e->dialect->package[1];
	uint64_t octets;
	char got[3];
	ssize_t n;

	c->segment[c->have] = e->syntax.terminator;
	length = edi_component(&e->syntax, edi_element(&e->syntax, text, EDI_UNO_STATUS), 1);
	if (!edi_octets(length, &octets) || octets > e->limit - c->from)
		return 0;
	n = reader_read(c->raw.reader, c->from + octets, got, sizeof got, error);
	if (n < 0)
		return -1;
	if (n == sizeof got && !memcmp(got, closing, sizeof got))
		c->object = octets;
	return 0;
}

/* ---- one piece after another */
static bool is_stop(const struct edi_syntax *syntax, unsigned char c)
{
	return c >= 0x7f || c == '\x1b' || c == '\x0e' || c == '\x0f' ||
	       (syntax->release && c == (unsigned char)syntax->release);
}

static size_t run_of(const struct edi_escapes *e, const struct cursor *c, struct span got)
{
	size_t n = 0;

	if (c->released)
		return got.len && !is_stop(&e->syntax, (unsigned char)*got.data);
	if (!c->have) { /* a piece of its own, so that a header behind it is seen */
		while (n < got.len && edi_is_filler(got.data[n]) && got.data[n] != e->syntax.terminator)
			n++;
		if (n)
			return n;
	}
	while (n < got.len && !is_stop(&e->syntax, (unsigned char)got.data[n]))
		if (got.data[n++] == e->syntax.terminator)
			break;
	return n;
}

static void look_at_code(struct edi_escapes *e, const struct cursor *c, struct span got, struct piece *piece)
{
	static const enum kind kinds[] = {PIECE_TEXT, PIECE_ESCAPE, PIECE_BROKEN};
	struct iso2022_unit unit;

	iso2022_read(e->sets, &c->state, got, &unit);
	piece->kind = kinds[unit.kind];
	piece->raw = span_make(got.data, unit.len);
	piece->why = unit.why;
	piece->after = unit.after;
	if (piece->kind == PIECE_TEXT)
		piece->text = span_make(piece->character, iso2022_utf8(unit.character, piece->character));
	else if (piece->kind == PIECE_BROKEN)
		piece->text = SPAN_LITERAL(BROKEN_TEXT);
}

/* What comes next; no more of the text than `most`, or one character. */
static int look(struct edi_escapes *e, struct cursor *c, uint64_t most, struct piece *piece, struct error *error)
{
	struct span got;
	size_t n = 0;

	*piece = (struct piece){.kind = PIECE_END, .after = c->state};
	if (c->from >= e->limit)
		return 0;
	if (window_get(&c->raw, c->from, ISO2022_UNIT_MAX, &got, error))
		return -1;
	if (got.len > e->limit - c->from)
		got.len = (size_t)(e->limit - c->from);
	if (c->at < e->una_end && most > e->una_end - c->at)
		most = e->una_end - c->at;
	if (c->object) {
		n = got.len < c->object ? got.len : (size_t)c->object;
		piece->kind = PIECE_OBJECT;
	} else if (c->at < e->una_end) { /* its characters mean nothing yet */
		n = got.len;
		piece->kind = PIECE_TEXT;
	} else if (iso2022_is_ascii(&c->state)) {
		n = run_of(e, c, got);
		piece->kind = PIECE_TEXT;
	}
	if (n) {
		piece->raw = piece->text = span_make(got.data, n < most ? n : (size_t)most);
		if ((c->state.g[1] || c->state.g[2] || c->state.g[3]) && piece->kind == PIECE_TEXT &&
		    memchr(got.data, '\n', piece->raw.len))
			piece->after.old |= 0xe;
	} else {
		look_at_code(e, c, got, piece);
	}
	return 0;
}

static int take(struct edi_escapes *e, struct cursor *c, struct piece *piece, struct error *error)
{
	struct span text = piece->text;
	bool una = c->at < e->una_end, released = c->released;

	c->from += piece->raw.len;
	c->at += text.len;
	c->state = piece->after;
	if (piece->kind == PIECE_OBJECT)
		c->object -= text.len;
	if (una || !text.len || piece->kind == PIECE_OBJECT)
		return 0;
	c->released = !released && e->syntax.release && text.data[0] == e->syntax.release;
	piece->ends = !released && text.data[text.len - 1] == e->syntax.terminator;
	keep(e, c, span_make(text.data, text.len - piece->ends));
	if (!piece->ends)
		return 0;
	piece->closes = is_named(c, e->dialect->close[EDI_INTERCHANGE]);
	if (is_named(c, e->dialect->package[0]) && measure_object(e, c, error))
		return -1;
	c->have = 0;
	return 0;
}

static void begin_cursor(const struct edi_escapes *e, struct cursor *c, const struct edi_scan *scan)
{
	memset(c, 0, sizeof *c);
	window_begin(&c->raw, scan->window.reader, scan->window.out);
	c->from = c->at = e->start;
	c->state = e->points->state;
}

static void restore(struct cursor *c, const struct point *point)
{
	c->from = point->from;
	c->at = point->at;
	c->object = point->object;
	c->state = point->state;
	c->released = false;
	c->have = 0;
}

static const struct point *point_before(const struct edi_escapes *e, uint64_t at)
{
	size_t low = 0, high = e->points_count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (e->points[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return &e->points[low];
}

/* To this offset of the text, or to the character that it lies in. */
static int go_to(struct edi_escapes *e, struct cursor *c, uint64_t at, struct error *error)
{
	const struct point *point = point_before(e, at);
	struct piece piece;

	if (at < c->at || point->at > c->at)
		restore(c, point);
	while (c->at < at) {
		if (c->object) {
			uint64_t n = c->object < at - c->at ? c->object : at - c->at;

			c->from += n;
			c->at += n;
			c->object -= n;
			continue;
		}
		if (look(e, c, at - c->at, &piece, error))
			return -1;
		if (piece.kind == PIECE_END || piece.text.len > at - c->at)
			return 0;
		if (take(e, c, &piece, error))
			return -1;
	}
	return 0;
}

/* ---- for the scan's window */
static ssize_t read_text(void *arg, uint64_t at, void *into, size_t len, struct error *error)
{
	struct edi_escapes *e = arg;
	struct cursor *c = len < PEEK ? &e->peeking : &e->reading;
	struct piece piece;
	size_t done = 0, skip;

	if (at < e->start) { /* what is looked at in front of a header */
		done = e->start - at < len ? (size_t)(e->start - at) : len;
		memset(into, ' ', done);
		return (ssize_t)done;
	}
	if (go_to(e, c, at, error))
		return -1;
	skip = (size_t)(at - c->at);
	while (done < len) {
		if (look(e, c, len - done + skip, &piece, error))
			return -1;
		if (piece.kind == PIECE_END || piece.text.len > len - done + skip)
			break;
		if (take(e, c, &piece, error))
			return -1;
		if (piece.text.len <= skip) {
			skip -= piece.text.len;
			continue;
		}
		memcpy((char *)into + done, piece.text.data + skip, piece.text.len - skip);
		done += piece.text.len - skip;
		skip = 0;
	}
	if (!done && at < e->end && len >= PEEK)
		return error_set(error, ERROR_RETRY, "disk.short", "a document is shorter than it was");
	return (ssize_t)done;
}

void edi_escapes_enter(struct edi_escapes *e, struct edi_scan *scan)
{
	e->outside = scan->window;
	window_begin_over(&scan->window, read_text, e, e->end, e->outside.out);
	scan->escapes = e;
	edi_seek(scan, e->start);
}

int edi_escapes_leave(struct edi_escapes *e, struct edi_scan *scan, struct iso2022_state *state, struct error *error)
{
	uint64_t at = scan->offset;
	int failed = at < e->end ? go_to(e, &e->mapping, at, error) : 0;

	window_end(&scan->window);
	scan->window = e->outside;
	scan->escapes = NULL;
	edi_seek(scan, at < e->end ? e->mapping.from : e->limit);
	if (at < e->end)
		*state = e->mapping.state;
	return failed;
}

uint64_t edi_offset(struct edi_scan *scan, uint64_t offset)
{
	struct edi_escapes *e = scan->escapes;
	struct error unused;

	if (!e || offset < e->start)
		return offset;
	if (offset >= e->end)
		return e->limit;
	return go_to(e, &e->mapping, offset, &unused) ? offset : e->mapping.from;
}

const char *edi_escapes_fault(struct edi_escapes *e, uint64_t from, uint64_t to, uint64_t *offset)
{
	struct cursor *c = &e->mapping;
	struct error unused;
	struct piece piece;

	if (go_to(e, c, from, &unused))
		return NULL;
	while (c->at < to && !look(e, c, to - c->at, &piece, &unused) && piece.kind != PIECE_END) {
		if (piece.kind == PIECE_BROKEN) {
			*offset = c->from;
			return piece.why;
		}
		if (take(e, c, &piece, &unused))
			break;
	}
	return NULL;
}

/* ---- going through an interchange once */
static void add_point(struct edi_escapes *e, const struct cursor *c)
{
	if (e->points_count && c->at - e->points[e->points_count - 1].at < e->apart)
		return;
	if (e->points_count == POINTS_MAX) {
		e->points_count /= 2;
		for (size_t i = 0; i < e->points_count; i++)
			e->points[i] = e->points[2 * i];
		e->apart *= 2;
	}
	e->points = mem_grow(e->points, &e->points_capacity, e->points_count + 1, sizeof *e->points);
	e->points[e->points_count++] = (struct point){c->from, c->at, c->object, c->state};
}

/* Another interchange begins here, and this one has no end. */
static bool is_header(const struct edi_escapes *e, const struct cursor *c, const struct piece *piece)
{
	struct span raw = piece->raw;

	if (piece->kind != PIECE_TEXT || c->have || c->released || raw.len < 4 || *raw.data != 'U')
		return false;
	return span_starts(raw, "UNA") ||
	       ((span_starts(raw, "UNB") || span_starts(raw, "UIB")) && raw.data[3] == e->syntax.element);
}

/* Only white space and escape sequences belong to it behind its last segment. */
static bool is_behind(const struct piece *piece)
{
	return piece->kind == PIECE_ESCAPE ||
	       (piece->kind == PIECE_TEXT && piece->raw.len && edi_is_filler(*piece->raw.data));
}

struct walk {
	uint64_t segments, called;
	uint64_t designated[4];
	bool closed, used, eight;
};

static void note(struct walk *walk, const struct cursor *c, const struct piece *piece)
{
	if (piece->kind == PIECE_ESCAPE || (piece->kind == PIECE_BROKEN && !((unsigned char)*piece->raw.data & 0x80)))
		walk->used = true;
	if (piece->kind == PIECE_ESCAPE) {
		iso2022_note(&piece->after, walk->designated);
		if (iso2022_is_wide(&piece->after) && !iso2022_is_wide(&c->state))
			walk->called = c->from;
	}
	if (piece->kind != PIECE_OBJECT && piece->raw.len && !c->state.utf8)
		walk->eight |= (unsigned char)*piece->raw.data >= 0x80;
}

static int go_through(struct edi_escapes *e, struct walk *walk, struct error *error)
{
	struct cursor *c = &e->reading;
	struct piece piece;

	for (;;) {
		if (look(e, c, UINT64_MAX, &piece, error))
			return -1;
		if (piece.kind == PIECE_END || (walk->segments && is_header(e, c, &piece)) ||
		    (walk->closed && !is_behind(&piece)))
			break;
		note(walk, c, &piece);
		if (take(e, c, &piece, error))
			return -1;
		if (!piece.ends)
			continue;
		walk->segments++;
		walk->closed = walk->closed || piece.closes;
		add_point(e, c);
	}
	e->limit = c->from;
	e->end = c->at;
	if (!walk->closed && iso2022_is_wide(&c->state))
		e->unclosed = walk->called;
	return 0;
}

int edi_escapes_new(struct edi_escapes **made, const struct edi_scan *scan, const struct edi_start *start,
		    struct iso2022_state *state, struct error *error)
{
	struct edi_escapes *e = mem_alloc(sizeof *e);
	const struct edi_syntax *syntax = &scan->syntax;
	struct walk walk = {0};
	int failed;

	*made = NULL;
	e->sets = iso2022_new();
	e->dialect = scan->dialect;
	e->syntax = *syntax;
	e->start = start->offset;
	e->una_end = start->una_end;
	e->limit = scan->window.size;
	e->apart = POINTS_APART;
	e->points = mem_grow(NULL, &e->points_capacity, 1, sizeof *e->points);
	e->points[e->points_count++] = (struct point){e->start, e->start, 0, *state};
	begin_cursor(e, &e->reading, scan);
	begin_cursor(e, &e->peeking, scan);
	begin_cursor(e, &e->mapping, scan);
	begin_cursor(e, &e->writing, scan);
	buf_init(&e->text, SIZE_MAX / 4);
	buf_init(&e->raw, SIZE_MAX / 4);
	buf_init(&e->again, SIZE_MAX / 4);
	buf_init(&e->notes, SIZE_MAX / 4);
	iso2022_note(state, walk.designated);
	failed = go_through(e, &walk, error);
	if (failed || !walk.used) {
		edi_escapes_free(e);
		return failed;
	}
	e->profile = iso2022_profile_of(walk.designated, walk.eight);
	*state = e->reading.state;
	*made = e;
	return 0;
}

void edi_escapes_free(struct edi_escapes *e)
{
	if (!e)
		return;
	window_end(&e->reading.raw);
	window_end(&e->peeking.raw);
	window_end(&e->mapping.raw);
	window_end(&e->writing.raw);
	buf_free(&e->text);
	buf_free(&e->raw);
	buf_free(&e->again);
	buf_free(&e->notes);
	iso2022_free(e->sets);
	free(e->escapes);
	free(e->points);
	free(e);
}

const struct iso2022_profile *edi_escapes_profile(const struct edi_escapes *e)
{
	return e->profile;
}

uint64_t edi_escapes_looked(const struct edi_escapes *e)
{
	return e->limit - e->start;
}

uint64_t edi_escapes_unclosed(const struct edi_escapes *e)
{
	return e->unclosed;
}

/* ---- what is escaped in a line */
static void add_escape(struct edi_escapes *e, uint64_t at, struct span bytes)
{
	struct edi_escape *last = e->escapes_count ? &e->escapes[e->escapes_count - 1] : NULL;

	buf_span(&e->notes, bytes);
	if (last && last->at == at) {
		last->bytes.len += bytes.len;
		return;
	}
	e->escapes = mem_grow(e->escapes, &e->escapes_capacity, e->escapes_count + 1, sizeof *e->escapes);
	e->escapes[e->escapes_count++] = (struct edi_escape){at, {NULL, bytes.len}};
}

/* The stretch as text and as bytes, and the escape sequences by their places. */
static int collect(struct edi_escapes *e, uint64_t from, uint64_t to, struct edi_escaping *back, struct error *error)
{
	struct cursor *c = &e->writing;
	struct piece piece;
	size_t at = 0;

	e->text.len = e->raw.len = e->again.len = e->notes.len = e->escapes_count = 0;
	if (go_to(e, c, from, error))
		return -1;
	back->state = c->state;
	for (;;) {
		if (look(e, c, to > c->at ? to - c->at : 1, &piece, error))
			return -1;
		if (piece.kind == PIECE_END || c->at > to ||
		    (c->at == to && (piece.kind != PIECE_ESCAPE || to < e->end)))
			break;
		if (piece.kind == PIECE_ESCAPE)
			add_escape(e, e->text.len, piece.raw);
		if (piece.kind == PIECE_OBJECT && !back->object_len)
			back->object_at = e->text.len;
		if (piece.kind == PIECE_OBJECT)
			back->object_len += piece.text.len;
		buf_span(&e->text, piece.text);
		buf_span(&e->raw, piece.raw);
		if (take(e, c, &piece, error))
			return -1;
	}
	for (size_t i = 0; i < e->escapes_count; i++) {
		e->escapes[i].bytes.data = e->notes.data + at;
		at += e->escapes[i].bytes.len;
	}
	return 0;
}

static void write_escape(struct buf *out, const struct edi_escape *escape)
{
	buf_printf(out, ",[%llu,\"", (unsigned long long)escape->at);
	for (size_t i = 0; i < escape->bytes.len; i++) {
		unsigned char c = (unsigned char)escape->bytes.data[i];

		if (c < 0x20 || c >= 0x7f)
			buf_printf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else
			buf_char(out, (char)c);
	}
	buf_text(out, "\"]");
}

int edi_escapes_write(struct edi_escapes *e, uint64_t from, uint64_t to, struct buf *out, struct error *error)
{
	static const struct edi_escape none;
	struct edi_escaping back = {.sets = e->sets, .profile = e->profile};
	struct iso2022_state state;
	uint32_t unused;

	if (collect(e, from, to, &back, error))
		return -1;
	state = back.state;
	if (!edi_escaping_put(&back, buf_view(&e->text), NULL, 0, &e->again, &unused) &&
	    span_equal(buf_view(&e->again), buf_view(&e->raw)))
		return 0;
	back.state = state;
	e->again.len = 0;
	if (edi_escaping_put(&back, buf_view(&e->text), e->escapes_count ? e->escapes : &none, e->escapes_count,
			     &e->again, &unused) ||
	    !span_equal(buf_view(&e->again), buf_view(&e->raw)))
		return 1;
	buf_printf(out, ",\"escapes\":[%zu", e->text.len);
	for (size_t i = 0; i < e->escapes_count; i++)
		write_escape(out, &e->escapes[i]);
	buf_char(out, ']');
	return 0;
}
