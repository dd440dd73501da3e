/* The effective configuration. See effective.h. A file is read twice, with its variables and without, and both trees
 * are walked together: the one has the values, the other tells what they were made of. */
#include "config.h"
#include "config/effective.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config/load.h"

#define HIDDEN "***"
#define FORM_MAX 65536

struct effective {
	const struct site *site;
	const struct registry *registry;
	struct arena *arena;
	struct findings unused;         /* what is wrong was told when the site was loaded */
	const struct node *environment; /* of the environment's file, or NULL */
	json_t *origins;                /* of the document at hand */
	bool defaults;
	bool raw; /* a snippet: what has nothing behind it is a parameter without a default */
};

/* ---- where a value comes from ---------------------------------------------------------------------------- */
struct asked {
	const char *name; /* the first variable that the value asks for; NULL: none */
	const struct effective *e;
	bool secret;
};

/* By its name, or because its value goes where credentials stand. */
static bool is_secret(const struct effective *e, const char *variable)
{
	return variable_sounds_secret(variable) || json_object_get(e->site->load->secret_variables, variable);
}

static void note_variable(void *arg, struct span name, struct span fallback)
{
	struct asked *asked = arg;
	const char *text = arena_printf(asked->e->arena, "%.*s", SPAN_ARGS(name));

	(void)fallback;
	if (!asked->name)
		asked->name = text;
	asked->secret = asked->secret || is_secret(asked->e, text);
}

static json_t *origin_new(const char *from, struct place place)
{
	return json_pack("{s:s,s:s,s:i,s:i}", "from", from, "file", place.file ? place.file : "", "line",
			 (int)place.line, "column", (int)place.column);
}

/* raw: as it was written, before variables were replaced. */
static bool note_origin(struct effective *e, const struct node *raw, const char *pointer)
{
	struct asked asked = {.e = e};
	const struct node *value;
	json_t *origin;

	if (!e->raw)
		yaml_variables_each(raw->text, note_variable, &asked);
	value = asked.name && e->environment ? node_find(e->environment, asked.name) : NULL;
	origin = origin_new(!asked.name                                               ? "file"
			    : value                                                   ? "environment"
			    : json_object_get(e->site->bundle->variables, asked.name) ? "variable"
										      : "variable-default",
			    raw->place);
	if (asked.name)
		json_object_set_new(origin, "variable", json_string(asked.name));
	if (value)
		json_object_set_new(
			origin, "where",
			json_sprintf("%s:%u:%u", value->place.file, value->place.line, value->place.column));
	json_object_set_new(e->origins, pointer, origin);
	return asked.secret;
}

static void note_default(struct effective *e, const char *pointer)
{
	json_object_set_new(e->origins, pointer, json_pack("{s:s}", "from", "default"));
}

static char *below(struct effective *e, const char *pointer, struct span key)
{
	struct buf text;
	char *made;

	buf_init(&text, FORM_MAX);
	buf_text(&text, pointer);
	buf_char(&text, '/');
	for (size_t i = 0; i < key.len; i++) {
		if (key.data[i] == '~' || key.data[i] == '/')
			buf_text(&text, key.data[i] == '~' ? "~0" : "~1");
		else
			buf_char(&text, key.data[i]);
	}
	made = arena_printf(e->arena, "%.*s", (int)text.len, text.data);
	buf_free(&text);
	return made;
}

/* ---- what is written ------------------------------------------------------------------------------------- */
/* scheme://user:password@host */
static json_t *without_password(struct span text)
{
	const char *scheme = text.len ? memmem(text.data, text.len, "://", 3) : NULL, *end = text.data + text.len;
	const char *user = scheme ? scheme + 3 : NULL, *at = user, *colon;

	while (at && at < end && !strchr("/@ ", *at))
		at++;
	colon = at && at < end && *at == '@' ? memchr(user, ':', (size_t)(at - user)) : NULL;
	if (!colon)
		return json_stringn(text.data ? text.data : "", text.len);
	return json_sprintf("%.*s" HIDDEN "%.*s", (int)(colon + 1 - text.data), text.data, (int)(end - at), at);
}

static bool find_hidden(void *arg, struct span name, struct span *value)
{
	const struct effective *e = arg;
	const struct yaml_variables *known = &e->site->load->variables;

	if (!is_secret(e, arena_printf(e->arena, "%.*s", SPAN_ARGS(name))))
		return known->find(known->arg, name, value);
	*value = SPAN_LITERAL(HIDDEN);
	return true;
}

