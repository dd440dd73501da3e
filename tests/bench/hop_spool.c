/* A hop on the spool (take, publish, settle) through the queue process and a worker's socket, against a bare SQLite
 * loop in one process with the same rows, pages, durability and batch. Then the time of a single durable publish by
 * another worker while the hops go on.
 *
 *     hop_spool [MESSAGES [ROUNDS [BODY-BYTES]]] */
#include "config.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/bench/bench.h"

#define PROBES_MAX 4000
#define UNIT 100
#define LIMIT_S 60

extern const struct broker_ops spool_ops;
extern const struct db_ops sqlite_ops;

/* ---- the bare loop */
struct bare {
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *insert, *select, *delete;
	struct span envelope, body;
	int64_t next;
};

static void bare_check(const struct bare *bare, bool good)
{
	if (good)
		return;
	fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(bare->db));
	exit(1);
}

static sqlite3_stmt *bare_prepare(struct bare *bare, const char *sql)
{
	sqlite3_stmt *statement;

	bare_check(bare, sqlite3_prepare_v3(bare->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
					    NULL) == SQLITE_OK);
	return statement;
}

static void bare_do(struct bare *bare, sqlite3_stmt *statement)
{
	bare_check(bare, sqlite3_step(statement) == SQLITE_DONE);
	sqlite3_reset(statement);
}

static void bare_insert(struct bare *bare, int64_t queue, const void *envelope, int envelope_len, const void *body,
			int body_len)
{
	sqlite3_bind_int64(bare->insert, 1, queue << 40 | bare->next++);
	sqlite3_bind_int64(bare->insert, 2, 1);
	sqlite3_bind_blob(bare->insert, 3, envelope, envelope_len, SQLITE_STATIC);
	sqlite3_bind_blob(bare->insert, 4, body, body_len, SQLITE_STATIC);
	bare_do(bare, bare->insert);
}

static void bare_open(struct bare *bare, const char *path)
{
	bare_check(bare, sqlite3_open(path, &bare->db) == SQLITE_OK);
	bare_check(bare, sqlite3_exec(bare->db,
				      "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
				      "PRAGMA wal_autocheckpoint=1000; PRAGMA secure_delete=OFF; PRAGMA "
				      "cache_size=-8192;"
				      "CREATE TABLE t (key INTEGER PRIMARY KEY, at INTEGER, envelope BLOB, body BLOB)",
				      NULL, NULL, NULL) == SQLITE_OK);
	bare->begin = bare_prepare(bare, "BEGIN IMMEDIATE");
	bare->commit = bare_prepare(bare, "COMMIT");
	bare->insert = bare_prepare(bare, "INSERT INTO t VALUES (?, ?, ?, ?)");
	bare->select = bare_prepare(bare,
				    "SELECT key, envelope, body FROM t WHERE key > ? AND key < ? ORDER BY key LIMIT ?");
	bare->delete = bare_prepare(bare, "DELETE FROM t WHERE key = ?");
	bare->next = 1;
}

static void bare_close(struct bare *bare)
{
	sqlite3_stmt *all[] = {bare->begin, bare->commit, bare->insert, bare->select, bare->delete};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		sqlite3_finalize(all[i]);
	sqlite3_close(bare->db);
}

static void bare_fill(struct bare *bare, size_t n)
{
	bare_do(bare, bare->begin);
	for (size_t i = 0; i < n; i++)
		bare_insert(bare, 1, bare->envelope.data, (int)bare->envelope.len, bare->body.data,
			    (int)bare->body.len);
	bare_do(bare, bare->commit);
}

static size_t bare_unit(struct bare *bare, size_t most)
{
	int64_t keys[UNIT];
	size_t rows = 0;
	int status;

	bare_do(bare, bare->begin);
	sqlite3_bind_int64(bare->select, 1, (int64_t)1 << 40);
	sqlite3_bind_int64(bare->select, 2, (int64_t)2 << 40);
	sqlite3_bind_int64(bare->select, 3, (int64_t)most);
	while ((status = sqlite3_step(bare->select)) == SQLITE_ROW) {
		keys[rows++] = sqlite3_column_int64(bare->select, 0);
		bare_insert(bare, 2, sqlite3_column_blob(bare->select, 1), sqlite3_column_bytes(bare->select, 1),
			    sqlite3_column_blob(bare->select, 2), sqlite3_column_bytes(bare->select, 2));
	}
	bare_check(bare, status == SQLITE_DONE && rows);
	sqlite3_reset(bare->select);
	for (size_t i = 0; i < rows; i++) {
		sqlite3_bind_int64(bare->delete, 1, keys[i]);
		bare_do(bare, bare->delete);
	}
	bare_do(bare, bare->commit);
	return rows;
}

