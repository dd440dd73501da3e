/* Health and metrics. See health.h. */
#include "config.h"
#include "operations/health.h"

#include <stdio.h>
#include <string.h>

void health_live(int *status, const char **type, struct buf *body)
{
	*status = 200;
	*type = "text/plain; charset=utf-8";
	buf_text(body, "ok\n");
}

static void one_check(bool good, const char *name, const char *bad, bool verbose, bool *all, struct buf *body)
{
	*all = *all && good;
	if (verbose || !good)
		buf_printf(body, "[%s] %s%s%s\n", good ? "+" : "-", name, good ? " ok" : ": ", good ? "" : bad);
}

void health_ready(const json_t *answer, bool draining, bool verbose, int *status, const char **type, struct buf *body)
{
	const json_t *broker = json_object_get(answer, "broker");
	const char *text = json_string_value(json_object_get(broker, "text"));
	bool good = true;

	*type = "text/plain; charset=utf-8";
	one_check(!draining, "running", "the site is ending", verbose, &good, body);
	one_check(answer != NULL, "queue process", "it does not answer", verbose, &good, body);
	one_check(json_is_true(json_object_get(broker, "connected")), "broker", text && *text ? text : "not connected",
		  verbose, &good, body);
	one_check(json_is_true(json_object_get(broker, "consuming")), "consuming",
		  "connected, but not every queue is consumed", verbose, &good, body);
	one_check(json_is_true(json_object_get(answer, "accepting")), "accepting", "the disk is below its reserve",
		  verbose, &good, body);
	buf_text(body, good ? "ready\n" : "not ready\n");
	*status = good ? 200 : 503;
}

static void label(struct buf *body, const char *name, const char *text, const char *before)
{
	buf_printf(body, "%s%s=\"", before, name);
	for (; text && *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_char(body, '\\');
		buf_char(body, *text == '\n' ? ' ' : *text);
	}
	buf_char(body, '"');
}

static void family(struct buf *body, const char *name, const char *kind, const char *help)
{
	buf_printf(body, "# HELP ferrule_%s %s\n# TYPE ferrule_%s %s\n", name, help, name, kind);
}

static void single(struct buf *body, const char *name, const char *kind, const char *help, double value)
{
	family(body, name, kind, help);
	buf_printf(body, "ferrule_%s %.17g\n", name, value);
}

static void of_queues(struct buf *body, const json_t *queues, const char *key, const char *name, const char *help)
{
	const json_t *queue;
	size_t i;

	family(body, name, "gauge", help);
	json_array_foreach(queues, i, queue) {
		buf_printf(body, "ferrule_%s{", name);
		label(body, "queue", json_string_value(json_object_get(queue, "name")), "");
		label(body, "flow", json_string_value(json_object_get(queue, "flow")), ",");
		buf_printf(body, "} %.17g\n", json_number_value(json_object_get(queue, key)));
	}
}

/* The engine's counters are totals since it started: {"published": 5, …}. */
static void of_counters(struct buf *body, json_t *counters)
{
	const char *key;
	json_t *value;
	char name[96], help[128];

	json_object_foreach(counters, key, value) {
		if (!json_is_number(value))
			continue;
		snprintf(name, sizeof name, "%s_total", key);
		snprintf(help, sizeof help, "Total of %s since the queue process started", key);
		single(body, name, "counter", help, json_number_value(value));
	}
}

static void of_endpoints(struct buf *body, json_t *endpoints)
{
	const char *key, *state;
	json_t *value;

	family(body, "endpoint_up", "gauge", "1 while an endpoint works, 0 while it is paused or cannot be asked");
	json_object_foreach(endpoints, key, value) {
		state = json_string_value(json_object_get(value, "state"));
		buf_text(body, "ferrule_endpoint_up{");
		label(body, "endpoint", key, "");
		buf_printf(body, "} %d\n", !state || (strcmp(state, "paused") && strcmp(state, "failing")));
	}
}

/* Files on their way that take longer than a second. */
static void of_moving(struct buf *body, const json_t *all, const char *key, const char *name, const char *help)
{
	const json_t *one;
	size_t i;

	family(body, name, "gauge", help);
	json_array_foreach(all, i, one) {
		buf_printf(body, "ferrule_%s{", name);
		label(body, "endpoint", json_string_value(json_object_get(one, "endpoint")), "");
		label(body, "direction", json_string_value(json_object_get(one, "direction")), ",");
		buf_printf(body, "} %.17g\n", json_number_value(json_object_get(one, key)));
	}
}

