/* Holding and resuming by name, for the verbs that know what the names are. */
#ifndef FERRULE_CLI_HOLD_H
#define FERRULE_CLI_HOLD_H

#include "cli/site.h"

int hold_until(const struct arguments *, int64_t *until); /* --until; not 0: usage was said */
/* ending: the verb that ends it sooner, as it is typed. */
int hold_set(const struct arguments *, struct session *, const char *name, int64_t until, const char *ending);
int hold_end(const struct arguments *, struct session *, const char *name);

#endif
