/* JSON to XML 1.0, from both forms that decode gives. Plain: keys become elements, in their order; '@x' an attribute x
 * of the element; '#text' its text. An array repeats its element; null is an empty element; '#order' says how
 * elements and texts follow one another where the keys do not. The outermost element is named by the option root, or it
 * is the document's only key. Exact: '#document', a list of what the document consists of. */
#include "config.h"
#include "transformers/encode.h"

#include <stdio.h>
#include <strings.h>

#include "base/tree.h"

struct spot { /* where in the tree, for errors */
	const struct spot *up;
	const char *name;
};

struct scope { /* the elements that are open, for their namespaces */
	const struct scope *up;
	json_t *attributes;
	const char *mark; /* "@" where the attributes stand among others */
};

struct writer {
	struct buf *out;
	bool pretty;
	const struct scope *scope;
	struct error *error;
	int depth;
};

#define DEPTH_MAX 250

static int refuse(const struct writer *writer, const struct spot *spot, const char *code, const char *what)
{
	char path[300] = "";
	size_t used = 0;

	for (; spot && used < sizeof path - 1; spot = spot->up) {
		char rest[sizeof path];

		snprintf(rest, sizeof rest, "%s", path);
		used = (size_t)snprintf(path, sizeof path, "/%.80s%.200s", spot->name, rest);
	}
	return error_set(writer->error, ERROR_REJECT, code, "%s: %s", *path ? path : "the document", what);
}

/* Name of XML 1.0, its ASCII part checked, what lies beyond taken as it is. */
static bool is_name(const char *name)
{
	for (const char *p = name; *p; p++) {
		bool letter =
			(*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' || (unsigned char)*p >= 0x80;

		if (!letter && (p == name || !((*p >= '0' && *p <= '9') || *p == '-' || *p == '.' || *p == ':')))
			return false;
	}
	return *name && name[strlen(name) - 1] != ':';
}

static const char *escape_of(unsigned char c, bool attribute)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\r':
		return "&#13;";
	case '"':
		return attribute ? "&quot;" : NULL;
	case '\n':
		return attribute ? "&#10;" : NULL;
	case '\t':
		return attribute ? "&#9;" : NULL;
	default:
		return NULL;
	}
}

static int write_text(const struct writer *writer, struct span text, bool attribute, const struct spot *spot)
{
	size_t from = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		const char *escape = escape_of(c, attribute);

		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return refuse(writer, spot, "xml.character",
				      "the text has a control character, which XML 1.0 cannot carry");
		if (c == 0xef && i + 2 < text.len && (unsigned char)text.data[i + 1] == 0xbf &&
		    (unsigned char)text.data[i + 2] >= 0xbe)
			return refuse(writer, spot, "xml.character",
				      "the text has U+FFFE or U+FFFF, which XML 1.0 cannot carry");
		if (!escape)
			continue;
		buf_append(writer->out, text.data + from, i - from);
		buf_text(writer->out, escape);
		from = i + 1;
	}
	if (text.len)
		buf_append(writer->out, text.data + from, text.len - from);
	return 0;
}

static int write_scalar(const struct writer *writer, const json_t *value, bool attribute, const struct spot *spot)
{
	if (json_is_string(value))
		return write_text(writer, span_make(json_string_value(value), json_string_length(value)), attribute,
				  spot);
	if (json_is_object(value) || json_is_array(value))
		return refuse(writer, spot, "xml.shape", "an attribute or #text must be a plain value");
	if (!json_is_null(value))
		tree_write(writer->out, value, 0);
	return 0;
}

static void new_line(const struct writer *writer, int indent)
{
	if (!writer->pretty)
		return;
	buf_char(writer->out, '\n');
	for (int i = 0; i < indent; i++)
		buf_text(writer->out, "  ");
}

/* ---- names and attributes */
static bool is_declared(const struct scope *scope, const char *prefix, size_t len)
{
	char key[200];

	for (; scope; scope = scope->up) {
		snprintf(key, sizeof key, "%sxmlns:%.*s", scope->mark, (int)len, prefix);
		if (json_object_get(scope->attributes, key))
			return true;
	}
	return false;
}

