/* See http_gateway.h. */
#include "config.h"
#include "tests/lab/http_gateway.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/support.h"

#define WAITS_MAX 64

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

_Noreturn void lab_gateway(const char *directory, const char *listen, int tell)
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

/* ---- the test's part ---- */
void start(struct fixture *f, const char *listen)
{
	int tell[2];

	assert_int_equal(pipe(tell), 0);
	f->gateway = fork();
	if (f->gateway == 0) {
		close(tell[0]);
		lab_gateway(f->directory, listen, tell[1]);
	}
	close(tell[1]);
	assert_int_equal(read(tell[0], &f->port, sizeof f->port), sizeof f->port);
	close(tell[0]);
	assert_true(f->port > 0);
}

void end(struct fixture *f, int number)
{
	int status = -1;

	kill(f->gateway, number);
	assert_int_equal(waitpid(f->gateway, &status, 0), f->gateway);
	f->gateway = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int setup_plain(void **state)
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

int setup(void **state)
{
	setup_plain(state);
	start(*state, "{\"port\":0,\"timeout\":\"600ms\",\"body-timeout\":\"800ms\"}");
	return 0;
}

int teardown(void **state)
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

static size_t feed(char *into, size_t size, size_t n, void *arg)
{
	struct span *left = arg;
	size_t len = left->len < size * n ? left->len : size * n;

	memcpy(into, left->data, len);
	left->data += len;
	left->len -= len;
	return len;
}

long call(struct fixture *f, const struct call *call)
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
