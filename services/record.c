/* The record role: the only writer of lineage. Takes whole units' records from their queue and writes them in batches;
 * a batch that is written twice changes nothing. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wire.h"
#include "operations/lineage.h"
#include "services/retention.h"
#include "services/site_store.h"
#include "services/worker.h"

#define WINDOW 256
#define WINDOW_BYTES (16u << 20)
#define RETRY_MS 1000
#define EXPIRE_EVERY_MS 60000
#define EXPIRE_FIRST_MS 15000
#define COLLECT_EVERY_MS 3600000
#define COLLECT_LEAST_MS 1000

struct recorder {
	struct lineage *lineage;
	unsigned in_hand;
	int64_t expire_at, collect_at; /* monotonic */
};

struct batch {
	struct worker *worker;
	struct delivery *deliveries[WINDOW];
	size_t count;
};

static void batch_end(struct batch *batch, bool done)
{
	struct recorder *recorder = batch->worker->own;

	for (size_t i = 0; i < batch->count; i++)
		if (done)
			delivery_free(batch->deliveries[i]);
		else
			queue_release(batch->worker->queue, batch->deliveries[i]);
	recorder->in_hand -= (unsigned)batch->count;
	free(batch);
}

static void settled(void *arg, const struct error *error)
{
	batch_end(arg, error == NULL);
}

/* What the broker itself gave up, after far more deliveries than ours ever are: a dead letter like any other. */
static void bury(struct worker *worker, struct unit *unit, struct delivery *delivery)
{
	const struct message *message = delivery->message;
	struct span queue = message_attr_find(message, "backstop.queue"),
		    reason = message_attr_find(message, "backstop.reason");
	const struct topology_queue *spec = topology_find(worker->topology, queue);
	char *name = mem_span_dup(queue);
	struct error why;
	struct dead dead = {.message = message,
			    .queue = name,
			    .step = "broker",
			    .path = message->path,
			    .position = message->position,
			    .why = &why};
	struct record record = {.message = message, .stage = "dead", .place = name};

	error_set(&why, ERROR_REJECT, "broker.backstop", "the broker gave it up (%.*s)", SPAN_ARGS(reason));
	log_warn("record", message->correlationid, "dead queue=%s code=%s error=\"%s\"", name, why.code, why.text);
	unit_dead(unit, &dead);
	unit_record(unit, &record);
	for (size_t i = 0; spec && message->group.len && message->group_index && i < spec->gathers_count; i++)
		unit_gap(unit, spec->gathers[i], message->group, message->generation, message->group_index, GAP_DEAD);
	free(name);
}

/* A damaged record is reported and left out: lineage is for people, and must not stop the site. */
static int write_one(struct recorder *recorder, struct delivery *delivery, struct error *error)
{
	struct span bytes = SPAN_NONE;
	struct record_view record;

	if (!delivery->message->body || strcmp(delivery->queue, QUEUE_RECORDS))
		return 0;
	if (reader_view(delivery->message->body, &bytes, error))
		return -1;
	while (bytes.len && record_decode(&bytes, &record))
		if (lineage_put(recorder->lineage, &record, error))
			return -1;
	if (bytes.len)
		log_warn("record", SPAN_NONE, "damaged record bytes=%zu", bytes.len);
	return 0;
}

static int write_batch(struct recorder *recorder, struct batch *batch, struct error *error)
{
	if (lineage_begin(recorder->lineage, error))
		return -1;
	for (size_t i = 0; i < batch->count; i++)
		if (write_one(recorder, batch->deliveries[i], error)) {
			lineage_rollback(recorder->lineage);
			return -1;
		}
	return lineage_commit(recorder->lineage, error);
}

