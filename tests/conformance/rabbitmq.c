/* What only RabbitMQ can do to us: restarts with publishes in flight, deleted queues, blocked and hung connections, other programs'
 * messages, TLS. One broker for the program; the tests leave it running. */
#include "config.h"
#include "tests/conformance/brokers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker-adapters/amqp_wire.h"

static struct client *open_with_settings(const char *name, const struct amqp_settings *settings)
{
	struct client *client = client_new_with(name, settings);
	struct topology *queues = queues_new();

	queues_add(queues, "in.a", "a.v1");
	client_declare(client, queues);
	return client;
}

static struct client *open_one(const char *name)
{
	struct amqp_settings settings;

	brokers_need();
	settings = client_settings();
	return open_with_settings(name, &settings);
}

static bool is_connected(struct client *client, void *none)
{
	return client->connected;
}

static bool is_down(struct client *client, void *none)
{
	return !client->connected;
}

static bool is_blocked(struct client *client, void *wanted)
{
	return client->blocked == *(bool *)wanted;
}

static bool is_consuming(struct client *client, void *none)
{
	return client->consuming;
}

static bool says(struct client *client, void *words)
{
	return strstr(client->text, words) != NULL;
}

static void until(struct client *client, bool (*holds)(struct client *, void *), void *arg)
{
	if (!client_until(client, holds, arg, SOON * 2))
		fail_msg("it did not happen: %s", client->text);
}

static void settle_all(struct client *client)
{
	for (size_t i = 0; i < client->got_count; i++)
		if (client->got[i].open)
			client_settle(client, &client->got[i]);
	client_commit(client);
}

/* Takes what there is until nothing more comes, counting each number; gives how many came. */
static size_t drain_all(struct client *client, const char *queue, unsigned *seen, size_t numbers)
{
	size_t total = 0;

	client_fetch(client, queue, 500);
	until(client, is_consuming, NULL);
	while (client_got(client, 1, 1000)) {
		for (size_t i = 0; i < client->got_count; i++) {
			assert_in_range(client->got[i].number, 0, numbers - 1);
			seen[client->got[i].number]++;
		}
		total += client->got_count;
		settle_all(client);
		client_forget(client);
	}
	return total;
}

/* ---- restarts ------------------------------------------------------------------------------------------------ */

/* Publishes over a restart; afterwards every publish has one answer and what was confirmed is there. */
static void publish_over(const char *name, const char *verb)
{
	struct amqp_settings settings;
	struct client *client;
	unsigned seen[6000] = {0};
	long number = 0;
	size_t confirmed, before;

	brokers_need();
	settings = client_settings();
	settings.new_queue_ms = 3000;
	client = open_with_settings(name, &settings);
	while (number < 2500)
		client_publish(client, "a.v1", NULL, number++);
	brokers_lab(verb, "");
	for (struct error error; number < 3000; number++) /* the broker is dead, we do not know yet */
		if (client_try_publish(client, "a.v1", NULL, false, number, 0, &error) < 0)
			break;
	until(client, is_down, NULL);
	assert_int_equal(client->lost, 1);
	assert_int_equal(client->answered, client->published);
	brokers_lab("start", "");
	until(client, is_connected, NULL);
	before = client->published;
	number = 3000;
	while (number < 3500)
		client_publish(client, "a.v1", NULL, number++);
	client_answered(client);
	confirmed = client_count_answers(client, PUBLISH_CONFIRMED);
	assert_int_equal(confirmed + client_count_answers(client, PUBLISH_FAILED), client->published);
	assert_true(confirmed >= 500);
	assert_true(drain_all(client, "in.a", seen, 6000) >= confirmed);
	for (size_t i = 0; i < client->published; i++) {
		size_t at = i < before ? i : 3000 + i - before;

		if (client->answers[i].how == PUBLISH_CONFIRMED && seen[at] != 1)
			fail_msg("publish %zu was confirmed and came %u times", at, seen[at]);
	}
	client_close(client);
}

static void a_broker_that_restarts_keeps_what_it_confirmed(void **state)
{
	publish_over("graceful", "stop");
}

