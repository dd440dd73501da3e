/* The file sink: one message becomes one file, under its final name only when it is complete and durable.
 *
 * Two hidden files in the target's own folder make an interrupted delivery decidable, whoever asks and however often:
 *
 *   .ferrule-<key>.tmp   the content; its rename to the final name is the effect
 *   .ferrule-<key>.mark  a second name for it: the content had been prepared, durably. Stays until the outcome is
 *                        committed
 *
 *   prepare   write and sync .part, rename it to .tmp, make .mark, sync the folder     (before the intent)
 *   start     rename .tmp to the final name                                            (after it)
 *   reap      sync the folder, once for all that were started
 *   abandon   remove .mark, when the outcome is committed
 *
 *   intent and .mark and .tmp     it was not renamed: do it
 *   intent and .mark, no .tmp     it was delivered, even if the reader has taken the file away by now
 *   intent, no .mark              somebody removed it, or another folder is mounted there: nobody can know
 *
 * A worker prepares before it knows whether there is an intent. Without .mark its new .tmp would look as if the first
 * had never been renamed. So prepare makes nothing where a .mark stands alone.
 *
 * Where a file system has no rename that refuses to overwrite (NFS), a hard link is used instead. For that moment the
 * content is called .ferrule-<key>.link; alone and with no other name it cannot tell whether the link was made and
 * taken away: unknown. */
#include "config.h"
#include "broker-adapters/file/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fault.h"
#include "base/utf8.h"

#define PARALLEL 64
#define NUMBERED_MAX 100000

struct file_sink {
	struct pending *first, **last; /* started, to be reaped in this order */
};

const mode_t file_modes[] = {0600, 0640, 0644, 0660, 0664, 0666, 0400, 0440, 0444};

static const struct option options[] = {
	{.name = "file",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct file_sink_settings, file),
	 .help = "The file to write, relative to the site",
	 .flags = OPTION_MAIN | OPTION_REQUIRED},
	{.name = "exists",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct file_sink_settings, exists),
	 .fallback = "refuse",
	 .range = "refuse|replace|number",
	 .help = "What to do when a file of that name is there: refuse the message, replace the file, or take the next "
		 "free "
		 "number"},
	{.name = "mode",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct file_sink_settings, mode),
	 .fallback = "0640",
	 .range = "0600|0640|0644|0660|0664|0666|0400|0440|0444",
	 .help = "Permissions of the file"},
	{.name = "create",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct file_sink_settings, create),
	 .fallback = "false",
	 .help = "Make the directory when it is missing"},
	OPTION_END,
};

/* ---- start ---------------------------------------------------------------------------------------------------- */

static int refuse_existing(struct pending *pending, const char *what, struct error *error)
{
	char shown[NAME_SHOWN];

	name_show(shown, span_of(pending->name));
	return error_set(error, ERROR_REJECT, "file.exists", "%s/%s %s", pending->folder, shown, what);
}

/* Only a regular file is replaced; a later look would be too late. */
static int check_target(struct pending *pending, struct error *error)
{
	const struct file_sink_settings *settings = pending->attempt->endpoint->settings;
	struct stat st;

	if (settings->exists != EXISTS_REPLACE)
		return 0;
	if (fstatat(pending->directory, pending->name, &st, AT_SYMLINK_NOFOLLOW)) {
		if (errno == ENOENT)
			return 0;
		if (errno == ENAMETOOLONG)
			return name_refuse_path(span_of(pending->name),
						"has a name that is too long for its file system", error);
		return file_fail(error, "cannot look into", pending->folder);
	}
	if (!S_ISREG(st.st_mode))
		return refuse_existing(pending, "is there and is not a regular file; it is not replaced", error);
	pending->replaced = true;
	return 0;
}

/* The store says that nothing happened, though an earlier try renamed: a person has it delivered again, or receipts are
 * that old. What stood as witness goes first, so that a crash in between is a doubt and not a belief. */
static int begin_anew(struct pending *pending, struct error *error)
{
	const struct id *key = &pending->attempt->key;

	if (hidden_unlink(pending->directory, key, HIDDEN_MARK) || hidden_unlink(pending->directory, key, HIDDEN_LINK))
		return file_fail(error, "cannot remove a mark from", pending->folder);
	if (pending_sync(pending, error))
		return -1;
	return pending_make_ready(pending, false, error);
}

