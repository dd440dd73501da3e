/* Evaluating expressions. Work is counted, not time, so that the same document always ends in the same way. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>

#include "transformers/schema/schema_pattern.h"
#include "transformers/xpath/xpath_private.h"

#define NESTED_MAX 4000

int xpath_fault(struct xpath_run *run, const char *format, ...)
{
	char what[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	return error_set(run->error, ERROR_REJECT, "xpath.value", "%s", what);
}

int xpath_tick(struct xpath_run *run, size_t steps)
{
	size_t before = run->work;

	run->work += steps + 1;
	if (run->work > XPATH_WORK_MAX)
		return error_set(run->error, ERROR_REJECT, "xpath.work", "more than %u steps for one document",
				 XPATH_WORK_MAX);
	if (before >> 12 != run->work >> 12 &&
	    arena_size(run->scratch) + arena_size(run->kept) + arena_size(run->lasting) > XPATH_MEMORY_MAX)
		return error_set(run->error, ERROR_REJECT, "xpath.work", "more than %u MiB of memory for one document",
				 XPATH_MEMORY_MAX >> 20);
	return 0;
}

/* ---- growing sequences */
struct growing {
	struct xpath_seq seq;
	size_t capacity;
};

static int add(struct xpath_run *run, struct growing *all, const struct xpath_item *items, size_t count)
{
	if (xpath_tick(run, count))
		return -1;
	if (all->seq.count + count > all->capacity) {
		size_t capacity = (all->seq.count + count) * 2 + 4;
		struct xpath_item *grown = xpath_items(run, capacity);

		if (all->seq.count)
			memcpy(grown, all->seq.items, all->seq.count * sizeof *grown);
		all->seq.items = grown;
		all->capacity = capacity;
	}
	if (count)
		memcpy(all->seq.items + all->seq.count, items, count * sizeof *items);
	all->seq.count += count;
	return 0;
}

/* ---- nodes in document order, each once */
int xpath_by_order(const void *a, const void *b)
{
	uint32_t x = ((const struct xpath_item *)a)->node, y = ((const struct xpath_item *)b)->node;

	return x < y ? -1 : x > y;
}

int xpath_nodes_only(struct xpath_run *run, const struct xpath_seq *seq, const char *what)
{
	for (size_t i = 0; i < seq->count; i++)
		if (seq->items[i].type != XPATH_NODE)
			return xpath_fault(run, "%s are asked for by %s, and there is %s", "nodes", what,
					   xpath_type_name(seq->items[i].type));
	return 0;
}

static int sort(struct xpath_run *run, struct xpath_seq *seq)
{
	bool sorted = true;
	size_t n = 0;

	for (size_t i = 1; i < seq->count && sorted; i++)
		sorted = seq->items[i - 1].node < seq->items[i].node;
	if (sorted)
		return 0;
	if (xpath_tick(run, seq->count * 4))
		return -1;
	qsort(seq->items, seq->count, sizeof *seq->items, xpath_by_order);
	for (size_t i = 0; i < seq->count; i++)
		if (!n || seq->items[n - 1].node != seq->items[i].node)
			seq->items[n++] = seq->items[i];
	seq->count = n;
	return 0;
}

static int eval_path(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *out)
{
	struct xpath_focus inner = {.position = 0};
	struct growing all = {{NULL, 0}, 0}, copy = {{NULL, 0}, 0};
	struct xpath_seq left, part;
	size_t nodes = 0;

	if (xpath_eval(run, expr->kids[0], focus, &left) || xpath_nodes_only(run, &left, "/"))
		return -1;
	inner.size = left.count;
	for (size_t i = 0; i < left.count; i++) {
		inner.item = left.items[i];
		inner.position = i + 1;
		if (xpath_eval(run, expr->kids[1], &inner, &part))
			return -1;
		if (left.count == 1)
			all.seq = part;
		else if (add(run, &all, part.items, part.count))
			return -1;
	}
	*out = all.seq;
	for (size_t i = 0; i < out->count; i++)
		nodes += out->items[i].type == XPATH_NODE;
	if (nodes && nodes < out->count)
		return xpath_fault(run, "a path gives nodes and other values");
	if (!nodes)
		return 0;
	if (left.count == 1) { /* what may be a variable's */
		bool sorted = true;

		for (size_t i = 1; i < out->count && sorted; i++)
			sorted = out->items[i - 1].node < out->items[i].node;
		if (sorted)
			return 0;
		if (add(run, &copy, out->items, out->count))
			return -1;
		*out = copy.seq;
	}
	return sort(run, out);
}

