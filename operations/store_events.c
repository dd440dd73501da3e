/* Events of Ferrule's own on their way to their topics. See store.h. */
#include "config.h"
#include "operations/store.h"

#include <stdlib.h>

#include "base/fault.h"
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
