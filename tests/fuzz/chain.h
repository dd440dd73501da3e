/* A chain of one step for fuzz targets: a format with its settings, whose lines must all be JSON. */
#ifndef FERRULE_TESTS_FUZZ_CHAIN_H
#define FERRULE_TESTS_FUZZ_CHAIN_H

#include <stdlib.h>

#include "base/tree.h"
#include "transformers/chain.h"
#include "transformers/transformers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_key {
	const char *name, *value;
};

static inline int forget_bytes(void *arg, struct span bytes, struct error *error)
{
	return 0;
}

/* Each piece is lines, or the line end behind them. */
static inline int take_lines(void *arg, struct span bytes, struct error *error)
{
	while (bytes.len > 1) {
		const char *end = memchr(bytes.data, '\n', bytes.len);
		size_t len = end ? (size_t)(end - bytes.data) : bytes.len;
		json_t *tree = tree_parse_new(span_make(bytes.data, len), error);

		if (!tree)
			abort();
		json_decref(tree);
		len += end != NULL;
		bytes = span_make(bytes.data + len, bytes.len - len);
	}
	return 0;
}

static inline void fuzz_step(const struct transformer_ops *ops, const struct fuzz_key *keys, size_t n,
			     const struct transformer_context *surroundings, struct span media_type, struct span in)
{
	struct node values[16] = {{0}}, node = {.type = NODE_MAP, .count = n};
	struct pair pairs[16];
	struct findings findings;
	struct option_context context = {.arena = arena_new(), .findings = &findings};
	struct chain_step step = {
		.ops = ops, .settings = arena_alloc(context.arena, ops->settings_size), .label = ops->name};
	struct chain_hand hand = {.write = ops == &decode_transformer ? take_lines : forget_bytes};
	struct reader *body = reader_new_copy(in);
	struct chain_report report;
	struct error error;
	struct chain *chain;

	for (size_t i = 0; i < n; i++) {
		values[i] = (struct node){.type = NODE_SCALAR, .text = span_of(keys[i].value)};
		pairs[i] = (struct pair){{.type = NODE_SCALAR, .text = span_of(keys[i].name)}, &values[i]};
	}
	node.pairs = pairs;
	findings_init(&findings);
	if (option_fill(&context, &node, ops->options, NULL, (void *)(uintptr_t)step.settings) ||
	    (ops->check(step.settings, surroundings, node.place, &findings) && findings.errors))
		abort();
	chain = chain_new("fuzz", &step, 1, surroundings, NULL, &error);
	/* Everything must have come of something: nothing may vanish. */
	if (!chain || chain_run_by_hand(chain, body, SPAN_NONE, media_type, &hand, &report, &error) ||
	    report.outputs + report.dead + report.dropped == 0)
		abort();
	chain_free(chain);
	reader_unref(body);
	findings_free(&findings);
	arena_free(context.arena);
}

static inline void fuzz_decode(const struct fuzz_key *keys, size_t n, const uint8_t *data, size_t size)
{
	fuzz_step(&decode_transformer, keys, n, NULL, SPAN_NONE, span_make(data, size));
}

#endif
