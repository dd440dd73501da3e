/* Durable steps inside the engine: members, gaps and refusals of units, and which machine has the steward. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "operations/expectation.h"
#include "services/queue/inner.h"

static int unreadable(struct error *error, const char *what)
{
	return error_set(error, ERROR_REJECT, "queue.frame", "a %s in a unit cannot be read", what);
}

struct frame_held {
	uint64_t tag;
	struct hold hold;
	struct span queue, step, path, position, envelope, body;
};

static bool take_held(struct span in, struct frame_held *held)
{
	uint32_t unit;

	return take_u32(&in, &unit) && take_u64(&in, &held->tag) && wire_take_hold(&in, &held->hold) &&
	       take_field(&in, &held->queue) && take_field(&in, &held->step) && take_field(&in, &held->path) &&
	       take_field(&in, &held->position) && take_field(&in, &held->envelope) && take_field(&in, &held->body) &&
	       held->envelope.len <= MESSAGE_ENVELOPE_MAX && held->body.len <= MESSAGE_INLINE_MAX &&
	       !memchr(held->queue.data ? held->queue.data : "", '\0', held->queue.len);
}

/* ---- gaps */
static int gap_put(struct engine *engine, struct work *work, const char *queue, struct span group, uint32_t generation,
		   uint32_t place, enum gap gap, struct error *error)
{
	bool due = false;

	if (store_gap_put(engine->store, queue, group, generation, place, gap, clock_now_ms(), &due, error))
		return -1;
	work->held_due = work->held_due || due;
	return 0;
}

/* A part that ends in this queue, or behind it, is missed where it might have come. */
static int tell(struct engine *engine, struct work *work, struct span queue, const struct message *message,
		enum gap gap, struct error *error)
{
	struct lane *lane = lane_find(engine, queue);

	for (size_t i = 0; lane && message->group.len && message->group_index && i < lane->spec->gathers_count; i++)
		if (gap_put(engine, work, lane->spec->gathers[i], message->group, message->generation,
			    message->group_index, gap, error))
			return -1;
	return 0;
}

int held_tell_dead(struct engine *engine, struct work *work, const struct dead *dead, struct error *error)
{
	return tell(engine, work, span_of(dead->queue), dead->message, GAP_DEAD, error);
}

int apply_gap(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	uint32_t unit, generation, number;
	struct span queue, group;
	bool due = false;
	uint8_t what;
	char *name;
	int result;

	if (!take_u32(&in, &unit) || !take_u8(&in, &what) || (what && what != GAP_DEAD && what != GAP_DROPPED) ||
	    !take_field(&in, &queue) || !take_field(&in, &group) || !take_u32(&in, &generation) ||
	    !take_u32(&in, &number))
		return unreadable(error, "gap");
	name = mem_span_dup(queue);
	result = what ? gap_put(engine, work, name, group, generation, number, (enum gap)what, error)
		      : store_group_size(engine->store, name, group, generation, number, clock_now_ms(), &due, error);
	work->held_due = work->held_due || due;
	free(name);
	return result;
}

/* ---- members */
/* In a work of its own: the frames of the unit are being carried out. Told again, when that fails, it is the same. */
static void refusal_go(struct engine *engine, const struct topology_queue *spec, const struct dead *letter)
{
	struct work *work;

	if (!spec || !*spec->reject)
		return;
	work = work_new(engine, NULL, 0, WORK_OWN);
	refusal_say(engine, work, spec, letter);
	work_commit(engine, work);
}

/* What the store does not take is dead as the part of what was in hand. */
static int bury(struct engine *engine, struct work *work, const struct frame_held *held, const struct error *why,
		struct error *error)
{
	struct item *item = item_find(engine, held->tag);
	struct message *message;
	struct dead dead = {.path = held->path, .position = held->position, .content = held->body, .why = why};
	char *step;
	int result;

	if (!item || (item->work != work && item->holder != work->session))
		return error_set(error, ERROR_REJECT, why->code, "%s", why->text);
	message = message_decode_new(item_envelope(item), error);
	if (!message)
		return -1;
	dead.message = message;
	dead.queue = item->lane->name;
	dead.step = step = mem_span_dup(held->step);
	result = put_dead(engine, work, &dead, item_envelope(item), item_body(item), error);
	if (!result)
		refusal_go(engine, item->lane->spec, &dead);
	log_warn("queue", message->correlationid, "dead queue=%s step=%s code=%s error=\"%s\"", dead.queue, step,
		 why->code, why->text);
	free(step);
	message_free(message);
	return result;
}

