/* Questions and changes about messages that wait in durable steps: what the steward asks, and what people do. */
#include "config.h"

#include <stdlib.h>

#include "operations/ask_private.h"
#include "operations/held.h"

#define DUE_MOST 100
#define PAGE_MOST 500
#define PAGE_BYTES (2u << 20)
#define CLEAN_MOST 1000
#define ELSEWHERE_MS 5000 /* until this machine asks again whether it has the steward */
#define TOGETHER_MS 2000  /* what other machines hold is not told to this one */

#define COLUMNS                                                                                                        \
	"number, state, kind, policy, queue, flow, step, label, due, members, bytes, filled, dead, dropped, size, "    \
	"next,"                                                                                                        \
	" first_ms, last_ms, closed_ms, reason, revision, generation, within_ms"

static const char *const kinds[] = {"", "collect", "resequence", "dedupe"};
static const char *const policies[] = {"reject", "pass", "hold"};
static const char *const collection_states[] = {"open", "closing", "published", "closed"};

static int put_collection(void *arg, const struct value *row, size_t columns)
{
	static const char *const texts[] = {"queue", "flow", "step", "key"};
	static const char *const numbers[] = {"due_ms", "count", "bytes",    "filled",  "dead",     "dropped",
					      "size",   "next",  "first_ms", "last_ms", "closed_ms"};
	json_t *one = json_object();
	int64_t missing = row[14].number - row[11].number;

	ask_put_int(one, "number", row[0]);
	json_object_set_new(one, "state", json_string(collection_states[row[1].number & 3]));
	json_object_set_new(one, "kind", json_string(kinds[row[2].number & 3]));
	json_object_set_new(one, "policy", json_string(policies[row[3].number % 3]));
	for (size_t i = 0; i < STORE_COUNT(texts); i++)
		ask_put_text(one, texts[i], row[4 + i]);
	for (size_t i = 0; i < STORE_COUNT(numbers); i++)
		ask_put_int(one, numbers[i], row[8 + i]);
	if (row[8].number == INT64_MAX)
		json_object_set_new(one, "due_ms", json_null());
	ask_put_text(one, "reason", row[19]);
	ask_put_text(one, "revision", row[20]);
	ask_put_int(one, "generation", row[21]);
	ask_put_int(one, "within_ms", row[22]);
	json_object_set_new(one, "missing", json_integer(missing > 0 ? missing : 0));
	json_array_append_new(arg, one);
	return 0;
}

/* ---- the steward's */
/* Of queues that the steward has put off for now it does not ask: many that wait there would hide all others. */
#define WITHOUT " AND queue NOT IN ($2, $3, $4, $5, $6, $7, $8, $9)"
#define LIMITED (1 + STORE_WITHOUT_MOST) /* $1: how many; behind them $10, a time */

static int due_all(struct ask_context *context, const struct value *values, json_t *due, struct error *error)
{
	struct db *db = store_db(context->store);

	return db_run(db,
		      "SELECT " COLUMNS " FROM collections WHERE state IN (1, 2)" WITHOUT
		      " ORDER BY closed_ms, number LIMIT $1",
		      values, LIMITED, put_collection, due, error) ||
			       db_run(db,
				      "SELECT " COLUMNS " FROM collections WHERE state = 0 AND due <= $10" WITHOUT
				      " ORDER BY due, number LIMIT $1",
				      values, LIMITED + 1, put_collection, due, error)
		       ? -1
		       : 0;
}

