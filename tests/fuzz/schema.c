/* Fuzz target: a line that is a schema, then a line with a document to hold against it, and perhaps one with an object
 * of other documents, by address, to which the schema may refer. */
#include "config.h"
#include "transformers/schema/schema.h"

#include <assert.h>
#include <string.h>

#include "base/tree.h"

#define WORK_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *take_line(struct span *rest)
{
	const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
	struct span line = span_make(rest->data, end ? (size_t)(end - rest->data) : rest->len);

	*rest = end ? span_make(end + 1, rest->len - line.len - 1) : SPAN_NONE;
	return line.len ? tree_parse_new(line, NULL) : NULL;
}

static const json_t *other(void *arg, const char *address)
{
	return json_object_get(arg, address);
}

static void try(const json_t *rules, const json_t *document, const struct schema_options *how)
{
	struct schema_faults faults;
	struct schema *schema;
	struct error error;

	schema = schema_new(rules, how, &error);
	if (schema && document && schema_check_all(schema, document, &faults)) {
		/* What does not fit has a fault to be told; the two walks agree. */
		assert(faults.count > 0 && strcmp(faults.list[0].message, "does not fit its schema") != 0);
		json_decref(schema_faults_json_new(&faults));
		schema_faults_free(&faults);
		assert(schema_check(schema, document, &error) == -1);
	}
	schema_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size);
	struct schema_options how = {.document = other, .name = "a/v1", .work_max = WORK_MAX};
	struct schema_faults faults, doubts;
	json_t *rules, *document, *others;

	if (size > 65536)
		return 0;
	rules = take_line(&rest);
	document = take_line(&rest);
	how.arg = others = take_line(&rest);
	if (rules) {
		try(rules, document, &how);
		how.formats = true;
		try(rules, document, &how);
		schema_inspect(rules, &how, &faults, &doubts);
		schema_faults_free(&faults);
		schema_faults_free(&doubts);
	}
	json_decref(rules);
	json_decref(document);
	json_decref(others);
	return 0;
}
