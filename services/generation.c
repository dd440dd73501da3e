/* Generations. See generation.h. */
#include "config.h"
#include "services/generation.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "services/generation_kept.h"
#include "services/registry.h"

#define BUNDLE_MAX (32u << 20)
#define KEEP_WAIT_MS 5000 /* the supervisor waits here, and has others to look after */

/* Queues that this revision no longer names stay served until they are empty, but get nothing new. */
static void add_retired(struct topology *topology, const struct topology *before)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct topology_queue *old = &before->queues[i];
		struct topology_queue *queue;
		const char *name;

		if (topology_find(topology, span_of(old->name)))
			continue;
		name = arena_strdup(topology->arena, old->name);
		queue = topology_add(topology, name);
		*queue = *old;
		queue->name = name;
		queue->flow = arena_strdup(topology->arena, old->flow);
		queue->endpoint = arena_strdup(topology->arena, old->endpoint);
		queue->system = arena_strdup(topology->arena, old->system);
		queue->worker = arena_strdup(topology->arena, old->worker);
		queue->owner = arena_strdup(topology->arena, old->owner);
		queue->runbook = arena_strdup(topology->arena, old->runbook);
		queue->topics = NULL;
		queue->topics_count = 0;
	}
}

/* Checking compiles every expression, which takes libjq tens of milliseconds each; a mark in the data directory says
 * that this revision passed before, under this build. */
static bool checked_before(const struct site *site, char *mark, size_t size)
{
	struct stat status;

	snprintf(mark, size, "%s/checked-%.16s-%s", site->run_path, site->revision, PACKAGE_VERSION);
	return stat(mark, &status) == 0;
}

static void remember_check(const char *mark)
{
	FILE *file = fopen(mark, "w"); /* without it the next start only checks again */

	if (file)
		fclose(file);
}

void generation_plan(struct generation *generation, struct generation *before)
{
	generation->topology = site_topology_new(generation->site);
	generation->own = generation->topology->count;
	if (before)
		add_retired(generation->topology, before->topology);
	generation->before = before;
}

struct generation *generation_new(const char *directory, const char *environment, struct generation *before,
				  struct findings *findings, struct error *error)
{
	struct generation *generation = mem_alloc(sizeof *generation);
	char mark[4200];

	generation->bundle = bundle_read_new(directory, environment, error);
	if (!generation->bundle)
		goto failed;
	generation->site = site_load_new(generation->bundle, registry_get(), directory, findings);
	if (!generation->site)
		goto invalid;
	if (!checked_before(generation->site, mark, sizeof mark)) {
		site_check(generation->site, registry_get(), findings);
		if (findings->errors)
			goto invalid;
		remember_check(mark);
	} else {
		site_check_secrets(generation->site, findings);
		if (findings->errors)
			goto invalid;
	}
	generation_plan(generation, before ? before : generation_kept_new(generation->site, directory));
	return generation;
invalid:
	error_set(error, ERROR_REJECT, "site.invalid", "the configuration has %zu error%s: ferrule check %s%s%s",
		  findings->errors, findings->errors == 1 ? "" : "s", directory, *environment ? " --env " : "",
		  environment);
failed:
	generation_free(generation);
	return NULL;
}

void generation_free(struct generation *generation)
{
	while (generation) {
		struct generation *before = generation->before;

		topology_free(generation->topology);
		site_free(generation->site);
		bundle_free(generation->bundle);
		free(generation);
		generation = before;
	}
}

static bool has_endpoint(const struct site *site, const char *name)
{
	if (site_endpoint(site, span_of(name), NULL, NULL))
		return true;
	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t j = 0; j < site->flows[i].sources_count; j++)
			if (!strcmp(site->flows[i].sources[j].endpoint.name, name))
				return true;
	return false;
}

const struct site *generation_site_of(const struct generation *generation, const char *endpoint)
{
	for (const struct generation *g = generation; g; g = g->before)
		if (!endpoint || has_endpoint(g->site, endpoint))
			return g->site;
	return generation->site;
}

static int put_bundle(const struct generation *generation, struct vault_entry *entry, struct error *error)
{
	struct vault *vault = vault_open(generation->site->vault_path, error);
	struct reader *reader = NULL;
	struct buf text;
	int result = -1;

	buf_init(&text, BUNDLE_MAX);
	if (!vault)
		goto done;
	bundle_encode(generation->bundle, &text);
	reader = reader_new_copy(buf_view(&text));
	result = vault_put(vault, reader, entry, error) || vault_sync(vault, error) ? -1 : 0;
done:
	reader_unref(reader);
	buf_free(&text);
	vault_close(vault);
	return result;
}

int generation_keep(const struct generation *generation, struct queue *queue, struct error *error)
{
	struct vault_entry entry;
	struct unit *unit;

	if (put_bundle(generation, &entry, error) || generation_remember(generation, error))
		return -1;
	unit = unit_new(queue);
	unit_change(unit, "revision.put",
		    json_pack("{s:s s:s}", "revision", generation->site->revision, "ref", entry.ref));
	return unit_commit_within(unit, KEEP_WAIT_MS, error);
}
