/* The SFTP source: files that a partner's server keeps for us. As the file source takes them, but a server tells less:
 * a file is known by name, size and time, and its clock is not ours. So a file is taken when size and time were the
 * same in two looks `age` apart (or it has been lying there for long), or when its marker is there; after it was read
 * they are looked at once more.
 *
 * A connection that breaks while a file is read is made anew, and reading goes on where it ended, if the file is still
 * the same: its size, its time, and the last bytes that were read. */
#include "config.h"
#include "broker-adapters/sftp/sftp_source.h"

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
#define RESUMES 5        /* without a byte in between */
#define TAIL 32768u      /* of what was read before a break is read again */

#define SFTP_OF sftp_source_settings
#define OWN(kind, field) .type = kind, .offset = offsetof(struct sftp_source_settings, field)
static const struct option options[] = {
	{.name = "path",
	 OWN(OPTION_TEXT, path),
	 .help = "Folder and pattern of the files to take, relative to where the account begins",
	 .flags = OPTION_MAIN | OPTION_REQUIRED},
	SFTP_OPTIONS,
	{.name = "after",
	 OWN(OPTION_ENUM, after),
	 .fallback = "archive",
	 .range = "archive|move|delete",
	 .help = "What becomes of a file there once its document is safe"},
	{.name = "to",
	 OWN(OPTION_TEXT, to),
	 .help = "Directory there for archived or moved files, by default archive/ in the folder; archived ones are "
		 "kept "
		 "by day"},
	{.name = "rejected",
	 OWN(OPTION_TEXT, rejected),
	 .help = "Directory there for files that were refused, by default rejected/ in the folder"},
	{.name = "age",
	 OWN(OPTION_DURATION, age_ms),
	 .fallback = "2s",
	 .help = "How long size and time of a file must have stood still before it is taken"},
	{.name = "ignore",
	 OWN(OPTION_TEXTS, ignore),
	 .help = "Patterns of temporary names that are left alone, instead of *.tmp *.part *.partial *.filepart "
		 "*.crdownload .* ~* *~"},
	{.name = "marker",
	 OWN(OPTION_TEXT, marker),
	 .help = "Suffix of a second file, such as .done, without which a file is not taken; it goes with the file"},
	{.name = "order",
	 OWN(OPTION_ENUM, order),
	 .fallback = "time",
	 .range = "time|name",
	 .help = "Which file comes first: the oldest, or the first by name"},
	{.name = "max-size", OWN(OPTION_SIZE, max_size), .fallback = "10GiB", .help = "A larger file is refused"},
	{.name = "interval", OWN(OPTION_DURATION, interval_ms), .fallback = "1m", .help = "Time between two looks"},
	OPTION_END,
};

/* ---- the connection -------------------------------------------------------------------------------------------- */

char *sftp_source_path(const struct sftp_source *source, const char *name, const char *suffix)
{
	return mem_printf("%s/%s%s", source->folder, name, suffix);
}

static void disconnect(struct sftp_source *source)
{
	sftp_close(source->sftp);
	source->sftp = NULL;
}

