/* Schemas made ready to compare: $ref, allOf and unions of one are followed, so that a schema is a list of objects that
 * must all hold. The spellings of older drafts (items as a list, additionalItems, dependencies, id) mean what they
 * meant. See compatibility_private.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOW_MAX 64

static void add(struct compare *, struct conj *, const json_t *, const struct path *, struct schema_document *,
		const struct trail *);

const struct path *path_name(struct compare *c, const struct path *up, const char *name)
{
	struct path *path = arena_alloc(c->arena, sizeof *path);

	*path = (struct path){up, name, 0};
	return path;
}

const struct path *path_index(struct compare *c, const struct path *up, size_t index)
{
	struct path *path = arena_alloc(c->arena, sizeof *path);

	*path = (struct path){up, NULL, index};
	return path;
}

/* ---- types ----------------------------------------------------------------------------------------------------- */
static const struct {
	const char *name;
	unsigned types;
} type_names[] = {
	{"null", TYPE_NULL},     {"boolean", TYPE_BOOLEAN}, {"number", TYPE_NUMBER}, {"integer", TYPE_INTEGER},
	{"string", TYPE_STRING}, {"array", TYPE_ARRAY},     {"object", TYPE_OBJECT},
};
#define TYPE_NAMES (sizeof type_names / sizeof *type_names)

unsigned types_of_name(const char *name)
{
	for (size_t i = 0; i < TYPE_NAMES; i++)
		if (strcmp(name, type_names[i].name) == 0)
			return type_names[i].types;
	return strcmp(name, "any") == 0 ? TYPE_ALL : 0; /* no value is of a type that does not exist */
}

unsigned type_of_value(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		return TYPE_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return TYPE_BOOLEAN;
	case JSON_INTEGER:
		return TYPE_INTEGER;
	case JSON_REAL:
		return json_real_value(value) == floor(json_real_value(value)) ? TYPE_INTEGER : TYPE_FRACTION;
	case JSON_STRING:
		return TYPE_STRING;
	case JSON_ARRAY:
		return TYPE_ARRAY;
	default:
		return TYPE_OBJECT;
	}
}

const char *types_text(struct compare *c, unsigned types)
{
	const char *text = "";

	for (size_t i = 0; i < TYPE_NAMES; i++) {
		if ((types & type_names[i].types) != type_names[i].types)
			continue;
		text = arena_printf(c->arena, "%s%s%s", text, *text ? ", " : "", type_names[i].name);
		types &= ~type_names[i].types;
	}
	return types & TYPE_FRACTION ? arena_printf(c->arena, "%s%snumber", text, *text ? ", " : "") : text;
}

static unsigned types_of(const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type"), *list = json_object_get(schema, "enum"),
		     *one = json_object_get(schema, "const"), *item;
	unsigned types = TYPE_ALL, some = 0;
	size_t i;

	if (json_is_string(type))
		types = types_of_name(json_string_value(type));
	if (json_is_array(type)) {
		json_array_foreach(type, i, item)
			some |= json_is_string(item) ? types_of_name(json_string_value(item)) : TYPE_ALL;
		types = some;
	}
	if (json_is_array(list)) {
		some = 0;
		json_array_foreach(list, i, item)
			some |= type_of_value(item);
		types &= some;
	}
	return one ? types & type_of_value(one) : types;
}

/* ---- what a schema object says by itself ------------------------------------------------------------------------- */
static const char *const structure[] = {"$ref",        "$dynamicRef", "$recursiveRef", "allOf",   "$defs",
					"definitions", "$id",         "$schema",       "$anchor", "id"};
static const char *const limits[] = {"type",
				     "enum",
				     "const",
				     "multipleOf",
				     "maximum",
				     "exclusiveMaximum",
				     "minimum",
				     "exclusiveMinimum",
				     "maxLength",
				     "minLength",
				     "pattern",
				     "format",
				     "prefixItems",
				     "items",
				     "additionalItems",
				     "unevaluatedItems",
				     "maxItems",
				     "minItems",
				     "uniqueItems",
				     "contains",
				     "maxContains",
				     "minContains",
				     "maxProperties",
				     "minProperties",
				     "required",
				     "properties",
				     "patternProperties",
				     "additionalProperties",
				     "unevaluatedProperties",
				     "propertyNames",
				     "dependentRequired",
				     "dependentSchemas",
				     "dependencies",
				     "anyOf",
				     "oneOf",
				     "not",
				     "if"};

