/* site.yaml, and the reading of everything beside it. See site.h. */
#include "config.h"
#include "config/load.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/trial.h"

/* ---- the other files ------------------------------------------------------------------------------------- */
static bool find_variable(void *arg, struct span name, struct span *value)
{
	const struct load *load = arg;
	char *key = mem_span_dup(name);
	json_t *found = json_object_get(load->bundle->variables, key);

	free(key);
	if (!found)
		return false;
	*value = span_make(json_string_value(found), json_string_length(found));
	return true;
}

/* The path is the bundle's own: findings outlive the site. */
static const struct span *find_mapping(void *arg, const char *name, const char **file)
{
	struct load *load = arg;

	for (size_t i = 0; i < load->mappings_count; i++) {
		if (strcmp(load->mappings[i], name) != 0)
			continue;
		*file = load->mappings[i] - strlen("mappings/");
		load->used_mappings = mem_grow(load->used_mappings, &load->used_capacity, load->used_count + 1,
					       sizeof *load->used_mappings);
		load->used_mappings[load->used_count++] = *file;
		return bundle_find(load->bundle, *file);
	}
	return NULL;
}

void load_use_mapping(struct load *load, const char *name)
{
	const char *file;

	find_mapping(load, name, &file);
}

static const struct span *bundle_file_in(const struct bundle *bundle, const char *folder, const char *name)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
		return NULL;
	return bundle_find(bundle, path);
}

static bool find_file(void *arg, const char *folder, const char *name, const char **near)
{
	struct load *load = arg;
	const struct bundle *bundle = load->bundle;
	const char *names[256], *mapping;
	size_t n = 0;

	if (strcmp(folder, "mappings") == 0 && find_mapping(load, name, &mapping))
		return true;
	if (strcmp(folder, "tables") == 0 ? table_use(load, name) : bundle_file_in(bundle, folder, name) != NULL)
		return true;
	for (size_t i = 0; i < bundle->count && n < sizeof names / sizeof *names; i++)
		if (path_below(bundle->files[i].path, folder))
			names[n++] = bundle->files[i].path + strlen(folder) + 1;
	*near = nearest_name(span_of(name), names, n);
	return false;
}

const struct span *site_file(const struct site *site, const char *folder, const char *name)
{
	return bundle_file_in(site->bundle, folder, name);
}

static void each_document(struct load *load, const char *folder, const char *key,
			  void (*read)(struct load *, const struct node *))
{
	for (size_t i = 0; i < load->bundle->count; i++) {
		const struct bundle_file *file = &load->bundle->files[i];
		struct yaml_documents documents;

		if (!path_below(file->path, folder) || !yaml_is_file(file->path))
			continue;
		if (yaml_read(load->arena, load->findings, file->path, file->text, &load->variables, &documents))
			load->unread = true;
		for (size_t d = 0; d < documents.count; d++) {
			if (documents.items[d]->type == NODE_MAP)
				read(load, documents.items[d]);
			else
				load_error(load, documents.items[d]->place, "document.form",
					   "a document here begins with `%s: NAME`", key);
		}
	}
}

static void refuse_later(struct load *load)
{
	static const char *const folders[] = {"partners", "processes"};

	for (size_t i = 0; i < load->bundle->count; i++) {
		for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
			if (path_below(load->bundle->files[i].path, folders[k]))
				load_error(load, ((struct place){load->bundle->files[i].path, 1, 1}), "document.later",
					   "%s/ is not in this version yet: nothing would act on this file",
					   folders[k]);
		}
	}
}

static void list_names(struct load *load)
{
	const struct bundle *bundle = load->bundle;
	const char **names = arena_alloc(load->arena, (json_object_size(bundle->variables) + 1) * sizeof *names), *name;
	json_t *value;

	load->variables = (struct yaml_variables){find_variable, names, 0, load};
	json_object_foreach(bundle->variables, name, value) names[load->variables.names_count++] = name;
	load->mappings = arena_alloc(load->arena, (bundle->count + 1) * sizeof *load->mappings);
	for (size_t i = 0; i < bundle->count; i++) {
		if (path_below(bundle->files[i].path, "mappings"))
			load->mappings[load->mappings_count++] = bundle->files[i].path + strlen("mappings/");
	}
	load->options.mappings = load->mappings;
	load->options.file = find_file;
	load->options.mappings_count = load->mappings_count;
}

/* A value with an undefined variable is not worth more words: what its option says of it is left out. With more than
 * UNDEFINED_MAX of them a few words too many do not matter. */
#define UNDEFINED_MAX 64
static void drop_consequences(struct findings *findings)
{
	struct place undefined[UNDEFINED_MAX];
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < findings->count && n < UNDEFINED_MAX; i++) {
		if (strcmp(findings->list[i].code, "variable.undefined") == 0)
			undefined[n++] = findings->list[i].place;
	}
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];
		bool consequence = false;

		for (size_t k = 0; k < n && !consequence && strcmp(f->code, "variable.undefined") != 0; k++)
			consequence = undefined[k].file && f->place.file &&
				      !strcmp(undefined[k].file, f->place.file) &&
				      undefined[k].line == f->place.line && undefined[k].column == f->place.column;
		if (consequence)
			findings->errors -= f->severity == SEVERITY_ERROR;
		else
			findings->list[kept++] = *f;
	}
	findings->count = kept;
}

static const char *resolved(struct arena *arena, const char *directory)
{
	char path[PATH_MAX];

	return realpath(directory, path) ? arena_strdup(arena, path) : arena_strdup(arena, directory);
}

