/* What the site remembers, in a relational database: source identities that were seen, effects with their intents and
 * receipts, parks, dead letters, holds, revisions. The queue process is the only writer; on one machine the tables
 * share the spool's file, so that a unit is one transaction.
 *
 * Writing calls belong inside db begin/commit of the caller. Times are Unix milliseconds, given by the caller. Errors
 * are the database's. */
#ifndef FERRULE_OPERATIONS_STORE_H
#define FERRULE_OPERATIONS_STORE_H

#include "base/db.h"
#include "base/effect.h"
#include "base/message.h"
#include "base/queue.h"
#include "operations/audit.h"

#define STORE_SCHEMA 9 /* the newest migration */

struct store;
/* Brings the schema forward, one migration a transaction (several machines may start at once); FATAL `store.newer` when
 * it was made by a later version, with both numbers and what to do. Borrows db. */
struct store *store_open(struct db *, struct error *);
void store_close(struct store *);
struct db *store_db(struct store *);

/* ---- seen */
/* What is past its keep_until counts as new, whether it was deleted by then or not. */
int store_seen_find(struct store *, const struct id *sources, size_t n, int64_t now, enum seen *, struct id *messages,
		    struct error *);
/* First come, first kept: an identity that is there stays as it is. */
int store_seen_put(struct store *, const struct id *source, const struct id *message, int64_t keep_until, int64_t now,
		   struct error *);

/* ---- effects */
/* A session is what may hold intents: alive() tells whether one still lives (also on other machines). */
typedef bool store_alive_fn(void *arg, struct span session);
struct store_intent {
	const struct id *key, *request;
	const char *endpoint;
	struct span session;
	const struct message *message; /* kept while the effect is open, so that a person can see and resend it */
	struct span envelope, body;    /* the same, encoded */
	int64_t now;
};
/* DOUBT: `session` takes it over; the digest kept stays that of the request that may have happened. BUSY also within
 * one session: two copies. */
int store_intend(struct store *, const struct store_intent *, store_alive_fn *, void *arg, struct intention *,
		 struct error *);
/* In a store that was put back from a backup nobody knows what was delivered since: an effect that it has no row of,
 * of a message that was accepted or made (its time) before the restore, is answered with DOUBT at its first attempt,
 * and first_ms is the message's time. What a person delivered again after the restore (a generation) is not.
 * What was in the queues of a broker that has a database of its own comes once more (store_intake_again). Collections
 * that were open, groups left out, close as they stand: what they made since has no other members than these, and those
 * that came later come in another one. In a transaction. */
int store_restored_put(struct store *, int64_t now, struct error *);
/* Of a copy: it counts as restored at the moment when it is first opened as a store. */
int store_restored_later(struct db *, struct error *);
/* DELIVERED: receipt and digests stay, envelope and body go. NOT_DONE: the row goes, unless attempts matter: first_ms
 * and attempts stay. DOUBT: waits for a person. */
int store_effect(struct store *, const struct id *key, enum outcome, const struct message *, const char *endpoint,
		 struct span envelope, struct span body, struct span receipt, int64_t now, struct error *);
/* UNCLEAR: stays intended without a session: whoever meets it next is told DOUBT. No outcome changes a row that has a
 * receipt. */
/* On start: intents of dead sessions stay as they are and are DOUBT when met again. */

/* ---- what came into a broker that has a database of its own: see store_intake.c. Kept until the message expires. */
int store_intake_put(struct store *, const char *queue, struct span envelope, struct span body, int64_t now,
		     struct error *);
int store_intake_again(struct store *, int64_t now, struct error *); /* all of it is parked, and due */

/* ---- parks */
struct store_park {
	int64_t number; /* given by the store */
	const char *queue;
	int64_t due;        /* INT64_MAX: until released (a held order key) */
	uint64_t order_key; /* 0: none */
	struct span message_id, envelope, body;
	const struct error *why; /* NULL: joined an earlier one of its key, and goes behind it; else it was in flight,
				    and goes in front */
};
typedef int store_park_fn(void *arg, const struct store_park *); /* borrowed for the call; non-zero stops */
int store_park_put(struct store *, const struct store_park *, int64_t now, struct error *);
int store_park_due(struct store *, int64_t now, size_t limit, store_park_fn *, void *arg,
		   struct error *); /* oldest first; of one order key only the first */
int store_park_delete(struct store *, int64_t number, bool *gone, struct error *); /* gone: by this call */
int store_park_next(struct store *, int64_t *due, struct error *); /* of the earliest, INT64_MAX when none */
int store_park_keys(struct store *, int (*each)(void *, const char *queue, uint64_t order_key, uint64_t count),
		    void *arg, struct error *);
int store_park_release(struct store *, const char *queue, uint64_t order_key, int64_t now,
		       struct error *); /* held ones become due */

/* ---- dead letters; unique by message id, path and step: the same again replaces reason and time only */
/* Its flow is that of queue in.<flow>, else the message's; its order key the one of that flow. A letter that was closed
 * is open again. */