static int eval_set(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		    struct xpath_seq *out)
{
	struct growing all = {{NULL, 0}, 0};
	struct xpath_seq part, left, right;
	size_t n = 0, at = 0;

	if (expr->op == XPATH_OP_UNION) {
		for (size_t i = 0; i < expr->count; i++)
			if (xpath_eval(run, expr->kids[i], focus, &part) || xpath_nodes_only(run, &part, "|") ||
			    add(run, &all, part.items, part.count))
				return -1;
		*out = all.seq;
		return sort(run, out);
	}
	if (xpath_eval(run, expr->kids[0], focus, &left) || xpath_eval(run, expr->kids[1], focus, &right) ||
	    xpath_nodes_only(run, &left, "intersect and except") ||
	    xpath_nodes_only(run, &right, "intersect and except") || add(run, &all, left.items, left.count) ||
	    sort(run, &all.seq))
		return -1;
	left = all.seq;
	all = (struct growing){{NULL, 0}, 0};
	if (add(run, &all, right.items, right.count) || sort(run, &all.seq))
		return -1;
	for (size_t i = 0; i < left.count; i++) {
		while (at < all.seq.count && all.seq.items[at].node < left.items[i].node)
			at++;
		if ((at < all.seq.count && all.seq.items[at].node == left.items[i].node) ==
		    (expr->op == XPATH_OP_INTERSECT))
			left.items[n++] = left.items[i];
	}
	*out = (struct xpath_seq){left.items, n};
	return 0;
}

/* ---- sequences */
static int eval_sequence(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
			 struct xpath_seq *out)
{
	struct growing all = {{NULL, 0}, 0};
	struct xpath_seq part;

	if (expr->count == 1)
		return xpath_eval(run, expr->kids[0], focus, out);
	for (size_t i = 0; i < expr->count; i++)
		if (xpath_eval(run, expr->kids[i], focus, &part) || add(run, &all, part.items, part.count))
			return -1;
	*out = all.seq;
	return 0;
}

/* ---- variables and functions */
static int eval_for(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		    struct xpath_seq *out)
{
	struct growing all = {{NULL, 0}, 0};
	struct xpath_seq over, part;

	if (xpath_eval(run, expr->kids[0], focus, &over))
		return -1;
	for (size_t i = 0; i < over.count; i++) {
		run->slots[expr->sub] = (struct xpath_seq){&over.items[i], 1};
		if (xpath_eval(run, expr->kids[1], focus, &part) || add(run, &all, part.items, part.count))
			return -1;
	}
	*out = all.seq;
	return 0;
}

static int test_some(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus, bool *truth)
{
	bool every = expr->op == XPATH_OP_EVERY, one_truth;
	struct xpath_seq over;

	*truth = every;
	if (xpath_eval(run, expr->kids[0], focus, &over))
		return -1;
	for (size_t i = 0; i < over.count && *truth == every; i++) {
		struct arena_mark mark = arena_mark(run->arena);

		run->slots[expr->sub] = (struct xpath_seq){&over.items[i], 1};
		if (xpath_test(run, expr->kids[1], focus, &one_truth))
			return -1;
		arena_rewind(run->arena, mark);
		*truth = one_truth;
	}
	return 0;
}

static int eval_op(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		   struct xpath_seq *out);

static int eval_let(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		    struct xpath_seq *out)
{
	struct xpath_seq value;

	if (xpath_eval(run, expr->kids[0], focus, &value))
		return -1;
	run->slots[expr->sub] = value;
	return xpath_eval(run, expr->kids[1], focus, out);
}

