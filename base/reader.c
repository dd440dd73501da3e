/* Bodies as readers. See reader.h. */
#include "config.h"
#include "base/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/mem.h"

struct reader {
	unsigned references;
	uint64_t size;
	uint64_t offset;      /* of byte 0 in fd or whole */
	char *memory;         /* one of these three is the origin: bytes, … */
	int fd;               /* … a file, or -1, … */
	struct reader *whole; /* … or a range of another reader */
	void *map;            /* of a file, made by the first reader_view */
	size_t map_size, map_skip;
};

static struct reader *reader_new(uint64_t offset, uint64_t size)
{
	struct reader *reader = mem_alloc(sizeof *reader);

	reader->references = 1;
	reader->fd = -1;
	reader->offset = offset;
	reader->size = size;
	return reader;
}

struct reader *reader_new_copy(struct span bytes)
{
	struct reader *reader = reader_new(0, bytes.len);

	reader->memory = mem_span_dup(bytes);
	return reader;
}

struct reader *reader_new_fd(int fd, uint64_t offset, uint64_t size)
{
	struct reader *reader = reader_new(offset, size);

	reader->fd = fd;
	return reader;
}

struct reader *reader_new_slice(struct reader *whole, uint64_t offset, uint64_t size)
{
	struct reader *reader;

	if (offset > whole->size)
		offset = whole->size;
	if (size > whole->size - offset)
		size = whole->size - offset;
	reader = reader_new(offset, size);
	reader->whole = reader_ref(whole);
	return reader;
}

struct reader *reader_ref(struct reader *reader)
{
	reader->references++;
	return reader;
}

void reader_unref(struct reader *reader)
{
	if (!reader)
		return;
	assert(reader->references > 0);
	if (--reader->references)
		return;
	if (reader->map)
		munmap(reader->map, reader->map_size);
	if (reader->fd >= 0)
		close(reader->fd);
	reader_unref(reader->whole);
	free(reader->memory);
	free(reader);
}

uint64_t reader_size(const struct reader *reader)
{
	return reader->size;
}

static ssize_t read_file(struct reader *reader, uint64_t offset, void *into, size_t len, struct error *error)
{
	ssize_t n;

	do
		n = pread(reader->fd, into, len, (off_t)(reader->offset + offset));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(error, ERROR_RETRY, "disk.read", "reading a document");
	if (n == 0)
		return error_set(error, ERROR_RETRY, "disk.short", "a document ends %llu bytes early",
				 (unsigned long long)(reader->size - offset));
	return n;
}

ssize_t reader_read(struct reader *reader, uint64_t offset, void *into, size_t len, struct error *error)
{
	if (offset >= reader->size)
		return 0;
	if (len > reader->size - offset)
		len = (size_t)(reader->size - offset);
	if (reader->whole)
		return reader_read(reader->whole, reader->offset + offset, into, len, error);
	if (reader->fd >= 0)
		return read_file(reader, offset, into, len, error);
	memcpy(into, reader->memory + offset, len);
	return (ssize_t)len;
}

int reader_all(struct reader *reader, struct buf *buf, struct error *error)
{
	uint64_t offset = 0;

	if (reader->size > buf->max - buf->len || !buf_room(buf, (size_t)reader->size))
		return error_set(error, ERROR_REJECT, "body.too-large", "%llu bytes, the limit is %zu",
				 (unsigned long long)reader->size, buf->max);
	while (offset < reader->size) {
		size_t want = (size_t)(reader->size - offset);
		ssize_t n = reader_read(reader, offset, buf_room(buf, want), want, error);

		if (n < 0)
			return -1;
		buf_added(buf, (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}

static int map_file(struct reader *reader, struct error *error)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), start = reader->offset / page * page;
	off_t end = lseek(reader->fd, 0, SEEK_END);

	if (end < 0 || (uint64_t)end < reader->offset + reader->size)
		return error_set(error, ERROR_RETRY, "disk.short", "a document is shorter than it was");
	reader->map_skip = (size_t)(reader->offset - start);
	reader->map_size = (size_t)reader->size + reader->map_skip;
	reader->map = mmap(NULL, reader->map_size, PROT_READ, MAP_PRIVATE, reader->fd, (off_t)start);
	if (reader->map != MAP_FAILED)
		return 0;
	reader->map = NULL;
	return error_errno(error, ERROR_RETRY, "disk.map", "mapping a document");
}

int reader_view(struct reader *reader, struct span *span, struct error *error)
{
	*span = SPAN_NONE;
	if (reader->size == 0)
		return 0;
	if (reader->whole) {
		if (reader_view(reader->whole, span, error))
			return -1;
		*span = span_make(span->data + reader->offset, (size_t)reader->size);
		return 0;
	}
	if (reader->fd >= 0) {
		if (!reader->map && map_file(reader, error))
			return -1;
		*span = span_make((char *)reader->map + reader->map_skip, (size_t)reader->size);
		return 0;
	}
	*span = span_make(reader->memory, (size_t)reader->size);
	return 0;
}

int reader_digest(struct reader *reader, uint8_t out[32], struct error *error)
{
	struct sha256 *digest = sha256_new();
	char chunk[65536];
	uint64_t offset = 0;
	int result = -1;

	while (offset < reader->size) {
		ssize_t n = reader_read(reader, offset, chunk, sizeof chunk, error);

		if (n < 0)
			goto done;
		sha256_add(digest, chunk, (size_t)n);
		offset += (uint64_t)n;
	}
	sha256_end(digest, out);
	result = 0;
done:
	sha256_free(digest);
	return result;
}
