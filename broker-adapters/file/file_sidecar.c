/* The file source's sidecars: a document is taken when its sidecar is there, is what that says, and is followed by it
 * to wherever it goes. pairs.h tells how a crash between the two is mended. */
#include "config.h"
#include "broker-adapters/file/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/sidecar.h"

/* ---- finding --------------------------------------------------------------------------------------------------- */

static bool find_as(const struct file_source *source, enum pair_kind kind, const char *name, struct stamp *stamp)
{
	char path[PAIR_NAME];
	struct stat st;

	if (!pair_name(path, kind, name, source->settings->taking.sidecar) ||
	    fstatat(source->directory, path, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		return false;
	*stamp = stamp_of(&st);
	return true;
}

static enum pair_kind find(const struct file_source *source, const char *name, struct stamp *stamp)
{
	for (enum pair_kind kind = PAIR_SIDECAR; kind <= PAIR_REFUSED; kind++)
		if (find_as(source, kind, name, stamp))
			return kind;
	return PAIR_NONE;
}

void file_sidecar_find(const struct file_source *source, struct held *held)
{
	held->sidecar_kind = find(source, held->name, &held->sidecar);
}

/* By its own times; where its clock runs ahead of ours the document's own standing still must do. */
static bool is_still(const struct file_source *source, const struct stamp *stamp)
{
	int64_t last = (stamp->mtime_ns > stamp->ctime_ns ? stamp->mtime_ns : stamp->ctime_ns) / 1000000;
	int64_t now = clock_now_ms();

	return last > now || now - last >= source->settings->age_ms;
}

bool file_sidecar_ready(struct file_source *source, const struct entry *entry)
{
	struct stamp stamp;
	enum pair_kind kind = find(source, entry->name, &stamp);

	if (kind == PAIR_NONE || stamp.size == 0) {
		halves_add(&source->halves, entry->name, source->settings->taking.sidecar, false,
			   entry->stamp.ctime_ns / 1000000);
		return false;
	}
	if (kind != PAIR_SIDECAR || is_still(source, &stamp))
		return true;
	source->waiting = true;
	return false;
}

bool file_sidecar_listed(struct file_source *source, const char *name)
{
	const struct file_source_settings *settings = source->settings;
	const char *suffix = settings->taking.sidecar;
	char of[PAIR_NAME];
	enum pair_kind kind = pair_kind(suffix, name, of);
	struct stamp stamp;
	struct stat st, own;

	if (kind == PAIR_NONE)
		return false;
	/* others may look into the same folder */
	if (!name_is_wanted(of, source->pattern, &settings->ignore, settings->marker) ||
	    fstatat(source->directory, name, &own, AT_SYMLINK_NOFOLLOW) || !S_ISREG(own.st_mode))
		return true;
	if (fstatat(source->directory, of, &st, AT_SYMLINK_NOFOLLOW)) {
		if (kind != PAIR_SIDECAR)
			entries_add(&source->leftovers, entry_new(name, &own), entry_by_name);
		else
			halves_add(&source->halves, of, suffix, true, file_ns(own.st_ctim) / 1000000);
	} else if (kind != PAIR_SIDECAR && find_as(source, PAIR_SIDECAR, of, &stamp)) {
		entries_add(&source->leftovers, entry_new(name, &own), entry_by_name); /* another pair came */
	}
	return true;
}

/* ---- checking -------------------------------------------------------------------------------------------------- */

static bool is_same(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

static int changed(const struct file_source *source, const struct held *held, struct error *error)
{
	return error_set(error, ERROR_RETRY, "file.changed",
			 "the sidecar of %s/%s changed while it was read; both are left for the next look",
			 source->folder, held->shown);
}

static int read_text(const struct file_source *source, const struct held *held, struct buf *text, struct error *error)
{
	char path[PAIR_NAME];
	struct stamp now;
	struct stat st;
	ssize_t n;
	int fd;

	pair_name(path, held->sidecar_kind, held->name, source->settings->taking.sidecar);
	fd = openat(source->directory, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP
			       ? changed(source, held, error)
			       : error_errno(error, ERROR_RETRY, "file.unreadable", "cannot open the sidecar of %s/%s",
					     source->folder, held->shown);
	do {
		n = read(fd, buf_room(text, SIDECAR_MAX + 1), SIDECAR_MAX + 1);
		if (n > 0)
			buf_added(text, (size_t)n);
	} while (n > 0 && text->len <= SIDECAR_MAX);
	now = fstat(fd, &st) ? (struct stamp){0} : stamp_of(&st);
	close(fd);
	if (n < 0)
		return error_errno(error, ERROR_RETRY, "file.unreadable", "cannot read the sidecar of %s/%s",
				   source->folder, held->shown);
	return is_same(&now, &held->sidecar) ? 0 : changed(source, held, error);
}

int file_sidecar_check(const struct file_source *source, const struct held *held, struct vault *vault,
		       struct error *error)
{
	struct buf text;
	int result;

	if (held->sidecar_kind == PAIR_NONE)
		return 0;
	buf_init(&text, 2 * SIDECAR_MAX + 2);
	result = read_text(source, held, &text, error);
	if (!result) {
		result = pair_check(source->settings->taking.sidecar, buf_view(&text), span_of(held->name), vault,
				    &held->document.stored, error);
		if (result)
			error_wrap(error, "%s/%s", source->folder, held->shown);
	}
	buf_free(&text);
	return result;
}

/* ---- putting away ---------------------------------------------------------------------------------------------- */

/* The one that was read, and not one that was put there anew, which belongs to the next. */
static bool is_there(const struct file_source *source, const struct held *held)
{
	struct stamp now;

	return find_as(source, held->sidecar_kind, held->name, &now) && is_same(&now, &held->sidecar);
}

int file_sidecar_aside(const struct file_source *source, struct held *held, bool refused, struct error *error)
{
	enum pair_kind kind = refused ? PAIR_REFUSED : PAIR_TAKEN;
	const char *suffix = source->settings->taking.sidecar;
	char from[PAIR_NAME], to[PAIR_NAME];

	if (held->sidecar_kind != PAIR_SIDECAR || !is_there(source, held) || !pair_name(to, kind, held->name, suffix))
		return 0;
	pair_name(from, PAIR_SIDECAR, held->name, suffix);
	if (file_rename_new(source->directory, from, source->directory, to)) {
		if (errno == EEXIST || errno == ENOENT)
			return 0; /* then it goes as it is */
		return file_fail(error, "cannot rename a sidecar in", source->folder);
	}
	held->sidecar_kind = kind;
	FAULT("file.sidecar-aside");
	return 0;
}

static int put_away(const struct file_source *source, const char *name, const struct stamp *stamp, const char *as,
		    const struct place_to *to, char placed[256], struct error *error)
{
	struct held *sidecar = held_new(name);
	struct place_to where = to ? *to : (struct place_to){0};
	int result;

	sidecar->stamp = *stamp;
	sidecar->as = as;
	where.suffix = "";
	result = to ? file_source_put_away(source, sidecar, &where, placed, error)
		    : file_source_remove(source, sidecar, error);
	free(sidecar);
	FAULT("file.sidecar-gone");
	return result;
}

int file_sidecar_follow(const struct file_source *source, struct held *held, const struct place_to *to,
			const char *placed, struct error *error)
{
	const char *suffix = source->settings->taking.sidecar;
	char name[PAIR_NAME], as[PAIR_NAME], into[256];

	if (held->sidecar_kind == PAIR_NONE || !is_there(source, held))
		return 0;
	pair_name(name, held->sidecar_kind, held->name, suffix);
	pair_placed(as, placed, suffix);
	if (put_away(source, name, &held->sidecar, as, to, into, error))
		return -1;
	if (to)
		file_source_archived(&held->document.archived[1], to, into, &held->sidecar);
	return 0;
}

static int follow_later(const struct file_source *source, const struct entry *entry, struct error *error)
{
	const struct file_source_settings *settings = source->settings;
	char of[PAIR_NAME], as[PAIR_NAME], into[256];
	bool refused = pair_kind(settings->taking.sidecar, entry->name, of) == PAIR_REFUSED;
	bool deletes = settings->after == AFTER_DELETE && !refused;
	struct place_to to = {NULL, -1, ""};
	int result = deletes ? 0 : file_source_place(source, NULL, refused, &to, error);

	pair_placed(as, of, settings->taking.sidecar);
	if (!result)
		result = put_away(source, entry->name, &entry->stamp, as, deletes ? NULL : &to, into, error);
	if (to.directory >= 0)
		close(to.directory);
	free(to.path);
	return result;
}

int file_sidecar_leftovers(struct file_source *source, struct error *error)
{
	int result = 0;

	for (size_t i = 0; i < source->leftovers.count && !result; i++)
		result = follow_later(source, source->leftovers.list[i], error);
	entries_free(&source->leftovers);
	return result;
}
