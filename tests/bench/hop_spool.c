/* A hop on the spool (take, publish, settle) against a bare SQLite loop with the same rows, batch and durability.
 * Prints one line of JSON. Also the time of a single durable publish while the hops go on. usage: hop_spool [messages]
 * [unit] [body bytes] */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/queue.h"
#include "services/queue/engine.h"

#define PROBES_MAX 2000
#define UNITS 3 /* in flight */

extern const struct broker_ops spool_ops;
extern const struct db_ops sqlite_ops;

static struct error error;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s %s\n", what, error.code, error.text);
	exit(1);
}

/* ---- the bare loop */
struct bare {
	struct db db;
	struct span envelope, body;
	size_t rows;
	int64_t keys[1000];
	int64_t next;
};

static int bare_row(void *arg, const struct value *row, size_t columns)
{
	struct bare *bare = arg;

	bare->keys[bare->rows++] = row[0].number;
	return 0;
}

static void bare_insert(struct bare *bare, int64_t queue)
{
	struct value row[] = {VALUE_OF_INT(queue << 40 | bare->next++), VALUE_OF_INT(1), VALUE_OF_BLOB(bare->envelope),
			      VALUE_OF_BLOB(bare->body)};

	if (db_run(&bare->db, "INSERT INTO t (key, at, envelope, body) VALUES ($1, $2, $3, $4)", row, 4, NULL, NULL,
		   &error))
		die("insert");
}

static double bare_hops(const char *directory, size_t n, size_t unit, struct span envelope, struct span body)
{
	char *path = mem_printf("%s/bare.db", directory);
	struct bare bare = {.db.ops = &sqlite_ops, .envelope = envelope, .body = body, .next = 1};
	double start;

	bare.db.self = sqlite_ops.open(NULL, path, SPAN_NONE, &error);
	if (!bare.db.self ||
	    sqlite_ops.script(bare.db.self,
			      "CREATE TABLE t (key INTEGER PRIMARY KEY, at INTEGER, envelope BLOB, body BLOB)", &error))
		die("opening");
	sqlite_ops.begin(bare.db.self, &error);
	for (size_t i = 0; i < n; i++)
		bare_insert(&bare, 1);
	sqlite_ops.commit(bare.db.self, &error);
	start = now();
	for (size_t done = 0; done < n; done += unit) {
		bare.rows = 0;
		if (sqlite_ops.begin(bare.db.self, &error) ||
		    db_run(&bare.db,
			   "SELECT key, envelope, body FROM t WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3",
			   (struct value[]){VALUE_OF_INT((int64_t)1 << 40), VALUE_OF_INT((int64_t)2 << 40),
					    VALUE_OF_INT((int64_t)unit)},
			   3, bare_row, &bare, &error))
			die("select");
		for (size_t i = 0; i < bare.rows; i++) {
			bare_insert(&bare, 2);
			if (db_run(&bare.db, "DELETE FROM t WHERE key = $1",
				   (struct value[]){VALUE_OF_INT(bare.keys[i])}, 1, NULL, NULL, &error))
				die("delete");
		}
		if (sqlite_ops.commit(bare.db.self, &error))
			die("commit");
	}
	start = now() - start;
	sqlite_ops.close(bare.db.self);
	unlink(path);
	free(path);
	return (double)n / start;
}

/* ---- the queue process */
static void on_end(void *arg, unsigned events)
{
	loop_stop(arg);
}

static pid_t start_engine(const char *directory, const int life[2])
{
	struct topology *topology = topology_new();
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		struct topology_queue *queue = topology_add(topology, (const char *[]){"in.a", "out.x", "in.probe"}[i]);

		queue->flow = queue->endpoint = queue->system = queue->owner = queue->runbook = "";
		queue->worker = "transform";
	}
	pid = fork();
	if (pid == 0) {
		char *path = mem_printf("%s/spool.db", directory);
		struct loop *loop = loop_new();
		struct engine_config config = {.broker = &spool_ops,
					       .store = &sqlite_ops,
					       .db_path = path,
					       .run_path = directory,
					       .topology = topology};
		struct engine *engine = engine_open(&config, loop, &error);

		if (!engine)
			die("engine");
		close(life[1]);
		loop_watch(loop, life[0], LOOP_READ, on_end, loop);
		loop_run(loop);
		engine_close(engine);
		_exit(0);
	}
	topology_free(topology);
	return pid;
}

static struct queue *connect_to(const char *directory)
{
	char *path = mem_printf("%s/queue.sock", directory);
	struct queue *queue = queue_open(path, "bench", 5000, &error);

	free(path);
	if (!queue)
		die("connecting");
	return queue;
}

static void publish(struct unit *unit, struct queue *queue, const char *to, const struct message *message)
{
	int sent;

	while ((sent = unit_publish(unit, NULL, to, false, message, &error)) == 1)
		if (queue_wait(queue, 1000, &error))
			die("waiting");
	if (sent)
		die("publishing");
}

