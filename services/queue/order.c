/* Order keys and parks. While a key has a message in flight, a park, or an open dead letter that holds it, nothing
 * later of that key is handed out: it waits, or is parked behind. Parks of an ordered queue are delivered from their
 * row, in the place they had; those of other queues are published to their queue again when due. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/queue/inner.h"
#include "services/refusal.h"

#define LOOK_AGAIN_MS 60000

/* ---- slots */
struct slot *slot_find(struct lane *lane, uint64_t key, bool make)
{
	struct slot **at, *slot;

	if (!lane->slots) {
		if (!make)
			return NULL;
		lane->slots = mem_alloc(KEY_BUCKETS * sizeof(struct slot *));
	}
	at = &lane->slots[key % KEY_BUCKETS];
	while (*at && (*at)->key != key) {
		slot = *at;
		if (!slot->busy && slot->parks <= 0 && !slot->held && !slot->parks_read && !slot->held_read &&
		    slot->passed_over != lane->scan) { /* swept on the way */
			*at = slot->next;
			free(slot);
		} else {
			at = &slot->next;
		}
	}
	if (*at || !make)
		return *at;
	slot = mem_alloc(sizeof *slot);
	slot->key = key;
	*at = slot;
	return slot;
}

void slots_free(struct lane *lane)
{
	for (size_t i = 0; lane->slots && i < KEY_BUCKETS; i++)
		while (lane->slots[i]) {
			struct slot *slot = lane->slots[i];

			lane->slots[i] = slot->next;
			free(slot);
		}
	free(lane->slots);
	lane->slots = NULL;
}

void order_apply(struct engine *engine, const struct key_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct slot *slot = slot_find(changes[i].lane, changes[i].key, true);

		slot->parks += changes[i].parks;
		if (changes[i].held)
			slot->held = true;
	}
}

static int on_key(void *arg, const char *queue, uint64_t key, uint64_t count)
{
	struct lane *lane = lane_find(arg, span_of(queue));

	if (lane && lane->spec->order != ORDER_NONE)
		slot_find(lane, key, true)->parks_read = (int64_t)count;
	return 0;
}

static int on_held(void *arg, const char *queue, uint64_t key)
{
	struct lane *lane = lane_find(arg, span_of(queue));

	if (lane && lane->spec->order == ORDER_HOLD)
		slot_find(lane, key, true)->held_read = true;
	return 0;
}

static void slots_read(struct engine *engine, bool keep)
{
	for (size_t i = 0; i < engine->topology->count; i++) {
		struct lane *lane = engine->lanes[i];

		for (size_t b = 0; lane->slots && b < KEY_BUCKETS; b++)
			for (struct slot *slot = lane->slots[b]; slot; slot = slot->next) {
				if (keep) {
					slot->parks = slot->parks_read;
					slot->held = slot->held_read;
				}
				slot->parks_read = 0;
				slot->held_read = false;
			}
	}
}

/* What the store knows of order keys. When it does not answer, what was known stays: messages are still handed out. */
int order_load(struct engine *engine, struct error *error)
{
	bool good = store_park_keys(engine->store, on_key, engine, error) == 0 &&
		    store_dead_holds(engine->store, on_held, engine, error) == 0;

	slots_read(engine, good);
	if (!good)
		return -1;
	/* those that are on their way there were counted when they joined */
	for (struct work *work = engine->works; work; work = work->all_next)
		if (work->joined && !work->committed)
			slot_find(work->joined, work->joined_key, true)->parks++;
	return 0;
}

/* ---- works of the engine's own */
static void own_done(struct engine *engine, struct work *work, const struct error *error)
{
	if (error)
		log_warn("queue", SPAN_NONE, "own unit failed code=%s error=\"%s\"", error->code, error->text);
}

static struct work *own_work(struct engine *engine)
{
	struct work *work = work_new(engine, NULL, 0, WORK_OWN);

	work->done = own_done;
	return work;
}

struct put {
	const char *queue;
	int64_t due;
	uint64_t key;
	struct span id, envelope, body;
	const struct error *why;
};

static void put_park(struct work *work, const struct put *put)
{
	struct buf payload;

	buf_init(&payload, WIRE_FRAME_MAX);
	buf_field(&payload, span_of(put->queue));
	buf_field(&payload, put->id);
	buf_field(&payload, put->envelope);
	buf_field(&payload, put->body);
	buf_u64(&payload, (uint64_t)put->due);
	buf_u64(&payload, put->key);
	wire_put_error(&payload, put->why);
	work_add(work, &work->writes, OWN_PARK_PUT, buf_view(&payload));
	buf_free(&payload);
}

static void gone_park(struct work *work, const struct store_park *park)
{
	struct buf payload;

	buf_init(&payload, WIRE_FRAME_MAX);
	buf_u64(&payload, (uint64_t)park->number);
	buf_field(&payload, span_of(park->queue));
	buf_u64(&payload, park->order_key);
	work_add(work, &work->writes, OWN_PARK_GONE, buf_view(&payload));
	buf_free(&payload);
}

