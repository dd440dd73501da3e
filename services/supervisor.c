/* The supervisor: `ferrule run`. See supervisor.h.
 *
 * It forks every process of the site and keeps no message, no secret and no database of its own. What it knows of a death comes from the exit
 * status and the board; a message that was in hand then is named to the queue process as suspect. */
#include "config.h"
#include "services/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/seats.h"
#include "services/queue_role.h"
#include "services/site_lock.h"
#include "services/worker.h"

#define TICK_MS 100
#define LOCK_WAIT_MS 15000
#define WATCHDOG_MS 20000 /* and what the site allows one expression */
#define KILL_WAIT_MS 2000
#define QUICK_DEATH_MS 10000
#define BACKOFF_MAX_MS 10000
#define BLAMED_MAX_MS 200 /* a message is to blame, and will be dead soon: the others do not wait for that */
#define ON_DEMAND_MAX 50
#define QUEUE_WAIT_MS 15000
#define STEP_MS 2000
#define TOPOLOGY_MAX (1u << 20)
#define FINDINGS_MAX (1u << 20)

struct supervisor {
	const struct supervisor_config *config;
	struct generation *generation;
	struct board *board;
	struct loop *loop;
	struct seats seats;
	struct queue *queue;          /* our session with the queue process; NULL while it is down */
	struct watch *queue_watch;
	int lock, life[2], signals;
	bool reload, ending;
	int64_t end_at;               /* monotonic; --for */
	int64_t started;
	int idle_rounds;
	bool announced;
	struct error failure;         /* why the site ends by itself */
};

/* ---- starting processes --------------------------------------------------------------------------------------- */

static void limit_memory(const struct site *site, const struct seat *seat)
{
#ifndef FERRULE_SANITIZED
	struct rlimit limit = {site->limits.process_memory, site->limits.process_memory};

	if (seat->role == &role_transform)
		setrlimit(RLIMIT_AS, &limit);
#endif
}

/* In the child: leaves nothing of the supervisor but the site, the board, the lock and the reading end of the life pipe. */
static int child_main(struct supervisor *supervisor, struct seat *seat)
{
	struct worker worker = {
		.role = seat->role,
		.site = generation_site_of(supervisor->generation, seat->endpoint),
		.topology = supervisor->generation->topology,
		.endpoint = seat->endpoint,
		.slot = board_slot(supervisor->board, seat->slot),
		.life = supervisor->life[0],
	};

	close(supervisor->life[1]);
	close(supervisor->signals);
	if (supervisor->queue)
		close(queue_fd(supervisor->queue));
	limit_memory(worker.site, seat);
	if (!seat->role)
		return queue_role_run(worker.site, supervisor->generation->topology, worker.slot, worker.life);
	return worker_run(&worker);
}

static void seat_start(struct supervisor *supervisor, struct seat *seat)
{
	struct board_slot *slot = board_slot(supervisor->board, seat->slot);
	pid_t pid;

	memset(slot, 0, sizeof *slot);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(child_main(supervisor, seat));
	if (pid < 0) {
		log_error("supervisor", SPAN_NONE, "cannot start role=%s error=\"%s\"", seat->name, strerror(errno));
		seat->not_before = clock_tick_ms() + BACKOFF_MAX_MS;
		return;
	}
	seat->pid = pid;
	seat->generation = supervisor->generation;
	seat->started = seat->ticked = clock_tick_ms();
	seat->stopping = seat->wanted = seat->hung = false;
	seat->killed = NULL;
	log_debug("supervisor", SPAN_NONE, "started role=%s pid=%ld", seat->name, (long)pid);
}

static unsigned on_demand_running(const struct supervisor *supervisor)
{
	unsigned n = 0;

	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		n += seat->pid && seat->demand == DEMAND_WANTED;
	return n;
}

static void seats_start(struct supervisor *supervisor)
{
	int64_t now = clock_tick_ms();

	if (supervisor->ending)
		return;
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next) {
		if (seat->pid || seat->retired || now < seat->not_before)
			continue;
		if (seat->role && !supervisor->queue)
			continue; /* the queue process first: everyone talks to it */
		if (seat->demand == DEMAND_WANTED && (!seat->wanted || on_demand_running(supervisor) >= ON_DEMAND_MAX))
			continue;
		seat_start(supervisor, seat);
	}
}

