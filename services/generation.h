/* A generation: one checked revision of the site, with the queues that its processes serve. A reload makes a new one.
 */
#ifndef FERRULE_SERVICES_GENERATION_H
#define FERRULE_SERVICES_GENERATION_H

#include "base/queue.h"
#include "base/vault.h"
#include "config/site.h"

struct generation {
	struct bundle *bundle;
	struct site *site;
	struct topology *topology; /* its own queues, then unbound ones of earlier generations */
	size_t own;                /* how many of them are its own */
	struct generation *before;
};

/* Reads, loads and checks a directory. The whole check is left out when this very revision was checked before. Without
 * `before`, the generations that ran before and may still have something under way stand behind it (generation_kept.h).
 * NULL: findings say why (printed by the caller), or the error. */
struct generation *generation_new(const char *directory, const char *environment, struct generation *before,
				  struct findings *, struct error *);
void generation_plan(struct generation *, struct generation *before); /* its topology, once bundle and site are there */
void generation_free(struct generation *);                            /* with those before it */
/* The newest site that has this source or sink endpoint: a removed one is served until its queue is empty. */
const struct site *generation_site_of(const struct generation *, const char *endpoint);
/* Puts the bundle into the vault and its place into the store, before the first message can carry the revision. */
int generation_keep(const struct generation *, struct queue *, struct error *);

#endif
