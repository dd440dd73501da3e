/* Questions and changes about effects: those in doubt, and what is known of those of a message. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "operations/ask_private.h"

struct listing {
	json_t *list;
	int64_t limit;
	bool more;
};

/* A sink says why in its JSON; a person reads the sentence. */
static void put_reason(json_t *doubt, struct value reason)
{
	json_t *parsed = reason.type == VALUE_NULL ? NULL : json_loadb(reason.bytes.data, reason.bytes.len, 0, NULL);
	static const char *const names[] = {"reason", "text", "error"};

	ask_put_text(doubt, "reason", reason);
	for (size_t i = 0; i < STORE_COUNT(names); i++)
		if (json_is_string(json_object_get(parsed, names[i]))) {
			json_object_set(doubt, "reason", json_object_get(parsed, names[i]));
			break;
		}
	if (parsed)
		json_object_set_new(doubt, "detail", parsed);
}

static int put_doubt(void *arg, const struct value *row, size_t columns)
{
	struct listing *listing = arg;
	json_t *doubt;

	if ((int64_t)json_array_size(listing->list) == listing->limit) {
		listing->more = true;
		return 1;
	}
	doubt = json_object();
	ask_put_hex(doubt, "key", row[0]);
	ask_put_text(doubt, "endpoint", row[1]);
	ask_put_hex(doubt, "message", row[2]);
	ask_put_int(doubt, "first_ms", row[3]);
	ask_put_int(doubt, "last_ms", row[4]);
	ask_put_int(doubt, "attempts", row[5]);
	ask_put_int(doubt, "generation", row[6]);
	put_reason(doubt, row[7]);
	json_object_set_new(doubt, "keys", ask_keys(row[8].bytes));
	json_array_append_new(listing->list, doubt);
	return 0;
}

int ask_doubt_list(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	struct listing listing = {0};
	struct value values[2];
	const char *endpoint;

	listing.list = json_array();
	json_object_set_new(answer, "doubts", listing.list);
	if (ask_text(request, "endpoint", "", &endpoint, error) || ask_limit(request, &listing.limit, error))
		return -1;
	values[0] = STORE_TEXT(endpoint);
	values[1] = VALUE_OF_INT(listing.limit + 1);
	if (db_run(store_db(context->store),
		   "SELECT key, endpoint, message, first_ms, last_ms, attempts, generation, reason, envelope FROM "
		   "effects"
		   " WHERE state = 2 AND (endpoint = $1 OR $1 = '') ORDER BY first_ms, key LIMIT $2",
		   values, 2, put_doubt, &listing, error))
		return -1;
	if (listing.more)
		json_object_set_new(answer, "more", json_true());
	return 0;
}

/* ---- one of them, by its key or the first digits of it */

struct doubt {
	unsigned found;
	struct id key;
	enum effect_state state;
	char endpoint[256];
	struct id message;
	struct buf envelope, body;
};

static int take_doubt(void *arg, const struct value *row, size_t columns)
{
	struct doubt *doubt = arg;

	if (doubt->found++)
		return 1;
	if (id_from_span(&doubt->key, row[0].bytes) || id_from_span(&doubt->message, row[3].bytes))
		return 0;
	doubt->state = (enum effect_state)row[1].number;
	snprintf(doubt->endpoint, sizeof doubt->endpoint, "%.*s", SPAN_ARGS(row[2].bytes));
	buf_span(&doubt->envelope, row[4].bytes);
	buf_span(&doubt->body, row[5].bytes);
	return 0;
}

static void doubt_free(struct doubt *doubt)
{
	buf_free(&doubt->envelope);
	buf_free(&doubt->body);
}

static int doubt_find(struct ask_context *context, json_t *request, struct doubt *doubt, struct error *error)
{
	struct id low, high;
	struct value values[2];

	memset(doubt, 0, sizeof *doubt);
	buf_init(&doubt->envelope, SIZE_MAX / 2);
	buf_init(&doubt->body, SIZE_MAX / 2);
	if (ask_id_range(request, "key", &low, &high, error))
		return -1;
	values[0] = STORE_ID(&low);
	values[1] = STORE_ID(&high);
	if (db_run(store_db(context->store),
		   "SELECT key, state, endpoint, message, envelope, body FROM effects WHERE key BETWEEN $1 AND $2 "
		   "LIMIT 2",
		   values, 2, take_doubt, doubt, error))
		return -1;
	if (!doubt->found)
		return error_set(error, ERROR_REJECT, "ask.request",
				 "`key`: no effect begins with it (ferrule doubt list)");
	return doubt->found == 1 ? 0
				 : error_set(error, ERROR_REJECT, "ask.request",
					     "`key`: more than one effect begins with it: give more digits");
}

