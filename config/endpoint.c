/* Endpoints: `from:` and `to:`, and what an operation of a system adds to them. See load.h. */
#include "config.h"
#include "config/load.h"

#include <stddef.h>
#include <stdlib.h>

/* The kinds of endpoint, and which adapter speaks for each. An operation is a sink of its system's. */
const struct endpoint_kind endpoint_kinds[] = {
	{"file", "file", NULL, "file"},  {"webhook", NULL, "http", "http"}, {"operation", NULL, NULL, "http"},
	{"agreement", NULL, NULL, NULL}, {"transfer", NULL, NULL, NULL},    {"api", NULL, NULL, NULL},
	{"poll", NULL, NULL, NULL},      {"queue", NULL, NULL, NULL},       {"sftp", "sftp", NULL, "sftp"},
	{"mail", NULL, NULL, "mail"},    {"syslog", NULL, NULL, "syslog"},  {"ftp", "ftp", NULL, "ftp"},
	{NULL, NULL, NULL, NULL},
};
#define KINDS (sizeof endpoint_kinds / sizeof *endpoint_kinds - 1)

/* What every endpoint may say beside its adapter's settings. */
struct common {
	const char *name;
	int64_t timeout_ms;
	int machines;
	const char *archive;
	int64_t retain_ms;
};
#define ALSO_MAX 6
const struct option endpoint_options[] = {
	{.name = "name",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct common, name),
	 .help = "the endpoint's own name; the flow's by default"},
	{.name = "timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct common, timeout_ms),
	 .fallback = "30s",
	 .range = "1s..1h",
	 .help = "how long one delivery may take"},
	{.name = "machines",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct common, machines),
	 .range = "auto|one|each",
	 .fallback = "auto",
	 .help = "of a source, where a site runs on several machines: one of them asks it, or each does; auto: "
		 "one, but each for the folders of a flow that is no transfer"},
	{.name = "archive",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct common, archive),
	 .help = "of a sink of files: a folder on this machine that keeps a copy of each file as it was sent, by day"},
	{.name = "retain",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct common, retain_ms),
	 .range = "1s..",
	 .help = "of a sink with `archive`: how long copies are kept; for ever where it is not said"},
	OPTION_END,
};

const struct option retry_options[] = {
	{.name = "for",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct retry_spec, for_ms),
	 .fallback = "5d",
	 .flags = OPTION_MAIN,
	 .help = "how long to keep trying; then a dead letter"},
	{.name = "from",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct retry_spec, from_ms),
	 .fallback = "1s",
	 .help = "the first pause between attempts; it doubles"},
	{.name = "to",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct retry_spec, to_ms),
	 .fallback = "15m",
	 .help = "the longest pause"},
	OPTION_END,
};

static const struct source_ops *source_named(const struct registry *registry, const char *name)
{
	for (const struct source_ops *const *ops = registry->sources; name && ops && *ops; ops++) {
		if (strcmp((*ops)->name, name) == 0)
			return *ops;
	}
	return NULL;
}

static const struct server_ops *server_named(const struct registry *registry, const char *name)
{
	for (const struct server_ops *const *ops = registry->servers; name && ops && *ops; ops++) {
		if (strcmp((*ops)->name, name) == 0)
			return *ops;
	}
	return NULL;
}

static const struct sink_ops *sink_named(const struct registry *registry, const char *name)
{
	for (const struct sink_ops *const *ops = registry->sinks; name && ops && *ops; ops++) {
		if (strcmp((*ops)->name, name) == 0)
			return *ops;
	}
	return NULL;
}

/* ---- kinds ----------------------------------------------------------------------------------------------- */
static const char *wanted_kinds(bool from)
{
	return from ? "file, sftp, ftp or webhook" : "file, sftp, ftp, mail, syslog, webhook or operation";
}

