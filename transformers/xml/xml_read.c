/* Reading XML with libxml2, which the files of this part fence: SAX2 over the bytes as they come, so that of a document
 * only the item in hand is held. Nothing is fetched, no DTD is loaded, and no entity but the five
 * of XML itself is taken: a document that declares or names another is refused. See xml.h. */
#include "config.h"
#include "transformers/xml/xml_read.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlversion.h>
#include <stdlib.h>

/* ---- stopping */
static int line_of(const struct xml_reading *read)
{
	return read->context->input ? read->context->input->line : 0;
}

static uint64_t byte_of(const struct xml_reading *read)
{
	long at = xmlByteConsumed(read->context);

	return read->first + (at > 0 ? (uint64_t)at : 0);
}

static void stop(struct xml_reading *read)
{
	read->stopped = true;
	read->context->disableSAX = 1; /* the rest of its buffer is read without a word, then the end comes */
}

/* Of a document as a whole the place is told beside the text. */
static void set_fault(const struct xml_reading *read, struct error *fault, const char *code, const char *text)
{
	unsigned long long byte = byte_of(read);

	error_set(fault, ERROR_REJECT, code, "%s", text);
	if (read->format->each)
		error_wrap(fault, "line %d (byte %llu)", line_of(read), byte);
	error_place(fault, "line %d (byte %llu)", line_of(read), byte);
}

void xml_give_up(struct xml_reading *read, const char *code, const char *text)
{
	if (read->stopped)
		return;
	set_fault(read, &read->fault, code, text);
	stop(read);
}

void xml_spoil(struct xml_reading *read, const char *code, const char *text)
{
	if (read->spoilt)
		return;
	if (!read->in_item || !read->format->each) {
		xml_give_up(read, code, text);
		return;
	}
	read->spoilt = true;
	set_fault(read, &read->spoil, code, text);
}

/* ---- items */
/* Where the tag starts that was just read: no other < stands in it. */
static uint64_t start_of_tag(const struct xml_reading *read)
{
	const xmlParserInput *input = read->context->input;
	const xmlChar *tag = memrchr(input->base, '<', (size_t)(input->cur - input->base));

	if (!tag || (input->buf && input->buf->encoder))
		return UINT64_MAX; /* bytes of another encoding */
	return byte_of(read) - (uint64_t)(input->cur - tag);
}

static void begin_item(struct xml_reading *read, bool header)
{
	uint64_t offset = start_of_tag(read);

	read->in_item = true;
	read->spoilt = false;
	read->item_depth = read->depth;
	read->held = read->nodes = 0;
	arena_reset(read->arena);
	read->item = (struct xml_item){.number = read->item.number + !header,
				       .serial = read->item.serial + 1,
				       .header = header,
				       .offset = offset == UINT64_MAX ? 0 : offset,
				       .line = line_of(read),
				       .length = offset == UINT64_MAX ? 0 : 1};
	read->prolog_last = read->open = NULL;
	buf_reset(&read->text);
}

static void hand_on(struct xml_reading *read)
{
	read->item.root = read->root;
	read->item.space = read->root_space;
	read->item.fault = read->spoilt ? &read->spoil : NULL;
	if (read->events->item_done(read->events->arg, &read->item, &read->error)) {
		read->failed = true;
		stop(read);
	}
	read->in_item = read->spoilt = false;
}

static void end_item(struct xml_reading *read)
{
	const xmlParserInput *input = read->context->input;

	if (read->item.length) /* the > of its end is not passed yet */
		read->item.length = byte_of(read) + (input->cur[0] == '>') - read->item.offset;
	hand_on(read);
}

/* ---- what libxml2 calls */
static void note_space(struct xml_reading *read, const xmlChar **attributes, int count)
{
	size_t at = read->depth - 1;

	read->preserve[at] = at > 0 && read->preserve[at - 1];
	for (int i = 0; i < count; i++) {
		const char *prefix = (const char *)attributes[5 * i + 1];

		if (prefix && !strcmp(prefix, "xml") && !strcmp((const char *)attributes[5 * i], "space"))
			read->preserve[at] = attributes[5 * i + 4] - attributes[5 * i + 3] == 8 &&
					     !memcmp(attributes[5 * i + 3], "preserve", 8);
	}
}

