/* The evaluation of one document's expressions. See xpath.h. */
#include "config.h"
#include "transformers/xpath/xpath.h"

#include <stdlib.h>

#include "transformers/schema/schema_pattern.h"
#include "transformers/xpath/xpath_private.h"

struct xpath_run *xpath_run_new(const struct xpath_program *program, const struct xpath_tree *tree, int64_t now_ms)
{
	struct xpath_run *run = mem_alloc(sizeof *run);

	run->program = program;
	run->tree = tree;
	run->now_ms = now_ms;
	run->lasting = arena_new();
	run->scratch = arena_new();
	run->kept = arena_new();
	run->arena = run->scratch;
	run->slots = run->slots_first;
	run->names = mem_alloc((program->names_count + 1) * sizeof *run->names);
	run->globals = mem_alloc((program->globals_count + 1) * sizeof *run->globals);
	run->caches = mem_alloc((program->caches + 1) * sizeof *run->caches);
	for (size_t i = 0; i < program->names_count; i++) {
		run->names[i] = xpath_tree_name(tree, program->names[i].value, program->names[i].name);
		if (!run->names[i])
			run->names[i] = UINT32_MAX; /* which no node has */
	}
	return run;
}

void xpath_run_free(struct xpath_run *run)
{
	if (!run)
		return;
	pattern_free(run->pattern);
	arena_free(run->scratch);
	arena_free(run->kept);
	arena_free(run->lasting);
	free(run->names);
	free(run->globals);
	free(run->caches);
	free(run);
}

void xpath_run_reset(struct xpath_run *run)
{
	arena_reset(run->scratch);
	arena_reset(run->kept);
}

static void begin(struct xpath_run *run, uint32_t node, struct xpath_focus *focus, struct error *error)
{
	*focus = (struct xpath_focus){.item = {.type = XPATH_NODE, .node = node}, .position = 1, .size = 1};
	run->current = node;
	run->error = error;
	run->arena = run->scratch;
	run->slots = run->slots_first;
	run->depth = 0;
	run->lenient = false;
}

int xpath_run_test(struct xpath_run *run, const struct xpath_expr *expr, uint32_t node, bool *truth,
		   struct error *error)
{
	struct xpath_focus focus;

	arena_reset(run->scratch);
	begin(run, node, &focus, error);
	return xpath_test(run, expr, &focus, truth);
}

int xpath_run_text(struct xpath_run *run, const struct xpath_expr *expr, uint32_t node, struct span *text,
		   struct error *error)
{
	struct xpath_expr whole = {.op = XPATH_OP_TEXT, .cache = -1, .count = 1};
	struct xpath_expr *kid = (struct xpath_expr *)(uintptr_t)expr;
	struct xpath_focus focus;
	struct xpath_seq seq;

	begin(run, node, &focus, error);
	whole.kids = &kid;
	if (xpath_eval(run, &whole, &focus, &seq))
		return -1;
	*text = seq.items[0].text;
	return 0;
}

int xpath_run_slot(struct xpath_run *run, int slot, const struct xpath_expr *expr, uint32_t node, struct error *error)
{
	struct xpath_focus focus;

	begin(run, node, &focus, error);
	run->arena = run->kept;
	return xpath_eval(run, expr, &focus, &run->slots[slot]);
}

int xpath_run_nodes(struct xpath_run *run, const struct xpath_expr *expr, uint32_t **nodes, size_t *count,
		    struct error *skipped, struct error *error)
{
	struct xpath_focus focus;
	struct xpath_seq seq;

	begin(run, 0, &focus, error);
	error_clear(skipped);
	run->lenient = true;
	run->skipped = skipped;
	*nodes = NULL;
	*count = 0;
	if (xpath_eval(run, expr, &focus, &seq))
		return -1;
	*nodes = mem_alloc((seq.count + 1) * sizeof **nodes);
	for (size_t i = 0; i < seq.count; i++)
		if (seq.items[i].type == XPATH_NODE)
			(*nodes)[(*count)++] = seq.items[i].node;
	return 0;
}
