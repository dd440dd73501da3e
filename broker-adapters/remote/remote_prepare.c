/* Preparing a delivery: the content under a hidden name and the mark that says so, there before there is an
 * intent. What an interrupted try left of the content is read back, and only what is right of it is built upon. */
#include "config.h"
#include "broker-adapters/remote/remote_sink.h"

#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#define COMPARE (256u * 1024)
#define ZONES (26 * 3600) /* seconds between the first and the last of the world's clocks */

/* ---- names ----------------------------------------------------------------------------------------------------- */

void remote_pending_free(struct remote_pending *pending)
{
	if (!pending)
		return;
	free(pending->folder);
	free(pending->name);
	free(pending->tmp);
	free(pending->mark);
	free(pending);
}

struct remote_pending *remote_pending_new(struct attempt *attempt, struct error *error)
{
	struct span path = message_attr_find(attempt->message, "path");
	struct remote_pending *pending;
	char *whole, *slash, hidden[HIDDEN_NAME];

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
	pending->name = mem_strdup(slash ? slash + 1 : whole);
	if (slash)
		slash[slash == whole] = '\0';
	pending->folder = mem_strdup(slash ? whole : ".");
	free(whole);
	hidden_name(hidden, &attempt->key, HIDDEN_TMP);
	pending->tmp = mem_printf("%s/%s", pending->folder, hidden);
	hidden_name(hidden, &attempt->key, HIDDEN_MARK);
	pending->mark = mem_printf("%s/%s", pending->folder, hidden);
	return pending;
}

/* ---- content --------------------------------------------------------------------------------------------------- */

int64_t remote_same_bytes(struct remote *remote, const char *path, uint64_t size, struct reader *body,
			  struct error *error)
{
	char *theirs = mem_alloc(2 * (size_t)COMPARE), *ours = theirs + COMPARE;
	struct remote_download *download;
	int64_t same = -1;
	uint64_t at = 0;
	int status;

	download = remote->ops->download_new(remote, path, 0, size, &status, error);
	if (!download) {
		same = status > 0 ? 0 : -1;
		goto done;
	}
	for (;;) {
		ssize_t n = remote->ops->download_read(download, theirs, COMPARE, error), i = 0, m;

		if (n < 0)
			goto done;
		m = n && body ? reader_read(body, at, ours, (size_t)n, error) : 0;
		if (m < 0)
			goto done;
		while (i < n && i < m && theirs[i] == ours[i])
			i++;
		at += (uint64_t)i;
		if (n == 0 || i < n)
			break;
	}
	same = (int64_t)at;
done:
	remote->ops->download_free(download);
	free(theirs);
	return same;
}

static int make_folders(struct remote_sink *sink, const char *path, struct error *error)
{
	char *copy = mem_strdup(path);
	struct remote_attrs attrs;
	int status = 0;

	for (char *slash = copy; status >= 0 && slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		status = remote_lstat(sink->remote, copy, &attrs, error);
		if (status == REMOTE_MISSING)
			status = remote_mkdir(sink->remote, copy, error);
		if (status > 0 && remote_lstat(sink->remote, copy, &attrs, NULL) == REMOTE_OK)
			status = REMOTE_OK; /* another made it meanwhile */
		if (slash)
			*slash = '/';
	}
	free(copy);
	return status > 0 ? remote_fail(sink->remote, status, "cannot make the directory", path, error) : status;
}

/* A part that an interrupted try left: as much of it as is right stays. */
static int keep_part(struct remote_sink *sink, struct remote_pending *pending, struct remote_upload *upload,
		     uint64_t old_size, struct error *error)
{
	uint64_t size = upload->body ? reader_size(upload->body) : 0;
	int64_t same = remote_same_bytes(sink->remote, pending->tmp, old_size, upload->body, error);
	int status;

	if (same < 0)
		return -1;
	upload->offset = (uint64_t)same;
	if ((uint64_t)same > 0 && (uint64_t)same < size)
		log_info(sink->ops->name, SPAN_NONE, "writing goes on after a break endpoint=%s at=%lld",
			 pending->attempt->endpoint->name, (long long)same);
	if (old_size <= size)
		return 0;
	upload->offset = 0; /* it is longer than ours: nothing but removing it makes it shorter everywhere */
	upload->fresh = true;
	status = remote_remove(sink->remote, pending->tmp, error);
	return status > 0 ? remote_fail(sink->remote, status, "cannot remove", pending->tmp, error) : status;
}

