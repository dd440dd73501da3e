/* Copies of what was delivered. See file_kept.h. */
#include "config.h"
#include "broker-adapters/file/file_kept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "broker-adapters/file/file.h"
#include "broker-adapters/taking.h"

#define NUMBERED_MAX 100000
#define FOLDER_MODE 0775
#define FILE_MODE 0640
#define DAY_MS 86400000ll
#define DAYS_MAX 400 /* between the first try of a delivery and its end */
#define COPY ".copy"
#define COPYING ".copying"

void kept_free(struct kept *kept)
{
	free(kept->path);
	kept->path = NULL;
}

static void copy_name(char out[HIDDEN_NAME], const struct id *key, const char *end)
{
	char hex[ID_TEXT];

	id_hex(key, hex);
	snprintf(out, HIDDEN_NAME, ".ferrule-%s%s", hex, end);
}

static int open_archive(const struct endpoint *endpoint, bool create, struct error *error)
{
	char *path = file_path(endpoint->root, endpoint->archive);
	int fd = file_directory(AT_FDCWD, path, create, FOLDER_MODE, false);

	if (fd < 0 && (create || errno != ENOENT))
		file_fail(error, "cannot open the archive", path);
	free(path);
	return fd;
}

/* ---- before the delivery is tried ---- */

static int write_copy(const struct endpoint *endpoint, int archive, const char *name, struct reader *body,
		      struct error *error)
{
	int fd = openat(archive, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
	int result = -1;

	if (fd < 0)
		return file_fail(error, "cannot write into the archive", endpoint->archive);
	if (!body || !file_write_body(fd, body, endpoint->archive, error))
		result = fsync(fd) ? file_fail(error, "cannot write into the archive", endpoint->archive) : 0;
	close(fd);
	return result;
}

/* By a link, so that a file system without them says so now, and not when the file has gone out. */
static int name_copy(const struct endpoint *endpoint, int archive, const char *part, const char *name,
		     struct error *error)
{
	if (unlinkat(archive, name, 0) && errno != ENOENT)
		return file_fail(error, "cannot write into the archive", endpoint->archive);
	if (linkat(archive, part, archive, name, 0)) {
		if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
			return file_fail(error, "cannot write into the archive", endpoint->archive);
		error_set(error, ERROR_RETRY, "archive.links",
			  "the file system of %s has no hard links, by which a copy of what is sent is kept once; put "
			  "the archive on another",
			  endpoint->archive);
		if (error)
			error->scope = SCOPE_ENDPOINT;
		return -1;
	}
	return 0;
}

int kept_hold(const struct endpoint *endpoint, const struct id *key, struct reader *body, struct error *error)
{
	char part[HIDDEN_NAME], name[HIDDEN_NAME];
	int archive = open_archive(endpoint, true, error), result = -1;

	if (archive < 0)
		return -1;
	copy_name(part, key, COPYING);
	copy_name(name, key, COPY);
	if (write_copy(endpoint, archive, part, body, error))
		goto done;
	FAULT("kept.written");
	if (name_copy(endpoint, archive, part, name, error))
		goto done;
	FAULT("kept.named");
	unlinkat(archive, part, 0);
	if (fsync(archive)) {
		file_fail(error, "cannot sync the archive", endpoint->archive);
		goto done;
	}
	FAULT("kept.held");
	result = 0;
done:
	if (result)
		unlinkat(archive, part, 0);
	close(archive);
	return result;
}

/* ---- when it was delivered ---- */

static int open_day(const struct endpoint *endpoint, int archive, const char *day, bool create, struct error *error)
{
	int fd = file_directory(archive, day, create, FOLDER_MODE, true);

	if (fd < 0 && (create || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)))
		file_fail(error, "cannot open a folder of the archive", endpoint->archive);
	return fd;
}

static void name_day(char day[CLOCK_TEXT], int64_t ms)
{
	clock_format(ms, day);
	day[10] = '\0';
}

/* The name that it has in this folder. */
static bool find_named(int folder, const struct stat *copy, char placed[256])
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = false;
	struct stat st;

	while (list && !found && (entry = readdir(list))) {
		if (entry->d_ino != copy->st_ino || fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    st.st_ino != copy->st_ino || st.st_dev != copy->st_dev)
			continue;
		snprintf(placed, 256, "%s", entry->d_name);
		found = true;
	}
	if (list)
		closedir(list);
	else if (fd >= 0)
		close(fd);
	return found;
}

/* An earlier try may have given it a name, today or when the delivery was tried first. */
static bool find_placed(const struct endpoint *endpoint, int archive, const struct stat *copy, int64_t first_ms,
			int64_t now_ms, char day[CLOCK_TEXT], char placed[256], int *folder)
{
	int64_t at = first_ms && now_ms - first_ms < DAYS_MAX * DAY_MS ? first_ms - first_ms % DAY_MS : now_ms;

	for (; copy->st_nlink > 1 && at <= now_ms; at += DAY_MS) {
		name_day(day, at);
		*folder = open_day(endpoint, archive, day, false, NULL);
		if (*folder < 0)
			continue;
		if (find_named(*folder, copy, placed))
			return true;
		close(*folder);
	}
	return false;
}

static int give_name(const struct endpoint *endpoint, int archive, int folder, const char *name, const char *wanted,
		     char placed[256], struct error *error)
{
	for (unsigned n = 1; n <= NUMBERED_MAX; n++) {
		name_numbered(placed, wanted, n, "");
		if (!linkat(archive, name, folder, placed, 0))
			return 0;
		if (errno != EEXIST)
			return file_fail(error, "cannot write into the archive", endpoint->archive);
	}
	errno = EEXIST;
	return file_fail(error, "finds no free name in the archive", endpoint->archive);
}

