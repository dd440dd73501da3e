/* counterpart serve: a target that does what it is told, once for each key or every time, and writes down each effect
 * before it answers. One thread; answers that wait (--slow, --hang) keep nobody else waiting. */
#include "config.h"
#include <signal.h>

#include "tests/lab/counterpart.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"

#define BODY_MAX (64u * 1024 * 1024)
#define BODY_SHOWN (16u * 1024) /* bodies up to this are in the log */

struct request {
	struct request *next; /* while it waits */
	struct MHD_Connection *connection;
	struct buf body;
	bool done, hangs;
	int64_t due;
	unsigned status;
	json_int_t order;
};

struct place {
	struct MHD_Daemon *daemon;
	const char *hang, *reject, *keep;
	bool idempotent;
	long fail_every, status, slow_ms, drop_every, retry_after;
	int log;
	json_t *keys; /* key → order of its effect */
	json_int_t effects, requests, recognised, failed, dropped, hung, rejected;
	struct request *waiting;
};

static void remember(void *arg, json_t *line)
{
	struct place *place = arg;
	const char *key = json_string_value(json_object_get(line, "key"));

	place->effects++;
	if (key && *key)
		json_object_set(place->keys, key, json_object_get(line, "order"));
}

static const char *field(struct request *request, const char *name)
{
	const char *value = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);

	return value ? value : "";
}

/* The key without a structured field's quotes. */
static char *key_of(struct request *request)
{
	const char *value = field(request, "Idempotency-Key");
	size_t n = strlen(value);

	return n >= 2 && value[0] == '"' && value[n - 1] == '"' ? mem_span_dup(span_make(value + 1, n - 2))
								: mem_strdup(value);
}

/* The body as it came, under the last part of the path. */
static void body_keep(const struct place *place, const struct request *request, const char *path)
{
	const char *last = strrchr(path, '/');
	char *name = mem_printf("%s/%s", place->keep, last && last[1] && last[1] != '.' ? last + 1 : "body");
	FILE *file = fopen(name, "wb");

	if (!file ||
	    fwrite(request->body.data ? request->body.data : "", 1, request->body.len, file) != request->body.len)
		die("cannot write %s", name);
	fclose(file);
	free(name);
}

static void effect(struct place *place, struct request *request, const char *path, const char *method, const char *key)
{
	struct id digest = id_digest(buf_view(&request->body));
	char hex[ID_TEXT];
	json_t *line, *body = NULL;

	id_hex(&digest, hex);
	request->order = ++place->effects;
	if (request->body.len <= BODY_SHOWN)
		body = json_loadb(request->body.data ? request->body.data : "", request->body.len, JSON_DECODE_ANY,
				  NULL);
	line = json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:o?}", "order", request->order, "at",
			 (json_int_t)clock_now_ms(), "method", method, "path", path, "key", key, "type",
			 field(request, "Content-Type"), "size", (json_int_t)request->body.len, "sha256", hex, "body",
			 body);
	if (!line)
		die("a request with text that is not UTF-8");
	if (place->keep)
		body_keep(place, request, path);
	if (*key)
		json_object_set_new(place->keys, key, json_integer(request->order));
	lines_add(place->log, line);
}

static enum MHD_Result respond(struct place *place, struct request *request)
{
	char *text = request->status < 300
			     ? mem_printf("{\"id\":\"%lld\"}\n", (long long)request->order)
			     : mem_printf("{\"title\":\"told to fail\",\"status\":%u}\n", request->status);
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;
	char number[32];

	MHD_add_response_header(response, "Content-Type",
				request->status < 300 ? "application/json" : "application/problem+json");
	snprintf(number, sizeof number, "%lld",
		 request->status < 300 ? (long long)request->order : (long long)place->retry_after);
	if (request->status < 300)
		MHD_add_response_header(response, "X-Request-Id", number);
	else if (place->retry_after)
		MHD_add_response_header(response, "Retry-After", number);
	result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}

/* MHD_NO: the connection is cut without an answer. */
static enum MHD_Result decide(struct place *place, struct request *request, const char *path, const char *method)
{
	char *key = key_of(request);
	json_t *known = place->idempotent && *key ? json_object_get(place->keys, key) : NULL;
	enum MHD_Result result = MHD_YES;

