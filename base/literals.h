/* A number for each literal text, found by its address: which prepared statement belongs to the SQL in hand. */
#ifndef FERRULE_BASE_LITERALS_H
#define FERRULE_BASE_LITERALS_H

#include <stddef.h>

struct literals { /* zeroed: empty */
	struct literal {
		const char *text; /* NULL: a free place */
		unsigned number;
	} *places;
	size_t size, count; /* size is a power of two */
};

/* The number of this text, 0 until the caller sets one. Borrowed until the next call. */
unsigned *literals_number(struct literals *, const char *text);
void literals_free(struct literals *);

#endif
