/* The sets of ISO 2022, and reading what is written in them. See iso2022.h. */
#include "config.h"
#include "transformers/iso2022_private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "transformers/text.h"

#define RIGHT 0x80u

/* Final bytes as ISO's register of sets has them. */
const struct iso2022_set iso2022_sets[] = {
	{SHAPE_94, 'B', "ISO646-US", "", 0x21},
	{SHAPE_94, 'J', "ISO646-JP", "", 0x21},
	{SHAPE_94, 'I', "EUC-JP", "\x8e", 0xa1}, /* JIS X 0201 Katakana */
	{SHAPE_94, 'A', "ISO646-GB", "", 0x21},
	{SHAPE_94, 'G', "ISO646-SE", "", 0x21},
	{SHAPE_94, 'H', "ISO646-SE2", "", 0x21},
	{SHAPE_94, 'K', "ISO646-DE", "", 0x21},
	{SHAPE_94, 'L', "ISO646-PT", "", 0x21},
	{SHAPE_94, 'R', "ISO646-FR1", "", 0x21},
	{SHAPE_94, 'T', "ISO646-CN", "", 0x21},
	{SHAPE_94, 'Y', "ISO646-IT", "", 0x21},
	{SHAPE_94, 'Z', "ISO646-ES", "", 0x21},
	{SHAPE_94, '`', "ISO646-NO", "", 0x21},
	{SHAPE_94, 'a', "ISO646-NO2", "", 0x21},
	{SHAPE_94, 'f', "ISO646-FR", "", 0x21},
	{SHAPE_94, 'g', "ISO646-PT2", "", 0x21},
	{SHAPE_94, 'h', "ISO646-ES2", "", 0x21},
	{SHAPE_94, 'i', "ISO646-HU", "", 0x21},
	{SHAPE_94, 'w', "ISO646-CA", "", 0x21},
	{SHAPE_94, 'x', "ISO646-CA2", "", 0x21},
	{SHAPE_94, 'z', "ISO646-YU", "", 0x21},
	{SHAPE_96, 'A', "ISO-8859-1", "", 0xa0},
	{SHAPE_96, 'B', "ISO-8859-2", "", 0xa0},
	{SHAPE_96, 'C', "ISO-8859-3", "", 0xa0},
	{SHAPE_96, 'D', "ISO-8859-4", "", 0xa0},
	{SHAPE_96, 'F', "ISO-8859-7", "", 0xa0},
	{SHAPE_96, 'G', "ISO-8859-6", "", 0xa0},
	{SHAPE_96, 'H', "ISO-8859-8", "", 0xa0},
	{SHAPE_96, 'L', "ISO-8859-5", "", 0xa0},
	{SHAPE_96, 'M', "ISO-8859-9", "", 0xa0},
	{SHAPE_96, 'T', "ISO-8859-11", "", 0xa0},
	{SHAPE_96, 'V', "ISO-8859-10", "", 0xa0},
	{SHAPE_96, 'Y', "ISO-8859-13", "", 0xa0},
	{SHAPE_96, '_', "ISO-8859-14", "", 0xa0},
	{SHAPE_96, 'b', "ISO-8859-15", "", 0xa0},
	{SHAPE_96, 'f', "ISO-8859-16", "", 0xa0},
	{SHAPE_94_94, '@', "EUC-JP", "", 0xa1}, /* JIS X 0208 of 1978 */
	{SHAPE_94_94, 'B', "EUC-JP", "", 0xa1}, /* of 1983 and 1990 */
	{SHAPE_94_94, 'D', "EUC-JP", "\x8f", 0xa1},
	{SHAPE_94_94, 'A', "EUC-CN", "", 0xa1},
	{SHAPE_94_94, 'C', "EUC-KR", "", 0xa1},
	{SHAPE_94_94, 'G', "EUC-TW", "", 0xa1}, /* CNS 11643 by its planes */
	{SHAPE_94_94, 'H', "EUC-TW", "\x8e\xa2", 0xa1},
	{SHAPE_94_94, 'I', "EUC-TW", "\x8e\xa3", 0xa1},
	{SHAPE_94_94, 'J', "EUC-TW", "\x8e\xa4", 0xa1},
	{SHAPE_94_94, 'K', "EUC-TW", "\x8e\xa5", 0xa1},
	{SHAPE_94_94, 'L', "EUC-TW", "\x8e\xa6", 0xa1},
	{SHAPE_94_94, 'M', "EUC-TW", "\x8e\xa7", 0xa1},
};
#define SETS (sizeof iso2022_sets / sizeof *iso2022_sets)

