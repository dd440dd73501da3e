/* The rules of the queue process: order, parks, holds, dead letters, intents, suspects. */
#include "config.h"
#include "tests/engine/bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define MIB (1u << 20)

static uint64_t number_of(struct queue *queue, const char *question, const char *name)
{
	json_t *request = json_object(), *answer;
	uint64_t number;

	if (queue_ask(queue, question, request, &answer, 5000, &bed_error))
		fail_msg("asking: %s", bed_error.text);
	number = (uint64_t)json_integer_value(json_object_get(answer, name));
	json_decref(answer);
	json_decref(request);
	return number;
}

static uint64_t counter(struct queue *queue, const char *name)
{
	json_t *request = json_object(), *answer;
	uint64_t number;

	if (queue_ask(queue, "status", request, &answer, 5000, &bed_error))
		fail_msg("asking: %s", bed_error.text);
	number = (uint64_t)json_integer_value(json_object_get(json_object_get(answer, "counters"), name));
	json_decref(answer);
	json_decref(request);
	return number;
}

static void park(struct queue *queue, struct delivery *delivery, int64_t due)
{
	struct unit *unit = unit_new(queue);
	struct error why;

	error_set(&why, ERROR_RETRY, "test.later", "not now");
	delivery->message->attempt++;
	unit_park(unit, delivery, due, &why);
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	delivery_free(delivery);
}

static void dead(struct queue *queue, struct delivery *delivery)
{
	struct unit *unit = unit_new(queue);
	struct error why;

	error_set(&why, ERROR_REJECT, "test.bad", "cannot be");
	unit_dead(unit,
		  &(struct dead){.message = delivery->message, .queue = delivery->queue, .step = "map", .why = &why});
	unit_settle(unit, delivery);
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	delivery_free(delivery);
}

static void assert_dead_is_recorded(struct queue *queue, const char *text, const char *code)
{
	struct id id = id_digest(span_of(text));
	struct delivery *delivery;
	struct record_view view;
	struct span bytes;

	queue_credit(queue, QUEUE_RECORDS, 1, MIB);
	delivery = bed_take(queue, 3000);
	assert_non_null(delivery);
	assert_int_equal(reader_view(delivery->message->body, &bytes, &bed_error), 0);
	assert_true(record_decode(&bytes, &view));
	assert_true(span_is(view.stage, "dead"));
	assert_true(id_equal(&view.message, &id));
	assert_non_null(memmem(view.detail.data, view.detail.len, code, strlen(code)));
	bed_settle(queue, delivery);
}

/* ---- parks and order */
static void a_parked_message_comes_again_when_it_is_due(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");
	int64_t start = clock_now_ms();
	struct delivery *delivery;

	queue_credit(queue, "in.a", 10, MIB);
	bed_publish(queue, NULL, "in.a", "one", 10);
	park(queue, bed_take(queue, 2000), start + 300);
	assert_int_equal(number_of(queue, "idle", "parked"), 1);
	delivery = bed_take(queue, 3000);
	assert_true(bed_is(delivery, "one"));
	assert_true(clock_now_ms() - start >= 300);
	assert_int_equal(delivery->message->attempt, 1);
	assert_int_equal(reader_size(delivery->message->body), 10);
	bed_settle(queue, delivery);
	/* a broker of its own has the message back a moment before the store has let the park go */
	for (int i = 0; i < 100 && number_of(queue, "idle", "parked") != 0; i++)
		usleep(50000);
	assert_int_equal(number_of(queue, "idle", "parked"), 0);
	queue_close(queue);
	bed_free(bed);
}

static void a_park_survives_a_kill(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");

	queue_credit(queue, "in.a", 10, MIB);
	bed_publish(queue, NULL, "in.a", "one", 10);
	park(queue, bed_take(queue, 2000), clock_now_ms() + 200);
	bed_stop(bed, SIGKILL);
	queue_close(queue);
	bed_start(bed);
	queue = bed_connect(bed, "test");
	queue_credit(queue, "in.a", 10, MIB);
	assert_int_equal(bed_drain(queue, 500), 1);
	queue_close(queue);
	bed_free(bed);
}

