/* One check over every environment of a site: what is wrong in all of them is told once, anything else with the
 * environments that it is wrong in. See site.h. */
#include "config.h"
#include "config/load.h"

#include <stdlib.h>

#define ENVIRONMENTS_MAX 64

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
