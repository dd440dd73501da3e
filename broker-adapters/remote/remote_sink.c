/* The sink: one message becomes one file on a partner's server, under its final name only when it is complete.
 *
 * Two hidden files in the target's own folder make an interrupted delivery decidable, as with the file sink:
 *
 *   .ferrule-<key>.tmp   the content; its rename to the final name is the effect
 *   .ferrule-<key>.mark  empty: the content had been prepared. Stays until the outcome is committed
 *
 *   prepare   write .tmp, have it synced where the server can, make .mark              (before the intent)
 *   start     notes that it may be renamed                                             (after it)
 *   reap      rename .tmp to the final name, of all that were started side by side
 *   abandon   remove .mark, when the outcome is committed
 *
 *   intent and .mark and .tmp     it was not renamed: do it
 *   intent and .mark, no .tmp     it was delivered, even if the reader has taken the file away by now
 *   intent, no .mark              somebody removed it: nobody can know
 *
 * An answer that is lost is never asked for a second time: the connection is made anew, and the two files tell. Servers
 * may make a rename of two steps (a second name, then the first one goes), and die between them: then .tmp and the
 * final name are there with the same bytes, and the rename is done to its end by removing .tmp. */
#include "config.h"
#include "broker-adapters/remote/remote_sink.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/fault.h"
#include "base/utf8.h"

#define NUMBERED_MAX 10000
#define IDLE_MS 20000

/* ---- the connection -------------------------------------------------------------------------------------------- */

void remote_sink_rest(void *arg)
{
	struct remote_sink *sink = arg;

	if (!sink->remote || (remote_breathes(sink->remote) && clock_tick_ms() - sink->used_at <= REMOTE_HOLD_MS))
		return;
	remote_close(sink->remote);
	sink->remote = NULL;
}

