/* Verbs of several parts: `ferrule dead list`, `ferrule dead show 1`. */
#ifndef FERRULE_CLI_PARTS_H
#define FERRULE_CLI_PARTS_H

#include "cli/verb.h"

struct session;

struct part {
	const char *name;            /* NULL ends the table */
	size_t words_min, words_max; /* behind the part's name */
	const char *which;           /* what to say when too few are given */
	int (*run)(const struct arguments *, struct session *);
};

/* The part that the first word names, the table's first without one. NULL: usage was said. */
const struct part *part_find(const struct arguments *, const struct part *table);
/* Runs it on the site that --site names, or the one around. An exit code. */
int part_run(const struct arguments *, const struct part *);

#endif
