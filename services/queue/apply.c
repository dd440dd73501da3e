/* The store's part of a unit: each frame becomes a write in the open transaction. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "services/queue/inner.h"

static int unreadable(struct error *error, const char *what)
{
	return error_set(error, ERROR_REJECT, "queue.frame", "a %s in a unit cannot be read", what);
}

static void change_key(struct work *work, struct key_change change)
{
	work->changes = mem_grow(work->changes, &work->changes_room, work->changes_count + 1, sizeof *work->changes);
	work->changes[work->changes_count++] = change;
}

/* Workers record what they do; what the engine decides has nobody else to tell of it. */
void note(struct work *work, const struct message *message, const char *stage, const char *place, struct span detail)
{
	struct record record = {
		.message = message, .stage = stage, .place = place, .attempt = message->attempt, .detail = detail};
	size_t before = work->records.len;

	record_encode(&work->records, &record, clock_now_ms());
	if (work->records.full) { /* the dead letters themselves are in the store */
		work->records.full = false;
		work->records.len = before;
	}
}

static void note_dead(struct work *work, const struct dead *dead)
{
	char detail[128], *place = mem_span_dup(dead->message->flow);

	snprintf(detail, sizeof detail, "{\"step\":\"%.30s\",\"code\":\"%.39s\"}", dead->step, dead->why->code);
	note(work, dead->message, "dead", place, span_of(detail));
	free(place);
}

void records_publish(struct engine *engine, struct work *work)
{
	struct span bytes = buf_view(&work->records);
	struct message *message;
	struct buf envelope, payload;
	struct work *own;

	if (!bytes.len)
		return;
	message = message_new();
	message->id = id_digest(bytes);
	message->type = SPAN_LITERAL("ferrule.records.v1");
	message->body_size = bytes.len;
	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	buf_init(&payload, WIRE_FRAME_MAX);
	if (message_encode(message, &envelope, NULL) == 0) {
		buf_u32(&payload, 0);
		buf_u8(&payload, WIRE_PUBLISH_QUEUE | WIRE_PUBLISH_OPTIONAL);
		buf_field(&payload, span_of(QUEUE_RECORDS));
		buf_span(&payload, id_span(&message->id));
		buf_field(&payload, buf_view(&envelope));
		buf_field(&payload, bytes);
		own = work_new(engine, NULL, 0, WORK_OWN);
		work_published(engine, own, buf_view(&payload));
		work_commit(engine, own);
	}
	message_free(message);
	buf_free(&envelope);
	buf_free(&payload);
}

int put_dead(struct engine *engine, struct work *work, const struct dead *dead, struct span envelope,
		    struct span body, struct error *error)
{
	struct lane *lane = lane_find(engine, span_of(dead->queue));
	uint64_t key;

	if (event_dead(engine, work, dead, error) ||
	    store_dead_put(engine->store, dead, envelope, body, clock_now_ms(), error))
		return -1;
	FAULT("queue.dead");
	engine->counters.dead++;
	if (!lane || lane->spec->order != ORDER_HOLD)
		return 0;
	key = message_order_find(dead->message, span_of(lane->spec->flow));
	if (key)
		change_key(work, (struct key_change){.lane = lane, .key = key, .held = true});
	return 0;
}

static int apply_dead(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	struct span queue, step, envelope, body;
	char *queue_name = NULL, *step_name = NULL;
	struct message *message = NULL;
	struct dead dead = {0};
	struct error why;
	uint32_t unit;
	int result = -1;

	if (!take_u32(&in, &unit) || !wire_take_error(&in, &why) || !take_field(&in, &queue) ||
	    !take_field(&in, &step) || !take_field(&in, &dead.path) || !take_field(&in, &dead.position) ||
	    !take_field(&in, &dead.content) || !take_field(&in, &envelope) || !take_field(&in, &body) ||
	    body.len > MESSAGE_INLINE_MAX)
		return unreadable(error, "dead letter");
	message = message_decode_new(envelope, error);
	if (!message)
		return -1;
	dead.message = message;
	dead.queue = queue_name = mem_span_dup(queue);
	dead.step = step_name = mem_span_dup(step);
	dead.why = &why;
	result = put_dead(engine, work, &dead, envelope, body, error);
	if (result == 0 && work->kind == WORK_OWN) {
		note_dead(work, &dead);
		result = held_tell_dead(engine, work, &dead, error);
	}
	free(queue_name);
	free(step_name);
	message_free(message);
	return result;
}