	request->done = true;
	request->status = 201;
	place->requests++;
	if (place->hang && strncmp(path, place->hang, strlen(place->hang)) == 0) {
		request->hangs = true;
		place->hung++;
	} else if (place->fail_every && place->requests % place->fail_every == 0) {
		request->status = (unsigned)place->status;
		place->failed++;
	} else if (place->reject && request->body.len &&
		   memmem(request->body.data, request->body.len, place->reject, strlen(place->reject))) {
		request->status = 422;
		place->rejected++;
	} else if (known) {
		request->order = json_integer_value(known);
		place->recognised++;
	} else {
		effect(place, request, path, method, key);
		if (place->drop_every && place->effects % place->drop_every == 0) {
			place->dropped++;
			result = MHD_NO;
		}
	}
	free(key);
	if (result == MHD_NO)
		return MHD_NO;
	if (!request->hangs && !place->slow_ms)
		return respond(place, request);
	request->due = request->hangs ? INT64_MAX : clock_tick_ms() + place->slow_ms;
	request->next = place->waiting;
	place->waiting = request;
	MHD_suspend_connection(request->connection);
	return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *data, size_t *len, void **state)
{
	struct place *place = arg;
	struct request *request = *state;

	if (!request) {
		*state = request = mem_alloc(sizeof *request);
		request->connection = connection;
		buf_init(&request->body, BODY_MAX);
		return MHD_YES;
	}
	if (*len) {
		buf_append(&request->body, data, *len);
		*len = 0;
		return MHD_YES;
	}
	return request->done ? respond(place, request) : decide(place, request, path, method);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct request *request = *state;

	if (!request)
		return;
	buf_free(&request->body);
	free(request);
	*state = NULL;
}

/* Lets those go whose time has come (or all); when the next is due. */
static int release(struct place *place, bool all)
{
	int64_t now = clock_tick_ms(), next = 60000;

	for (struct request **at = &place->waiting; *at;) {
		struct request *request = *at;

		if (!all && request->due > now) {
			if (request->due - now < next)
				next = request->due - now;
			at = &request->next;
			continue;
		}
		*at = request->next;
		if (request->hangs)
			request->status = 503;
		MHD_resume_connection(request->connection);
	}
	return (int)next;
}

static void run(struct place *place)
{
	int fd = MHD_get_daemon_info(place->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

	while (!ending) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		MHD_UNSIGNED_LONG_LONG theirs;
		int ms = release(place, false);

		if (MHD_get_timeout(place->daemon, &theirs) == MHD_YES && (MHD_UNSIGNED_LONG_LONG)ms > theirs)
			ms = (int)theirs;
		poll(&wait, 1, ms > 1000 ? 1000 : ms); /* a signal just before poll is seen a second later */
		MHD_run(place->daemon);
	}
	release(place, true);
	MHD_run(place->daemon);
	MHD_stop_daemon(place->daemon);
}

static void port_write(const char *path, unsigned port)
{
	char *name = mem_printf("%s.tmp", path);
	FILE *file = fopen(name, "w");

	if (!file || fprintf(file, "%u\n", port) < 0 || fclose(file) || rename(name, path))
		die("cannot write %s", path);
	free(name);
}

static void start(struct place *place, unsigned port, const char *port_file)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	place->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)port, NULL, NULL,
					 on_request, place, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED,
					 on_completed, NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
					 MHD_OPTION_CONNECTION_LIMIT, 1000u, MHD_OPTION_END);
	if (!place->daemon)
		die("cannot listen on port %u", port);
	port = MHD_get_daemon_info(place->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	if (port_file)
		port_write(port_file, port);
	printf("listening on http://127.0.0.1:%u\n", port);
	fflush(stdout);
}

int serve_main(int argc, char **argv)
{
	struct place place = {.status = 503, .keys = json_object()};
	const char *port_file = NULL, *log = NULL;
	long port = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--port") == 0)
			port = argument_number(&i, argc, argv);
		else if (strcmp(argv[i], "--port-file") == 0)
			port_file = argument_next(&i, argc, argv);
		else if (strcmp(argv[i], "--log") == 0)
			log = argument_next(&i, argc, argv);
		else if (strcmp(argv[i], "--idempotent") == 0)
			place.idempotent = true;
		else if (strcmp(argv[i], "--plain") == 0)
			place.idempotent = false;
		else if (strcmp(argv[i], "--fail-every") == 0)
			place.fail_every = argument_number(&i, argc, argv);
		else if (strcmp(argv[i], "--status") == 0)
			place.status = argument_number(&i, argc, argv);
		else if (strcmp(argv[i], "--slow") == 0)
			place.slow_ms = argument_number(&i, argc, argv);
		else if (strcmp(argv[i], "--hang") == 0)
			place.hang = argument_next(&i, argc, argv);
		else if (strcmp(argv[i], "--drop-after-effect") == 0)
			place.drop_every = argument_number(&i, argc, argv);
		else if (strcmp(argv[i], "--keep") == 0)
			place.keep = argument_next(&i, argc, argv);
		else if (strcmp(argv[i], "--reject") == 0)
			place.reject = argument_next(&i, argc, argv);
		else if (strcmp(argv[i], "--retry-after") == 0)
			place.retry_after = argument_number(&i, argc, argv);
		else
			die("serve: what is %s?", argv[i]);
	}
	if (!log || port > 65535)
		die("serve needs --log FILE, and a port below 65536");
	place.log = lines_open(log, remember, &place);
	start(&place, (unsigned)port, port_file);
	run(&place);
	printf("%lld requests, %lld effects, %lld recognised by key, %lld told to fail, %lld refused, %lld dropped "
	       "after the effect, %lld left hanging\n",
	       (long long)place.requests, (long long)place.effects, (long long)place.recognised,
	       (long long)place.failed, (long long)place.rejected, (long long)place.dropped, (long long)place.hung);
	close(place.log);
	json_decref(place.keys);
	return 0;
}
