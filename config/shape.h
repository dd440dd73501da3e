/* What is known of a value: by its contracts, a set of schemas, any of which it may have; or by the program that makes
 * it, its keys. Only what is certain is said;
 * anything that a schema leaves to chance is unknown. Values are small and copied. */
#ifndef FERRULE_CONFIG_SHAPE_H
#define FERRULE_CONFIG_SHAPE_H

#include <jansson.h>

#include "base/mem.h"

#define SHAPE_MAX 12
#define SHAPE_KEYS_MAX 300 /* an object with more of them is not followed */

struct shape {
	bool unknown; /* nothing is known, and nothing can be wrong */
	bool absent;  /* there is no body yet */
	bool none;    /* no value comes of it at all */
	bool object;  /* made with these keys and no others; no schemas then */
	unsigned keys;
	const struct made *made;
	unsigned lists; /* arrays around it that an expression made */
	size_t count;
	struct shape_node {
		const json_t *schema, *root;
		const char *contract; /* "order/v1" */
	} nodes[SHAPE_MAX];
	const char *path; /* as it was reached, ".customer"; for people */
};

struct made { /* a key of an object that a program makes */
	const char *key;
	struct shape shape;
	const struct made *next;
};

enum field {
	FIELD_KNOWN,   /* some schema describes it */
	FIELD_OPEN,    /* none does, but it may be there */
	FIELD_CLOSED,  /* no schema allows it */
	FIELD_SCALAR,  /* the value has no fields at all: a text, a number, a list */
	FIELD_UNKNOWN, /* who knows */
};

struct shape shape_unknown(void);
struct shape shape_of(const json_t *schema, const char *contract);
struct shape shape_either(struct arena *, const struct shape *, const struct shape *);
struct shape shape_object(void); /* made, without a key */
void shape_add(struct arena *, struct shape *object, const char *key, const struct shape *);
/* `+` of two objects: the keys of both, the second's before the first's. Unknown, unless both were made. */
struct shape shape_plus(struct arena *, const struct shape *, const struct shape *);
/* The value of a key; `into` is what is known of it. */
enum field shape_field(struct arena *, const struct shape *, const char *key, struct shape *into);
/* What a list holds. */
struct shape shape_items(struct arena *, const struct shape *);
bool shape_describes(const struct shape *); /* any field at all */
/* The field's nearest name among those that are described, or NULL. Borrowed from the schema. */
const char *shape_nearest(const struct shape *, const char *key);
/* "order/v1", "order/v1 or order/v2". */
const char *shape_contracts(struct arena *, const struct shape *);

#endif
