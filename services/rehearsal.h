/* Rehearsals: what a test gives goes through the site's own steps in this process, with no queue, no store and no
 * network, at the time that the test says; what comes of it is kept and compared. The same calls that the transform
 * role makes, in the same order, so that ids, keys, addresses and dead letters are what they would be. What a target
 * would answer is declared by the test, and judged by the sink's own rules. */
#ifndef FERRULE_SERVICES_REHEARSAL_H
#define FERRULE_SERVICES_REHEARSAL_H

#include "config/trial.h"

/* Something that happened. `facts` are texts under the names that a test uses (config/trial.c). */
struct happened {
	enum trial_kind kind;
	const struct flow *flow;
	json_t *facts, *keys, *headers; /* objects; keys and headers may be NULL */
	struct span body, contract;
	json_t *tree; /* the body as data; NULL: it is no JSON */
	size_t other; /* a delivery that died and its dead letter: the other's index + 1; 0: none */
};

struct rehearsal {
	struct arena *arena;
	struct happened *list;
	size_t count, capacity, bytes;
};

/* A site made ready to be rehearsed, with chains that stay open from one test to the next. */
struct stage;
struct stage *stage_new(const struct site *); /* borrowed */
void stage_free(struct stage *);              /* NULL is legal */
/* From now on told of each tree that a `validate` looked at, whether it is what the contract says or not. NULL: nobody.
 */
void stage_watch(struct stage *, void (*looked)(void *arg, struct span contract, const json_t *tree), void *arg);

/* -1: it could not be run to its end, `error` says why (an input cannot be read, a limit of the site; codes of the
 * steps, `rehearsal.…`); what happened until then is there all the same. */
int rehearsal_run(struct rehearsal *, struct stage *, const struct trial *, struct error *);
void rehearsal_free(struct rehearsal *);

/* ---- comparing */
/* Of all pairs of what is wanted and what happened as many as can be agree (a matching), so that order and overlapping
 * expectations do not matter. */
struct comparison {
	size_t *owner;    /* for each that happened: the index of what is wanted + 1; 0: nobody's */
	int64_t *missing; /* for each that is wanted: how many of it did not happen */
	bool agrees;
};
void rehearsal_compare(const struct rehearsal *, const struct stage *, const struct trial *, struct comparison *);
void comparison_free(struct comparison *);
/* For people: each difference with the place in the test, as a unified difference. Nothing where they agree. */
void rehearsal_tell(const struct rehearsal *, const struct stage *, const struct trial *, const struct comparison *,
		    struct buf *);

/* Helpers that what is about tests shares. */
/* Is the jq of a `where` true of it? Not 0: it fails. */
int rehearsal_condition(const struct happened *, struct expression *, bool *is, struct error *);
bool json_agree(const json_t *, const json_t *); /* equal; 5 and 5.0 are */
bool json_within(const json_t *part, const json_t *whole);
/* What of `whole` the part names; lists whole. A new reference. */
json_t *json_projection_new(const json_t *part, json_t *whole);
/* The bytes that a test gives, read into the buffer. REJECT `trial.file`. */
int trial_bytes(const struct stage *, const struct trial_content *, struct buf *, struct error *);
const struct site *stage_site(const struct stage *);

#endif
