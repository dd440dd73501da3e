/* A record of fixed positions to JSON. See fixed.h. */
#include "config.h"
#include "transformers/records/fixed.h"

#include <stdio.h>

struct reading {
	struct fixed_state *state;
	const char *start, *p, *end;
	struct buf *json;
	struct buf raw; /* "path":"hex",… */
	bool may_end, ended;
	struct error *error;
};

static int at_field(struct reading *r)
{
	char path[300];

	fixed_path_text(r->state, path, sizeof path);
	return error_wrap(r->error, "%s%sbyte %zu", path, *path ? ", " : "", (size_t)(r->p - r->start) + 1);
}

static void note_raw(struct reading *r, const char *path, struct span bytes)
{
	static const char digits[] = "0123456789abcdef";

	buf_printf(&r->raw, "%s\"", r->raw.len ? "," : "");
	for (const char *c = path; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_char(&r->raw, '\\');
		buf_char(&r->raw, *c);
	}
	buf_text(&r->raw, "\":\"");
	for (size_t i = 0; i < bytes.len; i++) {
		buf_char(&r->raw, digits[(unsigned char)bytes.data[i] >> 4]);
		buf_char(&r->raw, digits[(unsigned char)bytes.data[i] & 15]);
	}
	buf_char(&r->raw, '"');
}

/* Bytes that no field has: only what is not padding is noted. */
static void read_gap(struct reading *r, size_t length, char pad)
{
	struct span bytes;
	char path[32];

	if (length > (size_t)(r->end - r->p)) {
		length = (size_t)(r->end - r->p);
		r->ended = true;
	}
	bytes = span_make(r->p, length);
	if (!fixed_is_all(bytes, r->state->layout->set.byte_of[(uint8_t)pad])) {
		snprintf(path, sizeof path, "@%zu", (size_t)(r->p - r->start) + 1);
		note_raw(r, path, bytes);
	}
	r->p += length;
}

static int read_value(struct reading *r, const struct field *field)
{
	struct span bytes = span_make(r->p, field->length), json;
	size_t from = r->json->len, left = (size_t)(r->end - r->p);
	bool unusual;
	char path[300];

	if (left < field->length) {
		r->ended = true;
		bytes.len = left;
		if (field->type != FIELD_TEXT || field->right || !r->may_end) {
			error_set(r->error, ERROR_REJECT, "fixed-width.length",
				  "the record ends %zu bytes before the field does", field->length - left);
			return at_field(r);
		}
	}
	if (fixed_value_read(r->state->layout, field, bytes, r->json, &unusual, r->error))
		return at_field(r);
	json = span_make(r->json->data + from, r->json->len - from);
	fixed_remember(r->state, field, json);
	if (unusual) {
		fixed_path_text(r->state, path, sizeof path);
		note_raw(r, path, bytes);
	}
	r->p += bytes.len;
	return 0;
}

static int read_entry(struct reading *r, const struct field *field, bool *first);

static int read_fields(struct reading *r, const struct field *group, bool *first)
{
	for (size_t i = 0; i < group->fields_count; i++)
		if (read_entry(r, group->fields[i], first))
			return -1;
	return 0;
}

static int read_choice(struct reading *r, const struct field *choice, bool *first)
{
	const struct field *chosen = fixed_chosen(r->state, choice);
	size_t room = choice->length < (size_t)(r->end - r->p) ? choice->length : (size_t)(r->end - r->p);
	const char *end = r->end, *stop = r->p + room;

	if (!chosen) {
		error_set(r->error, ERROR_REJECT, "fixed-width.choice",
			  "none of the fields that may stand here is meant: %s", "what decides has another value");
		return at_field(r);
	}
	r->end = stop;
	if (read_entry(r, chosen, first))
		return -1;
	if (r->p < stop)
		read_gap(r, (size_t)(stop - r->p), ' ');
	r->end = end;
	return 0;
}

