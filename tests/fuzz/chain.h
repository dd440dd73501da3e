/* A chain of one step for fuzz targets: outputs are read and forgotten. */
#ifndef FERRULE_TESTS_FUZZ_CHAIN_H
#define FERRULE_TESTS_FUZZ_CHAIN_H

#include <stdlib.h>

#include "base/tree.h"
#include "transformers/chain.h"
#include "transformers/transformers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int forget_bytes(void *arg, struct span bytes, struct error *error)
{
	return 0;
}

static inline void run_decoder(const char *format, const uint8_t *data, size_t size)
{
	struct node node = {.type = NODE_SCALAR, .text = span_of(format)};
	struct findings findings;
	struct option_context context = {.arena = arena_new(), .findings = &findings};
	struct chain_step step = {.ops = &decode_transformer,
				  .settings = arena_alloc(context.arena, decode_transformer.settings_size),
				  .label = "decode"};
	struct chain_hand hand = {.write = forget_bytes};
	struct reader *body = reader_new_copy(span_make(data, size));
	struct chain_report report;
	struct error error;
	struct chain *chain;

	findings_init(&findings);
	if (option_fill(&context, &node, decode_transformer.options, NULL, (void *)(uintptr_t)step.settings))
		abort();
	chain = chain_new("fuzz", &step, 1, NULL, NULL, &error);
	/* Everything must have come of something: nothing may vanish. */
	if (chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error) ||
	    report.outputs + report.dead + report.dropped == 0)
		abort();
	chain_free(chain);
	reader_unref(body);
	findings_free(&findings);
	arena_free(context.arena);
}

#endif
