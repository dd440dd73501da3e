/* The transform role: all steps between two queues, run in one go. Takes from in.<flow>, runs the flow's chain under
 * the revision that accepted the message, and puts everything that came of some deliveries into one unit. No network,
 * no password, no clock in what the steps see. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/backoff.h"
#include "services/deliver_request.h"
#include "services/expecting.h"
#include "services/poison.h"
#include "services/refusal.h"
#include "services/transform_inner.h"
#include "services/transform_once.h"
#include "services/transform_output.h"
#include "services/transform_tables.h"

#define WINDOW_MESSAGES 200
#define WINDOW_BYTES (8u << 20)
#define BATCH_BYTES (4u << 20)
#define PIPELINE 4
#define RETRY_MS 200
#define WAIT_STEP_MS 200

struct transform {
	struct prepared *prepared;
	unsigned batches;   /* on their way */
	unsigned noting;    /* of them that write tables of the store */
	int64_t not_before; /* monotonic: after a failed commit */
	unsigned careful;   /* so many messages go in units of their own: one of them cannot be done now */
};

/* ---- flows, ready */

static const struct prepared *prepare_flow(struct worker *worker, const struct delivery *delivery, struct error *error)
{
	struct transform *transform = worker->own;
	const struct site *site = revisions_get(worker->revisions, delivery->message->revision, error);
	struct prepared *prepared;
	const struct flow *flow;
	size_t segment = 0;

	if (!site)
		return NULL;
	flow = site_flow_of_queue(site, delivery->queue, &segment);
	if (!flow) /* the message was accepted before there was this flow, which subscribes since */
		flow = site_flow_of_queue(site = worker->site, delivery->queue, &segment);
	if (!flow) {
		error_set(error, ERROR_REJECT, "flow.unknown",
			  "neither revision %.12s nor today's has a flow for the queue %s", site->revision,
			  delivery->queue);
		return NULL;
	}
	for (prepared = transform->prepared; prepared; prepared = prepared->next)
		if (prepared->flow == flow && prepared->segment == segment)
			return prepared;
	prepared = mem_alloc(sizeof *prepared);
	*prepared = (struct prepared){.next = transform->prepared,
				      .site = site,
				      .flow = flow,
				      .segment = segment,
				      .chain = chain_of_flow_new(site, flow, segment, error)};
	prepared->gathers_count = site_gathers(site, flow, segment, prepared->gathers, SITE_GATHERS_MAX);
	if (!prepared->chain) {
		free(prepared);
		return NULL;
	}
	transform->prepared = prepared;
	return prepared;
}

/* ---- what comes out ------------------------------------------------------------------------------------------------
 */

int transform_body(struct run *run, struct message *message, const struct chain_output *output, struct error *error)
{
	struct vault_entry entry;

	message_body_take(message, reader_ref(output->body));
	message->body_digest = output->body_digest;
	if (message->body_size <= MESSAGE_INLINE_MAX)
		return 0;
	/* durable before it is published: from then on another may have it in hand, and find no body */
	if (vault_put(run->worker->vault, message->body, &entry, error) || vault_sync(run->worker->vault, error))
		return -1;
	FAULT("transform.synced");
	message_set(message, &message->body_ref, span_of(entry.ref));
	return 0;
}

int transform_publish(struct run *run, const char *topic, const char *queue, bool optional,
		      const struct message *message, struct error *error)
{
	struct record record = {
		.message = message, .stage = "published", .place = topic ? topic : run->prepared->flow->sink->name};
	int result;

	while ((result = unit_publish(run->batch->unit, topic, queue, optional, message, error)) == 1) {
		board_tick(run->worker->slot);
		if (queue_wait(run->worker->queue, WAIT_STEP_MS, error))
			return -1;
	}
	if (!result && FAULT_FAILS("transform.flushes")) /* as a large unit does, which goes out as it grows */
		queue_flush(run->worker->queue);
	FAULT("transform.published");
	return result ? -1 : unit_record(run->batch->unit, &record);
}

