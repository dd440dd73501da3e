/* Is a contract's schema one? What JSON Schema itself has against it is asked of the registry and told at its line;
 * here names are looked at that are spelled almost as 2020-12 spells them. See load.h. */
#include "config.h"
#include "config/load.h"

#include <stdlib.h>

#include "config/compatibility.h"
#include "config/jq_walk.h"

#define SCHEMA_DEPTH_MAX 64
#define DIALECT "https://json-schema.org/draft/2020-12/schema"

/* What stands below a keyword. */
enum below { NOTHING, NAMES, SCHEMA, SCHEMAS, SCHEMA_MAP };

static const struct keyword {
	const char *name;
	enum below below;
} keywords[] = {
	{"$schema", NOTHING},
	{"$id", NOTHING},
	{"$ref", NOTHING},
	{"$anchor", NOTHING},
	{"$dynamicRef", NOTHING},
	{"$dynamicAnchor", NOTHING},
	{"$defs", SCHEMA_MAP},
	{"$comment", NOTHING},
	{"$vocabulary", NOTHING},
	{"title", NOTHING},
	{"description", NOTHING},
	{"default", NOTHING},
	{"examples", NOTHING},
	{"deprecated", NOTHING},
	{"readOnly", NOTHING},
	{"writeOnly", NOTHING},
	{"type", NOTHING},
	{"enum", NOTHING},
	{"const", NOTHING},
	{"multipleOf", NOTHING},
	{"maximum", NOTHING},
	{"exclusiveMaximum", NOTHING},
	{"minimum", NOTHING},
	{"exclusiveMinimum", NOTHING},
	{"maxLength", NOTHING},
	{"minLength", NOTHING},
	{"pattern", NOTHING},
	{"format", NOTHING},
	{"maxItems", NOTHING},
	{"minItems", NOTHING},
	{"uniqueItems", NOTHING},
	{"maxContains", NOTHING},
	{"minContains", NOTHING},
	{"maxProperties", NOTHING},
	{"minProperties", NOTHING},
	{"required", NAMES},
	{"dependentRequired", NOTHING},
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
	{"contentEncoding", NOTHING},
	{"contentMediaType", NOTHING},
	{"contentSchema", SCHEMA},
};
#define KEYWORDS (sizeof keywords / sizeof *keywords)

struct checker {
	const struct contract *contract;
	const struct node *root;
	struct findings *findings;
};

/* The node stands beside the JSON only for its place; NULL where it is not known. */
static struct place place_of(const struct checker *c, const struct node *node)
{
	return node ? node->place : c->contract->place;
}

static const struct node *item_node(const struct node *node, size_t i)
{
	return node && node->type == NODE_LIST && i < node->count ? node->items[i] : NULL;
}

static void check_schema(const struct checker *, const json_t *schema, const struct node *, int depth);

/* A required name that no property has is most often a slip of the pen; where anything else is forbidden it can never
 * hold. */
static void check_names(const struct checker *c, const json_t *schema, const json_t *value, const struct node *node)
{
	const json_t *properties = json_object_get(schema, "properties"), *item;
	const char *known[256], *key, *near;
	size_t i, n = 0;
	json_t *unused;

	json_object_foreach((json_t *)properties, key, unused) {
		if (n < sizeof known / sizeof *known)
			known[n++] = key;
	}
	json_array_foreach(value, i, item) {
		if (!properties || !json_is_string(item) || json_object_get(properties, json_string_value(item)))
			continue;
		near = nearest_name(span_of(json_string_value(item)), known, n);
		finding_add(c->findings, place_of(c, item_node(node, i)),
			    json_is_false(json_object_get(schema, "additionalProperties")) ? SEVERITY_ERROR
											   : SEVERITY_WARNING,
			    "contract.required", "`%.64s` is required but is not among the properties" NEAR,
			    json_string_value(item), NEAR_ARGS(near));
	}
}

static void check_keyword(const struct checker *c, const struct keyword *keyword, const json_t *schema,
			  const json_t *value, const struct node *node, int depth)
{
	const json_t *item;
	const char *key;
	size_t i;

	if (keyword->below == NAMES)
		check_names(c, schema, value, node);
	if (keyword->below == SCHEMA)
		check_schema(c, value, node, depth + 1);
	if (keyword->below == SCHEMAS)
		json_array_foreach(value, i, item)
			check_schema(c, item, item_node(node, i), depth + 1);
	if (keyword->below == SCHEMA_MAP)
		json_object_foreach((json_t *)value, key, item)
			check_schema(c, item, node_find(node, key), depth + 1);
}

static void unknown_keyword(const struct checker *c, const char *key, const struct node *node)
{
	const char *names[KEYWORDS], *near;

	for (size_t i = 0; i < KEYWORDS; i++)
		names[i] = keywords[i].name;
	near = strncmp(key, "x-", 2) == 0 ? NULL : nearest_name(span_of(key), names, KEYWORDS);
	if (near)
		finding_add(c->findings, place_of(c, node), SEVERITY_WARNING, "contract.keyword",
			    "`%.40s` means nothing in JSON Schema" NEAR, key, NEAR_ARGS(near));
}

