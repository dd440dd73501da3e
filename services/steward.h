/* What the steward's files share: steward.c asks what is due, steward_collect.c makes one message of many,
 * steward_release.c lets go on what waited for its turn. Each call does one durable step of one collection; done again,
 * it does the same. */
#ifndef FERRULE_SERVICES_STEWARD_H
#define FERRULE_SERVICES_STEWARD_H

#include "services/worker.h"

#define STEWARD_ASK_MS 15000 /* less than the watchdog waits */
#define STEWARD_COMMIT_MS 10000

/* Makes the result of a closing collection, publishes it or buries it, and says so in the store: in this order, as a
 * unit's publishes are confirmed before its store transaction. -1: again later. */
int steward_collect(struct worker *, const json_t *collection, struct error *);
/* Sends on what is next of a sequence, or what came first of its key; deals with a gap that lasts too long. */
int steward_release(struct worker *, const json_t *collection, struct error *);

/* What goes on now is pinned no longer: its documents are kept from now on as those of a message just received.
 * (Its revision is by the store.) */
int steward_renew(struct worker *, const struct message *, struct error *);
/* A page of what waits, in order, behind that place and number; a new reference, NULL: the error. */
json_t *steward_page(struct worker *, const json_t *collection, int64_t place, int64_t after, struct error *);
/* The member as a message, its inline body at hand; NULL: the error. The caller frees it. */
struct message *steward_member(const json_t *member, struct error *);
/* A message that could not go on from this step; what waits for parts of its group behind it is told. */
int steward_bury(struct worker *, struct unit *, const json_t *collection, const struct message *,
		 const struct error *);
/* unit_publish to the queue behind the step, and its record; waits for room. */
int steward_publish(struct worker *, struct unit *, const json_t *collection, const struct message *, struct error *);
/* A change of operations/ask.h about this collection, alone in a unit. */
int steward_change(struct worker *, const json_t *collection, const char *change, const char *reason, struct error *);

/* One round of what must happen by a time: opens the days that have begun, judges what is due, and publishes events.
 * *more: there may be more to do at once; *next becomes the time of the next, when that is earlier; *elsewhere: another
 * machine has the steward. */
int steward_expect(struct worker *, bool *more, int64_t *next, bool *elsewhere, struct error *);
bool steward_has_days(const struct site *); /* something is expected by a time of day: the steward never rests */

/* What ends some day (expiries.h), once *next is over; *next becomes when to look again. Events that are to be told
 * wait in the store then, *more. */
int steward_keys(struct worker *, bool *more, int64_t *next, struct error *);

/* Writes into the audit trail which keys are there, or differ from the last look, once *next is over; *next becomes
 * when to look again. */
int steward_trail(struct worker *, int64_t *next, struct error *);

/* Reminds owners of troubles that last, once *next is over; *next becomes when to look again. */
int steward_remind(struct worker *, bool *more, int64_t *next, struct error *);
bool steward_reminds(const struct site *); /* and a flow hears of it */

const char *steward_text(const json_t *, const char *key); /* "" when it is not there */
int64_t steward_number(const json_t *, const char *key);   /* 0 when it is not there */

#endif
