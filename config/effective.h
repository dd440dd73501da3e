/* The configuration as it is in force: what the files say with variables replaced, the defaults beside it, and where
 * each value comes from. Written out and read again it means the same. */
#ifndef FERRULE_CONFIG_EFFECTIVE_H
#define FERRULE_CONFIG_EFFECTIVE_H

#include "config/site.h"

/* A new list, in the order of the files, of {file, document, origins}. `document` has every scalar as text. `origins`
 * maps JSON pointers (RFC 6901) of scalars into the document to {from, file, line, column, variable, where}: `from` is
 * file, environment (a file of environments/), variable (of this process), variable-default or default; file, line and
 * column are of the place in the site that says the value or asks for the variable; `where` is the place of an
 * environment's value, "environments/prod.yaml:3:14". Flows that do not run in this environment are left out, as are
 * contracts, mappings, tables and tests. defaults: without them only what is written.
 * What may be a secret is shown as ***: passwords in addresses, and values of variables whose name says so. */
json_t *effective_new(const struct site *, const struct registry *, bool defaults);

#endif
