/* Deliveries over HTTP (libcurl): one multi handle for all endpoints of the process, so that a target that hangs
 * costs its own few connections and nobody else anything.
 *
 * The line that matters is the one between "certainly nothing was sent" and "something may have arrived"; libcurl is
 * kept from crossing it by itself: no redirects, and a second try of a transfer (it makes one when a kept connection
 * turns out dead) is stopped. Secrets are read here, put into header lists while they are sent, and wiped. */
#include "config.h"
#include "broker-adapters/http/http_peer.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/types.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/fault.h"

#define ACTIVE_MAX 256u      /* transfers at once, all endpoints together */
#define EASY_KEPT 64u        /* handles kept for reuse */
#define KEPT_OF_ANSWER 4096u /* of its body, for the reason of a refusal */
#define ANSWER_HEADERS_MAX (64u * 1024)
#define FIELD_MAX 512u
#define FRESH_S 1L /* idle connections older than this are not used where a lost one means doubt */
#define IDLE_S 50L

struct transfer {
	struct transfer *next; /* in the sink's queue, or among the finished */
	struct attempt *attempt;
	struct http_peer *target;
	CURL *easy; /* NULL while it queues */
	struct curl_slist *headers;
	char *url;
	struct reader *body;
	uint64_t offset, size;
	uint64_t received, header_bytes;
	struct buf answer, retry_after, location, request_id;
	bool asked, again, cut, read_failed, headed; /* headed: the blank line after the last status line came */
	int64_t started_ms;
	char why[CURL_ERROR_SIZE];
};

struct sink {
	CURLM *multi;
	struct http_peer *targets;
	struct transfer *queue, **queue_end;
	struct transfer *finished, **finished_end;
	unsigned active;
	CURL *kept[EASY_KEPT];
	size_t kept_count;
};

/* ---- header lists
 * ------------------------------------------------------------------------------------------------------ */
static void headers_wipe(struct curl_slist *list)
{
	for (struct curl_slist *item = list; item; item = item->next)
		explicit_bzero(item->data, strlen(item->data));
	curl_slist_free_all(list);
}

static void header_add(struct transfer *transfer, struct span name, struct span value)
{
	struct buf line;
	struct curl_slist *longer;

	buf_init(&line, 16 * 1024);
	buf_room(&line, name.len + value.len + 8); /* so that growing leaves no copy of a secret behind */
	buf_span(&line, name);
	buf_text(&line, value.len ? ": " : ";"); /* libcurl's way to write an empty field */
	buf_span(&line, value);
	longer = curl_slist_append(transfer->headers, line.data);
	if (longer)
		transfer->headers = longer;
	explicit_bzero(line.data, line.capacity);
	buf_free(&line);
}

static void header_take(void *arg, struct span name, struct span value)
{
	header_add(arg, name, value);
}

static int headers_build(struct transfer *transfer, struct error *error)
{
	const struct http_peer *target = transfer->target;
	const struct http_request request = {transfer->attempt, target->idempotency, transfer->size};

	if (http_request_headers(&request, header_take, transfer, error))
		return -1;
	/* Not sent, and not waited for: a target without support would cost a second each. */
	transfer->headers = curl_slist_append(transfer->headers, "Expect:");
	if (target->auth)
		header_add(transfer, span_of(target->auth_header), secret_reveal(target->auth));
	return 0;
}

/* ---- what libcurl calls
 * -------------------------------------------------------------------------------------------------- */
static size_t on_read(char *into, size_t size, size_t n, void *arg)
{
	struct transfer *transfer = arg;
	ssize_t got = transfer->body ? reader_read(transfer->body, transfer->offset, into, size * n, NULL) : 0;

	if (got < 0) {
		transfer->read_failed = true;
		return CURL_READFUNC_ABORT;
	}
	transfer->offset += (uint64_t)got;
	return (size_t)got;
}

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * n, room = KEPT_OF_ANSWER - transfer->answer.len;

	transfer->received += len;
	buf_append(&transfer->answer, data, len < room ? len : room);
	if (transfer->received <= transfer->target->max)
		return len;
	transfer->cut = true;
	return 0; /* ends the transfer */
}

