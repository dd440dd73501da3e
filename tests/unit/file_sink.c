/* The file sink's own behaviour: names from messages, what is there already, errors of the folder, what is left
 * behind. */
#include "config.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/adapter.h"
#include "base/clock.h"
#include "tests/conformance/endpoint.h"
#include "tests/support/support.h"

extern const struct sink_ops file_sink_ops;

static struct {
	char *root, *in;
	struct arena *arena;
	const struct endpoint *endpoint;
	void *sink;
	struct message *message;
	struct attempt attempt;
	struct error error;
} w;

static int set_up(void **state)
{
	memset(&w, 0, sizeof w);
	w.root = support_tmpdir();
	w.in = support_path(w.root, "in");
	mkdir(w.in, 0755);
	w.arena = arena_new();
	w.sink = file_sink_ops.open(&w.error);
	return 0;
}

static void end(bool settled)
{
	if (!w.message)
		return;
	w.attempt.settled = settled;
	file_sink_ops.abandon(w.sink, &w.attempt);
	buf_free(&w.attempt.receipt);
	message_free(w.message);
	w.message = NULL;
}

static int tear_down(void **state)
{
	end(false);
	file_sink_ops.close(w.sink);
	arena_free(w.arena);
	support_rmtree(w.root);
	free(w.root);
	free(w.in);
	return 0;
}

static void sink_with(const char *file, const char *key, const char *value, const char *key2, const char *value2)
{
	w.endpoint = test_endpoint(w.arena, "file", w.root, file_sink_ops.options, file_sink_ops.settings_size, "file",
				   file, key, value, key ? key2 : NULL, value2, NULL);
}

/* A message with that number; -1 when its address is refused. */
static int address(json_t *body)
{
	struct expression_input input = {.body = body};
	int result;

	end(false);
	w.message = message_new();
	memset(&w.attempt, 0, sizeof w.attempt);
	error_clear(&w.error);
	result = file_sink_ops.address(w.endpoint, &input, w.message, &w.error);
	json_decref(body);
	return result;
}

static void message(const char *number, const char *content)
{
	if (address(json_pack("{s:s}", "n", number)))
		fail_msg("%s", w.error.text);
	w.message->id = id_digest(span_of(number));
	message_body_take(w.message, reader_new_copy(span_of(content)));
	w.attempt.endpoint = w.endpoint;
	w.attempt.message = w.message;
	w.attempt.key = effect_key("e", w.message);
	buf_init(&w.attempt.receipt, 4096);
}

static int attempt(void)
{
	struct attempt *done = NULL;
	size_t n = 0;

	error_clear(&w.error);
	if (!w.attempt.prepared && file_sink_ops.prepare(w.sink, &w.attempt, &w.error))
		return -1;
	w.attempt.first_ms = 1;
	if (file_sink_ops.start(w.sink, &w.attempt, &w.error))
		return -1;
	assert_int_equal(file_sink_ops.reap(w.sink, &done, 1, &n, -1, 0, &w.error), 0);
	assert_int_equal(n, 1);
	w.error = done->error;
	return w.error.class == ERROR_NONE ? 0 : -1;
}

static void deliver(const char *number, const char *content)
{
	message(number, content);
	if (attempt())
		fail_msg("%s: %s", w.error.code, w.error.text);
	end(true);
}

static bool holds(const char *path, const char *text)
{
	char *whole = support_path(w.root, path), *content = support_read(whole, NULL);
	bool same = content && !strcmp(content, text);

	free(whole);
	free(content);
	return same;
}

