/* JSON Schema, the most used part. See schema.h. */
#include "config.h"
#include "transformers/schema.h"

#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "transformers/schema_format.h"

#define FAULTS_MAX 10
#define DEPTH_MAX 400 /* of schemas inside schemas while checking */
#define PATTERN_TEXT_MAX (64u * 1024)

struct pattern {
	const json_t *text; /* the keyword's value, which identifies it */
	regex_t compiled;
};

struct schema {
	const json_t *root;
	struct pattern *patterns;
	size_t count, capacity;
};

/* ---- making ready */
/* ECMA 262's \d and (?: in the words of POSIX. */
static char *to_posix(const char *pattern)
{
	struct buf out;
	bool bracket = false;

	buf_init(&out, SIZE_MAX / 2);
	for (const char *p = pattern; *p; p++) {
		if (p[0] == '\\' && p[1] == 'd') {
			buf_text(&out, bracket ? "0-9" : "[0-9]");
			p++;
		} else if (p[0] == '\\' && p[1]) {
			/* In a POSIX bracket a backslash is only itself. */
			if (!bracket)
				buf_char(&out, '\\');
			buf_char(&out, *++p);
		} else if (!bracket && p[0] == '(' && p[1] == '?' && p[2] == ':') {
			buf_char(&out, '(');
			p += 2;
		} else {
			bracket = bracket ? *p != ']' : *p == '[';
			buf_char(&out, *p);
		}
	}
	return buf_take(&out);
}

static int add_pattern(struct schema *schema, const json_t *value, struct error *error)
{
	struct pattern *pattern;
	char *posix = to_posix(json_string_value(value)), why[200];
	int failed;

	schema->patterns = mem_grow(schema->patterns, &schema->capacity, schema->count + 1, sizeof *schema->patterns);
	pattern = &schema->patterns[schema->count];
	pattern->text = value;
	failed = regcomp(&pattern->compiled, posix, REG_EXTENDED | REG_NOSUB);
	free(posix);
	if (!failed) {
		schema->count++;
		return 0;
	}
	regerror(failed, &pattern->compiled, why, sizeof why);
	return error_set(error, ERROR_REJECT, "schema.invalid", "the pattern \"%.200s\" does not compile: %s",
			 json_string_value(value), why);
}

static const json_t *resolve(const struct schema *schema, const char *reference)
{
	const json_t *at = schema->root;
	char token[256];

	if (reference[0] != '#' || (reference[1] && reference[1] != '/'))
		return NULL;
	for (const char *p = reference + 1; at && *p == '/';) {
		size_t n = 0;

		for (p++; *p && *p != '/' && n < sizeof token - 1; p++) {
			if (*p == '~' && (p[1] == '0' || p[1] == '1'))
				token[n++] = *++p == '0' ? '~' : '/';
			else
				token[n++] = *p;
		}
		token[n] = '\0';
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(token)) : json_object_get(at, token);
	}
	return at;
}

/* What stands here is data and no schema. */
static bool is_data(const char *key)
{
	return !strcmp(key, "const") || !strcmp(key, "enum") || !strcmp(key, "default") || !strcmp(key, "examples");
}

/* Within `properties` and its like the keys are names and no keywords. */
static bool holds_names(const char *key)
{
	return !strcmp(key, "properties") || !strcmp(key, "$defs") || !strcmp(key, "definitions") ||
	       !strcmp(key, "patternProperties") || !strcmp(key, "dependentSchemas");
}

