/* What the role calls of the syslog sink: lines are handed over one after the other, and confirmed together. See
 * syslog.h. */
#include "config.h"
#include "broker-adapters/syslog/syslog.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/fault.h"

#define PARALLEL 32
#define HOSTNAME_SIZE 256

struct sent {
	struct sent *next;
	struct attempt *attempt;
	size_t bytes;
	bool lost; /* the connection that it went over is gone */
};

struct sink {
	struct syslog_link *link;
	struct sent *first, **last; /* handed over, to be confirmed, in this order */
	char hostname[HOSTNAME_SIZE];
};

static void *sink_open(struct error *error)
{
	struct sink *sink = mem_alloc(sizeof *sink);

	sink->last = &sink->first;
	if (gethostname(sink->hostname, sizeof sink->hostname - 1))
		snprintf(sink->hostname, sizeof sink->hostname, "-");
	return sink;
}

static void sink_close(void *opaque)
{
	struct sink *sink = opaque;

	if (sink)
		syslog_link_free(sink->link);
	free(sink);
}

static int sink_endpoint(void *opaque, const struct endpoint *endpoint, struct error *error)
{
	struct sink *sink = opaque;
	struct syslog_link *link = syslog_check(endpoint, error) ? NULL : syslog_link_new(endpoint, error);

	if (!link)
		return error_wrap(error, "endpoint %s", endpoint->name);
	for (struct sent *sent = sink->first; sent; sent = sent->next)
		sent->lost = true;
	syslog_link_free(sink->link);
	sink->link = link;
	return 0;
}

static int failed(struct attempt *attempt, struct error *error)
{
	if (error != &attempt->error)
		attempt->error = *error;
	return -1;
}

static int sink_start(void *opaque, struct attempt *attempt, struct error *error)
{
	const struct syslog_settings *settings = attempt->endpoint->settings;
	struct sink *sink = opaque;
	bool lost = false, whole;
	struct sent *sent;
	struct buf line;
	int result;

	buf_init(&line, SYSLOG_SIZE_MAX * 2);
	whole = syslog_line(attempt, sink->hostname, &line);
	if (!whole && settings->longer == SYSLOG_REJECTS)
		result =
			error_set(error, ERROR_REJECT, "syslog.size",
				  "the line would have more than %llu bytes (max-size); raise it, or say `longer: cut`",
				  (unsigned long long)settings->max);
	else
		result = syslog_link_send(sink->link, buf_view(&line), &lost, error);
	for (sent = lost ? sink->first : NULL; sent; sent = sent->next)
		sent->lost = true;
	if (!result) {
		sent = mem_alloc(sizeof *sent);
		*sent = (struct sent){.attempt = attempt, .bytes = line.len};
		attempt->adapter = sent;
		*sink->last = sent;
		sink->last = &sent->next;
	}
	buf_free(&line);
	return result ? failed(attempt, error) : 0;
}

static void receipt(const struct sent *sent, struct buf *out)
{
	static const char *const names[] = {"tls", "tcp", "udp", "local"};
	const struct syslog_settings *settings = sent->attempt->endpoint->settings;
	bool local = settings->transport == SYSLOG_LOCAL;
	json_t *receipt = json_pack("{s:s s:s s:I s:b}", "transport", names[settings->transport], "to",
				    local ? settings->socket : settings->host, "bytes", (json_int_t)sent->bytes,
				    "acknowledged", settings->transport != SYSLOG_UDP);
	char *text = json_dumps(receipt, JSON_COMPACT);

	buf_reset(out);
	buf_text(out, text ? text : "{}");
	free(text);
	json_decref(receipt);
}

static void finish(struct sent *sent, const struct error *unconfirmed)
{
	struct attempt *attempt = sent->attempt;

	error_clear(&attempt->error);
	if (sent->lost)
		error_set(&attempt->error, ERROR_DOUBT, "syslog.broken",
			  "nobody knows whether the syslog receiver has it: the connection was lost after it was sent");
	else if (unconfirmed->class != ERROR_NONE)
		attempt->error = *unconfirmed;
	else
		receipt(sent, &attempt->receipt);
	attempt->adapter = NULL;
}

static int sink_reap(void *opaque, struct attempt **into, size_t max, size_t *count, int wake, int wait_ms,
		     struct error *error)
{
	struct sink *sink = opaque;
	struct pollfd woken = {.fd = wake, .events = POLLIN};
	struct error unconfirmed = {0};

