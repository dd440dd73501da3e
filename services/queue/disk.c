/* Room on the disk. Below the reserve nothing is accepted; when the disk is full all the same, the ballast is given up,
 * so that what is here can be settled: on a full disk SQLite cannot even delete. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/queue/inner.h"

#define BALLAST (32u << 20) /* more than the database's log ever has: it must fit into the file */
#define QUIET_MS 2000       /* after a full disk, before anything is accepted again */

/* A database elsewhere settles without room here. */
static uint64_t ballast_size(const struct engine *engine)
{
	if (!engine->config.broker->shares_db)
		return 0;
	return engine->config.ballast_size ? engine->config.ballast_size : BALLAST;
}

static void accept_or_not(struct engine *engine, bool accepting)
{
	if (engine->accepting == accepting)
		return;
	engine->accepting = accepting;
	engine->reserve_since_ms = accepting ? 0 : clock_now_ms();
	if (accepting)
		log_info("queue", SPAN_NONE, "there is room on the disk: accepting again");
	else
		log_error("queue", SPAN_NONE,
			  "the disk is nearly full: nothing is accepted; make room on the file system of %s",
			  engine->db_path);
	sessions_accepting(engine);
}

/* 0 when it is there, or was made. Written, not only reserved: some file systems promise room they do not have. */
static int make_ballast(const struct engine *engine)
{
	static const char zeros[65536];
	uint64_t size = ballast_size(engine), written = 0;
	struct stat status;
	int fd;

	if (!engine->ballast_path || !size ||
	    (stat(engine->ballast_path, &status) == 0 && (uint64_t)status.st_size >= size))
		return 0;
	fd = open(engine->ballast_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (fd >= 0 && written < size) {
		ssize_t n = write(fd, zeros, sizeof zeros);

		if (n <= 0)
			break;
		written += (uint64_t)n;
	}
	if (fd >= 0)
		close(fd);
	if (written >= size)
		return 0;
	unlink(engine->ballast_path);
	return -1;
}

/* Where a database elsewhere leaves no file, its folder is looked at: what else the site keeps lies there. */
static bool room(const struct engine *engine, uint64_t *available)
{
	const char *slash = engine->db_path ? strrchr(engine->db_path, '/') : NULL;
	char *folder = slash ? mem_span_dup(span_make(engine->db_path, (size_t)(slash - engine->db_path))) : NULL;
	struct statvfs status;
	int failed = !engine->db_path || statvfs(engine->db_path, &status);

	if (failed && folder && *folder)
		failed = statvfs(folder, &status);
	free(folder);
	if (failed)
		return false;
	*available = (uint64_t)status.f_bavail * status.f_frsize;
	return true;
}

/* Every second. */
void disk_look(struct engine *engine)
{
	uint64_t available, reserve = engine->config.disk_reserve;

	if (!room(engine, &available))
		return;
	if (available < reserve) {
		accept_or_not(engine, false);
		return;
	}
	if (engine->accepting) {
		make_ballast(engine);
		return;
	}
	if (available < reserve + reserve / 10 + 2 * ballast_size(engine) ||
	    clock_tick_ms() - engine->full_ms < QUIET_MS)
		return;
	if (make_ballast(engine) == 0)
		accept_or_not(engine, true);
}

void disk_full(struct engine *engine)
{
	engine->full_ms = clock_tick_ms();
	if (engine->ballast_path && unlink(engine->ballast_path) == 0)
		log_warn("queue", SPAN_NONE,
			 "the disk is full: the ballast %s was given up, so that settling can go on",
			 engine->ballast_path);
	accept_or_not(engine, false);
}
