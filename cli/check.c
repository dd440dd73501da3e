/* ferrule check: everything about a site that can be told without running it. */
#include "config.h"

#include "cli/verb.h"
#include "config/site.h"
#include "services/registry.h"

static const struct verb_option options[] = {
	{"site", "DIR", "the same as the word DIR"},
	{"env", "NAME", "take the values of environments/NAME.yaml"},
	{"json", NULL, "findings as JSON"},
	{NULL, NULL, NULL},
};

static void print_json(const struct findings *findings)
{
	json_t *answer =
		json_pack("{s:I s:o}", "errors", (json_int_t)findings->errors, "findings", report_json_new(findings));

	verb_print_json(answer);
	json_decref(answer);
}

static void print_text(const struct findings *findings, const char *directory)
{
	verb_print_findings(findings, stdout);
	if (findings->errors)
		printf("%zu error%s\n", findings->errors, findings->errors == 1 ? "" : "s");
	else
		printf("%s: no errors\n", directory);
}

static const char *directory_of(const struct arguments *arguments)
{
	return argument_word(arguments, 0, argument_given(arguments, "site") ? argument(arguments, "site") : ".");
}

static int check(const struct arguments *arguments)
{
	const char *directory = directory_of(arguments);
	struct error error = {0};
	struct findings findings;
	struct bundle *bundle =
		bundle_read_new(directory, argument_given(arguments, "env") ? argument(arguments, "env") : "", &error);
	int code;

	if (!bundle)
		return verb_failed(arguments, &error);
	findings_init(&findings);
	code = site_inspect(bundle, registry_get(), directory, &findings) ? EXIT_FINDINGS : EXIT_DONE;
	if (arguments->json)
		print_json(&findings);
	else
		print_text(&findings, directory);
	findings_free(&findings);
	bundle_free(bundle);
	return code;
}

const struct verb verb_check = {
	.name = "check",
	.alias = "lint",
	.words = "[DIR]",
	.words_max = 1,
	.summary = "Check a site offline, every finding in one pass",
	.text = "  ferrule check\n  ferrule check --env prod\n\nA finding is file:line:column: error or warning: what "
		"is wrong. Exit code 1: there are errors.\n",
	.json = "{errors, findings: [{file, line, column, severity, code, message}]}",
	.options = options,
	.run = check,
};
