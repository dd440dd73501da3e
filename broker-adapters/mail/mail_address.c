/* Settings of the mail sink, and whom a mail goes to. See mail.h. */
#include "config.h"
#include "broker-adapters/mail/mail.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/utf8.h"

const struct option mail_options[] = {
	{.name = "to",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct mail_settings, to),
	 .flags = OPTION_MAIN | OPTION_REQUIRED,
	 .help = "Addresses that get it, separated by commas; each $(…) is one address"},
	{.name = "from",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct mail_settings, from),
	 .flags = OPTION_REQUIRED,
	 .help = "Address of the sender, alone or as Name <address>; bounces go there"},
	{.name = "reply-to",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct mail_settings, reply_to),
	 .help = "Address for replies, where it is not the sender's"},
	{.name = "subject",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct mail_settings, subject),
	 .flags = OPTION_REQUIRED,
	 .help = "Subject, one line"},
	{.name = "text",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct mail_settings, text),
	 .help = "Text of the mail; default is the message itself"},
	{.name = "attachment",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct mail_settings, attachment),
	 .help = "Name of the file that the message is attached as"},
	{.name = "system",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct mail_settings, system),
	 .help = "The system whose `mail` says how to reach the server; what the endpoint says itself wins"},
	{.name = "host",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct mail_settings, host),
	 .flags = OPTION_REQUIRED,
	 .help = "The mail server"},
	{.name = "port",
	 .type = OPTION_INT,
	 .offset = offsetof(struct mail_settings, port),
	 .range = "1..65535",
	 .help = "Its port; by default 587, 465 with tls: implicit, 25 with tls: none"},
	{.name = "tls",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct mail_settings, tls),
	 .range = "starttls|implicit|none",
	 .fallback = "starttls",
	 .help = "How the connection is encrypted; none is plain text for everybody on the way, and takes no password"},
	{.name = "user",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct mail_settings, user),
	 .help = "Name of the account"},
	{.name = "password",
	 .type = OPTION_SECRET,
	 .offset = offsetof(struct mail_settings, password),
	 .help = "Secret that holds the account's password"},
	{.name = "ca",
	 .type = OPTION_TEXT,
	 .flags = OPTION_CERTIFICATE,
	 .offset = offsetof(struct mail_settings, ca),
	 .help = "PEM file of the authorities to trust; default is the system's"},
	{.name = "helo",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct mail_settings, helo),
	 .help = "Name that this machine greets with; default is its own"},
	{.name = "timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct mail_settings, timeout_ms),
	 .fallback = "2m",
	 .range = "1s..1h",
	 .help = "For a whole mail, from the connection to the last reply"},
	{.name = "connect-timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct mail_settings, connect_ms),
	 .fallback = "10s",
	 .range = "1s..10m",
	 .help = "Until a connection stands"},
	{.name = "parallel",
	 .type = OPTION_INT,
	 .offset = offsetof(struct mail_settings, parallel),
	 .fallback = "2",
	 .range = "1..16",
	 .help = "Mails at once to this server"},
	{.name = "max-size",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct mail_settings, max),
	 .fallback = "20MiB",
	 .help = "Largest mail, encoded; a larger one becomes a dead letter"},
	OPTION_END,
};

/* ---- addresses ---- */
static struct span trimmed(struct span text)
{
	while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = span_make(text.data + 1, text.len - 1);
	while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static bool is_host(struct span text)
{
	if (!text.len || text.len > 255)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!isalnum((unsigned char)text.data[i]) && !strchr("-.:[]_", text.data[i]))
			return false;
	return !memchr(text.data, '\0', text.len);
}

/* The dot-atoms of RFC 5321; quoted local parts are legal there and nowhere to be found but in attacks. */
static bool is_address(struct span text)
{
	const char *at = text.len ? memchr(text.data, '@', text.len) : NULL;
	size_t local = at ? (size_t)(at - text.data) : 0;

	if (!local || local > 64)
		return false;
	for (size_t i = 0; i < local; i++)
		if (!isalnum((unsigned char)text.data[i]) &&
		    (!text.data[i] || !strchr("!#$%&'*+-/=?^_`{|}~.", text.data[i])))
			return false;
	return text.data[0] != '-' && is_host(span_make(at + 1, text.len - local - 1));
}

static bool is_line(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return false;
	return utf8_is_clean(text);
}

int mail_address_parse(struct span text, struct span *address)
{
	const char *open;

	text = trimmed(text);
	open = text.len && text.data[text.len - 1] == '>' ? memchr(text.data, '<', text.len) : NULL;
	if (open) {
		struct span name = span_make(text.data, (size_t)(open - text.data));

		if (!is_line(name) ||
		    (name.len && (memchr(name.data, '"', name.len) || memchr(name.data, '\\', name.len))))
			return -1;
		text = span_make(open + 1, text.len - (size_t)(open + 1 - text.data) - 1);
	}
	*address = text;
	return is_address(text) ? 0 : -1;
}

