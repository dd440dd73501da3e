/* SFTP where things go wrong: servers that say nothing, lines that break in any place, and files that change under our
 * hands. On a real server, with a line of our own in between. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker-adapters/sftp/sftp_files.h"
#include "tests/support/sftp_lab.h"
#include "tests/support/sftp_try.h"
#include "tests/support/support.h"

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

/* libssh2 1.10 leaks for each key that it cannot read, within libcrypto, which has no frame pointers: so that it can be
 * told from a leak of ours (tests/lsan.supp). */
const char *__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}
#endif

static char *root;
static struct arena *arena;
static pid_t line;

static int set_up(void **state)
{
	sftp_lab_need();
	sftp_lab_clean();
	root = support_tmpdir();
	arena = arena_new();
	line = 0;
	return 0;
}

static int tear_down(void **state)
{
	if (line > 0) {
		kill(line, SIGKILL);
		waitpid(line, NULL, 0);
	}
	support_rmtree(root);
	free(root);
	arena_free(arena);
	return 0;
}

/* ---- a line in between ------------------------------------------------------------------------------------------ */

static int listen_somewhere(char port[8])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	snprintf(port, 8, "%d", ntohs(at.sin_port));
	return fd;
}

static int connect_to_lab(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_port = htons((uint16_t)atoi(sftp_lab_need()->port));
	return connect(fd, (struct sockaddr *)&at, sizeof at) ? -1 : fd;
}

/* Lasts as long as the next three. */
static const char *below(const char *name)
{
	static char paths[4][512];
	static unsigned n;

	snprintf(paths[++n % 4], sizeof paths[0], "%s/%s", root, name);
	return paths[n % 4];
}

/* Until so many bytes are through, nothing came for `quiet` milliseconds, or the clock says `until`: then true. */
static bool pump(int client, int server, long limit, int quiet, int64_t until)
{
	struct pollfd both[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
	char bytes[16384];

	while (poll(both, 2, quiet) > 0 && clock_tick_ms() < until)
		for (int i = 0; i < 2; i++) {
			size_t room = sizeof bytes;
			ssize_t n;

			if (!both[i].revents)
				continue;
			if (limit >= 0 && (long)room > limit)
				room = (size_t)limit;
			n = read(both[i].fd, bytes, room);
			if (n <= 0 || write(both[1 - i].fd, bytes, (size_t)n) != n)
				return false;
			limit -= limit >= 0 ? n : 0;
			if (limit == 0)
				return true;
		}
	return true;
}

/* The first `cuts` connections break after that many bytes of both directions; the others do not. */
static void break_after(char port[8], long bytes, int cuts)
{
	int fd = listen_somewhere(port);

	line = fork();
	if (line == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int client = accept(fd, NULL, NULL), server = connect_to_lab();

			pump(client, server, cuts-- > 0 ? bytes : -1, 10000, INT64_MAX);
			close(client);
			close(server);
		}
	}
	close(fd);
}

/* Connections are forgotten when they carry nothing for so long, as a NAT does: nobody is told, and what is sent goes
 * nowhere. `held` counts them. `deaf`: it takes what is sent as before, but the first one brings nothing back. */
static void forget_after(char port[8], int ms, bool deaf)
{
	int fd = listen_somewhere(port);
	bool first = true;

	line = fork();
	for (; line == 0; first = false) {
		int client = accept(fd, NULL, NULL), note = open(below("held"), O_WRONLY | O_CREAT | O_APPEND, 0600);
		int server;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(note, "x", 1) != 1)
			abort();
		close(note);
		signal(SIGCHLD, SIG_IGN);
		if (fork()) {
			close(client);
			continue;
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		server = connect_to_lab();
		if (!pump(client, server, -1, ms, deaf && first ? clock_tick_ms() + ms : INT64_MAX))
			_exit(0);
		pause(); /* both ends stay open */
	}
	close(fd);
}

static unsigned connections_held(void)
{
	size_t len = 0;
	char *text = support_read(below("held"), &len);

	free(text);
	return (unsigned)len;
}

static void mend(void)
{
	kill(line, SIGKILL);
	waitpid(line, NULL, 0);
	line = 0;
}

/* ---- asking for a folder, the smallest thing that needs all of a connection -------------------------------------- */

static struct endpoint *source_at(const char *port, const char *key, const char *value)
{
	return sftp_lab_endpoint(arena, root, sftp_source_ops.options, sftp_source_ops.settings_size, "outbox/*", "age",
				 "0s", "timeout", "2s", "port", port, key, value, NULL);
}

