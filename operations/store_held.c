/* Messages that wait in durable steps: how they come in. See held.h. */
#include "config.h"
#include "operations/held.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/fault.h"
#include "operations/held_private.h"

#define MEETINGS_MAX 8 /* with others that open or close the same collection */

int store_take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

struct id held_key(const struct id *key, uint32_t generation)
{
	char text[16];

	if (!generation)
		return *key;
	snprintf(text, sizeof text, "%u", generation);
	return id_of((struct span[]){id_span(key), span_of(text)}, 2);
}

/* ---- collections */
static int take_collection(void *arg, const struct value *row, size_t columns)
{
	struct collection *c = arg;

	*c = (struct collection){true,
				 row[0].number,
				 row[1].number,
				 row[2].number,
				 row[3].number,
				 row[4].number,
				 row[5].number,
				 row[6].number,
				 row[7].number,
				 row[8].number,
				 row[9].number,
				 row[10].number,
				 row[11].type == VALUE_NULL ? 0 : row[11].number};
	return 0;
}

int collection_find(struct store *store, const struct collection_of *of, int64_t now, struct collection *c,
		    struct error *error)
{
	struct value values[] = {STORE_TEXT(of->queue), STORE_ID(&of->key), VALUE_OF_INT(now)};

	c->found = false;
	return db_run(store->db,
		      "UPDATE collections SET last_ms = $3 WHERE queue = $1 AND key = $2 AND state = 0"
		      " RETURNING number, members, bytes, filled, dead, dropped, size, count_max, bytes_max, next, due,"
		      " first_ms",
		      values, STORE_COUNT(values), take_collection, c, error);
}

static int insert(struct store *store, const struct collection_of *of, int64_t now, struct error *error)
{
	struct value values[] = {
		STORE_TEXT(of->queue), STORE_ID(&of->key),      VALUE_OF_INT(of->kind),  VALUE_OF_TEXT(of->flow),
		STORE_TEXT(of->step),  VALUE_OF_INT(INT64_MAX), VALUE_OF_INT(of->start), VALUE_OF_INT(now),
	};
	int64_t changed; /* asked for, so that the statement is not put off until the commit */

	return db_change(store->db,
			 "INSERT INTO collections (queue, key, generation, state, kind, policy, flow, step, label, "
			 "due, members, bytes,"
			 " filled, dead, dropped, size, count_max, bytes_max, within_ms, next, last_ms)"
			 " VALUES ($1, $2, 1 + COALESCE((SELECT MAX(generation) FROM collections WHERE queue = $1 AND "
			 "key = $2), 0),"
			 " 0, $3, 0, $4, $5, '', $6, 0, 0, 0, 0, 0, 0, 0, 0, 0, $7, $8) ON CONFLICT DO NOTHING",
			 values, STORE_COUNT(values), &changed, error);
}

int collection_open(struct store *store, const struct collection_of *of, int64_t now, struct collection *c,
		    struct error *error)
{
	for (int i = 0; i < MEETINGS_MAX; i++) {
		if (collection_find(store, of, now, c, error))
			return -1;
		if (c->found)
			return 0;
		if (insert(store, of, now, error))
			return -1;
	}
	return error_set(error, ERROR_RETRY, "held.busy",
			 "others open and close the collection of this key all the time");
}

static int closed_before(struct store *store, const struct collection_of *of, bool *closed, struct error *error)
{
	struct value values[] = {STORE_TEXT(of->queue), STORE_ID(&of->key)};
	int64_t n = 0;

	if (db_run(store->db, "SELECT count(*) FROM collections WHERE queue = $1 AND key = $2 AND state <> 0", values,
		   2, store_take_number, &n, error))
		return -1;
	*closed = n > 0;
	return 0;
}

static int drop_empty(struct store *store, int64_t number, struct error *error)
{
	struct value value = VALUE_OF_INT(number);

	return db_run(store->db, "DELETE FROM collections WHERE number = $1", &value, 1, NULL, NULL, error);
}

/* Another machine may close it while this one waits for its row, or between a look and the opening: so what was opened
 * is looked at once more, and given up before anybody sees it. */
