/* Many small files side by side over SFTP: all of them, each once, in few round trips; and when a line breaks among
 * them, as if each had gone alone. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/sftp_lab.h"
#include "tests/support/sftp_try.h"
#include "tests/support/support.h"

#define FILES 90
#define LONG 300000u

static char *root;
static struct arena *arena;
static struct vault *vault;
static char bytes[LONG];

static int set_up(void **state)
{
	struct error error = {0};
	char *path;

	sftp_lab_need();
	sftp_lab_clean();
	root = support_tmpdir();
	arena = arena_new();
	path = support_path(root, "vault");
	vault = vault_open(path, &error);
	free(path);
	for (size_t i = 0; i < LONG; i++)
		bytes[i] = (char)('a' + i * 7 % 23);
	return 0;
}

static int tear_down(void **state)
{
	vault_close(vault);
	support_rmtree(root);
	free(root);
	arena_free(arena);
	return 0;
}

/* Of every size, one of them too large to go with the others. */
static struct span content_of(unsigned i)
{
	return i == 40 ? span_make(bytes, LONG) : span_make(bytes, i * 61);
}

static const char *name_of(unsigned i)
{
	static char names[4][40];
	static unsigned at;

	snprintf(names[++at % 4], sizeof names[0], "file-%03u.edi", i);
	return names[at % 4];
}

static unsigned all_in(const char *folder)
{
	char *path = sftp_lab_path(folder, NULL);
	unsigned n = support_count(path);

	free(path);
	return n;
}

static bool has(const char *folder, unsigned i)
{
	char *path = sftp_lab_path(folder, name_of(i)), *text;
	size_t len = 0;
	bool same;

	text = support_read(path, &len);
	same = text && span_equal(span_make(text, len), content_of(i));
	free(text);
	free(path);
	return same;
}

static void tell(const char *script)
{
	char *path = mem_printf("%s/lies/script", sftp_lab_need()->directory),
	     *fired = mem_printf("%s/lies/fired", sftp_lab_need()->directory);

	support_write(path, span_of(script));
	chmod(path, 0644);
	unlink(fired);
	free(path);
	free(fired);
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

struct batch {
	struct delivery all[FILES];
	int ended[FILES]; /* 0 not yet, 1 delivered, -1 refused */
	unsigned count;
};

static struct endpoint *sink_with(const char *key, const char *value)
{
	return sftp_lab_endpoint(arena, root, sftp_sink_ops.options, sftp_sink_ops.settings_size, "inbox/$(.name)",
				 "timeout", "5s", key, value, NULL);
}

static void batch_begin(struct batch *batch, const struct endpoint *endpoint, unsigned count, const char *one_name)
{
	memset(batch, 0, sizeof *batch);
	batch->count = count;
	for (unsigned i = 0; i < count; i++) {
		delivery_begin(&batch->all[i], endpoint, one_name ? one_name : name_of(i), content_of(i));
		batch->all[i].attempt.key = id_digest(span_of(name_of(i)));
	}
}

static void batch_end(struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++)
		delivery_end(&batch->all[i]);
}

static unsigned at_end(const struct batch *batch)
{
	unsigned n = 0;

	for (unsigned i = 0; i < batch->count; i++)
		n += batch->ended[i] != 0;
	return n;
}

/* Its intent was stored before this: what became of it? */
static bool is_found(struct batch *batch, void *sink, unsigned i)
{
	enum resolved answer = RESOLVED_UNKNOWN;
	struct error error = {0};

	if (sftp_sink_ops.resolve(sink, &batch->all[i].attempt, &answer, &error))
		return true; /* not now */
	assert_int_not_equal(answer, RESOLVED_UNKNOWN);
	batch->ended[i] = answer == RESOLVED_HAPPENED;
	return batch->ended[i];
}

static void reap_all(struct batch *batch, void *sink, unsigned started)
{
	struct attempt *done[16];
	struct error error = {0};

	while (started) {
		size_t n = 0;

		assert_int_equal(sftp_sink_ops.reap(sink, done, 16, &n, -1, 0, &error), 0);
		assert_true(n > 0 && n <= started);
		started -= (unsigned)n;
		for (size_t j = 0; j < n; j++) {
			unsigned i = (unsigned)((struct delivery *)done[j]->user - batch->all);
			enum error_class class = done[j]->error.class;

			batch->ended[i] = class == ERROR_NONE ? 1 : class == ERROR_REJECT ? -1 : 0;
			batch->all[i].intended = class == ERROR_DOUBT;
			done[j]->settled = class != ERROR_DOUBT;
		}
	}
}

