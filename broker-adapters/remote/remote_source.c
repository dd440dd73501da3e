/* The source: files that a partner's server keeps for us. As the file source takes them, but a server tells less:
 * a file is known by name, size and time, and its clock is not ours. So a file is taken when size and time were the
 * same in two looks `age` apart (or it has been lying there for long), or when its marker is there; after it was read
 * they are looked at once more.
 *
 * A connection that breaks while a file is read is made anew, and reading goes on where it ended, if the file is still
 * the same: its size, its time, and the last bytes that were read. */
#include "config.h"
#include "broker-adapters/remote/remote_source.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/utf8.h"

#define LISTING_MS 60000 /* an older listing is not handed out any more */
#define IDLE_MS 20000    /* after that a connection may be gone without a word */
#define LONG_MS 900000   /* lying there for so long by its own time: clocks do not differ by more */
#define WAIT_MS 5000     /* an `age` up to this is waited for at once */

/* ---- the connection -------------------------------------------------------------------------------------------- */

char *remote_source_path(const struct remote_source *source, const char *name, const char *suffix)
{
	return mem_printf("%s/%s%s", source->folder, name, suffix);
}

void remote_source_disconnect(struct remote_source *source)
{
	remote_close(source->remote);
	source->remote = NULL;
}

void remote_source_rest(void *arg)
{
	struct remote_source *source = arg;

	if (source->remote &&
	    (!remote_breathes(source->remote) || clock_tick_ms() - source->used_at > REMOTE_HOLD_MS))
		remote_source_disconnect(source);
}

