/* The envelopes of X12 (X12.5, X12.6): interchanges, functional groups, segments. Shared by x12.c and x12_scan.c. */
#ifndef FERRULE_TRANSFORMERS_X12_H
#define FERRULE_TRANSFORMERS_X12_H

#include "transformers/window.h"

#define X12_SEGMENT_MAX (1024u * 1024)
#define X12_ISA_LENGTH 106
#define X12_GROUP_FAULTS_MAX 100

struct x12_syntax {
	char element, component, terminator;
	char repetition; /* NUL: none before version 00402 */
	bool wraps;      /* the terminator is no line end, so that line ends inside segments mean nothing */
};

struct x12_isa {
	char text[X12_ISA_LENGTH]; /* without line ends, the terminator last */
	struct x12_syntax syntax;
	uint64_t offset, end;
};

struct x12_segment {
	struct span text; /* without terminator and, where they mean nothing, line ends; borrowed until the next one is
			     read */
	uint64_t offset, end; /* of the raw bytes, terminator included */
	bool oversized;       /* text is only its beginning */
	bool binary;          /* BIN, BDS: the last element was taken by its length */
	size_t binary_from;   /* where that element starts in text */
};

struct x12_scan {
	struct window window;
	struct x12_syntax syntax;
	struct buf unwrapped;
	uint64_t offset; /* where the next segment is looked for */
};

/* 1: an interchange starts here. 0: none does; why says so (REJECT). -1: as window_get. */
int x12_isa_read(struct x12_scan *, uint64_t offset, struct x12_isa *, struct error *why, struct error *);
struct span x12_isa_element(const struct x12_isa *, int number); /* ISA01 is 1; without trailing spaces */
/* The first place from `from` on, below `to`, where an interchange starts; `to` when there is none. -1: as window_get.
 */
int x12_isa_find(struct x12_scan *, uint64_t from, uint64_t to, uint64_t *found, struct error *);
int x12_skip_filler(struct x12_scan *, struct error *); /* line ends, blanks, NUL, ^Z between segments */

/* 1: a segment, 0: the end of the document, -1. */
int x12_next(struct x12_scan *, struct x12_segment *, struct error *);
bool x12_is(const struct x12_scan *, const struct x12_segment *, const char *name);
struct span x12_element(const struct x12_scan *, const struct x12_segment *,
			int number); /* 1 is the first after the name; empty: not there */

/* What is wrong with an interchange as a whole, or with a group; found before anything of it is emitted. */
struct x12_group_fault {
	uint32_t ordinal;
	uint64_t offset, length;
	struct error why;
};

struct x12_survey {
	uint64_t end;          /* of the interchange */
	uint64_t transactions; /* begun in it */
	struct error why;      /* class NONE: the interchange is sound */
	size_t faults_count;
	struct x12_group_fault *faults; /* the caller frees */
};

int x12_survey(struct x12_scan *, const struct x12_isa *, struct x12_survey *, struct error *);

#endif