/* Of a message that waited too long nothing was prepared: today's flow says who is told. */
static const struct flow *flow_of(const struct run *run)
{
	const char *name = strchr(run->delivery->queue, '.');

	if (run->prepared)
		return run->prepared->flow;
	return name ? site_flow(run->worker->site, span_of(name + 1)) : NULL;
}

/* A flow may want its refusals told to a topic; nobody needs to listen there. */
static int tell_refusal(struct run *run, const struct dead *letter, struct error *error)
{
	const struct flow *flow = flow_of(run);
	struct message *message;
	int result;

	if (!flow || !flow->reject_publish)
		return 0;
	message = refusal_new(flow->name, flow->reject_publish, letter);
	result = transform_publish(run, flow->reject_publish, NULL, true, message, error);
	message_free(message);
	return result;
}

static int put_dead(struct run *run, const struct item *item, const char *step, const struct error *why,
		    struct span content, struct error *error)
{
	const struct message *message = run->delivery->message;
	struct dead letter = {.message = message,
			      .queue = run->delivery->queue,
			      .step = step,
			      .position = span_of(why->position),
			      .content = content,
			      .why = why};
	json_t *detail = json_pack("{s:s s:s s:s}", "step", step, "code", why->code, "reason", why->text);
	struct record record = {.message = message,
				.stage = "dead",
				.place = run->prepared ? run->prepared->flow->name : run->delivery->queue};
	char *text;

	if (item) {
		letter.path = item->path;
		letter.position = item->position;
		json_object_set_new(detail, "path",
				    json_stringn(item->path.data ? item->path.data : "", item->path.len));
		/* several parts of one message may die: each has a record of its own */
		record.attempt = output_part_number(item);
	}
	json_object_set_new(detail, "position",
			    json_stringn(letter.position.data ? letter.position.data : "", letter.position.len));
	text = json_dumps(detail, JSON_COMPACT);
	record.detail = span_of(text);
	unit_dead(run->batch->unit, &letter);
	gap_tell(run, item, NULL, 0, GAP_DEAD);
	unit_record(run->batch->unit, &record);
	log_warn("transform", message->correlationid, "dead flow=%s step=%s code=%s position=\"%.*s\" error=\"%s\"",
		 record.place, step, why->code, SPAN_ARGS(letter.position), why->text);
	free(text);
	json_decref(detail);
	return tell_refusal(run, &letter, error);
}

/* The same for an error that takes the letter's place as the caller's: on failure it says what failed. */
int transform_bury(struct run *run, const struct item *item, const char *step, struct error *error)
{
	struct error why = *error;

	return put_dead(run, item, step, &why, SPAN_NONE, error);
}

static void expect(struct run *run, const char *topic, const struct message *message, struct item *item)
{
	const struct prepared *prepared = run->prepared;
	struct unit *unit = run->batch->unit;

	expecting_sent(unit, prepared->flow, run->delivery->message, message, prepared->chain, item);
	if (topic)
		expecting_event(unit, run->worker->site, topic, message, prepared->chain, item);
}

static int on_publish(void *arg, const struct chain_output *output, struct error *error)
{
	struct run *run = arg;
	const struct flow *flow = run->prepared->flow;
	const char *topic = output->topic ? output->topic : flow->publish;
	const char *queue = topic ? NULL : flow->out_queue;
	struct message *message = message_new();
	bool sent = false;
	int result = -1;

	if (output->hold) {
		message_free(message);
		return hold_keep(run, output, error);
	}
	output_inherit(message, run->delivery->message, output, flow);
	message_set(message, &message->type, topic ? span_of(topic) : SPAN_LITERAL("ferrule.delivery.v1"));
	if (!id_is_none(&output->stands))
		message_body_take(message, reader_ref(output->body));
	else if (transform_body(run, message, output, error))
		goto done;
	if (output_keys(message, run->delivery->message, output->item, error) ||
	    (topic ? output_orders(message, run->worker->site, run->prepared->chain, output->item, topic, error)
		   : output_address(message, run->delivery->message, flow, run->prepared->chain, output->item,
				    error))) {
		result = error->class == ERROR_REJECT
				 ? transform_bury(run, output->item, topic ? "publish" : "to", error)
				 : -1;
		goto done;
	}
	if ((topic || queue) && !id_is_none(&output->stands)) {
		result = once_add(run, output, topic, queue, message, error);
		sent = !result;
	} else if (topic || queue) {
		result = transform_publish(run, topic, queue, false, message, error);
		sent = !result;
		/* a message that cannot be a message (its envelope is too large) is this part's own fault */
		if (result && error->class == ERROR_REJECT)
			result = transform_bury(run, output->item, "publish", error);
	} else {
		result = 0;
	}
	if (!result)
		gap_tell_way(run, output->item, topic);
	if (sent)
		expect(run, topic, message, output->item);
done:
	message_free(message);
	return result;
}

