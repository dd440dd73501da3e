/* Events of Ferrule's own on their way to their topics. See store.h. */
#include "config.h"
#include "operations/store.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/utf8.h"
#include "operations/store_private.h"

void store_events_wanted(struct store *store, store_wanted_fn *wanted, void *arg)
{
	store->wanted = wanted;
	store->wanted_arg = arg;
}

bool store_event_wanted(const struct store *store, const char *topic)
{
	return !store->wanted || store->wanted(store->wanted_arg, topic);
}

int store_event_put(struct store *store, const struct store_event *event, bool *put, struct error *error)
{
	struct value values[] = {STORE_ID(&event->id),      STORE_TEXT(event->topic),   STORE_TEXT(event->subject),
				 VALUE_OF_TEXT(event->key), VALUE_OF_TEXT(event->body), VALUE_OF_INT(event->at)};
	int64_t changed;

	if (!store_event_wanted(store, event->topic))
		return 0;
	if (db_change(store->db,
		      "INSERT INTO events (id, topic, subject, key, body, at_ms) VALUES ($1, $2, $3, $4, $5, $6)"
		      " ON CONFLICT DO NOTHING",
		      values, STORE_COUNT(values), &changed, error))
		return -1;
	FAULT("event.put");
	*put = *put || changed > 0;
	return 0;
}

struct events_call {
	int (*each)(void *, const struct store_event *);
	void *arg;
};

static int give_event(void *arg, const struct value *row, size_t columns)
{
	struct events_call *call = arg;
	char *topic = mem_span_dup(row[2].bytes), *subject = mem_span_dup(row[3].bytes);
	struct store_event event = {.number = row[0].number,
				    .topic = topic,
				    .subject = subject,
				    .key = row[4].bytes,
				    .body = row[5].bytes,
				    .at = row[6].number};
	int stop = 0;

	if (row[1].bytes.len == sizeof event.id) {
		memcpy(&event.id, row[1].bytes.data, sizeof event.id);
		stop = call->each(call->arg, &event);
	}
	free(topic);
	free(subject);
	return stop;
}

int store_event_each(struct store *store, unsigned limit, int (*each)(void *, const struct store_event *), void *arg,
		     struct error *error)
{
	struct value value = VALUE_OF_INT(limit);
	struct events_call call = {each, arg};

	return db_run(store->db,
		      "SELECT number, id, topic, subject, key, body, at_ms FROM events ORDER BY number LIMIT $1",
		      &value, 1, give_event, &call, error);
}

static int take_any(void *arg, const struct value *row, size_t columns)
{
	*(bool *)arg = true;
	return 1;
}

int store_events_wait(struct store *store, bool *any, struct error *error)
{
	*any = false;
	return db_run(store->db, "SELECT number FROM events LIMIT 1", NULL, 0, take_any, any, error);
}

int store_event_gone(struct store *store, int64_t number, struct error *error)
{
	struct value value = VALUE_OF_INT(number);

	return db_run(store->db, "DELETE FROM events WHERE number = $1", &value, 1, NULL, NULL, error);
}

/* ---- letters and doubts */
static int take_state(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

static void put_text(json_t *object, const char *name, struct span text)
{
	struct buf clean;

	buf_init(&clean, SIZE_MAX / 2);
	utf8_clean(&clean, text);
	json_object_set_new(object, name, json_stringn(clean.data ? clean.data : "", clean.len));
	buf_free(&clean);
}

static json_t *body_new(const struct message *message, const char *owner, const char *runbook)
{
	json_t *body = json_object(), *keys = json_array();
	char id[ID_TEXT];

	id_hex(&message->id, id);
	json_object_set_new(body, "message", json_string(id));
	put_text(body, "flow", message->flow);
	put_text(body, "document", message->origin.name);
	put_text(body, "owner", span_of(owner));
	put_text(body, "runbook", span_of(runbook));
	for (size_t i = 0; i < message->keys_count; i++) {
		json_t *holder = json_object();

		put_text(holder, "value", message->keys[i].value);
		json_array_append(keys, json_object_get(holder, "value"));
		json_decref(holder);
	}
	json_object_set_new(body, "keys", keys);
	return body;
}

/* "in.orders/collect": the flow whose steps refused it, not the one that sent it. */
static void put_flow(json_t *body, struct span queue)
{
	size_t n = 3;

	if (queue.len <= 3 || memcmp(queue.data, "in.", 3) != 0)
		return;
	while (n < queue.len && queue.data[n] != '/')
		n++;
	put_text(body, "flow", span_make(queue.data + 3, n - 3));
}

/* Takes the body. What tells it apart from the next time is the time: it is told only when it was not so before. */
static int put_about(struct store *store, const char *topic, const char *subject, const struct id *of,
		     const struct message *message, int64_t now, json_t *body, bool *put, struct error *error)
{
	char time[CLOCK_TEXT];
	struct span parts[] = {span_of(topic), span_of(subject), id_span(of), span_of(time)};
	struct store_event event = {.topic = topic, .subject = subject, .at = now};
	char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	int result;

	clock_format(now, time);
	parts[3] = span_of(time);
	event.id = id_of(parts, 4);
	event.key = message->keys_count ? message->keys[0].value : SPAN_NONE;
	event.body = span_of(text ? text : "{}");
	result = store_event_put(store, &event, put, error);
	free(text);
	json_decref(body);
	return result;
}

int store_event_dead(struct store *store, const struct dead *dead, const char *owner, const char *runbook, int64_t now,
		     bool *put, struct error *error)
{
	struct value values[] = {STORE_ID(&dead->message->id), VALUE_OF_TEXT(dead->path), STORE_TEXT(dead->step)};
	struct id of = id_of((struct span[]){id_span(&dead->message->id), dead->path}, 2);
	int64_t state = -1;
	json_t *body;

	if (!store_event_wanted(store, EVENT_DEAD))
		return 0;
	if (db_run(store->db, "SELECT state FROM dead WHERE id = $1 AND path = $2 AND step = $3", values, 3, take_state,
		   &state, error))
		return -1;
	if (state == DEAD_OPEN)
		return 0;
	body = body_new(dead->message, owner, runbook);
	put_flow(body, span_of(dead->queue));
	put_text(body, "step", span_of(dead->step));
	put_text(body, "queue", span_of(dead->queue));
	put_text(body, "code", span_of(dead->why->code));
	put_text(body, "reason", span_of(dead->why->text));
	put_text(body, "position", dead->position);
	json_object_set_new(body, "next", json_sprintf("ferrule dead list --cause %s", dead->why->code));
	return put_about(store, EVENT_DEAD, dead->step, &of, dead->message, now, body, put, error);
}

int store_event_doubt(struct store *store, const struct id *key, const struct message *message, const char *endpoint,
		      const char *owner, const char *runbook, int64_t now, bool *put, struct error *error)
{
	struct value value = STORE_ID(key);
	int64_t state = -1;
	char hex[ID_TEXT];
	json_t *body;

	if (!store_event_wanted(store, EVENT_DOUBT))
		return 0;
	if (db_run(store->db, "SELECT state FROM effects WHERE key = $1", &value, 1, take_state, &state, error))
		return -1;
	if (state == EFFECT_DOUBT || state == EFFECT_DONE)
		return 0;
	id_hex(key, hex);
	body = body_new(message, owner, runbook);
	put_text(body, "endpoint", span_of(endpoint));
	json_object_set_new(body, "effect", json_string(hex));
	json_object_set_new(body, "next", json_sprintf("ferrule doubt show %.12s", hex));
	return put_about(store, EVENT_DOUBT, endpoint, key, message, now, body, put, error);
}
