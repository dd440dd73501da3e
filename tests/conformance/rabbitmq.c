/* What only RabbitMQ can do to us: restarts with publishes in flight, deleted queues, blocked and hung connections. One
 * broker for the program; the tests leave it running. */
#include "config.h"
#include "tests/conformance/rabbitmq.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

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

	brokers_lab("ctl", "eval 'rabbit_exchange:delete(rabbit_misc:r(<<\"/\">>, exchange, <<\"exchange\">>), false, "
			   "<<\"test\">>).' > /dev/null");
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
	assert_true(client_try_publish(client, "a.v1", NULL, false, 1, 0, &error) >=
		    0); /* the broker says so to whom publishes */
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
	assert_false(client_until(client, is_connected, NULL, 6000));
	assert_in_range(client->longest_turn_ms, 0, 1500); /* nor do we hang with it */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deleted_queue_is_declared_and_consumed_again),
		cmocka_unit_test(a_queue_deleted_behind_our_back_is_there_again_after_a_return),
		cmocka_unit_test(a_deleted_exchange_fails_what_is_open_and_is_declared_again),
		cmocka_unit_test(a_queue_of_another_kind_is_named_and_the_others_work),
		cmocka_unit_test(a_blocked_connection_refuses_until_it_is_free),
		cmocka_unit_test(a_settlement_from_before_the_loss_is_refused),
		cmocka_unit_test(a_quiet_connection_is_kept_by_heartbeats),
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