/* A publish that no queue took: a dead letter whose replay publishes to the topic again. */
static int apply_unroutable(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	struct span target, id, envelope, body;
	struct dead dead = {.step = "publish"};
	struct message *message;
	struct error why;
	char *queue;
	uint32_t unit;
	uint8_t flags;
	int result;

	if (!take_u32(&in, &unit) || !take_u8(&in, &flags) || !take_field(&in, &target) || !take_bytes(&in, 32, &id) ||
	    !take_field(&in, &envelope) || !take_field(&in, &body))
		return unreadable(error, "publish");
	message = message_decode_new(envelope, error);
	if (!message)
		return -1;
	if (flags & WIRE_PUBLISH_QUEUE)
		error_set(&why, ERROR_REJECT, "publish.unroutable",
			  "there is no queue %.*s (any more): name it in a flow, then replay", SPAN_ARGS(target));
	else
		error_set(&why, ERROR_REJECT, "publish.unroutable",
			  "no flow subscribes to %.*s: add `subscribe: %.*s` to a flow, then replay", SPAN_ARGS(target),
			  SPAN_ARGS(target));
	queue = flags & WIRE_PUBLISH_QUEUE ? mem_span_dup(target)
					   : mem_printf("%s%.*s", WIRE_TOPIC_PREFIX, SPAN_ARGS(target));
	dead.message = message;
	dead.queue = queue;
	dead.why = &why;
	result = put_dead(engine, work, &dead, envelope, body, error);
	if (result == 0)
		note_dead(work, &dead);
	free(queue);
	message_free(message);
	return result;
}

/* A message whose envelope cannot be read: kept as the body of a dead letter of our own making. */
static int apply_damaged(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	struct message *message;
	struct span queue, bytes;
	struct dead dead = {.step = "queue"};
	struct error why;
	struct buf envelope;
	char *name;
	int result;

	if (!take_field(&in, &queue) || !take_field(&in, &bytes) || !wire_take_error(&in, &why))
		return unreadable(error, "message");
	message = message_new();
	message->id = id_digest(bytes);
	message->type = SPAN_LITERAL("ferrule.unreadable");
	message_body_take(message, reader_new_copy(bytes));
	dead.message = message;
	dead.queue = name = mem_span_dup(queue);
	dead.why = &why;
	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	result = message_encode(message, &envelope, error);
	if (result == 0)
		result = put_dead(engine, work, &dead, buf_view(&envelope), bytes, error);
	buf_free(&envelope);
	free(name);
	message_free(message);
	return result;
}

static int apply_park(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	struct store_park park = {0};
	struct span queue;
	struct lane *lane;
	struct error why;
	uint64_t due;
	char *name;
	int result;

	if (!take_field(&in, &queue) || !take_field(&in, &park.message_id) || !take_field(&in, &park.envelope) ||
	    !take_field(&in, &park.body) || !take_u64(&in, &due) || !take_u64(&in, &park.order_key) ||
	    !wire_take_error(&in, &why))
		return unreadable(error, "park");
	park.due = (int64_t)due;
	park.why = why.class ? &why : NULL;
	park.queue = name = mem_span_dup(queue);
	result = store_park_put(engine->store, &park, clock_now_ms(), error);
	free(name);
	if (result)
		return -1;
	FAULT("queue.parked");
	engine->counters.parked++;
	lane = lane_find(engine, queue);
	if (lane && park.order_key && !work->joined)
		change_key(work, (struct key_change){.lane = lane, .key = park.order_key, .parks = 1});
	if (park.due < work->park_due)
		work->park_due = park.due;
	return 0;
}

