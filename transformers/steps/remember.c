/* remember: notes in a table of the store what a message says, for `enrich` to find. It is there exactly when the unit
 * of the message is committed. The message goes on as it is. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>

#define KEY_MAX 1024
#define VALUE_MAX (16u * 1024)

enum exists { EXISTS_REPLACE, EXISTS_KEEP };

struct remember {
	const char *store;
	struct expression *key, *value, *when;
	int exists;
};

static const struct option options[] = {
	{.name = "store",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct remember, store),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "the table of the store"},
	{.name = "key",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct remember, key),
	 .flags = OPTION_REQUIRED,
	 .help = "jq: the key to note it by"},
	{.name = "value",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct remember, value),
	 .flags = OPTION_REQUIRED,
	 .help = "jq: what is noted; empty and null note nothing"},
	{.name = "when",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct remember, when),
	 .help = "jq: whether anything is noted; always where it is not said"},
	{.name = "exists",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct remember, exists),
	 .range = "replace|keep",
	 .fallback = "replace",
	 .help = "what happens when the key is there already"},
	OPTION_END,
};

static int check(const void *of, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct remember *settings = of;
	size_t errors = findings->errors;

	if (!store_table_name(settings->store))
		finding_add(findings, place, SEVERITY_ERROR, "remember.store", STORE_TABLE_FORM, settings->store);
	expression_check(settings->key, findings);
	expression_check(settings->value, findings);
	if (settings->when)
		expression_check(settings->when, findings);
	return findings->errors == errors ? 0 : -1;
}

static void *open_remember(const void *settings, const struct transformer_context *context, struct error *error)
{
	return (void *)(uintptr_t)settings;
}

static void close_remember(void *self)
{
	struct remember *remember = self;

	expression_drop(remember->key);
	expression_drop(remember->value);
	expression_drop(remember->when);
}

static int note(const struct remember *remember, struct out *out, const struct buf *key, json_t *value,
		struct error *error)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	size_t len = strlen(text);
	bool odd = strstr(text, "\\u0000") != NULL || memchr(key->data, 0, key->len) != NULL;

	free(text);
	if (odd)
		return error_set(error, ERROR_REJECT, "remember.value", "a table cannot hold a zero character");
	if (len > VALUE_MAX)
		return error_set(error, ERROR_REJECT, "remember.value",
				 "%zu bytes are too much for a table, the limit is %u", len, VALUE_MAX);
	return out_remember(out, remember->store, buf_view(key), value, remember->exists == EXISTS_REPLACE, error);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct remember *remember = self;
	struct expression_input input = out_input(out, item);
	json_t *value = NULL;
	bool is = true;
	struct buf key;
	int failed;

	if (remember->when && expression_true(remember->when, &input, &is, error))
		return -1;
	if (!is)
		return out_emit(out, item, error);
	buf_init(&key, KEY_MAX);
	failed = expression_text(remember->key, &input, &key, error);
	if (!failed && !key.len)
		failed = error_set(error, ERROR_REJECT, "remember.key", "%.*s gives nothing to note it by",
				   SPAN_ARGS(expression_source(remember->key)));
	if (!failed)
		failed = expression_run(remember->value, &input, &value, error);
	if (!failed && value && !json_is_null(value)) /* null is what is not there */
		failed = note(remember, out, &key, value, error);
	json_decref(value);
	buf_free(&key);
	return failed ? -1 : out_emit(out, item, error);
}

const struct transformer_ops remember_transformer = {
	.name = "remember",
	.help = "Notes in a table of the store what a message says",
	.options = options,
	.settings_size = sizeof(struct remember),
	.takes = FORM_TREE,
	.gives = FORM_TREE,
	.check = check,
	.open = open_remember,
	.close = close_remember,
	.run = run,
};
