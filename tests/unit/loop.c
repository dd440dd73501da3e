/* The event loop: descriptors and timers, and callbacks that change it under its feet. */
#include "config.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

struct fixture {
	struct loop *loop;
	int a[2], b[2];
	struct watch *watch_a, *watch_b;
	struct timer *timer;
	unsigned calls, events;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->loop = loop_new();
	assert_int_equal(pipe2(f->a, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(f->b, O_CLOEXEC | O_NONBLOCK), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	clock_set(0);
	loop_free(f->loop);
	for (int i = 0; i < 2; i++) {
		close(f->a[i]);
		close(f->b[i]);
	}
	free(f);
	return 0;
}

static void count_event(void *arg, unsigned events)
{
	struct fixture *f = arg;

	f->calls++;
	f->events = events;
}

static void count_timer(void *arg)
{
	count_event(arg, 0);
}

static void a_readable_descriptor_is_told_until_it_is_no_longer_watched(void **state)
{
	struct fixture *f = *state;
	struct watch *watch = loop_watch(f->loop, f->a[0], LOOP_READ, count_event, f);

	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 0);
	assert_int_equal(write(f->a[1], "x", 1), 1);
	loop_once(f->loop, 1000);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->events, LOOP_READ);
	loop_events(watch, 0);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 1);
	loop_events(watch, LOOP_READ);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 2);
	loop_unwatch(watch);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 2);
	loop_unwatch(NULL);
}

static void the_end_of_the_other_side_is_told(void **state)
{
	struct fixture *f = *state;

	loop_watch(f->loop, f->a[0], 0, count_event, f);
	close(f->a[1]);
	f->a[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	loop_once(f->loop, 1000);
	assert_int_equal(f->events, LOOP_HANGUP);
}

static void unwatch_both(void *arg, unsigned events)
{
	struct fixture *f = arg;

	f->calls++;
	loop_unwatch(f->watch_a);
	loop_unwatch(f->watch_b);
	loop_unwatch(f->watch_a); /* twice is harmless within the round */
	loop_events(f->watch_a, LOOP_WRITE);
}

static void a_callback_may_remove_itself_and_others_that_are_ready_too(void **state)
{
	struct fixture *f = *state;

	f->watch_a = loop_watch(f->loop, f->a[0], LOOP_READ, unwatch_both, f);
	f->watch_b = loop_watch(f->loop, f->b[0], LOOP_READ, unwatch_both, f);
	assert_int_equal(write(f->a[1], "x", 1) + write(f->b[1], "x", 1), 2);
	loop_once(f->loop, 1000);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 1);
}

static void timers_fire_once_or_again_and_again(void **state)
{
	struct fixture *f = *state;
	struct timer *every;

	clock_set(1000);
	loop_timer(f->loop, 100, 0, count_timer, f);
	every = loop_timer(f->loop, 200, 50, count_timer, f);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 0);
	clock_advance(100);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 1);
	clock_advance(100);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 2);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 2);
	clock_advance(50);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 3);
	loop_cancel(every);
	clock_advance(1000);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 3);
	loop_cancel(NULL);
}

static void cancel_and_add(void *arg)
{
	struct fixture *f = arg;

	f->calls++;
	loop_cancel(f->timer);
	f->timer = loop_timer(f->loop, 0, 0, cancel_and_add, f);
}

static void a_timer_that_sets_another_for_now_does_not_stop_the_round(void **state)
{
	struct fixture *f = *state;

	f->timer = loop_timer(f->loop, 0, 0, cancel_and_add, f);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 1);
	loop_once(f->loop, 0);
	assert_int_equal(f->calls, 2);
}

static void a_timer_far_away_does_not_make_the_loop_spin_or_hang(void **state)
{
	struct fixture *f = *state;
	int64_t before = clock_tick_ms();

	loop_timer(f->loop, (int64_t)30 * 86400 * 1000, 0, count_timer, f); /* more milliseconds than an int holds */
	loop_timer(f->loop, 30, 0, count_timer, f);
	loop_once(f->loop, -1);
	assert_int_equal(f->calls, 1);
	assert_true(clock_tick_ms() - before >= 25);
}

static void run_again(void *arg, unsigned events)
{
	struct fixture *f = arg;

	f->calls++;
	loop_unwatch(f->watch_a);
	if (f->calls < 5)
		loop_once(f->loop, 0);
}

static void a_callback_may_run_the_loop_again(void **state)
{
	struct fixture *f = *state;

	f->watch_a = loop_watch(f->loop, f->a[0], LOOP_READ, run_again, f);
	f->watch_b = loop_watch(f->loop, f->b[0], LOOP_READ, unwatch_both, f);
	assert_int_equal(write(f->a[1], "x", 1) + write(f->b[1], "x", 1), 2);
	loop_once(f->loop, 1000);
	assert_int_equal(f->calls, 2);
}

static void stop_it(void *arg)
{
	struct fixture *f = arg;

	loop_stop(f->loop);
}

static void the_loop_runs_until_it_is_stopped_and_can_be_nested_in_a_poller(void **state)
{
	struct fixture *f = *state;
	struct pollfd poller = {.fd = loop_fd(f->loop), .events = POLLIN};

	assert_int_equal(poll(&poller, 1, 0), 0);
	loop_watch(f->loop, f->a[0], LOOP_READ, count_event, f);
	assert_int_equal(write(f->a[1], "x", 1), 1);
	assert_int_equal(poll(&poller, 1, 1000), 1);
	loop_timer(f->loop, 10, 0, stop_it, f);
	loop_run(f->loop);
	assert_true(loop_stopped(f->loop));
	assert_true(f->calls > 0);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(a_readable_descriptor_is_told_until_it_is_no_longer_watched),
		LOOP_TEST(the_end_of_the_other_side_is_told),
		LOOP_TEST(a_callback_may_remove_itself_and_others_that_are_ready_too),
		LOOP_TEST(timers_fire_once_or_again_and_again),
		LOOP_TEST(a_timer_that_sets_another_for_now_does_not_stop_the_round),
		LOOP_TEST(a_timer_far_away_does_not_make_the_loop_spin_or_hang),
		LOOP_TEST(a_callback_may_run_the_loop_again),
		LOOP_TEST(the_loop_runs_until_it_is_stopped_and_can_be_nested_in_a_poller),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
