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
#include "tests/lab/http_lab.h"

#define KEY "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WAITS_MAX 64

/* ---- the gateway's part, in the child --------------------------------------------------------------------------- */
struct gateway {
	void *server;
	const char *log;
	struct {
		struct arrival *arrival;
		int64_t due;
	} waits[WAITS_MAX];
	size_t waits_count;
	bool full;
};

static volatile sig_atomic_t ending;

static void on_end(int number)
{
	ending = number;
}

static void write_down(struct gateway *gateway, const struct endpoint *endpoint, struct document *document,
		       struct reader *body)
{
	json_t *line = json_pack("{s:s, s:s#, s:s#, s:s#, s:I}", "endpoint", endpoint->name, "id",
				 document->identity_text.data ? document->identity_text.data : "",
				 (int)document->identity_text.len, "name", document->name.data, (int)document->name.len,
				 "type", document->media_type.data ? document->media_type.data : "",
				 (int)document->media_type.len, "size", (json_int_t)reader_size(body));
	json_t *attrs = json_object();
	uint8_t digest[32];
	char hex[65], *text;
	FILE *log = fopen(gateway->log, "a");

	for (size_t i = 0; i < document->attrs_count; i++)
		json_object_setn_new(attrs, document->attrs[i].name.data, document->attrs[i].name.len,
				     json_stringn(document->attrs[i].value.data ? document->attrs[i].value.data : "",
						  document->attrs[i].value.len));
	reader_digest(body, digest, NULL);
	hex_encode(hex, digest, sizeof digest);
	json_object_set_new(line, "attrs", attrs);
	json_object_set_new(line, "sha256", json_string(hex));
	text = json_dumps(line, JSON_COMPACT);
	fprintf(log, "%s\n", text);
	fclose(log);
	free(text);
	json_decref(line);
}

static void arrived(void *arg, const struct endpoint *endpoint, struct document *document, struct reader *body,
		    struct arrival *arrival)
{
	struct gateway *gateway = arg;
	const struct http_webhook *settings = endpoint->settings;
	struct id id = id_digest(document->identity_text);
	struct error error;

	write_down(gateway, endpoint, document, body);
	if (strcmp(settings->webhook, "/conflict") == 0) {
		error_set(&error, ERROR_REJECT, "seen.conflict", "this id came before with another payload");
		http_server_ops.answer(gateway->server, arrival, NULL, false, &error);
	} else if (strcmp(settings->webhook, "/full") == 0) {
		error_set(&error, ERROR_RETRY, "queue.down", "the broker at secret-host is down");
		error.retry_after_ms = 1500;
		http_server_ops.answer(gateway->server, arrival, NULL, false, &error);
	} else if (strcmp(settings->webhook, "/duplicate") == 0) {
		http_server_ops.answer(gateway->server, arrival, &id, true, NULL);
	} else if (strcmp(settings->webhook, "/now") == 0) {
		http_server_ops.answer(gateway->server, arrival, &id, false, NULL);
	} else {
		gateway->waits[gateway->waits_count].arrival = arrival;
		gateway->waits[gateway->waits_count++].due =
			strcmp(settings->webhook, "/never") == 0 ? INT64_MAX : clock_tick_ms() + 100;
	}
}

static void ask(void *arg, const char *path, bool verbose, int *status, const char **type, struct buf *body)
{
	*status = strcmp(path, "/readyz") == 0 ? 503 : 200;
	if (strcmp(path, "/metrics") == 0)
		*type = "text/plain; version=0.0.4";
	buf_printf(body, "%s %s\n", path, verbose ? "at length" : "in short");
}

static bool accepting(void *arg)
{
	struct gateway *gateway = arg;

	return !gateway->full;
}

static void answer_due(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->waits_count;) {
		struct id id = id_digest(SPAN_LITERAL("late"));

		if (gateway->waits[i].due > clock_tick_ms()) {
			i++;
			continue;
		}
		http_server_ops.answer(gateway->server, gateway->waits[i].arrival, &id, false, NULL);
		gateway->waits[i] = gateway->waits[--gateway->waits_count];
	}
}

