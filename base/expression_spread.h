/* A jq program with every token on a line of its own. libjq tells of a mistake by its line only: told of this text,
 * the line is the token. */
#ifndef FERRULE_BASE_EXPRESSION_SPREAD_H
#define FERRULE_BASE_EXPRESSION_SPREAD_H

#include "base/buf.h"

struct spread {
	struct buf text;
	size_t *offsets; /* of each line's token in what was spread */
	size_t lines, capacity;
	size_t end; /* behind the last token */
};

/* Comments are left out. Nothing fails: what is no jq is spread as it comes. */
void spread_make(struct spread *, struct span program);
void spread_free(struct spread *);
/* The token at an offset, at most some thirty bytes of it; empty at the end. */
struct span spread_token(struct span program, size_t offset);

/* Where the token that starts at i ends, by jq 1.6's lexer; a string is not looked into. */
size_t spread_token_end(struct span program, size_t i);

#endif
