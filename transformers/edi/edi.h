/* What X12, EDIFACT and TRADACOMS have in common: interchanges that hold groups that hold transactions (in EDIFACT and
 * TRADACOMS: messages) that are rows of segments, cut by separators. One reader (edi_read.c) serves all three; what
 * tells them apart stands in a dialect each (x12.c, edifact.c, tradacoms.c).
 *
 * Reading goes over an interchange twice: the survey (edi_survey.c) judges its envelope, so that nothing of a document
 * that was cut off goes on; then each transaction is written as a line of JSON (edi_json.c) without a tree. */
#ifndef FERRULE_TRANSFORMERS_EDI_H
#define FERRULE_TRANSFORMERS_EDI_H

#include "transformers/window.h"

#define EDI_SEGMENT_MAX (1024u * 1024)
#define EDI_FILLER_MAX (1024u * 1024) /* white space in a row that is kept */
#define EDI_HEADER_MAX 4096           /* bytes of the segment that opens an interchange or a group */
#define EDI_GROUP_FAULTS_MAX 100
#define EDI_SUFFIX_MAX 8
#define EDI_BINARY_BIT 0x40
#define EDI_MARK "\xef\xbb\xbf" /* the byte order mark of UTF-8 */
#define EDI_ELEMENTS_MAX 1000   /* of a segment */
#define EDI_CONTROL_MAX 128     /* a control number as UTF-8 */

enum edi_class { /* of a byte */
		 EDI_TEXT,
		 EDI_ELEMENT,
		 EDI_COMPONENT,
		 EDI_END,
		 EDI_REPETITION,
		 EDI_RELEASE,
		 EDI_QUOTE,   /* what JSON escapes */
		 EDI_HIGH,    /* beyond ASCII, where it is not taken as UTF-8 */
		 EDI_LINE,    /* CR, LF: nothing within a segment */
		 EDI_CONTROL, /* never in data */
};

struct edi_charset;

struct edi_syntax {
	char element, terminator;
	char component, repetition, release; /* NUL: none */
	char tag;                            /* between a segment's name and its first element */
	char decimal;                        /* as the header says; nothing here uses it */
	bool wraps;                          /* the terminator is no line end */
	char suffix[EDI_SUFFIX_MAX];         /* line ends that follow the header's terminator, and so each one's */
	size_t suffix_len;
	const struct edi_charset *charset; /* of bytes beyond ASCII; NULL: UTF-8 */
	uint8_t class[256];
	uint8_t columns[16]; /* of ASCII in rows of sixteen: the rows that have a byte other than EDI_TEXT there */
	char wide[5][16];    /* element, component, terminator, repetition, release: sixteen times each */
};

/* Classes from the separators; to be called when they or the charset have changed. */
void edi_syntax_ready(struct edi_syntax *);

/* ---- characters (edi_charset.c) */
struct edi_charset { /* one byte a character */
	char name[24];
	char utf8[128][4]; /* of 0x80 to 0xff, NUL-terminated; empty: no character */
};
/* Fills the table of a set that iconv knows and that has one byte a character. -1: it is none. */
int edi_charset_make(struct edi_charset *, const char *name);

/* ---- segments (edi_scan.c) */
struct edi_dialect;
struct edi_encoder;

struct edi_segment {
	struct span text;     /* followed by the terminator; borrowed until the next one is read */
	struct span filler;   /* white space in front of it; borrowed likewise */
	uint64_t offset, end; /* of the raw bytes, terminator included */
	bool oversized;       /* text is only its beginning */
	bool open;            /* the document ends before its terminator */
	bool binary;          /* X12's BIN and BDS: the last element was taken by its length */
	size_t binary_from;   /* where that element starts in text */
};

struct edi_scan {
	struct window window;
	const struct edi_dialect *dialect;
	struct edi_syntax syntax;
	uint64_t offset; /* where the next segment is looked for */
	struct span got; /* bytes at offset, when there are any */
	struct buf unwrapped, filler;
	bool lost_filler; /* some was not kept */
	/* A bit for each name of an opening or closing segment, in those of its first three characters; and one for
	 * names as those of segments that may be binary. */
	uint8_t first[256], second[256], third[256];
	struct edi_charset charset; /* that syntax.charset may point to */
	struct edi_escapes *escapes; /* the window is over their text (edi_escapes.h); or NULL */
};

/* What it may be by its name, of two characters and more. */
static inline unsigned edi_kinds_of(const struct edi_scan *scan, const char *name)
{
	return scan->first[(uint8_t)name[0]] & scan->second[(uint8_t)name[1]] & scan->third[(uint8_t)name[2]];
}

/* It may be one that opens or closes something. */
static inline bool edi_is_interesting(const struct edi_scan *scan, struct span text)
{
	return text.len >= 2 && (edi_kinds_of(scan, text.data) & ~EDI_BINARY_BIT);
}

/* White space, NUL and ^Z, as they stand between segments. */
static inline bool edi_is_filler(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\x1a' || c == '\0';
}

