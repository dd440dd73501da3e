/* `ferrule run`: starts the processes of a site, starts again what ends, and ends them all. */
#ifndef FERRULE_SERVICES_SUPERVISOR_H
#define FERRULE_SERVICES_SUPERVISOR_H

#include "config/site.h"

struct supervisor_config {
	const char *directory;
	const char *environment; /* "" or --env */
	/* poll each source once, end when nothing is ready, held, parked or unrecorded */
	bool until_idle;
	int64_t for_ms;           /* end after this long; 0: never */
	const char *const *roles; /* --role: only these (and the queue process); NULL: all */
	/* a worker with a message in hand and no progress for so long is killed; 0: some 20 s */
	int64_t watchdog_ms;
	void (*announce)(void *arg, const char *text); /* progress for people; may be NULL */
	void *arg;
};

/* Runs until a signal, until idle, or until the time is over. 0, or -1 with the reason: that the queue process did not
 * start by then, or, until idle, that it cannot (queue.ended); that the site is another's, or not valid. The
 * site was loaded and checked by it; findings go to standard error. Blocks SIGCHLD, SIGTERM, SIGINT and SIGHUP. */
int supervisor_run(const struct supervisor_config *, struct error *);

#endif
