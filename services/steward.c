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
#include "operations/held.h"
#include "services/expiries.h"
#include "services/key_files.h"
#include "services/receive.h"
#include "services/refusal.h"
#include "services/sent.h"

#define RETRY_MS 500
#define SLEEP_MOST_MS 60000
#define IDLE_END_MS 60000
#define UNUSED_END_MS 2000
#define WINDOW_WAIT_MS 200
#define STUCK_MOST STORE_WITHOUT_MOST
#define STUCK_WAIT_MOST_MS 60000

/* A step that failed, by the queue behind it: it is tried again later and later, and the others go on meanwhile. */
struct stuck {
	char *queue;
	int64_t wait_ms, not_before; /* monotonic */
};

struct steward {
	bool wanted; /* something is due, or was not asked yet */
	bool waits;  /* something waits for a time, or for a machine that may end */
	bool used;
	int64_t next_ms;    /* when something is due */
	int64_t keys_ms;    /* when to look again at what ends some day */
	int64_t trail_ms;   /* when to look again whether keys have changed */
	int64_t sent_ms;    /* when to look again at copies of what was delivered */
	int64_t remind_ms;  /* when to look again at what lasts */
	int64_t not_before; /* monotonic; after a failure of the site */
	struct stuck stuck[STUCK_MOST];
	size_t stuck_count;
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
		error_set(error, ERROR_RETRY, "held.damaged", "a message that waits cannot be read");
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

	while ((result = unit_publish(unit, NULL, queue, false, message, error)) == 1) {
		board_tick(worker->slot);
		if (queue_wait(worker->queue, WINDOW_WAIT_MS, error))
			return -1;
	}
	if (!result && !worker->site->broker->shares_db)
		receive_keep(unit, queue, message);
	return result ? -1 : unit_record(unit, &record);
}

int steward_renew(struct worker *worker, const struct message *message, struct error *error)
{
	return (message->body_ref.len && vault_renew(worker->vault, message->body_ref, error)) ||
			       (message->origin.ref.len && vault_renew(worker->vault, message->origin.ref, error))
		       ? -1
		       : 0;
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
	while ((result = refusal_publish(unit, flow, &letter)) == 1) {
		board_tick(worker->slot);
		if (queue_wait(worker->queue, WINDOW_WAIT_MS, NULL))
			break;
	}
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

/* ---- steps that fail
 * What the whole site suffers from ends the round; anything else is the matter of one step. */
static bool of_the_site(const struct error *error)
{
	static const char *const codes[] = {"queue.gone",  "db.gone",	      "db.busy",   "db.full",  "broker.down",
					    "broker.lost", "broker.blocked", "site.full", "disk.full",
					    "disk.sync",   "disk.write"};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (!strcmp(error->code, codes[i]))
			return true;
	return false;
}

static struct stuck *stuck_find(struct steward *steward, const char *queue)
{
	for (size_t i = 0; i < steward->stuck_count; i++)
		if (!strcmp(steward->stuck[i].queue, queue))
			return &steward->stuck[i];
	return NULL;
}

static void tell_stuck(struct worker *worker, const char *queue, const struct error *error)
{
	json_t *state = error ? json_pack("{s:s s:I s:s s:s}", "state", "stuck", "since", (json_int_t)clock_now_ms(),
					  "code", error->code, "error", error->text)
			      : json_pack("{s:s}", "state", "open");

	queue_state(worker->queue, queue, state);
	json_decref(state);
}

/* False: there are too many of them for this one to be noted. */
static bool stuck_note(struct worker *worker, const char *queue, const struct error *error)
{
	struct steward *steward = worker->own;
	struct stuck *stuck = stuck_find(steward, queue);

	if (!stuck && steward->stuck_count == STUCK_MOST)
		return false;
	if (!stuck) {
		stuck = &steward->stuck[steward->stuck_count++];
		*stuck = (struct stuck){.queue = mem_strdup(queue), .wait_ms = RETRY_MS};
		tell_stuck(worker, queue, error);
	} else {
		stuck->wait_ms = stuck->wait_ms * 2 > STUCK_WAIT_MOST_MS ? STUCK_WAIT_MOST_MS : stuck->wait_ms * 2;
	}
	stuck->not_before = clock_tick_ms() + stuck->wait_ms;
	log_warn("steward", SPAN_NONE, "stuck queue=%s again_in_ms=%lld code=%s error=\"%s\"", queue,
		 (long long)stuck->wait_ms, error->code, error->text);
	return true;
}

static void stuck_over(struct worker *worker, const char *queue)
{
	struct steward *steward = worker->own;
	struct stuck *stuck = stuck_find(steward, queue);

	if (!stuck)
		return;
	tell_stuck(worker, queue, NULL);
	free(stuck->queue);
	*stuck = steward->stuck[--steward->stuck_count];
}

static bool stuck_now(struct steward *steward, const char *queue)
{
	const struct stuck *stuck = stuck_find(steward, queue);

	return stuck && clock_tick_ms() < stuck->not_before;
}

/* Monotonic; INT64_MAX: none. */
static int64_t stuck_next(const struct steward *steward)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < steward->stuck_count; i++)
		if (steward->stuck[i].not_before < next)
			next = steward->stuck[i].not_before;
	return next;
}

static json_t *without_new(struct steward *steward)
{
	json_t *queues = json_array();

	for (size_t i = 0; i < steward->stuck_count; i++)
		if (stuck_now(steward, steward->stuck[i].queue))
			json_array_append_new(queues, json_string(steward->stuck[i].queue));
	return json_pack("{s:o}", "without", queues);
}

