/* What ferrule says of itself: on the terminal, as Markdown for the reference, as man pages. All of it comes from the
 * tables of verbs and options. */
#ifndef FERRULE_CLI_HELP_H
#define FERRULE_CLI_HELP_H

#include "base/buf.h"
#include "cli/verb.h"

const struct verb *verb_find(const char *name); /* by name or alias; NULL */
void help_overview(FILE *);
void help_verb(const struct verb *);
int help_unknown(const char *word); /* there is no such verb; an exit code */
int help(int argc, char **argv);    /* the words as main has them: ferrule help … */

/* The names of what can be printed, NULL-terminated; print: 0, or -1 when there is no such. */
extern const char *const reference_names[], *const manual_names[];
int reference_print(const char *name, struct buf *); /* Markdown: docs/reference/NAME.md */
/* A man page: ferrule, ferrule-site, or a verb. */
int manual_print(const char *name, struct buf *);

/* A help line as the beginning of a sentence: a capital, unless a name or a file stands there. */
char help_first(const char *text);
/* A verb's text, paragraph by paragraph: examples are lines that begin with two spaces (without those here). */
void help_paragraphs(const char *text, void (*each)(void *arg, bool example, struct span), void *arg);

#endif
