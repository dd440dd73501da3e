/* PostgreSQL behind base/db.h: the store of several machines. The fence around libpq.
 *
 * The connection never blocks inside libpq: every wait is a poll with a limit, so that a server that hangs counts as lost like one that is gone.
 * Inside a transaction statements whose result nobody reads are pipelined (libpq's pipeline mode): a unit of hundreds of rows costs few round
 * trips, and its errors come out at the next result, at the latest from commit. */
#include "config.h"
#include "base/db.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/utf8.h"

#define COLUMNS_MAX 64
#define PARAMETERS_MAX 64
#define PENDING_MAX 512 /* answers not yet read; bounds what the server has to keep for us */

struct settings {
	const char *host, *database, *user, *schema, *sslrootcert, *password;
	int64_t port, connect_timeout_ms, timeout_ms;
	int sslmode;
};

struct statement {
	const char *sql; /* the literal; NULL: a free slot */
	unsigned number; /* its name at the server is s<number> */
};

struct postgresql {
	PGconn *conn;
	const struct settings *settings;
	bool in_transaction, began; /* began: BEGIN was sent */
	unsigned pending;           /* pipelined statements whose answer was not read */
	struct error spoiled;
	int64_t *locks; /* held by this connection */
	size_t locks_count, locks_capacity;
	uint64_t salt; /* keeps the locks of two schemas apart */
	struct statement *statements;
	size_t slots, used;
};

static const char ssl_modes[] = "disable|allow|prefer|require|verify-ca|verify-full";
static const char *const ssl_names[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

/* ---- errors */

static void first_line(struct span *text)
{
	const char *end = memchr(text->data, '\n', text->len);

	if (end)
		text->len = (size_t)(end - text->data);
}

static int keep(struct postgresql *db, const struct error *own, struct error *error)
{
	if (db->in_transaction && db->spoiled.class == ERROR_NONE)
		db->spoiled = *own;
	if (error)
		*error = *own;
	return -1;
}

static int gone(struct postgresql *db, const char *what, struct error *error)
{
	struct span text = span_of(db->conn ? PQerrorMessage(db->conn) : "");
	struct error own;

	first_line(&text);
	error_set(&own, ERROR_RETRY, "db.gone", "PostgreSQL at %s:%d: %s%s%.*s", db->settings->host, (int)db->settings->port, what,
		  text.len ? ": " : "", SPAN_ARGS(text));
	own.scope = SCOPE_SITE;
	return keep(db, &own, error);
}

/* A connection that timed out is of no use: what it will say belongs to the past. */
static int give_up(struct postgresql *db, const char *what, struct error *error)
{
	gone(db, what, error);
	PQfinish(db->conn);
	db->conn = NULL;
	return -1;
}

static bool alive(const struct postgresql *db)
{
	return db->conn && PQstatus(db->conn) == CONNECTION_OK;
}

static const struct {
	const char *sqlstate; /* a prefix */
	enum error_class class;
	const char *code;
} classes[] = {
	{"40", ERROR_RETRY, "db.busy"},    /* serialization failure, deadlock */
	{"55P03", ERROR_RETRY, "db.busy"}, /* lock not available */
	{"57014", ERROR_RETRY, "db.busy"}, /* cancelled */
	{"53100", ERROR_RETRY, "db.full"},
	{"53", ERROR_RETRY, "db.busy"},    /* out of memory, too many connections */
	{"58030", ERROR_RETRY, "db.full"}, /* I/O error */
	{"08", ERROR_RETRY, "db.gone"},
	{"57P", ERROR_RETRY, "db.gone"},   /* shutdown, crash, cannot connect now */
	{"25006", ERROR_RETRY, "db.gone"}, /* it has become a standby */
	{"XX001", ERROR_FATAL, "db.corrupt"},
	{"XX002", ERROR_FATAL, "db.corrupt"},
	{"", ERROR_FATAL, "db.error"},
};

static int fail(struct postgresql *db, const PGresult *result, const char *sql, struct error *error)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE), *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	struct error own;
	size_t i = 0;

	if (!alive(db) || !state)
		return gone(db, "the connection is lost", error);
	while (strncmp(classes[i].sqlstate, state, strlen(classes[i].sqlstate)))
		i++;
	error_set(&own, classes[i].class, classes[i].code, "PostgreSQL at %s:%d: %s (%s)%s%.80s", db->settings->host, (int)db->settings->port,
		  text ? text : "failed", state, sql ? " in " : "", sql ? sql : "");
	if (!strcmp(own.code, "db.gone") || !strcmp(own.code, "db.full"))
		own.scope = SCOPE_SITE;
	return keep(db, &own, error);
}

