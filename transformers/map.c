/* map: one document to another with a jq program. No result drops the message; more than one is a mistake (`map.many`):
 * where several messages are wanted, let the program give an array and `split` it. */
#include "config.h"
#include "transformers/transformers.h"

struct map {
	struct expression *mapping, *jq;
};

static const struct option options[] = {
	{.name = "mapping",
	 .type = OPTION_MAPPING,
	 .offset = offsetof(struct map, mapping),
	 .flags = OPTION_MAIN,
	 .help = "a file in mappings/"},
	{.name = "jq",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct map, jq),
	 .help = "the program itself, in place of a file"},
	OPTION_END,
};

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct map *map = settings;

	if (!map->mapping != !map->jq)
		return expression_check(map->mapping ? map->mapping : map->jq, findings);
	finding_add(findings, place, SEVERITY_ERROR, "map.program",
		    "a map needs either the name of a file in mappings/, or `jq`");
	return -1;
}

static void *open_map(const void *settings, const struct transformer_context *context, struct error *error)
{
	const struct map *map = settings;

	if (!map->mapping == !map->jq) {
		error_set(error, ERROR_REJECT, "map.program",
			  "a map needs either the name of a file in mappings/, or `jq`");
		return NULL;
	}
	return (void *)(uintptr_t)settings;
}

static void close_map(void *self)
{
	struct map *map = self;

	expression_drop(map->mapping);
	expression_drop(map->jq);
}

struct results {
	json_t *first;
	bool many;
};

static int take(void *arg, json_t *result)
{
	struct results *results = arg;

	if (results->first)
		return results->many = true;
	results->first = json_incref(result);
	return 0;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct map *map = self;
	struct expression *program = map->mapping ? map->mapping : map->jq;
	struct expression_input input = out_input(out, item);
	struct results results = {NULL, false};
	struct item *mapped;

	if (expression_each(program, &input, take, &results, error)) {
		json_decref(results.first);
		if (results.many)
			error_set(error, ERROR_REJECT, "map.many",
				  "%s gives more than one result: let it give an array, and split that",
				  expression_place(program).file ? expression_place(program).file : "the program");
		return -1;
	}
	if (!results.first)
		return out_drop(out, item, "the mapping gave nothing", error);
	mapped = out_item(out, item);
	mapped->form = FORM_TREE;
	mapped->tree = results.first;
	mapped->media_type = SPAN_LITERAL("application/json");
	mapped->contract = SPAN_NONE;
	return out_emit(out, mapped, error);
}

const struct transformer_ops map_transformer = {
	.name = "map", .help = "Maps one document to another with a jq program",
	.options = options, .settings_size = sizeof(struct map),
	.takes = FORM_TREE, .gives = FORM_TREE,
	.check = check, .open = open_map, .close = close_map, .run = run,
};
