/* Generations on disk: DATA/generations/NUMBER-REVISION holds the files of each revision that ran and of which
 * something may still be under way, so that a flow removed while the site was down is finished like one removed by a
 * reload, and verbs know what runs. */
#ifndef FERRULE_SERVICES_GENERATION_KEPT_H
#define FERRULE_SERVICES_GENERATION_KEPT_H

#include "services/generation.h"

/* The generations before `site`, newest first; NULL when there are none. What cannot be read any more is left out. */
struct generation *generation_kept_new(const struct site *, const char *directory);
/* The newest one, as it ran last below this data directory; NULL when there is none or it cannot be read. */
struct generation *generation_latest_new(const char *data_path, const char *directory);
/* Remembers that this one runs, and forgets earlier ones that name no queue of their own. Waits for the disk. */
int generation_remember(const struct generation *, struct error *);

#endif
