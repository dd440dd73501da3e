/* Fuzz target: a file of a site's tests. Whatever it says, a test is sound or a finding says why it is not, and each
 * finding has its place in the file. */
#include "config.h"
#include "config/trial.h"

#include <assert.h>

#include "services/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char in_yaml[] = "flow: intake\nowner: o\nfrom: {file: 'in/*'}\nsteps: [{decode: json}]\n"
			      "publish: thing.v1\n";
static const char out_yaml[] =
	"flow: out\nowner: o\nsubscribe: thing.v1\nto: {file: 'out/$(.n).json'}\neffect: rename\n";
static const char site_yaml[] = "name: fuzz\n";

static struct site *site_of(struct bundle *bundle)
{
	struct findings findings;
	struct site *site;

	findings_init(&findings);
	site = site_load_new(bundle, registry_get(), "/nonexistent", &findings);
	assert(site);
	findings_free(&findings);
	return site;
}

static void assert_told(const struct trials *trials, const struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		assert(strcmp(findings->list[i].place.file, "tests/fuzz.yaml") == 0 &&
		       findings->list[i].place.line >= 1 && !findings->list[i].within);
	for (size_t i = 0; i < trials->count; i++)
		assert((trials->list[i].sound && trials->list[i].flow) || findings->errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle_file files[] = {{"flows/in.yaml", span_of(in_yaml), false},
				      {"flows/out.yaml", span_of(out_yaml), false},
				      {"site.yaml", span_of(site_yaml), false}};
	struct bundle bundle = {NULL, files, sizeof files / sizeof *files, "", {{0}}, json_object()};
	struct site *site = site_of(&bundle);

	for (int known = 0; known < 2; known++) {
		struct error error;
		struct findings findings;
		struct trials trials;

		findings_init(&findings);
		assert(!trials_open(&trials, "/nonexistent", &error)); /* no folder, no tests */
		trials.files = mem_grow(trials.files, &trials.files_capacity, 1, sizeof *trials.files);
		trials.files[trials.files_count++] =
			(struct trial_file){"tests/fuzz.yaml", span_make((const char *)data, size)};
		trials_parse(&trials, "/nonexistent", known ? site : NULL, false, &findings);
		assert_told(&trials, &findings);
		trials_free(&trials);
		findings_free(&findings);
	}
	site_free(site);
	json_decref(bundle.variables);
	return 0;
}
