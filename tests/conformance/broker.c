/* What every broker has to do, on the kind that this program was built for. */
#include "config.h"
#include "tests/conformance/brokers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static struct client *open_with(const char *name, const char *queue, const char *topic)
{
	struct client *client = client_new(name);
	struct topology *queues = queues_new();

	queues_add(queues, queue, topic);
	client_declare(client, queues);
	return client;
}

static void publish_many(struct client *client, const char *topic, long n)
{
	for (long i = 0; i < n; i++) {
		client_publish(client, topic, NULL, i);
		if (i % 500 == 499)
			client_commit(client);
	}
	client_answered(client);
}

/* Settles all that came since `from`; gives how far that was, since more may come with the commit. */
static size_t settle_from(struct client *client, size_t from)
{
	size_t end = client->got_count;

	for (size_t i = from; i < end; i++)
		if (client->got[i].open)
			client_settle(client, &client->got[i]);
	client_commit(client);
	return end;
}

/* Takes and settles until n deliveries came altogether. */
static void drain(struct client *client, size_t n)
{
	for (size_t done = 0; done < n; done = settle_from(client, done))
		if (!client_got(client, done + 1, SOON))
			fail_msg("%zu of %zu came: %s", done, n, client->text);
}

static void messages_come_in_the_order_in_which_they_were_published(void **state)
{
	struct client *client = open_with("order", "in.a", "a.v1");

	publish_many(client, "a.v1", 2000);
	assert_int_equal(client_count_answers(client, PUBLISH_CONFIRMED), 2000);
	client_fetch(client, "in.a", 64);
	drain(client, 2000);
	for (size_t i = 0; i < 2000; i++) {
		assert_int_equal(client->got[i].number, i);
		assert_false(client->got[i].redelivered);
	}
	assert_int_equal(client_ready(client, "in.a", 0), 0);
	client_close(client);
}

static void every_subscriber_of_a_topic_gets_a_copy(void **state)
{
	struct client *client = client_new("fanout");
	struct topology *queues = queues_new();
	size_t seen[3] = {0};

	queues_add(queues, "in.a", "order.v1");
	queues_add(queues, "in.b", "order.v1");
	queues_add(queues, "in.c", "order.v1");
	queues_add(queues, "in.d", "order.v2");
	client_declare(client, queues);
	publish_many(client, "order.v1", 20);
	client_fetch(client, "in.a", 50);
	client_fetch(client, "in.b", 50);
	client_fetch(client, "in.c", 50);
	client_fetch(client, "in.d", 50);
	drain(client, 60);
	for (size_t i = 0; i < 60; i++)
		seen[client->got[i].queue[3] - 'a']++;
	assert_int_equal(seen[0], 20);
	assert_int_equal(seen[1], 20);
	assert_int_equal(seen[2], 20);
	client_close(client);
}

static void a_queue_may_be_published_to_by_name(void **state)
{
	struct client *client = open_with("direct", "out.erp", NULL);

	client_publish(client, NULL, "out.erp", 7);
	client_answered(client);
	client_fetch(client, "out.erp", 1);
	drain(client, 1);
	assert_int_equal(client->got[0].number, 7);
	client_close(client);
}

static void what_no_queue_takes_is_returned_once(void **state)
{
	struct client *client = open_with("unroutable", "in.a", "a.v1");

	for (long i = 0; i < 10; i++)
		client_publish(client, i % 2 ? "nobody.v1" : "a.v1", NULL, i);
	client_answered(client);
	for (long i = 0; i < 10; i++)
		client_turn(client, 10); /* an acknowledgement that follows a return must not be a second answer */
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(client->answers[i].times, 1);
		assert_int_equal(client->answers[i].how, i % 2 ? PUBLISH_RETURNED : PUBLISH_CONFIRMED);
	}
	assert_int_equal(client_ready(client, "in.a", 5), 5);
	client_close(client);
}

static void the_same_message_returned_from_one_place_is_confirmed_at_another(void **state)
{
	struct client *client = open_with("twice", "in.a", "a.v1");

	client_publish(client, NULL, "in.a", 1);
	client_publish(client, NULL, "in.nowhere", 1);
	client_publish(client, "a.v1", NULL, 1);
	client_publish(client, "nobody.v1", NULL, 1);
	client_publish(client, "nobody.v1", NULL, 1);
	client_answered(client);
	assert_int_equal(client->answers[0].how, PUBLISH_CONFIRMED);
	assert_int_equal(client->answers[1].how, PUBLISH_RETURNED);
	assert_int_equal(client->answers[2].how, PUBLISH_CONFIRMED);
	assert_int_equal(client->answers[3].how, PUBLISH_RETURNED);
	assert_int_equal(client->answers[4].how, PUBLISH_RETURNED);
	client_close(client);
}

