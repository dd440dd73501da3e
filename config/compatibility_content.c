/* What schemas say of one property or item, and of all the others. See compatibility_private.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* ---- properties -------------------------------------------------------------------------------------------------- */
/* Named somewhere below a condition or a choice: unevaluatedProperties may not see it. */
static bool mentioned(const json_t *at, const char *name, int depth)
{
	static const char *const below[] = {"anyOf", "oneOf", "allOf", "if", "then", "else", "dependentSchemas"};
	const char *key;
	json_t *item;
	size_t i, k;

	if (depth > 8 || !json_is_object(at))
		return false;
	if (depth > 0 && json_object_get(json_object_get(at, "properties"), name))
		return true;
	for (k = 0; k < sizeof below / sizeof *below; k++) {
		json_t *value = json_object_get(at, below[k]);

		json_array_foreach(value, i, item)
			if (mentioned(item, name, depth + 1))
				return true;
		if (json_is_object(value) && mentioned(value, name, depth + 1))
			return true;
		if (strcmp(below[k], "dependentSchemas") == 0)
			json_object_foreach(value, key, item)
				if (mentioned(item, name, depth + 1))
					return true;
	}
	return false;
}

static unsigned property_of_part(struct compare *c, const struct part *part, const char *name, struct conj *out)
{
	json_t *patterns = json_object_get(part->schema, "patternProperties"), *unused;
	const char *pattern;
	unsigned said = 0;

	if (json_object_get(json_object_get(part->schema, "properties"), name)) {
		conj_add_name(c, out, part, "properties", name);
		said |= SAID_BY_NAME;
	}
	json_object_foreach(patterns, pattern, unused) {
		if (!pattern_matches(c, pattern, name))
			continue;
		conj_add_name(c, out, part, "patternProperties", pattern);
		said |= SAID_BY_PATTERN;
	}
	if (!said && json_object_get(part->schema, "additionalProperties")) {
		conj_add_below(c, out, part, "additionalProperties");
		said |= SAID_BY_REST;
	}
	return said;
}

unsigned conj_property(struct compare *c, const struct conj *conj, const char *name, struct conj *out)
{
	unsigned said = 0;

	conj_init(out);
	for (size_t i = 0; i < conj->count; i++)
		said |= property_of_part(c, &conj->parts[i], name, out);
	for (size_t i = 0; i < conj->count && !said; i++)
		if (json_object_get(conj->parts[i].schema, "unevaluatedProperties") &&
		    !mentioned(conj->parts[i].schema, name, 0))
			conj_add_below(c, out, &conj->parts[i], "unevaluatedProperties");
	return said;
}

static void rest(struct compare *c, const struct conj *conj, const char *keyword, const char *unevaluated,
		 struct conj *out)
{
	conj_init(out);
	if (!conj_with(conj, keyword))
		keyword = unevaluated;
	for (size_t i = 0; i < conj->count; i++)
		if (json_object_get(conj->parts[i].schema, keyword))
			conj_add_below(c, out, &conj->parts[i], keyword);
}

void conj_rest(struct compare *c, const struct conj *conj, struct conj *out)
{
	rest(c, conj, "additionalProperties", "unevaluatedProperties", out);
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

static void unevaluated_items(struct compare *c, const struct conj *conj, struct conj *out)
{
	for (size_t i = 0; i < conj->count; i++)
		if (json_object_get(conj->parts[i].schema, "unevaluatedItems"))
			conj_add_below(c, out, &conj->parts[i], "unevaluatedItems");
}

void conj_item(struct compare *c, const struct conj *conj, size_t index, struct conj *out)
{
	bool said = false;

	conj_init(out);
	for (size_t i = 0; i < conj->count; i++) {
		const struct part *part = &conj->parts[i];
		const char *keyword, *others = part_rest(part);
		const json_t *prefix = part_prefix(part, &keyword);

		if (index < json_array_size(prefix))
			conj_add_index(c, out, part, keyword, index);
		else if (others)
			conj_add_below(c, out, part, others);
		said |= index < json_array_size(prefix) || others;
	}
	if (!said)
		unevaluated_items(c, conj, out);
}

void conj_items_rest(struct compare *c, const struct conj *conj, struct conj *out)
{
	bool said = false;

	conj_init(out);
	for (size_t i = 0; i < conj->count; i++) {
		const char *others = part_rest(&conj->parts[i]);

		if (others)
			conj_add_below(c, out, &conj->parts[i], others);
		said |= others != NULL;
	}
	if (!said)
		unevaluated_items(c, conj, out);
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

bool pattern_matches(struct compare *c, const char *pattern, const char *text)
{
	struct pattern *known = c->patterns;

	while (known && strcmp(known->text, pattern) != 0)
		known = known->next;
	if (!known) {
		known = mem_alloc(sizeof *known);
		known->text = mem_strdup(pattern);
		known->good = strlen(pattern) < 4096 &&
			      !regcomp(&known->compiled, posix(c, pattern), REG_EXTENDED | REG_NOSUB);
		known->next = c->patterns;
		c->patterns = known;
	}
	return known->good && !regexec(&known->compiled, text, 0, NULL, 0);
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
