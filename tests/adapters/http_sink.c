/* Deliveries against a target that keeps its word (tests/lab/counterpart serve) and one that does everything wrong (a
 * socket by hand, in a process of its own). */
#include "config.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/fault.h"
#include "tests/lab/http_lab.h"
#include "tests/lab/wrong_doer.h"

/* ---- fixture
 * --------------------------------------------------------------------------------------------------------- */
struct fixture {
	char *directory, *log, *effects;
	struct arena *arena;
	void *sink;
	pid_t wrong, target;
	unsigned wrong_port, target_port;
	struct error error;
};

static bool port_written(void *arg)
{
	struct fixture *f = arg;
	char *path = support_path(f->directory, "port"), *text = support_read(path, NULL);

	free(path);
	if (!text)
		return false;
	f->target_port = (unsigned)strtoul(text, NULL, 10);
	free(text);
	return f->target_port > 0;
}

static void target_start(struct fixture *f, const char *one, const char *two, const char *three)
{
	char *port = support_path(f->directory, "port"), *program = support_path(BUILDDIR, "tests/lab/counterpart");

	f->target = fork();
	if (f->target == 0) {
		int null = open("/dev/null", O_WRONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 1);
		execl(program, program, "serve", "--log", f->effects, "--port-file", port, one, two, three, NULL);
		_exit(127);
	}
	assert_true(support_until(port_written, f, 5000));
	free(port);
	free(program);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char *path;

	f->directory = support_tmpdir();
	f->log = support_path(f->directory, "wrong.log");
	f->effects = support_path(f->directory, "effects.log");
	f->arena = arena_new();
	path = support_path(f->directory, "secrets");
	mkdir(path, 0700);
	free(path);
	path = support_path(f->directory, "secrets/key");
	support_write(path, SPAN_LITERAL("tr0ub4dor\n"));
	free(path);
	f->wrong = wrong_doer(f->log, &f->wrong_port);
	f->sink = http_sink_ops.open(&f->error);
	assert_non_null(f->sink);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_sink_ops.close(f->sink);
	kill(-f->wrong, SIGKILL);
	waitpid(f->wrong, NULL, 0);
	if (f->target) {
		kill(f->target, SIGTERM);
		waitpid(f->target, NULL, 0);
	}
	arena_free(f->arena);
	support_rmtree(f->directory);
	free(f->directory);
	free(f->log);
	free(f->effects);
	free(f);
	return 0;
}

static size_t lines_of(const char *path)
{
	char *text = support_read(path, NULL);
	size_t n = 0;

	for (char *at = text; at && *at; at++)
		n += *at == '\n';
	free(text);
	return n;
}

static struct endpoint *endpoint(struct fixture *f, const char *name, enum effect_kind kind, const char *settings)
{
	struct endpoint *made =
		lab_endpoint(f->arena, name, f->directory,
			     lab_settings(f->arena, http_target_options, sizeof(struct http_target), settings));

	made->effect.kind = kind;
	if (http_sink_ops.endpoint(f->sink, made, &f->error))
		fail_msg("%s", f->error.text);
	return made;
}

/* An attempt to send `body` to a path of the wrong-doer or the target, as the role would make it. */
static struct attempt *attempt(struct fixture *f, const struct endpoint *to, unsigned port, const char *path,
			       struct span body)
{
	struct attempt *made = calloc(1, sizeof *made);
	struct message *message = message_new();
	char url[300];

	snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
	message_attr(message, SPAN_LITERAL("url"), span_of(url), NULL);
	message_attr(message, SPAN_LITERAL("method"), SPAN_LITERAL("POST"), NULL);
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	message_body_take(message, reader_new_copy(body));
	made->endpoint = to;
	made->message = message;
	made->key = id_digest(span_of(path));
	made->first_ms = clock_now_ms();
	buf_init(&made->receipt, 4096);
	return made;
}

static void attempt_free(struct attempt *done)
{
	message_free((struct message *)(uintptr_t)done->message);
	buf_free(&done->receipt);
	free(done);
}

static void start(struct fixture *f, struct attempt *given)
{
	if (http_sink_ops.start(f->sink, given, &f->error))
		fail_msg("%s", f->error.text);
}

static struct attempt *reap(struct fixture *f, int wait_ms)
{
	struct attempt *done = NULL;
	size_t count = 0;

	assert_int_equal(http_sink_ops.reap(f->sink, &done, 1, &count, -1, wait_ms, &f->error), 0);
	return count ? done : NULL;
}

