/* What the store's files share; nobody else includes it. */
#ifndef FERRULE_OPERATIONS_STORE_PRIVATE_H
#define FERRULE_OPERATIONS_STORE_PRIVATE_H

#include "operations/store.h"

struct store {
	struct db *db;
	store_wanted_fn *wanted;
	void *wanted_arg;
	int64_t restored_ms; /* the last restore; 0: none */
	bool restored_now;   /* … and it was found out, or noted, here */
};

#define STORE_COUNT(values) (sizeof(values) / sizeof *(values))
#define STORE_TEXT(text)    VALUE_OF_TEXT(span_of(text))
#define STORE_ID(id)        VALUE_OF_BLOB(id_span(id))

static inline struct value store_blob(struct span bytes) /* empty: NULL */
{
	return bytes.len ? VALUE_OF_BLOB(bytes) : VALUE_OF_NULL;
}

static inline struct value store_text(struct span text) /* empty: NULL */
{
	return text.len ? VALUE_OF_TEXT(text) : VALUE_OF_NULL;
}

/* What became of an effect, as stored. */
enum effect_state {
	EFFECT_OPEN,  /* intended; with a session somebody is at it, without one nobody knows */
	EFFECT_DONE,  /* receipt */
	EFFECT_DOUBT, /* a person must say; with a session somebody tries to find out */
	EFFECT_IDLE,  /* certainly not done; attempts and the first time are kept */
};

enum dead_state { DEAD_OPEN, DEAD_REPLAYED, DEAD_DISCARDED };

/* Collections in which something waits, by way of the index collections_waiting; what else a query asks of them must
 * not look to the databases as if another index served it better. */
#define STORE_WAITING "state <> 3 AND first_ms >= 0 AND members > 0"

/* Was this message there before the store was put back? Then what it brings about may have happened since. */
bool store_is_older_than_restore(const struct store *, const struct message *);

extern const char *const store_migrations[STORE_SCHEMA];

#endif