static void declare(struct xml_reading *read, const xmlChar **namespaces, int count)
{
	read->declared = mem_grow(read->declared, &read->declared_capacity, read->declared_count + (size_t)count + 1,
				  sizeof *read->declared);
	for (int i = 0; i < count; i++)
		read->declared[read->declared_count++] = (struct xml_declared){
			(const char *)namespaces[2 * i],
			namespaces[2 * i + 1] ? (const char *)namespaces[2 * i + 1] : "", read->depth};
}

static void look_for_item(struct xml_reading *read)
{
	bool is_item = xml_path_matches(read->format->each, read->places, read->depth), is_header = false;

	if (is_item && read->in_item) {
		xml_give_up(read, "xml.each", "what `each` looks for stands in an element that `header` names");
		return;
	}
	for (size_t i = 0; i < read->format->headers_count && !is_item && !read->in_item; i++)
		is_header |= xml_path_matches(&read->format->headers[i], read->places, read->depth);
	if (is_item || is_header)
		begin_item(read, is_header);
}

static void on_start(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int namespaces_count,
		     const xmlChar **namespaces, int attributes_count, int defaulted, const xmlChar **attributes)
{
	struct xml_reading *read = arg;

	read->seen = read->at;
	xml_end_text(read);
	if (read->depth >= XML_DEPTH_MAX) {
		xml_give_up(read, "xml.depth", "elements are nested more than 250 deep");
		return;
	}
	read->places[read->depth++] = (struct xml_path_place){(const char *)prefix, (const char *)local};
	note_space(read, attributes, attributes_count);
	if (!read->root) {
		read->root = mem_strdup((const char *)local);
		read->root_space = mem_strdup((const char *)uri);
	}
	if (read->format->each && (!read->in_item || read->item.header))
		look_for_item(read);
	if (read->in_item && read->depth > (size_t)read->format->settings->depth)
		xml_spoil(read, "xml.depth", "elements are nested deeper than `depth` allows");
	if (attributes_count + namespaces_count > read->format->settings->attributes)
		xml_spoil(read, "xml.attributes", "an element has more attributes than `attributes` allows");
	if (read->in_item && !xml_is_idle(read, 0))
		xml_build(read, (const char *)prefix, (const char *)local, namespaces, namespaces_count, attributes,
			  attributes_count);
	if (!read->in_item)
		declare(read, namespaces, namespaces_count);
}

static void on_end(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
	struct xml_reading *read = arg;

	read->seen = read->at;
	xml_end_text(read);
	if (read->in_item && read->open)
		read->open = read->open->parent;
	if (read->in_item && read->format->each && read->depth == read->item_depth)
		end_item(read);
	if (read->depth)
		read->depth--;
	while (read->declared_count && read->declared[read->declared_count - 1].depth > read->depth)
		read->declared_count--;
}

static void on_text(void *arg, const xmlChar *text, int len)
{
	struct xml_reading *read = arg;

	read->seen = read->at;
	if (read->depth && !xml_is_idle(read, (size_t)len))
		buf_append(&read->text, text, (size_t)len);
}

static void on_comment(void *arg, const xmlChar *text)
{
	struct xml_reading *read = arg;
	struct xml_part *part;
	size_t len = strlen((const char *)text);

	read->seen = read->at;
	if (read->format->settings->form != XML_FORM_EXACT || xml_is_idle(read, sizeof *part + len))
		return;
	xml_end_text(read);
	part = xml_append(read, XML_IS_COMMENT);
	part->text = arena_span(read->arena, span_make(text, len));
}

static void on_instruction(void *arg, const xmlChar *target, const xmlChar *data)
{
	struct xml_reading *read = arg;
	struct xml_part *part;
	size_t len = data ? strlen((const char *)data) : 0;

	read->seen = read->at;
	if (read->format->settings->form != XML_FORM_EXACT || xml_is_idle(read, sizeof *part + len))
		return;
	xml_end_text(read);
	part = xml_append(read, XML_IS_INSTRUCTION);
	part->target = arena_strdup(read->arena, (const char *)target);
	if (len)
		part->text = arena_span(read->arena, span_make(data, len));
}

