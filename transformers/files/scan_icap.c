/* A scanner that speaks ICAP (RFC 3507): the document is sent as the body of an HTTP response that the server may adapt
 * (RESPMOD), after OPTIONS has said whether it does and how much it wants to see first. See scan.h.
 *
 * Clean is: 204; or 200 with the same bytes in a 200 response. What names an infection in a header, or gives back
 * anything else, has found something. Everything else is no answer, and the document waits. */
#include "config.h"
#include "transformers/files/scan.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/mem.h"

#define HEAD_MAX (32u * 1024)
#define PREVIEW_MOST (64 * 1024)
#define CHUNK_LINE_MAX 256u
#define NAME_MAX_ICAP 160u
#define HOST_MAX 256u
#define TRAILERS_MAX 100u
#define OPTIONS_BODY_MAX (64u * 1024)

enum part { PART_HEAD, PART_HTTP, PART_SIZE, PART_BYTES, PART_BREAK, PART_TRAILER, PART_DONE };

/* An answer while it comes, in whatever pieces. */
struct answer {
	enum part part;
	struct buf line; /* what of the current part is not whole yet */
	int status, http_status;
	bool respmod, no_204, closes;
	int64_t preview; /* -1: none is wanted */
	uint64_t most;   /* a longer body is not read to its end: it is another one */
	unsigned trailers;
	uint64_t http_size, left, size; /* of the encapsulated headers; of this chunk; of the body so far */
	bool has_body;
	char found[NAME_MAX_ICAP];
	char tag[40]; /* ISTag (RFC 3507, section 4.7), which changes with the signatures */
	struct sha256 *digest;
};

struct icap {
	struct scanning *s;
	char host[HOST_MAX], port[8], path[HOST_MAX];
	struct answer answer;
	bool closed;
};

/* ---- the address ---- */
static bool parse_url(const char *url, struct icap *icap)
{
	const char *at = url, *slash, *colon;
	size_t n;

	if (strncasecmp(at, "icap://", 7))
		return false;
	at += 7;
	slash = strchr(at, '/');
	n = slash ? (size_t)(slash - at) : 0;
	if (!slash || !slash[1] || n == 0 || n >= HOST_MAX || strlen(slash + 1) >= HOST_MAX)
		return false;
	for (const char *c = at; *c; c++)
		if (*c <= 32 || *c > 126)
			return false;
	colon = *at == '[' ? memchr(at, ']', n) : at;
	colon = colon ? memchr(colon, ':', n - (size_t)(colon - at)) : NULL;
	snprintf(icap->port, sizeof icap->port, "%.*s", colon ? (int)(at + n - colon - 1) : 4,
		 colon ? colon + 1 : "1344");
	snprintf(icap->host, sizeof icap->host, "%.*s", (int)(colon ? (size_t)(colon - at) : n), at);
	snprintf(icap->path, sizeof icap->path, "%s", slash + 1);
	n = strlen(icap->port);
	return *icap->host && n && strspn(icap->port, "0123456789") == n;
}

const char *scan_icap_fault(const char *url)
{
	struct icap icap;

	return parse_url(url, &icap) ? NULL : "an ICAP scanner is icap://HOST:PORT/SERVICE, without a password";
}

/* ---- an answer ---- */
static void note(struct answer *answer, const char *label, struct span value)
{
	size_t n = strlen(label);

	if (*answer->found)
		return;
	snprintf(answer->found, sizeof answer->found, "%s", label);
	for (size_t i = 0; i < value.len && n + 2 < sizeof answer->found; i++) {
		char c = value.data[i];

		answer->found[n++] = c < 32 || c > 126 ? '?' : c;
	}
	answer->found[n] = '\0';
}

/* "Type=0; Resolution=2; Threat=Eicar-Test-Signature;" (draft-stecher-icap-subid): the name alone. */
static struct span threat(struct span value)
{
	const char *at = memmem(value.data, value.len, "Threat=", 7), *end;
	struct span name;

	if (!at)
		return value;
	name = span_make(at + 7, value.len - (size_t)(at + 7 - value.data));
	end = memchr(name.data, ';', name.len);
	return end ? span_make(name.data, (size_t)(end - name.data)) : name;
}

static bool is_name(struct span name, const char *text)
{
	return name.len == strlen(text) && !strncasecmp(name.data, text, name.len);
}

