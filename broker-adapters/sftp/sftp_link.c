/* The SSH connection under SFTP: session, waiting, bytes. See sftp.h and sftp_link.h.
 *
 * Nothing here blocks inside libssh2: every call is repeated until the socket is ready for it, and each wait has an
 * end. Behind a jump host the inner session's bytes are those of a channel of the outer one. */
#include "config.h"
#include "broker-adapters/sftp/sftp_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker-adapters/sftp/sftp_dial.h"

#define RECEIVE_WINDOW (8u << 20)
#define PACKET 32768u

int sftp_link_fail(struct sftp_link *link, const char *code, const char *doing, struct error *error)
{
	char *text = NULL;

	libssh2_session_last_error(link->session, &text, NULL, 0);
	error_set(error, ERROR_RETRY, code, "%s %s port %d: %s", doing, link->server.host, (int)link->server.port,
		  text && text[0] ? text : "the connection is lost");
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

static short events_of(const struct sftp_link *link)
{
	int directions = 0;
	short events = 0;

	for (; link; link = link->outer)
		directions |= libssh2_session_block_directions(link->session);
	if (directions & LIBSSH2_SESSION_BLOCK_INBOUND)
		events |= POLLIN;
	if (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND)
		events |= POLLOUT;
	return events ? events : POLLIN;
}

int sftp_link_wait(struct sftp_link *link, int64_t *silent_since, const char *doing, struct error *error)
{
	struct pollfd one = {.fd = link->fd, .events = events_of(link)};
	int64_t now = clock_tick_ms(), end, left;
	int next = 0, n;

	if (!*silent_since)
		*silent_since = now;
	end = link->deadline ? link->deadline : *silent_since + link->settings->timeout_ms;
	left = end - now;
	if (left <= 0) {
		error_set(error, ERROR_RETRY, "sftp.timeout", "%s %s port %d: no answer within %d s (timeout)", doing,
			  link->server.host, (int)link->server.port, (int)(link->settings->timeout_ms / 1000));
		if (error)
			error->scope = SCOPE_ENDPOINT;
		return -1;
	}
	if (link->channel && !link->deadline && !libssh2_keepalive_send(link->session, &next) && next > 0 &&
	    next * 1000 < left)
		left = next * 1000;
	n = poll(&one, 1, (int)left);
	return n < 0 && errno != EINTR
		       ? error_errno(error, ERROR_RETRY, "sftp.lost", "waiting for %s", link->server.host)
		       : 0;
}

#define CLOSE_TRIES 100

/* Repeats a call of libssh2 until it does not say "again". */
#define AGAIN(link, result, call, doing, error)                                                                        \
	do {                                                                                                           \
		int64_t silent_since = 0;                                                                              \
		while (((result) = (call)) == LIBSSH2_ERROR_EAGAIN)                                                    \
			if (sftp_link_wait(link, &silent_since, doing, error))                                         \
				return -1;                                                                             \
	} while (0)

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

int sftp_link_send(struct sftp_link *link, struct span bytes, struct error *error)
{
	int64_t silent_since = 0;

	while (bytes.len) {
		ssize_t n = libssh2_channel_write(link->channel, bytes.data, bytes.len);

		if (n == LIBSSH2_ERROR_EAGAIN) {
			if (sftp_link_wait(link, &silent_since, "sending to", error))
				return -1;
			continue;
		}
		if (n <= 0)
			return sftp_link_fail(link, "sftp.lost", "sending to", error);
		silent_since = 0;
		bytes = span_make(bytes.data + n, bytes.len - (size_t)n);
	}
	return 0;
}

static int ended(struct sftp_link *link, ssize_t n, struct error *error)
{
	if (n < 0)
		return sftp_link_fail(link, "sftp.lost", "receiving from", error);
	error_set(error, ERROR_RETRY, "sftp.lost", "%s port %d ended the connection", link->server.host,
		  (int)link->server.port);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

ssize_t sftp_link_receive(struct sftp_link *link, void *into, size_t len, struct error *error)
{
	int64_t silent_since = 0;
	ssize_t n;

	while ((n = libssh2_channel_read(link->channel, into, len)) == LIBSSH2_ERROR_EAGAIN)
		if (sftp_link_wait(link, &silent_since, "waiting for", error))
			return -1;
	return n > 0 ? n : ended(link, n, error);
}

ssize_t sftp_link_try(struct sftp_link *link, void *into, size_t len, struct error *error)
{
	int64_t silent_since = 0;
	ssize_t n;

	/* What it has begun to send must be sent before any other call. */
	while ((n = libssh2_channel_read(link->channel, into, len)) == LIBSSH2_ERROR_EAGAIN &&
	       (libssh2_session_block_directions(link->session) & LIBSSH2_SESSION_BLOCK_OUTBOUND))
		if (sftp_link_wait(link, &silent_since, "sending to", error))
			return -1;
	if (n == LIBSSH2_ERROR_EAGAIN)
		return 0;
	return n > 0 ? n : ended(link, n, error);
}

int sftp_link_wait_any(struct sftp_link *const *links, size_t n, int64_t *silent_since, struct error *error)
{
	for (size_t i = 0; i < n; i++) /* may have come while another was looked at */
		if (libssh2_poll_channel_read(links[i]->channel, 0) || libssh2_channel_eof(links[i]->channel))
			return 0;
	return sftp_link_wait(links[0], silent_since, "waiting for", error);
}

/* ---- through a jump host --------------------------------------------------------------------------------------- */

static ssize_t inner_send(libssh2_socket_t fd, const void *bytes, size_t len, int flags, void **abstract)
{
	struct sftp_link *link = *abstract;
	ssize_t n = link->closing ? -1 : libssh2_channel_write(link->outer->channel, bytes, len);

	return n == LIBSSH2_ERROR_EAGAIN ? -EAGAIN : n < 0 ? -ECONNRESET : n;
}

static ssize_t inner_receive(libssh2_socket_t fd, void *bytes, size_t len, int flags, void **abstract)
{
	struct sftp_link *link = *abstract;
	ssize_t n = link->closing ? -1 : libssh2_channel_read(link->outer->channel, bytes, len);

	return n == LIBSSH2_ERROR_EAGAIN ? -EAGAIN : n < 0 ? -ECONNRESET : n;
}

/* ---- connecting ------------------------------------------------------------------------------------------------ */

void sftp_link_close(struct sftp_link *link)
{
	if (!link)
		return;
	if (link->branch) {
		libssh2_channel_free(link->channel); /* or with its session */
		free(link);
		return;
	}
	if (link->session) {
		if (link->channel)
			libssh2_channel_free(link->channel);
		libssh2_session_disconnect(link->session, "done");
		/* A session that waits for its peer is not freed: let nothing wait any more. */
		link->closing = true;
		if (link->fd >= 0 && !link->outer)
			shutdown(link->fd, SHUT_RDWR);
		for (int i = 0; i < CLOSE_TRIES && libssh2_session_free(link->session) == LIBSSH2_ERROR_EAGAIN; i++)
			continue;
	}
	if (link->fd >= 0 && !link->outer)
		close(link->fd);
	sftp_link_close(link->outer);
	free(link);
}

/* What kind of key to ask for first; a server has several, and perhaps another one is pinned. */
static const char *const key_orders[] = {
	"ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,ssh-rsa",
	"ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,ssh-rsa", "ssh-rsa", NULL};

static struct sftp_link *link_new(const struct sftp_settings *settings, const struct endpoint *endpoint,
				  const struct sftp_server *server)
{
	struct sftp_link *link = mem_alloc(sizeof *link);

	link->settings = settings;
	link->endpoint = endpoint;
	link->server = *server;
	link->fd = -1;
	link->deadline = clock_tick_ms() + settings->timeout_ms;
	return link;
}

static int shake_hands(struct sftp_link *link, const char *order, struct error *error)
{
	int result;

	if (libssh2_init(0))
		return error_set(error, ERROR_FATAL, "sftp.library", "libssh2 cannot start");
	link->session = libssh2_session_init_ex(NULL, NULL, NULL, link);
	if (!link->session)
		return error_set(error, ERROR_FATAL, "sftp.library", "libssh2 cannot start a session");
	libssh2_session_set_blocking(link->session, 0);
	libssh2_session_method_pref(link->session, LIBSSH2_METHOD_HOSTKEY, order);
	libssh2_keepalive_config(link->session, 1, (unsigned)(link->settings->keepalive_ms / 1000));
	if (link->outer) {
		libssh2_session_callback_set(link->session, LIBSSH2_CALLBACK_SEND, (void *)inner_send);
		libssh2_session_callback_set(link->session, LIBSSH2_CALLBACK_RECV, (void *)inner_receive);
	}
	AGAIN(link, result, libssh2_session_handshake(link->session, link->fd), "talking to", error);
	if (!result)
		return 0;
	sftp_link_fail(link, "sftp.connect", "there is no SSH with", error);
	if (result == LIBSSH2_ERROR_KEX_FAILURE || result == LIBSSH2_ERROR_METHOD_NONE)
		error_add(error,
			  "; perhaps it has an RSA host key only: libssh2 %s takes those with SHA-1, which servers of "
			  "today (OpenSSH since 8.8) do not offer. Ask the partner for an ed25519 or ecdsa host key",
			  libssh2_version(0));
	return -1;
}

static int open_channel(struct sftp_link *link, const char *host, int64_t port, struct error *error)
{
	int64_t silent_since = 0;

	for (;;) {
		link->channel =
			host ? libssh2_channel_direct_tcpip_ex(link->session, host, (int)port, "127.0.0.1", 22)
			     : libssh2_channel_open_ex(link->session, "session", 7, RECEIVE_WINDOW, PACKET, NULL, 0);
		if (link->channel)
			return 0;
		if (libssh2_session_last_errno(link->session) != LIBSSH2_ERROR_EAGAIN)
			return sftp_link_fail(link, "sftp.connect",
					      host ? "the jump host does not lead on:" : "no channel on", error);
		if (sftp_link_wait(link, &silent_since, "opening a channel on", error))
			return -1;
	}
}

static int reach(struct sftp_link *link, const char *order, struct error *error);

static struct sftp_link *open_outer(struct sftp_link *link, struct error *error)
{
	const struct sftp_settings *settings = link->settings;
	struct sftp_server server = {.host = settings->jump.host,
				     .user = settings->jump.user ? settings->jump.user : settings->user,
				     .password = settings->jump.password,
				     .key = settings->jump.key,
				     .passphrase = settings->jump.passphrase,
				     .port = settings->jump.port,
				     .host_keys = &settings->jump.host_keys,
				     .agent = settings->agent};
	struct sftp_link *outer = NULL;
	struct peer_key other;
	struct error later;
	int state = 1;

	for (size_t i = 0; key_orders[i] && state == 1; i++) {
		struct error *told = i ? &later : error; /* it may have no key of another kind */

		sftp_link_close(outer);
		outer = link_new(settings, link->endpoint, &server);
		state = reach(outer, key_orders[i], told) ? -1
							  : sftp_key_check(outer, i ? &other : link->stranger, told);
		link->stopped |= state == 1;
	}
	if (state == 0)
		link->stopped = false;
	if (state || sftp_login(outer, error) || open_channel(outer, link->server.host, link->server.port, error)) {
		sftp_link_close(outer);
		error_wrap(error, "the jump host");
		return NULL;
	}
	outer->deadline = 0;
	return outer;
}

/* Up to the server's key. */
static int reach(struct sftp_link *link, const char *order, struct error *error)
{
	if (link->settings->jump.host && link->server.host_keys != &link->settings->jump.host_keys) {
		link->outer = open_outer(link, error);
		if (!link->outer)
			return -1;
		link->fd = link->outer->fd;
		link->deadline = clock_tick_ms() + link->settings->timeout_ms;
	} else {
		link->fd =
			sftp_dial(link->settings->proxy, link->server.host, link->server.port, link->deadline, error);
	}
	return link->fd < 0 || shake_hands(link, order, error) ? -1 : 0;
}

static struct sftp_server server_of(const struct sftp_settings *settings)
{
	return (struct sftp_server){settings->host,       settings->user, settings->password,   settings->key,
				    settings->passphrase, settings->port, &settings->host_keys, settings->agent};
}

/* Connected and asked for its key, in the order in which one may be known. 0 it is known; 1 it is not, or that of the
 * jump host is not (key->on_the_way): of the first that was shown; -1. */
static int reach_known(const struct sftp_settings *settings, const struct endpoint *endpoint, struct sftp_link **into,
		       struct peer_key *key, struct error *error)
{
	struct sftp_server server = server_of(settings);
	struct peer_key other;
	struct error later;
	int state = 1;

	for (size_t i = 0; key_orders[i] && state == 1; i++) {
		struct sftp_link *link = link_new(settings, endpoint, &server);

		link->stranger = i ? &other : key;
		state = reach(link, key_orders[i], i ? &later : error)
				? -1
				: sftp_key_check(link, i ? &other : key, i ? &later : error);
		if (state == 0) {
			*key = i ? other : *key;
			*into = link;
			return 0;
		}
		if (link->stopped && !i) {
			key->on_the_way = true;
			sftp_link_close(link);
			return 1;
		}
		sftp_link_close(link);
		if (i) /* it has no key of that kind */
			return 1;
	}
	return state;
}

static int open_sftp(struct sftp_link *link, struct error *error)
{
	int result;

	if (open_channel(link, NULL, 0, error))
		return -1;
	AGAIN(link, result, libssh2_channel_subsystem(link->channel, "sftp"), "starting SFTP on", error);
	if (result)
		return sftp_link_fail(link, "sftp.subsystem", "the account is good, but there is no SFTP on", error);
	link->deadline = 0;
	return 0;
}

struct sftp_link *sftp_link_open(const struct sftp_settings *settings, const struct endpoint *endpoint,
				 struct error *error)
{
	struct peer_key key;
	struct sftp_link *link = NULL;

	if (reach_known(settings, endpoint, &link, &key, error))
		return NULL;
	if (!sftp_login(link, error) && !open_sftp(link, error))
		return link;
	sftp_link_close(link);
	return NULL;
}

struct sftp_link *sftp_link_branch(struct sftp_link *trunk, struct error *error)
{
	struct sftp_link *link = mem_alloc(sizeof *link);

	*link = *trunk;
	link->branch = true;
	link->channel = NULL;
	link->deadline = clock_tick_ms() + link->settings->timeout_ms;
	if (!open_sftp(link, error))
		return link;
	sftp_link_close(link);
	return NULL;
}

int sftp_look(const struct sftp_settings *settings, const struct endpoint *endpoint, struct peer_key *key,
	      struct error *error)
{
	struct sftp_link *link = NULL;
	int state = reach_known(settings, endpoint, &link, key, error);

	sftp_link_close(link);
	return state < 0 ? -1 : 0;
}
