/* Rules out of stylesheets that were compiled of them (XSLT 2.0, by the ISO skeleton, which most published rules come
 * through): a mode is a pattern, a template of it a rule, with xsl:variable for its variables, xsl:choose around a
 * failed-assert of SVRL and xsl:if around a successful-report. A template of such a mode that holds anything else is a
 * fault: nothing is left out in silence. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>

#include "transformers/schematron/schematron_private.h"

static bool is_svrl(struct schematron_at at, const char *local)
{
	return xpath_tree_is(at.source->tree, at.node, SVRL_URI, local);
}

/* The prefixes are told in the report that it would write. */
static void read_prefixes(struct schematron_reader *reader, struct schematron_at root)
{
	const struct xpath_tree *tree = root.source->tree;

	for (uint32_t i = root.node; i < tree->count; i++) {
		struct schematron_at at = {root.source, i};

		if (is_svrl(at, "ns-prefix-in-attribute-values"))
			xpath_namespace(reader->rules->program, schematron_get(reader, at, "prefix"),
					schematron_get(reader, at, "uri"));
	}
}

/* ---- assertions */
static struct span attribute_of(struct schematron_reader *reader, struct schematron_at at, const char *name)
{
	struct span value = schematron_get(reader, at, name);
	size_t count;
	struct schematron_at *children = schematron_children(reader, at, &count);

	for (size_t i = 0; i < count && !value.data; i++)
		if (schematron_is_xslt(children[i], "attribute") &&
		    span_is(schematron_get(reader, children[i], "name"), name) &&
		    !schematron_get(reader, children[i], "select").data)
			value = xpath_tree_value(at.source->tree, children[i].node, reader->rules->arena);
	return arena_span(reader->rules->arena, value);
}

static void read_assertion(struct schematron_reader *reader, struct schematron_at at, struct span test,
			   struct schematron_rule *rule)
{
	struct schematron_assertion *assertion = arena_alloc(reader->rules->arena, sizeof *assertion);
	size_t count;
	struct schematron_at *children = schematron_children(reader, at, &count);

	if (!schematron_counts_part(reader, at))
		return;
	assertion->report = is_svrl(at, "successful-report");
	assertion->id = attribute_of(reader, at, "id");
	assertion->flag = attribute_of(reader, at, "flag");
	assertion->role = attribute_of(reader, at, "role");
	assertion->test = schematron_expr(
		reader, at, test, false,
		arena_printf(reader->rules->arena, "the test of %.*s",
			     SPAN_ARGS(assertion->id.len ? assertion->id : SPAN_LITERAL("an assertion"))));
	schematron_list_add(&rule->assertions, assertion);
	schematron_list_add(&reader->rules->lists, &assertion->parts);
	for (size_t i = 0; i < count; i++)
		if (is_svrl(children[i], "text"))
			schematron_read_message(reader, children[i], assertion);
}

static bool find_child(struct schematron_reader *reader, struct schematron_at at, const char *svrl, const char *xslt,
		       struct schematron_at *found)
{
	size_t count;
	struct schematron_at *children = schematron_children(reader, at, &count);

	for (size_t i = 0; i < count; i++)
		if (svrl ? is_svrl(children[i], svrl) : schematron_is_xslt(children[i], xslt)) {
			*found = children[i];
			return true;
		}
	return false;
}

static void read_choose(struct schematron_reader *reader, struct schematron_at at, struct schematron_rule *rule)
{
	struct schematron_at when, otherwise, failed;

	if (find_child(reader, at, NULL, "when", &when) && find_child(reader, at, NULL, "otherwise", &otherwise) &&
	    !xpath_tree_first(when.source->tree, when.node) &&
	    find_child(reader, otherwise, "failed-assert", NULL, &failed))
		read_assertion(reader, failed, schematron_get(reader, when, "test"), rule);
	else
		schematron_fault(reader, at, "this xsl:choose is not what a compiler of Schematron writes");
}

static void read_if(struct schematron_reader *reader, struct schematron_at at, struct schematron_rule *rule)
{
	struct schematron_at report;

	if (find_child(reader, at, "successful-report", NULL, &report))
		read_assertion(reader, report, schematron_get(reader, at, "test"), rule);
	else
		schematron_fault(reader, at, "this xsl:if is not what a compiler of Schematron writes");
}

/* ---- rules */
static void read_variable(struct schematron_reader *reader, struct schematron_at at, struct schematron_rule *rule)
{
	struct schematron_let *let = arena_alloc(reader->rules->arena, sizeof *let);
	struct error error;
	struct span name;

	let->value = schematron_variable(reader, at, &name);
	let->slot = let->value ? xpath_bind(reader->rules->program, name, &error) : 0;
	if (let->slot < 0)
		schematron_fault(reader, at, "%s", error.text);
	schematron_list_add(&rule->lets, let);
}

