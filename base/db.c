/* What both databases share: schema text and migrations. See db.h. */
#include "config.h"
#include "base/db.h"

#include <time.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/mem.h"

#define MIGRATE_LOCK     0x66657272756c6531 /* any number, the same for ever */
#define MIGRATE_WAIT_MS  60000
#define MIGRATE_PAUSE_MS 20

char *db_types_dup(const char *sql, const char *const types[4])
{
	static const char *const words[] = {"{int}", "{blob}", "{text}", "{serial}"};
	struct buf out;

	buf_init(&out, 1u << 20);
	while (*sql) {
		size_t w = 0;

		while (w < 4 && strncmp(sql, words[w], strlen(words[w])))
			w++;
		if (w == 4) {
			buf_char(&out, *sql++);
			continue;
		}
		buf_text(&out, types[w]);
		sql += strlen(words[w]);
	}
	return buf_take(&out);
}

/* Another machine may be at it: wait for it rather than fail. */
static int lock_wait(struct db *db, struct error *error)
{
	const struct timespec pause = {0, MIGRATE_PAUSE_MS * 1000000L};

	for (int waited = 0; waited < MIGRATE_WAIT_MS; waited += MIGRATE_PAUSE_MS) {
		bool held = false;

		if (db->ops->lock(db->self, MIGRATE_LOCK, &held, error))
			return -1;
		if (held)
			return 0;
		nanosleep(&pause, NULL);
	}
	return error_set(error, ERROR_RETRY, "db.busy",
			 "another machine has been changing the tables for a minute: look at it, then start again");
}

static int take_version(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 0;
}

static int version_read(struct db *db, const char *part, int64_t *version, struct error *error)
{
	struct value name = VALUE_OF_TEXT(span_of(part));

	*version = 0;
	return db_run(db, "SELECT version FROM schema_version WHERE part = $1", &name, 1, take_version, version, error);
}

static int step_run(struct db *db, const char *part, const char *script, int64_t version, struct error *error)
{
	struct value values[] = {VALUE_OF_TEXT(span_of(part)), VALUE_OF_INT(version)};

	if (db->ops->begin(db->self, error))
		return -1;
	if (db->ops->script(db->self, script, error))
		goto undo;
	FAULT("db.migrated");
	if (db_run(db,
		   "INSERT INTO schema_version (part, version) VALUES ($1, $2)"
		   " ON CONFLICT (part) DO UPDATE SET version = excluded.version",
		   values, 2, NULL, NULL, error))
		goto undo;
	if (!db->ops->commit(db->self, error))
		return 0;
undo:
	db->ops->rollback(db->self);
	return error_wrap(error, "bringing the tables of %s to version %d", part, (int)version);
}

static int forward(struct db *db, const char *part, const char *const *steps, size_t n, struct error *error)
{
	int64_t version;

	if (db->ops->script(
		    db->self,
		    "CREATE TABLE IF NOT EXISTS schema_version (part {text} PRIMARY KEY, version {int} NOT NULL)",
		    error) ||
	    version_read(db, part, &version, error))
		return -1;
	if (version > (int64_t)n)
		return error_set(error, ERROR_FATAL, "store.newer",
				 "the tables of %s are of version %d and this program knows %d: a later version of "
				 "ferrule made them; "
				 "install that version, or restore the backup taken before it ran",
				 part, (int)version, (int)n);
	for (; version < (int64_t)n; version++)
		if (step_run(db, part, steps[version], version + 1, error))
			return -1;
	return 0;
}

int db_migrate(struct db *db, const char *part, const char *const *steps, size_t n, struct error *error)
{
	int status;

	if (lock_wait(db, error))
		return -1;
	status = forward(db, part, steps, n, error);
	db->ops->unlock(db->self, MIGRATE_LOCK);
	return status;
}
