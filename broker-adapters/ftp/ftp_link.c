/* The connection to an FTP server (libcurl): one handle that keeps one control connection, and the time-outs that
 * libcurl does not have. See ftp_link.h.
 *
 * Single requests go as commands ahead of a transfer that does not take place. libcurl ends a connection when one of
 * them fails unless it is told not to look (`*`), so their answers are read here, from the lines that come in. A
 * connection that is gone is never made anew behind our back: what was under way then is unknown, and it is for those
 * above to look. */
#include "config.h"
#include "broker-adapters/ftp/ftp_link.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/pace.h"
#include "base/secret.h"

#define QUIT_MS 1000
#define WAIT_MS 500 /* at most, for a socket to be ready */
#define BUFFER (256u * 1024)

bool ftp_is_lost(const struct ftp *ftp)
{
	return ftp->lost;
}

int64_t ftp_idle_ms(const struct ftp *ftp)
{
	return clock_tick_ms() - ftp->heard_ms;
}

/* ---- what libcurl calls ---------------------------------------------------------------------------------------- */

static void take_code(struct ftp *ftp, struct span line)
{
	size_t n = 0;

	ftp->code = (unsigned)((line.data[0] - '0') * 100 + (line.data[1] - '0') * 10 + (line.data[2] - '0'));
	ftp->codes[ftp->answering] = ftp->code;
	for (size_t i = 4; i < line.len && n + 1 < sizeof ftp->said; i++)
		if ((unsigned char)line.data[i] >= ' ' && (unsigned char)line.data[i] < 0x7f)
			ftp->said[n++] = line.data[i];
	ftp->said[n] = '\0';
}

/* Lines of answers: "211-Features:", " MLST …", and at last "211 End". */
static size_t on_line(char *data, size_t size, size_t n, void *arg)
{
	struct ftp *ftp = arg;
	struct span line = span_make(data, size * n);

	ftp->heard_ms = clock_tick_ms();
	ftp->bye |= line.len > 4 && !memcmp(line.data, "421 ", 4);
	if (ftp->answering < 0)
		return size * n;
	while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
		line.len--;
	if (!buf_span(&ftp->lines, line))
		buf_text(&ftp->lines, "\n");
	if (line.len >= 3 && isdigit((unsigned char)data[0]) && isdigit((unsigned char)data[1]) &&
	    isdigit((unsigned char)data[2]) && (line.len == 3 || line.data[3] == ' '))
		take_code(ftp, line);
	return size * n;
}

/* Only what begins like one of ours is looked at: passwords go by here as well. */
static int on_command(CURL *easy, curl_infotype type, char *data, size_t len, void *arg)
{
	struct ftp *ftp = arg;

	if (type != CURLINFO_HEADER_OUT)
		return 0;
	ftp->answering = -1;
	for (int i = 0; i < FTP_COMMANDS && ftp->commands[i]; i++) {
		size_t n = strlen(ftp->commands[i]);
		bool whole = n && ftp->commands[i][n - 1] != ' ';

		if (len >= n && !memcmp(data, ftp->commands[i], n) && (!whole || len == n + 2) && !ftp->codes[i]) {
			ftp->answering = i;
			buf_reset(&ftp->lines);
			break;
		}
	}
	return 0;
}

static bool is_silent(const struct ftp *ftp)
{
	return clock_tick_ms() - ftp->heard_ms >= (ftp->quitting ? QUIT_MS : ftp->settings->timeout_ms);
}

/* libcurl waits within itself for some answers, and asks here whether to go on. */
static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	struct ftp *ftp = arg;

	ftp->timed_out |= is_silent(ftp);
	return ftp->timed_out;
}

