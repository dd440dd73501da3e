/* Systems: how to reach one, and its operations. See load.h. */
#include "config.h"
#include "config/load.h"

#include <stddef.h>

struct system_settings {
	const char *name, *owner, *summary, *runbook;
	const struct node *operations;
};
const struct option system_options[] = {
	{.name = "system",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct system_settings, name),
	 .flags = OPTION_REQUIRED,
	 .help = "its name"},
	{.name = "owner",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct system_settings, owner),
	 .flags = OPTION_REQUIRED,
	 .help = "who answers for it: a team"},
	{.name = "summary",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct system_settings, summary),
	 .help = "what it is, in a sentence"},
	{.name = "runbook",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct system_settings, runbook),
	 .help = "what to do when it fails: a file or an address"},
	{.name = "operations",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct system_settings, operations),
	 .range = "<operation>",
	 .flags = OPTION_NAMED,
	 .help = "NAME: settings, over those of the system"},
	OPTION_END,
};
static const char *const own_keys[] = {"system", "owner", "summary", "runbook", "operations", NULL};

static void refuse_others(struct load *load, const struct node *node, const char *const *names, size_t n)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct node *key = &node->pairs[i].key;
		const char *near;
		size_t k = 0;

		while (k < n && !span_is(key->text, names[k]))
			k++;
		if (k < n)
			continue;
		near = nearest_name(key->text, names, n);
		load_error(load, key->place, "option.unknown", "unknown key `%.*s`" NEAR, SPAN_ARGS(key->text),
			   NEAR_ARGS(near));
	}
}

/* The settings of both are those of the sink that will use them; each is checked where a flow uses it. Here only names.
 */
static void check_keys(struct load *load, const struct node *node, const char *const *own)
{
	static const char *const common[] = {"effect", "retry", "timeout", "name", NULL};
	const char *names[CHOICES_MAX * 2 + CONNECTIONS_MAX];
	struct connection connection[CONNECTIONS_MAX];
	size_t n = 0, connections = connections_of(load->registry, connection);

	for (const char *const *key = own; *key; key++)
		names[n++] = *key;
	for (const char *const *key = common; *key; key++)
		names[n++] = *key;
	for (const struct sink_ops *const *ops = load->registry->sinks; ops && *ops; ops++) {
		if (strcmp((*ops)->name, "http") != 0)
			continue;
		for (const struct option *option = (*ops)->options; option && option->name && n < CHOICES_MAX * 2;
		     option++)
			names[n++] = option->name;
	}
	if (own == own_keys)
		for (size_t i = 0; i < connections; i++)
			names[n++] = connection[i].key;
	refuse_others(load, node, names, n);
}

static size_t add_names(const struct option *table, const char **names, size_t n, size_t max)
{
	for (; table && table->name && n < max; table++)
		names[n++] = table->name;
	return n;
}

/* What it says of how to reach it, which endpoints take from there: the names that either direction knows. */
static void check_connections(struct load *load, const struct node *node)
{
	const char *names[CHOICES_MAX * 2];
	struct connection connection[CONNECTIONS_MAX];
	size_t connections = connections_of(load->registry, connection), n;

	for (size_t i = 0; i < connections; i++) {
		const struct node *said = node_find(node, connection[i].key);

		if (node_null(said))
			continue;
		if (said->type != NODE_MAP) {
			load_error(load, said->place, "endpoint.form",
				   "`%s` of a system is a map of settings, such as {host: …}", connection[i].key);
			continue;
		}
		n = add_names(connection[i].source, names, 0, CHOICES_MAX * 2);
		n = add_names(connection[i].sink, names, n, CHOICES_MAX * 2);
		refuse_others(load, said, names, n);
	}
}

static void check_operations(struct load *load, const struct node *operations)
{
	static const char *const own[] = {"summary", NULL};

	if (node_null(operations))
		return;
	if (operations->type != NODE_MAP) {
		load_error(load, operations->place, "system.operations",
			   "`operations` is a map: NAME: {method: POST, …}");
		return;
	}
	for (size_t i = 0; i < operations->count; i++) {
		const struct node *value = operations->pairs[i].value;

		load_name(load, "operation", arena_span(load->arena, operations->pairs[i].key.text).data,
			  operations->pairs[i].key.place);
		if (value->type == NODE_MAP)
			check_keys(load, value, own);
		else if (!node_null(value))
			load_error(load, value->place, "system.operations",
				   "an operation is a map of settings, such as {method: POST, path: /orders}");
	}
}

/* What its operations start from. */
static const struct node *settings_of(struct load *load, const struct node *node)
{
	struct connection connection[CONNECTIONS_MAX];
	const char *keys[CONNECTIONS_MAX + 1];
	size_t n = connections_of(load->registry, connection);

	for (size_t i = 0; i < n; i++)
		keys[i] = connection[i].key;
	keys[n] = NULL;
	return node_without(load, node_without(load, node, own_keys), keys);
}

void load_system(struct load *load, const struct node *node)
{
	struct site *site = load->site;
	struct system_settings settings = {0};
	struct node *ours = (struct node *)node_empty(load, node->place);
	const struct node *name = node_find(node, "system");

	ours->pairs = arena_alloc(load->arena, (node->count + 1) * sizeof *ours->pairs);
	for (size_t i = 0; i < node->count; i++) {
		for (const char *const *key = own_keys; *key; key++) {
			if (span_is(node->pairs[i].key.text, *key))
				ours->pairs[ours->count++] = node->pairs[i];
		}
	}
	option_fill(&load->options, ours, system_options, NULL, &settings);
	check_keys(load, node, own_keys);
	check_connections(load, node);
	check_operations(load, settings.operations);
	load_owner(load, settings.owner, node);
	if (!settings.name || !load_name(load, "system", settings.name, name->place))
		return;
	if (strchr(settings.name, '.')) {
		load_error(load, name->place, "name.form",
			   "a system's name has no dot: operations are SYSTEM.OPERATION");
		return;
	}
	load_take_name(load, &(struct known_name){settings.name, NULL, NAME_SYSTEM, name->place});
	site->systems =
		mem_grow(site->systems, &load->site_systems_capacity, site->systems_count + 1, sizeof *site->systems);
	site->systems[site->systems_count++] =
		(struct system){settings.name, settings.owner, settings.summary, settings.runbook, name->place};
	load->systems =
		mem_grow(load->systems, &load->systems_capacity, load->systems_count + 1, sizeof *load->systems);
	load->systems[load->systems_count++] = (struct system_node){node, settings_of(load, node), settings.operations};
}
