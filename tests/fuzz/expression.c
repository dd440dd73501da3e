/* Fuzz target: any text as a jq program and as a template; it compiles or is refused, and runs within its limits. */
#include "config.h"
#include "base/expression.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void render(struct arena *arena, struct span text, const struct expression_input *input)
{
	struct findings findings;
	struct template *template;
	struct buf out;

	findings_init(&findings);
	buf_init(&out, 1 << 16);
	template = template_new(arena, text, (struct place){"fuzz", 1, 1}, &findings);
	if (!template && !findings.errors)
		abort();
	if (template && template_constant(template, NULL))
		template_render(template, input, NULL, &out, NULL);
	buf_free(&out);
	findings_free(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct expression *expression;
	struct expression_input input = {.body = json_pack("{s:s,s:[i,{s:n}]}", "a", "x", "b", 1, "c"),
					 .limits = {100, 16u << 20}};
	json_t *result = NULL;

	if (size < 4096) {
		expression = expression_new(arena, span_make(data, size), (struct place){"fuzz.jq", 1, 1});
		expression_run(expression, &input, &result, NULL);
		json_decref(result);
		expression_drop(expression);
		render(arena, span_make(data, size), &input);
	}
	json_decref(input.body);
	arena_free(arena);
	return 0;
}