static void on_doctype(void *arg, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
	struct xml_reading *read = arg;
	struct xml_part *part;

	if (read->format->settings->form != XML_FORM_EXACT || xml_is_idle(read, sizeof *part))
		return;
	part = xml_append(read, XML_IS_DOCTYPE);
	part->target = arena_strdup(read->arena, (const char *)name);
	part->public_id = arena_strdup(read->arena, (const char *)public_id);
	part->system_id = arena_strdup(read->arena, (const char *)system_id);
}

#define NO_ENTITY                                                                                                      \
	"it declares or uses an entity of its own, which is never taken: write the characters, or replace entities "   \
	"before it is sent"

static void on_entity(void *arg, const xmlChar *name, int type, const xmlChar *public_id, const xmlChar *system_id,
		      xmlChar *content)
{
	xml_give_up(arg, "xml.entity", NO_ENTITY);
}

static void on_unparsed_entity(void *arg, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id,
			       const xmlChar *notation)
{
	xml_give_up(arg, "xml.entity", NO_ENTITY);
}

static void on_reference(void *arg, const xmlChar *name)
{
	xml_give_up(arg, "xml.entity", NO_ENTITY);
}

/* One of these would be put into each element that has none: a few bytes would become many. */
static void on_attribute(void *arg, const xmlChar *element, const xmlChar *name, int type, int how,
			 const xmlChar *value, xmlEnumerationPtr values)
{
	xmlFreeEnumeration(values);
	if (value)
		xml_give_up(arg, "xml.entity",
			    "it declares values of attributes (ATTLIST), which are never taken: write them where they "
			    "belong");
}

static xmlEntityPtr no_entity(void *arg, const xmlChar *name)
{
	return NULL;
}

static const char *code_of(const xmlError *fault)
{
	if (fault->message && strstr(fault->message, "not proper UTF-8"))
		return "xml.encoding";
	switch (fault->code) {
	case XML_ERR_UNDECLARED_ENTITY:
	case XML_WAR_UNDECLARED_ENTITY:
		return "xml.entity";
	case XML_ERR_DOCUMENT_EMPTY:
		return "xml.empty";
	case XML_ERR_INVALID_ENCODING:
	case XML_ERR_UNKNOWN_ENCODING:
	case XML_ERR_UNSUPPORTED_ENCODING:
	case XML_I18N_CONV_FAILED:
		return "xml.encoding";
	case XML_ERR_INVALID_CHAR:
	case XML_ERR_INVALID_CHARREF:
		return "xml.character";
	default:
		return fault->domain == XML_FROM_NAMESPACE ? "xml.namespace" : "xml.syntax";
	}
}

static void on_fault(void *arg, xmlErrorPtr fault)
{
	struct xml_reading *read = arg;
	char text[300];

	if (read->stopped || !fault || fault->code == XML_WAR_NS_URI || fault->code == XML_WAR_NS_URI_RELATIVE ||
	    (fault->level < XML_ERR_ERROR && fault->code != XML_WAR_UNDECLARED_ENTITY))
		return;
	snprintf(text, sizeof text, "%s", fault->message ? fault->message : "this is no XML");
	text[strcspn(text, "\n")] = '\0';
	xml_give_up(read, code_of(fault), text);
}

/* ---- bytes */
static int more(void *arg, char *into, int len)
{
	struct xml_reading *read = arg;
	struct span got;

	if (read->stopped || read->at >= read->window.size)
		return 0;
	if (read->at - read->seen > XML_TAG_MAX && read->context->instate != XML_PARSER_CDATA_SECTION &&
	    read->context->instate != XML_PARSER_COMMENT && read->context->instate != XML_PARSER_PI) {
		xml_give_up(read, "xml.too-large", "a tag, or a document type, is longer than 256 KiB");
		return 0;
	}
	if (window_get(&read->window, read->at, 1, &got, &read->error)) {
		read->failed = true;
		stop(read);
		return 0;
	}
	if ((size_t)len > got.len)
		len = (int)got.len;
	memcpy(into, got.data, (size_t)len);
	read->at += (uint64_t)len;
	return len;
}

