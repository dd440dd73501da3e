/* Layouts in YAML. See layout.h; docs/formats.md has the keys. */
#include "config.h"
#include "transformers/records/layout.h"

#include "config/yaml.h"

/* ---- what stands there */
struct when_settings {
	const char *field;
	int64_t at, length;
	struct text_list is;
};

static const struct option when_options[] = {
	{.name = "field",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct when_settings, field),
	 .help = "the field that tells"},
	{.name = "at",
	 .type = OPTION_INT,
	 .offset = offsetof(struct when_settings, at),
	 .range = "1..1048576",
	 .help = "where it stands, from 1"},
	{.name = "length",
	 .type = OPTION_INT,
	 .offset = offsetof(struct when_settings, length),
	 .range = "1..64",
	 .help = "of how many bytes"},
	{.name = "is",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct when_settings, is),
	 .flags = OPTION_REQUIRED,
	 .help = "what it says then: a text, or several"},
	OPTION_END,
};

struct field_settings {
	const char *name, *pad, *point, *format, *depends, *redefines;
	int64_t at, length, decimals, times, times_min;
	int type, sign, justify;
	bool little;
	const struct node *when, *fields;
};

static const struct option field_options[] = {
	{.name = "name",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct field_settings, name),
	 .flags = OPTION_MAIN,
	 .help = "without one it is not read"},
	{.name = "at",
	 .type = OPTION_INT,
	 .offset = offsetof(struct field_settings, at),
	 .range = "1..1048576",
	 .help = "where it starts in its group, from 1; without it behind the one before"},
	{.name = "length",
	 .type = OPTION_INT,
	 .offset = offsetof(struct field_settings, length),
	 .range = "1..1048576",
	 .help = "bytes"},
	{.name = "type",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct field_settings, type),
	 .range = "text|number|zoned|packed|binary|date",
	 .fallback = "text",
	 .help = "what it is"},
	{.name = "decimals",
	 .type = OPTION_INT,
	 .offset = offsetof(struct field_settings, decimals),
	 .range = "0..30",
	 .fallback = "0",
	 .help = "digits behind the point"},
	{.name = "sign",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct field_settings, sign),
	 .range = "auto|none|leading|trailing|yes",
	 .fallback = "auto",
	 .help = "of a number"},
	{.name = "justify",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct field_settings, justify),
	 .range = "left|right",
	 .fallback = "left",
	 .help = "of a text"},
	{.name = "pad",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct field_settings, pad),
	 .help = "the character that fills it"},
	{.name = "point",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct field_settings, point),
	 .help = "the decimal point that stands in a number"},
	{.name = "format",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct field_settings, format),
	 .help = "of a date: YYYYMMDD"},
	{.name = "little",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct field_settings, little),
	 .fallback = "false",
	 .help = "binary: the lowest byte comes first"},
	{.name = "times",
	 .type = OPTION_INT,
	 .offset = offsetof(struct field_settings, times),
	 .range = "1..100000",
	 .help = "how often it occurs"},
	{.name = "times-min",
	 .type = OPTION_INT,
	 .offset = offsetof(struct field_settings, times_min),
	 .range = "0..100000",
	 .fallback = "0",
	 .help = "with depending-on: how often at least"},
	{.name = "depending-on",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct field_settings, depends),
	 .help = "the field that says how often it occurs"},
	{.name = "redefines",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct field_settings, redefines),
	 .help = "the field that it lies over"},
	{.name = "when",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct field_settings, when),
	 .help = "which of those it is: {field: NAME, is: TEXT}"},
	{.name = "fields",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct field_settings, fields),
	 .help = "it is a group of these"},
	OPTION_END,
};

struct record_settings {
	const struct node *when, *fields;
};

static const struct option record_options[] = {
	{.name = "when",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct record_settings, when),
	 .help = "what it is known by"},
	{.name = "fields",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct record_settings, fields),
	 .flags = OPTION_REQUIRED,
	 .help = "in their order"},
	OPTION_END,
};

struct type_settings {
	int64_t at, length;
};

static const struct option type_options[] = {
	{.name = "at",
	 .type = OPTION_INT,
	 .offset = offsetof(struct type_settings, at),
	 .range = "1..1048576",
	 .help = "where it stands, from 1"},
	{.name = "length",
	 .type = OPTION_INT,
	 .offset = offsetof(struct type_settings, length),
	 .range = "1..64",
	 .help = "of how many bytes"},
	OPTION_END,
};

