/* Golden folders: tests/golden/TRANSFORMER/CASE holds `in`, `config.json` (see tests/support/chain.h) and `out`, the
 * lines that must come. With GOLDEN_UPDATE=1 in the environment `out` is written instead; look at the difference before
 * keeping it. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/chain.h"
#include "tests/support/support.h"

#define CASES_MAX 4000

static char *need(const char *directory, const char *name, size_t *len)
{
	char *path = support_path(directory, name), *content = support_read(path, len);

	if (!content)
		fail_msg("%s is missing", path);
	free(path);
	return content;
}

static void golden(void **state)
{
	const char *directory = *state;
	size_t in_len, len;
	char *in = need(directory, "in", &in_len), *config = need(directory, "config.json", &len),
	     *path = support_path(directory, "out"), *want;
	struct made_chain *made = made_chain_new(config, directory, "golden", NULL);
	struct came came = {0};
	struct error error;

	if (made_chain_run(made, span_make(in, in_len), SPAN_NONE, &came, &error))
		fail_msg("%s", error.text);
	if (getenv("GOLDEN_UPDATE"))
		support_write(path, buf_view(&came.lines));
	want = need(directory, "out", &len);
	if (!span_equal(buf_view(&came.lines), span_make(want, len)))
		fail_msg("%s gives\n%.*s\nand not\n%s", directory, SPAN_ARGS(buf_view(&came.lines)), want);
	buf_free(&came.lines);
	made_chain_free(made);
	free(in);
	free(config);
	free(path);
	free(want);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

static size_t collect(const char *root, const char *transformer, struct CMUnitTest *tests, size_t n)
{
	char *folder = support_path(root, transformer);
	DIR *directory = opendir(folder);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)) && n < CASES_MAX) {
		char *path = support_path(folder, entry->d_name), *config = support_path(path, "config.json");

		if (entry->d_name[0] != '.' && !access(config, R_OK))
			tests[n++] = (struct CMUnitTest){.name = mem_printf("%s/%s", transformer, entry->d_name),
							 .test_func = golden,
							 .initial_state = path};
		else
			free(path);
		free(config);
	}
	if (directory)
		closedir(directory);
	free(folder);
	return n;
}

int main(void)
{
	static struct CMUnitTest tests[CASES_MAX];
	char *root = mem_printf("%s/tests/golden", getenv("FERRULE_SRCDIR") ? getenv("FERRULE_SRCDIR") : SRCDIR);
	DIR *directory = opendir(root);
	struct dirent *entry;
	size_t n = 0;
	int failed;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			n = collect(root, entry->d_name, tests, n);
	if (directory)
		closedir(directory);
	if (!n) {
		fprintf(stderr, "no golden folders under %s\n", root);
		return 1;
	}
	if (n == CASES_MAX) {
		fprintf(stderr, "there are more than %d golden folders: raise CASES_MAX\n", CASES_MAX);
		return 1;
	}
	qsort(tests, n, sizeof *tests, by_name);
	failed = _cmocka_run_group_tests("golden", tests, n, NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		free((char *)(uintptr_t)tests[i].name);
		free(tests[i].initial_state);
	}
	free(root);
	return failed;
}
