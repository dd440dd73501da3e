/* What `ferrule replay` asks of lineage: which documents a flow received, and whether something newer went out since.
 */
#include "config.h"
#include "operations/lineage.h"

#include <stdlib.h>

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

/* ---- what is newer ---- */

#define RESULTS_MAX 1000 /* of collections that messages of one document went into */

struct newer {
	struct lineage *lineage;
	struct error *error;
	struct id *results; /* what the document's messages were collected into */
	size_t results_count, results_capacity;
	bool ours; /* the message in question is one of the results, or came of one */
	int failed;
	struct buf *key;
};

#define TREE                                                                                                           \
	"WITH RECURSIVE tree(m) AS (SELECT message FROM lineage WHERE message = $1 UNION "                             \
	"SELECT l.message FROM lineage l JOIN tree ON l.causation = tree.m) "

static int put_result(void *arg, const struct value *row, size_t columns)
{
	struct newer *newer = arg;
	json_t *detail = json_loadb(row[0].bytes.data, row[0].bytes.len, 0, NULL);
	const char *text = json_string_value(json_object_get(detail, "result"));
	struct id id;

	if (text && !id_parse(&id, span_of(text))) {
		newer->results = mem_grow(newer->results, &newer->results_capacity, newer->results_count + 1,
					  sizeof *newer->results);
		newer->results[newer->results_count++] = id;
	}
	json_decref(detail);
	return newer->results_count == RESULTS_MAX;
}

static int meet_ancestor(void *arg, const struct value *row, size_t columns)
{
	struct newer *newer = arg;
	struct id id;

	if (id_from_span(&id, row[0].bytes))
		return 0;
	for (size_t i = 0; i < newer->results_count && !newer->ours; i++)
		newer->ours = id_equal(&newer->results[i], &id);
	return newer->ours;
}

static bool came_of_results(struct newer *newer, struct value message)
{
	newer->ours = false;
	if (newer->results_count && !newer->failed)
		newer->failed = db_run(&newer->lineage->db,
				       "WITH RECURSIVE up(m, c) AS (SELECT message, causation FROM lineage WHERE "
				       "message = $1 UNION SELECT l.message, l.causation FROM lineage l JOIN up ON "
				       "l.message = up.c) SELECT m FROM up UNION "
				       "SELECT c FROM up WHERE c IS NOT NULL",
				       &message, 1, meet_ancestor, newer, newer->error);
	return newer->ours;
}

/* A collection of which this document was a part is nothing newer, whoever else is in it; and their keys are not this
 * document's. */
static int put_newer(void *arg, const struct value *row, size_t columns)
{
	struct newer *newer = arg;

	if (came_of_results(newer, row[1]) || came_of_results(newer, row[2]))
		return newer->failed;
	if (!newer->failed)
		buf_span(newer->key, row[0].bytes);
	return 1;
}

int lineage_newer(struct lineage *lineage, const struct id *message, const char *correlation, int64_t at_ms,
		  struct buf *key, struct error *error)
{
	struct value values[] = {STORE_ID(message), VALUE_OF_INT(at_ms), STORE_TEXT(correlation)};
	struct newer newer = {.lineage = lineage, .error = error, .key = key};
	int status;

	status = db_run(&lineage->db,
			TREE "SELECT DISTINCT l.detail FROM tree JOIN lineage l ON l.message = tree.m "
			     "WHERE l.stage = 'collected' AND l.detail IS NOT NULL",
			values, 1, put_result, &newer, error) ||
		 db_run(&lineage->db,
			TREE "SELECT DISTINCT mine.value, mine.message, newer.message FROM tree "
			     "JOIN lineage_names mine ON mine.message = tree.m "
			     "JOIN lineage_names theirs ON theirs.value = mine.value AND theirs.kind = mine.kind "
			     "JOIN lineage newer ON newer.message = theirs.message "
			     "WHERE mine.kind NOT IN ('document', 'digest') AND newer.stage = 'delivered' "
			     "AND newer.at_ms > $2 AND newer.correlation <> $3",
			values, STORE_COUNT(values), put_newer, &newer, error);
	free(newer.results);
	return status || newer.failed ? -1 : 0;
}
