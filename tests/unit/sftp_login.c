/* Who is let in, and whom we let in: our keys of every kind, an agent's, passwords; keys of servers that nobody knows,
 * that are pinned, changed or revoked. On a real server. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "broker-adapters/sftp/sftp_files.h"
#include "tests/support/sftp_lab.h"
#include "tests/support/sftp_try.h"
#include "tests/support/support.h"

static char *root;
static struct arena *arena;
static pid_t agent; /* a real one, or a liar */

static int set_up(void **state)
{
	sftp_lab_need();
	root = support_tmpdir();
	arena = arena_new();
	agent = 0;
	unsetenv("SSH_AUTH_SOCK");
	return 0;
}

static void end_agent(void)
{
	if (agent > 0)
		kill(agent, SIGTERM);
	waitpid(agent, NULL, 0);
	agent = 0;
	unsetenv("SSH_AUTH_SOCK");
}

static int tear_down(void **state)
{
	end_agent();
	support_rmtree(root);
	free(root);
	arena_free(arena);
	return 0;
}

/* Lasts as long as the next three. */
static const char *below(const char *name)
{
	static char paths[4][512];
	static unsigned n;

	snprintf(paths[++n % 4], sizeof paths[0], "%s/%s", root, name);
	return paths[n % 4];
}

static struct endpoint *source_with(const char *key, const char *value)
{
	return sftp_lab_endpoint(arena, root, sftp_source_ops.options, sftp_source_ops.settings_size, "outbox/*", "age",
				 "0s", "timeout", "4s", key, value, NULL);
}

static struct sftp_settings *settings_of(struct endpoint *endpoint)
{
	return (struct sftp_settings *)(uintptr_t)endpoint->settings;
}

static void a_server_that_nobody_knows_is_refused_with_its_fingerprint(void **state)
{
	struct endpoint *endpoint = source_with("known-hosts", "nobody");
	struct error error = {0};

	settings_of(endpoint)->system = "acme";
	assert_int_equal(source_ask(endpoint, &error), -1);
	assert_string_equal(error.code, "sftp.host-key");
	assert_non_null(strstr(error.text, "SHA256:"));
	assert_non_null(strstr(error.text, "ferrule transfer trust acme"));
}

static void another_key_than_the_pinned_one_is_refused_and_both_are_shown(void **state)
{
	static const char other[] = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	struct endpoint *endpoint = source_with("host-key", other);
	struct peer_key key;
	struct error error = {0};

	/* one text stands for a list of one */
	assert_int_equal(source_ask(endpoint, &error), -1);
	assert_string_equal(error.code, "sftp.host-key");
	assert_non_null(strstr(error.text, other));
	assert_int_equal(sftp_source_ops.look(endpoint, &key, &error), 0);
	assert_false(key.trusted);
	assert_non_null(strstr(error.text, key.fingerprint));
	source_works(source_with("host-key", key.fingerprint));
}

static void a_key_that_was_changed_is_refused_until_it_is_recorded(void **state)
{
	struct endpoint *endpoint = source_with("interval", "1m");
	struct peer_key before, key;
	struct error error = {0};

	source_works(endpoint);
	assert_int_equal(sftp_source_ops.look(endpoint, &before, &error), 0);
	assert_true(before.trusted);
	sftp_lab_do("rekey");
	source_fails(endpoint, "sftp.host-key", NULL);
	assert_int_equal(sftp_source_ops.look(endpoint, &key, &error), 0);
	assert_false(key.trusted);
	assert_string_not_equal(key.known, "");
	support_write(key.file, span_of(key.line));
	source_works(endpoint);
}

static void keys_of_each_kind_let_us_in(void **state)
{
	struct endpoint *endpoint = source_with("interval", "1m");

	source_works(endpoint); /* ed25519 */
	sftp_lab_secret(root, "key", "acme.ecdsa");
	source_works(endpoint);
	sftp_lab_secret(root, "key", "acme.locked");
	source_fails(endpoint, "sftp.key", NULL);
	support_write(below("words"), SPAN_LITERAL("open sesame"));
	settings_of(endpoint)->passphrase = "words";
	source_works(endpoint);
	sftp_lab_secret(root, "key", "brix");
	settings_of(endpoint)->passphrase = NULL;
	source_fails(endpoint, "sftp.auth", NULL);
	sftp_lab_secret(root, "key", "acme.rsa");
	source_works(endpoint); /* also where SHA-1 is not taken any more: OpenSSH as it comes */
	sftp_lab_secret(root, "key", "acme.rsa-openssh");
	source_works(endpoint);
	sftp_lab_secret(root, "key", "acme.rsa-locked");
	settings_of(endpoint)->passphrase = "words";
	source_works(endpoint);
	sftp_lab_secret(root, "key", "acme.rsa-sealed"); /* only libssh2 reads it, and signs with SHA-1 */
	if (strcmp(SFTP_LAB, "openssh"))
		source_works(endpoint);
	else
		source_fails(endpoint, "sftp.auth", "ssh-keygen -p -m PEM");
}

