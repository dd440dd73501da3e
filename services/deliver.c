/* The deliver role: takes from out.<endpoint>, makes each message's one effect, keeps its receipt. The same loop serves all
 * HTTP endpoints in one process and each file endpoint in a process of its own; what differs is in the sink.
 *
 * The order that must hold: prepared → intent stored → effect → receipt stored with the input settled. An attempt walks
 * through the states below; only `state` says what may happen next. */
#include "config.h"
#include "services/worker.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/deliver_request.h"
#include "services/deliver_sweep.h"
#include "services/deliver_target.h"
#include "services/refusal.h"

#define REAP_MAX 64
#define WINDOW_MESSAGES 64
#define IDLE_END_MS 60000
#define UNUSED_END_MS 2000 /* of a worker that was started only to sweep */
#define BUSY_PARK_MS 2000

enum state {
	STATE_INTENDING, /* waits for the store's word */
	STATE_RUNNING,   /* the sink has it */
	STATE_SETTLING,  /* its unit is on its way */
};

struct job {
	struct job *next, **at;
	enum state state;
	struct target *target;
	struct delivery *delivery;
	struct attempt attempt;
	struct buf idempotency_key;
	struct intention intention;
	struct id request;
	struct error why;      /* of the unit under way: what to log when it is committed */
	const char *became;    /* the record's stage */
	bool conclusive;       /* the unit under way ends this effect's story: no witness is needed any more */
	struct worker *worker;
};

struct deliver {
	const struct sink_ops *ops;
	void *sink;
	struct target *targets;
	size_t targets_count;
	struct job *jobs;
	unsigned jobs_count;
	bool used;
};

static struct deliver *own(struct worker *worker)
{
	return worker->own;
}

/* ---- the end of a job ------------------------------------------------------------------------------------------ */

static void job_free(struct job *job)
{
	struct deliver *deliver = own(job->worker);

	*job->at = job->next;
	if (job->next)
		job->next->at = job->at;
	deliver->jobs_count--;
	job->target->in_hand--;
	deliver->ops->abandon(deliver->sink, &job->attempt);
	buf_free(&job->attempt.receipt);
	buf_free(&job->idempotency_key);
	free(job);
}

/* Back to the queue process, in its old place: nothing was done, or it is to be found out again. */
static void give_back(struct job *job)
{
	queue_release(job->worker->queue, job->delivery);
	job_free(job);
}

static void settled(void *arg, const struct error *error)
{
	struct job *job = arg;
	struct span correlation = job->delivery->message->correlationid;

	board_tick(job->worker->slot);
	if (error) {
		log_warn("deliver", correlation, "not settled endpoint=%s error=\"%s\"", job->target->endpoint->name, error->text);
		give_back(job);
		return;
	}
	FAULT("deliver.settled");
	job->attempt.settled = job->conclusive;
	if (job->why.class != ERROR_NONE)
		log_warn("deliver", correlation, "%s endpoint=%s class=%s code=%s error=\"%s\"", job->became,
			 job->target->endpoint->name, error_class_name(job->why.class), job->why.code, job->why.text);
	else
		log_debug("deliver", correlation, "%s endpoint=%s", job->became, job->target->endpoint->name);
	delivery_free(job->delivery);
	job_free(job);
}

static void commit(struct job *job, struct unit *unit)
{
	struct error error = {0};

	job->state = STATE_SETTLING;
	if (unit_commit(unit, settled, job, &error))
		worker_fail(job->worker, &error);
}

static void record(struct job *job, struct unit *unit, const char *stage, struct span detail)
{
	struct record entry = {
		.message = job->delivery->message,
		.stage = stage,
		.place = job->target->endpoint->name,
		.attempt = job->intention.attempts,
		.detail = detail,
	};

	job->became = stage;
	unit_record(unit, &entry);
}

static void record_why(struct job *job, struct unit *unit, const char *stage, const struct error *why)
{
	json_t *detail = json_pack("{s:s s:s}", "code", why->code, "reason", why->text);
	char *text = json_dumps(detail, JSON_COMPACT);

	job->why = *why;
	record(job, unit, stage, span_of(text));
	free(text);
	json_decref(detail);
}

