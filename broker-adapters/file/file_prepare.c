/* Preparing a delivery: the content under a hidden name and the mark that says so, durable before there is an
 * intent. */
#include "config.h"
#include "broker-adapters/file/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/progress.h"

#define CHUNK (1u << 20)

/* ---- the folder ----------------------------------------------------------------------------------------------- */

static mode_t folder_mode(mode_t file)
{
	return 0700 | file | ((file & 0440) >> 2) | ((file & 0004) >> 2);
}

void pending_free(struct pending *pending)
{
	if (!pending)
		return;
	if (pending->directory >= 0)
		close(pending->directory);
	free(pending->folder);
	free(pending->name);
	free(pending);
}

struct pending *pending_new(struct attempt *attempt, bool create, struct error *error)
{
	const struct file_sink_settings *settings = attempt->endpoint->settings;
	struct span path = message_attr_find(attempt->message, "path");
	mode_t mode = folder_mode(file_modes[settings->mode]);
	struct pending *pending;
	char *whole, *slash;

	if (!path.len || memchr(path.data, '\0', path.len) || path.data[path.len - 1] == '/') {
		error_set(error, ERROR_REJECT, "file.name", "the message has no path to deliver to (attribute `path`)");
		return NULL;
	}
	whole = mem_span_dup(path);
	slash = strrchr(whole, '/');
	if (strlen(slash ? slash + 1 : whole) > NAME_MAX) {
		name_refuse_path(path, "has a name of more than 255 bytes", error);
		free(whole);
		return NULL;
	}
	pending = mem_alloc(sizeof *pending);
	pending->attempt = attempt;
	pending->directory = -1;
	pending->name = mem_strdup(slash ? slash + 1 : whole);
	if (slash)
		slash[slash == whole] = '\0';
	pending->folder = file_path(attempt->endpoint->root, slash ? whole : ".");
	pending->directory = file_directory(AT_FDCWD, pending->folder, create && settings->create, mode, false);
	free(whole);
	if (pending->directory < 0) {
		file_fail(error, "cannot open the directory", pending->folder);
		if (errno == ENOENT && !settings->create)
			error_wrap(error, "`create: true` would make it");
		pending_free(pending);
		return NULL;
	}
	return pending;
}

/* ---- prepare -------------------------------------------------------------------------------------------------- */

int file_write_body(int fd, struct reader *body, const char *folder, struct error *error)
{
	uint64_t at = 0, size = reader_size(body);
	char *chunk = mem_alloc(size < CHUNK ? size + 1 : CHUNK);
	int result = -1;

	while (at < size) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		ssize_t n = reader_read(body, at, chunk, want, error), done = 0;

		if (n < 0)
			goto done;
		if (n == 0) {
			error_set(error, ERROR_RETRY, "file.body", "the body of the message ended early");
			goto done;
		}
		while (done < n) {
			ssize_t m = write(fd, chunk + done, (size_t)(n - done));

			if (m < 0 && errno == EINTR)
				continue;
			if (m < 0) {
				file_fail(error, "cannot write into", folder);
				goto done;
			}
			done += m;
		}
		at += (uint64_t)n;
		progress_tell(at, size);
	}
	result = 0;
done:
	free(chunk);
	return result;
}

/* Opens the hidden file that content is written to, whatever an earlier process left in it. Locked, so that two workers
 * never write one file; a lock ends with its process. Where there are no locks the site's own leases must do. */
static int open_part(struct pending *pending, struct error *error)
{
	char name[HIDDEN_NAME];
	struct stat held, there;

	hidden_name(name, &pending->attempt->key, HIDDEN_PART);
	for (int tries = 0; tries < 100; tries++) {
		int fd = openat(pending->directory, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
				0600);

		if (fd < 0)
			return file_fail(error, "cannot write into", pending->folder);
		if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
			close(fd);
			return error_set(error, ERROR_RETRY, "file.busy",
					 "another worker is writing the same message into %s", pending->folder);
		}
		if (!fstat(fd, &held) && !fstatat(pending->directory, name, &there, AT_SYMLINK_NOFOLLOW) &&
		    held.st_ino == there.st_ino && S_ISREG(held.st_mode) && !ftruncate(fd, 0))
			return fd;
		close(fd); /* it got its next name between our open and our lock */
	}
	errno = EIO;
	return file_fail(error, "cannot write into", pending->folder);
}

/* Puts the written part in place as .tmp. */
static int place_part(struct pending *pending, bool over, bool *alone, struct error *error)
{
	char part[HIDDEN_NAME], tmp[HIDDEN_NAME];
	int failed;

	hidden_name(part, &pending->attempt->key, HIDDEN_PART);
	hidden_name(tmp, &pending->attempt->key, HIDDEN_TMP);
	failed = over ? -1 : file_rename_exclusive(pending->directory, part, pending->directory, tmp);
	*alone = !failed;
	if (over || (failed && (errno == EOPNOTSUPP || errno == EEXIST)))
		failed = renameat(pending->directory, part, pending->directory, tmp);
	if (failed)
		return file_fail(error, "cannot write into", pending->folder);
	FAULT("file.placed");
	return 0;
}

