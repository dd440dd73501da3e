/* Backup of a site. See backup.h; restoring is in backup_restore.c. */
#include "config.h"
#include "services/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "operations/store.h"
#include "services/backup_private.h"

/* ---- the previous backup */
static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct backup_sum *)a)->path, ((const struct backup_sum *)b)->path);
}

static const struct backup_sum *shared(const struct backup *backup, const char *path)
{
	struct backup_sum like = {.path = (char *)(uintptr_t)path};

	/* What grows or changes is never shared: only the vault's content lies under a name of its own. */
	if (!backup->previous || strncmp(path, "vault/", 6) != 0)
		return NULL;
	return bsearch(&like, backup->sums, backup->sums_count, sizeof like, by_path);
}

/* True: the file is there as a link. */
static bool link_previous(struct backup *backup, const char *path, uint64_t size)
{
	const struct backup_sum *sum = shared(backup, path);
	char from[BACKUP_PATH];
	struct stat st;

	if (!sum)
		return false;
	snprintf(from, sizeof from, "%s/%s", backup->previous ? backup->previous : "", path);
	if (stat(from, &st) || (uint64_t)st.st_size != size || linkat(AT_FDCWD, from, backup->to, path, 0))
		return false;
	fprintf(backup->list, "%s  %s\n", sum->hex, path);
	backup->summary->linked++;
	return true;
}

/* ---- copying */
static int make_parents(int at, const char *path)
{
	char folder[BACKUP_PATH];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
		if (mkdirat(at, folder, 0700) && errno != EEXIST)
			return -1;
	}
	return 0;
}

int backup_copy(int in, int at, const char *path, char hex[2 * SHA256_SIZE + 1], uint64_t *size)
{
	struct sha256 *digest = sha256_new();
	uint8_t *block = mem_alloc(BACKUP_BLOCK), sum[SHA256_SIZE];
	int out = at < 0                   ? -1
		  : make_parents(at, path) ? -2
					   : openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n = out == -2 || (at >= 0 && out < 0) ? -1 : 0;

	*size = 0;
	while (n >= 0 && (n = read(in, block, BACKUP_BLOCK)) > 0) {
		sha256_add(digest, block, (size_t)n);
		*size += (uint64_t)n;
		if (out >= 0 && file_write_all(out, span_make(block, (size_t)n)))
			n = -1;
	}
	sha256_end(digest, sum);
	hex_encode(hex, sum, sizeof sum);
	sha256_free(digest);
	free(block);
	if (out >= 0 && close(out))
		n = -1;
	return n < 0 ? -1 : 0;
}

static int disk_error(struct error *error, const char *path)
{
	return error_errno(error, ERROR_RETRY, "backup.disk", "the backup cannot be written: %s", path);
}

static void tell(struct backup *backup, uint64_t size)
{
	backup->summary->files++;
	backup->summary->bytes += size;
	if (backup->progress && backup->summary->files % 64 == 0)
		backup->progress(backup->arg, backup->summary->files, backup->summary->bytes);
}

/* A file that is gone by now is needed by nobody. */
static int copy_file(struct backup *backup, const char *from, const char *path, struct error *error)
{
	char hex[2 * SHA256_SIZE + 1];
	int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), result = 0;
	struct stat st;
	uint64_t size;

	if (in < 0 && errno == ENOENT)
		return 0;
	if (in < 0 || fstat(in, &st))
		result = error_errno(error, ERROR_RETRY, "backup.disk", "%s cannot be read", from);
	else if (make_parents(backup->to, path))
		result = disk_error(error, path);
	else if (link_previous(backup, path, (uint64_t)st.st_size))
		tell(backup, (uint64_t)st.st_size);
	else if (backup_copy(in, backup->to, path, hex, &size))
		result = disk_error(error, path);
	else if (fprintf(backup->list, "%s  %s\n", hex, path) < 0)
		result = disk_error(error, "SHA256SUMS");
	else
		tell(backup, size);
	if (in >= 0)
		close(in);
	return result;
}

static int copy_folder(struct backup *backup, const char *from, const char *path, int depth, struct error *error);

static int copy_entry(struct backup *backup, const char *from, const char *path, const struct dirent *entry, int depth,
		      struct error *error)
{
	char source[BACKUP_PATH], target[BACKUP_PATH];
	struct stat st;