static int on_dead(void *arg, const struct item *item, const char *step, const struct error *why, struct span content,
		   struct error *error)
{
	return put_dead(arg, item, step, why, content, error);
}

static int on_drop(void *arg, const struct item *item, const char *step, const char *why, struct error *error)
{
	struct run *run = arg;
	json_t *detail = json_pack("{s:s s:s s:s%}", "step", step, "why", why, "path",
				   item->path.data ? item->path.data : "", item->path.len);
	char *text = json_dumps(detail, JSON_COMPACT);
	struct record record = {.message = run->delivery->message,
				.stage = "filtered",
				.place = run->prepared->flow->name,
				.attempt = (uint32_t)item->offset + 1,
				.detail = span_of(text)};

	unit_record(run->batch->unit, &record);
	gap_tell(run, item, NULL, 0, GAP_DROPPED);
	free(text);
	json_decref(detail);
	return 0;
}

/* What units before this one note must be there before this one looks. */
static int wait_for_notes(struct run *run, struct error *error)
{
	const struct transform *transform = run->worker->own;

	while (transform->noting) {
		board_tick(run->worker->slot);
		if (queue_wait(run->worker->queue, WAIT_STEP_MS, error))
			return -1;
	}
	return 0;
}

static int on_lookup(void *arg, const char *table, json_t *keys, json_t **values, struct error *error)
{
	struct run *run = arg;

	return wait_for_notes(run, error) ||
			       unit_tables_lookup(&run->batch->tables, run->worker->queue, table, keys, values, error)
		       ? -1
		       : 0;
}

static int on_remember(void *arg, const struct item *item, const char *table, struct span key, json_t *value,
		       bool replace, struct error *error)
{
	struct run *run = arg;

	return (!replace && wait_for_notes(run, error)) ||
			       unit_tables_remember(&run->batch->tables, run->worker->queue, run->batch->unit,
						    run->delivery->message, table, key, value, replace, error)
		       ? -1
		       : 0;
}

static int on_tick(void *arg, struct error *error)
{
	struct run *run = arg;

	board_tick(run->worker->slot);
	return 0;
}

/* ---- one delivery
 * ------------------------------------------------------------------------------------------------------ */

static int run_chain(struct run *run, struct error *error)
{
	const struct message *message = run->delivery->message;
	struct chain_events events = {.arg = run,
				      .publish = on_publish,
				      .dead = on_dead,
				      .drop = on_drop,
				      .tick = on_tick,
				      .lookup = on_lookup,
				      .remember = on_remember,
				      .group = group_tell};

	if (message->expires_ms && clock_now_ms() > message->expires_ms)
		return error_set(error, ERROR_REJECT, "message.expired",
				 "it waited longer than the site keeps queued messages (retention: queue)");
	run->prepared = prepare_flow(run->worker, run->delivery, error);
	if (!run->prepared || request_body(run->delivery->message, run->worker->vault, error))
		return -1;
	FAULT("transform.running");
	poison_taste(message->origin.name);
	return chain_run(run->prepared->chain, message, &events, error);
}