/* Without a rename that refuses: through a hard link. 0, or -1 with errno. */
static int publish_by_link(struct pending *pending, const char *target)
{
	char tmp[HIDDEN_NAME], link[HIDDEN_NAME];
	int saved;

	hidden_name(tmp, &pending->attempt->key, HIDDEN_TMP);
	hidden_name(link, &pending->attempt->key, HIDDEN_LINK);
	if (renameat(pending->directory, tmp, pending->directory, link))
		return -1;
	FAULT("file.linking");
	if (linkat(pending->directory, link, pending->directory, target, 0)) {
		saved = errno;
		if (renameat(pending->directory, link, pending->directory, tmp))
			return -1;
		errno = saved == EPERM ? EOPNOTSUPP : saved;
		return -1;
	}
	FAULT("file.linked");
	unlinkat(pending->directory, link, 0); /* what is left goes with the mark */
	return 0;
}

static int publish_new(struct pending *pending, const char *target)
{
	char tmp[HIDDEN_NAME];

	hidden_name(tmp, &pending->attempt->key, HIDDEN_TMP);
	if (!file_rename_exclusive(pending->directory, tmp, pending->directory, target))
		return 0;
	return errno == EOPNOTSUPP ? publish_by_link(pending, target) : -1;
}

static int publish(struct pending *pending)
{
	const struct file_sink_settings *settings = pending->attempt->endpoint->settings;
	char tmp[HIDDEN_NAME];

	if (settings->exists == EXISTS_REPLACE) {
		hidden_name(tmp, &pending->attempt->key, HIDDEN_TMP);
		name_numbered(pending->placed, pending->name, 1, "");
		return renameat(pending->directory, tmp, pending->directory, pending->placed);
	}
	for (unsigned n = 1; n <= NUMBERED_MAX; n++) {
		name_numbered(pending->placed, pending->name, n, "");
		if (!publish_new(pending, pending->placed))
			return 0;
		if (errno != EEXIST || settings->exists == EXISTS_REFUSE)
			return -1;
	}
	return -1;
}

/* An answer that got lost on a network file system: the same rename again does not find .tmp any more. */
static bool is_published(struct pending *pending)
{
	struct stat st;

	return !fstatat(pending->directory, pending->placed, &st, AT_SYMLINK_NOFOLLOW) &&
	       st.st_ino == pending->temporary.st_ino && st.st_dev == pending->temporary.st_dev;
}

static int not_published(struct pending *pending, struct error *error)
{
	switch (errno) {
	case EEXIST:
	case ENOTEMPTY:
	case EISDIR:
		return refuse_existing(
			pending, "exists already; take it away and replay the message, or set `exists: number`", error);
	case ENAMETOOLONG:
		return name_refuse_path(span_of(pending->name), "has a name that is too long for its file system",
					error);
	case EOPNOTSUPP:
		error_set(error, ERROR_RETRY, "file.rename",
			  "%s is on a file system that can neither rename without overwriting nor make hard links; "
			  "deliver elsewhere or set `exists: replace`",
			  pending->folder);
		error->scope = SCOPE_ENDPOINT;
		return -1;
	case ENOENT:
		return error_set(error, ERROR_DOUBT, "file.vanished", "the prepared file in %s is gone",
				 pending->folder);
	default:
		return file_fail(error, "cannot rename in", pending->folder);
	}
}

static int start_failed(struct attempt *attempt, struct error *error)
{
	if (error != &attempt->error)
		attempt->error = *error;
	return -1;
}

static int file_sink_start(void *arg, struct attempt *attempt, struct error *error)
{
	struct file_sink *sink = arg;
	struct pending *pending = attempt->adapter;

	if ((pending->stage == STAGE_WENT && begin_anew(pending, error)) || check_target(pending, error))
		return start_failed(attempt, error);
	if (publish(pending) && !(errno == ENOENT && is_published(pending))) {
		not_published(pending, error);
		return start_failed(attempt, error);
	}
	FAULT("file.renamed");
	pending->stage = STAGE_WENT;
	pending->next = NULL;
	*sink->last = pending;
	sink->last = &pending->next;
	return 0;
}

/* ---- reap ----------------------------------------------------------------------------------------------------- */

