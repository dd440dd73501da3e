/* map: one document to another with a jq program, or with the one of several that a value chooses (`by` and `of`: a
 * mapping for each partner; what nobody is sent is never compiled). No result drops the message; more than one is a
 * mistake (`map.many`): where several messages are wanted, let the program give an array and `split` it. */
#include "config.h"
#include "transformers/transformers.h"

struct map {
	struct expression *mapping, *jq, *by, *otherwise;
	struct mapping_map of;
};

#define KEY_MAX 256
#define KNOWN_MAX 300 /* bytes of names in a message */

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
	{.name = "by",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct map, by),
	 .help = "jq: what chooses the mapping, such as $envelope.interchange.sender"},
	{.name = "of",
	 .type = OPTION_MAPPINGS,
	 .offset = offsetof(struct map, of),
	 .help = "the mappings that `by` chooses among: a map of NAME: file in mappings/"},
	{.name = "otherwise",
	 .type = OPTION_MAPPING,
	 .offset = offsetof(struct map, otherwise),
	 .help = "the file in mappings/ for what `of` does not name; without it that is a dead letter"},
	OPTION_END,
};

#define NEEDS "a map needs the name of a file in mappings/, or `jq`, or `by` and `of`; one of them"

static bool complete(const struct map *map)
{
	bool chosen = map->by != NULL;

	return (map->mapping != NULL) + (map->jq != NULL) + chosen == 1 && chosen == (map->of.count > 0) &&
	       (chosen || !map->otherwise);
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct map *map = settings;
	size_t errors = findings->errors;

	if (!complete(map))
		finding_add(findings, place, SEVERITY_ERROR, "map.program", NEEDS);
	if (map->mapping)
		expression_check(map->mapping, findings);
	if (map->jq)
		expression_check(map->jq, findings);
	if (map->by)
		expression_check(map->by, findings);
	return findings->errors == errors ? 0 : -1; /* those of `of` are checked with all files */
}

static void *open_map(const void *settings, const struct transformer_context *context, struct error *error)
{
	const struct map *map = settings;

	if (!complete(map)) {
		error_set(error, ERROR_REJECT, "map.program", NEEDS);
		return NULL;
	}
	return (void *)(uintptr_t)settings;
}

static void close_map(void *self)
{
	struct map *map = self;

	expression_drop(map->mapping);
	expression_drop(map->jq);
	expression_drop(map->by);
	expression_drop(map->otherwise);
	for (size_t i = 0; i < map->of.count; i++)
		expression_drop(map->of.items[i].mapping);
}

static int nobody(const struct map *map, struct span key, struct error *error)
{
	struct buf known;

	if (!key.len)
		return error_set(error, ERROR_REJECT, "map.partner", "%.*s gives nothing here to choose a mapping by",
				 SPAN_ARGS(expression_source(map->by)));
	buf_init(&known, KNOWN_MAX);
	for (size_t i = 0; i < map->of.count && !known.full; i++)
		buf_printf(&known, "%s%s", i ? ", " : "", map->of.items[i].name);
	error_set(error, ERROR_REJECT, "map.partner",
		  "there is no mapping for `%.*s`; known are %.*s%s: add it to `of`, or say what maps all others with "
		  "`otherwise`",
		  SPAN_ARGS(key), SPAN_ARGS(buf_view(&known)), known.full ? " …" : "");
	buf_free(&known);
	return -1;
}

static struct expression *choose(const struct map *map, const struct expression_input *input, struct error *error)
{
	struct expression *chosen = map->otherwise;
	struct buf key;

	if (!map->by)
		return map->mapping ? map->mapping : map->jq;
	buf_init(&key, KEY_MAX);
	if (expression_text(map->by, input, &key, error)) {
		buf_free(&key);
		return NULL;
	}
	for (size_t i = 0; i < map->of.count; i++)
		if (span_is(buf_view(&key), map->of.items[i].name))
			chosen = map->of.items[i].mapping;
	if (!chosen)
		nobody(map, buf_view(&key), error);
	buf_free(&key);
	return chosen;
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
	struct expression_input input = out_input(out, item);
	struct expression *program = choose(map, &input, error);
	struct results results = {NULL, false};
	struct item *mapped;

	if (!program)
		return -1;
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
	.name = "map",
	.help = "Maps one document to another with a jq program",
	.options = options,
	.settings_size = sizeof(struct map),
	.takes = FORM_TREE,
	.gives = FORM_TREE,
	.check = check,
	.open = open_map,
	.close = close_map,
	.run = run,
};
