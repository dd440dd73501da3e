/* The parts of a jq program that may or may not run, found by parsing it, and the program with a mark woven into each
 * of them. libjq has no way to watch a run; a mark is jq itself (`__seen`, a definition of expression_compile.c),
 * changes neither results nor paths, adds no line, and is told through libjq's debug callback. */
#ifndef FERRULE_BASE_EXPRESSION_MARKS_H
#define FERRULE_BASE_EXPRESSION_MARKS_H

#include "base/buf.h"

enum mark_kind {
	MARK_PROGRAM,
	MARK_DEF,  /* the body of a function */
	MARK_THEN, /* of an if or elif */
	MARK_ELSE,
	MARK_LEFT,    /* of `//`: it gave something */
	MARK_RIGHT,   /* … and what stands in its place */
	MARK_FIELD,   /* of an object that is made: it had a value once */
	MARK_SELECT,  /* something passed */
	MARK_OPERAND, /* the right side of `and`, `or` */
	MARK_CATCH,
	MARK_LOOP, /* the body of a reduce or foreach */
	MARK_EACH, /* what stands behind `.[] |`: there was one */
	MARK_TERM, /* any operand; only when asked for */
};

struct mark {
	enum mark_kind kind;
	size_t start, end; /* bytes of the text */
};

struct marks {
	struct mark *list; /* by start, the outer before the inner */
	size_t count, capacity;
};

/* -1: the parser does not understand the program (which may be right all the same); nothing is found. */
int marks_find(struct marks *, struct span program, bool terms);
void marks_free(struct marks *);
/* The program with the marks in it: mark i calls with the number i. */
void marks_weave(const struct marks *, struct span program, struct buf *);
const char *mark_name(enum mark_kind); /* "else", for people */
/* Line and column (in bytes) from 1. */
void mark_place(struct span program, size_t offset, int *line, int *column);

/* What a woven program needs in front of it: while `debug` is still libjq's own. */
#define MARKS_PRELUDE                                                                                                  \
	"def __seen($n): if ([$n, .] | debug | true) then . else empty end; "                                          \
	"def __some($n): if . then __seen($n) else . end; def __filled($n): if . == null then . else __seen($n) end; "

#endif