static void write_receipt(struct pending *pending, const char *name, bool resolved)
{
	struct attempt *attempt = pending->attempt;
	const struct message *message = attempt->message;
	struct span path = message_attr_find(message, "path");
	size_t folder = path.len;
	char shown[NAME_SHOWN], hex[ID_TEXT];
	uint8_t digest[32];
	json_t *receipt = json_object();
	char *text;

	while (folder && path.data[folder - 1] != '/')
		folder--;
	name_show(shown, span_of(name));
	text = mem_printf("%.*s%s", (int)folder, path.data, utf8_is_clean(span_of(name)) ? name : shown);
	json_object_set_new(receipt, "path", json_string(text));
	free(text);
	json_object_set_new(receipt, "size", json_integer((json_int_t)message->body_size));
	if (!id_is_none(&message->body_digest)) {
		id_hex(&message->body_digest, hex);
		json_object_set_new(receipt, "sha256", json_string(hex));
	} else if (message->body && !reader_digest(message->body, digest, NULL)) {
		hex_encode(hex, digest, sizeof digest);
		json_object_set_new(receipt, "sha256", json_string(hex));
	}
	if (pending->replaced)
		json_object_set_new(receipt, "replaced", json_true());
	if (resolved) /* the name may be another where files are numbered */
		json_object_set_new(receipt, "resolved", json_true());
	text = json_dumps(receipt, JSON_COMPACT);
	buf_reset(&attempt->receipt);
	if (text)
		buf_text(&attempt->receipt, text);
	free(text);
	json_decref(receipt);
}

