/* Bytes of any size on their way: what a step makes of a document. They stay in memory while they are few; past
 * SPILL_MEMORY they go into a file without a name, which is gone with the last reader of it, whatever ends the process.
 * Memory is the same for 1 MiB and for 10 GiB. Calls block on local disk. */
#ifndef FERRULE_BASE_SPILL_H
#define FERRULE_BASE_SPILL_H

#include "base/reader.h"

#define SPILL_MEMORY (256u * 1024)

struct spill;

/* `directory`: where the file goes; where that is not there, and with NULL, $TMPDIR or /var/tmp. limit: bytes, 0: none.
 * `what` is said in errors ("what came out of gunzip"); both are borrowed. */
struct spill *spill_new(const char *directory, uint64_t limit, const char *what);
void spill_free(struct spill *); /* NULL is legal */
/* REJECT `document.too-large` past the limit; RETRY `disk.full`, `disk.write` (scope SITE). */
int spill_add(struct spill *, const void *data, size_t len, struct error *);
uint64_t spill_size(const struct spill *);
/* What was added, as a reader of the caller's; the spill is freed. NULL: the rest could not be written, as above. */
struct reader *spill_take(struct spill *, struct error *);

#endif
