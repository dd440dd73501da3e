/* Regular expressions of ECMA 262 (with its flag u, and what is harmless without it); the fence around PCRE2. Character
 * classes are ASCII's, \s is ECMA's white space, `$` matches at the very end only, \p{Letter} goes by Unicode. What
 * ECMA 262 does not have (\A, \Z, (?i), possessive quantifiers …) is refused.
 *
 * Limits: a pattern of PATTERN_MAX bytes, texts of PATTERN_TEXT_MAX bytes, PATTERN_WORK_MAX steps of a match. */
#ifndef FERRULE_TRANSFORMERS_SCHEMA_PATTERN_H
#define FERRULE_TRANSFORMERS_SCHEMA_PATTERN_H

#include "base/error.h"
#include "base/span.h"

#define PATTERN_MAX 16384
#define PATTERN_TEXT_MAX (64u * 1024)
#define PATTERN_WORK_MAX 1000000

struct pattern;
/* NULL: REJECT `pattern.invalid`, with what is wrong and where. */
struct pattern *pattern_new(struct span text, struct error *);
void pattern_free(struct pattern *); /* NULL is legal */
/* 1: somewhere in the text it matches; 0: nowhere; -1: the text is too long or the match too much work. *work grows by
 * about what it took, in steps of a walk over the document; it may be NULL. */
int pattern_match(const struct pattern *, struct span text, size_t *work);
const char *pattern_text(const struct pattern *); /* as it was written */

#endif
