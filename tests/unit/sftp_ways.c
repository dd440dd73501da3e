/* The ways to an SFTP server that stands behind something: a jump host, whose key is pinned as well, and a SOCKS5
 * proxy. The jump host is a second OpenSSH, the proxy OpenSSH's own (ssh -D), or one of ours where it has to do wrong.
 */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/sftp_lab.h"
#include "tests/support/sftp_try.h"
#include "tests/support/support.h"

#define LARGE (5u << 20)
#define SMALL_FILES 30

static char *root, *gate, gate_port[8];
static struct arena *arena;
static struct vault *vault;
static pid_t other;

/* ---- the server that leads on ------------------------------------------------------------------------------------ */

static void gate_do(const char *verb, const char *more)
{
	char command[600], said[4096], *at;
	FILE *from;
	size_t n;

	snprintf(command, sizeof command, "LAB_PARTNERS=gate '%s/tests/lab/sftp-openssh.sh' %s '%s' %s", SRCDIR, verb,
		 gate, more);
	from = popen(command, "r");
	assert_non_null(from);
	n = fread(said, 1, sizeof said - 1, from);
	said[n] = '\0';
	assert_int_equal(pclose(from), 0);
	at = strstr(said, "SFTP_PORT=");
	if (at)
		sscanf(at, "SFTP_PORT=%7[0-9]", gate_port);
}

static void gate_down(void)
{
	gate_do("down", "");
}

static void need_gate(void)
{
	char while_pid[40];

	sftp_lab_need();
	if (gate)
		return;
	gate = mem_printf("/tmp/ferrule-gate-%s-%d", SFTP_LAB, (int)getpid());
	snprintf(while_pid, sizeof while_pid, "--while %d", (int)getpid());
	gate_do("up", while_pid);
	atexit(gate_down);
}

static const char *below(const char *folder, const char *name)
{
	static char paths[4][512];
	static unsigned n;

	snprintf(paths[++n % 4], sizeof paths[0], "%s/%s", folder, name);
	return paths[n % 4];
}

static int set_up(void **state)
{
	struct error error = {0};

	need_gate();
	sftp_lab_clean();
	root = support_tmpdir();
	arena = arena_new();
	vault = vault_open(below(root, "vault"), &error);
	other = 0;
	return 0;
}

static void end_other(void)
{
	if (other > 0) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
	other = 0;
}

static int tear_down(void **state)
{
	end_other();
	vault_close(vault);
	support_rmtree(root);
	free(root);
	arena_free(arena);
	return 0;
}

/* ---- endpoints --------------------------------------------------------------------------------------------------- */

static struct sftp_settings *settings_of(struct endpoint *endpoint)
{
	return (struct sftp_settings *)(uintptr_t)endpoint->settings;
}

static struct endpoint *source(void)
{
	return sftp_lab_endpoint(arena, root, sftp_source_ops.options, sftp_source_ops.settings_size, "outbox/*", "age",
				 "0s", "timeout", "3s", "after", "move", "to", "archive", NULL);
}

static struct endpoint *sink(void)
{
	return sftp_lab_endpoint(arena, root, sftp_sink_ops.options, sftp_sink_ops.settings_size, "inbox/$(.name)",
				 "timeout", "3s", NULL);
}

/* Both servers' keys in one file, as a site has them. */
static const char *known(const char *also)
{
	char *both = support_read(sftp_lab_need()->known_hosts, NULL), *more = support_read(also, NULL),
	     *text = mem_printf("%s%s", both, more ? more : "");
	const char *path = arena_printf(arena, "%s/known_hosts", root);

	support_write(path, span_of(text));
	free(both);
	free(more);
	free(text);
	return path;
}

static struct endpoint *behind_gate(struct endpoint *endpoint)
{
	struct sftp_settings *settings = settings_of(endpoint);

	sftp_lab_secret(root, "gate-key", below(gate, "keys/gate"));
	settings->jump.host = "127.0.0.1";
	settings->jump.port = atoi(gate_port);
	settings->jump.user = "gate";
	settings->jump.key = "gate-key";
	settings->known_hosts = known(below(gate, "known_hosts"));
	return endpoint;
}