static void of_one_order_key_one_message_is_in_flight(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");
	struct delivery *first, *other;

	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-1", 1);
	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-2", 1);
	bed_publish_ordered(queue, "in.ordered", "ordered", "k2-1", 2);
	queue_credit(queue, "in.ordered", 10, MIB);
	first = bed_take(queue, 2000);
	assert_true(bed_is(first, "k1-1"));
	other = bed_take(queue, 2000);
	assert_true(bed_is(other, "k2-1"));
	assert_null(bed_take(queue, SOON));
	bed_settle(queue, first);
	first = bed_take(queue, 2000);
	assert_true(bed_is(first, "k1-2"));
	bed_settle(queue, first);
	bed_settle(queue, other);
	queue_close(queue);
	bed_free(bed);
}

static void later_messages_of_a_parked_key_wait_behind_it(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");
	struct delivery *delivery;

	queue_credit(queue, "in.ordered", 10, MIB);
	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-1", 1);
	park(queue, bed_take(queue, 2000), clock_now_ms() + 4 * SOON);
	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-2", 1);
	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-3", 1);
	bed_publish_ordered(queue, "in.ordered", "ordered", "k2-1", 2);
	delivery = bed_take(queue, 2000);
	assert_true(bed_is(delivery, "k2-1"));
	bed_settle(queue, delivery);
	delivery = bed_take(queue, 2000);
	assert_true(bed_is(delivery, "k1-1"));
	park(queue, delivery, clock_now_ms() + 100); /* once more: it stays in front */
	for (int i = 0; i < 3; i++) {
		delivery = bed_take(queue, 3000);
		assert_true(bed_is(delivery, (const char *[]){"k1-1", "k1-2", "k1-3"}[i]));
		bed_settle(queue, delivery);
	}
	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-4", 1); /* and the key is free again */
	delivery = bed_take(queue, 2000);
	assert_true(bed_is(delivery, "k1-4"));
	bed_settle(queue, delivery);
	assert_int_equal(number_of(queue, "idle", "parked"), 0);
	queue_close(queue);
	bed_free(bed);
}

static void order_is_kept_across_a_kill(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");
	struct delivery *delivery;

	queue_credit(queue, "in.ordered", 10, MIB);
	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-1", 1);
	park(queue, bed_take(queue, 2000), clock_now_ms() + 3 * SOON);
	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-2", 1);
	assert_null(bed_take(queue, SOON));
	bed_stop(bed, SIGKILL);
	queue_close(queue);
	bed_start(bed);
	queue = bed_connect(bed, "test");
	bed_publish_ordered(queue, "in.ordered", "ordered", "k1-3", 1);
	queue_credit(queue, "in.ordered", 10, MIB);
	for (int i = 0; i < 3; i++) {
		delivery = bed_take(queue, 5000);
		assert_true(bed_is(delivery, (const char *[]){"k1-1", "k1-2", "k1-3"}[i]));
		bed_settle(queue, delivery);
	}
	queue_close(queue);
	bed_free(bed);
}

static void a_dead_letter_holds_its_key_where_the_flow_says_so(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");
	struct delivery *delivery;
	json_t *request;
	struct unit *unit;

	queue_credit(queue, "in.holding", 10, MIB);
	bed_publish_ordered(queue, "in.holding", "holding", "k1-1", 1);
	dead(queue, bed_take(queue, 2000));
	bed_publish_ordered(queue, "in.holding", "holding", "k1-2", 1);
	bed_publish_ordered(queue, "in.holding", "holding", "k2-1", 2);
	delivery = bed_take(queue, 2000);
	assert_true(bed_is(delivery, "k2-1"));
	bed_settle(queue, delivery);
	assert_null(bed_take(queue, SOON));
	assert_int_equal(number_of(queue, "status", "parked"), 1);
	assert_int_equal(number_of(queue, "idle", "parked"), 0); /* it waits for a person */

	request = json_pack("{s:i, s:s}", "number", 1, "reason", "test");
	unit = unit_new(queue);
	unit_change(unit, "dead.discarded", request);
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	delivery = bed_take(queue, 2000);
	assert_true(bed_is(delivery, "k1-2"));
	bed_settle(queue, delivery);
	queue_close(queue);
	bed_free(bed);
}

static void a_held_endpoint_gets_nothing_until_it_is_released(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");
	struct unit *unit = unit_new(queue);

	unit_change(unit, "hold.set",
		    json_pack("{s:s, s:I, s:s, s:s}", "name", "x", "until_ms", (json_int_t)clock_now_ms() + 600000,
			      "reason", "maintenance", "by", "test"));
	if (unit_commit_wait(unit, &bed_error))
		fail_msg("%s", bed_error.text);
	queue_credit(queue, "out.x", 10, MIB);
	queue_credit(queue, "in.a", 10, MIB);
	bed_publish(queue, NULL, "out.x", "one", 10);
	bed_publish(queue, NULL, "in.a", "two", 10);
	assert_int_equal(bed_drain(queue, SOON), 1);
	unit = unit_new(queue);
	unit_change(unit, "hold.release", json_pack("{s:s}", "name", "x"));
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	assert_int_equal(bed_drain(queue, SOON), 1);
	queue_close(queue);
	bed_free(bed);
}