int sftp_source_connect(struct sftp_source *source, struct error *error)
{
	struct sftp_attrs attrs;

	if (source->sftp && !sftp_is_lost(source->sftp) &&
	    (sftp_idle_ms(source->sftp) < IDLE_MS || sftp_lstat(source->sftp, source->folder, &attrs, NULL) >= 0))
		return 0;
	disconnect(source);
	if (source->down) {
		*error = source->why;
		return -1;
	}
	source->sftp = sftp_open(&source->settings->connection, source->endpoint, error);
	if (source->sftp)
		return 0;
	source->down = true;
	source->why = *error;
	return -1;
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

struct stamp sftp_stamp(const struct sftp_attrs *attrs)
{
	return (struct stamp){.size = attrs->size, .mtime_ns = attrs->mtime * 1000000000};
}

static struct entry *remember(const char *name, const struct sftp_attrs *attrs)
{
	struct stat st = {.st_mode = attrs->has_mode && (attrs->mode & S_IFMT) ? attrs->mode : S_IFREG,
			  .st_size = (off_t)attrs->size,
			  .st_mtim = {.tv_sec = attrs->mtime}};

	return entry_new(name, &st);
}

static bool is_held(const struct sftp_source *source, const char *name)
{
	for (const struct sftp_held *held = source->held; held; held = held->next)
		if (!strcmp(held->name, name))
			return true;
	return false;
}

static bool is_marker(const struct sftp_source *source, const char *name)
{
	const char *marker = source->settings->marker;
	size_t n = strlen(name), m = marker ? strlen(marker) : 0;

	return m && n > m && !strcmp(name + n - m, marker);
}

static bool take_name(void *arg, const char *name, const struct sftp_attrs *attrs)
{
	struct sftp_source *source = arg;
	const struct sftp_source_settings *settings = source->settings;

	if (is_marker(source, name))
		entries_add(&source->markers, remember(name, attrs), entry_by_name);
	else if (name_is_wanted(name, source->pattern, &settings->ignore, settings->marker) && !is_held(source, name) &&
		 !(attrs->has_mode && S_ISDIR(attrs->mode)))
		entries_add(&source->noted, remember(name, attrs),
			    settings->order == SFTP_BY_TIME ? entry_by_time : entry_by_name);
	return true;
}

static const struct entry *find_marker(const struct sftp_source *source, const char *name)
{
	size_t len = strlen(name) + strlen(source->settings->marker) + 1;
	struct entry *like = mem_alloc(sizeof *like + len);
	const struct entry *found;

	snprintf(like->name, len, "%s%s", name, source->settings->marker);
	found = entries_find(&source->markers, like);
	free(like);
	return found;
}

static bool is_still(const struct sftp_source *source, const struct entry *entry)
{
	int64_t age = source->settings->age_ms;

	return age == 0 || clock_tick_ms() - entry->since >= age ||
	       clock_now_ms() - entry->stamp.mtime_ns / 1000000 >= age + LONG_MS;
}

static bool is_ready(struct sftp_source *source, const struct entry *entry)
{
	const struct entry *marker;

	if (entry->type != S_IFREG)
		return !entry->reported;
	if (source->settings->marker) {
		marker = find_marker(source, entry->name);
		return marker && marker->stamp.mtime_ns >= entry->stamp.mtime_ns;
	}
	if (is_still(source, entry))
		return true;
	source->waiting = true;
	return false;
}

/* From noted, which holds all that were listed, to ready; with what was known of them before. */
static void sort_out(struct sftp_source *source, const struct entries *before)
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
			    source->settings->order == SFTP_BY_TIME ? entry_by_time : entry_by_name);
	}
	free(all.list);
}

static int list_folder(struct sftp_source *source, struct error *error)
{
	entry_order *order = source->settings->order == SFTP_BY_TIME ? entry_by_time : entry_by_name;
	struct entries before = source->noted;
	int status;

	while (source->ready.next < source->ready.count)
		entries_add(&before, source->ready.list[source->ready.next++], entry_by_name);
	entries_free(&source->ready);
	entries_free(&source->markers);
	entries_sort(&before, entry_by_name);
	source->noted = (struct entries){0};
	source->waiting = false;
	status = sftp_list(source->sftp, source->folder, take_name, source, error);
	entries_cut(&source->noted, order);
	entries_sort(&source->markers, entry_by_name);
	if (status == SFTP_OK)
		sort_out(source, &before);
	entries_free(&before);
	entries_sort(&source->ready, order);
	source->listed_at = clock_tick_ms();
	return status ? sftp_fail(source->sftp, status, "cannot list", source->folder, error) : 0;
}

/* ---- handing out ----------------------------------------------------------------------------------------------- */

static struct sftp_held *hold(struct sftp_source *source, const struct entry *entry)
{
	size_t len = strlen(entry->name) + 1;
	struct sftp_held *held = mem_alloc(sizeof *held + len);
	const struct entry *marker = source->settings->marker ? find_marker(source, entry->name) : NULL;
	struct document *document = &held->document;

	memcpy(held->name, entry->name, len);
	name_show(held->shown, span_of(held->name));
	held->stamp = entry->stamp;
	held->has_marker = marker;
	if (marker)
		held->marker = marker->stamp;
	document->adapter = held;
	document->name = utf8_is_clean(span_of(held->name)) ? span_of(held->name) : span_of(held->shown);
	document->identity_text = span_of(held->name);
	document->time_ms = entry->stamp.mtime_ns / 1000000;
	snprintf(held->size_text, sizeof held->size_text, "%" PRIu64, held->stamp.size);
	clock_format(document->time_ms, held->time_text);
	held->attrs[0] = (struct attr){SPAN_LITERAL("filename"), document->name};
	held->attrs[1] = (struct attr){SPAN_LITERAL("size"), span_of(held->size_text)};
	held->attrs[2] = (struct attr){SPAN_LITERAL("modified"), span_of(held->time_text)};
	document->attrs = held->attrs;
	document->attrs_count = 3;
	held->next = source->held;
	held->at = &source->held;
	if (held->next)
		held->next->at = &held->next;
	source->held = held;
	return held;
}

