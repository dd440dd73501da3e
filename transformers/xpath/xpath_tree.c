/* Documents as arrays of nodes. See xpath_tree.h. */
#include "config.h"
#include "transformers/xpath/xpath_tree.h"

#include <stdlib.h>

#include "base/mem.h"

struct xpath_tree *xpath_tree_new(void)
{
	struct xpath_tree *tree = mem_alloc(sizeof *tree);

	tree->arena = arena_new();
	tree->nodes = mem_grow(NULL, &tree->capacity, 64, sizeof *tree->nodes);
	tree->nodes[0] = (struct xpath_node){.kind = XPATH_DOCUMENT};
	tree->count = 1;
	tree->names = mem_grow(NULL, &tree->names_capacity, 64, sizeof *tree->names);
	tree->names[0] = (struct xpath_name){{NULL, 0}, {NULL, 0}, {NULL, 0}};
	tree->names_count = 1;
	tree->table_size = 256;
	tree->table = mem_alloc(tree->table_size * sizeof *tree->table);
	return tree;
}

void xpath_tree_free(struct xpath_tree *tree)
{
	if (!tree)
		return;
	free(tree->nodes);
	free(tree->joined);
	free(tree->names);
	free(tree->table);
	arena_free(tree->arena);
	free(tree);
}

/* ---- names */
static size_t hash(struct span uri, struct span local)
{
	uint64_t value = 14695981039346656037u;

	for (size_t i = 0; i < local.len; i++)
		value = (value ^ (unsigned char)local.data[i]) * 1099511628211u;
	value = (value ^ 0xff) * 1099511628211u;
	for (size_t i = 0; i < uri.len; i++)
		value = (value ^ (unsigned char)uri.data[i]) * 1099511628211u;
	return (size_t)(value ^ (value >> 32));
}

/* Where it is, or would be. */
static size_t slot_of(const struct xpath_tree *tree, struct span uri, struct span local)
{
	size_t at = hash(uri, local) & (tree->table_size - 1);

	while (tree->table[at] && !(span_equal(tree->names[tree->table[at]].local, local) &&
				    span_equal(tree->names[tree->table[at]].uri, uri)))
		at = (at + 1) & (tree->table_size - 1);
	return at;
}

uint32_t xpath_tree_name(const struct xpath_tree *tree, struct span uri, struct span local)
{
	return tree->table[slot_of(tree, uri, local)];
}

static void grow_table(struct xpath_tree *tree)
{
	free(tree->table);
	tree->table_size *= 2;
	tree->table = mem_alloc(tree->table_size * sizeof *tree->table);
	for (uint32_t i = 1; i < tree->names_count; i++)
		tree->table[slot_of(tree, tree->names[i].uri, tree->names[i].local)] = i;
}

static uint32_t intern(struct xpath_tree *tree, struct span uri, struct span local, struct span prefix)
{
	size_t at = slot_of(tree, uri, local);

	if (tree->table[at])
		return tree->table[at];
	if (tree->names_count * 2 > tree->table_size) {
		grow_table(tree);
		at = slot_of(tree, uri, local);
	}
	tree->names = mem_grow(tree->names, &tree->names_capacity, tree->names_count + 1, sizeof *tree->names);
	tree->names[tree->names_count] = (struct xpath_name){
		arena_span(tree->arena, uri), arena_span(tree->arena, local), arena_span(tree->arena, prefix)};
	tree->table[at] = (uint32_t)tree->names_count++;
	return tree->table[at];
}

/* ---- making one */
static struct xpath_node *add(struct xpath_tree *tree, enum xpath_kind kind)
{
	struct xpath_node *node;

	tree->nodes = mem_grow(tree->nodes, &tree->capacity, tree->count + 1, sizeof *tree->nodes);
	node = &tree->nodes[tree->count++];
	*node = (struct xpath_node){
		.kind = kind, .parent = tree->open, .end = (uint32_t)tree->count, .line = tree->nodes[tree->open].line};
	return node;
}

