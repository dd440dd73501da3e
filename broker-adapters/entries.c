/* What a source found in its folder: files in order, as many as one listing holds. See entries.h. */
#include "config.h"
#include "broker-adapters/entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define LISTED_MAX 100000 /* files of one listing; the first in order are kept, the others come with the next */

struct stamp stamp_of(const struct stat *st)
{
	return (struct stamp){st->st_dev, st->st_ino, (uint64_t)st->st_size, entry_ns(st->st_mtim),
			      entry_ns(st->st_ctim)};
}

bool stamp_same(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

struct entry *entry_new(const char *name, const struct stat *st)
{
	size_t len = strlen(name) + 1;
	struct entry *entry = mem_alloc(sizeof *entry + len);

	entry->stamp = stamp_of(st);
	entry->type = st->st_mode & S_IFMT;
	entry->since = clock_tick_ms();
	memcpy(entry->name, name, len);
	return entry;
}

int entry_by_name(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

int entry_by_time(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	if ((*x)->stamp.mtime_ns != (*y)->stamp.mtime_ns)
		return (*x)->stamp.mtime_ns < (*y)->stamp.mtime_ns ? -1 : 1;
	return entry_by_name(a, b);
}

void entries_sort(struct entries *entries, entry_order *order)
{
	if (entries->count)
		qsort(entries->list, entries->count, sizeof *entries->list, order);
}

void entries_cut(struct entries *entries, entry_order *order)
{
	entries_sort(entries, order);
	while (entries->count > LISTED_MAX)
		free(entries->list[--entries->count]);
}

void entries_add(struct entries *entries, struct entry *entry, entry_order *order)
{
	entries->list = mem_grow(entries->list, &entries->capacity, entries->count + 1, sizeof *entries->list);
	entries->list[entries->count++] = entry;
	if (entries->count >= 2 * LISTED_MAX)
		entries_cut(entries, order);
}

void entries_free(struct entries *entries)
{
	for (size_t i = entries->next; i < entries->count; i++)
		free(entries->list[i]);
	free(entries->list);
	*entries = (struct entries){0};
}

struct entry *entries_find(const struct entries *sorted, const struct entry *like)
{
	struct entry **found =
		sorted->count ? bsearch(&like, sorted->list, sorted->count, sizeof *sorted->list, entry_by_name) : NULL;

	return found ? *found : NULL;
}
