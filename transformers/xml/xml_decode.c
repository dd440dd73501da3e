/* decode: xml. A document, or each element at a path, as JSON in one of two forms: plain, pleasant in jq, and exact, in
 * which nothing is lost. docs/formats.md shows both. */
#include "config.h"
#include "transformers/xml/xml.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tree.h"
#include "transformers/format.h"

static const struct option options[] = {
	{.name = "each",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct xml_settings, each),
	 .help = "an item for each element at this path (/Orders/Order), in place of one for the document; //Order: "
		 "wherever it stands"},
	{.name = "header",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct xml_settings, header),
	 .help = "with each: elements at these paths, in front of the items, go along with each as "
		 "$envelope.xml.header"},
	{.name = "form",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct xml_settings, form),
	 .range = "plain|exact",
	 .fallback = "plain",
	 .help = "plain: elements are keys; exact: children in a list, with white space, comments and instructions"},
	{.name = "names",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct xml_settings, names),
	 .range = "qualified|local",
	 .fallback = "qualified",
	 .help = "local: without prefixes and namespaces, whatever the sender calls them"},
	{.name = "arrays",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct xml_settings, arrays),
	 .help = "plain: elements that are an array even where there is one: names, or paths"},
	{.name = "space",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct xml_settings, space),
	 .fallback = "false",
	 .help = "plain: keep the white space between elements"},
	{.name = "depth",
	 .type = OPTION_INT,
	 .offset = offsetof(struct xml_settings, depth),
	 .range = "1..250",
	 .fallback = "100",
	 .help = "how deep elements may be nested"},
	{.name = "attributes",
	 .type = OPTION_INT,
	 .offset = offsetof(struct xml_settings, attributes),
	 .range = "0..10000",
	 .fallback = "1000",
	 .help = "how many attributes an element may have"},
	OPTION_END,
};

/* ---- settings */
static int make_path(struct arena *arena, const char *text, struct xml_path *path, struct place place,
		     struct findings *findings)
{
	if (xml_path_make(arena, text, path))
		return 0;
	finding_add(findings, place, SEVERITY_ERROR, "decode.path",
		    "`%s` is no path to an element: write /Orders/Order, //Order, or a name; * is any name", text);
	return -1;
}

static int read_settings(struct xml_format *format, const struct xml_settings *settings, struct place place,
			 struct findings *findings)
{
	int failed = 0;

	format->settings = settings;
	format->arena = arena_new();
	if (settings->each) {
		format->each = arena_alloc(format->arena, sizeof *format->each);
		failed |= make_path(format->arena, settings->each, format->each, place, findings);
	}
	format->headers = arena_alloc(format->arena, (settings->header.count + 1) * sizeof *format->headers);
	for (size_t i = 0; i < settings->header.count; i++)
		failed |= make_path(format->arena, settings->header.items[i], &format->headers[format->headers_count++],
				    place, findings);
	if (settings->header.count && (!settings->each || settings->form == XML_FORM_EXACT)) {
		finding_add(findings, place, SEVERITY_ERROR, "decode.header",
			    "`header` goes with `each`, and with the plain form");
		failed = -1;
	}
	format->arrays = arena_alloc(format->arena, settings->arrays.count * sizeof *format->arrays);
	for (size_t i = 0; i < settings->arrays.count; i++)
		failed |= make_path(format->arena, settings->arrays.items[i], &format->arrays[format->arrays_count++],
				    place, findings);
	if (settings->form == XML_FORM_EXACT && (settings->names == XML_NAMES_LOCAL || settings->arrays.count)) {
		finding_add(findings, place, SEVERITY_ERROR, "decode.form",
			    "the exact form has all names as they are written, and no arrays to choose: leave out "
			    "`names` and `arrays`, or `form`");
		failed = -1;
	}
	return failed;
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	struct xml_format format = {0};
	int failed = read_settings(&format, settings, place, findings);

	arena_free(format.arena);
	return failed;
}

static void *open_xml(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct xml_format *format = mem_alloc(sizeof *format);
	struct findings findings;

	findings_init(&findings);
	if (read_settings(format, settings, (struct place){0}, &findings)) {
		error_set(error, ERROR_REJECT, findings.list[0].code, "%s", findings.list[0].text);
		arena_free(format->arena);
		free(format);
		format = NULL;
	}
	findings_free(&findings);
	return format;
}

static void close_xml(void *self)
{
	struct xml_format *format = self;

	arena_free(format->arena);
	free(format);
}

/* ---- running */
#define HEADER_MAX ((size_t)1 << 20) /* bytes of JSON, of one */
#define HEADERS_MAX 50