struct layout_settings {
	const char *charset, *copybook;
	int framing, line_end, names;
	int64_t length;
	struct type_settings type;
	const struct node *records, *fields, *when, *redefines;
};

static const struct option layout_options[] = {
	{.name = "charset",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct layout_settings, charset),
	 .fallback = "UTF-8",
	 .help = "UTF-8, or a set with a byte for each character: CP037, CP1252"},
	{.name = "framing",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct layout_settings, framing),
	 .range = "lines|fixed|rdw",
	 .fallback = "lines",
	 .help = "what separates records: line ends, their length, or a descriptor word in front of each"},
	{.name = "line-end",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct layout_settings, line_end),
	 .range = "lf|crlf|cr|nel",
	 .fallback = "lf",
	 .help = "how lines end when they are written"},
	{.name = "length",
	 .type = OPTION_INT,
	 .offset = offsetof(struct layout_settings, length),
	 .range = "1..1048576",
	 .help = "framing fixed: bytes of each record"},
	{.name = "type",
	 .type = OPTION_TABLE,
	 .offset = offsetof(struct layout_settings, type),
	 .table = type_options,
	 .help = "where a record says what it is"},
	{.name = "records",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct layout_settings, records),
	 .help = "the records by name"},
	{.name = "fields",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct layout_settings, fields),
	 .help = "of the only record there is"},
	{.name = "copybook",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct layout_settings, copybook),
	 .help = "a file of layouts/ in COBOL that has the records"},
	{.name = "names",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct layout_settings, names),
	 .range = "lower|as-is",
	 .fallback = "lower",
	 .help = "names of a copybook: order_no, or ORDER-NO"},
	{.name = "when",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct layout_settings, when),
	 .help = "with copybook: what each record is known by"},
	{.name = "redefines",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct layout_settings, redefines),
	 .help = "with copybook: when each field is there that redefines another"},
	OPTION_END,
};

struct reading {
	struct layout *layout;
	struct option_context options;
	struct findings *findings;
	const struct layout_settings *settings;
	int depth;
};

static int fault(struct reading *r, struct place place, const char *text)
{
	finding_add(r->findings, place, SEVERITY_ERROR, "layout.form", "%s", text);
	return -1;
}

/* ---- when */
static int read_texts(struct reading *r, const struct node *node, struct text_list *into)
{
	size_t n = node->type == NODE_LIST ? node->count : 1;

	into->items = arena_alloc(r->layout->arena, n * sizeof *into->items);
	for (size_t i = 0; i < n; i++) {
		const struct node *item = node->type == NODE_LIST ? node->items[i] : node;

		if (item->type != NODE_SCALAR)
			return fault(r, item->place, "`when` is a text, a list of texts, or {field: NAME, is: TEXT}");
		into->items[into->count++] = arena_span(r->layout->arena, item->text).data;
	}
	return n ? 0 : fault(r, node->place, "`when` has no text");
}

/* Of a record: where it stands may be the layout's `type`. Of a field: another field tells. */
static int read_when(struct reading *r, const struct node *node, struct layout_when *into, bool record)
{
	struct when_settings settings = {0};

	if (node->type != NODE_MAP) {
		if (read_texts(r, node, &settings.is))
			return -1;
	} else if (option_fill(&r->options, node, when_options, NULL, &settings)) {
		return -1;
	}
	if (record && !settings.at) {
		settings.at = r->settings->type.at;
		settings.length = r->settings->type.length;
	}
	into->is = settings.is;
	into->field = settings.field;
	into->at = settings.at ? (size_t)settings.at - 1 : 0;
	into->length = (size_t)settings.length;
	if (record ? !settings.at || !settings.length || settings.field : !settings.field || settings.at)
		return fault(r, node->place,
			     record ? "what a record is known by has a place: `type: {at: 1, length: 2}`"
				    : "when a field is there, another tells: {field: NAME, is: TEXT}");
	return 0;
}

/* ---- fields */
static int one_character(struct reading *r, const char *text, struct place place, char *into)
{
	if (!text)
		return 0;
	if (strlen(text) != 1 || *text < ' ' || *text > '~')
		return fault(r, place, "this is one ASCII character");
	*into = *text;
	return 0;
}

static int read_fields(struct reading *r, struct field *group, const struct node *list);

/* What lies between the end of the one before and `at` is a gap. */
static int read_place(struct reading *r, const struct field_settings *settings, size_t *end, struct field *group,
		      struct place place)
{
	struct field *gap;