static int put_whole(void *arg, const struct value *row, size_t columns)
{
	static const char *const names[] = {"open", "delivered", "doubt", "not-done"};

	ask_put_text(arg, "endpoint", row[0]);
	ask_put_hex(arg, "message", row[1]);
	ask_put_int(arg, "first_ms", row[2]);
	ask_put_int(arg, "last_ms", row[3]);
	ask_put_int(arg, "attempts", row[4]);
	ask_put_int(arg, "generation", row[5]);
	ask_put_hex(arg, "request", row[6]);
	ask_put_int(arg, "done_ms", row[7]);
	ask_put_json(arg, "receipt", row[8]);
	put_reason(arg, row[9]);
	ask_put_base64(arg, "envelope", row[10]);
	ask_put_base64(arg, "body", row[11]);
	json_object_set_new(arg, "state", json_string(names[row[12].number]));
	ask_put_hex(arg, "key", row[13]);
	json_object_set_new(arg, "keys", ask_keys(row[10].bytes));
	return 1;
}

static int put_history(void *arg, const struct value *row, size_t columns)
{
	json_t *entry = json_object();

	ask_put_int(entry, "at_ms", row[0]);
	ask_put_text(entry, "what", row[1]);
	ask_put_text(entry, "who", row[2]);
	ask_put_text(entry, "why", row[3]);
	json_array_append_new(arg, entry);
	return 0;
}

int ask_doubt_get(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	struct db *db = store_db(context->store);
	json_t *history = json_array();
	struct doubt doubt;
	int status = -1;

	json_object_set_new(answer, "history", history);
	if (!doubt_find(context, request, &doubt, error)) {
		struct value key = STORE_ID(&doubt.key);

		status = db_run(db,
				"SELECT endpoint, message, first_ms, last_ms, attempts, generation, request, done_ms, "
				"receipt, reason, envelope, body, state, key"
				" FROM effects WHERE key = $1",
				&key, 1, put_whole, answer, error) ||
			 db_run(db, "SELECT at_ms, what, who, why FROM doubt_history WHERE key = $1 ORDER BY at_ms",
				&key, 1, put_history, history, error);
	}
	doubt_free(&doubt);
	return status ? -1 : 0;
}

/* ---- changes */

static int history_put(struct ask_context *context, json_t *request, const struct doubt *doubt, const char *what,
		       struct error *error)
{
	const char *who, *why;
	struct value values[5];

	if (ask_text(request, "by", "", &who, error) || ask_text(request, "note", "", &why, error))
		return -1;
	values[0] = STORE_ID(&doubt->key);
	values[1] = VALUE_OF_INT(context->now);
	values[2] = STORE_TEXT(what);
	values[3] = STORE_TEXT(who);
	values[4] = STORE_TEXT(why);
	return db_run(store_db(context->store),
		      "INSERT INTO doubt_history (key, at_ms, what, who, why) VALUES ($1, $2, $3, $4, $5)", values, 5,
		      NULL, NULL, error);
}

static int not_in_doubt(const struct doubt *doubt, struct error *error)
{
	return error_set(error, ERROR_REJECT, "ask.request", "`key`: this effect at %s is not in doubt: %s",
			 doubt->endpoint, doubt->state == EFFECT_DONE ? "it has a receipt" : "it is under way");
}

/* The receipt is the person's word. */
int ask_doubt_confirmed(struct ask_context *context, json_t *request, struct error *error)
{
	const char *note, *by;
	struct doubt doubt;
	char *receipt = NULL;
	json_t *word = NULL;
	int status = -1;

	if (doubt_find(context, request, &doubt, error) || ask_text(request, "note", "", &note, error) ||
	    ask_text(request, "by", "", &by, error))
		goto done;
	status = 0;
	if (doubt.state == EFFECT_DONE) /* the unit was done again, or a copy found out meanwhile */
		goto done;
	status = -1;
	if (doubt.state != EFFECT_DOUBT) {
		not_in_doubt(&doubt, error);
		goto done;
	}
	word = json_pack("{s:s s:s s:I}", "confirmed_by", by, "note", note, "at_ms", (json_int_t)context->now);
	receipt = json_dumps(word, JSON_COMPACT);
	{
		struct value values[] = {STORE_ID(&doubt.key), STORE_TEXT(receipt), VALUE_OF_INT(context->now)};

		if (db_run(store_db(context->store),
			   "UPDATE effects SET state = 1, session = NULL, receipt = $2, done_ms = $3, last_ms = $3, "
			   "origin_ref = NULL, body_ref = NULL,"
			   " envelope = NULL, body = NULL WHERE key = $1 AND state = 2",
			   values, 3, NULL, NULL, error))
			goto done;
	}
	status = history_put(context, request, &doubt, "confirmed", error);
done:
	json_decref(word);
	free(receipt);
	doubt_free(&doubt);
	return status;
}

