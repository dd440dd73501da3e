/* ferrule config show: the configuration as it is in force, with the origin of every value. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/verb.h"
#include "cli/yaml_write.h"
#include "config/effective.h"
#include "services/registry.h"

#define SHOWN_MAX (32u << 20)
#define COMMENT_COLUMN 56

static const struct verb_option options[] = {
	{"effective", NULL, "with every default that holds where nothing is written", NULL},
	{"env", "NAME", "take the values of environments/NAME.yaml", NULL},
	{"site", "DIR", "the site's directory (the current one)", NULL},
	{"json", NULL, "the same as JSON, origins by JSON pointer", NULL},
	{.name = NULL},
};

struct show {
	struct buf out;
	const json_t *origins;
	size_t line; /* where the line at hand begins */
	bool raw;    /* a snippet: its variables stand there as they were written */
};

/* ---- text ------------------------------------------------------------------------------------------------ */
static void put_origin(struct show *show, const char *pointer)
{
	const json_t *origin = json_object_get(show->origins, pointer);
	const char *from = json_string_value(json_object_get(origin, "from")),
		   *where = json_string_value(json_object_get(origin, "where")),
		   *variable = json_string_value(json_object_get(origin, "variable"));

	if (!from)
		return;
	do {
		buf_char(&show->out, ' ');
	} while (show->out.len - show->line < COMMENT_COLUMN);
	buf_text(&show->out, "# ");
	if (!strcmp(from, "default")) {
		buf_text(&show->out, from);
		return;
	}
	if (where)
		buf_printf(&show->out, "%s, ", where);
	if (variable)
		buf_printf(&show->out, "%s%s, ",
			   !strcmp(from, "variable")      ? "the environment's "
			   : !strcmp(from, "environment") ? ""
							  : "default of ",
			   variable);
	buf_printf(&show->out, "%s:%d:%d", json_string_value(json_object_get(origin, "file")),
		   (int)json_integer_value(json_object_get(origin, "line")),
		   (int)json_integer_value(json_object_get(origin, "column")));
}

static void end_line(struct show *show, const char *pointer)
{
	put_origin(show, pointer);
	buf_char(&show->out, '\n');
	show->line = show->out.len;
}

/* A site's scalars are what was typed, so numbers and durations need no quotes. */
static bool reads_as_typed(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";

	return text && *text && *text != '-' && *text != '.' && text[strspn(text, plain)] == 0;
}

/* `${` that is meant as it stands is written `$${`. A snippet's are its parameters. */
static void put_scalar(struct show *show, const json_t *value)
{
	const char *text = json_string_value(value), *at;
	struct buf escaped;

	buf_init(&escaped, SHOWN_MAX);
	for (; !show->raw && (at = strstr(text, "${")); text = at + 2) {
		buf_append(&escaped, text, (size_t)(at - text));
		buf_text(&escaped, "$${");
	}
	buf_text(&escaped, text);
	if (reads_as_typed(escaped.data))
		buf_text(&show->out, escaped.data);
	else
		yaml_write_text(&show->out, buf_view(&escaped));
	buf_free(&escaped);
}

static void put_value(struct show *, const json_t *, const char *pointer, size_t indent, bool in_list);

static void indent_by(struct show *show, size_t n)
{
	while (n--)
		buf_char(&show->out, ' ');
}

static char *pointer_to(const char *pointer, const char *key)
{
	char *made = mem_alloc(strlen(pointer) + 2 * strlen(key) + 2), *to = made;

	to += sprintf(to, "%s/", pointer);
	for (; *key; key++) {
		*to++ = *key == '/' ? '~' : *key;
		if (*key == '~' || *key == '/')
			*to++ = *key == '~' ? '0' : '1';
	}
	*to = 0;
	return made;
}

static void put_map(struct show *show, const json_t *map, const char *pointer, size_t indent, bool in_list)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)map, key, value) {
		char *below = pointer_to(pointer, key);

		if (!in_list)
			indent_by(show, indent);
		in_list = false;
		yaml_write_text(&show->out, span_of(key));
		buf_char(&show->out, ':');
		put_value(show, value, below, indent + 2, false);
		free(below);
	}
}

static void put_list(struct show *show, const json_t *list, const char *pointer, size_t indent)
{
	json_t *value;
	size_t i;

	json_array_foreach((json_t *)list, i, value) {
		char *below = mem_printf("%s/%zu", pointer, i);

		indent_by(show, indent);
		buf_char(&show->out, '-');
		put_value(show, value, below, indent + 2, true);
		free(below);
	}
}

