/* xslt: XML to what a stylesheet makes of it. schematron: lets XML through that rules allow, which somebody compiled to
 * XSLT: the report that it gives (SVRL, ISO 19757-3) is read. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "transformers/xml/xml_xslt.h"

struct settings {
	const char *stylesheet;
	struct template_map parameters; /* xslt */
	int refuse;                     /* schematron */
};

enum { REFUSE_ERRORS, REFUSE_WARNINGS };

static const struct option xslt_options[] = {
	{.name = "stylesheet",
	 .type = OPTION_FILE,
	 .offset = offsetof(struct settings, stylesheet),
	 .range = "mappings",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "the stylesheet, XSLT 1.0, a file in mappings/, where also what it imports lies"},
	{.name = "parameters",
	 .type = OPTION_TEMPLATES,
	 .offset = offsetof(struct settings, parameters),
	 .help = "texts for its xsl:param, with $(…) over the envelope: {sent: '$($envelope.time)'}"},
	OPTION_END,
};

static const struct option schematron_options[] = {
	{.name = "rules",
	 .type = OPTION_FILE,
	 .offset = offsetof(struct settings, stylesheet),
	 .range = "mappings",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "the rules, compiled to XSLT 1.0 that writes SVRL, a file in mappings/"},
	{.name = "refuse",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct settings, refuse),
	 .range = "errors|warnings",
	 .fallback = "errors",
	 .help = "warnings: also what is only flagged as a warning"},
	OPTION_END,
};

struct transform {
	const struct settings *settings;
	struct xml_stylesheet *sheet;
};

static void close_transform(void *self)
{
	struct transform *transform = self;

	for (size_t i = 0; i < transform->settings->parameters.count; i++)
		template_drop(transform->settings->parameters.items[i].template);
	xml_stylesheet_free(transform->sheet);
	free(transform);
}

static void *open_transform(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct transform *transform = mem_alloc(sizeof *transform);

	transform->settings = settings;
	transform->sheet = xml_stylesheet_new(transform->settings->stylesheet, context, error);
	if (transform->sheet)
		return transform;
	free(transform);
	return NULL;
}

static int check(const void *of, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct settings *settings = of;
	size_t errors = findings->errors;
	struct error error;
	struct xml_stylesheet *sheet = xml_stylesheet_new(settings->stylesheet, context, &error);

	if (!sheet)
		finding_add(findings, place, SEVERITY_ERROR, "xslt.stylesheet", "%s", error.text);
	for (size_t i = 0; i < settings->parameters.count; i++)
		template_check(settings->parameters.items[i].template, findings);
	xml_stylesheet_free(sheet);
	return findings->errors == errors ? 0 : -1;
}

/* ---- xslt */
static int render_parameters(const struct transform *transform, struct item *item, struct out *out,
			     const char **parameters, struct error *error)
{
	const struct template_map *map = &transform->settings->parameters;
	struct expression_input input = out_input(out, item);
	json_t *nothing = json_null();
	int failed = 0;

	if (!input.body)
		input.body = nothing;
	for (size_t i = 0; i < map->count && !failed; i++) {
		struct buf text;

		buf_init(&text, 64 << 10);
		failed = template_render(map->items[i].template, &input, NULL, &text, error);
		if (!failed && text.full)
			failed = error_set(error, ERROR_REJECT, "xslt.parameter", "%s is longer than 64 KiB",
					   map->items[i].name);
		parameters[2 * i] = map->items[i].name;
		parameters[2 * i + 1] = arena_span(out_arena(out), buf_view(&text)).data;
		buf_free(&text);
	}
	return failed;
}

static int write_result(const struct transform *transform, xmlDoc *result, struct item *item, struct out *out,
			struct error *error)
{
	struct item *made;
	struct buf bytes;

	buf_init(&bytes, XSLT_OUTPUT_MAX);
	if (xml_stylesheet_write(transform->sheet, result, &bytes, error)) {
		buf_free(&bytes);
		return -1;
	}
	made = out_item(out, item);
	made->form = FORM_BYTES;
	made->bytes = reader_new_copy(buf_view(&bytes));
	made->media_type = span_of(xml_stylesheet_media_type(transform->sheet));
	buf_free(&bytes);
	return out_emit(out, made, error);
}

static int run_xslt(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct transform *transform = self;
	const char **parameters =
		arena_alloc(out_arena(out), (2 * transform->settings->parameters.count + 1) * sizeof *parameters);
	xmlDoc *document, *result = NULL;
	int failed = -1;

	if (render_parameters(transform, item, out, parameters, error))
		return -1;
	document = xml_tree_of(item, error);
	if (document)
		result = xml_stylesheet_apply(transform->sheet, document, parameters, error);
	if (result)
		failed = write_result(transform, result, item, out, error);
	xmlFreeDoc(result);
	xmlFreeDoc(document);
	return failed;
}

