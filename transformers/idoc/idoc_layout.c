/* Layouts of IDocs: which fields a segment has and how long they are, from YAML or from the report of SAP's transaction
 * WE60. See idoc.h. */
#include "config.h"
#include "transformers/idoc/idoc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/yaml.h"

#define LAYOUT_SEGMENTS_MAX 2000
#define LAYOUT_FIELDS_MAX 500

const struct idoc_field idoc_control[] = {
	{"TABNAM", 10}, {"MANDT", 3},   {"DOCNUM", 16},  {"DOCREL", 4},  {"STATUS", 2},  {"DIRECT", 1},  {"OUTMOD", 1},
	{"EXPRSS", 1},  {"TEST", 1},    {"IDOCTYP", 30}, {"CIMTYP", 30}, {"MESTYP", 30}, {"MESCOD", 3},  {"MESFCT", 3},
	{"STD", 1},     {"STDVRS", 6},  {"STDMES", 6},   {"SNDPOR", 10}, {"SNDPRT", 2},  {"SNDPFC", 2},  {"SNDPRN", 10},
	{"SNDSAD", 21}, {"SNDLAD", 70}, {"RCVPOR", 10},  {"RCVPRT", 2},  {"RCVPFC", 2},  {"RCVPRN", 10}, {"RCVSAD", 21},
	{"RCVLAD", 70}, {"CREDAT", 8},  {"CRETIM", 6},   {"REFINT", 14}, {"REFGRP", 14}, {"REFMES", 14}, {"ARCKEY", 70},
	{"SERIAL", 20}, {NULL, 0}};

const struct idoc_field idoc_head[] = {{"SEGNAM", 30}, {"MANDT", 3},  {"DOCNUM", 16}, {"SEGNUM", 6},
				       {"PSGNUM", 6},  {"HLEVEL", 2}, {NULL, 0}};

/* ---- finding */
void idoc_type_of(struct span definition, char into[31])
{
	size_t n = definition.len < 30 ? definition.len : 30;

	if (n)
		memcpy(into, definition.data, n);
	into[n] = '\0';
	if (n < 2 || into[1] != '2')
		return;
	into[1] = '1';
	if (n > 5 && isdigit((unsigned char)into[n - 1]) && isdigit((unsigned char)into[n - 2]) &&
	    isdigit((unsigned char)into[n - 3]))
		into[n - 3] = '\0';
}

static const struct idoc_segment *find_type(const struct idoc_layout *layout, const char *type)
{
	for (size_t i = 0; i < layout->count; i++)
		if (!strcmp(layout->segments[i].type, type))
			return &layout->segments[i];
	return NULL;
}

const struct idoc_segment *idoc_segment_find(const struct idoc_layout *layout, struct span name)
{
	const struct idoc_segment *found;
	char type[31];

	for (size_t i = 0; i < layout->count; i++)
		if (span_is(name, layout->segments[i].definition) || span_is(name, layout->segments[i].type))
			return &layout->segments[i];
	idoc_type_of(name, type);
	found = find_type(layout, type);
	if (found || name.len < 2 || name.data[1] != '2')
		return found;
	snprintf(type, sizeof type, "%.*s", SPAN_ARGS(name)); /* E2EDK01 ends in digits that are no version */
	type[1] = '1';
	return find_type(layout, type);
}

/* ---- building */
/* Which segments stand below which; in their order. */
static void link_segments(struct idoc_layout *layout)
{
	for (size_t i = layout->count; i-- > 0;) {
		struct idoc_segment *segment = &layout->segments[i];
		struct idoc_segment *parent =
			segment->parent ? (struct idoc_segment *)(uintptr_t)find_type(layout, segment->parent) : NULL;

		if (segment->parent && !parent)
			continue;
		segment->next = parent ? parent->child : layout->child;
		*(parent ? &parent->child : &layout->child) = segment;
	}
}

static struct idoc_segment *add_segment(struct idoc_layout *layout, struct arena *arena, struct span type)
{
	struct idoc_segment *segment;

	layout->segments = mem_grow(layout->segments, &layout->capacity, layout->count + 1, sizeof *layout->segments);
	segment = &layout->segments[layout->count++];
	*segment = (struct idoc_segment){.type = arena_span(arena, type).data};
	segment->fields = arena_alloc(arena, LAYOUT_FIELDS_MAX * sizeof *segment->fields);
	segment->definition = arena_strdup(arena, segment->type);
	if (segment->definition[0] && segment->definition[1] == '1')
		((char *)(uintptr_t)segment->definition)[1] = '2';
	return segment;
}