int mail_address_each(struct span list, void (*each)(void *arg, struct span address), void *arg, struct error *error)
{
	unsigned n = 0;

	for (size_t from = 0; from <= list.len;) {
		const char *comma = from < list.len ? memchr(list.data + from, ',', list.len - from) : NULL;
		size_t end = comma ? (size_t)(comma - list.data) : list.len;
		struct span one = trimmed(span_make(list.data + from, end - from));

		if (!is_address(one))
			return error_set(error, ERROR_REJECT, "mail.address",
					 "recipient %u is no address such as orders@example.org", n + 1);
		if (++n > MAIL_RECIPIENTS_MAX)
			return error_set(error, ERROR_REJECT, "mail.address", "it has more than %u recipients",
					 MAIL_RECIPIENTS_MAX);
		each(arg, one);
		from = end + 1;
	}
	return 0;
}

/* A value is one address whole: data must not add a recipient. */
static int escape_address(struct buf *out, struct span value, struct error *error)
{
	if (value.len && (memchr(value.data, ',', value.len) || !is_line(value)))
		return error_set(error, ERROR_REJECT, "mail.address",
				 "a value among the recipients has a comma or a line break in it");
	buf_span(out, value);
	return 0;
}

static void ignore(void *arg, struct span address)
{
}

/* ---- a message ---- */
/* A text for people is rather cut than a dead letter. */
static void cut(struct buf *text, size_t max)
{
	size_t end = utf8_cut(buf_view(text), max - strlen(MAIL_CUT));

	if (text->len <= max)
		return;
	text->len = end;
	buf_text(text, MAIL_CUT);
}

static int render(struct template *template, const struct expression_input *input, struct message *message,
		  const char *name, size_t max, bool line, struct error *error)
{
	struct buf text;
	int result;

	if (!template)
		return 0;
	buf_init(&text, line ? max : MAIL_RENDER_MAX);
	result = template_render(template, input, strcmp(name, "to") ? NULL : escape_address, &text, error);
	if (result == 0 && text.full)
		result = error_set(error, ERROR_REJECT, "mail.header", "%s: it is longer than %zu bytes", name,
				   text.max);
	if (result == 0 && (line ? !is_line(buf_view(&text)) : !utf8_is_clean(buf_view(&text))))
		result = error_set(error, ERROR_REJECT, "mail.header", "%s: it has %s", name,
				   line ? "a line break or a control character" : "bytes that are no text");
	if (result == 0 && !line)
		cut(&text, max);
	if (result == 0)
		result = message_attr(message, span_of(name), buf_view(&text), error);
	buf_free(&text);
	return result;
}

int mail_address(const struct endpoint *endpoint, const struct expression_input *input, struct message *message,
		 struct error *error)
{
	const struct mail_settings *settings = endpoint->settings;
	struct span name;

	if (render(settings->to, input, message, "to", MAIL_ADDRESSES_MAX, true, error) ||
	    mail_address_each(message_attr_find(message, "to"), ignore, NULL, error) ||
	    render(settings->subject, input, message, "subject", MAIL_SUBJECT_MAX, true, error) ||
	    render(settings->text, input, message, "text", MAIL_TEXT_MAX, false, error) ||
	    render(settings->attachment, input, message, "attachment", MAIL_NAME_MAX, true, error))
		return -1;
	name = message_attr_find(message, "attachment");
	if (settings->attachment && (!name.len || memchr(name.data, '/', name.len) ||
				     memchr(name.data, '\\', name.len) || span_is(name, ".") || span_is(name, "..")))
		return error_set(error, ERROR_REJECT, "mail.header",
				 "attachment: the name of the file is empty or has a slash in it");
	return 0;
}

/* ---- offline ---- */
static int refuse(const struct endpoint *endpoint, const char *what, struct error *error)
{
	return error_set(error, ERROR_FATAL, "mail.settings", "endpoint %s: %s", endpoint->name, what);
}

int mail_check(const struct endpoint *endpoint, struct error *error)
{
	const struct mail_settings *settings = endpoint->settings;
	struct span text;

	if (!is_host(span_of(settings->host)))
		return refuse(endpoint, "host is the name or the number of a machine, without smtp:// or a port",
			      error);
	if (settings->helo && !is_host(span_of(settings->helo)))
		return refuse(endpoint, "helo is the name of a machine", error);
	if (mail_address_parse(span_of(settings->from), &text))
		return refuse(endpoint, "from is an address such as orders@example.org, or Name <orders@example.org>",
			      error);
	if (settings->reply_to && mail_address_parse(span_of(settings->reply_to), &text))
		return refuse(endpoint, "reply-to is one address", error);
	if (!settings->user != !settings->password)
		return refuse(endpoint, "user and password belong together", error);
	if (settings->user && !is_line(span_of(settings->user)))
		return refuse(endpoint, "user is one line", error);
	if (settings->password && settings->tls == MAIL_NONE)
		return refuse(endpoint,
			      "a password is not sent over a connection that everybody can read; use tls: starttls or "
			      "implicit, or leave user and password out",
			      error);
	if (template_constant(settings->to, &text)) {
		struct error why = {0};

		if (mail_address_each(text, ignore, NULL, &why))
			return refuse(endpoint, why.text, error);
	}
	return 0;
}
