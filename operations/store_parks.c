/* Parks: messages that wait for a time, or for the release of their order key.
 *
 * Of one order key in one queue, `place` is the order: what failed goes in front of those that joined behind it,
 * because it was the one in flight; what joins goes to the end. The first of a key is its `head`, which each writer
 * keeps up, so that the few that may be delivered are found among many that wait behind them. A key has one writer:
 * whoever holds the lock of its queue. */
#include "config.h"
#include "operations/store.h"

#include <stdlib.h>

#include "base/fault.h"
#include "operations/store_private.h"

static int place_find(struct store *store, const struct store_park *park, int64_t *place, bool *head,
		      struct error *error);

int store_park_put(struct store *store, const struct store_park *park, int64_t now, struct error *error)
{
	struct message *message = message_decode_new(park->envelope, error);
	const struct error *why = park->why;
	int64_t place = 0;
	bool head = true;
	int status = -1;

	if (!message)
		return -1;
	if (!park->order_key || !place_find(store, park, &place, &head, error)) {
		struct value values[] = {
			STORE_TEXT(park->queue),
			VALUE_OF_INT(park->due),
			VALUE_OF_INT((int64_t)park->order_key),
			VALUE_OF_INT(place),
			VALUE_OF_INT(head),
			VALUE_OF_BLOB(park->message_id),
			VALUE_OF_INT(now),
			VALUE_OF_INT(why ? why->class : ERROR_NONE),
			VALUE_OF_INT(why ? why->scope : SCOPE_MESSAGE),
			why ? STORE_TEXT(why->code) : VALUE_OF_NULL,
			why ? STORE_TEXT(why->text) : VALUE_OF_NULL,
			store_text(message->revision),
			store_text(message->origin.ref),
			store_text(message->body_ref),
			VALUE_OF_BLOB(park->envelope),
			VALUE_OF_BLOB(park->body),
		};

		status = db_run(store->db,
				"INSERT INTO parks (queue, due, order_key, place, head, message, at_ms, class, scope, "
				"code, reason, revision, origin_ref, body_ref, envelope, body)"
				" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
				values, STORE_COUNT(values), NULL, NULL, error);
	}
	message_free(message);
	FAULT("store.parked");
	return status;
}

static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

struct end_place {
	int64_t number;
	bool found;
};

static int take_place(void *arg, const struct value *row, size_t columns)
{
	struct end_place *place = arg;

	place->found = row[0].type != VALUE_NULL;
	place->number = row[0].number;
	return 0;
}

static int place_find(struct store *store, const struct store_park *park, int64_t *place, bool *head,
		      struct error *error)
{
	struct value values[] = {STORE_TEXT(park->queue), VALUE_OF_INT((int64_t)park->order_key), VALUE_OF_NULL};
	static const char first[] =
		"SELECT MIN(place) FROM parks WHERE queue = $1 AND order_key = $2 AND order_key <> 0";
	static const char last[] =
		"SELECT MAX(place) FROM parks WHERE queue = $1 AND order_key = $2 AND order_key <> 0";
	struct end_place other = {0};

	if (db_run(store->db, park->why ? first : last, values, 2, take_place, &other, error))
		return -1;
	*head = park->why || !other.found;
	if (!other.found)
		return 0;
	*place = park->why ? other.number - 1 : other.number + 1;
	values[2] = VALUE_OF_INT(other.number);
	return park->why ? db_run(store->db,
				  "UPDATE parks SET head = 0 WHERE queue = $1 AND order_key = $2 AND order_key <> 0"
				  " AND place = $3",
				  values, 3, NULL, NULL, error)
			 : 0;
}

struct due_call {
	store_park_fn *each;
	void *arg;
};

