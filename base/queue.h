/* What a worker sees of the queue process: deliveries in, units out, over one socket. Every role and verb uses this.
 *
 * Only queue_open, queue_wait and the calls said to wait block. Completions and deliveries come from queue_pump. When
 * the queue process ends, every call fails with FATAL `queue.gone`: the worker ends, what it held is delivered to
 * another. */
#ifndef FERRULE_BASE_QUEUE_H
#define FERRULE_BASE_QUEUE_H

#include <jansson.h>

#include "base/effect.h"
#include "base/error.h"
#include "base/hold.h"
#include "base/message.h"

struct queue;
struct unit;

struct delivery {
	struct message *message; /* owned by the delivery; body at hand when inline */
	const char *queue;
	uint64_t tag;
	bool redelivered; /* somebody may have begun with it */
	bool suspect;     /* it was in hand when a worker died: it comes alone */
	void *user;       /* the worker's own */
};

/* Connects to the queue process listening at `path` and introduces itself. Waits up to wait_ms for the socket to
 * appear. */
struct queue *queue_open(const char *path, const char *role, int wait_ms, struct error *);
void queue_close(struct queue *);
int queue_fd(struct queue *); /* readable: call queue_pump; also watch for writing while queue_unsent() */
bool queue_unsent(struct queue *);
/* Writes what is possible, and nothing more: for the middle of a long call, where no completion may come. */
void queue_flush(struct queue *);
int queue_pump(struct queue *, struct error *); /* does what I/O is possible, calls completions; never blocks */
int queue_wait(struct queue *, int wait_ms, struct error *); /* polls the socket, then pumps */

/* From now on keep up to `messages` deliveries of at most `bytes` together unsettled here from that queue
 * ("in.orders"); 0 stops more from coming. Settling makes room by itself. */
int queue_credit(struct queue *, const char *from, unsigned messages, size_t bytes);
size_t queue_take(struct queue *, struct delivery **into,
		  size_t max);                         /* what has arrived, in order; the caller owns them */
void queue_release(struct queue *, struct delivery *); /* gives it back unsettled, for another worker; frees it */
void delivery_free(struct delivery *);                 /* after its unit was committed */

/* Is the site accepting? False below the disk reserve and while the broker is away: sources stop polling, the gateway
 * answers 503. */
bool queue_accepting(struct queue *);

/* ---- units: all or nothing -------------------------------------------------------------------------------- */
struct unit *unit_new(struct queue *);
void unit_free(struct unit *); /* one that is not to be committed; publishes that went out already may have happened */
/* Exactly one of topic and queue. Everything needed is copied; a large unit sends as it grows. 1: the window is full,
 * queue_wait and call again. `optional`: no subscriber is fine; otherwise a message that no queue takes becomes a dead
 * letter of step `publish` in this unit. */
int unit_publish(struct unit *, const char *topic, const char *queue, bool optional, const struct message *,
		 struct error *);
int unit_settle(struct unit *, struct delivery *); /* the input is done with when the unit is committed */
int unit_park(struct unit *, struct delivery *, int64_t due_ms,
	      const struct error *why); /* instead of settle: comes again when due */
struct dead {
	const struct message *message; /* what was in hand: replaying publishes this to `queue` again */
	const char *queue;             /* "in.orders" */
	const char *step;              /* "decode", "map:acme.jq", "deliver"; unique together with id and path */
	struct span path;              /* the part that failed; empty: all of it */
	struct span position;          /* for people */
	struct span content;           /* what the step had in hand (JSON or bytes), cut to 64 KiB; may be empty */
	const struct error *why;
};
int unit_dead(struct unit *, const struct dead *);
/* A message that waits in a durable step; the same again (id and generation) is one. The store may refuse it when the
 * unit is committed: then the part of `from` that it was made of is a dead letter. 1 and -1 as unit_publish. */
struct held {
	const struct message *message; /* what the steps behind it get, or a member of that */
	const struct hold *hold;
	const char *queue; /* of the steps behind: "in.orders/collect" */
	const char *step;  /* "collect:group" */
	const struct delivery *from;
	struct span path, position;
};
int unit_held(struct unit *, const struct held *, struct error *);
/* This place of a group stays empty, for the durable step before `queue`; what comes there all the same takes it.
 * generation: of the message (message.h). */
