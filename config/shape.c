/* What is known of a value by its contracts. See shape.h.
 *
 * A schema is read as a conjunction: its own keywords, what it refers to and each of allOf all hold. Of anyOf, oneOf
 * and the two ways of if any may hold. What is not followed (dynamic references, other files) makes a value unknown. */
#include "config.h"
#include "config/shape.h"

#include <regex.h>
#include <stdlib.h>

#include "base/finding.h"

#define DEPTH_MAX 24
#define NAMES_MAX 256
#define WORK_MAX 20000 /* schemas that are walked for one field: branches within branches multiply */

struct shape shape_unknown(void)
{
	return (struct shape){.unknown = true};
}

struct shape shape_of(const json_t *schema, const char *contract)
{
	struct shape shape = {.count = 1, .path = ""};

	shape.nodes[0] = (struct shape_node){schema, schema, contract};
	return shape;
}

static void add_node(struct shape *shape, struct shape_node node)
{
	for (size_t i = 0; i < shape->count; i++) {
		if (shape->nodes[i].schema == node.schema)
			return;
	}
	if (shape->count == SHAPE_MAX)
		shape->unknown = true;
	else
		shape->nodes[shape->count++] = node;
}

/* ---- made objects ---------------------------------------------------------------------------------------- */
static const struct made *find_made(const struct shape *object, const char *key)
{
	const struct made *made = object->made;

	while (made && strcmp(made->key, key) != 0)
		made = made->next;
	return made;
}

struct shape shape_object(void)
{
	return (struct shape){.object = true, .path = ""};
}

void shape_add(struct arena *arena, struct shape *object, const char *key, const struct shape *shape)
{
	struct made *made;

	if (!object->object)
		return;
	if (++object->keys > SHAPE_KEYS_MAX) {
		*object = shape_unknown();
		return;
	}
	made = arena_alloc(arena, sizeof *made);
	*made = (struct made){key, *shape, object->made};
	object->made = made; /* the last one of a key is found first */
}

struct shape shape_plus(struct arena *arena, const struct shape *a, const struct shape *b)
{
	struct shape both = *a;

	if (!a->object || !b->object || a->lists > 0 || b->lists > 0)
		return shape_unknown();
	for (const struct made *made = b->made; made; made = made->next) {
		if (find_made(b, made->key) == made)
			shape_add(arena, &both, made->key, &made->shape);
	}
	return both;
}

static struct shape either_object(struct arena *arena, const struct shape *a, const struct shape *b)
{
	struct shape both = *a;

	for (const struct made *made = b->made; made; made = made->next) {
		const struct made *other = find_made(a, made->key);
		struct shape shape = other ? shape_either(arena, &other->shape, &made->shape) : made->shape;

		if (find_made(b, made->key) == made)
			shape_add(arena, &both, made->key, &shape);
	}
	return both;
}

struct shape shape_either(struct arena *arena, const struct shape *a, const struct shape *b)
{
	struct shape both = *a;

	if (a->none || b->none)
		return a->none ? *b : *a;
	if (a->object && b->object && a->lists == b->lists)
		return either_object(arena, a, b);
	if (a->object || b->object)
		return shape_unknown();
	if (a->unknown || b->unknown || a->lists != b->lists || a->absent != b->absent)
		return shape_unknown();
	for (size_t i = 0; i < b->count; i++)
		add_node(&both, b->nodes[i]);
	return both;
}

/* ---- references ------------------------------------------------------------------------------------------ */
static void unescape(char *part)
{
	char *to = part;

	for (char *from = part; *from; from++) {
		if (from[0] == '~' && (from[1] == '0' || from[1] == '1'))
			*to++ = *++from == '0' ? '~' : '/';
		else
			*to++ = *from;
	}
	*to = 0;
}

