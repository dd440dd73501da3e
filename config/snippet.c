/* Snippets: steps with parameters, which flows use by name. See load.h.
 *
 * A snippet is read again for each use, with `${parameter}` replaced as ${VAR} is: a value can never change the
 * structure. A parameter hides a variable of the site of the same name. */
#include "config.h"
#include "config/load.h"

#include <stddef.h>
#include <stdlib.h>

#define SNIPPETS_MAX 500

struct parameter {
	const char *fallback, *summary;
};
const struct option parameter_options[] = {
	{.name = "default",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct parameter, fallback),
	 .flags = OPTION_MAIN,
	 .help = "its value where a use gives none; without one every use must"},
	{.name = "summary",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct parameter, summary),
	 .help = "what it is, in a sentence"},
	OPTION_END,
};

struct snippet_settings {
	const char *name, *summary;
	const struct node *parameters, *steps;
};
#define AT(field) .offset = offsetof(struct snippet_settings, field)
const struct option snippet_options[] = {
	{.name = "snippet", .type = OPTION_TEXT, AT(name), .flags = OPTION_REQUIRED, .help = "its name, the file's"},
	{.name = "summary", .type = OPTION_TEXT, AT(summary), .help = "what it does, in a sentence"},
	{.name = "parameters",
	 .type = OPTION_NODE,
	 AT(parameters),
	 .table = parameter_options,
	 .flags = OPTION_NAMED,
	 .help = "what a use may say: a map of NAME: default, or NAME: where every use must"},
	{.name = "steps",
	 .type = OPTION_NODE,
	 AT(steps),
	 .range = "<steps>",
	 .flags = OPTION_REQUIRED,
	 .help = "what is done, one after the other, as a flow's"},
	OPTION_END,
};

/* ---- what a file declares -------------------------------------------------------------------------------- */
static void note_name(void *arg, struct span name, struct span fallback)
{
	char *key = mem_span_dup(name);

	(void)fallback;
	json_object_set_new(arg, key, json_true());
	free(key);
}

/* As `name:` says, or nothing when it has none. */
static const char *default_of(struct load *load, const struct node *value)
{
	struct parameter parameter = {0};

	if (!node_null(value))
		option_fill(&load->options, value, parameter_options, NULL, &parameter);
	return parameter.fallback;
}

static void check_parameters(struct load *load, struct snippet *snippet)
{
	const struct node *parameters = snippet->parameters;

	if (!parameters)
		return;
	if (parameters->type != NODE_MAP) {
		load_error(load, parameters->place, "snippet.parameters",
			   "`parameters` is a map of NAME: default; a parameter that every use must give is `NAME:`");
		snippet->parameters = NULL;
		return;
	}
	for (size_t i = 0; i < parameters->count; i++) {
		const struct pair *pair = &parameters->pairs[i];
		char *key = mem_span_dup(pair->key.text);

		default_of(load, pair->value);
		if (!yaml_variable_name(pair->key.text))
			load_error(
				load, pair->key.place, "snippet.parameter",
				"a parameter's name has letters, digits and `_`, no digit first: `%.40s` will not do",
				key);
		else if (!json_object_get(snippet->asked, key))
			load_warning(load, pair->key.place, "snippet.unused", "no step of this snippet asks for ${%s}",
				     key);
		free(key);
	}
}

static void load_snippet(struct load *load, const struct bundle_file *file)
{
	struct snippet *snippet = &load->snippets[load->snippets_count++];
	struct yaml_documents documents;
	struct snippet_settings settings = {0};
	const char *name = strrchr(file->path, '/') + 1;
	size_t before = load->findings->errors;

	*snippet = (struct snippet){.name = arena_printf(load->arena, "%.*s", (int)strcspn(name, "."), name),
				    .file = file,
				    .place = {file->path, 1, 1},
				    .asked = json_object()};
	if (yaml_read(load->arena, load->findings, file->path, file->text, NULL, &documents) && !documents.count)
		return;
	if (documents.count != 1 || documents.items[0]->type != NODE_MAP) {
		load_error(load, snippet->place, "snippet.form",
			   "a snippet's file is one map: snippet, parameters, steps");
		return;
	}
	yaml_variables_each(file->text, note_name, snippet->asked);
	option_fill(&load->options, documents.items[0], snippet_options, NULL, &settings);
	if (settings.name && strcmp(settings.name, snippet->name) != 0)
		load_error(load, node_find(documents.items[0], "snippet")->place, "snippet.name",
			   "the file says `%s`: a snippet is called as its file is", snippet->name);
	if (!node_null(settings.parameters))
		snippet->parameters = settings.parameters;
	check_parameters(load, snippet);
	if (settings.steps && settings.steps->type != NODE_LIST)
		load_error(load, settings.steps->place, "step.form", "`steps` is a list: each begins with `- `");
	snippet->whole = load->findings->errors == before;
}

