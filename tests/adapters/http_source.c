/* The listener, in a process of its own, against real clients (libcurl) and hostile ones (sockets by hand). The
 * process plays the gateway: what it does with an arrival is in the webhook's path. */
#include "config.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/lab/http_gateway.h"

/* ---- the test's part -----------------------------------------------------------------------------------------------
 */
static bool header_has(struct fixture *f, const char *text)
{
	return f->headers.data && strcasestr(f->headers.data, text);
}

/* The n-th line that the gateway wrote down, from 0; NULL when there are fewer. The caller owns it. */
static json_t *written(struct fixture *f, size_t n)
{
	size_t len;
	char *text = support_read(f->log, &len), *at = text;
	json_t *line;

	while (at && n--)
		at = (at = strchr(at, '\n')) ? at + 1 : NULL;
	line = at && *at ? json_loads(at, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	free(text);
	return line;
}

static const char *said(json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text ? text : "";
}

static void a_document_is_answered_with_its_id_when_the_role_says_so(void **state)
{
	struct fixture *f = *state;
	struct call c = {"POST",
			 "/later",
			 {"Content-Type: application/json", "Idempotency-Key: \"k-1\""},
			 SPAN_LITERAL("{\"a\":1}"),
			 false,
			 0};
	int64_t began = clock_tick_ms();
	char hex[ID_TEXT];
	struct id late = id_digest(SPAN_LITERAL("late"));
	json_t *line;

	assert_int_equal(call(f, &c), 202);
	assert_true(clock_tick_ms() - began >= 90);
	id_hex(&late, hex);
	assert_non_null(strstr(f->body.data, hex));
	assert_null(strstr(f->body.data, "duplicate"));
	assert_true(header_has(f, "content-type: application/json"));
	line = written(f, 0);
	assert_string_equal(said(line, "id"), "k-1");
	assert_string_equal(said(line, "endpoint"), "later");
	assert_string_equal(said(line, "type"), "application/json");
	json_decref(line);
}

static void header_facts_travel_and_credentials_do_not(void **state)
{
	struct fixture *f = *state;
	struct call c = {"POST",
			 "/now",
			 {"X-Shop: Z\xc3\xbcrich", "Authorization: Bearer secret", "X-Hub-Signature: sha1=secret",
			  "Cookie: secret", "User-Agent: crm/1"},
			 SPAN_LITERAL("x"),
			 false,
			 0};
	json_t *line, *attrs;

	assert_int_equal(call(f, &c), 202);
	line = written(f, 0);
	attrs = json_object_get(line, "attrs");
	assert_string_equal(said(attrs, "x-shop"), "Z\xc3\xbcrich");
	assert_string_equal(said(attrs, "user-agent"), "crm/1");
	assert_string_equal(said(line, "id"), "");
	assert_string_equal(said(line, "name"), "/now");
	json_decref(line);
	line = written(f, 0);
	{
		char *text = json_dumps(line, 0);

		assert_null(strstr(text, "secret"));
		free(text);
	}
	json_decref(line);
}

static void bodies_of_every_size_come_through_whole(void **state)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000, 300 * 1024};
	struct fixture *f = *state;
	char *bytes = malloc(300 * 1024);
	size_t n = 0;

	for (size_t i = 0; i < 300 * 1024; i++)
		bytes[i] = (char)(i * 31 + i / 251);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int chunked = 0; chunked < 2; chunked++) {
			struct call c = {"POST", "/now", {NULL}, span_make(bytes, sizes[i]), chunked, 0};
			struct id digest = id_digest(c.body);
			char hex[ID_TEXT];
			json_t *line;

			assert_int_equal(call(f, &c), 202);
			line = written(f, n++);
			id_hex(&digest, hex);
			assert_string_equal(said(line, "sha256"), hex);
			json_decref(line);
		}
	free(bytes);
}

static void what_is_too_large_is_refused_and_the_connection_survives(void **state)
{
	struct fixture *f = *state;
	char *bytes = calloc(1, 400 * 1024);
	struct call c = {"POST", "/now", {NULL}, span_make(bytes, 300 * 1024 + 1), false, 0};

	assert_int_equal(call(f, &c), 413);
	assert_true(header_has(f, "application/problem+json"));
	assert_non_null(strstr(f->body.data, "\"status\":413"));
	c.chunked = true;
	assert_int_equal(call(f, &c), 413);
	c.body.len = 5;
	assert_int_equal(call(f, &c), 202);
	free(bytes);
}