static void field_keep(struct buf *into, struct span value)
{
	buf_reset(into);
	value = http_string(value);
	buf_append(into, value.data, value.len < FIELD_MAX ? value.len : FIELD_MAX);
}

static bool field_is(struct span name, const char *wanted)
{
	return name.len == strlen(wanted) && strncasecmp(name.data, wanted, name.len) == 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * n;
	const char *colon = memchr(data, ':', len);
	struct span name, value;

	transfer->header_bytes += len;
	if (transfer->header_bytes > ANSWER_HEADERS_MAX)
		return 0;
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0)
		transfer->headed = false;
	else if (len <= 2 && data[len - 1] == '\n')
		transfer->headed = true;
	if (!colon)
		return len;
	name = span_make(data, (size_t)(colon - data));
	value = span_make(colon + 1, len - name.len - 1);
	if (field_is(name, "Retry-After"))
		field_keep(&transfer->retry_after, value);
	else if (field_is(name, "Location"))
		field_keep(&transfer->location, value);
	else if (field_is(name, "X-Request-Id") || field_is(name, "Request-Id") || field_is(name, "X-Correlation-Id"))
		field_keep(&transfer->request_id, value);
	return len;
}

/* Called when a connection stands and before the first byte goes out. */
static int on_connected(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct transfer *transfer = arg;

	if (transfer->asked) {
		transfer->again = true;
		return CURL_PREREQFUNC_ABORT;
	}
	transfer->asked = true;
	FAULT("http.connected");
	return CURL_PREREQFUNC_OK;
}

/* ---- a transfer
 * ------------------------------------------------------------------------------------------------------------ */
static void transfer_free(struct transfer *transfer)
{
	headers_wipe(transfer->headers);
	reader_unref(transfer->body);
	buf_free(&transfer->answer);
	buf_free(&transfer->retry_after);
	buf_free(&transfer->location);
	buf_free(&transfer->request_id);
	free(transfer->url);
	free(transfer);
}

static void easy_keep(struct sink *sink, CURL *easy)
{
	if (sink->kept_count == EASY_KEPT) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy); /* also lets go of the header list */
	sink->kept[sink->kept_count++] = easy;
}

static void easy_request(struct transfer *transfer, CURL *easy)
{
	struct span method = message_attr_find(transfer->attempt->message, "method");
	char *text = method.len ? mem_span_dup(method) : mem_strdup("POST");

	curl_easy_setopt(easy, CURLOPT_URL, transfer->url);
	if (strcmp(text, "DELETE") == 0) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	} else {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->size);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, text);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	free(text);
}

static void easy_set(struct transfer *transfer, CURL *easy)
{
	const struct http_peer *target = transfer->target;

	easy_request(transfer, easy);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->why);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs must not hold up the end */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY,
			 target->proxy ? target->proxy : ""); /* "": the environment's is not used */
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)target->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)target->connect_ms);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, target->keyed ? IDLE_S : FRESH_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (target->ca)
		curl_easy_setopt(easy, CURLOPT_CAINFO, target->ca);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
}

static void transfer_begin(struct sink *sink, struct transfer *transfer)
{
	CURL *easy = sink->kept_count ? sink->kept[--sink->kept_count] : curl_easy_init();

	assert(easy);
	easy_set(transfer, easy);
	transfer->easy = easy;
	transfer->started_ms = clock_tick_ms();
	transfer->target->active++;
	sink->active++;
	FAULT("http.start");
	curl_multi_add_handle(sink->multi, easy);
}

/* Those that queued, as far as their endpoints have room. */
static void queue_run(struct sink *sink)
{
	struct transfer **at = &sink->queue;

	while (*at && sink->active < ACTIVE_MAX) {
		struct transfer *transfer = *at;

		if (transfer->target->active >= transfer->target->parallel) {
			at = &transfer->next;
			continue;
		}
		*at = transfer->next;
		transfer->next = NULL;
		if (!*at && sink->queue_end == &transfer->next)
			sink->queue_end = at;
		transfer_begin(sink, transfer);
	}
}