static int eval_user(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *out)
{
	static const struct xpath_focus nowhere = {.none = true};
	const struct xpath_function *function = expr->function;
	struct xpath_seq *slots, *before = run->slots;
	int failed;

	slots = arena_alloc(run->arena, XPATH_SLOTS_MAX * sizeof *slots);
	for (size_t i = 0; i < expr->count; i++)
		if (xpath_eval(run, expr->kids[i], focus, &slots[i]) ||
		    xpath_convert(run, &slots[i], &function->types[i], "an argument of a function"))
			return -1;
	if (!function->body)
		return xpath_fault(run, "a function has no body");
	run->slots = slots;
	failed = xpath_eval(run, function->body, &nowhere, out);
	run->slots = before;
	return failed ? -1 : xpath_convert(run, out, &function->result, "the result of a function");
}

/* Keeps the value as long as the document, and nothing of what it took to find it. */
static struct xpath_seq keep(struct xpath_run *run, const struct xpath_seq *seq)
{
	struct xpath_seq kept = {arena_alloc(run->lasting, (seq->count + 1) * sizeof *kept.items), seq->count};

	for (size_t i = 0; i < seq->count; i++) {
		kept.items[i] = seq->items[i];
		if (kept.items[i].type == XPATH_STRING || kept.items[i].type == XPATH_UNTYPED)
			kept.items[i].text = arena_span(run->lasting, kept.items[i].text);
	}
	return kept;
}

static int eval_lasting(struct xpath_run *run, const struct xpath_expr *expr, struct xpath_value *value,
			const struct xpath_focus *focus)
{
	struct xpath_seq found = {NULL, 0};
	int failed;

	if (value->state == XPATH_MAKING)
		return xpath_fault(run, "a variable depends on itself");
	value->state = XPATH_MAKING;
	failed = expr ? expr->cache >= 0 ? eval_op(run, expr, focus, &found) : xpath_eval(run, expr, focus, &found) : 0;
	value->value = keep(run, &found);
	value->state = failed ? XPATH_UNKNOWN : XPATH_KNOWN;
	return failed;
}

static int eval_global(struct xpath_run *run, const struct xpath_expr *expr, struct xpath_seq *out)
{
	static const struct xpath_focus document = {.item = {.type = XPATH_NODE}, .position = 1, .size = 1};
	struct xpath_value *value = &run->globals[expr->sub];
	struct xpath_seq *before = run->slots;
	uint32_t current = run->current;
	int failed = 0;

	if (value->state != XPATH_KNOWN) {
		run->slots = arena_alloc(run->lasting, XPATH_SLOTS_MAX * sizeof *run->slots);
		run->current = 0;
		failed = eval_lasting(run, run->program->globals[expr->sub].value, value, &document);
		run->slots = before;
		run->current = current;
	}
	*out = value->value;
	return failed;
}

/* ---- types */
static int eval_cast(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *out)
{
	struct xpath_seq seq;
	struct xpath_item item;

	if (xpath_eval(run, expr->kids[0], focus, &seq) || xpath_atoms(run, &seq))
		return -1;
	*out = (struct xpath_seq){NULL, 0};
	if (!seq.count && expr->type.times == '?')
		return 0;
	if (seq.count != 1)
		return xpath_fault(run, "%zu values cannot become %s", seq.count, xpath_type_name(expr->type.type));
	if (xpath_cast(run, seq.items[0], expr->type.type, false, &item))
		return -1;
	*out = xpath_one(run, item);
	return 0;
}

static int eval_castable(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
			 struct xpath_seq *out)
{
	struct xpath_seq seq;
	struct xpath_item item;
	bool can;

	if (xpath_eval(run, expr->kids[0], focus, &seq) || xpath_atoms(run, &seq))
		return -1;
	can = seq.count == 1 ? xpath_cast(run, seq.items[0], expr->type.type, true, &item) == 0
			     : !seq.count && expr->type.times == '?';
	*out = xpath_one(run, xpath_of_truth(can));
	return 0;
}

static int eval_typed(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		      struct xpath_seq *out)
{
	if (xpath_eval(run, expr->kids[0], focus, out))
		return -1;
	if (expr->op == XPATH_OP_INSTANCE)
		*out = xpath_one(run, xpath_of_truth(xpath_instance(run, out, &expr->type)));
	else if (expr->op == XPATH_OP_CONVERT)
		return xpath_convert(run, out, &expr->type, "a value");
	else if (!xpath_instance(run, out, &expr->type))
		return xpath_fault(run, "a value is not what `treat as` says");
	return 0;
}