static unsigned hidden(void)
{
	char command[600];
	FILE *list;
	unsigned n = 0;

	snprintf(command, sizeof command, "ls -A '%s' | grep -c '^[.]'", w.in);
	list = popen(command, "r");
	if (fscanf(list, "%u", &n) != 1)
		n = 99;
	pclose(list);
	return n;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

static void a_value_cannot_lead_out_of_the_folder_or_hide_the_file(void **state)
{
	static const char *const bad[] = {"../../etc/passwd",
					  "a/b",
					  "/etc/passwd",
					  "..",
					  ".",
					  ".bashrc",
					  "a\nb",
					  "a\tb",
					  "a\x7f"
					  "b",
					  "a\\b",
					  "a\xc2\x85"
					  "b",
					  "",
					  "..\\x"};

	sink_with("in/$(.n)", NULL, NULL, NULL, NULL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (!address(json_pack("{s:s}", "n", bad[i])))
			fail_msg("\"%s\" was let through", bad[i]);
		assert_int_equal(w.error.class, ERROR_REJECT);
		assert_string_equal(w.error.code, "file.name");
	}
	assert_int_equal(address(json_pack("{s:s#}", "n", "a\0b", 3)), -1);
}

static void the_refusal_says_which_value(void **state)
{
	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	assert_int_equal(address(json_pack("{s:s}", "n", "../PO\n4711")), -1);
	assert_non_null(strstr(w.error.text, "../PO\\x0a4711"));
}

static void names_with_dots_and_umlauts_inside_are_fine(void **state)
{
	static const char *const good[] = {"PO-4711", "a..b", "Größe 5", "a.b.c", "-rf", "100%"};

	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(address(json_pack("{s:s}", "n", good[i])), 0);
}

static void a_missing_value_is_refused_wherever_it_stands(void **state)
{
	static const char *const templates[] = {"in/$(.none)/x.xml", "in/$(.none).xml", "$(.none)/x.xml",
						"in/.$(.none)/x", "in/..$(.none)/x"};

	for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
		sink_with(templates[i], NULL, NULL, NULL, NULL);
		assert_int_equal(address(json_pack("{s:s}", "n", "1")), -1);
		assert_string_equal(w.error.code, "file.name");
	}
}

static void lengths_have_limits(void **state)
{
	char value[1200];

	memset(value, 'x', sizeof value);
	value[201] = '\0';
	sink_with("in/$(.n)", NULL, NULL, NULL, NULL);
	assert_int_equal(address(json_pack("{s:s}", "n", value)), -1);
	value[200] = '\0';
	assert_int_equal(address(json_pack("{s:s}", "n", value)), 0);
	sink_with("in/$(.n)$(.n)", NULL, NULL, NULL, NULL);
	assert_int_equal(address(json_pack("{s:s}", "n", value)), -1);
	sink_with("in/$(.n)/$(.n)/$(.n)/$(.n)/$(.n)/$(.n)", NULL, NULL, NULL, NULL);
	assert_int_equal(address(json_pack("{s:s}", "n", value)), -1);
}

/* ---- what is there already ------------------------------------------------------------------------------------ */

static void an_existing_file_is_refused_and_nothing_stays_behind(void **state)
{
	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	deliver("1", "first");
	message("1", "second");
	assert_int_equal(attempt(), -1);
	assert_int_equal(w.error.class, ERROR_REJECT);
	assert_string_equal(w.error.code, "file.exists");
	assert_string_equal(w.attempt.error.code, "file.exists");
	end(true);
	assert_true(holds("in/1.xml", "first"));
	assert_int_equal(hidden(), 0);
}

static void what_was_delivered_and_recognised_does_not_look_like_a_conflict(void **state)
{
	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	deliver("1", "first");
	message("1", "first");
	assert_int_equal(file_sink_ops.prepare(w.sink, &w.attempt, &w.error), 0); /* the store then says DONE */
	w.attempt.first_ms = 1;
	end(true);
	assert_true(holds("in/1.xml", "first"));
	assert_int_equal(hidden(), 0);
}

static void an_existing_file_is_replaced_or_numbered_when_asked(void **state)
{
	sink_with("in/$(.n).xml", "exists", "replace", NULL, NULL);
	deliver("1", "first");
	message("1", "second");
	assert_int_equal(attempt(), 0);
	assert_non_null(strstr(w.attempt.receipt.data, "\"replaced\":true"));
	end(true);
	assert_true(holds("in/1.xml", "second"));
	sink_with("in/$(.n).xml", "exists", "number", NULL, NULL);
	message("1", "third");
	assert_int_equal(attempt(), 0);
	assert_non_null(strstr(w.attempt.receipt.data, "\"path\":\"in/1.2.xml\""));
	end(true);
	deliver("1", "fourth");
	assert_true(holds("in/1.xml", "second"));
	assert_true(holds("in/1.2.xml", "third"));
	assert_true(holds("in/1.3.xml", "fourth"));
	assert_int_equal(hidden(), 0);
}

