/* Bodies on their way in. See http_listen.h. */
#include "config.h"
#include "broker-adapters/http/http_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define MEMORY_MAX (64u * 1024)

void http_body_init(struct http_body *body, struct http_spool *spool)
{
	body->spool = spool;
	body->fd = -1;
	body->size = 0;
	buf_init(&body->memory, MEMORY_MAX);
}

static int spool_open(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) { /* a file system without O_TMPFILE */
		char *name = mem_printf("%s/ferrule-http-XXXXXX", directory);

		fd = mkostemp(name, O_CLOEXEC);
		if (fd >= 0)
			unlink(name);
		free(name);
	}
	return fd;
}

/* Out of memory into a file, once. */
static int spill(struct http_body *body)
{
	if (body->fd >= 0)
		return 0;
	body->fd = spool_open(body->spool->directory);
	if (body->fd < 0)
		return -1;
	body->spool->used += body->size;
	if (file_write_all(body->fd, buf_view(&body->memory)))
		return -1;
	buf_free(&body->memory);
	return 0;
}

int http_body_add(struct http_body *body, const char *data, size_t len, struct error *error)
{
	if (body->size + len <= MEMORY_MAX) {
		body->size += len;
		return buf_append(&body->memory, data, len);
	}
	if (body->spool->used + body->memory.len + len > body->spool->max)
		return error_set(error, ERROR_RETRY, "site.full", "too many large bodies at once");
	if (spill(body) || file_write_all(body->fd, span_make(data, len))) {
		log_error("http", SPAN_NONE, "a body cannot be kept directory=%s error=\"%s\"", body->spool->directory,
			  strerror(errno));
		return error_set(error, ERROR_RETRY, "site.disk", "the body cannot be kept");
	}
	body->spool->used += len;
	body->size += len;
	return 0;
}

struct reader *http_body_reader(const struct http_body *body)
{
	if (body->fd < 0)
		return reader_new_copy(buf_view(&body->memory));
	return reader_new_fd(fcntl(body->fd, F_DUPFD_CLOEXEC, 0), 0, body->size);
}

void http_body_drop(struct http_body *body)
{
	if (body->fd >= 0) {
		body->spool->used -= body->size;
		close(body->fd);
		body->fd = -1;
	}
	buf_free(&body->memory);
	body->size = 0;
}
