/* FTP where things go wrong: servers without TLS and with the wrong certificate, servers that say nothing or never
 * stop, lines that break in any place. On a real server, with a line of our own in between where one is to break. */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
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
#include "broker-adapters/remote/remote_sink.h"
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

/* ---- asking for a folder, the smallest thing that needs all of a connection -------------------------------------- */

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

#define SOURCE(port, ...)                                                                                              \
	ftp_lab_endpoint(arena, root, ftp_source_ops.options, ftp_source_ops.settings_size, "outbox/*", "age", "0s",   \
			 "timeout", "2s", "port", port, __VA_ARGS__, NULL)

static int ask(const struct endpoint *endpoint, size_t *found, struct error *error)
{
	void *source = ftp_source_ops.open(endpoint, error);
	struct document *documents[16];
	int result;

	assert_non_null(source);
	*found = 0;
	result = ftp_source_ops.poll(source, documents, 16, found, error);
	for (size_t i = 0; i < *found; i++)
		ftp_source_ops.forget(source, documents[i]);
	ftp_source_ops.close(source);
	return result;
}

static void fails_with(const struct endpoint *endpoint, const char *code, const char *saying)
{
	struct error error = {0};
	size_t found;

	assert_int_equal(ask(endpoint, &found, &error), -1);
	if (strcmp(error.code, code))
		print_error("%s: %s\n", error.code, error.text);
	assert_string_equal(error.code, code);
	assert_int_equal(error.class, ERROR_RETRY);
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	if (!strstr(error.text, saying))
		fail_msg("\"%s\" does not say \"%s\"", error.text, saying);
}

static size_t works(const struct endpoint *endpoint)
{
	struct error error = {0};
	size_t found;

	if (ask(endpoint, &found, &error))
		fail_msg("%s: %s", error.code, error.text);
	return found;
}

static void put(const char *name, struct span content, int64_t seconds_ago)
{
	char *path = ftp_lab_path("outbox", name);
	struct timespec then = {.tv_sec = time(NULL) - seconds_ago};

	support_write(path, content);
	utimensat(AT_FDCWD, path, (struct timespec[]){then, then}, 0);
	free(path);
}

/* ---- TLS, or none ------------------------------------------------------------------------------------------------ */

static void without_tls_nothing_is_said_unless_it_is_written(void **state)
{
	put("a.xml", SPAN_LITERAL("x"), 60);
	fails_with(SOURCE(ftp_lab_port("PLAIN"), "tls", "explicit"), "ftp.tls", "unencrypted");
	assert_int_equal(works(SOURCE(ftp_lab_port("PLAIN"), "tls", "unencrypted")), 1);
	assert_int_equal(works(SOURCE(ftp_lab_port("PORT"), "tls", "unencrypted")), 1);
}

static void a_certificate_that_is_not_theirs_or_not_trusted_is_refused(void **state)
{
	const char *expired = ftp_lab_port("EXPIRED");

	works(SOURCE(ftp_lab_port("PORT"), "host", "localhost"));
	fails_with(SOURCE(expired, "interval", "1m"), "ftp.certificate", "expired");
	fails_with(SOURCE(ftp_lab_port("OTHER"), "interval", "1m"), "ftp.certificate", "another name");
	fails_with(SOURCE(ftp_lab_port("PORT"), "tls", "explicit"), "ftp.certificate", "`ca: FILE`");
	fails_with(SOURCE(ftp_lab_port("PORT"), "ca", "nowhere.pem"), "ftp.certificate", "nowhere.pem");
}

static void tls_at_once_works_where_the_server_begins_with_it(void **state)
{
	const char *port = ftp_lab_port("IMPLICIT");

	put("a.xml", SPAN_LITERAL("x"), 60);
	assert_int_equal(works(SOURCE(port, "tls", "implicit", "ca", ftp_lab_need()->ca)), 1);
	fails_with(SOURCE(ftp_lab_port("PORT"), "tls", "implicit", "ca", ftp_lab_need()->ca), "ftp.tls", "explicit");
	fails_with(SOURCE(port, "interval", "1m"), "ftp.timeout", "2 s");
}

