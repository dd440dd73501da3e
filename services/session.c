/* How a verb reaches a site. See session.h. */
#include "config.h"
#include "services/session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "services/generation_kept.h"
#include "services/queue_role.h"
#include "services/site_lock.h"
#include "services/worker.h"

#define REACH_MS 10000
#define CONNECT_MS 200 /* then it is looked again who has the site */
#define NAP_MS 20
#define ANSWER_MS 1000

struct session {
	struct generation *generation;
	struct queue *queue;
	pid_t child, recorder; /* our own processes, or 0 */
	int life[2], turn, lock;
	struct board *board;
};

static int queue_process(struct session *session)
{
	close(session->life[1]);
	return queue_role_run(session->generation->site, session->generation->topology, board_slot(session->board, 0),
			      session->life[0]);
}

static int start_queue(struct session *session, struct error *error)
{
	session->board = board_new(error);
	if (!session->board)
		return -1;
	if (pipe2(session->life, O_CLOEXEC))
		return error_errno(error, ERROR_FATAL, "session.pipe", "making a pipe");
	fflush(NULL);
	session->child = fork();
	if (session->child < 0)
		return error_errno(error, ERROR_FATAL, "session.fork", "starting the queue process");
	if (session->child == 0)
		_exit(queue_process(session));
	return 0;
}

/* Our own queue process, which says on the board why it cannot work. */
static bool child_ended(struct session *session, struct error *error)
{
	const char *cause = board_slot(session->board, 0)->cause;

	if (waitpid(session->child, NULL, WNOHANG) <= 0)
		return false;
	session->child = 0;
	error_set(error, ERROR_FATAL, "queue.ended", "the queue process cannot work: %.*s", BOARD_CAUSE,
		  *cause ? cause : "it ended");
	return true;
}

static int reach_own(struct session *session, const char *path, int64_t until, struct error *error)
{
	if (start_queue(session, error))
		return -1;
	while (!session->queue) {
		error_clear(error);
		session->queue = queue_open(path, "verb", CONNECT_MS, error);
		if (!session->queue && (child_ended(session, error) || clock_tick_ms() >= until))
			return -1;
	}
	return 0;
}

/* With the turn in hand: our own queue process when nobody runs the site, else the running one's. 1: neither yet. */
static int reach_once(struct session *session, const char *path, int64_t until, bool *running, struct error *error)
{
	if (site_lock_try(session->generation->site->run_path, &session->lock, error))
		return -1;
	*running = session->lock < 0;
	if (!*running)
		return reach_own(session, path, until, error);
	session->queue = queue_open(path, "verb", CONNECT_MS, error);
	close(session->turn);
	session->turn = -1;
	return session->queue ? 0 : 1;
}

/* A supervisor that begins has the lock before it has a socket, and one that ends has no socket any more: look again
 * until one or the other is there. Another command's queue process would end under our hands: that one is waited for.
 */
static int reach(struct session *session, bool *running, struct error *error)
{
	const char *run_path = session->generation->site->run_path;
	int64_t until = clock_tick_ms() + REACH_MS;
	char path[4200];
	int status;

	snprintf(path, sizeof path, "%s/queue.sock", run_path);
	for (;;) {
		if (site_turn_try(run_path, &session->turn, error))
			return -1;
		if (session->turn >= 0) {
			error_clear(error);
			status = reach_once(session, path, until, running, error);
			if (status <= 0)
				return status;
		}
		if (clock_tick_ms() >= until)
			return !strcmp(error->code, "queue.silent") ? -1 : site_lock_refused(run_path, error);
		poll(NULL, 0, NAP_MS);
	}
}

/* What runs, rather than what the files say by now: they may be under change, or broken. */
static void take_running(struct session *session, const char *directory, struct findings *findings)
{
	char *data = session->generation ? mem_strdup(session->generation->site->data_path)
					 : mem_printf("%s/data", directory);
	struct generation *running = generation_latest_new(data, directory);

	free(data);
	if (!running)
		return;
	if (site_locked(running->site->run_path)) {
		generation_free(session->generation);
		session->generation = running;
		findings_free(findings);
		findings_init(findings);
	} else {
		generation_free(running);
	}
}

struct session *session_open(const char *directory, const char *environment, struct findings *findings, bool *running,
			     struct error *error)
{
	struct session *session = mem_alloc(sizeof *session);
	bool answer;

	session->turn = session->lock = session->life[0] = session->life[1] = -1;
	session->generation = generation_new(directory, environment, NULL, findings, error);
	take_running(session, directory, findings);
	if (session->generation && !reach(session, running ? running : &answer, error))
		return session;
	session_close(session);
	return NULL;
}

/* ---- what is not recorded yet */

static int record_process(struct session *session)
{
	struct worker worker = {
		.role = &role_record,
		.site = session->generation->site,
		.topology = session->generation->topology,
		.slot = board_slot(session->board, 1),
		.life = session->life[0],
	};

	close(session->life[1]);
	return worker_run(&worker);
}

static void start_recorder(struct session *session)
{
	fflush(NULL);
	session->recorder = fork();
	if (session->recorder == 0)
		_exit(record_process(session));
}

static bool unrecorded(struct session *session)
{
	json_t *answer = NULL;
	bool some;

	if (queue_ask(session->queue, "idle", NULL, &answer, ANSWER_MS, NULL))
		return false; /* a broker that is away, say: what is recorded is shown */
	some = json_integer_value(json_object_get(answer, "unrecorded")) > 0;
	json_decref(answer);
	return some;
}

void session_settle(struct session *session, int wait_ms)
{
	int64_t until = clock_tick_ms() + wait_ms;

	while (unrecorded(session) && clock_tick_ms() < until) {
		if (session->child && !session->recorder)
			start_recorder(session);
		poll(NULL, 0, NAP_MS);
	}
}

/* ---- the end: the recorder through the queue process, then that one */

static void end_recorder(struct session *session)
{
	if (session->recorder <= 0)
		return;
	kill(session->recorder, SIGTERM);
	waitpid(session->recorder, NULL, 0);
}

void session_close(struct session *session)
{
	if (!session)
		return;
	end_recorder(session);
	queue_close(session->queue);
	if (session->life[0] >= 0)
		close(session->life[0]);
	if (session->life[1] >= 0)
		close(session->life[1]); /* the queue process ends with it */
	if (session->child > 0)
		waitpid(session->child, NULL, 0);
	if (session->lock >= 0)
		close(session->lock);
	if (session->turn >= 0)
		close(session->turn);
	board_free(session->board);
	generation_free(session->generation);
	free(session);
}

struct queue *session_queue(struct session *session)
{
	return session->queue;
}

const struct generation *session_generation(struct session *session)
{
	return session->generation;
}

const struct site *session_site(struct session *session)
{
	return session->generation->site;
}
