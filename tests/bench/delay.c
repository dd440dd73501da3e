/* A long line: what comes in goes on to a port of this machine, and the answers back, each byte `delay` later.
 *
 *     delay PORT MILLISECONDS      prints the port that it listens on; ends when its standard input ends
 *
 * The delay is one-way, so a round trip takes twice as long. Nothing is lost and nothing slows the bytes down: each
 * direction of a connection holds up to BUFFER bytes on their way, and takes no more while they are full. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (32u << 20)
#define READ_MOST (256u << 10)
#define BURSTS 65536u /* that are on their way at a time */
#define CONNECTIONS 32

/* What was read at once: it is due at once. */
struct burst {
	int64_t due_ns;
	uint64_t end; /* counted from the direction's first byte */
};

struct way {
	int from, to;
	char *bytes; /* a ring */
	uint64_t in, out;
	struct burst *bursts;
	size_t first, count;
	int64_t end_ns; /* when the end of the stream is due; 0: it goes on */
	bool ended;
};

struct connection {
	struct way there, back;
	bool used;
};

static struct connection connections[CONNECTIONS];
static int64_t delay_ns;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *room(size_t size)
{
	void *bytes = malloc(size);

	if (!bytes)
		die("memory");
	return bytes;
}

/* ---- one direction --------------------------------------------------------------------------------------------- */

static bool takes_more(const struct way *way)
{
	return way->from >= 0 && !way->end_ns && way->in - way->out < BUFFER && way->count < BURSTS;
}

static void way_read(struct way *way)
{
	size_t at = way->in % BUFFER, free_bytes = BUFFER - (size_t)(way->in - way->out), len = BUFFER - at;
	ssize_t n;

	len = len < free_bytes ? len : free_bytes;
	n = read(way->from, way->bytes + at, len < READ_MOST ? len : READ_MOST);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		way->end_ns = now_ns() + delay_ns;
		return;
	}
	way->in += (uint64_t)n;
	way->bursts[(way->first + way->count++) % BURSTS] = (struct burst){now_ns() + delay_ns, way->in};
}

static bool is_due(const struct way *way, int64_t now)
{
	return way->count && way->bursts[way->first].due_ns <= now;
}

static void way_write(struct way *way, int64_t now)
{
	while (is_due(way, now)) {
		struct burst *burst = &way->bursts[way->first];
		size_t at = way->out % BUFFER, len = (size_t)(burst->end - way->out);
		ssize_t n = send(way->to, way->bytes + at, len < BUFFER - at ? len : BUFFER - at, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			way->end_ns = now;
			way->count = 0;
			return;
		}
		way->out += (uint64_t)n;
		if (way->out == burst->end) {
			way->first = (way->first + 1) % BURSTS;
			way->count--;
		}
	}
	if (way->end_ns && !way->count && way->end_ns <= now && !way->ended) {
		shutdown(way->to, SHUT_WR);
		way->ended = true;
	}
}

/* When something happens by itself; INT64_MAX never. */
static int64_t way_next(const struct way *way)
{
	if (way->count)
		return way->bursts[way->first].due_ns;
	return way->end_ns && !way->ended ? way->end_ns : INT64_MAX;
}

/* ---- connections ----------------------------------------------------------------------------------------------- */

static void way_open(struct way *way, int from, int to)
{
	struct way kept = *way;

	*way = (struct way){.from = from, .to = to};
	way->bytes = kept.bytes ? kept.bytes : room(BUFFER);
	way->bursts = kept.bursts ? kept.bursts : room(BURSTS * sizeof *way->bursts);
}

static void quick(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void take_connection(int listening, int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int from = accept4(listening, NULL, NULL, SOCK_CLOEXEC), to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t i = 0;

	while (i < CONNECTIONS && connections[i].used)
		i++;
	if (from < 0 || to < 0 || i == CONNECTIONS || connect(to, (struct sockaddr *)&address, sizeof address)) {
		close(from);
		close(to);
		return;
	}
	quick(from);
	quick(to);
	connections[i].used = true;
	way_open(&connections[i].there, from, to);
	way_open(&connections[i].back, to, from);
}

static void connection_work(struct connection *connection, short there, short back, int64_t now)
{
	if (there && takes_more(&connection->there))
		way_read(&connection->there);
	if (back && takes_more(&connection->back))
		way_read(&connection->back);
	way_write(&connection->there, now);
	way_write(&connection->back, now);
	if (!connection->there.ended || !connection->back.ended)
		return;
	close(connection->there.from);
	close(connection->there.to);
	connection->used = false;
}

static short events_of(const struct way *reads, const struct way *writes, int64_t now)
{
	return (short)((takes_more(reads) ? POLLIN : 0) | (is_due(writes, now) ? POLLOUT : 0));
}

static void work(int listening, int port)
{
	struct pollfd polled[2 + 2 * CONNECTIONS] = {{.fd = STDIN_FILENO, .events = POLLIN},
						     {.fd = listening, .events = POLLIN}};
	int64_t now = now_ns(), next = INT64_MAX, wait;
	struct timespec timeout;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *connection = &connections[i];
		struct way *there = &connection->there, *back = &connection->back;
		int64_t soon;

		polled[2 + 2 * i].fd = polled[3 + 2 * i].fd = -1;
		if (!connection->used)
			continue;
		polled[2 + 2 * i].events = events_of(there, back, now);
		polled[3 + 2 * i].events = events_of(back, there, now);
		/* without events a hang-up would be told again and again */
		polled[2 + 2 * i].fd = polled[2 + 2 * i].events ? there->from : -1;
		polled[3 + 2 * i].fd = polled[3 + 2 * i].events ? back->from : -1;
		soon = way_next(there) < way_next(back) ? way_next(there) : way_next(back);
		if (soon > now && soon < next)
			next = soon;
	}
	wait = next == INT64_MAX ? 1000000000 : next - now;
	timeout = (struct timespec){.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
	if (ppoll(polled, 2 + 2 * CONNECTIONS, &timeout, NULL) < 0 && errno != EINTR)
		die("poll");
	if (polled[0].revents)
		exit(0);
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (connections[i].used)
			connection_work(&connections[i], polled[2 + 2 * i].revents, polled[3 + 2 * i].revents,
					now_ns());
	if (polled[1].revents)
		take_connection(listening, port);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof address;
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = argc == 3 ? atoi(argv[1]) : 0;

	delay_ns = argc == 3 ? (int64_t)(atof(argv[2]) * 1e6) : -1;
	if (port <= 0 || delay_ns < 0) {
		fprintf(stderr, "usage: delay PORT MILLISECONDS\n");
		return 2;
	}
	if (listening < 0 || bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 16) ||
	    getsockname(listening, (struct sockaddr *)&address, &len))
		die("listening");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;)
		work(listening, port);
}
