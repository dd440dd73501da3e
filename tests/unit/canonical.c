/* The contracts that ship: each is a schema that business people can read, and its own examples are valid. */
#include "config.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/site.h"
#include "tests/support/support.h"
#include "transformers/schema/schema.h"

static const char *const entities[] = {"asset",     "case",    "contract",    "customer",  "entitlement",
				       "inventory", "invoice", "opportunity", "order",     "payment",
				       "price",     "product", "shipment",    "statement", "subscription"};
#define ENTITIES (sizeof entities / sizeof *entities)
static json_t *contracts[ENTITIES];

static int read_contracts(void **state)
{
	char folder[4096], path[8192];
	json_error_t why;

	config_shipped(folder, sizeof folder, "canonical");
	for (size_t i = 0; i < ENTITIES; i++) {
		snprintf(path, sizeof path, "%s/%s/v1.schema.json", folder, entities[i]);
		contracts[i] = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
		if (!contracts[i])
			fail_msg("%s:%d: %s", path, why.line, why.text);
	}
	return 0;
}

static int free_contracts(void **state)
{
	for (size_t i = 0; i < ENTITIES; i++)
		json_decref(contracts[i]);
	return 0;
}

/* Calls back for every schema of a contract that stands for something: properties, definitions, the root. */
static void each_schema(const json_t *schema, const char *path, void (*each)(const json_t *, const char *path, void *),
			void *arg)
{
	static const char *const maps[] = {"properties", "$defs"};
	char below[1024];
	const char *name;
	json_t *inner;

	each(schema, path, arg);
	for (size_t i = 0; i < 2; i++)
		json_object_foreach(json_object_get(schema, maps[i]), name, inner) {
			snprintf(below, sizeof below, "%s/%s/%s", path, maps[i], name);
			each_schema(inner, below, each, arg);
		}
}

static void each_contract(void (*each)(const json_t *, const char *path, void *))
{
	for (size_t i = 0; i < ENTITIES; i++)
		each_schema(contracts[i], entities[i], each, contracts[i]);
}

/* ---- read by people
 * -------------------------------------------------------------------------------------------------- */
static const json_t *said(const json_t *root, const json_t *schema, const char *keyword)
{
	const char *reference = json_string_value(json_object_get(schema, "$ref"));
	const json_t *value = json_object_get(schema, keyword);

	if (value || !reference)
		return value;
	assert_int_equal(strncmp(reference, "#/$defs/", 8), 0);
	schema = json_object_get(json_object_get(root, "$defs"), reference + 8);
	if (!schema)
		fail_msg("%s leads nowhere", reference);
	return said(root, schema, keyword);
}

static void is_told(const json_t *schema, const char *path, void *root)
{
	const char *title = json_string_value(said(root, schema, "title")),
		   *text = json_string_value(said(root, schema, "description"));
	size_t n = text ? strlen(text) : 0;

	if (!title || !*title)
		fail_msg("%s has no title", path);
	if (n < 8 || !isupper((unsigned char)text[0]) || text[n - 1] != '.' || !strchr(text, ' '))
		fail_msg("%s: its description is no sentence: %s", path, text ? text : "");
}

static void everything_has_a_title_and_a_sentence(void **state)
{
	each_contract(is_told);
}

static void is_shown(const json_t *schema, const char *path, void *root)
{
	const char *type = json_string_value(json_object_get(schema, "type"));

	if (type && strcmp(type, "object") != 0 && strcmp(type, "array") != 0 &&
	    !json_array_size(json_object_get(schema, "examples")))
		fail_msg("%s has no example", path);
}

static void every_value_has_an_example(void **state)
{
	each_contract(is_shown);
	for (size_t i = 0; i < ENTITIES; i++)
		assert_true(json_array_size(json_object_get(contracts[i], "examples")) > 0);
}

/* ---- examples are valid
 * ---------------------------------------------------------------------------------------------- */
static void is_valid(const json_t *schema, const char *path, void *root)
{
	struct schema_options options = {.formats = true};
	const json_t *examples = json_object_get(schema, "examples"), *example;
	json_t *alone = json_copy((json_t *)schema);
	struct schema *compiled;
	struct error error = {0};
	size_t i;

	json_object_set(alone, "$defs", json_object_get(root, "$defs"));
	compiled = schema_new(alone, &options, &error);
	if (!compiled)
		fail_msg("%s: %s", path, error.text);
	json_array_foreach(examples, i, example) {
		if (schema_check(compiled, example, &error))
			fail_msg("%s, example %zu: %s", path, i, error.text);
	}
	schema_free(compiled);
	json_decref(alone);
}

static void every_example_is_valid_against_its_schema(void **state)
{
	each_contract(is_valid);
}

static void a_contract_refuses_what_its_example_is_not(void **state)
{
	struct schema_options options = {.formats = true};

	for (size_t i = 0; i < ENTITIES; i++) {
		json_t *example = json_deep_copy(json_array_get(json_object_get(contracts[i], "examples"), 0)), *name;
		struct error error = {0};
		struct schema *compiled = schema_new(contracts[i], &options, &error);
		size_t k;

		assert_non_null(compiled);
		json_object_set_new(example, "unheardOf", json_true());
		assert_int_equal(schema_check(compiled, example, &error), -1);
		json_object_del(example, "unheardOf");
		assert_int_equal(schema_check(compiled, example, &error), 0);
		json_array_foreach(json_object_get(contracts[i], "required"), k, name) {
			json_t *without = json_copy(example);

			assert_int_equal(json_object_del(without, json_string_value(name)), 0);
			assert_int_equal(schema_check(compiled, without, &error), -1);
			json_decref(without);
		}
		schema_free(compiled);
		json_decref(example);
	}
}