static int add_field(struct idoc_segment *segment, struct arena *arena, struct span name, struct span length)
{
	size_t total = 0, n = 0;

	for (size_t i = 0; i < length.len; i++) {
		if (!isdigit((unsigned char)length.data[i]) || n > IDOC_DATA)
			return -1;
		n = n * 10 + (size_t)(length.data[i] - '0');
	}
	for (size_t i = 0; i < segment->fields_count; i++)
		total += segment->fields[i].length;
	if (!n || !name.len || total + n > IDOC_DATA || segment->fields_count == LAYOUT_FIELDS_MAX)
		return -1;
	segment->fields[segment->fields_count++] = (struct idoc_field){arena_span(arena, name).data, n};
	return 0;
}

/* Digits, with zeros in front. */
static bool read_number(struct span text, size_t *number)
{
	*number = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.data[i]) || *number > 999999)
			return false;
		*number = *number * 10 + (size_t)(text.data[i] - '0');
	}
	return text.len > 0;
}

/* ---- YAML */
static struct span text_at(const struct node *map, const char *key)
{
	const struct node *node = node_find(map, key);

	return node && node->type == NODE_SCALAR ? node->text : SPAN_NONE;
}

static void read_fields(struct idoc_segment *segment, struct arena *arena, const struct node *fields,
			struct findings *findings)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct pair *pair = &fields->pairs[i];

		if (pair->value->type != NODE_SCALAR || add_field(segment, arena, pair->key.text, pair->value->text))
			finding_add(findings, pair->key.place, SEVERITY_ERROR, "layout.field",
				    "a field is NAME: LENGTH, and those of a segment are at most 1,000 characters");
	}
}

static void read_segment(struct idoc_layout *layout, struct arena *arena, const struct node *node,
			 struct findings *findings)
{
	static const char *const known[] = {"segment", "definition", "parent", "min", "max", "fields"};
	static const char *const numbers[] = {"min", "max"};
	struct span type = text_at(node, "segment"), definition = text_at(node, "definition"),
		    parent = text_at(node, "parent");
	const struct node *fields = node_find(node, "fields");
	struct idoc_segment *segment;

	for (size_t i = 0; node->type == NODE_MAP && i < node->count; i++) {
		bool is_known = false;

		for (size_t k = 0; k < sizeof known / sizeof *known; k++)
			is_known |= span_is(node->pairs[i].key.text, known[k]);
		if (!is_known)
			finding_add(findings, node->pairs[i].key.place, SEVERITY_ERROR, "layout.idoc",
				    "`%.*s` is no key of a segment: segment, definition, parent, min, max, fields",
				    SPAN_ARGS(node->pairs[i].key.text));
	}
	if (!type.len || type.len > 30 || !fields || fields->type != NODE_MAP) {
		finding_add(findings, node->place, SEVERITY_ERROR, "layout.idoc",
			    "a segment is a map with `segment`, its type, and `fields`, a map of NAME: LENGTH");
		return;
	}
	segment = add_segment(layout, arena, type);
	if (definition.len)
		segment->definition = arena_span(arena, definition).data;
	if (parent.len)
		segment->parent = arena_span(arena, parent).data;
	for (size_t i = 0; i < 2; i++)
		if (node_find(node, numbers[i]) &&
		    !read_number(text_at(node, numbers[i]), i ? &segment->max : &segment->min))
			finding_add(findings, node_find(node, numbers[i])->place, SEVERITY_ERROR, "layout.idoc",
				    "`min` and `max` say how often it stands below one parent, up to 9,999,999");
	read_fields(segment, arena, fields, findings);
	if (segment->parent && !find_type(layout, segment->parent))
		finding_add(findings, node_find(node, "parent")->place, SEVERITY_ERROR, "layout.parent",
			    "no segment %s stands in front of it", segment->parent);
}

static void read_yaml(struct idoc_layout *layout, struct arena *arena, const char *file, struct span text,
		      struct findings *findings)
{
	struct yaml_documents documents = {0};
	const struct node *segments;
	struct span idoc;

