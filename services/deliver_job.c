/* What becomes of a delivery: the units that end a job. See deliver_job.h. */
#include "config.h"
#include "services/deliver_job.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/refusal.h"

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
	deliver->jobs_count--;
	job->target->in_hand--;
	deliver->ops->abandon(deliver->sink, &job->attempt);
	buf_free(&job->attempt.receipt);
	buf_free(&job->idempotency_key);
	free(job);
}

void job_give_back(struct job *job)
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
		job_give_back(job);
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

void job_commit(struct job *job, struct unit *unit)
{
	struct error error = {0};

	job->state = STATE_SETTLING;
	if (unit_commit(unit, settled, job, &error))
		worker_fail(job->worker, &error);
}

void job_record(struct job *job, struct unit *unit, const char *stage, struct span detail)
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

void job_record_why(struct job *job, struct unit *unit, const char *stage, const struct error *why)
{
	json_t *detail = json_pack("{s:s s:s}", "code", why->code, "reason", why->text);
	char *text = json_dumps(detail, JSON_COMPACT);

	job->why = *why;
	job_record(job, unit, stage, span_of(text));
	free(text);
	json_decref(detail);
}

void job_delivered(struct job *job, const char *stage, struct span receipt)
{
	struct unit *unit = unit_new(job->worker->queue);

	FAULT("deliver.done");
	job->conclusive = true;
	unit_effect(unit, &job->attempt.key, OUTCOME_DELIVERED, job->delivery->message, job->target->endpoint->name, receipt);
	unit_settle(unit, job->delivery);
	job_record(job, unit, stage, receipt);
	target_open(job->worker, job->target);
	job_commit(job, unit);
}

void job_dead(struct job *job, const struct error *why, bool withdraw)
{
	struct unit *unit = unit_new(job->worker->queue);
	const struct flow *flow = NULL;
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
	site_endpoint(job->worker->site, span_of(job->target->endpoint->name), &flow, NULL);
	if (refusal_publish(unit, flow, &letter)) { /* it comes again, and is refused again */
		unit_free(unit);
		job->conclusive = false;
		job_give_back(job);
		return;
	}
	unit_dead(unit, &letter);
	unit_settle(unit, job->delivery);
	job_record_why(job, unit, "dead", why);
	job_commit(job, unit);
}

void job_doubt(struct job *job, const struct error *why)
{
	struct unit *unit = unit_new(job->worker->queue);
	json_t *detail = json_pack("{s:s s:s}", "code", why->code, "reason", why->text);
	char *text = json_dumps(detail, JSON_COMPACT);

	unit_effect(unit, &job->attempt.key, OUTCOME_DOUBT, job->delivery->message, job->target->endpoint->name, span_of(text));
	unit_settle(unit, job->delivery);
	job_record_why(job, unit, "doubt", why);
	job_commit(job, unit);
	free(text);
	json_decref(detail);
}

void job_park(struct job *job, const struct error *why, enum outcome outcome, int64_t wait_ms)
{
	struct unit *unit = unit_new(job->worker->queue);

	job->conclusive = outcome == OUTCOME_NOT_DONE;
	unit_effect(unit, &job->attempt.key, outcome, job->delivery->message, job->target->endpoint->name, SPAN_NONE);
	unit_park(unit, job->delivery, clock_now_ms() + wait_ms, why);
	job_record_why(job, unit, "parked", why);
	job_commit(job, unit);
}
