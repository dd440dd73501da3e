/* What schemas say of one property or item, and of all the others. See compatibility_private.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* ---- what nothing else looked at -------------------------------------------------------------------------------- */
static const char *const of_properties[] = {"patternProperties", "additionalProperties", "unevaluatedProperties"};
static const char *const of_items[] = {"prefixItems", "items", "contains", "unevaluatedItems"};

static bool may_see(const json_t *at, bool properties, const char *name, int depth);

static bool may_see_below(const json_t *value, bool properties, const char *name, int depth)
{
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
		if (may_see(item, properties, name, depth))
			return true;
	if (json_is_object(value) && may_see(value, properties, name, depth))
		return true;
	json_object_foreach((json_t *)value, key, item) /* dependentSchemas: a map */
		if (json_is_object(item) && may_see(item, properties, name, depth + 1))
			return true;
	return false;
}

/* Could a choice or a condition in the schema have looked at the property, or at an item? */
static bool may_see(const json_t *at, bool properties, const char *name, int depth)
{
	static const char *const ways[] = {"anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "allOf"};
	const char *const *words = properties ? of_properties : of_items;
	size_t n = properties ? sizeof of_properties / sizeof *of_properties : sizeof of_items / sizeof *of_items;

	if (depth > 8)
		return true;
	if (depth > 0) {
		if (json_object_get(at, "$ref") || json_object_get(at, "$dynamicRef") ||
		    (name && json_object_get(json_object_get(at, "properties"), name)))
			return true;
		for (size_t i = 0; i < n; i++)
			if (json_object_get(at, words[i]))
				return true;
	}
	for (size_t i = 0; i < sizeof ways / sizeof *ways - (depth == 0); i++)
		if (may_see_below(json_object_get(at, ways[i]), properties, name, depth + 1))
			return true;
	return false;
}

/* Do choices and conditions of both look at the same? */
static bool same_sight(const json_t *one, const json_t *other)
{
	static const char *const ways[] = {
		"unevaluatedProperties", "anyOf",           "oneOf", "if", "then", "else", "allOf", "$ref",
		"$dynamicRef",           "dependentSchemas"};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		const json_t *a = json_object_get(one, ways[i]), *b = json_object_get(other, ways[i]);

		if (a != b && !(a && b && json_equal(a, b)))
			return false;
	}
	return true;
}

bool part_sees_as_writer(const struct conj *w, const struct part *part)
{
	for (size_t i = 0; i < w->count; i++)
		if (same_sight(w->parts[i].schema, part->schema))
			return true;
	return false;
}

static bool has_equal(const struct conj *conj, const struct part *part)
{
	for (size_t i = 0; i < conj->count; i++)
		if (json_equal(conj->parts[i].schema, part->schema))
			return true;
	return false;
}

/* Is the part in what the other came to, so that its unevaluated… knows what this one looked at? */
static bool within(const struct part *part, const struct part *other)
{
	const struct trail *trail = part->trail;

	while (trail && trail->schema != other->schema)
		trail = trail->up;
	return trail != NULL;
}

/* Does the unevaluated… of this part count, when `saw` tells which parts looked? */
static bool unevaluated_counts(const struct conj *conj, const struct part *part, const struct conj *writer,
			       const bool *saw, bool properties, const char *name)
{
	if (part->skip & SKIP_IMPLIED)
		return false;
	for (size_t i = 0; i < conj->count; i++)
		if (saw[i] && (!writer || within(&conj->parts[i], part)))
			return false;
	if (!writer && !properties && conj_with(conj, "contains"))
		return false;
	for (size_t i = 0; i < conj->count && !writer; i++) /* what unevaluated… looked at, this one does not */
		if (&conj->parts[i] != part &&
		    json_object_get(conj->parts[i].schema, properties ? "unevaluatedProperties" : "unevaluatedItems"))
			return false;
	if (!may_see(part->schema, properties, name, 0) && !(!properties && json_object_get(part->schema, "contains")))
		return true;
	return writer && !has_equal(writer, part);
}

static void add_unevaluated(struct compare *c, const struct conj *conj, const struct conj *writer, const bool *saw,
			    bool properties, const char *name, struct conj *out)
{
	const char *keyword = properties ? "unevaluatedProperties" : "unevaluatedItems";

	for (size_t i = 0; i < conj->count; i++)
		if (json_object_get(conj->parts[i].schema, keyword) &&
		    unevaluated_counts(conj, &conj->parts[i], writer, saw, properties, name))
			conj_add_below(c, out, &conj->parts[i], keyword);
}

