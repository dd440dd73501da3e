/* Comparing what is said of objects: properties in closed, open and partly open content, required, dependencies. See
 * compatibility_private.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <string.h>

static enum difference_weight unless_lenient(const struct compare *c)
{
	return c->options->lenient ? DIFFERENCE_FINE : DIFFERENCE_BREAKING;
}

/* ---- one property ---------------------------------------------------------------------------------------------------
 */
/* The part that names the property. */
static const struct part *part_naming(const struct conj *conj, const char *name)
{
	for (size_t i = 0; i < conj->count; i++)
		if (json_object_get(json_object_get(conj->parts[i].schema, "properties"), name))
			return &conj->parts[i];
	return NULL;
}

/* The writer names it, the reader does not. */
static bool property_gone(struct compare *c, const struct part *part, const char *name, const struct conj *wrote,
			  const struct conj *reads)
{
	bool ok;

	if (conj_open(reads))
		return compare_say(c, DIFFERENCE_FINE, "property", "removed", part, "properties", name,
				   "the %s version allows it still and does not look at it", c->reader);
	if (reads->nothing)
		return compare_say(c, wrote->nothing ? DIFFERENCE_FINE : DIFFERENCE_BREAKING, "property", "removed",
				   part, "properties", name,
				   wrote->nothing ? "the %s version allows no other names, and the %s one wrote none "
						    "of this"
						  : "the %s version allows no other names, the %s one wrote this",
				   c->reader, c->writer);
	ok = compare_subset(c, wrote, reads);
	return compare_say(c, ok ? DIFFERENCE_FINE : DIFFERENCE_BREAKING, "property", "removed", part, "properties",
			   name,
			   ok ? "what the %s version says of other names covers it"
			      : "what the %s version says of other names does not cover it",
			   c->reader);
}

/* The reader names it, the writer does not. */
static bool property_new(struct compare *c, const struct part *part, const char *name, const struct conj *wrote,
			 const struct conj *reads)
{
	bool ok;

	if (wrote->nothing)
		return compare_say(c, DIFFERENCE_FINE, "property", "added", part, "properties", name,
				   "the %s version allowed no such name, so none was written", c->writer);
	if (conj_open(wrote))
		return conj_open(reads)
			       ? compare_say(c, DIFFERENCE_FINE, "property", "added", part, "properties", name,
					     "the %s version allows anything there", c->reader)
			       : compare_say(c, unless_lenient(c), "property", "added", part, "properties", name,
					     "the %s version allowed any other name, so this one may have been written "
					     "with another meaning",
					     c->writer);
	ok = compare_subset(c, wrote, reads);
	return compare_say(c, ok ? DIFFERENCE_FINE : DIFFERENCE_BREAKING, "property", "added", part, "properties", name,
			   ok ? "what the %s version said of other names covers it"
			      : "what the %s version said of other names is not covered by it",
			   c->writer);
}

static bool compare_property(struct compare *c, const struct conj *w, const struct conj *r, const char *name)
{
	const struct part *named_w = part_naming(w, name), *named_r = part_naming(r, name);
	const struct path *before = c->field;
	struct conj wrote, reads;
	bool ok;

	conj_property(c, w, NULL, name, &wrote);
	conj_property(c, r, w, name, &reads);
	c->field = path_name(c, c->field, name);
	if (named_w && named_r)
		ok = compare_subset(c, &wrote, &reads);
	else if (named_w)
		ok = property_gone(c, named_w, name, &wrote, &reads);
	else
		ok = property_new(c, named_r, name, &wrote, &reads);
	c->field = before;
	return ok;
}

static bool compare_named(struct compare *c, const struct conj *w, const struct conj *r)
{
	const char *name;
	json_t *unused;
	bool ok = true;

	for (size_t i = 0; i < r->count; i++)
		json_object_foreach(json_object_get(r->parts[i].schema, "properties"), name, unused)
			if (part_naming(r, name) == &r->parts[i])
				ok &= compare_property(c, w, r, name);
	for (size_t i = 0; i < w->count; i++)
		json_object_foreach(json_object_get(w->parts[i].schema, "properties"), name, unused)
			if (part_naming(w, name) == &w->parts[i] && !part_naming(r, name))
				ok &= compare_property(c, w, r, name);
	return ok;
}

/* ---- other properties -----------------------------------------------------------------------------------------------
 */
