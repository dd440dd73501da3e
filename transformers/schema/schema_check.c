/* Holding a document against rules: what is common to all kinds of values, and the keywords that combine schemas. See
 * schema_private.h; objects, arrays, texts and numbers are in schema_check_value.c.
 *
 * A document is first only asked whether it fits; what is wrong is found in a second walk, which need not be fast. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <stdlib.h>

#define EXPLAIN_DEPTH_MAX 4 /* of anyOf within anyOf: each is walked once more to be explained */

/* ---- what was evaluated */
void seen_mark(struct seen *seen, size_t i)
{
	if (!seen)
		return;
	if (seen->count <= 64)
		seen->few |= (uint64_t)1 << i;
	else
		seen->many[i / 64] |= (uint64_t)1 << i % 64;
}

bool seen_has(const struct seen *seen, size_t i)
{
	return seen->count <= 64 ? seen->few >> i & 1 : seen->many[i / 64] >> i % 64 & 1;
}

static struct seen seen_new(const json_t *value)
{
	struct seen seen = {.count = json_is_object(value) ? json_object_size(value) : json_array_size(value)};

	if (seen.count > 64)
		seen.many = mem_alloc((seen.count / 64 + 1) * sizeof *seen.many);
	return seen;
}

/* into NULL: nobody asks. */
static void seen_end(struct seen *seen, struct seen *into)
{
	if (into) {
		into->few |= seen->few;
		for (size_t i = 0; seen->many && i < seen->count / 64 + 1; i++)
			into->many[i] |= seen->many[i];
	}
	free(seen->many);
	seen->many = NULL;
}

/* ---- one branch of several */
/* What a branch that does not fit has evaluated does not count. */
static bool branch(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
		   struct seen *seen)
{
	struct schema_faults *faults = check->faults;
	struct seen own;
	bool fits;

	check->faults = NULL;
	if (seen)
		own = seen_new(value);
	fits = rule_check(check, rule, value, spot, seen ? &own : NULL);
	if (seen)
		seen_end(&own, fits ? seen : NULL);
	check->faults = faults;
	return fits;
}

/* How far a branch is from fitting. The wrong kind of value, or another value where the schema wants a constant, says
 * that another branch was meant; then what is least wrong. */
static size_t distance(const struct schema_faults *faults, size_t depth)
{
	size_t sum = faults->count + (faults->more ? 10 : 0);

	for (size_t i = 0; i < faults->count; i++) {
		const struct schema_fault *fault = &faults->list[i];
		size_t slashes = 0;

		for (const char *p = fault->instance; *p; p++)
			slashes += *p == '/';
		if (slashes == depth && (!strcmp(fault->keyword, "type") || !fault->keyword[0]))
			sum += 10000;
		if (slashes <= depth + 1 && (!strcmp(fault->keyword, "const") || !strcmp(fault->keyword, "enum")))
			sum += 100;
	}
	return sum;
}

/* Takes what is wrong with the branch that comes nearest. Returns its number, or -1. */
static long nearest(struct check *check, const struct rule_list *list, const json_t *value, const struct spot *spot,
		    struct schema_faults *best)
{
	struct schema_faults *faults = check->faults;
	size_t depth = 0, least = 0;
	long found = -1;

	for (const struct spot *at = spot; at->up; at = at->up)
		depth++;
	for (size_t i = 0; i < list->count && check->explaining < EXPLAIN_DEPTH_MAX; i++) {
		struct schema_faults some = {.count = 0};
		size_t far;

		check->faults = &some;
		check->explaining++;
		rule_check(check, list->items[i], value, spot, NULL);
		check->explaining--;
		far = distance(&some, depth);
		if (found < 0 || far < least) {
			schema_faults_free(best);
			*best = some;
			least = far;
			found = (long)i;
		} else {
			schema_faults_free(&some);
		}
	}
	check->faults = faults;
	return least < 10000 ? found : -1; /* none was meant */
}

