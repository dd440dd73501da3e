/* Option tables: from a tree to a module's own struct. See option.h. Scalars are read in option_value.c. */
#include "config.h"
#include "base/option.h"

#include <stdio.h>

#include "base/expression.h"
#include "base/option_value.h"
#include "base/secret.h"

#define SUGGESTIONS_MAX 128

int option_fault(struct option_context *context, struct place place, const char *code, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	finding_add(context->findings, place, SEVERITY_ERROR, code, "%s", text);
	return -1;
}

static const struct option *option_find(const struct option *table, struct span name)
{
	for (; table->name; table++)
		if (span_is(name, table->name))
			return table;
	return NULL;
}

static const struct option *option_main(const struct option *table)
{
	for (; table->name; table++)
		if (table->flags & OPTION_MAIN)
			return table;
	return NULL;
}

static bool named_in(const char *const *names, struct span name)
{
	for (; names && *names; names++)
		if (span_is(name, *names))
			return true;
	return false;
}

/* What may stand in a map. */
struct keys {
	const struct option *table, *more; /* more: what a word in it brings, or NULL */
	const char *const *also;
};

static bool is_known(const struct keys *keys, struct span name)
{
	return option_find(keys->table, name) || (keys->more && option_find(keys->more, name)) ||
	       named_in(keys->also, name);
}

static size_t add_names(const struct option *table, const char **names, size_t n)
{
	for (; table && table->name && n < SUGGESTIONS_MAX; table++)
		names[n++] = table->name;
	return n;
}

/* Names for suggestions; a table is never as long as the limit. */
static size_t known_names(const struct keys *keys, const char **names)
{
	size_t n = add_names(keys->more, names, add_names(keys->table, names, 0));

	for (const char *const *also = keys->also; also && *also && n < SUGGESTIONS_MAX; also++)
		names[n++] = *also;
	return n;
}

static const char *name_list(struct arena *arena, const char **names, size_t n)
{
	const char *list = n ? names[0] : "none";

	for (size_t i = 1; i < n; i++)
		list = arena_printf(arena, "%s, %s", list, names[i]);
	return list;
}

static int unknown(struct option_context *context, const struct node *key, const struct keys *keys)
{
	const char *names[SUGGESTIONS_MAX], *near;
	size_t n = known_names(keys, names);
	const char *shown = option_shown(context->arena, key->text);

	near = nearest_name(key->text, names, n);
	if (near)
		return option_fault(context, key->place, "option.unknown", "unknown key `%s`" NEAR, shown,
				    NEAR_ARGS(near));
	return option_fault(context, key->place, "option.unknown", "unknown key `%s`; known here: %s", shown,
			    name_list(context->arena, names, n));
}

static int fill_table(struct option_context *, const struct node *, struct place, const struct option *table,
		      const char *const *also, void *into, bool required);

/* ---- lists and maps ---------------------------------------------------------------------------------------------- */
/* One scalar counts as a list of one. */
static size_t items_of(const struct node *node, const struct node *const **items, const struct node **one)
{
	if (node->type == NODE_LIST) {
		*items = (const struct node *const *)node->items;
		return node->count;
	}
	*one = node;
	*items = one;
	return 1;
}

static int fill_file(struct option_context *context, const struct option *option, const struct node *node,
		     const char **name)
{
	const char *near = NULL;

	if (option_scalar(context, option, node, "the name of a file"))
		return -1;
	*name = arena_span(context->arena, node->text).data;
	if (!context->file || context->file(context->site, option->range, *name, &near))
		return 0;
	return option_fault(context, node->place, "option.file", "there is no %s/%s" NEAR, option->range,
			    option_shown(context->arena, node->text), NEAR_ARGS(near));
}

