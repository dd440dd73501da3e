/* The queue process on RabbitMQ and PostgreSQL, when one of them is killed. */
#include "config.h"
#include "tests/engine/bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define MIB (1u << 20)
#define MESSAGES 300

static void fill(struct queue *queue)
{
	struct unit *unit = unit_new(queue);

	for (int i = 0; i < MESSAGES; i++) {
		char text[16];
		struct message *message;
		int sent;

		snprintf(text, sizeof text, "%d", i);
		message = bed_message(text, 500);
		while ((sent = unit_publish(unit, NULL, "in.a", false, message, &bed_error)) == 1)
			queue_wait(queue, 100, &bed_error);
		assert_int_equal(sent, 0);
		message_free(message);
	}
	if (unit_commit_wait(unit, &bed_error))
		fail_msg("filling: %s", bed_error.text);
}

/* One delivery on to in.b; again as long as the unit fails without having settled anything. */
static unsigned hop(struct queue *queue, struct delivery *delivery)
{
	unsigned failed = 0;

	for (;;) {
		struct unit *unit = unit_new(queue);

		assert_int_equal(unit_publish(unit, NULL, "in.b", false, delivery->message, &bed_error), 0);
		unit_settle(unit, delivery);
		if (unit_commit_wait(unit, &bed_error) == 0)
			break;
		if (bed_error.class != ERROR_RETRY || ++failed > 300)
			fail_msg("hopping: %s %s", bed_error.code, bed_error.text);
		queue_wait(queue, 50, &bed_error);
	}
	delivery_free(delivery);
	return failed;
}

static void hop_with(const char *server)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "transform");
	bool seen[MESSAGES] = {false};
	struct delivery *delivery;
	unsigned done = 0, more = 0;

	fill(queue);
	queue_credit(queue, "in.a", 20, MIB);
	while ((delivery = bed_take(queue, done < 50 ? 5000 : 15000)) && more < 2 * MESSAGES) {
		hop(queue, delivery);
		if (++done == 50) {
			lab_do(server, "kill");
			lab_do(server, "start");
		}
		if (done >= MESSAGES && !(delivery = bed_take(queue, 2000))) /* what comes twice comes now */
			break;
		else if (done >= MESSAGES)
			hop(queue, delivery), more++;
	}
	queue_credit(queue, "in.b", 100, MIB);
	while ((delivery = bed_take(queue, 3000))) {
		if (!strcmp(delivery->queue, "in.b"))
			seen[atoi(delivery->message->subject.data)] = true;
		bed_settle(queue, delivery);
	}
	for (int i = 0; i < MESSAGES; i++)
		if (!seen[i])
			fail_msg("message %d was lost when %s was killed", i, server);
	queue_close(queue);
	bed_free(bed);
}

static void nothing_is_lost_when_the_broker_is_killed(void **state)
{
	hop_with("rabbitmq");
}

static void nothing_is_lost_when_the_database_is_killed(void **state)
{
	hop_with("postgresql");
}

static void nothing_is_accepted_while_the_broker_is_away(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "source");
	int64_t until = clock_tick_ms() + 20000;

	while (!queue_accepting(queue) && clock_tick_ms() < until)
		queue_wait(queue, 100, &bed_error);
	assert_true(queue_accepting(queue));
	lab_do("rabbitmq", "kill");
	while (queue_accepting(queue) && clock_tick_ms() < until)
		queue_wait(queue, 100, &bed_error);
	assert_false(queue_accepting(queue));
	lab_do("rabbitmq", "start");
	until = clock_tick_ms() + 20000;
	while (!queue_accepting(queue) && clock_tick_ms() < until)
		queue_wait(queue, 100, &bed_error);
	assert_true(queue_accepting(queue));
	bed_publish(queue, NULL, "in.a", "one", 10);
	queue_close(queue);
	bed_free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_when_the_broker_is_killed),
		cmocka_unit_test(nothing_is_lost_when_the_database_is_killed),
		cmocka_unit_test(nothing_is_accepted_while_the_broker_is_away),
	};

	return cmocka_run_group_tests_name("queue process on several machines", tests, NULL, NULL);
}
