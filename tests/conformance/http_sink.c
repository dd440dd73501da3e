/* The HTTP sink through the suite of sinks: the target honours idempotency keys and remembers them for ever. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/endpoint.h"
#include "tests/conformance/sink.h"
#include "tests/support/support.h"

extern const struct sink_ops http_sink_ops;

struct spot {
	char *root, *log, *keep;
	char port[12];
	pid_t target;
	struct arena *arena;
	struct endpoint *endpoint;
};

static bool listening(void *arg)
{
	struct spot *spot = arg;
	char *path = support_path(spot->root, "port"), *text = support_read(path, NULL);

	if (text)
		snprintf(spot->port, sizeof spot->port, "%.*s", (int)strcspn(text, "\n"), text);
	free(path);
	free(text);
	return text != NULL;
}

static void target_start(struct spot *spot)
{
	char *program = support_path(BUILDDIR, "tests/lab/counterpart"), *port = support_path(spot->root, "port");

	unlink(port);
	spot->target = fork();
	if (!spot->target) {
		int null = open("/dev/null", O_WRONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 1);
		execl(program, program, "serve", "--idempotent", "--log", spot->log, "--keep", spot->keep, "--port",
		      spot->port, "--port-file", port, NULL);
		_exit(127);
	}
	assert_true(support_until(listening, spot, 5000));
	free(program);
	free(port);
}

static void target_stop(struct spot *spot)
{
	kill(spot->target, SIGTERM);
	waitpid(spot->target, NULL, 0);
}

static void *set_up(void)
{
	struct spot *spot = mem_alloc(sizeof *spot);
	char *url;

	spot->root = support_tmpdir();
	spot->log = support_path(spot->root, "log");
	spot->keep = support_path(spot->root, "keep");
	mkdir(spot->keep, 0755);
	snprintf(spot->port, sizeof spot->port, "0");
	target_start(spot);
	spot->arena = arena_new();
	url = arena_printf(spot->arena, "http://127.0.0.1:%s/orders/$(.number)", spot->port);
	spot->endpoint = test_endpoint(spot->arena, "http", spot->root, http_sink_ops.options,
				       http_sink_ops.settings_size, "url", url, NULL);
	spot->endpoint->effect.kind = EFFECT_KEY;
	return spot;
}

static void tear_down(void *arg)
{
	struct spot *spot = arg;

	target_stop(spot);
	support_rmtree(spot->root);
	arena_free(spot->arena);
	free(spot->root);
	free(spot->log);
	free(spot->keep);
	free(spot);
}

static const struct endpoint *endpoint(void *arg)
{
	return ((struct spot *)arg)->endpoint;
}

static void address(void *arg, struct message *message, const char *name)
{
	struct spot *spot = arg;
	json_t *body = json_pack("{s:s}", "number", name);
	struct expression_input input = {.body = body};
	struct error error = {0};

	if (http_sink_ops.address(spot->endpoint, &input, message, &error))
		fail_msg("%s: %s", error.code, error.text);
	json_decref(body);
}

/* There is nothing to take away: each effect stays in the target's own log. */
static unsigned effects(void *arg, const char *name, bool take)
{
	char wanted[100], *text = support_read(((struct spot *)arg)->log, NULL);
	unsigned n = 0;

	snprintf(wanted, sizeof wanted, "\"path\":\"/orders/%s\"", name);
	for (char *at = text; at && (at = strstr(at, wanted)); at++)
		n++;
	free(text);
	return n;
}

static char *content(void *arg, const char *name, size_t *len)
{
	char *path = support_path(((struct spot *)arg)->keep, name), *text = support_read(path, len);

	free(path);
	return text;
}

static unsigned leftovers(void *arg)
{
	return 0;
}

static void unreachable(void *arg, bool gone)
{
	if (gone)
		target_stop(arg);
	else
		target_start(arg);
}

int main(void)
{
	static const char *const faults[] = {"http.start", "http.connected", "http.sent", NULL};
	static const char *const doubtful[] = {NULL};
	static const struct sink_fixture fixture = {
		"http sink", &http_sink_ops, set_up,      tear_down, endpoint, address, effects,
		content,     leftovers,      unreachable, faults,    "",       doubtful, false};

	return sink_suite(&fixture);
}
