/* Reading a file of another machine: its bytes into the vault, whatever breaks on the way. See remote_source.h.
 *
 * A connection that breaks while a file is read is made anew, and reading goes on where it ended, if the file is still
 * the same: its size, its time, and the last bytes that were read. So it does where an earlier process ended. */
#include "config.h"
#include "broker-adapters/remote/remote_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"

#define RESUMES 5             /* without a byte in between */
#define PART_LEAST (1u << 20) /* what is smaller is read again when this process dies */
#define TAIL 32768u           /* of what was read before a break is read again */

struct fetching {
	struct remote_source *source;
	struct remote_held *held;
	char *path;
	struct remote_download *download;
	uint64_t offset;
	unsigned breaks; /* since the last byte */
	unsigned resumed;
	char tail[TAIL]; /* the last bytes that were read */
	size_t tail_len;
};

static int changed(const struct fetching *fetching, const char *when, struct error *error)
{
	error_set(error, ERROR_RETRY, "file.changed", "%s changed %s; it is left for the next look", fetching->path,
		  when);
	error->scope = SCOPE_MESSAGE;
	return -1;
}

static int open_failed(struct fetching *fetching, int status, struct error *error)
{
	if (status == REMOTE_MISSING)
		return error_set(error, ERROR_RETRY, "file.vanished", "%s was taken away before it was read",
				 fetching->path);
	remote_fail(fetching->source->remote, status, "cannot read", fetching->path, error);
	if (status > 0)
		error->scope = SCOPE_MESSAGE;
	return -1;
}

static void keep_tail(struct fetching *fetching, const char *bytes, size_t n)
{
	size_t keep = n < TAIL ? TAIL - n : 0;

	if (keep > fetching->tail_len)
		keep = fetching->tail_len;
	memmove(fetching->tail, fetching->tail + fetching->tail_len - keep, keep);
	memcpy(fetching->tail + keep, bytes + (n < TAIL ? 0 : n - TAIL), n < TAIL ? n : TAIL);
	fetching->tail_len = keep + (n < TAIL ? n : TAIL);
}

static int is_unchanged(struct fetching *fetching, const char *when, struct error *error)
{
	struct remote_attrs attrs;
	struct stamp now;
	int status = remote_lstat(fetching->source->remote, fetching->path, &attrs, error);

	if (status)
		return open_failed(fetching, status, error);
	now = remote_stamp(&attrs);
	return stamp_same(&now, &fetching->held->stamp) ? 0 : changed(fetching, when, error);
}

/* The part that was read before the break must be what lies there now. */
static int verify_tail(struct fetching *fetching, struct error *error)
{
	char bytes[4096];

	for (size_t at = 0; at < fetching->tail_len;) {
		size_t want = fetching->tail_len - at < sizeof bytes ? fetching->tail_len - at : sizeof bytes;
		ssize_t n = fetching->source->ops->download_read(fetching->download, bytes, want, error);

		if (n < 0)
			return -1;
		if (n == 0 || memcmp(bytes, fetching->tail + at, (size_t)n))
			return changed(fetching, "while it was read", error);
		at += (size_t)n;
	}
	return 0;
}

/* A server that cannot begin within a file sends all of it again: what we have is left, but for its last bytes. */
static int skip_to(struct fetching *fetching, uint64_t offset, int *status, struct error *error)
{
	struct remote_source *source = fetching->source;
	char bytes[4096];

	if (remote_source_connect(source, error))
		return *status = -1;
	fetching->download = source->ops->download_new(source->remote, fetching->path, 0,
						       fetching->held->stamp.size + 1, status, error);
	while (fetching->download && offset) {
		ssize_t n = source->ops->download_read(fetching->download, bytes,
						       offset < sizeof bytes ? (size_t)offset : sizeof bytes, error);

		if (n <= 0)
			return *status = n < 0 ? -1 : changed(fetching, "while it was read", error);
		offset -= (uint64_t)n;
	}
	return fetching->download ? 0 : -1;
}

static int begin(struct fetching *fetching, struct error *error)
{
	struct remote_source *source = fetching->source;
	bool again = fetching->offset > 0;
	uint64_t from = fetching->offset - fetching->tail_len;
	int status;

	if (remote_source_connect(source, error))
		return -1;
	if (again && is_unchanged(fetching, "while it was read", error))
		return -1;
	fetching->download =
		source->ops->download_new(source->remote, fetching->path, from, fetching->held->stamp.size + 1,
					  &status, error);
	if (!fetching->download && status == REMOTE_UNSUPPORTED && from && skip_to(fetching, from, &status, error) &&
	    fetching->download)
		return -1;
	if (!fetching->download)
		return open_failed(fetching, status, error);
	if (!again)
		return 0;
	fetching->resumed++;
	return verify_tail(fetching, error);
}