/* As the role does it with what it took together. */
static void deliver_once(struct batch *batch, void *sink)
{
	struct attempt *attempts[FILES];
	struct error error = {0};
	unsigned n = 0, started = 0;

	for (unsigned i = 0; i < batch->count; i++) {
		struct attempt *attempt = &batch->all[i].attempt;

		attempt->user = &batch->all[i];
		attempt->settled = false;
		attempt->first_ms = batch->all[i].intended;
		if (!batch->ended[i])
			attempts[n++] = attempt;
	}
	for (unsigned i = 0; i < n; i += 64)
		sftp_sink_ops.ahead(sink, attempts + i, n - i < 64 ? n - i : 64);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = (unsigned)((struct delivery *)attempts[i]->user - batch->all);

		if (sftp_sink_ops.prepare(sink, attempts[i], &error) ||
		    (batch->all[at].intended && is_found(batch, sink, at)))
			continue;
		attempts[i]->first_ms = 1;
		assert_int_equal(sftp_sink_ops.start(sink, attempts[i], &error), 0);
		started++;
	}
	reap_all(batch, sink, started);
	for (unsigned i = 0; i < n; i++) {
		attempts[i]->settled |= batch->ended[(struct delivery *)attempts[i]->user - batch->all] != 0;
		sftp_sink_ops.abandon(sink, attempts[i]);
	}
}

static void deliver(struct batch *batch, unsigned rounds)
{
	struct error error = {0};
	void *sink = sftp_sink_ops.open(&error);

	while (at_end(batch) < batch->count && rounds--)
		deliver_once(batch, sink);
	sftp_sink_ops.close(sink);
	assert_int_equal(at_end(batch), batch->count);
}

static void many_go_side_by_side_and_arrive_whole(void **state)
{
	struct batch batch;

	batch_begin(&batch, sink_with("exists", "refuse"), FILES, NULL);
	deliver(&batch, 1);
	for (unsigned i = 0; i < FILES; i++)
		assert_true(has("inbox", i));
	assert_int_equal(all_in("inbox"), FILES);
	batch_end(&batch);
}

static void of_many_with_one_name_one_has_it(void **state)
{
	struct batch batch;
	unsigned delivered = 0;

	batch_begin(&batch, sink_with("exists", "refuse"), 30, "same.edi");
	deliver(&batch, 1);
	for (unsigned i = 0; i < 30; i++)
		delivered += batch.ended[i] == 1;
	assert_int_equal(delivered, 1);
	assert_int_equal(all_in("inbox"), 1);
	batch_end(&batch);
	sftp_lab_clean();
	batch_begin(&batch, sink_with("exists", "number"), 30, "same.edi");
	deliver(&batch, 1);
	assert_int_equal(all_in("inbox"), 30);
	batch_end(&batch);
}

/* ---- in -------------------------------------------------------------------------------------------------------- */

static struct endpoint *source_with(const char *key, const char *value)
{
	return sftp_lab_endpoint(arena, root, sftp_source_ops.options, sftp_source_ops.settings_size, "outbox/*", "age",
				 "0s", "timeout", "5s", "after", "move", "to", "archive/kept", "order", "name", key,
				 value, NULL);
}

static void put_all(void)
{
	for (unsigned i = 0; i < FILES; i++) {
		char *path = sftp_lab_path("outbox", name_of(i));

		support_write(path, content_of(i));
		free(path);
	}
}

/* As the role does it: how many were put away. *seen counts how often each was accepted. */
static unsigned take_once(void *source, unsigned seen[FILES])
{
	struct document *documents[100];
	enum settlement how[100];
	struct error error = {0};
	size_t found = 0, kept = 0;

	if (sftp_source_ops.poll(source, documents, 100, &found, &error))
		return 0;
	for (size_t i = 0; i < found; i++) {
		unsigned number = (unsigned)atoi(documents[i]->name.data + 5);
		struct id digest = id_digest(content_of(number));

		if (sftp_source_ops.fetch(source, documents[i], vault, &error)) {
			assert_int_equal(error.class, ERROR_RETRY);
			sftp_source_ops.forget(source, documents[i]);
			continue;
		}
		assert_true(id_equal(&documents[i]->stored.digest, &digest));
		how[kept] = seen[number]++ ? SETTLE_DUPLICATE : SETTLE_ACCEPTED;
		documents[kept++] = documents[i];
	}
	if (kept && sftp_source_ops.settle_all(source, documents, how, kept, &error))
		assert_int_equal(error.class, ERROR_RETRY);
	for (size_t i = 0; i < kept; i++)
		sftp_source_ops.forget(source, documents[i]);
	return (unsigned)kept;
}

static void take_all(unsigned seen[FILES], unsigned rounds)
{
	struct error error = {0};
	void *source = sftp_source_ops.open(source_with("interval", "1m"), &error);

	assert_non_null(source);
	memset(seen, 0, FILES * sizeof *seen);
	while (all_in("outbox") && rounds--)
		take_once(source, seen);
	sftp_source_ops.close(source);
	assert_int_equal(all_in("outbox"), 0);
}