static const struct {
	const char *name, *settings;
} hooks[] = {
	{"now", "{\"webhook\":\"/now\",\"verify\":\"none\",\"max\":\"300KiB\"}"},
	{"later", "{\"webhook\":\"/later\",\"verify\":\"none\"}"},
	{"never", "{\"webhook\":\"/never\",\"verify\":\"none\"}"},
	{"signed", "{\"webhook\":\"/signed\",\"secret\":{\"secret\":\"hook\"}}"},
	{"bearer",
	 "{\"webhook\":\"/"
	 "bearer\",\"verify\":\"bearer\",\"secret\":{\"secret\":\"bearer\"},\"previous\":{\"secret\":\"old\"}}"},
	{"conflict", "{\"webhook\":\"/conflict\",\"verify\":\"none\"}"},
	{"full", "{\"webhook\":\"/full\",\"verify\":\"none\"}"},
	{"duplicate", "{\"webhook\":\"/duplicate\",\"verify\":\"none\"}"},
	{"typed", "{\"webhook\":\"/crm/typed\",\"verify\":\"none\",\"types\":[\"application/json\",\"text/"
		  "xml\"],\"id\":\"X-Event\"}"},
};
#define HOOKS (sizeof hooks / sizeof *hooks)

static _Noreturn void gateway_run(const char *directory, const char *listen, int tell)
{
	struct arena *arena = arena_new();
	struct gateway gateway = {.log = arena_printf(arena, "%s/log", directory)};
	struct server_events events = {.arg = &gateway,
				       .arrived = arrived,
				       .ask = ask,
				       .accepting = accepting,
				       .root = directory,
				       .spool = directory};
	const struct endpoint *endpoints[HOOKS];
	struct error error;
	unsigned port;

	events.secrets = arena_printf(arena, "%s/secrets", directory);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody hangs on behind a test that was ended */
	signal(SIGTERM, on_end);
	signal(SIGUSR1, on_end);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < HOOKS; i++)
		endpoints[i] = lab_endpoint(
			arena, hooks[i].name, directory,
			lab_settings(arena, http_webhook_options, sizeof(struct http_webhook), hooks[i].settings));
	gateway.server =
		http_server_ops.open(lab_settings(arena, http_listen_options, sizeof(struct http_listen), listen),
				     endpoints, HOOKS, &events, &error);
	port = gateway.server ? http_server_ops.port(gateway.server) : 0;
	if (!gateway.server)
		fprintf(stderr, "%s\n", error.text);
	if (write(tell, &port, sizeof port) != sizeof port || !port)
		exit(1);
	while (!ending) {
		struct pollfd wait = {.fd = http_server_ops.fd(gateway.server), .events = POLLIN};
		int ms = http_server_ops.timeout_ms(gateway.server);

		if (ms < 0 || ms > 20)
			ms = 20;
		poll(&wait, 1, ms);
		http_server_ops.work(gateway.server);
		answer_due(&gateway);
		gateway.full = access(arena_printf(arena, "%s/full", directory), F_OK) == 0;
	}
	if (ending == SIGUSR1) { /* drain: those under way finish */
		http_server_ops.stop(gateway.server);
		for (int64_t until = clock_tick_ms() + 2000;
		     http_server_ops.busy(gateway.server) && clock_tick_ms() < until; usleep(5000)) {
			http_server_ops.work(gateway.server);
			answer_due(&gateway);
		}
	}
	http_server_ops.close(gateway.server);
	arena_free(arena);
	exit(0);
}

/* ---- the test's part -----------------------------------------------------------------------------------------------
 */
struct fixture {
	char *directory, *log;
	pid_t gateway;
	unsigned port;
	CURL *easy;
	struct buf body, headers;
	const char *scheme;
};

static void start(struct fixture *f, const char *listen)
{
	int tell[2];

	assert_int_equal(pipe(tell), 0);
	f->gateway = fork();
	if (f->gateway == 0) {
		close(tell[0]);
		gateway_run(f->directory, listen, tell[1]);
	}
	close(tell[1]);
	assert_int_equal(read(tell[0], &f->port, sizeof f->port), sizeof f->port);
	close(tell[0]);
	assert_true(f->port > 0);
}

