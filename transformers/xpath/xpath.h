/* XPath 2.0 (W3C Recommendation, 14 December 2010) as rules need it: expressions are compiled with what they may refer
 * to, and evaluated over a document (xpath_tree.h). What of XPath is there, and what is not, says docs/formats.md;
 * what is not, compiling refuses. Nothing is typed ahead: a type that does not fit is an error when it is met.
 *
 * Limits: XPATH_TEXT_MAX bytes an expression, XPATH_DEPTH_MAX parts inside one another, XPATH_WORK_MAX steps and
 * XPATH_MEMORY_MAX bytes for a document; reached, they end in REJECT `xpath.work`. */
#ifndef FERRULE_TRANSFORMERS_XPATH_H
#define FERRULE_TRANSFORMERS_XPATH_H

#include "base/error.h"
#include "transformers/xpath/xpath_number.h"
#include "transformers/xpath/xpath_tree.h"

#define XPATH_TEXT_MAX (256u << 10)
#define XPATH_DEPTH_MAX 400
#define XPATH_WORK_MAX 200000000u
#define XPATH_MEMORY_MAX (512u << 20)
#define XPATH_SLOTS_MAX 200 /* variables at one place */

/* ---- values */
enum xpath_type {
	XPATH_ANY, /* of sequence types: item() */
	XPATH_NODE,
	XPATH_UNTYPED, /* xs:untypedAtomic: what a node gives */
	XPATH_STRING,
	XPATH_BOOLEAN,
	XPATH_INTEGER,
	XPATH_DECIMAL,
	XPATH_DOUBLE,
	XPATH_DATE,
	XPATH_DATETIME,
	XPATH_TIME,
};

struct xpath_item {
	enum xpath_type type;
	bool truth;
	bool zoned;   /* a date with a time zone */
	int16_t zone; /* minutes */
	uint32_t node;
	union {
		struct span text;             /* XPATH_UNTYPED, XPATH_STRING */
		double real;                  /* XPATH_DOUBLE */
		int64_t time;                 /* microseconds, UTC: of 1970, and of a day for XPATH_TIME */
		struct xpath_decimal decimal; /* XPATH_INTEGER, XPATH_DECIMAL */
	};
};

struct xpath_seq {
	struct xpath_item *items;
	size_t count;
};

/* ---- what expressions may refer to, and own in common */
struct xpath_program;
struct xpath_expr;

struct xpath_program *xpath_program_new(void);
void xpath_program_free(struct xpath_program *);
/* A prefix of the names in expressions. */
void xpath_namespace(struct xpath_program *, struct span prefix, struct span uri);
/* The names' default for elements is none; xs:, xsd: and fn: are known when nobody says otherwise. */
const struct span *xpath_uri_of(const struct xpath_program *, struct span prefix); /* NULL: not declared */

/* A variable of the whole document. They are told first, so that they may refer to one another in any order. -1: there
 * is one of that name. */
int xpath_global(struct xpath_program *, struct span name);
/* Later expressions find it only where there is no other variable of that name, which there may be then. */
void xpath_global_lend(struct xpath_program *, struct span name);
/* Variables of the place where an expression stands (rules, functions), the innermost last: the slot it is put in.
 * xpath_unbind takes the last n away again. -1: too many. */
int xpath_bind(struct xpath_program *, struct span name, struct error *);
void xpath_unbind(struct xpath_program *, size_t n);
size_t xpath_bound(const struct xpath_program *);

/* All of them return NULL or -1 with REJECT `xpath.syntax`: what is wrong and at which character. What they return
 * belongs to the program. */
struct xpath_expr *xpath_compile(struct xpath_program *, struct span text, struct error *);
/* A pattern (XSLT 2.0, 5.5), made an expression that gives all nodes of a document that match. */
struct xpath_expr *xpath_compile_pattern(struct xpath_program *, struct span text, struct error *);
int xpath_global_set(struct xpath_program *, struct span name, struct xpath_expr *);

/* xsl:key: what key('name', …) finds. */
int xpath_key(struct xpath_program *, struct span name, struct span match, struct span use, struct error *);

/* What document('…') gives, with a literal: a tree that stays the caller's, as long as the program. NULL: with an
 * error. Without one, document() is not known. */
typedef const struct xpath_tree *xpath_document_fn(void *arg, struct span href, struct error *);
void xpath_documents(struct xpath_program *, xpath_document_fn *, void *arg);
/* Before a run: these documents are joined to the one that is judged. */
void xpath_join(const struct xpath_program *, struct xpath_tree *);

/* A function of rules. Declared first, so that they may call each other; then its parameters are bound, its body
 * compiled, and both set. Types are texts like "xs:decimal?"; none: item()*. */
int xpath_function_declare(struct xpath_program *, struct span name, size_t parameters, struct error *);
int xpath_function_parameter(struct xpath_program *, struct span name, size_t arity, size_t at, struct span type,
			     struct error *);
int xpath_function_body(struct xpath_program *, struct span name, size_t arity, struct xpath_expr *, struct span type,
			struct error *);
/* Bodies that are more than one expression. A variable: bound before `body` was compiled. */
struct xpath_expr *xpath_make_let(struct xpath_program *, int slot, struct xpath_expr *value, struct xpath_expr *body);
struct xpath_expr *xpath_make_if(struct xpath_program *, struct xpath_expr *test, struct xpath_expr *yes,
				 struct xpath_expr *no); /* no: or NULL, for () */
struct xpath_expr *xpath_make_sequence(struct xpath_program *, struct xpath_expr **, size_t);
struct xpath_expr *xpath_make_text(struct xpath_program *, struct xpath_expr *value); /* of xsl:value-of: one text */
struct xpath_expr *xpath_make_literal(struct xpath_program *, struct span text);
/* As a type says, as a variable or function with `as` has it. */
struct xpath_expr *xpath_make_typed(struct xpath_program *, struct xpath_expr *, struct span type, struct error *);

/* ---- one document */
struct xpath_run;
struct xpath_run *xpath_run_new(const struct xpath_program *, const struct xpath_tree *, int64_t now_ms);
void xpath_run_free(struct xpath_run *);
/* Forgets what was made since the last call, but variables of the document. Slots must be set again. */
void xpath_run_reset(struct xpath_run *);
/* Each with a node as the context. A text lives until the next call, what is in a slot until xpath_run_reset. -1:
 * REJECT `xpath.value` (the expression cannot be evaluated for this document) or `xpath.work`. */
int xpath_run_test(struct xpath_run *, const struct xpath_expr *, uint32_t node, bool *, struct error *);
int xpath_run_text(struct xpath_run *, const struct xpath_expr *, uint32_t node, struct span *, struct error *);
int xpath_run_slot(struct xpath_run *, int slot, const struct xpath_expr *, uint32_t node, struct error *);
/* Of a pattern, in document order; to be freed. Where a predicate of it has no value for a node, the node does not
 * match (XSLT 2.0, 5.5.4): *skipped is the first such error, or has the class ERROR_NONE. */
int xpath_run_nodes(struct xpath_run *, const struct xpath_expr *, uint32_t **nodes, size_t *count,
		    struct error *skipped, struct error *);

#endif
