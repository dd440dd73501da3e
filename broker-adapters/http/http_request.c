/* What one request carries beside its body, and what an answer that a test makes up would mean: both without a network.
 * See http.h. */
#include "config.h"
#include "broker-adapters/http/http.h"

#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"

typedef void each_fn(void *arg, struct span name, struct span value);

/* A structured field's string (RFC 9651), as the Idempotency-Key draft wants it; other names get the bare key. */
static int put_key(const struct http_request *request, each_fn *each, void *arg, struct error *error)
{
	const struct attempt *attempt = request->attempt;
	char hex[ID_TEXT];
	struct span key = attempt->idempotency_key;
	struct buf value;

	id_hex(&attempt->key, hex);
	if (!key.len)
		key = span_of(hex);
	if (key.len > 255 || !http_header_value(key))
		return error_set(error, ERROR_REJECT, "http.key",
				 "the idempotency key is longer than 255 bytes or has control characters");
	buf_init(&value, 600);
	if (strcasecmp(request->idempotency, "Idempotency-Key") == 0) {
		buf_char(&value, '"');
		for (size_t i = 0; i < key.len; i++) {
			if (key.data[i] == '"' || key.data[i] == '\\')
				buf_char(&value, '\\');
			buf_char(&value, key.data[i]);
		}
		buf_char(&value, '"');
	} else {
		buf_span(&value, key);
	}
	each(arg, span_of(request->idempotency), buf_view(&value));
	buf_free(&value);
	return 0;
}

int http_request_headers(const struct http_request *request, each_fn *each, void *arg, struct error *error)
{
	const struct message *message = request->attempt->message;
	bool typed = false;

	for (size_t i = 0; i < message->attrs_count; i++) {
		struct span name = message->attrs[i].name, value = message->attrs[i].value;

		if (!span_starts(name, "header."))
			continue;
		name = span_make(name.data + 7, name.len - 7);
		if (!http_header_name(name) || !http_header_value(value))
			return error_set(error, ERROR_REJECT, "http.header", "header %.*s cannot be sent",
					 name.len > 64 ? 64 : (int)name.len, name.data);
		typed = typed || (name.len == 12 && strncasecmp(name.data, "Content-Type", 12) == 0);
		each(arg, name, value);
	}
	if (!typed && request->size)
		each(arg, span_of("Content-Type"),
		     message->datacontenttype.len && http_header_value(message->datacontenttype)
			     ? message->datacontenttype
			     : span_of("application/octet-stream"));
	if (message->traceparent.len && http_header_value(message->traceparent))
		each(arg, span_of("traceparent"), message->traceparent);
	each(arg, span_of("User-Agent"), span_of(PACKAGE_NAME "/" PACKAGE_VERSION));
	return put_key(request, each, arg, error);
}

/* ---- offline ------------------------------------------------------------------------------------------------------
 */
/* A credential is shown by its name: a test must need no secret, and show none. */
static void put_credential(const struct http_auth *auth, each_fn *each, void *arg)
{
	const char *name = auth->bearer ? auth->bearer : auth->basic.password ? auth->basic.password : auth->key.value;
	char *text;

	if (!name)
		return;
	text = mem_printf("%s{secret %s}", auth->bearer ? "Bearer " : auth->basic.password ? "Basic " : "", name);
	each(arg, span_of(auth->key.value ? auth->key.header : "Authorization"), span_of(text));
	free(text);
}

int http_target_preview(const struct attempt *attempt, each_fn *each, void *arg, struct error *error)
{
	const struct http_target *settings = attempt->endpoint->settings;
	const struct http_request request = {attempt, settings->idempotency ? settings->idempotency : "Idempotency-Key",
					     attempt->message->body_size};

	if (http_request_headers(&request, each, arg, error))
		return -1;
	put_credential(&settings->auth, each, arg);
	return 0;
}

int http_target_judge(const struct attempt *attempt, const struct sink_answer *given, struct error *verdict,
		      struct error *error)
{
	static const struct {
		const char *name, *code, *why;
		bool begun;
	} failures[] = {
		{"connect", "http.connect", "the connection is refused", false},
		{"timeout", "http.timeout", "the time is over", true},
		{"broken", "http.broken", "the connection was lost", true},
	};
	struct http_answer answer = {.status = (unsigned)given->status, .begun = true, .now_ms = clock_now_ms()};
	char wait[32];

	if (given->fails) {
		for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
			if (!strcmp(failures[i].name, given->fails)) {
				answer.broken = true;
				answer.begun = failures[i].begun;
				answer.code = failures[i].code;
				answer.why = failures[i].why;
			}
		if (!answer.broken)
			return error_set(error, ERROR_REJECT, "test.answer",
					 "`fails: %s`: over HTTP it is one of connect, timeout, broken", given->fails);
	}
	answer.body = span_of(given->body);
	snprintf(wait, sizeof wait, "%lld", (long long)(given->retry_after_ms + 999) / 1000);
	if (given->retry_after_ms)
		answer.retry_after = span_of(wait);
	http_judge(attempt->endpoint, &answer, verdict);
	return 0;
}
