/* ferrule test: runs the tests of a site offline. */
#include "config.h"
#include "cli/test.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/test_record.h"
#include "cli/test_update.h"
#include "config/yaml.h"
#include "services/registry.h"

#define DIFFERENCE_MAX (16u << 20)

static const struct verb_option options[] = {
	{"site", "DIR", "the same as the word DIR", NULL},
	{"env", "NAME", "take the values of environments/NAME.yaml (test, where there is such a file)", NULL},
	{"coverage", NULL, "tell which parts of the mappings never ran", NULL},
	{"update", NULL, "show the differences, then write what came as what is expected", NULL},
	{"record", "KEY", "write a test from a document that went through, with personal data masked", NULL},
	{"tap", NULL, "the results as TAP", NULL},
	{"junit", "FILE", "write the results as JUnit XML, too", NULL},
	{"json", NULL, "the results as JSON", NULL},
	{.name = NULL},
};

/* ---- the site -----------------------------------------------------------------------------------------------------
 */
static struct test_site *load_site(struct test_run *run, json_t *with, struct error *error)
{
	json_t *before = run->bundle->variables;
	struct test_site *made = mem_alloc(sizeof *made);

	run->bundle->variables = json_copy(before);
	if (with)
		json_object_update(run->bundle->variables, with);
	made->site = site_load_new(run->bundle, registry_get(), run->directory, &run->findings);
	json_decref(run->bundle->variables);
	run->bundle->variables = before;
	if (!made->site) {
		free(made);
		error_set(error, ERROR_FATAL, "site.invalid",
			  "the site has mistakes: `ferrule check %s` shows them all", run->directory);
		return NULL;
	}
	if (run->coverage)
		coverage_watch(run->coverage, made->site);
	made->with = json_incref(with);
	made->stage = stage_new(made->site);
	made->next = run->sites ? run->sites->next : NULL;
	if (run->sites)
		run->sites->next = made;
	else
		run->sites = made;
	return made;
}

struct test_site *test_site_for(struct test_run *run, const struct trial *trial, struct error *error)
{
	bool plain = !trial->with || !json_object_size(trial->with);

	for (struct test_site *site = run->sites; site; site = site->next)
		if (plain ? !site->with : json_equal(site->with, trial->with))
			return site;
	return load_site(run, plain ? NULL : trial->with, error);
}

/* A site that would not run is tested, as one mistake says nothing of the other flows, but it does not pass. Warnings
 * are check's matter, and the tests are read below. */
static void add_site_errors(struct test_run *run)
{
	struct findings all;

	findings_init(&all);
	site_inspect_cached(run->bundle, registry_get(), run->directory, false, &all);
	for (size_t i = 0; i < all.count; i++) {
		const struct finding *f = &all.list[i];

		if (f->severity == SEVERITY_ERROR && strncmp(f->place.file ? f->place.file : "", "tests", 5) != 0)
			finding_add(&run->findings, f->place, f->severity, f->code, "%s", f->text);
	}
	run->site_errors = run->findings.errors;
	findings_free(&all);
}

/* What goes where credentials stand is hidden before anything is made of it: it would come out in differences, and
 * --update and --record would write it down. `with:` gives a test a value of its own. */
static void hide_credentials(struct test_run *run)
{
	struct site *site = NULL;
	struct findings unused; /* the site is read once more */
	json_t *hidden = NULL;

	findings_init(&unused);
	if (json_object_size(run->bundle->variables) > 0)
		site = site_load_new(run->bundle, registry_get(), run->directory, &unused);
	if (site)
		hidden = site_hidden_variables_new(site);
	site_free(site);
	findings_free(&unused);
	if (!hidden)
		return;
	json_decref(run->bundle->variables);
	run->bundle->variables = hidden;
}

static const char *environment_of(const struct arguments *arguments, const char *directory)
{
	char *path = mem_printf("%s/environments/test.yaml", directory);
	bool own = !access(path, R_OK);

	free(path);
	return argument_given(arguments, "env") ? argument(arguments, "env") : own ? "test" : "";
}

