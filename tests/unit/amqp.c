/* The books of what is under way with RabbitMQ, the headers of messages, and the steps of a topology. */
#include "config.h"
#include "tests/support/support.h"

#include <stdlib.h>

#include "base/mem.h"
#include "broker-adapters/queues/amqp_header.h"
#include "broker-adapters/queues/amqp_plan.h"
#include "broker-adapters/queues/amqp_window.h"

struct seen {
	struct window *window;
	uint64_t tokens[64];
	size_t count;
	bool refill; /* a callback that publishes again, as the engine does */
};

static const struct id no_key;

static void on_token(void *arg, uint64_t token)
{
	struct seen *seen = arg;

	seen->tokens[seen->count++] = token;
	if (seen->refill && seen->count < 20 && !window_full(seen->window))
		window_put(seen->window, 1000 + token, &no_key);
}

static void every_publish_is_answered_once_in_any_order(void **state)
{
	struct seen seen = {.window = window_new(8)};

	for (uint64_t i = 0; i < 8; i++)
		window_put(seen.window, i, &no_key);
	assert_true(window_full(seen.window));
	window_answer(seen.window, 3, false, on_token, &seen);
	assert_true(window_full(seen.window)); /* the oldest holds the place */
	window_answer(seen.window, 3, false, on_token, &seen);
	assert_int_equal(seen.count, 1);
	window_answer(seen.window, 5, true, on_token, &seen);
	assert_int_equal(seen.count, 5);
	assert_int_equal(seen.tokens[0], 2);
	assert_int_equal(seen.tokens[1], 0);
	assert_int_equal(seen.tokens[4], 4);
	assert_int_equal(window_open(seen.window), 3);
	window_answer(seen.window, 99, true, on_token, &seen); /* the broker's mistake */
	window_answer(seen.window, 2, true, on_token, &seen);
	assert_int_equal(seen.count, 5);
	window_answer(seen.window, 0, true, on_token, &seen); /* all so far */
	assert_int_equal(seen.count, 8);
	window_free(seen.window);
}

static void a_returned_publish_is_not_answered_again_by_its_ack(void **state)
{
	struct span id = SPAN_LITERAL("m1"), exchange = SPAN_LITERAL(""), a = SPAN_LITERAL("q.a"),
		    b = SPAN_LITERAL("q.b");
	struct id to_a = window_key(id, exchange, a), to_b = window_key(id, exchange, b);
	struct seen seen = {.window = window_new(8)};
	uint64_t token;

	window_put(seen.window, 10, &to_a);
	window_put(seen.window, 11, &to_b);
	window_put(seen.window, 12, &to_b);
	assert_true(window_return(seen.window, &to_b, &token));
	assert_int_equal(token, 11);
	assert_true(window_return(seen.window, &to_b, &token));
	assert_int_equal(token, 12);
	assert_false(window_return(seen.window, &to_b, &token));
	window_answer(seen.window, 3, true, on_token, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.tokens[0], 10);
	assert_int_equal(window_open(seen.window), 0);
	window_free(seen.window);
}

static void a_callback_may_publish(void **state)
{
	struct seen seen = {.window = window_new(4), .refill = true};

	for (uint64_t i = 0; i < 4; i++)
		window_put(seen.window, i, &no_key);
	window_answer(seen.window, 4, true, on_token, &seen);
	assert_int_equal(seen.count, 4);
	assert_int_equal(window_open(seen.window), 4);
	seen.refill = false;
	window_fail(seen.window, on_token, &seen);
	assert_int_equal(seen.count, 8);
	assert_int_equal(seen.tokens[4], 1000);
	assert_int_equal(window_open(seen.window), 0);
	window_put(seen.window, 7, &no_key); /* a new channel counts from 1 */
	window_answer(seen.window, 1, false, on_token, &seen);
	assert_int_equal(seen.tokens[8], 7);
	window_free(seen.window);
}

struct acks {
	uint64_t upto[16];
	bool multiple[16];
	size_t count;
};

static int on_ack(void *arg, uint64_t delivery, bool multiple)
{
	struct acks *acks = arg;

	acks->upto[acks->count] = delivery;
	acks->multiple[acks->count++] = multiple;
	return 0;
}

