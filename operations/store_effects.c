/* Effects: intents before, receipts after. DURABILITY.md's rules of doubt are these statements.
 *
 * A row changes by compare-and-swap on (state, attempts, session), so that two machines that meet over one effect
 * cannot both be told GO. */
#include "config.h"
#include "operations/store.h"

#include "base/fault.h"
#include "operations/store_private.h"

#define MEETINGS_MAX 8 /* lost races before giving up for now */

struct effect_row {
	bool found;
	enum effect_state state;
	bool same_request;
	int64_t attempts, first_ms;
	char session[64];
	size_t session_len;
	const struct id *request;
};

static int take_row(void *arg, const struct value *row, size_t columns)
{
	struct effect_row *r = arg;

	r->found = true;
	r->state = (enum effect_state)row[0].number;
	r->attempts = row[1].number;
	r->first_ms = row[2].number;
	r->session_len = row[3].bytes.len < sizeof r->session ? row[3].bytes.len : sizeof r->session;
	if (r->session_len)
		memcpy(r->session, row[3].bytes.data, r->session_len);
	/* One made without an intent has no digest to differ from. */
	r->same_request = row[4].type == VALUE_NULL || span_equal(row[4].bytes, id_span(r->request));
	return 1;
}

/* Was this message there before the store was put back? Then its effect may have happened since. */
bool store_is_older_than_restore(const struct store *store, const struct message *message)
{
	int64_t since = message->generation ? effect_generation_ms(message->generation) : 0;

	return store->restored_ms && since < store->restored_ms &&
	       (message->accepted_ms < store->restored_ms || message->time_ms < store->restored_ms);
}

static int row_insert(struct store *store, const struct store_intent *in, int64_t first_ms, int64_t *changed,
		      struct error *error)
{
	const struct message *m = in->message;
	struct value values[] = {
		STORE_ID(in->key),       STORE_ID(&m->id),         STORE_TEXT(in->endpoint),
		store_blob(in->session), STORE_ID(in->request),    VALUE_OF_INT(m->generation),
		VALUE_OF_INT(in->now),   store_text(m->revision),  store_text(m->origin.ref),
		store_text(m->body_ref), store_blob(in->envelope), VALUE_OF_BLOB(in->body),
		VALUE_OF_INT(first_ms),
	};

	return db_change(
		store->db,
		"INSERT INTO effects (key, message, endpoint, state, session, request, generation, attempts, first_ms, "
		"last_ms,"
		" revision, origin_ref, body_ref, envelope, body)"
		" VALUES ($1, $2, $3, 0, $4, $5, $6, 1, $13, $7, $8, $9, $10, $11, $12) ON CONFLICT (key) DO NOTHING",
		values, STORE_COUNT(values), changed, error);
}

/* Certainly not done before: a new attempt, with the bytes of this one. */
static int row_again(struct store *store, const struct store_intent *in, const struct effect_row *row, int64_t *changed,
		     struct error *error)
{
	const struct message *m = in->message;
	struct value values[] = {
		STORE_ID(in->key),         VALUE_OF_INT(row->attempts), store_blob(in->session),
		STORE_ID(in->request),     VALUE_OF_INT(in->now),       store_text(m->revision),
		store_text(m->origin.ref), store_text(m->body_ref),     store_blob(in->envelope),
		VALUE_OF_BLOB(in->body),
	};

	return db_change(store->db,
			 "UPDATE effects SET state = 0, attempts = attempts + 1, session = $3, request = $4, last_ms = "
			 "$5, reason = NULL,"
			 " revision = $6, origin_ref = $7, body_ref = $8, envelope = $9, body = $10"
			 " WHERE key = $1 AND attempts = $2 AND state = 3",
			 values, STORE_COUNT(values), changed, error);
}

/* Of an effect that may have happened: this session finds out. The digest stays that of the request that may have
 * arrived. */
static int row_take_over(struct store *store, const struct store_intent *in, const struct effect_row *row,
			 int64_t *changed, struct error *error)
{
	struct value values[] = {
		STORE_ID(in->key),       VALUE_OF_INT(row->attempts), VALUE_OF_INT(row->state),
		store_blob(in->session), VALUE_OF_INT(in->now),
	};

	return db_change(store->db,
			 "UPDATE effects SET attempts = attempts + 1, session = $4, last_ms = $5 WHERE key = $1 AND "
			 "attempts = $2 AND state = $3",
			 values, STORE_COUNT(values), changed, error);
}

/* 1: answered, 0: somebody was faster, look again. A session that meets its own intent has given it up: it has one copy
 * of a message in hand at a time. */
static int meet(struct store *store, const struct store_intent *in, const struct effect_row *row, store_alive_fn *alive,
		void *arg, struct intention *out, struct error *error)
{
	struct span session = span_make(row->session, row->session_len);
	int64_t changed = 1;
	int status = 0;

	*out = (struct intention){
		.same_request = row->same_request, .first_ms = row->first_ms, .attempts = (uint32_t)row->attempts};
	if (row->state == EFFECT_DONE) {
		out->answer = INTENT_DONE;
	} else if (row->state == EFFECT_IDLE) {
		out->answer = INTENT_GO;
		out->same_request = true;
		out->attempts++;
		status = row_again(store, in, row, &changed, error);
	} else if (session.len && !span_equal(session, in->session) && alive && alive(arg, session)) {
		out->answer = INTENT_BUSY;
	} else {
		out->answer = INTENT_DOUBT;
		out->attempts++;
		status = row_take_over(store, in, row, &changed, error);
	}
	return status ? -1 : changed == 1;
}