static void delivered(struct job *job, const char *stage, struct span receipt)
{
	struct unit *unit = unit_new(job->worker->queue);

	FAULT("deliver.done");
	job->conclusive = true;
	unit_effect(unit, &job->attempt.key, OUTCOME_DELIVERED, job->delivery->message, job->target->endpoint->name, receipt);
	unit_settle(unit, job->delivery);
	record(job, unit, stage, receipt);
	target_open(job->worker, job->target);
	commit(job, unit);
}

/* What was refused may be told to a topic. 1: no room to send it now. */
static int tell_refusal(struct job *job, struct unit *unit, struct dead *letter)
{
	const struct message *from = job->delivery->message;
	char head[REFUSAL_CONTENT_MAX];
	const struct flow *flow = NULL;
	struct message *message;
	ssize_t n = 0;
	int result;

	if (!site_endpoint(job->worker->site, span_of(job->target->endpoint->name), &flow, NULL) || !flow->reject_publish)
		return 0;
	if (from->body)
		n = reader_read(from->body, 0, head, sizeof head, NULL);
	letter->content = span_make(head, n > 0 ? (size_t)n : 0);
	message = refusal_new(flow, letter);
	letter->content = SPAN_NONE;
	result = unit_publish(unit, flow->reject_publish, NULL, true, message, NULL);
	message_free(message);
	return result;
}

static void dead(struct job *job, const struct error *why, bool withdraw)
{
	struct unit *unit = unit_new(job->worker->queue);
	struct dead letter = {
		.message = job->delivery->message,
		.queue = job->delivery->queue,
		.step = "deliver",
		.path = job->delivery->message->path,
		.position = job->delivery->message->position,
		.why = why,
	};

	job->conclusive = true;
	if (withdraw)
		unit_effect(unit, &job->attempt.key, OUTCOME_NOT_DONE, job->delivery->message, job->target->endpoint->name, SPAN_NONE);
	if (tell_refusal(job, unit, &letter)) { /* it comes again, and is refused again */
		unit_free(unit);
		job->conclusive = false;
		give_back(job);
		return;
	}
	unit_dead(unit, &letter);
	unit_settle(unit, job->delivery);
	record_why(job, unit, "dead", why);
	commit(job, unit);
}

/* A person must say. */
static void doubt(struct job *job, const struct error *why)
{
	struct unit *unit = unit_new(job->worker->queue);
	json_t *detail = json_pack("{s:s s:s}", "code", why->code, "reason", why->text);
	char *text = json_dumps(detail, JSON_COMPACT);

	unit_effect(unit, &job->attempt.key, OUTCOME_DOUBT, job->delivery->message, job->target->endpoint->name, span_of(text));
	unit_settle(unit, job->delivery);
	record_why(job, unit, "doubt", why);
	commit(job, unit);
	free(text);
	json_decref(detail);
}

static void park(struct job *job, const struct error *why, enum outcome outcome, int64_t wait_ms)
{
	struct unit *unit = unit_new(job->worker->queue);

	job->conclusive = outcome == OUTCOME_NOT_DONE;
	unit_effect(unit, &job->attempt.key, outcome, job->delivery->message, job->target->endpoint->name, SPAN_NONE);
	unit_park(unit, job->delivery, clock_now_ms() + wait_ms, why);
	record_why(job, unit, "parked", why);
	commit(job, unit);
}

/* ---- what an error means ---------------------------------------------------------------------------------------- */

static bool expired(const struct job *job, int64_t first_ms)
{
	return clock_now_ms() - first_ms > job->target->endpoint->retry.for_ms;
}

static void give_up(struct job *job, const struct error *last)
{
	struct error why;
	char text[CLOCK_TEXT];

	duration_format(job->target->endpoint->retry.for_ms, text);
	error_set(&why, ERROR_REJECT, "retry.expired", "tried for %s without success; at last: %s", text, last->text);
	dead(job, &why, true);
}

static int64_t next_wait(const struct job *job, const struct error *why)
{
	return backoff_wait(&job->target->endpoint->retry, job->delivery->message->attempt, why->retry_after_ms);
}


static void given_back(void *arg, const struct error *error)
{
	struct job *job = arg;

	job->attempt.settled = !error;
	give_back(job);
}

