/* JSON texts to trees and back, the same everywhere: limits and positions on the way in; on the way out doubles in the
 * fewest digits that read back as the same number. */
#ifndef FERRULE_BASE_TREE_H
#define FERRULE_BASE_TREE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

#define TREE_DEPTH_MAX 512
#define TREE_VALUES_MAX 2000000 /* a small value costs jansson some 100 bytes */

enum tree_flag {
	TREE_SORTED = 1, /* keys by their bytes: the canonical form that digests are taken of */
	TREE_PRETTY = 2, /* two spaces an indent */
};

/* Appends the text; -1 when the buffer is full. */
int tree_write(struct buf *, const json_t *, unsigned flags);
/* A new reference. UTF-8, with or without a byte order mark. REJECT `json.empty`, `json.encoding`, `json.syntax`,
 * `json.duplicate`, `json.depth`, `json.too-large`, each with line, column and byte. */
json_t *tree_parse_new(struct span text, struct error *);

#endif