static void no_kind(struct load *load, const struct node *node, bool from)
{
	const char *names[KINDS], *near;

	for (size_t k = 0; k < KINDS; k++)
		names[k] = endpoint_kinds[k].key;
	for (size_t i = 0; i < node->count; i++) {
		near = nearest_name(node->pairs[i].key.text, names, KINDS);
		if (near) {
			load_error(load, node->pairs[i].key.place, "endpoint.kind",
				   "unknown kind of endpoint `%.*s`" NEAR, SPAN_ARGS(node->pairs[i].key.text),
				   NEAR_ARGS(near));
			return;
		}
	}
	load_error(load, node->place, "endpoint.kind", "an endpoint says its kind: %s", wanted_kinds(from));
}

/* The kind is the first key that names one: later ones may be settings of its adapter. */
static const struct endpoint_kind *find_kind(struct load *load, const struct node *node, bool from,
					     const struct pair **pair)
{
	for (size_t i = 0; i < node->count; i++) {
		for (size_t k = 0; k < KINDS; k++) {
			const struct endpoint_kind *kind = &endpoint_kinds[k];

			if (!span_is(node->pairs[i].key.text, kind->key))
				continue;
			*pair = &node->pairs[i];
			if (!kind->source && !kind->server && !kind->sink)
				load_error(load, node->pairs[i].key.place, "endpoint.later",
					   "`%s` endpoints are not in this version yet; use %s", kind->key,
					   wanted_kinds(from));
			else if (from && !kind->source && !kind->server)
				load_error(load, node->pairs[i].key.place, "endpoint.direction",
					   "`%s` only sends, nothing can be received from it; use %s", kind->key,
					   wanted_kinds(from));
			else
				return kind;
			return NULL;
		}
	}
	no_kind(load, node, from);
	return NULL;
}

/* False, with a finding, where a second key names another kind, and is no setting of the adapter's. */
static bool is_one_kind(struct load *load, const struct node *node, const struct pair *pair, const struct option *table,
			bool from)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct pair *other = &node->pairs[i];

		for (size_t k = 0; k < KINDS; k++) {
			if (other == pair || !span_is(other->key.text, endpoint_kinds[k].key) ||
			    option_named(table, endpoint_kinds[k].key))
				continue;
			load_error(load, other->key.place, "endpoint.kinds",
				   "one endpoint has one kind, and this has two, `%.*s` and `%s`; %s",
				   SPAN_ARGS(pair->key.text), endpoint_kinds[k].key,
				   from ? "write `from:` as a list of two" : "let two flows subscribe to one topic");
			return false;
		}
	}
	return true;
}

/* {file: 'in/<any>.edi', after: archive} → {path: 'in/<any>.edi', after: archive}, where the adapter's main option is
 * `path`. */
static const struct node *spread(struct load *load, const struct node *node, const struct pair *kind,
				 const struct option *table)
{
	const char *const keys[] = {mem_span_dup(kind->key.text), NULL};
	const struct node *rest = node_without(load, node, keys), *value = kind->value;
	const struct option *main = option_main_of(table);
	struct node *own;

	free((void *)keys[0]);
	if (value->type != NODE_MAP) {
		own = (struct node *)node_empty(load, value->place);
		own->pairs = arena_alloc(load->arena, sizeof *own->pairs);
		own->count = main && !node_null(value);
		own->pairs[0].key = kind->key;
		own->pairs[0].key.text = main ? span_of(main->name) : SPAN_NONE;
		own->pairs[0].value = kind->value;
		value = own;
	}
	for (size_t i = 0; i < value->count; i++) {
		char *key = mem_span_dup(value->pairs[i].key.text);
		const struct node *other = node_find(rest, key);

		if (other)
			load_error(load, other->place, "yaml.repeated", "`%s` is said twice for this endpoint", key);
		free(key);
	}
	own = (struct node *)node_merge(load, value, rest);
	own->place = node->place;
	return own;
}

