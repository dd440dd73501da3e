/* Compiling: what each keyword means for a rule. See schema_private.h. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <math.h>
#include <stdlib.h>

#include "base/finding.h"

#define NO_INDEX (-1)

/* ---- the parts of a rule, made when a keyword asks for them */
static struct object_rules *object_of(struct compile *compile, struct rule *rule)
{
	if (!rule->object) {
		rule->object = arena_alloc(compile->schema->arena, sizeof *rule->object);
		rule->object->max = INFINITY;
	}
	return rule->object;
}

static struct array_rules *array_of(struct compile *compile, struct rule *rule)
{
	if (!rule->array) {
		rule->array = arena_alloc(compile->schema->arena, sizeof *rule->array);
		rule->array->max = rule->array->max_contains = INFINITY;
		rule->array->min_contains = 1;
	}
	return rule->array;
}

static struct text_rules *text_of(struct compile *compile, struct rule *rule)
{
	if (!rule->text) {
		rule->text = arena_alloc(compile->schema->arena, sizeof *rule->text);
		rule->text->max = INFINITY;
	}
	return rule->text;
}

static struct number_rules *number_of(struct compile *compile, struct rule *rule)
{
	if (!rule->number)
		rule->number = arena_alloc(compile->schema->arena, sizeof *rule->number);
	return rule->number;
}

static struct logic_rules *logic_of(struct compile *compile, struct rule *rule)
{
	if (!rule->logic)
		rule->logic = arena_alloc(compile->schema->arena, sizeof *rule->logic);
	return rule->logic;
}

static struct rule *child(struct compile *compile, struct rule *rule, const char *keyword, const char *key, long index,
			  const json_t *json)
{
	struct rule place = {.parent = rule, .keyword = keyword, .key = key, .index = index};

	return compile_rule(compile, json, rule->resource, &place);
}

/* ---- keywords */
struct keyword {
	const char *name;
	unsigned vocabulary;
	void (*take)(struct compile *, struct rule *, const struct keyword *, const json_t *);
};

static const char *const types[] = {"null", "boolean", "object", "array", "number", "string", "integer"};

static void no_type(struct compile *compile, struct rule *rule, const char *keyword, const char *name)
{
	const char *near = name ? nearest_name(span_of(name), types, 7) : NULL;

	if (near)
		compile_fault(compile, rule, keyword, "names no type: %.40s" NEAR, name, NEAR_ARGS(near));
	else
		compile_fault(compile, rule, keyword,
			      "must name a type: string, object, array, number, integer, boolean or null");
}

static void take_type(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	size_t n = json_is_array(value) ? json_array_size(value) : 1;

	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		unsigned kind = 0;

		while (kind < 7 && (!json_is_string(item) || strcmp(json_string_value(item), types[kind])))
			kind++;
		if (kind == 7)
			no_type(compile, rule, keyword->name, json_string_value(item));
		else
			rule->types |= 1u << kind;
	}
	if (json_is_array(value) && !n)
		compile_fault(compile, rule, keyword->name, "must name at least one type");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void take_enum(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	size_t n = json_array_size(value);

	if (!json_is_array(value)) {
		compile_fault(compile, rule, keyword->name, "must be a list of values");
		return;
	}
	rule->enumeration = value;
	rule->texts = arena_alloc(compile->schema->arena, (n + 1) * sizeof *rule->texts);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(value, i);

		if (json_is_string(item) && !memchr(json_string_value(item), 0, json_string_length(item)))
			rule->texts[rule->texts_count++] = json_string_value(item);
	}
	qsort(rule->texts, rule->texts_count, sizeof *rule->texts, by_text);
}

static void take_const(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	rule->constant = value;
}

static void take_number(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	struct number_rules *number = number_of(compile, rule);
	const json_t **slot = !strcmp(keyword->name, "minimum")            ? &number->min
			      : !strcmp(keyword->name, "maximum")          ? &number->max
			      : !strcmp(keyword->name, "exclusiveMinimum") ? &number->above
			      : !strcmp(keyword->name, "exclusiveMaximum") ? &number->below
									   : &number->multiple;

	if (!json_is_number(value))
		compile_fault(compile, rule, keyword->name, "must be a number");
	else if (slot == &number->multiple && json_number_value(value) <= 0)
		compile_fault(compile, rule, keyword->name, "must be more than 0");
	else
		*slot = value;
}

