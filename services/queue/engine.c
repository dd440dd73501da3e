/* The queue engine: opening, the round, timers. See engine.h and inner.h.
 *
 * Everything that happens asks for a round (engine_poke), which runs once after all sockets were read: it commits the
 * units that are ready, lets the broker write, hands out what is there and writes to the sessions. Group commit comes
 * from this by itself. */
#include "config.h"
#include "services/queue/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/queue/inner.h"

/* ---- rounds */
static void on_round(void *arg)
{
	struct engine *engine = arg;

	engine->round = NULL;
	works_unstall(engine);
	commit_ready(engine);
	engine->config.broker->flush(engine->broker);
	lanes_windows(engine);
	lanes_dispatch(engine);
	sessions_write(engine);
	FAULT("queue.answered");
}

void engine_poke(struct engine *engine)
{
	if (!engine->round && !engine->closing)
		engine->round = loop_timer(engine->loop, 0, 0, on_round, engine);
}

static void on_wake(void *arg)
{
	struct engine *engine = arg;

	engine->wake = NULL;
	engine_poke(engine);
}

void engine_wake_at(struct engine *engine, int64_t tick_ms)
{
	int64_t now = clock_tick_ms();

	if (engine->closing || (engine->wake && engine->wake_ms <= tick_ms))
		return;
	loop_cancel(engine->wake);
	engine->wake_ms = tick_ms;
	engine->wake = loop_timer(engine->loop, tick_ms > now ? tick_ms - now : 0, 0, on_wake, engine);
}

/* ---- the database */
/* Events of Ferrule's own that no flow subscribes to are not kept. */
static bool event_wanted(void *arg, const char *topic)
{
	const struct engine *engine = arg;

	for (size_t i = 0; engine->topology && i < engine->topology->count; i++)
		for (size_t k = 0; k < engine->topology->queues[i].topics_count; k++)
			if (!strcmp(engine->topology->queues[i].topics[k], topic))
				return true;
	return false;
}

static int db_start(struct engine *engine, struct error *error)
{
	bool held = true;

	engine->db.ops = engine->config.store;
	engine->db.self = engine->db.ops->open(engine->config.store_settings, engine->db_path,
					       engine->config.store_password, error);
	if (!engine->db.self)
		return -1;
	engine->store = store_open(&engine->db, error);
	if (engine->store)
		store_events_wanted(engine->store, event_wanted, engine);
	if (!engine->store || engine->db.ops->lock(engine->db.self, engine->instance_lock, &held, error)) {
		store_close(engine->store);
		engine->store = NULL;
		engine->db.ops->close(engine->db.self);
		engine->db.self = NULL;
		return -1;
	}
	engine->ask.store = engine->store;
	engine->db_open = true;
	return 0;
}

/* What the last run left unsigned. */
static int sign_audit(struct engine *engine, struct error *error)
{
	struct db *db = &engine->db;

	if (!engine->ask.audit_key)
		return 0;
	if (db->ops->begin(db->self, error))
		return -1;
	if (!store_audit_checkpoint(engine->store, engine->ask.audit_key, clock_now_ms(), error))
		return db->ops->commit(db->self, error);
	db->ops->rollback(db->self);
	return -1;
}

static void db_stop(struct engine *engine)
{
	engine->db_open = false;
	for (size_t i = 0; i < engine->all_count; i++)
		engine->all_lanes[i]->owned = false; /* locks went with the connection */
	engine->stewards = false;
	sources_leave(engine, NULL);
	machines_lost(engine);
	store_close(engine->store);
	engine->store = engine->ask.store = NULL;
	if (engine->db.self)
		engine->db.ops->close(engine->db.self);
	engine->db.self = NULL;
}

void engine_store_failed(struct engine *engine, const struct error *error)
{
	log_error("queue", SPAN_NONE, "the store failed code=%s error=\"%s\"", error->code, error->text);
	if (!strcmp(error->code, "db.full"))
		disk_full(engine);
}