static void a_password_lets_us_in_where_the_server_takes_one(void **state)
{
	struct endpoint *endpoint = source_with("interval", "1m");

	if (!sftp_lab_need()->password)
		support_skip("this server takes none");
	settings_of(endpoint)->key = NULL;
	settings_of(endpoint)->password = "password";
	support_write(below("password"), span_of(sftp_lab_need()->password));
	source_works(endpoint);
	support_write(below("password"), SPAN_LITERAL("another"));
	source_fails(endpoint, "sftp.auth", NULL);
}

/* ---- an agent --------------------------------------------------------------------------------------------------- */

static void add_keys(const char *names)
{
	char command[900], words[300], *rest, *name;
	size_t used = (size_t)snprintf(command, sizeof command, "ssh-add -q");

	snprintf(words, sizeof words, "%s", names);
	for (name = strtok_r(words, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		used += (size_t)snprintf(command + used, sizeof command - used, " '%s/%s'",
					 name[0] == '+' ? root : sftp_lab_need()->keys, name + (name[0] == '+'));
	assert_int_equal(system(command), 0);
}

/* A child of ours, so that it ends with us. */
static struct endpoint *with_agent(const char *names)
{
	struct endpoint *endpoint = source_with("agent", "yes");

	settings_of(endpoint)->key = NULL;
	end_agent();
	unlink(below("agent"));
	agent = fork();
	if (agent == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		freopen("/dev/null", "w", stdout);
		execlp("ssh-agent", "ssh-agent", "-D", "-a", below("agent"), (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && access(below("agent"), F_OK); i++)
		usleep(10000);
	setenv("SSH_AUTH_SOCK", below("agent"), 1);
	if (names)
		add_keys(names);
	return endpoint;
}

static void keys_of_an_agent_let_us_in_whatever_their_kind(void **state)
{
	source_works(with_agent("acme"));
	source_works(with_agent("acme.ecdsa"));
	source_works(with_agent("acme.rsa")); /* also where SHA-1 is not taken any more */
	source_works(with_agent("brix brix.ecdsa brix.rsa acme.rsa"));
	source_works(with_agent("brix.rsa acme"));
}

static void an_agent_that_has_not_the_key_is_told_with_what_to_do(void **state)
{
	struct endpoint *endpoint = with_agent(NULL);

	source_fails(endpoint, "sftp.agent", "has no keys");
	add_keys("brix brix.rsa");
	source_fails(endpoint, "sftp.auth", "none of the 2 keys of the ssh-agent");
	if (sftp_lab_need()->password) { /* which is what is tried then */
		settings_of(endpoint)->password = "password";
		support_write(below("password"), span_of(sftp_lab_need()->password));
		source_works(endpoint);
		settings_of(endpoint)->password = NULL;
	}
	end_agent();
	source_fails(endpoint, "sftp.agent", "SSH_AUTH_SOCK is not set");
	setenv("SSH_AUTH_SOCK", below("nothing"), 1);
	source_fails(endpoint, "sftp.agent", "No such file or directory");
}

/* A server's patience ends before the agent's keys do. */
static void an_agent_with_too_many_keys_is_said_to_have_too_many(void **state)
{
	char command[700];
	struct endpoint *endpoint = with_agent(NULL);
	struct error error = {0};

	for (int i = 0; i < 12; i++) {
		snprintf(command, sizeof command, "ssh-keygen -q -t ed25519 -N '' -f '%s/k%d' && ssh-add -q '%s/k%d'",
			 root, i, root, i);
		assert_int_equal(system(command), 0);
	}
	add_keys("acme");
	if (!source_ask(endpoint, &error)) /* the other is patient */
		assert_string_not_equal(SFTP_LAB, "openssh");
	else if (strcmp(error.code, "sftp.auth") || !strstr(error.text, "ended the connection after"))
		fail_msg("%s: %s", error.code, error.text);
}

/* ---- an agent that lies ------------------------------------------------------------------------------------------ */

enum lie {
	HANGS,
	BREAKS,
	IS_HUGE,
	IS_EMPTY,
	OTHER_TYPE,
	SHORT_LIST,
	ENDLESS_LIST,
	REFUSES,
	WRONG_ALGORITHM,
	SHORT_SIGNATURE,
	WRONG_SIGNATURE,
	HANGS_SIGNING
};

static void put(struct buf *into, const void *bytes, size_t len)
{
	const unsigned char head[4] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16),
				       (unsigned char)(len >> 8), (unsigned char)len};

	buf_append(into, head, 4);
	buf_append(into, bytes, len);
}

/* The public key of a partner's file. */
static void read_public(struct buf *blob)
{
	char *path = mem_printf("%s/acme.pub", sftp_lab_need()->keys), *text = support_read(path, NULL);
	char *start = strchr(text, ' ') + 1;

	assert_int_equal(base64_decode(blob, span_make(start, strcspn(start, " \n"))), 0);
	free(text);
	free(path);
}

static void put_list(struct buf *body, enum lie lie)
{
	struct buf blob;

	buf_init(&blob, 4096);
	read_public(&blob);
	buf_append(body, "\14\0\0\0\1", 5);
	if (lie == ENDLESS_LIST)
		memset(body->data + 1, 0xff, 4);
	put(body, blob.data, blob.len);
	if (lie != SHORT_LIST)
		put(body, "comment", 7);
	buf_free(&blob);
}

static void put_signature(struct buf *body, enum lie lie)
{
	static const char bytes[64] = "no signature";
	const char *name = lie == WRONG_ALGORITHM ? "ssh-rsa" : "ssh-ed25519";
	struct buf inner;

	buf_init(&inner, 4096);
	put(&inner, name, strlen(name));
	if (lie != SHORT_SIGNATURE)
		put(&inner, bytes, sizeof bytes);
	buf_append(body, "\16", 1);
	put(body, inner.data, inner.len);
	buf_free(&inner);
}

/* One request in, what it says to it out; false: it is done. */
static bool answers(int fd, enum lie lie)
{
	unsigned char head[5], rest[65536];
	struct buf body, out;
	size_t len;

	if (recv(fd, head, 5, MSG_WAITALL) != 5)
		return false;
	len = ((size_t)head[2] << 8 | head[3]) - 1;
	if (len && recv(fd, rest, len, MSG_WAITALL) < 0)
		return false;
	if (lie == HANGS || (lie == HANGS_SIGNING && head[4] == 13))
		pause();
	buf_init(&body, 4096);
	buf_init(&out, 8192);
	if (lie == OTHER_TYPE || (lie == REFUSES && head[4] == 13))
		buf_append(&body, lie == REFUSES ? "\5" : "\77", 1);
	else if (head[4] == 13)
		put_signature(&body, lie);
	else
		put_list(&body, lie);
	put(&out, body.data, lie == IS_EMPTY ? 0 : body.len);
	if (lie == IS_HUGE)
		out.data[0] = 0x7f;
	send(fd, out.data, lie == BREAKS ? 3 : out.len, MSG_NOSIGNAL);
	buf_free(&body);
	buf_free(&out);
	return lie != BREAKS;
}

static struct endpoint *with_liar(enum lie lie)
{
	struct endpoint *endpoint = source_with("agent", "yes");
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	settings_of(endpoint)->key = NULL;
	end_agent();
	unlink(below("agent"));
	snprintf(at.sun_path, sizeof at.sun_path, "%s", below("agent"));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 4), 0);
	setenv("SSH_AUTH_SOCK", below("agent"), 1);
	agent = fork();
	if (agent == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int client = accept(fd, NULL, NULL);

			while (answers(client, lie))
				continue;
			close(client);
		}
	}
	close(fd);
	return endpoint;
}