static void a_broker_that_is_killed_keeps_what_it_confirmed(void **state)
{
	publish_over("killed-broker", "kill");
}

static void nothing_is_published_while_the_broker_may_forget_a_new_queue(void **state)
{
	struct amqp_settings settings;
	struct client *client;
	unsigned seen[20] = {0};
	int64_t start = clock_tick_ms();

	brokers_need();
	settings = client_settings();
	settings.new_queue_ms = 3000;
	client = open_with_settings("new", &settings);
	assert_true(clock_tick_ms() - start >= 3000);
	for (long i = 0; i < 20; i++)
		client_publish(client, "a.v1", NULL, i);
	client_answered(client);
	brokers_lab("kill", "");
	until(client, is_down, NULL);
	brokers_lab("start", "");
	until(client, is_connected, NULL);
	assert_int_equal(drain_all(client, "in.a", seen, 20), 20);
	client_close(client);
}

static void consuming_resumes_after_a_restart(void **state)
{
	struct amqp_settings settings;
	struct client *client;
	size_t seen[3] = {0};

	brokers_need();
	settings = client_settings();
	settings.new_queue_ms = 3000;
	client = open_with_settings("resume", &settings);
	for (long i = 0; i < 3; i++)
		client_publish(client, "a.v1", NULL, i);
	client_answered(client);
	client_fetch(client, "in.a", 2);
	assert_true(client_got(client, 2, SOON));
	client_settle(client, &client->got[0]);
	client_commit(client);
	assert_true(client_got(client, 3, SOON));
	client_until(client, is_down, NULL, 50); /* the acknowledgement goes out */
	brokers_lab("kill", "");
	until(client, is_down, NULL);
	assert_int_equal(client->lost, 1);
	assert_int_equal(client->open, 0);
	client_forget(client);
	brokers_lab("start", "");
	until(client, is_consuming, NULL);
	assert_true(client_got(client, 2, SOON));
	for (size_t i = 0; i < 2; i++) {
		assert_true(client->got[i].redelivered);
		seen[client->got[i].number]++;
	}
	assert_int_equal(seen[1] + seen[2], 2);
	settle_all(client);
	client_close(client);
}

/* A tag from before must not settle what came after. */
static void a_settlement_from_before_the_loss_is_refused(void **state)
{
	struct client *client = open_one("void");
	struct error error = {0};
	uint64_t old;

	client_publish(client, "a.v1", NULL, 1);
	client_answered(client);
	client_fetch(client, "in.a", 5);
	assert_true(client_got(client, 1, SOON));
	old = client->got[0].tag;
	brokers_lab("ctl", "close_all_connections for-a-test");
	until(client, is_down, NULL);
	assert_int_equal(client->ops->settle(client->self, old, &error), -1);
	assert_int_equal(error.class, ERROR_RETRY);
	client->ops->settled(client->self, old);
	client->ops->release(client->self, old);
	client_forget(client);
	until(client, is_consuming, NULL);
	assert_true(client_got(client, 1, SOON));
	assert_int_not_equal(client->got[0].tag, old);
	client->ops->settled(client->self, old);
	client->ops->flush(client->self);
	assert_int_equal(client_ready(client, "in.a", 0), 0);
	client_release(client, &client->got[0]);
	assert_true(client_got(client, 2, SOON));
	settle_all(client);
	client_close(client);
}

static void it_starts_with_the_broker_down(void **state)
{
	struct amqp_settings settings;
	struct client *client;
	struct topology *queues = queues_new();
	struct error error = {0};

	brokers_need();
	settings = client_settings();
	brokers_lab("stop", "");
	client = client_new_with("down", &settings);
	queues_add(queues, "in.a", "a.v1");
	assert_int_equal(client->ops->declare(client->self, queues, NULL), 0);
	client->topology = queues;
	client_fetch(client, "in.a", 5);
	assert_false(client_until(client, is_connected, NULL, 1000));
	assert_non_null(strstr(client->text, "127.0.0.1"));
	assert_int_equal(client_try_publish(client, "a.v1", NULL, false, 1, 0, &error), -1);
	assert_string_equal(error.code, "broker.down");
	assert_int_equal(error.class, ERROR_RETRY);
	brokers_lab("start", "");
	until(client, is_consuming, NULL);
	client_publish(client, "a.v1", NULL, 1);
	client_answered(client);
	assert_true(client_got(client, 1, SOON));
	settle_all(client);
	client_close(client);
}