int store_dead_put(struct store *, const struct dead *, struct span envelope, struct span body, int64_t now,
		   struct error *);
int store_dead_open(struct store *, uint64_t *count, struct error *);
/* Is there an open dead letter of this order key in this queue (order on-reject: hold)? */
int store_dead_holds(struct store *, int (*each)(void *, const char *queue, uint64_t order_key), void *arg,
		     struct error *);

/* ---- holds of operators */
struct store_hold {
	const char *name; /* flow, endpoint or system */
	int64_t until, since;
	const char *reason, *by;
};
int store_hold_set(struct store *, const struct store_hold *, struct error *); /* again: since stays */
int store_hold_release(struct store *, const char *name, bool *held, struct error *);
int store_hold_each(struct store *, int64_t now, int (*each)(void *, const struct store_hold *), void *arg,
		    struct error *);

/* ---- tables that flows look up and write (enrich, remember), and operators: values are JSON */
struct store_entry {
	const char *table;
	struct span key, value;   /* value: JSON text */
	const struct id *message; /* that it was learned from, or NULL: of an operator */
	const char *by;           /* the operator; "" */
	int64_t at;
};
int store_entry_put(struct store *, const struct store_entry *, bool replace, struct error *);
int store_entry_remove(struct store *, const char *table, struct span key, bool *gone, struct error *);
/* All of a table, by key, at most so many. */
int store_entry_each(struct store *, const char *table, int64_t limit,
		     int (*each)(void *, struct span key, struct span value), void *arg, struct error *);
/* The value, appended as JSON; *found false when there is none. */
int store_entry_find(struct store *, const char *table, struct span key, struct buf *value, bool *found,
		     struct error *);

/* ---- the audit trail: one chain for the site (audit.h). Each of these waits for another machine's transaction that
 * writes to the chain */
/* One record, and a check point where one is due: after AUDIT_EVERY records, and with the first of a day. A key that
 * did not sign so far is announced first. once: the same again changes nothing; NULL: it may come again. key NULL: no
 * check points are made. */
struct store_audit {
	const struct audit_key *key;
	const char *what, *who, *once;
	const json_t *facts;
	int64_t now;
};
int store_audit_put(struct store *, const struct store_audit *, struct error *);
int store_audit_checkpoint(struct store *, const struct audit_key *, int64_t now, struct error *);
/* The lines behind a number, oldest first. */
int store_audit_each(struct store *, int64_t after, int64_t limit,
		     int (*each)(void *, int64_t number, struct span line), void *arg, struct error *);

/* ---- revisions: where the vault keeps each */
int store_revision_put(struct store *, const char *revision, const char *ref, int64_t now, struct error *);
int store_revision_newest(struct store *, const char *revision, bool *newest, struct error *); /* is this one? */
int store_revision_find(struct store *, const char *revision, struct buf *ref,
			struct error *); /* -1 REJECT `revision.unknown` */

/* ---- events of Ferrule's own ("ferrule.dead-letter.v1"), on their way to their topics: put in the transaction of what
 * they tell of, published by the steward, then forgotten. The same id twice is one. Those that nobody wants are not
 * kept. */
struct store_event {
	int64_t number; /* given by the store */
	struct id id;
	const char *topic, *subject; /* subject: what it is about: a flow, an endpoint, an expectation */
	struct span key;             /* a business key that it concerns, or empty */
	struct span body;            /* JSON */
	int64_t at;
};
typedef bool store_wanted_fn(void *arg, const char *topic);
void store_events_wanted(struct store *, store_wanted_fn *, void *arg); /* NULL, as at first: all are */
bool store_event_wanted(const struct store *, const char *topic);
int store_event_put(struct store *, const struct store_event *, bool *put, struct error *);
/* Of a letter that is about to be put, and of an effect that is about to be in doubt; nothing when it is already. */
int store_event_dead(struct store *, const struct dead *, const char *owner, const char *runbook, int64_t now,
		     bool *put, struct error *);
int store_event_doubt(struct store *, const struct id *key, const struct message *, const char *endpoint,
		      const char *owner, const char *runbook, int64_t now, bool *put, struct error *);
#define EVENT_DEAD   "ferrule.dead-letter.v1"
#define EVENT_DOUBT  "ferrule.doubt.v1"
#define EVENT_SOURCE "/ferrule/events" /* the end of their CloudEvents source, and of all that is made of them */
int store_event_each(struct store *, unsigned limit, int (*each)(void *, const struct store_event *), void *arg,
		     struct error *); /* oldest first; borrowed for the call */
int store_events_wait(struct store *, bool *any, struct error *);
int store_event_gone(struct store *, int64_t number, struct error *);

/* ---- retention: deletes what is past its time in small portions; *more: call again */
struct store_retention {
	int64_t receipts_before, dead_before, revisions_before, now;
};
int store_expire(struct store *, const struct store_retention *, unsigned limit, bool *more, struct error *);
/* Vault references that dead letters, parks, held messages and open effects need (originals and bodies), and those of
 * the revisions kept. */
int store_pins(struct store *, int (*each)(void *, struct span ref), void *arg, struct error *);

#endif