/* Sends and waits; the caller frees. */
static struct attempt *send_one(struct fixture *f, const struct endpoint *to, unsigned port, const char *path,
				const char *body)
{
	struct attempt *given = attempt(f, to, port, path, span_of(body));

	start(f, given);
	assert_ptr_equal(reap(f, 5000), given);
	return given;
}

#define ANY "{\"url\":\"http://unused/\",\"timeout\":\"400ms\"}"

/* ---- a target that keeps its word
 * ------------------------------------------------------------------------------------ */
static void a_delivery_takes_effect_once_and_leaves_a_receipt(void **state)
{
	struct fixture *f = *state;
	struct attempt *done;
	char *log;
	json_t *line, *receipt;
	char hex[ID_TEXT];

	target_start(f, "--idempotent", NULL, NULL);
	for (int i = 0; i < 2; i++) {
		done = send_one(f, endpoint(f, "e", EFFECT_KEY, ANY), f->target_port, "/orders", "{\"n\":1}");
		assert_int_equal(done->error.class, ERROR_NONE);
		receipt = json_loadb(done->receipt.data, done->receipt.len, 0, NULL);
		assert_int_equal(json_integer_value(json_object_get(receipt, "status")), 201);
		assert_string_equal(json_string_value(json_object_get(receipt, "request")), "1");
		json_decref(receipt);
		id_hex(&done->key, hex);
		attempt_free(done);
	}
	assert_int_equal(lines_of(f->effects), 1);
	log = support_read(f->effects, NULL);
	line = json_loads(log, JSON_DISABLE_EOF_CHECK, NULL);
	assert_string_equal(json_string_value(json_object_get(line, "key")), hex);
	assert_string_equal(json_string_value(json_object_get(line, "type")), "application/json");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(line, "body"), "n")), 1);
	json_decref(line);
	free(log);
}

static void an_answer_lost_after_the_effect_is_doubt_and_the_key_resolves_it(void **state)
{
	struct fixture *f = *state;
	struct endpoint *to = endpoint(f, "e", EFFECT_KEY, ANY);
	struct attempt *done;
	enum resolved resolved;

	target_start(f, "--idempotent", "--drop-after-effect", "1");
	done = send_one(f, to, f->target_port, "/orders", "{}");
	assert_int_equal(done->error.class, ERROR_DOUBT);
	assert_int_equal(http_sink_ops.resolve(f->sink, done, &resolved, &f->error), 0);
	assert_int_equal(resolved, RESOLVED_NOT);
	attempt_free(done);
	done = send_one(f, to, f->target_port, "/orders", "{}");
	assert_int_equal(done->error.class, ERROR_NONE);
	attempt_free(done);
	assert_int_equal(lines_of(f->effects), 1);
}

static void doubt_is_resolved_only_while_the_target_remembers(void **state)
{
	struct fixture *f = *state;
	struct endpoint *to = endpoint(f, "e", EFFECT_KEY, "{\"url\":\"http://h/\"}");
	struct attempt given = {.endpoint = to, .first_ms = clock_now_ms() - 3600000};
	enum resolved resolved;

	to->effect.remembers_ms = 3600000 + 60000;
	http_sink_ops.resolve(f->sink, &given, &resolved, NULL);
	assert_int_equal(resolved, RESOLVED_NOT);
	to->effect.remembers_ms = 3600000 + 10000; /* the new try may take 30 s */
	http_sink_ops.resolve(f->sink, &given, &resolved, NULL);
	assert_int_equal(resolved, RESOLVED_UNKNOWN);
	to->effect.remembers_ms = 0;
	http_sink_ops.resolve(f->sink, &given, &resolved, NULL);
	assert_int_equal(resolved, RESOLVED_NOT);
	to->effect.kind = EFFECT_NONE;
	http_sink_ops.resolve(f->sink, &given, &resolved, NULL);
	assert_int_equal(resolved, RESOLVED_UNKNOWN);
}

static void a_body_of_megabytes_is_streamed(void **state)
{
	struct fixture *f = *state;
	size_t len = 5 * 1024 * 1024 + 3;
	char *bytes = malloc(len), *log, hex[ID_TEXT];
	struct attempt *given;
	struct id digest;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 7 + i / 1000);
	digest = id_digest(span_make(bytes, len));
	id_hex(&digest, hex);
	target_start(f, "--plain", NULL, NULL);
	given = attempt(f, endpoint(f, "e", EFFECT_NONE, "{\"url\":\"http://unused/\"}"), f->target_port, "/big",
			span_make(bytes, len));
	start(f, given);
	assert_ptr_equal(reap(f, 10000), given);
	assert_int_equal(given->error.class, ERROR_NONE);
	log = support_read(f->effects, NULL);
	assert_non_null(strstr(log, hex));
	attempt_free(given);
	free(log);
	free(bytes);
}