struct back { /* from a character to its code */
	uint32_t character, index;
};

struct table {
	uint32_t *characters; /* by index; 0: there is none */
	struct back *back;    /* in order */
	size_t count;
};

struct iso2022 {
	struct table tables[SETS];
};

struct iso2022 *iso2022_new(void)
{
	return mem_alloc(sizeof(struct iso2022));
}

void iso2022_free(struct iso2022 *sets)
{
	for (size_t i = 0; sets && i < SETS; i++) {
		free(sets->tables[i].characters);
		free(sets->tables[i].back);
	}
	free(sets);
}

uint8_t iso2022_set_of(enum iso2022_shape shape, char final)
{
	for (size_t i = 0; i < SETS; i++)
		if (iso2022_sets[i].shape == shape && iso2022_sets[i].final == final)
			return (uint8_t)(i + 1);
	return 0;
}

/* ---- tables, made when a set is first met */
static int compare(const void *a, const void *b)
{
	const struct back *one = a, *other = b;

	if (one->character != other->character)
		return one->character < other->character ? -1 : 1;
	return one->index < other->index ? -1 : one->index > other->index;
}

static unsigned row_of(const struct iso2022_set *set)
{
	return set->shape == SHAPE_96 ? 96 : 94;
}

static const struct table *table_of(struct iso2022 *sets, uint8_t number)
{
	const struct iso2022_set *set = &iso2022_sets[number - 1];
	struct table *table = &sets->tables[number - 1];
	bool wide = set->shape == SHAPE_94_94;
	unsigned row = row_of(set), cells = wide ? row * row : row;

	if (table->characters)
		return table;
	table->characters = mem_alloc(cells * sizeof *table->characters);
	table->back = mem_alloc(cells * sizeof *table->back);
	if (text_codes(set->charset, set->prefix, set->first, row, wide, table->characters))
		return table; /* iconv has it not: it has no characters */
	for (uint32_t i = 0; i < cells; i++) {
		/* What is a separator must not come from a code of two bytes. */
		if (wide && table->characters[i] < 0x80)
			table->characters[i] = 0;
		if (table->characters[i])
			table->back[table->count++] = (struct back){table->characters[i], i};
	}
	qsort(table->back, table->count, sizeof *table->back, compare);
	return table;
}

unsigned iso2022_code(struct iso2022 *sets, uint8_t number, uint32_t character)
{
	const struct iso2022_set *set = &iso2022_sets[number - 1];
	const struct table *table;
	size_t low = 0, high;
	uint32_t index;

	if (number == ISO2022_ASCII)
		return character > 0x20 && character < 0x7f ? character : 0;
	table = table_of(sets, number);
	high = table->count;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (table->back[middle].character < character)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == table->count || table->back[low].character != character)
		return 0;
	index = table->back[low].index;
	switch (set->shape) {
	case SHAPE_96:
		return index + 0x20;
	case SHAPE_94_94:
		return (index / 94 + 0x21) << 8 | (index % 94 + 0x21);
	default:
		return index + 0x21;
	}
}

/* ---- the state */
void iso2022_begin(struct iso2022_state *state)
{
	*state = (struct iso2022_state){.g = {ISO2022_ASCII}, .left = 0, .right = 1};
}

