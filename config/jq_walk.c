/* A jq program read along the shape of its input. See jq_walk.h.
 *
 * A recursive descent over jq's grammar in which every rule gives the shape of its results. Whatever it does not
 * understand ends it: then it was lost, and nothing that it found is told. */
#include "config.h"
#include "config/jq_walk_private.h"

#include <stdlib.h>

static struct shape pipe(struct walk *, const struct shape *input);
static struct shape term(struct walk *, const struct shape *input);

/* ---- tokens ---------------------------------------------------------------------------------------------- */
static const struct jq_token *peek(const struct walk *w)
{
	return &w->tokens.list[w->at];
}

static const struct jq_token *take(struct walk *w)
{
	const struct jq_token *token = peek(w);

	if (token->kind != JQ_END)
		w->at++;
	return token;
}

static bool is(const struct walk *w, const char *text)
{
	const struct jq_token *token = peek(w);

	return (token->kind == JQ_MARK || token->kind == JQ_WORD) && span_is(token->text, text);
}

static bool next_is(struct walk *w, const char *text)
{
	if (!is(w, text))
		return false;
	w->at++;
	return true;
}

static void expect(struct walk *w, const char *text)
{
	if (!next_is(w, text))
		w->lost = true;
}

static bool is_any(const struct walk *w, const char *const *words)
{
	while (*words && !is(w, *words))
		words++;
	return *words != NULL;
}

/* ---- fields and indices ---------------------------------------------------------------------------------- */
/* Behind the `[`: `]`, a name, a number, a slice, or an expression over the input of the whole term. */
static struct shape index_of(struct walk *w, const struct shape *of, const struct shape *input)
{
	const struct jq_token *token = peek(w), *then = token->kind == JQ_END ? token : token + 1;

	if (next_is(w, "]"))
		return shape_items(w->arena, of);
	if (then->kind == JQ_MARK && span_is(then->text, "]") && token->kind == JQ_STRING) {
		w->at += 2;
		return jq_field(w, of, token->text, token->offset);
	}
	if (then->kind == JQ_MARK && span_is(then->text, "]") && token->kind == JQ_NUMBER) {
		w->at += 2;
		return shape_items(w->arena, of);
	}
	if (is(w, "-") && then->kind == JQ_NUMBER && span_is(then[1].text, "]") && then[1].kind == JQ_MARK) {
		w->at += 3;
		return shape_items(w->arena, of);
	}
	if (!is(w, ":"))
		pipe(w, input);
	if (next_is(w, ":")) {
		if (!is(w, "]"))
			pipe(w, input);
		expect(w, "]");
		return *of; /* a slice: the same list */
	}
	expect(w, "]");
	return shape_unknown();
}

static void strings(struct walk *w, const struct shape *input)
{
	while (!w->lost && peek(w)->kind != JQ_CLOSE) {
		pipe(w, input);
		if (take(w)->kind != JQ_NEXT)
			w->lost = true;
	}
	w->at += !w->lost;
}

/* What may follow a term: `.a`, `."a"`, `[…]`, `?`. */
static struct shape suffixes(struct walk *w, struct shape shape, const struct shape *input, bool is_envelope)
{
	while (!w->lost) {
		const struct jq_token *token = peek(w), *then = token->kind == JQ_END ? token : token + 1;

		if (token->kind == JQ_FIELD) {
			w->at++;
			if (is_envelope)
				jq_envelope(w, token);
			shape = jq_field(w, &shape, token->text, token->offset);
		} else if (is(w, ".") && then->kind == JQ_STRING) {
			w->at += 2;
			shape = jq_field(w, &shape, then->text, token->offset);
		} else if (is(w, ".") && then->kind == JQ_OPEN) {
			w->at += 2;
			strings(w, input);
			shape = shape_unknown();
		} else if (is(w, ".") && then->kind == JQ_MARK && span_is(then->text, "[")) {
			w->at++;
			continue;
		} else if (next_is(w, "[")) {
			shape = index_of(w, &shape, input);
		} else if (!next_is(w, "?")) {
			break;
		}
		is_envelope = false;
	}
	return shape;
}

/* ---- functions ------------------------------------------------------------------------------------------- */
/* What is known of builtins: which input their arguments see, and what they give. */
static const char *const same[] = {"reverse",  "sort",   "unique",  "values",  "nulls",     "strings", "numbers",
				   "booleans", "arrays", "objects", "scalars", "iterables", NULL};