static bool among(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

static void look(const json_t *schema, bool *speaks, bool *limited)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)schema, key, value) {
		if (among(key, structure, sizeof structure / sizeof *structure))
			continue;
		*speaks = true;
		if (among(key, limits, sizeof limits / sizeof *limits))
			*limited = true;
	}
}

/* ---- references -------------------------------------------------------------------------------------------------- */
struct target {
	const json_t *schema;
	const struct path *path;
	struct schema_document *document;
};

/* RFC 3986, 5.2, as far as addresses of schemas go: absolute, below the same host, or beside. */
static const char *absolute(struct compare *c, const char *base, const char *reference)
{
	const char *scheme = strstr(base, "://"), *host = scheme ? scheme + 3 : base, *slash = strrchr(host, '/');

	if (strstr(reference, "://") || strncmp(reference, "urn:", 4) == 0 || !*base)
		return reference;
	if (*reference == '/')
		return arena_printf(c->arena, "%.*s%s", (int)(host - base + (ptrdiff_t)strcspn(host, "/")), base,
				    reference);
	return slash ? arena_printf(c->arena, "%.*s/%s", (int)(slash - base), base, reference) : reference;
}

struct wanted {
	const char *name, *address; /* as written, and in full */
	const char *base;           /* that $id are relative to */
	bool anchor;
};

static bool is_wanted(struct compare *c, const json_t *at, const struct wanted *wanted)
{
	static const char *const ids[] = {"$id", "id", "$anchor", "$dynamicAnchor"};

	for (int i = 0; i < (wanted->anchor ? 4 : 2); i++) {
		const char *said = json_string_value(json_object_get(at, ids[i]));

		if (!said)
			continue;
		if (strcmp(said, wanted->name) == 0 || (said[0] == '#' && strcmp(said + 1, wanted->name) == 0))
			return true;
		if (wanted->address && strcmp(absolute(c, wanted->base, said), wanted->address) == 0)
			return true;
	}
	return false;
}

/* The schema whose $id, id, $anchor or $dynamicAnchor it is. */
static bool find_named(struct compare *c, const json_t *at, const struct path *path, const struct wanted *wanted,
		       int depth, struct target *target)
{
	const char *key;
	json_t *value;
	size_t i;

	if (depth > FOLLOW_MAX)
		return false;
	if (is_wanted(c, at, wanted)) {
		target->schema = at;
		target->path = path;
		return true;
	}
	json_object_foreach((json_t *)at, key, value) {
		if ((json_is_object(value) || json_is_array(value)) &&
		    find_named(c, value, path_name(c, path, key), wanted, depth + 1, target))
			return true;
	}
	json_array_foreach(at, i, value) {
		if (json_is_object(value) && find_named(c, value, path_index(c, path, i), wanted, depth + 1, target))
			return true;
	}
	return false;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* One token of a pointer in a URI fragment: ~1, ~0 and %2F are / ~ /. */
static char *token(struct compare *c, const char *text, size_t length)
{
	char *out = arena_alloc(c->arena, length + 1);
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '~' && i + 1 < length && (text[i + 1] == '0' || text[i + 1] == '1'))
			out[n++] = text[++i] == '0' ? '~' : '/';
		else if (text[i] == '%' && i + 2 < length && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
			out[n++] = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
			i += 2;
		} else
			out[n++] = text[i];
	}
	return out;
}

static bool follow_pointer(struct compare *c, const char *text, struct target *target)
{
	while (*text == '/' && target->schema) {
		size_t length = strcspn(text + 1, "/");
		char *key = token(c, text + 1, length);

		if (json_is_array(target->schema)) {
			size_t index = strtoul(key, NULL, 10);

			target->schema = json_array_get(target->schema, index);
			target->path = path_index(c, target->path, index);
		} else {
			target->schema = json_object_get(target->schema, key);
			target->path = path_name(c, target->path, key);
		}
		text += 1 + length;
	}
	return target->schema != NULL && *text == '\0';
}

struct schema_document *schema_document_new(struct compare *c, const json_t *root, const char *name, bool writer)
{
	struct schema_document *document = arena_alloc(c->arena, sizeof *document);
	const char *id = json_string_value(json_object_get(root, "$id"));

	if (!id)
		id = json_string_value(json_object_get(root, "id"));
	*document = (struct schema_document){.root = root,
					     .name = arena_strdup(c->arena, name),
					     .writer = writer,
					     .next = c->documents,
					     .base = id ? id : ""};
	c->documents = document;
	return document;
}

