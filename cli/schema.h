/* The editors' schemas of a site: `ferrule schema --write`, and `ferrule init`. */
#ifndef FERRULE_CLI_SCHEMA_H
#define FERRULE_CLI_SCHEMA_H

#include "cli/verb.h"

/* Writes .ferrule/KIND.schema.json below the site for every kind; the paths as a new reference. NULL: `schema.file`. */
json_t *schema_write_new(const char *site, struct error *);

#endif
