/* Questions and changes about dead letters. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "operations/ask_private.h"

/* ---- dead.list */

struct filter {
	const char *flow, *cause, *key;
	int64_t since, state;
};

static const char *const states[] = {"open", "replayed", "discarded"};

static int state_parse(json_t *request, int64_t *state, struct error *error)
{
	const char *text;

	if (ask_text(request, "state", "open", &text, error))
		return -1;
	for (*state = 0; *state < 3; (*state)++)
		if (!strcmp(text, states[*state]))
			return 0;
	*state = -1;
	if (!strcmp(text, "all"))
		return 0;
	return error_set(error, ERROR_REJECT, "ask.request", "`state` must be open, replayed, discarded or all");
}

static int filter_parse(json_t *request, struct filter *f, struct error *error)
{
	return ask_text(request, "flow", "", &f->flow, error) || ask_text(request, "cause", "", &f->cause, error) ||
	       ask_text(request, "key", "", &f->key, error) ||
	       ask_int(request, "since", 0, 0, INT64_MAX, &f->since, error) || state_parse(request, &f->state, error);
}

#define FILTERED                                                                                                       \
	" (d.flow = $1 OR $1 = '') AND (d.code = $2 OR $2 = '') AND d.at_ms >= $3 AND (d.state = $4 OR $4 = -1)"       \
	" AND ($5 = '' OR d.origin_name = $5 OR EXISTS (SELECT 1 FROM dead_keys k WHERE k.number = d.number AND "      \
	"k.value = $5))"

static void filter_bind(const struct filter *f, struct value *values)
{
	values[0] = STORE_TEXT(f->flow);
	values[1] = STORE_TEXT(f->cause);
	values[2] = VALUE_OF_INT(f->since);
	values[3] = VALUE_OF_INT(f->state);
	values[4] = STORE_TEXT(f->key);
}

static int put_group(void *arg, const struct value *row, size_t columns)
{
	json_t *group = json_object();

	ask_put_text(group, "cause", row[0]);
	ask_put_text(group, "step", row[1]);
	ask_put_text(group, "flow", row[2]);
	ask_put_int(group, "count", row[3]);
	ask_put_int(group, "first_ms", row[4]);
	ask_put_int(group, "last_ms", row[5]);
	ask_put_int(group, "example", row[6]);
	json_array_append_new(arg, group);
	return 0;
}

int ask_dead_groups(struct ask_context *context, json_t *request, json_t *groups, struct error *error)
{
	struct value values[5];
	struct filter f;

	if (filter_parse(request, &f, error))
		return -1;
	filter_bind(&f, values);
	return db_run(store_db(context->store),
		      "SELECT d.code, d.step, d.flow, count(*), MIN(d.first_ms), MAX(d.at_ms), MIN(d.number) FROM dead "
		      "d WHERE" FILTERED
		      " GROUP BY d.code, d.step, d.flow ORDER BY count(*) DESC, d.code, d.step, d.flow LIMIT 200",
		      values, 5, put_group, groups, error);
}

struct listing {
	json_t *letters;
	int64_t limit, first, last;
	bool more;
	size_t at; /* of the letter whose keys are being added */
};

static int put_letter(void *arg, const struct value *row, size_t columns)
{
	struct listing *listing = arg;
	json_t *letter;

	if ((int64_t)json_array_size(listing->letters) == listing->limit) {
		listing->more = true;
		return 1;
	}
	letter = json_object();
	ask_put_int(letter, "number", row[0]);
	ask_put_hex(letter, "id", row[1]);
	ask_put_text(letter, "step", row[2]);
	ask_put_text(letter, "flow", row[3]);
	ask_put_text(letter, "cause", row[4]);
	ask_put_text(letter, "reason", row[5]);
	ask_put_text(letter, "position", row[6]);
	ask_put_int(letter, "at_ms", row[7]);
	ask_put_int(letter, "deaths", row[9]);
	ask_put_text(letter, "queue", row[10]);
	ask_put_text(letter, "document", row[11]);
	json_object_set_new(letter, "state", json_string(states[row[8].number]));
	json_object_set_new(letter, "keys", json_array());
	json_array_append_new(listing->letters, letter);
	if (!listing->first)
		listing->first = row[0].number;
	listing->last = row[0].number;
	return 0;
}

/* Both are in the order of the numbers. */
static int add_key(void *arg, const struct value *row, size_t columns)
{
	struct listing *listing = arg;

	while (listing->at < json_array_size(listing->letters)) {
		json_t *letter = json_array_get(listing->letters, listing->at);
		int64_t number = json_integer_value(json_object_get(letter, "number"));

		if (number > row[0].number)
			return 0;
		if (number == row[0].number) {
			json_array_append_new(json_object_get(letter, "keys"), ask_key(row[1].bytes, row[2].bytes));
			return 0;
		}
		listing->at++;
	}
	return 1;
}

