/* A delivery under way, and how it can end. Shared by the files of the deliver role only. */
#ifndef FERRULE_SERVICES_DELIVER_JOB_H
#define FERRULE_SERVICES_DELIVER_JOB_H

#include "base/adapter.h"
#include "broker-adapters/file/file_kept.h"
#include "services/deliver_target.h"

enum state {
	STATE_INTENDING, /* waits for the store's word */
	STATE_RUNNING,   /* the sink has it */
	STATE_SETTLING,  /* its outcome is known; its unit is on its way, or waits to be sent again */
};

struct job {
	struct job *next, **at;
	enum state state;
	struct target *target;
	struct delivery *delivery;
	struct attempt attempt;
	struct buf idempotency_key;
	struct intention intention;
	struct id request;
	/* the outcome, from which its unit can be made as often as needed */
	void (*end)(struct job *);
	const char *became; /* the record's stage */
	struct error why;
	enum outcome outcome;
	int64_t due_ms;
	bool probes;         /* its target was paused when it was taken */
	bool withdraw;       /* the intent, too */
	bool conclusive;     /* it ends this effect's story: no witness is needed any more */
	struct timer *again; /* the unit failed, nothing was settled: when it is sent again */
	struct kept kept;    /* the copy of what was delivered, … */
	int64_t kept_ms;     /* … and since when */
	struct worker *worker;
};

struct deliver {
	const struct sink_ops *ops;
	void *sink;
	struct target *targets;
	size_t targets_count;
	struct job *jobs;
	unsigned jobs_count;
	int64_t not_before; /* monotonic: the store could not take something, nothing more is begun until then */
	bool used;
};

struct deliver *deliver_of(struct worker *);

void job_free(struct job *);
void job_give_back(struct job *); /* in its old place: nothing was done, or it is to be found out again */
/* Each of these ends the job: what became of it is kept until the store has it (a commit that fails is tried again),
 * then logged and freed. */
void job_delivered(struct job *, const char *stage); /* with the attempt's receipt */
void job_recognised(struct job *);                   /* there is a receipt already */
void job_dead(struct job *, const struct error *why, bool withdraw /* the intent, too */);
void job_doubt(struct job *, const struct error *why); /* a person must say */
void job_park(struct job *, const struct error *why, enum outcome, int64_t wait_ms);
void job_busy(struct job *, int64_t wait_ms); /* somebody else is at it: parked without an outcome */
void job_withdraw(struct job *);              /* nothing happened: the intent goes, the delivery keeps its place */

#endif
