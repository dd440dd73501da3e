/* What verbs that talk to a site share: reaching it, asking, printing. */
#ifndef FERRULE_CLI_SITE_H
#define FERRULE_CLI_SITE_H

#include <time.h>

#include "cli/verb.h"
#include "services/session.h"

#define SITE_OPTIONS                                                                                                   \
	{"site", "DIR", "the site's directory (the current one)", NULL},                                               \
		{"env", "NAME", "take the values of environments/NAME.yaml", NULL},                                    \
		{"json", NULL, "the answer as JSON: ferrule help json", NULL}

/* Opens the site named by --site (or `directory` when that is not NULL). NULL: everything was said; *code is what to
 * exit with. */
struct session *site_reach(const struct arguments *, const char *directory, bool *running, int *code);
/* Asks; takes the request. NULL: it was said on standard error. */
json_t *site_ask(const struct arguments *, struct session *, const char *question, json_t *request, int *code);
/* One change in a unit of its own; takes the request. */
int site_change(const struct arguments *, struct session *, const char *change, json_t *request);
/* A record of the audit trail, of what is done to files beside the store: written first, since nothing joins the two.
 * Takes the facts; reaches the site by itself. */
int site_note(const struct arguments *, const char *what, json_t *facts);
/* Commits and waits; frees the unit in any case. */
int site_commit(struct session *, struct unit *, struct error *);
/* One of several waits for the queue process, since_ms on the monotonic clock. After a second without an answer, a
 * signal that was held back ends the program. */
int site_wait(struct session *, int64_t since_ms, struct error *);
/* A flow of the site. NULL: usage was said, with the nearest name. */
const struct flow *site_flow_named(const struct arguments *, struct session *, const char *name);
/* Who did it, for histories. */
const char *site_person(void);

/* --NAME as a time: RFC 3339, or so long ago ("2h"); fallback when it is not given. Not 0: usage was said. */
int site_time(const struct arguments *, const char *name, int64_t fallback, int64_t *ms);
/* --rate 10/s as the pause between two; none when it is not given. */
int site_rate(const struct arguments *, struct timespec *pause);

/* Work on many, one after the other: Ctrl-C and SIGTERM wait until one is whole. */
void site_hold_signals(void);
/* Sleeps; true when it is time to end. */
bool site_interrupted(const struct timespec *pause);

/* Texts of an answer, in place, as a terminal may show them: partners choose names of files, and one with control
 * characters would write over what stands there. Not where the answer is for programs. */
void site_tidy(const struct arguments *, json_t *answer);
void site_tidy_text(char *); /* one of them */
const char *json_text(const json_t *object, const char *key); /* "" when it is not there */
int64_t json_number(const json_t *object, const char *key);   /* 0 when it is not there */
/* Parts of a line, written into a text of SHOWN bytes, which they return. SHOWN_HERE is one that lasts as long as the
 * block that it stands in. */
#define SHOWN 512
#define SHOWN_HERE ((char[SHOWN]){0})
const char *show_age(char *text, int64_t ms);                   /* "5m 3s ago" */
const char *show_time(char *text, int64_t ms);                  /* "2026-01-31 12:00:00" */
const char *show_id(char *text, const char *hex);               /* its first 12 digits */
const char *show_keys(char *text, const json_t *keys);          /* "PO-4711, PO-4712 … 3 more" */
const char *show_count(char *text, int64_t n, const char *one); /* "1 dead letter", "3 dead letters" */
/* What a command needs at its end to be about the same site: "", or " --site DIR --env NAME". */
const char *show_site(char *text, const struct arguments *);

/* A table for people: columns as wide as what is in them. */
struct table;
struct table *table_new(const char *const *titles); /* ends with NULL; ">title" is set to the right */
void table_add(struct table *, const char *text);   /* the next cell, from left to right; copied */
void table_number(struct table *, int64_t);
void table_print_take(struct table *, const char *indent);

#endif