static void transfer_end(struct sink *sink, struct transfer *transfer)
{
	curl_multi_remove_handle(sink->multi, transfer->easy);
	easy_keep(sink, transfer->easy);
	transfer->easy = NULL;
	transfer->target->active--;
	sink->active--;
}

/* ---- judging
 * ------------------------------------------------------------------------------------------------------------------ */
static const char *broken_code(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return "http.resolve";
	case CURLE_COULDNT_CONNECT:
		return "http.connect";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return "http.tls";
	case CURLE_OPERATION_TIMEDOUT:
		return "http.timeout";
	default:
		return "http.broken";
	}
}

static void transfer_judge(struct transfer *transfer, CURLcode code)
{
	struct attempt *attempt = transfer->attempt;
	struct http_answer answer = {.now_ms = clock_now_ms()};
	long status = 0, sent = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
	if (!transfer->asked && (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)) {
		error_set(&attempt->error, ERROR_REJECT, "http.address", "libcurl cannot read the url: %s",
			  transfer->why);
		return;
	}
	http_peer_redact(transfer->target, &transfer->answer);
	answer.status = status >= 200 ? (unsigned)status : 0;
	answer.begun = transfer->asked && sent > 0;
	answer.broken = code != CURLE_OK || !transfer->headed; /* libcurl takes half a header for a whole one */
	answer.cut = transfer->cut;
	answer.code = broken_code(code);
	answer.why = transfer->again || code == CURLE_OK ? "the connection was lost"
		     : transfer->read_failed             ? "the body could not be read here"
		     : *transfer->why                    ? transfer->why
							 : curl_easy_strerror(code);
	answer.retry_after = buf_view(&transfer->retry_after);
	answer.location = buf_view(&transfer->location);
	answer.request_id = buf_view(&transfer->request_id);
	answer.body = buf_view(&transfer->answer);
	answer.took_ms = clock_tick_ms() - transfer->started_ms;
	http_judge(attempt->endpoint, &answer, &attempt->error);
	buf_reset(&attempt->receipt);
	http_receipt(&answer, transfer->url, &attempt->receipt);
}

static void finish(struct sink *sink, struct transfer *transfer)
{
	transfer->next = NULL;
	*sink->finished_end = transfer;
	sink->finished_end = &transfer->next;
}

