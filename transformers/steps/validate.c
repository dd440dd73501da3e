/* validate: only what its contract allows goes on; it is a canonical message then, and its business keys are noted. The
 * keys are those that the contract names (x-ferrule-keys: a list of jq paths) and those that the flow adds. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>

#include "transformers/schema/schema.h"

#define KEY_TEXT_MAX 4096

struct validate_settings {
	const char *contract;
	struct expression_list keys;
	bool formats;
};

struct validate {
	const struct validate_settings *settings;
	struct arena *arena;
	struct schema *schema;
	struct expression_list keys; /* of the contract */
};

static const struct option options[] = {
	{.name = "contract",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct validate_settings, contract),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "the contract, with its version: order/v1"},
	{.name = "keys",
	 .type = OPTION_EXPRESSIONS,
	 .offset = offsetof(struct validate_settings, keys),
	 .help = "jq paths of business keys, besides those that the contract names"},
	{.name = "formats",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct validate_settings, formats),
	 .fallback = "on",
	 .help = "whether `format` is asserted (date, email, uuid …) or, off, only tells people what is meant"},
	OPTION_END,
};

static void close_validate(void *self)
{
	struct validate *validate = self;

	for (size_t i = 0; i < validate->keys.count; i++)
		expression_drop(validate->keys.items[i]);
	for (size_t i = 0; i < validate->settings->keys.count; i++)
		expression_drop(validate->settings->keys.items[i]);
	schema_free(validate->schema);
	arena_free(validate->arena);
	free(validate);
}

static void read_keys(struct validate *validate, const json_t *list)
{
	size_t n = json_array_size(list);

	validate->keys.items = arena_alloc(validate->arena, n * sizeof *validate->keys.items);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text)
			validate->keys.items[validate->keys.count++] = expression_new(
				validate->arena, span_of(text),
				(struct place){arena_strdup(validate->arena, validate->settings->contract), 1, 0});
	}
}

static const json_t *find_contract(void *arg, const char *address)
{
	const struct transformer_context *context = arg;

	return context && context->contract ? context->contract(context->site, address) : NULL;
}

static void *open_validate(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct validate *validate = mem_alloc(sizeof *validate);
	void *arg = (void *)(uintptr_t)context;
	struct schema_options how = {.document = find_contract, .arg = arg};
	const json_t *contract;

	validate->settings = settings;
	validate->arena = arena_new();
	how.formats = validate->settings->formats;
	how.name = validate->settings->contract;
	contract = find_contract(arg, validate->settings->contract);
	if (!contract)
		error_set(error, ERROR_REJECT, "validate.contract",
			  "there is no contract %s: expected canonical/%s.schema.json", validate->settings->contract,
			  validate->settings->contract);
	else
		validate->schema = schema_new(contract, &how, error);
	if (contract && !validate->schema)
		error_wrap(error, "%s is no JSON Schema", validate->settings->contract);
	if (!validate->schema) {
		close_validate(validate);
		return NULL;
	}
	read_keys(validate, json_object_get(contract, "x-ferrule-keys"));
	return validate;
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	size_t errors = findings->errors;
	struct validate *validate;
	struct error error;

	validate = open_validate(settings, context, &error);
	if (!validate) { /* a mistake in the contract is told there */
		if (strcmp(error.code, "schema.invalid") != 0)
			finding_add(findings, place, SEVERITY_ERROR, error.code, "%s", error.text);
		return -1;
	}
	for (size_t i = 0; i < validate->keys.count; i++)
		expression_check(validate->keys.items[i], findings);
	for (size_t i = 0; i < validate->settings->keys.count; i++)
		expression_check(validate->settings->keys.items[i], findings);
	close_validate(validate);
	return findings->errors == errors ? 0 : -1;
}

static int add_key(struct item *item, struct span name, struct span value, struct out *out, struct error *error)
{
	if (value.len > MESSAGE_KEY_MAX)
		value.len = MESSAGE_KEY_MAX;
	for (size_t i = 0; i < item->keys_count; i++)
		if (span_equal(item->keys[i].name, name) && span_equal(item->keys[i].value, value))
			return 0;
	if (item->keys_count == MESSAGE_KEYS_MAX)
		return error_set(error, ERROR_REJECT, "message.keys", "more than %d business keys", MESSAGE_KEYS_MAX);
	item->keys[item->keys_count++] = (struct attr){name, arena_span(out_arena(out), value)};
	return 0;
}

static int add_keys(const struct expression_list *keys, const struct expression_input *input, struct item *item,
		    struct out *out, struct error *error)
{
	for (size_t i = 0; i < keys->count; i++) {
		struct buf value;
		int failed;

		buf_init(&value, KEY_TEXT_MAX);
		failed = expression_text(keys->items[i], input, &value, error);
		if (!failed && value.len)
			failed = add_key(item, expression_source(keys->items[i]), buf_view(&value), out, error);
		buf_free(&value);
		if (failed)
			return -1;
	}
	return 0;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct validate *validate = self;
	struct expression_input input;
	struct item *valid;
	struct error why;

	if (schema_check(validate->schema, item->tree, error))
		return error_wrap(error, "not a valid %s", validate->settings->contract);
	input = out_input(out, item);
	json_incref(input.envelope);
	valid = out_item(out, item);
	valid->form = FORM_TREE;
	valid->tree = json_incref(item->tree);
	valid->bytes = item->bytes ? reader_ref(item->bytes) : NULL;
	valid->contract = span_of(validate->settings->contract);
	if (add_keys(&validate->keys, &input, valid, out, &why) ||
	    add_keys(&validate->settings->keys, &input, valid, out, &why)) {
		json_decref(input.envelope);
		return out_reject(out, valid, &why, error);
	}
	json_decref(input.envelope);
	return out_emit(out, valid, error);
}

const struct transformer_ops validate_transformer = {
	.name = "validate", .help = "Lets through what its contract allows, and notes its business keys",
	.options = options, .settings_size = sizeof(struct validate_settings),
	.takes = FORM_TREE, .gives = FORM_TREE,
	.check = check, .open = open_validate, .close = close_validate, .run = run,
};
