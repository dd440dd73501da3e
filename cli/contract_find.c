/* Finding contracts, and walking their fields. See contract.h. */
#include "config.h"
#include "cli/contract.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/site.h"

#define DEPTH_MAX 8
#define FIELDS_MAX 2000

void contracts_init(struct contracts *contracts, const struct arguments *arguments)
{
	contracts->site = argument_given(arguments, "site") ? argument(arguments, "site") : ".";
	config_shipped(contracts->shipped, sizeof contracts->shipped, "canonical");
	contracts->loaded = json_object();
}

void contracts_free(struct contracts *contracts)
{
	json_decref(contracts->loaded);
}

static const json_t *load(struct contracts *contracts, const char *path, struct error *error)
{
	json_t *schema = json_object_get(contracts->loaded, path);
	json_error_t why;

	if (schema)
		return schema;
	schema = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (!schema) {
		error_set(error, ERROR_REJECT, "contract.json", "%s:%d:%d: %s", path, why.line, why.column, why.text);
		return NULL;
	}
	json_object_set_new(contracts->loaded, path, schema);
	return schema;
}

/* The nearest name; of one without a version the newest. Borrowed from the list. */
static const char *nearest_contract(const json_t *list, const char *name)
{
	size_t n = 0, i, length = strlen(name);
	const char **names = mem_alloc((json_array_size(list) + 1) * sizeof *names), *near;
	json_t *contract;

	json_array_foreach((json_t *)list, i, contract)
		names[n++] = json_string_value(json_object_get(contract, "name"));
	near = nearest_name(span_of(name), names, n);
	for (i = 0; i < n && !strchr(name, '/'); i++)
		if (strncmp(names[i], name, length) == 0 && names[i][length] == '/')
			near = names[i];
	free(names);
	return near;
}

static int unknown(struct contracts *contracts, const char *name, char *const *places, struct error *error)
{
	json_t *list = contracts_list_new(contracts);
	const char *near = nearest_contract(list, name);

	error_set(error, ERROR_REJECT, "contract.unknown",
		  "no contract %s: looked in %s and %s; ferrule contract list shows all" NEAR, name, places[1],
		  places[2], NEAR_ARGS(near));
	json_decref(list);
	return -1;
}

/* why NULL: whoever asks has other places to look in. */
static char *find_path(struct contracts *contracts, const char *name, struct error *why)
{
	char *places[] = {mem_strdup(name), mem_printf("%s/canonical/%s.schema.json", contracts->site, name),
			  mem_printf("%s/%s.schema.json", contracts->shipped, name)};
	const size_t n = sizeof places / sizeof *places;
	char *found = NULL;

	for (size_t i = 0; i < n && !found; i++)
		if (!access(places[i], R_OK))
			found = mem_strdup(places[i]);
	if (!found && why)
		unknown(contracts, name, places, why);
	for (size_t i = 0; i < n; i++)
		free(places[i]);
	return found;
}

char *contracts_path_new(struct contracts *contracts, const char *name, struct error *error)
{
	return find_path(contracts, name, error);
}

const json_t *contracts_get(struct contracts *contracts, const char *name, struct error *error)
{
	char *path = contracts_path_new(contracts, name, error);
	const json_t *schema = path ? load(contracts, path, error) : NULL;

	free(path);
	return schema;
}

/* An $id ends with the name: https://ferrule.example/canonical/order/v1. */
const json_t *contracts_find(void *arg, const char *reference)
{
	const char *name = reference + strlen(reference);
	struct error unused = {0};
	const json_t *schema;
	char *path;
	int slashes = 0;

	while (name > reference && slashes < 2)
		slashes += *--name == '/';
	name += slashes == 2;
	path = find_path(arg, name, NULL);
	schema = path ? load(arg, path, &unused) : NULL;
	free(path);
	if (schema && name != reference) {
		const char *id = json_string_value(json_object_get(schema, "$id"));

		return id && strcmp(id, reference) == 0 ? schema : NULL;
	}
	return schema;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */
static void list_versions(struct contracts *contracts, const char *folder, const char *entity, const char *from,
			  json_t *by_name)
{
	char *path = mem_printf("%s/%s", folder, entity);
	DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		unsigned version;
		int end = 0;
		char *name, *file;
		struct error error = {0};
		const json_t *schema;

		if (sscanf(entry->d_name, "v%u.schema.json%n", &version, &end) != 1 || !end || entry->d_name[end])
			continue;
		name = mem_printf("%s/v%u", entity, version);
		file = mem_printf("%s/%s", path, entry->d_name);
		schema = load(contracts, file, &error);
		if (schema && !json_object_get(by_name, name)) {
			const char *title = json_string_value(json_object_get(schema, "title")),
				   *description = json_string_value(json_object_get(schema, "description"));
			json_t *keys = json_object_get(schema, "x-ferrule-keys");

			json_object_set_new(by_name, name,
					    json_pack("{s:s s:s s:s s:s s:o}", "name", name, "title",
						      title ? title : "", "description", description ? description : "",
						      "from", from, "keys", keys ? json_incref(keys) : json_array()));
		}
		free(file);
		free(name);
	}
	if (directory)
		closedir(directory);
	free(path);
}

static void list_folder(struct contracts *contracts, const char *folder, const char *from, json_t *by_name)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			list_versions(contracts, folder, entry->d_name, from, by_name);
	if (directory)
		closedir(directory);
}

static int by_text(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b); /* v10 is newer than v9 */
}