static int check_name(const struct writer *writer, const char *name, const struct spot *spot, const char *of)
{
	const char *colon = strchr(name, ':');
	size_t len = colon ? (size_t)(colon - name) : 0;
	char text[64];

	snprintf(text, sizeof text, "this is no name for an %s", of);
	if (!is_name(name) || (colon && (!len || strchr(colon + 1, ':') || (colon[1] >= '0' && colon[1] <= '9') ||
					 colon[1] == '-' || colon[1] == '.')))
		return refuse(writer, spot, "xml.name", text);
	if (!colon || !strncmp(name, "xmlns:", 6) || !strncmp(name, "xml:", 4) || len > 150 ||
	    is_declared(writer->scope, name, len))
		return 0;
	return refuse(writer, spot, "xml.namespace",
		      "nothing says what its prefix means: declare it, as in \"@xmlns:x\": \"urn:…\"");
}

/* mark: the keys of attributes begin with it, others are none. */
static int write_attributes(const struct writer *writer, json_t *object, const char *mark, const struct spot *up,
			    size_t *count)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		struct spot spot = {up, key};

		if (*mark && key[0] != *mark)
			continue;
		if (check_name(writer, key + strlen(mark), &spot, "attribute"))
			return -1;
		buf_printf(writer->out, " %s=\"", key + strlen(mark));
		if (write_scalar(writer, value, true, &spot))
			return -1;
		buf_char(writer->out, '"');
		++*count;
	}
	return 0;
}

/* ---- the plain form */
static int write_named(struct writer *, const char *name, const json_t *, const struct spot *up, int indent);
static int write_element(struct writer *, const char *name, json_t *value, const struct spot *up, int indent);

/* The order speaks of every element and text once. */
static bool is_order(json_t *order, json_t *object)
{
	size_t members = 0, i;
	const char *key;
	json_t *value, *seen;
	bool fits = json_is_array(order);

	if (!fits)
		return false;
	json_object_foreach(object, key, value)
		if (key[0] != '@' && strcmp(key, "#order") != 0)
			members += json_is_array(value) ? json_array_size(value) : 1;
	if (members != json_array_size(order))
		return false;
	seen = json_object();
	json_array_foreach(order, i, value) {
		const char *name = json_string_value(value);
		json_t *member = name ? json_object_get(object, name) : NULL;
		json_int_t count = name ? json_integer_value(json_object_get(seen, name)) + 1 : 0;

		fits = fits && member && name[0] != '@' && strcmp(name, "#order") != 0 &&
		       count <= (json_int_t)(json_is_array(member) ? json_array_size(member) : 1);
		if (!fits)
			break;
		json_object_set_new_nocheck(seen, name, json_integer(count));
	}
	json_decref(seen);
	return fits;
}

static int write_ordered(struct writer *writer, json_t *object, json_t *order, const struct spot *up, int indent)
{
	json_t *next = json_object(), *name;
	int failed = 0;
	size_t i;

	json_array_foreach(order, i, name) {
		const char *key = json_string_value(name);
		json_t *member = json_object_get(object, key);
		size_t at = (size_t)json_integer_value(json_object_get(next, key));
		json_t *value = json_is_array(member) ? json_array_get(member, at) : member;
		struct spot spot = {up, key};

		failed = strcmp(key, "#text") ? write_element(writer, key, value, up, indent)
					      : write_scalar(writer, value, false, &spot);
		if (failed)
			break;
		json_object_set_new_nocheck(next, key, json_integer((json_int_t)at + 1));
	}
	json_decref(next);
	return failed;
}

/* Several texts, whose order among the elements is not known. */
static int write_texts(const struct writer *writer, const json_t *value, const struct spot *spot)
{
	if (!json_is_array(value))
		return write_scalar(writer, value, false, spot);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (write_scalar(writer, json_array_get(value, i), false, spot))
			return -1;
	return 0;
}

static int write_members(struct writer *writer, json_t *object, const struct spot *up, int indent, bool mixed)
{
	json_t *order = json_object_get(object, "#order");
	const char *key;
	json_t *value;

	if (order && is_order(order, object))
		return write_ordered(writer, object, order, up, mixed ? -1 : indent);
	json_object_foreach(object, key, value) {
		struct spot spot = {up, key};

		if (key[0] == '@' || value == order)
			continue;
		if (!strcmp(key, "#text") ? write_texts(writer, value, &spot)
					  : write_named(writer, key, value, up, mixed ? -1 : indent))
			return -1;
	}
	return 0;
}

static bool keeps_space(const json_t *element)
{
	const char *space = json_string_value(json_object_get(element, "@xml:space"));

	return space && !strcmp(space, "preserve");
}

