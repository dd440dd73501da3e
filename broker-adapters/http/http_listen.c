/* Webhooks, sockets and deadlines of the listener. See http_listen.h. */
#include "config.h"
#include "broker-adapters/http/http_listen.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* ---- webhooks ---- */
bool http_is_question(const char *path)
{
	static const char *const paths[] = {"/livez", "/readyz", "/healthz", "/metrics"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (strcmp(path, paths[i]) == 0)
			return true;
	return false;
}

int http_hook_check(const struct endpoint *endpoint, struct error *error)
{
	const struct http_webhook *settings = endpoint->settings;

	if (settings->webhook[0] != '/' || http_is_question(settings->webhook))
		return error_set(error, ERROR_FATAL, "webhook.path",
				 "webhook %s: choose a path that starts with / and is not one of "
				 "/livez, /readyz, /healthz, /metrics",
				 settings->webhook);
	if (settings->verify != HTTP_VERIFY_NONE && !settings->secret)
		return error_set(error, ERROR_FATAL, "webhook.secret",
				 "webhook %s: say secret: {secret: NAME}, or verify: none", settings->webhook);
	return 0;
}

int http_listen_check(const void *listen_settings, struct error *error)
{
	const struct http_listen *settings = listen_settings;
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found = NULL;

	if (getaddrinfo(settings->address, NULL, &hints, &found))
		return error_set(error, ERROR_FATAL, "listen.address",
				 "listen: %s is not an IP address; write 127.0.0.1, 0.0.0.0 or ::", settings->address);
	freeaddrinfo(found);
	return 0;
}

const char *http_listen_file(const void *listen_settings)
{
	return ((const struct http_listen *)listen_settings)->tls.certificate;
}

static int hook_open(struct http_hooks *hooks, const struct endpoint *endpoint, uint64_t max, struct error *error)
{
	struct http_hook *hook = &hooks->items[hooks->count];
	const struct http_webhook *settings = endpoint->settings;
	bool standard = settings->verify == HTTP_VERIFY_STANDARD;

	if (http_hook_check(endpoint, error))
		return -1;
	for (size_t i = 0; i < hooks->count; i++)
		if (strcmp(hooks->items[i].settings->webhook, settings->webhook) == 0)
			return error_set(error, ERROR_FATAL, "webhook.path",
					 "webhook %s belongs to flow %s and to flow %s; a path has one",
					 settings->webhook, hooks->items[i].endpoint->flow, endpoint->flow);
	hooks->count++;
	hook->endpoint = endpoint;
	hook->settings = settings;
	hook->max = settings->max ? settings->max : max;
	if (settings->verify == HTTP_VERIFY_NONE)
		return 0;
	if (http_keys_load(&hook->keys, endpoint->secrets, settings->secret, standard, error))
		return -1;
	if (!settings->previous)
		return 0;
	return http_keys_load(&hook->keys, endpoint->secrets, settings->previous, standard, error);
}

int http_hooks_open(struct http_hooks *hooks, const struct endpoint *const *endpoints, size_t n, uint64_t max,
		    struct error *error)
{
	hooks->items = mem_alloc((n + 1) * sizeof *hooks->items);
	for (size_t i = 0; i < n; i++)
		if (hook_open(hooks, endpoints[i], max, error))
			return -1;
	return 0;
}

void http_hooks_free(struct http_hooks *hooks)
{
	for (size_t i = 0; i < hooks->count; i++)
		http_keys_free(&hooks->items[i].keys);
	free(hooks->items);
	hooks->items = NULL;
	hooks->count = 0;
}

/* ---- the socket ---- */
int http_listen_socket(const struct http_listen *settings, struct error *error)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM},
			*found = NULL;
	char port[16];
	int fd, one = 1, result;

	snprintf(port, sizeof port, "%lld", (long long)settings->port);
	result = getaddrinfo(settings->address, port, &hints, &found);
	if (result)
		return error_set(error, ERROR_FATAL, "listen.address",
				 "listen: %s is not an IP address; write 127.0.0.1, 0.0.0.0 or ::", settings->address);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, 256)) {
		error_errno(error, ERROR_RETRY, "listen.busy",
			    "cannot listen on %s port %s (is another site using it? see listen.port)",
			    settings->address, port);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

unsigned http_listen_port(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &len))
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int file_read(const char *root, const char *path, struct buf *into, struct error *error)
{
	char *whole = path[0] == '/' ? mem_strdup(path) : mem_printf("%s/%s", root, path);
	int fd = open(whole, O_RDONLY | O_CLOEXEC);
	char *room = buf_room(into, 256 * 1024);
	ssize_t n = fd < 0 ? -1 : read(fd, room, 256 * 1024);

	if (n <= 0)
		error_errno(error, ERROR_FATAL, "listen.certificate", "cannot read the certificate %s", whole);
	else
		buf_added(into, (size_t)n);
	if (fd >= 0)
		close(fd);
	free(whole);
	return n > 0 ? 0 : -1;
}

int http_pem_load(struct http_pem *pem, const struct http_listen *settings, const char *root, const char *secrets,
		  struct error *error)
{
	struct secret *key;

	buf_init(&pem->certificate, 512 * 1024);
	pem->key = NULL;
	if (!settings->tls.key || !root || !secrets)
		return error_set(error, ERROR_FATAL, "listen.tls",
				 "listen: tls needs a certificate and a key: {secret: NAME}");
	if (file_read(root, settings->tls.certificate, &pem->certificate, error))
		return -1;
	key = secret_new(secrets, settings->tls.key, error);
	if (!key)
		return -1;
	pem->key = mem_span_dup(secret_reveal(key));
	secret_free(key);
	return 0;
}