	if (yaml_read(arena, findings, file, text, NULL, &documents))
		return;
	segments = documents.count == 1 ? node_find(documents.items[0], "segments") : NULL;
	if (!segments || segments->type != NODE_LIST || segments->count > LAYOUT_SEGMENTS_MAX) {
		finding_add(findings, (struct place){file, 1, 1}, SEVERITY_ERROR, "layout.idoc",
			    "a layout of an IDoc is a map with `idoc`, its name, and `segments`, a list");
		return;
	}
	idoc = text_at(documents.items[0], "idoc");
	if (!layout->idoc && idoc.len)
		layout->idoc = arena_span(arena, idoc).data;
	for (size_t i = 0; i < segments->count; i++) {
		size_t before = layout->count;

		read_segment(layout, arena, segments->items[i], findings);
		if (layout->count > before && idoc.len)
			layout->segments[before].idoc = arena_span(arena, idoc).data;
	}
}

/* ---- the report of WE60: words, a line each */
struct report {
	struct idoc_layout *layout;
	struct arena *arena;
	struct idoc_segment *segment; /* the one that is open */
	struct span name;             /* of the field that is open */
	const char *at_level[IDOC_DEPTH_MAX + 1];
	const char *idoc;
	bool in_fields, broken;
	/* groups: how often the first segment of one stands there, which begins it */
	struct {
		bool optional, begun;
		size_t max;
	} groups[IDOC_DEPTH_MAX + 1];
	size_t depth;
};

static struct span word(struct span *line)
{
	size_t from = 0, to;

	while (from < line->len && isspace((unsigned char)line->data[from]))
		from++;
	to = from;
	while (to < line->len && !isspace((unsigned char)line->data[to]))
		to++;
	*line = span_make(line->data + to, line->len - to);
	return span_make(line->data - (to - from), to - from);
}

static void set_level(struct report *report, struct span value)
{
	char text[8];
	long level;

	snprintf(text, sizeof text, "%.*s", (int)(value.len < 7 ? value.len : 7), value.data ? value.data : "");
	level = strtol(text, NULL, 10);
	if (level < 1 || level > IDOC_DEPTH_MAX)
		return;
	report->at_level[level] = report->segment->type;
	for (long i = level + 1; i <= IDOC_DEPTH_MAX; i++)
		report->at_level[i] = NULL;
	for (long i = level - 1; i > 0 && !report->segment->parent; i--)
		report->segment->parent = report->at_level[i];
}

/* STATUS, LOOPMIN and LOOPMAX, of a segment or of the group that begins. */
static bool set_occurrence(struct report *report, struct span key, struct span value)
{
	struct idoc_segment *segment = report->segment;
	size_t depth = report->depth, n = 0;

	if (report->in_fields || (!segment && !depth) || !(span_is(key, "STATUS") || span_is(key, "LOOPMAX")))
		return false;
	if (span_is(key, "STATUS") && !segment)
		report->groups[depth].optional = !span_is(value, "MANDATORY");
	else if (span_is(key, "STATUS"))
		segment->min = span_is(value, "MANDATORY") && segment->min;
	else if (!read_number(value, &n) || !n)
		report->broken = true;
	else if (!segment)
		report->groups[depth].max = n;
	else if (segment->max < SIZE_MAX / n) /* else as often as it likes */
		segment->max = segment->max ? segment->max * n : n;
	return true;
}

/* A segment that begins a group comes as often as the group. */
static void begin_segment(struct report *report)
{
	struct idoc_segment *segment = report->segment;
	size_t depth = report->depth;

	segment->idoc = report->idoc;
	segment->min = 1; /* until STATUS says otherwise */
	if (!depth || report->groups[depth].begun)
		return;
	report->groups[depth].begun = true;
	segment->min = !report->groups[depth].optional;
	segment->max = report->groups[depth].max ? report->groups[depth].max : SIZE_MAX;
}

static void read_group(struct report *report, bool begins)
{
	if (begins && report->depth < IDOC_DEPTH_MAX)
		memset(&report->groups[++report->depth], 0, sizeof *report->groups);
	else if (!begins && report->depth)
		report->depth--;
}

