/* Units as they come in: frames are kept as they arrived and carried out at the commit, all of a group in one
 * transaction. Publishes go to a broker that does not share the database at once. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/queue/inner.h"

struct work *work_new(struct engine *engine, struct session *session, uint32_t number, enum work_kind kind)
{
	struct work *work = mem_alloc(sizeof *work);

	*work = (struct work){.session = session, .number = number, .kind = kind, .park_due = INT64_MAX};
	work->of_steward = session && kind == WORK_UNIT && !engine->config.broker->shares_db &&
			   !strcmp(session->role, "steward");
	buf_init(&work->early, SESSION_WORK_MAX);
	buf_init(&work->writes, SESSION_WORK_MAX);
	buf_init(&work->unsent, SESSION_WORK_MAX);
	buf_init(&work->records, MESSAGE_INLINE_MAX);
	work->all_next = engine->works;
	if (engine->works)
		engine->works->all_previous = work;
	engine->works = work;
	if (session && kind == WORK_UNIT) {
		work->next = session->works;
		session->works = work;
		session->open_works++;
	}
	return work;
}

struct work *work_find(struct session *session, uint32_t number)
{
	struct work *work = session->works;

	while (work && work->number != number)
		work = work->next;
	return work;
}

void work_unlink(struct work *work)
{
	struct work **at = &work->session->works;

	while (*at && *at != work)
		at = &(*at)->next;
	if (*at) {
		*at = work->next;
		work->session->open_works--;
	}
	work->next = NULL;
}

static void unstall(struct engine *engine, struct work *work)
{
	for (struct work **at = &engine->stalled; *at; at = &(*at)->stalled_next)
		if (*at == work) {
			*at = work->stalled_next;
			break;
		}
	work->stalled = false;
}

void work_free(struct engine *engine, struct work *work)
{
	if (work->stalled)
		unstall(engine, work);
	if (work->session) {
		work->session->work_bytes -= work->early.len + work->writes.len;
		work->session->stalled_bytes -= work->unsent.len;
	}
	buf_free(&work->early);
	buf_free(&work->writes);
	buf_free(&work->unsent);
	buf_free(&work->records);
	free(work->items);
	free(work->changes);
	if (work->all_previous)
		work->all_previous->all_next = work->all_next;
	else
		engine->works = work->all_next;
	if (work->all_next)
		work->all_next->all_previous = work->all_previous;
	free(work);
}

bool work_takes(struct work *work, struct item *item)
{
	if (item->work)
		return false;
	item->work = work;
	work->items = mem_grow(work->items, &work->items_room, work->items_count + 1, sizeof *work->items);
	work->items[work->items_count++] = item;
	return true;
}

/* Appends a frame to one of the unit's buffers. */
void work_add(struct work *work, struct buf *buf, uint8_t type, struct span payload)
{
	size_t before = buf->len, at = wire_begin(buf, (enum frame)type);

	buf_span(buf, payload);
	if ((work->session && work->session->work_bytes > SESSION_WORK_MAX) || !wire_end(buf, at)) {
		buf->len = before;
		if (!work->error.class)
			error_set(&work->error, ERROR_REJECT, "unit.too-large",
				  "a unit of more than %u MiB: split the document into smaller parts",
				  SESSION_WORK_MAX >> 20);
		return;
	}
	if (work->session)
		work->session->work_bytes += buf->len - before;
}

/* ---- publishing */
static int target_of(const char *name, bool queue, struct publication *what)
{
	if (queue && !strncmp(name, WIRE_TOPIC_PREFIX, sizeof WIRE_TOPIC_PREFIX - 1)) {
		what->topic =
			name + sizeof WIRE_TOPIC_PREFIX - 1; /* a dead letter of step `publish` that is replayed */
		return 0;
	}
	what->topic = queue ? NULL : name;
	what->queue = queue ? name : NULL;
	return 0;
}

int publish_payload(struct engine *engine, uint64_t token, struct span payload, struct error *error)
{
	struct publication what = {0};
	struct span target;
	char name[512];
	uint32_t unit;
	uint8_t flags;

	if (!take_u32(&payload, &unit) || !take_u8(&payload, &flags) || !take_field(&payload, &target) ||
	    !take_bytes(&payload, 32, &what.message_id) || !take_field(&payload, &what.envelope) ||
	    !take_field(&payload, &what.body) || target.len >= sizeof name)
		return error_set(error, ERROR_FATAL, "queue.frame", "a publish that cannot be read");
	memcpy(name, target.data, target.len);
	name[target.len] = '\0';
	what.optional = flags & WIRE_PUBLISH_OPTIONAL;
	target_of(name, flags & WIRE_PUBLISH_QUEUE, &what);
	if (engine->config.broker->publish(engine->broker, token, &what, error))
		return -1;
	engine->counters.published++;
	return 0;
}

static int send_now(struct engine *engine, struct work *work, struct span payload, struct error *error)
{
	struct sent *sent = mem_alloc(sizeof *sent + payload.len);

	sent->work = work;
	sent->len = (uint32_t)payload.len;
	memcpy(sent->frame, payload.data, payload.len);
	work->unanswered++; /* the answer may come from within publish */
	if (publish_payload(engine, (uint64_t)(uintptr_t)sent, payload, error) == 0)
		return 0;
	work->unanswered--;
	free(sent);
	return -1;
}

