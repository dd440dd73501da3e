/* The key of a durable step. See hold_key.h. */
#include "config.h"
#include "transformers/steps/hold_key.h"

#include "transformers/transformers.h"

#define VALUE_MAX 1024

static void label_add(struct buf *label, struct span value)
{
	if (label->len)
		buf_span(label, SPAN_LITERAL(", "));
	buf_span(label, value);
}

/* Cut between characters. */
static struct span label_cut(struct span label)
{
	if (label.len > HOLD_LABEL_MAX)
		for (label.len = HOLD_LABEL_MAX; label.len && ((unsigned char)label.data[label.len] & 0xc0) == 0x80;)
			label.len--;
	return label;
}

int hold_key(const struct expression_list *by, const char *code, struct item *item, struct out *out, struct hold *hold,
	     struct error *error)
{
	struct expression_input input = out_input(out, item);
	struct span values[HOLD_KEYS_MAX];
	struct buf label, value;
	size_t n = by->count < HOLD_KEYS_MAX ? by->count : HOLD_KEYS_MAX;
	int result = 0;

	buf_init(&label, HOLD_KEYS_MAX * (VALUE_MAX + 2));
	buf_init(&value, VALUE_MAX);
	for (size_t i = 0; i < n && !result; i++) {
		buf_reset(&value);
		result = expression_text(by->items[i], &input, &value, error);
		if (!result && !value.len)
			result = error_set(error, ERROR_REJECT, code, "%.*s gives nothing here: there is no key",
					   SPAN_ARGS(expression_source(by->items[i])));
		values[i] = arena_span(out_arena(out), buf_view(&value));
		label_add(&label, values[i]);
	}
	if (!result) {
		hold->key = id_of(values, n);
		hold->label = label_cut(arena_span(out_arena(out), buf_view(&label)));
	}
	buf_free(&value);
	buf_free(&label);
	return result;
}

int hold_key_check(const struct expression_list *by, const char *step, struct place place, struct findings *findings)
{
	size_t errors = findings->errors;

	for (size_t i = 0; i < by->count; i++)
		expression_check(by->items[i], findings);
	if (by->count > HOLD_KEYS_MAX)
		finding_add(findings, place, SEVERITY_ERROR, "hold.keys", "%s: at most %d expressions make a key", step,
			    HOLD_KEYS_MAX);
	return findings->errors == errors ? 0 : -1;
}

void hold_key_drop(const struct expression_list *by)
{
	for (size_t i = 0; i < by->count; i++)
		expression_drop(by->items[i]);
}