/* What stands behind `key:` or `-`. */
static void put_value(struct show *show, const json_t *value, const char *pointer, size_t indent, bool in_list)
{
	bool empty = !json_is_string(value) && !json_is_null(value) && json_object_size(value) == 0 &&
		     json_array_size(value) == 0;

	if (json_is_null(value)) {
		end_line(show, "");
	} else if (json_is_string(value) || empty) {
		buf_char(&show->out, ' ');
		if (empty)
			buf_text(&show->out, json_is_object(value) ? "{}" : "[]");
		else
			put_scalar(show, value);
		end_line(show, pointer);
	} else if (json_is_object(value) && in_list) {
		buf_char(&show->out, ' ');
		put_map(show, value, pointer, indent, true);
	} else {
		end_line(show, "");
		if (json_is_object(value))
			put_map(show, value, pointer, indent, false);
		else
			put_list(show, value, pointer, indent);
	}
}

static void print_text(const json_t *files)
{
	struct show show = {0};
	const json_t *file;
	size_t i;

	buf_init(&show.out, SHOWN_MAX);
	json_array_foreach(files, i, file) {
		buf_printf(&show.out, "%s# %s\n", i ? "---\n" : "", json_string_value(json_object_get(file, "file")));
		show.line = show.out.len;
		show.origins = json_object_get(file, "origins");
		show.raw = !strncmp(json_string_value(json_object_get(file, "file")), "snippets/", 9);
		put_map(&show, json_object_get(file, "document"), "", 0, false);
	}
	fwrite(show.out.data ? show.out.data : "", 1, show.out.len, stdout);
	buf_free(&show.out);
}

/* ---- the verb -------------------------------------------------------------------------------------------- */
static int show(const struct arguments *arguments, const struct bundle *bundle, const char *directory)
{
	struct error error = {0};
	struct findings findings;
	json_t *answer, *files;
	struct site *site;

	findings_init(&findings);
	site = site_load_new(bundle, registry_get(), directory, &findings);
	if (!site) {
		error_set(&error, ERROR_REJECT, "site.invalid",
			  "the configuration is not valid, so nothing is in force: ferrule check");
		verb_failed_with(arguments, &error, &findings, EXIT_FINDINGS);
		findings_free(&findings);
		return EXIT_FINDINGS;
	}
	files = effective_new(site, registry_get(), argument_given(arguments, "effective"));
	if (arguments->json) {
		answer = json_pack("{s:s,s:s,s:s,s:O}", "site", site->name, "environment", bundle->environment,
				   "revision", site->revision, "files", files);
		verb_print_json(answer);
		json_decref(answer);
	} else {
		print_text(files);
	}
	json_decref(files);
	site_free(site);
	findings_free(&findings);
	return EXIT_DONE;
}

static int config(const struct arguments *arguments)
{
	static const char *const names[] = {"show"};
	const char *directory = argument_given(arguments, "site") ? argument(arguments, "site") : ".";
	struct error error = {0};
	struct bundle *bundle;
	int code;

	if (strcmp(arguments->words[0], "show") != 0)
		return verb_unknown(arguments, "way to look at it", arguments->words[0], names, 1,
				    "ferrule config show --effective");
	bundle = bundle_read_new(directory, argument_given(arguments, "env") ? argument(arguments, "env") : "", &error);
	if (!bundle)
		return verb_failed(arguments, &error);
	code = show(arguments, bundle, directory);
	bundle_free(bundle);
	return code;
}

const struct verb verb_config = {
	.name = "config",
	.words = "show",
	.words_min = 1,
	.words_max = 1,
	.summary = "Show the configuration in force, and where each value comes from",
	.text = "  ferrule config show\n  ferrule config show --effective\n  ferrule config show --effective --env "
		"prod\n"
		"\nIt is YAML, with the origin of each value behind it: a place in the site, a file of environments/, "
		"a\n"
		"variable of the environment, or a default. Written into files it is the same site. Secrets are names\n"
		"here as there; a password in an address, and the value of a variable whose name says that it is one,\n"
		"is ***.\n",
	.json = "{site, environment, revision, files: [{file, document, origins: {POINTER: {from, file, line, column,\n"
		"  variable?, where?}}}]}; from: file, environment, variable, variable-default or default",
	.options = options,
	.run = config,
};
