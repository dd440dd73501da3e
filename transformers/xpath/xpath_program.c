/* What expressions refer to in common: prefixes, variables, functions. See xpath.h. */
#include "config.h"
#include "transformers/xpath/xpath.h"

#include <stdlib.h>

#include "transformers/schema/schema_pattern.h"
#include "transformers/xpath/xpath_private.h"

struct xpath_program *xpath_program_new(void)
{
	struct xpath_program *program = mem_alloc(sizeof *program);

	program->arena = arena_new();
	xpath_namespace(program, SPAN_LITERAL("xs"), SPAN_LITERAL(XPATH_XS));
	xpath_namespace(program, SPAN_LITERAL("xsd"), SPAN_LITERAL(XPATH_XS)); /* in functions of published rules */
	xpath_namespace(program, SPAN_LITERAL("fn"), SPAN_LITERAL(XPATH_FN));
	xpath_namespace(program, SPAN_LITERAL("xml"), SPAN_LITERAL("http://www.w3.org/XML/1998/namespace"));
	return program;
}

void xpath_program_free(struct xpath_program *program)
{
	if (!program)
		return;
	for (size_t i = 0; i < program->patterns_count; i++)
		pattern_free(program->patterns[i]);
	free(program->patterns);
	free(program->namespaces);
	free(program->globals);
	free(program->keys);
	free(program->functions);
	free(program->names);
	free(program->documents);
	arena_free(program->arena);
	free(program);
}

void xpath_namespace(struct xpath_program *program, struct span prefix, struct span uri)
{
	program->namespaces = mem_grow(program->namespaces, &program->namespaces_capacity,
				       program->namespaces_count + 1, sizeof *program->namespaces);
	program->namespaces[program->namespaces_count++] =
		(struct xpath_pair){arena_span(program->arena, prefix), arena_span(program->arena, uri)};
}

const struct span *xpath_uri_of(const struct xpath_program *program, struct span prefix)
{
	for (size_t i = program->namespaces_count; i > 0; i--)
		if (span_equal(program->namespaces[i - 1].name, prefix))
			return &program->namespaces[i - 1].value;
	return NULL;
}

int xpath_split(const struct xpath_program *program, struct span name, struct span *uri, struct span *local,
		struct error *error)
{
	const char *colon = memchr(name.data ? name.data : "", ':', name.len);
	const struct span *found;

	*uri = SPAN_NONE;
	*local = name;
	if (!colon)
		return 0;
	found = xpath_uri_of(program, span_make(name.data, (size_t)(colon - name.data)));
	if (!found)
		return error_set(error, ERROR_REJECT, "xpath.syntax", "the prefix of %.*s is not declared",
				 SPAN_ARGS(name));
	*uri = *found;
	*local = span_make(colon + 1, name.len - (size_t)(colon - name.data) - 1);
	return 0;
}

/* ---- variables */
static struct xpath_global *global_find(const struct xpath_program *program, struct span name)
{
	for (size_t i = 0; i < program->globals_count; i++)
		if (!program->globals[i].lent && span_equal(program->globals[i].name, name))
			return &program->globals[i];
	return NULL;
}

int xpath_global(struct xpath_program *program, struct span name)
{
	if (global_find(program, name))
		return -1;
	program->globals = mem_grow(program->globals, &program->globals_capacity, program->globals_count + 1,
				    sizeof *program->globals);
	program->globals[program->globals_count++] = (struct xpath_global){.name = arena_span(program->arena, name)};
	return 0;
}

int xpath_global_set(struct xpath_program *program, struct span name, struct xpath_expr *value)
{
	struct xpath_global *global = global_find(program, name);

	if (!global)
		return -1;
	global->value = value;
	return 0;
}

void xpath_global_lend(struct xpath_program *program, struct span name)
{
	struct xpath_global *global = global_find(program, name);

	if (global)
		global->lent = true;
}

/* ---- other documents */
void xpath_documents(struct xpath_program *program, xpath_document_fn *document, void *arg)
{
	program->document = document;
	program->document_arg = arg;
}

void xpath_join(const struct xpath_program *program, struct xpath_tree *tree)
{
	for (size_t i = 0; i < program->documents_count; i++)
		xpath_tree_join(tree, program->documents[i]);
}

int xpath_bind(struct xpath_program *program, struct span name, struct error *error)
{
	if (program->bound_count >= XPATH_SLOTS_MAX)
		return error_set(error, ERROR_REJECT, "xpath.syntax", "there are more than %d variables at one place",
				 XPATH_SLOTS_MAX);
	program->bound[program->bound_count] = arena_span(program->arena, name);
	return (int)program->bound_count++;
}

