/* Configurations by revision: a message runs to its end under the rules that accepted it. The current site is at hand;
 * older ones are read from the vault when one of their messages comes by. */
#ifndef FERRULE_SERVICES_REVISIONS_H
#define FERRULE_SERVICES_REVISIONS_H

#include "base/queue.h"
#include "base/vault.h"
#include "config/site.h"

struct revisions;
struct revisions *revisions_new(const struct site *current, struct queue *, struct vault *);
void revisions_free(struct revisions *);
/* The site of that revision; the current one when the text is empty. Waits for the queue process and the disk. REJECT
 * `revision.unknown` when nobody knows it any more, RETRY when the vault fails. Borrowed until revisions_free. */
const struct site *revisions_get(struct revisions *, struct span revision, struct error *);

#endif