/* 0: its outcome is in the unit. -1: RETRY, the unit is spoiled. FATAL ends this process; the message is suspect. */
static int process(struct batch *batch, struct delivery *delivery, struct error *error)
{
	struct worker *worker = batch->worker;
	struct run run = {.worker = worker, .batch = batch, .delivery = delivery};
	int result;

	board_hold(worker->slot, &delivery->message->id);
	board_step(worker->slot, delivery->queue);
	result = run_chain(&run, error);
	if (!result)
		result = once_flush(&run, error);
	once_drop(&run);
	if (result && error->class == ERROR_REJECT)
		result = transform_bury(&run, NULL, "receive", error);
	if (result && error->class == ERROR_FATAL)
		worker_blame(worker, error);
	if (!result)
		unit_settle(batch->unit, delivery);
	board_let_go(worker->slot);
	return result;
}

/* ---- batches
 * ------------------------------------------------------------------------------------------------------------- */

static void batch_free(struct batch *batch, bool done)
{
	struct transform *transform = batch->worker->own;

	for (size_t i = 0; i < batch->count; i++)
		if (done)
			delivery_free(batch->deliveries[i]);
		else
			queue_release(batch->worker->queue, batch->deliveries[i]);
	transform->batches--;
	transform->noting -= batch->counted;
	unit_tables_forget(&batch->tables);
	free(batch);
}

static void fail_batch(struct batch *batch, const struct error *error)
{
	struct transform *transform = batch->worker->own;

	log_warn("transform", SPAN_NONE, "again soon count=%zu code=%s error=\"%s\"", batch->count, error->code,
		 error->text);
	transform->not_before = clock_tick_ms() + RETRY_MS;
	batch_free(batch, false);
}

static void refused(struct batch *batch, const struct error *error);

static void committed(void *arg, const struct error *error)
{
	struct batch *batch = arg;

	FAULT("transform.committed");
	board_tick(batch->worker->slot);
	if (!error)
		batch_free(batch, true);
	else if (error->class == ERROR_RETRY || batch->last)
		fail_batch(batch, error);
	else
		refused(batch, error);
}

static void commit(struct batch *batch)
{
	struct worker *worker = batch->worker;
	struct transform *transform = worker->own;
	struct error error = {0};

	FAULT("transform.done");
	if (batch->tables.noted && !batch->counted) {
		batch->counted = true;
		transform->noting++;
	}
	if (unit_commit(batch->unit, committed, batch, &error))
		worker_fail(worker, &error);
}

static struct batch *batch_new(struct worker *worker)
{
	struct transform *transform = worker->own;
	struct batch *batch = mem_alloc(sizeof *batch);

	batch->worker = worker;
	unit_tables_forget(&batch->tables);
	batch->unit = unit_new(worker->queue);
	transform->batches++;
	return batch;
}

static int64_t failed_since(const struct message *message)
{
	return message->first_failed_ms ? message->first_failed_ms : clock_now_ms();
}

/* A message that cannot be done now, alone in its unit, waits aside so that it holds up nobody. */
static void put_aside(struct batch *batch, const struct retry_spec *retry, const struct error *why)
{
	struct delivery *delivery = batch->deliveries[0];
	struct run run = {.worker = batch->worker, .batch = batch, .delivery = delivery};
	struct error dead;

	if (clock_now_ms() - failed_since(delivery->message) > retry->for_ms) {
		error_set(&dead, ERROR_REJECT, "retry.expired", "tried again and again without success; at last: %s",
			  why->text);
		transform_bury(&run, NULL, "retry", &dead);
		unit_settle(batch->unit, delivery);
	} else {
		int64_t due = clock_now_ms() + backoff_wait(retry, delivery->message->attempt, why->retry_after_ms);

		backoff_count(delivery->message, clock_now_ms());
		unit_park(batch->unit, delivery, due, why);
	}
	commit(batch);
}

static const struct retry_spec patient = {5ll * 86400000, 1000, 900000};

