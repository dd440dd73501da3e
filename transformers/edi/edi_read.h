/* What the files of the EDI reader share: edi_read.c (documents, interchanges, groups, lines) and edi_transaction.c. */
#ifndef FERRULE_TRANSFORMERS_EDI_READ_H
#define FERRULE_TRANSFORMERS_EDI_READ_H

#include "transformers/edi/edi_escapes.h"
#include "transformers/edi/edi_judge.h"
#include "transformers/edi/edi_layout.h"
#include "transformers/edi/edi_observer.h"

#define EDI_TEXT_MAX ((size_t)1 << 30)

enum edi_bad { BAD_INTERCHANGE = 1, BAD_GROUP = 2, BAD_LINE = 4 }; /* a header or trailer that cannot be written */

struct edi_read {
	const struct edi_dialect *dialect;
	struct item *whole;
	struct out *out;
	struct edi_scan scan;
	struct edi_start start;                   /* of the interchange in hand */
	uint32_t interchange, group, transaction; /* ordinals within what holds them */
	uint64_t counted;                         /* transactions of the document so far */
	uint64_t came, interchange_came;          /* items emitted or rejected: in all, and before this interchange */
	uint64_t lines;                           /* emitted */
	uint64_t looked;                          /* bytes that were searched for the ends of interchanges */
	struct buf interchange_json, group_json;  /* the objects that every line has */
	json_t *interchange_facts, *group_facts;
	const char *charset;                 /* in place of what headers say, or NULL */
	struct edi_judge *judge;             /* or NULL */
	const struct edi_observer *observer; /* is told in place of what is emitted; or NULL */
	unsigned bad;                        /* enum edi_bad */
	bool in_group, ended;
	struct iso2022_state escaped; /* what is designated where an interchange starts */
	uint64_t line_from;           /* with escape sequences: where the next line's text begins */
	uint64_t interchange_lines;   /* emitted before this one */
	struct buf group_header; /* GS or UNG with its terminator */
	size_t group_header_len;
	struct buf before; /* byte order mark and white space at the start of the document, for the first line */
	struct buf line;
	unsigned ends; /* members of the line's `ends` */
	unsigned high; /* sign bits of the line's bytes, where they were taken as UTF-8 */
	struct edi_layout layout;
	struct edi_layout_mark header_mark; /* what the next line begins with, whatever is rejected before it */
	bool accounted;                     /* the white space in front of the next segment was */
};

/* The objects of interchange and group, from their headers. */
void edi_write_interchange(struct edi_read *);
void edi_write_group(struct edi_read *);
void edi_make_facts(json_t **, const struct buf *object);
/* A header with bytes that are no UTF-8: all that it heads is read as ISO 8859-1. */
void edi_check_header(struct edi_read *, struct span header);

/* ---- escape sequences (edi_read_escaped.c) */
/* UNOX may have some: then its text is read in place of the document, the header once more. As start(). */
int edi_read_escaped(struct edi_read *, struct error *why, struct error *);
int edi_leave_escaped(struct edi_read *, struct error *); /* the document again */
void edi_explain_unclosed(const struct edi_read *, struct error *why); /* adds to it where two bytes never ended */

void edi_begin_line(struct edi_read *);
/* The closing segment is what the encoder writes as well: the count of segments and the control number. */
bool edi_is_plain_close(const struct edi_read *, struct span text, uint64_t segments, const char *control);
/* `ends`: a trailer, of the level "transaction", "group" or "interchange". */
void edi_write_end(struct edi_read *, const char *level, const struct edi_segment *);
/* The line is complete but for its end; takes the item. */
int edi_emit_line(struct edi_read *, struct item *, struct error *);
/* It is, and nobody takes it. REJECT: what it would be rejected for. */
int edi_pass_line(struct edi_read *, struct error *why);
json_t *edi_facts(const struct edi_read *, bool group, json_t *transaction);

void edi_account_filler(struct edi_read *, const struct edi_segment *);
void edi_give_back(struct edi_read *, const struct edi_segment *); /* it shall be read again */
bool edi_opens(const struct edi_read *, struct span text, enum edi_level);
bool edi_closes(const struct edi_read *, struct span text, enum edi_level);
/* Trailers of group and interchange, and what follows them, into the line in hand. 1: the interchange ended, 0, -1. */
int edi_take_trailers(struct edi_read *, struct error *);

/* A header of what is in hand has characters beyond ASCII. */
bool edi_has_high(const struct edi_read *);
/* The set that bytes are read in from now on; NULL: UTF-8. */
void edi_read_as(struct edi_read *, const struct edi_charset *);
const struct edi_charset *edi_fallback(struct edi_read *);

/* From its opening segment on, which was read; `raw`: with its line ends. Leaves off behind its end, or in front of
 * what must not come before it. */
int edi_run_transaction(struct edi_read *, struct edi_segment *open, struct span raw, uint64_t until, struct error *);
/* The same for a package, from UNO to UNP (edi_package_read.c). The survey saw that it has an end. */
int edi_run_package(struct edi_read *, struct edi_segment *open, struct span raw, struct error *);

#endif
