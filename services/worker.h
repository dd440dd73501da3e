/* What every worker process has: the site, its queue connection, a loop, a slot on the board. A role fills in a few
 * callbacks and worker_run does the rest: signals, the life pipe, draining, ending. */
#ifndef FERRULE_SERVICES_WORKER_H
#define FERRULE_SERVICES_WORKER_H

#include "base/loop.h"
#include "base/queue.h"
#include "base/topology.h"
#include "base/vault.h"
#include "config/site.h"
#include "services/board.h"
#include "services/revisions.h"

#define EXIT_AGAIN 75 /* an error of this process: start it again, nobody is to blame */
#define EXIT_BLAME 70 /* an error of this process that the message in hand brought about: it is suspect */
#define EXIT_QUEUE 76 /* the queue process went away: start it again with that, at once */

#define SHUTDOWN_MS 8000 /* what a worker may take to finish after SIGTERM, … */
#define GIVE_UP_MS 6000  /* … from then on without what is still under way */

struct worker;

struct role {
	const char *name; /* "transform" … */
	int (*start)(struct worker *, struct error *);
	void (*ready)(struct worker *); /* after each round of the loop: new deliveries may have come. May be NULL */
	void (*drain)(struct worker *); /* take nothing more; called once */
	void (*give_up)(
		struct worker *); /* the time to drain is over; called once, some time is left to commit. May be NULL */
	bool (*idle)(struct worker *); /* nothing in hand: a draining worker ends */
	void (*stop)(struct worker *); /* frees the role's own */
	bool needs_vault;
};

struct worker {
	const struct role *role;
	const struct site *site;         /* the current revision */
	const struct topology *topology; /* its queues, and those of removed flows that may still hold something */
	const char *endpoint;            /* poll and sink: which one; else NULL */
	struct board_slot *slot;
	int life;  /* the supervisor's pipe: end of file means that it is gone */
	bool once; /* a poller: take what is there, then end */
	struct loop *loop;
	struct queue *queue;
	struct vault *vault;
	struct revisions *revisions;
	struct moving *moving; /* what is under way just now */
	bool draining;
	int64_t give_up_at, drain_until; /* monotonic; the first 0 once it was done */
	int64_t busy_at;                 /* monotonic; when there was something to do last, for on-demand workers */
	int wait_ms;                     /* how long the loop may sleep; roles with other things to wait for lower it */
	void *own;                       /* the role's state */
};

/* Runs the worker to its end and returns the exit status. Called in the forked process. */
int worker_run(struct worker *);
void worker_end(struct worker *);                        /* drain, then end with status 0 */
void worker_fail(struct worker *, const struct error *); /* logs, ends with EXIT_AGAIN; nobody is to blame */
/* The same with EXIT_BLAME: the message on the board is named as suspect. When the queue process went away it is as
 * worker_fail. */
void worker_blame(struct worker *, const struct error *);

extern const struct role role_transform, role_deliver, role_poll, role_gateway, role_record, role_steward;

#endif
