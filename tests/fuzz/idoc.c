/* Fuzz target: any bytes as IDocs, with a small layout, or as the report of a parser that a layout is read from (first
 * byte R). What is read and written again must be read as the same. */
#include "config.h"
#include "tests/fuzz/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char layout[] = "idoc: TEST\nsegments:\n"
			     "  - {segment: E1A, fields: {X: 3, Y: 5}}\n"
			     "  - {segment: E1B, definition: E2B001, parent: E1A, fields: {Z: 2}}\n"
			     "  - {segment: E1C, fields: {W: 10}}\n";

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	return site;
}

static struct chain *chain_of(const struct transformer_ops *ops, const char *name, struct span *text,
			      struct arena *arena)
{
	struct transformer_context surroundings = {.site = text, .file = file_of};
	struct node format = {.type = NODE_SCALAR, .text = SPAN_LITERAL("idoc")},
		    layouts = {.type = NODE_SCALAR, .text = span_of(name)};
	struct pair pairs[] = {{.key = {.type = NODE_SCALAR, .text = SPAN_LITERAL("format")}, .value = &format},
			       {.key = {.type = NODE_SCALAR, .text = SPAN_LITERAL("layouts")}, .value = &layouts}};
	struct node node = {.type = NODE_MAP, .pairs = pairs, .count = 2};
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	struct chain_step step = {.ops = ops, .settings = arena_alloc(arena, ops->settings_size), .label = ops->name};
	struct error error;
	struct chain *chain;

	findings_init(&findings);
	if (option_fill(&context, &node, ops->options, NULL, (void *)(uintptr_t)step.settings))
		abort();
	chain = chain_new("fuzz", &step, 1, &surroundings, NULL, &error);
	findings_free(&findings);
	return chain;
}

static uint64_t run(const struct transformer_ops *ops, struct span in, struct buf *out)
{
	struct span text = {layout, sizeof layout - 1};
	struct arena *arena = arena_new();
	struct chain *chain = chain_of(ops, "a.yaml", &text, arena);
	struct chain_hand hand = {.write = round_write, .arg = out};
	struct reader *body = reader_new_copy(in);
	struct chain_report report;
	struct error error;

	if (!chain ||
	    chain_run_by_hand(chain, body, SPAN_NONE, SPAN_LITERAL("application/json"), &hand, &report, &error) ||
	    report.outputs + report.dead == 0)
		abort();
	chain_free(chain);
	reader_unref(body);
	arena_free(arena);
	return report.dead;
}

/* Of files whose records are neither trimmed nor full the encoder chooses one. */
static char *without_file(struct span line)
{
	json_t *tree = tree_parse_new(line, NULL);
	char *text;

	json_object_del(tree, "file");
	text = json_dumps(tree, JSON_COMPACT);
	json_decref(tree);
	return text;
}

static void compare(struct span line)
{
	struct buf written, again;
	char *first, *second;

	buf_init(&written, SIZE_MAX / 4);
	buf_init(&again, SIZE_MAX / 4);
	if (run(&encode_transformer, line, &written)) { /* XML has segments that no layout has */
		buf_free(&written);
		return;
	}
	if (run(&decode_transformer, buf_view(&written), &again))
		abort();
	first = without_file(line);
	second = without_file(buf_view(&again));
	if (!first || !second || strcmp(first, second) != 0)
		abort();
	free(first);
	free(second);
	buf_free(&written);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf lines;
	struct span rest;

	if (size && data[0] == 'R') {
		struct span text = span_make(data + 1, size - 1);
		struct arena *arena = arena_new();

		chain_free(chain_of(&decode_transformer, "a.txt", &text, arena));
		arena_free(arena);
		return 0;
	}
	buf_init(&lines, SIZE_MAX / 4);
	run(&decode_transformer, span_make(data, size), &lines);
	for (rest = buf_view(&lines); rest.len;) {
		const char *end = memchr(rest.data, '\n', rest.len);

		compare(span_make(rest.data, (size_t)(end - rest.data)));
		rest = span_make(end + 1, rest.len - (size_t)(end + 1 - rest.data));
	}
	buf_free(&lines);
	return 0;
}
