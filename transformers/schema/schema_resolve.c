/* What references lead to: documents, resources and their addresses and anchors. See schema_private.h. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <stdlib.h>

#define VOCABULARY "https://json-schema.org/draft/2020-12/vocab/"

/* ---- addresses */
static size_t bucket_of(const char *uri)
{
	return member_hash(uri, strlen(uri)) & (SCHEMA_BUCKETS - 1);
}

static struct resource *find_resource(const struct schema *schema, const char *uri)
{
	const struct address *address = schema->addresses[bucket_of(uri)];

	while (address && strcmp(address->uri, uri))
		address = address->same_bucket;
	return address ? address->resource : NULL;
}

/* The first of an address counts. */
static void add_address(struct schema *schema, const char *uri, struct resource *resource)
{
	struct address **bucket = &schema->addresses[bucket_of(uri)], *address;

	if (find_resource(schema, uri))
		return;
	address = arena_alloc(schema->arena, sizeof *address);
	*address = (struct address){uri, resource, *bucket};
	*bucket = address;
}

static char *without_fragment(struct arena *arena, const char *uri)
{
	char *copy = arena_strdup(arena, uri), *hash = strchr(copy, '#');

	if (hash)
		*hash = '\0';
	return copy;
}

/* ---- documents */
/* Somebody else's document, or a metaschema. */
static const json_t *get_document(struct compile *compile, const char *address)
{
	struct schema *schema = compile->schema;
	const char *name = address;
	const json_t *found;
	json_t *meta;

	if (!strncmp(address, SCHEMA_CONTRACT, strlen(SCHEMA_CONTRACT)))
		name += strlen(SCHEMA_CONTRACT);
	found = schema->options.document ? schema->options.document(schema->options.arg, name) : NULL;
	if (found)
		return found;
	meta = json_object_get(schema->metaschemas, address);
	if (meta)
		return meta;
	meta = schema_meta_new(address);
	if (meta) {
		if (!schema->metaschemas)
			schema->metaschemas = json_object();
		json_object_set_new(schema->metaschemas, address, meta);
	}
	return meta;
}

static unsigned vocabulary_of(const char *name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {
		{"core", VOCABULARY_CORE},
		{"applicator", VOCABULARY_APPLICATOR},
		{"unevaluated", VOCABULARY_UNEVALUATED},
		{"validation", VOCABULARY_VALIDATION},
		{"meta-data", VOCABULARY_OTHERS},
		{"content", VOCABULARY_OTHERS},
		{"format-annotation", VOCABULARY_FORMAT},
		{"format-assertion", VOCABULARY_FORMAT_ASSERTION},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strncmp(name, VOCABULARY, strlen(VOCABULARY)) && !strcmp(name + strlen(VOCABULARY), known[i].name))
			return known[i].bit;
	return 0;
}

/* A metaschema says by $vocabulary which keywords mean something. */
static void read_vocabularies(struct compile *compile, struct resource *resource, const char *address,
			      const struct rule *place)
{
	const json_t *meta = get_document(compile, address);
	json_t *list = json_object_get(meta, "$vocabulary"), *needed;
	const char *name;

	if (!meta) {
		compile_fault(compile, place, "$schema",
			      "names the dialect %s, which is not known here; contracts are of %s", address,
			      SCHEMA_META_2020);
		return;
	}
	if (!json_is_object(list))
		return;
	resource->vocabularies = VOCABULARY_CORE;
	json_object_foreach(list, name, needed) {
		unsigned bit = vocabulary_of(name);

		resource->vocabularies |= bit;
		if (!bit && json_is_true(needed))
			compile_fault(compile, place, "$schema",
				      "names the dialect %s, which needs the vocabulary %s; that is not known", address,
				      name);
	}
}