static void nobody_need_subscribe_to_what_is_optional(void **state)
{
	struct client *client = open_with("optional", "in.a", "a.v1");
	struct error error = {0};

	assert_true(client_try_publish(client, "nobody.v1", NULL, true, 1, 0, &error) >= 0);
	assert_true(client_try_publish(client, "a.v1", NULL, true, 2, 0, &error) >= 0);
	client_answered(client);
	assert_int_equal(client_count_answers(client, PUBLISH_CONFIRMED), 2);
	assert_int_equal(client_ready(client, "in.a", 1), 1);
	client_close(client);
}

static void bodies_of_any_size_arrive_as_they_were(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 4095, 8192, 65535, 65536};
	struct client *client = open_with("bodies", "in.a", "a.v1");

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		assert_true(client_try_publish(client, "a.v1", NULL, false, sizes[i] < 100 ? -1 : (long)i, sizes[i],
					       NULL) >= 0);
	client_answered(client);
	client_fetch(client, "in.a", 10);
	drain(client, 7);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct message *message =
			message_decode_new(span_make(client->got[i].envelope, client->got[i].envelope_len), NULL);
		char *body = mem_alloc(sizes[i] + 24);
		long number = sizes[i] < 100 ? -1 : (long)i;
		size_t length = number < 0 ? 0 : (size_t)snprintf(body, 24, "%ld ", number);
		struct id digest;

		for (size_t b = length; b < sizes[i]; b++)
			body[b] = (char)(b * 31 + (size_t)number);
		digest = id_digest(span_make(body, sizes[i]));
		assert_int_equal(client->got[i].body_len, sizes[i]);
		assert_true(id_equal(&client->got[i].body_digest, &digest));
		assert_non_null(message);
		assert_int_equal(message->body_size, sizes[i]);
		assert_true(span_is(message->type, "order.received.v1"));
		message_free(message);
		free(body);
	}
	client_close(client);
}

static void what_is_released_comes_again_before_what_follows(void **state)
{
	struct client *client = open_with("release", "in.a", "a.v1");

	publish_many(client, "a.v1", 5);
	client_fetch(client, "in.a", 1);
	assert_true(client_got(client, 1, SOON));
	client_release(client, &client->got[0]);
	assert_true(client_got(client, 2, SOON));
	assert_int_equal(client->got[1].number, 0);
	assert_true(client->got[1].redelivered);
	settle_from(client, 1);
	drain(client, 6);
	for (size_t i = 2; i < 6; i++)
		assert_int_equal(client->got[i].number, i - 1);
	client_close(client);
}

static void no_more_than_the_window_is_unsettled(void **state)
{
	struct client *client = open_with("window", "in.a", "a.v1");

	publish_many(client, "a.v1", 30);
	client_fetch(client, "in.a", 5);
	assert_true(client_got(client, 5, SOON));
	assert_false(client_got(client, 6, 300));
	client_settle(client, &client->got[2]);
	client_commit(client);
	assert_true(client_got(client, 6, SOON));
	assert_false(client_got(client, 7, 300));
	client_fetch(client, "in.a", 0);
	client_turn(client, 300); /* a broker may take a moment to stop */
	settle_from(client, 0);
	assert_false(client_got(client, 7, 300));
	assert_int_equal(client_ready(client, "in.a", 24), 24);
	client_fetch(client, "in.a", 100);
	drain(client, 30);
	client_close(client);
}

static void what_was_not_settled_comes_back_after_a_restart(void **state)
{
	struct client *client = open_with("restart", "in.a", "a.v1");

	publish_many(client, "a.v1", 10);
	client_fetch(client, "in.a", 10);
	assert_true(client_got(client, 10, SOON));
	for (size_t i = 0; i < 10; i += 2)
		client_settle(client, &client->got[i]);
	client_commit(client);
	client_close(client);

	client = open_with("restart", "in.a", "a.v1");
	client_fetch(client, "in.a", 20);
	drain(client, 5);
	assert_false(client_got(client, 6, 200));
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(client->got[i].number, 2 * i + 1);
		assert_true(client->got[i].redelivered);
	}
	client_close(client);
}

