/* What the files of the PostgreSQL adapter share; nobody else includes it. */
#ifndef FERRULE_BROKER_ADAPTERS_POSTGRESQL_H
#define FERRULE_BROKER_ADAPTERS_POSTGRESQL_H

#include <libpq-fe.h>

#include "base/db.h"
#include "base/literals.h"

#define POSTGRESQL_PARAMETERS_MAX 64
#define POSTGRESQL_SSL_MODES      "disable|allow|prefer|require|verify-ca|verify-full"

struct postgresql_settings {
	const char *host, *database, *user, *schema, *sslrootcert, *password;
	int64_t port, connect_timeout_ms, timeout_ms;
	int sslmode;
};

struct postgresql {
	PGconn *conn;
	const struct postgresql_settings *settings;
	bool in_transaction, began; /* began: BEGIN was answered */
	unsigned pending;           /* pipelined statements whose answer was not read */
	struct error spoiled;
	int64_t heard_ms;           /* monotonic: the last answer */
	int64_t limit_ms;           /* how long the next may take; 0: as the settings say */
	int64_t *locks; /* held by this connection */
	size_t locks_count, locks_capacity;
	uint64_t salt; /* keeps the locks of two schemas apart */
	struct literals statements; /* numbered from 1; the name at the server is s<number> */
	unsigned prepared;
};

/* ---- postgresql_connection.c */
struct postgresql *postgresql_connect(const struct postgresql_settings *, struct span password, bool reader,
				      struct error *);
void postgresql_disconnect(void *); /* NULL is legal */
bool postgresql_is_alive(const struct postgresql *);
/* All return -1, and keep the first error of a transaction, which is spoiled by it. */
int postgresql_keep(struct postgresql *, const struct error *own, struct error *);
int postgresql_gone(struct postgresql *, const char *what, struct error *);
int postgresql_fail(struct postgresql *, const PGresult *, const char *sql, struct error *);
/* -1 with its first error when the transaction is spoiled, or the connection is lost. */
int postgresql_spoiled(struct postgresql *, struct error *);
bool postgresql_good(const PGresult *);
/* The next result, waited for within the time limit; NULL (with 0) ends those of one statement. */
int postgresql_result(struct postgresql *, PGresult **, struct error *);
int postgresql_plain(struct postgresql *, const char *sql,
		     struct error *); /* statements by themselves, outside a pipeline */
/* Reads to the end of what was sent outside a pipeline; the first good result goes to *keep_it, the first bad one
 * counts. */
int postgresql_plain_read(struct postgresql *, PGresult **keep_it, const char *sql, struct error *);

/* ---- postgresql_pipeline.c */
int postgresql_pipeline_enter(struct postgresql *, struct error *); /* with the first statement also BEGIN */
int postgresql_pipeline_leave(struct postgresql *, struct error *); /* everything is answered */
int postgresql_drain(struct postgresql *, struct error *);          /* reads the answers of what is pending */
/* The answer of the oldest statement of the pipeline. */
int postgresql_answer(struct postgresql *, PGresult **keep_it, const char *sql, struct error *);

/* ---- postgresql_values.c */
int postgresql_send(struct postgresql *, const char *name, const struct value *, size_t n, struct error *);
void postgresql_rows(const PGresult *, db_row_fn *each, void *arg);

#endif
