/* Compatibility of schemas: pairs with the verdict that they must have, from tests/compatibility/, and those of a
 * schema registry where somebody has them. */
#include "config.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/compatibility.h"
#include "tests/support/support.h"

struct tally {
	size_t pairs, wrong;
};

static const char *text_of(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : fallback;
}

/* The codes of everything that breaks, or is suspect, each once, are exactly these. */
static bool codes_are(const json_t *codes, const struct compatibility *result, enum difference_weight weight)
{
	json_t *found = json_object(), *item;
	bool same = true;
	size_t i;

	for (i = 0; i < result->count; i++)
		if (result->list[i].weight == weight)
			json_object_set_new(found, result->list[i].code, json_true());
	json_array_foreach(codes, i, item)
		same &= json_object_get(found, json_string_value(item)) != NULL;
	same &= json_array_size(codes) == json_object_size(found);
	json_decref(found);
	return same;
}

static bool pointer_is(const char *pointer, const struct compatibility *result)
{
	for (size_t i = 0; i < result->count; i++)
		if (strcmp(result->list[i].pointer, pointer) == 0)
			return true;
	return false;
}

static void wrong(struct tally *tally, const char *name, const char *what, const struct compatibility *result)
{
	tally->wrong++;
	printf("# %s: %s\n", name, what);
	for (size_t i = 0; i < result->count; i++)
		printf("#   %d %s %s%s: %s\n", result->list[i].weight, result->list[i].code,
		       result->list[i].in_old ? "old " : "", result->list[i].pointer, result->list[i].text);
}

/* Another contract that a pair may refer to. */
static const json_t *other(void *arg, const char *reference)
{
	return json_object_get(arg, reference);
}

static void judge(const json_t *pair, struct tally *tally)
{
	const char *name = text_of(pair, "name", "?"), *mode = text_of(pair, "mode", "backward");
	struct compatibility_options how = {.find = other, .arg = json_object_get(pair, "others")};
	const json_t *versions[COMPATIBILITY_VERSIONS_MAX], *list = json_object_get(pair, "versions");
	struct compatibility result;
	struct error error = {0};
	size_t n = json_array_size(list);

	tally->pairs++;
	for (size_t i = 0; i < n; i++)
		versions[i] = json_array_get(list, i);
	if (!n) {
		versions[n++] = json_object_get(pair, "old");
		versions[n++] = json_object_get(pair, "new");
	}
	assert_int_equal(compatibility_mode_parse(mode, &how.mode, &how.transitive), 0);
	how.lenient = strcmp(text_of(pair, "open", "strict"), "lenient") == 0;
	if (compatibility_compare(versions, n, &how, &result, &error))
		wrong(tally, name, error.text, &result);
	else if ((result.breaking == 0) != json_is_true(json_object_get(pair, "compatible")))
		wrong(tally, name, "another verdict", &result);
	else if (json_object_get(pair, "codes") &&
		 !codes_are(json_object_get(pair, "codes"), &result, DIFFERENCE_BREAKING))
		wrong(tally, name, "breaks for other reasons", &result);
	else if (json_object_get(pair, "suspect") &&
		 !codes_are(json_object_get(pair, "suspect"), &result, DIFFERENCE_SUSPECT))
		wrong(tally, name, "other suspicions", &result);
	else if (json_object_get(pair, "fine") && !codes_are(json_object_get(pair, "fine"), &result, DIFFERENCE_FINE))
		wrong(tally, name, "other changes", &result);
	else if (json_object_get(pair, "pointer") && !pointer_is(text_of(pair, "pointer", ""), &result))
		wrong(tally, name, "nothing at that pointer", &result);
	compatibility_free(&result);
}

static void judge_file(const char *path, void (*one)(const json_t *, struct tally *), struct tally *tally)
{
	json_error_t why;
	json_t *pairs = json_load_file(path, JSON_REJECT_DUPLICATES, &why), *pair;
	size_t i;

	if (!pairs)
		fail_msg("%s:%d: %s", path, why.line, why.text);
	json_array_foreach(pairs, i, pair)
		one(pair, tally);
	json_decref(pairs);
}

static void judge_folder(const char *folder, void (*one)(const json_t *, struct tally *), struct tally *tally)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;
	char path[4096];

	if (!directory)
		fail_msg("there is no %s", folder);
	while ((entry = readdir(directory))) {
		size_t n = strlen(entry->d_name);

		if (n < 6 || strcmp(entry->d_name + n - 5, ".json") != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		judge_file(path, one, tally);
	}
	closedir(directory);
}

