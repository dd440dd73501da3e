/* Trees of XML documents, and the one way by which libxml2 finds files: those of the site. See xml_tree.h. */
#include "config.h"
#include "transformers/xml/xml_tree.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlIO.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FAULTS_TEXT_MAX 4000
#define SITE "site:///"

/* ---- files */
bool xml_files_is_url(const char *url)
{
	return url && !strncmp(url, SITE, sizeof SITE - 1);
}

char *xml_files_url(const struct xml_files *files, const char *name)
{
	return mem_printf(SITE "%s/%s", files->folder, name);
}

static bool is_inner_path(const char *name)
{
	return *name && *name != '/' && strncmp(name, "../", 3) != 0 && !strstr(name, "/../") && !strchr(name, '\\');
}

static xmlParserInputPtr load(const char *url, const char *id, xmlParserCtxtPtr context)
{
	const struct xml_files *files = xmlGenericErrorContext; /* put there by xml_files_use */
	size_t n = files ? strlen(files->folder) : 0;
	const struct span *text;
	xmlParserInputBuffer *buffer;
	xmlParserInput *input;
	const char *name;

	if (!files || !files->context || !files->context->file || !xml_files_is_url(url) ||
	    strncmp(url + sizeof SITE - 1, files->folder, n) != 0 || url[sizeof SITE - 1 + n] != '/')
		return NULL;
	name = url + sizeof SITE + n;
	text = is_inner_path(name) ? files->context->file(files->context->site, files->folder, name) : NULL;
	if (!text)
		return NULL;
	buffer = xmlParserInputBufferCreateMem(text->data, (int)text->len, XML_CHAR_ENCODING_NONE);
	input = buffer ? xmlNewIOInputStream(context, buffer, XML_CHAR_ENCODING_NONE) : NULL;
	if (input)
		input->filename = (char *)xmlStrdup((const xmlChar *)url);
	return input;
}

static void silent(void *arg, const char *format, ...)
{
}

/* The hook that loads files is not told who asks. What libxml2 keeps for messages that belong to nothing, which nobody
 * reads here, carries it. */
void xml_files_use(const struct xml_files *files)
{
	xmlSetGenericErrorFunc((void *)(uintptr_t)files, silent);
	xmlSetExternalEntityLoader(load);
}

/* ---- faults */
void xml_faults_init(struct xml_faults *faults, bool places)
{
	*faults = (struct xml_faults){.places = places};
	buf_init(&faults->text, FAULTS_TEXT_MAX);
}

void xml_faults_free(struct xml_faults *faults)
{
	buf_free(&faults->text);
}

static void add_line(struct buf *into, const char *text)
{
	size_t n = strlen(text);

	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	for (size_t i = 0; i < n; i++)
		buf_char(into, text[i] == '\n' ? ' ' : text[i]);
}

void xml_faults_note(void *arg, xmlError *fault)
{
	struct xml_faults *faults = arg;

	if (!fault || fault->level < XML_ERR_ERROR || ++faults->count > XML_TOLD_MAX)
		return;
	if (faults->text.len)
		buf_text(&faults->text, "; ");
	if (faults->places && fault->file)
		buf_printf(&faults->text,
			   "%s:%d: ", xml_files_is_url(fault->file) ? fault->file + sizeof SITE - 1 : fault->file,
			   fault->line);
	else if (fault->line > 0)
		buf_printf(&faults->text, "line %d: ", fault->line);
	add_line(&faults->text, fault->message ? fault->message : "?");
	faults->noted = true;
}

