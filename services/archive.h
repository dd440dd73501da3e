/* Retention of what sources have archived: each file that was put into an archive is noted in the store, and removed
 * when its time is over; what is not noted, or is not any more what was archived, stays. Done by the poll role, whose
 * source has one holder among several machines; waits for the store and the source.
 *
 * The table ARCHIVE_TABLE has SOURCE/TIME/DIGEST → {path, size, time}. */
#ifndef FERRULE_SERVICES_ARCHIVE_H
#define FERRULE_SERVICES_ARCHIVE_H

#include "services/tenure.h"
#include "services/worker.h"

#define ARCHIVE_TABLE "ferrule-archived"

/* Behind settling. A crash in front of this leaves files in the archive for ever, which is better than the other
 * way. */
int archive_note(struct worker *, const char *source, struct tenure, struct document *const *, size_t n,
		 struct error *);
/* Those older than retain_ms, a few hundred at a time; *more: there are others. */
int archive_expire(struct worker *, const struct source_ops *, void *adapter, const char *source, struct tenure,
		   int64_t retain_ms, bool *more, struct error *);

#endif
