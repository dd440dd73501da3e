/* Option tables as JSON Schema. See editor_schema.h. Plain keywords are preferred, because an editor's messages and
 * completions are better with them. */
#include "config.h"
#include "config/editor_schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/load.h"
#include "config/trial.h"

#define VARIABLE ".*\\$\\{.*"
#define BYTES "[0-9]+ ?([KMGT]?B|[KMGT]iB)?"

const struct editor_schema_kind editor_schema_kinds[] = {
	{"site", "site.yaml", "The settings of a Ferrule site"},
	{"flow", "flows/*.yaml", "A flow: source or subscription, steps, publication or delivery"},
	{"transfer", "transfers/*.yaml", "A managed file transfer: a flow with a schedule"},
	{"calendar", "calendars/*.yaml", "A calendar: which days are working days"},
	{"system", "systems/*.yaml", "A system: how to reach it, and its operations"},
	{"snippet", "snippets/*.yaml", "A snippet: steps with parameters, for several flows"},
	{"test", "tests/*.yaml", "A test: an input, and what must come of it"},
	{"environment", "environments/*.yaml", "Values of an environment: they replace ${NAME} in the other files"},
	{NULL, NULL, NULL},
};

static json_t *of_table(const struct option *table, const struct option *more, const char *const *left_out,
			bool partial);

static json_t *reference(const char *name)
{
	return json_pack("{s:o}", "$ref", json_sprintf("#/$defs/%s", name));
}

/* One of several; a single one stands alone. Takes the list. */
static json_t *any_of(json_t *list)
{
	json_t *only = json_array_size(list) == 1 ? json_incref(json_array_get(list, 0)) : NULL;

	if (!only)
		return json_pack("{s:o}", "anyOf", list);
	json_decref(list);
	return only;
}

static json_t *one_or_list(json_t *item)
{
	return json_pack("{s:[O,{s:s,s:o}]}", "anyOf", item, "type", "array", "items", item);
}

/* ---- scalars --------------------------------------------------------------------------------------------- */
/* A word of digits is a number to who reads YAML by its types: 0640 is 640 there. */
static json_t *words_of(const char *range)
{
	json_t *words = json_array();

	while (range && *range) {
		size_t n = strcspn(range, "|");

		if (*range != '<')
			json_array_append_new(words, json_stringn(range, n));
		if (strspn(range, "0123456789") == n)
			json_array_append_new(words, json_integer(strtoll(range, NULL, 10)));
		range += n + (range[n] == '|');
	}
	return words;
}

static json_t *of_int(const char *range)
{
	const char *dots = range ? strstr(range, "..") : NULL;
	json_t *number = json_pack("{s:s}", "type", "integer");

	if (dots && dots > range)
		json_object_set_new(number, "minimum", json_integer(strtoll(range, NULL, 10)));
	if (dots && dots[2])
		json_object_set_new(number, "maximum", json_integer(strtoll(dots + 2, NULL, 10)));
	return json_pack("{s:[o,o]}", "anyOf", number, reference("variable"));
}

static json_t *of_node(const struct option *option)
{
	json_t *choices = json_array(), *words = words_of(option->range), *schema;

	if (option->table)
		json_array_append_new(choices, of_table(option->table, NULL, NULL, false));
	if (json_array_size(words) > 0)
		json_array_append_new(choices, json_pack("{s:O}", "enum", words));
	for (const char *at = option->range; at && (at = strchr(at, '<')); at++) {
		size_t n = strcspn(at + 1, ">");

		json_array_append_new(choices,
				      json_pack("{s:o}", "$ref", json_sprintf("#/$defs/%.*s", (int)n, at + 1)));
	}
	json_decref(words);
	if (json_array_size(choices) == 0)
		json_array_append_new(choices, json_object()); /* whatever the module reads */
	schema = any_of(choices);
	if (option->flags & OPTION_LIST)
		return one_or_list(schema);
	if (option->flags & OPTION_NAMED)
		return json_pack("{s:s,s:{s:[o,{s:s}]}}", "type", "object", "additionalProperties", "anyOf", schema,
				 "type", "null");
	return schema;
}

