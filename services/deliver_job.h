/* A delivery under way, and how it can end. Shared by the files of the deliver role only. */
#ifndef FERRULE_SERVICES_DELIVER_JOB_H
#define FERRULE_SERVICES_DELIVER_JOB_H

#include "base/adapter.h"
#include "services/deliver_target.h"

enum state {
	STATE_INTENDING, /* waits for the store's word */
	STATE_RUNNING,   /* the sink has it */
	STATE_SETTLING,  /* its unit is on its way */
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
	struct error why;      /* of the unit under way: what to log when it is committed */
	const char *became;    /* the record's stage */
	bool conclusive;       /* the unit under way ends this effect's story: no witness is needed any more */
	struct worker *worker;
};

struct deliver {
	const struct sink_ops *ops;
	void *sink;
	struct target *targets;
	size_t targets_count;
	struct job *jobs;
	unsigned jobs_count;
	bool used;
};

struct deliver *deliver_of(struct worker *);

void job_free(struct job *);
void job_give_back(struct job *); /* in its old place: nothing was done, or it is to be found out again */
/* Into the unit: the stage that it comes to, with what there is to say. */
void job_record(struct job *, struct unit *, const char *stage, struct span detail);
void job_record_why(struct job *, struct unit *, const char *stage, const struct error *why);
/* The unit's answer ends the job: logged, freed; given back when it failed. */
void job_commit(struct job *, struct unit *);
void job_delivered(struct job *, const char *stage, struct span receipt);
void job_dead(struct job *, const struct error *why, bool withdraw /* the intent, too */);
void job_doubt(struct job *, const struct error *why); /* a person must say */
void job_park(struct job *, const struct error *why, enum outcome, int64_t wait_ms);

#endif
