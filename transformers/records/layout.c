/* The model of a layout: what must hold between its fields, whatever it was read from. See layout.h. */
#include "config.h"
#include "transformers/records/layout.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tree.h"

#define DIGITS_MAX 38

struct finishing {
	struct layout *layout;
	struct findings *findings;
	struct layout_record *record;
};

static void __attribute__((format(printf, 3, 4)))
fault(struct finishing *f, struct place place, const char *format, ...)
{
	va_list arguments;
	char text[300];

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	finding_add(f->findings, place, SEVERITY_ERROR, "layout.form", "%s", text);
}

struct field *layout_field(struct layout *layout, struct field *group, struct place place)
{
	struct field *field = arena_alloc(layout->arena, sizeof *field);
	size_t room = 4;

	field->type = FIELD_TEXT;
	field->times_min = field->times_max = 1;
	field->slot = field->depends_slot = field->when.slot = -1;
	field->place = place;
	if (!group)
		return field;
	while (room < group->fields_count)
		room *= 2;
	if (!group->fields_count || room == group->fields_count) {
		struct field **more = arena_alloc(layout->arena, (group->fields_count ? room * 2 : 4) * sizeof *more);

		if (group->fields_count)
			memcpy(more, group->fields, group->fields_count * sizeof *more);
		group->fields = more;
	}
	group->fields[group->fields_count++] = field;
	return field;
}

struct field *layout_find(struct field *group, const char *name)
{
	for (size_t i = 0; i < group->fields_count; i++) {
		struct field *field = group->fields[i], *found;

		if (field->name && !strcmp(field->name, name))
			return field;
		found = layout_find(field, name);
		if (found)
			return found;
	}
	return NULL;
}

/* ---- fields that lie over one another */
static struct field *original_of(struct field *group, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		struct field *field = group->fields[i];

		if (field->name && !strcmp(field->name, name))
			return field;
		for (size_t k = 0; field->type == FIELD_CHOICE && k < field->fields_count; k++)
			if (field->fields[k]->name && !strcmp(field->fields[k]->name, name))
				return field;
	}
	return NULL;
}

/* The original becomes a choice of itself; what always holds comes last. */
static void add_alternative(struct finishing *f, struct field *original, struct field *field)
{
	if (original->type != FIELD_CHOICE) {
		struct field *copy = layout_field(f->layout, NULL, original->place);

		*copy = *original;
		*original = *layout_field(f->layout, NULL, copy->place);
		original->type = FIELD_CHOICE;
		*layout_field(f->layout, original, copy->place) = *copy;
	}
	*layout_field(f->layout, original, field->place) = *field;
	for (size_t i = original->fields_count - 1; i && !original->fields[i - 1]->when.field; i--) {
		struct field *last = original->fields[i];

		original->fields[i] = original->fields[i - 1];
		original->fields[i - 1] = last;
	}
}

static void lay_over(struct finishing *f, struct field *group)
{
	size_t kept = 0;

	for (size_t i = 0; i < group->fields_count; i++) {
		struct field *field = group->fields[i], *original;

		lay_over(f, field);
		if (!field->redefines) {
			if (field->when.field)
				fault(f, field->place,
				      "`when` chooses between fields that lie over one another; this "
				      "one redefines none");
			group->fields[kept++] = field;
			continue;
		}
		original = original_of(group, kept, field->redefines);
		if (!original)
			fault(f, field->place, "there is no field `%s` beside it that it could redefine",
			      field->redefines);
		else if (original->array || field->array)
			fault(f, field->place,
			      "what occurs several times cannot be redefined, or redefine: put it into a group");
		else if (field->when.field)
			add_alternative(f, original, field);
		else if (field->name)
			finding_add(f->findings, field->place, SEVERITY_WARNING, "layout.redefines",
				    "`%s` lies over `%s` and nothing says when: it is never read", field->name,
				    field->redefines);
	}
	group->fields_count = kept;
}