static json_t *value_of(const struct option *option)
{
	switch (option->type) {
	case OPTION_INT:
		return of_int(option->range);
	case OPTION_SIZE:
		return reference("size");
	case OPTION_RATE:
		return reference("rate");
	case OPTION_DURATION:
		return reference("duration");
	case OPTION_BOOL:
		return reference("switch");
	case OPTION_ENUM:
		return json_pack("{s:[{s:o},o]}", "anyOf", "enum", words_of(option->range), reference("variable"));
	case OPTION_EXPRESSION:
		return reference("jq");
	case OPTION_EXPRESSIONS:
		return reference("expressions");
	case OPTION_TEXTS:
	case OPTION_FILES:
		return reference("texts");
	case OPTION_TEMPLATES:
	case OPTION_MAPPINGS:
		return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", reference("text"));
	case OPTION_SECRET:
		return reference("secret");
	case OPTION_TABLE:
		return of_table(option->table, NULL, NULL, false);
	case OPTION_NODE:
		return of_node(option);
	default:
		return reference("text");
	}
}

/* ---- tables ---------------------------------------------------------------------------------------------- */
static json_t *default_of(const struct option *option)
{
	if (option->type == OPTION_INT)
		return json_integer(strtoll(option->fallback, NULL, 10));
	if (option->type == OPTION_BOOL)
		return json_boolean(strchr("yto", *option->fallback) && strcmp(option->fallback, "off") != 0);
	return json_string(option->fallback);
}

/* What an editor shows over the key. */
static void describe(json_t *schema, const struct option *option)
{
	const char *type = option->type == OPTION_DURATION     ? " A duration: 250ms, 90s, 1h30m, 5d."
			   : option->type == OPTION_SIZE       ? " A size: 512, 64KiB, 10MB."
			   : option->type == OPTION_EXPRESSION ? " A jq expression."
			   : option->type == OPTION_TEMPLATE   ? " In it $(.jq) is evaluated for each message."
			   : option->type == OPTION_SECRET     ? " {secret: NAME}: a file of secrets/."
			   : option->type == OPTION_MAPPING    ? " A file of mappings/."
							       : "";
	char *text = mem_printf("%s.%s%s%s%s", option->help ? option->help : option->name, type,
				option->fallback ? " Default: " : "", option->fallback ? option->fallback : "",
				option->fallback ? "." : "");

	text[0] = (char)toupper((unsigned char)text[0]);
	json_object_set_new(schema, "description", json_string(text));
	if (option->fallback && option->type != OPTION_TABLE && option->type != OPTION_NODE)
		json_object_set_new(schema, "default", default_of(option));
	free(text);
}

static json_t *of_option(const struct option *option)
{
	json_t *schema = value_of(option);

	describe(schema, option);
	return schema;
}

static bool is_left_out(const char *const *left_out, const char *name)
{
	for (; left_out && *left_out; left_out++) {
		if (strcmp(*left_out, name) == 0)
			return true;
	}
	return false;
}

static void add_options(json_t *properties, json_t *required, const struct option *table, const char *const *left_out);

/* Keys that some word brings: any of them may stand there, none must; check says which do not fit together. */
static void add_more(json_t *properties, const struct option *option, const char *const *left_out)
{
	json_t *words = words_of(option->range), *unused = json_array();

	for (size_t i = 0; i < json_array_size(words); i++) {
		const struct option_more *more = option->more((int)i);

		if (more)
			add_options(properties, unused, more->table, left_out);
	}
	json_decref(unused);
	json_decref(words);
}

static void add_options(json_t *properties, json_t *required, const struct option *table, const char *const *left_out)
{
	for (; table && table->name; table++) {
		if (table->more)
			add_more(properties, table, left_out);
		if (is_left_out(left_out, table->name) || json_object_get(properties, table->name))
			continue;
		json_object_set_new(properties, table->name, of_option(table));
		if (table->flags & OPTION_REQUIRED)
			json_array_append_new(required, json_string(table->name));
	}
}