int collection_open_group(struct store *store, const struct collection_of *of, int64_t now, struct collection *c,
			  bool *closed, struct error *error)
{
	*closed = false;
	if (collection_find(store, of, now, c, error))
		return -1;
	if (c->found)
		return 0;
	if (closed_before(store, of, closed, error))
		return -1;
	if (*closed)
		return 0;
	FAULT("held.opening");
	if (collection_open(store, of, now, c, error) || closed_before(store, of, closed, error))
		return -1;
	return *closed ? drop_empty(store, c->number, error) : 0;
}

int collection_counts(struct store *store, const struct collection *c, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(c->number), VALUE_OF_INT(c->members), VALUE_OF_INT(c->bytes),
				 VALUE_OF_INT(c->filled), VALUE_OF_INT(c->dead),    VALUE_OF_INT(c->dropped),
				 VALUE_OF_INT(c->size)};

	return db_run(store->db,
		      "UPDATE collections SET members = $2, bytes = $3, filled = $4, dead = $5, dropped = $6, size = $7"
		      " WHERE number = $1",
		      values, STORE_COUNT(values), NULL, NULL, error);
}

int collection_due(struct store *store, int64_t number, int64_t due, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(number), VALUE_OF_INT(due)};

	return db_run(store->db, "UPDATE collections SET due = $2 WHERE number = $1", values, 2, NULL, NULL, error);
}

/* A group of which a part was there before the restore. */
static int set_first(struct store *store, int64_t number, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(number), VALUE_OF_INT(store->restored_ms - 1)};

	return db_run(store->db, "UPDATE collections SET first_ms = $2 WHERE number = $1", values, 2, NULL, NULL,
		      error);
}

/* The first member brings the rules: those of the revision that accepted it. */
static int set_rules(struct store *store, const struct store_held *held, const struct collection *c, int64_t due,
		     int64_t now, struct error *error)
{
	const struct hold *hold = held->hold;
	struct value values[] = {
		VALUE_OF_INT(c->number),
		VALUE_OF_INT(hold->policy),
		VALUE_OF_TEXT(hold->label),
		VALUE_OF_INT(due),
		VALUE_OF_INT(hold->count),
		VALUE_OF_INT(hold->bytes),
		VALUE_OF_INT(hold->within_ms),
		VALUE_OF_INT(store_is_older_than_restore(store, held->message) ? store->restored_ms - 1 : now),
		store_text(held->message->revision),
		STORE_TEXT(held->step),
	};

	return db_run(store->db,
		      "UPDATE collections SET policy = $2, label = $3, due = $4, count_max = $5, bytes_max = $6,"
		      " within_ms = $7, first_ms = $8, revision = $9, step = $10 WHERE number = $1",
		      values, STORE_COUNT(values), NULL, NULL, error);
}

/* ---- members */
struct before {
	bool found, same;
	const struct id *digest;
};

static int take_before(void *arg, const struct value *row, size_t columns)
{
	struct before *before = arg;

	before->found = true;
	before->same = span_equal(row[0].bytes, id_span(before->digest));
	return 1;
}

static int refuse(enum held_outcome *outcome)
{
	*outcome = HELD_REFUSED;
	return 0;
}

/* The same message, waiting or gone. What an operator sent again is recognised whatever its bytes. */
static int look_before(struct store *store, const struct store_held *held, bool *known, enum held_outcome *outcome,
		       struct error *why, struct error *error)
{
	const struct message *m = held->message;
	struct before before = {.digest = &m->body_digest};
	struct value values[] = {STORE_TEXT(held->queue), STORE_ID(&m->id), VALUE_OF_INT(m->generation)};

	if (db_run(store->db, "SELECT digest FROM held WHERE queue = $1 AND member = $2 AND generation = $3", values, 3,
		   take_before, &before, error))
		return -1;
	*known = before.found;
	*outcome = HELD_AGAIN;
	if (!before.found || before.same || m->flags & MESSAGE_REPLAY)
		return 0;
	error_set(why, ERROR_REJECT, "identity.conflict",
		  "a message with this identity and other content was held here before");
	return refuse(outcome);
}

