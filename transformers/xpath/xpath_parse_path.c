/* Paths, steps, primary expressions, types. See xpath_parse.c. */
#include "config.h"
#include <ctype.h>
#include <stdlib.h>

#include "transformers/xpath/xpath_private.h"

static char next(struct xpath_parser *parser, size_t ahead)
{
	return parser->at + ahead < parser->text.len ? parser->text.data[parser->at + ahead] : '\0';
}

/* ---- names and kinds of nodes */
void xpath_name_test(struct xpath_program *program, struct xpath_test *test)
{
	test->number = -1;
	if (test->any_uri || test->any_local)
		return;
	for (size_t i = 0; i < program->names_count; i++)
		if (span_equal(program->names[i].name, test->local) && span_equal(program->names[i].value, test->uri)) {
			test->number = (int)i;
			return;
		}
	program->names =
		mem_grow(program->names, &program->names_capacity, program->names_count + 1, sizeof *program->names);
	program->names[program->names_count] = (struct xpath_pair){arena_span(program->arena, test->local), test->uri};
	test->number = (int)program->names_count++;
}

int xpath_resolve(struct xpath_parser *parser, struct span prefix, struct span *uri)
{
	const struct span *found = prefix.len ? xpath_uri_of(parser->program, prefix) : NULL;

	*uri = found ? *found : SPAN_NONE;
	if (prefix.len && !found) {
		xpath_wrong(parser, "the prefix `%.*s` is not declared", SPAN_ARGS(prefix));
		return -1;
	}
	return 0;
}

/* *, p:*, *:name, name, p:name. 0, or -1. */
static int name_test(struct xpath_parser *parser, struct xpath_test *test)
{
	struct span prefix, local;

	*test = (struct xpath_test){.kind = -1};
	xpath_blanks(parser);
	if (next(parser, 0) == '*') {
		parser->at++;
		test->any_uri = true;
		if (next(parser, 0) == ':' && next(parser, 1) != ':') {
			parser->at++;
			test->local = xpath_ncname(parser);
		}
		test->any_local = !test->local.len;
		test->local = arena_span(parser->program->arena, test->local);
	} else if (xpath_qname(parser, &prefix, &local)) {
		test->local = arena_span(parser->program->arena, local);
		if (xpath_resolve(parser, prefix, &test->uri))
			return -1;
	} else {
		prefix = xpath_ncname(parser);
		if (!prefix.len || next(parser, 0) != ':' || next(parser, 1) != '*') {
			xpath_wrong(parser, "an expression is missing");
			return -1;
		}
		parser->at += 2;
		test->any_local = true;
		if (xpath_resolve(parser, prefix, &test->uri))
			return -1;
	}
	xpath_name_test(parser->program, test);
	return 0;
}

int xpath_parse_kind(struct xpath_parser *parser, struct xpath_test *test)
{
	static const struct {
		const char *word;
		int kind;
		bool named;
	} kinds[] = {
		{"node", -2, false},
		{"text", XPATH_TEXT, false},
		{"comment", XPATH_COMMENT, false},
		{"processing-instruction", XPATH_INSTRUCTION, true},
		{"element", XPATH_ELEMENT, true},
		{"attribute", XPATH_ATTRIBUTE, true},
		{"document-node", XPATH_DOCUMENT, false},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (!xpath_word_then(parser, kinds[i].word, "("))
			continue;
		xpath_symbol(parser, "(");
		*test = (struct xpath_test){.any_uri = true, .any_local = true, .number = -1};
		if (kinds[i].named && !xpath_symbol(parser, ")")) {
			if (name_test(parser, test))
				return -1;
			if (!xpath_symbol(parser, ")")) {
				xpath_wrong(parser, "types of XML Schema are not known here: ) is missing");
				return -1;
			}
		} else if (!kinds[i].named && !xpath_symbol(parser, ")")) {
			xpath_wrong(parser, ") is missing");
			return -1;
		}
		test->kind = kinds[i].kind;
		return 0;
	}
	return 1;
}

/* ---- types */
static const struct {
	const char *name;
	enum xpath_type type;
} atomic_types[] = {
	{"untypedAtomic", XPATH_UNTYPED}, {"string", XPATH_STRING},
	{"boolean", XPATH_BOOLEAN},       {"integer", XPATH_INTEGER},
	{"int", XPATH_INTEGER},           {"long", XPATH_INTEGER},
	{"decimal", XPATH_DECIMAL},       {"double", XPATH_DOUBLE},
	{"float", XPATH_DOUBLE},          {"date", XPATH_DATE},
	{"dateTime", XPATH_DATETIME},     {"time", XPATH_TIME},
};

