/* Generations on disk. See generation_kept.h. */
#include "config.h"
#include "services/generation_kept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/registry.h"

#define BUNDLE_MAX (32u << 20)
#define KEPT_MAX 64
#define PATH_LENGTH 4200
#define NAME_LENGTH 32 /* eight digits, a dash, sixteen of the revision */

struct kept {
	char names[KEPT_MAX][NAME_LENGTH]; /* oldest first */
	size_t count;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_kept(const char *name)
{
	return strlen(name) == 25 && name[8] == '-' && strspn(name, "0123456789") == 8;
}

/* The newest KEPT_MAX. */
static void list(const char *data_path, struct kept *kept)
{
	char path[PATH_LENGTH];
	struct dirent *entry;
	DIR *folder;

	kept->count = 0;
	snprintf(path, sizeof path, "%s/generations", data_path);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (!is_kept(entry->d_name))
			continue;
		if (kept->count == KEPT_MAX) {
			qsort(kept->names, kept->count, NAME_LENGTH, by_name);
			memmove(kept->names[0], kept->names[1], (KEPT_MAX - 1) * NAME_LENGTH);
			kept->count--;
		}
		memcpy(kept->names[kept->count++], entry->d_name, 26);
	}
	if (folder)
		closedir(folder);
	qsort(kept->names, kept->count, NAME_LENGTH, by_name);
}

static bool is_of(const char *name, const struct site *site)
{
	return !strncmp(name + 9, site->revision, 16);
}

static struct bundle *read_bundle(const char *data_path, const char *name)
{
	char path[PATH_LENGTH + NAME_LENGTH];
	struct bundle *bundle = NULL;
	struct reader *reader;
	struct stat status;
	struct buf text;
	int fd;

	snprintf(path, sizeof path, "%s/generations/%s", data_path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &status)) {
		close(fd);
		return NULL;
	}
	buf_init(&text, BUNDLE_MAX);
	reader = reader_new_fd(fd, 0, (uint64_t)status.st_size);
	if (!reader_all(reader, &text, NULL))
		bundle = bundle_decode_new(buf_view(&text), NULL);
	reader_unref(reader);
	buf_free(&text);
	return bundle;
}

static struct generation *load(const char *data_path, const char *name, const char *directory,
			       struct generation *before)
{
	struct generation *generation = mem_alloc(sizeof *generation);
	struct findings findings;

	findings_init(&findings);
	generation->bundle = read_bundle(data_path, name);
	if (generation->bundle)
		generation->site = site_load_new(generation->bundle, registry_get(), directory, &findings);
	findings_free(&findings);
	if (!generation->site) {
		generation_free(generation);
		return before;
	}
	generation_plan(generation, before);
	return generation;
}

struct generation *generation_kept_new(const struct site *site, const char *directory)
{
	struct generation *newest = NULL;
	struct kept kept;

	list(site->data_path, &kept);
	for (size_t i = 0; i < kept.count; i++)
		if (!is_of(kept.names[i], site))
			newest = load(site->data_path, kept.names[i], directory, newest);
	return newest;
}

struct generation *generation_latest_new(const char *data_path, const char *directory)
{
	struct generation *generation = NULL, *before = NULL;
	struct kept kept;

	list(data_path, &kept);
	for (size_t i = 0; i < kept.count; i++) {
		generation = load(data_path, kept.names[i], directory, before);
		if (i + 1 == kept.count && generation == before) { /* the newest itself cannot be read */
			generation_free(before);
			return NULL;
		}
		before = generation;
	}
	return generation;
}

static int write_bundle(const struct generation *generation, const char *path, struct error *error)
{
	char aside[PATH_LENGTH + NAME_LENGTH + 8];
	struct buf text;
	int fd, result = -1;

	snprintf(aside, sizeof aside, "%s.new", path);
	buf_init(&text, BUNDLE_MAX);
	bundle_encode(generation->bundle, &text);
	fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len || fsync(fd) || rename(aside, path))
		error_errno(error, ERROR_FATAL, "site.generation", "writing %s", path);
	else
		result = 0;
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	return result;
}

static bool names_queue(const struct generation *generation, const char *name)
{
	const struct topology_queue *queue = topology_find(generation->topology, span_of(name));

	return queue && queue < generation->topology->queues + generation->own;
}

/* Is there a queue that only this one serves? */
static bool is_needed(const struct generation *current, const struct generation *kept)
{
	for (size_t i = 0; i < kept->own; i++) {
		const struct topology_queue *queue = &kept->topology->queues[i];
		bool newer = false;

		for (const struct generation *g = current; g != kept && !newer; g = g->before)
			newer = names_queue(g, queue->name);
		if (!newer)
			return true;
	}
	return false;
}

static void forget(const struct generation *current, const struct kept *kept, const char *newest)
{
	char path[PATH_LENGTH + NAME_LENGTH];

	for (size_t i = 0; i < kept->count; i++) {
		const struct generation *g = current->before;

		while (g && !is_of(kept->names[i], g->site))
			g = g->before;
		if (!strcmp(kept->names[i], newest) || (g && is_needed(current, g)))
			continue;
		snprintf(path, sizeof path, "%s/generations/%s", current->site->data_path, kept->names[i]);
		unlink(path);
	}
}

int generation_remember(const struct generation *generation, struct error *error)
{
	const struct site *site = generation->site;
	char folder[PATH_LENGTH], path[PATH_LENGTH + NAME_LENGTH], name[NAME_LENGTH];
	struct kept kept;
	unsigned long last;

	list(site->data_path, &kept);
	last = kept.count ? strtoul(kept.names[kept.count - 1], NULL, 10) : 0;
	snprintf(folder, sizeof folder, "%s/generations", site->data_path);
	if (mkdir(folder, 0700) && errno != EEXIST)
		return error_errno(error, ERROR_FATAL, "site.generation", "making the directory %s", folder);
	if (kept.count && is_of(kept.names[kept.count - 1], site)) {
		snprintf(name, sizeof name, "%s", kept.names[kept.count - 1]);
	} else {
		snprintf(name, sizeof name, "%08lu-%.16s", (last + 1) % 100000000, site->revision);
		snprintf(path, sizeof path, "%s/%s", folder, name);
		if (write_bundle(generation, path, error))
			return -1;
	}
	forget(generation, &kept, name);
	return 0;
}
