/* The tokens of jq 1.6, for the parser that finds the parts of a program. See expression_marks.h. */
#ifndef FERRULE_BASE_EXPRESSION_MARKS_PRIVATE_H
#define FERRULE_BASE_EXPRESSION_MARKS_PRIVATE_H

#include "base/expression_marks.h"

enum token { T_END, T_WORD, T_FIELD, T_VARIABLE, T_NUMBER, T_STRING, T_FORMAT, T_SIGN };

struct parser {
	struct span text;
	struct marks *marks;
	bool terms, failed;
	bool iterates; /* what was parsed since this was cleared may give none or several */
	int depth;
	enum token token;
	size_t start, end; /* of the token */
	size_t last;       /* the end of the token before */
};

char marks_at(const struct parser *, size_t); /* NUL behind the end */
void marks_next(struct parser *);
void marks_next_from(struct parser *, size_t); /* goes on there; does not set `last` */

#endif
