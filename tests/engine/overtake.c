/* Nothing overtakes an earlier message of its order key, also while that one waits for the supervisor's word about a
 * dead worker. */
#include "config.h"
#include "tests/engine/bed.h"

#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* Takes one delivery of the queue and dies without a word. */
static void take_and_die(struct bed *bed, const char *queue)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct queue *dying = bed_connect(bed, "dying");

		queue_credit(dying, queue, 1, MIB);
		_exit(bed_take(dying, 2000) ? 7 : 8);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void what_a_dead_worker_held_is_not_overtaken_within_its_key(void **state)
{
	struct bed *bed = bed_new();
	struct queue *supervisor = bed_connect(bed, "supervisor"), *publisher = bed_connect(bed, "test"), *worker;
	const char *const expected[] = {"other", "first", "second", "third"};

	bed_publish_ordered(publisher, "in.ordered", "ordered", "first", 1);
	bed_publish_ordered(publisher, "in.ordered", "ordered", "second", 1);
	bed_publish_ordered(publisher, "in.ordered", "ordered", "third", 1);
	take_and_die(bed, "in.ordered");
	bed_publish_ordered(publisher, "in.ordered", "ordered", "other",
			    2); /* need not wait for the supervisor's word */
	worker = bed_connect(bed, "test");
	queue_credit(worker, "in.ordered", 10, MIB);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		struct delivery *delivery = bed_take(worker, 2000);

		assert_non_null(delivery);
		if (!bed_is(delivery, expected[i]))
			fail_msg("number %zu is not %s", i, expected[i]);
		bed_settle(worker, delivery);
	}
	queue_close(worker);
	queue_close(publisher);
	queue_close(supervisor);
	bed_free(bed);
}

static void a_suspect_is_not_overtaken_within_its_key(void **state)
{
	struct bed *bed = bed_new();
	struct queue *supervisor = bed_connect(bed, "supervisor"), *publisher = bed_connect(bed, "test"), *worker;
	struct message *first = bed_message("first", 10);
	struct delivery *delivery;

	bed_publish_ordered(publisher, "in.ordered", "ordered", "first", 1);
	bed_publish_ordered(publisher, "in.ordered", "ordered", "second", 1);
	take_and_die(bed, "in.ordered");
	assert_int_equal(queue_suspect(supervisor, &first->id, "a test"), 0);
	assert_int_equal(queue_pump(supervisor, &bed_error), 0);
	worker = bed_connect(bed, "test");
	queue_credit(worker, "in.ordered", 10, MIB);
	delivery = bed_take(worker, 2000);
	assert_non_null(delivery);
	assert_true(bed_is(delivery, "first"));
	assert_true(delivery->suspect);
	bed_settle(worker, delivery);
	delivery = bed_take(worker, 2000);
	assert_non_null(delivery);
	assert_true(bed_is(delivery, "second"));
	assert_false(delivery->suspect);
	bed_settle(worker, delivery);
	message_free(first);
	queue_close(worker);
	queue_close(publisher);
	queue_close(supervisor);
	bed_free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_dead_worker_held_is_not_overtaken_within_its_key),
		cmocka_unit_test(a_suspect_is_not_overtaken_within_its_key),
	};

	return cmocka_run_group_tests_name("overtake", tests, NULL, NULL);
}
