/* The file source: files that others drop into a folder. One listing is handed out in batches; a file is taken when it
 * has stood still for `age`, or when its marker is there, and only if it is a regular file. What it looked like when it
 * was read is kept, so that a file which changes meanwhile is left alone and read again later.
 *
 * Names and kinds of files are a stranger's input: nothing is followed, and nothing that could block is opened for
 * long. */
#include "config.h"
#include "broker-adapters/file/file_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/utf8.h"

#define LISTING_MS 60000    /* an older listing is not handed out any more */

static const struct option options[] = {
	{.name = "file",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct file_source_settings, file),
	 .help = "Folder and pattern of the files to take, relative to the site",
	 .flags = OPTION_MAIN | OPTION_REQUIRED},
	{.name = "after",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct file_source_settings, after),
	 .fallback = "archive",
	 .range = "archive|move|delete",
	 .help = "What becomes of a file once its document is safe"},
	{.name = "to",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct file_source_settings, to),
	 .help = "Directory for archived or moved files, by default archive/ in the folder; archived ones are kept by "
		 "day"},
	{.name = "rejected",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct file_source_settings, rejected),
	 .help = "Directory for files that were refused, by default rejected/ in the folder"},
	{.name = "age",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct file_source_settings, age_ms),
	 .fallback = "2s",
	 .help = "How long size and time of a file must have stood still before it is taken"},
	{.name = "ignore",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct file_source_settings, ignore),
	 .help = "Patterns of temporary names that are left alone, instead of *.tmp *.part *.partial *.filepart "
		 "*.crdownload "
		 ".* ~* *~"},
	{.name = "marker",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct file_source_settings, marker),
	 .help = "Suffix of a second file, such as .done, without which a file is not taken; it goes with the file"},
	{.name = "order",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct file_source_settings, order),
	 .fallback = "time",
	 .range = "time|name",
	 .help = "Which file comes first: the oldest, or the first by name"},
	TAKING_OPTIONS(file_source_settings, taking),
	{.name = "interval",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct file_source_settings, interval_ms),
	 .fallback = "1s",
	 .help = "Time between two looks into the folder"},
	OPTION_END,
};

/* ---- listing the folder --------------------------------------------------------------------------------------- */

static bool is_held(const struct file_source *source, const char *name)
{
	for (const struct held *held = source->held; held; held = held->next)
		if (!strcmp(held->name, name))
			return true;
	return false;
}

/* A marker older than its file is one that was left over, or the file is being written anew. */
static bool find_marker(const struct file_source *source, const char *name, const struct stamp *file,
			struct stamp *marker)
{
	char path[NAME_MAX + 1];
	struct stat st;

	if ((size_t)snprintf(path, sizeof path, "%s%s", name, source->settings->marker) >= sizeof path)
		return false;
	if (fstatat(source->directory, path, &st, AT_SYMLINK_NOFOLLOW))
		return false;
	*marker = stamp_of(&st);
	return marker->mtime_ns >= file->mtime_ns || marker->ctime_ns >= file->mtime_ns;
}

/* Stood still for long enough: by the file's own times, or, where its clock runs ahead of ours, by what we saw. */
static bool is_still(const struct file_source *source, const struct entry *entry)
{
	int64_t last = entry->stamp.mtime_ns > entry->stamp.ctime_ns ? entry->stamp.mtime_ns : entry->stamp.ctime_ns;

	return clock_now_ms() - last / 1000000 >= source->settings->age_ms ||
	       clock_tick_ms() - entry->since >= source->settings->age_ms;
}

static bool is_ready(struct file_source *source, const struct entry *entry)
{
	struct stamp marker;

	if (source->settings->taking.sidecar && !file_sidecar_ready(source, entry))
		return false;
	if (source->settings->marker)
		return find_marker(source, entry->name, &entry->stamp, &marker);
	if (is_still(source, entry))
		return true;
	source->waiting = true;
	return false;
}

static void sort_in(struct file_source *source, struct entry *entry, const struct entries *before)
{
	entry_order *order = source->settings->order == ORDER_TIME ? entry_by_time : entry_by_name;
	const struct entry *old = entries_find(before, entry);

	if (old && old->stamp.inode == entry->stamp.inode && old->type == entry->type)
		entry->reported = old->reported;
	if (old && stamp_same(&old->stamp, &entry->stamp))
		entry->since = old->since;
	if (entry->type == S_IFREG ? is_ready(source, entry) : !entry->reported)
		entries_add(&source->ready, entry, order);
	else
		entries_add(&source->noted, entry, entry_by_name);
}