/* ---- dead letters */
static void a_message_that_no_queue_takes_is_a_dead_letter_of_its_unit(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");
	struct message *message = bed_message("one", 10);
	struct unit *unit = unit_new(queue);

	assert_int_equal(unit_publish(unit, "nobody.v1", NULL, true, message, &bed_error), 0);
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	assert_int_equal(counter(queue, "dead"), 0);
	bed_publish(queue, "nobody.v1", NULL, "one", 10);
	assert_int_equal(counter(queue, "dead"), 1);
	assert_int_equal(counter(queue, "unroutable"), 1);
	assert_dead_is_recorded(queue, "one", "publish.unroutable");
	message_free(message);
	queue_close(queue);
	bed_free(bed);
}

static void replaying_an_unroutable_message_publishes_to_its_topic(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");

	bed_publish(queue, NULL, "topic:t.v1", "one", 10);
	queue_credit(queue, "in.b", 10, MIB);
	assert_int_equal(bed_drain(queue, SOON), 1);
	queue_close(queue);
	bed_free(bed);
}

/* ---- other configurations */
static void a_queue_that_is_no_longer_named_is_emptied_all_the_same(void **state)
{
	struct bed *bed = bed_new();
	struct queue *supervisor = bed_connect(bed, "supervisor");
	struct topology *less = topology_new();
	struct topology_queue *queue = topology_add(less, "in.b");
	struct buf bytes;

	queue->flow = "b";
	queue->endpoint = queue->system = queue->owner = queue->runbook = "";
	queue->worker = "transform";
	queue->topics = (const char *[]){"t.v1"};
	queue->topics_count = 1;
	bed_publish(supervisor, "t.v1", NULL, "old", 10);
	buf_init(&bytes, MIB);
	topology_encode(less, &bytes);
	assert_int_equal(queue_topology(supervisor, "2", buf_view(&bytes)), 0);
	bed_publish(supervisor, "t.v1", NULL, "new", 10);
	bed_stop(bed, SIGKILL); /* a start finds them as well */
	queue_close(supervisor);
	topology_free(bed->topology);
	bed->topology = less;
	bed_start(bed);
	supervisor = bed_connect(bed, "test");
	queue_credit(supervisor, "in.a", 10, MIB);
	queue_credit(supervisor, "in.b", 10, MIB);
	assert_int_equal(bed_drain(supervisor, 4 * SOON), 3); /* in.a has the old one only */
	bed_publish(supervisor, "t.v1", NULL, "newer", 10);
	assert_int_equal(bed_drain(supervisor, 4 * SOON), 1);
	buf_free(&bytes);
	queue_close(supervisor);
	bed_free(bed);
}

/* ---- intents */
struct intended {
	bool answered;
	struct intention intention;
};

static void on_intended(void *arg, const struct intention *intention, const struct error *error)
{
	struct intended *intended = arg;

	if (error)
		fail_msg("intending: %s", error->text);
	intended->answered = true;
	intended->intention = *intention;
}

static struct intention intend(struct queue *queue, const char *text)
{
	struct message *message = bed_message(text, 10);
	struct id key = effect_key("x", message), digest = id_digest(span_of("request"));
	struct intended intended = {0};

	assert_int_equal(queue_intend(queue, &key, "x", message, &digest, on_intended, &intended, &bed_error), 0);
	while (!intended.answered)
		if (queue_wait(queue, 5000, &bed_error))
			fail_msg("waiting: %s", bed_error.text);
	message_free(message);
	return intended.intention;
}

static void effect(struct queue *queue, const char *text, enum outcome outcome)
{
	struct message *message = bed_message(text, 10);
	struct id key = effect_key("x", message);
	struct unit *unit = unit_new(queue);

	unit_effect(unit, &key, outcome, message, "x", SPAN_LITERAL("{\"file\":\"x\"}"));
	if (unit_commit_wait(unit, &bed_error))
		fail_msg("committing: %s", bed_error.text);
	message_free(message);
}