/* The endpoint is down: everything for it fares alike, so this message keeps its place and no attempt is counted. */
static void endpoint_failed(struct job *job, const struct error *why, bool intended)
{
	struct error error = {0};
	struct unit *unit;

	target_pause(job->worker, job->target, why);
	if (!intended) {
		give_back(job);
		return;
	}
	unit = unit_new(job->worker->queue);
	unit_effect(unit, &job->attempt.key, OUTCOME_NOT_DONE, job->delivery->message, job->target->endpoint->name, SPAN_NONE);
	job->state = STATE_SETTLING;
	if (unit_commit(unit, given_back, job, &error))
		worker_fail(job->worker, &error);
}

static void start(struct job *job);

/* It may have happened: the sink may find out. */
static void find_out(struct job *job, const struct error *why, bool may_start)
{
	struct deliver *deliver = own(job->worker);
	enum resolved answer = RESOLVED_UNKNOWN;
	struct error error = {0};

	if (deliver->ops->resolve && deliver->ops->resolve(deliver->sink, &job->attempt, &answer, &error)) {
		park(job, &error, OUTCOME_UNCLEAR, next_wait(job, &error));
		return;
	}
	if (answer == RESOLVED_HAPPENED)
		delivered(job, "resolved", buf_view(&job->attempt.receipt));
	else if (answer == RESOLVED_UNKNOWN)
		doubt(job, why);
	else if (may_start)
		start(job);
	else if (expired(job, job->intention.first_ms))
		doubt(job, why);
	else
		park(job, why, OUTCOME_UNCLEAR, next_wait(job, why));
}

static void finished(struct job *job)
{
	const struct error *why = &job->attempt.error;

	switch (why->class) {
	case ERROR_NONE:
		delivered(job, "delivered", buf_view(&job->attempt.receipt));
		break;
	case ERROR_REJECT:
		target_open(job->worker, job->target);
		dead(job, why, true);
		break;
	case ERROR_DOUBT:
		find_out(job, why, false);
		break;
	case ERROR_RETRY:
		if (expired(job, job->intention.first_ms))
			give_up(job, why);
		else if (why->scope != SCOPE_MESSAGE)
			endpoint_failed(job, why, true);
		else
			park(job, why, OUTCOME_NOT_DONE, next_wait(job, why));
		break;
	case ERROR_FATAL:
		worker_fail(job->worker, why);
		break;
	}
}

static void start(struct job *job)
{
	struct deliver *deliver = own(job->worker);
	struct error error = {0};

	FAULT("deliver.intended");
	job->state = STATE_RUNNING;
	job->attempt.first_ms = job->intention.first_ms;
	if (deliver->ops->start(deliver->sink, &job->attempt, &error)) {
		job->attempt.error = error;
		finished(job);
	}
}

/* A receipt exists: the same delivery again, or something else under its identity. */
static void met_again(struct job *job)
{
	const struct message *message = job->delivery->message;
	struct error why;

	if (job->intention.same_request || (message->flags & MESSAGE_REPLAY)) {
		struct unit *unit = unit_new(job->worker->queue);

		job->conclusive = true;
		unit_settle(unit, job->delivery);
		record(job, unit, "recognised", job->intention.same_request ? SPAN_LITERAL("{\"same\":true}") : SPAN_LITERAL("{\"same\":false}"));
		commit(job, unit);
		return;
	}
	error_set(&why, ERROR_REJECT, "identity.conflict",
		  "a message of the same identity but other content was delivered to %s before; `ferrule trace` shows it, `dead replay --again` delivers this one as well",
		  job->target->endpoint->name);
	dead(job, &why, false);
}

static void go_on(struct job *job, const struct intention *intention, const struct error *error)
{
	struct error why;

	if (error) {
		log_warn("deliver", job->delivery->message->correlationid, "no intent endpoint=%s error=\"%s\"",
			 job->target->endpoint->name, error->text);
		give_back(job);
		return;
	}
	job->intention = *intention;
	job->attempt.first_ms = intention->first_ms;
	switch (intention->answer) {
	case INTENT_GO:
		start(job);
		break;
	case INTENT_DONE:
		met_again(job);
		break;
	case INTENT_BUSY: {
		struct unit *unit = unit_new(job->worker->queue);

		error_set(&why, ERROR_RETRY, "effect.busy", "another worker is delivering the same message");
		unit_park(unit, job->delivery, clock_now_ms() + BUSY_PARK_MS, &why);
		record_why(job, unit, "parked", &why);
		commit(job, unit);
		break;
	}
	case INTENT_DOUBT:
		error_set(&why, ERROR_DOUBT, "effect.interrupted",
			  "the delivery was interrupted after it had begun, and %s cannot be asked whether it took effect", job->target->endpoint->name);
		find_out(job, &why, true);
		break;
	}
}

