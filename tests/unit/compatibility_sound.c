/* Does the comparison keep its word? Schemas and documents at random: where a new version is called compatible,
 * whatever the old one takes must be taken by the new one. Reproducible; FERRULE_SOUND_SEED and FERRULE_SOUND_ROUNDS
 * for more. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>

#include "config/compatibility.h"
#include "tests/support/support.h"
#include "transformers/schema/schema.h"

#define DOCUMENTS 40

static uint64_t state_of_chance;

static unsigned chance(unsigned below)
{
	state_of_chance = state_of_chance * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state_of_chance >> 33) % below;
}

static const char *const names[] = {"a", "ab", "b", "c"};
static const char *const patterns[] = {"^a", "b", "^(a|c)$", "b$"};
static const char *const types[] = {"null", "boolean", "integer", "number", "string", "array", "object"};

/* ---- documents
 * ------------------------------------------------------------------------------------------------------- */
static json_t *document_new(int depth)
{
	static const char *const texts[] = {"", "x", "xy", "xyz", "b"};
	json_t *made;

	switch (chance(depth > 0 ? 9 : 6)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(chance(2));
	case 2:
	case 3:
		return json_integer((json_int_t)chance(6));
	case 4:
		return json_real(chance(8) / 2.0 + 0.25);
	case 5:
		return json_string(texts[chance(5)]);
	case 6:
		made = json_array();
		for (unsigned n = chance(4); n > 0; n--)
			json_array_append_new(made, document_new(depth - 1));
		return made;
	default:
		made = json_object();
		for (unsigned n = chance(5); n > 0; n--)
			json_object_set_new(made, names[chance(4)], document_new(depth - 1));
		return made;
	}
}

/* What the schema would like: chance alone hardly ever comes upon what a narrow one takes. */
static json_t *document_for(const json_t *root, const json_t *schema, int depth);

static json_t *object_for(const json_t *root, const json_t *schema, int depth)
{
	json_t *made = json_object(), *properties = json_object_get(schema, "properties"),
	       *known = json_object_get(schema, "patternProperties"),
	       *others = json_object_get(schema, "additionalProperties"), *of, *name;
	const char *key;
	size_t k;

	json_object_foreach(properties, key, of)
		if (chance(3))
			json_object_set_new(made, key, document_for(root, of, depth - 1));
	json_object_foreach(known, key, of)
		if (chance(2))
			json_object_set_new(made, key[0] == 'b' ? "b" : "a", document_for(root, of, depth - 1));
	if (!json_is_false(others) && chance(2))
		json_object_set_new(made, names[chance(4)],
				    others ? document_for(root, others, depth - 1) : document_new(1));
	json_array_foreach(json_object_get(schema, "required"), k, name)
		if (!json_object_get(made, json_string_value(name)))
			json_object_set_new(made, json_string_value(name), document_new(1));
	return made;
}

static json_t *array_for(const json_t *root, const json_t *schema, int depth)
{
	const json_t *prefix = json_object_get(schema, "prefixItems"), *items = json_object_get(schema, "items");
	size_t n = chance(2) ? json_array_size(prefix) : chance(4);
	json_t *made = json_array();

	for (size_t i = 0; i < n; i++) {
		const json_t *of = i < json_array_size(prefix) ? json_array_get(prefix, i) : items;

		json_array_append_new(made, of ? document_for(root, of, depth - 1) : document_new(1));
	}
	if (json_object_get(schema, "contains"))
		json_array_append_new(made, document_for(root, json_object_get(schema, "contains"), depth - 1));
	return made;
}

static json_t *number_for(const json_t *schema)
{
	static const char *const limits[] = {"minimum", "maximum", "exclusiveMaximum", "multipleOf"};
	const json_t *limit = json_object_get(schema, limits[chance(4)]);

	return chance(4) ? json_integer(json_integer_value(limit) + (json_int_t)chance(3) - 1)
			 : json_real((double)json_integer_value(limit) + 0.25);
}

