/* Comparing what is said of arrays. See compatibility_private.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <stdint.h>

/* ---- items ----------------------------------------------------------------------------------------------------------
 */
/* The part with a schema for this position, and under which keyword. */
static const struct part *part_at(const struct conj *conj, size_t index, const char **keyword)
{
	for (size_t i = 0; i < conj->count; i++)
		if (index < json_array_size(part_prefix(&conj->parts[i], keyword)))
			return &conj->parts[i];
	return NULL;
}

static bool item_new(struct compare *c, const struct part *part, const char *keyword, const char *at,
		     const struct conj *wrote, const struct conj *reads)
{
	bool ok;

	if (wrote->nothing || (conj_open(wrote) && conj_open(reads)))
		return compare_say(c, DIFFERENCE_FINE, "item", "added", part, keyword, at,
				   "nothing that the %s version wrote is refused for it", c->writer);
	if (conj_open(wrote))
		return compare_say(c, DIFFERENCE_BREAKING, "item", "added", part, keyword, at,
				   "the %s version wrote anything at this position", c->writer);
	ok = compare_subset(c, wrote, reads);
	return compare_say(c, ok ? DIFFERENCE_FINE : DIFFERENCE_BREAKING, "item", "added", part, keyword, at,
			   ok ? "what the %s version said of further items covers it"
			      : "what the %s version said of further items is not covered by it",
			   c->writer);
}

static bool item_gone(struct compare *c, const struct part *part, const char *keyword, const char *at,
		      const struct conj *wrote, const struct conj *reads)
{
	bool ok;

	if (conj_open(reads) || wrote->nothing)
		return compare_say(c, DIFFERENCE_FINE, "item", "removed", part, keyword, at,
				   "nothing that the %s version wrote is refused for it", c->writer);
	if (reads->nothing)
		return compare_say(c, DIFFERENCE_BREAKING, "item", "removed", part, keyword, at,
				   "the %s version allows no item at this position, the %s one wrote some", c->reader,
				   c->writer);
	ok = compare_subset(c, wrote, reads);
	return compare_say(c, ok ? DIFFERENCE_FINE : DIFFERENCE_BREAKING, "item", "removed", part, keyword, at,
			   ok ? "what the %s version says of further items covers it"
			      : "what the %s version says of further items does not cover it",
			   c->reader);
}

static bool compare_position(struct compare *c, const struct conj *w, const struct conj *r, size_t index)
{
	const char *w_keyword = NULL, *r_keyword = NULL, *at = arena_printf(c->arena, "%zu", index);
	const struct part *named_w = part_at(w, index, &w_keyword), *named_r = part_at(r, index, &r_keyword);
	const struct path *before = c->field;
	struct conj wrote, reads;
	bool ok;

	conj_item(c, w, NULL, index, &wrote);
	conj_item(c, r, w, index, &reads);
	c->field = path_index(c, c->field, index);
	if (named_w && named_r)
		ok = compare_subset(c, &wrote, &reads);
	else if (named_w)
		ok = item_gone(c, named_w, w_keyword, at, &wrote, &reads);
	else
		ok = item_new(c, named_r, r_keyword, at, &wrote, &reads);
	c->field = before;
	return ok;
}

static const struct part *rest_part(const struct conj *conj, const char **keyword)
{
	static const char *const keywords[] = {"additionalItems", "items", "unevaluatedItems"};

	for (size_t i = 0; i < 3; i++) {
		const struct part *part = conj_with(conj, *keyword = keywords[i]);

		if (part && !json_is_array(json_object_get(part->schema, keywords[i])))
			return part;
	}
	return NULL;
}

static bool compare_rest(struct compare *c, const struct conj *w, const struct conj *r)
{
	const char *w_keyword, *r_keyword;
	const struct part *w_part = rest_part(w, &w_keyword), *r_part = rest_part(r, &r_keyword);
	const struct path *before = c->field;
	struct conj wrote, reads;
	bool ok;

	conj_items_rest(c, w, NULL, &wrote);
	conj_items_rest(c, r, w, &reads);
	if ((!w_part && !r_part) || (wrote.nothing && reads.nothing))
		return true;
	if (reads.nothing)
		return compare_say(c, DIFFERENCE_BREAKING, "items", "closed", r_part, r_keyword, NULL,
				   "the %s version allows no further items, the %s one wrote some", c->reader,
				   c->writer);
	if (wrote.nothing)
		return compare_say(c, DIFFERENCE_FINE, "items", "opened", r_part ? r_part : w_part,
				   r_part ? r_keyword : w_keyword, NULL, "the %s version allows further items",
				   c->reader);
	if (conj_open(&wrote) && !conj_open(&reads))
		return compare_say(c, DIFFERENCE_BREAKING, "items", "added", r_part, r_keyword, NULL,
				   "the %s version wants items of a certain form, the %s one wrote any", c->reader,
				   c->writer);
	if (!conj_open(&wrote) && conj_open(&reads))
		return compare_say(c, DIFFERENCE_FINE, "items", "removed", w_part, w_keyword, NULL,
				   "the %s version takes any items", c->reader);
	c->field = path_name(c, c->field, "[]");
	ok = compare_subset(c, &wrote, &reads);
	c->field = before;
	return ok;
}

static bool compare_items(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct bound most = conj_bound(w, "maxItems", NULL, true);
	size_t limit = most.given && most.value < 1e6 ? (size_t)most.value : SIZE_MAX, named = conj_prefix(w);
	bool ok = true;

	named = conj_prefix(r) > named ? conj_prefix(r) : named;
	for (size_t i = 0; i < named && i < limit; i++)
		ok &= compare_position(c, w, r, i);
	return limit <= named ? ok : compare_rest(c, w, r) && ok;
}

