/* What every worker process does. See worker.h. */
#include "config.h"
#include "services/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "services/moving.h"

#define CONNECT_WAIT_MS 10000

void worker_end(struct worker *worker)
{
	if (worker->draining)
		return;
	worker->draining = true;
	worker->give_up_at = clock_tick_ms() + GIVE_UP_MS;
	worker->drain_until = clock_tick_ms() + SHUTDOWN_MS - 1000;
	atomic_store(&worker->slot->stopping, 1);
	if (worker->role->drain)
		worker->role->drain(worker);
}

static void end_with(struct worker *worker, const struct error *error, int status)
{
	log_error("worker", SPAN_NONE, "ends code=%s error=\"%s\"", error->code, error->text);
	snprintf(worker->slot->cause, sizeof worker->slot->cause, "%.*s", (int)sizeof worker->slot->cause - 1,
		 error->text);
	_exit(strcmp(error->code, "queue.gone") ? status : EXIT_QUEUE);
}

void worker_fail(struct worker *worker, const struct error *error)
{
	end_with(worker, error, EXIT_AGAIN);
}

void worker_blame(struct worker *worker, const struct error *error)
{
	end_with(worker, error, EXIT_BLAME);
}

/* Within one long call of an adapter, a large file on its way: it does not hang. */
static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct worker *worker = arg;

	board_tick(worker->slot);
	moving_told(worker, done, total);
}

static void on_signal(void *arg, unsigned events)
{
	struct worker *worker = arg;

	worker_end(worker);
}

static void on_life(void *arg, unsigned events)
{
	struct worker *worker = arg;

	if (!worker->draining)
		log_warn("worker", SPAN_NONE, "supervisor is gone, finishing");
	worker_end(worker);
}

static void on_queue(void *arg, unsigned events)
{
	struct worker *worker = arg;
	struct error error = {0};

	if (queue_pump(worker->queue, &error))
		worker_fail(worker, &error);
}

/* Until it has begun a worker holds nothing: it may wait for a queue process that never comes, and SIGTERM ends it as
 * it stands. */
static void let_signals_end(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static int connect_all(struct worker *worker, struct error *error)
{
	char path[4096];

	if (worker->role->needs_vault) {
		worker->vault = vault_open(worker->site->vault_path, error);
		if (!worker->vault)
			return -1;
	}
	snprintf(path, sizeof path, "%s/queue.sock", worker->site->run_path);
	worker->queue = queue_open(path, worker->role->name, CONNECT_WAIT_MS, error);
	if (!worker->queue)
		return -1;
	worker->revisions = revisions_new(worker->site, worker->queue, worker->vault);
	return 0;
}

/* Rounds of the loop until the role is drained. While something is unsent the socket is watched for writing, too. */
static void rounds(struct worker *worker)
{
	struct watch *signals = loop_watch(worker->loop, loop_signals(), LOOP_READ, on_signal, worker);
	struct watch *life = loop_watch(worker->loop, worker->life, LOOP_READ, on_life, worker);
	struct watch *queue = loop_watch(worker->loop, queue_fd(worker->queue), LOOP_READ, on_queue, worker);

	for (;;) {
		if (worker->role->ready)
			worker->role->ready(worker);
		if (worker->draining) {
			loop_unwatch(signals);
			loop_unwatch(life);
			signals = life = NULL;
			if (worker->role->idle(worker) && !queue_unsent(worker->queue))
				return;
			if (worker->give_up_at && clock_tick_ms() >= worker->give_up_at) {
				worker->give_up_at = 0;
				if (worker->role->give_up)
					worker->role->give_up(worker);
			}
			if (clock_tick_ms() >= worker->drain_until) {
				log_warn("worker", SPAN_NONE, "ended with work in hand, which another will take over");
				return;
			}
		}
		loop_events(queue, LOOP_READ | (queue_unsent(worker->queue) ? LOOP_WRITE : 0u));
		if (loop_once(worker->loop, worker->draining && worker->wait_ms > 50 ? 50 : worker->wait_ms))
			return;
	}
}

int worker_run(struct worker *worker)
{
	struct moving moving = {NULL};
	struct error error = {0};
	char name[64];

	snprintf(name, sizeof name, "%s%s%s", worker->role->name, worker->endpoint ? ":" : "",
		 worker->endpoint ? worker->endpoint : "");
	log_role(name);
	prctl(PR_SET_NAME, name); /* what ps and top show; cut to 15 characters */
	signal(SIGPIPE, SIG_IGN);
	let_signals_end();
	worker->moving = &moving;
	worker->loop = loop_new();
	worker->busy_at = clock_tick_ms();
	worker->wait_ms = 1000;
	if (connect_all(worker, &error) || worker->role->start(worker, &error))
		worker_fail(worker, &error);
	progress_listen(on_progress, worker);
	atomic_store(&worker->slot->ready, 1);
	rounds(worker);
	if (worker->role->stop)
		worker->role->stop(worker);
	revisions_free(worker->revisions);
	queue_close(worker->queue);
	vault_close(worker->vault);
	loop_free(worker->loop);
	return 0;
}