static void seat_stop(struct seat *seat)
{
	if (!seat->pid || seat->stopping)
		return;
	seat->stopping = true;
	kill(seat->pid, SIGTERM);
}

/* ---- the queue process's session ------------------------------------------------------------------------------------- */

static void queue_lost(struct supervisor *supervisor)
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
	seats_start(supervisor);
}

static void on_queue(void *arg, unsigned events)
{
	struct supervisor *supervisor = arg;
	struct error error = {0};

	if (queue_pump(supervisor->queue, &error))
		queue_lost(supervisor);
}

/* What was said goes out now: a suspect that is named late was handed out again meanwhile, and its deaths are not counted. */
static void queue_tell(struct supervisor *supervisor)
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
	supervisor->queue_watch = loop_watch(supervisor->loop, queue_fd(supervisor->queue), LOOP_READ, on_queue, supervisor);
	if (generation_keep(supervisor->generation, supervisor->queue, error) ||
	    tell_topology(supervisor, supervisor->generation, error)) {
		queue_lost(supervisor);
		return -1;
	}
	return 0;
}

/* ---- deaths ------------------------------------------------------------------------------------------------------------- */

static bool suspect(struct supervisor *supervisor, struct seat *seat, const char *cause)
{
	struct board_slot *slot = board_slot(supervisor->board, seat->slot);
	char text[ID_TEXT], whole[BOARD_CAUSE + 240];

	if (!atomic_load(&slot->holding))
		return false;
	slot->step[sizeof slot->step - 1] = '\0';
	slot->cause[sizeof slot->cause - 1] = '\0';
	id_hex(&slot->id, text);
	snprintf(whole, sizeof whole, "%s%s%s%s%s", cause, slot->step[0] ? " in " : "", slot->step, slot->cause[0] ? ": " : "", slot->cause);
	log_error("supervisor", span_of(text), "died of a message role=%s cause=\"%s\"", seat->name, whole);
	if (supervisor->queue && queue_suspect(supervisor->queue, &slot->id, whole))
		queue_lost(supervisor);
	return true;
}

/* One that ate all it may have dies of a failed allocation, which the exit status does not tell. */
static void note_memory(const struct seat *seat, const struct rusage *used, char *cause, size_t size)
{
	uint64_t limit = seat->generation->site->limits.process_memory, most = (uint64_t)used->ru_maxrss * 1024;
	size_t n = strlen(cause);

	if (seat->role == &role_transform && most > limit / 2)
		snprintf(cause + n, size - n, ", of memory: %llu MiB in use, the limit is %llu MiB (limits: process-memory)",
			 (unsigned long long)most >> 20, (unsigned long long)limit >> 20);
}

static void seat_ended(struct supervisor *supervisor, struct seat *seat, int status, const struct rusage *used)
{
	char cause[160];
	enum ending ending = seat_ending(seat, status, cause, sizeof cause);
	int64_t now = clock_tick_ms();
	int64_t wait;
	bool blamed;

	seat->pid = 0;
	if (!seat->role)
		queue_lost(supervisor);
	if (ending == ENDING_CRASH)
		note_memory(seat, used, cause, sizeof cause);
	blamed = ending == ENDING_CRASH && suspect(supervisor, seat, cause);
	if (ending == ENDING_CLEAN || seat->stopping) {
		seat->failures = 0;
		return;
	}
	if (ending == ENDING_QUEUE) { /* it comes back with that, which has a back-off of its own */
		seat->wanted = true;
		return;
	}
	seat->failures = now - seat->started < QUICK_DEATH_MS ? seat->failures + 1 : 0;
	wait = seat->failures < 2 ? 0 : 50ll << (seat->failures > 8 ? 8 : seat->failures);
	if (blamed && wait > BLAMED_MAX_MS)
		wait = BLAMED_MAX_MS;
	seat->not_before = now + (wait > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait);
	seat->wanted = true;
	if (!supervisor->ending)
		log_warn("supervisor", SPAN_NONE, "ended role=%s cause=\"%s\" again_in_ms=%lld", seat->name, cause, (long long)(seat->not_before - now));
}