/* xsl:value-of: one text of all values, with blanks between them. */
static int eval_text(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *out)
{
	struct xpath_seq seq;
	size_t size = 0, at = 0;
	struct xpath_item item = {.type = XPATH_UNTYPED};
	char *text;

	if (xpath_eval(run, expr->kids[0], focus, &seq))
		return -1;
	for (size_t i = 0; i < seq.count; i++)
		size += xpath_text_of(run, &seq.items[i]).len + 1;
	text = arena_alloc(run->arena, size + 1);
	for (size_t i = 0; i < seq.count; i++) {
		struct span part = xpath_text_of(run, &seq.items[i]);

		if (i)
			text[at++] = ' ';
		if (part.len)
			memcpy(text + at, part.data, part.len);
		at += part.len;
	}
	item.text = span_make(text, at);
	*out = xpath_one(run, item);
	return xpath_tick(run, size / 64);
}

static int eval_filter(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		       struct xpath_seq *out)
{
	struct xpath_seq seq;

	if (xpath_eval(run, expr->kids[0], focus, &seq))
		return -1;
	*out = (struct xpath_seq){xpath_items(run, seq.count), seq.count};
	if (seq.count)
		memcpy(out->items, seq.items, seq.count * sizeof *seq.items);
	return xpath_predicates(run, expr, 1, out);
}

#define CALL_MAX 16

static int eval_call(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *out)
{
	struct xpath_seq few[CALL_MAX],
		*arguments = expr->count <= CALL_MAX ? few : arena_alloc(run->arena, expr->count * sizeof *few);

	for (size_t i = 0; i < expr->count; i++)
		if (xpath_eval(run, expr->kids[i], focus, &arguments[i]))
			return -1;
	*out = (struct xpath_seq){NULL, 0};
	return expr->builtin->run(run, expr, focus, arguments, out);
}

static int eval_context(struct xpath_run *run, const struct xpath_focus *focus, struct xpath_seq *out)
{
	if (focus->none)
		return xpath_fault(run, "there is no context here, as in the body of a function");
	*out = xpath_one(run, focus->item);
	return 0;
}

static bool is_foreign(const struct xpath_run *run, const struct xpath_focus *focus)
{
	return !focus->none && focus->item.type == XPATH_NODE && focus->item.node >= run->tree->nodes[0].end;
}

static uint32_t root_of(const struct xpath_run *run, const struct xpath_focus *focus)
{
	return is_foreign(run, focus) ? xpath_tree_root(run->tree, focus->item.node) : 0;
}

static int eval_document(struct xpath_run *run, const struct xpath_expr *expr, struct xpath_seq *out)
{
	if ((size_t)expr->sub >= run->tree->joined_count)
		return xpath_fault(run, "another document is not at hand");
	*out = xpath_one(run, (struct xpath_item){.type = XPATH_NODE, .node = run->tree->joined[expr->sub]});
	return 0;
}

/* Those that give a truth, which needs no sequence. */
static int test_op(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus, bool *truth)
{
	struct xpath_seq left, right;

	switch (expr->op) {
	case XPATH_OP_OR:
	case XPATH_OP_AND:
		*truth = expr->op == XPATH_OP_AND;
		for (size_t i = 0; i < expr->count && *truth == (expr->op == XPATH_OP_AND); i++)
			if (xpath_test(run, expr->kids[i], focus, truth))
				return -1;
		return 0;
	case XPATH_OP_SOME:
	case XPATH_OP_EVERY:
		return test_some(run, expr, focus, truth);
	default:
		if (xpath_eval(run, expr->kids[0], focus, &left) || xpath_eval(run, expr->kids[1], focus, &right))
			return -1;
		return xpath_general(run, (enum xpath_comparison)expr->sub, left, right, truth);
	}
}

static int eval_truth(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		      struct xpath_seq *out)
{
	bool truth;

	if (test_op(run, expr, focus, &truth))
		return -1;
	*out = xpath_one(run, xpath_of_truth(truth));
	return 0;
}

static int eval_if(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		   struct xpath_seq *out)
{
	bool truth;

	if (xpath_test(run, expr->kids[0], focus, &truth))
		return -1;
	return xpath_eval(run, expr->kids[truth ? 1 : 2], focus, out);
}

