/* Fuzz target: any text as a layout, in YAML or (when it begins with `#cpy`) as a copybook; what is none must be told.
 */
#include "config.h"
#include "tests/fuzz/fixed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct span *text_of(void *site, const char *folder, const char *name)
{
	return site;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make(data, size);
	bool copybook = span_starts(text, "#cpy"), same;
	struct transformer_context context = {.site = &text, .file = text_of};
	const char *name = copybook ? "a.cpy" : "a.yaml";
	struct arena *arena = arena_new();
	struct findings findings;
	struct chain_step step;
	int failed;

	if (copybook)
		text = span_make(text.data + 4, text.len - 4);
	findings_init(&findings);
	fixed_step(&step, &decode_transformer, name, &context, arena);
	failed = decode_transformer.check(step.settings, &context, (struct place){0}, &findings);
	if (failed && !findings.errors)
		abort();
	if (!failed) {
		fixed_round(name, &context, SPAN_LITERAL("00000000000000000001\n\x00\x08\x00\x00 123\n1 2 3 4 5"),
			    &same);
		if (!same)
			abort();
	}
	findings_free(&findings);
	arena_free(arena);
	return 0;
}
