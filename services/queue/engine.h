/* The queue engine: the only part of Ferrule that opens the broker and the store. It hands deliveries to sessions
 * (workers, connected to <run>/queue.sock), takes their units and commits them in groups. It runs in the queue process,
 * or in a forked child of a verb when no site is running; the caller holds the site's lock. One thread, on the caller's
 * loop. */
#ifndef FERRULE_SERVICES_QUEUE_ENGINE_H
#define FERRULE_SERVICES_QUEUE_ENGINE_H

#include "base/broker.h"
#include "base/db.h"
#include "base/loop.h"
#include "operations/audit.h"

struct engine;

struct engine_config { /* copied, but for what the pointers of settings and topology refer to: those stay until
			  engine_close */
	const struct broker_ops *broker;
	const void *broker_settings;
	struct span broker_password;
	const struct db_ops *store;
	const void *store_settings;
	struct span store_password;
	const char *db_path;  /* the file of a file database */
	const char *run_path; /* the socket is <run_path>/queue.sock */
	const char *site, *revision;
	const struct topology *topology; /* copied */
	uint64_t disk_reserve; /* bytes free on the file system of db_path below which nothing is accepted; 0: none */
	const char *ballast_path; /* a file that is given up on a full disk; NULL: none */
	uint64_t ballast_size;    /* 0: 32 MiB; must exceed the log of the database (8 MiB and a group) */
	int64_t keep_receipts_ms, keep_originals_ms; /* retention; 0: for ever */
	const struct audit_key *audit_key; /* signs the audit trail; copied; NULL: nobody does */
	unsigned budget;          /* deliveries in hand together; 0: 2000 */
	/* Messages wait that only this role takes ("sink:erp-drop") and nobody consumes; at most once a second for
	 * each. May be NULL: a session of role "supervisor" hears of it too (queue_on_want). */
	void (*want)(void *arg, const char *worker);
	void *want_arg;
};

/* Opens store and broker, brings the schema forward, listens. A broker that is down is no error: it is tried again. -1
 * as NULL: RETRY when the store cannot be reached, FATAL when it must not be used. */
struct engine *engine_open(const struct engine_config *, struct loop *, struct error *);
void engine_close(struct engine *); /* sessions end; what they held stays in the queue */
int engine_topology(struct engine *, const struct topology *, const char *revision, struct error *); /* copied */
void engine_drain(struct engine *);                       /* hands nothing out any more; units are still committed */
bool engine_quiet(const struct engine *);                 /* nobody holds anything and no unit is open */
bool engine_ready(const struct engine *);                 /* the broker is connected and consuming, the store answers */
const struct error *engine_failed(const struct engine *); /* not NULL: end this process; a new one starts afresh */

#endif
