/* The SFTP sink: one message becomes one file on a partner's server, under its final name only when it is complete.
 *
 * Two hidden files in the target's own folder make an interrupted delivery decidable, as with the file sink:
 *
 *   .ferrule-<key>.tmp   the content; its rename to the final name is the effect
 *   .ferrule-<key>.mark  empty: the content had been prepared. Stays until the outcome is committed
 *
 *   prepare   write .tmp, have it synced where the server can, make .mark              (before the intent)
 *   start     rename .tmp to the final name                                            (after it)
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
#include "broker-adapters/sftp/sftp_sink.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "base/utf8.h"

#define NUMBERED_MAX 10000
#define IDLE_MS 20000

#define SFTP_OF sftp_sink_settings
#define OWN(kind, field) .type = kind, .offset = offsetof(struct sftp_sink_settings, field)
static const struct option options[] = {
	{.name = "path",
	 OWN(OPTION_TEMPLATE, path),
	 .help = "The file to write, relative to where the account begins",
	 .flags = OPTION_MAIN | OPTION_REQUIRED},
	SFTP_OPTIONS,
	{.name = "exists",
	 OWN(OPTION_ENUM, exists),
	 .fallback = "refuse",
	 .range = "refuse|replace|number",
	 .help = "What to do when a file of that name is there: refuse the message, replace the file, or take the next "
		 "free number"},
	{.name = "verify",
	 OWN(OPTION_ENUM, verify),
	 .fallback = "size",
	 .range = "size|content",
	 .help = "What must be right before the file gets its name: its size there, or each byte, read back"},
	{.name = "create",
	 OWN(OPTION_BOOL, create),
	 .fallback = "false",
	 .help = "Make the directory there when it is missing"},
	OPTION_END,
};

/* ---- the connection -------------------------------------------------------------------------------------------- */

