/* JSON to XML 1.0. Keys become elements, in their order; '@x' an attribute x of the element; '#text' its text. An array
 * repeats its element; null is an empty element. The outermost element is named by the option root, or it is the
 * document's only key. */
#include "config.h"
#include "transformers/encode.h"

#include <stdio.h>

#include "base/tree.h"

struct spot { /* where in the tree, for errors */
	const struct spot *up;
	const char *name;
};

struct writer {
	struct buf *out;
	bool pretty;
	struct error *error;
};

static int refuse(const struct writer *writer, const struct spot *spot, const char *code, const char *what)
{
	char path[300] = "";
	size_t used = 0;

	for (; spot && used < sizeof path - 1; spot = spot->up) {
		char rest[sizeof path];

		snprintf(rest, sizeof rest, "%s", path);
		used = (size_t)snprintf(path, sizeof path, "/%.80s%.200s", spot->name, rest);
	}
	return error_set(writer->error, ERROR_REJECT, code, "%s: %s", path, what);
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
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '\r': return "&#13;";
	case '"': return attribute ? "&quot;" : NULL;
	case '\n': return attribute ? "&#10;" : NULL;
	case '\t': return attribute ? "&#9;" : NULL;
	default: return NULL;
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

static int write_attributes(const struct writer *writer, json_t *object, const struct spot *up, size_t *count)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		struct spot spot = {up, key};

		if (key[0] != '@')
			continue;
		if (!is_name(key + 1))
			return refuse(writer, &spot, "xml.name", "this is no name for an attribute");
		buf_printf(writer->out, " %s=\"", key + 1);
		if (write_scalar(writer, value, true, &spot))
			return -1;
		buf_char(writer->out, '"');
		++*count;
	}
	return 0;
}

static int write_named(const struct writer *, const char *name, const json_t *, const struct spot *up, int indent);

static int write_members(const struct writer *writer, json_t *object, const struct spot *up, int indent, bool mixed)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		struct spot spot = {up, key};

		if (key[0] == '@')
			continue;
		if (!strcmp(key, "#text") ? write_scalar(writer, value, false, &spot)
					  : write_named(writer, key, value, up, mixed ? -1 : indent))
			return -1;
	}
	return 0;
}

/* indent below 0: in mixed content, where white space would be text. */
static int write_element(const struct writer *writer, const char *name, json_t *value, const struct spot *up,
			 int indent)
{
	struct spot spot = {up, name};
	size_t attributes = 0, before = writer->out->len;
	bool mixed, elements;

	if (!is_name(name))
		return refuse(writer, &spot, "xml.name", "this is no name for an element");
	if (json_is_array(value))
		return refuse(writer, &spot, "xml.shape", "an array in an array has no form in XML");
	if (indent >= 0 && before)
		new_line(writer, indent);
	buf_printf(writer->out, "<%s", name);
	if (write_attributes(writer, value, &spot, &attributes))
		return -1;
	if (json_is_null(value) || (json_is_object(value) && json_object_size(value) == attributes)) {
		buf_text(writer->out, "/>");
		return 0;
	}
	mixed = indent < 0 || json_object_get(value, "#text");
	elements = json_is_object(value) && !mixed;
	buf_char(writer->out, '>');
	if (json_is_object(value) ? write_members(writer, value, &spot, indent + 1, mixed)
				  : write_scalar(writer, value, false, &spot))
		return -1;
	if (elements)
		new_line(writer, indent);
	buf_printf(writer->out, "</%s>", name);
	return 0;
}

static int write_named(const struct writer *writer, const char *name, const json_t *value, const struct spot *up,
		       int indent)
{
	if (!json_is_array(value))
		return write_element(writer, name, (json_t *)(uintptr_t)value, up, indent);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (write_element(writer, name, json_array_get(value, i), up, indent))
			return -1;
	return 0;
}

static int write_xml(const struct encode *encode, const struct expression_input *input, struct buf *out,
		     struct error *error)
{
	struct writer writer = {out, encode->settings->pretty, error};
	const char *root = encode->settings->root;
	json_t *tree = input->body;
	int failed;

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
	if (encode->settings->declaration)
		buf_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
	if (encode->settings->declaration && !encode->settings->pretty)
		buf_char(out, '\n');
	failed = write_element(&writer, root, tree, NULL, 0);
	buf_char(out, '\n');
	return failed;
}

const struct encode_format encode_xml = {.name = "xml", .media_type = "application/xml", .write = write_xml};
