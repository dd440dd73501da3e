/* What a target is sent and what its answer means, apart from the network: addresses rendered from templates, the
 * status classes, receipts. See http.h. */
#include "config.h"
#include "broker-adapters/http/http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include <jansson.h>

#include "base/clock.h"

#define URL_MAX 8000u
#define HEADER_VALUE_MAX 2000u
#define RETRY_AFTER_MAX_MS (24 * 60 * 60 * 1000LL)
#define QUOTE_MAX 500u /* of a refusal's text */

/* ---- addressing -------------------------------------------------------------------------------------------------- */
static bool unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

int http_escape(struct buf *out, struct span value, struct error *error)
{
	/* An empty segment would address the collection instead of the thing. */
	if (!value.len && !(out->data && memchr(out->data, '?', out->len)))
		return error_set(error, ERROR_REJECT, "http.address", "a value in the path of the url is empty");
	for (size_t i = 0; i < value.len; i++) {
		if (unreserved(value.data[i]))
			buf_char(out, value.data[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)value.data[i]);
	}
	return 0;
}

bool http_header_value(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7f)
			return false;
	return value.len <= HEADER_VALUE_MAX;
}

bool http_header_name(struct span name)
{
	static const char *const owned[] = {
		"content-length", "transfer-encoding", "connection", "host", "expect", "te", "upgrade", "trailer"};

	if (!name.len || name.len > 64)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.data[i]) && !(name.data[i] && strchr("!#$%&'*+-.^_`|~", name.data[i])))
			return false;
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
		if (name.len == strlen(owned[i]) && strncasecmp(name.data, owned[i], name.len) == 0)
			return false;
	return true;
}

static int url_check(struct span url, struct error *error)
{
	size_t skip = span_starts(url, "https://") ? 8 : span_starts(url, "http://") ? 7 : 0, i, begin;

	if (!skip || url.len == skip)
		return error_set(error, ERROR_REJECT, "http.address",
				 "the url does not start with http:// or https://");
	for (i = skip; i < url.len; i++)
		if ((unsigned char)url.data[i] <= 0x20 || url.data[i] == 0x7f)
			return error_set(error, ERROR_REJECT, "http.address",
					 "the url has a space or a control character at byte %zu", i);
	for (i = skip; i < url.len && !strchr("/?#", url.data[i]); i++)
		if (url.data[i] == '@')
			return error_set(error, ERROR_REJECT, "http.address",
					 "the url has a user in it; use auth: {basic: …}");
	for (begin = i + 1; i < url.len && url.data[i] != '?' && url.data[i] != '#'; begin = i + 1) {
		for (i = begin; i < url.len && !strchr("/?#", url.data[i]);)
			i++;
		if ((i - begin == 1 && url.data[begin] == '.') ||
		    (i - begin == 2 && memcmp(url.data + begin, "..", 2) == 0))
			return error_set(error, ERROR_REJECT, "http.address", "the path of the url has . or .. in it");
	}
	return 0;
}

static int render_url(const struct http_target *settings, const struct expression_input *input, struct buf *url,
		      struct error *error)
{
	if (template_render(settings->url, input, http_escape, url, error))
		return -1;
	if (settings->path) {
		struct buf path;
		int result;

		buf_init(&path, URL_MAX);
		result = template_render(settings->path, input, http_escape, &path, error);
		if (result == 0) {
			while (url->len && url->data[url->len - 1] == '/')
				url->len--;
			if (!path.len || path.data[0] != '/')
				buf_char(url, '/');
			buf_span(url, buf_view(&path));
			if (path.full)
				url->full = true;
		}
		buf_free(&path);
		if (result)
			return -1;
	}
	if (url->full)
		return error_set(error, ERROR_REJECT, "http.address", "the url is longer than %u bytes", URL_MAX);
	return url_check(buf_view(url), error);
}

int http_url_check(const struct http_target *settings, struct error *error)
{
	const struct expression_input nothing = {0};
	struct span whole, begin;
	struct buf url;
	int result;

	if (!settings->url)
		return 0;
	if (!template_constant(settings->url, &whole)) {
		begin = template_source(settings->url);
		for (whole = begin, begin.len = 0; begin.len < whole.len && begin.data[begin.len] != '$';)
			begin.len++;
		if (!begin.len || span_starts(begin, "http://") || span_starts(begin, "https://") ||
		    strncmp("https://", begin.data, begin.len) == 0 || strncmp("http://", begin.data, begin.len) == 0)
			return 0;
		return error_set(error, ERROR_REJECT, "http.address",
				 "the url does not start with http:// or https://");
	}
	if (settings->path && !template_constant(settings->path, NULL))
		return url_check(whole, error);
	buf_init(&url, URL_MAX);
	result = render_url(settings, &nothing, &url, error);
	buf_free(&url);
	return result;
}

