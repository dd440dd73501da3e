/* Bodies and documents are readers: immutable bytes of known size, read at any offset, counted. 64 KiB in memory
 * and 10 GB in a file use the same interface. Reads may block on local disk. */
#ifndef FERRULE_BASE_READER_H
#define FERRULE_BASE_READER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct reader;

struct reader *reader_new_copy(struct span bytes);
struct reader *reader_new_fd(int fd, uint64_t offset, uint64_t size); /* takes fd; closed with the last reference */
struct reader *reader_new_slice(struct reader *whole, uint64_t offset, uint64_t size); /* keeps whole; clipped to it */
struct reader *reader_ref(struct reader *);
void reader_unref(struct reader *);

uint64_t reader_size(const struct reader *);
/* Reads up to len bytes at offset: the number read, 0 at the end, -1 on an error (RETRY: the disk failed). */
ssize_t reader_read(struct reader *, uint64_t offset, void *into, size_t len, struct error *);
/* All of it, appended; REJECT `body.too-large` when it passes the buffer's maximum. */
int reader_all(struct reader *, struct buf *, struct error *);
/* The bytes without copying, when they are in memory or can be mapped: borrowed while the reader lives. */
int reader_view(struct reader *, struct span *, struct error *);
int reader_digest(struct reader *, uint8_t out[32], struct error *);

#endif
