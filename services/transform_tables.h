/* Tables of the store as the steps of one unit see them: what is there, and what the unit itself notes. */
#ifndef FERRULE_SERVICES_TRANSFORM_TABLES_H
#define FERRULE_SERVICES_TRANSFORM_TABLES_H

#include "base/queue.h"

struct unit_tables {
	json_t *known; /* {TABLE: {KEY: value, or null: it is not there}}; NULL: nothing was asked yet */
	bool noted;    /* the unit writes */
};

/* Waits for the queue process where it is not known yet. RETRY when it does not answer. */
int unit_tables_lookup(struct unit_tables *, struct queue *, const char *table, json_t *keys, json_t **values,
		       struct error *);
int unit_tables_remember(struct unit_tables *, struct queue *, struct unit *, const struct message *from,
			 const char *table, struct span key, json_t *value, bool replace, struct error *);
void unit_tables_forget(struct unit_tables *);

#endif