static int upload_failed(struct remote_sink *sink, const struct remote_pending *pending,
			 const struct remote_upload *upload, int status, struct error *error)
{
	const struct remote_sink_settings *settings = remote_sink_settings(sink->ops, pending->attempt->endpoint);
	struct remote_attrs tmp;

	remote_fail(sink->remote, status, "cannot write into", pending->folder, error);
	if (upload->opened) {
		/* what is full or forbidden must not hold a part of it; what has another's mark is another's */
		if (pending->made)
			remote_remove(sink->remote, pending->mark, NULL);
		if (upload->mark && upload->fresh)
			remote_remove(sink->remote, pending->tmp, NULL);
	} else if (status == REMOTE_MISSING && upload->fresh && !settings->create) {
		error_wrap(error, "`create: true` would make it");
	} else if (status != REMOTE_DENIED &&
		   (!upload->fresh || upload->marked_before ||
		    remote_lstat(sink->remote, pending->tmp, &tmp, NULL) == REMOTE_OK)) {
		error_set(error, ERROR_RETRY, "file.busy", "another worker is writing the same message into %s",
			  pending->folder);
	}
	return -1;
}

static int verify(struct remote_sink *sink, const struct remote_pending *pending, const struct remote_upload *upload,
		  struct error *error)
{
	const struct remote_sink_settings *settings = remote_sink_settings(sink->ops, pending->attempt->endpoint);
	uint64_t size = upload->body ? reader_size(upload->body) : 0;
	int64_t same = (int64_t)size;

