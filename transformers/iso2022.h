/* ISO 2022 (ECMA-35): text whose escape sequences say which of the registered sets (ISO 2375) its bytes are read in, in
 * seven bits or in eight. No more than a code at a time: who reads and writes keeps the bytes, and the state between
 * them.
 *
 * Known are ASCII and the national variants of ISO 646, JIS X 0201 Katakana, the right halves of ISO 8859, and of the
 * sets with two bytes a character JIS X 0208 and 0212, GB 2312, KS C 5601 and CNS 11643, planes 1 to 7; UTF-8 between
 * ESC % G and ESC % @ too. */
#ifndef FERRULE_TRANSFORMERS_ISO2022_H
#define FERRULE_TRANSFORMERS_ISO2022_H

#include "base/buf.h"

#define ISO2022_UNIT_MAX 8 /* bytes of a code or an escape sequence that are looked at */

struct iso2022; /* tables of the sets that were met so far */

/* What was designated to G0 … G3 and invoked, at a place of a text. */
struct iso2022_state {
	uint8_t g[4];        /* numbers of sets; 0: none */
	uint8_t left, right; /* the G that bytes without and with the sign bit are of */
	uint8_t single;      /* the G that the next character is of, and it alone; 0: as ever */
	uint8_t old;         /* bits of the Gs that were designated in an earlier line */
	bool single_right;   /* it was called in eight bits */
	bool utf8;
};

enum iso2022_kind { ISO2022_CHARACTER, ISO2022_ESCAPE, ISO2022_BROKEN };

struct iso2022_unit {
	enum iso2022_kind kind;
	size_t len; /* of its bytes */
	uint32_t character;
	const char *why; /* broken: what is wrong with it, for people */
	struct iso2022_state after;
};

struct iso2022 *iso2022_new(void);
void iso2022_free(struct iso2022 *);
void iso2022_begin(struct iso2022_state *); /* ASCII, and nothing else is designated */
bool iso2022_is_initial(const struct iso2022_state *);
/* Adds the bits of the sets that are designated to each G: for iso2022_profile_of. */
void iso2022_note(const struct iso2022_state *, uint64_t designated[4]);
/* What comes next: at least one byte; ISO2022_UNIT_MAX of them, unless the text ends before. */
void iso2022_read(struct iso2022 *, const struct iso2022_state *, struct span, struct iso2022_unit *);
/* Bytes from 0x20 to 0x7e are ASCII, and so are control characters but ESC, SO and SI. */
bool iso2022_is_ascii(const struct iso2022_state *);
bool iso2022_is_wide(const struct iso2022_state *); /* bytes without the sign bit are of a set of two bytes */
/* The character as UTF-8; its bytes. */
size_t iso2022_utf8(uint32_t character, char out[4]);

/* ---- writing */
struct iso2022_profile; /* which sets, and how they are called */
const struct iso2022_profile *iso2022_profile(const char *name); /* "ISO-2022-JP"; NULL: none of ours */
/* The narrowest that has these sets in these places; `eight`: there are bytes with the sign bit. */
const struct iso2022_profile *iso2022_profile_of(const uint64_t designated[4], bool eight);
const char *iso2022_profile_name(const struct iso2022_profile *);
bool iso2022_has(struct iso2022 *, const struct iso2022_profile *, uint32_t character);
/* Appends the character and what must be escaped in front of it. -1: no set of the profile has it. */
int iso2022_put(struct iso2022 *, const struct iso2022_profile *, struct iso2022_state *, uint32_t character,
		struct buf *);
/* As the state is, without an escape sequence. -1: it has not this character. */
int iso2022_put_plain(struct iso2022 *, struct iso2022_state *, uint32_t character, struct buf *);

#endif