static int resend_park(struct ask_context *context, const struct doubt *doubt, struct error *error)
{
	struct message *message = message_decode_new(buf_view(&doubt->envelope), error);
	struct store_park park = {.due = context->now,
				  .message_id = id_span(&doubt->message),
				  .envelope = buf_view(&doubt->envelope),
				  .body = buf_view(&doubt->body)};
	struct error why = {0};
	char queue[300];
	int status;

	if (!message)
		return -1;
	snprintf(queue, sizeof queue, "out.%s", doubt->endpoint);
	error_set(&why, ERROR_RETRY, "doubt.resend", "a person looked: it did not happen");
	park.queue = queue;
	park.order_key = message_order_find(message, message->flow);
	park.why = &why;
	status = store_park_put(context->store, &park, context->now, error);
	message_free(message);
	return status;
}

/* Withdrawn and parked in one transaction: were it published instead, a worker could meet the copy while the effect is
 * still in doubt, and the message would be lost between the two. */
int ask_doubt_resend(struct ask_context *context, json_t *request, struct error *error)
{
	struct doubt doubt;
	int status = -1;

	if (doubt_find(context, request, &doubt, error))
		goto done;
	status = 0;
	if (doubt.state == EFFECT_IDLE) /* done already */
		goto done;
	status = -1;
	if (doubt.state != EFFECT_DOUBT) {
		not_in_doubt(&doubt, error);
		goto done;
	}
	if (!resend_park(context, &doubt, error)) {
		struct value values[] = {STORE_ID(&doubt.key), VALUE_OF_INT(context->now)};

		FAULT("ask.resend");
		status = db_run(store_db(context->store),
				"UPDATE effects SET state = 3, session = NULL, last_ms = $2, origin_ref = NULL, "
				"body_ref = NULL, envelope = NULL, body = NULL"
				" WHERE key = $1 AND state = 2",
				values, 2, NULL, NULL, error) ||
			 history_put(context, request, &doubt, "resend", error);
		status = status ? -1 : 0;
	}
	if (!status && context->parks_changed)
		context->parks_changed(context->engine);
done:
	doubt_free(&doubt);
	return status;
}

/* ---- effect.find */

static int put_effect(void *arg, const struct value *row, size_t columns)
{
	static const char *const names[] = {"open", "delivered", "doubt", "not-done"};
	json_t *effect = json_object();

	ask_put_hex(effect, "key", row[0]);
	ask_put_text(effect, "endpoint", row[1]);
	json_object_set_new(effect, "state", json_string(names[row[2].number]));
	ask_put_int(effect, "first_ms", row[3]);
	ask_put_int(effect, "done_ms", row[4]);
	ask_put_json(effect, "receipt", row[5]);
	ask_put_hex(effect, "request", row[6]);
	ask_put_int(effect, "attempts", row[7]);
	ask_put_int(effect, "generation", row[8]);
	json_array_append_new(arg, effect);
	return 0;
}

int ask_effect_find(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *effects = json_array();
	struct id low, high;
	struct value values[3];
	const char *endpoint;

	json_object_set_new(answer, "effects", effects);
	if (ask_id_range(request, "message", &low, &high, error) || ask_text(request, "endpoint", "", &endpoint, error))
		return -1;
	values[0] = STORE_ID(&low);
	values[1] = STORE_ID(&high);
	values[2] = STORE_TEXT(endpoint);
	return db_run(
		store_db(context->store),
		"SELECT key, endpoint, state, first_ms, done_ms, receipt, request, attempts, generation FROM effects"
		" WHERE message BETWEEN $1 AND $2 AND (endpoint = $3 OR $3 = '') ORDER BY first_ms, key LIMIT 1000",
		values, 3, put_effect, effects, error);
}
