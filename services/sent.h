/* Copies of what is delivered, where a sink says `archive`: the files are broker-adapters/file/file_kept.h, here are
 * the notes of them in the store and when which is done.
 *
 *   intent → copy under a hidden name, durable → effect → the copy gets its name, durable → receipt and note, one unit
 *   → the hidden name goes
 *
 * A crash anywhere leaves the copy of what was sent once: before its name, that is given when the interrupted delivery
 * is found to have happened; behind it, the name is found again. The note is committed with the receipt, so that
 * retention knows of each.
 *
 * The table SENT_TABLE has ENDPOINT/TIME/KEY → {path, size, time, sha256, message, name}. */
#ifndef FERRULE_SERVICES_SENT_H
#define FERRULE_SERVICES_SENT_H

#include "services/deliver_job.h"

#define SENT_TABLE "ferrule-sent"

/* Each does nothing where the endpoint keeps no copies. */
int sent_hold(struct job *, struct error *);  /* behind the intent, in front of the effect. RETRY */
int sent_place(struct job *, struct error *); /* it is delivered; adds `archived` to the receipt. RETRY */
void sent_note(struct job *, struct unit *);  /* with the receipt */
void sent_forget(struct job *);               /* the outcome is committed */

/* Removes copies past their time, of all endpoints, when *next is over; *next becomes when to look again. The steward
 * does it: one of several machines, whose archive is on a disk of all. */
bool sent_any(const struct site *);
int sent_expire(struct worker *, bool *more, int64_t *next, struct error *);

#endif
