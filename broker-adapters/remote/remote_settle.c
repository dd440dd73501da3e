/* Putting a file away on the server once its document is safe: archived by day, moved, deleted or set aside as refused.
 * Nothing is overwritten, whatever the server's rename does; a file that changed since it was read stays; and doing it
 * twice is doing it once. A lost answer is found out by looking: the file is there still, or it is not. */
#include "config.h"
#include "broker-adapters/remote/remote_source.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#define NUMBERED_MAX 10000

/* 0 as it was when it was read, 1 gone or another by now. *sidecar: the one that was read is that document's still.
 * Times are told in seconds: where another document came, only an older sidecar is surely not its own. */
static int still_there(struct remote_source *source, const struct remote_held *held, const char *path, bool *sidecar,
		       struct error *error)
{
	struct remote_attrs attrs;
	struct stamp now;
	int status = remote_lstat(source->remote, path, &attrs, error);

	*sidecar = true;
	if (status == REMOTE_MISSING)
		return 1;
	if (status)
		return remote_fail(source->remote, status, "cannot look at", path, error);
	now = remote_stamp(&attrs);
	if (stamp_same(&now, &held->stamp))
		return 0;
	*sidecar = held->sidecar_kind != PAIR_SIDECAR || held->sidecar.mtime_ns < now.mtime_ns;
	log_warn(source->ops->name, SPAN_NONE,
		 "changed after it was taken, left for the next look flow=%s file=\"%s/%s\"",
		 source->endpoint->flow ? source->endpoint->flow : source->endpoint->name, source->folder, held->shown);
	return 1;
}

/* Each part of the path that is missing. */
static int make_folders(struct remote_source *source, const char *path, struct error *error)
{
	char *copy = mem_strdup(path);
	struct remote_attrs attrs;
	int status = 0;

	for (char *slash = copy; status >= 0 && slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		status = remote_lstat(source->remote, copy, &attrs, error);
		if (status == REMOTE_MISSING)
			status = remote_mkdir(source->remote, copy, error);
		if (status > 0 && remote_lstat(source->remote, copy, &attrs, NULL) == REMOTE_OK)
			status = REMOTE_OK; /* another made it meanwhile */
		if (slash)
			*slash = '/';
	}
	free(copy);
	FAULT("remote.mkdir");
	return status > 0 ? remote_fail(source->remote, status, "cannot make the directory", path, error) : status;
}

/* A server that says so although it did nothing: the file would come again. */
static int not_moved(struct remote_source *source, const struct stamp *stamp, const char *path, struct error *error)
{
	struct remote_attrs attrs;
	struct stamp now;
	int status = remote_lstat(source->remote, path, &attrs, error);

	if (status == REMOTE_MISSING)
		return 0;
	if (status)
		return remote_fail(source->remote, status, "cannot look at", path, error);
	now = remote_stamp(&attrs);
	return stamp_same(&now, stamp)
		       ? remote_fail(source->remote, REMOTE_FAILURE,
				     "it was not renamed, though the server says so:", path, error)
		       : 0;
}

/* Somebody may have put another file under the name between the look and the rename: that one was never read, so it
 * goes back. */
static int put_back(struct remote_source *source, const struct stamp *stamp, const char *path, const char *placed,
		    struct error *error)
{
	struct remote_attrs attrs;
	struct stamp now;
	int status = remote_lstat(source->remote, placed, &attrs, error);

	if (status < 0)
		return -1;
	if (status == REMOTE_MISSING)
		return not_moved(source, stamp, path, error);
	now = remote_stamp(&attrs);
	if (status || stamp_same(&now, stamp))
		return 0;
	status = remote_rename(source->remote, placed, path, error);
	return status ? remote_fail(source->remote, status, "cannot put back a file that came meanwhile:", path, error)
		      : 0;
}

/* A rename failed, says the server: 0 it was done all the same, 1 the name is taken, 2 neither, -1. */
static int look_after(struct remote_source *source, const struct stamp *stamp, const char *path,
		      const char *target, struct error *error)
{
	struct remote_attrs left, there;
	int has_left, has_there;
	struct stamp now;

	if (remote_lstat_two(source->remote, path, &has_left, &left, target, &has_there, &there, error))
		return -1;
	if (has_there != REMOTE_OK)
		return 2;
	now = remote_stamp(&there);
	return has_left == REMOTE_MISSING && stamp_same(&now, stamp) ? 0 : 1;
}

