/* Dead letters: messages that cannot go on, with everything a person needs to repair and replay them. */
#include "config.h"
#include "operations/store.h"

#include <stdlib.h>

#include "base/fault.h"
#include "operations/store_private.h"

/* in.<flow> names its flow, in.<flow>/<step> as well; the others belong to the flow that made the message. */
static struct span flow_of(const struct dead *dead)
{
	if (!strncmp(dead->queue, "in.", 3))
		return span_make(dead->queue + 3, strcspn(dead->queue + 3, "/"));
	return dead->message->flow;
}

static int64_t order_of(const struct dead *dead)
{
	uint64_t key = message_order_find(dead->message, flow_of(dead));

	return (int64_t)(key ? key : message_order_find(dead->message, dead->message->flow));
}

struct put {
	int64_t number, deaths;
};

static int take_put(void *arg, const struct value *row, size_t columns)
{
	*(struct put *)arg = (struct put){row[0].number, row[1].number};
	return 1;
}

static int keys_put(struct store *store, int64_t number, const struct message *m, struct error *error)
{
	for (size_t i = 0; i < m->keys_count; i++) {
		struct value values[] = {VALUE_OF_INT(number), VALUE_OF_TEXT(m->keys[i].name),
					 VALUE_OF_TEXT(m->keys[i].value)};

		if (db_run(store->db,
			   "INSERT INTO dead_keys (number, name, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			   values, 3, NULL, NULL, error))
			return -1;
	}
	return 0;
}

/* The same death again keeps envelope and body: they may have been edited, and an open letter is what a replay starts
 * from. */
static const char put[] = "INSERT INTO dead (id, path, step, queue, flow, state, deaths, class, code, reason, "
			  "position, order_key, first_ms, at_ms, correlation,"
			  " generation, edited, revision, origin_name, origin_ref, body_ref, content, envelope, body)"
			  " VALUES ($1, $2, $3, $4, $5, 0, 1, $6, $7, $8, $9, $10, $11, $11, $12, $13, 0, $14, $15, "
			  "$16, $17, $18, $19, $20)"
			  " ON CONFLICT (id, path, step) DO UPDATE SET state = 0, deaths = dead.deaths + 1, closed_ms "
			  "= NULL, class = excluded.class,"
			  " code = excluded.code, reason = excluded.reason, position = excluded.position, content = "
			  "excluded.content, at_ms = excluded.at_ms"
			  " RETURNING number, deaths";

static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

/* What was in a broker's queues comes once more after a restore, and dies again: a person saw to it before. */
static int closed_before_restore(struct store *store, const struct dead *dead, bool *known, struct error *error)
{
	const struct message *m = dead->message;
	struct value values[] = {STORE_ID(&m->id), VALUE_OF_TEXT(dead->path), STORE_TEXT(dead->step),
				 VALUE_OF_INT(store->restored_ms)};
	int64_t n = 0;

	*known = false;
	if (!store_is_older_than_restore(store, m) || m->flags & MESSAGE_REPLAY)
		return 0;
	if (db_run(store->db,
		   "SELECT count(*) FROM dead WHERE id = $1 AND path = $2 AND step = $3 AND state <> 0"
		   " AND closed_ms < $4",
		   values, STORE_COUNT(values), take_number, &n, error))
		return -1;
	*known = n > 0;
	return 0;
}

int store_dead_put(struct store *store, const struct dead *dead, struct span envelope, struct span body, int64_t now,
		   struct error *error)
{
	const struct message *m = dead->message;
	struct value values[] = {
		STORE_ID(&m->id),
		VALUE_OF_TEXT(dead->path),
		STORE_TEXT(dead->step),
		STORE_TEXT(dead->queue),
		VALUE_OF_TEXT(flow_of(dead)),
		VALUE_OF_INT(dead->why->class),
		STORE_TEXT(dead->why->code),
		STORE_TEXT(dead->why->text),
		VALUE_OF_TEXT(dead->position),
		VALUE_OF_INT(order_of(dead)),
		VALUE_OF_INT(now),
		store_text(m->correlationid),
		VALUE_OF_INT(m->generation),
		store_text(m->revision),
		store_text(m->origin.name),
		store_text(m->origin.ref),
		store_text(m->body_ref),
		store_blob(dead->content),
		VALUE_OF_BLOB(envelope),
		VALUE_OF_BLOB(body),
	};
	struct put row = {0, 0};
	bool known;

	if (closed_before_restore(store, dead, &known, error))
		return -1;
	if (known)
		return 0;
	if (db_run(store->db, put, values, STORE_COUNT(values), take_put, &row, error))
		return -1;
	FAULT("store.dead");
	return row.deaths == 1 ? keys_put(store, row.number, m, error) : 0;
}

int store_dead_open(struct store *store, uint64_t *count, struct error *error)
{
	int64_t n = 0;

	if (db_run(store->db, "SELECT count(*) FROM dead WHERE state = 0", NULL, 0, take_number, &n, error))
		return -1;
	*count = (uint64_t)n;
	return 0;
}

struct holds_call {
	int (*each)(void *, const char *, uint64_t);
	void *arg;
};

static int give_hold(void *arg, const struct value *row, size_t columns)
{
	struct holds_call *call = arg;
	char *queue = mem_span_dup(row[0].bytes);
	int stop = call->each(call->arg, queue, (uint64_t)row[1].number);

	free(queue);
	return stop;
}

int store_dead_holds(struct store *store, int (*each)(void *, const char *queue, uint64_t order_key), void *arg,
		     struct error *error)
{
	struct holds_call call = {each, arg};

	return db_run(store->db, "SELECT DISTINCT queue, order_key FROM dead WHERE state = 0 AND order_key <> 0", NULL,
		      0, give_hold, &call, error);
}