static void a_message_that_is_full_to_the_brim_can_be_parked(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "transform");
	struct message *message = bed_message("m", 10);
	struct unit *unit = unit_new(queue);
	struct delivery *delivery;
	struct buf encoded, filling;

	buf_init(&encoded, MIB);
	buf_init(&filling, MIB);
	assert_int_equal(message_encode(message, &encoded, NULL), 0);
	while (encoded.len + filling.len + 40 < MESSAGE_ENVELOPE_MAX) /* the name and lengths of one more header */
		buf_char(&filling, 'x');
	message_set(message, &message->subject, buf_view(&filling));
	assert_int_equal(unit_publish(unit, NULL, "in.a", false, message, &bed_error), 0);
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	queue_credit(queue, "in.a", 1, MIB);
	delivery = bed_take(queue, 5000);
	assert_non_null(delivery);
	buf_reset(&encoded);
	message_set(delivery->message, &delivery->message->part, SPAN_LITERAL("a change that a worker made of it"));
	assert_int_equal(message_encode(delivery->message, &encoded, NULL), 0);
	delivery->message->first_failed_ms = 1;
	assert_int_equal(message_encode(delivery->message, &encoded, NULL), -1); /* else this shows nothing */
	park(queue, delivery, 0);
	delivery = bed_take(queue, 5000);
	assert_non_null(delivery);
	assert_int_equal(delivery->message->attempt, 0);
	bed_settle(queue, delivery);
	message_free(message);
	buf_free(&encoded);
	buf_free(&filling);
	queue_close(queue);
	bed_free(bed);
}

static void a_commit_waits_no_longer_than_asked_for(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "supervisor");
	struct message *message = bed_message("m", 10);
	struct unit *unit = unit_new(queue);

	assert_int_equal(unit_publish(unit, NULL, "in.a", false, message, &bed_error), 0);
	kill(bed->engine, SIGSTOP);
	assert_int_equal(unit_commit_within(unit, 100, &bed_error), -1);
	kill(bed->engine, SIGCONT);
	assert_string_equal(bed_error.code, "queue.silent");
	assert_int_equal(bed_error.class, ERROR_RETRY);
	unit = unit_new(queue); /* the late answer harms nobody */
	assert_int_equal(unit_publish(unit, NULL, "in.a", false, message, &bed_error), 0);
	assert_int_equal(unit_commit_within(unit, 5000, &bed_error), 0);
	message_free(message);
	queue_close(queue);
	bed_free(bed);
}

static void an_effect_is_intended_once_and_its_receipt_is_found(void **state)
{
	struct bed *bed = bed_new();
	struct queue *one = bed_connect(bed, "deliver"), *two = bed_connect(bed, "deliver");

	assert_int_equal(intend(one, "m").answer, INTENT_GO);
	assert_int_equal(intend(two, "m").answer, INTENT_BUSY);
	effect(one, "m", OUTCOME_DELIVERED);
	assert_int_equal(intend(two, "m").answer, INTENT_DONE);
	assert_true(intend(two, "m").same_request);
	queue_close(one);
	queue_close(two);
	bed_free(bed);
}

static void a_dead_sessions_intent_is_doubt(void **state)
{
	struct bed *bed = bed_new();
	struct queue *one = bed_connect(bed, "deliver"), *two;
	struct intention intention;

	intend(one, "m");
	queue_close(one);
	two = bed_connect(bed, "deliver");
	intention = intend(two, "m");
	assert_int_equal(intention.answer, INTENT_DOUBT);
	assert_int_equal(intention.attempts, 2);
	queue_close(two);
	bed_free(bed);
}

static void an_intent_of_before_a_kill_is_doubt_and_a_receipt_is_not(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "deliver");

	intend(queue, "open");
	intend(queue, "closed");
	effect(queue, "closed", OUTCOME_DELIVERED);
	bed_stop(bed, SIGKILL);
	queue_close(queue);
	bed_start(bed);
	queue = bed_connect(bed, "deliver");
	assert_int_equal(intend(queue, "open").answer, INTENT_DOUBT);
	assert_int_equal(intend(queue, "closed").answer, INTENT_DONE);
	assert_int_equal(intend(queue, "new").answer, INTENT_GO);
	queue_close(queue);
	bed_free(bed);
}

static void source_identities_are_remembered(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "source");
	struct id sources[2] = {id_digest(span_of("a")), id_digest(span_of("b"))}, message = id_digest(span_of("m")),
		  found[2];
	struct unit *unit = unit_new(queue);
	enum seen seen[2];

	unit_seen(unit, &sources[0], &message, INT64_MAX);
	assert_int_equal(unit_commit_wait(unit, &bed_error), 0);
	assert_int_equal(queue_seen(queue, sources, 2, seen, found, &bed_error), 0);
	assert_int_equal(seen[0], SEEN_BEFORE);
	assert_true(id_equal(&found[0], &message));
	assert_int_equal(seen[1], SEEN_NEW);
	queue_close(queue);
	bed_free(bed);
}