static int render_header(const struct named_template *header, const struct expression_input *input,
			 struct message *message, struct error *error)
{
	struct buf value;
	char name[80];
	int result;

	if (!http_header_name(span_of(header->name)))
		return error_set(error, ERROR_REJECT, "http.header", "header %.64s: not a name that can be set",
				 header->name);
	buf_init(&value, HEADER_VALUE_MAX);
	snprintf(name, sizeof name, "header.%s", header->name);
	result = template_render(header->template, input, NULL, &value, error);
	if (result == 0 && (value.full || !http_header_value(buf_view(&value))))
		result = error_set(error, ERROR_REJECT, "http.header",
				   "header %s: its value has a line break or a control character, or is "
				   "longer than %u bytes",
				   header->name, HEADER_VALUE_MAX);
	if (result == 0 && value.len)
		result = message_attr(message, span_of(name), buf_view(&value), error);
	buf_free(&value);
	return result;
}

int http_target_address(const struct endpoint *endpoint, const struct expression_input *input, struct message *message,
			struct error *error)
{
	static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
	const struct http_target *settings = endpoint->settings;
	struct buf url;
	int result;

	if (!settings->url)
		return error_set(error, ERROR_FATAL, "http.address", "endpoint %s: it has no url", endpoint->name);
	buf_init(&url, URL_MAX);
	result = render_url(settings, input, &url, error);
	if (result == 0)
		result = message_attr(message, span_of("url"), buf_view(&url), error);
	if (result == 0)
		result = message_attr(message, span_of("method"), span_of(methods[settings->method]), error);
	for (size_t i = 0; result == 0 && i < settings->headers.count; i++)
		result = render_header(&settings->headers.items[i], input, message, error);
	buf_free(&url);
	return result;
}

/* ---- answers -------------------------------------------------------------------------------------------------------
 */