	if (entry->d_name[0] == '.')
		return 0;
	if ((size_t)snprintf(source, sizeof source, "%s/%s", from, entry->d_name) >= sizeof source ||
	    (size_t)snprintf(target, sizeof target, "%s/%s", path, entry->d_name) >= sizeof target)
		return error_set(error, ERROR_REJECT, "backup.disk", "%s/%s: the path is too long", from,
				 entry->d_name);
	if (lstat(source, &st))
		return 0;
	if (S_ISDIR(st.st_mode))
		return copy_folder(backup, source, target, depth + 1, error);
	return S_ISREG(st.st_mode) ? copy_file(backup, source, target, error) : 0;
}

static int copy_folder(struct backup *backup, const char *from, const char *path, int depth, struct error *error)
{
	DIR *folder = depth > 4 ? NULL : opendir(from);
	struct dirent *entry;
	int result = 0;

	if (!folder)
		return errno == ENOENT || depth > 4
			       ? 0
			       : error_errno(error, ERROR_RETRY, "backup.disk", "%s cannot be read", from);
	while (!result && (entry = readdir(folder)))
		result = copy_entry(backup, from, path, entry, depth, error);
	closedir(folder);
	return result;
}

/* ---- the databases */
/* Whoever opens this copy knows that it was put back, however that was done. */
static int mark_copy(const struct backup *backup, const char *path, struct error *error)
{
	const struct db_ops *ops = backup->site->store;
	struct db db = {ops, ops->open(backup->site->store_settings, path, SPAN_NONE, error)};
	int result;

	if (!db.self)
		return -1;
	result = store_restored_later(&db, error);
	ops->close(db.self);
	return result;
}

/* The list has it as any other file. */
static int sum_file(struct backup *backup, const char *path, struct error *error)
{
	char hex[2 * SHA256_SIZE + 1];
	uint64_t size = 0;
	int in = openat(backup->to, path, O_RDONLY | O_CLOEXEC), result = 0;

	if (in < 0 || backup_copy(in, -1, NULL, hex, &size))
		result = disk_error(error, path);
	else
		fprintf(backup->list, "%s  %s\n", hex, path);
	if (!result)
		tell(backup, size);
	if (in >= 0)
		close(in);
	return result;
}

static int copy_database(struct backup *backup, const char *name, bool needed, struct error *error)
{
	char from[BACKUP_PATH], to[BACKUP_PATH], path[64];

	snprintf(from, sizeof from, "%s/%s", backup->site->data_path, name);
	snprintf(path, sizeof path, "data/%s", name);
	snprintf(to, sizeof to, "%s/%s", backup->name, path);
	if (!needed && access(from, F_OK))
		return 0;
	if (make_parents(backup->to, path))
		return disk_error(error, path);
	if (backup->site->store->copy(from, to, error) || (needed && mark_copy(backup, to, error)))
		return -1;
	return sum_file(backup, path, error);
}

static int copy_server(struct backup *backup, struct error *error)
{
	char site_db[BACKUP_PATH], lineage_db[BACKUP_PATH];

	snprintf(site_db, sizeof site_db, "%s/data/site.db", backup->name);
	snprintf(lineage_db, sizeof lineage_db, "%s/data/lineage.db", backup->name);
	if (make_parents(backup->to, "data/site.db"))
		return disk_error(error, "data");
	return backup_server_make(backup->site, site_db, lineage_db, error) ||
			       sum_file(backup, "data/site.db", error) || sum_file(backup, "data/lineage.db", error)
		       ? -1
		       : 0;
}

static int copy_databases(struct backup *backup, struct error *error)
{
	if (!backup->site->store->copy)
		return copy_server(backup, error);
	return copy_database(backup, "site.db", true, error) || copy_database(backup, "lineage.db", false, error) ? -1
														  : 0;
}

