/* libxml2's trees, copied node by node. See xml_nodes.h. */
#include "config.h"
#include "transformers/xml/xml_nodes.h"

#include "transformers/xml/xml_tree.h"

static struct span span_from(const xmlChar *text)
{
	return span_of((const char *)text);
}

static void add_attributes(struct xpath_tree *tree, const xmlNode *node)
{
	for (xmlAttr *attribute = node->properties; attribute; attribute = attribute->next) {
		xmlChar *value = xmlNodeListGetString(node->doc, attribute->children, 1);

		xpath_tree_attribute(tree, attribute->ns ? span_from(attribute->ns->href) : SPAN_NONE,
				     span_from(attribute->name),
				     attribute->ns ? span_from(attribute->ns->prefix) : SPAN_NONE, span_from(value));
		xmlFree(value);
	}
}

/* Not what is in it. */
static void add(struct xpath_tree *tree, const xmlNode *node)
{
	switch (node->type) {
	case XML_ELEMENT_NODE:
		xpath_tree_element(tree, node->ns ? span_from(node->ns->href) : SPAN_NONE, span_from(node->name),
				   node->ns ? span_from(node->ns->prefix) : SPAN_NONE,
				   (unsigned)xmlGetLineNo((xmlNode *)(uintptr_t)node));
		add_attributes(tree, node);
		break;
	case XML_TEXT_NODE:
	case XML_CDATA_SECTION_NODE:
		xpath_tree_text(tree, span_from(node->content));
		break;
	case XML_COMMENT_NODE:
		xpath_tree_comment(tree, span_from(node->content));
		break;
	case XML_PI_NODE:
		xpath_tree_instruction(tree, span_from(node->name), span_from(node->content));
		break;
	default:
		break;
	}
}

static struct xpath_tree *copy(xmlDoc *document)
{
	struct xpath_tree *tree = xpath_tree_new();
	const xmlNode *node = document->children;

	while (node) {
		add(tree, node);
		if (node->type == XML_ELEMENT_NODE && node->children) {
			node = node->children;
			continue;
		}
		while (node) {
			if (node->type == XML_ELEMENT_NODE)
				xpath_tree_end(tree);
			if (node->next) {
				node = node->next;
				break;
			}
			node = node->parent && node->parent->type == XML_ELEMENT_NODE ? node->parent : NULL;
		}
	}
	xpath_tree_done(tree);
	return tree;
}

static struct xpath_tree *take(xmlDoc *document)
{
	struct xpath_tree *tree = document ? copy(document) : NULL;

	xmlFreeDoc(document);
	return tree;
}

struct xpath_tree *xml_nodes_of(const struct item *item, struct error *error)
{
	return take(xml_tree_of(item, error));
}

struct xpath_tree *xml_nodes_of_file(struct span text, const char *name, struct error *error)
{
	xml_files_use(NULL);
	return take(xml_tree_new(text, name, error));
}