static void a_certificate_of_ours_lets_us_in_where_one_is_asked_for(void **state)
{
	const char *port = ftp_lab_port("ASKING");
	char *key = mem_printf("%s.key", ftp_lab_need()->client), *ours = mem_printf("%s.pem", ftp_lab_need()->client);
	struct endpoint *endpoint = SOURCE(port, "certificate", ours);
	struct ftp_settings *settings = (struct ftp_settings *)(uintptr_t)endpoint->settings;
	char *bytes, *secret = support_path(root, "key");
	size_t len;

	fails_with(SOURCE(port, "interval", "1m"), "ftp.certificate", "certificate of ours");
	bytes = support_read(key, &len);
	support_write(secret, span_make(bytes, len));
	chmod(secret, 0600);
	settings->key = "key";
	works(endpoint);
	free(bytes);
	free(secret);
	free(key);
	free(ours);
}

/* More transfers than there are tickets of a session: data must go on with the session of the first connection. */
static void only_the_old_or_only_the_new_tls_works_as_well(void **state)
{
	static const char *const ways[] = {"OLD", "NEW", "PORT"};

	for (size_t i = 0; i < 3; i++) {
		struct endpoint *endpoint = SOURCE(ftp_lab_port(ways[i]), "interval", "1m");
		struct error error = {0};
		struct remote *remote = ftp_remote_ops.open(endpoint, &error);

		if (!remote)
			fail_msg("%s: %s: %s", ways[i], error.code, error.text);
		for (int n = 0; n < 12; n++) {
			char *path = mem_printf("inbox/%s-%d.xml", ways[i], n);
			struct reader *body = reader_new_copy(SPAN_LITERAL("<order/>"));
			struct remote_upload upload = {.path = path, .body = body, .fresh = true};

			int result = ftp_remote_ops.upload(remote, &upload, &error);

			if (result < 0) { /* no ticket left: as the sink does it */
				assert_string_equal(error.code, "ftp.lost");
				assert_true(ftp_remote_ops.is_lost(remote));
				ftp_remote_ops.close(remote);
				remote = ftp_remote_ops.open(endpoint, &error);
				assert_non_null(remote);
				result = ftp_remote_ops.upload(remote, &upload, &error);
			}
			if (result > 0)
				(ftp_remote_ops.fail)(remote, result, "cannot upload", path, &error);
			if (result)
				fail_msg("%s, upload %d: %s: %s", ways[i], n, error.code, error.text);
			assert_int_equal(upload.size, 8);
			reader_unref(body);
			free(path);
		}
		ftp_remote_ops.close(remote);
		works(endpoint);
	}
}

static void a_login_that_is_refused_says_so(void **state)
{
	fails_with(SOURCE(ftp_lab_port("PORT"), "user", "somebody", "tls", "unencrypted"), "ftp.auth",
		   "does not let us in");
}

/* ---- ways of data ------------------------------------------------------------------------------------------------ */

static void an_answer_that_leads_to_another_machine_is_not_followed(void **state)
{
	put("a.xml", SPAN_LITERAL("x"), 60);
	assert_int_equal(works(SOURCE(ftp_lab_port("PASV"), "tls", "unencrypted")), 1);
}

static void the_server_connects_to_us_where_that_is_configured(void **state)
{
	put("a.xml", SPAN_LITERAL("x"), 60);
	assert_int_equal(works(SOURCE(ftp_lab_port("PORT"), "mode", "active", "tls", "unencrypted")), 1);
}