/* ---- lengths */
static void check_type(struct finishing *f, struct field *field)
{
	size_t most = field->type == FIELD_BINARY   ? 8
		      : field->type == FIELD_PACKED ? DIGITS_MAX / 2
		      : field->type == FIELD_TEXT   ? LAYOUT_RECORD_MAX
						    : DIGITS_MAX;

	if (field->sign == SIGN_AUTO)
		field->sign = field->type == FIELD_NUMBER ? SIGN_NONE : SIGN_YES;
	if (!field->pad)
		field->pad = field->type == FIELD_NUMBER ? '0' : ' ';
	if (!field->length || field->length > most)
		fault(f, field->place, "a field of this type is 1 to %zu bytes long, and not %zu", most, field->length);
	if (field->type == FIELD_DATE && (!field->format || strlen(field->format) != field->length))
		fault(f, field->place, "the format of a date is as long as its field: YYYYMMDD for 8 bytes");
	if (field->type == FIELD_NUMBER && field->sign == SIGN_YES)
		fault(f, field->place,
		      "the sign of a number is leading or trailing; with its sign in a digit it is zoned");
	if (field->point && field->type != FIELD_NUMBER)
		fault(f, field->place, "a point stands in numbers of the type `number` only");
	if (f->layout->set.utf8 ? false : field->pad && !f->layout->set.byte_of[(uint8_t)field->pad])
		fault(f, field->place, "the padding is not in the character set");
}

static void measure(struct finishing *f, struct field *field)
{
	size_t total = 0;

	for (size_t i = 0; i < field->fields_count; i++) {
		struct field *inner = field->fields[i];
		size_t length;

		measure(f, inner);
		length = inner->length * inner->times_max;
		if (inner->times_max > LAYOUT_RECORD_MAX || length > LAYOUT_RECORD_MAX || total > LAYOUT_RECORD_MAX) {
			fault(f, inner->place, "a record has at most %zu bytes", LAYOUT_RECORD_MAX);
			return;
		}
		if (field->type == FIELD_CHOICE)
			total = length > total ? length : total;
		else
			total += length;
	}
	if (field->type == FIELD_GROUP || field->type == FIELD_CHOICE) {
		field->length = total;
		if (!field->fields_count)
			fault(f, field->place, "a group has fields");
	} else if (field->type != FIELD_GAP) {
		check_type(f, field);
	}
	if (field->type == FIELD_GAP)
		field->pad = field->pad ? field->pad : ' ';
}

/* ---- names */
static void check_names(struct finishing *f, const struct field *group, json_t *taken)
{
	for (size_t i = 0; i < group->fields_count; i++) {
		const struct field *field = group->fields[i];
		json_t *own = field->name && field->type != FIELD_CHOICE ? json_object() : taken;

		if (field->name && field->type != FIELD_CHOICE) {
			if (json_object_get(taken, field->name))
				fault(f, field->place, "there are two fields `%s` beside one another", field->name);
			json_object_set_new(taken, field->name, json_true());
		}
		check_names(f, field, own);
		if (own != taken)
			json_decref(own);
	}
}

static struct span key_of(struct arena *arena, const char *name, const char *behind)
{
	json_t *text = json_string_nocheck(name);
	struct buf key;
	struct span copy;

	buf_init(&key, SIZE_MAX / 4);
	tree_write(&key, text, 0);
	buf_text(&key, behind);
	copy = arena_span(arena, buf_view(&key));
	buf_free(&key);
	json_decref(text);
	return copy;
}

static void make_keys(struct finishing *f, struct field *field)
{
	if (field->name)
		field->key = key_of(f->layout->arena, field->name, ":");
	for (size_t i = 0; i < field->fields_count; i++)
		make_keys(f, field->fields[i]);
}

/* ---- values that others depend on */
/* The field of that name in front of `stop`, in the order of the record; *passed: stop was met. */
static struct field *find_before(struct field *group, const char *name, const struct field *stop, bool *passed)
{
	for (size_t i = 0; i < group->fields_count && !*passed; i++) {
		struct field *field = group->fields[i], *found;

		if (field == stop) {
			*passed = true;
			return NULL;
		}
		if (field->name && !strcmp(field->name, name) && !field->fields_count && !field->array)
			return field;
		found = find_before(field, name, stop, passed);
		if (found)
			return found;
	}
	return NULL;
}

static int slot_of(struct finishing *f, const char *name, const struct field *user, const struct field *parent)
{
	bool passed = false;
	struct field *field = find_before(f->record->fields, name, user, &passed);

	if (!field) {
		fault(f, user->place, "there is no field `%s` in front of it", name);
		return -1;
	}
	if (user->array && user->depends && !strcmp(user->depends, name))
		for (size_t i = 0; i < parent->fields_count; i++)
			if (parent->fields[i] == field)
				field->counts = user;
	if (field->slot < 0) {
		if (f->layout->slots == LAYOUT_SLOTS_MAX)
			fault(f, user->place, "at most %d fields may decide about others", LAYOUT_SLOTS_MAX);
		else
			field->slot = f->layout->slots++;
	}
	return field->slot;
}

