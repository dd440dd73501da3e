/* Settings of the syslog sink, and what is rendered of a message. See syslog.h. */
#include "config.h"
#include "broker-adapters/syslog/syslog.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/un.h>

#include "base/utf8.h"

#define RENDER_MAX (1u << 20) /* what is longer by then is cut anyway */

const struct option syslog_options[] = {
	{.name = "text",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct syslog_settings, text),
	 .flags = OPTION_MAIN | OPTION_REQUIRED,
	 .help = "Text of the line; line breaks become spaces"},
	{.name = "severity",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct syslog_settings, severity),
	 .help = "emergency, alert, critical, error, warning, notice, info or debug, or 0 to 7; default is notice"},
	{.name = "facility",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct syslog_settings, facility),
	 .range = "kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|ntp|audit|alert|clock|local0|"
		  "local1|local2|local3|local4|local5|local6|local7",
	 .fallback = "daemon",
	 .help = "What kind of program says it, by which receivers sort"},
	{.name = "app-name",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct syslog_settings, app_name),
	 .fallback = "ferrule",
	 .help = "Which program says it: at most 48 letters, digits and signs, no spaces"},
	{.name = "hostname",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct syslog_settings, hostname),
	 .help = "Which machine says it; default is this machine's name"},
	{.name = "data",
	 .type = OPTION_TEMPLATES,
	 .offset = offsetof(struct syslog_settings, data),
	 .help = "Structured data beside Ferrule's own (id, flow, correlation, key): names to values, 16 at most"},
	{.name = "data-id",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct syslog_settings, data_id),
	 .fallback = "ferrule@32473",
	 .help = "Name of the structured data, NAME@NUMBER with the private enterprise number of your company"},
	{.name = "bom",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct syslog_settings, bom),
	 .fallback = "false",
	 .help = "Write the mark of UTF-8 in front of the text, as RFC 5424 has it and many receivers do not"},
	{.name = "max-size",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct syslog_settings, max),
	 .range = "480..8192",
	 .fallback = "2048",
	 .help = "Longest line in bytes; every receiver takes 480 and should take 2048"},
	{.name = "longer",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct syslog_settings, longer),
	 .range = "cut|reject",
	 .fallback = "cut",
	 .help = "What becomes of a longer one: the text is cut, with a mark, or it is a dead letter"},
	{.name = "format",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct syslog_settings, format),
	 .range = "auto|rfc5424|bsd",
	 .fallback = "auto",
	 .help = "auto is the form that daemons expect in their local socket (bsd, without structured data), and "
		 "rfc5424 anywhere else"},
	{.name = "system",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct syslog_settings, system),
	 .help = "The system whose `syslog` says how to reach the receiver; what the endpoint says itself wins"},
	{.name = "transport",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct syslog_settings, transport),
	 .range = "tls|tcp|udp|local",
	 .fallback = "tls",
	 .help = "tls; tcp, in plain text; udp, in plain text, and nobody hears of a line that is lost; local, this "
		 "machine's daemon"},
	{.name = "host",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct syslog_settings, host),
	 .help = "The receiver; needed unless transport is local"},
	{.name = "port",
	 .type = OPTION_INT,
	 .offset = offsetof(struct syslog_settings, port),
	 .range = "1..65535",
	 .help = "Its port; by default 6514 with tls, else 514"},
	{.name = "socket",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct syslog_settings, socket),
	 .fallback = "/dev/log",
	 .help = "Where this machine's daemon listens, for transport: local"},
	{.name = "ca",
	 .type = OPTION_TEXT,
	 .flags = OPTION_CERTIFICATE,
	 .offset = offsetof(struct syslog_settings, ca),
	 .help = "PEM file of the authorities to trust; default is the system's"},
	{.name = "certificate",
	 .type = OPTION_TEXT,
	 .flags = OPTION_CERTIFICATE,
	 .offset = offsetof(struct syslog_settings, certificate),
	 .help = "PEM file of the certificate that this side shows, where the receiver asks for one"},
	{.name = "key",
	 .type = OPTION_SECRET,
	 .offset = offsetof(struct syslog_settings, key),
	 .help = "Secret that holds the certificate's private key, in PEM"},
	{.name = "connect-timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct syslog_settings, connect_ms),
	 .fallback = "5s",
	 .range = "1s..10s",
	 .help = "Until a connection stands"},
	{.name = "timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct syslog_settings, timeout_ms),
	 .fallback = "5s",
	 .range = "1s..10s",
	 .help = "Until the receiver has taken a line"},
	OPTION_END,
};

/* ---- offline ---- */
static bool is_printable(const char *text, size_t max)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (text[i] < 33 || text[i] > 126)
			return false;
	return n && n <= max;
}

static bool is_data_name(const char *text)
{
	return is_printable(text, 32) && !strpbrk(text, "=]\"");
}

static int refuse(const struct endpoint *endpoint, const char *what, struct error *error)
{
	return error_set(error, ERROR_FATAL, "syslog.settings", "endpoint %s: %s", endpoint->name, what);
}

static int check_data(const struct endpoint *endpoint, struct error *error)
{
	static const char *const own[] = {"id", "flow", "correlation", "key"};
	const struct syslog_settings *settings = endpoint->settings;

	if (!is_data_name(settings->data_id) || !strchr(settings->data_id, '@'))
		return refuse(endpoint, "data-id is NAME@NUMBER, at most 32 letters, digits and signs", error);
	if (settings->data.count > SYSLOG_DATA_MAX)
		return refuse(endpoint, "data has more than 16 names", error);
	for (size_t i = 0; i < settings->data.count; i++) {
		if (!is_data_name(settings->data.items[i].name))
			return refuse(endpoint,
				      "the names of data are at most 32 letters, digits and signs, none of "
				      "them = ] or \"",
				      error);
		for (size_t k = 0; k < sizeof own / sizeof *own; k++)
			if (!strcmp(settings->data.items[i].name, own[k]))
				return refuse(endpoint, "id, flow, correlation and key in data are Ferrule's own",
					      error);
	}
	return 0;
}

