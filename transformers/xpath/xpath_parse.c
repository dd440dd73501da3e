/* The grammar of XPath 2.0, from the outside to the inside: A.1 of the Recommendation, in its order. Paths and what is
 * in them: xpath_parse_path.c. */
#include "config.h"
#include <stdlib.h>

#include "transformers/xpath/xpath_private.h"

#define NESTED_MAX 120

typedef struct xpath_expr *parse_fn(struct xpath_parser *);

/* ---- lists: a or b or c is one expression of three parts, so that long ones are not deep */
struct list {
	struct xpath_expr **items;
	size_t count, capacity;
};

static void list_add(struct list *list, struct xpath_expr *expr)
{
	list->items = mem_grow(list->items, &list->capacity, list->count + 1, sizeof(void *));
	list->items[list->count++] = expr;
}

static struct xpath_expr *several(struct xpath_parser *parser, enum xpath_op op, parse_fn *part, const char *word,
				  const char *symbol)
{
	struct xpath_expr *expr = part(parser);
	struct list list = {NULL, 0, 0};

	while (expr && ((word && xpath_word(parser, word)) || (symbol && xpath_symbol(parser, symbol)))) {
		if (!list.count)
			list_add(&list, expr);
		expr = part(parser);
		if (expr)
			list_add(&list, expr);
	}
	if (expr && list.count)
		expr = xpath_new(parser->program, op, list.items, list.count);
	free(list.items);
	return expr;
}

/* ---- operators, those that bind most closely last */
static struct xpath_expr *unary(struct xpath_parser *parser)
{
	bool minus = false, any = false;
	struct xpath_expr *expr;

	for (;;) {
		if (xpath_symbol(parser, "-"))
			minus = !minus, any = true;
		else if (xpath_symbol(parser, "+"))
			any = true;
		else
			break;
	}
	expr = xpath_parse_path(parser);
	if (!expr || !any)
		return expr;
	expr = xpath_new(parser->program, XPATH_OP_NEGATE, &expr, 1);
	expr->sub = minus;
	return expr;
}

static struct xpath_expr *typed(struct xpath_parser *parser, enum xpath_op op, struct xpath_expr *expr, bool single)
{
	struct xpath_expr *made = xpath_new(parser->program, op, &expr, 1);

	if (!single)
		return xpath_parse_seqtype(parser, &made->type) ? NULL : made;
	if (xpath_atomic_type(parser, &made->type.type))
		return NULL;
	made->type.times = xpath_symbol(parser, "?") ? '?' : '1';
	return made;
}

static struct xpath_expr *types(struct xpath_parser *parser)
{
	static const struct {
		const char *first, *second;
		enum xpath_op op;
	} kinds[] = {{"cast", "as", XPATH_OP_CAST},
		     {"castable", "as", XPATH_OP_CASTABLE},
		     {"treat", "as", XPATH_OP_TREAT},
		     {"instance", "of", XPATH_OP_INSTANCE}};
	struct xpath_expr *expr = unary(parser);

	for (size_t i = 0; expr && i < 4; i++)
		if (xpath_word_then(parser, kinds[i].first, kinds[i].second)) {
			xpath_word(parser, kinds[i].second);
			expr = typed(parser, kinds[i].op, expr, i < 2);
		}
	return expr;
}

static struct xpath_expr *intersect(struct xpath_parser *parser)
{
	struct xpath_expr *expr = types(parser);

	while (expr) {
		enum xpath_op op = xpath_word(parser, "intersect") ? XPATH_OP_INTERSECT
				   : xpath_word(parser, "except")  ? XPATH_OP_EXCEPT
								   : XPATH_OP_LITERAL;
		struct xpath_expr *right;

		if (op == XPATH_OP_LITERAL)
			break;
		right = types(parser);
		expr = right ? xpath_new2(parser->program, op, expr, right) : NULL;
	}
	return expr;
}

static struct xpath_expr *unite(struct xpath_parser *parser)
{
	return several(parser, XPATH_OP_UNION, intersect, "union", "|");
}

static struct xpath_expr *calculate(struct xpath_parser *parser, parse_fn *part, int (*operator)(struct xpath_parser *))
{
	struct xpath_expr *expr = part(parser);

	while (expr) {
		int op = operator(parser);
		struct xpath_expr *right;

		if (!op)
			break;
		right = part(parser);
		expr = right ? xpath_new2(parser->program, XPATH_OP_ARITHMETIC, expr, right) : NULL;
		if (expr)
			expr->sub = op;
	}
	return expr;
}

static int product_operator(struct xpath_parser *parser)
{
	return xpath_symbol(parser, "*")    ? '*'
	       : xpath_word(parser, "div")  ? '/'
	       : xpath_word(parser, "idiv") ? 'i'
	       : xpath_word(parser, "mod")  ? 'm'
					    : 0;
}

static int sum_operator(struct xpath_parser *parser)
{
	return xpath_symbol(parser, "+") ? '+' : xpath_symbol(parser, "-") ? '-' : 0;
}

