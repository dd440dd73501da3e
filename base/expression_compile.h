/* Compiling jq: what is allowed, and where it is wrong. Within base/ only; with expression.c the fence around libjq. */
#ifndef FERRULE_BASE_EXPRESSION_COMPILE_H
#define FERRULE_BASE_EXPRESSION_COMPILE_H

#include <jq.h>

#include "base/finding.h"

struct compiling {
	struct span text;
	struct place start; /* of the value in which it stands … */
	size_t offset;      /* … and how many bytes into that value */
	struct findings *findings; /* or NULL */
	char *failure;             /* "file:line: what", of the first mistake; empty before */
	size_t failure_size;
	bool woven; /* the text has marks in it (expression_marks.h) */
};

/* NULL: findings and failure say why. */
jq_state *expression_compile(const struct compiling *);

#endif
