/* The page of shared memory that tells the supervisor what a dead worker had in hand. */
#include "config.h"
#include "services/board.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/support.h"

static void what_a_worker_had_in_hand_is_seen_after_it_was_killed(void **state)
{
	struct board *board = board_new(NULL);
	struct board_slot *slot = board_slot(board, 7);
	struct id id = id_digest(SPAN_LITERAL("a message"));
	int status;
	pid_t pid;

	assert_non_null(board);
	pid = fork();
	if (pid == 0) {
		board_hold(slot, &id);
		board_step(slot, "in.orders");
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(atomic_load(&slot->holding), 1);
	assert_true(id_equal(&slot->id, &id));
	assert_string_equal(slot->step, "in.orders");
	assert_int_equal(atomic_load(&board_slot(board, 6)->holding), 0);
	board_free(board);
}

static void what_was_let_go_is_nobodys_fault(void **state)
{
	struct board *board = board_new(NULL);
	struct board_slot *slot = board_slot(board, BOARD_SLOTS - 1);
	struct id id = id_digest(SPAN_LITERAL("a message"));

	board_hold(slot, &id);
	board_let_go(slot);
	assert_int_equal(atomic_load(&slot->holding), 0);
	board_free(board);
}

static void every_call_is_progress(void **state)
{
	struct board *board = board_new(NULL);
	struct board_slot *slot = board_slot(board, 0);
	struct id id = id_digest(SPAN_LITERAL("a message"));
	uint32_t before = atomic_load(&slot->ticks);

	board_hold(slot, &id);
	board_step(slot, "a step whose name is much longer than the room that a slot has for the names of steps");
	board_tick(slot);
	board_let_go(slot);
	assert_int_equal(atomic_load(&slot->ticks) - before, 4);
	assert_int_equal(strlen(slot->step), sizeof slot->step - 1);
	board_free(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_worker_had_in_hand_is_seen_after_it_was_killed),
		cmocka_unit_test(what_was_let_go_is_nobodys_fault),
		cmocka_unit_test(every_call_is_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
