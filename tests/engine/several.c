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

/* ---- order by key */
static void wait_for_parked(struct queue *queue, json_int_t n)
{
	int64_t until = clock_tick_ms() + 10000;
	json_t *answer = NULL;
	json_int_t parked;

	do {
		json_t *request = json_object();

		assert_true(clock_tick_ms() < until);
		queue_wait(queue, 20, &bed_error);
		assert_int_equal(queue_ask(queue, "status", request, &answer, 5000, &bed_error), 0);
		parked = json_integer_value(json_object_get(answer, "parked"));
		json_decref(answer);
		json_decref(request);
	} while (parked != n);
}

static void forget(void *arg, const struct error *error)
{
}

static void expect(struct queue *queue, const char *text)
{
	struct delivery *delivery = bed_take(queue, 10000);

	if (!bed_is(delivery, text))
		fail_msg("not %s", text);
	bed_settle(queue, delivery);
}

static void what_follows_waits_for_a_unit_whose_session_has_gone(void **state)
{
	struct bed *bed = bed_new();
	struct queue *publisher = bed_connect(bed, "source"), *worker = bed_connect(bed, "transform");
	struct delivery *delivery;
	struct unit *unit;

	bed_publish_ordered(publisher, "in.ordered", "ordered", "first", 1);
	bed_publish_ordered(publisher, "in.ordered", "ordered", "second", 1);
	queue_credit(worker, "in.ordered", 1, MIB);
	delivery = bed_take(worker, 10000);
	assert_true(bed_is(delivery, "first"));
	queue_wait(worker, 500, &bed_error); /* the second has come, too */
	lab_do("rabbitmq", "pause");
	unit = unit_new(worker);
	assert_int_equal(unit_publish(unit, NULL, "in.b", false, delivery->message, &bed_error), 0);
	unit_settle(unit, delivery);
	assert_int_equal(unit_commit(unit, forget, NULL, &bed_error), 0);
	while (queue_unsent(worker))
		queue_pump(worker, &bed_error);
	delivery_free(delivery);
	queue_close(worker);
	worker = bed_connect(bed, "transform");
	queue_credit(worker, "in.ordered", 10, MIB);
	delivery = bed_take(worker, 1000);
	lab_do("rabbitmq", "resume");
	if (delivery)
		fail_msg("the second came while the first was on its way");
	expect(worker, "second");
	queue_close(worker);
	queue_close(publisher);
	bed_free(bed);
}

/* A commit of which nobody knows is done again: a park that went with it must not be counted as gone twice, or what
 * comes from the queue passes those that are parked. */
static void order_holds_after_a_commit_whose_answer_was_lost(void **state)
{
#ifndef FERRULE_FAULTS
	support_skip("built without --enable-faults");
#else
	struct bed *bed = bed_new();
	struct queue *publisher, *worker;
	struct delivery *delivery;
	struct unit *unit;
	struct error why;

	bed_stop(bed, 0);
	bed->faults = "queue.commit-unknown:2=fail";
	bed_start(bed);
	publisher = bed_connect(bed, "source");
	worker = bed_connect(bed, "transform");
	queue_credit(worker, "in.ordered", 10, MIB);
	bed_publish_ordered(publisher, "in.ordered", "ordered", "first", 1);
	delivery = bed_take(worker, 10000);
	assert_true(bed_is(delivery, "first"));
	unit = unit_new(worker);
	error_set(&why, ERROR_RETRY, "test", "not now");
	unit_park(unit, delivery, clock_now_ms() + 2000, &why);
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0); /* 1 */
	delivery_free(delivery);
	bed_publish_ordered(publisher, "in.ordered", "ordered", "second", 1);
	bed_publish_ordered(publisher, "in.ordered", "ordered", "third", 1);
	wait_for_parked(publisher, 3);
	delivery = bed_take(worker, 10000);
	assert_true(bed_is(delivery, "first"));
	unit = unit_new(worker);
	unit_settle(unit, delivery);
	assert_int_equal(unit_commit_wait(unit, &bed_error), -1); /* 2: it happened all the same */
	assert_string_equal(bed_error.code, "db.gone");
	for (int i = 0; i < 100; i++) {
		queue_wait(worker, 50, &bed_error);
		unit = unit_new(worker);
		unit_settle(unit, delivery);
		if (unit_commit_wait(unit, &bed_error) == 0)
			break;
		assert_true(i < 99);
	}
	delivery_free(delivery);
	delivery = bed_take(worker, 10000);
	assert_true(bed_is(delivery, "second"));
	bed_publish_ordered(publisher, "in.ordered", "ordered", "fourth", 1);
	queue_wait(publisher, 300, &bed_error);
	bed_settle(worker, delivery);
	expect(worker, "third");
	expect(worker, "fourth");
	queue_close(worker);
	queue_close(publisher);
	bed_free(bed);
