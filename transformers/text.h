/* A document in any character set as UTF-8, through a sliding window: never more of it than the part in hand. The fence
 * around iconv. UTF-8 passes through unconverted and unchecked. */
#ifndef FERRULE_TRANSFORMERS_TEXT_H
#define FERRULE_TRANSFORMERS_TEXT_H

#include "transformers/window.h"

#define TEXT_BROKEN '\xff' /* stands for each byte that is no character, so that what holds it is no UTF-8 */

struct text {
	struct window window;
	void *conversion; /* NULL: the bytes are passed through */
	char charset[40]; /* that the bytes are read in; "" as long as nothing but ASCII was seen (text_settle) */
	unsigned unit;    /* bytes of the document for a character (UTF-16: for half of a pair); 0: it varies */
	uint64_t start;   /* of the text, behind a byte order mark */
	/* converted: `len` bytes of UTF-8 at data, which are those at `base`; the next of the document is `from` */
	char *data;
	size_t len, capacity;
	uint64_t base, from;
};

bool text_charset_known(const char *charset); /* UTF-8, or one that iconv has */
/* `charset` NULL: what a byte order mark says, else to be settled. With one: a byte order mark of it is no text. UTF-16
 * without a mark is read in the order in which its first character is ASCII, else as little-endian. */
int text_begin(struct text *, struct reader *, struct out *, const char *charset, struct error *);
void text_end(struct text *);
/* Bytes beyond ASCII were seen from `at` on, and nobody said what they are: UTF-8 when the whole rest of the document
 * is, else CP1252. Reads all of it once. Offsets stay what they are. */
int text_settle(struct text *, uint64_t at, struct error *);
/* The UTF-8 at offset, as window_get gives it; WINDOW_SLACK bytes behind it may be read. Offsets count UTF-8 from the
 * start of the document and never go back behind that of the last call. *last: the document ends with it. */
int text_get(struct text *, uint64_t at, size_t want, struct span *, bool *last, struct error *);
/* How many bytes of the document this piece of what text_get gave was; 0: not known. */
uint64_t text_source(const struct text *, struct span);
bool text_is_utf8(struct span); /* valid; zero characters count as such */

/* A set with a byte for each character, as a table. */
struct text_set {
	bool utf8;            /* no such set: bytes beyond ASCII are UTF-8, which is not looked at here */
	char utf8_of[256][5]; /* "": there is no such character */
	uint8_t ascii[256];   /* the ASCII character that a byte is; 0: none, or the zero character */
	uint8_t byte_of[128]; /* and back; 0: it has none */
};

/* UTF-8, or a set of that kind that has the digits and letters. -1: it is none. */
int text_set_make(struct text_set *, const char *charset);
/* The byte of the character at the front of the UTF-8, or -1; *len: its bytes. */
int text_set_byte(const struct text_set *, struct span utf8, size_t *len);

/* The characters of a part of a set: of the codes that are `prefix` and a byte from `first` on (`wide`: and then
 * another one from there on), in rows of `count`. characters[]: count of them, wide: count * count; 0: none, or more
 * than one.
 * -1: the set is not known. */
int text_codes(const char *charset, const char *prefix, unsigned first, unsigned count, bool wide,
	       uint32_t *characters);

#endif