	if (!settings->at || settings->redefines || (size_t)settings->at == *end + 1)
		return 0;
	if ((size_t)settings->at <= *end)
		return fault(r, place, "it lies over the field before it: `redefines` says so");
	gap = layout_field(r->layout, group, place);
	gap->type = FIELD_GAP;
	gap->length = (size_t)settings->at - 1 - *end;
	*end += gap->length;
	return 0;
}

/* Bytes of the group's fields so far; those that vary count as many as they can be. */
static size_t extent(const struct field *field)
{
	size_t total = 0;

	if (field->type != FIELD_GROUP)
		return field->length;
	for (size_t i = 0; i < field->fields_count && total < LAYOUT_RECORD_MAX; i++)
		if (!field->fields[i]->redefines)
			total += extent(field->fields[i]) * field->fields[i]->times_max;
	return total;
}

static int fill_field(struct reading *r, struct field *field, const struct field_settings *settings)
{
	static const enum field_type types[] = {FIELD_TEXT,   FIELD_NUMBER, FIELD_ZONED,
						FIELD_PACKED, FIELD_BINARY, FIELD_DATE};

	field->name = settings->name;
	field->type = settings->name ? types[settings->type] : FIELD_GAP;
	field->length = (size_t)settings->length;
	field->decimals = (int)settings->decimals;
	field->sign = (enum field_sign)settings->sign;
	field->right = settings->justify;
	field->little = settings->little;
	field->format = settings->format;
	field->depends = settings->depends;
	field->redefines = settings->redefines;
	if (settings->times) {
		field->array = true;
		field->times_max = (size_t)settings->times;
		field->times_min = settings->depends ? (size_t)settings->times_min : field->times_max;
	} else if (settings->depends) {
		return fault(r, field->place, "with depending-on, `times` says how often it occurs at most");
	}
	if (one_character(r, settings->pad, field->place, &field->pad) ||
	    one_character(r, settings->point, field->place, &field->point) ||
	    (settings->when && read_when(r, settings->when, &field->when, false)))
		return -1;
	if (settings->fields) {
		field->type = FIELD_GROUP;
		if (settings->length)
			return fault(r, field->place, "a group is as long as its fields");
		return read_fields(r, field, settings->fields);
	}
	return settings->length ? 0 : fault(r, field->place, "a field has a length");
}

static int read_fields(struct reading *r, struct field *group, const struct node *list)
{
	int failed = 0;

	if (list->type != NODE_LIST || !list->count)
		return fault(r, list->place, "fields is a list, in the order of the record");
	if (++r->depth > LAYOUT_DEPTH_MAX)
		return fault(r, list->place, "groups are nested too deeply");
	for (size_t i = 0; i < list->count; i++) {
		const struct node *node = list->items[i];
		struct field_settings settings = {0};
		size_t end = extent(group);

		if (option_fill(&r->options, node, field_options, NULL, &settings) ||
		    read_place(r, &settings, &end, group, node->place) ||
		    fill_field(r, layout_field(r->layout, group, node->place), &settings))
			failed = -1;
	}
	r->depth--;
	return failed;
}

/* ---- records */
static struct layout_record *add_record(struct reading *r, const char *name, struct place place)
{
	struct layout_record *record = &r->layout->records[r->layout->records_count++];

	record->name = name;
	record->place = place;
	record->fields = layout_field(r->layout, NULL, place);
	record->fields->type = FIELD_GROUP;
	return record;
}

static void read_record(struct reading *r, const struct pair *pair)
{
	struct record_settings settings = {0};
	struct layout_record *record;

	if (pair->value->type != NODE_MAP) {
		fault(r, pair->value->place, "a record is {when: TEXT, fields: [...]}");
		return;
	}
	if (option_fill(&r->options, pair->value, record_options, NULL, &settings))
		return;
	record = add_record(r, arena_span(r->layout->arena, pair->key.text).data, pair->key.place);
	record->conditional = settings.when;
	if (settings.when)
		read_when(r, settings.when, &record->when, true);
	read_fields(r, record->fields, settings.fields);
}

static void read_records(struct reading *r, const struct node *root)
{
	const struct node *records = r->settings->records;

	r->layout->records =
		arena_alloc(r->layout->arena, ((records ? records->count : 0) + 1) * sizeof *r->layout->records);
	if (r->settings->fields && !records) {
		read_fields(r, add_record(r, "record", root->place)->fields, r->settings->fields);
		return;
	}
	if (!records || r->settings->fields || records->type != NODE_MAP || !records->count) {
		fault(r, root->place, "a layout has `fields`, or `records` by name, or a `copybook`");
		return;
	}
	for (size_t i = 0; i < records->count; i++)
		read_record(r, &records->pairs[i]);
}