static bool is_nothing(struct span value)
{
	return !value.len || span_is(value, "0") || is_name(value, "none") || is_name(value, "no");
}

static int64_t number(struct span text)
{
	int64_t n = 0;

	for (size_t i = 0; i < text.len && i < 15 && isdigit((unsigned char)text.data[i]); i++)
		n = n * 10 + (text.data[i] - '0');
	return text.len && isdigit((unsigned char)text.data[0]) ? n : -1;
}

/* "req-hdr=0, res-hdr=45, res-body=100": the headers end where the body begins. */
static void read_encapsulated(struct answer *answer, struct span value)
{
	static const struct {
		const char *name;
		bool body;
	} ends[] = {{"res-body=", true}, {"req-body=", true}, {"opt-body=", true}, {"null-body=", false}};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		const char *at = memmem(value.data, value.len, ends[i].name, strlen(ends[i].name));
		int64_t n;

		if (!at)
			continue;
		at += strlen(ends[i].name);
		n = number(span_make(at, value.len - (size_t)(at - value.data)));
		answer->has_body = ends[i].body;
		answer->http_size = n > 0 ? (uint64_t)n : 0;
		return;
	}
}

/* At most 32 characters, in quotes or not. */
static void read_tag(struct answer *answer, struct span value)
{
	size_t n = 0;

	for (size_t i = 0; i < value.len && n + 1 < sizeof answer->tag; i++)
		if (isalnum((unsigned char)value.data[i]) || memchr("-_.:+/", value.data[i], 6))
			answer->tag[n++] = value.data[i];
	answer->tag[n] = '\0';
}

static void read_header(struct answer *answer, struct span name, struct span value)
{
	if (is_name(name, "Encapsulated"))
		read_encapsulated(answer, value);
	else if (is_name(name, "Methods"))
		answer->respmod = memmem(value.data, value.len, "RESPMOD", 7) != NULL;
	else if (is_name(name, "ISTag"))
		read_tag(answer, value);
	else if (is_name(name, "Preview"))
		answer->preview = number(value);
	else if (is_name(name, "Connection"))
		answer->closes = is_name(value, "close");
	else if (is_nothing(value))
		return;
	else if (is_name(name, "X-Infection-Found"))
		note(answer, "", threat(value));
	else if (is_name(name, "X-Virus-ID") || is_name(name, "X-Virus-Name"))
		note(answer, "", value);
	else if (is_name(name, "X-Violations-Found"))
		note(answer, "violations: ", value);
	else if (is_name(name, "X-Blocked"))
		note(answer, "blocked: ", value);
}

static struct span trimmed(struct span text)
{
	while (text.len && isspace((unsigned char)text.data[0]))
		text = span_make(text.data + 1, text.len - 1);
	while (text.len && isspace((unsigned char)text.data[text.len - 1]))
		text.len--;
	return text;
}

/* The status line and the headers of `text`; the version is "ICAP/" or "HTTP/". 0: it is no status line. */
static int read_head(struct answer *answer, struct span text, const char *version, bool headers)
{
	int status = 0;

	for (size_t at = 0, n; at < text.len; at += n + 1) {
		const char *end = memchr(text.data + at, '\n', text.len - at);
		struct span line = span_make(text.data + at, end ? (size_t)(end - text.data) - at : text.len - at);
		const char *colon = line.len ? memchr(line.data, ':', line.len) : NULL;

		n = line.len;
		if (at == 0 && line.len >= 12 && !strncmp(line.data, version, 5) && line.data[8] == ' ')
			status = (int)number(span_make(line.data + 9, 3));
		else if (at && headers && colon)
			read_header(answer, trimmed(span_make(line.data, (size_t)(colon - line.data))),
				    trimmed(span_make(colon + 1, line.len - (size_t)(colon + 1 - line.data))));
	}
	return status > 0 ? status : 0;
}

static int damaged(const struct icap *icap, struct error *error)
{
	return scan_away(icap->s, "answers what is no ICAP", error);
}

