/* Which processes a site needs, and what their ends mean. */
#include "config.h"
#include "services/seats.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/worker.h"
#include "tests/unit/service_site.h"

static int ended(const struct seat *seat, int status, const char *says)
{
	char cause[160];
	int ending = (int)seat_ending(seat, status, cause, sizeof cause);

	if (!strstr(cause, says))
		fail_msg("the cause is \"%s\" and does not say \"%s\"", cause, says);
	return ending;
}

static void a_crash_is_told_from_a_kill_and_from_an_end(void **state)
{
	struct seat seat = {0};

	assert_int_equal(ended(&seat, 0, ""), ENDING_CLEAN);
	assert_int_equal(ended(&seat, W_EXITCODE(EXIT_AGAIN, 0), "75"), ENDING_AGAIN);
	assert_int_equal(ended(&seat, W_EXITCODE(EXIT_QUEUE, 0), "queue process"), ENDING_QUEUE);
	assert_int_equal(ended(&seat, W_EXITCODE(1, 0), "exit status 1"), ENDING_CRASH);
	assert_int_equal(ended(&seat, W_EXITCODE(0, SIGSEGV), "signal 11"), ENDING_CRASH);
	assert_int_equal(ended(&seat, W_EXITCODE(0, SIGABRT), "signal 6"), ENDING_CRASH);
	assert_int_equal(ended(&seat, W_EXITCODE(0, SIGXCPU), "signal"), ENDING_CRASH);
	assert_int_equal(ended(&seat, W_EXITCODE(0, SIGKILL), "signal 9"), ENDING_OUTSIDE);
	assert_int_equal(ended(&seat, W_EXITCODE(0, SIGTERM), "signal 15"), ENDING_OUTSIDE);
}

static void the_watchdogs_kill_blames_the_message_but_a_late_end_does_not(void **state)
{
	struct seat seat = {.killed = "no progress"};

	assert_int_equal(ended(&seat, W_EXITCODE(0, SIGKILL), "no progress"), ENDING_CRASH);
	seat.stopping = true;
	assert_int_equal(ended(&seat, W_EXITCODE(0, SIGKILL), "no progress"), ENDING_OUTSIDE);
}

static bool runs(struct seats *seats, const char *name)
{
	struct seat *seat = seat_find(seats, name);

	return seat && !seat->retired;
}

static void each_role_has_a_seat_and_each_folder_one_of_its_own(void **state)
{
	char *directory = small_site();
	struct generation *generation;
	struct seats seats = {0};

	put(directory, "flows/http.yaml", SITE_FLOW_HTTP("http"));
	put(directory, "flows/more.yaml", SITE_FLOW_HTTP("more"));
	generation = generation_made(directory, NULL);
	seats_plan(&seats, generation);
	assert_true(runs(&seats, "queue"));
	assert_null(seat_find(&seats, "queue")->role);
	assert_true(runs(&seats, "record"));
	assert_true(runs(&seats, "transform.1"));
	assert_true(runs(&seats, "transform.2"));
	assert_false(runs(&seats, "transform.3"));
	assert_true(runs(&seats, "poll:intake"));
	assert_true(runs(&seats, "sink:first"));
	assert_true(runs(&seats, "sink:second"));
	assert_int_equal(seat_find(&seats, "sink:first")->demand, DEMAND_WANTED);
	assert_true(runs(&seats, "deliver")); /* one for all of HTTP */
	assert_int_equal(seat_find(&seats, "deliver")->demand, DEMAND_ALWAYS);
	assert_false(runs(&seats, "gateway"));
	seats_free(&seats);
	generation_free(generation);
	free(directory);
}

static void a_reload_keeps_seats_and_retires_what_is_gone_but_for_what_may_still_hold_something(void **state)
{
	char *directory = small_site(), *gone = support_path(directory, "flows/second.yaml"),
		*source = support_path(directory, "flows/intake.yaml");
	struct generation *old = generation_made(directory, NULL), *new;
	struct seats seats = {0};
	struct seat *first;

	seats_plan(&seats, old);
	first = seat_find(&seats, "sink:first");
	unlink(gone);
	unlink(source);
	put(directory, "flows/other.yaml",
	    "flow: other\nowner: tests\nfrom: {file: 'other/*.json', after: archive}\nsteps: [{decode: "
	    "json}]\npublish: thing.v1\n");
	new = generation_made(directory, old);
	seats_plan(&seats, new);
	assert_ptr_equal(seat_find(&seats, "sink:first"), first);
	assert_true(runs(&seats, "sink:second"));
	assert_false(runs(&seats, "poll:intake"));
	assert_true(runs(&seats, "poll:other"));
	seats_free(&seats);
	generation_free(new);
	free(gone);
	free(source);
	free(directory);
}

static void with_roles_only_those_and_the_queue_process_run(void **state)
{
	static const char *const only[] = {"transform", "record", NULL};
	char *directory = small_site();
	struct generation *generation = generation_made(directory, NULL);
	struct seats seats = {.only = only};

	seats_plan(&seats, generation);
	assert_true(runs(&seats, "queue"));
	assert_true(runs(&seats, "transform.1"));
	assert_true(runs(&seats, "record"));
	assert_false(runs(&seats, "poll:intake"));
	assert_false(runs(&seats, "sink:first"));
	seats_free(&seats);
	generation_free(generation);
	free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_is_told_from_a_kill_and_from_an_end),
		cmocka_unit_test(the_watchdogs_kill_blames_the_message_but_a_late_end_does_not),
		cmocka_unit_test(each_role_has_a_seat_and_each_folder_one_of_its_own),
		cmocka_unit_test(a_reload_keeps_seats_and_retires_what_is_gone_but_for_what_may_still_hold_something),
		cmocka_unit_test(with_roles_only_those_and_the_queue_process_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
