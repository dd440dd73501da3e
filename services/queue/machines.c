/* What is wrong here, noted in the store for the other machines of the site, and what is wrong there. See
 * operations/machines.h. Written when something begins or ends, and now and then when its words change; whether a
 * machine is there tells the lock of its session, so that no time needs to be written for that. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "operations/machines.h"
#include "services/queue/inner.h"

#define OWN_MS 2000
#define OTHERS_MS 10000
#define AGE_MS 5000	 /* what is over by then is not worth a row */
#define REWORDED_MS 30000 /* between two writings of a trouble that goes on */
#define RETRY_MS 10000

struct machines {
	json_t *written; /* our rows, by key, as far as they are known to be there */
	json_t *at;	 /* … when each was written; monotonic */
	json_t *first;	 /* problem → when it was first seen; monotonic */
	bool known;	 /* what we have there: asked again after each loss */
	int64_t own_at, others_at, retry_at;
};

/* ---- who we are */
void machines_name(struct engine *engine)
{
	if (engine->config.broker->shares_db)
		return;
	machine_name(engine->machine);
	engine->machines = mem_alloc(sizeof *engine->machines);
	engine->machines->written = json_object();
	engine->machines->at = json_object();
	engine->machines->first = json_object();
}

static void own_key(const struct engine *engine, char key[17])
{
	for (size_t i = 0; i < 8; i++)
		snprintf(key + 2 * i, 3, "%02x", engine->instance[i]);
}

/* A verb that looks into a site that does not run is no machine. */
static bool runs(const struct engine *engine)
{
	for (const struct session *s = engine->sessions; s; s = s->next)
		if (s->supervisor)
			return true;
	return false;
}

/* ---- reading */
static int take_row(void *arg, struct span key, struct span value)
{
	json_t *row = json_loadb(value.data ? value.data : "", value.len, 0, NULL);
	char *name = mem_span_dup(key);

	if (json_is_object(row))
		json_object_set_new(arg, name, row);
	else
		json_decref(row);
	free(name);
	return 0;
}

static bool lock_of(const char *key, int64_t *lock)
{
	unsigned char bytes[8];
	unsigned byte;

	if (machines_instance(key) != 16)
		return false;
	for (size_t i = 0; i < 8; i++) {
		if (sscanf(key + 2 * i, "%2x", &byte) != 1)
			return false;
		bytes[i] = (unsigned char)byte;
	}
	memcpy(lock, bytes, 8);
	return true;
}

/* *rows and *alive are new references, NULL with -1. */
static int read_all(struct engine *engine, json_t **rows, json_t **alive, struct error *error)
{
	struct db *db = &engine->db;
	const char *key;
	json_t *row;
	bool locked;
	int64_t lock;

	*rows = json_object();
	*alive = json_object();
	if (store_entry_each(engine->store, ASK_MACHINES, MACHINES_ROWS_MAX, take_row, *rows, error))
		goto failed;
	json_object_foreach(*rows, key, row) {
		if (key[machines_instance(key)] || !lock_of(key, &lock))
			continue;
		if (db->ops->locked && db->ops->locked(db->self, lock, &locked, error))
			goto failed;
		if (!db->ops->locked || locked)
			json_object_set_new(*alive, key, json_true());
	}
	return 0;
failed:
	json_decref(*rows);
	json_decref(*alive);
	*rows = *alive = NULL;
	return -1;
}

/* ---- writing */
static int write_all(struct engine *engine, const json_t *put, const json_t *remove, struct error *error)
{
	struct db *db = &engine->db;
	struct store_entry entry = {.table = ASK_MACHINES, .by = "", .at = clock_now_ms()};
	const char *key;
	json_t *row;
	int result = 0;
	bool gone;
	size_t i;

	if (!json_object_size(put) && !json_array_size(remove))
		return 0;
	if (db->ops->begin(db->self, error))
		return -1;
	json_object_foreach((json_t *)put, key, row) {
		char *text = json_dumps(row, JSON_COMPACT);

		entry.key = span_of(key);
		entry.value = span_of(text ? text : "{}");
		result = result || store_entry_put(engine->store, &entry, true, error);
		free(text);
	}
	json_array_foreach(remove, i, row)
		result = result || store_entry_remove(engine->store, ASK_MACHINES, span_of(json_string_value(row)),
						      &gone, error);
	if (!result)
		return db->ops->commit(db->self, error);
	db->ops->rollback(db->self);
	return -1;
}

/* ---- ours */
/* What has lasted a little; what is seen in two sessions counts once. */
static void add_problems(struct engine *engine, const char *own, json_t *rows)
{
	json_t *problems = live_problems_new(engine), *first = json_object(), *problem;
	struct machines *machines = engine->machines;
	int64_t now = clock_tick_ms(), since;
	size_t i;

	json_array_foreach(problems, i, problem) {
		const char *name = json_string_value(json_object_get(problem, "problem"));
		json_t *before = name ? json_object_get(machines->first, name) : NULL;

		if (!name || strlen(name) > MACHINES_NAME_MAX || json_object_size(first) == MACHINES_TROUBLES_MAX)
			continue;
		since = before ? json_integer_value(before) : now;
		json_object_set_new(first, name, json_integer(since));
		if (now - since >= AGE_MS) {
			char *key = mem_printf("%s/%s", own, name);

			if (!json_object_get(rows, key))
				json_object_set(rows, key, problem);
			free(key);
		}
	}
	json_decref(machines->first);
	machines->first = first;
	json_decref(problems);
}

static bool due_again(const struct machines *machines, const char *key, const json_t *row)
{
	const json_t *written = json_object_get(machines->written, key);

	return !written || (!json_equal(row, written) &&
			    clock_tick_ms() - json_integer_value(json_object_get(machines->at, key)) >= REWORDED_MS);
}

