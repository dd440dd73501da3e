/* Statements of a transaction whose result nobody reads go out without waiting for their answers (libpq's pipeline
 * mode): a unit of hundreds of rows costs few round trips. Their errors come out at the next result, at the latest from
 * commit. See postgresql.h.
 *
 * Each statement has a Sync of its own. The server's look-outs for a silent session (see set_silence) do not run, and
 * statement_timeout neither, while it waits for the Sync of a pipeline: a machine that stood still there kept its locks
 * and rows for ever. */
#include "config.h"

#include "broker-adapters/databases/postgresql.h"

#include "base/fault.h"

/* Reads the answer of the oldest pipelined statement. Of an aborted pipeline the first error was kept already. */
int postgresql_answer(struct postgresql *db, PGresult **keep_it, const char *sql, struct error *error)
{
	PGresult *result = NULL, *end = NULL;
	int status = 0;

	if (postgresql_result(db, &result, error))
		return -1;
	if (!result)
		return postgresql_gone(db, "the connection is lost", error);
	if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
		status = db->spoiled.class ? postgresql_keep(db, &db->spoiled, error)
					   : postgresql_gone(db, "an earlier statement failed", error);
	else if (!postgresql_good(result))
		status = postgresql_fail(db, result, sql, error);
	if (status == 0 && keep_it)
		*keep_it = result;
	else
		PQclear(result);
	if (postgresql_is_alive(db) && postgresql_result(db, &end, status ? NULL : error))
		status = -1;
	PQclear(end);
	end = NULL;
	if (postgresql_is_alive(db) && postgresql_result(db, &end, status ? NULL : error)) /* its Sync */
		status = -1;
	PQclear(end);
	if (status && keep_it && *keep_it) {
		PQclear(*keep_it);
		*keep_it = NULL;
	}
	return status;
}

int postgresql_drain(struct postgresql *db, struct error *error)
{
	int status = 0;

	while (db->pending && postgresql_is_alive(db)) {
		db->pending--;
		if (postgresql_answer(db, NULL, NULL, status ? NULL : error))
			status = -1;
	}
	return status ? status : postgresql_is_alive(db) ? 0 : postgresql_gone(db, "the connection is lost", error);
}

int postgresql_pipeline_leave(struct postgresql *db, struct error *error)
{
	int status = 0;

	if (!postgresql_is_alive(db) || PQpipelineStatus(db->conn) == PQ_PIPELINE_OFF)
		return 0;
	status = postgresql_drain(db, error);
	if (postgresql_is_alive(db) && !PQexitPipelineMode(db->conn) && !status)
		status = postgresql_gone(db, "the pipeline does not end", error);
	return status;
}

/* The answer to BEGIN is waited for: behind one that failed each statement would be committed by its own Sync. */
int postgresql_pipeline_enter(struct postgresql *db, struct error *error)
{
	const char *begin = FAULT_FAILS("db.begin.refused") ? "BEGIN refused" : "BEGIN";

	if (PQpipelineStatus(db->conn) == PQ_PIPELINE_OFF && !PQenterPipelineMode(db->conn))
		return postgresql_gone(db, "no pipeline", error);
	if (db->began)
		return 0;
	if (!PQsendQueryParams(db->conn, begin, 0, NULL, NULL, NULL, NULL, 1) || !PQpipelineSync(db->conn))
		return postgresql_gone(db, "the connection is lost", error);
	if (postgresql_answer(db, NULL, begin, error))
		return -1;
	db->began = true;
	return 0;
}