static void without_facts_a_listing_is_read_and_its_times_are_not_believed(void **state)
{
	struct endpoint *endpoint = SOURCE(ftp_lab_port("LIST"), "tls", "unencrypted");
	struct ftp_source_settings *settings = (struct ftp_source_settings *)(uintptr_t)endpoint->settings;

	put("a b  ü.xml", SPAN_LITERAL("x"), 7200);
	settings->files.age_ms = 6000; /* not waited for at once */
	assert_int_equal(works(endpoint), 0);
	settings->files.age_ms = 50;
	assert_int_equal(works(endpoint), 1);
}

/* ---- servers that say nothing, or never stop --------------------------------------------------------------------- */

static void a_server_that_says_nothing_is_given_up_in_time(void **state)
{
	char port[8];
	int fd = listen_somewhere(port);
	int64_t since = clock_tick_ms();

	fails_with(SOURCE(port, "tls", "unencrypted"), "ftp.timeout", "2 s");
	assert_in_range(clock_tick_ms() - since, 1500, 6000);
	close(fd);
	fails_with(SOURCE(port, "tls", "unencrypted"), "ftp.connect", port);
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(0);
}

/* Of a server without facts: files are found by asking to rename them. b: it is in use, q: it is not, and so said. */
static void answer_rename(int client, char kind)
{
	say(client, kind == 'b'   ? "450 The file is locked by another process\r\n"
		    : kind == 'q' ? "550 Cannot do that\r\n"
				  : "350 and to?\r\n");
}

/* As much of a server as a listing needs. `kind`: n stops in the middle of one, l has a line without an end, e is one
 * without an end, u leads up, y has a file of the year 9999, f says that there are none, t lets nobody in. */
static void serve(int fd, char kind)
{
	int client = accept(fd, NULL, NULL), data = -1, listening = -1;
	FILE *from = fdopen(dup(client), "r");
	char text[600], port[8];

	say(client, "220 here\r\n");
	while (from && fgets(text, sizeof text, from)) {
		if (!strncmp(text, "USER", 4)) {
			say(client, kind == 't' ? "421 too many of you are here\r\n" : "331 and?\r\n");
		} else if (!strncmp(text, "PASS", 4)) {
			say(client, "230 in\r\n");
		} else if (!strncmp(text, "PWD", 3)) {
			say(client, "257 \"/\"\r\n");
		} else if (!strncmp(text, "FEAT", 4)) {
			say(client, strchr("bq", kind) ? "500 what?\r\n"
						       : "211-all\r\n MLST type*;size*;modify*;\r\n211 that\r\n");
		} else if (!strncmp(text, "RNFR", 4)) {
			answer_rename(client, kind);
		} else if (!strncmp(text, "LIST", 4) || (kind == 'f' && !strncmp(text, "MLSD", 4))) {
			close(accept(listening, NULL, NULL));
			say(client, kind == 'f' ? "550 No files found\r\n" : "150 now\r\n226 done\r\n");
		} else if (!strncmp(text, "EPSV", 4)) {
			listening = listen_somewhere(port);
			snprintf(text, sizeof text, "229 come (|||%s|)\r\n", port);
			say(client, text);
		} else if (!strncmp(text, "MLSD", 4)) {
			data = accept(listening, NULL, NULL);
			say(client, "150 now\r\n");
			say(data, kind == 'y' ? "type=file;size=1;modify=99991231235959; a.xml\r\n"
					      : "type=file;size=1;modify=20260102030405; a.xml\r\n");
			say(data, "type=file;size=1;modify=20260102030405; ../../b.xml\r\n");
			while (kind == 'l')
				say(data, "type=file;size=1;modify=20260102030405; endless");
			for (unsigned i = 0; kind == 'e'; i++) {
				snprintf(text, sizeof text, "type=file;size=1;modify=20260102030405; %0200u.xml\r\n",
					 i);
				say(data, text);
			}
			if (kind == 'n')
				pause();
			close(data);
			say(client, "226 done\r\n");
		} else {
			say(client, "200 so be it\r\n");
		}
	}
	_exit(0);
}

