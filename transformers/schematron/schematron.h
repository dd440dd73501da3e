/* Rules in Schematron (ISO/IEC 19757-3), judged here: with XPath 2.0 (queryBinding xslt2 and kin), as they are written
 * (.sch, with what they include), or as stylesheets that the usual compilers made of them (XSLT 2.0), of which the
 * rules are read out again. What is supported: docs/formats.md. */
#ifndef FERRULE_TRANSFORMERS_SCHEMATRON_H
#define FERRULE_TRANSFORMERS_SCHEMATRON_H

#include "base/transformer.h"
#include "transformers/xpath/xpath_tree.h"

#define SCHEMATRON_URI "http://purl.oclc.org/dsdl/schematron"
#define SCHEMATRON_FILES_MAX 200
#define SCHEMATRON_INCLUDED_MAX 20  /* files that include one another */
#define SCHEMATRON_PARTS_MAX 200000 /* rules, assertions and variables, abstract ones each time they are used */

struct schematron;

/* Are these rules that are judged here, or else a stylesheet for libxslt? */
bool schematron_is_ours(const struct xpath_tree *);
/* A file of mappings/, read already (the tree is taken). phase: or NULL. NULL: REJECT `schematron.rules`, with the
 * first fault; findings (or NULL) get all of them, each with its file and line. */
struct schematron *schematron_new(const char *name, struct xpath_tree *, const char *phase,
				  const struct transformer_context *, struct findings *, struct error *);
void schematron_free(struct schematron *); /* NULL is legal */

struct schematron_run;
/* An assertion that failed, or a report that is true. */
struct schematron_finding {
	struct span id, flag, role;
	const struct error *failed; /* it could not be judged, for this reason; or NULL */
	bool skipped;               /* it was not judged at some node: its rule's context has no value there */
	unsigned line;
	struct schematron_run *run;
	const void *assertion;
	uint32_t node;
};
typedef void schematron_fn(void *arg, struct schematron_finding *);
/* Calls for each. now_ms: what current-date() gives. -1: REJECT `schematron.work`. */
int schematron_judge(const struct schematron *, struct xpath_tree *, int64_t now_ms, schematron_fn *, void *arg,
		     struct error *);
/* What it says, and where: only for those that are told, while they are. */
void schematron_text(struct schematron_finding *, struct buf *);
void schematron_place(struct schematron_finding *, struct buf *);

struct schematron_counts {
	size_t patterns, rules, assertions, functions, files;
};
struct schematron_counts schematron_counts(const struct schematron *);

#endif
