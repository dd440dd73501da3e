/* What a contract marks as personal, found in a document by walking through both. Whether a choice or condition applies
 * is not asked: what any of them marks is personal wherever it stands. See masking.h. */
#include "config.h"
#include "services/masking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "transformers/schema/schema_pattern.h"

#define DEPTH_MAX 1000
#define STEPS_MAX 50000000u

struct compiled {
	const char *text; /* of the schema */
	struct pattern *pattern;
	struct compiled *next;
};

struct walk {
	struct masking *masking;
	const json_t *(*find)(void *, const char *);
	void *arg;
	struct compiled *patterns;
	size_t steps;
	bool overrun;
};

/* Where references begin: at the schema around with an $id of its own, in a document. */
struct base {
	const json_t *root, *resource;
};

/* ---- values */
/* A number has the digits that the document gave it, but for zeros at the end. */
static void take_real(struct masking *masking, double value)
{
	char text[64];

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof text, "%.*g", precision, value);
		if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value))
			break;
	}
	masking_add(masking, span_of(text));
	snprintf(text, sizeof text, "%.2f", value); /* 12.50, which is 12.5 here */
	if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value))
		masking_add(masking, span_of(text));
}

static void take_all(struct masking *masking, const json_t *instance, int depth)
{
	const char *key;
	json_t *value;
	char number[64];
	size_t i;

	if (depth > DEPTH_MAX)
		return;
	if (json_is_string(instance))
		masking_add(masking, span_make(json_string_value(instance), json_string_length(instance)));
	if (json_is_real(instance))
		take_real(masking, json_real_value(instance));
	if (json_is_integer(instance)) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(instance));
		masking_add(masking, span_of(number));
	}
	json_object_foreach((json_t *)(uintptr_t)instance, key, value) {
		take_all(masking, value, depth + 1);
	}
	json_array_foreach(instance, i, value)
		take_all(masking, value, depth + 1);
}

/* ---- references */
static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* One token of a pointer in a fragment, with its escapes: ~0 ~1 %2F. */
static void token(const char *from, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		if (from[i] == '~' && i + 1 < n && (from[i + 1] == '0' || from[i + 1] == '1'))
			*out++ = from[++i] == '0' ? '~' : '/';
		else if (from[i] == '%' && i + 2 < n && hex_of(from[i + 1]) >= 0 && hex_of(from[i + 2]) >= 0) {
			*out++ = (char)(hex_of(from[i + 1]) * 16 + hex_of(from[i + 2]));
			i += 2;
		} else
			*out++ = from[i];
	*out = '\0';
}

static const json_t *follow(const json_t *at, const char *pointer)
{
	while (*pointer == '/' && at) {
		size_t n = strcspn(++pointer, "/");
		char *name = mem_alloc(n + 1);

		token(pointer, n, name);
		at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(name, NULL, 10))
				       : json_object_get(at, name);
		free(name);
		pointer += n;
	}
	return at;
}

/* Is it called so, in full or by the last words of its address? */
static bool is_called(const char *said, const char *name)
{
	size_t n = strlen(name), all = said ? strlen(said) : 0;

	n -= n && name[n - 1] == '#';
	all -= all && said[all - 1] == '#';
	return said && n && all >= n && !strncmp(said + all - n, name, n) && (all == n || said[all - n - 1] == '/');
}

static const json_t *find_called(const json_t *at, const char *name, bool anchor, int depth)
{
	const json_t *found = NULL;
	const char *key;
	json_t *value;
	size_t i;

	if (depth > DEPTH_MAX || (!json_is_object(at) && !json_is_array(at)))
		return NULL;
	if (anchor ? is_called(json_string_value(json_object_get(at, "$anchor")), name) ||
			     is_called(json_string_value(json_object_get(at, "$dynamicAnchor")), name)
		   : is_called(json_string_value(json_object_get(at, "$id")), name))
		return at;
	json_object_foreach((json_t *)(uintptr_t)at, key, value) {
		if ((found = find_called(value, name, anchor, depth + 1)))
			return found;
	}
	json_array_foreach(at, i, value)
		if ((found = find_called(value, name, anchor, depth + 1)))
			return found;
	return NULL;
}

static void walk(struct walk *, const struct base *, const json_t *schema, const json_t *instance, int depth);

static void walk_reference(struct walk *w, const struct base *from, const char *reference, const json_t *instance,
			   int depth)
{
	const char *hash = strchr(reference, '#'), *fragment = hash ? hash + 1 : "";
	size_t n = hash ? (size_t)(hash - reference) : strlen(reference);
	char *name = mem_span_dup(span_make(reference, n)), *anchor = mem_alloc(strlen(fragment) + 1);
	struct base to = *from;
	const json_t *target;

	if (n && !(to.resource = find_called(from->root, name, false, 0)))
		to.root = to.resource = w->find ? w->find(w->arg, name) : NULL;
	target = to.resource;
	token(fragment, strlen(fragment), anchor);
	if (target && *fragment == '/')
		target = follow(target, fragment);
	else if (target && *fragment)
		target = find_called(to.root, anchor, true, 0);
	free(anchor);
	free(name);
	if (target)
		walk(w, &to, target, instance, depth + 1);
}

