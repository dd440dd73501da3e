/* The supervisor: `ferrule run`. See supervisor.h.
 *
 * It forks every process of the site and keeps no message, no secret and no database of its own. What it knows of a
 * death comes from the exit status and the board; a message that was in hand then is named to the queue process as
 * suspect. */
#include "config.h"
#include "services/supervisor_inner.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/site_lock.h"
#include "services/worker.h"
#include "transformers/files/pgp.h"

#define TICK_MS 100
#define LOCK_WAIT_MS 15000
#define KILL_WAIT_MS 2000
#define QUEUE_WAIT_MS 15000
#define STEP_MS 2000
#define TOPOLOGY_MAX (1u << 20)
#define FINDINGS_MAX (1u << 20)

/* ---- the queue process's session --------------------------------------------------------------------------------- */

void supervisor_queue_lost(struct supervisor *supervisor)
{
	if (!supervisor->queue)
		return;
	loop_unwatch(supervisor->queue_watch);
	queue_close(supervisor->queue);
	supervisor->queue = NULL;
}

static void on_want(void *arg, const char *worker)
{
	struct supervisor *supervisor = arg;
	struct seat *seat = seat_find(&supervisor->seats, worker);

	if (seat)
		seat->wanted = true;
	supervisor_start_seats(supervisor);
}

static void on_queue(void *arg, unsigned events)
{
	struct supervisor *supervisor = arg;
	struct error error = {0};

	if (queue_pump(supervisor->queue, &error))
		supervisor_queue_lost(supervisor);
}

void supervisor_queue_tell(struct supervisor *supervisor)
{
	if (supervisor->queue && queue_unsent(supervisor->queue))
		on_queue(supervisor, 0);
}

static int tell_topology(struct supervisor *supervisor, const struct generation *generation, struct error *error)
{
	struct buf encoded;
	int result;

	buf_init(&encoded, TOPOLOGY_MAX);
	topology_encode(generation->topology, &encoded);
	result = queue_topology(supervisor->queue, generation->site->revision, buf_view(&encoded));
	buf_free(&encoded);
	return result ? error_set(error, ERROR_FATAL, "queue.gone", "the queue process went away") : 0;
}

static int queue_greet(struct supervisor *supervisor, struct error *error)
{
	const struct site *site = supervisor->generation->site;
	char path[4200];

	snprintf(path, sizeof path, "%s/queue.sock", site->run_path);
	supervisor->queue = queue_open(path, "supervisor", 20, error);
	if (!supervisor->queue)
		return -1;
	queue_on_want(supervisor->queue, on_want, supervisor);
	supervisor->queue_watch =
		loop_watch(supervisor->loop, queue_fd(supervisor->queue), LOOP_READ, on_queue, supervisor);
	if (generation_keep(supervisor->generation, supervisor->queue, error) ||
	    tell_topology(supervisor, supervisor->generation, error)) {
		supervisor_queue_lost(supervisor);
		return -1;
	}
	supervisor->greeted = true;
	return 0;
}

/* ---- reload ------------------------------------------------------------------------------------------------------ */

static void print_findings(const struct findings *findings)
{
	struct buf text;

	buf_init(&text, FINDINGS_MAX);
	report_text(findings, "", &text);
	fwrite(text.data ? text.data : "", 1, text.len, stderr);
	buf_free(&text);
}

static struct generation *load(struct supervisor *supervisor, struct error *error)
{
	struct findings findings;
	struct generation *generation;

	findings_init(&findings);
	generation = generation_new(supervisor->config->directory, supervisor->config->environment,
				    supervisor->generation, &findings, error);
	findings_sort(&findings);
	print_findings(&findings);
	findings_free(&findings);
	return generation;
}

/* The queue process stays through a reload, and with it what it was opened with. */
static void tell_what_waits(const struct generation *before, const struct generation *now)
{
	const struct span *old = bundle_find(before->bundle, "site.yaml"), *new = bundle_find(now->bundle, "site.yaml");

	if (old && new && !span_equal(*old, *new))
		log_warn("supervisor", SPAN_NONE,
			 "site.yaml changed: queue, store, retention and disk-reserve are taken at the next start");
}