static void read_dialect(struct compile *compile, struct resource *resource, const struct rule *place)
{
	const char *dialect = json_string_value(json_object_get(resource->root, "$schema"));
	char *address = dialect ? without_fragment(compile->schema->arena, dialect) : NULL;

	if (!address)
		return;
	resource->vocabularies = VOCABULARIES_DEFAULT;
	resource->dialect = DIALECT_2020;
	if (!strcmp(address, SCHEMA_META_2019))
		resource->dialect = DIALECT_2019;
	else if (!strncmp(address, "http://json-schema.org/draft-0", 30))
		resource->dialect = DIALECT_7;
	else if (strcmp(address, SCHEMA_META_2020))
		read_vocabularies(compile, resource, address, place);
}

struct resource *resource_new(struct compile *compile, const json_t *root, const char *uri,
			      const struct resource *around, const struct rule *place)
{
	struct schema *schema = compile->schema;
	struct resource *resource = arena_alloc(schema->arena, sizeof *resource);
	const char *id = json_string_value(json_object_get(root, "$id")), *hash = id ? strchr(id, '#') : NULL;
	struct rule here = *place;

	resource->root = root;
	resource->vocabularies = around ? around->vocabularies : VOCABULARIES_DEFAULT;
	resource->dialect = around ? around->dialect : DIALECT_2020;
	resource->uri = around ? around->uri : uri;
	resource->main = around ? around->main : !schema->documents_count++;
	here.resource = resource;
	if (id)
		resource->uri = uri_resolve(schema->arena, resource->uri, id);
	if (hash && hash[1] && !around)
		compile_fault(compile, &here, "$id", "must not have a fragment (what follows #)");
	add_address(schema, resource->uri, resource);
	if (uri)
		add_address(schema, uri, resource);
	read_dialect(compile, resource, &here);
	return resource;
}

static struct resource *add_document(struct compile *compile, const json_t *root, const char *address)
{
	const struct rule *known = json_is_object(root) ? compile_found(compile->schema, root) : NULL;
	struct rule place = {.start = "", .index = -1};
	struct resource *resource;

	if (known) { /* by another name */
		add_address(compile->schema, address, (struct resource *)(uintptr_t)known->resource);
		return (struct resource *)(uintptr_t)known->resource;
	}
	resource = resource_new(compile, root, address, NULL, &place);
	resource->rule = compile_rule(compile, root, resource, &place);
	return resource;
}

static struct resource *fetch(struct compile *compile, const char *address)
{
	struct schema *schema = compile->schema;
	struct resource *resource = find_resource(schema, address);
	const json_t *root = resource ? NULL : get_document(compile, address);

	if (resource || !root || schema->documents_count >= SCHEMA_DOCUMENTS_MAX)
		return resource;
	return add_document(compile, root, address);
}

/* As the standard has it, by the base. Contracts may be named as well, by a path beside this one or by their full name,
 * whatever $id they have. */
static struct resource *find_target(struct compile *compile, const struct reference *reference)
{
	struct schema *schema = compile->schema;
	char *text = without_fragment(schema->arena, reference->text);
	const char *tries[3] = {uri_resolve(schema->arena, reference->from->resource->uri, text), NULL, NULL};

	if (!text[0])
		return (struct resource *)(uintptr_t)reference->from->resource;
	if (!strchr(text, ':') && schema->options.name) {
		tries[1] = uri_resolve(schema->arena,
				       arena_printf(schema->arena, SCHEMA_CONTRACT "%s", schema->options.name), text);
		tries[2] = arena_printf(schema->arena, SCHEMA_CONTRACT "%s", text);
	}
	for (size_t i = 0; i < 3 && tries[i]; i++) {
		struct resource *found = fetch(compile, tries[i]);

		if (found)
			return found;
	}
	return NULL;
}

/* ---- anchors and pointers */
void resource_anchor(struct compile *compile, struct resource *resource, const char *name, struct rule *rule,
		     bool dynamic)
{
	struct anchor *anchor = arena_alloc(compile->schema->arena, sizeof *anchor);

	*anchor = (struct anchor){name, rule, dynamic, resource->anchors};
	resource->anchors = anchor;
}