static int apply_seen(struct engine *engine, struct span in, struct error *error)
{
	struct id source, message;
	uint32_t unit;
	uint64_t keep;

	if (!take_u32(&in, &unit) || !wire_take_id(&in, &source) || !wire_take_id(&in, &message) ||
	    !take_u64(&in, &keep))
		return unreadable(error, "source identity");
	return store_seen_put(engine->store, &source, &message, (int64_t)keep, clock_now_ms(), error);
}

static int apply_effect(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	struct span endpoint, envelope, body, receipt;
	struct message *message = NULL;
	struct id key;
	uint32_t unit;
	uint8_t outcome;
	char *name;
	int result;

	if (!take_u32(&in, &unit) || !wire_take_id(&in, &key) || !take_u8(&in, &outcome) || outcome > OUTCOME_UNCLEAR ||
	    !take_field(&in, &endpoint) || !take_field(&in, &envelope) || !take_field(&in, &body) ||
	    !take_field(&in, &receipt))
		return unreadable(error, "receipt");
	if (envelope.len) {
		message = message_decode_new(envelope, error);
		if (!message)
			return -1;
	}
	name = mem_span_dup(endpoint);
	result = outcome == OUTCOME_DOUBT && message ? event_doubt(engine, work, &key, message, name, error) : 0;
	if (!result)
		result = store_effect(engine->store, &key, (enum outcome)outcome, message, name, envelope, body,
				      receipt, clock_now_ms(), error);
	free(name);
	message_free(message);
	FAULT("queue.effect");
	return result;
}

static void holds_changed(void *arg)
{
	struct engine *engine = arg;

	if (engine->current)
		engine->current->holds_changed = true;
}

static void parks_changed(void *arg)
{
	struct engine *engine = arg;

	if (engine->current)
		engine->current->parks_changed = true;
}

static void held_changed(void *arg)
{
	struct engine *engine = arg;

	if (engine->current)
		engine->current->held_due = true;
}

static int apply_change(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	struct span name, text;
	json_t *request;
	json_error_t json;
	uint32_t unit;
	char *word;
	int result;

	if (!take_u32(&in, &unit) || !take_field(&in, &name) || !take_field(&in, &text))
		return unreadable(error, "change");
	request = json_loadb(text.data ? text.data : "", text.len, 0, &json);
	if (!request)
		return unreadable(error, "change");
	word = mem_span_dup(name);
	engine->current = work;
	engine->ask.now = clock_now_ms();
	engine->ask.holds_changed = holds_changed;
	engine->ask.parks_changed = parks_changed;
	engine->ask.held_changed = held_changed;
	result = strcmp(word, "fence-source") ? ask_change(&engine->ask, word, request, error)
					      : sources_fence(engine, request, error);
	engine->current = NULL;
	free(word);
	json_decref(request);
	return result;
}

static int apply_publish(struct engine *engine, struct work *work, struct span payload, struct error *error)
{
	struct sent sent = {.work = work};

	if (publish_payload(engine, (uint64_t)(uintptr_t)&sent, payload, error))
		return -1;
	return sent.returned ? apply_unroutable(engine, work, payload, error) : 0;
}

/* A commit of which nobody knows is done again: what has gone already is not counted twice. */
static int park_gone(struct engine *engine, struct work *work, int64_t row, struct lane *lane, uint64_t key,
		     struct error *error)
{
	bool gone;

	if (store_park_delete(engine->store, row, &gone, error))
		return -1;
	if (lane && key)
		change_key(work, (struct key_change){.lane = lane, .key = key, .parks = gone ? -1 : 0});
	return 0;
}

static int apply_gone(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	struct span queue;
	uint64_t row, key;

	if (!take_u64(&in, &row) || !take_field(&in, &queue) || !take_u64(&in, &key))
		return unreadable(error, "park");
	return park_gone(engine, work, (int64_t)row, lane_find(engine, queue), key, error);
}

