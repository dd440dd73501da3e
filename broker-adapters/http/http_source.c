/* The listener: webhooks and health questions over HTTP (libmicrohttpd), one thread, one epoll descriptor.
 *
 * A request is routed when its headers are there, its body kept in memory or (larger) in an unlinked file. When it is
 * complete and its proof checked, `arrived` gets it and the connection sleeps until `answer`: a client sees 202 only
 * for what is durable. libmicrohttpd does not notice a client that goes away meanwhile; answering such a one is
 * harmless, and it will send the same id again. */
#include "config.h"
#include "broker-adapters/http/http_incoming.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#define CONNECTION_MEMORY (64u * 1024) /* libmicrohttpd's pool for each: headers must fit */
#define HEADERS_MAX 100
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
	struct arrival *previous, *next; /* while waiting */
	bool waits;
	uint64_t gone; /* bytes of the body thrown away */
	struct http_incoming in;
	struct MHD_Response *response;
};

/* ---- header fields ---------------------------------------------------------------------------------------------- */
static struct span header(void *connection, const char *name)
{
	return span_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static enum MHD_Result keep_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct arrival *arrival = arg;

	http_header_keep(&arrival->in.document, arrival->in.arena, name, value);
	return MHD_YES;
}

/* ---- refusing and answering ----------------------------------------------------------------------------------------
 */
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
	arrival->in.status = status;
	if (status == 503) {
		snprintf(text, sizeof text, "%lld", (long long)wait_s);
		MHD_add_response_header(arrival->response, "Retry-After", text);
	}
	if (status == 401)
		MHD_add_response_header(arrival->response, "WWW-Authenticate",
					arrival->in.hook && arrival->in.hook->settings->verify == HTTP_VERIFY_BEARER
						? "Bearer"
						: "Webhook-Signature");
	if (arrival->in.allow)
		MHD_add_response_header(arrival->response, "Allow", arrival->in.allow);
}

static void accepted(struct arrival *arrival, const struct id *message, bool duplicate)
{
	struct buf body;
	char hex[ID_TEXT];

	id_hex(message, hex);
	buf_init(&body, 256);
	buf_printf(&body, "{\"id\":\"%s\"%s}\n", hex, duplicate ? ",\"duplicate\":true" : "");
	arrival->response = response_new(arrival->server, &body, "application/json");
	arrival->in.status = 202;
}

static enum MHD_Result respond(struct arrival *arrival)
{
	return MHD_queue_response(arrival->connection, arrival->in.status, arrival->response);
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
	arrival->in.status = (unsigned)status;
}

static int route(struct arrival *arrival, const char *path, const char *method)
{
	struct server *server = arrival->server;

	if (MHD_get_connection_values(arrival->connection, MHD_HEADER_KIND, NULL, NULL) > HEADERS_MAX)
		return http_incoming_refuse(&arrival->in, 431, "request.headers", "too many header fields");
	return http_incoming_route(&arrival->in, &server->hooks, server->events.ask != NULL,
				   !server->stopped && server->events.accepting(server->events.arg), path, method);
}

/* ---- the body -------------------------------------------------------------------------------------------------------
 */
/* MHD_NO closes the connection without an answer: nobody is obliged to read gigabytes of a refused body. */
static enum MHD_Result body_take(struct arrival *arrival, const char *data, size_t len)
{
	if (!arrival->in.status && arrival->in.hook)
		http_incoming_add(&arrival->in, data, len);
	if (!arrival->in.status && arrival->in.hook)
		return MHD_YES;
	if (arrival->in.body.size)
		http_incoming_drop(&arrival->in);
	arrival->gone += len;
	return arrival->gone > DISCARD_MAX ? MHD_NO : MHD_YES;
}

/* ---- a complete request
 * ------------------------------------------------------------------------------------------------ */
static enum MHD_Result hand_over(struct arrival *arrival)
{
	struct server *server = arrival->server;

	arrival->in.reader = http_body_reader(&arrival->in.body);
	if (http_incoming_prove(&arrival->in) || http_incoming_identify(&arrival->in)) {
		problem(arrival, arrival->in.status, &arrival->in.error);
		return respond(arrival);
	}
	MHD_get_connection_values(arrival->connection, MHD_HEADER_KIND, keep_header, arrival);
	arrival->waits = true;
	arrival->link->deadline = INT64_MAX;
	arrival->next = server->waiting;
	if (arrival->next)
		arrival->next->previous = arrival;
	server->waiting = arrival;
	FAULT("http.arrived");
	server->events.arrived(server->events.arg, arrival->in.hook->endpoint, &arrival->in.document,
			       arrival->in.reader, arrival);
	if (arrival->response)
		return respond(arrival);
	MHD_suspend_connection(arrival->connection);
	return MHD_YES;
}

static enum MHD_Result complete(struct arrival *arrival, const char *path)
{
	if (arrival->response) /* resumed */
		return respond(arrival);
	if (arrival->in.status)
		problem(arrival, arrival->in.status, &arrival->in.error);
	else if (arrival->in.question)
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
	http_incoming_init(&arrival->in, &server->spool, header, connection);
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
		length = header(connection, "content-length");
		if (arrival->in.status && length.len && strtoull(length.data, NULL, 10) > DISCARD_MAX) {
			problem(arrival, arrival->in.status,
				&arrival->in.error); /* before the body: it is not worth reading */
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
	if (arrival->response)
		MHD_destroy_response(arrival->response);
	http_incoming_free(&arrival->in);
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
	http_incoming_drop(&arrival->in);
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
	.check = http_hook_check,
	.check_listen = http_listen_check,
	.listen_file = http_listen_file,
};
