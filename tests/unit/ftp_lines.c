/* FTP where things go wrong: servers without TLS and with the wrong certificate, servers that say nothing or never
 * stop, lines that break in any place. On a real server, with a line of our own in between where one is to break. */
#include "config.h"

#include <arpa/inet.h>
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

#include "base/effect.h"
#include "tests/support/ftp_lab.h"
#include "tests/support/support.h"

extern const struct source_ops ftp_source_ops;
extern const struct sink_ops ftp_sink_ops;

static char *root;
static struct arena *arena;
static pid_t line;

static int set_up(void **state)
{
	ftp_lab_need();
	ftp_lab_clean();
	root = support_tmpdir();
	arena = arena_new();
	line = 0;
	return 0;
}

static void mend(void)
{
	if (line <= 0)
		return;
	kill(-line, SIGKILL);
	waitpid(line, NULL, 0);
	line = 0;
}

static int tear_down(void **state)
{
	mend();
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

static int connect_to(unsigned port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_port = htons((uint16_t)port);
	return connect(fd, (struct sockaddr *)&at, sizeof at) ? -1 : fd;
}

static const char *below(const char *name)
{
	static char paths[4][512];
	static unsigned n;

	snprintf(paths[++n % 4], sizeof paths[0], "%s/%s", root, name);
	return paths[n % 4];
}

/* Ends after `limit` bytes of both directions (-1: never); what the client sent of them is added to the file. */
static void pump(int client, int server, long limit, const char *count)
{
	struct pollfd both[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
	long sent = 0;
	char bytes[16384];
	int fd;

	while (poll(both, 2, 10000) > 0)
		for (int i = 0; i < 2; i++) {
			size_t room = limit >= 0 && limit < (long)sizeof bytes ? (size_t)limit : sizeof bytes;
			ssize_t n = both[i].revents ? read(both[i].fd, bytes, room) : -2;

			if (n == -2)
				continue;
			if (n <= 0 || write(both[1 - i].fd, bytes, (size_t)n) != n)
				goto done;
			sent += i == 0 ? n : 0;
			limit -= limit >= 0 ? n : 0;
			if (limit == 0)
				goto done;
		}
done:
	fd = open(count, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dprintf(fd, "%ld\n", sent);
	close(fd);
}

/* An answer to EPSV leads to a line of ours as well. */
static void lead_here(char *text, size_t *n, size_t room, long limit, const char *count)
{
	char *at, port[8];
	unsigned real;
	int fd, tail = 0;

	text[*n] = '\0';
	at = strncmp(text, "229 ", 4) ? NULL : strstr(text, "(|||");
	if (!at || sscanf(at, "(|||%u|)", &real) != 1)
		return;
	fd = listen_somewhere(port);
	*n = (size_t)(at - text);
	tail = snprintf(at, room - *n, "(|||%s|)\r\n", port);
	*n += (size_t)tail;
	if (fork() == 0) {
		int client = accept(fd, NULL, NULL);

		pump(client, connect_to(real), limit, count);
		_exit(0);
	}
	close(fd);
}

/* Commands and answers, at most `limit` bytes of them; the first `cuts` connections for data end after `data` bytes. */
static void control(int client, int server, long limit, long data, int *cuts, const char *count)
{
	struct pollfd both[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
	char text[8192];

	while (limit && poll(both, 2, 20000) > 0)
		for (int i = 0; i < 2 && limit; i++) {
			ssize_t got = both[i].revents ? read(both[i].fd, text, sizeof text - 64) : -2;
			size_t n;

			if (got == -2)
				continue;
			if (got <= 0)
				return;
			n = (size_t)got;
			if (i == 1 && data >= 0 && !strncmp(text, "229 ", 4))
				lead_here(text, &n, sizeof text, *cuts > 0 ? data : -1, count), (*cuts)--;
			if (limit >= 0 && (long)n > limit) { /* a command travels in one packet: all of it is lost */
				n = i == 0 ? 0 : (size_t)limit;
				limit = 0;
			}
			limit -= limit > 0 ? (long)n : 0;
			if (write(both[1 - i].fd, text, n) != (ssize_t)n)
				return;
		}
}

static void go_between(const char *way, char port[8], long limit, long data, int cuts)
{
	unsigned lab = (unsigned)atoi(ftp_lab_port(way));
	char *count = mem_strdup(below("count"));
	int fd = listen_somewhere(port);

	line = fork();
	if (line == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int client = accept(fd, NULL, NULL), server = connect_to(lab);

			control(client, server, limit, data, &cuts, count);
			close(client);
			close(server);
		}
	}
	setpgid(line, line);
	close(fd);
	free(count);
}

static long sent_by_us(void)
{
	char *text = support_read(below("count"), NULL), *at = text;
	long sum = 0;

	while (at && *at) {
		sum += strtol(at, &at, 10);
		at += *at == '\n';
	}
	free(text);
	return sum;
}

#define SOURCE(port, ...)                                                                                              \
	ftp_lab_endpoint(arena, root, ftp_source_ops.options, ftp_source_ops.settings_size, "outbox/*", "age", "0s",   \
			 "timeout", "2s", "port", port, __VA_ARGS__, NULL)

static void put(const char *name, struct span content, int64_t seconds_ago)
{
	char *path = ftp_lab_path("outbox", name);
	struct timespec then = {.tv_sec = time(NULL) - seconds_ago};

	support_write(path, content);
	utimensat(AT_FDCWD, path, (struct timespec[]){then, then}, 0);
	free(path);
}

/* ---- lines that break -------------------------------------------------------------------------------------------- */

static char *random_bytes(size_t size)
{
	char *bytes = mem_alloc(size);
	uint32_t seed = 1;

	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (char)(seed >> 24);
	}
	return bytes;
}

static void read_over_broken_lines(const char *way)
{
	size_t size = ftp_lab_port(way) ? 5u << 20 : 0; /* skips, before there is anything to be freed */
	char *bytes = random_bytes(size), port[8];
	struct id digest = id_digest(span_make(bytes, size));
	struct error error = {0};
	struct vault *vault = vault_open(below("vault"), &error);
	struct document *document;
	size_t found = 0;
	void *source;

	put("large.bin", span_make(bytes, size), 60);
	go_between(way, port, -1, 1500000, 4); /* the listing is one of them, and shorter */
	source = ftp_source_ops.open(SOURCE(port, "tls", "unencrypted"), &error);
	assert_int_equal(ftp_source_ops.poll(source, &document, 1, &found, &error), 0);
	assert_int_equal(found, 1);
	if (ftp_source_ops.fetch(source, document, vault, &error))
		fail_msg("%s: %s", error.code, error.text);
	assert_int_equal(document->stored.size, size);
	assert_true(id_equal(&document->stored.digest, &digest));
	assert_int_equal(ftp_source_ops.settle(source, document, SETTLE_ACCEPTED, &error), 0);
	ftp_source_ops.forget(source, document);
	ftp_source_ops.close(source);
	vault_close(vault);
	free(bytes);
}

static void reading_goes_on_where_a_line_broke(void **state)
{
	read_over_broken_lines("PLAIN");
}

static void reading_goes_on_where_a_server_begins_anew_each_time(void **state)
{
	read_over_broken_lines("WHOLE");
}

struct delivery {
	struct message *message;
	struct attempt attempt;
};

static void begin(struct delivery *delivery, const struct endpoint *endpoint, const char *name, struct span body)
{
	struct error error = {0};
	json_t *value = json_pack("{s:s}", "name", name);
	struct expression_input input = {.body = value};

	delivery->message = message_new();
	delivery->message->id = id_digest(span_of(name));
	message_body_take(delivery->message, reader_new_copy(body));
	message_body_sign(delivery->message, &error);
	assert_int_equal(ftp_sink_ops.address(endpoint, &input, delivery->message, &error), 0);
	delivery->attempt = (struct attempt){.endpoint = endpoint, .message = delivery->message};
	delivery->attempt.key = effect_key(endpoint->name, delivery->message);
	buf_init(&delivery->attempt.receipt, 16384);
	json_decref(value);
}

/* As the role does it, once: 0 delivered, 1 not, -1 in doubt. */
static int try_once(const struct endpoint *endpoint, struct delivery *delivery, bool intended, struct error *error)
{
	struct attempt *done = NULL;
	enum resolved answer = RESOLVED_UNKNOWN;
	void *sink = ftp_sink_ops.open(error);
	size_t n = 0;
	int result = 1;

	if (ftp_sink_ops.prepare(sink, &delivery->attempt, error))
		goto done;
	if (intended) {
		delivery->attempt.first_ms = 1;
		assert_int_equal(ftp_sink_ops.resolve(sink, &delivery->attempt, &answer, error), 0);
		assert_int_not_equal(answer, RESOLVED_UNKNOWN);
		if (answer == RESOLVED_HAPPENED) {
			result = 0;
			delivery->attempt.settled = true;
			goto done;
		}
	}
	delivery->attempt.first_ms = 1;
	assert_int_equal(ftp_sink_ops.start(sink, &delivery->attempt, error), 0);
	assert_int_equal(ftp_sink_ops.reap(sink, &done, 1, &n, -1, 0, error), 0);
	assert_int_equal(n, 1);
	*error = done->error;
	result = error->class == ERROR_NONE ? 0 : error->class == ERROR_DOUBT ? -1 : 1;
	delivery->attempt.settled = result == 0;
done:
	ftp_sink_ops.abandon(sink, &delivery->attempt);
	ftp_sink_ops.close(sink);
	delivery->attempt.first_ms = 0;
	return result;
}

/* As the role does it: again after what ends with RETRY, as a connection does that has no ticket of TLS 1.3 left. */
static int try_on(const struct endpoint *endpoint, struct delivery *delivery, bool intended, struct error *error)
{
	int result = try_once(endpoint, delivery, intended, error);

	for (int tries = 0; result > 0 && error->class == ERROR_RETRY && !strcmp(error->code, "ftp.lost") && tries < 3;
	     tries++)
		result = try_once(endpoint, delivery, intended, error);
	return result;
}

#define SINK(port, ...)                                                                                                \
	ftp_lab_endpoint(arena, root, ftp_sink_ops.options, ftp_sink_ops.settings_size, "inbox/$(.name)", "timeout",   \
			 "5s", "port", port, __VA_ARGS__, NULL)

static void is_there(const char *name, struct span body)
{
	char *path = ftp_lab_path("inbox", name);
	size_t len = 0;
	char *bytes = support_read(path, &len);

	assert_non_null(bytes);
	assert_true(span_equal(span_make(bytes, len), body));
	free(bytes);
	free(path);
}

static void end(struct delivery *delivery)
{
	buf_free(&delivery->attempt.receipt);
	message_free(delivery->message);
}

static void writing_goes_on_where_a_line_broke(void **state)
{
	size_t size = 5u << 20;
	char *bytes = random_bytes(size), port[8];
	struct span body = span_make(bytes, size);
	struct error error = {0};
	struct delivery delivery;
	struct endpoint *endpoint;

	go_between("PLAIN", port, -1, 3000000, 1);
	endpoint = SINK(port, "tls", "unencrypted", "verify", "content");
	begin(&delivery, endpoint, "large.bin", body);
	/* without TLS a broken line is the end of a file for the server: its size tells, and the next try goes on */
	if (try_once(endpoint, &delivery, false, &error)) {
		assert_int_equal(error.class, ERROR_RETRY);
		if (try_once(endpoint, &delivery, false, &error))
			fail_msg("%s: %s", error.code, error.text);
	}
	is_there("large.bin", body);
	mend();
	/* all of it again would be 3,000,000 more */
	assert_in_range(sent_by_us(), (long)size, (long)size + 2999999);
	end(&delivery);
	free(bytes);
}

static void a_part_that_cannot_be_written_over_makes_way(void **state)
{
	size_t size = ftp_lab_port("KEEPS") ? 2u << 20 : 0; /* as above */
	char *bytes = random_bytes(size), port[8];
	struct error error = {0};
	struct delivery delivery;

	go_between("KEEPS", port, -1, 1000000, 1);
	begin(&delivery, SINK(port, "tls", "unencrypted"), "large.bin", span_make(bytes, size));
	if (try_once(delivery.attempt.endpoint, &delivery, false, &error) &&
	    try_once(delivery.attempt.endpoint, &delivery, false, &error))
		fail_msg("%s: %s", error.code, error.text);
	is_there("large.bin", span_make(bytes, size));
	end(&delivery);
	free(bytes);
}

/* Whatever was lost, what the next try finds out is right: one file, whole, and nothing beside it. */
static void a_line_that_breaks_anywhere_ends_in_one_file(void **state)
{
	struct span body = SPAN_LITERAL("<order>through a broken line</order>");
	long step = getenv("FERRULE_LONG") ? 7 : 67;
	unsigned whole = 0;

	for (long cut = 10; whole < 2 && cut < 10000; cut += step) {
		char port[8], name[32];
		struct endpoint *endpoint, *direct;
		struct error error = {0};
		struct delivery delivery;
		int result;

		snprintf(name, sizeof name, "order-%ld.xml", cut);
		go_between("PLAIN", port, cut, -1, 0);
		endpoint = SINK(port, "tls", "unencrypted");
		direct = SINK(ftp_lab_port("PLAIN"), "tls", "unencrypted");
		begin(&delivery, endpoint, name, body);
		result = try_once(endpoint, &delivery, false, &error);
		whole += result == 0;
		delivery.attempt.endpoint = direct;
		if (result && try_on(direct, &delivery, result < 0, &error))
			fail_msg("cut at %ld: %s: %s", cut, error.code, error.text);
		is_there(name, body);
		end(&delivery);
		mend();
	}
	assert_int_equal(whole, 2);
}

/* ---- targets that exist, folders that refuse, with and without facts --------------------------------------------- */

static int deliver_to(const char *port, const char *name, const char *exists, const char *text, struct error *error)
{
	struct endpoint *endpoint = SINK(port, "exists", exists, "tls", "unencrypted");
	struct delivery delivery;
	int result;

	begin(&delivery, endpoint, name, span_of(text));
	delivery.attempt.key = id_digest(span_of(text));
	result = try_on(endpoint, &delivery, false, error);
	if (result) { /* nothing more is wanted of it */
		void *sink = ftp_sink_ops.open(NULL);

		delivery.attempt.settled = true;
		ftp_sink_ops.abandon(sink, &delivery.attempt);
		ftp_sink_ops.close(sink);
	}
	end(&delivery);
	return result ? -1 : 0;
}

static void what_exists_is_refused_replaced_or_numbered_alike(void **state)
{
	static const char *const ways[] = {"PORT", "LIST"};

	for (size_t i = 0; i < 2; i++) {
		const char *port = ftp_lab_port(ways[i]);
		struct error error = {0};

		ftp_lab_clean();
		if (deliver_to(port, "a b ü.xml", "refuse", "first", &error))
			fail_msg("%s: %s: %s", ways[i], error.code, error.text);
		assert_int_equal(deliver_to(port, "a b ü.xml", "refuse", "second", &error), -1);
		assert_string_equal(error.code, "file.exists");
		assert_int_equal(error.class, ERROR_REJECT);
		is_there("a b ü.xml", SPAN_LITERAL("first"));
		assert_int_equal(deliver_to(port, "a b ü.xml", "number", "third", &error), 0);
		is_there("a b ü.2.xml", SPAN_LITERAL("third"));
		assert_int_equal(deliver_to(port, "a b ü.xml", "replace", "fourth", &error), 0);
		is_there("a b ü.xml", SPAN_LITERAL("fourth"));
	}
}

static void what_may_not_be_replaced_waits_and_is_not_dead(void **state)
{
	const char *port = ftp_lab_port("FORBIDS");
	struct error error = {0};

	assert_int_equal(deliver_to(port, "a.xml", "replace", "first", &error), 0);
	assert_int_equal(deliver_to(port, "a.xml", "replace", "second", &error), -1);
	assert_int_equal(error.class, ERROR_RETRY);
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	is_there("a.xml", SPAN_LITERAL("first"));
}

static struct remote_ops rival_ops;

static struct remote *rival_open(const struct endpoint *endpoint, struct error *error)
{
	struct remote *remote = ftp_remote_ops.open(endpoint, error);

	if (remote)
		remote->ops = &rival_ops;
	return remote;
}

/* Another worker writes the content anew as soon as it was renamed away. */
static int rival_rename(struct remote *remote, const char *from, const char *to, struct error *error)
{
	struct remote_upload upload = {.path = from, .fresh = true};
	int status = ftp_remote_ops.rename(remote, from, to, error);

	assert_int_equal(ftp_remote_ops.upload(remote, &upload, error), 0);
	return status;
}

static void a_rival_that_writes_the_same_message_anew_puts_nothing_in_doubt(void **state)
{
	struct endpoint *endpoint = SINK(ftp_lab_port("PORT"), "tls", "unencrypted");
	struct error error = {0};
	struct delivery delivery;
	struct attempt *done = NULL;
	size_t n = 0;
	void *sink;

	rival_ops = ftp_remote_ops;
	rival_ops.open = rival_open;
	rival_ops.rename = rival_rename;
	sink = remote_sink_open(&rival_ops);
	begin(&delivery, endpoint, "a.xml", SPAN_LITERAL("<order/>"));
	assert_int_equal(remote_sink_prepare(sink, &delivery.attempt, &error), 0);
	delivery.attempt.first_ms = 1;
	assert_int_equal(remote_sink_start(sink, &delivery.attempt, &error), 0);
	remote_sink_reap(sink, &done, 1, &n, -1, 0, &error);
	if (done->error.class != ERROR_NONE)
		fail_msg("%s: %s", done->error.code, done->error.text);
	is_there("a.xml", SPAN_LITERAL("<order/>"));
	delivery.attempt.settled = true;
	remote_sink_abandon(sink, &delivery.attempt);
	remote_sink_close(sink);
	end(&delivery);
}

static void what_another_worker_is_delivering_is_not_written_over(void **state)
{
	struct endpoint *endpoint = SINK(ftp_lab_port("PORT"), "tls", "unencrypted");
	struct error error = {0};
	struct remote *remote = ftp_remote_ops.open(endpoint, &error);
	struct reader *body = reader_new_copy(SPAN_LITERAL("theirs"));
	struct remote_upload theirs = {.path = "inbox/.ferrule-1.tmp", .body = body, .fresh = true,
				       .mark = "inbox/.ferrule-1.mark"},
			     ours = {.path = theirs.path, .fresh = true, .mark = theirs.mark};

	assert_int_equal(ftp_remote_ops.upload(remote, &theirs, &error), 0);
	assert_int_equal(ftp_remote_ops.upload(remote, &ours, &error), REMOTE_EXISTS);
	is_there(".ferrule-1.tmp", SPAN_LITERAL("theirs"));
	assert_int_equal(ftp_remote_ops.remove(remote, theirs.path, &error), 0);
	ours.marked_before = false;
	assert_int_equal(ftp_remote_ops.upload(remote, &ours, &error), 0);
	assert_true(ours.marked_before && !ours.opened);
	ftp_remote_ops.close(remote);
	reader_unref(body);
}

static void a_folder_that_is_missing_or_forbidden_pauses_the_endpoint(void **state)
{
	char *inbox = ftp_lab_path("inbox", NULL);
	struct error error = {0};
	struct stat st;

	assert_int_equal(stat(inbox, &st), 0);
	rmdir(inbox);
	assert_int_equal(deliver_to(ftp_lab_port("PORT"), "a.xml", "refuse", "x", &error), -1);
	assert_string_equal(error.code, "ftp.missing");
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	mkdir(inbox, 0755);
	if (st.st_uid) { /* a server that is root is never refused */
		assert_int_equal(deliver_to(ftp_lab_port("PORT"), "a.xml", "refuse", "x", &error), -1);
		assert_string_equal(error.code, "ftp.permission");
		assert_int_equal(chown(inbox, st.st_uid, st.st_gid), 0);
	}
	free(inbox);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reading_goes_on_where_a_line_broke),
		TEST(reading_goes_on_where_a_server_begins_anew_each_time),
		TEST(writing_goes_on_where_a_line_broke),
		TEST(a_part_that_cannot_be_written_over_makes_way),
		TEST(a_line_that_breaks_anywhere_ends_in_one_file),
		TEST(what_exists_is_refused_replaced_or_numbered_alike),
		TEST(what_may_not_be_replaced_waits_and_is_not_dead),
		TEST(a_rival_that_writes_the_same_message_anew_puts_nothing_in_doubt),
		TEST(what_another_worker_is_delivering_is_not_written_over),
		TEST(a_folder_that_is_missing_or_forbidden_pauses_the_endpoint),
	};

	return cmocka_run_group_tests_name("broken lines of ftp on " FTP_LAB, tests, NULL, NULL);
}
