/* The connection to a syslog receiver, and the fence around libcurl, which makes connections over TCP and TLS and says
 * nothing over them. See syslog.h. */
#include "config.h"
#include "broker-adapters/syslog/syslog.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>
#include <linux/sockios.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/resolve.h"
#include "base/secret.h"

#define AGAIN_MS 1000 /* a receiver that was away is asked again after this */
#define LOOK_MOST_MS 10
#define UDP_AGAIN_MS 60000 /* nobody says that the receiver has another address by now */

struct syslog_link {
	const struct endpoint *endpoint;
	const struct syslog_settings *settings;
	struct secret *key;
	CURL *easy;        /* tls, tcp */
	int fd;            /* of either kind; -1: no connection */
	bool sent;         /* something that is not confirmed */
	int64_t failed_at; /* monotonic; 0: the last connection was made */
	int64_t made_at;   /* monotonic; when that was */
	struct error failed;
};

/* ---- errors ---- */
static int away(struct error *error, const char *code, const struct syslog_link *link, const char *why)
{
	const struct syslog_settings *settings = link->settings;

	error_set(error, ERROR_RETRY, code, "nothing was delivered to the syslog receiver at %s: %s",
		  settings->transport == SYSLOG_LOCAL ? settings->socket : settings->host, why);
	error->scope = SCOPE_ENDPOINT;
	return -1;
}

static void disconnect(struct syslog_link *link)
{
	if (link->easy)
		curl_easy_cleanup(link->easy);
	else if (link->fd >= 0)
		close(link->fd);
	link->easy = NULL;
	link->fd = -1;
	link->sent = false;
}

static const char *code_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "syslog.resolve";
	case CURLE_COULDNT_CONNECT:
		return "syslog.connect";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_USE_SSL_FAILED:
		return "syslog.tls";
	case CURLE_OPERATION_TIMEDOUT:
		return "syslog.timeout";
	default:
		return "syslog.broken";
	}
}

/* ---- tcp, tls ---- */
static void set_file(const struct syslog_link *link, CURLoption option, const char *path)
{
	char *whole = path[0] == '/' ? mem_strdup(path) : mem_printf("%s/%s", link->endpoint->root, path);

	curl_easy_setopt(link->easy, option, whole);
	free(whole);
}

static void easy_set(struct syslog_link *link, char why[CURL_ERROR_SIZE])
{
	const struct syslog_settings *settings = link->settings;
	bool tls = settings->transport == SYSLOG_TLS, number = strchr(settings->host, ':') && *settings->host != '[';
	char *url = mem_printf("%s://%s%s%s:%ld", tls ? "https" : "http", number ? "[" : "", settings->host,
			       number ? "]" : "",
			       settings->port ? (long)settings->port
			       : tls          ? 6514L
					      : 514L);
	CURL *easy = link->easy;

	curl_easy_setopt(easy, CURLOPT_URL, url);
	free(url);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");           /* the environment's is not used */
	curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L); /* this is no HTTP */
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_ms);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
	if (settings->ca)
		set_file(link, CURLOPT_CAINFO, settings->ca);
	if (settings->certificate)
		set_file(link, CURLOPT_SSLCERT, settings->certificate);
	if (link->key) {
		struct span key = secret_reveal(link->key);
		struct curl_blob blob = {(void *)key.data, key.len, CURL_BLOB_COPY};

		curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &blob);
	}
}

static int connect_stream(struct syslog_link *link, struct error *error)
{
	char why[CURL_ERROR_SIZE] = "";
	curl_socket_t fd = CURL_SOCKET_BAD;
	CURLcode code;

	link->easy = curl_easy_init();
	if (!link->easy)
		return away(error, "syslog.broken", link, "libcurl has no memory");
	easy_set(link, why);
	code = curl_easy_perform(link->easy);
	if (code == CURLE_OK)
		code = curl_easy_getinfo(link->easy, CURLINFO_ACTIVESOCKET, &fd);
	curl_easy_setopt(link->easy, CURLOPT_ERRORBUFFER, NULL);
	if (code != CURLE_OK || fd == CURL_SOCKET_BAD) {
		disconnect(link);
		return away(error, code_of(code), link, *why ? why : curl_easy_strerror(code));
	}
	link->fd = fd;
	return 0;
}

/* Receivers say nothing; what is to be read is of TLS, or the end. */
static bool is_closed(struct syslog_link *link)
{
	char ignored[256];
	size_t n = 0;
	CURLcode code;

	do
		code = curl_easy_recv(link->easy, ignored, sizeof ignored, &n);
	while (code == CURLE_OK && n > 0);
	return code != CURLE_AGAIN;
}

static int wait_writable(struct syslog_link *link, int64_t until)
{
	struct pollfd pollfd = {.fd = link->fd, .events = POLLOUT};
	int64_t left = until - clock_tick_ms();

	return left > 0 && (poll(&pollfd, 1, (int)left) > 0 || errno == EINTR) ? 0 : -1;
}

static int send_stream(struct syslog_link *link, struct span bytes, struct error *error)
{
	int64_t until = clock_tick_ms() + link->settings->timeout_ms;

	while (bytes.len) {
		size_t n = 0;
		CURLcode code = curl_easy_send(link->easy, bytes.data, bytes.len, &n);

		if (code == CURLE_AGAIN) {
			if (wait_writable(link, until))
				return away(error, "syslog.timeout", link, "it does not take what it is sent");
		} else if (code != CURLE_OK) {
			return away(error, "syslog.broken", link, "the connection was lost");
		}
		bytes = span_make(bytes.data + n, bytes.len - n);
	}
	return 0;
}

