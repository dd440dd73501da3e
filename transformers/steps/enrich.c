/* enrich: puts into a message what a table knows of it. The table is a file of tables/, or one that the store keeps and
 * that `remember` and the verb `table` write. With `each` every element of an array is looked up, all of them in one
 * question. What a store knows may have changed when a unit is done again: see docs/decisions.md. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>

#include "transformers/steps/tree_place.h"

#define KEY_MAX 1024
#define KEYS_MAX 100000 /* of one message */

enum missing { MISSING_REJECT, MISSING_PASS, MISSING_DEFAULT };

struct enrich_settings {
	const char *table, *store, *column, *take, *as, *each;
	struct expression *key, *fallback;
	int missing;
};

struct enrich {
	const struct enrich_settings *settings;
	struct arena *arena;
	struct tree_place *as, *each; /* each: or NULL */
	json_t *index;                /* of a table's file: key → row */
	bool whole;                   /* the row goes in as it is */
};

static const struct option options[] = {
	{.name = "table",
	 .type = OPTION_FILE,
	 .range = "tables",
	 .offset = offsetof(struct enrich_settings, table),
	 .flags = OPTION_MAIN,
	 .help = "a file of tables/: prices.csv, partners.yaml, codes.json"},
	{.name = "store",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct enrich_settings, store),
	 .help = "in place of a file: a table that the store keeps, which `remember` and `ferrule table` write"},
	{.name = "key",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct enrich_settings, key),
	 .flags = OPTION_REQUIRED,
	 .help = "jq: what is looked up; over each element where there is `each`"},
	{.name = "column",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct enrich_settings, column),
	 .help = "the column of the file that the key stands in; the first where it is not said"},
	{.name = "take",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct enrich_settings, take),
	 .help = "the column, or field of what the store keeps, that goes in; all of it where it is not said"},
	{.name = "as",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct enrich_settings, as),
	 .flags = OPTION_REQUIRED,
	 .help = "where it goes: a path such as .price"},
	{.name = "each",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct enrich_settings, each),
	 .help = "the elements that are looked up, one by one: a path such as .lines[]; the message where it is not "
		 "said"},
	{.name = "missing",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct enrich_settings, missing),
	 .range = "reject|pass|default",
	 .fallback = "reject",
	 .help = "what becomes of a message whose key is not there"},
	{.name = "default",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct enrich_settings, fallback),
	 .help = "jq: what goes in when the key is not there and `missing` is default"},
	OPTION_END,
};

/* ---- checking -------------------------------------------------------------------------------------------- */
static bool has_column(const struct lookup_table *table, const char *name)
{
	for (size_t i = 0; i < table->columns_count; i++)
		if (!strcmp(table->columns[i], name))
			return true;
	return false;
}

static void check_column(const struct lookup_table *table, const char *what, const char *name, struct place place,
			 struct findings *findings)
{
	const char *near;

	if (!name || has_column(table, name))
		return;
	near = nearest_name(span_of(name), table->columns, table->columns_count);
	finding_add(findings, place, SEVERITY_ERROR, "enrich.column", "`%s`: %s has no column `%.64s`" NEAR, what,
		    table->file, name, NEAR_ARGS(near));
}

static const char *key_column(const struct enrich_settings *settings, const struct lookup_table *table)
{
	return settings->column ? settings->column : table->columns_count ? table->columns[0] : "";
}

bool store_table_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= 64 && !name[n] && strncmp(name, "ferrule-", 8) != 0;
}

/* What a value is as a key: its text. NULL: it cannot be one. Freed by the caller. */
static char *key_of(const json_t *value)
{
	if (json_is_string(value))
		return mem_strdup(json_string_value(value));
	return json_is_integer(value) || json_is_boolean(value) ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
}

/* key → row, borrowed rows. Told: rows without a key and keys that stand there twice; the first counts. */
static json_t *index_new(const struct enrich_settings *settings, const struct lookup_table *table,
			 struct findings *findings)
{
	const char *column = key_column(settings, table);
	json_t *index = json_object(), *row;
	size_t i;