static int ask(const struct endpoint *endpoint, struct error *error)
{
	void *open = sftp_source_ops.open(endpoint, error);
	struct document *documents[4];
	size_t found = 0;
	int result;

	assert_non_null(open);
	result = sftp_source_ops.poll(open, documents, 4, &found, error);
	for (size_t i = 0; i < found; i++)
		sftp_source_ops.forget(open, documents[i]);
	sftp_source_ops.close(open);
	return result;
}

static void works(const struct endpoint *endpoint)
{
	struct error error = {0};

	if (ask(endpoint, &error))
		fail_msg("%s: %s", error.code, error.text);
}

static void fails_saying(const struct endpoint *endpoint, const char *code, const char *words)
{
	struct error error = {0};
	int64_t begun = clock_tick_ms();

	assert_int_equal(ask(endpoint, &error), -1);
	assert_string_equal(error.code, code);
	assert_int_equal(error.class, ERROR_RETRY);
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	if (!strstr(error.text, words))
		fail_msg("it does not say %s: %s", words, error.text);
	assert_true(clock_tick_ms() - begun < 8000); /* `timeout` is 3 s, and it holds for each server on the way */
}

/* ---- files over it ----------------------------------------------------------------------------------------------- */

static struct span large(void)
{
	char *bytes = arena_alloc(arena, LARGE);
	uint32_t x = 1;

	for (size_t i = 0; i < LARGE; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (char)(x >> 24);
	}
	return span_make(bytes, LARGE);
}

