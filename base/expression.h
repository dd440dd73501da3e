/* jq expressions over JSON; the fence around libjq. Compiled once, when first run: libjq takes tens of milliseconds for
 * that. Plain paths (`.a.b[0]`) never reach libjq at all.
 *
 * Every expression sees the body as `.` and the envelope as `$envelope` (id, source, type, subject, time, flow, name,
 * keys, attempt; plus what a decoder says of the document it cut the body from: interchange, group, transaction).
 * No environment ($ENV, env), no files, no modules, no input: they fail to compile. `now` is the time of the message.
 * A run has a limit of time and of memory; past it the result is REJECT `jq.time` or `jq.memory`. */
#ifndef FERRULE_BASE_EXPRESSION_H
#define FERRULE_BASE_EXPRESSION_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/finding.h"
#include "base/option.h"

struct expression;

struct expression_limits {
	int64_t time_ms;  /* of CPU; 0: the default, 2 s */
	size_t memory;    /* growth of this process; 0: the default, 256 MiB */
};

/* Keeps a copy of the text in the arena; nothing is compiled. The compiled program lives until expression_drop. */
struct expression *expression_new(struct arena *, struct span text, struct place);
/* The same for a part of a value: its first byte is the value's byte `offset`, the value stands at the place. */
struct expression *expression_new_within(struct arena *, struct span text, struct place, size_t offset);
void expression_drop(struct expression *); /* what was compiled; NULL is legal */
struct span expression_source(const struct expression *);
struct place expression_place(const struct expression *);
size_t expression_offset(const struct expression *);
/* Compiles. What libjq says goes to findings, with line and column in the file where the expression
 * stands (finding_add_within). */
int expression_check(struct expression *, struct findings *);

struct expression_input {
	json_t *body;     /* borrowed */
	json_t *envelope; /* borrowed; NULL: an empty object */
	struct expression_limits limits;
};

/* The first result, a new reference; *result is NULL when there is none (`empty`). A jq error is REJECT `jq.error`
 * with the message and the place. */
int expression_run(struct expression *, const struct expression_input *, json_t **result, struct error *);
/* Every result in turn; the callback borrows it, and stops the run by returning non-zero (then -1). */
int expression_each(struct expression *, const struct expression_input *, int (*each)(void *, json_t *), void *arg,
		    struct error *);
/* The first result as text: a string as it is, null and none as nothing, anything else as JSON. */
int expression_text(struct expression *, const struct expression_input *, struct buf *, struct error *);
/* The first result as a condition: false, null and none are false. */
int expression_true(struct expression *, const struct expression_input *, bool *, struct error *);

/* ---- watching: which parts of a program ran, and where it stood when it failed. For tests and for `map` by hand: it
 * makes a program several times slower. Results, paths and errors stay the same. */
struct marks;
/* From now on every mark (expression_marks.h) that is passed is counted in `hits`, one for each, or NULL; both are
 * borrowed until expression_drop. keep: remember the last one, with what `.` was there. Compiles at once; -1: the
 * program with its marks does not compile, and it runs unwatched. Before the first run. */
int expression_watch(struct expression *, const struct marks *, uint64_t *hits, bool keep);
/* The last mark that was passed, and a new reference to `.` there (NULL: it is no JSON). False: none was. */
bool expression_last(const struct expression *, size_t *mark, json_t **value);

/* Text with $(.jq) in it; `$$(` stands for a literal `$(`. */
struct template;
struct template *template_new(struct arena *, struct span text, struct place,
			      struct findings *);                   /* NULL: a finding says why */
bool template_constant(const struct template *, struct span *text); /* true when nothing is evaluated */
struct span template_source(const struct template *);
void template_each(const struct template *, void (*each)(void *arg, struct expression *), void *arg);
int template_check(struct template *, struct findings *);
void template_drop(struct template *); /* what was compiled of its expressions; NULL is legal */
/* `escape` treats each value on its way in (not the fixed text); NULL: as it is. It may refuse by returning -1. */
typedef int template_escape_fn(struct buf *, struct span value, struct error *);
int template_render(struct template *, const struct expression_input *, template_escape_fn *, struct buf *,
		    struct error *);

#endif