static const struct part *rest_part(const struct conj *conj, const char **keyword)
{
	const struct part *part = conj_with(conj, *keyword = "additionalProperties");

	return part ? part : conj_with(conj, *keyword = "unevaluatedProperties");
}

static bool compare_rest(struct compare *c, const struct conj *w, const struct conj *r)
{
	const char *w_keyword, *r_keyword;
	const struct part *w_part = rest_part(w, &w_keyword), *r_part = rest_part(r, &r_keyword);
	struct conj wrote, reads;

	if (!w_part && !r_part)
		return true;
	conj_rest(c, w, NULL, &wrote);
	conj_rest(c, r, w, &reads);
	if (wrote.nothing && reads.nothing)
		return true;
	if (reads.nothing)
		return compare_say(c, unless_lenient(c), "content", "closed", r_part, r_keyword, NULL,
				   "the %s version allows no other names, the %s one wrote what it liked", c->reader,
				   c->writer);
	if (wrote.nothing)
		return compare_say(c, DIFFERENCE_FINE, "content", "opened", r_part ? r_part : w_part,
				   r_part ? r_keyword : w_keyword, NULL, "the %s version also allows other names",
				   c->reader);
	if (conj_open(&wrote) && !conj_open(&reads))
		return compare_say(c, unless_lenient(c), "content", "narrowed", r_part, r_keyword, NULL,
				   "the %s version wants other names to have a certain form, the %s one wrote any",
				   c->reader, c->writer);
	if (!conj_open(&wrote) && conj_open(&reads))
		return compare_say(c, DIFFERENCE_FINE, "content", "extended", r_part ? r_part : w_part,
				   r_part ? r_keyword : w_keyword, NULL,
				   "the %s version takes anything under other names", c->reader);
	return compare_subset(c, &wrote, &reads);
}

/* A name that only a choice or condition of the writer speaks of: to the reader it may be one that nothing looked at.
 */
static bool compare_seen(struct compare *c, const struct conj *w, const struct conj *r, const struct part *part,
			 const char *name)
{
	struct conj wrote, reads;

	if (part_naming(w, name) || part_naming(r, name))
		return true;
	conj_property(c, w, NULL, name, &wrote);
	conj_property(c, r, w, name, &reads);
	return compare_trial(c, &wrote, &reads) ||
	       compare_say(c, DIFFERENCE_BREAKING, "content", "narrowed", part, "unevaluatedProperties", NULL,
			   "a choice or a condition of the %s version allowed %s, which nothing of the %s one looks at",
			   c->writer, name, c->reader);
}

static bool compare_all_seen(struct compare *c, const struct conj *w, const struct conj *r, const struct part *part,
			     const json_t *at, int depth)
{
	const char *key;
	bool ok = true;
	json_t *value;
	size_t i;

	if (depth > 16 || (depth > 0 && (json_object_get(at, "$ref") || json_object_get(at, "$dynamicRef"))))
		return compare_say(c, DIFFERENCE_BREAKING, "content", "narrowed", part, "unevaluatedProperties", NULL,
				   "what a choice or a condition of the %s version looked at is not known",
				   c->writer);
	if (depth > 0)
		json_object_foreach(json_object_get(at, "properties"), key, value)
			ok &= compare_seen(c, w, r, part, key);
	json_object_foreach((json_t *)at, key, value) {
		if (strcmp(key, "properties") != 0 && key[0] != '$' && (json_is_object(value) || json_is_array(value)))
			ok &= compare_all_seen(c, w, r, part, value, depth + 1);
	}
	json_array_foreach(at, i, value)
		ok &= compare_all_seen(c, w, r, part, value, depth + 1);
	return ok;
}

static bool compare_unevaluated(struct compare *c, const struct conj *w, const struct conj *r)
{
	bool ok = true;

	for (size_t i = 0; i < r->count; i++) {
		const struct part *part = &r->parts[i];

		if (!json_object_get(part->schema, "unevaluatedProperties") || part->skip & SKIP_IMPLIED ||
		    part_sees_as_writer(w, part))
			continue;
		for (size_t k = 0; k < w->count; k++)
			if (conj_with(w, "unevaluatedProperties"))
				ok &= compare_all_seen(c, w, r, part, w->parts[k].schema, 0);
	}
	return ok;
}

