/* Rules as they are kept, and the state of reading them. */
#ifndef FERRULE_TRANSFORMERS_SCHEMATRON_PRIVATE_H
#define FERRULE_TRANSFORMERS_SCHEMATRON_PRIVATE_H

#include "base/mem.h"
#include "transformers/schematron/schematron.h"
#include "transformers/xpath/xpath.h"

#define XSLT_URI "http://www.w3.org/1999/XSL/Transform"
#define SVRL_URI "http://purl.oclc.org/dsdl/svrl"

struct schematron_list {
	void **items;
	size_t count, capacity;
};
void schematron_list_add(struct schematron_list *, void *);

struct schematron_let {
	int slot;
	struct xpath_expr *value;
};

struct schematron_part { /* of a message */
	struct span text;
	struct xpath_expr *value; /* or NULL */
};

struct schematron_assertion {
	struct span id, flag, role;
	bool report;
	struct xpath_expr *test;
	struct schematron_list parts; /* struct schematron_part */
};

struct schematron_rule {
	struct xpath_expr *context;
	struct schematron_list lets, assertions;
};

struct schematron_pattern {
	struct span id;
	struct schematron_list rules;
};

struct schematron {
	struct xpath_program *program;
	struct arena *arena;
	struct schematron_list patterns; /* struct schematron_pattern */
	struct schematron_list lists;    /* those that are to be freed */
	struct schematron_list trees;    /* struct xpath_tree: what document() names */
	size_t functions, files;
};

/* ---- reading */
struct schematron_source {
	const char *file;
	struct xpath_tree *tree;
	bool kept; /* the rules look things up in it */
};

struct schematron_at { /* an element of one of the files */
	const struct schematron_source *source;
	uint32_t node;
};

struct schematron_param {
	struct span name, value;
};

struct schematron_params { /* of the abstract pattern that is being used */
	const struct schematron_param *items;
	size_t count;
};

struct schematron_reader {
	struct schematron *rules;
	const struct transformer_context *context;
	struct findings *findings;
	struct error *error;
	struct schematron_list sources;                                        /* struct schematron_source */
	struct schematron_list abstract_patterns, abstract_rules, diagnostics; /* struct schematron_at */
	struct schematron_params params;
	struct schematron_at at; /* whose expression is being read */
	size_t faults, parts;
	int including;
};

/* The elements in one, with those that are included in the place of sch:include. To be freed by nobody. */
struct schematron_at *schematron_children(struct schematron_reader *, struct schematron_at, size_t *count);
bool schematron_is(struct schematron_at, const char *local); /* of Schematron */
bool schematron_is_xslt(struct schematron_at, const char *local);
/* With parameters put in. data NULL: not there. */
struct span schematron_get(struct schematron_reader *, struct schematron_at, const char *attribute);
void schematron_fault(struct schematron_reader *, struct schematron_at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The expression of an attribute; a fault and NULL. what: "the test of BR-01". */
struct xpath_expr *schematron_expr(struct schematron_reader *, struct schematron_at, struct span text, bool pattern,
				   const char *what);
bool schematron_counts_part(struct schematron_reader *, struct schematron_at);
const struct schematron_at *schematron_find(const struct schematron_list *, struct span id);
/* A file that `at` names, relative to its own. NULL: with an error. */
struct schematron_source *schematron_load(struct schematron_reader *, struct schematron_at, struct span href,
					  struct error *);

void schematron_read_key(struct schematron_reader *, struct schematron_at);
void schematron_declare_function(struct schematron_reader *, struct schematron_at);
void schematron_read_function(struct schematron_reader *, struct schematron_at);
/* name and value of a variable; NULL after a fault. */
struct xpath_expr *schematron_variable(struct schematron_reader *, struct schematron_at, struct span *name);
struct schematron_pattern *schematron_add_pattern(struct schematron_reader *, struct span id);
void schematron_read_pattern(struct schematron_reader *, struct schematron_at);
/* Text and what is computed of a message. */
void schematron_read_message(struct schematron_reader *, struct schematron_at, struct schematron_assertion *);
void schematron_read_compiled(struct schematron_reader *, struct schematron_at root);

#endif
