/* Broken sites, one mistake each: tests/golden/check/CASE/site is checked, what is said must be CASE/expected, byte by
 * byte. CASE/environment names the environment where it matters. FERRULE_UPDATE=1 writes what is said instead: read the
 * difference before you commit it. */
#include "config.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/site.h"
#include "services/registry.h"
#include "tests/support/support.h"

#define CASES_MAX 500

static char *said(const char *directory, const char *environment)
{
	struct findings findings;
	struct bundle *bundle;
	struct error error;
	struct buf out;

	buf_init(&out, 1 << 20);
	buf_text(&out, "");
	findings_init(&findings);
	bundle = bundle_read_new(directory, environment, &error);
	if (bundle) {
		site_inspect(bundle, registry_get(), directory, &findings);
		report_text(&findings, "", &out);
	} else {
		/* the message names the directory, which is different everywhere */
		buf_printf(&out, "%s\n", error.code);
	}
	findings_free(&findings);
	bundle_free(bundle);
	if (out.len == 0)
		buf_text(&out, "nothing to say\n");
	return buf_take(&out);
}

static bool run_case(const char *base, const char *name)
{
	char *folder = support_path(base, name), *site = support_path(folder, "site"),
	     *file = support_path(folder, "expected");
	char *variant = support_path(folder, "environment"), *environment = support_read(variant, NULL);
	char *text, *expected;
	bool same;

	if (environment)
		environment[strcspn(environment, "\n")] = 0;
	text = said(site, environment);
	if (getenv("FERRULE_UPDATE"))
		support_write(file, span_of(text));
	expected = support_read(file, NULL);
	same = expected && strcmp(expected, text) == 0;
	if (!same)
		printf("# expected:\n%s# said:\n%s", expected ? expected : "", text);
	free(folder);
	free(site);
	free(file);
	free(variant);
	free(environment);
	free(text);
	free(expected);
	return same;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(void)
{
	const char *top = getenv("FERRULE_SRCDIR");
	char *base = support_path(top ? top : SRCDIR, "tests/golden/check");
	struct dirent **cases;
	int n = scandir(base, &cases, is_case, by_name), failed = 0;

	printf("1..%d\n", n > 0 ? n : 1);
	if (n <= 0)
		printf("not ok 1 - there are no cases in %s\n", base);
	for (int i = 0; i < n; i++) {
		bool passed = run_case(base, cases[i]->d_name);

		printf("%s %d - %s\n", passed ? "ok" : "not ok", i + 1, cases[i]->d_name);
		failed += !passed;
		free(cases[i]);
	}
	free(n > 0 ? cases : NULL);
	free(base);
	return failed > 0 || n <= 0;
}