static const struct part *part_with_pattern(const struct conj *conj, const char *pattern)
{
	for (size_t i = 0; i < conj->count; i++)
		if (json_object_get(json_object_get(conj->parts[i].schema, "patternProperties"), pattern))
			return &conj->parts[i];
	return NULL;
}

/* A name may match a pattern of the writer as well. */
static bool other_patterns(struct compare *c, const struct conj *w, const struct part *part, const char *pattern,
			   const struct conj *reads)
{
	const char *other;
	struct conj wrote;
	json_t *unused;

	for (size_t i = 0; i < w->count; i++) {
		json_object_foreach(json_object_get(w->parts[i].schema, "patternProperties"), other, unused) {
			conj_pattern(c, w, NULL, other, &wrote);
			if (!patterns_apart(pattern, other) && !compare_trial(c, &wrote, reads))
				return compare_say(c, DIFFERENCE_BREAKING, "pattern-property", "added", part,
						   "patternProperties", pattern,
						   "a name that matches it may match %.100s of the %s version, too, "
						   "and what that allowed is not taken",
						   other, c->writer);
		}
	}
	return true;
}

static bool pattern_new(struct compare *c, const struct conj *w, const struct part *part, const char *pattern,
			const struct conj *reads)
{
	struct conj wrote;

	if (!conj_open(reads) && !other_patterns(c, w, part, pattern, reads))
		return false;
	conj_rest(c, w, NULL, &wrote);
	if (wrote.nothing || conj_open(reads))
		return compare_say(c, DIFFERENCE_FINE, "pattern-property", "added", part, "patternProperties", pattern,
				   "nothing that the %s version wrote is refused for it", c->writer);
	if (conj_open(&wrote))
		return compare_say(c, unless_lenient(c), "pattern-property", "added", part, "patternProperties",
				   pattern, "the %s version allowed anything under such names", c->writer);
	return compare_subset(c, &wrote, reads);
}

static bool pattern_gone(struct compare *c, const struct conj *w, const struct conj *r, const struct part *part,
			 const char *pattern, const struct conj *wrote)
{
	struct conj reads;

	conj_rest(c, r, w, &reads);
	if (conj_open(&reads) || wrote->nothing)
		return compare_say(c, DIFFERENCE_FINE, "pattern-property", "removed", part, "patternProperties",
				   pattern, "the %s version does not look at such names", c->reader);
	if (reads.nothing)
		return compare_say(c, DIFFERENCE_BREAKING, "pattern-property", "removed", part, "patternProperties",
				   pattern, "the %s version allows no such names, the %s one wrote them", c->reader,
				   c->writer);
	return compare_subset(c, wrote, &reads);
}

static bool compare_patterns_of_names(struct compare *c, const struct conj *w, const struct conj *r)
{
	const char *pattern;
	struct conj wrote, reads;
	json_t *unused;
	bool ok = true;

	for (size_t i = 0; i < r->count; i++) {
		json_object_foreach(json_object_get(r->parts[i].schema, "patternProperties"), pattern, unused) {
			if (part_with_pattern(r, pattern) != &r->parts[i])
				continue;
			conj_pattern(c, r, w, pattern, &reads);
			ok &= conj_pattern(c, w, NULL, pattern, &wrote)
				      ? compare_subset(c, &wrote, &reads)
				      : pattern_new(c, w, &r->parts[i], pattern, &reads);
		}
	}
	for (size_t i = 0; i < w->count; i++) {
		json_object_foreach(json_object_get(w->parts[i].schema, "patternProperties"), pattern, unused) {
			if (part_with_pattern(w, pattern) != &w->parts[i] || part_with_pattern(r, pattern))
				continue;
			conj_pattern(c, w, NULL, pattern, &wrote);
			ok &= pattern_gone(c, w, r, &w->parts[i], pattern, &wrote);
		}
	}
	return ok;
}

static bool compare_property_names(struct compare *c, const struct conj *w, const struct conj *r)
{
	const struct part *had = conj_with(w, "propertyNames"), *has = conj_with(r, "propertyNames");
	struct conj wrote, reads;

	if (!has)
		return !had || compare_say(c, DIFFERENCE_FINE, "names", "removed", had, "propertyNames", NULL,
					   "the %s version takes any name", c->reader);
	conj_init(&wrote);
	conj_init(&reads);
	for (size_t i = 0; i < w->count; i++)
		conj_add_below(c, &wrote, &w->parts[i], "propertyNames");
	for (size_t i = 0; i < r->count; i++)
		conj_add_below(c, &reads, &r->parts[i], "propertyNames");
	wrote.types &= TYPE_STRING;
	if (!had && !conj_open(&reads))
		return compare_say(c, DIFFERENCE_BREAKING, "names", "added", has, "propertyNames", NULL,
				   "the %s version wants names of a certain form, the %s one wrote any", c->reader,
				   c->writer);
	return compare_subset(c, &wrote, &reads);
}

