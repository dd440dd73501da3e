/* Two texts side by side for people: a unified difference by lines, in which what cannot be seen can be. */
#ifndef FERRULE_BASE_DIFFERENCE_H
#define FERRULE_BASE_DIFFERENCE_H

#include "base/buf.h"

/* Appends the bytes as lines that end with a newline each: control characters as their pictures (␍ ␉ ␀), spaces at the
 * end of a line as ·, bytes that are no UTF-8 as «ff»; a last line without a newline says so. */
void difference_visible(struct buf *, struct span bytes);
/* Appends lines of two texts, each ending with a newline: " same", "-only in the first", "+only in the second", three
 * lines around each change and "@@ …" between. Nothing when they are equal. Texts of many thousand changed lines are
 * compared coarsely: all of the first goes, all of the second comes. */
void difference_lines(struct buf *, struct span first, struct span second);

#endif
