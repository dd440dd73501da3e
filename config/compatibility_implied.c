/* What the reader says in the writer's own words needs no comparing. See compatibility_private.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <string.h>

/* Says the same wherever it stands. `known`: references to definitions lead to the same on both sides. */
static bool stands_alone(const json_t *at, bool known)
{
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach((json_t *)at, key, value) {
		const char *text = json_string_value(value);

		if (strcmp(key, "$defs") == 0 || strcmp(key, "definitions") == 0)
			continue;
		if (key[0] == '$' && text && strstr(key, "Ref"))
			return false;
		if (strcmp(key, "$ref") == 0 && text &&
		    !(known && (text[0] != '#' || strncmp(text, "#/$defs/", 8) == 0 ||
				strncmp(text, "#/definitions/", 14) == 0)))
			return false;
		if (!stands_alone(value, known && !json_object_get(value, "$id")))
			return false;
	}
	json_array_foreach(at, i, value)
		if (!stands_alone(value, known && !json_object_get(value, "$id")))
			return false;
	return true;
}

/* Two parts of the same words: do they say the same? */
static bool same_meaning(const struct compare *c, const struct part *w, const struct part *r)
{
	bool known = w->document->root == r->document->root;

	if (!w->document->name && !r->document->name)
		known = c->same_definitions && !w->document->home && !r->document->home;
	return stands_alone(r->schema, known);
}

/* It says nothing of a document. */
static bool explains(const char *keyword)
{
	static const char *const words[] = {"title",    "description", "examples", "$comment",   "deprecated",
					    "readOnly", "writeOnly",   "$defs",    "definitions"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(keyword, words[i]) == 0)
			return true;
	return false;
}

static bool says_within(const json_t *one, const json_t *other)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)one, key, value) {
		const json_t *there = json_object_get(other, key);

		if (!explains(key) && !(there && json_equal(value, there)))
			return false;
	}
	return true;
}

struct conj conj_implied(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct conj out = conj_copy(c, r);

	for (size_t i = 0; i < out.count; i++)
		for (size_t k = 0; k < w->count; k++)
			if (!(out.parts[i].skip & SKIP_IMPLIED) &&
			    says_within(out.parts[i].schema, w->parts[k].schema) &&
			    says_within(w->parts[k].schema, out.parts[i].schema) &&
			    same_meaning(c, &w->parts[k], &out.parts[i]))
				out.parts[i].skip |= SKIP_IMPLIED | SKIP_ANY | SKIP_ONE;
	return out;
}
