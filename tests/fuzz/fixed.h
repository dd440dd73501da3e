/* Fixed-width records for fuzz targets and tests: some layouts, and decoding and encoding again. */
#ifndef FERRULE_TESTS_FUZZ_FIXED_H
#define FERRULE_TESTS_FUZZ_FIXED_H

#include <stdlib.h>

#include "base/tree.h"
#include "transformers/chain.h"
#include "transformers/transformers.h"

#define FIXED_SMALL 8 /* bytes of a record of the layouts of fixed length below */
#define FIXED_LAYOUTS (sizeof fixed_layouts / sizeof *fixed_layouts)

static const struct fixed_layout {
	const char *name, *text;
} fixed_layouts[] = {
	{"numbers.yaml", "framing: fixed\nfields:\n"
			 "  - {name: a, length: 3, type: number, sign: leading, decimals: 1}\n"
			 "  - {name: b, length: 2, type: zoned}\n"
			 "  - {name: c, length: 2, type: packed}\n"
			 "  - {name: d, length: 1, type: binary}\n"},
	{"points.yaml", "framing: fixed\ncharset: CP1252\nfields:\n"
			"  - {name: a, length: 4, type: number, sign: trailing, point: '.', pad: ' ', decimals: 1}\n"
			"  - {name: b, length: 4, type: number, point: '.', pad: '0'}\n"},
	{"signs.yaml", "framing: fixed\ncharset: CP037\nfields:\n"
		       "  - {name: a, length: 2, type: zoned, sign: leading}\n"
		       "  - {name: b, length: 2, type: packed, sign: none, decimals: 2}\n"
		       "  - {name: c, length: 2, type: text, justify: right}\n"
		       "  - {name: d, length: 2, type: number, sign: leading, pad: ' '}\n"},
	{"groups.cpy",
	 "01 R. 05 K PIC X. 05 N PIC 9. 05 G OCCURS 0 TO 4 DEPENDING ON N. 10 X PIC X. 10 Y PIC S9 COMP-3."},
	{"choice.yaml",
	 "framing: rdw\nfields:\n"
	 "  - {name: k, length: 1}\n"
	 "  - {name: a, length: 3}\n"
	 "  - {name: b, length: 2, type: number, redefines: a, when: {field: k, is: '1'}}\n"
	 "  - {name: c, redefines: a, when: {field: k, is: ['2', '3']}, fields: [{name: x, length: 1}, {name: y, "
	 "length: 3, times: 2}]}\n"
	 "  - {name: d, at: 12, length: 6, type: date, format: YYMMDD}\n"},
	{"lines.yaml",
	 "charset: CP500\ntype: {at: 1, length: 1}\nrecords:\n"
	 "  a: {when: '1', fields: [{name: k, length: 1}, {name: t, length: 5}, {name: n, length: 3, type: number}]}\n"
	 "  b: {when: ['2', A], fields: [{name: k, length: 1}, {name: c, length: 1, times: 3}]}\n"},
};

static inline const struct span *fixed_file(void *site, const char *folder, const char *name)
{
	static struct span text;

	for (size_t i = 0; i < FIXED_LAYOUTS; i++)
		if (!strcmp(fixed_layouts[i].name, name)) {
			text = span_of(fixed_layouts[i].text);
			return &text;
		}
	return NULL;
}

static const struct transformer_context fixed_context __attribute__((unused)) = {.file = fixed_file};

static inline int fixed_take(void *arg, struct span bytes, struct error *error)
{
	return buf_span(arg, bytes);
}

static inline void fixed_step(struct chain_step *step, const struct transformer_ops *ops, const char *layout,
			      const struct transformer_context *surroundings, struct arena *arena)
{
	struct node values[2] = {{.type = NODE_SCALAR, .text = SPAN_LITERAL("fixed-width")},
				 {.type = NODE_SCALAR, .text = span_of(layout)}};
	struct pair pairs[2] = {{{.type = NODE_SCALAR, .text = SPAN_LITERAL("format")}, &values[0]},
				{{.type = NODE_SCALAR, .text = SPAN_LITERAL("layout")}, &values[1]}};
	struct node node = {.type = NODE_MAP, .pairs = pairs, .count = 2};
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};

	findings_init(&findings);
	*step = (struct chain_step){.ops = ops, .settings = arena_alloc(arena, ops->settings_size), .label = ops->name};
	if (option_fill(&context, &node, ops->options, NULL, (void *)(uintptr_t)step->settings))
		abort();
	findings_free(&findings);
}

/* False: it was told that something is wrong. Otherwise *same says whether the bytes are. */
static inline bool fixed_round(const char *layout, const struct transformer_context *surroundings, struct span in,
			       bool *same)
{
	struct arena *arena = arena_new();
	struct chain_step steps[2];
	struct chain_hand hand = {.write = fixed_take};
	struct reader *body = reader_new_copy(in);
	struct chain_report report;
	struct error error;
	struct chain *chain;
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	hand.arg = &out;
	fixed_step(&steps[0], &decode_transformer, layout, surroundings, arena);
	fixed_step(&steps[1], &encode_transformer, layout, surroundings, arena);
	chain = chain_new("round", steps, 2, surroundings, NULL, &error);
	if (!chain || chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error))
		abort();
	/* Everything must have come of something: nothing may vanish. */
	if (report.outputs + report.dead + report.dropped == 0)
		abort();
	*same = report.dead + report.dropped || span_equal(in, buf_view(&out));
	buf_free(&out);
	chain_free(chain);
	reader_unref(body);
	arena_free(arena);
	return report.dead + report.dropped == 0;
}

#endif
