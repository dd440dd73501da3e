/* Events of Ferrule's own: what dies or is in doubt is told in the transaction that says so; a paused endpoint and a
 * full disk, which no transaction knows of, a moment after they are noticed. The steward publishes them. What comes of
 * such an event never makes another, or an alert that cannot be delivered would tell of itself for ever. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/queue/inner.h"

#define PAUSED_MS 10000 /* an endpoint that is back by then is not worth a word */

static bool of_an_event(const struct message *message)
{
	return span_ends(message->source, EVENT_SOURCE);
}

/* ---- in a transaction */
int event_dead(struct engine *engine, struct work *work, const struct dead *dead, struct error *error)
{
	const struct lane *lane = lane_find(engine, span_of(dead->queue));

	if (of_an_event(dead->message))
		return 0;
	return store_event_dead(engine->store, dead, lane && lane->spec ? lane->spec->owner : "",
				lane && lane->spec ? lane->spec->runbook : "", clock_now_ms(), &work->held_due, error);
}

static const struct topology_queue *queue_of(const struct engine *engine, const char *endpoint)
{
	for (size_t i = 0; i < engine->topology->count; i++)
		if (engine->topology->queues[i].kind == QUEUE_OUT &&
		    !strcmp(engine->topology->queues[i].endpoint, endpoint))
			return &engine->topology->queues[i];
	return NULL;
}

int event_doubt(struct engine *engine, struct work *work, const struct id *key, const struct message *message,
		const char *endpoint, struct error *error)
{
	const struct topology_queue *queue = queue_of(engine, endpoint);

	if (of_an_event(message))
		return 0;
	return store_event_doubt(engine->store, key, message, endpoint, queue ? queue->owner : "",
				 queue ? queue->runbook : "", clock_now_ms(), &work->held_due, error);
}

/* ---- by looking */
static int put_alone(struct engine *engine, const struct store_event *event)
{
	struct db *db = &engine->db;
	struct error error = {0};
	bool put = false;

	if (!store_event_wanted(engine->store, event->topic))
		return 0;
	if (db->ops->begin(db->self, &error))
		goto failed;
	if (store_event_put(engine->store, event, &put, &error)) {
		db->ops->rollback(db->self);
		goto failed;
	}
	if (db->ops->commit(db->self, &error))
		goto failed;
	if (put)
		sessions_steward(engine);
	return 0;
failed:
	log_warn("queue", SPAN_NONE, "an event waits to be told topic=%s error=\"%s\"", event->topic, error.text);
	if (!db->ops->alive(db->self))
		engine_store_failed(engine, &error);
	return -1;
}

/* Takes the body. */
static int tell(struct engine *engine, const char *topic, const char *subject, int64_t since, json_t *body)
{
	char time[CLOCK_TEXT];
	struct span parts[] = {span_of(topic), span_of(subject), SPAN_NONE};
	struct store_event event = {.topic = topic, .subject = subject, .at = clock_now_ms()};
	char *text;
	int result;

	clock_format(since, time);
	json_object_set_new(body, "since", json_string(time));
	if (*engine->machine)
		json_object_set_new(body, "machine", json_string(engine->machine));
	parts[2] = span_of(time);
	event.id = id_of(parts, 3);
	text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	event.body = span_of(text ? text : "{}");
	result = put_alone(engine, &event);
	free(text);
	json_decref(body);
	return result;
}

static bool is_paused(const json_t *state)
{
	const char *word = json_string_value(json_object_get(state, "state"));

	return word && (!strcmp(word, "paused") || !strcmp(word, "failing"));
}

/* What sessions say of an endpoint; one that is paused for somebody is paused. */
static const json_t *state_of(const struct engine *engine, const char *name)
{
	const json_t *found = NULL;

	for (const struct session *s = engine->sessions; s; s = s->next) {
		const json_t *state = json_object_get(s->states, name);

		if (state && (!found || is_paused(state)))
			found = state;
	}
	return found;
}

