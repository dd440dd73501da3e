/* When the source of a transfer is asked: its schedule, and what the store remembers of its runs, so that a restart, or
 * another machine that takes the source over, goes on where it stood. Used by the poll role; waits for the store.
 *
 * A run begins at its time and ends when the source was looked through and gave something, or nothing and `for` is
 * over; while the source fails it is tried again until then, or else until the next run. What is remembered stands in
 * the table TURNS_TABLE of the store, under the source's name: {transfer, last (the run's time, ms), began, ended,
 * result, taken, name (the last file), taken_ms, missed, error?, asked, skipped, sequence?, lacks?, lacks_ms?}. What
 * `ferrule transfer run` and `skip` ask for are entries of their own (ASK_WISH_RUN and ASK_WISH_SKIP in ask.h); `asked`
 * and `skipped` are the times of those that were met last. */
#ifndef FERRULE_SERVICES_TURNS_H
#define FERRULE_SERVICES_TURNS_H

#include "base/adapter.h"
#include "base/message.h"
#include "base/queue.h"
#include "config/site.h"
#include "operations/ask.h"
#include "services/tenure.h"

#define TURNS_TABLE ASK_SCHEDULES

struct turns;
/* *into NULL: the flow is no transfer's. What is remembered is written under the tenure, and refused behind it. -1: the
 * store does not answer (RETRY), or the schedule cannot be read. */
int turns_open(struct turns **into, struct queue *, const struct flow *, const struct endpoint *, struct tenure,
	       struct error *);
void turns_free(struct turns *);
/* Is the source to be asked now? If not, *next_ms is when (SCHEDULE_NEVER: not as things stand). */
bool turns_due(struct turns *, int64_t now_ms, int64_t *next_ms);
/* What a message gets of its transfer: attributes `arrived` and, with a calendar, `day`. */
void turns_mark(const struct turns *, struct message *);
void turns_carry(struct message *, const struct message *from); /* … which goes with what is made of it */
/* Numbers for a new document, in front of its publication: what is given is in the store when this returns. */
int turns_number(struct turns *, struct message *const *, size_t n, int64_t now_ms, struct error *);
void turns_accepted(struct turns *); /* they are published */
void turns_took(struct turns *, const struct document *, int64_t now_ms);
/* The source was looked through without a mistake; busy: there is more, or something not ready yet. `once`: nobody
 * waits for what may still come. */
void turns_looked(struct turns *, bool busy, bool once, int64_t now_ms);
void turns_failed(struct turns *, const struct error *, int64_t now_ms);

#endif