/* References in a schema with an $id of its own begin there. */
static struct schema_document *document_at(struct compare *c, const json_t *schema, const struct path *path,
					   struct schema_document *around)
{
	const char *id = json_string_value(json_object_get(schema, "$id"));
	struct schema_document *document;

	if (!id || id[0] == '#' || schema == around->root)
		return around;
	for (document = c->documents; document; document = document->next)
		if (document->root == schema)
			return document;
	document = schema_document_new(c, schema, around->name, around->writer);
	document->home = around->home ? around->home : around;
	document->path = path;
	document->base = absolute(c, around->base, id);
	return document;
}

/* Contracts are compared as they are today: what another contract says is the same for both sides. */
static struct schema_document *other_document(struct compare *c, const char *name, bool writer)
{
	struct schema_document *document;
	const json_t *root;

	for (document = c->documents; document; document = document->next)
		if (document->name && !document->home && strcmp(document->name, name) == 0 &&
		    document->writer == writer)
			return document;
	root = c->options->find ? c->options->find(c->options->arg, name) : NULL;
	return root ? schema_document_new(c, root, name, writer) : NULL;
}

static bool resolve(struct compare *c, const char *reference, struct schema_document *from, struct target *target)
{
	const char *hash = strchr(reference, '#'), *fragment = hash ? hash + 1 : "";
	char *base = token(c, reference, hash ? (size_t)(hash - reference) : strlen(reference));
	struct schema_document *home = from->home ? from->home : from;
	struct wanted address = {base, absolute(c, from->base, base), home->base, false},
		      anchor = {fragment, NULL, NULL, true};

	*target = (struct target){from->root, from->path, from};
	if (*base) {
		*target = (struct target){home->root, NULL, home};
		if (!find_named(c, home->root, NULL, &address, 0, target)) {
			target->document = other_document(c, base, from->writer);
			if (!target->document)
				return false;
			target->schema = target->document->root;
		}
		target->document = document_at(c, target->schema, target->path, target->document);
	}
	if (!*fragment)
		return true;
	if (*fragment == '/')
		return follow_pointer(c, fragment, target);
	return find_named(c, target->schema, target->path, &anchor, 0, target);
}

static void append(struct compare *c, struct conj *conj, const struct part *part)
{
	struct part *more;

	if (conj->count == PARTS_MAX) {
		compare_fail(c);
		return;
	}
	if (conj->count == conj->capacity) {
		conj->capacity = conj->capacity ? conj->capacity * 2 : 4;
		more = arena_alloc(c->arena, conj->capacity * sizeof *more);
		if (conj->count)
			memcpy(more, conj->parts, conj->count * sizeof *more);
		conj->parts = more;
	}
	conj->parts[conj->count++] = *part;
}

static void add_reference(struct compare *c, struct conj *conj, const char *keyword, const struct part *part,
			  const struct trail *trail)
{
	const char *reference = json_string_value(json_object_get(part->schema, keyword));
	struct target target;

	if (!reference)
		return;
	if (resolve(c, reference, part->document, &target)) {
		add(c, conj, target.schema, target.path, target.document, trail);
		return;
	}
	conj->constrained = true; /* what it says is not known: it is equal to itself only */
	append(c, conj, part);
	conj->parts[conj->count - 1].opaque = reference;
}

/* ---- conjunctions ------------------------------------------------------------------------------------------------ */
void conj_init(struct conj *conj)
{
	*conj = (struct conj){.types = TYPE_ALL};
}

struct conj conj_copy(struct compare *c, const struct conj *from)
{
	struct conj conj = *from;

	conj.capacity = conj.count + 4;
	conj.parts = arena_alloc(c->arena, conj.capacity * sizeof *conj.parts);
	if (conj.count)
		memcpy(conj.parts, from->parts, conj.count * sizeof *conj.parts);
	return conj;
}

static void add_list(struct compare *c, struct conj *conj, const struct part *part, const char *keyword,
		     const struct trail *trail)
{
	const json_t *list = json_object_get(part->schema, keyword), *item;
	const struct path *path = path_name(c, part->path, keyword);
	size_t i;

	json_array_foreach(list, i, item)
		add(c, conj, item, path_index(c, path, i), part->document, trail);
}

static bool known(const struct conj *conj, const json_t *schema, const struct trail *trail)
{
	for (size_t i = 0; i < conj->count; i++)
		if (conj->parts[i].schema == schema)
			return true;
	for (; trail; trail = trail->up)
		if (trail->schema == schema)
			return true;
	return false;
}