int store_intend(struct store *store, const struct store_intent *in, store_alive_fn *alive, void *arg,
		 struct intention *out, struct error *error)
{
	bool old = store_is_older_than_restore(store, in->message);
	int64_t first_ms = old && in->message->accepted_ms < in->now ? in->message->accepted_ms : in->now;

	for (int i = 0; i < MEETINGS_MAX; i++) {
		struct effect_row row = {.request = in->request};
		struct value key = STORE_ID(in->key);
		int64_t changed;
		int met;

		if (row_insert(store, in, first_ms, &changed, error))
			return -1;
		if (changed) {
			*out = (struct intention){old ? INTENT_DOUBT : INTENT_GO, true, first_ms, 1};
			FAULT("store.intended");
			return 0;
		}
		if (db_run(store->db, "SELECT state, attempts, first_ms, session, request FROM effects WHERE key = $1",
			   &key, 1, take_row, &row, error))
			return -1;
		if (!row.found)
			continue;
		met = meet(store, in, &row, alive, arg, out, error);
		if (met)
			return met < 0 ? -1 : 0;
	}
	return error_set(error, ERROR_RETRY, "db.busy", "too many workers meet over one effect of endpoint %s",
			 in->endpoint);
}

/* ---- outcomes: none of them ever touches a row with a receipt, so that a unit done twice changes nothing */

static const char delivered[] = "INSERT INTO effects (key, message, endpoint, generation, revision, receipt, last_ms, "
				"done_ms, first_ms, state, attempts)"
				" VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7, 1, 1)"
				" ON CONFLICT (key) DO UPDATE SET state = 1, session = NULL, receipt = "
				"excluded.receipt, done_ms = excluded.done_ms,"
				" last_ms = excluded.last_ms, origin_ref = NULL, body_ref = NULL, envelope = NULL, "
				"body = NULL WHERE effects.state <> 1";

static const char doubt[] = "INSERT INTO effects (key, message, endpoint, generation, revision, reason, last_ms, "
			    "first_ms, origin_ref, body_ref, envelope, body,"
			    " state, attempts) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, 2, 1)"
			    " ON CONFLICT (key) DO UPDATE SET state = 2, session = NULL, reason = excluded.reason, "
			    "last_ms = excluded.last_ms,"
			    " origin_ref = COALESCE(effects.origin_ref, excluded.origin_ref), body_ref = "
			    "COALESCE(effects.body_ref, excluded.body_ref),"
			    " body = CASE WHEN effects.envelope IS NULL THEN excluded.body ELSE effects.body END,"
			    " envelope = COALESCE(effects.envelope, excluded.envelope) WHERE effects.state <> 1";

static const char unclear[] =
	"INSERT INTO effects (key, message, endpoint, generation, revision, reason, last_ms, first_ms, origin_ref, "
	"body_ref, envelope, body,"
	" state, attempts) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, 0, 1)"
	" ON CONFLICT (key) DO UPDATE SET state = CASE WHEN effects.state = 2 THEN 2 ELSE 0 END, session = NULL,"
	" reason = excluded.reason, last_ms = excluded.last_ms WHERE effects.state <> 1";

int store_effect(struct store *store, const struct id *key, enum outcome outcome, const struct message *m,
		 const char *endpoint, struct span envelope, struct span body, struct span receipt, int64_t now,
		 struct error *error)
{
	struct value values[] = {
		STORE_ID(key),           STORE_ID(&m->id),     STORE_TEXT(endpoint), VALUE_OF_INT(m->generation),
		store_text(m->revision), store_text(receipt),  VALUE_OF_INT(now),    store_text(m->origin.ref),
		store_text(m->body_ref), store_blob(envelope), VALUE_OF_BLOB(body),
	};
	struct value withdrawn[] = {STORE_ID(key), VALUE_OF_INT(now)};

	switch (outcome) {
	case OUTCOME_DELIVERED:
		return db_run(store->db, delivered, values, 7, NULL, NULL, error);
	case OUTCOME_DOUBT:
		return db_run(store->db, doubt, values, STORE_COUNT(values), NULL, NULL, error);
	case OUTCOME_UNCLEAR:
		return db_run(store->db, unclear, values, STORE_COUNT(values), NULL, NULL, error);
	case OUTCOME_NOT_DONE: /* a doubt that waits for a person is not withdrawn by a unit that comes late */
		return db_run(store->db,
			      "UPDATE effects SET state = 3, session = NULL, last_ms = $2, origin_ref = NULL, body_ref "
			      "= NULL, envelope = NULL,"
			      " body = NULL WHERE key = $1 AND (state = 0 OR (state = 2 AND session IS NOT NULL))",
			      withdrawn, 2, NULL, NULL, error);
	}
	return error_set(error, ERROR_FATAL, "db.error", "outcome %d is not known", (int)outcome);
}