#endif
}

/* The machine that consumes an ordered queue loses its database, and with it the lock; the other takes that meanwhile.
 * What the first one holds goes back to the queue before the other gets anything. */
static void an_ordered_queue_is_handed_over_in_order(void **state)
{
	struct bed *first = bed_new(), *second = bed_new();
	struct queue *publisher, *worker, *other;
	struct delivery *held, *delivery;
	char text[16];

	bed_stop(second, 0);
	second->config = first->config;
	bed_start(second);
	publisher = bed_connect(first, "source");
	worker = bed_connect(first, "transform");
	other = bed_connect(second, "transform");
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "%d", i);
		bed_publish_ordered(publisher, "in.ordered", "ordered", text, 1);
	}
	queue_credit(worker, "in.ordered", 1, MIB);
	held = bed_take(worker, 10000);
	assert_true(bed_is(held, "0"));
	queue_credit(other, "in.ordered", 10, MIB); /* only now: who asks first gets the lock */
	assert_null(bed_take(other, 500));
	kill(first->engine, SIGSTOP);
	lab_sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' GROUP BY pid"
		" ORDER BY count(*) DESC LIMIT 1");
	assert_null(bed_take(other, 3000)); /* it has the lock; the broker still gives to the first one only */
	kill(first->engine, SIGCONT);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "%d", i);
		delivery = bed_take(other, 15000);
		if (!delivery || !bed_is(delivery, text))
			fail_msg("%s is not what came", text);
		bed_settle(other, delivery);
	}
	delivery_free(held);
	queue_close(publisher);
	queue_close(worker);
	queue_close(other);
	bed_free(second);
	bed_free(first);
}

/* ---- one machine stands still, and another takes over what only one may do */
#define TAKEN_OVER_MS 10000

static bool asks_source(struct queue *queue, int64_t *tenure)
{
	json_t *request = json_pack("{s:s}", "name", "partner"), *answer = NULL;
	bool held = !queue_ask(queue, "hold-source", request, &answer, 5000, &bed_error) &&
		    json_is_true(json_object_get(answer, "held"));

	*tenure = json_integer_value(json_object_get(answer, "tenure"));
	json_decref(request);
	json_decref(answer);
	return held;
}

static bool is_steward(struct queue *queue)
{
	json_t *request = json_object(), *answer = NULL;
	bool elsewhere = queue_ask(queue, "held.due", request, &answer, 5000, &bed_error) ||
			 json_is_true(json_object_get(answer, "elsewhere"));

	json_decref(request);
	json_decref(answer);
	return !elsewhere;
}

/* What a poller commits of a document, and what it remembers of its schedule. */
static int take_document(struct queue *queue, int64_t tenure, const char *text)
{
	struct unit *unit = unit_new(queue);
	struct message *message = bed_message(text, 100);
	struct id source = id_digest(span_of("the document"));

	unit_change(unit, "fence-source", json_pack("{s:s s:I}", "name", "partner", "tenure", (json_int_t)tenure));
	unit_change(unit, "table.put",
		    json_pack("{s:s s:s s:s}", "table", "ferrule-schedules", "key", "partner", "value", text));
	unit_seen(unit, &source, &message->id, INT64_MAX);
	assert_int_equal(unit_publish(unit, NULL, "in.a", false, message, &bed_error), 0);
	message_free(message);
	return unit_commit_wait(unit, &bed_error);
}

static int judge_something(struct queue *queue, const char *subject)
{
	struct unit *unit = unit_new(queue);

	unit_change(unit, "event.tell",
		    json_pack("{s:s s:s s:{}}", "topic", "ferrule.sequence-gap.v1", "subject", subject, "body"));
	return unit_commit_wait(unit, &bed_error);
}

