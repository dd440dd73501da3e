/* The listener: webhooks and health questions over HTTP (libmicrohttpd), one thread, one epoll descriptor.
 *
 * A request is routed when its headers are there, its body kept in memory or (larger) in an unlinked file. When it is
 * complete and its proof checked, `arrived` gets it and the connection sleeps until `answer`: a client sees 202 only
 * for what is durable. libmicrohttpd does not notice a client that goes away meanwhile; answering such a one is
 * harmless, and it will send the same id again. */
#include "config.h"
#include "broker-adapters/http_listen.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#define CONNECTION_MEMORY (64u * 1024) /* libmicrohttpd's pool for each: headers must fit */
#define HEADERS_MAX 100
#define IDENTITY_MAX 256u
#define DISCARD_MAX (1024u * 1024) /* of a refused body, so that the client gets to read why */
#define ANSWER_MAX (1024u * 1024)
#define RETRY_AFTER_S 5

struct server {
	struct MHD_Daemon *daemon;
	struct http_listen settings;
	struct http_hooks hooks;
	struct server_events events;
	struct http_spool spool;
	struct http_links links;
	struct arrival *waiting;
	unsigned busy, port;
	bool stopped;
};

struct arrival {
	struct server *server;
	struct MHD_Connection *connection;
	struct http_link *link;
	struct http_hook *hook;          /* NULL: a question, or refused */
	struct arrival *previous, *next; /* while waiting */
	struct arena *arena;
	bool question, waits;
	const char *allow; /* 405: what would do */
	struct http_body body;
	uint64_t gone; /* bytes of it thrown away */
	struct document document;
	struct reader *reader;
	struct error error; /* why it is refused */
	unsigned status;    /* with it; 0: not refused */
	struct MHD_Response *response;
};

/* ---- header fields ---------------------------------------------------------------------------------------------- */
static struct span header(const struct arrival *arrival, const char *name)
{
	return span_of(MHD_lookup_connection_value(arrival->connection, MHD_HEADER_KIND, name));
}

static enum MHD_Result keep_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct arrival *arrival = arg;

	http_header_keep(&arrival->document, arrival->arena, name, value);
	return MHD_YES;
}

/* ---- refusing and answering ----------------------------------------------------------------------------------------
 */
static int refuse(struct arrival *arrival, unsigned status, const char *code, const char *why)
{
	if (!arrival->status) {
		error_set(&arrival->error, status >= 500 ? ERROR_RETRY : ERROR_REJECT, code, "%s", why);
		arrival->status = status;
	}
	return -1;
}

