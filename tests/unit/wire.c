/* Frames, records and sockets between workers and the queue process: nothing in a frame is believed. */
#include "config.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"

static void frames_are_read_one_after_the_other(void **state)
{
	struct span in, payload;
	uint8_t type;
	struct buf buf;
	size_t at;

	buf_init(&buf, 1000);
	at = wire_begin(&buf, FRAME_HELLO);
	buf_text(&buf, "hello");
	assert_true(wire_end(&buf, at));
	at = wire_begin(&buf, FRAME_BYE);
	assert_true(wire_end(&buf, at));
	for (size_t len = 0; len < 10; len++) { /* not whole yet */
		in = span_make(buf.data, len);
		assert_int_equal(wire_next(&in, &type, &payload), 0);
		assert_int_equal(in.len, len);
	}
	in = buf_view(&buf);
	assert_int_equal(wire_next(&in, &type, &payload), 1);
	assert_int_equal(type, FRAME_HELLO);
	assert_true(span_is(payload, "hello"));
	assert_int_equal(wire_next(&in, &type, &payload), 1);
	assert_int_equal(type, FRAME_BYE);
	assert_int_equal(payload.len, 0);
	assert_int_equal(in.len, 0);
	buf_free(&buf);
}

static void a_frame_that_does_not_fit_is_taken_out_again(void **state)
{
	struct buf buf;
	size_t at;

	buf_init(&buf, 30);
	at = wire_begin(&buf, FRAME_BYE);
	assert_true(wire_end(&buf, at));
	at = wire_begin(&buf, FRAME_HELLO);
	buf_text(&buf, "a text that has no place here");
	assert_false(wire_end(&buf, at));
	assert_int_equal(buf.len, 5);
	at = wire_begin(&buf, FRAME_HELLO);
	buf_text(&buf, "short");
	assert_true(wire_end(&buf, at));
	buf_free(&buf);
}

static void a_length_past_the_limit_is_no_frame(void **state)
{
	struct span in = span_make("\xff\xff\xff\x7f\1", 5), payload;
	uint8_t type;

	assert_int_equal(wire_next(&in, &type, &payload), -1);
}

static void errors_go_there_and_back_and_come_out_as_clean_text(void **state)
{
	struct error error = {0}, back;
	struct buf buf;
	struct span in;

	buf_init(&buf, 5000);
	wire_put_error(&buf, NULL);
	error_set(&error, ERROR_DOUBT, "http.timeout", "no answer");
	error.scope = SCOPE_ENDPOINT;
	error.retry_after_ms = 5000;
	wire_put_error(&buf, &error);
	memcpy(error.text, "a\nb\xff", 5); /* what a worker that was taken over might send */
	memcpy(error.code, "x\n\xff", 4);
	wire_put_error(&buf, &error);
	in = buf_view(&buf);
	assert_true(wire_take_error(&in, &back));
	assert_int_equal(back.class, ERROR_NONE);
	assert_true(wire_take_error(&in, &back));
	assert_int_equal(back.class, ERROR_DOUBT);
	assert_int_equal(back.scope, SCOPE_ENDPOINT);
	assert_int_equal(back.retry_after_ms, 5000);
	assert_string_equal(back.code, "http.timeout");
	assert_string_equal(back.text, "no answer");
	assert_true(wire_take_error(&in, &back));
	assert_string_equal(back.text, "a b");
	assert_string_equal(back.code, "x??");
	in = SPAN_LITERAL("\7");
	assert_false(wire_take_error(&in, &back));
	in = SPAN_LITERAL("\1\7");
	assert_false(wire_take_error(&in, &back));
	buf_free(&buf);
}

static void encode_records(struct buf *buf)
{
	struct message *m = message_new();
	struct record record = {.message = m, .stage = "delivered", .place = "erp", .attempt = 2,
				.detail = SPAN_LITERAL("{\"status\":200}")};

	m->id = id_digest(SPAN_LITERAL("m"));
	m->origin.offset = 7;
	message_set(m, &m->flow, SPAN_LITERAL("orders"));
	message_key(m, SPAN_LITERAL(".number"), SPAN_LITERAL("PO-1"), NULL);
	record_encode(buf, &record, 1790000000000);
	record.stage = "recognised";
	record_encode(buf, &record, 1790000000001);
	message_free(m);
}