static const json_t *led_to(const json_t *root, const char *reference)
{
	static const char *const keys[] = {"one", "two", "three"};

	for (size_t i = 0; i < 3; i++)
		if (strstr(reference, keys[i]))
			return json_object_get(json_object_get(root, "$defs"), keys[i]);
	return root;
}

static json_t *document_for(const json_t *root, const json_t *schema, int depth)
{
	static const char *const ways[] = {"allOf", "anyOf", "oneOf", "if", "then", "else", "not"}, *const texts[] = {
													    "x", "y",
													    "xy",
													    "xyxy",
													    "yx"};
	const json_t *way = json_object_get(schema, ways[chance(7)]), *list = json_object_get(schema, "enum"),
		     *one = json_object_get(schema, "const"), *type = json_object_get(schema, "type");
	const char *reference = json_string_value(json_object_get(schema, "$ref")), *name;

	if (depth < -3 || !json_object_size(schema) || chance(10) == 0)
		return document_new(1);
	if (one)
		return json_deep_copy(one);
	if (list)
		return json_deep_copy(json_array_get(list, chance((unsigned)json_array_size(list))));
	if (reference && chance(2))
		return document_for(root, led_to(root, reference), depth - 1);
	if (way && chance(3))
		return document_for(
			root, json_is_array(way) ? json_array_get(way, chance((unsigned)json_array_size(way))) : way,
			depth - 1);
	name = json_is_array(type) ? json_string_value(json_array_get(type, chance((unsigned)json_array_size(type))))
				   : json_string_value(type);
	if (!name)
		name = types[2 + chance(5)];
	switch (name[0] == 'n' && name[2] == 'l' ? 'z' : name[0]) {
	case 'z':
		return json_null();
	case 'b':
		return json_boolean(chance(2));
	case 's':
		return json_string(texts[chance(5)]);
	case 'a':
		return array_for(root, schema, depth);
	case 'o':
		return object_for(root, schema, depth);
	default:
		return number_for(schema);
	}
}

/* ---- schemas
 * --------------------------------------------------------------------------------------------------------- */
static json_t *schema_new_at_random(int depth);

static json_t *list_of_schemas(int depth, unsigned least)
{
	json_t *list = json_array();

	for (unsigned n = least + chance(2); n > 0; n--)
		json_array_append_new(list, schema_new_at_random(depth - 1));
	return list;
}

static json_t *map_of_schemas(int depth)
{
	json_t *map = json_object();

	for (unsigned n = 1 + chance(2); n > 0; n--)
		json_object_set_new(map, names[chance(4)], schema_new_at_random(depth - 1));
	return map;
}

static json_t *map_of_patterns(int depth)
{
	json_t *map = json_object();

	for (unsigned n = 1 + chance(2); n > 0; n--)
		json_object_set_new(map, patterns[chance(4)], schema_new_at_random(depth - 1));
	return map;
}

static void say_of_values(json_t *schema)
{
	switch (chance(11)) {
	case 0:
		json_object_set_new(schema, "minimum", json_integer(chance(5)));
		break;
	case 1:
		json_object_set_new(schema, "exclusiveMaximum", json_integer(chance(5)));
		break;
	case 2:
		json_object_set_new(schema, "maximum", json_integer(chance(5)));
		break;
	case 3:
		json_object_set_new(schema, "maxLength", json_integer(chance(4)));
		break;
	case 4:
		json_object_set_new(schema, "minLength", json_integer(chance(3)));
		break;
	case 5:
		json_object_set_new(schema, "multipleOf", json_integer(1 + chance(3)));
		break;
	case 6:
		json_object_set_new(schema, "pattern", json_string(chance(2) ? "^x" : "y"));
		break;
	case 7:
		json_object_set_new(schema, "const", document_new(1));
		break;
	case 8: /* values of several types, the same as another number is written, and more than one list */
		json_object_set_new(
			schema, "enum",
			json_pack("[o,o,f,o]", document_new(0), document_new(2), (double)chance(4), document_new(1)));
		break;
	case 9:
		json_object_set_new(schema, "enum", json_pack("[i,i,i]", (int)chance(3), (int)chance(6), 7));
		json_object_set_new(schema, "const", json_integer(chance(4)));
		break;
	default:
		json_object_set_new(schema, "enum", json_pack("[o,o]", document_new(0), document_new(0)));
		break;
	}
}

