/* Patterns, rules, assertions and their messages. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>

#include "transformers/schematron/schematron_private.h"

#define EXTENDED_MAX 20 /* rules that extend one another */

struct schematron_pattern *schematron_add_pattern(struct schematron_reader *reader, struct span id)
{
	struct schematron_pattern *pattern = arena_alloc(reader->rules->arena, sizeof *pattern);

	pattern->id = arena_span(reader->rules->arena, id);
	schematron_list_add(&reader->rules->patterns, pattern);
	return pattern;
}

struct xpath_expr *schematron_variable(struct schematron_reader *reader, struct schematron_at at, struct span *name)
{
	struct span value = schematron_get(reader, at, "value"), type = schematron_get(reader, at, "as"), text;
	struct arena *arena = reader->rules->arena;
	struct xpath_expr *expr;
	struct error error;

	*name = schematron_get(reader, at, "name");
	if (!value.data)
		value = schematron_get(reader, at, "select");
	if (!name->len) {
		schematron_fault(reader, at, "a variable has no name");
		return NULL;
	}
	if (value.data) {
		expr = schematron_expr(reader, at, value, false,
				       arena_printf(arena, "the variable %.*s", SPAN_ARGS(*name)));
		if (!expr || !type.len)
			return expr;
		expr = xpath_make_typed(reader->rules->program, expr, type, &error);
		if (!expr)
			schematron_fault(reader, at, "%s", error.text);
		return expr;
	}
	for (uint32_t i = xpath_tree_first(at.source->tree, at.node); i; i = xpath_tree_next(at.source->tree, i))
		if (at.source->tree->nodes[i].kind == XPATH_ELEMENT) {
			schematron_fault(reader, at, "the variable %.*s is made of elements: a value is known here",
					 SPAN_ARGS(*name));
			return NULL;
		}
	text = xpath_tree_value(at.source->tree, at.node, arena);
	return xpath_make_literal(reader->rules->program, text);
}

/* ---- messages */
static void add_part(struct schematron_reader *reader, struct schematron_assertion *assertion, struct span text,
		     struct xpath_expr *value)
{
	struct schematron_part *part = arena_alloc(reader->rules->arena, sizeof *part);

	part->text = arena_span(reader->rules->arena, text);
	part->value = value;
	schematron_list_add(&assertion->parts, part);
}

void schematron_read_message(struct schematron_reader *reader, struct schematron_at at,
			     struct schematron_assertion *assertion)
{
	const struct xpath_tree *tree = at.source->tree;

	for (uint32_t i = xpath_tree_first(tree, at.node); i; i = xpath_tree_next(tree, i)) {
		struct schematron_at child = {at.source, i};

		if (tree->nodes[i].kind == XPATH_TEXT) {
			add_part(reader, assertion, tree->nodes[i].text, NULL);
		} else if (tree->nodes[i].kind != XPATH_ELEMENT) {
			continue;
		} else if (schematron_is(child, "value-of") || schematron_is_xslt(child, "value-of")) {
			struct span select = schematron_get(reader, child, "select");

			add_part(reader, assertion, SPAN_NONE,
				 schematron_expr(reader, child, select, false, "a value in a message"));
		} else if (schematron_is(child, "name")) {
			struct span path = schematron_get(reader, child, "path");
			const char *text = arena_printf(reader->rules->arena, "name(%.*s)", SPAN_ARGS(path));

			add_part(reader, assertion, SPAN_NONE,
				 schematron_expr(reader, child, span_of(text), false, "a name in a message"));
		} else if (schematron_is_xslt(child, "text") || !xpath_tree_is(tree, i, XSLT_URI, NULL)) {
			schematron_read_message(reader, child, assertion);
		} else {
			schematron_fault(reader, child, "this element of XSLT is not known in a message");
		}
	}
}

