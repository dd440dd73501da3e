/* Deliveries inside the engine: fetched, waiting, in hand, returned. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "services/queue/inner.h"

struct span item_envelope(const struct item *item)
{
	return span_make(item->bytes, item->envelope_len);
}

struct span item_body(const struct item *item)
{
	return span_make(item->bytes + item->envelope_len, item->body_len);
}

uint64_t item_size(const struct item *item)
{
	return (uint64_t)item->envelope_len + item->body_len;
}

/* ---- lists of items */
static void list_out(struct item **first, struct item **last, struct item *item)
{
	if (item->previous)
		item->previous->next = item->next;
	else
		*first = item->next;
	if (item->next)
		item->next->previous = item->previous;
	else if (last)
		*last = item->previous;
	item->next = item->previous = NULL;
}

/* By number: what comes back takes its old place. */
void item_wait(struct item *item)
{
	struct lane *lane = item->lane;
	struct item *after = lane->last;

	if (lane->first && lane->first->number > item->number)
		after = NULL;
	while (after && after->number > item->number)
		after = after->previous;
	item->previous = after;
	item->next = after ? after->next : lane->first;
	if (after)
		after->next = item;
	else
		lane->first = item;
	if (item->next)
		item->next->previous = item;
	else
		lane->last = item;
	lane->waiting++;
	lane->waiting_bytes += item_size(item);
}

void item_unwait(struct item *item)
{
	struct lane *lane = item->lane;

	list_out(&lane->first, &lane->last, item);
	lane->waiting--;
	lane->waiting_bytes -= item_size(item);
}

void item_take(struct item *item)
{
	item_unwait(item);
	item->lane->out++;
}

struct item *item_find(struct engine *engine, uint64_t number)
{
	struct item *item = engine->buckets[number % BUCKETS];

	while (item && item->number != number)
		item = item->bucket;
	return item;
}

struct item *item_new(struct lane *lane, uint64_t tag, bool redelivered, struct span envelope, struct span body,
		      struct error *error)
{
	struct engine *engine = lane->engine;
	bool ordered = lane->spec && lane->spec->order != ORDER_NONE;
	struct item *item, **bucket;
	struct id id;
	uint64_t key;

	if (!message_peek(envelope, ordered ? span_of(lane->spec->flow) : SPAN_NONE, &id, &key) ||
	    envelope.len > MESSAGE_ENVELOPE_MAX || body.len > MESSAGE_INLINE_MAX) {
		error_set(error, ERROR_REJECT, "envelope.unreadable",
			  "a message of %zu and %zu bytes in %s cannot be read", envelope.len, body.len, lane->name);
		return NULL;
	}
	item = mem_alloc(sizeof *item + envelope.len + body.len);
	item->lane = lane;
	item->number = ++engine->last_number;
	item->tag = tag;
	item->redelivered = redelivered;
	item->id = id;
	item->key = ordered ? key : 0;
	item->suspect = engine->suspects && suspect_find(engine, &id);
	item->envelope_len = (uint32_t)envelope.len;
	item->body_len = (uint32_t)body.len;
	memcpy(item->bytes, envelope.data, envelope.len);
	if (body.len)
		memcpy(item->bytes + envelope.len, body.data, body.len);
	bucket = &engine->buckets[item->number % BUCKETS];
	item->bucket = *bucket;
	*bucket = item;
	engine->held_bytes += item_size(item);
	engine->items_count++;
	return item;
}

static void leave_slot(struct item *item)
{
	struct slot *slot = item->key ? slot_find(item->lane, item->key, false) : NULL;

	if (slot && slot->busy == item)
		slot->busy = NULL;
}

void item_unhand(struct item *item)
{
	struct session *session = item->holder;

	if (item->credit) {
		item->credit->held--;
		item->credit->held_bytes -= item_size(item);
		item->credit = NULL;
	}
	if (!session)
		return;
	list_out(&session->items, NULL, item);
	session->held--;
	if (session->alone == item)
		session->alone = NULL;
	item->holder = NULL;
}

void item_free(struct item *item)
{
	struct engine *engine = item->lane->engine;
	struct item **at = &engine->buckets[item->number % BUCKETS];

	while (*at != item)
		at = &(*at)->bucket;
	*at = item->bucket;
	engine->held_bytes -= item_size(item);
	engine->items_count--;
	free(item);
}

/* An item that is handed out (or being settled) ends; waiting ones are taken from the list first. */
void item_done(struct item *item)
{
	item->lane->out--;
	leave_slot(item);
	item_unhand(item);
	item_free(item);
}

void item_return(struct item *item, bool polite)
{
	struct engine *engine = item->lane->engine;

	leave_slot(item);
	item_unhand(item);
	item->work = NULL;
	item->lane->out--;
	if (item->voided) {
		item_free(item);
		return;
	}
	item->redelivered = true;
	if (!polite) {
		item->died = true;
		item->not_before = clock_tick_ms() + SUSPECT_WAIT_MS;
		engine_wake_at(engine, item->not_before);
	}
	item_wait(item);
	engine_poke(engine);
}

/* ---- arrivals */
static int unreadable(struct error *error, size_t envelope, size_t body, const struct lane *lane)
{
	return error_set(error, ERROR_REJECT, "envelope.unreadable",
			 "a message of %zu and %zu bytes in %s cannot be read", envelope,
			 body, lane->name);
}

/* When that cannot be stored, the item waits like others and is buried again. */
void item_bury(struct item *item)
{
	struct engine *engine = item->lane->engine;
	struct work *work = work_new(engine, NULL, 0, WORK_OWN);
	struct buf payload;
	struct error why;

	unreadable(&why, item->envelope_len, item->body_len, item->lane);
	buf_init(&payload, WIRE_FRAME_MAX);
	buf_field(&payload, span_of(item->lane->name));
	buf_field(&payload, item_envelope(item));
	wire_put_error(&payload, &why);
	work_add(work, &work->writes, OWN_DAMAGED, buf_view(&payload));
	buf_free(&payload);
	work_takes(work, item);
	work_commit(engine, work);
}

static void bury_unreadable(struct engine *engine, struct lane *lane, uint64_t tag, struct span envelope)
{
	size_t len = envelope.len > MESSAGE_INLINE_MAX ? MESSAGE_INLINE_MAX : envelope.len;
	struct item *item = mem_alloc(sizeof *item + len);

	item->lane = lane;
	item->number = ++engine->last_number;
	item->tag = tag;
	item->unreadable = true;
	item->envelope_len = (uint32_t)len;
	if (len)
		memcpy(item->bytes, envelope.data, len);
	item->bucket = engine->buckets[item->number % BUCKETS];
	engine->buckets[item->number % BUCKETS] = item;
	engine->held_bytes += item_size(item);
	engine->items_count++;
	lane->out++;
	item_bury(item);
}

void lane_delivered(void *arg, const struct topology_queue *spec, uint64_t tag, bool redelivered, struct span envelope,
		    struct span body)
{
	struct engine *engine = arg;
	struct lane *lane = engine->lanes[spec - engine->topology->queues];
	struct error error;
	struct item *item = item_new(lane, tag, redelivered, envelope, body, &error);

	lane->used_ms = clock_tick_ms();
	if (item)
		item_wait(item);
	else
		bury_unreadable(engine, lane, tag, envelope);
	engine_poke(engine);
}