/* ---- trouble while connected --------------------------------------------------------------------------------- */

static void a_deleted_queue_is_declared_and_consumed_again(void **state)
{
	struct client *client = open_one("deleted");

	client_fetch(client, "in.a", 5);
	until(client, is_consuming, NULL);
	brokers_lab("ctl", "delete_queue deleted.in.a > /dev/null");
	client_until(client, is_down, NULL, 2000);
	until(client, is_consuming, NULL);
	assert_int_equal(client->lost, 0);
	client_publish(client, "a.v1", NULL, 1);
	client_answered(client);
	assert_int_equal(client->answers[0].how, PUBLISH_CONFIRMED);
	assert_true(client_got(client, 1, SOON));
	settle_all(client);
	client_close(client);
}

static void a_queue_deleted_behind_our_back_is_there_again_after_a_return(void **state)
{
	struct client *client = open_one("behind");

	brokers_lab("ctl", "delete_queue behind.in.a > /dev/null");
	client_publish(client, NULL, "in.a", 1);
	client_answered(client);
	assert_int_equal(client->answers[0].how, PUBLISH_RETURNED);
	until(client, is_connected, NULL);
	client_publish(client, "a.v1", NULL, 2);
	client_answered(client);
	assert_int_equal(client->answers[1].how, PUBLISH_CONFIRMED);
	client_close(client);
}

static void a_deleted_exchange_fails_what_is_open_and_is_declared_again(void **state)
{
	struct client *client = open_one("exchange");

	brokers_lab("ctl", "eval 'rabbit_exchange:delete(rabbit_misc:r(<<\"/\">>, exchange, <<\"exchange\">>), false, <<\"test\">>).' > /dev/null");
	for (long i = 0; i < 20; i++)
		client_publish(client, "a.v1", NULL, i);
	client_answered(client);
	assert_int_equal(client_count_answers(client, PUBLISH_FAILED), 20);
	assert_string_equal(client->answers[0].code, "broker.closed");
	assert_int_equal(client->lost, 0);
	until(client, is_connected, NULL);
	client_publish(client, "a.v1", NULL, 20);
	client_answered(client);
	assert_int_equal(client->answers[20].how, PUBLISH_CONFIRMED);
	client_close(client);
}

static void a_blocked_connection_refuses_until_it_is_free(void **state)
{
	struct client *client = open_one("blocked");
	struct error error = {0};
	bool wanted = true;

	client_publish(client, "a.v1", NULL, 0);
	client_answered(client);
	client_fetch(client, "in.a", 5);
	assert_true(client_got(client, 1, SOON));
	brokers_lab("ctl", "set_vm_memory_high_watermark 0");
	client_turn(client, 500);
	assert_true(client_try_publish(client, "a.v1", NULL, false, 1, 0, &error) >= 0); /* the broker says so to whom publishes */
	until(client, is_blocked, &wanted);
	assert_int_equal(client_try_publish(client, "a.v1", NULL, false, 2, 0, &error), -1);
	assert_string_equal(error.code, "broker.blocked");
	settle_all(client); /* settling goes on */
	assert_int_equal(client_ready(client, "in.a", 0), 0);
	wanted = false;
	brokers_lab("ctl", "set_vm_memory_high_watermark 0.4");
	until(client, is_blocked, &wanted);
	client_answered(client);
	client_publish(client, "a.v1", NULL, 3);
	client_answered(client);
	assert_int_equal(client_count_answers(client, PUBLISH_CONFIRMED), 3);
	assert_int_equal(client->lost, 0);
	assert_true(client_got(client, 3, SOON));
	settle_all(client);
	client_close(client);
}

