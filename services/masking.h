/* Masking of personal data in a document: values that contracts mark (`x-ferrule-personal: true`) are replaced by
 * stand-ins of the same shape, wherever they stand in the bytes: letters by letters of the same case, digits by digits,
 * everything else stays, so that lengths and delimiters do. The same value has the same stand-in throughout; which, is
 * chance each time, so that it cannot be computed back.
 *
 * A value is found whatever its case and punctuation ("+1 503-555" and "1503555"), as UTF-8, as ISO 8859-1, as JSON's
 * \u escapes, as XML's &#233; and as %C3%A9 of addresses. One that stands nowhere as a whole is looked for word by
 * word. Left as they are: true, false, values of one or two letters or digits, and letters of alphabets that have no
 * stand-ins (masking_units.c). What it costs grows with the document and the values, not with their product. */
#ifndef FERRULE_SERVICES_MASKING_H
#define FERRULE_SERVICES_MASKING_H

#include <jansson.h>

#include "base/buf.h"

struct masking;

struct masking *masking_new(void);
void masking_free(struct masking *); /* NULL is legal */
/* Takes every text and number below a property of the instance that the schema marks, and names of properties where
 * `propertyNames` is marked. find: a schema that a $ref names, or NULL. -1: the schema leads on without end, or the
 * instance is too deep; not all was taken. */
int masking_collect(struct masking *, const json_t *schema, const json_t *instance,
		    const json_t *(*find)(void *arg, const char *reference), void *arg);
void masking_add(struct masking *, struct span value);
size_t masking_count(const struct masking *); /* of different values */
/* Call once, when all are known: what does not stand in the document as a whole is looked for by its words from now on.
 */
void masking_prepare(struct masking *, struct span document);
/* Appends the bytes, masked; the number of places that were changed. */
size_t masking_apply(struct masking *, struct span bytes, struct buf *out);

#endif
