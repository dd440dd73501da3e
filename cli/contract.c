/* ferrule contract: which there are, what their fields mean, and whether a new version may take the place of an old. */
#include "config.h"
#include "cli/contract.h"

#include <stdlib.h>
#include <string.h>

#include "cli/parts.h"
#include "cli/site.h"
#include "config/compatibility.h"

static const struct verb_option options[] = {
	{"mode", "MODE",
	 "backward, forward, full, each also -transitive, or none; else what the old version promises, or "
	 "backward",
	 "diff"},
	{"open", "HOW",
	 "strict or lenient about names that an open contract leaves free; else what the old version says, or "
	 "strict",
	 "diff"},
	{"all", NULL, "also what is compatible", "diff"},
	{"markdown", NULL, "as a page of a guide", "show"},
	{"schema", NULL, "the JSON Schema itself, to begin a new version with", "show"},
	{"site", "DIR", "the site's directory (the current one)", NULL},
	{"json", NULL, "as JSON", NULL},
	{.name = NULL},
};

/* ---- list ----------------------------------------------------------------------------------------------------------
 */
static const char *keys_text(const json_t *keys, char *text, size_t size)
{
	const json_t *key;
	size_t i, n = 0;

	text[0] = '\0';
	json_array_foreach(keys, i, key)
		if (n < size)
			n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "",
					      json_is_string(key) ? json_string_value(key) : "?");
	return text;
}

static int list(const struct arguments *arguments, struct contracts *contracts)
{
	static const char *const titles[] = {"contract", "from", "keys", "what", NULL};
	json_t *all = contracts_list_new(contracts), *contract;
	struct table *table;
	char keys[256];
	size_t i;

	if (arguments->json) {
		json_t *answer = json_pack("{s:O}", "contracts", all);

		verb_print_json(answer);
		json_decref(answer);
		json_decref(all);
		return EXIT_DONE;
	}
	table = table_new(titles);
	json_array_foreach(all, i, contract) {
		table_add(table, json_text(contract, "name"));
		table_add(table, json_text(contract, "from"));
		table_add(table, keys_text(json_object_get(contract, "keys"), keys, sizeof keys));
		table_add(table, json_text(contract, "description"));
	}
	table_print_take(table, "");
	json_decref(all);
	return EXIT_DONE;
}

/* ---- show ----------------------------------------------------------------------------------------------------------
 */
static const char *marks(const json_t *field)
{
	bool required = json_is_true(json_object_get(field, "required")),
	     personal = json_is_true(json_object_get(field, "personal"));

	return required && personal ? "required, personal" : required ? "required" : personal ? "personal" : "";
}

static const char *mode_of(const json_t *schema)
{
	const char *mode = json_string_value(json_object_get(schema, "x-ferrule-compatibility"));

	return mode ? mode : "BACKWARD";
}

static void meaning(const json_t *field, char *text, size_t size)
{
	const char *title = json_text(field, "title"), *description = json_text(field, "description");

	snprintf(text, size, "%s%s%s", title, *title && *description ? ": " : "", description);
}

static void show_text(const char *name, const json_t *schema, const json_t *fields)
{
	static const char *const titles[] = {"field", "type", "", "example", "what", NULL};
	struct table *table = table_new(titles);
	const json_t *field;
	char text[1024];
	size_t i;

	json_array_foreach(fields, i, field) {
		meaning(field, text, sizeof text);
		table_add(table, json_text(field, "field"));
		table_add(table, json_text(field, "type"));
		table_add(table, marks(field));
		table_add(table, json_text(field, "example"));
		table_add(table, text);
	}
	printf("%s: %s\n%s\n", name, json_text(schema, "title"), json_text(schema, "description"));
	printf("Business keys: %s\nCompatibility: %s\n\n",
	       keys_text(json_object_get(schema, "x-ferrule-keys"), text, sizeof text), mode_of(schema));
	table_print_take(table, "");
}

static void print_cell(const char *text)
{
	putchar(' ');
	for (; *text; text++)
		fputs(*text == '|' ? "\\|" : (char[]){*text, 0}, stdout);
	fputs(" |", stdout);
}

static void show_markdown(const char *name, const json_t *schema, const json_t *fields)
{
	const json_t *field;
	char text[1024];
	size_t i;

	printf("# %s: `%s`\n\n%s\n\n", json_text(schema, "title"), name, json_text(schema, "description"));
	printf("Business keys: `%s`. Compatibility: %s.\n\n",
	       keys_text(json_object_get(schema, "x-ferrule-keys"), text, sizeof text), mode_of(schema));
	puts("| field | type | | example | what |\n|---|---|---|---|---|");
	json_array_foreach(fields, i, field) {
		meaning(field, text, sizeof text);
		printf("| `%s` |", json_text(field, "field"));
		print_cell(json_text(field, "type"));
		print_cell(marks(field));
		print_cell(json_text(field, "example"));
		print_cell(text);
		putchar('\n');
	}
}

