/* Log lines: levels, rate limit, and no line that somebody else wrote. */
#include "config.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

struct fixture {
	int ends[2];
	char text[100000];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_int_equal(pipe2(f->ends, O_NONBLOCK | O_CLOEXEC), 0);
	log_file(f->ends[1]);
	log_role("test");
	log_levels("info");
	clock_set(1790000000000);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	log_file(STDERR_FILENO);
	clock_set(0);
	close(f->ends[0]);
	close(f->ends[1]);
	free(f);
	return 0;
}

static const char *written(struct fixture *f)
{
	ssize_t n = read(f->ends[0], f->text, sizeof f->text - 1);

	f->text[n > 0 ? n : 0] = '\0';
	return f->text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void a_line_has_time_level_role_module_and_correlation(void **state)
{
	struct fixture *f = *state;

	log_info("deliver", SPAN_LITERAL("abc123"), "delivered endpoint=%s", "erp");
	assert_string_equal(written(f),
			    "2026-09-21T14:13:20.000Z level=info role=test module=deliver correlation=abc123 "
					"delivered endpoint=erp\n");
	log_error("deliver", SPAN_NONE, "x");
	assert_non_null(strstr(written(f), " level=error role=test module=deliver correlation=- x\n"));
}

static void levels_are_set_for_all_and_by_module(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(log_levels("warn,deliver=debug"), 0);
	log_info("other", SPAN_NONE, "no");
	log_warn("other", SPAN_NONE, "yes");
	log_debug("deliver", SPAN_NONE, "yes");
	assert_int_equal(lines(written(f)), 2);
	assert_null(strstr(f->text, " no\n"));
	assert_true(log_enabled(LOG_DEBUG, "deliver"));
	assert_int_equal(log_levels("error"), 0);
	assert_false(log_enabled(LOG_DEBUG, "deliver"));
}

static void shared_levels_are_those_of_every_process(void **state)
{
	char text[LOG_LEVELS_TEXT];
	int status;
	pid_t child;

	log_share();
	child = fork();
	if (!child)
		_exit(log_levels("warn,deliver=debug,x=error") != 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(log_enabled(LOG_DEBUG, "deliver"));
	assert_false(log_enabled(LOG_INFO, "other"));
	log_levels_text(text);
	assert_string_equal(text, "warn,deliver=debug,x=error");
	log_levels("info");
	log_levels_text(text);
	assert_string_equal(text, "info");
}

static void levels_that_cannot_be_read_change_nothing(void **state)
{
	static const char *const bad[] = {"", "loud", "warn,", "warn,x", "error,deliver=loud", "=debug,",
					  "a-module-name-that-is-far-too-long=debug"};

	assert_int_equal(log_levels("warn,deliver=debug"), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(log_levels(bad[i]), -1);
		assert_true(log_enabled(LOG_DEBUG, "deliver"));
		assert_true(log_enabled(LOG_WARN, "x"));
		assert_false(log_enabled(LOG_INFO, "x"));
	}
}

static void one_place_writes_ten_lines_in_ten_seconds_and_then_says_how_many_are_missing(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 25; i++)
			log_info("x", SPAN_NONE, "again");
		if (round == 0) {
			assert_int_equal(lines(written(f)), 10);
			clock_advance(10000);
		}
	}
	/* the loop's log_info is one call site: the second round begins with the count of the first */
	assert_int_equal(lines(written(f)), 10);
	assert_non_null(strstr(f->text, "suppressed=15 again\n"));
	log_info("x", SPAN_NONE, "another place");
	assert_int_equal(lines(written(f)), 1);
}

static void control_characters_cannot_forge_a_line(void **state)
{
	struct fixture *f = *state;
	const char *line;

	log_info("x", span_make("id\n2026 level=error forged", 26), "name=\"%s\"",
		 "a\n2026-01-01T00:00:00.000Z level=error\r\033[2J\x7f\tz");
	line = written(f);
	assert_int_equal(lines(line), 1);
	for (; line[1]; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			fail_msg("control character %d", *line);
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(50001);

	memset(text, 'x', 50000);
	text[50000] = '\0';
	log_info("x", span_of(text), "%s", text);
	assert_int_equal(lines(written(f)), 1);
	assert_true(strlen(f->text) <= 2001);
	free(text);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_line_has_time_level_role_module_and_correlation),
		LOG_TEST(levels_are_set_for_all_and_by_module),
		LOG_TEST(levels_that_cannot_be_read_change_nothing),
		LOG_TEST(shared_levels_are_those_of_every_process),
		LOG_TEST(one_place_writes_ten_lines_in_ten_seconds_and_then_says_how_many_are_missing),
		LOG_TEST(control_characters_cannot_forge_a_line),
		LOG_TEST(a_long_line_is_cut_and_still_ends),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
