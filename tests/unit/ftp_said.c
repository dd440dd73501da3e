/* What servers say that is not quite so: a script of ours in place of a server answers, request by request. */
#include "config.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vault.h"
#include "broker-adapters/remote/remote_sink.h"
#include "tests/support/ftp_lab.h"
#include "tests/support/support.h"

extern const struct source_ops ftp_source_ops;
extern const struct sink_ops ftp_sink_ops;

/* What is answered to requests that begin so; the first that fits. DATA goes over a connection of its own, between 150
 * and 226. */
#define DATA "\1"
struct answer {
	const char *request, *says;
};

static const struct answer usual[] = {
	{"USER", "331 and?"}, {"PASS", "230 in"}, {"PWD", "257 \"/\""}, {"FEAT", "500 what?"}, {"SIZE", "500 no"},
	{"MDTM", "500 no"},   {"REST", "500 no"}, {"TYPE", "200 yes"},  {"", "200 so be it"},  {.request = NULL},
};

static char *root;
static struct arena *arena;
static pid_t server;

static int set_up(void **state)
{
	ftp_lab_need();
	root = support_tmpdir();
	arena = arena_new();
	server = 0;
	return 0;
}

static int tear_down(void **state)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	support_rmtree(root);
	free(root);
	arena_free(arena);
	return 0;
}

/* ---- the script ------------------------------------------------------------------------------------------------ */

static int listen_somewhere(unsigned *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 16))
		_exit(1);
	getsockname(fd, (struct sockaddr *)&at, &len);
	*port = ntohs(at.sin_port);
	return fd;
}

static const struct answer *answer_to(const struct answer *script, const char *request)
{
	while (script->request && strncmp(request, script->request, strlen(script->request)) != 0)
		script++;
	return script->request ? script : NULL;
}

static void serve_one(int client, const struct answer *script)
{
	FILE *from = fdopen(dup(client), "r");
	int listening = -1, data;
	char request[600];
	unsigned port;

	dprintf(client, "220 here\r\n");
	while (from && fgets(request, sizeof request, from)) {
		const struct answer *answer = answer_to(script, request);

		answer = answer ? answer : answer_to(usual, request);
		if (!strncmp(request, "EPSV", 4)) {
			listening = listen_somewhere(&port);
			dprintf(client, "229 come (|||%u|)\r\n", port);
		} else if (answer->says[0] == DATA[0]) {
			data = accept(listening, NULL, NULL);
			dprintf(client, "150 now\r\n");
			dprintf(data, "%s", answer->says + 1);
			close(data);
			dprintf(client, "226 done\r\n");
		} else {
			dprintf(client, "%s\r\n", answer->says);
		}
	}
	_exit(0);
}

static const char *served(const struct answer *script)
{
	static char text[8];
	unsigned port;
	int fd = listen_somewhere(&port);

	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int client = accept(fd, NULL, NULL);

			if (fork() == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				serve_one(client, script);
			}
			close(client);
		}
	}
	close(fd);
	snprintf(text, sizeof text, "%u", port);
	return text;
}

#define SINK(port)                                                                                                     \
	ftp_lab_endpoint(arena, root, ftp_sink_ops.options, ftp_sink_ops.settings_size, "inbox/$(.name)", "timeout",   \
			 "5s", "tls", "unencrypted", "port", port, NULL)

static struct remote *connected(const char *port)
{
	struct error error = {0};
	struct remote *remote = ftp_remote_ops.open(SINK(port), &error);

	if (!remote)
		fail_msg("%s: %s", error.code, error.text);
	return remote;
}

/* ---- what is said ---------------------------------------------------------------------------------------------- */