/* A pointer within the same contract; NULL: something else, which is not followed. */
static const json_t *follow(const json_t *root, const char *reference)
{
	const json_t *at = root;

	if (strcmp(reference, "#") == 0)
		return root;
	if (reference[0] != '#' || reference[1] != '/' || strchr(reference, '%'))
		return NULL;
	for (reference += 2; at && reference;) {
		const char *slash = strchr(reference, '/');
		char *part =
			mem_span_dup(span_make(reference, slash ? (size_t)(slash - reference) : strlen(reference)));

		unescape(part);
		at = json_is_array(at) ? json_array_get(at, strtoul(part, NULL, 10)) : json_object_get(at, part);
		free(part);
		reference = slash ? slash + 1 : NULL;
	}
	return at;
}

/* ---- walking a schema ------------------------------------------------------------------------------------ */
struct look {
	const char *key; /* NULL: items of a list are looked for */
	struct shape *into;
	struct shape_node node; /* root and contract of what is found */
	int depth;
	unsigned work;
};

static enum field look_at(struct look *, const json_t *schema);

static bool allows_type(const json_t *schema, const char *type)
{
	const json_t *types = json_object_get(schema, "type"), *item;
	size_t i;

	if (json_is_string(types))
		return strcmp(json_string_value(types), type) == 0;
	if (!json_is_array(types))
		return true;
	json_array_foreach((json_t *)types, i, item) {
		if (json_is_string(item) && strcmp(json_string_value(item), type) == 0)
			return true;
	}
	return false;
}

static enum field found(struct look *look, const json_t *schema)
{
	struct shape_node node = look->node;

	if (json_is_false(schema))
		return FIELD_CLOSED;
	if (!json_is_object(schema) || json_object_size(schema) == 0) {
		look->into->unknown = true;
		return FIELD_KNOWN;
	}
	node.schema = schema;
	add_node(look->into, node);
	return FIELD_KNOWN;
}