static int insert_held(struct store *store, const struct store_held *held, int64_t collection, int64_t place,
		       int64_t now, bool *inserted, struct error *error)
{
	const struct message *m = held->message;
	struct value values[] = {
		VALUE_OF_INT(collection),    STORE_TEXT(held->queue),       STORE_ID(&m->id),
		VALUE_OF_INT(m->generation), VALUE_OF_INT(place),           STORE_ID(&m->body_digest),
		VALUE_OF_INT(now),           store_text(m->revision),       store_text(m->origin.ref),
		store_text(m->body_ref),     VALUE_OF_BLOB(held->envelope), VALUE_OF_BLOB(held->body),
	};
	int64_t changed;

	if (db_change(store->db,
		      "INSERT INTO held (collection, queue, member, generation, state, place, digest, at_ms, revision,"
		      " origin_ref, body_ref, envelope, body) VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, "
		      "$12)"
		      " ON CONFLICT DO NOTHING",
		      values, STORE_COUNT(values), &changed, error))
		return -1;
	FAULT("held.kept");
	*inserted = changed > 0;
	return 0;
}

/* ---- collect */
static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t due_of(const struct hold *hold, int64_t now)
{
	int64_t due = hold->within_ms ? now + hold->within_ms : INT64_MAX;

	return hold->at_minute < 0 ? due : least(due, clock_next_minute(now, hold->at_minute));
}

static int64_t bytes_most(const struct hold *hold)
{
	return (int64_t)(hold->bytes && hold->bytes < hold->bytes_most ? hold->bytes : hold->bytes_most);
}

static struct collection_of collection_of(const struct store_held *held)
{
	return (struct collection_of){.queue = held->queue,
				      .flow = held->message->flow,
				      .step = held->step,
				      .key = held_key(&held->hold->key, held->message->generation),
				      .kind = held->hold->kind,
				      .start = held->hold->start};
}

/* The collection that has room for it: after a restore, of what came before it or of what came since. One that
 * would become too large closes; a group cannot, so its member does not fit. */
static int find_room(struct store *store, const struct store_held *held, const struct collection_of *of, int64_t now,
		     struct collection *c, bool *due, enum held_outcome *outcome, struct error *why,
		     struct error *error)
{
	const struct hold *hold = held->hold;
	int64_t size = (int64_t)held->message->body_size + 1;
	bool changed, same_age, old = store_is_older_than_restore(store, held->message);

	for (;;) {
		bool late = false;

		if (hold->group ? collection_open_group(store, of, now, c, &late, error)
				: collection_open(store, of, now, c, error))
			return -1;
		if (late) {
			error_set(why, ERROR_REJECT, "collect.late",
				  "its group has closed already: what became of it tells `ferrule trace`");
			return refuse(outcome);
		}
		same_age = hold->group || old == (c->first < store->restored_ms);
		if (c->members == 0 || (same_age && c->bytes + size + 2 <= bytes_most(hold)))
			return 0;
		if (hold->group) {
			error_set(why, ERROR_REJECT, "collect.too-large",
				  "with this part its group would pass %lld bytes, the site's limits: tree",
				  (long long)bytes_most(hold));
			return refuse(outcome);
		}
		if (store_collection_close(store, c->number, same_age ? "size" : "restored", now, &changed, error))
			return -1;
		*due = true;
	}
}

static int close_others(struct store *store, const struct collection_of *of, int64_t now, bool *due,
			struct error *error)
{
	struct value values[] = {STORE_TEXT(of->queue), STORE_ID(&of->key), VALUE_OF_INT(now),
				 VALUE_OF_INT(store->restored_ms)};
	int64_t changed;

	if (db_change(store->db,
		      "UPDATE collections SET state = 1, reason = 'change', closed_ms = " STORE_CLOSED(
			      "$3", "$4") " WHERE queue = $1 AND key <> $2 AND state = 0 AND members > 0",
		      values, STORE_COUNT(values), &changed, error))
		return -1;
	*due = *due || changed;
	return 0;
}