static int read_folder(struct file_source *source, DIR *folder, const struct entries *before, struct error *error)
{
	struct dirent *found;
	struct stat st;

	while (errno = 0, (found = readdir(folder))) {
		if (file_sidecar_listed(source, found->d_name) ||
		    !name_is_wanted(found->d_name, source->pattern, &source->settings->ignore,
				    source->settings->marker) ||
		    is_held(source, found->d_name))
			continue;
		if (fstatat(source->directory, found->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue; /* gone again */
		if (S_ISDIR(st.st_mode) && file_source_own_directory(source, found->d_name))
			continue;
		sort_in(source, entry_new(found->d_name, &st), before);
	}
	return errno ? file_fail(error, "cannot list", source->folder) : 0;
}

static DIR *open_folder(struct file_source *source, struct error *error)
{
	int fd = open(source->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), copy;
	DIR *folder = NULL;

	if (fd >= 0) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		folder = copy < 0 ? NULL : fdopendir(copy);
		if (!folder && copy >= 0)
			close(copy);
	}
	if (!folder) {
		file_fail(error, "cannot look into", source->folder);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (source->directory >= 0)
		close(source->directory);
	source->directory = fd;
	return folder;
}

/* What is left of the last listing may carry that it was reported. */
static struct entries take_noted(struct file_source *source)
{
	struct entries before = source->noted;

	while (source->ready.next < source->ready.count)
		entries_add(&before, source->ready.list[source->ready.next++], entry_by_name);
	entries_free(&source->ready);
	entries_sort(&before, entry_by_name);
	source->noted = (struct entries){0};
	return before;
}

static int list_folder(struct file_source *source, struct error *error)
{
	entry_order *order = source->settings->order == ORDER_TIME ? entry_by_time : entry_by_name;
	DIR *folder = open_folder(source, error);
	struct entries before;
	int result;

	if (!folder)
		return -1;
	before = take_noted(source);
	source->waiting = false;
	source->halves = (struct halves){.count = 0};
	result = read_folder(source, folder, &before, error);
	closedir(folder);
	if (!result)
		result = file_sidecar_leftovers(source, error);
	entries_free(&before);
	entries_cut(&source->ready, order);
	entries_cut(&source->noted, entry_by_name);
	source->listed_at = clock_tick_ms();
	return result;
}

/* ---- handing out ---------------------------------------------------------------------------------------------- */

static void fill_attrs(struct held *held)
{
	snprintf(held->size_text, sizeof held->size_text, "%" PRIu64, held->stamp.size);
	clock_format(held->document.time_ms, held->time_text);
	held->attrs[0] = (struct attr){SPAN_LITERAL("filename"), held->document.name};
	held->attrs[1] = (struct attr){SPAN_LITERAL("size"), span_of(held->size_text)};
	held->attrs[2] = (struct attr){SPAN_LITERAL("modified"), span_of(held->time_text)};
	held->document.attrs = held->attrs;
	held->document.attrs_count = 3;
}

struct held *held_new(const char *name)
{
	size_t len = strlen(name) + 1;
	struct held *held = mem_alloc(sizeof *held + len);

	memcpy(held->name, name, len);
	name_show(held->shown, span_of(held->name));
	return held;
}

static struct document *hold(struct file_source *source, const struct entry *entry)
{
	struct held *held = held_new(entry->name);

	held->stamp = entry->stamp;
	held->document.adapter = held;
	/* The envelope is JSON, the identity keeps the bytes. */
	held->document.name = taking_name(&source->settings->taking, held->name, held->name_text);
	held->document.identity_text = span_of(held->name);
	held->document.time_ms = entry->stamp.mtime_ns / 1000000;
	fill_attrs(held);
	if (source->settings->marker)
		held->has_marker = find_marker(source, held->name, &held->stamp, &held->marker);
	if (source->settings->taking.sidecar)
		file_sidecar_find(source, held);
	held->next = source->held;
	held->at = &source->held;
	if (held->next)
		held->next->at = &held->next;
	source->held = held;
	return &held->document;
}

static const char *kind_of(mode_t type)
{
	switch (type) {
	case S_IFLNK: return "a symbolic link";
	case S_IFDIR: return "a directory";
	case S_IFIFO: return "a FIFO";
	case S_IFSOCK: return "a socket";
	default: return "a device";
	}
}

static struct document *report(struct file_source *source, struct entry *entry, const char *code, const char *what)
{
	struct document *document = hold(source, entry);
	struct held *held = document->adapter;

	document->failed = true;
	error_set(&document->error, ERROR_REJECT, code, "%s/%s %s; it is left alone", source->folder, held->shown,
		  what);
	entry->reported = true;
	return document;
}

/* Opening says whether it can be read, and fstat that it is still what was listed. */
static int look_at(struct file_source *source, const struct entry *entry)
{
	int fd = openat(source->directory, entry->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	struct stamp stamp;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st)) {
		close(fd);
		return ENOENT;
	}
	close(fd);
	stamp = stamp_of(&st);
	return S_ISREG(st.st_mode) && stamp_same(&stamp, &entry->stamp) ? 0 : ENOENT;
}

static struct document *offer(struct file_source *source, struct entry *entry)
{
	struct document *document = NULL;
	char text[160];
	int why;

	if (entry->type != S_IFREG) {
		snprintf(text, sizeof text, "is %s, only regular files are taken", kind_of(entry->type));
		document = report(source, entry, "file.not-regular", text);
		entries_add(&source->noted, entry, entry_by_name);
		return document;
	}
	why = look_at(source, entry);
	if (why == 0) {
		document = hold(source, entry);
	} else if (why != ENOENT && why != ELOOP && why != ENXIO) {
		if (!entry->reported) {
			snprintf(text, sizeof text, "cannot be read (%s)", strerror(why));
			document = report(source, entry, "file.unreadable", text);
		}
		entries_add(&source->noted, entry, entry_by_name);
		return document;
	}
	free(entry);
	return document;
}

static int file_source_poll(void *arg, struct document **into, size_t max, size_t *found, struct error *error)
{
	struct file_source *source = arg;
	bool listed = false;

	*found = 0;
	for (;;) {
		if (source->ready.next == source->ready.count || clock_tick_ms() - source->listed_at > LISTING_MS) {
			if (listed || *found)
				return 0;
			if (list_folder(source, error))
				return -1;
			listed = true;
		}
		while (*found < max && source->ready.next < source->ready.count) {
			struct document *document = offer(source, source->ready.list[source->ready.next++]);

			if (document)
				into[(*found)++] = document;
		}
		if (*found == max)
			return 0;
	}
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

static int changed(struct file_source *source, const struct held *held, const char *when, struct error *error)
{
	return error_set(error, ERROR_RETRY, "file.changed", "%s/%s changed %s; it is left for the next look",
			 source->folder, held->shown, when);
}

static int open_held(struct file_source *source, const struct held *held, struct error *error)
{
	int fd = openat(source->directory, held->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		error_set(error, ERROR_RETRY, "file.vanished", "%s/%s was taken away before it was read",
			  source->folder, held->shown);
	else if (fd < 0)
		error_errno(error, ERROR_RETRY, "file.unreadable", "cannot open %s/%s", source->folder, held->shown);
	return fd;
}

static int is_unchanged(struct file_source *source, const struct held *held, int fd, const char *when,
			struct error *error)
{
	struct stat st;
	struct stamp stamp;

	if (fstat(fd, &st))
		return error_errno(error, ERROR_RETRY, "file.unreadable", "cannot look at %s/%s", source->folder,
				   held->shown);
	stamp = stamp_of(&st);
	return S_ISREG(st.st_mode) && stamp_same(&stamp, &held->stamp) ? 0 : changed(source, held, when, error);
}

static int file_source_fetch(void *arg, struct document *document, struct vault *vault, struct error *error)
{
	struct file_source *source = arg;
	struct held *held = document->adapter;
	int fd, result = -1;

	fd = open_held(source, held, error);
	if (fd < 0)
		return -1;
	if (is_unchanged(source, held, fd, "before it was read", error))
		goto done;
	if (taking_size(&source->settings->taking, source->folder, held->shown, held->stamp.size, error))
		goto done;
	/* One byte more than it has, so that growth is seen as change and not taken for its end. */
	if (vault_put_fd(vault, fd, held->stamp.size + 1, &document->stored, error)) {
		if (error->class == ERROR_REJECT)
			changed(source, held, "while it was read", error);
		goto done;
	}
	FAULT("file.fetched");
	if (is_unchanged(source, held, fd, "while it was read", error))
		goto done;
	if (document->stored.size != held->stamp.size)
		changed(source, held, "while it was read", error);
	else
		result = file_sidecar_check(source, held, vault, error);
done:
	close(fd);
	return result;
}

/* ---- the rest ------------------------------------------------------------------------------------------------- */

static void file_source_forget(void *arg, struct document *document)
{
	struct held *held = document->adapter;

	*held->at = held->next;
	if (held->next)
		held->next->at = held->at;
	free(held->document.archived[0].path);
	free(held->document.archived[1].path);
	free(held);
}

static void file_source_close(void *arg)
{
	struct file_source *source = arg;

	if (!source)
		return;
	while (source->held)
		file_source_forget(source, &source->held->document);
	entries_free(&source->ready);
	entries_free(&source->noted);
	entries_free(&source->leftovers);
	if (source->directory >= 0)
		close(source->directory);
	free(source->folder);
	free(source);
}

static int check_settings(const struct file_source *source, struct error *error)
{
	const struct file_source_settings *settings = source->settings;

	if (!source->pattern[0])
		return error_set(error, ERROR_FATAL, "file.pattern",
				 "file: '%s' names a folder; add a pattern, as in '%s*.xml'", settings->file,
				 settings->file);
	if (strcspn(settings->file, "*?[") < (size_t)(source->pattern - settings->file))
		return error_set(error, ERROR_FATAL, "file.pattern",
				 "file: '%s' has a pattern in a folder's name; only the last part may have one",
				 settings->file);
	if (settings->marker && (!settings->marker[0] || strpbrk(settings->marker, "/*?[")))
		return error_set(error, ERROR_FATAL, "file.marker",
				 "marker: '%s' must be the end of a file name, as in '.done'", settings->marker);
	if (settings->after == AFTER_MOVE && !settings->to)
		return error_set(error, ERROR_FATAL, "file.to", "after: move needs a directory; add `to: DIR`");
	return taking_check(&settings->taking, error);
}

static int file_source_check(const struct endpoint *endpoint, struct error *error)
{
	struct file_source source = {.settings = endpoint->settings};
	const char *slash = strrchr(source.settings->file, '/');

	source.pattern = slash ? slash + 1 : source.settings->file;
	return check_settings(&source, error);
}

static void *file_source_open(const struct endpoint *endpoint, struct error *error)
{
	struct file_source *source = mem_alloc(sizeof *source);
	char *slash;

	source->settings = endpoint->settings;
	source->flow = endpoint->flow ? endpoint->flow : endpoint->name;
	source->root = endpoint->root;
	source->directory = -1;
	source->folder = mem_printf("%s%s%s", source->settings->file[0] == '/' ? "" : source->root,
				    source->settings->file[0] == '/' ? "" : "/", source->settings->file);
	slash = strrchr(source->folder, '/');
	slash[slash == source->folder] = '\0'; /* the root itself is a folder, too */
	source->pattern = strrchr(source->settings->file, '/');
	source->pattern = source->pattern ? source->pattern + 1 : source->settings->file;
	if (check_settings(source, error)) {
		file_source_close(source);
		return NULL;
	}
	return source;
}

static int64_t file_source_interval_ms(const void *settings)
{
	return ((const struct file_source_settings *)settings)->interval_ms;
}

static bool file_source_archives(const void *settings)
{
	return ((const struct file_source_settings *)settings)->after == AFTER_ARCHIVE;
}

static bool file_source_pending(void *arg)
{
	return ((const struct file_source *)arg)->waiting;
}

static size_t file_source_halves(void *arg, source_half_fn *each, void *each_arg)
{
	const struct file_source *source = arg;

	halves_tell(&source->halves, source->settings->taking.sidecar_within, each, each_arg);
	return source->halves.count;
}

const struct source_ops file_source_ops = {
	.name = "file",
	.help = "Takes files that are dropped into a folder",
	.options = options,
	.settings_size = sizeof(struct file_source_settings),
	.open = file_source_open,
	.close = file_source_close,
	.poll = file_source_poll,
	.fetch = file_source_fetch,
	.settle = file_source_settle,
	.forget = file_source_forget,
	.interval_ms = file_source_interval_ms,
	.pending = file_source_pending,
	.check = file_source_check,
	.here = true,
	.archives = file_source_archives,
	.intend = file_source_intend,
	.expire = file_source_expire,
	.halves = file_source_halves,
};
