/* xsd: lets through what a schema (XML Schema 1.0) allows. What it includes and imports is found in schemas/ alone. */
#include "config.h"
#include "transformers/transformers.h"

#include <libxml/xmlschemas.h>
#include <stdlib.h>

#include "transformers/xml/xml_tree.h"

struct xsd_settings {
	const char *schema;
};

static const struct option options[] = {
	{.name = "schema",
	 .type = OPTION_FILE,
	 .offset = offsetof(struct xsd_settings, schema),
	 .range = "schemas",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "the schema, a file in schemas/, where also what it includes and imports lies"},
	OPTION_END,
};

struct xsd {
	const struct xsd_settings *settings;
	xmlDoc *document; /* of the schema, which points into it */
	xmlSchema *schema;
};

static xmlSchema *parse(xmlDoc *document, struct xml_faults *faults)
{
	xmlSchemaParserCtxt *parser = xmlSchemaNewDocParserCtxt(document);
	xmlSchema *schema;

	if (!parser)
		return NULL;
	xmlSchemaSetParserStructuredErrors(parser, (xmlStructuredErrorFunc)xml_faults_note, faults);
	schema = xmlSchemaParse(parser);
	xmlSchemaFreeParserCtxt(parser);
	return schema;
}

static int compile(struct xsd *xsd, const struct xml_files *files, struct span text, struct error *error)
{
	char *url = xml_files_url(files, xsd->settings->schema);
	struct xml_faults faults;
	int result = -1;

	xml_faults_init(&faults, true);
	xml_files_use(files);
	xsd->document = xml_tree_new(text, url, error);
	if (xsd->document) {
		xsd->schema = parse(xsd->document, &faults);
		result = xsd->schema && !faults.count ? 0
						      : error_set(error, ERROR_REJECT, "xsd.schema", "%s",
								  xml_faults_text(&faults, "this is no XML Schema"));
	}
	xml_files_use(NULL);
	xml_faults_free(&faults);
	free(url);
	return result;
}

static void close_xsd(void *self)
{
	struct xsd *xsd = self;

	xmlSchemaFree(xsd->schema);
	xmlFreeDoc(xsd->document);
	free(xsd);
}

static void *open_xsd(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct xsd *xsd = mem_alloc(sizeof *xsd);
	struct xml_files files = {context, "schemas"};
	const struct span *text;

	xsd->settings = settings;
	text = context && context->file ? context->file(context->site, files.folder, xsd->settings->schema) : NULL;
	if (text && !compile(xsd, &files, *text, error))
		return xsd;
	if (!text)
		error_set(error, ERROR_REJECT, "xsd.schema", "there is no schemas/%s", xsd->settings->schema);
	else
		error_wrap(error, "schemas/%s cannot be used", xsd->settings->schema);
	close_xsd(xsd);
	return NULL;
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	struct error error;
	struct xsd *xsd = open_xsd(settings, context, &error);

	if (xsd) {
		close_xsd(xsd);
		return 0;
	}
	finding_add(findings, place, SEVERITY_ERROR, "xsd.schema", "%s", error.text);
	return -1;
}

static int validate(const struct xsd *xsd, xmlDoc *document, struct error *error)
{
	xmlSchemaValidCtxt *valid = xmlSchemaNewValidCtxt(xsd->schema);
	struct xml_faults faults;
	int result;

	if (!valid)
		return error_set(error, ERROR_RETRY, "xml.memory", "there is no memory to validate XML");
	xml_faults_init(&faults, false);
	xmlSchemaSetValidStructuredErrors(valid, (xmlStructuredErrorFunc)xml_faults_note, &faults);
	result = xmlSchemaValidateDoc(valid, document);
	xmlSchemaFreeValidCtxt(valid);
	if (result)
		error_set(error, ERROR_REJECT, "xsd.invalid", "not valid by %s, %u fault%s: %s", xsd->settings->schema,
			  faults.count, faults.count == 1 ? "" : "s",
			  xml_faults_text(&faults, "it could not be judged"));
	xml_faults_free(&faults);
	return result ? -1 : 0;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	xmlDoc *document = xml_tree_of(item, error);
	int failed = document ? validate(self, document, error) : -1;

	xmlFreeDoc(document);
	return failed ? -1 : out_emit(out, item, error);
}

const struct transformer_ops xsd_transformer = {
	.name = "xsd",
	.help = "Lets XML through that an XML Schema allows",
	.options = options,
	.settings_size = sizeof(struct xsd_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_xsd,
	.close = close_xsd,
	.run = run,
};
