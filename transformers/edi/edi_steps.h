/* Steps: what a segment did that came at a place of the structure, with a tag and a shape. The next one that is like it
 * there does the same: the same loops are closed and opened, the same members written, only with other text, which is
 * judged and copied. So a segment is taken apart, placed and named once, by edi_walk.c and edi_values.c, while a
 * recorder listens; then it is a row of operations.
 *
 * A step changes nothing until all of the segment's text was found to be right; where something is not, or not at once
 * seen to be, the segment goes the long way, which knows why. */
#ifndef FERRULE_TRANSFORMERS_EDI_STEPS_H
#define FERRULE_TRANSFORMERS_EDI_STEPS_H

#include "base/mem.h"
#include "transformers/edi/edi_judge.h"
#include "transformers/edi/edi_shape.h"

#define EDI_STEPS_MAX 2000    /* that one judge keeps */
#define EDI_STEP_NOTES_MAX 64 /* values that one of them writes */
#define EDI_STEP_TABLE 1024

struct edi_cell;
struct edi_judge;
struct edi_step;

enum edi_telling {                   /* what is written, and what is looked at before */
		   EDI_TELL_SAME,    /* as it stands; nothing to look at */
		   EDI_TELL_TEXT,    /* … its length */
		   EDI_TELL_CODE,    /* … whether it is in the list */
		   EDI_TELL_REAL,    /* … whether it is a number */
		   EDI_TELL_WHOLE,   /* … without a point */
		   EDI_TELL_IMPLIED, /* a number with its point */
		   EDI_TELL_ISO,     /* a date or time in the ISO form */
};

struct edi_note { /* a value that was written from `from` to `to` */
	enum edi_telling tell;
	const struct edi_slot *slot;
	const struct edi_cell *cell, *format;
	const char *from, *to;
};

struct edi_recorder {
	bool on;
	bool spoilt; /* it cannot become a step */
	const struct edi_node *place;
	uint32_t depth, at; /* of the child that it belongs to, and whether that came again */
	bool again;
	size_t count;
	struct edi_note notes[EDI_STEP_NOTES_MAX];
};

struct edi_steps {
	edi_shape_taking *shape_of; /* NULL: there are no steps on this machine */
	struct arena *arena;
	size_t count;
	struct edi_step *table[EDI_STEP_TABLE];
	struct edi_recorder recorder;
	struct edi_shape shape; /* of the segment in hand */
	bool fresh;             /* it has one that was not met at its place, and what it does may be recorded */
};

void edi_steps_begin(struct edi_steps *);
void edi_steps_end(struct edi_steps *);
/* Takes segments from p on, each with its line ends in front, as the last ones like them; leaves off at one that is not
 * usual, is fresh, or is not right in the same way, of which nothing was done. As edi_judge_row(). */
const char *edi_steps_take(struct edi_judge *, const struct edi_scan *, const char *p, const char *limit,
			   struct edi_row *);
/* Listens to what the segment in hand does. */
void edi_steps_listen(struct edi_judge *);
/* Keeps what was heard, which was written at `o`, where the segment was right. */
void edi_steps_keep(struct edi_judge *, uint32_t key, const char *o, const char *end);
void edi_steps_note(struct edi_judge *, enum edi_telling, const struct edi_slot *, const struct edi_cell *,
		    const struct edi_cell *format, const char *from, const char *to);

#endif
