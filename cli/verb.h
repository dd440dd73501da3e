/* A verb of the command line: a table of options beside the code that runs it. From the tables come parsing, help and
 * completion. */
#ifndef FERRULE_CLI_VERB_H
#define FERRULE_CLI_VERB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/finding.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FINDINGS = 1, /* findings, failures */
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3, /* the site cannot be reached */
};

struct verb_option {
	const char *name;  /* without the dashes; NULL ends the table */
	const char *value; /* what to call its value in the help; NULL: a flag */
	const char *help;
	const char *parts; /* of the verb, which take it, with spaces: "replay discard"; NULL: all of them */
};

#define ARGUMENTS_MAX 64

struct arguments {
	const struct verb *verb;
	const char *program;              /* what was typed for `ferrule` */
	bool json;                        /* --json: reports on standard output and errors on standard error are JSON */
	const char *words[ARGUMENTS_MAX]; /* what is no option */
	size_t count;
	struct {
		const char *name, *value; /* value "" for a flag */
	} options[ARGUMENTS_MAX];
	size_t options_count;
};

struct verb {
	const char *name, *alias; /* alias may be NULL */
	const char *words;        /* "[DIR]", as the usage line says it */
	size_t words_min, words_max;
	const char *summary; /* one line */
	const char *text;    /* more, for `ferrule help VERB`; examples, which work in a site's directory */
	const char *json;    /* the fields of its answer; NULL: it has no --json */
	const struct verb_option *options;
	int (*run)(const struct arguments *); /* returns an exit code */
};

/* NULL when it was not given; repeated options: ask with an index. */
const char *argument(const struct arguments *, const char *option);
const char *argument_nth(const struct arguments *, const char *option, size_t nth);
bool argument_given(const struct arguments *, const char *option);
const char *argument_word(const struct arguments *, size_t i, const char *fallback);

/* Failures: "ferrule VERB: text" on standard error, or with --json one line {verb, code, text, exit, findings?}. They
 * return the exit code, which verb_failed finds by the error. findings may be NULL. */
int verb_failed(const struct arguments *, const struct error *);
int verb_failed_with(const struct arguments *, const struct error *, const struct findings *, int exit);
int verb_refused(const struct arguments *, int exit, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int verb_usage(const struct arguments *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Usage: there is no such `what`, with the nearest of the names that there are. more: where to see them. */
int verb_unknown(const struct arguments *, const char *what, const char *word, const char *const *names, size_t n,
		 const char *more);
/* --NAME as a whole number from 1; fallback when it is not given. Not 0: usage was said. */
int verb_count(const struct arguments *, const char *name, int64_t fallback, int64_t *);

void verb_print_findings(const struct findings *, FILE *);
void verb_print_json(const json_t *); /* pretty, to standard output */
void verb_print_line_take(json_t *);  /* one item of several: one line, at once */

extern const struct verb *const verbs[]; /* ends with NULL */

#endif