#define FEATURES "211-all\r\n MLST type*;size*;modify*;\r\n211 that"
#define HIDDEN ".ferrule-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* MLST that says nothing clear, and listings that leave out hidden names: what can be renamed is there. */
static void a_hidden_file_is_found_where_facts_and_listings_do_not_show_it(void **state)
{
	static const struct answer script[] = {
		{"FEAT", FEATURES},
		{"MLST", "550 Cannot do that"},
		{"RNFR", "350 and to?"},
		{"SIZE", "213 5"},
		{"MLSD", DATA "type=file;size=1;modify=20260102030405; a.xml\r\n"},
		{.request = NULL},
	};
	struct remote *remote = connected(served(script));
	struct remote_attrs attrs;
	struct error error = {0};

	assert_int_equal(ftp_remote_ops.lstat(remote, "inbox/" HIDDEN ".tmp", &attrs, &error), REMOTE_OK);
	assert_true(attrs.has_size);
	assert_int_equal(attrs.size, 5);
	ftp_remote_ops.close(remote);
}

static void a_hidden_file_in_use_is_not_gone_where_facts_and_listings_do_not_show_it(void **state)
{
	static const struct answer script[] = {
		{"FEAT", FEATURES},
		{"MLST", "550 Cannot do that"},
		{"RNFR", "450 The file is locked by another process"},
		{"MLSD", DATA "type=file;size=1;modify=20260102030405; a.xml\r\n"},
		{.request = NULL},
	};
	struct remote *remote = connected(served(script));
	struct remote_attrs attrs;
	struct error error = {0};

	assert_int_equal(ftp_remote_ops.lstat(remote, "inbox/" HIDDEN ".tmp", &attrs, &error), REMOTE_FAILURE);
	ftp_remote_ops.close(remote);
}

/* Where no folder may be made the mark is a file: a server that has no such folder may still have it. */
static void a_mark_that_is_a_file_is_removed(void **state)
{
	static const struct answer script[] = {
		{"RMD", "550 No such file or directory"},
		{"DELE", "250 gone"},
		{.request = NULL},
	};
	struct remote *remote = connected(served(script));
	struct error error = {0};

	assert_int_equal(ftp_remote_ops.remove(remote, "inbox/" HIDDEN ".mark", &error), REMOTE_OK);
	ftp_remote_ops.close(remote);
}

/* Nobody knows whether another worker delivers the same: what it wrote, and may rename now, is not cut off. */
static void a_mark_that_cannot_be_looked_at_is_not_taken_for_none(void **state)
{
	static const struct answer script[] = {
		{"LIST", DATA ""},
		{"RNFR inbox/" HIDDEN ".mark", "450 The file is locked by another process"},
		{"STOR", "452 written over"},
		{.request = NULL},
	};
	struct remote *remote = connected(served(script));
	struct remote_upload upload = {
		.path = "inbox/" HIDDEN ".tmp", .fresh = true, .mark = "inbox/" HIDDEN ".mark"};
	struct error error = {0};

	assert_int_equal(ftp_remote_ops.upload(remote, &upload, &error), REMOTE_FAILURE);
	assert_false(upload.opened || upload.marked_before);
	ftp_remote_ops.close(remote);
}

static bool not_needed(void *arg, const struct id *key)
{
	return false;
}

static void list_one(char line[200], int64_t hours_ago, char which)
{
	time_t then = (time_t)(clock_now_ms() / 1000 - hours_ago * 3600);
	struct tm tm;
	char when[40];

	gmtime_r(&then, &tm);
	strftime(when, sizeof when, "%b %d %H:%M", &tm);
	snprintf(line, 200, "-rw-r--r-- 1 acme acme 5 %s .ferrule-%c%s.tmp\r\n", when, which, HIDDEN + 10);
}

static unsigned swept(const char *port, int64_t older_than_ms)
{
	struct error error = {0};
	unsigned removed = 9;
	void *sink = ftp_sink_ops.open(&error);

	assert_non_null(sink);
	if (ftp_sink_ops.sweep(sink, SINK(port), older_than_ms, not_needed, NULL, &removed, &error))
		fail_msg("%s: %s", error.code, error.text);
	ftp_sink_ops.close(sink);
	return removed;
}

