/* split: one message for each part.
 *
 * `by: transaction` follows a decoder, which gives one item for each transaction already: it says what makes one
 * itself. Any other `by` is jq over the body, and each of its results is a message: `.lines[]`, or `. as $order |
 * .lines[] | {order: $order.number} + .`. Paths count from 1. `id` is jq over the part; its values stand in place of
 * the ordinal in the message's identity, so that the same part of a corrected document is the same message. A part
 * without one of them is a dead letter `split.id`. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdio.h>
#include <stdlib.h>

#define ID_VALUE_MAX 256
#define IDS_MAX 8

struct split_settings {
	struct expression *by;
	struct expression_list id;
};

struct split {
	const struct split_settings *settings;
	struct expression *by; /* NULL: transaction */
};

static const struct option options[] = {
	{.name = "by",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct split_settings, by),
	 .range = "transaction", /* a word that is no jq */
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "`transaction`, or jq that gives the parts, such as .lines[]"},
	{.name = "id",
	 .type = OPTION_EXPRESSIONS,
	 .offset = offsetof(struct split_settings, id),
	 .help = "jq over the part: what makes it itself, in place of its ordinal"},
	OPTION_END,
};

static bool by_transaction(const struct split_settings *settings)
{
	return span_is(expression_source(settings->by), "transaction");
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct split_settings *split = settings;
	size_t errors = findings->errors;

	if (!by_transaction(split))
		expression_check(split->by, findings);
	for (size_t i = 0; i < split->id.count; i++)
		expression_check(split->id.items[i], findings);
	if (split->id.count > IDS_MAX)
		finding_add(findings, place, SEVERITY_ERROR, "split.ids", "at most %d expressions make an id", IDS_MAX);
	return findings->errors == errors ? 0 : -1;
}

static void *open_split(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct split *split = mem_alloc(sizeof *split);

	split->settings = settings;
	if (!by_transaction(split->settings))
		split->by = split->settings->by;
	return split;
}

static void close_split(void *self)
{
	struct split *split = self;

	expression_drop(split->by);
	for (size_t i = 0; i < split->settings->id.count; i++)
		expression_drop(split->settings->id.items[i]);
	free(split);
}

/* -1 REJECT of this part. */
static int declare(const struct split *split, struct item *part, struct out *out, struct error *error)
{
	const struct expression_list *id = &split->settings->id;
	struct expression_input input = out_input(out, part);
	struct span values[IDS_MAX];

	for (size_t i = 0; i < id->count && i < IDS_MAX; i++) {
		struct buf value;
		int failed;

		buf_init(&value, ID_VALUE_MAX);
		failed = expression_text(id->items[i], &input, &value, error);
		if (!failed && !value.len)
			failed = error_set(error, ERROR_REJECT, "split.id",
					   "%.*s gives nothing here, and so this part has no identity",
					   SPAN_ARGS(expression_source(id->items[i])));
		values[i] = arena_span(out_arena(out), buf_view(&value));
		buf_free(&value);
		if (failed)
			return -1;
	}
	if (id->count)
		out_declare(out, part, values, id->count < IDS_MAX ? id->count : IDS_MAX);
	return 0;
}

static int hand_on(const struct split *split, struct item *part, struct out *out, struct error *error)
{
	struct error why;

	if (declare(split, part, out, &why))
		return why.class == ERROR_REJECT ? out_reject(out, part, &why, error) : (*error = why, -1);
	return out_emit(out, part, error);
}

static int split_transaction(const struct split *split, struct item *item, struct out *out, struct error *error)
{
	struct item *part;

	if (!json_object_get(item->facts, "transaction"))
		return error_set(error, ERROR_REJECT, "split.transaction",
				 "there are no transactions here: put a decode step in front, or split by jq");
	part = out_item(out, item);
	part->form = FORM_TREE;
	part->tree = json_incref(item->tree);
	out_part(out, part);
	return hand_on(split, part, out, error);
}

#define AHEAD 1000 /* parts of a list up to this long know how many they are */

struct parts {
	const struct split *split;
	struct item *whole;
	struct out *out;
	struct error *error;
	uint32_t count, size; /* size: 0 until it is known */
	bool stopped;
	json_t *ahead; /* those not handed on yet; NULL: there are too many to wait for the end */
	char group[200];
};

static int part_hand_on(struct parts *parts, json_t *tree)
{
	struct item *part = out_item(parts->out, parts->whole);
	char ordinal[16];

	snprintf(ordinal, sizeof ordinal, "%u", ++parts->count);
	part->form = FORM_TREE;
	part->tree = json_incref(tree);
	part->media_type = SPAN_LITERAL("application/json");
	part->contract = SPAN_NONE;
	out_level(parts->out, part, ordinal);
	part->position = span_of(parts->whole->position.len ?
		arena_printf(out_arena(parts->out), "%.*s, part %s", SPAN_ARGS(parts->whole->position), ordinal) :
		arena_printf(out_arena(parts->out), "part %s", ordinal));
	part->group = span_of(parts->group);
	part->group_index = parts->count;
	part->group_size = parts->size;
	parts->stopped = hand_on(parts->split, part, parts->out, parts->error) != 0;
	return parts->stopped;
}

static int hand_on_ahead(struct parts *parts)
{
	json_t *ahead = parts->ahead, *tree;
	int stop = 0;
	size_t i;

	parts->ahead = NULL;
	json_array_foreach(ahead, i, tree)
		if (!stop)
			stop = part_hand_on(parts, tree);
	json_decref(ahead);
	return stop;
}

static int on_part(void *arg, json_t *tree)
{
	struct parts *parts = arg;

	if (parts->ahead && json_array_size(parts->ahead) < AHEAD) {
		json_array_append(parts->ahead, tree);
		return 0;
	}
	return (parts->ahead && hand_on_ahead(parts)) || part_hand_on(parts, tree);
}

static int hand_on_all(struct parts *parts, const struct expression_input *input)
{
	struct error why;

	parts->ahead = json_array();
	if (expression_each(parts->split->by, input, on_part, parts, &why)) {
		struct error own = parts->stopped ? *parts->error : why;

		/* what came before the mistake goes on, as it always did */
		if (parts->ahead && hand_on_ahead(parts))
			return -1;
		*parts->error = own;
		return -1;
	}
	if (parts->ahead) {
		parts->size = (uint32_t)json_array_size(parts->ahead);
		return hand_on_ahead(parts) ? -1 : 0;
	}
	return out_group(parts->out, span_of(parts->group), parts->count, parts->error);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct split *split = self;
	struct parts parts = {.split = split, .whole = item, .out = out, .error = error};
	struct expression_input input;
	int result;

	if (!split->by)
		return split_transaction(split, item, out, error);
	input = out_input(out, item);
	json_incref(input.envelope); /* the chain makes others while the parts pass */
	snprintf(parts.group, sizeof parts.group, "%.64s:%.*s",
		 json_string_value(json_object_get(input.envelope, "id"))
			 ? json_string_value(json_object_get(input.envelope, "id"))
			 : "",
		 (int)(item->path.len < 100 ? item->path.len : 100), item->path.data ? item->path.data : "");
	result = hand_on_all(&parts, &input);
	json_decref(input.envelope);
	if (result)
		return -1;
	return parts.count ? 0 : out_drop(out, item, "it has no parts", error);
}

const struct transformer_ops split_transformer = {
	.name = "split", .help = "Makes one message of each part",
	.options = options, .settings_size = sizeof(struct split_settings),
	.takes = FORM_TREE, .gives = FORM_TREE,
	.check = check, .open = open_split, .close = close_split, .run = run,
};
