/* Fuzz target: any bytes through unzip or gunzip; the first byte chooses. */
#include "config.h"
#include "tests/fuzz/chain.h"

static struct chain *chain_of(const struct transformer_ops *ops)
{
	static struct arena *arena; /* of all of them, as long as the program */
	struct node node = {.type = NODE_MAP};
	struct findings findings;
	struct option_context context = {.findings = &findings};
	struct chain_step step = {.ops = ops, .label = "step"};
	struct error error;
	struct chain *chain;

	if (!arena)
		arena = arena_new();
	context.arena = arena;
	step.settings = arena_alloc(arena, ops->settings_size);
	findings_init(&findings);
	if (option_fill(&context, &node, ops->options, NULL, (void *)(uintptr_t)step.settings))
		abort();
	chain = chain_new("fuzz", &step, 1, NULL, &(struct chain_limits){.document_max = 1 << 20}, &error);
	if (!chain)
		abort();
	findings_free(&findings);
	return chain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct chain *chains[2];
	struct chain_hand hand = {.write = forget_bytes};
	struct chain_report report;
	struct reader *body;
	struct error error;

	if (!size)
		return 0;
	if (!chains[0]) {
		chains[0] = chain_of(&unzip_transformer);
		chains[1] = chain_of(&gunzip_transformer);
	}
	body = reader_new_copy(span_make(data + 1, size - 1));
	if (chain_run_by_hand(chains[data[0] & 1], body, SPAN_NONE, SPAN_NONE, &hand, &report, &error) ||
	    report.outputs + report.dead + report.dropped == 0)
		abort();
	reader_unref(body);
	return 0;
}
