/* Does the comparison keep its word? Schemas and documents at random: where a new version is called compatible,
 * whatever the old one takes must be taken by the new one. Reproducible; FERRULE_SOUND_SEED and FERRULE_SOUND_ROUNDS
 * for more. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>

#include "config/compatibility.h"
#include "tests/support/support.h"
#include "transformers/schema.h"

#define DOCUMENTS 40

static uint64_t state_of_chance;

static unsigned chance(unsigned below)
{
	state_of_chance = state_of_chance * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state_of_chance >> 33) % below;
}

static const char *const names[] = {"a", "ab", "b", "c"};
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

static void say_of_values(json_t *schema)
{
	switch (chance(9)) {
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
		json_object_set_new(schema, "patternProperties",
				    json_pack("{s:o}", "^a", schema_new_at_random(depth - 1)));
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

static void say_of_schemas(json_t *schema, int depth)
{
	switch (chance(5)) {
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
	default:
		json_object_set_new(schema, "if", schema_new_at_random(depth - 1));
		json_object_set_new(schema, chance(2) ? "then" : "else", schema_new_at_random(depth - 1));
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
			json_integer_set(value, json_integer_value(value) + 1 - 2 * (json_int_t)chance(2) + 1);
		} else {
			json_object_del(schema, key);
		}
		return;
	}
}

/* ---- the word
 * --------------------------------------------------------------------------------------------------------- */
static bool oneof_within(const json_t *at)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_array_size(json_object_get(at, "oneOf")) > 1)
		return true;
	json_object_foreach((json_t *)at, key, value)
		if (oneof_within(value))
			return true;
	json_array_foreach(at, i, value)
		if (oneof_within(value))
			return true;
	return false;
}

static void show(const char *what, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	printf("# %s %s\n", what, text);
	free(text);
}

/* Nothing changed, so nothing breaks. */
static bool same_is_compatible(const json_t *schema)
{
	struct compatibility_options how = {.mode = COMPATIBILITY_FULL};
	json_t *copy = json_deep_copy(schema);
	struct compatibility result = {0};
	bool same;

	if (compatibility_compare((const json_t *const[]){schema, copy}, 2, &how, &result, NULL))
		result.breaking = 1;
	same = result.breaking == 0;
	if (!same) {
		show("broken by nothing:", schema);
		for (size_t i = 0; i < result.count; i++)
			printf("#   %s %s: %s\n", result.list[i].code, result.list[i].pointer, result.list[i].text);
	}
	compatibility_free(&result);
	json_decref(copy);
	return same;
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
			json_t *document = document_new(2);

			held = schema_check(w, document, NULL) || !schema_check(r, document, NULL);
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
		json_t *old = schema_new_at_random(2), *new = json_deep_copy(old);

		for (unsigned changes = chance(3); changes > 0; changes--)
			change(new);
		broken += !same_is_compatible(old);
		/* registries let a further choice of oneOf pass that takes what another takes already */
		if (!oneof_within(new) && !oneof_within(old))
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
