/* The processes of a site: started, noted when they end, watched while they run. See supervisor_inner.h. */
#include "config.h"
#include "services/supervisor_inner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/queue_role.h"
#include "services/worker.h"

#define WATCHDOG_MS 20000 /* and what the site allows one expression */
#define QUICK_DEATH_MS 10000
#define BACKOFF_MAX_MS 10000
#define BLAMED_MAX_MS 200   /* a message is to blame, and will be dead soon: the others do not wait for that */
#define OUTSIDE_MAX_MS 1000 /* somebody ended it on purpose */
#define ON_DEMAND_MAX 50
#define HOPELESS_AFTER 3 /* deaths of the queue process in a row */
#define MEMORY_LEAST (512ull << 20)

/* ---- starting processes ------------------------------------------------------------------------------------------ */

/* The site's limit, but never more than half the machine: its own killer would come first, and knows nothing of
 * messages. */
static uint64_t memory_of(const struct site *site)
{
	uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * (uint64_t)sysconf(_SC_PAGESIZE);

	if (half < MEMORY_LEAST)
		half = MEMORY_LEAST;
	return site->limits.process_memory < half ? site->limits.process_memory : half;
}

/* A core would hold documents and secrets. Whoever needs one raises the limit again: prlimit --core. */
static void no_core(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit))
		return;
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_CORE, &limit);
}

static void limit_memory(const struct site *site, const struct seat *seat)
{
#ifndef FERRULE_SANITIZED
	struct rlimit limit = {memory_of(site), memory_of(site)};

	if (seat->role == &role_transform)
		setrlimit(RLIMIT_AS, &limit);
#endif
}

/* In the child: leaves nothing of the supervisor but the site, the board, the lock and the reading end of the life
 * pipe. */
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
	no_core();
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

void supervisor_start_seats(struct supervisor *supervisor)
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

void supervisor_stop_seat(struct seat *seat)
{
	if (!seat->pid || seat->stopping)
		return;
	seat->stopping = true;
	kill(seat->pid, SIGTERM);
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static bool suspect(struct supervisor *supervisor, struct seat *seat, const char *cause)
{
	struct board_slot *slot = board_slot(supervisor->board, seat->slot);
	char text[ID_TEXT], whole[BOARD_CAUSE + 240];

	if (!atomic_load(&slot->holding) || id_is_none(&slot->id)) /* none: at work on its source */
		return false;
	slot->step[sizeof slot->step - 1] = '\0';
	slot->cause[sizeof slot->cause - 1] = '\0';
	id_hex(&slot->id, text);
	snprintf(whole, sizeof whole, "%s%s%s%s%s", cause, slot->step[0] ? " in " : "", slot->step,
		 slot->cause[0] ? ": " : "", slot->cause);
	log_error("supervisor", span_of(text), "died of a message role=%s cause=\"%s\"", seat->name, whole);
	if (supervisor->queue && queue_suspect(supervisor->queue, &slot->id, whole))
		supervisor_queue_lost(supervisor);
	return true;
}

/* One that ate all it may have dies of a failed allocation, which the exit status does not tell. */
static void note_memory(const struct seat *seat, const struct rusage *used, char *cause, size_t size)
{
	uint64_t limit = memory_of(seat->generation->site), most = (uint64_t)used->ru_maxrss * 1024;
	size_t n = strlen(cause);

	if (seat->role == &role_transform && most > limit / 2)
		snprintf(cause + n, size - n,
			 ", of memory: %llu MiB in use, the limit is %llu MiB (limits: process-memory)",
			 (unsigned long long)most >> 20, (unsigned long long)limit >> 20);
}

/* Somebody waits for `run --until-idle` to end: it does so when there is no hope. A site that is to run for good goes
 * on trying, it may be mended meanwhile. */
static void not_started(struct supervisor *supervisor, const struct seat *seat, const char *cause)
{
	struct board_slot *slot = board_slot(supervisor->board, seat->slot);

	slot->cause[sizeof slot->cause - 1] = '\0';
	error_set(&supervisor->not_started, ERROR_FATAL, "queue.ended", "the queue process cannot work: %s",
		  slot->cause[0] ? slot->cause : cause);
	if (!supervisor->config->until_idle || !slot->hopeless || seat->failures < HOPELESS_AFTER)
		return;
	supervisor->failure = supervisor->not_started;
	loop_stop(supervisor->loop);
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
		supervisor_queue_lost(supervisor);
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
	if (ending == ENDING_OUTSIDE && wait > OUTSIDE_MAX_MS)
		wait = OUTSIDE_MAX_MS;
	seat->not_before = now + (wait > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait);
	seat->wanted = true;
	if (!seat->role && !supervisor->greeted)
		not_started(supervisor, seat, cause);
	if (!supervisor->ending)
		log_warn("supervisor", SPAN_NONE, "ended role=%s cause=\"%s\" again_in_ms=%lld", seat->name, cause,
			 (long long)(seat->not_before - now));
}

void supervisor_reap(struct supervisor *supervisor)
{
	struct rusage used;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0)
		for (struct seat *seat = supervisor->seats.first; seat; seat = seat->next)
			if (seat->pid == pid)
				seat_ended(supervisor, seat, status, &used);
	supervisor_queue_tell(supervisor);
}

/* A process that talks to a folder and hangs there is not to blame, nor is its message: killing it would help nobody.
 * Its endpoint is shown as what it is. */
static void tell_hung(struct supervisor *supervisor, struct seat *seat, bool hung)
{
	int64_t since = clock_now_ms() - (clock_tick_ms() - seat->ticked);
	json_t *state = hung ? json_pack("{s:s s:I s:s s:s}", "state", "paused", "since", (json_int_t)since, "code",
					 "endpoint.hung", "error", "no answer: the folder or the other side hangs")
			     : json_pack("{s:s}", "state", "open");

	seat->hung = hung;
	log_warn("supervisor", SPAN_NONE, "%s role=%s", hung ? "hangs" : "goes on again", seat->name);
	if (supervisor->queue && queue_state(supervisor->queue, seat->endpoint, state))
		supervisor_queue_lost(supervisor);
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
void supervisor_watch(struct supervisor *supervisor)
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
