/* YAML by libyaml's events, into nodes that know their place. See yaml.h. */
#include "config.h"
#include "config/yaml.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/buf.h"

struct yaml {
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event;
	bool stopped; /* by a limit or a syntax error; said already */
	struct arena *arena;
	struct findings *findings;
	const char *file;
	struct span source;
	const struct yaml_variables *variables;
	size_t nodes;
};

struct list { /* of children while they are read */
	struct node **items;
	struct pair *pairs;
	size_t count, capacity;
};

static struct place place_of(const struct yaml *y, yaml_mark_t mark)
{
	return (struct place){y->file, (int)mark.line + 1, (int)mark.column + 1};
}

static void stop(struct yaml *y, struct place place, const char *code, const char *text)
{
	if (!y->stopped)
		finding_add(y->findings, place, SEVERITY_ERROR, code, "%s", text);
	y->stopped = true;
}

/* `{port: ${PORT}}` is the mistake that everybody makes once. */
static const char *hint(const struct yaml *y, yaml_mark_t mark)
{
	const char *at = y->source.data, *end = at + y->source.len, *next;

	for (size_t line = 0; at && line < mark.line; line++) {
		at = memchr(at, '\n', end - at);
		at = at ? at + 1 : NULL;
	}
	next = at ? memchr(at, '\n', end - at) : NULL;
	if (at && memmem(at, (next ? next : end) - at, "${", 2))
		return "; between { and } a value with ${…} needs quotes: '${NAME}'";
	return "";
}

static void syntax_error(struct yaml *y)
{
	yaml_parser_t *p = &y->parser;
	yaml_mark_t mark = p->problem_mark.line || p->problem_mark.column ? p->problem_mark : p->mark;
	const char *problem = p->problem ? p->problem : "not readable as YAML";

	if (y->stopped)
		return;
	y->stopped = true;
	if (p->error == YAML_READER_ERROR)
		finding_add(y->findings, (struct place){y->file, 1, 1}, SEVERITY_ERROR, "yaml.encoding",
			    "byte %zu: %s; the file must be UTF-8 text", p->problem_offset, problem);
	else if (p->context)
		finding_add(y->findings, place_of(y, mark), SEVERITY_ERROR, "yaml.syntax", "%s, %s (line %zu)%s",
			    problem, p->context, p->context_mark.line + 1, hint(y, mark));
	else
		finding_add(y->findings, place_of(y, mark), SEVERITY_ERROR, "yaml.syntax", "%s%s", problem,
			    strstr(problem, "cannot start any token") ? "; is it a tab? indent with spaces" : "");
}

/* The next event, or NULL when reading has stopped. Valid until the next call. */
static const yaml_event_t *next(struct yaml *y)
{
	if (y->has_event)
		yaml_event_delete(&y->event);
	y->has_event = false;
	if (y->stopped)
		return NULL;
	if (!yaml_parser_parse(&y->parser, &y->event)) {
		syntax_error(y);
		return NULL;
	}
	y->has_event = true;
	return &y->event;
}

/* ---- variables ------------------------------------------------------------------------------------------- */
static void undefined(struct yaml *y, struct place place, struct span name)
{
	const struct yaml_variables *v = y->variables;
	const char *near = nearest_name(name, v->names, v->names_count);

	finding_add(y->findings, place, SEVERITY_ERROR, "variable.undefined",
		    "the variable %.*s is not defined: set it in environments/*.yaml or in the environment, or "
		    "write ${%.*s:default}" NEAR,
		    SPAN_ARGS(name), SPAN_ARGS(name), NEAR_ARGS(near));
}

struct scalar {
	struct yaml *y;
	struct place place; /* where it begins */
};

/* In a text over several lines the line that it is in says more than where the text begins. */
static void variable_fault(void *arg, size_t at, struct span name)
{
	const struct scalar *scalar = arg;
	struct yaml *y = scalar->y;
	struct place place = scalar->place, within;

	if (yaml_place_within(y->source, place, at, y->variables, &within) && within.line != place.line) {
		within.file = place.file;
		place = within;
	}
	if (name.len)
		undefined(y, place, name);
	else
		finding_add(y->findings, place, SEVERITY_ERROR, "variable.syntax",
			    "`${` begins a variable: write ${NAME} or ${NAME:default}, or $${ for a literal ${");
}

/* The value of a scalar with its variables replaced; the text itself where there are none. */
static struct span replace(struct yaml *y, struct place place, struct span text)
{
	struct scalar scalar = {y, place};
	struct buf out;
	struct span value;

