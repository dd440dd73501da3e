/* Making a chain ready: its steps and those of its branches lie in one row, each knowing what follows it. See chain.h.
 */
#include "config.h"
#include "transformers/chain.h"

#include <stdlib.h>

#include "transformers/chain_private.h"

#define DEFAULT_TREE_MAX (64u << 20)
#define DEFAULT_OUTPUTS_MAX 1000000
#define DEFAULT_DOCUMENT_MAX (UINT64_C(10) << 30)
#define STEPS_MAX 300 /* with those of branches */

static size_t count_steps(const struct chain_step *, size_t n);

static size_t count_branch(const struct chain_branch *branch)
{
	return branch ? count_steps(branch->steps, branch->steps_count) : 0;
}

static size_t count_steps(const struct chain_step *steps, size_t n)
{
	size_t count = n;

	for (size_t i = 0; i < n; i++) {
		count += count_branch(steps[i].on_reject);
		for (size_t k = 0; k < steps[i].branches_count; k++)
			count += count_branch(&steps[i].branches[k]);
	}
	return count;
}

struct opening {
	struct chain *chain;
	const struct transformer_context *context;
	struct error *error;
};

static int open_way(struct opening *, struct way *, const struct chain_step *, size_t n);

static int open_branch(struct opening *o, struct way *way, const struct chain_branch *branch)
{
	way->topic = branch->topic;
	way->label = branch->label;
	return open_way(o, way, branch->steps, branch->steps_count);
}

static int open_branches(struct opening *o, struct flat_step *flat, const struct chain_step *step)
{
	struct arena *arena = o->chain->arena;

	flat->branches = arena_alloc(arena, (step->branches_count + 1) * sizeof *flat->branches);
	flat->branches_count = step->branches_count;
	for (size_t i = 0; i < step->branches_count; i++)
		if (open_branch(o, &flat->branches[i], &step->branches[i]))
			return -1;
	if (!step->on_reject)
		return 0;
	flat->on_reject = arena_alloc(arena, sizeof *flat->on_reject);
	return open_branch(o, flat->on_reject, step->on_reject);
}

static int open_step(struct opening *o, const struct way *way, const struct chain_step *step)
{
	struct chain *chain = o->chain;
	struct flat_step *flat = &chain->steps[chain->count];

	/* A step without open runs on its settings, which it only reads. */
	flat->self = step->ops->open ? step->ops->open(step->settings, o->context, o->error)
				     : (void *)(uintptr_t)step->settings;
	if (!flat->self && step->ops->open)
		return error_wrap(o->error, "step %s", step->label);
	flat->ops = step->ops;
	flat->label = step->label;
	flat->used = step->used;
	flat->way = way;
	flat->next = CHAIN_END;
	flat->out = (struct out){.chain = chain, .index = chain->count, .arena = arena_new()};
	chain->count++;
	return open_branches(o, flat, step);
}

static int open_way(struct opening *o, struct way *way, const struct chain_step *steps, size_t n)
{
	size_t last = CHAIN_END;

	way->first = n ? o->chain->count : CHAIN_END;
	for (size_t i = 0; i < n; i++) {
		size_t index = o->chain->count;

		if (last != CHAIN_END)
			o->chain->steps[last].next = index;
		last = index;
		if (open_step(o, way, &steps[i]))
			return -1;
	}
	return 0;
}

struct chain *chain_new(const char *flow, const struct chain_step *steps, size_t n,
			const struct transformer_context *context, const struct chain_limits *limits,
			struct error *error)
{
	struct chain *chain = mem_alloc(sizeof *chain);
	struct opening opening = {chain, context, error};
	size_t count = count_steps(steps, n);

	chain->arena = arena_new();
	if (limits)
		chain->limits = *limits;
	if (chain->limits.spill)
		chain->limits.spill = arena_strdup(chain->arena, limits->spill);
	if (!chain->limits.tree_max)
		chain->limits.tree_max = DEFAULT_TREE_MAX;
	if (!chain->limits.outputs_max)
		chain->limits.outputs_max = DEFAULT_OUTPUTS_MAX;
	if (!chain->limits.document_max)
		chain->limits.document_max = DEFAULT_DOCUMENT_MAX;
	chain->flow = flow;
	chain->way.label = "out";
	chain->steps = mem_alloc((count + 1) * sizeof *chain->steps);
	if (count > STEPS_MAX)
		error_set(error, ERROR_REJECT, "chain.steps", "%zu steps, the limit is %d", count, STEPS_MAX);
	if (count <= STEPS_MAX && !open_way(&opening, &chain->way, steps, n))
		return chain;
	chain_free(chain);
	return NULL;
}

void chain_free(struct chain *chain)
{
	if (!chain)
		return;
	for (size_t i = 0; i < chain->count; i++) {
		if (chain->steps[i].ops->open && chain->steps[i].ops->close)
			chain->steps[i].ops->close(chain->steps[i].self);
		arena_free(chain->steps[i].out.arena);
	}
	free(chain->steps);
	arena_free(chain->arena);
	free(chain);
}
