/* RabbitMQ shared with others: several clients, other programs' messages, users and TLS. */
#include "config.h"
#include "tests/conformance/rabbitmq.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker-adapters/queues/amqp_wire.h"

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
static void on_publish(void *arg, const struct wire_event *event)
{
	*(bool *)arg |= event->kind == WIRE_ACK;
}

/* Returns when the broker has it: closing does not wait long enough for what is large. */
static void publish_foreign(const char *queue, const struct wire_message *message)
{
	struct amqp_settings settings = client_settings();
	struct error error = {0};
	struct wire *wire = wire_new(&settings, SPAN_LITERAL("guest"), "other program", &error);
	int64_t end = clock_tick_ms() + SOON;
	bool taken = false;

	if (!wire)
		fail_msg("%s", error.text);
	assert_int_equal(wire_channel_open(wire, 1), 0);
	assert_int_equal(wire_confirm(wire, 1), 0);
	assert_int_equal(wire_publish(wire, 1, "", queue, false, message), 0);
	while (!taken && clock_tick_ms() < end) {
		struct pollfd wait = {.fd = wire_fd(wire), .events = POLLIN};

		poll(&wait, 1, 20);
		if (wire_pump(wire, on_publish, &taken, &error) < 0)
			fail_msg("%s", error.text);
	}
	assert_true(taken);
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
	struct wire_message plain = {.message_id = SPAN_LITERAL("order-17"),
				     .type = SPAN_LITERAL("OrderPlaced"),
				     .timestamp = 1700000000,
				     .content_type = SPAN_LITERAL("text/plain"),
				     .body = SPAN_LITERAL("17 hello")};
	struct wire_message event = {
		.headers_count = 5,
		.body = SPAN_LITERAL("{\"n\":1}"),
		.content_type = SPAN_LITERAL("application/json"),
		.headers = {{SPAN_LITERAL("cloudEvents:id"), SPAN_LITERAL("e-1"), false},
			    {SPAN_LITERAL("cloudEvents:source"), SPAN_LITERAL("/crm"), false},
			    {SPAN_LITERAL("cloudEvents_type"), SPAN_LITERAL("opportunity.won"), false},
			    {SPAN_LITERAL("ce-subject"), SPAN_LITERAL("opp/9"), false},
			    {SPAN_LITERAL("ce-time"), SPAN_LITERAL("2026-01-31T12:00:00Z"), false}}};
	struct wire_message structured = {.content_type = SPAN_LITERAL("application/cloudevents+json; charset=utf-8"),
					  .body = SPAN_LITERAL("{\"specversion\":\"1.0\",\"id\":\"e-2\",\"source\":\"/"
							       "crm\",\"type\":\"t.v1\",\"data\":{\"a\":[1,2]}}")};
	struct wire_message nameless = {.body = SPAN_LITERAL("99 no id at all")};
	struct span named[] = {SPAN_LITERAL("amqp:in.a"), SPAN_LITERAL("order-17")},
		    crm[] = {SPAN_LITERAL("/crm"), SPAN_LITERAL("e-1")};
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
	settings.tls = (struct amqp_tls){.verify = true,
					 .ca = brokers_lab_env("AMQP_CA"),
					 .cert = brokers_lab_env("AMQP_CERT"),
					 .key = brokers_lab_env("AMQP_KEY")};
	client = open_with_settings("tls", &settings);
	for (long i = 0; i < 300; i++)
		assert_true(client_try_publish(client, "a.v1", NULL, false, i, 60000, NULL) >= 0 ||
			    (client_turn(client, 20), i--, true));
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
		cmocka_unit_test(a_wrong_user_is_said),
		cmocka_unit_test(everything_works_over_tls),
		cmocka_unit_test(a_broker_of_another_authority_is_not_trusted),
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests(tests, brokers_up, brokers_down);
}