/* ---- required and dependent
 * -------------------------------------------------------------------------------------------- */
static bool lists(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
			return true;
	return false;
}

static bool required(const struct conj *conj, const char *name)
{
	for (size_t i = 0; i < conj->count; i++)
		if (lists(json_object_get(conj->parts[i].schema, "required"), name))
			return true;
	return false;
}

static bool has_default(struct compare *c, const struct conj *r, const char *name)
{
	struct conj reads;

	conj_property(c, r, r, name, &reads);
	return conj_with(&reads, "default") != NULL;
}

static bool newly_required(struct compare *c, const struct conj *w, const struct conj *r, const struct part *part,
			   const char *name)
{
	if (!c->trial && !part_naming(w, name) && !part_naming(r, name) && json_object_get(part->schema, "properties"))
		return compare_say(c, DIFFERENCE_SUSPECT, "required", "added", part, "required", NULL,
				   "%s is required, yet no property of that name is described; schema registries do "
				   "not look at it",
				   name);
	if (has_default(c, r, name))
		return compare_say(c, DIFFERENCE_FINE, "required", "added", part, "required", NULL,
				   "%s is required by the %s version, which has a default for it", name, c->reader);
	return compare_say(c, DIFFERENCE_BREAKING, "required", "added", part, "required", NULL,
			   "%s is required by the %s version, the %s one wrote documents without it", name, c->reader,
			   c->writer);
}

static bool compare_required(struct compare *c, const struct conj *w, const struct conj *r)
{
	const json_t *item;
	bool ok = true;
	size_t i, k;

	for (i = 0; i < r->count; i++)
		json_array_foreach(json_object_get(r->parts[i].schema, "required"), k, item)
			if (json_is_string(item) && !required(w, json_string_value(item)))
				ok &= newly_required(c, w, r, &r->parts[i], json_string_value(item));
	for (i = 0; i < w->count; i++)
		json_array_foreach(json_object_get(w->parts[i].schema, "required"), k, item)
			if (json_is_string(item) && !required(r, json_string_value(item)))
				compare_say(c, DIFFERENCE_FINE, "required", "removed", &w->parts[i], "required", NULL,
					    "the %s version does without %s", c->reader, json_string_value(item));
	return ok;
}

/* `dependencies` of older drafts holds lists of names and schemas side by side. */
static const char *const lists_of_names[] = {"dependentRequired", "dependencies"};
static const char *const schemas[] = {"dependentSchemas", "dependencies"};

static bool depends(const struct conj *conj, const char *name, const char *on)
{
	for (size_t i = 0; i < conj->count; i++)
		for (size_t k = 0; k < 2; k++)
			if (lists(json_object_get(json_object_get(conj->parts[i].schema, lists_of_names[k]), name), on))
				return true;
	return false;
}

static bool dependency_list(struct compare *c, const struct conj *w, const struct conj *r, const struct part *part,
			    const char *keyword, const char *name, const json_t *list)
{
	const char *missing = "";
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *on = json_string_value(item);

		if (on && !depends(w, name, on) && !required(w, on))
			missing = arena_printf(c->arena, "%s%s%s", missing, *missing ? ", " : "", on);
	}
	(void)r;
	return !*missing || compare_say(c, DIFFERENCE_BREAKING, "dependent", "added", part, keyword, name,
					"the %s version wants %s beside %s, the %s one wrote documents without",
					c->reader, missing, name, c->writer);
}

static void add_dependent(struct compare *c, const struct conj *conj, const char *name, struct conj *out)
{
	for (size_t i = 0; i < conj->count; i++)
		for (size_t k = 0; k < 2; k++)
			if (!json_is_array(json_object_get(json_object_get(conj->parts[i].schema, schemas[k]), name)))
				conj_add_name(c, out, &conj->parts[i], schemas[k], name);
}

