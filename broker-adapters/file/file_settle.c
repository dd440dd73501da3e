/* Putting a file away once its document is safe: archived by day, moved, deleted or set aside as refused. Nothing is
 * overwritten, a file that changed since it was read stays, and doing it twice is doing it once.
 *
 * A rename leaves the file either in the folder or in its new place. Between file systems it is a copy: written under a
 * hidden name, synced, given its name, and only then is the original removed; met again after a crash, the copy is
 * known by its time and bytes. */
#include "config.h"
#include "broker-adapters/file/file_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#define NUMBERED_MAX 10000
#define CHUNK (256u * 1024)
#define FOLDER_MODE 0775

static void show_place(char out[NAME_SHOWN], const char *directory, const char *name)
{
	char *path = mem_printf("%s/%s", directory, name);

	name_show(out, span_of(path));
	free(path);
}

/* ---- where to ------------------------------------------------------------------------------------------------- */

/* A directory of the settings may lie behind links that its owner made; what lies in the folder was perhaps put there
 * by a partner. day NULL: it has no folders of days. */
static int open_place(const struct file_source *source, const char *configured, const char *usual, const char *day,
		      struct place_to *to, struct error *error)
{
	int base, fd;

	if (configured) {
		char *path = file_path(source->root, configured);

		base = file_directory(AT_FDCWD, path, true, FOLDER_MODE, false);
		to->path = day ? mem_printf("%s/%s", path, day) : mem_strdup(path);
		free(path);
	} else {
		base = file_directory(source->directory, usual, true, FOLDER_MODE, true);
		to->path = mem_printf("%s/%s%s%s", source->folder, usual, day ? "/" : "", day ? day : "");
	}
	if (base < 0)
		return file_fail(error, "cannot open the directory", to->path);
	to->directory = base;
	if (!day)
		return 0;
	fd = file_directory(base, day, true, FOLDER_MODE, true);
	if (fd < 0)
		file_fail(error, "cannot open the directory", to->path);
	close(base);
	to->directory = fd;
	return fd < 0 ? -1 : 0;
}

