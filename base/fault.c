/* Fault points. See fault.h. */
#include "config.h"
#include "base/fault.h"

#ifdef FERRULE_FAULTS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINTS_MAX 128
#define PAUSE_US 5000

struct point {
	char name[48];
	char action[12];
	long nth, one_in; /* one of them is 0 */
	long passed;
	bool seen;
};

static struct {
	bool read;
	pid_t pid;
	unsigned random;
	size_t count;
	struct point points[POINTS_MAX];
} faults;

static void read_points(void)
{
	const char *text = getenv("FERRULE_FAULTS"), *seed = getenv("FERRULE_FAULT_SEED");

	faults.read = true;
	faults.pid = getpid();
	faults.count = 0;
	faults.random = (unsigned)(seed ? strtoul(seed, NULL, 10) : 1) * 2654435761u ^ (unsigned)faults.pid;
	while (text && *text && faults.count < POINTS_MAX) {
		struct point *point = &faults.points[faults.count];
		char mode;
		long n;

		memset(point, 0, sizeof *point);
		if (sscanf(text, "%47[^:%%=]%c%ld=%11[a-z]", point->name, &mode, &n, point->action) == 4) {
			if (mode == '%')
				point->one_in = n;
			else
				point->nth = n;
			faults.count++;
		}
		text += strcspn(text, ",");
		text += *text == ',';
	}
}

static bool due(struct point *point)
{
	if (point->nth)
		return ++point->passed == point->nth;
	faults.random = faults.random * 1103515245u + 12345u;
	return point->one_in && (faults.random >> 8) % (unsigned)point->one_in == 0;
}

static bool ends_process(const struct point *point)
{
	return strcmp(point->action, "fail") && strcmp(point->action, "enospc") && strcmp(point->action, "pause");
}

/* False: another process was first. */
static bool mark(const char *name, const char *what)
{
	const char *directory = getenv("FERRULE_FAULT_MARKS");
	char path[512];
	int fd;

	if (!directory)
		return true;
	snprintf(path, sizeof path, "%s/%s.%s", directory, name, what);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* The first time that this process comes to a point it says so; whether it is due comes after. */
static bool strikes(struct point *point)
{
	if (!point->seen)
		mark(point->name, "passed");
	point->seen = true;
	return due(point) && (!ends_process(point) || mark(point->name, "struck"));
}

bool fault_hit(const char *name)
{
	if (!faults.read || faults.pid != getpid())
		read_points();
	for (size_t i = 0; i < faults.count; i++) {
		struct point *point = &faults.points[i];

		if (strcmp(point->name, name) || !strikes(point))
			continue;
		if (!strcmp(point->action, "pause")) {
			usleep(PAUSE_US);
			continue;
		}
		if (!ends_process(point)) {
			errno = *point->action == 'e' ? ENOSPC : EIO;
			return true;
		}
		if (!strcmp(point->action, "stop"))
			_exit(1);
		if (!strcmp(point->action, "hang"))
			for (;;)
				pause();
		if (!strcmp(point->action, "crash")) {
			signal(SIGSEGV, SIG_DFL);
			raise(SIGSEGV);
		}
		kill(getpid(), SIGKILL);
	}
	return false;
}
#else
typedef int fault_nothing_here; /* ISO C forbids an empty translation unit */
#endif
