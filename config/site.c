/* site.yaml, and the reading of everything beside it. See site.h. */
#include "config.h"
#include "config/load.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#define RUN_PATH_MAX 88 /* a socket's path has 107 characters */

struct retention {
	int64_t originals_ms, receipts_ms, lineage_ms, queue_ms;
};
struct limits {
	uint64_t document, tree, memory, disk_reserve;
	int64_t time_ms;
};
struct processes {
	int64_t transform;
};
struct site_settings {
	const char *name, *summary, *vault, *run, *secrets, *data;
	const struct node *queue, *store, *listen;
	struct retention retention;
	struct limits limits;
	struct processes processes;
};
#define AT(type, field) .offset = offsetof(struct type, field)
static const struct option retention_options[] = {
	{.name = "originals", .type = OPTION_DURATION, AT(retention, originals_ms), .fallback = "180d", .range = "1m..36500d",
	 .help = "how long the vault keeps what was received"},
	{.name = "receipts", .type = OPTION_DURATION, AT(retention, receipts_ms), .fallback = "400d", .range = "1m..36500d",
	 .help = "how long deliveries and duplicates are recognised"},
	{.name = "lineage", .type = OPTION_DURATION, AT(retention, lineage_ms), .fallback = "180d", .range = "1m..36500d",
	 .help = "how far back trace looks"},
	{.name = "queue", .type = OPTION_DURATION, AT(retention, queue_ms), .fallback = "14d", .range = "1m..365d",
	 .help = "how long a message may be under way; then it is a dead letter"},
	OPTION_END,
};
static const struct option limits_options[] = {
	{.name = "document", .type = OPTION_SIZE, AT(limits, document), .fallback = "10GiB", .help = "the largest document that is received"},
	{.name = "tree", .type = OPTION_SIZE, AT(limits, tree), .fallback = "64MiB", .help = "the most that a step may hold as data"},
	{.name = "time", .type = OPTION_DURATION, AT(limits, time_ms), .fallback = "2s", .range = "10ms..10m", .help = "processor time of one expression"},
	{.name = "memory", .type = OPTION_SIZE, AT(limits, memory), .fallback = "256MiB", .help = "memory of one expression"},
	{.name = "disk-reserve", .type = OPTION_SIZE, AT(limits, disk_reserve), .fallback = "256MiB",
	 .help = "free disk below which nothing more is received"},
	OPTION_END,
};
static const struct option processes_options[] = {
	{.name = "transform", .type = OPTION_INT, AT(processes, transform), .fallback = "0", .range = "0..256",
	 .help = "transform processes; 0: as many as there are cores"},
	OPTION_END,
};
static const struct option site_options[] = {
	{.name = "name", .type = OPTION_TEXT, AT(site_settings, name), .flags = OPTION_REQUIRED, .help = "the site's name"},
	{.name = "summary", .type = OPTION_TEXT, AT(site_settings, summary), .help = "what it is for, in a sentence"},
	{.name = "queue", .type = OPTION_NODE, AT(site_settings, queue), .help = "spool, or {amqp: …}"},
	{.name = "store", .type = OPTION_NODE, AT(site_settings, store), .help = "sqlite, or {postgresql: …}"},
	{.name = "listen", .type = OPTION_NODE, AT(site_settings, listen), .help = "{http: …}: where webhooks come in"},
	{.name = "data", .type = OPTION_TEXT, AT(site_settings, data), .fallback = "data", .help = "the directory of all that a running site keeps"},
	{.name = "vault", .type = OPTION_TEXT, AT(site_settings, vault), .help = "the directory of documents; DATA/vault"},
	{.name = "run", .type = OPTION_TEXT, AT(site_settings, run), .help = "the directory of sockets and locks; DATA/run"},
	{.name = "secrets", .type = OPTION_TEXT, AT(site_settings, secrets), .fallback = "secrets", .help = "the directory of secrets, mode 0700"},
	{.name = "retention", .type = OPTION_TABLE, AT(site_settings, retention), .table = retention_options, .help = "how long what is kept"},
	{.name = "limits", .type = OPTION_TABLE, AT(site_settings, limits), .table = limits_options, .help = "what a peer cannot make larger"},
	{.name = "processes", .type = OPTION_TABLE, AT(site_settings, processes), .table = processes_options, .help = "how many of which"},
	OPTION_END,
};