/* The text with what is secret in it hidden. */
static json_t *without_secrets(struct effective *e, const struct node *raw)
{
	const struct yaml_variables hidden = {.find = find_hidden, .arg = e};
	struct buf text;
	json_t *made;

	buf_init(&text, SIZE_MAX / 2);
	yaml_variables_replace(raw->text, &hidden, &text, NULL, NULL);
	made = without_password(buf_view(&text));
	buf_free(&text);
	return made;
}

static json_t *written(struct effective *e, const struct node *raw, const struct node *node, const char *pointer)
{
	json_t *made;

	if (node->type == NODE_SCALAR)
		return note_origin(e, raw, pointer) ? without_secrets(e, raw) : without_password(node->text);
	made = node->type == NODE_MAP ? json_object() : json_array();
	for (size_t i = 0; i < node->count; i++) {
		struct span key =
			node->type == NODE_MAP ? node->pairs[i].key.text : span_of(arena_printf(e->arena, "%zu", i));
		const struct node *value = node->type == NODE_MAP ? node->pairs[i].value : node->items[i];
		const struct node *before = node->type == NODE_MAP ? raw->pairs[i].value : raw->items[i];
		char *name;

		if (node->type == NODE_LIST) {
			json_array_append_new(made, written(e, before, value, below(e, pointer, key)));
			continue;
		}
		if (node_null(value) && !e->raw)
			continue; /* as much as not there */
		name = mem_span_dup(key);
		json_object_set_new(made, name,
				    node_null(value) ? json_null() : written(e, before, value, below(e, pointer, key)));
		free(name);
	}
	return made;
}

/* ---- what holds where nothing is written ------------------------------------------------------------------- */
/* Something in it must be said: then the whole has no default. */
static bool must_be_said(const struct option *table)
{
	for (; table && table->name; table++) {
		if (table->flags & OPTION_REQUIRED || (table->type == OPTION_TABLE && must_be_said(table->table)))
			return true;
	}
	return false;
}

static void add_defaults(struct effective *, json_t *map, const char *pointer, const struct option *table,
			 const json_t *also);

static void add_table(struct effective *e, json_t *map, const char *name, const char *pointer,
		      const struct option *option)
{
	json_t *value = json_object_get(map, name), *item;
	size_t i;

	if (json_is_object(value)) {
		add_defaults(e, value, pointer, option->table, NULL);
	} else if (json_is_array(value) && option->flags & OPTION_LIST) {
		json_array_foreach(value, i, item)
			add_defaults(e, item, below(e, pointer, span_of(arena_printf(e->arena, "%zu", i))),
				     option->table, NULL);
	} else if (!value && option->type == OPTION_TABLE && !must_be_said(option->table)) {
		value = json_object();
		add_defaults(e, value, pointer, option->table, NULL);
		if (json_object_size(value) > 0)
			json_object_set(map, name, value);
		json_decref(value);
	}
}

/* also: another map that may have said it already. */
static void add_defaults(struct effective *e, json_t *map, const char *pointer, const struct option *table,
			 const json_t *also)
{
	for (; json_is_object(map) && table && table->name; table++) {
		const char *at = below(e, pointer, span_of(table->name));

		if (also && json_object_get(also, table->name))
			continue;
		if (table->table && !(table->flags & OPTION_NAMED)) {
			add_table(e, map, table->name, at, table);
		} else if (table->fallback && *table->fallback && !(table->flags & OPTION_REQUIRED) &&
			   table->type != OPTION_NODE && !json_object_get(map, table->name)) {
			json_object_set_new(map, table->name, json_string(table->fallback));
			note_default(e, at);
		}
	}
}

/* The keys that this word of the main option brings, or NULL. */
static const struct option *brought_by(const struct option *main, const json_t *word)
{
	const struct option_more *more = NULL;
	int at = main && main->more && json_is_string(word) ? option_word(main, json_string_value(word)) : -1;

	if (at >= 0)
		more = main->more(at);
	return more ? more->table : NULL;
}

/* {KEY: main value or a map, other settings}: what its table has, in the map or beside. */
static void add_keyed(struct effective *e, json_t *map, const char *pointer, const char *key,
		      const struct option *table)
{
	const struct option *main = option_main_of(table);
	json_t *inner = json_object_get(map, key);
	json_t *also = main ? json_pack("{s:b}", main->name, 1) : json_object();

	json_object_update_missing(also, map);
	if (json_is_object(inner)) {
		json_object_del(also, main ? main->name : "");
		add_defaults(e, inner, below(e, pointer, span_of(key)), table, also);
		add_defaults(e, inner, below(e, pointer, span_of(key)),
			     brought_by(main, json_object_get(inner, main ? main->name : "")), also);
	} else if (json_is_string(inner) && main) {
		add_defaults(e, map, pointer, table, also);
		add_defaults(e, map, pointer, brought_by(main, inner), also);
	}
	json_decref(also);
}