/* The map that the tables describe. partial: nothing is required, the rest is said elsewhere. */
static json_t *map_of(const struct option *table, const struct option *more, const char *const *left_out, bool partial)
{
	json_t *properties = json_object(), *required = json_array(),
	       *map = json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties, "additionalProperties", 0);

	add_options(properties, required, table, left_out);
	add_options(properties, required, more, left_out);
	if (!partial && json_array_size(required) > 0)
		json_object_set(map, "required", required);
	json_decref(required);
	return map;
}

/* What may stand in place of the whole map: a map is never that. */
static json_t *alone(const struct option *main)
{
	json_t *schema = value_of(main);

	if (main->type != OPTION_NODE)
		return schema;
	if (main->flags & OPTION_LIST) {
		json_t *list = json_incref(json_array_get(json_object_get(schema, "anyOf"), 1));

		json_decref(schema);
		return list;
	}
	json_object_set_new(schema, "type", json_pack("[s,s,s,s]", "string", "number", "boolean", "array"));
	return schema;
}

/* The same, or what its main option is, alone: that comes first, because editors tell what is wrong with the first. */
static json_t *of_table(const struct option *table, const struct option *more, const char *const *left_out,
			bool partial)
{
	const struct option *main = option_main_of(table);
	json_t *map = map_of(table, more, left_out, partial);

	return main ? json_pack("{s:[o,o]}", "anyOf", alone(main), map) : map;
}

/* {KEY: main value or a map, and the other settings beside it}: steps and endpoints. */
static json_t *keyed(const char *key, const char *help, const struct option *table, const struct option *more)
{
	const struct option *main = option_main_of(table);
	const char *const own[] = {main ? main->name : "", NULL};
	json_t *map = map_of(table, more, own, true), *value, *properties = json_object_get(map, "properties");

	value = of_table(table, NULL, NULL, false);
	if (!main || !(main->flags & OPTION_REQUIRED))
		value = json_pack("{s:[o,{s:s}]}", "anyOf", value, "type", "null");
	json_object_set_new(value, "description", json_sprintf("%s.", help));
	json_object_set_new(properties, key, value);
	json_object_set_new(map, "required", json_pack("[s]", key));
	return map;
}

/* ---- what config reads by itself ------------------------------------------------------------------------------ */
static json_t *of_steps(const struct registry *registry)
{
	json_t *steps = json_array(), *names = json_array();

	for (const struct transformer_ops *const *ops = registry->transformers; ops && *ops; ops++) {
		json_array_append_new(steps, keyed((*ops)->name, (*ops)->help, (*ops)->options, step_options));
		json_array_append_new(names, json_string((*ops)->name));
	}
	json_array_append_new(steps, json_pack("{s:o}", "enum", names));
	return json_pack("{s:o}", "anyOf", steps);
}

static json_t *of_sources(const struct registry *registry)
{
	json_t *kinds = json_array();

	for (const struct endpoint_kind *kind = endpoint_kinds; kind->key; kind++) {
		for (const struct source_ops *const *ops = registry->sources; ops && *ops; ops++) {
			if (kind->source && strcmp(kind->source, (*ops)->name) == 0)
				json_array_append_new(
					kinds, keyed(kind->key, (*ops)->help, (*ops)->options, endpoint_options));
		}
		for (const struct server_ops *const *ops = registry->servers; ops && *ops; ops++) {
			if (kind->server && strcmp(kind->server, (*ops)->name) == 0)
				json_array_append_new(
					kinds, keyed(kind->key, (*ops)->help, (*ops)->options, endpoint_options));
		}
	}
	json_array_append_new(kinds,
			      json_pack("{s:s,s:{s:{s:s}},s:[s],s:b}", "type", "object", "properties", "transfer",
					"type", "string", "required", "transfer", "additionalProperties", 0));
	return any_of(kinds);
}