/* ---- queue, store, listener ----------------------------------------------------------------------------------------------- */
struct chosen {
	const struct choice *choice;
	const void *settings;
	const char *secret;
	struct place place;
};

struct password {
	const char *name;
};
static const struct option password_options[] = {
	{.name = "password", .type = OPTION_SECRET, AT(password, name), .help = "{secret: NAME}"},
	OPTION_END,
};

/* The password is the table's own option or, where it has none, ours. */
static void fill_chosen(struct load *load, const struct node *node, struct chosen *into)
{
	static const char *const password[] = {"password", NULL};
	const struct option *own = option_named(into->choice->options, "password");
	const struct password *ours = NULL;
	struct node *only;

	into->settings = load_fill(load, node, into->choice->options, own ? NULL : password, into->choice->size);
	if (own && own->type == OPTION_SECRET && into->settings) {
		into->secret = *(const char *const *)((const char *)into->settings + own->offset);
	} else if (!own && node_find(node, "password")) {
		only = (struct node *)node_empty(load, node->place);
		for (size_t i = 0; i < node->count; i++) {
			if (span_is(node->pairs[i].key.text, "password"))
				only->pairs = &node->pairs[i];
		}
		only->count = 1;
		ours = load_fill(load, only, password_options, NULL, sizeof *ours);
		into->secret = ours ? ours->name : NULL;
	}
}

/* `queue: spool`, `queue: {amqp: {…}}` */
static void choose(struct load *load, const char *what, const struct node *node, const struct choice *choices, size_t n,
		   struct chosen *into)
{
	const struct node *key = node, *settings = NULL;
	const char *near;

	if (node->type == NODE_MAP && node->count == 1) {
		key = &node->pairs[0].key;
		settings = node->pairs[0].value;
	} else if (node->type != NODE_SCALAR) {
		load_error(load, node->place, "site.choice", "`%s` names one of %s, with its settings: {%s: {…}}", what,
			   choice_names(load->arena, choices, n), n > 0 ? choices[0].name : "");
		return;
	}
	into->place = key->place;
	into->choice = choice_find(choices, n, key->text);
	if (into->choice) {
		fill_chosen(load, node_null(settings) ? node_empty(load, key->place) : settings, into);
		return;
	}
	near = choice_nearest(choices, n, key->text);
	if (near)
		load_error(load, key->place, "site.choice", "unknown %s `%.*s`; did you mean `%s`?", what, SPAN_ARGS(key->text), near);
	else
		load_error(load, key->place, "site.choice", "unknown %s `%.*s`; there is %s", what, SPAN_ARGS(key->text),
			   choice_names(load->arena, choices, n));
}

static const struct node *word(struct load *load, const struct node *node, const char *fallback, struct place place)
{
	struct node *made;

	if (!node_null(node))
		return node;
	made = (struct node *)node_empty(load, place);
	made->type = NODE_SCALAR;
	made->text = span_of(fallback);
	return made;
}

