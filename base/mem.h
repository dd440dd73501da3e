/* Memory: allocation that aborts on failure (for small things; what a peer can size is limited before it gets
 * here), and arenas, which free everything that was parsed from a message together with it. */
#ifndef FERRULE_BASE_MEM_H
#define FERRULE_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

#include "base/span.h"

void *mem_alloc(size_t size); /* zeroed; never NULL */
void *mem_resize(void *old, size_t size);
char *mem_strdup(const char *text); /* NULL stays NULL */
char *mem_span_dup(struct span span); /* NUL-terminated */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Grows an array so that it holds at least `need` elements; doubles. */
void *mem_grow(void *array, size_t *capacity, size_t need, size_t element);

struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *);
void arena_reset(struct arena *); /* forgets everything, keeps the first block */
void *arena_alloc(struct arena *, size_t size); /* zeroed, aligned for any type */
char *arena_strdup(struct arena *, const char *text); /* NULL stays NULL */
struct span arena_span(struct arena *, struct span); /* a copy, followed by a NUL that is not counted */
char *arena_printf(struct arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What was allocated since a mark is forgotten. */
struct arena_mark {
	const void *block;
	size_t used;
};
struct arena_mark arena_mark(const struct arena *);
void arena_rewind(struct arena *, struct arena_mark);
size_t arena_size(const struct arena *); /* bytes held */

#endif
