/* What the two ends of the file adapter share: opening directories, renaming without overwriting, and what an errno
 * means. Private to the files of this folder.
 *
 * All calls block on the file system: a dead network mount hangs the process that polls or delivers there, which is why
 * each file endpoint has a process of its own. A FIFO, socket or device in place of a file or a folder never hangs
 * it. */
#ifndef FERRULE_ADAPTERS_FILE_H
#define FERRULE_ADAPTERS_FILE_H

#include <sys/stat.h>

#include "base/error.h"
#include "base/reader.h"
#include "base/span.h"
#include "broker-adapters/names.h"

/* Fills the error from errno: RETRY of the whole endpoint with a stable code (file.full, file.permission,
 * file.read-only, file.directory, file.io). Returns -1. */
int file_fail(struct error *, const char *doing, const char *path);

/* Opens a directory, relative to `base` (a descriptor, or AT_FDCWD). With create, missing ones are made with that mode,
 * each durable in its parent. With nofollow no part of the path may be a symbolic link. -1 with errno. */
int file_directory(int base, const char *path, bool create, mode_t mode, bool nofollow);
/* Root and path as one; an absolute path stays as it is. The caller frees. */
char *file_path(const char *root, const char *path);

/* Renames without ever overwriting: errno EEXIST when the target is there, EOPNOTSUPP when the file system can do
 * neither a rename of this kind nor hard links. */
int file_rename_new(int from, const char *name, int to, const char *target);
/* renameat2(RENAME_NOREPLACE) and nothing else; errno EOPNOTSUPP where that does not exist. */
int file_rename_exclusive(int from, const char *name, int to, const char *target);

/* All of a body, from its beginning; tells its progress (base/progress.h). The folder is for the error. */
int file_write_body(int fd, struct reader *, const char *folder, struct error *);

static inline int64_t file_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