static struct MHD_Response *response_new(struct server *server, struct buf *body, const char *type)
{
	size_t len = body->len;
	char *bytes = len ? buf_take(body) : NULL;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(len, bytes, bytes ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

	buf_free(body);
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (server->stopped)
		MHD_add_response_header(response, "Connection", "close");
	return response;
}

static void problem(struct arrival *arrival, unsigned status, const struct error *error)
{
	struct buf body;
	char text[24];
	int64_t wait_s = error->retry_after_ms > 0 ? (error->retry_after_ms + 999) / 1000 : RETRY_AFTER_S;

	buf_init(&body, ANSWER_MAX);
	http_problem(&body, status, error);
	arrival->response = response_new(arrival->server, &body, "application/problem+json");
	arrival->status = status;
	if (status == 503) {
		snprintf(text, sizeof text, "%lld", (long long)wait_s);
		MHD_add_response_header(arrival->response, "Retry-After", text);
	}
	if (status == 401)
		MHD_add_response_header(arrival->response, "WWW-Authenticate",
					arrival->hook && arrival->hook->settings->verify == HTTP_VERIFY_BEARER
						? "Bearer"
						: "Webhook-Signature");
	if (arrival->allow)
		MHD_add_response_header(arrival->response, "Allow", arrival->allow);
}

static void accepted(struct arrival *arrival, const struct id *message, bool duplicate)
{
	struct buf body;
	char hex[ID_TEXT];

	id_hex(message, hex);
	buf_init(&body, 256);
	buf_printf(&body, "{\"id\":\"%s\"%s}\n", hex, duplicate ? ",\"duplicate\":true" : "");
	arrival->response = response_new(arrival->server, &body, "application/json");
	arrival->status = 202;
}

static enum MHD_Result respond(struct arrival *arrival)
{
	return MHD_queue_response(arrival->connection, arrival->status, arrival->response);
}

static void answer_question(struct arrival *arrival, const char *path)
{
	struct server *server = arrival->server;
	const char *type = "text/plain; charset=utf-8", *value = NULL;
	struct buf body;
	int status = 503;
	bool verbose = MHD_lookup_connection_value_n(arrival->connection, MHD_GET_ARGUMENT_KIND, "verbose", 7, &value,
						     NULL) == MHD_YES;

	buf_init(&body, ANSWER_MAX);
	server->events.ask(server->events.arg, path, verbose, &status, &type, &body);
	arrival->response = response_new(server, &body, type);
	arrival->status = (unsigned)status;
}

/* ---- routing
 * --------------------------------------------------------------------------------------------------------- */
/* What can be refused before the body is read. */
static int route_webhook(struct arrival *arrival, const char *method)
{
	struct span length = header(arrival, "content-length"), encoding = header(arrival, "content-encoding");

	if (strcmp(method, "POST")) {
		arrival->allow = "POST";
		return refuse(arrival, 405, "request.method", "this address takes POST");
	}
	if (arrival->server->stopped || !arrival->server->events.accepting(arrival->server->events.arg))
		return refuse(arrival, 503, "site.full", "not accepting");
	if (!http_types_fit(&arrival->hook->settings->types, header(arrival, "content-type")))
		return refuse(arrival, 415, "request.media-type", "this address does not take such a media type");
	if (encoding.len && !http_type_is(encoding, "identity"))
		return refuse(arrival, 415, "request.media-type", "compressed bodies are not taken");
	if (length.len && strtoull(length.data, NULL, 10) > arrival->hook->max)
		return refuse(arrival, 413, "document.too-large", "the body is larger than this address takes");
	return 0;
}

static int route(struct arrival *arrival, const char *path, const char *method)
{
	struct server *server = arrival->server;

	if (MHD_get_connection_values(arrival->connection, MHD_HEADER_KIND, NULL, NULL) > HEADERS_MAX)
		return refuse(arrival, 431, "request.headers", "too many header fields");
	if (server->events.ask && http_is_question(path)) {
		arrival->question = true;
		if (strcmp(method, "HEAD") == 0 || strcmp(method, "GET") == 0)
			return 0;
		arrival->allow = "GET, HEAD";
		return refuse(arrival, 405, "request.method", "this address takes GET");
	}
	for (size_t i = 0; i < server->hooks.count; i++) {
		if (strcmp(server->hooks.items[i].settings->webhook, path))
			continue;
		arrival->hook = &server->hooks.items[i];
		return route_webhook(arrival, method);
	}
	return refuse(arrival, 404, "request.path", "nothing is received at this address");
}

/* ---- the body -------------------------------------------------------------------------------------------------------
 */
static void body_drop(struct arrival *arrival)
{
	reader_unref(arrival->reader);
	arrival->reader = NULL;
	http_body_drop(&arrival->body);
}

static int body_keep(struct arrival *arrival, const char *data, size_t len)
{
	if (arrival->body.size + len > arrival->hook->max)
		return refuse(arrival, 413, "document.too-large", "the body is larger than this address takes");
	if (http_body_add(&arrival->body, data, len, &arrival->error))
		arrival->status = 503;
	return 0;
}

/* MHD_NO closes the connection without an answer: nobody is obliged to read gigabytes of a refused body. */
static enum MHD_Result body_take(struct arrival *arrival, const char *data, size_t len)
{
	if (!arrival->status && arrival->hook)
		body_keep(arrival, data, len);
	if (!arrival->status && arrival->hook)
		return MHD_YES;
	if (arrival->body.size)
		body_drop(arrival);
	arrival->gone += len;
	return arrival->gone > DISCARD_MAX ? MHD_NO : MHD_YES;
}

/* ---- a complete request
 * ------------------------------------------------------------------------------------------------ */
static int check_proof(struct arrival *arrival)
{
	const struct http_hook *hook = arrival->hook;
	struct http_proof proof = {
		.id = header(arrival, "webhook-id"),
		.timestamp = header(arrival, "webhook-timestamp"),
		.signature = header(arrival, "webhook-signature"),
		.authorization = header(arrival, "authorization"),
	};
	int result = 0;

	if (hook->settings->verify == HTTP_VERIFY_STANDARD) {
		if (reader_view(arrival->reader, &proof.body, &arrival->error)) {
			arrival->status = 503;
			return -1;
		}
		result = http_webhook_verify(&hook->keys, &proof, clock_now_ms(), &arrival->error);
	} else if (hook->settings->verify == HTTP_VERIFY_BEARER) {
		result = http_bearer_verify(&hook->keys, &proof, &arrival->error);
	}
	if (result)
		arrival->status = 401;
	return result;
}

static int identify(struct arrival *arrival)
{
	const struct http_webhook *settings = arrival->hook->settings;
	struct span id = SPAN_NONE, stamp = header(arrival, "webhook-timestamp");
	struct document *document = &arrival->document;

	if (settings->id) {
		id = http_string(header(arrival, settings->id));
		if (!id.len)
			return refuse(arrival, 400, "request.id", "the header that names the event is missing");
	} else {
		id = header(arrival, "webhook-id");
		if (!id.len)
			id = http_string(header(arrival, "idempotency-key"));
	}
	if (id.len > IDENTITY_MAX)
		return refuse(arrival, 400, "request.id", "the event's id is longer than 256 characters");
	document->identity_text = arena_span(arrival->arena, id);
	document->name = id.len ? document->identity_text : arena_span(arrival->arena, span_of(settings->webhook));
	document->media_type = arena_span(arrival->arena, header(arrival, "content-type"));
	document->time_ms = stamp.len && stamp.len <= 12 && settings->verify == HTTP_VERIFY_STANDARD
				    ? strtoll(stamp.data, NULL, 10) * 1000
				    : clock_now_ms();
	MHD_get_connection_values(arrival->connection, MHD_HEADER_KIND, keep_header, arrival);
	return 0;
}

static enum MHD_Result hand_over(struct arrival *arrival)
{
	struct server *server = arrival->server;