static void every_pair_has_its_verdict_and_reasons(void **state)
{
	struct tally tally = {0};
	char folder[4096];

	snprintf(folder, sizeof folder, "%s/tests/compatibility", getenv("FERRULE_SRCDIR"));
	judge_folder(folder, judge, &tally);
	printf("# %zu pairs, %zu wrong\n", tally.pairs, tally.wrong);
	assert_true(tally.pairs >= 150);
	assert_int_equal(tally.wrong, 0);
}

static void judge_of_registry(const json_t *pair, struct tally *tally)
{
	const json_t *versions[] = {json_object_get(pair, "original_schema"), json_object_get(pair, "update_schema")},
		     *strict = json_object_get(pair, "compatible"),
		     *lenient = json_object_get(pair, "compatible_lenient");
	struct compatibility_options how = {.mode = COMPATIBILITY_BACKWARD};
	struct compatibility result;
	struct error error = {0};

	if (json_object_get(pair, "original_metadata") || json_object_get(pair, "update_metadata"))
		return; /* what stands beside a schema in a registry has no counterpart here */
	for (how.lenient = false;; how.lenient = true) {
		const json_t *expected = how.lenient && lenient ? lenient : strict;

		tally->pairs++;
		if (compatibility_compare(versions, 2, &how, &result, &error) ||
		    (result.breaking == 0) != json_is_true(expected))
			wrong(tally, text_of(pair, "description", "?"), how.lenient ? "lenient" : "strict", &result);
		compatibility_free(&result);
		if (how.lenient)
			break;
	}
}

static void the_pairs_of_a_registry_have_its_verdicts(void **state)
{
	const char *folder = getenv("FERRULE_REGISTRY_PAIRS");
	struct tally tally = {0};

	if (!folder) {
		print_message("# set FERRULE_REGISTRY_PAIRS to a folder with pairs of a schema registry\n");
		skip();
	}
	judge_folder(folder, judge_of_registry, &tally);
	printf("# %zu verdicts, %zu wrong\n", tally.pairs, tally.wrong);
	assert_int_equal(tally.wrong, 0);
}

static void modes_are_spelled_as_registries_spell_them(void **state)
{
	enum compatibility_mode mode;
	bool transitive;

	assert_int_equal(compatibility_mode_parse("BACKWARD", &mode, &transitive), 0);
	assert_true(mode == COMPATIBILITY_BACKWARD && !transitive);
	assert_int_equal(compatibility_mode_parse("full_TRANSITIVE", &mode, &transitive), 0);
	assert_true(mode == COMPATIBILITY_FULL && transitive);
	assert_int_equal(compatibility_mode_parse("forward-transitive", &mode, &transitive), 0);
	assert_true(mode == COMPATIBILITY_FORWARD && transitive);
	assert_int_equal(compatibility_mode_parse("NONE", &mode, &transitive), 0);
	assert_true(mode == COMPATIBILITY_NONE);
	assert_int_equal(compatibility_mode_parse("backwards", &mode, &transitive), -1);
	assert_int_equal(compatibility_mode_parse("none-transitive", &mode, &transitive), -1);
	assert_int_equal(compatibility_mode_parse("full-transit", &mode, &transitive), -1);
}

/* Every kind may hold every other, twice: without memory this takes 12 to the power of its depth. */
static json_t *web_new(const char *id_type)
{
	json_t *defs = json_object(), *choices = json_array();

	for (int i = 0; i < 12; i++) {
		char name[32];

		snprintf(name, sizeof name, "#/$defs/kind%d", i);
		json_array_append_new(choices, json_pack("{s:s}", "$ref", name));
	}
	for (int i = 0; i < 12; i++) {
		char name[32];

		snprintf(name, sizeof name, "kind%d", i);
		json_object_set_new(defs, name,
				    json_pack("{s:s s:{s:{s:s} s:{s:o} s:{s:o}}}", "type", "object", "properties", "id",
					      "type", i == 7 ? id_type : "string", "one", "oneOf",
					      json_deep_copy(choices), "other", "oneOf", json_deep_copy(choices)));
	}
	return json_pack("{s:o s:{s:{s:o}}}", "$defs", defs, "properties", "root", "oneOf", choices);
}

static void schemas_that_contain_each_other_are_compared_in_time(void **state)
{
	json_t *old = web_new("string"), *same = web_new("string"), *other = web_new("number");
	const json_t *good[] = {old, same}, *bad[] = {old, other};
	struct compatibility_options how = {.mode = COMPATIBILITY_FULL};
	struct compatibility result;
	struct error error = {0};

	if (compatibility_compare(good, 2, &how, &result, &error))
		fail_msg("%s", error.text);
	assert_int_equal(result.count, 0);
	compatibility_free(&result);
	if (compatibility_compare(bad, 2, &how, &result, &error))
		fail_msg("%s", error.text);
	assert_true(result.breaking > 0);
	compatibility_free(&result);
	json_decref(old);
	json_decref(same);
	json_decref(other);
}

