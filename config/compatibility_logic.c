/* Comparing what schemas say of schemas: not, if, anyOf and oneOf, and references that lead nowhere known. See
 * compatibility_private.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <string.h>

/* ---- not ------------------------------------------------------------------------------------------------------------
 */
static bool excluded(struct compare *c, const struct conj *w, const struct conj *forbidden)
{
	struct conj inner;

	if (!(w->types & forbidden->types) || forbidden->nothing)
		return true;
	for (size_t i = 0; i < w->count; i++) {
		if (!json_object_get(w->parts[i].schema, "not"))
			continue;
		conj_init(&inner);
		conj_add_below(c, &inner, &w->parts[i], "not");
		if (compare_trial(c, forbidden, &inner))
			return true;
	}
	return false;
}

static bool compare_not(struct compare *c, const struct conj *w, const struct conj *r)
{
	const struct part *had = conj_with(w, "not"), *has = conj_with(r, "not");
	struct conj forbidden, before;
	bool ok = true;

	if (!has)
		return !had || compare_say(c, DIFFERENCE_FINE, "not", "removed", had, "not", NULL,
					   "the %s version no longer forbids it", c->reader);
	for (size_t i = 0; i < r->count; i++) {
		if (!json_object_get(r->parts[i].schema, "not") || r->parts[i].skip & SKIP_IMPLIED)
			continue;
		conj_init(&forbidden);
		conj_add_below(c, &forbidden, &r->parts[i], "not");
		if (!excluded(c, w, &forbidden)) {
			ok = compare_say(c, DIFFERENCE_BREAKING, "not", had ? "extended" : "added", &r->parts[i], "not",
					 NULL, "the %s version forbids what the %s one wrote", c->reader, c->writer);
			continue;
		}
		conj_init(&before);
		if (had)
			conj_add_below(c, &before, had, "not");
		if (had && !compare_trial(c, &before, &forbidden))
			compare_say(c, DIFFERENCE_FINE, "not", "narrowed", &r->parts[i], "not", NULL,
				    "the %s version forbids less", c->reader);
	}
	return ok;
}

/* ---- if -------------------------------------------------------------------------------------------------------------
 */
static bool same_condition(struct compare *c, const struct part *one, const struct part *other)
{
	struct conj a, b;

	if (!json_object_get(one->schema, "if"))
		return false;
	conj_init(&a);
	conj_init(&b);
	conj_add_below(c, &a, one, "if");
	conj_add_below(c, &b, other, "if");
	return compare_trial(c, &a, &b) && compare_trial(c, &b, &a);
}

static bool consequence(struct compare *c, const struct conj *w, const struct part *part, const struct part *same,
			const char *keyword)
{
	struct conj wrote = conj_copy(c, w), reads, before;

	if (!json_object_get(part->schema, keyword))
		return true;
	conj_init(&reads);
	conj_init(&before);
	conj_add_below(c, &reads, part, keyword);
	if (strcmp(keyword, "then") == 0)
		conj_add_below(c, &wrote, part, "if");
	if (same) {
		conj_add_below(c, &wrote, same, keyword);
		conj_add_below(c, &before, same, keyword);
	}
	if (conj_open(&reads) || compare_trial(c, &wrote, &reads))
		return true;
	if (same) /* what it wanted before, by itself */
		return compare_subset(c, &before, &reads);
	return compare_say(c, DIFFERENCE_BREAKING, "condition", "added", part, keyword, NULL,
			   "the %s version wants more under a condition, the %s one wrote without it", c->reader,
			   c->writer);
}

static bool compare_conditions(struct compare *c, const struct conj *w, const struct conj *r)
{
	const struct part *had = conj_with(w, "if"), *has = conj_with(r, "if");
	bool ok = true;

	if (had && !has)
		return compare_say(c, DIFFERENCE_FINE, "condition", "removed", had, "if", NULL,
				   "the %s version wants the same in every case", c->reader);
	for (size_t i = 0; i < r->count; i++) {
		const struct part *part = &r->parts[i], *same = NULL;

		if (!json_object_get(part->schema, "if") || part->skip & SKIP_IMPLIED)
			continue;
		for (size_t k = 0; k < w->count && !same; k++)
			if (same_condition(c, &w->parts[k], part))
				same = &w->parts[k];
		ok &= consequence(c, w, part, same, "then");
		ok &= consequence(c, w, part, same, "else");
	}
	return ok;
}

/* ---- references that lead nowhere known
 * -------------------------------------------------------------------------------- */
static bool refers(const struct conj *conj, const char *to)
{
	for (size_t i = 0; i < conj->count; i++)
		if (conj->parts[i].opaque && strcmp(conj->parts[i].opaque, to) == 0)
			return true;
	return false;
}

