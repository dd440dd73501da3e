/* What is known of jq's functions: which input their arguments see, and what they give. See jq_walk.h. */
#include "config.h"
#include "config/jq_walk_private.h"

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
	result = jq_pipe(w, each ? &items : here ? input : &none);
	while (!w->lost && jq_next_is(w, ";")) {
		last = jq_pipe(w, here ? input : &none);
		n++;
	}
	jq_expect(w, ")");
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
	struct shape items = shape_items(w->arena, input), made = jq_pipe(w, &items);

	if (jq_next_is(w, ";")) {
		w->at = start;
		w->told_count = told;
		w->variables_count = variables;
		made = jq_pipe(w, input);
		jq_expect(w, ";");
		jq_pipe(w, &made);
	}
	jq_expect(w, ")");
	return shape_unknown();
}

/* Behind `with_entries(`: is it `select(…))`, which keeps some of the keys and makes none? */
static bool only_selects(const struct walk *w)
{
	const struct jq_token *token = jq_peek(w);
	int open = 0;

	if (token->kind != JQ_WORD || !span_is(token->text, "select"))
		return false;
	for (token++; token->kind != JQ_END; token++) {
		open += token->kind == JQ_MARK && span_is(token->text, "(");
		open -= token->kind == JQ_MARK && span_is(token->text, ")");
		if (open == 0)
			return token[1].kind == JQ_MARK && span_is(token[1].text, ")");
	}
	return false;
}

struct shape jq_call(struct walk *w, struct span name, const struct shape *input)
{
	bool ours = defined(w, name), selects;
	struct shape result;

	if (jq_next_is(w, "(")) {
		if (!ours && (span_is(name, "any") || span_is(name, "all")))
			return any_or_all(w, input);
		selects = !ours && span_is(name, "with_entries") && only_selects(w);
		result = arguments(w, name, input);
		return selects ? *input : result;
	}
	if (ours)
		return shape_unknown();
	if (jq_in_list(name, same))
		return *input;
	if (span_is(name, "empty"))
		return (struct shape){.none = true, .path = ""};
	if (span_is(name, "first") || span_is(name, "last"))
		return shape_items(w->arena, input);
	return shape_unknown();
}