static void load_queue_and_store(struct load *load, const struct site_settings *settings, struct place place)
{
	struct choice brokers[CHOICES_MAX], stores[CHOICES_MAX];
	struct chosen queue = {0}, store = {0};
	struct site *site = load->site;
	size_t n = 0, m = 0;
	bool spool;

	for (const struct broker_ops *const *ops = load->registry->brokers; ops && *ops && n < CHOICES_MAX; ops++)
		brokers[n++] = (struct choice){(*ops)->name, (*ops)->options, (*ops)->settings_size, *ops};
	for (const struct db_ops *const *ops = load->registry->stores; ops && *ops && m < CHOICES_MAX; ops++)
		stores[m++] = (struct choice){(*ops)->name, (*ops)->options, (*ops)->settings_size, *ops};
	choose(load, "queue", word(load, settings->queue, "spool", place), brokers, n, &queue);
	spool = !queue.choice || ((const struct broker_ops *)queue.choice->ops)->shares_db;
	choose(load, "store", word(load, settings->store, spool ? "sqlite" : "postgresql", place), stores, m, &store);
	if (!queue.choice || !store.choice)
		return;
	if (spool != (strcmp(store.choice->name, "sqlite") == 0))
		load_error(load, store.place, "site.pair",
			   "queue %s does not go with store %s: a unit of work must commit as a whole. The pairs are spool with sqlite, amqp with postgresql",
			   queue.choice->name, store.choice->name);
	site->broker = queue.choice->ops;
	site->broker_settings = queue.settings;
	site->broker_secret = queue.secret;
	site->store = store.choice->ops;
	site->store_settings = store.settings;
	site->store_secret = store.secret;
}

static void load_listen(struct load *load, const struct node *node)
{
	struct choice servers[CHOICES_MAX];
	struct chosen chosen = {0};
	size_t n = 0;

	if (node_null(node))
		return;
	for (const struct server_ops *const *ops = load->registry->servers; ops && *ops && n < CHOICES_MAX; ops++)
		servers[n++] = (struct choice){(*ops)->name, (*ops)->listen_options, (*ops)->listen_settings_size, *ops};
	choose(load, "listen", node, servers, n, &chosen);
	load->site->listen = chosen.choice ? chosen.choice->ops : NULL;
	load->site->listen_settings = chosen.settings;
}

/* ---- site.yaml -------------------------------------------------------------------------------------------------------------- */
static const char *absolute(struct load *load, const char *base, const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (path[0] == '/')
		return arena_printf(load->arena, "%.*s", (int)n, path);
	return arena_printf(load->arena, "%s/%.*s", base, (int)n, path);
}

static void set_paths(struct load *load, const struct site_settings *settings, struct place place)
{
	struct site *site = load->site;

	site->data_path = absolute(load, site->directory, settings->data ? settings->data : "data");
	site->vault_path = settings->vault ? absolute(load, site->directory, settings->vault) : absolute(load, site->data_path, "vault");
	site->run_path = settings->run ? absolute(load, site->directory, settings->run) : absolute(load, site->data_path, "run");
	site->secrets_path = absolute(load, site->directory, settings->secrets ? settings->secrets : "secrets");
	if (strlen(site->run_path) > RUN_PATH_MAX)
		load_error(load, place, "site.run", "the run directory's path is longer than %d characters, too long for sockets; set `run:` to a shorter one, such as /run/%s",
			   RUN_PATH_MAX, settings->name ? settings->name : "ferrule");
}

static void set_retention(struct load *load, const struct retention *retention, struct place place)
{
	struct site *site = load->site;

	site->retain_originals_ms = retention->originals_ms;
	site->retain_receipts_ms = retention->receipts_ms;
	site->retain_lineage_ms = retention->lineage_ms;
	site->queue_lifetime_ms = retention->queue_ms;
	if (retention->queue_ms >= retention->originals_ms)
		load_error(load, place, "site.retention",
			   "`queue` must be shorter than `originals`: a message under way needs the document that it came from");
	if (retention->originals_ms > retention->receipts_ms)
		load_error(load, place, "site.retention",
			   "`originals` must not be longer than `receipts`: a replay would deliver again what no receipt recognises");
}

