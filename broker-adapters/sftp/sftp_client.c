/* Single requests of SFTP, one after the other. See sftp.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_many.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define LISTED_MAX 1000000 /* names that one listing may have at all */

struct sftp *sftp_open(const struct sftp_settings *settings, const struct endpoint *endpoint, struct error *error)
{
	struct sftp *sftp = mem_alloc(sizeof *sftp);

	struct sftp_link *link = sftp_link_open(settings, endpoint, error);

	sftp->keepalive_ms = settings->keepalive_ms;
	sftp->timeout_ms = settings->timeout_ms;
	sftp->lanes_wanted = settings->channels < SFTP_LANES_MAX ? (unsigned)settings->channels : SFTP_LANES_MAX;
	if (link && !sftp_lane_add(sftp, link, error))
		return sftp;
	sftp_close(sftp);
	return NULL;
}

void sftp_close(struct sftp *sftp)
{
	struct remote_attrs attrs;

	if (!sftp)
		return;
	if (sftp->lanes_count && sftp->lane->ignored > (sftp->probed_ms != 0) &&
	    !sftp->lost) /* what was asked last without waiting must not be lost with the connection */
		sftp_lstat(sftp, ".", &attrs, NULL);
	sftp_many_free(sftp->many);
	while (sftp->lanes_count)
		sftp_lane_drop(sftp);
	free(sftp);
}

bool sftp_is_lost(const struct sftp *sftp)
{
	return sftp->lost;
}

