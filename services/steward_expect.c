/* What must happen by a time, and events of Ferrule's own: the steward's part. See steward.h.
 *
 * It opens each day of an expectation, judges what is due, and publishes events that the store keeps. Each is a unit of
 * its own: an event is in the store from the moment that it is true of, and goes from there when it is published. Done
 * again it has the same id. */
#include "config.h"
#include "services/steward.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "operations/expectation_period.h"
#include "operations/store.h"
#include "services/receive.h"

#define DAYS_AT_ONCE 400 /* after a long rest */
#define WINDOW_WAIT_MS 200

bool steward_has_days(const struct site *site)
{
	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].expect_count; k++)
			if (site->flows[i].expect[k].kind != EXPECT_ANSWER)
				return true;
	return false;
}

static const struct expectation *find(const struct site *site, const char *name, const struct flow **flow)
{
	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].expect_count; k++)
			if (!strcmp(site->flows[i].expect[k].name, name)) {
				*flow = &site->flows[i];
				return &site->flows[i].expect[k];
			}
	return NULL;
}

static int change(struct worker *worker, const char *name, json_t *request, struct error *error)
{
	struct unit *unit = unit_new(worker->queue);

	unit_change(unit, name, request);
	board_tick(worker->slot);
	return unit_commit_within(unit, STEWARD_COMMIT_MS, error);
}

/* ---- days */
static json_t *day_names(const struct site *site)
{
	json_t *names = json_array();

	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].expect_count; k++)
			if (site->flows[i].expect[k].kind != EXPECT_ANSWER)
				json_array_append_new(names, json_string(site->flows[i].expect[k].name));
	return names;
}

static int open_day(struct worker *worker, const struct flow *flow, const struct expectation *e,
		    const struct expectation_period *day, struct error *error)
{
	struct id member = id_of((struct span[]){SPAN_LITERAL("day"), span_of(e->name), span_of(day->day)}, 3);
	char hex[ID_TEXT];

	id_hex(&member, hex);
	return change(worker, "expect.open",
		      json_pack("{s:s s:s s:s s:s s:I s:I s:I s:I}", "name", e->name, "flow", flow->name, "member", hex,
				"label", day->day, "needed", (json_int_t)e->count, "start_ms",
				(json_int_t)day->start_ms, "end_ms", (json_int_t)day->end_ms, "due_ms",
				(json_int_t)day->due_ms),
		      error);
}

/* All days up to the one that counts now. Of an expectation that is new nothing is asked for what is past. */
static int open_days(struct worker *worker, const struct flow *flow, const struct expectation *e, const json_t *last,
		     int64_t *next, struct error *error)
{
	struct expectation_period day;
	int64_t now = clock_now_ms();

	if (!last) {
		if (expectation_period_at(e, now, &day))
			return 0;
		if (day.due_ms > now && open_day(worker, flow, e, &day, error))
			return -1;
	} else if (expectation_period_at(e, json_integer_value(last), &day)) {
		return 0;
	}
	for (int i = 0; i < DAYS_AT_ONCE && day.end_ms <= now; i++)
		if (expectation_period_next(e, &day, &day) || open_day(worker, flow, e, &day, error))
			return -1;
	if (day.end_ms < *next)
		*next = day.end_ms;
	return 0;
}

static int all_days(struct worker *worker, const json_t *answer, int64_t *next, struct error *error)
{
	const struct site *site = worker->site;
	const json_t *days = json_object_get(answer, "days");

	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].expect_count; k++) {
			const struct expectation *e = &site->flows[i].expect[k];

			if (e->kind != EXPECT_ANSWER &&
			    open_days(worker, &site->flows[i], e, json_object_get(days, e->name), next, error))
				return -1;
		}
	return 0;
}

/* ---- judging */
static char *what_of(const struct expectation *e, const json_t *one)
{
	char within[CLOCK_TEXT];

	duration_format(e->within_ms, within);
	if (e->kind == EXPECT_ANSWER)
		return mem_printf("no %s for %s within %s", e->event, steward_text(one, "label"), within);
	return mem_printf("%s%s by %s of %s: %lld of %lld came", e->kind == EXPECT_FILES ? "file " : "",
			  e->kind == EXPECT_FILES ? e->file : e->event, e->by, steward_text(one, "label"),
			  (long long)steward_number(one, "came"), (long long)steward_number(one, "needed"));
}

static json_t *about_new(const struct flow *flow, const struct expectation *e, const json_t *one)
{
	const char *runbook = e->runbook ? e->runbook : flow->runbook;
	const char *message = steward_text(one, "message");
	char *what = what_of(e, one), *next = *message ? mem_printf("ferrule trace %.12s", message)
						       : mem_printf("ferrule expect list --name %s", e->name);
	json_t *about = json_pack("{s:s s:s s:s s:s}", "owner", flow->owner ? flow->owner : "", "runbook",
				  runbook ? runbook : "", "what", what, "next", next);

	free(what);
	free(next);
	return about;
}

