/* JSON Schema: making ready, checking, telling. See schema.h; the parts are in schema_private.h. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <stdlib.h>

static struct schema *compile(const json_t *root, const struct schema_options *options, struct schema_faults *faults,
			      struct schema_faults *doubts)
{
	struct schema *schema = mem_alloc(sizeof *schema);
	struct compile compile = {.schema = schema, .faults = faults, .doubts = doubts};

	schema->arena = arena_new();
	if (options)
		schema->options = *options;
	schema->rules = arena_alloc(schema->arena, SCHEMA_BUCKETS * sizeof *schema->rules);
	schema->addresses = arena_alloc(schema->arena, SCHEMA_BUCKETS * sizeof *schema->addresses);
	compile_document(&compile, root);
	free(compile.references);
	return schema;
}

/* As many as the text of an error holds. */
static void tell(const struct schema_faults *faults, const char *code, const char *whole, struct error *error)
{
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < faults->count; i++) {
		const struct schema_fault *fault = &faults->list[i];

		buf_printf(&text, "%s%s: %s", i ? "; " : "", fault->instance[0] ? fault->instance : whole,
			   fault->message);
	}
	if (faults->more)
		buf_text(&text, "; and more");
	error_set(error, ERROR_REJECT, code, "%s", text.data ? text.data : "too long to be told");
	buf_free(&text);
}

struct schema *schema_new(const json_t *root, const struct schema_options *options, struct error *error)
{
	struct schema_faults faults = {.count = 0};
	struct schema *schema = compile(root, options, &faults, NULL);

	if (!faults.count)
		return schema;
	for (size_t i = 0; i < faults.count; i++) { /* the whole place: it may be in another document */
		free(faults.list[i].instance);
		faults.list[i].instance = mem_strdup(faults.list[i].schema);
	}
	tell(&faults, "schema.invalid", "the schema", error);
	schema_faults_free(&faults);
	schema_free(schema);
	return NULL;
}

void schema_free(struct schema *schema)
{
	if (!schema)
		return;
	for (size_t i = 0; i < schema->patterns_count; i++)
		pattern_free(schema->patterns[i]);
	free(schema->patterns);
	json_decref(schema->metaschemas);
	arena_free(schema->arena);
	free(schema);
}

int schema_check_all(const struct schema *schema, const json_t *document, struct schema_faults *faults)
{
	size_t most = schema->options.work_max ? schema->options.work_max : SCHEMA_WORK_MAX;
	struct check check = {.schema = schema, .work_max = most}, again = check;
	struct spot top = {NULL, NULL, 0, 0};

	*faults = (struct schema_faults){.count = 0};
	again.faults = faults;
	if (rule_check(&check, schema->root, document, &top, NULL) && !check.overrun)
		return 0;
	if (!check.overrun)
		rule_check(&again, schema->root, document, &top, NULL);
	if (check.overrun || !faults->count)
		check_fault(&again, schema->root, NULL, &top, "%s",
			    check.overrun   ? check.overrun
			    : again.overrun ? again.overrun
					    : "does not fit its schema");
	return -1;
}

int schema_check(const struct schema *schema, const json_t *document, struct error *error)
{
	struct schema_faults faults;

	if (!schema_check_all(schema, document, &faults))
		return 0;
	tell(&faults, "schema.fault", "the document", error);
	error_place(error, "%s", faults.list[0].instance);
	schema_faults_free(&faults);
	return -1;
}

static bool is_within(const char *pointer, const char *other)
{
	size_t n = strlen(other);

	return !strncmp(pointer, other, n) && (!pointer[n] || pointer[n] == '/');
}

/* What the metaschema says about places where compiling has found nothing. */
static void add_others(struct schema_faults *faults, struct schema_faults *others)
{
	size_t count = faults->count;
	const char *keyword;

	for (size_t i = 0; i < others->count; i++) {
		struct schema_fault *other = &others->list[i];
		bool known = false;

		for (size_t j = 0; j < count && !known; j++)
			known = is_within(faults->list[j].instance, other->instance) ||
				is_within(other->instance, faults->list[j].instance);
		keyword = strrchr(other->instance, '/');
		if (!known)
			fault_put(faults, mem_strdup(other->instance), mem_strdup(other->schema), other->keyword,
				  mem_printf("%s%s%s%s", keyword ? "`" : "", keyword ? keyword + 1 : "",
					     keyword ? "` " : "", other->message));
	}
	faults->more = faults->more || others->more;
	schema_faults_free(others);
}

/* What is wrong with another document is told of that. */
static void drop_foreign(struct schema_faults *faults)
{
	size_t kept = 0;

	for (size_t i = 0; i < faults->count; i++) {
		struct schema_fault fault = faults->list[i];

		if (fault.schema[0] == '#') {
			faults->list[kept++] = fault;
			continue;
		}
		free(fault.instance);
		free(fault.schema);
		free(fault.message);
	}
	faults->count = kept;
}

int schema_inspect(const json_t *root, const struct schema_options *options, struct schema_faults *faults,
		   struct schema_faults *doubts)
{
	json_t *meta = schema_meta_new(SCHEMA_META_2020);
	struct schema_options plain = {.formats = true};
	struct schema_faults others = {.count = 0};
	struct schema *schema;

	*faults = (struct schema_faults){.count = 0};
	if (doubts)
		*doubts = *faults;
	schema_free(compile(root, options, faults, doubts));
	drop_foreign(faults);
	if (doubts)
		drop_foreign(doubts);
	schema = compile(meta, &plain, &others, NULL);
	if (schema_check_all(schema, root, &others))
		add_others(faults, &others);
	schema_free(schema);
	json_decref(meta);
	return faults->count ? -1 : 0;
}

static void each_of(struct schema_faults *faults, bool mistake,
		    void (*each)(void *arg, bool mistake, const char *pointer, const char *message), void *arg)
{
	for (size_t i = 0; i < faults->count; i++)
		each(arg, mistake, faults->list[i].instance, faults->list[i].message);
	schema_faults_free(faults);
}

void schema_each_fault(const json_t *root, const char *name, const json_t *(*document)(void *arg, const char *address),
		       void *arg, void (*each)(void *each_arg, bool mistake, const char *pointer, const char *message),
		       void *each_arg)
{
	struct schema_options options = {.name = name, .document = document, .arg = arg};
	struct schema_faults faults, doubts;

	schema_inspect(root, &options, &faults, &doubts);
	each_of(&faults, true, each, each_arg);
	each_of(&doubts, false, each, each_arg);
}
