/* A request to the listener. See http_incoming.h. */
#include "config.h"
#include "broker-adapters/http/http_incoming.h"

#include <stdlib.h>

#include "base/clock.h"

#define IDENTITY_MAX 256u

void http_incoming_init(struct http_incoming *request, struct http_spool *spool,
			struct span (*header)(void *connection, const char *name), void *connection)
{
	*request = (struct http_incoming){.header = header, .connection = connection, .arena = arena_new()};
	http_body_init(&request->body, spool);
}

void http_incoming_free(struct http_incoming *request)
{
	http_incoming_drop(request);
	arena_free(request->arena);
}

static struct span header(const struct http_incoming *request, const char *name)
{
	return request->header(request->connection, name);
}

static int refuse(struct http_incoming *request, unsigned status, const char *code, const char *why)
{
	if (!request->status) {
		error_set(&request->error, status >= 500 ? ERROR_RETRY : ERROR_REJECT, code, "%s", why);
		request->status = status;
	}
	return -1;
}

int http_incoming_refuse(struct http_incoming *request, unsigned status, const char *code, const char *why)
{
	return refuse(request, status, code, why);
}

/* ---- routing */
/* What can be refused before the body is read. */
static int route_webhook(struct http_incoming *request, bool accepting, const char *method)
{
	struct span length = header(request, "content-length"), encoding = header(request, "content-encoding");

	if (strcmp(method, "POST")) {
		request->allow = "POST";
		return refuse(request, 405, "request.method", "this address takes POST");
	}
	if (!accepting)
		return refuse(request, 503, "site.full", "not accepting");
	if (!http_types_fit(&request->hook->settings->types, header(request, "content-type")))
		return refuse(request, 415, "request.media-type", "this address does not take such a media type");
	if (encoding.len && !http_type_is(encoding, "identity"))
		return refuse(request, 415, "request.media-type", "compressed bodies are not taken");
	if (length.len && strtoull(length.data, NULL, 10) > request->hook->max)
		return refuse(request, 413, "document.too-large", "the body is larger than this address takes");
	return 0;
}

int http_incoming_route(struct http_incoming *request, const struct http_hooks *hooks, bool questions, bool accepting,
			const char *path, const char *method)
{
	if (questions && http_is_question(path)) {
		request->question = true;
		if (strcmp(method, "HEAD") == 0 || strcmp(method, "GET") == 0)
			return 0;
		request->allow = "GET, HEAD";
		return refuse(request, 405, "request.method", "this address takes GET");
	}
	for (size_t i = 0; i < hooks->count; i++) {
		if (strcmp(hooks->items[i].settings->webhook, path))
			continue;
		request->hook = &hooks->items[i];
		return route_webhook(request, accepting, method);
	}
	return refuse(request, 404, "request.path", "nothing is received at this address");
}

/* ---- the body */
void http_incoming_drop(struct http_incoming *request)
{
	reader_unref(request->reader);
	request->reader = NULL;
	http_body_drop(&request->body);
}

int http_incoming_add(struct http_incoming *request, const char *data, size_t len)
{
	if (request->body.size + len > request->hook->max)
		return refuse(request, 413, "document.too-large", "the body is larger than this address takes");
	if (http_body_add(&request->body, data, len, &request->error))
		request->status = 503;
	return 0;
}

/* ---- a complete request */
int http_incoming_prove(struct http_incoming *request)
{
	const struct http_hook *hook = request->hook;
	struct http_proof proof = {
		.id = header(request, "webhook-id"),
		.timestamp = header(request, "webhook-timestamp"),
		.signature = header(request, "webhook-signature"),
		.authorization = header(request, "authorization"),
	};
	int result = 0;

	if (hook->settings->verify == HTTP_VERIFY_STANDARD) {
		if (reader_view(request->reader, &proof.body, &request->error)) {
			request->status = 503;
			return -1;
		}
		result = http_webhook_verify(&hook->keys, &proof, clock_now_ms(), &request->error);
	} else if (hook->settings->verify == HTTP_VERIFY_BEARER) {
		result = http_bearer_verify(&hook->keys, &proof, &request->error);
	}
	if (result)
		request->status = 401;
	return result;
}

int http_incoming_identify(struct http_incoming *request)
{
	const struct http_webhook *settings = request->hook->settings;
	struct span id = SPAN_NONE, stamp = header(request, "webhook-timestamp");
	struct document *document = &request->document;

	if (settings->id) {
		id = http_string(header(request, settings->id));
		if (!id.len)
			return refuse(request, 400, "request.id", "the header that names the event is missing");
	} else {
		id = header(request, "webhook-id");
		if (!id.len)
			id = http_string(header(request, "idempotency-key"));
	}
	if (id.len > IDENTITY_MAX)
		return refuse(request, 400, "request.id", "the event's id is longer than 256 characters");
	document->identity_text = arena_span(request->arena, id);
	document->name = id.len ? document->identity_text : arena_span(request->arena, span_of(settings->webhook));
	document->media_type = arena_span(request->arena, header(request, "content-type"));
	document->time_ms = stamp.len && stamp.len <= 12 && settings->verify == HTTP_VERIFY_STANDARD
				    ? strtoll(stamp.data, NULL, 10) * 1000
				    : clock_now_ms();
	return 0;
}
