/* The file source's own behaviour: what it leaves alone and what it reports. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/conformance/endpoint.h"
#include "tests/unit/file_world.h"

/* ---- which files are taken ------------------------------------------------------------------------------------ */

static void a_file_is_taken_when_it_has_stood_still_for_long_enough(void **state)
{
	int64_t now = clock_now_ms();

	clock_set(now);
	source_with("drop/*.edi", NULL, NULL, NULL, NULL);
	put("a.edi", "x");
	none();
	assert_true(file_source_ops.pending(w.source));
	clock_set(now + 1500);
	none();
	clock_set(now + 2500);
	forget(one());
	assert_false(file_source_ops.pending(w.source));
}

static void a_file_that_grows_is_not_taken(void **state)
{
	int64_t now = clock_now_ms();
	struct timespec times[2];
	char *path = support_path(w.drop, "a.edi");

	source_with("drop/*.edi", NULL, NULL, NULL, NULL);
	/* The folder's clock runs an hour ahead of ours: only what we see ourselves can tell. */
	for (int i = 0; i < 4; i++) {
		put("a.edi", &"xxxxxxx"[i]);
		times[0].tv_sec = times[1].tv_sec = now / 1000 + 3600 + i;
		times[0].tv_nsec = times[1].tv_nsec = 0;
		utimensat(AT_FDCWD, path, times, 0);
		clock_set(now + i * 1500);
		none();
	}
	clock_set(now + 3 * 1500 + 2000);
	forget(one());
	free(path);
}

static void temporary_names_are_left_alone(void **state)
{
	static const char *const names[] = {"a.tmp", "b.part", ".hidden", "~$c.doc", "d.edi~", "e.filepart"};

	source_with("drop/*", "age", "0s", NULL, NULL);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		put(names[i], "x");
	none();
	assert_false(file_source_ops.pending(w.source));
	put("f.edi", "x");
	forget(one());
}

static void ones_own_patterns_replace_the_usual_ones(void **state)
{
	source_with("drop/*", "age", "0s", "ignore", "*.busy");
	put("a.busy", "x");
	none();
	put("b.tmp", "x");
	forget(one());
}

static void only_names_of_the_pattern_are_taken(void **state)
{
	source_with("drop/PO_[0-9]*.edi", "age", "0s", NULL, NULL);
	put("PO_x.edi", "x");
	put("PO_1.txt", "x");
	none();
	put("PO_1.edi", "x");
	forget(one());
}

static void a_marker_is_waited_for_and_goes_with_its_file(void **state)
{
	source_with("drop/*", "marker", ".done", NULL, NULL);
	put("a.edi", "x");
	none();
	put("a.edi.done", "");
	take(SETTLE_ACCEPTED);
	assert_true(there(archived("a.edi")));
	assert_false(there("drop/a.edi.done"));
	none();
}

static void a_marker_older_than_its_file_does_not_count(void **state)
{
	source_with("drop/*", "marker", ".done", NULL, NULL);
	put("a.edi.done", "");
	usleep(20000);
	put("a.edi", "x");
	none();
	put("a.edi.done", "");
	forget(one());
}

static void order_by_name_or_by_time(void **state)
{
	struct document *documents[2];

	put("b.edi", "older");
	usleep(20000);
	put("a.edi", "newer");
	source_with("drop/*", "age", "0s", NULL, NULL);
	assert_int_equal(look(documents, 2), 2);
	assert_true(span_is(documents[0]->name, "b.edi"));
	forget(documents[0]);
	forget(documents[1]);
	source_with("drop/*", "age", "0s", "order", "name");
	assert_int_equal(look(documents, 2), 2);
	assert_true(span_is(documents[0]->name, "a.edi"));
	forget(documents[0]);
	forget(documents[1]);
}

/* ---- what is no document -------------------------------------------------------------------------------------- */

static void reported_once(const char *code)
{
	struct document *document = one();

	assert_true(document->failed);
	assert_string_equal(document->error.code, code);
	forget(document);
	none();
	none();
}

