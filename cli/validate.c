/* ferrule validate: documents against a contract or any JSON Schema, by hand, with no site needed. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/tree.h"
#include "cli/contract.h"
#include "cli/verb.h"
#include "transformers/schema/schema.h"

#define INPUT_MAX ((size_t)1 << 30)

static const struct verb_option options[] = {
	{"json", NULL, "tell what is broken as JSON, a line for each document, on standard error", NULL},
	{"site", "DIR", "a site whose contracts count, too (the current directory)", NULL},
	{"formats", "on|off", "whether `format` is asserted; on for a contract's name, off for a schema file", NULL},
	{"documents", "URL=DIR", "documents whose address begins with URL are files below DIR; may be repeated", NULL},
	{.name = NULL},
};

struct validate {
	const struct arguments *arguments;
	struct contracts contracts;
	const char *name; /* of the contract, or the schema file */
	bool standard;    /* a schema file is a matter of the standard, a contract one of the flow */
	struct schema *schema;
	json_t *documents; /* those that were read because something refers to them, by path */
	size_t faulty;
};

/* ---- the schema, and what it refers to
 * ------------------------------------------------------------------------------- */

static const json_t *load_document(struct validate *validate, char *path_take)
{
	json_t *known = json_object_get(validate->documents, path_take);

	if (!known && !access(path_take, R_OK)) {
		known = json_load_file(path_take, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		if (known)
			json_object_set_new(validate->documents, path_take, known);
	}
	free(path_take);
	return known;
}

/* Where --documents says; a file beside the schema file; another contract. */
static const json_t *find_document(void *arg, const char *address)
{
	struct validate *validate = arg;
	const char *slash = strrchr(validate->name, '/'), *given;
	const json_t *found = NULL;

	for (size_t i = 0; !found && (given = argument_nth(validate->arguments, "documents", i)); i++) {
		const char *folder = strchr(given, '=');
		size_t n = folder ? (size_t)(folder - given) : 0;

		if (n && !strncmp(address, given, n))
			found = load_document(validate, mem_printf("%s/%s", folder + 1, address + n));
	}
	if (!found && validate->standard && !strchr(address, ':'))
		found = load_document(validate, mem_printf("%.*s%s", slash ? (int)(slash - validate->name + 1) : 0,
							   validate->name, address));
	return found ? found : contracts_find(&validate->contracts, address);
}

static int open_schema(struct validate *validate, struct error *error)
{
	const char *formats = argument(validate->arguments, "formats");
	struct schema_options how = {.document = find_document, .arg = validate};
	const json_t *root = contracts_get(&validate->contracts, validate->name, error);

	if (!root)
		return -1;
	how.formats = formats ? !strcmp(formats, "on") : !validate->standard;
	how.name = validate->standard ? NULL : validate->name;
	validate->schema = schema_new(root, &how, error);
	return validate->schema ? 0 : error_wrap(error, "%s is no JSON Schema", validate->name);
}

/* ---- documents
 * ------------------------------------------------------------------------------------------------------- */

/* A flow refuses what cannot go on everywhere, \u0000 and integers beyond 64 bits; the standard does not. */
static json_t *parse(const struct validate *validate, struct span text, struct error *error)
{
	size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_t *tree = tree_parse_new(text, error);

	if (!tree && validate->standard && !strcmp(error->code, "json.character"))
		tree = json_loadb(text.data, text.len, flags, NULL);
	if (!tree && validate->standard && !strcmp(error->code, "json.number"))
		tree = json_loadb(text.data, text.len, flags | JSON_DECODE_INT_AS_REAL, NULL);
	return tree;
}

static void tell_json(const struct validate *validate, const char *position, const char *code, const char *text,
		      const struct schema_faults *faults)
{
	json_t *line =
		json_pack("{s:s s:s s:s s:s s:s s:o}", "verb", "validate", "step", "validate", "code", code, "text",
			  text, "position", position, "faults", faults ? schema_faults_json_new(faults) : json_array());
	char *said = json_dumps(line, JSON_COMPACT);

	fprintf(stderr, "%s\n", said ? said : "{}");
	free(said);
	json_decref(line);
}

static void tell(struct validate *validate, const char *position, const char *code, const char *text,
		 const struct schema_faults *faults)
{
	validate->faulty++;
	if (validate->arguments->json) {
		tell_json(validate, position, code, text, faults);
		return;
	}
	if (!faults)
		fprintf(stderr, "validate%s%s: %s\n", *position ? ", " : "", position, text);
	for (size_t i = 0; faults && i < faults->count; i++) {
		const struct schema_fault *fault = &faults->list[i];

		fprintf(stderr, "validate%s%s: %s: %s\n", *position ? ", " : "", position,
			fault->instance[0] ? fault->instance : "the document", fault->message);
	}
	if (faults && faults->more)
		fprintf(stderr, "validate%s%s: and more\n", *position ? ", " : "", position);
}

/* What is valid is printed as it came. */
static void check_document(struct validate *validate, struct span text, const char *position)
{
	struct error error = {0};
	struct schema_faults faults;
	json_t *tree = parse(validate, text, &error);

	if (!tree) {
		tell(validate, position, error.code, error.text, NULL);
		return;
	}
	if (!schema_check_all(validate->schema, tree, &faults)) {
		while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
			text.len--;
		fwrite(text.data, 1, text.len, stdout);
		putchar('\n');
	} else {
		struct error summary;

		schema_check(validate->schema, tree, &summary);
		error_wrap(&summary, "not a valid %s", validate->name);
		tell(validate, position, summary.code, summary.text, &faults);
		schema_faults_free(&faults);
	}
	json_decref(tree);
}

static struct span take_line(struct span *rest)
{
	const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
	struct span line = span_make(rest->data, end ? (size_t)(end - rest->data) : rest->len);

	*rest = end ? span_make(end + 1, rest->len - line.len - 1) : SPAN_NONE;
	return line;
}

static bool is_blank(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr(" \t\r\n", text.data[i]) || !text.data[i])
			return false;
	return true;
}

