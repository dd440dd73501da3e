/* Messages that wait in durable steps: how they go on. See held.h. */
#include "config.h"
#include "operations/held.h"

#include "base/fault.h"
#include "operations/held_private.h"

int store_collection_close(struct store *store, int64_t number, const char *reason, int64_t now, bool *changed,
			   struct error *error)
{
	struct value values[] = {VALUE_OF_INT(number), STORE_TEXT(reason), VALUE_OF_INT(now),
				 VALUE_OF_INT(store->restored_ms)};
	int64_t n;

	if (db_change(store->db,
		      "UPDATE collections SET state = 1, reason = $2, closed_ms = " STORE_CLOSED(
			      "$3", "$4") " WHERE number = $1 AND state = 0 AND kind = 1 AND members > 0",
		      values, STORE_COUNT(values), &n, error))
		return -1;
	FAULT("held.closing");
	*changed = n > 0;
	return 0;
}

#define USED_EVERY_MS 60000

/* What goes on is pinned no longer by what waits: its revision stays from now on as if it had been accepted now. */
static int use_revisions(struct store *store, int64_t collection, int64_t now, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(collection), VALUE_OF_INT(now), VALUE_OF_INT(now - USED_EVERY_MS)};

	return db_run(store->db,
		      "UPDATE revisions SET used_ms = $2 WHERE COALESCE(used_ms, 0) < $3"
		      " AND revision IN (SELECT revision FROM held WHERE collection = $1 AND state = 0)",
		      values, STORE_COUNT(values), NULL, NULL, error);
}

int store_collection_published(struct store *store, int64_t number, int64_t now, struct error *error)
{
	struct value value = VALUE_OF_INT(number);

	if (use_revisions(store, number, now, error) ||
	    db_run(store->db, "UPDATE collections SET state = 2 WHERE number = $1 AND state = 1", &value, 1, NULL, NULL,
		   error))
		return -1;
	FAULT("held.published");
	return 0;
}

#define FORGET "UPDATE held SET state = 1, at_ms = $2, envelope = NULL, body = NULL, body_ref = NULL, origin_ref = NULL"

int store_collection_clean(struct store *store, int64_t number, unsigned limit, int64_t now, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(number), VALUE_OF_INT(now), VALUE_OF_INT(limit)};
	int64_t n;

	if (db_change(store->db,
		      FORGET " WHERE number IN (SELECT number FROM held WHERE collection = $1 AND state = 0 LIMIT $3)"
			     " AND EXISTS (SELECT 1 FROM collections WHERE number = $1 AND state = 2)",
		      values, 3, &n, error))
		return -1;
	FAULT("held.cleaned");
	if (n >= (int64_t)limit)
		return 0;
	return db_run(store->db, "UPDATE collections SET state = 3 WHERE number = $1 AND state = 2", values, 1, NULL,
		      NULL, error);
}

/* ---- sequences */
struct rest {
	bool any;
	int64_t least;
};

static int take_rest(void *arg, const struct value *row, size_t columns)
{
	*(struct rest *)arg = (struct rest){row[0].type != VALUE_NULL, row[0].number};
	return 1;
}

/* An index has it at hand; that of the times goes through all that waits. */
static int least_place(struct store *store, int64_t collection, struct rest *rest, struct error *error)
{
	struct value value = VALUE_OF_INT(collection);

	*rest = (struct rest){0};
	return db_run(store->db, "SELECT MIN(place) FROM held WHERE collection = $1 AND state = 0", &value, 1,
		      take_rest, rest, error);
}

static int oldest(struct store *store, int64_t collection, struct rest *rest, struct error *error)
{
	struct value value = VALUE_OF_INT(collection);

	*rest = (struct rest){0};
	return db_run(store->db, "SELECT MIN(at_ms) FROM held WHERE collection = $1 AND state = 0", &value, 1,
		      take_rest, rest, error);
}

struct rules {
	bool found;
	int64_t kind, policy, within, next;
};

static int take_rules(void *arg, const struct value *row, size_t columns)
{
	*(struct rules *)arg = (struct rules){true, row[0].number, row[1].number, row[2].number, row[3].number};
	return 1;
}