int sftp_sink_connect(struct sftp_sink *sink, const struct endpoint *endpoint, struct error *error)
{
	const struct sftp_sink_settings *settings = endpoint->settings;
	struct sftp_attrs attrs;

	if (sink->sftp && sink->endpoint == endpoint && !sftp_is_lost(sink->sftp) &&
	    (sftp_idle_ms(sink->sftp) < IDLE_MS || sftp_lstat(sink->sftp, ".", &attrs, NULL) >= 0))
		return 0;
	sftp_close(sink->sftp);
	sink->endpoint = endpoint;
	sink->sftp = sftp_open(&settings->connection, endpoint, error);
	return sink->sftp ? 0 : -1;
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static char *target_of(const struct sftp_pending *pending, const char *name)
{
	return mem_printf("%s/%s", pending->folder, name);
}

static int refuse_existing(struct sftp_pending *pending, const char *what, struct error *error)
{
	char shown[NAME_SHOWN];

	name_show(shown, span_of(pending->name));
	return error_set(error, ERROR_REJECT, "file.exists", "%s/%s %s", pending->folder, shown, what);
}

/* The store says that nothing happened, though an earlier try renamed: a person has it delivered again, or receipts are
 * that old. What stood as witness goes first, so that a crash in between is a doubt and not a belief. */
static int begin_anew(struct sftp_sink *sink, struct sftp_pending *pending, struct error *error)
{
	int status = sftp_remove(sink->sftp, pending->mark, error);

	if (status > 0 && status != SFTP_NO_SUCH_FILE)
		return sftp_fail(sink->sftp, status, "cannot remove", pending->mark, error);
	return status < 0 ? -1 : sftp_make_ready(sink, pending, false, false, 0, error);
}

/* What was asked for last may have happened. */
static int in_doubt(struct error *error)
{
	error->class = ERROR_DOUBT;
	error->scope = SCOPE_MESSAGE;
	return -1;
}

/* After a rename that failed or whose answer is missing. 0 it is done, 1 the name is taken, -1. */
static int why_not(struct sftp_sink *sink, struct sftp_pending *pending, const char *target, int status,
		   struct error *error)
{
	struct sftp_attrs tmp, there;
	int has_tmp, has_target;
	char said[200];

	sftp_fail(sink->sftp, status, "cannot rename in", pending->folder, error);
	snprintf(said, sizeof said, "%.199s", error->text);
	if (sftp_lstat_two(sink->sftp, pending->tmp, &has_tmp, &tmp, target, &has_target, &there, error))
		return in_doubt(error);
	if (has_tmp == SFTP_OK && has_target == SFTP_OK)
		return 1;
	if (has_tmp == SFTP_NO_SUCH_FILE) {
		error_set(error, ERROR_DOUBT, "file.vanished", "the prepared file in %s is gone: %s", pending->folder,
			  said);
		return -1;
	}
	return sftp_fail(sink->sftp, status, "cannot rename in", pending->folder, error);
}

/* Without ever overwriting, whatever the server's rename does. */
static int publish_new(struct sftp_sink *sink, struct sftp_pending *pending, const char *target, struct error *error)
{
	struct sftp_attrs there;
	int status = sftp_lstat(sink->sftp, target, &there, error);

	if (status == SFTP_OK)
		return 1;
	if (status < 0)
		return -1;
	if (status != SFTP_NO_SUCH_FILE)
		return sftp_fail(sink->sftp, status, "cannot look into", pending->folder, error);
	FAULT("sftp.renaming");
	status = sftp_rename(sink->sftp, pending->tmp, target, error);
	if (status < 0)
		return in_doubt(error);
	return status == SFTP_OK ? 0 : why_not(sink, pending, target, status, error);
}

/* At once where the server can; else the old file goes first, and for that moment there is none. */
static int publish_over(struct sftp_sink *sink, struct sftp_pending *pending, const char *target, struct error *error)
{
	struct sftp_attrs there;
	int status = sftp_lstat(sink->sftp, target, &there, error);

	if (status < 0)
		return -1;
	if (status == SFTP_OK && there.has_mode && (there.mode & 0170000) && (there.mode & 0170000) != 0100000)
		return refuse_existing(pending, "is there and is not a regular file; it is not replaced", error);
	pending->replaced = status == SFTP_OK;
	FAULT("sftp.renaming");
	if (sftp_can_replace(sink->sftp)) {
		status = sftp_replace(sink->sftp, pending->tmp, target, error);
	} else {
		status = pending->replaced ? sftp_remove(sink->sftp, target, error) : SFTP_OK;
		if (status == SFTP_OK || status == SFTP_NO_SUCH_FILE)
			status = sftp_rename(sink->sftp, pending->tmp, target, error);
	}
	if (status < 0)
		return in_doubt(error);
	return status == SFTP_OK ? 0 : why_not(sink, pending, target, status, error);
}

static int publish(struct sftp_sink *sink, struct sftp_pending *pending, struct error *error)
{
	const struct sftp_sink_settings *settings = pending->attempt->endpoint->settings;

	for (unsigned n = 1; n <= NUMBERED_MAX; n++) {
		char *target;
		int result;

		name_numbered(pending->placed, pending->name, n, "");
		target = target_of(pending, pending->placed);
		result = settings->exists == SFTP_OVER ? publish_over(sink, pending, target, error)
						       : publish_new(sink, pending, target, error);
		free(target);
		if (result <= 0)
			return result;
		if (settings->exists != SFTP_NUMBER)
			break;
	}
	return refuse_existing(pending, "exists already; take it away and replay the message, or set `exists: number`",
			       error);
}

static int sftp_sink_start(void *arg, struct attempt *attempt, struct error *error)
{
	struct sftp_sink *sink = arg;
	struct sftp_pending *pending = attempt->adapter;

	pending->started = true;
	if (sftp_sink_connect(sink, attempt->endpoint, error) ||
	    (pending->stage == SFTP_WENT && begin_anew(sink, pending, error)) || publish(sink, pending, error)) {
		if (error != &attempt->error)
			attempt->error = *error;
		return -1;
	}
	FAULT("sftp.renamed");
	pending->stage = SFTP_WENT;
	pending->next = NULL;
	*sink->last = pending;
	sink->last = &pending->next;
	return 0;
}

/* ---- reap ------------------------------------------------------------------------------------------------------ */

static void write_receipt(struct sftp_pending *pending, const char *name, bool resolved)
{
	struct attempt *attempt = pending->attempt;
	const struct sftp_sink_settings *settings = attempt->endpoint->settings;
	const struct message *message = attempt->message;
	char shown[NAME_SHOWN], hex[ID_TEXT];
	uint8_t digest[32];
	json_t *receipt = json_object();
	char *text;

	name_show(shown, span_of(name));
	text = mem_printf("%s/%s", pending->folder, utf8_is_clean(span_of(name)) ? name : shown);
	json_object_set_new(receipt, "host", json_string(settings->connection.host));
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
			    json_string(settings->verify == SFTP_VERIFY_CONTENT ? "content" : "size"));
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

static int sftp_sink_reap(void *arg, struct attempt **into, size_t max, size_t *count, int wake, int wait_ms,
			  struct error *error)
{
	struct sftp_sink *sink = arg;
	struct pollfd woken = {.fd = wake, .events = POLLIN};

	*count = 0;
	if (!sink->first && wait_ms && max)
		poll(&woken, wake >= 0, wait_ms);
	while (sink->first && *count < max) {
		struct sftp_pending *pending = sink->first;

		sink->first = pending->next;
		if (!sink->first)
			sink->last = &sink->first;
		error_clear(&pending->attempt->error);
		FAULT("sftp.reaped");
		write_receipt(pending, pending->placed, false);
		into[(*count)++] = pending->attempt;
	}
	return 0;
}

/* ---- resolve, abandon ------------------------------------------------------------------------------------------ */

/* Does the final name lead to these bytes? 1, 0, -1. */
static int has_content(struct sftp_sink *sink, struct sftp_pending *pending, struct error *error)
{
	struct reader *body = pending->attempt->message->body;
	uint64_t size = body ? reader_size(body) : 0;
	struct sftp_attrs there;
	char *target;
	int64_t same = -1;
	int status;

	target = target_of(pending, pending->name);
	status = sftp_lstat(sink->sftp, target, &there, error);
	if (status == SFTP_OK && there.size == size)
		same = sftp_same_bytes(sink->sftp, target, size + 1, body, error);
	free(target);
	if (status < 0 || sftp_is_lost(sink->sftp))
		return -1;
	return same >= 0 && (uint64_t)same == size;
}

/* .tmp is there: was the rename left half done? Its name is then that of a file with the same bytes. */
static int look_for_second_name(struct sftp_sink *sink, struct sftp_pending *pending, enum resolved *answer,
				struct error *error)
{
	const struct sftp_sink_settings *settings = pending->attempt->endpoint->settings;
	int there;

	*answer = RESOLVED_NOT;
	if (settings->exists == SFTP_OVER) /* doing it again is doing it once */
		return 0;
	there = has_content(sink, pending, error);
	if (there <= 0)
		return there;
	/* with numbers, an equal one of before may bear the name */
	*answer = settings->exists == SFTP_NUMBER ? RESOLVED_UNKNOWN : RESOLVED_HAPPENED;
	if (*answer == RESOLVED_HAPPENED && sftp_remove(sink->sftp, pending->tmp, error) < 0)
		return -1;
	return 0;
}

static int look(struct sftp_sink *sink, struct sftp_pending *pending, enum resolved *answer, struct error *error)
{
	const struct sftp_pending *prepared = pending->attempt->adapter;
	struct sftp_attrs tmp, mark;
	int has_tmp, has_mark;

	*answer = RESOLVED_UNKNOWN;
	if (sftp_sink_connect(sink, pending->attempt->endpoint, error) ||
	    sftp_lstat_two(sink->sftp, pending->tmp, &has_tmp, &tmp, pending->mark, &has_mark, &mark, error))
		return -1;
	if (has_mark == SFTP_NO_SUCH_FILE)
		return 0;
	if (has_mark)
		return sftp_fail(sink->sftp, has_mark, "cannot look into", pending->folder, error);
	if (has_tmp && has_tmp != SFTP_NO_SUCH_FILE)
		return sftp_fail(sink->sftp, has_tmp, "cannot look into", pending->folder, error);
	if (has_tmp == SFTP_NO_SUCH_FILE) {
		*answer = RESOLVED_HAPPENED;
		return 0;
	}
	/* Ours and new, and the intent is of before: what its own attempt had left is gone. */
	if (prepared && prepared->made && prepared->stage == SFTP_READY && !prepared->started)
		return 0;
	return look_for_second_name(sink, pending, answer, error);
}

static int sftp_sink_resolve(void *arg, struct attempt *attempt, enum resolved *answer, struct error *error)
{
	const struct sftp_sink_settings *settings = attempt->endpoint->settings;
	struct sftp_sink *sink = arg;
	struct sftp_pending *pending = sftp_pending_new(attempt, error);
	int result;

	if (!pending)
		return -1;
	result = look(sink, pending, answer, error);
	/* Whoever put it there, and with no witness left: these bytes under this name are the effect. */
	if (!result && *answer == RESOLVED_UNKNOWN && settings->exists != SFTP_NUMBER) {
		result = has_content(sink, pending, error);
		*answer = result > 0 ? RESOLVED_HAPPENED : RESOLVED_UNKNOWN;
		result = result < 0 ? -1 : 0;
	}
	FAULT("sftp.resolved");
	if (!result && *answer == RESOLVED_HAPPENED)
		write_receipt(pending, pending->name, true);
	sftp_pending_free(pending);
	return result;
}

static void forget_started(struct sftp_sink *sink, const struct sftp_pending *gone)
{
	for (struct sftp_pending **at = &sink->first; *at; at = &(*at)->next)
		if (*at == gone) {
			*at = gone->next;
			break;
		}
	sink->last = &sink->first;
	while (*sink->last)
		sink->last = &(*sink->last)->next;
}

/* The mark first: what is left alone then is never taken for a delivery. What cannot be removed now is swept later. */
static void remove_hidden(struct sftp_sink *sink, const struct sftp_pending *pending)
{
	if (sftp_sink_connect(sink, pending->attempt->endpoint, NULL))
		return;
	sftp_remove_later(sink->sftp, pending->mark, NULL);
	FAULT("sftp.unmarked");
	if (pending->stage != SFTP_WENT)
		sftp_remove(sink->sftp, pending->tmp, NULL);
}

static void sftp_sink_abandon(void *arg, struct attempt *attempt)
{
	struct sftp_sink *sink = arg;
	struct sftp_pending *pending = attempt->adapter;

	if (pending)
		forget_started(sink, pending);
	else if (attempt->settled) /* an earlier try may have left something */
		pending = sftp_pending_new(attempt, NULL);
	if (pending && (attempt->settled || (pending->made && pending->stage == SFTP_READY && !attempt->first_ms)))
		remove_hidden(sink, pending);
	sftp_pending_free(pending);
	attempt->adapter = NULL;
	attempt->prepared = false;
}

/* ---- the rest -------------------------------------------------------------------------------------------------- */

static int sftp_sink_address(const struct endpoint *endpoint, const struct expression_input *input,
			     struct message *message, struct error *error)
{
	const struct sftp_sink_settings *settings = endpoint->settings;

	return name_address(settings->path, input, message, error);
}

static void *sftp_sink_open(struct error *error)
{
	struct sftp_sink *sink = mem_alloc(sizeof *sink);

	sink->last = &sink->first;
	return sink;
}

static void sftp_sink_close(void *arg)
{
	struct sftp_sink *sink = arg;

	sftp_close(sink->sftp);
	free(sink);
}

static int sftp_sink_check(const struct endpoint *endpoint, struct error *error)
{
	const struct sftp_sink_settings *settings = endpoint->settings;
	struct span source = template_source(settings->path);

	if (source.len && source.data[source.len - 1] == '/')
		return error_set(error, ERROR_FATAL, "file.name", "to: sftp: '%.*s' names a folder; add a file name",
				 SPAN_ARGS(source));
	return sftp_check_settings(&settings->connection, endpoint, error);
}

static int sftp_sink_endpoint(void *arg, const struct endpoint *endpoint, struct error *error)
{
	return sftp_sink_check(endpoint, error);
}

/* For tests of a site: how a delivery may fail, in the words of `fails:`. */
static int sftp_sink_judge(const struct attempt *attempt, const struct sink_answer *answer, struct error *verdict,
			   struct error *error)
{
	static const struct {
		const char *name, *code;
	} failures[] = {{"full", "sftp.full"},
			{"denied", "sftp.permission"},
			{"missing", "sftp.missing"},
			{"connect", "sftp.connect"},
			{"timeout", "sftp.timeout"}};
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
			 "an SFTP server has no such answer: `fails` is one of exists, full, denied, missing, connect, "
			 "timeout");
}