static void joined(struct engine *engine, struct work *work, const struct error *error)
{
	own_done(engine, work, error);
	if (error)
		order_apply(engine, &(struct key_change){.lane = work->joined, .key = work->joined_key, .parks = -1},
			    1);
}

void order_join(struct engine *engine, struct item *item, bool held)
{
	struct work *work = own_work(engine);

	put_park(work, &(struct put){.queue = item->lane->name,
				     .due = held ? INT64_MAX : clock_now_ms(),
				     .key = item->key,
				     .id = id_span(&item->id),
				     .envelope = item_envelope(item),
				     .body = item_body(item)});
	work->done = joined;
	/* told at once: what comes next of this key must join too, even if the earlier park goes in the same group */
	order_apply(engine, &(struct key_change){.lane = item->lane, .key = item->key, .parks = 1}, 1);
	work->joined = item->lane;
	work->joined_key = item->key;
	work_takes(work, item);
	work_commit(engine, work);
}

/* ---- parks that are due */
struct due {
	struct engine *engine;
	struct work *publish; /* all those of unordered queues */
	size_t count;
};

static bool in_hand(struct lane *lane, const struct slot *slot, int64_t row)
{
	if (slot && slot->busy && slot->busy->park == row)
		return true;
	for (const struct item *item = lane->first; item; item = item->next)
		if (item->park == row)
			return true;
	return false;
}

/* Of an ordered queue: handed out from its row, which goes when its unit is committed. */
static void due_ordered(struct engine *engine, struct lane *lane, const struct store_park *park)
{
	struct slot *slot = slot_find(lane, park->order_key, true);
	struct error error;
	struct item *item;

	if (in_hand(lane, slot, park->number))
		return;
	if (slot->held) { /* back to its place, until the key is released */
		struct work *work = own_work(engine);

		error_set(&error, ERROR_RETRY, "order.held", "an earlier message of the same key is a dead letter");
		gone_park(work, park);
		put_park(work, &(struct put){.queue = lane->name,
					     .due = INT64_MAX,
					     .key = park->order_key,
					     .id = park->message_id,
					     .envelope = park->envelope,
					     .body = park->body,
					     .why = park->why ? park->why : &error});
		work_commit(engine, work);
		return;
	}
	if (slot->busy)
		return;
	item = item_new(lane, 0, park->why != NULL, park->envelope, park->body, &error);
	if (!item)
		return;
	item->park = park->number;
	item->key = park->order_key;
	item_wait(item);
}

static int on_due(void *arg, const struct store_park *park)
{
	struct due *due = arg;
	struct engine *engine = due->engine;
	struct lane *lane = lane_find(engine, span_of(park->queue));
	struct buf payload;

	due->count++;
	if (lane && lane->spec->order != ORDER_NONE && park->order_key) {
		due_ordered(engine, lane, park);
		return 0;
	}
	if (!due->publish)
		due->publish = own_work(engine);
	buf_init(&payload, WIRE_FRAME_MAX);
	buf_u32(&payload, 0);
	buf_u8(&payload, WIRE_PUBLISH_QUEUE);
	buf_field(&payload, span_of(park->queue));
	buf_span(&payload, park->message_id);
	buf_field(&payload, park->envelope);
	buf_field(&payload, park->body);
	work_published(engine, due->publish, buf_view(&payload));
	buf_free(&payload);
	gone_park(due->publish, park);
	return 0;
}

static void published_due(struct engine *engine, struct work *work, const struct error *error)
{
	own_done(engine, work, error);
	engine->parks_running = false;
	FAULT("queue.park-returned");
	if (error) {
		engine->park_due = clock_now_ms() + 1000;
		parks_arm(engine);
	} else {
		parks_due(engine);
	}
}

static size_t park_items(struct engine *engine)
{
	size_t n = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct item *item = engine->buckets[i]; item; item = item->bucket)
			n += item->park != 0;
	return n;
}

void parks_due(void *arg)
{
	struct engine *engine = arg;
	struct due due = {.engine = engine};
	size_t held = park_items(engine);
	struct error error;

	if (engine->parks_running || engine->draining || !engine->db_open || held >= PARK_ITEMS_MAX)
		return;
	if (store_park_due(engine->store, clock_now_ms(), PARKS_AT_ONCE + held, on_due, &due, &error) ||
	    store_park_next(engine->store, &engine->park_due, &error)) {
		engine_store_failed(engine, &error);
		engine->park_due = clock_now_ms() + 1000;
	}
	if (due.publish) {
		due.publish->done = published_due;
		engine->parks_running = true;
		work_commit(engine, due.publish);
	} else {
		/* those that are due and cannot go yet come with the end of what is in flight */
		if (engine->park_due <= clock_now_ms())
			engine->park_due = clock_now_ms() + 1000;
		parks_arm(engine);
	}
	engine_poke(engine);
}