static void take_faults(struct check *check, struct schema_faults *from)
{
	for (size_t i = 0; i < from->count; i++)
		fault_put(check->faults, from->list[i].instance, from->list[i].schema, from->list[i].keyword,
			  from->list[i].message);
	check->faults->more = check->faults->more || from->more;
	from->count = 0;
}

/* The types that some form allows; 0 when one allows any. */
static unsigned allowed_types(const struct rule_list *list)
{
	unsigned types = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct rule *rule = list->items[i];

		for (int n = 0; n < 10 && !rule->types && rule->logic && rule->logic->reference; n++)
			rule = rule->logic->reference;
		if (!rule->types)
			return 0;
		types |= rule->types;
	}
	return types;
}

static bool none_fits(struct check *check, const struct rule *rule, const char *keyword, const struct rule_list *list,
		      const json_t *value, const struct spot *spot)
{
	struct schema_faults why = {.count = 0};
	unsigned types = allowed_types(list);
	const char *title = NULL;
	long best;

	if (!check->faults || check->overrun)
		return false;
	best = nearest(check, list, value, spot, &why);
	if (best >= 0)
		title = json_string_value(json_object_get(list->items[best]->json, "title"));
	if (list->count == 1 && best >= 0)
		;
	else if (best < 0 && types)
		fault_type(check, rule, keyword, types, value, spot);
	else if (best < 0)
		check_fault(check, rule, keyword, spot, "fits none of the %zu forms that are allowed here",
			    list->count);
	else
		check_fault(check, rule, keyword, spot,
			    "fits none of the %zu forms that are allowed here; it comes nearest to form %ld%s%.60s%s",
			    list->count, best + 1, title ? " (" : "", title ? title : "", title ? ")" : "");
	if (best >= 0)
		take_faults(check, &why);
	schema_faults_free(&why);
	return false;
}

/* ---- the keywords that combine schemas */
static bool check_any(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
		      struct seen *seen)
{
	const struct rule_list *list = &rule->logic->any;
	bool fits = false;

	for (size_t i = 0; i < list->count && (!fits || seen); i++)
		fits = branch(check, list->items[i], value, spot, seen) || fits;
	return fits || none_fits(check, rule, "anyOf", list, value, spot);
}

static bool check_one(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
		      struct seen *seen)
{
	const struct rule_list *list = &rule->logic->one;
	size_t first = list->count, i;

	for (i = 0; i < list->count; i++) {
		if (!branch(check, list->items[i], value, spot, seen))
			continue;
		if (first < list->count)
			return check_fault(
				check, rule, "oneOf", spot,
				"fits forms %zu and %zu of those that are allowed here, and must fit only one",
				first + 1, i + 1);
		first = i;
	}
	return first < list->count || none_fits(check, rule, "oneOf", list, value, spot);
}

static const struct rule *dynamic_target(const struct check *check, const struct logic_rules *logic)
{
	const struct rule *target = logic->dynamic_reference;

	for (const struct scope *scope = check->scope; logic->dynamic_name && scope; scope = scope->up)
		for (const struct anchor *anchor = scope->resource->anchors; anchor; anchor = anchor->next)
			if (anchor->dynamic && !strcmp(anchor->name, logic->dynamic_name))
				target = anchor->rule; /* the outermost is met last */
	return target;
}

static bool check_condition(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
			    struct seen *seen)
{
	const struct logic_rules *logic = rule->logic;
	const struct rule *next;

	if (!logic->condition || (!logic->then && !logic->otherwise && !seen))
		return true;
	next = branch(check, logic->condition, value, spot, seen) ? logic->then : logic->otherwise;
	return !next || rule_check(check, next, value, spot, seen);
}

/* `else if` would stop at the first; when faults are wanted, all are. */
#define AND(ok, call) ((ok) = ((ok) || check->faults) ? (call) && (ok) : false)