int remote_source_connect(struct remote_source *source, struct error *error)
{
	struct remote_attrs attrs;

	source->used_at = clock_tick_ms();

	if (source->remote && remote_in_many(source->remote))
		return remote_check(source->remote, error);
	if (source->remote && !remote_is_lost(source->remote) &&
	    (remote_idle_ms(source->remote) < IDLE_MS ||
	     remote_lstat(source->remote, source->folder, &attrs, NULL) >= 0))
		return 0;
	remote_source_disconnect(source);
	if (source->down) {
		*error = source->why;
		return -1;
	}
	source->remote = source->ops->open(source->endpoint, error);
	if (source->remote)
		return 0;
	source->down = true;
	source->why = *error;
	return -1;
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

/* A server may say any year: as far as nanoseconds go. */
static int64_t seconds_of(const struct remote_attrs *attrs)
{
	const int64_t most = INT64_MAX / 1000000000 - 1;

	return attrs->mtime > most ? most : attrs->mtime < -most ? -most : attrs->mtime;
}

struct stamp remote_stamp(const struct remote_attrs *attrs)
{
	return (struct stamp){.size = attrs->size, .mtime_ns = seconds_of(attrs) * 1000000000};
}

static struct entry *remember(const char *name, const struct remote_attrs *attrs)
{
	struct stat st = {.st_mode = attrs->has_mode && (attrs->mode & S_IFMT) ? attrs->mode : S_IFREG,
			  .st_size = (off_t)attrs->size,
			  .st_mtim = {.tv_sec = seconds_of(attrs)}};

	return entry_new(name, &st);
}

static bool is_held(const struct remote_source *source, const char *name)
{
	for (const struct remote_held *held = source->held; held; held = held->next)
		if (!strcmp(held->name, name))
			return true;
	return false;
}

static bool is_marker(const struct remote_source *source, const char *name)
{
	const char *marker = source->settings->marker;
	size_t n = strlen(name), m = marker ? strlen(marker) : 0;

	return m && n > m && !strcmp(name + n - m, marker);
}

static bool take_name(void *arg, const char *name, const struct remote_attrs *attrs)
{
	struct remote_source *source = arg;
	const struct remote_source_settings *settings = source->settings;
	char of[PAIR_NAME];

	if (pair_kind(settings->taking.sidecar, name, of) != PAIR_NONE)
		entries_add(&source->sidecars, remember(name, attrs), entry_by_name);
	else if (is_marker(source, name))
		entries_add(&source->markers, remember(name, attrs), entry_by_name);
	else if (name_is_wanted(name, source->pattern, &settings->ignore, settings->marker) && !is_held(source, name) &&
		 !(attrs->has_mode && S_ISDIR(attrs->mode)))
		entries_add(&source->noted, remember(name, attrs),
			    settings->order == REMOTE_BY_TIME ? entry_by_time : entry_by_name);
	return true;
}

static const struct entry *find_marker(const struct remote_source *source, const char *name)
{
	size_t len = strlen(name) + strlen(source->settings->marker) + 1;
	struct entry *like = mem_alloc(sizeof *like + len);
	const struct entry *found;

	snprintf(like->name, len, "%s%s", name, source->settings->marker);
	found = entries_find(&source->markers, like);
	free(like);
	return found;
}

bool remote_source_is_still(const struct remote_source *source, const struct entry *entry)
{
	int64_t age = source->settings->age_ms;

	return age == 0 || clock_tick_ms() - entry->since >= age ||
	       (source->remote && source->ops->times_have_zone(source->remote) &&
		clock_now_ms() - entry->stamp.mtime_ns / 1000000 >= age + LONG_MS);
}

static bool is_ready(struct remote_source *source, const struct entry *entry)
{
	const struct entry *marker;

	if (entry->type != S_IFREG)
		return !entry->reported;
	if (source->settings->taking.sidecar && !remote_sidecar_ready(source, entry))
		return false;
	if (source->settings->marker) {
		marker = find_marker(source, entry->name);
		return marker && marker->stamp.mtime_ns >= entry->stamp.mtime_ns;
	}
	if (remote_source_is_still(source, entry))
		return true;
	source->waiting = true;
	return false;
}

/* From noted, which holds all that were listed, to ready; with what was known of them before. */
static void sort_out(struct remote_source *source, const struct entries *before)
{
	struct entries all = source->noted;

	source->noted = (struct entries){0};
	for (size_t i = 0; i < all.count; i++) {
		struct entry *entry = all.list[i];
		const struct entry *old = entries_find(before, entry);

		if (old && stamp_same(&old->stamp, &entry->stamp)) {
			entry->since = old->since;
			entry->reported = old->reported;
		}
		entries_add(is_ready(source, entry) ? &source->ready : &source->noted, entry,
			    source->settings->order == REMOTE_BY_TIME ? entry_by_time : entry_by_name);
	}
	free(all.list);
}

static int list_folder(struct remote_source *source, struct error *error)
{
	entry_order *order = source->settings->order == REMOTE_BY_TIME ? entry_by_time : entry_by_name;
	struct entries before = source->noted, sidecars = source->sidecars;
	size_t found;
	int status;

	while (source->ready.next < source->ready.count)
		entries_add(&before, source->ready.list[source->ready.next++], entry_by_name);
	entries_free(&source->ready);
	entries_free(&source->markers);
	entries_sort(&before, entry_by_name);
	source->noted = source->sidecars = (struct entries){0};
	source->halves = (struct halves){.count = 0};
	source->waiting = false;
	status = remote_list(source->remote, source->folder, take_name, source, error);
	remote_sidecar_listed(source, &sidecars);
	found = source->noted.count;
	entries_cut(&source->noted, order);
	entries_sort(&source->markers, entry_by_name);
	if (status == REMOTE_OK)
		sort_out(source, &before);
	entries_free(&before);
	entries_sort(&source->ready, order);
	source->listed_at = clock_tick_ms();
	if (status == REMOTE_OK && found == source->ready.count + source->noted.count) {
		remote_sidecar_alone(source);
		if (remote_sidecar_leftovers(source, error))
			return -1;
	}
	return status ? remote_fail(source->remote, status, "cannot list", source->folder, error) : 0;
}

/* ---- handing out ----------------------------------------------------------------------------------------------- */

static struct remote_held *hold(struct remote_source *source, const struct entry *entry)
{
	size_t len = strlen(entry->name) + 1;
	struct remote_held *held = mem_alloc(sizeof *held + len);
	const struct entry *marker = source->settings->marker ? find_marker(source, entry->name) : NULL;
	struct document *document = &held->document;

	memcpy(held->name, entry->name, len);
	name_show(held->shown, span_of(held->name));
	held->stamp = entry->stamp;
	held->has_marker = marker;
	if (marker)
		held->marker = marker->stamp;
	if (source->settings->taking.sidecar) {
		const struct entry *sidecar = remote_sidecar_find(source, entry->name, &held->sidecar_kind);

		held->sidecar = sidecar ? sidecar->stamp : (struct stamp){0};
	}
	document->adapter = held;
	document->name = taking_name(&source->settings->taking, held->name, held->name_text);
	document->identity_text = span_of(held->name);
	document->time_ms = entry->stamp.mtime_ns / 1000000;
	snprintf(held->size_text, sizeof held->size_text, "%" PRIu64, held->stamp.size);
	clock_format(document->time_ms, held->time_text);
	held->attrs[0] = (struct attr){SPAN_LITERAL("filename"), document->name};
	held->attrs[1] = (struct attr){SPAN_LITERAL("size"), span_of(held->size_text)};
	held->attrs[2] = (struct attr){SPAN_LITERAL("modified"), span_of(held->time_text)};
	document->attrs = held->attrs;
	document->attrs_count = 3;
	held->at = source->last;
	*source->last = held;
	source->last = &held->next;
	return held;
}

static void report(struct remote_source *source, struct remote_held *held, const char *code, const char *what)
{
	held->document.failed = true;
	error_set(&held->document.error, ERROR_REJECT, code, "%s/%s %s; it is left alone", source->folder, held->shown,
		  what);
}

static struct document *offer(struct remote_source *source, struct entry *entry)
{
	struct remote_held *held = hold(source, entry);

	if (entry->type == S_IFREG) {
		free(entry);
		return &held->document;
	}
	report(source, held, "file.not-regular",
	       entry->type == S_IFLNK ? "is a symbolic link, only regular files are taken"
				      : "is no regular file, and only those are taken");
	entry->reported = true;
	entries_add(&source->noted, entry, entry_by_name);
	return &held->document;
}

static int look(struct remote_source *source, struct error *error)
{
	bool reused = source->remote;

	if (remote_source_connect(source, error))
		return -1;
	if (!list_folder(source, error))
		return 0;
	if (!reused || !remote_is_lost(source->remote))
		return -1;
	remote_source_disconnect(source); /* it had ended while nothing was asked */
	error_clear(error);
	return remote_source_connect(source, error) || list_folder(source, error) ? -1 : 0;
}

int remote_source_poll(void *arg, struct document **into, size_t max, size_t *found, struct error *error)
{
	struct remote_source *source = arg;

	*found = 0;
	source->down = false;
	if (source->ready.next == source->ready.count || clock_tick_ms() - source->listed_at > LISTING_MS) {
		if (look(source, error))
			return -1;
		if (source->waiting && !source->ready.count && source->settings->age_ms <= WAIT_MS) {
			usleep((useconds_t)source->settings->age_ms * 1000);
			if (look(source, error))
				return -1;
		}
	}
	while (*found < max && source->ready.next < source->ready.count) {
		struct entry *entry = source->ready.list[source->ready.next++];

		if (is_held(source, entry->name)) /* listed twice */
			free(entry);
		else
			into[(*found)++] = offer(source, entry);
	}
	return 0;
}

/* ---- the rest -------------------------------------------------------------------------------------------------- */

void remote_source_forget(void *arg, struct document *document)
{
	struct remote_source *source = arg;
	struct remote_held *held = document->adapter;

	*held->at = held->next;
	if (held->next)
		held->next->at = held->at;
	else
		source->last = held->at;
	free(held->content);
	free(held->document.archived[0].path);
	free(held->document.archived[1].path);
	free(held);
}

void remote_source_close(void *arg)
{
	struct remote_source *source = arg;

	if (!source)
		return;
	while (source->held)
		remote_source_forget(source, &source->held->document);
	entries_free(&source->ready);
	entries_free(&source->noted);
	entries_free(&source->markers);
	entries_free(&source->sidecars);
	remote_source_disconnect(source);
	free(source->folder);
	free(source);
}

static const struct remote_source_settings *settings_of(const struct remote_ops *ops, const struct endpoint *endpoint)
{
	return (const void *)((const char *)endpoint->settings + ops->source_files);
}

int remote_source_check(const struct remote_ops *ops, const struct endpoint *endpoint, struct error *error)
{
	const struct remote_source_settings *settings = settings_of(ops, endpoint);
	const char *slash = strrchr(settings->path, '/'), *pattern = slash ? slash + 1 : settings->path;

	if (!pattern[0])
		return error_set(error, ERROR_FATAL, "file.pattern",
				 "%s: '%s' names a folder; add a pattern, as in '%s*.xml'", ops->name, settings->path,
				 settings->path);
	if (strcspn(settings->path, "*?[") < (size_t)(pattern - settings->path))
		return error_set(error, ERROR_FATAL, "file.pattern",
				 "%s: '%s' has a pattern in a folder's name; only the last part may have one",
				 ops->name, settings->path);
	if (settings->marker && (!settings->marker[0] || strpbrk(settings->marker, "/*?[")))
		return error_set(error, ERROR_FATAL, "file.marker",
				 "marker: '%s' must be the end of a file name, as in '.done'", settings->marker);
	if (settings->after == REMOTE_MOVE && !settings->to)
		return error_set(error, ERROR_FATAL, "file.to", "after: move needs a directory; add `to: DIR`");
	return taking_check(&settings->taking, error);
}

void *remote_source_open(const struct remote_ops *ops, const struct endpoint *endpoint, struct error *error)
{
	struct remote_source *source;
	const char *slash;

	if (remote_source_check(ops, endpoint, error))
		return NULL;
	source = mem_alloc(sizeof *source);
	source->ops = ops;
	source->endpoint = endpoint;
	source->last = &source->held;
	source->settings = settings_of(ops, endpoint);
	slash = strrchr(source->settings->path, '/');
	source->pattern = slash ? slash + 1 : source->settings->path;
	source->folder =
		!slash ? mem_strdup(".")
		: slash == source->settings->path
			? mem_strdup("/")
			: mem_span_dup(span_make(source->settings->path, (size_t)(slash - source->settings->path)));
	return source;
}

bool remote_source_pending(void *arg)
{
	return ((const struct remote_source *)arg)->waiting;
}

size_t remote_source_halves(void *arg, source_half_fn *each, void *each_arg)
{
	const struct remote_source *source = arg;

	halves_tell(&source->halves, source->settings->taking.sidecar_within, each, each_arg);
	return source->halves.count;
}