/* A source says whose it is; of a sink its queue knows. */
static json_t *endpoint_body(const struct engine *engine, const char *name, const json_t *state)
{
	static const char *const fields[] = {"flow", "owner", "runbook"};
	const struct topology_queue *queue = queue_of(engine, name);
	json_t *body = json_pack("{s:s s:s s:s s:s s:s}", "endpoint", name, "flow", queue ? queue->flow : "", "system",
				 queue ? queue->system : "", "owner", queue ? queue->owner : "", "runbook",
				 queue ? queue->runbook : "");

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (json_is_string(json_object_get(state, fields[i])))
			json_object_set(body, fields[i], json_object_get(state, fields[i]));
	return body;
}

/* A source cannot be asked, a sink is paused: what the body of the event says, and its title. */
static void say_what(json_t *body, const char *name, const json_t *state, bool over)
{
	const char *word = json_string_value(json_object_get(state, "state"));
	const char *flow = json_string_value(json_object_get(body, "flow"));

	if (word && !strcmp(word, "failing"))
		json_object_set_new(body, "what",
				    json_sprintf("source %s of flow %s %s", name, flow ? flow : "",
						 over ? "can be asked again" : "cannot be asked"));
	else
		json_object_set_new(body, "what",
				    json_sprintf("endpoint %s %s", name, over ? "works again" : "is paused"));
}

static void paused(struct engine *engine, const char *name, const json_t *state)
{
	int64_t since = json_integer_value(json_object_get(state, "since"));
	json_t *body, *told;

	if (strchr(name, '/') || json_object_get(engine->told_paused, name) || clock_now_ms() - since < PAUSED_MS)
		return;
	body = endpoint_body(engine, name, state);
	told = json_copy(body);
	json_object_set(told, "state", json_object_get(state, "state"));
	say_what(body, name, state, false);
	json_object_set(body, "error", json_object_get(state, "error"));
	json_object_set(body, "code", json_object_get(state, "code"));
	json_object_set_new(body, "next", json_string("ferrule status --problems"));
	json_object_set_new(told, "told_since", json_integer(since));
	if (!tell(engine, "ferrule.endpoint-paused.v1", name, since, body))
		json_object_set(engine->told_paused, name, told);
	json_decref(told);
}

static void look_at_endpoints(struct engine *engine)
{
	const char *name;
	json_t *state;
	void *next;

	for (const struct session *s = engine->sessions; s; s = s->next)
		json_object_foreach(s->states, name, state)
			if (is_paused(state))
				paused(engine, name, state);
	json_object_foreach_safe(engine->told_paused, next, name, state) {
		const json_t *now = state_of(engine, name);
		json_t *body;

		if (!now || is_paused(now)) /* its worker may have ended: then nobody knows */
			continue;
		body = endpoint_body(engine, name, state);
		say_what(body, name, state, true);
		if (!tell(engine, "ferrule.endpoint-resumed.v1", name,
			  json_integer_value(json_object_get(state, "told_since")), body))
			json_object_del(engine->told_paused, name);
	}
}

static void look_at_disk(struct engine *engine)
{
	const char *topic = engine->accepting ? "ferrule.disk-recovered.v1" : "ferrule.disk-low.v1";
	int64_t since = engine->accepting ? engine->told_disk : engine->reserve_since_ms;

	if (engine->accepting == !engine->told_disk)
		return;
	if (!tell(engine, topic, engine->site, since,
		  json_pack("{s:s s:s}", "path", engine->db_path ? engine->db_path : "", "next",
			    "make room on that file system, or add some: it goes on by itself")))
		engine->told_disk = engine->accepting ? 0 : since;
}

/* Every second. */
void events_look(struct engine *engine)
{
	if (engine->in_transaction)
		return;
	if (!engine->told_paused)
		engine->told_paused = json_object();
	look_at_endpoints(engine);
	if (engine->db_open)
		look_at_disk(engine);
}
