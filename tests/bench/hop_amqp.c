/* One hop on RabbitMQ: a message is taken from a quorum queue, published to another, confirmed, acknowledged.
 * Measured in turns in one run, with the same queue type, prefetch and window: a bare loop on librabbitmq with bodies
 * alone (the yardstick), the broker adapter with envelopes and headers, and the whole: a worker that hops through the
 * queue process, which commits each group of units in PostgreSQL before it acknowledges. (A hop alone writes nothing
 * there: what a group costs then is the order of things, not the disk.)
 *
 *     hop_amqp [MESSAGES [ROUNDS [BODY-BYTES]]]     with AMQP_PORT, FERRULE_PG_PORT … from tests/lab/…sh env */
#include "config.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker-adapters/queues/amqp.h"
#include "broker-adapters/databases/postgresql.h"
#include "tests/bench/bench.h"

#define PREFETCH 256 /* what the queue process comes to */
#define WINDOW 1000
#define ACK_EVERY 100
#define UNIT 50
#define LIMIT_S 100

extern const struct db_ops postgresql_ops;

static long messages = 8000;
static size_t body_size = 2048;

static void die(const char *what)
{
	bench_die(what, NULL);
}

/* ---- bare -------------------------------------------------------------------------------------------------------- */

static amqp_connection_state_t bare_connect(void)
{
	amqp_connection_state_t connection = amqp_new_connection();
	amqp_socket_t *socket = amqp_tcp_socket_new(connection);
	const char *port = getenv("AMQP_PORT"), *host = getenv("AMQP_HOST");

	if (!port || !host || amqp_socket_open(socket, host, atoi(port)))
		die("no broker: eval $(tests/lab/rabbitmq.sh up DIR), export AMQP_HOST AMQP_PORT");
	if (amqp_login(connection, "/", 0, 131072, 10, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type !=
	    AMQP_RESPONSE_NORMAL)
		die("login");
	amqp_channel_open(connection, 1);
	return connection;
}

static void bare_queue(amqp_connection_state_t connection, const char *name)
{
	amqp_table_entry_t entry = {
		.key = amqp_cstring_bytes("x-queue-type"),
		.value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}};
	amqp_table_t arguments = {.num_entries = 1, .entries = &entry};

	amqp_queue_delete(connection, 1, amqp_cstring_bytes(name), 0, 0);
	if (!amqp_queue_declare(connection, 1, amqp_cstring_bytes(name), 0, 1, 0, 0, arguments))
		die("declare");
}

static void bare_publish(amqp_connection_state_t connection, const char *queue, amqp_bytes_t body)
{
	amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};

	if (amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 1, 0, &properties, body))
		die("publish");
}

struct confirms { /* which publishes have their answer; all below `first` have */
	uint64_t first;
	bool *done;
};

static void confirm(struct confirms *confirms, const amqp_basic_ack_t *ack)
{
	for (uint64_t n = ack->multiple ? confirms->first : ack->delivery_tag; n <= ack->delivery_tag; n++)
		confirms->done[n] = true;
	while (confirms->done[confirms->first])
		confirms->first++;
}

