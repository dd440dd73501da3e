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
/* The same; ignore_case: letters are alike; lines: ^ and $ also match at every line. */
struct pattern *pattern_new_flags(struct span text, bool ignore_case, bool lines, struct error *);
void pattern_free(struct pattern *); /* NULL is legal */
/* 1: somewhere in the text it matches; 0: nowhere; -1: the text is too long or the match too much work. *work grows by
 * about what it took, in steps of a walk over the document; it may be NULL. */
int pattern_match(const struct pattern *, struct span text, size_t *work);
/* The first match behind `from` bytes, as pattern_match; the places of the whole and of the groups 1 to 9 in pairs,
 * from and to, PATTERN_NOWHERE where a group took no part. */
#define PATTERN_PLACES 20
#define PATTERN_NOWHERE ((size_t)-1)
int pattern_find(const struct pattern *, struct span text, size_t from, size_t places[PATTERN_PLACES], size_t *work);
const char *pattern_text(const struct pattern *); /* as it was written */

#endif
