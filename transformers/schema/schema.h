/* JSON Schema, draft 2020-12 (https://json-schema.org/draft/2020-12): a schema is compiled once (references resolved,
 * patterns compiled) and then held against any number of documents. No I/O: documents that a schema refers to come from
 * the caller; the metaschemas of 2020-12 are built in.
 *
 * Every keyword of the vocabularies core, applicator, unevaluated, validation, format-annotation, format-assertion and
 * content (annotations only); `definitions` and `dependencies` of earlier drafts. Patterns are ECMA 262's
 * (schema_pattern.h). Numbers are what jansson holds: 64-bit integers and doubles; 1.0 is an integer, and `multipleOf`
 * reckons with the decimals that were written, so that 19.99 is a multiple of 0.01.
 *
 * Limits: SCHEMA_RULES_MAX subschemas, SCHEMA_DOCUMENTS_MAX documents, SCHEMA_DEPTH_MAX subschemas inside each other
 * while compiling or checking, SCHEMA_WORK_MAX subschemas looked at for one document, and those of patterns. */
#ifndef FERRULE_TRANSFORMERS_SCHEMA_H
#define FERRULE_TRANSFORMERS_SCHEMA_H

#include <jansson.h>

#include "base/error.h"
#include "base/span.h"

#define SCHEMA_RULES_MAX 200000
#define SCHEMA_DOCUMENTS_MAX 500
#define SCHEMA_DEPTH_MAX 2048
#define SCHEMA_WORK_MAX 20000000
#define SCHEMA_FAULTS_MAX 10

struct schema;

struct schema_options {
	/* Assert `format`; false: it is an annotation, as the standard's own metaschema has it. A metaschema with the
	 * vocabulary format-assertion asserts it in either case. */
	bool formats;
	/* The contract's name, "order/v1", or the address that the schema came from; NULL: it has none but its $id. */
	const char *name;
	/* A document by the address of a reference, without its fragment: a contract's name ("address/v1"), an absolute
	 * URI (an $id), or what was written, if there is nothing that it could be relative to. Borrowed; it must live
	 * as long as the schema. NULL: not there. The function may be NULL. */
	const json_t *(*document)(void *arg, const char *address);
	void *arg;
	size_t work_max; /* 0: SCHEMA_WORK_MAX */
};

struct schema_fault {
	char *instance; /* where in the document: a JSON pointer (RFC 6901), "" for all of it */
	char *schema; /* the keyword's place: "#/properties/lines/items/type", with the address where it is another's */
	const char *keyword;
	char *message; /* for people, to follow the pointer: `must be a number, is the text "five"` */
};

struct schema_faults {
	struct schema_fault list[SCHEMA_FAULTS_MAX];
	size_t count;
	bool more; /* there were others */
};

/* Borrows the tree. Options NULL: formats off, no documents. NULL: REJECT `schema.invalid` (a reference that leads
 * nowhere, a pattern that does not compile, a keyword with a value that it cannot have, limits). */
struct schema *schema_new(const json_t *root, const struct schema_options *, struct error *);
void schema_free(struct schema *); /* NULL is legal */
/* REJECT `schema.fault` with up to ten faults, each a JSON pointer and what is wrong, as far as the text has room; the
 * first one's pointer is the error's place. */
int schema_check(const struct schema *, const json_t *document, struct error *);
/* The same, every fault by itself. 0, or -1 with faults to be freed. */
int schema_check_all(const struct schema *, const json_t *document, struct schema_faults *);
void schema_faults_free(struct schema_faults *);
/* A new list of {instance, schema, keyword, message}. */
json_t *schema_faults_json_new(const struct schema_faults *);

/* Is it a schema? What compiling and its metaschema have against it; `instance` points into the schema. doubts (may be
 * NULL): what is no mistake but hardly meant, a format that nobody knows. 0, or -1 when there are faults; both are to
 * be freed. */
int schema_inspect(const json_t *root, const struct schema_options *, struct schema_faults *,
		   struct schema_faults *doubts);
/* The same as the registry offers it to `check` (config/registry.h). */
void schema_each_fault(const json_t *root, const char *name, const json_t *(*document)(void *arg, const char *address),
		       void *arg, void (*each)(void *each_arg, bool mistake, const char *pointer, const char *message),
		       void *each_arg);

#endif