static int letters_list(struct ask_context *context, const struct filter *f, int64_t after, struct listing *listing,
			struct error *error)
{
	struct value values[7], range[2];

	filter_bind(f, values);
	values[5] = VALUE_OF_INT(after);
	values[6] = VALUE_OF_INT(listing->limit + 1);
	if (db_run(store_db(context->store),
		   "SELECT d.number, d.id, d.step, d.flow, d.code, d.reason, d.position, d.at_ms, d.state, d.deaths, "
		   "d.queue, d.origin_name FROM dead d"
		   " WHERE" FILTERED " AND d.number > $6 ORDER BY d.number LIMIT $7",
		   values, 7, put_letter, listing, error))
		return -1;
	range[0] = VALUE_OF_INT(listing->first);
	range[1] = VALUE_OF_INT(listing->last);
	return db_run(
		store_db(context->store),
		"SELECT number, name, value FROM dead_keys WHERE number BETWEEN $1 AND $2 ORDER BY number, name, value",
		range, 2, add_key, listing, error);
}

int ask_dead_list(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	struct listing listing = {0};
	json_t *groups = json_array();
	struct filter f;
	int64_t after;

	listing.letters = json_array();
	json_object_set_new(answer, "groups", groups);
	json_object_set_new(answer, "letters", listing.letters);
	if (filter_parse(request, &f, error) || ask_limit(request, &listing.limit, error) ||
	    ask_int(request, "after", 0, 0, INT64_MAX, &after, error) ||
	    ask_dead_groups(context, request, groups, error) || letters_list(context, &f, after, &listing, error))
		return -1;
	if (listing.more)
		json_object_set_new(answer, "next", json_integer(listing.last));
	return 0;
}

/* ---- dead.get */

static void put_origin(json_t *letter, struct span envelope)
{
	struct message *message = message_decode_new(envelope, NULL);
	json_t *origin = json_object();
	char digest[ID_TEXT];

	if (message) {
		id_hex(&message->origin.digest, digest);
		json_object_set_new(origin, "name", ask_string(message->origin.name));
		json_object_set_new(origin, "digest", json_string(digest));
		json_object_set_new(origin, "offset", json_integer((json_int_t)message->origin.offset));
		json_object_set_new(origin, "length", json_integer((json_int_t)message->origin.length));
		json_object_set_new(origin, "ref", ask_string(message->origin.ref));
		json_object_set_new(letter, "type", ask_string(message->type));
		json_object_set_new(letter, "datacontenttype", ask_string(message->datacontenttype));
		json_object_set_new(letter, "body_ref", ask_string(message->body_ref));
		json_object_set_new(letter, "body_size", json_integer((json_int_t)message->body_size));
	}
	json_object_set_new(letter, "origin", origin);
	json_object_set_new(letter, "keys", ask_keys(envelope));
	message_free(message);
}