/* Splits what config reads itself from what the adapter's table describes; a name in both is the adapter's. */
static int fill_common(struct load *load, const struct node *node, const struct option *table, struct common *common,
		       const char *also[ALSO_MAX])
{
	const struct option *timeout = option_named(table, "timeout");
	const struct node *own = node_empty(load, node->place);
	size_t n = 0;

	for (size_t i = 0; i < node->count; i++) {
		const struct pair *pair = &node->pairs[i];
		struct node *one = (struct node *)node_empty(load, node->place);

		if (!(span_is(pair->key.text, "name") && !option_named(table, "name")) &&
		    !(span_is(pair->key.text, "timeout") && !timeout) && !span_is(pair->key.text, "machines") &&
		    !span_is(pair->key.text, "archive") && !span_is(pair->key.text, "retain"))
			continue;
		one->pairs = (struct pair *)pair;
		one->count = 1;
		own = node_merge(load, own, one);
	}
	if (!option_named(table, "name"))
		also[n++] = "name";
	if (!timeout)
		also[n++] = "timeout";
	also[n++] = "machines";
	also[n++] = "archive";
	also[n++] = "retain";
	also[n] = NULL;
	return option_fill(&load->options, own, endpoint_options, NULL, common);
}

static void refuse_machines(struct load *load, const struct node *node)
{
	load_error(load, node_find(node, "machines")->place, "endpoint.machines",
		   "`machines` goes with a source that is asked, such as {sftp: …} or {file: …}");
}

/* Where that is, beside the path: of adapters that reach another machine. */
static struct span machine_of(const struct node *node)
{
	const struct node *system = node_find(node, "system"), *host = node_find(node, "host");

	return !node_null(system) ? system->text : !node_null(host) ? host->text : SPAN_NONE;
}

static void take_place(struct load *load, const char *adapter, const struct pair *kind, const struct node *node,
		       const char *flow)
{
	struct taken taken = {adapter, NULL, flow};
	struct span machine = machine_of(node);

	if (kind->value->type != NODE_SCALAR || kind->value->text.len == 0)
		return;
	taken.where = arena_printf(load->arena, "%.*s:%.*s", SPAN_ARGS(machine), SPAN_ARGS(kind->value->text));
	for (size_t i = 0; i < load->taken_count; i++) {
		if (strcmp(load->taken[i].adapter, adapter) == 0 && strcmp(load->taken[i].where, taken.where) == 0) {
			load_error(load, kind->value->place, "endpoint.taken",
				   "the flow %s receives from here already; let this one subscribe to what that one "
				   "publishes",
				   load->taken[i].flow);
			return;
		}
	}
	load->taken = mem_grow(load->taken, &load->taken_capacity, load->taken_count + 1, sizeof *load->taken);
	load->taken[load->taken_count++] = taken;
}

static void fill_endpoint(struct load *load, struct endpoint *endpoint, const char *adapter, const char *flow,
			  struct place place)
{
	endpoint->adapter = adapter;
	endpoint->flow = flow;
	endpoint->system = "";
	endpoint->root = load->site->directory;
	endpoint->secrets = load->site->secrets_path;
	endpoint->place = place;
}

/* One that has no name of its own goes by the flow's, which is taken already. */
static void take_name(struct load *load, const struct known_name *name)
{
	if (load_name(load, "endpoint", name->name, name->place))
		load_take_name(load, name);
}

static const struct node *with_connection(struct load *load, const struct node *node, const char *key,
					  const struct option *table, const char **system_name);

