/* Trying a TCP connection without blocking. See amqp_probe.h. */
#include "config.h"
#include "broker-adapters/queues/amqp_probe.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/resolve.h"

#define WAIT_MS 3000

struct probe {
	struct loop *loop;
	char host[256];
	int port;
	bool greet;
	probe_fn *fn;
	void *arg;
	struct addrinfo *addresses, *at;
	int fd;
	struct watch *watch;
	struct timer *timer;
	struct error error;
};

static void try_next(void *arg);

static void stop(struct probe *probe)
{
	loop_unwatch(probe->watch);
	loop_cancel(probe->timer);
	probe->watch = NULL;
	probe->timer = NULL;
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	stop(probe);
	if (probe->addresses)
		freeaddrinfo(probe->addresses);
	free(probe);
}

static void end(struct probe *probe, bool found)
{
	struct error error = probe->error;
	probe_fn *fn = probe->fn;
	void *arg = probe->arg;

	probe_free(probe);
	fn(arg, found ? NULL : &error);
}

static void failed(struct probe *probe, int number)
{
	errno = number;
	error_errno(&probe->error, ERROR_RETRY, "broker.down", "no connection to %s port %d", probe->host, probe->port);
	stop(probe);
	probe->at = probe->at->ai_next;
	try_next(probe);
}

static void on_answer(void *arg, unsigned events)
{
	struct probe *probe = arg;
	char first;

	if (recv(probe->fd, &first, 1, 0) == 1)
		end(probe, true);
	else
		failed(probe, ECONNRESET);
}

static void on_connected(void *arg, unsigned events)
{
	static const char header[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
	struct probe *probe = arg;
	int number = 0;
	socklen_t size = sizeof number;

	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &number, &size);
	if (number) {
		failed(probe, number);
	} else if (!probe->greet) {
		end(probe, true);
	} else if (send(probe->fd, header, sizeof header, MSG_NOSIGNAL) != sizeof header) {
		failed(probe, ECONNRESET);
	} else {
		loop_unwatch(probe->watch);
		probe->watch = loop_watch(probe->loop, probe->fd, LOOP_READ, on_answer, probe);
	}
}

static void on_late(void *arg)
{
	struct probe *probe = arg;

	probe->timer = NULL;
	failed(probe, ETIMEDOUT);
}

static void try_next(void *arg)
{
	struct probe *probe = arg;

	if (!probe->at) {
		end(probe, false);
		return;
	}
	probe->fd = socket(probe->at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe->fd < 0 || (connect(probe->fd, probe->at->ai_addr, probe->at->ai_addrlen) && errno != EINPROGRESS)) {
		failed(probe, errno);
		return;
	}
	probe->watch = loop_watch(probe->loop, probe->fd, LOOP_WRITE, on_connected, probe);
	probe->timer = loop_timer(probe->loop, WAIT_MS, 0, on_late, probe);
}

/* From the loop, so that the answer never comes before probe_new has returned. */
static void begin(void *arg)
{
	struct probe *probe = arg;
	const char *why;
	char port[16];

	probe->timer = NULL;
	snprintf(port, sizeof port, "%d", probe->port);
	if (resolve(probe->host, port, SOCK_STREAM, WAIT_MS, NULL, NULL, &probe->addresses, &why))
		error_set(&probe->error, ERROR_RETRY, "broker.down", "%s cannot be resolved: %s", probe->host, why);
	probe->at = probe->addresses;
	try_next(probe);
}

struct probe *probe_new(struct loop *loop, const char *host, int port, bool greet, probe_fn *fn, void *arg)
{
	struct probe *probe = mem_alloc(sizeof *probe);

	*probe = (struct probe){.loop = loop, .port = port, .greet = greet, .fn = fn, .arg = arg, .fd = -1};
	snprintf(probe->host, sizeof probe->host, "%s", host);
	probe->timer = loop_timer(loop, 0, 0, begin, probe);
	return probe;
}
