/* The deliver role: takes from out.<endpoint>, makes each message's one effect, keeps its receipt. The same loop serves
 * all HTTP endpoints in one process and each file endpoint in a process of its own; what differs is in the sink.
 *
 * The order that must hold: prepared → intent stored → effect → receipt stored with the input settled. An attempt walks
 * through the states below; only `state` says what may happen next. */
#include "config.h"
#include "services/worker.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/pace.h"
#include "services/deliver_job.h"
#include "services/deliver_request.h"
#include "services/deliver_sweep.h"
#include "services/moving.h"
#include "services/sent.h"

#define REAP_MAX 64
#define TAKE_MAX 64
#define WINDOW_MESSAGES 64
#define IDLE_END_MS 60000
#define UNUSED_END_MS 2000 /* of a worker that was started only to sweep */
#define BUSY_PARK_MS 2000
#define STORE_WAIT_MS 500 /* after the store took no intent */

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
	job_dead(job, &why, true);
}

static int64_t next_wait(const struct job *job, const struct error *why)
{
	return backoff_wait(&job->target->endpoint->retry, job->delivery->message->attempt, why->retry_after_ms);
}

/* The endpoint is down: everything for it fares alike, so this message keeps its place and no attempt is counted. */
static void endpoint_failed(struct job *job, const struct error *why, bool intended)
{
	target_pause(job->worker, job->target, why);
	if (intended)
		job_withdraw(job);
	else
		job_give_back(job);
}

static void start(struct job *job);

/* It happened. Until its copy is where it belongs it is not over: then it is found out again. */
static void happened(struct job *job, const char *stage)
{
	struct error error = {0};

	if (sent_place(job, &error))
		job_park(job, &error, OUTCOME_UNCLEAR, next_wait(job, &error));
	else
		job_delivered(job, stage);
}

/* It may have happened: the sink may find out. */
static void find_out(struct job *job, const struct error *why, bool may_start)
{
	struct deliver *deliver = deliver_of(job->worker);
	enum resolved answer = RESOLVED_UNKNOWN;
	struct error error = {0};

	if (deliver->ops->resolve && deliver->ops->resolve(deliver->sink, &job->attempt, &answer, &error)) {
		job_park(job, &error, OUTCOME_UNCLEAR, next_wait(job, &error));
		return;
	}
	if (answer == RESOLVED_HAPPENED)
		happened(job, "resolved");
	else if (answer == RESOLVED_UNKNOWN)
		job_doubt(job, why);
	else if (may_start)
		start(job);
	else if (expired(job, job->intention.first_ms))
		job_doubt(job, why);
	else
		job_park(job, why, OUTCOME_UNCLEAR, next_wait(job, why));
}

static void finished(struct job *job)
{
	const struct error *why = &job->attempt.error;

	switch (why->class) {
	case ERROR_NONE:
		happened(job, "delivered");
		break;
	case ERROR_REJECT:
		target_open(job->worker, job->target);
		job_dead(job, why, true);
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
			job_park(job, why, OUTCOME_NOT_DONE, next_wait(job, why));
		break;
	case ERROR_FATAL:
		worker_fail(job->worker, why);
		break;
	}
}

static void start(struct job *job)
{
	struct deliver *deliver = deliver_of(job->worker);
	struct error error = {0};

	FAULT("deliver.intended");
	job->state = STATE_RUNNING;
	job->attempt.first_ms = job->intention.first_ms;
	if (sent_hold(job, &error) || deliver->ops->start(deliver->sink, &job->attempt, &error)) {
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
		job_recognised(job);
		return;
	}
	error_set(&why, ERROR_REJECT, "identity.conflict",
		  "a message of the same identity but other content was delivered to %s before; `ferrule trace` shows "
		  "it, `dead replay --again` delivers this one as well",
		  job->target->endpoint->name);
	job_dead(job, &why, false);
}