static void a_server_that_says_nothing_is_given_up_in_time(void **state)
{
	char port[8];
	int fd = listen_somewhere(port);
	int64_t begun = clock_tick_ms();

	source_fails(source_at(port, "interval", "1m"), "sftp.timeout", NULL);
	assert_true(clock_tick_ms() - begun < 6000);
	close(fd);
	source_fails(source_at(port, "interval", "1m"), "sftp.connect", NULL);
}

/* ---- lines that break -------------------------------------------------------------------------------------------- */

static char *random_bytes(size_t size)
{
	char *bytes = mem_alloc(size + 1);
	uint32_t x = 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (char)(x >> 24);
	}
	return bytes;
}

static void put_old(const char *name, struct span content)
{
	char *path = sftp_lab_path("outbox", name);
	struct timespec times[2] = {{.tv_sec = time(NULL) - 5000}, {.tv_sec = time(NULL) - 5000}};

	support_write(path, content);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

static void remove_there(const char *name)
{
	char *path = sftp_lab_path("outbox", name);

	unlink(path);
	free(path);
}

static void reading_goes_on_where_a_line_broke(void **state)
{
	size_t size = 5u << 20;
	char *bytes = random_bytes(size), port[8];
	struct id digest = id_digest(span_make(bytes, size));
	struct error error = {0};
	struct vault *vault = vault_open(below("vault"), &error);
	struct document *document;
	size_t found = 0;
	void *source;

	put_old("large.bin", span_make(bytes, size));
	break_after(port, 1500000, 4);
	source = sftp_source_ops.open(source_at(port, "interval", "1m"), &error);
	assert_int_equal(sftp_source_ops.poll(source, &document, 1, &found, &error), 0);
	assert_int_equal(found, 1);
	if (sftp_source_ops.fetch(source, document, vault, &error))
		fail_msg("%s: %s", error.code, error.text);
	assert_int_equal(document->stored.size, size);
	assert_true(id_equal(&document->stored.digest, &digest));
	assert_int_equal(sftp_source_ops.settle(source, document, SETTLE_ACCEPTED, &error), 0);
	sftp_source_ops.forget(source, document);
	sftp_source_ops.close(source);
	vault_close(vault);
	free(bytes);
}

/* ---- lines that forget ------------------------------------------------------------------------------------------ */

/* As the role does it between two looks. */
static void rest_for(void *source, int ms)
{
	int64_t end = clock_tick_ms() + ms;

	while (clock_tick_ms() < end) {
		sftp_source_ops.rest(source);
		usleep(100000);
	}
}

/* A look that must find this file; how long it took. */
static int64_t finds(void *source, const char *name)
{
	struct document *document;
	struct error error = {0};
	int64_t begun = clock_tick_ms();
	size_t found = 0;

	put_old(name, SPAN_LITERAL("content"));
	if (sftp_source_ops.poll(source, &document, 1, &found, &error))
		fail_msg("%s: %s", error.code, error.text);
	assert_int_equal(found, 1);
	assert_true(span_is(document->name, name));
	sftp_source_ops.forget(source, document);
	remove_there(name);
	return clock_tick_ms() - begun;
}

static void a_held_connection_outlives_a_line_that_forgets_by_its_keep_alives(void **state)
{
	struct error error = {0};
	struct endpoint *endpoint;
	char port[8];
	void *source;

	forget_after(port, 1600, false);
	endpoint = source_at(port, "keep-alive", "1s");
	source = sftp_source_ops.open(endpoint, &error);
	finds(source, "a.xml");
	rest_for(source, 4000);
	assert_true(finds(source, "b.xml") < 1000);
	rest_for(source, 3000);
	assert_true(finds(source, "c.xml") < 1000);
	assert_int_equal(connections_held(), 1);
	sftp_source_ops.close(source);
}

static void without_keep_alives_it_is_forgotten_and_the_next_look_makes_another(void **state)
{
	struct error error = {0};
	struct endpoint *endpoint;
	char port[8];
	void *source;

	forget_after(port, 1600, false);
	endpoint = source_at(port, "keep-alive", "1h");
	source = sftp_source_ops.open(endpoint, &error);
	finds(source, "a.xml");
	rest_for(source, 2500);
	assert_int_equal(connections_held(), 1);
	assert_true(finds(source, "b.xml") >= 1900); /* `timeout` was waited for */
	assert_int_equal(connections_held(), 2);
	sftp_source_ops.close(source);
}

static void a_connection_that_died_while_nothing_was_asked_is_noticed_and_replaced_at_the_next_look(void **state)
{
	struct error error = {0};
	struct endpoint *endpoint;
	char port[8];
	void *source;

	forget_after(port, 1600, true);
	endpoint = source_at(port, "keep-alive", "1s");
	source = sftp_source_ops.open(endpoint, &error);
	finds(source, "a.xml");
	rest_for(source, 5500); /* it goes deaf, is asked for a sign of life, and is given up */
	assert_true(finds(source, "b.xml") < 1500);
	assert_int_equal(connections_held(), 2);
	sftp_lab_do("stop"); /* an end that is told */
	rest_for(source, 300);
	sftp_lab_do("start");
	assert_true(finds(source, "c.xml") < 1500);
	assert_int_equal(connections_held(), 3);
	sftp_source_ops.close(source);
}

static struct endpoint *sink_at(const char *port, const char *key, const char *value)
{
	return sftp_lab_endpoint(arena, root, sftp_sink_ops.options, sftp_sink_ops.settings_size, "inbox/$(.name)",
				 "timeout", "5s", "port", port, key, value, NULL);
}

static void is_there(const char *name, struct span body)
{
	char *path = sftp_lab_path("inbox", name);
	size_t len = 0;
	char *bytes = support_read(path, &len);

	assert_non_null(bytes);
	assert_true(span_equal(span_make(bytes, len), body));
	free(bytes);
	free(path);
}

static void writing_goes_on_where_a_line_broke(void **state)
{
	size_t size = 5u << 20;
	char *bytes = random_bytes(size), port[8];
	struct span body = span_make(bytes, size);
	struct delivery delivery;
	struct endpoint *endpoint;

	break_after(port, 3000000, 1);
	endpoint = sink_at(port, "verify", "content");
	delivery_begin(&delivery, endpoint, "large.bin", body);
	assert_int_equal(delivery_try(&delivery), 0);
	is_there("large.bin", body);
	delivery_end(&delivery);
	free(bytes);
}

/* Whatever was lost, what the next try finds out is right: one file, whole, and nothing beside it. */
static void a_line_that_breaks_anywhere_ends_in_one_file(void **state)
{
	struct span body = SPAN_LITERAL("<order>through a broken line</order>");
	long step = getenv("FERRULE_LONG") ? 100 : 700;
	unsigned whole = 0;

	for (long cut = 100; whole < 2 && cut < 20000; cut += step) {
		char port[8], name[32];
		struct endpoint *endpoint, *direct;
		struct delivery delivery;
		int result;

		snprintf(name, sizeof name, "order-%ld.xml", cut);
		break_after(port, cut, 1000);
		endpoint = sink_at(port, "exists", "refuse");
		direct = sink_at(sftp_lab_need()->port, "exists", "refuse");
		delivery_begin(&delivery, endpoint, name, body);
		result = delivery_try(&delivery);
		whole += result == 0;
		delivery.attempt.endpoint = direct;
		if (result)
			assert_int_equal(delivery_try(&delivery), 0);
		is_there(name, body);
		delivery_end(&delivery);
		mend();
	}
	assert_int_equal(whole, 2);
}

/* ---- targets that exist, folders that refuse --------------------------------------------------------------------- */

static int deliver_to(const char *name, const char *exists, const char *text, struct error *error)
{
	struct endpoint *endpoint = sink_at(sftp_lab_need()->port, "exists", exists);
	struct delivery delivery;
	struct attempt *done = NULL;
	void *sink = sftp_sink_ops.open(error);
	size_t n = 0;
	int result;

	delivery_begin(&delivery, endpoint, name, span_of(text));
	delivery.attempt.key = id_digest(span_of(text));
	result = sftp_sink_ops.prepare(sink, &delivery.attempt, error) ||
				 sftp_sink_ops.start(sink, &delivery.attempt, error) ||
				 sftp_sink_ops.reap(sink, &done, 1, &n, -1, 0, error) || done->error.class != ERROR_NONE
			 ? -1
			 : 0;
	if (done)
		*error = done->error;
	delivery.attempt.settled = true;
	sftp_sink_ops.abandon(sink, &delivery.attempt);
	sftp_sink_ops.close(sink);
	delivery_end(&delivery);
	return result;
}

static void what_exists_is_refused_replaced_or_numbered_alike_on_every_server(void **state)
{
	struct error error = {0};

	assert_int_equal(deliver_to("a b ü.xml", "refuse", "first", &error), 0);
	assert_int_equal(deliver_to("a b ü.xml", "refuse", "second", &error), -1);
	assert_string_equal(error.code, "file.exists");
	assert_int_equal(error.class, ERROR_REJECT);
	is_there("a b ü.xml", SPAN_LITERAL("first"));
	assert_int_equal(deliver_to("a b ü.xml", "number", "third", &error), 0);
	is_there("a b ü.2.xml", SPAN_LITERAL("third"));
	assert_int_equal(deliver_to("a b ü.xml", "replace", "fourth", &error), 0);
	is_there("a b ü.xml", SPAN_LITERAL("fourth"));
}

static void a_folder_that_is_missing_or_forbidden_pauses_the_endpoint(void **state)
{
	char *inbox = sftp_lab_path("inbox", NULL);
	struct error error = {0};

	assert_int_equal(chown(inbox, 0, 0), 0);
	assert_int_equal(chmod(inbox, 0755), 0);
	assert_int_equal(deliver_to("a.xml", "refuse", "x", &error), -1);
	assert_string_equal(error.code, "sftp.permission");
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	rmdir(inbox);
	assert_int_equal(deliver_to("a.xml", "refuse", "x", &error), -1);
	assert_string_equal(error.code, "sftp.missing");
	mkdir(inbox, 0755);
	free(inbox);
}

static void a_file_that_changes_while_it_is_read_is_left(void **state)
{
	struct error error = {0};
	struct vault *vault = vault_open(below("vault"), &error);
	struct document *document;
	size_t found = 0;
	void *source = sftp_source_ops.open(source_at(sftp_lab_need()->port, "interval", "1m"), &error);

	put_old("a.xml", SPAN_LITERAL("12345"));
	assert_int_equal(sftp_source_ops.poll(source, &document, 1, &found, &error), 0);
	put_old("a.xml", SPAN_LITERAL("1234567"));
	assert_int_equal(sftp_source_ops.fetch(source, document, vault, &error), -1);
	assert_string_equal(error.code, "file.changed");
	put_old("a.xml", SPAN_LITERAL("123"));
	assert_int_equal(sftp_source_ops.fetch(source, document, vault, &error), -1);
	assert_string_equal(error.code, "file.changed");
	sftp_source_ops.forget(source, document);
	sftp_source_ops.close(source);
	vault_close(vault);
}

static void a_file_is_taken_when_it_stood_still_or_has_its_marker(void **state)
{
	struct endpoint *endpoint = source_at(sftp_lab_need()->port, "interval", "1m");
	struct sftp_source_settings *settings = (struct sftp_source_settings *)(uintptr_t)endpoint->settings;
	char *path = sftp_lab_path("outbox", "fresh.xml");
	struct error error = {0};
	struct document *document;
	size_t found = 0;
	void *source;

	settings->files.age_ms = 6000; /* not waited for at once */
	source = sftp_source_ops.open(endpoint, &error);
	support_write(path, SPAN_LITERAL("being written"));
	assert_int_equal(sftp_source_ops.poll(source, &document, 1, &found, &error), 0);
	assert_int_equal(found, 0);
	assert_true(sftp_source_ops.pending(source));
	settings->files.age_ms = 50;
	assert_int_equal(sftp_source_ops.poll(source, &document, 1, &found, &error), 0);
	assert_int_equal(found, 1);
	sftp_source_ops.forget(source, document);
	settings->files.marker = ".done";
	assert_int_equal(sftp_source_ops.poll(source, &document, 1, &found, &error), 0);
	assert_int_equal(found, 0);
	put_old("fresh.xml", SPAN_LITERAL("written"));
	put_old("fresh.xml.done", SPAN_NONE);
	assert_int_equal(sftp_source_ops.poll(source, &document, 1, &found, &error), 0);
	assert_int_equal(found, 1);
	assert_int_equal(sftp_source_ops.settle(source, document, SETTLE_ACCEPTED, &error), 0);
	sftp_source_ops.forget(source, document);
	free(path);
	path = sftp_lab_path("outbox", "fresh.xml.done");
	assert_int_equal(access(path, F_OK), -1);
	free(path);
	sftp_source_ops.close(source);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_server_that_says_nothing_is_given_up_in_time),
		TEST(reading_goes_on_where_a_line_broke),
		TEST(writing_goes_on_where_a_line_broke),
		TEST(a_line_that_breaks_anywhere_ends_in_one_file),
		TEST(a_held_connection_outlives_a_line_that_forgets_by_its_keep_alives),
		TEST(without_keep_alives_it_is_forgotten_and_the_next_look_makes_another),
		TEST(a_connection_that_died_while_nothing_was_asked_is_noticed_and_replaced_at_the_next_look),
		TEST(what_exists_is_refused_replaced_or_numbered_alike_on_every_server),
		TEST(a_folder_that_is_missing_or_forbidden_pauses_the_endpoint),
		TEST(a_file_that_changes_while_it_is_read_is_left),
		TEST(a_file_is_taken_when_it_stood_still_or_has_its_marker),
	};

	cmocka_set_test_filter(getenv("FERRULE_ONLY"));
	return cmocka_run_group_tests_name("sftp in trouble on " SFTP_LAB, tests, NULL, NULL);
}