static void pump(struct sink *sink)
{
	CURLMsg *said;
	int running, left;

	queue_run(sink);
	curl_multi_perform(sink->multi, &running);
	while ((said = curl_multi_info_read(sink->multi, &left))) {
		struct transfer *transfer = NULL;
		CURLcode code = said->data.result;

		if (said->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		FAULT("http.sent");
		transfer_judge(transfer, code);
		transfer_end(sink, transfer);
		finish(sink, transfer);
	}
	if (sink->queue && sink->active < ACTIVE_MAX)
		queue_run(sink);
}

static int sink_endpoint(void *opaque, const struct endpoint *endpoint, struct error *error)
{
	return http_peer_announce(&((struct sink *)opaque)->targets, endpoint, error);
}

/* ---- what the role calls
 * ------------------------------------------------------------------------------------------------------ */
static void *sink_open(struct error *error)
{
	struct sink *sink = mem_alloc(sizeof *sink);

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without asking for silence */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	sink->multi = curl_multi_init();
	if (!sink->multi) {
		free(sink);
		error_set(error, ERROR_FATAL, "http.start", "libcurl cannot start");
		return NULL;
	}
	curl_multi_setopt(sink->multi, CURLMOPT_MAXCONNECTS, (long)ACTIVE_MAX);
	sink->queue_end = &sink->queue;
	sink->finished_end = &sink->finished;
	return sink;
}

static int sink_start(void *opaque, struct attempt *attempt, struct error *error)
{
	struct sink *sink = opaque;
	struct http_peer *target = http_peer_find(sink->targets, attempt->endpoint->name);
	const struct message *message = attempt->message;
	struct span url = message_attr_find(message, "url");
	struct transfer *transfer;

	assert(target);
	if (!url.len || (!message->body && message->body_size)) {
		error_set(error, ERROR_REJECT, "http.address", "the message comes without %s",
			  url.len ? "its body" : "a url");
		attempt->error = *error;
		return -1;
	}
	transfer = mem_alloc(sizeof *transfer);
	transfer->attempt = attempt;
	transfer->target = target;
	transfer->url = mem_span_dup(url);
	transfer->body = message->body ? reader_ref(message->body) : NULL;
	transfer->size = message->body ? reader_size(message->body) : 0;
	buf_init(&transfer->answer, KEPT_OF_ANSWER);
	buf_init(&transfer->retry_after, FIELD_MAX);
	buf_init(&transfer->location, FIELD_MAX);
	buf_init(&transfer->request_id, FIELD_MAX);
	if (headers_build(transfer, error)) {
		attempt->error = *error;
		transfer_free(transfer);
		return -1;
	}
	attempt->adapter = transfer;
	*sink->queue_end = transfer;
	sink->queue_end = &transfer->next;
	queue_run(sink);
	return 0;
}

static size_t finished_take(struct sink *sink, struct attempt **into, size_t max)
{
	size_t n = 0;

	while (n < max && sink->finished) {
		struct transfer *transfer = sink->finished;

		sink->finished = transfer->next;
		if (!sink->finished)
			sink->finished_end = &sink->finished;
		into[n++] = transfer->attempt;
		transfer->attempt->adapter = NULL;
		transfer_free(transfer);
	}
	return n;
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
			return error_set(error, ERROR_FATAL, "http.poll", "libcurl cannot wait for its connections");
		pump(sink);
	}
	*count = finished_take(sink, into, max);
	return 0;
}

static void unlink_from(struct transfer **list, struct transfer ***end, const struct transfer *transfer)
{
	for (struct transfer **at = list; *at; at = &(*at)->next) {
		if (*at != transfer)
			continue;
		*at = transfer->next;
		break;
	}
	*end = list;
	while (**end)
		*end = &(**end)->next;
}

static void sink_abandon(void *opaque, struct attempt *attempt)
{
	struct sink *sink = opaque;
	struct transfer *transfer = attempt->adapter;

	if (!transfer)
		return;
	if (transfer->easy)
		transfer_end(sink, transfer);
	unlink_from(&sink->queue, &sink->queue_end, transfer);
	unlink_from(&sink->finished, &sink->finished_end, transfer);
	attempt->adapter = NULL;
	transfer_free(transfer);
}

/* Attempts are abandoned by the role before. */
static void sink_close(void *opaque)
{
	struct sink *sink = opaque;

	if (!sink)
		return;
	for (size_t i = 0; i < sink->kept_count; i++)
		curl_easy_cleanup(sink->kept[i]);
	curl_multi_cleanup(sink->multi);
	while (sink->targets) {
		struct http_peer *target = sink->targets;

		sink->targets = target->next;
		http_peer_free(target);
	}
	free(sink);
}

const struct sink_ops http_sink_ops = {
	.name = "http",
	.help = "Sends each message as one HTTP request",
	.options = http_target_options,
	.settings_size = sizeof(struct http_target),
	.traits = SINK_KEY,
	.natural = EFFECT_KEY,
	.shared = true,
	.address = http_target_address,
	.open = sink_open,
	.close = sink_close,
	.endpoint = sink_endpoint,
	.start = sink_start,
	.reap = sink_reap,
	.resolve = http_target_resolve,
	.parallel = http_target_parallel,
	.abandon = sink_abandon,
	.preview = http_target_preview,
	.judge = http_target_judge,
	.presume = http_target_presume,
	.check = http_peer_check,
};