int xpath_type_of(struct xpath_parser *parser, struct span prefix, struct span local, enum xpath_type *type)
{
	struct span uri;

	if (xpath_resolve(parser, prefix, &uri))
		return -1;
	if (span_is(uri, XPATH_XS))
		for (size_t i = 0; i < sizeof atomic_types / sizeof *atomic_types; i++)
			if (span_is(local, atomic_types[i].name)) {
				*type = atomic_types[i].type;
				return 0;
			}
	xpath_wrong(parser, "the type %.*s%s%.*s is not one of those that are known here", SPAN_ARGS(prefix),
		    prefix.len ? ":" : "", SPAN_ARGS(local));
	return -1;
}

int xpath_atomic_type(struct xpath_parser *parser, enum xpath_type *type)
{
	struct span prefix, local;

	xpath_blanks(parser);
	if (!xpath_qname(parser, &prefix, &local)) {
		xpath_wrong(parser, "a type is missing");
		return -1;
	}
	return xpath_type_of(parser, prefix, local, type);
}

int xpath_parse_seqtype(struct xpath_parser *parser, struct xpath_seqtype *type)
{
	int kind;

	*type = (struct xpath_seqtype){.type = XPATH_ANY, .times = '1'};
	if (xpath_word_then(parser, "empty-sequence", "(") || xpath_word_then(parser, "item", "(")) {
		bool empty = next(parser, 0) == '(' && parser->text.data[parser->at - 1] == 'e';

		if (!xpath_symbol(parser, "(") || !xpath_symbol(parser, ")")) {
			xpath_wrong(parser, "( ) are missing");
			return -1;
		}
		type->times = empty ? '0' : '1';
		if (empty)
			return 0;
	} else {
		kind = xpath_parse_kind(parser, &type->test);
		if (kind < 0)
			return -1;
		type->type = XPATH_NODE;
		if (kind && xpath_atomic_type(parser, &type->type))
			return -1;
	}
	type->times = xpath_symbol(parser, "?")   ? '?'
		      : xpath_symbol(parser, "*") ? '*'
		      : xpath_symbol(parser, "+") ? '+'
						  : '1';
	return 0;
}

/* ---- primary expressions */
static struct xpath_expr *literal(struct xpath_parser *parser, struct xpath_item item)
{
	struct xpath_expr *expr = xpath_new(parser->program, XPATH_OP_LITERAL, NULL, 0);

	expr->literal = item;
	return expr;
}

static struct xpath_expr *text_literal(struct xpath_parser *parser)
{
	char quote = next(parser, 0), *text = arena_alloc(parser->program->arena, parser->text.len - parser->at + 1);
	size_t n = 0;

	for (parser->at++;; parser->at++) {
		char c = next(parser, 0);

		if (parser->at >= parser->text.len)
			return xpath_wrong(parser, "a text does not end");
		if (c == quote && next(parser, 1) != quote)
			break;
		if (c == quote)
			parser->at++;
		text[n++] = c;
	}
	parser->at++;
	return literal(parser, xpath_of_text(span_make(text, n)));
}

static struct xpath_expr *number_literal(struct xpath_parser *parser)
{
	size_t start = parser->at, end;
	bool point = false, exponent = false;
	struct xpath_decimal decimal;
	struct span text;
	double real;

	while (isdigit((unsigned char)next(parser, 0)) || (next(parser, 0) == '.' && !point)) {
		point |= next(parser, 0) == '.';
		parser->at++;
	}
	end = parser->at;
	if (next(parser, 0) == 'e' || next(parser, 0) == 'E') {
		parser->at++;
		if (next(parser, 0) == '+' || next(parser, 0) == '-')
			parser->at++;
		exponent = isdigit((unsigned char)next(parser, 0)) != 0;
		while (isdigit((unsigned char)next(parser, 0)))
			parser->at++;
		end = parser->at;
	}
	text = span_make(parser->text.data + start, end - start);
	if (isalpha((unsigned char)next(parser, 0)) ||
	    (exponent ? !xpath_double_read(text, &real) : !xpath_decimal_read(text, &decimal)))
		return xpath_wrong(parser, "`%.*s` is no number, or has too many digits",
				   (int)(text.len > 60 ? 60 : text.len), text.data);
	return literal(parser, exponent ? xpath_of_real(real)
					: xpath_of_decimal(decimal, point ? XPATH_DECIMAL : XPATH_INTEGER));
}

/* The last one first; how many there are: none. */
static size_t global_of(const struct xpath_program *program, struct span name)
{
	size_t found = program->globals_count;

	for (size_t i = program->globals_count; i > 0; i--)
		if (span_equal(program->globals[i - 1].name, name)) {
			if (!program->globals[i - 1].lent)
				return i - 1;
			if (found == program->globals_count)
				found = i - 1;
		}
	return found;
}