static int fill_list(struct option_context *context, const struct option *option, const struct node *node, void *at)
{
	const struct node *const *items, *one;
	size_t n = items_of(node, &items, &one);
	void **list = arena_alloc(context->arena, (n + 1) * sizeof *list);
	size_t count = 0; /* of those that are what they should be */
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		if (option_scalar(context, option, items[i], "a text, or a list of texts")) {
			result = -1;
			continue;
		}
		if (option->type == OPTION_FILES) {
			if (fill_file(context, option, items[i], (const char **)&list[count]))
				result = -1;
			else
				count++;
		} else if (option->type == OPTION_TEXTS)
			list[count++] = (void *)arena_span(context->arena, items[i]->text).data;
		else
			list[count++] = expression_new(context->arena, items[i]->text, items[i]->place);
	}
	if (option->type != OPTION_EXPRESSIONS)
		*(struct text_list *)at = (struct text_list){(const char **)list, count};
	else
		*(struct expression_list *)at = (struct expression_list){(struct expression **)list, count};
	return result;
}

static int fill_templates(struct option_context *context, const struct option *option, const struct node *node,
			  struct template_map *map)
{
	int result = 0;

	if (node->type != NODE_MAP)
		return option_fault(context, node->place, "option.type", "`%s` must be a map of names to texts",
				    option->name);
	map->items = arena_alloc(context->arena, (node->count + 1) * sizeof *map->items);
	for (size_t i = 0; i < node->count; i++) {
		const struct pair *pair = &node->pairs[i];
		struct named_template *named = &map->items[map->count];

		if (option_scalar(context, option, &pair->key, "a text") ||
		    option_scalar(context, option, pair->value, "a text")) {
			result = -1;
			continue;
		}
		named->name = arena_span(context->arena, pair->key.text).data;
		named->template =
			template_new(context->arena, pair->value->text, pair->value->place, context->findings);
		if (!named->template)
			result = -1;
		else
			map->count++;
	}
	return result;
}

/* ---- what refers to something else ------------------------------------------------------------------------------- */
/* What stands in place of {secret: NAME} may be the secret itself: it is never shown. */
static int fill_secret(struct option_context *context, const struct option *option, const struct node *node,
		       const char **name)
{
	const struct node *value = node_find(node, "secret");

	if (!value || node->count != 1 || value->type != NODE_SCALAR)
		return option_fault(context, node->place, "option.secret",
				    "`%s` must be {secret: NAME}: secrets are kept outside the site and named here",
				    option->name);
	if (!secret_name_fits(value->text))
		return option_fault(context, value->place, "option.secret",
				    "the name of a secret has 1 to 64 letters, digits, `-`, `_` and `.`, "
				    "not `.` first");
	*name = arena_span(context->arena, value->text).data;
	return 0;
}

static int fill_mapping(struct option_context *context, const struct option *option, const struct node *node,
			struct expression **mapping)
{
	const struct span *text = NULL;
	struct place place = {NULL, 1, 1};
	const char *name, *near;

	if (option_scalar(context, option, node, "the name of a file in mappings/"))
		return -1;
	name = arena_span(context->arena, node->text).data;
	if (context->mapping)
		text = context->mapping(context->site, name, &place.file);
	if (!text) {
		near = nearest_name(node->text, context->mappings, context->mappings_count);
		return option_fault(context, node->place, "option.mapping", "there is no mappings/%s" NEAR,
				    option_shown(context->arena, node->text), NEAR_ARGS(near));
	}
	*mapping = expression_new(context->arena, *text, place);
	return 0;
}

static int fill_mappings(struct option_context *context, const struct option *option, const struct node *node,
			 struct mapping_map *map)
{
	int result = 0;

	if (node->type != NODE_MAP)
		return option_fault(context, node->place, "option.type",
				    "`%s` must be a map of names to files in mappings/", option->name);
	map->items = arena_alloc(context->arena, (node->count + 1) * sizeof *map->items);
	for (size_t i = 0; i < node->count; i++) {
		struct named_mapping *named = &map->items[map->count];

		named->name = arena_span(context->arena, node->pairs[i].key.text).data;
		if (fill_mapping(context, option, node->pairs[i].value, &named->mapping))
			result = -1;
		else
			map->count++;
	}
	return result;
}