static void a_broker_that_hangs_is_left_by_the_heartbeat(void **state)
{
	struct amqp_settings settings;
	struct client *client;
	struct error error = {0};

	brokers_need();
	settings = client_settings();
	settings.heartbeat_ms = 1000;
	client = open_with_settings("hung", &settings);
	client_publish(client, "a.v1", NULL, 0);
	client_answered(client);
	brokers_lab("pause", "");
	client->longest_turn_ms = 0;
	for (long i = 1; i < 1000; i++) /* more than the socket takes */
		if (client_try_publish(client, "a.v1", NULL, false, i, 60000, &error) < 0)
			break;
	assert_string_equal(error.code, "broker.window");
	until(client, is_down, NULL);
	assert_in_range(client->longest_turn_ms, 0, 1500);
	assert_int_equal(client->answered, client->published);
	assert_int_equal(client_count_answers(client, PUBLISH_FAILED), client->published - 1);
	brokers_lab("resume", "");
	until(client, is_connected, NULL);
	client_publish(client, "a.v1", NULL, 1000);
	client_answered(client);
	client_close(client);
}

static void a_quiet_connection_is_kept_by_heartbeats(void **state)
{
	struct amqp_settings settings;
	struct client *client;

	brokers_need();
	settings = client_settings();
	settings.heartbeat_ms = 1000;
	client = open_with_settings("quiet", &settings);
	client_fetch(client, "in.a", 5);
	assert_false(client_until(client, is_down, NULL, 5000));
	client_publish(client, "a.v1", NULL, 1);
	client_answered(client);
	assert_true(client_got(client, 1, SOON));
	assert_int_equal(client->lost, 0);
	settle_all(client);
	client_close(client);
}

static void a_queue_of_another_kind_is_named_and_the_others_work(void **state)
{
	struct client *client = open_one("kind"), *other;
	struct amqp_settings settings = client_settings();
	struct topology *queues = queues_new();

	client_close(client);
	/* The same queue with single active consumer: arguments of a queue cannot be changed. */
	other = client_new_with("kind", &settings);
	queues_add(queues, "in.a", "a.v1");
	queues->queues[0].order = ORDER_HOLD;
	queues_add(queues, "in.b", "b.v1");
	client_declare(other, queues);
	assert_true(says(other, "kind.in.a"));
	assert_true(says(other, "406"));
	client_publish(other, "b.v1", NULL, 1);
	client_publish(other, "a.v1", NULL, 2);
	client_answered(other);
	assert_int_equal(client_count_answers(other, PUBLISH_CONFIRMED), 2);
	client_fetch(other, "in.a", 5);
	client_fetch(other, "in.b", 5);
	assert_true(client_got(other, 2, SOON));
	settle_all(other);
	client_close(other);
}

/* ---- several clients, other programs ------------------------------------------------------------------------- */

static void competing_consumers_share_a_queue(void **state)
{
	struct client *one = open_one("compete"), *two = open_one("compete");
	unsigned seen[1000] = {0};
	int64_t end = clock_tick_ms() + SOON;

	for (long i = 0; i < 1000; i++)
		client_publish(one, "a.v1", NULL, i);
	client_answered(one);
	client_fetch(one, "in.a", 10);
	client_fetch(two, "in.a", 10);
	while (one->got_count + two->got_count < 1000 && clock_tick_ms() < end) {
		client_turn(one, 1);
		settle_all(one);
		client_turn(two, 1);
		settle_all(two);
	}
	assert_true(one->got_count > 50 && two->got_count > 50);
	for (size_t i = 0; i < one->got_count; i++)
		seen[one->got[i].number]++;
	for (size_t i = 0; i < two->got_count; i++)
		seen[two->got[i].number]++;
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(seen[i], 1);
	client_close(one);
	client_close(two);
}

