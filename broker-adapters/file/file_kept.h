/* Copies of what was delivered: the bytes as they were sent, in a folder of this machine, by day. Used by whoever
 * delivers, for any adapter; this knows of files, and nothing of stores.
 *
 *   ARCHIVE/.ferrule-<key>.copy   the bytes of the delivery that is tried now, durable before it is tried
 *   ARCHIVE/2026-03-02/NAME       a second name for it, given when it was delivered
 *
 * The hidden name stays until the outcome is committed. So a delivery that was interrupted, and turns out to have
 * happened, is kept with the bytes that were sent, though the message may come again in others; and a copy that has its
 * name already is known by being the same file. The archive must be on a file system with hard links. All block on
 * local disk. */
#ifndef FERRULE_ADAPTERS_FILE_KEPT_H
#define FERRULE_ADAPTERS_FILE_KEPT_H

#include "base/endpoint.h"
#include "base/id.h"
#include "base/reader.h"

struct kept {
	char *path; /* as the endpoint says it: "sent/acme/2026-03-02/orders.edi.pgp" */
	uint64_t size;
	int64_t time_ms; /* of the file */
	struct id digest;
};

void kept_free(struct kept *);
/* Of a body that may be NULL: nothing. Replaces what an earlier try left. RETRY `file.…`, or `archive.links` where
 * there are none. */
int kept_hold(const struct endpoint *, const struct id *key, struct reader *body, struct error *);
/* Gives it its name, durably; done again it finds it. first_ms: when the delivery was tried first. Where nothing was
 * held `body` is what was sent. */
int kept_place(const struct endpoint *, const struct id *key, struct span path, int64_t first_ms, struct reader *body,
	       struct kept *, struct error *);
/* The hidden name goes: the outcome is committed. */
void kept_forget(const struct endpoint *, const struct id *key);
/* Hidden names that interrupted deliveries left and nobody needs, as sink_ops.sweep. */
int kept_sweep(const struct endpoint *, int64_t older_than_ms, bool (*needed)(void *, const struct id *), void *arg,
	       unsigned *removed, struct error *);
/* Removes it, if it is that still. */
int kept_expire(const struct endpoint *, const struct kept *, bool *removed, struct error *);

#endif
