/* What the files of the judge share. See edi_judge.h. */
#ifndef FERRULE_TRANSFORMERS_EDI_JUDGE_PRIVATE_H
#define FERRULE_TRANSFORMERS_EDI_JUDGE_PRIVATE_H

#include "transformers/edi/edi_chunk.h"
#include "transformers/edi/edi_judge.h"
#include "transformers/edi/edi_steps.h"

#define EDI_CELLS_MAX 4096 /* components of a segment */
#define EDI_KEPT 64
#define EDI_SEGMENT_ROOM 2048 /* bytes that closing loops and opening one can take */
#define EDI_CELL_ROOM 1024    /* bytes that a cell can take beside its text */
#define EDI_CELL_GROWTH 24    /* what a byte of its text can become */

enum edi_cell_flag { /* it cannot be copied as it is */
		     EDI_CELL_ODD = 1,
		     EDI_CELL_RELEASED = 2, /* it has release characters */
		     EDI_CELL_BINARY = 4,   /* it is the last of a BIN or BDS */
};

struct edi_cell { /* a component */
	const char *p;
	uint32_t len;
	uint16_t ends; /* enum edi_class of what follows it */
	uint16_t odd;  /* enum edi_cell_flag */
};

struct edi_cells {
	size_t count;
	bool high;    /* some bytes are beyond ASCII, in UTF-8 */
	bool careful; /* bytes are not characters: some are released, or high is set */
	struct edi_cell list[EDI_CELLS_MAX];
};

/* Cuts what stands from p, behind a segment's tag, up to the first terminator. released: release characters may stand
 * in front of what needs none. The terminator; NULL: a character that needs to be looked at, or too many cells. */
const char *edi_cut(struct edi_cells *, const struct edi_syntax *, const char *p, const char *limit, bool released,
		    unsigned *high);
/* Of the first repetition; component 0 as 1. NULL: it is not there, or empty. */
const struct edi_cell *edi_cell_find(const struct edi_cells *, unsigned element, unsigned component);

struct edi_frame { /* a loop that is open */
	const struct edi_node *loop;
	uint32_t at, count; /* the child in hand, and how often it came */
	bool any;           /* some child came */
};

struct edi_total {
	__extension__ __int128 sums[1 + EDI_MAYBE_MAX]; /* of each group of terms; at EDI_SCALE decimals */
	uint64_t counted, products;
	uint64_t hash; /* of the digits, without points and signs */
	bool lost;     /* a number was too large, or is none */
	bool said;     /* what it is to be compared with came */
	__extension__ __int128 says;
	uint32_t segment;
	uint64_t offset;
	char value[40];
};

#define EDI_SCALE 12

#define EDI_PARTS_MAX (EDI_BALANCES_MAX * (EDI_TERMS_MAX + 1)) /* all that there can be */
#define EDI_NOWHERE UINT16_MAX

struct edi_part { /* what a segment has to do with a balance: a term of it, and the cells that it looks at */
	const struct edi_term *term;
	uint16_t balance;
	uint16_t value, by, when; /* EDI_NOWHERE: nothing stands there, or nothing is asked for */
};

struct edi_parts {
	const struct edi_node *node;
	size_t count;
	struct edi_part list[EDI_PARTS_MAX];
};

struct edi_judge {
	struct edi_grammars *set;
	bool nested, by_hand;
	bool write; /* the nested form is being written: nothing was found yet */
	bool drops; /* the segment in hand has separators that it does not tell */
	char *o;    /* where, while a segment is taken; NULL: it is not */
	int keys;
	unsigned check;
	const struct edi_grammar *grammar;
	const struct edi_syntax *syntax;
	struct buf *line;
	struct buf unplaced;
	struct edi_findings findings;
	struct edi_frame frames[EDI_DEPTH_MAX + 2];
	unsigned depth;
	uint32_t number; /* of the segment in hand */
	uint64_t offset;
	const struct edi_node *node;   /* it stands for; NULL: it has no place */
	const struct edi_node *place;  /* that of the last segment that had one; before the first: the root */
	const struct edi_node *opened; /* the loop that begins with the segment in hand; or NULL */
	const struct edi_form *form;
	char tag[4];
	struct span nesting; /* components behind the tag (EDIFACT, explicit indication of nesting), without the first
				separator */
	/* Conditions that were found to be kept, by what elements there were. */
	struct edi_kept {
		const struct edi_form *form;
		uint64_t seen;
	} kept[EDI_KEPT];
	struct edi_total totals[EDI_BALANCES_MAX];
	char units[EDI_UNITS_MAX][EDI_UNIT_MAX + 1]; /* of the loops that are open; empty: not known */
	struct edi_steps steps;
	struct edi_parts parts; /* of the segment in hand, when it goes the long way */
	struct edi_cells cells;
};

