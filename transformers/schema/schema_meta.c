/* The metaschemas of draft 2020-12, in as few words as say the same. For the reader's sake ' stands for " in them, and
 * $META for any schema. See schema_private.h. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#define ADDRESS "https://json-schema.org/draft/2020-12/"

static const struct {
	const char *name, *vocabularies, *rest;
} metaschemas[] = {
	{"schema", "core applicator unevaluated validation meta-data format-annotation content",
	 "'allOf': [{'$ref': 'meta/core'}, {'$ref': 'meta/applicator'}, {'$ref': 'meta/unevaluated'},"
	 "  {'$ref': 'meta/validation'}, {'$ref': 'meta/meta-data'}, {'$ref': 'meta/format-annotation'},"
	 "  {'$ref': 'meta/content'}],"
	 "'properties': {"
	 "  'definitions': {'type': 'object', 'additionalProperties': $META},"
	 "  'dependencies': {'type': 'object', 'additionalProperties':"
	 "    {'anyOf': [$META, {'$ref': 'meta/validation#/$defs/stringArray'}]}},"
	 "  '$recursiveAnchor': {'$ref': 'meta/core#/$defs/anchorString'},"
	 "  '$recursiveRef': {'$ref': 'meta/core#/$defs/uriReferenceString'}}"},
	{"meta/core", "core",
	 "'properties': {"
	 "  '$id': {'$ref': '#/$defs/uriReferenceString', 'pattern': '^[^#]*#?$'},"
	 "  '$schema': {'$ref': '#/$defs/uriString'},"
	 "  '$ref': {'$ref': '#/$defs/uriReferenceString'}, '$dynamicRef': {'$ref': '#/$defs/uriReferenceString'},"
	 "  '$anchor': {'$ref': '#/$defs/anchorString'}, '$dynamicAnchor': {'$ref': '#/$defs/anchorString'},"
	 "  '$vocabulary': {'type': 'object', 'propertyNames': {'$ref': '#/$defs/uriString'},"
	 "    'additionalProperties': {'type': 'boolean'}},"
	 "  '$comment': {'type': 'string'}, '$defs': {'type': 'object', 'additionalProperties': $META}},"
	 "'$defs': {"
	 "  'anchorString': {'type': 'string', 'pattern': '^[A-Za-z_][-A-Za-z0-9._]*$'},"
	 "  'uriString': {'type': 'string', 'format': 'uri'},"
	 "  'uriReferenceString': {'type': 'string', 'format': 'uri-reference'}}"},
	{"meta/applicator", "applicator",
	 "'properties': {"
	 "  'prefixItems': {'$ref': '#/$defs/schemaArray'}, 'items': $META, 'contains': $META,"
	 "  'additionalProperties': $META, 'properties': {'type': 'object', 'additionalProperties': $META},"
	 "  'patternProperties': {'type': 'object', 'additionalProperties': $META,"
	 "    'propertyNames': {'format': 'regex'}},"
	 "  'dependentSchemas': {'type': 'object', 'additionalProperties': $META}, 'propertyNames': $META,"
	 "  'if': $META, 'then': $META, 'else': $META, 'not': $META, 'allOf': {'$ref': '#/$defs/schemaArray'},"
	 "  'anyOf': {'$ref': '#/$defs/schemaArray'}, 'oneOf': {'$ref': '#/$defs/schemaArray'}},"
	 "'$defs': {'schemaArray': {'type': 'array', 'minItems': 1, 'items': $META}}"},
	{"meta/unevaluated", "unevaluated",
	 "'properties': {'unevaluatedItems': $META, 'unevaluatedProperties': $META}"},
	{"meta/validation", "validation",
	 "'properties': {"
	 "  'type': {'anyOf': [{'$ref': '#/$defs/simpleTypes'}, {'type': 'array', 'minItems': 1, 'uniqueItems': true,"
	 "    'items': {'$ref': '#/$defs/simpleTypes'}}]},"
	 "  'const': true, 'enum': {'type': 'array', 'items': true},"
	 "  'multipleOf': {'type': 'number', 'exclusiveMinimum': 0},"
	 "  'maximum': {'type': 'number'}, 'exclusiveMaximum': {'type': 'number'},"
	 "  'minimum': {'type': 'number'}, 'exclusiveMinimum': {'type': 'number'},"
	 "  'maxLength': {'$ref': '#/$defs/nonNegativeInteger'},"
	 "  'minLength': {'$ref': '#/$defs/nonNegativeIntegerDefault0'},"
	 "  'pattern': {'type': 'string', 'format': 'regex'},"
	 "  'maxItems': {'$ref': '#/$defs/nonNegativeInteger'},"
	 "  'minItems': {'$ref': '#/$defs/nonNegativeIntegerDefault0'}, 'uniqueItems': {'type': 'boolean'},"
	 "  'maxContains': {'$ref': '#/$defs/nonNegativeInteger'},"
	 "  'minContains': {'$ref': '#/$defs/nonNegativeInteger'},"
	 "  'maxProperties': {'$ref': '#/$defs/nonNegativeInteger'},"
	 "  'minProperties': {'$ref': '#/$defs/nonNegativeIntegerDefault0'},"
	 "  'required': {'$ref': '#/$defs/stringArray'},"
	 "  'dependentRequired': {'type': 'object', 'additionalProperties': {'$ref': '#/$defs/stringArray'}}},"
	 "'$defs': {"
	 "  'nonNegativeInteger': {'type': 'integer', 'minimum': 0},"
	 "  'nonNegativeIntegerDefault0': {'$ref': '#/$defs/nonNegativeInteger', 'default': 0},"
	 "  'simpleTypes': {'enum': ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']},"
	 "  'stringArray': {'type': 'array', 'items': {'type': 'string'}, 'uniqueItems': true}}"},
	{"meta/meta-data", "meta-data",
	 "'properties': {'title': {'type': 'string'}, 'description': {'type': 'string'}, 'default': true,"
	 "  'deprecated': {'type': 'boolean'}, 'readOnly': {'type': 'boolean'}, 'writeOnly': {'type': 'boolean'},"
	 "  'examples': {'type': 'array', 'items': true}}"},
	{"meta/format-annotation", "format-annotation", "'properties': {'format': {'type': 'string'}}"},
	{"meta/format-assertion", "format-assertion", "'properties': {'format': {'type': 'string'}}"},
	{"meta/content", "content",
	 "'properties': {'contentEncoding': {'type': 'string'}, 'contentMediaType': {'type': 'string'},"
	 "  'contentSchema': $META}"},
};

static void put_text(struct buf *text, const char *from)
{
	for (const char *p = from; *p; p++) {
		if (!strncmp(p, "$META", 5)) {
			buf_text(text, "{\"$dynamicRef\": \"#meta\"}");
			p += 4;
		} else {
			buf_char(text, *p == '\'' ? '"' : *p);
		}
	}
}

static json_t *parse(size_t i)
{
	struct buf text;
	json_t *meta, *vocabularies = json_object();
	struct span left = span_of(metaschemas[i].vocabularies);

	buf_init(&text, 16384);
	buf_printf(&text,
		   "{\"$schema\": \"%sschema\", \"$id\": \"%s%s\", \"$dynamicAnchor\": \"meta\", "
		   "\"type\": [\"object\", \"boolean\"], ",
		   ADDRESS, ADDRESS, metaschemas[i].name);
	put_text(&text, metaschemas[i].rest);
	buf_char(&text, '}');
	meta = json_loadb(text.data, text.len, 0, NULL);
	buf_free(&text);
	while (left.len) {
		size_t n = 0;

		while (n < left.len && left.data[n] != ' ')
			n++;
		buf_printf(&text, "%svocab/%.*s", ADDRESS, (int)n, left.data);
		json_object_set_new(vocabularies, text.data, json_true());
		buf_reset(&text);
		left = span_make(left.data + n, left.len - n);
		if (left.len)
			left = span_make(left.data + 1, left.len - 1);
	}
	buf_free(&text);
	json_object_set_new(meta, "$vocabulary", vocabularies);
	return meta;
}

json_t *schema_meta_new(const char *address)
{
	if (strncmp(address, ADDRESS, strlen(ADDRESS)))
		return NULL;
	for (size_t i = 0; i < sizeof metaschemas / sizeof *metaschemas; i++)
		if (!strcmp(address + strlen(ADDRESS), metaschemas[i].name))
			return parse(i);
	return NULL;
}
