/* The source's sidecars on a server: a document is taken when its sidecar is there, is what that says, and is followed
 * by it to wherever it goes. pairs.h tells how a crash between the two is mended. */
#include "config.h"
#include "broker-adapters/remote/remote_source.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/sidecar.h"

/* ---- finding --------------------------------------------------------------------------------------------------- */

static struct entry *find_as(const struct remote_source *source, enum pair_kind kind, const char *name)
{
	struct entry *like, *found;
	char path[PAIR_NAME];

	if (!pair_name(path, kind, name, source->settings->taking.sidecar))
		return NULL;
	like = mem_alloc(sizeof *like + PAIR_NAME);
	memcpy(like->name, path, sizeof path);
	found = entries_find(&source->sidecars, like);
	free(like);
	return found && found->type == S_IFREG ? found : NULL;
}

struct entry *remote_sidecar_find(const struct remote_source *source, const char *name, enum pair_kind *kind)
{
	struct entry *found = NULL;

	for (enum pair_kind each = PAIR_SIDECAR; !found && each <= PAIR_REFUSED; each++) {
		found = find_as(source, each, name);
		*kind = found ? each : PAIR_NONE;
	}
	return found;
}

/* By the time here: the server's clock is not ours. */
static int64_t since_of(const struct entry *entry)
{
	return clock_now_ms() - (clock_tick_ms() - entry->since);
}

bool remote_sidecar_ready(struct remote_source *source, const struct entry *document)
{
	enum pair_kind kind;
	struct entry *sidecar = remote_sidecar_find(source, document->name, &kind);

	if (sidecar)
		sidecar->reported = true;
	if (!sidecar || sidecar->stamp.size == 0) {
		halves_add(&source->halves, document->name, source->settings->taking.sidecar, false,
			   since_of(document));
		return false;
	}
	if (remote_source_is_still(source, sidecar))
		return true;
	source->waiting = true;
	return false;
}

void remote_sidecar_listed(struct remote_source *source, struct entries *before)
{
	entries_sort(&source->sidecars, entry_by_name);
	for (size_t i = 0; i < source->sidecars.count; i++) {
		struct entry *entry = source->sidecars.list[i];
		const struct entry *old = entries_find(before, entry);

		if (old && stamp_same(&old->stamp, &entry->stamp))
			entry->since = old->since;
	}
	entries_free(before);
}

/* Of one that this source takes: others may look into the same folder. */
static bool is_ours(const struct remote_source *source, const char *of)
{
	const struct remote_source_settings *settings = source->settings;

	return name_is_wanted(of, source->pattern, &settings->ignore, settings->marker);
}

/* Those that no document of this listing has asked for. */
void remote_sidecar_alone(struct remote_source *source)
{
	const struct remote_source_settings *settings = source->settings;
	char of[PAIR_NAME];

	for (size_t i = 0; i < source->sidecars.count; i++) {
		const struct entry *entry = source->sidecars.list[i];

		if (!entry->reported && pair_kind(settings->taking.sidecar, entry->name, of) == PAIR_SIDECAR &&
		    is_ours(source, of))
			halves_add(&source->halves, of, settings->taking.sidecar, true, since_of(entry));
	}
}

/* ---- checking -------------------------------------------------------------------------------------------------- */

static char *path_of(const struct remote_source *source, enum pair_kind kind, const char *name)
{
	char path[PAIR_NAME];

	return pair_name(path, kind, name, source->settings->taking.sidecar) ? remote_source_path(source, path, "")
									     : NULL;
}

/* 0 the one that was listed, 1 it is not (any more), -1. */
static int is_there(struct remote_source *source, const char *path, const struct stamp *stamp, struct error *error)
{
	struct remote_attrs attrs;
	struct stamp now;
	int status = remote_lstat(source->remote, path, &attrs, error);

	if (status == REMOTE_MISSING)
		return 1;
	if (status)
		return remote_fail(source->remote, status, "cannot look at", path, error);
	now = remote_stamp(&attrs);
	return !stamp_same(&now, stamp);
}

static int read_text(struct remote_source *source, const char *path, const struct stamp *stamp, struct buf *text,
		     struct error *error)
{
	int status = -1, state;
	struct remote_download *download =
		source->ops->download_new(source->remote, path, 0, SIDECAR_MAX + 1, &status, error);
	ssize_t n = 0;

	if (!download && status != REMOTE_MISSING)
		return remote_fail(source->remote, status, "cannot read", path, error);
	while (download && text->len <= SIDECAR_MAX) {
		n = source->ops->download_read(download, buf_room(text, 4096), 4096, error);
		if (n <= 0)
			break;
		buf_added(text, (size_t)n);
	}
	source->ops->download_free(download);
	if (n < 0)
		return -1;
	state = download ? is_there(source, path, stamp, error) : 1;
	if (state == 0 && text->len <= SIDECAR_MAX && text->len != stamp->size)
		state = 1; /* it ended early: a digest that was cut off would refuse a good file */
	if (state > 0)
		error_set(error, ERROR_RETRY, "file.changed",
			  "the sidecar %s changed while it was read; it is left with its file for the next look", path);
	return state ? -1 : 0;
}