int test_open(struct test_run *run, const struct arguments *arguments, const char *directory, int *code)
{
	struct error error = {0};

	*run = (struct test_run){.arguments = arguments, .directory = directory};
	run->update = argument_given(arguments, "update");
	findings_init(&run->findings);
	run->coverage = argument_given(arguments, "coverage") ? coverage_new() : NULL;
	run->bundle = bundle_read_new(directory, environment_of(arguments, directory), &error);
	if (!run->bundle) {
		*code = verb_failed(arguments, &error);
		return -1;
	}
	hide_credentials(run);
	if (!load_site(run, NULL, &error)) {
		findings_sort(&run->findings);
		*code = verb_failed_with(arguments, &error, &run->findings, EXIT_FINDINGS);
		return -1;
	}
	findings_free(&run->findings);
	findings_init(&run->findings);
	add_site_errors(run);
	if (run->site_errors && (run->update || argument_given(arguments, "record"))) {
		findings_sort(&run->findings);
		error_set(&error, ERROR_REJECT, "site.invalid",
			  "the site has mistakes, and what comes of them is nothing to expect: nothing was written");
		*code = verb_failed_with(arguments, &error, &run->findings, EXIT_FINDINGS);
		return -1;
	}
	if (trials_read(&run->trials, directory, run->sites->site, run->update, &run->findings, &error)) {
		*code = verb_failed(arguments, &error);
		return -1;
	}
	findings_sort(&run->findings);
	return 0;
}

void test_close(struct test_run *run)
{
	while (run->sites) {
		struct test_site *site = run->sites;

		run->sites = site->next;
		stage_free(site->stage);
		site_free(site->site);
		json_decref(site->with);
		free(site);
	}
	coverage_free(run->coverage);
	for (size_t i = 0; i < run->count; i++)
		free(run->outcomes[i].text);
	free(run->outcomes);
	findings_free(&run->findings);
	trials_free(&run->trials);
	bundle_free(run->bundle);
}

/* A test that is new says what goes in; what comes out is written for it. */
static bool says_nothing(const struct trial *trial)
{
	for (int kind = 0; kind < TRIAL_KINDS; kind++)
		if (trial->said[kind])
			return false;
	return true;
}

/* ---- running ------------------------------------------------------------------------------------------------------
 */
static void note_update(struct test_run *run, struct test_outcome *outcome, const struct test_site *site,
			const struct rehearsal *rehearsal, const struct comparison *comparison, struct buf *text)
{
	struct error why = {0};

	if (test_update_note(run->edits, run, outcome->trial, site, rehearsal, comparison, &why)) {
		buf_printf(text, "it cannot be updated: %s\n", why.text);
		return;
	}
	outcome->updated = true;
	run->updated++;
}

static void rehearse(struct test_run *run, struct test_outcome *outcome)
{
	const struct trial *trial = outcome->trial;
	struct rehearsal rehearsal = {0};
	struct comparison comparison = {0};
	struct error error = {0};
	struct test_site *site = trial->sound ? test_site_for(run, trial, &error) : NULL;
	struct buf text;

	buf_init(&text, DIFFERENCE_MAX);
	outcome->result = TEST_BROKEN;
	if (!trial->sound)
		buf_text(&text, "it has mistakes; see above\n");
	else if (!site || rehearsal_run(&rehearsal, site->stage, trial, &error))
		buf_printf(&text, "%s:%d: %s\n", trial->place.file, trial->place.line, error.text);
	else {
		rehearsal_compare(&rehearsal, site->stage, trial, &comparison);
		outcome->result = comparison.agrees ? TEST_OK : TEST_FAILED;
		rehearsal_tell(&rehearsal, site->stage, trial, &comparison, &text);
		if (run->update && (!comparison.agrees || says_nothing(trial)))
			note_update(run, outcome, site, &rehearsal, &comparison, &text);
		if (run->update && comparison.agrees && says_nothing(trial) && !outcome->updated)
			outcome->result = TEST_BROKEN;
	}
	comparison_free(&comparison);
	rehearsal_free(&rehearsal);
	outcome->text = outcome->result == TEST_OK ? NULL : buf_take(&text);
	buf_free(&text);
}

static void run_one(struct test_run *run, const struct trial *trial)
{
	struct test_outcome *outcome;
	int64_t began = clock_tick_ms();

	run->outcomes = mem_grow(run->outcomes, &run->capacity, run->count + 1, sizeof *run->outcomes);
	outcome = &run->outcomes[run->count++];
	*outcome = (struct test_outcome){.trial = trial};
	rehearse(run, outcome);
	outcome->ms = clock_tick_ms() - began;
	run->ms += outcome->ms;
	if (outcome->result == TEST_OK)
		run->ok++;
	else if (!outcome->updated)
		run->failed++;
	test_report_one(run, outcome);
}

