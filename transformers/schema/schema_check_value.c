/* Holding a document against rules: objects and arrays. See schema_private.h. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <math.h>

/* When faults are wanted, all are looked for; else the first is enough. */
#define AND(ok, call) ((ok) = ((ok) || check->faults) ? (call) && (ok) : false)

static const struct member *find_member(const struct object_rules *object, const char *key, size_t len)
{
	uint32_t hash = member_hash(key, len);
	const struct member *member = object->buckets ? object->buckets[hash & object->mask] : NULL;

	while (member && (member->hash != hash || member->len != len || memcmp(member->key, key, len)))
		member = member->same_bucket;
	return member;
}

static bool check_name(struct check *check, const struct rule *names, const struct spot *spot)
{
	json_t *name = json_stringn_nocheck(spot->key, spot->len);
	bool naming = check->naming, ok;

	check->naming = true;
	ok = rule_check(check, names, name, spot, NULL);
	check->naming = naming;
	json_decref(name);
	return ok;
}

/* *required counts down. */
static bool check_member(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
			 struct seen *seen, size_t *required)
{
	const struct object_rules *object = rule->object;
	const struct member *member = find_member(object, spot->key, spot->len);
	bool known = member && member->rule, ok = true;

	*required -= member && member->required;
	if (object->names)
		AND(ok, check_name(check, object->names, spot));
	if (known)
		AND(ok, rule_check(check, member->rule, value, spot, NULL));
	for (size_t i = 0; i < object->patterns_count; i++) {
		int found = pattern_match(object->patterns[i].pattern, span_make(spot->key, spot->len), &check->work);

		if (found < 0)
			AND(ok, check_fault(check, rule, "patternProperties", spot,
					    "has a name that is too much work for a pattern"));
		if (found <= 0)
			continue;
		known = true;
		AND(ok, rule_check(check, object->patterns[i].rule, value, spot, NULL));
	}
	if (!known && object->others) {
		known = true;
		if (object->others->verdict == VERDICT_NEVER)
			AND(ok, fault_member(check, rule, "additionalProperties", object, spot));
		else
			AND(ok, rule_check(check, object->others, value, spot, NULL));
	}
	if (known)
		seen_mark(seen, spot->index);
	return ok;
}

static bool check_required(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot)
{
	for (size_t i = 0; check->faults && i < rule->object->members_count; i++) {
		const struct member *member = &rule->object->members[i];

		if (member->required && !json_object_getn(value, member->key, member->len))
			check_fault(check, rule, "required", spot, "misses `%.100s`", member->key);
	}
	return false;
}

static bool check_dependent(struct check *check, const struct rule *rule, const struct dependent *dependent,
			    const json_t *value, const struct spot *spot, struct seen *seen)
{
	bool ok = true;

	if (!json_object_get(value, dependent->key))
		return true;
	for (size_t i = 0; i < json_array_size(dependent->required); i++) {
		const json_t *name = json_array_get(dependent->required, i);

		if (!json_object_getn(value, json_string_value(name), json_string_length(name)))
			AND(ok, check_fault(check, rule, dependent->keyword, spot,
					    "misses `%.100s`, which must be there because `%.100s` is",
					    json_string_value(name), dependent->key));
	}
	if (dependent->rule)
		AND(ok, rule_check(check, dependent->rule, value, spot, seen));
	return ok;
}

static bool check_size(struct check *check, const struct rule *rule, const struct spot *spot, size_t n, bool object)
{
	double min = object ? rule->object->min : rule->array->min, max = object ? rule->object->max : rule->array->max;
	const char *what = object ? "member" : "item";
	bool ok = true;

	if ((double)n < min)
		AND(ok, check_fault(check, rule, object ? "minProperties" : "minItems", spot,
				    "must have at least %.0f %s%s, has %zu", min, what, min == 1 ? "" : "s", n));
	if ((double)n > max)
		AND(ok, check_fault(check, rule, object ? "maxProperties" : "maxItems", spot,
				    "must have at most %.0f %s%s, has %zu", max, what, max == 1 ? "" : "s", n));
	return ok;
}

bool check_object(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
		  struct seen *seen)
{
	const struct object_rules *object = rule->object;
	json_t *same = (json_t *)(uintptr_t)value; /* jansson iterates only over what it may change */
	size_t required = object->required_count;
	struct spot at = {.up = spot};
	bool ok = check_size(check, rule, spot, json_object_size(value), true);

	for (void *member = json_object_iter(same); member && (ok || check->faults);
	     member = json_object_iter_next(same, member), at.index++) {
		at.key = json_object_iter_key(member);
		at.len = json_object_iter_key_len(member);
		AND(ok, check_member(check, rule, json_object_iter_value(member), &at, seen, &required));
	}
	if (required)
		AND(ok, check_required(check, rule, value, spot));
	for (size_t i = 0; i < object->dependents_count; i++)
		AND(ok, check_dependent(check, rule, &object->dependents[i], value, spot, seen));
	return ok;
}

static bool check_contains(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
			   struct seen *seen)
{
	const struct array_rules *array = rule->array;
	struct schema_faults *faults = check->faults;
	struct spot at = {.up = spot};
	size_t found = 0, n = json_array_size(value);
	bool enough = false;

	check->faults = NULL;
	for (; at.index < n && !enough; at.index++)
		if (rule_check(check, array->contains, json_array_get(value, at.index), &at, NULL)) {
			found++;
			seen_mark(seen, at.index);
			enough = !seen && isinf(array->max_contains) && (double)found >= array->min_contains;
		}
	check->faults = faults;
	if ((double)found < array->min_contains)
		return check_fault(check, rule, array->min_contains == 1 ? "contains" : "minContains", spot,
				   "must have at least %.0f item%s of the form that `contains` asks for, has %zu",
				   array->min_contains, array->min_contains == 1 ? "" : "s", found);
	if ((double)found > array->max_contains)
		return check_fault(check, rule, "maxContains", spot,
				   "must have at most %.0f item%s of the form that `contains` asks for, has %zu",
				   array->max_contains, array->max_contains == 1 ? "" : "s", found);
	return true;
}

static bool check_unique(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot)
{
	size_t first = 0, second = 0;
	int twice = value_twice(value, &first, &second);

	if (twice < 0)
		return check_fault(check, rule, "uniqueItems", spot, "has too many items that look alike");
	if (twice)
		return check_fault(check, rule, "uniqueItems", spot,
				   "has the same item twice, at %zu and %zu (counting from 0)", first, second);
	return true;
}

bool check_array(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
		 struct seen *seen)
{
	const struct array_rules *array = rule->array;
	struct spot at = {.up = spot};
	size_t n = json_array_size(value);
	bool ok = check_size(check, rule, spot, n, false);

	for (; at.index < n && (ok || check->faults); at.index++) {
		const struct rule *item = at.index < array->prefix_count ? array->prefix[at.index] : array->items;

		if (!item)
			break;
		AND(ok, rule_check(check, item, json_array_get(value, at.index), &at, NULL));
		seen_mark(seen, at.index);
	}
	if (array->contains)
		AND(ok, check_contains(check, rule, value, spot, seen));
	if (array->unique && n > 1)
		AND(ok, check_unique(check, rule, value, spot));
	return ok;
}
