/* Fuzz target: any bytes as JSON, and as JSON lines; what was read must be written and read again as the same. */
#include "config.h"
#include "tests/fuzz/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *tree = tree_parse_new(span_make(data, size), NULL), *again;
	struct buf text;

	if (tree) {
		buf_init(&text, 64 << 20);
		if (!tree_write(&text, tree, size % 2 ? TREE_SORTED : TREE_PRETTY)) {
			again = tree_parse_new(buf_view(&text), NULL);
			if (!again || !json_equal(tree, again))
				abort();
			json_decref(again);
		}
		buf_free(&text);
	}
	json_decref(tree);
	fuzz_decode(&(struct fuzz_key){"format", "json-lines"}, 1, data, size);
	return 0;
}