static void make_slots(struct finishing *f, struct field *group)
{
	for (size_t i = 0; i < group->fields_count; i++) {
		struct field *field = group->fields[i];

		if (field->depends)
			field->depends_slot = slot_of(f, field->depends, field, group);
		/* An alternative stands where its choice does. */
		if (field->when.field)
			field->when.slot =
				slot_of(f, field->when.field, group->type == FIELD_CHOICE ? group : field, group);
		make_slots(f, field);
	}
}

/* Bytes of such fields may look like a line end. */
static const struct field *find_bytes(const struct field *group)
{
	for (size_t i = 0; i < group->fields_count; i++) {
		const struct field *field = group->fields[i], *found;

		if (field->type == FIELD_PACKED || field->type == FIELD_BINARY)
			return field;
		found = find_bytes(field);
		if (found)
			return found;
	}
	return NULL;
}

static void check_framing(struct finishing *f)
{
	const struct field *field = f->layout->framing == FRAMING_LINES ? find_bytes(f->record->fields) : NULL;

	if (field)
		finding_add(f->findings, field->place, SEVERITY_WARNING, "layout.framing",
			    "a byte of `%s` may be a line end, and lines are what separates records: say `framing: "
			    "fixed` or `rdw` in a layout in YAML",
			    field->name ? field->name : "?");
}

static int depth_of(const struct field *field)
{
	int most = 0;

	for (size_t i = 0; i < field->fields_count; i++) {
		int depth = depth_of(field->fields[i]);

		most = depth > most ? depth : most;
	}
	return most + 1;
}

void layout_finish(struct layout *layout, struct findings *findings)
{
	size_t errors = findings->errors;

	for (size_t i = 0; i < layout->records_count; i++) {
		struct layout_record *record = &layout->records[i];
		struct finishing f = {layout, findings, record};
		json_t *taken = json_object();

		record->key = key_of(layout->arena, record->name, "");
		if (depth_of(record->fields) > LAYOUT_DEPTH_MAX) {
			fault(&f, record->place, "groups are at most %d levels deep", LAYOUT_DEPTH_MAX);
		} else {
			lay_over(&f, record->fields);
			measure(&f, record->fields);
			check_names(&f, record->fields, taken);
			make_keys(&f, record->fields);
			make_slots(&f, record->fields);
			if (findings->errors == errors)
				check_framing(&f);
			if (layout->framing == FRAMING_FIXED && layout->length &&
			    record->fields->length > layout->length)
				fault(&f, record->place, "the record `%s` is %zu bytes long, and all are to be %zu",
				      record->name, record->fields->length, layout->length);
		}
		json_decref(taken);
	}
	for (size_t i = 0; layout->framing == FRAMING_FIXED && !layout->length && i < layout->records_count; i++)
		if (layout->records[i].fields->length > layout->length)
			layout->length = layout->records[i].fields->length;
	for (size_t i = 0; i < layout->records_count && layout->records_count > 1; i++)
		if (!layout->records[i].conditional)
			finding_add(findings, layout->records[i].place, SEVERITY_ERROR, "layout.form",
				    "there are several records: `when` must say what `%s` is known by",
				    layout->records[i].name);
}

/* ---- a file */
static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n > k && !strcmp(name + n - k, end);
}

struct layout *layout_new(const char *name, const struct transformer_context *context, struct findings *findings)
{
	const struct span *text = context->file ? context->file(context->site, "layouts", name) : NULL;
	struct layout *layout = mem_alloc(sizeof *layout);
	size_t errors = findings->errors;
	const char *file;

	layout->arena = arena_new();
	layout->charset = "UTF-8";
	layout->line_end = "\n";
	file = arena_printf(layout->arena, "layouts/%s", name);
	if (!text) {
		finding_add(findings, (struct place){file, 0, 0}, SEVERITY_ERROR, "layout.missing", "there is no %s",
			    file);
	} else if (ends_with(name, ".cpy") || ends_with(name, ".CPY") || ends_with(name, ".cbl")) {
		text_set_make(&layout->set, layout->charset);
		layout_read_copybook(layout, file, *text, false, findings);
	} else {
		layout_read_yaml(layout, file, *text, context, findings);
	}
	if (findings->errors == errors)
		layout_finish(layout, findings);
	if (findings->errors == errors)
		return layout;
	layout_free(layout);
	return NULL;
}

void layout_free(struct layout *layout)
{
	if (!layout)
		return;
	arena_free(layout->arena);
	free(layout);
}
