/* Reading a backup: verifying it, and putting it back. See backup.h. */
#include "config.h"
#include "services/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "operations/store.h"
#include "services/backup_private.h"
#include "services/site_lock.h"
#include "services/site_store.h"

#define FACTS_MAX 4096
#define SUMS_MAX (16u << 20) /* files that one backup may have */

/* ---- reading */
void backup_sums_free(struct backup_sum *sums, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(sums[i].path);
	free(sums);
}

static int damaged(struct error *error, const char *from, const char *what)
{
	return error_set(error, ERROR_REJECT, "backup.damaged", "%s: %s", from, what);
}

static int read_facts(const char *from, struct backup_summary *summary, struct error *error)
{
	char path[BACKUP_PATH];
	const char *site, *revision;
	json_int_t made, files, bytes;
	int format, status = -1;
	json_t *facts;

	snprintf(path, sizeof path, "%s/backup.json", from);
	facts = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (!facts)
		return error_set(error, ERROR_REJECT, "backup.none",
				 "%s is no whole backup: it has no backup.json that can be read", from);
	if (json_unpack(facts, "{s:i s:s s:s s:I s:I s:I}", "format", &format, "site", &site, "revision", &revision,
			"made_ms", &made, "files", &files, "bytes", &bytes))
		damaged(error, from, "backup.json lacks something");
	else if (format != BACKUP_FORMAT)
		damaged(error, from, "it was made by a later version of ferrule");
	else
		status = 0;
	if (!status) {
		const char *store = json_string_value(json_object_get(facts, "store"));

		*summary = (struct backup_summary){.server = store && !strcmp(store, "postgresql"),
						   .made_ms = made,
						   .files = (uint64_t)files,
						   .bytes = (uint64_t)bytes};
		snprintf(summary->site, sizeof summary->site, "%s", site);
		snprintf(summary->revision, sizeof summary->revision, "%s", revision);
	}
	json_decref(facts);
	return status;
}

/* Names that ferrule itself gives: nothing leads out of the backup, or to where a site keeps something else. */
static bool path_fits(const char *path)
{
	static const char *const roots[] = {"data/site.db", "data/lineage.db", "data/audit.key", NULL};

	for (const char *const *root = roots; *root; root++)
		if (!strcmp(path, *root))
			return true;
	if (strncmp(path, "data/generations/", 17) != 0 && strncmp(path, "vault/packs/", 12) != 0 &&
	    strncmp(path, "vault/files/", 12) != 0)
		return false;
	return strlen(path) < 256 && !strstr(path, "..") && !strstr(path, "//") && path[strlen(path) - 1] != '/' &&
	       path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")] == '\0';
}

static bool take_line(char *line, struct backup_sum *sum)
{
	size_t n = strcspn(line, "\n");
	uint8_t digest[SHA256_SIZE];

	line[n] = '\0';
	if (n < 67 || strncmp(line + 64, "  ", 2) != 0 || hex_decode(digest, sizeof digest, span_make(line, 64)) ||
	    !path_fits(line + 66))
		return false;
	hex_encode(sum->hex, digest, sizeof digest);
	sum->path = mem_strdup(line + 66);
	return true;
}

static int read_sums(const char *from, struct backup_sum **sums, size_t *count, struct error *error)
{
	char path[BACKUP_PATH], line[512];
	size_t capacity = 0;
	FILE *list;
	int result = 0;

	snprintf(path, sizeof path, "%s/SHA256SUMS", from);
	list = fopen(path, "re");
	if (!list)
		return error_errno(error, ERROR_REJECT, "backup.damaged", "%s cannot be read", path);
	while (!result && fgets(line, sizeof line, list)) {
		*sums = mem_grow(*sums, &capacity, *count + 1, sizeof **sums);
		if (*count >= SUMS_MAX || !take_line(line, &(*sums)[*count]))
			result = damaged(error, from, "SHA256SUMS has a line that is none of a backup's");
		else
			++*count;
	}
	fclose(list);
	return result;
}

int backup_read(const char *from, struct backup_summary *summary, struct backup_sum **sums, size_t *count,
		struct error *error)
{
	*sums = NULL;
	*count = 0;
	if (read_facts(from, summary, error) || read_sums(from, sums, count, error))
		return -1;
	return *count == summary->files ? 0 : damaged(error, from, "files are missing from SHA256SUMS");
}

/* ---- one file after the other */
struct reading {
	const char *from;
	int data, vault; /* where to put them; -1: nowhere */
	backup_progress_fn *progress;
	void *arg;
};

static int each_file(const struct reading *reading, const struct backup_sum *sums, size_t count, struct error *error)
{
	char path[BACKUP_PATH], hex[2 * SHA256_SIZE + 1];
	uint64_t size, bytes = 0;

	for (size_t i = 0; i < count; i++) {
		const char *name = sums[i].path;
		bool data = !strncmp(name, "data/", 5);
		int in, failed;

		snprintf(path, sizeof path, "%s/%s", reading->from, name);
		in = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (in < 0)
			return error_errno(error, ERROR_REJECT, "backup.damaged", "%s cannot be read", path);
		failed = backup_copy(in, data ? reading->data : reading->vault, name + (data ? 5 : 6), hex, &size);
		close(in);
		if (failed)
			return error_errno(error, ERROR_RETRY, "backup.disk", "%s cannot be put back", path);
		if (strcmp(hex, sums[i].hex) != 0)
			return damaged(error, path, "its content is not what SHA256SUMS says");
		bytes += size;
		if (reading->progress && i % 64 == 63)
			reading->progress(reading->arg, i + 1, bytes);
	}
	return 0;
}

