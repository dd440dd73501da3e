/* What the parts of XPath share: parsed expressions, and the state of one evaluation. */
#ifndef FERRULE_TRANSFORMERS_XPATH_PRIVATE_H
#define FERRULE_TRANSFORMERS_XPATH_PRIVATE_H

#include "base/mem.h"
#include "transformers/xpath/xpath.h"

#define XPATH_FN "http://www.w3.org/2005/xpath-functions"
#define XPATH_XS "http://www.w3.org/2001/XMLSchema"

enum xpath_op {
	XPATH_OP_LITERAL,
	XPATH_OP_LOCAL,  /* a variable in a slot */
	XPATH_OP_GLOBAL, /* a variable of the document */
	XPATH_OP_CONTEXT,
	XPATH_OP_ROOT,
	XPATH_OP_DOCUMENT, /* document('…'): `sub` is its place among those of the program */
	XPATH_OP_SEQUENCE,
	XPATH_OP_IF,
	XPATH_OP_FOR,
	XPATH_OP_SOME,
	XPATH_OP_EVERY,
	XPATH_OP_LET,
	XPATH_OP_OR,
	XPATH_OP_AND,
	XPATH_OP_GENERAL, /* = != < <= > >= */
	XPATH_OP_SINGLE,  /* eq ne lt le gt ge */
	XPATH_OP_NODES,   /* is << >> */
	XPATH_OP_RANGE,
	XPATH_OP_ARITHMETIC,
	XPATH_OP_NEGATE,
	XPATH_OP_UNION,
	XPATH_OP_INTERSECT,
	XPATH_OP_EXCEPT,
	XPATH_OP_INSTANCE,
	XPATH_OP_TREAT,
	XPATH_OP_CASTABLE,
	XPATH_OP_CAST,
	XPATH_OP_CONVERT, /* as an argument is to a parameter's type */
	XPATH_OP_TEXT,
	XPATH_OP_PATH,
	XPATH_OP_STEP,
	XPATH_OP_FILTER,
	XPATH_OP_CALL,
	XPATH_OP_USER,
};

enum xpath_comparison { XPATH_EQ, XPATH_NE, XPATH_LT, XPATH_LE, XPATH_GT, XPATH_GE };

enum xpath_axis {
	XPATH_CHILD,
	XPATH_DESCENDANT,
	XPATH_ATTRIBUTES,
	XPATH_SELF,
	XPATH_DESCENDANT_OR_SELF,
	XPATH_FOLLOWING_SIBLING,
	XPATH_FOLLOWING,
	XPATH_DESCENDANT_ATTRIBUTES, /* of no expression: those of all elements in it, for //@name */
	XPATH_PARENT,
	XPATH_ANCESTOR, /* from here on in reverse order */
	XPATH_PRECEDING_SIBLING,
	XPATH_PRECEDING,
	XPATH_ANCESTOR_OR_SELF,
};

struct xpath_test {
	int kind; /* enum xpath_kind; -1: of the axis's own kind; -2: any node */
	bool any_uri, any_local;
	struct span uri, local;
	int number; /* among the names of the program, when both are given; else -1 */
};

struct xpath_seqtype {
	enum xpath_type type;
	struct xpath_test test; /* XPATH_NODE */
	char times;             /* '1', '?', '*', '+', '0' for empty-sequence() */
};

struct xpath_expr {
	enum xpath_op op;
	enum xpath_axis axis;
	int sub; /* enum xpath_comparison; '+' '-' '*' '/' 'i' 'm'; the slot or number of a variable */
	int depth;
	int cache;     /* the place of its value, which depends on the document alone; or -1 */
	bool focus;    /* depends on the context */
	bool local;    /* depends on variables in slots, or on the rule's node */
	bool position; /* asks for position() or last(), outside of predicates of its own */
	size_t count;
	struct xpath_expr **kids;
	struct xpath_item literal;
	struct xpath_test test;
	struct xpath_seqtype type;
	const struct xpath_builtin *builtin;
	struct xpath_function *function;
	struct pattern *pattern; /* a regular expression that is a literal */
};

struct xpath_function {
	struct span uri, local;
	size_t arity;
	struct xpath_seqtype *types;
	struct xpath_seqtype result;
	struct xpath_expr *body;
	size_t slots;
};

struct xpath_pair {
	struct span name, value;
};

