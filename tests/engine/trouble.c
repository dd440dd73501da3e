/* What must not hurt the queue process: hostile clients, units with nonsense in them, a full disk. */
#include "config.h"
#include "tests/engine/bed.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1u << 20)

/* ---- hostile clients */
static void say(int fd, const void *bytes, size_t len)
{
	ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

	(void)sent;
}

static bool hung_up(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	char bytes[4096];

	for (;;) {
		if (poll(&poller, 1, 3000) <= 0)
			return false;
		if (read(fd, bytes, sizeof bytes) <= 0)
			return true;
	}
}

static int greeted(struct bed *bed)
{
	int fd = wire_connect(bed->socket, &bed_error);
	struct buf hello;
	size_t at;

	assert_true(fd >= 0);
	buf_init(&hello, 1000);
	at = wire_begin(&hello, FRAME_HELLO);
	buf_u32(&hello, WIRE_VERSION);
	buf_field(&hello, SPAN_LITERAL("transform"));
	buf_u64(&hello, 1);
	wire_end(&hello, at);
	say(fd, hello.data, hello.len);
	buf_free(&hello);
	return fd;
}

static void expect_end(struct bed *bed, uint8_t type, const void *payload, size_t len)
{
	int fd = greeted(bed);
	struct buf frame;
	size_t at;

	buf_init(&frame, WIRE_FRAME_MAX + 100);
	at = wire_begin(&frame, (enum frame)type);
	buf_append(&frame, payload, len);
	wire_end(&frame, at);
	say(fd, frame.data, frame.len);
	if (!hung_up(fd))
		fail_msg("a frame of type %u was taken", type);
	close(fd);
	buf_free(&frame);
}

static void a_hostile_client_ends_its_own_session_only(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "good");
	static const char zeros[64];
	unsigned random = 4711;
	int fd;

	for (int type = 0; type < 256; type++)
		if (type != FRAME_COMMIT && type != FRAME_ABANDON && type != FRAME_BYE && type != FRAME_DEAD &&
		    type != FRAME_SEEN && type != FRAME_EFFECT && type != FRAME_CHANGE && type != FRAME_INTEND &&
		    type != FRAME_SEEN_ASK && type != FRAME_HELD && type != FRAME_GAP) /* those may be short of words */
			expect_end(bed, (uint8_t)type, zeros, type == FRAME_CREDIT ? 2 : 6);
	expect_end(bed, FRAME_SEEN_ASK, zeros, 7);
	expect_end(bed, FRAME_SETTLE, "\1\0\0\0\1\0\0\0\0\0\0\0", 12); /* what it does not hold */
	expect_end(bed, FRAME_DRAIN, "", 0);                           /* it is no supervisor */
	fd = greeted(bed);
	say(fd, "\377\377\377\377\1", 5); /* a frame of 4 GiB */
	assert_true(hung_up(fd));
	close(fd);
	for (int round = 0; round < 50; round++) {
		char noise[2000];

		for (size_t i = 0; i < sizeof noise; i++)
			noise[i] = (char)((random = random * 1103515245 + 12345) >> 16);
		fd = round % 2 ? greeted(bed) : wire_connect(bed->socket, &bed_error);
		for (int i = 0; i < 4; i++) /* small lengths, so that payloads are looked at */
			noise[i] = i == 0 ? (char)(round * 5) : 0;
		say(fd, noise, sizeof noise);
		close(fd);
	}
	queue_credit(queue, "in.a", 10, MIB);
	bed_publish(queue, NULL, "in.a", "one", 10);
	assert_int_equal(bed_drain(queue, 200), 1);
	queue_close(queue);
	bed_free(bed);
}

static void a_unit_with_nonsense_in_it_fails_alone(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue = bed_connect(bed, "test");
	struct unit *bad = unit_new(queue);
	struct message *message = bed_message("one", 10);

	unit_publish(bad, NULL, "in.a", false, message, &bed_error);
	unit_change(bad, "no.such", json_object());
	assert_int_equal(unit_commit_wait(bad, &bed_error), -1);
	assert_int_equal(bed_error.class, ERROR_REJECT);
	queue_credit(queue, "in.a", 10, MIB);
	assert_null(bed_take(queue, 100)); /* its publish was undone with it */
	bed_publish(queue, NULL, "in.a", "two", 10);
	assert_int_equal(bed_drain(queue, 100), 1);
	message_free(message);
	queue_close(queue);
	bed_free(bed);
}

