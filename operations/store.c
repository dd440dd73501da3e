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

static int note_restored(struct store *store, int64_t now, struct error *error)
{
	struct value value = VALUE_OF_INT(now);

	return db_run(store->db, "INSERT INTO restores (at_ms) VALUES ($1) ON CONFLICT DO NOTHING", &value, 1, NULL,
		      NULL, error);
}

/* Nobody knows what became since of what was open. kind 1: collect; a group has places. */
static int close_open(struct store *store, int64_t now, struct error *error)
{
	struct value value = VALUE_OF_INT(now - 1);

	return db_run(store->db,
		      "UPDATE collections SET state = 1, reason = 'restored', closed_ms = $1"
		      " WHERE state = 0 AND kind = 1 AND members > 0 AND filled = 0 AND size = 0",
		      &value, 1, NULL, NULL, error);
}

static int go_on_restored(struct store *store, int64_t now, struct error *error)
{
	store->restored_now = true;
	store->restored_ms = now;
	return close_open(store, now, error) || store_intake_again(store, now, error) ? -1 : 0;
}

/* A copy that is opened for the first time. */
static int begin_restored(struct store *store, struct error *error)
{
	int64_t now = clock_now_ms(), changed = 0;
	struct value values[] = {VALUE_OF_INT(now), VALUE_OF_INT(LATER)};
	const struct db_ops *ops = store->db->ops;
	void *self = store->db->self;

	if (ops->begin(self, error))
		return -1;
	if (db_change(store->db, "UPDATE restores SET at_ms = $1 WHERE at_ms = $2", values, 2, &changed, error) ||
	    (changed && go_on_restored(store, now, error))) {
		ops->rollback(self);
		return -1;
	}
	return ops->commit(self, error);
}

static int read_restored(struct store *store, struct error *error)
{
	if (db_run(store->db, "SELECT at_ms FROM restores ORDER BY at_ms DESC LIMIT 1", NULL, 0, take_time,
		   &store->restored_ms, error))
		return -1;
	return store->restored_ms == LATER ? begin_restored(store, error) : 0;
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
	if (store->restored_now)
		return 0;
	return note_restored(store, now, error) || go_on_restored(store, now, error) ? -1 : 0;
}

int store_restored_later(struct db *db, struct error *error)
{
	struct store store = {.db = db};

	return note_restored(&store, LATER, error);
}

void store_close(struct store *store)
{
	free(store);
}

struct db *store_db(struct store *store)
{
	return store->db;
}
