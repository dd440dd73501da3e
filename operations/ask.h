/* Questions and changes by name: what verbs (and later the console) want of a running site, as JSON. The queue process answers them
 * between units; changes run inside a unit's transaction. One table, operations/ask.c; the lists below are its contract.
 *
 * Questions (queue_ask)                         answers
 *   status {}                                   {site, revision, since, queues:[{name, kind, flow, endpoint, system, owner, runbook, ready, unsettled, parked, oldest_ms, consumers, held}],
 *                                                endpoints:{NAME:{state, since, error, next}}, workers:[{role, since, unsettled}], dead, doubt, parked, broker:{connected, consuming, blocked, text},
 *                                                accepting, problems:[{what, since, keys:[…], owner, runbook, next}], counters:{…}}
 *   dead.list {flow?, cause?, key?, since?, limit?, after?}   {groups:[{cause, step, flow, count, first_ms, last_ms, example}], letters:[{number, id, step, flow, cause, reason, position, at_ms, keys, state}], next?}
 *   dead.get {number | id}                      {…all of one letter, envelope and body in base64, content, origin…}
 *   doubt.list {endpoint?, limit?}              {doubts:[{key, endpoint, message, keys, first_ms, attempts, reason}]}
 *   doubt.get {key}                             {… envelope, body}
 *   holds {}                                    {holds:[…]}
 *   effect.find {message, endpoint?}            {effects:[{key, endpoint, state, first_ms, done_ms, receipt, request}]}
 *   parks {queue?, limit?}                      {parks:[…]}
 *   idle {}                                     {idle: bool, ready, unsettled, parked, unrecorded}
 *   revision {revision}                         {ref}
 *   pins {}                                     {refs:[…]}
 * Every `keys` of a message is [{name, value}]; those of a problem are values. `key`, `id` and `message` may be the first eight digits or more. `limit` is 200 when not given,
 * and at most 50000. dead.list: state? is open (default), replayed, discarded or all; oldest first; `next` is the `after` of the next page. Letters also have {queue, deaths,
 * document}. doubt.list says {more: true} when it was cut. idle counts parks that come due by themselves, not those held for a person.
 *
 * Changes (unit_change); each may be made twice. `by?` names the person wherever a history is kept.
 *   dead.replayed {number, deaths?}             after the message was published: closes the letter, unless it died again since it was read (deaths)
 *   dead.replay {number, envelope(base64)}      closes the letter and parks the message, due now and in front of its order key, with this envelope and the
 *                                               stored body: nothing needs to be published, and nothing can get between. Not for queues "topic:…"
 *   dead.discarded {number, reason} · dead.edited {number, body(base64, at most 64 KiB)}
 *   doubt.confirmed {key, note?}                it happened: the person's word is the receipt
 *   doubt.resend {key, note?}                   it did not: the effect is withdrawn and its message parked, due now; nothing needs to be published
 *   hold.set {name, until_ms, reason, by} · hold.release {name}
 *   revision.put {revision, ref}
 */
#ifndef FERRULE_OPERATIONS_ASK_H
#define FERRULE_OPERATIONS_ASK_H

#include <jansson.h>

#include "operations/store.h"

struct ask_context {
	struct store *store;
	int64_t now;
	/* What only the queue engine knows: fills "status" and "idle" answers. NULL in tests of the store alone. */
	void *engine;
	int (*live)(void *engine, const char *question, json_t *answer, struct error *);
	void (*holds_changed)(void *engine);
	void (*parks_changed)(void *engine); /* a held order key was released */
};

/* -1 REJECT `ask.unknown` or `ask.request` (names the field). *answer is a new reference. */
int ask_question(struct ask_context *, const char *name, json_t *request, json_t **answer, struct error *);
int ask_change(struct ask_context *, const char *name, json_t *request, struct error *);

#endif