static int take_due(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

static int next_due(struct ask_context *context, struct value *values, int64_t *next, struct error *error)
{
	*next = INT64_MAX;
	values[0] = VALUE_OF_INT(1);
	values[LIMITED] = VALUE_OF_INT(INT64_MAX);
	return db_run(store_db(context->store),
		      "SELECT due FROM collections WHERE state = 0 AND due < $10" WITHOUT " ORDER BY due LIMIT $1",
		      values, LIMITED + 1, take_due, next, error);
}

/* Of what was there before a restore it is not known with whom it was collected then. A group has its places. */
static void tell_restored(const struct ask_context *context, json_t *due)
{
	json_t *one;
	size_t i;

	json_array_foreach(due, i, one)
		if (json_integer_value(json_object_get(one, "closed_ms")) < context->store->restored_ms &&
		    !json_integer_value(json_object_get(one, "size")) &&
		    !json_integer_value(json_object_get(one, "filled")))
			json_object_set_new(one, "restored", json_true());
}

int ask_held_due(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *due = json_array(), *without = json_object_get(request, "without");
	struct value values[LIMITED + 1] = {VALUE_OF_INT(DUE_MOST)};
	int64_t next;

	for (size_t i = 0; i < STORE_WITHOUT_MOST; i++) {
		const char *queue = json_string_value(json_array_get(without, i));

		values[1 + i] = VALUE_OF_TEXT(span_of(queue ? queue : ""));
	}
	values[LIMITED] = VALUE_OF_INT(context->now);
	json_object_set_new(answer, "due", due);
	if (context->live && context->live(context->engine, "held.due", answer, error))
		return -1;
	if (json_is_true(json_object_get(answer, "elsewhere"))) {
		json_object_set_new(answer, "next_ms", json_integer(context->now + ELSEWHERE_MS));
		return 0;
	}
	if (due_all(context, values, due, error) || next_due(context, values, &next, error))
		return -1;
	tell_restored(context, due);
	if (json_is_false(json_object_get(answer, "alone")) && next > context->now + TOGETHER_MS)
		next = context->now + TOGETHER_MS;
	json_object_set_new(answer, "next_ms", next == INT64_MAX ? json_null() : json_integer(next));
	return 0;
}

struct page {
	json_t *members;
	size_t bytes;
	bool more;
};

static int put_member(void *arg, const struct value *row, size_t columns)
{
	struct page *page = arg;
	json_t *member;

	if (json_array_size(page->members) == PAGE_MOST || page->bytes > PAGE_BYTES) {
		page->more = true;
		return 1;
	}
	member = json_object();
	ask_put_int(member, "number", row[0]);
	ask_put_int(member, "place", row[1]);
	ask_put_int(member, "at_ms", row[2]);
	ask_put_base64(member, "envelope", row[3]);
	ask_put_base64(member, "body", row[4]);
	page->bytes += row[3].bytes.len + row[4].bytes.len;
	json_array_append_new(page->members, member);
	return 0;
}

static int put_now(void *arg, const struct value *row, size_t columns)
{
	ask_put_int(arg, "next", row[0]);
	ask_put_int(arg, "due_ms", row[1]);
	return 1;
}

/* `next` and `due_ms` are read behind the members: what another let go meanwhile is not taken for missing. */
int ask_held_page(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	struct page page = {.members = json_array()};
	int64_t number, place, after;

	json_object_set_new(answer, "members", page.members);
	if (ask_int_required(request, "number", 1, INT64_MAX, &number, error) ||
	    ask_int(request, "place", INT64_MIN, INT64_MIN, INT64_MAX, &place, error) ||
	    ask_int(request, "after", 0, 0, INT64_MAX, &after, error))
		return -1;
	{
		struct value values[] = {VALUE_OF_INT(number), VALUE_OF_INT(place), VALUE_OF_INT(after),
					 VALUE_OF_INT(PAGE_MOST + 1)};

		if (db_run(store_db(context->store),
			   "SELECT number, place, at_ms, envelope, body FROM held WHERE collection = $1 AND state = 0"
			   " AND (place > $2 OR (place = $2 AND number > $3)) ORDER BY place, number LIMIT $4",
			   values, 4, put_member, &page, error) ||
		    db_run(store_db(context->store), "SELECT next, due FROM collections WHERE number = $1", values, 1,
			   put_now, answer, error))
			return -1;
	}
	json_object_set_new(answer, "more", json_boolean(page.more));
	return 0;
}

static int number_of(json_t *request, int64_t *number, struct error *error)
{
	return ask_int_required(request, "number", 1, INT64_MAX, number, error);
}

static void changed(struct ask_context *context)
{
	if (context->held_changed)
		context->held_changed(context->engine);
}

int ask_held_close(struct ask_context *context, json_t *request, struct error *error)
{
	const char *reason;
	int64_t number;
	bool closed;

	return number_of(request, &number, error) || ask_text(request, "reason", NULL, &reason, error)
		       ? -1
		       : store_collection_close(context->store, number, reason, context->now, &closed, error);
}

int ask_held_closed(struct ask_context *context, json_t *request, struct error *error)
{
	int64_t number;

	return number_of(request, &number, error)
		       ? -1
		       : store_collection_published(context->store, number, context->now, error);
}

int ask_held_clean(struct ask_context *context, json_t *request, struct error *error)
{
	int64_t number;

	return number_of(request, &number, error)
		       ? -1
		       : store_collection_clean(context->store, number, CLEAN_MOST, context->now, error);
}

int ask_held_released(struct ask_context *context, json_t *request, struct error *error)
{
	json_t *list = json_object_get(request, "members"), *member;
	int64_t number, next, *members;
	size_t i;
	int result;

	if (number_of(request, &number, error) || ask_int(request, "next", -1, -1, INT64_MAX, &next, error))
		return -1;
	members = mem_alloc((json_array_size(list) + 1) * sizeof *members);
	json_array_foreach(list, i, member)
		members[i] = json_integer_value(member);
	result = store_held_released(context->store, number, members, json_array_size(list), next, context->now, error);
	free(members);
	return result;
}

int ask_held_skip(struct ask_context *context, json_t *request, struct error *error)
{
	int64_t number;

	if (number_of(request, &number, error) || store_sequence_skip(context->store, number, context->now, error))
		return -1;
	changed(context);
	return 0;
}

/* ---- people's */
int ask_collect_list(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *collections = json_array();
	const char *flow, *key;
	int64_t limit;

	json_object_set_new(answer, "collections", collections);
	if (ask_text(request, "flow", "", &flow, error) || ask_text(request, "key", "", &key, error) ||
	    ask_limit(request, &limit, error))
		return -1;
	{
		struct value values[] = {STORE_TEXT(flow), STORE_TEXT(key), VALUE_OF_INT(limit)};

		return db_run(store_db(context->store),
			      "SELECT " COLUMNS
			      " FROM collections WHERE " STORE_WAITING " AND (flow = $1 OR $1 = '')"
			      " AND (label = $2 OR $2 = '') ORDER BY first_ms, number LIMIT $3",
			      values, 3, put_collection, collections, error);
	}
}

static int put_held(void *arg, const struct value *row, size_t columns)
{
	json_t *member = json_object();

	ask_put_hex(member, "message", row[0]);
	ask_put_int(member, "place", row[1]);
	ask_put_int(member, "at_ms", row[2]);
	json_object_set_new(member, "keys", ask_keys(row[3].bytes));
	json_array_append_new(arg, member);
	return 0;
}

static int put_gap(void *arg, const struct value *row, size_t columns)
{
	json_array_append_new(arg, json_pack("{s:I s:s}", "place", (json_int_t)row[1].number, "why",
					     row[0].number == GAP_DEAD ? "dead" : "dropped"));
	return 0;
}

int ask_collect_get(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *found = json_array(), *members = json_array(), *gaps = json_array();
	struct db *db = store_db(context->store);
	struct value values[2];
	int64_t number, limit;
	int result = -1;

	json_object_set_new(answer, "members", members);
	json_object_set_new(answer, "gaps", gaps);
	if (number_of(request, &number, error) || ask_limit(request, &limit, error))
		goto done;
	values[0] = VALUE_OF_INT(number);
	values[1] = VALUE_OF_INT(limit);
	if (db_run(db, "SELECT " COLUMNS " FROM collections WHERE number = $1", values, 1, put_collection, found,
		   error) ||
	    db_run(db,
		   "SELECT member, place, at_ms, envelope FROM held WHERE collection = $1 AND state = 0"
		   " ORDER BY place, number LIMIT $2",
		   values, 2, put_held, members, error) ||
	    db_run(db,
		   "SELECT state, place FROM held WHERE collection = $1 AND state IN (2, 3) ORDER BY place LIMIT $2",
		   values, 2, put_gap, gaps, error))
		goto done;
	if (json_array_size(found)) {
		json_object_update(answer, json_array_get(found, 0));
		result = 0;
	} else {
		error_set(error, ERROR_REJECT, "ask.request",
			  "`number`: there is no collection %lld (ferrule collect list)", (long long)number);
	}
done:
	json_decref(found);
	return result;
}

/* Now, whatever is missing: a collection closes, a sequence goes on behind its gap. */
int ask_collect_close(struct ask_context *context, json_t *request, struct error *error)
{
	int64_t number;
	bool closed;

	if (number_of(request, &number, error) ||
	    store_collection_close(context->store, number, "operator", context->now, &closed, error) ||
	    (!closed && store_sequence_skip(context->store, number, context->now, error)))
		return -1;
	changed(context);
	return 0;
}

/* ---- for status */
static int put_step(void *arg, const struct value *row, size_t columns)
{
	json_t *step = json_object();

	ask_put_text(step, "queue", row[0]);
	ask_put_text(step, "flow", row[1]);
	ask_put_text(step, "step", row[2]);
	ask_put_int(step, "open", row[3]);
	ask_put_int(step, "members", row[4]);
	ask_put_int(step, "oldest_ms", row[5]);
	ask_put_int(step, "due_ms", row[6]);
	if (row[6].number == INT64_MAX)
		json_object_set_new(step, "due_ms", json_null());
	json_array_append_new(arg, step);
	return 0;
}

int ask_held_steps(struct ask_context *context, json_t *steps, struct error *error)
{
	return db_run(store_db(context->store),
		      "SELECT MIN(queue), MIN(flow), MIN(step), count(*), CAST(SUM(members) AS BIGINT), MIN(first_ms), "
		      "MIN(due) FROM collections WHERE " STORE_WAITING " GROUP BY queue || '' ORDER BY 1 LIMIT 1000",
		      NULL, 0, put_step, steps, error);
}

/* ---- what came into a queue that no backup can copy */
int ask_intake_put(struct ask_context *context, json_t *request, struct error *error)
{
	struct buf envelope, body;
	const char *queue;
	int result;

	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	buf_init(&body, MESSAGE_INLINE_MAX);
	result = ask_text(request, "queue", NULL, &queue, error) || ask_bytes(request, "envelope", &envelope, error) ||
				 ask_bytes(request, "body", &body, error) ||
				 store_intake_put(context->store, queue, buf_view(&envelope), buf_view(&body),
						  context->now, error)
			 ? -1
			 : 0;
	buf_free(&envelope);
	buf_free(&body);
	return result;
}
