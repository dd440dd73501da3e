/* The chain of a flow, as config read it. See chain.h. */
#include "config.h"
#include "transformers/chain.h"

#include <stdlib.h>

#include "config/site.h"

static const json_t *contract_of(void *site, const char *name)
{
	const struct contract *contract = site_contract_at(site, name);

	return contract ? contract->schema : NULL;
}

static const struct lookup_table *table_of(void *site, const char *name, struct error *error)
{
	return site_table(site, name, error);
}

static struct chain_step *steps_of(struct arena *, const struct step *, size_t n);

static void branch_of(struct arena *arena, const struct branch *from, struct chain_branch *into)
{
	*into = (struct chain_branch){from->topic, from->label, steps_of(arena, from->steps, from->steps_count),
				      from->steps_count};
}

static struct chain_step *steps_of(struct arena *arena, const struct step *from, size_t n)
{
	struct chain_step *steps = arena_alloc(arena, (n + 1) * sizeof *steps);

	for (size_t i = 0; i < n; i++) {
		const struct step *step = &from[i];
		struct chain_branch *branches = arena_alloc(arena, (step->branches_count + 2) * sizeof *branches);

		for (size_t k = 0; k < step->branches_count; k++)
			branch_of(arena, &step->branches[k], &branches[k]);
		if (step->on_reject)
			branch_of(arena, step->on_reject, &branches[step->branches_count]);
		steps[i] = (struct chain_step){.ops = step->ops,
					       .settings = step->settings,
					       .label = step->label,
					       .used = step->used,
					       .branches = branches,
					       .branches_count = step->branches_count,
					       .on_reject = step->on_reject ? &branches[step->branches_count] : NULL};
	}
	return steps;
}

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	return site_file(site, folder, name);
}

struct chain *chain_of_flow_new(const struct site *site, const struct flow *flow, size_t number, struct error *error)
{
	struct transformer_context context = {
		.site = (void *)(uintptr_t)site, .contract = contract_of, .table = table_of, .file = file_of,
		.secrets = site->secrets_path, .keys = site->keys_path};
	struct chain_limits limits = {
		.document_max = site->limits.document_max,
		.tree_max = (size_t)site->limits.tree_max,
		.step = {.time_ms = site->limits.step_time_ms, .memory = (size_t)site->limits.step_memory}};
	const struct segment *segment = &flow->segments[number];
	struct arena *arena = arena_new();
	char *spill = mem_printf("%s/tmp", site->vault_path);
	struct chain *chain;

	limits.spill = spill;
	chain =
		chain_new(flow->name, steps_of(arena, flow->steps + segment->first, segment->count), segment->count,
			  &context, &limits, error);

	arena_free(arena);
	free(spill);
	return chain;
}
