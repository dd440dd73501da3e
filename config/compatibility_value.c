/* Comparing what is said of single values: enum, limits, multipleOf, pattern, format, and what only explains. See
 * compatibility_private.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- enum and const -----------------------------------------------------------------------------------------------
 */
const struct part *conj_values(const struct conj *conj, const char **keyword)
{
	*keyword = "const";
	if (conj_with(conj, "const"))
		return conj_with(conj, "const");
	*keyword = "enum";
	return conj_with(conj, "enum");
}

/* 5 and 5.0 are the same. */
static bool same_value(const json_t *one, const json_t *other)
{
	return json_equal(one, other) ||
	       (json_is_number(one) && json_is_number(other) && !(json_is_integer(one) && json_is_integer(other)) &&
		json_number_value(one) == json_number_value(other));
}

static bool among(const json_t *list, const json_t *value)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		if (same_value(item, value))
			return true;
	}
	return false;
}

static bool part_allows(const struct part *part, const json_t *value)
{
	const json_t *one = json_object_get(part->schema, "const"), *list = json_object_get(part->schema, "enum");

	return (!one || same_value(one, value)) && (!list || among(list, value));
}

static bool allows(const struct conj *conj, const json_t *value)
{
	if (!(conj->types & type_of_value(value)))
		return false;
	for (size_t i = 0; i < conj->count; i++)
		if (!part_allows(&conj->parts[i], value))
			return false;
	return true;
}

/* Calls back for each value that the conjunction allows by enum or const; stops at false. */
static bool each_value(const struct conj *conj, bool (*each)(void *, const json_t *), void *arg)
{
	const char *keyword;
	const struct part *part = conj_values(conj, &keyword);
	const json_t *said = part ? json_object_get(part->schema, keyword) : NULL, *item;
	size_t i;

	if (said && strcmp(keyword, "const") == 0)
		return !allows(conj, said) || each(arg, said);
	json_array_foreach(said, i, item) {
		if (allows(conj, item) && !each(arg, item))
			return false;
	}
	return true;
}

struct lost {
	struct compare *c;
	const struct conj *other;
	const char *text;
	size_t count;
};

static bool note_lost(void *arg, const json_t *value)
{
	struct lost *lost = arg;
	char *text;

	if (allows(lost->other, value))
		return true;
	if (lost->count++ < 5) {
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		lost->text = arena_printf(lost->c->arena, "%s%s%.60s", lost->text, *lost->text ? ", " : "",
					  text ? text : "?");
		free(text);
	}
	return true;
}

static struct lost lost_of(struct compare *c, const struct conj *from, const struct conj *other)
{
	struct lost lost = {c, other, "", 0};

	each_value(from, note_lost, &lost);
	if (lost.count > 5)
		lost.text = arena_printf(c->arena, "%s and %zu more", lost.text, lost.count - 5);
	return lost;
}

static bool all_booleans(const struct conj *w, const struct conj *r)
{
	return !(w->types & ~(unsigned)(TYPE_BOOLEAN | TYPE_NULL)) &&
	       (!(w->types & TYPE_BOOLEAN) || (allows(r, json_true()) && allows(r, json_false()))) &&
	       (!(w->types & TYPE_NULL) || allows(r, json_null()));
}

static bool compare_enum(struct compare *c, const struct conj *w, const struct conj *r)
{
	const char *wrote, *reads;
	const struct part *from = conj_values(w, &wrote), *to = conj_values(r, &reads);
	struct lost lost, won;

	if (!from && !to)
		return true;
	if (!to)
		return compare_say(c, DIFFERENCE_FINE, wrote, "removed", from, wrote, NULL,
				   "the %s version takes other values too", c->reader);
	if (!from)
		return all_booleans(w, r) ||
		       compare_say(c, DIFFERENCE_BREAKING, reads, "added", to, reads, NULL,
				   "the %s version takes only some values, the %s one wrote any", c->reader, c->writer);
	lost = lost_of(c, w, r);
	won = lost_of(c, r, w);
	if (lost.count)
		return compare_say(c, DIFFERENCE_BREAKING, reads, strcmp(reads, "const") == 0 ? "changed" : "narrowed",
				   to, reads, NULL, "the %s version does not take %s, which the %s one wrote",
				   c->reader, lost.text, c->writer);
	if (won.count)
		compare_say(c, DIFFERENCE_FINE, reads, "extended", to, reads, NULL, "the %s version also takes %s",
			    c->reader, won.text);
	return true;
}