/* As it was written, to the byte. */
static int show_schema(const struct arguments *arguments, struct contracts *contracts)
{
	struct error error = {0};
	char *path = contracts_path_new(contracts, arguments->words[1], &error), text[16384];
	FILE *file = path ? fopen(path, "r") : NULL;
	size_t n;

	if (path && !file)
		error_errno(&error, ERROR_REJECT, "contract.unreadable", "%s", path);
	free(path);
	if (!file)
		return verb_failed(arguments, &error);
	while ((n = fread(text, 1, sizeof text, file)) > 0)
		fwrite(text, 1, n, stdout);
	fclose(file);
	return EXIT_DONE;
}

static int show(const struct arguments *arguments, struct contracts *contracts)
{
	const char *name = arguments->words[1];
	struct error error = {0};
	const json_t *schema = contracts_get(contracts, name, &error);
	json_t *fields;

	if (!schema)
		return verb_failed(arguments, &error);
	if (argument_given(arguments, "schema"))
		return show_schema(arguments, contracts);
	fields = contract_fields_new(contracts, schema);
	if (arguments->json) {
		json_t *answer = json_pack("{s:s s:s s:s s:s s:O}", "name", name, "title", json_text(schema, "title"),
					   "description", json_text(schema, "description"), "compatibility",
					   mode_of(schema), "fields", fields);

		if (json_object_get(schema, "x-ferrule-keys"))
			json_object_set(answer, "keys", json_object_get(schema, "x-ferrule-keys"));
		verb_print_json(answer);
		json_decref(answer);
	} else if (argument_given(arguments, "markdown")) {
		show_markdown(name, schema, fields);
	} else {
		show_text(name, schema, fields);
	}
	json_decref(fields);
	return EXIT_DONE;
}

/* ---- diff ----------------------------------------------------------------------------------------------------------
 */
static const char *const weights[] = {"compatible", "suspect", "breaking"};

static json_t *difference_json(const struct arguments *arguments, const struct difference *difference)
{
	return json_pack("{s:s s:s s:s s:s s:s s:s s:s}", "code", difference->code, "verdict",
			 weights[difference->weight], "pointer", difference->pointer, "in",
			 difference->in_old ? "old" : "new", "field", difference->field, "text", difference->text,
			 "old", arguments->words[1 + difference->version]);
}

static void print_json(const struct arguments *arguments, const struct compatibility *result, const char *mode,
		       const char *open)
{
	json_t *differences = json_array(), *answer;

	for (size_t i = 0; i < result->count; i++)
		json_array_append_new(differences, difference_json(arguments, &result->list[i]));
	answer = json_pack("{s:b s:s s:s s:I s:o}", "compatible", result->breaking == 0, "mode", mode, "open", open,
			   "breaking", (json_int_t)result->breaking, "differences", differences);
	if (result->more)
		json_object_set_new(answer, "more", json_true());
	verb_print_json(answer);
	json_decref(answer);
}

static void print_text(const struct arguments *arguments, const struct compatibility *result, const char *mode)
{
	bool all = argument_given(arguments, "all"), several = arguments->count > 3;
	size_t quiet = 0;

	for (size_t i = 0; i < result->count; i++) {
		const struct difference *difference = &result->list[i];

		if (difference->weight == DIFFERENCE_FINE && !all) {
			quiet++;
			continue;
		}
		printf("%s: %s at %s#%s", weights[difference->weight], difference->code,
		       difference->in_old ? "the old " : "", difference->pointer);
		if (*difference->field)
			printf(" (%s)", difference->field);
		if (several)
			printf(", since %s", arguments->words[1 + difference->version]);
		printf("\n  %s\n", difference->text);
	}
	printf("%s %s", result->breaking ? "incompatible:" : "compatible:", mode);
	printf(", %zu breaking, %zu to look at", result->breaking, result->suspect);
	if (quiet)
		printf(", %zu compatible (--all shows them)", quiet);
	putchar('\n');
}

static int wrong_option(const struct arguments *arguments, const char *what, const char *word, const char *const *names,
			size_t n)
{
	return verb_unknown(arguments, what, word, names, n, "ferrule help contract");
}

/* What is judged by: as it is told, or as the old version promises. */
struct diff_how {
	struct compatibility_options options;
	const char *mode, *open;
};

static const char *promised(const json_t *old, const char *keyword, const char *fallback)
{
	const char *word = json_string_value(json_object_get(old, keyword));

	return word ? word : fallback;
}