struct xpath_program {
	struct arena *arena;
	struct xpath_pair *namespaces;
	size_t namespaces_count, namespaces_capacity;
	struct xpath_global {
		struct span name;
		struct xpath_expr *value;
		bool lent; /* of a part that has ended: found where no other has the name */
	} * globals;
	size_t globals_count, globals_capacity;
	struct xpath_function **functions;
	size_t functions_count, functions_capacity;
	struct span bound[XPATH_SLOTS_MAX];
	size_t bound_count;
	struct xpath_pair *names; /* of name tests: local, uri */
	size_t names_count, names_capacity;
	struct xpath_key {
		struct span name;
		struct xpath_expr *match, *use;
	} * keys;
	size_t keys_count, keys_capacity;
	struct pattern **patterns;
	size_t patterns_count, patterns_capacity;
	const struct xpath_tree **documents;
	size_t documents_count, documents_capacity;
	xpath_document_fn *document;
	void *document_arg;
	size_t caches;
};

/* ---- evaluating */
struct xpath_focus {
	struct xpath_item item;
	bool none; /* there is no context item */
	size_t position, size;
};

struct xpath_run {
	const struct xpath_program *program;
	const struct xpath_tree *tree;
	uint32_t *names; /* those of the program among those of the tree; 0: none */
	/* the one in use: of one evaluation, of variables in slots, of what depends on the document alone */
	struct arena *arena, *scratch, *kept, *lasting;
	struct xpath_value {
		enum { XPATH_UNKNOWN, XPATH_MAKING, XPATH_KNOWN } state;
		struct xpath_seq value;
	} * globals, *caches;
	struct xpath_seq slots_first[XPATH_SLOTS_MAX], *slots;
	uint32_t current; /* the rule's node */
	int64_t now_ms;
	size_t work;
	int depth;
	bool lenient;            /* a predicate of a pattern that ends in an error does not match (XSLT 2.0, 5.5.4) */
	struct error *skipped;   /* the first such error; or NULL */
	struct pattern *pattern; /* the last one that was made on the way, and of what */
	struct span pattern_text, pattern_flags;
	struct error *error;
};