/* ---- contains -------------------------------------------------------------------------------------------------------
 */
static double contained(const struct part *part, const char *keyword, double fallback)
{
	const json_t *said = json_object_get(part->schema, keyword);

	return json_is_number(said) ? json_number_value(said) : fallback;
}

static bool contains_fewest(struct compare *c, const struct part *had, const struct part *has, const struct conj *wrote,
			    const struct conj *reads)
{
	double least = contained(has, "minContains", 1);

	if (least <= 0)
		return true;
	if (!had)
		return compare_say(c, DIFFERENCE_BREAKING, "contains", "added", has, "contains", NULL,
				   "the %s version wants some item of a certain form, the %s one wrote lists without",
				   c->reader, c->writer);
	if (!compare_subset(c, wrote, reads))
		return compare_say(c, DIFFERENCE_BREAKING, "contains", "changed", has, "contains", NULL,
				   "an item that the %s version was content with is not enough for the %s one",
				   c->writer, c->reader);
	return contained(had, "minContains", 1) >= least ||
	       compare_say(c, DIFFERENCE_BREAKING, "minContains", "raised", has, "minContains", NULL,
			   "the %s version wants at least %.15g such items", c->reader, least);
}

static bool contains_most(struct compare *c, const struct part *had, const struct part *has, const struct conj *wrote,
			  const struct conj *reads)
{
	double most = contained(has, "maxContains", -1), before = had ? contained(had, "maxContains", -1) : -1;

	if (most < 0 || (before >= 0 && before <= most && compare_trial(c, reads, wrote)))
		return true;
	return compare_say(c, DIFFERENCE_BREAKING, "maxContains", before >= 0 ? "lowered" : "added", has, "maxContains",
			   NULL, "the %s version wants at most %.15g such items, the %s one wrote more", c->reader,
			   most, c->writer);
}

static bool contains_enough(struct compare *c, const struct part *had, const struct part *has)
{
	struct conj wrote, reads;
	bool ok;

	conj_init(&wrote);
	conj_init(&reads);
	if (had)
		conj_add_below(c, &wrote, had, "contains");
	conj_add_below(c, &reads, has, "contains");
	ok = contains_fewest(c, had, has, &wrote, &reads);
	return contains_most(c, had, has, &wrote, &reads) && ok;
}

static bool some_contains_enough(struct compare *c, const struct conj *w, const struct part *has)
{
	bool found = false;

	c->trial++;
	for (size_t i = 0; i < w->count && !found; i++)
		found = json_object_get(w->parts[i].schema, "contains") && contains_enough(c, &w->parts[i], has);
	c->trial--;
	return found;
}

static bool compare_contains(struct compare *c, const struct conj *w, const struct conj *r)
{
	const struct part *had = conj_with(w, "contains");
	bool ok = true;

	if (had && !conj_with(r, "contains"))
		return compare_say(c, DIFFERENCE_FINE, "contains", "removed", had, "contains", NULL,
				   "the %s version does not look for such an item", c->reader);
	for (size_t i = 0; i < r->count; i++) {
		const struct part *has = &r->parts[i];

		if (json_object_get(has->schema, "contains") && !(has->skip & SKIP_IMPLIED) &&
		    !some_contains_enough(c, w, has))
			ok &= contains_enough(c, had, has);
	}
	return ok;
}

/* ---- sizes ----------------------------------------------------------------------------------------------------------
 */
static bool unique(const struct conj *conj, const struct part **part)
{
	for (size_t i = 0; i < conj->count; i++) {
		*part = &conj->parts[i];
		if (json_is_true(json_object_get((*part)->schema, "uniqueItems")))
			return true;
	}
	return false;
}

static bool compare_sizes(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct bound w_low = conj_bound(w, "minItems", NULL, false), r_low = conj_bound(r, "minItems", NULL, false),
		     w_high = conj_bound(w, "maxItems", NULL, true), r_high = conj_bound(r, "maxItems", NULL, true);
	const struct part *was, *is;
	bool unique_w = unique(w, &was), unique_r = unique(r, &is), ok = true;
	struct conj rest;

	conj_items_rest(c, w, NULL, &rest);
	if (rest.nothing && (!w_high.given || w_high.value > (double)conj_prefix(w)))
		w_high = (struct bound){true, false, (double)conj_prefix(w), NULL, NULL};
	if (r_low.value <= 0)
		r_low.given = false;
	if (unique_r && !unique_w && !(w_high.given && w_high.value <= 1))
		ok = compare_say(c, DIFFERENCE_BREAKING, "unique", "added", is, "uniqueItems", NULL,
				 "the %s version wants items that differ, the %s one wrote the same twice", c->reader,
				 c->writer);
	if (unique_w && !unique_r)
		compare_say(c, DIFFERENCE_FINE, "unique", "removed", was, "uniqueItems", NULL,
			    "the %s version takes the same item twice", c->reader);
	ok &= compare_bound(c, "minItems", "lists of", false, &w_low, &r_low);
	return compare_bound(c, "maxItems", "lists of", true, &w_high, &r_high) && ok;
}

bool compare_arrays(struct compare *c, const struct conj *w, const struct conj *r)
{
	bool ok = true;

	if (!(w->types & TYPE_ARRAY) || !(r->types & TYPE_ARRAY))
		return true;
	ok &= compare_sizes(c, w, r);
	ok &= compare_items(c, w, r);
	ok &= compare_contains(c, w, r);
	return ok;
}
