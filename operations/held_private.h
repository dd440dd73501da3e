/* What the files of operations/store_held*.c share; nobody else includes it. */
#ifndef FERRULE_OPERATIONS_HELD_PRIVATE_H
#define FERRULE_OPERATIONS_HELD_PRIVATE_H

#include "operations/held.h"
#include "operations/store_private.h"

/* The row of an open collection, which this transaction has locked. */
struct collection {
	bool found;
	int64_t number, members, bytes, filled, dead, dropped, size, count_max, bytes_max, next, due, first;
};

/* What was there before a restore may have been published since the backup: it counts as closed before the restore. */
#define STORE_CLOSED(now, restored)                                                                                    \
	"CASE WHEN COALESCE(first_ms, 0) < " restored " THEN " restored " - 1 ELSE " now " END"

/* A replay anew (`--again`) is a collection of its own. */
struct id held_key(const struct id *key, uint32_t generation);
struct id held_gap_id(const struct id *key, uint32_t place);

/* Finds the open collection of the key and locks it, or opens one. */
struct collection_of {
	const char *queue, *step;
	struct span flow;
	struct id key;
	enum hold_kind kind;
	int64_t start;
};
int collection_open(struct store *, const struct collection_of *, int64_t now, struct collection *, struct error *);
int collection_find(struct store *, const struct collection_of *, int64_t now, struct collection *, struct error *);
/* The same for a group, of which there is one collection only; *closed: it has closed, and c is nothing. */
int collection_open_group(struct store *, const struct collection_of *, int64_t now, struct collection *c, bool *closed,
			  struct error *);
int collection_counts(struct store *, const struct collection *, struct error *); /* writes what was counted */
int collection_due(struct store *, int64_t number, int64_t due, struct error *);
/* Closes it when its group is complete. */
int collection_complete(struct store *, const struct collection *, int64_t now, bool *due, struct error *);
/* Of a group, when a member has arrived: counts it in, in place of a gap where there was one. */
int group_fill(struct store *, struct collection *, const char *queue, const struct id *key, uint32_t place,
	       const struct id *member, struct error *);

int store_take_number(void *arg, const struct value *row, size_t columns);

#endif
