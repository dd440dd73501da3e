/* Masking of personal data in a document: values that contracts mark (`x-ferrule-personal: true`) are replaced by
 * stand-ins of the same shape, wherever they stand in the bytes: letters by letters of the same case, digits by digits,
 * everything else stays, so that lengths and delimiters do. The same value has the same stand-in throughout; which, is
 * chance each time, so that it cannot be computed back.
 *
 * A value is found whatever its case and punctuation ("+1 503-555" and "1503555"), as UTF-8, as ISO 8859-1 and as
 * JSON's \u escapes. One that stands nowhere as a whole is looked for word by word. Left as they are: values of one or
 * two characters, and characters for which there is no stand-in of the same length (beyond U+00FF). */
#ifndef FERRULE_SERVICES_MASKING_H
#define FERRULE_SERVICES_MASKING_H

#include <jansson.h>

#include "base/buf.h"

struct masking;

struct masking *masking_new(void);
void masking_free(struct masking *); /* NULL is legal */
/* Takes every text and number below a property of the instance that the schema marks. find: a schema that a $ref names,
 * or NULL. */
void masking_collect(struct masking *, const json_t *schema, const json_t *instance,
		     const json_t *(*find)(void *arg, const char *reference), void *arg);
void masking_add(struct masking *, struct span value);
size_t masking_count(const struct masking *); /* of different values */
/* Call once, when all are known: what does not stand in the document as a whole is looked for by its words from now on.
 */
void masking_prepare(struct masking *, struct span document);
/* Appends the bytes, masked; the number of places that were changed. */
size_t masking_apply(struct masking *, struct span bytes, struct buf *out);

#endif
