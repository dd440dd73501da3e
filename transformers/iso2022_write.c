/* Writing in ISO 2022: the ways that are in use, each with its sets in the order in which they are tried, and how they
 * are called (RFC 1468, 1554, 1557, 1922, 2237). See iso2022.h. */
#include "config.h"
#include "transformers/iso2022_private.h"

#include <strings.h>

enum call { CALL_G0, CALL_SHIFT_OUT, CALL_SINGLE, CALL_RIGHT };

struct way {
	enum iso2022_shape shape;
	char final;
	uint8_t g;
	enum call call;
};

struct iso2022_profile {
	const char *name;
	bool each_line; /* what was designated to G1 to G3 is designated again in each line */
	bool eight;
	struct way ways[48];
};

#define JP_G0(final) {SHAPE_94_94, final, 0, CALL_G0}
#define JP \
	{SHAPE_94, 'B', 0, CALL_G0}, {SHAPE_94, 'J', 0, CALL_G0}, JP_G0('B'), JP_G0('@')
#define CN(call, final, g) {SHAPE_94_94, final, g, call}

static const struct iso2022_profile profiles[] = {
	{"ISO-2022-JP", true, false, {JP}},
	{"ISO-2022-JP-1", true, false, {JP, JP_G0('D')}},
	{"ISO-2022-JP-2",
	 true,
	 false,
	 {JP, JP_G0('D'), JP_G0('A'), JP_G0('C'), {SHAPE_96, 'A', 2, CALL_SINGLE}, {SHAPE_96, 'F', 2, CALL_SINGLE}}},
	{"ISO-2022-JP-3",
	 true,
	 false,
	 {JP,
	  {SHAPE_94, 'I', 0, CALL_G0},
	  JP_G0('D'),
	  JP_G0('A'),
	  JP_G0('C'),
	  {SHAPE_96, 'A', 2, CALL_SINGLE},
	  {SHAPE_96, 'F', 2, CALL_SINGLE}}},
	{"ISO-2022-KR", false, false, {{SHAPE_94, 'B', 0, CALL_G0}, CN(CALL_SHIFT_OUT, 'C', 1)}},
	{"ISO-2022-CN",
	 true,
	 false,
	 {{SHAPE_94, 'B', 0, CALL_G0},
	  CN(CALL_SHIFT_OUT, 'A', 1),
	  CN(CALL_SHIFT_OUT, 'G', 1),
	  CN(CALL_SINGLE, 'H', 2)}},
	{"ISO-2022-CN-EXT",
	 true,
	 false,
	 {{SHAPE_94, 'B', 0, CALL_G0},
	  CN(CALL_SHIFT_OUT, 'A', 1),
	  CN(CALL_SHIFT_OUT, 'G', 1),
	  CN(CALL_SINGLE, 'H', 2),
	  CN(CALL_SINGLE, 'I', 3),
	  CN(CALL_SINGLE, 'J', 3),
	  CN(CALL_SINGLE, 'K', 3),
	  CN(CALL_SINGLE, 'L', 3),
	  CN(CALL_SINGLE, 'M', 3)}},
#define HALF(final, call) {SHAPE_96, final, 1, call}
#define ALL(call) \
	{SHAPE_94, 'B', 0, CALL_G0}, HALF('A', call), HALF('B', call), HALF('C', call), \
		HALF('D', call), HALF('L', call), HALF('F', call), HALF('G', call), \
		HALF('H', call), HALF('M', call), HALF('T', call), HALF('V', call), \
		HALF('Y', call), HALF('_', call), HALF('b', call), HALF('f', call), \
		CN(call, 'B', 1), {SHAPE_94, 'I', 1, call}, CN(call, 'C', 1), CN(call, 'A', 1), CN(call, 'G', 1), \
		CN(call, 'D', 1), CN(call, 'H', 1), CN(call, 'I', 1), CN(call, 'J', 1), CN(call, 'K', 1), \
		CN(call, 'L', 1), CN(call, 'M', 1)
	{"ISO-2022-7", false, false, {ALL(CALL_SHIFT_OUT)}},
	{"ISO-2022-8", false, true, {ALL(CALL_RIGHT)}},
};
#define PROFILES (sizeof profiles / sizeof *profiles)

