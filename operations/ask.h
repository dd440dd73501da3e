/* Questions and changes by name: what verbs (and later the console) want of a running site, as JSON. The queue process
 * answers them between units; changes run inside a unit's transaction. One table, operations/ask.c; the lists below are
 * its contract.
 *
 * Questions (queue_ask)
 *   status {}
 *     {site, revision, since,
 *      queues:[{name, kind, flow, endpoint, system, owner, runbook, ready, unsettled, parked, oldest_ms, consumers,
 *      held}],
 *      endpoints:{NAME:{state, since, error, next}}, workers:[{role, since, unsettled}], dead, doubt, parked,
 *      held:[{queue, flow, step, open, members, oldest_ms, due_ms}] (what waits in durable steps),
 *      expectations:[{name, flow, open, missed, met, late, missed_ever, lag_ms, last_ms, overdue_ms}],
 *      expiring:[{kind, id, name, used, owner, runbook, expires_ms, told_ms?}],
 *      broker:{connected, consuming, blocked, text}, accepting,
 *      problems:[{problem (its name as long as it lasts), what, since (0: not known), keys, owner, runbook, next,
 *      here? (processes know it, and forget it when they end), tried? (since: when it was last tried), machines?}],
 *      holds, counters:{…}}; of a site of several machines also `machine`, whose answer it is, and the others that have
 *      the same store, machines:[{machine, since, gone?}]; `here` problems name theirs in machines:[NAME…]
 *   dead.list {flow?, cause?, key?, since?, state?, limit?, after?}
 *     {groups:[{cause, step, flow, count, first_ms, last_ms, example}],
 *      letters:[{number, id, step, flow, queue, cause, reason, position, at_ms, deaths, document, keys, state}], next?}
 *     state is open when not given, or replayed, discarded, all; oldest first; next is the `after` of the next page
 *   dead.get {number | id}
 *     {all of one letter; envelope, body and content in base64; origin:{name, digest, offset, length, ref}, history}
 *   doubt.list {endpoint?, limit?}
 *     {doubts:[{key, endpoint, message, keys, first_ms, last_ms, attempts, generation, reason}], more?}
 *   doubt.get {key}                   {… of any effect; state, envelope, body, receipt, history}
 *   holds {}                          {holds:[{name, until_ms, since_ms, reason, by}]}
 *   effect.find {message, endpoint?}  {effects:[{key, endpoint, state, first_ms, done_ms, receipt, request, attempts}]}
 *   parks {queue?, limit?}            {parks:[{number, queue, due_ms, held, message, since_ms, cause, reason, keys}]}
 *   idle {}                           {idle: bool, ready, unsettled, parked, unrecorded, closing, held}; parks that
 *                                     wait for a person are not counted; what waits in a durable step for a time or for
 *                                     other messages (held) does not keep a site busy, what is due there (closing)
 *                                     does
 *   revision {revision}               {ref}
 *   pins {}                           {refs:[…]}
 *   log {levels?}                     {levels}: what every process of the site logs, "warn,deliver=debug", from now on
 *   tables {}                         {tables:[{name, count, last_ms}]}
 *   table.list {table, after?, limit?}  {entries:[{key, value, at_ms, message?, by?}], next?}; by key
 *   table.find {table, keys:[…]}      {values:{KEY: value}}, without those that are not there; at most 1000 keys
 *   collect.list {flow?, key?, limit?}  what waits in durable steps:
 *     {collections:[{number, state, kind, policy, queue, flow, step, key, due_ms (null: no time), count, bytes, filled,
 *      dead, dropped, size, missing, next, first_ms, last_ms, closed_ms, reason, revision, generation, within_ms}]}
 *   collect.get {number, limit?}      {the same of one, members:[{message, place, at_ms, keys}], gaps:[{place, why}]}
 *   held.due {}                       the steward's: {due:[… as collect.list, restored?], next_ms (null: none),
 *                                     elsewhere (another machine has the steward), alone}
 *   held.page {number, place?, after?}  behind that place and number, in order:
 *     {members:[{number, place, at_ms, envelope, body (base64)}], more}
 *   audit.list {after?, limit?}       the audit trail behind that record: {records:[{number, line}], next?}
 *   expect.list {state?, name?, limit?}  state: open, missed, met, late, closed; open and missed when not given:
 *     {expectations:[{number, name, flow, state, label, message, needed, came, start_ms, due_ms, opened_ms, met_ms,
 *      closed_ms, about, why}], more?}; by due time
 *   expect.due {days:[NAME…]}         the steward's:
 *     {due:[… as expect.list], events:[{number, id, topic, subject, key, body, at_ms}] (to be published, in order),
 *      days:{NAME: when the last day of it that is there begins}, next_ms (null: none), elsewhere}
 * The keys of a message are [{name, value}], those of a problem are values
 * or names of documents. An id (key, id, message) may be given by
 * its first eight digits or more. A limit is 200 when not given and at most 50000. The state of an effect is open,
 * delivered, doubt or not-done.
 *
 * Changes (unit_change); each may be made twice; `by?` names the person wherever a history is kept
 *   dead.replayed {number, deaths?} after the message was published: closes the letter, unless it has died again
 *                                           since it was read (its `deaths` differ)
 *   dead.replay {number, envelope(base64)}  closes the letter and parks the message, due now and in front of its order
 *                                           key, with this envelope and the stored body. Nothing needs to be published
 *                                           and nothing can get between. Not for queues "topic:…"
 *   dead.discarded {number, reason}
 *   dead.edited {number, body(base64)}      at most 64 KiB
 *   doubt.confirmed {key, note?}            it happened: the person's word is the receipt
 *   doubt.resend {key, note?} it did not: the effect is withdrawn and its message parked, due now. Nothing
 *                                           needs to be published
 *   hold.set {name, until_ms, reason?}
 *   hold.release {name}
 *   revision.put {revision, ref}
 *   table.put {table, key, value, message?, keep?}  value is any JSON; with keep what is there stays
 *   table.remove {table, key}
 *   transfer.run {transfer}                 a run now: a wish (ASK_WISH_RUN) that its sources look for
 *   transfer.skip {transfer}                what its sequence lacks will not come (ASK_WISH_SKIP)
 *   intake.put {queue, envelope(base64), body(base64)}  came into a queue that no backup can copy (store_intake.c)
 *   collect.close {number}                  now: a collection closes with what it has, a sequence goes on behind its
 *                                           gap
 *   held.close {number, reason}             the steward's: its members are fixed
 *   held.closed {number}                    its result is published, or a dead letter
 *   held.clean {number}                     forgets some of its members, and closes it with the last
 *   held.released {number, members:[…], next?}  these (held.page's numbers) have gone on
 *   expect.open {name, flow, key?, member, label, message?, needed?, start_ms, end_ms?, due_ms | within_ms}
 *   expect.arrived {name, key?, member, at_ms?}  member: the id of what came
 *   expect.judge {number, about?}           the steward's: missed, unless it was met
 *   expect.close {number, reason, by?}      it is not waited for any longer
 *   event.told {number}                     the steward's: it is published
 *   event.tell {topic, subject, body}      an event of Ferrule's own, once for the same three
 *   held.skip {number}                      the sequence goes on with the lowest number that waits
 *   audit.note {what, by?, facts?, once?}   a record of the audit trail; once: the same again is none
 *   audit.checkpoint {}                     signs what is behind the last check point
 *
 * The queue process itself answers hold-source {name} → {held, tenure}: does this session ask that source, of all
 * machines' sessions? It keeps it until it ends or the store is lost. The change fence-source {name, tenure} makes a
 * unit fail with RETRY `source.lost` when that is over, whoever has it by now.
 *
 * What persons change, and a revision that was not the newest, leaves a record in the audit trail by itself. */
