/* Stylesheets by libxslt, which this file fences, with every way to the outside shut: no file is written, nothing is
 * fetched, and document() finds the files of mappings/ alone. The work of one document is counted in operations, not in
 * time, so that the same document always ends in the same way. See xml_xslt.h. */
#include "config.h"
#include "transformers/xml/xml_xslt.h"

#include <libxslt/imports.h>
#include <libxslt/security.h>
#include <libxslt/transform.h>
#include <libxslt/variables.h>
#include <libxslt/xsltInternals.h>
#include <libxslt/xsltutils.h>
#include <stdlib.h>

#define OPERATIONS_MAX 20000000 /* a minute or so, where each is a small one */
#define DEPTH_MAX 1000          /* of templates that call one another */
#define VARIABLES_MAX 20000

struct xml_stylesheet {
	xsltStylesheet *style;
	xsltSecurityPrefs *prefs;
	struct transformer_context context; /* a copy: document() may ask it later */
	bool has_context;
	char *name;
};

/* ---- security */
static int only_site(xsltSecurityPrefs *prefs, xsltTransformContext *context, const char *url)
{
	return xml_files_is_url(url);
}

static xsltSecurityPrefs *prefs_new(void)
{
	xsltSecurityPrefs *prefs = xsltNewSecurityPrefs();

	xsltSetSecurityPrefs(prefs, XSLT_SECPREF_READ_FILE, xsltSecurityForbid);
	xsltSetSecurityPrefs(prefs, XSLT_SECPREF_WRITE_FILE, xsltSecurityForbid);
	xsltSetSecurityPrefs(prefs, XSLT_SECPREF_CREATE_DIRECTORY, xsltSecurityForbid);
	xsltSetSecurityPrefs(prefs, XSLT_SECPREF_READ_NETWORK, only_site);
	xsltSetSecurityPrefs(prefs, XSLT_SECPREF_WRITE_NETWORK, xsltSecurityForbid);
	return prefs;
}

static void silent(void *arg, const char *format, ...)
{
}

/* ---- compiling */
static int check_version(const xsltStylesheet *style, struct error *error)
{
	xmlNode *root = xmlDocGetRootElement(style->doc);
	xmlChar *version = root ? xmlGetNoNsProp(root, (const xmlChar *)"version") : NULL;
	bool later = version && strtod((const char *)version, NULL) > 1.1;

	if (later)
		error_set(
			error, ERROR_REJECT, "xslt.version",
			"it is written in XSLT %s, and 1.0 is what can be run: rules in Schematron can be compiled for "
			"1.0 when their queryBinding is xslt",
			(const char *)version);
	xmlFree(version);
	return later ? -1 : 0;
}

static void compile(struct xml_stylesheet *sheet, struct span text, const char *url, struct error *error)
{
	xmlDoc *document = xml_tree_new(text, url, error);
	struct xml_faults faults;

	if (!document)
		return;
	xml_faults_init(&faults, true);
	xsltSetGenericErrorFunc(&faults, xml_faults_print);
	xmlSetStructuredErrorFunc(&faults, (xmlStructuredErrorFunc)xml_faults_note);
	sheet->style = xsltParseStylesheetDoc(document);
	xmlSetStructuredErrorFunc(NULL, NULL);
	xsltSetGenericErrorFunc(NULL, silent);
	if (!sheet->style)
		xmlFreeDoc(document);
	if (sheet->style && check_version(sheet->style, error)) {
		xsltFreeStylesheet(sheet->style);
		sheet->style = NULL;
	} else if (!sheet->style || sheet->style->errors) {
		error_set(error, ERROR_REJECT, "xslt.stylesheet", "%s", xml_faults_text(&faults, "this is no XSLT"));
		xsltFreeStylesheet(sheet->style);
		sheet->style = NULL;
	}
	xml_faults_free(&faults);
}

void xml_stylesheet_free(struct xml_stylesheet *sheet)
{
	if (!sheet)
		return;
	xsltFreeStylesheet(sheet->style);
	xsltFreeSecurityPrefs(sheet->prefs);
	free(sheet->name);
	free(sheet);
}

struct xml_stylesheet *xml_stylesheet_new(const char *name, const struct transformer_context *context,
					  struct error *error)
{
	struct xml_files files = {context, "mappings"};
	const struct span *text = context && context->file ? context->file(context->site, files.folder, name) : NULL;
	struct xml_stylesheet *sheet = mem_alloc(sizeof *sheet);
	char *url = xml_files_url(&files, name);

