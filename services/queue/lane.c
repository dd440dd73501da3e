/* Queues inside the engine: what is declared, what an operator holds, and how much the broker is asked for. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/queue/inner.h"

#define IDLE_SHRINK_MS 60000
#define REST_MS 60000 /* between giving deliveries back and looking again */

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
	engine->all_lanes =
		mem_grow(engine->all_lanes, &engine->all_room, engine->all_count + 1, sizeof *engine->all_lanes);
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
	bool held;

	if (lane->waiting || lane->out)
		return false;
	if (strchr(lane->name, '/') && (store_held_before(engine->store, lane->name, &held, NULL) || held))
		return false; /* what waits in the step before it will come here */
	return lane->spec && engine->config.broker->count(engine->broker, lane->spec, &counts, NULL) == 0 &&
	       counts.ready + counts.unsettled == 0;
}

/* A queue that the configuration no longer names goes on without subscriptions until it is empty. */
static void add_old(struct topology *merged, const struct topology_queue *old)
{
	struct topology_queue *queue = topology_add(merged, arena_strdup(merged->arena, old->name));
	struct arena *arena = merged->arena;

	queue->kind = old->kind;
	queue->flow = arena_strdup(arena, old->flow);
	queue->endpoint = arena_strdup(arena, old->endpoint);
	queue->system = arena_strdup(arena, old->system);
	queue->worker = arena_strdup(arena, old->worker);
	queue->owner = arena_strdup(arena, old->owner);
	queue->runbook = arena_strdup(arena, old->runbook);
	queue->order = old->order;
	queue->gathers_count = old->gathers_count;
	queue->gathers = arena_alloc(arena, (old->gathers_count + 1) * sizeof *queue->gathers);
	for (size_t i = 0; i < old->gathers_count; i++)
		queue->gathers[i] = arena_strdup(arena, old->gathers[i]);
}

static void keep_old(struct engine *engine, struct topology *merged, struct lane *lane)
{
	if (lane->spec && !topology_find(merged, span_of(lane->name)) && !lane_empty(engine, lane))
		add_old(merged, lane->spec);
}

/* ---- what was declared, for the next start: it may find messages in queues that the configuration has forgotten */
static const char memory[] =
	"CREATE TABLE IF NOT EXISTS queue_topology (number {int} PRIMARY KEY, bytes {blob} NOT NULL)";

static int on_remembered(void *arg, const struct value *row, size_t columns)
{
	struct topology *merged = arg, *old = topology_decode_new(row[0].bytes, NULL);

	for (size_t i = 0; old && i < old->count; i++)
		if (!topology_find(merged, span_of(old->queues[i].name)))
			add_old(merged, &old->queues[i]);
	topology_free(old);
	return 0;
}

static int recall(struct engine *engine, struct topology *merged, struct error *error)
{
	struct error first;

	/* PostgreSQL lets one of two machines that make the table at once fail, though it is only made if missing. */
	if (engine->db.ops->script(engine->db.self, memory, &first) &&
	    engine->db.ops->script(engine->db.self, memory, error))
		return -1;
	return db_run(&engine->db, "SELECT bytes FROM queue_topology WHERE number = 1", NULL, 0, on_remembered, merged,
		      error);
}

/* Queues that are empty and no longer named are forgotten, at the next start or reload. */
static int remember(struct engine *engine, const struct topology *wanted, struct error *error)
{
	struct db *db = &engine->db;
	struct topology *kept = topology_new();
	struct buf bytes;
	int result;

	for (size_t i = 0; i < engine->topology->count; i++) {
		const struct topology_queue *queue = &engine->topology->queues[i];

		if (topology_find(wanted, span_of(queue->name)) || !lane_empty(engine, engine->lanes[i]))
			add_old(kept, queue);
	}
	buf_init(&bytes, 64u << 20);
	topology_encode(kept, &bytes);
	topology_free(kept);
	result = db->ops->begin(db->self, error);
	if (result == 0) {
		result = db_run(db, "DELETE FROM queue_topology WHERE number = 1", NULL, 0, NULL, NULL, error);
		if (result == 0)
			result = db_run(
				db, "INSERT INTO queue_topology (number, bytes) VALUES (1, $1) ON CONFLICT DO NOTHING",
				(struct value[]){VALUE_OF_BLOB(buf_view(&bytes))}, 1, NULL, NULL, error);
		if (result == 0)
			result = db->ops->commit(db->self, error);
		if (result)
			db->ops->rollback(db->self);
	}
	buf_free(&bytes);
	return result;
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
	if (merged && !engine->topology && recall(engine, merged, error)) {
		topology_free(merged);
		return NULL;
	}
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
		lane->untold = true;
		engine->lanes[i] = lane;
	}
	engine->topology = merged;
	topology_free(old);
	return remember(engine, wanted, error);
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
/* RabbitMQ puts what a consumer held behind what others held before it: only when one takes all that came back at once,
 * it comes back in order. So an ordered queue has all of its window or none. And a consumer that is there stays,
 * through holds, the end of this process and times without the store: one that is cancelled keeps what it holds, and
 * the next gets what comes after before that comes back. Only where another machine has the lock by now it ends. */
static unsigned window_ordered(const struct engine *engine, const struct lane *lane)
{
	if (lane->wanted)
		return lane->owned || !engine->db_open ? lane->wanted : 0;
	return lane->owned && !engine->draining && !lane->stood && engine->held_bytes <= HELD_BYTES_MAX &&
			       (lane->consumers || clock_tick_ms() >= lane->rest_ms)
		       ? WINDOW_ORDERED
		       : 0;
}

static unsigned window_of(struct engine *engine, struct lane *lane, unsigned share)
{
	uint64_t credit = 0;

	if (lane->spec->order != ORDER_NONE)
		return window_ordered(engine, lane);
	if (engine->draining || lane->stood)
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

		if (lane->spec->order == ORDER_NONE && engine->held_bytes > HELD_BYTES_MAX &&
		    window > lane->waiting + lane->out)
			window = lane->waiting + lane->out ? (unsigned)(lane->waiting + lane->out) : 1;
		if (window == lane->wanted && !lane->untold)
			continue;
		lane->wanted = window;
		lane->untold = false;
		engine->config.broker->fetch(engine->broker, lane->spec, window);
	}
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

static void lane_own(struct engine *engine, struct lane *lane)
{
	bool held;

	if (lane->spec->order != ORDER_NONE && !lane->owned && engine->db_open &&
	    engine->db.ops->lock(engine->db.self, lock_of(lane), &held, NULL) == 0)
		lane->owned = held;
}

void lanes_own(struct engine *engine)
{
	for (size_t i = 0; i < engine->topology->count; i++)
		lane_own(engine, engine->lanes[i]);
}

static void lane_look(struct engine *engine, struct lane *lane, int64_t now)
{
	lane_own(engine, lane);
	if (lane->window > WINDOW_FIRST && now - lane->used_ms > IDLE_SHRINK_MS)
		lane->window = WINDOW_FIRST;
	if (lane->consumers || !lane->waiting || (lane->spec->order != ORDER_NONE && lane->out))
		return; /* what is out now would come back behind what is given back */
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