/* ---- sources --------------------------------------------------------------------------------------------- */
int load_source(struct load *load, const char *flow, const struct node *node, size_t index, struct source *into)
{
	const struct pair *pair = NULL;
	const struct endpoint_kind *kind;
	const struct option *table;
	const char *also[ALSO_MAX], *adapter;
	struct common common = {0};
	size_t size;

	if (node->type != NODE_MAP) {
		load_error(load, node->place, "endpoint.form",
			   "`from` is a map such as {file: 'drop/*.edi'}, or a list of them");
		return -1;
	}
	kind = find_kind(load, node, true, &pair);
	if (!kind)
		return -1;
	into->poll = source_named(load->registry, kind->source);
	into->server = into->poll ? NULL : server_named(load->registry, kind->server);
	if (!into->poll && !into->server) {
		load_error(load, pair->key.place, "endpoint.later", "this build of Ferrule cannot receive from a `%s`",
			   kind->key);
		return -1;
	}
	table = into->poll ? into->poll->options : into->server->options;
	size = into->poll ? into->poll->settings_size : into->server->settings_size;
	adapter = into->poll ? into->poll->name : into->server->name;
	if (into->server && !load->listen.file)
		load->listen = pair->key.place;
	if (!is_one_kind(load, node, pair, table, true))
		return -1;
	node = spread(load, node, pair, table);
	fill_endpoint(load, &into->endpoint, adapter, flow, node->place);
	node = with_connection(load, node, kind->key, table, &into->endpoint.system);
	if (!node || fill_common(load, node, table, &common, also))
		return -1;
	into->endpoint.timeout_ms = common.timeout_ms;
	into->machines = (enum source_machines)common.machines;
	load_archive(load, node, NULL, common.archive, common.retain_ms, &into->endpoint);
	if (into->machines != SOURCE_AUTO && !into->poll)
		refuse_machines(load, node);
	into->endpoint.name = common.name  ? common.name
			      : index == 0 ? flow
					   : arena_printf(load->arena, "%s.%zu", flow, index + 1);
	if (!common.name && index > 0)
		load_warning(load, node->place, "endpoint.unnamed",
			     "give this source a name: without one it is number %zu of its flow, and after a change of "
			     "places in the list its documents are new ones",
			     index + 1);
	if (common.name || index > 0)
		take_name(load, &(struct known_name){into->endpoint.name, flow, NAME_SOURCE, node->place});
	take_place(load, adapter, pair, node, flow);
	into->endpoint.settings = load_fill(load, node, table, also, size);
	if (into->endpoint.settings)
		check_secret_values(load, node);
	return into->endpoint.settings ? 0 : -1;
}

/* ---- systems --------------------------------------------------------------------------------------------- */
static const struct system_node *find_system(struct load *load, struct span name, struct place place)
{
	const char **names = arena_alloc(load->arena, (load->systems_count + 1) * sizeof *names), *near;

	for (size_t i = 0; i < load->systems_count; i++) {
		names[i] = load->site->systems[i].name;
		if (span_is(name, names[i]))
			return &load->systems[i];
	}
	near = nearest_name(name, names, load->systems_count);
	load_error(load, place, "operation.system", "there is no system `%.*s`" NEAR, SPAN_ARGS(name),
		   NEAR_OR_ARGS(near, "", " in systems/; describe it in systems/", arena_span(load->arena, name).data,
				".yaml"));
	return NULL;
}

/* ---- connections ----------------------------------------------------------------------------------------- */
size_t connections_of(const struct registry *registry, struct connection into[CONNECTIONS_MAX])
{
	size_t n = 0;

	for (const struct endpoint_kind *kind = endpoint_kinds; kind->key; kind++) {
		const struct source_ops *source = source_named(registry, kind->source);
		const struct sink_ops *sink = sink_named(registry, kind->sink);
		struct connection one = {kind->key, source ? source->options : NULL, sink ? sink->options : NULL};

		if ((option_named(one.source, "system") || option_named(one.sink, "system")) && n < CONNECTIONS_MAX)
			into[n++] = one;
	}
	return n;
}

/* Of what a system says for both directions, the part that is known here. */
static const struct node *known_part(struct load *load, const struct node *map, const struct option *table)
{
	struct node *part = (struct node *)node_empty(load, map->place);

	part->pairs = arena_alloc(load->arena, (map->count + 1) * sizeof *part->pairs);
	for (size_t i = 0; i < map->count; i++)
		if (option_named(table, arena_span(load->arena, map->pairs[i].key.text).data))
			part->pairs[part->count++] = map->pairs[i];
	return part;
}

