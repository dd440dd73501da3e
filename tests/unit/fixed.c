/* Fixed-width records: what is decoded without a finding comes back as it was, byte for byte. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/tree.h"
#include "tests/fuzz/fixed.h"
#include "tests/support/support.h"

static const struct span *file_of(void *folder, const char *kind, const char *name)
{
	static struct span texts[4]; /* of the last two: a layout and its copybook */
	static unsigned turn;
	char *path = support_path(folder, name);
	struct span *text = &texts[turn++ % 4];
	size_t n;

	free((char *)(uintptr_t)text->data);
	text->data = support_read(path, &n);
	text->len = n;
	free(path);
	return text->data ? text : NULL;
}

static char *source(const char *below)
{
	return mem_printf("%s/%s", getenv("FERRULE_SRCDIR") ? getenv("FERRULE_SRCDIR") : SRCDIR, below);
}

static char *layout_in(const char *directory)
{
	char *path = support_path(directory, "config.json"), *name;
	json_t *config = json_load_file(path, 0, NULL), *steps = json_object_get(config, "steps");
	json_t *decode = json_object_get(json_array_get(steps, 0), "decode");

	name = mem_strdup(json_string_value(json_object_get(decode, "layout")));
	json_decref(config);
	free(path);
	return name;
}

static bool check_case(const char *folder, const char *directory)
{
	struct transformer_context context = {.site = (void *)(uintptr_t)folder, .file = file_of};
	char *layout = layout_in(directory), *path = support_path(directory, "in"), *in;
	bool same, sound;
	size_t n;

	in = support_read(path, &n);
	assert_non_null(in);
	sound = fixed_round(layout, &context, span_make(in, n), &same);
	if (sound && !same)
		fail_msg("%s is not the same when it is encoded again", directory);
	free(in);
	free(path);
	free(layout);
	return sound;
}

static void sound_records_come_back_as_they_were(void **state)
{
	char *folder = source("tests/golden/fixed-width");
	DIR *directory = opendir(folder);
	struct dirent *entry;
	unsigned sound = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		char *path = support_path(folder, entry->d_name);
		struct stat status;

		if (entry->d_name[0] != '.' && !stat(path, &status) && S_ISDIR(status.st_mode))
			sound += check_case(folder, path);
		free(path);
	}
	closedir(directory);
	free(folder);
	assert_true(sound >= 8);
}

static unsigned dice(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

/* Any bytes, most of them such as fields have. */
static void bytes_that_are_read_come_back_as_they_were(void **state)
{
	static const char ascii[] = "0123456789 +-.{}AJ\x00\x0c\x1d\x1f",
			  ebcdic[] = "\xf0\xf1\xf9\xc1\xd0\x40\x60\x1f\x02";
	unsigned seed = 7, read = 0;
	char bytes[FIXED_SMALL];

	for (unsigned i = 0; i < 20000; i++) {
		unsigned layout = i % 3; /* those of fixed length */
		bool same;

		for (unsigned k = 0; k < FIXED_SMALL; k++)
			bytes[k] = !dice(&seed, 60) ? (char)dice(&seed, 256)
				   : layout == 2    ? ebcdic[dice(&seed, sizeof ebcdic - 1)]
				   : dice(&seed, 2) ? ascii[dice(&seed, 10)]
						    : ascii[dice(&seed, sizeof ascii - 1)];
		read += fixed_round(fixed_layouts[layout].name, &fixed_context, span_make(bytes, sizeof bytes), &same);
		if (!same)
			fail_msg("layout %s, round %u", fixed_layouts[layout].name, i);
	}
	assert_true(read > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_records_come_back_as_they_were),
		cmocka_unit_test(bytes_that_are_read_come_back_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