static void records_are_read_one_after_the_other(void **state)
{
	struct record_view view;
	struct buf buf;
	struct span in;

	buf_init(&buf, 5000);
	encode_records(&buf);
	in = buf_view(&buf);
	assert_true(record_decode(&in, &view));
	assert_true(span_is(view.stage, "delivered") && span_is(view.place, "erp") && span_is(view.flow, "orders"));
	assert_true(span_is(view.detail, "{\"status\":200}"));
	assert_int_equal(view.attempt, 2);
	assert_int_equal(view.origin_offset, 7);
	assert_int_equal(view.time_ms, 1790000000000);
	assert_int_equal(view.keys_count, 1);
	assert_true(span_is(view.keys[0].value, "PO-1"));
	assert_true(record_decode(&in, &view));
	assert_true(span_is(view.stage, "recognised"));
	assert_false(record_decode(&in, &view));
	buf_free(&buf);
}

static void damaged_records_and_frames_never_hurt(void **state)
{
	unsigned random = 99;
	struct buf buf;

	buf_init(&buf, 5000);
	encode_records(&buf);
	for (unsigned i = 0; i < 10000; i++) {
		size_t len = i < buf.len ? i : buf.len;
		char *copy = malloc(len + 1);
		struct record_view view;
		struct error error;
		struct span in = span_make(copy, len), payload;
		uint8_t type;

		memcpy(copy, buf.data, len);
		for (unsigned n = 0; i >= buf.len && n < 3; n++) {
			random = random * 1103515245u + 12345u;
			copy[(random >> 8) % len] = (char)(random >> 24);
		}
		for (unsigned n = 0; n < 3 && record_decode(&in, &view); n++)
			assert_true(view.keys_count <= MESSAGE_KEYS_MAX);
		in = span_make(copy, len);
		wire_take_error(&in, &error);
		in = span_make(copy, len);
		while (wire_next(&in, &type, &payload) == 1)
			;
		free(copy);
	}
	buf_free(&buf);
}

static void a_large_frame_passes_through_a_socket_in_pieces(void **state)
{
	struct channel a, b;
	struct span payload;
	uint8_t type = 0;
	int ends[2], got = 0;
	size_t at;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	channel_init(&a, ends[0], 4u << 20);
	channel_init(&b, ends[1], 4u << 20);
	at = wire_begin(&a.out, FRAME_PUBLISH);
	memset(buf_room(&a.out, WIRE_FRAME_MAX), 'x', WIRE_FRAME_MAX);
	buf_added(&a.out, WIRE_FRAME_MAX);
	assert_true(wire_end(&a.out, at));
	for (int i = 0; i < 10000 && !got; i++) {
		assert_int_equal(channel_write(&a), 0);
		assert_true(channel_read(&b, 100000) >= 0);
		got = channel_next(&b, &type, &payload);
	}
	assert_int_equal(got, 1);
	assert_int_equal(type, FRAME_PUBLISH);
	assert_int_equal(payload.len, WIRE_FRAME_MAX);
	assert_int_equal(channel_unsent(&a), 0);
	assert_int_equal(channel_read(&b, 100), 0);
	channel_close(&a);
	assert_int_equal(channel_read(&b, 100), -1);
	channel_close(&b);
}

static void sockets_are_reached_by_paths_of_any_length_and_only_by_their_owner(void **state)
{
	char *directory = support_tmpdir(), *path = NULL, longer[400];
	struct error error = {0};
	struct stat status;
	int listener, client;

	for (size_t length = 0; length < 200; length += 150) {
		memset(longer, 'd', sizeof longer);
		longer[length] = '\0';
		path = support_path(directory, longer);
		mkdir(path, 0700);
		strcat(longer, "/queue.socket");
		free(path);
		path = support_path(directory, longer);
		for (int round = 0; round < 2; round++) { /* a socket that was left behind is replaced */
			listener = wire_listen(path, &error);
			if (listener < 0)
				fail_msg("%s", error.text);
			assert_int_equal(stat(path, &status), 0);
			assert_int_equal(status.st_mode & 0777, 0600);
			client = wire_connect(path, &error);
			assert_true(client >= 0);
			close(client);
			close(listener);
		}
		assert_int_equal(wire_connect(path, &error), -1);
		assert_int_equal(error.class, ERROR_RETRY);
		assert_string_equal(error.code, "queue.socket");
		free(path);
	}
	support_rmtree(directory);
	free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_read_one_after_the_other),
		cmocka_unit_test(a_frame_that_does_not_fit_is_taken_out_again),
		cmocka_unit_test(a_length_past_the_limit_is_no_frame),
		cmocka_unit_test(errors_go_there_and_back_and_come_out_as_clean_text),
		cmocka_unit_test(records_are_read_one_after_the_other),
		cmocka_unit_test(damaged_records_and_frames_never_hurt),
		cmocka_unit_test(a_large_frame_passes_through_a_socket_in_pieces),
		cmocka_unit_test(sockets_are_reached_by_paths_of_any_length_and_only_by_their_owner),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
