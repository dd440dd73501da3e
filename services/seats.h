/* The processes of a site as the supervisor sees them: a seat for each process that should run, a child in it while one
 * does. */
#ifndef FERRULE_SERVICES_SEATS_H
#define FERRULE_SERVICES_SEATS_H

#include <sys/types.h>

#include "services/board.h"
#include "services/generation.h"

struct role;

enum demand { DEMAND_ALWAYS, DEMAND_WANTED /* started when messages wait, ends by itself */ };

struct seat {
	struct seat *next;
	const struct role *role; /* NULL: the queue process */
	char *name;              /* "transform.1", "poll:acme" */
	char *endpoint;          /* or NULL */
	enum demand demand;
	bool retired; /* a reload took it away */
	unsigned slot;
	/* while a process runs */
	pid_t pid; /* 0: none */
	const struct generation *generation;
	int64_t started;    /* monotonic */
	bool stopping;      /* it was told to end */
	const char *killed; /* why we killed it */
	bool hung;          /* it waits for its folder, and status says so */
	uint32_t ticks;     /* as last seen, … */
	int64_t ticked;     /* … and since when */
	/* between processes */
	bool wanted;
	unsigned failures;  /* quick deaths in a row */
	int64_t not_before; /* monotonic */
};

struct seats {
	struct seat *first;
	unsigned next_slot;
	const char *const *only; /* roles, ending with NULL; NULL: all */
};

struct seat *seat_find(struct seats *, const char *name); /* NULL when there is none */
/* What should run for this generation; seats that it does not name are retired. Seats are kept over reloads: a name has
 * one process at a time. */
void seats_plan(struct seats *, const struct generation *);
void seats_free(struct seats *);

/* What a process was like at its end. */
enum ending {
	ENDING_CLEAN,   /* as it should */
	ENDING_OUTSIDE, /* somebody or the machine killed it: nobody is to blame */
	ENDING_AGAIN,   /* it gave up for a reason of its own: EXIT_AGAIN */
	ENDING_QUEUE,   /* the queue process went away: EXIT_QUEUE */
	ENDING_CRASH,   /* it died of what it had in hand, or the watchdog killed it */
};

enum ending seat_ending(const struct seat *, int status, char *cause, size_t size);

#endif