static void acknowledgements_are_grouped_up_to_the_oldest_unsettled(void **state)
{
	struct ledger *ledger = ledger_new();
	struct acks acks = {.count = 0};
	uint64_t tags[10], delivery;
	uint32_t line;

	for (uint64_t i = 0; i < 10; i++)
		tags[i] = ledger_add(ledger, i + 1, (uint32_t)i % 3);
	assert_true(ledger_find(ledger, tags[4], &delivery, &line));
	assert_int_equal(delivery, 5);
	assert_int_equal(line, 1);
	assert_true(ledger_settle(ledger, tags[2]));
	assert_true(ledger_settle(ledger, tags[0]));
	assert_true(ledger_settle(ledger, tags[1]));
	assert_false(ledger_settle(ledger, tags[1]));
	assert_true(ledger_settle(ledger, tags[6]));
	assert_false(ledger_find(ledger, tags[6], &delivery, &line));
	ledger_flush(ledger, on_ack, &acks);
	assert_int_equal(acks.count, 2);
	assert_int_equal(acks.upto[0], 3);
	assert_true(acks.multiple[0]);
	assert_int_equal(acks.upto[1], 7);
	assert_false(acks.multiple[1]);
	assert_false(ledger_unflushed(ledger));
	/* What was given back is not between us and a group. */
	assert_true(ledger_drop(ledger, tags[3]));
	assert_true(ledger_settle(ledger, tags[4]));
	assert_true(ledger_settle(ledger, tags[5]));
	acks.count = 0;
	ledger_flush(ledger, on_ack, &acks);
	assert_int_equal(acks.count, 1);
	assert_int_equal(acks.upto[0], 6);
	assert_true(acks.multiple[0]);
	ledger_free(ledger);
}

static void tags_of_a_lost_connection_are_void(void **state)
{
	struct ledger *ledger = ledger_new();
	struct acks acks = {.count = 0};
	uint64_t old = ledger_add(ledger, 1, 0), new, delivery;
	uint32_t line;

	ledger_clear(ledger);
	assert_false(ledger_find(ledger, old, &delivery, &line));
	new = ledger_add(ledger, 1, 0);
	assert_true(old != new);
	assert_false(ledger_settle(ledger, old));
	assert_false(ledger_drop(ledger, old));
	assert_false(ledger_find(ledger, 0, &delivery, &line));
	ledger_flush(ledger, on_ack, &acks);
	assert_int_equal(acks.count, 0);
	ledger_free(ledger);
}

static struct span header_of(const struct wire_message *message, const char *name)
{
	for (size_t i = 0; i < message->headers_count; i++)
		if (span_is(message->headers[i].name, name))
			return message->headers[i].value;
	return SPAN_NONE;
}

static void an_envelope_comes_back_as_it_went_out(void **state)
{
	struct message *message = message_new();
	struct span content = SPAN_LITERAL("x"), envelope, body;
	struct wire_message out;
	struct header_text text;
	struct buf encoded, made, data;
	struct id id = id_digest(content);

	message->id = id;
	message->time_ms = 1769860800000;
	message_set(message, &message->type, SPAN_LITERAL("order.received.v1"));
	message_set(message, &message->source, SPAN_LITERAL("//acme"));
	message_set(message, &message->correlationid, SPAN_LITERAL("c0ffee"));
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	buf_init(&encoded, MESSAGE_ENVELOPE_MAX);
	buf_init(&made, MESSAGE_ENVELOPE_MAX);
	buf_init(&data, 1000);
	assert_int_equal(message_encode(message, &encoded, NULL), 0);
	header_from_publication(&(struct publication){.topic = "order.received.v1",
						      .envelope = buf_view(&encoded),
						      .body = content,
						      .message_id = id_span(&id)},
				&out, &text);
	assert_int_equal(out.message_id.len, 64);
	assert_true(span_is(out.type, "order.received.v1"));
	assert_true(span_is(out.correlation_id, "c0ffee"));
	assert_true(span_is(out.content_type, "application/json"));
	assert_int_equal(out.timestamp, 1769860800);
	assert_true(span_is(header_of(&out, "ce-source"), "//acme"));
	assert_true(span_is(header_of(&out, "ce-time"), "2026-01-31T12:00:00.000Z"));
	assert_true(span_is(header_of(&out, "ce-specversion"), "1.0"));
	assert_int_equal(header_to_envelope(&out, "in.a", false, &made, &data, &envelope, &body, NULL), 0);
	assert_true(span_equal(envelope, buf_view(&encoded)));
	assert_true(span_equal(body, content));
	header_text_free(&text);
	/* Into a queue of ours: nobody else reads there, and headers cost the broker time. */
	header_from_publication(&(struct publication){.queue = "out.erp",
						      .envelope = buf_view(&encoded),
						      .body = content,
						      .message_id = id_span(&id)},
				&out, &text);
	assert_true(span_is(out.type, "order.received.v1"));
	assert_int_equal(out.headers_count, 1);
	header_text_free(&text);
	message_free(message);
	buf_free(&encoded);
	buf_free(&made);
	buf_free(&data);
}