static void reap(struct supervisor *supervisor)
{
	struct rusage used;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0)
		for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
			if (seat->pid == pid)
				seat_ended(supervisor, seat, status, &used);
	queue_tell(supervisor);
}

/* A process that talks to a folder and hangs there is not to blame, nor is its message: killing it would help nobody. Its endpoint is
 * shown as what it is. */
static void tell_hung(struct supervisor *supervisor, struct seat *seat, bool hung)
{
	int64_t since = clock_now_ms() - (clock_tick_ms() - seat->ticked);
	json_t *state = hung ? json_pack("{s:s s:I s:s s:s}", "state", "paused", "since", (json_int_t)since, "code", "endpoint.hung", "error",
					 "no answer: the folder or the other side hangs")
			     : json_pack("{s:s}", "state", "open");

	seat->hung = hung;
	log_warn("supervisor", SPAN_NONE, "%s role=%s", hung ? "hangs" : "goes on again", seat->name);
	if (supervisor->queue && queue_state(supervisor->queue, seat->endpoint, state))
		queue_lost(supervisor);
	json_decref(state);
}

static void no_progress(struct supervisor *supervisor, struct seat *seat)
{
	if (seat->endpoint && !seat->hung)
		tell_hung(supervisor, seat, true);
	if (seat->endpoint || seat->killed)
		return;
	seat->killed = "no progress, ended by the watchdog";
	kill(seat->pid, SIGKILL);
}

/* A worker that holds a message and makes no progress is killed; its message is suspect. */
static void watch_progress(struct supervisor *supervisor)
{
	const struct supervisor_config *config = supervisor->config;
	int64_t usual = WATCHDOG_MS + 2 * supervisor->generation->site->limits.step_time_ms;
	int64_t limit = config->watchdog_ms ? config->watchdog_ms : usual, now = clock_tick_ms();

	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next) {
		struct board_slot *slot = board_slot(supervisor->board, seat->slot);
		uint32_t ticks = atomic_load(&slot->ticks);

		if (!seat->pid)
			continue;
		if (ticks != seat->ticks || !atomic_load(&slot->holding)) {
			seat->ticks = ticks;
			seat->ticked = now;
			if (seat->hung)
				tell_hung(supervisor, seat, false);
		} else if (now - seat->ticked > limit) {
			no_progress(supervisor, seat);
		}
	}
}

/* ---- reload ------------------------------------------------------------------------------------------------------------- */

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
	generation = generation_new(supervisor->config->directory, supervisor->config->environment, supervisor->generation, &findings, error);
	findings_sort(&findings);
	print_findings(&findings);
	findings_free(&findings);
	return generation;
}

static void reload(struct supervisor *supervisor)
{
	struct error error = {0};
	struct generation *generation = load(supervisor, &error);

	supervisor->reload = false;
	if (!generation) {
		log_error("supervisor", SPAN_NONE, "reload refused, revision=%.12s stays error=\"%s\"", supervisor->generation->site->revision, error.text);
		return;
	}
	if (!strcmp(generation->site->revision, supervisor->generation->site->revision)) {
		log_info("supervisor", SPAN_NONE, "reload: nothing changed revision=%.12s", generation->site->revision);
		generation->before = NULL;
		generation_free(generation);
		return;
	}
	if (supervisor->queue && (generation_keep(generation, supervisor->queue, &error) ||
				  tell_topology(supervisor, generation, &error))) {
		log_error("supervisor", SPAN_NONE, "reload failed, revision=%.12s stays error=\"%s\"", supervisor->generation->site->revision, error.text);
		generation->before = NULL;
		generation_free(generation);
		return;
	}
	supervisor->generation = generation;
	seats_plan(&supervisor->seats, supervisor->generation);
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->role && seat->generation != generation)
			seat_stop(seat);
	log_info("supervisor", SPAN_NONE, "reloaded revision=%.12s", generation->site->revision);
}

