/* Reading rules: files, what they include, the parts of a schema. See schematron.h. */
#include "config.h"
#include "transformers/schematron/schematron.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/schematron/schematron_private.h"
#include "transformers/xml/xml_nodes.h"

void schematron_list_add(struct schematron_list *list, void *item)
{
	list->items = mem_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
	list->items[list->count++] = item;
}

/* ---- faults */
void schematron_fault(struct schematron_reader *reader, struct schematron_at at, const char *format, ...)
{
	unsigned line = at.source->tree->nodes[at.node].line;
	char what[450];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	if (!reader->faults++)
		error_set(reader->error, ERROR_REJECT, "schematron.rules", "mappings/%s:%u: %s", at.source->file, line,
			  what);
	if (reader->findings) {
		struct place place = {.line = (int)line};

		place.file = arena_printf(reader->findings->arena, "mappings/%s", at.source->file);
		finding_add(reader->findings, place, SEVERITY_ERROR, "schematron.rules", "%s", what);
	}
}

struct xpath_expr *schematron_expr(struct schematron_reader *reader, struct schematron_at at, struct span text,
				   bool pattern, const char *what)
{
	struct xpath_program *program = reader->rules->program;
	struct xpath_expr *expr;
	struct error error;

	text = arena_span(reader->rules->arena, text);
	reader->at = at;
	expr = pattern ? xpath_compile_pattern(program, text, &error) : xpath_compile(program, text, &error);
	if (!expr)
		schematron_fault(reader, at, "%s: %s: `%.*s%s`", what, error.text,
				 (int)(text.len > 120 ? 120 : text.len), text.data, text.len > 120 ? "…" : "");
	return expr;
}

bool schematron_counts_part(struct schematron_reader *reader, struct schematron_at at)
{
	if (++reader->parts == SCHEMATRON_PARTS_MAX)
		schematron_fault(reader, at, "there are more than %d rules, assertions and variables",
				 SCHEMATRON_PARTS_MAX);
	return reader->parts < SCHEMATRON_PARTS_MAX;
}

/* ---- elements */
bool schematron_is(struct schematron_at at, const char *local)
{
	return xpath_tree_is(at.source->tree, at.node, SCHEMATRON_URI, local);
}

bool schematron_is_xslt(struct schematron_at at, const char *local)
{
	return xpath_tree_is(at.source->tree, at.node, XSLT_URI, local);
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       c == '.' || (unsigned char)c >= 0x80;
}

/* $name, where name is a parameter, and nothing else that begins so. */
static struct span put_in(struct schematron_reader *reader, struct span text)
{
	struct buf made;
	struct span result;

	if (!text.len || !reader->params.count || !memchr(text.data, '$', text.len))
		return text;
	buf_init(&made, XPATH_TEXT_MAX);
	for (size_t i = 0; i < text.len; i++) {
		const struct schematron_param *param = NULL;
		size_t n = 1;

		while (text.data[i] == '$' && i + n < text.len && is_name(text.data[i + n]))
			n++;
		for (size_t p = 0; n > 1 && p < reader->params.count && !param; p++)
			if (span_equal(reader->params.items[p].name, span_make(text.data + i + 1, n - 1)))
				param = &reader->params.items[p];
		if (param)
			buf_span(&made, param->value);
		else
			buf_append(&made, text.data + i, n);
		i += n - 1;
	}
	result = arena_span(reader->rules->arena, buf_view(&made));
	buf_free(&made);
	return result;
}

struct span schematron_get(struct schematron_reader *reader, struct schematron_at at, const char *attribute)
{
	return put_in(reader, xpath_tree_get(at.source->tree, at.node, attribute));
}

const struct schematron_at *schematron_find(const struct schematron_list *list, struct span id)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct schematron_at *at = list->items[i];

		if (span_equal(xpath_tree_get(at->source->tree, at->node, "id"), id))
			return at;
	}
	return NULL;
}