static void load_site_yaml(struct load *load, const struct node *node)
{
	struct site_settings settings = {0};
	struct site *site = load->site;
	struct place place = {"site.yaml", 1, 1};
	const struct node *part;
	size_t before = load->findings->errors;

	if (node)
		place = node->place;
	else
		node = node_empty(load, place);
	option_fill(&load->options, node, site_options, NULL, &settings);
	part = node_find(node, "name");
	if (settings.name && load_name(load, "site", settings.name, part ? part->place : place))
		site->name = settings.name;
	part = node_find(node, "run");
	set_paths(load, &settings, part ? part->place : place);
	part = node_find(node, "retention");
	if (load->findings->errors == before)
		set_retention(load, &settings.retention, part ? part->place : place);
	else
		site->queue_lifetime_ms = site->retain_receipts_ms = INT64_MAX; /* so that nothing else is told to be too long */
	site->disk_reserve = settings.limits.disk_reserve;
	site->transform_processes = (unsigned)settings.processes.transform;
	site->limits = (struct site_limits){settings.limits.document, settings.limits.tree, settings.limits.time_ms, settings.limits.memory};
	load_queue_and_store(load, &settings, place);
	load_listen(load, settings.listen);
}

/* What the rest needs to be read at all, when site.yaml is not readable. */
static void load_nothing(struct load *load)
{
	struct site_settings settings = {0};

	load->site->queue_lifetime_ms = load->site->retain_receipts_ms = INT64_MAX;
	set_paths(load, &settings, (struct place){"site.yaml", 1, 1});
}

/* ---- the other files ---------------------------------------------------------------------------------------------------------- */
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

static const struct span *find_mapping(void *arg, const char *name, const char **file)
{
	struct load *load = arg;
	const char *path = arena_printf(load->arena, "mappings/%s", name);
	const struct span *text = bundle_find(load->bundle, path);

	*file = path;
	if (text) {
		load->used_mappings = mem_grow(load->used_mappings, &load->used_capacity, load->used_count + 1, sizeof *load->used_mappings);
		load->used_mappings[load->used_count++] = path;
	}
	return text;
}

static bool below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static bool is_yaml(const char *path)
{
	size_t n = strlen(path);

	return (n > 5 && strcmp(path + n - 5, ".yaml") == 0) || (n > 4 && strcmp(path + n - 4, ".yml") == 0);
}

static void each_document(struct load *load, const char *folder, const char *key, void (*read)(struct load *, const struct node *))
{
	for (size_t i = 0; i < load->bundle->count; i++) {
		const struct bundle_file *file = &load->bundle->files[i];
		struct yaml_documents documents;

		if (!below(file->path, folder) || !is_yaml(file->path))
			continue;
		if (yaml_read(load->arena, load->findings, file->path, file->text, &load->variables, &documents))
			load->unread = true;
		for (size_t d = 0; d < documents.count; d++) {
			if (documents.items[d]->type == NODE_MAP)
				read(load, documents.items[d]);
			else
				load_error(load, documents.items[d]->place, "document.form", "a document here begins with `%s: NAME`", key);
		}
	}
}

static void load_environments(struct load *load)
{
	for (size_t i = 0; i < load->bundle->count; i++) {
		const struct bundle_file *file = &load->bundle->files[i];
		struct yaml_documents documents;

		if (!below(file->path, "environments") || !is_yaml(file->path))
			continue;
		yaml_read(load->arena, load->findings, file->path, file->text, NULL, &documents);
		for (size_t d = 0; d < documents.count; d++) {
			const struct node *node = documents.items[d];

			if (d > 0 || node->type != NODE_MAP)
				load_error(load, node->place, "environment.form", "an environment is one map of NAME: value");
			for (size_t k = 0; node->type == NODE_MAP && k < node->count; k++) {
				if (node->pairs[k].value->type != NODE_SCALAR)
					load_error(load, node->pairs[k].value->place, "environment.form",
						   "an environment has values only: NAME: value");
			}
		}
	}
}

static void refuse_later(struct load *load)
{
	static const char *const folders[] = {"partners", "transfers", "processes", "snippets"};

	for (size_t i = 0; i < load->bundle->count; i++) {
		for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
			if (below(load->bundle->files[i].path, folders[k]))
				load_error(load, ((struct place){load->bundle->files[i].path, 1, 1}), "document.later",
					   "%s/ is not in this version yet: nothing would act on this file", folders[k]);
		}
	}
}

