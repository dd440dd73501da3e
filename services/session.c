/* How a verb reaches a site. See session.h. */
#include "config.h"
#include "services/session.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "services/generation_kept.h"
#include "services/queue_role.h"
#include "services/site_lock.h"

#define CONNECT_MS 10000
#define LOCK_MS 10000

struct session {
	struct generation *generation;
	struct queue *queue;
	pid_t child;     /* our own queue process, or 0 */
	int life[2], lock;
	struct board *board;
};

static int queue_process(struct session *session)
{
	close(session->life[1]);
	return queue_role_run(session->generation->site, session->generation->topology, board_slot(session->board, 0), session->life[0]);
}

static int start_queue(struct session *session, struct error *error)
{
	session->lock = site_lock(session->generation->site->run_path, LOCK_MS, error);
	if (session->lock < 0)
		return -1;
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
	close(session->life[0]);
	session->life[0] = -1;
	return 0;
}

static int reach(struct session *session, bool *running, struct error *error)
{
	const struct site *site = session->generation->site;
	char path[4200];

	snprintf(path, sizeof path, "%s/queue.sock", site->run_path);
	*running = site_locked(site->run_path);
	if (!*running && start_queue(session, error))
		return -1;
	session->queue = queue_open(path, "verb", CONNECT_MS, error);
	return session->queue ? 0 : -1;
}

/* What runs, rather than what the files say by now: they may be under change, or broken. */
static void take_running(struct session *session, const char *directory, struct findings *findings)
{
	char *data = session->generation ? mem_strdup(session->generation->site->data_path) : mem_printf("%s/data", directory);
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

struct session *session_open(const char *directory, const char *environment, struct findings *findings, bool *running, struct error *error)
{
	struct session *session = mem_alloc(sizeof *session);
	bool answer;

	session->lock = session->life[0] = session->life[1] = -1;
	session->generation = generation_new(directory, environment, NULL, findings, error);
	take_running(session, directory, findings);
	if (session->generation && !reach(session, running ? running : &answer, error))
		return session;
	session_close(session);
	return NULL;
}

void session_close(struct session *session)
{
	if (!session)
		return;
	queue_close(session->queue);
	if (session->life[1] >= 0)
		close(session->life[1]); /* the queue process ends with it */
	if (session->child > 0)
		waitpid(session->child, NULL, 0);
	if (session->lock >= 0)
		close(session->lock);
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
