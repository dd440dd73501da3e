/* Calls of functions, those that are known and those of the rules. See xpath_parse_path.c. */
#include "config.h"
#include <stdlib.h>

#include "transformers/schema/schema_pattern.h"
#include "transformers/xpath/xpath_private.h"

static struct xpath_expr *call_builtin(struct xpath_parser *parser, struct span local, struct xpath_expr **arguments,
				       size_t count)
{
	const struct xpath_builtin *builtin = xpath_builtin_find(local);
	struct xpath_expr *expr;

	if (!builtin)
		return xpath_wrong(parser, "the function %.*s() is not known here", SPAN_ARGS(local));
	if (count < (size_t)builtin->least || (builtin->most >= 0 && count > (size_t)builtin->most))
		return xpath_wrong(parser, "%.*s() does not take %zu argument%s", SPAN_ARGS(local), count,
				   count == 1 ? "" : "s");
	expr = xpath_new(parser->program, XPATH_OP_CALL, arguments, count);
	expr->builtin = builtin;
	expr->focus |= builtin->kind == 'p' || (builtin->kind == 'f' && count < (size_t)builtin->most);
	expr->position |= builtin->kind == 'p';
	expr->local |= builtin->kind == 'c';
	if (expr->focus || expr->local)
		expr->cache = -1;
	if (builtin->kind == 'r' && arguments[1]->op == XPATH_OP_LITERAL &&
	    (count == (size_t)builtin->most - 1 || arguments[count - 1]->op == XPATH_OP_LITERAL)) {
		struct xpath_program *program = parser->program;
		struct span flags = count == (size_t)builtin->most ? arguments[count - 1]->literal.text : SPAN_NONE;
		struct error why;

		expr->pattern = xpath_pattern_new(arguments[1]->literal.text, flags, &why);
		if (!expr->pattern)
			return xpath_wrong(parser, "%.*s(): %.200s", SPAN_ARGS(local), why.text);
		program->patterns = mem_grow(program->patterns, &program->patterns_capacity,
					     program->patterns_count + 1, sizeof *program->patterns);
		program->patterns[program->patterns_count++] = expr->pattern;
	}
	return expr;
}

/* key('name', values): those nodes of the key whose value is one of these. */
static struct xpath_expr *call_key(struct xpath_parser *parser, struct xpath_expr **arguments, size_t count)
{
	struct xpath_program *program = parser->program;
	struct xpath_expr *value, *found[2] = {NULL, NULL};
	int slot;

	if (count != 2 || arguments[0]->op != XPATH_OP_LITERAL || arguments[0]->literal.type != XPATH_STRING)
		return xpath_wrong(parser, "key() takes a name, as a literal, and a value");
	slot = xpath_bind(program, SPAN_NONE, parser->error);
	if (slot < 0)
		return NULL;
	xpath_unbind(program, 1);
	value = xpath_new(program, XPATH_OP_LOCAL, NULL, 0);
	value->sub = slot;
	xpath_settle(program, value);
	for (size_t i = 0; i < program->keys_count; i++)
		if (span_equal(program->keys[i].name, arguments[0]->literal.text)) {
			found[0] = program->keys[i].match;
			found[1] = xpath_new2(program, XPATH_OP_GENERAL, program->keys[i].use, value);
			return xpath_make_let(program, slot, arguments[1],
					      xpath_new(program, XPATH_OP_FILTER, found, 2));
		}
	return xpath_wrong(parser, "there is no key `%.*s`", SPAN_ARGS(arguments[0]->literal.text));
}

/* document('file'), doc('file'): which ones there are is known when rules are read. */
static struct xpath_expr *call_document(struct xpath_parser *parser, struct xpath_expr **arguments, size_t count)
{
	struct xpath_program *program = parser->program;
	const struct xpath_tree *tree;
	struct xpath_expr *expr;
	struct error error;
	size_t at = 0;

	if (count != 1 || arguments[0]->op != XPATH_OP_LITERAL || arguments[0]->literal.type != XPATH_STRING)
		return xpath_wrong(parser, "document() takes one literal, a file beside the rules");
	tree = program->document(program->document_arg, arguments[0]->literal.text, &error);
	if (!tree)
		return xpath_wrong(parser, "%.250s", error.text);
	while (at < program->documents_count && program->documents[at] != tree)
		at++;
	if (at == program->documents_count) {
		program->documents =
			mem_grow(program->documents, &program->documents_capacity, at + 1, sizeof *program->documents);
		program->documents[program->documents_count++] = tree;
	}
	expr = xpath_new(program, XPATH_OP_DOCUMENT, NULL, 0);
	expr->sub = (int)at;
	return expr;
}

static struct xpath_expr *call(struct xpath_parser *parser, struct span prefix, struct span local,
			       struct xpath_expr **arguments, size_t count)
{
	struct xpath_function *function;
	struct xpath_expr *expr;
	struct span uri;

	if (xpath_resolve(parser, prefix, &uri))
		return NULL;
	if (!uri.len && span_is(local, "key"))
		return call_key(parser, arguments, count);
	if ((!uri.len || span_is(uri, XPATH_FN)) && parser->program->document &&
	    (span_is(local, "document") || span_is(local, "doc")))
		return call_document(parser, arguments, count);
	if (!uri.len || span_is(uri, XPATH_FN))
		return call_builtin(parser, local, arguments, count);
	if (span_is(uri, XPATH_XS)) {
		enum xpath_type type;

		if (xpath_type_of(parser, prefix, local, &type))
			return NULL;
		if (count != 1)
			return xpath_wrong(parser, "%.*s:%.*s() takes one argument", SPAN_ARGS(prefix),
					   SPAN_ARGS(local));
		expr = xpath_new(parser->program, XPATH_OP_CAST, arguments, 1);
		expr->type = (struct xpath_seqtype){.type = type, .times = '?'};
		return expr;
	}
	function = xpath_function_find(parser->program, uri, local, count);
	if (!function)
		return xpath_wrong(parser, "there is no function %.*s:%.*s() of %zu arguments", SPAN_ARGS(prefix),
				   SPAN_ARGS(local), count);
	expr = xpath_new(parser->program, XPATH_OP_USER, arguments, count);
	expr->function = function;
	return expr;
}

/* Behind its name. */
struct xpath_expr *xpath_parse_call(struct xpath_parser *parser, struct span prefix, struct span local)
{
	struct xpath_expr **arguments = NULL, *expr = NULL;
	size_t count = 0, capacity = 0;
	bool good = true;

	xpath_symbol(parser, "(");
	if (!xpath_symbol(parser, ")")) {
		do {
			arguments = mem_grow(arguments, &capacity, count + 1, sizeof *arguments);
			arguments[count] = xpath_parse_single(parser);
			good = arguments[count++] != NULL;
		} while (good && xpath_symbol(parser, ","));
		if (good && !xpath_symbol(parser, ")")) {
			xpath_wrong(parser, ") is missing");
			good = false;
		}
	}
	if (good)
		expr = call(parser, prefix, local, arguments, count);
	free(arguments);
	return expr;
}
