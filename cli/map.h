/* One run of a mapping by hand, and the watch that repeats it. */
#ifndef FERRULE_CLI_MAP_H
#define FERRULE_CLI_MAP_H

#include <stdio.h>

#include "cli/hand.h"

struct map_job {
	const struct arguments *arguments;
	const char *mapping, *input; /* paths; input NULL: standard input */
	const char *decode;          /* a format, or NULL: JSON */
	const char *contract;        /* to validate against, or NULL */
	FILE *out, *told;            /* results; what is wrong */
	bool pretty;
};

/* Runs it once, from the files as they are now. An exit code; everything was told. */
int map_once(const struct map_job *);
/* Runs it whenever one of the files changes, until q or Ctrl-C. */
int map_watch(struct map_job *);

#endif