static void an_ordered_queue_has_one_active_consumer(void **state)
{
	struct client *clients[2];
	struct amqp_settings settings;

	brokers_need();
	settings = client_settings();
	for (size_t i = 0; i < 2; i++) {
		struct topology *queues = queues_new();

		clients[i] = client_new_with("ordered", &settings);
		queues_add(queues, "in.a", "a.v1");
		queues->queues[0].order = ORDER_HOLD;
		client_declare(clients[i], queues);
		client_fetch(clients[i], "in.a", 5);
		until(clients[i], is_consuming, NULL);
	}
	for (long i = 0; i < 20; i++)
		client_publish(clients[1], "a.v1", NULL, i);
	client_answered(clients[1]);
	assert_true(client_got(clients[0], 5, SOON));
	client_turn(clients[1], 200);
	assert_int_equal(clients[1]->got_count, 0);
	client_settle(clients[0], &clients[0]->got[0]);
	client_commit(clients[0]);
	client_close(clients[0]); /* the other takes over where this one stood */
	assert_true(client_got(clients[1], 5, SOON));
	for (size_t i = 0; i < 5; i++)
		assert_true(clients[1]->got[i].number >= 1);
	client_close(clients[1]);
}

/* Another program: one that knows nothing of envelopes. */
static void publish_foreign(const char *queue, const struct wire_message *message)
{
	struct amqp_settings settings = client_settings();
	struct error error = {0};
	struct wire *wire = wire_new(&settings, SPAN_LITERAL("guest"), "other program", &error);

	if (!wire)
		fail_msg("%s", error.text);
	assert_int_equal(wire_channel_open(wire, 1), 0);
	assert_int_equal(wire_publish(wire, 1, "", queue, false, message), 0);
	wire_free(wire, true);
}

static uint64_t count_foreign(const char *queue)
{
	struct amqp_settings settings = client_settings();
	struct error error = {0};
	struct wire *wire = wire_new(&settings, SPAN_LITERAL("guest"), "other program", &error);
	uint64_t ready = 0;

	if (!wire || wire_channel_open(wire, 1) || wire_count(wire, 1, queue, &ready, &error))
		fail_msg("%s", error.text);
	wire_free(wire, true);
	return ready;
}

static struct message *take_foreign(struct client *client, struct delivered **delivered)
{
	size_t before = client->got_count;
	struct message *message;

	if (!client_got(client, before + 1, SOON))
		fail_msg("no message");
	*delivered = &client->got[before];
	message = message_decode_new(span_make((*delivered)->envelope, (*delivered)->envelope_len), NULL);
	assert_non_null(message);
	return message;
}

static void messages_of_other_programs_get_an_envelope(void **state)
{
	struct client *client = open_one("foreign");
	struct wire_message plain = {.message_id = SPAN_LITERAL("order-17"), .type = SPAN_LITERAL("OrderPlaced"), .timestamp = 1700000000,
				     .content_type = SPAN_LITERAL("text/plain"), .body = SPAN_LITERAL("17 hello")};
	struct wire_message event = {.headers_count = 5, .body = SPAN_LITERAL("{\"n\":1}"), .content_type = SPAN_LITERAL("application/json"),
				     .headers = {{SPAN_LITERAL("cloudEvents:id"), SPAN_LITERAL("e-1"), false},
						 {SPAN_LITERAL("cloudEvents:source"), SPAN_LITERAL("/crm"), false},
						 {SPAN_LITERAL("cloudEvents_type"), SPAN_LITERAL("opportunity.won"), false},
						 {SPAN_LITERAL("ce-subject"), SPAN_LITERAL("opp/9"), false},
						 {SPAN_LITERAL("ce-time"), SPAN_LITERAL("2026-01-31T12:00:00Z"), false}}};
	struct wire_message structured = {
		.content_type = SPAN_LITERAL("application/cloudevents+json; charset=utf-8"),
		.body = SPAN_LITERAL("{\"specversion\":\"1.0\",\"id\":\"e-2\",\"source\":\"/crm\",\"type\":\"t.v1\",\"data\":{\"a\":[1,2]}}")};
	struct wire_message nameless = {.body = SPAN_LITERAL("99 no id at all")};
	struct span named[] = {SPAN_LITERAL("amqp:in.a"), SPAN_LITERAL("order-17")}, crm[] = {SPAN_LITERAL("/crm"), SPAN_LITERAL("e-1")};
	struct id id = id_of(named, 2);
	struct delivered *got;
	struct message *message;

	client_fetch(client, "in.a", 10);
	publish_foreign("foreign.in.a", &plain);
	message = take_foreign(client, &got);
	assert_true(id_equal(&message->id, &id));
	assert_true(span_is(message->type, "OrderPlaced"));
	assert_true(span_is(message->datacontenttype, "text/plain"));
	assert_int_equal(message->time_ms, 1700000000000);
	assert_int_equal(message->body_size, 8);
	assert_int_equal(got->number, 17);
	assert_int_equal(message->correlationid.len, 64);
	message_free(message);

	publish_foreign("foreign.in.a", &event);
	message = take_foreign(client, &got);
	id = id_of(crm, 2);
	assert_true(id_equal(&message->id, &id));
	assert_true(span_is(message->source, "/crm"));
	assert_true(span_is(message->type, "opportunity.won"));
	assert_true(span_is(message->subject, "opp/9"));
	assert_int_equal(message->time_ms, 1769860800000);
	message_free(message);

	publish_foreign("foreign.in.a", &structured);
	message = take_foreign(client, &got);
	assert_true(span_is(message->type, "t.v1"));
	assert_true(span_is(message->datacontenttype, "application/json"));
	id = id_digest(SPAN_LITERAL("{\"a\":[1,2]}"));
	assert_true(id_equal(&got->body_digest, &id));
	message_free(message);

	publish_foreign("foreign.in.a", &nameless);
	message = take_foreign(client, &got);
	assert_false(id_is_none(&message->id));
	assert_true(span_is(message->type, "amqp.message"));
	message_free(message);
	settle_all(client);
	client_close(client);
}

