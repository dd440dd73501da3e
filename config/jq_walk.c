/* A jq program read along the shape of its input. See jq_walk.h.
 *
 * A recursive descent over jq's grammar in which every rule gives the shape of its results. Whatever it does not
 * understand ends it: then it was lost, and nothing that it found is told. */
#include "config.h"
#include "config/jq_walk_private.h"

#include <stdlib.h>

static struct shape term(struct walk *, const struct shape *input);

/* ---- fields and indices ---------------------------------------------------------------------------------- */
/* Behind the `[`: `]`, a name, a number, a slice, or an expression over the input of the whole term. */
static struct shape index_of(struct walk *w, const struct shape *of, const struct shape *input)
{
	const struct jq_token *token = jq_peek(w), *then = token->kind == JQ_END ? token : token + 1;

	if (jq_next_is(w, "]"))
		return shape_items(w->arena, of);
	if (then->kind == JQ_MARK && span_is(then->text, "]") && token->kind == JQ_STRING) {
		w->at += 2;
		return jq_field(w, of, token->text, token->offset);
	}
	if (then->kind == JQ_MARK && span_is(then->text, "]") && token->kind == JQ_NUMBER) {
		w->at += 2;
		return shape_items(w->arena, of);
	}
	if (jq_is(w, "-") && then->kind == JQ_NUMBER && span_is(then[1].text, "]") && then[1].kind == JQ_MARK) {
		w->at += 3;
		return shape_items(w->arena, of);
	}
	if (!jq_is(w, ":"))
		jq_pipe(w, input);
	if (jq_next_is(w, ":")) {
		if (!jq_is(w, "]"))
			jq_pipe(w, input);
		jq_expect(w, "]");
		return *of; /* a slice: the same list */
	}
	jq_expect(w, "]");
	return shape_unknown();
}

static void strings(struct walk *w, const struct shape *input)
{
	while (!w->lost && jq_peek(w)->kind != JQ_CLOSE) {
		jq_pipe(w, input);
		if (jq_take(w)->kind != JQ_NEXT)
			w->lost = true;
	}
	w->at += !w->lost;
}

/* What may follow a term: `.a`, `."a"`, `[…]`, `?`. */
static struct shape suffixes(struct walk *w, struct shape shape, const struct shape *input, bool is_envelope)
{
	while (!w->lost) {
		const struct jq_token *token = jq_peek(w), *then = token->kind == JQ_END ? token : token + 1;

		if (token->kind == JQ_FIELD) {
			w->at++;
			if (is_envelope)
				jq_envelope(w, token);
			shape = jq_field(w, &shape, token->text, token->offset);
		} else if (jq_is(w, ".") && then->kind == JQ_STRING) {
			w->at += 2;
			shape = jq_field(w, &shape, then->text, token->offset);
		} else if (jq_is(w, ".") && then->kind == JQ_OPEN) {
			w->at += 2;
			strings(w, input);
			shape = shape_unknown();
		} else if (jq_is(w, ".") && then->kind == JQ_MARK && span_is(then->text, "[")) {
			w->at++;
			continue;
		} else if (jq_next_is(w, "[")) {
			shape = index_of(w, &shape, input);
		} else if (!jq_next_is(w, "?")) {
			break;
		}
		is_envelope = false;
	}
	return shape;
}

/* ---- what has a form of its own -------------------------------------------------------------------------- */
static void bind(struct walk *w, struct span name, const struct shape *shape)
{
	if (w->variables_count == NAMES_MAX)
		w->lost = true;
	else
		w->variables[w->variables_count++] = (struct binding){name, *shape};
}

/* $x, [$a, $b], {a: $x, $y}: names in a pattern are bound; only a plain one is known. */
static void pattern(struct walk *w, const struct shape *shape)
{
	struct shape none = shape_unknown();
	int open = 0;

	if (jq_peek(w)->kind == JQ_VARIABLE) {
		bind(w, jq_take(w)->text, shape);
		return;
	}
	do {
		const struct jq_token *token = jq_take(w);

		if (token->kind == JQ_VARIABLE)
			bind(w, token->text, &none);
		else if (token->kind == JQ_MARK && (span_is(token->text, "[") || span_is(token->text, "{")))
			open++;
		else if (token->kind == JQ_MARK && (span_is(token->text, "]") || span_is(token->text, "}")))
			open--;
		else if (token->kind == JQ_END || token->kind == JQ_OPEN || span_is(token->text, "("))
			w->lost = true;
	} while (open > 0 && !w->lost);
}

/* Behind `as`: to the end of the pipe the names are bound. */
static struct shape bound(struct walk *w, const struct shape *value, const struct shape *input)
{
	size_t before = w->variables_count;
	struct shape shape;

	pattern(w, value);
	while (jq_next_is(w, "?//"))
		pattern(w, value);
	jq_expect(w, "|");
	shape = jq_pipe(w, input);
	w->variables_count = before;
	return shape;
}

static struct shape condition(struct walk *w, const struct shape *input)
{
	struct shape result, other;

