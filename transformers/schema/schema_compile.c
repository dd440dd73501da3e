/* Compiling: subschemas become rules. Their keywords are in schema_keyword.c; what references lead to is found
 * afterwards (schema_resolve.c). */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <stdlib.h>

#define COMPILE_DEPTH_MAX 512

static size_t bucket_of(const json_t *json)
{
	uintptr_t at = (uintptr_t)json;

	return (at >> 4 ^ at >> 16) & (SCHEMA_BUCKETS - 1);
}

const struct rule *compile_found(const struct schema *schema, const json_t *json)
{
	const struct rule *rule = schema->rules[bucket_of(json)];

	while (rule && rule->json != json)
		rule = rule->same_bucket;
	return rule;
}

static struct rule *make_rule(struct compile *compile, const json_t *json, const struct resource *resource,
			      const struct rule *place)
{
	struct rule *rule = arena_alloc(compile->schema->arena, sizeof *rule), **bucket;

	*rule = *place;
	rule->json = json;
	rule->resource = resource;
	if (json_is_object(json)) {
		bucket = &compile->schema->rules[bucket_of(json)];
		rule->same_bucket = *bucket;
		*bucket = rule;
	} else {
		rule->verdict = json_is_false(json) ? VERDICT_NEVER : VERDICT_ALWAYS;
	}
	if (compile->schema->rules_count++ == SCHEMA_RULES_MAX)
		compile_fault(compile, rule, NULL, "more than %d schemas in all", SCHEMA_RULES_MAX);
	return rule;
}

struct rule *compile_rule(struct compile *compile, const json_t *json, const struct resource *resource,
			  const struct rule *place)
{
	struct rule *rule =
		json_is_object(json) ? (struct rule *)(uintptr_t)compile_found(compile->schema, json) : NULL;
	const char *id = json_string_value(json_object_get(json, "$id"));
	struct resource *own = NULL;

	if (rule)
		return rule;
	if (id && id[0] != '#' && resource->root != json)
		resource = own = resource_new(compile, json, NULL, resource, place);
	rule = make_rule(compile, json, resource, place);
	if (resource->root == json && !resource->rule)
		((struct resource *)(uintptr_t)resource)->rule = rule;
	if (json_is_boolean(json))
		return rule;
	if (!json_is_object(json))
		compile_fault(compile, rule, NULL, "a schema is an object, true or false");
	else if (compile->depth >= COMPILE_DEPTH_MAX)
		compile_fault(compile, rule, NULL, "schemas are nested more than %d deep", COMPILE_DEPTH_MAX);
	else if (compile->schema->rules_count <= SCHEMA_RULES_MAX) {
		compile->depth++;
		compile_keywords(compile, rule);
		compile->depth--;
	}
	return rule;
}
