/* xsl:function in rules: parameters, variables, choose, if, sequence, value-of, as rules use them. */
#include "config.h"
#include <stdio.h>

#include "transformers/schematron/schematron_private.h"

static bool is_param(struct schematron_at at)
{
	return schematron_is_xslt(at, "param");
}

static size_t arity_of(const struct schematron_at *children, size_t count)
{
	size_t arity = 0;

	while (arity < count && is_param(children[arity]))
		arity++;
	return arity;
}

void schematron_declare_function(struct schematron_reader *reader, struct schematron_at at)
{
	size_t count;
	struct schematron_at *children = schematron_children(reader, at, &count);
	struct span name = schematron_get(reader, at, "name");
	struct error error;

	if (xpath_function_declare(reader->rules->program, name, arity_of(children, count), &error))
		schematron_fault(reader, at, "%s", error.text);
	reader->rules->functions++;
}

/* ---- bodies */
static struct xpath_expr *body(struct schematron_reader *reader, const struct schematron_at *children, size_t count);

static struct xpath_expr *content(struct schematron_reader *reader, struct schematron_at at)
{
	const struct xpath_tree *tree = at.source->tree;
	size_t count;
	struct schematron_at *children = schematron_children(reader, at, &count);
	struct xpath_program *program = reader->rules->program;

	if (count)
		return body(reader, children, count);
	if (!xpath_tree_first(tree, at.node))
		return xpath_make_sequence(program, NULL, 0);
	return xpath_make_literal(program, xpath_tree_value(tree, at.node, reader->rules->arena));
}

static struct xpath_expr *selected(struct schematron_reader *reader, struct schematron_at at, const char *attribute)
{
	struct span text = schematron_get(reader, at, attribute);

	return text.data ? schematron_expr(reader, at, text, false, "a function") : content(reader, at);
}

/* The value of xsl:variable: what is selected, or what is in it, with its type. */
static struct xpath_expr *variable(struct schematron_reader *reader, struct schematron_at at)
{
	struct span type = schematron_get(reader, at, "as");
	struct xpath_expr *value = selected(reader, at, "select");
	struct error error;

	if (!value)
		return NULL;
	if (!schematron_get(reader, at, "select").data && !type.len)
		value = xpath_make_text(reader->rules->program, value); /* a tree of one text */
	value = xpath_make_typed(reader->rules->program, value, type, &error);
	if (!value)
		schematron_fault(reader, at, "%s", error.text);
	return value;
}

static struct xpath_expr *choose(struct schematron_reader *reader, const struct schematron_at *whens, size_t count)
{
	struct xpath_program *program = reader->rules->program;
	struct xpath_expr *test, *yes, *no;

	if (!count)
		return xpath_make_sequence(program, NULL, 0);
	if (schematron_is_xslt(whens[0], "otherwise"))
		return content(reader, whens[0]);
	test = selected(reader, whens[0], "test");
	yes = test ? content(reader, whens[0]) : NULL;
	no = yes ? choose(reader, whens + 1, count - 1) : NULL;
	return no ? xpath_make_if(program, test, yes, no) : NULL;
}

static struct xpath_expr *instruction(struct schematron_reader *reader, struct schematron_at at)
{
	struct xpath_program *program = reader->rules->program;
	struct xpath_expr *value, *yes;
	struct schematron_at *children;
	size_t count;

	if (!schematron_counts_part(reader, at))
		return NULL;
	if (schematron_is_xslt(at, "sequence") || schematron_is_xslt(at, "copy-of"))
		return selected(reader, at, "select");
	if (schematron_is_xslt(at, "value-of") || schematron_is_xslt(at, "text")) {
		value = selected(reader, at, "select");
		return value ? xpath_make_text(program, value) : NULL;
	}
	if (schematron_is_xslt(at, "if")) {
		value = selected(reader, at, "test");
		yes = value ? content(reader, at) : NULL;
		return yes ? xpath_make_if(program, value, yes, NULL) : NULL;
	}
	if (schematron_is_xslt(at, "choose")) {
		children = schematron_children(reader, at, &count);
		return choose(reader, children, count);
	}
	schematron_fault(reader, at,
			 "this element is not known in a function here: param, variable, choose, if, "
			 "sequence, value-of and text are");
	return NULL;
}

#define INSTRUCTIONS_MAX 100

static struct xpath_expr *body(struct schematron_reader *reader, const struct schematron_at *children, size_t count)
{
	struct xpath_program *program = reader->rules->program;
	struct xpath_expr *parts[INSTRUCTIONS_MAX], *value, *rest;
	size_t n = 0;
	struct error error;
	int slot;

	if (count > INSTRUCTIONS_MAX) {
		schematron_fault(reader, children[0], "more than %d instructions stand behind one another",
				 INSTRUCTIONS_MAX);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		if (!schematron_is_xslt(children[i], "variable")) {
			parts[n] = instruction(reader, children[i]);
			if (!parts[n++])
				return NULL;
			continue;
		}
		value = variable(reader, children[i]);
		slot = value ? xpath_bind(program, schematron_get(reader, children[i], "name"), &error) : -1;
		if (value && slot < 0)
			schematron_fault(reader, children[i], "%s", error.text);
		if (slot < 0)
			return NULL;
		rest = body(reader, children + i + 1, count - i - 1);
		xpath_unbind(program, 1);
		if (!rest)
			return NULL;
		parts[n++] = xpath_make_let(program, slot, value, rest);
		break;
	}
	return n == 1 ? parts[0] : xpath_make_sequence(program, parts, n);
}

void schematron_read_function(struct schematron_reader *reader, struct schematron_at at)
{
	struct xpath_program *program = reader->rules->program;
	size_t count, arity;
	struct schematron_at *children = schematron_children(reader, at, &count);
	struct span name = schematron_get(reader, at, "name");
	struct xpath_expr *expr;
	struct error error;
	bool failed = false;

	arity = arity_of(children, count);
	for (size_t i = 0; i < arity && !failed; i++) {
		failed = xpath_bind(program, schematron_get(reader, children[i], "name"), &error) < 0 ||
			 xpath_function_parameter(program, name, arity, i, schematron_get(reader, children[i], "as"),
						  &error);
		if (failed)
			schematron_fault(reader, children[i], "%s", error.text);
	}
	expr = failed ? NULL : body(reader, children + arity, count - arity);
	if (expr && xpath_function_body(program, name, arity, expr, schematron_get(reader, at, "as"), &error))
		schematron_fault(reader, at, "%s", error.text);
	xpath_unbind(program, xpath_bound(program));
}