static int read_one(struct reading *r, const struct field *field)
{
	bool first = true;

	if (field->type != FIELD_GROUP)
		return read_value(r, field);
	buf_char(r->json, '{');
	if (read_fields(r, field, &first))
		return -1;
	buf_char(r->json, '}');
	return 0;
}

static bool at_end(struct reading *r, const struct field *field)
{
	if (!r->may_end || r->p < r->end || !field->length)
		return false;
	r->ended = true;
	return true;
}

static int read_array(struct reading *r, const struct field *field)
{
	int64_t times = fixed_times(r->state, field);
	bool may_end = r->may_end;

	if (times < 0) {
		error_set(r->error, ERROR_REJECT, "fixed-width.occurs",
			  "`%s` does not say how often it occurs, %zu to %zu", field->depends, field->times_min,
			  field->times_max);
		return at_field(r);
	}
	buf_char(r->json, '[');
	r->may_end = may_end && !field->depends; /* those that are counted are there */
	for (int64_t i = 0; i < times && !at_end(r, field); i++) {
		if (i)
			buf_char(r->json, ',');
		r->state->path[r->state->depth - 1].index = (size_t)i + 1;
		if (read_one(r, field))
			return -1;
	}
	r->may_end = may_end;
	buf_char(r->json, ']');
	return 0;
}

static int read_named(struct reading *r, const struct field *field, bool *first)
{
	if (!*first)
		buf_char(r->json, ',');
	*first = false;
	buf_span(r->json, field->key);
	return field->array ? read_array(r, field) : read_one(r, field);
}

static int read_entry(struct reading *r, const struct field *field, bool *first)
{
	int failed;

	if (field->type == FIELD_GAP) {
		for (size_t i = 0; i < field->times_max; i++)
			read_gap(r, field->length, field->pad);
		return 0;
	}
	if (field->type != FIELD_CHOICE && field->name && !field->array && at_end(r, field))
		return 0;
	r->state->path[r->state->depth++] = (struct fixed_path){field, 0};
	if (field->type == FIELD_CHOICE)
		failed = at_end(r, field) ? 0 : read_choice(r, field, first);
	else
		failed = field->name ? read_named(r, field, first) : read_fields(r, field, first);
	r->state->depth--;
	return failed;
}

static int read_rest(struct reading *r, struct span bytes, size_t length)
{
	size_t left = (size_t)(r->end - r->p);

	if (left && !fixed_is_all(span_make(r->p, left), r->state->layout->set.byte_of[' '])) {
		if (r->state->layout->framing != FRAMING_FIXED) {
			error_set(r->error, ERROR_REJECT, "fixed-width.length",
				  "%zu bytes follow the last field: the record is longer than its layout", left);
			return at_field(r);
		}
		read_gap(r, left, ' ');
	}
	if (r->ended || (left && r->state->layout->framing != FRAMING_FIXED))
		buf_printf(r->json, ",\"length\":%zu", bytes.len);
	return 0;
}

int fixed_read_record(struct fixed_state *state, const struct layout_record *record, struct span bytes, bool may_end,
		      struct buf *json, struct error *error)
{
	struct reading r = {.state = state,
			    .start = bytes.data,
			    .p = bytes.data,
			    .end = bytes.data + bytes.len,
			    .json = json,
			    .may_end = may_end,
			    .error = error};
	bool first = true;
	int failed;

	buf_init(&r.raw, SIZE_MAX / 4);
	state->depth = 0;
	for (int i = 0; i < state->layout->slots; i++) /* of the record before */
		*state->slots[i] = '\0';
	buf_text(json, "{\"record\":");
	buf_span(json, record->key);
	buf_text(json, ",\"fields\":{");
	failed = read_fields(&r, record->fields, &first);
	if (!failed) {
		buf_char(json, '}');
		failed = read_rest(&r, bytes, record->fields->length);
	}
	if (!failed && r.raw.len) {
		buf_text(json, ",\"raw\":{");
		buf_span(json, buf_view(&r.raw));
		buf_char(json, '}');
	}
	buf_free(&r.raw);
	return failed;
}
