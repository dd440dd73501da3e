/* Opening the store. Its tables are served by store_seen.c, store_effects.c and so on. See store.h. */
#include "config.h"
#include "operations/store.h"

#include <stdlib.h>

#include "operations/store_private.h"

struct store *store_open(struct db *db, struct error *error)
{
	struct store *store;

	if (db_migrate(db, "store", store_migrations, STORE_SCHEMA, error))
		return NULL;
	store = mem_alloc(sizeof *store);
	store->db = db;
	return store;
}

void store_close(struct store *store)
{
	free(store);
}

struct db *store_db(struct store *store)
{
	return store->db;
}