	arrival->reader = http_body_reader(&arrival->body);
	if (check_proof(arrival) || identify(arrival)) {
		problem(arrival, arrival->status, &arrival->error);
		return respond(arrival);
	}
	arrival->waits = true;
	arrival->link->deadline = INT64_MAX;
	arrival->next = server->waiting;
	if (arrival->next)
		arrival->next->previous = arrival;
	server->waiting = arrival;
	FAULT("http.arrived");
	server->events.arrived(server->events.arg, arrival->hook->endpoint, &arrival->document, arrival->reader,
			       arrival);
	if (arrival->response)
		return respond(arrival);
	MHD_suspend_connection(arrival->connection);
	return MHD_YES;
}

static enum MHD_Result complete(struct arrival *arrival, const char *path)
{
	if (arrival->response) /* resumed */
		return respond(arrival);
	if (arrival->status)
		problem(arrival, arrival->status, &arrival->error);
	else if (arrival->question)
		answer_question(arrival, path);
	else
		return hand_over(arrival);
	return respond(arrival);
}

/* ---- what libmicrohttpd calls
 * -------------------------------------------------------------------------------------------- */
static struct arrival *arrival_new(struct server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct arrival *arrival = mem_alloc(sizeof *arrival);

	arrival->server = server;
	arrival->connection = connection;
	arrival->link = info ? info->socket_context : NULL;
	arrival->arena = arena_new();
	http_body_init(&arrival->body, &server->spool);
	server->busy++;
	return arrival;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *data, size_t *len, void **state)
{
	struct server *server = arg;
	struct arrival *arrival = *state;

	if (!arrival) {
		struct span length;

		*state = arrival = arrival_new(server, connection);
		http_link_deadline(&server->links, arrival->link, server->settings.body_timeout_ms);
		route(arrival, path, method);
		length = header(arrival, "content-length");
		if (arrival->status && length.len && strtoull(length.data, NULL, 10) > DISCARD_MAX) {
			problem(arrival, arrival->status,
				&arrival->error); /* before the body: it is not worth reading */
			return respond(arrival);
		}
		return MHD_YES;
	}
	if (*len) {
		size_t n = *len;

		*len = 0;
		return body_take(arrival, data, n);
	}
	return complete(arrival, path);
}

static void unwait(struct arrival *arrival)
{
	if (!arrival->waits)
		return;
	arrival->waits = false;
	if (arrival->next)
		arrival->next->previous = arrival->previous;
	if (arrival->previous)
		arrival->previous->next = arrival->next;
	else
		arrival->server->waiting = arrival->next;
	arrival->next = arrival->previous = NULL;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct server *server = arg;
	struct arrival *arrival = *state;

	if (!arrival)
		return;
	*state = NULL;
	http_link_deadline(&server->links, arrival->link, server->settings.timeout_ms);
	unwait(arrival);
	body_drop(arrival);
	if (arrival->response)
		MHD_destroy_response(arrival->response);
	arena_free(arrival->arena);
	free(arrival);
	server->busy--;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct server *server = arg;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = http_link_new(
			&server->links,
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
			server->settings.timeout_ms);
	} else {
		http_link_free(&server->links, *context);
		*context = NULL;
	}
}

