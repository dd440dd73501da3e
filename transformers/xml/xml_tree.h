/* Whole documents as libxml2's trees, for the steps that need one: XML Schema, XSLT, Schematron. */
#ifndef FERRULE_TRANSFORMERS_XML_TREE_H
#define FERRULE_TRANSFORMERS_XML_TREE_H

#include <libxml/tree.h>
#include <libxml/xmlerror.h>

#include "base/transformer.h"

#define XML_TREE_MAX (16u << 20) /* bytes of a document that becomes a tree; it takes some ten times as much */
#define XML_TOLD_MAX 20          /* faults of one document that are told */

/* The document of an item, or the text of a file of the site (url: what its parts are found by). Entities are refused,
 * nothing is fetched. NULL: REJECT `xml.…`, as decode says it. To be freed by xmlFreeDoc. */
xmlDoc *xml_tree_new(struct span text, const char *url, struct error *);
xmlDoc *xml_tree_of(const struct item *, struct error *);

/* ---- files of the site that schemas and stylesheets bring in */
struct xml_files {
	const struct transformer_context *context; /* or NULL: none */
	const char *folder;                        /* "schemas" */
};
/* While a schema or stylesheet is read or runs, libxml2 finds these files, and no others; NULL: none at all. libxml2
 * has one such hook for the process. */
void xml_files_use(const struct xml_files *);
/* The address of a file of the folder. To be freed. */
char *xml_files_url(const struct xml_files *, const char *name);
/* Is it an address of the kind that xml_files_url gives? */
bool xml_files_is_url(const char *url);

/* ---- what libxml2 says is wrong */
struct xml_faults {
	struct buf text; /* "line 3: …; line 7: …" */
	unsigned count;
	bool noted;  /* by xml_faults_note, last */
	bool places; /* begin each with its file and line */
};
void xml_faults_init(struct xml_faults *, bool places);
void xml_faults_free(struct xml_faults *);
/* What was noted; changed by the next. */
const char *xml_faults_text(struct xml_faults *, const char *otherwise);
void xml_faults_note(void *faults, xmlError *); /* a structured error function */
void xml_faults_print(void *faults, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
