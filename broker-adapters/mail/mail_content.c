/* The text of a mail: header fields (RFC 5322, RFC 2047, RFC 2231), MIME, and the message in base64, made while it is
 * read so that a large one takes no memory. See mail.h. */
#include "config.h"
#include "broker-adapters/mail/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/crypto.h"
#include "base/utf8.h"

#define HEAD_MAX (64u * 1024)
#define LINE_BYTES 57u /* become 76 characters (RFC 2045) */
#define WORD_BYTES 42u /* of an encoded word, which has 75 characters at most */

typedef void each_fn(void *arg, struct span name, struct span value);

static bool is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] >= 0x80)
			return false;
	return true;
}

/* ---- header fields ---- */
/* Encoded words of whole characters, one to a line. */
static void put_words(struct buf *out, struct span text)
{
	for (size_t at = 0; at < text.len;) {
		size_t end = at, n;

		while (end < text.len && (n = utf8_character(span_make(text.data + end, text.len - end))) &&
		       end + n - at <= WORD_BYTES)
			end += n;
		if (end == at) /* no UTF-8: refused before */
			break;
		buf_text(out, at ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
		base64_encode(out, span_make(text.data + at, end - at));
		buf_text(out, "?=");
		at = end;
	}
}

/* At spaces, so that no line passes 998 bytes: a subject has 500 at most. What looks like an encoded word is one no
 * longer. */
static void put_text(struct buf *out, struct span text)
{
	if (is_ascii(text) && !memmem(text.data, text.len, "=?", 2))
		buf_span(out, text);
	else
		put_words(out, text);
}

/* Name <address>, where the name may need quoting or encoding. */
static void put_mailbox(struct buf *out, struct span text)
{
	struct span address, name;

	if (mail_address_parse(text, &address))
		return;
	name = span_make(text.data, (size_t)(address.data - text.data));
	while (name.len && strchr(" <\t", name.data[name.len - 1]))
		name.len--;
	while (name.len && strchr(" \t", name.data[0]))
		name = span_make(name.data + 1, name.len - 1);
	if (name.len && is_ascii(name))
		buf_printf(out, "\"%.*s\" ", SPAN_ARGS(name));
	else if (name.len) {
		put_words(out, name);
		buf_char(out, ' ');
	}
	buf_char(out, '<');
	buf_span(out, address);
	buf_char(out, '>');
}

static void put_recipient(void *arg, struct span address)
{
	struct buf *out = arg;

	if (out->len)
		buf_text(out, ",\r\n ");
	buf_span(out, address);
}

/* By the effect's key: a copy that is sent because nobody knows of the first one carries the same. */
static void put_message_id(struct buf *out, const struct attempt *attempt)
{
	const struct mail_settings *settings = attempt->endpoint->settings;
	struct span parts[] = {span_of(attempt->endpoint->name), attempt->idempotency_key}, address;
	struct id id = attempt->idempotency_key.len ? id_of(parts, 2) : attempt->key;
	const char *host = NULL;
	char hex[ID_TEXT];

	id_hex(&id, hex);
	if (!mail_address_parse(span_of(settings->from), &address))
		host = memchr(address.data, '@', address.len);
	if (host)
		buf_printf(out, "<%s%.*s>", hex, (int)(address.len - (size_t)(host - address.data)), host);
}

static bool is_type(struct span text)
{
	if (!text.len || text.len > 200 || !memchr(text.data, '/', text.len))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	return true;
}

static void put_type(struct buf *out, const struct message *message, bool shown)
{
	struct span type = message->datacontenttype;

	if (!is_type(type))
		type = shown ? SPAN_NONE : span_of("application/octet-stream");
	if (shown && strncasecmp(type.len > 5 ? type.data : "", "text/", 5))
		type = span_of("text/plain"); /* JSON, EDI: for people to read */
	buf_span(out, type);
	if (shown && !memmem(type.data, type.len, "charset", 7))
		buf_text(out, "; charset=utf-8");
}

static void put_file_name(struct buf *out, struct span name)
{
	static const char *const plain = "-._~";

	buf_text(out, "attachment; filename");
	if (is_ascii(name) && !memchr(name.data, '"', name.len)) {
		buf_printf(out, "=\"%.*s\"", SPAN_ARGS(name));
		return;
	}
	buf_text(out, "*=utf-8''");
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr(plain, c)))
			buf_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