static bool compare_references(struct compare *c, const struct conj *w, const struct conj *r)
{
	bool ok = true;

	for (size_t i = 0; i < r->count; i++) {
		const char *to = r->parts[i].opaque;

		if (to && !refers(w, to))
			ok = compare_say(c, DIFFERENCE_BREAKING, "reference", "changed", &r->parts[i], "$ref", NULL,
					 "%.200s is not known here, so what it says cannot be compared", to);
	}
	return ok;
}

bool compare_logic(struct compare *c, const struct conj *w, const struct conj *r)
{
	bool ok = compare_not(c, w, r);

	ok &= compare_conditions(c, w, r);
	ok &= compare_references(c, w, r);
	return ok;
}

/* ---- anyOf and oneOf
 * ---------------------------------------------------------------------------------------------------- */
static void branch(struct compare *c, const struct conj *r, const struct choice_of *choice, size_t i, struct conj *out)
{
	conj_init(out);
	conj_add_index(c, out, &r->parts[choice->part], choice->keyword, i);
}

/* How many of the choices take everything that w allows; *first is one of them. */
static size_t takers(struct compare *c, const struct conj *w, const struct conj *r, const struct choice_of *choice,
		     size_t *first)
{
	struct conj reads;
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(choice->list); i++) {
		branch(c, r, choice, i, &reads);
		if (compare_trial(c, w, &reads) && n++ == 0)
			*first = i;
	}
	return n;
}

/* A schema of our own making, kept until the comparison ends, the same for the same name. */
static const json_t *made(struct compare *c, const char *name, const char *keyword, const json_t *value)
{
	json_t *schema = json_object_get(c->made, name);

	if (schema)
		return schema;
	schema = json_object();
	json_object_set(schema, keyword, (json_t *)value);
	json_object_set_new(c->made, name, schema);
	return schema;
}

static bool some_taker(struct compare *c, const struct conj *w, const struct conj *r, const struct choice_of *choice,
		       const json_t *further)
{
	struct conj wrote = conj_copy(c, w);
	size_t first;

	conj_add(c, &wrote, further, NULL, w->parts[0].document);
	return takers(c, &wrote, r, choice, &first) > 0;
}

/* A value may be taken by one choice and the next value by another: by type, or one by one. */
static bool taken_in_pieces(struct compare *c, const struct conj *w, const struct conj *r,
			    const struct choice_of *choice)
{
	static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
	const char *keyword;
	const struct part *part = conj_values(w, &keyword);
	const json_t *list = part ? json_object_get(part->schema, keyword) : NULL, *item;
	size_t i, pieces = 0;

	if (w->count == 0)
		return false;
	if (json_is_array(list) && strcmp(keyword, "enum") == 0) {
		json_array_foreach(list, i, item)
			if (!some_taker(c, w, r, choice,
					made(c, arena_printf(c->arena, "%p", (void *)item), "const", item)))
				return false;
		return json_array_size(list) > 0;
	}
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		json_t *name = json_string(names[i]);
		const json_t *schema = made(c, names[i], "type", name);

		json_decref(name);
		if (!(w->types & types_of_name(names[i])))
			continue;
		pieces++;
		if (!some_taker(c, w, r, choice, schema))
			return false;
	}
	return pieces > 1;
}

static bool compare_choice(struct compare *c, const struct conj *w, const struct conj *r,
			   const struct choice_of *choice)
{
	const struct part *part = &r->parts[choice->part];
	const char *change = w->chosen ? "narrowed" : "added";
	struct conj reads;
	size_t first = 0, n = takers(c, w, r, choice, &first);

	if (n == 0)
		return taken_in_pieces(c, w, r, choice) ||
		       compare_say(c, DIFFERENCE_BREAKING, "union", change, part, choice->keyword, NULL,
				   "none of the %zu choices of the %s version takes all of what the %s one wrote%s",
				   json_array_size(choice->list), c->reader, c->writer,
				   w->chosen ? " under one of its own" : "");
	if (n > 1 && strcmp(choice->keyword, "oneOf") == 0 && !w->chosen && !conj_with(w, "oneOf"))
		return compare_say(c, DIFFERENCE_BREAKING, "union", "added", part, choice->keyword, NULL,
				   "what the %s version wrote fits %zu choices of the %s one, which wants exactly one",
				   c->writer, n, c->reader);
	branch(c, r, choice, first, &reads);
	c->no_fine += w->mixed || !conj_bare(r);
	compare_subset(c, w, &reads);
	c->no_fine -= w->mixed || !conj_bare(r);
	if (!w->chosen)
		compare_say(c, DIFFERENCE_FINE, "union", "extended", part, choice->keyword, NULL,
			    "the %s version has further choices", c->reader);
	return true;
}

bool compare_unions(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct choice_of choice;
	bool ok = true;

	for (size_t at = 0; conj_union(r, at, &choice);
	     at = choice.part * 2 + (strcmp(choice.keyword, "oneOf") == 0) + 1)
		ok &= compare_choice(c, w, r, &choice);
	return ok;
}
