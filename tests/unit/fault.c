/* Fault points, in children: each reads its own environment. */
#include "config.h"
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

#ifdef FERRULE_FAULTS
/* What becomes of a child that passes "a.b" three times: its exit code (10 + failures), or minus the signal. */
static int run(const char *faults)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		int failures = 0;

		setenv("FERRULE_FAULTS", faults, 1);
		for (int i = 0; i < 3; i++) {
			FAULT("x.y");
			failures += FAULT_FAILS("a.b");
		}
		_exit(10 + failures);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void a_point_acts_the_time_it_was_told_to(void **state)
{
	assert_int_equal(run(""), 10);
	assert_int_equal(run("a.b:3=kill"), -SIGKILL);
	assert_int_equal(run("a.b:4=kill"), 10);
	assert_int_equal(run("a.b:2=stop"), 1);
	assert_int_equal(run("a.b:2=crash"), -SIGSEGV);
	assert_int_equal(run("a.b:2=fail"), 11);
	assert_int_equal(run("a.b:1=enospc,a.b:2=fail,other:1=kill"), 12);
	assert_int_equal(run("a.b%1=fail"), 13);
	assert_int_equal(run("nonsense,a.b:1=fail"), 11);
}

static void a_full_disk_is_told_by_errno(void **state)
{
	setenv("FERRULE_FAULTS", "disk:1=enospc", 1);
	errno = 0;
	assert_true(fault_hit("disk"));
	assert_int_equal(errno, ENOSPC);
	assert_false(fault_hit("disk"));
}

static void with_marks_a_point_strikes_once_in_all_processes(void **state)
{
	char *directory = support_tmpdir();
	char *passed = support_path(directory, "a.b.passed"), *struck = support_path(directory, "a.b.struck");

	setenv("FERRULE_FAULT_MARKS", directory, 1);
	assert_int_equal(run("a.b:4=kill"), 10);
	assert_int_equal(access(passed, F_OK), 0);
	assert_int_not_equal(access(struck, F_OK), 0);
	assert_int_equal(run("a.b:2=kill"), -SIGKILL);
	assert_int_equal(access(struck, F_OK), 0);
	assert_int_equal(run("a.b:2=kill"), 10);
	unsetenv("FERRULE_FAULT_MARKS");
	free(passed);
	free(struck);
	support_rmtree(directory);
	free(directory);
}
#else
static void a_point_acts_the_time_it_was_told_to(void **state)
{
	support_skip("built without --enable-faults");
}

static void a_full_disk_is_told_by_errno(void **state)
{
	support_skip("built without --enable-faults");
}

static void with_marks_a_point_strikes_once_in_all_processes(void **state)
{
	support_skip("built without --enable-faults");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_point_acts_the_time_it_was_told_to),
		cmocka_unit_test(a_full_disk_is_told_by_errno),
		cmocka_unit_test(with_marks_a_point_strikes_once_in_all_processes),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