static void go_on(struct job *job, const struct intention *intention, const struct error *error)
{
	struct error why;

	if (error) {
		log_warn("deliver", job->delivery->message->correlationid, "no intent endpoint=%s error=\"%s\"",
			 job->target->endpoint->name, error->text);
		deliver_of(job->worker)->not_before = clock_tick_ms() + STORE_WAIT_MS;
		/* only its answer may have been lost: what the sink made ready stays, or the intent is in doubt */
		job->attempt.first_ms = clock_now_ms();
		job_give_back(job);
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
	case INTENT_BUSY:
		job_busy(job, BUSY_PARK_MS);
		break;
	case INTENT_DOUBT:
		if (intention->attempts == 1)
			error_set(&why, ERROR_DOUBT, "effect.restored",
				  "the site was put back from a backup, and %s cannot be asked whether it got this "
				  "after the backup was made",
				  job->target->endpoint->name);
		else
			error_set(&why, ERROR_DOUBT, "effect.interrupted",
				  "the delivery was interrupted after it had begun, and %s cannot be asked whether it "
				  "took effect",
				  job->target->endpoint->name);
		if (intention->attempts == 1 && job->delivery->message->flags & MESSAGE_REGROUPED &&
		    deliver_of(job->worker)->ops->traits & SINK_KEY)
			job_doubt(job, &why);
		else
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

/* ---- the beginning of a job ---------------------------------------------------------------------------------------
 */

static void not_prepared(struct job *job, const struct error *error)
{
	if (error->class == ERROR_REJECT)
		job_dead(job, error, false);
	else
		endpoint_failed(job, error, false);
}

/* Another copy of the same message. The store would take its intent for one that was given up. */
static bool is_copy(const struct job *job)
{
	for (const struct job *other = job->next; other; other = other->next)
		if (id_equal(&other->attempt.key, &job->attempt.key))
			return true;
	return false;
}

static struct job *enlist(struct worker *worker, struct target *target, struct delivery *delivery)
{
	struct deliver *deliver = deliver_of(worker);
	struct job *job = mem_alloc(sizeof *job);

	*job = (struct job){.next = deliver->jobs,
			    .at = &deliver->jobs,
			    .target = target,
			    .delivery = delivery,
			    .worker = worker,
			    .probes = target->paused,
			    .attempt = {.endpoint = target->endpoint,
					.message = delivery->message,
					.user = job,
					.key = effect_key(target->endpoint->name, delivery->message)}};
	if (deliver->jobs)
		deliver->jobs->at = &job->next;
	deliver->jobs = job;
	deliver->jobs_count++;
	target->in_hand++;
	buf_init(&job->attempt.receipt, 16384);
	buf_init(&job->idempotency_key, 512);
	request_idempotency(&job->attempt, &job->idempotency_key);
	return job;
}

/* Everything that can be said before the sink is asked. False: the job is over. */
static bool is_due(struct job *job)
{
	struct delivery *delivery = job->delivery;
	struct error error = {0};

	board_hold(job->worker->slot, &delivery->message->id);
	board_step(job->worker->slot, "prepare");
	if (is_copy(job)) {
		job_busy(job, BUSY_PARK_MS);
		return false;
	}
	if (delivery->message->expires_ms && clock_now_ms() > delivery->message->expires_ms) {
		error_set(&error, ERROR_REJECT, "message.expired",
			  "it waited longer than the site keeps queued messages (retention: queue)");
		job_dead(job, &error, false);
		return false;
	}
	if (request_body(delivery->message, job->worker->vault, &error) ||
	    request_digest(delivery->message, &job->request, &error)) {
		not_prepared(job, &error);
		return false;
	}
	return true;
}

static void begin(struct job *job)
{
	const struct delivery *delivery = job->delivery;
	struct worker *worker = job->worker;
	struct deliver *deliver = deliver_of(worker);
	struct error error = {0};
	bool failed;

	board_hold(worker->slot, &delivery->message->id);
	board_step(worker->slot, "prepare");
	moving_begin(worker, job->target->endpoint->name, false, message_attr_find(delivery->message, "path"),
		     delivery->message->body_size, delivery->message->attempt + 1);
	failed = deliver->ops->prepare && deliver->ops->prepare(deliver->sink, &job->attempt, &error);
	moving_end(worker);
	if (failed) {
		not_prepared(job, &error);
		return;
	}
	FAULT("deliver.prepared");
	if (queue_intend(worker->queue, &job->attempt.key, job->target->endpoint->name, delivery->message,
			 &job->request, intended, job, &error))
		worker_fail(worker, &error);
}

/* The first answers for a crash while all are made ready. */
static void begin_all(struct worker *worker, struct job **jobs, size_t n)
{
	struct deliver *deliver = deliver_of(worker);
	struct attempt *attempts[TAKE_MAX];

	for (size_t i = 0; i < n; i++)
		attempts[i] = &jobs[i]->attempt;
	if (n > 1 && deliver->ops->ahead) {
		board_hold(worker->slot, &jobs[0]->delivery->message->id);
		board_step(worker->slot, "prepare");
		deliver->ops->ahead(deliver->sink, attempts, n);
		board_tick(worker->slot);
	}
	for (size_t i = 0; i < n; i++)
		if (jobs[i]->target->paused && !jobs[i]->probes) /* by one of these */
			job_give_back(jobs[i]);
		else
			begin(jobs[i]);
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
	struct delivery *deliveries[TAKE_MAX];
	struct job *jobs[TAKE_MAX];
	size_t n, due;

	if (clock_tick_ms() < deliver_of(worker)->not_before && !worker->draining)
		return;
	while ((n = queue_take(worker->queue, deliveries, TAKE_MAX))) {
		deliver_of(worker)->used = true;
		due = 0;
		for (size_t i = 0; i < n; i++) {
			struct target *target = target_of(deliver_of(worker), deliveries[i]->queue);

			if (!target || worker->draining || (target->paused && target->in_hand))
				queue_release(worker->queue, deliveries[i]);
			else if (is_due(jobs[due] = enlist(worker, target, deliveries[i])))
				due++;
		}
		begin_all(worker, jobs, due);
		worker->busy_at = clock_tick_ms();
	}
}

/* While the sink works on all that was started, one of them answers for a crash there. An innocent one is cleared by
 * being delivered alone; then it is another's turn, so the guilty one is found. */
static void hold_one(struct worker *worker)
{
	for (struct job *job = deliver_of(worker)->jobs; job; job = job->next)
		if (job->state == STATE_RUNNING) {
			board_hold(worker->slot, &job->delivery->message->id);
			board_step(worker->slot, "deliver");
			return;
		}
}

/* How many had come to their end. */
static size_t reap_some(struct worker *worker, int wake, int wait_ms)
{
	struct deliver *deliver = deliver_of(worker);
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

static bool any_running(const struct deliver *deliver)
{
	for (const struct job *job = deliver->jobs; job; job = job->next)
		if (job->state == STATE_RUNNING)
			return true;
	return false;
}

/* Transfers have descriptors of their own inside libcurl: while some run, the sink waits for both those and the
 * loop. */
static void deliver_ready(struct worker *worker)
{
	struct deliver *deliver = deliver_of(worker);

	take(worker);
	reap(worker);
	if ((deliver->ops->shared && deliver->jobs_count) || any_running(deliver))
		reap_some(worker, loop_fd(worker->loop), queue_unsent(worker->queue) ? 0 : 100);
	if (deliver->jobs_count)
		worker->busy_at = clock_tick_ms();
	else if (deliver->ops->rest)
		deliver->ops->rest(deliver->sink);
	worker->wait_ms = any_running(deliver) ? 0 : clock_tick_ms() < deliver->not_before ? STORE_WAIT_MS / 5 : 1000;
	if (worker->endpoint && clock_tick_ms() - worker->busy_at > (deliver->used ? IDLE_END_MS : UNUSED_END_MS))
		worker_end(worker);
}

static void deliver_drain(struct worker *worker)
{
	struct deliver *deliver = deliver_of(worker);

	for (size_t i = 0; i < deliver->targets_count; i++)
		target_credit(worker, &deliver->targets[i]);
}

/* The calls that are still open may have taken effect: what the target cannot tell, a person must. */
static void deliver_give_up(struct worker *worker)
{
	struct deliver *deliver = deliver_of(worker);
	struct error why;

	error_set(&why, ERROR_DOUBT, "effect.interrupted", "the site was stopped before the target had answered");
	for (struct job *job = deliver->jobs; job; job = job->next) {
		if (job->state != STATE_RUNNING)
			continue;
		deliver->ops->abandon(deliver->sink,
				      &job->attempt); /* an answer that comes now must not end it a second time */
		find_out(job, &why, false);
	}
}

static bool deliver_idle(struct worker *worker)
{
	return deliver_of(worker)->jobs_count == 0;
}

static void deliver_stop(struct worker *worker)
{
	struct deliver *deliver = deliver_of(worker);

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
	struct deliver *deliver = deliver_of(worker);

	deliver->targets[deliver->targets_count++] = (struct target){.endpoint = endpoint,
								     .queue = mem_printf("out.%s", endpoint->name),
								     .window = window_of(deliver->ops, endpoint)};
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

		if (!flow->sink ||
		    (worker->endpoint ? strcmp(worker->endpoint, flow->sink->name) != 0 : !flow->sink_ops->shared))
			continue;
		if (!deliver->ops) {
			deliver->ops = flow->sink_ops;
			deliver->sink = deliver->ops->open(error);
			if (!deliver->sink)
				return -1;
		}
		if (worker->endpoint) /* else it is shared with others */
			pace_limit(flow->transfer ? flow->transfer->bandwidth : 0);
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
	.give_up = deliver_give_up,
	.idle = deliver_idle,
	.stop = deliver_stop,
	.needs_vault = true,
};
