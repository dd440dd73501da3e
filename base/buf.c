/* Bounded buffers. See buf.h. */
#include "config.h"
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void buf_init(struct buf *buf, size_t max)
{
	memset(buf, 0, sizeof *buf);
	buf->max = max;
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->full = false;
	if (buf->data)
		buf->data[0] = '\0';
}

char *buf_room(struct buf *buf, size_t len)
{
	if (buf->full || len > buf->max || buf->len > buf->max - len) {
		buf->full = true;
		return NULL;
	}
	if (buf->len + len + 1 > buf->capacity)
		buf->data = mem_grow(buf->data, &buf->capacity, buf->len + len + 1, 1);
	return buf->data + buf->len;
}

void buf_added(struct buf *buf, size_t len)
{
	buf->len += len;
	buf->data[buf->len] = '\0';
}

int buf_append(struct buf *buf, const void *data, size_t len)
{
	char *room = buf_room(buf, len);

	if (!room)
		return -1;
	if (len)
		memcpy(room, data, len);
	buf_added(buf, len);
	return 0;
}

int buf_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_span(struct buf *buf, struct span span)
{
	return buf_append(buf, span.data, span.len);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	char *room;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	room = buf_room(buf, (size_t)n);
	if (!room)
		return -1;
	va_start(args, format);
	vsnprintf(room, (size_t)n + 1, format, args);
	va_end(args);
	buf_added(buf, (size_t)n);
	return 0;
}

void buf_drop(struct buf *buf, size_t len)
{
	if (!len)
		return;
	memmove(buf->data, buf->data + len, buf->len - len);
	buf->len -= len;
	buf->data[buf->len] = '\0';
}

struct span buf_view(const struct buf *buf)
{
	return span_make(buf->data, buf->len);
}

char *buf_take(struct buf *buf)
{
	char *data = buf->data ? buf->data : mem_strdup("");

	buf_init(buf, buf->max);
	return data;
}

int buf_u8(struct buf *buf, uint8_t value)
{
	return buf_append(buf, &value, 1);
}

static int append_le(struct buf *buf, uint64_t value, size_t bytes)
{
	unsigned char le[8];

	for (size_t i = 0; i < bytes; i++)
		le[i] = (unsigned char)(value >> (8 * i));
	return buf_append(buf, le, bytes);
}

int buf_u32(struct buf *buf, uint32_t value)
{
	return append_le(buf, value, 4);
}

int buf_u64(struct buf *buf, uint64_t value)
{
	return append_le(buf, value, 8);
}

int buf_field(struct buf *buf, struct span span)
{
	if (span.len > UINT32_MAX)
		buf->full = true;
	else if (buf_room(buf, span.len + 4)) /* both or neither */
		buf_u32(buf, (uint32_t)span.len);
	return buf->full ? -1 : buf_span(buf, span);
}

static bool take_le(struct span *in, size_t bytes, uint64_t *value)
{
	if (in->len < bytes)
		return false;
	*value = 0;
	for (size_t i = 0; i < bytes; i++)
		*value |= (uint64_t)(unsigned char)in->data[i] << (8 * i);
	in->data += bytes;
	in->len -= bytes;
	return true;
}

bool take_u8(struct span *in, uint8_t *value)
{
	uint64_t wide;

	if (!take_le(in, 1, &wide))
		return false;
	*value = (uint8_t)wide;
	return true;
}

bool take_u32(struct span *in, uint32_t *value)
{
	uint64_t wide;

	if (!take_le(in, 4, &wide))
		return false;
	*value = (uint32_t)wide;
	return true;
}

bool take_u64(struct span *in, uint64_t *value)
{
	return take_le(in, 8, value);
}

bool take_bytes(struct span *in, size_t len, struct span *out)
{
	if (in->len < len)
		return false;
	*out = span_make(in->data, len);
	in->data += len;
	in->len -= len;
	return true;
}

bool take_field(struct span *in, struct span *out)
{
	struct span rest = *in;
	uint32_t len;

	if (!take_u32(&rest, &len) || !take_bytes(&rest, len, out))
		return false;
	*in = rest;
	return true;
}