/* ---- files */
static struct schematron_source *add_source(struct schematron_reader *reader, const char *file, struct xpath_tree *tree)
{
	struct schematron_source *source = arena_alloc(reader->rules->arena, sizeof *source);

	source->file = arena_strdup(reader->rules->arena, file);
	source->tree = tree;
	schematron_list_add(&reader->sources, source);
	return source;
}

/* A file beside the one that names it, or in a folder above, as far as mappings/. NULL: outside. */
static char *beside(const char *file, struct span href)
{
	const char *slash = strrchr(file, '/');
	struct span folder = span_make(file, slash ? (size_t)(slash - file) : 0);

	while (href.len >= 2 && href.data[0] == '.') {
		if (span_starts(href, "./")) {
			href = span_make(href.data + 2, href.len - 2);
			continue;
		}
		if (!span_starts(href, "../"))
			break;
		if (!folder.len)
			return NULL;
		while (folder.len && folder.data[folder.len - 1] != '/')
			folder.len--;
		if (folder.len)
			folder.len--;
		href = span_make(href.data + 3, href.len - 3);
	}
	if (!href.len || href.data[0] == '/' || memchr(href.data, ':', href.len) || memchr(href.data, '\\', href.len))
		return NULL;
	for (size_t i = 0; i + 2 < href.len; i++)
		if (!memcmp(href.data + i, "/..", 3))
			return NULL;
	return mem_printf("%.*s%s%.*s", SPAN_ARGS(folder), folder.len ? "/" : "", SPAN_ARGS(href));
}

struct schematron_source *schematron_load(struct schematron_reader *reader, struct schematron_at at, struct span href,
					  struct error *error)
{
	const struct transformer_context *context = reader->context;
	char *file = href.data ? beside(at.source->file, href) : NULL;
	struct schematron_source *source = NULL;
	const struct span *text =
		file && context && context->file ? context->file(context->site, "mappings", file) : NULL;
	struct xpath_tree *tree;
	struct error why;

	for (size_t i = 0; file && i < reader->sources.count && !source; i++) {
		struct schematron_source *other = reader->sources.items[i];

		source = strcmp(other->file, file) ? NULL : other;
	}
	if (source) {
		free(file);
		return source;
	}
	if (reader->sources.count >= SCHEMATRON_FILES_MAX)
		error_set(error, ERROR_REJECT, "schematron.rules", "more than %d files are included",
			  SCHEMATRON_FILES_MAX);
	else if (!file)
		error_set(error, ERROR_REJECT, "schematron.rules",
			  "what is included is a file of mappings/, and not `%.*s`",
			  (int)(href.len > 100 ? 100 : href.len), href.data ? href.data : "");
	else if (!text)
		error_set(error, ERROR_REJECT, "schematron.rules", "there is no mappings/%s, which is included here",
			  file);
	else {
		tree = xml_nodes_of_file(*text, file, &why);
		if (tree)
			source = add_source(reader, file, tree);
		else
			error_set(error, ERROR_REJECT, "schematron.rules", "mappings/%s cannot be included: %s", file,
				  why.text);
	}
	free(file);
	return source;
}

/* What document('…') in an expression gives. */
static const struct xpath_tree *document(void *arg, struct span href, struct error *error)
{
	struct schematron_reader *reader = arg;
	struct schematron_source *source = schematron_load(reader, reader->at, href, error);

	if (!source)
		return NULL;
	if (!source->kept)
		schematron_list_add(&reader->rules->trees, source->tree);
	source->kept = true;
	return source->tree;
}

/* ---- children */
struct growing {
	struct schematron_at *items;
	size_t count, capacity;
};

static void gather(struct schematron_reader *reader, struct schematron_at at, struct growing *into);