static void a_thousand_deliveries_use_few_connections(void **state)
{
	struct fixture *f = *state;
	struct endpoint *to = endpoint(f, "e", EFFECT_KEY, "{\"url\":\"http://unused/\"}");
	struct attempt *given[1000], *done;

	target_start(f, "--idempotent", NULL, NULL);
	for (int i = 0; i < 1000; i++) {
		char path[32];

		snprintf(path, sizeof path, "/n/%d", i);
		given[i] = attempt(f, to, f->target_port, path, SPAN_LITERAL("{}"));
		start(f, given[i]);
	}
	for (int i = 0; i < 1000; i++) {
		done = reap(f, 10000);
		assert_non_null(done);
		assert_int_equal(done->error.class, ERROR_NONE);
		attempt_free(done);
	}
	assert_int_equal(lines_of(f->effects), 1000);
}

/* ---- one that does everything wrong
 * ------------------------------------------------------------------------------------- */
static void every_failure_has_its_class(void **state)
{
	static const struct {
		const char *path;
		enum error_class class;
		enum error_scope scope;
		const char *code;
	} cases[] = {
		{"/hang", ERROR_DOUBT, SCOPE_MESSAGE, "http.timeout"},
		{"/close", ERROR_DOUBT, SCOPE_MESSAGE, "http.broken"},
		{"/reset", ERROR_DOUBT, SCOPE_MESSAGE, "http.broken"},
		{"/cut", ERROR_DOUBT, SCOPE_MESSAGE, "http.broken"},
		{"/cut-error", ERROR_REJECT, SCOPE_MESSAGE, "http.status-422"},
		{"/cut-head", ERROR_DOUBT, SCOPE_MESSAGE, "http.broken"},
		{"/garbage", ERROR_DOUBT, SCOPE_MESSAGE, "http.broken"},
		{"/drip", ERROR_DOUBT, SCOPE_MESSAGE, "http.timeout"},
		{"/huge", ERROR_NONE, SCOPE_MESSAGE, ""},
		{"/heads", ERROR_DOUBT, SCOPE_MESSAGE, "http.broken"},
		{"/informational", ERROR_DOUBT, SCOPE_MESSAGE, "http.broken"},
		{"/redirect", ERROR_REJECT, SCOPE_MESSAGE, "http.status-302"},
		{"/later", ERROR_RETRY, SCOPE_ENDPOINT, "http.status-429"},
		{"/fine", ERROR_NONE, SCOPE_MESSAGE, ""},
	};
	struct fixture *f = *state;
	struct endpoint *to = endpoint(f, "e", EFFECT_NONE, ANY);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct attempt *done = send_one(f, to, f->wrong_port, cases[i].path, "{}");

		if (done->error.class != cases[i].class || strcmp(done->error.code, cases[i].code) ||
		    done->error.scope != cases[i].scope)
			fail_msg("%s: %s %s: %s", cases[i].path, error_class_name(done->error.class), done->error.code,
				 done->error.text);
		if (strcmp(cases[i].path, "/later") == 0)
			assert_int_equal(done->error.retry_after_ms, 7000);
		attempt_free(done);
	}
	assert_int_equal(lines_of(f->log), sizeof cases / sizeof *cases); /* each was asked exactly once */
}

static void what_never_left_this_machine_is_tried_again(void **state)
{
	struct fixture *f = *state;
	static const char *const urls[] = {"http://127.0.0.1:%u/", "https://127.0.0.1:%u/",
					   "http://nobody.invalid:%u/"};
	static const char *const codes[] = {"http.connect", "http.tls", "http.resolve"};

	for (int i = 0; i < 3; i++) {
		struct attempt *given =
			attempt(f, endpoint(f, "e", EFFECT_NONE, "{\"url\":\"http://unused/\",\"timeout\":\"3s\"}"), 1,
				"/", SPAN_LITERAL("{}"));
		char url[100];

		snprintf(url, sizeof url, urls[i], i == 1 ? f->wrong_port : (unsigned)support_free_port());
		message_attr((struct message *)(uintptr_t)given->message, SPAN_LITERAL("url"), span_of(url), NULL);
		start(f, given);
		assert_ptr_equal(reap(f, 6000), given);
		if (given->error.class != ERROR_RETRY || given->error.scope != SCOPE_ENDPOINT ||
		    (strcmp(given->error.code, codes[i]) && strcmp(given->error.code, "http.timeout")))
			fail_msg("%s: %s %s", url, given->error.code, given->error.text);
		attempt_free(given);
	}
}