static void only_a_regular_file_is_replaced(void **state)
{
	char *path = support_path(w.in, "1.xml");

	sink_with("in/$(.n).xml", "exists", "replace", NULL, NULL);
	mkfifo(path, 0644);
	message("1", "x");
	alarm(10);
	assert_int_equal(attempt(), -1);
	alarm(0);
	assert_string_equal(w.error.code, "file.exists");
	free(path);
}

/* ---- the folder ----------------------------------------------------------------------------------------------- */

static void a_missing_directory_is_named_or_made(void **state)
{
	struct stat st;
	char *path = support_path(w.root, "new/1");

	sink_with("new/$(.n)/a.xml", NULL, NULL, NULL, NULL);
	message("1", "x");
	assert_int_equal(attempt(), -1);
	assert_int_equal(w.error.class, ERROR_RETRY);
	assert_int_equal(w.error.scope, SCOPE_ENDPOINT);
	assert_string_equal(w.error.code, "file.directory");
	assert_non_null(strstr(w.error.text, path));
	sink_with("new/$(.n)/a.xml", "create", "true", NULL, NULL);
	deliver("1", "x");
	assert_true(holds("new/1/a.xml", "x"));
	assert_int_equal(stat(path, &st), 0);
	free(path);
}

static void a_fifo_in_place_of_the_folder_does_not_hang(void **state)
{
	rmdir(w.in);
	mkfifo(w.in, 0644);
	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	message("1", "x");
	alarm(10);
	assert_int_equal(attempt(), -1);
	alarm(0);
	assert_int_equal(w.error.class, ERROR_RETRY);
	assert_string_equal(w.error.code, "file.directory");
	unlink(w.in);
}

static void the_mode_is_as_asked(void **state)
{
	struct stat st;
	char *path = support_path(w.in, "1.xml");

	sink_with("in/$(.n).xml", "mode", "0664", NULL, NULL);
	deliver("1", "x");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0664);
	free(path);
}