static void include(struct schematron_reader *reader, struct schematron_at at, struct growing *into)
{
	struct span href = schematron_get(reader, at, "href"), id = SPAN_NONE;
	const struct schematron_source *source;
	const char *hash = href.len ? memchr(href.data, '#', href.len) : NULL;
	struct schematron_at root;
	struct error error;

	if (hash) {
		id = span_make(hash + 1, href.len - (size_t)(hash - href.data) - 1);
		href.len = (size_t)(hash - href.data);
	}
	if (reader->including >= SCHEMATRON_INCLUDED_MAX) {
		schematron_fault(reader, at, "more than %d files include one another", SCHEMATRON_INCLUDED_MAX);
		return;
	}
	source = schematron_load(reader, at, href, &error);
	if (!source) {
		schematron_fault(reader, at, "%s", error.text);
		return;
	}
	root = (struct schematron_at){source, xpath_tree_first(source->tree, 0)};
	while (root.node && source->tree->nodes[root.node].kind != XPATH_ELEMENT)
		root.node = xpath_tree_next(source->tree, root.node);
	for (uint32_t i = root.node; id.len && i < source->tree->count; i++)
		if (source->tree->nodes[i].kind == XPATH_ELEMENT &&
		    span_equal(xpath_tree_get(source->tree, i, "id"), id)) {
			root.node = i;
			id = SPAN_NONE;
		}
	if (id.len) {
		schematron_fault(reader, at, "mappings/%s has nothing with the id %.*s", source->file, SPAN_ARGS(id));
		return;
	}
	reader->including++;
	if (schematron_is(root, "schema")) { /* a whole schema: what is in it */
		gather(reader, root, into);
	} else {
		into->items = mem_grow(into->items, &into->capacity, into->count + 1, sizeof *into->items);
		into->items[into->count++] = root;
	}
	reader->including--;
}

static void gather(struct schematron_reader *reader, struct schematron_at at, struct growing *into)
{
	const struct xpath_tree *tree = at.source->tree;

	for (uint32_t i = xpath_tree_first(tree, at.node); i; i = xpath_tree_next(tree, i)) {
		struct schematron_at child = {at.source, i};

		if (tree->nodes[i].kind != XPATH_ELEMENT)
			continue;
		if (schematron_is(child, "include")) {
			include(reader, child, into);
			continue;
		}
		into->items = mem_grow(into->items, &into->capacity, into->count + 1, sizeof *into->items);
		into->items[into->count++] = child;
	}
}

struct schematron_at *schematron_children(struct schematron_reader *reader, struct schematron_at at, size_t *count)
{
	struct growing all = {NULL, 0, 0};
	struct schematron_at *kept;

	gather(reader, at, &all);
	kept = arena_alloc(reader->rules->arena, (all.count + 1) * sizeof *kept);
	if (all.count)
		memcpy(kept, all.items, all.count * sizeof *kept);
	free(all.items);
	*count = all.count;
	return kept;
}

/* ---- a schema */
static void keep(struct schematron_reader *reader, struct schematron_list *list, struct schematron_at at)
{
	struct schematron_at *kept = arena_alloc(reader->rules->arena, sizeof *kept);

	*kept = at;
	schematron_list_add(list, kept);
}

static bool is_abstract(struct schematron_reader *reader, struct schematron_at at)
{
	return span_is(schematron_get(reader, at, "abstract"), "true");
}

static void declare_let(struct schematron_reader *reader, struct schematron_at at)
{
	struct span name = schematron_get(reader, at, "name");

	if (!name.len)
		schematron_fault(reader, at, "a variable has no name");
	else if (xpath_global(reader->rules->program, name))
		schematron_fault(reader, at, "there are two variables %.*s", SPAN_ARGS(name));
}

void schematron_read_key(struct schematron_reader *reader, struct schematron_at at)
{
	struct error error;

	if (xpath_key(reader->rules->program, schematron_get(reader, at, "name"), schematron_get(reader, at, "match"),
		      schematron_get(reader, at, "use"), &error))
		schematron_fault(reader, at, "the key %.*s: %s", SPAN_ARGS(schematron_get(reader, at, "name")),
				 error.text);
}