static const struct option *source_options(const struct registry *registry, const struct endpoint_kind *kind)
{
	for (const struct source_ops *const *ops = registry->sources; ops && *ops; ops++) {
		if (kind->source && strcmp(kind->source, (*ops)->name) == 0)
			return (*ops)->options;
	}
	for (const struct server_ops *const *ops = registry->servers; ops && *ops; ops++) {
		if (kind->server && strcmp(kind->server, (*ops)->name) == 0)
			return (*ops)->options;
	}
	return NULL;
}

static const struct option *sink_options(const struct registry *registry, const struct endpoint_kind *kind)
{
	for (const struct sink_ops *const *ops = registry->sinks; ops && *ops; ops++) {
		if (kind->sink && strcmp(kind->sink, (*ops)->name) == 0)
			return (*ops)->options;
	}
	return NULL;
}

/* An operation's settings are its system's: nothing is added to it. */
static void add_endpoint(struct effective *e, json_t *map, const char *pointer, bool from)
{
	for (const struct endpoint_kind *kind = endpoint_kinds; kind->key; kind++) {
		const struct option *table = from ? source_options(e->registry, kind) : sink_options(e->registry, kind);

		if (!json_object_get(map, kind->key) || !table || strcmp(kind->key, "operation") == 0)
			continue;
		add_keyed(e, map, pointer, kind->key, table);
		add_defaults(e, map, pointer, endpoint_options, json_object_get(map, kind->key));
		return;
	}
}

static void add_steps(struct effective *, json_t *steps, const char *pointer);

/* Steps of branches, of on-reject, … */
static void add_steps_within(struct effective *e, json_t *value, const char *pointer)
{
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
		add_steps_within(e, item, below(e, pointer, span_of(arena_printf(e->arena, "%zu", i))));
	json_object_foreach(value, key, item) {
		if (strcmp(key, "steps") == 0 && json_is_array(item))
			add_steps(e, item, below(e, pointer, span_of(key)));
		else
			add_steps_within(e, item, below(e, pointer, span_of(key)));
	}
}

static void add_steps(struct effective *e, json_t *steps, const char *pointer)
{
	json_t *step;
	size_t i;

	json_array_foreach(steps, i, step) {
		const char *at = below(e, pointer, span_of(arena_printf(e->arena, "%zu", i)));

		for (const struct transformer_ops *const *ops = e->registry->transformers; ops && *ops; ops++) {
			if (json_object_get(step, (*ops)->name)) {
				add_keyed(e, step, at, (*ops)->name, (*ops)->options);
				break;
			}
		}
		add_steps_within(e, step, at);
	}
}