static const struct anchor *find_anchor(const struct resource *resource, const char *name)
{
	const struct anchor *found = NULL;

	for (const struct anchor *anchor = resource->anchors; anchor; anchor = anchor->next)
		if (!strcmp(anchor->name, name) && (!found || anchor->dynamic))
			found = anchor;
	return found;
}

/* Cuts one token off the front, "/a~1b/c" → "a/b". */
static char *take_token(struct arena *arena, const char **pointer)
{
	const char *p = *pointer + 1;
	char *token = arena_strdup(arena, p), *out = token;

	while (*p && *p != '/') {
		if (*p == '~' && (p[1] == '0' || p[1] == '1'))
			*out++ = *++p == '0' ? '~' : '/';
		else
			*out++ = *p;
		p++;
	}
	*out = '\0';
	*pointer = p;
	return token;
}

static const json_t *item_at(const json_t *array, const char *token)
{
	size_t i = 0, n = strlen(token);

	if (!n || n > 9 || strspn(token, "0123456789") != n || (n > 1 && token[0] == '0'))
		return NULL;
	while (*token)
		i = i * 10 + (size_t)(*token++ - '0');
	return json_array_get(array, i);
}

/* What is no schema by the standard (below a keyword that nobody knows, say) is one when it is referred to. */
static struct rule *follow_pointer(struct compile *compile, struct resource *resource, const char *pointer)
{
	const json_t *at = resource->root;
	struct rule place = {.start = pointer, .index = -1};
	const struct rule *found = resource->rule;

	for (const char *rest = pointer; at && *rest == '/';) {
		char *token = take_token(compile->schema->arena, &rest);

		at = json_is_array(at) ? item_at(at, token) : json_object_get(at, token);
		found = at && json_is_object(at) ? compile_found(compile->schema, at) : NULL;
		if (found)
			resource = (struct resource *)(uintptr_t)found->resource;
	}
	if (!at || (!json_is_object(at) && !json_is_boolean(at)))
		return NULL;
	return found && found->json == at ? (struct rule *)(uintptr_t)found
					  : compile_rule(compile, at, resource, &place);
}

static struct logic_rules *logic_of(struct compile *compile, struct rule *rule)
{
	if (!rule->logic)
		rule->logic = arena_alloc(compile->schema->arena, sizeof *rule->logic);
	return rule->logic;
}

static void follow(struct compile *compile, const struct reference *reference)
{
	struct resource *resource = find_target(compile, reference);
	char *fragment = uri_fragment(compile->schema->arena, reference->text);
	bool pointer = !fragment[0] || fragment[0] == '/';
	const struct anchor *anchor = resource && !pointer ? find_anchor(resource, fragment) : NULL;
	struct rule *target = !resource ? NULL
			      : anchor  ? anchor->rule
			      : pointer ? follow_pointer(compile, resource, fragment)
					: NULL;

	if (!resource)
		compile_fault(compile, reference->from, reference->keyword,
			      "\"%.200s\" leads nowhere: there is no such document", reference->text);
	else if (!target)
		compile_fault(compile, reference->from, reference->keyword, "\"%.200s\" leads nowhere in its document",
			      reference->text);
	else if (!strcmp(reference->keyword, "$ref"))
		logic_of(compile, reference->from)->reference = target;
	else {
		logic_of(compile, reference->from)->dynamic_reference = target;
		logic_of(compile, reference->from)->dynamic_name = anchor && anchor->dynamic ? anchor->name : NULL;
	}
}

void compile_references(struct compile *compile)
{
	/* The list grows as documents come. */
	for (size_t i = 0; i < compile->references_count; i++) {
		struct reference reference = compile->references[i];

		follow(compile, &reference);
	}
}

void compile_document(struct compile *compile, const json_t *root)
{
	struct schema *schema = compile->schema;
	const char *name = schema->options.name;
	const char *address = !name               ? ""
			      : strchr(name, ':') ? without_fragment(schema->arena, name)
						  : arena_printf(schema->arena, SCHEMA_CONTRACT "%s", name);

	schema->root = add_document(compile, root, address)->rule;
	compile_references(compile);
}