static int load(struct engine *engine, struct error *error)
{
	return order_load(engine, error) || lanes_holds(engine, error) ||
			       store_park_next(engine->store, &engine->park_due, error)
		       ? -1
		       : 0;
}

/* Only a database in another process can go away and come back; with a spool the file is ours. */
static void db_look(struct engine *engine)
{
	struct error error;

	if (engine->db_open && engine->db.ops->alive(engine->db.self))
		return;
	if (engine->config.broker->shares_db) {
		error_set(&engine->failed, ERROR_FATAL, "db.gone", "the database of the spool was lost");
		return;
	}
	db_stop(engine);
	if (db_start(engine, &error) || load(engine, &error)) {
		if (engine->db_open)
			db_stop(engine);
		log_warn("queue", SPAN_NONE, "the store cannot be reached code=%s error=\"%s\"", error.code,
			 error.text);
		return;
	}
	log_info("queue", SPAN_NONE, "the store is back");
	lanes_own(engine); /* before anything looks at windows: consumers stay what they are */
	parks_arm(engine);
	engine_poke(engine);
}

/* ---- the broker */
static void on_lost(void *arg, const struct error *error)
{
	struct engine *engine = arg;

	log_warn("queue", SPAN_NONE, "the broker's connection was lost code=%s error=\"%s\"", error->code, error->text);
	lanes_lost(engine);
	engine_poke(engine);
}

static void on_state(void *arg, bool connected, bool consuming, bool blocked, const char *text)
{
	struct engine *engine = arg;

	if (engine->connected && (!connected || !consuming || blocked))
		engine->broker_since_ms = clock_now_ms();
	engine->connected = connected;
	engine->consuming = consuming;
	engine->blocked = blocked;
	snprintf(engine->broker_text, sizeof engine->broker_text, "%s", text ? text : "");
	sessions_accepting(engine);
	engine_poke(engine);
}

static int broker_start(struct engine *engine, struct error *error)
{
	const struct broker_events events = {.arg = engine,
					     .published = work_answered,
					     .delivered = lane_delivered,
					     .lost = on_lost,
					     .state = on_state};

	if (engine->config.broker->shares_db) { /* no connection to lose */
		engine->connected = engine->consuming = true;
		snprintf(engine->broker_text, sizeof engine->broker_text, "in the store's file");
	}
	engine->broker = engine->config.broker->open(engine->config.broker_settings, engine->config.broker_password,
						     engine->loop, &engine->db, &events, error);
	return engine->broker ? 0 : -1;
}

/* ---- timers */
static void on_second(void *arg)
{
	struct engine *engine = arg;
	struct error error;

	if (engine->db_open && engine->config.store->beat && engine->config.store->beat(engine->db.self, &error))
		engine_store_failed(engine, &error);
	db_look(engine);
	disk_look(engine);
	if (!engine->db_open)
		return;
	lanes_each_second(engine);
	held_look(engine);
	events_look(engine);
	if (!engine->db_open)
		return;
	machines_look(engine);
	if (!engine->db_open)
		return;
	expire_look(engine);
	if (engine->holds_due <= clock_now_ms()) {
		if (lanes_holds(engine, &error))
			engine_store_failed(engine, &error);
	}
	engine_poke(engine);
}

/* ---- life */
static void copy_config(struct engine *engine, const struct engine_config *config)
{
	engine->config = *config;
	engine->db_path = mem_strdup(config->db_path);
	engine->run_path = mem_strdup(config->run_path);
	engine->socket_path = mem_printf("%s/queue.sock", config->run_path);
	engine->site = mem_strdup(config->site ? config->site : "");
	engine->revision = mem_strdup(config->revision ? config->revision : "");
	engine->ballast_path = mem_strdup(config->ballast_path);
	engine->broker_password = mem_span_dup(config->broker_password);
	engine->store_password = mem_span_dup(config->store_password);
	engine->config.broker_password.data = engine->broker_password;
	engine->config.store_password.data = engine->store_password;
	engine->config.topology = NULL;
}