static void on_log(void *arg, const char *format, va_list args)
{
	char line[400];

	vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\r\n")] = '\0';
	log_debug("http", SPAN_NONE, "libmicrohttpd text=\"%s\"", line);
}

/* ---- opening
 * --------------------------------------------------------------------------------------------------------------- */
static struct MHD_Daemon *daemon_start(struct server *server, int fd, const char *certificate, const char *key)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (certificate ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
		{MHD_OPTION_END, 0, NULL},
	};

	return MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->settings.connections,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((server->settings.timeout_ms + 999) / 1000),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_ARRAY, certificate ? tls : tls + 2, MHD_OPTION_END);
}

static int daemon_open(struct server *server, int fd, const char *root, const char *secrets, struct error *error)
{
	struct http_pem pem = {.key = NULL};
	int result =
		server->settings.tls.certificate ? http_pem_load(&pem, &server->settings, root, secrets, error) : 0;

	if (result == 0)
		server->daemon = daemon_start(server, fd, pem.certificate.data, pem.key);
	if (result == 0 && !server->daemon)
		result = error_set(error, ERROR_FATAL, "listen.start",
				   "the listener cannot start on %s port %u (with tls: do certificate and key fit?)",
				   server->settings.address, server->port);
	http_pem_free(&pem);
	return result;
}

static void server_close(void *opaque);