static void served(char kind, char port[8])
{
	int fd = listen_somewhere(port);

	line = fork();
	if (line == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		serve(fd, kind);
	}
	setpgid(line, line);
	close(fd);
}

static void listings_that_stop_never_end_or_lead_elsewhere_are_bounded(void **state)
{
	int64_t since;
	char port[8];

	served('u', port);
	assert_int_equal(works(SOURCE(port, "tls", "unencrypted")), 1);
	mend();
	served('l', port);
	fails_with(SOURCE(port, "tls", "unencrypted"), "ftp.listing", "no end");
	mend();
	served('e', port);
	fails_with(SOURCE(port, "tls", "unencrypted"), "ftp.listing", "no end");
	mend();
	since = clock_tick_ms();
	served('n', port);
	fails_with(SOURCE(port, "tls", "unencrypted"), "ftp.timeout", "2 s");
	assert_in_range(clock_tick_ms() - since, 1500, 8000);
}

static void a_year_far_away_no_files_and_a_closed_door_are_taken_as_what_they_are(void **state)
{
	struct endpoint *endpoint;
	char port[8];

	served('y', port);
	assert_int_equal(works(SOURCE(port, "tls", "unencrypted")), 1);
	mend();
	served('f', port);
	assert_int_equal(works(SOURCE(port, "tls", "unencrypted")), 0);
	mend();
	served('t', port);
	endpoint = SOURCE(port, "tls", "unencrypted");
	fails_with(endpoint, "ftp.lost", "asked again");
}

static int status_of_hidden(char kind)
{
	struct remote_attrs attrs;
	struct remote *remote;
	struct error error;
	char port[8];
	int status;

	served(kind, port);
	remote = ftp_remote_ops.open(SOURCE(port, "tls", "unencrypted"), &error);
	assert_non_null(remote);
	status = ftp_remote_ops.lstat(remote, "inbox/.ferrule-1.tmp", &attrs, &error);
	ftp_remote_ops.close(remote);
	mend();
	return status;
}

static void a_hidden_file_in_use_is_not_taken_for_one_that_is_gone(void **state)
{
	assert_int_equal(status_of_hidden('b'), REMOTE_FAILURE);
	assert_int_equal(status_of_hidden('q'), REMOTE_MISSING);
}

/* ---- what takes until tomorrow ----------------------------------------------------------------------------------- */

/* What retention was told before is what a crash leaves it with. */
static void a_file_is_archived_under_the_day_that_was_written_down(void **state)
{
	struct endpoint *endpoint = ftp_lab_endpoint(arena, root, ftp_source_ops.options, ftp_source_ops.settings_size,
						     "outbox/*", "age", "0s", NULL);
	struct error error = {0};
	struct vault *vault = vault_open(root, &error);
	void *source = ftp_source_ops.open(endpoint, &error);
	struct archived into[2] = {0};
	struct document *document;
	size_t found = 0;

	put("a.xml", SPAN_LITERAL("x"), 60);
	clock_set(clock_now_ms());
	for (int i = 0; i < 3 && !found; i++)
		assert_int_equal(ftp_source_ops.poll(source, &document, 1, &found, &error), 0);
	assert_int_equal(found, 1);
	assert_int_equal(ftp_source_ops.fetch(source, document, vault, &error), 0);
	ftp_source_ops.intend(source, document, SETTLE_ACCEPTED, into);
	clock_advance(86400000);
	if (ftp_source_ops.settle(source, document, SETTLE_ACCEPTED, &error))
		fail_msg("%s: %s", error.code, error.text);
	assert_non_null(into[0].path);
	assert_string_equal(document->archived[0].path, into[0].path);
	clock_set(0);
	ftp_source_ops.forget(source, document);
	ftp_source_ops.close(source);
	vault_close(vault);
	free(into[0].path);
}