static int eval_op(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		   struct xpath_seq *out)
{
	static int (*const ops[])(struct xpath_run *, const struct xpath_expr *, const struct xpath_focus *,
				  struct xpath_seq *) = {
		[XPATH_OP_SEQUENCE] = eval_sequence,
		[XPATH_OP_IF] = eval_if,
		[XPATH_OP_FOR] = eval_for,
		[XPATH_OP_SOME] = eval_truth,
		[XPATH_OP_EVERY] = eval_truth,
		[XPATH_OP_LET] = eval_let,
		[XPATH_OP_OR] = eval_truth,
		[XPATH_OP_AND] = eval_truth,
		[XPATH_OP_GENERAL] = eval_truth,
		[XPATH_OP_SINGLE] = xpath_eval_single,
		[XPATH_OP_NODES] = xpath_eval_nodes,
		[XPATH_OP_RANGE] = xpath_eval_range,
		[XPATH_OP_ARITHMETIC] = xpath_eval_arithmetic,
		[XPATH_OP_NEGATE] = xpath_eval_negate,
		[XPATH_OP_UNION] = eval_set,
		[XPATH_OP_INTERSECT] = eval_set,
		[XPATH_OP_EXCEPT] = eval_set,
		[XPATH_OP_INSTANCE] = eval_typed,
		[XPATH_OP_TREAT] = eval_typed,
		[XPATH_OP_CASTABLE] = eval_castable,
		[XPATH_OP_CAST] = eval_cast,
		[XPATH_OP_CONVERT] = eval_typed,
		[XPATH_OP_TEXT] = eval_text,
		[XPATH_OP_PATH] = eval_path,
		[XPATH_OP_STEP] = xpath_step,
		[XPATH_OP_FILTER] = eval_filter,
		[XPATH_OP_CALL] = eval_call,
		[XPATH_OP_USER] = eval_user,
	};

	switch (expr->op) {
	case XPATH_OP_LITERAL:
		*out = (struct xpath_seq){(struct xpath_item *)(uintptr_t)&expr->literal, 1};
		return 0;
	case XPATH_OP_LOCAL:
		*out = run->slots[expr->sub];
		return 0;
	case XPATH_OP_GLOBAL:
		return eval_global(run, expr, out);
	case XPATH_OP_ROOT:
		*out = xpath_one(run, (struct xpath_item){.type = XPATH_NODE, .node = root_of(run, focus)});
		return 0;
	case XPATH_OP_DOCUMENT:
		return eval_document(run, expr, out);
	case XPATH_OP_CONTEXT:
		return eval_context(run, focus, out);
	default:
		return ops[expr->op](run, expr, focus, out);
	}
}

int xpath_eval(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
	       struct xpath_seq *out)
{
	/* `/` is another document's inside of that: what is kept is of the one that is judged */
	bool cached = expr->cache >= 0 && !is_foreign(run, focus);
	int failed;

	if (xpath_tick(run, 0))
		return -1;
	if (cached && run->caches[expr->cache].state == XPATH_KNOWN) {
		*out = run->caches[expr->cache].value;
		return 0;
	}
	if (++run->depth > NESTED_MAX)
		failed = xpath_fault(run, "functions call one another more deeply than %d parts", NESTED_MAX);
	else if (cached && run->caches[expr->cache].state == XPATH_UNKNOWN) {
		struct xpath_value *value = &run->caches[expr->cache];

		failed = eval_lasting(run, expr, value, focus);
		*out = value->value;
	} else
		failed = eval_op(run, expr, focus, out);
	run->depth--;
	return failed;
}

int xpath_test(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus, bool *truth)
{
	bool gives = expr->op == XPATH_OP_OR || expr->op == XPATH_OP_AND || expr->op == XPATH_OP_SOME ||
		     expr->op == XPATH_OP_EVERY || expr->op == XPATH_OP_GENERAL;
	struct xpath_seq seq;

	if (gives && expr->cache < 0)
		return xpath_tick(run, 0) ? -1 : test_op(run, expr, focus, truth);
	if (xpath_eval(run, expr, focus, &seq))
		return -1;
	return xpath_truth(run, &seq, truth);
}