/* 0 it is there now, 1 the name is taken, -1. */
static int try_name(struct remote_source *source, const struct stamp *stamp, const char *path, const char *folder,
		    const char *target, struct error *error)
{
	struct remote_attrs attrs;
	int status, state;

	remote_claim(source->remote, target);
	for (int tries = 0; tries < 2; tries++) {
		status = remote_lstat(source->remote, target, &attrs, error);
		if (status == REMOTE_OK)
			return 1;
		if (status != REMOTE_MISSING)
			break;
		status = remote_rename(source->remote, path, target, error);
		FAULT("remote.archived");
		if (status == REMOTE_OK)
			return put_back(source, stamp, path, target, error);
		if (status < 0)
			return -1;
		state = look_after(source, stamp, path, target, error);
		if (state < 2)
			return state;
		if (tries == 0 && make_folders(source, folder, error))
			return -1;
	}
	return remote_fail(source->remote, status, "cannot put a file into", folder, error);
}

int remote_source_put_away(struct remote_source *source, const char *path, const struct stamp *stamp, const char *as,
			   const char *folder, const char *suffix, char placed[256], struct error *error)
{
	char shown[NAME_SHOWN];

	for (unsigned n = 1; n <= NUMBERED_MAX; n++) {
		char *target;
		int result;

		name_numbered(placed, as, n, suffix);
		target = mem_printf("%s/%s", folder, placed);
		result = try_name(source, stamp, path, folder, target, error);
		free(target);
		if (result <= 0)
			return result;
	}
	name_show(shown, span_of(as));
	error_set(error, ERROR_RETRY, "file.names", "%s holds more than %d files named like %s; clear it up", folder,
		  NUMBERED_MAX, shown);
	error->scope = SCOPE_ENDPOINT;
	return -1;
}

char *remote_source_folder(const struct remote_source *source, const struct remote_held *held, bool refused)
{
	const struct remote_source_settings *settings = source->settings;
	const char *configured = refused ? settings->rejected : settings->to;
	char day[CLOCK_TEXT], *base, *whole;

	base = configured ? mem_strdup(configured) : remote_source_path(source, refused ? "rejected" : "archive", "");
	if (refused || settings->after != REMOTE_ARCHIVE)
		return base;
	clock_format(held && held->intended_ms ? held->intended_ms : clock_now_ms(), day);
	day[10] = '\0';
	whole = mem_printf("%s/%s", base, day);
	free(base);
	return whole;
}

static const char *suffix_of(enum settlement how)
{
	return how == SETTLE_DUPLICATE ? ".duplicate" : how == SETTLE_DUPLICATE_OF_DEAD ? ".duplicate-of-dead" : "";
}

/* Only the marker that came with the file: one that was put there anew belongs to the next. */
static int remove_marker(struct remote_source *source, const struct remote_held *held, struct error *error)
{
	struct remote_attrs attrs;
	struct stamp now;
	char *path;
	int status;

	if (!held->has_marker)
		return 0;
	path = remote_source_path(source, held->name, source->settings->marker);
	status = remote_lstat(source->remote, path, &attrs, error);
	now = remote_stamp(&attrs);
	if (status == REMOTE_OK && stamp_same(&now, &held->marker))
		status = remote_remove(source->remote, path, error);
	if (status > 0 && status != REMOTE_MISSING)
		remote_fail(source->remote, status, "cannot remove the marker", path, error);
	else if (status > 0)
		status = 0;
	free(path);
	FAULT("remote.unmarked");
	return status ? -1 : 0;
}

static int remove_file(struct remote_source *source, const char *path, struct error *error)
{
	int status = remote_remove(source->remote, path, error);

	if (status && status != REMOTE_MISSING)
		return remote_fail(source->remote, status, "cannot remove", path, error);
	FAULT("remote.removed");
	return 0;
}

/* It is gone: did an earlier try archive it, whose answer was lost? Then it lies under its first name, as it was. */
static bool is_placed(struct remote_source *source, const struct remote_held *held, const char *folder,
		      enum settlement how)
{
	struct remote_attrs attrs;
	char name[256], *path;
	struct stamp now;
	bool placed;

