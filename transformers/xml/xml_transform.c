/* xslt: XML to what a stylesheet makes of it. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/xml/xml_xslt.h"

struct settings {
	const char *stylesheet;
	struct template_map parameters;
};

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

/* ---- running */
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
