/* What the benchmarks share: time, medians, a limit after which a benchmark ends with its children, and the queue
 * process with a worker that hops. Each prints JSON lines; a figure means something only beside its yardstick of the
 * same run. */
#ifndef FERRULE_TESTS_BENCH_H
#define FERRULE_TESTS_BENCH_H

#include "base/queue.h"
#include "services/queue/engine.h"

#define BENCH_ROUNDS_MAX 15

double bench_now(void); /* seconds */
double bench_median(double *, size_t n); /* sorts them */
double bench_percentile(const double *sorted, size_t n, unsigned percent);
/* Prints to standard error and exits 1. */
void bench_die(const char *what, const struct error *) __attribute__((noreturn));
/* From now on so many seconds: then it says so and exits 1. Processes of bench_fork end with it. */
void bench_limit(unsigned seconds);
pid_t bench_fork(void);
char *bench_directory(void); /* a new one below TMPDIR */
void bench_remove(char *directory); /* with what is in it; frees */

/* A message of the kind that flows publish, with a body of that size. */
struct message *bench_message(size_t body_size);

/* ---- the queue process, and a worker as a role is one */
struct bench_engine {
	pid_t pid;
	int life; /* closing it ends the process */
	const char *directory;
};

struct bench_hops {
	size_t unit;     /* messages in a unit */
	unsigned flight; /* units on their way at a time */
};

/* broker, settings and store are taken from `config`; queues in.a, out.x and in.probe. */
struct bench_engine bench_engine_start(const char *directory, const struct engine_config *config);
void bench_engine_stop(struct bench_engine *);
struct queue *bench_connect(const struct bench_engine *);
void bench_fill(const struct bench_engine *, const char *queue, const struct message *, size_t n);
/* Takes exactly n messages from in.a and publishes them to out.x; how many a second. There must be so many. */
double bench_hop(const struct bench_engine *, const struct bench_hops *, size_t n);
/* One publish to in.probe, committed; seconds. */
double bench_publish(struct queue *, const struct message *);

#endif
