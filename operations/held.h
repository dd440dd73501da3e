/* Messages that wait in durable steps (collect, resequence, dedupe): the store's part. A step is known by the queue of
 * the steps behind it, "in.orders/collect".
 *
 * A member is a message with the key that its step gave it (base/hold.h); the members of one key wait in a collection.
 *   HOLD_COLLECT   closes: by count, size, group or change in the transaction of the unit that brings that about, so
 *                  that it has exactly those members; by time or a person in a change of the steward. Later ones open
 *                  the next generation of the key. A closed group takes no more: `collect.late`.
 *   HOLD_SEQUENCE  one for each key, for ever: it knows the next number. The steward releases what is consecutive.
 *   HOLD_FIRST     one for each step: what is the first of its key (kept in `seen`) waits until the steward sends it
 * on. A collection is open, then closing (its members are fixed), then published, then closed (its members are gone).
 * What is gone stays as a row without its message, as long as receipts are kept: the same message (id, generation)
 * again, as when a unit is done again, is known and changes nothing; with another content it is refused
 * (`identity.conflict`).
 *
 * Concurrency: every writer begins with an update of the collection's row, which the database locks to its commit: no
 * member can join a collection that another transaction is closing. */
#ifndef FERRULE_OPERATIONS_HELD_H
#define FERRULE_OPERATIONS_HELD_H

#include "base/hold.h"
#include "operations/store.h"

enum collection_state { COLLECTION_OPEN, COLLECTION_CLOSING, COLLECTION_PUBLISHED, COLLECTION_CLOSED };
enum held_state { HELD_WAITING, HELD_GONE /* then enum gap */ };

struct store_held {
	const struct hold *hold;
	const char *queue, *step;
	const struct message *message;
	struct span envelope, body; /* the same, encoded */
};

enum held_outcome {
	HELD_KEPT,
	HELD_AGAIN,     /* the same message was here before: nothing happened */
	HELD_DUPLICATE, /* another message with what makes this one itself went on before: it is dropped */
	HELD_REFUSED,   /* *why says it */
};

/* *due becomes true when the steward has something to do, or has to wait for less long. */
int store_held_put(struct store *, const struct store_held *, int64_t now, enum held_outcome *, bool *due,
		   struct error *why, struct error *);
int store_gap_put(struct store *, const char *queue, struct span group, uint32_t generation, uint32_t place, enum gap,
		  int64_t now, bool *due, struct error *);
int store_group_size(struct store *, const char *queue, struct span group, uint32_t generation, uint32_t size,
		     int64_t now, bool *due, struct error *);

/* ---- what the steward and verbs do; each may be done twice */
int store_collection_close(struct store *, int64_t number, const char *reason, int64_t now, bool *changed,
			   struct error *);
int store_collection_published(struct store *, int64_t number, int64_t now, struct error *);
/* Forgets up to `limit` of its messages; with the last of them the collection is closed. */
int store_collection_clean(struct store *, int64_t number, unsigned limit, int64_t now, struct error *);
/* These members (their numbers) have gone on, or are dead letters; `next` is the sequence's next number, if it is
 * higher than what is known; -1: none. */
int store_held_released(struct store *, int64_t collection, const int64_t *members, size_t n, int64_t next, int64_t now,
			struct error *);
/* The sequence goes on with the lowest number that waits. */
int store_sequence_skip(struct store *, int64_t collection, int64_t now, struct error *);
int store_held_next(struct store *, int64_t *due, struct error *); /* of open ones; INT64_MAX: none */
#define STORE_WITHOUT_MOST 8 /* queues that a question of the steward can leave out */
/* Does anything wait in the step before this queue? */
int store_held_before(struct store *, const char *queue, bool *any, struct error *);
int store_held_waits(struct store *, bool *any, struct error *);   /* is one closing, or not cleaned yet? */

#endif
