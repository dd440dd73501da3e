/* A segment cut at its separators. See edi_judge.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"

#include "base/utf8.h"
#include "transformers/edi/edi_chunk.h"

struct cut {
	struct edi_cells *cells;
	const char *from;  /* of the cell in hand */
	uint16_t odd, all; /* of it, and of all so far */
};

static inline bool close_cell(struct cut *cut, const char *at, uint8_t class)
{
	struct edi_cells *cells = cut->cells;
	struct edi_cell *cell = &cells->list[cells->count];

	if (cells->count == EDI_CELLS_MAX - 1)
		return false;
	cell->p = cut->from;
	cell->len = (uint32_t)(at - cut->from);
	cell->ends = class;
	cell->odd = cut->odd;
	cells->count++;
	cut->from = at + 1;
	cut->odd = 0;
	return true;
}

/* A release character in front of it. */
static inline bool is_needed(uint8_t class)
{
	return class == EDI_ELEMENT || class == EDI_COMPONENT || class == EDI_END || class == EDI_REPETITION ||
	       class == EDI_RELEASE;
}

/* What stands at `at` is within a cell. False: it may not, or must be looked at by others. */
static bool is_text(struct cut *cut, const struct edi_syntax *syntax, const char *at, uint8_t class, bool released)
{
	cut->odd |= EDI_CELL_ODD;
	if (class == EDI_QUOTE)
		return true;
	if (class == EDI_HIGH)
		return syntax->charset->utf8[(uint8_t)*at - 0x80][0] != '\0';
	if (class != EDI_RELEASE || !(released || is_needed(syntax->class[(uint8_t)at[1]])))
		return false;
	cut->odd |= EDI_CELL_RELEASED;
	cut->all |= EDI_CELL_RELEASED;
	return true;
}

#ifdef __SSE2__
const char *edi_cut(struct edi_cells *cells, const struct edi_syntax *syntax, const char *p, const char *limit,
		    bool released, unsigned *high)
{
	const uint8_t *class_of = syntax->class;
	const unsigned mask = syntax->charset ? ~0u : 0;
	struct cut cut = {.cells = cells, .from = p};
	const char *base = p;
	unsigned bits, signs_seen = 0;
	chunk wide[5];

	cells->count = 0;
	for (int i = 0; i < 5; i++)
		wide[i] = load(syntax->wide[i]);
	bits = look(base, wide, mask, &signs_seen);
	for (;;) {
		const char *at;
		uint8_t class;

		while (!bits) {
			base += 2 * STEP;
			bits = look(base, wide, mask, &signs_seen);
		}
		at = base + __builtin_ctz(bits);
		bits &= bits - 1;
		class = class_of[(uint8_t)*at];
		if (class == EDI_ELEMENT || class == EDI_COMPONENT) {
			if (!close_cell(&cut, at, class))
				return NULL;
		} else if (class == EDI_END || class == EDI_REPETITION) {
			if (!close_cell(&cut, at, class))
				return NULL;
			if (class == EDI_END) {
				*high |= signs_seen & ~mask;
				cells->high = (signs_seen & ~mask) != 0;
				cells->careful = cells->high || cut.all;
				return at;
			}
		} else {
			if (!is_text(&cut, syntax, at, class, released) || at >= limit)
				return NULL;
			if (class != EDI_RELEASE)
				continue;
			if (at + 1 >= limit)
				return NULL;
			/* What follows is text, whatever it is. */
			signs_seen |= (unsigned)at[1] & 0x80u;
			base = at + 2;
			bits = look(base, wide, mask, &signs_seen);
		}
	}
}
#else
const char *edi_cut(struct edi_cells *cells, const struct edi_syntax *syntax, const char *p, const char *limit,
		    bool released, unsigned *high)
{
	struct cut cut = {.cells = cells, .from = p};
	unsigned signs_seen = 0;

	cells->count = 0;
	for (;; p++) {
		uint8_t class = syntax->class[(uint8_t)*p];

		signs_seen |= syntax->charset ? 0 : (unsigned)*p & 0x80u;
		switch (class) {
		case EDI_TEXT:
			break;
		case EDI_ELEMENT:
		case EDI_COMPONENT:
		case EDI_REPETITION:
		case EDI_END:
			if (!close_cell(&cut, p, class))
				return NULL;
			if (class == EDI_END) {
				*high |= signs_seen;
				cells->high = signs_seen != 0;
				cells->careful = cells->high || cut.all;
				return p;
			}
			break;
		default:
			if (!is_text(&cut, syntax, p, class, released) || p >= limit)
				return NULL;
			if (class == EDI_RELEASE && ++p >= limit)
				return NULL;
		}
	}
}
#endif

const struct edi_cell *edi_cell_find(const struct edi_cells *cells, unsigned element, unsigned component)
{
	unsigned e = 1, c = 1;

	if (!component)
		component = 1;
	for (size_t i = 0; i < cells->count; i++) {
		const struct edi_cell *cell = &cells->list[i];

		if (e == element && c == component)
			return cell->len ? cell : NULL;
		if (cell->ends == EDI_ELEMENT) {
			e++;
			c = 1;
		} else if (cell->ends == EDI_REPETITION && e == element) {
			return NULL;
		} else {
			c++;
		}
	}
	return NULL;
}

/* False: it has something else than printable ASCII. */
static bool copy_plain(const struct edi_cell *cell, char *into, size_t size)
{
	size_t n = cell->len < size ? cell->len : size - 1;

	if (cell->odd)
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)cell->p[i] - 0x20u > 0x5eu)
			return false;
		into[i] = cell->p[i];
	}
	into[n] = '\0';
	return true;
}

void edi_cell_text(const struct edi_syntax *syntax, const struct edi_cell *cell, char *into, size_t size)
{
	struct buf raw, clean;
	size_t n;

	if (copy_plain(cell, into, size))
		return;
	buf_init(&raw, 4 * size + 8);
	buf_init(&clean, 16 * size + 64);
	for (size_t i = 0; i < cell->len && raw.len < size; i++) {
		unsigned char byte = (unsigned char)cell->p[i];

		if (!(cell->odd & EDI_CELL_BINARY) && syntax->release && byte == (unsigned char)syntax->release &&
		    i + 1 < cell->len)
			byte = (unsigned char)cell->p[++i];
		if (byte >= 0x80 && syntax->charset)
			buf_text(&raw, syntax->charset->utf8[byte - 0x80]);
		else
			buf_char(&raw, byte < 0x20 ? '.' : (char)byte);
	}
	utf8_clean(&clean, buf_view(&raw));
	n = clean.len < size ? clean.len : size - 1;
	while (n < clean.len && n && ((unsigned char)clean.data[n] & 0xc0) == 0x80)
		n--; /* no half character */
	if (n)
		memcpy(into, clean.data, n);
	into[n] = '\0';
	buf_free(&raw);
	buf_free(&clean);
}