void http_pem_free(struct http_pem *pem)
{
	if (pem->key)
		explicit_bzero(pem->key, strlen(pem->key));
	free(pem->key);
	buf_free(&pem->certificate);
}

/* ---- deadlines ---- */
void http_links_init(struct http_links *links)
{
	links->first = NULL;
	links->next = INT64_MAX;
}

void http_link_deadline(struct http_links *links, struct http_link *link, int64_t in_ms)
{
	link->deadline = clock_tick_ms() + in_ms;
	if (link->deadline < links->next)
		links->next = link->deadline;
}

struct http_link *http_link_new(struct http_links *links, int fd, int64_t in_ms)
{
	struct http_link *link = mem_alloc(sizeof *link);

	link->fd = fd;
	link->next = links->first;
	if (link->next)
		link->next->previous = link;
	links->first = link;
	http_link_deadline(links, link, in_ms);
	return link;
}

void http_link_free(struct http_links *links, struct http_link *link)
{
	if (!link)
		return;
	if (link->next)
		link->next->previous = link->previous;
	if (link->previous)
		link->previous->next = link->next;
	else
		links->first = link->next;
	free(link);
}

/* Whoever sends its request a byte at a time ends here. */
void http_links_sweep(struct http_links *links)
{
	int64_t now = clock_tick_ms();

	if (now < links->next)
		return;
	links->next = INT64_MAX;
	for (struct http_link *link = links->first; link; link = link->next) {
		if (link->deadline <= now) {
			shutdown(link->fd, SHUT_RDWR); /* libmicrohttpd sees its end and closes it */
			link->deadline = INT64_MAX;
		} else if (link->deadline < links->next) {
			links->next = link->deadline;
		}
	}
}

int64_t http_links_left(const struct http_links *links)
{
	int64_t left = links->next == INT64_MAX ? -1 : links->next - clock_tick_ms();

	return links->next == INT64_MAX ? -1 : left < 0 ? 0 : left;
}

/* ---- option tables ---- */
static const struct option tls_options[] = {
	{.name = "certificate",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct http_tls, certificate),
	 .help = "PEM file with the certificate and its chain",
	 .flags = OPTION_REQUIRED | OPTION_CERTIFICATE},
	{.name = "key",
	 .type = OPTION_SECRET,
	 .offset = offsetof(struct http_tls, key),
	 .help = "Secret that holds the private key (PEM)",
	 .flags = OPTION_REQUIRED},
	OPTION_END,
};

const struct option http_listen_options[] = {
	{.name = "address",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct http_listen, address),
	 .fallback = "127.0.0.1",
	 .help = "IP address to listen on"},
	{.name = "port",
	 .type = OPTION_INT,
	 .offset = offsetof(struct http_listen, port),
	 .fallback = "8080",
	 .range = "0..65535",
	 .help = "Port to listen on; 0 takes any that is free",
	 .flags = OPTION_MAIN},
	{.name = "tls",
	 .type = OPTION_TABLE,
	 .offset = offsetof(struct http_listen, tls),
	 .help = "Certificate and key; without them plain HTTP",
	 .table = tls_options},
	{.name = "connections",
	 .type = OPTION_INT,
	 .offset = offsetof(struct http_listen, connections),
	 .fallback = "256",
	 .range = "1..65536",
	 .help = "Connections at once"},
	{.name = "timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct http_listen, timeout_ms),
	 .fallback = "30s",
	 .help = "How long a client may take for a request's headers, and stay silent"},
	{.name = "body-timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct http_listen, body_timeout_ms),
	 .fallback = "5m",
	 .help = "How long a client may take for a body"},
	{.name = "max",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct http_listen, max),
	 .fallback = "10MiB",
	 .help = "Largest body, where a webhook does not say its own"},
	{.name = "spool-max",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct http_listen, spool_max),
	 .fallback = "1GiB",
	 .help = "Disk for bodies that are being received, together"},
	OPTION_END,
};

const struct option http_webhook_options[] = {
	{.name = "webhook",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct http_webhook, webhook),
	 .help = "Path that receives, such as /crm/opportunities",
	 .flags = OPTION_REQUIRED | OPTION_MAIN},
	{.name = "verify",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct http_webhook, verify),
	 .fallback = "standard-webhooks",
	 .range = "standard-webhooks|bearer|none",
	 .help = "How a sender proves itself"},
	{.name = "secret",
	 .type = OPTION_SECRET,
	 .offset = offsetof(struct http_webhook, secret),
	 .help = "The signing secret (whsec_…) or the bearer key; several in one file are all accepted"},
	{.name = "previous",
	 .type = OPTION_SECRET,
	 .offset = offsetof(struct http_webhook, previous),
	 .help = "A second one, accepted while it is being replaced"},
	{.name = "max",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct http_webhook, max),
	 .help = "Largest body; default is the listener's"},
	{.name = "id",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct http_webhook, id),
	 .help = "Header that names the event; default is webhook-id, then idempotency-key, then the content"},
	{.name = "types",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct http_webhook, types),
	 .help = "Media types that are taken; default is any"},
	OPTION_END,
};
