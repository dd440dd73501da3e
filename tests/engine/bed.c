/* A queue process for tests. See bed.h. */
#include "config.h"
#include "tests/engine/bed.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/queue/engine.h"

struct error bed_error;

static struct topology_queue *add(struct topology *topology, const char *name, enum queue_kind kind, const char *flow,
				  const char *topic)
{
	struct topology_queue *queue = topology_add(topology, name);

	queue->kind = kind;
	queue->flow = flow;
	queue->endpoint = kind == QUEUE_OUT ? strchr(name, '.') + 1 : "";
	queue->system = queue->owner = queue->runbook = "";
	queue->worker = "transform";
	if (!topic)
		return queue;
	queue->topics = arena_alloc(topology->arena, sizeof *queue->topics);
	queue->topics[0] = topic;
	queue->topics_count = 1;
	return queue;
}

static struct topology *queues_new(void)
{
	struct topology *topology = topology_new();

	add(topology, "in.a", QUEUE_IN, "a", "t.v1");
	add(topology, "in.b", QUEUE_IN, "b", "t.v1");
	add(topology, "in.c", QUEUE_IN, "c", "t.v1");
	add(topology, "in.ordered", QUEUE_IN, "ordered", NULL)->order = ORDER_CONTINUE;
	add(topology, "in.holding", QUEUE_IN, "holding", NULL)->order = ORDER_HOLD;
	add(topology, "out.x", QUEUE_OUT, "a", NULL)->worker = "deliver";
	add(topology, "out.y", QUEUE_OUT, "a", NULL)->worker = "sink:y";
	add(topology, QUEUE_RECORDS, QUEUE_SYSTEM, "", NULL)->worker = "record";
	return topology;
}

static void name_it(char name[32])
{
	static unsigned beds;

	snprintf(name, 32, "bed%u", ++beds);
}

struct bed *bed_new_at(const char *directory)
{
	struct bed *bed = calloc(1, sizeof *bed);
	char name[32];

	bed->directory = strdup(directory);
	bed->socket = support_path(directory, "queue.sock");
	bed->db_path = support_path(directory, "ferrule.db");
	bed->topology = queues_new();
	name_it(name);
	lab_config(name, &bed->config);
	bed_start(bed);
	return bed;
}

struct bed *bed_new(void)
{
	char *directory = support_tmpdir();
	struct bed *bed = bed_new_at(directory);

	free(directory);
	return bed;
}

static void on_term(void *arg, unsigned events)
{
	loop_stop(arg);
}

static void run(struct bed *bed, int life)
{
	struct loop *loop = loop_new();
	char *ballast = support_path(bed->directory, "ballast");
	struct engine_config config = bed->config;
	struct error error;
	struct engine *engine;

	config.db_path = bed->db_path;
	config.run_path = bed->directory;
	config.site = "test";
	config.revision = "1";
	config.topology = bed->topology;
	config.disk_reserve = bed->disk_reserve;
	config.ballast_path = ballast;
	config.ballast_size = bed->ballast_size ? bed->ballast_size : 65536;
	engine = engine_open(&config, loop, &error);
	if (!engine) {
		fprintf(stderr, "# engine: %s: %s\n", error.code, error.text);
		_exit(2);
	}
	loop_watch(loop, life, LOOP_READ, on_term, loop);
	loop_run(loop);
	engine_close(engine);
	loop_free(loop);
	free(ballast);
	topology_free(bed->topology);
	exit(0);
}

void bed_start(struct bed *bed)
{
	unlink(bed->socket);
	if (bed->life[1] > 0)
		close(bed->life[1]);
	assert_int_equal(pipe2(bed->life, O_CLOEXEC), 0); /* servers that a test starts must not keep it open */
	fflush(NULL);
	bed->engine = fork();
	if (bed->engine == 0) {
		close(bed->life[1]);
		log_role("queue");
		if (bed->faults)
			setenv("FERRULE_FAULTS", bed->faults, 1);
		if (!getenv("FERRULE_TEST_LOG"))
			log_levels("error");
		run(bed, bed->life[0]);
	}
	close(bed->life[0]);
}