	json_array_foreach(table->rows, i, row) {
		char *key = key_of(json_object_get(row, column));
		struct place place = {table->file, table->lines[i], 1};

		if (!key || !*key) {
			if (findings)
				finding_add(findings, place, SEVERITY_ERROR, "enrich.key",
					    "there is nothing in the column "
					    "`%s`, by which this table is asked",
					    column);
		} else if (json_object_get(index, key)) {
			if (findings)
				finding_add(findings, place, SEVERITY_ERROR, "enrich.twice",
					    "`%.64s` stands in the column `%s` twice: which of them is meant?", key,
					    column);
		} else {
			json_object_set_new_nocheck(index, key, json_incref(row));
		}
		free(key);
	}
	return index;
}

static void check_table(const struct enrich_settings *settings, const struct transformer_context *context,
			struct place place, struct findings *findings)
{
	const struct lookup_table *table = context->table ? context->table(context->site, settings->table, NULL) : NULL;
	size_t errors = findings->errors;

	if (!table)
		return; /* said where steps are read, or where its own mistakes are told */
	check_column(table, "column", settings->column, place, findings);
	check_column(table, "take", settings->take, place, findings);
	if (findings->errors == errors)
		json_decref(index_new(settings, table, findings));
}

static int check(const void *of, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct enrich_settings *settings = of;
	struct arena *arena = arena_new();
	size_t errors = findings->errors;

	if (!settings->table == !settings->store)
		finding_add(findings, place, SEVERITY_ERROR, "enrich.where",
			    "an enrich names a `table` of tables/ or a `store`, one of them");
	else if (settings->table)
		check_table(settings, context, place, findings);
	else if (settings->column)
		finding_add(findings, place, SEVERITY_ERROR, "enrich.column",
			    "`column` goes with `table`: what the store keeps has one key");
	if (settings->store && !store_table_name(settings->store))
		finding_add(findings, place, SEVERITY_ERROR, "enrich.store", STORE_TABLE_FORM, settings->store);
	if (!tree_place_new(arena, settings->as, false))
		finding_add(findings, place, SEVERITY_ERROR, "enrich.as", "`as` is a path such as .price, not `%.64s`",
			    settings->as);
	if (settings->each && !tree_place_new(arena, settings->each, true))
		finding_add(findings, place, SEVERITY_ERROR, "enrich.each",
			    "`each` is a path to elements such as .lines[], not `%.64s`", settings->each);
	if ((settings->missing == MISSING_DEFAULT) != (settings->fallback != NULL))
		finding_add(findings, place, SEVERITY_ERROR, "enrich.default",
			    "`missing: default` and `default` go together");
	expression_check(settings->key, findings);
	if (settings->fallback)
		expression_check(settings->fallback, findings);
	arena_free(arena);
	return findings->errors == errors ? 0 : -1;
}

/* ---- ready ----------------------------------------------------------------------------------------------- */
static void close_enrich(void *self)
{
	struct enrich *enrich = self;

	if (!enrich)
		return;
	expression_drop(enrich->settings->key);
	expression_drop(enrich->settings->fallback);
	json_decref(enrich->index);
	arena_free(enrich->arena);
	free(enrich);
}

static int open_table(struct enrich *enrich, const struct transformer_context *context, struct error *error)
{
	const char *name = enrich->settings->table;
	const struct lookup_table *table;

	if (!name)
		return 0;
	if (!context->table)
		return error_set(error, ERROR_REJECT, "enrich.table", "there are no tables here");
	table = context->table(context->site, name, error);
	if (!table)
		return -1;
	enrich->index = index_new(enrich->settings, table, NULL);
	return 0;
}

static void *open_enrich(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct enrich *enrich = mem_alloc(sizeof *enrich);

	enrich->settings = settings;
	enrich->arena = arena_new();
	enrich->as = tree_place_new(enrich->arena, enrich->settings->as, false);
	if (enrich->settings->each)
		enrich->each = tree_place_new(enrich->arena, enrich->settings->each, true);
	if (!enrich->as || (enrich->settings->each && !enrich->each) ||
	    !enrich->settings->table == !enrich->settings->store)
		error_set(error, ERROR_REJECT, "enrich.settings", "this enrich cannot be used; see `ferrule check`");
	else if (!open_table(enrich, context, error))
		return enrich;
	close_enrich(enrich);
	return NULL;
}