static int judge(struct worker *worker, const json_t *one, struct error *error)
{
	const char *name = steward_text(one, "name");
	const struct flow *flow = NULL;
	const struct expectation *e = find(worker->site, name, &flow);
	json_t *request = json_pack("{s:I}", "number", (json_int_t)steward_number(one, "number"));

	FAULT("steward.judging");
	if (!e) {
		json_object_set_new(request, "reason", json_string("no flow expects it any more"));
		return change(worker, "expect.close", request, error);
	}
	json_object_set_new(request, "about", about_new(flow, e, one));
	if (change(worker, "expect.judge", request, error))
		return -1;
	log_warn("steward", SPAN_NONE, "missed expectation=%s of=\"%s\"", name, steward_text(one, "label"));
	FAULT("steward.judged");
	return 0;
}

/* ---- events */
static struct message *event_new(const struct site *site, const json_t *event)
{
	struct message *message = message_new();
	const char *id = steward_text(event, "id"), *key = steward_text(event, "key");
	char source[120];

	id_parse(&message->id, span_of(id));
	snprintf(source, sizeof source, "/%.80s" EVENT_SOURCE, site->name);
	message_set(message, &message->source, span_of(source));
	message_set(message, &message->type, span_of(steward_text(event, "topic")));
	message_set(message, &message->subject, span_of(steward_text(event, "subject")));
	message_set(message, &message->correlationid, span_of(id));
	message_set(message, &message->revision, span_of(site->revision));
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	message->time_ms = steward_number(event, "at_ms");
	message->accepted_ms = clock_now_ms();
	message->expires_ms = site->queue_lifetime_ms && site->queue_lifetime_ms < INT64_MAX - message->accepted_ms
				      ? message->accepted_ms + site->queue_lifetime_ms
				      : 0;
	if (*key)
		message_key(message, SPAN_LITERAL(".key"), span_of(key), NULL);
	message_body_take(message, reader_new_copy(span_of(steward_text(event, "body"))));
	message_body_sign(message, NULL);
	return message;
}

/* Told is told: in the queues of a broker that no backup copies it would be lost by a restore. */
static void keep(struct worker *worker, struct unit *unit, const char *topic, const struct message *message)
{
	const struct topology *topology = worker->topology;

	for (size_t i = 0; !worker->site->broker->shares_db && i < topology->count; i++)
		for (size_t k = 0; k < topology->queues[i].topics_count; k++)
			if (!strcmp(topology->queues[i].topics[k], topic)) {
				receive_keep(unit, topology->queues[i].name, message);
				break;
			}
}

static int put(struct worker *worker, struct unit *unit, const json_t *event, struct error *error)
{
	const char *topic = steward_text(event, "topic");
	struct message *message = event_new(worker->site, event);
	struct record record = {.message = message, .stage = "published", .place = topic};
	int result;

	while ((result = unit_publish(unit, topic, NULL, true, message, error)) == 1) {
		board_tick(worker->slot);
		if (queue_wait(worker->queue, WINDOW_WAIT_MS, error))
			break;
	}
	result = result ? -1 : unit_record(unit, &record);
	if (!result) {
		keep(worker, unit, topic, message);
		unit_change(unit, "event.told",
			    json_pack("{s:I}", "number", (json_int_t)steward_number(event, "number")));
	}
	message_free(message);
	return result;
}

static int publish(struct worker *worker, const json_t *events, struct error *error)
{
	struct unit *unit;
	const json_t *event;
	size_t i;

	if (!json_array_size(events))
		return 0;
	unit = unit_new(worker->queue);
	json_array_foreach(events, i, event)
		if (put(worker, unit, event, error)) {
			unit_free(unit);
			return -1;
		}
	FAULT("steward.telling");
	if (unit_commit_within(unit, STEWARD_COMMIT_MS, error))
		return -1;
	FAULT("steward.told");
	return 0;
}

/* ---- a round */
int steward_expect(struct worker *worker, bool *more, int64_t *next, bool *elsewhere, struct error *error)
{
	json_t *request = json_pack("{s:o}", "days", day_names(worker->site)), *answer = NULL, *one;
	int result = queue_ask(worker->queue, "expect.due", request, &answer, STEWARD_ASK_MS, error);
	size_t i;

	json_decref(request);
	if (result)
		return -1;
	if (json_is_integer(json_object_get(answer, "next_ms")) && steward_number(answer, "next_ms") < *next)
		*next = steward_number(answer, "next_ms");
	*elsewhere = json_is_true(json_object_get(answer, "elsewhere"));
	if (!*elsewhere) {
		result = publish(worker, json_object_get(answer, "events"), error) ||
			 all_days(worker, answer, next, error);
		json_array_foreach(json_object_get(answer, "due"), i, one)
			result = result || judge(worker, one, error);
		*more = *more || json_array_size(json_object_get(answer, "events")) ||
			json_array_size(json_object_get(answer, "due"));
	}
	json_decref(answer);
	return result ? -1 : 0;
}
