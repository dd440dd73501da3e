/* Queues inside the engine: what was fetched and waits here, who may have it next, and how much the broker is asked for. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/queue/inner.h"

#define IDLE_SHRINK_MS 60000
#define REST_MS 60000 /* between giving deliveries back and looking again */

struct span item_envelope(const struct item *item)
{
	return span_make(item->bytes, item->envelope_len);
}

struct span item_body(const struct item *item)
{
	return span_make(item->bytes + item->envelope_len, item->body_len);
}

static uint64_t item_size(const struct item *item)
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

static void item_unwait(struct item *item)
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
	    envelope.len > 4 * MESSAGE_ENVELOPE_MAX || body.len > MESSAGE_INLINE_MAX) {
		error_set(error, ERROR_REJECT, "envelope.unreadable", "a message of %zu and %zu bytes in %s cannot be read",
			  envelope.len, body.len, lane->name);
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

void item_unhand(struct item *item)
{
	struct session *session = item->holder;
	struct slot *slot = item->key ? slot_find(item->lane, item->key, false) : NULL;

	if (slot && slot->busy == item)
		slot->busy = NULL;
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

static void item_free(struct item *item)
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
	item_unhand(item);
	item_free(item);
}

void item_return(struct item *item, bool polite)
{
	struct engine *engine = item->lane->engine;

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

/* ---- lanes */
struct lane *lane_find(struct engine *engine, struct span name)
{
	const struct topology_queue *spec = engine->topology ? topology_find(engine->topology, name) : NULL;

	return spec ? engine->lanes[spec - engine->topology->queues] : NULL;
}

static struct lane *lane_any(struct engine *engine, struct span name)
{
	for (size_t i = 0; i < engine->all_count; i++)
		if (span_is(name, engine->all_lanes[i]->name))
			return engine->all_lanes[i];
	return NULL;
}

static struct lane *lane_new(struct engine *engine, const char *name)
{
	struct lane *lane = mem_alloc(sizeof *lane);

	*lane = (struct lane){.engine = engine, .name = mem_strdup(name), .served_ms = clock_tick_ms()};
	engine->all_lanes = mem_grow(engine->all_lanes, &engine->all_room, engine->all_count + 1, sizeof *engine->all_lanes);
	engine->all_lanes[engine->all_count++] = lane;
	return lane;
}

void items_forget(struct engine *engine)
{
	for (size_t i = 0; i < engine->all_count; i++)
		engine->all_lanes[i]->first = engine->all_lanes[i]->last = NULL;
	for (size_t i = 0; i < BUCKETS; i++)
		while (engine->buckets[i]) {
			struct item *item = engine->buckets[i];

			engine->buckets[i] = item->bucket;
			free(item);
		}
}

void lanes_free(struct engine *engine)
{
	for (size_t i = 0; i < engine->all_count; i++) {
		struct lane *lane = engine->all_lanes[i];

		slots_free(lane);
		free(lane->name);
		free(lane);
	}
	free(engine->all_lanes);
	free(engine->lanes);
	engine->all_lanes = engine->lanes = NULL;
	engine->all_count = 0;
}

static bool lane_empty(struct engine *engine, struct lane *lane)
{
	struct broker_counts counts;

	if (lane->waiting || lane->out || !lane->spec)
		return !lane->waiting && !lane->out;
	return engine->config.broker->count(engine->broker, lane->spec, &counts, NULL) || counts.ready + counts.unsettled == 0;
}

/* A queue that the configuration no longer names goes on without subscriptions until it is empty. */
static void keep_old(struct engine *engine, struct topology *merged, struct lane *lane)
{
	struct topology_queue *queue;
	const struct topology_queue *old = lane->spec;
	struct arena *arena = merged->arena;

	if (!old || topology_find(merged, span_of(lane->name)) || lane_empty(engine, lane))
		return;
	queue = topology_add(merged, arena_strdup(arena, old->name));
	queue->kind = old->kind;
	queue->flow = arena_strdup(arena, old->flow);
	queue->endpoint = arena_strdup(arena, old->endpoint);
	queue->system = arena_strdup(arena, old->system);
	queue->worker = arena_strdup(arena, old->worker);
	queue->owner = arena_strdup(arena, old->owner);
	queue->runbook = arena_strdup(arena, old->runbook);
	queue->order = old->order;
}

static struct topology *merge(struct engine *engine, const struct topology *wanted, struct error *error)
{
	struct topology *merged;
	struct buf bytes;

	buf_init(&bytes, 64u << 20);
	topology_encode(wanted, &bytes);
	merged = topology_decode_new(buf_view(&bytes), error);
	buf_free(&bytes);
	for (size_t i = 0; merged && i < engine->all_count; i++)
		keep_old(engine, merged, engine->all_lanes[i]);
	return merged;
}

int lanes_declare(struct engine *engine, const struct topology *wanted, struct error *error)
{
	struct topology *old = engine->topology, *merged = merge(engine, wanted, error);

	if (!merged)
		return -1;
	if (engine->config.broker->declare(engine->broker, merged, error)) {
		topology_free(merged);
		return -1;
	}
	for (size_t i = 0; i < engine->all_count; i++)
		engine->all_lanes[i]->spec = NULL;
	free(engine->lanes);
	engine->lanes = mem_alloc((merged->count + 1) * sizeof *engine->lanes);
	for (size_t i = 0; i < merged->count; i++) {
		struct lane *lane = old ? lane_any(engine, span_of(merged->queues[i].name)) : NULL;

		if (!lane)
			lane = lane_new(engine, merged->queues[i].name);
		lane->spec = &merged->queues[i];
		lane->wanted = 0; /* tell the broker anew */
		engine->lanes[i] = lane;
	}
	engine->topology = merged;
	topology_free(old);
	return 0;
}

static int on_hold(void *arg, const struct store_hold *hold)
{
	struct engine *engine = arg;

	for (size_t i = 0; i < engine->topology->count; i++) {
		const struct topology_queue *spec = engine->lanes[i]->spec;

		if ((spec->flow && *spec->flow && !strcmp(spec->flow, hold->name)) ||
		    (spec->endpoint && *spec->endpoint && !strcmp(spec->endpoint, hold->name)) ||
		    (spec->system && *spec->system && !strcmp(spec->system, hold->name)))
			engine->lanes[i]->stood = true;
	}
	if (hold->until < engine->holds_due)
		engine->holds_due = hold->until;
	return 0;
}

int lanes_holds(struct engine *engine, struct error *error)
{
	for (size_t i = 0; i < engine->topology->count; i++)
		engine->lanes[i]->stood = false;
	engine->holds_due = INT64_MAX;
	return store_hold_each(engine->store, clock_now_ms(), on_hold, engine, error);
}

/* ---- arrivals */
static void bury_unreadable(struct engine *engine, struct lane *lane, uint64_t tag, struct span envelope, struct span body,
			    const struct error *why)
{
	struct work *work = work_new(engine, NULL, 0, WORK_OWN);
	struct item *item = mem_alloc(sizeof *item);
	struct buf payload;

	buf_init(&payload, WIRE_FRAME_MAX);
	buf_field(&payload, span_of(lane->name));
	buf_field(&payload, span_make(envelope.data, envelope.len > MESSAGE_INLINE_MAX ? MESSAGE_INLINE_MAX : envelope.len));
	wire_put_error(&payload, why);
	work_add(work, &work->writes, OWN_DAMAGED, buf_view(&payload));
	buf_free(&payload);
	item->lane = lane;
	item->number = ++engine->last_number;
	item->tag = tag;
	item->bucket = engine->buckets[item->number % BUCKETS];
	engine->buckets[item->number % BUCKETS] = item;
	engine->items_count++;
	lane->out++;
	work_takes(work, item);
	work_commit(engine, work);
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
		bury_unreadable(engine, lane, tag, envelope, body, &error);
	engine_poke(engine);
}

/* The broker's connection was lost: what waits here comes again; what is in hand may be finished, but not settled. */
void lanes_lost(struct engine *engine)
{
	for (size_t i = 0; i < engine->all_count; i++) {
		struct lane *lane = engine->all_lanes[i];

		for (struct item *item = lane->first, *next; item; item = next) {
			next = item->next;
			if (item->park)
				continue;
			item_unwait(item);
			item_free(item);
		}
		lane->wanted = 0;
	}
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct item *item = engine->buckets[i]; item; item = item->bucket)
			if (!item->park)
				item->voided = true;
}

/* ---- windows */
static unsigned window_of(struct engine *engine, struct lane *lane, unsigned share)
{
	uint64_t credit = 0;

	if (engine->draining || lane->stood || (lane->spec->order != ORDER_NONE && !lane->owned))
		return 0;
	for (struct credit *c = lane->credits; c; c = c->lane_next)
		credit += c->messages;
	if (!credit) /* one message tells that a worker on demand is wanted */
		return !strncmp(lane->spec->worker, "sink:", 5) && clock_tick_ms() >= lane->rest_ms ? 1 : 0;
	if (lane->window < WINDOW_FIRST)
		lane->window = WINDOW_FIRST;
	if (lane->ran_dry && lane->window < WINDOW_MOST)
		lane->window *= 2;
	lane->ran_dry = false;
	if (lane->window > share)
		lane->window = share;
	return lane->window;
}

/* Every queue that is consumed has its first window; what is left of the budget goes to those that use it. */
void lanes_windows(struct engine *engine)
{
	unsigned budget = engine->config.budget ? engine->config.budget : BUDGET, used = 0, consumed = 0, share;

	for (size_t i = 0; i < engine->topology->count; i++)
		if (engine->lanes[i]->consumers) {
			consumed++;
			used += engine->lanes[i]->window;
		}
	share = consumed && used > budget ? budget / consumed : WINDOW_MOST;
	if (!share)
		share = 1;
	for (size_t i = 0; i < engine->topology->count; i++) {
		struct lane *lane = engine->lanes[i];
		unsigned window = window_of(engine, lane, share);

		if (engine->held_bytes > HELD_BYTES_MAX && window > lane->waiting + lane->out)
			window = lane->waiting + lane->out ? (unsigned)(lane->waiting + lane->out) : 1;
		if (window == lane->wanted)
			continue;
		lane->wanted = window;
		engine->config.broker->fetch(engine->broker, lane->spec, window);
	}
}

/* ---- credit */
static void lane_forget(struct lane *lane, struct credit *credit)
{
	struct credit **at = &lane->credits;

	while (*at && *at != credit)
		at = &(*at)->lane_next;
	if (*at)
		*at = credit->lane_next;
	credit->lane_next = NULL;
}

static void lane_append(struct lane *lane, struct credit *credit)
{
	struct credit **at = &lane->credits;

	while (*at)
		at = &(*at)->lane_next;
	*at = credit;
	credit->lane_next = NULL;
}

void credit_set(struct session *session, struct lane *lane, unsigned messages, uint64_t bytes)
{
	struct credit *credit = session->credits;

	while (credit && credit->lane != lane)
		credit = credit->next;
	if (!credit) {
		credit = mem_alloc(sizeof *credit);
		*credit = (struct credit){.next = session->credits, .session = session, .lane = lane};
		session->credits = credit;
		lane_append(lane, credit);
	}
	lane->consumers += (messages > 0) - (credit->messages > 0);
	credit->messages = messages;
	credit->bytes = bytes;
	lane->served_ms = clock_tick_ms();
	engine_poke(session->engine);
}

void credits_free(struct session *session)
{
	while (session->credits) {
		struct credit *credit = session->credits;

		session->credits = credit->next;
		credit->lane->consumers -= credit->messages > 0;
		lane_forget(credit->lane, credit);
		free(credit);
	}
}

/* ---- handing out */
static bool can_feed(const struct credit *credit, const struct item *item)
{
	const struct session *session = credit->session;

	return credit->held < credit->messages && (!credit->held || credit->held_bytes + item_size(item) <= credit->bytes) &&
	       !session->closing && !session->alone && channel_unsent(&session->channel) < SESSION_FEED_MAX;
}

static void hand(struct item *item, struct credit *credit, bool alone)
{
	struct session *session = credit->session;
	struct lane *lane = item->lane;
	struct engine *engine = lane->engine;
	struct buf *out = &session->channel.out;
	size_t at;

	item_unwait(item);
	lane->out++;
	item->holder = session;
	item->credit = credit;
	item->alone = alone;
	item->next = session->items;
	if (session->items)
		session->items->previous = item;
	session->items = item;
	session->held++;
	credit->held++;
	credit->held_bytes += item_size(item);
	if (alone)
		session->alone = item;
	if (item->key)
		slot_find(lane, item->key, true)->busy = item;
	at = wire_begin(out, FRAME_DELIVER);
	buf_u64(out, item->number);
	buf_u8(out, (uint8_t)((item->redelivered ? WIRE_REDELIVERED : 0) | (alone ? WIRE_SUSPECT : 0)));
	buf_field(out, span_of(lane->name));
	buf_field(out, item_envelope(item));
	buf_field(out, item_body(item));
	session_say(session, at);
	engine->counters.delivered++;
	engine->counters.redelivered += item->redelivered;
	lane_forget(lane, credit); /* whose turn it was goes to the end */
	lane_append(lane, credit);
	lane->served_ms = clock_tick_ms();
}

/* A suspect goes to a worker that holds nothing else; one that could be is kept from getting more until then. */
static void hand_suspect(struct engine *engine, struct item *item)
{
	struct suspect *suspect = suspect_find(engine, &item->id);
	struct credit *best = NULL;

	if (!suspect) { /* cleared meanwhile */
		item->suspect = false;
		return;
	}
	if (suspect->deaths >= SUSPECT_DEATHS && item->died) {
		suspect_bury(engine, suspect, item);
		return;
	}
	for (struct credit *c = item->lane->credits; c; c = c->lane_next)
		if (c->messages && !c->session->closing && !c->session->alone && (!best || c->session->held < best->session->held))
			best = c;
	if (!best)
		return;
	if (best->session->held) {
		best->session->reserved = true;
		return;
	}
	suspect->alone = true;
	hand(item, best, true);
}

/* May this item be handed out now, as far as its order key goes? An item that must wait behind others of its key is parked. */
static bool in_order(struct engine *engine, struct item *item)
{
	struct slot *slot = item->key ? slot_find(item->lane, item->key, false) : NULL;

	if (!slot)
		return true;
	if (slot->busy)
		return false;
	if (item->park)
		return !slot->held;
	if (!slot->parks && !slot->held)
		return true;
	item_take(item);
	order_join(engine, item, slot->held);
	return false;
}

static struct credit *next_credit(struct lane *lane, const struct item *item)
{
	for (struct credit *c = lane->credits; c; c = c->lane_next)
		if (can_feed(c, item) && !c->session->reserved)
			return c;
	return NULL;
}

/* Hands out up to n; returns how many. */
static unsigned lane_step(struct engine *engine, struct lane *lane, unsigned n)
{
	int64_t now = clock_tick_ms();
	unsigned handed = 0;

	if (lane->stood)
		return 0;
	for (struct item *item = lane->first, *next; item && handed < n; item = next) {
		struct credit *credit;

		next = item->next;
		if (item->not_before > now || item->suspect || !in_order(engine, item))
			continue;
		credit = next_credit(lane, item);
		if (!credit)
			return handed;
		hand(item, credit, false);
		handed++;
	}
	if (!lane->waiting && lane->consumers)
		lane->ran_dry = lane->out >= lane->window;
	return handed;
}

static void dispatch_suspects(struct engine *engine)
{
	int64_t now = clock_tick_ms();

	for (struct session *s = engine->sessions; s; s = s->next)
		s->reserved = false;
	if (!engine->suspects)
		return;
	for (size_t i = 0; i < engine->topology->count; i++) {
		struct lane *lane = engine->lanes[i];

		if (lane->stood)
			continue;
		for (struct item *item = lane->first, *next; item; item = next) {
			next = item->next;
			if (item->suspect && item->not_before <= now && in_order(engine, item))
				hand_suspect(engine, item);
		}
	}
}

static void want(struct engine *engine, struct lane *lane)
{
	int64_t now = clock_tick_ms();

	if (!lane->waiting || lane->consumers || lane->stood || strncmp(lane->spec->worker, "sink:", 5) != 0 ||
	    (lane->want_ms && now - lane->want_ms < WANT_EVERY_MS))
		return;
	lane->want_ms = now;
	if (engine->config.want)
		engine->config.want(engine->config.want_arg, lane->spec->worker);
	sessions_want(engine, lane->spec->worker);
}

/* Queues take turns, so that one with large credit does not fill a session's buffer alone. */
void lanes_dispatch(struct engine *engine)
{
	size_t n = engine->topology->count;
	bool any = !engine->draining;

	if (any)
		dispatch_suspects(engine);
	while (any) {
		any = false;
		for (size_t i = 0; i < n; i++) {
			struct lane *lane = engine->lanes[(engine->next_lane + i) % n];

			if (lane->first && lane_step(engine, lane, 16))
				any = true;
		}
	}
	if (n)
		engine->next_lane = (engine->next_lane + 1) % n;
	for (size_t i = 0; i < n; i++)
		if (engine->lanes[i]->first)
			want(engine, engine->lanes[i]);
}

/* ---- housekeeping */
static void give_back(struct lane *lane)
{
	struct engine *engine = lane->engine;

	for (struct item *item = lane->first, *next; item; item = next) {
		next = item->next;
		if (item->park)
			continue;
		item_unwait(item);
		engine->config.broker->release(engine->broker, item->tag);
		item_free(item);
	}
}

/* Of several machines one consumes an ordered queue. */
static int64_t lock_of(const struct lane *lane)
{
	struct id id = id_of((struct span[]){SPAN_LITERAL("ordered queue"), span_of(lane->name)}, 2);

	return (int64_t)id_hash(&id);
}

static void lane_look(struct engine *engine, struct lane *lane, int64_t now)
{
	bool held;

	if (lane->spec->order != ORDER_NONE && !lane->owned && engine->db_open &&
	    engine->db.ops->lock(engine->db.self, lock_of(lane), &held, NULL) == 0)
		lane->owned = held;
	if (lane->window > WINDOW_FIRST && now - lane->used_ms > IDLE_SHRINK_MS)
		lane->window = WINDOW_FIRST;
	if (lane->consumers || !lane->waiting)
		return;
	if (now - lane->served_ms > UNSERVED_MS) {
		lane->wanted = 0;
		lane->served_ms = now;
		lane->rest_ms = now + REST_MS;
		engine->config.broker->fetch(engine->broker, lane->spec, 0);
		give_back(lane);
	}
}

void lanes_each_second(struct engine *engine)
{
	int64_t now = clock_tick_ms();

	for (size_t i = 0; i < engine->topology->count; i++)
		lane_look(engine, engine->lanes[i], now);
}