/* ---- ready, idle, the end ----------------------------------------------------------------------------------------------------- */

static bool all_ready(struct supervisor *supervisor)
{
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->demand == DEMAND_ALWAYS && !seat->retired && !atomic_load(&board_slot(supervisor->board, seat->slot)->ready))
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
		if (seat->role == &role_poll && !seat->retired && !atomic_load(&board_slot(supervisor->board, seat->slot)->polled))
			return false;
	return true;
}

/* Idle twice in a row, with every source looked through before. */
static void look_idle(struct supervisor *supervisor)
{
	json_t *answer = NULL;
	struct error error = {0};
	bool idle;

	if (!supervisor->config->until_idle || !supervisor->queue || !supervisor->announced || !all_polled(supervisor)) {
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
			seat_stop(seat);
	while (any_running(supervisor, which) && clock_tick_ms() < until) {
		loop_once(supervisor->loop, 20);
		reap(supervisor);
	}
	for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
		if (seat->pid && which(seat)) {
			log_warn("supervisor", SPAN_NONE, "did not end in time role=%s", seat->name);
			seat->killed = "did not end in time";
			kill(seat->pid, SIGKILL);
		}
	/* One that sleeps in the kernel (a dead file server) takes no signal: it is left behind, and keeps the site's lock. */
	until = clock_tick_ms() + KILL_WAIT_MS;
	while (any_running(supervisor, which) && clock_tick_ms() < until) {
		loop_once(supervisor->loop, 20);
		reap(supervisor);
	}
}

static void end_all(struct supervisor *supervisor)
{
	supervisor->ending = true;
	end_some(supervisor, is_edge, SHUTDOWN_MS - 500);
	end_some(supervisor, is_record, 1000);
	end_some(supervisor, is_queue, 1000);
	queue_lost(supervisor);
}

/* ---- the loop --------------------------------------------------------------------------------------------------------------------- */

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
	reap(supervisor);
	if (!loop_stopped(supervisor->loop))
		seats_start(supervisor);
}

static void on_tick(void *arg)
{
	struct supervisor *supervisor = arg;
	struct error error = {0};

	if (supervisor->ending)
		return;
	reap(supervisor);
	if (!supervisor->queue && queue_greet(supervisor, &error) && error.class == ERROR_FATAL && strcmp(error.code, "queue.gone") &&
	    !supervisor->announced) {
		supervisor->failure = error;
		loop_stop(supervisor->loop);
		return;
	}
	if (supervisor->reload)
		reload(supervisor);
	watch_progress(supervisor);
	queue_tell(supervisor);
	seats_start(supervisor);
	announce_ready(supervisor);
	look_idle(supervisor);
	if (supervisor->end_at && clock_tick_ms() >= supervisor->end_at)
		loop_stop(supervisor->loop);
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

int supervisor_run(const struct supervisor_config *config, struct error *error)
{
	struct supervisor supervisor = {.config = config, .lock = -1, .started = clock_tick_ms(), .seats.only = config->roles};
	int result = -1;

	if (prepare(&supervisor, error))
		goto done;
	supervisor.signals = block_signals();
	supervisor.loop = loop_new();
	supervisor.end_at = config->for_ms ? supervisor.started + config->for_ms : 0;
	loop_watch(supervisor.loop, supervisor.signals, LOOP_READ, on_signals, &supervisor);
	loop_timer(supervisor.loop, 0, TICK_MS / 2, on_tick, &supervisor);
	seats_plan(&supervisor.seats, supervisor.generation);
	for (struct seat *seat = supervisor.seats.first; seat; seat = seat->next)
		seat->wanted = true; /* those on demand, too, once: they sweep up what an earlier run left at their targets */
	seats_start(&supervisor);
	loop_run(supervisor.loop);
	end_all(&supervisor);
	result = 0;
	if (supervisor.failure.class != ERROR_NONE) {
		*error = supervisor.failure;
		result = -1;
	}
done:
	free_all(&supervisor);
	return result;
}
