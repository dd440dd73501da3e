/* Real X12 files, which are not part of this source: read where they lie beside it, skipped where they do not. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/chain.h"
#include "tests/support/support.h"

static struct made_chain *decoder;

/* Files that are well-formed, and how many transactions each holds. */
static const struct {
	const char *name;
	unsigned transactions;
} sound[] = {
	{"EDI.Net/210-MGCTLYST-SAMPLE.EDI", 1},
	{"EDI.Net/214-MGCTLYST-SAMPLE.EDI", 1},
	{"EDI.Net/x12.214.edi", 1},
	{"EDI.Net/x12.Issue88.edi", 1},
	{"EDI.Net/x12.820.issue140.edi", 1},
	{"EDI.Net/x12.810a.edi", 1}, /* its ISA has not its length */
	{"EDI.Net/x12.810c.edi", 1},
	{"pyx12/835_mult_loops.txt", 1},
	{"pyx12/multiple_st_loops.txt", 4},
	{"pyx12/834_lui_id_5010.999.txt", 4},
	{"pyx12/example834_5010.txt", 1},
	{"staedi/simple810.edi", 2},
	{"staedi/simple997-multiple-interchanges.edi", 3},
	{"staedi/invoice810_po850_dual.edi", 3},
	{"staedi/ts210_80char.edi", 1},
	{"staedi/simple_with_binary_segment.edi", 1},
	{"staedi/sample275_with_HL7_valid_BIN01.edi", 1},
	{"staedi/optionalInterchangeServices.edi", 2}, /* what stands before the groups is an item of its own */
};

static char *samples(void)
{
	const char *source = getenv("FERRULE_SRCDIR");
	char *path = mem_printf("%s/../shared/data/x12", source ? source : SRCDIR);
	DIR *directory = opendir(path);

	if (!directory) {
		free(path);
		support_skip("there are no sample files in ../shared/data/x12 beside the source");
		return NULL;
	}
	closedir(directory);
	return path;
}

static void decode_file(const char *path, struct came *came)
{
	struct error error;
	size_t n;
	char *content = support_read(path, &n);

	assert_non_null(content);
	if (made_chain_run(decoder, span_make(content, n), SPAN_NONE, came, &error))
		fail_msg("%s: %s", path, error.text);
	if (getenv("VERBOSE"))
		print_message("%s: %u out, %u dead, %u dropped\n%.*s", path, came->published, came->dead, came->dropped,
			      came->dead ? (int)came->lines.len : 0, came->lines.data ? came->lines.data : "");
	free(content);
}

static void files_that_are_sound_give_their_transactions(void **state)
{
	char *root = samples();
	struct came came = {0};

	for (size_t i = 0; root && i < sizeof sound / sizeof *sound; i++) {
		char *path = support_path(root, sound[i].name);

		decode_file(path, &came);
		if (came.published != sound[i].transactions || came.dead)
			fail_msg("%s: %u transactions, %u dead\n%.2000s", path, came.published, came.dead,
				 came.lines.data);
		free(path);
	}
	buf_free(&came.lines);
	free(root);
}

/* Files whose counts or headers are wrong, and what must be said of them. */
static const struct {
	const char *name, *code;
} broken[] = {
	{"EDI.Net/204-MGCTLYST-SAMPLE.EDI", "x12.count"},
	{"EDI.Net/x12.850a.edi", "x12.control"},
	{"staedi/invalid999.edi", "x12.count"},
	{"staedi/invalid997_min.edi", "x12.control"},
	{"staedi/ts214_ellipses_segterm.edi", "x12.separator"},
};

static void files_that_are_broken_say_how(void **state)
{
	char *root = samples();
	struct came came = {0};

	for (size_t i = 0; root && i < sizeof broken / sizeof *broken; i++) {
		char *path = support_path(root, broken[i].name);

		decode_file(path, &came);
		if (came.published || came.dead != 1 || !strstr(came.lines.data, broken[i].code))
			fail_msg("%s: not %s but %.2000s", path, broken[i].code, came.lines.data);
		free(path);
	}
	buf_free(&came.lines);
	free(root);
}

static unsigned walk(const char *root, const char *folder)
{
	char *path = support_path(root, folder);
	DIR *directory = opendir(path);
	struct came came = {0};
	struct dirent *entry;
	unsigned files = 0;

	while (directory && (entry = readdir(directory))) {
		char *file = support_path(path, entry->d_name);

		if (entry->d_name[0] != '.') {
			decode_file(file, &came);
			if (!came.published && !came.dead && !came.dropped)
				fail_msg("%s: nothing came of it", file);
			files++;
		}
		free(file);
	}
	if (directory)
		closedir(directory);
	buf_free(&came.lines);
	free(path);
	return files;
}

static void something_comes_of_every_file(void **state)
{
	char *root = samples();

	if (root)
		assert_true(walk(root, "EDI.Net") + walk(root, "pyx12") + walk(root, "staedi") > 30);
	free(root);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_are_sound_give_their_transactions),
		cmocka_unit_test(files_that_are_broken_say_how),
		cmocka_unit_test(something_comes_of_every_file),
	};
	int failed;

	decoder = made_chain_new("{\"steps\":[{\"decode\":\"x12\"}]}", ".", "samples", NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	made_chain_free(decoder);
	return failed;
}