static int prepare(struct schema *schema, const json_t *at, bool names, int depth, struct error *error)
{
	json_t *same = (json_t *)(uintptr_t)at, *value; /* jansson iterates only over what it may change */
	const char *key;
	size_t i;

	if (depth > DEPTH_MAX)
		return error_set(error, ERROR_REJECT, "schema.invalid", "the schema is nested too deep");
	json_array_foreach(same, i, value)
		if (prepare(schema, value, false, depth + 1, error))
			return -1;
	json_object_foreach(same, key, value) {
		if (!names && is_data(key))
			continue;
		if (!names && !strcmp(key, "pattern") && json_is_string(value) && add_pattern(schema, value, error))
			return -1;
		if (!names && !strcmp(key, "$ref") && json_is_string(value) &&
		    !resolve(schema, json_string_value(value)))
			return error_set(error, ERROR_REJECT, "schema.invalid",
					 "$ref \"%.200s\" leads nowhere in this schema", json_string_value(value));
		if (prepare(schema, value, !names && holds_names(key), depth + 1, error))
			return -1;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	const struct pattern *x = a, *y = b;

	return (x->text > y->text) - (x->text < y->text);
}

struct schema *schema_new(const json_t *root, struct error *error)
{
	struct schema *schema = mem_alloc(sizeof *schema);

	schema->root = root;
	if (!json_is_object(root) && !json_is_boolean(root))
		error_set(error, ERROR_REJECT, "schema.invalid", "a schema is an object");
	else if (!prepare(schema, root, false, 0, error)) {
		if (schema->count)
			qsort(schema->patterns, schema->count, sizeof *schema->patterns, by_text);
		return schema;
	}
	schema_free(schema);
	return NULL;
}

void schema_free(struct schema *schema)
{
	if (!schema)
		return;
	for (size_t i = 0; i < schema->count; i++)
		regfree(&schema->patterns[i].compiled);
	free(schema->patterns);
	free(schema);
}

/* ---- checking */
struct spot { /* where in the document, from the leaf up */
	const struct spot *up;
	const char *key; /* NULL: an index */
	size_t index;
};

struct check {
	const struct schema *schema;
	struct buf *text; /* NULL: only whether it fits, for anyOf and its like */
	size_t faults;
	int depth;
};

static void put_pointer(struct buf *text, const struct spot *spot)
{
	if (!spot->up)
		return;
	put_pointer(text, spot->up);
	if (!spot->key) {
		buf_printf(text, "/%zu", spot->index);
		return;
	}
	buf_char(text, '/');
	for (const char *p = spot->key; *p; p++)
		buf_text(text, *p == '~' ? "~0" : *p == '/' ? "~1" : (char[]){*p, '\0'});
}

static void fault(struct check *check, const struct spot *spot, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void fault(struct check *check, const struct spot *spot, const char *format, ...)
{
	char what[300];
	va_list args;

	if (!check->text || check->faults++ >= FAULTS_MAX) {
		check->faults += !check->text;
		return;
	}
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	if (check->faults > 1)
		buf_text(check->text, "; ");
	if (spot->up)
		put_pointer(check->text, spot);
	else
		buf_text(check->text, "the document");
	buf_printf(check->text, ": %s", what);
}

static void check_value(struct check *, const json_t *rules, const json_t *value, const struct spot *);

static const char *kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "object";
	case JSON_ARRAY: return "array";
	case JSON_STRING: return "string";
	case JSON_INTEGER: return "integer";
	case JSON_REAL: return json_real_value(value) == trunc(json_real_value(value)) ? "integer" : "number";
	case JSON_NULL: return "null";
	default: return "boolean";
	}
}

static bool is_type(const json_t *value, const char *type)
{
	return !strcmp(kind(value), type) || (!strcmp(type, "number") && json_is_number(value));
}

static bool same(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
		return json_number_value(a) == json_number_value(b);
	return json_equal(a, b);
}

static void check_type(struct check *check, const json_t *type, const json_t *value, const struct spot *spot)
{
	char wanted[120] = "";
	size_t used = 0, n = json_array_size(type);

	if (json_is_string(type)) {
		if (!is_type(value, json_string_value(type)))
			fault(check, spot, "must be %s, not %s", json_string_value(type), kind(value));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(type, i));

		if (!name || is_type(value, name))
			return;
		if (used < sizeof wanted)
			used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%s%s", i ? " or " : "", name);
	}
	if (n)
		fault(check, spot, "must be %s, not %s", wanted, kind(value));
}

