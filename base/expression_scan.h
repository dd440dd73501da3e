/* Just enough of jq's lexis to find words and brackets outside strings and comments. Within base/ only. */
#ifndef FERRULE_BASE_EXPRESSION_SCAN_H
#define FERRULE_BASE_EXPRESSION_SCAN_H

#include "base/span.h"

#define SCAN_DEPTH 200

struct scan {
	struct span text;
	size_t at;
	int line; /* from 1 */
	int depth;
	char stack[SCAN_DEPTH]; /* '(' a bracket, '"' a string, '\\' an interpolation in a string */
};

enum scan_token {
	SCAN_END,   /* of the text; depth tells whether something is still open */
	SCAN_WORD,  /* text[start..at): an identifier, with a leading $ . or @ if it has one */
	SCAN_CLOSE, /* a `)` that opens nowhere in this text */
	SCAN_DEEP,  /* past SCAN_DEPTH */
};

enum scan_token scan_next(struct scan *, struct span *word);

#endif
