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
	/* within: `place` is a guess only; what is meant is byte `offset` of the value that stands at `start`. Who has
	 * the files makes it exact (places_resolve of config). */
	bool within;
	struct place start;
	size_t offset;
	const char *scope; /* "environment prod" where it holds there only; NULL: everywhere */
};

#define FINDINGS_KEPT_MAX 10000

struct findings {
	struct arena *arena;
	struct finding *list;
	size_t count, capacity, errors;
	/* While a site is read or checked: where the file of a place, known by its address, was used; or NULL. */
	const char *(*used)(void *arg, const char *file);
	void *used_arg;
	size_t dropped; /* past FINDINGS_KEPT_MAX: counted only */
};

void findings_init(struct findings *);
void findings_free(struct findings *);
void finding_add(struct findings *, struct place, enum severity, const char *code, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* Where text[offset] is, when the text starts at `start`: right in a file of its own (*.jq, no file); in YAML a guess,
 * whose column is 0 past the first line. */
struct place place_within(struct place start, struct span text, size_t offset);
/* Byte `offset` of the value at `start`, which may be escaped, folded or indented there; till then, a `guess`. */
void finding_add_within(struct findings *, struct place guess, struct place start, size_t offset, enum severity,
			const char *code, const char *format, ...) __attribute__((format(printf, 7, 8)));
void findings_sort(struct findings *); /* by file, line, column; errors before warnings at one place */
const char *severity_name(enum severity);
/* The candidate nearest to the word (edit distance at most 3 and at most half its length), or NULL. */
const char *nearest_name(struct span word, const char *const *candidates, size_t n);

/* The one form in which it is told, always last: "…" NEAR with NEAR_ARGS(near) among the arguments gives
 * "; did you mean `near`?", or nothing where there is none. NEAR_OR_ARGS: something else where there is none, and with
 * a literal in front of the name where there is. */
#define NEAR "%s%s%s"
#define NEAR_ARGS(near) NEAR_OR_ARGS(near, "", "", "", "")
#define NEAR_OR_ARGS(near, sign, before, name, behind)                                                                 \
	(near) ? "; did you mean `" sign : (before), (near) ? (near) : (name), (near) ? "`?" : (behind)

#endif