static void check_schema(const struct checker *c, const json_t *schema, const struct node *node, int depth)
{
	const char *key;
	json_t *value;

	if (depth > SCHEMA_DEPTH_MAX) {
		finding_add(c->findings, place_of(c, node), SEVERITY_ERROR, "contract.schema", "nested too deeply");
		return;
	}
	json_object_foreach((json_t *)schema, key, value) {
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

/* ---- what JSON Schema itself has against it */
static const struct node *node_at(const struct node *node, const char *pointer)
{
	while (node && *pointer == '/') {
		size_t n = strcspn(++pointer, "/");
		char *token = mem_span_dup(span_make(pointer, n)), *out = token;
		const struct node *below;

		for (const char *p = token; *p; p++)
			*out++ = (char)(p[0] != '~' ? p[0] : p[1] == '1' ? '/' : '~'), p += p[0] == '~' && p[1];
		*out = '\0';
		below = node->type == NODE_LIST ? item_node(node, strtoul(token, NULL, 10)) : node_find(node, token);
		free(token);
		if (!below)
			break;
		node = below;
		pointer += n;
	}
	return node;
}

static void tell(void *arg, bool mistake, const char *pointer, const char *message)
{
	const struct checker *c = arg;
	const char *keyword = strrchr(pointer, '/');
	struct place place = place_of(c, node_at(c->root, pointer));
	bool reference = keyword && (!strcmp(keyword, "/$ref") || !strcmp(keyword, "/$dynamicRef"));

	/* The dialect was told already. */
	if (keyword == pointer && !strcmp(keyword, "/$schema"))
		return;
	finding_add(c->findings, place, mistake ? SEVERITY_ERROR : SEVERITY_WARNING,
		    !mistake    ? "contract.keyword"
		    : reference ? "contract.reference"
				: "contract.schema",
		    "%s", message);
}

static const json_t *find_contract(void *site, const char *address)
{
	const struct contract *contract = site_contract_at(site, address);

	return contract ? contract->schema : NULL;
}

/* A key is looked up in every message: it must compile. */
static void check_keys(const struct checker *c, struct load *load, const struct node *node)
{
	const struct node *list = node_find(node, "x-ferrule-keys");
	struct shape shape = shape_of(c->contract->schema, c->contract->name);

	for (size_t i = 0; i < c->contract->keys_count; i++) {
		struct expression *key =
			expression_new(load->arena, span_of(c->contract->keys[i]), place_of(c, item_node(list, i)));

		if (expression_check(key, c->findings) == 0)
			jq_walk(load->arena, span_of(c->contract->keys[i]), (struct jq_place){expression_place(key), 0},
				&shape, "", "", c->findings);
		expression_drop(key);
	}
}

/* What a later version may change is promised in words that `check --against` knows. */
static void check_promise(const struct checker *c, const struct node *node)
{
	const json_t *mode = json_object_get(c->contract->schema, "x-ferrule-compatibility"),
		     *open = json_object_get(c->contract->schema, "x-ferrule-open");
	enum compatibility_mode unused;
	bool transitive;

	if (mode && (!json_is_string(mode) || compatibility_mode_parse(json_string_value(mode), &unused, &transitive)))
		finding_add(c->findings, place_of(c, node_find(node, "x-ferrule-compatibility")), SEVERITY_ERROR,
			    "contract.compatibility", "x-ferrule-compatibility is BACKWARD, FORWARD, FULL or NONE");
	if (open && (!json_is_string(open) || (strcmp(json_string_value(open), "strict") != 0 &&
					       strcmp(json_string_value(open), "lenient") != 0)))
		finding_add(c->findings, place_of(c, node_find(node, "x-ferrule-open")), SEVERITY_ERROR,
			    "contract.compatibility", "x-ferrule-open is strict or lenient");
}

void contract_check(struct load *load, const struct contract *contract, struct findings *findings)
{
	struct checker checker = {contract, NULL, findings};
	const struct span *text = bundle_find(load->bundle, contract->place.file);
	const char *dialect = json_string_value(json_object_get(contract->schema, "$schema"));
	struct yaml_documents documents = {0};
	const struct node *node;
	struct findings unused;

	findings_init(&unused); /* JSON that YAML cannot read has its findings without places */
	if (text)
		yaml_read(load->arena, &unused, contract->place.file, *text, NULL, &documents);
	findings_free(&unused);
	checker.root = node = documents.count > 0 ? documents.items[0] : NULL;
	if (dialect && strncmp(dialect, DIALECT, strlen(DIALECT)) != 0)
		finding_add(findings, place_of(&checker, node_find(node, "$schema")), SEVERITY_ERROR,
			    "contract.dialect", "contracts are JSON Schema 2020-12: \"$schema\": \"" DIALECT "\"");
	if (load->registry->inspect_schema)
		load->registry->inspect_schema(contract->schema, contract->name, find_contract, load->site, tell,
					       &checker);
	check_schema(&checker, contract->schema, node, 1);
	check_keys(&checker, load, node);
	check_promise(&checker, node);
}