static void say_of_objects(json_t *schema, int depth)
{
	switch (chance(9)) {
	case 0:
	case 1:
		json_object_set_new(schema, "properties", map_of_schemas(depth));
		break;
	case 2:
		json_object_set_new(schema, "required", json_pack("[s]", names[chance(4)]));
		break;
	case 3:
		json_object_set_new(schema, "additionalProperties",
				    chance(2) ? json_false() : schema_new_at_random(depth - 1));
		break;
	case 4:
		json_object_set_new(schema, "patternProperties", map_of_patterns(depth));
		break;
	case 5:
		json_object_set_new(schema, chance(2) ? "minProperties" : "maxProperties", json_integer(chance(4)));
		break;
	case 6:
		json_object_set_new(schema, "dependentRequired",
				    json_pack("{s:[s]}", names[chance(4)], names[chance(4)]));
		break;
	case 7:
		json_object_set_new(schema, "dependentSchemas", map_of_schemas(depth));
		break;
	default:
		json_object_set_new(schema, chance(2) ? "propertyNames" : "unevaluatedProperties",
				    chance(3) ? schema_new_at_random(depth - 1) : json_false());
		break;
	}
}

static void say_of_arrays(json_t *schema, int depth)
{
	switch (chance(7)) {
	case 0:
		json_object_set_new(schema, "items", chance(3) ? schema_new_at_random(depth - 1) : json_false());
		break;
	case 1:
		json_object_set_new(schema, "prefixItems", list_of_schemas(depth, 1));
		break;
	case 2:
		json_object_set_new(schema, "maxItems", json_integer(chance(4)));
		break;
	case 3:
		json_object_set_new(schema, "minItems", json_integer(chance(3)));
		break;
	case 4:
		json_object_set_new(schema, "uniqueItems", json_boolean(chance(3)));
		break;
	case 5:
		json_object_set_new(schema, "contains", schema_new_at_random(depth - 1));
		if (chance(2))
			json_object_set_new(schema, chance(2) ? "minContains" : "maxContains", json_integer(chance(3)));
		break;
	default:
		json_object_set_new(schema, "unevaluatedItems",
				    chance(2) ? schema_new_at_random(depth - 1) : json_false());
		break;
	}
}

static const char *const references[] = {
	"#/$defs/one", "#/$defs/two", "#/$defs/three", "#two", "urn:sound:three", "#/$defs/one", "#"};

static void say_of_schemas(json_t *schema, int depth)
{
	switch (chance(7)) {
	case 0:
		json_object_set_new(schema, "allOf", list_of_schemas(depth, 1));
		break;
	case 1:
		json_object_set_new(schema, "anyOf", list_of_schemas(depth, 1));
		break;
	case 2:
		json_object_set_new(schema, "oneOf", list_of_schemas(depth, 1));
		break;
	case 3:
		json_object_set_new(schema, "not", schema_new_at_random(depth - 1));
		break;
	case 4: /* to others by pointer, anchor or address, and to themselves */
	case 5:
		json_object_set_new(schema, chance(6) ? "$ref" : "$dynamicRef",
				    json_string(references[chance(sizeof references / sizeof *references)]));
		break;
	default:
		json_object_set_new(schema, "if", schema_new_at_random(depth - 1));
		if (chance(4))
			json_object_set_new(schema, "then", schema_new_at_random(depth - 1));
		if (chance(2))
			json_object_set_new(schema, "else", schema_new_at_random(depth - 1));
		break;
	}
}