void xpath_tree_element(struct xpath_tree *tree, struct span uri, struct span local, struct span prefix, unsigned line)
{
	uint32_t name = intern(tree, uri, local, prefix);
	struct xpath_node *node = add(tree, XPATH_ELEMENT);

	node->name = name;
	node->line = line;
	tree->open = (uint32_t)(tree->count - 1);
}

void xpath_tree_attribute(struct xpath_tree *tree, struct span uri, struct span local, struct span prefix,
			  struct span value)
{
	uint32_t name = intern(tree, uri, local, prefix);
	struct xpath_node *node = add(tree, XPATH_ATTRIBUTE);

	node->name = name;
	node->text = arena_span(tree->arena, value);
	tree->nodes[tree->open].attributes++;
}

void xpath_tree_text(struct xpath_tree *tree, struct span text)
{
	struct xpath_node *last = &tree->nodes[tree->count - 1];

	if (!text.len)
		return;
	if (last->kind == XPATH_TEXT && last->parent == tree->open) {
		char *joined = arena_alloc(tree->arena, last->text.len + text.len + 1);

		memcpy(joined, last->text.data, last->text.len);
		memcpy(joined + last->text.len, text.data, text.len);
		last->text = span_make(joined, last->text.len + text.len);
		return;
	}
	add(tree, XPATH_TEXT)->text = arena_span(tree->arena, text);
}

void xpath_tree_comment(struct xpath_tree *tree, struct span text)
{
	add(tree, XPATH_COMMENT)->text = arena_span(tree->arena, text);
}

void xpath_tree_instruction(struct xpath_tree *tree, struct span target, struct span data)
{
	uint32_t name = intern(tree, SPAN_NONE, target, SPAN_NONE);
	struct xpath_node *node = add(tree, XPATH_INSTRUCTION);

	node->name = name;
	node->text = arena_span(tree->arena, data);
}

void xpath_tree_end(struct xpath_tree *tree)
{
	tree->nodes[tree->open].end = (uint32_t)tree->count;
	tree->open = tree->nodes[tree->open].parent;
}

void xpath_tree_done(struct xpath_tree *tree)
{
	tree->nodes[0].end = (uint32_t)tree->count;
}

/* ---- several */
void xpath_tree_join(struct xpath_tree *tree, const struct xpath_tree *other)
{
	uint32_t base = (uint32_t)tree->count, count = other->nodes[0].end;
	uint32_t *names = mem_alloc(other->names_count * sizeof *names);

	for (size_t i = 1; i < other->names_count; i++)
		names[i] = intern(tree, other->names[i].uri, other->names[i].local, other->names[i].prefix);
	tree->nodes = mem_grow(tree->nodes, &tree->capacity, tree->count + count, sizeof *tree->nodes);
	for (uint32_t i = 0; i < count; i++) {
		struct xpath_node *node = &tree->nodes[base + i];

		*node = other->nodes[i];
		node->name = names[node->name];
		node->parent += base;
		node->end += base;
	}
	tree->count += count;
	tree->joined = mem_grow(tree->joined, &tree->joined_capacity, tree->joined_count + 1, sizeof *tree->joined);
	tree->joined[tree->joined_count++] = base;
	free(names);
}

void xpath_tree_part(struct xpath_tree *tree)
{
	tree->count = tree->nodes[0].end;
	tree->joined_count = 0;
}

/* ---- reading one */
uint32_t xpath_tree_root(const struct xpath_tree *tree, uint32_t node)
{
	if (node < tree->nodes[0].end)
		return 0;
	while (tree->nodes[node].kind != XPATH_DOCUMENT)
		node = tree->nodes[node].parent;
	return node;
}

uint32_t xpath_tree_first(const struct xpath_tree *tree, uint32_t node)
{
	const struct xpath_node *of = &tree->nodes[node];
	uint32_t first = node + 1 + of->attributes;

	return of->kind <= XPATH_ELEMENT && first < of->end ? first : 0;
}