static int diff_options(const struct arguments *arguments, const json_t *old, struct diff_how *how)
{
	static const char *const modes[] = {"backward",           "forward",         "full", "backward-transitive",
					    "forward-transitive", "full-transitive", "none"};
	static const char *const opens[] = {"strict", "lenient"};

	how->mode = argument_given(arguments, "mode") ? argument(arguments, "mode")
						      : promised(old, "x-ferrule-compatibility", "backward");
	how->open = argument_given(arguments, "open") ? argument(arguments, "open")
						      : promised(old, "x-ferrule-open", "strict");
	if (compatibility_mode_parse(how->mode, &how->options.mode, &how->options.transitive))
		return wrong_option(arguments, "mode", how->mode, modes, sizeof modes / sizeof *modes);
	how->mode = modes[how->options.mode == COMPATIBILITY_NONE ? 6
						 : how->options.mode - 1 + (how->options.transitive ? 3 : 0)];
	how->options.lenient = strcmp(how->open, "lenient") == 0;
	if (!how->options.lenient && strcmp(how->open, "strict") != 0)
		return wrong_option(arguments, "way", how->open, opens, sizeof opens / sizeof *opens);
	return EXIT_DONE;
}

static int diff(const struct arguments *arguments, struct contracts *contracts)
{
	struct diff_how how = {.options = {.find = contracts_find, .arg = contracts}};
	const json_t *versions[COMPATIBILITY_VERSIONS_MAX];
	struct compatibility result;
	struct error error = {0};
	size_t n = arguments->count - 1;
	int code;

	if (n > COMPATIBILITY_VERSIONS_MAX)
		return verb_usage(arguments, "at most %d versions at a time", COMPATIBILITY_VERSIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		versions[i] = contracts_get(contracts, arguments->words[i + 1], &error);
		if (!versions[i])
			return verb_failed(arguments, &error);
		if (!json_is_object(versions[i]) && !json_is_boolean(versions[i]))
			return verb_refused(arguments, EXIT_FINDINGS, "contract.json",
					    "%s: a schema is an object, true or false", arguments->words[i + 1]);
	}
	code = diff_options(arguments, versions[n - 2], &how);
	if (code)
		return code;
	if (compatibility_compare(versions, n, &how.options, &result, &error))
		code = verb_failed(arguments, &error);
	else if (arguments->json)
		print_json(arguments, &result, how.mode, how.open);
	else
		print_text(arguments, &result, how.mode);
	if (!code && result.breaking)
		code = EXIT_FINDINGS;
	compatibility_free(&result);
	return code;
}

/* ---- the verb ------------------------------------------------------------------------------------------------------
 */
static int with_contracts(const struct arguments *arguments, int (*run)(const struct arguments *, struct contracts *))
{
	struct contracts contracts;
	int code;

	contracts_init(&contracts, arguments);
	code = run(arguments, &contracts);
	contracts_free(&contracts);
	return code;
}

static int run_list(const struct arguments *arguments, struct session *unused)
{
	(void)unused;
	return with_contracts(arguments, list);
}

static int run_show(const struct arguments *arguments, struct session *unused)
{
	(void)unused;
	return with_contracts(arguments, show);
}

static int run_diff(const struct arguments *arguments, struct session *unused)
{
	(void)unused;
	return with_contracts(arguments, diff);
}

static const struct part parts[] = {
	{"list", 0, 0, "", run_list, NULL},
	{"show", 1, 1, "which contract", run_show, NULL},
	{"diff", 2, COMPATIBILITY_VERSIONS_MAX, "two versions, the old one first", run_diff, NULL},
	{.name = NULL},
};

static int contract(const struct arguments *arguments)
{
	const struct part *part = part_find(arguments, parts);

	return part ? part->run(arguments, NULL) : EXIT_USAGE;
}

const struct verb verb_contract = {
	.name = "contract",
	.words = "list|show|diff [NAME…]",
	.words_max = COMPATIBILITY_VERSIONS_MAX + 1,
	.summary = "Contracts: which there are, what they say, whether a new version is compatible",
	.text = "  ferrule contract list\n"
		"  ferrule contract show order/v1\n"
		"  ferrule contract diff order/v1 order/v1 --mode full\n"
		"\nNAME is a contract (order/v1) or a schema file. diff takes the versions from the oldest to the "
		"newest; "
		"the last\n"
		"is compared with the one before it, in a transitive mode with all of them. Exit code 1: not "
		"compatible.\n",
	.json = "list: {contracts: [{name, title, description, from, keys}]}\n"
		"  show: {name, title, description, keys, compatibility, fields: [{field, title, description, type, "
		"required, personal, example}]}\n"
		"  diff: {compatible, mode, open, breaking, differences: [{code, verdict, pointer, in, field, text, "
		"old}], more?}",
	.options = options,
	.run = contract,
};
