/* Plain paths: `.`, `.a.b[0]."x y"`, `.["a"][-1]`, `$envelope.subject`. See expression_path.h. */
#include "config.h"
#include "base/expression_path.h"

#include <stdlib.h>

#define PATH_STEPS_MAX 64

struct cursor {
	const char *at, *end;
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take(struct cursor *in, char c)
{
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

static bool take_name(struct cursor *in, struct span *name)
{
	const char *start = in->at;

	if (in->at == in->end || !is_letter(*in->at))
		return false;
	while (in->at < in->end && (is_letter(*in->at) || is_digit(*in->at)))
		in->at++;
	*name = span_make(start, (size_t)(in->at - start));
	return true;
}

/* Escapes and interpolation are libjq's business, and so is anything that is not ASCII: it replaces what is not UTF-8.
 */
static bool take_quoted(struct cursor *in, struct span *name)
{
	const char *start = in->at + 1;

	if (!take(in, '"'))
		return false;
	while (in->at < in->end && *in->at != '"') {
		if (*in->at == '\\' || (unsigned char)*in->at < 0x20 || (unsigned char)*in->at > 0x7e)
			return false;
		in->at++;
	}
	*name = span_make(start, (size_t)(in->at - start));
	return take(in, '"');
}

static bool take_index(struct cursor *in, int *index)
{
	bool minus = take(in, '-');
	int digits = 0;

	*index = 0;
	while (in->at < in->end && is_digit(*in->at) && digits++ < 8)
		*index = *index * 10 + (*in->at++ - '0');
	if (minus)
		*index = -*index;
	return digits > 0 && digits <= 8;
}

static bool take_bracket(struct cursor *in, struct arena *arena, struct path_step *step)
{
	struct span name;

	if (!take(in, '['))
		return false;
	if (take_index(in, &step->index))
		return take(in, ']');
	if (!take_quoted(in, &name))
		return false;
	step->key = arena_span(arena, name).data;
	return take(in, ']');
}

static bool take_step(struct cursor *in, struct arena *arena, struct path_step *step, bool first)
{
	struct span name;

	*step = (struct path_step){NULL, 0};
	if (!first && in->at < in->end && *in->at == '[')
		return take_bracket(in, arena, step);
	if (!take(in, '.'))
		return false;
	if (first && in->at < in->end && *in->at == '[')
		return take_bracket(in, arena, step);
	if (!take_name(in, &name) && !take_quoted(in, &name))
		return false;
	step->key = arena_span(arena, name).data;
	return true;
}

static struct span trim(struct span text)
{
	while (text.len && strchr(" \t\r\n", text.data[0]) && text.data[0]) {
		text.data++;
		text.len--;
	}
	while (text.len && strchr(" \t\r\n", text.data[text.len - 1]) && text.data[text.len - 1])
		text.len--;
	return text;
}

struct path *path_parse(struct arena *arena, struct span text)
{
	struct path_step steps[PATH_STEPS_MAX];
	struct path *path;
	struct cursor in;
	size_t n = 0;
	bool envelope;

	text = trim(text);
	envelope = span_starts(text, "$envelope");
	if (envelope)
		text = span_make(text.data + 9, text.len - 9);
	in = (struct cursor){text.data, text.data + text.len};
	if (!envelope && !text.len)
		return NULL;
	if (!envelope && text.len == 1 && text.data[0] == '.')
		in.at++;
	while (in.at < in.end)
		if (n == PATH_STEPS_MAX || !take_step(&in, arena, &steps[n], !envelope && n == 0))
			return NULL;
		else
			n++;
	path = arena_alloc(arena, sizeof *path + n * sizeof *steps);
	path->envelope = envelope;
	path->count = n;
	memcpy(path->steps, steps, n * sizeof *steps);
	return path;
}

static const char *kind_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "object";
	case JSON_ARRAY: return "array";
	case JSON_STRING: return "string";
	case JSON_INTEGER:
	case JSON_REAL: return "number";
	case JSON_NULL: return "null";
	default: return "boolean";
	}
}

static int follow_step(const struct path_step *step, json_t **at, struct error *error)
{
	json_t *next = NULL;

	if (json_is_null(*at))
		return 0;
	if (step->key) {
		if (!json_is_object(*at))
			return error_set(error, ERROR_REJECT, "jq.error", "Cannot index %s with string \"%s\"",
					 kind_name(*at), step->key);
		next = json_object_get(*at, step->key);
	} else {
		long index = step->index;

		if (!json_is_array(*at))
			return error_set(error, ERROR_REJECT, "jq.error", "Cannot index %s with number",
					 kind_name(*at));
		if (index < 0)
			index += (long)json_array_size(*at);
		next = index < 0 ? NULL : json_array_get(*at, (size_t)index);
	}
	*at = next ? next : json_null();
	return 0;
}

int path_follow(const struct path *path, json_t *root, json_t **result, struct error *error)
{
	*result = root;
	for (size_t i = 0; i < path->count; i++)
		if (follow_step(&path->steps[i], result, error))
			return -1;
	return 0;
}