void xpath_unbind(struct xpath_program *program, size_t n)
{
	program->bound_count -= n < program->bound_count ? n : program->bound_count;
}

size_t xpath_bound(const struct xpath_program *program)
{
	return program->bound_count;
}

/* ---- functions */
struct xpath_function *xpath_function_find(const struct xpath_program *program, struct span uri, struct span local,
					   size_t arity)
{
	for (size_t i = 0; i < program->functions_count; i++) {
		struct xpath_function *function = program->functions[i];

		if (function->arity == arity && span_equal(function->local, local) && span_equal(function->uri, uri))
			return function;
	}
	return NULL;
}

static int named(const struct xpath_program *program, struct span name, size_t arity, struct xpath_function **function,
		 struct error *error)
{
	struct span uri, local;

	if (xpath_split(program, name, &uri, &local, error))
		return -1;
	*function = xpath_function_find(program, uri, local, arity);
	return *function ? 0
			 : error_set(error, ERROR_REJECT, "xpath.syntax", "the function %.*s could not be declared",
				     SPAN_ARGS(name));
}

int xpath_function_declare(struct xpath_program *program, struct span name, size_t parameters, struct error *error)
{
	struct xpath_function *function;
	struct span uri, local;

	if (xpath_split(program, name, &uri, &local, error))
		return -1;
	if (!uri.len || xpath_function_find(program, uri, local, parameters) || parameters > XPATH_SLOTS_MAX)
		return error_set(error, ERROR_REJECT, "xpath.syntax",
				 uri.len ? "there are two functions %.*s" : "the function %.*s needs a prefix",
				 SPAN_ARGS(name));
	function = arena_alloc(program->arena, sizeof *function);
	function->uri = uri;
	function->local = arena_span(program->arena, local);
	function->arity = parameters;
	function->types = arena_alloc(program->arena, (parameters + 1) * sizeof *function->types);
	for (size_t i = 0; i < parameters; i++)
		function->types[i] = (struct xpath_seqtype){.type = XPATH_ANY, .times = '*'};
	function->result = (struct xpath_seqtype){.type = XPATH_ANY, .times = '*'};
	program->functions = mem_grow(program->functions, &program->functions_capacity, program->functions_count + 1,
				      sizeof *program->functions);
	program->functions[program->functions_count++] = function;
	return 0;
}

static int read_type(struct xpath_program *program, struct span text, struct xpath_seqtype *type, struct error *error)
{
	struct xpath_parser parser = {.program = program, .text = text, .error = error};

	if (!text.len)
		return 0;
	if (xpath_parse_seqtype(&parser, type))
		return -1;
	xpath_blanks(&parser);
	if (parser.at < text.len) {
		xpath_wrong(&parser, "this is no type");
		return -1;
	}
	return 0;
}

int xpath_function_parameter(struct xpath_program *program, struct span name, size_t arity, size_t at, struct span type,
			     struct error *error)
{
	struct xpath_function *function;

	if (named(program, name, arity, &function, error))
		return -1;
	return read_type(program, type, &function->types[at], error);
}

int xpath_function_body(struct xpath_program *program, struct span name, size_t arity, struct xpath_expr *body,
			struct span type, struct error *error)
{
	struct xpath_function *function;

	if (named(program, name, arity, &function, error))
		return -1;
	function->body = body;
	return read_type(program, type, &function->result, error);
}

int xpath_key(struct xpath_program *program, struct span name, struct span match, struct span use, struct error *error)
{
	struct xpath_key key = {.name = arena_span(program->arena, name)};

	key.match = xpath_compile_pattern(program, match, error);
	key.use = key.match ? xpath_compile(program, use, error) : NULL;
	if (!key.use)
		return -1;
	if (key.use->local)
		return error_set(error, ERROR_REJECT, "xpath.syntax", "a key with variables is not known here");
	program->keys = mem_grow(program->keys, &program->keys_capacity, program->keys_count + 1, sizeof key);
	program->keys[program->keys_count++] = key;
	return 0;
}