/* {sftp: 'out/<any>.edi', system: acme} → with what systems/acme.yaml says under `sftp`; the endpoint's own keys win.
 * NULL, with a finding, when there is no such system or it does not say it. */
static const struct node *with_connection(struct load *load, const struct node *node, const char *key,
					  const struct option *table, const char **system_name)
{
	const struct node *named = node_find(node, "system"), *connection;
	const struct system_node *system;
	struct node *merged;

	if (!option_named(table, "system") || node_null(named) || named->type != NODE_SCALAR)
		return node;
	system = find_system(load, named->text, named->place);
	if (!system)
		return NULL;
	*system_name = load->site->systems[system - load->systems].name;
	connection = node_find(system->node, key);
	if (node_null(connection)) {
		load_error(load, named->place, "option.missing",
			   "the system `%s` does not say how to reach it by %s; add `%s: {host: …}` to its file",
			   *system_name, key, key);
		return NULL;
	}
	if (connection->type != NODE_MAP)
		return NULL; /* said where the system was read */
	merged = (struct node *)node_merge(load, known_part(load, connection, table), node);
	merged->place = node->place;
	return merged;
}

/* ---- operations ------------------------------------------------------------------------------------------ */
static const struct node *find_operation(struct load *load, const struct system_node *system, const char *name,
					 struct place place)
{
	const struct node *operations = system->operations, *found = operations ? node_find(operations, name) : NULL;
	size_t count = operations && operations->type == NODE_MAP ? operations->count : 0;
	const char **names = arena_alloc(load->arena, (count + 1) * sizeof *names), *near;

	if (found)
		return found;
	for (size_t i = 0; i < count; i++)
		names[i] = arena_span(load->arena, operations->pairs[i].key.text).data;
	near = nearest_name(span_of(name), names, count);
	load_error(load, place, "operation.unknown", "the system `%s` has no operation `%s`" NEAR,
		   load->site->systems[system - load->systems].name, name, NEAR_ARGS(near));
	return NULL;
}

/* {operation: support.create-entitlement, …} → the system's settings, the operation's over them, and this flow's over
 * both. */
static const struct node *operation_node(struct load *load, const struct node *node, const struct pair *kind,
					 const char **system_name)
{
	static const char *const own[] = {"operation", NULL};
	static const char *const not_settings[] = {"summary", NULL};
	struct span text = kind->value->text;
	const char *dot = kind->value->type == NODE_SCALAR && text.len > 0 ? memchr(text.data, '.', text.len) : NULL;
	const struct system_node *system;
	const struct node *operation;
	struct node *merged;

	if (!dot) {
		load_error(load, kind->value->place, "operation.form",
			   "an operation is SYSTEM.OPERATION, such as support.create-entitlement");
		return NULL;
	}
	system = find_system(load, span_make(text.data, dot - text.data), kind->value->place);
	if (!system)
		return NULL;
	operation = find_operation(load, system,
				   arena_span(load->arena, span_make(dot + 1, text.len - (dot + 1 - text.data))).data,
				   kind->value->place);
	if (!operation)
		return NULL;
	*system_name = load->site->systems[system - load->systems].name;
	if (!node_null(operation) && operation->type != NODE_MAP)
		return NULL; /* said where the system was read */
	operation = node_null(operation) ? NULL : node_without(load, operation, not_settings);
	merged = (struct node *)node_merge(load, node_merge(load, system->settings, operation),
					   node_without(load, node, own));
	merged->place = node->place;
	return merged;
}

/* ---- sinks ----------------------------------------------------------------------------------------------- */
struct sink_nodes {
	const struct node *settings, *effect, *retry;
	const char *system;
};

