/* Steps of paths: the axes, the tests of nodes, the predicates. */
#include "config.h"
#include "transformers/xpath/xpath_private.h"

bool xpath_matches(const struct xpath_run *run, const struct xpath_test *test, enum xpath_axis axis, uint32_t node)
{
	const struct xpath_node *of = &run->tree->nodes[node];
	bool attributes = axis == XPATH_ATTRIBUTES || axis == XPATH_DESCENDANT_ATTRIBUTES;
	enum xpath_kind kind = attributes ? XPATH_ATTRIBUTE : XPATH_ELEMENT;
	const struct xpath_name *name;

	if (test->kind == -2)
		return true;
	if (test->kind >= 0)
		kind = (enum xpath_kind)test->kind;
	if (of->kind != kind)
		return false;
	if (kind != XPATH_ELEMENT && kind != XPATH_ATTRIBUTE && kind != XPATH_INSTRUCTION)
		return true;
	if (test->number >= 0)
		return of->name == run->names[test->number];
	name = &run->tree->names[of->name];
	return (test->any_uri || span_equal(test->uri, name->uri)) &&
	       (test->any_local || span_equal(test->local, name->local));
}

struct found {
	struct xpath_run *run;
	const struct xpath_expr *step;
	struct xpath_seq seq;
	size_t capacity;
	bool failed;
};

static void visit(struct found *found, uint32_t node)
{
	struct xpath_run *run = found->run;

	if (found->failed || !xpath_matches(run, &found->step->test, found->step->axis, node))
		return;
	if (found->seq.count >= found->capacity) {
		size_t capacity = found->capacity ? found->capacity * 2 : 4;
		struct xpath_item *items = xpath_items(run, capacity);

		if (found->seq.count)
			memcpy(items, found->seq.items, found->seq.count * sizeof *items);
		found->seq.items = items;
		found->capacity = capacity;
		found->failed = xpath_tick(run, found->seq.count) != 0;
	}
	found->seq.items[found->seq.count++] = (struct xpath_item){.type = XPATH_NODE, .node = node};
}

/* All nodes of a range but attributes. */
static void visit_range(struct found *found, uint32_t from, uint32_t to)
{
	if (to > from && xpath_tick(found->run, (to - from) / 4))
		found->failed = true;
	for (uint32_t i = from; i < to && !found->failed; i++)
		if (found->run->tree->nodes[i].kind != XPATH_ATTRIBUTE)
			visit(found, i);
}

static void visit_attributes(struct found *found, uint32_t from, uint32_t to)
{
	if (xpath_tick(found->run, (to - from) / 4))
		found->failed = true;
	for (uint32_t i = from + 1; i < to && !found->failed; i++)
		if (found->run->tree->nodes[i].kind == XPATH_ATTRIBUTE)
			visit(found, i);
}

static void children(struct found *found, uint32_t node)
{
	const struct xpath_tree *tree = found->run->tree;
	size_t steps = 0;

	for (uint32_t i = xpath_tree_first(tree, node); i && !found->failed; i = xpath_tree_next(tree, i), steps++)
		visit(found, i);
	if (xpath_tick(found->run, steps))
		found->failed = true;
}

static void siblings(struct found *found, uint32_t node, bool behind)
{
	const struct xpath_tree *tree = found->run->tree;
	size_t start, n, steps = 0;

	if (tree->nodes[node].kind == XPATH_ATTRIBUTE || tree->nodes[node].kind == XPATH_DOCUMENT)
		return;
	if (behind) {
		for (uint32_t i = xpath_tree_next(tree, node); i && !found->failed;
		     i = xpath_tree_next(tree, i), steps++)
			visit(found, i);
	} else {
		start = found->seq.count;
		for (uint32_t i = xpath_tree_first(tree, tree->nodes[node].parent); i != node && !found->failed;
		     i = xpath_tree_next(tree, i), steps++)
			visit(found, i);
		n = found->seq.count;
		for (size_t i = start; i + 1 < n; i++, n--) {
			struct xpath_item item = found->seq.items[i];

			found->seq.items[i] = found->seq.items[n - 1];
			found->seq.items[n - 1] = item;
		}
	}
	if (xpath_tick(found->run, steps))
		found->failed = true;
}

static void ancestors(struct found *found, uint32_t node)
{
	const struct xpath_tree *tree = found->run->tree;

	while (tree->nodes[node].kind != XPATH_DOCUMENT) {
		node = tree->nodes[node].parent;
		visit(found, node);
	}
}

static bool is_ancestor(const struct xpath_tree *tree, uint32_t node, uint32_t of)
{
	return node <= of && of < tree->nodes[node].end;
}

/* In reverse order, without ancestors and attributes. */
static void preceding(struct found *found, uint32_t node)
{
	const struct xpath_tree *tree = found->run->tree;
	uint32_t root = xpath_tree_root(tree, node);

	if (xpath_tick(found->run, (node - root) / 4))
		found->failed = true;
	for (uint32_t i = node; i > root && !found->failed; i--)
		if (tree->nodes[i - 1].kind != XPATH_ATTRIBUTE && !is_ancestor(tree, i - 1, node))
			visit(found, i - 1);
}