static void endless_chunks_are_cut_off(void **state)
{
	struct fixture *f = *state;
	size_t len = 4 * 1024 * 1024;
	char *bytes = calloc(1, len);
	struct call c = {"POST", "/now", {NULL}, span_make(bytes, len), true, 0};

	assert_int_equal(call(f, &c), 0);
	c.body.len = 5;
	assert_int_equal(call(f, &c), 202);
	free(bytes);
}

/* Signs by what the command line's openssl would: the vector in tests/unit/http.c is what ties it to the standard. */
static long post_signed(struct fixture *f, const char *id, int64_t at_ms, const char *body, const char *sent)
{
	struct http_keys keys = {0};
	char stamp[24], *id_line = mem_printf("webhook-id: %s", id), *stamp_line;
	struct http_proof proof = {.id = span_of(id), .body = span_of(body)};
	struct buf line;
	struct error error;
	long status;

	snprintf(stamp, sizeof stamp, "%lld", (long long)(at_ms / 1000));
	stamp_line = mem_printf("webhook-timestamp: %s", stamp);
	proof.timestamp = span_of(stamp);
	http_keys_add(&keys, SPAN_LITERAL(KEY), true, &error);
	buf_init(&line, 1000);
	buf_text(&line, "webhook-signature: v1,AAAA ");
	http_webhook_sign(keys.keys[0], &proof, &line);
	{
		struct call c = {
			"POST",        "/signed", {id_line, stamp_line, line.data, "Content-Type: application/json"},
			span_of(sent), false,     0};

		status = call(f, &c);
	}
	http_keys_free(&keys);
	buf_free(&line);
	free(id_line);
	free(stamp_line);
	return status;
}

static void only_signed_webhooks_arrive(void **state)
{
	struct fixture *f = *state;
	struct call bare = {"POST", "/signed", {NULL}, SPAN_LITERAL("{}"), false, 0};
	json_t *line;

	assert_int_equal(post_signed(f, "evt_1", clock_now_ms(), "{}", "{ }"), 401);
	assert_true(header_has(f, "application/problem+json"));
	assert_true(header_has(f, "WWW-Authenticate"));
	assert_int_equal(post_signed(f, "evt_1", clock_now_ms() - 400000, "{}", "{}"), 401);
	assert_int_equal(call(f, &bare), 401);
	assert_null(written(f, 0));
	assert_int_equal(post_signed(f, "evt_1", clock_now_ms(), "{}", "{}"), 202);
	line = written(f, 0);
	assert_string_equal(said(line, "id"), "evt_1");
	assert_string_equal(said(line, "name"), "evt_1");
	assert_string_equal(said(json_object_get(line, "attrs"), "webhook-id"), "evt_1");
	assert_string_equal(said(json_object_get(line, "attrs"), "webhook-signature"), "");
	json_decref(line);
}

static void bearer_keys_old_and_new_open_the_door(void **state)
{
	struct fixture *f = *state;
	struct call c = {"POST", "/bearer", {"Authorization: Bearer new-key"}, SPAN_LITERAL("x"), false, 0};

	assert_int_equal(call(f, &c), 202);
	c.headers[0] = "Authorization: Bearer old-key";
	assert_int_equal(call(f, &c), 202);
	c.headers[0] = "Authorization: Bearer other";
	assert_int_equal(call(f, &c), 401);
	assert_true(header_has(f, "WWW-Authenticate: Bearer"));
	c.headers[0] = NULL;
	assert_int_equal(call(f, &c), 401);
}

