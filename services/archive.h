/* Retention of what sources have archived: each file that was put into an archive is noted in the store, and removed
 * when its time is over; what is not noted, or is not any more what was archived, stays. Done by the poll role, whose
 * source has one holder among several machines; waits for the store and the source.
 *
 * The table ARCHIVE_TABLE has SOURCE/TIME/DIGEST → {path, size, time} (path_base64 in place of a path that is no UTF-8,
 * since the store has texts), INTENT_TABLE the same of what is going to be
 * archived: what a crash leaves there is removed from the archive in its time just so. */
#ifndef FERRULE_SERVICES_ARCHIVE_H
#define FERRULE_SERVICES_ARCHIVE_H

#include "services/tenure.h"
#include "services/worker.h"

#define ARCHIVE_TABLE "ferrule-archived"
#define INTENT_TABLE "ferrule-archiving"

/* Into the unit that accepts the document, at that time. */
void archive_intend(struct unit *, const struct source_ops *, void *adapter, const char *source, int64_t at,
		    struct document *, enum settlement);
/* Behind settling; ends the intents of `at` that came about. */
int archive_note(struct worker *, const char *source, struct tenure, int64_t at, struct document *const *, size_t n,
		 struct error *);
/* Those older than retain_ms, a few hundred at a time; *more: there are others. */
int archive_expire(struct worker *, const struct source_ops *, void *adapter, const char *source, struct tenure,
		   int64_t retain_ms, bool *more, struct error *);

#endif