int backup_verify(const char *from, backup_progress_fn *progress, void *arg, struct backup_summary *summary,
		  struct error *error)
{
	struct reading reading = {.from = from, .data = -1, .vault = -1, .progress = progress, .arg = arg};
	struct backup_sum *sums;
	size_t count;
	int result = backup_read(from, summary, &sums, &count, error);

	if (!result)
		result = each_file(&reading, sums, count, error);
	backup_sums_free(sums, count);
	return result;
}

/* ---- putting it back */
/* A directory in which nothing is but what begins with a dot, or which is not there. */
static bool is_empty(const char *path)
{
	DIR *folder = opendir(path);
	bool empty = true;

	for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "run") && strcmp(entry->d_name, "check"))
			empty = false;
	if (folder)
		closedir(folder);
	return empty;
}

static int may_restore(const struct site *site, const struct backup_summary *summary, struct error *error)
{
	if (!site->store->copy && !summary->server)
		return error_set(error, ERROR_REJECT, "restore.kind",
				 "this backup is of a site on one machine, with messages in its spool; restore it to "
				 "a site without `queue` and `store`, which may be moved when it is empty");
	if (strcmp(summary->site, site->name) != 0)
		return error_set(error, ERROR_REJECT, "restore.site", "the backup is of the site %s, and this is %s",
				 summary->site, site->name);
	if (!is_empty(site->data_path) || !is_empty(site->vault_path))
		return error_set(error, ERROR_REJECT, "restore.data",
				 "%s has data already: end the site and move it away, such as mv %s %s.before",
				 site->data_path, site->data_path, site->data_path);
	return 0;
}

static int open_folder(const char *path, struct error *error)
{
	int fd;

	if (mkdir(path, 0700) && errno != EEXIST)
		return error_errno(error, ERROR_RETRY, "backup.disk", "%s cannot be made", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : error_errno(error, ERROR_RETRY, "backup.disk", "%s cannot be opened", path);
}

int backup_mark(const struct site *site, const char *who, struct error *error)
{
	struct store_audit record = {.what = "restore", .who = who, .now = clock_now_ms()};
	struct store *store = NULL;
	struct db db = {0};
	int result = -1;

	if (site_db_open(site, &db, error))
		return -1;
	store = store_open(&db, error);
	if (!store || db.ops->begin(db.self, error))
		goto done;
	if (store_restored_put(store, record.now, error) || store_audit_put(store, &record, error))
		db.ops->rollback(db.self);
	else
		result = db.ops->commit(db.self, error);
done:
	store_close(store);
	site_db_close(&db);
	return result;
}

/* The site's database comes last: a restore that was interrupted leaves none, and cannot be taken for a whole one. */
static void database_last(struct backup_sum *sums, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++)
		if (!strcmp(sums[i].path, "data/site.db")) {
			struct backup_sum sum = sums[i];

			sums[i] = sums[count - 1];
			sums[count - 1] = sum;
		}
}

/* The files were only carried: what they hold is on the server from now on. */
static int fill_server(const struct site *site, struct error *error)
{
	char site_db[BACKUP_PATH], lineage_db[BACKUP_PATH];

	snprintf(site_db, sizeof site_db, "%s/site.db", site->data_path);
	snprintf(lineage_db, sizeof lineage_db, "%s/lineage.db", site->data_path);
	if (backup_server_fill(site, site_db, lineage_db, error))
		return -1;
	unlink(site_db);
	unlink(lineage_db);
	return 0;
}

static int put_back(const struct site *site, struct reading *reading, struct backup_sum *sums, size_t count,
		    const char *who, struct error *error)
{
	int result = -1;

	reading->data = open_folder(site->data_path, error);
	reading->vault = reading->data < 0 ? -1 : open_folder(site->vault_path, error);
	database_last(sums, count);
	if (reading->vault >= 0 && !each_file(reading, sums, count, error)) {
		result =
			syncfs(reading->data) || syncfs(reading->vault)
				? error_errno(error, ERROR_RETRY, "backup.disk", "%s cannot be synced", site->data_path)
				: 0;
		if (!result && !site->store->copy)
			result = fill_server(site, error);
		if (!result)
			result = backup_mark(site, who, error);
	}
	if (reading->data >= 0)
		close(reading->data);
	if (reading->vault >= 0)
		close(reading->vault);
	return result;
}

int backup_restore(const struct site *site, const char *from, const char *who, backup_progress_fn *progress, void *arg,
		   struct backup_summary *summary, struct error *error)
{
	struct reading reading = {.from = from, .progress = progress, .arg = arg};
	struct backup_sum *sums;
	size_t count;
	int lock,
		result = backup_read(from, summary, &sums, &count, error) || may_restore(site, summary, error) ? -1 : 0;

	if (!result) {
		mkdir(site->data_path, 0700);
		lock = site_lock(site->run_path, 0, error);
		result = lock < 0 ? -1 : put_back(site, &reading, sums, count, who, error);
		if (lock >= 0)
			close(lock);
	}
	backup_sums_free(sums, count);
	return result;
}