static void list_names(struct load *load)
{
	const struct bundle *bundle = load->bundle;
	const char **names = arena_alloc(load->arena, (json_object_size(bundle->variables) + 1) * sizeof *names), *name;
	json_t *value;

	load->variables = (struct yaml_variables){find_variable, names, 0, load};
	json_object_foreach(bundle->variables, name, value)
		names[load->variables.names_count++] = name;
	load->mappings = arena_alloc(load->arena, (bundle->count + 1) * sizeof *load->mappings);
	for (size_t i = 0; i < bundle->count; i++) {
		if (below(bundle->files[i].path, "mappings"))
			load->mappings[load->mappings_count++] = bundle->files[i].path + strlen("mappings/");
	}
	load->options.mappings = load->mappings;
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
			consequence = undefined[k].file == f->place.file && undefined[k].line == f->place.line &&
				      undefined[k].column == f->place.column;
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

static struct site *load_all(const struct bundle *bundle, const struct registry *registry, const char *directory, struct findings *findings)
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
	*load = (struct load){.site = site, .arena = site->arena, .bundle = bundle, .registry = registry, .findings = findings};
	load->options = (struct option_context){.arena = site->arena, .findings = findings, .mapping = find_mapping, .site = load};
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
	each_document(load, "systems", "system", load_system);
	each_document(load, "flows", "flow", load_flow);
	refuse_later(load);
	if (load->listen.file && !site->listen && findings->errors == 0)
		load_error(load, load->listen, "site.listen", "a webhook needs a listener: add `listen: {http: {port: 8080}}` to site.yaml");
	drop_consequences(findings);
	return site;
}

struct site *site_load_new(const struct bundle *bundle, const struct registry *registry, const char *directory, struct findings *findings)
{
	size_t before = findings->errors;
	struct site *site = load_all(bundle, registry, directory, findings);

	findings_sort(findings);
	if (findings->errors == before)
		return site;
	site_free(site);
	return NULL;
}

/* A step checks its own expressions, and so does site_check: once is enough. The list is sorted. */
static void drop_repeated(struct findings *findings)
{
	size_t kept = 0;

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i], *last = kept > 0 ? &findings->list[kept - 1] : NULL;

		if (last && last->place.line == f->place.line && last->place.column == f->place.column && strcmp(last->code, f->code) == 0 &&
		    strcmp(last->text, f->text) == 0 && strcmp(last->place.file ? last->place.file : "", f->place.file ? f->place.file : "") == 0)
			findings->errors -= f->severity == SEVERITY_ERROR;
		else
			findings->list[kept++] = *f;
	}
	findings->count = kept;
}

int site_inspect(const struct bundle *bundle, const struct registry *registry, const char *directory, struct findings *findings)
{
	struct site *site = load_all(bundle, registry, directory, findings);

	site_check(site, registry, findings);
	site_free(site);
	findings_sort(findings);
	drop_repeated(findings);
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
	free(load->taken);
	free(load->used_mappings);
	free(load);
	arena_free(site->arena);
	free(site);
}

/* ---- looking up ----------------------------------------------------------------------------------------------------------- */
const struct flow *site_flow(const struct site *site, struct span name)
{
	for (size_t i = 0; i < site->flows_count; i++) {
		if (span_is(name, site->flows[i].name))
			return &site->flows[i];
	}
	return NULL;
}

const struct endpoint *site_endpoint(const struct site *site, struct span name, const struct flow **flow, const struct sink_ops **ops)
{
	for (int sinks = 1; sinks >= 0; sinks--) {
		for (size_t i = 0; i < site->flows_count; i++) {
			const struct flow *f = &site->flows[i];
			const struct endpoint *found = sinks && f->sink && span_is(name, f->sink->name) ? f->sink : NULL;

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

const struct system *site_system(const struct site *site, struct span name)
{
	for (size_t i = 0; i < site->systems_count; i++) {
		if (span_is(name, site->systems[i].name))
			return &site->systems[i];
	}
	return NULL;
}
