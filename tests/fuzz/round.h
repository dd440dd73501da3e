/* For fuzz targets and tests: what a document decodes to, encoded again, must be the same bytes unless something was
 * told. */
#ifndef FERRULE_TESTS_FUZZ_ROUND_H
#define FERRULE_TESTS_FUZZ_ROUND_H

#include <stdlib.h>

#include "base/tree.h"
#include "transformers/chain.h"
#include "transformers/transformers.h"

static int round_write(void *arg, struct span bytes, struct error *error)
{
	return buf_span(arg, bytes);
}

static struct chain *round_chain(const struct transformer_ops *ops, const char *format, struct arena *arena)
{
	struct node node = {.type = NODE_SCALAR, .text = span_of(format)};
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	struct chain_step step = {.ops = ops, .settings = arena_alloc(arena, ops->settings_size), .label = ops->name};
	struct error error;
	struct chain *chain;

	findings_init(&findings);
	if (option_fill(&context, &node, ops->options, NULL, (void *)(uintptr_t)step.settings))
		abort();
	chain = chain_new("round", &step, 1, NULL, NULL, &error);
	findings_free(&findings);
	return chain;
}

/* What comes out, appended; how many parts were refused or dropped. */
static uint64_t round_run(const struct transformer_ops *ops, const char *format, struct span in, struct buf *out)
{
	struct arena *arena = arena_new();
	struct chain *chain = round_chain(ops, format, arena);
	struct chain_hand hand = {.write = round_write, .arg = out};
	struct reader *body = reader_new_copy(in);
	struct chain_report report;
	struct error error;

	if (chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error))
		abort();
	/* Everything must have come of something: nothing may vanish. */
	if (ops == &decode_transformer && report.outputs + report.dead + report.dropped == 0)
		abort();
	chain_free(chain);
	reader_unref(body);
	arena_free(arena);
	return report.dead + report.dropped;
}

/* False: it was told that something is wrong. Otherwise *same says whether the bytes are. */
static inline bool round_trip(const char *format, struct span in, bool *same)
{
	struct buf lines, out;
	bool sound;

	buf_init(&lines, SIZE_MAX / 4);
	buf_init(&out, SIZE_MAX / 4);
	sound = round_run(&decode_transformer, format, in, &lines) == 0;
	*same = !sound || (!round_run(&encode_transformer, format, buf_view(&lines), &out) &&
			   span_equal(in, buf_view(&out)));
	buf_free(&lines);
	buf_free(&out);
	return sound;
}

#endif
