/* Is a contract's schema one? Keywords have values of the right kind, references lead somewhere, names are spelled
 * as JSON Schema 2020-12 spells them. Validating messages is the transformers' affair. See load.h. */
#include "config.h"
#include "config/load.h"

#include <stdlib.h>

#include "config/jq_walk.h"

#define SCHEMA_DEPTH_MAX 64
#define DIALECT "https://json-schema.org/draft/2020-12/schema"

enum value_kind { ANY, TEXT, NUMBER, COUNT, TRUTH, LIST, TYPE, NAMES, SCHEMA, SCHEMAS, SCHEMA_MAP, REFERENCE };

static const struct keyword {
	const char *name;
	enum value_kind kind;
} keywords[] = {
	{"$schema", TEXT},
	{"$id", TEXT},
	{"$ref", REFERENCE},
	{"$anchor", TEXT},
	{"$dynamicRef", TEXT},
	{"$dynamicAnchor", TEXT},
	{"$defs", SCHEMA_MAP},
	{"$comment", TEXT},
	{"$vocabulary", ANY},
	{"title", TEXT},
	{"description", TEXT},
	{"default", ANY},
	{"examples", LIST},
	{"deprecated", TRUTH},
	{"readOnly", TRUTH},
	{"writeOnly", TRUTH},
	{"type", TYPE},
	{"enum", LIST},
	{"const", ANY},
	{"multipleOf", NUMBER},
	{"maximum", NUMBER},
	{"exclusiveMaximum", NUMBER},
	{"minimum", NUMBER},
	{"exclusiveMinimum", NUMBER},
	{"maxLength", COUNT},
	{"minLength", COUNT},
	{"pattern", TEXT},
	{"format", TEXT},
	{"maxItems", COUNT},
	{"minItems", COUNT},
	{"uniqueItems", TRUTH},
	{"maxContains", COUNT},
	{"minContains", COUNT},
	{"maxProperties", COUNT},
	{"minProperties", COUNT},
	{"required", NAMES},
	{"dependentRequired", ANY},
	{"properties", SCHEMA_MAP},
	{"patternProperties", SCHEMA_MAP},
	{"additionalProperties", SCHEMA},
	{"propertyNames", SCHEMA},
	{"dependentSchemas", SCHEMA_MAP},
	{"unevaluatedProperties", SCHEMA},
	{"unevaluatedItems", SCHEMA},
	{"prefixItems", SCHEMAS},
	{"items", SCHEMA},
	{"contains", SCHEMA},
	{"allOf", SCHEMAS},
	{"anyOf", SCHEMAS},
	{"oneOf", SCHEMAS},
	{"not", SCHEMA},
	{"if", SCHEMA},
	{"then", SCHEMA},
	{"else", SCHEMA},
	{"contentEncoding", TEXT},
	{"contentMediaType", TEXT},
	{"contentSchema", SCHEMA},
};
#define KEYWORDS (sizeof keywords / sizeof *keywords)
static const char *const types[] = {"string", "object", "array", "number", "integer", "boolean", "null"};
#define TYPES (sizeof types / sizeof *types)

struct checker {
	const struct contract *contract;
	struct findings *findings;
};

/* The node stands beside the JSON only for its place; NULL where it is not known. */
static struct place place_of(const struct checker *c, const struct node *node)
{
	return node ? node->place : c->contract->place;
}

static void fault(const struct checker *c, const struct node *node, const char *keyword, const char *wanted)
{
	finding_add(c->findings, place_of(c, node), SEVERITY_ERROR, "contract.schema", "`%s` must be %s", keyword,
		    wanted);
}

static const struct node *item_node(const struct node *node, size_t i)
{
	return node && node->type == NODE_LIST && i < node->count ? node->items[i] : NULL;
}

static void check_schema(const struct checker *, const json_t *schema, const struct node *, int depth);

