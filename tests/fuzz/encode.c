/* Fuzz target: any JSON to formats that mappings write; the first byte chooses which. What has no form must be told. */
#include "config.h"
#include "tests/fuzz/chain.h"
#include "tests/fuzz/fixed.h"

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	static const struct span idoc = SPAN_LITERAL("idoc: TEST\nsegments:\n"
						     "  - {segment: E1A, fields: {X: 3, Y: 5}}\n"
						     "  - {segment: E1B, parent: E1A, fields: {Z: 2}}\n");

	return strcmp(name, "idoc.yaml") ? fixed_file(site, folder, name) : &idoc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct transformer_context surroundings = {.file = file_of};
	static const struct {
		struct fuzz_key keys[3];
		size_t n;
	} formats[] = {
		{{{"format", "bai2"}}, 1},
		{{{"format", "csv"}}, 1},
		{{{"format", "csv"}, {"safe", "true"}, {"separator", "tab"}}, 3},
		{{{"format", "fixed-width"}, {"layout", "numbers.yaml"}}, 2},
		{{{"format", "fixed-width"}, {"layout", "points.yaml"}}, 2},
		{{{"format", "fixed-width"}, {"layout", "signs.yaml"}}, 2},
		{{{"format", "fixed-width"}, {"layout", "groups.cpy"}}, 2},
		{{{"format", "fixed-width"}, {"layout", "choice.yaml"}}, 2},
		{{{"format", "fixed-width"}, {"layout", "lines.yaml"}}, 2},
		{{{"format", "idoc"}, {"layouts", "idoc.yaml"}}, 2},
		{{{"format", "idoc"}, {"layouts", "idoc.yaml"}, {"form", "xml"}}, 3},
		{{{"format", "xml"}}, 1},
		{{{"format", "xml"}, {"root", "a"}, {"pretty", "true"}}, 3},
		{{{"format", "x12"}}, 1},
		{{{"format", "edifact"}}, 1},
		{{{"format", "tradacoms"}}, 1},
	};
	unsigned choice = size ? data[0] % (sizeof formats / sizeof *formats) : 0;
	struct span text = span_make(data + (size > 0), size - (size > 0));
	json_t *tree = tree_parse_new(text, NULL);

	if (tree)
		fuzz_step(&encode_transformer, formats[choice].keys, formats[choice].n, &surroundings,
			  SPAN_LITERAL("application/json"), text);
	json_decref(tree);
	return 0;
}