static void intended(void *arg, const struct intention *intention, const struct error *error)
{
	struct job *job = arg;
	struct board_slot *slot = job->worker->slot;

	board_hold(slot, &job->delivery->message->id);
	board_step(slot, "deliver");
	go_on(job, intention, error);
	board_let_go(slot);
}

/* ---- the beginning of a job --------------------------------------------------------------------------------------- */

static void not_prepared(struct job *job, const struct error *error)
{
	if (error->class == ERROR_REJECT)
		dead(job, error, false);
	else
		endpoint_failed(job, error, false);
}

static void begin(struct worker *worker, struct target *target, struct delivery *delivery)
{
	struct deliver *deliver = own(worker);
	struct job *job = mem_alloc(sizeof *job);
	struct error error = {0};

	*job = (struct job){.next = deliver->jobs, .at = &deliver->jobs, .target = target, .delivery = delivery, .worker = worker,
			    .attempt = {.endpoint = target->endpoint, .message = delivery->message, .user = job,
					.key = effect_key(target->endpoint->name, delivery->message)}};
	if (deliver->jobs)
		deliver->jobs->at = &job->next;
	deliver->jobs = job;
	deliver->jobs_count++;
	target->in_hand++;
	buf_init(&job->attempt.receipt, 16384);
	buf_init(&job->idempotency_key, 512);
	request_idempotency(&job->attempt, &job->idempotency_key);
	board_hold(worker->slot, &delivery->message->id);
	board_step(worker->slot, "prepare");
	if (delivery->message->expires_ms && clock_now_ms() > delivery->message->expires_ms) {
		error_set(&error, ERROR_REJECT, "message.expired", "it waited longer than the site keeps queued messages (retention: queue)");
		dead(job, &error, false);
	} else if (request_body(delivery->message, worker->vault, &error) || request_digest(delivery->message, &job->request, &error) ||
		   (deliver->ops->prepare && deliver->ops->prepare(deliver->sink, &job->attempt, &error))) {
		not_prepared(job, &error);
	} else {
		FAULT("deliver.prepared");
		if (queue_intend(worker->queue, &job->attempt.key, target->endpoint->name, delivery->message, &job->request, intended, job,
				 &error))
			worker_fail(worker, &error);
	}
	board_let_go(worker->slot);
}

static struct target *target_of(struct deliver *deliver, const char *queue)
{
	for (size_t i = 0; i < deliver->targets_count; i++)
		if (!strcmp(deliver->targets[i].queue, queue))
			return &deliver->targets[i];
	return NULL;
}

static void take(struct worker *worker)
{
	struct delivery *deliveries[64];
	size_t n;

	while ((n = queue_take(worker->queue, deliveries, 64))) {
		own(worker)->used = true;
		for (size_t i = 0; i < n; i++) {
			struct target *target = target_of(own(worker), deliveries[i]->queue);

			if (!target || worker->draining || (target->paused && target->in_hand))
				queue_release(worker->queue, deliveries[i]);
			else
				begin(worker, target, deliveries[i]);
		}
		worker->busy_at = clock_tick_ms();
	}
}

/* While the sink works on all that was started, one of them answers for a crash there. An innocent one is cleared by being
 * delivered alone; then it is another's turn, so the guilty one is found. */
static void hold_one(struct worker *worker)
{
	for (struct job *job = own(worker)->jobs; job; job = job->next)
		if (job->state == STATE_RUNNING) {
			board_hold(worker->slot, &job->delivery->message->id);
			board_step(worker->slot, "deliver");
			return;
		}
}