static void what_is_too_large_is_kept_whole_and_delays_nothing(void **state)
{
	struct client *client = open_one("large");
	struct topology *queues = queues_new();
	int64_t end = clock_tick_ms() + SOON;
	struct wire_message message = {.message_id = SPAN_LITERAL("huge"), .body = {mem_alloc(20u << 20), 20u << 20}};

	queues_add(queues, "in.a", "a.v1");
	queues_add(queues, "sys.backstop", NULL);
	client_declare(client, queues);
	client_fetch(client, "in.a", 10);
	publish_foreign("large.in.a", &message);
	client_publish(client, "a.v1", NULL, 1);
	client_answered(client);
	assert_true(client_got(client, 1, SOON));
	assert_int_equal(client->got[0].number, 1);
	assert_int_equal(client_ready(client, "sys.backstop", 1), 1);
	client_fetch(client, "sys.backstop", 10);
	assert_int_equal(client_ready(client, "sys.backstop", 0), 0);
	client_turn(client, 500);
	assert_int_equal(client->got_count, 1);
	while (count_foreign("large.oversize") != 1 && clock_tick_ms() < end)
		client_turn(client, 100);
	assert_int_equal(count_foreign("large.oversize"), 1);
	assert_int_equal(client->lost, 0);
	settle_all(client);
	free((void *)(uintptr_t)message.body.data);
	client_close(client);
}

static void what_the_broker_gave_up_comes_to_the_backstop(void **state)
{
	struct client *client = open_one("backstop");
	struct topology *queues = queues_new();
	struct message *message;
	struct delivered *got;

	queues_add(queues, "in.a", "a.v1");
	queues_add(queues, "sys.backstop", NULL);
	client_declare(client, queues);
	client_publish(client, "a.v1", NULL, 5);
	client_answered(client);
	client_fetch(client, "in.a", 1);
	assert_true(client_got(client, 1, SOON));
	for (size_t i = 1; i <= 1000; i++) { /* the delivery limit */
		client_release(client, &client->got[i - 1]);
		assert_true(client_got(client, i + 1, SOON));
	}
	client_fetch(client, "sys.backstop", 5);
	client_release(client, &client->got[1000]);
	client_got(client, 1002, SOON);
	client->got[0].open = false;
	got = &client->got[1001];
	assert_string_equal(got->queue, "sys.backstop");
	assert_int_equal(got->number, 5);
	message = message_decode_new(span_make(got->envelope, got->envelope_len), NULL);
	assert_true(span_is(message_attr_find(message, "backstop.reason"), "delivery_limit"));
	assert_true(span_is(message_attr_find(message, "backstop.queue"), "backstop.in.a"));
	message_free(message);
	client_settle(client, got);
	client_commit(client);
	client_close(client);
}

