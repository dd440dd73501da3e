/* XML as XPath's documents (transformers/xpath/xpath_tree.h). libxml2 reads it, as for the other steps that need a
 * whole document, with the same limits and refusals, and is gone when this returns. */
#ifndef FERRULE_TRANSFORMERS_XML_NODES_H
#define FERRULE_TRANSFORMERS_XML_NODES_H

#include "base/transformer.h"
#include "transformers/xpath/xpath_tree.h"

/* NULL: REJECT `xml.…`. To be freed by xpath_tree_free. */
struct xpath_tree *xml_nodes_of(const struct item *, struct error *);
/* A file of the site; `name` is how its faults are told. */
struct xpath_tree *xml_nodes_of_file(struct span text, const char *name, struct error *);

#endif