static void name_instance(struct engine *engine)
{
	if (getrandom(engine->instance, sizeof engine->instance, 0) != (ssize_t)sizeof engine->instance)
		abort();
	memcpy(&engine->instance_lock, engine->instance, 8);
}

struct engine *engine_open(const struct engine_config *config, struct loop *loop, struct error *error)
{
	struct engine *engine = mem_alloc(sizeof *engine);

	engine->loop = loop;
	engine->listener = -1;
	engine->accepting = true;
	engine->ready_last = &engine->ready;
	engine->started_ms = clock_now_ms();
	engine->ask.engine = engine;
	engine->ask.live = live_answer;
	if (config->audit_key) {
		engine->audit_key = *config->audit_key;
		engine->ask.audit_key = &engine->audit_key;
	}
	copy_config(engine, config);
	name_instance(engine);
	machines_name(engine);
	if (db_start(engine, error) || sign_audit(engine, error) || broker_start(engine, error) ||
	    lanes_declare(engine, config->topology, error) || load(engine, error))
		goto fail;
	disk_look(engine);
	sessions_accepting(engine);
	lanes_each_second(engine);
	if (sessions_listen(engine, error))
		goto fail;
	engine->second = loop_timer(loop, 1000, 1000, on_second, engine);
	parks_arm(engine);
	engine_poke(engine);
	return engine;
fail:
	engine_close(engine);
	return NULL;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	engine->closing = true;
	sessions_close(engine);
	loop_cancel(engine->round);
	loop_cancel(engine->wake);
	loop_cancel(engine->second);
	loop_cancel(engine->park_timer);
	if (engine->broker)
		engine->config.broker->close(engine->broker);
	while (engine->works) {
		engine->works->unanswered = 0;
		engine->works->items_count = 0;
		work_free(engine, engine->works);
	}
	items_forget(engine);
	machines_end(engine);
	lanes_free(engine);
	db_stop(engine);
	while (engine->suspects)
		suspect_forget(engine, &engine->suspects->id);
	topology_free(engine->topology);
	free(engine->db_path);
	free(engine->run_path);
	free(engine->socket_path);
	free(engine->site);
	free(engine->revision);
	json_decref(engine->told_paused);
	free(engine->ballast_path);
	free(engine->broker_password);
	free(engine->store_password);
	free(engine);
}

int engine_topology(struct engine *engine, const struct topology *topology, const char *revision, struct error *error)
{
	if (!engine->db_open)
		return error_set(error, ERROR_RETRY, "db.gone", "the store cannot be reached");
	if (lanes_declare(engine, topology, error)) {
		engine->failed = *error; /* half declared: start afresh */
		return -1;
	}
	free(engine->revision);
	engine->revision = mem_strdup(revision ? revision : "");
	lanes_each_second(engine);
	engine_poke(engine);
	return load(engine, error);
}

void engine_drain(struct engine *engine)
{
	engine->draining = true;
	engine_poke(engine);
}

bool engine_quiet(const struct engine *engine)
{
	if (engine->works)
		return false;
	for (const struct session *s = engine->sessions; s; s = s->next)
		if (s->held || channel_unsent(&s->channel))
			return false;
	return true;
}

/* Without a broker nothing that comes from outside can be made durable: sources wait, the gateway answers 503. */
bool engine_accepting(const struct engine *engine)
{
	return engine->accepting && engine->connected && !engine->blocked;
}

bool engine_ready(const struct engine *engine)
{
	return engine->db_open && engine->connected && engine->consuming && !engine->failed.class;
}

const struct error *engine_failed(const struct engine *engine)
{
	return engine->failed.class ? &engine->failed : NULL;
}