/* Copies a label, or text behind which others stand; reads and writes up to 31 bytes more. */
static inline char *edi_copy(char *o, const char *text, size_t len)
{
#ifdef __SSE2__
	store(o, load(text));
	if (len > STEP) {
		store(o + STEP, load(text + STEP));
		for (size_t i = 2 * (size_t)STEP; i < len; i += STEP)
			store(o + i, load(text + i));
	}
#else
	memcpy(o, text, len);
#endif
	return o + len;
}

static inline char *edi_label_put(char *o, const struct edi_label *label)
{
	return edi_copy(o, label->text, label->len);
}

/* ---- findings, at the segment in hand */
struct edi_finding *edi_blame(struct edi_judge *, enum edi_kind, bool guide, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Its text as UTF-8, release characters gone, cut to the room there is. */
void edi_cell_text(const struct edi_syntax *, const struct edi_cell *, char *into, size_t size);

/* ---- places (edi_walk.c) */
void edi_walk_begin(struct edi_judge *);
/* Where the segment stands; opens and closes loops of the nested form on the way. NULL: nowhere. */
const struct edi_node *edi_walk_to(struct edi_judge *, uint32_t key);
void edi_walk_end(struct edi_judge *);
/* The names of the loops that the node is in. */
void edi_walk_path(const struct edi_node *, struct edi_finding *);

/* ---- elements (edi_values.c) */
/* Judges the cells of the segment, which has the form, and writes it as an object. */
void edi_values(struct edi_judge *, const struct edi_form *);

struct edi_at { /* where in a segment; counted from 1, component 0: none */
	uint16_t element, component;
	uint32_t repetition;
};

/* ---- one value (edi_value.c) */
/* As its type, size and codes have it; `format`: the cell that says how a date is written, or NULL. */
void edi_value_judge(struct edi_judge *, const struct edi_slot *, const struct edi_cell *,
		     const struct edi_cell *format, struct edi_at);
struct edi_finding *edi_blame_at(struct edi_judge *, enum edi_kind, bool guide, struct edi_at, const struct edi_slot *,
				 const struct edi_cell *, const char *format, ...)
	__attribute__((format(printf, 7, 8)));
/* The ISO form of a date or time, 40 bytes at most; 0: it has none. `format` as above. */
size_t edi_iso(const struct edi_slot *, const struct edi_cell *, const struct edi_cell *format, char *into);
/* X12's 1250, EDIFACT's 2379, in letters for edi_follow(); NULL: it has no ISO form. */
const char *edi_pattern_of(const struct edi_cell *format);
/* What the pattern makes of the text, 60 bytes at most; 0: the text is none such. */
size_t edi_follow(const char *pattern, const char *text, size_t len, char *into);
/* A number with a point where it is; 0: as it stands. 48 bytes at most. */
size_t edi_decimal(const struct edi_data *, const struct edi_cell *, char *into);

/* ---- balances */
/* Those of the node, which is the segment's in hand or begins with it, behind those that are there. */
void edi_balance_parts(struct edi_judge *, const struct edi_node *, struct edi_parts *);
void edi_balance_add(struct edi_judge *, const struct edi_part *, size_t count);
void edi_balance_end(struct edi_judge *);
/* "1050" of N2 is 10.50. False: it is no number. decimals < 0: as it is written. */
bool edi_number(struct span text, int decimals, int64_t *mantissa, int *places);

#endif