/* One document over many lines, or a document a line, as `decode` writes it: the first line tells. */
static void check_all(struct validate *validate, struct span text)
{
	struct span rest = text, line = take_line(&rest);
	struct error unused;
	json_t *first = is_blank(rest) ? NULL : parse(validate, line, &unused);
	char position[32];

	if (!first) {
		check_document(validate, text, "");
		return;
	}
	json_decref(first);
	rest = text;
	for (size_t n = 1; rest.len; n++) {
		line = take_line(&rest);
		snprintf(position, sizeof position, "line %zu", n);
		if (!is_blank(line))
			check_document(validate, line, position);
	}
}

static int read_input(const char *path, struct buf *text, struct error *error)
{
	bool standard = !strcmp(path, "-");
	FILE *file = standard ? stdin : fopen(path, "re");
	char chunk[65536];
	int failed = 0;
	size_t n;

	if (!file)
		return error_errno(error, ERROR_REJECT, "input.open", "%s", path);
	while (!failed && (n = fread(chunk, 1, sizeof chunk, file)) > 0)
		if (buf_append(text, chunk, n))
			failed = error_set(error, ERROR_REJECT, "input.size", "%s is larger than %zu MiB", path,
					   INPUT_MAX >> 20);
	if (!failed && ferror(file))
		failed = error_errno(error, ERROR_REJECT, "input.read", "%s", path);
	if (!standard)
		fclose(file);
	return failed;
}

/* ---- the verb
 * -------------------------------------------------------------------------------------------------------- */

static int validate(const struct arguments *arguments)
{
	const char *formats = argument(arguments, "formats");
	struct validate validate = {.arguments = arguments, .name = arguments->words[0], .documents = json_object()};
	struct error error = {0};
	struct buf text;
	int code;

	if (formats && strcmp(formats, "on") && strcmp(formats, "off")) {
		json_decref(validate.documents);
		return verb_usage(arguments, "--formats is on or off");
	}
	validate.standard = !access(validate.name, R_OK);
	contracts_init(&validate.contracts, arguments);
	buf_init(&text, INPUT_MAX);
	if (open_schema(&validate, &error) || read_input(argument_word(arguments, 1, "-"), &text, &error)) {
		code = verb_failed(arguments, &error);
	} else {
		check_all(&validate, buf_view(&text));
		code = fflush(stdout) || validate.faulty ? EXIT_FINDINGS : EXIT_DONE;
	}
	buf_free(&text);
	schema_free(validate.schema);
	contracts_free(&validate.contracts);
	json_decref(validate.documents);
	return code;
}

const struct verb verb_validate = {
	.name = "validate",
	.words = "CONTRACT [FILE]",
	.words_min = 1,
	.words_max = 2,
	.summary = "Validate JSON lines against a contract (order/v1) or a schema file",
	.text = "  ferrule decode x12 input/acme/20260302-acme-0001.edi | ferrule map mappings/acme-850-to-order.jq |\n"
		"    ferrule validate order/v1\n\nWhat is valid is printed again; what is not, is told on standard "
		"error, and the exit code is 1.\nA contract's name is validated as a flow does; a schema file by the "
		"standard (JSON Schema 2020-12), whose `format` asserts nothing. What a schema refers to is a file "
		"beside it, a contract, or what --documents says; nothing is fetched.\n",
	.json = "on standard error a line for each document that is broken: {verb, step, code, text, position, faults: "
		"[{instance, schema, keyword, message}]}",
	.options = options,
	.run = validate,
};
