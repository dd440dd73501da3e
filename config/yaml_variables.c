/* ${NAME} in the values of YAML. See yaml.h. */
#include "config.h"
#include "config/yaml.h"

#include <ctype.h>

#include "base/buf.h"

#define DEPTH_MAX 8 /* of variables in defaults of variables */
#define LENGTH_MAX 4096 /* of a variable with its default: one that is not closed is not looked for to the end */

static bool name_character(char c, bool first)
{
	return isalpha((unsigned char)c) || c == '_' || (!first && isdigit((unsigned char)c));
}

bool yaml_is_file(const char *path)
{
	return span_ends(span_of(path), ".yaml") || span_ends(span_of(path), ".yml");
}

bool yaml_variable_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!name_character(name.data[i], i == 0))
			return false;
	return name.len > 0;
}

struct variable {
	struct span name, fallback; /* fallback.data NULL: none */
	size_t length;              /* of all of it, from $ to } */
};

/* Reads `${NAME}` or `${NAME:default}` at the front of the text. Braces in a default come in pairs. */
static bool variable_read(struct span text, struct variable *into)
{
	size_t i = 2, colon, open = 0;

	if (text.len > LENGTH_MAX)
		text.len = LENGTH_MAX;
	while (i < text.len && name_character(text.data[i], i == 2))
		i++;
	into->name = span_make(text.data + 2, i - 2);
	into->fallback = SPAN_NONE;
	if (into->name.len == 0 || i >= text.len || (text.data[i] != '}' && text.data[i] != ':'))
		return false;
	for (colon = i; i < text.len && (open || text.data[i] != '}'); i++)
		open += (text.data[i] == '{') - (text.data[i] == '}');
	if (i >= text.len)
		return false;
	if (text.data[colon] == ':')
		into->fallback = span_make(text.data + colon + 1, i - colon - 1);
	into->length = i + 1;
	return true;
}

static void each_at(struct span text, void (*each)(void *, struct span, struct span), void *arg, unsigned depth)
{
	struct variable variable;

	for (size_t i = 0; i + 2 < text.len;) {
		struct span rest = span_make(text.data + i, text.len - i);

		if (span_starts(rest, "$${")) {
			i += 3;
		} else if (span_starts(rest, "${") && variable_read(rest, &variable)) {
			each(arg, variable.name, variable.fallback);
			if (variable.fallback.len && depth < DEPTH_MAX)
				each_at(variable.fallback, each, arg, depth + 1);
			i += variable.length;
		} else {
			i++;
		}
	}
}

void yaml_variables_each(struct span text, void (*each)(void *, struct span, struct span), void *arg)
{
	each_at(text, each, arg, 0);
}

struct replacing {
	const struct yaml_variables *variables;
	struct buf *out;
	yaml_fault_fn *fault;
	void *arg;
	unsigned depth;
};

static void tell(const struct replacing *r, struct span name)
{
	if (r->fault)
		r->fault(r->arg, r->out->len, name);
}

static void replace(struct replacing *r, struct span text);

static void put_value(struct replacing *r, const struct variable *variable)
{
	struct span value;

	if (r->variables->find(r->variables->arg, variable->name, &value)) {
		buf_span(r->out, value);
	} else if (!variable->fallback.data) {
		tell(r, variable->name);
	} else if (r->depth == DEPTH_MAX) {
		tell(r, SPAN_NONE);
	} else {
		r->depth++;
		replace(r, variable->fallback);
		r->depth--;
	}
}

static void replace(struct replacing *r, struct span text)
{
	struct variable variable;

	for (size_t i = 0; i < text.len && !r->out->full;) {
		struct span rest = span_make(text.data + i, text.len - i);

		if (span_starts(rest, "$${")) {
			buf_text(r->out, "${");
			i += 3;
		} else if (!span_starts(rest, "${")) {
			buf_char(r->out, text.data[i++]);
		} else if (!variable_read(rest, &variable)) {
			tell(r, SPAN_NONE);
			i += 2;
		} else {
			put_value(r, &variable);
			i += variable.length;
		}
	}
}

void yaml_variables_replace(struct span text, const struct yaml_variables *variables, struct buf *out,
			    yaml_fault_fn *fault, void *arg)
{
	struct replacing r = {variables, out, fault, arg, 0};

	replace(&r, text);
}

bool yaml_variable_length(struct span text, const struct yaml_variables *variables, size_t *length, size_t *bytes)
{
	struct replacing r = {.variables = variables};
	struct variable variable;
	struct buf value;

	if (!variable_read(text, &variable))
		return false;
	buf_init(&value, YAML_SIZE_MAX);
	r.out = &value;
	put_value(&r, &variable);
	*length = variable.length;
	*bytes = value.len;
	buf_free(&value);
	return true;
}
