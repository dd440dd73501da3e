/* Lines of JSON to X12, EDIFACT and TRADACOMS. The text of a line is read as it comes, without a tree but for the small
 * objects of the envelope. Lines that follow one another with the same interchange, and group, are put into one. */
#ifndef FERRULE_TRANSFORMERS_EDI_ENCODE_H
#define FERRULE_TRANSFORMERS_EDI_ENCODE_H

#include <jansson.h>

#include "transformers/edi/edi_escapes.h"

enum edi_strictness { EDI_FIT, EDI_REJECT, EDI_REPLACE, EDI_TRANSLITERATE };

enum edi_put { /* of a byte that stands in a JSON string */
	       PUT_PLAIN,
	       PUT_END,       /* the string's */
	       PUT_ESCAPE,    /* JSON's backslash */
	       PUT_SEPARATOR, /* to be released */
	       PUT_CONTROL,
	       PUT_HIGH,    /* beyond ASCII */
	       PUT_FOREIGN, /* not in the character set */
};

/* Where a line's text goes; made ready for each interchange. */
struct edi_sink {
	struct buf *out;
	struct edi_syntax syntax;
	const struct edi_dialect *dialect;
	enum edi_strictness strictness;
	bool utf8;                  /* the set is UTF-8 */
	char level;                 /* A or B: the repertoire of UNOA or UNOB */
	struct edi_charset charset; /* else this one; an empty name: ASCII */
	/* UNOX: it is UTF-8 at first, and then escaped; NULL: it is not. */
	const struct iso2022_profile *profile;
	struct iso2022 *sets; /* borrowed */
	bool table_only;      /* bytes are to be looked at one by one */
	uint8_t put[256];
	uint8_t columns[16]; /* as in struct edi_syntax, of ASCII that is not plain */
};

struct edi_grammars;

struct edi_place { /* for findings */
	uint64_t segment;
	unsigned element;
};

struct edi_encoder {
	const struct edi_dialect *dialect;
	enum edi_strictness strictness;
	int64_t time_ms;
	struct buf *out;
	struct edi_sink sink;
	struct edi_open {
		struct edi_state {
			bool open;
			char control[EDI_CONTROL_MAX];
			uint64_t count; /* groups in an interchange, transactions in a group */
			uint64_t all;   /* transactions in an interchange */
			unsigned serial;
		} state;
		struct buf text, previous; /* the object as it stood in the line, and the one before */
	} interchange, group;
	bool packages;                 /* the interchange may have some: syntax version 4 */
	char level[8];                 /* UNOA … of the interchange */
	char charset[40];              /* of the lines in hand, as JSON; empty: as the interchange says */
	char sender[40], receiver[40]; /* ids of the interchange, which a group takes over */
	struct edi_escaping escaping;
	size_t plain_from; /* in `out`: what is UTF-8 yet, and is to be escaped */
	struct buf spare, escaped;
	struct edi_grammars *grammars; /* for lines in the nested form; borrowed, or NULL */
	bool by_hand;                  /* grammars that nobody named are looked for among those that ship */
};

void edi_encoder_begin(struct edi_encoder *, const struct edi_dialect *, enum edi_strictness, int64_t time_ms,
		       struct buf *out);
void edi_encoder_end(struct edi_encoder *);
/* One line: appends what it adds. REJECT: it added nothing. It is followed by WINDOW_SLACK bytes that may be read. */
int edi_encode_line(struct edi_encoder *, struct span line, struct error *);
void edi_encode_close(struct edi_encoder *); /* the trailers of what is open */

/* ---- text to bytes (edi_put.c) */
void edi_sink_ready(struct edi_sink *); /* the tables; after a change */
/* The string's text behind its quote, up to the quote. Returns what follows that; NULL: REJECT. */
const char *edi_put_json(struct edi_sink *, const char *p, const char *end, struct error *);
int edi_put_text(struct edi_sink *, struct span utf8, struct error *);
/* A whole segment from a tree; raw: without escaping. */
int edi_put_segment(struct edi_sink *, const json_t *segment, bool raw, struct error *);
/* The array of segments; its end, NULL: REJECT. */
const char *edi_put_segments(struct edi_sink *, const char *p, const char *end, struct edi_place *, struct error *);
void edi_put_end(struct edi_sink *); /* terminator and line ends */
/* ASCII that stands for a character, or NULL. */
const char *edi_transliterate(uint32_t character);

/* ---- escape sequences of UNOX (edi_escape.c) */
/* What was written since the last call, escaped as the line's `escapes` say (JSON, or empty), where they still fit.
 * REJECT: it has characters that no set has. */
int edi_escape(struct edi_encoder *, struct span escapes, struct error *);
/* A line's `before` (a JSON string, or empty), where it is nothing else than may stand there: white space, byte order
 * marks, and before UNOX escape sequences. */
void edi_put_before(struct edi_encoder *, struct span before, const json_t *facts);

/* ---- packages (edi_package_encode.c): members of a line as they stand in it; all of UNO, object and UNP is appended
 */
struct edi_package_line {
	struct span package, object, object_base64, ends;
};
int edi_put_package(struct edi_encoder *, const struct edi_package_line *, struct error *);

/* ---- JSON text (edi_cursor.c) */
const char *edi_json_space(const char *p, const char *end);
const char *edi_json_skip(const char *p, const char *end); /* a value; NULL: it is none */

/* ---- envelopes (edi_envelope.c; put_open of each dialect) */
/* The character set of a line: a JSON string, or empty. REJECT: it is not for this interchange. */
int edi_set_charset(struct edi_encoder *, struct span charset, struct error *);
/* Separators and character set of what follows, from the line's `interchange` and `charset` (a JSON string, or empty).
 */
int edi_open_interchange(struct edi_encoder *, json_t *facts, struct span charset, struct error *);
int edi_open_segment(struct edi_encoder *, enum edi_level, json_t *facts, char control[EDI_CONTROL_MAX],
		     struct error *);
/* A closing segment; as it was, where that says the same. */
void edi_close_segment(struct edi_encoder *, enum edi_level, uint64_t count, const char *control, const json_t *as_was);

/* For put_open. A copy of the facts' header, or an array with the name alone; the caller's. */
json_t *edi_header_new(const json_t *facts, const char *name);
bool edi_has_header(const json_t *facts);                    /* else what facts do not say has defaults */
const char *edi_fact(const json_t *facts, const char *name); /* a text that is not empty, or NULL */
/* Text of an element or, from 1, of a component of it; "" when it is not there. */
const char *edi_header_text(const json_t *header, size_t element, size_t component);
void edi_header_set(json_t *header, size_t element, json_t *take); /* fills what lies before it with empty ones */
void edi_header_default(json_t *header, size_t element, const char *text); /* where it is not there */
/* The fact in place of the element, where that says something else. */
void edi_header_fact(json_t *header, size_t element, const json_t *facts, const char *name);
/* "qualifier:id" apart; *qualifier has room for 40. The id. */
const char *edi_party(const char *party, char *qualifier);
void edi_date(const struct edi_encoder *, const char *format, char text[24]); /* of the message, in UTC: as strftime */

int x12_put_open(struct edi_encoder *, enum edi_level, json_t *facts, char control[EDI_CONTROL_MAX], struct error *);
/* The set that UNB names: "UNOC"; NULL: none, or ASCII. */
const char *edifact_charset(const char *level);
int edifact_put_open(struct edi_encoder *, enum edi_level, json_t *facts, char control[EDI_CONTROL_MAX],
		     struct error *);

#endif