static void many_come_side_by_side_and_are_put_away(void **state)
{
	unsigned seen[FILES];

	put_all();
	take_all(seen, 1);
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(all_in("archive/kept"), FILES);
}

/* ---- a line that breaks among them ------------------------------------------------------------------------------ */

static void need_liar(void)
{
	if (strcmp(SFTP_LAB, "liar") != 0)
		support_skip("a real server does not break off at a given byte");
}

static const char *break_at(const char *direction, long at, int channels)
{
	static char script[60];

	snprintf(script, sizeof script, "%s %ld %d\n", direction, at, channels);
	tell(script);
	return script;
}

static void all_go_once_though_the_line_breaks_among_them(void **state)
{
	static const char *const directions[] = {"bytes-in", "bytes-out"};

	need_liar();
	for (int i = 0; i < 2; i++)
		for (long at = 700; at < 40000; at = at * 19 / 10) {
			const char *script = break_at(directions[i], at, 1 + (int)(at % 3));
			struct batch batch;

			sftp_lab_clean();
			batch_begin(&batch, sink_with("exists", "refuse"), 35, NULL);
			deliver(&batch, 9);
			for (unsigned j = 0; j < 35; j++)
				if (batch.ended[j] != 1 || !has("inbox", j))
					fail_msg("%s: %s was not delivered", script, name_of(j));
			delivery_sweep(batch.all[0].attempt.endpoint);
			assert_int_equal(all_in("inbox"), 35);
			batch_end(&batch);
		}
	tell("");
}

static void all_come_once_though_the_line_breaks_among_them(void **state)
{
	static const char *const directions[] = {"bytes-in", "bytes-out"};
	unsigned seen[FILES];

	need_liar();
	for (int i = 0; i < 2; i++)
		for (long at = 700; at < 60000; at = at * 19 / 10) {
			const char *script = break_at(directions[i], at, 1 + (int)(at % 3));

			sftp_lab_clean();
			put_all();
			take_all(seen, 9);
			for (unsigned j = 0; j < FILES; j++)
				if (!seen[j])
					fail_msg("%s: %s did not come", script, name_of(j));
			assert_int_equal(all_in("archive/kept"), FILES);
		}
	tell("");
}

/* ---- round trips ----------------------------------------------------------------------------------------------- */

/* A line of 20 ms there and as much back; its port. `end` is for the caller to close. */
static pid_t long_line(char port[8], int *end)
{
	int pipes[2], input[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(input), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(input[0], STDIN_FILENO);
		dup2(pipes[1], STDOUT_FILENO);
		execl("tests/bench/delay", "delay", sftp_lab_need()->port, "20", (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	close(input[0]);
	*end = input[1];
	n = read(pipes[0], port, 7);
	assert_true(n > 1);
	port[n - 1] = '\0';
	close(pipes[0]);
	return pid;
}

static int64_t time_of(void *sink, const struct endpoint *endpoint, unsigned count, const char *name)
{
	struct batch batch;
	int64_t begun;

	batch_begin(&batch, endpoint, count, name);
	begun = clock_tick_ms();
	deliver_once(&batch, sink);
	begun = clock_tick_ms() - begun;
	assert_int_equal(at_end(&batch), count);
	batch_end(&batch);
	return begun;
}

static void many_take_the_round_trips_of_a_few(void **state)
{
	struct endpoint *endpoint;
	struct error error = {0};
	int64_t one, many;
	char port[8];
	void *sink;
	pid_t pid;
	int end;

	if (access("tests/bench/delay", X_OK))
		support_skip("the long line is not built");
	pid = long_line(port, &end);
	endpoint = sink_with("port", port);
	sink = sftp_sink_ops.open(&error);
	time_of(sink, endpoint, 1, "first.edi"); /* connects */
	one = time_of(sink, endpoint, 1, NULL);
	sftp_lab_clean();
	many = time_of(sink, endpoint, 15, NULL);
	if (many > one * 5)
		fail_msg("one takes %lld ms, fifteen take %lld ms", (long long)one, (long long)many);
	sftp_sink_ops.close(sink);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(many_go_side_by_side_and_arrive_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_many_with_one_name_one_has_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_come_side_by_side_and_are_put_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_go_once_though_the_line_breaks_among_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_come_once_though_the_line_breaks_among_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_take_the_round_trips_of_a_few, set_up, tear_down),
	};

	cmocka_set_test_filter(getenv("FERRULE_ONLY"));
	return cmocka_run_group_tests_name("many files by sftp on " SFTP_LAB, tests, NULL, NULL);
}
