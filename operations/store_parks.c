/* Parks: messages that wait for a time, or for the release of their order key.
 *
 * Of one order key in one queue, `place` is the order: what failed goes in front of those that joined behind it,
 * because it was the one in flight; what joins goes to the end. */
#include "config.h"
#include "operations/store.h"

#include <stdlib.h>

#include "base/fault.h"
#include "operations/store_private.h"

static int place_find(struct store *store, const struct store_park *park, int64_t *place, struct error *error);

int store_park_put(struct store *store, const struct store_park *park, int64_t now, struct error *error)
{
	struct message *message = message_decode_new(park->envelope, error);
	const struct error *why = park->why;
	int64_t place = 0;
	int status = -1;

	if (!message)
		return -1;
	if (!park->order_key || !place_find(store, park, &place, error)) {
		struct value values[] = {
			STORE_TEXT(park->queue),
			VALUE_OF_INT(park->due),
			VALUE_OF_INT((int64_t)park->order_key),
			VALUE_OF_INT(place),
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
				"INSERT INTO parks (queue, due, order_key, place, message, at_ms, class, scope, code, "
				"reason, revision, origin_ref,"
				" body_ref, envelope, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
				"$13, $14, $15)",
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

static int place_find(struct store *store, const struct store_park *park, int64_t *place, struct error *error)
{
	struct value values[] = {STORE_TEXT(park->queue), VALUE_OF_INT((int64_t)park->order_key)};
	static const char in_front[] =
		"SELECT COALESCE(MIN(place), 1) - 1 FROM parks WHERE queue = $1 AND order_key = $2 AND order_key <> 0";
	static const char behind[] =
		"SELECT COALESCE(MAX(place), -1) + 1 FROM parks WHERE queue = $1 AND order_key = $2 AND order_key <> 0";

	return db_run(store->db, park->why ? in_front : behind, values, 2, take_number, place, error);
}

#define IS_FIRST                                                                                                       \
	"(p.order_key = 0 OR NOT EXISTS (SELECT 1 FROM parks e WHERE e.queue = p.queue AND e.order_key = p.order_key"  \
	" AND e.order_key <> 0 AND (e.place < p.place OR (e.place = p.place AND e.number < p.number))))"

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
		      " WHERE p.due <= $1 AND " IS_FIRST " ORDER BY p.due, p.number LIMIT $2",
		      values, 2, give_park, &call, error);
}

int store_park_delete(struct store *store, int64_t number, struct error *error)
{
	struct value value = VALUE_OF_INT(number);

	return db_run(store->db, "DELETE FROM parks WHERE number = $1", &value, 1, NULL, NULL, error);
}

int store_park_next(struct store *store, int64_t *due, uint64_t *count, struct error *error)
{
	int64_t all = 0;

	*due = INT64_MAX;
	if (db_run(store->db, "SELECT p.due FROM parks p WHERE " IS_FIRST " ORDER BY p.due, p.number LIMIT 1", NULL, 0,
		   take_number, due, error) ||
	    db_run(store->db, "SELECT count(*) FROM parks", NULL, 0, take_number, &all, error))
		return -1;
	*count = (uint64_t)all;
	return 0;
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
