/* SQLite behind base/db.h: the store and the spool of one machine, and lineage in a file of its own. The fence around
 * libsqlite3.
 *
 * One process writes (the queue process; for lineage the record role); others may read beside it through open_reader.
 * Every commit is synced: WAL with synchronous=FULL. Page size and journal are set when the file is made. */
#include "config.h"
#include "base/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/literals.h"
#include "base/mem.h"

#define BUSY_MS       2000 /* only a checkpoint or a reader's recovery is ever in the way */
#define COLUMNS_MAX   64
#define CACHE_DEFAULT (8u << 20)

struct settings {
	uint64_t cache;
};

struct statement {
	sqlite3_stmt *prepared;
	bool busy; /* its rows are being read: a nested use gets a statement of its own */
};

struct sqlite {
	sqlite3 *handle;
	char *path;
	bool in_transaction;
	bool was_full;                /* the disk: the log is folded into the file before the next transaction */
	struct error spoiled;         /* the first failure inside the transaction */
	struct literals numbers;      /* of statements, from 1 */
	struct statement *statements;
	size_t count, capacity;
};

/* ---- errors */

static const char *advice(int code)
{
	switch (code) {
	case SQLITE_FULL:
		return "the disk is full: make room, work goes on by itself";
	case SQLITE_IOERR:
		return "the disk does not read or write: look at dmesg and at the mount";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "the file is damaged: stop the site, keep a copy of the file with its -wal, then restore a "
		       "backup or try `sqlite3 FILE .recover`";
	case SQLITE_READONLY:
		return "the file is not writable: look at its owner and mode";
	default:
		return "";
	}
}

static int fail(struct sqlite *db, int rc, struct error *error)
{
	const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc), *hint = advice(rc & 0xff);
	const char *between = *hint ? "; " : "";
	struct error own;

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		error_set(&own, ERROR_RETRY, "db.busy", "%s: %s: another process holds the file", db->path, text);
		break;
	case SQLITE_FULL:
	case SQLITE_IOERR:
		error_set(&own, ERROR_RETRY, "db.full", "%s: %s%s%s", db->path, text, between, hint);
		own.scope = SCOPE_SITE;
		db->was_full = true;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		error_set(&own, ERROR_FATAL, "db.corrupt", "%s: %s%s%s", db->path, text, between, hint);
		break;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		error_set(&own, ERROR_FATAL, "db.open", "%s: %s%s%s", db->path, text, between, hint);
		break;
	default:
		error_set(&own, ERROR_FATAL, "db.error", "%s: %s", db->path, text);
	}
	if (db->in_transaction && db->spoiled.class == ERROR_NONE)
		db->spoiled = own;
	if (error)
		*error = own;
	return -1;
}

/* A full disk may have rolled the transaction back by itself; what followed would be committed alone. */
static int spoiled(struct sqlite *db, struct error *error)
{
	if (!db->in_transaction || db->spoiled.class == ERROR_NONE)
		return 0;
	if (error)
		*error = db->spoiled;
	return -1;
}

/* ---- statements */

static int prepare(struct sqlite *db, const char *sql, unsigned flags, sqlite3_stmt **prepared, struct error *error)
{
	int rc = sqlite3_prepare_v3(db->handle, sql, -1, flags, prepared, NULL);

	if (rc == SQLITE_OK)
		return 0;
	fail(db, rc, error);
	return error_wrap(error, "preparing %.100s", sql);
}

/* The cached statement, or one of its own (*number stays 0) for a use inside the reading of its rows. It is given as a
 * number: the table may grow meanwhile. */
static int acquire(struct sqlite *db, const char *sql, sqlite3_stmt **prepared, unsigned *number, struct error *error)
{
	unsigned *known = literals_number(&db->numbers, sql);
	struct statement *statement = *known ? &db->statements[*known - 1] : NULL;

	*number = 0;
	if (statement && statement->busy)
		return prepare(db, sql, 0, prepared, error);
	if (!statement) {
		db->statements = mem_grow(db->statements, &db->capacity, db->count + 1, sizeof *db->statements);
		statement = &db->statements[db->count];
		*statement = (struct statement){0};
		if (prepare(db, sql, SQLITE_PREPARE_PERSISTENT, &statement->prepared, error))
			return -1;
		*known = (unsigned)++db->count;
	}
	assert(!strcmp(sqlite3_sql(statement->prepared), sql)); /* the text must be a literal */
	statement->busy = true;
	*prepared = statement->prepared;
	*number = *known;
	return 0;
}

static void release(struct sqlite *db, sqlite3_stmt *prepared, unsigned number)
{
	if (!number) {
		sqlite3_finalize(prepared);
		return;
	}
	sqlite3_reset(prepared);
	sqlite3_clear_bindings(prepared);
	db->statements[number - 1].busy = false;
}