/* The beginning of the text that is whole by now, or 0. */
static size_t whole_head(struct span text)
{
	const char *end = text.len ? memmem(text.data, text.len, "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - text.data) + 4 : 0;
}

static void next_of_head(struct answer *answer)
{
	if (answer->http_size)
		answer->part = PART_HTTP;
	else
		answer->part = answer->has_body ? PART_SIZE : PART_DONE;
}

/* Each takes what it can of answer->line and says how much; 0: more is needed; -1: it is damaged. */
static ssize_t take_head(struct answer *answer, struct span text)
{
	size_t n = whole_head(text);

	if (!n)
		return text.len > HEAD_MAX / 2 ? -1 : 0;
	answer->status = read_head(answer, span_make(text.data, n), "ICAP/", true);
	if (!answer->status)
		return -1;
	if (answer->status == 100 || answer->status == 204)
		answer->part = PART_DONE;
	else
		next_of_head(answer);
	return (ssize_t)n;
}

static ssize_t take_http(struct answer *answer, struct span text)
{
	const char *status;

	if (answer->http_size > HEAD_MAX / 2)
		return -1;
	if (text.len < answer->http_size)
		return 0;
	text.len = answer->http_size;
	status = memmem(text.data, text.len, "HTTP/", 5); /* req-hdr may come first */
	while (status && status != text.data && status[-1] != '\n')
		status = memmem(status + 1, text.len - (size_t)(status + 1 - text.data), "HTTP/", 5);
	if (status)
		answer->http_status =
			read_head(answer, span_make(status, text.len - (size_t)(status - text.data)), "HTTP/", false);
	answer->part = answer->has_body ? PART_SIZE : PART_DONE;
	return (ssize_t)text.len;
}

static ssize_t take_line(struct answer *answer, struct span text)
{
	const char *end = text.len ? memchr(text.data, '\n', text.len) : NULL;
	uint64_t size = 0;
	size_t digits = 0;

	if (!end)
		return text.len > CHUNK_LINE_MAX ? -1 : 0;
	if (answer->part == PART_BREAK) {
		answer->part = PART_SIZE;
	} else if (answer->part == PART_TRAILER) {
		if (end - text.data <= 1)
			answer->part = PART_DONE;
		else if (++answer->trailers > TRAILERS_MAX)
			return -1;
	} else {
		for (; digits < 15 && isxdigit((unsigned char)text.data[digits]); digits++)
			size = size * 16 + (uint64_t)(isdigit((unsigned char)text.data[digits])
							      ? text.data[digits] - '0'
							      : tolower((unsigned char)text.data[digits]) - 'a' + 10);
		if (!digits)
			return -1;
		answer->left = size;
		answer->part = size ? PART_BYTES : PART_TRAILER;
	}
	return end - text.data + 1;
}

static ssize_t take_bytes_of(struct answer *answer, struct span text)
{
	size_t n = text.len < answer->left ? text.len : (size_t)answer->left;

	sha256_add(answer->digest, text.data, n);
	answer->size += n;
	answer->left -= n;
	if (answer->size > answer->most) {
		answer->part = PART_DONE;
		answer->closes = true;
	} else if (!answer->left) {
		answer->part = PART_BREAK;
	}
	return (ssize_t)n;
}

static int feed(struct icap *icap, struct span bytes, struct error *error)
{
	static ssize_t (*const takes[])(struct answer *, struct span) = {take_head,     take_http, take_line,
									 take_bytes_of, take_line, take_line};
	struct answer *answer = &icap->answer;

	if (buf_span(&answer->line, bytes))
		return damaged(icap, error);
	while (answer->part != PART_DONE && answer->line.len) {
		ssize_t n = takes[answer->part](answer, buf_view(&answer->line));

		if (n < 0)
			return damaged(icap, error);
		if (!n)
			break;
		buf_drop(&answer->line, (size_t)n);
	}
	return 0;
}

static int hear(struct icap *icap, struct error *error)
{
	char bytes[16384];
	ssize_t n = recv(icap->s->fd, bytes, sizeof bytes, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return scan_away(icap->s, strerror(errno), error);
	icap->closed = n == 0;
	if (!n)
		return 0;
	scan_time(icap->s);
	return feed(icap, span_make(bytes, (size_t)n), error);
}

static int on_heard(void *arg, struct error *error)
{
	struct icap *icap = arg;

	if (hear(icap, error))
		return -1;
	return icap->closed || icap->answer.part == PART_DONE;
}

static void answer_begin(struct icap *icap, uint64_t most)
{
	struct answer *answer = &icap->answer;

	sha256_free(answer->digest);
	answer->digest = sha256_new();
	answer->most = most;
	answer->trailers = 0;

	answer->part = PART_HEAD;
	answer->status = answer->http_status = 0;
	answer->http_size = answer->left = answer->size = 0;
	answer->has_body = false;
	*answer->found = '\0';
}

static int await(struct icap *icap, struct error *error)
{
	scan_time(icap->s);
	while (icap->answer.part != PART_DONE) {
		if (icap->closed)
			return scan_away(icap->s, "closed the connection without a whole answer", error);
		if (scan_wait(icap->s, POLLIN, error) || hear(icap, error))
			return -1;
	}
	return 0;
}

/* ---- asking ---- */
static int dial(struct icap *icap, struct error *error)
{
	char host[HOST_MAX];
	size_t n = strlen(icap->host);

	if (icap->s->fd >= 0)
		close(icap->s->fd);
	icap->s->fd = -1;
	icap->closed = false;
	buf_reset(&icap->answer.line);
	if (*icap->host == '[') /* of an IPv6 address */
		snprintf(host, sizeof host, "%.*s", (int)(n > 2 ? n - 2 : 0), icap->host + 1);
	else
		snprintf(host, sizeof host, "%s", icap->host);
	scan_time(icap->s);
	return scan_connect_host(icap->s, host, icap->port, error);
}

static int ask_options(struct icap *icap, struct error *error)
{
	struct answer *answer = &icap->answer;
	char *text = mem_printf("OPTIONS icap://%s:%s/%s ICAP/1.0\r\nHost: %s\r\nUser-Agent: ferrule\r\n"
				"Encapsulated: null-body=0\r\n\r\n",
				icap->host, icap->port, icap->path, icap->host);
	char why[80];
	int failed;

	answer_begin(icap, OPTIONS_BODY_MAX);
	answer->closes = false;
	answer->preview = -1;
	failed = dial(icap, error) || scan_send(icap->s, span_of(text), error) < 0 || await(icap, error);
	free(text);
	if (failed)
		return -1;
	if (answer->status != 200) {
		snprintf(why, sizeof why, "refuses OPTIONS of this service with %d", answer->status);
		return scan_away(icap->s, why, error);
	}
	if (!answer->respmod)
		return scan_away(icap->s, "does not offer RESPMOD for this service", error);
	return answer->closes ? dial(icap, error) : 0;
}

/* A name for the scanner's log; what is no harmless character becomes one. */
static void put_name(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.len && i < 100; i++)
		buf_char(out, isalnum((unsigned char)name.data[i]) || strchr("-_.", name.data[i]) ? name.data[i] : '_');
}

static int send_head(struct icap *icap, const struct item *item, int64_t preview, struct error *error)
{
	struct buf request, response, head;
	int result;

	buf_init(&request, 1024);
	buf_init(&response, 1024);
	buf_init(&head, 4096);
	buf_text(&request, "GET http://ferrule.invalid/");
	put_name(&request, document_base(document_name(icap->s->out, item)));
	buf_text(&request, " HTTP/1.1\r\nHost: ferrule.invalid\r\n\r\n");
	buf_printf(&response,
		   "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %llu\r\n\r\n",
		   (unsigned long long)reader_size(item->bytes));
	buf_printf(&head, "RESPMOD icap://%s:%s/%s ICAP/1.0\r\nHost: %s\r\nUser-Agent: ferrule\r\nAllow: 204\r\n",
		   icap->host, icap->port, icap->path, icap->host);
	if (preview >= 0)
		buf_printf(&head, "Preview: %lld\r\n", (long long)preview);
	buf_printf(&head, "Encapsulated: req-hdr=0, res-hdr=%zu, res-body=%zu\r\n\r\n", request.len,
		   request.len + response.len);
	result = scan_send(icap->s, buf_view(&head), error);
	if (!result)
		result = scan_send(icap->s, buf_view(&request), error);
	if (!result)
		result = scan_send(icap->s, buf_view(&response), error);
	buf_free(&request);
	buf_free(&response);
	buf_free(&head);
	return result;
}

/* As scan_send: 1, it was closed. */
static int send_chunk(struct icap *icap, struct span bytes, struct error *error)
{
	char size[24];
	int result;

	if (!bytes.len)
		return 0;
	snprintf(size, sizeof size, "%zx\r\n", bytes.len);
	result = scan_send(icap->s, span_of(size), error);
	if (!result)
		result = scan_send(icap->s, bytes, error);
	return result ? result : scan_send(icap->s, SPAN_LITERAL("\r\n"), error);
}

/* The beginning, as far as it asked for; *over: it has its answer. */
static int send_preview(struct icap *icap, struct span bytes, bool all, bool *over, struct error *error)
{
	int result = send_chunk(icap, bytes, error);

	if (!result)
		result = scan_send(icap->s, all ? SPAN_LITERAL("0; ieof\r\n\r\n") : SPAN_LITERAL("0\r\n\r\n"), error);
	if (result < 0 || await(icap, error))
		return -1;
	*over = icap->answer.status != 100;
	if (!*over)
		answer_begin(icap, icap->answer.most);
	return !*over && all ? damaged(icap, error) : 0;
}

static int send_document(struct icap *icap, struct item *item, struct sha256 *sent, struct error *error)
{
	struct document_feed document;
	int64_t preview = icap->answer.preview;
	struct span chunk;
	bool over = false;
	int result, more = 0;

	preview = preview > PREVIEW_MOST ? PREVIEW_MOST : preview;
	answer_begin(icap, reader_size(item->bytes));
	result = send_head(icap, item, preview, error);
	document_feed_begin(&document, item, icap->s->out);
	for (bool first = preview >= 0; !result && !over;) {
		more = document_feed_next(&document, &chunk, error);
		if (more < 0 || (!more && !first))
			break;
		sha256_add(sent, chunk.data ? chunk.data : "", chunk.len);
		if (first) {
			size_t n = chunk.len < (size_t)preview ? chunk.len : (size_t)preview;

			result = send_preview(icap, span_make(chunk.data, n), n == reader_size(item->bytes), &over,
					      error);
			chunk = n < chunk.len ? span_make(chunk.data + n, chunk.len - n) : SPAN_NONE;
		}
		first = false;
		if (!result && !over)
			result = send_chunk(icap, chunk, error);
	}
	while ((over || result > 0) && more > 0 && (more = document_feed_next(&document, &chunk, error)) > 0)
		sha256_add(sent, chunk.data, chunk.len); /* to compare with what comes back */
	document_feed_end(&document);
	if (more < 0 || result < 0 || over)
		return more < 0 || result < 0 ? -1 : 0;
	return (result || scan_send(icap->s, SPAN_LITERAL("0\r\n\r\n"), error) >= 0) ? await(icap, error) : -1;
}

/* ---- judging ---- */
static int judge(struct icap *icap, struct sha256 *sent, uint64_t size, struct error *error)
{
	struct answer *answer = &icap->answer;
	uint8_t theirs[SHA256_SIZE], ours[SHA256_SIZE];
	char why[80];

	if (*answer->found)
		return error_set(error, ERROR_REJECT, "scan.infected", "the ICAP server found %s in it", answer->found);
	if (answer->status == 204)
		return 0;
	if (answer->status == 413)
		return error_set(error, ERROR_REJECT, "scan.too-large",
				 "the ICAP server takes no document of this size: it was not scanned, and does not "
				 "pass");
	if (answer->status != 200 && answer->status != 201) {
		snprintf(why, sizeof why, "answers %d", answer->status);
		return scan_away(icap->s, why, error);
	}
	sha256_end(answer->digest, theirs);
	sha256_end(sent, ours);
	if (answer->http_status == 200 && answer->has_body && answer->size == size &&
	    crypto_equal(span_make(theirs, sizeof theirs), span_make(ours, sizeof ours)))
		return 0;
	return error_set(error, ERROR_REJECT, "scan.infected",
			 "the ICAP server gave something else back in its place (HTTP status %d), and no name for what "
			 "it found",
			 answer->http_status);
}

int scan_icap(struct scanning *s, struct item *item, struct error *error)
{
	struct icap icap = {.s = s};
	struct sha256 *sent = sha256_new();
	int result = -1;

	buf_init(&icap.answer.line, HEAD_MAX * 2);
	s->heard = on_heard;
	s->arg = &icap;
	if (!parse_url(s->where, &icap))
		error_set(error, ERROR_RETRY, "scan.unavailable", "%s: %s", s->where, scan_icap_fault(s->where));
	else if (!ask_options(&icap, error) && !send_document(&icap, item, sent, error))
		result = judge(&icap, sent, reader_size(item->bytes), error);
	memcpy(s->tag, icap.answer.tag, sizeof s->tag);
	buf_free(&icap.answer.line);
	sha256_free(icap.answer.digest);
	sha256_free(sent);
	return result;
}