static void take_count(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	const char *name = keyword->name;
	double count = json_is_number(value) ? json_number_value(value) : -1;
	double *slot = !strcmp(name, "minLength")       ? &text_of(compile, rule)->min
		       : !strcmp(name, "maxLength")     ? &text_of(compile, rule)->max
		       : !strcmp(name, "minItems")      ? &array_of(compile, rule)->min
		       : !strcmp(name, "maxItems")      ? &array_of(compile, rule)->max
		       : !strcmp(name, "minContains")   ? &array_of(compile, rule)->min_contains
		       : !strcmp(name, "maxContains")   ? &array_of(compile, rule)->max_contains
		       : !strcmp(name, "minProperties") ? &object_of(compile, rule)->min
							: &object_of(compile, rule)->max;

	if (count < 0 || floor(count) != count)
		compile_fault(compile, rule, name, "must be a whole number, 0 or more");
	else
		*slot = count;
}

static struct pattern *pattern_of(struct compile *compile, struct rule *rule, const char *keyword, struct span text)
{
	struct schema *schema = compile->schema;
	struct pattern *pattern;
	struct error error;

	pattern = pattern_new(text, &error);
	if (!pattern) {
		compile_fault(compile, rule, keyword, "\"%.*s\" does not compile: %s",
			      text.len > 100 ? 100 : (int)text.len, text.data, error.text);
		return NULL;
	}
	schema->patterns =
		mem_grow(schema->patterns, &schema->patterns_capacity, schema->patterns_count + 1, sizeof pattern);
	return schema->patterns[schema->patterns_count++] = pattern;
}

static void take_pattern(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	if (!json_is_string(value))
		compile_fault(compile, rule, keyword->name, "must be a regular expression, as a text");
	else
		text_of(compile, rule)->pattern = pattern_of(
			compile, rule, keyword->name, span_make(json_string_value(value), json_string_length(value)));
}

static void take_format(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	const struct format *format = json_is_string(value) ? schema_format(json_string_value(value)) : NULL;
	bool assert = compile->schema->options.formats || rule->resource->vocabularies & VOCABULARY_FORMAT_ASSERTION;

	const char *near;

	if (!json_is_string(value)) {
		compile_fault(compile, rule, keyword->name, "must be the name of a format");
	} else if (!format) {
		near = schema_format_near(json_string_value(value));
		if (near)
			compile_doubt(compile, rule, keyword->name, "%.40s asserts nothing" NEAR,
				      json_string_value(value), NEAR_ARGS(near));
	} else if (assert) {
		text_of(compile, rule)->format = format;
	}
}

static void take_truth(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	if (!json_is_boolean(value))
		compile_fault(compile, rule, keyword->name, "must be true or false");
	else if (!strcmp(keyword->name, "uniqueItems"))
		array_of(compile, rule)->unique = json_is_true(value);
	else if (!strcmp(keyword->name, "writeOnly"))
		rule->secret = rule->secret || json_is_true(value);
}

static void take_personal(struct compile *compile, struct rule *rule, const struct keyword *keyword,
			  const json_t *value)
{
	rule->secret = rule->secret || !json_is_false(value);
}

static void take_text(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	if (!json_is_string(value))
		compile_fault(compile, rule, keyword->name, "must be a text");
}

static void take_anchor(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	if (!json_is_string(value) || !json_string_length(value))
		compile_fault(compile, rule, keyword->name, "must be a name");
	else
		resource_anchor(compile, (struct resource *)(uintptr_t)rule->resource, json_string_value(value), rule,
				strcmp(keyword->name, "$dynamicAnchor") == 0);
}

static void take_reference(struct compile *compile, struct rule *rule, const struct keyword *keyword,
			   const json_t *value)
{
	struct reference reference = {rule, json_string_value(value), keyword->name};

	if (!reference.text) {
		compile_fault(compile, rule, keyword->name, "must be a reference, as a text");
		return;
	}
	compile->references = mem_grow(compile->references, &compile->references_capacity,
				       compile->references_count + 1, sizeof *compile->references);
	compile->references[compile->references_count++] = reference;
}

/* Of 2019-09; without its dynamic side. */
static void take_recursive(struct compile *compile, struct rule *rule, const struct keyword *keyword,
			   const json_t *value)
{
	if (rule->resource->dialect == DIALECT_2019)
		take_reference(compile, rule, keyword, value);
}

