/* An owned, growing buffer with a hard maximum. Appending past the maximum sets `full`, changes nothing else and
 * returns -1, so that a writer may check once at the end. */
#ifndef FERRULE_BASE_BUF_H
#define FERRULE_BASE_BUF_H

#include <stdint.h>

#include "base/span.h"

struct buf {
	char *data; /* always followed by a NUL that is not counted, once anything was appended */
	size_t len, capacity, max;
	bool full;
};

void buf_init(struct buf *, size_t max);
void buf_free(struct buf *);  /* what it held; the buffer may be used again */
void buf_reset(struct buf *); /* keeps the memory */
int buf_append(struct buf *, const void *data, size_t len);
int buf_text(struct buf *, const char *text);
int buf_span(struct buf *, struct span);
int buf_printf(struct buf *, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *buf_room(struct buf *, size_t len); /* space for len bytes at the end, NULL past the maximum; */
void buf_added(struct buf *, size_t len); /* … and what was written there */
void buf_drop(struct buf *, size_t len);  /* removes bytes from the front */
struct span buf_view(const struct buf *); /* borrowed until the next change */
char *buf_take(struct buf *);             /* the caller frees; the buffer is empty afterwards */

/* Here, since encoders write most of what they write with it. */
static inline int buf_char(struct buf *buf, char c)
{
	if (buf->full || buf->len >= buf->max || buf->len + 2 > buf->capacity)
		return buf_append(buf, &c, 1);
	buf->data[buf->len++] = c;
	buf->data[buf->len] = '\0';
	return 0;
}

/* Little-endian integers, for the wire and for stored records. */
int buf_u8(struct buf *, uint8_t);
int buf_u32(struct buf *, uint32_t);
int buf_u64(struct buf *, uint64_t);
int buf_field(struct buf *, struct span); /* u32 length, then the bytes */

/* Reading them back: each takes from the front of `*in`. Returns false, leaving *in alone, when it is too short. */
bool take_u8(struct span *in, uint8_t *);
bool take_u32(struct span *in, uint32_t *);
bool take_u64(struct span *in, uint64_t *);
bool take_bytes(struct span *in, size_t len, struct span *);
bool take_field(struct span *in, struct span *);

#endif
