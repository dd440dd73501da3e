/* The vault: taking away. See vault.h.
 *
 * A round moves what is old and not pinned to trash/<time of the round>/, and removes rounds that are older than a day.
 * Others may put the same document meanwhile: what proves fresh or pinned once it is in the trash goes back, in this
 * round or, after a crash, in the next. */
#include "config.h"
#include "base/vault.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/vault_private.h"

#define TMP_MS (24 * 3600 * 1000LL)

struct round {
	struct vault *vault;
	int64_t now, older_than;
	vault_pinned_fn *pinned;
	void *arg;
	struct vault_collected *counts;
	bool expired; /* of the trash directory that is looked through */
};

typedef void entry_fn(struct round *, const char *path, const struct stat *);

static bool listed(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strlen(entry->d_name) < VAULT_NAME_MAX;
}

static DIR *open_folder(struct vault *vault, const char *path)
{
	int fd = openat(vault->directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder && fd >= 0)
		close(fd);
	return folder;
}

/* Each regular file in a folder. Errors of single files are no reason to stop: the next round sees them again. */
static void each_file(struct round *round, const char *path, entry_fn *call)
{
	DIR *folder = open_folder(round->vault, path);

	if (!folder)
		return;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		char name[VAULT_PATH_MAX * 2];
		struct stat status;

		if (!listed(entry))
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		if (fstatat(round->vault->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(status.st_mode))
			call(round, name, &status);
	}
	closedir(folder);
}

/* … in each folder of a folder: packs/<day>/, files/<aa>/. Folders that are empty afterwards go. */
static void each_folder(struct round *round, const char *path, entry_fn *call)
{
	DIR *folder = open_folder(round->vault, path);

	if (!folder)
		return;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		char name[VAULT_PATH_MAX * 2];

		if (!listed(entry))
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		each_file(round, name, call);
		if (strncmp(path, "files", 5))
			unlinkat(round->vault->directory, name, AT_REMOVEDIR);
	}
	closedir(folder);
}

static int64_t changed_ms(const struct stat *status)
{
	return (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000;
}

/* "packs/<day>/<name>.pack" is pinned as "p:<day>/<name>", "files/<aa>/<sha>" as "f:<sha>". */
static bool is_pinned(const struct round *round, const char *path)
{
	const char *tail = !strncmp(path, "packs/", 6) ? path + 6 : strrchr(path, '/') + 1;
	size_t len = strlen(tail);
	char name[VAULT_NAME_MAX + 20];

	if (len > 5 && !strcmp(tail + len - 5, ".pack"))
		snprintf(name, sizeof name, "p:%.*s", (int)(len - 5), tail);
	else
		snprintf(name, sizeof name, "f:%s", tail);
	return round->pinned && round->pinned(round->arg, name);
}

/* A writer holds a shared lock on the pack that it appends to. */
static bool is_in_use(struct vault *vault, const char *path)
{
	size_t len = strlen(path);
	bool busy;
	int fd;

	if (len < 5 || strcmp(path + len - 5, ".pack"))
		return false;
	fd = openat(vault->directory, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	busy = fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK);
	if (fd >= 0)
		close(fd);
	return busy;
}

static void collect_one(struct round *round, const char *path, const struct stat *status)
{
	char to[VAULT_PATH_MAX];
	struct stat now;

	if (changed_ms(status) >= round->older_than || is_pinned(round, path) || is_in_use(round->vault, path))
		return;
	snprintf(to, sizeof to, "trash/%lld/%.200s", (long long)round->now, path);
	if (vault_move(round->vault, path, to))
		return;
	FAULT("vault.trashed");
	if (fstatat(round->vault->directory, to, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    changed_ms(&now) >= round->older_than)
		vault_move(round->vault, to, path); /* it was put again in between */
	else
		round->counts->moved++;
}

/* path is "trash/<time>/packs/…" or "trash/<time>/files/…". */
static void look_again(struct round *round, const char *path, const struct stat *status)
{
	const char *home = strchr(path + strlen("trash/"), '/') + 1;

	if (changed_ms(status) >= round->older_than || is_pinned(round, home)) {
		vault_move(round->vault, path, home);
		return;
	}
	if (!round->expired || unlinkat(round->vault->directory, path, 0))
		return;
	round->counts->removed++;
	round->counts->bytes += (uint64_t)status->st_size;
}

static void look_through_round(struct round *round, const char *name)
{
	/* folders that are empty by now go, the inner ones first */
	static const char *const kinds[] = {"/packs", "/files", ""};
	char path[VAULT_PATH_MAX];

	round->expired = strtoll(name, NULL, 10) + VAULT_TRASH_MS <= round->now;
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "trash/%.100s%s", name, kinds[i]);
		if (*kinds[i])
			each_folder(round, path, look_again);
		unlinkat(round->vault->directory, path, AT_REMOVEDIR);
	}
}

static void look_through_trash(struct round *round)
{
	DIR *trash = open_folder(round->vault, "trash");

	if (!trash)
		return;
	for (struct dirent *entry = readdir(trash); entry; entry = readdir(trash))
		if (listed(entry) && isdigit((unsigned char)entry->d_name[0]))
			look_through_round(round, entry->d_name);
	closedir(trash);
}

static void remove_tmp(struct round *round, const char *path, const struct stat *status)
{
	if (changed_ms(status) + TMP_MS < round->now && unlinkat(round->vault->directory, path, 0) == 0)
		round->counts->bytes += (uint64_t)status->st_size;
}

int vault_collect(struct vault *vault, int64_t older_than_ms, vault_pinned_fn *pinned, void *arg,
		  struct vault_collected *counts, struct error *error)
{
	struct round round = {.vault = vault, .now = clock_now_ms(), .older_than = older_than_ms, .pinned = pinned,
			      .arg = arg, .counts = counts};
	DIR *packs = open_folder(vault, "packs");

	memset(counts, 0, sizeof *counts);
	if (!packs)
		return vault_error(error, "disk.read", "looking through the packs");
	closedir(packs);
	look_through_trash(&round);
	each_folder(&round, "packs", collect_one);
	each_folder(&round, "files", collect_one);
	each_file(&round, "tmp", remove_tmp);
	return 0;
}
