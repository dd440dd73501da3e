/* What `ferrule replay` asks of lineage: which documents a flow received, and whether something newer went out since.
 */
#include "config.h"
#include "operations/lineage.h"

#include "operations/ask_private.h"
#include "operations/lineage_private.h"

static int put_original(void *arg, const struct value *row, size_t columns)
{
	json_t *original = json_object();

	ask_put_hex(original, "id", row[0]);
	ask_put_text(original, "correlation", row[1]);
	ask_put_int(original, "at_ms", row[2]);
	ask_put_text(original, "revision", row[3]);
	ask_put_text(original, "name", row[4]);
	ask_put_hex(original, "digest", row[5]);
	ask_put_text(original, "ref", row[6]);
	ask_put_int(original, "offset", row[7]);
	ask_put_int(original, "length", row[8]);
	json_array_append_new(arg, original);
	return 0;
}

json_t *lineage_originals(struct lineage *lineage, const char *flow, int64_t since_ms, int64_t until_ms, int64_t limit,
			  struct error *error)
{
	struct value values[] = {STORE_TEXT(flow), VALUE_OF_INT(since_ms), VALUE_OF_INT(until_ms), VALUE_OF_INT(limit)};
	json_t *originals = json_array();

	if (!db_run(&lineage->db,
		    "SELECT message, correlation, at_ms, revision, origin_name, origin_digest, origin_ref, "
		    "origin_offset, origin_length FROM lineage WHERE stage = 'received' AND place = $1 "
		    "AND at_ms >= $2 AND at_ms <= $3 ORDER BY at_ms, number LIMIT $4",
		    values, STORE_COUNT(values), put_original, originals, error))
		return originals;
	json_decref(originals);
	return NULL;
}

static int put_newer(void *arg, const struct value *row, size_t columns)
{
	struct buf *key = arg;

	buf_span(key, row[0].bytes);
	return 1;
}

int lineage_newer(struct lineage *lineage, const struct id *message, const char *correlation, int64_t at_ms,
		  struct buf *key, struct error *error)
{
	struct value values[] = {STORE_ID(message), VALUE_OF_INT(at_ms), STORE_TEXT(correlation)};

	return db_run(
		&lineage->db,
		"WITH RECURSIVE tree(m) AS (SELECT message FROM lineage WHERE message = $1 UNION "
		"SELECT l.message FROM lineage l JOIN tree ON l.causation = tree.m) "
		"SELECT mine.value FROM tree JOIN lineage_names mine ON mine.message = tree.m "
		"JOIN lineage_names theirs ON theirs.value = mine.value AND theirs.kind = mine.kind "
		"JOIN lineage newer ON newer.message = theirs.message "
		"WHERE mine.kind NOT IN ('document', 'digest') AND newer.stage = 'delivered' AND newer.at_ms > $2 "
		"AND newer.correlation <> $3 LIMIT 1",
		values, STORE_COUNT(values), put_newer, key, error);
}