static int apply_intent(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	struct span endpoint;
	struct store_intent intent = {0};
	struct message *message;
	struct id key, digest;
	char session[16], *name;
	uint32_t request;
	int result;

	if (!take_u32(&in, &request) || !wire_take_id(&in, &key) || !wire_take_id(&in, &digest) ||
	    !take_field(&in, &endpoint) || !take_field(&in, &intent.envelope) || !take_field(&in, &intent.body))
		return unreadable(error, "intent");
	if (!work->session)
		return error_set(error, ERROR_RETRY, "session.gone", "the session that intended it has gone");
	message = message_decode_new(intent.envelope, error);
	if (!message)
		return -1;
	name = mem_span_dup(endpoint);
	session_name(work->session, session);
	intent.key = &key;
	intent.request = &digest;
	intent.endpoint = name;
	intent.session = span_make(session, sizeof session);
	intent.message = message;
	intent.now = clock_now_ms();
	result = store_intend(engine->store, &intent, session_alive, engine, &work->intention, error);
	free(name);
	message_free(message);
	engine->counters.intents++;
	return result;
}

static int apply_frame(struct engine *engine, struct work *work, uint8_t type, struct span payload, struct error *error)
{
	switch (type) {
	case FRAME_PUBLISH:
		return apply_publish(engine, work, payload, error);
	case FRAME_DEAD:
		return apply_dead(engine, work, payload, error);
	case FRAME_SEEN:
		return apply_seen(engine, payload, error);
	case FRAME_EFFECT:
		return apply_effect(engine, work, payload, error);
	case FRAME_CHANGE:
		return apply_change(engine, work, payload, error);
	case FRAME_HELD:
		return apply_held(engine, work, payload, error);
	case FRAME_GAP:
		return apply_gap(engine, work, payload, error);
	case FRAME_INTEND:
		return apply_intent(engine, work, payload, error);
	case OWN_PARK_GONE:
		return apply_gone(engine, work, payload, error);
	case OWN_PARK_PUT:
		return apply_park(engine, work, payload, error);
	case OWN_UNROUTABLE:
		return apply_unroutable(engine, work, payload, error);
	case OWN_DAMAGED:
		return apply_damaged(engine, work, payload, error);
	default:
		return unreadable(error, "frame");
	}
}

int frames_apply(struct engine *engine, struct work *work, struct span frames, struct error *error)
{
	struct span payload;
	uint8_t type;

	while (wire_next(&frames, &type, &payload) == 1)
		if (apply_frame(engine, work, type, payload, error))
			return -1;
	return 0;
}

static int settle(struct engine *engine, struct work *work, struct item *item, struct error *error)
{
	if (item->voided)
		return 0;
	if (!item->park)
		return engine->config.broker->settle(engine->broker, item->tag, error);
	return park_gone(engine, work, item->park, item->lane, item->key, error);
}

/* The lock belongs to this connection, as the commit does: what another steward may have done meanwhile is not done
 * here once more. */
static int steward_fence(struct engine *engine, const struct work *work, struct error *error)
{
	if (!work->of_steward || engine->stewards)
		return 0;
	return error_set(error, ERROR_RETRY, "steward.elsewhere",
			 "another machine may have judged what is due meanwhile, so that it is asked for again");
}

int work_apply(struct engine *engine, struct work *work, struct error *error)
{
	work->changes_count = 0;
	work->records.len = work->records_early;
	work->park_due = INT64_MAX;
	work->holds_changed = work->parks_changed = false;
	work->held_due = false;
	if (steward_fence(engine, work, error) || frames_apply(engine, work, buf_view(&work->early), error))
		return -1;
	FAULT("queue.published");
	if (frames_apply(engine, work, buf_view(&work->writes), error))
		return -1;
	FAULT("queue.stored");
	for (size_t i = 0; i < work->items_count; i++)
		if (settle(engine, work, work->items[i], error))
			return -1;
	FAULT("queue.settling");
	return 0;
}