	jq_pipe(w, input);
	jq_expect(w, "then");
	result = jq_pipe(w, input);
	if (jq_next_is(w, "elif")) {
		other = condition(w, input);
		return shape_either(w->arena, &result, &other);
	}
	other = jq_next_is(w, "else") ? jq_pipe(w, input) : *input;
	jq_expect(w, "end");
	return shape_either(w->arena, &result, &other);
}

static struct shape fold(struct walk *w, const struct shape *input)
{
	struct shape none = shape_unknown(), each = term(w, input);
	size_t before = w->variables_count;

	jq_expect(w, "as");
	pattern(w, &each);
	jq_expect(w, "(");
	jq_pipe(w, input);
	while (!w->lost && jq_next_is(w, ";"))
		jq_pipe(w, &none);
	jq_expect(w, ")");
	w->variables_count = before;
	return none;
}

/* Behind `def`: what it does is not known, as its input is not. */
static struct shape definition(struct walk *w, const struct shape *input)
{
	struct shape none = shape_unknown();
	size_t variables = w->variables_count, functions = w->functions_count;
	struct shape shape;

	if (jq_peek(w)->kind != JQ_WORD || functions == NAMES_MAX) {
		w->lost = true;
		return none;
	}
	w->functions[w->functions_count++] = jq_take(w)->text;
	if (jq_next_is(w, "(")) {
		do {
			const struct jq_token *token = jq_take(w);

			if (token->kind == JQ_VARIABLE)
				bind(w, token->text, &none);
			if (w->functions_count < NAMES_MAX)
				w->functions[w->functions_count++] = token->text;
		} while (jq_next_is(w, ";"));
		jq_expect(w, ")");
	}
	jq_expect(w, ":");
	jq_pipe(w, &none);
	jq_expect(w, ";");
	w->variables_count = variables;
	w->functions_count = functions + 1;
	shape = jq_pipe(w, input);
	w->functions_count = functions;
	return shape;
}

static struct shape variable(struct walk *w, const struct jq_token *token)
{
	for (size_t i = w->variables_count; i > 0; i--) {
		if (span_equal(w->variables[i - 1].name, token->text))
			return w->variables[i - 1].shape;
	}
	return shape_unknown();
}

/* Of an object: the shorthands {number}, {$x}, and values. A key that is computed may be any. */
static void entry(struct walk *w, const struct shape *input, struct shape *object)
{
	const struct jq_token *token = jq_take(w);
	bool plain = token->kind == JQ_WORD || token->kind == JQ_STRING || token->kind == JQ_VARIABLE;
	struct shape shape = *input;

	if (token->kind == JQ_MARK && span_is(token->text, "(")) {
		jq_pipe(w, input);
		jq_expect(w, ")");
	} else if (token->kind == JQ_OPEN) {
		strings(w, input);
	} else if (token->kind == JQ_FORMAT) {
		if ((jq_peek(w)->kind == JQ_OPEN || jq_peek(w)->kind == JQ_STRING) && jq_take(w)->kind == JQ_OPEN)
			strings(w, input);
	} else if (!plain && token->kind != JQ_NUMBER) {
		w->lost = true;
	}
	if (jq_next_is(w, ":")) {
		do {
			bool negative = jq_next_is(w, "-");

			shape = term(w, &shape);
			shape = negative ? shape_unknown() : shape;
		} while (!w->lost && jq_next_is(w, "|"));
	} else if (token->kind == JQ_VARIABLE) {
		shape = variable(w, token);
	} else if (plain) {
		shape = jq_field(w, input, token->text, token->offset);
	}
	if (!plain || memchr(token->text.data ? token->text.data : "", '\\', token->text.len))
		*object = shape_unknown();
	else if (object->object)
		shape_add(w->arena, object, arena_span(w->arena, token->text).data, &shape);
}

static struct shape object(struct walk *w, const struct shape *input)
{
	struct shape made = shape_object();

	while (!w->lost && !jq_is(w, "}")) {
		entry(w, input, &made);
		if (!jq_next_is(w, ","))
			break;
	}
	jq_expect(w, "}");
	return made;
}

static struct shape keyword(struct walk *w, struct span name, const struct shape *input)
{
	struct shape none = shape_unknown(), shape;

	if (span_is(name, "if"))
		return condition(w, input);
	if (span_is(name, "reduce") || span_is(name, "foreach"))
		return fold(w, input);
	if (span_is(name, "def"))
		return definition(w, input);
	if (span_is(name, "try")) {
		shape = term(w, input);
		if (!jq_next_is(w, "catch"))
			return shape;
		term(w, &none);
		return none;
	}
	if (span_is(name, "label")) {
		jq_take(w);
		jq_expect(w, "|");
		return jq_pipe(w, input);
	}
	if (span_is(name, "break")) {
		jq_take(w);
		return none;
	}
	return jq_call(w, name, input);
}

static struct shape list(struct walk *w, const struct shape *input)
{
	struct shape shape = shape_unknown();