static void stall(struct engine *engine, struct work *work, struct span payload)
{
	size_t before = work->unsent.len, at = wire_begin(&work->unsent, FRAME_PUBLISH);

	buf_span(&work->unsent, payload);
	if (!wire_end(&work->unsent, at)) {
		error_set(&work->error, ERROR_RETRY, "unit.stalled",
			  "the broker takes no more and too much waits for it");
		return;
	}
	if (work->session)
		work->session->stalled_bytes += work->unsent.len - before;
	if (!work->stalled) {
		work->stalled = true;
		work->stalled_next = engine->stalled;
		engine->stalled = work;
	}
}

void work_published(struct engine *engine, struct work *work, struct span payload)
{
	struct error error;

	if (work->of_steward && !engine->stewards && !work->error.class)
		error_set(&work->error, ERROR_RETRY, "steward.elsewhere",
			  "another machine may have the steward by now");
	work->has_published = true;
	if (work->error.class)
		return;
	if (engine->config.broker->shares_db) {
		work_add(work, &work->early, FRAME_PUBLISH, payload);
		work_early(engine, work);
		return;
	}
	if (work->stalled || send_now(engine, work, payload, &error)) {
		if (!work->stalled && error.class != ERROR_RETRY)
			work->error = error;
		else
			stall(engine, work, payload);
	}
}

/* A large unit gives up what may be durable before it: publishes have happened then, though nothing is settled. */
void work_early(struct engine *engine, struct work *work)
{
	struct db *db = &engine->db;
	struct error error;

	if (work->early.len < UNIT_EARLY || work->error.class || engine->in_transaction)
		return;
	if (!engine->db_open) {
		error_set(&work->error, ERROR_RETRY, "db.gone", "the store cannot be reached");
		return;
	}
	if (db->ops->begin(db->self, &error))
		goto failed;
	engine->in_transaction = true;
	if (frames_apply(engine, work, buf_view(&work->early), &error) || db->ops->commit(db->self, &error)) {
		db->ops->rollback(db->self);
		engine->config.broker->rolled_back(engine->broker);
		engine->in_transaction = false;
		goto failed;
	}
	engine->in_transaction = false;
	FAULT("queue.early");
	work->records_early = work->records.len;
	if (work->held_due)
		sessions_steward(engine);
	order_apply(engine, work->changes, work->changes_count);
	work->changes_count = 0;
	if (work->session)
		work->session->work_bytes -= work->early.len;
	buf_reset(&work->early);
	engine->config.broker->flush(engine->broker);
	engine_poke(engine);
	return;
failed:
	work->error = error;
	work->changes_count = 0;
	engine_store_failed(engine, &error);
}

static void ready(struct engine *engine, struct work *work)
{
	FAULT("queue.received");
	work->next = NULL;
	*engine->ready_last = work;
	engine->ready_last = &work->next;
	engine_poke(engine);
}

void work_commit(struct engine *engine, struct work *work)
{
	work->committing = true;
	if (!work->unanswered && !work->unsent.len)
		ready(engine, work);
}

/* The session has gone, or does not want it any more. */
void work_abandon(struct engine *engine, struct work *work)
{
	for (size_t i = 0; i < work->items_count; i++)
		work->items[i]->work = NULL;
	work->items_count = 0;
	if (work->stalled)
		unstall(engine, work);
	if (work->session) {
		work->session->stalled_bytes -= work->unsent.len;
		work->session->work_bytes -= work->early.len + work->writes.len;
		work->session = NULL;
	}
	buf_free(&work->unsent);
	buf_free(&work->early);
	buf_free(&work->writes);
	work->committing = false;
	if (work->unanswered)
		work->kind = WORK_OWN, work->done = NULL; /* goes with its last answer */
	else
		work_free(engine, work);
}

/* ---- answers of the broker */
static void unroutable(struct work *work, const struct sent *sent)
{
	work_add(work, &work->early, OWN_UNROUTABLE, span_make(sent->frame, sent->len));
}

void work_answered(void *arg, uint64_t token, enum published how, const struct error *error)
{
	struct engine *engine = arg;
	struct sent *sent = (struct sent *)(uintptr_t)token;
	struct work *work = sent->work;

	if (how == PUBLISH_RETURNED)
		engine->counters.returned++;
	if (engine->config.broker->shares_db) { /* within publish_payload: `sent` is its caller's */
		sent->returned = how == PUBLISH_RETURNED;
		return;
	}
	if (how == PUBLISH_RETURNED)
		unroutable(work, sent);
	else if (how == PUBLISH_FAILED && !work->error.class)
		work->error = *error;
	free(sent);
	work->unanswered--;
	if (engine->stalled)
		engine_poke(engine);
	if (work->unanswered)
		return;
	if (work->committing && !work->unsent.len)
		ready(engine, work);
	else if (work->kind == WORK_OWN && !work->committing && !work->done)
		work_free(engine, work);
}

static bool send_stalled(struct engine *engine, struct work *work)
{
	struct span rest = buf_view(&work->unsent), payload;
	struct error error;
	uint8_t type;

	while (!work->error.class) {
		struct span before = rest;

		if (wire_next(&rest, &type, &payload) != 1)
			break;
		if (send_now(engine, work, payload, &error) == 0)
			continue;
		if (error.class == ERROR_RETRY) {
			size_t sent = work->unsent.len - before.len;

			if (work->session)
				work->session->stalled_bytes -= sent;
			buf_drop(&work->unsent, sent);
			return false;
		}
		work->error = error;
	}
	if (work->session)
		work->session->stalled_bytes -= work->unsent.len;
	buf_reset(&work->unsent);
	return true;
}

void works_unstall(struct engine *engine)
{
	while (engine->stalled) {
		struct work *work = engine->stalled;

		if (!send_stalled(engine, work))
			return;
		unstall(engine, work);
		if (work->committing && !work->unanswered)
			ready(engine, work);
	}
}