static bool is_same_directory(const struct file_source *source, const char *configured, const struct stat *st)
{
	struct stat other;
	char *path;
	int failed;

	if (!configured)
		return false; /* known by its name */
	path = file_path(source->root, configured);
	failed = stat(path, &other);
	free(path);
	return !failed && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

bool file_source_own_directory(const struct file_source *source, const char *name)
{
	const struct file_source_settings *settings = source->settings;
	struct stat st;

	if ((!settings->to && !strcmp(name, "archive")) || (!settings->rejected && !strcmp(name, "rejected")))
		return true;
	if (fstatat(source->directory, name, &st, AT_SYMLINK_NOFOLLOW))
		return true; /* gone again */
	return is_same_directory(source, settings->to, &st) ||
	       is_same_directory(source, settings->rejected, &st);
}

/* ---- between file systems ------------------------------------------------------------------------------------- */

static int copy_bytes(int from, int to)
{
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;
	int result = -1;

	while ((n = read(from, chunk, CHUNK)) != 0) {
		ssize_t done = 0, m = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto done;
		while (done < n && ((m = write(to, chunk + done, (size_t)(n - done))) > 0 || errno == EINTR))
			done += m > 0 ? m : 0;
		if (done < n)
			goto done;
	}
	result = 0;
done:
	free(chunk);
	return result;
}

/* Do both descriptors give the same bytes from their start? */
static bool same_bytes(int a, int b)
{
	char *x = mem_alloc(CHUNK), *y = mem_alloc(CHUNK);
	off_t at = 0;
	ssize_t n, m;
	bool same = false;

	for (;; at += n) {
		n = pread(a, x, CHUNK, at);
		m = pread(b, y, CHUNK, at);
		if (n != m || n < 0 || memcmp(x, y, (size_t)n))
			break;
		if (!n) {
			same = true;
			break;
		}
	}
	free(x);
	free(y);
	return same;
}

static int open_source_file(const struct file_source *source, const struct held *held)
{
	return openat(source->directory, held->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
}

/* Was that put there by an earlier try for this very file? By link: the same file. By copy: the same time, to the
 * nanosecond, and bytes. */
static bool is_ours(const struct file_source *source, const struct held *held, int directory, const char *name)
{
	struct stat st;
	int a, b;
	bool same;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		return false;
	if (st.st_dev == held->stamp.device)
		return st.st_ino == held->stamp.inode;
	if (file_ns(st.st_mtim) != held->stamp.mtime_ns || (uint64_t)st.st_size != held->stamp.size)
		return false;
	a = open_source_file(source, held);
	b = openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	same = a >= 0 && b >= 0 && same_bytes(a, b);
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return same;
}

static void copy_name(char out[80], const struct held *held)
{
	snprintf(out, 80, ".ferrule-%llx-%llx.copy", (unsigned long long)held->stamp.device,
		 (unsigned long long)held->stamp.inode);
}

/* A complete, synced copy under a hidden name; made anew when an earlier one was left. */
static int make_copy(const struct file_source *source, const struct held *held, const struct place_to *to,
		     struct error *error)
{
	struct timespec times[2];
	struct stat st;
	char name[80];
	int from = -1, copy = -1, result = -1;

	copy_name(name, held);
	unlinkat(to->directory, name, 0);
	from = open_source_file(source, held);
	if (from < 0 || fstat(from, &st))
		goto failed;
	copy = openat(to->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, st.st_mode & 0777);
	if (copy < 0 || copy_bytes(from, copy))
		goto failed;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(copy, times) || fsync(copy))
		goto failed;
	FAULT("file.copied");
	result = 0;
	goto done;
failed:
	file_fail(error, "cannot copy a file into", to->path);
	unlinkat(to->directory, name, 0);
done:
	if (from >= 0)
		close(from);
	if (copy >= 0)
		close(copy);
	return result;
}

/* ---- putting away --------------------------------------------------------------------------------------------- */

/* As it was when it was read? 0 it is, 1 gone or another by now. The time of the inode is left out: a backup may touch
 * that. */
static int still_there(const struct file_source *source, const struct held *held, struct error *error)
{
	struct stat st;
	struct stamp now;

	if (fstatat(source->directory, held->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 1 : file_fail(error, "cannot look into", source->folder);
	now = stamp_of(&st);
	if (now.device == held->stamp.device && now.inode == held->stamp.inode && now.size == held->stamp.size &&
	    now.mtime_ns == held->stamp.mtime_ns)
		return 0;
	log_warn("file", SPAN_NONE, "changed after it was taken, left for the next look flow=%s file=\"%s/%s\"",
		 source->flow, source->folder, held->shown);
	return 1;
}

static const char *as_of(const struct held *held)
{
	return held->as ? held->as : held->name;
}

/* Gives `name` in directory `from` the first free name. 1: it is there already, from an earlier try. */
static int place_file(const struct file_source *source, const struct held *held, int from, const char *name,
		      const struct place_to *to, char placed[256], struct error *error)
{
	for (unsigned n = 1; n <= NUMBERED_MAX; n++) {
		name_numbered(placed, as_of(held), n, to->suffix);
		if (!file_rename_new(from, name, to->directory, placed))
			return 0;
		if (errno == EXDEV)
			return 2;
		if (errno == ENOENT && from == source->directory)
			return 1; /* taken away a moment ago */
		if (errno != EEXIST)
			return file_fail(error, "cannot put a file into", to->path);
		if (is_ours(source, held, to->directory, placed))
			return 1;
	}
	error_set(error, ERROR_RETRY, "file.names", "%s holds more than %d files named like %s; clear it up", to->path,
		  NUMBERED_MAX, held->shown);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

int file_source_remove(const struct file_source *source, const struct held *held, struct error *error)
{
	int state = still_there(source, held, error);

	if (state)
		return state < 0 ? -1 : 0;
	if (unlinkat(source->directory, held->name, 0) && errno != ENOENT)
		return file_fail(error, "cannot remove a file from", source->folder);
	FAULT("file.removed");
	return 0;
}

static int place_copy(const struct file_source *source, const struct held *held, const struct place_to *to,
		      char placed[256], struct error *error)
{
	char name[80];
	int result;

	/* Did an earlier try get that far? */
	name_numbered(placed, as_of(held), 1, to->suffix);
	for (unsigned n = 1; n <= NUMBERED_MAX && !faccessat(to->directory, placed, F_OK, AT_SYMLINK_NOFOLLOW); n++) {
		if (is_ours(source, held, to->directory, placed))
			return 1;
		name_numbered(placed, as_of(held), n + 1, to->suffix);
	}
	if (make_copy(source, held, to, error))
		return -1;
	copy_name(name, held);
	result = place_file(source, held, to->directory, name, to, placed, error);
	if (result)
		unlinkat(to->directory, name, 0);
	return result;
}

/* Somebody may have put another file under the name between the look and the rename: that one was never read, so it
 * goes back. */
static int put_back(const struct file_source *source, const struct held *held, const struct place_to *to,
		    const char *placed, struct error *error)
{
	struct stat st;

	if (fstatat(to->directory, placed, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino == held->stamp.inode)
		return 0;
	if (file_rename_new(to->directory, placed, source->directory, held->name))
		return file_fail(error, "cannot put back a file that came meanwhile into", source->folder);
	return 0;
}

int file_source_put_away(const struct file_source *source, const struct held *held, const struct place_to *to,
			 char placed[256], struct error *error)
{
	char shown[NAME_SHOWN], copy[80];
	int result = place_file(source, held, source->directory, held->name, to, placed, error), renamed = result == 0;

	if (result == 2)
		result = place_copy(source, held, to, placed, error);
	if (result < 0)
		return -1;
	FAULT("file.archived");
	if (renamed && put_back(source, held, to, placed, error))
		return -1;
	copy_name(copy, held);
	if (!renamed && result == 1) /* an earlier try that gave the name by link may have left the hidden one */
		unlinkat(to->directory, copy, 0);
	if (fsync(to->directory))
		return file_fail(error, "cannot sync", to->path);
	FAULT("file.archive-synced");
	if (!renamed && file_source_remove(source, held, error))
		return -1;
	show_place(shown, to->path, placed);
	log_debug("file", SPAN_NONE, "put away flow=%s file=\"%s/%s\" to=\"%s\"", source->flow, source->folder,
		  held->shown, shown);
	return 0;
}

/* Only the marker that came with the file: one that was put there anew belongs to the next. */
static int remove_marker(const struct file_source *source, const struct held *held, struct error *error)
{
	char name[NAME_MAX + 1];
	struct stat st;

	if (!held->has_marker ||
	    (size_t)snprintf(name, sizeof name, "%s%s", held->name, source->settings->marker) >= sizeof name)
		return 0;
	if (fstatat(source->directory, name, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != held->marker.inode ||
	    file_ns(st.st_ctim) != held->marker.ctime_ns)
		return 0;
	if (unlinkat(source->directory, name, 0) && errno != ENOENT)
		return file_fail(error, "cannot remove a marker from", source->folder);
	FAULT("file.unmarked");
	return 0;
}

static int sync_folder(const struct file_source *source, struct error *error)
{
	return fsync(source->directory) ? file_fail(error, "cannot sync", source->folder) : 0;
}

static const char *suffix_of(enum settlement how)
{
	return how == SETTLE_DUPLICATE ? ".duplicate" : how == SETTLE_DUPLICATE_OF_DEAD ? ".duplicate-of-dead" : "";
}

/* Its folder in the archive: of the day that was written down, though midnight came between. */
static void name_day(const struct held *held, char day[CLOCK_TEXT])
{
	clock_format(held && held->intended_ms ? held->intended_ms : clock_now_ms(), day);
	day[10] = '\0';
}

int file_source_place(const struct file_source *source, const struct held *held, bool refused, struct place_to *to,
		      struct error *error)
{
	const struct file_source_settings *settings = source->settings;
	char day[CLOCK_TEXT];

	if (refused)
		return open_place(source, settings->rejected, "rejected", NULL, to, error);
	name_day(held, day);
	return open_place(source, settings->to, "archive", settings->after == AFTER_ARCHIVE ? day : NULL, to, error);
}

static int settle_file(const struct file_source *source, struct held *held, enum settlement how, bool refused,
		       struct place_to *to, struct error *error)
{
	bool deletes = source->settings->after == AFTER_DELETE && !refused;
	int state = still_there(source, held, error);
	char placed[256];

	if (state < 0 || (state == 0 && file_sidecar_aside(source, held, refused, error)))
		return -1;
	if (!deletes && (state == 0 || held->sidecar_kind) &&
	    file_source_place(source, held, refused, to, error))
		return -1;
	memcpy(placed, held->name, strlen(held->name) + 1);
	if (state == 0 && deletes) {
		if (how == SETTLE_DUPLICATE)
			log_info("file", SPAN_NONE, "deleted a duplicate flow=%s file=\"%s/%s\"", source->flow,
				 source->folder, held->shown);
		if (file_source_remove(source, held, error))
			return -1;
	} else if (state == 0) {
		if (file_source_put_away(source, held, to, placed, error))
			return -1;
		file_source_archived(&held->document.archived[0], to, placed, &held->stamp);
	}
	return file_sidecar_follow(source, held, deletes ? NULL : to, placed, error);
}

int file_source_settle(void *arg, struct document *document, enum settlement how, struct error *error)
{
	const struct file_source *source = arg;
	struct held *held = document->adapter;
	/* What died is kept in sight even where the rest is deleted. */
	bool refused = how == SETTLE_REFUSED ||
		       (how == SETTLE_DUPLICATE_OF_DEAD && source->settings->after == AFTER_DELETE);
	struct place_to to = {NULL, -1, suffix_of(how)};
	int result = settle_file(source, held, how, refused, &to, error) || remove_marker(source, held, error) ||
				     sync_folder(source, error)
			     ? -1
			     : 0;

	if (result == 0)
		FAULT("file.settled");
	if (to.directory >= 0)
		close(to.directory);
	free(to.path);
	return result;
}

/* ---- retention ------------------------------------------------------------------------------------------------- */

void file_source_archived(struct archived *archived, const struct place_to *to, const char *placed,
			  const struct stamp *stamp)
{
	free(archived->path);
	*archived =
		(struct archived){mem_printf("%s/%s", to->path, placed), stamp->size, stamp->mtime_ns / 1000000, false};
}

void file_source_intend(void *arg, const struct document *document, enum settlement how, struct archived into[2])
{
	const struct file_source *source = arg;
	const struct file_source_settings *settings = source->settings;
	struct held *held = document->adapter;
	struct place_to to = {NULL, -1, suffix_of(how)};
	char day[CLOCK_TEXT], placed[256], as[PAIR_NAME], *root;

	if (settings->after != AFTER_ARCHIVE)
		return;
	held->intended_ms = clock_now_ms();
	name_day(held, day);
	root = settings->to ? file_path(source->root, settings->to) : mem_printf("%s/archive", source->folder);
	to.path = mem_printf("%s/%s", root, day);
	name_numbered(placed, held->name, 1, to.suffix);
	file_source_archived(&into[0], &to, placed, &held->stamp);
	if (held->sidecar_kind != PAIR_NONE) {
		pair_placed(as, placed, settings->taking.sidecar);
		file_source_archived(&into[1], &to, as, &held->sidecar);
	}
	free(to.path);
	free(root);
}

static int remove_that(const struct archived *archived, int folder, const char *name, bool *removed,
		       struct error *error)
{
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != archived->size || file_ns(st.st_mtim) / 1000000 != archived->time_ms)
		return 0;
	if (unlinkat(folder, name, 0) && errno != ENOENT)
		return file_fail(error, "cannot remove", archived->path);
	*removed = true;
	return 0;
}

/* The name was taken by another then, which may be gone by now: the numbers have gaps. */
static int remove_numbered(const struct file_source *source, const struct archived *archived, int folder,
			   const char *name, bool *removed, struct error *error)
{
	int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
	DIR *listing = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;

	if (!listing)
		return file_fail(error, "cannot list the folder of", archived->path);
	while (!result && !*removed && (entry = readdir(listing)))
		if (taking_is_numbered(&source->settings->taking, name, entry->d_name))
			result = remove_that(archived, folder, entry->d_name, removed, error);
	closedir(listing);
	return result;
}

static int remove_archived(const struct file_source *source, const struct archived *archived, int archive, size_t name,
			   bool *removed, struct error *error)
{
	const char *path = archived->path;
	char day[11];
	int folder, result;

	snprintf(day, sizeof day, "%s", path + name - 11);
	folder = file_directory(archive, day, false, 0, true);
	if (folder < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0
									     : file_fail(error, "cannot open", path);
	result = remove_that(archived, folder, path + name, removed, error);
	if (result == 0 && !*removed && archived->numbered)
		result = remove_numbered(source, archived, folder, path + name, removed, error);
	close(folder);
	if (*removed)
		unlinkat(archive, day, AT_REMOVEDIR); /* the day's last */
	return result;
}

/* By the archive as it is configured now: what lies elsewhere is no business of ours. */
int file_source_expire(void *arg, const struct archived *archived, bool *removed, struct error *error)
{
	const struct file_source *source = arg;
	const struct file_source_settings *settings = source->settings;
	char *root = settings->to ? file_path(source->root, settings->to) : mem_printf("%s/archive", source->folder);
	size_t name = settings->after == AFTER_ARCHIVE ? taking_archived(root, archived->path) : 0;
	int archive, result = 0;

	*removed = false;
	if (name) {
		archive = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (settings->to ? 0 : O_NOFOLLOW));
		if (archive < 0)
			result = errno == ENOENT ? 0 : file_fail(error, "cannot open", root);
		else
			result = remove_archived(source, archived, archive, name, removed, error);
		if (archive >= 0)
			close(archive);
	}
	free(root);
	return result;
}