/* Names narrow: a test runs when one of them is part of its name, or the beginning of its file's. */
static bool is_wanted(const struct arguments *arguments, size_t from, const struct trial *trial)
{
	for (size_t i = from; i < arguments->count; i++)
		if (strcasestr(trial->name, arguments->words[i]) ||
		    !strncmp(trial->place.file, arguments->words[i], strlen(arguments->words[i])))
			return true;
	return from == arguments->count;
}

static bool is_site(const char *word)
{
	char *path = mem_printf("%s/site.yaml", word);
	bool there = !access(path, F_OK) || !strcmp(word, ".") || strchr(word, '/') != NULL;

	free(path);
	return there && strncmp(word, "tests/", 6) != 0;
}

/* "site/tests/a.yaml", as shells complete it: the site, and where the file's name within it begins. NULL: it is none.
 */
static char *site_within_new(const char *word, size_t *begins)
{
	const char *found = strstr(word, "/tests/");

	if (!found || !yaml_is_file(word))
		return NULL;
	*begins = (size_t)(found - word) + 1;
	return found == word ? mem_strdup("/") : mem_span_dup(span_make(word, *begins - 1));
}

/* Words that name files of the site are told as it names them. */
static char *take_files(struct arguments *told)
{
	size_t begins = 0, length = 0;
	char *site = told->count ? site_within_new(told->words[0], &begins) : NULL;

	for (size_t i = 0; site && i < told->count; i++) {
		char *other = site_within_new(told->words[i], &length);

		if (other && !strcmp(other, site))
			told->words[i] += length;
		free(other);
	}
	return site;
}

static int finish(struct test_run *run)
{
	const char *junit = argument(run->arguments, "junit");
	struct error error = {0};

	if (run->updated && test_update_write(run->edits, run, &error))
		return verb_failed(run->arguments, &error);
	test_report_end(run);
	if (junit && test_write_junit(run, junit, &error))
		return verb_failed(run->arguments, &error);
	return run->failed || run->findings.errors ? EXIT_FINDINGS : EXIT_DONE;
}

static int run_all(struct test_run *run, size_t from)
{
	const struct arguments *arguments = run->arguments;

	run->color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	if (!arguments->json)
		verb_print_findings(&run->findings, argument_given(arguments, "tap") ? stderr : stdout);
	for (size_t i = 0; i < run->trials.count; i++)
		if (is_wanted(arguments, from, &run->trials.list[i]))
			run_one(run, &run->trials.list[i]);
	if (!run->count && run->trials.count)
		return verb_refused(arguments, EXIT_USAGE, "test.none",
				    "no test is called so; there are %zu, the first: %s", run->trials.count,
				    run->trials.list[0].name);
	return finish(run);
}

static int test(const struct arguments *arguments)
{
	const char *directory = argument_given(arguments, "site") ? argument(arguments, "site") : ".";
	struct arguments told = *arguments; /* words may be other ones than those that were typed */
	char *site = NULL;
	struct test_edits edits = {0};
	struct test_run run;
	size_t from = 0;
	int code;

	if (arguments->json && argument_given(arguments, "tap"))
		return verb_usage(arguments, "--json and --tap: one of them");
	if (arguments->count && !argument_given(arguments, "site")) {
		site = take_files(&told);
		if (site) {
			directory = site;
		} else if (is_site(arguments->words[0])) {
			directory = arguments->words[0];
			from = 1;
		}
	}
	log_role("test");
	log_levels("off");
	if (!test_open(&run, &told, directory, &code)) {
		run.edits = &edits;
		code = argument_given(arguments, "record") ? test_record(&run, argument(arguments, "record"))
							   : run_all(&run, from);
	}
	test_update_free(&edits);
	test_close(&run);
	free(site);
	return code;
}

const struct verb verb_test = {
	.name = "test",
	.words = "[DIR] [NAME…]",
	.words_max = ARGUMENTS_MAX,
	.summary = "Run the tests of a site, offline",
	.text = "  ferrule test\n  ferrule test PO-4711\n  ferrule test --update\n  ferrule test --coverage\n"
		"  ferrule test --record PO-4711\n\n"
		"The tests are in tests/*.yaml: an input, and what must be published, delivered, refused or dropped. "
		"Nothing is sent\nanywhere. NAME: only tests with this in their name, or of this file. Exit code 1: "
		"one failed, or the site has\nmistakes, which are told first. More: docs/testing.md\n",
	.json = "{tests, ok, failed, ms, cases: [{name, file, line, flow, result: ok|failed|broken, ms, text?}], "
		"findings?}",
	.options = options,
	.run = test,
};