static int check_place(const struct endpoint *endpoint, struct error *error)
{
	const struct syslog_settings *settings = endpoint->settings;

	if (settings->transport == SYSLOG_LOCAL) {
		if (strlen(settings->socket) >= sizeof((struct sockaddr_un *)0)->sun_path)
			return refuse(endpoint, "socket has too long a path", error);
		return settings->host ? refuse(endpoint, "transport: local has no host", error) : 0;
	}
	if (!settings->host)
		return refuse(endpoint, "host is missing: name the receiver, or say transport: local", error);
	if (!is_printable(settings->host, 255) || strpbrk(settings->host, "/@?#\\"))
		return refuse(endpoint, "host is the name or the number of a machine, without a port", error);
	if (settings->transport != SYSLOG_TLS && (settings->ca || settings->certificate || settings->key))
		return refuse(endpoint, "ca, certificate and key belong to transport: tls", error);
	if (!settings->certificate != !settings->key)
		return refuse(endpoint, "certificate and key belong together", error);
	return 0;
}

int syslog_check(const struct endpoint *endpoint, struct error *error)
{
	const struct syslog_settings *settings = endpoint->settings;
	struct span text;

	if (!is_printable(settings->app_name, 48))
		return refuse(endpoint, "app-name is at most 48 letters, digits and signs, without spaces", error);
	if (settings->hostname && !is_printable(settings->hostname, 255))
		return refuse(endpoint, "hostname is at most 255 letters, digits and signs, without spaces", error);
	if (settings->severity && template_constant(settings->severity, &text) && syslog_severity(text) < 0)
		return refuse(endpoint, "severity is emergency, alert, critical, error, warning, notice, info or debug",
			      error);
	return check_place(endpoint, error) || check_data(endpoint, error) ? -1 : 0;
}

/* ---- a message ---- */
int syslog_severity(struct span text)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {{"emergency", 0}, {"emerg", 0},   {"alert", 1}, {"critical", 2}, {"crit", 2}, {"error", 3},
		     {"err", 3},       {"warning", 4}, {"warn", 4},  {"notice", 5},   {"info", 6}, {"debug", 7}};

	if (text.len == 1 && text.data[0] >= '0' && text.data[0] <= '7')
		return text.data[0] - '0';
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (text.len == strlen(names[i].name) && !strncasecmp(text.data, names[i].name, text.len))
			return names[i].number;
	return -1;
}

static int render(struct template *template, const struct expression_input *input, const char *name, struct buf *text,
		  struct error *error)
{
	buf_init(text, RENDER_MAX);
	if (template_render(template, input, NULL, text, error))
		return -1;
	if (text->full)
		return error_set(error, ERROR_REJECT, "syslog.size", "%s: it is longer than %u bytes", name,
				 RENDER_MAX);
	if (!utf8_is_clean(buf_view(text)))
		return error_set(error, ERROR_REJECT, "syslog.text", "%s: it has bytes that are no text", name);
	return 0;
}

static int put_text(const struct syslog_settings *settings, const struct expression_input *input,
		    struct message *message, struct error *error)
{
	struct buf text;
	int result = render(settings->text, input, "text", &text, error);

	if (!result && settings->longer == SYSLOG_REJECTS && text.len > settings->max)
		result = error_set(error, ERROR_REJECT, "syslog.size",
				   "the text has %zu bytes, and max-size is %llu; raise it, or say `longer: cut`",
				   text.len, (unsigned long long)settings->max);
	/* a little more than fits, so that the line knows that something is missing */
	text.len = result ? 0 : utf8_cut(buf_view(&text), (size_t)settings->max + 4);
	if (!result)
		result = message_attr(message, SPAN_LITERAL("text"), buf_view(&text), error);
	buf_free(&text);
	return result;
}

static int put_severity(const struct syslog_settings *settings, const struct expression_input *input,
			struct message *message, struct error *error)
{
	struct buf text;
	char digit[2] = "5";
	int result = 0, number = 5;

	buf_init(&text, 0);
	if (settings->severity) {
		result = render(settings->severity, input, "severity", &text, error);
		number = result ? -1 : syslog_severity(buf_view(&text));
		if (!result && number < 0)
			result = error_set(error, ERROR_REJECT, "syslog.severity",
					   "the severity of a message is no word such as warning, and no number from 0 "
					   "to 7");
	}
	digit[0] = (char)('0' + (number < 0 ? 0 : number));
	if (!result)
		result = message_attr(message, SPAN_LITERAL("severity"), span_of(digit), error);
	buf_free(&text);
	return result;
}

static int put_datum(const struct named_template *named, const struct expression_input *input, struct message *message,
		     struct error *error)
{
	char *name = mem_printf("data.%s", named->name);
	struct buf text;
	int result = render(named->template, input, name, &text, error);

	if (!result) {
		text.len = utf8_cut(buf_view(&text), SYSLOG_VALUE_MAX);
		result = message_attr(message, span_of(name), buf_view(&text), error);
	}
	buf_free(&text);
	free(name);
	return result;
}

int syslog_address(const struct endpoint *endpoint, const struct expression_input *input, struct message *message,
		   struct error *error)
{
	const struct syslog_settings *settings = endpoint->settings;

	if (put_text(settings, input, message, error) || put_severity(settings, input, message, error))
		return -1;
	for (size_t i = 0; i < settings->data.count; i++)
		if (put_datum(&settings->data.items[i], input, message, error))
			return -1;
	return 0;
}
