/* Runs a fuzz target over the files of its corpus, for builds without libFuzzer: FERRULE_SRCDIR/tests/fuzz/corpus/NAME,
 * where the program is fuzz_NAME, or the files and folders that are named. Prints TAP. */
#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned ran;

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	uint8_t *data;

	if (!file || fstat(fileno(file), &status)) {
		printf("Bail out! %s cannot be read\n", path);
		exit(1);
	}
	/* Exactly as large as the input, so that a sanitizer sees a read past its end. */
	data = mem_alloc((size_t)status.st_size);
	if (fread(data, 1, (size_t)status.st_size, file) == (size_t)status.st_size)
		LLVMFuzzerTestOneInput(data, (size_t)status.st_size);
	fclose(file);
	free(data);
	printf("ok %u - %s\n", ++ran, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	fflush(stdout);
}

static void run_path(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	if (!directory) {
		run_file(path);
		return;
	}
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.') {
			char *file = mem_printf("%s/%s", path, entry->d_name);

			run_file(file);
			free(file);
		}
	closedir(directory);
}

int main(int argc, char **argv)
{
	const char *source = getenv("FERRULE_SRCDIR"), *name = strrchr(argv[0], '/');
	char *corpus;

	name = name ? name + 1 : argv[0];
	if (!strncmp(name, "lt-", 3))
		name += 3;
	corpus = mem_printf("%s/tests/fuzz/corpus/%s", source ? source : SRCDIR,
			    !strncmp(name, "fuzz_", 5) ? name + 5 : name);
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	if (argc == 1)
		run_path(corpus);
	free(corpus);
	printf("1..%u\n", ran);
	return ran ? 0 : 1;
}