static void check_enum(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	const json_t *allowed = json_object_get(rules, "enum"), *constant = json_object_get(rules, "const");
	char *text;
	size_t i;

	if (constant && !same(constant, value)) {
		text = json_dumps(constant, JSON_ENCODE_ANY | JSON_COMPACT);
		fault(check, spot, "must be %.200s", text ? text : "the constant");
		free(text);
	}
	if (!json_is_array(allowed))
		return;
	for (i = 0; i < json_array_size(allowed); i++)
		if (same(json_array_get(allowed, i), value))
			return;
	text = json_dumps(allowed, JSON_COMPACT);
	fault(check, spot, "must be one of %.200s", text ? text : "the list");
	free(text);
}

static size_t code_points(const json_t *string)
{
	const char *text = json_string_value(string);
	size_t n = 0;

	for (size_t i = 0; i < json_string_length(string); i++)
		n += (text[i] & 0xc0) != 0x80;
	return n;
}

static void check_pattern(struct check *check, const json_t *text, const json_t *value, const struct spot *spot)
{
	struct pattern key = {.text = text};
	const struct pattern *pattern = check->schema->count ?
		bsearch(&key, check->schema->patterns, check->schema->count, sizeof key, by_text) : NULL;

	if (!pattern)
		return;
	if (json_string_length(value) > PATTERN_TEXT_MAX)
		fault(check, spot, "is too long to be held against its pattern");
	else if (regexec(&pattern->compiled, json_string_value(value), 0, NULL, 0))
		fault(check, spot, "must match %.200s", json_string_value(text));
}

static void check_string(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	const json_t *rule;

	if ((rule = json_object_get(rules, "minLength")) &&
	    (json_int_t)code_points(value) < (json_int_t)json_number_value(rule))
		fault(check, spot, "must have at least %lld characters", (long long)json_number_value(rule));
	if ((rule = json_object_get(rules, "maxLength")) &&
	    (json_int_t)code_points(value) > (json_int_t)json_number_value(rule))
		fault(check, spot, "must have at most %lld characters", (long long)json_number_value(rule));
	if (json_is_string(rule = json_object_get(rules, "pattern")))
		check_pattern(check, rule, value, spot);
	if (json_is_string(rule = json_object_get(rules, "format")) &&
	    !schema_format_fits(json_string_value(rule), json_string_value(value)))
		fault(check, spot, "must be a %s", json_string_value(rule));
}

static void check_number(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	double number = json_number_value(value);
	const json_t *rule;

	if (json_is_number(rule = json_object_get(rules, "minimum")) && number < json_number_value(rule))
		fault(check, spot, "must be at least %.15g", json_number_value(rule));
	if (json_is_number(rule = json_object_get(rules, "maximum")) && number > json_number_value(rule))
		fault(check, spot, "must be at most %.15g", json_number_value(rule));
	if (json_is_number(rule = json_object_get(rules, "exclusiveMinimum")) && number <= json_number_value(rule))
		fault(check, spot, "must be more than %.15g", json_number_value(rule));
	if (json_is_number(rule = json_object_get(rules, "exclusiveMaximum")) && number >= json_number_value(rule))
		fault(check, spot, "must be less than %.15g", json_number_value(rule));
}

static void check_array(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	const json_t *items = json_object_get(rules, "items"), *prefix = json_object_get(rules, "prefixItems"), *rule;
	size_t n = json_array_size(value), first = json_array_size(prefix);
	struct spot below = {spot, NULL, 0};

	if ((rule = json_object_get(rules, "minItems")) && (double)n < json_number_value(rule))
		fault(check, spot, "must have at least %lld items", (long long)json_number_value(rule));
	if ((rule = json_object_get(rules, "maxItems")) && (double)n > json_number_value(rule))
		fault(check, spot, "must have at most %lld items", (long long)json_number_value(rule));
	for (; below.index < n && check->faults <= FAULTS_MAX; below.index++) {
		rule = below.index < first ? json_array_get(prefix, below.index) : items;
		if (rule)
			check_value(check, rule, json_array_get(value, below.index), &below);
	}
}

