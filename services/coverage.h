/* Which parts of a site's mappings and expressions never ran while its tests did. Parts are those of
 * base/expression_marks.h: functions, branches, alternatives, fields, loops, what passes a select. A part counts as run
 * when it was reached once (a field and the left side of `//`: when it had a value once); that its result was looked at
 * is another matter. */
#ifndef FERRULE_SERVICES_COVERAGE_H
#define FERRULE_SERVICES_COVERAGE_H

#include "config/site.h"

struct coverage;

struct coverage *coverage_new(void);
void coverage_free(struct coverage *); /* after the sites that it watches; NULL is legal */
/* Watches every mapping and expression of the site from now on; before its first run. What stands at the same place in
 * several sites counts as one. Gives expressions more time than the site would. */
void coverage_watch(struct coverage *, struct site *);
/* {percent, parts, ran, files: [{file, parts, ran, percent, measured, missing: [{line, column, kind, text}]}]}: outer
 * parts only, since nothing within them can have run. A new reference. */
json_t *coverage_json_new(struct coverage *);
void coverage_tell(struct coverage *, struct buf *);

#endif