static double bare_hop(struct bare *bare, size_t n)
{
	double start;

	bare_fill(bare, n);
	start = bench_now();
	for (size_t done = 0; done < n;)
		done += bare_unit(bare, n - done < UNIT ? n - done : UNIT);
	return (double)n / (bench_now() - start);
}

/* ---- a single durable publish under load */
struct probed {
	size_t n;
	double median_ms, p99_ms, worst_ms;
};

static pid_t probe_start(const struct bench_engine *engine, const struct message *message, int report,
			 const int until[2])
{
	static double times[PROBES_MAX];
	struct probed probed = {0};
	struct queue *queue;
	pid_t pid = bench_fork();
	char end;

	if (pid)
		return pid;
	close(until[1]);
	queue = bench_connect(engine);
	do {
		times[probed.n++] = bench_publish(queue, message);
		usleep(2000);
	} while (probed.n < PROBES_MAX && read(until[0], &end, 1) != 0);
	probed.median_ms = bench_median(times, probed.n) * 1e3;
	probed.p99_ms = bench_percentile(times, probed.n, 99) * 1e3;
	probed.worst_ms = times[probed.n - 1] * 1e3;
	_exit(write(report, &probed, sizeof probed) != sizeof probed);
}

static void publish_under_load(const struct bench_engine *engine, const struct message *message, size_t n)
{
	struct bench_hops how = {.unit = UNIT, .flight = 4};
	int report[2], until[2];
	struct probed probed = {0};
	double rate;
	pid_t pid;

	bench_fill(engine, "in.a", message, n);
	if (pipe(report) || pipe2(until, O_NONBLOCK))
		bench_die("pipe", NULL);
	pid = probe_start(engine, message, report[1], until);
	close(report[1]);
	close(until[0]);
	rate = bench_hop(engine, &how, n);
	close(until[1]);
	if (read(report[0], &probed, sizeof probed) != sizeof probed)
		bench_die("the probe", NULL);
	waitpid(pid, NULL, 0);
	printf("{\"bench\":\"spool_publish_under_load\",\"publishes\":%zu,\"median_ms\":%.2f,\"p99_ms\":%.2f,"
	       "\"worst_ms\":%.2f,\"hops_per_s\":%.0f,\"goal_p99_ms\":30,\"reached\":%s}\n",
	       probed.n, probed.median_ms, probed.p99_ms, probed.worst_ms, rate, probed.p99_ms < 30 ? "true" : "false");
}

static size_t argument(int argc, char **argv, int at, size_t otherwise)
{
	return argc > at ? strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	size_t n = argument(argc, argv, 1, 20000), rounds = argument(argc, argv, 2, 5),
		size = argument(argc, argv, 3, 2048);
	double ours[BENCH_ROUNDS_MAX], bare_rates[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX], ratio;
	struct bench_hops how = {.unit = UNIT, .flight = 2};
	struct engine_config config = {.broker = &spool_ops, .store = &sqlite_ops};
	struct message *message = bench_message(size);
	struct bare bare = {0};
	struct bench_engine engine;
	char *directory, *path, *body;
	struct buf envelope;

	if (!n || !rounds || rounds > BENCH_ROUNDS_MAX || size > MESSAGE_INLINE_MAX)
		bench_die("usage: hop_spool [MESSAGES [ROUNDS [BODY-BYTES]]]", NULL);
	bench_limit(LIMIT_S);
	directory = bench_directory();
	path = mem_printf("%s/bare.db", directory);
	body = mem_alloc(size + 1);
	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	message_encode(message, &envelope, NULL);
	bare.envelope = buf_view(&envelope);
	bare.body = span_make(body, size);
	engine = bench_engine_start(directory, &config);
	bare_open(&bare, path);
	for (size_t i = 0; i < rounds; i++) {
		bare_rates[i] = bare_hop(&bare, n);
		bench_fill(&engine, "in.a", message, n);
		ours[i] = bench_hop(&engine, &how, n);
		ratios[i] = ours[i] / bare_rates[i];
	}
	bare_close(&bare);
	ratio = bench_median(ratios, rounds);
	printf("{\"bench\":\"spool_hop\",\"messages\":%zu,\"rounds\":%zu,\"unit\":%d,\"body\":%zu,\"hops_per_s\":%.0f,"
	       "\"bare_per_s\":%.0f,\"ratio\":%.2f,\"worst_ratio\":%.2f,\"goal\":0.6,\"reached\":%s}\n",
	       n, rounds, UNIT, size, bench_median(ours, rounds), bench_median(bare_rates, rounds), ratio, ratios[0],
	       ratio >= 0.6 ? "true" : "false");
	publish_under_load(&engine, message, 4 * n);
	bench_engine_stop(&engine);
	free(path);
	free(body);
	buf_free(&envelope);
	message_free(message);
	bench_remove(directory);
	return 0;
}
