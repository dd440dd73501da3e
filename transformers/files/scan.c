/* scan: lets a document through that clamd finds nothing in, by its INSTREAM command (clamd(8)) over a socket. What was
 * not scanned never passes: where clamd does not answer the document waits. */
#include "config.h"
#include "transformers/transformers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "transformers/files/document.h"

#define SLICE_MS 500
#define ANSWER_MAX 4096

struct scan_settings {
	const char *clamd;
	int64_t timeout_ms;
};

struct scanning {
	const struct scan_settings *settings;
	struct out *out;
	int fd;
	int64_t until; /* of what is waited for now */
};

static const struct option options[] = {
	{.name = "clamd",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct scan_settings, clamd),
	 .fallback = "/run/clamav/clamd.ctl",
	 .flags = OPTION_MAIN,
	 .help = "where clamd listens: the path of its socket, or HOST:PORT, over which documents go as they are"},
	{.name = "timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct scan_settings, timeout_ms),
	 .fallback = "5m",
	 .help = "how long it may take to take some bytes, or to answer"},
	OPTION_END,
};

/* ---- the socket ---------------------------------------------------------------------------------------------------
 */
static int away(const struct scanning *s, const char *why, struct error *error)
{
	return error_set(error, ERROR_RETRY, "scan.unavailable", "clamd at %s %s: the document waits",
			 s->settings->clamd, why);
}

/* Waits in slices, so that the watchdog hears of it. */
static int wait_for(struct scanning *s, short events, struct error *error)
{
	struct pollfd pollfd = {.fd = s->fd, .events = events};
	int ready;

	while ((ready = poll(&pollfd, 1, SLICE_MS)) <= 0) {
		if (ready < 0 && errno != EINTR)
			return away(s, strerror(errno), error);
		if (clock_tick_ms() > s->until)
			return away(s, "takes too long", error);
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
		return away(s, strerror(errno), error);
	if (!connect(s->fd, address, size))
		return 0;
	if (errno != EINPROGRESS)
		return away(s, strerror(errno), error);
	if (wait_for(s, POLLOUT, error))
		return -1;
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &length);
	return failed ? away(s, strerror(failed), error) : 0;
}

static int connect_path(struct scanning *s, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(s->settings->clamd) >= sizeof address.sun_path)
		return away(s, "has too long a path", error);
	memcpy(address.sun_path, s->settings->clamd, strlen(s->settings->clamd));
	return connect_to(s, (struct sockaddr *)&address, sizeof address, error);
}

static int connect_host(struct scanning *s, const char *colon, struct error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char *host = mem_span_dup(span_make(s->settings->clamd, (size_t)(colon - s->settings->clamd)));
	int failed = getaddrinfo(host, colon + 1, &hints, &found), result = -1;

	free(host);
	if (failed)
		return away(s, gai_strerror(failed), error);
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

/* 1: it was closed, and clamd may have said why. */
static int send_all(struct scanning *s, struct span bytes, struct error *error)
{
	while (bytes.len) {
		ssize_t n = send(s->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (n > 0) {
			bytes = span_make(bytes.data + n, bytes.len - (size_t)n);
			s->until = clock_tick_ms() + s->settings->timeout_ms;
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (wait_for(s, POLLOUT, error))
				return -1;
		} else {
			return errno == EPIPE || errno == ECONNRESET ? 1 : away(s, strerror(errno), error);
		}
	}
	return 0;
}

/* ---- the protocol -------------------------------------------------------------------------------------------------
 */
static int send_chunk(struct scanning *s, struct span chunk, struct error *error)
{
	uint32_t length = htonl((uint32_t)chunk.len);
	int result = send_all(s, span_make(&length, sizeof length), error);

	return result ? result : send_all(s, chunk, error);
}

static int send_document(struct scanning *s, struct item *item, struct error *error)
{
	struct document_feed feed;
	struct span chunk;
	int result = send_all(s, span_make("zINSTREAM", sizeof "zINSTREAM"), error), more = 0;

	document_feed_begin(&feed, item, s->out);
	while (!result && (more = document_feed_next(&feed, &chunk, error)) > 0)
		result = send_chunk(s, chunk, error);
	document_feed_end(&feed);
	if (more < 0)
		return -1;
	return result ? result : send_chunk(s, SPAN_NONE, error);
}

static int read_answer(struct scanning *s, char answer[ANSWER_MAX], struct error *error)
{
	size_t used = 0;

	s->until = clock_tick_ms() + s->settings->timeout_ms;
	for (;;) {
		ssize_t n = recv(s->fd, answer + used, ANSWER_MAX - 1 - used, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (wait_for(s, POLLIN, error))
				return -1;
			continue;
		}
		used += n > 0 ? (size_t)n : 0;
		answer[used] = '\0';
		if (n <= 0 || strlen(answer) < used || used == ANSWER_MAX - 1)
			break;
	}
	answer[strcspn(answer, "\n")] = '\0';
	return *answer ? 0 : away(s, "closed the connection without an answer", error);
}

/* "stream: OK", "stream: NAME FOUND", "… ERROR": what is none of the first two is no leave to pass. */
static int judge(const struct scanning *s, char *answer, struct error *error)
{
	struct span text = span_of(answer), name = text;

	if (span_is(text, "stream: OK"))
		return 0;
	if (span_ends(text, " FOUND")) {
		if (span_starts(name, "stream: "))
			name = span_make(name.data + 8, name.len - 8);
		return error_set(error, ERROR_REJECT, "scan.infected", "clamd found %.*s in it", (int)(name.len - 6),
				 name.data);
	}
	if (strstr(answer, "size limit exceeded"))
		return error_set(error, ERROR_REJECT, "scan.too-large",
				 "clamd takes no document of this size (its StreamMaxLength): it was not scanned, and "
				 "does not pass");
	return error_set(error, ERROR_RETRY, "scan.unavailable", "clamd at %s says: %s: the document waits",
			 s->settings->clamd, answer);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	struct scanning s = {.settings = self, .out = out, .fd = -1};
	const char *colon = strrchr(s.settings->clamd, ':');
	char answer[ANSWER_MAX] = "";
	int failed;

	s.until = clock_tick_ms() + s.settings->timeout_ms;
	failed = *s.settings->clamd == '/' || !colon ? connect_path(&s, error) : connect_host(&s, colon, error);
	if (!failed)
		failed = send_document(&s, item, error) < 0 || read_answer(&s, answer, error) ||
			 judge(&s, answer, error);
	if (s.fd >= 0)
		close(s.fd);
	return failed ? -1 : out_emit(out, item, error);
}

const struct transformer_ops scan_transformer = {
	.name = "scan",
	.help = "Lets a document through in which clamd finds no virus",
	.options = options,
	.settings_size = sizeof(struct scan_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.run = run,
};