static void the_same_foreign_message_has_the_same_id_and_another_has_not(void **state)
{
	struct wire_message in = {.message_id = SPAN_LITERAL("1"), .body = SPAN_LITERAL("one")};
	struct wire_message other = {.body = SPAN_LITERAL("one")}, third = {.body = SPAN_LITERAL("two")};
	const struct wire_message *all[] = {&in, &in, &other, &other, &third};
	struct id ids[5];
	struct span envelope, body;

	for (size_t i = 0; i < 5; i++) {
		struct message *message;
		struct buf made, data;

		buf_init(&made, MESSAGE_ENVELOPE_MAX);
		buf_init(&data, 1000);
		assert_int_equal(header_to_envelope(all[i], "in.a", false, &made, &data, &envelope, &body, NULL), 0);
		message = message_decode_new(envelope, NULL);
		ids[i] = message->id;
		message_free(message);
		buf_free(&made);
		buf_free(&data);
	}
	assert_true(id_equal(&ids[0], &ids[1]));
	assert_true(id_equal(&ids[2], &ids[3]));
	assert_false(id_equal(&ids[0], &ids[2]));
	assert_false(id_equal(&ids[2], &ids[4]));
}

static void a_foreign_message_with_headers_too_long_is_rejected(void **state)
{
	char *long_text = mem_alloc(20000);
	struct wire_message in = {.headers_count = 1,
				  .headers = {{SPAN_LITERAL("ce-subject"), {long_text, 20000}, false}}};
	struct span envelope, body;
	struct buf made, data;
	struct error error;

	memset(long_text, 'x', 20000);
	buf_init(&made, MESSAGE_ENVELOPE_MAX);
	buf_init(&data, 1000);
	assert_int_equal(header_to_envelope(&in, "in.a", false, &made, &data, &envelope, &body, &error), -1);
	assert_int_equal(error.class, ERROR_REJECT);
	free(long_text);
	buf_free(&made);
	buf_free(&data);
}

static void a_name_too_long_for_amqp_is_refused(void **state)
{
	struct topology *topology = topology_new();
	struct error error = {0};
	struct plan plan;
	char name[300];

	memset(name, 'q', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	topology_add(topology, name);
	plan_init(&plan, "x", "p.");
	assert_int_equal(plan_take(&plan, topology, &error), -1);
	assert_string_equal(error.code, "broker.name");
	assert_int_equal(error.class, ERROR_FATAL);
	plan_free(&plan);
	topology_free(topology);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_publish_is_answered_once_in_any_order),
		cmocka_unit_test(a_returned_publish_is_not_answered_again_by_its_ack),
		cmocka_unit_test(a_callback_may_publish),
		cmocka_unit_test(acknowledgements_are_grouped_up_to_the_oldest_unsettled),
		cmocka_unit_test(tags_of_a_lost_connection_are_void),
		cmocka_unit_test(an_envelope_comes_back_as_it_went_out),
		cmocka_unit_test(the_same_foreign_message_has_the_same_id_and_another_has_not),
		cmocka_unit_test(a_foreign_message_with_headers_too_long_is_rejected),
		cmocka_unit_test(a_name_too_long_for_amqp_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