/* "2xx", "204" or "200-204". */
static bool success_range(const char *text, unsigned *low, unsigned *high)
{
	char *end;

	if (text[0] >= '1' && text[0] <= '5' && strcasecmp(text + 1, "xx") == 0) {
		*low = (unsigned)(text[0] - '0') * 100;
		*high = *low + 99;
		return true;
	}
	*low = *high = (unsigned)strtoul(text, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		*high = (unsigned)strtoul(end + 1, &end, 10);
	return end != text && !*end && *low >= 200 && *high <= 599 && *low <= *high;
}

int http_success_check(const struct text_list *list, struct error *error)
{
	unsigned low, high;

	for (size_t i = 0; i < list->count; i++)
		if (!success_range(list->items[i], &low, &high))
			return error_set(error, ERROR_FATAL, "http.success",
					 "success: %.40s is not a status, a range or a class; write 2xx, 204 "
					 "or 200-204",
					 list->items[i]);
	return 0;
}

static bool is_success(const struct text_list *list, unsigned status)
{
	unsigned low, high;

	for (size_t i = 0; i < list->count; i++)
		if (success_range(list->items[i], &low, &high) && status >= low && status <= high)
			return true;
	return list->count == 0 && status >= 200 && status < 300;
}

int64_t http_retry_after(struct span value, int64_t now_ms)
{
	char text[64];
	struct tm tm = {0};
	int64_t ms = 0;
	char *end;

	value = http_string(value);
	if (!value.len || value.len >= sizeof text)
		return 0;
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	if (isdigit((unsigned char)text[0])) {
		long long n = strtoll(text, &end, 10);

		ms = *end ? 0 : n > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS : n * 1000;
	} else {
		end = strptime(text, "%a, %d %b %Y %H:%M:%S", &tm);
		if (end && strcmp(end, " GMT") == 0)
			ms = (int64_t)timegm(&tm) * 1000 - now_ms;
	}
	return ms < 0 ? 0 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

/* Length of the UTF-8 sequence that begins here, 0 when it is none. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
	size_t n = at[0] < 0x80                    ? 1
		   : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
		   : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
		   : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
						   : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* A stranger's text for a line of ours: one line, printable, valid UTF-8, not too long. */
static void quote(char *out, size_t size, struct span text)
{
	size_t used = 0;
	bool gap = true;

	for (size_t i = 0; i < text.len;) {
		size_t n = utf8_length((const unsigned char *)text.data + i, text.len - i);

		if (used + 5 > size)
			break;
		if (n == 1 && ((unsigned char)text.data[i] <= 0x20 || text.data[i] == 0x7f)) {
			if (!gap)
				out[used++] = ' ';
			gap = true;
			i++;
			continue;
		}
		gap = false;
		if (n) {
			memcpy(out + used, text.data + i, n);
			used += n;
			i += n;
		} else {
			out[used++] = '?';
			i++;
		}
	}
	out[used] = '\0';
}

static void judge(struct error *error, enum error_class class, enum error_scope scope, const struct http_answer *answer,
		  const char *what)
{
	char code[32], text[QUOTE_MAX + 8], seen[300];

	snprintf(code, sizeof code, "http.status-%u", answer->status);
	quote(text, sizeof text, answer->body);
	error_set(error, class, code, "%s answered %u%s%s", what, answer->status, *text ? ": " : "", text);
	if (answer->status >= 300 && answer->status < 400) {
		quote(seen, sizeof seen, answer->location);
		error_set(error, class, code,
			  "%s answered %u, a redirect to %s; redirects are not followed, correct the url", what,
			  answer->status, *seen ? seen : "nowhere");
	}
	error->scope = scope;
	if (class != ERROR_REJECT)
		error->retry_after_ms = http_retry_after(answer->retry_after, answer->now_ms);
}

static void judge_broken(const struct http_answer *answer, struct error *error)
{
	const char *code = answer->code ? answer->code : "http.broken",
		   *why = answer->why ? answer->why : "the transfer failed";

	if (!answer->begun) {
		error_set(error, ERROR_RETRY, code, "the target cannot be reached: %s", why);
		error->scope = SCOPE_ENDPOINT;
	} else {
		error_set(error, ERROR_DOUBT, code, "nobody knows whether it took effect: %s %s", why,
			  answer->status ? "in the middle of the answer" : "after the request was sent");
	}
}

void http_judge(const struct endpoint *endpoint, const struct http_answer *answer, struct error *error)
{
	const struct http_target *settings = endpoint->settings;

	error_clear(error);
	if (answer->broken && !answer->cut && answer->status < 300) {
		judge_broken(answer, error);
		return;
	}
	if (is_success(&settings->success, answer->status))
		return;
	switch (answer->status) {
	case 401:
	case 407: /* ours to repair, for every message alike: not the message's fault */
	case 429:
	case 503:
		judge(error, ERROR_RETRY, SCOPE_ENDPOINT, answer, "the target");
		return;
	case 408:
	case 425:
		judge(error, ERROR_RETRY, SCOPE_MESSAGE, answer, "the target");
		return;
	case 501:
	case 505:
		judge(error, ERROR_REJECT, SCOPE_MESSAGE, answer, "the target");
		return;
	default:
		break;
	}
	/* The first try with this key is still running; or something failed when the work may have been done: by the
	 * same key, where there is one, the role sends it again. */
	if (answer->status >= 500 || (answer->status == 409 && endpoint->effect.kind == EFFECT_KEY))
		judge(error, ERROR_DOUBT, SCOPE_MESSAGE, answer, "the target");
	else
		judge(error, ERROR_REJECT, SCOPE_MESSAGE, answer, "the target");
}

void http_receipt(const struct http_answer *answer, const char *url, struct buf *out)
{
	json_t *receipt = json_pack("{s:i, s:I}", "status", (int)answer->status, "ms", (json_int_t)answer->took_ms);
	char seen[400];
	char *text;

	quote(seen, sizeof seen, span_of(url));
	json_object_set_new(receipt, "url", json_string(seen));
	quote(seen, sizeof seen, answer->location);
	if (*seen)
		json_object_set_new(receipt, "location", json_string(seen));
	quote(seen, sizeof seen, answer->request_id);
	if (*seen)
		json_object_set_new(receipt, "request", json_string(seen));
	text = json_dumps(receipt, JSON_COMPACT);
	buf_text(out, text ? text : "{}");
	free(text);
	json_decref(receipt);
}

/* ---- doubt, and how many at once ---- */
/* The same key again is safe while the target knows it; the new try needs its time as well. */
enum resolved http_target_presume(const struct attempt *attempt)
{
	const struct effect_spec *effect = &attempt->endpoint->effect;
	const struct http_target *settings = attempt->endpoint->settings;
	int64_t age = clock_now_ms() - attempt->first_ms;

	if (effect->kind == EFFECT_KEY &&
	    (effect->remembers_ms == 0 || age + settings->timeout_ms < effect->remembers_ms))
		return RESOLVED_NOT;
	return RESOLVED_UNKNOWN;
}

int http_target_resolve(void *opaque, struct attempt *attempt, enum resolved *resolved, struct error *error)
{
	*resolved = http_target_presume(attempt);
	return 0;
}

unsigned http_target_parallel(const struct endpoint *endpoint)
{
	return (unsigned)((const struct http_target *)endpoint->settings)->parallel;
}
