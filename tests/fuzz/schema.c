/* Fuzz target: a line that is a schema, then a document to hold against it. */
#include "config.h"
#include "transformers/schema.h"

#include "base/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	json_t *rules, *document;
	struct schema *schema;
	struct error error;

	if (!end || size > 65536)
		return 0;
	rules = tree_parse_new(span_make(data, (size_t)(end - data)), NULL);
	document = tree_parse_new(span_make(end + 1, size - (size_t)(end - data) - 1), NULL);
	schema = rules ? schema_new(rules, NULL, &error) : NULL;
	if (schema && document)
		schema_check(schema, document, &error);
	schema_free(schema);
	json_decref(rules);
	json_decref(document);
	return 0;
}