/* ---- one option -------------------------------------------------------------------------------------------------- */
static int fill_one(struct option_context *context, const struct option *option, const struct node *node, void *into)
{
	void *at = (char *)into + option->offset;

	switch (option->type) {
	case OPTION_EXPRESSION:
		if (option_scalar(context, option, node, "a jq expression"))
			return -1;
		*(struct expression **)at = expression_new(context->arena, node->text, node->place);
		return 0;
	case OPTION_TEMPLATE:
		if (option_scalar(context, option, node, "a text, in which $(.jq) is replaced"))
			return -1;
		*(struct template **)at = template_new(context->arena, node->text, node->place, context->findings);
		return *(struct template **)at ? 0 : -1;
	case OPTION_EXPRESSIONS:
	case OPTION_TEXTS:
	case OPTION_FILES:
		return fill_list(context, option, node, at);
	case OPTION_FILE:
		return fill_file(context, option, node, at);
	case OPTION_TEMPLATES:
		return fill_templates(context, option, node, at);
	case OPTION_SECRET:
		return fill_secret(context, option, node, at);
	case OPTION_MAPPING:
		return fill_mapping(context, option, node, at);
	case OPTION_MAPPINGS:
		return fill_mappings(context, option, node, at);
	case OPTION_TABLE:
		return fill_table(context, node, node->place, option->table, NULL, at, true);
	case OPTION_NODE:
		*(const struct node **)at = node;
		return 0;
	default:
		return option_value(context, option, node, at);
	}
}

/* `key:` with nothing behind it says as much as no key at all. */
static bool is_null(const struct node *node)
{
	return !node || (node->type == NODE_SCALAR && !node->quoted && !node->text.len);
}

static int fill_absent(struct option_context *context, const struct option *option, struct place place, void *into,
		       bool required)
{
	struct node node = {.type = NODE_SCALAR, .place = place, .text = span_of(option->fallback), .quoted = true};

	if (option->flags & OPTION_REQUIRED) {
		if (!required)
			return 0;
		return option_fault(context, place, "option.missing", "`%s` is missing: %s", option->name,
				    option->help ? option->help : "it is required");
	}
	if (option->type == OPTION_TABLE)
		return fill_table(context, NULL, place, option->table, NULL, (char *)into + option->offset, false);
	if (!option->fallback)
		return 0;
	if (option->type == OPTION_NODE || option->type == OPTION_TEMPLATES || option->type == OPTION_MAPPINGS ||
	    option->type == OPTION_SECRET)
		return 0; /* these have no default that a text could say */
	return fill_one(context, option, &node, into);
}

/* ---- words that bring keys with them ----------------------------------------------------------------------------- */
static int word_at(const char *range, struct span word)
{
	for (int i = 0; range; i++) {
		const char *bar = strchr(range, '|');

		if (span_equal(word, span_make(range, bar ? (size_t)(bar - range) : strlen(range))))
			return i;
		range = bar ? bar + 1 : NULL;
	}
	return -1;
}

int option_word(const struct option *option, const char *word)
{
	return word_at(option->range, span_of(word));
}

static const struct option *chooser_of(const struct option *table)
{
	for (; table->name; table++)
		if (table->more)
			return table;
	return NULL;
}

/* What the word brings that stands in this node. */
static const struct option_more *more_of(const struct option *table, const struct node *node)
{
	const struct option *chooser = chooser_of(table);
	const struct node *value = chooser && node && node->type == NODE_MAP ? node_find(node, chooser->name) : node;
	struct span word = chooser ? span_of(chooser->fallback) : SPAN_NONE;
	int at;

	if (!chooser)
		return NULL;
	if (value && value->type == NODE_SCALAR)
		word = value->text;
	at = word.data ? word_at(chooser->range, word) : -1;
	return at < 0 ? NULL : chooser->more(at);
}