static void check_type_name(const struct checker *c, const json_t *name, const struct node *node)
{
	const char *near;

	for (size_t i = 0; json_is_string(name) && i < TYPES; i++) {
		if (strcmp(json_string_value(name), types[i]) == 0)
			return;
	}
	near = json_is_string(name) ? nearest_name(span_of(json_string_value(name)), types, TYPES) : NULL;
	finding_add(c->findings, place_of(c, node), SEVERITY_ERROR, "contract.schema", "unknown type `%.40s`; %s%s%s",
		    json_is_string(name) ? json_string_value(name) : "?", near ? "did you mean `" : "types are ",
		    near ? near : "string, object, array, number, integer, boolean and null", near ? "`?" : "");
}

static void check_types(const struct checker *c, const json_t *value, const struct node *node)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		check_type_name(c, value, node);
		return;
	}
	json_array_foreach(value, i, item) check_type_name(c, item, item_node(node, i));
}

/* A required name that no property has is most often a slip of the pen; where anything else is forbidden it can never
 * hold. */
static void check_names(const struct checker *c, const json_t *schema, const json_t *value, const struct node *node)
{
	const json_t *properties = json_object_get(schema, "properties"), *item;
	const char *known[256], *key, *near;
	size_t i, n = 0;
	json_t *unused;

	json_object_foreach((json_t *)properties, key, unused)
	{
		if (n < sizeof known / sizeof *known)
			known[n++] = key;
	}
	if (!json_is_array(value)) {
		fault(c, node, "required", "a list of names");
		return;
	}
	json_array_foreach(value, i, item)
	{
		if (!json_is_string(item)) {
			fault(c, item_node(node, i), "required", "a list of names");
			continue;
		}
		if (!properties || json_object_get(properties, json_string_value(item)))
			continue;
		near = nearest_name(span_of(json_string_value(item)), known, n);
		finding_add(c->findings, place_of(c, item_node(node, i)),
			    json_is_false(json_object_get(schema, "additionalProperties")) ? SEVERITY_ERROR
											   : SEVERITY_WARNING,
			    "contract.required", "`%.64s` is required but is not among the properties%s%s%s",
			    json_string_value(item), near ? "; did you mean `" : "", near ? near : "",
			    near ? "`?" : "");
	}
}

/* #/$defs/amount leads somewhere; other files and addresses are not looked up. */
static void check_reference(const struct checker *c, const json_t *value, const struct node *node)
{
	const char *text = json_string_value(value), *at = text;
	const json_t *found = c->contract->schema;

	if (!text) {
		fault(c, node, "$ref", "a text");
		return;
	}
	if (text[0] != '#' || text[1] != '/')
		return;
	at += 2;
	while (found && at) {
		const char *slash = strchr(at, '/');
		char *key = mem_span_dup(span_make(at, slash ? (size_t)(slash - at) : strlen(at)));

		found = json_is_array(found) ? json_array_get(found, strtoul(key, NULL, 10))
					     : json_object_get(found, key);
		free(key);
		at = slash ? slash + 1 : NULL;
	}
	if (!found && !strchr(text, '~') && !strchr(text, '%'))
		finding_add(c->findings, place_of(c, node), SEVERITY_ERROR, "contract.reference",
			    "`%.100s` leads nowhere in this contract", text);
}

static void check_list(const struct checker *c, const char *name, const json_t *value, const struct node *node,
		       int depth)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) == 0) {
		fault(c, node, name, "a list of schemas");
		return;
	}
	json_array_foreach(value, i, item) check_schema(c, item, item_node(node, i), depth + 1);
}

static void check_map(const struct checker *c, const char *name, const json_t *value, const struct node *node,
		      int depth)
{
	const char *key;
	json_t *item;

	if (!json_is_object(value)) {
		fault(c, node, name, "an object of schemas");
		return;
	}
	json_object_foreach((json_t *)value, key, item) check_schema(c, item, node_find(node, key), depth + 1);
}

