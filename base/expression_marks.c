/* A parser for jq 1.6, only to know where the parts of a program begin and end. See expression_marks.h. It follows the
 * precedences of jq's grammar; what it does not understand it gives up, and then nothing is marked. */
#include "config.h"
#include "base/expression_marks.h"

#include <stdlib.h>

#include "base/expression_marks_private.h"
#include "base/mem.h"

#define DEPTH_MAX 400

static void parse_pipe(struct parser *);
static void parse_term(struct parser *);

static bool is(const struct parser *p, const char *text)
{
	return (p->token == T_SIGN || p->token == T_WORD) &&
	       span_is(span_make(p->text.data + p->start, p->end - p->start), text);
}

static bool take(struct parser *p, const char *text)
{
	if (!is(p, text))
		return false;
	marks_next(p);
	return true;
}

static void expect(struct parser *p, const char *text)
{
	if (!take(p, text))
		p->failed = true;
}

static bool is_keyword(const struct parser *p)
{
	static const char *const words[] = {"def",    "as",      "reduce", "foreach", "if",    "then",
					    "elif",   "else",    "end",    "try",     "catch", "label",
					    "import", "include", "and",    "or",      NULL};

	for (size_t i = 0; words[i]; i++)
		if (is(p, words[i]))
			return true;
	return false;
}

static void add(struct parser *p, enum mark_kind kind, size_t start, size_t end)
{
	struct marks *marks = p->marks;

	if (p->failed || start >= end)
		return;
	marks->list = mem_grow(marks->list, &marks->capacity, marks->count + 1, sizeof *marks->list);
	marks->list[marks->count++] = (struct mark){kind, start, end};
}

/* A whole expression that is marked. */
static void parse_marked(struct parser *p, enum mark_kind kind)
{
	size_t start = p->start;
	bool outside = p->iterates;

	parse_pipe(p);
	p->iterates = outside;
	add(p, kind, start, p->last);
}

/* ---- terms ---------------------------------------------------------------------------------------------------------
 */
/* At the opening quote. */
static void parse_string(struct parser *p)
{
	size_t i = p->start + 1;
	bool outside = p->iterates;

	while (i < p->text.len && marks_at(p, i) != '"' && !p->failed) {
		if (marks_at(p, i) != '\\') {
			i++;
		} else if (marks_at(p, i + 1) != '(') {
			i += 2;
		} else {
			p->last = i + 2;
			marks_next_from(p, i + 2);
			parse_pipe(p);
			if (!is(p, ")"))
				p->failed = true;
			i = p->end;
		}
	}
	if (i >= p->text.len)
		p->failed = true;
	p->iterates = outside;
	p->end = i + 1 < p->text.len ? i + 1 : p->text.len;
	marks_next(p);
}

static void parse_field(struct parser *p)
{
	enum token first = p->token;
	size_t start;
	bool literal;

	if (take(p, "(")) {
		parse_pipe(p);
		expect(p, ")");
	} else if (first == T_STRING) {
		parse_string(p);
	} else if (first == T_FORMAT) {
		marks_next(p);
		if (p->token == T_STRING)
			parse_string(p);
	} else if (first == T_WORD || first == T_VARIABLE || first == T_NUMBER) {
		marks_next(p);
	} else {
		p->failed = true;
	}
	if (!take(p, ":"))
		return;
	start = p->start;
	literal = p->token == T_NUMBER || is(p, "null") || is(p, "true") || is(p, "false");
	p->depth++;
	do { /* terms with pipes between them, and minus signs */
		size_t before = p->start;

		take(p, "-");
		if (is(p, "reduce") || is(p, "foreach") || is(p, "if") || is(p, "def"))
			p->failed = true; /* not in 1.6; there they stand in brackets */
		parse_term(p);
		if (p->start == before)
			p->failed = true;
	} while (!p->failed && take(p, "|"));
	p->depth--;
	if (!literal)
		add(p, MARK_FIELD, start, p->last);
}

static void parse_object(struct parser *p)
{
	bool outside = p->iterates;

	marks_next(p);
	while (!p->failed && !is(p, "}")) {
		parse_field(p);
		if (!take(p, ","))
			break;
	}
	expect(p, "}");
	p->iterates = outside;
}

