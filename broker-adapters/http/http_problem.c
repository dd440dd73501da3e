/* What a listener says and keeps: problem details (RFC 9457), the status for an error, which headers travel with a
 * document. See http.h. */
#include "config.h"
#include "broker-adapters/http/http.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include <jansson.h>

#include "base/mem.h"

#define HEADERS_KEPT 32
#define KEPT_VALUE_MAX 1024u

static bool contains(struct span name, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= name.len; i++)
		if (strncasecmp(name.data + i, word, n) == 0)
			return true;
	return false;
}

static bool begins(struct span name, const char *prefix)
{
	size_t n = strlen(prefix);

	return name.len >= n && strncasecmp(name.data, prefix, n) == 0;
}

bool http_header_kept(struct span name)
{
	static const char *const never[] = {"authorization", "signature", "cookie", "token",
					    "secret",        "password",  "key"};
	static const char *const kept[] = {"webhook-", "x-", "ce-"};
	static const char *const exact[] = {"content-type", "user-agent", "traceparent", "tracestate"};

	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (contains(name, never[i]))
			return false;
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (begins(name, kept[i]))
			return true;
	for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
		if (name.len == strlen(exact[i]) && begins(name, exact[i]))
			return true;
	return false;
}

void http_header_keep(struct document *document, struct arena *arena, const char *name, const char *value)
{
	struct attr *attr;
	char *lower;

	if (!http_header_kept(span_of(name)) || document->attrs_count == HEADERS_KEPT || strlen(name) > 64)
		return;
	if (!document->attrs)
		document->attrs = arena_alloc(arena, HEADERS_KEPT * sizeof *document->attrs);
	attr = &document->attrs[document->attrs_count++];
	lower = arena_strdup(arena, name);
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	attr->name = span_of(lower);
	attr->value = arena_span(arena, span_make(value, value ? strnlen(value, KEPT_VALUE_MAX) : 0));
}

struct span http_string(struct span value)
{
	while (value.len && isspace((unsigned char)value.data[0]))
		value = span_make(value.data + 1, value.len - 1);
	while (value.len && isspace((unsigned char)value.data[value.len - 1]))
		value.len--;
	if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
		value = span_make(value.data + 1, value.len - 2);
	return value;
}

bool http_type_is(struct span type, const char *media)
{
	const char *semicolon = type.len ? memchr(type.data, ';', type.len) : NULL;

	if (semicolon)
		type.len = (size_t)(semicolon - type.data);
	type = http_string(type);
	return type.len == strlen(media) && strncasecmp(type.data, media, type.len) == 0;
}

bool http_types_fit(const struct text_list *types, struct span type)
{
	for (size_t i = 0; i < types->count; i++)
		if (http_type_is(type, types->items[i]))
			return true;
	return types->count == 0;
}

const char *http_reason(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 422:
		return "Unprocessable Content";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return status < 500 ? "Request Refused" : "Internal Server Error";
	}
}

unsigned http_error_status(const struct error *error)
{
	struct span code = span_of(error->code);

	switch (error->class) {
	case ERROR_NONE:
		return 202;
	case ERROR_RETRY:
	case ERROR_DOUBT:
		return 503;
	case ERROR_FATAL:
		return 500;
	case ERROR_REJECT:
		break;
	}
	if (contains(code, "conflict"))
		return 422; /* the same id with another payload */
	if (contains(code, "too-large"))
		return 413;
	if (contains(code, "media-type"))
		return 415;
	if (contains(code, "running"))
		return 409;
	if (span_starts(code, "webhook."))
		return 401;
	return 400;
}

/* Only what the client can do something about is told in words: our paths and disks are none of its business. */
void http_problem(struct buf *out, unsigned status, const struct error *error)
{
	bool ours = error->class != ERROR_REJECT;
	json_t *problem = json_pack("{s:s, s:s, s:i}", "type", "about:blank", "title", http_reason(status), "status",
				    (int)status);
	char *text;

	if (ours)
		json_object_set_new(problem, "detail",
				    json_string(status == 503 ? "nothing can be taken right now; send it again later"
							      : "an error on this side; it has been logged"));
	else if (json_object_set_new(problem, "detail", json_string(error->text)))
		json_object_set_new(problem, "detail",
				    json_string("the request cannot be taken")); /* it was not UTF-8 */
	if (*error->code && !ours)
		json_object_set_new(problem, "code", json_string(error->code));
	text = json_dumps(problem, JSON_COMPACT);
	buf_text(out, text ? text : "{}");
	free(text);
	json_decref(problem);
}