static void declare(struct schematron_reader *reader, struct schematron_at at)
{
	size_t count;
	struct schematron_at *children;

	if (schematron_is(at, "ns")) {
		xpath_namespace(reader->rules->program, schematron_get(reader, at, "prefix"),
				schematron_get(reader, at, "uri"));
	} else if (schematron_is(at, "let")) {
		declare_let(reader, at);
	} else if (schematron_is_xslt(at, "function")) {
		schematron_declare_function(reader, at);
	} else if (schematron_is(at, "pattern") && is_abstract(reader, at)) {
		keep(reader, &reader->abstract_patterns, at);
	} else if (schematron_is(at, "diagnostics")) {
		children = schematron_children(reader, at, &count);
		for (size_t i = 0; i < count; i++)
			keep(reader, &reader->diagnostics, children[i]);
	} else if (schematron_is(at, "rules")) { /* of the edition of 2020: rules for all patterns */
		children = schematron_children(reader, at, &count);
		for (size_t i = 0; i < count; i++)
			keep(reader, &reader->abstract_rules, children[i]);
	}
}

static void set_let(struct schematron_reader *reader, struct schematron_at at)
{
	struct span name;
	struct xpath_expr *value = schematron_variable(reader, at, &name);

	if (value)
		xpath_global_set(reader->rules->program, name, value);
}

/* The patterns of a phase, by their ids; false: all of them. */
struct phase {
	struct schematron_at *active;
	size_t count;
};

static bool find_phase(struct schematron_reader *reader, struct schematron_at schema, const char *wanted,
		       const struct schematron_at *children, size_t count, struct phase *phase)
{
	struct span name = wanted ? span_of(wanted) : schematron_get(reader, schema, "defaultPhase");

	if (!name.len || span_is(name, "#ALL"))
		return false;
	for (size_t i = 0; i < count; i++)
		if (schematron_is(children[i], "phase") &&
		    span_equal(schematron_get(reader, children[i], "id"), name)) {
			phase->active = schematron_children(reader, children[i], &phase->count);
			for (size_t j = 0; j < phase->count; j++)
				if (schematron_is(phase->active[j], "let")) {
					declare_let(reader, phase->active[j]);
					set_let(reader, phase->active[j]);
				}
			return true;
		}
	schematron_fault(reader, schema, "there is no phase %.*s", SPAN_ARGS(name));
	return false;
}

static bool is_active(struct schematron_reader *reader, const struct phase *phase, struct span id)
{
	for (size_t i = 0; i < phase->count; i++)
		if (schematron_is(phase->active[i], "active") &&
		    span_equal(schematron_get(reader, phase->active[i], "pattern"), id))
			return true;
	return false;
}

static bool knows_binding(struct schematron_reader *reader, struct schematron_at schema)
{
	struct span binding = schematron_get(reader, schema, "queryBinding");

	if (span_is(binding, "xslt2") || span_is(binding, "xpath2") || span_is(binding, "xslt3") ||
	    span_is(binding, "xpath3"))
		return true;
	schematron_fault(
		reader, schema,
		"its queryBinding is `%.*s`: judged here is xslt2 (XPath 2.0); rules for XSLT 1.0 are compiled "
		"to a stylesheet, which is named in their place",
		SPAN_ARGS(binding.len ? binding : SPAN_LITERAL("xslt")));
	return false;
}