static int spoiled(struct postgresql *db, struct error *error)
{
	if (db->in_transaction && db->spoiled.class != ERROR_NONE) {
		if (error)
			*error = db->spoiled;
		return -1;
	}
	return alive(db) ? 0 : gone(db, "the connection is lost", error);
}

/* ---- waiting */

static int wait_io(struct postgresql *db, short events, int64_t until, struct error *error)
{
	struct pollfd poller = {PQsocket(db->conn), events, 0};
	int64_t left = until - clock_tick_ms();
	int ready;

	do
		ready = left > 0 ? poll(&poller, 1, left > INT32_MAX ? INT32_MAX : (int)left) : 0;
	while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return give_up(db, "no answer within the time limit", error);
	if (ready > 0 && poller.revents & ~POLLOUT && !PQconsumeInput(db->conn))
		return gone(db, "the connection is lost", error);
	return 0;
}

static int flush(struct postgresql *db, int64_t until, struct error *error)
{
	int status;

	while ((status = PQflush(db->conn)) == 1)
		if (wait_io(db, POLLIN | POLLOUT, until, error))
			return -1;
	return status ? gone(db, "the connection is lost", error) : 0;
}

/* The next result; NULL (with 0) ends those of one statement. */
static int next_result(struct postgresql *db, PGresult **result, struct error *error)
{
	int64_t until = clock_tick_ms() + db->settings->timeout_ms;

	if (flush(db, until, error))
		return -1;
	while (PQisBusy(db->conn))
		if (wait_io(db, POLLIN, until, error))
			return -1;
	*result = PQgetResult(db->conn);
	return 0;
}

/* ---- statements that are pipelined */

static bool good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_PIPELINE_SYNC || status == PGRES_EMPTY_QUERY;
}

/* Reads the answer of the oldest pipelined statement. Of an aborted pipeline the first error was kept already. */
static int answer_read(struct postgresql *db, PGresult **keep_it, const char *sql, struct error *error)
{
	PGresult *result = NULL, *end = NULL;
	int status = 0;

	if (next_result(db, &result, error))
		return -1;
	if (!result)
		return gone(db, "the connection is lost", error);
	if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
		status = db->spoiled.class ? keep(db, &db->spoiled, error) : gone(db, "an earlier statement failed", error);
	else if (!good(result))
		status = fail(db, result, sql, error);
	if (status == 0 && keep_it)
		*keep_it = result;
	else
		PQclear(result);
	if (alive(db) && next_result(db, &end, status ? NULL : error))
		status = -1;
	PQclear(end);
	if (status && keep_it && *keep_it) {
		PQclear(*keep_it);
		*keep_it = NULL;
	}
	return status;
}

static int drain(struct postgresql *db, struct error *error)
{
	int status = 0;

	if (db->pending && !PQsendFlushRequest(db->conn))
		return gone(db, "the connection is lost", error);
	while (db->pending && alive(db)) {
		db->pending--;
		if (answer_read(db, NULL, NULL, status ? NULL : error))
			status = -1;
	}
	return status ? status : alive(db) ? 0 : gone(db, "the connection is lost", error);
}

/* Everything pipelined is answered and the pipeline works again after an error. */
static int synchronize(struct postgresql *db, struct error *error)
{
	PGresult *result = NULL;
	int status = 0;

	if (!PQpipelineSync(db->conn))
		return gone(db, "the connection is lost", error);
	while (db->pending && alive(db)) {
		db->pending--;
		if (answer_read(db, NULL, NULL, status ? NULL : error))
			status = -1;
	}
	if (!alive(db))
		return status ? status : gone(db, "the connection is lost", error);
	if (next_result(db, &result, status ? NULL : error))
		return -1;
	PQclear(result);
	return status;
}