/* ---- properties -------------------------------------------------------------------------------------------------- */
static unsigned property_of_part(struct compare *c, const struct part *part, const char *name, struct conj *out)
{
	json_t *patterns = json_object_get(part->schema, "patternProperties"), *unused;
	const char *pattern;
	unsigned said = 0;
	bool unsure = false;

	if (json_object_get(json_object_get(part->schema, "properties"), name)) {
		conj_add_name(c, out, part, "properties", name);
		said |= SAID_BY_NAME;
	}
	json_object_foreach(patterns, pattern, unused) {
		bool matches = pattern_matches(c, pattern, name);

		if (!matches && (part->document->writer || pattern_understood(c, pattern)))
			continue;
		unsure |= !matches; /* then a reader has to take it either way */
		conj_add_name(c, out, part, "patternProperties", pattern);
		said |= SAID_BY_PATTERN;
	}
	if ((!said || (unsure && !(said & SAID_BY_NAME))) && json_object_get(part->schema, "additionalProperties")) {
		conj_add_below(c, out, part, "additionalProperties");
		said |= SAID_BY_REST;
	}
	return said;
}

unsigned conj_property(struct compare *c, const struct conj *conj, const struct conj *writer, const char *name,
		       struct conj *out)
{
	bool saw[PARTS_MAX] = {false};
	unsigned said = 0, by_part;

	conj_init(out);
	for (size_t i = 0; i < conj->count; i++) {
		by_part = property_of_part(c, &conj->parts[i], name, out);
		saw[i] = by_part != 0;
		said |= by_part;
	}
	add_unevaluated(c, conj, writer, saw, true, name, out);
	return said;
}

void conj_rest(struct compare *c, const struct conj *conj, const struct conj *writer, struct conj *out)
{
	bool saw[PARTS_MAX] = {false};

	conj_init(out);
	for (size_t i = 0; i < conj->count; i++) {
		saw[i] = json_object_get(conj->parts[i].schema, "additionalProperties") != NULL;
		if (saw[i])
			conj_add_below(c, out, &conj->parts[i], "additionalProperties");
	}
	add_unevaluated(c, conj, writer, saw, true, NULL, out);
}

bool conj_pattern(struct compare *c, const struct conj *conj, const struct conj *writer, const char *pattern,
		  struct conj *out)
{
	bool saw[PARTS_MAX] = {false}, any = false;

	conj_init(out);
	for (size_t i = 0; i < conj->count; i++) {
		const struct part *part = &conj->parts[i];
		bool here = json_object_get(json_object_get(part->schema, "patternProperties"), pattern) != NULL;

		if (here)
			conj_add_name(c, out, part, "patternProperties", pattern);
		else if (writer && !(part->skip & SKIP_IMPLIED))
			conj_add_below(c, out, part, "additionalProperties");
		saw[i] = here || json_object_get(part->schema, "additionalProperties");
		any = any || here;
	}
	if (writer && any)
		add_unevaluated(c, conj, writer, saw, true, NULL, out);
	return any;
}

/* ---- items ------------------------------------------------------------------------------------------------------- */
/* Drafts before 2020-12 had the list under `items` and the rest under `additionalItems`. */
const json_t *part_prefix(const struct part *part, const char **keyword)
{
	const json_t *list = json_object_get(part->schema, "prefixItems");

	*keyword = "prefixItems";
	if (json_is_array(list))
		return list;
	*keyword = "items";
	list = json_object_get(part->schema, "items");
	return json_is_array(list) ? list : NULL;
}

static const char *part_rest(const struct part *part)
{
	const json_t *items = json_object_get(part->schema, "items");

	if (items && !json_is_array(items))
		return "items";
	return json_object_get(part->schema, "additionalItems") ? "additionalItems" : NULL;
}

size_t conj_prefix(const struct conj *conj)
{
	const char *keyword;
	size_t most = 0;

	for (size_t i = 0; i < conj->count; i++) {
		size_t n = json_array_size(part_prefix(&conj->parts[i], &keyword));

		most = n > most ? n : most;
	}
	return most;
}

