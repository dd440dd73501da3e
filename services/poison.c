/* Poison for tests. See poison.h. */
#include "config.h"
#include "services/poison.h"

#ifdef FERRULE_FAULTS
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define MOUTHFUL (4u << 20)

static bool says(struct span name, const char *what)
{
	return name.len && memmem(name.data, name.len, what, strlen(what)) != NULL;
}

void poison_taste(struct span name)
{
	if (!says(name, "poison-"))
		return;
	if (says(name, "poison-crash"))
		abort();
	while (says(name, "poison-loop"))
		usleep(1000); /* as one that computes for ever does, but kind to the machine */
	while (says(name, "poison-memory"))
		memset(mem_alloc(MOUTHFUL), 1, MOUTHFUL);
}
#endif