static struct xpath_expr *variable(struct xpath_parser *parser)
{
	const struct xpath_program *program = parser->program;
	struct xpath_expr *expr;
	struct span prefix, local, name;
	size_t start, found;

	xpath_blanks(parser);
	start = parser->at;
	if (!xpath_qname(parser, &prefix, &local))
		return xpath_wrong(parser, "the name of a variable is missing");
	name = span_make(parser->text.data + start, parser->at - start);
	for (size_t i = program->bound_count; i > 0; i--)
		if (span_equal(program->bound[i - 1], name)) {
			expr = xpath_new(parser->program, XPATH_OP_LOCAL, NULL, 0);
			expr->sub = (int)i - 1;
			return expr;
		}
	found = global_of(program, name);
	if (found < program->globals_count) {
		expr = xpath_new(parser->program, XPATH_OP_GLOBAL, NULL, 0);
		expr->sub = (int)found;
		return expr;
	}
	parser->at = start;
	return xpath_wrong(parser, "there is no variable $%.*s", SPAN_ARGS(name));
}

/* ---- steps */
static const struct {
	const char *name;
	enum xpath_axis axis;
} axes[] = {
	{"child", XPATH_CHILD},
	{"descendant", XPATH_DESCENDANT},
	{"attribute", XPATH_ATTRIBUTES},
	{"self", XPATH_SELF},
	{"descendant-or-self", XPATH_DESCENDANT_OR_SELF},
	{"following-sibling", XPATH_FOLLOWING_SIBLING},
	{"following", XPATH_FOLLOWING},
	{"parent", XPATH_PARENT},
	{"ancestor", XPATH_ANCESTOR},
	{"preceding-sibling", XPATH_PRECEDING_SIBLING},
	{"preceding", XPATH_PRECEDING},
	{"ancestor-or-self", XPATH_ANCESTOR_OR_SELF},
};

static struct xpath_expr *predicates(struct xpath_parser *parser, struct xpath_expr *of)
{
	struct xpath_expr *step = of->op == XPATH_OP_STEP ? of : NULL;
	struct xpath_expr *kids[33];
	size_t count = 0;

	if (!step)
		kids[count++] = of;
	while (xpath_symbol(parser, "[")) {
		if (count >= sizeof kids / sizeof *kids)
			return xpath_wrong(parser, "a step has too many predicates");
		kids[count] = xpath_parse(parser);
		if (!kids[count++])
			return NULL;
		if (!xpath_symbol(parser, "]"))
			return xpath_wrong(parser, "] is missing");
	}
	if (count == (step ? 0 : 1))
		return of;
	if (step) {
		struct xpath_expr *made = xpath_new(parser->program, XPATH_OP_STEP, kids, count);

		made->axis = step->axis;
		made->test = step->test;
		return made;
	}
	return xpath_new(parser->program, XPATH_OP_FILTER, kids, count);
}

static struct xpath_expr *axis_step(struct xpath_parser *parser, enum xpath_axis axis, bool given)
{
	struct xpath_expr *step = xpath_new(parser->program, XPATH_OP_STEP, NULL, 0);
	int kind = xpath_parse_kind(parser, &step->test);

	step->axis = axis;
	if (kind < 0 || (kind && name_test(parser, &step->test)))
		return NULL;
	if (!given && !kind && step->test.kind == XPATH_ATTRIBUTE)
		step->axis = XPATH_ATTRIBUTES;
	return predicates(parser, step);
}

static struct xpath_expr *parenthesis(struct xpath_parser *parser)
{
	struct xpath_expr *expr;

	if (xpath_symbol(parser, ")"))
		return xpath_new(parser->program, XPATH_OP_SEQUENCE, NULL, 0);
	expr = xpath_parse(parser);
	if (expr && !xpath_symbol(parser, ")"))
		return xpath_wrong(parser, ") is missing");
	/* its own, so that predicates behind it are those of the whole */
	return expr && expr->op != XPATH_OP_SEQUENCE ? xpath_new(parser->program, XPATH_OP_SEQUENCE, &expr, 1) : expr;
}

static struct xpath_expr *named(struct xpath_parser *parser)
{
	size_t start = parser->at;
	struct span prefix, local, word = xpath_ncname(parser);

	if (word.len && xpath_symbol(parser, "::")) {
		for (size_t i = 0; i < sizeof axes / sizeof *axes; i++)
			if (span_is(word, axes[i].name))
				return axis_step(parser, axes[i].axis, true);
		parser->at = start;
		return xpath_wrong(parser, "the axis `%.*s` is not known here", SPAN_ARGS(word));
	}
	parser->at = start;
	if (xpath_qname(parser, &prefix, &local)) {
		struct xpath_test kind;
		size_t behind = parser->at;

		if (xpath_symbol(parser, "(")) {
			parser->at = start;
			if (prefix.len || xpath_parse_kind(&(struct xpath_parser){.program = parser->program,
										  .text = parser->text,
										  .at = start},
							   &kind) == 1) {
				struct xpath_expr *expr;

				parser->at = behind;
				expr = xpath_parse_call(parser, prefix, local);
				return expr ? predicates(parser, expr) : NULL;
			}
		}
	}
	parser->at = start;
	return axis_step(parser, XPATH_CHILD, false);
}

