/* Members of durable steps in units: on the spool, and on RabbitMQ with PostgreSQL. */
#include "config.h"
#include "tests/engine/bed.h"

#include <signal.h>
#include <stdlib.h>

#define MIB (1u << 20)
#define BEHIND "in.orders/collect"

static bool wanted;

static void on_want(void *arg, const char *what)
{
	assert_string_equal(what, "steward");
	wanted = true;
}

static struct hold by_count(uint64_t count)
{
	return (struct hold){.kind = HOLD_COLLECT,
			     .key = id_digest(SPAN_LITERAL("k")),
			     .label = SPAN_LITERAL("k"),
			     .count = count,
			     .bytes_most = MIB,
			     .at_minute = -1};
}

static int hold(struct unit *unit, const struct delivery *from, const struct hold *hold, const char *text,
		const char *body)
{
	struct message *message = bed_message(text, 1);
	struct held held = {.message = message,
			    .hold = hold,
			    .queue = BEHIND,
			    .step = "collect",
			    .from = from,
			    .path = span_of(text)};
	int result;

	message_body_take(message, reader_new_copy(span_of(body)));
	assert_int_equal(message_body_sign(message, &bed_error), 0);
	result = unit_held(unit, &held, &bed_error);
	message_free(message);
	return result;
}

static struct delivery *one(struct queue *queue, const char *text)
{
	struct delivery *delivery;

	bed_publish(queue, NULL, "in.a", text, 10);
	delivery = bed_take(queue, 5000);
	assert_non_null(delivery);
	return delivery;
}

static json_t *ask(struct queue *queue, const char *question, json_t *request)
{
	json_t *answer = NULL;

	if (queue_ask(queue, question, request, &answer, 5000, &bed_error))
		fail_msg("%s: %s", question, bed_error.text);
	json_decref(request);
	return answer;
}

static json_int_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void members_are_there_with_their_unit_and_the_steward_is_told(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "transform"), *steward = bed_connect(bed, "steward");
	struct hold two = by_count(2);
	struct delivery *delivery;
	struct unit *unit = unit_new(queue);
	json_t *due, *page;

	wanted = false;
	queue_on_want(steward, on_want, NULL);
	queue_credit(queue, "in.a", 10, MIB);
	delivery = one(queue, "document");
	assert_int_equal(hold(unit, delivery, &two, "first", "1"), 0);
	assert_int_equal(hold(unit, delivery, &two, "second", "2"), 0);
	unit_free(unit); /* given up: nothing has happened */
	due = ask(steward, "held.due", json_object());
	assert_int_equal(json_array_size(json_object_get(due, "due")), 0);
	json_decref(due);
	for (int again = 0; again < 2; again++) { /* the same unit twice, as after a lost answer */
		unit = unit_new(queue);
		assert_int_equal(hold(unit, delivery, &two, "first", "1"), 0);
		assert_int_equal(hold(unit, delivery, &two, "second", "2"), 0);
		if (again)
			unit_settle(unit, delivery);
		assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	}
	delivery_free(delivery);
	for (int i = 0; i < 50 && !wanted; i++)
		assert_int_equal(queue_wait(steward, 100, &bed_error), 0);
	assert_true(wanted);
	due = ask(steward, "held.due", json_object());
	assert_int_equal(json_array_size(json_object_get(due, "due")), 1);
	page = ask(steward, "held.page",
		   json_pack("{s:I}", "number", number(json_array_get(json_object_get(due, "due"), 0), "number")));
	assert_int_equal(json_array_size(json_object_get(page, "members")), 2);
	assert_true(json_is_integer(json_object_get(page, "next"))); /* as it is now, which may be later than `due` */
	assert_true(json_is_integer(json_object_get(page, "due_ms")));
	json_decref(page);
	json_decref(due);
	queue_close(queue);
	queue_close(steward);
	bed_free(bed);
}

static void what_the_store_refuses_is_dead_and_its_neighbours_go_on(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "transform");
	struct hold many = by_count(100);
	struct delivery *delivery;
	struct unit *unit;
	json_t *letters, *letter;

	queue_credit(queue, "in.a", 10, MIB);
	delivery = one(queue, "document");
	unit = unit_new(queue);
	hold(unit, delivery, &many, "first", "1");
	hold(unit, delivery, &many, "first", "another"); /* the same identity, other content */
	hold(unit, delivery, &many, "second", "2");
	unit_settle(unit, delivery);
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	delivery_free(delivery);
	letters = ask(queue, "dead.list", json_object());
	assert_int_equal(json_array_size(json_object_get(letters, "letters")), 1);
	letter = json_array_get(json_object_get(letters, "letters"), 0);
	assert_string_equal(json_string_value(json_object_get(letter, "cause")), "identity.conflict");
	assert_string_equal(json_string_value(json_object_get(letter, "queue")), "in.a");
	assert_string_equal(json_string_value(json_object_get(letter, "step")), "collect");
	json_decref(letters);
	letters = ask(queue, "collect.list", json_object());
	letter = json_array_get(json_object_get(letters, "collections"), 0);
	assert_int_equal(number(letter, "count"), 2);
	json_decref(letters);
	letters = ask(queue, "status", json_object());
	assert_int_equal(number(json_array_get(json_object_get(letters, "held"), 0), "members"), 2);
	json_decref(letters);
	queue_close(queue);
	bed_free(bed);
}

static void what_waits_does_not_keep_a_site_busy_but_what_is_due_does(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "transform");
	struct hold two = by_count(2);
	struct delivery *delivery;
	struct unit *unit;
	json_t *idle;

	queue_credit(queue, "in.a", 10, MIB);
	for (int n = 0; n < 2; n++) {
		delivery = one(queue, n ? "two" : "one");
		unit = unit_new(queue);
		hold(unit, delivery, &two, n ? "second" : "first", "1");
		unit_settle(unit, delivery);
		assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
		delivery_free(delivery);
		idle = ask(queue, "idle", json_object());
		assert_int_equal(number(idle, "closing"), n);
		assert_int_equal(number(idle, "held"), n ? 0 : 1);
		json_decref(idle);
		if (n)
			continue;
		queue_close(queue);
		bed_stop(bed, SIGKILL); /* what waits outlives it */
		bed_start(bed);
		queue = bed_connect(bed, "transform");
		queue_credit(queue, "in.a", 10, MIB);
	}
	queue_close(queue);
	bed_free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_there_with_their_unit_and_the_steward_is_told),
		cmocka_unit_test(what_the_store_refuses_is_dead_and_its_neighbours_go_on),
		cmocka_unit_test(what_waits_does_not_keep_a_site_busy_but_what_is_due_does),
	};

	return cmocka_run_group_tests_name("durable steps in units", tests, NULL, NULL);
}