static struct xpath_expr *product(struct xpath_parser *parser)
{
	return calculate(parser, unite, product_operator);
}

static struct xpath_expr *sum(struct xpath_parser *parser)
{
	return calculate(parser, product, sum_operator);
}

static struct xpath_expr *range(struct xpath_parser *parser)
{
	struct xpath_expr *expr = sum(parser), *right;

	if (!expr || !xpath_word(parser, "to"))
		return expr;
	right = sum(parser);
	return right ? xpath_new2(parser->program, XPATH_OP_RANGE, expr, right) : NULL;
}

static const struct comparison {
	const char *text;
	enum xpath_op op;
	int sub;
} comparisons[] = {
	/* longer ones first */
	{"<<", XPATH_OP_NODES, XPATH_LT},   {">>", XPATH_OP_NODES, XPATH_GT},   {"!=", XPATH_OP_GENERAL, XPATH_NE},
	{"<=", XPATH_OP_GENERAL, XPATH_LE}, {">=", XPATH_OP_GENERAL, XPATH_GE}, {"=", XPATH_OP_GENERAL, XPATH_EQ},
	{"<", XPATH_OP_GENERAL, XPATH_LT},  {">", XPATH_OP_GENERAL, XPATH_GT},  {"eq", XPATH_OP_SINGLE, XPATH_EQ},
	{"ne", XPATH_OP_SINGLE, XPATH_NE},  {"lt", XPATH_OP_SINGLE, XPATH_LT},  {"le", XPATH_OP_SINGLE, XPATH_LE},
	{"gt", XPATH_OP_SINGLE, XPATH_GT},  {"ge", XPATH_OP_SINGLE, XPATH_GE},  {"is", XPATH_OP_NODES, XPATH_EQ},
};

static struct xpath_expr *compare(struct xpath_parser *parser)
{
	struct xpath_expr *expr = range(parser), *right;

	for (size_t i = 0; expr && i < sizeof comparisons / sizeof *comparisons; i++) {
		const struct comparison *one = &comparisons[i];

		if (one->text[0] >= 'a' ? !xpath_word(parser, one->text) : !xpath_symbol(parser, one->text))
			continue;
		right = range(parser);
		if (!right)
			return NULL;
		expr = xpath_new2(parser->program, one->op, expr, right);
		expr->sub = one->sub;
		return expr;
	}
	return expr;
}

static struct xpath_expr *both(struct xpath_parser *parser)
{
	return several(parser, XPATH_OP_AND, compare, "and", NULL);
}

/* ---- for, some, every, if */
/* Behind `for`, or a comma: $name in …, and what follows all of them, inside. */
static struct xpath_expr *bindings(struct xpath_parser *parser, enum xpath_op op)
{
	struct span name, prefix, local;
	struct xpath_expr *over, *body = NULL, *expr;
	size_t start;
	int slot;

	if (!xpath_symbol(parser, "$"))
		return xpath_wrong(parser, "a variable is missing");
	xpath_blanks(parser);
	start = parser->at;
	if (!xpath_qname(parser, &prefix, &local))
		return xpath_wrong(parser, "the name of a variable is missing");
	name = span_make(parser->text.data + start, parser->at - start);
	if (!xpath_word(parser, "in"))
		return xpath_wrong(parser, "`in` is missing");
	over = xpath_parse_single(parser);
	slot = over ? xpath_bind(parser->program, name, parser->error) : -1;
	if (slot < 0)
		return NULL;
	if (xpath_symbol(parser, ","))
		body = bindings(parser, op);
	else if (xpath_word(parser, op == XPATH_OP_FOR ? "return" : "satisfies"))
		body = xpath_parse_single(parser);
	else
		xpath_wrong(parser, "`%s` is missing", op == XPATH_OP_FOR ? "return" : "satisfies");
	xpath_unbind(parser->program, 1);
	if (!body)
		return NULL;
	expr = xpath_new2(parser->program, op, over, body);
	expr->sub = slot;
	return expr;
}

static struct xpath_expr *choose(struct xpath_parser *parser)
{
	struct xpath_expr *kids[3];

	if (!xpath_symbol(parser, "("))
		return xpath_wrong(parser, "( is missing");
	kids[0] = xpath_parse(parser);
	if (!kids[0])
		return NULL;
	if (!xpath_symbol(parser, ")"))
		return xpath_wrong(parser, ") is missing");
	if (!xpath_word(parser, "then"))
		return xpath_wrong(parser, "`then` is missing");
	kids[1] = xpath_parse_single(parser);
	if (!kids[1])
		return NULL;
	if (!xpath_word(parser, "else"))
		return xpath_wrong(parser, "`else` is missing");
	kids[2] = xpath_parse_single(parser);
	return kids[2] ? xpath_new(parser->program, XPATH_OP_IF, kids, 3) : NULL;
}

struct xpath_expr *xpath_parse_single(struct xpath_parser *parser)
{
	struct xpath_expr *expr;