static ssize_t next_bytes(void *arg, void *into, size_t len, struct error *error)
{
	struct fetching *fetching = arg;
	struct remote_source *source = fetching->source;

	for (;;) {
		ssize_t n = fetching->download || !begin(fetching, error)
				    ? fetching->source->ops->download_read(fetching->download, into, len, error)
				    : -1;

		if (n >= 0) {
			fetching->offset += (uint64_t)n;
			fetching->breaks = n ? 0 : fetching->breaks;
			keep_tail(fetching, into, (size_t)n);
			return n;
		}
		if (!source->remote || !remote_is_lost(source->remote) || ++fetching->breaks > RESUMES)
			return -1;
		log_info(source->ops->name, SPAN_NONE, "reading goes on after a break file=\"%s/%s\" at=%" PRIu64,
			 source->folder, fetching->held->shown, fetching->offset);
		source->ops->download_free(fetching->download);
		fetching->download = NULL;
		remote_source_disconnect(source);
		error_clear(error);
		FAULT("remote.broken");
	}
}

/* An earlier process had so much of it: is that how it lies there now? */
static int go_on(void *arg, int fd, uint64_t have, struct error *error)
{
	struct fetching *fetching = arg;
	size_t tail = have < TAIL ? (size_t)have : TAIL;

	if (have > fetching->held->stamp.size || pread(fd, fetching->tail, tail, (off_t)(have - tail)) != (ssize_t)tail)
		return 1;
	fetching->offset = have;
	fetching->tail_len = tail;
	if (!begin(fetching, error)) {
		log_info(fetching->source->ops->name, SPAN_NONE,
			 "reading goes on where an earlier process ended file=\"%s/%s\" at=%" PRIu64,
			 fetching->source->folder, fetching->held->shown, have);
		return 0;
	}
	if (strcmp(error->code, "file.changed"))
		return -1;
	fetching->source->ops->download_free(fetching->download);
	fetching->download = NULL;
	fetching->offset = fetching->tail_len = 0;
	error_clear(error);
	return 1;
}

/* What is large stays as far as it came when this process dies. */
static int put_whole(struct fetching *fetching, struct vault *vault, struct vault_entry *stored, struct error *error)
{
	const struct remote_held *held = fetching->held;
	const struct remote_source *source = fetching->source;
	uint64_t limit = held->stamp.size + 1;
	struct id key;
	char *text;

	if (held->stamp.size < PART_LEAST)
		return vault_put_stream(vault, next_bytes, fetching, limit, stored, error);
	text = mem_printf("%s\n%s\n%s\n%" PRIu64 "\n%" PRId64, source->endpoint->name,
			  source->ops->host(source->endpoint), fetching->path, held->stamp.size, held->stamp.mtime_ns);
	key = id_digest(span_of(text));
	free(text);
	return vault_put_part(vault, &key, go_on, next_bytes, fetching, limit, stored, error);
}

static int put_content(struct remote_held *held, struct vault *vault, struct vault_entry *stored, struct error *error)
{
	struct reader *reader = reader_new_copy(span_make(held->content, (size_t)held->stamp.size));
	int result = vault_put(vault, reader, stored, error);

	reader_unref(reader);
	free(held->content);
	held->content = NULL;
	if (!result)
		FAULT("remote.fetched");
	return result;
}

int remote_source_fetch(void *arg, struct document *document, struct vault *vault, struct error *error)
{
	struct remote_source *source = arg;
	struct remote_held *held = document->adapter;
	struct fetching *fetching;
	int result = -1;

	if (taking_size(&source->settings->taking, source->folder, held->shown, held->stamp.size, error))
		return -1;
	if (!held->content)
		remote_source_read_ahead(source, held);
	if (held->content)
		return put_content(held, vault, &document->stored, error) ||
				       remote_sidecar_check(source, held, vault, error)
			       ? -1
			       : 0;
	fetching = mem_alloc(sizeof *fetching);
	fetching->source = source;
	fetching->held = held;
	fetching->path = remote_source_path(source, held->name, "");
	if (put_whole(fetching, vault, &document->stored, error)) {
		if (error->class == ERROR_REJECT)
			changed(fetching, "while it was read", error);
		goto done;
	}
	FAULT("remote.fetched");
	source->ops->download_free(fetching->download);
	fetching->download = NULL;
	if (remote_source_connect(source, error) || is_unchanged(fetching, "while it was read", error))
		goto done;
	if (document->stored.size != held->stamp.size)
		changed(fetching, "while it was read", error);
	else
		result = remote_sidecar_check(source, held, vault, error);
done:
	source->ops->download_free(fetching->download);
	free(fetching->path);
	free(fetching);
	return result;
}