/* Takes ten, settles three of them, says so, and waits for its end. */
static void victim(int tell)
{
	struct client *client = open_with("killed", "in.a", "a.v1");

	client_fetch(client, "in.a", 10);
	if (!client_got(client, 10, SOON))
		_exit(1);
	for (size_t i = 0; i < 3; i++)
		client_settle(client, &client->got[i]);
	client_commit(client);
	for (long i = 100; i < 105; i++)
		client_publish(client, "a.v1", NULL, i);
	client_answered(client);
	if (write(tell, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void a_killed_client_loses_and_doubles_nothing(void **state)
{
	struct client *client = open_with("killed", "in.a", "a.v1");
	int ends[2], status;
	char byte;
	pid_t pid;

	publish_many(client, "a.v1", 10);
	client_close(client);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		victim(ends[1]);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	client = open_with("killed", "in.a", "a.v1");
	client_fetch(client, "in.a", 50);
	drain(client, 12);
	assert_false(client_got(client, 13, 300));
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(client->got[i].number, i < 7 ? i + 3 : i - 7 + 100);
	client_close(client);
}

static void a_topic_that_is_no_longer_subscribed_brings_nothing(void **state)
{
	struct client *client = open_with("change", "in.a", "a.v1");
	struct topology *queues = queues_new();

	client_publish(client, "a.v1", NULL, 1);
	client_answered(client);
	queues_add(queues, "in.a", "b.v1");
	queues_add(queues, "in.b", "a.v2");
	client_declare(client, queues);
	client_publish(client, "a.v1", NULL, 2);
	client_publish(client, "b.v1", NULL, 3);
	client_publish(client, "a.v2", NULL, 4);
	client_answered(client);
	assert_int_equal(client->answers[1].how, PUBLISH_RETURNED);
	assert_int_equal(client->answers[2].how, PUBLISH_CONFIRMED);
	assert_int_equal(client->answers[3].how, PUBLISH_CONFIRMED);
	client_fetch(client, "in.a", 10);
	drain(client, 2);
	assert_int_equal(client->got[0].number, 1);
	assert_int_equal(client->got[1].number, 3);

	queues = queues_new();
	queues_add(queues, "in.a", "b.v1");
	client_declare(client, queues);
	client_publish(client, "a.v2", NULL, 5);
	client_answered(client);
	assert_int_equal(client->answers[4].how, PUBLISH_RETURNED);
	client_close(client);
}

static void consuming_goes_on_over_a_new_topology(void **state)
{
	struct client *client = open_with("reload", "in.a", "a.v1");
	struct topology *queues = queues_new();

	client_fetch(client, "in.a", 10);
	client_publish(client, "a.v1", NULL, 1);
	client_answered(client);
	drain(client, 1);
	queues_add(queues, "in.0", "b.v1");
	queues_add(queues, "in.a", "a.v1");
	client_declare(client, queues);
	client_publish(client, "a.v1", NULL, 2);
	client_answered(client);
	drain(client, 2);
	assert_int_equal(client->got[1].number, 2);
	client_close(client);
}

static void a_hundred_thousand_messages_wait_and_go(void **state)
{
	struct client *client = open_with("many", "in.a", "a.v1");

	publish_many(client, "a.v1", 100000);
	assert_int_equal(client_ready(client, "in.a", 100000), 100000);
	client_fetch(client, "in.a", 1000);
	drain(client, 100000);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(client->got[i].number, i);
	assert_int_equal(client_ready(client, "in.a", 0), 0);
	client_close(client);
}

static void a_thousand_queues_are_served(void **state)
{
	struct client *client = client_new("thousand");
	struct topology *queues = queues_new();
	char name[32], topic[32];
	bool seen[1000] = {false};

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "in.q%03d", i);
		snprintf(topic, sizeof topic, "t%03d.v1", i);
		queues_add(queues, name, topic);
	}
	client_declare(client, queues);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "in.q%03d", i);
		snprintf(topic, sizeof topic, "t%03d.v1", i);
		client_fetch(client, name, 8);
		client_publish(client, topic, NULL, i);
	}
	client_answered(client);
	assert_int_equal(client_count_answers(client, PUBLISH_CONFIRMED), 1000);
	drain(client, 1000);
	for (size_t i = 0; i < 1000; i++)
		seen[client->got[i].number] = true;
	for (size_t i = 0; i < 1000; i++)
		assert_true(seen[i]);
	client_close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_in_the_order_in_which_they_were_published),
		cmocka_unit_test(every_subscriber_of_a_topic_gets_a_copy),
		cmocka_unit_test(a_queue_may_be_published_to_by_name),
		cmocka_unit_test(what_no_queue_takes_is_returned_once),
		cmocka_unit_test(the_same_message_returned_from_one_place_is_confirmed_at_another),
		cmocka_unit_test(nobody_need_subscribe_to_what_is_optional),
		cmocka_unit_test(bodies_of_any_size_arrive_as_they_were),
		cmocka_unit_test(what_is_released_comes_again_before_what_follows),
		cmocka_unit_test(no_more_than_the_window_is_unsettled),
		cmocka_unit_test(what_was_not_settled_comes_back_after_a_restart),
		cmocka_unit_test(a_killed_client_loses_and_doubles_nothing),
		cmocka_unit_test(a_topic_that_is_no_longer_subscribed_brings_nothing),
		cmocka_unit_test(consuming_goes_on_over_a_new_topology),
		cmocka_unit_test(a_hundred_thousand_messages_wait_and_go),
		cmocka_unit_test(a_thousand_queues_are_served),
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests(tests, brokers_up, brokers_down);
}