static void check_object(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	json_t *required = json_object_get(rules, "required"), *known = json_object_get(rules, "properties"),
	       *others = json_object_get(rules, "additionalProperties"), *same_value = (json_t *)(uintptr_t)value,
	       *member, *name;
	struct spot below = {spot, NULL, 0};
	size_t i;

	json_array_foreach(required, i, name)
		if (json_is_string(name) && !json_object_get(value, json_string_value(name)))
			fault(check, spot, "misses `%s`", json_string_value(name));
	if (!known && !others)
		return;
	json_object_foreach(same_value, below.key, member) {
		const json_t *rule = json_object_get(known, below.key);

		if (check->faults > FAULTS_MAX)
			break;
		if (rule)
			check_value(check, rule, member, &below);
		else if (json_is_false(others))
			fault(check, &below, "is not allowed here");
		else if (others)
			check_value(check, others, member, &below);
	}
}

static bool fits(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	struct check quiet = {check->schema, NULL, 0, check->depth};

	check_value(&quiet, rules, value, spot);
	return !quiet.faults;
}

static void check_combined(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	json_t *any = json_object_get(rules, "anyOf"), *one = json_object_get(rules, "oneOf"),
	       *no = json_object_get(rules, "not"), *rule;
	size_t i, n;

	json_array_foreach(json_object_get(rules, "allOf"), i, rule)
		check_value(check, rule, value, spot);
	n = 0;
	json_array_foreach(any, i, rule)
		n += fits(check, rule, value, spot);
	if (json_array_size(any) && !n)
		fault(check, spot, "fits none of the forms that are allowed here (anyOf)");
	n = 0;
	json_array_foreach(one, i, rule)
		n += fits(check, rule, value, spot);
	if (json_array_size(one) && n != 1)
		fault(check, spot, "fits %zu of the forms that are allowed here, not one (oneOf)", n);
	if (no && fits(check, no, value, spot))
		fault(check, spot, "has a form that is not allowed here (not)");
}

static void check_rules(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	const json_t *reference = json_object_get(rules, "$ref");

	if (json_is_string(reference))
		check_value(check, resolve(check->schema, json_string_value(reference)), value, spot);
	if (json_object_get(rules, "type"))
		check_type(check, json_object_get(rules, "type"), value, spot);
	check_enum(check, rules, value, spot);
	if (json_is_object(value))
		check_object(check, rules, value, spot);
	else if (json_is_array(value))
		check_array(check, rules, value, spot);
	else if (json_is_string(value))
		check_string(check, rules, value, spot);
	else if (json_is_number(value))
		check_number(check, rules, value, spot);
	check_combined(check, rules, value, spot);
}

static void check_value(struct check *check, const json_t *rules, const json_t *value, const struct spot *spot)
{
	if (json_is_false(rules))
		fault(check, spot, "is not allowed here");
	if (!json_is_object(rules))
		return;
	if (++check->depth > DEPTH_MAX * 2)
		fault(check, spot, "is nested too deep for its schema, or the schema refers to itself without end");
	else
		check_rules(check, rules, value, spot);
	check->depth--;
}

int schema_check(const struct schema *schema, const json_t *document, struct error *error)
{
	struct spot top = {NULL, NULL, 0};
	struct check check = {.schema = schema};
	struct buf text;

	buf_init(&text, 4096);
	check.text = &text;
	check_value(&check, schema->root, document, &top);
	if (check.faults > FAULTS_MAX)
		buf_text(&text, "; and more");
	if (check.faults)
		error_set(error, ERROR_REJECT, "schema.fault", "%s", text.data ? text.data : "too long to be told");
	buf_free(&text);
	return check.faults ? -1 : 0;
}
