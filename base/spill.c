/* Bytes of any size on their way. See spill.h. */
#include "config.h"
#include "base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"

struct spill {
	const char *directory, *what;
	uint64_t limit, written; /* to the file */
	int fd;                  /* -1: all of it is in memory */
	struct buf memory;       /* the end of it, not written yet */
};

struct spill *spill_new(const char *directory, uint64_t limit, const char *what)
{
	struct spill *spill = mem_alloc(sizeof *spill);

	*spill = (struct spill){.directory = directory, .what = what, .limit = limit, .fd = -1};
	buf_init(&spill->memory, SPILL_MEMORY);
	return spill;
}

void spill_free(struct spill *spill)
{
	if (!spill)
		return;
	if (spill->fd >= 0)
		close(spill->fd);
	buf_free(&spill->memory);
	free(spill);
}

uint64_t spill_size(const struct spill *spill)
{
	return spill->written + spill->memory.len;
}

/* Not every file system has files without names. */
static int open_in(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *path;

	if (fd >= 0 || errno == ENOENT || errno == EACCES || errno == ENOSPC)
		return fd;
	path = mem_printf("%s/ferrule-spill-XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

static int failed(const struct spill *spill, struct error *error)
{
	error_errno(error, ERROR_RETRY, errno == ENOSPC || errno == EDQUOT ? "disk.full" : "disk.write", "%s",
		    spill->what);
	if (error)
		error->scope = SCOPE_SITE;
	return -1;
}

static int flush(struct spill *spill, struct error *error)
{
	const char *usual = getenv("TMPDIR");

	if (spill->fd < 0 && spill->directory)
		spill->fd = open_in(spill->directory);
	if (spill->fd < 0 && (!spill->directory || errno == ENOENT))
		spill->fd = open_in(usual && *usual ? usual : "/var/tmp");
	if (spill->fd < 0)
		return failed(spill, error);
	if (FAULT_FAILS("spill.full"))
		errno = ENOSPC;
	else if (!file_write_all(spill->fd, buf_view(&spill->memory))) {
		spill->written += spill->memory.len;
		buf_reset(&spill->memory);
		return 0;
	}
	return failed(spill, error);
}

int spill_add(struct spill *spill, const void *data, size_t len, struct error *error)
{
	const char *from = data;

	if (spill->limit && (len > spill->limit || spill_size(spill) > spill->limit - len))
		return error_set(error, ERROR_REJECT, "document.too-large", "%s passes %llu bytes", spill->what,
				 (unsigned long long)spill->limit);
	while (len) {
		size_t n = SPILL_MEMORY - spill->memory.len;

		if (!n && flush(spill, error))
			return -1;
		n = SPILL_MEMORY - spill->memory.len;
		if (n > len)
			n = len;
		buf_append(&spill->memory, from, n);
		from += n;
		len -= n;
	}
	return 0;
}

struct reader *spill_take(struct spill *spill, struct error *error)
{
	struct reader *reader = NULL;

	if (spill->fd < 0) {
		reader = reader_new_copy(buf_view(&spill->memory));
	} else if (!spill->memory.len || !flush(spill, error)) {
		reader = reader_new_fd(spill->fd, 0, spill->written);
		spill->fd = -1;
	}
	spill_free(spill);
	return reader;
}
