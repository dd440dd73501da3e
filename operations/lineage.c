/* Writing lineage, its retention and totals. See lineage.h. */
#include "config.h"
#include "operations/lineage.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "operations/ask_private.h"
#include "operations/lineage_private.h"

#define PORTION       500 /* messages deleted in one transaction */
#define EXPIRE_FOR_MS 1000
#define NAME_MAX_LEN  512

/* `names` finds messages by what people know: business keys of every message; name and digest of a document at the
 * message that was accepted from it, because all others hang below that one. */
static const char first[] =
	"CREATE TABLE lineage (number {serial}, message {blob} NOT NULL, stage {text} NOT NULL, place {text} NOT NULL,"
	" attempt {int} NOT NULL, generation {int} NOT NULL, at_ms {int} NOT NULL, causation {blob}, correlation "
	"{text},"
	" type {text}, flow {text}, revision {text}, position {text}, origin_name {text}, origin_digest {blob},"
	" origin_ref {text}, origin_offset {int} NOT NULL, origin_length {int} NOT NULL, reason {text} NOT NULL, "
	"detail {text},"
	" UNIQUE (message, stage, place, attempt, generation));"
	"CREATE INDEX lineage_causation ON lineage (causation) WHERE causation IS NOT NULL;"
	"CREATE INDEX lineage_at ON lineage (at_ms);"
	"CREATE TABLE lineage_names (value {text} NOT NULL, kind {text} NOT NULL, message {blob} NOT NULL,"
	" PRIMARY KEY (value, kind, message));"
	"CREATE INDEX lineage_names_message ON lineage_names (message);";

static const char *const migrations[LINEAGE_SCHEMA] = {first};

struct lineage *lineage_open_take(struct db db, struct error *error)
{
	struct lineage *lineage;

	if (db_migrate(&db, "lineage", migrations, LINEAGE_SCHEMA, error)) {
		db.ops->close(db.self);
		return NULL;
	}
	lineage = mem_alloc(sizeof *lineage);
	lineage->db = db;
	return lineage;
}

void lineage_close(struct lineage *lineage)
{
	if (!lineage)
		return;
	lineage->db.ops->close(lineage->db.self);
	free(lineage);
}

/* ---- writing */

int lineage_begin(struct lineage *lineage, struct error *error)
{
	return lineage->db.ops->begin(lineage->db.self, error);
}

int lineage_commit(struct lineage *lineage, struct error *error)
{
	FAULT("lineage.commit");
	return lineage->db.ops->commit(lineage->db.self, error);
}

void lineage_rollback(struct lineage *lineage)
{
	lineage->db.ops->rollback(lineage->db.self);
}

static int name_put(struct lineage *lineage, const struct id *message, struct span kind, struct span value,
		    struct error *error)
{
	struct value values[3];