/* ---- logging in ---------------------------------------------------------------------------------------------- */

static void a_wrong_user_is_said(void **state)
{
	struct amqp_settings settings;
	struct client *client;

	brokers_need();
	settings = client_settings();
	settings.user = "nobody";
	client = client_new_with("login", &settings);
	until(client, says, "ACCESS_REFUSED");
	assert_null(strstr(client->text, "guest"));
	assert_false(client->connected);
	client_close(client);
}

static void everything_works_over_tls(void **state)
{
	struct amqp_settings settings;
	struct client *client;
	unsigned seen[300] = {0};

	brokers_need();
	settings = client_settings();
	settings.port = strtol(brokers_lab_env("AMQP_TLS_PORT"), NULL, 10);
	settings.host = "localhost"; /* the library compares names, not addresses */
	settings.tls = (struct amqp_tls){.verify = true, .ca = brokers_lab_env("AMQP_CA"), .cert = brokers_lab_env("AMQP_CERT"),
					 .key = brokers_lab_env("AMQP_KEY")};
	client = open_with_settings("tls", &settings);
	for (long i = 0; i < 300; i++)
		assert_true(client_try_publish(client, "a.v1", NULL, false, i, 60000, NULL) >= 0 || (client_turn(client, 20), i--, true));
	client_answered(client);
	assert_int_equal(drain_all(client, "in.a", seen, 300), 300);
	client_close(client);
}

static void a_broker_of_another_authority_is_not_trusted(void **state)
{
	struct amqp_settings settings;
	struct client *client;

	brokers_need();
	settings = client_settings();
	settings.port = strtol(brokers_lab_env("AMQP_TLS_PORT"), NULL, 10);
	settings.host = "localhost"; /* the library compares names, not addresses */
	settings.tls = (struct amqp_tls){.verify = true, .ca = brokers_lab_env("AMQP_CERT")};
	client = client_new_with("distrust", &settings);
	until(client, says, "no connection to");
	assert_false(client->connected);
	client_close(client);
}


int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(competing_consumers_share_a_queue),
		cmocka_unit_test(an_ordered_queue_has_one_active_consumer),
		cmocka_unit_test(messages_of_other_programs_get_an_envelope),
		cmocka_unit_test(what_is_too_large_is_kept_whole_and_delays_nothing),
		cmocka_unit_test(what_the_broker_gave_up_comes_to_the_backstop),
		cmocka_unit_test(a_deleted_queue_is_declared_and_consumed_again),
		cmocka_unit_test(a_queue_deleted_behind_our_back_is_there_again_after_a_return),
		cmocka_unit_test(a_deleted_exchange_fails_what_is_open_and_is_declared_again),
		cmocka_unit_test(a_queue_of_another_kind_is_named_and_the_others_work),
		cmocka_unit_test(a_blocked_connection_refuses_until_it_is_free),
		cmocka_unit_test(a_settlement_from_before_the_loss_is_refused),
		cmocka_unit_test(a_quiet_connection_is_kept_by_heartbeats),
		cmocka_unit_test(a_wrong_user_is_said),
		cmocka_unit_test(everything_works_over_tls),
		cmocka_unit_test(a_broker_of_another_authority_is_not_trusted),
		cmocka_unit_test(it_starts_with_the_broker_down),
		cmocka_unit_test(nothing_is_published_while_the_broker_may_forget_a_new_queue),
		cmocka_unit_test(consuming_resumes_after_a_restart),
		cmocka_unit_test(a_broker_that_restarts_keeps_what_it_confirmed),
		cmocka_unit_test(a_broker_that_is_killed_keeps_what_it_confirmed),
		cmocka_unit_test(a_broker_that_hangs_is_left_by_the_heartbeat),
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests(tests, brokers_up, brokers_down);
}