/* How many had come to their end. */
static size_t reap_some(struct worker *worker, int wake, int wait_ms)
{
	struct deliver *deliver = own(worker);
	struct attempt *done[REAP_MAX];
	struct error error = {0};
	size_t n = 0;

	hold_one(worker);
	if (deliver->ops->reap(deliver->sink, done, REAP_MAX, &n, wake, wait_ms, &error))
		worker_fail(worker, &error);
	for (size_t i = 0; i < n; i++) {
		struct job *job = done[i]->user;

		board_hold(worker->slot, &job->delivery->message->id);
		board_step(worker->slot, "deliver");
		finished(job);
	}
	board_let_go(worker->slot);
	return n;
}

static void reap(struct worker *worker)
{
	while (reap_some(worker, -1, 0) == REAP_MAX)
		continue;
}

/* ---- the role --------------------------------------------------------------------------------------------------- */

/* HTTP transfers have descriptors of their own inside libcurl: while some run, the sink waits for both those and the loop. */
static void deliver_ready(struct worker *worker)
{
	struct deliver *deliver = own(worker);

	take(worker);
	reap(worker);
	if (deliver->ops->shared && deliver->jobs_count)
		reap_some(worker, loop_fd(worker->loop), queue_unsent(worker->queue) ? 0 : 100);
	if (deliver->jobs_count)
		worker->busy_at = clock_tick_ms();
	worker->wait_ms = deliver->jobs_count ? 0 : 1000;
	if (worker->endpoint && clock_tick_ms() - worker->busy_at > (deliver->used ? IDLE_END_MS : UNUSED_END_MS))
		worker_end(worker);
}

static void deliver_drain(struct worker *worker)
{
	struct deliver *deliver = own(worker);

	for (size_t i = 0; i < deliver->targets_count; i++)
		target_credit(worker, &deliver->targets[i]);
}

static bool deliver_idle(struct worker *worker)
{
	return own(worker)->jobs_count == 0;
}

static void deliver_stop(struct worker *worker)
{
	struct deliver *deliver = own(worker);

	deliver->ops->close(deliver->sink);
	for (size_t i = 0; i < deliver->targets_count; i++)
		free((void *)deliver->targets[i].queue);
	free(deliver->targets);
	free(deliver);
}

/* A crash leaves in doubt what was intended and cannot be found out: no more than can be under way at once. */
static unsigned window_of(const struct sink_ops *ops, const struct endpoint *endpoint)
{
	return endpoint->effect.kind == EFFECT_NONE && ops->parallel ? ops->parallel(endpoint) : WINDOW_MESSAGES;
}

static int add_target(struct worker *worker, const struct endpoint *endpoint, struct error *error)
{
	struct deliver *deliver = own(worker);

	deliver->targets[deliver->targets_count++] =
		(struct target){.endpoint = endpoint, .queue = mem_printf("out.%s", endpoint->name), .window = window_of(deliver->ops, endpoint)};
	if (deliver->ops->endpoint(deliver->sink, endpoint, error))
		return -1;
	deliver_sweep(worker->queue, deliver->ops, deliver->sink, endpoint);
	return 0;
}

static int deliver_start(struct worker *worker, struct error *error)
{
	struct deliver *deliver = mem_alloc(sizeof *deliver);
	const struct site *site = worker->site;

	worker->own = deliver;
	deliver->targets = mem_alloc(site->flows_count * sizeof *deliver->targets);
	for (size_t i = 0; i < site->flows_count; i++) {
		const struct flow *flow = &site->flows[i];

		if (!flow->sink || (worker->endpoint ? strcmp(worker->endpoint, flow->sink->name) != 0 : !flow->sink_ops->shared))
			continue;
		if (!deliver->ops) {
			deliver->ops = flow->sink_ops;
			deliver->sink = deliver->ops->open(error);
			if (!deliver->sink)
				return -1;
		}
		if (add_target(worker, flow->sink, error))
			return -1;
	}
	if (!deliver->ops)
		return error_set(error, ERROR_FATAL, "deliver.endpoint", "no endpoint to deliver to in this revision");
	for (size_t i = 0; i < deliver->targets_count; i++)
		target_credit(worker, &deliver->targets[i]);
	return 0;
}

const struct role role_deliver = {
	.name = "deliver",
	.start = deliver_start,
	.ready = deliver_ready,
	.drain = deliver_drain,
	.idle = deliver_idle,
	.stop = deliver_stop,
	.needs_vault = true,
};
