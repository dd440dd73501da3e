/* What is wrong with an X12, EDIFACT or TRADACOMS document, as data: dead letters, `decode --json` and acknowledgements
 * (997, 999, TA1, CONTRL) are made of it. A finding's code is `x12.` and the kind's; it never changes its meaning.
 *
 * Standards: X12 997 and 999 (data elements 716 and 618 in the tables of AK3/IK3, AK4/IK4, AK5/IK5, AK9), TA1 (I18),
 * EDIFACT CONTRL (0085). */
#ifndef FERRULE_TRANSFORMERS_EDI_FINDING_H
#define FERRULE_TRANSFORMERS_EDI_FINDING_H

#include <jansson.h>

#include "base/buf.h"

#define EDI_UNIT_MAX 35      /* bytes of what names a business unit */
#define EDI_FINDINGS_MAX 100 /* kept of a transaction; what comes after them is counted */

enum edi_check_level { /* what is judged; a bit of `check` each but for syntax, which always is */
		       EDI_CHECK_SYNTAX = 0,
		       EDI_CHECK_STRUCTURE = 1,
		       EDI_CHECK_CODES = 2,
		       EDI_CHECK_BALANCE = 4,
};

enum edi_kind {
	/* syntax: found by the reader, with or without a grammar, of an interchange, a group or a transaction */
	EDI_KIND_CONTROL, /* control numbers disagree, or there is none */
	EDI_KIND_COUNT,   /* a trailer's count */
	EDI_KIND_TRUNCATED,
	EDI_KIND_OUTSIDE, /* code `structure`: a segment where the envelope has no place for it */
	EDI_KIND_NAME,    /* code `segment`: a segment has no name */
	EDI_KIND_CHARACTER,
	EDI_KIND_LIMIT,
	EDI_KIND_SEPARATOR,
	EDI_KIND_ISA,
	EDI_KIND_JUNK,
	EDI_KIND_CHARSET,
	EDI_KIND_ENCODING,
	EDI_KIND_EMPTY,
	/* of what is encoded, where nothing is acknowledged */
	EDI_KIND_DOCUMENT, /* a nested document is none of its grammar */
	EDI_KIND_VALUE,    /* a value of one cannot be written as its element is */
	EDI_KIND_JSON,     /* the line is no JSON, or lacks something */
	EDI_KIND_FORMAT,   /* it says that it is of another format */
	EDI_KIND_ENVELOPE, /* what the step lays over it is no object */
	EDI_KIND_OTHER,    /* any code that is none of these */
	/* structure: by a grammar */
	EDI_KIND_GRAMMAR,           /* there is none for this version and type */
	EDI_KIND_SEGMENT_UNKNOWN,   /* no segment of the standard's */
	EDI_KIND_SEGMENT_UNDEFINED, /* not in this transaction set */
	EDI_KIND_SEGMENT_ORDER,     /* in it, but not here */
	EDI_KIND_SEGMENT_UNUSED,    /* the partner's guide says never */
	EDI_KIND_SEGMENT_MISSING,
	EDI_KIND_SEGMENT_REPEATS,
	EDI_KIND_LOOP_MISSING, /* of its first segment */
	EDI_KIND_LOOP_REPEATS,
	EDI_KIND_ELEMENT_MISSING,
	EDI_KIND_ELEMENT_CONDITION, /* R, P, C, L: another element asks for it */
	EDI_KIND_ELEMENT_EXCLUDED,  /* E: another element forbids it */
	EDI_KIND_ELEMENT_UNUSED,
	EDI_KIND_ELEMENT_REPEATS,
	EDI_KIND_ELEMENT_SHORT,
	EDI_KIND_ELEMENT_LONG,
	EDI_KIND_ELEMENT_TYPE, /* a letter in a number */
	EDI_KIND_ELEMENT_DATE,
	EDI_KIND_ELEMENT_TIME,
	EDI_KIND_ELEMENTS,   /* more than the segment has */
	EDI_KIND_COMPONENTS, /* more than the element has */
	/* codes */
	EDI_KIND_CODE,
	/* balance */
	EDI_KIND_BALANCE_COUNT,
	EDI_KIND_BALANCE_SUM,
	EDI_KINDS,
};

/* A kind in the words of each acknowledgement. NULL: that one has no word for it there; then the level above it tells
 * (AK304 8, AK502 5). */
struct edi_kind_facts {
	const char *code;                  /* behind the dialect's name and a dot */
	uint8_t level;                     /* enum edi_check_level */
	const char *ak304, *ak403, *ak502; /* 997: segment, element, transaction set */
	const char *ik304, *ik403;         /* 999, where the rule is the standard's; IK502 is as AK502 */
	const char *guide304, *guide403;   /* 999, where it is an overlay's (a companion guide); IK502 is I5 then */
	const char *ak905;                 /* 997 and 999: of a group */
	const char *ta105;                 /* of an interchange */
	const char *contrl;                /* 0085, in UCI, UCF, UCM, UCS or UCD */
	const char *help;
};

extern const struct edi_kind_facts edi_kinds[EDI_KINDS];
/* The kind of a code, with or without the dialect's name: "x12.count". */
enum edi_kind edi_kind_of(const char *code);

struct edi_finding {
	enum edi_kind kind;
	bool guide;          /* an overlay made the rule */
	uint32_t segment;    /* counted from ST or UNH, which is 1; 0: the transaction as a whole */
	char tag[4];         /* of that segment, or of the one that is missing in front of it */
	char loop[96];       /* names of the loops that it is in, "lines/parties"; empty: none */
	char loop_tag[4];    /* of the segment that the innermost of them begins with */
	uint16_t element;    /* from 1; 0: not in one */
	uint16_t component;  /* from 1; 0: the element as a whole */
	uint32_t repetition; /* of the element, from 1 */
	uint16_t trigger;    /* the element of the same segment that made the rule apply, from 1; 0: none */
	char trigger_reference[8];
	char unit[8]; /* the element that names the business unit it lies in, "PO101"; empty: none */
	char unit_value[EDI_UNIT_MAX + 1];
	char reference[8]; /* the number of data element, "353", where the grammar knows it */
	uint64_t offset;   /* bytes into the file: of the segment */
	char value[100];   /* what stands there, cut; UTF-8; empty: nothing does */
	char text[240];    /* a sentence without the place */
};

struct edi_findings {
	struct edi_finding *list; /* room for EDI_FINDINGS_MAX, once there is one */
	size_t count;
	uint64_t more; /* came after those */
};

void edi_findings_free(struct edi_findings *);
void edi_findings_reset(struct edi_findings *); /* keeps the memory */
/* The next one to be filled, zeroed but for its kind; NULL: there are enough, it was only counted. */
struct edi_finding *edi_finding_add(struct edi_findings *, enum edi_kind);
/* {code, level, segment, tag, loop, element, component, repetition, reference, offset, value, text}: those that say
 * something. `dialect`: "x12". */
json_t *edi_finding_json_new(const struct edi_finding *, const char *dialect);

#endif
