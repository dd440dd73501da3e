/* What steps over whole files share: the document's name and media type, reading it from front to end, and a limit
 * against bombs. Used by transformers/files/ alone. */
#ifndef FERRULE_TRANSFORMERS_DOCUMENT_H
#define FERRULE_TRANSFORMERS_DOCUMENT_H

#include "base/transformer.h"

#define DOCUMENT_CHUNK (256u * 1024)

/* $envelope.name: "orders.csv.gz"; empty when there is none. Borrowed until the item changes. */
struct span document_name(struct out *, const struct item *);
/* The last part of a path, whichever way its slashes lean. */
struct span document_base(struct span path);
/* By the name's ending, "application/octet-stream" where it says nothing. */
struct span document_media_type(struct span name);

/* Reads the item's bytes, one chunk after the other, and tells the watchdog of each. */
struct document_feed {
	struct reader *bytes;
	struct out *out;
	uint64_t at;
	char *chunk; /* DOCUMENT_CHUNK; freed by document_feed_end */
};
void document_feed_begin(struct document_feed *, struct item *, struct out *);
void document_feed_end(struct document_feed *);
/* 1: *bytes is the next chunk, borrowed until the next call; 0: that was all; -1: RETRY, or stop. */
int document_feed_next(struct document_feed *, struct span *bytes, struct error *);

/* Is that much more than its size can mean? Small outputs may have any ratio. */
bool document_is_bomb(uint64_t in, uint64_t out, int64_t ratio);

/* A new item with these bytes in place of those of `from`; the tree stays beside them for the sink's templates. Takes
 * the spill. NULL: as spill_take. */
struct item *document_made(struct out *, const struct item *from, struct spill *, struct span media_type,
			   struct error *);

#endif
