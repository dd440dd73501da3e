/* The connection to PostgreSQL: opening it, waiting within limits, and what its errors mean. See postgresql.h. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker-adapters/databases/postgresql.h"

/* ---- errors */

static void first_line(struct span *text)
{
	const char *end = memchr(text->data, '\n', text->len);

	if (end)
		text->len = (size_t)(end - text->data);
}

int postgresql_keep(struct postgresql *db, const struct error *own, struct error *error)
{
	if (db->in_transaction && db->spoiled.class == ERROR_NONE)
		db->spoiled = *own;
	if (error)
		*error = *own;
	return -1;
}

int postgresql_gone(struct postgresql *db, const char *what, struct error *error)
{
	struct span text = span_of(db->conn ? PQerrorMessage(db->conn) : "");
	struct error own;

	first_line(&text);
	error_set(&own, ERROR_RETRY, "db.gone", "PostgreSQL at %s:%d: %s%s%.*s", db->settings->host,
		  (int)db->settings->port, what, text.len ? ": " : "", SPAN_ARGS(text));
	own.scope = SCOPE_SITE;
	return postgresql_keep(db, &own, error);
}

/* A connection that timed out is of no use: what it will say belongs to the past. */
static int give_up(struct postgresql *db, const char *what, struct error *error)
{
	postgresql_gone(db, what, error);
	PQfinish(db->conn);
	db->conn = NULL;
	return -1;
}

bool postgresql_is_alive(const struct postgresql *db)
{
	return db->conn && PQstatus(db->conn) == CONNECTION_OK;
}

static const struct {
	const char *sqlstate; /* a prefix */
	enum error_class class;
	const char *code;
} classes[] = {
	{"40", ERROR_RETRY, "db.busy"},                                        /* serialization failure, deadlock */
	{"55P03", ERROR_RETRY, "db.busy"},                                     /* lock not available */
	{"57014", ERROR_RETRY, "db.busy"},                                     /* cancelled */
	{"53100", ERROR_RETRY, "db.full"},    {"53", ERROR_RETRY, "db.busy"},  /* out of memory, too many connections */
	{"58030", ERROR_RETRY, "db.full"},                                     /* I/O error */
	{"08", ERROR_RETRY, "db.gone"},       {"57P", ERROR_RETRY, "db.gone"}, /* shutdown, crash, cannot connect now */
	{"25006", ERROR_RETRY, "db.gone"},                                     /* it has become a standby */
	{"XX001", ERROR_FATAL, "db.corrupt"}, {"XX002", ERROR_FATAL, "db.corrupt"}, {"", ERROR_FATAL, "db.error"},
};

int postgresql_fail(struct postgresql *db, const PGresult *result, const char *sql, struct error *error)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE),
		   *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	struct error own;
	size_t i = 0;

	if (!postgresql_is_alive(db) || !state)
		return postgresql_gone(db, "the connection is lost", error);
	while (strncmp(classes[i].sqlstate, state, strlen(classes[i].sqlstate)))
		i++;
	error_set(&own, classes[i].class, classes[i].code, "PostgreSQL at %s:%d: %s (%s)%s%.80s", db->settings->host,
		  (int)db->settings->port, text ? text : "failed", state, sql ? " in " : "", sql ? sql : "");
	if (!strcmp(own.code, "db.gone") || !strcmp(own.code, "db.full"))
		own.scope = SCOPE_SITE;
	return postgresql_keep(db, &own, error);
}

int postgresql_spoiled(struct postgresql *db, struct error *error)
{
	if (db->in_transaction && db->spoiled.class != ERROR_NONE) {
		if (error)
			*error = db->spoiled;
		return -1;
	}
	return postgresql_is_alive(db) ? 0 : postgresql_gone(db, "the connection is lost", error);
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
		return postgresql_gone(db, "the connection is lost", error);
	return 0;
}

static int flush(struct postgresql *db, int64_t until, struct error *error)
{
	int status;

	while ((status = PQflush(db->conn)) == 1)
		if (wait_io(db, POLLIN | POLLOUT, until, error))
			return -1;
	return status ? postgresql_gone(db, "the connection is lost", error) : 0;
}

int postgresql_result(struct postgresql *db, PGresult **result, struct error *error)
{
	int64_t until = clock_tick_ms() + (db->limit_ms ? db->limit_ms : db->settings->timeout_ms);

	if (flush(db, until, error))
		return -1;
	while (PQisBusy(db->conn))
		if (wait_io(db, POLLIN, until, error))
			return -1;
	*result = PQgetResult(db->conn);
	db->heard_ms = clock_tick_ms();
	return 0;
}