/* ---- schematron */
#define SVRL "http://purl.oclc.org/dsdl/svrl"
#define WARNINGS_MAX 100

struct report {
	struct buf text; /* of what refuses */
	unsigned refused;
	json_t *warnings;
};

static bool is_svrl(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && node->ns && !strcmp((const char *)node->ns->href, SVRL) &&
	       !strcmp((const char *)node->name, name);
}

static char *attribute_of(xmlNode *node, const char *name)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *text = mem_strdup((const char *)value);

	xmlFree(value);
	return text;
}

/* White space in a row is one blank. */
static char *text_of(xmlNode *node)
{
	xmlNode *child = node->children;
	xmlChar *content;
	char *text, *to;

	while (child && !is_svrl(child, "text"))
		child = child->next;
	content = child ? xmlNodeGetContent(child) : NULL;
	text = mem_strdup(content ? (const char *)content : "");
	xmlFree(content);
	to = text;
	for (const char *from = text; *from; from++)
		if (!strchr(" \t\r\n", *from))
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
	return text;
}

/* Rules say it as `flag` or `role`, in words that are not prescribed. */
static bool is_warning(const char *flag, const char *role)
{
	const char *word = flag ? flag : role;

	return word && (!strncasecmp(word, "warn", 4) || !strncasecmp(word, "info", 4));
}

static void note(struct report *report, xmlNode *node, int refuse)
{
	char *id = attribute_of(node, "id"), *flag = attribute_of(node, "flag"), *role = attribute_of(node, "role"),
	     *location = attribute_of(node, "location"), *text = text_of(node);

	if (is_warning(flag, role) && refuse == REFUSE_ERRORS) {
		if (json_array_size(report->warnings) < WARNINGS_MAX)
			json_array_append_new(report->warnings, json_pack("{s:s*, s:s, s:s*}", "id", id, "text", text,
									  "location", location));
	} else if (++report->refused <= XML_TOLD_MAX) {
		if (report->text.len)
			buf_text(&report->text, "; ");
		if (id)
			buf_printf(&report->text, "%s: ", id);
		buf_text(&report->text, text);
		if (location)
			buf_printf(&report->text, " (%s)", location);
	}
	free(id);
	free(flag);
	free(role);
	free(location);
	free(text);
}

static int read_report(const struct transform *transform, xmlDoc *svrl, struct report *report, struct error *error)
{
	xmlNode *root = xmlDocGetRootElement(svrl);

	if (!root || !is_svrl(root, "schematron-output"))
		return error_set(error, ERROR_REJECT, "schematron.report",
				 "mappings/%s does not give a report of Schematron (SVRL), but %s",
				 transform->settings->stylesheet, root ? (const char *)root->name : "nothing");
	for (xmlNode *node = root->children; node; node = node->next)
		if (is_svrl(node, "failed-assert") || is_svrl(node, "successful-report"))
			note(report, node, transform->settings->refuse);
	if (report->refused)
		return error_set(error, ERROR_REJECT, "schematron.refused", "%u rule%s of %s broken: %s",
				 report->refused, report->refused == 1 ? "" : "s", transform->settings->stylesheet,
				 report->text.data);
	return 0;
}

static int pass(struct report *report, struct item *item, struct out *out, struct error *error)
{
	struct item *passed = out_twin(out, item);
	json_t *facts = item->facts ? json_copy(item->facts) : json_object();

	json_object_set_new(facts, "schematron", json_pack("{s:O}", "warnings", report->warnings));
	json_decref(passed->facts);
	passed->facts = facts;
	return out_emit(out, passed, error);
}

static int run_schematron(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct transform *transform = self;
	struct report report = {.warnings = json_array()};
	xmlDoc *document = xml_tree_of(item, error), *svrl = NULL;
	int failed;

	buf_init(&report.text, 4000);
	if (document)
		svrl = xml_stylesheet_apply(transform->sheet, document, NULL, error);
	failed = svrl ? read_report(transform, svrl, &report, error) : -1;
	xmlFreeDoc(svrl);
	xmlFreeDoc(document);
	if (!failed)
		failed = pass(&report, item, out, error);
	buf_free(&report.text);
	json_decref(report.warnings);
	return failed;
}

const struct transformer_ops xslt_transformer = {
	.name = "xslt",
	.help = "Makes of XML what a stylesheet says",
	.options = xslt_options,
	.settings_size = sizeof(struct settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_transform,
	.close = close_transform,
	.run = run_xslt,
};

const struct transformer_ops schematron_transformer = {
	.name = "schematron",
	.help = "Lets XML through that rules in Schematron allow",
	.options = schematron_options,
	.settings_size = sizeof(struct settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_transform,
	.close = close_transform,
	.run = run_schematron,
};
