/* ferrule check: everything about a site that can be told without running it. */
#include "config.h"

#include <string.h>

#include "cli/check_against.h"
#include "cli/verb.h"
#include "config/site.h"
#include "services/registry.h"

#define SHOWN_MAX 200

static const struct verb_option options[] = {
	{"site", "DIR", "the same as the word DIR", NULL},
	{"env", "NAME", "take the values of environments/NAME.yaml; all: each of them in turn", NULL},
	{"against", "REVISION", "contracts against those of a git revision: what breaks needs a new version", NULL},
	{"json", NULL, "findings as JSON", NULL},
	{"sarif", NULL, "findings as SARIF 2.1.0, for code review tools", NULL},
	{"limit", "N", "show so many findings (200)", NULL},
	{"fresh", NULL, "look at everything again, though nothing has changed since the last check", NULL},
	{"codes", NULL, "list every code that a finding can have", NULL},
	{.name = NULL},
};

/* ---- telling --------------------------------------------------------------------------------------------- */
static int print_codes(const struct arguments *arguments)
{
	if (arguments->json) {
		json_t *codes = json_pack("{s:o}", "codes", report_codes_new());

		verb_print_json(codes);
		json_decref(codes);
		return EXIT_DONE;
	}
	for (const struct finding_code *c = finding_codes; c->code; c++)
		printf("%-22s %-8s %s\n", c->code, severity_name(c->severity), c->help);
	return EXIT_DONE;
}

static size_t warnings_of(const struct findings *findings)
{
	size_t n = 0;

	for (size_t i = 0; i < findings->count; i++)
		n += findings->list[i].severity == SEVERITY_WARNING;
	return n;
}

static void print_json(const struct findings *shown, const struct findings *all)
{
	json_t *answer = json_pack("{s:I s:I s:I s:o}", "errors", (json_int_t)all->errors, "warnings",
				   (json_int_t)warnings_of(all), "more",
				   (json_int_t)(all->count - shown->count + all->dropped), "findings",
				   report_json_new(shown));

	verb_print_json(answer);
	json_decref(answer);
}

static void print_sarif(const struct findings *findings, const char *directory)
{
	json_t *sarif = report_sarif_new(findings, directory);

	verb_print_json(sarif);
	json_decref(sarif);
}

static void print_text(const struct findings *shown, const struct findings *all, const char *directory)
{
	size_t more = all->count - shown->count + all->dropped;

	verb_print_findings(shown, stdout);
	if (more > 0)
		printf("… and %zu more; all of them: ferrule check %s --limit %zu\n", more, directory,
		       all->count + all->dropped);
	if (all->errors)
		printf("%zu error%s\n", all->errors, all->errors == 1 ? "" : "s");
	else
		printf("%s: no errors\n", directory);
}

static int tell(const struct arguments *arguments, const struct findings *findings, const char *directory, size_t limit)
{
	struct findings shown = *findings;

	if (shown.count > limit)
		shown.count = limit;
	if (argument_given(arguments, "sarif"))
		print_sarif(findings, directory);
	else if (arguments->json)
		print_json(&shown, findings);
	else
		print_text(&shown, findings, directory);
	return findings->errors > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

/* ---- looking --------------------------------------------------------------------------------------------- */
static const char *directory_of(const struct arguments *arguments)
{
	return argument_word(arguments, 0, argument_given(arguments, "site") ? argument(arguments, "site") : ".");
}

static int inspect(const char *directory, const char *environment, bool fresh, struct findings *findings,
		   struct error *error)
{
	struct bundle *bundle;

	if (strcmp(environment, "all") == 0)
		return site_inspect_all(directory, registry_get(), findings, fresh, error);
	bundle = bundle_read_new(directory, environment, error);
	if (!bundle)
		return -1;
	site_inspect_cached(bundle, registry_get(), directory, fresh, findings);
	bundle_free(bundle);
	return 0;
}

static int check(const struct arguments *arguments)
{
	const char *directory = directory_of(arguments), *environment = argument(arguments, "env");
	struct error error = {0};
	struct findings findings;
	int64_t limit;
	int code;

	if (argument_given(arguments, "codes"))
		return print_codes(arguments);
	if (verb_count(arguments, "limit", SHOWN_MAX, &limit))
		return EXIT_USAGE;
	if (arguments->json && argument_given(arguments, "sarif"))
		return verb_usage(arguments, "--json and --sarif: one of them");
	findings_init(&findings);
	if (inspect(directory, environment ? environment : "", argument_given(arguments, "fresh"), &findings, &error) ||
	    (argument_given(arguments, "against") &&
	     check_against(directory, argument(arguments, "against"), &findings, &error)))
		code = verb_failed(arguments, &error);
	else
		code = tell(arguments, &findings, directory, (size_t)limit);
	findings_free(&findings);
	return code;
}

const struct verb verb_check = {
	.name = "check",
	.alias = "lint",
	.words = "[DIR]",
	.words_max = 1,
	.summary = "Check a site offline, every finding in one pass",
	.text = "  ferrule check\n  ferrule check --env prod\n  ferrule check --env all --sarif > check.sarif\n"
		"\nA finding is file:line:column: error or warning: what is wrong. Exit code 1: there are errors.\n"
		"--against main: contracts as they are now against those of that revision of the site's git.\n",
	.json = "{errors, warnings, more, findings: [{file, line, column, severity, code, message, scope?}]}; with "
		"--codes {codes: [{code, severity, help}]}",
	.options = options,
	.run = check,
};