static void read_schema(struct schematron_reader *reader, struct schematron_at schema, const char *phase_name)
{
	struct phase phase = {NULL, 0};
	struct schematron_at *children;
	bool chosen;
	size_t count;

	if (!knows_binding(reader, schema))
		return;
	children = schematron_children(reader, schema, &count);
	for (size_t i = 0; i < count; i++)
		declare(reader, children[i]);
	chosen = find_phase(reader, schema, phase_name, children, count, &phase);
	for (size_t i = 0; i < count; i++)
		if (schematron_is_xslt(children[i], "key"))
			schematron_read_key(reader, children[i]);
	for (size_t i = 0; i < count; i++)
		if (schematron_is_xslt(children[i], "key"))
			continue;
		else if (schematron_is_xslt(children[i], "function"))
			schematron_read_function(reader, children[i]);
		else if (schematron_is(children[i], "let"))
			set_let(reader, children[i]);
		else if (schematron_is(children[i], "extends") ||
			 xpath_tree_is(children[i].source->tree, children[i].node, XSLT_URI, NULL))
			schematron_fault(reader, children[i],
					 "this element is not known here: functions and keys of XSLT, "
					 "and includes are");
	for (size_t i = 0; i < count; i++)
		if (schematron_is(children[i], "pattern") && !is_abstract(reader, children[i]) &&
		    (!chosen || is_active(reader, &phase, schematron_get(reader, children[i], "id"))))
			schematron_read_pattern(reader, children[i]);
}

/* ---- the whole */
static uint32_t root_of(const struct xpath_tree *tree)
{
	uint32_t root = xpath_tree_first(tree, 0);

	while (root && tree->nodes[root].kind != XPATH_ELEMENT)
		root = xpath_tree_next(tree, root);
	return root;
}

bool schematron_is_ours(const struct xpath_tree *tree)
{
	uint32_t root = root_of(tree);
	struct span version = xpath_tree_get(tree, root, "version");

	if (!xpath_tree_is(tree, root, XSLT_URI, NULL))
		return true;
	return span_starts(version, "2") || span_starts(version, "3");
}

static void reader_free(struct schematron_reader *reader)
{
	for (size_t i = 0; i < reader->sources.count; i++) {
		struct schematron_source *source = reader->sources.items[i];

		if (!source->kept)
			xpath_tree_free(source->tree);
	}
	free(reader->sources.items);
	free(reader->abstract_patterns.items);
	free(reader->abstract_rules.items);
	free(reader->diagnostics.items);
}

struct schematron *schematron_new(const char *name, struct xpath_tree *tree, const char *phase,
				  const struct transformer_context *context, struct findings *findings,
				  struct error *error)
{
	struct schematron *rules = mem_alloc(sizeof *rules);
	struct schematron_reader reader = {.rules = rules, .context = context, .findings = findings, .error = error};
	struct schematron_at root;

	rules->arena = arena_new();
	rules->program = xpath_program_new();
	xpath_documents(rules->program, document, &reader);
	root = (struct schematron_at){add_source(&reader, name, tree), root_of(tree)};
	if (schematron_is(root, "schema"))
		read_schema(&reader, root, phase);
	else if (schematron_is_xslt(root, "stylesheet") || schematron_is_xslt(root, "transform"))
		schematron_read_compiled(&reader, root);
	else
		schematron_fault(&reader, root, "this is neither Schematron nor a stylesheet");
	if (!reader.faults && !schematron_counts(rules).assertions)
		schematron_fault(&reader, root, "there is no assertion in it%s",
				 phase ? ", or none in this phase" : "");
	rules->files = reader.sources.count;
	reader_free(&reader);
	xpath_documents(rules->program, NULL, NULL);
	if (!reader.faults)
		return rules;
	if (reader.faults > 1)
		error_add(error, "; and %zu more", reader.faults - 1);
	schematron_free(rules);
	return NULL;
}

struct schematron_counts schematron_counts(const struct schematron *rules)
{
	struct schematron_counts counts = {
		.patterns = rules->patterns.count, .functions = rules->functions, .files = rules->files};

	for (size_t i = 0; i < rules->patterns.count; i++) {
		const struct schematron_pattern *pattern = rules->patterns.items[i];

		counts.rules += pattern->rules.count;
		for (size_t j = 0; j < pattern->rules.count; j++)
			counts.assertions += ((struct schematron_rule *)pattern->rules.items[j])->assertions.count;
	}
	return counts;
}