static int pipeline_leave(struct postgresql *db, struct error *error)
{
	int status = 0;

	if (!alive(db) || PQpipelineStatus(db->conn) == PQ_PIPELINE_OFF)
		return 0;
	status = synchronize(db, error);
	if (alive(db) && !PQexitPipelineMode(db->conn) && !status)
		status = gone(db, "the pipeline does not end", error);
	return status;
}

/* BEGIN travels with the first statement. */
static int pipeline_enter(struct postgresql *db, struct error *error)
{
	if (PQpipelineStatus(db->conn) == PQ_PIPELINE_OFF && !PQenterPipelineMode(db->conn))
		return gone(db, "no pipeline", error);
	if (db->began)
		return 0;
	if (!PQsendQueryParams(db->conn, "BEGIN", 0, NULL, NULL, NULL, NULL, 1))
		return gone(db, "the connection is lost", error);
	db->began = true;
	db->pending++;
	return 0;
}

/* ---- statements by themselves */

/* Reads to the end of what was sent outside a pipeline; the first bad result counts. */
static int plain_read(struct postgresql *db, PGresult **keep_it, const char *sql, struct error *error)
{
	int status = 0;

	for (;;) {
		PGresult *result = NULL;

		if (next_result(db, &result, status ? NULL : error))
			return -1;
		if (!result)
			return status ? status : alive(db) ? 0 : gone(db, "the connection is lost", error);
		if (!good(result) && !status)
			status = fail(db, result, sql, error);
		if (keep_it && !*keep_it && !status)
			*keep_it = result;
		else
			PQclear(result);
	}
}

static int plain(struct postgresql *db, const char *sql, struct error *error)
{
	if (!PQsendQuery(db->conn, sql))
		return gone(db, "the connection is lost", error);
	return plain_read(db, NULL, sql, error);
}

/* ---- prepared statements */

static struct statement *slot_find(struct postgresql *db, const char *sql)
{
	size_t at = ((uintptr_t)sql >> 3) * 0x9e3779b97f4a7c15ull >> 20 & (db->slots - 1);

	while (db->statements[at].sql && db->statements[at].sql != sql)
		at = (at + 1) & (db->slots - 1);
	return &db->statements[at];
}

static void slots_double(struct postgresql *db)
{
	struct statement *old = db->statements;
	size_t n = db->slots;

	db->slots = n ? 2 * n : 64;
	db->statements = mem_alloc(db->slots * sizeof *db->statements);
	for (size_t i = 0; i < n; i++)
		if (old[i].sql)
			*slot_find(db, old[i].sql) = old[i];
	free(old);
}

static int prepare(struct postgresql *db, const char *sql, char name[16], struct error *error)
{
	struct statement *slot;
	unsigned number;
	int status;

	if (2 * db->used >= db->slots)
		slots_double(db);
	slot = slot_find(db, sql);
	number = slot->sql ? slot->number : (unsigned)db->used + 1;
	snprintf(name, 16, "s%u", number);
	if (slot->sql)
		return 0;
	/* Once in the life of a connection; its answer is waited for, so that the table says what the server really has. */
	if (db->in_transaction && drain(db, error))
		return -1;
	if (!PQsendPrepare(db->conn, name, sql, 0, NULL))
		return gone(db, "the connection is lost", error);
	if (db->in_transaction) {
		if (!PQsendFlushRequest(db->conn))
			return gone(db, "the connection is lost", error);
		status = answer_read(db, NULL, sql, error);
	} else {
		status = plain_read(db, NULL, sql, error);
	}
	if (status)
		return -1;
	*slot = (struct statement){sql, number};
	db->used++;
	return 0;
}

struct parameters {
	const char *values[PARAMETERS_MAX];
	int lengths[PARAMETERS_MAX], formats[PARAMETERS_MAX];
	char numbers[PARAMETERS_MAX][24];
	struct buf *clean[PARAMETERS_MAX]; /* texts that were not UTF-8 */
};