static void read_diagnostics(struct schematron_reader *reader, struct schematron_at at, struct span ids,
			     struct schematron_assertion *assertion)
{
	while (ids.len) {
		size_t n = 0;
		const struct schematron_at *found;

		while (n < ids.len && !strchr(" \t\r\n", ids.data[n]))
			n++;
		found = n ? schematron_find(&reader->diagnostics, span_make(ids.data, n)) : NULL;
		if (found) {
			add_part(reader, assertion, SPAN_LITERAL(" "), NULL);
			schematron_read_message(reader, *found, assertion);
		} else if (n) {
			schematron_fault(reader, at, "there is no diagnostic %.*s", (int)n, ids.data);
		}
		n += n < ids.len;
		ids = span_make(ids.data + n, ids.len - n);
	}
}

/* ---- rules */
struct defaults {
	struct span flag, role;
};

static void read_assertion(struct schematron_reader *reader, struct schematron_at at, struct schematron_rule *rule,
			   struct defaults defaults)
{
	struct schematron_assertion *assertion = arena_alloc(reader->rules->arena, sizeof *assertion);
	struct arena *arena = reader->rules->arena;

	if (!schematron_counts_part(reader, at))
		return;
	assertion->id = arena_span(arena, schematron_get(reader, at, "id"));
	assertion->flag = arena_span(arena, schematron_get(reader, at, "flag"));
	assertion->role = arena_span(arena, schematron_get(reader, at, "role"));
	if (!assertion->flag.len && !assertion->role.len) {
		assertion->flag = arena_span(arena, defaults.flag);
		assertion->role = arena_span(arena, defaults.role);
	}
	assertion->report = schematron_is(at, "report");
	assertion->test = schematron_expr(
		reader, at, schematron_get(reader, at, "test"), false,
		arena_printf(arena, "the test of %.*s",
			     SPAN_ARGS(assertion->id.len ? assertion->id : SPAN_LITERAL("an assertion"))));
	schematron_list_add(&rule->assertions, assertion);
	schematron_list_add(&reader->rules->lists, &assertion->parts);
	schematron_read_message(reader, at, assertion);
	read_diagnostics(reader, at, schematron_get(reader, at, "diagnostics"), assertion);
}

static const struct schematron_at *abstract_rule(struct schematron_reader *reader, struct schematron_at at)
{
	struct span name = schematron_get(reader, at, "rule");
	const struct schematron_at *found = name.len ? schematron_find(&reader->abstract_rules, name) : NULL;

	if (!found)
		schematron_fault(reader, at, "there is no abstract rule %.*s that this one extends",
				 SPAN_ARGS(name.len ? name : SPAN_LITERAL("(of another file)")));
	return found;
}

static void read_rule_content(struct schematron_reader *reader, struct schematron_at at, struct schematron_rule *rule,
			      struct defaults defaults, int extended)
{
	size_t count;
	struct schematron_at *children = schematron_children(reader, at, &count);

	for (size_t i = 0; i < count; i++) {
		if (schematron_is(children[i], "let")) {
			struct schematron_let *let = arena_alloc(reader->rules->arena, sizeof *let);
			struct span name;
			struct error error;

			let->value = schematron_variable(reader, children[i], &name);
			let->slot = let->value && schematron_counts_part(reader, at)
					    ? xpath_bind(reader->rules->program, name, &error)
					    : 0;
			if (let->slot < 0)
				schematron_fault(reader, children[i], "%s", error.text);
			schematron_list_add(&rule->lets, let);
		} else if (schematron_is(children[i], "assert") || schematron_is(children[i], "report")) {
			read_assertion(reader, children[i], rule, defaults);
		} else if (schematron_is(children[i], "extends")) {
			const struct schematron_at *found =
				extended < EXTENDED_MAX ? abstract_rule(reader, children[i]) : NULL;

			if (extended >= EXTENDED_MAX)
				schematron_fault(reader, at, "rules extend one another");
			else if (found)
				read_rule_content(reader, *found, rule, defaults, extended + 1);
		}
	}
}