int xpath_eval(struct xpath_run *, const struct xpath_expr *, const struct xpath_focus *, struct xpath_seq *);
int xpath_test(struct xpath_run *, const struct xpath_expr *, const struct xpath_focus *, bool *);
int xpath_step(struct xpath_run *, const struct xpath_expr *, const struct xpath_focus *, struct xpath_seq *);
int xpath_predicates(struct xpath_run *, const struct xpath_expr *, size_t first, struct xpath_seq *);
bool xpath_matches(const struct xpath_run *, const struct xpath_test *, enum xpath_axis, uint32_t node);
/* Counts work; -1 when there was too much. */
int xpath_tick(struct xpath_run *, size_t steps);
/* REJECT `xpath.value`; -1. */
int xpath_fault(struct xpath_run *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- operators */
typedef int xpath_eval_fn(struct xpath_run *, const struct xpath_expr *, const struct xpath_focus *,
			  struct xpath_seq *);
xpath_eval_fn xpath_eval_arithmetic, xpath_eval_negate, xpath_eval_single, xpath_eval_nodes, xpath_eval_range;
int xpath_nodes_only(struct xpath_run *, const struct xpath_seq *, const char *what);
int xpath_by_order(const void *a, const void *b); /* of two items that are nodes */

/* ---- values */
struct xpath_item *xpath_items(struct xpath_run *, size_t count);
struct xpath_seq xpath_one(struct xpath_run *, struct xpath_item);
struct xpath_item xpath_of_text(struct span);
struct xpath_item xpath_of_truth(bool);
struct xpath_item xpath_of_int(int64_t);
struct xpath_item xpath_of_real(double);
struct xpath_item xpath_of_decimal(struct xpath_decimal, enum xpath_type);
bool xpath_is_number(const struct xpath_item *);
double xpath_real_of(const struct xpath_item *); /* of a number */
const char *xpath_type_name(enum xpath_type);
struct span xpath_text_of(struct xpath_run *, const struct xpath_item *); /* of a node its value */
struct xpath_item xpath_atom(struct xpath_run *, const struct xpath_item *);
int xpath_atoms(struct xpath_run *, struct xpath_seq *);
int xpath_truth(struct xpath_run *, const struct xpath_seq *, bool *);
/* Of an atomic value. quiet: 1 when it cannot be, without an error. */
int xpath_cast(struct xpath_run *, struct xpath_item, enum xpath_type, bool quiet, struct xpath_item *);
/* Of two atomic values: -1, 0, 1 in *order, or 2 for NaN. `general`: untyped values take on the type of the other. */
int xpath_compare(struct xpath_run *, struct xpath_item, struct xpath_item, bool general, int *order);
bool xpath_holds(enum xpath_comparison, int order);
int xpath_general(struct xpath_run *, enum xpath_comparison, struct xpath_seq, struct xpath_seq, bool *);
int xpath_arithmetic(struct xpath_run *, int op, struct xpath_item, struct xpath_item, struct xpath_item *);
bool xpath_instance(struct xpath_run *, const struct xpath_seq *, const struct xpath_seqtype *);
int xpath_convert(struct xpath_run *, struct xpath_seq *, const struct xpath_seqtype *, const char *what);
int xpath_date_read(struct span, enum xpath_type, struct xpath_item *);
void xpath_date_text(const struct xpath_item *, char text[XPATH_NUMBER_TEXT]);

/* ---- functions */
typedef int xpath_fn(struct xpath_run *, const struct xpath_expr *, const struct xpath_focus *, struct xpath_seq *args,
		     struct xpath_seq *);
struct xpath_builtin {
	const char *name;
	int least, most; /* most -1: any number */
	xpath_fn *run;
	/* 'f': depends on the context when it has fewer arguments than `most`; 'p': on its position; 'c': on the
	 * rule's node; 't': gives a truth; 'r': its second argument is a regular expression; 0: neither */
	char kind;
};
const struct xpath_builtin *xpath_builtin_find(struct span name);
extern const struct xpath_builtin xpath_builtins_text[], xpath_builtins_other[];

/* A pattern of XPath (F&O 7.6.1) with its flags. NULL: REJECT `xpath.syntax`. */
struct pattern *xpath_pattern_new(struct span text, struct span flags, struct error *);
xpath_fn xpath_fn_matches, xpath_fn_replace, xpath_fn_tokenize;

/* ---- compiling */
struct xpath_parser {
	struct xpath_program *program;
	struct span text;
	size_t at;
	int depth;
	struct error *error;
};
/* New expressions, with what follows from their parts. NULL when an error was set. */
struct xpath_expr *xpath_new(struct xpath_program *, enum xpath_op, struct xpath_expr **kids, size_t count);
struct xpath_expr *xpath_new2(struct xpath_program *, enum xpath_op, struct xpath_expr *, struct xpath_expr *);
/* The same, once its parts were changed. */
struct xpath_expr *xpath_again(struct xpath_program *, const struct xpath_expr *);
bool xpath_is_positional(const struct xpath_expr *predicate);   /* may be a number, or asks for its place */
void xpath_settle(struct xpath_program *, struct xpath_expr *); /* once all of it is set */
void *xpath_wrong(struct xpath_parser *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void xpath_blanks(struct xpath_parser *);
bool xpath_symbol(struct xpath_parser *, const char *symbol);
bool xpath_word(struct xpath_parser *, const char *word);
bool xpath_word_then(struct xpath_parser *, const char *word, const char *next); /* takes the word only */
struct span xpath_ncname(struct xpath_parser *);                                 /* len 0: none here */
bool xpath_qname(struct xpath_parser *, struct span *prefix, struct span *local);
struct xpath_expr *xpath_parse(struct xpath_parser *);
struct xpath_expr *xpath_parse_single(struct xpath_parser *);
struct xpath_expr *xpath_parse_path(struct xpath_parser *);
struct xpath_expr *xpath_parse_call(struct xpath_parser *, struct span prefix, struct span local);
int xpath_parse_kind(struct xpath_parser *, struct xpath_test *); /* 1: it was none */
int xpath_parse_seqtype(struct xpath_parser *, struct xpath_seqtype *);
int xpath_resolve(struct xpath_parser *, struct span prefix, struct span *uri);
int xpath_type_of(struct xpath_parser *, struct span prefix, struct span local, enum xpath_type *);
int xpath_atomic_type(struct xpath_parser *, enum xpath_type *);
void xpath_name_test(struct xpath_program *, struct xpath_test *);
struct xpath_function *xpath_function_find(const struct xpath_program *, struct span uri, struct span local,
					   size_t arity);
int xpath_split(const struct xpath_program *, struct span name, struct span *uri, struct span *local, struct error *);

#endif
