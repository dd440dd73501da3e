/* Messages: envelopes there and back, their limits, and what damage does. */
#include "config.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/message.h"

static struct message *full_message(void)
{
	struct message *m = message_new();
	struct span *texts[] = {&m->source, &m->type, &m->subject, &m->datacontenttype, &m->dataschema,
				&m->correlationid,
				&m->traceparent, &m->flow, &m->revision, &m->path, &m->position, &m->part, &m->group,
				&m->origin.name, &m->origin.ref, &m->body_ref};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[20];

		snprintf(text, sizeof text, "text %zu", i);
		message_set(m, texts[i], span_of(text));
	}
	m->id = id_digest(SPAN_LITERAL("id"));
	m->causation = id_digest(SPAN_LITERAL("causation"));
	m->origin.digest = id_digest(SPAN_LITERAL("origin"));
	m->body_digest = id_digest(SPAN_LITERAL("body"));
	m->time_ms = 1700000000000;
	m->generation = 1;
	m->flags = MESSAGE_REPLAY;
	m->group_index = 3;
	m->group_size = 9;
	m->accepted_ms = 1;
	m->expires_ms = INT64_MAX;
	m->attempt = 4;
	m->first_failed_ms = -5;
	m->origin.offset = 1ull << 40;
	m->origin.length = 77;
	m->body_size = UINT64_MAX;
	message_key(m, SPAN_LITERAL(".number"), SPAN_LITERAL("PO-4711"), NULL);
	message_key(m, SPAN_LITERAL(".empty"), SPAN_NONE, NULL);
	message_attr(m, SPAN_LITERAL("path"), SPAN_LITERAL("in/4711.xml"), NULL);
	message_attr(m, SPAN_LITERAL("header.X"), span_make("a\0b", 3), NULL);
	message_order(m, SPAN_LITERAL("orders-to-erp"), UINT64_MAX);
	return m;
}

static void assert_same(const struct message *a, const struct message *b)
{
	struct buf one, two;

	buf_init(&one, MESSAGE_ENVELOPE_MAX);
	buf_init(&two, MESSAGE_ENVELOPE_MAX);
	assert_int_equal(message_encode(a, &one, NULL), 0);
	assert_int_equal(message_encode(b, &two, NULL), 0);
	assert_true(span_equal(buf_view(&one), buf_view(&two)));
	buf_free(&one);
	buf_free(&two);
}

static void an_envelope_goes_there_and_back(void **state)
{
	struct message *m = full_message(), *back;
	struct error error = {0};
	struct buf buf;

	buf_init(&buf, 100000);
	assert_int_equal(message_encode(m, &buf, &error), 0);
	back = message_decode_new(buf_view(&buf), &error);
	assert_non_null(back);
	buf_free(&buf); /* the message keeps nothing of it */
	assert_true(id_equal(&back->id, &m->id) && id_equal(&back->causation, &m->causation));
	assert_true(id_equal(&back->origin.digest, &m->origin.digest) && id_equal(&back->body_digest, &m->body_digest));
	assert_true(span_is(back->source, "text 0") && span_is(back->traceparent, "text 6"));
	assert_true(span_is(back->origin.ref, "text 14") && span_is(back->body_ref, "text 15"));
	assert_true(back->time_ms == m->time_ms && back->expires_ms == INT64_MAX && back->first_failed_ms == -5);
	assert_true(back->body_size == UINT64_MAX && back->origin.offset == 1ull << 40 && back->origin.length == 77);
	assert_int_equal(back->generation, 1);
	assert_int_equal(back->flags, MESSAGE_REPLAY);
	assert_int_equal(back->group_index, 3);
	assert_int_equal(back->group_size, 9);
	assert_int_equal(back->attempt, 4);
	assert_int_equal(back->keys_count, 2);
	assert_true(span_is(back->keys[0].name, ".number") && span_is(back->keys[0].value, "PO-4711"));
	assert_int_equal(back->keys[1].value.len, 0);
	assert_true(span_is(message_attr_find(back, "path"), "in/4711.xml"));
	assert_int_equal(message_attr_find(back, "header.X").len, 3);
	assert_int_equal(message_attr_find(back, "nothing").len, 0);
	assert_true(message_order_find(back, SPAN_LITERAL("orders-to-erp")) == UINT64_MAX);
	assert_true(message_order_find(back, SPAN_LITERAL("other")) == 0);
	assert_null(back->body);
	assert_same(m, back);
	message_free(back);
	message_free(m);
	message_free(NULL);
}