	if (!value.len)
		return 0;
	if (value.len > NAME_MAX_LEN)
		value.len = NAME_MAX_LEN;
	values[0] = VALUE_OF_TEXT(value);
	values[1] = VALUE_OF_TEXT(kind);
	values[2] = STORE_ID(message);
	return db_run(&lineage->db,
		      "INSERT INTO lineage_names (value, kind, message) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		      values, 3, NULL, NULL, error);
}

/* A file is asked for by its name as often as by its path. */
static int document_put(struct lineage *lineage, const struct record_view *r, struct error *error)
{
	struct span base = r->origin_name;
	char digest[ID_TEXT];

	while (base.len && memchr(base.data, '/', base.len)) {
		const char *slash = memchr(base.data, '/', base.len);

		base = span_make(slash + 1, base.len - (size_t)(slash + 1 - base.data));
	}
	id_hex(&r->origin_digest, digest);
	return name_put(lineage, &r->message, SPAN_LITERAL("document"), r->origin_name, error) ||
	       (base.len != r->origin_name.len &&
		name_put(lineage, &r->message, SPAN_LITERAL("document"), base, error)) ||
	       (id_is_none(&r->causation) && !id_is_none(&r->origin_digest) &&
		name_put(lineage, &r->message, SPAN_LITERAL("digest"), span_of(digest), error));
}

/* A duplicate hangs below what it is one of, and may have come under another name: it is asked for by that one. */
static bool is_document(const struct record_view *r)
{
	return id_is_none(&r->causation) || span_is(r->stage, "duplicate");
}

static int names_put(struct lineage *lineage, const struct record_view *r, struct error *error)
{
	for (size_t i = 0; i < r->keys_count; i++)
		if (name_put(lineage, &r->message, r->keys[i].name, r->keys[i].value, error))
			return -1;
	return is_document(r) && document_put(lineage, r, error) ? -1 : 0;
}

static json_t *detail_parse(struct span detail)
{
	return detail.len ? json_loadb(detail.data, detail.len, 0, NULL) : NULL;
}

/* What died again after a replay is told by its last death; the letter keeps the history. */
int lineage_put(struct lineage *lineage, const struct record_view *r, struct error *error)
{
	json_t *detail = detail_parse(r->detail);
	const char *code = json_string_value(json_object_get(detail, "code"));
	struct value values[] = {
		STORE_ID(&r->message),
		VALUE_OF_TEXT(r->stage),
		VALUE_OF_TEXT(r->place),
		VALUE_OF_INT(r->attempt),
		VALUE_OF_INT(r->generation),
		VALUE_OF_INT(r->time_ms),
		id_is_none(&r->causation) ? VALUE_OF_NULL : STORE_ID(&r->causation),
		store_text(r->correlation),
		store_text(r->type),
		store_text(r->flow),
		store_text(r->revision),
		store_text(r->position),
		store_text(r->origin_name),
		id_is_none(&r->origin_digest) ? VALUE_OF_NULL : STORE_ID(&r->origin_digest),
		store_text(r->origin_ref),
		VALUE_OF_INT((int64_t)r->origin_offset),
		VALUE_OF_INT((int64_t)r->origin_length),
		STORE_TEXT(code ? code : ""),
		store_text(r->detail),
	};
	int status = db_run(
		&lineage->db,
		"INSERT INTO lineage (message, stage, place, attempt, generation, at_ms, causation, correlation, type, "
		"flow,"
		" revision, position, origin_name, origin_digest, origin_ref, origin_offset, origin_length, reason, "
		"detail)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
		" ON CONFLICT (message, stage, place, attempt, generation) DO UPDATE SET at_ms = excluded.at_ms,"
		" reason = excluded.reason, detail = excluded.detail"
		" WHERE lineage.stage = 'dead' AND excluded.at_ms > lineage.at_ms",
		values, STORE_COUNT(values), NULL, NULL, error);

	json_decref(detail);
	return status || names_put(lineage, r, error) ? -1 : 0;
}

/* ---- retention */

static int take_limit(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

/* One portion by number, because numbers rise with time: what is old stands in front. A name goes with the last row of
 * its message. */
static int expire_portion(struct lineage *lineage, int64_t before, bool *more, struct error *error)
{
	struct value limits[] = {VALUE_OF_INT(before), VALUE_OF_INT(PORTION)}, range[2];
	int64_t oldest = INT64_MAX, last = 0, changed = 0;

	*more = false;
	if (db_run(&lineage->db, "SELECT at_ms FROM lineage ORDER BY at_ms LIMIT 1", NULL, 0, take_limit, &oldest,
		   error))
		return -1;
	if (oldest >= before)
		return 0;
	if (db_run(&lineage->db,
		   "SELECT MAX(number) FROM (SELECT number FROM lineage WHERE at_ms < $1 ORDER BY number LIMIT $2) AS "
		   "portion",
		   limits, 2, take_limit, &last, error))
		return -1;
	range[0] = VALUE_OF_INT(before);
	range[1] = VALUE_OF_INT(last);
	if (lineage_begin(lineage, error))
		return -1;
	if (db_run(&lineage->db,
		   "DELETE FROM lineage_names WHERE message IN (SELECT message FROM lineage WHERE at_ms < $1 AND "
		   "number <= $2)"
		   " AND NOT EXISTS (SELECT 1 FROM lineage l WHERE l.message = lineage_names.message AND (l.at_ms >= "
		   "$1 OR l.number > $2))",
		   range, 2, NULL, NULL, error) ||
	    db_change(&lineage->db, "DELETE FROM lineage WHERE at_ms < $1 AND number <= $2", range, 2, &changed,
		      error) ||
	    lineage_commit(lineage, error)) {
		lineage_rollback(lineage);
		return -1;
	}
	*more = changed > 0;
	return 0;
}

int lineage_expire(struct lineage *lineage, int64_t before_ms, struct error *error)
{
	int64_t until = clock_tick_ms() + EXPIRE_FOR_MS;
	bool more = true;

	while (more && clock_tick_ms() < until)
		if (expire_portion(lineage, before_ms, &more, error))
			return -1;
	return 0;
}

/* ---- totals */

static int put_total(void *arg, const struct value *row, size_t columns)
{
	json_t *total = json_object();

	ask_put_text(total, "stage", row[0]);
	ask_put_text(total, "place", row[1]);
	ask_put_text(total, "reason", row[2]);
	ask_put_int(total, "count", row[3]);
	json_array_append_new(arg, total);
	return 0;
}

json_t *lineage_totals(struct lineage *lineage, struct error *error)
{
	json_t *totals = json_array();

	if (!db_run(&lineage->db,
		    "SELECT stage, place, reason, count(*) FROM lineage GROUP BY stage, place, reason ORDER BY stage, "
		    "place, reason",
		    NULL, 0, put_total, totals, error))
		return totals;
	json_decref(totals);
	return NULL;
}
