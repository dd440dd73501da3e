/* jansson's trees to libjq's values and back, by walking them. See expression_jv.h. */
#include "config.h"
#include "base/expression_jv.h"

#include <float.h>
#include <math.h>

#include "base/tree.h"

#define DEPTH_MAX (2 * TREE_DEPTH_MAX)

/* ---- jansson to jv */
struct walk {
	const struct walk *up;
	const char *key; /* NULL: index */
	size_t index;
	int depth;
};

static void walk_text(const struct walk *walk, struct buf *text)
{
	if (!walk->up)
		return;
	walk_text(walk->up, text);
	if (walk->key)
		buf_printf(text, ".%s", walk->key);
	else
		buf_printf(text, "[%zu]", walk->index);
}

static jv refuse_number(json_int_t number, const struct walk *walk, struct error *error)
{
	struct buf text;

	buf_init(&text, 200);
	walk_text(walk, &text);
	error_set(error, ERROR_REJECT, "jq.number",
		  "%s is %lld: jq's numbers are doubles and would change it; long identifiers and amounts must be "
		  "strings",
		  text.len ? text.data : ".", (long long)number);
	buf_free(&text);
	return jv_invalid();
}

static jv to_jv(const json_t *, const struct walk *, struct error *);

static jv array_to_jv(const json_t *from, const struct walk *up, struct error *error)
{
	size_t n = json_array_size(from);
	struct walk walk = {up, NULL, 0, up->depth + 1};
	jv to = jv_array_sized((int)n);

	for (; walk.index < n; walk.index++) {
		jv value = to_jv(json_array_get(from, walk.index), &walk, error);

		if (!jv_is_valid(value)) {
			jv_free(to);
			return value;
		}
		to = jv_array_append(to, value);
	}
	return to;
}

static jv object_to_jv(const json_t *from, const struct walk *up, struct error *error)
{
	json_t *object = (json_t *)(uintptr_t)from; /* jansson iterates only over what it may change */
	struct walk walk = {up, NULL, 0, up->depth + 1};
	jv to = jv_object();

	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		jv value;

		walk.key = json_object_iter_key(at);
		value = to_jv(json_object_iter_value(at), &walk, error);
		if (!jv_is_valid(value)) {
			jv_free(to);
			return value;
		}
		to = jv_object_set(to, jv_string(walk.key), value);
	}
	return to;
}

static jv to_jv(const json_t *from, const struct walk *walk, struct error *error)
{
	json_int_t number;

	if (walk->depth > DEPTH_MAX) {
		error_set(error, ERROR_REJECT, "jq.depth", "nested more than %d deep", DEPTH_MAX);
		return jv_invalid();
	}
	switch (json_typeof(from)) {
	case JSON_OBJECT: return object_to_jv(from, walk, error);
	case JSON_ARRAY: return array_to_jv(from, walk, error);
	case JSON_STRING: return jv_string_sized(json_string_value(from), (int)json_string_length(from));
	case JSON_REAL: return jv_number(json_real_value(from));
	case JSON_TRUE: return jv_true();
	case JSON_FALSE: return jv_false();
	case JSON_NULL: return jv_null();
	case JSON_INTEGER: break;
	}
	number = json_integer_value(from);
	/* 2^63 itself would not fit back. */
	if ((double)number >= 9223372036854775808.0 || (json_int_t)(double)number != number)
		return refuse_number(number, walk, error);
	return jv_number((double)number);
}

jv jv_from_tree(const json_t *tree, struct error *error)
{
	struct walk top = {NULL, NULL, 0, 0};

	return to_jv(tree, &top, error);
}

/* ---- jv to jansson; each consumes its jv */
static json_t *from_jv(jv, int depth, struct error *);

static json_t *number_from_jv(double number)
{
	if (isnan(number))
		return json_null();
	if (isinf(number))
		return json_real(number > 0 ? DBL_MAX : -DBL_MAX);
	if (number == trunc(number) && fabs(number) < 9223372036854775808.0)
		return json_integer((json_int_t)number);
	return json_real(number);
}

static json_t *string_from_jv(jv string, struct error *error)
{
	size_t n = (size_t)jv_string_length_bytes(jv_copy(string));
	const char *text = jv_string_value(string);
	json_t *to = NULL;

	if (memchr(text, '\0', n))
		error_set(error, ERROR_REJECT, "jq.text", "the result contains a text with U+0000");
	else
		to = json_stringn(text, n);
	if (!to && !memchr(text, '\0', n))
		error_set(error, ERROR_REJECT, "jq.text", "the result contains a text that is not UTF-8");
	jv_free(string);
	return to;
}

static json_t *array_from_jv(jv array, int depth, struct error *error)
{
	int n = jv_array_length(jv_copy(array));
	json_t *to = json_array();

	for (int i = 0; i < n; i++) {
		jv value = jv_array_get(jv_copy(array), i);
		json_t *element;

		/* A hole that was never written. */
		element = jv_is_valid(value) ? from_jv(value, depth + 1, error) : json_null();
		if (!element) {
			json_decref(to);
			to = NULL;
			break;
		}
		json_array_append_new(to, element);
	}
	jv_free(array);
	return to;
}

static json_t *object_from_jv(jv object, int depth, struct error *error)
{
	json_t *to = json_object();
	int at = jv_object_iter(object);

	for (; jv_object_iter_valid(object, at); at = jv_object_iter_next(object, at)) {
		jv key = jv_object_iter_key(object, at);
		const char *text = jv_string_value(key);
		json_t *value = NULL;

		if (strlen(text) != (size_t)jv_string_length_bytes(jv_copy(key)))
			error_set(error, ERROR_REJECT, "jq.text", "the result contains a key with U+0000");
		else
			value = from_jv(jv_object_iter_value(object, at), depth + 1, error);
		if (value && json_object_set_new(to, text, value)) {
			error_set(error, ERROR_REJECT, "jq.text", "the result contains a key that is not UTF-8");
			value = NULL;
		}
		jv_free(key);
		if (!value) {
			json_decref(to);
			to = NULL;
			break;
		}
	}
	jv_free(object);
	return to;
}

static json_t *from_jv(jv value, int depth, struct error *error)
{
	jv_kind kind = jv_get_kind(value);

	if (depth > TREE_DEPTH_MAX) {
		jv_free(value);
		error_set(error, ERROR_REJECT, "jq.depth", "the result is nested more than %d deep", TREE_DEPTH_MAX);
		return NULL;
	}
	switch (kind) {
	case JV_KIND_OBJECT: return object_from_jv(value, depth, error);
	case JV_KIND_ARRAY: return array_from_jv(value, depth, error);
	case JV_KIND_STRING: return string_from_jv(value, error);
	case JV_KIND_NUMBER: return number_from_jv(jv_number_value(value));
	case JV_KIND_TRUE: return json_true();
	case JV_KIND_FALSE: return json_false();
	default: return json_null();
	}
}

json_t *tree_from_jv(jv value, struct error *error)
{
	return from_jv(value, 0, error);
}
