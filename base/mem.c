/* Allocation and arenas. See mem.h. */
#include "config.h"
#include "base/mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE 4096

static void out_of_memory(size_t size)
{
	fprintf(stderr, "ferrule: out of memory (%zu bytes)\n", size);
	abort();
}

void *mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *mem_resize(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

char *mem_strdup(const char *text)
{
	return text ? mem_span_dup(span_of(text)) : NULL;
}

char *mem_span_dup(struct span span)
{
	char *copy = mem_resize(NULL, span.len + 1); /* lines of megabytes are not cleared first */

	if (span.len)
		memcpy(copy, span.data, span.len);
	copy[span.len] = '\0';
	return copy;
}

char *mem_printf(const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = mem_alloc((size_t)n + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

void *mem_grow(void *array, size_t *capacity, size_t need, size_t element)
{
	size_t n = *capacity ? *capacity : 8;

	if (need <= *capacity)
		return array;
	while (n < need)
		n *= 2;
	*capacity = n;
	return mem_resize(array, n * element);
}

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

struct arena {
	struct block *blocks; /* the newest first */
	size_t held;
};

static struct block *block_add(struct arena *arena, size_t size)
{
	struct block *block = mem_alloc(sizeof *block + size);

	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->held += size;
	return block;
}

struct arena *arena_new(void)
{
	return mem_alloc(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	for (struct block *b = arena->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(arena);
}

void arena_reset(struct arena *arena)
{
	struct block *keep = NULL;

	for (struct block *b = arena->blocks, *next; b; b = next) {
		next = b->next;
		if (!next && b->size == BLOCK_SIZE)
			keep = b;
		else
			free(b);
	}
	arena->blocks = keep;
	arena->held = keep ? keep->size : 0;
	if (keep) {
		memset(keep->data, 0, keep->used);
		keep->used = 0;
	}
}

struct arena_mark arena_mark(const struct arena *arena)
{
	return (struct arena_mark){arena->blocks, arena->blocks ? arena->blocks->used : 0};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
	struct block *block;

	while (arena->blocks && arena->blocks != mark.block) {
		block = arena->blocks;
		arena->blocks = block->next;
		arena->held -= block->size;
		free(block);
	}
	block = arena->blocks;
	if (!block || block->used <= mark.used)
		return;
	memset(block->data + mark.used, 0, block->used - mark.used);
	block->used = mark.used;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct block *block = arena->blocks;
	size_t room = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	void *p;

	if (!block || block->size - block->used < room) {
		/* large pieces get a block of their own */
		bool own = room > BLOCK_SIZE || (block && room > BLOCK_SIZE / 2);

		block = block_add(arena, own ? room : BLOCK_SIZE);
	}
	p = block->data + block->used;
	block->used += room;
	return p;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text ? (char *)arena_span(arena, span_of(text)).data : NULL;
}

struct span arena_span(struct arena *arena, struct span span)
{
	char *copy = arena_alloc(arena, span.len + 1);

	if (span.len)
		memcpy(copy, span.data, span.len);
	return span_make(copy, span.len);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = arena_alloc(arena, (size_t)n + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

size_t arena_size(const struct arena *arena)
{
	return arena->held;
}