	name_numbered(name, held->name, 1, suffix_of(how));
	path = mem_printf("%s/%s", folder, name);
	placed = remote_lstat(source->remote, path, &attrs, NULL) == REMOTE_OK;
	now = remote_stamp(&attrs);
	free(path);
	return placed && stamp_same(&now, &held->stamp);
}

static int settle_once(struct remote_source *source, struct remote_held *held, enum settlement how, const char *path,
		       struct error *error)
{
	/* What died is kept in sight even where the rest is deleted. */
	bool deletes = source->settings->after == REMOTE_DELETE,
	     refused = how == SETTLE_REFUSED || (how == SETTLE_DUPLICATE_OF_DEAD && deletes);
	bool sidecar = false;
	int state = remote_source_connect(source, error) ? -1 : still_there(source, held, path, &sidecar, error),
	    result = 0;
	char *folder, placed[256];

	deletes = deletes && !refused;
	if (state < 0 || (state == 0 && remote_sidecar_aside(source, held, refused, error)))
		return -1;
	memcpy(placed, held->name, strlen(held->name) + 1);
	folder = deletes ? NULL : remote_source_folder(source, held, refused);
	if (state == 0)
		result = deletes ? remove_file(source, path, error)
				 : remote_source_put_away(source, path, &held->stamp, held->name, folder,
							  suffix_of(how), placed, error);
	if (!result && folder && (state == 0 || is_placed(source, held, folder, how)))
		remote_source_archived(&held->document.archived[0], folder, placed, &held->stamp);
	if (!result && sidecar)
		result = remote_sidecar_follow(source, held, folder, placed, error);
	free(folder);
	return result ? -1 : remove_marker(source, held, error);
}

int remote_source_settle(void *arg, struct document *document, enum settlement how, struct error *error)
{
	struct remote_source *source = arg;
	struct remote_held *held = document->adapter;
	struct error ignored;
	char *path = remote_source_path(source, held->name, "");
	int result;

	error = error ? error : &ignored;
	result = settle_once(source, held, how, path, error);
	if (result && source->remote && remote_is_lost(source->remote)) { /* what was asked last may have happened */
		error_clear(error);
		result = settle_once(source, held, how, path, error);
	}
	free(path);
	if (!result)
		FAULT("remote.settled");
	return result;
}

/* ---- all of a batch at once ------------------------------------------------------------------------------------ */

struct settling {
	struct remote_source *source;
	struct remote_held *held;
	enum settlement how;
	int result;
};

static void settle_one(void *arg)
{
	struct settling *settling = arg;
	struct error ignored;
	char *path = remote_source_path(settling->source, settling->held->name, "");

	settling->result = settle_once(settling->source, settling->held, settling->how, path, &ignored);
	free(path);
	if (!settling->result)
		FAULT("remote.settled");
}

/* What fails among many is done again by itself: it may have happened already, and why it fails is to be told. */
int remote_source_settle_all(void *arg, struct document *const *documents, const enum settlement *how, size_t n,
			     struct error *error)
{
	struct remote_source *source = arg;
	struct settling *all = mem_alloc(n * sizeof *all);
	void **args = mem_alloc(n * sizeof *args);
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		all[i] = (struct settling){source, documents[i]->adapter, how[i], -1};
		args[i] = &all[i];
	}
	if (n > 1 && source->ops->many && !remote_source_connect(source, error))
		source->ops->many(source->remote, settle_one, args, n);
	for (size_t i = 0; i < n && !result; i++)
		if (all[i].result)
			result = remote_source_settle(source, documents[i], how[i], error);
	free(args);
	free(all);
	return result;
}

/* ---- retention ------------------------------------------------------------------------------------------------- */

void remote_source_archived(struct archived *archived, const char *folder, const char *placed,
			    const struct stamp *stamp)
{
	free(archived->path);
	*archived =
		(struct archived){mem_printf("%s/%s", folder, placed), stamp->size, stamp->mtime_ns / 1000000, false};
}

