/* Deliveries over SMTP (libcurl): one multi handle for its endpoint.
 *
 * libcurl speaks the protocol; where a transfer stands is read from the commands that go out and the replies that come
 * in, since its own error codes do not tell a refused recipient from a lost connection. Passwords are seen on neither
 * way: of commands only the first words are looked at. A mail has a connection of its own: one that is kept
 * would be closed some day with a QUIT that libcurl waits for, in the midst of others. */
#include "config.h"
#include "broker-adapters/mail/mail.h"

#include <assert.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/secret.h"

#define ACTIVE_MAX 64u /* mails at once, all endpoints together */
#define REPLY_MAX 1024u

/* An endpoint as announced. Settings are read from the attempt's endpoint, the secret only here. */
struct account {
	struct account *next;
	char *name;
	struct secret *password;
	unsigned active;
};

struct mail {
	struct mail *next; /* in the sink's queue, or among the finished */
	struct attempt *attempt;
	struct account *account;
	CURL *easy; /* NULL while it queues */
	struct curl_slist *recipients;
	struct mail_content content;
	struct mail_answer answer;
	struct buf reply, recipient;
	bool answered; /* a reply came after the last byte */
	bool leaving;  /* QUIT went out: what comes now is not about the mail */
	curl_socket_t socket;
	char why[CURL_ERROR_SIZE];
};

struct sink {
	CURLM *multi;
	struct account *accounts;
	struct mail *queue, **queue_end;
	struct mail *finished, **finished_end;
	unsigned active;
};

/* ---- what libcurl calls ---- */
static size_t on_read(char *into, size_t size, size_t n, void *arg)
{
	struct mail *mail = arg;
	size_t got;

	if (!mail->content.at)
		FAULT("mail.content");
	got = mail_content_read(&mail->content, into, size * n);
	if (mail->content.failed)
		return CURL_READFUNC_ABORT;
	if (mail->content.at == mail->content.size && !mail->answer.sent) {
		mail->answer.sent = true; /* a moment early: the dot goes out behind it, unasked */
		mail->answer.reply = 0;
		FAULT("mail.sent");
	}
	return got;
}

/* Lines of replies: "250-SIZE" and at last "250 OK". */
static size_t on_reply(char *data, size_t size, size_t n, void *arg)
{
	struct mail *mail = arg;
	size_t len = size * n;
	struct span line = span_make(data, len);

	while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
		line.len--;
	if (line.len < 3 || !isdigit((unsigned char)data[0]) || !isdigit((unsigned char)data[1]) ||
	    !isdigit((unsigned char)data[2]))
		return len;
	if (mail->leaving || (line.len > 3 && line.data[3] == '-'))
		return len;
	mail->answer.reply = (unsigned)((data[0] - '0') * 100 + (data[1] - '0') * 10 + (data[2] - '0'));
	mail->answered = mail->answer.sent;
	buf_reset(&mail->reply);
	if (line.len > 4)
		buf_append(&mail->reply, data + 4, line.len - 4 < REPLY_MAX ? line.len - 4 : REPLY_MAX);
	return len;
}

/* libcurl waits for the reply to QUIT, and everybody with it: here nobody needs it. */
static void leave(struct mail *mail)
{
	mail->leaving = true;
	if (mail->socket != CURL_SOCKET_BAD)
		shutdown(mail->socket, SHUT_RD);
	curl_easy_setopt(mail->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, 1L);
}

static int on_command(CURL *easy, curl_infotype type, char *data, size_t len, void *arg)
{
	struct mail *mail = arg;
	struct span text = span_make(data, len);

	if (type != CURLINFO_HEADER_OUT)
		return 0;
	if (span_starts(text, "MAIL FROM:")) {
		mail->answer.stage = MAIL_SENDER;
	} else if (span_starts(text, "RCPT TO:")) {
		mail->answer.stage = MAIL_RECIPIENT;
		buf_reset(&mail->recipient);
		buf_append(&mail->recipient, data + 8, len - 8 < 256 ? len - 8 : 256);
	} else if (span_is(text, "DATA\r\n")) {
		mail->answer.stage = MAIL_DATA;
	} else if (span_is(text, "QUIT\r\n")) {
		leave(mail);
		return 0;
	} else {
		if (span_starts(text, "EHLO ") || span_starts(text, "HELO "))
			curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &mail->socket);
		return 0;
	}
	mail->answer.reply = 0;
	return 0;
}

/* ---- a mail ---- */
static void mail_free(struct mail *mail)
{
	curl_slist_free_all(mail->recipients);
	mail_content_free(&mail->content);
	buf_free(&mail->reply);
	buf_free(&mail->recipient);
	free(mail);
}