static int write_content(struct writer *writer, const char *name, json_t *value, size_t attributes,
			 const struct spot *spot, int indent)
{
	bool mixed, elements;

	if (json_is_null(value) || (json_is_object(value) && json_object_size(value) == attributes)) {
		buf_text(writer->out, "/>");
		return 0;
	}
	mixed = indent < 0 || json_object_get(value, "#text") || keeps_space(value);
	elements = json_is_object(value) && !mixed;
	buf_char(writer->out, '>');
	if (json_is_object(value) ? write_members(writer, value, spot, indent + 1, mixed)
				  : write_scalar(writer, value, false, spot))
		return -1;
	if (elements)
		new_line(writer, indent);
	buf_printf(writer->out, "</%s>", name);
	return 0;
}

/* indent below 0: in mixed content, where white space would be text. */
static int write_element(struct writer *writer, const char *name, json_t *value, const struct spot *up, int indent)
{
	struct spot spot = {up, name};
	struct scope scope = {writer->scope, json_is_object(value) ? value : NULL, "@"};
	size_t attributes = 0;
	int failed;

	if (writer->depth == DEPTH_MAX)
		return refuse(writer, &spot, "xml.depth", "elements are nested more than 250 deep");
	if (json_is_array(value))
		return refuse(writer, &spot, "xml.shape", "an array in an array has no form in XML");
	writer->scope = &scope;
	writer->depth++;
	failed = check_name(writer, name, &spot, "element");
	if (!failed && indent >= 0 && writer->depth > 1)
		new_line(writer, indent);
	if (!failed) {
		buf_char(writer->out, '<');
		buf_text(writer->out, name);
		failed = write_attributes(writer, scope.attributes, "@", &spot, &attributes) ||
			 write_content(writer, name, value, attributes, &spot, indent);
	}
	writer->scope = scope.up;
	writer->depth--;
	return failed ? -1 : 0;
}

static int write_named(struct writer *writer, const char *name, const json_t *value, const struct spot *up, int indent)
{
	if (!json_is_array(value))
		return write_element(writer, name, (json_t *)(uintptr_t)value, up, indent);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (write_element(writer, name, json_array_get(value, i), up, indent))
			return -1;
	return 0;
}

/* ---- the exact form */
static int write_list(struct writer *, json_t *list, const struct spot *up);

static int write_exact_element(struct writer *writer, json_t *value, const struct spot *up)
{
	const char *name = json_string_value(json_object_get(value, "name"));
	json_t *attributes = json_object_get(value, "attributes"), *children = json_object_get(value, "children");
	struct scope scope = {writer->scope, attributes, ""};
	struct spot spot = {up, name};
	size_t count = 0;
	int failed;

	if (writer->depth == DEPTH_MAX)
		return refuse(writer, &spot, "xml.depth", "elements are nested more than 250 deep");
	writer->scope = &scope;
	writer->depth++;
	failed = check_name(writer, name, &spot, "element");
	if (!failed) {
		buf_char(writer->out, '<');
		buf_text(writer->out, name);
		failed = write_attributes(writer, attributes, "", &spot, &count);
	}
	if (!failed && json_array_size(children)) {
		buf_char(writer->out, '>');
		failed = write_list(writer, children, &spot);
		buf_printf(writer->out, "</%s>", name);
	} else if (!failed) {
		buf_text(writer->out, "/>");
	}
	writer->scope = scope.up;
	writer->depth--;
	return failed ? -1 : 0;
}

static int write_comment(struct writer *writer, const char *text, const struct spot *spot)
{
	size_t n = strlen(text);

	if (strstr(text, "--") || (n && text[n - 1] == '-'))
		return refuse(writer, spot, "xml.comment", "a comment cannot have -- in it, nor end in -");
	buf_printf(writer->out, "<!--%s-->", text);
	return 0;
}

static int write_instruction(struct writer *writer, const char *target, const char *data, const struct spot *spot)
{
	if (!is_name(target) || strchr(target, ':') || !strcasecmp(target, "xml") || (data && strstr(data, "?>")))
		return refuse(writer, spot, "xml.instruction",
			      "a processing instruction has a name that is not xml, and no ?> in its data");
	buf_printf(writer->out, data ? "<?%s %s?>" : "<?%s?>", target, data);
	return 0;
}

static int write_identifier(struct writer *writer, const char *text, const struct spot *spot)
{
	char quote = text && strchr(text, '"') ? '\'' : '"';

	if (text && strchr(text, quote))
		return refuse(writer, spot, "xml.doctype", "an identifier cannot have both kinds of quotes");
	buf_char(writer->out, ' ');
	buf_char(writer->out, quote);
	buf_text(writer->out, text ? text : "");
	buf_char(writer->out, quote);
	return 0;
}