static void report(struct sftp_source *source, struct sftp_held *held, const char *code, const char *what)
{
	held->document.failed = true;
	error_set(&held->document.error, ERROR_REJECT, code, "%s/%s %s; it is left alone", source->folder, held->shown,
		  what);
}

static struct document *offer(struct sftp_source *source, struct entry *entry)
{
	struct sftp_held *held = hold(source, entry);

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

static int look(struct sftp_source *source, struct error *error)
{
	bool reused = source->sftp;

	if (sftp_source_connect(source, error))
		return -1;
	if (!list_folder(source, error))
		return 0;
	if (!reused || !sftp_is_lost(source->sftp))
		return -1;
	disconnect(source); /* it had ended while nothing was asked */
	error_clear(error);
	return sftp_source_connect(source, error) || list_folder(source, error) ? -1 : 0;
}

static int sftp_source_poll(void *arg, struct document **into, size_t max, size_t *found, struct error *error)
{
	struct sftp_source *source = arg;

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
	while (*found < max && source->ready.next < source->ready.count)
		into[(*found)++] = offer(source, source->ready.list[source->ready.next++]);
	return 0;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

struct fetching {
	struct sftp_source *source;
	struct sftp_held *held;
	char *path;
	struct sftp_download *download;
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
	if (status == SFTP_NO_SUCH_FILE)
		return error_set(error, ERROR_RETRY, "file.vanished", "%s was taken away before it was read",
				 fetching->path);
	sftp_fail(fetching->source->sftp, status, "cannot read", fetching->path, error);
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
	struct sftp_attrs attrs;
	struct stamp now;
	int status = sftp_lstat(fetching->source->sftp, fetching->path, &attrs, error);

	if (status)
		return open_failed(fetching, status, error);
	now = sftp_stamp(&attrs);
	return stamp_same(&now, &fetching->held->stamp) ? 0 : changed(fetching, when, error);
}

/* The part that was read before the break must be what lies there now. */
static int verify_tail(struct fetching *fetching, struct error *error)
{
	char bytes[4096];

	for (size_t at = 0; at < fetching->tail_len;) {
		size_t want = fetching->tail_len - at < sizeof bytes ? fetching->tail_len - at : sizeof bytes;
		ssize_t n = sftp_download_read(fetching->download, bytes, want, error);

		if (n < 0)
			return -1;
		if (n == 0 || memcmp(bytes, fetching->tail + at, (size_t)n))
			return changed(fetching, "while it was read", error);
		at += (size_t)n;
	}
	return 0;
}

static int begin(struct fetching *fetching, struct error *error)
{
	struct sftp_source *source = fetching->source;
	bool again = fetching->offset > 0;
	int status;

	if (sftp_source_connect(source, error))
		return -1;
	if (again && is_unchanged(fetching, "while it was read", error))
		return -1;
	fetching->download = sftp_download_new(source->sftp, fetching->path, fetching->offset - fetching->tail_len,
					       fetching->held->stamp.size + 1, &status, error);
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
	struct sftp_source *source = fetching->source;

	for (;;) {
		ssize_t n = fetching->download || !begin(fetching, error)
				    ? sftp_download_read(fetching->download, into, len, error)
				    : -1;

		if (n >= 0) {
			fetching->offset += (uint64_t)n;
			fetching->breaks = n ? 0 : fetching->breaks;
			keep_tail(fetching, into, (size_t)n);
			return n;
		}
		if (!source->sftp || !sftp_is_lost(source->sftp) || ++fetching->breaks > RESUMES)
			return -1;
		log_info("sftp", SPAN_NONE, "reading goes on after a break file=\"%s/%s\" at=%" PRIu64, source->folder,
			 fetching->held->shown, fetching->offset);
		sftp_download_free(fetching->download);
		fetching->download = NULL;
		disconnect(source);
		error_clear(error);
		FAULT("sftp.broken");
	}
}

static int sftp_source_fetch(void *arg, struct document *document, struct vault *vault, struct error *error)
{
	struct sftp_source *source = arg;
	struct sftp_held *held = document->adapter;
	struct fetching *fetching;
	int result = -1;

	if (held->stamp.size > source->settings->max_size)
		return error_set(error, ERROR_REJECT, "document.too-large",
				 "%s/%s has %" PRIu64 " bytes, more than max-size: %" PRIu64, source->folder,
				 held->shown, held->stamp.size, source->settings->max_size);
	fetching = mem_alloc(sizeof *fetching);
	fetching->source = source;
	fetching->held = held;
	fetching->path = sftp_source_path(source, held->name, "");
	if (vault_put_stream(vault, next_bytes, fetching, held->stamp.size + 1, &document->stored, error)) {
		if (error->class == ERROR_REJECT)
			changed(fetching, "while it was read", error);
		goto done;
	}
	FAULT("sftp.fetched");
	sftp_download_free(fetching->download);
	fetching->download = NULL;
	if (sftp_source_connect(source, error) || is_unchanged(fetching, "while it was read", error))
		goto done;
	result = document->stored.size == held->stamp.size ? 0 : changed(fetching, "while it was read", error);
done:
	sftp_download_free(fetching->download);
	free(fetching->path);
	free(fetching);
	return result;
}

/* ---- the rest -------------------------------------------------------------------------------------------------- */

static void sftp_source_forget(void *arg, struct document *document)
{
	struct sftp_held *held = document->adapter;

	*held->at = held->next;
	if (held->next)
		held->next->at = held->at;
	free(held);
}

static void sftp_source_close(void *arg)
{
	struct sftp_source *source = arg;

	if (!source)
		return;
	while (source->held)
		sftp_source_forget(source, &source->held->document);
	entries_free(&source->ready);
	entries_free(&source->noted);
	entries_free(&source->markers);
	disconnect(source);
	free(source->folder);
	free(source);
}

static int sftp_source_check(const struct endpoint *endpoint, struct error *error)
{
	const struct sftp_source_settings *settings = endpoint->settings;
	const char *slash = strrchr(settings->path, '/'), *pattern = slash ? slash + 1 : settings->path;

	if (!pattern[0])
		return error_set(error, ERROR_FATAL, "file.pattern",
				 "sftp: '%s' names a folder; add a pattern, as in '%s*.xml'", settings->path,
				 settings->path);
	if (strcspn(settings->path, "*?[") < (size_t)(pattern - settings->path))
		return error_set(error, ERROR_FATAL, "file.pattern",
				 "sftp: '%s' has a pattern in a folder's name; only the last part may have one",
				 settings->path);
	if (settings->marker && (!settings->marker[0] || strpbrk(settings->marker, "/*?[")))
		return error_set(error, ERROR_FATAL, "file.marker",
				 "marker: '%s' must be the end of a file name, as in '.done'", settings->marker);
	if (settings->after == SFTP_MOVE && !settings->to)
		return error_set(error, ERROR_FATAL, "file.to", "after: move needs a directory; add `to: DIR`");
	return sftp_check_settings(&settings->connection, endpoint, error);
}

static void *sftp_source_open(const struct endpoint *endpoint, struct error *error)
{
	struct sftp_source *source;
	const char *slash;

	if (sftp_source_check(endpoint, error))
		return NULL;
	source = mem_alloc(sizeof *source);
	source->endpoint = endpoint;
	source->settings = endpoint->settings;
	slash = strrchr(source->settings->path, '/');
	source->pattern = slash ? slash + 1 : source->settings->path;
	source->folder =
		!slash ? mem_strdup(".")
		: slash == source->settings->path
			? mem_strdup("/")
			: mem_span_dup(span_make(source->settings->path, (size_t)(slash - source->settings->path)));
	return source;
}

static int64_t sftp_source_interval_ms(const void *settings)
{
	return ((const struct sftp_source_settings *)settings)->interval_ms;
}

static bool sftp_source_pending(void *arg)
{
	return ((const struct sftp_source *)arg)->waiting;
}

static int sftp_source_look(const struct endpoint *endpoint, struct peer_key *key, struct error *error)
{
	const struct sftp_source_settings *settings = endpoint->settings;

	return sftp_source_check(endpoint, error) ? -1 : sftp_look(&settings->connection, endpoint, key, error);
}

const struct source_ops sftp_source_ops = {
	.name = "sftp",
	.help = "Takes files that lie on an SFTP server",
	.options = options,
	.settings_size = sizeof(struct sftp_source_settings),
	.open = sftp_source_open,
	.close = sftp_source_close,
	.poll = sftp_source_poll,
	.fetch = sftp_source_fetch,
	.settle = sftp_source_settle,
	.forget = sftp_source_forget,
	.interval_ms = sftp_source_interval_ms,
	.pending = sftp_source_pending,
	.check = sftp_source_check,
	.look = sftp_source_look,
};
