/* Stylesheets of the site (XSLT 1.0): what the steps xslt and schematron share. libxslt is behind it. */
#ifndef FERRULE_TRANSFORMERS_XML_XSLT_H
#define FERRULE_TRANSFORMERS_XML_XSLT_H

#include "transformers/xml/xml_tree.h"

#define XSLT_OUTPUT_MAX (64u << 20)

struct xml_stylesheet;

/* A file of mappings/, with what it imports and includes. NULL: REJECT `xslt.stylesheet`. */
struct xml_stylesheet *xml_stylesheet_new(const char *name, const struct transformer_context *, struct error *);
void xml_stylesheet_free(struct xml_stylesheet *);
/* parameters: names and XPath expressions in turn, ended by NULL; or NULL. NULL: REJECT `xslt.…`. To be freed by
 * xmlFreeDoc. */
xmlDoc *xml_stylesheet_apply(const struct xml_stylesheet *, xmlDoc *, const char **parameters, struct error *);
/* The result as the stylesheet's xsl:output says. -1: REJECT `xslt.too-large`, or RETRY. */
int xml_stylesheet_write(const struct xml_stylesheet *, xmlDoc *result, struct buf *, struct error *);
const char *xml_stylesheet_media_type(const struct xml_stylesheet *);

#endif