static void put(const char *name, struct span content)
{
	char *path = sftp_lab_path("outbox", name);
	struct timespec times[2] = {{.tv_sec = time(NULL) - 5000}, {.tv_sec = time(NULL) - 5000}};

	support_write(path, content);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
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

static void both_ways(const struct endpoint *from, const struct endpoint *to)
{
	struct span body = large();
	struct id digest = id_digest(body);
	struct delivery delivery;
	struct visitor visitor;
	char name[20];

	put("large.bin", body);
	for (int i = 0; i < SMALL_FILES; i++) { /* these go side by side, on channels of their own */
		snprintf(name, sizeof name, "small-%02d", i);
		put(name, span_make(body.data + i, 1000));
	}
	visitor_begin(&visitor, from, vault);
	if (visitor_until(&visitor, SMALL_FILES + 1, 6) != SMALL_FILES + 1)
		fail_msg("%u came: %s: %s", visitor.count, visitor.first.code, visitor.first.text);
	for (unsigned i = 0; i < visitor.count; i++)
		if (!strcmp(visitor.taken[i].name, "large.bin"))
			assert_true(id_equal(&visitor.taken[i].digest, &digest));
	assert_int_equal(visitor.count, SMALL_FILES + 1);
	visitor_end(&visitor);
	delivery_begin(&delivery, to, "large.bin", body);
	if (delivery_try(&delivery))
		fail_msg("it does not go: %s: %s", delivery.first.code, delivery.first.text);
	is_there("large.bin", body);
	delivery_end(&delivery);
}

/* ---- a jump host ------------------------------------------------------------------------------------------------- */

static void files_go_both_ways_through_a_jump_host(void **state)
{
	both_ways(behind_gate(source()), behind_gate(sink()));
	gate_do("stop", ""); /* they did go through it */
	fails_saying(behind_gate(source()), "sftp.connect", "the jump host");
	works(source());
	gate_do("start", "");
}

static void the_key_of_a_jump_host_is_pinned_as_well_and_is_the_first_to_be_trusted(void **state)
{
	struct endpoint *endpoint = behind_gate(source());
	const char *pins[] = {"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	struct peer_key key, behind;
	struct error error = {0};
	char *text;

	settings_of(endpoint)->system = "acme";
	settings_of(endpoint)->known_hosts = arena_printf(arena, "%s/nobody", root);
	fails_saying(endpoint, "sftp.host-key", "the jump host: ");
	fails_saying(endpoint, "sftp.host-key", "ferrule transfer trust acme");
	assert_int_equal(sftp_source_ops.look(endpoint, &key, &error), 0);
	assert_true(key.on_the_way);
	assert_false(key.trusted);
	text = mem_printf("[127.0.0.1]:%s", gate_port);
	assert_string_equal(key.host, text);
	free(text);
	text = mem_printf("%s\n", key.line);
	support_write(key.file, span_of(text));
	free(text);
	/* now it leads on, and the one behind it is not known */
	fails_saying(endpoint, "sftp.host-key", "is not known");
	assert_int_equal(sftp_source_ops.look(endpoint, &behind, &error), 0);
	assert_false(behind.on_the_way);
	assert_false(behind.trusted);
	assert_string_not_equal(behind.fingerprint, key.fingerprint);
	text = mem_printf("%s\n%s\n", key.line, behind.line);
	support_write(key.file, span_of(text));
	free(text);
	works(endpoint);
	/* the one behind it may be right: another key here, and nothing goes */
	settings_of(endpoint)->jump.host_keys = (struct text_list){pins, 1};
	fails_saying(endpoint, "sftp.host-key", pins[0]);
	pins[0] = key.fingerprint;
	works(endpoint);
}

static void a_jump_host_that_lets_nobody_in_or_does_not_lead_on_says_so(void **state)
{
	struct endpoint *endpoint = behind_gate(source());
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	settings_of(endpoint)->jump.key = "key"; /* that is for the server behind it */
	fails_saying(endpoint, "sftp.auth", "the jump host");
	settings_of(endpoint)->jump.key = "gate-key";
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	settings_of(endpoint)->port = ntohs(at.sin_port);
	fails_saying(endpoint, "sftp.connect", "does not lead on");
	assert_int_equal(listen(fd, 16), 0); /* connects, and says nothing */
	fails_saying(endpoint, "sftp.timeout", "no answer within 3 s");
	close(fd);
}

static void a_jump_host_that_was_restarted_costs_one_more_login(void **state)
{
	struct visitor visitor;

	visitor_begin(&visitor, behind_gate(source()), vault);
	put("before.xml", SPAN_LITERAL("before"));
	assert_int_equal(visitor_until(&visitor, 1, 3), 1);
	gate_do("stop", "");
	gate_do("start", "");
	put("after.xml", SPAN_LITERAL("after"));
	assert_int_equal(visitor_until(&visitor, 1, 3), 1);
	assert_int_equal(visitor.count, 2);
	visitor_end(&visitor);
}

/* ---- a proxy ----------------------------------------------------------------------------------------------------- */

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

static bool answers(void *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), failed;

	at.sin_port = htons((uint16_t)atoi(port));
	failed = connect(fd, (struct sockaddr *)&at, sizeof at);
	close(fd);
	return !failed;
}

static const char *openssh_as_proxy(void)
{
	char port[8], spec[40];

	snprintf(port, sizeof port, "%d", support_free_port());
	snprintf(spec, sizeof spec, "127.0.0.1:%s", port);
	other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("ssh", "ssh", "-q", "-N", "-D", spec, "-F", "/dev/null", "-i", below(gate, "keys/gate"), "-o",
		       arena_printf(arena, "UserKnownHostsFile=%s/known_hosts", gate), "-o", "IdentitiesOnly=yes", "-p",
		       gate_port, "gate@127.0.0.1", NULL);
		_exit(127);
	}
	assert_true(support_until(answers, port, 5000));
	return arena_printf(arena, "socks5://127.0.0.1:%s", port);
}

static struct endpoint *behind_proxy(struct endpoint *endpoint, const char *proxy)
{
	settings_of(endpoint)->proxy = proxy;
	return endpoint;
}

