/* What operators hold, and the revisions of the configuration. */
#include "config.h"
#include "operations/store.h"

#include <stdlib.h>

#include "operations/store_private.h"

struct holds_call {
	int (*each)(void *, const struct store_hold *);
	void *arg;
};

static int give_hold(void *arg, const struct value *row, size_t columns)
{
	struct holds_call *call = arg;
	char *name = mem_span_dup(row[0].bytes), *reason = mem_span_dup(row[3].bytes), *by = mem_span_dup(row[4].bytes);
	struct store_hold hold = {name, row[1].number, row[2].number, reason, by};
	int stop = call->each(call->arg, &hold);

	free(name);
	free(reason);
	free(by);
	return stop;
}

int store_hold_each(struct store *store, int64_t now, int (*each)(void *, const struct store_hold *), void *arg,
		    struct error *error)
{
	struct value value = VALUE_OF_INT(now);
	struct holds_call call = {each, arg};

	return db_run(store->db,
		      "SELECT name, until_ms, since_ms, reason, who FROM holds WHERE until_ms > $1 ORDER BY name",
		      &value, 1, give_hold, &call, error);
}

int store_hold_set(struct store *store, const struct store_hold *hold, struct error *error)
{
	struct value values[] = {STORE_TEXT(hold->name), VALUE_OF_INT(hold->until), VALUE_OF_INT(hold->since),
				 STORE_TEXT(hold->reason), STORE_TEXT(hold->by)};

	return db_run(store->db,
		      "INSERT INTO holds (name, until_ms, since_ms, reason, who) VALUES ($1, $2, $3, $4, $5)"
		      " ON CONFLICT (name) DO UPDATE SET until_ms = excluded.until_ms, reason = excluded.reason, who = "
		      "excluded.who",
		      values, STORE_COUNT(values), NULL, NULL, error);
}

int store_hold_release(struct store *store, const char *name, bool *held, struct error *error)
{
	struct value value = STORE_TEXT(name);
	int64_t changed;

	if (db_change(store->db, "DELETE FROM holds WHERE name = $1", &value, 1, &changed, error))
		return -1;
	*held = changed > 0;
	return 0;
}

/* A revision that is put again is in use again: its time moves on. The newest so far was in use until now, however long
 * ago it was put: what it accepted a moment ago still waits. The new one is the newest, also when the clock was put
 * back: the newest is never forgotten. */
int store_revision_put(struct store *store, const char *revision, const char *ref, int64_t now, struct error *error)
{
	struct value values[] = {STORE_TEXT(revision), STORE_TEXT(ref), VALUE_OF_INT(now)};

	if (db_run(store->db,
		   "UPDATE revisions SET at_ms = $1 - 1 WHERE at_ms = (SELECT MAX(at_ms) FROM revisions) AND at_ms < "
		   "$1",
		   &values[2], 1, NULL, NULL, error))
		return -1;
	return db_run(store->db,
		      "INSERT INTO revisions (revision, ref, at_ms) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT),"
		      " CASE WHEN COALESCE(MAX(at_ms), 0) < $3 THEN $3 ELSE MAX(at_ms) + 1 END FROM revisions"
		      " WHERE 1 = 1"
		      " ON CONFLICT (revision) DO UPDATE SET ref = excluded.ref, at_ms = excluded.at_ms",
		      values, STORE_COUNT(values), NULL, NULL, error);
}

static int stop_there(void *arg, const struct value *row, size_t columns)
{
	*(bool *)arg = true;
	return 1;
}

int store_revision_newest(struct store *store, const char *revision, bool *newest, struct error *error)
{
	struct value value = STORE_TEXT(revision);

	*newest = false;
	return db_run(store->db,
		      "SELECT at_ms FROM revisions WHERE revision = $1 AND at_ms = (SELECT MAX(at_ms) FROM revisions)",
		      &value, 1, stop_there, newest, error);
}

static int take_ref(void *arg, const struct value *row, size_t columns)
{
	buf_span(arg, row[0].bytes);
	return 1;
}

int store_revision_find(struct store *store, const char *revision, struct buf *ref, struct error *error)
{
	struct value value = STORE_TEXT(revision);
	size_t before = ref->len;

	if (db_run(store->db, "SELECT ref FROM revisions WHERE revision = $1", &value, 1, take_ref, ref, error))
		return -1;
	if (ref->len > before)
		return 0;
	return error_set(error, ERROR_REJECT, "revision.unknown",
			 "revision %.12s of the configuration is not kept: retention has passed; replay moves the "
			 "message to today's",
			 revision);
}