static int put_whole(void *arg, const struct value *row, size_t columns)
{
	static const char *const texts[] = {"path",   "step",     "queue",       "flow",    "cause",
					    "reason", "position", "correlation", "revision"};
	static const char *const numbers[] = {"number", "deaths", "first_ms", "at_ms", "closed_ms", "generation"};
	char order_key[24];

	for (size_t i = 0; i < STORE_COUNT(texts); i++)
		ask_put_text(arg, texts[i], row[i]);
	for (size_t i = 0; i < STORE_COUNT(numbers); i++)
		ask_put_int(arg, numbers[i], row[9 + i]);
	ask_put_hex(arg, "id", row[15]);
	json_object_set_new(arg, "state", json_string(states[row[16].number]));
	json_object_set_new(arg, "class", json_string(error_class_name((enum error_class)row[17].number)));
	json_object_set_new(arg, "edited", json_boolean(row[18].number));
	snprintf(order_key, sizeof order_key, "%llu",
		 (unsigned long long)row[19].number); /* does not fit JSON's numbers */
	json_object_set_new(arg, "order_key", row[19].number ? json_string(order_key) : json_null());
	ask_put_base64(arg, "content", row[20]);
	ask_put_base64(arg, "envelope", row[21]);
	ask_put_base64(arg, "body", row[22]);
	put_origin(arg, row[21].bytes);
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

static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

/* A message may have died in several parts: the oldest that is open, else the oldest. */
static int number_by_id(struct ask_context *context, json_t *request, int64_t *number, struct error *error)
{
	struct id low, high;
	struct value values[2];

	if (ask_id_range(request, "id", &low, &high, error))
		return -1;
	values[0] = STORE_ID(&low);
	values[1] = STORE_ID(&high);
	*number = 0;
	if (db_run(store_db(context->store),
		   "SELECT number FROM dead WHERE id BETWEEN $1 AND $2 ORDER BY CASE state WHEN 0 THEN 0 ELSE 1 END, "
		   "number LIMIT 1",
		   values, 2, take_number, number, error))
		return -1;
	return *number ? 0
		       : error_set(error, ERROR_REJECT, "ask.request", "no dead letter of a message with this `id`");
}

static int unknown_letter(struct error *error, int64_t number)
{
	return error_set(error, ERROR_REJECT, "ask.request",
			 "`number`: there is no dead letter %lld (ferrule dead list)", (long long)number);
}

int ask_dead_get(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	struct db *db = store_db(context->store);
	json_t *history = json_array();
	struct value value;
	int64_t number;

	json_object_set_new(answer, "history", history);
	if (json_object_get(request, "id") ? number_by_id(context, request, &number, error)
					   : ask_int_required(request, "number", 1, INT64_MAX, &number, error))
		return -1;
	value = VALUE_OF_INT(number);
	if (db_run(db,
		   "SELECT path, step, queue, flow, code, reason, position, correlation, revision, number, deaths, "
		   "first_ms, at_ms, closed_ms,"
		   " generation, id, state, class, edited, order_key, content, envelope, body FROM dead WHERE number = "
		   "$1",
		   &value, 1, put_whole, answer, error) ||
	    db_run(db, "SELECT at_ms, what, who, why FROM dead_history WHERE number = $1 ORDER BY at_ms", &value, 1,
		   put_history, history, error))
		return -1;
	return json_object_get(answer, "number") ? 0 : unknown_letter(error, number);
}

/* ---- changes */

struct letter {
	bool found;
	enum dead_state state;
	int64_t number, deaths, order_key;
	char queue[256];
	struct buf envelope, body;
};

static int take_letter(void *arg, const struct value *row, size_t columns)
{
	struct letter *letter = arg;

	letter->found = true;
	letter->state = (enum dead_state)row[0].number;
	letter->deaths = row[1].number;
	letter->order_key = row[2].number;
	snprintf(letter->queue, sizeof letter->queue, "%.*s", SPAN_ARGS(row[3].bytes));
	buf_span(&letter->envelope, row[4].bytes);
	buf_span(&letter->body, row[5].bytes);
	return 1;
}

static void letter_free(struct letter *letter)
{
	buf_free(&letter->envelope);
	buf_free(&letter->body);
}

static int letter_find(struct ask_context *context, json_t *request, struct letter *letter, struct error *error)
{
	struct value value;

	memset(letter, 0, sizeof *letter);
	buf_init(&letter->envelope, SIZE_MAX / 2);
	buf_init(&letter->body, SIZE_MAX / 2);
	if (ask_int_required(request, "number", 1, INT64_MAX, &letter->number, error))
		return -1;
	value = VALUE_OF_INT(letter->number);
	if (db_run(store_db(context->store),
		   "SELECT state, deaths, order_key, queue, envelope, body FROM dead WHERE number = $1", &value, 1,
		   take_letter, letter, error))
		return -1;
	return letter->found ? 0 : unknown_letter(error, letter->number);
}

static int history_put(struct ask_context *context, json_t *request, int64_t number, const char *what,
		       struct error *error)
{
	const char *who, *why;
	struct value values[5];

	if (ask_text(request, "by", "", &who, error) || ask_text(request, "reason", "", &why, error))
		return -1;
	values[0] = VALUE_OF_INT(number);
	values[1] = VALUE_OF_INT(context->now);
	values[2] = STORE_TEXT(what);
	values[3] = STORE_TEXT(who);
	values[4] = STORE_TEXT(why);
	return db_run(store_db(context->store),
		      "INSERT INTO dead_history (number, at_ms, what, who, why) VALUES ($1, $2, $3, $4, $5)", values, 5,
		      NULL, NULL, error);
}

/* What waited behind the letter goes on when no other letter of its order key is left. */
static int order_release(struct ask_context *context, const struct letter *letter, struct error *error)
{
	struct value values[] = {STORE_TEXT(letter->queue), VALUE_OF_INT(letter->order_key)};
	int64_t others = 0;

	if (!letter->order_key)
		return 0;
	if (db_run(store_db(context->store),
		   "SELECT count(*) FROM dead WHERE queue = $1 AND order_key = $2 AND state = 0 AND order_key <> 0",
		   values, 2, take_number, &others, error))
		return -1;
	if (others)
		return 0;
	FAULT("ask.release");
	if (store_park_release(context->store, letter->queue, (uint64_t)letter->order_key, context->now, error))
		return -1;
	if (context->parks_changed)
		context->parks_changed(context->engine);
	return 0;
}

/* Closing twice is closing once: the unit may have been done again. */
static int letter_close(struct ask_context *context, json_t *request, struct letter *letter, enum dead_state state,
			struct error *error)
{
	struct value values[] = {VALUE_OF_INT(letter->number), VALUE_OF_INT(state), VALUE_OF_INT(context->now)};

	if (letter->state != DEAD_OPEN)
		return 0;
	if (db_run(store_db(context->store), "UPDATE dead SET state = $2, closed_ms = $3 WHERE number = $1", values, 3,
		   NULL, NULL, error) ||
	    history_put(context, request, letter->number, states[state], error))
		return -1;
	return order_release(context, letter, error);
}

/* A copy that was published may have died again before this was said: with `deaths` the letter then stays open. */
static int deaths_differ(json_t *request, const struct letter *letter, bool *differ, struct error *error)
{
	int64_t deaths;

	if (ask_int(request, "deaths", letter->deaths, 1, INT64_MAX, &deaths, error))
		return -1;
	*differ = deaths != letter->deaths;
	return 0;
}

int ask_dead_replayed(struct ask_context *context, json_t *request, struct error *error)
{
	struct letter letter;
	bool differ;
	int status = -1;

	if (!letter_find(context, request, &letter, error) && !deaths_differ(request, &letter, &differ, error))
		status = differ ? 0 : letter_close(context, request, &letter, DEAD_REPLAYED, error);
	letter_free(&letter);
	return status;
}

static int letter_park(struct ask_context *context, const struct letter *letter, struct span envelope,
		       struct error *error)
{
	struct message *message = message_decode_new(envelope, error);
	struct store_park park = {.queue = letter->queue,
				  .due = context->now,
				  .order_key = (uint64_t)letter->order_key,
				  .envelope = envelope,
				  .body = buf_view(&letter->body)};
	struct error why = {0};
	int status;

	if (!message)
		return -1;
	error_set(&why, ERROR_RETRY, "dead.replay",
		  "replayed by a person"); /* with a reason it goes in front of its order key */
	park.why = &why;
	park.message_id = id_span(&message->id);
	status = store_park_put(context->store, &park, context->now, error);
	message_free(message);
	if (!status && context->parks_changed)
		context->parks_changed(context->engine);
	return status;
}

int ask_dead_replay(struct ask_context *context, json_t *request, struct error *error)
{
	struct letter letter;
	struct buf envelope;
	int status = -1;

	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	if (letter_find(context, request, &letter, error) || ask_bytes(request, "envelope", &envelope, error))
		goto done;
	status = 0;
	if (letter.state == DEAD_OPEN)
		status = letter_park(context, &letter, buf_view(&envelope), error) ||
					 letter_close(context, request, &letter, DEAD_REPLAYED, error)
				 ? -1
				 : 0;
done:
	letter_free(&letter);
	buf_free(&envelope);
	return status;
}

int ask_dead_discarded(struct ask_context *context, json_t *request, struct error *error)
{
	struct letter letter;
	const char *reason;
	int status = -1;

	if (!letter_find(context, request, &letter, error) && !ask_text(request, "reason", NULL, &reason, error))
		status = letter_close(context, request, &letter, DEAD_DISCARDED, error);
	letter_free(&letter);
	return status;
}

/* The envelope says how large the body is, what its digest is and where it lies: all of that changes with it. */
static int edited_write(struct ask_context *context, const struct letter *letter, struct span body, struct error *error)
{
	struct message *message = message_decode_new(buf_view(&letter->envelope), error);
	struct buf envelope;
	int status = -1;

	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	if (!message)
		goto done;
	message_body_take(message, reader_new_copy(body));
	if (message_body_sign(message, error) || message_encode(message, &envelope, error))
		goto done;
	{
		struct value values[] = {VALUE_OF_INT(letter->number), VALUE_OF_BLOB(buf_view(&envelope)),
					 VALUE_OF_BLOB(body)};

		status = db_run(
			store_db(context->store),
			"UPDATE dead SET envelope = $2, body = $3, body_ref = NULL, edited = 1 WHERE number = $1",
			values, 3, NULL, NULL, error);
	}
done:
	message_free(message);
	buf_free(&envelope);
	return status;
}

int ask_dead_edited(struct ask_context *context, json_t *request, struct error *error)
{
	struct letter letter;
	struct buf body;
	int status = -1;

	buf_init(&body, MESSAGE_INLINE_MAX);
	if (letter_find(context, request, &letter, error) || ask_bytes(request, "body", &body, error))
		goto done;
	if (letter.state != DEAD_OPEN)
		error_set(error, ERROR_REJECT, "ask.request",
			  "dead letter %lld is closed: it was replayed or discarded", (long long)letter.number);
	else if (!edited_write(context, &letter, buf_view(&body), error))
		status = history_put(context, request, letter.number, "edited", error);
done:
	letter_free(&letter);
	buf_free(&body);
	return status;
}
