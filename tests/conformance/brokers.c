/* Clients for the conformance suites. See brokers.h. */
#include "config.h"
#include "tests/conformance/brokers.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

extern const struct broker_ops spool_ops;
extern const struct db_ops sqlite_ops;

static struct {
	char *directory, *lab;
	bool missing;
	struct arena *arena;
} lab;

/* ---- the lab ------------------------------------------------------------------------------------------------- */

int brokers_up(void **state)
{
	lab.directory = support_tmpdir();
	lab.lab = support_path(lab.directory, "rabbitmq");
	lab.arena = arena_new();
	lab.missing = TEST_IS_AMQP &&
		      system("ls /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server > /dev/null 2>&1");
	if (TEST_IS_AMQP && !lab.missing) {
		char options[64];

		snprintf(options, sizeof options, "--tls --while %d > /dev/null", (int)getpid());
		brokers_lab("up", options);
	}
	return 0;
}

int brokers_down(void **state)
{
	if (TEST_IS_AMQP && !lab.missing)
		brokers_lab("down", "");
	support_rmtree(lab.directory);
	arena_free(lab.arena);
	free(lab.directory);
	free(lab.lab);
	return 0;
}

void brokers_need(void)
{
	if (lab.missing)
		support_skip("RabbitMQ is not installed: apt-get install rabbitmq-server");
}

void brokers_lab(const char *verb, const char *rest)
{
	char *command = mem_printf("%s/tests/lab/rabbitmq.sh %s %s %s", SRCDIR, verb, lab.lab, rest);
	int status = system(command);

	if (status)
		fail_msg("%s: status %d", command, status);
	free(command);
}

const char *brokers_lab_env(const char *name)
{
	char *command = mem_printf("eval $(%s/tests/lab/rabbitmq.sh env %s); echo $%s", SRCDIR, lab.lab, name);
	char value[512] = "";
	FILE *out = popen(command, "r");

	free(command);
	if (!out || fscanf(out, "%511s", value) != 1 || pclose(out))
		fail_msg("the lab says nothing of %s", name);
	return arena_strdup(lab.arena, value);
}

struct amqp_settings client_settings(void)
{
	static int64_t port;

	if (!port)
		port = strtol(brokers_lab_env("AMQP_PORT"), NULL, 10);
	return (struct amqp_settings){.host = "127.0.0.1",
				      .port = port,
				      .vhost = "/",
				      .user = "guest",
				      .name = "conformance",
				      .heartbeat_ms = 10000,
				      .window = 1000};
}

/* ---- callbacks ----------------------------------------------------------------------------------------------- */

static void on_published(void *arg, uint64_t token, enum published how, const struct error *error)
{
	struct client *client = arg;
	struct answer *answer;

	if (token >= client->published || client->answers[token].times) {
		client->again = true;
		return;
	}
	answer = &client->answers[token];
	answer->times++;
	answer->how = how;
	snprintf(answer->code, sizeof answer->code, "%s", error ? error->code : "");
	client->answered++;
}

static void on_delivered(void *arg, const struct topology_queue *queue, uint64_t tag, bool redelivered,
			 struct span envelope, struct span body)
{
	struct client *client = arg;
	char start[24];

	client->got = mem_grow(client->got, &client->got_capacity, client->got_count + 1, sizeof *client->got);
	snprintf(start, sizeof start, "%.*s", (int)(body.len < 20 ? body.len : 20), body.data ? body.data : "");
	client->got[client->got_count++] = (struct delivered){.queue = arena_strdup(lab.arena, queue->name),
							      .tag = tag,
							      .redelivered = redelivered,
							      .open = true,
							      .number = body.len ? strtol(start, NULL, 10) : -1,
							      .body_len = body.len,
							      .body_digest = id_digest(body),
							      .envelope = mem_span_dup(envelope),
							      .envelope_len = envelope.len};
	client->open++;
}

static void on_lost(void *arg, const struct error *error)
{
	struct client *client = arg;

	client->lost++;
	if (client->answered != client->published)
		client->again = true; /* every publish must have failed by now */
	for (size_t i = 0; i < client->got_count; i++)
		client->got[i].open = false;
	client->open = 0;
	client->settling_count = 0;
}