const struct iso2022_profile *iso2022_profile(const char *name)
{
	for (size_t i = 0; i < PROFILES; i++)
		if (!strcasecmp(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}

const char *iso2022_profile_name(const struct iso2022_profile *profile)
{
	return profile->name;
}

static bool has_all(const struct iso2022_profile *profile, const uint64_t designated[4])
{
	uint64_t has[4] = {0};

	for (const struct way *way = profile->ways; way->shape; way++)
		has[way->g] |= UINT64_C(1) << iso2022_set_of(way->shape, way->final);
	for (int i = 0; i < 4; i++)
		if (designated[i] & ~has[i])
			return false;
	return true;
}

const struct iso2022_profile *iso2022_profile_of(const uint64_t designated[4], bool eight)
{
	for (size_t i = 0; i + 2 < PROFILES && !eight; i++)
		if (has_all(&profiles[i], designated))
			return &profiles[i];
	return &profiles[PROFILES - (eight ? 1 : 2)];
}

/* ---- where the state is */
static void put_code(const struct iso2022_set *set, unsigned code, unsigned sign, struct buf *out)
{
	if (set->shape == SHAPE_94_94)
		buf_char(out, (char)(code >> 8 | sign));
	buf_char(out, (char)((code & 0x7f) | sign));
}

static bool put_of(struct iso2022 *sets, uint8_t number, uint32_t character, unsigned sign, struct buf *out)
{
	unsigned code = number ? iso2022_code(sets, number, character) : 0;

	if (code)
		put_code(&iso2022_sets[number - 1], code, sign, out);
	return code != 0;
}

size_t iso2022_utf8(uint32_t c, char out[4])
{
	static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	out[0] = (char)(leads[n] | c >> 6 * (n - 1));
	for (size_t i = 1; i < n; i++)
		out[i] = (char)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
	return n;
}

/* The same in every set: control characters, and the blank but where a set has 96 characters. */
static bool is_fixed(const struct iso2022_state *state, uint32_t c)
{
	uint8_t number = state->g[state->left];

	return c < 0x20 || ((c == 0x20 || c == 0x7f) && iso2022_sets[number - 1].shape != SHAPE_96);
}

int iso2022_put_plain(struct iso2022 *sets, struct iso2022_state *state, uint32_t c, struct buf *out)
{
	uint8_t single = state->single;

	if (state->utf8) {
		char text[4];

		return buf_append(out, text, iso2022_utf8(c, text));
	}
	if (single) {
		state->single = 0;
		return put_of(sets, state->g[single], c, state->single_right ? 0x80 : 0, out) ? 0 : -1;
	}
	if (is_fixed(state, c)) {
		if (c == '\n')
			state->old |= 0xe;
		return buf_char(out, (char)c);
	}
	return put_of(sets, state->g[state->left], c, 0, out) || put_of(sets, state->g[state->right], c, 0x80, out)
		       ? 0
		       : -1;
}

/* ---- what the state is to be */
static void designate(struct iso2022_state *state, const struct way *way, uint8_t number, struct buf *out)
{
	buf_char(out, ISO2022_ESC);
	if (way->shape == SHAPE_94_94)
		buf_char(out, '$');
	/* The first three of two bytes need not say that it is G0. */
	if (way->shape != SHAPE_94_94 || way->g || way->final > 'B')
		buf_char(out, (char)((way->shape == SHAPE_96 ? ',' : '(') + way->g));
	buf_char(out, way->final);
	state->g[way->g] = number;
	state->old &= (uint8_t) ~(1u << way->g);
}

static void invoke_left(struct iso2022_state *state, uint8_t g, struct buf *out)
{
	if (state->left != g)
		buf_char(out, g ? ISO2022_SO : ISO2022_SI);
	state->left = g;
}

static const struct way ascii = {SHAPE_94, 'B', 0, CALL_G0};

/* Where a line ends, and for a blank, others go back to ASCII. */
static void put_fixed(struct iso2022_state *state, uint32_t c, struct buf *out)
{
	bool blank = c == 0x20 && (state->left || iso2022_sets[state->g[0] - 1].shape != SHAPE_94);

	if (c == '\n' || c == '\r' || blank || !is_fixed(state, c)) {
		invoke_left(state, 0, out);
		if (state->g[0] != ISO2022_ASCII)
			designate(state, &ascii, ISO2022_ASCII, out);
	}
	if (c == '\n')
		state->old |= 0xe;
	buf_char(out, (char)c);
}

static void put_by(const struct iso2022_profile *profile, struct iso2022_state *state, const struct way *way,
		   uint8_t number, unsigned code, struct buf *out)
{
	bool old = profile->each_line && state->old >> way->g & 1;

	if (state->g[way->g] != number || old)
		designate(state, way, number, out);
	if (way->call == CALL_G0 || way->call == CALL_SHIFT_OUT)
		invoke_left(state, way->g, out);
	if (way->call == CALL_SINGLE) {
		buf_char(out, ISO2022_ESC);
		buf_char(out, way->g == 2 ? 'N' : 'O');
	}
	if (way->call == CALL_RIGHT)
		state->right = way->g;
	put_code(&iso2022_sets[number - 1], code, way->call == CALL_RIGHT ? 0x80 : 0, out);
}

/* The set in hand, where it has the character and the profile calls it so. */
static const struct way *way_in_hand(const struct iso2022_profile *profile, const struct iso2022_state *state)
{
	uint8_t left = state->g[state->left];

	for (const struct way *way = profile->ways; way->shape; way++)
		if (way->g == state->left && (way->call == CALL_G0 || way->call == CALL_SHIFT_OUT) &&
		    iso2022_set_of(way->shape, way->final) == left)
			return way;
	return NULL;
}

static const struct way *way_of(struct iso2022 *sets, const struct iso2022_profile *profile, uint32_t c, unsigned *code)
{
	for (const struct way *way = profile->ways; way->shape; way++)
		if ((*code = iso2022_code(sets, iso2022_set_of(way->shape, way->final), c)))
			return way;
	return NULL;
}

bool iso2022_has(struct iso2022 *sets, const struct iso2022_profile *profile, uint32_t character)
{
	unsigned code;

	return way_of(sets, profile, character, &code) != NULL;
}

/* What only other bytes than ours can lead to is left first. */
static void leave(struct iso2022_state *state, struct buf *out)
{
	if (state->utf8)
		buf_text(out, "\x1b%@");
	state->utf8 = false;
	if (state->left > 1)
		invoke_left(state, 0, out);
}

int iso2022_put(struct iso2022 *sets, const struct iso2022_profile *profile, struct iso2022_state *state, uint32_t c,
		struct buf *out)
{
	const struct way *way;
	unsigned code;

	leave(state, out);
	if (c <= 0x20 || c == 0x7f) {
		put_fixed(state, c, out);
		return 0;
	}
	way = way_in_hand(profile, state);
	code = way ? iso2022_code(sets, iso2022_set_of(way->shape, way->final), c) : 0;
	if (!code && profile->eight && c >= 0x80 && state->right == 1 && state->g[1]) {
		code = iso2022_code(sets, state->g[1], c); /* without looking for another */
		if (code) {
			put_code(&iso2022_sets[state->g[1] - 1], code, 0x80, out);
			return 0;
		}
	}
	if (!code)
		way = way_of(sets, profile, c, &code);
	if (!way)
		return -1;
	put_by(profile, state, way, iso2022_set_of(way->shape, way->final), code, out);
	return 0;
}
