/* What every way of receiving shares: from a document in the vault to a message in its flow's queue, known by its
 * source identity. Used by pollers and by the gateway. */
#ifndef FERRULE_SERVICES_RECEIVE_H
#define FERRULE_SERVICES_RECEIVE_H

#include "base/adapter.h"
#include "base/queue.h"
#include "config/site.h"

struct reception {
	struct document *document;
	struct id source;        /* identity at this endpoint */
	struct message *message; /* what it becomes */
	enum seen seen;
	struct id first; /* SEEN_BEFORE and SEEN_DIED: the message it became then */
	bool declared;   /* the identity is declared, not made from the content, so that it can contradict it */
	struct id exact; /* declared: identity and content together */
	bool timed;      /* its message id takes name and time of the file in */
	bool again;      /* this very file was accepted before and not settled at its source: no duplicate */
	bool kept;       /* the store keeps it, too: its queue is in no backup */
	bool conflict;   /* the same declared identity came before with other content */
};

/* Identity and message of a document that is in the vault. REJECT when the flow's `duplicates: by` fails on it, or
 * it passes the site's limit. */
int receive_prepare(struct reception *, const struct site *, const struct flow *, const struct endpoint *,
		    struct document *, struct error *);
/* Gives it an identity of its own, whatever came before: accepted anew at somebody's wish. */
void receive_renew(struct reception *, int64_t now_ms);
/* Waits for the store: which of them are known. Among the given ones, too, only the first of an identity is new. */
int receive_recognise(struct queue *, struct reception *, size_t n, struct error *);
/* Into the unit: publication and identity of a new one, nothing for one that is met again, the record of a duplicate,
 * the dead letter of a conflict (whose error receive_conflict tells). 1: the window is full, pump and call again. */
int receive_add(struct unit *, const struct flow *, struct reception *, struct error *);
/* The store keeps what goes into a queue of its own accord, where the broker has a database of its own: no backup can
 * copy that (operations/store_intake.c). */
void receive_keep(struct unit *, const char *queue, const struct message *);
void receive_conflict(const struct reception *, struct error *); /* REJECT `identity.conflict` */
void receive_free(struct reception *);                           /* the message; not the document */

#endif