static void take_rule(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	const char *name = keyword->name;
	struct rule *below, **slot, *ignored;

	if (!strcmp(name, "items") || !strcmp(name, "additionalItems"))
		slot = &array_of(compile, rule)->items;
	else if (!strcmp(name, "contains"))
		slot = &array_of(compile, rule)->contains;
	else if (!strcmp(name, "additionalProperties"))
		slot = &object_of(compile, rule)->others;
	else if (!strcmp(name, "propertyNames"))
		slot = &object_of(compile, rule)->names;
	else if (!strcmp(name, "unevaluatedItems"))
		slot = &rule->unevaluated_items;
	else if (!strcmp(name, "unevaluatedProperties"))
		slot = &rule->unevaluated_members;
	else if (!strcmp(name, "not"))
		slot = &logic_of(compile, rule)->not ;
	else if (!strcmp(name, "if"))
		slot = &logic_of(compile, rule)->condition;
	else if (!strcmp(name, "then"))
		slot = &logic_of(compile, rule)->then;
	else if (!strcmp(name, "else"))
		slot = &logic_of(compile, rule)->otherwise;
	else /* contentSchema: only so that what stands in it can be referred to */
		slot = &ignored;
	below = child(compile, rule, name, NULL, NO_INDEX, value);
	*slot = below;
}

static void take_list(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	const char *name = keyword->name;
	size_t n = json_array_size(value);
	struct rule_list list = {arena_alloc(compile->schema->arena, (n + 1) * sizeof *list.items), n};

	if (!n) {
		compile_fault(compile, rule, name, "must be a list of at least one schema");
		return;
	}
	for (size_t i = 0; i < n; i++)
		list.items[i] = child(compile, rule, name, NULL, (long)i, json_array_get(value, i));
	if (!strcmp(name, "allOf"))
		logic_of(compile, rule)->all = list;
	else if (!strcmp(name, "anyOf"))
		logic_of(compile, rule)->any = list;
	else if (!strcmp(name, "oneOf"))
		logic_of(compile, rule)->one = list;
	else {
		array_of(compile, rule)->prefix = list.items;
		array_of(compile, rule)->prefix_count = n;
	}
}

/* Until 2019-09 a list of `items` was what is prefixItems today, and `additionalItems` went on from there. */
static void take_items(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	bool list = json_is_array(json_object_get(rule->json, "items"));
	static const struct keyword prefix = {"items", 0, NULL};

	if (rule->resource->dialect == DIALECT_2020 && list && !strcmp(keyword->name, "items")) {
		compile_fault(compile, rule, keyword->name,
			      "must be one schema for all; a schema for each is prefixItems");
	} else if (rule->resource->dialect == DIALECT_2020) {
		if (!strcmp(keyword->name, "items"))
			take_rule(compile, rule, keyword, value);
	} else if (!strcmp(keyword->name, "items") && list) {
		take_list(compile, rule, &prefix, value);
	} else if (!strcmp(keyword->name, "items") || list) {
		take_rule(compile, rule, keyword, value);
	}
}

static void take_prefix(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	if (rule->resource->dialect == DIALECT_2020)
		take_list(compile, rule, keyword, value);
}

static bool is_map(struct compile *compile, struct rule *rule, const struct keyword *keyword, const json_t *value)
{
	if (!json_is_object(value))
		compile_fault(compile, rule, keyword->name, "must be an object");
	return json_is_object(value);
}

static void take_definitions(struct compile *compile, struct rule *rule, const struct keyword *keyword,
			     const json_t *value)
{
	const char *key;
	json_t *item;

	if (is_map(compile, rule, keyword, value))
		json_object_foreach((json_t *)(uintptr_t)value, key, item)
			child(compile, rule, keyword->name, key, NO_INDEX, item);
}

static void take_patterns(struct compile *compile, struct rule *rule, const struct keyword *keyword,
			  const json_t *value)
{
	struct object_rules *object = object_of(compile, rule);
	const char *key;
	json_t *item;

	if (!is_map(compile, rule, keyword, value))
		return;
	object->patterns =
		arena_alloc(compile->schema->arena, (json_object_size(value) + 1) * sizeof *object->patterns);
	json_object_foreach((json_t *)(uintptr_t)value, key, item) {
		struct rule *below = child(compile, rule, keyword->name, key, NO_INDEX, item);
		struct pattern *pattern = pattern_of(compile, rule, keyword->name, span_of(key));

		if (pattern)
			object->patterns[object->patterns_count++] = (struct pattern_rule){pattern, below};
	}
}

static bool are_names(const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!json_is_string(json_array_get(value, i)))
			return false;
	return json_is_array(value);
}

