/* One supervisor at a time. */
#include "config.h"
#include "services/site_lock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/support.h"

static void the_directory_is_made_for_nobody_else(void **state)
{
	char *directory = support_tmpdir(), *run = support_path(directory, "data/run");
	struct error error = {0};
	struct stat status;
	int fd = site_lock(run, 0, &error);

	assert_true(fd >= 0);
	assert_int_equal(stat(run, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_true(site_locked(run));
	close(fd);
	assert_false(site_locked(run));
	free(run);
	free(directory);
}

static void the_second_is_told_who_has_it(void **state)
{
	char *directory = support_tmpdir(), *run = support_path(directory, "run"), number[32];
	struct error error = {0};
	int fd = site_lock(run, 0, &error);
	int64_t began = clock_tick_ms();

	assert_int_equal(site_lock(run, 120, &error), -1);
	assert_in_range(clock_tick_ms() - began, 100, 5000);
	assert_int_equal(error.class, ERROR_FATAL);
	assert_string_equal(error.code, "site.running");
	snprintf(number, sizeof number, "process %ld", (long)getpid());
	assert_non_null(strstr(error.text, number));
	close(fd);
	free(run);
	free(directory);
}

/* Whoever means to start a site that runs need not wait as for one that ends. */
static void one_that_goes_on_is_not_waited_for(void **state)
{
	char *directory = support_tmpdir(), *run = support_path(directory, "run");
	struct error error = {0};
	int fd = site_lock(run, 0, &error);
	int64_t began = clock_tick_ms();

	assert_int_equal(site_lock(run, 60000, &error), -1);
	assert_in_range(clock_tick_ms() - began, 2000, 15000);
	assert_non_null(strstr(error.text, "stop that one first"));
	site_lock_ending(fd);
	began = clock_tick_ms();
	assert_int_equal(site_lock(run, 4000, &error), -1);
	assert_in_range(clock_tick_ms() - began, 3900, 15000);
	assert_non_null(strstr(error.text, "is ending"));
	close(fd);
	free(run);
	free(directory);
}

/* A worker inherits the open file; the lock is free only when the last of them is gone. */
static void it_is_held_until_the_last_process_of_the_dead_supervisor_ends(void **state)
{
	char *directory = support_tmpdir(), *run = support_path(directory, "run");
	struct error error = {0};
	int status, fd, hold[2];
	pid_t supervisor;

	assert_int_equal(pipe(hold), 0);
	supervisor = fork();
	if (supervisor == 0) {
		fd = site_lock(run, 0, NULL);
		if (fork() == 0) { /* the worker: until the pipe closes */
			char byte;

			close(hold[1]);
			_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
		}
		_exit(fd >= 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
	assert_int_equal(status, 0);
	assert_true(site_locked(run));
	assert_int_equal(site_lock(run, 60, &error), -1);
	assert_non_null(strstr(error.text, "earlier run"));
	close(hold[1]);
	fd = site_lock(run, 5000, &error);
	assert_true(fd >= 0);
	close(fd);
	close(hold[0]);
	free(run);
	free(directory);
}

static void a_path_that_cannot_be_is_said(void **state)
{
	char *directory = support_tmpdir(), *file = support_path(directory, "file"), *run = support_path(file, "run");
	struct error error = {0};

	support_write(file, SPAN_LITERAL("x"));
	assert_int_equal(site_lock(run, 0, &error), -1);
	assert_int_equal(error.class, ERROR_FATAL);
	assert_non_null(strstr(error.text, "file"));
	assert_false(site_locked(run));
	free(run);
	free(file);
	free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_directory_is_made_for_nobody_else),
		cmocka_unit_test(the_second_is_told_who_has_it),
		cmocka_unit_test(one_that_goes_on_is_not_waited_for),
		cmocka_unit_test(it_is_held_until_the_last_process_of_the_dead_supervisor_ends),
		cmocka_unit_test(a_path_that_cannot_be_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