static int split_sink(struct load *load, const struct node *to, const struct pair *pair,
		      const struct endpoint_kind *kind, const struct sink_ops *ops, struct sink_nodes *into)
{
	static const char *const flow_level[] = {"effect", "retry", NULL};
	const struct node *merged;

	into->system = "";
	if (strcmp(kind->key, "operation") != 0) {
		into->settings = with_connection(load, spread(load, to, pair, ops->options), kind->key, ops->options,
						 &into->system);
		return into->settings ? 0 : -1;
	}
	merged = operation_node(load, to, pair, &into->system);
	if (!merged)
		return -1;
	if (node_null(into->effect))
		into->effect = node_find(merged, "effect");
	if (node_null(into->retry))
		into->retry = node_find(merged, "retry");
	into->settings = node_without(load, merged, flow_level);
	return 0;
}

static void fill_retry(struct load *load, const struct node *node, struct place place, struct retry_spec *retry)
{
	if (node_null(node))
		node = node_empty(load, place);
	if (option_fill(&load->options, node, retry_options, NULL, retry))
		return;
	if (retry->from_ms < 1 || retry->to_ms < retry->from_ms || retry->for_ms < retry->from_ms)
		load_error(load, node->place, "retry.order",
			   "`retry` needs from ≤ to, and from ≤ for, and more than nothing");
	else if (retry->for_ms > load->site->queue_lifetime_ms)
		load_error(load, node->place, "retry.lifetime",
			   "`retry: for` is longer than messages may stay in a queue (site.yaml, retention: queue)");
}

/* The adapter's own `timeout`, where it has one, else ours. */
static int64_t timeout_of(const struct option *table, const void *settings, const struct common *common)
{
	const struct option *own = option_named(table, "timeout");

	if (own && own->type == OPTION_DURATION && settings)
		return *(const int64_t *)((const char *)settings + own->offset);
	return common->timeout_ms;
}

int load_sink(struct load *load, struct flow *flow, const struct node *to, const struct node *effect,
	      const struct node *retry)
{
	struct sink_nodes nodes = {NULL, effect, retry, ""};
	struct endpoint *sink = arena_alloc(load->arena, sizeof *sink);
	struct common common = {0};
	const struct pair *pair = NULL;
	const struct endpoint_kind *kind;
	const struct sink_ops *ops;
	const char *also[ALSO_MAX];
	int result = -1;

	fill_retry(load, retry, to->place, &flow->retry);
	if (to->type != NODE_MAP) {
		load_error(load, to->place, "endpoint.form",
			   "`to` is a map such as {file: 'out/$(.number).xml'}, just one");
		return -1;
	}
	kind = find_kind(load, to, false, &pair);
	if (!kind)
		return -1;
	ops = sink_named(load->registry, kind->sink);
	if (!ops) {
		load_error(load, pair->key.place, "endpoint.later", "this build of Ferrule cannot deliver to a `%s`",
			   kind->key);
		return -1;
	}
	if (!is_one_kind(load, to, pair, ops->options, false) || split_sink(load, to, pair, kind, ops, &nodes))
		return -1;
	fill_endpoint(load, sink, ops->name, flow->name, to->place);
	sink->system = nodes.system;
	if (load_effect(load, nodes.effect, pair->key.place, ops, &sink->effect) == 0 &&
	    fill_common(load, nodes.settings, ops->options, &common, also) == 0) {
		if (common.machines != SOURCE_AUTO)
			refuse_machines(load, nodes.settings);
		load_archive(load, nodes.settings, ops, common.archive, common.retain_ms, sink);
		sink->settings = load_fill(load, nodes.settings, ops->options, also, ops->settings_size);
		if (sink->settings)
			check_secret_values(load, nodes.settings);
		result = sink->settings ? 0 : -1;
	}
	if (nodes.retry != retry)
		fill_retry(load, nodes.retry, to->place, &flow->retry);
	sink->name = common.name ? common.name : flow->name;
	sink->retry = flow->retry;
	sink->timeout_ms = timeout_of(ops->options, sink->settings, &common);
	if (common.name)
		take_name(load, &(struct known_name){sink->name, flow->name, NAME_SINK, to->place});
	flow->sink = sink;
	flow->sink_ops = ops;
	flow->out_queue = arena_printf(load->arena, "out.%s", sink->name);
	return result;
}
