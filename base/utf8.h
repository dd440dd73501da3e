/* UTF-8 (RFC 3629): what arrives from outside is only said to be text. Where a library insists (JSON, PostgreSQL), it
 * is cleaned first. */
#ifndef FERRULE_BASE_UTF8_H
#define FERRULE_BASE_UTF8_H

#include "base/buf.h"

/* Bytes of the character at the front; 0 when there is no valid one, or a zero character. */
size_t utf8_character(struct span);
bool utf8_is_clean(struct span);            /* valid UTF-8 without a zero character */
size_t utf8_cut(struct span, size_t max);   /* bytes of its beginning, at most max, without half a character */
void utf8_clean(struct buf *, struct span); /* appends it with U+FFFD in place of each byte that is not */

#endif