	if (++parser->depth > NESTED_MAX)
		return xpath_wrong(parser, "more than %d expressions are inside one another", NESTED_MAX);
	if (xpath_word_then(parser, "for", "$"))
		expr = bindings(parser, XPATH_OP_FOR);
	else if (xpath_word_then(parser, "some", "$"))
		expr = bindings(parser, XPATH_OP_SOME);
	else if (xpath_word_then(parser, "every", "$"))
		expr = bindings(parser, XPATH_OP_EVERY);
	else if (xpath_word_then(parser, "if", "("))
		expr = choose(parser);
	else
		expr = several(parser, XPATH_OP_OR, both, "or", NULL);
	parser->depth--;
	return expr;
}

struct xpath_expr *xpath_parse(struct xpath_parser *parser)
{
	return several(parser, XPATH_OP_SEQUENCE, xpath_parse_single, NULL, ",");
}

/* ---- whole expressions */
static bool start(struct xpath_parser *parser)
{
	if (parser->text.len > XPATH_TEXT_MAX) {
		parser->at = parser->text.len;
		xpath_wrong(parser, "it is longer than %u bytes", XPATH_TEXT_MAX);
		return false;
	}
	return true;
}

static struct xpath_expr *finish(struct xpath_parser *parser, struct xpath_expr *expr)
{
	xpath_blanks(parser);
	if (expr && parser->at < parser->text.len)
		return xpath_wrong(parser, "an operator or the end is missing");
	if (expr && expr->depth > XPATH_DEPTH_MAX)
		return xpath_wrong(parser, "more than %d operators are inside one another", XPATH_DEPTH_MAX);
	return expr;
}

struct xpath_expr *xpath_compile(struct xpath_program *program, struct span text, struct error *error)
{
	struct xpath_parser parser = {.program = program, .text = text, .error = error};

	return start(&parser) ? finish(&parser, xpath_parse(&parser)) : NULL;
}

/* A pattern is looked for once in a document: what it finds need not be kept. */
static struct xpath_expr *once(struct xpath_expr *expr)
{
	expr->cache = -1;
	return expr;
}

/* A pattern matches what its path finds below some node; so it is looked for from the whole document. Of (a | b)[c]/d,
 * as XSLT 3.0 has it, a and b are. */
static struct xpath_expr *anywhere(struct xpath_parser *parser, struct xpath_expr *path)
{
	bool set = path->op == XPATH_OP_UNION, inner = path->op == XPATH_OP_PATH || path->op == XPATH_OP_FILTER ||
						       (path->op == XPATH_OP_SEQUENCE && path->count == 1);
	bool direct = path->op == XPATH_OP_STEP && (path->axis == XPATH_CHILD || path->axis == XPATH_ATTRIBUTES);
	struct xpath_expr *kids[2];

	if (path->op == XPATH_OP_ROOT)
		return path;
	for (size_t i = 1; path->op == XPATH_OP_FILTER && i < path->count; i++)
		if (xpath_is_positional(path->kids[i]))
			return xpath_wrong(parser, "a place among all that match is not known in a pattern");
	if (set || inner) {
		for (size_t i = 0; i < (set ? path->count : 1); i++) {
			path->kids[i] = anywhere(parser, path->kids[i]);
			if (!path->kids[i])
				return NULL;
		}
		return once(xpath_again(parser->program, path));
	}
	if (path->op != XPATH_OP_STEP || (path->axis != XPATH_CHILD && path->axis != XPATH_ATTRIBUTES &&
					  path->axis != XPATH_DESCENDANT && path->axis != XPATH_SELF))
		return xpath_wrong(parser, "a rule's context is a pattern: paths of children and attributes");
	for (size_t i = 0; direct && i < path->count; i++)
		direct = !xpath_is_positional(path->kids[i]);
	kids[0] = xpath_new(parser->program, XPATH_OP_ROOT, NULL, 0);
	if (direct) {
		path->axis = path->axis == XPATH_CHILD ? XPATH_DESCENDANT : XPATH_DESCENDANT_ATTRIBUTES;
		return once(xpath_new2(parser->program, XPATH_OP_PATH, kids[0], path));
	}
	kids[1] = xpath_new(parser->program, XPATH_OP_STEP, NULL, 0);
	kids[1]->axis = XPATH_DESCENDANT_OR_SELF;
	kids[1]->test = (struct xpath_test){.kind = -2, .number = -1};
	kids[0] = once(xpath_new(parser->program, XPATH_OP_PATH, kids, 2));
	return once(xpath_new2(parser->program, XPATH_OP_PATH, kids[0], path));
}

struct xpath_expr *xpath_compile_pattern(struct xpath_program *program, struct span text, struct error *error)
{
	struct xpath_parser parser = {.program = program, .text = text, .error = error};
	struct xpath_expr *expr = start(&parser) ? finish(&parser, unite(&parser)) : NULL;

	return expr ? anywhere(&parser, expr) : NULL;
}