/* dependentSchemas, dependentRequired, and `dependencies`, which was both. */
static void take_dependents(struct compile *compile, struct rule *rule, const struct keyword *keyword,
			    const json_t *value)
{
	struct object_rules *object = object_of(compile, rule);
	bool schemas = strcmp(keyword->name, "dependentRequired"), names = strcmp(keyword->name, "dependentSchemas");
	const char *key;
	json_t *item;

	if (!is_map(compile, rule, keyword, value))
		return;
	json_object_foreach((json_t *)(uintptr_t)value, key, item) {
		struct dependent dependent = {.key = key, .keyword = keyword->name};
		struct dependent *grown;

		if (names && json_is_array(item) && are_names(item))
			dependent.required = item;
		else if (schemas)
			dependent.rule = child(compile, rule, keyword->name, key, NO_INDEX, item);
		else
			compile_fault(compile, rule, keyword->name, "must hold lists of names");
		if (object->dependents_count == object->dependents_capacity) {
			object->dependents_capacity += json_object_size(value);
			grown = arena_alloc(compile->schema->arena, object->dependents_capacity * sizeof *grown);
			if (object->dependents_count)
				memcpy(grown, object->dependents, object->dependents_count * sizeof *grown);
			object->dependents = grown;
		}
		object->dependents[object->dependents_count++] = dependent;
	}
}

static void take_vocabularies(struct compile *compile, struct rule *rule, const struct keyword *keyword,
			      const json_t *value)
{
	is_map(compile, rule, keyword, value);
}

static const struct keyword keywords[] = {
	{"$anchor", VOCABULARY_CORE, take_anchor},
	{"$comment", VOCABULARY_CORE, take_text},
	{"$defs", VOCABULARY_CORE, take_definitions},
	{"$dynamicAnchor", VOCABULARY_CORE, take_anchor},
	{"$dynamicRef", VOCABULARY_CORE, take_reference},
	{"$id", VOCABULARY_CORE, take_text},
	{"$recursiveRef", VOCABULARY_CORE, take_recursive},
	{"$ref", VOCABULARY_CORE, take_reference},
	{"$schema", VOCABULARY_CORE, take_text},
	{"$vocabulary", VOCABULARY_CORE, take_vocabularies},
	{"additionalItems", VOCABULARY_APPLICATOR, take_items},
	{"additionalProperties", VOCABULARY_APPLICATOR, take_rule},
	{"allOf", VOCABULARY_APPLICATOR, take_list},
	{"anyOf", VOCABULARY_APPLICATOR, take_list},
	{"const", VOCABULARY_VALIDATION, take_const},
	{"contains", VOCABULARY_APPLICATOR, take_rule},
	{"contentEncoding", VOCABULARY_OTHERS, take_text},
	{"contentMediaType", VOCABULARY_OTHERS, take_text},
	{"contentSchema", VOCABULARY_OTHERS, take_rule},
	{"definitions", VOCABULARY_CORE, take_definitions},
	{"dependencies", VOCABULARY_APPLICATOR, take_dependents},
	{"dependentRequired", VOCABULARY_VALIDATION, take_dependents},
	{"dependentSchemas", VOCABULARY_APPLICATOR, take_dependents},
	{"deprecated", VOCABULARY_OTHERS, take_truth},
	{"description", VOCABULARY_OTHERS, take_text},
	{"else", VOCABULARY_APPLICATOR, take_rule},
	{"enum", VOCABULARY_VALIDATION, take_enum},
	{"exclusiveMaximum", VOCABULARY_VALIDATION, take_number},
	{"exclusiveMinimum", VOCABULARY_VALIDATION, take_number},
	{"format", VOCABULARY_FORMAT | VOCABULARY_FORMAT_ASSERTION, take_format},
	{"if", VOCABULARY_APPLICATOR, take_rule},
	{"items", VOCABULARY_APPLICATOR, take_items},
	{"maxContains", VOCABULARY_VALIDATION, take_count},
	{"maxItems", VOCABULARY_VALIDATION, take_count},
	{"maxLength", VOCABULARY_VALIDATION, take_count},
	{"maxProperties", VOCABULARY_VALIDATION, take_count},
	{"maximum", VOCABULARY_VALIDATION, take_number},
	{"minContains", VOCABULARY_VALIDATION, take_count},
	{"minItems", VOCABULARY_VALIDATION, take_count},
	{"minLength", VOCABULARY_VALIDATION, take_count},
	{"minProperties", VOCABULARY_VALIDATION, take_count},
	{"minimum", VOCABULARY_VALIDATION, take_number},
	{"multipleOf", VOCABULARY_VALIDATION, take_number},
	{"not", VOCABULARY_APPLICATOR, take_rule},
	{"oneOf", VOCABULARY_APPLICATOR, take_list},
	{"pattern", VOCABULARY_VALIDATION, take_pattern},
	{"patternProperties", VOCABULARY_APPLICATOR, take_patterns},
	{"prefixItems", VOCABULARY_APPLICATOR, take_prefix},
	{"propertyNames", VOCABULARY_APPLICATOR, take_rule},
	{"readOnly", VOCABULARY_OTHERS, take_truth},
	{"then", VOCABULARY_APPLICATOR, take_rule},
	{"title", VOCABULARY_OTHERS, take_text},
	{"type", VOCABULARY_VALIDATION, take_type},
	{"unevaluatedItems", VOCABULARY_UNEVALUATED, take_rule},
	{"unevaluatedProperties", VOCABULARY_UNEVALUATED, take_rule},
	{"uniqueItems", VOCABULARY_VALIDATION, take_truth},
	{"writeOnly", VOCABULARY_OTHERS, take_truth},
	{"x-ferrule-personal", VOCABULARY_CORE, take_personal},
};