/* ---- limits ---------------------------------------------------------------------------------------------------------
 */
static void tighten(struct bound *bound, double value, bool exclusive, bool upper, const struct part *part,
		    const char *keyword)
{
	if (bound->given && (upper ? value > bound->value : value < bound->value))
		return;
	if (bound->given && value == bound->value && (bound->exclusive || !exclusive))
		return;
	*bound = (struct bound){true, exclusive, value, part, keyword};
}

struct bound conj_bound(const struct conj *conj, const char *inclusive, const char *exclusive, bool upper)
{
	struct bound bound = {0};

	for (size_t i = 0; i < conj->count; i++) {
		const struct part *part = &conj->parts[i];
		const json_t *limit = json_object_get(part->schema, inclusive),
			     *strict = exclusive ? json_object_get(part->schema, exclusive) : NULL;

		if (json_is_number(limit)) /* draft 4: exclusiveMaximum is a truth value */
			tighten(&bound, json_number_value(limit), json_is_true(strict), upper, part, inclusive);
		if (json_is_number(strict))
			tighten(&bound, json_number_value(strict), true, upper, part, exclusive);
	}
	return bound;
}

/* Stricter than the other: forbids something that the other allows. */
static bool stricter(const struct bound *one, const struct bound *other, bool upper)
{
	if (!one->given || !other->given)
		return one->given;
	if (one->value != other->value)
		return upper ? one->value < other->value : one->value > other->value;
	return one->exclusive && !other->exclusive;
}

bool compare_bound(struct compare *c, const char *family, const char *what, bool upper, const struct bound *w,
		   const struct bound *r)
{
	const char *limit = upper ? "at most" : "at least", *beyond = upper ? "more" : "less";

	if (stricter(r, w, upper)) {
		if (!w->given)
			return compare_say(c, DIFFERENCE_BREAKING, family, "added", r->part, r->keyword, NULL,
					   "the %s version takes %s %s %.15g, the %s one wrote without such a limit",
					   c->reader, what, r->exclusive ? beyond : limit, r->value, c->writer);
		return compare_say(c, DIFFERENCE_BREAKING, family, upper ? "lowered" : "raised", r->part, r->keyword,
				   NULL, "the %s version takes %s %s %.15g, the %s one wrote up to %.15g", c->reader,
				   what, limit, r->value, c->writer, w->value);
	}
	if (!w->part || !stricter(w, r, upper))
		return true;
	if (!r->given)
		return compare_say(c, DIFFERENCE_FINE, family, "removed", w->part, w->keyword, NULL,
				   "the %s version has no such limit", c->reader);
	return compare_say(c, DIFFERENCE_FINE, family, upper ? "raised" : "lowered", r->part, r->keyword, NULL,
			   "the %s version takes %s %s %.15g, wider than %.15g before", c->reader, what, limit,
			   r->value, w->value);
}

struct range {
	double low, high;
	bool any, numbers;
};

/* Code points of UTF-8 that jansson has checked. */
static size_t characters(const json_t *text)
{
	size_t n = 0;

	for (size_t i = 0; i < json_string_length(text); i++)
		n += (json_string_value(text)[i] & 0xc0) != 0x80;
	return n;
}