static void *server_open(const void *settings, const struct endpoint *const *endpoints, size_t n,
			 const struct server_events *events, struct error *error)
{
	struct server *server = mem_alloc(sizeof *server);
	const char *spool = events->spool ? events->spool : getenv("TMPDIR");
	const char *root = events->root, *secrets = events->secrets;
	int fd = -1;

	server->settings = *(const struct http_listen *)settings;
	server->events = *events;
	server->spool.directory = mem_strdup(spool && *spool ? spool : "/tmp");
	server->spool.max = server->settings.spool_max;
	http_links_init(&server->links);
	for (size_t i = 0; i < n; i++) {
		root = root ? root : endpoints[i]->root;
		secrets = secrets ? secrets : endpoints[i]->secrets;
	}
	if (http_hooks_open(&server->hooks, endpoints, n, server->settings.max, error))
		goto fail;
	fd = events->inherited > 0 ? events->inherited : http_listen_socket(&server->settings, error);
	if (fd < 0)
		goto fail;
	server->port = http_listen_port(fd);
	if (daemon_open(server, fd, root, secrets, error))
		goto fail;
	return server;
fail:
	if (fd >= 0)
		close(fd);
	server_close(server);
	return NULL;
}

/* ---- what the role calls
 * ---------------------------------------------------------------------------------------------------- */
static unsigned server_port(void *opaque)
{
	return ((struct server *)opaque)->port;
}

static int server_fd(void *opaque)
{
	return MHD_get_daemon_info(((struct server *)opaque)->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

static void server_work(void *opaque)
{
	http_links_sweep(&((struct server *)opaque)->links);
	MHD_run(((struct server *)opaque)->daemon);
}

static int server_timeout_ms(void *opaque)
{
	struct server *server = opaque;
	MHD_UNSIGNED_LONG_LONG theirs = 0;
	int64_t ms = -1, left;

	if (MHD_get_timeout(server->daemon, &theirs) == MHD_YES)
		ms = theirs > 60000 ? 60000 : (int64_t)theirs;
	left = http_links_left(&server->links);
	if (left >= 0 && (ms < 0 || left < ms))
		ms = left > 60000 ? 60000 : left;
	return (int)ms;
}

static void server_answer(void *opaque, struct arrival *arrival, const struct id *message, bool duplicate,
			  const struct error *error)
{
	bool slept =
		MHD_get_connection_info(arrival->connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED)->suspended ==
		MHD_YES;

	FAULT("http.answered");
	unwait(arrival);
	body_drop(arrival);
	if (error && error->class != ERROR_NONE)
		problem(arrival, http_error_status(error), error);
	else
		accepted(arrival, message, duplicate);
	http_link_deadline(&arrival->server->links, arrival->link, arrival->server->settings.timeout_ms);
	if (slept)
		MHD_resume_connection(arrival->connection);
}

static void server_stop(void *opaque)
{
	struct server *server = opaque;
	int fd;

	if (server->stopped)
		return;
	MHD_run(server->daemon); /* whoever is in the listening queue already shall not be cut off */
	server->stopped = true;
	fd = MHD_quiesce_daemon(server->daemon);
	if (fd >= 0)
		close(fd);
}

static unsigned server_busy(void *opaque)
{
	return ((struct server *)opaque)->busy;
}

static void server_close(void *opaque)
{
	struct server *server = opaque;
	struct error late;

	if (!server)
		return;
	if (server->daemon) {
		server->stopped = true;
		error_set(&late, ERROR_RETRY, "site.stopping", "this site is stopping");
		while (server->waiting)
			server_answer(server, server->waiting, NULL, false, &late);
		MHD_run(server->daemon);
		MHD_stop_daemon(server->daemon);
	}
	http_hooks_free(&server->hooks);
	free(server->spool.directory);
	free(server);
}

const struct server_ops http_server_ops = {
	.name = "http",
	.help = "Receives webhooks over HTTP and answers health questions",
	.options = http_webhook_options,
	.settings_size = sizeof(struct http_webhook),
	.listen_options = http_listen_options,
	.listen_settings_size = sizeof(struct http_listen),
	.open = server_open,
	.close = server_close,
	.port = server_port,
	.fd = server_fd,
	.work = server_work,
	.timeout_ms = server_timeout_ms,
	.answer = server_answer,
	.stop = server_stop,
	.busy = server_busy,
	.check = http_hook_check, .check_listen = http_listen_check, .listen_file = http_listen_file,
};