static unsigned sftp_sink_parallel(const struct endpoint *endpoint)
{
	return 64;
}

static int sftp_sink_look(const struct endpoint *endpoint, struct peer_key *key, struct error *error)
{
	const struct sftp_sink_settings *settings = endpoint->settings;

	return sftp_sink_check(endpoint, error) ? -1 : sftp_look(&settings->connection, endpoint, key, error);
}

const struct sink_ops sftp_sink_ops = {
	.name = "sftp",
	.help = "Puts each message as a file onto an SFTP server, complete or not at all",
	.options = options,
	.settings_size = sizeof(struct sftp_sink_settings),
	.traits = SINK_WITNESS,
	.natural = EFFECT_RENAME,
	.shared = false,
	.address = sftp_sink_address,
	.open = sftp_sink_open,
	.close = sftp_sink_close,
	.endpoint = sftp_sink_endpoint,
	.prepare = sftp_sink_prepare,
	.start = sftp_sink_start,
	.reap = sftp_sink_reap,
	.resolve = sftp_sink_resolve,
	.parallel = sftp_sink_parallel,
	.abandon = sftp_sink_abandon,
	.sweep = sftp_sink_sweep,
	.judge = sftp_sink_judge,
	.check = sftp_sink_check,
	.look = sftp_sink_look,
};