static void fill(struct queue *queue, const struct message *message, size_t n)
{
	for (size_t done = 0; done < n; done += 1000) {
		struct unit *unit = unit_new(queue);

		for (size_t i = 0; i < 1000 && done + i < n; i++)
			publish(unit, queue, "in.a", message);
		if (unit_commit_wait(unit, &error))
			die("filling");
	}
}

static size_t committed, in_flight;

static void on_committed(void *arg, const struct error *why)
{
	if (why) {
		error = *why;
		die("committing");
	}
	committed += (size_t)(uintptr_t)arg;
	in_flight--;
}

static double hops(const char *directory, size_t n, size_t size)
{
	struct queue *queue = connect_to(directory);
	struct delivery *batch[1000];
	size_t have = 0, taken = 0;
	double start = now();

	queue_credit(queue, "in.a", (unsigned)(size * (UNITS + 1)), 64u << 20);
	while (committed < n) {
		have += queue_take(queue, batch + have, size - have);
		if ((have == size || (have && taken + have == n)) && in_flight < UNITS) {
			struct unit *unit = unit_new(queue);

			for (size_t i = 0; i < have; i++) {
				publish(unit, queue, "out.x", batch[i]->message);
				unit_settle(unit, batch[i]);
				delivery_free(batch[i]);
			}
			taken += have;
			in_flight++;
			if (unit_commit(unit, on_committed, (void *)(uintptr_t)have, &error))
				die("committing");
			have = 0;
			continue;
		}
		if (queue_wait(queue, 5000, &error))
			die("waiting");
	}
	start = now() - start;
	queue_close(queue);
	return (double)n / start;
}

/* One durable publish after the other, until told to stop. */
static int compare(const void *a, const void *b)
{
	double one = *(const double *)a, two = *(const double *)b;

	return (one > two) - (one < two);
}

static pid_t start_probe(const char *directory, const struct message *message, int report, const int until[2])
{
	pid_t pid = fork();
	static double times[PROBES_MAX];
	struct queue *queue;
	size_t n = 0;
	char line[100];

	if (pid)
		return pid;
	queue = connect_to(directory);
	close(until[1]);
	while (n < PROBES_MAX) {
		struct unit *unit = unit_new(queue);
		double start = now();
		char end;

		publish(unit, queue, "in.probe", message);
		if (unit_commit_wait(unit, &error))
			die("probing");
		times[n++] = now() - start;
		if (read(until[0], &end, 1) == 0)
			break;
		usleep(2000);
	}
	qsort(times, n, sizeof *times, compare);
	snprintf(line, sizeof line, "%zu %.3f %.3f", n, times[n / 2] * 1e3, times[n * 99 / 100] * 1e3);
	if (write(report, line, strlen(line)) < 0)
		_exit(1);
	_exit(0);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000, unit = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
	size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : 2048, probes = 0;
	char *base = mem_printf("%s/ferrule-bench.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	struct message *message = message_new();
	char *body = mem_alloc(size + 1), line[100] = "", *command;
	double bare, ours, median = 0, worst = 0;
	struct buf envelope;
	int life[2], report[2], until[2];
	struct queue *queue;

	if (!mkdtemp(base) || unit > 1000 || !unit || pipe(life))
		return 1;
	memset(body, 'x', size);
	message->id = id_digest(span_of("bench"));
	message_set(message, &message->type, SPAN_LITERAL("order.received.v1"));
	message_set(message, &message->source, SPAN_LITERAL("drop/acme/po-4711.edi"));
	message_body_take(message, reader_new_copy(span_make(body, size)));
	message_body_sign(message, NULL);
	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	message_encode(message, &envelope, NULL);

	bare = bare_hops(base, n, unit, buf_view(&envelope), span_make(body, size));
	start_engine(base, life);
	queue = connect_to(base);
	fill(queue, message, 2 * n);
	queue_close(queue);
	ours = hops(base, n, unit);
	if (pipe(report) || pipe2(until, O_NONBLOCK)) /* not before: the queue process would keep them open */
		return 1;
	start_probe(base, message, report[1], until);
	close(report[1]);
	close(life[0]);
	committed = 0;
	hops(base, n, unit);
	close(until[1]);
	if (read(report[0], line, sizeof line - 1) > 0)
		sscanf(line, "%zu %lf %lf", &probes, &median, &worst);
	close(life[1]);
	while (wait(NULL) > 0)
		;
	printf("{\"bench\":\"hop_spool\",\"messages\":%zu,\"unit\":%zu,\"body\":%zu,\"hops_per_s\":%.0f,\"bare_per_s\":"
	       "%.0f,\"ratio\":%.2f,"
	       "\"publish_under_load\":{\"probes\":%zu,\"median_ms\":%.2f,\"p99_ms\":%.2f}}\n",
	       n, unit, size, ours, bare, ours / bare, probes, median, worst);
	command = mem_printf("rm -rf %s", base);
	if (system(command))
		return 1;
	free(command);
	free(base);
	free(body);
	buf_free(&envelope);
	message_free(message);
	return 0;
}
