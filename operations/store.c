/* Opening the store. Its tables are served by store_seen.c, store_effects.c and so on. See store.h. */
#include "config.h"
#include "operations/store.h"

#include <stdlib.h>

#include "base/clock.h"
#include "operations/store_private.h"

#define LATER INT64_MAX /* of a copy that nobody opened yet */

static int take_time(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

static int read_restored(struct store *store, struct error *error)
{
	struct value now[] = {VALUE_OF_INT(clock_now_ms()), VALUE_OF_INT(LATER)};

	return db_run(store->db, "UPDATE restores SET at_ms = $1 WHERE at_ms = $2", now, 2, NULL, NULL, error) ||
			       db_run(store->db, "SELECT at_ms FROM restores ORDER BY at_ms DESC LIMIT 1", NULL, 0,
				      take_time, &store->restored_ms, error)
		       ? -1
		       : 0;
}

struct store *store_open(struct db *db, struct error *error)
{
	struct store *store;

	if (db_migrate(db, "store", store_migrations, STORE_SCHEMA, error))
		return NULL;
	store = mem_alloc(sizeof *store);
	store->db = db;
	if (!read_restored(store, error))
		return store;
	free(store);
	return NULL;
}

int store_restored_put(struct store *store, int64_t now, struct error *error)
{
	struct value value = VALUE_OF_INT(now);

	store->restored_ms = now;
	return db_run(store->db, "INSERT INTO restores (at_ms) VALUES ($1) ON CONFLICT DO NOTHING", &value, 1, NULL,
		      NULL, error);
}

int store_restored_later(struct db *db, struct error *error)
{
	struct value value = VALUE_OF_INT(LATER);

	return db_run(db, "INSERT INTO restores (at_ms) VALUES ($1) ON CONFLICT DO NOTHING", &value, 1, NULL, NULL,
		      error);
}

void store_close(struct store *store)
{
	free(store);
}

struct db *store_db(struct store *store)
{
	return store->db;
}