static void a_copy_has_every_field_and_the_same_body(void **state)
{
	struct message *m = full_message(), *copy;
	struct span view;

	message_body_take(m, reader_new_copy(SPAN_LITERAL("body")));
	assert_int_equal(m->body_size, 4);
	assert_int_equal(m->body_ref.len, 0);
	assert_true(id_is_none(&m->body_digest));
	assert_int_equal(message_body_sign(m, NULL), 0);
	copy = message_copy(m);
	assert_same(m, copy);
	message_free(m);
	assert_int_equal(reader_view(copy->body, &view, NULL), 0);
	assert_true(span_is(view, "body"));
	message_free(copy);
}

static void an_empty_message_is_small(void **state)
{
	struct message *m = message_new(), *back;
	struct buf buf;

	buf_init(&buf, 100);
	assert_int_equal(message_encode(m, &buf, NULL), 0);
	assert_int_equal(buf.len, 1);
	back = message_decode_new(buf_view(&buf), NULL);
	assert_same(m, back);
	message_free(back);
	message_free(m);
	buf_free(&buf);
}

static void keys_headers_and_orders_have_limits_and_no_doubles(void **state)
{
	struct message *m = message_new();
	struct error error = {0};
	char name[20], value[300];

	memset(value, 'x', sizeof value);
	memcpy(value + MESSAGE_KEY_MAX - 1, "\xc3\xa4", 2); /* must not be cut in two */
	for (int i = 0; i < MESSAGE_KEYS_MAX; i++) {
		snprintf(name, sizeof name, ".k%d", i);
		assert_int_equal(message_key(m, span_of(name), span_make(value, sizeof value), &error), 0);
		assert_int_equal(message_key(m, span_of(name), span_make(value, sizeof value), &error), 0);
	}
	assert_int_equal(m->keys_count, MESSAGE_KEYS_MAX);
	assert_int_equal(m->keys[0].value.len, MESSAGE_KEY_MAX - 1);
	assert_int_equal(message_key(m, SPAN_LITERAL(".more"), SPAN_LITERAL("x"), &error), -1);
	assert_string_equal(error.code, "message.keys");
	for (int i = 0; i < MESSAGE_ATTRS_MAX; i++) {
		snprintf(name, sizeof name, "a%d", i);
		assert_int_equal(message_attr(m, span_of(name), SPAN_LITERAL("1"), &error), 0);
		assert_int_equal(message_attr(m, span_of(name), SPAN_LITERAL("2"), &error), 0);
	}
	assert_true(span_is(message_attr_find(m, "a7"), "2"));
	assert_int_equal(message_attr(m, SPAN_LITERAL("more"), SPAN_LITERAL("1"), &error), -1);
	assert_string_equal(error.code, "message.attributes");
	message_order(m, SPAN_LITERAL("f"), 1);
	message_order(m, SPAN_LITERAL("f"), 2);
	assert_int_equal(m->orders_count, 1);
	assert_true(message_order_find(m, SPAN_LITERAL("f")) == 2);
	message_free(m);
}

static void an_envelope_past_its_limit_is_rejected_and_leaves_the_buffer_as_it_was(void **state)
{
	struct message *m = message_new();
	struct error error = {0};
	char *large = calloc(1, MESSAGE_ENVELOPE_MAX + 1);
	struct buf buf;

	memset(large, 'x', MESSAGE_ENVELOPE_MAX);
	message_set(m, &m->subject, span_of(large));
	buf_init(&buf, 1000000);
	buf_text(&buf, "before");
	assert_int_equal(message_encode(m, &buf, &error), -1);
	assert_string_equal(error.code, "envelope.too-large");
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(span_is(buf_view(&buf), "before") ? "same" : "changed", "same");
	message_set(m, &m->subject, span_make(large, MESSAGE_ENVELOPE_MAX - 6));
	assert_int_equal(message_encode(m, &buf, &error), 0);
	assert_int_equal(buf.len - 6, MESSAGE_ENVELOPE_MAX);
	buf_free(&buf);
	buf_init(&buf, 1000000);
	buf_u8(&buf, 1);
	while (buf.len <= MESSAGE_ENVELOPE_MAX) {
		buf_u8(&buf, 200);
		buf_field(&buf, SPAN_LITERAL("unknown"));
	}
	assert_null(message_decode_new(buf_view(&buf), &error));
	buf_free(&buf);
	message_free(m);
	free(large);
}

static void fields_of_a_later_version_are_skipped(void **state)
{
	struct message *m = full_message(), *back;
	struct buf buf;

	buf_init(&buf, MESSAGE_ENVELOPE_MAX);
	message_encode(m, &buf, NULL);
	buf_u8(&buf, 63);
	buf_field(&buf, SPAN_LITERAL("what comes next year"));
	buf_u8(&buf, 255);
	buf_field(&buf, SPAN_NONE);
	back = message_decode_new(buf_view(&buf), NULL);
	assert_non_null(back);
	assert_same(m, back);
	message_free(back);
	message_free(m);
	buf_free(&buf);
}