/* The unit cannot be committed as it is, now or later. Whose fault that is shows when each goes alone. */
static void refused(struct batch *batch, const struct error *error)
{
	struct transform *transform = batch->worker->own;
	struct run run = {.worker = batch->worker, .batch = batch, .delivery = batch->deliveries[0]};
	struct error why = *error;

	transform->careful = 2 * BATCH_MESSAGES;
	if (batch->count > 1) {
		fail_batch(batch, error);
		return;
	}
	batch->last = true;
	unit_tables_forget(&batch->tables);
	batch->unit = unit_new(batch->worker->queue);
	if (why.class != ERROR_REJECT) {
		put_aside(batch, &patient, &why);
		return;
	}
	transform_bury(&run, NULL, "commit", &why);
	unit_settle(batch->unit, batch->deliveries[0]);
	commit(batch);
}

/* What could not be done spoils the unit it was in: nothing of that is settled, all of it comes again, one by one for a
 * while. */
static void spoiled(struct batch *batch, const struct error *error)
{
	struct worker *worker = batch->worker;
	struct transform *transform = worker->own;

	unit_free(batch->unit);
	transform->careful = 2 * BATCH_MESSAGES;
	if (batch->count > 1) {
		fail_batch(batch, error);
		return;
	}
	unit_tables_forget(&batch->tables);
	batch->unit = unit_new(worker->queue);
	put_aside(batch, &patient, error);
}

/* Everything that has arrived, in units. */
static void work(struct worker *worker)
{
	struct transform *transform = worker->own;
	struct batch *batch = NULL;
	struct delivery *delivery;

	while (transform->batches < PIPELINE + (batch != NULL) && clock_tick_ms() >= transform->not_before &&
	       queue_take(worker->queue, &delivery, 1)) {
		struct error error = {0};

		if (!batch)
			batch = batch_new(worker);
		batch->deliveries[batch->count++] = delivery;
		batch->bytes += (size_t)delivery->message->body_size;
		if (process(batch, delivery, &error)) {
			spoiled(batch, &error);
			return;
		}
		if (batch->count == BATCH_MESSAGES || batch->bytes >= BATCH_BYTES || delivery->suspect ||
		    transform->careful) {
			transform->careful -= transform->careful > 0;
			commit(batch);
			batch = NULL;
		}
	}
	if (batch)
		commit(batch);
}

static void transform_ready(struct worker *worker)
{
	struct transform *transform = worker->own;

	work(worker);
	worker->wait_ms = clock_tick_ms() < transform->not_before ? RETRY_MS / 4 : 1000;
}

/* ---- the role
 * --------------------------------------------------------------------------------------------------------------- */

static void credit(struct worker *worker, unsigned messages)
{
	for (size_t i = 0; i < worker->topology->count; i++)
		if (worker->topology->queues[i].kind == QUEUE_IN)
			queue_credit(worker->queue, worker->topology->queues[i].name, messages, WINDOW_BYTES);
}

static void tell_watchdog(void *worker)
{
	board_tick(((struct worker *)worker)->slot);
}

static int transform_start(struct worker *worker, struct error *error)
{
	worker->own = mem_alloc(sizeof(struct transform));
	vault_progress(worker->vault, tell_watchdog, worker);
	credit(worker, WINDOW_MESSAGES);
	return 0;
}

static void transform_drain(struct worker *worker)
{
	struct delivery *delivery;

	credit(worker, 0);
	while (queue_take(worker->queue, &delivery, 1))
		queue_release(worker->queue, delivery);
}

static bool transform_idle(struct worker *worker)
{
	struct transform *transform = worker->own;

	return transform->batches == 0;
}

static void transform_stop(struct worker *worker)
{
	struct transform *transform = worker->own;

	for (struct prepared *prepared = transform->prepared, *next; prepared; prepared = next) {
		next = prepared->next;
		chain_free(prepared->chain);
		free(prepared);
	}
	free(transform);
}

const struct role role_transform = {
	.name = "transform",
	.start = transform_start,
	.ready = transform_ready,
	.drain = transform_drain,
	.idle = transform_idle,
	.stop = transform_stop,
	.needs_vault = true,
};
