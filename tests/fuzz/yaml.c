/* Fuzz target: any bytes as a file of YAML. What is read has its places in the file, within the limits of depth and
 * number, and texts without zero characters; what is refused says why. */
#include "config.h"
#include "config/yaml.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find(void *arg, struct span name, struct span *value)
{
	*value = SPAN_LITERAL("value: [x");
	return name.len < 3;
}

static size_t walk(const struct node *node, int depth, int lines)
{
	size_t n = 1;

	assert(depth <= YAML_DEPTH_MAX + 1 && node->place.line >= 1 && node->place.line <= lines + 1);
	assert(node->place.column >= 1 && node->place.file);
	if (node->type == NODE_SCALAR) {
		assert(!node->text.len || !memchr(node->text.data, 0, node->text.len));
		return n;
	}
	for (size_t i = 0; i < node->count; i++) {
		if (node->type == NODE_MAP)
			assert(node->pairs[i].key.type == NODE_SCALAR && node->pairs[i].value);
		n += walk(node->type == NODE_MAP ? node->pairs[i].value : node->items[i], depth + 1, lines);
	}
	return n;
}

static int lines_of(struct span text)
{
	int lines = 1;

	for (size_t i = 0; i < text.len; i++) /* those that YAML knows, and CR LF as two */
		lines += text.data[i] == '\n' || text.data[i] == '\r' || (unsigned char)text.data[i] == 0x85 ||
			 (unsigned char)text.data[i] == 0xa8 || (unsigned char)text.data[i] == 0xa9;
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_variables variables = {.find = find};
	struct arena *arena = arena_new();
	struct yaml_documents documents;
	struct findings findings;
	struct span text = span_make(data, size);
	size_t nodes = 0;
	int failed;

	findings_init(&findings);
	failed = yaml_read(arena, &findings, "fuzz.yaml", text, &variables, &documents);
	assert(!failed || findings.errors);
	for (size_t i = 0; i < documents.count; i++)
		nodes += walk(documents.items[i], 1, lines_of(text));
	assert(nodes <= YAML_NODES_MAX + 1);
	for (size_t i = 0; i < findings.count; i++)
		assert(findings.list[i].place.line >= 1 && *findings.list[i].text);
	findings_free(&findings);
	arena_free(arena);
	return 0;
}