static const char *full(const struct hold *hold, const struct collection *c)
{
	if (hold->group)
		return NULL;
	if (c->count_max && c->members >= c->count_max)
		return "count";
	return c->bytes_max && c->bytes + 2 >= c->bytes_max ? "size" : NULL;
}

static int join(struct store *store, const struct store_held *held, const struct collection_of *of,
		struct collection *c, int64_t now, bool *due, enum held_outcome *outcome, struct error *error)
{
	const struct hold *hold = held->hold;
	int64_t until = due_of(hold, now);
	const char *reason;
	bool inserted, changed;

	if (insert_held(store, held, c->number, hold->group ? hold->place : 0, now, &inserted, error))
		return -1;
	if (!inserted) /* another copy of it, a moment before */
		return *outcome = HELD_AGAIN, 0;
	if (hold->group && group_fill(store, c, held->queue, &of->key, hold->place, &held->message->id, error))
		return -1;
	if (store_is_older_than_restore(store, held->message) && c->members && c->first >= store->restored_ms &&
	    set_first(store, c->number, error))
		return -1;
	if (c->members == 0) {
		if (set_rules(store, held, c, until, now, error))
			return -1;
		c->count_max = (int64_t)hold->count;
		c->bytes_max = (int64_t)hold->bytes;
		*due = *due || until != INT64_MAX;
	}
	c->members++;
	c->bytes += (int64_t)held->message->body_size + 1;
	if ((int64_t)hold->group_size > c->size)
		c->size = hold->group_size;
	if (collection_counts(store, c, error))
		return -1;
	if (hold->group)
		return collection_complete(store, c, now, due, error);
	if (hold->change && close_others(store, of, now, due, error))
		return -1;
	reason = full(hold, c);
	if (!reason)
		return 0;
	*due = true;
	return store_collection_close(store, c->number, reason, now, &changed, error);
}

static int put_collect(struct store *store, const struct store_held *held, int64_t now, bool *due,
		       enum held_outcome *outcome, struct error *why, struct error *error)
{
	struct collection_of of = collection_of(held);
	struct collection c;

	if (find_room(store, held, &of, now, &c, due, outcome, why, error) || *outcome == HELD_REFUSED)
		return *outcome == HELD_REFUSED ? 0 : -1;
	return join(store, held, &of, &c, now, due, outcome, error);
}

/* ---- resequence */
static int look_place(struct store *store, const struct store_held *held, int64_t collection, struct before *before,
		      struct error *error)
{
	struct value values[] = {VALUE_OF_INT(collection), VALUE_OF_INT(held->hold->number)};

	before->digest = &held->message->body_digest;
	return db_run(store->db, "SELECT digest FROM held WHERE collection = $1 AND place = $2 ORDER BY number LIMIT 1",
		      values, 2, take_before, before, error);
}

/* Whether its number is free; if not, or if it was passed over, what becomes of it. */
static int look_number(struct store *store, const struct store_held *held, const struct collection *c,
		       enum held_outcome *outcome, struct error *why, struct error *error)
{
	long long number = (long long)held->hold->number;
	struct before before = {0};

	if (look_place(store, held, c->number, &before, error))
		return -1;
	if (before.found && before.same)
		return *outcome = HELD_DUPLICATE, 0;
	if (before.found)
		error_set(why, ERROR_REJECT, "resequence.conflict", "number %lld came before, with other content",
			  number);
	else if (held->hold->number < c->next)
		error_set(why, ERROR_REJECT, "resequence.late",
			  "number %lld was passed over: the next one is %lld; a replay sends it on all the same",
			  number, (long long)c->next);
	else
		return 0;
	return refuse(outcome);
}

static int put_sequence(struct store *store, const struct store_held *held, int64_t now, bool *due,
			enum held_outcome *outcome, struct error *why, struct error *error)
{
	struct collection_of of = collection_of(held);
	const struct hold *hold = held->hold;
	/* what an operator sends anew does not wait: it had its turn */
	int64_t place = held->message->generation ? -1 : hold->number, until;
	struct collection c;
	bool inserted;