static bool same_folder(int a, int b)
{
	struct stat x, y;

	return a == b || (!fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* One sync of a folder serves all that were renamed into it. */
static int file_sink_reap(void *arg, struct attempt **into, size_t max, size_t *count, int wake, int wait_ms,
			  struct error *error)
{
	struct file_sink *sink = arg;
	struct pollfd woken = {.fd = wake, .events = POLLIN};
	int synced = -1;

	*count = 0;
	if (!sink->first && wait_ms && max)
		poll(&woken, wake >= 0, wait_ms);
	while (sink->first && *count < max) {
		struct pending *pending = sink->first;
		struct attempt *attempt = pending->attempt;

		sink->first = pending->next;
		if (!sink->first)
			sink->last = &sink->first;
		error_clear(&attempt->error);
		if (synced < 0 || !same_folder(synced, pending->directory)) {
			synced = -1;
			if (pending_sync(pending, &attempt->error)) /* it is renamed, but perhaps not for good */
				attempt->error.class = ERROR_DOUBT;
			else
				synced = pending->directory;
		}
		FAULT("file.reaped");
		if (attempt->error.class == ERROR_NONE)
			write_receipt(pending, pending->placed, false);
		into[(*count)++] = attempt;
	}
	return 0;
}

/* ---- resolve, abandon, sweep ---------------------------------------------------------------------------------- */

/* The link was made when another name than the mark leads to the same file. */
static enum resolved resolve_link(struct pending *pending, const struct stat *link, const struct stat *mark)
{
	nlink_t ours = link->st_ino == mark->st_ino && link->st_dev == mark->st_dev ? 2 : 1;

	if (link->st_nlink <= ours)
		return RESOLVED_UNKNOWN;
	hidden_unlink(pending->directory, &pending->attempt->key, HIDDEN_LINK);
	return RESOLVED_HAPPENED;
}

static enum resolved look(struct pending *pending)
{
	const struct attempt *attempt = pending->attempt;
	const struct pending *prepared = attempt->adapter;
	struct stat mark, tmp, link;

	if (!hidden_is_there(pending->directory, &attempt->key, HIDDEN_MARK, &mark))
		return RESOLVED_UNKNOWN;
	if (prepared && prepared->made && prepared->stage == STAGE_READY)
		return RESOLVED_UNKNOWN; /* ours and new: what the intent's own attempt had left is gone */
	if (hidden_is_there(pending->directory, &attempt->key, HIDDEN_LINK, &link))
		return resolve_link(pending, &link, &mark);
	return hidden_is_there(pending->directory, &attempt->key, HIDDEN_TMP, &tmp) ? RESOLVED_NOT : RESOLVED_HAPPENED;
}

/* Whoever put it there: with these bytes under this name the effect is there. */
static bool has_content(const struct pending *pending)
{
	const struct message *message = pending->attempt->message;
	int fd = openat(pending->directory, pending->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct reader *reader = NULL;
	uint8_t digest[SHA256_SIZE];
	struct stat st;
	bool same = false;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == message->body_size &&
	    !id_is_none(&message->body_digest))
		reader = reader_new_fd(fd, 0, message->body_size);
	if (reader)
		same = !reader_digest(reader, digest, NULL) &&
		       !memcmp(digest, message->body_digest.bytes, sizeof digest);
	else if (fd >= 0)
		close(fd);
	reader_unref(reader);
	return same;
}

static int file_sink_resolve(void *arg, struct attempt *attempt, enum resolved *answer, struct error *error)
{
	struct pending *pending = pending_new(attempt, false, error);
	int result = -1;

	if (!pending)
		return -1;
	*answer = look(pending);
	if (*answer == RESOLVED_UNKNOWN && has_content(pending))
		*answer = RESOLVED_HAPPENED;
	/* The rename may be in memory only: a receipt must not be more durable than its file. */
	if (*answer == RESOLVED_HAPPENED && pending_sync(pending, error))
		goto done;
	FAULT("file.resolved");
	if (*answer == RESOLVED_HAPPENED)
		write_receipt(pending, pending->name, true);
	result = 0;
done:
	pending_free(pending);
	return result;
}

/* The mark first: what is left alone then is never taken for a delivery. */
static void remove_hidden(int directory, const struct id *key)
{
	hidden_unlink(directory, key, HIDDEN_MARK);
	FAULT("file.unmarked");
	hidden_unlink(directory, key, HIDDEN_LINK);
	hidden_unlink(directory, key, HIDDEN_TMP);
}

static void forget_started(struct file_sink *sink, const struct pending *gone)
{
	for (struct pending **at = &sink->first; *at; at = &(*at)->next)
		if (*at == gone) {
			*at = gone->next;
			break;
		}
	sink->last = &sink->first;
	while (*sink->last)
		sink->last = &(*sink->last)->next;
}

static void file_sink_abandon(void *arg, struct attempt *attempt)
{
	struct pending *pending = attempt->adapter;

	if (pending)
		forget_started(arg, pending);
	else if (attempt->settled) /* an earlier try may have left something */
		pending = pending_new(attempt, false, NULL);
	if (pending && (attempt->settled || (pending->made && pending->stage == STAGE_READY && !attempt->first_ms)))
		remove_hidden(pending->directory, &attempt->key);
	pending_free(pending);
	attempt->adapter = NULL;
	attempt->prepared = false;
}

/* ---- the rest ------------------------------------------------------------------------------------------------- */

static void *file_sink_open(struct error *error)
{
	struct file_sink *sink = mem_alloc(sizeof *sink);

	sink->last = &sink->first;
	return sink;
}

static void file_sink_close(void *arg)
{
	free(arg);
}

static int file_sink_endpoint(void *arg, const struct endpoint *endpoint, struct error *error)
{
	const struct file_sink_settings *settings = endpoint->settings;
	struct span source = template_source(settings->file);

	if (source.len && source.data[source.len - 1] == '/')
		return error_set(error, ERROR_FATAL, "file.name", "to: file: '%.*s' names a folder; add a file name",
				 SPAN_ARGS(source));
	return 0;
}

static int file_sink_check(const struct endpoint *endpoint, struct error *error)
{
	return file_sink_endpoint(NULL, endpoint, error);
}

/* For tests of a site: the errors that a folder may give, in the words of `fails:`. */
static int file_sink_judge(const struct attempt *attempt, const struct sink_answer *answer, struct error *verdict,
			   struct error *error)
{
	static const struct {
		const char *name;
		int number;
	} failures[] = {{"full", ENOSPC}, {"denied", EACCES}, {"missing", ENOENT}};
	struct span path = message_attr_find(attempt->message, "path");
	char shown[NAME_SHOWN];

	name_show(shown, path);
	if (answer->fails && !strcmp(answer->fails, "exists")) {
		error_set(verdict, ERROR_REJECT, "file.exists", "%s exists already", shown);
		return 0;
	}
	for (size_t i = 0; answer->fails && i < sizeof failures / sizeof *failures; i++)
		if (!strcmp(failures[i].name, answer->fails)) {
			errno = failures[i].number;
			file_fail(verdict, "cannot write", shown);
			return 0;
		}
	return error_set(error, ERROR_REJECT, "test.answer",
			 "a file has no such answer: `fails` is one of exists, full, denied, missing");
}

static unsigned file_sink_parallel(const struct endpoint *endpoint)
{
	return PARALLEL;
}

const struct sink_ops file_sink_ops = {
	.name = "file",
	.help = "Writes each message as a file, complete or not at all",
	.options = options,
	.settings_size = sizeof(struct file_sink_settings),
	.traits = SINK_WITNESS,
	.natural = EFFECT_RENAME,
	.shared = false,
	.address = file_sink_address,
	.open = file_sink_open,
	.close = file_sink_close,
	.endpoint = file_sink_endpoint,
	.prepare = file_sink_prepare,
	.start = file_sink_start,
	.reap = file_sink_reap,
	.resolve = file_sink_resolve,
	.parallel = file_sink_parallel,
	.abandon = file_sink_abandon,
	.sweep = file_sink_sweep,
	.judge = file_sink_judge,
	.check = file_sink_check,
	.files = true,
};