/* PostgreSQL refuses text with a zero byte or broken UTF-8; partners send both. What cannot be text is shown as U+FFFD, in what is stored and
 * in what is looked for alike. */
static void bind_text(struct parameters *p, size_t i, struct span text)
{
	if (!utf8_is_clean(text)) {
		p->clean[i] = mem_alloc(sizeof(struct buf));
		buf_init(p->clean[i], SIZE_MAX / 2);
		utf8_clean(p->clean[i], text);
		text = buf_view(p->clean[i]);
	}
	p->values[i] = text.len ? text.data : "";
	p->lengths[i] = (int)text.len;
	p->formats[i] = 1;
}

static void bind(struct parameters *p, const struct value *values, size_t n)
{
	assert(n <= PARAMETERS_MAX);
	for (size_t i = 0; i < n; i++) {
		switch (values[i].type) {
		case VALUE_NULL:
			break;
		case VALUE_INT: /* as text: the server decides which integer it is */
			snprintf(p->numbers[i], sizeof p->numbers[i], "%lld", (long long)values[i].number);
			p->values[i] = p->numbers[i];
			break;
		case VALUE_TEXT:
			bind_text(p, i, values[i].bytes);
			break;
		case VALUE_BLOB:
			p->values[i] = values[i].bytes.len ? values[i].bytes.data : "";
			p->lengths[i] = (int)values[i].bytes.len;
			p->formats[i] = 1;
			break;
		}
	}
}

static void unbind(struct parameters *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p->clean[i]) {
			buf_free(p->clean[i]);
			free(p->clean[i]);
		}
}

static int64_t big_endian(const char *bytes, int len)
{
	int64_t n = bytes[0] < 0 ? -1 : 0;

	for (int i = 0; i < len; i++)
		n = (int64_t)((uint64_t)n << 8 | (unsigned char)bytes[i]);
	return n;
}

enum { TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23 };

static void column_read(const PGresult *result, int row, int column, struct value *value)
{
	const char *bytes = PQgetvalue(result, row, column);
	int len = PQgetlength(result, row, column);

	if (PQgetisnull(result, row, column)) {
		*value = VALUE_OF_NULL;
		return;
	}
	switch (PQftype(result, column)) {
	case TYPE_BOOL:
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
		*value = VALUE_OF_INT(big_endian(bytes, len));
		break;
	case TYPE_BYTEA:
		*value = VALUE_OF_BLOB(span_make(bytes, (size_t)len));
		break;
	default:
		*value = VALUE_OF_TEXT(span_make(bytes, (size_t)len));
	}
}

static void rows_give(PGresult *result, db_row_fn *each, void *arg)
{
	struct value row[COLUMNS_MAX];
	int columns = PQnfields(result);

	assert(columns <= COLUMNS_MAX);
	for (int r = 0; each && r < PQntuples(result); r++) {
		for (int c = 0; c < columns; c++)
			column_read(result, r, c, &row[c]);
		if (each(arg, row, (size_t)columns))
			return;
	}
}

static int send_bound(struct postgresql *db, const char *name, const struct value *values, size_t n, struct error *error)
{
	struct parameters p = {0};
	int sent;

	bind(&p, values, n);
	sent = PQsendQueryPrepared(db->conn, name, (int)n, p.values, p.lengths, p.formats, 1);
	unbind(&p, n);
	return sent ? 0 : gone(db, "the connection is lost", error);
}

