/* What becomes of a delivery: the units that end a job. See deliver_job.h.
 *
 * What is known of an effect must not get lost because the store could not take it: given back, it would be asked for
 * again and be a doubt. So the job keeps its outcome, and its unit is made anew until one is committed. */
#include "config.h"
#include "services/deliver_job.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/refusal.h"
#include "services/sent.h"

#define AGAIN_MS 500

struct deliver *deliver_of(struct worker *worker)
{
	return worker->own;
}

void job_free(struct job *job)
{
	struct deliver *deliver = deliver_of(job->worker);

	*job->at = job->next;
	if (job->next)
		job->next->at = job->at;
	loop_cancel(job->again);
	deliver->jobs_count--;
	job->target->in_hand--;
	deliver->ops->abandon(deliver->sink, &job->attempt);
	if (job->attempt.settled)
		sent_forget(job);
	kept_free(&job->kept);
	buf_free(&job->attempt.receipt);
	buf_free(&job->idempotency_key);
	free(job);
}

void job_give_back(struct job *job)
{
	queue_release(job->worker->queue, job->delivery);
	job_free(job);
}

/* ---- the unit, as often as needed ---------------------------------------------------------------------------------
 */

static void send_again(void *arg)
{
	struct job *job = arg;

	job->again = NULL;
	job->end(job);
}

static void end_later(struct job *job)
{
	deliver_of(job->worker)->not_before = clock_tick_ms() + AGAIN_MS;
	job->again = loop_timer(job->worker->loop, AGAIN_MS, 0, send_again, job);
}

static void end_with(struct job *job, void (*end)(struct job *))
{
	job->state = STATE_SETTLING;
	job->end = end;
	end(job);
}

/* True when it failed, and was taken care of. */
static bool not_settled(struct job *job, const struct error *error)
{
	if (!error)
		return false;
	log_warn("deliver", job->delivery->message->correlationid, "not settled endpoint=%s code=%s error=\"%s\"",
		 job->target->endpoint->name, error->code, error->text);
	if (error->class == ERROR_RETRY)
		end_later(job);
	else
		job_give_back(job);
	return true;
}