static void files_go_both_ways_through_a_socks_proxy(void **state)
{
	const char *proxy = openssh_as_proxy();
	struct endpoint *endpoint;

	both_ways(behind_proxy(source(), proxy), behind_proxy(sink(), proxy));
	works(behind_gate(behind_proxy(source(), proxy))); /* a jump host behind a proxy */
	endpoint = behind_proxy(source(), proxy);
	settings_of(endpoint)->port = support_free_port();
	fails_saying(endpoint, "sftp.proxy", "127.0.0.1 port");
	end_other(); /* they did go through it */
	fails_saying(behind_proxy(source(), proxy), "sftp.connect", "the proxy: ");
}

/* A proxy that reads what there is and says its piece to each of the two questions, then nothing more. */
static const char *proxy_that_says(struct span greeting, struct span answer, bool ends)
{
	char port[8], bytes[600];
	int fd = listen_somewhere(port);

	end_other();
	other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int client = accept(fd, NULL, NULL);

			if (read(client, bytes, sizeof bytes) > 0 && greeting.len &&
			    write(client, greeting.data, greeting.len) > 0 && answer.len &&
			    read(client, bytes, sizeof bytes) > 0 && write(client, answer.data, answer.len) < 0)
				ends = true;
			while (!ends && read(client, bytes, sizeof bytes) > 0)
				continue;
			close(client);
		}
	}
	close(fd);
	return arena_printf(arena, "socks5://127.0.0.1:%s", port);
}

static void what_a_proxy_refuses_is_said_in_words(void **state)
{
	static const char *const words[] = {"failed",
					    "does not allow",
					    "network cannot be reached",
					    "host cannot be reached",
					    "refused the proxy's connection",
					    "the proxy refuses"};
	char answer[] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};

	for (char code = 1; code <= 6; code++) {
		answer[1] = code;
		fails_saying(behind_proxy(source(), proxy_that_says(span_make("\5\0", 2), span_make(answer, 10), true)),
			     "sftp.proxy", words[code - 1]);
	}
	fails_saying(behind_proxy(source(), proxy_that_says(span_make("\5\xff", 2), SPAN_NONE, true)), "sftp.proxy",
		     "wants a login");
	fails_saying(behind_proxy(source(), proxy_that_says(SPAN_LITERAL("HTTP/1.1 400"), SPAN_NONE, true)),
		     "sftp.proxy", "is none of SOCKS5");
	fails_saying(behind_proxy(source(), proxy_that_says(SPAN_NONE, SPAN_NONE, false)), "sftp.proxy",
		     "does not answer");
	answer[1] = 0;
	for (size_t n = 1; n < sizeof answer; n++) /* it breaks off at each byte */
		fails_saying(behind_proxy(source(), proxy_that_says(span_make("\5\0", 2), span_make(answer, n), true)),
			     "sftp.proxy", "does not answer");
}

static void a_proxy_that_hangs_behind_its_answer_is_given_up_in_time(void **state)
{
	static const char granted[] = {5, 0, 0, 3, 4, 'g', 'a', 't', 'e', 0, 22};

	fails_saying(behind_proxy(source(), proxy_that_says(span_make("\5\0", 2), span_make(granted, 6), false)),
		     "sftp.proxy", "does not answer");
	fails_saying(behind_proxy(source(), proxy_that_says(span_make("\5\0", 2), span_make(granted, 11), false)),
		     "sftp.timeout", "no answer within 3 s");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_go_both_ways_through_a_jump_host),
		TEST(the_key_of_a_jump_host_is_pinned_as_well_and_is_the_first_to_be_trusted),
		TEST(a_jump_host_that_lets_nobody_in_or_does_not_lead_on_says_so),
		TEST(a_jump_host_that_was_restarted_costs_one_more_login),
		TEST(files_go_both_ways_through_a_socks_proxy),
		TEST(what_a_proxy_refuses_is_said_in_words),
		TEST(a_proxy_that_hangs_behind_its_answer_is_given_up_in_time),
	};

	cmocka_set_test_filter(getenv("FERRULE_ONLY"));
	return cmocka_run_group_tests_name("the ways to sftp on " SFTP_LAB, tests, NULL, NULL);
}
