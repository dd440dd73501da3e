/* IDocs in XML, in the form that those of flat files have. See idoc.h. */
#include "config.h"
#include "transformers/idoc/idoc.h"

#include <stdio.h>

#include "base/tree.h"
#include "transformers/xml/xml.h"

struct run {
	const struct idoc *idoc;
	const struct xml_format *format;
	struct item *whole;
	struct out *out;
	uint64_t count;
};

static int no_form(struct error *why, const char *name, const char *what)
{
	return error_set(why, ERROR_REJECT, "idoc.shape", "%s: %s", name, what);
}

/* What the order says of segments, where keys do not. */
static void keep_order(json_t *from, json_t *object)
{
	json_t *order = json_object_get(from, "#order"), *kept = json_array(), *seen = json_object(), *name;
	const char *last = "";
	bool scattered = false;
	size_t i;

	json_array_foreach(order, i, name) {
		const char *key = json_string_value(name);

		if (!json_is_array(json_object_get(object, key)))
			continue;
		scattered |= strcmp(last, key) != 0 && json_object_get(seen, key);
		json_object_set_new(seen, key, json_true());
		json_array_append(kept, name);
		last = key;
	}
	if (scattered)
		json_object_set(object, "#order", kept);
	json_decref(kept);
	json_decref(seen);
}

static json_t *segment_of(json_t *element, const char *but, struct error *why);

static int add_segments(json_t *object, const char *key, json_t *list, struct error *why)
{
	json_t *segments = json_array(), *element;
	size_t i;

	json_object_set_new_nocheck(object, key, segments);
	json_array_foreach(list, i, element) {
		json_t *segment;

		if (!json_object_get(element, "@SEGMENT"))
			return no_form(why, key, "it is neither a field nor a segment, which says SEGMENT=\"1\"");
		segment = segment_of(element, "", why);
		if (!segment)
			return -1;
		json_array_append_new(segments, segment);
	}
	return 0;
}

/* Elements with SEGMENT are segments, others fields: every one is an array here. NULL: it has what an IDoc has not. */
static json_t *segment_of(json_t *element, const char *but, struct error *why)
{
	json_t *object = json_object(), *list;
	const char *key;
	int failed = 0;

	json_object_foreach(element, key, list) {
		json_t *first = json_array_get(list, 0);

		if (!strcmp(key, "#order") || key[0] == '@' || !strcmp(key, but))
			continue;
		if (key[0] == '#')
			failed = no_form(why, "text", "there is text beside fields and segments");
		else if (json_is_object(first))
			failed = add_segments(object, key, list, why);
		else if (json_array_size(list) > 1)
			failed = no_form(why, key, "a field stands there several times");
		else if (json_string_length(first))
			json_object_set_nocheck(object, key, first);
		if (failed)
			break;
	}
	if (!failed) {
		keep_order(element, object);
		return object;
	}
	json_decref(object);
	return NULL;
}

static json_t *tree_of(const struct idoc *idoc, json_t *element, struct error *why)
{
	json_t *records = json_object_get(element, "EDI_DC40"), *control, *data, *tree;

	if (json_array_size(records) != 1 || !json_is_object(json_array_get(records, 0))) {
		error_set(why, ERROR_REJECT, "idoc.control", "it has no control record EDI_DC40, or several");
		return NULL;
	}
	control = segment_of(json_array_get(records, 0), "", why);
	data = control ? segment_of(element, "EDI_DC40", why) : NULL;
	if (!data) {
		json_decref(control);
		return NULL;
	}
	tree = json_pack("{s:s, s:o, s:o}", "format", "idoc", "control", control, "data", data);
	if (!idoc_judge(idoc, tree, IDOC_CONTENT, why))
		return tree;
	json_decref(tree);
	return NULL;
}

static int on_item(void *arg, const struct xml_item *from, struct error *error)
{
	struct run *run = arg;
	struct item *item = out_item(run->out, run->whole);
	json_t *parsed = NULL;
	struct error why = {0};
	struct buf text;
	char ordinal[24];

	snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)++run->count);
	out_level(run->out, item, ordinal);
	item->offset = from->offset;
	item->length = from->length;
	item->position = span_of(arena_printf(out_arena(run->out), "IDoc %s, line %d", ordinal, from->line));
	buf_init(&text, out_tree_max(run->out));
	if (from->fault)
		why = *from->fault;
	else if (xml_write_json(run->format, from, &text))
		error_set(&why, ERROR_REJECT, "idoc.too-large", "its JSON passes %zu bytes", out_tree_max(run->out));
	else
		parsed = tree_parse_new(buf_view(&text), &why);
	buf_free(&text);
	if (parsed) {
		item->tree = tree_of(run->idoc, json_object_get(parsed, "IDOC"), &why);
		json_decref(parsed);
	}
	if (!item->tree)
		return out_reject(run->out, item, &why, error);
	item->form = FORM_TREE;
	item->media_type = SPAN_LITERAL("application/json");
	out_part(run->out, item);
	return out_emit(run->out, item, error);
}

int idoc_read_xml(const struct idoc *idoc, struct item *item, struct out *out, struct error *error)
{
	static const struct xml_settings settings = {
		.each = "/*/IDOC", .names = XML_NAMES_LOCAL, .depth = 60, .attributes = 100};
	struct arena *arena = arena_new();
	struct xml_path each, arrays;
	struct xml_format format = {
		.settings = &settings, .arena = arena, .each = &each, .arrays = &arrays, .arrays_count = 1};
	struct run run = {idoc, &format, item, out, 0};
	struct xml_events events = {on_item, &run};
	struct error why = {0};
	uint64_t rest;
	int failed;

	xml_path_make(arena, settings.each, &each);
	xml_path_make(arena, "//*", &arrays);
	failed = xml_read(&format, item->bytes, out, &events, &rest, &why);
	arena_free(arena);
	if (failed && why.class == ERROR_REJECT && run.count && rest != UINT64_MAX) {
		struct item *behind = out_item(out, item);
		char ordinal[24];

		snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)run.count + 1);
		out_level(out, behind, ordinal);
		behind->position =
			span_of(arena_printf(out_arena(out), "behind IDoc %llu", (unsigned long long)run.count));
		return out_reject(out, behind, &why, error);
	}
	if (failed)
		*error = why;
	return failed;
}