static void wrote(struct machines *machines, const json_t *put, const json_t *remove)
{
	const char *key;
	json_t *row;
	size_t i;

	json_object_foreach((json_t *)put, key, row) {
		json_object_set(machines->written, key, row);
		json_object_set_new(machines->at, key, json_integer(clock_tick_ms()));
	}
	json_array_foreach(remove, i, row) {
		json_object_del(machines->written, json_string_value(row));
		json_object_del(machines->at, json_string_value(row));
	}
}

static int tell_own(struct engine *engine, struct error *error)
{
	struct machines *machines = engine->machines;
	json_t *wanted = json_object(), *put = json_object(), *remove = json_array(), *row;
	const char *key;
	char own[17];
	int result;

	own_key(engine, own);
	json_object_set_new(wanted, own,
			    json_pack("{s:s s:I}", "machine", engine->machine, "since",
				      (json_int_t)engine->started_ms));
	add_problems(engine, own, wanted);
	json_object_foreach(wanted, key, row)
		if (due_again(machines, key, row))
			json_object_set(put, key, row);
	json_object_foreach(machines->written, key, row)
		if (!json_object_get(wanted, key))
			json_array_append_new(remove, json_string(key));
	result = write_all(engine, put, remove, error);
	if (!result)
		wrote(machines, put, remove);
	json_decref(wanted);
	json_decref(put);
	json_decref(remove);
	return result;
}

/* ---- the others */
static void learn_own(struct engine *engine, const json_t *rows)
{
	struct machines *machines = engine->machines;
	const char *key;
	char own[17];
	json_t *row;

	own_key(engine, own);
	json_object_clear(machines->written);
	json_object_foreach((json_t *)rows, key, row)
		if (machines_instance(key) == 16 && !memcmp(key, own, 16))
			json_object_set(machines->written, key, row);
	machines->known = true;
}

static void log_tidied(const json_t *put)
{
	const char *key;
	json_t *row;

	json_object_foreach((json_t *)put, key, row) {
		const char *name = json_string_value(json_object_get(row, "machine"));

		log_warn("queue", SPAN_NONE, "machine %s %s", name ? name : key,
			 json_object_get(row, "gone") ? "is gone: it ended without a word" : "is back");
	}
}

static int look_at_others(struct engine *engine, struct error *error)
{
	json_t *rows, *alive, *plan;
	char own[17];
	int result;

	if (read_all(engine, &rows, &alive, error))
		return -1;
	own_key(engine, own);
	learn_own(engine, rows); /* another of our name may have taken us for gone */
	plan = machines_tidy(rows, alive, own, engine->machine, clock_now_ms());
	result = write_all(engine, json_object_get(plan, "put"), json_object_get(plan, "remove"), error);
	if (!result)
		log_tidied(json_object_get(plan, "put"));
	json_decref(plan);
	json_decref(rows);
	json_decref(alive);
	return result;
}

/* Every second. */
void machines_look(struct engine *engine)
{
	struct machines *machines = engine->machines;
	int64_t now = clock_tick_ms();
	struct error error = {0};

	if (!machines || engine->in_transaction || now < machines->retry_at || !runs(engine))
		return;
	if (!machines->known || now >= machines->others_at) {
		machines->others_at = now + OTHERS_MS;
		if (look_at_others(engine, &error))
			goto failed;
	}
	if (now >= machines->own_at) {
		machines->own_at = now + OWN_MS;
		if (tell_own(engine, &error))
			goto failed;
	}
	return;
failed:
	machines->known = false;
	machines->retry_at = now + RETRY_MS;
	log_warn("queue", SPAN_NONE, "the other machines do not hear of this one code=%s error=\"%s\"", error.code,
		 error.text);
	if (!engine->db.ops->alive(engine->db.self))
		engine_store_failed(engine, &error);
}

/* ---- answers */
int machines_answer(struct engine *engine, json_t *answer, struct error *error)
{
	json_t *problems = json_object_get(answer, "problems"), *problem, *rows, *alive;
	char own[17];
	size_t i;

	if (!engine->machines || !engine->db_open)
		return 0;
	if (read_all(engine, &rows, &alive, error))
		return -1;
	own_key(engine, own);
	json_array_foreach(problems, i, problem)
		json_object_set_new(problem, "machines", json_pack("[s]", engine->machine));
	machines_tell(rows, alive, own, engine->machine, clock_now_ms(), problems);
	json_object_set_new(answer, "machine", json_string(engine->machine));
	json_object_set_new(answer, "machines", machines_others(rows, alive, own));
	json_decref(rows);
	json_decref(alive);
	return 0;
}

/* ---- the end */
void machines_lost(struct engine *engine)
{
	if (!engine->machines)
		return;
	engine->machines->known = false;
	engine->machines->retry_at = 0;
}

void machines_end(struct engine *engine)
{
	struct machines *machines = engine->machines;
	json_t *remove = json_array();
	struct error error = {0};
	const char *key;
	json_t *row;

	if (!machines) {
		json_decref(remove);
		return;
	}
	json_object_foreach(machines->written, key, row)
		json_array_append_new(remove, json_string(key));
	if (engine->db_open && !engine->in_transaction && engine->db.ops->alive(engine->db.self) &&
	    write_all(engine, NULL, remove, &error))
		log_warn("queue", SPAN_NONE, "the other machines take this one for lost error=\"%s\"", error.text);
	json_decref(remove);
	json_decref(machines->written);
	json_decref(machines->at);
	json_decref(machines->first);
	free(machines);
	engine->machines = NULL;
}