static bool dependency_schema(struct compare *c, const struct conj *w, const struct conj *r, const struct part *part,
			      const char *keyword, const char *name)
{
	struct conj wrote, reads;

	conj_init(&wrote);
	conj_init(&reads);
	add_dependent(c, w, name, &wrote);
	add_dependent(c, r, name, &reads);
	if (compare_trial(c, w, &reads))
		return true;
	if (conj_open(&wrote))
		return compare_say(c, DIFFERENCE_BREAKING, "dependent", "added", part, keyword, name,
				   "the %s version looks closer at documents with %s, the %s one wrote any", c->reader,
				   name, c->writer);
	return compare_subset(c, &wrote, &reads);
}

static bool compare_dependencies(struct compare *c, const struct conj *w, const struct conj *r)
{
	static const char *const keywords[] = {"dependentRequired", "dependentSchemas", "dependencies"};
	const char *name;
	bool ok = true;
	json_t *value;

	for (size_t i = 0; i < r->count * 3; i++) {
		const struct part *part = &r->parts[i / 3];

		json_object_foreach(json_object_get(part->schema, keywords[i % 3]), name, value)
			ok &= json_is_array(value) ? dependency_list(c, w, r, part, keywords[i % 3], name, value)
						   : dependency_schema(c, w, r, part, keywords[i % 3], name);
	}
	for (size_t i = 0; i < w->count * 3; i++) {
		const struct part *part = &w->parts[i / 3];

		json_object_foreach(json_object_get(part->schema, keywords[i % 3]), name, value) {
			bool still = false;

			for (size_t k = 0; k < r->count * 3; k++)
				still |= json_object_get(json_object_get(r->parts[k / 3].schema, keywords[k % 3]),
							 name) != NULL;
			if (!still)
				compare_say(c, DIFFERENCE_FINE, "dependent", "removed", part, keywords[i % 3], name,
					    "the %s version no longer looks at what stands beside %s", c->reader, name);
		}
	}
	return ok;
}

/* ---- how many
 * ---------------------------------------------------------------------------------------------------------- */
static size_t required_count(const struct conj *conj)
{
	size_t most = 0;

	for (size_t i = 0; i < conj->count; i++) {
		size_t n = json_array_size(json_object_get(conj->parts[i].schema, "required"));

		most = n > most ? n : most;
	}
	return most;
}

/* Closed content has at most so many names; SIZE_MAX: any number. */
static size_t names_count(const struct conj *conj)
{
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < conj->count; i++) {
		const json_t *schema = conj->parts[i].schema;
		size_t n = json_object_size(json_object_get(schema, "properties"));

		if (json_is_false(json_object_get(schema, "additionalProperties")) &&
		    !json_object_size(json_object_get(schema, "patternProperties")) && n < least)
			least = n;
	}
	return least;
}

static bool compare_counts(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct bound w_low = conj_bound(w, "minProperties", NULL, false),
		     r_low = conj_bound(r, "minProperties", NULL, false),
		     w_high = conj_bound(w, "maxProperties", NULL, true),
		     r_high = conj_bound(r, "maxProperties", NULL, true);
	size_t least = required_count(w), most = names_count(w);
	bool ok;

	if (least && (!w_low.given || w_low.value < (double)least))
		w_low = (struct bound){true, false, (double)least, NULL, NULL};
	if (most != SIZE_MAX && (!w_high.given || w_high.value > (double)most))
		w_high = (struct bound){true, false, (double)most, NULL, NULL};
	if (r_low.value <= 0)
		r_low.given = false;
	ok = compare_bound(c, "minProperties", "objects with", false, &w_low, &r_low);
	return compare_bound(c, "maxProperties", "objects with", true, &w_high, &r_high) && ok;
}

bool compare_objects(struct compare *c, const struct conj *w, const struct conj *r)
{
	bool ok = true;

	if (!(w->types & TYPE_OBJECT) || !(r->types & TYPE_OBJECT))
		return true;
	ok &= compare_required(c, w, r);
	ok &= compare_named(c, w, r);
	ok &= compare_patterns_of_names(c, w, r);
	ok &= compare_rest(c, w, r);
	ok &= compare_unevaluated(c, w, r);
	ok &= compare_property_names(c, w, r);
	ok &= compare_dependencies(c, w, r);
	ok &= compare_counts(c, w, r);
	return ok;
}
