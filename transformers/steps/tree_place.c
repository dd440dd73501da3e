/* Places in a tree. See tree_place.h. */
#include "config.h"
#include "transformers/steps/tree_place.h"

#include <ctype.h>

#define KEYS_MAX 20

struct tree_place {
	const char *text;
	const char *keys[KEYS_MAX]; /* NULL: every element of the array here */
	size_t count;
};

static const char *take_key(struct arena *arena, const char **at)
{
	const char *from = *at, *end;

	if (*from == '"') {
		end = strpbrk(from + 1, "\"\\");
		if (!end || *end != '"' || end == from + 1)
			return NULL;
		*at = end + 1;
		return arena_span(arena, span_make(from + 1, (size_t)(end - from - 1))).data;
	}
	for (end = from; isalnum((unsigned char)*end) || *end == '_'; end++)
		;
	if (end == from || isdigit((unsigned char)*from))
		return NULL;
	*at = end;
	return arena_span(arena, span_make(from, (size_t)(end - from))).data;
}

struct tree_place *tree_place_new(struct arena *arena, const char *text, bool elements)
{
	struct tree_place *place = arena_alloc(arena, sizeof *place);
	const char *at = text;

	place->text = text;
	if (elements && !strncmp(at, ".[]", 3) && (!at[3] || at[3] == '.')) {
		place->keys[place->count++] = NULL;
		at += 3;
	}
	while (*at) {
		if (*at++ != '.' || place->count + 2 > KEYS_MAX)
			return NULL;
		place->keys[place->count] = take_key(arena, &at);
		if (!place->keys[place->count++])
			return NULL;
		if (!strncmp(at, "[]", 2)) {
			if (!elements)
				return NULL;
			place->keys[place->count++] = NULL;
			at += 2;
		}
	}
	return place->count && (!elements || !place->keys[place->count - 1]) ? place : NULL;
}

static int in_the_way(const struct tree_place *place, const json_t *tree, const char *wanted, struct error *error)
{
	static const char *const names[] = {"an object", "an array", "a text", "a number",
					    "a number",  "true",     "false",  "null"};

	return error_set(error, ERROR_REJECT, "tree.place", "%s: there is %s in the way, where %s must be", place->text,
			 names[json_typeof(tree)], wanted);
}

static int put_at(const struct tree_place *place, size_t i, json_t *tree, json_t *value, json_t **with,
		  struct error *error)
{
	json_t *below;

	if (i == place->count) {
		*with = json_incref(value);
		return 0;
	}
	if (tree && !json_is_object(tree) && !json_is_null(tree))
		return in_the_way(place, tree, "an object", error);
	if (put_at(place, i + 1, json_object_get(tree, place->keys[i]), value, &below, error))
		return -1;
	*with = json_is_object(tree) ? json_copy(tree) : json_object();
	json_object_set_new_nocheck(*with, place->keys[i], below);
	return 0;
}

int tree_place_put(const struct tree_place *place, json_t *tree, json_t *value, json_t **with, struct error *error)
{
	return put_at(place, 0, tree, value, with, error);
}

struct visit {
	const struct tree_place *place;
	tree_place_fn *each;
	void *arg;
};

static int visit(const struct visit *v, size_t i, json_t *tree, json_t **with, struct error *error);

static int visit_elements(const struct visit *v, size_t i, json_t *array, json_t **with, struct error *error)
{
	json_t *element, *changed;
	size_t k;

	*with = json_array();
	json_array_foreach(array, k, element) {
		if (visit(v, i, element, &changed, error)) {
			json_decref(*with);
			*with = NULL;
			return -1;
		}
		json_array_append_new(*with, changed);
	}
	return 0;
}

static int visit(const struct visit *v, size_t i, json_t *tree, json_t **with, struct error *error)
{
	const struct tree_place *place = v->place;
	json_t *below, *changed;

	if (!place || i == place->count)
		return v->each(v->arg, tree, with, error);
	if (!place->keys[i])
		return json_is_array(tree) ? visit_elements(v, i + 1, tree, with, error)
					   : in_the_way(place, tree, "an array", error);
	if (!json_is_object(tree))
		return in_the_way(place, tree, "an object", error);
	below = json_object_get(tree, place->keys[i]);
	if (!below || json_is_null(below)) {
		*with = json_incref(tree);
		return 0;
	}
	if (visit(v, i + 1, below, &changed, error))
		return -1;
	*with = json_copy(tree);
	json_object_set_new_nocheck(*with, place->keys[i], changed);
	return 0;
}

int tree_place_each(const struct tree_place *place, json_t *tree, tree_place_fn *each, void *arg, json_t **with,
		    struct error *error)
{
	struct visit v = {place, each, arg};

	*with = NULL;
	return visit(&v, 0, tree, with, error);
}