static int postgresql_run(void *self, const char *sql, const struct value *parameters, size_t n, db_row_fn *each, void *arg,
			  int64_t *changed, struct error *error)
{
	struct postgresql *db = self;
	PGresult *result = NULL;
	char name[16];
	int status;

	if (changed)
		*changed = 0;
	if (spoiled(db, error) || (db->in_transaction && pipeline_enter(db, error)) || prepare(db, sql, name, error))
		return -1;
	if (db->in_transaction && !each && !changed) {
		if (send_bound(db, name, parameters, n, error))
			return -1;
		return ++db->pending < PENDING_MAX ? 0 : drain(db, error);
	}
	if (db->in_transaction) { /* the answers before ours are read with it: one round trip */
		if (send_bound(db, name, parameters, n, error) || !PQsendFlushRequest(db->conn))
			return gone(db, "the connection is lost", error);
		for (status = 0; db->pending && alive(db); db->pending--)
			if (answer_read(db, NULL, NULL, status ? NULL : error))
				status = -1;
		if (answer_read(db, &result, sql, status ? NULL : error))
			status = -1;
	} else {
		status = send_bound(db, name, parameters, n, error) ? -1 : plain_read(db, &result, sql, error);
	}
	if (!status && changed && strncmp(PQcmdStatus(result), "SELECT", 6))
		*changed = strtoll(PQcmdTuples(result), NULL, 10);
	if (!status)
		rows_give(result, each, arg);
	PQclear(result);
	return status;
}

static int postgresql_script(void *self, const char *sql, struct error *error)
{
	static const char *const types[4] = {"BIGINT", "BYTEA", "TEXT", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"};
	struct postgresql *db = self;
	char *text;
	int status = -1;

	if (spoiled(db, error))
		return -1;
	text = db_types_dup(sql, types);
	if (!db->in_transaction)
		status = plain(db, text, error);
	else if (!pipeline_enter(db, error) && !pipeline_leave(db, error))
		status = plain(db, text, error);
	free(text);
	return status;
}

/* ---- transactions */

static int postgresql_begin(void *self, struct error *error)
{
	struct postgresql *db = self;

	assert(!db->in_transaction);
	if (spoiled(db, error))
		return -1;
	error_clear(&db->spoiled);
	db->in_transaction = true;
	db->began = false;
	db->pending = 0;
	return 0;
}

static int postgresql_commit(void *self, struct error *error)
{
	struct postgresql *db = self;

	assert(db->in_transaction);
	if (spoiled(db, error))
		return -1;
	FAULT("db.commit");
	if (FAULT_FAILS("db.commit.full")) {
		struct error own;

		error_set(&own, ERROR_RETRY, "db.full", "the disk of PostgreSQL is full");
		return keep(db, &own, error);
	}
	if (db->began) {
		if (pipeline_enter(db, error))
			return -1;
		if (!PQsendQueryParams(db->conn, "COMMIT", 0, NULL, NULL, NULL, NULL, 1))
			return gone(db, "the connection is lost", error);
		db->pending++;
		if (pipeline_leave(db, error))
			return -1;
	}
	db->in_transaction = false;
	FAULT("db.committed");
	return 0;
}

static void postgresql_rollback(void *self)
{
	struct postgresql *db = self;
	bool began = db->began;

	/* An error that is met now is of no interest any more; a lost connection shows in alive(). */
	if (db->spoiled.class == ERROR_NONE)
		error_set(&db->spoiled, ERROR_RETRY, "db.error", "rolled back");
	pipeline_leave(db, NULL);
	if (alive(db) && began && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
		plain(db, "ROLLBACK", NULL);
	db->in_transaction = db->began = false;
	db->pending = 0;
	error_clear(&db->spoiled);
}

/* ---- locks */

static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

static size_t lock_find(const struct postgresql *db, int64_t key)
{
	size_t i = 0;

	while (i < db->locks_count && db->locks[i] != key)
		i++;
	return i;
}

/* The server counts repeated locks of a session; here a lock is held or not. */
static int postgresql_lock(void *self, int64_t key, bool *held, struct error *error)
{
	struct postgresql *db = self;
	struct value value = VALUE_OF_INT((int64_t)((uint64_t)key ^ db->salt));
	int64_t got = 0;

	*held = false;
	if (spoiled(db, error))
		return -1;
	*held = lock_find(db, key) < db->locks_count;
	if (*held)
		return 0;
	if (postgresql_run(db, "SELECT pg_try_advisory_lock($1)", &value, 1, take_number, &got, NULL, error))
		return -1;
	*held = got != 0;
	if (!got)
		return 0;
	db->locks = mem_grow(db->locks, &db->locks_capacity, db->locks_count + 1, sizeof *db->locks);
	db->locks[db->locks_count++] = key;
	return 0;
}

static void postgresql_unlock(void *self, int64_t key)
{
	struct postgresql *db = self;
	struct value value = VALUE_OF_INT((int64_t)((uint64_t)key ^ db->salt));
	size_t at = lock_find(db, key);
	int64_t freed;

	if (at == db->locks_count)
		return;
	db->locks[at] = db->locks[--db->locks_count];
	postgresql_run(db, "SELECT pg_advisory_unlock($1)", &value, 1, take_number, &freed, NULL, NULL);
}

static bool postgresql_alive(void *self)
{
	return alive(self);
}

/* ---- opening */

static void postgresql_close(void *self)
{
	struct postgresql *db = self;

	if (!db)
		return;
	PQfinish(db->conn);
	free(db->statements);
	free(db->locks);
	free(db);
}

static void no_notice(void *arg, const PGresult *result)
{
}

static uint64_t salt_of(const char *schema)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *schema; schema++)
		hash = (hash ^ (unsigned char)*schema) * 0x100000001b3ull;
	return hash;
}