static bool widen_range(void *arg, const json_t *value)
{
	struct range *range = arg;
	double size = range->numbers ? json_number_value(value) : (double)characters(value);

	if (range->numbers ? !json_is_number(value) : !json_is_string(value))
		return true;
	range->low = !range->any || size < range->low ? size : range->low;
	range->high = !range->any || size > range->high ? size : range->high;
	range->any = true;
	return true;
}

/* The values of an enum have limits, too. */
static void bounds_of_values(const struct conj *conj, bool numbers, struct bound *low, struct bound *high)
{
	struct range range = {.numbers = numbers};
	const char *keyword;

	if (!conj_values(conj, &keyword))
		return;
	each_value(conj, widen_range, &range);
	if (!range.any)
		return;
	if (!low->given || range.low > low->value)
		*low = (struct bound){true, false, range.low, NULL, NULL};
	if (!high->given || range.high < high->value)
		*high = (struct bound){true, false, range.high, NULL, NULL};
}

/* Among whole numbers, more than 4 is 5 or more. */
static void whole(struct bound *bound, bool upper)
{
	if (!bound->given)
		return;
	if (bound->exclusive && bound->value == floor(bound->value))
		bound->value += upper ? -1 : 1;
	else
		bound->value = upper ? floor(bound->value) : ceil(bound->value);
	bound->exclusive = false;
}

static bool compare_numbers(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct bound w_low = conj_bound(w, "minimum", "exclusiveMinimum", false),
		     r_low = conj_bound(r, "minimum", "exclusiveMinimum", false),
		     w_high = conj_bound(w, "maximum", "exclusiveMaximum", true),
		     r_high = conj_bound(r, "maximum", "exclusiveMaximum", true);
	bool ok;

	bounds_of_values(w, true, &w_low, &w_high);
	if (!(w->types & TYPE_FRACTION)) {
		whole(&w_low, false);
		whole(&r_low, false);
		whole(&w_high, true);
		whole(&r_high, true);
	}
	ok = compare_bound(c, "min", "numbers of", false, &w_low, &r_low);
	return compare_bound(c, "max", "numbers of", true, &w_high, &r_high) && ok;
}

static bool multiple(double value, double of)
{
	double times = of != 0 ? value / of : 0.5;

	if (value == floor(value) && of == floor(of) && of != 0)
		return fmod(value, of) == 0;
	return fabs(times) < 1e13 && fabs(times - round(times)) < 1e-14 * fmax(1, fabs(times));
}

static bool implied_multiple(const struct conj *w, double of)
{
	if (!(w->types & TYPE_FRACTION) && multiple(1, of))
		return true;
	for (size_t i = 0; i < w->count; i++) {
		const json_t *has = json_object_get(w->parts[i].schema, "multipleOf");

		if (json_is_number(has) && multiple(json_number_value(has), of))
			return true;
	}
	return false;
}

static bool value_is_multiple(void *arg, const json_t *value)
{
	double of = *(const double *)arg;

	if (json_is_integer(value) && of == floor(of) && of >= 1 && of < 1e18)
		return json_integer_value(value) % (json_int_t)of == 0;
	return !json_is_number(value) || multiple(json_number_value(value), of);
}

static bool compare_multiples(struct compare *c, const struct conj *w, const struct conj *r)
{
	const struct part *had = conj_with(w, "multipleOf"), *has = conj_with(r, "multipleOf");
	const char *keyword;
	bool ok = true, listed = conj_values(w, &keyword) != NULL;

	if (had && !has)
		return compare_say(c, DIFFERENCE_FINE, "multipleOf", "removed", had, "multipleOf", NULL,
				   "the %s version takes other numbers too", c->reader);
	for (size_t i = 0; i < r->count; i++) {
		double of = json_number_value(json_object_get(r->parts[i].schema, "multipleOf"));

		if (of == 0)
			continue;
		if (!implied_multiple(w, of) && !(listed && each_value(w, value_is_multiple, &of)))
			ok = compare_say(c, DIFFERENCE_BREAKING, "multipleOf", had ? "changed" : "added", &r->parts[i],
					 "multipleOf", NULL,
					 "the %s version takes multiples of %.15g only, the %s one wrote others",
					 c->reader, of, c->writer);
		else if (had && json_number_value(json_object_get(had->schema, "multipleOf")) != of)
			compare_say(c, DIFFERENCE_FINE, "multipleOf", "extended", &r->parts[i], "multipleOf", NULL,
				    "every number of the %s version is a multiple of %.15g", c->writer, of);
	}
	return ok;
}

