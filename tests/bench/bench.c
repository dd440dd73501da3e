/* What the benchmarks share. See bench.h. */
#include "config.h"
#include "tests/bench/bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"

#define UNIT_MAX 1000

double bench_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double one = *(const double *)a, two = *(const double *)b;

	return (one > two) - (one < two);
}

double bench_median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double bench_percentile(const double *sorted, size_t n, unsigned percent)
{
	return sorted[n * percent / 100 < n ? n * percent / 100 : n - 1];
}

void bench_die(const char *what, const struct error *error)
{
	fprintf(stderr, "%s: %s %s\n", what, error ? error->code : "", error ? error->text : "");
	exit(1);
}

static void on_limit(int signal)
{
	static const char text[] = "the benchmark took longer than its limit\n";

	if (write(2, text, sizeof text - 1) < 0)
		_exit(2);
	_exit(1);
}

void bench_limit(unsigned seconds)
{
	signal(SIGALRM, on_limit);
	alarm(seconds);
}

pid_t bench_fork(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		bench_die("fork", NULL);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

char *bench_directory(void)
{
	char *path = mem_printf("%s/ferrule-bench.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	if (!mkdtemp(path))
		bench_die(path, NULL);
	return path;
}

void bench_remove(char *directory)
{
	pid_t pid = bench_fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", directory, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	free(directory);
}

struct message *bench_message(size_t body_size)
{
	struct message *message = message_new();
	char *body = mem_alloc(body_size + 1);

	memset(body, 'x', body_size);
	message->id = id_digest(span_of("bench"));
	message->causation = id_digest(span_of("file"));
	message_set(message, &message->type, SPAN_LITERAL("order.received.v1"));
	message_set(message, &message->source, SPAN_LITERAL("drop/acme/po-4711.edi"));
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	message_set(message, &message->flow, SPAN_LITERAL("acme-orders"));
	message_set(message, &message->revision, SPAN_LITERAL("1"));
	message_key(message, SPAN_LITERAL(".number"), SPAN_LITERAL("PO-4711"), NULL);
	message_body_take(message, reader_new_copy(span_make(body, body_size)));
	message_body_sign(message, NULL);
	free(body);
	return message;
}

/* ---- the queue process */

static void on_end(void *arg, unsigned events)
{
	loop_stop(arg);
}

static void run_engine(const char *directory, struct engine_config config, int life)
{
	char *path = mem_printf("%s/site.db", directory);
	struct loop *loop = loop_new();
	struct error error;
	struct engine *engine;

	config.db_path = path;
	config.run_path = directory;
	config.site = "bench";
	config.revision = "1";
	engine = engine_open(&config, loop, &error);
	if (!engine)
		bench_die("engine", &error);
	loop_watch(loop, life, LOOP_READ, on_end, loop);
	loop_run(loop);
	engine_close(engine);
	_exit(0);
}

struct bench_engine bench_engine_start(const char *directory, const struct engine_config *given)
{
	static const char *const names[] = {"in.a", "out.x", "in.probe"};
	struct bench_engine engine = {.directory = directory};
	struct engine_config config = *given;
	struct topology *topology = topology_new();
	int life[2];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct topology_queue *queue = topology_add(topology, names[i]);

		queue->flow = queue->endpoint = queue->system = queue->owner = queue->runbook = "";
		queue->worker = "transform";
	}
	config.topology = topology;
	if (pipe(life))
		bench_die("pipe", NULL);
	engine.pid = bench_fork();
	if (engine.pid == 0) {
		close(life[1]);
		run_engine(directory, config, life[0]);
	}
	close(life[0]);
	engine.life = life[1];
	topology_free(topology);
	return engine;
}

void bench_engine_stop(struct bench_engine *engine)
{
	close(engine->life);
	waitpid(engine->pid, NULL, 0);
}

/* ---- a worker */

struct queue *bench_connect(const struct bench_engine *engine)
{
	char *path = mem_printf("%s/queue.sock", engine->directory);
	struct error error;
	struct queue *queue = queue_open(path, "bench", 20000, &error);

	free(path);
	if (!queue)
		bench_die("connecting", &error);
	return queue;
}

static void publish(struct unit *unit, struct queue *queue, const char *to, const struct message *message)
{
	struct error error;
	int sent;

	while ((sent = unit_publish(unit, NULL, to, false, message, &error)) == 1)
		if (queue_wait(queue, 1000, &error))
			bench_die("waiting", &error);
	if (sent)
		bench_die("publishing", &error);
}

/* A broker that is still connecting refuses: once more then. */
void bench_fill(const struct bench_engine *engine, const char *to, const struct message *message, size_t n)
{
	struct queue *queue = bench_connect(engine);
	struct error error;

	for (size_t done = 0; done < n;) {
		struct unit *unit = unit_new(queue);
		size_t i;

		for (i = 0; i < UNIT_MAX && done + i < n; i++)
			publish(unit, queue, to, message);
		if (unit_commit_wait(unit, &error) == 0)
			done += i;
		else if (error.class == ERROR_RETRY && !done)
			usleep(50000);
		else
			bench_die("filling", &error);
	}
	queue_close(queue);
}

struct hopper {
	struct queue *queue;
	size_t committed, flight;
};

struct hopped { /* a unit on its way */
	struct hopper *hopper;
	size_t n;
};

static void on_committed(void *arg, const struct error *why)
{
	struct hopped *unit = arg;

	if (why)
		bench_die("committing", why);
	unit->hopper->committed += unit->n;
	unit->hopper->flight--;
	free(unit);
}

static void hop(struct hopper *hopper, struct delivery **batch, size_t n)
{
	struct unit *unit = unit_new(hopper->queue);
	struct hopped *hopped = mem_alloc(sizeof *hopped);
	struct error error;

	*hopped = (struct hopped){hopper, n};
	for (size_t i = 0; i < n; i++) {
		publish(unit, hopper->queue, "out.x", batch[i]->message);
		unit_settle(unit, batch[i]);
		delivery_free(batch[i]);
	}
	hopper->flight++;
	if (unit_commit(unit, on_committed, hopped, &error))
		bench_die("committing", &error);
}

/* It stops taking at n, so that nothing is on its way at the end and the next run finds what it counts on. */
double bench_hop(const struct bench_engine *engine, const struct bench_hops *how, size_t n)
{
	struct hopper hopper = {.queue = bench_connect(engine)};
	struct delivery *batch[UNIT_MAX];
	size_t have = 0, taken = 0;
	struct error error;
	double start = bench_now();

	queue_credit(hopper.queue, "in.a", (unsigned)(how->unit * (how->flight + 1)), 64u << 20);
	while (hopper.committed < n) {
		size_t want = n - taken < how->unit ? n - taken : how->unit;

		have += queue_take(hopper.queue, batch + have, want - have);
		if (have && have == want && hopper.flight < how->flight) {
			hop(&hopper, batch, have);
			taken += have;
			have = 0;
		} else if (queue_wait(hopper.queue, 1000, &error)) {
			bench_die("waiting", &error);
		}
	}
	start = bench_now() - start;
	queue_close(hopper.queue);
	return (double)n / start;
}

double bench_publish(struct queue *queue, const struct message *message)
{
	struct unit *unit = unit_new(queue);
	double start = bench_now();
	struct error error;

	publish(unit, queue, "in.probe", message);
	if (unit_commit_wait(unit, &error))
		bench_die("a single publish", &error);
	return bench_now() - start;
}
