/* ferrule schema: what may stand in a site's YAML, as JSON Schema for editors. */
#include "config.h"
#include "cli/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/editor_schema.h"
#include "services/registry.h"

#define KINDS_MAX 16

static const struct verb_option options[] = {
	{"write", NULL, "write all of them into the site, as .ferrule/KIND.schema.json, where its files look for them",
	 NULL},
	{"site", "DIR", "the site that --write is about (the current directory)", NULL},
	{"json", NULL, "with --write: the files that were written, as JSON", NULL},
	{.name = NULL},
};

static int write_one(const char *path, const char *kind)
{
	json_t *schema = editor_schema_new(registry_get(), kind);
	int result = json_dump_file(schema, path, JSON_INDENT(1));

	json_decref(schema);
	return result;
}

json_t *schema_write_new(const char *site, struct error *error)
{
	char *directory = mem_printf("%s/.ferrule", site);
	json_t *files = json_array();

	if (mkdir(directory, 0755) && errno != EEXIST) {
		error_errno(error, ERROR_FATAL, "schema.file", "making %s", directory);
		goto failed;
	}
	for (const struct editor_schema_kind *kind = editor_schema_kinds; kind->name; kind++) {
		char *path = mem_printf("%s/%s.schema.json", directory, kind->name);
		int result = write_one(path, kind->name);

		json_array_append_new(files, json_string(path));
		if (result)
			error_errno(error, ERROR_FATAL, "schema.file", "writing %s", path);
		free(path);
		if (result)
			goto failed;
	}
	free(directory);
	return files;
failed:
	free(directory);
	json_decref(files);
	return NULL;
}

static int write_all(const struct arguments *arguments)
{
	const char *site = argument_given(arguments, "site") ? argument(arguments, "site") : ".";
	char *file = mem_printf("%s/site.yaml", site);
	struct error error = {0};
	bool there = !access(file, R_OK);
	json_t *files, *path;
	size_t i;

	free(file);
	if (!there)
		return verb_refused(arguments, EXIT_UNREACHABLE, "site.missing",
				    "there is no site.yaml in %s; name the site: ferrule schema --write --site DIR",
				    site);
	files = schema_write_new(site, &error);
	if (!files)
		return verb_failed(arguments, &error);
	if (arguments->json) {
		json_t *answer = json_pack("{s:O}", "files", files);

		verb_print_json(answer);
		json_decref(answer);
	} else {
		json_array_foreach(files, i, path)
			printf("%s\n", json_string_value(path));
	}
	json_decref(files);
	return EXIT_DONE;
}

static int schema(const struct arguments *arguments)
{
	const char *names[KINDS_MAX];
	json_t *one;
	size_t n = 0;

	for (; editor_schema_kinds[n].name && n < KINDS_MAX; n++)
		names[n] = editor_schema_kinds[n].name;
	if (argument_given(arguments, "write"))
		return arguments->count ? verb_usage(arguments, "--write writes all of them: leave `%s` out",
						     arguments->words[0])
					: write_all(arguments);
	if (!arguments->count) {
		for (const struct editor_schema_kind *kind = editor_schema_kinds; kind->name; kind++)
			printf("%-12s %-21s %s\n", kind->name, kind->files, kind->title);
		return EXIT_DONE;
	}
	one = editor_schema_new(registry_get(), arguments->words[0]);
	if (!one)
		return verb_unknown(arguments, "kind of file", arguments->words[0], names, n, "ferrule schema");
	verb_print_json(one);
	json_decref(one);
	return EXIT_DONE;
}

const struct verb verb_schema = {
	.name = "schema",
	.words = "[KIND]",
	.words_max = 1,
	.summary = "Print the JSON Schema of a site's YAML, for editors",
	.text = "  ferrule schema\n  ferrule schema flow\n  ferrule schema --write\n"
		"\nWithout KIND it lists the kinds of files. An editor with the YAML language server completes, "
		"explains\n"
		"and checks while you type; files that `ferrule init` writes name their schema in the first line:\n"
		"  # yaml-language-server: $schema=../.ferrule/flow.schema.json\n"
		"After an upgrade of Ferrule type `ferrule schema --write` again.\n",
	.json = "with --write {files: [file]}; a schema is JSON already",
	.options = options,
	.run = schema,
};
