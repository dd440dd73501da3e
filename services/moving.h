/* What a worker moves at the moment, told to status once a second while it takes longer than that: the file's name, how
 * much of it is done, how fast it goes. Numbers come from base/progress.h, which adapters feed. */
#ifndef FERRULE_SERVICES_MOVING_H
#define FERRULE_SERVICES_MOVING_H

#include "services/worker.h"

struct moving {
	const char *endpoint; /* NULL: nothing is moved */
	bool in;
	char name[240];
	uint64_t total, first; /* bytes; where it began, which is not 0 where a part was there */
	int64_t began, told;   /* monotonic */
	int64_t since_ms;
	unsigned attempt;
	bool started, shown;
};

/* total 0: not known. attempt counts from 1; 0: not known. */
void moving_begin(struct worker *, const char *endpoint, bool in, struct span name, uint64_t total, unsigned attempt);
void moving_told(struct worker *, uint64_t done, uint64_t total);
void moving_end(struct worker *);

#endif