	*count = 0;
	if (!sink->first && wait_ms && max)
		poll(&woken, wake >= 0, wait_ms);
	if (sink->first && max) {
		syslog_link_confirm(sink->link, &unconfirmed);
		FAULT("syslog.confirmed");
	}
	if (unconfirmed.class != ERROR_NONE)
		for (struct sent *sent = sink->first; sent; sent = sent->next)
			sent->lost = true;
	while (sink->first && *count < max) {
		struct sent *sent = sink->first;

		sink->first = sent->next;
		if (!sink->first)
			sink->last = &sink->first;
		into[(*count)++] = sent->attempt;
		finish(sent, &unconfirmed);
		free(sent);
	}
	return 0;
}

static void sink_abandon(void *opaque, struct attempt *attempt)
{
	struct sink *sink = opaque;
	struct sent *gone = attempt->adapter;

	for (struct sent **at = &sink->first; gone && *at; at = &(*at)->next) {
		if (*at != gone)
			continue;
		*at = gone->next;
		if (!*at)
			sink->last = at;
		break;
	}
	free(gone);
	attempt->adapter = NULL;
}

static unsigned parallel(const struct endpoint *endpoint)
{
	return PARALLEL;
}

/* Where the flow says that a second line does no harm, it is written again. */
static enum resolved presume(const struct attempt *attempt)
{
	const struct effect_spec *effect = &attempt->endpoint->effect;
	const struct syslog_settings *settings = attempt->endpoint->settings;
	int64_t age = clock_now_ms() - attempt->first_ms;

	return effect->kind == EFFECT_KEY &&
			       (effect->remembers_ms == 0 || age + settings->timeout_ms < effect->remembers_ms)
		       ? RESOLVED_NOT
		       : RESOLVED_UNKNOWN;
}

static int resolve(void *sink, struct attempt *attempt, enum resolved *resolved, struct error *error)
{
	*resolved = presume(attempt);
	return 0;
}

/* ---- offline ---- */
static int preview(const struct attempt *attempt, void (*each)(void *arg, struct span name, struct span value),
		   void *arg, struct error *error)
{
	static const char *const severities[] = {"emergency", "alert",  "critical", "error",
						 "warning",   "notice", "info",     "debug"};
	const struct message *message = attempt->message;
	int severity = syslog_severity(message_attr_find(message, "severity"));

	each(arg, span_of("Severity"), span_of(severities[severity < 0 ? 5 : severity]));
	each(arg, span_of("Text"), message_attr_find(message, "text"));
	for (size_t i = 0; i < message->attrs_count; i++)
		if (span_starts(message->attrs[i].name, "data."))
			each(arg, span_make(message->attrs[i].name.data + 5, message->attrs[i].name.len - 5),
			     message->attrs[i].value);
	return 0;
}

static int judge_test(const struct attempt *attempt, const struct sink_answer *given, struct error *verdict,
		      struct error *error)
{
	error_clear(verdict);
	if (given->fails && !strcmp(given->fails, "connect")) {
		error_set(verdict, ERROR_RETRY, "syslog.connect", "nothing was delivered: the connection is refused");
		verdict->scope = SCOPE_ENDPOINT;
	} else if (given->fails && !strcmp(given->fails, "broken")) {
		error_set(verdict, ERROR_DOUBT, "syslog.broken", "the connection was lost after it was sent");
	} else {
		return error_set(error, ERROR_REJECT, "test.answer",
				 "a syslog receiver answers nothing: `fails` is one of connect, broken");
	}
	return 0;
}

const struct sink_ops syslog_sink_ops = {
	.name = "syslog",
	.help = "Writes each message as one line to a syslog receiver",
	.options = syslog_options,
	.settings_size = sizeof(struct syslog_settings),
	.traits = SINK_KEY,
	.natural = EFFECT_NONE,
	.address = syslog_address,
	.open = sink_open,
	.close = sink_close,
	.endpoint = sink_endpoint,
	.start = sink_start,
	.reap = sink_reap,
	.resolve = resolve,
	.parallel = parallel,
	.abandon = sink_abandon,
	.preview = preview,
	.judge = judge_test,
	.presume = presume,
	.check = syslog_check,
};
