/* Retention of what the store keeps: a small portion at a time, between the groups of units, so that none waits for it.
 */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "services/queue/inner.h"

#define FIRST_MS 10000
#define EVERY_MS 60000
#define EVERY_LEAST_MS 1000
#define PORTION 500

/* Once a minute; a site that keeps things for seconds only looks as often as that asks for. */
static int64_t interval(const struct engine *engine)
{
	int64_t keep = engine->config.keep_receipts_ms;
	int64_t every = keep > 0 && keep / 10 < EVERY_MS ? keep / 10 : EVERY_MS;

	return every < EVERY_LEAST_MS ? EVERY_LEAST_MS : every;
}

static int64_t before(int64_t now, int64_t keep_ms)
{
	return keep_ms > 0 ? now - keep_ms : 0;
}

static int portion(struct engine *engine, bool *more, struct error *error)
{
	struct db *db = &engine->db;
	int64_t now = clock_now_ms();
	struct store_retention retention = {
		.receipts_before = before(now, engine->config.keep_receipts_ms),
		.dead_before = before(now, engine->config.keep_originals_ms),
		.revisions_before = before(now, engine->config.keep_originals_ms),
		.now = now,
	};

	if (db->ops->begin(db->self, error))
		return -1;
	if (store_expire(engine->ask.store, &retention, PORTION, more, error)) {
		db->ops->rollback(db->self);
		return -1;
	}
	return db->ops->commit(db->self, error);
}

/* Every second; does something once a minute, and every second while there is more. */
void expire_look(struct engine *engine)
{
	struct error error = {0};
	bool more = false;

	if (!engine->expire_at) /* a start has other things to do */
		engine->expire_at = clock_tick_ms() + (interval(engine) < FIRST_MS ? interval(engine) : FIRST_MS);
	if (engine->in_transaction || clock_tick_ms() < engine->expire_at)
		return;
	if (portion(engine, &more, &error)) {
		log_warn("queue", SPAN_NONE, "what is past its time stays for now error=\"%s\"", error.text);
		if (!engine->db.ops->alive(engine->db.self))
			engine_store_failed(engine, &error);
	}
	engine->expire_at = clock_tick_ms() + (more ? 0 : interval(engine));
}