int remote_sink_connect(struct remote_sink *sink, const struct endpoint *endpoint, struct error *error)
{
	struct remote_attrs attrs;

	sink->used_at = clock_tick_ms();
	if (sink->remote && remote_in_many(sink->remote))
		return remote_check(sink->remote, error);
	if (sink->remote && sink->endpoint == endpoint && !remote_is_lost(sink->remote) &&
	    (remote_idle_ms(sink->remote) < IDLE_MS || remote_lstat(sink->remote, ".", &attrs, NULL) >= 0))
		return 0;
	remote_close(sink->remote);
	sink->endpoint = endpoint;
	sink->remote = sink->ops->open(endpoint, error);
	return sink->remote ? 0 : -1;
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static char *target_of(const struct remote_pending *pending, const char *name)
{
	return mem_printf("%s/%s", pending->folder, name);
}

static int refuse_existing(struct remote_pending *pending, const char *what, struct error *error)
{
	char shown[NAME_SHOWN];

	name_show(shown, span_of(pending->name));
	return error_set(error, ERROR_REJECT, "file.exists", "%s/%s %s", pending->folder, shown, what);
}

/* The store says that nothing happened, though an earlier try renamed: a person has it delivered again, or receipts are
 * that old. What stood as witness goes first, so that a crash in between is a doubt and not a belief. */
static int begin_anew(struct remote_sink *sink, struct remote_pending *pending, struct error *error)
{
	int status = remote_remove(sink->remote, pending->mark, error);

	if (status > 0 && status != REMOTE_MISSING)
		return remote_fail(sink->remote, status, "cannot remove", pending->mark, error);
	return status < 0 ? -1 : remote_make_ready(sink, pending, false, false, 0, error);
}

/* What was asked for last may have happened. */
static int in_doubt(struct error *error)
{
	error->class = ERROR_DOUBT;
	error->scope = SCOPE_MESSAGE;
	return -1;
}

/* After a rename that failed or whose answer is missing. 0 it is done, 1 the name is taken, -1. */
static int why_not(struct remote_sink *sink, struct remote_pending *pending, const char *target, int status,
		   struct error *error)
{
	struct remote_attrs tmp, there;
	int has_tmp, has_target;
	char said[200];

	remote_fail(sink->remote, status, "cannot rename in", pending->folder, error);
	snprintf(said, sizeof said, "%.199s", error->text);
	if (remote_lstat_two(sink->remote, pending->tmp, &has_tmp, &tmp, target, &has_target, &there, error))
		return in_doubt(error);
	if (has_tmp == REMOTE_OK && has_target == REMOTE_OK)
		return 1;
	if (has_tmp == REMOTE_MISSING) {
		error_set(error, ERROR_DOUBT, "file.vanished", "the prepared file in %s is gone: %s", pending->folder,
			  said);
		return -1;
	}
	return remote_fail(sink->remote, status, "cannot rename in", pending->folder, error);
}

/* It says that it was renamed. Is the old name gone? Asked together with the rename, and once more, before nobody
 * knows: then the next try finds out by looking at both. Where a file cannot be made only if there is none, another
 * worker may write the same message anew meanwhile: then the target, which was not there (`fresh`), tells. */
static int is_gone(struct remote_sink *sink, struct remote_pending *pending, const char *fresh, int left,
		   struct error *error)
{
	const struct reader *body = pending->attempt->message->body;
	struct remote_attrs tmp, there;

	if (left == REMOTE_OK)
		left = remote_lstat(sink->remote, pending->tmp, &tmp, error);
	if (left < 0)
		return in_doubt(error);
	if (left != REMOTE_OK)
		return 0;
	left = fresh ? remote_lstat(sink->remote, fresh, &there, error) : REMOTE_MISSING;
	if (left < 0)
		return in_doubt(error);
	if (left == REMOTE_OK && there.has_size && there.size == (body ? reader_size(body) : 0))
		return 0;
	remote_fail(sink->remote, REMOTE_FAILURE, "it was not renamed, though the server says so:", pending->tmp,
		    error);
	return in_doubt(error);
}

/* Without ever overwriting, whatever the server's rename does. */
static int publish_new(struct remote_sink *sink, struct remote_pending *pending, const char *target,
		       struct error *error)
{
	struct remote_attrs there;
	int status, left;

	remote_claim(sink->remote, target);
	status = remote_lstat(sink->remote, target, &there, error);
	if (status == REMOTE_OK)
		return 1;
	if (status < 0)
		return -1;
	if (status != REMOTE_MISSING)
		return remote_fail(sink->remote, status, "cannot look into", pending->folder, error);
	FAULT("remote.renaming");
	status = remote_rename_look(sink->remote, false, pending->tmp, target, &left, error);
	if (status < 0)
		return in_doubt(error);
	return status == REMOTE_OK ? is_gone(sink, pending, target, left, error)
				   : why_not(sink, pending, target, status, error);
}

/* At once where the server can; else the old file goes first, and for that moment there is none. */
static int publish_over(struct remote_sink *sink, struct remote_pending *pending, const char *target,
			struct error *error)
{
	struct remote_attrs there;
	int status, result, left = REMOTE_MISSING;

	remote_claim(sink->remote, target);
	status = remote_lstat(sink->remote, target, &there, error);
	if (status < 0)
		return -1;
	if (status == REMOTE_OK && there.has_mode && (there.mode & 0170000) && (there.mode & 0170000) != 0100000)
		return refuse_existing(pending, "is there and is not a regular file; it is not replaced", error);
	pending->replaced = status == REMOTE_OK;
	FAULT("remote.renaming");
	if (remote_can_replace(sink->remote)) {
		status = remote_rename_look(sink->remote, true, pending->tmp, target, &left, error);
	} else {
		status = pending->replaced ? remote_remove(sink->remote, target, error) : REMOTE_OK;
		if (status == REMOTE_OK || status == REMOTE_MISSING)
			status = remote_rename_look(sink->remote, false, pending->tmp, target, &left, error);
	}
	if (status < 0)
		return in_doubt(error);
	if (status == REMOTE_OK)
		return is_gone(sink, pending, NULL, left, error);
	result = why_not(sink, pending, target, status, error);
	return result == 1 ? remote_fail(sink->remote, status, "cannot replace", target, error) : result;
}

static int publish(struct remote_sink *sink, struct remote_pending *pending, struct error *error)
{
	const struct remote_sink_settings *settings = remote_sink_settings(sink->ops, pending->attempt->endpoint);

	for (unsigned n = 1; n <= NUMBERED_MAX; n++) {
		char *target;
		int result;

		name_numbered(pending->placed, pending->name, n, "");
		target = target_of(pending, pending->placed);
		result = settings->exists == REMOTE_OVER ? publish_over(sink, pending, target, error)
							 : publish_new(sink, pending, target, error);
		free(target);
		if (result <= 0)
			return result;
		if (settings->exists != REMOTE_NUMBER)
			break;
	}
	return refuse_existing(pending, "exists already; take it away and replay the message, or set `exists: number`",
			       error);
}

int remote_sink_start(void *arg, struct attempt *attempt, struct error *error)
{
	struct remote_sink *sink = arg;
	struct remote_pending *pending = attempt->adapter;

	pending->started = true;
	pending->next = NULL;
	*sink->last = pending;
	sink->last = &pending->next;
	return 0;
}

/* ---- reap ------------------------------------------------------------------------------------------------------ */

static void write_receipt(const struct remote_sink *sink, struct remote_pending *pending, const char *name,
			  bool resolved)
{
	struct attempt *attempt = pending->attempt;
	const struct remote_sink_settings *settings = remote_sink_settings(sink->ops, attempt->endpoint);
	const struct message *message = attempt->message;
	char shown[NAME_SHOWN], hex[ID_TEXT];
	uint8_t digest[32];
	json_t *receipt = json_object();
	char *text;

	name_show(shown, span_of(name));
	text = mem_printf("%s/%s", pending->folder, utf8_is_clean(span_of(name)) ? name : shown);
	json_object_set_new(receipt, "host", json_string(sink->ops->host(attempt->endpoint)));
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
	json_object_set_new(receipt, "verified",
			    json_string(settings->verify == REMOTE_VERIFY_CONTENT ? "content" : "size"));
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

struct renaming {
	struct remote_sink *sink;
	struct remote_pending *pending;
};

static void rename_one(void *arg)
{
	struct renaming *renaming = arg;
	struct remote_pending *pending = renaming->pending;
	struct attempt *attempt = pending->attempt;
	struct remote_sink *sink = renaming->sink;

	error_clear(&attempt->error);
	pending->done = true;
	if (remote_sink_connect(sink, attempt->endpoint, &attempt->error) ||
	    (pending->stage == REMOTE_WENT && begin_anew(sink, pending, &attempt->error)) ||
	    publish(sink, pending, &attempt->error))
		return;
	FAULT("remote.renamed");
	pending->stage = REMOTE_WENT;
}

/* All that were started and have one endpoint, side by side. */
static void rename_started(struct remote_sink *sink, size_t max)
{
	struct renaming all[REMOTE_AT_ONCE];
	void *args[REMOTE_AT_ONCE];
	size_t n = 0;

	for (struct remote_pending *pending = sink->first; pending && n < max && n < REMOTE_AT_ONCE;
	     pending = pending->next) {
		if (pending->done)
			continue;
		if (n && pending->attempt->endpoint != all[0].pending->attempt->endpoint)
			break;
		all[n] = (struct renaming){sink, pending};
		args[n] = &all[n];
		n++;
	}
	if (n > 1 && sink->ops->many && !remote_sink_connect(sink, all[0].pending->attempt->endpoint, NULL))
		sink->ops->many(sink->remote, rename_one, args, n);
	else
		for (size_t i = 0; i < n; i++)
			rename_one(args[i]);
}

int remote_sink_reap(void *arg, struct attempt **into, size_t max, size_t *count, int wake, int wait_ms,
		     struct error *error)
{
	struct remote_sink *sink = arg;
	struct pollfd woken = {.fd = wake, .events = POLLIN};

	*count = 0;
	if (!sink->first && wait_ms && max)
		poll(&woken, wake >= 0, wait_ms);
	rename_started(sink, max);
	while (sink->first && sink->first->done && *count < max) {
		struct remote_pending *pending = sink->first;

		sink->first = pending->next;
		if (!sink->first)
			sink->last = &sink->first;
		FAULT("remote.reaped");
		if (pending->attempt->error.class == ERROR_NONE)
			write_receipt(sink, pending, pending->placed, false);
		into[(*count)++] = pending->attempt;
	}
	return 0;
}

/* ---- resolve, abandon ------------------------------------------------------------------------------------------ */

/* Does the final name lead to these bytes? 1, 0, -1. */
static int has_content(struct remote_sink *sink, struct remote_pending *pending, struct error *error)
{
	struct reader *body = pending->attempt->message->body;
	uint64_t size = body ? reader_size(body) : 0;
	struct remote_attrs there;
	char *target;
	int64_t same = -1;
	int status;

	target = target_of(pending, pending->name);
	status = remote_lstat(sink->remote, target, &there, error);
	if (status == REMOTE_OK && there.size == size)
		same = remote_same_bytes(sink->remote, target, size + 1, body, error);
	free(target);
	if (status < 0 || remote_is_lost(sink->remote))
		return -1;
	return same >= 0 && (uint64_t)same == size;
}

/* .tmp is there: was the rename left half done? Its name is then that of a file with the same bytes. */
static int look_for_second_name(struct remote_sink *sink, struct remote_pending *pending, enum resolved *answer,
				struct error *error)
{
	const struct remote_sink_settings *settings = remote_sink_settings(sink->ops, pending->attempt->endpoint);
	int there;

	*answer = RESOLVED_NOT;
	if (settings->exists == REMOTE_OVER) /* doing it again is doing it once */
		return 0;
	there = has_content(sink, pending, error);
	if (there <= 0)
		return there;
	/* with numbers, an equal one of before may bear the name */
	*answer = settings->exists == REMOTE_NUMBER ? RESOLVED_UNKNOWN : RESOLVED_HAPPENED;
	if (*answer == RESOLVED_HAPPENED && remote_remove(sink->remote, pending->tmp, error) < 0)
		return -1;
	return 0;
}

static int look(struct remote_sink *sink, struct remote_pending *pending, enum resolved *answer, struct error *error)
{
	const struct remote_pending *prepared = pending->attempt->adapter;
	struct remote_attrs tmp, mark;
	int has_tmp, has_mark;

	*answer = RESOLVED_UNKNOWN;
	if (remote_sink_connect(sink, pending->attempt->endpoint, error) ||
	    remote_lstat_two(sink->remote, pending->tmp, &has_tmp, &tmp, pending->mark, &has_mark, &mark, error))
		return -1;
	if (has_mark == REMOTE_MISSING)
		return 0;
	if (has_mark)
		return remote_fail(sink->remote, has_mark, "cannot look into", pending->folder, error);
	if (has_tmp && has_tmp != REMOTE_MISSING)
		return remote_fail(sink->remote, has_tmp, "cannot look into", pending->folder, error);
	if (has_tmp == REMOTE_MISSING) {
		*answer = RESOLVED_HAPPENED;
		return 0;
	}
	/* Ours and new, and the intent is of before: what its own attempt had left is gone. */
	if (prepared && prepared->made && prepared->stage == REMOTE_READY && !prepared->started)
		return 0;
	return look_for_second_name(sink, pending, answer, error);
}

int remote_sink_resolve(void *arg, struct attempt *attempt, enum resolved *answer, struct error *error)
{
	struct remote_sink *sink = arg;
	const struct remote_sink_settings *settings = remote_sink_settings(sink->ops, attempt->endpoint);
	struct remote_pending *pending = remote_pending_new(attempt, error);
	int result;

	if (!pending)
		return -1;
	result = look(sink, pending, answer, error);
	/* Whoever put it there, and with no witness left: these bytes under this name are the effect. */
	if (!result && *answer == RESOLVED_UNKNOWN && settings->exists != REMOTE_NUMBER) {
		result = has_content(sink, pending, error);
		*answer = result > 0 ? RESOLVED_HAPPENED : RESOLVED_UNKNOWN;
		result = result < 0 ? -1 : 0;
	}
	FAULT("remote.resolved");
	if (!result && *answer == RESOLVED_HAPPENED)
		write_receipt(sink, pending, pending->name, true);
	remote_pending_free(pending);
	return result;
}

static void forget_started(struct remote_sink *sink, const struct remote_pending *gone)
{
	for (struct remote_pending **at = &sink->first; *at; at = &(*at)->next)
		if (*at == gone) {
			*at = gone->next;
			break;
		}
	sink->last = &sink->first;
	while (*sink->last)
		sink->last = &(*sink->last)->next;
}

/* The mark first: what is left alone then is never taken for a delivery. What cannot be removed now is swept later. */
static void remove_hidden(struct remote_sink *sink, const struct remote_pending *pending)
{
	if (remote_sink_connect(sink, pending->attempt->endpoint, NULL))
		return;
	remote_remove_later(sink->remote, pending->mark, NULL);
	FAULT("remote.unmarked");
	if (pending->stage != REMOTE_WENT)
		remote_remove(sink->remote, pending->tmp, NULL);
}

void remote_sink_abandon(void *arg, struct attempt *attempt)
{
	struct remote_sink *sink = arg;
	struct remote_pending *pending = attempt->adapter;

	if (pending)
		forget_started(sink, pending);
	else if (attempt->settled) /* an earlier try may have left something */
		pending = remote_pending_new(attempt, NULL);
	if (pending && (attempt->settled || (pending->made && pending->stage == REMOTE_READY && !attempt->first_ms)))
		remove_hidden(sink, pending);
	remote_pending_free(pending);
	attempt->adapter = NULL;
	attempt->prepared = false;
}

/* ---- the rest -------------------------------------------------------------------------------------------------- */

int remote_sink_address(const struct remote_ops *ops, const struct endpoint *endpoint,
			const struct expression_input *input, struct message *message, struct error *error)
{
	return name_address(remote_sink_settings(ops, endpoint)->path, input, message, error);
}

void *remote_sink_open(const struct remote_ops *ops)
{
	struct remote_sink *sink = mem_alloc(sizeof *sink);

	sink->ops = ops;
	sink->last = &sink->first;
	return sink;
}

void remote_sink_close(void *arg)
{
	struct remote_sink *sink = arg;

	remote_close(sink->remote);
	free(sink);
}

int remote_sink_check(const struct remote_ops *ops, const struct endpoint *endpoint, struct error *error)
{
	struct span source = template_source(remote_sink_settings(ops, endpoint)->path);

	if (source.len && source.data[source.len - 1] == '/')
		return error_set(error, ERROR_FATAL, "file.name", "to: %s: '%.*s' names a folder; add a file name",
				 ops->name, SPAN_ARGS(source));
	return 0;
}

/* For tests of a site: how a delivery may fail, in the words of `fails:`. */
int remote_sink_judge(const struct remote_ops *ops, const struct attempt *attempt, const struct sink_answer *answer,
		      struct error *verdict, struct error *error)
{
	const struct {
		const char *name, *code;
	} failures[] = {{"full", ops->full},
			{"denied", ops->permission},
			{"missing", ops->missing},
			{"connect", ops->connect},
			{"timeout", ops->timeout}};
	struct span path = message_attr_find(attempt->message, "path");
	char shown[NAME_SHOWN];

	name_show(shown, path);
	if (answer->fails && !strcmp(answer->fails, "exists")) {
		error_set(verdict, ERROR_REJECT, "file.exists", "%s exists already", shown);
		return 0;
	}
	for (size_t i = 0; answer->fails && i < sizeof failures / sizeof *failures; i++)
		if (!strcmp(failures[i].name, answer->fails)) {
			error_set(verdict, ERROR_RETRY, failures[i].code, "cannot write %s", shown);
			verdict->scope = SCOPE_ENDPOINT;
			return 0;
		}
	return error_set(error, ERROR_REJECT, "test.answer",
			 "%s has no such answer: `fails` is one of exists, full, denied, missing, connect, timeout",
			 ops->spoken);
}

unsigned remote_sink_parallel(const struct endpoint *endpoint)
{
	return 64;
}