static void read_rule(struct schematron_reader *reader, struct schematron_at at, struct schematron_pattern *pattern)
{
	struct schematron_rule *rule = arena_alloc(reader->rules->arena, sizeof *rule);
	struct defaults defaults = {schematron_get(reader, at, "flag"), schematron_get(reader, at, "role")};
	struct span context = schematron_get(reader, at, "context");

	if (!schematron_counts_part(reader, at))
		return;
	if (!context.len) {
		schematron_fault(reader, at, "a rule has no context");
		return;
	}
	schematron_list_add(&reader->rules->lists, &rule->lets);
	schematron_list_add(&reader->rules->lists, &rule->assertions);
	rule->context = schematron_expr(reader, at, context, true, "the context of a rule");
	schematron_list_add(&pattern->rules, rule);
	read_rule_content(reader, at, rule, defaults, 0);
	xpath_unbind(reader->rules->program, xpath_bound(reader->rules->program));
}

/* ---- patterns */
static bool is_abstract_rule(struct schematron_reader *reader, struct schematron_at at)
{
	return schematron_is(at, "rule") && span_is(schematron_get(reader, at, "abstract"), "true");
}

static void read_content(struct schematron_reader *reader, struct schematron_at at, struct span id)
{
	size_t count, abstract = reader->abstract_rules.count;
	struct schematron_at *children = schematron_children(reader, at, &count);
	struct schematron_pattern *pattern = schematron_add_pattern(reader, id);
	struct xpath_program *program = reader->rules->program;

	schematron_list_add(&reader->rules->lists, &pattern->rules);
	for (size_t i = 0; i < count; i++) {
		struct span name = schematron_get(reader, children[i], "name");

		if (is_abstract_rule(reader, children[i]))
			schematron_list_add(&reader->abstract_rules, &children[i]);
		else if (schematron_is(children[i], "let") && xpath_global(program, name))
			schematron_fault(reader, children[i], "there are two variables %.*s", SPAN_ARGS(name));
	}
	for (size_t i = 0; i < count; i++)
		if (schematron_is(children[i], "let")) {
			struct span name;
			struct xpath_expr *value = schematron_variable(reader, children[i], &name);

			if (value)
				xpath_global_set(program, name, value);
		}
	for (size_t i = 0; i < count; i++)
		if (schematron_is(children[i], "rule") && !is_abstract_rule(reader, children[i]))
			read_rule(reader, children[i], pattern);
	/* Published rules keep variables for all patterns in one of them, as the first compilers had it. */
	for (size_t i = 0; i < count; i++)
		if (schematron_is(children[i], "let"))
			xpath_global_lend(program, schematron_get(reader, children[i], "name"));
	reader->abstract_rules.count = abstract;
}

/* A pattern that is another one, with what that one's parameters stand for. */
static void read_instance(struct schematron_reader *reader, struct schematron_at at, struct span of)
{
	const struct schematron_at *abstract = schematron_find(&reader->abstract_patterns, of);
	struct schematron_params outer = reader->params;
	struct schematron_param *params;
	struct schematron_at *children;
	size_t count, n = 0;

	if (!abstract) {
		schematron_fault(reader, at, "there is no abstract pattern %.*s", SPAN_ARGS(of));
		return;
	}
	children = schematron_children(reader, at, &count);
	params = arena_alloc(reader->rules->arena, (count + 1) * sizeof *params);
	for (size_t i = 0; i < count; i++)
		if (schematron_is(children[i], "param")) {
			params[n].name = schematron_get(reader, children[i], "name");
			params[n++].value = schematron_get(reader, children[i], "value");
		}
	reader->params = (struct schematron_params){params, n};
	read_content(reader, *abstract, schematron_get(reader, at, "id"));
	reader->params = outer;
}

void schematron_read_pattern(struct schematron_reader *reader, struct schematron_at at)
{
	struct span of = schematron_get(reader, at, "is-a");

	if (of.len)
		read_instance(reader, at, of);
	else
		read_content(reader, at, schematron_get(reader, at, "id"));
}