struct run {
	json_t *header; /* what came so far; never changed, since items share it */
	const struct xml_format *format;
	struct item *whole;
	struct out *out;
	uint64_t number;
};

static json_t *facts_of(const struct run *run, const struct xml_item *from)
{
	json_t *facts = run->whole->facts ? json_copy(run->whole->facts) : json_object();

	json_object_set_new(facts, "xml",
			    json_pack("{s:s, s:s*}", "root", from->root ? from->root : "", "namespace", from->space));
	if (run->header)
		json_object_set(json_object_get(facts, "xml"), "header", run->header);
	return facts;
}

static int keep_header(struct run *run, const struct xml_item *from, struct error *error)
{
	json_t *all = run->header ? json_copy(run->header) : json_object(), *header = NULL;
	struct buf json;
	int failed = -1;

	buf_init(&json, HEADER_MAX);
	if (from->fault)
		*error = *from->fault;
	else if (xml_write_json(run->format, from, &json) || json_object_size(all) >= HEADERS_MAX)
		error_set(error, ERROR_REJECT, "xml.too-large",
			  "line %d: what `header` names passes 1 MiB, or there are more than 50 of them", from->line);
	else
		header = tree_parse_new(buf_view(&json), error);
	buf_free(&json);
	if (header) {
		failed = json_object_update(all, header);
		json_decref(run->header);
		run->header = json_incref(all);
	}
	json_decref(header);
	json_decref(all);
	return failed;
}

/* One level down, with its place, when the document is taken apart. */
static struct item *item_of(struct run *run, uint64_t number)
{
	struct item *item = out_item(run->out, run->whole);
	char ordinal[24];

	if (!run->format->each)
		return item;
	snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)number);
	out_level(run->out, item, ordinal);
	run->number = number;
	return item;
}

static void place_item(struct run *run, struct item *item, const struct xml_item *from)
{
	if (!run->format->each)
		return;
	out_part(run->out, item);
	item->offset = from->offset;
	item->length = from->length;
	if (from->length)
		item->position = span_of(arena_printf(out_arena(run->out), "element %llu, line %d (byte %llu)",
						      (unsigned long long)from->number, from->line,
						      (unsigned long long)from->offset));
	else
		item->position = span_of(arena_printf(out_arena(run->out), "element %llu, line %d",
						      (unsigned long long)from->number, from->line));
}

static int on_item(void *arg, const struct xml_item *from, struct error *error)
{
	struct run *run = arg;
	struct item *item;
	struct error why;
	struct buf json;

	if (from->header)
		return keep_header(run, from, error);
	item = item_of(run, from->number);
	place_item(run, item, from);
	if (from->fault)
		return out_reject(run->out, item, from->fault, error);
	buf_init(&json, out_tree_max(run->out));
	if (xml_write_json(run->format, from, &json)) {
		buf_free(&json);
		error_set(&why, ERROR_REJECT, "xml.too-large", "its JSON passes %zu bytes", out_tree_max(run->out));
		return out_reject(run->out, item, &why, error);
	}
	json_decref(item->facts);
	item->facts = facts_of(run, from);
	item->form = FORM_BYTES;
	item->bytes = reader_new_copy(buf_view(&json));
	item->media_type = SPAN_LITERAL("application/json");
	buf_free(&json);
	return out_emit(run->out, item, error);
}

/* What came before the mistake has gone on: only the rest is refused. */
static int reject_rest(struct run *run, uint64_t rest, const struct error *why, struct error *error)
{
	uint64_t last = run->number;
	struct item *item = item_of(run, last + 1);
	uint64_t size = reader_size(run->whole->bytes);

	item->position = span_of(arena_printf(out_arena(run->out), "behind element %llu", (unsigned long long)last));
	if (rest < size) {
		item->offset = rest;
		item->length = size - rest;
	}
	return out_reject(run->out, item, why, error);
}

static int run_xml(void *self, struct item *item, struct out *out, struct error *error)
{
	struct run run = {.format = self, .whole = item, .out = out};
	struct xml_events events = {on_item, &run};
	struct error why = {0};
	uint64_t rest;
	int failed = xml_read(self, item->bytes, out, &events, &rest, &why);

	json_decref(run.header);
	if (!failed)
		return 0;
	if (why.class == ERROR_REJECT && run.number && rest != UINT64_MAX)
		return reject_rest(&run, rest, &why, error);
	*error = why;
	return -1;
}

const struct decode_format decode_xml = {
	.name = "xml",
	.help = "An XML document, or each element at a path",
	.more = {options, sizeof(struct xml_settings)},
	.check = check,
	.open = open_xml,
	.close = close_xml,
	.run = run_xml,
};