static void put_boundary(struct buf *out, const struct attempt *attempt)
{
	char hex[ID_TEXT];

	id_hex(&attempt->key, hex);
	buf_printf(out, "=_%.40s", hex); /* `_` is in no line of base64 */
}

static void say(struct buf *value, each_fn *each, void *arg, const char *name)
{
	each(arg, span_of(name), buf_view(value));
	buf_reset(value);
}

int mail_headers(const struct attempt *attempt, each_fn *each, void *arg, struct error *error)
{
	const struct mail_settings *settings = attempt->endpoint->settings;
	const struct message *message = attempt->message;
	struct span subject = message_attr_find(message, "subject");
	struct buf value;
	char hex[ID_TEXT];
	int result;

	buf_init(&value, HEAD_MAX);
	put_mailbox(&value, span_of(settings->from));
	say(&value, each, arg, "From");
	result = mail_address_each(message_attr_find(message, "to"), put_recipient, &value, error);
	if (result)
		goto done;
	say(&value, each, arg, "To");
	if (settings->reply_to) {
		put_mailbox(&value, span_of(settings->reply_to));
		say(&value, each, arg, "Reply-To");
	}
	for (size_t i = 0; i < subject.len; i++)
		if ((unsigned char)subject.data[i] < 0x20) {
			result = error_set(error, ERROR_REJECT, "mail.header", "subject: it has a line break");
			goto done;
		}
	put_text(&value, subject);
	say(&value, each, arg, "Subject");
	put_message_id(&value, attempt);
	say(&value, each, arg, "Message-ID");
	each(arg, span_of("Auto-Submitted"), span_of("auto-generated")); /* RFC 3834: no answers of machines */
	id_hex(&message->id, hex);
	each(arg, span_of("X-Ferrule-Message"), span_of(hex));
	each(arg, span_of("MIME-Version"), span_of("1.0"));
	result = 0;
done:
	buf_free(&value);
	return result;
}

static void put_header(void *arg, struct span name, struct span value)
{
	buf_printf(arg, "%.*s: %.*s\r\n", SPAN_ARGS(name), SPAN_ARGS(value));
}

/* ---- the whole ---- */
static uint64_t encoded_size(uint64_t bytes)
{
	return (bytes + 2) / 3 * 4 + (bytes + LINE_BYTES - 1) / LINE_BYTES * 2;
}

static void put_lines(struct buf *out, struct span text)
{
	for (size_t at = 0; at < text.len; at += LINE_BYTES) {
		base64_encode(out, span_make(text.data + at, text.len - at < LINE_BYTES ? text.len - at : LINE_BYTES));
		buf_text(out, "\r\n");
	}
}

static void put_date(struct buf *out, int64_t now_ms)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
		   months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_part(struct buf *out, const struct message *message, bool shown, struct span name)
{
	buf_text(out, "Content-Type: ");
	put_type(out, message, shown);
	buf_text(out, "\r\n");
	if (!shown) {
		buf_text(out, "Content-Disposition: ");
		put_file_name(out, name);
		buf_text(out, "\r\n");
	}
	buf_text(out, "Content-Transfer-Encoding: base64\r\n\r\n");
}

#define TEXT_PART "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"

static void put_multipart(struct mail_content *content, const struct attempt *attempt, struct span text,
			  struct span name)
{
	struct buf *head = &content->head, boundary;

