/* A transaction under its grammar: one segment after the other finds its place in the structure, is judged there as far
 * as the flow asks for it, and is written into the line of JSON in the nested form (docs/grammars.md); no tree is made.
 *
 * edi_judge.c is what the reader calls; edi_walk.c finds places, edi_value.c judges and writes elements, edi_cells.c
 * cuts segments, edi_balance.c adds up. */
#ifndef FERRULE_TRANSFORMERS_EDI_JUDGE_H
#define FERRULE_TRANSFORMERS_EDI_JUDGE_H

#include "transformers/edi/edi.h"
#include "transformers/edi/edi_finding.h"
#include "transformers/edi/edi_grammar.h"

enum edi_keys { EDI_KEYS_NAMES, EDI_KEYS_POSITIONS, EDI_KEYS_BOTH };

struct edi_judge;

/* keys: enum edi_keys; check: enum edi_check_level. The set is borrowed. */
struct edi_judge *edi_judge_new(struct edi_grammars *, bool nested, int keys, unsigned check);
void edi_judge_free(struct edi_judge *);

/* Grammars that nobody named are looked for among those that ship. */
void edi_judge_by_hand(struct edi_judge *, bool);
bool edi_judge_is_nested(const struct edi_judge *);
/* Of the transaction in hand, from edi_judge_begin on. Whoever reads may add what it finds itself. */
struct edi_findings *edi_judge_findings(struct edi_judge *);

/* A transaction begins. `version`: "004010", "D 96A". Nested: appends from `,"form"` to where the document starts. -1:
 * there is no grammar for it, which is a finding; nothing was appended. */
int edi_judge_begin(struct edi_judge *, const struct edi_syntax *, struct buf *line, struct span version,
		    struct span type);
struct edi_row {
	uint32_t number; /* of the next segment, counted from the opening one, which is 1 */
	uint32_t most;   /* the last number that may be */
	uint64_t offset; /* of the next byte */
};

/* Segments from p on, each with its line ends in front, as many as are taken at once; the row goes on with them. What
 * follows the last, or p. *limit is a terminator, and WINDOW_SLACK bytes behind it may be read. */
const char *edi_judge_row(struct edi_judge *, const struct edi_scan *, const char *p, const char *limit,
			  struct edi_row *);
/* A segment at p, of whose end nothing is known but that it lies before `limit`, if it is a usual one: what follows its
 * terminator, or NULL, and nothing was done. number: counted from the opening segment, which is 1. Without the nested
 * form it appends nothing. */
const char *edi_judge_usual(struct edi_judge *, const char *p, const char *limit, uint32_t number, uint64_t offset,
			    unsigned *high);
/* A segment that can be written in the plain form, its line ends taken out. -1: it has too many elements. */
int edi_judge_segment(struct edi_judge *, const struct edi_segment *, uint32_t number);
/* Separators that the nested form of the segment, which was the last, does not tell. */
#define EDI_DROPS_MAX 2000
struct edi_drop {
	size_t at, len; /* in the segment's text */
};
bool edi_judge_drops_any(const struct edi_judge *); /* there may be some */
/* From the first to the last; how many, EDI_DROPS_MAX at most, else there are too many. */
size_t edi_judge_drops(const struct edi_judge *, const char *text, struct edi_drop *list);

/* The closing segment was reached: what is missing up to there, and what does not add up. Nested: closes the document.
 */
void edi_judge_end(struct edi_judge *, uint32_t number, uint64_t offset);

#endif