	if (!y->variables || !memchr(text.data, '$', text.len) || !memmem(text.data, text.len, "${", 2))
		return text;
	buf_init(&out, YAML_SIZE_MAX);
	yaml_variables_replace(text, y->variables, &out, variable_fault, &scalar);
	if (out.full)
		finding_add(y->findings, place, SEVERITY_ERROR, "variable.size", "this value is larger than %u bytes",
			    YAML_SIZE_MAX);
	value = arena_span(y->arena, buf_view(&out));
	buf_free(&out);
	return value;
}

/* ---- nodes ----------------------------------------------------------------------------------------------- */
static struct node *read_node(struct yaml *, const yaml_event_t *, int depth);

static struct node *node_new(struct yaml *y, enum node_type type, yaml_mark_t mark)
{
	struct node *node = arena_alloc(y->arena, sizeof *node);

	node->type = type;
	node->place = place_of(y, mark);
	if (++y->nodes > YAML_NODES_MAX)
		stop(y, node->place, "yaml.size", "this file has too many values; split it");
	return node;
}

static void refuse_tag(struct yaml *y, const yaml_char_t *tag, yaml_mark_t mark)
{
	if (tag)
		finding_add(y->findings, place_of(y, mark), SEVERITY_ERROR, "yaml.tag",
			    "tags such as %.40s are not used here; the option decides what a value is", tag);
}

static struct node *read_scalar(struct yaml *y, const yaml_event_t *event, bool key)
{
	struct node *node = node_new(y, NODE_SCALAR, event->start_mark);
	yaml_scalar_style_t style = event->data.scalar.style;

	refuse_tag(y, event->data.scalar.tag, event->start_mark);
	node->quoted = style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	node->text = arena_span(y->arena, span_make(event->data.scalar.value, event->data.scalar.length));
	if (memchr(node->text.data, 0, node->text.len)) {
		finding_add(y->findings, node->place, SEVERITY_ERROR, "yaml.nul", "a NUL character has no place here");
		node->text.len = strlen(node->text.data);
	}
	if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE)
		node->place = yaml_block_place(y->source, node->place);
	if (!key) {
		struct span written = node->text;

		node->text = replace(y, node->place, written);
		node->written = node->text.data != written.data ? written : SPAN_NONE;
	} else if (memmem(node->text.data, node->text.len, "${", 2) && y->variables)
		finding_add(y->findings, node->place, SEVERITY_ERROR, "variable.key",
			    "variables are replaced in values, not in keys");
	return node;
}

static struct node *read_list(struct yaml *y, const yaml_event_t *event, int depth)
{
	struct node *node = node_new(y, NODE_LIST, event->start_mark);
	struct list list = {0};

	refuse_tag(y, event->data.sequence_start.tag, event->start_mark);
	while ((event = next(y)) && event->type != YAML_SEQUENCE_END_EVENT) {
		struct node *item = read_node(y, event, depth + 1);

		if (!item)
			continue;
		list.items = mem_grow(list.items, &list.capacity, list.count + 1, sizeof *list.items);
		list.items[list.count++] = item;
	}
	node->count = list.count;
	node->items = arena_alloc(y->arena, (list.count + 1) * sizeof *list.items);
	if (list.count > 0)
		memcpy(node->items, list.items, list.count * sizeof *list.items);
	free(list.items);
	return node;
}

static int by_text(const void *a, const void *b)
{
	const struct node *x = &(*(const struct pair *const *)a)->key, *z = &(*(const struct pair *const *)b)->key;
	size_t shorter = x->text.len < z->text.len ? x->text.len : z->text.len;
	int order = shorter ? memcmp(x->text.data, z->text.data, shorter) : 0;

	if (order == 0)
		order = x->text.len < z->text.len ? -1 : x->text.len > z->text.len;
	if (order == 0)
		order = *(const struct pair *const *)a < *(const struct pair *const *)b ? -1 : 1;
	return order;
}

/* Keeps the first of each key and tells of the others. Sorted, because a hostile file could have many. */
static void drop_repeated(struct yaml *y, struct list *list)
{
	const struct pair **sorted = mem_alloc((list->count + 1) * sizeof *sorted);
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		sorted[i] = &list->pairs[i];
	qsort(sorted, list->count, sizeof *sorted, by_text);
	for (size_t i = 1, first = 0; i < list->count; i++) {
		if (!span_equal(sorted[i]->key.text, sorted[first]->key.text)) {
			first = i;
			continue;
		}
		finding_add(y->findings, sorted[i]->key.place, SEVERITY_ERROR, "yaml.repeated",
			    "the key %.*s stands here twice; the first is in line %d", SPAN_ARGS(sorted[i]->key.text),
			    sorted[first]->key.place.line);
		((struct pair *)sorted[i])->value = NULL;
	}
	for (size_t i = 0; i < list->count; i++) {
		if (list->pairs[i].value)
			list->pairs[kept++] = list->pairs[i];
	}
	list->count = kept;
	free(sorted);
}

