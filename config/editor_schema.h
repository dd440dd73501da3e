/* JSON Schema (2020-12) of the files of a site, made from the option tables, for editors: completion, hover, mistakes
 * while typing. It is as strict as a schema can be without refusing what `check` takes, and says less than `check`. */
#ifndef FERRULE_CONFIG_EDITOR_SCHEMA_H
#define FERRULE_CONFIG_EDITOR_SCHEMA_H

#include <jansson.h>

#include "config/registry.h"

struct editor_schema_kind {
	const char *name;  /* "flow" */
	const char *files; /* "flows/<any>.yaml", for people */
	const char *title;
};
extern const struct editor_schema_kind editor_schema_kinds[]; /* ends with name NULL */

/* A new reference; NULL: there is no such kind. */
json_t *editor_schema_new(const struct registry *, const char *kind);

#endif
