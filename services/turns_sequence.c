/* See turns_sequence.h. */
#include "config.h"
#include "services/turns_sequence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/expression.h"
#include "transformers/chain_envelope.h"

static int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static int64_t behind(const struct sequence_spec *spec, int64_t number)
{
	return number >= spec->last ? spec->first : number + 1;
}

/* ---- numbers that are given ---- */
static int64_t take(const struct sequence_spec *spec, json_t *state, const char *period)
{
	const char *before = json_string_value(json_object_get(state, "period"));
	int64_t next = json_object_get(state, "next") ? number_of(state, "next") : spec->first;

	if (next < spec->first || next > spec->last || (before && strcmp(before, period) != 0))
		next = spec->first;
	json_object_set_new(state, "period", json_string(period));
	json_object_set_new(state, "next", json_integer((json_int_t)behind(spec, next)));
	return next;
}

void sequence_give(const struct sequence_spec *spec, json_t *state, const char *period, struct message *message)
{
	json_t *given = json_object_get(state, "given");
	char id[ID_TEXT], text[40];
	int64_t number;

	if (!given) {
		given = json_object();
		json_object_set_new(state, "given", given);
	}
	id_hex(&message->id, id);
	if (json_object_get(given, id)) {
		number = number_of(given, id);
	} else {
		number = take(spec, state, period);
		while (json_object_size(given) >= SEQUENCE_GIVEN_MAX)
			json_object_del(given, json_object_iter_key(json_object_iter(given)));
		json_object_set_new(given, id, json_integer((json_int_t)number));
	}
	snprintf(text, sizeof text, "%0*" PRId64, (int)spec->digits, number);
	message_attr(message, SPAN_LITERAL("sequence"), span_of(text), NULL);
}

void sequence_accepted(json_t *state)
{
	json_object_del(state, "given");
}

/* ---- a partner's numbers ---- */
static int read_number(const struct sequence_spec *spec, const struct message *message, int64_t *number,
		       struct error *error)
{
	json_t *envelope = envelope_of_message(message);
	struct expression_input input = {.body = envelope, .envelope = envelope};
	struct buf text;
	char *end = NULL;
	int result;

	buf_init(&text, 4096);
	result = expression_text(spec->check, &input, &text, error);
	if (!result) {
		buf_char(&text, 0);
		*number = strtoll(text.data, &end, 10);
		if (text.len < 2 || text.len > 18 || *end || text.data[0] < '0' || text.data[0] > '9')
			result = error_set(error, ERROR_REJECT, "sequence.number",
					   "`sequence: check` gives `%.40s` for %.*s, which is no number", text.data,
					   SPAN_ARGS(message->origin.name));
	}
	buf_free(&text);
	json_decref(envelope);
	return result;
}

static void add_range(json_t *missing, int64_t first, int64_t last)
{
	json_array_append_new(missing, json_pack("[I,I]", (json_int_t)first, (json_int_t)last));
	if (json_array_size(missing) > SEQUENCE_MISSING_MAX)
		json_array_remove(missing, 0);
}

/* One that was missing has come. False: it was not. */
static bool fill(json_t *missing, int64_t number)
{
	json_t *range;
	size_t i;

	json_array_foreach(missing, i, range) {
		int64_t first = json_integer_value(json_array_get(range, 0)),
			last = json_integer_value(json_array_get(range, 1));

		if (number < first || number > last)
			continue;
		json_array_remove(missing, i);
		if (number < last)
			json_array_insert_new(missing, i, json_pack("[I,I]", (json_int_t)number + 1, (json_int_t)last));
		if (number > first)
			json_array_insert_new(missing, i,
					      json_pack("[I,I]", (json_int_t)first, (json_int_t)number - 1));
		return true;
	}
	return false;
}

int sequence_check(const struct sequence_spec *spec, json_t *state, const struct message *message, bool *changed,
		   struct error *error)
{
	json_t *missing = json_object_get(state, "missing");
	int64_t number = 0, next = number_of(state, "next");

	*changed = false;
	if (read_number(spec, message, &number, error))
		return -1;
	if (!missing) {
		missing = json_array();
		json_object_set_new(state, "missing", missing);
	}
	if (!json_object_get(state, "next") || number == next) {
		json_object_set_new(state, "next", json_integer((json_int_t)behind(spec, number)));
	} else if (fill(missing, number)) {
		*changed = true;
	} else if (number > next) {
		add_range(missing, next, number - 1);
		json_object_set_new(state, "next", json_integer((json_int_t)behind(spec, number)));
		*changed = true;
	} else if (number == spec->first) { /* it begins anew; what was to come before the end is missing */
		json_object_set_new(state, "next", json_integer((json_int_t)behind(spec, number)));
	} else {
		json_object_set_new(state, "repeated", json_integer((json_int_t)number));
	}
	return 0;
}

void sequence_missing(const json_t *state, char *text, size_t size)
{
	json_t *range;
	size_t i, used = 0;

	*text = 0;
	json_array_foreach(json_object_get(state, "missing"), i, range) {
		int64_t first = json_integer_value(json_array_get(range, 0)),
			last = json_integer_value(json_array_get(range, 1));
		char one[60];

		if (first == last)
			snprintf(one, sizeof one, "%s%" PRId64, used ? ", " : "", first);
		else
			snprintf(one, sizeof one, "%s%" PRId64 "-%" PRId64, used ? ", " : "", first, last);
		if (used + strlen(one) + 6 > size) {
			snprintf(text + used, size - used, " …");
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s", one);
	}
}