const char *xml_faults_text(struct xml_faults *faults, const char *otherwise)
{
	char *text = faults->text.data, *at;

	if (!faults->text.len)
		return otherwise;
	while ((at = strstr(text, SITE)))
		memmove(at, at + sizeof SITE - 1, strlen(at + sizeof SITE - 1) + 1);
	for (size_t n = strlen(text); n && strchr("; ", text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

/* libxslt says a thing in several pieces; lines are what belongs together. */
void xml_faults_print(void *arg, const char *format, ...)
{
	struct xml_faults *faults = arg;
	char piece[1000];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(piece, sizeof piece, format, arguments);
	va_end(arguments);
	faults->count++;
	if (faults->noted)
		buf_text(&faults->text, "; ");
	faults->noted = false;
	for (const char *p = piece; *p; p++)
		if (*p != '\n')
			buf_char(&faults->text, *p);
		else if (p[1] || faults->text.len)
			buf_text(&faults->text, "; ");
}

/* ---- trees */
struct refusal {
	xmlParserCtxt *context;
	bool entity;
	struct xml_faults faults;
};

static void on_entity(void *arg, const xmlChar *name, int type, const xmlChar *public_id, const xmlChar *system_id,
		      xmlChar *content)
{
	xmlParserCtxt *context = arg;
	struct refusal *refusal = context->_private;

	refusal->entity = true;
	context->disableSAX = 1;
	context->wellFormed = 0;
}

static void on_unparsed_entity(void *arg, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id,
			       const xmlChar *notation)
{
	on_entity(arg, name, 0, public_id, system_id, NULL);
}

static void on_reference(void *arg, const xmlChar *name)
{
	on_entity(arg, name, 0, NULL, NULL, NULL);
}

/* One of these would be put into each element that has none. */
static void on_attribute(void *arg, const xmlChar *element, const xmlChar *name, int type, int how,
			 const xmlChar *value, xmlEnumerationPtr values)
{
	xmlFreeEnumeration(values);
	if (value)
		on_entity(arg, name, 0, NULL, NULL, NULL);
}

static void on_fault(void *arg, xmlError *fault)
{
	xmlParserCtxt *context = arg;
	struct refusal *refusal = context->_private;

	if (fault->code == XML_WAR_UNDECLARED_ENTITY || fault->code == XML_ERR_UNDECLARED_ENTITY)
		refusal->entity = true;
	if (fault->code != XML_WAR_NS_URI)
		xml_faults_note(&refusal->faults, fault);
}

static int refuse(struct refusal *refusal, struct error *error)
{
	if (refusal->entity)
		return error_set(
			error, ERROR_REJECT, "xml.entity",
			"it declares or uses an entity of its own, or values of attributes, which are never taken");
	return error_set(error, ERROR_REJECT, "xml.syntax", "%s", xml_faults_text(&refusal->faults, "this is no XML"));
}

xmlDoc *xml_tree_new(struct span text, const char *url, struct error *error)
{
	struct refusal refusal = {.context = xmlNewParserCtxt()};
	xmlDoc *document;

	if (!refusal.context) {
		error_set(error, ERROR_RETRY, "xml.memory", "there is no memory to read XML");
		return NULL;
	}
	xml_faults_init(&refusal.faults, url != NULL);
	refusal.context->_private = &refusal;
	refusal.context->sax->entityDecl = on_entity;
	refusal.context->sax->unparsedEntityDecl = on_unparsed_entity;
	refusal.context->sax->attributeDecl = on_attribute;
	refusal.context->sax->reference = on_reference;
	refusal.context->sax->serror = on_fault;
	refusal.context->linenumbers = 1;
	document = xmlCtxtReadMemory(refusal.context, text.data ? text.data : "", (int)text.len, url, NULL,
				     XML_PARSE_NONET | XML_PARSE_BIG_LINES);
	if (document && (refusal.entity || refusal.faults.count)) {
		xmlFreeDoc(document);
		document = NULL;
	}
	if (!document)
		refuse(&refusal, error);
	xml_faults_free(&refusal.faults);
	xmlFreeParserCtxt(refusal.context);
	return document;
}

xmlDoc *xml_tree_of(const struct item *item, struct error *error)
{
	struct reader *bytes = item->bytes;
	struct span text;

	if (span_is(item->media_type, "application/json")) {
		error_set(error, ERROR_REJECT, "xml.form",
			  "this is data, and no XML: put the step in front of `decode`, or behind `encode: xml`");
		return NULL;
	}
	if (reader_size(bytes) > XML_TREE_MAX) {
		error_set(error, ERROR_REJECT, "xml.too-large",
			  "%llu bytes, the limit for this step is %u: split it before it is sent",
			  (unsigned long long)reader_size(bytes), XML_TREE_MAX);
		return NULL;
	}
	if (reader_view(bytes, &text, error))
		return NULL;
	while (text.len && strchr(" \t\r\n", text.data[0]) && text.data[0]) {
		text.data++;
		text.len--;
	}
	if (!text.len) {
		error_set(error, ERROR_REJECT, "xml.empty", "there is nothing in it");
		return NULL;
	}
	xml_files_use(NULL);
	return xml_tree_new(text, NULL, error);
}
