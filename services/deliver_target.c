/* Pausing an endpoint that fails. See deliver_target.h. */
#include "config.h"
#include "services/deliver_target.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define WINDOW_BYTES (8u << 20)

static void tell_state(struct worker *worker, struct target *target, const struct error *why)
{
	json_t *state = why ? json_pack("{s:s s:I s:s s:s s:I}", "state", "paused", "since",
					(json_int_t)target->backoff.since_ms, "code", why->code, "error", why->text,
					"next", (json_int_t)(clock_now_ms() + target->backoff.wait_ms))
			    : json_pack("{s:s}", "state", "open");

	queue_state(worker->queue, target->endpoint->name, state);
	json_decref(state);
}

void target_credit(struct worker *worker, struct target *target)
{
	unsigned messages = target->window;

	if (worker->draining || (target->paused && target->probe))
		messages = 0;
	else if (target->paused)
		messages = 1;
	queue_credit(worker->queue, target->queue, messages, WINDOW_BYTES);
}

struct probe {
	struct worker *worker;
	struct target *target;
};

static void probe_now(void *arg)
{
	struct probe *probe = arg;

	probe->target->probe = NULL;
	target_credit(probe->worker, probe->target);
	free(probe);
}

void target_pause(struct worker *worker, struct target *target, const struct error *why)
{
	struct probe *probe;

	if (target->probe)
		return;
	backoff_fail(&target->backoff, &target->endpoint->retry, why->retry_after_ms, clock_now_ms());
	if (!target->paused)
		log_warn("deliver", SPAN_NONE, "paused endpoint=%s code=%s error=\"%s\"", target->endpoint->name,
			 why->code, why->text);
	target->paused = true;
	probe = mem_alloc(sizeof *probe);
	*probe = (struct probe){worker, target};
	target->probe = loop_timer(worker->loop, target->backoff.wait_ms, 0, probe_now, probe);
	target_credit(worker, target);
	tell_state(worker, target, why);
}

void target_open(struct worker *worker, struct target *target)
{
	if (target->probe) /* what was under way before the pause says nothing of what comes after it */
		return;
	backoff_clear(&target->backoff);
	if (!target->paused)
		return;
	target->paused = false;
	log_info("deliver", SPAN_NONE, "open again endpoint=%s", target->endpoint->name);
	target_credit(worker, target);
	tell_state(worker, target, NULL);
}
