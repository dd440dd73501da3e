/* What the two ends of the file adapter share. See file.h. */
#include "config.h"
#include "broker-adapters/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"

int file_fail(struct error *error, const char *doing, const char *path)
{
	int saved = errno;
	const char *code = "file.io", *advice = "look at the disk or the mount";

	switch (saved) {
	case ENOSPC:
	case EDQUOT:
		code = "file.full";
		advice = "make room there; it goes on by itself";
		break;
	case EACCES:
	case EPERM:
		code = "file.permission";
		advice = "give the user that runs ferrule the right to do so";
		break;
	case EROFS:
		code = "file.read-only";
		advice = "mount it for writing";
		break;
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
		code = "file.directory";
		advice = "create the directory or mount what belongs there";
		break;
	default:
		break;
	}
	error_set(error, ERROR_RETRY, code, "%s %s: %s; %s", doing, path, strerror(saved), advice);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* One step down a path, made if it is missing; its name is durable in `base` before anything is put inside. */
static int step_into(int base, const char *name, mode_t mode, int flags)
{
	int fd = openat(base, name, flags);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdirat(base, name, mode) && errno != EEXIST)
		return -1;
	FAULT("file.mkdir");
	if (fsync(base))
		return -1;
	return openat(base, name, flags);
}

int file_directory(int base, const char *path, bool create, mode_t mode, bool nofollow)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (nofollow ? O_NOFOLLOW : 0), fd, saved;
	char *copy, *rest, *name;

	if (!create && !nofollow)
		return openat(base, path, flags);
	fd = openat(path[0] == '/' ? AT_FDCWD : base, path[0] == '/' ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	copy = mem_strdup(path);
	for (name = strtok_r(copy, "/", &rest); name && fd >= 0; name = strtok_r(NULL, "/", &rest)) {
		int next = create ? step_into(fd, name, mode, flags) : openat(fd, name, flags);

		saved = errno;
		close(fd);
		errno = saved;
		fd = next;
	}
	saved = errno;
	free(copy);
	errno = saved;
	return fd;
}

char *file_path(const char *root, const char *path)
{
	return path[0] == '/' ? mem_strdup(path) : mem_printf("%s/%s", root, path);
}

int file_rename_exclusive(int from, const char *name, int to, const char *target)
{
	if (FAULT_FAILS("file.no-exclusive-rename")) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (!renameat2(from, name, to, target, RENAME_NOREPLACE))
		return 0;
	if (errno == EINVAL || errno == ENOSYS)
		errno = EOPNOTSUPP;
	return -1;
}

int file_rename_new(int from, const char *name, int to, const char *target)
{
	if (!file_rename_exclusive(from, name, to, target))
		return 0;
	if (errno != EOPNOTSUPP)
		return -1;
	if (linkat(from, name, to, target, 0)) {
		if (errno == EPERM || errno == EMLINK)
			errno = EOPNOTSUPP;
		return -1;
	}
	FAULT("file.linked");
	return unlinkat(from, name, 0);
}