static int give_park(void *arg, const struct value *row, size_t columns)
{
	struct due_call *call = arg;
	struct error why = {0};
	struct store_park park = {.number = row[0].number,
				  .due = row[2].number,
				  .order_key = (uint64_t)row[3].number,
				  .message_id = row[4].bytes,
				  .envelope = row[9].bytes,
				  .body = row[10].bytes};
	char *queue = mem_span_dup(row[1].bytes);
	int stop;

	park.queue = queue;
	if (row[7].type != VALUE_NULL) {
		error_set(&why, (enum error_class)row[5].number, "", "%.*s", SPAN_ARGS(row[8].bytes));
		why.scope = (enum error_scope)row[6].number;
		if (row[7].bytes.len < sizeof why.code)
			memcpy(why.code, row[7].bytes.data, row[7].bytes.len);
		park.why = &why;
	}
	stop = call->each(call->arg, &park);
	free(queue);
	return stop;
}

int store_park_due(struct store *store, int64_t now, size_t limit, store_park_fn *each, void *arg, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(now), VALUE_OF_INT((int64_t)limit)};
	struct due_call call = {each, arg};

	return db_run(store->db,
		      "SELECT p.number, p.queue, p.due, p.order_key, p.message, p.class, p.scope, p.code, p.reason, "
		      "p.envelope, p.body FROM parks p"
		      " WHERE p.head = 1 AND p.due <= $1 ORDER BY p.due, p.number LIMIT $2",
		      values, 2, give_park, &call, error);
}

struct deleted {
	char *queue;
	uint64_t order_key;
	bool head;
};

static int take_deleted(void *arg, const struct value *row, size_t columns)
{
	*(struct deleted *)arg = (struct deleted){
		.queue = mem_span_dup(row[0].bytes), .order_key = (uint64_t)row[1].number, .head = row[2].number};
	return 0;
}

int store_park_delete(struct store *store, int64_t number, bool *gone, struct error *error)
{
	struct value value = VALUE_OF_INT(number);
	struct deleted deleted = {0};
	int status = db_run(store->db, "DELETE FROM parks WHERE number = $1 RETURNING queue, order_key, head", &value,
			    1, take_deleted, &deleted, error);

	*gone = deleted.queue != NULL;
	if (!status && deleted.head && deleted.order_key) {
		struct value key[] = {STORE_TEXT(deleted.queue), VALUE_OF_INT((int64_t)deleted.order_key)};

		status = db_run(store->db,
				"UPDATE parks SET head = 1 WHERE number = (SELECT number FROM parks WHERE queue = $1"
				" AND order_key = $2 AND order_key <> 0 ORDER BY place, number LIMIT 1)",
				key, STORE_COUNT(key), NULL, NULL, error);
	}
	free(deleted.queue);
	return status;
}

int store_park_next(struct store *store, int64_t *due, struct error *error)
{
	*due = INT64_MAX;
	return db_run(store->db, "SELECT due FROM parks WHERE head = 1 ORDER BY due, number LIMIT 1", NULL, 0,
		      take_number, due, error);
}

struct keys_call {
	int (*each)(void *, const char *, uint64_t, uint64_t);
	void *arg;
};

static int give_key(void *arg, const struct value *row, size_t columns)
{
	struct keys_call *call = arg;
	char *queue = mem_span_dup(row[0].bytes);
	int stop = call->each(call->arg, queue, (uint64_t)row[1].number, (uint64_t)row[2].number);

	free(queue);
	return stop;
}

int store_park_keys(struct store *store, int (*each)(void *, const char *queue, uint64_t order_key, uint64_t count),
		    void *arg, struct error *error)
{
	struct keys_call call = {each, arg};

	return db_run(store->db,
		      "SELECT queue, order_key, count(*) FROM parks WHERE order_key <> 0 GROUP BY queue, order_key",
		      NULL, 0, give_key, &call, error);
}

int store_park_release(struct store *store, const char *queue, uint64_t order_key, int64_t now, struct error *error)
{
	struct value values[] = {STORE_TEXT(queue), VALUE_OF_INT((int64_t)order_key), VALUE_OF_INT(now),
				 VALUE_OF_INT(INT64_MAX)};

	return db_run(store->db, "UPDATE parks SET due = $3 WHERE queue = $1 AND order_key = $2 AND due = $4", values,
		      STORE_COUNT(values), NULL, NULL, error);
}