/* The content as .tmp, synced. */
static int write_tmp(struct pending *pending, bool over, bool *alone, struct error *error)
{
	const struct file_sink_settings *settings = pending->attempt->endpoint->settings;
	const struct message *message = pending->attempt->message;
	int fd = open_part(pending, error), result = -1;

	if (fd < 0)
		return -1;
	FAULT("file.opened");
	if (message->body && file_write_body(fd, message->body, pending->folder, error))
		goto done;
	FAULT("file.written");
	if (fchmod(fd, file_modes[settings->mode]) || fsync(fd) || fstat(fd, &pending->temporary)) {
		file_fail(error, "cannot write into", pending->folder);
		goto done;
	}
	FAULT("file.synced");
	result = place_part(pending, over, alone, error);
done:
	if (result)
		hidden_unlink(pending->directory, &pending->attempt->key, HIDDEN_PART);
	close(fd);
	return result;
}

/* Does .tmp hold exactly the message's bytes? Then it need not be written again. */
static bool is_same_content(struct pending *pending, const struct stat *st)
{
	struct reader *there, *body = pending->attempt->message->body;
	uint8_t ours[32], theirs[32];
	char name[HIDDEN_NAME];
	bool same;
	int fd;

	if (!S_ISREG(st->st_mode) || !body || (uint64_t)st->st_size != reader_size(body))
		return false;
	hidden_name(name, &pending->attempt->key, HIDDEN_TMP);
	fd = openat(pending->directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	there = reader_new_fd(fd, 0, (uint64_t)st->st_size);
	same = !reader_digest(there, theirs, NULL) && !reader_digest(body, ours, NULL) &&
	       !memcmp(ours, theirs, sizeof ours);
	reader_unref(there);
	return same;
}

/* A second name for .tmp: ext4 takes milliseconds to make a file where many were removed in the last minutes. Where
 * there are no hard links it is a file of its own. 1: it is there already. */
static int make_mark(struct pending *pending, struct error *error)
{
	char mark[HIDDEN_NAME], tmp[HIDDEN_NAME];
	int fd;

	hidden_name(mark, &pending->attempt->key, HIDDEN_MARK);
	hidden_name(tmp, &pending->attempt->key, HIDDEN_TMP);
	if (linkat(pending->directory, tmp, pending->directory, mark, 0)) {
		if (errno == EEXIST)
			return 1;
		fd = openat(pending->directory, mark, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			return 1;
		if (fd < 0)
			return file_fail(error, "cannot write into", pending->folder);
		close(fd);
	}
	pending->made = true;
	FAULT("file.marked");
	return 0;
}

int pending_sync(struct pending *pending, struct error *error)
{
	if (FAULT_FAILS("file.sync-fails")) {
		errno = EIO;
		return file_fail(error, "cannot sync", pending->folder);
	}
	return fsync(pending->directory) ? file_fail(error, "cannot sync", pending->folder) : 0;
}

static bool is_our_tmp(struct pending *pending)
{
	struct stat st;

	return hidden_is_there(pending->directory, &pending->attempt->key, HIDDEN_TMP, &st) &&
	       st.st_ino == pending->temporary.st_ino;
}

/* A mark of our own .tmp: another worker found it there and marked it before we did. */
static bool is_marked_tmp(struct pending *pending)
{
	struct stat mark;

	return hidden_is_there(pending->directory, &pending->attempt->key, HIDDEN_MARK, &mark) &&
	       mark.st_ino == pending->temporary.st_ino;
}

/* .tmp with these bytes and .mark, both durable. Two workers with one message are kept apart by who finds what. */
int pending_make_ready(struct pending *pending, bool marked, struct error *error)
{
	const struct id *key = &pending->attempt->key;
	struct stat tmp;
	bool old = hidden_is_there(pending->directory, key, HIDDEN_TMP, &tmp), alone = false;
	int result;

	if (old && is_same_content(pending, &tmp)) {
		pending->temporary = tmp;
	} else if (write_tmp(pending, old, &alone, error)) {
		return -1;
	}
	result = marked ? 0 : make_mark(pending, error);
	if (result < 0)
		return -1;
	/* another made its mark and renamed, all since we looked */
	if (result && alone && is_our_tmp(pending) && !is_marked_tmp(pending)) {
		hidden_unlink(pending->directory, key, HIDDEN_TMP);
		pending->stage = STAGE_WENT;
		return pending_sync(pending, error);
	}
	if (pending_sync(pending, error))
		return -1;
	FAULT("file.dirsynced");
	pending->stage = STAGE_READY;
	return 0;
}

int file_sink_prepare(void *arg, struct attempt *attempt, struct error *error)
{
	struct pending *pending = pending_new(attempt, true, error);
	struct stat st;
	bool marked, tmp, link;

	if (!pending)
		return -1;
	marked = hidden_is_there(pending->directory, &attempt->key, HIDDEN_MARK, &st);
	tmp = hidden_is_there(pending->directory, &attempt->key, HIDDEN_TMP, &st);
	link = hidden_is_there(pending->directory, &attempt->key, HIDDEN_LINK, &st);
	if (marked && (!tmp || link)) {
		pending->stage = STAGE_WENT;
	} else if (pending_make_ready(pending, marked, error)) {
		if (pending->made) { /* no intent can know of it yet */
			hidden_unlink(pending->directory, &attempt->key, HIDDEN_MARK);
			hidden_unlink(pending->directory, &attempt->key, HIDDEN_TMP);
		}
		pending_free(pending);
		return -1;
	}
	attempt->adapter = pending;
	attempt->prepared = true;
	return 0;
}