/* The settings of systems and operations, which are those of the sink that uses them; flows may say them as well. */
static const struct sink_ops *operation_sink(const struct registry *registry)
{
	for (const struct endpoint_kind *kind = endpoint_kinds; kind->key; kind++) {
		for (const struct sink_ops *const *ops = registry->sinks; ops && *ops; ops++) {
			if (strcmp(kind->key, "operation") == 0 && strcmp(kind->sink, (*ops)->name) == 0)
				return *ops;
		}
	}
	return NULL;
}

static void add_delivery(json_t *properties)
{
	static const char *const keys[] = {"effect", "retry"};

	for (const struct option *option = flow_options; option->name; option++) {
		for (size_t i = 0; i < 2; i++) {
			if (strcmp(option->name, keys[i]) == 0)
				json_object_set_new(properties, keys[i], of_option(option));
		}
	}
}

/* How to reach a system, which endpoints of either direction take from there. */
static void add_connections(const struct registry *registry, json_t *properties)
{
	struct connection connection[CONNECTIONS_MAX];
	size_t n = connections_of(registry, connection);

	for (size_t i = 0; i < n; i++) {
		json_t *map = map_of(connection[i].source, connection[i].sink, NULL, true);

		json_object_set_new(
			map, "description",
			json_sprintf("What `%s` endpoints with `system:` take from here.", connection[i].key));
		json_object_set_new(properties, connection[i].key, map);
	}
}

static json_t *operation_map(const struct registry *registry, const struct option *more)
{
	const struct sink_ops *sink = operation_sink(registry);
	json_t *map = map_of(more, sink ? sink->options : NULL, NULL, true),
	       *properties = json_object_get(map, "properties"), *unused = json_array();

	add_options(properties, unused, endpoint_options, NULL);
	add_delivery(properties);
	json_decref(unused);
	return map;
}

static json_t *of_sinks(const struct registry *registry)
{
	json_t *kinds = json_array(), *map;

	for (const struct endpoint_kind *kind = endpoint_kinds; kind->key; kind++) {
		for (const struct sink_ops *const *ops = registry->sinks; ops && *ops; ops++) {
			if (!kind->sink || strcmp(kind->sink, (*ops)->name) != 0)
				continue;
			if (strcmp(kind->key, "operation") != 0) {
				json_array_append_new(
					kinds, keyed(kind->key, (*ops)->help, (*ops)->options, endpoint_options));
				continue;
			}
			map = operation_map(registry, NULL);
			json_object_set_new(json_object_get(map, "properties"), kind->key,
					    json_pack("{s:s,s:s,s:s}", "type", "string", "pattern",
						      "^[^.]+\\..+$|" VARIABLE, "description",
						      "An operation of a system: SYSTEM.OPERATION, see systems/."));
			json_object_set_new(map, "required", json_pack("[s]", kind->key));
			json_array_append_new(kinds, map);
		}
	}
	return any_of(kinds);
}

/* `spool`, or {amqp: settings} */
static void add_choice(json_t *names, json_t *maps, const char *name, const char *help, const struct option *options)
{
	json_t *settings = of_table(options, NULL, NULL, false);

	json_object_set_new(settings, "description", json_sprintf("%s.", help));
	json_array_append_new(names, json_string(name));
	json_array_append_new(maps, json_pack("{s:s,s:{s:o},s:[s],s:b}", "type", "object", "properties", name, settings,
					      "required", name, "additionalProperties", 0));
}

static json_t *of_choices(json_t *names, json_t *maps)
{
	json_array_append_new(maps, json_pack("{s:o}", "enum", names));
	return any_of(maps);
}

static json_t *of_queue(const struct registry *registry)
{
	json_t *names = json_array(), *maps = json_array();

	for (const struct broker_ops *const *ops = registry->brokers; ops && *ops; ops++)
		add_choice(names, maps, (*ops)->name, (*ops)->help, (*ops)->options);
	return of_choices(names, maps);
}

static json_t *of_store(const struct registry *registry)
{
	json_t *names = json_array(), *maps = json_array();

	for (const struct db_ops *const *ops = registry->stores; ops && *ops; ops++)
		add_choice(names, maps, (*ops)->name, (*ops)->help, (*ops)->options);
	return of_choices(names, maps);
}

