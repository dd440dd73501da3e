/* Asking an ssh-agent over its socket. See sftp_agent.h.
 *
 * A message is its length, its type and fields, as in SSH. Whatever comes from the other side is held against its
 * length; anything else than what was asked for ends the conversation. */
#include "config.h"
#include "broker-adapters/sftp/sftp_agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker-adapters/sftp/sftp_wire.h"

#define MESSAGE_MAX (256u * 1024)
#define KEYS_MAX 100
#define KEY_MAX 16384
#define CONNECT_PAUSE_MS 20 /* while its queue of connections is full */

enum agent_message {
	AGENT_FAILURE = 5,
	REQUEST_IDENTITIES = 11,
	IDENTITIES_ANSWER = 12,
	SIGN_REQUEST = 13,
	SIGN_RESPONSE = 14
};
enum agent_flag { RSA_SHA2_256 = 2 };

struct sftp_agent {
	int fd;
	int64_t timeout_ms;
	char *path;
	bool lost;
	struct buf listed, answer;
	struct span keys[KEYS_MAX]; /* in `listed` */
	size_t count;
};

static int failed(struct sftp_agent *agent, struct error *error, const char *what)
{
	agent->lost = true;
	error_set(error, ERROR_RETRY, "sftp.agent", "the ssh-agent at %s (SSH_AUTH_SOCK) %s", agent->path, what);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static int wait_for(struct sftp_agent *agent, short events, int64_t deadline, struct error *error)
{
	struct pollfd one = {.fd = agent->fd, .events = events};
	int64_t left = deadline - clock_tick_ms();
	char what[100];

	if (left > 0 && (poll(&one, 1, (int)left) >= 0 || errno == EINTR))
		return 0;
	snprintf(what, sizeof what, "gives no answer within %d s; it hangs, or waits for somebody",
		 (int)((agent->timeout_ms + 999) / 1000));
	return failed(agent, error, what);
}

static int send_all(struct sftp_agent *agent, struct span bytes, int64_t deadline, struct error *error)
{
	while (bytes.len) {
		ssize_t n = send(agent->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (n > 0)
			bytes = span_make(bytes.data + n, bytes.len - (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return failed(agent, error, "broke off");
		else if (wait_for(agent, POLLOUT, deadline, error))
			return -1;
	}
	return 0;
}

static int receive_all(struct sftp_agent *agent, char *into, size_t len, int64_t deadline, struct error *error)
{
	while (len) {
		ssize_t n = recv(agent->fd, into, len, 0);

		if (n > 0) {
			into += n;
			len -= (size_t)n;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			return failed(agent, error, "broke off; is it still running?");
		} else if (wait_for(agent, POLLIN, deadline, error)) {
			return -1;
		}
	}
	return 0;
}

static void put_u32(struct buf *into, size_t value)
{
	const char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};

	buf_append(into, bytes, 4);
}

/* The answer's type is taken off; its body lasts until the next. */
static int ask(struct sftp_agent *agent, struct span request, uint8_t *type, struct span *body, struct error *error)
{
	int64_t deadline = clock_tick_ms() + agent->timeout_ms;
	char head[4], *room;
	struct span at = span_make(head, sizeof head);
	struct buf message;
	uint32_t len = 0;
	int result;

	buf_init(&message, MESSAGE_MAX);
	put_u32(&message, request.len);
	buf_span(&message, request);
	result = send_all(agent, buf_view(&message), deadline, error);
	buf_free(&message);
	if (result || receive_all(agent, head, sizeof head, deadline, error))
		return -1;
	sftp_take_u32(&at, &len);
	buf_reset(&agent->answer);
	room = len ? buf_room(&agent->answer, len) : NULL;
	if (!room)
		return failed(agent, error, "answers what no agent would: a message of a wrong length");
	if (receive_all(agent, room, len, deadline, error))
		return -1;
	buf_added(&agent->answer, len);
	*type = (uint8_t)room[0];
	*body = span_make(room + 1, len - 1);
	return 0;
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */

/* Certificates, and keys on tokens, have signatures of another form than libssh2 makes of them. */
static bool is_usable(struct span key)
{
	static const char *const kinds[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
					    "ecdsa-sha2-nistp521", "ssh-rsa"};
	struct span kind;

	if (key.len > KEY_MAX || !sftp_take_text(&key, &kind))
		return false;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (span_is(kind, kinds[i]))
			return true;
	return false;
}

static int take_keys(struct sftp_agent *agent, struct span body, struct error *error)
{
	struct span key, comment;
	uint32_t count;

	if (!sftp_take_u32(&body, &count))
		return failed(agent, error, "answers what no agent would: a list that breaks off");
	for (uint32_t i = 0; i < count; i++) {
		if (!sftp_take_text(&body, &key) || !sftp_take_text(&body, &comment))
			return failed(agent, error, "answers what no agent would: a list that breaks off");
		if (agent->count < KEYS_MAX && is_usable(key))
			agent->keys[agent->count++] = key;
	}
	if (!agent->count)
		return failed(
			agent, error,
			count ? "has no key that can be used here: ed25519, ecdsa or rsa, no certificate and none on "
				"a token"
			      : "has no keys, or is locked; `ssh-add KEYFILE` gives it one");
	return 0;
}

static int list(struct sftp_agent *agent, struct error *error)
{
	const char request = REQUEST_IDENTITIES;
	struct span body;
	uint8_t type;

	if (ask(agent, span_make(&request, 1), &type, &body, error))
		return -1;
	if (type == AGENT_FAILURE)
		return failed(agent, error, "refuses to list its keys");
	if (type != IDENTITIES_ANSWER)
		return failed(agent, error, "answers what no agent would: no list of keys");
	buf_span(&agent->listed, body);
	return take_keys(agent, buf_view(&agent->listed), error);
}

size_t sftp_agent_count(const struct sftp_agent *agent)
{
	return agent->count;
}

struct span sftp_agent_key(const struct sftp_agent *agent, size_t i)
{
	return agent->keys[i];
}

bool sftp_agent_is_rsa(const struct sftp_agent *agent, size_t i)
{
	struct span key = agent->keys[i], kind;

	return sftp_take_text(&key, &kind) && span_is(kind, "ssh-rsa");
}

bool sftp_agent_is_lost(const struct sftp_agent *agent)
{
	return agent->lost;
}

/* ---- signing --------------------------------------------------------------------------------------------------- */

static int take_signature(struct sftp_agent *agent, struct span body, const char *algorithm, struct buf *into,
			  struct error *error)
{
	struct span signature, name, bytes;
	int result;

	if (!sftp_take_text(&body, &signature) || !sftp_take_text(&signature, &name) ||
	    !sftp_take_text(&signature, &bytes))
		return failed(agent, error, "answers what no agent would: a signature that breaks off");
	if (span_is(name, algorithm))
		return buf_span(into, bytes) ? failed(agent, error, "answers with a signature of a wrong length") : 0;
	result = failed(agent, error,
			span_is(name, "ssh-rsa") ? "signs for RSA keys with SHA-1 only, it is too old; take another key"
						 : "signs otherwise than it was asked to");
	agent->lost = false;
	return result;
}

int sftp_agent_sign(struct sftp_agent *agent, size_t i, struct span data, const char *algorithm, struct buf *signature,
		    struct error *error)
{
	const char type = SIGN_REQUEST;
	struct buf request;
	struct span body;
	uint8_t answered;
	int result;

	buf_init(&request, MESSAGE_MAX);
	buf_append(&request, &type, 1);
	put_u32(&request, agent->keys[i].len);
	buf_span(&request, agent->keys[i]);
	put_u32(&request, data.len);
	buf_span(&request, data);
	put_u32(&request, strcmp(algorithm, "rsa-sha2-256") ? 0 : RSA_SHA2_256);
	result = ask(agent, buf_view(&request), &answered, &body, error);
	buf_free(&request);
	if (result)
		return -1;
	if (answered == SIGN_RESPONSE)
		return take_signature(agent, body, algorithm, signature, error);
	if (answered != AGENT_FAILURE)
		return failed(agent, error, "answers what no agent would: no signature");
	failed(agent, error,
	       "refuses to sign with a key that it has: it was not confirmed, or is bound to other hosts");
	agent->lost = false;
	return -1;
}

/* ---- connecting ------------------------------------------------------------------------------------------------ */

/* A socket whose queue is full says so at once, there is nothing to poll for. */
static int reach(struct sftp_agent *agent, struct error *error)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int64_t deadline = clock_tick_ms() + agent->timeout_ms;
	char what[160];

	if (strlen(agent->path) >= sizeof at.sun_path)
		return failed(agent, error, "cannot be reached: the path is too long");
	memcpy(at.sun_path, agent->path, strlen(agent->path) + 1);
	agent->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	while (agent->fd < 0 || connect(agent->fd, (struct sockaddr *)&at, sizeof at)) {
		if (agent->fd < 0 || (errno != EAGAIN && errno != EINTR)) {
			snprintf(what, sizeof what, "cannot be reached: %s; start one with the site", strerror(errno));
			return failed(agent, error, what);
		}
		if (clock_tick_ms() > deadline)
			return wait_for(agent, POLLOUT, deadline, error);
		usleep(CONNECT_PAUSE_MS * 1000);
	}
	return 0;
}

static struct sftp_agent *agent_new(const char *path, int64_t timeout_ms)
{
	struct sftp_agent *agent = mem_alloc(sizeof *agent);

	agent->fd = -1;
	agent->timeout_ms = timeout_ms;
	agent->path = mem_strdup(path);
	buf_init(&agent->answer, MESSAGE_MAX);
	buf_init(&agent->listed, MESSAGE_MAX);
	return agent;
}

struct sftp_agent *sftp_agent_open(const char *path, int64_t timeout_ms, struct error *error)
{
	struct sftp_agent *agent;

	if (!path || !path[0]) {
		error_set(
			error, ERROR_RETRY, "sftp.agent",
			"there is no ssh-agent to ask: SSH_AUTH_SOCK is not set where the site was started; start one "
			"with the site, or name a key's file (`key`)");
		if (error)
			error->scope = SCOPE_ENDPOINT;
		return NULL;
	}
	agent = agent_new(path, timeout_ms);
	if (!reach(agent, error) && !list(agent, error))
		return agent;
	sftp_agent_close(agent);
	return NULL;
}

struct sftp_agent *sftp_agent_over(int fd, const char *path, int64_t timeout_ms, struct error *error)
{
	struct sftp_agent *agent = agent_new(path, timeout_ms);

	agent->fd = fd;
	if (!list(agent, error))
		return agent;
	sftp_agent_close(agent);
	return NULL;
}

void sftp_agent_close(struct sftp_agent *agent)
{
	if (!agent)
		return;
	if (agent->fd >= 0)
		close(agent->fd);
	buf_free(&agent->listed);
	buf_free(&agent->answer);
	free(agent->path);
	free(agent);
}