	buf_init(&boundary, 100);
	put_boundary(&boundary, attempt);
	buf_printf(head, "Content-Type: multipart/mixed; boundary=\"%.*s\"\r\n\r\n", SPAN_ARGS(buf_view(&boundary)));
	if (text.len) {
		buf_printf(head, "--%.*s\r\n" TEXT_PART, SPAN_ARGS(buf_view(&boundary)));
		put_lines(head, text);
	}
	buf_printf(head, "--%.*s\r\n", SPAN_ARGS(buf_view(&boundary)));
	put_part(head, attempt->message, false, name);
	buf_printf(&content->tail, "--%.*s--\r\n", SPAN_ARGS(buf_view(&boundary)));
	buf_free(&boundary);
}

int mail_content_open(struct mail_content *content, const struct attempt *attempt, int64_t now_ms, struct error *error)
{
	const struct mail_settings *settings = attempt->endpoint->settings;
	const struct message *message = attempt->message;
	struct span text = message_attr_find(message, "text"), name = message_attr_find(message, "attachment");
	bool whole = settings->text && !name.len; /* the text is all there is */

	*content = (struct mail_content){0};
	buf_init(&content->head, HEAD_MAX);
	buf_init(&content->tail, 200);
	if (!message->body && message->body_size)
		return error_set(error, ERROR_REJECT, "mail.header", "the message comes without its body");
	put_date(&content->head, now_ms);
	if (mail_headers(attempt, put_header, &content->head, error))
		return -1;
	if (message->body && !whole) {
		content->body = reader_ref(message->body);
		content->body_size = reader_size(message->body);
	}
	if (name.len) {
		put_multipart(content, attempt, text, name);
	} else if (whole) {
		buf_text(&content->head, TEXT_PART);
		put_lines(&content->head, text);
	} else {
		put_part(&content->head, message, true, SPAN_NONE);
	}
	content->size = content->head.len + encoded_size(content->body_size) + content->tail.len;
	if (content->head.full || content->size > settings->max)
		return error_set(error, ERROR_REJECT, "mail.size",
				 "the mail would have %llu bytes, and max-size is %llu; raise it if the server takes "
				 "more, or send the file by another way",
				 (unsigned long long)content->size, (unsigned long long)settings->max);
	return 0;
}

void mail_content_free(struct mail_content *content)
{
	buf_free(&content->head);
	buf_free(&content->tail);
	reader_unref(content->body);
	content->body = NULL;
}

/* One line of the body, encoded, to be copied from anywhere in it; 0: it cannot be read. */
static size_t line_at(struct mail_content *content, uint64_t line, char out[80])
{
	char raw[LINE_BYTES];
	uint64_t at = line * LINE_BYTES;
	size_t want = content->body_size - at < LINE_BYTES ? (size_t)(content->body_size - at) : LINE_BYTES, got = 0;
	struct buf text;

	while (got < want) {
		ssize_t n = reader_read(content->body, at + got, raw + got, want - got, NULL);

		if (n <= 0)
			return 0;
		got += (size_t)n;
	}
	buf_init(&text, 80);
	base64_encode(&text, span_make(raw, got));
	buf_text(&text, "\r\n");
	got = text.len;
	memcpy(out, text.data, got);
	buf_free(&text);
	return got;
}

static size_t copy_from(struct span text, uint64_t at, char *into, size_t len)
{
	size_t n = text.len - (size_t)at < len ? text.len - (size_t)at : len;

	memcpy(into, text.data + at, n);
	return n;
}

size_t mail_content_read(struct mail_content *content, char *into, size_t len)
{
	uint64_t encoded = encoded_size(content->body_size);
	size_t done = 0;
	char line[80];

	while (done < len && content->at < content->size && !content->failed) {
		uint64_t at = content->at;
		size_t n;

		if (at < content->head.len) {
			n = copy_from(buf_view(&content->head), at, into + done, len - done);
		} else if (at - content->head.len < encoded) {
			uint64_t within = at - content->head.len;
			size_t have = line_at(content, within / 78, line);

			content->failed = have == 0;
			n = have ? copy_from(span_make(line, have), within % 78, into + done, len - done) : 0;
		} else {
			n = copy_from(buf_view(&content->tail), at - content->head.len - encoded, into + done,
				      len - done);
		}
		content->at += n;
		done += n;
	}
	return content->failed ? 0 : done;
}
