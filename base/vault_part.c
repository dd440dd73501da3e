/* The vault's parts: what takes long to come, and goes on where an earlier process ended. See vault.h. */
#include "config.h"
#include "base/vault_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/mem.h"

#define CHUNK (256u * 1024)

/* Not across a start of the machine: what was not synced may be anything then. */
static bool part_name(const struct id *key, char name[VAULT_NAME_MAX])
{
	char boot[64] = "", all[ID_TEXT + 64], hex[ID_TEXT];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	struct id id;
	bool known = fd >= 0 && read(fd, boot, sizeof boot - 1) > 0;

	if (fd >= 0)
		close(fd);
	id_hex(key, hex);
	snprintf(all, sizeof all, "%s%s", hex, boot);
	id = id_digest(span_of(all));
	id_hex(&id, hex);
	snprintf(name, VAULT_NAME_MAX, "part-%.32s", hex);
	return known;
}

/* Ours alone, and still a part: another process may have ended it meanwhile. */
static int open_part(struct vault *vault, const char *path, struct stat *st)
{
	int fd = openat(vault->directory, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat named;

	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, st) && !fstatat(vault->directory, path, &named, 0) &&
	    named.st_ino == st->st_ino)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Up to there by its digest; -1 when it cannot be read. */
static int digest_part(struct vault_incoming *in, int fd, uint64_t have)
{
	char *chunk = mem_alloc(CHUNK);
	uint64_t at = 0;

	in->digest = sha256_new();
	while (at < have) {
		ssize_t n = pread(fd, chunk, CHUNK, (off_t)at);

		if (n <= 0)
			break;
		sha256_add(in->digest, chunk, (size_t)n);
		at += (uint64_t)n;
	}
	free(chunk);
	return at == have ? 0 : -1;
}

int vault_put_part(struct vault *vault, const struct id *key, vault_resume_fn *resume, vault_read_fn *more, void *arg,
		   uint64_t limit, struct vault_entry *entry, struct error *error)
{
	struct vault_incoming in = {.read = more, .arg = arg, .limit = limit};
	struct vault_pending pending = {.size = 0};
	char name[VAULT_NAME_MAX], path[VAULT_PATH_MAX], own[VAULT_PATH_MAX];
	struct stat st = {0};
	bool known = part_name(key, name);
	int fd, state = 1, result;

	snprintf(path, sizeof path, "tmp/%s", name);
	fd = known && vault->pending_count < VAULT_PENDING_MAX ? open_part(vault, path, &st) : -1;
	if (fd < 0)
		return vault_put_stream(vault, more, arg, limit, entry, error);
	if (st.st_size)
		state = resume(arg, fd, (uint64_t)st.st_size, error);
	if (state == 0 && !digest_part(&in, fd, (uint64_t)st.st_size))
		pending.size = (uint64_t)st.st_size;
	result = state < 0 ? -1 : 0;
	if (!result && (ftruncate(fd, (off_t)pending.size) || lseek(fd, (off_t)pending.size, SEEK_SET) < 0))
		result = vault_error(error, "disk.write", "going on with a document");
	if (!result)
		result = vault_stream(vault, &in, fd, &pending, error);
	else
		sha256_free(in.digest);
	snprintf(pending.tmp, sizeof pending.tmp, "%s-%u", vault->writer, ++vault->tmps_made);
	snprintf(own, sizeof own, "tmp/%s", pending.tmp);
	if (!result && renameat(vault->directory, path, vault->directory, own))
		result = vault_error(error, "disk.write", "naming a document");
	if (result && error && error->class == ERROR_REJECT)
		unlinkat(vault->directory, path, 0);
	close(fd);
	return result ? -1 : vault_put_ended(vault, &pending, entry);
}