static void settled(void *arg, const struct error *error)
{
	struct job *job = arg;
	struct span correlation = job->delivery->message->correlationid;

	board_tick(job->worker->slot);
	if (not_settled(job, error))
		return;
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

static void withdrawn(void *arg, const struct error *error)
{
	struct job *job = arg;

	if (not_settled(job, error))
		return;
	job->attempt.settled = true;
	job_give_back(job);
}

static void commit(struct job *job, struct unit *unit, unit_done_fn *done)
{
	struct error error = {0};

	if (unit_commit(unit, done, job, &error))
		worker_fail(job->worker, &error);
}

static void put_effect(struct job *job, struct unit *unit, enum outcome outcome, struct span receipt)
{
	unit_effect(unit, &job->attempt.key, outcome, job->delivery->message, job->target->endpoint->name, receipt);
}

static void put_record(struct job *job, struct unit *unit, struct span detail)
{
	struct record entry = {
		.message = job->delivery->message,
		.stage = job->became,
		.place = job->target->endpoint->name,
		.attempt = job->intention.attempts,
		.detail = detail,
	};

	unit_record(unit, &entry);
}

/* The reason as JSON; the caller frees. */
static char *reason_of(const struct job *job)
{
	json_t *detail = json_pack("{s:s s:s}", "code", job->why.code, "reason", job->why.text);
	char *text = json_dumps(detail, JSON_COMPACT);

	json_decref(detail);
	return text;
}

static void put_reason(struct job *job, struct unit *unit)
{
	char *text = reason_of(job);

	put_record(job, unit, span_of(text));
	free(text);
}

/* ---- outcomes ------------------------------------------------------------------------------------------------------
 */

/* The audit trail's record of it, in the same unit. */
static void put_audit(struct job *job, struct unit *unit, struct span receipt)
{
	const struct flow *flow = site_flow(job->worker->site, span_of(job->target->endpoint->flow));
	const struct message *message = job->delivery->message;
	char id[ID_TEXT], key[ID_TEXT], digest[ID_TEXT], once[ID_TEXT + 16];
	json_t *what;

	if (!flow || !flow->audit)
		return;
	id_hex(&message->id, id);
	id_hex(&job->attempt.key, key);
	id_hex(&message->body_digest, digest);
	snprintf(once, sizeof once, "delivered %s", key);
	what = receipt.len ? json_loadb(receipt.data, receipt.len, 0, NULL) : NULL;
	unit_change(unit, "audit.note",
		    json_pack("{s:s s:s s:{s:s s:s s:s s:s s:I s:o}}", "what", "delivered", "once", once, "facts",
			      "flow", flow->name, "endpoint", job->target->endpoint->name, "message", id, "sha256",
			      digest, "size", (json_int_t)message->body_size, "receipt", what ? what : json_object()));
}

static void end_delivered(struct job *job)
{
	struct unit *unit = unit_new(job->worker->queue);
	struct span receipt = buf_view(&job->attempt.receipt);

	put_effect(job, unit, OUTCOME_DELIVERED, receipt);
	put_audit(job, unit, receipt);
	sent_note(job, unit);
	unit_settle(unit, job->delivery);
	put_record(job, unit, receipt);
	commit(job, unit, settled);
}

void job_delivered(struct job *job, const char *stage)
{
	FAULT("deliver.done");
	job->conclusive = true;
	job->became = stage;
	target_open(job->worker, job->target);
	end_with(job, end_delivered);
}

static void end_recognised(struct job *job)
{
	struct unit *unit = unit_new(job->worker->queue);

	unit_settle(unit, job->delivery);
	put_record(job, unit,
		   job->intention.same_request ? SPAN_LITERAL("{\"same\":true}") : SPAN_LITERAL("{\"same\":false}"));
	commit(job, unit, settled);
}

void job_recognised(struct job *job)
{
	job->conclusive = true;
	job->became = "recognised";
	end_with(job, end_recognised);
}

static void end_dead(struct job *job)
{
	struct unit *unit = unit_new(job->worker->queue);
	const struct flow *flow = NULL;
	struct dead letter = {
		.message = job->delivery->message,
		.queue = job->delivery->queue,
		.step = "deliver",
		.path = job->delivery->message->path,
		.position = job->delivery->message->position,
		.why = &job->why,
	};

	if (job->withdraw)
		put_effect(job, unit, OUTCOME_NOT_DONE, SPAN_NONE);
	site_endpoint(job->worker->site, span_of(job->target->endpoint->name), &flow, NULL);
	if (refusal_publish(unit, flow, &letter)) { /* too much waits to be sent */
		unit_free(unit);
		end_later(job);
		return;
	}
	unit_dead(unit, &letter);
	unit_settle(unit, job->delivery);
	put_reason(job, unit);
	commit(job, unit, settled);
}

void job_dead(struct job *job, const struct error *why, bool withdraw)
{
	job->conclusive = true;
	job->became = "dead";
	job->why = *why;
	job->withdraw = withdraw;
	end_with(job, end_dead);
}

static void end_doubt(struct job *job)
{
	struct unit *unit = unit_new(job->worker->queue);
	char *text = reason_of(job);

	put_effect(job, unit, OUTCOME_DOUBT, span_of(text));
	unit_settle(unit, job->delivery);
	put_record(job, unit, span_of(text));
	free(text);
	commit(job, unit, settled);
}

void job_doubt(struct job *job, const struct error *why)
{
	job->became = "doubt";
	job->why = *why;
	end_with(job, end_doubt);
}

static void end_parked(struct job *job)
{
	struct unit *unit = unit_new(job->worker->queue);

	put_effect(job, unit, job->outcome, SPAN_NONE);
	unit_park(unit, job->delivery, job->due_ms, &job->why);
	put_reason(job, unit);
	commit(job, unit, settled);
}

void job_park(struct job *job, const struct error *why, enum outcome outcome, int64_t wait_ms)
{
	job->conclusive = outcome == OUTCOME_NOT_DONE;
	job->became = "parked";
	job->why = *why;
	job->outcome = outcome;
	job->due_ms = clock_now_ms() + wait_ms;
	backoff_count(job->delivery->message, clock_now_ms());
	end_with(job, end_parked);
}

static void end_busy(struct job *job)
{
	struct unit *unit = unit_new(job->worker->queue);

	unit_park(unit, job->delivery, job->due_ms, &job->why);
	put_reason(job, unit);
	commit(job, unit, settled);
}

void job_busy(struct job *job, int64_t wait_ms)
{
	error_set(&job->why, ERROR_RETRY, "effect.busy", "another worker is delivering the same message");
	job->became = "parked";
	job->due_ms = clock_now_ms() + wait_ms;
	end_with(job, end_busy);
}

static void end_withdrawn(struct job *job)
{
	struct unit *unit = unit_new(job->worker->queue);

	put_effect(job, unit, OUTCOME_NOT_DONE, SPAN_NONE);
	commit(job, unit, withdrawn);
}

void job_withdraw(struct job *job)
{
	end_with(job, end_withdrawn);
}
