/* JSON to a record of fixed positions. See fixed.h. */
#include "config.h"
#include "transformers/records/fixed.h"

#include <stdio.h>

#include "base/tree.h"

struct writing {
	struct fixed_state *state;
	const json_t *raw; /* NULL: none */
	struct buf *bytes;
	size_t start;  /* of the record */
	size_t length; /* that it shall have; 0: all */
	bool absent;   /* of an array's element that is not there: what is no text is zero */
	struct error *error;
};

static size_t position(const struct writing *w)
{
	return w->bytes->len - w->start;
}

static int at_field(struct writing *w)
{
	char path[300];

	fixed_path_text(w->state, path, sizeof path);
	return error_wrap(w->error, "%s", path);
}

/* ---- what was written in another way */
static int half_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes that `raw` has for the path; false: none. */
static bool find_raw(const struct writing *w, const char *path, struct buf *into)
{
	const char *hex = json_string_value(json_object_get(w->raw, path));

	for (; hex && hex[0]; hex += 2) {
		if (half_of(hex[0]) < 0 || half_of(hex[1]) < 0)
			return false;
		buf_char(into, (char)(half_of(hex[0]) << 4 | half_of(hex[1])));
	}
	return hex != NULL;
}

/* They fill the field, or are a text that the end of the record cuts off. */
static bool is_whole(const struct writing *w, const struct field *field, size_t n)
{
	return n == field->length ||
	       (field->type == FIELD_TEXT && !field->right && n && n < field->length && w->length == position(w) + n);
}

/* Whether those bytes say the same as the value. */
static bool says_same(const struct writing *w, const struct field *field, struct span bytes, const json_t *value)
{
	json_t *other, *null = json_null();
	struct buf text;
	bool unusual, same;

	buf_init(&text, 8 * LAYOUT_RECORD_MAX);
	same = is_whole(w, field, bytes.len) &&
	       !fixed_value_read(w->state->layout, field, bytes, &text, &unusual, NULL);
	other = same ? json_loadb(text.data, text.len, JSON_DECODE_ANY, NULL) : NULL;
	same = other && json_equal(other, value ? value : null);
	json_decref(other);
	buf_free(&text);
	return same;
}

static bool write_raw(struct writing *w, const struct field *field, const json_t *value)
{
	struct buf bytes;
	char path[300];
	bool there;

	if (!w->raw)
		return false;
	buf_init(&bytes, LAYOUT_RECORD_MAX);
	fixed_path_text(w->state, path, sizeof path);
	there = find_raw(w, path, &bytes) && says_same(w, field, buf_view(&bytes), value);
	if (there)
		buf_span(w->bytes, buf_view(&bytes));
	buf_free(&bytes);
	return there;
}

static void write_gap(struct writing *w, size_t length, char pad)
{
	struct buf bytes;
	char path[32];
	bool there = false;

	buf_init(&bytes, LAYOUT_RECORD_MAX);
	snprintf(path, sizeof path, "@%zu", position(w) + 1);
	if (w->raw && find_raw(w, path, &bytes) && bytes.len <= length) {
		buf_span(w->bytes, buf_view(&bytes));
		there = true;
	}
	fixed_pad(w->state->layout, pad, there ? length - bytes.len : length, w->bytes);
	buf_free(&bytes);
}

/* ---- fields */
static void remember(struct writing *w, const struct field *field, size_t from)
{
	struct buf text;
	bool unusual;

	if (field->slot < 0)
		return;
	buf_init(&text, 8 * LAYOUT_RECORD_MAX);
	if (!fixed_value_read(w->state->layout, field, span_make(w->bytes->data + from, w->bytes->len - from), &text,
			      &unusual, NULL))
		fixed_remember(w->state, field, buf_view(&text));
	buf_free(&text);
}

static int write_value(struct writing *w, const struct field *field, const json_t *value)
{
	size_t from = w->bytes->len;
	json_t *zero = NULL;
	int failed;

	if (w->absent && field->type != FIELD_TEXT && field->type != FIELD_DATE)
		value = zero = json_integer(0);
	if (!write_raw(w, field, value)) {
		failed = fixed_value_write(w->state->layout, field, value, w->bytes, w->error);
		json_decref(zero);
		if (failed)
			return at_field(w);
	} else {
		json_decref(zero);
	}
	remember(w, field, from);
	return 0;
}

static int write_entry(struct writing *w, const struct field *field, const json_t *object);

static int write_fields(struct writing *w, const struct field *group, const json_t *object)
{
	for (size_t i = 0; i < group->fields_count; i++)
		if (write_entry(w, group->fields[i], object))
			return -1;
	return 0;
}

static int write_choice(struct writing *w, const struct field *choice, const json_t *object)
{
	const struct field *chosen = fixed_chosen(w->state, choice);
	size_t end = w->bytes->len + choice->length;

	if (!chosen) {
		error_set(w->error, ERROR_REJECT, "fixed-width.choice",
			  "none of the fields that may stand here is meant: what decides has another value");
		return at_field(w);
	}
	if (write_entry(w, chosen, object))
		return -1;
	if (w->bytes->len < end)
		write_gap(w, end - w->bytes->len, ' ');
	return 0;
}