json_t *contracts_list_new(struct contracts *contracts)
{
	char *own = mem_printf("%s/canonical", contracts->site);
	json_t *by_name = json_object(), *list = json_array(), *contract;
	const char **names, *name;
	size_t n = 0;

	list_folder(contracts, own, "site", by_name);
	list_folder(contracts, contracts->shipped, "ferrule", by_name);
	names = mem_alloc((json_object_size(by_name) + 1) * sizeof *names);
	json_object_foreach(by_name, name, contract)
		names[n++] = name;
	qsort(names, n, sizeof *names, by_text);
	for (size_t i = 0; i < n; i++)
		json_array_append(list, json_object_get(by_name, names[i]));
	free(names);
	json_decref(by_name);
	free(own);
	return list;
}

/* ---- fields --------------------------------------------------------------------------------------------------------
 */
struct walk {
	struct contracts *contracts;
	const json_t *root;
	json_t *fields;
	struct arena *arena;
};

static const json_t *follow(struct walk *walk, const json_t *schema)
{
	const char *reference = json_string_value(json_object_get(schema, "$ref"));
	const json_t *target = walk->root;

	if (!reference)
		return NULL;
	if (reference[0] != '#')
		return contracts_find(walk->contracts, reference);
	for (const char *at = reference + 1; target && *at == '/';) {
		size_t length = strcspn(at + 1, "/");

		target = json_object_getn(target, at + 1, length);
		at += 1 + length;
	}
	return target;
}

/* What the place says before what the shared definition says. */
static const json_t *said(struct walk *walk, const json_t *schema, const char *keyword)
{
	const json_t *value = NULL;

	for (int i = 0; i < DEPTH_MAX && schema && !value; i++) {
		value = json_object_get(schema, keyword);
		schema = follow(walk, schema);
	}
	return value;
}

static const char *text_said(struct walk *walk, const json_t *schema, const char *keyword)
{
	const char *text = json_string_value(said(walk, schema, keyword));

	return text ? text : "";
}

static const char *values_text(struct walk *walk, const json_t *list)
{
	const char *text = "";
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		text = arena_printf(walk->arena, "%s%s%s", text, i ? ", " : "one of ",
				    json_is_string(item) ? json_string_value(item) : "…");
	return text;
}

static const char *types_text(struct walk *walk, const json_t *list)
{
	const char *text = "";
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		text = arena_printf(walk->arena, "%s%s%s", text, i ? " or " : "",
				    json_is_string(item) ? json_string_value(item) : "?");
	return text;
}

/* For people: "text", "date", "decimal text", "list of objects". */
static const char *type_text(struct walk *walk, const json_t *schema, int depth)
{
	const char *type = text_said(walk, schema, "type"), *format = text_said(walk, schema, "format"),
		   *pattern = text_said(walk, schema, "pattern");

	if (said(walk, schema, "enum"))
		return values_text(walk, said(walk, schema, "enum"));
	if (strcmp(type, "array") == 0)
		return depth > DEPTH_MAX ? "list" /* of such lists, without end */
					 : arena_printf(walk->arena, "list of %s",
							type_text(walk, said(walk, schema, "items"), depth + 1));
	if (json_is_array(said(walk, schema, "type")))
		return types_text(walk, said(walk, schema, "type"));
	if (strcmp(type, "string") != 0)
		return *type ? type : "any";
	if (*format)
		return format;
	if (strncmp(pattern, "^-?[0-9]+", 9) == 0 || strncmp(pattern, "^[0-9]+(", 8) == 0)
		return "decimal text";
	return "text";
}

static const char *example_text(struct walk *walk, const json_t *schema)
{
	const json_t *value = json_array_get(said(walk, schema, "examples"), 0);
	const char *text = json_string_value(value);
	char *printed = text || !value ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	const char *copy = arena_strdup(walk->arena, text ? text : printed && strlen(printed) < 60 ? printed : "");

	free(printed);
	return copy;
}

static bool is_required(const json_t *object, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(object, "required"), i, item)
		if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
			return true;
	return false;
}

static void walk_object(struct walk *, const json_t *object, const char *prefix, bool personal, int depth);

static void walk_field(struct walk *walk, const json_t *object, const char *name, const json_t *schema,
		       const char *prefix, bool personal, int depth)
{
	const char *type = type_text(walk, schema, 0);
	bool list = strcmp(text_said(walk, schema, "type"), "array") == 0;
	const json_t *inner = list ? said(walk, schema, "items") : schema;
	const char *path = arena_printf(walk->arena, "%s%s%s", prefix, name, list ? "[]" : "");

	personal |= json_is_true(said(walk, schema, "x-ferrule-personal"));
	json_array_append_new(walk->fields, json_pack("{s:s s:s s:s s:s s:b s:b s:s}", "field", path, "title",
						      text_said(walk, schema, "title"), "description",
						      text_said(walk, schema, "description"), "type", type, "required",
						      is_required(object, name), "personal", personal, "example",
						      example_text(walk, schema)));
	for (int i = 0; inner && i < DEPTH_MAX && !json_object_get(inner, "properties"); i++)
		inner = follow(walk, inner);
	if (inner)
		walk_object(walk, inner, arena_printf(walk->arena, "%s.", path), personal, depth + 1);
}

static void walk_object(struct walk *walk, const json_t *object, const char *prefix, bool personal, int depth)
{
	const char *name;
	json_t *schema;

	if (depth > DEPTH_MAX)
		return;
	json_object_foreach(json_object_get(object, "properties"), name, schema) {
		if (json_array_size(walk->fields) < FIELDS_MAX)
			walk_field(walk, object, name, schema, prefix, personal, depth);
	}
}

json_t *contract_fields_new(struct contracts *contracts, const json_t *schema)
{
	struct walk walk = {contracts, schema, json_array(), arena_new()};

	walk_object(&walk, schema, "", false, 0);
	arena_free(walk.arena);
	return walk.fields;
}