static void say_something(json_t *schema, int depth)
{
	switch (chance(depth > 0 ? 6 : 2)) {
	case 0:
		json_object_set_new(schema, "type",
				    chance(3) ? json_string(types[chance(7)])
					      : json_pack("[s,s]", types[chance(3)], types[3 + chance(4)]));
		break;
	case 1:
		say_of_values(schema);
		break;
	case 2:
	case 3:
		say_of_objects(schema, depth);
		break;
	case 4:
		say_of_arrays(schema, depth);
		break;
	default:
		say_of_schemas(schema, depth);
		break;
	}
}

static json_t *schema_new_at_random(int depth)
{
	json_t *schema;

	if (chance(12) == 0)
		return json_boolean(chance(2));
	schema = json_object();
	for (unsigned n = 1 + chance(3); n > 0; n--)
		say_something(schema, depth);
	return schema;
}

/* What $ref leads to. */
static json_t *with_definitions(json_t *schema)
{
	static const char *const keys[] = {"one", "two", "three"};
	json_t *definitions;

	if (!json_is_object(schema))
		return schema;
	definitions = json_object();
	for (size_t i = 0; i < 3; i++) {
		json_t *one = json_object();

		say_something(one, 1);
		say_something(one, 1);
		json_object_set_new(definitions, keys[i], one);
	}
	json_object_set_new(json_object_get(definitions, "two"), chance(2) ? "$anchor" : "$dynamicAnchor",
			    json_string("two"));
	json_object_set_new(json_object_get(definitions, "three"), "$id", json_string("urn:sound:three"));
	json_object_set_new(schema, "$defs", definitions);
	return schema;
}

/* Something is said, taken back, or said otherwise, here or below. */
static void change(json_t *schema)
{
	const char *key;
	json_t *value;
	unsigned at = json_object_size(schema) ? chance((unsigned)json_object_size(schema)) : 0, i = 0;

	if (!json_is_object(schema) || chance(4) == 0) {
		if (json_is_object(schema))
			say_something(schema, 1);
		return;
	}
	json_object_foreach(schema, key, value) {
		if (i++ != at)
			continue;
		if (json_is_object(value) && chance(4)) {
			change(value);
		} else if (json_is_array(value) && json_array_size(value) && chance(2)) {
			change(json_array_get(value, chance((unsigned)json_array_size(value))));
		} else if (json_is_integer(value)) {
			json_integer_set(value, json_integer_value(value) + 1 - 2 * (json_int_t)chance(2));
		} else {
			json_object_del(schema, key);
		}
		return;
	}
}

/* ---- the word
 * --------------------------------------------------------------------------------------------------------- */
/* With anyOf in place of oneOf. Registries let a further choice of oneOf pass that takes what another takes already, so
 * that a document which only for this is refused proves nothing. */
static json_t *with_any(const json_t *at)
{
	json_t *made, *value;
	const char *key;
	size_t i;

	if (!json_is_object(at) && !json_is_array(at))
		return json_deep_copy(at);
	made = json_is_object(at) ? json_object() : json_array();
	json_object_foreach((json_t *)at, key, value) {
		if (strcmp(key, "oneOf") != 0)
			json_object_set_new(made, key, with_any(value));
		else if (json_object_get(at, "anyOf"))
			json_object_set_new(made, "allOf", json_pack("[{s:o}]", "anyOf", with_any(value)));
		else
			json_object_set_new(made, "anyOf", with_any(value));
	}
	json_array_foreach(at, i, value)
		json_array_append_new(made, with_any(value));
	return made;
}

static void show(const char *what, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	printf("# %s %s\n", what, text);
	free(text);
}

/* Refers to anything but definitions: that two such schemas are the same is seen of the whole only. */
static bool refers_elsewhere(const json_t *at)
{
	const char *key, *text;
	json_t *value;
	size_t i;

	json_object_foreach((json_t *)at, key, value)
		if ((strstr(key, "ef") && (text = json_string_value(value)) && (key[1] == 'd' || text[1] != '/')) ||
		    refers_elsewhere(value))
			return true;
	json_array_foreach(at, i, value)
		if (refers_elsewhere(value))
			return true;
	return false;
}