	sheet->name = mem_strdup(name);
	sheet->prefs = prefs_new();
	if (context) {
		sheet->context = *context;
		sheet->has_context = true;
	}
	xsltSetDefaultSecurityPrefs(sheet->prefs); /* what it imports is read by them, too */
	xml_files_use(&files);
	if (text)
		compile(sheet, *text, url, error);
	xml_files_use(NULL);
	xsltSetDefaultSecurityPrefs(NULL);
	free(url);
	if (sheet->style)
		return sheet;
	if (text)
		error_wrap(error, "mappings/%s cannot be used", name);
	else
		error_set(error, ERROR_REJECT, "xslt.stylesheet", "there is no mappings/%s", name);
	xml_stylesheet_free(sheet);
	return NULL;
}

/* ---- running */
static xmlDoc *apply(const struct xml_stylesheet *sheet, xsltTransformContext *run, xmlDoc *document,
		     const char **parameters, struct error *error)
{
	struct xml_faults faults;
	xmlDoc *result;
	bool stopped;

	xml_faults_init(&faults, false);
	xsltSetTransformErrorFunc(run, &faults, xml_faults_print);
	xmlSetStructuredErrorFunc(&faults, (xmlStructuredErrorFunc)xml_faults_note);
	xsltSetCtxtSecurityPrefs(sheet->prefs, run);
	run->maxTemplateDepth = DEPTH_MAX;
	run->maxTemplateVars = VARIABLES_MAX;
	run->opLimit = OPERATIONS_MAX;
	run->xpathCtxt->opLimit = OPERATIONS_MAX;
	if (parameters)
		xsltQuoteUserParams(run, parameters);
	result = xsltApplyStylesheetUser(sheet->style, document, NULL, NULL, NULL, run);
	xmlSetStructuredErrorFunc(NULL, NULL);
	stopped = run->state != XSLT_STATE_OK;
	if (!result || stopped) {
		error_set(error, ERROR_REJECT,
			  run->opCount >= OPERATIONS_MAX || run->xpathCtxt->opCount >= OPERATIONS_MAX ? "xslt.work"
												      : "xslt.failed",
			  "mappings/%s: %s", sheet->name, xml_faults_text(&faults, "it was stopped"));
		xmlFreeDoc(result);
		result = NULL;
	}
	xml_faults_free(&faults);
	return result;
}

xmlDoc *xml_stylesheet_apply(const struct xml_stylesheet *sheet, xmlDoc *document, const char **parameters,
			     struct error *error)
{
	struct xml_files files = {sheet->has_context ? &sheet->context : NULL, "mappings"};
	xsltTransformContext *run = xsltNewTransformContext(sheet->style, document);
	xmlDoc *result;

	if (!run) {
		error_set(error, ERROR_RETRY, "xml.memory", "there is no memory to run a stylesheet");
		return NULL;
	}
	xml_files_use(&files);
	result = apply(sheet, run, document, parameters, error);
	xml_files_use(NULL);
	xsltFreeTransformContext(run);
	return result;
}

static int take(void *arg, const char *bytes, int len)
{
	return buf_append(arg, bytes, (size_t)len) ? -1 : len;
}

int xml_stylesheet_write(const struct xml_stylesheet *sheet, xmlDoc *result, struct buf *into, struct error *error)
{
	const xmlChar *encoding;
	xmlOutputBuffer *out;

	XSLT_GET_IMPORT_PTR(encoding, sheet->style, encoding)
	out = xmlOutputBufferCreateIO(take, NULL, into,
				      encoding ? xmlFindCharEncodingHandler((const char *)encoding) : NULL);
	if (!out)
		return error_set(error, ERROR_RETRY, "xml.memory", "there is no memory to write XML");
	xsltSaveResultTo(out, result, sheet->style);
	xmlOutputBufferClose(out);
	if (into->full)
		return error_set(error, ERROR_REJECT, "xslt.too-large", "mappings/%s: the result passes %u MiB",
				 sheet->name, XSLT_OUTPUT_MAX >> 20);
	return 0;
}

const char *xml_stylesheet_media_type(const struct xml_stylesheet *sheet)
{
	const xmlChar *type, *method;

	XSLT_GET_IMPORT_PTR(type, sheet->style, mediaType)
	XSLT_GET_IMPORT_PTR(method, sheet->style, method)
	if (type)
		return (const char *)type;
	if (method && !xmlStrcmp(method, (const xmlChar *)"text"))
		return "text/plain";
	return method && !xmlStrcmp(method, (const xmlChar *)"html") ? "text/html" : "application/xml";
}