/* When it must be looked at next. */
static int set_due(struct store *store, int64_t collection, const struct rules *rules, struct error *error)
{
	int64_t due = INT64_MAX;
	struct rest rest;

	if (least_place(store, collection, &rest, error))
		return -1;
	if (rest.any && (rules->kind == HOLD_FIRST || rest.least <= rules->next)) {
		due = 0;
	} else if (rest.any && rules->policy != HOLD_WAIT) {
		if (oldest(store, collection, &rest, error))
			return -1;
		due = rest.least + rules->within;
	}
	return collection_due(store, collection, due, error);
}

static int lock_rules(struct store *store, int64_t collection, int64_t next, int64_t now, struct rules *rules,
		      struct error *error)
{
	struct value values[] = {VALUE_OF_INT(collection), VALUE_OF_INT(next), VALUE_OF_INT(now)};

	rules->found = false;
	return db_run(store->db,
		      "UPDATE collections SET next = CASE WHEN next < $2 THEN $2 ELSE next END, last_ms = $3"
		      " WHERE number = $1 AND state = 0 RETURNING kind, policy, within_ms, next",
		      values, STORE_COUNT(values), take_rules, rules, error);
}

static int count_off(struct store *store, int64_t collection, int64_t gone, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(collection), VALUE_OF_INT(gone)};

	return db_run(store->db,
		      "UPDATE collections SET members = members - $2,"
		      " first_ms = CASE WHEN members > $2 THEN first_ms ELSE NULL END WHERE number = $1",
		      values, 2, NULL, NULL, error);
}

int store_held_released(struct store *store, int64_t collection, const int64_t *members, size_t n, int64_t next,
			int64_t now, struct error *error)
{
	struct rules rules;
	int64_t gone = 0;

	if (lock_rules(store, collection, next, now, &rules, error) ||
	    (n && use_revisions(store, collection, now, error)))
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct value values[] = {VALUE_OF_INT(members[i]), VALUE_OF_INT(now), VALUE_OF_INT(collection)};

		int64_t changed;

		if (db_change(store->db, FORGET " WHERE number = $1 AND collection = $3 AND state = 0", values, 3,
			      &changed, error))
			return -1;
		gone += changed;
	}
	FAULT("held.released");
	return rules.found
		       ? count_off(store, collection, gone, error) || set_due(store, collection, &rules, error) ? -1 : 0
		       : 0;
}

int store_sequence_skip(struct store *store, int64_t collection, int64_t now, struct error *error)
{
	struct rest rest;
	struct rules rules;

	if (lock_rules(store, collection, -1, now, &rules, error))
		return -1;
	if (!rules.found || rules.kind != HOLD_SEQUENCE)
		return 0;
	if (least_place(store, collection, &rest, error))
		return -1;
	if (!rest.any)
		return 0;
	FAULT("held.skipping");
	return lock_rules(store, collection, rest.least, now, &rules, error) ||
			       set_due(store, collection, &rules, error)
		       ? -1
		       : 0;
}

int store_held_next(struct store *store, int64_t *due, struct error *error)
{
	*due = INT64_MAX;
	return db_run(store->db, "SELECT due FROM collections WHERE state = 0 ORDER BY due LIMIT 1", NULL, 0,
		      store_take_number, due, error);
}

int store_held_waits(struct store *store, bool *any, struct error *error)
{
	int64_t n = 0;

	if (db_run(store->db, "SELECT count(*) FROM collections WHERE state IN (1, 2)", NULL, 0, store_take_number, &n,
		   error))
		return -1;
	*any = n > 0;
	return 0;
}

int store_held_before(struct store *store, const char *queue, bool *any, struct error *error)
{
	struct value value = STORE_TEXT(queue);
	int64_t n = 0;

	if (db_run(store->db,
		   "SELECT count(*) FROM collections WHERE " STORE_WAITING " AND queue || '' = $1 AND state IN (0, 1)",
		   &value, 1, store_take_number, &n, error))
		return -1;
	*any = n > 0;
	return 0;
}