static int copy_all(struct backup *backup, struct error *error)
{
	static const char *const vault[] = {"packs", "files"};
	char from[BACKUP_PATH], path[64];

	if (copy_databases(backup, error))
		return -1;
	snprintf(from, sizeof from, "%s/audit.key", backup->site->data_path);
	if (copy_file(backup, from, "data/audit.key", error))
		return -1;
	snprintf(from, sizeof from, "%s/generations", backup->site->data_path);
	if (copy_folder(backup, from, "data/generations", 0, error))
		return -1;
	for (size_t i = 0; i < 2; i++) {
		snprintf(from, sizeof from, "%s/%s", backup->site->vault_path, vault[i]);
		snprintf(path, sizeof path, "vault/%s", vault[i]);
		if (copy_folder(backup, from, path, 0, error))
			return -1;
	}
	return 0;
}

/* ---- the whole */
static int finish(struct backup *backup, struct error *error)
{
	const struct backup_summary *summary = backup->summary;
	json_t *facts = json_pack("{s:i s:s s:s s:s s:I s:I s:I}", "format", BACKUP_FORMAT, "site", summary->site,
				  "store", backup->site->store->name, "revision", summary->revision, "made_ms",
				  (json_int_t)summary->made_ms, "files", (json_int_t)summary->files, "bytes",
				  (json_int_t)summary->bytes);
	char *text = json_dumps(facts, JSON_INDENT(2));
	int fd, result = -1;

	json_decref(facts);
	if (fflush(backup->list) || syncfs(backup->to)) {
		free(text);
		return disk_error(error, "SHA256SUMS");
	}
	fd = openat(backup->to, "backup.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && !file_write_all(fd, span_of(text)) && !fsync(fd) && !fsync(backup->to))
		result = 0;
	if (fd >= 0)
		close(fd);
	free(text);
	return result ? disk_error(error, "backup.json") : 0;
}

static bool is_within(const char *name, const char *folder)
{
	char *at = realpath(name, NULL), *top = realpath(folder, NULL);
	size_t n = top ? strlen(top) : 0;
	bool within = at && top && !strncmp(at, top, n) && (!at[n] || at[n] == '/');

	free(at);
	free(top);
	return within;
}

static int open_target(struct backup *backup, struct error *error)
{
	int list;

	if (mkdir(backup->name, 0700))
		return error_errno(error, ERROR_REJECT, "backup.exists",
				   "%s cannot be made: a backup is a new directory", backup->name);
	if (is_within(backup->name, backup->site->data_path) || is_within(backup->name, backup->site->vault_path)) {
		rmdir(backup->name);
		return error_set(error, ERROR_REJECT, "backup.exists",
				 "%s lies in the site's own data, and would be lost with them", backup->name);
	}
	backup->to = open(backup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = backup->to < 0 ? -1 : openat(backup->to, "SHA256SUMS", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	backup->list = list < 0 ? NULL : fdopen(list, "w");
	return backup->list ? 0 : disk_error(error, backup->name);
}

static int read_previous(struct backup *backup, struct error *error)
{
	struct backup_summary previous;

	if (!backup->previous)
		return 0;
	if (backup_read(backup->previous, &previous, &backup->sums, &backup->sums_count, error))
		return error_wrap(error, "the previous backup");
	if (strcmp(previous.site, backup->summary->site) != 0)
		return error_set(error, ERROR_REJECT, "backup.previous", "%s is a backup of the site %s",
				 backup->previous, previous.site);
	qsort(backup->sums, backup->sums_count, sizeof *backup->sums, by_path);
	return 0;
}

int backup_make(const struct site *site, const char *to, const char *previous, backup_progress_fn *progress, void *arg,
		struct backup_summary *summary, struct error *error)
{
	struct backup backup = {.site = site,
				.name = to,
				.previous = previous,
				.to = -1,
				.progress = progress,
				.arg = arg,
				.summary = summary};
	int result;

	*summary = (struct backup_summary){.made_ms = clock_now_ms()};
	snprintf(summary->site, sizeof summary->site, "%s", site->name);
	snprintf(summary->revision, sizeof summary->revision, "%s", site->revision);
	result = read_previous(&backup, error) || open_target(&backup, error) || copy_all(&backup, error) ||
				 finish(&backup, error)
			 ? -1
			 : 0;
	if (backup.list)
		fclose(backup.list);
	if (backup.to >= 0)
		close(backup.to);
	backup_sums_free(backup.sums, backup.sums_count);
	return result;
}