/* -1: not known. What stands behind a backslash, and (?, is not the same in POSIX as in ECMA 262. */
static int fits_pattern(const char *key, const char *pattern)
{
	regex_t regex;
	bool fits;

	if (strchr(pattern, '\\') || strstr(pattern, "(?") || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
		return -1;
	fits = regexec(&regex, key, 0, NULL, 0) == 0;
	regfree(&regex);
	return fits;
}

/* properties, patternProperties and additionalProperties speak of each other. */
static enum field look_at_properties(struct look *look, const json_t *schema)
{
	const json_t *properties = json_object_get(schema, "properties"),
		     *patterns = json_object_get(schema, "patternProperties"),
		     *others = json_object_get(schema, "additionalProperties"),
		     *one = json_object_get(properties, look->key);
	const char *pattern;
	json_t *value;

	if (one)
		return found(look, one);
	json_object_foreach((json_t *)patterns, pattern, value) {
		int fits = fits_pattern(look->key, pattern);

		if (fits < 0)
			return look->into->unknown = true, FIELD_KNOWN;
		if (fits)
			return found(look, value);
	}
	if (json_is_false(others))
		return FIELD_CLOSED;
	return json_is_object(others) && json_object_size(others) > 0 ? found(look, others) : FIELD_OPEN;
}

static enum field look_at_items(struct look *look, const json_t *schema)
{
	const json_t *items = json_object_get(schema, "items"), *prefix = json_object_get(schema, "prefixItems"), *item;
	enum field field = FIELD_OPEN;
	size_t i;

	json_array_foreach((json_t *)prefix, i, item)
		field = found(look, item);
	if (!items && prefix)
		look->into->unknown = true;
	return items ? found(look, items) : field;
}

/* Both hold. */
static enum field both(enum field a, enum field b)
{
	if (a == FIELD_UNKNOWN || b == FIELD_UNKNOWN)
		return FIELD_UNKNOWN;
	if (a == FIELD_SCALAR || b == FIELD_SCALAR)
		return FIELD_SCALAR;
	if (a == FIELD_CLOSED || b == FIELD_CLOSED)
		return FIELD_CLOSED;
	return a == FIELD_KNOWN || b == FIELD_KNOWN ? FIELD_KNOWN : FIELD_OPEN;
}

/* One of them holds. */
static enum field either(enum field a, enum field b)
{
	static const enum field best[] = {FIELD_UNKNOWN, FIELD_KNOWN, FIELD_OPEN, FIELD_CLOSED, FIELD_SCALAR};

	for (size_t i = 0; i < sizeof best / sizeof *best; i++) {
		if (a == best[i] || b == best[i])
			return best[i];
	}
	return FIELD_UNKNOWN;
}

static enum field look_at_branches(struct look *look, const json_t *list)
{
	const json_t *branch;
	enum field field = FIELD_SCALAR;
	size_t i;

	json_array_foreach((json_t *)list, i, branch)
		field = either(field, look_at(look, branch));
	return json_array_size(list) > 0 ? field : FIELD_OPEN;
}

/* A condition may describe a field; it never takes one away for certain. */
static enum field hint(struct look *look, const json_t *schema)
{
	enum field field = schema ? look_at(look, schema) : FIELD_OPEN;

	return field == FIELD_KNOWN || field == FIELD_UNKNOWN ? field : FIELD_OPEN;
}

static enum field look_at_reference(struct look *look, const json_t *schema)
{
	const json_t *reference = json_object_get(schema, "$ref"), *target;

	if (json_object_get(schema, "$dynamicRef") || json_object_get(schema, "$recursiveRef"))
		return FIELD_UNKNOWN;
	if (!reference)
		return FIELD_OPEN;
	target = json_is_string(reference) ? follow(look->node.root, json_string_value(reference)) : NULL;
	return target ? look_at(look, target) : FIELD_UNKNOWN;
}

static enum field look_at(struct look *look, const json_t *schema)
{
	const json_t *part, *rest = json_object_get(schema, look->key ? "unevaluatedProperties" : "unevaluatedItems");
	enum field field = FIELD_OPEN;
	const char *name;
	json_t *value;
	size_t i;

	if (json_is_true(schema))
		return FIELD_OPEN;
	if (!json_is_object(schema))
		return FIELD_SCALAR; /* false: no value at all */
	if (++look->work > WORK_MAX)
		return FIELD_UNKNOWN;
	if (++look->depth > DEPTH_MAX) {
		look->depth--;
		return FIELD_UNKNOWN;
	}
	if (!allows_type(schema, look->key ? "object" : "array"))
		field = FIELD_SCALAR;
	else
		field = look->key ? look_at_properties(look, schema) : look_at_items(look, schema);
	field = both(field, look_at_reference(look, schema));
	json_array_foreach(json_object_get(schema, "allOf"), i, part)
		field = both(field, look_at(look, part));
	field = both(field, look_at_branches(look, json_object_get(schema, "anyOf")));
	field = both(field, look_at_branches(look, json_object_get(schema, "oneOf")));
	field = both(field, hint(look, json_object_get(schema, "if")));
	field = both(field, hint(look, json_object_get(schema, "then")));
	field = both(field, hint(look, json_object_get(schema, "else")));
	json_object_foreach(json_object_get(schema, "dependentSchemas"), name, value)
		field = both(field, hint(look, value));
	if (field == FIELD_OPEN && json_is_false(rest))
		field = FIELD_CLOSED;
	else if (field == FIELD_OPEN && json_is_object(rest) && json_object_size(rest) > 0)
		field = found(look, rest);
	look->depth--;
	return field;
}

static enum field look_for(const struct shape *shape, const char *key, struct shape *into)
{
	enum field field = FIELD_SCALAR;

	*into = (struct shape){.path = shape->path};
	for (size_t i = 0; i < shape->count; i++) {
		struct look look = {key, into, shape->nodes[i], 0, 0};

		field = either(field, look_at(&look, shape->nodes[i].schema));
	}
	return field;
}

static bool is_word(const char *key)
{
	if (!*key || (*key >= '0' && *key <= '9'))
		return false;
	for (; *key; key++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789", *key))
			return false;
	}
	return true;
}

enum field shape_field(struct arena *arena, const struct shape *shape, const char *key, struct shape *into)
{
	enum field field;

	if (shape->object && shape->lists == 0) {
		const struct made *made = find_made(shape, key);

		*into = made ? made->shape : shape_unknown();
		field = made ? FIELD_KNOWN : FIELD_CLOSED;
	} else if (shape->unknown || shape->lists > 0 || shape->count == 0) {
		*into = shape_unknown();
		return FIELD_UNKNOWN;
	} else {
		field = look_for(shape, key, into);
		if (field != FIELD_KNOWN || into->count == 0 || into->unknown)
			*into = shape_unknown();
	}
	into->path = arena_printf(arena, is_word(key) ? "%s.%s" : "%s.\"%s\"", shape->path ? shape->path : "", key);
	return field;
}

struct shape shape_items(struct arena *arena, const struct shape *shape)
{
	struct shape items;
	enum field field;

	if (shape->lists > 0) {
		items = *shape;
		items.lists--;
		items.path = arena_printf(arena, "%s[]", shape->path && *shape->path ? shape->path : ".");
		return items;
	}
	if (shape->unknown || shape->count == 0)
		return shape_unknown();
	for (size_t i = 0; i < shape->count; i++) { /* .[] of an object gives its values */
		if (allows_type(shape->nodes[i].schema, "object") && !json_object_get(shape->nodes[i].schema, "$ref") &&
		    !json_object_get(shape->nodes[i].schema, "items"))
			return shape_unknown();
	}
	field = look_for(shape, NULL, &items);
	if (field != FIELD_KNOWN || items.unknown)
		return shape_unknown();
	items.path = arena_printf(arena, "%s[]", shape->path && *shape->path ? shape->path : ".");
	return items;
}

/* ---- for people ------------------------------------------------------------------------------------------ */
struct names {
	const struct shape_node *node;
	const char **list;
	size_t n;
	unsigned work;
};

static void collect_names(struct names *names, const json_t *schema, int depth)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
	const json_t *reference = json_object_get(schema, "$ref"), *part;
	const char *name;
	json_t *value;
	size_t i;

	if (depth > DEPTH_MAX || ++names->work > WORK_MAX || !json_is_object(schema))
		return;
	json_object_foreach(json_object_get(schema, "properties"), name, value) {
		if (names->n < NAMES_MAX)
			names->list[names->n++] = name;
	}
	if (json_is_string(reference))
		collect_names(names, follow(names->node->root, json_string_value(reference)), depth + 1);
	for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
		json_array_foreach(json_object_get(schema, lists[k]), i, part)
			collect_names(names, part, depth + 1);
	}
}

static size_t names_of(const struct shape *shape, const char *list[NAMES_MAX])
{
	struct names names = {.list = list};

	for (size_t i = 0; i < shape->count; i++) {
		names.node = &shape->nodes[i];
		collect_names(&names, shape->nodes[i].schema, 0);
	}
	return names.n;
}

bool shape_describes(const struct shape *shape)
{
	const char *names[NAMES_MAX];

	return names_of(shape, names) > 0;
}

const char *shape_nearest(const struct shape *shape, const char *key)
{
	const char *names[NAMES_MAX];
	size_t n = names_of(shape, names);

	for (const struct made *made = shape->made; made && n < NAMES_MAX; made = made->next)
		names[n++] = made->key;
	return nearest_name(span_of(key), names, n);
}

const char *shape_contracts(struct arena *arena, const struct shape *shape)
{
	const char *text = shape->count > 0 ? shape->nodes[0].contract : "";

	for (size_t i = 1; i < shape->count; i++) {
		bool told = false;

		for (size_t k = 0; k < i && !told; k++)
			told = strcmp(shape->nodes[k].contract, shape->nodes[i].contract) == 0;
		if (!told)
			text = arena_printf(arena, "%s or %s", text, shape->nodes[i].contract);
	}
	return text;
}
