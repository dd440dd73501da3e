/* Environments: their files, and one check over all of them, in which what is wrong in every one is told once, anything
 * else with the environments that it is wrong in. See site.h and load.h. */
#include "config.h"
#include "config/load.h"

#include <stdlib.h>

#define ENVIRONMENTS_MAX 64

/* ---- their files ------------------------------------------------------------------------------------------- */
static void note_name(void *arg, struct span name, struct span fallback)
{
	char *key = mem_span_dup(name);

	if (!fallback.data || !json_object_get(arg, key))
		json_object_set_new(arg, key, fallback.data ? json_true() : json_false());
	free(key);
}

/* Every ${NAME} that any file asks for; true: with a default wherever it stands. */
static json_t *asked_names_new(const struct bundle *bundle)
{
	json_t *names = json_object();

	for (size_t i = 0; i < bundle->count; i++) {
		if (yaml_is_file(bundle->files[i].path) && !path_below(bundle->files[i].path, "environments"))
			yaml_variables_each(bundle->files[i].text, note_name, names);
	}
	return names;
}

static void check_value(struct load *load, const struct pair *pair, json_t *asked)
{
	const char *names[256], *near, *name;
	char *key = mem_span_dup(pair->key.text);
	json_t *value;
	size_t n = 0;

	if (pair->value->type != NODE_SCALAR)
		load_error(load, pair->value->place, "environment.form", "an environment has values only: NAME: value");
	else if (memmem(pair->value->text.data, pair->value->text.len, "${", 2))
		load_warning(load, pair->value->place, "environment.variable",
			     "nothing is replaced in a value of an environment: this stays as it is typed");
	check_secret_value(load, pair);
	if (!json_object_get(asked, key)) {
		json_object_foreach(asked, name, value) {
			if (n < sizeof names / sizeof *names)
				names[n++] = name;
		}
		near = nearest_name(pair->key.text, names, n);
		load_warning(load, pair->key.place, "environment.unused", "no file asks for ${%s}" NEAR, key,
			     NEAR_ARGS(near));
	}
	free(key);
}

/* The first environment beside `one` that has the value; NULL: none. */
static const char *who_has(struct load *load, const char *one, const char *name)
{
	for (size_t i = 0; i < load->bundle->count; i++) {
		const struct bundle_file *file = &load->bundle->files[i];
		struct yaml_documents documents;
		struct findings unused;
		bool has;

		if (!path_below(file->path, "environments") || !yaml_is_file(file->path) ||
		    strcmp(file->path, one) == 0)
			continue;
		findings_init(&unused);
		yaml_read(load->arena, &unused, file->path, file->text, NULL, &documents);
		has = documents.count > 0 && node_find(documents.items[0], name);
		findings_free(&unused);
		if (has)
			return file->path;
	}
	return NULL;
}

/* What others have and this one lacks. Of the environment that is chosen every use says so itself. */
static void check_lacks(struct load *load, const char *path, const struct node *values, json_t *asked)
{
	const char *name, *other;
	json_t *has_default;

	if (strcmp(path, arena_printf(load->arena, "environments/%s.yaml", load->bundle->environment)) == 0)
		return;
	json_object_foreach(asked, name, has_default) {
		if (json_is_true(has_default) || node_find(values, name) || getenv(name))
			continue;
		other = who_has(load, path, name);
		if (other)
			load_warning(load, ((struct place){path, 1, 1}), "environment.lacks",
				     "there is no value for ${%s} here, which %s has; write one, or give it a default "
				     "where it is asked for",
				     name, other);
	}
}

static void load_environment(struct load *load, const struct bundle_file *file, json_t *asked)
{
	struct yaml_documents documents;

	yaml_read(load->arena, load->findings, file->path, file->text, NULL, &documents);
	for (size_t d = 0; d < documents.count; d++) {
		const struct node *node = documents.items[d];

		if (d > 0 || node->type != NODE_MAP)
			load_error(load, node->place, "environment.form", "an environment is one map of NAME: value");
		for (size_t k = 0; node->type == NODE_MAP && k < node->count; k++)
			check_value(load, &node->pairs[k], asked);
		if (d == 0 && node->type == NODE_MAP)
			check_lacks(load, file->path, node, asked);
	}
}

