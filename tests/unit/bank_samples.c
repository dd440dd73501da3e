/* Statements that others published, which lie beside the source or in FERRULE_DATA, are read or told of; skipped where
 * they do not. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/chain.h"
#include "tests/support/support.h"

struct counts {
	unsigned files, published, dead;
};

static void read_file(const char *config, const char *path, struct counts *counts)
{
	struct made_chain *made = made_chain_new(config, ".", "bank", NULL);
	struct came came = {0};
	struct error error;
	size_t n;
	char *content = support_read(path, &n);

	assert_non_null(content);
	assert_int_equal(made_chain_run(made, span_make(content, n), SPAN_NONE, &came, &error), 0);
	assert_true(came.published + came.dead + came.dropped > 0);
	counts->files++;
	counts->published += came.published;
	counts->dead += came.dead;
	buf_free(&came.lines);
	made_chain_free(made);
	free(content);
}

static void walk(const char *config, const char *kind, struct counts *counts)
{
	const char *data = getenv("FERRULE_DATA"), *source = getenv("FERRULE_SRCDIR");
	char *folder = data ? mem_printf("%s/%s", data, kind)
			    : mem_printf("%s/../shared/data/%s", source ? source : SRCDIR, kind);
	DIR *directory = opendir(folder);
	struct dirent *entry;

	if (!directory) {
		free(folder);
		support_skip("there are no sample files in ../shared/data beside the source, nor in FERRULE_DATA");
	}
	while ((entry = readdir(directory))) {
		char *path = support_path(folder, entry->d_name);

		if (entry->d_name[0] != '.')
			read_file(config, path, counts);
		free(path);
	}
	closedir(directory);
	free(folder);
}

static void statements_of_many_banks_are_read_where_they_add_up(void **state)
{
	struct counts counts = {0};

	walk("{\"steps\":[{\"decode\":\"mt940\"}]}", "mt940/mt940", &counts);
	assert_true(counts.files >= 18);
	assert_true(counts.published >= 33); /* the others were shortened by whom they are of, so that they do not */
}

static void statements_that_do_not_add_up_may_pass(void **state)
{
	struct counts counts = {0};

	walk("{\"steps\":[{\"decode\":{\"format\":\"mt940\",\"balance\":\"note\"}}]}", "mt940/mt940", &counts);
	assert_true(counts.dead == 2); /* two have nothing but a reference */
}

static void reports_are_read_where_their_totals_are_right(void **state)
{
	struct counts counts = {0};

	walk("{\"steps\":[{\"decode\":\"bai2\"}]}", "bai2/bai2", &counts);
	assert_int_equal(counts.published, 10);
	assert_int_equal(counts.dead, 4); /* one has another total, and one a record 88 with a colon */
}

static void other_messages_are_told_of(void **state)
{
	struct counts counts = {0};

	walk("{\"steps\":[{\"decode\":\"mt940\"}]}", "swift/prowide-core", &counts);
	assert_true(counts.published == 0 && counts.dead >= counts.files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_of_many_banks_are_read_where_they_add_up),
		cmocka_unit_test(statements_that_do_not_add_up_may_pass),
		cmocka_unit_test(reports_are_read_where_their_totals_are_right),
		cmocka_unit_test(other_messages_are_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