#ifndef FERRULE_OPERATIONS_ASK_H
#define FERRULE_OPERATIONS_ASK_H

#include <jansson.h>

#include "operations/store.h"

/* The table in which sources remember their runs (services/turns.h); what its entries say in `lacks` is a problem. */
#define ASK_SCHEDULES "ferrule-schedules"
/* … in which an operator's last wish of each kind stands, under this and the transfer's name: {at, by}. */
#define ASK_WISH_RUN "run:"
#define ASK_WISH_SKIP "skip:"
/* What lasts, and when it was last reminded of (operations/reminder.h). */
#define ASK_REMINDERS "ferrule-reminders"
/* Keys in files, as the last look found them: MACHINE/KIND:DIGEST → {kind, id, name, is} (services/key_files.h). */
#define ASK_KEYS "ferrule-keys"
/* What is wrong on each machine of a site of several (operations/machines.h). */
#define ASK_MACHINES "ferrule-machines"

struct ask_context {
	struct store *store;
	int64_t now;
	const struct audit_key *audit_key; /* signs the audit trail; NULL: nobody does */
	/* What only the queue engine knows: fills "status" and "idle" answers. NULL in tests of the store alone. */
	void *engine;
	int (*live)(void *engine, const char *question, json_t *answer, struct error *);
	void (*holds_changed)(void *engine);
	void (*parks_changed)(void *engine); /* a held order key was released */
	void (*held_changed)(void *engine);  /* something that waits in a durable step is due, or an expectation, or an
						event is to be published */
};

/* -1 REJECT `ask.unknown` or `ask.request` (names the field). *answer is a new reference. */
int ask_question(struct ask_context *, const char *name, json_t *request, json_t **answer, struct error *);
int ask_change(struct ask_context *, const char *name, json_t *request, struct error *);

#endif
