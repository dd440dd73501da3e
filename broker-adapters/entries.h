/* What a source of files found in a folder, here or on another machine: each file as the last listing saw it. Shared by
 * file and sftp. */
#ifndef FERRULE_ADAPTERS_ENTRIES_H
#define FERRULE_ADAPTERS_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* One version of a file: the same stamp means that nothing was written meanwhile. */
struct stamp {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
};

/* A file in the folder, as the last listing saw it. */
struct entry {
	struct stamp stamp;
	mode_t type;
	int64_t since; /* by the monotonic clock: unchanged at least since then */
	bool reported; /* that it cannot be taken */
	char name[];
};

struct entries {
	struct entry **list;
	size_t count, capacity, next;
};

struct stamp stamp_of(const struct stat *);
bool stamp_same(const struct stamp *, const struct stamp *);

typedef int entry_order(const void *, const void *); /* qsort's, of struct entry * */
entry_order entry_by_name, entry_by_time;

struct entry *entry_new(const char *name, const struct stat *);
void entries_sort(struct entries *, entry_order *);
void entries_cut(struct entries *, entry_order *); /* sorts; the first of them stay */
void entries_add(struct entries *, struct entry *, entry_order *);
void entries_free(struct entries *); /* those that were not handed out */
struct entry *entries_find(const struct entries *by_name, const struct entry *like); /* NULL: not there */

static inline int64_t entry_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