/* ---- udp, local ---- */
static int connect_udp(struct syslog_link *link, struct error *error)
{
	struct addrinfo *found = NULL;
	const char *why;
	char port[12];

	snprintf(port, sizeof port, "%d", link->settings->port ? (int)link->settings->port : 514);
	if (resolve(link->settings->host, port, SOCK_DGRAM, link->settings->connect_ms, NULL, NULL, &found, &why))
		return away(error, "syslog.resolve", link, why);
	for (struct addrinfo *each = found; each && link->fd < 0; each = each->ai_next) {
		link->fd = socket(each->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (link->fd >= 0 && connect(link->fd, each->ai_addr, each->ai_addrlen)) {
			close(link->fd);
			link->fd = -1;
		}
	}
	freeaddrinfo(found);
	return link->fd < 0 ? away(error, "syslog.connect", link, strerror(errno)) : 0;
}

static int connect_local(struct syslog_link *link, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, link->settings->socket, strlen(link->settings->socket));
	link->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (link->fd >= 0 && !connect(link->fd, (struct sockaddr *)&address, sizeof address))
		return 0;
	away(error, "syslog.connect", link, strerror(errno));
	disconnect(link);
	return -1;
}

/* An earlier datagram's refusal is not this one's. */
static int pending_error(const struct syslog_link *link)
{
	socklen_t size = sizeof(int);
	int failed = 0;

	return getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &failed, &size) ? errno : failed;
}

static int send_datagram(struct syslog_link *link, struct span line, struct error *error)
{
	int64_t until = clock_tick_ms() + link->settings->timeout_ms;
	int failed;

	pending_error(link);
	while (send(link->fd, line.data, line.len, MSG_NOSIGNAL) < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			return away(error, "syslog.connect", link, strerror(errno));
		if (wait_writable(link, until))
			return away(error, "syslog.timeout", link, "it does not take what it is sent");
	}
	/* on this machine and on its own network a refusal may be here by now */
	failed = pending_error(link);
	return failed ? away(error, "syslog.connect", link, strerror(failed)) : 0;
}

/* ---- what the sink calls ---- */
struct syslog_link *syslog_link_new(const struct endpoint *endpoint, struct error *error)
{
	const struct syslog_settings *settings = endpoint->settings;
	struct secret *key = NULL;
	struct syslog_link *link;

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without asking for silence */
	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		error_set(error, ERROR_FATAL, "syslog.library", "libcurl cannot start");
		return NULL;
	}
	if (settings->key && !(key = secret_new(endpoint->secrets, settings->key, error)))
		return NULL;
	link = mem_alloc(sizeof *link);
	*link = (struct syslog_link){.endpoint = endpoint, .settings = settings, .key = key, .fd = -1};
	return link;
}

void syslog_link_free(struct syslog_link *link)
{
	if (!link)
		return;
	disconnect(link);
	secret_free(link->key);
	free(link);
}

static int link_connect(struct syslog_link *link, struct error *error)
{
	static int (*const dials[])(struct syslog_link *, struct error *) = {connect_stream, connect_stream,
									     connect_udp, connect_local};

	if (link->failed_at && clock_tick_ms() - link->failed_at < AGAIN_MS) {
		*error = link->failed; /* many wait: they are not to try one after the other */
		return -1;
	}
	link->failed_at = 0;
	FAULT("syslog.connect");
	if (!dials[link->settings->transport](link, error)) {
		link->made_at = clock_tick_ms();
		return 0;
	}
	link->failed_at = clock_tick_ms();
	link->failed = *error;
	return -1;
}

static bool is_stream(const struct syslog_link *link)
{
	return link->settings->transport == SYSLOG_TLS || link->settings->transport == SYSLOG_TCP;
}

int syslog_link_send(struct syslog_link *link, struct span line, bool *lost, struct error *error)
{
	struct buf frame;
	int result;

	*lost = false;
	if (link->fd >= 0 && link->easy && is_closed(link)) {
		*lost = link->sent;
		disconnect(link);
	}
	if (link->fd >= 0 && link->settings->transport == SYSLOG_UDP && clock_tick_ms() - link->made_at > UDP_AGAIN_MS)
		disconnect(link);
	if (link->fd < 0 && link_connect(link, error))
		return -1;
	FAULT("syslog.send");
	if (is_stream(link)) {
		buf_init(&frame, line.len + 16);
		buf_printf(&frame, "%zu ", line.len);
		buf_span(&frame, line);
		result = send_stream(link, buf_view(&frame), error);
		buf_free(&frame);
	} else {
		result = send_datagram(link, line, error);
	}
	FAULT("syslog.sent");
	if (result) {
		*lost = *lost || link->sent;
		disconnect(link);
		return -1;
	}
	link->sent = is_stream(link);
	return 0;
}

int syslog_link_confirm(struct syslog_link *link, struct error *error)
{
	int64_t until = clock_tick_ms() + link->settings->timeout_ms;
	int left = 0, wait = 0;

	while (link->sent) {
		if (ioctl(link->fd, SIOCOUTQ, &left) || is_closed(link)) {
			error_set(
				error, ERROR_DOUBT, "syslog.broken",
				"nobody knows whether the syslog receiver at %s has it: the connection was lost after "
				"it was sent",
				link->settings->host);
			disconnect(link);
			return -1;
		}
		if (!left)
			break;
		if (clock_tick_ms() > until) {
			error_set(error, ERROR_DOUBT, "syslog.timeout",
				  "nobody knows whether the syslog receiver at %s has it: it was sent, and is not "
				  "acknowledged",
				  link->settings->host);
			disconnect(link);
			return -1;
		}
		wait = wait < LOOK_MOST_MS ? wait + 1 : wait;
		poll(NULL, 0, wait);
	}
	link->sent = false;
	return 0;
}
