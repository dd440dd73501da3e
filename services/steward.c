/* The steward role: what waits in durable steps goes on through it. It asks the queue process what is due, does it, and
 * sleeps until the next time that something is, or until it is told that something has come. It keeps nothing: each of
 * its steps is made of what the store has, so that another one goes on where this one was stopped. Of several machines
 * one has the steward (a lock of the store's session); the queue process answers the others that it is elsewhere. */
#include "config.h"
#include "services/steward.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/refusal.h"

#define RETRY_MS 500
#define SLEEP_MOST_MS 60000
#define IDLE_END_MS 60000
#define UNUSED_END_MS 2000
#define WINDOW_WAIT_MS 200

struct steward {
	bool wanted; /* something is due, or was not asked yet */
	bool waits;  /* something waits for a time, or for a machine that may end */
	bool used;
	int64_t next_ms;    /* when something is due */
	int64_t not_before; /* monotonic; after a failure */
};

/* ---- what the files share */
const char *steward_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t steward_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

json_t *steward_page(struct worker *worker, const json_t *collection, int64_t place, int64_t after, struct error *error)
{
	json_t *request = json_pack("{s:I s:I s:I}", "number", (json_int_t)steward_number(collection, "number"),
				    "place", (json_int_t)place, "after", (json_int_t)after);
	json_t *answer = NULL;

	queue_ask(worker->queue, "held.page", request, &answer, STEWARD_ASK_MS, error);
	json_decref(request);
	board_tick(worker->slot);
	return answer;
}

static int field(const json_t *member, const char *name, struct buf *into)
{
	buf_init(into, MESSAGE_INLINE_MAX + MESSAGE_ENVELOPE_MAX);
	return base64_decode(into, span_of(steward_text(member, name)));
}

struct message *steward_member(const json_t *member, struct error *error)
{
	struct message *message = NULL;
	struct buf envelope, body;

	if (field(member, "envelope", &envelope) == 0)
		message = message_decode_new(buf_view(&envelope), error);
	else
		error_set(error, ERROR_FATAL, "queue.frame", "a held message cannot be read");
	field(member, "body", &body);
	if (message && !message->body_ref.len)
		message->body = reader_new_copy(buf_view(&body));
	buf_free(&envelope);
	buf_free(&body);
	return message;
}

int steward_publish(struct worker *worker, struct unit *unit, const json_t *collection, const struct message *message,
		    struct error *error)
{
	const char *queue = steward_text(collection, "queue");
	struct record record = {.message = message, .stage = "published", .place = queue};
	int result;

	while ((result = unit_publish(unit, NULL, queue, false, message, error)) == 1)
		if (queue_wait(worker->queue, WINDOW_WAIT_MS, error))
			return -1;
	return result ? -1 : unit_record(unit, &record);
}

int steward_bury(struct worker *worker, struct unit *unit, const json_t *collection, const struct message *message,
		 const struct error *why)
{
	const char *queue = steward_text(collection, "queue"), *step = steward_text(collection, "step");
	const struct topology_queue *behind = topology_find(worker->topology, span_of(queue));
	const struct site *site = revisions_get(worker->revisions, message->revision, NULL);
	const struct flow *flow = site ? site_flow(site, span_of(steward_text(collection, "flow"))) : NULL;
	struct dead letter = {
		.message = message, .queue = queue, .step = step, .position = message->position, .why = why};
	json_t *detail = json_pack("{s:s s:s s:s}", "step", step, "code", why->code, "reason", why->text);
	char *text = json_dumps(detail, JSON_COMPACT);
	struct record record = {.message = message,
				.stage = "dead",
				.place = steward_text(collection, "flow"),
				.detail = span_of(text)};
	int result;

	log_warn("steward", message->correlationid, "dead flow=%s step=%s code=%s error=\"%s\"", record.place, step,
		 why->code, why->text);
	unit_dead(unit, &letter);
	unit_record(unit, &record);
	for (size_t i = 0; behind && message->group.len && message->group_index && i < behind->gathers_count; i++)
		unit_gap(unit, behind->gathers[i], message->group, message->generation, message->group_index, GAP_DEAD);
	while ((result = refusal_publish(unit, flow, &letter)) == 1)
		if (queue_wait(worker->queue, WINDOW_WAIT_MS, NULL))
			break;
	free(text);
	json_decref(detail);
	return result ? -1 : 0;
}

int steward_change(struct worker *worker, const json_t *collection, const char *change, const char *reason,
		   struct error *error)
{
	struct unit *unit = unit_new(worker->queue);
	json_t *request = json_pack("{s:I}", "number", (json_int_t)steward_number(collection, "number"));