/* ---- making expressions */
static void follow(struct xpath_expr *expr)
{
	for (size_t i = 0; i < expr->count; i++) {
		const struct xpath_expr *kid = expr->kids[i];
		bool inner = (expr->op == XPATH_OP_PATH || expr->op == XPATH_OP_FILTER) && i > 0;

		if (expr->depth <= kid->depth)
			expr->depth = kid->depth + 1;
		expr->local |= kid->local;
		if (!inner && expr->op != XPATH_OP_STEP) {
			expr->focus |= kid->focus;
			expr->position |= kid->position;
		}
	}
	switch (expr->op) {
	case XPATH_OP_CONTEXT:
	case XPATH_OP_STEP:
		expr->focus = true;
		break;
	case XPATH_OP_LOCAL:
	case XPATH_OP_FOR:
	case XPATH_OP_SOME:
	case XPATH_OP_EVERY:
	case XPATH_OP_LET:
		expr->local = true;
		break;
	default:
		break;
	}
}

/* What depends on the document alone is found once for it: mostly `//cac:TaxTotal` in the rules of each line. */
static bool worth_keeping(const struct xpath_expr *expr)
{
	bool path = expr->op == XPATH_OP_PATH || expr->op == XPATH_OP_FILTER;

	if (expr->focus || expr->local)
		return false;
	if (path)
		return true;
	for (size_t i = 0; (expr->op == XPATH_OP_CALL || expr->op == XPATH_OP_GENERAL) && i < expr->count; i++)
		if (expr->kids[i]->cache >= 0)
			return true;
	return false;
}

void xpath_settle(struct xpath_program *program, struct xpath_expr *expr)
{
	follow(expr);
	expr->cache = -1;
	if (!worth_keeping(expr))
		return;
	expr->cache = (int)program->caches++;
	/* What it is made of once is not asked for again. */
	for (size_t i = 0; i < expr->count; i++)
		if (i == 0 || expr->op == XPATH_OP_CALL || expr->op == XPATH_OP_GENERAL)
			expr->kids[i]->cache = -1;
}

struct xpath_expr *xpath_new(struct xpath_program *program, enum xpath_op op, struct xpath_expr **kids, size_t count)
{
	struct xpath_expr *expr = arena_alloc(program->arena, sizeof *expr);

	expr->op = op;
	expr->count = count;
	expr->kids = arena_alloc(program->arena, (count + 1) * sizeof *expr->kids);
	for (size_t i = 0; i < count; i++)
		expr->kids[i] = kids[i];
	xpath_settle(program, expr);
	return expr;
}

struct xpath_expr *xpath_new2(struct xpath_program *program, enum xpath_op op, struct xpath_expr *one,
			      struct xpath_expr *two)
{
	struct xpath_expr *kids[2] = {one, two};

	return xpath_new(program, op, kids, 2);
}

struct xpath_expr *xpath_again(struct xpath_program *program, const struct xpath_expr *expr)
{
	struct xpath_expr *made = arena_alloc(program->arena, sizeof *made);

	*made = *expr;
	made->focus = made->local = made->position = false;
	made->depth = 0;
	xpath_settle(program, made);
	return made;
}

struct xpath_expr *xpath_make_let(struct xpath_program *program, int slot, struct xpath_expr *value,
				  struct xpath_expr *body)
{
	struct xpath_expr *let = xpath_new2(program, XPATH_OP_LET, value, body);

	let->sub = slot;
	return let;
}

struct xpath_expr *xpath_make_if(struct xpath_program *program, struct xpath_expr *test, struct xpath_expr *yes,
				 struct xpath_expr *no)
{
	struct xpath_expr *kids[3] = {test, yes, no ? no : xpath_new(program, XPATH_OP_SEQUENCE, NULL, 0)};

	return xpath_new(program, XPATH_OP_IF, kids, 3);
}

struct xpath_expr *xpath_make_sequence(struct xpath_program *program, struct xpath_expr **kids, size_t count)
{
	return xpath_new(program, XPATH_OP_SEQUENCE, kids, count);
}

struct xpath_expr *xpath_make_text(struct xpath_program *program, struct xpath_expr *value)
{
	return xpath_new(program, XPATH_OP_TEXT, &value, 1);
}

struct xpath_expr *xpath_make_literal(struct xpath_program *program, struct span text)
{
	struct xpath_expr *literal = xpath_new(program, XPATH_OP_LITERAL, NULL, 0);

	literal->literal = xpath_of_text(arena_span(program->arena, text));
	return literal;
}

struct xpath_expr *xpath_make_typed(struct xpath_program *program, struct xpath_expr *expr, struct span type,
				    struct error *error)
{
	struct xpath_expr *typed = xpath_new(program, XPATH_OP_CONVERT, &expr, 1);

	typed->type = (struct xpath_seqtype){.type = XPATH_ANY, .times = '*'};
	return read_type(program, type, &typed->type, error) ? NULL : typed;
}