int sftp_check(struct sftp *sftp, struct error *error)
{
	if (!sftp->lost)
		return 0;
	error_set(error, ERROR_RETRY, "sftp.lost", "the connection to the SFTP server is lost");
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

int64_t sftp_idle_ms(const struct sftp *sftp)
{
	return clock_tick_ms() - sftp->answered_ms;
}

bool sftp_can_replace(const struct sftp *sftp)
{
	return sftp->can_replace;
}

int sftp_fail(struct sftp *sftp, int status, const char *doing, const char *path, struct error *error)
{
	const char *code = "sftp.failure", *advice = "the server does not say more";
	const char *said = status == sftp->said_status ? sftp->said : "";

	if (status < 0)
		return error_wrap(error, "%s %s", doing, path);
	switch (status) {
	case SFTP_NO_SUCH_FILE:
		code = "sftp.missing";
		advice = "make the folder there, or correct the path";
		break;
	case SFTP_DENIED:
		code = "sftp.permission";
		advice = "ask the partner for the right to do so";
		break;
	case SFTP_NO_SPACE:
	case SFTP_QUOTA:
		code = "sftp.full";
		advice = "the partner must make room; it goes on by itself";
		break;
	case SFTP_EXISTS:
		code = "sftp.exists";
		advice = "something of that name is there";
		break;
	default:
		break;
	}
	error_set(error, ERROR_RETRY, code, "%s %s: the server says \"%s\" (%d); %s", doing, path, said, status,
		  advice);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* ---- one path -------------------------------------------------------------------------------------------------- */

static uint32_t ask(struct sftp *sftp, enum sftp_type type, const char *path)
{
	size_t start;
	uint32_t id = sftp_begin(sftp, type, &start);

	sftp_put_text(sftp, span_of(path));
	if (type == FXP_MKDIR)
		sftp_put_u32(sftp, 0); /* no attributes */
	sftp_end(sftp, start);
	return id;
}

static int status_for(struct sftp *sftp, uint32_t id, struct error *error)
{
	struct sftp_reply reply;

	return sftp_answer(sftp, id, &reply, error) ? -1 : sftp_status_of(sftp, &reply, error);
}

static int attrs_of(struct sftp *sftp, struct sftp_reply *reply, struct remote_attrs *attrs, struct error *error)
{
	int status;

	if (reply->type == FXP_ATTRS)
		return sftp_take_attrs(&reply->body, attrs) ? SFTP_OK : sftp_garbled(sftp, "no attributes", error);
	status = sftp_status_of(sftp, reply, error);
	return status == SFTP_OK ? sftp_garbled(sftp, "no attributes", error) : status;
}

/* Asked of SFTP and not of SSH: it goes the whole way, a server's own clock for those who do nothing starts anew, and
 * libssh2 keeps each answer to one of its own keep-alives until the session ends. */
void sftp_breathe(struct sftp *sftp)
{
	int64_t now = clock_tick_ms();

	if (sftp->lost)
		return;
	sftp->lane = sftp->lanes[0];
	if (sftp_drain(sftp, NULL))
		return;
	if (!sftp->lane->ignored)
		sftp->probed_ms = 0;
	if (sftp->probed_ms) {
		sftp->lost = now - sftp->probed_ms > sftp->timeout_ms;
	} else if (now - sftp->answered_ms >= sftp->keepalive_ms) {
		sftp->probed_ms = now;
		sftp_ignore(sftp, ask(sftp, FXP_LSTAT, "."));
		sftp_flush(sftp, NULL);
	}
}

int sftp_lstat(struct sftp *sftp, const char *path, struct remote_attrs *attrs, struct error *error)
{
	struct sftp_reply reply;
	uint32_t id = ask(sftp, FXP_LSTAT, path);

	return sftp_answer(sftp, id, &reply, error) ? -1 : attrs_of(sftp, &reply, attrs, error);
}

int sftp_lstat_two(struct sftp *sftp, const char *a, int *status_a, struct remote_attrs *attrs_a, const char *b,
		   int *status_b, struct remote_attrs *attrs_b, struct error *error)
{
	struct sftp_reply reply;
	uint32_t first = ask(sftp, FXP_LSTAT, a), second = ask(sftp, FXP_LSTAT, b);

	*status_a = *status_b = -1;
	for (int i = 0; i < 2; i++) {
		int *status;

		if (sftp_next(sftp, &reply, error))
			return -1;
		status = reply.id == first ? status_a : reply.id == second ? status_b : NULL;
		if (!status || *status >= 0)
			return sftp_garbled(sftp, "an answer to nothing that was asked", error);
		*status = attrs_of(sftp, &reply, reply.id == first ? attrs_a : attrs_b, error);
		if (*status < 0)
			return -1;
	}
	return 0;
}

int sftp_remove(struct sftp *sftp, const char *path, struct error *error)
{
	return status_for(sftp, ask(sftp, FXP_REMOVE, path), error);
}

int sftp_remove_later(struct sftp *sftp, const char *path, struct error *error)
{
	if (sftp->lane->ignored == sizeof sftp->lane->ignored_ids / sizeof *sftp->lane->ignored_ids)
		return sftp_remove(sftp, path, error);
	sftp_ignore(sftp, ask(sftp, FXP_REMOVE, path));
	return sftp_flush(sftp, error);
}

int sftp_mkdir(struct sftp *sftp, const char *path, struct error *error)
{
	return status_for(sftp, ask(sftp, FXP_MKDIR, path), error);
}

static uint32_t ask_rename(struct sftp *sftp, bool replace, const char *from, const char *to)
{
	size_t start;
	uint32_t id = sftp_begin(sftp, replace ? FXP_EXTENDED : FXP_RENAME, &start);

	if (replace)
		sftp_put_text(sftp, SPAN_LITERAL("posix-rename@openssh.com"));
	sftp_put_text(sftp, span_of(from));
	sftp_put_text(sftp, span_of(to));
	sftp_end(sftp, start);
	return id;
}

int sftp_rename(struct sftp *sftp, const char *from, const char *to, struct error *error)
{
	return status_for(sftp, ask_rename(sftp, false, from, to), error);
}

int sftp_replace(struct sftp *sftp, const char *from, const char *to, struct error *error)
{
	return status_for(sftp, ask_rename(sftp, true, from, to), error);
}

int sftp_rename_look(struct sftp *sftp, bool replace, const char *from, const char *to, int *left, struct error *error)
{
	uint32_t renamed = ask_rename(sftp, replace, from, to), looked = ask(sftp, FXP_LSTAT, from);
	struct remote_attrs attrs;
	struct sftp_reply reply;
	int status = -1, n, *answer;

	*left = -1;
	for (int i = 0; i < 2; i++) {
		if (sftp_next(sftp, &reply, error))
			return -1;
		answer = reply.id == renamed ? &status : reply.id == looked ? left : NULL;
		if (!answer || *answer >= 0)
			return sftp_garbled(sftp, "an answer to nothing that was asked", error);
		n = answer == &status ? sftp_status_of(sftp, &reply, error) : attrs_of(sftp, &reply, &attrs, error);
		if (n < 0)
			return -1;
		*answer = n;
	}
	return status;
}

static int close_handle(struct sftp *sftp, const struct sftp_handle *handle, struct error *error)
{
	size_t start;
	uint32_t id = sftp_begin(sftp, FXP_CLOSE, &start);

	sftp_put_text(sftp, span_make(handle->bytes, handle->len));
	sftp_end(sftp, start);
	return status_for(sftp, id, error);
}

int sftp_touch(struct sftp *sftp, const char *path, struct error *error)
{
	struct sftp_handle handle;
	struct sftp_reply reply;
	size_t start;
	uint32_t id = sftp_begin(sftp, FXP_OPEN, &start);
	int status;

	sftp_put_text(sftp, span_of(path));
	sftp_put_u32(sftp, OPEN_WRITE | OPEN_CREAT | OPEN_EXCL);
	sftp_put_u32(sftp, 0);
	sftp_end(sftp, start);
	if (sftp_answer(sftp, id, &reply, error))
		return -1;
	status = sftp_take_handle(sftp, &reply, &handle, error);
	return status ? status : close_handle(sftp, &handle, error);
}

/* ---- room ------------------------------------------------------------------------------------------------------ */

/* Writes are under way in pieces, and blocks are rounded up: what is left beside them is no room. */
#define NO_ROOM (64u * 1024)

/* Of the reply: f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail (OpenSSH's PROTOCOL, 4.4).
 */
static bool take_space(struct span body, uint64_t *bytes, uint64_t *files)
{
	uint64_t fields[8];

	for (size_t i = 0; i < 8; i++)
		if (!sftp_take_u64(&body, &fields[i]))
			return false;
	*bytes = fields[1] && fields[4] > UINT64_MAX / fields[1] ? UINT64_MAX : fields[1] * fields[4];
	*files = fields[5] ? fields[7] : 1; /* some file systems count none */
	return true;
}

int sftp_why_not_written(struct sftp *sftp, int status, const char *path, uint64_t missing)
{
	char said[sizeof sftp->said];
	uint64_t bytes, files;
	struct sftp_reply reply;
	size_t start;
	uint32_t id;

	if (status != SFTP_FAILURE || !sftp->tells_space)
		return status;
	snprintf(said, sizeof said, "%s", status == sftp->said_status ? sftp->said : "");
	id = sftp_begin(sftp, FXP_EXTENDED, &start);
	sftp_put_text(sftp, SPAN_LITERAL("statvfs@openssh.com"));
	sftp_put_text(sftp, span_of(path));
	sftp_end(sftp, start);
	if (!sftp_answer(sftp, id, &reply, NULL) && reply.type == FXP_EXTENDED_REPLY &&
	    take_space(reply.body, &bytes, &files) && (!files || bytes < NO_ROOM || bytes < missing)) {
		status = SFTP_NO_SPACE;
		snprintf(said + strlen(said), sizeof said - strlen(said),
			 files ? "; %llu bytes are free" : "; no file is free", (unsigned long long)bytes);
	}
	memcpy(sftp->said, said, sizeof said);
	sftp->said_status = status;
	return status;
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

/* What a server may say, but no file can be called. */
static bool is_name(struct span name)
{
	return name.len && name.len <= NAME_MAX && !memchr(name.data, '/', name.len) &&
	       !memchr(name.data, '\0', name.len) && !span_is(name, ".") && !span_is(name, "..");
}

static int take_names(struct sftp *sftp, struct span body, unsigned *listed, remote_each_fn *each, void *arg,
		      bool *ended, struct error *error)
{
	struct remote_attrs attrs;
	struct span name, longname;
	char text[NAME_MAX + 1];
	uint32_t count;

	if (!sftp_take_u32(&body, &count))
		return sftp_garbled(sftp, "a listing that breaks off", error);
	for (uint32_t i = 0; i < count && !*ended; i++) {
		if (!sftp_take_text(&body, &name) || !sftp_take_text(&body, &longname) ||
		    !sftp_take_attrs(&body, &attrs))
			return sftp_garbled(sftp, "a listing that breaks off", error);
		if (++*listed > LISTED_MAX)
			return sftp_garbled(sftp, "a listing without an end", error);
		if (!is_name(name))
			continue;
		memcpy(text, name.data, name.len);
		text[name.len] = '\0';
		*ended = !each(arg, text, &attrs);
	}
	return 0;
}

int sftp_list(struct sftp *sftp, const char *path, remote_each_fn *each, void *arg, struct error *error)
{
	struct sftp_handle handle;
	struct sftp_reply reply;
	unsigned listed = 0;
	bool ended = false;
	int status;

	if (sftp_answer(sftp, ask(sftp, FXP_OPENDIR, path), &reply, error))
		return -1;
	status = sftp_take_handle(sftp, &reply, &handle, error);
	if (status)
		return status;
	while (!ended) {
		size_t start;
		uint32_t id = sftp_begin(sftp, FXP_READDIR, &start);

		sftp_put_text(sftp, span_make(handle.bytes, handle.len));
		sftp_end(sftp, start);
		if (sftp_answer(sftp, id, &reply, error))
			return -1;
		if (reply.type == FXP_NAME) {
			if (take_names(sftp, reply.body, &listed, each, arg, &ended, error))
				return -1;
			continue;
		}
		status = sftp_status_of(sftp, &reply, error);
		if (status < 0)
			return -1;
		break;
	}
	if (close_handle(sftp, &handle, error) < 0)
		return -1;
	return status == SFTP_EOF ? SFTP_OK : status;
}