static int write_doctype(struct writer *writer, const char *name, json_t *value, const struct spot *spot)
{
	const char *public_id = json_string_value(json_object_get(value, "public")),
		   *system_id = json_string_value(json_object_get(value, "system"));
	int failed = 0;

	if (!is_name(name))
		return refuse(writer, spot, "xml.name", "this is no name for a document type");
	buf_printf(writer->out, "<!DOCTYPE %s", name);
	if (public_id) {
		buf_text(writer->out, " PUBLIC");
		failed = write_identifier(writer, public_id, spot);
	} else if (system_id) {
		buf_text(writer->out, " SYSTEM");
	}
	if (!failed && (public_id || system_id))
		failed = write_identifier(writer, system_id, spot);
	buf_char(writer->out, '>');
	return failed;
}

static int write_exact(struct writer *writer, json_t *value, const struct spot *up)
{
	const char *comment = json_string_value(json_object_get(value, "comment")),
		   *target = json_string_value(json_object_get(value, "instruction")),
		   *doctype = json_string_value(json_object_get(value, "doctype")),
		   *data = json_string_value(json_object_get(value, "data"));
	struct spot spot = {up, comment ? "comment" : target ? "instruction" : "doctype"};
	int failed;

	if (json_is_string(value) || json_is_number(value))
		return up ? write_scalar(writer, value, false, up)
			  : refuse(writer, up, "xml.shape", "there is no text beside the outermost element");
	if (json_is_string(json_object_get(value, "name")))
		return write_exact_element(writer, value, up);
	if (!comment && !target && !doctype)
		return refuse(writer, up, "xml.shape",
			      "what is in a list is a text, or an object with name, comment, instruction or doctype");
	for (const char *p = comment ? comment : data; p && *p; p++)
		if ((unsigned char)*p < 0x20 && *p != '\t' && *p != '\n')
			return refuse(writer, &spot, "xml.character",
				      "the text has a control character that cannot stand there");
	failed = comment  ? write_comment(writer, comment, &spot)
		 : target ? write_instruction(writer, target, data, &spot)
			  : write_doctype(writer, doctype, value, &spot);
	if (!up)
		buf_char(writer->out, '\n');
	return failed;
}

static int write_list(struct writer *writer, json_t *list, const struct spot *up)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (write_exact(writer, json_array_get(list, i), up))
			return -1;
	return 0;
}

static int write_document(struct writer *writer, json_t *document)
{
	size_t elements = 0;

	for (size_t i = 0; i < json_array_size(document); i++)
		elements += json_is_string(json_object_get(json_array_get(document, i), "name"));
	if (elements != 1)
		return error_set(writer->error, ERROR_REJECT, "xml.root",
				 "a document has one outermost element: `#document` has %zu", elements);
	return write_list(writer, document, NULL);
}

/* ---- both */
static void write_declaration(const struct encode *encode, struct buf *out)
{
	if (encode->settings->declaration)
		buf_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
}

static int write_xml(const struct encode *encode, const struct expression_input *input, struct buf *out,
		     struct error *error)
{
	struct writer writer = {.out = out, .pretty = encode->settings->pretty, .error = error};
	const char *root = encode->settings->root;
	json_t *tree = input->body, *document = json_object_get(tree, "#document");
	int failed;

	write_declaration(encode, out);
	if (document) {
		failed = write_document(&writer, document);
		if (!failed && out->len && out->data[out->len - 1] != '\n')
			buf_char(out, '\n');
		return failed;
	}
	if (!root) {
		if (!json_is_object(tree) || json_object_size(tree) != 1)
			return error_set(
				error, ERROR_REJECT, "xml.root",
				"the document has no single key to be the outermost element: name it with `root`");
		root = json_object_iter_key(json_object_iter(tree));
		tree = json_object_get(tree, root);
	}
	if (json_is_array(tree))
		return error_set(error, ERROR_REJECT, "xml.root",
				 "an array cannot be the outermost element: map it to an object");
	if (encode->settings->doctype && is_name(root)) {
		buf_printf(out, "<!DOCTYPE %s SYSTEM", root);
		if (write_identifier(&writer, encode->settings->doctype, NULL))
			return -1;
		buf_text(out, ">\n");
	}
	failed = write_element(&writer, root, tree, NULL, 0);
	buf_char(out, '\n');
	return failed;
}

const struct encode_format encode_xml = {.name = "xml", .media_type = "application/xml", .write = write_xml};