static void read_template(struct schematron_reader *reader, struct schematron_at at, struct schematron_pattern *pattern)
{
	struct schematron_rule *rule = arena_alloc(reader->rules->arena, sizeof *rule);
	size_t count;
	struct schematron_at *children = schematron_children(reader, at, &count);

	if (!schematron_counts_part(reader, at))
		return;
	schematron_list_add(&reader->rules->lists, &rule->lets);
	schematron_list_add(&reader->rules->lists, &rule->assertions);
	rule->context = schematron_expr(reader, at, schematron_get(reader, at, "match"), true, "the context of a rule");
	schematron_list_add(&pattern->rules, rule);
	for (size_t i = 0; i < count; i++) {
		if (schematron_is_xslt(children[i], "variable"))
			read_variable(reader, children[i], rule);
		else if (schematron_is_xslt(children[i], "choose"))
			read_choose(reader, children[i], rule);
		else if (schematron_is_xslt(children[i], "if"))
			read_if(reader, children[i], rule);
		else if (!is_svrl(children[i], "fired-rule") && !schematron_is_xslt(children[i], "apply-templates"))
			schematron_fault(reader, children[i],
					 "this element is not what a compiler of Schematron writes into a rule");
	}
	xpath_unbind(reader->rules->program, xpath_bound(reader->rules->program));
}

/* Does a template of the mode write an assertion or a fired rule? */
static bool is_rule(struct schematron_reader *reader, struct schematron_at at)
{
	struct schematron_at found;

	return schematron_is_xslt(at, "template") && schematron_get(reader, at, "mode").len &&
	       find_child(reader, at, "fired-rule", NULL, &found);
}

static struct schematron_pattern *pattern_of(struct schematron_reader *reader, struct span mode)
{
	struct schematron_pattern *pattern;

	for (size_t i = 0; i < reader->rules->patterns.count; i++) {
		pattern = reader->rules->patterns.items[i];
		if (span_equal(pattern->id, mode))
			return pattern;
	}
	pattern = schematron_add_pattern(reader, mode);
	schematron_list_add(&reader->rules->lists, &pattern->rules);
	return pattern;
}

struct ranked {
	struct schematron_at at;
	double priority;
	size_t order;
};

static int by_priority(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* A variable of the stylesheet itself, not of the rules, may be made of elements. Those of a schema become parameters.
 */
static bool is_let(struct schematron_reader *reader, struct schematron_at at)
{
	return (schematron_is_xslt(at, "variable") || schematron_is_xslt(at, "param")) &&
	       schematron_get(reader, at, "select").data;
}

void schematron_read_compiled(struct schematron_reader *reader, struct schematron_at root)
{
	size_t count, n = 0;
	struct schematron_at *children = schematron_children(reader, root, &count);
	struct ranked *rules = arena_alloc(reader->rules->arena, (count + 1) * sizeof *rules);
	struct xpath_program *program = reader->rules->program;

	read_prefixes(reader, root);
	for (size_t i = 0; i < count; i++) {
		if (schematron_is_xslt(children[i], "function"))
			schematron_declare_function(reader, children[i]);
		else if (is_let(reader, children[i]) &&
			 xpath_global(program, schematron_get(reader, children[i], "name")))
			schematron_fault(reader, children[i], "there are two variables of this name");
		else if (schematron_is_xslt(children[i], "import") || schematron_is_xslt(children[i], "include"))
			schematron_fault(reader, children[i],
					 "what a stylesheet brings in is not read here: name the "
					 "rules themselves (.sch)");
	}
	for (size_t i = 0; i < count; i++)
		if (schematron_is_xslt(children[i], "key"))
			schematron_read_key(reader, children[i]);
	for (size_t i = 0; i < count; i++) {
		struct span name;
		struct xpath_expr *value;

		if (schematron_is_xslt(children[i], "function"))
			schematron_read_function(reader, children[i]);
		value = is_let(reader, children[i]) ? schematron_variable(reader, children[i], &name) : NULL;
		if (value)
			xpath_global_set(program, name, value);
		if (is_rule(reader, children[i])) {
			struct span priority = schematron_get(reader, children[i], "priority");

			rules[n] = (struct ranked){.at = children[i], .order = n};
			if (!priority.len || !xpath_double_read(priority, &rules[n].priority))
				rules[n].priority = 0;
			n++;
		}
	}
	for (size_t i = 0; i < n; i++) /* in the order of the patterns */
		pattern_of(reader, schematron_get(reader, rules[i].at, "mode"));
	qsort(rules, n, sizeof *rules, by_priority);
	for (size_t i = 0; i < n; i++)
		read_template(reader, rules[i].at, pattern_of(reader, schematron_get(reader, rules[i].at, "mode")));
	if (!n)
		schematron_fault(
			reader, root,
			"it is written in XSLT %.*s, and no Schematron compiled: stylesheets in 1.0 can be run",
			SPAN_ARGS(schematron_get(reader, root, "version")));
}