/* Two kinds that hold each other: the first answer rests on one that is not known yet, and is no. */
static void what_was_assumed_of_a_cycle_does_not_hide_a_change(void **state)
{
	static const char *const shape =
		"{\"properties\":{\"root\":{\"oneOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":\"#/$defs/b\"}]}},\"$defs\":{"
		"\"a\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"%s\"},\"next\":{\"oneOf\":[{\"$ref\":\"#"
		"/"
		"$defs/c\"}]}}},"
		"\"b\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"%s\"},\"next\":{\"oneOf\":[{\"$ref\":\"#"
		"/"
		"$defs/c\"}]}}},"
		"\"c\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"next\":{\"oneOf\":[{\"$"
		"ref\":"
		"\"#/$defs/a\"}]}}}}}";
	char text[2][1000];
	json_t *schemas[2];
	struct compatibility_options how = {.mode = COMPATIBILITY_BACKWARD};
	struct compatibility result;
	struct error error = {0};

	snprintf(text[0], sizeof text[0], shape, "integer", "boolean");
	snprintf(text[1], sizeof text[1], shape, "boolean", "number");
	for (int i = 0; i < 2; i++)
		schemas[i] = json_loads(text[i], 0, NULL);
	assert_int_equal(
		compatibility_compare((const json_t *const[]){schemas[0], schemas[1]}, 2, &how, &result, &error), 0);
	assert_true(result.breaking > 0);
	compatibility_free(&result);
	json_decref(schemas[0]);
	json_decref(schemas[1]);
}

static void what_breaks_is_not_lost_among_much_that_does_not(void **state)
{
	json_t *old = json_object(), *new = json_object(), *schemas[2];
	struct compatibility_options how = {.mode = COMPATIBILITY_BACKWARD};
	struct compatibility result;
	struct error error = {0};
	char name[32];

	for (int i = 0; i < COMPATIBILITY_DIFFERENCES_MAX + 200; i++) {
		snprintf(name, sizeof name, "field%04d", i);
		json_object_set_new(old, name, json_pack("{s:i}", "maxLength", 3));
		json_object_set_new(new, name, json_pack("{s:i}", "maxLength", 4));
	}
	json_object_set_new(old, "last", json_pack("{s:s}", "type", "string"));
	json_object_set_new(new, "last", json_pack("{s:s}", "type", "number"));
	schemas[0] = json_pack("{s:o}", "properties", old);
	schemas[1] = json_pack("{s:o}", "properties", new);
	assert_int_equal(
		compatibility_compare((const json_t *const[]){schemas[0], schemas[1]}, 2, &how, &result, &error), 0);
	assert_true(result.more);
	assert_int_equal(result.breaking, 1);
	assert_string_equal(result.list[0].pointer, "/properties/last/type");
	compatibility_free(&result);
	json_decref(schemas[0]);
	json_decref(schemas[1]);
}

static void what_is_too_deep_is_refused(void **state)
{
	json_t *schemas[2];
	struct compatibility_options how = {.mode = COMPATIBILITY_BACKWARD};
	struct compatibility result;
	struct error error = {0};

	for (int i = 0; i < 2; i++) {
		schemas[i] = json_pack("{s:s}", "type", i ? "string" : "number");
		for (int depth = 0; depth < 1500; depth++)
			schemas[i] = json_pack("{s:{s:o}}", "properties", "in", schemas[i]);
	}
	assert_int_equal(
		compatibility_compare((const json_t *const[]){schemas[0], schemas[1]}, 2, &how, &result, &error), -1);
	assert_string_equal(error.code, "contract.complex");
	compatibility_free(&result);
	json_decref(schemas[0]);
	json_decref(schemas[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_has_its_verdict_and_reasons),
		cmocka_unit_test(the_pairs_of_a_registry_have_its_verdicts),
		cmocka_unit_test(modes_are_spelled_as_registries_spell_them),
		cmocka_unit_test(schemas_that_contain_each_other_are_compared_in_time),
		cmocka_unit_test(what_was_assumed_of_a_cycle_does_not_hide_a_change),
		cmocka_unit_test(what_breaks_is_not_lost_among_much_that_does_not),
		cmocka_unit_test(what_is_too_deep_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