static int refused(struct engine *engine, struct work *work, const struct frame_held *held,
		   const struct message *message, const struct error *why, struct error *error)
{
	char *place = mem_span_dup(message->flow);
	struct buf text;
	int result;

	buf_init(&text, 128);
	buf_printf(&text, "{\"code\":\"%s\"}", why->code);
	note(work, message, "dead", place, buf_view(&text));
	buf_free(&text);
	free(place);
	result = bury(engine, work, held, why, error);
	if (!result && held->hold.group && strcmp(why->code, "collect.late") != 0) {
		char *queue = mem_span_dup(held->queue);

		result = gap_put(engine, work, queue, message->group, message->generation, message->group_index,
				 GAP_DEAD, error);
		free(queue);
	}
	return result || tell(engine, work, held->queue, message, GAP_DEAD, error) ? -1 : 0;
}

static int settle_outcome(struct engine *engine, struct work *work, const struct frame_held *held,
			  const struct message *message, enum held_outcome outcome, const struct error *why,
			  struct error *error)
{
	bool again = outcome == HELD_AGAIN && message->flags & MESSAGE_REPLAY;
	char *place;

	if (outcome == HELD_REFUSED)
		return refused(engine, work, held, message, why, error);
	if (outcome != HELD_DUPLICATE && !again)
		return 0;
	place = mem_span_dup(message->flow);
	note(work, message, "recognised", place,
	     again ? SPAN_LITERAL("{\"why\":\"it was here before\"}")
		   : SPAN_LITERAL("{\"why\":\"a message with the same key came first\"}"));
	free(place);
	if (again)
		return 0;
	return tell(engine, work, held->queue, message, GAP_DROPPED, error);
}

int apply_held(struct engine *engine, struct work *work, struct span in, struct error *error)
{
	enum held_outcome outcome = HELD_KEPT;
	struct message *message = NULL;
	struct frame_held held = {0};
	struct store_held put;
	struct error why = {0};
	char *queue = NULL, *step = NULL;
	bool due = false;
	int result = -1;

	if (!take_held(in, &held))
		return unreadable(error, "held message");
	message = message_decode_new(held.envelope, error);
	if (!message)
		return -1;
	queue = mem_span_dup(held.queue);
	step = mem_span_dup(held.step);
	put = (struct store_held){.hold = &held.hold,
				  .queue = queue,
				  .step = step,
				  .message = message,
				  .envelope = held.envelope,
				  .body = held.body};
	if (store_held_put(engine->store, &put, clock_now_ms(), &outcome, &due, &why, error) == 0)
		result = settle_outcome(engine, work, &held, message, outcome, &why, error);
	work->held_due = work->held_due || due;
	free(queue);
	free(step);
	message_free(message);
	return result;
}

/* ---- which machine */
static bool steward_here(const struct engine *engine)
{
	for (const struct session *s = engine->sessions; s; s = s->next)
		if (!strcmp(s->role, "steward") && !s->closing)
			return true;
	return false;
}

static int64_t steward_lock(const struct engine *engine)
{
	struct id id = id_of((struct span[]){SPAN_LITERAL("steward"), span_of(engine->site)}, 2);

	return (int64_t)id_hash(&id);
}

bool held_may_ask(struct engine *engine)
{
	bool held = false;

	if (!engine->stewards && engine->db.ops->lock(engine->db.self, steward_lock(engine), &held, NULL) == 0)
		engine->stewards = held;
	return engine->stewards;
}

/* Told of something on its way out, the steward that ended did not do it. */
static void want_again(struct engine *engine)
{
	struct error error;
	int64_t next, expected;
	bool any, events;

	if (store_held_waits(engine->store, &any, &error) || store_held_next(engine->store, &next, &error) ||
	    store_expect_next(engine->store, &expected, &error) || store_events_wait(engine->store, &events, &error)) {
		engine_store_failed(engine, &error);
		return;
	}
	engine->steward_left = false;
	if (any || events || next != INT64_MAX || expected != INT64_MAX)
		sessions_want(engine, "steward");
}

void held_look(struct engine *engine)
{
	if (steward_here(engine))
		return;
	if (engine->steward_left)
		want_again(engine);
	if (engine->stewards)
		engine->db.ops->unlock(engine->db.self, steward_lock(engine));
	engine->stewards = false;
}