static struct xpath_expr *step(struct xpath_parser *parser)
{
	struct xpath_expr *expr;
	char c;

	xpath_blanks(parser);
	c = next(parser, 0);
	if (c == '.' && next(parser, 1) == '.') {
		parser->at += 2;
		expr = xpath_new(parser->program, XPATH_OP_STEP, NULL, 0);
		expr->axis = XPATH_PARENT;
		expr->test = (struct xpath_test){.kind = -2, .number = -1};
	} else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)next(parser, 1)))) {
		expr = number_literal(parser);
	} else if (c == '.') {
		parser->at++;
		expr = xpath_new(parser->program, XPATH_OP_CONTEXT, NULL, 0);
	} else if (c == '@') {
		parser->at++;
		return axis_step(parser, XPATH_ATTRIBUTES, true);
	} else if (c == '$') {
		parser->at++;
		expr = variable(parser);
	} else if (c == '(') {
		parser->at++;
		expr = parenthesis(parser);
	} else if (c == '"' || c == '\'') {
		expr = text_literal(parser);
	} else {
		return named(parser);
	}
	return expr ? predicates(parser, expr) : NULL;
}

/* ---- paths */
/* May it be a number, which would be a place, or does it ask for its place? */
bool xpath_is_positional(const struct xpath_expr *predicate)
{
	if (predicate->position)
		return true;
	switch (predicate->op) {
	case XPATH_OP_OR:
	case XPATH_OP_AND:
	case XPATH_OP_GENERAL:
	case XPATH_OP_SINGLE:
	case XPATH_OP_NODES:
	case XPATH_OP_SOME:
	case XPATH_OP_EVERY:
	case XPATH_OP_INSTANCE:
	case XPATH_OP_CASTABLE:
	case XPATH_OP_STEP:
		return false;
	case XPATH_OP_CALL:
		return predicate->builtin->kind != 't';
	case XPATH_OP_PATH:
		return xpath_is_positional(predicate->kids[1]);
	default:
		return true;
	}
}

/* left//right: mostly all descendants at once. */
static struct xpath_expr *below(struct xpath_parser *parser, struct xpath_expr *left, struct xpath_expr *right)
{
	bool direct = right->op == XPATH_OP_STEP && (right->axis == XPATH_CHILD || right->axis == XPATH_ATTRIBUTES);
	struct xpath_expr *all;

	for (size_t i = 0; direct && i < right->count; i++)
		direct = !xpath_is_positional(right->kids[i]);
	if (direct) {
		right->axis = right->axis == XPATH_CHILD ? XPATH_DESCENDANT : XPATH_DESCENDANT_ATTRIBUTES;
		return xpath_new2(parser->program, XPATH_OP_PATH, left, right);
	}
	all = xpath_new(parser->program, XPATH_OP_STEP, NULL, 0);
	all->axis = XPATH_DESCENDANT_OR_SELF;
	all->test = (struct xpath_test){.kind = -2, .number = -1};
	return xpath_new2(parser->program, XPATH_OP_PATH, xpath_new2(parser->program, XPATH_OP_PATH, left, all), right);
}

static bool starts_step(struct xpath_parser *parser)
{
	char c;

	xpath_blanks(parser);
	c = next(parser, 0);
	return c && (isalnum((unsigned char)c) || strchr("_@.*($'\"", c) || (unsigned char)c >= 0x80);
}

struct xpath_expr *xpath_parse_path(struct xpath_parser *parser)
{
	struct xpath_expr *left, *right;
	bool twice = xpath_symbol(parser, "//"), root = twice || xpath_symbol(parser, "/");

	if (!root) {
		left = step(parser);
	} else {
		left = xpath_new(parser->program, XPATH_OP_ROOT, NULL, 0);
		if (!twice && !starts_step(parser))
			return left;
		right = step(parser);
		if (right)
			left = twice ? below(parser, left, right)
				     : xpath_new2(parser->program, XPATH_OP_PATH, left, right);
		else
			left = NULL;
	}
	while (left) {
		twice = xpath_symbol(parser, "//");
		if (!twice && !xpath_symbol(parser, "/"))
			break;
		right = step(parser);
		if (!right)
			return NULL;
		left = twice ? below(parser, left, right) : xpath_new2(parser->program, XPATH_OP_PATH, left, right);
	}
	return left;
}
