/* Secrets: where they are read from, and what is refused. */
#include "config.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

struct fixture {
	char *directory;
	struct error error;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->directory = support_tmpdir(); /* mode 0700 */
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unsetenv("FERRULE_SECRET_ERP_KEY_1");
	support_rmtree(f->directory);
	free(f->directory);
	free(f);
	return 0;
}

static void put(struct fixture *f, const char *name, struct span content)
{
	char *path = support_path(f->directory, name);

	support_write(path, content);
	free(path);
}

static void assert_secret(struct fixture *f, const char *name, const char *expected)
{
	struct secret *secret = secret_new(f->directory, name, &f->error);

	if (!secret)
		fail_msg("%s", f->error.text);
	assert_true(span_is(secret_reveal(secret), expected));
	secret_free(secret);
	secret_free(NULL);
}

static void assert_none(struct fixture *f, const char *name, const char *code)
{
	assert_null(secret_new(f->directory, name, &f->error));
	assert_int_equal(f->error.class, ERROR_FATAL);
	assert_string_equal(f->error.code, code);
}

static void a_secret_is_a_file_without_its_last_newline(void **state)
{
	struct fixture *f = *state;

	put(f, "erp-key.1", SPAN_LITERAL("s3cret\n"));
	assert_secret(f, "erp-key.1", "s3cret");
	put(f, "erp-key.1", SPAN_LITERAL("s3cret\r\n"));
	assert_secret(f, "erp-key.1", "s3cret");
	put(f, "erp-key.1", SPAN_LITERAL(" two\nlines \n\n"));
	assert_secret(f, "erp-key.1", " two\nlines \n");
	assert_int_equal(secret_state(f->directory, "erp-key.1", &f->error), 0);
}

static void a_secret_may_come_from_the_environment_but_a_file_goes_first(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(secret_state(f->directory, "erp-key.1", &f->error), 1);
	setenv("FERRULE_SECRET_ERP_KEY_1", "from outside", 1);
	assert_int_equal(secret_state(f->directory, "erp-key.1", &f->error), 0);
	assert_secret(f, "erp-key.1", "from outside");
	put(f, "erp-key.1", SPAN_LITERAL("from the file"));
	assert_secret(f, "erp-key.1", "from the file");
	support_rmtree(f->directory);
	assert_secret(f, "erp-key.1", "from outside");
}

static void a_missing_empty_or_huge_secret_is_told_without_its_content(void **state)
{
	struct fixture *f = *state;
	char *huge = calloc(1, 70000);

	assert_none(f, "nothing", "secret.missing");
	assert_non_null(strstr(f->error.text, "nothing"));
	put(f, "empty", SPAN_LITERAL("\n"));
	assert_none(f, "empty", "secret.missing");
	memset(huge, 'x', 69999);
	put(f, "huge", span_of(huge));
	assert_none(f, "huge", "secret.missing");
	assert_null(strstr(f->error.text, "xxx"));
	free(huge);
}

static void a_directory_that_others_may_look_into_is_refused(void **state)
{
	struct fixture *f = *state;

	put(f, "a", SPAN_LITERAL("x"));
	assert_int_equal(chmod(f->directory, 0750), 0);
	assert_none(f, "a", "secret.mode");
	assert_non_null(strstr(f->error.text, "chmod 700"));
	assert_int_equal(secret_state(f->directory, "a", &f->error), -1);
	assert_int_equal(secret_state(f->directory, "a", &f->error), -1);
	assert_int_equal(chmod(f->directory, 0700), 0);
	assert_secret(f, "a", "x");
}

/* By links that lead to themselves, as root may read everything else. */
static void what_is_there_and_cannot_be_read_is_not_told_as_missing(void **state)
{
	struct fixture *f = *state;
	char *path = support_path(f->directory, "a"), *loop = support_path(f->directory, "loop");

	assert_int_equal(symlink("a", path), 0);
	assert_int_equal(symlink("loop", loop), 0);
	setenv("FERRULE_SECRET_ERP_KEY_1", "from outside", 1);
	assert_none(f, "a", "secret.unreadable");
	assert_int_equal(secret_state(f->directory, "a", &f->error), -1);
	assert_string_equal(f->error.code, "secret.unreadable");
	assert_int_equal(secret_state(loop, "erp-key.1", &f->error), -1);
	assert_null(secret_new(loop, "erp-key.1", &f->error));
	assert_string_equal(f->error.code, "secret.unreadable");
	assert_non_null(strstr(f->error.text, "the secrets directory"));
	free(path);
	free(loop);
}

static void a_name_reaches_no_other_directory(void **state)
{
	static const char *const names[] = {"", ".", "..", "../x", "a/b", "/etc/hostname", "a b", "ä",
					    "a2345678901234567890123456789012345678901234567890123456789012345"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_none(f, names[i], "secret.missing");
		assert_int_equal(secret_state(f->directory, names[i], &f->error), 1);
	}
}

#define SECRET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SECRET_TEST(a_secret_is_a_file_without_its_last_newline),
		SECRET_TEST(a_secret_may_come_from_the_environment_but_a_file_goes_first),
		SECRET_TEST(a_missing_empty_or_huge_secret_is_told_without_its_content),
		SECRET_TEST(a_directory_that_others_may_look_into_is_refused),
		SECRET_TEST(what_is_there_and_cannot_be_read_is_not_told_as_missing),
		SECRET_TEST(a_name_reaches_no_other_directory),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