static void parse_call(struct parser *p)
{
	size_t start = p->start;
	bool select = is(p, "select"), outside = p->iterates,
	     several = select || is(p, "range") || is(p, "recurse") || is(p, "empty") || is(p, "limit");

	marks_next(p);
	if (take(p, "(")) {
		do
			parse_pipe(p);
		while (!p->failed && take(p, ";"));
		expect(p, ")");
		if (select)
			add(p, MARK_SELECT, start, p->last);
	}
	p->iterates = outside || several;
}

static void parse_suffixes(struct parser *p)
{
	for (;;) {
		if (p->token == T_FIELD || take(p, "?")) {
			if (p->token == T_FIELD)
				marks_next(p);
		} else if (is(p, ".") && (marks_at(p, p->end) == '"' || marks_at(p, p->end) == '[')) {
			marks_next(p);
			if (p->token == T_STRING)
				parse_string(p);
		} else if (take(p, "[")) {
			if (is(p, "]"))
				p->iterates = true;
			if (!is(p, "]") && !is(p, ":"))
				parse_pipe(p);
			if (take(p, ":") && !is(p, "]"))
				parse_pipe(p);
			expect(p, "]");
		} else {
			return;
		}
		if (p->failed)
			return;
	}
}

static void parse_array(struct parser *p)
{
	bool outside = p->iterates;

	marks_next(p);
	if (!is(p, "]"))
		parse_pipe(p);
	expect(p, "]");
	p->iterates = outside;
}

static void parse_head(struct parser *p)
{
	switch (p->token) {
	case T_STRING:
		parse_string(p);
		return;
	case T_FORMAT:
		marks_next(p);
		if (p->token == T_STRING)
			parse_string(p);
		return;
	case T_FIELD:
	case T_VARIABLE:
	case T_NUMBER:
		marks_next(p);
		return;
	case T_WORD:
		if (is_keyword(p)) {
			p->failed = true;
		} else if (take(p, "break")) {
			marks_next(p);
		} else {
			parse_call(p);
		}
		return;
	default:
		break;
	}
	if (is(p, "..")) {
		p->iterates = true;
		marks_next(p);
	} else if (is(p, ".")) {
		marks_next(p);
		if (p->token == T_STRING)
			parse_string(p);
	} else if (take(p, "(")) {
		parse_pipe(p);
		expect(p, ")");
	} else if (is(p, "[")) {
		parse_array(p);
	} else if (is(p, "{")) {
		parse_object(p);
	} else {
		p->failed = true;
	}
}

static void parse_term(struct parser *p)
{
	size_t start = p->start;

	parse_head(p);
	if (!p->failed)
		parse_suffixes(p);
	if (p->terms)
		add(p, MARK_TERM, start, p->last);
}

/* ---- what begins with a word
 * ----------------------------------------------------------------------------------------- */
/* `$x`, `[$a, {b: $c}]`, one or several with ?// between them. */
static void skip_pattern(struct parser *p)
{
	do {
		int depth = 0;

		do {
			if (is(p, "[") || is(p, "{") || is(p, "("))
				depth++;
			else if (is(p, "]") || is(p, "}") || is(p, ")"))
				depth--;
			else if (p->token == T_END || depth == 0)
				p->failed = p->failed || p->token != T_VARIABLE;
			if (p->token == T_STRING)
				parse_string(p);
			else
				marks_next(p);
		} while (depth > 0 && !p->failed);
	} while (!p->failed && take(p, "?//"));
}

static void parse_def(struct parser *p)
{
	marks_next(p);
	if (p->token != T_WORD)
		p->failed = true;
	marks_next(p);
	if (take(p, "(")) {
		while (!p->failed && !is(p, ")")) {
			if (p->token != T_WORD && p->token != T_VARIABLE && !is(p, ";"))
				p->failed = true;
			marks_next(p);
		}
		expect(p, ")");
	}
	expect(p, ":");
	parse_marked(p, MARK_DEF);
	expect(p, ";");
}

static void parse_if(struct parser *p)
{
	marks_next(p);
	do {
		parse_pipe(p);
		expect(p, "then");
		parse_marked(p, MARK_THEN);
	} while (!p->failed && take(p, "elif"));
	if (take(p, "else"))
		parse_marked(p, MARK_ELSE);
	expect(p, "end");
}

static void parse_loop(struct parser *p)
{
	bool outside = p->iterates;

	marks_next(p);
	parse_term(p);
	expect(p, "as");
	skip_pattern(p);
	expect(p, "(");
	parse_pipe(p);
	expect(p, ";");
	parse_marked(p, MARK_LOOP);
	if (take(p, ";"))
		parse_pipe(p);
	expect(p, ")");
	p->iterates = outside;
}