static void silent(void *arg, const char *format, ...)
{
}

static xmlParserInputPtr nothing_loaded(const char *url, const char *id, xmlParserCtxtPtr context)
{
	return NULL;
}

static const xmlSAXHandler handler = {
	.initialized = XML_SAX2_MAGIC,
	.startElementNs = on_start,
	.endElementNs = on_end,
	.characters = on_text,
	.ignorableWhitespace = on_text,
	.cdataBlock = on_text,
	.comment = on_comment,
	.processingInstruction = on_instruction,
	.internalSubset = on_doctype,
	.entityDecl = on_entity,
	.attributeDecl = on_attribute,
	.unparsedEntityDecl = on_unparsed_entity,
	.reference = on_reference,
	.getEntity = no_entity,
	.getParameterEntity = no_entity,
	.serror = on_fault,
};

/* Blanks and line ends in front of a declaration are a mistake that many make. */
static int skip_blanks(struct xml_reading *read, struct error *error)
{
	struct span got;

	while (read->at < read->window.size) {
		size_t n = 0;

		if (window_get(&read->window, read->at, 1, &got, error))
			return -1;
		while (n < got.len && strchr(" \t\r\n", got.data[n]) && got.data[n])
			n++;
		read->at += n;
		if (n < got.len)
			break;
	}
	read->first = read->seen = read->at;
	return 0;
}

static int parse(struct xml_reading *read, struct error *error)
{
	xmlSAXHandler sax = handler;

	if (skip_blanks(read, error))
		return -1;
	if (read->at >= read->window.size)
		return error_set(error, ERROR_REJECT, "xml.empty", "there is nothing in %llu bytes",
				 (unsigned long long)read->window.size);
	read->context = xmlCreateIOParserCtxt(&sax, read, more, NULL, read, XML_CHAR_ENCODING_NONE);
	if (!read->context)
		return error_set(error, ERROR_RETRY, "xml.memory", "there is no memory to read XML");
	xmlCtxtUseOptions(read->context, XML_PARSE_NONET);
	xmlParseDocument(read->context);
	if (!read->stopped && !read->context->wellFormed)
		xml_give_up(read, "xml.syntax", "this is no XML");
	if (read->failed)
		*error = read->error;
	else if (read->stopped)
		*error = read->fault;
	return read->failed || read->stopped ? -1 : 0;
}

static void end(struct xml_reading *read)
{
	if (read->context && read->context->myDoc)
		xmlFreeDoc(read->context->myDoc);
	if (read->context)
		xmlFreeParserCtxt(read->context);
	window_end(&read->window);
	buf_free(&read->text);
	arena_free(read->arena);
	arena_free(read->names_arena);
	free(read->declared);
	free(read->root);
	free(read->root_space);
	free(read);
}

static int nothing_matched(const struct xml_reading *read, struct error *error)
{
	return error_set(error, ERROR_REJECT, "xml.each", "there is no %s in it: its outermost element is %s",
			 read->format->settings->each, read->root ? read->root : "?");
}

int xml_read(const struct xml_format *format, struct reader *bytes, struct out *out, const struct xml_events *events,
	     uint64_t *rest, struct error *error)
{
	struct xml_reading *read = mem_alloc(sizeof *read);
	int result;

	LIBXML_TEST_VERSION
	xmlSetGenericErrorFunc(NULL, silent);
	xmlSetExternalEntityLoader(nothing_loaded);
	read->format = format;
	read->events = events;
	read->max = out_tree_max(out);
	read->in_item = !format->each;
	read->arena = arena_new();
	read->names_arena = arena_new();
	buf_init(&read->text, read->max);
	window_begin(&read->window, bytes, out);
	result = parse(read, error);
	if (!result && !format->each) {
		hand_on(read);
		result = read->failed ? (*error = read->error, -1) : 0;
	} else if (!result && !read->item.number) {
		result = nothing_matched(read, error);
	}
	*rest = read->failed || !read->item.number   ? UINT64_MAX
		: read->in_item && read->item.length ? read->item.offset
						     : byte_of(read);
	end(read);
	return result;
}