static void easy_connection(struct mail *mail, CURL *easy)
{
	const struct endpoint *endpoint = mail->attempt->endpoint;
	const struct mail_settings *settings = endpoint->settings;
	static const long ports[] = {587, 465, 25};
	bool number = strchr(settings->host, ':') && settings->host[0] != '[';
	char *url = mem_printf("%s://%s%s%s:%ld/%s", settings->tls == MAIL_IMPLICIT ? "smtps" : "smtp",
			       number ? "[" : "", settings->host, number ? "]" : "",
			       settings->port ? (long)settings->port : ports[settings->tls],
			       settings->helo ? settings->helo : "");

	curl_easy_setopt(easy, CURLOPT_URL, url);
	free(url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_USE_SSL,
			 settings->tls == MAIL_NONE ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (settings->ca) {
		char *path = settings->ca[0] == '/' ? mem_strdup(settings->ca)
						    : mem_printf("%s/%s", endpoint->root, settings->ca);

		curl_easy_setopt(easy, CURLOPT_CAINFO, path);
		free(path);
	}
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* the environment's is not used */
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)settings->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(settings->timeout_ms / 1000 + 1));
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_ms);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	if (mail->account->password) {
		char *password = mem_span_dup(secret_reveal(mail->account->password));

		curl_easy_setopt(easy, CURLOPT_USERNAME, settings->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
		explicit_bzero(password, strlen(password));
		free(password);
	}
}

static void easy_set(struct mail *mail, CURL *easy)
{
	const struct mail_settings *settings = mail->attempt->endpoint->settings;
	struct span from = SPAN_NONE;
	char *sender;

	easy_connection(mail, easy);
	mail_address_parse(span_of(settings->from), &from);
	sender = mem_span_dup(from);
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, sender);
	free(sender);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, mail->recipients);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->content.size);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, mail);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_reply);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, mail);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_command);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, mail);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, mail);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, mail->why);
}

static void mail_begin(struct sink *sink, struct mail *mail)
{
	mail->easy = curl_easy_init();
	assert(mail->easy);
	easy_set(mail, mail->easy);
	mail->account->active++;
	sink->active++;
	FAULT("mail.start");
	curl_multi_add_handle(sink->multi, mail->easy);
}

static void mail_end(struct sink *sink, struct mail *mail)
{
	curl_multi_remove_handle(sink->multi, mail->easy);
	curl_easy_cleanup(mail->easy);
	mail->easy = NULL;
	mail->account->active--;
	sink->active--;
}

/* Those that queued, as far as their endpoints have room. */
static void queue_run(struct sink *sink)
{
	struct mail **at = &sink->queue;

	while (*at && sink->active < ACTIVE_MAX) {
		struct mail *mail = *at;

		if (mail->account->active >= mail_parallel(mail->attempt->endpoint)) {
			at = &mail->next;
			continue;
		}
		*at = mail->next;
		if (!*at)
			sink->queue_end = at;
		mail->next = NULL;
		mail_begin(sink, mail);
	}
}

/* ---- judging ---- */
static const char *broken_code(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "mail.resolve";
	case CURLE_COULDNT_CONNECT:
		return "mail.connect";
	case CURLE_USE_SSL_FAILED:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return "mail.tls";
	case CURLE_LOGIN_DENIED:
		return "mail.login";
	case CURLE_OPERATION_TIMEDOUT:
		return "mail.timeout";
	default:
		return "mail.broken";
	}
}

static void mail_finish(struct sink *sink, struct mail *mail, CURLcode code)
{
	struct mail_answer *answer = &mail->answer;

	FAULT("mail.answered");
	if (answer->sent && !mail->answered)
		answer->reply = 0;
	if (!answer->sent && code == CURLE_OK)
		code = CURLE_SEND_ERROR; /* cannot be: success without having sent */
	answer->code = broken_code(code);
	answer->why = mail->content.failed ? "the message could not be read here"
		      : *mail->why         ? mail->why
					   : curl_easy_strerror(code);
	answer->text = buf_view(&mail->reply);
	answer->recipient = buf_view(&mail->recipient);
	mail_judge(answer, &mail->attempt->error);
	mail_receipt(mail->attempt, answer, &mail->attempt->receipt);
	mail_end(sink, mail);
	mail->next = NULL;
	*sink->finished_end = mail;
	sink->finished_end = &mail->next;
}

static void pump(struct sink *sink)
{
	CURLMsg *said;
	int running, left;

	queue_run(sink);
	curl_multi_perform(sink->multi, &running);
	while ((said = curl_multi_info_read(sink->multi, &left))) {
		struct mail *mail = NULL;
		CURLcode code = said->data.result;

		if (said->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, (char **)&mail);
		mail_finish(sink, mail, code);
	}
	queue_run(sink);
}

/* ---- what the role calls ---- */
static void *sink_open(struct error *error)
{
	struct sink *sink = mem_alloc(sizeof *sink);

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without asking for silence */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	sink->multi = curl_multi_init();
	if (!sink->multi) {
		free(sink);
		error_set(error, ERROR_FATAL, "mail.library", "libcurl cannot start");
		return NULL;
	}
	sink->queue_end = &sink->queue;
	sink->finished_end = &sink->finished;
	return sink;
}