/* ---- texts ----------------------------------------------------------------------------------------------------------
 */
static bool compare_lengths(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct bound w_low = conj_bound(w, "minLength", NULL, false), r_low = conj_bound(r, "minLength", NULL, false),
		     w_high = conj_bound(w, "maxLength", NULL, true), r_high = conj_bound(r, "maxLength", NULL, true);
	bool ok;

	bounds_of_values(w, false, &w_low, &w_high);
	if (r_low.value <= 0)
		r_low.given = false;
	ok = compare_bound(c, "minLength", "texts of", false, &w_low, &r_low);
	return compare_bound(c, "maxLength", "texts of", true, &w_high, &r_high) && ok;
}

static bool has_text(const struct conj *conj, const char *keyword, const char *text)
{
	for (size_t i = 0; i < conj->count; i++) {
		const char *said = json_string_value(json_object_get(conj->parts[i].schema, keyword));

		if (said && strcmp(said, text) == 0)
			return true;
	}
	return false;
}

struct matching {
	struct compare *c;
	const char *pattern;
};

static bool value_matches(void *arg, const json_t *value)
{
	const struct matching *matching = arg;

	return !json_is_string(value) || pattern_matches(matching->c, matching->pattern, json_string_value(value));
}

static bool compare_patterns(struct compare *c, const struct conj *w, const struct conj *r)
{
	const struct part *had = conj_with(w, "pattern"), *has = conj_with(r, "pattern");
	const char *keyword;
	bool ok = true;

	if (had && !has)
		return compare_say(c, DIFFERENCE_FINE, "pattern", "removed", had, "pattern", NULL,
				   "the %s version takes any text", c->reader);
	for (size_t i = 0; i < r->count; i++) {
		const char *pattern = json_string_value(json_object_get(r->parts[i].schema, "pattern"));
		struct matching matching = {c, pattern};

		if (!pattern || has_text(w, "pattern", pattern) ||
		    (conj_values(w, &keyword) && each_value(w, value_matches, &matching)))
			continue;
		ok = compare_say(c, DIFFERENCE_BREAKING, "pattern", had ? "changed" : "added", &r->parts[i], "pattern",
				 NULL,
				 "the %s version wants texts like %.100s; whether those of the %s one are is "
				 "not known",
				 c->reader, pattern, c->writer);
	}
	return ok;
}

/* Formats that are part of another; what is no format of the standard only explains. */
static bool format_within(const char *narrow, const char *wide)
{
	static const char *const within[][2] = {{"email", "idn-email"},
						{"hostname", "idn-hostname"},
						{"uri", "uri-reference"},
						{"uri", "iri"},
						{"uri", "iri-reference"},
						{"iri", "iri-reference"},
						{"uri-reference", "iri-reference"}};

	for (size_t i = 0; i < sizeof within / sizeof *within; i++)
		if (strcmp(narrow, within[i][0]) == 0 && strcmp(wide, within[i][1]) == 0)
			return true;
	return strcmp(narrow, wide) == 0;
}

static bool format_known(const char *format)
{
	static const char *const known[] = {
		"date-time", "date",          "time", "duration",     "email",        "idn-email",
		"hostname",  "idn-hostname",  "ipv4", "ipv6",         "uri",          "uri-reference",
		"iri",       "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer",
		"regex"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(format, known[i]) == 0)
			return true;
	return false;
}

