/* The audit trail in the store. See store.h and audit.h. */
#include "config.h"
#include "operations/store.h"

#include "operations/store_private.h"

#define DAY_MS (24 * 3600 * 1000LL)

struct trail {
	struct store *store;
	struct audit_head head;
	int64_t signed_number, signed_ms;
	uint8_t key[SIGN_KEY_SIZE]; /* that signed last; zeros: none */
};

static int take_head(void *arg, const struct value *row, size_t columns)
{
	struct trail *trail = arg;

	trail->head.number = row[0].number;
	trail->head.at_ms = row[1].number;
	if (row[2].bytes.len == sizeof trail->head.hash)
		memcpy(trail->head.hash, row[2].bytes.data, sizeof trail->head.hash);
	trail->signed_number = row[3].number;
	trail->signed_ms = row[4].number;
	if (row[5].bytes.len == sizeof trail->key)
		memcpy(trail->key, row[5].bytes.data, sizeof trail->key);
	return 0;
}

/* Locks the row until the transaction ends: one machine writes at a time. */
static int begin(struct trail *trail, struct error *error)
{
	return db_run(trail->store->db,
		      "UPDATE audit_head SET one = 1 WHERE one = 1"
		      " RETURNING number, at_ms, hash, signed, signed_ms, key",
		      NULL, 0, take_head, trail, error);
}

static int end(const struct trail *trail, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(trail->head.number),
				 VALUE_OF_INT(trail->head.at_ms),
				 VALUE_OF_BLOB(span_make(trail->head.hash, sizeof trail->head.hash)),
				 VALUE_OF_INT(trail->signed_number),
				 VALUE_OF_INT(trail->signed_ms),
				 VALUE_OF_BLOB(span_make(trail->key, sizeof trail->key))};

	return db_run(trail->store->db,
		      "UPDATE audit_head SET number = $1, at_ms = $2, hash = $3, signed = $4, signed_ms = $5, key = $6"
		      " WHERE one = 1",
		      values, STORE_COUNT(values), NULL, NULL, error);
}

static int keep(const struct trail *trail, const char *what, const char *who, const char *once, struct buf *line,
		struct error *error)
{
	struct value values[] = {
		VALUE_OF_INT(trail->head.number), VALUE_OF_INT(trail->head.at_ms), STORE_TEXT(what), STORE_TEXT(who),
		store_text(span_of(once)),        VALUE_OF_TEXT(buf_view(line))};
	int result = db_run(trail->store->db,
			    "INSERT INTO audit (number, at_ms, what, who, once, line) VALUES ($1, $2, $3, $4, $5, $6)",
			    values, STORE_COUNT(values), NULL, NULL, error);

	buf_reset(line);
	return result;
}

static int announce(struct trail *trail, const struct audit_key *key, int64_t now, struct buf *line,
		    struct error *error)
{
	if (!memcmp(trail->key, key->public_key, sizeof trail->key))
		return 0;
	memcpy(trail->key, key->public_key, sizeof trail->key);
	audit_announce(&trail->head, now, key, line);
	return keep(trail, "audit.key", "", NULL, line, error);
}

static int checkpoint(struct trail *trail, const struct audit_key *key, int64_t now, struct buf *line,
		      struct error *error)
{
	audit_checkpoint(&trail->head, now, key, line);
	trail->signed_number = trail->head.number;
	trail->signed_ms = trail->head.at_ms;
	return keep(trail, "checkpoint", "", NULL, line, error);
}

static int stop_there(void *arg, const struct value *row, size_t columns)
{
	*(bool *)arg = true;
	return 1;
}

static int is_there(struct store *store, const char *once, bool *there, struct error *error)
{
	struct value value = STORE_TEXT(once);

	return db_run(store->db, "SELECT number FROM audit WHERE once = $1", &value, 1, stop_there, there, error);
}

static int write_record(struct trail *trail, const struct store_audit *record, struct buf *line, struct error *error)
{
	bool first_today = !trail->signed_number || trail->signed_ms / DAY_MS != record->now / DAY_MS;

	if (record->key && announce(trail, record->key, record->now, line, error))
		return -1;
	audit_record(&trail->head, record->now, record->what, record->who, record->facts, line);
	if (keep(trail, record->what, record->who, record->once, line, error))
		return -1;
	if (record->key && (first_today || trail->head.number - trail->signed_number >= AUDIT_EVERY - 1) &&
	    checkpoint(trail, record->key, record->now, line, error))
		return -1;
	return end(trail, error);
}

int store_audit_put(struct store *store, const struct store_audit *record, struct error *error)
{
	struct trail trail = {.store = store};
	struct buf line;
	bool there = false;
	int result;

	buf_init(&line, AUDIT_LINE_MAX);
	result = begin(&trail, error) || (record->once && is_there(store, record->once, &there, error)) ? -1 : 0;
	if (!result && !there)
		result = write_record(&trail, record, &line, error);
	buf_free(&line);
	return result;
}

int store_audit_checkpoint(struct store *store, const struct audit_key *key, int64_t now, struct error *error)
{
	struct trail trail = {.store = store};
	struct buf line;
	int result;

	buf_init(&line, AUDIT_LINE_MAX);
	result = begin(&trail, error) || announce(&trail, key, now, &line, error) ? -1 : 0;
	if (!result && trail.signed_number < trail.head.number)
		result = checkpoint(&trail, key, now, &line, error) || end(&trail, error) ? -1 : 0;
	buf_free(&line);
	return result;
}

struct reading {
	int (*each)(void *, int64_t, struct span);
	void *arg;
};

static int give_line(void *arg, const struct value *row, size_t columns)
{
	const struct reading *reading = arg;

	return reading->each(reading->arg, row[0].number, row[1].bytes);
}

int store_audit_each(struct store *store, int64_t after, int64_t limit, int (*each)(void *, int64_t, struct span),
		     void *arg, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(after), VALUE_OF_INT(limit)};
	struct reading reading = {each, arg};

	return db_run(store->db, "SELECT number, line FROM audit WHERE number > $1 ORDER BY number LIMIT $2", values, 2,
		      give_line, &reading, error);
}