/* ---- conventions
 * ----------------------------------------------------------------------------------------------------- */
static bool among(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (strcmp(json_string_value(item), name) == 0)
			return true;
	return false;
}

/* A line's number is of its document; every other identifier names its issuer. */
static void names_its_issuer(const json_t *schema, const char *path, void *root)
{
	const json_t *properties = json_object_get(schema, "properties"),
		     *required = json_object_get(schema, "required"), *id = json_object_get(properties, "id");
	const char *title = json_string_value(json_object_get(id, "title"));

	if (id && title && strcmp(title, "Line number") == 0)
		return;
	if (!id && schema == root)
		id = json_object_get(properties, "number");
	if (id && (!json_object_get(properties, "system") || !among(required, "system")))
		fail_msg("%s has an identifier without the system that issued it", path);
}

static void every_identifier_names_the_system_that_issued_it(void **state)
{
	each_contract(names_its_issuer);
}

static void is_exact(const json_t *schema, const char *path, void *root)
{
	const char *type = json_string_value(json_object_get(schema, "type"));

	if (type && strcmp(type, "number") == 0)
		fail_msg("%s is a number: amounts are decimal texts", path);
	if (strstr(path, "/$defs/money") && strstr(path, "/amount"))
		assert_string_equal(json_string_value(json_object_get(schema, "pattern")), "^-?[0-9]+(\\.[0-9]+)?$");
}

static void amounts_are_decimal_texts_with_a_currency(void **state)
{
	each_contract(is_exact);
	for (size_t i = 0; i < ENTITIES; i++) {
		const json_t *money = json_object_get(json_object_get(contracts[i], "$defs"), "money");

		assert_true(!money || (among(json_object_get(money, "required"), "amount") &&
				       among(json_object_get(money, "required"), "currency")));
	}
}

/* Each contract is one file that can be handed to a partner, so it holds its own copy of what all share. */
static void what_contracts_share_is_the_same_in_all(void **state)
{
	static const char *const shared[] = {"money",   "quantity", "reference", "address", "party",
					     "contact", "product",  "period",    "tax"};

	for (size_t k = 0; k < sizeof shared / sizeof *shared; k++) {
		const json_t *first = NULL;

		for (size_t i = 0; i < ENTITIES; i++) {
			const json_t *one = json_object_get(json_object_get(contracts[i], "$defs"), shared[k]);

			if (first && one && !json_equal(first, one))
				fail_msg("%s says something else of %s", entities[i], shared[k]);
			first = first ? first : one;
		}
		assert_non_null(first);
	}
}

static void is_marked(const json_t *schema, const char *path, void *root)
{
	static const char *const personal[] = {"/street", "/telephone", "/email", "/iban", "/postcode", "/signedBy"};

	for (size_t i = 0; i < sizeof personal / sizeof *personal; i++) {
		const char *at = strstr(path, personal[i]);

		if (at && !at[strlen(personal[i])] && !json_is_true(json_object_get(schema, "x-ferrule-personal")))
			fail_msg("%s is not marked as personal", path);
	}
	assert_null(json_object_get(schema, "x-personal-data"));
}

static void personal_data_is_marked(void **state)
{
	each_contract(is_marked);
}

static void business_keys_are_found_in_the_examples(void **state)
{
	for (size_t i = 0; i < ENTITIES; i++) {
		const json_t *keys = json_object_get(contracts[i], "x-ferrule-keys"), *key, *example;
		size_t k;

		example = json_array_get(json_object_get(contracts[i], "examples"), 0);
		assert_true(json_array_size(keys) > 0);
		json_array_foreach(keys, k, key) {
			const json_t *at = example;
			char *path = strdup(json_string_value(key)), *rest = path;

			for (char *name; at && (name = strsep(&rest, "."));)
				at = *name ? json_object_get(at, name) : at;
			if (!json_is_string(at))
				fail_msg("%s: %s is not in its example", entities[i], json_string_value(key));
			free(path);
		}
	}
}

static void every_contract_says_who_it_is(void **state)
{
	char id[200];

	for (size_t i = 0; i < ENTITIES; i++) {
		snprintf(id, sizeof id, "https://ferrule.example/canonical/%s/v1", entities[i]);
		assert_string_equal(json_string_value(json_object_get(contracts[i], "$id")), id);
		assert_string_equal(json_string_value(json_object_get(contracts[i], "x-ferrule-compatibility")),
				    "BACKWARD");
		assert_true(json_is_false(json_object_get(contracts[i], "additionalProperties")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_has_a_title_and_a_sentence),
		cmocka_unit_test(every_value_has_an_example),
		cmocka_unit_test(every_example_is_valid_against_its_schema),
		cmocka_unit_test(a_contract_refuses_what_its_example_is_not),
		cmocka_unit_test(every_identifier_names_the_system_that_issued_it),
		cmocka_unit_test(amounts_are_decimal_texts_with_a_currency),
		cmocka_unit_test(what_contracts_share_is_the_same_in_all),
		cmocka_unit_test(personal_data_is_marked),
		cmocka_unit_test(business_keys_are_found_in_the_examples),
		cmocka_unit_test(every_contract_says_who_it_is),
	};

	return cmocka_run_group_tests(tests, read_contracts, free_contracts);
}