	if (settings->verify == REMOTE_VERIFY_CONTENT && upload->size == size) {
		same = remote_same_bytes(sink->remote, pending->tmp, size + 1, upload->body, error);
		if (same < 0)
			return -1;
	}
	if (upload->size == size && (uint64_t)same == size)
		return 0;
	error_set(error, ERROR_RETRY, sink->ops->damaged,
		  "%s arrived with %llu bytes of %llu right; it is not given its name, and is written again",
		  pending->tmp, (unsigned long long)(upload->size == size ? (uint64_t)same : upload->size),
		  (unsigned long long)size);
	error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* .tmp with these bytes and .mark. Two workers with one message are kept apart by who finds what. */
int remote_make_ready(struct remote_sink *sink, struct remote_pending *pending, bool marked, bool old,
		      uint64_t old_size, struct error *error)
{
	const struct remote_sink_settings *settings = remote_sink_settings(sink->ops, pending->attempt->endpoint);
	struct remote_upload upload = {.path = pending->tmp,
				       .body = pending->attempt->message->body,
				       .fresh = !old,
				       .mark = marked ? NULL : pending->mark};
	int status;

	if (old && keep_part(sink, pending, &upload, old_size, error))
		return -1;
	status = remote_upload(sink->remote, &upload, error);
	if (status == REMOTE_MISSING && settings->create) {
		if (make_folders(sink, pending->folder, error))
			return -1;
		status = remote_upload(sink->remote, &upload, error);
	}
	if (status < 0)
		return -1;
	pending->made = upload.opened && upload.mark && !upload.mark_status;
	FAULT("remote.marked");
	if (!status && upload.mark_status && upload.mark_status != REMOTE_FAILURE &&
	    upload.mark_status != REMOTE_EXISTS)
		status = upload.mark_status;
	if (status)
		return upload_failed(sink, pending, &upload, status, error);
	if (verify(sink, pending, &upload, error)) {
		if (pending->made)
			remote_remove(sink->remote, pending->mark, NULL);
		return -1;
	}
	/* another made its mark and renamed, all since we looked: ours was a new file */
	if (upload.mark && upload.mark_status && upload.fresh && upload.marked_before) {
		remote_remove(sink->remote, pending->tmp, NULL);
		pending->stage = REMOTE_WENT;
		return 0;
	}
	pending->stage = REMOTE_READY;
	return 0;
}

static int prepare_once(struct remote_sink *sink, struct remote_pending *pending, struct error *error)
{
	struct remote_attrs tmp, mark;
	int has_tmp, has_mark;

	if (remote_sink_connect(sink, pending->attempt->endpoint, error) ||
	    remote_lstat_two(sink->remote, pending->tmp, &has_tmp, &tmp, pending->mark, &has_mark, &mark, error))
		return -1;
	if (has_tmp && has_tmp != REMOTE_MISSING)
		return remote_fail(sink->remote, has_tmp, "cannot look into", pending->folder, error);
	if (has_mark && has_mark != REMOTE_MISSING)
		return remote_fail(sink->remote, has_mark, "cannot look into", pending->folder, error);
	if (has_mark == REMOTE_OK && has_tmp != REMOTE_OK) {
		pending->stage = REMOTE_WENT;
		return 0;
	}
	return remote_make_ready(sink, pending, has_mark == REMOTE_OK, has_tmp == REMOTE_OK,
				 has_tmp == REMOTE_OK ? tmp.size : 0, error);
}

int remote_sink_prepare(void *arg, struct attempt *attempt, struct error *error)
{
	struct remote_sink *sink = arg;
	struct remote_pending *pending;
	int result;

	attempt->prepared = attempt->adapter; /* among many */
	if (attempt->prepared)
		return 0;
	pending = remote_pending_new(attempt, error);
	if (!pending)
		return -1;
	result = prepare_once(sink, pending, error);
	for (int tries = 0; result && sink->remote && remote_is_lost(sink->remote) && tries < 3; tries++) {
		error_clear(error); /* it broke: what is there of the content is gone on with */
		result = prepare_once(sink, pending, error);
	}
	if (result) {
		remote_pending_free(pending);
		return -1;
	}
	attempt->adapter = pending;
	attempt->prepared = true;
	return 0;
}

/* ---- many at once ---------------------------------------------------------------------------------------------- */

struct preparing {
	struct remote_sink *sink;
	struct attempt *attempt;
};

/* What goes wrong is left as if the line had broken, for prepare to find and to tell of. */
static void prepare_one(void *arg)
{
	struct preparing *preparing = arg;
	struct remote_pending *pending = remote_pending_new(preparing->attempt, NULL);
	struct error ignored;

	if (pending && !prepare_once(preparing->sink, pending, &ignored))
		preparing->attempt->adapter = pending;
	else
		remote_pending_free(pending);
}

void remote_sink_ahead(void *arg, struct attempt *const *attempts, size_t n)
{
	struct preparing all[REMOTE_AT_ONCE];
	void *args[REMOTE_AT_ONCE];
	struct remote_sink *sink = arg;
	size_t count = 0;

	for (size_t i = 0; i < n && count < REMOTE_AT_ONCE; i++) {
		const struct reader *body = attempts[i]->message->body;

		if (attempts[i]->endpoint != attempts[0]->endpoint || (body && reader_size(body) > REMOTE_SMALL))
			break;
		all[count] = (struct preparing){sink, attempts[i]};
		args[count] = &all[count];
		count++;
	}
	if (count > 1 && sink->ops->many && !remote_sink_connect(sink, attempts[0]->endpoint, NULL))
		sink->ops->many(sink->remote, prepare_one, args, count);
}

/* ---- sweep ----------------------------------------------------------------------------------------------------- */

struct sweep {
	const char *folder;
	int64_t before; /* INT64_MAX: whatever its time */
	bool (*needed)(void *, const struct id *);
	void *arg;
	char **paths; /* to be removed, once the listing is over */
	size_t count, capacity;
};

static bool sweep_name(void *arg, const char *name, const struct remote_attrs *attrs)
{
	struct sweep *sweep = arg;
	struct id key;

	if (hidden_key(name, &key) &&
	    (sweep->before == INT64_MAX || (attrs->has_mtime && attrs->mtime < sweep->before)) &&
	    !sweep->needed(sweep->arg, &key)) {
		sweep->paths = mem_grow(sweep->paths, &sweep->capacity, sweep->count + 1, sizeof *sweep->paths);
		sweep->paths[sweep->count++] = mem_printf("%s/%s", sweep->folder, name);
	}
	return sweep->count < 10000;
}

/* Of the folder that the site itself names; folders whose names come from messages are left. */
int remote_sink_sweep(void *arg, const struct endpoint *endpoint, int64_t older_than_ms,
		      bool (*needed)(void *, const struct id *), void *needed_arg, unsigned *removed,
		      struct error *error)
{
	struct remote_sink *sink = arg;
	const struct remote_sink_settings *settings = remote_sink_settings(sink->ops, endpoint);
	struct span source = template_source(settings->path);
	size_t fixed = name_fixed_length(settings->path);
	char *folder = fixed > 1 ? mem_span_dup(span_make(source.data, fixed - 1)) : mem_strdup(fixed ? "/" : ".");
	int64_t before = older_than_ms ? (clock_now_ms() - older_than_ms) / 1000 : INT64_MAX;
	struct sweep sweep = {folder, before, needed, needed_arg, NULL, 0, 0};
	int result = -1;

	*removed = 0;
	if (remote_sink_connect(sink, endpoint, error))
		goto done;
	if (older_than_ms && !sink->ops->times_have_zone(sink->remote))
		sweep.before -= ZONES; /* by a clock there that may be behind by so much */
	if (remote_list(sink->remote, folder, sweep_name, &sweep, error) < 0)
		goto done;
	for (size_t i = 0; i < sweep.count; i++)
		*removed += remote_remove(sink->remote, sweep.paths[i], NULL) == REMOTE_OK;
	result = 0; /* a missing folder is for prepare to tell */
done:
	for (size_t i = 0; i < sweep.count; i++)
		free(sweep.paths[i]);
	free(sweep.paths);
	free(folder);
	return result;
}