static void reload(struct supervisor *supervisor)
{
	struct error error = {0};
	struct generation *generation = load(supervisor, &error);

	supervisor->reload = false;
	if (!generation) {
		log_error("supervisor", SPAN_NONE, "reload refused, revision=%.12s stays error=\"%s\"",
			  supervisor->generation->site->revision, error.text);
		return;
	}
	if (!strcmp(generation->site->revision, supervisor->generation->site->revision)) {
		log_info("supervisor", SPAN_NONE, "reload: nothing changed revision=%.12s", generation->site->revision);
		generation->before = NULL;
		generation_free(generation);
		return;
	}
	if (supervisor->queue &&
	    (generation_keep(generation, supervisor->queue, &error) || tell_topology(supervisor, generation, &error))) {
		log_error("supervisor", SPAN_NONE, "reload failed, revision=%.12s stays error=\"%s\"",
			  supervisor->generation->site->revision, error.text);
		generation->before = NULL;
		generation_free(generation);
		return;
	}
	tell_what_waits(supervisor->generation, generation);
	supervisor->generation = generation;
	seats_plan(&supervisor->seats, supervisor->generation);
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->role && seat->generation != generation)
			supervisor_stop_seat(seat);
	log_info("supervisor", SPAN_NONE, "reloaded revision=%.12s", generation->site->revision);
}

/* ---- ready, idle, the end ---------------------------------------------------------------------------------------- */

static bool all_ready(struct supervisor *supervisor)
{
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->demand == DEMAND_ALWAYS && !seat->retired &&
		    !atomic_load(&board_slot(supervisor->board, seat->slot)->ready))
			return false;
	return true;
}

static void announce_ready(struct supervisor *supervisor)
{
	if (supervisor->announced || !supervisor->queue || !all_ready(supervisor))
		return;
	supervisor->announced = true;
	log_info("supervisor", SPAN_NONE, "ready site=%s revision=%.12s ms=%lld", supervisor->generation->site->name,
		 supervisor->generation->site->revision, (long long)(clock_tick_ms() - supervisor->started));
	if (supervisor->config->announce)
		supervisor->config->announce(supervisor->config->arg, "ready");
}

static bool all_polled(struct supervisor *supervisor)
{
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->role == &role_poll && !seat->retired &&
		    !atomic_load(&board_slot(supervisor->board, seat->slot)->polled))
			return false;
	return true;
}

/* Every sink starts once with the site and sweeps its target; until then hidden leftovers of a crash may lie there. */
static bool all_swept(struct supervisor *supervisor)
{
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->demand == DEMAND_WANTED && !seat->retired &&
		    (seat->pid ? !atomic_load(&board_slot(supervisor->board, seat->slot)->ready) : seat->wanted))
			return false;
	return true;
}

/* Idle twice in a row, with every source looked through and every target swept before. */
static void look_idle(struct supervisor *supervisor)
{
	json_t *answer = NULL;
	struct error error = {0};
	bool idle;

	if (!supervisor->config->until_idle || !supervisor->queue || !supervisor->announced ||
	    !all_polled(supervisor) || !all_swept(supervisor)) {
		supervisor->idle_rounds = 0;
		return;
	}
	if (queue_ask(supervisor->queue, "idle", NULL, &answer, STEP_MS, &error)) {
		supervisor->idle_rounds = 0;
		return;
	}
	idle = json_is_true(json_object_get(answer, "idle"));
	supervisor->idle_rounds = idle ? supervisor->idle_rounds + 1 : 0;
	json_decref(answer);
	if (supervisor->idle_rounds >= 2)
		loop_stop(supervisor->loop);
}

static bool any_running(const struct supervisor *supervisor, bool (*which)(const struct seat *))
{
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->pid && which(seat))
			return true;
	return false;
}

static bool is_edge(const struct seat *seat)
{
	return seat->role && seat->role != &role_record;
}

static bool is_record(const struct seat *seat)
{
	return seat->role == &role_record;
}

static bool is_queue(const struct seat *seat)
{
	return !seat->role;
}

/* Ends those processes: asks, waits, then kills. What was in hand comes again, or is in doubt. */
static void end_some(struct supervisor *supervisor, bool (*which)(const struct seat *), int64_t wait_ms)
{
	int64_t until = clock_tick_ms() + wait_ms;

	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->pid && which(seat))
			supervisor_stop_seat(seat);
	while (any_running(supervisor, which) && clock_tick_ms() < until) {
		loop_once(supervisor->loop, 20);
		supervisor_reap(supervisor);
	}
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->pid && which(seat)) {
			log_warn("supervisor", SPAN_NONE, "did not end in time role=%s", seat->name);
			seat->killed = "did not end in time";
			kill(seat->pid, SIGKILL);
		}
	/* One that sleeps in the kernel (a dead file server) takes no signal: it is left behind, and keeps the site's
	 * lock. */
	until = clock_tick_ms() + KILL_WAIT_MS;
	while (any_running(supervisor, which) && clock_tick_ms() < until) {
		loop_once(supervisor->loop, 20);
		supervisor_reap(supervisor);
	}
}