static const char *const per_item[] = {"sort_by", "unique_by", "group_by", "min_by", "max_by", "map", NULL};
static const char *const on_input[] = {"select",   "has",      "contains", "inside",   "startswith", "endswith",
				       "ltrimstr", "rtrimstr", "split",    "join",     "index",      "rindex",
				       "indices",  "test",     "range",    "error",    "in",         "first",
				       "last",     "limit",    "strptime", "strftime", "del",        "path",
				       "isvalid",  "pow",      "match",    "nth",      NULL};

static bool defined(const struct walk *w, struct span name)
{
	for (size_t i = 0; i < w->functions_count; i++) {
		if (span_equal(w->functions[i], name))
			return true;
	}
	return false;
}

static struct shape of_items(struct walk *w, struct span name, const struct shape *input, const struct shape *items,
			     const struct shape *result)
{
	struct shape shape = *result;

	if (span_is(name, "map") && !shape.unknown) {
		shape.lists++;
		return shape;
	}
	if (span_is(name, "sort_by") || span_is(name, "unique_by"))
		return *input;
	if (span_is(name, "group_by") && !items->unknown) {
		shape = *items;
		shape.lists += 2;
		return shape;
	}
	return span_is(name, "min_by") || span_is(name, "max_by") ? *items : shape_unknown();
}

/* Behind `name(`. */
static struct shape arguments(struct walk *w, struct span name, const struct shape *input)
{
	struct shape none = shape_unknown(), items = none, result, last = none;
	bool known = !defined(w, name), each = known && jq_in_list(name, per_item),
	     here = known && jq_in_list(name, on_input);
	size_t n = 1;

	if (each)
		items = shape_items(w->arena, input);
	result = pipe(w, each ? &items : here ? input : &none);
	while (!w->lost && next_is(w, ";")) {
		last = pipe(w, here ? input : &none);
		n++;
	}
	expect(w, ")");
	if (each && n == 1)
		return of_items(w, name, input, &items, &result);
	if (!here)
		return shape_unknown();
	if (span_is(name, "select") || span_is(name, "del"))
		return *input;
	if (span_is(name, "first") || span_is(name, "last"))
		return result;
	return span_is(name, "limit") || span_is(name, "nth") ? last : shape_unknown();
}

/* any(f) sees items; any(g; f) gives g the input, and f what comes of it. */
static struct shape any_or_all(struct walk *w, const struct shape *input)
{
	size_t start = w->at, told = w->told_count, variables = w->variables_count;
	struct shape items = shape_items(w->arena, input), made = pipe(w, &items);

	if (next_is(w, ";")) {
		w->at = start;
		w->told_count = told;
		w->variables_count = variables;
		made = pipe(w, input);
		expect(w, ";");
		pipe(w, &made);
	}
	expect(w, ")");
	return shape_unknown();
}

static struct shape call(struct walk *w, struct span name, const struct shape *input)
{
	bool ours = defined(w, name);

	if (next_is(w, "("))
		return !ours && (span_is(name, "any") || span_is(name, "all")) ? any_or_all(w, input)
									       : arguments(w, name, input);
	if (ours)
		return shape_unknown();
	if (jq_in_list(name, same))
		return *input;
	if (span_is(name, "first") || span_is(name, "last"))
		return shape_items(w->arena, input);
	return shape_unknown();
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

	if (peek(w)->kind == JQ_VARIABLE) {
		bind(w, take(w)->text, shape);
		return;
	}
	do {
		const struct jq_token *token = take(w);

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
	while (next_is(w, "?//"))
		pattern(w, value);
	expect(w, "|");
	shape = pipe(w, input);
	w->variables_count = before;
	return shape;
}

static struct shape condition(struct walk *w, const struct shape *input)
{
	struct shape result, other;

	pipe(w, input);
	expect(w, "then");
	result = pipe(w, input);
	if (next_is(w, "elif")) {
		other = condition(w, input);
		return shape_either(&result, &other);
	}
	other = next_is(w, "else") ? pipe(w, input) : *input;
	expect(w, "end");
	return shape_either(&result, &other);
}

static struct shape fold(struct walk *w, const struct shape *input)
{
	struct shape none = shape_unknown(), each = term(w, input);
	size_t before = w->variables_count;

	expect(w, "as");
	pattern(w, &each);
	expect(w, "(");
	pipe(w, input);
	while (!w->lost && next_is(w, ";"))
		pipe(w, &none);
	expect(w, ")");
	w->variables_count = before;
	return none;
}

/* Behind `def`: what it does is not known, as its input is not. */
static struct shape definition(struct walk *w, const struct shape *input)
{
	struct shape none = shape_unknown();
	size_t variables = w->variables_count, functions = w->functions_count;
	struct shape shape;

