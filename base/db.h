/* A connection to a relational database: the few calls that the store and the spool need, so that their SQL is
 * written once. broker-adapters/databases/ implements it.
 *
 * SQL is common to both: parameters are $1, $2 …, each of them used; `ON CONFLICT DO NOTHING`, `RETURNING` and `LIMIT`
 * are fine. In schema text `{int}` stands for a 64-bit integer, `{blob}` for bytes, `{text}` for text, `{serial}` for a
 * primary key that counts up by itself and never gives a number twice. Statements are prepared once and cached by the
 * address of their text: pass literals. Calls block. Errors: RETRY `db.busy`, `db.full` (disk), `db.gone` (connection
 * lost, scope SITE), FATAL `db.corrupt`, `db.open`, and `db.error` for anything that is our own mistake.
 *
 * A statement that fails inside a transaction spoils it on both databases: further statements and the commit fail with
 * the first error, and only rollback ends it. After `db.gone` from commit the transaction may have happened; doing the
 * same again must be harmless. */
#ifndef FERRULE_BASE_DB_H
#define FERRULE_BASE_DB_H

#include <stdint.h>

#include "base/error.h"
#include "base/option.h"
#include "base/span.h"

enum value_type { VALUE_NULL, VALUE_INT, VALUE_TEXT, VALUE_BLOB };

struct value {
	enum value_type type;
	int64_t number;
	struct span bytes;
};

#define VALUE_OF_INT(n)  ((struct value){VALUE_INT, (n), {NULL, 0}})
#define VALUE_OF_TEXT(s) ((struct value){VALUE_TEXT, 0, (s)})
#define VALUE_OF_BLOB(s) ((struct value){VALUE_BLOB, 0, (s)})
#define VALUE_OF_NULL    ((struct value){VALUE_NULL, 0, {NULL, 0}})

/* A row: values are borrowed for the call. Returns non-zero to stop early (not an error). */
typedef int db_row_fn(void *arg, const struct value *row, size_t columns);

struct db_ops;
struct db {
	const struct db_ops *ops;
	void *self;
};

#define DB_SILENCE_MS 6000

struct db_ops {
	const char *name; /* "sqlite", "postgresql" */
	const char *help;
	const struct option *options; /* of site.yaml's `store:` */
	size_t settings_size;
	/* path: where a file database lives. password: revealed by the caller, may be empty. */
	void *(*open)(const void *settings, const char *path, struct span password, struct error *);
	/* The same for reading only, beside a running site; nothing is created. FATAL `db.missing` when there is no
	 * database yet. */
	void *(*open_reader)(const void *settings, const char *path, struct span password, struct error *);
	/* A file database as it stands at one moment, into a new file (mode 0600), beside a running site; not synced
	 * yet. NULL: it is no file. */
	int (*copy)(const char *path, const char *to, struct error *);
	/* Rows came into this table with numbers of their own in `number`, a {serial}: the next one is behind them.
	 * NULL: it is so by itself. */
	int (*renumber)(void *, const char *table, struct error *);
	void (*close)(void *);
	/* Runs one statement. each may be NULL. changed (may be NULL) gets the number of rows changed. On PostgreSQL a
	 * statement without `each` and `changed` may be pipelined: its error then comes from db_commit. */
	int (*run)(void *, const char *sql, const struct value *parameters, size_t n, db_row_fn *each, void *arg,
		   int64_t *changed, struct error *);
	int (*script)(void *, const char *sql, struct error *); /* several statements; after {int}… are replaced */
	int (*begin)(void *, struct error *);
	int (*commit)(void *, struct error *); /* durable when it returns 0 */
	void (*rollback)(void *);
	/* Locks of the connection's life, for leases among several machines. held: by this call or before. On SQLite
	 * the file has one owner, so any lock is granted. */
	int (*lock)(void *, int64_t key, bool *held, struct error *);
	void (*unlock)(void *, int64_t key);
	/* Whether any connection has it, this one too: only looks, and takes nothing. NULL: there are no others. */
	int (*locked)(void *, int64_t key, bool *locked, struct error *);
	/* To be called every second by who holds locks for long, outside a transaction: a connection with locks that
	 * says nothing for DB_SILENCE_MS has lost them and its life, though its machine may be alive. -1: `db.gone`,
	 * after ten seconds at most. NULL: nobody else can have them. */
	int (*beat)(void *, struct error *);
	bool (*alive)(void *); /* false after db.gone: reconnect with close and open */
};

static inline int db_run(struct db *db, const char *sql, const struct value *parameters, size_t n, db_row_fn *each,
			 void *arg, struct error *error)
{
	return db->ops->run(db->self, sql, parameters, n, each, arg, NULL, error);
}

static inline int db_change(struct db *db, const char *sql, const struct value *parameters, size_t n, int64_t *changed,
			    struct error *error)
{
	return db->ops->run(db->self, sql, parameters, n, NULL, NULL, changed, error);
}

/* Brings the tables of one part ("store", "spool", "lineage") forward: steps[i] is the script that leads from version i
 * to i + 1. Each runs in a transaction of its own together with the note of its version; one machine at a time. FATAL
 * `store.newer` when a later version of the program made them. */
int db_migrate(struct db *, const char *part, const char *const *steps, size_t n, struct error *);
/* Replaces the {words} of schema text; types are the database's words for int, blob, text and serial, in this order.
 * The caller frees. */
char *db_types_dup(const char *sql, const char *const types[4]);

#endif
