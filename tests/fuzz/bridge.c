/* Fuzz target: any JSON goes to libjq and comes back as it was: as the body, as an element, as a value of $envelope;
 * and as text. Numbers are doubles there, so they are compared as such. */
#include "config.h"
#include "base/expression.h"

#include <assert.h>
#include <stdlib.h>

#include "base/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	if (json_typeof(a) != json_typeof(b) || json_object_size(a) != json_object_size(b) ||
	    json_array_size(a) != json_array_size(b))
		return false;
	json_array_foreach((json_t *)a, i, value)
		if (!same(value, json_array_get(b, i)))
			return false;
	json_object_foreach((json_t *)a, key, value)
		if (!same(value, json_object_get(b, key)))
			return false;
	return json_is_object(a) || json_is_array(a) || json_equal(a, b);
}

static struct expression *programs[3];
static struct arena *arena;

static void drop(void)
{
	for (int i = 0; i < 3; i++)
		expression_drop(programs[i]);
	arena_free(arena);
}

/* Compiled once: that takes longer than all the rest. */
static struct expression *program(int which)
{
	static const char *const texts[] = {"[.] | .[0]", "{a: $envelope.x} | .a", "[., .] | .[1:] | .[0] | tojson"};

	if (!arena) {
		arena = arena_new();
		atexit(drop);
	}
	if (!programs[which])
		programs[which] = expression_new(arena, span_of(texts[which]), (struct place){"fuzz.jq", 1, 1});
	return programs[which];
}

static void expect(int which, const struct expression_input *input, const json_t *tree)
{
	struct error error = {0};
	json_t *result = NULL, *parsed;

	if (expression_run(program(which), input, &result, &error)) {
		assert(error.class == ERROR_REJECT);
		return;
	}
	assert(result);
	if (which == 2) {
		parsed = tree_parse_new(span_of(json_string_value(result)), &error);
		assert(!parsed || json_is_number(tree) || json_is_object(tree) || json_is_array(tree) ||
		       same(tree, parsed));
		json_decref(parsed);
	} else {
		assert(same(tree, result));
	}
	json_decref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = {0};
	json_t *tree = size < 16384 ? tree_parse_new(span_make(data, size), &error) : NULL;
	struct expression_input input = {.limits = {2000, 256u << 20}};

	if (!tree)
		return 0;
	input.body = tree;
	input.envelope = json_pack("{s:O}", "x", tree);
	expect(0, &input, tree);
	expect(1, &input, tree);
	expect(2, &input, tree);
	json_decref(input.envelope);
	json_decref(tree);
	return 0;
}