/* Ends the gateway, which must end well (the sanitizers speak there). */
static void end(struct fixture *f, int number)
{
	int status = -1;

	kill(f->gateway, number);
	assert_int_equal(waitpid(f->gateway, &status, 0), f->gateway);
	f->gateway = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int setup_plain(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char *path;

	f->directory = support_tmpdir();
	f->log = support_path(f->directory, "log");
	f->scheme = "http";
	f->easy = curl_easy_init();
	buf_init(&f->body, 1 << 20);
	buf_init(&f->headers, 1 << 20);
	path = support_path(f->directory, "secrets");
	mkdir(path, 0700);
	free(path);
	path = support_path(f->directory, "secrets/hook");
	support_write(path, SPAN_LITERAL("whsec_" KEY "\n"));
	free(path);
	path = support_path(f->directory, "secrets/bearer");
	support_write(path, SPAN_LITERAL("new-key\n"));
	free(path);
	path = support_path(f->directory, "secrets/old");
	support_write(path, SPAN_LITERAL("old-key"));
	free(path);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	setup_plain(state);
	start(*state, "{\"port\":0,\"timeout\":\"600ms\",\"body-timeout\":\"800ms\"}");
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->gateway)
		end(f, SIGTERM);
	curl_easy_cleanup(f->easy);
	buf_free(&f->body);
	buf_free(&f->headers);
	support_rmtree(f->directory);
	free(f->directory);
	free(f->log);
	free(f);
	return 0;
}

static size_t collect(char *data, size_t size, size_t n, void *arg)
{
	buf_append(arg, data, size * n);
	return size * n;
}

struct call {
	const char *method, *path, *headers[6];
	struct span body;
	bool chunked;
	long timeout_ms;
};

static size_t feed(char *into, size_t size, size_t n, void *arg)
{
	struct span *left = arg;
	size_t len = left->len < size * n ? left->len : size * n;

	memcpy(into, left->data, len);
	left->data += len;
	left->len -= len;
	return len;
}

/* The status; the answer is in f->body and f->headers. 0: none came. */
static long call(struct fixture *f, const struct call *call)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	struct span left = call->body;
	char *url = mem_printf("%s://127.0.0.1:%u%s", f->scheme, f->port, call->path);
	char *ca = support_path(f->directory, "cert.pem");
	long status = 0;

	for (size_t i = 0; i < 6 && call->headers[i]; i++)
		list = curl_slist_append(list, call->headers[i]);
	if (call->chunked)
		list = curl_slist_append(list, "Transfer-Encoding: chunked");
	buf_reset(&f->body);
	buf_reset(&f->headers);
	buf_append(&f->body, "", 0);
	curl_easy_reset(f->easy);
	curl_easy_setopt(f->easy, CURLOPT_URL, url);
	curl_easy_setopt(f->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(f->easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, call->timeout_ms ? call->timeout_ms : 5000L);
	curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, &f->body);
	curl_easy_setopt(f->easy, CURLOPT_HEADERFUNCTION, collect);
	curl_easy_setopt(f->easy, CURLOPT_HEADERDATA, &f->headers);
	if (strcmp(call->method, "HEAD") == 0)
		curl_easy_setopt(f->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(call->method, "GET") == 0)
		curl_easy_setopt(f->easy, CURLOPT_HTTPGET, 1L);
	else {
		curl_easy_setopt(f->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(f->easy, CURLOPT_READFUNCTION, feed);
		curl_easy_setopt(f->easy, CURLOPT_READDATA, &left);
		curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 call->chunked ? (curl_off_t)-1 : (curl_off_t)call->body.len);
		curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, call->method);
	}
	if (curl_easy_perform(f->easy) == CURLE_OK)
		curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(list);
	free(url);
	free(ca);
	return status;
}

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
	assert_int_equal(call(f, &c), 202);
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
	struct server_events events = {.accepting = accepting, .arrived = arrived};
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