bool iso2022_is_ascii(const struct iso2022_state *state)
{
	return state->utf8 || (state->g[state->left] == ISO2022_ASCII && !state->single);
}

bool iso2022_is_wide(const struct iso2022_state *state)
{
	uint8_t number = state->g[state->left];

	return !state->utf8 && number && iso2022_sets[number - 1].shape == SHAPE_94_94;
}

bool iso2022_is_initial(const struct iso2022_state *state)
{
	return !state->g[1] && !state->g[2] && !state->g[3] && iso2022_is_ascii(state) && !state->utf8;
}

void iso2022_note(const struct iso2022_state *state, uint64_t designated[4])
{
	for (int i = 0; i < 4; i++)
		designated[i] |= state->g[i] ? UINT64_C(1) << state->g[i] : 0;
}

/* ---- escape sequences */
static void broken(struct iso2022_unit *unit, size_t len, const char *why)
{
	unit->kind = ISO2022_BROKEN;
	unit->len = len;
	unit->why = why;
	unit->after.single = 0;
}

static void designate(struct iso2022_unit *unit, unsigned g, enum iso2022_shape shape, char final)
{
	uint8_t set = iso2022_set_of(shape, final);

	if (!set) {
		broken(unit, unit->len, "an escape sequence designates a set that is not known here");
		return;
	}
	unit->after.g[g] = set;
	unit->after.old &= (uint8_t) ~(1u << g);
}

/* ESC, intermediate bytes from 0x20 on, and a final byte from 0x30 on. */
static void read_long(struct span bytes, struct iso2022_unit *unit)
{
	char kind = bytes.data[1], final;
	size_t n = 1;

	while (n < bytes.len && n < ISO2022_UNIT_MAX - 1 && bytes.data[n] >= 0x20 && bytes.data[n] < 0x30)
		n++;
	if (n >= bytes.len || bytes.data[n] < 0x30 || bytes.data[n] == 0x7f) {
		broken(unit, n, "an escape sequence is not complete");
		return;
	}
	final = bytes.data[n];
	unit->len = n + 1;
	if (n == 2 && kind >= '(' && kind <= '+')
		designate(unit, (unsigned)(kind - '('), SHAPE_94, final);
	else if (n == 2 && kind >= '-' && kind <= '/')
		designate(unit, (unsigned)(kind - ','), SHAPE_96, final);
	else if (n == 2 && kind == '$')
		designate(unit, 0, final <= 'B' ? SHAPE_94_94 : 0, final);
	else if (n == 3 && kind == '$' && bytes.data[2] >= '(' && bytes.data[2] <= '+')
		designate(unit, (unsigned)(bytes.data[2] - '('), SHAPE_94_94, final);
	else if (n == 2 && kind == '%' && (final == 'G' || final == '@'))
		unit->after.utf8 = final == 'G';
	else if (n != 2 || !strchr(" !\"&", kind)) /* announcements, control sets and revisions change no character */
		broken(unit, n + 1, "an escape sequence designates a set that is not known here");
}

static void invoke(struct iso2022_unit *unit, uint8_t *half, uint8_t g)
{
	if (!unit->after.g[g])
		broken(unit, unit->len, "a shift calls a set that was not designated");
	else
		*half = g;
}

static void read_escape(struct span bytes, struct iso2022_unit *unit)
{
	struct iso2022_state *after = &unit->after;

	unit->len = 2;
	switch (bytes.len > 1 ? bytes.data[1] : '\0') {
	case 'N':
	case 'O':
		invoke(unit, &after->single, bytes.data[1] == 'N' ? 2 : 3);
		after->single_right = false;
		break;
	case 'n':
	case 'o':
		invoke(unit, &after->left, bytes.data[1] == 'n' ? 2 : 3);
		break;
	case '~':
	case '}':
	case '|':
		invoke(unit, &after->right, (uint8_t)('~' - bytes.data[1] + 1));
		break;
	default:
		if (bytes.len > 1 && bytes.data[1] >= 0x20 && bytes.data[1] < 0x30)
			read_long(bytes, unit);
		else
			broken(unit, 1, "an escape sequence is none of ISO 2022");
	}
}