static struct node *read_key(struct yaml *y, const yaml_event_t *event, int depth)
{
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(y, event, true);
	finding_add(y->findings, place_of(y, event->start_mark), SEVERITY_ERROR, "yaml.key",
		    "a key must be plain text");
	read_node(y, event, depth + 1);
	return NULL;
}

static struct node *read_map(struct yaml *y, const yaml_event_t *event, int depth)
{
	struct node *node = node_new(y, NODE_MAP, event->start_mark), *key, *value;
	struct list list = {0};

	refuse_tag(y, event->data.mapping_start.tag, event->start_mark);
	while ((event = next(y)) && event->type != YAML_MAPPING_END_EVENT) {
		key = read_key(y, event, depth);
		event = next(y);
		if (!event)
			break;
		value = read_node(y, event, depth + 1);
		if (!key || !value)
			continue;
		list.pairs = mem_grow(list.pairs, &list.capacity, list.count + 1, sizeof *list.pairs);
		list.pairs[list.count++] = (struct pair){*key, value};
	}
	drop_repeated(y, &list);
	node->count = list.count;
	node->pairs = arena_alloc(y->arena, (list.count + 1) * sizeof *list.pairs);
	if (list.count > 0)
		memcpy(node->pairs, list.pairs, list.count * sizeof *list.pairs);
	free(list.pairs);
	return node;
}

/* NULL: refused (a finding says why) or reading has stopped. */
static struct node *read_node(struct yaml *y, const yaml_event_t *event, int depth)
{
	if (depth > YAML_DEPTH_MAX) {
		stop(y, place_of(y, event->start_mark), "yaml.depth", "nested too deeply");
		return NULL;
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(y, event, false);
	case YAML_SEQUENCE_START_EVENT:
		return read_list(y, event, depth);
	case YAML_MAPPING_START_EVENT:
		return read_map(y, event, depth);
	case YAML_ALIAS_EVENT:
		finding_add(y->findings, place_of(y, event->start_mark), SEVERITY_ERROR, "yaml.alias",
			    "aliases (*%.40s) are not used here; write the value out", event->data.alias.anchor);
		return NULL;
	default:
		stop(y, place_of(y, event->start_mark), "yaml.syntax", "not readable as YAML");
		return NULL;
	}
}

static void read_documents(struct yaml *y, struct list *list)
{
	const yaml_event_t *event;
	struct node *node;

	while ((event = next(y)) && event->type != YAML_STREAM_END_EVENT) {
		if (event->type == YAML_STREAM_START_EVENT || event->type == YAML_DOCUMENT_START_EVENT ||
		    event->type == YAML_DOCUMENT_END_EVENT)
			continue;
		node = read_node(y, event, 1);
		if (!node || y->stopped || (node->type == NODE_SCALAR && node->text.len == 0 && !node->quoted))
			continue; /* cut short by a mistake, or only comments */
		list->items = mem_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
		list->items[list->count++] = node;
	}
}

int yaml_read(struct arena *arena, struct findings *findings, const char *file, struct span text,
	      const struct yaml_variables *variables, struct yaml_documents *into)
{
	struct yaml y = {.arena = arena, .findings = findings, .file = file, .source = text, .variables = variables};
	struct list list = {0};

	*into = (struct yaml_documents){0};
	if (text.len > YAML_SIZE_MAX) {
		stop(&y, (struct place){file, 1, 1}, "yaml.size", "this file is larger than 1 MiB; split it");
		return -1;
	}
	if (!yaml_parser_initialize(&y.parser))
		abort(); /* out of memory */
	yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)(text.data ? text.data : ""), text.len);
	read_documents(&y, &list);
	if (y.has_event)
		yaml_event_delete(&y.event);
	yaml_parser_delete(&y.parser);
	into->count = list.count;
	into->items = arena_alloc(arena, (list.count + 1) * sizeof *list.items);
	if (list.count > 0)
		memcpy(into->items, list.items, list.count * sizeof *list.items);
	free(list.items);
	return y.stopped ? -1 : 0;
}
