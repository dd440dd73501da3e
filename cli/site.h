/* What verbs that talk to a site share: reaching it, asking, printing. */
#ifndef FERRULE_CLI_SITE_H
#define FERRULE_CLI_SITE_H

#include <time.h>

#include "cli/verb.h"
#include "services/session.h"

#define SITE_OPTIONS                                                                                                   \
	{"site", "DIR", "the site's directory (the current one)"},                                                     \
		{"env", "NAME", "take the values of environments/NAME.yaml"},                                          \
	{                                                                                                              \
		"json", NULL, "the answer as JSON"                                                                     \
	}

/* Opens the site named by --site (or `directory` when that is not NULL). NULL: everything was said; *code is what to
 * exit with. */
struct session *site_reach(const struct arguments *, const char *directory, bool *running, int *code);
/* Asks; takes the request. NULL: it was said on standard error. */
json_t *site_ask(const struct arguments *, struct session *, const char *question, json_t *request, int *code);
/* One change in a unit of its own; takes the request. */
int site_change(const struct arguments *, struct session *, const char *change, json_t *request);

/* --NAME as a time: RFC 3339, or so long ago ("2h"); fallback when it is not given. Not 0: usage was said. */
int site_time(const struct arguments *, const char *name, int64_t fallback, int64_t *ms);
/* --rate 10/s as the pause between two; none when it is not given. */
int site_rate(const struct arguments *, struct timespec *pause);

const char *json_text(const json_t *object, const char *key); /* "" when it is not there */
int64_t json_number(const json_t *object, const char *key);   /* 0 when it is not there */
/* Parts of a line, written into a text of SHOWN bytes, which they return. SHOWN_HERE is one that lasts as long as the
 * block that it stands in. */
#define SHOWN 512
#define SHOWN_HERE ((char[SHOWN]){0})
const char *show_age(char *text, int64_t ms);          /* "5m 3s ago" */
const char *show_time(char *text, int64_t ms);         /* "2026-01-31 12:00:00" */
/* " --site DIR --env NAME" as they were given, for commands that people are told to type next; quoted where a shell wants it. */
const char *show_site(char *text, const struct arguments *);
const char *show_id(char *text, const char *hex);      /* its first 12 digits */
const char *show_keys(char *text, const json_t *keys); /* "PO-4711, PO-4712 … 3 more" */

#endif