void edi_scan_begin(struct edi_scan *, const struct edi_dialect *, struct reader *, struct out *);
void edi_scan_end(struct edi_scan *);
void edi_scan_speak(struct edi_scan *, const struct edi_dialect *); /* another one from now on */
void edi_seek(struct edi_scan *, uint64_t offset);
/* Passes over line ends, blanks, NUL, ^Z between segments; filler: what they were, or lost_filler is set, where they
 * were too much. -1: as window_get. */
int edi_skip_filler(struct edi_scan *, struct span *, struct error *);
/* For people: where in the document what the scan has at this offset is. */
uint64_t edi_offset(struct edi_scan *, uint64_t offset);
/* 1: a segment, 0: the end of the document, -1. */
int edi_next(struct edi_scan *, struct edi_segment *, struct error *);
/* In a transaction: passes over segments that neither open nor close anything, as far as the bytes in hand go; may do
 * nothing. */
void edi_pass_over(struct edi_scan *);
static inline bool edi_starts_with_suffix(const struct edi_syntax *syntax, const char *p)
{
	for (size_t i = 0; i < syntax->suffix_len; i++)
		if (p[i] != syntax->suffix[i])
			return false;
	return true;
}

/* What stands behind a terminator is the usual line end, and then a segment that neither opens nor closes anything and
 * is not binary. */
static inline bool edi_is_usual(const struct edi_scan *scan, const char *p)
{
	const char *text = p + scan->syntax.suffix_len;

	return edi_starts_with_suffix(&scan->syntax, p) && (unsigned char)text[0] > ' ' && !edi_kinds_of(scan, text);
}

/* The bytes in hand begin so; the segment's end may lie beyond them. */
static inline bool edi_at_usual(const struct edi_scan *scan)
{
	return scan->got.len > EDI_SUFFIX_MAX + WINDOW_SLACK && edi_is_usual(scan, scan->got.data);
}

/* Takes line ends out of its text. False: there were none. */
bool edi_unwrap(struct edi_scan *, struct edi_segment *);
bool edi_is(const struct edi_syntax *, struct span segment, const char *name);
/* 1 is the first after the name; raw, release characters and all; empty: not there. */
struct span edi_element(const struct edi_syntax *, struct span segment, int number);
struct span edi_trimmed(struct span); /* without blanks at its end */
/* 1 is the first; of the first repetition. */
struct span edi_component(const struct edi_syntax *, struct span element, int number);

/* ---- the dialects */
struct edi_start {            /* of an interchange */
	uint64_t offset, end; /* end: behind the header's terminator */
	uint64_t una_end;     /* EDIFACT's service string reaches from offset to here; offset: there is none */
	uint64_t header_from; /* where the header itself begins */
	struct span header;   /* without terminator and line ends; in text, followed by the terminator */
	char una[6];
	bool unox;           /* it may have escape sequences (edi_escapes.h) */
	const char *charset; /* as the header says; NULL: UTF-8, and ISO 8859-1 where that is not valid */
	char text[EDI_HEADER_MAX + 64];
};

enum edi_level { EDI_INTERCHANGE, EDI_GROUP, EDI_TRANSACTION };

struct edi_dialect {
	const char *name;               /* of the format, and what codes begin with */
	const char *open[3], *close[3]; /* names of segments by level; group: NULL where there are none */
	uint8_t type;       /* the element of a transaction's opening segment whose first component says what it is */
	uint8_t control[3]; /* the element of the opening segment that holds the control number */
	uint8_t close_count, close_control; /* elements of closing segments: how many, and the number again (0: not) */
	bool close_loose;                   /* both may be left out there */
	bool numeric_control;   /* those of groups and interchanges are numbers: leading zeros mean nothing */
	const char *package[2]; /* EDIFACT's UNO and UNP (edi_package.h); or NULL */
	bool groups_needed;     /* no transaction stands outside a group */
	bool count_groups;      /* the interchange's trailer counts groups where there are any */
	bool binary;
	bool una;                /* EDIFACT's service string may stand in front of it, and it names its characters */
	bool fixed_header;       /* the interchange's header has places, and the separators themselves in it */
	const char *transaction; /* what people call one */
	/* 1: an interchange starts at this offset; the scan's syntax is set. 0: none does, why says so (REJECT). -1. */
	int (*start)(struct edi_scan *, uint64_t offset, struct edi_start *, struct error *why, struct error *);
	/* The first place in the bytes where start() is worth asking; their length when there is none. */
	size_t (*find)(struct span);
	/* Segments that may stand in an interchange outside transactions and groups. */
	bool (*service)(const struct edi_syntax *, struct span segment);
	/* REJECT when an opening segment cannot be one. */
	int (*check_open)(const struct edi_syntax *, enum edi_level, struct span segment, struct error *why);
	/* Members of the facts, each followed by a comma. */
	void (*facts)(const struct edi_syntax *, enum edi_level, struct span segment, struct buf *);
	/* The opening segment says no more than facts() told. */
	bool (*plain)(const struct edi_syntax *, struct span segment);
	/* Encoding: appends the opening segment that facts, and the header in them, describe. REJECT. */
	int (*put_open)(struct edi_encoder *, enum edi_level, json_t *facts, char control[EDI_CONTROL_MAX],
			struct error *);
};

