/* The socket to a scanner. See scan.h. */
#include "config.h"
#include "transformers/files/scan.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/resolve.h"

#define SLICE_MS 500

int scan_away(const struct scanning *s, const char *why, struct error *error)
{
	return error_set(error, ERROR_RETRY, "scan.unavailable", "%s at %s %s: the document waits", s->what, s->where,
			 why);
}

void scan_time(struct scanning *s)
{
	s->until = clock_tick_ms() + s->timeout_ms;
}

int scan_wait(struct scanning *s, short events, struct error *error)
{
	struct pollfd pollfd = {.fd = s->fd, .events = events};
	int ready;

	while ((ready = poll(&pollfd, 1, SLICE_MS)) <= 0) {
		if (ready < 0 && errno != EINTR)
			return scan_away(s, strerror(errno), error);
		if (clock_tick_ms() > s->until)
			return scan_away(s, "takes too long", error);
		if (out_tick(s->out, error))
			return -1;
	}
	return 0;
}

static int connect_to(struct scanning *s, const struct sockaddr *address, socklen_t size, struct error *error)
{
	int failed = 0;
	socklen_t length = sizeof failed;

	s->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return scan_away(s, strerror(errno), error);
	if (!connect(s->fd, address, size))
		return 0;
	if (errno != EINPROGRESS)
		return scan_away(s, strerror(errno), error);
	if (scan_wait(s, POLLOUT, error))
		return -1;
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &length);
	return failed ? scan_away(s, strerror(failed), error) : 0;
}

int scan_connect_path(struct scanning *s, const char *path, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return scan_away(s, "has too long a path", error);
	memcpy(address.sun_path, path, strlen(path));
	return connect_to(s, (struct sockaddr *)&address, sizeof address, error);
}

struct naming {
	struct scanning *s;
	struct error *error;
	bool stopped;
};

static bool naming_tick(void *arg)
{
	struct naming *naming = arg;

	naming->stopped = out_tick(naming->s->out, naming->error);
	return !naming->stopped;
}

int scan_connect_host(struct scanning *s, const char *host, const char *port, struct error *error)
{
	struct naming naming = {.s = s, .error = error};
	struct addrinfo *found = NULL;
	const char *why;
	int result = -1;

	if (resolve(host, port, SOCK_STREAM, s->timeout_ms, naming_tick, &naming, &found, &why))
		return naming.stopped ? -1 : scan_away(s, why, error);
	for (struct addrinfo *each = found; each && result; each = each->ai_next) {
		result = connect_to(s, each->ai_addr, each->ai_addrlen, error);
		if (result && s->fd >= 0) {
			close(s->fd);
			s->fd = -1;
		}
	}
	freeaddrinfo(found);
	return result;
}

/* One that speaks while it is spoken to is listened to, or both would wait for each other. 1: it has said all. */
static int wait_both(struct scanning *s, struct error *error)
{
	struct pollfd pollfd = {.fd = s->fd, .events = POLLIN | POLLOUT};

	if (scan_wait(s, POLLIN | POLLOUT, error))
		return -1;
	return poll(&pollfd, 1, 0) > 0 && pollfd.revents & (POLLIN | POLLHUP) ? s->heard(s->arg, error) : 0;
}

int scan_send(struct scanning *s, struct span bytes, struct error *error)
{
	while (bytes.len) {
		ssize_t n = send(s->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (n > 0) {
			bytes = span_make(bytes.data + n, bytes.len - (size_t)n);
			scan_time(s);
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			int result = s->heard ? wait_both(s, error) : scan_wait(s, POLLOUT, error);

			if (result)
				return result;
		} else {
			return errno == EPIPE || errno == ECONNRESET ? 1 : scan_away(s, strerror(errno), error);
		}
	}
	return 0;
}
