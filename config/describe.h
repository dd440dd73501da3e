/* What may stand in the files of a site, told for people: every option table with where it stands, and its rows with
 * those of the tables within it. The reference and the manual page are made of this. */
#ifndef FERRULE_CONFIG_DESCRIBE_H
#define FERRULE_CONFIG_DESCRIBE_H

#include "base/buf.h"
#include "config/registry.h"

struct described {
	/* site, queue, store, listen, flow, from, to, endpoint, step, system, snippet, test, environment */
	const char *area;
	const char *name; /* of several in an area: "file", "decode"; "" where there is one */
	const char *help; /* a sentence without a full stop, or NULL */
	const struct option *options;
};
/* Area by area, in the order in which somebody who learns it would read. */
void describe_each(const struct registry *, void (*each)(void *arg, const struct described *), void *arg);

struct described_option {
	const char *path; /* "retention.queue"; borrowed for the call */
	const struct option *option;
	const char *words; /* "x12, edifact": the words of another option that bring this one; NULL: always there */
};
void describe_options(const struct option *, void (*each)(void *arg, const struct described_option *), void *arg);
/* What its value looks like: "duration, 1s..1h", "refuse, replace or number". */
void describe_form(const struct option *, struct buf *);

#endif
