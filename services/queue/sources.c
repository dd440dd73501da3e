/* Sources that one of several machines asks: the lock of such a source is one of the store's session, and belongs to
 * the worker here that asked for it. It goes with that worker's session, with the store's connection, or with the
 * machine. See `hold-source` in operations/ask.h.
 *
 * Each time that a source is taken has a number of its own, its tenure, and what is made of that source's documents
 * says under which it was begun. The lock and the commit belong to the same connection: as long as a commit on it
 * succeeds, no other machine has had the lock since it was taken. So a worker that stood still while another took over
 * finds its unit refused, and nothing is written twice. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "services/queue/inner.h"

struct source_held {
	struct source_held *next;
	const struct session *session;
	int64_t lock, tenure;
};

static int64_t lock_of(const struct engine *engine, const char *name)
{
	struct id id = id_of((struct span[]){SPAN_LITERAL("source"), span_of(engine->site), span_of(name)}, 3);

	return (int64_t)id_hash(&id);
}

static struct source_held *find(const struct engine *engine, int64_t lock)
{
	struct source_held *held = engine->sources;

	while (held && held->lock != lock)
		held = held->next;
	return held;
}

int sources_hold(struct session *session, const json_t *request, json_t **answer, struct error *error)
{
	struct engine *engine = session->engine;
	const char *name = json_string_value(json_object_get(request, "name"));
	struct source_held *held;
	bool got = false;
	int64_t lock;

	if (!name)
		return error_set(error, ERROR_REJECT, "ask.request", "hold-source: which one?");
	lock = lock_of(engine, name);
	held = find(engine, lock);
	if (held) {
		got = held->session == session; /* a worker that ended just now has it until its session is gone */
	} else if (engine->db.ops->lock(engine->db.self, lock, &got, error)) {
		return -1;
	} else if (got) {
		held = mem_alloc(sizeof *held);
		*held = (struct source_held){engine->sources, session, lock, ++engine->tenures};
		engine->sources = held;
	}
	*answer = json_pack("{s:b s:I}", "held", got, "tenure", (json_int_t)(got && held ? held->tenure : 0));
	return 0;
}

int sources_fence(struct engine *engine, const json_t *request, struct error *error)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	const struct source_held *held = name ? find(engine, lock_of(engine, name)) : NULL;

	if (held && held->tenure == json_integer_value(json_object_get(request, "tenure")))
		return 0;
	return error_set(
		error, ERROR_RETRY, "source.lost",
		"%s: another machine may have asked this source meanwhile, so that nothing of it is taken here",
		name ? name : "no source");
}

/* The same before anything of the unit goes to a broker, as far as it is known then. */
void sources_fence_early(struct work *work, struct engine *engine, struct span in)
{
	struct span name, text;
	json_t *request;
	uint32_t unit;

	if (work->error.class || !take_u32(&in, &unit) || !take_field(&in, &name) || !span_is(name, "fence-source") ||
	    !take_field(&in, &text))
		return;
	request = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
	sources_fence(engine, request, &work->error);
	json_decref(request);
}

/* session NULL: all, and their locks went with the connection. */
void sources_leave(struct engine *engine, const struct session *session)
{
	for (struct source_held **at = &engine->sources; *at;) {
		struct source_held *held = *at;

		if (session && held->session != session) {
			at = &held->next;
			continue;
		}
		*at = held->next;
		if (session && engine->db_open)
			engine->db.ops->unlock(engine->db.self, held->lock);
		free(held);
	}
}
