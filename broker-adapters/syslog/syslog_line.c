/* A line of syslog: RFC 5424, or the older form that daemons expect in their local socket (RFC 3164). See syslog.h. */
#include "config.h"
#include "broker-adapters/syslog/syslog.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"

#define MSGID_MAX 32u
#define HOSTNAME_MAX 120u /* RFC 5424 has 255, which would leave nothing of the shortest line */

static char printable(char c)
{
	return c > 32 && c < 127 ? c : '-';
}

/* A field of the header: no spaces, "-" when there is nothing. */
static void put_field(struct buf *out, struct span text, size_t max)
{
	buf_char(out, ' ');
	if (!text.len)
		buf_char(out, '-');
	for (size_t i = 0; i < text.len && i < max; i++)
		buf_char(out, printable(text.data[i]));
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static void put_param(struct buf *out, const char *name, struct span value)
{
	if (!value.len)
		return;
	value.len = utf8_cut(value, SYSLOG_VALUE_MAX);
	buf_printf(out, " %s=\"", name);
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] == '"' || value.data[i] == '\\' || value.data[i] == ']')
			buf_char(out, '\\');
		buf_char(out, is_control(value.data[i]) ? ' ' : value.data[i]);
	}
	buf_char(out, '"');
}

/* Parameters that do not fit are left out, from the last on. */
static void put_data(struct buf *out, const struct attempt *attempt, size_t max)
{
	const struct syslog_settings *settings = attempt->endpoint->settings;
	const struct message *message = attempt->message;
	char hex[ID_TEXT], name[64];
	size_t good;

	id_hex(&message->id, hex);
	buf_printf(out, " [%s", settings->data_id);
	put_param(out, "id", span_of(hex));
	put_param(out, "flow", message->flow);
	good = out->len;
	put_param(out, "correlation", message->correlationid);
	for (size_t i = 0; i <= settings->data.count + 1 && out->len < max; i++) {
		good = out->len;
		if (i == 0) {
			put_param(out, "key", message->keys_count ? message->keys[0].value : SPAN_NONE);
			continue;
		}
		if (i > settings->data.count)
			break;
		snprintf(name, sizeof name, "data.%s", settings->data.items[i - 1].name);
		put_param(out, settings->data.items[i - 1].name, message_attr_find(message, name));
	}
	if (out->len >= max)
		out->len = good;
	buf_char(out, ']');
}

/* What is left of max; a mark says that something is missing. */
static bool put_text(struct buf *out, struct span text, size_t max)
{
	size_t room = max > out->len ? max - out->len : 0, end = text.len;

	if (text.len > room)
		end = utf8_cut(text, room > strlen(SYSLOG_CUT) ? room - strlen(SYSLOG_CUT) : 0);
	for (size_t i = 0; i < end; i++)
		buf_char(out, is_control(text.data[i]) ? ' ' : text.data[i]);
	if (end < text.len)
		buf_text(out, SYSLOG_CUT);
	return end == text.len;
}

static void put_bsd(struct buf *out, const struct attempt *attempt, unsigned priority, const char *hostname)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const struct syslog_settings *settings = attempt->endpoint->settings;
	time_t seconds = (time_t)(attempt->message->time_ms / 1000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	buf_printf(out, "<%u>%s %2d %02d:%02d:%02d", priority, months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min,
		   tm.tm_sec);
	if (settings->transport != SYSLOG_LOCAL) /* daemons know who writes into their socket */
		put_field(out, span_of(hostname), HOSTNAME_MAX);
	put_field(out, span_of(settings->app_name), 48);
	buf_text(out, ": ");
}

static void put_5424(struct buf *out, const struct attempt *attempt, unsigned priority, const char *hostname)
{
	const struct syslog_settings *settings = attempt->endpoint->settings;
	const struct message *message = attempt->message;
	char time[CLOCK_TEXT];

	clock_format(message->time_ms, time);
	buf_printf(out, "<%u>1 %s", priority, time);
	put_field(out, span_of(hostname), HOSTNAME_MAX);
	put_field(out, span_of(settings->app_name), 48);
	put_field(out, SPAN_NONE, 128);
	put_field(out, message->flow, MSGID_MAX);
	/* an eighth at least is the text's */
	put_data(out, attempt, (size_t)settings->max - (size_t)settings->max / 8);
	buf_char(out, ' ');
	if (settings->bom)
		buf_text(out, "\xef\xbb\xbf");
}

bool syslog_line(const struct attempt *attempt, const char *hostname, struct buf *out)
{
	const struct syslog_settings *settings = attempt->endpoint->settings;
	struct span severity = message_attr_find(attempt->message, "severity");
	unsigned priority =
		(unsigned)settings->facility * 8u + (severity.len ? (unsigned)(severity.data[0] - '0') : 5u);
	bool bsd = settings->format == SYSLOG_BSD ||
		   (settings->format == SYSLOG_AUTO && settings->transport == SYSLOG_LOCAL);

	(bsd ? put_bsd : put_5424)(out, attempt, priority, settings->hostname ? settings->hostname : hostname);
	return put_text(out, message_attr_find(attempt->message, "text"), (size_t)settings->max);
}