struct site *load_all(const struct bundle *bundle, const struct registry *registry, const char *directory,
		      struct findings *findings)
{
	struct site *site = mem_alloc(sizeof *site);
	struct load *load = mem_alloc(sizeof *load);
	const struct span *text = bundle_find(bundle, "site.yaml");
	struct yaml_documents documents = {0};
	int read;

	site->arena = arena_new();
	site->bundle = bundle;
	site->load = load;
	site->name = "";
	site->directory = resolved(site->arena, directory);
	id_hex(&bundle->revision, site->revision);
	*load = (struct load){
		.site = site, .arena = site->arena, .bundle = bundle, .registry = registry, .findings = findings,
		.secret_variables = json_object()};
	load->options = (struct option_context){
		.arena = site->arena, .findings = findings, .mapping = find_mapping, .site = load};
	snippet_findings_begin(load, findings);
	list_names(load);
	load_environments(load);
	read = text ? yaml_read(load->arena, findings, "site.yaml", *text, &load->variables, &documents) : -1;
	if (read == 0 || documents.count > 0)
		load_site_yaml(load, documents.count > 0 ? documents.items[0] : NULL);
	else
		load_nothing(load);
	if (documents.count > 1)
		load_error(load, documents.items[1]->place, "site.documents", "site.yaml is one document");
	load_contracts(load);
	load_snippets(load);
	load_tables(load);
	each_document(load, "systems", "system", load_system);
	each_document(load, "calendars", "calendar", load_calendar);
	each_document(load, "transfers", "transfer", load_transfer);
	each_document(load, "flows", "flow", load_flow);
	refuse_later(load);
	if (load->listen.file && !site->listen && findings->errors == 0)
		load_error(load, load->listen, "site.listen",
			   "a webhook needs a listener: add `listen: {http: {port: 8080}}` to site.yaml");
	drop_consequences(findings);
	places_resolve(site, findings);
	snippet_findings_end(findings);
	return site;
}

struct site *site_load_new(const struct bundle *bundle, const struct registry *registry, const char *directory,
			   struct findings *findings)
{
	size_t before = findings->errors;
	struct site *site = load_all(bundle, registry, directory, findings);

	findings_sort(findings);
	if (findings->errors == before)
		return site;
	site_free(site);
	return NULL;
}

void inspect_rest(struct site *site, const struct registry *registry, struct trials_checked *trials,
		  struct findings *findings)
{
	bool whole = findings->errors == 0;

	site_check(site, registry, findings);
	trials_check(trials, site, whole, findings);
	findings_sort(findings);
}

int site_inspect(const struct bundle *bundle, const struct registry *registry, const char *directory,
		 struct findings *findings)
{
	struct site *site = load_all(bundle, registry, directory, findings);
	struct trials_checked trials;

	trials_check_open(&trials, directory);
	inspect_rest(site, registry, &trials, findings);
	trials_check_close(&trials);
	site_free(site);
	return findings->errors > 0 ? -1 : 0;
}

static void drop(void *arg, const struct found *found)
{
	expression_drop(found->expression);
	template_drop(found->template);
}

void site_free(struct site *site)
{
	struct load *load;

	if (!site)
		return;
	load = site->load;
	for (size_t i = 0; i < site->contracts_count; i++)
		json_decref(site->contracts[i].schema);
	free(site->contracts);
	free(site->flows);
	free(site->systems);
	free(load->systems);
	free(load->topics);
	free(load->names);
	filled_each(load, drop, NULL);
	free(load->steps);
	snippets_free(load);
	tables_free(load);
	free(load->taken);
	free(load->used_mappings);
	json_decref(load->secret_variables);
	free(load);
	arena_free(site->arena);
	free(site);
}

/* ---- looking up ------------------------------------------------------------------------------------------ */
const struct flow *site_flow(const struct site *site, struct span name)
{
	for (size_t i = 0; i < site->flows_count; i++) {
		if (span_is(name, site->flows[i].name))
			return &site->flows[i];
	}
	return NULL;
}

const struct endpoint *site_endpoint(const struct site *site, struct span name, const struct flow **flow,
				     const struct sink_ops **ops)
{
	for (int sinks = 1; sinks >= 0; sinks--) {
		for (size_t i = 0; i < site->flows_count; i++) {
			const struct flow *f = &site->flows[i];
			const struct endpoint *found = sinks && f->sink && span_is(name, f->sink->name) ? f->sink
													: NULL;

			for (size_t k = 0; !sinks && !found && k < f->sources_count; k++)
				found = span_is(name, f->sources[k].endpoint.name) ? &f->sources[k].endpoint : NULL;
			if (!found)
				continue;
			if (flow)
				*flow = f;
			if (ops)
				*ops = sinks ? f->sink_ops : NULL;
			return found;
		}
	}
	return NULL;
}

const struct contract *site_contract(const struct site *site, const char *name)
{
	for (size_t i = 0; i < site->contracts_count; i++) {
		if (strcmp(site->contracts[i].name, name) == 0)
			return &site->contracts[i];
	}
	return NULL;
}

const struct contract *site_contract_at(const struct site *site, const char *address)
{
	const struct contract *named = site_contract(site, address);

	for (size_t i = 0; i < site->contracts_count && !named; i++) {
		const char *id = json_string_value(json_object_get(site->contracts[i].schema, "$id"));

		if (id && strncmp(id, address, strcspn(id, "#")) == 0 && !address[strcspn(id, "#")])
			named = &site->contracts[i];
	}
	return named;
}

const struct system *site_system(const struct site *site, struct span name)
{
	for (size_t i = 0; i < site->systems_count; i++) {
		if (span_is(name, site->systems[i].name))
			return &site->systems[i];
	}
	return NULL;
}