static void on_state(void *arg, bool connected, bool consuming, bool blocked, const char *text)
{
	struct client *client = arg;

	client->connected = connected;
	client->consuming = consuming;
	client->blocked = blocked;
	snprintf(client->text, sizeof client->text, "%s", text);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void client_start(struct client *client)
{
	struct broker_events events = client->events; /* gone after the call */
	struct error error = {0};

	client->self = client->ops->open(TEST_IS_AMQP ? &client->settings : NULL, SPAN_LITERAL("guest"), client->loop,
					 client->db, &events, &error);
	events = (struct broker_events){0};
	(void)events;
	if (!client->self)
		fail_msg("%s: %s", error.code, error.text);
}

static struct client *client_alloc(void)
{
	struct client *client = mem_alloc(sizeof *client);

	brokers_need();
	client->loop = loop_new();
	client->events = (struct broker_events){client, on_published, on_delivered, on_lost, on_state};
	return client;
}

struct client *client_new_with(const char *name, const struct amqp_settings *settings)
{
	struct client *client = client_alloc();

	client->ops = &amqp_ops;
	client->settings = *settings;
	client->settings.exchange = arena_strdup(lab.arena, name);
	client->settings.prefix = arena_printf(lab.arena, "%s.", name);
	client_start(client);
	return client;
}

struct client *client_new(const char *name)
{
	struct client *client;
	char *path;

	if (TEST_IS_AMQP) {
		struct amqp_settings settings;

		brokers_need();
		settings = client_settings();
		return client_new_with(name, &settings);
	}
	client = client_alloc();
	client->ops = &spool_ops;
	client->db = &client->db_here;
	client->db->ops = &sqlite_ops;
	path = mem_printf("%s/%s.db", lab.directory, name);
	client->db->self = sqlite_ops.open(arena_alloc(lab.arena, sqlite_ops.settings_size), path, SPAN_NONE, NULL);
	free(path);
	assert_non_null(client->db->self);
	client_start(client);
	client->connected = client->consuming = true;
	return client;
}

void client_close(struct client *client)
{
	assert_false(client->again);
	client->ops->close(client->self);
	if (client->db)
		client->db->ops->close(client->db->self);
	client_forget(client);
	topology_free(client->topology);
	loop_free(client->loop);
	free(client->answers);
	free(client->got);
	free(client->settling);
	free(client);
}

struct topology *queues_new(void)
{
	return topology_new();
}

void queues_add(struct topology *topology, const char *name, const char *topic)
{
	struct topology_queue *queue = topology_add(topology, arena_strdup(topology->arena, name));

	queue->flow = queue->endpoint = queue->system = queue->owner = queue->runbook = "";
	queue->worker = "transform";
	if (!topic)
		return;
	queue->topics = arena_alloc(topology->arena, sizeof *queue->topics);
	queue->topics[0] = arena_strdup(topology->arena, topic);
	queue->topics_count = 1;
}

static bool is_serving(struct client *client, void *none)
{
	return client->connected;
}

void client_declare(struct client *client, struct topology *topology)
{
	struct topology *old = client->topology;
	struct error error = {0};

	if (client->ops->declare(client->self, topology, &error))
		fail_msg("%s: %s", error.code, error.text);
	client->topology = topology;
	topology_free(old);
	client_turn(client, 0); /* the broker begins to declare */
	if (!client_until(client, is_serving, NULL, SOON * 3))
		fail_msg("not serving: %s", client->text);
}

const struct topology_queue *client_queue(struct client *client, const char *name)
{
	const struct topology_queue *queue = topology_find(client->topology, span_of(name));

	assert_non_null(queue);
	return queue;
}

/* ---- doing --------------------------------------------------------------------------------------------------- */

void client_turn(struct client *client, int wait_ms)
{
	int64_t before = clock_tick_ms(), took;

	if (!client->in_transaction)
		client->ops->flush(client->self);
	loop_once(client->loop, wait_ms);
	took = clock_tick_ms() - before - wait_ms;
	if (took > client->longest_turn_ms)
		client->longest_turn_ms = took;
}

bool client_until(struct client *client, bool (*holds)(struct client *, void *), void *arg, int wait_ms)
{
	int64_t end = clock_tick_ms() + wait_ms;

	while (!holds(client, arg)) {
		if (clock_tick_ms() >= end)
			return false;
		client_turn(client, 20);
	}
	return true;
}

static void begin(struct client *client)
{
	struct error error = {0};

	if (client->db && !client->in_transaction && client->db->ops->begin(client->db->self, &error))
		fail_msg("%s: %s", error.code, error.text);
	client->in_transaction = client->db != NULL;
}

/* Ids differ from number to number, and are the same for the same one. */
static void make_envelope(const char *to, long number, size_t size, struct id *id, struct buf *envelope)
{
	struct message *message = message_new();
	struct span parts[] = {span_of(to), span_make(&number, sizeof number)};

	message->id = *id = id_of(parts, 2);
	message_set(message, &message->source, SPAN_LITERAL("conformance"));
	message_set(message, &message->type, SPAN_LITERAL("order.received.v1"));
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	message->time_ms = 1750000000000 + number;
	message->body_size = size;
	assert_int_equal(message_encode(message, envelope, NULL), 0);
	message_free(message);
}

long client_try_publish(struct client *client, const char *topic, const char *queue, bool optional, long number,
			size_t size, struct error *error)
{
	char *body = mem_alloc(size + 24);
	size_t length = number < 0 ? 0 : (size_t)snprintf(body, 24, "%ld ", number);
	struct publication publication = {.topic = topic, .queue = queue, .optional = optional};
	struct buf envelope;
	struct id id;
	long token = (long)client->published;

	for (size_t i = length; i < size; i++)
		body[i] = (char)(i * 31 + (size_t)number);
	length = size > length ? size : length;
	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	make_envelope(topic ? topic : queue, number, length, &id, &envelope);
	publication.envelope = buf_view(&envelope);
	publication.body = span_make(body, length);
	publication.message_id = id_span(&id);
	begin(client);
	client->answers =
		mem_grow(client->answers, &client->answers_capacity, client->published + 1, sizeof *client->answers);
	client->answers[client->published++] = (struct answer){0};
	if (client->ops->publish(client->self, (uint64_t)token, &publication, error)) {
		client->published--;
		token = -1;
	}
	buf_free(&envelope);
	free(body);
	return token;
}

void client_publish(struct client *client, const char *topic, const char *queue, long number)
{
	int64_t end = clock_tick_ms() + SOON * 3;
	struct error error = {0};

	while (client_try_publish(client, topic, queue, false, number, 0, &error) < 0) {
		if (error.class != ERROR_RETRY || clock_tick_ms() > end)
			fail_msg("publish: %s: %s", error.code, error.text);
		client_turn(client, 20);
	}
}

void client_commit(struct client *client)
{
	struct error error = {0};

	if (client->in_transaction && client->db->ops->commit(client->db->self, &error))
		fail_msg("%s: %s", error.code, error.text);
	client->in_transaction = false;
	for (size_t i = 0; i < client->settling_count; i++)
		client->ops->settled(client->self, client->settling[i]);
	client->settling_count = 0;
	client->ops->flush(client->self);
}

static bool all_answered(struct client *client, void *none)
{
	return client->answered == client->published;
}

void client_answered(struct client *client)
{
	client_commit(client);
	if (!client_until(client, all_answered, NULL, SOON * 3))
		fail_msg("%zu publishes, %zu answers: %s", client->published, client->answered, client->text);
	assert_false(client->again);
}

void client_fetch(struct client *client, const char *queue, unsigned n)
{
	client->ops->fetch(client->self, client_queue(client, queue), n);
}

void client_settle(struct client *client, struct delivered *delivered)
{
	struct error error = {0};

	assert_true(delivered->open);
	begin(client);
	if (client->ops->settle(client->self, delivered->tag, &error))
		fail_msg("settle: %s: %s", error.code, error.text);
	client->settling = mem_grow(client->settling, &client->settling_capacity, client->settling_count + 1,
				    sizeof *client->settling);
	client->settling[client->settling_count++] = delivered->tag;
	delivered->open = false;
	client->open--;
}

void client_release(struct client *client, struct delivered *delivered)
{
	assert_true(delivered->open);
	delivered->open = false;
	client->open--;
	client->ops->release(client->self, delivered->tag);
}

static bool has_got(struct client *client, void *n)
{
	return client->got_count >= *(size_t *)n;
}

bool client_got(struct client *client, size_t n, int wait_ms)
{
	return client_until(client, has_got, &n, wait_ms);
}

void client_forget(struct client *client)
{
	for (size_t i = 0; i < client->got_count; i++)
		free(client->got[i].envelope);
	client->got_count = client->open = 0;
}

uint64_t client_ready(struct client *client, const char *queue, uint64_t expected)
{
	struct broker_counts counts = {.ready = UINT64_MAX};
	int64_t end = clock_tick_ms() + SOON;

	do {
		client_turn(client, 10);
		client->ops->count(client->self, client_queue(client, queue), &counts, NULL);
	} while (counts.ready != expected && clock_tick_ms() < end);
	return counts.ready;
}

size_t client_count_answers(const struct client *client, enum published how)
{
	size_t n = 0;

	for (size_t i = 0; i < client->published; i++)
		n += client->answers[i].times && client->answers[i].how == how;
	return n;
}