	if (jq_next_is(w, "]"))
		return shape;
	shape = jq_pipe(w, input);
	jq_expect(w, "]");
	shape.lists += !shape.unknown;
	return shape;
}

static struct shape term_start(struct walk *w, const struct shape *input, bool *is_envelope)
{
	const struct jq_token *token = jq_take(w);
	struct shape shape = shape_unknown();

	switch (token->kind) {
	case JQ_FIELD:
		return jq_field(w, input, token->text, token->offset);
	case JQ_WORD:
		return keyword(w, token->text, input);
	case JQ_VARIABLE:
		*is_envelope = span_is(token->text, "envelope");
		return variable(w, token);
	case JQ_FORMAT:
	case JQ_NUMBER:
	case JQ_STRING:
		return shape;
	case JQ_OPEN:
		strings(w, input);
		return shape;
	default:
		break;
	}
	if (span_is(token->text, "."))
		return jq_peek(w)->kind == JQ_STRING ? jq_field(w, input, jq_take(w)->text, token->offset) : *input;
	if (span_is(token->text, "..") || span_is(token->text, "$"))
		return shape;
	if (span_is(token->text, "(")) {
		shape = jq_pipe(w, input);
		jq_expect(w, ")");
		return shape;
	}
	if (span_is(token->text, "["))
		return list(w, input);
	if (span_is(token->text, "{"))
		return object(w, input);
	w->lost = true;
	return shape;
}

static struct shape term(struct walk *w, const struct shape *input)
{
	bool is_envelope = false;
	struct shape shape = shape_unknown();

	if (w->lost || ++w->depth > DEPTH_MAX || ++w->terms > TERMS_MAX) {
		w->lost = true;
		return shape;
	}
	shape = term_start(w, input, &is_envelope);
	shape = suffixes(w, shape, input, is_envelope);
	if (!w->lost && jq_next_is(w, "as"))
		shape = bound(w, &shape, input);
	w->depth--;
	return shape;
}

/* ---- operators ------------------------------------------------------------------------------------------- */
static const char *const updates[] = {"|=", NULL};
static const char *const operators[] = {"+",   "-",  "*",  "/", "%",  "==", "!=", "<",  "<=", ">",   ">=",
					"and", "or", "//", "=", "+=", "-=", "*=", "/=", "%=", "//=", NULL};

/* Precedence matters only to what a result is; that of an operator is not known, but of `//`, which gives a side. */
static struct shape operands(struct walk *w, const struct shape *input)
{
	struct shape shape, other;
	size_t told = w->told_count;
	bool alternative, plus;

	if (jq_next_is(w, "-")) {
		term(w, input);
		shape = shape_unknown();
	} else {
		shape = term(w, input);
	}
	while (!w->lost) {
		if (jq_is_any(w, updates)) {
			w->at++;
			operands(w, &shape);
			return shape_unknown();
		}
		if (!jq_is_any(w, operators))
			break;
		if (jq_is(w, "="))
			w->told_count = told; /* `.new = …` makes the field */
		alternative = jq_is(w, "//");
		plus = jq_is(w, "+");
		w->at++;
		jq_next_is(w, "-");
		other = term(w, input);
		shape = alternative ? shape_either(w->arena, &shape, &other)
			: plus      ? shape_plus(w->arena, &shape, &other)
				    : shape_unknown();
	}
	return shape;
}

struct shape jq_pipe(struct walk *w, const struct shape *input)
{
	struct shape shape, other;

	if (w->lost || ++w->depth > DEPTH_MAX) {
		w->lost = true;
		return shape_unknown();
	}
	if (jq_next_is(w, "def")) {
		shape = definition(w, input);
		w->depth--;
		return shape;
	}
	shape = operands(w, input);
	while (!w->lost && jq_next_is(w, ",")) {
		other = operands(w, input);
		shape = shape_either(w->arena, &shape, &other);
	}
	if (!w->lost && jq_next_is(w, "|"))
		shape = jq_pipe(w, &shape);
	w->depth--;
	return shape;
}

struct shape jq_walk(struct arena *arena, struct span program, struct jq_place place, const struct shape *input,
		     const char *absent_code, const char *absent_why, struct findings *findings)
{
	struct walk *w = mem_alloc(sizeof *w);
	struct shape shape;

	w->arena = arena;
	w->absent_code = absent_code;
	w->absent_why = absent_why;
	jq_tokens_read(&w->tokens, program);
	w->lost = w->tokens.lost;
	shape = jq_pipe(w, input);
	if (jq_peek(w)->kind != JQ_END)
		w->lost = true;
	for (size_t i = 0; i < w->told_count && !w->lost && findings; i++) {
		const struct told *told = &w->told[i];

		finding_add_within(findings, place_within(place.start, program, told->offset), place.start,
				   place.offset + told->offset, told->severity, told->code, "%s", told->text);
	}
	if (w->lost)
		shape = shape_unknown();
	jq_tokens_free(&w->tokens);
	free(w);
	return shape;
}
