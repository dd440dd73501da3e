/* Fuzz target: any text as a jq program that is spread over lines and read along the shape of its input, as check does
 * to tell of columns and of fields. Whatever it is, it ends, and what is told lies within it. */
#include "config.h"
#include "base/expression_spread.h"
#include "config/jq_walk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char contract[] =
	"{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"a\": {\"$ref\": \"#/$defs/x\"},"
	"\"b\": {\"type\": \"array\", \"items\": {\"$ref\": \"#\"}}, \"c\": {\"anyOf\": [{\"$ref\": \"#\"}, "
	"{\"type\": \"null\"}]}, \"d\": {\"type\": \"string\"}, \"e\": {\"allOf\": [{\"$ref\": \"#/$defs/x\"}, {}]}},"
	"\"$defs\": {\"x\": {\"properties\": {\"y\": {}}, \"patternProperties\": {\"^z\": {\"type\": \"object\"}}}}}";

static void look_at_spread(struct span text)
{
	struct spread spread;

	spread_make(&spread, text);
	for (size_t i = 0; i < spread.lines; i++) {
		struct span token = spread_token(text, spread.offsets[i]);

		if (spread.offsets[i] > text.len || token.len > text.len - spread.offsets[i])
			abort();
	}
	if (spread.end > text.len)
		abort();
	spread_free(&spread);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make(data, size);
	struct jq_place place = {{"fuzz.jq", 1, 1}, 0};
	json_t *schema = json_loads(contract, 0, NULL);
	struct shape closed = shape_of(schema, "fuzz/v1"), absent = {.absent = true, .path = ""};
	struct arena *arena = arena_new();
	struct findings findings;

	findings_init(&findings);
	if (size < 8192 && !memchr(text.data ? text.data : "", 0, size)) {
		look_at_spread(text);
		jq_walk(arena, text, place, &closed, "", "", &findings);
		jq_walk(arena, text, place, &absent, "order.body", "nobody has read it", &findings);
		for (size_t i = 0; i < findings.count; i++)
			if (findings.list[i].offset > size || findings.list[i].place.line < 1)
				abort();
	}
	findings_free(&findings);
	arena_free(arena);
	json_decref(schema);
	return 0;
}