static void every_refusal_has_its_status(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct call call;
		long status;
		const char *header, *text;
	} cases[] = {
		{{"POST", "/nowhere", {NULL}, SPAN_LITERAL("x"), false, 0}, 404, "problem+json", "\"status\":404"},
		{{"POST", "/now/", {NULL}, SPAN_LITERAL("x"), false, 0}, 404, "problem+json", "404"},
		{{"GET", "/now", {NULL}, SPAN_NONE, false, 0}, 405, "Allow: POST", "405"},
		{{"PUT", "/now", {NULL}, SPAN_LITERAL("x"), false, 0}, 405, "Allow: POST", "405"},
		{{"POST", "/livez", {NULL}, SPAN_LITERAL("x"), false, 0}, 405, "Allow: GET, HEAD", "405"},
		{{"POST", "/crm/typed", {"Content-Type: text/plain", "X-Event: 1"}, SPAN_LITERAL("x"), false, 0},
		 415,
		 "problem+json",
		 "415"},
		{{"POST",
		  "/crm/typed",
		  {"Content-Type: Application/JSON; charset=utf-8", "X-Event: 1"},
		  SPAN_LITERAL("x"),
		  false,
		  0},
		 202,
		 "json",
		 "id"},
		{{"POST", "/crm/typed", {"Content-Type: text/xml"}, SPAN_LITERAL("x"), false, 0},
		 400,
		 "problem+json",
		 "request.id"},
		{{"POST", "/now", {"Content-Encoding: gzip"}, SPAN_LITERAL("x"), false, 0}, 415, "problem+json", "415"},
		{{"POST", "/conflict", {NULL}, SPAN_LITERAL("x"), false, 0}, 422, "problem+json", "another payload"},
		{{"POST", "/full", {NULL}, SPAN_LITERAL("x"), false, 0}, 503, "Retry-After: 2", "503"},
		{{"POST", "/duplicate", {"webhook-id: a"}, SPAN_LITERAL("x"), false, 0},
		 202,
		 "application/json",
		 "\"duplicate\":true"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		long status = call(f, &cases[i].call);

		if (status != cases[i].status || !header_has(f, cases[i].header) ||
		    !strstr(f->body.data, cases[i].text))
			fail_msg("%s %s: %ld\n%s%s", cases[i].call.method, cases[i].call.path, status, f->headers.data,
				 f->body.data);
		assert_null(strstr(f->body.data, "secret-host"));
	}
}

static void a_full_site_says_come_again(void **state)
{
	struct fixture *f = *state;
	struct call c = {"POST", "/now", {NULL}, SPAN_LITERAL("x"), false, 0};
	char *flag = support_path(f->directory, "full");

	support_write(flag, SPAN_NONE);
	usleep(60000);
	assert_int_equal(call(f, &c), 503);
	assert_true(header_has(f, "Retry-After: 5"));
	unlink(flag);
	usleep(60000);
	assert_int_equal(call(f, &c), 202);
	free(flag);
}

static void questions_of_health_are_answered(void **state)
{
	struct fixture *f = *state;
	struct call c = {"GET", "/livez", {NULL}, SPAN_NONE, false, 0};

	assert_int_equal(call(f, &c), 200);
	assert_string_equal(f->body.data, "/livez in short\n");
	c.path = "/readyz?verbose";
	assert_int_equal(call(f, &c), 503);
	assert_string_equal(f->body.data, "/readyz at length\n");
	c.path = "/metrics";
	assert_int_equal(call(f, &c), 200);
	assert_true(header_has(f, "version=0.0.4"));
	c.method = "HEAD";
	assert_int_equal(call(f, &c), 200);
	assert_int_equal(f->body.len, 0);
}