/* False: a control character like any other. */
static bool read_shift(struct span bytes, struct iso2022_unit *unit)
{
	unsigned char c = (unsigned char)*bytes.data;

	unit->kind = ISO2022_ESCAPE;
	switch (c) {
	case ISO2022_ESC:
		read_escape(bytes, unit);
		return true;
	case ISO2022_SO:
	case ISO2022_SI:
		invoke(unit, &unit->after.left, c == ISO2022_SO);
		return true;
	case 0x8e:
	case 0x8f:
		invoke(unit, &unit->after.single, (uint8_t)(c - 0x8e + 2));
		unit->after.single_right = true;
		return true;
	default:
		unit->kind = ISO2022_CHARACTER;
		return false;
	}
}

/* ---- characters */
static void read_code(struct iso2022 *sets, uint8_t number, struct span bytes, struct iso2022_unit *unit)
{
	unsigned char c = (unsigned char)*bytes.data, second = bytes.len > 1 ? (unsigned char)bytes.data[1] : 0;
	enum iso2022_shape shape = iso2022_sets[number - 1].shape;
	unsigned index = c & ~RIGHT;

	index -= shape == SHAPE_96 ? 0x20 : 0x21;
	if (shape == SHAPE_94_94) {
		if ((c ^ second) & RIGHT || (second & ~RIGHT) < 0x21 || (second & ~RIGHT) == 0x7f) {
			broken(unit, 1, "a character of two bytes is cut off");
			return;
		}
		unit->len = 2;
		index = index * 94 + (second & ~RIGHT) - 0x21;
	}
	unit->character = number == ISO2022_ASCII ? c & ~RIGHT : table_of(sets, number)->characters[index];
	if (!unit->character)
		broken(unit, unit->len, "its set has no such character");
}

static void read_utf8(struct span bytes, struct iso2022_unit *unit)
{
	static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	size_t n = utf8_character(bytes);

	if (!n) {
		broken(unit, 1, "a byte is no UTF-8, which an escape sequence says it is");
		return;
	}
	unit->len = n;
	unit->character = (unsigned char)*bytes.data & masks[n];
	for (size_t i = 1; i < n; i++)
		unit->character = unit->character << 6 | ((unsigned char)bytes.data[i] & 0x3f);
}

void iso2022_read(struct iso2022 *sets, const struct iso2022_state *state, struct span bytes,
		  struct iso2022_unit *unit)
{
	unsigned char c = (unsigned char)*bytes.data, low = c & 0x7f;
	uint8_t g = state->single ? state->single : c & RIGHT ? state->right : state->left, number = state->g[g];
	bool wide = number && iso2022_sets[number - 1].shape == SHAPE_96;

	*unit = (struct iso2022_unit){.kind = ISO2022_CHARACTER, .len = 1, .character = c, .after = *state};
	unit->after.single = 0;
	if (state->single && (low < 0x20 || (!wide && (low == 0x20 || low == 0x7f)))) {
		broken(unit, 1, "a shift of one character is followed by none");
		return;
	}
	if (state->utf8 ? c == ISO2022_ESC : low < 0x20) {
		if (read_shift(bytes, unit))
			return;
		if (c & RIGHT)
			broken(unit, 1, "a byte is a control character");
		else if (c == '\n')
			unit->after.old |= 0xe;
		return;
	}
	if (state->utf8 && c >= 0x80) {
		read_utf8(bytes, unit);
		return;
	}
	if (state->utf8 || (!(c & RIGHT) && !wide && (low == 0x20 || low == 0x7f)))
		return;
	if (!number || (!wide && (low == 0x20 || low == 0x7f)))
		broken(unit, 1, "a byte has its sign bit set, and no set was designated for such");
	else
		read_code(sets, number, bytes, unit);
}