void remote_source_intend(void *arg, const struct document *document, enum settlement how, struct archived into[2])
{
	const struct remote_source *source = arg;
	struct remote_held *held = document->adapter;
	char placed[256], as[PAIR_NAME], *folder;

	if (source->settings->after != REMOTE_ARCHIVE)
		return;
	held->intended_ms = clock_now_ms();
	folder = remote_source_folder(source, held, false);
	name_numbered(placed, held->name, 1, suffix_of(how));
	remote_source_archived(&into[0], folder, placed, &held->stamp);
	if (held->sidecar_kind != PAIR_NONE) {
		pair_placed(as, placed, source->settings->taking.sidecar);
		remote_source_archived(&into[1], folder, as, &held->sidecar);
	}
	free(folder);
}

/* Listings for people leave out the hour once half a year has gone by. */
static bool is_time(const struct remote_source *source, int64_t now_ms, int64_t then_ms)
{
	const int64_t day = 86400000;

	return now_ms == then_ms || (!source->ops->times_have_zone(source->remote) && now_ms % day == 0 &&
				     now_ms / day == then_ms / day);
}

static bool is_that(const struct remote_source *source, const struct archived *archived,
		    const struct remote_attrs *attrs)
{
	struct stamp now = remote_stamp(attrs);

	return (!attrs->has_mode || !(attrs->mode & S_IFMT) || S_ISREG(attrs->mode)) && now.size == archived->size &&
	       is_time(source, now.mtime_ns / 1000000, archived->time_ms);
}

struct finding_it {
	const struct remote_source *source;
	const struct archived *archived;
	const char *name;
	char placed[NAME_MAX + 1];
};

static bool find_it(void *arg, const char *name, const struct remote_attrs *attrs)
{
	struct finding_it *finding = arg;

	if (!finding->placed[0] && strlen(name) <= NAME_MAX && is_that(finding->source, finding->archived, attrs) &&
	    taking_is_numbered(&finding->source->settings->taking, finding->name, name))
		strcpy(finding->placed, name);
	return true;
}

/* Where it lies if something else has its name there: its path, which the caller frees; NULL: nowhere, or *status. */
static char *numbered_path(struct remote_source *source, const struct archived *archived, int *status,
			   struct error *error)
{
	const char *slash = strrchr(archived->path, '/');
	struct finding_it finding = {.source = source, .archived = archived, .name = slash + 1};
	char *folder = mem_printf("%.*s", (int)(slash - archived->path), archived->path), *path = NULL;

	*status = remote_list(source->remote, folder, find_it, &finding, error);
	if (*status == REMOTE_OK && finding.placed[0])
		path = mem_printf("%s/%s", folder, finding.placed);
	free(folder);
	return path;
}

static int remove_it(struct remote_source *source, const char *path, bool *removed, struct error *error)
{
	int status = remote_remove(source->remote, path, error);

	if (status && status != REMOTE_MISSING)
		return remote_fail(source->remote, status, "cannot remove", path, error);
	*removed = true;
	return 0;
}

/* By the archive as it is configured now: what lies elsewhere is no business of ours. Folders of days stay: to remove
 * one that is empty is not among what all servers can. */
int remote_source_expire(void *arg, const struct archived *archived, bool *removed, struct error *error)
{
	struct remote_source *source = arg;
	char *root = source->settings->to ? mem_strdup(source->settings->to)
					  : remote_source_path(source, "archive", "");
	bool ours = source->settings->after == REMOTE_ARCHIVE && taking_archived(root, archived->path);
	struct remote_attrs attrs;
	int status, result;
	char *path;

	*removed = false;
	free(root);
	if (!ours)
		return 0;
	if (remote_source_connect(source, error))
		return -1;
	status = remote_lstat(source->remote, archived->path, &attrs, error);
	if (status && status != REMOTE_MISSING)
		return remote_fail(source->remote, status, "cannot look at", archived->path, error);
	if (status == REMOTE_OK && is_that(source, archived, &attrs))
		return remove_it(source, archived->path, removed, error);
	path = archived->numbered ? numbered_path(source, archived, &status, error) : NULL;
	if (archived->numbered && status && status != REMOTE_MISSING)
		return remote_fail(source->remote, status, "cannot list the folder of", archived->path, error);
	result = path ? remove_it(source, path, removed, error) : 0;
	free(path);
	return result;
}