static json_t *of_listen(const struct registry *registry)
{
	json_t *names = json_array(), *maps = json_array();

	for (const struct server_ops *const *ops = registry->servers; ops && *ops; ops++)
		add_choice(names, maps, (*ops)->name, (*ops)->help, (*ops)->listen_options);
	return of_choices(names, maps);
}

static json_t *of_operation(const struct registry *registry)
{
	static const struct option summary[] = {
		{.name = "summary", .type = OPTION_TEXT, .help = "what it does, in a sentence"}, OPTION_END};

	return json_pack("{s:[o,{s:s}]}", "anyOf", operation_map(registry, summary), "type", "null");
}

static json_t *pattern(const char *text, const char *message)
{
	return json_pack("{s:[s,s],s:s,s:s}", "type", "string", "integer", "pattern", text, "patternErrorMessage",
			 message);
}

/* Tests under `cases:`, which have from around them what they do not say. */
static json_t *of_cases(void)
{
	static const char *const left_out[] = {"cases", NULL};
	json_t *one = map_of(trial_options, NULL, left_out, true);

	json_object_set_new(one, "required", json_pack("[s]", "test"));
	return json_pack("{s:s,s:o}", "type", "array", "items", one);
}

static json_t *definitions(const struct registry *registry)
{
	json_t *all = json_object();

	json_object_set_new(all, "variable", json_pack("{s:s,s:s}", "type", "string", "pattern", VARIABLE));
	json_object_set_new(all, "text", json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean"));
	json_object_set_new(all, "jq", reference("text"));
	json_object_set_new(all, "texts", one_or_list(reference("text")));
	json_object_set_new(all, "expressions", reference("texts"));
	json_object_set_new(all, "duration",
			    pattern("^([0-9]{1,10}(d|h|m|s|ms))+$|" VARIABLE, "a duration: 250ms, 90s, 1h30m or 5d"));
	json_object_set_new(all, "rate", pattern("^" BYTES "/s$|" VARIABLE, "bytes a second: 2MB/s or 512KiB/s"));
	json_object_set_new(all, "size", pattern("^" BYTES "$|" VARIABLE, "a size such as 512, 64KiB or 10MB"));
	json_object_set_new(all, "switch",
			    json_pack("{s:[{s:s},{s:[s,s,s,s]},o]}", "anyOf", "type", "boolean", "enum", "yes", "no",
				      "on", "off", reference("variable")));
	json_object_set_new(all, "secret",
			    json_pack("{s:s,s:{s:{s:s,s:s}},s:[s],s:b}", "type", "object", "properties", "secret",
				      "type", "string", "description", "The name of a file in secrets/.", "required",
				      "secret", "additionalProperties", 0));
	json_object_set_new(all, "columns",
			    json_pack("{s:s,s:{s:[o,{s:s,s:i,s:o}]}}", "type", "array", "items", "anyOf",
				      reference("text"), "type", "object", "maxProperties", 1, "additionalProperties",
				      reference("jq")));
	json_object_set_new(all, "steps", json_pack("{s:s,s:o}", "type", "array", "items", reference("step")));
	json_object_set_new(all, "step", of_steps(registry));
	json_object_set_new(all, "from", of_sources(registry));
	json_object_set_new(all, "to", of_sinks(registry));
	json_object_set_new(all, "queue", of_queue(registry));
	json_object_set_new(all, "store", of_store(registry));
	json_object_set_new(all, "listen", of_listen(registry));
	json_object_set_new(all, "operation", of_operation(registry));
	json_object_set_new(all, "count", json_pack("{s:s,s:i}", "type", "integer", "minimum", 0));
	json_object_set_new(all, "data", json_object());
	json_object_set_new(all, "cases", of_cases());
	return all;
}

/* ---- the kinds of file ------------------------------------------------------------------------------------------ */
/* What refers to a definition keeps it, and what that one refers to; the others go. */
static void keep_used(const json_t *schema, const json_t *all, json_t *used)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_array(schema)) {
		json_array_foreach((json_t *)schema, i, value)
			keep_used(value, all, used);
		return;
	}
	json_object_foreach((json_t *)schema, key, value) {
		const char *name = strcmp(key, "$ref") == 0 && json_is_string(value)
					   ? json_string_value(value) + strlen("#/$defs/")
					   : NULL;
		json_t *definition = name ? json_object_get(all, name) : NULL;

		if (definition && !json_object_get(used, name)) {
			json_object_set(used, name, definition);
			keep_used(definition, all, used);
		}
		keep_used(value, all, used);
	}
}

