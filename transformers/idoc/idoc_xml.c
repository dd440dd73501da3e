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

/* Elements with SEGMENT are segments, others fields: every one is an array here. */
static json_t *segment_of(json_t *element)
{
	json_t *object = json_object(), *list, *order = json_object_get(element, "#order");
	const char *key;

	json_object_foreach(element, key, list) {
		json_t *first = json_array_get(list, 0), *segments;
		size_t i;

		if (!json_is_array(list) || list == order)
			continue;
		if (!json_is_object(first)) {
			if (json_string_length(first))
				json_object_set_nocheck(object, key, first);
			continue;
		}
		if (!json_object_get(first, "@SEGMENT"))
			continue;
		json_object_set_new_nocheck(object, key, segments = json_array());
		json_array_foreach(list, i, first)
			json_array_append_new(segments, segment_of(first));
	}
	return object;
}

/* What the order says of segments, where keys do not. */
static void keep_order(json_t *from, json_t *object)
{
	json_t *order = json_object_get(from, "#order"), *kept = json_array(), *name;
	size_t i;

	json_array_foreach(order, i, name)
		if (json_is_array(json_object_get(object, json_string_value(name))))
			json_array_append(kept, name);
	if (json_array_size(kept))
		json_object_set(object, "#order", kept);
	json_decref(kept);
}

/* NULL: it has no control record. */
static json_t *tree_of(json_t *idoc)
{
	json_t *control = json_array_get(json_object_get(idoc, "EDI_DC40"), 0), *tree, *data;

	if (!json_is_object(control))
		return NULL;
	data = segment_of(idoc);
	json_object_del(data, "EDI_DC40");
	keep_order(idoc, data);
	tree = json_pack("{s:s, s:o, s:o}", "format", "idoc", "control", segment_of(control), "data", data);
	return tree;
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
		item->tree = tree_of(json_object_get(parsed, "IDOC"));
		if (!item->tree)
			error_set(&why, ERROR_REJECT, "idoc.control", "it has no control record EDI_DC40");
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