/* libcurl by itself would send the second request again over a new connection. */
static void a_kept_connection_that_ends_under_a_request_is_doubt_not_a_second_try(void **state)
{
	struct fixture *f = *state;
	struct endpoint *to = endpoint(f, "e", EFFECT_NONE, ANY);

	for (int size = 0; size < 2; size++) {
		struct attempt *done = send_one(f, to, f->wrong_port, "/second", size ? "{}" : "");

		assert_int_equal(done->error.class, ERROR_NONE);
		attempt_free(done);
		done = send_one(f, to, f->wrong_port, "/second", size ? "{}" : "");
		assert_int_equal(done->error.class, ERROR_DOUBT);
		attempt_free(done);
		assert_int_equal(lines_of(f->log), 2 * (size + 1));
	}
}

static void a_target_that_hangs_slows_no_other(void **state)
{
	struct fixture *f = *state;
	struct endpoint *stuck = endpoint(f, "stuck", EFFECT_NONE,
					  "{\"url\":\"http://unused/\",\"timeout\":\"60s\",\"parallel\":2}"),
			*well = endpoint(f, "well", EFFECT_NONE, ANY);
	struct attempt *hung[20];
	int64_t began = clock_tick_ms();

	for (int i = 0; i < 20; i++) {
		hung[i] = attempt(f, stuck, f->wrong_port, "/hang", SPAN_LITERAL("{}"));
		start(f, hung[i]);
	}
	for (int i = 0; i < 10; i++) {
		struct attempt *done = send_one(f, well, f->wrong_port, "/fine", "{}");

		assert_int_equal(done->error.class, ERROR_NONE);
		attempt_free(done);
	}
	assert_true(clock_tick_ms() - began < 2000);
	assert_int_equal(lines_of(f->log), 12); /* two of the twenty, and the ten */
	assert_int_equal(http_sink_ops.parallel(stuck), 2);
	for (int i = 19; i >= 0; i--) {
		http_sink_ops.abandon(f->sink, hung[i]);
		http_sink_ops.abandon(f->sink, hung[i]);
		attempt_free(hung[i]);
	}
	{
		struct attempt *done = send_one(f, stuck, f->wrong_port, "/fine", "{}"); /* its places are free again */

		assert_int_equal(done->error.class, ERROR_NONE);
		attempt_free(done);
	}
}

static void waiting_ends_when_the_role_is_called(void **state)
{
	struct fixture *f = *state;
	struct attempt *given = attempt(f, endpoint(f, "e", EFFECT_NONE, "{\"url\":\"http://unused/\"}"), f->wrong_port,
					"/hang", SPAN_LITERAL("{}"));
	struct attempt *done;
	int64_t began = clock_tick_ms();
	size_t count = 9;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	start(f, given);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	assert_int_equal(http_sink_ops.reap(f->sink, &done, 1, &count, pipes[0], 10000, &f->error), 0);
	assert_int_equal(count, 0);
	assert_true(clock_tick_ms() - began < 1000);
	assert_int_equal(http_sink_ops.reap(f->sink, &done, 1, &count, -1, 100, &f->error), 0);
	assert_in_range(clock_tick_ms() - began, 100, 1500);
	http_sink_ops.abandon(f->sink, given);
	attempt_free(given);
	close(pipes[0]);
	close(pipes[1]);
}

