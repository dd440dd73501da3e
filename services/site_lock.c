/* The lock of a site. See site_lock.h. */
#include "config.h"
#include "services/site_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static int make_directories(const char *path, struct error *error)
{
	char whole[4096];
	size_t n = strlen(path);

	if (n >= sizeof whole)
		return error_set(error, ERROR_FATAL, "site.path", "%s: the path is too long", path);
	memcpy(whole, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (whole[i] != '/' && whole[i] != '\0')
			continue;
		whole[i] = '\0';
		if (mkdir(whole, 0700) && errno != EEXIST)
			return error_errno(error, ERROR_FATAL, "site.path", "making the directory %s", whole);
		whole[i] = path[i];
	}
	return 0;
}

static int open_lock(const char *run_path)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/lock", run_path);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

#define RUNS_ON_MS 3000 /* one that was told to end may not know it yet */

enum holder { HOLDER_GONE, HOLDER_RUNS, HOLDER_ENDS, HOLDER_COMMAND };

/* Who signed last, and what that process does with the site. */
static enum holder holder_of(int fd, long *pid)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	*pid = n > 0 ? strtol(text, NULL, 10) : 0;
	if (*pid <= 0 || kill((pid_t)*pid, 0))
		return HOLDER_GONE;
	return strstr(text, "command") ? HOLDER_COMMAND : strstr(text, "ending") ? HOLDER_ENDS : HOLDER_RUNS;
}

static void sign(int fd, const char *what)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%ld%s\n", (long)getpid(), what);

	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n)
		return; /* only information for people */
}

/* `talk`: to somebody who wants to talk to the site rather than to run it. */
static int refused(int fd, bool talk, struct error *error)
{
	long pid;
	enum holder holder = holder_of(fd, &pid);

	if (holder == HOLDER_COMMAND)
		return error_set(error, ERROR_FATAL, "site.running",
				 "another command has the site in hand, process %ld: try again when it has ended", pid);
	if (holder == HOLDER_ENDS)
		return error_set(error, ERROR_FATAL, "site.running",
				 "the site, process %ld, is ending: try again in some seconds", pid);
	if (holder == HOLDER_RUNS && talk)
		return error_set(
			error, ERROR_FATAL, "site.silent",
			"the site runs, as process %ld, but its queue process cannot be reached: its log says why",
			pid);
	if (holder == HOLDER_RUNS)
		return error_set(error, ERROR_FATAL, "site.running",
				 "the site runs already, as process %ld: stop that one first (kill %ld)", pid, pid);
	return error_set(error, ERROR_FATAL, "site.running",
			 "processes of an earlier run are still finishing: try again in some seconds");
}

/* Whoever has to wait is told at once for whom. */
static void tell(int fd)
{
	long pid;
	enum holder holder = holder_of(fd, &pid);

	if (holder == HOLDER_GONE)
		log_info("supervisor", SPAN_NONE, "waits: processes of an earlier run are still finishing");
	else
		log_info("supervisor", SPAN_NONE, "waits: process %ld %s", pid,
			 holder == HOLDER_COMMAND ? "is a command that has the site in hand"
			 : holder == HOLDER_ENDS  ? "runs this site and is ending"
						  : "runs this site");
}

int site_lock(const char *run_path, int wait_ms, struct error *error)
{
	int64_t until = clock_tick_ms() + wait_ms;
	bool told = false;
	int fd;

	if (make_directories(run_path, error))
		return -1;
	fd = open_lock(run_path);
	if (fd < 0)
		return error_errno(error, ERROR_FATAL, "site.lock", "opening %s/lock", run_path);
	for (int64_t runs_since = 0; flock(fd, LOCK_EX | LOCK_NB);) {
		struct timespec nap = {0, 50000000};
		long pid;

		if (!told)
			tell(fd);
		told = true;
		if (holder_of(fd, &pid) != HOLDER_RUNS)
			runs_since = 0;
		else if (!runs_since)
			runs_since = clock_tick_ms();
		if (clock_tick_ms() >= until || (runs_since && clock_tick_ms() - runs_since >= RUNS_ON_MS)) {
			refused(fd, false, error);
			close(fd);
			return -1;
		}
		nanosleep(&nap, NULL);
	}
	sign(fd, "");
	return fd;
}

void site_lock_ending(int lock)
{
	sign(lock, " ending");
}

static int lock_file_try(const char *run_path, const char *name, int *lock, struct error *error)
{
	char path[4200];

	*lock = -1;
	if (make_directories(run_path, error))
		return -1;
	snprintf(path, sizeof path, "%s/%s", run_path, name);
	*lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*lock < 0)
		return error_errno(error, ERROR_FATAL, "site.lock", "opening %s", path);
	if (flock(*lock, LOCK_EX | LOCK_NB)) {
		close(*lock);
		*lock = -1;
	}
	return 0;
}

int site_turn_try(const char *run_path, int *turn, struct error *error)
{
	return lock_file_try(run_path, "turn", turn, error);
}

int site_lock_try(const char *run_path, int *lock, struct error *error)
{
	if (lock_file_try(run_path, "lock", lock, error))
		return -1;
	if (*lock >= 0)
		sign(*lock, " command");
	return 0;
}

int site_lock_refused(const char *run_path, struct error *error)
{
	int fd = open_lock(run_path);

	if (fd < 0)
		return error_errno(error, ERROR_FATAL, "site.lock", "opening %s/lock", run_path);
	refused(fd, true, error);
	close(fd);
	return -1;
}

bool site_locked(const char *run_path)
{
	int fd = open_lock(run_path);
	bool locked;

	if (fd < 0)
		return false;
	locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	return locked;
}