	if (peek(w)->kind != JQ_WORD || functions == NAMES_MAX) {
		w->lost = true;
		return none;
	}
	w->functions[w->functions_count++] = take(w)->text;
	if (next_is(w, "(")) {
		do {
			const struct jq_token *token = take(w);

			if (token->kind == JQ_VARIABLE)
				bind(w, token->text, &none);
			if (w->functions_count < NAMES_MAX)
				w->functions[w->functions_count++] = token->text;
		} while (next_is(w, ";"));
		expect(w, ")");
	}
	expect(w, ":");
	pipe(w, &none);
	expect(w, ";");
	w->variables_count = variables;
	w->functions_count = functions + 1;
	shape = pipe(w, input);
	w->functions_count = functions;
	return shape;
}

/* Of an object: the shorthands {number}, {$x}, and values. */
static void entry(struct walk *w, const struct shape *input)
{
	const struct jq_token *token = take(w);
	struct shape shape;

	if (token->kind == JQ_MARK && span_is(token->text, "(")) {
		pipe(w, input);
		expect(w, ")");
	} else if (token->kind == JQ_OPEN) {
		strings(w, input);
	} else if (token->kind == JQ_FORMAT) {
		if (peek(w)->kind == JQ_OPEN || peek(w)->kind == JQ_STRING) {
			if (take(w)->kind == JQ_OPEN)
				strings(w, input);
		}
	} else if (token->kind != JQ_WORD && token->kind != JQ_STRING && token->kind != JQ_VARIABLE &&
		   token->kind != JQ_NUMBER) {
		w->lost = true;
	}
	if (!next_is(w, ":")) {
		if (token->kind == JQ_WORD || token->kind == JQ_STRING)
			jq_field(w, input, token->text, token->offset);
		return;
	}
	shape = *input;
	do {
		next_is(w, "-");
		shape = term(w, &shape);
	} while (!w->lost && next_is(w, "|"));
}

static struct shape object(struct walk *w, const struct shape *input)
{
	while (!w->lost && !is(w, "}")) {
		entry(w, input);
		if (!next_is(w, ","))
			break;
	}
	expect(w, "}");
	return shape_unknown();
}

static struct shape variable(struct walk *w, const struct jq_token *token)
{
	for (size_t i = w->variables_count; i > 0; i--) {
		if (span_equal(w->variables[i - 1].name, token->text))
			return w->variables[i - 1].shape;
	}
	return shape_unknown();
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
		if (next_is(w, "catch"))
			term(w, &none);
		return shape;
	}
	if (span_is(name, "label")) {
		take(w);
		expect(w, "|");
		return pipe(w, input);
	}
	if (span_is(name, "break")) {
		take(w);
		return none;
	}
	return call(w, name, input);
}

static struct shape list(struct walk *w, const struct shape *input)
{
	struct shape shape = shape_unknown();

	if (next_is(w, "]"))
		return shape;
	shape = pipe(w, input);
	expect(w, "]");
	shape.lists += !shape.unknown;
	return shape;
}

static struct shape term_start(struct walk *w, const struct shape *input, bool *is_envelope)
{
	const struct jq_token *token = take(w);
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
		return peek(w)->kind == JQ_STRING ? jq_field(w, input, take(w)->text, token->offset) : *input;
	if (span_is(token->text, "..") || span_is(token->text, "$"))
		return shape;
	if (span_is(token->text, "(")) {
		shape = pipe(w, input);
		expect(w, ")");
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

	if (w->lost || ++w->depth > DEPTH_MAX) {
		w->lost = true;
		return shape;
	}
	shape = term_start(w, input, &is_envelope);
	shape = suffixes(w, shape, input, is_envelope);
	if (!w->lost && next_is(w, "as"))
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
	bool alternative;

	next_is(w, "-");
	shape = term(w, input);
	while (!w->lost) {
		if (is_any(w, updates)) {
			w->at++;
			operands(w, &shape);
			return shape_unknown();
		}
		if (!is_any(w, operators))
			break;
		alternative = is(w, "//");
		w->at++;
		next_is(w, "-");
		other = term(w, input);
		shape = alternative ? shape_either(&shape, &other) : shape_unknown();
	}
	return shape;
}

static struct shape pipe(struct walk *w, const struct shape *input)
{
	struct shape shape, other;

	if (w->lost || ++w->depth > DEPTH_MAX) {
		w->lost = true;
		return shape_unknown();
	}
	if (next_is(w, "def")) {
		shape = definition(w, input);
		w->depth--;
		return shape;
	}
	shape = operands(w, input);
	while (!w->lost && next_is(w, ",")) {
		other = operands(w, input);
		shape = shape_either(&shape, &other);
	}
	if (!w->lost && next_is(w, "|"))
		shape = pipe(w, &shape);
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
	shape = pipe(w, input);
	if (peek(w)->kind != JQ_END)
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