/* ---- suspects */
static void killer(struct bed *bed, int *count)
{
	struct queue *queue = bed_connect(bed, "transform");
	struct delivery *delivery;

	queue_credit(queue, "in.a", 4, MIB);
	for (*count = 0; (delivery = bed_take(queue, 1000));) {
		++*count;
		if (bed_is(delivery, "poison")) /* dies with it in hand */
			_exit(delivery->suspect ? 2 : 1);
		bed_settle(queue, delivery);
	}
	_exit(0);
}

static void poison_is_dead_after_its_third_death_alone_and_the_rest_goes_on(void **state)
{
	struct bed *bed = bed_new();
	struct queue *supervisor = bed_connect(bed, "supervisor");
	struct id id = id_digest(span_of("poison"));
	int deaths = 0, alone = 0;

	bed_publish(supervisor, NULL, "in.a", "good1", 10);
	bed_publish(supervisor, NULL, "in.a", "poison", 10);
	bed_publish(supervisor, NULL, "in.a", "good2", 10);
	bed_publish(supervisor, NULL, "in.a", "good3", 10);
	for (int round = 0; round < 8; round++) {
		int status, count;
		pid_t child = fork();

		if (child == 0)
			killer(bed, &count);
		waitpid(child, &status, 0);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 0)
			break;
		deaths++;
		alone += WEXITSTATUS(status) == 2;
		queue_suspect(supervisor, &id, "signal 11");
		assert_int_equal(queue_wait(supervisor, 0, &bed_error), 0);
	}
	assert_int_equal(deaths, 4);
	assert_int_equal(alone, 3);
	assert_int_equal(counter(supervisor, "dead"), 1);
	assert_dead_is_recorded(supervisor, "poison", "\"poison\"");
	assert_int_equal(number_of(supervisor, "idle", "ready"), 0);
	queue_close(supervisor);
	bed_free(bed);
}

static void on_want(void *arg, const char *worker)
{
	snprintf(arg, 64, "%s", worker);
}

static void the_supervisor_hears_of_work_that_nobody_takes(void **state)
{
	struct bed *bed = bed_new();
	struct queue *supervisor = bed_connect(bed, "supervisor");
	char wanted[64] = "";

	queue_on_want(supervisor, on_want, wanted);
	bed_publish(supervisor, NULL, "out.y", "one", 10);
	for (int i = 0; i < 20 && !*wanted; i++)
		queue_wait(supervisor, 200, &bed_error);
	assert_string_equal(wanted, "sink:y");
	queue_close(supervisor);
	bed_free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parked_message_comes_again_when_it_is_due),
		cmocka_unit_test(a_park_survives_a_kill),
		cmocka_unit_test(of_one_order_key_one_message_is_in_flight),
		cmocka_unit_test(later_messages_of_a_parked_key_wait_behind_it),
		cmocka_unit_test(order_is_kept_across_a_kill),
		cmocka_unit_test(a_dead_letter_holds_its_key_where_the_flow_says_so),
		cmocka_unit_test(a_held_endpoint_gets_nothing_until_it_is_released),
		cmocka_unit_test(a_message_that_no_queue_takes_is_a_dead_letter_of_its_unit),
		cmocka_unit_test(replaying_an_unroutable_message_publishes_to_its_topic),
		cmocka_unit_test(a_queue_that_is_no_longer_named_is_emptied_all_the_same),
		cmocka_unit_test(a_message_that_is_full_to_the_brim_can_be_parked),
		cmocka_unit_test(a_commit_waits_no_longer_than_asked_for),
		cmocka_unit_test(an_effect_is_intended_once_and_its_receipt_is_found),
		cmocka_unit_test(a_dead_sessions_intent_is_doubt),
		cmocka_unit_test(an_intent_of_before_a_kill_is_doubt_and_a_receipt_is_not),
		cmocka_unit_test(source_identities_are_remembered),
		cmocka_unit_test(poison_is_dead_after_its_third_death_alone_and_the_rest_goes_on),
		cmocka_unit_test(the_supervisor_hears_of_work_that_nobody_takes),
	};

	return cmocka_run_group_tests_name("rules of the queue process", tests, NULL, NULL);
}
