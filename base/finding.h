/* Findings: what `check` says about a site, each with its place. Collected, so that one pass shows all. */
#ifndef FERRULE_BASE_FINDING_H
#define FERRULE_BASE_FINDING_H

#include "base/mem.h"

/* A place in a file of the site. Line and column count from 1; 0: not known. */
struct place {
	const char *file; /* relative to the site; lives as long as the site */
	int line, column;
};

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct finding {
	struct place place;
	enum severity severity;
	const char *code; /* stable, "option.unknown" */
	const char *text;
	const char *used; /* where the snippet that it is in was used, "flows/a.yaml:7"; NULL: it is in none */
};

struct findings {
	struct arena *arena;
	struct finding *list;
	size_t count, capacity, errors;
	/* While a site is read or checked: where the file of a place, known by its address, was used; or NULL. */
	const char *(*used)(void *arg, const char *file);
	void *used_arg;
};

void findings_init(struct findings *);
void findings_free(struct findings *);
void finding_add(struct findings *, struct place, enum severity, const char *code, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void findings_sort(struct findings *); /* by file, line, column; errors before warnings at one place */
const char *severity_name(enum severity);
/* The candidate nearest to the word (edit distance at most 3 and at most half its length), or NULL. */
const char *nearest_name(struct span word, const char *const *candidates, size_t n);

#endif