/* In the largest unit that says it whole. */
static const char *duration_text(struct arena *arena, int64_t ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
	size_t i = 0;

	while (i < 4 && ms % units[i].ms)
		i++;
	return arena_printf(arena, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
}

static void add_value(struct effective *e, json_t *map, const char *pointer, const char *key, const char *value)
{
	if (json_object_get(map, key))
		return;
	json_object_set_new(map, key, json_string(value));
	note_default(e, below(e, pointer, span_of(key)));
}

static void add_to_flow(struct effective *e, json_t *flow)
{
	const struct flow *loaded = site_flow(e->site, span_of(json_string_value(json_object_get(flow, "flow"))));
	json_t *from = json_object_get(flow, "from"), *to = json_object_get(flow, "to"), *map, *item;
	size_t i;

	add_defaults(e, flow, "", flow_options, NULL);
	if (json_is_object(from))
		add_endpoint(e, from, "/from", true);
	json_array_foreach(from, i, item)
		add_endpoint(e, item, arena_printf(e->arena, "/from/%zu", i), true);
	if (from && loaded && !json_object_get(flow, "duplicates")) {
		map = json_object();
		add_value(e, map, "/duplicates", "by", "content");
		add_value(e, map, "/duplicates", "within", duration_text(e->arena, loaded->duplicates_within_ms));
		json_object_set_new(flow, "duplicates", map);
	}
	add_steps(e, json_object_get(flow, "steps"), "/steps");
	if (to)
		add_endpoint(e, to, "/to", false);
	if (to && !json_object_get(to, "operation") && !json_object_get(flow, "retry") &&
	    !json_object_get(to, "retry")) {
		map = json_object();
		add_defaults(e, map, "/retry", retry_options, NULL);
		json_object_set_new(flow, "retry", map);
	}
}

/* {amqp: {…}}: the settings of the one that is named. */
static void add_chosen(struct effective *e, json_t *site, const char *key, const char *name,
		       const struct option *options)
{
	json_t *settings = json_object_get(json_object_get(site, key), name);

	if (settings)
		add_defaults(e, settings, arena_printf(e->arena, "/%s/%s", key, name), options, NULL);
}

static void add_to_site(struct effective *e, json_t *site)
{
	const char *data;

	add_defaults(e, site, "", site_options, NULL);
	add_value(e, site, "", "queue", e->site->broker->name);
	add_value(e, site, "", "store", e->site->store->name);
	data = json_string_value(json_object_get(site, "data"));
	add_value(e, site, "", "vault", arena_printf(e->arena, "%s/vault", data ? data : "data"));
	add_value(e, site, "", "run", arena_printf(e->arena, "%s/run", data ? data : "data"));
	add_chosen(e, site, "queue", e->site->broker->name, e->site->broker->options);
	add_chosen(e, site, "store", e->site->store->name, e->site->store->options);
	if (e->site->listen)
		add_chosen(e, site, "listen", e->site->listen->name, e->site->listen->listen_options);
}

/* ---- files ----------------------------------------------------------------------------------------------- */
static bool in_folder(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/' && strstr(path, ".y");
}

/* One that does not run in this environment was not loaded. */
static bool runs(const struct effective *e, const char *path, const json_t *document)
{
	const char *name = json_string_value(json_object_get(document, "flow"));

	return !in_folder(path, "flows") || (name && site_flow(e->site, span_of(name)));
}

static void add_document(struct effective *e, json_t *list, const char *path, const struct node *raw,
			 const struct node *node)
{
	json_t *document;

	e->origins = json_object();
	document = written(e, raw, node, "");
	if (e->defaults && strcmp(path, "site.yaml") == 0)
		add_to_site(e, document);
	else if (e->defaults && in_folder(path, "flows") && runs(e, path, document))
		add_to_flow(e, document);
	if (runs(e, path, document))
		json_array_append_new(
			list, json_pack("{s:s,s:O,s:O}", "file", path, "document", document, "origins", e->origins));
	json_decref(document);
	json_decref(e->origins);
}

static void add_file(struct effective *e, json_t *list, const struct bundle_file *file)
{
	bool snippet = in_folder(file->path, "snippets"); /* its variables are known where it is used */
	struct yaml_documents raw, values;

	if (strcmp(file->path, "site.yaml") != 0 && !in_folder(file->path, "flows") &&
	    !in_folder(file->path, "systems") && !in_folder(file->path, "transfers") &&
	    !in_folder(file->path, "calendars") && !snippet)
		return;
	e->raw = snippet;
	yaml_read(e->arena, &e->unused, file->path, file->text, NULL, &raw);
	yaml_read(e->arena, &e->unused, file->path, file->text, snippet ? NULL : &e->site->load->variables, &values);
	for (size_t i = 0; i < values.count && i < raw.count; i++)
		add_document(e, list, file->path, raw.items[i], values.items[i]);
}

static const struct node *read_environment(struct effective *e)
{
	const struct bundle *bundle = e->site->bundle;
	const char *path = arena_printf(e->arena, "environments/%s.yaml", bundle->environment);
	const struct span *text = *bundle->environment ? bundle_find(bundle, path) : NULL;
	struct yaml_documents documents = {0};

	if (text)
		yaml_read(e->arena, &e->unused, path, *text, NULL, &documents);
	return documents.count > 0 ? documents.items[0] : NULL;
}

json_t *effective_new(const struct site *site, const struct registry *registry, bool defaults)
{
	struct effective e = {.site = site, .registry = registry, .arena = arena_new(), .defaults = defaults};
	json_t *list = json_array();

	findings_init(&e.unused);
	e.environment = read_environment(&e);
	for (size_t i = 0; i < site->bundle->count; i++) {
		if (strcmp(site->bundle->files[i].path, "site.yaml") == 0)
			add_file(&e, list, &site->bundle->files[i]);
	}
	for (size_t i = 0; i < site->bundle->count; i++) {
		if (strcmp(site->bundle->files[i].path, "site.yaml") != 0)
			add_file(&e, list, &site->bundle->files[i]);
	}
	findings_free(&e.unused);
	arena_free(e.arena);
	return list;
}