static double one_of(const json_t *one, const char *key)
{
	return json_number_value(json_object_get(one, key));
}

static void of_expectations(struct buf *body, const json_t *all, const char *key, const char *name, const char *type,
			    const char *help)
{
	const json_t *one;
	size_t i;

	family(body, name, type, help);
	json_array_foreach(all, i, one) {
		double value = one_of(one, key), judged = one_of(one, "met") + one_of(one, "missed_ever");

		if (!strcmp(key, "ratio"))
			value = judged > 0 ? one_of(one, "met") / judged : 1;
		if (!strcmp(key, "lag_ms"))
			value /= 1000;
		buf_printf(body, "ferrule_%s{", name);
		label(body, "expectation", json_string_value(json_object_get(one, "name")), "");
		label(body, "flow", json_string_value(json_object_get(one, "flow")), ",");
		buf_printf(body, "} %.17g\n", value);
	}
}

static void expectations(struct buf *body, const json_t *all)
{
	of_expectations(body, all, "open", "expectation_open", "gauge", "Waited for, and not due yet");
	of_expectations(body, all, "missed", "expectation_missed", "gauge", "Did not come in time, and still has not");
	of_expectations(body, all, "met", "expectation_met_total", "counter", "Came in time");
	of_expectations(body, all, "missed_ever", "expectation_missed_total", "counter", "Did not come in time");
	of_expectations(body, all, "late", "expectation_late_total", "counter", "Came after its time");
	of_expectations(body, all, "ratio", "expectation_success_ratio", "gauge",
			"What came in time, of all that was due");
	of_expectations(body, all, "lag_ms", "expectation_lag_seconds", "gauge",
			"How long after its time the last one came; negative: before it");
}

static void expiring(struct buf *body, const json_t *all)
{
	static const char *const labels[] = {"kind", "id", "name"};
	const json_t *one;
	size_t i;

	family(body, "key_expiry_timestamp_seconds", "gauge",
	       "When a key, a certificate or a secret ends, in seconds since 1970");
	json_array_foreach(all, i, one) {
		buf_text(body, "ferrule_key_expiry_timestamp_seconds{");
		for (size_t k = 0; k < sizeof labels / sizeof *labels; k++)
			label(body, labels[k], json_string_value(json_object_get(one, labels[k])), k ? "," : "");
		buf_printf(body, "} %.17g\n", one_of(one, "expires_ms") / 1000);
	}
}

void health_metrics(const json_t *answer, int *status, const char **type, struct buf *body)
{
	const json_t *queues = json_object_get(answer, "queues");

	*status = 200;
	*type = "text/plain; version=0.0.4; charset=utf-8";
	single(body, "up", "gauge", "1 while the queue process answers", answer != NULL);
	if (!answer)
		return;
	single(body, "accepting", "gauge", "1 while the site accepts documents",
	       json_is_true(json_object_get(answer, "accepting")));
	single(body, "broker_connected", "gauge", "1 while the broker is connected",
	       json_is_true(json_object_get(json_object_get(answer, "broker"), "connected")));
	single(body, "dead_letters", "gauge", "Open dead letters", json_number_value(json_object_get(answer, "dead")));
	single(body, "doubts", "gauge", "Effects that a person must decide about",
	       json_number_value(json_object_get(answer, "doubt")));
	single(body, "parked_messages", "gauge", "Messages that wait for another try",
	       json_number_value(json_object_get(answer, "parked")));
	of_queues(body, queues, "ready", "queue_ready_messages", "Messages that wait in a queue");
	of_queues(body, queues, "unsettled", "queue_unsettled_messages", "Messages in the hands of a worker");
	of_queues(body, queues, "consumers", "queue_consumers", "Workers that take from a queue");
	of_endpoints(body, json_object_get(answer, "endpoints"));
	of_moving(body, json_object_get(answer, "moving"), "done", "moving_bytes",
		  "Bytes so far of the file on its way at an endpoint");
	of_moving(body, json_object_get(answer, "moving"), "total", "moving_size_bytes",
		  "Size of the file on its way at an endpoint");
	of_moving(body, json_object_get(answer, "moving"), "rate", "moving_bytes_per_second",
		  "How fast the file on its way at an endpoint goes");
	expectations(body, json_object_get(answer, "expectations"));
	expiring(body, json_object_get(answer, "expiring"));
	of_counters(body, json_object_get(answer, "counters"));
}