/* ---- rounds */
static int one(struct worker *worker, const json_t *collection, bool *done, struct error *error)
{
	const char *queue = steward_text(collection, "queue");
	int result;

	if (stuck_now(worker->own, queue))
		return 0;
	board_hold(worker->slot, &(struct id){{0}});
	board_step(worker->slot, queue);
	result = step_of(worker, collection, error);
	board_let_go(worker->slot);
	if (result && (of_the_site(error) || !stuck_note(worker, queue, error)))
		return -1;
	if (!result)
		stuck_over(worker, queue);
	*done = *done || !result;
	return 0;
}

/* One round: what is due now, in the order in which it came to be. What comes later of a key is never done before what
 * came earlier: a failure ends the round for its step. */
static int look_at_held(struct worker *worker, bool *more, struct error *error)
{
	struct steward *steward = worker->own;
	json_t *request = without_new(steward), *answer = NULL, *due, *collection;
	size_t i;
	int result = queue_ask(worker->queue, "held.due", request, &answer, STEWARD_ASK_MS, error);

	json_decref(request);
	*more = false;
	if (result)
		return -1;
	due = json_object_get(answer, "due");
	json_array_foreach(due, i, collection) {
		result = one(worker, collection, more, error);
		if (result)
			break;
	}
	steward->used = steward->used || json_array_size(due) > 0;
	steward->waits = json_is_integer(json_object_get(answer, "next_ms")) ||
			 json_is_true(json_object_get(answer, "elsewhere"));
	/* what is due and was not done waits for its step */
	steward->next_ms = !json_is_integer(json_object_get(answer, "next_ms")) ? INT64_MAX
			   : *more || !json_array_size(due)		       ? steward_number(answer, "next_ms")
									       : clock_now_ms() + RETRY_MS;
	json_decref(answer);
	return result;
}

/* What must happen by a time comes first: alerts are not to wait for what fails elsewhere. */
static int look(struct worker *worker, bool *more, struct error *error)
{
	struct steward *steward = worker->own;
	int64_t next = INT64_MAX;
	bool again = false, elsewhere = false;

	steward->wanted = false; /* from here on: what is told of while it looks is looked at in the next round */
	board_hold(worker->slot, &(struct id){{0}});
	board_step(worker->slot, "expectations");
	if (steward_expect(worker, &again, &next, &elsewhere, error) ||
	    (!elsewhere && expiries_any(worker->site) &&
	     steward_keys(worker, &again, &steward->keys_ms, error)) ||
	    (!elsewhere && key_files_any(worker->site) && steward_trail(worker, &steward->trail_ms, error)) ||
	    (!elsewhere && sent_any(worker->site) && sent_expire(worker, &again, &steward->sent_ms, error)) ||
	    (!elsewhere && steward_reminds(worker->site) &&
	     steward_remind(worker, &again, &steward->remind_ms, error))) {
		board_let_go(worker->slot);
		steward->wanted = true;
		return -1;
	}
	board_let_go(worker->slot);
	if (look_at_held(worker, more, error))
		return -1;
	*more = *more || again;
	steward->used = steward->used || again;
	if (expiries_any(worker->site) && !elsewhere && steward->keys_ms < next)
		next = steward->keys_ms;
	if (key_files_any(worker->site) && !elsewhere && steward->trail_ms < next)
		next = steward->trail_ms;
	if (sent_any(worker->site) && !elsewhere && steward->sent_ms < next)
		next = steward->sent_ms;
	if (steward_reminds(worker->site) && !elsewhere && steward->remind_ms < next)
		next = steward->remind_ms;
	steward->waits = steward->waits || next != INT64_MAX || steward_has_days(worker->site) ||
			 expiries_any(worker->site) || key_files_any(worker->site) || sent_any(worker->site) ||
			 steward_reminds(worker->site);
	if (next < steward->next_ms)
		steward->next_ms = next;
	return 0;
}

static bool is_time(const struct steward *steward)
{
	int64_t now = clock_tick_ms();

	return now >= steward->not_before &&
	       (steward->wanted || steward->next_ms <= clock_now_ms() || stuck_next(steward) <= now);
}

static int sleep_for(const struct steward *steward)
{
	int64_t now = clock_tick_ms(), wait = steward->next_ms - clock_now_ms(), stuck = stuck_next(steward);

	if (stuck != INT64_MAX && stuck - now < wait)
		wait = stuck - now;
	if (steward->wanted || now < steward->not_before)
		wait = steward->not_before - now;
	return wait < 0 ? 0 : wait > SLEEP_MOST_MS ? SLEEP_MOST_MS : (int)wait;
}

static void steward_ready(struct worker *worker)
{
	struct steward *steward = worker->own;
	struct error error = {0};
	bool more = true;

	while (more && !worker->draining && is_time(steward)) {
		worker->busy_at = clock_tick_ms();
		if (look(worker, &more, &error) == 0) {
			steward->wanted = steward->wanted || more;
			continue;
		}
		if (!strcmp(error.code, "queue.gone"))
			worker_fail(worker, &error);
		log_warn("steward", SPAN_NONE, "again soon code=%s error=\"%s\"", error.code, error.text);
		steward->not_before = clock_tick_ms() + RETRY_MS;
		steward->wanted = true;
	}
	worker->wait_ms = sleep_for(steward);
	if (steward->wanted || steward->waits || steward->stuck_count || worker->draining)
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
	struct steward *steward = worker->own;

	while (steward->stuck_count)
		free(steward->stuck[--steward->stuck_count].queue);
	free(steward);
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
