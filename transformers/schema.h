/* JSON Schema: the part of draft 2020-12 that contracts use most. To be replaced by a full validator behind these three
 * calls.
 *
 * type, enum, const, required, properties, additionalProperties, items, prefixItems, minItems, maxItems, minLength,
 * maxLength (in code points), pattern, minimum, maximum, exclusiveMinimum, exclusiveMaximum, allOf, anyOf, oneOf, not,
 * $ref within the document, format: date, date-time, email, uuid. Other keywords are ignored. Patterns are POSIX
 * extended regular expressions, with \d and (?: of ECMA 262 understood; they look at texts of up to 64 KiB. */
#ifndef FERRULE_TRANSFORMERS_SCHEMA_H
#define FERRULE_TRANSFORMERS_SCHEMA_H

#include <jansson.h>

#include "base/error.h"

struct schema;
/* Borrows the tree. NULL: REJECT `schema.invalid` (a $ref that leads nowhere, a pattern that does not compile). */
struct schema *schema_new(const json_t *root, struct error *);
void schema_free(struct schema *); /* NULL is legal */
/* REJECT `schema.fault` with up to ten faults, each a JSON pointer (RFC 6901) and what is wrong, as far as the text has
 * room. */
int schema_check(const struct schema *, const json_t *document, struct error *);

#endif