/* For start(): the header from the bytes that begin with it, at start->header_from, up to its terminator and without
 * line ends. REJECT: the document ends in it, or it is too long. */
int edi_take_header(const struct edi_scan *, struct span got, struct edi_start *, struct error *why);

extern const struct edi_dialect edi_x12, edi_edifact, edi_tradacoms;
extern const struct edi_dialect edi_interactive; /* EDIFACT that begins with UIB; edi_edifact's start() finds it */

/* ---- the survey (edi_survey.c): what is wrong with an interchange as a whole, or with a group; found before anything
 * of it is emitted */
struct edi_group_fault {
	uint32_t ordinal;
	uint64_t offset, length;
	struct error why;
	uint64_t transactions; /* that came */
	char claimed[16];      /* that its trailer counts; empty: there is none */
};

struct edi_survey {
	uint64_t end;          /* of the interchange */
	uint64_t looked_to;    /* its end was looked for as far as here */
	uint64_t transactions; /* begun in it */
	struct error why;      /* class NONE: the interchange is sound */
	size_t faults_count;
	struct edi_group_fault *faults; /* the caller frees */
};

int edi_survey(struct edi_scan *, const struct edi_start *, struct edi_survey *, struct error *);
/* The first place from `from` on, below `to`, where an interchange starts; `to` when there is none. */
int edi_find(struct edi_scan *, uint64_t from, uint64_t to, uint64_t *found, struct error *);
bool edi_says(struct span number, uint64_t count); /* digits that mean this */
/* The control number in an opening or closing segment; no more than its first component, where partners write more. */
struct span edi_control(const struct edi_dialect *, const struct edi_syntax *, struct span segment, int element);
/* Control numbers at both ends of what they count. */
bool edi_is_same_control(const struct edi_dialect *, enum edi_level, struct span open, struct span close);
bool edi_count_agrees(const struct edi_dialect *, struct span says, uint64_t count);
struct span edi_shown(struct span); /* cut for messages */
/* `x12.control` for the scan's dialect. */
int edi_fault(struct error *, const struct edi_dialect *, const char *kind, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- JSON text (edi_json.c) */
struct edi_fault {                 /* where a segment is wrong */
	size_t element, component; /* from 1; 0: the name, or not in one */
	size_t at;                 /* bytes into the segment's text */
	const char *kind;          /* behind the dialect's name: "character" */
	unsigned char byte;
};

enum edi_written {
	EDI_WRITTEN,
	EDI_NEEDLESS, /* written; it has release characters that were not needed */
	EDI_WRAPPED,  /* nothing was written: it has line ends within, edi_unwrap it first */
	EDI_FAULTY,   /* nothing was written: the fault says why */
};

/* Appends the segment as an array. high: or'ed with bytes' sign bits, where UTF-8 is yet to be checked. */
enum edi_written edi_write_segment(struct buf *, const struct edi_syntax *, const struct edi_segment *,
				   unsigned *elements, unsigned *high, struct edi_fault *);
/* The same for one at p of whose end nothing is known but that it lies before `limit`, if it is a usual one; what
 * follows its terminator, or NULL and nothing was written. *limit is the terminator. comma: one goes in front. */
const char *edi_write_usual(struct buf *, const struct edi_syntax *, bool comma, const char *p, const char *limit,
			    unsigned *elements, unsigned *high);
/* The same for usual segments that follow one another from p on, each with its line ends in front, until one that is
 * not usual, `most` segments or `limit`; comma: one goes in front of the first. What follows the terminator of the
 * last, or p; *written: how many. *limit is the terminator, and WINDOW_SLACK bytes behind it may be read. (edi_usual.c)
 */
const char *edi_write_row(struct buf *, const struct edi_scan *, bool comma, const char *p, const char *limit,
			  uint64_t most, uint64_t *written, unsigned *high);
/* Appends text of an element as a string, released characters without their mark. */
void edi_write_text(struct buf *, const struct edi_syntax *, struct span);
void edi_write_string(struct buf *, struct span utf8);
/* A member with such a text, and a comma. */
void edi_write_fact(struct buf *, const char *name, const struct edi_syntax *, struct span value);

struct edi_judge;
struct edi_observer;
/* What a decoder of this dialect does: format.h. charset: in place of what headers say; or NULL. The judge
 * (edi_judge.h), or NULL: every transaction is written as it came. */
int edi_read(const struct edi_dialect *, const char *charset, struct edi_judge *, struct item *, struct out *,
	     struct error *);
/* The same reading, told to the observer (edi_observer.h); nothing is emitted. Text that is no interchange is rejected
 * as ever. The item stays the caller's. */
int edi_observe(const struct edi_dialect *, const char *charset, struct edi_judge *, const struct edi_observer *,
		struct item *, struct out *, struct error *);

#endif