void conj_item(struct compare *c, const struct conj *conj, const struct conj *writer, size_t index, struct conj *out)
{
	bool saw[PARTS_MAX] = {false};

	conj_init(out);
	for (size_t i = 0; i < conj->count; i++) {
		const struct part *part = &conj->parts[i];
		const char *keyword, *others = part_rest(part);
		const json_t *prefix = part_prefix(part, &keyword);

		if (index < json_array_size(prefix))
			conj_add_index(c, out, part, keyword, index);
		else if (others)
			conj_add_below(c, out, part, others);
		saw[i] = index < json_array_size(prefix) || others;
	}
	add_unevaluated(c, conj, writer, saw, false, NULL, out);
}

void conj_items_rest(struct compare *c, const struct conj *conj, const struct conj *writer, struct conj *out)
{
	bool saw[PARTS_MAX] = {false};

	conj_init(out);
	for (size_t i = 0; i < conj->count; i++) {
		const char *others = part_rest(&conj->parts[i]);

		saw[i] = others != NULL;
		if (others)
			conj_add_below(c, out, &conj->parts[i], others);
	}
	add_unevaluated(c, conj, writer, saw, false, NULL, out);
}

/* ---- regular expressions of property names -------------------------------------------------------------------------
 */
struct pattern {
	const char *text;
	regex_t compiled;
	bool good;
	struct pattern *next;
};

/* ECMA 262's classes and (?: in the words of POSIX. */
static char *posix(struct compare *c, const char *text)
{
	static const struct {
		const char *ecma, *outside, *inside;
	} words[] = {{"\\d", "[0-9]", "0-9"},
		     {"\\w", "[A-Za-z0-9_]", "A-Za-z0-9_"},
		     {"\\s", "[[:space:]]", "[:space:]"},
		     {"\\/", "/", "/"},
		     {"\\-", "-", "-"},
		     {"(?:", "(", "(?:"}};
	char *out = arena_alloc(c->arena, strlen(text) * 12 + 1);
	bool inside = false;
	size_t n = 0, w;

	while (*text) {
		for (w = 0; w < sizeof words / sizeof *words; w++)
			if (strncmp(text, words[w].ecma, strlen(words[w].ecma)) == 0)
				break;
		if (w < sizeof words / sizeof *words) {
			const char *with = inside ? words[w].inside : words[w].outside;

			memcpy(out + n, with, strlen(with));
			n += strlen(with);
			text += strlen(words[w].ecma);
			continue;
		}
		if (*text == '\\' && text[1]) {
			out[n++] = *text++;
		} else {
			inside = inside ? *text != ']' : *text == '[';
		}
		out[n++] = *text++;
	}
	return out;
}

static const struct pattern *pattern_of(struct compare *c, const char *text)
{
	struct pattern *known = c->patterns;

	while (known && strcmp(known->text, text) != 0)
		known = known->next;
	if (known)
		return known;
	known = mem_alloc(sizeof *known);
	known->text = mem_strdup(text);
	known->good = strlen(text) < 4096 && !regcomp(&known->compiled, posix(c, text), REG_EXTENDED | REG_NOSUB);
	known->next = c->patterns;
	return c->patterns = known;
}

bool pattern_understood(struct compare *c, const char *pattern)
{
	return pattern_of(c, pattern)->good;
}

bool pattern_matches(struct compare *c, const char *pattern, const char *text)
{
	const struct pattern *known = pattern_of(c, pattern);

	return known->good && !regexec(&known->compiled, text, 0, NULL, 0);
}

/* How many bytes after ^ every match begins with. */
static size_t fixed_beginning(const char *pattern)
{
	size_t n;

	if (pattern[0] != '^' || strchr(pattern, '|'))
		return 0;
	n = strcspn(pattern + 1, "\\.[]{}()*+?^$|");
	if (!n || !pattern[n + 1] || !strchr("*?{", pattern[n + 1]))
		return n;
	while (--n && ((unsigned char)pattern[n + 1] & 0xc0) == 0x80) /* the character before it may not be there */
		;
	return n;
}

bool patterns_apart(const char *one, const char *other)
{
	size_t a = fixed_beginning(one), b = fixed_beginning(other);

	return strncmp(one + 1, other + 1, a < b ? a : b) != 0;
}

void patterns_free(struct compare *c)
{
	while (c->patterns) {
		struct pattern *next = c->patterns->next;

		if (c->patterns->good)
			regfree(&c->patterns->compiled);
		free((char *)c->patterns->text);
		free(c->patterns);
		c->patterns = next;
	}
}