/* With signal 0 it is asked to end, and must end well: a sanitizer's complaint fails the test. */
void bed_stop(struct bed *bed, int signal)
{
	int status;

	if (bed->engine <= 0)
		return;
	if (signal)
		kill(bed->engine, signal);
	close(bed->life[1]);
	bed->life[1] = 0;
	assert_int_equal(waitpid(bed->engine, &status, 0), bed->engine);
	bed->engine = 0;
	if (!signal)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void bed_free(struct bed *bed)
{
	bed_stop(bed, 0);
	topology_free(bed->topology);
	support_rmtree(bed->directory);
	free(bed->directory);
	free(bed->socket);
	free(bed->db_path);
	free(bed);
}

struct queue *bed_connect(struct bed *bed, const char *role)
{
	struct queue *queue = queue_open(bed->socket, role, 10000, &bed_error);

	if (!queue)
		fail_msg("connecting: %s", bed_error.text);
	return queue;
}

struct message *bed_message(const char *text, size_t body_size)
{
	struct message *message = message_new();
	char *body = calloc(1, body_size + 1);

	memset(body, 'x', body_size);
	message->id = id_digest(span_of(text));
	message_set(message, &message->type, SPAN_LITERAL("t.v1"));
	message_set(message, &message->subject, span_of(text));
	message_set(message, &message->revision, SPAN_LITERAL("1"));
	message_key(message, SPAN_LITERAL(".number"), span_of(text), NULL);
	message_body_take(message, reader_new_copy(span_make(body, body_size)));
	free(body);
	return message;
}

static void publish(struct queue *queue, const char *topic, const char *to, struct message *message)
{
	struct unit *unit = unit_new(queue);

	if (unit_publish(unit, topic, to, false, message, &bed_error))
		fail_msg("publishing: %s", bed_error.text);
	if (unit_commit_wait(unit, &bed_error))
		fail_msg("committing: %s", bed_error.text);
	message_free(message);
}

void bed_publish(struct queue *queue, const char *topic, const char *to, const char *text, size_t body_size)
{
	publish(queue, topic, to, bed_message(text, body_size));
}

void bed_publish_ordered(struct queue *queue, const char *to, const char *flow, const char *text, uint64_t key)
{
	struct message *message = bed_message(text, 10);

	message_order(message, span_of(flow), key);
	publish(queue, NULL, to, message);
}

struct delivery *bed_take(struct queue *queue, int wait_ms)
{
	struct delivery *delivery;
	int64_t until = clock_tick_ms() + wait_ms;

	for (;;) {
		int64_t left = until - clock_tick_ms();

		if (queue_take(queue, &delivery, 1))
			return delivery;
		if (left < 0)
			return NULL;
		if (queue_wait(queue, (int)left, &bed_error))
			fail_msg("waiting: %s", bed_error.text);
	}
}

void bed_settle(struct queue *queue, struct delivery *delivery)
{
	struct unit *unit = unit_new(queue);

	unit_settle(unit, delivery);
	if (unit_commit_wait(unit, &bed_error))
		fail_msg("settling: %s", bed_error.text);
	delivery_free(delivery);
}

size_t bed_drain(struct queue *queue, int wait_ms)
{
	struct delivery *batch[256];
	size_t n, all = 0;

	for (;;) {
		struct unit *unit;

		n = queue_take(queue, batch, 256);
		if (!n) {
			batch[0] = bed_take(queue, wait_ms);
			if (!batch[0])
				return all;
			n = 1 + queue_take(queue, batch + 1, 255);
		}
		unit = unit_new(queue);
		for (size_t i = 0; i < n; i++)
			unit_settle(unit, batch[i]);
		if (unit_commit_wait(unit, &bed_error))
			fail_msg("settling: %s", bed_error.text);
		for (size_t i = 0; i < n; i++)
			delivery_free(batch[i]);
		all += n;
	}
}

bool bed_is(const struct delivery *delivery, const char *text)
{
	return delivery && span_is(delivery->message->subject, text);
}