static int place(const struct endpoint *endpoint, int archive, const char *name, const char *wanted, int64_t first_ms,
		 struct kept *kept, struct error *error)
{
	char day[CLOCK_TEXT], placed[256];
	int64_t now = clock_now_ms();
	struct stat copy;
	int folder = -1, result = -1;

	if (fstatat(archive, name, &copy, AT_SYMLINK_NOFOLLOW))
		return file_fail(error, "cannot look into the archive", endpoint->archive);
	if (!find_placed(endpoint, archive, &copy, first_ms, now, day, placed, &folder)) {
		name_day(day, now);
		folder = open_day(endpoint, archive, day, true, error);
		if (folder < 0 || give_name(endpoint, archive, folder, name, wanted, placed, error))
			goto done;
	}
	FAULT("kept.placed");
	if (fsync(folder)) {
		file_fail(error, "cannot sync the archive", endpoint->archive);
		goto done;
	}
	FAULT("kept.synced");
	kept_free(kept);
	kept->path = mem_printf("%s/%s/%s", endpoint->archive, day, placed);
	kept->size = (uint64_t)copy.st_size;
	kept->time_ms = file_ns(copy.st_mtim) / 1000000;
	result = 0;
done:
	if (folder >= 0)
		close(folder);
	return result;
}

static int digest_of(const struct endpoint *endpoint, int archive, const char *name, struct id *digest,
		     struct error *error)
{
	int fd = openat(archive, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), failed;
	struct reader *reader;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		file_fail(error, "cannot read what is in the archive", endpoint->archive);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	reader = reader_new_fd(fd, 0, (uint64_t)st.st_size);
	failed = reader_digest(reader, digest->bytes, error);
	reader_unref(reader);
	return failed;
}

int kept_place(const struct endpoint *endpoint, const struct id *key, struct span path, int64_t first_ms,
	       struct reader *body, struct kept *kept, struct error *error)
{
	char name[HIDDEN_NAME], *whole = mem_span_dup(path), *slash = strrchr(whole, '/');
	int archive = open_archive(endpoint, true, error), result = -1;

	copy_name(name, key, COPY);
	if (archive < 0)
		goto done;
	/* it was tried before there was an archive, or the partner's side had it already */
	if (faccessat(archive, name, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT &&
	    kept_hold(endpoint, key, body, error))
		goto done;
	if (!place(endpoint, archive, name, slash ? slash + 1 : whole, first_ms, kept, error))
		result = digest_of(endpoint, archive, name, &kept->digest, error);
done:
	if (archive >= 0)
		close(archive);
	free(whole);
	return result;
}

void kept_forget(const struct endpoint *endpoint, const struct id *key)
{
	int archive = open_archive(endpoint, false, NULL);
	char name[HIDDEN_NAME];

	if (archive < 0)
		return;
	copy_name(name, key, COPY);
	unlinkat(archive, name, 0);
	FAULT("kept.forgotten");
	close(archive);
}

/* ---- what is left, and what is over ---- */

static bool is_old(int archive, const char *name, int64_t older_than_ms)
{
	struct stat st;

	return !fstatat(archive, name, &st, AT_SYMLINK_NOFOLLOW) &&
	       clock_now_ms() - file_ns(st.st_mtim) / 1000000 >= older_than_ms;
}

int kept_sweep(const struct endpoint *endpoint, int64_t older_than_ms, bool (*needed)(void *, const struct id *),
	       void *arg, unsigned *removed, struct error *error)
{
	int archive = open_archive(endpoint, false, error);
	struct dirent *entry;
	struct id key;
	DIR *list;

	if (archive < 0)
		return errno == ENOENT ? 0 : -1;
	list = fdopendir(archive);
	if (!list) {
		close(archive);
		return file_fail(error, "cannot list the archive", endpoint->archive);
	}
	while ((entry = readdir(list))) {
		const char *end = hidden_key(entry->d_name, &key) ? strrchr(entry->d_name, '.') : "";

		if ((strcmp(end, COPY) && strcmp(end, COPYING)) || !is_old(archive, entry->d_name, older_than_ms) ||
		    needed(arg, &key))
			continue;
		*removed += !unlinkat(archive, entry->d_name, 0);
	}
	closedir(list);
	return 0;
}

static int remove_kept(int archive, const char *day, const char *name, const struct kept *kept, bool *removed,
		       struct error *error)
{
	int folder = file_directory(archive, day, false, 0, true);
	struct stat st;

	if (folder < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : file_fail(error, "cannot open a folder of the archive", kept->path);
	if (!fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == kept->size && file_ns(st.st_mtim) / 1000000 == kept->time_ms) {
		if (unlinkat(folder, name, 0) && errno != ENOENT) {
			file_fail(error, "cannot remove", kept->path);
			close(folder);
			return -1;
		}
		*removed = true;
	}
	close(folder);
	if (*removed)
		unlinkat(archive, day, AT_REMOVEDIR); /* the day's last */
	return 0;
}

/* By the archive as it is configured now: what lies elsewhere is no business of ours. */
int kept_expire(const struct endpoint *endpoint, const struct kept *kept, bool *removed, struct error *error)
{
	size_t name = taking_archived(endpoint->archive, kept->path);
	char day[11];
	int archive, result;

	*removed = false;
	if (!name)
		return 0;
	archive = open_archive(endpoint, false, error);
	if (archive < 0)
		return errno == ENOENT ? 0 : -1;
	snprintf(day, sizeof day, "%s", kept->path + name - 11);
	result = remove_kept(archive, day, kept->path + name, kept, removed, error);
	close(archive);
	return result;
}