	if (reason)
		json_object_set_new(request, "reason", json_string(reason));
	unit_change(unit, change, request);
	return unit_commit_within(unit, STEWARD_COMMIT_MS, error);
}

/* ---- what is due */
static int step_of(struct worker *worker, const json_t *collection, struct error *error)
{
	const char *state = steward_text(collection, "state");
	int result;

	if (!strcmp(state, "closing")) {
		result = steward_collect(worker, collection, error);
		FAULT("steward.published");
		return result;
	}
	if (!strcmp(state, "published")) {
		result = steward_change(worker, collection, "held.clean", NULL, error);
		FAULT("steward.cleaned");
		return result;
	}
	if (strcmp(steward_text(collection, "kind"), "collect")) {
		result = steward_release(worker, collection, error);
		FAULT("steward.released");
		return result;
	}
	result = steward_change(worker, collection, "held.close", "time", error);
	FAULT("steward.decided");
	return result;
}

/* One round: what is due now, in the order in which it came to be. What comes later of a key is never done before what
 * came earlier: the first failure ends the round. */
static int look(struct worker *worker, bool *more, struct error *error)
{
	struct steward *steward = worker->own;
	json_t *answer = NULL, *due, *collection;
	size_t i;
	int result = 0;

	steward->wanted = false;
	if (queue_ask(worker->queue, "held.due", NULL, &answer, STEWARD_ASK_MS, error))
		return -1;
	due = json_object_get(answer, "due");
	*more = json_array_size(due) > 0;
	json_array_foreach(due, i, collection) {
		result = step_of(worker, collection, error);
		if (result)
			break;
		board_tick(worker->slot);
	}
	steward->used = steward->used || *more;
	steward->waits = json_is_integer(json_object_get(answer, "next_ms")) ||
			 json_is_true(json_object_get(answer, "elsewhere"));
	steward->next_ms = steward->waits ? steward_number(answer, "next_ms") : INT64_MAX;
	json_decref(answer);
	return result;
}

static int sleep_for(const struct steward *steward)
{
	int64_t now = clock_now_ms(), wait = steward->next_ms - now;

	if (steward->wanted || clock_tick_ms() < steward->not_before)
		wait = steward->not_before - clock_tick_ms();
	return wait < 0 ? 0 : wait > SLEEP_MOST_MS ? SLEEP_MOST_MS : (int)wait;
}

static void steward_ready(struct worker *worker)
{
	struct steward *steward = worker->own;
	struct error error = {0};
	bool more = true;

	while (more && !worker->draining && clock_tick_ms() >= steward->not_before &&
	       (steward->wanted || steward->next_ms <= clock_now_ms())) {
		worker->busy_at = clock_tick_ms();
		if (look(worker, &more, &error) == 0) {
			steward->wanted = steward->wanted || more;
			continue;
		}
		if (error.class == ERROR_FATAL)
			worker_fail(worker, &error);
		log_warn("steward", SPAN_NONE, "again soon code=%s error=\"%s\"", error.code, error.text);
		steward->not_before = clock_tick_ms() + RETRY_MS;
		steward->wanted = true;
	}
	worker->wait_ms = sleep_for(steward);
	if (steward->wanted || steward->waits || worker->draining)
		return;
	/* nothing waits for a time: whoever brings something that does has another one started */
	if (clock_tick_ms() - worker->busy_at > (steward->used ? IDLE_END_MS : UNUSED_END_MS))
		worker_end(worker);
	else if (worker->wait_ms > UNUSED_END_MS)
		worker->wait_ms = UNUSED_END_MS;
}

/* ---- the role */
static void on_want(void *arg, const char *what)
{
	struct steward *steward = ((struct worker *)arg)->own;

	steward->wanted = true;
}

static int steward_start(struct worker *worker, struct error *error)
{
	struct steward *steward = mem_alloc(sizeof *steward);

	steward->wanted = true;
	steward->next_ms = INT64_MAX;
	worker->own = steward;
	queue_on_want(worker->queue, on_want, worker);
	return 0;
}

static void steward_drain(struct worker *worker)
{
}

/* What it does it does in one go: between two rounds of the loop nothing is under way. */
static bool steward_idle(struct worker *worker)
{
	return true;
}

static void steward_stop(struct worker *worker)
{
	free(worker->own);
}

const struct role role_steward = {
	.name = "steward",
	.start = steward_start,
	.ready = steward_ready,
	.drain = steward_drain,
	.idle = steward_idle,
	.stop = steward_stop,
	.needs_vault = true,
};
