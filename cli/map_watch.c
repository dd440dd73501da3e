/* ferrule map --watch: the result again whenever the mapping or its input changes. On a terminal the screen is cleared
 * each time; elsewhere a line of dashes stands between two results. */
#include "config.h"
#include "cli/map.h"

#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MS 40 /* an editor writes in several steps */

struct watch {
	struct map_job *job;
	int inotify, signals;
	bool terminal, keys; /* output; input, where q is waited for */
	struct termios before;
	char *names[2]; /* of the files, without their folders */
	int folders[2]; /* what inotify calls these */
};

/* Editors replace files: the folders are watched, not the files. */
static int watch_folder(struct watch *watch, int which, const char *path, struct error *error)
{
	char *copy = mem_strdup(path), *other = mem_strdup(path);

	watch->names[which] = mem_strdup(basename(copy));
	watch->folders[which] = inotify_add_watch(watch->inotify, dirname(other),
						  IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
	free(copy);
	if (watch->folders[which] < 0)
		error_errno(error, ERROR_REJECT, "map.watch", "watching the folder of %s", path);
	free(other);
	return watch->folders[which] < 0 ? -1 : 0;
}

static void keys_on(struct watch *watch)
{
	struct termios raw;

	watch->keys = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &watch->before);
	if (!watch->keys)
		return;
	raw = watch->before;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static int open_watch(struct watch *watch, struct error *error)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	watch->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->signals < 0 || watch->inotify < 0)
		return error_errno(error, ERROR_FATAL, "map.watch", "watching files");
	return watch_folder(watch, 0, watch->job->mapping, error) || watch_folder(watch, 1, watch->job->input, error)
		       ? -1
		       : 0;
}

static void close_watch(struct watch *watch)
{
	if (watch->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &watch->before);
	free(watch->names[0]);
	free(watch->names[1]);
	if (watch->inotify >= 0)
		close(watch->inotify);
	if (watch->signals >= 0)
		close(watch->signals);
}

static void show(const struct watch *watch)
{
	time_t now = time(NULL);
	struct tm local;
	char clock[16] = "";

	if (localtime_r(&now, &local))
		strftime(clock, sizeof clock, "%H:%M:%S", &local);
	if (watch->terminal)
		printf("\033[H\033[2J\033[3J\033[7m %s < %s  %s  q ends \033[0m\n", watch->job->mapping,
		       watch->job->input, clock);
	map_once(watch->job);
	if (!watch->terminal)
		puts("----");
	fflush(stdout);
}

/* Is one of the files among what happened? */
static bool is_ours(struct watch *watch)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool ours = false;
	ssize_t n;

	while ((n = read(watch->inotify, events, sizeof events)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(events + at);

			for (int i = 0; i < 2; i++)
				ours = ours || (event->mask & IN_Q_OVERFLOW) ||
				       (event->wd == watch->folders[i] && event->len &&
					!strcmp(event->name, watch->names[i]));
			at += (ssize_t)(sizeof *event + event->len);
		}
	return ours;
}

/* True when it is time to end. */
static bool is_over(const struct watch *watch, const struct pollfd *fds)
{
	char key;

	if (fds[1].revents)
		return true;
	if (!watch->keys || !fds[2].revents)
		return false;
	return read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 4;
}

static void wait_and_show(struct watch *watch)
{
	struct pollfd fds[3] = {{watch->inotify, POLLIN, 0}, {watch->signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
	bool changed = false;

	for (;;) {
		int n = poll(fds, watch->keys ? 3 : 2, changed ? SETTLE_MS : -1);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0 && is_over(watch, fds))
			return;
		if (n > 0 && fds[0].revents && is_ours(watch))
			changed = true;
		if (n == 0 && changed) {
			changed = false;
			show(watch);
		}
	}
}

int map_watch(struct map_job *job)
{
	struct watch watch = {.job = job, .inotify = -1, .signals = -1, .terminal = isatty(STDOUT_FILENO)};
	struct error error = {0};
	int code = EXIT_DONE;

	job->pretty = true;
	job->told = stdout;
	if (open_watch(&watch, &error)) {
		code = verb_failed(job->arguments, &error);
	} else {
		keys_on(&watch);
		show(&watch);
		wait_and_show(&watch);
		if (watch.terminal)
			puts("");
	}
	close_watch(&watch);
	return code;
}