void load_snippets(struct load *load)
{
	load->snippets = mem_alloc((SNIPPETS_MAX + 1) * sizeof *load->snippets);
	for (size_t i = 0; i < load->bundle->count; i++) {
		const struct bundle_file *file = &load->bundle->files[i];

		if (strncmp(file->path, "snippets/", 9) != 0 || !strstr(file->path, ".y"))
			continue;
		if (load->snippets_count == SNIPPETS_MAX) {
			load_error(load, ((struct place){file->path, 1, 1}), "snippet.count", "more than %d snippets",
				   SNIPPETS_MAX);
			return;
		}
		load_snippet(load, file);
	}
}

void snippets_free(struct load *load)
{
	for (size_t i = 0; i < load->snippets_count; i++)
		json_decref(load->snippets[i].asked);
	free(load->snippets);
	free(load->uses);
}

/* ---- places ---------------------------------------------------------------------------------------------- */
const struct snippet_use *snippet_use_of(const struct load *load, const char *file)
{
	for (size_t i = 0; file && i < load->uses_count; i++)
		if (load->uses[i].file == file)
			return &load->uses[i];
	return NULL;
}

static const char *used_at(void *arg, const char *file)
{
	const struct snippet_use *use = snippet_use_of(arg, file);

	return use ? use->at : NULL;
}

static const char *place_of_use(struct load *load, struct place place)
{
	const struct snippet_use *outer = snippet_use_of(load, place.file);

	return outer ? arena_printf(load->arena, "%s:%d, used at %s", place.file, place.line, outer->at)
		     : arena_printf(load->arena, "%s:%d", place.file, place.line);
}

/* ---- a use ----------------------------------------------------------------------------------------------- */
struct filling {
	struct load *load;
	const struct snippet *snippet;
	const struct node *with;
};

static bool find_value(void *arg, struct span name, struct span *value)
{
	struct filling *f = arg;
	char *key = mem_span_dup(name);
	const struct node *given = f->with ? node_find(f->with, key) : NULL;
	const struct node *declared = f->snippet->parameters ? node_find(f->snippet->parameters, key) : NULL;
	const char *fallback = declared ? default_of(f->load, declared) : NULL;

	free(key);
	if (!declared)
		return f->load->variables.find(f->load->variables.arg, name, value);
	*value = given && given->type == NODE_SCALAR ? given->text : span_of(fallback ? fallback : "");
	return true;
}

/* Undefined names may be slips for parameters as well. */
static struct yaml_variables variables_of(struct load *load, struct filling *filling)
{
	const struct node *parameters = filling->snippet->parameters;
	size_t n = 0, count = load->variables.names_count + (parameters ? parameters->count : 0);
	const char **names = arena_alloc(load->arena, (count + 1) * sizeof *names);
	struct yaml_variables variables = load->variables;

	for (; n < load->variables.names_count; n++)
		names[n] = load->variables.names[n];
	for (size_t i = 0; parameters && i < parameters->count; i++)
		names[n++] = arena_span(load->arena, parameters->pairs[i].key.text).data;
	variables.find = find_value;
	variables.arg = filling;
	variables.names = names;
	variables.names_count = n;
	return variables;
}

static void unknown_parameter(struct load *load, const struct snippet *snippet, const struct node *key)
{
	const struct node *parameters = snippet->parameters;
	size_t n = parameters ? parameters->count : 0;
	const char **names = arena_alloc(load->arena, (n + 1) * sizeof *names), *near;

	for (size_t i = 0; i < n; i++)
		names[i] = arena_span(load->arena, parameters->pairs[i].key.text).data;
	near = nearest_name(key->text, names, n);
	load_error(load, key->place, "snippet.undeclared", "the snippet %s has no parameter `%.*s`" NEAR, snippet->name,
		   (int)(key->text.len < 40 ? key->text.len : 40), key->text.data, NEAR_ARGS(near));
}