/* ---- the walk */
static bool matches(struct walk *w, const char *expression, const char *key)
{
	struct compiled *known = w->patterns;
	struct error error = {0};

	while (known && known->text != expression)
		known = known->next;
	if (!known) {
		known = mem_alloc(sizeof *known);
		*known = (struct compiled){expression, pattern_new(span_of(expression), &error), w->patterns};
		w->patterns = known;
	}
	return !known->pattern || pattern_match(known->pattern, span_of(key), NULL) != 0; /* in doubt it is */
}

static void walk_property(struct walk *w, const struct base *base, const json_t *schema, const char *key,
			  const json_t *value, int depth)
{
	const json_t *of = json_object_get(json_object_get(schema, "properties"), key);
	bool named = of != NULL;
	const char *pattern;
	json_t *under;

	walk(w, base, of, value, depth + 1);
	json_object_foreach(json_object_get(schema, "patternProperties"), pattern, under) {
		if (matches(w, pattern, key)) {
			walk(w, base, under, value, depth + 1);
			named = true;
		}
	}
	if (!named) {
		walk(w, base, json_object_get(schema, "additionalProperties"), value, depth + 1);
		walk(w, base, json_object_get(schema, "unevaluatedProperties"), value, depth + 1);
	}
}

static void walk_object(struct walk *w, const struct base *base, const json_t *schema, const json_t *instance,
			int depth)
{
	const json_t *names = json_object_get(schema, "propertyNames"), *under;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)instance, key, value) {
		walk_property(w, base, schema, key, value, depth);
		if (names) {
			json_t *name = json_string(key);

			walk(w, base, names, name, depth + 1);
			json_decref(name);
		}
		under = json_object_get(json_object_get(schema, "dependentSchemas"), key);
		walk(w, base, under ? under : json_object_get(json_object_get(schema, "dependencies"), key), instance,
		     depth + 1);
	}
}

static void walk_array(struct walk *w, const struct base *base, const json_t *schema, const json_t *instance, int depth)
{
	static const char *const rests[] = {"items", "additionalItems", "unevaluatedItems", "contains"};
	const json_t *list = json_object_get(schema, "prefixItems");
	json_t *value;
	size_t i;

	if (!list)
		list = json_object_get(schema, "items"); /* of older drafts */
	json_array_foreach(instance, i, value) {
		if (i < json_array_size(list))
			walk(w, base, json_array_get(list, i), value, depth + 1);
		for (size_t k = i < json_array_size(list) ? 3 : 0; k < 4; k++)
			walk(w, base, json_object_get(schema, rests[k]), value, depth + 1);
	}
}

static void walk(struct walk *w, const struct base *base, const json_t *schema, const json_t *instance, int depth)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"}, *const ones[] = {"if", "then", "else"},
				 *const references[] = {"$ref", "$dynamicRef", "$recursiveRef"};
	const json_t *mark = json_object_get(schema, "x-ferrule-personal");
	const struct base own = {base->root, schema};
	const char *reference;
	json_t *part;
	size_t k;

	if (!json_is_object(schema) || w->overrun)
		return;
	if (depth > DEPTH_MAX || ++w->steps > STEPS_MAX) {
		w->overrun = true;
		return;
	}
	if (json_object_get(schema, "$id"))
		base = &own;
	if (mark && !json_is_false(mark)) {
		take_all(w->masking, instance, 0);
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		reference = json_string_value(json_object_get(schema, references[i]));
		if (reference)
			walk_reference(w, base, reference, instance, depth);
		json_array_foreach(json_object_get(schema, lists[i]), k, part)
			walk(w, base, part, instance, depth + 1);
		walk(w, base, json_object_get(schema, ones[i]), instance, depth + 1);
	}
	if (json_is_object(instance))
		walk_object(w, base, schema, instance, depth);
	if (json_is_array(instance))
		walk_array(w, base, schema, instance, depth);
}

int masking_collect(struct masking *masking, const json_t *schema, const json_t *instance,
		    const json_t *(*find)(void *, const char *), void *arg)
{
	struct walk w = {.masking = masking, .find = find, .arg = arg};
	const struct base base = {schema, schema};

	walk(&w, &base, schema, instance, 0);
	while (w.patterns) {
		struct compiled *next = w.patterns->next;

		pattern_free(w.patterns->pattern);
		free(w.patterns);
		w.patterns = next;
	}
	return w.overrun ? -1 : 0;
}
