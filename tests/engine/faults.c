/* The queue process is killed between every two lines of a unit's write order. On the spool a unit is one transaction:
 * afterwards each message is where it belongs, exactly once. */
#include "config.h"
#include "tests/engine/bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define MIB (1u << 20)
#define MESSAGES 40

enum fate { ON, DEAD, PARKED };

static enum fate fate_of(const struct message *message)
{
	int n = atoi(message->subject.data); /* followed by a NUL in its arena */

	if (n % 7 == 3)
		return DEAD;
	return n % 5 == 2 && message->attempt == 0 ? PARKED : ON;
}

static int one_unit(struct queue *queue, struct delivery **batch, size_t n)
{
	struct unit *unit = unit_new(queue);
	struct error why;

	error_set(&why, ERROR_REJECT, "test.bad", "cannot be");
	for (size_t i = 0; i < n; i++) {
		struct delivery *delivery = batch[i];

		switch (fate_of(delivery->message)) {
		case DEAD:
			unit_dead(unit,
				  &(struct dead){
					  .message = delivery->message, .queue = "in.a", .step = "map", .why = &why});
			unit_settle(unit, delivery);
			break;
		case PARKED:
			delivery->message->attempt = 1;
			unit_park(unit, delivery, clock_now_ms() + 30, &why);
			break;
		case ON:
			if (unit_publish(unit, NULL, "in.b", false, delivery->message, &bed_error)) {
				unit_free(unit);
				return -1;
			}
			unit_settle(unit, delivery);
			break;
		}
	}
	return unit_commit_wait(unit, &bed_error);
}

/* Is nothing left to be moved? -1 when the queue process has gone. */
static int finished(struct queue *queue)
{
	json_t *request = json_object(), *answer = NULL, *entry;
	bool done = false;
	size_t i;

	if (queue_ask(queue, "status", request, &answer, 5000, &bed_error) == 0) {
		done = json_integer_value(json_object_get(answer, "parked")) == 0;
		json_array_foreach(json_object_get(answer, "queues"), i,
				   entry) if (!strcmp(json_string_value(json_object_get(entry, "name")), "in.a")) done =
			done && !json_integer_value(json_object_get(entry, "ready")) &&
			!json_integer_value(json_object_get(entry, "unsettled"));
	}
	json_decref(request);
	if (!answer)
		return -1;
	json_decref(answer);
	return done;
}

/* Moves what comes until nothing is left; -1 when the queue process has gone. */
static int work(struct queue *queue)
{
	struct delivery *batch[16];
	int idle = 0, done;

	queue_credit(queue, "in.a", 16, MIB);
	while (idle < 200) {
		size_t n = queue_take(queue, batch, 16);
		int status = 0;

		if (!n) {
			idle++;
			if (queue_wait(queue, 50, &bed_error) || (done = finished(queue)) < 0)
				return -1;
			if (done)
				break;
			continue;
		}
		idle = 0;
		status = one_unit(queue, batch, n);
		for (size_t i = 0; i < n; i++)
			delivery_free(batch[i]);
		if (status)
			return -1;
	}
	return 0;
}

static void fill(struct bed *bed)
{
	struct queue *queue = bed_connect(bed, "test");
	struct unit *unit = unit_new(queue);

	for (int i = 0; i < MESSAGES; i++) {
		char text[16];
		struct message *message;

		snprintf(text, sizeof text, "%d", i);
		message = bed_message(text, 500);
		assert_int_equal(unit_publish(unit, NULL, "in.a", false, message, &bed_error), 0);
		message_free(message);
	}
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	queue_close(queue);
}

static void check(struct bed *bed, const char *point)
{
	struct queue *queue = bed_connect(bed, "test");
	json_t *request = json_object(), *answer;
	int seen[MESSAGES] = {0}, dead = 0;
	struct delivery *delivery;

	queue_credit(queue, "in.b", 100, MIB);
	while ((delivery = bed_take(queue, 100))) {
		seen[atoi(delivery->message->subject.data)]++;
		bed_settle(queue, delivery);
	}
	for (int i = 0; i < MESSAGES; i++) {
		int expected = i % 7 != 3;

		dead += !expected;
		if (seen[i] != expected)
			fail_msg("%s: message %d came %d times", point, i, seen[i]);
	}
	if (queue_ask(queue, "status", request, &answer, 5000, &bed_error))
		fail_msg("asking: %s", bed_error.text);
	assert_int_equal(json_integer_value(json_object_get(answer, "dead")), dead);
	assert_int_equal(json_integer_value(json_object_get(answer, "parked")), 0);
	json_decref(answer);
	json_decref(request);
	queue_close(queue);
}

static void round_of(const char *point, int nth)
{
	struct bed *bed = bed_new();
	char faults[100];
	struct queue *queue;
	int status;

	fill(bed);
	bed_stop(bed, 0);
	snprintf(faults, sizeof faults, "%s:%d=kill", point, nth);
	bed->faults = faults;
	bed_start(bed);
	queue = bed_connect(bed, "transform");
	if (work(queue) == 0)
		fail_msg("%s was never reached", faults);
	queue_close(queue);
	assert_int_equal(waitpid(bed->engine, &status, 0), bed->engine);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	bed->engine = 0;
	bed->faults = NULL;
	bed_start(bed);
	queue = bed_connect(bed, "transform");
	assert_int_equal(work(queue), 0);
	queue_close(queue);
	check(bed, point);
	bed_free(bed);
}

static void a_kill_between_any_two_lines_loses_and_doubles_nothing(void **state)
{
	static const char *const points[] = {"queue.received", "queue.published", "queue.dead",
					     "queue.parked",   "queue.stored",    "queue.settling",
					     "db.commit",      "db.committed",    "queue.committed",
					     "queue.settled",  "queue.answered",  "queue.park-returned"};

#ifndef FERRULE_FAULTS
	support_skip("built without --enable-faults");
#endif
	for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
		bool rare = !strcmp(points[i], "queue.park-returned");

		round_of(points[i], !strcmp(points[i], "queue.answered") || !strncmp(points[i], "db.", 3) ? 6
				    : rare                                                                ? 1
													  : 2);
	}
}

static void a_commit_that_fails_settles_nothing_and_may_be_done_again(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue;
	struct delivery *delivery;

#ifndef FERRULE_FAULTS
	support_skip("built without --enable-faults");
#endif
	fill(bed);
	bed_stop(bed, 0);
	bed->faults = "queue.commit:1=fail";
	bed_start(bed);
	queue = bed_connect(bed, "transform");
	queue_credit(queue, "in.a", 1, MIB);
	delivery = bed_take(queue, 2000);
	assert_int_equal(one_unit(queue, &delivery, 1), -1);
	assert_int_equal(bed_error.class, ERROR_RETRY);
	assert_int_equal(one_unit(queue, &delivery, 1), 0);
	delivery_free(delivery);
	assert_int_equal(work(queue), 0);
	queue_close(queue);
	check(bed, "queue.commit");
	bed_free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_between_any_two_lines_loses_and_doubles_nothing),
		cmocka_unit_test(a_commit_that_fails_settles_nothing_and_may_be_done_again),
	};

	return cmocka_run_group_tests_name("kills of the queue process", tests, NULL, NULL);
}
