/* The way to a server: names, addresses, and a SOCKS5 proxy (RFC 1928) between them. See sftp_link.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/resolve.h"

static int refused(struct error *error, const char *code, const char *host, const char *port, const char *why)
{
	error_set(error, ERROR_RETRY, code,
		  "cannot connect to %s port %s: %s; is the address right, and may we go there?", host, port, why);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* Ready for that, or the deadline has passed. */
static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd one = {.fd = fd, .events = events};
	int64_t left = deadline - clock_tick_ms();
	int n;

	do
		n = poll(&one, 1, left > 0 ? (int)left : 0);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

static int try_address(const struct addrinfo *at, int64_t deadline)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, saved = 0;
	socklen_t len = sizeof saved;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	if (!connect(fd, at->ai_addr, at->ai_addrlen))
		return fd;
	if (errno != EINPROGRESS || wait_for(fd, POLLOUT, deadline)) {
		saved = errno;
	} else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &saved, &len)) {
		saved = errno;
	}
	if (!saved)
		return fd;
	close(fd);
	errno = saved;
	return -1;
}

static int dial_directly(const char *host, const char *port, int64_t deadline, struct error *error)
{
	struct addrinfo *found = NULL;
	const char *why;
	int fd = -1;

	if (resolve(host, port, SOCK_STREAM, deadline - clock_tick_ms(), NULL, NULL, &found, &why))
		return refused(error, "sftp.connect", host, port, why);
	for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
		fd = try_address(at, deadline);
	freeaddrinfo(found);
	return fd < 0 ? refused(error, "sftp.connect", host, port, strerror(errno)) : fd;
}

/* ---- SOCKS5 ---------------------------------------------------------------------------------------------------- */

static int send_all(int fd, const void *bytes, size_t len, int64_t deadline)
{
	for (const char *at = bytes; len;) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if ((n < 0 && errno != EAGAIN && errno != EINTR) || wait_for(fd, POLLOUT, deadline)) {
			return -1;
		}
	}
	return 0;
}

static int receive_all(int fd, void *bytes, size_t len, int64_t deadline)
{
	for (char *at = bytes; len;) {
		ssize_t n = recv(fd, at, len, 0);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n == 0) {
			errno = ECONNRESET;
			return -1;
		} else if ((errno != EAGAIN && errno != EINTR) || wait_for(fd, POLLIN, deadline)) {
			return -1;
		}
	}
	return 0;
}

/* The name is looked up by the proxy: often only that one can. */
static const char *ask_proxy(int fd, const char *host, int64_t port, int64_t deadline)
{
	static const char *const reasons[] = {"",
					      "the proxy failed",
					      "the proxy does not allow it",
					      "the network cannot be reached from the proxy",
					      "the host cannot be reached from the proxy",
					      "the host refused the proxy's connection"};
	unsigned char request[4 + 1 + 255 + 2] = {5, 1, 0, 3}, answer[4 + 256 + 2];
	size_t len = strlen(host);

	if (len > 255)
		return "the name is too long for the proxy";
	if (send_all(fd, "\5\1\0", 3, deadline) || receive_all(fd, answer, 2, deadline))
		return "the proxy does not answer";
	if (answer[0] != 5 || answer[1] != 0)
		return "the proxy wants a login, or is none of SOCKS5";
	request[4] = (unsigned char)len;
	memcpy(request + 5, host, len);
	request[5 + len] = (unsigned char)(port >> 8);
	request[6 + len] = (unsigned char)port;
	if (send_all(fd, request, 7 + len, deadline) || receive_all(fd, answer, 5, deadline))
		return "the proxy does not answer";
	if (answer[1])
		return answer[1] < 6 ? reasons[answer[1]] : "the proxy refuses";
	len = answer[3] == 1 ? 4 : answer[3] == 4 ? 16 : 1 + (size_t)answer[4];
	return receive_all(fd, answer, len - 1 + 2, deadline) ? "the proxy does not answer" : NULL;
}

int sftp_proxy_parse(const char *proxy, char host[256], char port[8])
{
	const char *at = strncmp(proxy, "socks5://", 9) ? proxy : proxy + 9, *colon = strrchr(at, ':');
	size_t len = colon ? (size_t)(colon - at) : 0;

	if (at == proxy || !len || len > 255 || strlen(colon + 1) > 5 || !colon[1] ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return -1;
	snprintf(host, 256, "%.*s", (int)len, at);
	snprintf(port, 8, "%s", colon + 1);
	return 0;
}

int sftp_dial(const char *proxy, const char *host, int64_t port, int64_t deadline, struct error *error)
{
	char text[8], proxy_host[256], proxy_port[8];
	const char *why;
	int fd;

	snprintf(text, sizeof text, "%d", (int)port);
	if (!proxy)
		return dial_directly(host, text, deadline, error);
	if (sftp_proxy_parse(proxy, proxy_host, proxy_port))
		return error_set(error, ERROR_FATAL, "sftp.proxy", "proxy: '%s' is not of the form socks5://host:port",
				 proxy);
	fd = dial_directly(proxy_host, proxy_port, deadline, error);
	if (fd < 0)
		return error_wrap(error, "the proxy");
	why = ask_proxy(fd, host, port, deadline);
	if (!why)
		return fd;
	close(fd);
	return refused(error, "sftp.proxy", host, text, why);
}