/* ---- a full disk */
static void on_a_full_disk_settling_goes_on(void **state)
{
	char *directory = support_tmpdir();
	struct bed *bed;
	struct queue *queue;
	size_t published = 0;
	bool refused = false;

	if (mount("tmpfs", directory, "tmpfs", 0, "size=28m"))
		support_skip("a tmpfs cannot be mounted here");
	bed = bed_new_at(directory);
	bed_stop(bed, 0);
	bed->ballast_size = 12 * MIB; /* more than the log of the database has at most */
	bed_start(bed);
	queue = bed_connect(bed, "test");
	for (int i = 0; i < 1000 && !refused; i++) {
		char text[16];
		struct message *message;
		struct unit *unit = unit_new(queue);

		snprintf(text, sizeof text, "m%d", i);
		message = bed_message(text, 50000);
		unit_publish(unit, NULL, "in.a", false, message, &bed_error);
		if (unit_commit_wait(unit, &bed_error) == 0)
			published++;
		else
			refused = true;
		message_free(message);
	}
	assert_true(refused);
	assert_int_equal(bed_error.class, ERROR_RETRY);
	assert_true(published > 20);
	queue_wait(queue, 100, &bed_error);
	assert_false(queue_accepting(queue));
	queue_credit(queue, "in.a", 20, MIB);
	assert_int_equal(bed_drain(queue, 500), published);
	queue_close(queue);
	bed_stop(bed, SIGKILL);
	umount(directory);
	bed_free(bed);
	free(directory);
}

/* Puts bytes that are no envelope into a queue of the spool, behind the back of the process. */
static void damage(struct bed *bed, const char *queue)
{
	struct db db = {.ops = bed->config.store};
	struct value values[] = {VALUE_OF_TEXT(span_of(queue)), VALUE_OF_BLOB(SPAN_LITERAL("garbage"))};

	db.self = db.ops->open(bed->config.store_settings, bed->db_path, SPAN_NONE, &bed_error);
	assert_non_null(db.self);
	if (db_run(&db,
		   "INSERT INTO spool (key, at, envelope, body) SELECT number * 1099511627776 + 1, 1, $2, $2 FROM "
		   "spool_queue"
		   " WHERE name = $1",
		   values, 2, NULL, NULL, &bed_error))
		fail_msg("damaging: %s", bed_error.text);
	db.ops->close(db.self);
}

static void what_cannot_be_read_is_a_dead_letter_and_reaches_no_worker(void **state)
{
	struct bed *bed = bed_new();
	struct queue *queue;
	struct delivery *delivery;
	json_t *request = json_object(), *answer = NULL;

	queue_close(bed_connect(bed, "verb")); /* it is up, with its tables */
	bed_stop(bed, SIGTERM);
	damage(bed, "in.a");
	bed->faults = "queue.commit:1=fail"; /* also when burying it fails at first */
	bed_start(bed);
	queue = bed_connect(bed, "transform");
	queue_credit(queue, "in.a", 10, 1 << 20);
	assert_null(bed_take(queue, 4500)); /* nothing is accepted for a while after a full disk */
	bed_publish(queue, NULL, "in.a", "good", 10);
	delivery = bed_take(queue, 5000);
	assert_non_null(delivery);
	assert_true(bed_is(delivery, "good"));
	bed_settle(queue, delivery);
	assert_int_equal(queue_ask(queue, "dead.list", request, &answer, 5000, &bed_error), 0);
	assert_int_equal(json_array_size(json_object_get(answer, "letters")), 1);
	json_decref(answer);
	json_decref(request);
	queue_close(queue);
	bed_free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_read_is_a_dead_letter_and_reaches_no_worker),
		cmocka_unit_test(a_hostile_client_ends_its_own_session_only),
		cmocka_unit_test(a_unit_with_nonsense_in_it_fails_alone),
		cmocka_unit_test(on_a_full_disk_settling_goes_on),
	};

	return cmocka_run_group_tests_name("trouble for the queue process", tests, NULL, NULL);
}