static struct account *account_find(struct sink *sink, const char *name)
{
	struct account *account = sink->accounts;

	while (account && strcmp(account->name, name))
		account = account->next;
	return account;
}

static int sink_endpoint(void *opaque, const struct endpoint *endpoint, struct error *error)
{
	const struct mail_settings *settings = endpoint->settings;
	struct sink *sink = opaque;
	struct account *account = account_find(sink, endpoint->name);
	struct secret *password = NULL;

	if (mail_check(endpoint, error))
		return -1;
	if (settings->password) {
		password = secret_new(endpoint->secrets, settings->password, error);
		if (!password)
			return error_wrap(error, "endpoint %s", endpoint->name);
	}
	if (!account) {
		account = mem_alloc(sizeof *account);
		account->name = mem_strdup(endpoint->name);
		account->next = sink->accounts;
		sink->accounts = account;
	}
	secret_free(account->password);
	account->password = password;
	return 0;
}

static void add_recipient(void *arg, struct span address)
{
	struct mail *mail = arg;
	char *text = mem_span_dup(address);

	mail->recipients = curl_slist_append(mail->recipients, text);
	free(text);
}

static int sink_start(void *opaque, struct attempt *attempt, struct error *error)
{
	struct sink *sink = opaque;
	struct account *account = account_find(sink, attempt->endpoint->name);
	struct mail *mail = mem_alloc(sizeof *mail);

	assert(account);
	mail->attempt = attempt;
	mail->account = account;
	mail->socket = CURL_SOCKET_BAD;
	buf_init(&mail->reply, REPLY_MAX);
	buf_init(&mail->recipient, 256);
	if (mail_content_open(&mail->content, attempt, clock_now_ms(), error) ||
	    mail_address_each(message_attr_find(attempt->message, "to"), add_recipient, mail, error)) {
		if (error != &attempt->error)
			attempt->error = *error;
		mail_free(mail);
		return -1;
	}
	attempt->adapter = mail;
	*sink->queue_end = mail;
	sink->queue_end = &mail->next;
	queue_run(sink);
	return 0;
}

static int sink_reap(void *opaque, struct attempt **into, size_t max, size_t *count, int wake, int wait_ms,
		     struct error *error)
{
	struct sink *sink = opaque;
	struct curl_waitfd extra = {.fd = wake, .events = CURL_WAIT_POLLIN};
	int64_t until = clock_tick_ms() + (wait_ms < 0 ? INT32_MAX : wait_ms);

	pump(sink);
	while (!sink->finished && !extra.revents) {
		int64_t left = until - clock_tick_ms();

		if (left <= 0)
			break;
		if (curl_multi_poll(sink->multi, &extra, wake >= 0 ? 1 : 0, (int)left, NULL))
			return error_set(error, ERROR_FATAL, "mail.library", "libcurl cannot wait for its connections");
		pump(sink);
	}
	for (*count = 0; *count < max && sink->finished;) {
		struct mail *mail = sink->finished;

		sink->finished = mail->next;
		if (!sink->finished)
			sink->finished_end = &sink->finished;
		into[(*count)++] = mail->attempt;
		mail->attempt->adapter = NULL;
		mail_free(mail);
	}
	return 0;
}

static void unlink_from(struct mail **list, struct mail ***end, const struct mail *mail)
{
	for (struct mail **at = list; *at; at = &(*at)->next) {
		if (*at != mail)
			continue;
		*at = mail->next;
		break;
	}
	*end = list;
	while (**end)
		*end = &(**end)->next;
}

static void sink_abandon(void *opaque, struct attempt *attempt)
{
	struct sink *sink = opaque;
	struct mail *mail = attempt->adapter;

	if (!mail)
		return;
	if (mail->easy)
		mail_end(sink, mail);
	unlink_from(&sink->queue, &sink->queue_end, mail);
	unlink_from(&sink->finished, &sink->finished_end, mail);
	attempt->adapter = NULL;
	mail_free(mail);
}

/* Attempts are abandoned by the role before. */
static void sink_close(void *opaque)
{
	struct sink *sink = opaque;

	if (!sink)
		return;
	curl_multi_cleanup(sink->multi);
	while (sink->accounts) {
		struct account *account = sink->accounts;

		sink->accounts = account->next;
		secret_free(account->password);
		free(account->name);
		free(account);
	}
	free(sink);
}

const struct sink_ops mail_sink_ops = {
	.name = "mail",
	.help = "Sends each message as one mail",
	.options = mail_options,
	.settings_size = sizeof(struct mail_settings),
	.traits = SINK_KEY,
	.natural = EFFECT_NONE,
	.address = mail_address,
	.open = sink_open,
	.close = sink_close,
	.endpoint = sink_endpoint,
	.start = sink_start,
	.reap = sink_reap,
	.resolve = mail_resolve,
	.parallel = mail_parallel,
	.abandon = sink_abandon,
	.preview = mail_preview,
	.judge = mail_judge_test,
	.presume = mail_presume,
	.check = mail_check,
};
