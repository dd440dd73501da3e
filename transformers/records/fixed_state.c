/* What reading and writing a record have in common: where they are, and what decides about fields. See fixed.h. */
#include "config.h"
#include "transformers/records/fixed.h"

#include <stdio.h>
#include <stdlib.h>

void fixed_path_text(const struct fixed_state *state, char *into, size_t size)
{
	size_t at = 0;

	*into = '\0';
	for (int i = 0; i < state->depth && at < size; i++) {
		const struct fixed_path *step = &state->path[i];

		if (!step->field->name || step->field->type == FIELD_CHOICE)
			continue;
		at += (size_t)snprintf(into + at, size - at, "%s%s", at ? "." : "", step->field->name);
		if (step->index && at < size)
			at += (size_t)snprintf(into + at, size - at, "[%zu]", step->index);
	}
}

int64_t fixed_times(const struct fixed_state *state, const struct field *field)
{
	char *end;
	long long times;

	if (field->depends_slot < 0)
		return (int64_t)field->times_max;
	times = strtoll(state->slots[field->depends_slot], &end, 10);
	if (end == state->slots[field->depends_slot] || (*end && *end != '.') || times < (long long)field->times_min ||
	    times > (long long)field->times_max)
		return -1;
	return times;
}

bool fixed_matches(const struct layout_when *when, struct span value)
{
	while (value.len && value.data[value.len - 1] == ' ')
		value.len--;
	for (size_t i = 0; i < when->is.count; i++) {
		struct span is = span_of(when->is.items[i]);

		while (is.len && is.data[is.len - 1] == ' ')
			is.len--;
		if (span_equal(is, value))
			return true;
	}
	return false;
}

const struct field *fixed_chosen(const struct fixed_state *state, const struct field *choice)
{
	for (size_t i = 0; i < choice->fields_count; i++) {
		const struct field *field = choice->fields[i];

		if (!field->when.field ||
		    (field->when.slot >= 0 && fixed_matches(&field->when, span_of(state->slots[field->when.slot]))))
			return field;
	}
	return NULL;
}

void fixed_remember(struct fixed_state *state, const struct field *field, struct span json)
{
	char *slot;

	if (field->slot < 0)
		return;
	slot = state->slots[field->slot];
	if (json.len > 1 && *json.data == '"')
		json = span_make(json.data + 1, json.len - 2);
	if (json.len >= LAYOUT_SLOT_SIZE || span_is(json, "null"))
		json.len = 0;
	memcpy(slot, json.data, json.len);
	slot[json.len] = '\0';
}