static int by_name(const void *name, const void *keyword)
{
	return strcmp(name, ((const struct keyword *)keyword)->name);
}

/* ---- names: `properties` and `required` become one table */
uint32_t member_hash(const char *key, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)key[i]) * 16777619u;
	return hash;
}

static struct member *member_of(struct object_rules *object, const char *key, size_t len)
{
	uint32_t hash = member_hash(key, len);
	struct member **bucket = &object->buckets[hash & object->mask], *member = *bucket;

	while (member && (member->hash != hash || member->len != len || memcmp(member->key, key, len)))
		member = member->same_bucket;
	if (member)
		return member;
	member = &object->members[object->members_count++];
	*member = (struct member){.key = key, .len = len, .hash = hash, .same_bucket = *bucket};
	return *bucket = member;
}

static void take_names(struct compile *compile, struct rule *rule, json_t *members, json_t *required)
{
	struct object_rules *object = object_of(compile, rule);
	size_t count = json_object_size(members) + json_array_size(required), i;
	const char *key;
	json_t *item;

	for (object->mask = 8; object->mask < 2 * count;)
		object->mask *= 2;
	object->buckets = arena_alloc(compile->schema->arena, object->mask * sizeof *object->buckets);
	object->members = arena_alloc(compile->schema->arena, (count + 1) * sizeof *object->members);
	object->mask--;
	json_object_foreach(members, key, item)
		member_of(object, key, strlen(key))->rule = child(compile, rule, "properties", key, NO_INDEX, item);
	json_array_foreach(required, i, item) {
		struct member *member;

		if (!json_is_string(item))
			continue;
		member = member_of(object, json_string_value(item), json_string_length(item));
		object->required_count += !member->required;
		member->required = true;
	}
}

static void take_members(struct compile *compile, struct rule *rule)
{
	unsigned vocabularies = rule->resource->vocabularies;
	json_t *members = vocabularies & VOCABULARY_APPLICATOR ? json_object_get(rule->json, "properties") : NULL,
	       *required = vocabularies & VOCABULARY_VALIDATION ? json_object_get(rule->json, "required") : NULL;

	if (members && !json_is_object(members))
		compile_fault(compile, rule, "properties", "must be an object");
	if (required && !are_names(required))
		compile_fault(compile, rule, "required", "must be a list of names");
	if (json_is_object(members) || json_is_array(required))
		take_names(compile, rule, json_is_object(members) ? members : NULL,
			   json_is_array(required) ? required : NULL);
}

/* ---- all of a rule */
/* Draft 7 knows nothing of these. */
static bool is_later(const char *name)
{
	static const char *const later[] = {"$anchor",           "$dynamicAnchor",   "$dynamicRef",
					    "dependentRequired", "dependentSchemas", "maxContains",
					    "minContains",       "unevaluatedItems", "unevaluatedProperties"};

	for (size_t i = 0; i < sizeof later / sizeof *later; i++)
		if (!strcmp(name, later[i]))
			return true;
	return false;
}

void compile_keywords(struct compile *compile, struct rule *rule)
{
	json_t *same = (json_t *)(uintptr_t)rule->json, *value; /* jansson iterates only over what it may change */
	bool old = rule->resource->dialect == DIALECT_7, alone = old && json_object_get(same, "$ref");
	const char *name;

	json_object_foreach(same, name, value) {
		const struct keyword *keyword =
			bsearch(name, keywords, sizeof keywords / sizeof *keywords, sizeof *keywords, by_name);

		if (keyword && keyword->vocabulary & rule->resource->vocabularies && (!old || !is_later(name)) &&
		    (!alone || keyword->take == take_reference || keyword->take == take_definitions))
			keyword->take(compile, rule, keyword, value);
	}
	if (!alone)
		take_members(compile, rule);
}