static void an_agent_that_hangs_or_answers_rubbish_is_refused_in_words_and_in_time(void **state)
{
	static const struct {
		enum lie lie;
		const char *code, *words;
	} lies[] = {
		{HANGS, "sftp.agent", "gives no answer within 2 s"},
		{HANGS_SIGNING, "sftp.agent", "gives no answer within 2 s"},
		{BREAKS, "sftp.agent", "broke off"},
		{IS_HUGE, "sftp.agent", "a message of a wrong length"},
		{IS_EMPTY, "sftp.agent", "a message of a wrong length"},
		{OTHER_TYPE, "sftp.agent", "no list of keys"},
		{SHORT_LIST, "sftp.agent", "a list that breaks off"},
		{ENDLESS_LIST, "sftp.agent", "a list that breaks off"},
		{REFUSES, "sftp.agent", "refuses to sign"},
		{WRONG_ALGORITHM, "sftp.agent", "with SHA-1 only"},
		{SHORT_SIGNATURE, "sftp.agent", "a signature that breaks off"},
		{WRONG_SIGNATURE, "sftp.auth", "none of the 1 keys"},
	};

	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct endpoint *endpoint = with_liar(lies[i].lie);
		int64_t begun = clock_tick_ms();

		source_fails(endpoint, lies[i].code, lies[i].words);
		assert_true(clock_tick_ms() - begun < 5000);
	}
	if (sftp_lab_need()->password) { /* what else there is gets its turn */
		struct endpoint *endpoint = with_liar(HANGS);

		settings_of(endpoint)->password = "password";
		support_write(below("password"), span_of(sftp_lab_need()->password));
		source_works(endpoint);
	}
}