static void secrets_are_sent_and_never_reported(void **state)
{
	static const struct {
		const char *auth, *sent;
	} cases[] = {
		{"{\"bearer\":{\"secret\":\"key\"}}", "Authorization: Bearer tr0ub4dor"},
		{"{\"basic\":{\"user\":\"u\",\"password\":{\"secret\":\"key\"}}}",
		 "Authorization: Basic dTp0cjB1YjRkb3I="},
		{"{\"key\":{\"header\":\"X-Key\",\"value\":{\"secret\":\"key\"}}}", "X-Key: tr0ub4dor"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char settings[300], *line;
		struct attempt *done;
		size_t len = strlen(cases[i].sent);

		snprintf(settings, sizeof settings, "{\"url\":\"http://unused/\",\"auth\":%s}", cases[i].auth);
		done = send_one(f, endpoint(f, "e", EFFECT_NONE, settings), f->wrong_port, "/echo", "{}");
		assert_int_equal(done->error.class, ERROR_REJECT);
		assert_null(strstr(done->error.text, "tr0ub4dor"));
		assert_null(strstr(done->error.text, "dTp0cjB1YjRkb3I="));
		line = strstr(done->error.text, cases[i].auth[2] == 'k' ? "X-Key: " : "Authorization: ");
		assert_non_null(line); /* it was sent, and came back starred */
		assert_true(strlen(line) >= len);
		assert_int_equal(line[len - 1], '*');
		attempt_free(done);
	}
}

static void the_environments_proxy_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct attempt *done;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	done = send_one(f, endpoint(f, "e", EFFECT_NONE, ANY), f->wrong_port, "/fine", "{}");
	assert_int_equal(done->error.class, ERROR_NONE);
	attempt_free(done);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
}

static void a_reload_in_the_middle_of_a_transfer_is_fine(void **state)
{
	struct fixture *f = *state;
	struct attempt *given =
		attempt(f, endpoint(f, "e", EFFECT_NONE, ANY), f->wrong_port, "/drip", SPAN_LITERAL("{}"));

	start(f, given);
	assert_null(reap(f, 50));
	endpoint(f, "e", EFFECT_KEY,
		 "{\"url\":\"http://other/\",\"parallel\":1,\"auth\":{\"bearer\":{\"secret\":\"key\"}}}");
	assert_ptr_equal(reap(f, 3000), given);
	assert_int_equal(given->error.class, ERROR_DOUBT);
	attempt_free(given);
}

static void what_cannot_be_sent_is_refused_at_once(void **state)
{
	struct fixture *f = *state;
	struct endpoint *to = endpoint(f, "e", EFFECT_NONE, ANY);
	struct attempt *given = attempt(f, to, f->wrong_port, "/fine", SPAN_LITERAL("{}"));
	struct arena *arena = arena_new();

	message_attr((struct message *)(uintptr_t)given->message, SPAN_LITERAL("header.X-A"),
		     SPAN_LITERAL("a\r\nX-B: b"), NULL);
	assert_int_equal(http_sink_ops.start(f->sink, given, &f->error), -1);
	assert_string_equal(given->error.code, "http.header");
	attempt_free(given);
	given = attempt(f, to, f->wrong_port, "/fine", SPAN_LITERAL("{}"));
	given->idempotency_key = SPAN_LITERAL("a\nb");
	assert_int_equal(http_sink_ops.start(f->sink, given, &f->error), -1);
	assert_string_equal(given->error.code, "http.key");
	attempt_free(given);
	assert_int_equal(
		http_sink_ops.endpoint(
			f->sink,
			lab_endpoint(
				arena, "x", f->directory,
				lab_settings(arena, http_target_options, sizeof(struct http_target),
					     "{\"url\":\"http://h/\",\"auth\":{\"bearer\":{\"secret\":\"none\"}}}")),
			&f->error),
		-1);
	assert_string_equal(f->error.code, "secret.missing");
	assert_int_equal(http_sink_ops.endpoint(
				 f->sink,
				 lab_endpoint(arena, "x", f->directory,
					      lab_settings(arena, http_target_options, sizeof(struct http_target),
							   "{\"url\":\"http://h/\",\"success\":[\"2xx\",\"ok\"]}")),
				 &f->error),
			 -1);
	assert_string_equal(f->error.code, "http.success");
	arena_free(arena);
	assert_int_equal(lines_of(f->log), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_delivery_takes_effect_once_and_leaves_a_receipt, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_lost_after_the_effect_is_doubt_and_the_key_resolves_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(doubt_is_resolved_only_while_the_target_remembers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_body_of_megabytes_is_streamed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_thousand_deliveries_use_few_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(every_failure_has_its_class, setup, teardown),
		cmocka_unit_test_setup_teardown(what_never_left_this_machine_is_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_kept_connection_that_ends_under_a_request_is_doubt_not_a_second_try,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_target_that_hangs_slows_no_other, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_ends_when_the_role_is_called, setup, teardown),
		cmocka_unit_test_setup_teardown(secrets_are_sent_and_never_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(the_environments_proxy_is_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_in_the_middle_of_a_transfer_is_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_refused_at_once, setup, teardown),
	};

	return cmocka_run_group_tests_name("http_sink", tests, NULL, NULL);
}