uint32_t xpath_tree_next(const struct xpath_tree *tree, uint32_t node)
{
	const struct xpath_node *of = &tree->nodes[node];

	if (of->kind == XPATH_ATTRIBUTE || of->kind == XPATH_DOCUMENT)
		return 0;
	return of->end < tree->nodes[of->parent].end ? of->end : 0;
}

struct span xpath_tree_value(const struct xpath_tree *tree, uint32_t node, struct arena *arena)
{
	const struct xpath_node *of = &tree->nodes[node];
	struct span one = {"", 0};
	size_t size = 0, texts = 0;
	char *all;

	if (of->kind > XPATH_ELEMENT)
		return of->text.data ? of->text : one;
	for (uint32_t i = node + 1; i < of->end; i++)
		if (tree->nodes[i].kind == XPATH_TEXT) {
			one = tree->nodes[i].text;
			size += one.len;
			texts++;
		}
	if (texts < 2)
		return one;
	all = arena_alloc(arena, size + 1);
	size = 0;
	for (uint32_t i = node + 1; i < of->end; i++)
		if (tree->nodes[i].kind == XPATH_TEXT) {
			memcpy(all + size, tree->nodes[i].text.data, tree->nodes[i].text.len);
			size += tree->nodes[i].text.len;
		}
	return span_make(all, size);
}

static void put_name(const struct xpath_tree *tree, uint32_t name, struct buf *into)
{
	if (tree->names[name].prefix.len) {
		buf_span(into, tree->names[name].prefix);
		buf_char(into, ':');
	}
	buf_span(into, tree->names[name].local);
}

/* Which of its brothers of the same kind and name it is, and whether there are others. */
static void put_number(const struct xpath_tree *tree, uint32_t node, struct buf *into)
{
	const struct xpath_node *of = &tree->nodes[node];
	unsigned all = 0, at = 0;

	for (uint32_t i = xpath_tree_first(tree, of->parent); i; i = xpath_tree_next(tree, i))
		if (tree->nodes[i].kind == of->kind && tree->nodes[i].name == of->name) {
			all++;
			if (i == node)
				at = all;
		}
	if (all > 1)
		buf_printf(into, "[%u]", at);
}

void xpath_tree_place(const struct xpath_tree *tree, uint32_t node, struct buf *into)
{
	const struct xpath_node *of = &tree->nodes[node];

	if (!node) {
		if (!into->len)
			buf_char(into, '/');
		return;
	}
	if (of->parent)
		xpath_tree_place(tree, of->parent, into);
	buf_char(into, '/');
	if (of->kind == XPATH_ATTRIBUTE) {
		buf_char(into, '@');
		put_name(tree, of->name, into);
		return;
	}
	if (of->kind == XPATH_ELEMENT)
		put_name(tree, of->name, into);
	else
		buf_text(into, of->kind == XPATH_TEXT      ? "text()"
			       : of->kind == XPATH_COMMENT ? "comment()"
							   : "processing-instruction()");
	put_number(tree, node, into);
}

struct span xpath_tree_get(const struct xpath_tree *tree, uint32_t element, const char *attribute)
{
	for (uint32_t i = 0; i < tree->nodes[element].attributes; i++) {
		const struct xpath_node *node = &tree->nodes[element + 1 + i];

		if (!tree->names[node->name].uri.len && span_is(tree->names[node->name].local, attribute))
			return node->text.data ? node->text : SPAN_LITERAL("");
	}
	return SPAN_NONE;
}

bool xpath_tree_is(const struct xpath_tree *tree, uint32_t node, const char *uri, const char *local)
{
	const struct xpath_name *name = &tree->names[tree->nodes[node].name];

	return tree->nodes[node].kind == XPATH_ELEMENT && span_is(name->uri, uri) &&
	       (!local || span_is(name->local, local));
}
