/* The machine's name. See machine.h. */
#include "config.h"
#include "services/machine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void machine_name(char out[MACHINE_NAME])
{
	const char *given = getenv("FERRULE_MACHINE");
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	snprintf(out, MACHINE_NAME, "%.64s", given && *given ? given : *host ? host : "unnamed");
	for (char *c = out; *c; c++)
		if (!isgraph((unsigned char)*c))
			*c = '-';
}