static void end_all(struct supervisor *supervisor)
{
	supervisor->ending = true;
	site_lock_ending(supervisor->lock);
	end_some(supervisor, is_edge, SHUTDOWN_MS - 500);
	end_some(supervisor, is_record, 1000);
	end_some(supervisor, is_queue, 1000);
	supervisor_queue_lost(supervisor);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void on_signals(void *arg, unsigned events)
{
	struct supervisor *supervisor = arg;
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP)
			supervisor->reload = true;
		else if (info.ssi_signo != SIGCHLD)
			loop_stop(supervisor->loop);
	}
	supervisor_reap(supervisor);
	if (!loop_stopped(supervisor->loop))
		supervisor_start_seats(supervisor);
}

static void on_tick(void *arg)
{
	struct supervisor *supervisor = arg;
	struct error error = {0};

	if (supervisor->ending)
		return;
	supervisor_reap(supervisor);
	if (!supervisor->queue && queue_greet(supervisor, &error) && error.class == ERROR_FATAL &&
	    strcmp(error.code, "queue.gone") && !supervisor->announced) {
		supervisor->failure = error;
		loop_stop(supervisor->loop);
		return;
	}
	if (supervisor->reload)
		reload(supervisor);
	supervisor_watch(supervisor);
	supervisor_queue_tell(supervisor);
	supervisor_start_seats(supervisor);
	announce_ready(supervisor);
	look_idle(supervisor);
	if (supervisor->end_at && clock_tick_ms() >= supervisor->end_at) {
		if (!supervisor->greeted)
			supervisor->failure = supervisor->not_started;
		loop_stop(supervisor->loop);
	}
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int prepare(struct supervisor *supervisor, struct error *error)
{
	log_role("supervisor");
	supervisor->generation = load(supervisor, error);
	if (!supervisor->generation)
		return -1;
	supervisor->lock = site_lock(supervisor->generation->site->run_path, LOCK_WAIT_MS, error);
	if (supervisor->lock < 0)
		return -1;
	log_share();
	supervisor->board = board_new(error);
	if (!supervisor->board)
		return -1;
	if (pipe2(supervisor->life, O_CLOEXEC))
		return error_errno(error, ERROR_FATAL, "supervisor.pipe", "making a pipe");
	return 0;
}

static void free_all(struct supervisor *supervisor)
{
	seats_free(&supervisor->seats);
	if (supervisor->lock >= 0)
		close(supervisor->lock);
	if (supervisor->life[1] > 0) {
		close(supervisor->life[0]);
		close(supervisor->life[1]);
	}
	if (supervisor->signals > 0)
		close(supervisor->signals);
	loop_free(supervisor->loop);
	board_free(supervisor->board);
	generation_free(supervisor->generation);
}

/* Told to end before anything was started: there is nothing to end. Later these signals are blocked and read. */
static void end_at_once(int number)
{
	_exit(0);
}

int supervisor_run(const struct supervisor_config *config, struct error *error)
{
	struct supervisor supervisor = {
		.config = config, .lock = -1, .started = clock_tick_ms(), .seats.only = config->roles};
	int result = -1;

	signal(SIGTERM, end_at_once);
	signal(SIGINT, end_at_once);
	if (prepare(&supervisor, error))
		goto done;
	supervisor.signals = block_signals();
	supervisor.loop = loop_new();
	supervisor.end_at = config->for_ms ? supervisor.started + config->for_ms : 0;
	loop_watch(supervisor.loop, supervisor.signals, LOOP_READ, on_signals, &supervisor);
	loop_timer(supervisor.loop, 0, TICK_MS / 2, on_tick, &supervisor);
	seats_plan(&supervisor.seats, supervisor.generation);
	for (struct seat *seat = supervisor.seats.first; seat; seat = seat->next)
		/* those on demand, too, once: they sweep up what an earlier run left at their targets */
		seat->wanted = true;
	supervisor_start_seats(&supervisor);
	loop_run(supervisor.loop);
	end_all(&supervisor);
	pgp_end_agent(supervisor.generation->site->keys_path);
	result = 0;
	if (supervisor.failure.class != ERROR_NONE) {
		*error = supervisor.failure;
		result = -1;
	}
done:
	free_all(&supervisor);
	return result;
}