static bool check_logic(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
			struct seen *seen)
{
	const struct logic_rules *logic = rule->logic;
	bool ok = true;

	if (logic->reference)
		AND(ok, rule_check(check, logic->reference, value, spot, seen));
	if (logic->dynamic_reference)
		AND(ok, rule_check(check, dynamic_target(check, logic), value, spot, seen));
	for (size_t i = 0; i < logic->all.count; i++)
		AND(ok, rule_check(check, logic->all.items[i], value, spot, seen));
	if (logic->any.count)
		AND(ok, check_any(check, rule, value, spot, seen));
	if (logic->one.count)
		AND(ok, check_one(check, rule, value, spot, seen));
	if (logic->not )
		AND(ok, !branch(check, logic->not, value, spot, NULL) ||
				check_fault(check, rule, "not", spot, "has a form that is not allowed here"));
	AND(ok, check_condition(check, rule, value, spot, seen));
	return ok;
}

/* ---- any value */
static bool fits_type(const struct rule *rule, const json_t *value)
{
	static const unsigned bits[] = {
		[JSON_OBJECT] = 1u << KIND_OBJECT, [JSON_ARRAY] = 1u << KIND_ARRAY,
		[JSON_STRING] = 1u << KIND_STRING, [JSON_INTEGER] = 1u << KIND_NUMBER | 1u << KIND_INTEGER,
		[JSON_REAL] = 1u << KIND_NUMBER,   [JSON_TRUE] = 1u << KIND_BOOLEAN,
		[JSON_FALSE] = 1u << KIND_BOOLEAN, [JSON_NULL] = 1u << KIND_NULL,
	};

	return !rule->types || rule->types & bits[json_typeof(value)] ||
	       (rule->types & 1u << KIND_INTEGER && json_is_real(value) && number_is_whole(value));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool fits_enum(const struct rule *rule, const json_t *value)
{
	size_t n = json_array_size(rule->enumeration);

	if (json_is_string(value) && rule->texts_count &&
	    !memchr(json_string_value(value), 0, json_string_length(value)) &&
	    bsearch(json_string_value(value), rule->texts, rule->texts_count, sizeof *rule->texts, by_text))
		return true;
	if (json_is_string(value) && rule->texts_count == n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (value_same(json_array_get(rule->enumeration, i), value))
			return true;
	return false;
}

static bool check_text(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot)
{
	const struct text_rules *text = rule->text;
	struct span span = span_make(json_string_value(value), json_string_length(value));
	double length = text->min > 0 || text->max < (double)span.len ? (double)text_length(value) : 0;
	bool ok = true;
	int found = text->pattern ? pattern_match(text->pattern, span, &check->work) : 1;

	if (text->min > length)
		AND(ok, fault_text(check, rule, "minLength", value, spot));
	if (text->max < length)
		AND(ok, fault_text(check, rule, "maxLength", value, spot));
	if (found == 0)
		AND(ok, fault_text(check, rule, "pattern", value, spot));
	if (found < 0)
		AND(ok, check_fault(check, rule, "pattern", spot, "is too long, or too much work, for its pattern"));
	if (text->format && !text->format->fits(span))
		AND(ok, fault_text(check, rule, "format", value, spot));
	return ok;
}

static bool check_number(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot)
{
	const struct number_rules *number = rule->number;
	bool ok = true;

	if (number->min && number_compare(value, number->min) < 0)
		AND(ok, fault_bound(check, rule, "minimum", number->min, value, spot));
	if (number->max && number_compare(value, number->max) > 0)
		AND(ok, fault_bound(check, rule, "maximum", number->max, value, spot));
	if (number->above && number_compare(value, number->above) <= 0)
		AND(ok, fault_bound(check, rule, "exclusiveMinimum", number->above, value, spot));
	if (number->below && number_compare(value, number->below) >= 0)
		AND(ok, fault_bound(check, rule, "exclusiveMaximum", number->below, value, spot));
	if (number->multiple && !number_is_multiple(value, number->multiple))
		AND(ok, fault_bound(check, rule, "multipleOf", number->multiple, value, spot));
	return ok;
}

/* What nothing has evaluated yet. */
static bool check_unevaluated(struct check *check, const struct rule *rule, const struct rule *below,
			      const json_t *value, const struct spot *spot, struct seen *seen)
{
	json_t *same = (json_t *)(uintptr_t)value;
	struct spot at = {.up = spot};
	bool ok = true, object = json_is_object(value);
	void *member = object ? json_object_iter(same) : NULL;

	for (at.index = 0; at.index < seen->count; at.index++) {
		const json_t *part = object ? json_object_iter_value(member) : json_array_get(value, at.index);

		if (object) {
			at.key = json_object_iter_key(member);
			at.len = json_object_iter_key_len(member);
			member = json_object_iter_next(same, member);
		}
		if (seen_has(seen, at.index))
			continue;
		AND(ok, rule_check(check, below, part, &at, NULL));
		seen_mark(seen, at.index);
		if (!ok && !check->faults)
			break;
	}
	return ok;
}

static bool check_rules(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
			struct seen *seen)
{
	bool ok = true;

	if (!fits_type(rule, value))
		return fault_type(check, rule, "type", rule->types, value,
				  spot); /* nothing else about it is worth telling */
	if (rule->enumeration && !fits_enum(rule, value))
		AND(ok, fault_enum(check, rule, value, spot));
	if (rule->constant && !value_same(rule->constant, value))
		AND(ok, fault_const(check, rule, value, spot));
	if (json_is_object(value) && rule->object)
		AND(ok, check_object(check, rule, value, spot, seen));
	else if (json_is_array(value) && rule->array)
		AND(ok, check_array(check, rule, value, spot, seen));
	else if (json_is_string(value) && rule->text)
		AND(ok, check_text(check, rule, value, spot));
	else if (json_is_number(value) && rule->number)
		AND(ok, check_number(check, rule, value, spot));
	if (rule->logic)
		AND(ok, check_logic(check, rule, value, spot, seen));
	return ok;
}

static bool overrun(struct check *check, const char *what)
{
	if (!check->overrun)
		check->overrun = what;
	return false;
}

bool rule_check(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot,
		struct seen *seen)
{
	const struct rule *below = json_is_object(value)  ? rule->unevaluated_members
				   : json_is_array(value) ? rule->unevaluated_items
							  : NULL;
	struct scope scope = {check->scope, rule->resource};
	struct seen own;
	bool ok, hidden;

	if (rule->verdict == VERDICT_ALWAYS)
		return true;
	if (rule->verdict == VERDICT_NEVER)
		return check_fault(check, rule, NULL, spot, "is not allowed here");
	if (check->overrun || (check->faults && check->faults->more))
		return false;
	if (++check->work > check->work_max)
		return overrun(check, "takes too much work to be held against its schema");
	if (check->depth >= SCHEMA_DEPTH_MAX)
		return overrun(check, "is nested too deep for its schema, or the schema refers to itself without end");
	hidden = rule->secret || (rule->logic && rule->logic->reference && rule->logic->reference->secret);
	check->secret += hidden;
	check->depth++;
	if (!scope.up || scope.up->resource != rule->resource)
		check->scope = &scope;
	if (below) /* what others have evaluated is not this schema's affair */
		own = seen_new(value);
	ok = check_rules(check, rule, value, spot, below ? &own : seen);
	if (below) {
		/* What did not fit has evaluated nothing, which is no fault of what is left over. */
		ok = ok && check_unevaluated(check, rule, below, value, spot, &own);
		seen_end(&own, ok ? seen : NULL);
	}
	check->scope = scope.up;
	check->depth--;
	check->secret -= hidden;
	return ok;
}