/* Either `from` or `subscribe`; `effect` where it is delivered; what goes with one of them only. */
static json_t *flow_rules(void)
{
	return json_loads("[{\"if\": {\"required\": [\"from\"]}, \"then\": {\"properties\": {\"subscribe\": false}},"
			  "  \"else\": {\"required\": [\"subscribe\"], \"properties\": {\"duplicates\": false}}},"
			  " {\"if\": {\"required\": [\"to\"]}, \"then\": {\"properties\": {\"publish\": false}},"
			  "  \"else\": {\"properties\": {\"effect\": false, \"retry\": false}}},"
			  " {\"if\": {\"required\": [\"to\"], \"properties\": {\"to\": {\"type\": \"object\","
			  "  \"not\": {\"anyOf\": [{\"required\": [\"operation\"]}, {\"required\": [\"effect\"]}]}}}},"
			  "  \"then\": {\"required\": [\"effect\"]}}]",
			  0, NULL);
}

static json_t *body_of(const struct registry *registry, const char *kind)
{
	const struct sink_ops *sink = operation_sink(registry);
	json_t *map;

	if (strcmp(kind, "site") == 0)
		return map_of(site_options, NULL, NULL, false);
	if (strcmp(kind, "snippet") == 0)
		return map_of(snippet_options, NULL, NULL, false);
	if (strcmp(kind, "flow") == 0) {
		map = map_of(flow_options, NULL, NULL, false);
		json_object_set_new(map, "allOf", flow_rules());
		return map;
	}
	if (strcmp(kind, "calendar") == 0)
		return map_of(calendar_options, NULL, NULL, false);
	if (strcmp(kind, "transfer") == 0)
		return map_of(transfer_options, flow_options, (const char *const[]){"flow", NULL}, false);
	if (strcmp(kind, "test") == 0) {
		map = map_of(trial_options, NULL, NULL, true);
		json_object_set_new(
			map, "anyOf",
			json_pack("[{s:[s,s,s]},{s:[s]}]", "required", "test", "flow", "input", "required", "cases"));
		return map;
	}
	if (strcmp(kind, "system") == 0) {
		json_t *required = json_pack("[s,s]", "system", "owner"), *properties, *unused = json_array();

		map = map_of(system_options, NULL, NULL, false);
		properties = json_object_get(map, "properties");
		add_options(properties, unused, sink ? sink->options : NULL, NULL);
		add_options(properties, unused, endpoint_options, NULL);
		add_delivery(properties);
		add_connections(registry, properties);
		json_object_set_new(map, "required", required);
		json_decref(unused);
		return map;
	}
	return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", reference("text"));
}

json_t *editor_schema_new(const struct registry *registry, const char *name)
{
	const struct editor_schema_kind *kind = editor_schema_kinds;
	json_t *schema, *all, *used;

	while (kind->name && strcmp(kind->name, name) != 0)
		kind++;
	if (!kind->name)
		return NULL;
	schema = json_pack("{s:s,s:s,s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
			   kind->title, "description",
			   json_sprintf("%s of a Ferrule site, as ferrule %s reads it.", kind->files, PACKAGE_VERSION));
	json_object_update_missing_new(schema, body_of(registry, name));
	all = definitions(registry);
	used = json_object();
	keep_used(schema, all, used);
	if (json_object_size(used) > 0)
		json_object_set(schema, "$defs", used);
	json_decref(used);
	json_decref(all);
	return schema;
}
