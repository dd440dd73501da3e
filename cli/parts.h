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
	int (*alone)(const struct arguments *); /* needs no site that answers; in place of run */
};

/* The part that the first word names, the table's first without one. NULL: usage was said. */
const struct part *part_find(const struct arguments *, const struct part *table);
/* Whether each option that was given is one of this part, for verbs without a table of parts. False: usage was said. */
bool part_takes(const struct arguments *, const char *part);
bool part_has(const struct verb_option *, const char *part);
/* "show, sent: from this time on": its help, and which parts take it. The caller frees. */
char *part_help_new(const struct verb_option *);
/* Runs it on the site that --site names, or the one around. An exit code. */
int part_run(const struct arguments *, const struct part *);

#endif