static void a_folder_without_permission_pauses_the_endpoint(void **state)
{
	struct passwd *nobody = getpwnam("nobody");
	pid_t child;
	int status;

	if (geteuid() == 0 && !nobody)
		skip();
	chmod(w.root, 0755);
	if (geteuid())
		chmod(w.in, 0555);
	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	message("1", "x");
	child = fork();
	if (!child) {
		if (geteuid() == 0 && (setgid(nobody->pw_gid) || setuid(nobody->pw_uid)))
			_exit(2);
		_exit(attempt() == -1 && w.error.class == ERROR_RETRY && w.error.scope == SCOPE_ENDPOINT &&
				      !strcmp(w.error.code, "file.permission")
			      ? 0
			      : 1);
	}
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_full_or_read_only_disk_pauses_the_endpoint_and_leaves_nothing(void **state)
{
	char *big = mem_alloc(200001);

	memset(big, 'x', 200000);
	if (mount("none", w.in, "tmpfs", 0, "size=64k")) {
		free(big);
		skip();
	}
	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	message("1", big);
	assert_int_equal(attempt(), -1);
	assert_string_equal(w.error.code, "file.full");
	assert_int_equal(w.error.class, ERROR_RETRY);
	assert_int_equal(w.error.scope, SCOPE_ENDPOINT);
	assert_int_equal(hidden(), 0);
	assert_int_equal(mount("none", w.in, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64k"), 0);
	message("2", "x");
	assert_int_equal(attempt(), -1);
	assert_string_equal(w.error.code, "file.read-only");
	assert_int_equal(w.error.class, ERROR_RETRY);
	end(false);
	umount(w.in);
	free(big);
}

/* ---- finding out ---------------------------------------------------------------------------------------------- */

static enum resolved find_out(void)
{
	enum resolved answer = RESOLVED_UNKNOWN;

	if (file_sink_ops.resolve(w.sink, &w.attempt, &answer, &w.error))
		fail_msg("%s", w.error.text);
	return answer;
}

static void without_a_witness_nobody_can_know(void **state)
{
	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	message("1", "x");
	w.attempt.first_ms = 1;
	assert_int_equal(find_out(), RESOLVED_UNKNOWN); /* as in a folder where another disk is mounted now */
	assert_int_equal(file_sink_ops.prepare(w.sink, &w.attempt, &w.error), 0);
	assert_int_equal(find_out(), RESOLVED_UNKNOWN); /* what this attempt made itself says nothing of the first */
}

static void a_person_can_have_it_sent_again(void **state)
{
	sink_with("in/$(.n).xml", "exists", "number", NULL, NULL);
	message("1", "x");
	assert_int_equal(attempt(), 0);
	end(false); /* in doubt: what tells stays */
	assert_int_equal(hidden(), 1);
	message("1", "x");
	assert_int_equal(attempt(), 0); /* the store said: go */
	end(true);
	assert_true(holds("in/1.xml", "x"));
	assert_true(holds("in/1.2.xml", "x"));
	assert_int_equal(hidden(), 0);
}

static void an_unsettled_intent_keeps_what_was_prepared(void **state)
{
	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	message("1", "x");
	assert_int_equal(file_sink_ops.prepare(w.sink, &w.attempt, &w.error), 0);
	w.attempt.first_ms = 1;
	end(false);
	assert_int_equal(hidden(), 2);
	message("1", "x");
	w.attempt.first_ms = 1;
	assert_int_equal(find_out(), RESOLVED_NOT);
	end(true);
	assert_int_equal(hidden(), 0);
}

#ifdef FERRULE_FAULTS
static void a_folder_that_cannot_be_synced_is_a_doubt_that_resolves(void **state)
{
	pid_t child;
	int status;

	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	message("1", "x");
	child = fork();
	if (!child) {
		enum resolved answer = RESOLVED_UNKNOWN;

		setenv("FERRULE_FAULTS", "file.sync-fails:2=fail,file.sync-fails:2=fail", 1);
		if (attempt() != -1 || w.error.class != ERROR_DOUBT)
			_exit(1);
		/* A receipt must not be more durable than its file. */
		if (!file_sink_ops.resolve(w.sink, &w.attempt, &answer, &w.error) || w.error.class != ERROR_RETRY)
			_exit(2);
		_exit(find_out() == RESOLVED_HAPPENED ? 0 : 3);
	}
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

static bool is_needed(void *arg, const struct id *key)
{
	return id_equal(arg, key);
}

static void what_nobody_needs_is_swept(void **state)
{
	struct id needed;
	unsigned removed = 99;

	sink_with("in/$(.n).xml", NULL, NULL, NULL, NULL);
	for (int i = 0; i < 3; i++) {
		char number[2] = {(char)('0' + i), '\0'};

		message(number, "x");
		needed = w.attempt.key;
		assert_int_equal(file_sink_ops.prepare(w.sink, &w.attempt, &w.error), 0);
		w.attempt.first_ms = 1;
		end(false);
	}
	assert_int_equal(hidden(), 6);
	assert_int_equal(file_sink_ops.sweep(w.sink, w.endpoint, 3600000, is_needed, &needed, &removed, &w.error), 0);
	assert_int_equal(removed, 0);
	usleep(20000);
	assert_int_equal(file_sink_ops.sweep(w.sink, w.endpoint, 0, is_needed, &needed, &removed, &w.error), 0);
	assert_int_equal(removed, 4);
	assert_int_equal(hidden(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_cannot_lead_out_of_the_folder_or_hide_the_file),
		TEST(the_refusal_says_which_value),
		TEST(names_with_dots_and_umlauts_inside_are_fine),
		TEST(a_missing_value_is_refused_wherever_it_stands),
		TEST(lengths_have_limits),
		TEST(an_existing_file_is_refused_and_nothing_stays_behind),
		TEST(what_was_delivered_and_recognised_does_not_look_like_a_conflict),
		TEST(an_existing_file_is_replaced_or_numbered_when_asked),
		TEST(only_a_regular_file_is_replaced),
		TEST(a_missing_directory_is_named_or_made),
		TEST(a_fifo_in_place_of_the_folder_does_not_hang),
		TEST(the_mode_is_as_asked),
		TEST(a_folder_without_permission_pauses_the_endpoint),
		TEST(a_full_or_read_only_disk_pauses_the_endpoint_and_leaves_nothing),
		TEST(without_a_witness_nobody_can_know),
		TEST(a_person_can_have_it_sent_again),
		TEST(an_unsettled_intent_keeps_what_was_prepared),
#ifdef FERRULE_FAULTS
		TEST(a_folder_that_cannot_be_synced_is_a_doubt_that_resolves),
#endif
		TEST(what_nobody_needs_is_swept),
	};

	return cmocka_run_group_tests_name("file sink", tests, NULL, NULL);
}
