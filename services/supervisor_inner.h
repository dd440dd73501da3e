/* What the files of the supervisor share: supervisor.c runs the site and talks to the queue process, supervisor_seats.c
 * starts its processes, notes how they end and watches that they get on. */
#ifndef FERRULE_SERVICES_SUPERVISOR_INNER_H
#define FERRULE_SERVICES_SUPERVISOR_INNER_H

#include "base/loop.h"
#include "base/queue.h"
#include "services/board.h"
#include "services/generation.h"
#include "services/seats.h"
#include "services/supervisor.h"

struct supervisor {
	const struct supervisor_config *config;
	struct generation *generation;
	struct board *board;
	struct loop *loop;
	struct seats seats;
	struct queue *queue; /* our session with the queue process; NULL while it is down */
	struct watch *queue_watch;
	int lock, life[2], signals;
	bool reload, ending;
	int64_t end_at; /* monotonic; --for */
	int64_t started;
	int idle_rounds;
	bool announced;
	bool greeted;             /* the queue process was there once */
	struct error not_started; /* why it was not, as far as it said */
	struct error failure;     /* why the site ends by itself */
};

/* Starts every seat that is due: the queue process first, those on demand when they are wanted. */
void supervisor_start_seats(struct supervisor *);
void supervisor_stop_seat(struct seat *);   /* asks it to end, once */
void supervisor_reap(struct supervisor *);  /* of those that ended; what they held is named to the queue process */
void supervisor_watch(struct supervisor *); /* kills what holds a message and makes no progress; shows what hangs */

void supervisor_queue_lost(struct supervisor *);
/* What was said goes out now: a suspect that is named late was handed out again meanwhile, and its deaths are not
 * counted. */
void supervisor_queue_tell(struct supervisor *);

#endif