/* ---- a copybook, and what it cannot say */
static const char *name_of(struct reading *r, const struct pair *pair)
{
	char *name = arena_span(r->layout->arena, pair->key.text).data
			     ? (char *)(uintptr_t)arena_span(r->layout->arena, pair->key.text).data
			     : NULL;

	for (char *c = name; c && *c && r->settings->names == 0; c++)
		*c = *c == '-' ? '_' : *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	return name;
}

static void read_record_when(struct reading *r, const struct pair *pair)
{
	const char *name = name_of(r, pair);

	for (size_t i = 0; i < r->layout->records_count; i++)
		if (!strcmp(r->layout->records[i].name, name)) {
			r->layout->records[i].conditional = true;
			read_when(r, pair->value, &r->layout->records[i].when, true);
			return;
		}
	fault(r, pair->key.place, "the copybook has no record of this name");
}

static void read_redefines(struct reading *r, const struct pair *pair)
{
	const char *name = name_of(r, pair);
	struct field *field = NULL;

	for (size_t i = 0; i < r->layout->records_count && !field; i++)
		field = layout_find(r->layout->records[i].fields, name);
	if (!field) {
		fault(r, pair->key.place, "the copybook has no field of this name");
		return;
	}
	if (!read_when(r, pair->value, &field->when, false) && r->settings->names == 0) {
		struct pair other = {{.type = NODE_SCALAR, .text = span_of(field->when.field)}, NULL};

		field->when.field = name_of(r, &other);
	}
}

static void read_copybook(struct reading *r, const struct transformer_context *context, struct place place)
{
	const char *name = r->settings->copybook;
	const struct span *text = context->file ? context->file(context->site, "layouts", name) : NULL;
	const struct node *when = r->settings->when, *redefines = r->settings->redefines;

	if (!text) {
		finding_add(r->findings, place, SEVERITY_ERROR, "layout.missing", "there is no layouts/%s", name);
		return;
	}
	if (r->settings->records || r->settings->fields) {
		fault(r, place, "the copybook has the records: there are no `records` or `fields` beside it");
		return;
	}
	layout_read_copybook(r->layout, arena_printf(r->layout->arena, "layouts/%s", name), *text, r->settings->names,
			     r->findings);
	if ((when && when->type != NODE_MAP) || (redefines && redefines->type != NODE_MAP)) {
		fault(r, when ? when->place : redefines->place, "with a copybook, `when` and `redefines` are by name");
		return;
	}
	for (size_t i = 0; when && i < when->count; i++)
		read_record_when(r, &when->pairs[i]);
	for (size_t i = 0; redefines && i < redefines->count; i++)
		read_redefines(r, &redefines->pairs[i]);
}

static void read_layout(struct reading *r, const struct node *root, const struct transformer_context *context)
{
	static const char *const ends[] = {"\n", "\r\n", "\r", "\xc2\x85"};
	const struct layout_settings *settings = r->settings;

	r->layout->charset = settings->charset;
	r->layout->framing = (enum framing)settings->framing;
	r->layout->line_end = ends[settings->line_end];
	r->layout->length = (size_t)settings->length;
	if (text_set_make(&r->layout->set, settings->charset))
		fault(r, root->place,
		      "the character set is UTF-8, or one that has a byte for each character, such as CP037");
	if (settings->copybook)
		read_copybook(r, context, root->place);
	else if (settings->when || settings->redefines)
		fault(r, root->place,
		      "`when` and `redefines` stand beside a `copybook`; else in its records and fields");
	else
		read_records(r, root);
}

int layout_read_yaml(struct layout *layout, const char *file, struct span text,
		     const struct transformer_context *context, struct findings *findings)
{
	struct yaml_documents documents = {0};
	struct layout_settings settings = {0};
	struct reading r = {.layout = layout,
			    .options = {.arena = layout->arena, .findings = findings},
			    .findings = findings,
			    .settings = &settings};

	if (yaml_read(layout->arena, findings, file, text, NULL, &documents))
		return -1;
	if (documents.count != 1 || documents.items[0]->type != NODE_MAP)
		return fault(&r, (struct place){file, 1, 1}, "a layout is one document, a map");
	if (option_fill(&r.options, documents.items[0], layout_options, NULL, &settings))
		return -1;
	read_layout(&r, documents.items[0], context);
	return 0;
}