/* ---- what costs time --------------------------------------------------------------------------------------------- */

#define PART "inbox/.ferrule-1.tmp"

static struct remote *connected(void)
{
	struct endpoint *endpoint =
		ftp_lab_endpoint(arena, root, ftp_sink_ops.options, ftp_sink_ops.settings_size, "inbox/$(.name)", NULL);
	struct error error = {0};
	struct remote *remote = ftp_remote_ops.open(endpoint, &error);

	if (!remote)
		fail_msg("%s: %s", error.code, error.text);
	return remote;
}

/* ProFTPD's answers made libcurl wait for a timer of 200 ms with each; a busy machine may be slow with some. */
static void a_small_file_does_not_wait_for_a_timer(void **state)
{
	struct remote *remote = connected();
	struct reader *body = reader_new_copy(SPAN_LITERAL("<order/>"));
	struct remote_upload upload = {.path = PART, .body = body};
	struct error error = {0};
	int quick = 0;

	assert_int_equal(ftp_remote_ops.upload(remote, &upload, &error), 0);
	for (int i = 0; i < 12; i++) {
		int64_t began = clock_tick_ms();

		assert_int_equal(remote_same_bytes(remote, PART, 9, body, &error), 8);
		assert_int_equal(ftp_remote_ops.upload(remote, &upload, &error), 0);
		quick += clock_tick_ms() - began < 150;
	}
	assert_in_range(quick, 3, 12);
	ftp_remote_ops.close(remote);
	reader_unref(body);
}

/* Who may not write it would remove it and write another. */
static void what_is_whole_is_not_sent_again(void **state)
{
	struct remote *remote = connected();
	struct reader *body = reader_new_copy(SPAN_LITERAL("<order/>"));
	struct remote_upload first = {.path = PART, .body = body, .fresh = true},
			     second = {.path = PART, .body = body, .offset = 8, .mark = "inbox/.ferrule-1.mark"};
	char *part = ftp_lab_path("inbox", ".ferrule-1.tmp");
	struct stat before, after;
	struct error error = {0};

	assert_int_equal(ftp_remote_ops.upload(remote, &first, &error), 0);
	assert_int_equal(chmod(part, 0400), 0);
	assert_int_equal(stat(part, &before), 0);
	assert_int_equal(ftp_remote_ops.upload(remote, &second, &error), 0);
	assert_int_equal(stat(part, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
	assert_int_equal(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
	assert_int_equal(second.size, 8);
	assert_true(second.opened && !second.mark_status);
	ftp_remote_ops.close(remote);
	reader_unref(body);
	free(part);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_tls_nothing_is_said_unless_it_is_written),
		TEST(a_certificate_that_is_not_theirs_or_not_trusted_is_refused),
		TEST(tls_at_once_works_where_the_server_begins_with_it),
		TEST(a_certificate_of_ours_lets_us_in_where_one_is_asked_for),
		TEST(only_the_old_or_only_the_new_tls_works_as_well),
		TEST(a_login_that_is_refused_says_so),
		TEST(an_answer_that_leads_to_another_machine_is_not_followed),
		TEST(the_server_connects_to_us_where_that_is_configured),
		TEST(without_facts_a_listing_is_read_and_its_times_are_not_believed),
		TEST(a_server_that_says_nothing_is_given_up_in_time),
		TEST(listings_that_stop_never_end_or_lead_elsewhere_are_bounded),
		TEST(a_year_far_away_no_files_and_a_closed_door_are_taken_as_what_they_are),
		TEST(a_hidden_file_in_use_is_not_taken_for_one_that_is_gone),
		TEST(a_file_is_archived_under_the_day_that_was_written_down),
		TEST(a_small_file_does_not_wait_for_a_timer),
		TEST(what_is_whole_is_not_sent_again),
	};

	return cmocka_run_group_tests_name("trouble with ftp on " FTP_LAB, tests, NULL, NULL);
}