static void add(struct compare *c, struct conj *conj, const json_t *schema, const struct path *path,
		struct schema_document *document, const struct trail *up)
{
	struct trail *trail;
	struct part part = {schema, path, document, 0, NULL, NULL};
	bool speaks = false, limited = false;

	if (json_is_false(schema))
		conj->nothing = true;
	if (!json_is_object(schema) || known(conj, schema, up)) /* what leads back to itself says nothing */
		return;
	if (up && up->depth > FOLLOW_MAX) {
		compare_fail(c);
		return;
	}
	part.document = document = document_at(c, schema, path, document);
	part.trail = trail = arena_alloc(c->arena, sizeof *trail);
	*trail = (struct trail){schema, up, up ? up->depth + 1 : 0};
	look(schema, &speaks, &limited);
	if (speaks)
		append(c, conj, &part);
	conj->constrained |= limited;
	conj->types &= types_of(schema);
	add_reference(c, conj, "$ref", &part, trail);
	add_reference(c, conj, "$dynamicRef", &part, trail);
	add_reference(c, conj, "$recursiveRef", &part, trail);
	add_list(c, conj, &part, "allOf", trail);
	if (json_array_size(json_object_get(schema, "anyOf")) == 1)
		add_list(c, conj, &part, "anyOf", trail);
	if (json_array_size(json_object_get(schema, "oneOf")) == 1)
		add_list(c, conj, &part, "oneOf", trail);
}

void conj_add(struct compare *c, struct conj *conj, const json_t *schema, const struct path *path,
	      struct schema_document *document)
{
	add(c, conj, schema, path, document, NULL);
}

void conj_add_below(struct compare *c, struct conj *conj, const struct part *part, const char *keyword)
{
	add(c, conj, json_object_get(part->schema, keyword), path_name(c, part->path, keyword), part->document, NULL);
}

void conj_add_index(struct compare *c, struct conj *conj, const struct part *part, const char *keyword, size_t i)
{
	add(c, conj, json_array_get(json_object_get(part->schema, keyword), i),
	    path_index(c, path_name(c, part->path, keyword), i), part->document, NULL);
}

void conj_add_name(struct compare *c, struct conj *conj, const struct part *part, const char *keyword, const char *name)
{
	add(c, conj, json_object_get(json_object_get(part->schema, keyword), name),
	    path_name(c, path_name(c, part->path, keyword), name), part->document, NULL);
}

bool conj_open(const struct conj *conj)
{
	return !conj->nothing && !conj->constrained;
}

bool conj_bare(const struct conj *conj)
{
	const char *key;
	size_t said = 0;
	json_t *value;

	for (size_t i = 0; i < conj->count; i++)
		json_object_foreach((json_t *)conj->parts[i].schema, key, value)
			said += among(key, limits, sizeof limits / sizeof *limits);
	return said <= 1;
}

const struct part *conj_with(const struct conj *conj, const char *keyword)
{
	for (size_t i = 0; i < conj->count; i++)
		if (json_object_get(conj->parts[i].schema, keyword))
			return &conj->parts[i];
	return NULL;
}

bool conj_union(const struct conj *conj, size_t from, struct choice_of *choice)
{
	static const struct {
		const char *keyword;
		unsigned skip;
	} unions[] = {{"anyOf", SKIP_ANY}, {"oneOf", SKIP_ONE}};

	for (size_t i = from; i < conj->count * 2; i++) {
		const struct part *part = &conj->parts[i / 2];
		const json_t *list = json_object_get(part->schema, unions[i % 2].keyword);

		if (json_array_size(list) < 2 || part->skip & unions[i % 2].skip)
			continue;
		*choice = (struct choice_of){i / 2, unions[i % 2].keyword, list};
		return true;
	}
	return false;
}

/* A part that says nothing else is left out: many unions of the same schemas then come to the same question. */
void conj_decide(struct conj *conj, const struct choice_of *choice)
{
	struct part *part = &conj->parts[choice->part];
	const char *key;
	json_t *value;
	bool else_said = false;

	conj->chosen = true;
	part->skip |= strcmp(choice->keyword, "anyOf") == 0 ? SKIP_ANY : SKIP_ONE;
	json_object_foreach((json_t *)part->schema, key, value)
		else_said |= strcmp(key, choice->keyword) != 0 && among(key, limits, sizeof limits / sizeof *limits);
	if (else_said)
		return;
	conj->count--;
	memmove(part, part + 1, (conj->count - choice->part) * sizeof *part);
}