bool postgresql_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_PIPELINE_SYNC ||
	       status == PGRES_EMPTY_QUERY;
}

/* ---- statements by themselves */

int postgresql_plain_read(struct postgresql *db, PGresult **keep_it, const char *sql, struct error *error)
{
	int status = 0;

	for (;;) {
		PGresult *result = NULL;

		if (postgresql_result(db, &result, status ? NULL : error))
			return -1;
		if (!result)
			return status                    ? status
			       : postgresql_is_alive(db) ? 0
							 : postgresql_gone(db, "the connection is lost", error);
		if (!postgresql_good(result) && !status)
			status = postgresql_fail(db, result, sql, error);
		if (keep_it && !*keep_it && !status)
			*keep_it = result;
		else
			PQclear(result);
	}
}

int postgresql_plain(struct postgresql *db, const char *sql, struct error *error)
{
	if (!PQsendQuery(db->conn, sql))
		return postgresql_gone(db, "the connection is lost", error);
	return postgresql_plain_read(db, NULL, sql, error);
}

/* ---- opening */

void postgresql_disconnect(void *self)
{
	struct postgresql *db = self;

	if (!db)
		return;
	PQfinish(db->conn);
	literals_free(&db->statements);
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

/* The server's own look-out for a machine that is gone without a word (power, cable): after six seconds its locks are
 * free for another one. A socket of the same machine takes no notice of it. */
#define NOTICE_DEATH                                                                                                   \
	"SET tcp_keepalives_idle TO 3; SET tcp_keepalives_interval TO 1; SET tcp_keepalives_count TO 3;"               \
	"SET tcp_user_timeout TO 6000;"

/* Creating a schema twice at the same time fails even with IF NOT EXISTS: one at a time. What was committed must
 * survive, whatever the server's own setting is. */
static int session_begin(struct postgresql *db, bool reader, struct error *error)
{
	char *schema = PQescapeIdentifier(db->conn, db->settings->schema, strlen(db->settings->schema));
	char *literal = PQescapeLiteral(db->conn, db->settings->schema, strlen(db->settings->schema));
	char *sql = NULL;
	int status;

	if (!schema || !literal) {
		status = postgresql_gone(db, "the schema's name is not usable", error);
		goto done;
	}
	if (reader)
		sql = mem_printf("SET search_path TO %s; SET default_transaction_read_only TO on", schema);
	else
		sql = mem_printf(
			"SET search_path TO %s;" NOTICE_DEATH
			"DO $do$ BEGIN IF current_setting('synchronous_commit') IN ('off') THEN SET synchronous_commit "
			"TO on; END IF;"
			"IF NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s) THEN"
			" PERFORM pg_advisory_xact_lock(%lld); CREATE SCHEMA IF NOT EXISTS %s; END IF; END $do$",
			schema, literal, (long long)db->salt, schema);
	status = postgresql_plain(db, sql, error);
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
			return postgresql_gone(db, "no connection within the time limit", error);
		state = PQconnectPoll(db->conn);
		if (state == PGRES_POLLING_FAILED)
			return postgresql_gone(db, "no connection", error);
	}
	return PQsetnonblocking(db->conn, 1) ? postgresql_gone(db, "no connection", error) : 0;
}

static const char *const ssl_names[] = {"disable", "allow",     "prefer",
					"require", "verify-ca", "verify-full"}; /* POSTGRESQL_SSL_MODES */

static PGconn *connect_start(const struct postgresql_settings *s, const char *password, bool reader)
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

struct postgresql *postgresql_connect(const struct postgresql_settings *settings, struct span password, bool reader,
				      struct error *error)
{
	struct postgresql *db = mem_alloc(sizeof *db);
	char *secret = mem_span_dup(password);

	db->settings = settings;
	db->salt = salt_of(db->settings->schema);
	db->conn = connect_start(settings, secret, reader);
	memset(secret, 0, password.len);
	free(secret);
	if (!db->conn || PQstatus(db->conn) == CONNECTION_BAD) {
		postgresql_gone(db, "no connection", error);
		goto failed;
	}
	PQsetNoticeReceiver(db->conn, no_notice, NULL);
	if (!connect_wait(db, error) && !session_begin(db, reader, error))
		return db;
failed:
	postgresql_disconnect(db);
	return NULL;
}