/* Nothing changed but what explains, so nothing breaks. */
static bool same_is_compatible(const json_t *schema)
{
	struct compatibility_options how = {.mode = COMPATIBILITY_FULL};
	json_t *copy = json_deep_copy(schema);
	struct compatibility result = {0};
	struct schema *is_one;
	bool same;

	if (json_is_object(copy) && !refers_elsewhere(copy))
		json_object_set_new(copy, "title", json_string("The same"));
	if (compatibility_compare((const json_t *const[]){schema, copy}, 2, &how, &result, NULL))
		result.breaking = 1;
	is_one = schema_new(schema, NULL, NULL); /* references may lead nowhere */
	same = result.breaking == 0 || !is_one;
	schema_free(is_one);
	if (!same) {
		show("broken by nothing:", schema);
		for (size_t i = 0; i < result.count; i++)
			printf("#   %s %s: %s\n", result.list[i].code, result.list[i].pointer, result.list[i].text);
	}
	compatibility_free(&result);
	json_decref(copy);
	return same;
}

/* A schema that leads back to itself before it says anything (`$ref: #`) is a mistake of its own. */
static bool refused(const struct schema *schema, const json_t *document)
{
	struct error error = {0};

	return schema_check(schema, document, &error) && !strstr(error.text, "refers to itself without end");
}

static bool lenient_only(const json_t *old, const json_t *new, const json_t *document)
{
	json_t *trees[2] = {with_any(old), with_any(new)};
	struct schema *w = schema_new(trees[0], NULL, NULL), *r = schema_new(trees[1], NULL, NULL);
	bool only = w && r && (schema_check(w, document, NULL) || !refused(r, document));

	schema_free(w);
	schema_free(r);
	json_decref(trees[0]);
	json_decref(trees[1]);
	return only;
}

static bool holds(const json_t *old, const json_t *new, unsigned *compatible)
{
	struct compatibility_options how = {.mode = COMPATIBILITY_BACKWARD};
	struct schema *w = schema_new(old, NULL, NULL), *r = schema_new(new, NULL, NULL);
	struct compatibility result = {0};
	bool held = true;

	if (w && r && !compatibility_compare((const json_t *const[]){old, new}, 2, &how, &result, NULL) &&
	    !result.breaking && !result.suspect) {
		++*compatible;
		for (int i = 0; i < DOCUMENTS && held; i++) {
			json_t *document =
				i % 4 ? document_for(i % 2 ? old : new, i % 2 ? old : new, 2) : document_new(2);

			held = schema_check(w, document, NULL) || !refused(r, document) ||
			       lenient_only(old, new, document);
			if (!held) {
				show("old", old);
				show("new", new);
				show("document", document);
			}
			json_decref(document);
		}
	}
	compatibility_free(&result);
	schema_free(w);
	schema_free(r);
	return held;
}

static void what_is_called_compatible_is_and_the_same_is_always(void **state)
{
	const char *seed = getenv("FERRULE_SOUND_SEED"), *rounds = getenv("FERRULE_SOUND_ROUNDS");
	unsigned compatible = 0, n = rounds ? (unsigned)atoi(rounds) : 20000, broken = 0;

	state_of_chance = seed ? strtoull(seed, NULL, 10) : 1;
	for (unsigned i = 0; i < n && broken < 5; i++) {
		json_t *old = with_definitions(schema_new_at_random(2)), *new = json_deep_copy(old);

		for (unsigned changes = chance(3); changes > 0; changes--)
			change(new);
		broken += !same_is_compatible(old);
		broken += !holds(old, new, &compatible);
		json_decref(old);
		json_decref(new);
	}
	printf("# %u of %u pairs were called compatible\n", compatible, n);
	assert_int_equal(broken, 0);
	assert_true(compatible > n / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_called_compatible_is_and_the_same_is_always)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