int unit_gap(struct unit *, const char *queue, struct span group, uint32_t generation, uint32_t place, enum gap);
/* The group has so many places. */
int unit_group(struct unit *, const char *queue, struct span group, uint32_t generation, uint32_t size);
int unit_seen(struct unit *, const struct id *source, const struct id *message, int64_t keep_until_ms);
/* The outcome of an effect that was intended: a receipt, or what became of it. */
enum outcome {
	OUTCOME_DELIVERED,
	OUTCOME_NOT_DONE /* RETRY, REJECT: intent withdrawn */,
	OUTCOME_DOUBT,  /* a person must say */
	OUTCOME_UNCLEAR /* it may have happened, the intent stays open but no session holds it: the next is told DOUBT
			 */
};
int unit_effect(struct unit *, const struct id *key, enum outcome, const struct message *, const char *endpoint,
		struct span receipt /* JSON */);
/* Lineage. stage: received, accepted, published, filtered, held, collected, delivered, recognised, parked, dead, doubt,
 * resolved, replayed. */
struct record {
	const struct message *message;
	const char *stage;
	const char *place; /* flow, topic or endpoint */
	uint32_t attempt;
	struct span detail; /* JSON object or empty; no secrets, no bodies */
};
int unit_record(struct unit *, const struct record *);
/* A named change of operations/ask.h ("dead.replayed", "hold.set" …), made in the unit's store transaction. Takes the
 * reference. */
int unit_change(struct unit *, const char *name, json_t *request);
/* Sends the unit. done is called once from queue_pump, with NULL when committed, else the error (RETRY: nothing was
 * settled, the deliveries of the unit are still the worker's; do it again). The unit is freed after done. */
typedef void unit_done_fn(void *arg, const struct error *);
int unit_commit(struct unit *, unit_done_fn *, void *arg,
		struct error *);                     /* -1: done will not be called, the unit is still the caller's */
int unit_commit_wait(struct unit *, struct error *); /* the same, waiting; frees the unit in any case */
/* … for so long at most; RETRY `queue.silent` then, and whether it was committed is not known. */
int unit_commit_within(struct unit *, int wait_ms, struct error *);

/* ---- asking ------------------------------------------------------------------------------------------------ */
enum seen { SEEN_NEW, SEEN_BEFORE, SEEN_DIED };
/* Waits. Which source identities were accepted before; for SEEN_BEFORE and _DIED *message (n long, may be NULL) gets
 * the message id. */
int queue_seen(struct queue *, const struct id *sources, size_t n, enum seen *, struct id *messages, struct error *);
/* Stores an intent durably; the answer comes through done. */
typedef void intend_done_fn(void *arg, const struct intention *, const struct error *);
int queue_intend(struct queue *, const struct id *key, const char *endpoint, const struct message *,
		 const struct id *request, intend_done_fn *, void *arg, struct error *);
/* What a worker says of an endpoint, for status and until-idle: {"state":"paused","since":…,"error":…,"next":…} or
 * {"state":"idle"|"busy"}. */
int queue_state(struct queue *, const char *endpoint, json_t *state);
/* Waits. One of the questions of operations/ask.h by name; *answer is a new reference. */
int queue_ask(struct queue *, const char *name, json_t *request, json_t **answer, int wait_ms, struct error *);

/* ---- what only the supervisor (role "supervisor") may say and hear; queue_on_want also the steward ------------- */
/* A worker died with this message in hand. From now on it comes alone; its third death alone makes it a dead letter
 * with this cause. */
int queue_suspect(struct queue *, const struct id *message, const char *cause);
int queue_topology(struct queue *, const char *revision, struct span encoded); /* the queues of a new revision */
int queue_drain(struct queue *); /* nothing is handed out any more; what is in hand may be finished */
typedef void queue_want_fn(void *arg,
			   const char *worker); /* messages wait that only this role takes: "sink:erp-drop";
						   "steward": something held is due */
void queue_on_want(struct queue *, queue_want_fn *, void *arg);

#endif
