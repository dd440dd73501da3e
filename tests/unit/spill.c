/* Bytes of any size on their way: in memory, then in a file without a name. */
#include "config.h"
#include "tests/support/support.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/spill.h"

static size_t entries(const char *directory)
{
	DIR *d = opendir(directory);
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void add(struct spill *spill, size_t len, size_t piece)
{
	struct error error;
	char bytes[5000];

	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)((at + i) * 7 + (at + i) / 251);
		assert_int_equal(spill_add(spill, bytes, n, &error), 0);
	}
}

static void reads_back(const char *directory, size_t len)
{
	struct spill *spill = spill_new(directory, 0, "test");
	struct reader *reader;
	struct error error;
	struct span all;

	add(spill, len, 4999);
	assert_int_equal(spill_size(spill), len);
	reader = spill_take(spill, &error);
	assert_non_null(reader);
	assert_int_equal(reader_size(reader), len);
	assert_int_equal(reader_view(reader, &all, &error), 0);
	for (size_t i = 0; i < len; i++)
		if (all.data[i] != (char)(i * 7 + i / 251))
			fail_msg("byte %zu of %zu", i, len);
	reader_unref(reader);
}

static void what_was_added_is_read_whatever_its_size(void **state)
{
	char *directory = support_tmpdir();

	reads_back(directory, 0);
	reads_back(directory, 1);
	reads_back(directory, SPILL_MEMORY);
	reads_back(directory, SPILL_MEMORY + 1);
	reads_back(directory, 3 * SPILL_MEMORY);
	reads_back(directory, 1000000);
	reads_back(NULL, 1000000);
	reads_back("/nowhere/at/all", 1000000);
	assert_int_equal(entries(directory), 0);
	support_rmtree(directory), free(directory);
}

static void the_file_has_no_name_while_it_is_there(void **state)
{
	char *directory = support_tmpdir();
	struct spill *spill = spill_new(directory, 0, "test");

	add(spill, 1000000, 5000);
	assert_int_equal(entries(directory), 0);
	spill_free(spill);
	spill_free(NULL);
	support_rmtree(directory), free(directory);
}

static void past_the_limit_it_is_refused_and_stays_as_it_was(void **state)
{
	struct spill *spill = spill_new(NULL, 10, "what came out of gunzip");
	struct error error;

	assert_int_equal(spill_add(spill, "0123456789", 10, &error), 0);
	assert_int_equal(spill_add(spill, "x", 1, &error), -1);
	assert_string_equal(error.code, "document.too-large");
	assert_int_equal(error.class, ERROR_REJECT);
	assert_non_null(strstr(error.text, "gunzip"));
	assert_int_equal(spill_size(spill), 10);
	spill_free(spill);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_read_whatever_its_size),
		cmocka_unit_test(the_file_has_no_name_while_it_is_there),
		cmocka_unit_test(past_the_limit_it_is_refused_and_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