static void check_keyword(const struct checker *c, const struct keyword *keyword, const json_t *schema,
			  const json_t *value, const struct node *node, int depth)
{
	switch (keyword->kind) {
	case TEXT:
		if (!json_is_string(value))
			fault(c, node, keyword->name, "a text");
		break;
	case NUMBER:
		if (!json_is_number(value))
			fault(c, node, keyword->name, "a number");
		break;
	case COUNT:
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			fault(c, node, keyword->name, "a whole number, 0 or more");
		break;
	case TRUTH:
		if (!json_is_boolean(value))
			fault(c, node, keyword->name, "true or false");
		break;
	case LIST:
		if (!json_is_array(value))
			fault(c, node, keyword->name, "a list");
		break;
	case TYPE:
		check_types(c, value, node);
		break;
	case NAMES:
		check_names(c, schema, value, node);
		break;
	case REFERENCE:
		check_reference(c, value, node);
		break;
	case SCHEMA:
		check_schema(c, value, node, depth + 1);
		break;
	case SCHEMAS:
		check_list(c, keyword->name, value, node, depth);
		break;
	case SCHEMA_MAP:
		check_map(c, keyword->name, value, node, depth);
		break;
	case ANY:
		break;
	}
}

static void unknown_keyword(const struct checker *c, const char *key, const struct node *node)
{
	const char *names[KEYWORDS], *near;

	for (size_t i = 0; i < KEYWORDS; i++)
		names[i] = keywords[i].name;
	near = strncmp(key, "x-", 2) == 0 ? NULL : nearest_name(span_of(key), names, KEYWORDS);
	if (near)
		finding_add(c->findings, place_of(c, node), SEVERITY_WARNING, "contract.keyword",
			    "`%.40s` means nothing in JSON Schema; did you mean `%s`?", key, near);
}

static void check_schema(const struct checker *c, const json_t *schema, const struct node *node, int depth)
{
	const char *key;
	json_t *value;

	if (json_is_boolean(schema))
		return;
	if (!json_is_object(schema) || depth > SCHEMA_DEPTH_MAX) {
		finding_add(c->findings, place_of(c, node), SEVERITY_ERROR, "contract.schema",
			    depth > SCHEMA_DEPTH_MAX ? "nested too deeply" : "a schema is an object, true or false");
		return;
	}
	json_object_foreach((json_t *)schema, key, value)
	{
		const struct node *at = node_find(node, key);
		size_t k = 0;

		while (k < KEYWORDS && strcmp(keywords[k].name, key) != 0)
			k++;
		if (k < KEYWORDS)
			check_keyword(c, &keywords[k], schema, value, at, depth);
		else
			unknown_keyword(c, key, at);
	}
}

/* A key is looked up in every message: it must compile. */
static void check_keys(const struct checker *c, struct load *load, const struct node *node)
{
	const struct node *list = node_find(node, "x-ferrule-keys");
	struct shape shape = shape_of(c->contract->schema, c->contract->name);

	for (size_t i = 0; i < c->contract->keys_count; i++) {
		struct expression *key = expression_new(load->arena, span_of(c->contract->keys[i]),
							place_of(c, item_node(list, i)));

		if (expression_check(key, c->findings) == 0)
			jq_walk(load->arena, span_of(c->contract->keys[i]),
				(struct jq_place){expression_place(key), 0}, &shape, "", "", c->findings);
		expression_drop(key);
	}
}

void contract_check(struct load *load, const struct contract *contract, struct findings *findings)
{
	struct checker checker = {contract, findings};
	const struct span *text = bundle_find(load->bundle, contract->place.file);
	const char *dialect = json_string_value(json_object_get(contract->schema, "$schema"));
	struct yaml_documents documents = {0};
	const struct node *node;
	struct findings unused;

	findings_init(&unused); /* JSON that YAML cannot read has its findings without places */
	if (text)
		yaml_read(load->arena, &unused, contract->place.file, *text, NULL, &documents);
	findings_free(&unused);
	node = documents.count > 0 ? documents.items[0] : NULL;
	if (dialect && strncmp(dialect, DIALECT, strlen(DIALECT)) != 0)
		finding_add(findings, place_of(&checker, node_find(node, "$schema")), SEVERITY_ERROR,
			    "contract.dialect", "contracts are JSON Schema 2020-12: \"$schema\": \"" DIALECT "\"");
	check_schema(&checker, contract->schema, node, 1);
	check_keys(&checker, load, node);
}