static void what_is_not_a_regular_file_is_reported_once_and_never_hangs(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char *path = support_path(w.drop, "a.edi");
	int fd;

	source_with("drop/*.edi", "age", "0s", NULL, NULL);
	alarm(10);
	mkfifo(path, 0644);
	reported_once("file.not-regular");
	unlink(path);
	mkdir(path, 0755);
	reported_once("file.not-regular");
	rmdir(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	reported_once("file.not-regular");
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	close(fd);
	reported_once("file.not-regular");
	unlink(path);
	put("a.edi", "x");
	take(SETTLE_ACCEPTED);
	alarm(0);
	free(path);
}

static void a_file_that_becomes_a_fifo_before_it_is_read_does_not_hang(void **state)
{
	char *path = support_path(w.drop, "a.edi");
	struct error error = {0};
	struct document *document;

	source_with("drop/*.edi", "age", "0s", NULL, NULL);
	put("a.edi", "x");
	document = one();
	unlink(path);
	mkfifo(path, 0644);
	alarm(10);
	assert_int_equal(file_source_ops.fetch(w.source, document, w.vault, &error), -1);
	alarm(0);
	assert_int_equal(error.class, ERROR_RETRY);
	forget(document);
	free(path);
}

static void in_child_as_nobody(void (*test)(void))
{
	struct passwd *nobody = getpwnam("nobody");
	pid_t child;
	int status;

	if (geteuid() == 0 && !nobody)
		skip();
	child = fork();
	if (!child) {
		if (geteuid() == 0 && (setgid(nobody->pw_gid) || setuid(nobody->pw_uid)))
			_exit(2);
		test();
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void meet_unreadable(void)
{
	struct document *documents[2];
	struct error error = {0};
	size_t found;

	for (int round = 0; round < 3; round++) {
		CHILD_EXPECT(!file_source_ops.poll(w.source, documents, 2, &found, &error));
		CHILD_EXPECT(found == (round == 0));
		if (round == 0) {
			CHILD_EXPECT(documents[0]->failed);
			CHILD_EXPECT(!strcmp(documents[0]->error.code, "file.unreadable"));
			file_source_ops.forget(w.source, documents[0]);
		}
	}
}

static void an_unreadable_file_is_reported_once(void **state)
{
	char *path = support_path(w.drop, "a.edi");

	put("a.edi", "x");
	chmod(path, 0);
	chmod(w.root, 0755);
	source_with("drop/*.edi", "age", "0s", NULL, NULL);
	in_child_as_nobody(meet_unreadable);
	free(path);
}

static void settle_without_permission(void)
{
	struct document *document;
	struct error error = {0};
	size_t found;

	CHILD_EXPECT(!file_source_ops.poll(w.source, &document, 1, &found, &error) && found == 1);
	CHILD_EXPECT(file_source_ops.settle(w.source, document, SETTLE_ACCEPTED, &error) == -1);
	CHILD_EXPECT(error.class == ERROR_RETRY && error.scope == SCOPE_ENDPOINT);
	CHILD_EXPECT(!strcmp(error.code, "file.permission"));
}

static void a_folder_that_may_not_be_changed_pauses_the_endpoint(void **state)
{
	put("a.edi", "x");
	chmod(w.root, 0755);
	source_with("drop/*.edi", "age", "0s", NULL, NULL);
	chmod(w.drop, 0555); /* whoever runs this may be its owner */
	in_child_as_nobody(settle_without_permission);
	chmod(w.drop, 0755);
	assert_true(holds("drop/a.edi", "x"));
}

static void a_missing_folder_is_named(void **state)
{
	struct document *document;
	struct error error = {0};
	size_t found;

	source_with("nowhere/*.edi", NULL, NULL, NULL, NULL);
	assert_int_equal(file_source_ops.poll(w.source, &document, 1, &found, &error), -1);
	assert_int_equal(error.class, ERROR_RETRY);
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	assert_string_equal(error.code, "file.directory");
	assert_non_null(strstr(error.text, "nowhere"));
}

static void settings_that_cannot_work_are_refused(void **state)
{
	static const char *const wrong[][4] = {
		{"drop/", NULL, NULL, "file.pattern"},
		{"dr*/a.edi", NULL, NULL, "file.pattern"},
		{"drop/*", "marker", "a/b", "file.marker"},
		{"drop/*", "after", "move", "file.to"},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct error error = {0};
		const struct endpoint *endpoint =
			test_endpoint(w.arena, "file", w.root, file_source_ops.options, file_source_ops.settings_size,
				      "file", wrong[i][0], wrong[i][1], wrong[i][2], NULL);

		assert_null(file_source_ops.open(endpoint, &error));
		assert_int_equal(error.class, ERROR_FATAL);
		assert_string_equal(error.code, wrong[i][3]);
	}
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

static void a_file_that_changed_is_left_for_the_next_look(void **state)
{
	struct document *document;
	struct error error = {0};

	source_with("drop/*.edi", "age", "0s", NULL, NULL);
	put("a.edi", "first");
	document = one();
	put("a.edi", "first and more");
	assert_int_equal(file_source_ops.fetch(w.source, document, w.vault, &error), -1);
	assert_string_equal(error.code, "file.changed");
	assert_int_equal(error.class, ERROR_RETRY);
	forget(document);
	document = one();
	fetch(document);
	assert_int_equal(document->stored.size, 14);
	put("a.edi", "first and more and yet more");
	settle(document, SETTLE_ACCEPTED); /* that version is safe; what came since is not it */
	assert_true(there("drop/a.edi"));
	document = one();
	fetch(document);
	assert_int_equal(document->stored.size, 27);
	settle(document, SETTLE_ACCEPTED);
	assert_true(holds(archived("a.edi"), "first and more and yet more"));
}

static void a_file_that_is_too_large_is_refused_and_set_aside(void **state)
{
	struct document *document;
	struct error error = {0};

	source_with("drop/*", "age", "0s", "max-size", "10");
	put("a.edi", "eleven byte");
	document = one();
	assert_int_equal(file_source_ops.fetch(w.source, document, w.vault, &error), -1);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(error.code, "document.too-large");
	settle(document, SETTLE_REFUSED);
	assert_true(holds("drop/rejected/a.edi", "eleven byte"));
	none(); /* and rejected/ is not reported, though the pattern fits */
}

static void names_that_are_not_utf8_are_shown_readably(void **state)
{
	struct document *document;

	source_with("drop/*", "age", "0s", NULL, NULL);
	put("a\xff\n.edi", "x");
	document = one();
	assert_true(span_is(document->name, "a\\xff\\x0a.edi"));
	assert_true(span_is(document->identity_text, "a\xff\n.edi"));
	forget(document);
}

static void fifty_thousand_files_are_listed_once(void **state)
{
	struct document *documents[100];
	char name[32];
	size_t total = 0, found;
	int64_t began;
	int folder = open(w.drop, O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < 50000; i++) {
		snprintf(name, sizeof name, "%05d.edi", (i * 7919) % 50000);
		close(openat(folder, name, O_WRONLY | O_CREAT, 0644));
	}
	close(folder);
	source_with("drop/*.edi", "age", "0s", "order", "name");
	began = clock_tick_ms();
	while (total < 50000 && (found = look(documents, 100))) {
		snprintf(name, sizeof name, "%05zu.edi", total);
		assert_true(span_is(documents[0]->name, name));
		for (size_t i = 0; i < found; i++)
			forget(documents[i]);
		total += found;
	}
	assert_int_equal(total, 50000);
	assert_true(clock_tick_ms() - began < 10000); /* a listing for each batch would take minutes */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_taken_when_it_has_stood_still_for_long_enough),
		TEST(a_file_that_grows_is_not_taken),
		TEST(temporary_names_are_left_alone),
		TEST(ones_own_patterns_replace_the_usual_ones),
		TEST(only_names_of_the_pattern_are_taken),
		TEST(a_marker_is_waited_for_and_goes_with_its_file),
		TEST(a_marker_older_than_its_file_does_not_count),
		TEST(order_by_name_or_by_time),
		TEST(what_is_not_a_regular_file_is_reported_once_and_never_hangs),
		TEST(a_file_that_becomes_a_fifo_before_it_is_read_does_not_hang),
		TEST(an_unreadable_file_is_reported_once),
		TEST(a_folder_that_may_not_be_changed_pauses_the_endpoint),
		TEST(a_missing_folder_is_named),
		TEST(settings_that_cannot_work_are_refused),
		TEST(a_file_that_changed_is_left_for_the_next_look),
		TEST(a_file_that_is_too_large_is_refused_and_set_aside),
		TEST(names_that_are_not_utf8_are_shown_readably),
		TEST(fifty_thousand_files_are_listed_once),
	};

	log_levels("error");
	return cmocka_run_group_tests_name("file source", tests, NULL, NULL);
}
