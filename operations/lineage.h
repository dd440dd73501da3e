/* Lineage: what became of every message, for `ferrule trace` and the totals. The record role is the only writer; verbs
 * read beside it. A database of its own (DATA/lineage.db, or tables of their own in PostgreSQL): it is for people, and
 * must never hold up a unit. Rows are idempotent by (message, stage, place, attempt, generation): what is written twice
 * changes nothing.
 *
 * Errors are the database's. Calls block. */
#ifndef FERRULE_OPERATIONS_LINEAGE_H
#define FERRULE_OPERATIONS_LINEAGE_H

#include <jansson.h>

#include "base/db.h"
#include "base/wire.h"

#define LINEAGE_SCHEMA         1
#define LINEAGE_TRACE_MESSAGES 500 /* of one answer, when the caller does not say */

struct lineage;

/* Takes the open database, which lineage_close closes, also when this fails. NULL: the database's errors, FATAL
 * `store.newer`. */
struct lineage *lineage_open_take(struct db, struct error *);
/* The same on a database opened with open_reader: nothing is created. NULL: FATAL `db.missing` when nothing was ever
 * recorded. */
struct lineage *lineage_reader_take(struct db, struct error *);
void lineage_close(struct lineage *); /* NULL is legal */

/* ---- writing: a batch is one transaction; after -1 from any of them, lineage_rollback */
int lineage_begin(struct lineage *, struct error *);
int lineage_put(struct lineage *, const struct record_view *, struct error *);
int lineage_commit(struct lineage *, struct error *);
void lineage_rollback(struct lineage *);
/* Deletes what is older, in small transactions of its own, for at most about a second; the rest the next time. */
int lineage_expire(struct lineage *, int64_t before_ms, struct error *);

/* ---- reading */
/* By business key, name or digest of a document, event id, message id (also its first eight digits or more) or
 * correlation id:
 *   {key, found: true, by: […], messages: N, truncated: bool,
 *    tree: [{id, causation, correlation, type, flow, revision, generation, position, match: bool,
 *            origin: {name, digest, ref, offset, length}, keys: [{name, value}], first_ms,
 *            stages: [{stage, place, attempt, generation, at_ms, detail}], children: [… the same …]}]}
 * in the order of time: the ancestors of what matched and all that came of it, at most `most` messages (0:
 * LINEAGE_TRACE_MESSAGES). Not found:
 *   {key, found: false, looked: […], since_ms (null: nothing is recorded), ambiguous?: the digits fit several messages}
 * *answer is a new reference. */
int lineage_trace(struct lineage *, struct span key, unsigned most, json_t **answer, struct error *);
/* [{stage, place, reason, count}]; reason is the code of what went wrong, or "". A new reference; NULL: error. */
json_t *lineage_totals(struct lineage *, struct error *);

/* Documents that a flow received in that time, oldest first: [{id, correlation, at_ms, revision, name, digest, ref,
 * offset, length}]. A new reference; NULL: error. */
json_t *lineage_originals(struct lineage *, const char *flow, int64_t since_ms, int64_t until_ms, int64_t limit,
			  struct error *);
/* Was something with a business key of this message's tree delivered since, that came of another document? Appends that
 * key; nothing is appended when there is none. */
int lineage_newer(struct lineage *, const struct id *message, const char *correlation, int64_t at_ms, struct buf *key,
		  struct error *);

#endif
