/* One hop on RabbitMQ: a message is taken from a quorum queue, published to another, confirmed, acknowledged.
 * Measured in one run, a JSON line each: a bare loop on librabbitmq with bodies alone (the yardstick), and the broker
 * adapter with envelopes and headers.
 *
 *     hop_amqp [MESSAGES [BODY-BYTES]]      with AMQP_HOST and AMQP_PORT, from tests/lab/rabbitmq.sh env */
#include "config.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker-adapters/amqp.h"

#define PREFETCH 500
#define WINDOW 1000
#define ACK_EVERY 100

static long messages = 50000;
static size_t body_size = 2048;

static void die(const char *what)
{
	fprintf(stderr, "hop_amqp: %s\n", what);
	exit(1);
}

static double now(void)
{
	return (double)clock_tick_ms() / 1000;
}

static double cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double report(const char *name, double seconds, double used)
{
	printf("{\"bench\":\"%s\",\"messages\":%ld,\"body\":%zu,\"prefetch\":%d,\"window\":%d,\"seconds\":%.3f,\"per_"
	       "second\":%.0f,"
	       "\"cpu_us\":%.1f}\n",
	       name, messages, body_size, PREFETCH, WINDOW, seconds, (double)messages / seconds,
	       used * 1e6 / (double)messages);
	fflush(stdout);
	return (double)messages / seconds;
}

/* ---- bare ---------------------------------------------------------------------------------------------------- */

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

/* The n-th delivery is the n-th publish, so that confirms say how far deliveries may be acknowledged. */
static void bare_hops(amqp_connection_state_t in, amqp_connection_state_t out, struct confirms *confirms, uint64_t base)
{
	uint64_t taken = 0, acked = 0;

	while (acked < (uint64_t)messages) {
		struct timeval wait = {.tv_usec = 200};
		amqp_envelope_t envelope;
		uint64_t ready;

		amqp_maybe_release_buffers(in);
		if (amqp_consume_message(in, &envelope, &wait, 0).reply_type == AMQP_RESPONSE_NORMAL) {
			taken++;
			bare_publish(out, "bare-b", envelope.message.body);
			amqp_destroy_envelope(&envelope);
		}
		if (taken % 16 && taken - acked < PREFETCH && taken < (uint64_t)messages)
			continue;
		bare_confirms(out, confirms, false);
		ready = confirms->first - 1 - base;
		if (ready - acked < ACK_EVERY && ready < taken)
			continue;
		if (ready > acked)
			amqp_basic_ack(in, 1, ready, 1);
		acked = ready;
	}
}

static double bench_bare(void)
{
	amqp_connection_state_t out = bare_connect(), in = bare_connect();
	struct confirms confirms = {.first = 1, .done = mem_alloc((size_t)messages * 2 + 2)};
	double start, used, rate;

	bare_queue(out, "bare-a");
	bare_queue(out, "bare-b");
	amqp_confirm_select(out, 1);
	start = now();
	used = cpu();
	bare_fill(out, &confirms, "bare-a");
	report("amqp_publish_bare", now() - start, cpu() - used);
	amqp_basic_qos(in, 1, 0, PREFETCH, 0);
	amqp_basic_consume(in, 1, amqp_cstring_bytes("bare-a"), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
	start = now();
	used = cpu();
	bare_hops(in, out, &confirms, (uint64_t)messages);
	rate = report("amqp_hop_bare", now() - start, cpu() - used);
	amqp_destroy_connection(in);
	amqp_destroy_connection(out);
	free(confirms.done);
	return rate;
}

/* ---- the adapter --------------------------------------------------------------------------------------------- */

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

static void adapter_envelope(struct buf *envelope)
{
	struct message *message = message_new();

	message->id.bytes[0] = 1;
	message_set(message, &message->source, SPAN_LITERAL("//acme/orders"));
	message_set(message, &message->type, SPAN_LITERAL("order.received.v1"));
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	message_set(message, &message->flow, SPAN_LITERAL("acme-orders"));
	message->time_ms = clock_now_ms();
	buf_init(envelope, MESSAGE_ENVELOPE_MAX);
	message_encode(message, envelope, NULL);
	message_free(message);
}

static double bench_adapter(void)
{
	struct amqp_settings settings = {.host = getenv("AMQP_HOST"),
					 .port = atoi(getenv("AMQP_PORT")),
					 .vhost = "/",
					 .user = "guest",
					 .exchange = "bench",
					 .prefix = "bench.",
					 .name = "bench",
					 .heartbeat_ms = 10000,
					 .window = WINDOW};
	struct hop *hop = mem_alloc(sizeof *hop);
	struct broker_events events = {hop, on_published, on_delivered, on_lost, on_state};
	struct topology *topology = adapter_topology();
	struct buf envelope;
	double start, used, rate;

	adapter_envelope(&envelope);
	hop->loop = loop_new();
	hop->broker = amqp_ops.open(&settings, SPAN_LITERAL("guest"), hop->loop, NULL, &events, NULL);
	amqp_ops.declare(hop->broker, topology, NULL);
	while (!hop->connected)
		turn(hop);
	start = now();
	used = cpu();
	adapter_fill(hop, buf_view(&envelope));
	report("amqp_publish_adapter", now() - start, cpu() - used);
	amqp_ops.fetch(hop->broker, &topology->queues[0], PREFETCH);
	start = now();
	used = cpu();
	while (hop->hopped < messages)
		turn(hop);
	rate = report("amqp_hop_adapter", now() - start, cpu() - used);
	amqp_ops.close(hop->broker);
	loop_free(hop->loop);
	topology_free(topology);
	buf_free(&envelope);
	free(hop);
	return rate;
}

int main(int argc, char **argv)
{
	double bare, adapter;

	if (argc > 1)
		messages = atol(argv[1]);
	if (argc > 2)
		body_size = (size_t)atol(argv[2]);
	if (messages < 1 || body_size > MESSAGE_INLINE_MAX)
		die("usage: hop_amqp [MESSAGES [BODY-BYTES]]");
	bare = bench_bare();
	adapter = bench_adapter();
	printf("{\"bench\":\"amqp_hop_ratio\",\"adapter_to_bare\":%.2f}\n", adapter / bare);
	return 0;
}