static unsigned port_of(const struct ftp_settings *settings)
{
	return settings->port ? (unsigned)settings->port : settings->tls == FTP_IMPLICIT ? 990 : 21;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	const struct ftp *ftp = arg;
	unsigned port = 0;

	if (address->family == AF_INET)
		port = ntohs(((const struct sockaddr_in *)(const void *)&address->addr)->sin_port);
	else if (address->family == AF_INET6)
		port = ntohs(((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_port);
	if (ftp->inside && port == port_of(ftp->settings))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- settings of a transfer ------------------------------------------------------------------------------------ */

static void set_secret(CURL *easy, CURLoption option, const struct secret *secret)
{
	char *text = mem_span_dup(secret_reveal(secret));

	curl_easy_setopt(easy, option, text);
	explicit_bzero(text, strlen(text));
	free(text);
}

static void set_file(const struct ftp *ftp, CURLoption option, const char *path)
{
	char *whole = path[0] == '/' ? mem_strdup(path) : mem_printf("%s/%s", ftp->endpoint->root, path);

	curl_easy_setopt(ftp->easy, option, whole);
	free(whole);
}

static void set_tls(const struct ftp *ftp)
{
	const struct ftp_settings *settings = ftp->settings;

	curl_easy_setopt(ftp->easy, CURLOPT_USE_SSL,
			 settings->tls == FTP_UNENCRYPTED ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	curl_easy_setopt(ftp->easy, CURLOPT_FTPSSLAUTH, (long)CURLFTPAUTH_TLS);
	curl_easy_setopt(ftp->easy, CURLOPT_SSLVERSION,
			 (long)CURL_SSLVERSION_TLSv1_2 | (ftp->newest_tls ? (long)CURL_SSLVERSION_MAX_DEFAULT
									  : (long)CURL_SSLVERSION_MAX_TLSv1_2));
	if (settings->ca)
		set_file(ftp, CURLOPT_CAINFO, settings->ca);
	if (settings->certificate)
		set_file(ftp, CURLOPT_SSLCERT, settings->certificate);
	if (ftp->key) {
		struct span key = secret_reveal(ftp->key);
		struct curl_blob blob = {(void *)(uintptr_t)key.data, key.len, CURL_BLOB_COPY};

		curl_easy_setopt(ftp->easy, CURLOPT_SSLKEY_BLOB, &blob);
	}
	if (ftp->passphrase)
		set_secret(ftp->easy, CURLOPT_KEYPASSWD, ftp->passphrase);
}

static void set_connection(struct ftp *ftp)
{
	const struct ftp_settings *settings = ftp->settings;

	curl_easy_setopt(ftp->easy, CURLOPT_PROTOCOLS_STR, "ftp,ftps");
	curl_easy_setopt(ftp->easy, CURLOPT_PROXY, ""); /* the environment's is not used */
	curl_easy_setopt(ftp->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(ftp->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(ftp->easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(ftp->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(ftp->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)settings->timeout_ms);
	curl_easy_setopt(ftp->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(settings->timeout_ms / 1000 + 1));
	curl_easy_setopt(ftp->easy, CURLOPT_ACCEPTTIMEOUT_MS, (long)settings->timeout_ms);
	curl_easy_setopt(ftp->easy, CURLOPT_MAXCONNECTS, 1L);
	curl_easy_setopt(ftp->easy, CURLOPT_MAXAGE_CONN, 86400L);
	curl_easy_setopt(ftp->easy, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_NOCWD);
	curl_easy_setopt(ftp->easy, CURLOPT_FTP_SKIP_PASV_IP, 1L); /* data goes to the machine that we talk with */
	curl_easy_setopt(ftp->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(ftp->easy, CURLOPT_BUFFERSIZE, (long)pace_window(BUFFER));
	curl_easy_setopt(ftp->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER);
	if (settings->mode == FTP_ACTIVE)
		curl_easy_setopt(ftp->easy, CURLOPT_FTPPORT, "-");
	curl_easy_setopt(ftp->easy, CURLOPT_USERNAME, settings->user);
	if (ftp->password)
		set_secret(ftp->easy, CURLOPT_PASSWORD, ftp->password);
	set_tls(ftp);
	curl_easy_setopt(ftp->easy, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(ftp->easy, CURLOPT_HEADERDATA, ftp);
	curl_easy_setopt(ftp->easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(ftp->easy, CURLOPT_DEBUGFUNCTION, on_command);
	curl_easy_setopt(ftp->easy, CURLOPT_DEBUGDATA, ftp);
	curl_easy_setopt(ftp->easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(ftp->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(ftp->easy, CURLOPT_XFERINFODATA, ftp);
	curl_easy_setopt(ftp->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(ftp->easy, CURLOPT_OPENSOCKETDATA, ftp);
	curl_easy_setopt(ftp->easy, CURLOPT_ERRORBUFFER, ftp->why);
}

static void set_url(const struct ftp *ftp, const char *path)
{
	const struct ftp_settings *settings = ftp->settings;
	bool number = strchr(settings->host, ':') && settings->host[0] != '[';
	struct buf url;

	buf_init(&url, 3 * REMOTE_PATH_MAX + 512);
	buf_printf(&url, "%s://%s%s%s:%u/", settings->tls == FTP_IMPLICIT ? "ftps" : "ftp", number ? "[" : "",
		   settings->host, number ? "]" : "", port_of(settings));
	for (const char *at = path ? path : ""; *at; at++)
		if (isalnum((unsigned char)*at) || strchr("/-_.~", *at))
			buf_append(&url, at, 1);
		else
			buf_printf(&url, "%%%02X", (unsigned char)*at);
	buf_append(&url, "", 1);
	curl_easy_setopt(ftp->easy, CURLOPT_URL, url.data);
	buf_free(&url);
}

CURL *ftp_begin(struct ftp *ftp, const char *path, const char *const *watched, size_t n)
{
	curl_easy_reset(ftp->easy);
	set_connection(ftp);
	set_url(ftp, path);
	for (size_t i = 0; i < FTP_COMMANDS; i++) {
		ftp->commands[i] = i < n ? watched[i] : NULL;
		ftp->codes[i] = 0;
	}
	ftp->answering = -1;
	ftp->code = 0;
	ftp->said[0] = ftp->why[0] = '\0';
	ftp->timed_out = ftp->bye = false;
	buf_reset(&ftp->lines);
	ftp->heard_ms = clock_tick_ms();
	return ftp->easy;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static bool take_message(struct ftp *ftp, CURLcode *result)
{
	CURLMsg *said;
	int left;

	while ((said = curl_multi_info_read(ftp->multi, &left)))
		if (said->msg == CURLMSG_DONE) {
			*result = said->data.result;
			return true;
		}
	return false;
}

/* After an answer libcurl may have a next step of its own that no socket tells of: a connection for data that is to be
 * begun waits for its timer else, 0.2 s with each transfer. So the first waits are short. */
void ftp_run(struct ftp *ftp, bool (*enough)(void *), void *arg, bool *ended, CURLcode *result)
{
	int running, ready = 0, wait_ms = 1;

	if (!ftp->added)
		ftp->added = !curl_multi_add_handle(ftp->multi, ftp->easy);
	for (;;) {
		curl_multi_perform(ftp->multi, &running);
		*ended = take_message(ftp, result);
		if (*ended || (enough && enough(arg)))
			return;
		if (ftp->timed_out || is_silent(ftp)) {
			ftp->timed_out = *ended = true;
			*result = CURLE_OPERATION_TIMEDOUT;
			return;
		}
		curl_multi_poll(ftp->multi, NULL, 0, wait_ms, &ready);
		wait_ms = ready ? 1 : wait_ms < WAIT_MS / 2 ? 2 * wait_ms : WAIT_MS;
	}
}

/* A server that does not answer any more is not waited for when libcurl says good-bye to it. */
static void cut_off(struct ftp *ftp)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	curl_easy_getinfo(ftp->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd != CURL_SOCKET_BAD)
		shutdown(fd, SHUT_RDWR);
}

void ftp_end(struct ftp *ftp)
{
	if (ftp->added)
		curl_multi_remove_handle(ftp->multi, ftp->easy);
	ftp->added = false;
}

/* ---- what went wrong ------------------------------------------------------------------------------------------- */

static int lost(struct ftp *ftp, struct error *error, const char *code, const char *what, const char *advice)
{
	const struct ftp_settings *settings = ftp->settings;

	ftp->lost = true;
	error_set(error, ERROR_RETRY, code, "%s port %u: %s%s%s", settings->host, port_of(settings), what,
		  advice[0] ? "; " : "", advice);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

static int bad_certificate(struct ftp *ftp, struct error *error)
{
	const char *why = ftp->why;

	if (strstr(why, "does not match") || strstr(why, "no alternative"))
		return lost(ftp, error, "ftp.certificate", why,
			    "the certificate is for another name: write that one as `host`, or ask the partner");
	if (strstr(why, "expired"))
		return lost(ftp, error, "ftp.certificate", why, "the partner must renew it");
	if (strstr(why, "issuer") || strstr(why, "self"))
		return lost(ftp, error, "ftp.certificate", why,
			    "nobody that is trusted here has signed it: `ca: FILE` names who has");
	return lost(ftp, error, "ftp.certificate", why, "nothing was sent");
}

#define OURS "it may want a certificate of ours: `certificate` and `key`"

int ftp_lost_by(struct ftp *ftp, CURLcode result, struct error *error)
{
	char silent[80];

	if (ftp->bye) /* libcurl calls it a time-out */
		return lost(ftp, error, "ftp.lost", "the server ends the connection (421)",
			    "too many may be there, or it goes down; it is asked again");
	/* It may want to see the session of the first connection, which has no ticket left: a new one has. */
	if (ftp->code == 425 || ftp->code == 522)
		return lost(ftp, error, "ftp.lost", "no connection for data came about", ftp->said);
	switch (result) {
	case CURLE_OK:
	case CURLE_FTP_COULDNT_RETR_FILE:
	case CURLE_REMOTE_FILE_NOT_FOUND:
	case CURLE_REMOTE_ACCESS_DENIED:
	case CURLE_UPLOAD_FAILED:
	case CURLE_REMOTE_DISK_FULL:
		return 0;
	case CURLE_PARTIAL_FILE:
		return ftp->code >= 400 ? 0 : lost(ftp, error, "ftp.lost", "a transfer broke off", "");
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_OPERATION_TIMEDOUT:
		snprintf(silent, sizeof silent, "no answer within %lld s",
			 (long long)(ftp->settings->timeout_ms + 999) / 1000);
		return lost(ftp, error, "ftp.timeout", silent, "");
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return ftp->inside ? lost(ftp, error, "ftp.lost", "the connection was lost", "")
				   : lost(ftp, error, "ftp.connect", ftp->why, "");
	case CURLE_LOGIN_DENIED:
		if (strstr(ftp->why, "denied: 4")) /* as long as its reason lasts: too many are there, it goes down */
			return lost(ftp, error, "ftp.lost", ftp->why, "it lets nobody in now, and is asked again");
		return lost(ftp, error, "ftp.auth", "it does not let us in with this user and password", "");
	case CURLE_USE_SSL_FAILED:
		return lost(
			ftp, error, "ftp.tls", ftp->why,
			"`tls: implicit` if it wants TLS at once; without any, `tls: unencrypted` lets everybody on "
			"the way read password and files");
	case CURLE_SSL_CONNECT_ERROR:
		if (strstr(ftp->why, "handshake failure") && !ftp->key)
			return lost(ftp, error, "ftp.certificate", ftp->why, OURS);
		return lost(ftp, error, "ftp.tls", ftp->why,
			    ftp->settings->tls == FTP_IMPLICIT ? "`tls: explicit` if it begins in plain text" : "");
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return lost(ftp, error, "ftp.certificate", ftp->why, "look at `ca`, `certificate` and `key`");
	case CURLE_PEER_FAILED_VERIFICATION:
		return bad_certificate(ftp, error);
	default:
		if (!ftp->inside && strstr(ftp->why, "certificate required"))
			return lost(ftp, error, "ftp.certificate", ftp->why, OURS);
		return lost(ftp, error, "ftp.lost", ftp->why[0] ? ftp->why : curl_easy_strerror(result), "");
	}
}

/* ---- commands -------------------------------------------------------------------------------------------------- */

int ftp_command(struct ftp *ftp, const char *const *commands, size_t n, struct error *error)
{
	struct curl_slist *quote = NULL;
	CURLcode result = CURLE_OK;
	bool ended;
	CURL *easy;

	if (ftp->lost)
		return lost(ftp, error, "ftp.lost", "the connection was lost", "");
	easy = ftp_begin(ftp, NULL, commands, n);
	for (size_t i = 0; i < n; i++) {
		char *text = mem_printf("*%s", commands[i]);

		quote = curl_slist_append(quote, text);
		free(text);
	}
	curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(easy, CURLOPT_QUOTE, quote);
	ftp_run(ftp, NULL, NULL, &ended, &result);
	if (ftp->timed_out)
		cut_off(ftp);
	ftp_end(ftp);
	curl_easy_setopt(easy, CURLOPT_QUOTE, NULL);
	curl_slist_free_all(quote);
	if (ftp_lost_by(ftp, result, error))
		return -1;
	if (!ftp->codes[n - 1])
		return lost(ftp, error, "ftp.lost", "a command was not answered", "");
	return 0;
}

/* ---- open and close -------------------------------------------------------------------------------------------- */

static int need_secret(const struct ftp *ftp, const char *name, struct secret **into, struct error *error)
{
	if (name)
		*into = secret_new(ftp->endpoint->secrets, name, error);
	return name && !*into ? -1 : 0;
}

static bool can(const struct ftp *ftp, const char *feature)
{
	size_t n = strlen(feature);

	for (size_t at = 0; at + n < ftp->lines.len; at++)
		if ((at == 0 || ftp->lines.data[at - 1] == '\n' || ftp->lines.data[at - 1] == ' ') &&
		    !strncasecmp(ftp->lines.data + at, feature, n))
			return true;
	return false;
}

static bool has_fact(const struct ftp *ftp, const char *fact)
{
	char *text = mem_span_dup(buf_view(&ftp->lines)), *line = strcasestr(text, " MLST "), *end;
	bool found = false;

	end = line ? strchr(line, '\n') : NULL;
	if (end)
		*end = '\0';
	found = line && strcasestr(line, fact);
	free(text);
	return found;
}

static int learn(struct ftp *ftp, struct error *error)
{
	static const char *const feat[] = {"FEAT"}, *const setting[] = {"TYPE I", "OPTS UTF8 ON"};

	if (ftp_command(ftp, feat, 1, error))
		return -1;
	ftp->inside = true;
	ftp->has_facts =
		ftp->code == 211 && has_fact(ftp, "type*") && has_fact(ftp, "size*") && has_fact(ftp, "modify*");
	ftp->has_utf8 = ftp->code == 211 && can(ftp, "UTF8");
	return ftp_command(ftp, setting, ftp->has_utf8 ? 2 : 1, error);
}

/* Servers ask that a connection for data goes on with the session of the first, and with TLS 1.3 each ticket is good
 * once: an upload, which reads nothing, takes the last. So it is TLS 1.2, unless the server has nothing but 1.3. */
static bool wants_newest_tls(const struct ftp *ftp)
{
	return !ftp->inside && strstr(ftp->why, "protocol version");
}

struct ftp *ftp_open(const struct ftp_settings *settings, const struct endpoint *endpoint, struct error *error)
{
	struct ftp *ftp = mem_alloc(sizeof *ftp);

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without asking for silence */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	ftp->settings = settings;
	ftp->endpoint = endpoint;
	buf_init(&ftp->lines, FTP_LINES_MAX);
	ftp->multi = curl_multi_init();
	ftp->easy = curl_easy_init();
	if (!ftp->multi || !ftp->easy) {
		error_set(error, ERROR_FATAL, "ftp.library", "libcurl cannot start");
		goto failed;
	}
	if (need_secret(ftp, settings->password, &ftp->password, error) ||
	    need_secret(ftp, settings->key, &ftp->key, error) ||
	    need_secret(ftp, settings->passphrase, &ftp->passphrase, error)) {
		error_wrap(error, "endpoint %s", endpoint->name);
		goto failed;
	}
	if (!learn(ftp, error))
		return ftp;
	if (wants_newest_tls(ftp)) {
		error_clear(error);
		ftp->newest_tls = true;
		ftp->lost = false;
		if (!learn(ftp, error))
			return ftp;
	}
failed:
	ftp_close(ftp);
	return NULL;
}

void ftp_close(struct ftp *ftp)
{
	static const char *const quit[] = {"QUIT"};

	if (!ftp)
		return;
	if (ftp->inside && !ftp->lost && !ftp->added) {
		ftp->quitting = true;
		ftp_command(ftp, quit, 1, NULL);
	}
	if (ftp->easy)
		cut_off(ftp);
	ftp_end(ftp);
	curl_easy_cleanup(ftp->easy);
	curl_multi_cleanup(ftp->multi);
	secret_free(ftp->password);
	secret_free(ftp->key);
	secret_free(ftp->passphrase);
	buf_free(&ftp->lines);
	free(ftp);
}