/* A listing tells minutes of some clock: what was left ten hours ago there may be of this minute. */
static void what_is_left_behind_is_swept_only_when_it_is_old_by_every_clock(void **state)
{
	char young[200], old[200], both[402];
	struct answer script[] = {{"LIST", both}, {"DELE", "250 gone"}, {.request = NULL}};

	list_one(young, 10, '1');
	list_one(old, 40, '2');
	snprintf(both, sizeof both, DATA "%s%s", young, old);
	assert_int_equal(swept(served(script), 3600000), 1);
}

/* Nor does what has no time count as one of 1970; whoever asks for all of it gets it. */
static void what_is_left_behind_without_a_time_is_swept_only_with_all(void **state)
{
	static const struct answer script[] = {
		{"FEAT", FEATURES},
		{"MLSD", DATA "type=file;size=1; " HIDDEN ".tmp\r\n"},
		{"DELE", "250 gone"},
		{.request = NULL},
	};
	const char *port = served(script);

	assert_int_equal(swept(port, 3600000), 0);
	assert_int_equal(swept(port, 0), 1);
}

/* The line of a digest that was cut off is no digest: the file would be refused for what the line did. */
static void a_sidecar_that_ends_early_is_read_again_and_refuses_nothing(void **state)
{
#define FACTS(size, name) "type=file;size=" #size ";modify=20260102030405; " name "\r\n"
	static const struct answer script[] = {
		{"FEAT", FEATURES},
		{"MLSD", DATA FACTS(1, "a.xml") FACTS(64, "a.xml.sha256")},
		{"MLST outbox/a.xml.sha256", "250-it\r\n " FACTS(64, "outbox/a.xml.sha256") "250 that"},
		{"MLST", "250-it\r\n " FACTS(1, "outbox/a.xml") "250 that"},
		{"RETR outbox/a.xml.sha256", DATA "6b86b273ff34fce19d6b804eff5a3f57"},
		{"RETR", DATA "1"},
		{.request = NULL},
	};
	struct endpoint *endpoint = ftp_lab_endpoint(arena, root, ftp_source_ops.options, ftp_source_ops.settings_size,
						     "outbox/*.xml", "age", "0s", "timeout", "5s", "tls", "unencrypted",
						     "sidecar", ".sha256", "port", served(script), NULL);
	struct error error = {0};
	struct vault *vault = vault_open(root, &error);
	void *source = ftp_source_ops.open(endpoint, &error);
	struct document *documents[4];
	size_t found = 0;

	assert_non_null(vault);
	assert_non_null(source);
	for (int i = 0; i < 3 && !found; i++)
		assert_int_equal(ftp_source_ops.poll(source, documents, 4, &found, &error), 0);
	assert_int_equal(found, 1);
	assert_int_equal(ftp_source_ops.fetch(source, documents[0], vault, &error), -1);
	if (error.class != ERROR_RETRY || strcmp(error.code, "file.changed") != 0)
		fail_msg("%s: %s", error.code, error.text);
	ftp_source_ops.forget(source, documents[0]);
	ftp_source_ops.close(source);
	vault_close(vault);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_hidden_file_is_found_where_facts_and_listings_do_not_show_it),
		TEST(a_hidden_file_in_use_is_not_gone_where_facts_and_listings_do_not_show_it),
		TEST(a_mark_that_is_a_file_is_removed),
		TEST(a_mark_that_cannot_be_looked_at_is_not_taken_for_none),
		TEST(what_is_left_behind_is_swept_only_when_it_is_old_by_every_clock),
		TEST(what_is_left_behind_without_a_time_is_swept_only_with_all),
		TEST(a_sidecar_that_ends_early_is_read_again_and_refuses_nothing),
	};

	return cmocka_run_group_tests_name("what ftp servers say", tests, NULL, NULL);
}