static bool check_with(struct load *load, const struct snippet *snippet, const struct node *with, struct place place)
{
	const struct node *parameters = snippet->parameters;
	size_t before = load->findings->errors;

	if (with && with->type != NODE_MAP) {
		load_error(load, with->place, "snippet.with", "`with` is a map of parameters: NAME: value");
		return false;
	}
	for (size_t i = 0; with && i < with->count; i++) {
		char *key = mem_span_dup(with->pairs[i].key.text);

		if (!parameters || !node_find(parameters, key))
			unknown_parameter(load, snippet, &with->pairs[i].key);
		else if (with->pairs[i].value->type != NODE_SCALAR)
			load_error(load, with->pairs[i].value->place, "snippet.with", "the parameter `%s` is one value",
				   key);
		free(key);
	}
	for (size_t i = 0; parameters && i < parameters->count; i++) {
		const struct pair *pair = &parameters->pairs[i];
		char *key = mem_span_dup(pair->key.text);

		if (!(with && node_find(with, key)) && !default_of(load, pair->value))
			load_error(load, place, "snippet.missing", "the snippet %s needs `with: {%s: …}`",
				   snippet->name, key);
		free(key);
	}
	return load->findings->errors == before;
}

static const struct snippet *find_snippet(struct load *load, const char *name, struct place place)
{
	const char **names = arena_alloc(load->arena, (load->snippets_count + 1) * sizeof *names), *near;

	for (size_t i = 0; i < load->snippets_count; i++) {
		names[i] = load->snippets[i].name;
		if (strcmp(names[i], name) == 0) {
			load->snippets[i].used = true;
			return &load->snippets[i];
		}
	}
	near = nearest_name(span_of(name), names, load->snippets_count);
	load_error(load, place, "snippet.unknown", "there is no snippet `%.64s`" NEAR, name,
		   NEAR_OR_ARGS(near, "", ": it would be snippets/", name, ".yaml"));
	return NULL;
}

const struct node *snippet_steps(struct load *load, const struct node *node, struct place place,
				 const struct snippet **found, const char **file)
{
	const struct node *name = node->type == NODE_MAP ? node_find(node, "snippet") : node;
	const struct node *with = node->type == NODE_MAP ? node_find(node, "with") : NULL;
	struct filling *filling = arena_alloc(load->arena, sizeof *filling);
	const struct snippet *snippet =
		find_snippet(load, arena_span(load->arena, name->text).data, name ? name->place : place);
	struct yaml_variables variables;
	struct yaml_documents documents;

	*found = snippet;
	if (node_null(with))
		with = NULL;
	if (!snippet || !snippet->whole || !check_with(load, snippet, with, place))
		return NULL;
	*filling = (struct filling){load, snippet, with};
	variables = variables_of(load, filling);
	*file = arena_strdup(load->arena, snippet->file->path);
	load->uses = mem_grow(load->uses, &load->uses_capacity, load->uses_count + 1, sizeof *load->uses);
	load->uses[load->uses_count++] = (struct snippet_use){*file, snippet, place_of_use(load, place)};
	yaml_read(load->arena, load->findings, *file, snippet->file->text, &variables, &documents);
	return documents.count ? node_find(documents.items[0], "steps") : NULL;
}

/* ---- findings -------------------------------------------------------------------------------------------- */
static bool same_finding(const struct finding *a, const struct finding *b)
{
	return a->place.line == b->place.line && a->place.column == b->place.column && !strcmp(a->code, b->code) &&
	       !strcmp(a->text, b->text) && a->place.file && b->place.file && !strcmp(a->place.file, b->place.file);
}

void snippet_findings_begin(struct load *load, struct findings *findings)
{
	findings->used = used_at;
	findings->used_arg = load;
}

/* Of one mistake seen through several uses the first is kept, and the others are counted. */
void snippet_findings_end(struct findings *findings)
{
	size_t kept = 0, *times = mem_alloc((findings->count + 1) * sizeof *times);

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];
		size_t k = f->used ? 0 : kept;

		while (k < kept && !(times[k] && same_finding(&findings->list[k], f)))
			k++;
		if (k < kept) {
			times[k]++;
			findings->errors -= f->severity == SEVERITY_ERROR;
			continue;
		}
		times[kept] = f->used != NULL;
		findings->list[kept++] = *f;
	}
	findings->count = kept;
	for (size_t i = 0; i < kept; i++) {
		struct finding *f = &findings->list[i];
		const char *more = times[i] > 1 ? arena_printf(findings->arena, " and %zu more", times[i] - 1) : "";

		if (f->used)
			f->text = arena_printf(findings->arena, "%s (used at %s%s)", f->text, f->used, more);
		f->used = NULL;
	}
	free(times);
	findings->used = NULL;
}

void snippets_check(const struct load *load, struct findings *findings)
{
	for (size_t i = 0; i < load->snippets_count; i++)
		if (!load->snippets[i].used && !load->snippets[i].file->shipped)
			finding_add(findings, load->snippets[i].place, SEVERITY_WARNING, "snippet.unused",
				    "no flow uses this snippet");
}