/* Creating a schema twice at the same time fails even with IF NOT EXISTS: one at a time. What was committed must survive, whatever the server's
 * own setting is. */
static int session_begin(struct postgresql *db, bool reader, struct error *error)
{
	char *schema = PQescapeIdentifier(db->conn, db->settings->schema, strlen(db->settings->schema));
	char *literal = PQescapeLiteral(db->conn, db->settings->schema, strlen(db->settings->schema));
	char *sql = NULL;
	int status;

	if (!schema || !literal) {
		status = gone(db, "the schema's name is not usable", error);
		goto done;
	}
	if (reader)
		sql = mem_printf("SET search_path TO %s; SET default_transaction_read_only TO on", schema);
	else
		sql = mem_printf("SET search_path TO %s;"
				 "DO $do$ BEGIN IF current_setting('synchronous_commit') IN ('off') THEN SET synchronous_commit TO on; END IF;"
				 "IF NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s) THEN"
				 " PERFORM pg_advisory_xact_lock(%lld); CREATE SCHEMA IF NOT EXISTS %s; END IF; END $do$",
				 schema, literal, (long long)db->salt, schema);
	status = plain(db, sql, error);
	if (status && error && error->class == ERROR_FATAL)
		error_wrap(error, "opening schema %s (may user %s create it?)", schema, PQuser(db->conn));
done:
	free(sql);
	PQfreemem(schema);
	PQfreemem(literal);
	return status;
}