static void a_client_that_leaves_while_it_waits_does_no_harm(void **state)
{
	struct fixture *f = *state;
	struct call c = {"POST", "/now", {NULL}, SPAN_LITERAL("x"), false, 0};

	for (int i = 0; i < 20; i++) {
		int fd = lab_connect(f->port);
		struct linger hard = {1, i % 2};

		lab_send(fd, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
		usleep(5000);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(fd);
	}
	usleep(200000);
	assert_int_equal(call(f, &c), 202);
}

/* A byte every 50 ms: libmicrohttpd's own limit, 600 ms of silence, never comes. */
static int64_t dribble(struct fixture *f, const char *first)
{
	int fd = lab_connect(f->port);
	int64_t began = clock_tick_ms();
	bool closed = false;

	lab_send(fd, first);
	while (!closed && clock_tick_ms() - began < 4000) {
		lab_send(fd, "a");
		free(lab_receive(fd, 50, &closed));
	}
	close(fd);
	return clock_tick_ms() - began;
}

static void slow_clients_are_cut_off(void **state)
{
	struct fixture *f = *state;
	int64_t headers = dribble(f, "POST /now HTTP/1.1\r\nHost: x\r\nX-Slow: "),
		body = dribble(f, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n");
	struct call c = {"POST", "/now", {NULL}, SPAN_LITERAL("x"), false, 0};

	assert_in_range(headers, 500, 2000);
	assert_in_range(body, 700, 2500);
	assert_int_equal(call(f, &c), 202);
}

static void a_wait_for_us_is_not_a_slow_client(void **state)
{
	struct fixture *f = *state;
	int fd = lab_connect(f->port);
	bool closed;
	char *text;

	lab_send(fd, "POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
	text = lab_receive(fd, 1500, &closed);
	assert_false(closed);
	assert_string_equal(text, "");
	free(text);
	kill(f->gateway, SIGTERM); /* who still waits when it ends is told */
	text = lab_receive(fd, 2000, &closed);
	assert_true(closed);
	assert_non_null(strstr(text, "HTTP/1.1 503"));
	assert_non_null(strstr(text, "Retry-After"));
	free(text);
	close(fd);
}

/* Sends it as it is; the server must answer with that status or hang up, and be well afterwards. */
static void hostile(struct fixture *f, const char *text, size_t repeat, const char *tail, const char *status)
{
	int fd = lab_connect(f->port);
	struct call c = {"POST", "/now", {NULL}, SPAN_LITERAL("x"), false, 0};
	bool closed;
	char *answer;
	long after;

	for (size_t i = 0; i < repeat; i++)
		lab_send(fd, text);
	lab_send(fd, tail);
	answer = lab_receive(fd, 1500, &closed);
	if (*answer && strncmp(answer + 9, status, 3))
		fail_msg("%.60s: %.200s", text, answer);
	if (!*answer && !closed)
		fail_msg("%.60s: neither an answer nor an end", text);
	free(answer);
	close(fd);
	/* On a busy machine the next one may come late for the listener's short patience. */
	for (int try = 0; (after = call(f, &c)) == 0 && try < 5; try++)
		;
	assert_int_equal(after, 202);
}

static void hostile_requests_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char head[] = "POST /now HTTP/1.1\r\nHost: x\r\n";
	char *chunked = mem_printf("%sTransfer-Encoding: chunked\r\n\r\n", head), *many = mem_printf("%s", head), *line;

	hostile(f, "\x16\x03\x01\x02\x01\xff\xfe\r\n\r\n", 1, "", "400");
	hostile(f, "GET\r\n\r\n", 1, "", "400");
	hostile(f, "POST /now HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 1, "", "400"); /* no Host */
	line = mem_printf("%s%s", chunked, "zz\r\nabc\r\n0\r\n\r\n");
	hostile(f, line, 1, "", "400");
	free(line);
	line = mem_printf("%s%s", chunked, "ffffffffffffffffffff\r\nabc\r\n0\r\n\r\n");
	hostile(f, line, 1, "", "413");
	free(line);
	line = mem_printf("%s%s", head, "Content-Length: -5\r\n\r\nabc");
	hostile(f, line, 1, "", "400");
	free(line);
	line = mem_printf("%s%s", head, "Content-Length: 99999999999999999999999\r\n\r\nabc");
	hostile(f, line, 1, "", "413");
	free(line);
	hostile(f, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 4000, "", "414");
	for (int i = 0; i < 120; i++) {
		line = mem_printf("%sX-%d: 1\r\n", many, i);
		free(many);
		many = line;
	}
	hostile(f, many, 1, "Content-Length: 0\r\n\r\n", "431");
	free(many);
	free(chunked);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	int fd = lab_connect(f->port);
	bool closed;
	char *text, *first, *second, *third;

	lab_send(fd, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
		     "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
		     "POST /duplicate HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
	text = lab_receive(fd, 400, &closed);
	first = strstr(text, "202 Accepted");
	second = strstr(text, "/livez in short");
	third = strstr(text, "duplicate");
	assert_true(first && second && third && first < second && second < third);
	free(text);
	close(fd);
}

static void a_stopped_listener_finishes_what_it_has_and_takes_no_more(void **state)
{
	struct fixture *f = *state;
	int fd = lab_connect(f->port);
	unsigned port = f->port;
	bool closed;
	char *text;
	struct call c = {"POST", "/now", {NULL}, SPAN_LITERAL("x"), false, 500};

	lab_send(fd, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
	usleep(30000);
	end(f, SIGUSR1);
	text = lab_receive(fd, 1000, &closed);
	assert_non_null(strstr(text, "HTTP/1.1 202"));
	free(text);
	close(fd);
	f->port = port;
	assert_int_equal(call(f, &c), 0);
}

static void it_speaks_tls(void **state)
{
	struct fixture *f = *state;
	struct call c = {"POST", "/now", {NULL}, SPAN_LITERAL("x"), false, 0};
	char *command = mem_printf("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
				   "-days 2 -subj /CN=127.0.0.1 "
				   "-addext subjectAltName=IP:127.0.0.1 -keyout secrets/tls -out cert.pem 2>/dev/null",
				   f->directory);

	if (system(command)) {
		free(command);
		support_skip("there is no openssl program");
		return;
	}
	free(command);
	start(f, "{\"port\":0,\"tls\":{\"certificate\":\"cert.pem\",\"key\":{\"secret\":\"tls\"}}}");
	f->scheme = "https";
	assert_int_equal(call(f, &c), 202);
	c.path = "/later";
	assert_int_equal(call(f, &c), 202);
}

static struct error refused_to_open(struct fixture *f, const char *listen, const char *const *settings, size_t n)
{
	struct arena *arena = arena_new();
	struct server_events events = {.arg = NULL}; /* never called */
	const struct endpoint *endpoints[4];
	struct error error = {0};

	for (size_t i = 0; i < n; i++)
		endpoints[i] = lab_endpoint(
			arena, "e", f->directory,
			lab_settings(arena, http_webhook_options, sizeof(struct http_webhook), settings[i]));
	assert_null(http_server_ops.open(lab_settings(arena, http_listen_options, sizeof(struct http_listen), listen),
					 endpoints, n, &events, &error));
	arena_free(arena);
	return error;
}

static void what_cannot_work_is_said_when_it_opens(void **state)
{
	struct fixture *f = *state;
	const char *reserved[] = {"{\"webhook\":\"/livez\",\"verify\":\"none\"}"};
	const char *twice[] = {"{\"webhook\":\"/a\",\"verify\":\"none\"}", "{\"webhook\":\"/a\",\"verify\":\"none\"}"};
	const char *bare[] = {"{\"webhook\":\"/a\"}"},
		   *missing[] = {"{\"webhook\":\"/a\",\"secret\":{\"secret\":\"none\"}}"};
	const char *form[] = {"{\"webhook\":\"/a\",\"secret\":{\"secret\":\"odd\"}}"};
	char *path = support_path(f->directory, "secrets/odd"), *taken = mem_printf("{\"port\":%u}", f->port);
	struct error error;

	support_write(path, SPAN_LITERAL("not base64!"));
	assert_string_equal(refused_to_open(f, "{\"port\":0}", reserved, 1).code, "webhook.path");
	assert_string_equal(refused_to_open(f, "{\"port\":0}", twice, 2).code, "webhook.path");
	assert_string_equal(refused_to_open(f, "{\"port\":0}", bare, 1).code, "webhook.secret");
	assert_string_equal(refused_to_open(f, "{\"port\":0}", missing, 1).code, "secret.missing");
	error = refused_to_open(f, "{\"port\":0}", form, 1);
	assert_string_equal(error.code, "secret.form");
	assert_null(strstr(error.text, "base64!"));
	assert_string_equal(refused_to_open(f, "{\"address\":\"somewhere\"}", NULL, 0).code, "listen.address");
	error = refused_to_open(f, taken, NULL, 0);
	assert_string_equal(error.code, "listen.busy");
	assert_int_equal(error.class, ERROR_RETRY);
	free(path);
	free(taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_document_is_answered_with_its_id_when_the_role_says_so, setup,
						teardown),
		cmocka_unit_test_setup_teardown(header_facts_travel_and_credentials_do_not, setup, teardown),
		cmocka_unit_test_setup_teardown(bodies_of_every_size_come_through_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_too_large_is_refused_and_the_connection_survives, setup,
						teardown),
		cmocka_unit_test_setup_teardown(endless_chunks_are_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(only_signed_webhooks_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(bearer_keys_old_and_new_open_the_door, setup, teardown),
		cmocka_unit_test_setup_teardown(every_refusal_has_its_status, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_site_says_come_again, setup, teardown),
		cmocka_unit_test_setup_teardown(questions_of_health_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(a_client_that_leaves_while_it_waits_does_no_harm, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_clients_are_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wait_for_us_is_not_a_slow_client, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_requests_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(pipelined_requests_are_answered_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stopped_listener_finishes_what_it_has_and_takes_no_more, setup,
						teardown),
		cmocka_unit_test_setup_teardown(it_speaks_tls, setup_plain, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_work_is_said_when_it_opens, setup, teardown),
	};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests_name("http_source", tests, NULL, NULL);
}