static bool compare_formats(struct compare *c, const struct conj *w, const struct conj *r)
{
	const struct part *had = conj_with(w, "format"), *has = conj_with(r, "format");
	const char *from = had ? json_string_value(json_object_get(had->schema, "format")) : NULL,
		   *to = has ? json_string_value(json_object_get(has->schema, "format")) : NULL;

	if (!from && !to)
		return true;
	if (!to)
		return compare_say(c, DIFFERENCE_FINE, "format", "removed", had, "format", NULL,
				   "the %s version takes any text", c->reader);
	if (from && format_within(from, to)) {
		if (strcmp(from, to) != 0)
			compare_say(c, DIFFERENCE_FINE, "format", "extended", has, "format", NULL, "every %s is a %s",
				    from, to);
		return true;
	}
	if (has_text(w, "format", to))
		return true;
	return compare_say(c, format_known(to) ? DIFFERENCE_BREAKING : DIFFERENCE_FINE, "format",
			   from ? "changed" : "added", has, "format", NULL,
			   format_known(to) ? "the %s version wants a %s, the %s one wrote other texts"
					    : "the %s version calls it %s, which only explains; the %s one did not",
			   c->reader, to, c->writer);
}

bool compare_values(struct compare *c, const struct conj *w, const struct conj *r)
{
	bool ok = compare_enum(c, w, r);

	if (w->types & TYPE_NUMBER) {
		ok &= compare_numbers(c, w, r);
		ok &= compare_multiples(c, w, r);
	}
	if (w->types & TYPE_STRING) {
		ok &= compare_lengths(c, w, r);
		ok &= compare_patterns(c, w, r);
		ok &= compare_formats(c, w, r);
	}
	return ok;
}

/* ---- what only explains
 * ----------------------------------------------------------------------------------------------- */
void compare_annotations(struct compare *c, const struct conj *w, const struct conj *r)
{
	static const struct {
		const char *keyword, *family;
		enum difference_weight weight; /* when it is gone or another */
		const char *why;
	} kinds[] = {
		{"title", "title", DIFFERENCE_FINE, "it only explains"},
		{"description", "description", DIFFERENCE_FINE, "it only explains"},
		{"examples", "examples", DIFFERENCE_FINE, "they only explain"},
		{"default", "default", DIFFERENCE_FINE, "readers that fill it in will fill in another"},
		{"deprecated", "deprecated", DIFFERENCE_FINE, "it only explains"},
		{"$id", "id", DIFFERENCE_FINE, "references by the old name no longer find it"},
		{"id", "id", DIFFERENCE_FINE, "references by the old name no longer find it"},
		{"x-ferrule-keys", "keys", DIFFERENCE_SUSPECT, "messages are found by other business keys than before"},
		{"x-ferrule-compatibility", "compatibility", DIFFERENCE_SUSPECT,
		 "it promises something else of later versions than before"},
		{"x-ferrule-personal", "personal", DIFFERENCE_SUSPECT,
		 "what is masked in tests and traces changes with it"},
	};

	if (!w->count || !r->count || w->chosen)
		return;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct part *had = conj_with(w, kinds[i].keyword), *has = conj_with(r, kinds[i].keyword);
		const json_t *from = had ? json_object_get(had->schema, kinds[i].keyword) : NULL,
			     *to = has ? json_object_get(has->schema, kinds[i].keyword) : NULL;

		if (from == to || (from && to && json_equal(from, to)))
			continue;
		/* marked as personal: safe; no longer marked: somebody should know */
		compare_say(c, json_is_true(c->forward ? from : to) ? DIFFERENCE_FINE : kinds[i].weight,
			    kinds[i].family,
			    !from ? "added"
			    : !to ? "removed"
				  : "changed",
			    to ? has : had, kinds[i].keyword, NULL, "%s", kinds[i].why);
	}
}