static void read_word(struct report *report, struct span key, struct span value)
{
	if (span_is(key, "BEGIN_IDOC") && value.len) {
		report->idoc = arena_span(report->arena, value).data;
		report->layout->idoc = report->layout->idoc ? report->layout->idoc : report->idoc;
	} else if (span_is(key, "BEGIN_GROUP") || span_is(key, "END_GROUP"))
		read_group(report, key.data[0] == 'B');
	else if (span_is(key, "BEGIN_SEGMENT") && value.len && value.len <= 30 &&
		 report->layout->count < LAYOUT_SEGMENTS_MAX) {
		char type[31];

		idoc_type_of(value, type);
		report->segment = add_segment(report->layout, report->arena, span_of(type));
		report->segment->definition = arena_span(report->arena, value).data;
		begin_segment(report);
	} else if (span_is(key, "END_SEGMENT"))
		report->segment = NULL;
	else if (span_is(key, "BEGIN_FIELDS") || span_is(key, "END_FIELDS"))
		report->in_fields = key.data[0] == 'B';
	else if (set_occurrence(report, key, value) || !report->segment)
		return;
	else if (span_is(key, "SEGMENTTYPE") && value.len)
		report->segment->type = arena_span(report->arena, value).data;
	else if (span_is(key, "LEVEL") && !report->in_fields)
		set_level(report, value);
	else if (span_is(key, "NAME") && report->in_fields)
		report->name = value;
	else if (span_is(key, "LENGTH") && report->in_fields)
		report->broken |= add_field(report->segment, report->arena, report->name, value) != 0;
}

static void read_report(struct idoc_layout *layout, struct arena *arena, const char *file, struct span text,
			struct findings *findings)
{
	struct report report = {.layout = layout, .arena = arena};
	size_t before = layout->count;

	while (text.len) {
		const char *end = memchr(text.data, '\n', text.len);
		struct span line = span_make(text.data, end ? (size_t)(end - text.data) : text.len), key, value;

		text = span_make(text.data + line.len + (end != NULL), text.len - line.len - (end != NULL));
		key = word(&line);
		value = word(&line);
		read_word(&report, key, value);
	}
	if (report.broken || layout->count == before)
		finding_add(
			findings, (struct place){file, 1, 1}, SEVERITY_ERROR, "layout.report",
			"this is no report of a parser as transaction WE60 exports it, or a segment in it is longer "
			"than 1,000 characters");
}

/* ---- both */
int idoc_layout_read(struct idoc_layout *layout, struct arena *arena, const struct text_list *files,
		     const struct transformer_context *context, struct place asked, struct findings *findings)
{
	size_t errors = findings->errors;

	for (size_t i = 0; i < files->count; i++) {
		const char *name = files->items[i], *file = arena_printf(arena, "layouts/%s", name);
		size_t n = strlen(name);
		const struct span *text =
			context && context->file ? context->file(context->site, "layouts", name) : NULL;
		size_t before = layout->count;

		if (!text)
			finding_add(findings, asked, SEVERITY_ERROR, "layout.idoc", "there is no %s", file);
		else if (n > 4 && !strcmp(name + n - 4, ".txt"))
			read_report(layout, arena, file, *text, findings);
		else
			read_yaml(layout, arena, file, *text, findings);
		for (; before < layout->count; before++)
			layout->segments[before].file = i;
	}
	for (size_t i = 0; i < layout->count; i++)
		if (layout->segments[i].max == SIZE_MAX)
			layout->segments[i].max = 0;
	link_segments(layout);
	return findings->errors == errors ? 0 : -1;
}

/* ---- settings of decode and encode */
void idoc_close(void *self)
{
	struct idoc *idoc = self;

	free(idoc->layout.segments);
	arena_free(idoc->arena);
	free(idoc);
}

static struct idoc *idoc_new(const struct idoc_settings *settings, const struct transformer_context *context,
			     struct place place, struct findings *findings)
{
	struct idoc *idoc = mem_alloc(sizeof *idoc);

	idoc->settings = settings;
	idoc->arena = arena_new();
	if (!idoc_layout_read(&idoc->layout, idoc->arena, &settings->layouts, context, place, findings))
		return idoc;
	idoc_close(idoc);
	return NULL;
}

int idoc_check(const void *settings, const struct transformer_context *context, struct place place,
	       struct findings *findings)
{
	struct idoc *idoc = idoc_new(settings, context, place, findings);

	if (!idoc)
		return -1;
	idoc_close(idoc);
	return 0;
}

void *idoc_open(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct findings findings;
	struct idoc *idoc;

	findings_init(&findings);
	idoc = idoc_new(settings, context, (struct place){0}, &findings);
	if (!idoc)
		error_set(error, ERROR_REJECT, "idoc.layout", "%s",
			  findings.count ? findings.list[0].text : "a layout cannot be used");
	findings_free(&findings);
	return idoc;
}