static void an_envelope_of_another_version_is_unreadable(void **state)
{
	struct error error = {0};

	assert_null(message_decode_new(span_make("\2", 1), &error));
	assert_string_equal(error.code, "envelope.unreadable");
	assert_int_equal(error.class, ERROR_REJECT);
	assert_null(message_decode_new(SPAN_NONE, &error));
}

static void numbers_and_ids_of_the_wrong_length_are_unreadable(void **state)
{
	static const struct { const char *bytes; size_t len; } bad[] = {
		{"\1\7\4\0\0\0abcd", 10}, {"\1\20\10\0\0\0abcdefgh", 14}, {"\1\1\3\0\0\0abc", 9},
			{"\1\100\2\0\0\0ab", 8},
		{"\1\102\5\0\0\0\1\0\0\0f", 11}, {"\1\2\377\377\377\377a", 7},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(message_decode_new(span_make(bad[i].bytes, bad[i].len), NULL));
}

static void a_second_id_is_unreadable_to_whoever_looks(void **state)
{
	struct message *m = full_message();
	struct id id;
	uint64_t key;
	struct buf buf;

	buf_init(&buf, MESSAGE_ENVELOPE_MAX);
	message_encode(m, &buf, NULL);
	buf_u8(&buf, 1);
	buf_field(&buf, SPAN_LITERAL("another id, of thirty-two bytes!"));
	assert_null(message_decode_new(buf_view(&buf), NULL));
	assert_false(message_peek(buf_view(&buf), SPAN_LITERAL("flow"), &id, &key));
	buf_free(&buf);
	message_free(m);
}

static void a_look_at_the_envelope_tells_id_and_order_key(void **state)
{
	struct message *m = full_message();
	struct id id;
	uint64_t key;
	struct buf buf;

	buf_init(&buf, MESSAGE_ENVELOPE_MAX);
	message_order(m, SPAN_LITERAL("other"), 7);
	message_encode(m, &buf, NULL);
	assert_true(message_peek(buf_view(&buf), SPAN_LITERAL("other"), &id, &key));
	assert_true(id_equal(&id, &m->id));
	assert_true(key == 7);
	assert_true(message_peek(buf_view(&buf), SPAN_LITERAL("nobody"), &id, &key));
	assert_true(key == 0);
	assert_true(message_peek(buf_view(&buf), SPAN_NONE, &id, &key));
	assert_true(id_equal(&id, &m->id));
	assert_false(message_peek(SPAN_NONE, SPAN_NONE, &id, &key));
	assert_false(message_peek(SPAN_LITERAL("\1"), SPAN_NONE, &id, &key));
	buf_free(&buf);
	message_free(m);
}

/* Cut and changed everywhere: it is refused, or it is a message that can be encoded again. */
static void damaged_envelopes_never_hurt(void **state)
{
	struct message *m = full_message();
	unsigned random = 4711;
	struct buf buf, again;

	buf_init(&buf, MESSAGE_ENVELOPE_MAX);
	buf_init(&again, MESSAGE_ENVELOPE_MAX * 2);
	message_encode(m, &buf, NULL);
	for (unsigned i = 0; i < 20000; i++) {
		size_t len = i <= buf.len ? i : buf.len;
		char *copy = malloc(len + 1); /* exactly as long, so that reading past it shows under the sanitizer */
		struct message *back;
		struct id id;
		uint64_t key;

		memcpy(copy, buf.data, len);
		for (unsigned n = 0; i > buf.len && n < 1 + i % 4; n++) {
			random = random * 1103515245u + 12345u;
			copy[(random >> 8) % len] = (char)(random >> 24);
		}
		message_peek(span_make(copy, len), SPAN_LITERAL("orders-to-erp"), &id, &key);
		back = message_decode_new(span_make(copy, len), NULL);
		if (back) {
			struct message *twin = message_copy(back);

			buf_reset(&again);
			message_encode(twin, &again, NULL);
			message_free(twin);
		}
		message_free(back);
		free(copy);
	}
	buf_free(&buf);
	buf_free(&again);
	message_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_envelope_goes_there_and_back),
		cmocka_unit_test(a_copy_has_every_field_and_the_same_body),
		cmocka_unit_test(an_empty_message_is_small),
		cmocka_unit_test(keys_headers_and_orders_have_limits_and_no_doubles),
		cmocka_unit_test(an_envelope_past_its_limit_is_rejected_and_leaves_the_buffer_as_it_was),
		cmocka_unit_test(fields_of_a_later_version_are_skipped),
		cmocka_unit_test(an_envelope_of_another_version_is_unreadable),
		cmocka_unit_test(numbers_and_ids_of_the_wrong_length_are_unreadable),
		cmocka_unit_test(a_second_id_is_unreadable_to_whoever_looks),
		cmocka_unit_test(a_look_at_the_envelope_tells_id_and_order_key),
		cmocka_unit_test(damaged_envelopes_never_hurt),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