static void commit(struct batch *batch)
{
	struct unit *unit = unit_new(batch->worker->queue);
	struct error error = {0};

	for (size_t i = 0; i < batch->count; i++) {
		if (!strcmp(batch->deliveries[i]->queue, QUEUE_BACKSTOP))
			bury(batch->worker, unit, batch->deliveries[i]);
		unit_settle(unit, batch->deliveries[i]);
	}
	if (unit_commit(unit, settled, batch, &error))
		worker_fail(batch->worker, &error);
}

/* Once an hour; a site that keeps documents for seconds only looks as often as that asks for. */
static int64_t collect_every(const struct site *site)
{
	int64_t keep = site->retain_originals_ms;
	int64_t every = keep > 0 && keep / 10 < COLLECT_EVERY_MS ? keep / 10 : COLLECT_EVERY_MS;

	return every < COLLECT_LEAST_MS ? COLLECT_LEAST_MS : every;
}

static int64_t at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What is past its time: lineage, and documents in the vault. */
static void expire(struct worker *worker, struct recorder *recorder)
{
	struct error error = {0};

	recorder->expire_at = clock_tick_ms() + at_most(collect_every(worker->site), EXPIRE_EVERY_MS);
	if (worker->site->retain_lineage_ms &&
	    lineage_expire(recorder->lineage, clock_now_ms() - worker->site->retain_lineage_ms, &error))
		log_warn("record", SPAN_NONE, "old lineage stays error=\"%s\"", error.text);
	if (clock_tick_ms() < recorder->collect_at)
		return;
	recorder->collect_at = clock_tick_ms() + collect_every(worker->site);
	if (retention_collect(worker->site, worker->queue, worker->vault, &error))
		log_warn("record", SPAN_NONE, "old documents stay error=\"%s\"", error.text);
}

static void record_ready(struct worker *worker)
{
	struct recorder *recorder = worker->own;
	struct error error = {0};

	for (;;) {
		struct batch *batch = mem_alloc(sizeof *batch);

		batch->worker = worker;
		batch->count = queue_take(worker->queue, batch->deliveries, WINDOW);
		if (!batch->count) {
			free(batch);
			break;
		}
		recorder->in_hand += (unsigned)batch->count;
		if (write_batch(recorder, batch, &error))
			worker_fail(worker, &error); /* started again after a while; nothing was settled */
		commit(batch);
		board_tick(worker->slot);
	}
	if (!worker->draining && clock_tick_ms() >= recorder->expire_at)
		expire(worker, recorder);
}

static void record_drain(struct worker *worker)
{
	queue_credit(worker->queue, QUEUE_RECORDS, 0, 0);
	if (topology_find(worker->topology, SPAN_LITERAL(QUEUE_BACKSTOP)))
		queue_credit(worker->queue, QUEUE_BACKSTOP, 0, 0);
}

static bool record_idle(struct worker *worker)
{
	struct recorder *recorder = worker->own;

	return recorder->in_hand == 0;
}

static void record_stop(struct worker *worker)
{
	struct recorder *recorder = worker->own;

	lineage_close(recorder->lineage);
	free(recorder);
}

static int record_start(struct worker *worker, struct error *error)
{
	struct recorder *recorder = mem_alloc(sizeof *recorder);

	worker->own = recorder;
	recorder->expire_at = recorder->collect_at =
		clock_tick_ms() + at_most(collect_every(worker->site), EXPIRE_FIRST_MS);
	recorder->lineage = site_lineage_open(worker->site, error);
	if (!recorder->lineage)
		return -1;
	queue_credit(worker->queue, QUEUE_RECORDS, WINDOW, WINDOW_BYTES);
	if (topology_find(worker->topology, SPAN_LITERAL(QUEUE_BACKSTOP)))
		queue_credit(worker->queue, QUEUE_BACKSTOP, WINDOW, WINDOW_BYTES);
	return 0;
}

const struct role role_record = {
	.name = "record",
	.start = record_start,
	.ready = record_ready,
	.drain = record_drain,
	.idle = record_idle,
	.stop = record_stop,
	.needs_vault = true,
};