	of.key = hold->key;
	if (collection_open(store, &of, now, &c, error) ||
	    (place >= 0 && look_number(store, held, &c, outcome, why, error)))
		return -1;
	if (*outcome != HELD_KEPT)
		return 0;
	if (insert_held(store, held, c.number, place, now, &inserted, error))
		return -1;
	if (!inserted)
		return *outcome = HELD_AGAIN, 0;
	if (c.members == 0 && set_rules(store, held, &c, c.due, now, error))
		return -1;
	c.members++;
	c.bytes += (int64_t)held->message->body_size;
	until = place <= c.next ? 0 : c.due;
	if (until == INT64_MAX && hold->policy != HOLD_WAIT)
		until = now + hold->within_ms;
	*due = *due || until != c.due;
	return collection_counts(store, &c, error) || (until != c.due && collection_due(store, c.number, until, error))
		       ? -1
		       : 0;
}

/* ---- dedupe */
/* Claims the key for this message, or finds whose it is. */
static int claim(struct store *store, const struct store_held *held, int64_t now, enum held_outcome *outcome,
		 struct error *why, struct error *error)
{
	const struct hold *hold = held->hold;
	const struct message *m = held->message;
	struct span scope = hold->everywhere ? SPAN_LITERAL("") : span_of(held->queue);
	struct id key = held_key(&hold->key, m->generation),
		  first = id_of((struct span[]){SPAN_LITERAL("dedupe"), scope, id_span(&key)}, 3),
		  same = id_of((struct span[]){id_span(&first), id_span(&m->body_digest)}, 2), owner[2];
	int64_t until = hold->within_ms ? now + hold->within_ms : INT64_MAX;
	enum seen seen[2];

	if (store_seen_put(store, &first, &m->id, until, now, error) ||
	    store_seen_find(store, (struct id[]){first, same}, 2, now, seen, owner, error))
		return -1;
	if (id_equal(&owner[0], &m->id))
		return store_seen_put(store, &same, &m->id, until, now, error);
	*outcome = HELD_DUPLICATE;
	if (hold->policy == HOLD_PASS || seen[1] != SEEN_NEW || m->flags & MESSAGE_REPLAY)
		return 0;
	error_set(why, ERROR_REJECT, "dedupe.conflict",
		  "a message with the same key and other content came first (conflict: drop lets such go)");
	return refuse(outcome);
}

static int put_first(struct store *store, const struct store_held *held, int64_t now, bool *due,
		     enum held_outcome *outcome, struct error *why, struct error *error)
{
	struct collection_of of = collection_of(held);
	struct collection c;
	bool inserted;

	if (claim(store, held, now, outcome, why, error))
		return -1;
	if (*outcome != HELD_KEPT)
		return 0;
	of.key = id_of(NULL, 0); /* all that may go on wait together */
	if (collection_open(store, &of, now, &c, error) || insert_held(store, held, c.number, 0, now, &inserted, error))
		return -1;
	if (!inserted)
		return *outcome = HELD_AGAIN, 0;
	if (c.members == 0 && set_rules(store, held, &c, c.due, now, error))
		return -1;
	c.members++;
	c.bytes += (int64_t)held->message->body_size;
	*due = true;
	return collection_counts(store, &c, error) || (c.due && collection_due(store, c.number, 0, error)) ? -1 : 0;
}

int store_held_put(struct store *store, const struct store_held *held, int64_t now, enum held_outcome *outcome,
		   bool *due, struct error *why, struct error *error)
{
	bool known;

	if (look_before(store, held, &known, outcome, why, error))
		return -1;
	if (known)
		return 0;
	*outcome = HELD_KEPT;
	switch (held->hold->kind) {
	case HOLD_SEQUENCE:
		return put_sequence(store, held, now, due, outcome, why, error);
	case HOLD_FIRST:
		return put_first(store, held, now, due, outcome, why, error);
	default:
		return put_collect(store, held, now, due, outcome, why, error);
	}
}