const struct option *option_more_of(const struct option *table, const void *settings, const void **more)
{
	const struct option *chooser = chooser_of(table);
	const struct option_more *brought =
		chooser ? chooser->more(*(const int *)((const char *)settings + chooser->offset)) : NULL;
	const void *at = brought ? *(void *const *)((const char *)settings + chooser->more_offset) : NULL;

	if (!at)
		return NULL;
	*more = at;
	return brought->table;
}

/* A struct for what a word brings; NULL: it brings nothing. */
static void *more_new(struct option_context *context, const struct option *table, const struct option_more *more,
		      void *into)
{
	void *settings = more ? arena_alloc(context->arena, more->size) : NULL;

	if (settings)
		*(void **)((char *)into + chooser_of(table)->more_offset) = settings;
	return settings;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */
static int fill_bare(struct option_context *context, const struct node *node, const struct option *table, void *into)
{
	const struct option_more *more = more_of(table, node);
	const struct option *main = option_main(table);
	const char *names[SUGGESTIONS_MAX];
	struct keys keys = {table, NULL, NULL};
	void *settings = more_new(context, table, more, into);
	int result = 0;

	if (!main)
		return option_fault(context, node->place, "option.type", "a map is expected here, with: %s",
				    name_list(context->arena, names, known_names(&keys, names)));
	for (; table->name; table++)
		if (table == main ? fill_one(context, table, node, into)
				  : fill_absent(context, table, node->place, into, true))
			result = -1;
	for (table = settings ? more->table : NULL; table && table->name; table++)
		if (fill_absent(context, table, node->place, settings, true))
			result = -1;
	return result;
}

/* Was this what an unknown key stood for? Then it is not missing as well: one slip, one finding. */
static bool meant(const struct node *map, const struct option *option, const struct keys *keys)
{
	const char *names[SUGGESTIONS_MAX], *near;
	size_t n = known_names(keys, names);

	for (size_t i = 0; i < map->count; i++) {
		const struct node *key = &map->pairs[i].key;

		if (is_known(keys, key->text))
			continue;
		near = nearest_name(key->text, names, n);
		if (near && !strcmp(near, option->name))
			return true;
	}
	return false;
}

/* The options of one table from a map; slips: it has unknown keys. */
static int fill_keys(struct option_context *context, const struct node *map, struct place place,
		     const struct option *table, const struct keys *keys, void *into, bool required, bool slips)
{
	int result = 0;

	for (; table->name; table++) {
		bool ours = map && !named_in(keys->also, span_of(table->name));
		const struct node *value = ours ? node_find(map, table->name) : NULL;
		bool slip = slips && is_null(value) && table->flags & OPTION_REQUIRED && meant(map, table, keys);
		int done = slip             ? -1
			   : is_null(value) ? fill_absent(context, table, place, into, required)
					    : fill_one(context, table, value, into);

		if (done)
			result = -1;
	}
	return result;
}

/* required: whether options that must be there are missed; not so in a table that is absent itself. */
static int fill_table(struct option_context *context, const struct node *node, struct place place,
		      const struct option *table, const char *const *also, void *into, bool required)
{
	const struct node *map = node && node->type == NODE_MAP ? node : NULL;
	const struct option_more *more;
	struct keys keys = {table, NULL, also};
	void *settings;
	int result = 0;

	if (!is_null(node) && !map)
		return fill_bare(context, node, table, into);
	more = more_of(table, map);
	keys.more = more ? more->table : NULL;
	for (size_t i = 0; map && i < map->count; i++)
		if (!is_known(&keys, map->pairs[i].key.text))
			result = unknown(context, &map->pairs[i].key, &keys);
	if (fill_keys(context, map, place, table, &keys, into, required, result != 0))
		result = -1;
	settings = more_new(context, table, more, into);
	if (settings && fill_keys(context, map, place, more->table, &keys, settings, required, result != 0))
		result = -1;
	return result;
}

int option_fill(struct option_context *context, const struct node *node, const struct option *table,
		const char *const *also, void *into)
{
	return fill_table(context, node, node->place, table, also, into, true);
}
