/* A source's time with this machine, where one of several asks it: what is written in that time says so, and is refused
 * when it is over (`fence-source` in operations/ask.h). */
#ifndef FERRULE_SERVICES_TENURE_H
#define FERRULE_SERVICES_TENURE_H

#include "base/queue.h"

struct tenure {
	const char *source; /* NULL: every machine asks it for itself */
	int64_t number;
};

/* First of all in a unit. */
static inline void tenure_fence(struct unit *unit, struct tenure tenure)
{
	if (tenure.source)
		unit_change(unit, "fence-source",
			    json_pack("{s:s s:I}", "name", tenure.source, "tenure", (json_int_t)tenure.number));
}

/* Waits. Is the source this session's, and for which time? Asking takes it when it is free. -1: that cannot be known
 * just now. */
int tenure_ask(struct queue *, const char *source, bool *held, int64_t *number, struct error *);
/* Waits. What was begun may have taken long, and the source may have gone to another machine meanwhile. */
bool tenure_goes_on(struct tenure, struct queue *);

#endif
