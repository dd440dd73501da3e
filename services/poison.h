/* Poison for tests: a document whose name says so ends the transform process that works on it, or holds it up. In
 * builds with fault points only; any other build has nothing here at all. */
#ifndef FERRULE_SERVICES_POISON_H
#define FERRULE_SERVICES_POISON_H

#include "base/span.h"

#ifdef FERRULE_FAULTS
void poison_taste(struct span name); /* poison-crash, poison-loop, poison-memory: may not return */
#else
static inline void poison_taste(struct span name)
{
	(void)name;
}
#endif

#endif
