/* Identity of messages, documents and effects: SHA-256 over length-prefixed parts, so that the same work done
 * again gives the same ids and ("ab","c") never equals ("a","bc"). */
#ifndef FERRULE_BASE_ID_H
#define FERRULE_BASE_ID_H

#include "base/crypto.h"

#define ID_TEXT 65 /* hexadecimal digits and a NUL */

struct id {
	uint8_t bytes[SHA256_SIZE];
};

struct id id_of(const struct span *parts, size_t n);
struct id id_digest(struct span data); /* plain SHA-256 of the bytes */
bool id_equal(const struct id *a, const struct id *b);
bool id_is_none(const struct id *); /* all zero */
struct span id_span(const struct id *); /* the 32 bytes, borrowed */
int id_from_span(struct id *, struct span bytes); /* -1 unless 32 bytes */
void id_hex(const struct id *, char out[ID_TEXT]);
int id_parse(struct id *, struct span hex);
uint64_t id_hash(const struct id *); /* for hash tables */

#endif