int remote_sidecar_check(struct remote_source *source, const struct remote_held *held, struct vault *vault,
			 struct error *error)
{
	struct buf text;
	char *path;
	int result;

	if (held->sidecar_kind == PAIR_NONE)
		return 0;
	path = path_of(source, held->sidecar_kind, held->name);
	buf_init(&text, SIDECAR_MAX + 8192);
	result = read_text(source, path, &held->sidecar, &text, error);
	if (!result) {
		result = pair_check(source->settings->taking.sidecar, buf_view(&text), span_of(held->name), vault,
				    &held->document.stored, error);
		if (result)
			error_wrap(error, "%s/%s", source->folder, held->shown);
	}
	buf_free(&text);
	free(path);
	return result;
}

/* ---- putting away ---------------------------------------------------------------------------------------------- */

int remote_sidecar_aside(struct remote_source *source, struct remote_held *held, bool refused, struct error *error)
{
	enum pair_kind kind = refused ? PAIR_REFUSED : PAIR_TAKEN;
	char *from, *to;
	int state, hidden, status;

	if (held->sidecar_kind != PAIR_SIDECAR)
		return 0;
	from = path_of(source, PAIR_SIDECAR, held->name);
	to = path_of(source, kind, held->name);
	state = to ? is_there(source, from, &held->sidecar, error) : 1;
	hidden = to && state >= 0 ? is_there(source, to, &held->sidecar, error) : 1;
	if (hidden == 0 && state == 1) { /* an earlier try, whose answer was lost */
		held->sidecar_kind = kind;
	} else if (state == 0 && hidden == 1) {
		status = remote_rename(source->remote, from, to, error);
		if (status < 0)
			state = -1;
		else if (!status)
			held->sidecar_kind = kind; /* else it goes as it is */
		FAULT("remote.sidecar-aside");
	}
	free(from);
	free(to);
	return state < 0 || hidden < 0 ? -1 : 0;
}

static int put_away(struct remote_source *source, const char *path, const struct stamp *stamp, const char *as,
		    const char *folder, char placed[256], struct error *error)
{
	int status;

	if (folder) {
		status = remote_source_put_away(source, path, stamp, as, folder, "", placed, error);
	} else {
		status = remote_remove(source->remote, path, error);
		if (status == REMOTE_MISSING)
			status = 0;
		else if (status > 0)
			status = remote_fail(source->remote, status, "cannot remove", path, error);
	}
	FAULT("remote.sidecar-gone");
	return status;
}

int remote_sidecar_follow(struct remote_source *source, struct remote_held *held, const char *folder,
			  const char *placed, struct error *error)
{
	char as[PAIR_NAME], into[256], *path;
	int state;

	if (held->sidecar_kind == PAIR_NONE)
		return 0;
	path = path_of(source, held->sidecar_kind, held->name);
	state = is_there(source, path, &held->sidecar, error);
	if (state == 0) {
		pair_placed(as, placed, source->settings->taking.sidecar);
		state = put_away(source, path, &held->sidecar, as, folder, into, error);
		if (!state && folder)
			remote_source_archived(&held->document.archived[1], folder, into, &held->sidecar);
	}
	free(path);
	return state < 0 ? -1 : 0;
}

static int follow_later(struct remote_source *source, const struct entry *entry, const char *of, bool refused,
			struct error *error)
{
	char *document = remote_source_path(source, of, ""), *path = remote_source_path(source, entry->name, ""),
	     *folder = NULL;
	bool deletes = source->settings->after == REMOTE_DELETE && !refused;
	char as[PAIR_NAME], into[256];
	struct remote_attrs attrs;
	int status = remote_lstat(source->remote, document, &attrs, error);

	if (status == REMOTE_MISSING) {
		folder = deletes ? NULL : remote_source_folder(source, NULL, refused);
		pair_placed(as, of, source->settings->taking.sidecar);
		status = put_away(source, path, &entry->stamp, as, folder, into, error);
	}
	free(document);
	free(path);
	free(folder);
	return status < 0 ? -1 : 0;
}

/* Hidden ones whose document is put away. */
int remote_sidecar_leftovers(struct remote_source *source, struct error *error)
{
	char of[PAIR_NAME];

	for (size_t i = 0; i < source->sidecars.count; i++) {
		const struct entry *entry = source->sidecars.list[i];
		enum pair_kind kind = pair_kind(source->settings->taking.sidecar, entry->name, of);

		if (!entry->reported && (kind == PAIR_TAKEN || kind == PAIR_REFUSED) &&
		    is_ours(source, of) && follow_later(source, entry, of, kind == PAIR_REFUSED, error))
			return -1;
	}
	return 0;
}