static int write_one(struct writing *w, const struct field *field, const json_t *value)
{
	if (field->type != FIELD_GROUP)
		return write_value(w, field, value);
	if (value && !json_is_null(value) && !json_is_object(value)) {
		error_set(w->error, ERROR_REJECT, "fixed-width.value", "a group of fields is an object");
		return at_field(w);
	}
	return write_fields(w, field, value);
}

static bool is_behind(const struct writing *w)
{
	return w->length && position(w) >= w->length;
}

static int write_array(struct writing *w, const struct field *field, const json_t *value)
{
	int64_t times = fixed_times(w->state, field);
	size_t there = json_array_size(value);

	if ((value && !json_is_null(value) && !json_is_array(value)) || times < 0 || there > (size_t)times ||
	    (field->depends && there != (size_t)times)) {
		error_set(w->error, ERROR_REJECT, "fixed-width.occurs",
			  field->depends ? "there are %zu of it; `%s` must say the same, and at most %zu may be"
					 : "there are %zu of it%.0s, and at most %zu may be",
			  there, field->depends, field->times_max);
		return at_field(w);
	}
	for (size_t i = 0; i < (size_t)times && !(i >= there && is_behind(w)); i++) {
		bool absent = w->absent;
		int failed;

		w->state->path[w->state->depth - 1].index = i + 1;
		w->absent = absent || i >= there;
		failed = write_one(w, field, json_array_get(value, i));
		w->absent = absent;
		if (failed)
			return -1;
	}
	return 0;
}

static int write_named(struct writing *w, const struct field *field, const json_t *object)
{
	const json_t *value = json_object_get(object, field->name);
	json_t *count = NULL;
	int failed;

	if (!value && is_behind(w))
		return 0;
	if (field->array)
		return write_array(w, field, value);
	if (!value && field->counts && json_is_array(json_object_get(object, field->counts->name)))
		value = count = json_integer((json_int_t)json_array_size(json_object_get(object, field->counts->name)));
	failed = write_one(w, field, value);
	json_decref(count);
	return failed;
}

static int write_entry(struct writing *w, const struct field *field, const json_t *object)
{
	int failed;

	if (field->type == FIELD_GAP) {
		for (size_t i = 0; i < field->times_max && !is_behind(w); i++)
			write_gap(w, field->length, field->pad);
		return 0;
	}
	if (field->type == FIELD_CHOICE && is_behind(w))
		return 0;
	w->state->path[w->state->depth++] = (struct fixed_path){field, 0};
	if (field->type == FIELD_CHOICE)
		failed = write_choice(w, field, object);
	else
		failed = field->name ? write_named(w, field, object) : write_fields(w, field, object);
	w->state->depth--;
	return failed;
}

/* ---- the record */
/* As long as it was, where only blanks make the difference; as all are. */
static void set_length(struct writing *w)
{
	const struct layout *layout = w->state->layout;
	size_t length = layout->framing == FRAMING_FIXED ? layout->length : w->length;

	if (!length || length == position(w))
		return;
	if (length > position(w))
		write_gap(w, length - position(w), ' ');
	else if (fixed_is_all(span_make(w->bytes->data + w->start + length, position(w) - length),
			      layout->set.byte_of[' ']))
		w->bytes->len = w->start + length;
}

static const struct layout_record *record_of(const struct layout *layout, const json_t *line, struct error *error)
{
	const char *name = json_string_value(json_object_get(line, "record"));

	if (!name && layout->records_count == 1)
		return &layout->records[0];
	for (size_t i = 0; name && i < layout->records_count; i++)
		if (!strcmp(layout->records[i].name, name))
			return &layout->records[i];
	error_set(error, ERROR_REJECT, "fixed-width.record",
		  name ? "the layout has no record `%.60s`"
		       : "`record` must say which of the layout's records it is%.0s",
		  name ? name : "");
	return NULL;
}

int fixed_write_record(struct fixed_state *state, const json_t *line, struct buf *bytes, struct error *error)
{
	const struct layout_record *record = record_of(state->layout, line, error);
	const json_t *fields = json_object_get(line, "fields"), *length = json_object_get(line, "length");
	struct writing w = {.state = state, .bytes = bytes, .start = bytes->len, .error = error};

	if (!record)
		return -1;
	if (!json_is_object(fields))
		return error_set(error, ERROR_REJECT, "fixed-width.record", "`fields` must be an object");
	w.raw = json_object_size(json_object_get(line, "raw")) ? json_object_get(line, "raw") : NULL;
	if (json_integer_value(length) > 0 && json_integer_value(length) <= (json_int_t)LAYOUT_RECORD_MAX)
		w.length = (size_t)json_integer_value(length);
	state->depth = 0;
	memset(state->slots, 0, sizeof state->slots);
	if (write_fields(&w, record->fields, fields))
		return -1;
	set_length(&w);
	return 0;
}