/* ---- running --------------------------------------------------------------------------------------------- */
struct looking {
	const struct enrich *enrich;
	struct expression_input input;
	json_t *keys;   /* texts, in the order of the elements; null: the key is nothing */
	json_t *values; /* of a store: key → value */
	size_t at;
};

static int take_key(void *arg, json_t *element, json_t **unchanged, struct error *error)
{
	struct looking *l = arg;
	struct buf text;
	int failed;

	if (json_array_size(l->keys) == KEYS_MAX)
		return error_set(error, ERROR_REJECT, "enrich.limit", "more than %d elements to look up", KEYS_MAX);
	l->input.body = element;
	buf_init(&text, KEY_MAX);
	failed = expression_text(l->enrich->settings->key, &l->input, &text, error);
	if (!failed)
		json_array_append_new(l->keys, text.len ? json_stringn(text.data, text.len) : json_null());
	buf_free(&text);
	*unchanged = failed ? NULL : json_incref(element);
	return failed;
}

static json_t *found(const struct looking *l, const char *key)
{
	const struct enrich *enrich = l->enrich;
	json_t *value = key ? json_object_get(enrich->index ? enrich->index : l->values, key) : NULL;

	return value && enrich->settings->take ? json_object_get(value, enrich->settings->take) : value;
}

static int absent(struct looking *l, const char *key, json_t **value, struct error *error)
{
	const struct enrich_settings *settings = l->enrich->settings;

	*value = NULL;
	if (settings->missing == MISSING_PASS)
		return 0;
	if (settings->missing == MISSING_DEFAULT)
		return expression_run(settings->fallback, &l->input, value, error);
	return key ? error_set(error, ERROR_REJECT, "enrich.missing", "%s%s does not know `%.100s`%s%s",
			       settings->table ? "tables/" : "the store's table ",
			       settings->table ? settings->table : settings->store, key,
			       settings->store ? ": ferrule table put " : "", settings->store ? settings->store : "")
		   : error_set(error, ERROR_REJECT, "enrich.missing", "%.*s gives nothing to look up",
			       SPAN_ARGS(expression_source(settings->key)));
}

static int put_value(void *arg, json_t *element, json_t **with, struct error *error)
{
	struct looking *l = arg;
	const char *key = json_string_value(json_array_get(l->keys, l->at++));
	json_t *value = json_incref(found(l, key));
	int failed;

	l->input.body = element;
	if (!value && absent(l, key, &value, error))
		return -1;
	if (!value) {
		*with = json_incref(element);
		return 0;
	}
	failed = tree_place_put(l->enrich->as, element, value, with, error);
	json_decref(value);
	return failed;
}

static json_t *asked_new(const json_t *keys)
{
	json_t *asked = json_array(), *key;
	size_t i;

	json_array_foreach(keys, i, key)
		if (json_is_string(key))
			json_array_append(asked, key);
	return asked;
}

static int look_up(struct looking *l, struct out *out, struct error *error)
{
	json_t *asked;
	int failed;

	if (l->enrich->index)
		return 0;
	asked = asked_new(l->keys);
	failed = json_array_size(asked) ? out_lookup(out, l->enrich->settings->store, asked, &l->values, error) : 0;
	json_decref(asked);
	return failed;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct enrich *enrich = self;
	struct looking l = {.enrich = enrich, .input = out_input(out, item), .keys = json_array()};
	json_t *same = NULL, *tree = NULL;
	struct item *enriched;
	int failed;

	failed = tree_place_each(enrich->each, item->tree, take_key, &l, &same, error) || look_up(&l, out, error) ||
		 tree_place_each(enrich->each, item->tree, put_value, &l, &tree, error);
	json_decref(same);
	json_decref(l.keys);
	json_decref(l.values);
	if (failed) {
		json_decref(tree);
		return -1;
	}
	enriched = out_item(out, item);
	enriched->form = FORM_TREE;
	enriched->tree = tree;
	enriched->media_type = SPAN_LITERAL("application/json");
	return out_emit(out, enriched, error);
}

const struct transformer_ops enrich_transformer = {
	.name = "enrich",
	.help = "Puts into a message what a table knows of it",
	.options = options,
	.settings_size = sizeof(struct enrich_settings),
	.takes = FORM_TREE,
	.gives = FORM_TREE,
	.check = check,
	.open = open_enrich,
	.close = close_enrich,
	.run = run,
};
