/* Contracts as the verbs find them: a schema file, the site's own, or one that ships. */
#ifndef FERRULE_CLI_CONTRACT_H
#define FERRULE_CLI_CONTRACT_H

#include <jansson.h>

#include "cli/verb.h"

/* Finds and keeps what it found. */
struct contracts {
	const char *site; /* directory */
	char shipped[4096];
	json_t *loaded; /* path → schema */
};

void contracts_init(struct contracts *, const struct arguments *);
void contracts_free(struct contracts *);
/* Where it lies, for the caller to free; NULL as below. */
char *contracts_path_new(struct contracts *, const char *name, struct error *);
/* "order/v1" or a file; borrowed. NULL: REJECT `contract.unknown` or `contract.json`. */
const json_t *contracts_get(struct contracts *, const char *name, struct error *);
/* As compatibility_options.find: by name or by $id. */
const json_t *contracts_find(void *contracts, const char *reference);
/* Every name, sorted: a new array of {name, title, from, keys, …}. */
json_t *contracts_list_new(struct contracts *);

/* A contract's fields, one after the other: an array of {field, title, description, type, required, personal,
 * example}. */
json_t *contract_fields_new(struct contracts *, const json_t *schema);

#endif