/* SQLite counts parameters as they first appear, not by what they are called. */
static size_t number_of(sqlite3_stmt *prepared, int at, size_t n)
{
	const char *name = sqlite3_bind_parameter_name(prepared, at);
	size_t number = name && name[0] == '$' ? (size_t)atoi(name + 1) : 0;

	assert(number >= 1 && number <= n);
	return number - 1;
}

/* A NULL pointer would bind NULL: empty bytes and text are values. */
static int bind_value(sqlite3_stmt *prepared, int at, const struct value *value)
{
	switch (value->type) {
	case VALUE_NULL:
		return sqlite3_bind_null(prepared, at);
	case VALUE_INT:
		return sqlite3_bind_int64(prepared, at, value->number);
	case VALUE_TEXT:
		return sqlite3_bind_text64(prepared, at, value->bytes.len ? value->bytes.data : "", value->bytes.len,
					   SQLITE_STATIC, SQLITE_UTF8);
	case VALUE_BLOB:
		return sqlite3_bind_blob64(prepared, at, value->bytes.len ? value->bytes.data : "", value->bytes.len,
					   SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

static void column_read(sqlite3_stmt *prepared, int at, struct value *value)
{
	*value = VALUE_OF_NULL;
	switch (sqlite3_column_type(prepared, at)) {
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		*value = VALUE_OF_INT(sqlite3_column_int64(prepared, at));
		break;
	case SQLITE_TEXT:
		value->type = VALUE_TEXT;
		value->bytes.data = (const char *)sqlite3_column_text(prepared, at);
		value->bytes.len = (size_t)sqlite3_column_bytes(prepared, at);
		break;
	case SQLITE_BLOB:
		value->type = VALUE_BLOB;
		value->bytes.data = sqlite3_column_blob(prepared, at);
		value->bytes.len = (size_t)sqlite3_column_bytes(prepared, at);
		break;
	}
}

static int rows_read(struct sqlite *db, sqlite3_stmt *prepared, db_row_fn *each, void *arg, struct error *error)
{
	struct value row[COLUMNS_MAX];
	int columns = sqlite3_column_count(prepared), rc;

	assert(columns <= COLUMNS_MAX);
	while ((rc = sqlite3_step(prepared)) == SQLITE_ROW) {
		for (int i = 0; i < columns; i++)
			column_read(prepared, i, &row[i]);
		if (each && each(arg, row, (size_t)columns))
			return 0;
	}
	return rc == SQLITE_DONE ? 0 : fail(db, rc, error);
}

static int sqlite_run(void *self, const char *sql, const struct value *parameters, size_t n, db_row_fn *each, void *arg,
		      int64_t *changed, struct error *error)
{
	struct sqlite *db = self;
	sqlite3_stmt *prepared = NULL;
	int rc = SQLITE_OK, status = -1;
	unsigned number;

	if (spoiled(db, error) || acquire(db, sql, &prepared, &number, error))
		return -1;
	assert((size_t)sqlite3_bind_parameter_count(prepared) == n);
	for (int i = 1; i <= (int)n && rc == SQLITE_OK; i++)
		rc = bind_value(prepared, i, &parameters[number_of(prepared, i, n)]);
	if (rc == SQLITE_OK && FAULT_FAILS("db.run.full"))
		rc = SQLITE_FULL;
	if (rc != SQLITE_OK)
		fail(db, rc, error);
	else
		status = rows_read(db, prepared, each, arg, error);
	if (changed)
		*changed = status || sqlite3_stmt_readonly(prepared) ? 0 : sqlite3_changes64(db->handle);
	release(db, prepared, number);
	return status;
}

static int plain(struct sqlite *db, const char *sql, struct error *error)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(db, rc, error);
}

static int sqlite_script(void *self, const char *sql, struct error *error)
{
	static const char *const types[4] = {"INTEGER", "BLOB", "TEXT", "INTEGER PRIMARY KEY AUTOINCREMENT"};
	struct sqlite *db = self;
	char *text;
	int status;

	if (spoiled(db, error))
		return -1;
	text = db_types_dup(sql, types);
	status = plain(db, text, error);
	free(text);
	return status;
}

/* ---- transactions */

static int sqlite_begin(void *self, struct error *error)
{
	struct sqlite *db = self;

	assert(!db->in_transaction);
	/* On a full disk the log is the room that there is: what it holds goes into the file, and it starts anew. */
	if (db->was_full) {
		db->was_full = false;
		sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	}
	if (plain(db, "BEGIN IMMEDIATE", error))
		return -1;
	db->in_transaction = true;
	error_clear(&db->spoiled);
	return 0;
}

static int sqlite_commit(void *self, struct error *error)
{
	struct sqlite *db = self;

	assert(db->in_transaction);
	if (spoiled(db, error))
		return -1;
	FAULT("db.commit");
	if (FAULT_FAILS("db.commit.full"))
		return fail(db, SQLITE_FULL, error);
	if (plain(db, "COMMIT", error))
		return -1;
	db->in_transaction = false;
	FAULT("db.committed");
	return 0;
}

static void sqlite_rollback(void *self)
{
	struct sqlite *db = self;

	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	db->in_transaction = false;
	error_clear(&db->spoiled);
}

static int sqlite_lock(void *self, int64_t key, bool *held, struct error *error)
{
	*held = true;
	return 0;
}

static void sqlite_unlock(void *self, int64_t key)
{
}

static bool sqlite_alive(void *self)
{
	return true;
}

/* ---- opening */

static void sqlite_close_db(void *self)
{
	struct sqlite *db = self;

	if (!db)
		return;
	for (size_t i = 0; i < db->count; i++)
		sqlite3_finalize(db->statements[i].prepared);
	sqlite3_close(db->handle);
	free(db->statements);
	literals_free(&db->numbers);
	free(db->path);
	free(db);
}

/* Messages and partners' documents are in it: nobody else's to read. The -wal and -shm files take the same mode. A file
 * that exists is not opened here: closing it would drop the locks that this process may hold on it. */
static int file_secure(const char *path, struct error *error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno == EEXIST && chmod(path, 0600) == 0)
		return 0;
	return error_errno(error, ERROR_FATAL, "db.open",
			   "%s cannot be created or is not ours: look at the directory's owner and mode", path);
}

static int cache_set(struct sqlite *db, const struct settings *settings, struct error *error)
{
	uint64_t bytes = settings && settings->cache ? settings->cache : CACHE_DEFAULT;
	char *text = mem_printf("PRAGMA cache_size=-%llu", (unsigned long long)(bytes / 1024));
	int status = plain(db, text, error);

	free(text);
	return status;
}

static struct sqlite *handle_open(const char *path, int flags, const struct settings *settings, const char *pragmas,
				  struct error *error)
{
	struct sqlite *db = mem_alloc(sizeof *db);
	int rc;

	db->path = mem_strdup(path);
	rc = sqlite3_open_v2(path, &db->handle,
			     flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc != SQLITE_OK)
		fail(db, rc, error);
	else if (!sqlite3_busy_timeout(db->handle, BUSY_MS) && !plain(db, pragmas, error) &&
		 !cache_set(db, settings, error))
		return db;
	sqlite_close_db(db);
	return NULL;
}

static void *sqlite_open(const void *settings, const char *path, struct span password, struct error *error)
{
	if (file_secure(path, error))
		return NULL;
	return handle_open(path, SQLITE_OPEN_CREATE, settings,
			   "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
			   "wal_autocheckpoint=1000;"
			   /* Debian turns this on: a settled body would be written once more */
			   "PRAGMA secure_delete=OFF; "
			   "PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF",
			   error);
}

/* Read-write underneath, because a reader of a WAL file takes part in its shared memory and may have to recover it. */
static void *sqlite_open_reader(const void *settings, const char *path, struct span password, struct error *error)
{
	struct stat st;

	if (stat(path, &st)) {
		error_errno(error, ERROR_FATAL, "db.missing", "%s: there is no database yet", path);
		return NULL;
	}
	return handle_open(path, 0, settings,
			   "PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF", error);
}

/* In one step, so within one reading transaction: writers go on beside it. */
static int sqlite_copy(const char *path, const char *to, struct error *error)
{
	struct sqlite *from = sqlite_open_reader(NULL, path, SPAN_NONE, error), *into = NULL;
	sqlite3_backup *copy = NULL;
	int rc = SQLITE_ERROR;

	if (from && !file_secure(to, error))
		into = handle_open(to, SQLITE_OPEN_CREATE, NULL, "PRAGMA synchronous=OFF", error);
	if (into)
		copy = sqlite3_backup_init(into->handle, "main", from->handle, "main");
	if (copy) {
		rc = sqlite3_backup_step(copy, -1);
		sqlite3_backup_finish(copy);
	}
	if (into && rc != SQLITE_DONE)
		fail(into, copy ? rc : sqlite3_errcode(into->handle), error);
	if (into)
		sqlite_close_db(into);
	if (from)
		sqlite_close_db(from);
	return rc == SQLITE_DONE ? 0 : -1;
}

static const struct option options[] = {
	{.name = "cache",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct settings, cache),
	 .fallback = "8MiB",
	 .range = "1048576..4294967296",
	 .help = "Memory for pages of the database"},
	OPTION_END,
};

const struct db_ops sqlite_ops = {
	.name = "sqlite",
	.help = "One file beside the spool's messages, for one machine",
	.options = options,
	.settings_size = sizeof(struct settings),
	.open = sqlite_open,
	.open_reader = sqlite_open_reader,
	.copy = sqlite_copy,
	.close = sqlite_close_db,
	.run = sqlite_run,
	.script = sqlite_script,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.lock = sqlite_lock,
	.unlock = sqlite_unlock,
	.alive = sqlite_alive,
};