/* What has come on the publishing connection; waits for something when told to. */
static void bare_confirms(amqp_connection_state_t connection, struct confirms *confirms, bool wait)
{
	struct timeval none = {0}, some = {.tv_sec = 10};
	amqp_frame_t frame;

	while (amqp_simple_wait_frame_noblock(connection, &frame, wait ? &some : &none) == AMQP_STATUS_OK) {
		if (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
			confirm(confirms, frame.payload.method.decoded);
		amqp_maybe_release_buffers(connection);
		wait = false;
	}
}

static void bare_fill(amqp_connection_state_t connection, struct confirms *confirms, const char *queue)
{
	char *content = mem_alloc(body_size);

	for (long i = 1; i <= messages; i++) {
		while ((uint64_t)i - confirms->first >= WINDOW)
			bare_confirms(connection, confirms, true);
		bare_publish(connection, queue, (amqp_bytes_t){body_size, content});
	}
	while (confirms->first <= (uint64_t)messages)
		bare_confirms(connection, confirms, true);
	free(content);
}

struct bare { /* the hopping: everything that has come, then sleep until more does */
	amqp_connection_state_t in, out;
	struct confirms *confirms;
	uint64_t base, taken, acked; /* base: publishes of the filling */
};

static bool bare_take(struct bare *bare)
{
	struct timeval none = {0};
	amqp_envelope_t envelope;

	amqp_maybe_release_buffers(bare->in);
	if (amqp_consume_message(bare->in, &envelope, &none, 0).reply_type != AMQP_RESPONSE_NORMAL)
		return false;
	bare->taken++;
	bare_publish(bare->out, "bare-b", envelope.message.body);
	amqp_destroy_envelope(&envelope);
	return true;
}

/* The n-th delivery is the n-th publish, so that confirms say how far deliveries may be acknowledged. */
static bool bare_ack(struct bare *bare, bool idle)
{
	uint64_t ready = bare->confirms->first - 1 - bare->base;

	if (ready == bare->acked || (ready - bare->acked < ACK_EVERY && !idle))
		return false;
	amqp_basic_ack(bare->in, 1, ready, 1);
	bare->acked = ready;
	return true;
}

static void bare_hops(struct bare *bare)
{
	struct pollfd sockets[] = {{.fd = amqp_get_sockfd(bare->in), .events = POLLIN},
				   {.fd = amqp_get_sockfd(bare->out), .events = POLLIN}};

	while (bare->acked < (uint64_t)messages) {
		size_t n = 0;

		while (n < ACK_EVERY && bare_take(bare))
			n++;
		bare_confirms(bare->out, bare->confirms, false);
		if (!bare_ack(bare, n == 0) && !n)
			poll(sockets, 2, 10);
	}
}

static double bench_bare(void)
{
	amqp_connection_state_t out = bare_connect(), in = bare_connect();
	struct confirms confirms = {.first = 1, .done = mem_alloc((size_t)messages * 2 + 2)};
	struct bare bare = {in, out, &confirms, .base = (uint64_t)messages};
	double start, seconds;

	bare_queue(out, "bare-a");
	bare_queue(out, "bare-b");
	amqp_confirm_select(out, 1);
	bare_fill(out, &confirms, "bare-a");
	amqp_basic_qos(in, 1, 0, PREFETCH, 0);
	amqp_basic_consume(in, 1, amqp_cstring_bytes("bare-a"), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
	start = bench_now();
	bare_hops(&bare);
	seconds = bench_now() - start;
	amqp_queue_delete(out, 1, amqp_cstring_bytes("bare-a"), 0, 0);
	amqp_queue_delete(out, 1, amqp_cstring_bytes("bare-b"), 0, 0);
	amqp_destroy_connection(in);
	amqp_destroy_connection(out);
	free(confirms.done);
	return (double)messages / seconds;
}

/* What the others published is not carried along into the next round. */
static void purge(const char *queue)
{
	amqp_connection_state_t connection = bare_connect();

	amqp_queue_purge(connection, 1, amqp_cstring_bytes(queue));
	amqp_destroy_connection(connection);
}

/* ---- the adapter ------------------------------------------------------------------------------------------------- */

struct hop {
	void *broker;
	struct loop *loop;
	bool connected;
	long confirmed, filled, hopped;
	uint64_t held[WINDOW * 2]; /* tags whose publish waits for its answer, by token modulo */
	struct waiting {           /* what the window had no room for */
		uint64_t tag;
		struct buf envelope, body;
	} waiting[PREFETCH];
	size_t waiting_first, waiting_count;
	long token;
};

static struct publication publication_to(const char *queue, struct span envelope, struct span body)
{
	static const uint8_t id[32] = {1};

	return (struct publication){
		.queue = queue, .envelope = envelope, .body = body, .message_id = span_make(id, 32)};
}

static void on_published(void *arg, uint64_t token, enum published how, const struct error *error)
{
	struct hop *hop = arg;

	if (how != PUBLISH_CONFIRMED)
		die(error ? error->text : "returned");
	hop->confirmed++;
	if (token < (uint64_t)messages)
		return;
	amqp_ops.settled(hop->broker, hop->held[token % (WINDOW * 2)]);
	hop->hopped++;
}

static bool pass_on(struct hop *hop, uint64_t tag, struct span envelope, struct span body)
{
	struct publication publication = publication_to("b", envelope, body);

	hop->held[hop->token % (WINDOW * 2)] = tag;
	if (amqp_ops.publish(hop->broker, (uint64_t)hop->token, &publication, NULL))
		return false;
	hop->token++;
	return true;
}

static void on_delivered(void *arg, const struct topology_queue *queue, uint64_t tag, bool redelivered,
			 struct span envelope, struct span body)
{
	struct hop *hop = arg;
	struct waiting *waiting;

	if (!hop->waiting_count && pass_on(hop, tag, envelope, body))
		return;
	waiting = &hop->waiting[(hop->waiting_first + hop->waiting_count++) % PREFETCH];
	waiting->tag = tag;
	buf_init(&waiting->envelope, 1 << 20);
	buf_init(&waiting->body, 1 << 20);
	buf_span(&waiting->envelope, envelope);
	buf_span(&waiting->body, body);
}

static void pass_on_waiting(struct hop *hop)
{
	while (hop->waiting_count) {
		struct waiting *waiting = &hop->waiting[hop->waiting_first];

		if (!pass_on(hop, waiting->tag, buf_view(&waiting->envelope), buf_view(&waiting->body)))
			return;
		buf_free(&waiting->envelope);
		buf_free(&waiting->body);
		hop->waiting_first = (hop->waiting_first + 1) % PREFETCH;
		hop->waiting_count--;
	}
}

static void on_lost(void *arg, const struct error *error)
{
	die(error->text);
}

static void on_state(void *arg, bool connected, bool consuming, bool blocked, const char *text)
{
	((struct hop *)arg)->connected = connected;
}

static void turn(struct hop *hop)
{
	amqp_ops.flush(hop->broker);
	loop_once(hop->loop, 100);
	pass_on_waiting(hop);
}

static void adapter_fill(struct hop *hop, struct span envelope)
{
	char *content = mem_alloc(body_size);
	struct publication publication = publication_to("a", envelope, span_make(content, body_size));

	while (hop->token < messages) {
		if (amqp_ops.publish(hop->broker, (uint64_t)hop->token, &publication, NULL))
			turn(hop);
		else
			hop->token++;
	}
	while (hop->confirmed < messages)
		turn(hop);
	free(content);
}

static struct topology *adapter_topology(void)
{
	struct topology *topology = topology_new();

	topology_add(topology, "a");
	topology_add(topology, "b");
	return topology;
}

static struct amqp_settings settings_of(const char *name, const char *prefix)
{
	return (struct amqp_settings){.host = getenv("AMQP_HOST"),
				      .port = atoi(getenv("AMQP_PORT")),
				      .vhost = "/",
				      .user = "guest",
				      .exchange = name,
				      .prefix = prefix,
				      .name = name,
				      .heartbeat_ms = 10000,
				      .window = WINDOW};
}

static double bench_adapter(const struct message *message)
{
	struct amqp_settings settings = settings_of("bench-adapter", "bench-adapter.");
	struct hop *hop = mem_alloc(sizeof *hop);
	struct broker_events events = {hop, on_published, on_delivered, on_lost, on_state};
	struct topology *topology = adapter_topology();
	struct buf envelope;
	double start, seconds;

	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	message_encode(message, &envelope, NULL);
	hop->loop = loop_new();
	hop->broker = amqp_ops.open(&settings, SPAN_LITERAL("guest"), hop->loop, NULL, &events, NULL);
	amqp_ops.declare(hop->broker, topology, NULL);
	while (!hop->connected)
		turn(hop);
	adapter_fill(hop, buf_view(&envelope));
	amqp_ops.fetch(hop->broker, &topology->queues[0], PREFETCH);
	start = bench_now();
	while (hop->hopped < messages)
		turn(hop);
	seconds = bench_now() - start;
	amqp_ops.close(hop->broker);
	loop_free(hop->loop);
	topology_free(topology);
	buf_free(&envelope);
	free(hop);
	purge("bench-adapter.b");
	return (double)messages / seconds;
}

/* ---- the queue process ------------------------------------------------------------------------------------------- */

static void engine_start(const char *directory, struct bench_engine *engine)
{
	static struct amqp_settings broker;
	static struct postgresql_settings store;
	struct engine_config config = {.broker = &amqp_ops,
				       .broker_settings = &broker,
				       .broker_password = SPAN_LITERAL("guest"),
				       .store = &postgresql_ops,
				       .store_settings = &store,
				       .store_password = span_of(getenv("FERRULE_PG_PASSWORD"))};

	broker = settings_of("bench", "bench.");
	store = (struct postgresql_settings){.host = getenv("FERRULE_PG_HOST"),
					     .port = atoi(getenv("FERRULE_PG_PORT")),
					     .user = getenv("FERRULE_PG_USER"),
					     .database = getenv("FERRULE_PG_DATABASE"),
					     .schema = "bench",
					     .connect_timeout_ms = 5000,
					     .timeout_ms = 10000};
	*engine = bench_engine_start(directory, &config);
}

static double bench_engine(const struct bench_engine *engine, const struct message *message)
{
	struct bench_hops how = {.unit = UNIT, .flight = 5};
	double rate;

	bench_fill(engine, "in.a", message, (size_t)messages);
	rate = bench_hop(engine, &how, (size_t)messages);
	purge("bench.out.x");
	return rate;
}

int main(int argc, char **argv)
{
	double bare[BENCH_ROUNDS_MAX], adapter[BENCH_ROUNDS_MAX], whole[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 3;
	struct bench_engine engine;
	struct message *message;
	char *directory;
	double ratio, part;

	if (argc > 1)
		messages = atol(argv[1]);
	if (argc > 3)
		body_size = (size_t)atol(argv[3]);
	if (messages < 1 || !rounds || rounds > BENCH_ROUNDS_MAX || body_size > MESSAGE_INLINE_MAX)
		die("usage: hop_amqp [MESSAGES [ROUNDS [BODY-BYTES]]]");
	if (!getenv("AMQP_PORT") || !getenv("AMQP_HOST") || !getenv("FERRULE_PG_PORT"))
		die("no servers: see the head of tests/bench/hop_amqp.c");
	bench_limit(LIMIT_S);
	message = bench_message(body_size);
	directory = bench_directory();
	engine_start(directory, &engine);
	bench_engine(&engine, message); /* its windows grow from 8, by what is asked of them */
	for (size_t i = 0; i < rounds; i++) {
		bare[i] = bench_bare();
		adapter[i] = bench_adapter(message);
		whole[i] = bench_engine(&engine, message);
		ratios[i] = whole[i] / bare[i];
	}
	bench_engine_stop(&engine);
	ratio = bench_median(ratios, rounds);
	part = bench_median(adapter, rounds) / bench_median(bare, rounds);
	printf("{\"bench\":\"amqp_hop\",\"messages\":%ld,\"rounds\":%zu,\"unit\":%d,\"body\":%zu,\"prefetch\":%d,"
	       "\"window\":%d,\"hops_per_s\":%.0f,\"bare_per_s\":%.0f,\"ratio\":%.2f,\"worst_ratio\":%.2f,"
	       "\"adapter_ratio\":%.2f,\"goal\":0.7,\"reached\":%s}\n",
	       messages, rounds, UNIT, body_size, PREFETCH, WINDOW, bench_median(whole, rounds),
	       bench_median(bare, rounds),
	       ratio, ratios[0], part, ratio >= 0.7 ? "true" : "false");
	message_free(message);
	bench_remove(directory);
	return 0;
}