static void parse_operand(struct parser *p)
{
	if (p->failed || p->depth++ > DEPTH_MAX) {
		p->failed = true;
	} else if (is(p, "def")) {
		parse_def(p);
		parse_pipe(p);
	} else if (is(p, "if")) {
		parse_if(p);
	} else if (is(p, "reduce") || is(p, "foreach")) {
		parse_loop(p);
	} else if (take(p, "try")) {
		parse_operand(p);
		if (take(p, "catch")) {
			size_t start = p->start;

			parse_operand(p);
			add(p, MARK_CATCH, start, p->last);
		}
	} else if (take(p, "label")) {
		marks_next(p);
		expect(p, "|");
		parse_pipe(p);
	} else if (take(p, "-")) {
		parse_operand(p);
	} else {
		parse_term(p);
		if (take(p, "as")) {
			skip_pattern(p);
			expect(p, "|");
			parse_pipe(p);
		}
	}
	while (!p->failed && take(p, "?"))
		;
	p->depth--;
}

/* ---- operators, from the tightest to the loosest
 * --------------------------------------------------------------------- */
static bool is_arithmetic(const struct parser *p)
{
	return is(p, "*") || is(p, "/") || is(p, "%") || is(p, "+") || is(p, "-") || is(p, "==") || is(p, "!=") ||
	       is(p, "<") || is(p, ">") || is(p, "<=") || is(p, ">=");
}

/* None of these is marked, so that they may be read without their precedences. */
static void parse_comparison(struct parser *p)
{
	parse_operand(p);
	while (!p->failed && is_arithmetic(p)) {
		marks_next(p);
		parse_operand(p);
	}
}

static void parse_logic(struct parser *p, const char *word)
{
	bool and = !strcmp(word, "and");

	if (and)
		parse_comparison(p);
	else
		parse_logic(p, "and");
	while (!p->failed && take(p, word)) {
		size_t start = p->start;

		if (and)
			parse_comparison(p);
		else
			parse_logic(p, "and");
		add(p, MARK_OPERAND, start, p->last);
	}
}

static void parse_assignment(struct parser *p)
{
	static const char *const signs[] = {"=", "|=", "+=", "-=", "*=", "/=", "%=", "//=", NULL};

	parse_logic(p, "or");
	for (size_t i = 0; signs[i] && !p->failed; i++)
		if (take(p, signs[i])) {
			parse_logic(p, "or");
			return;
		}
}

static void parse_alternative(struct parser *p)
{
	size_t start = p->start;

	if (p->depth++ > DEPTH_MAX)
		p->failed = true;
	parse_assignment(p);
	if (!p->failed && is(p, "//")) {
		add(p, MARK_LEFT, start, p->last);
		marks_next(p);
		start = p->start;
		parse_alternative(p);
		add(p, MARK_RIGHT, start, p->last);
	}
	p->depth--;
}

static void parse_pipe(struct parser *p)
{
	bool outside = p->iterates;
	size_t start;

	if (p->failed || p->depth++ > DEPTH_MAX) {
		p->failed = true;
		return;
	}
	p->iterates = false;
	do
		parse_alternative(p);
	while (!p->failed && take(p, ","));
	if (!p->failed && take(p, "|")) {
		bool each = p->iterates;

		start = p->start;
		parse_pipe(p);
		if (each)
			add(p, MARK_EACH, start, p->last);
	}
	p->iterates = p->iterates || outside;
	p->depth--;
}

/* ---- the whole
 * --------------------------------------------------------------------------------------------------------- */
static int outer_first(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

int marks_find(struct marks *marks, struct span program, bool terms)
{
	struct parser p = {.text = program, .marks = marks, .terms = terms};
	size_t start;

	*marks = (struct marks){0};
	marks_next_from(&p, 0);
	while (!p.failed && is(&p, "def"))
		parse_def(&p);
	start = p.start;
	parse_pipe(&p);
	add(&p, MARK_PROGRAM, start, p.last);
	if (p.failed || p.token != T_END) {
		marks_free(marks);
		return -1;
	}
	qsort(marks->list, marks->count, sizeof *marks->list, outer_first);
	return 0;
}

void marks_free(struct marks *marks)
{
	free(marks->list);
	*marks = (struct marks){0};
}