void parks_arm(struct engine *engine)
{
	int64_t wait = engine->park_due == INT64_MAX ? LOOK_AGAIN_MS : engine->park_due - clock_now_ms();

	if (wait > LOOK_AGAIN_MS)
		wait = LOOK_AGAIN_MS;
	loop_cancel(engine->park_timer);
	engine->park_timer = loop_timer(engine->loop, wait > 0 ? wait : 0, LOOK_AGAIN_MS, parks_due, engine);
}

/* ---- suspects: messages that were in hand when a worker died */
struct suspect *suspect_find(struct engine *engine, const struct id *id)
{
	struct suspect *suspect = engine->suspects;

	while (suspect && !id_equal(&suspect->id, id))
		suspect = suspect->next;
	return suspect;
}

void suspect_forget(struct engine *engine, const struct id *id)
{
	for (struct suspect **at = &engine->suspects; *at; at = &(*at)->next)
		if (id_equal(&(*at)->id, id)) {
			struct suspect *suspect = *at;

			*at = suspect->next;
			free(suspect);
			return;
		}
}

/* A letter of the engine's own is told to the flow's on-reject topic as the others are. Where the body lies in the
 * vault, which is not for this process, the content is left out. */
void refusal_say(struct engine *engine, struct work *work, const struct topology_queue *spec, const struct dead *letter)
{
	struct message *message;
	struct buf envelope, payload;
	struct span body;

	if (!spec || !*spec->reject)
		return;
	message = refusal_new(spec->flow, spec->reject, letter);
	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	buf_init(&payload, WIRE_FRAME_MAX);
	if (!message_encode(message, &envelope, NULL) && !reader_view(message->body, &body, NULL)) {
		buf_u32(&payload, 0);
		buf_u8(&payload, WIRE_PUBLISH_OPTIONAL);
		buf_field(&payload, span_of(spec->reject));
		buf_span(&payload, id_span(&message->id));
		buf_field(&payload, buf_view(&envelope));
		buf_field(&payload, body);
		work_published(engine, work, buf_view(&payload));
	}
	buf_free(&envelope);
	buf_free(&payload);
	message_free(message);
}

static void tell_refusal(struct engine *engine, struct work *work, struct item *item, const char *step,
			 const struct error *why)
{
	struct dead letter = {.queue = item->lane->name, .step = step, .content = item_body(item), .why = why};
	struct message *from = message_decode_new(item_envelope(item), NULL);

	if (!from)
		return;
	letter.message = from;
	letter.path = from->path;
	letter.position = from->position;
	refusal_say(engine, work, item->lane->spec, &letter);
	message_free(from);
}

static void bury(struct engine *engine, struct item *item, const char *step, const struct error *why)
{
	struct work *work = own_work(engine);
	struct buf payload;

	buf_init(&payload, WIRE_FRAME_MAX);
	buf_u32(&payload, 0);
	wire_put_error(&payload, why);
	buf_field(&payload, span_of(item->lane->name));
	buf_field(&payload, span_of(step));
	for (int i = 0; i < 3; i++) /* path, position, content */
		buf_field(&payload, SPAN_NONE);
	buf_field(&payload, item_envelope(item));
	buf_field(&payload, item_body(item));
	work_add(work, &work->writes, FRAME_DEAD, buf_view(&payload));
	buf_free(&payload);
	tell_refusal(engine, work, item, step, why);
	work_takes(work, item);
	work_commit(engine, work);
}

void suspect_bury(struct engine *engine, struct suspect *suspect, struct item *item)
{
	struct error why;

	error_set(&why, ERROR_REJECT, "poison", "ended the worker that had it in hand %u times alone: %s",
		  suspect->deaths, suspect->cause);
	item_take(item);
	bury(engine, item, "worker", &why);
	suspect_forget(engine, &item->id);
}

/* What dead workers held need not wait any longer for the supervisor's word. */
static void mark(struct engine *engine, const struct id *id)
{
	for (size_t i = 0; i < engine->topology->count; i++)
		for (struct item *item = engine->lanes[i]->first; item; item = item->next) {
			item->not_before = 0;
			if (id_equal(&item->id, id))
				item->suspect = true;
		}
	for (struct session *s = engine->sessions; s; s = s->next)
		for (struct item *item = s->items; item; item = item->next)
			if (id_equal(&item->id, id))
				item->suspect = true;
}

void suspect_add(struct engine *engine, const struct id *id, struct span cause)
{
	struct suspect *suspect = suspect_find(engine, id);
	char hex[ID_TEXT];

	if (!suspect) {
		suspect = mem_alloc(sizeof *suspect);
		suspect->id = *id;
		suspect->since_ms = clock_now_ms();
		suspect->next = engine->suspects;
		engine->suspects = suspect;
	} else if (suspect->alone) {
		suspect->deaths++;
	}
	suspect->alone = false;
	snprintf(suspect->cause, sizeof suspect->cause, "%.*s", (int)(cause.len < 199 ? cause.len : 199),
		 cause.len ? cause.data : "");
	id_hex(id, hex);
	log_warn("queue", SPAN_NONE, "suspect message=%s deaths=%u cause=\"%s\"", hex, suspect->deaths, suspect->cause);
	mark(engine, id);
	engine_poke(engine);
}