static void schedule_is(struct queue *queue, const char *wanted)
{
	json_t *request = json_pack("{s:s s:[s]}", "table", "ferrule-schedules", "keys", "partner"), *answer = NULL;

	assert_int_equal(queue_ask(queue, "table.find", request, &answer, 5000, &bed_error), 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "values"), "partner")), wanted);
	json_decref(request);
	json_decref(answer);
}

/* Nobody ends the connections of the machine that stands still but the server, which hears nothing of it. */
static void what_a_machine_began_before_another_took_over_is_refused(void **state)
{
	struct bed *first = bed_new(), *second = bed_new();
	struct queue *poller, *steward, *other, *other_steward;
	struct delivery *delivery;
	int64_t tenure, theirs, stopped;
	unsigned again = 0;
	char text[32];

	bed_stop(second, 0);
	second->config = first->config;
	bed_start(second);
	poller = bed_connect(first, "poll:partner");
	steward = bed_connect(first, "steward");
	other = bed_connect(second, "poll:partner");
	other_steward = bed_connect(second, "steward");
	assert_true(asks_source(poller, &tenure));
	assert_true(is_steward(steward));
	assert_false(asks_source(other, &theirs));
	assert_false(is_steward(other_steward));
	if (judge_something(steward, "in its time"))
		fail_msg("%s %s", bed_error.code, bed_error.text);
	kill(first->engine, SIGSTOP);
	stopped = clock_tick_ms();
	while (!asks_source(other, &theirs) && clock_tick_ms() - stopped < TAKEN_OVER_MS)
		queue_wait(other, 100, &bed_error);
	assert_true(asks_source(other, &theirs));
	while (!is_steward(other_steward) && clock_tick_ms() - stopped < TAKEN_OVER_MS)
		queue_wait(other_steward, 100, &bed_error);
	assert_true(is_steward(other_steward));
	if (take_document(other, theirs, "theirs"))
		fail_msg("%s %s", bed_error.code, bed_error.text);
	kill(first->engine, SIGCONT);
	do { /* until it has a connection again */
		snprintf(text, sizeof text, "ours-%u", again++);
		assert_int_equal(take_document(poller, tenure, text), -1);
		queue_wait(poller, 50, &bed_error);
	} while (!strcmp(bed_error.code, "db.gone") && again < 400);
	assert_string_equal(bed_error.code, "source.lost");
	assert_int_equal(bed_error.class, ERROR_RETRY);
	/* that one may have been with the broker by then */
	assert_int_equal(take_document(poller, tenure, "known"), -1);
	assert_string_equal(bed_error.code, "source.lost");
	assert_int_equal(judge_something(steward, "too late"), -1);
	assert_string_equal(bed_error.code, "steward.elsewhere");
	schedule_is(other, "theirs");
	queue_credit(other, "in.a", 1000, MIB);
	while ((delivery = bed_take(other, 1500))) {
		assert_false(bed_is(delivery, "known")); /* it did not even go to the broker */
		bed_settle(other, delivery);
	}
	assert_false(asks_source(poller, &tenure));
	queue_close(other); /* and when that one goes, a new time begins here */
	stopped = clock_tick_ms();
	while (!asks_source(poller, &tenure) && clock_tick_ms() - stopped < TAKEN_OVER_MS)
		queue_wait(poller, 50, &bed_error);
	assert_int_equal(take_document(poller, tenure - 1, "of the time before"), -1);
	assert_string_equal(bed_error.code, "source.lost");
	assert_int_equal(take_document(poller, tenure, "now"), 0);
	schedule_is(poller, "now");
	queue_close(poller);
	queue_close(steward);
	queue_close(other_steward);
	bed_free(second);
	bed_free(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_when_the_broker_is_killed),
		cmocka_unit_test(nothing_is_lost_when_the_database_is_killed),
		cmocka_unit_test(nothing_is_accepted_while_the_broker_is_away),
		cmocka_unit_test(what_follows_waits_for_a_unit_whose_session_has_gone),
		cmocka_unit_test(order_holds_after_a_commit_whose_answer_was_lost),
		cmocka_unit_test(an_ordered_queue_is_handed_over_in_order),
		cmocka_unit_test(what_a_machine_began_before_another_took_over_is_refused),
	};

	return cmocka_run_group_tests_name("queue process on several machines", tests, NULL, NULL);
}