/* ---- servers with one kind of key -------------------------------------------------------------------------------- */

static struct endpoint *source_knowing(const char *name, const char *text)
{
	support_write(below(name), span_of(text));
	return source_with("known-hosts", arena_strdup(arena, below(name)));
}

/* What ssh-keygen -H makes of it. */
static struct endpoint *source_knowing_hashed(const char *text)
{
	char *command = mem_printf("ssh-keygen -q -H -f '%s/hashed' > /dev/null 2>&1", root);

	support_write(below("hashed"), span_of(text));
	assert_int_equal(system(command), 0);
	free(command);
	return source_with("known-hosts", arena_strdup(arena, below("hashed")));
}

#define WRONG "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void pinned_in_every_form(const struct peer_key *key)
{
	const char *kind_and_key = strchr(key->line, ' '), *port = sftp_lab_need()->port;
	char *other = mem_printf("%s ssh-ed25519 " WRONG "\n", key->host), *text, *digest;
	struct peer_key shown;
	struct error error = {0};

	source_works(source_with("host-key", key->fingerprint));
	source_works(source_knowing("plain", key->line));
	source_works(source_knowing_hashed(key->line));
	text = mem_printf("[127.0.0.*]:%s,!x%s", port, kind_and_key);
	source_works(source_knowing("pattern", text));
	free(text);
	text = mem_printf("%s%s\n", other, key->line); /* several keys */
	source_works(source_knowing("several", text));
	free(text);
	assert_int_equal(sftp_source_ops.look(source_knowing("other", other), &shown, &error), 0);
	assert_false(shown.trusted);
	digest = arena_strdup(arena, shown.known);
	source_fails(source_knowing("other", other), "sftp.host-key", key->fingerprint);
	source_fails(source_knowing("other", other), "sftp.host-key", digest);
	source_fails(source_knowing("other", other), "sftp.host-key", "shows another key than the one that is pinned");
	text = mem_printf("@revoked *%s\n%s\n", kind_and_key, key->line);
	source_fails(source_knowing("revoked", text), "sftp.host-key", "revoked");
	free(text);
	text = mem_printf("@cert-authority %s\n", key->line);
	source_fails(source_knowing("authority", text), "sftp.host-key", "certificates of hosts are not looked at");
	free(text);
	free(other);
}

static void a_server_with_one_kind_of_key_is_pinned_trusted_and_refused(void **state)
{
	static const char *const kinds[][2] = {
		{"only-rsa", "ssh-rsa"}, {"only-ecdsa", "ecdsa-sha2-nistp256"}, {"only-ed25519", "ssh-ed25519"}};

	for (size_t i = 0; i < 3; i++) {
		struct peer_key key;
		struct error error = {0};

		sftp_lab_do(kinds[i][0]);
		if (i == 0 && !strcmp(SFTP_LAB, "openssh")) { /* libssh2 1.10 has RSA with SHA-1 alone */
			source_fails(source_with("interval", "1m"), "sftp.connect", "RSA host key only");
			continue;
		}
		source_fails(source_knowing("nobody", ""), "sftp.host-key", "no key is pinned for it");
		assert_int_equal(sftp_source_ops.look(source_knowing("nobody", ""), &key, &error), 0);
		assert_string_equal(key.type, kinds[i][1]);
		pinned_in_every_form(&key);
	}
	sftp_lab_do("every");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Whole stacks: libssh2's leaks, which tests/lsan.supp names, are told by its frames, below those of libcrypto. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_server_that_nobody_knows_is_refused_with_its_fingerprint),
		TEST(another_key_than_the_pinned_one_is_refused_and_both_are_shown),
		TEST(keys_of_each_kind_let_us_in),
		TEST(a_password_lets_us_in_where_the_server_takes_one),
		TEST(keys_of_an_agent_let_us_in_whatever_their_kind),
		TEST(an_agent_that_has_not_the_key_is_told_with_what_to_do),
		TEST(an_agent_with_too_many_keys_is_said_to_have_too_many),
		TEST(an_agent_that_hangs_or_answers_rubbish_is_refused_in_words_and_in_time),
		TEST(a_server_with_one_kind_of_key_is_pinned_trusted_and_refused),
		TEST(a_key_that_was_changed_is_refused_until_it_is_recorded), /* the last: the key stays changed */
	};

	cmocka_set_test_filter(getenv("FERRULE_ONLY"));
	return cmocka_run_group_tests_name("logins of sftp on " SFTP_LAB, tests, NULL, NULL);
}