static void walk(struct found *found, uint32_t node)
{
	const struct xpath_tree *tree = found->run->tree;
	const struct xpath_node *of = &tree->nodes[node];
	bool below = of->kind <= XPATH_ELEMENT;

	switch (found->step->axis) {
	case XPATH_CHILD:
		children(found, node);
		break;
	case XPATH_DESCENDANT_OR_SELF:
		visit(found, node);
		/* fall through */
	case XPATH_DESCENDANT:
		if (below)
			visit_range(found, node + 1, of->end);
		break;
	case XPATH_ATTRIBUTES:
		for (uint32_t i = 0; below && i < of->attributes; i++)
			visit(found, node + 1 + i);
		break;
	case XPATH_DESCENDANT_ATTRIBUTES:
		visit_attributes(found, node, of->end);
		break;
	case XPATH_SELF:
		visit(found, node);
		break;
	case XPATH_FOLLOWING_SIBLING:
		siblings(found, node, true);
		break;
	case XPATH_FOLLOWING:
		visit_range(found, of->kind == XPATH_ATTRIBUTE ? node + 1 : of->end,
			    tree->nodes[xpath_tree_root(tree, node)].end);
		break;
	case XPATH_PARENT:
		if (of->kind != XPATH_DOCUMENT)
			visit(found, of->parent);
		break;
	case XPATH_ANCESTOR_OR_SELF:
		visit(found, node);
		/* fall through */
	case XPATH_ANCESTOR:
		ancestors(found, node);
		break;
	case XPATH_PRECEDING_SIBLING:
		siblings(found, node, false);
		break;
	case XPATH_PRECEDING:
		preceding(found, node);
		break;
	}
}

/* A number is a place; everything else is true or not. */
static int holds(struct xpath_run *run, const struct xpath_expr *predicate, const struct xpath_focus *focus,
		 bool *truth)
{
	struct xpath_seq seq;

	if (predicate->op == XPATH_OP_OR || predicate->op == XPATH_OP_AND || predicate->op == XPATH_OP_GENERAL)
		return xpath_test(run, predicate, focus, truth);
	if (xpath_eval(run, predicate, focus, &seq))
		return -1;
	if (seq.count != 1 || !xpath_is_number(&seq.items[0]))
		return xpath_truth(run, &seq, truth);
	*truth = xpath_real_of(&seq.items[0]) == (double)focus->position;
	return 0;
}

/* What stands in it is judged strictly again. */
static int holds_in_pattern(struct xpath_run *run, const struct xpath_expr *predicate, const struct xpath_focus *focus,
			    bool *truth)
{
	struct error *before = run->error, error;
	int failed;

	run->lenient = false;
	run->error = &error;
	failed = holds(run, predicate, focus, truth);
	run->lenient = true;
	run->error = before;
	if (!failed)
		return 0;
	if (strcmp(error.code, "xpath.value") != 0) {
		if (before)
			*before = error;
		return -1;
	}
	if (run->skipped && run->skipped->class == ERROR_NONE)
		*run->skipped = error;
	*truth = false;
	return 0;
}

/* It leaves nothing behind but its truth. */
static int holds_cleanly(struct xpath_run *run, const struct xpath_expr *predicate, const struct xpath_focus *focus,
			 bool *truth)
{
	struct arena *arena = run->arena;
	struct arena_mark mark = arena_mark(arena);
	int failed =
		run->lenient ? holds_in_pattern(run, predicate, focus, truth) : holds(run, predicate, focus, truth);

	arena_rewind(arena, mark);
	return failed;
}

int xpath_predicates(struct xpath_run *run, const struct xpath_expr *expr, size_t first, struct xpath_seq *seq)
{
	for (size_t p = first; p < expr->count; p++) {
		struct xpath_focus focus = {.size = seq->count};
		size_t n = 0;

		for (size_t i = 0; i < seq->count; i++) {
			bool truth;

			focus.item = seq->items[i];
			focus.position = i + 1;
			if (holds_cleanly(run, expr->kids[p], &focus, &truth))
				return -1;
			if (truth)
				seq->items[n++] = seq->items[i];
		}
		seq->count = n;
	}
	return 0;
}

int xpath_step(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
	       struct xpath_seq *out)
{
	struct found found = {.run = run, .step = expr};

	if (focus->none || focus->item.type != XPATH_NODE)
		return xpath_fault(run, focus->none ? "there is no context here, as in the body of a function"
						    : "a step of a path starts from a value that is no node");
	walk(&found, focus->item.node);
	if (found.failed || xpath_predicates(run, expr, 0, &found.seq))
		return -1;
	for (size_t i = 0, n = found.seq.count; expr->axis >= XPATH_ANCESTOR && i + 1 < n; i++, n--) {
		struct xpath_item item = found.seq.items[i];

		found.seq.items[i] = found.seq.items[n - 1];
		found.seq.items[n - 1] = item;
	}
	*out = found.seq;
	return 0;
}