void load_environments(struct load *load)
{
	json_t *asked = asked_names_new(load->bundle);

	for (size_t i = 0; i < load->bundle->count; i++) {
		const struct bundle_file *file = &load->bundle->files[i];

		if (path_below(file->path, "environments") && yaml_is_file(file->path))
			load_environment(load, file, asked);
	}
	json_decref(asked);
}

/* ---- all of them ------------------------------------------------------------------------------------------- */
static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same(const struct finding *a, const struct finding *b)
{
	return a->place.line == b->place.line && a->place.column == b->place.column && a->severity == b->severity &&
	       same_text(a->place.file, b->place.file) && strcmp(a->code, b->code) == 0 &&
	       strcmp(a->text, b->text) == 0;
}

static const struct finding *find(const struct findings *in, const struct finding *f)
{
	for (size_t i = 0; i < in->count; i++) {
		if (same(&in->list[i], f))
			return &in->list[i];
	}
	return NULL;
}

/* "environments dev, test"; NULL: all of them have it. */
static const char *scope_of(struct arena *arena, const struct finding *f, const struct findings *each,
			    const char *const *names, size_t n)
{
	const char *list = NULL;
	size_t have = 0;

	for (size_t i = 0; i < n; i++) {
		if (!find(&each[i], f))
			continue;
		list = list ? arena_printf(arena, "%s, %s", list, names[i]) : names[i];
		have++;
	}
	return have == n ? NULL : arena_printf(arena, have == 1 ? "environment %s" : "environments %s", list);
}

static void merge(struct findings *findings, const struct findings *each, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < each[i].count; k++) {
			const struct finding *f = &each[i].list[k];
			size_t before = findings->count;
			bool told = false;

			for (size_t e = 0; e < i && !told; e++)
				told = find(&each[e], f) != NULL;
			if (told)
				continue;
			finding_add(findings, f->place, f->severity, f->code, "%s", f->text);
			if (findings->count > before)
				findings->list[before].scope = scope_of(findings->arena, f, each, names, n);
		}
		findings->dropped += each[i].dropped;
	}
	findings_sort(findings);
}

/* The names that environments/ has, in the arena. */
static size_t list_names(const struct bundle *bundle, struct arena *arena, const char **names)
{
	size_t n = 0;

	for (size_t i = 0; i < bundle->count && n < ENVIRONMENTS_MAX; i++) {
		const char *path = bundle->files[i].path, *name = path + strlen("environments/");
		size_t length = strlen(path);

		if (strncmp(path, "environments/", strlen("environments/")) == 0 && length > 18 &&
		    strcmp(path + length - 5, ".yaml") == 0 && !strchr(name, '/'))
			names[n++] = arena_printf(arena, "%.*s", (int)(length - 18), name);
	}
	return n;
}

int site_inspect_all(const char *directory, const struct registry *registry, struct findings *findings, bool fresh,
		     struct error *error)
{
	struct bundle *bundle = bundle_read_new(directory, "", error);
	const char *names[ENVIRONMENTS_MAX] = {""};
	struct findings each[ENVIRONMENTS_MAX];
	size_t n, done = 0;
	int result = -1;

	if (!bundle)
		return -1;
	n = list_names(bundle, findings->arena, names);
	bundle_free(bundle);
	for (n = n > 0 ? n : 1; done < n; done++) {
		bundle = bundle_read_new(directory, names[done], error);
		if (!bundle)
			goto done;
		findings_init(&each[done]);
		site_inspect_cached(bundle, registry, directory, fresh, &each[done]);
		bundle_free(bundle);
	}
	merge(findings, each, names, n);
	result = 0;
done:
	for (size_t i = 0; i < done; i++)
		findings_free(&each[i]);
	return result;
}