static int connect_wait(struct postgresql *db, struct error *error)
{
	int64_t until = clock_tick_ms() + db->settings->connect_timeout_ms;
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	while (state != PGRES_POLLING_OK) {
		struct pollfd poller = {PQsocket(db->conn), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
		int64_t left = until - clock_tick_ms();
		int ready = left > 0 ? poll(&poller, 1, (int)left) : 0;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return gone(db, "no connection within the time limit", error);
		state = PQconnectPoll(db->conn);
		if (state == PGRES_POLLING_FAILED)
			return gone(db, "no connection", error);
	}
	return PQsetnonblocking(db->conn, 1) ? gone(db, "no connection", error) : 0;
}

static PGconn *connect_start(const struct settings *s, const char *password, bool reader)
{
	char port[24], timeout[24];
	const char *names[20], *values[20];
	size_t n = 0;

	snprintf(port, sizeof port, "%lld", (long long)s->port);
	snprintf(timeout, sizeof timeout, "%lld", (long long)s->timeout_ms);
#define ADD(name, value) (names[n] = (name), values[n] = (value), n++)
	ADD("host", s->host);
	ADD("port", port);
	ADD("dbname", s->database);
	if (s->user && *s->user)
		ADD("user", s->user);
	if (*password)
		ADD("password", password);
	ADD("sslmode", ssl_names[s->sslmode]);
	if (s->sslrootcert && *s->sslrootcert)
		ADD("sslrootcert", s->sslrootcert);
	ADD("client_encoding", "UTF8");
	ADD("fallback_application_name", "ferrule");
	ADD("target_session_attrs", reader ? "any" : "read-write");
	ADD("keepalives_idle", "30");
	ADD("keepalives_interval", "10");
	ADD("keepalives_count", "3");
	ADD("tcp_user_timeout", timeout);
#undef ADD
	names[n] = values[n] = NULL;
	return PQconnectStartParams(names, values, 0);
}

static void *open_session(const void *settings, struct span password, bool reader, struct error *error)
{
	struct postgresql *db = mem_alloc(sizeof *db);
	char *secret = mem_span_dup(password);

	db->settings = settings;
	db->salt = salt_of(db->settings->schema);
	db->conn = connect_start(settings, secret, reader);
	memset(secret, 0, password.len);
	free(secret);
	if (!db->conn || PQstatus(db->conn) == CONNECTION_BAD) {
		gone(db, "no connection", error);
		goto failed;
	}
	PQsetNoticeReceiver(db->conn, no_notice, NULL);
	if (!connect_wait(db, error) && !session_begin(db, reader, error))
		return db;
failed:
	postgresql_close(db);
	return NULL;
}

static void *postgresql_open(const void *settings, const char *path, struct span password, struct error *error)
{
	return open_session(settings, password, false, error);
}

static void *postgresql_open_reader(const void *settings, const char *path, struct span password, struct error *error)
{
	return open_session(settings, password, true, error);
}

static const struct option options[] = {
	{.name = "host", .type = OPTION_TEXT, .offset = offsetof(struct settings, host), .fallback = "localhost",
	 .help = "Host name, address or directory of the server's socket; several with commas", .flags = OPTION_MAIN},
	{.name = "port", .type = OPTION_INT, .offset = offsetof(struct settings, port), .fallback = "5432", .range = "1..65535",
	 .help = "Port of the server"},
	{.name = "database", .type = OPTION_TEXT, .offset = offsetof(struct settings, database), .fallback = "ferrule", .help = "Database"},
	{.name = "user", .type = OPTION_TEXT, .offset = offsetof(struct settings, user), .fallback = "ferrule", .help = "User to log in as"},
	{.name = "password", .type = OPTION_SECRET, .offset = offsetof(struct settings, password), .help = "Its password, as {secret: NAME}"},
	{.name = "schema", .type = OPTION_TEXT, .offset = offsetof(struct settings, schema), .fallback = "ferrule",
	 .help = "Schema of the tables, made when it is missing; one for each site"},
	{.name = "sslmode", .type = OPTION_ENUM, .offset = offsetof(struct settings, sslmode), .fallback = "prefer", .range = ssl_modes,
	 .help = "How the connection is protected; verify-full for anything beyond this machine"},
	{.name = "sslrootcert", .type = OPTION_TEXT, .offset = offsetof(struct settings, sslrootcert),
	 .help = "File with the authorities that may sign the server's certificate"},
	{.name = "connect-timeout", .type = OPTION_DURATION, .offset = offsetof(struct settings, connect_timeout_ms), .fallback = "5s",
	 .range = "100ms..10m", .help = "How long to wait for a connection"},
	{.name = "timeout", .type = OPTION_DURATION, .offset = offsetof(struct settings, timeout_ms), .fallback = "30s", .range = "1s..1h",
	 .help = "How long a statement may take before the server counts as lost"},
	OPTION_END,
};

const struct db_ops postgresql_ops = {
	.name = "postgresql",
	.help = "A PostgreSQL server, for several machines together with RabbitMQ",
	.options = options,
	.settings_size = sizeof(struct settings),
	.open = postgresql_open,
	.open_reader = postgresql_open_reader,
	.close = postgresql_close,
	.run = postgresql_run,
	.script = postgresql_script,
	.begin = postgresql_begin,
	.commit = postgresql_commit,
	.rollback = postgresql_rollback,
	.lock = postgresql_lock,
	.unlock = postgresql_unlock,
	.alive = postgresql_alive,
};
