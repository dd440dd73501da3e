/* Compatibility of two versions of a JSON Schema, as schema registries mean it: can a reader that expects one version
 * read every document that was written under the other? Decided from the schemas alone; where that cannot be decided
 * (two different regular expressions), the answer is no. Drafts 4 to 2020-12 are understood.
 *
 * docs/contracts.md says which change is compatible in which mode. */
#ifndef FERRULE_CONFIG_COMPATIBILITY_H
#define FERRULE_CONFIG_COMPATIBILITY_H

#include <jansson.h>

#include "base/error.h"
#include "base/mem.h"

enum compatibility_mode {
	COMPATIBILITY_NONE,
	COMPATIBILITY_BACKWARD = 1, /* the new version reads what the old one wrote */
	COMPATIBILITY_FORWARD = 2,  /* the old version reads what the new one writes */
	COMPATIBILITY_FULL = 3,     /* both */
};

struct compatibility_options {
	enum compatibility_mode mode;
	bool transitive; /* the last version against every earlier one, not only the one before it */
	bool lenient;    /* about open content: a name that was free may be taken, free names may be closed */
	/* Another contract by its $id or name, for a $ref that leads out of the schema; NULL when there is none. May be
	 * NULL itself. */
	const json_t *(*find)(void *arg, const char *reference);
	void *arg;
};

enum difference_weight {
	DIFFERENCE_FINE,    /* compatible */
	DIFFERENCE_SUSPECT, /* registries let it pass, but a person should look */
	DIFFERENCE_BREAKING,
};

struct difference {
	const char *code;    /* stable, of the change from old to new: `required.added`, `max.lowered` … */
	const char *pointer; /* RFC 6901, to the keyword in the new schema, or in the old where `in_old` */
	const char *field;   /* where in a document: "orderItem[].price.amount"; "" for all of it */
	const char *text;    /* why, a sentence */
	bool in_old;
	enum difference_weight weight;
	size_t version; /* which of the versions it is a difference from */
};

struct compatibility {
	struct arena *arena;
	struct difference *list; /* the heaviest first */
	size_t count, capacity, breaking, suspect;
	bool more; /* there were more than COMPATIBILITY_DIFFERENCES_MAX */
};

#define COMPATIBILITY_VERSIONS_MAX 32
#define COMPATIBILITY_DIFFERENCES_MAX 1000

/* "backward", "FULL_TRANSITIVE", "forward-transitive" …; -1 when it is none of them. */
int compatibility_mode_parse(const char *word, enum compatibility_mode *, bool *transitive);
/* Versions from the oldest to the newest, two or more; borrowed. REJECT `contract.complex` when the schemas are too
 * large or too deep to compare. The result has to be freed in any case. */
int compatibility_compare(const json_t *const *versions, size_t count, const struct compatibility_options *,
			  struct compatibility *, struct error *);
void compatibility_free(struct compatibility *);

#endif
