/* Encrypting with OpenPGP, ours beside `gpg` with the same key and settings, in turns: rates and their ratio.
 *
 *     pgp KEYRING FINGERPRINT FILE ROUNDS */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/bench/bench.h"
#include "transformers/files/pgp.h"

#define LIMIT_S 300
#define OUT_MAX (4ull << 30)

static double ours(const char *keyring, const char *key, const char *path, uint64_t size, const char *directory)
{
	const char *const to[] = {key};
	struct pgp_how how = {.to = to, .to_count = 1};
	double begun = bench_now();
	struct error error = {0};
	struct pgp *pgp = pgp_new(keyring, &error);
	struct pgp_work work = {.in = reader_new_fd(open(path, O_RDONLY | O_CLOEXEC), 0, size),
				.out = spill_new(directory, OUT_MAX, "what is encrypted")};

	if (!pgp || pgp_encrypt(pgp, &work, &how, &error))
		bench_die("encrypt", &error);
	if (spill_size(work.out) < size / 2)
		bench_die("encrypt: too little came out", NULL);
	reader_unref(work.in);
	spill_free(work.out);
	pgp_free(pgp);
	return bench_now() - begun;
}

static double theirs(const char *keyring, const char *key, const char *path, const char *directory)
{
	char *line = mem_printf("gpg --homedir '%s' --batch --yes --quiet --trust-model always --compress-algo none "
				"--recipient %s --output '%s/theirs' --encrypt '%s'",
				keyring, key, directory, path);
	double begun = bench_now();

	if (system(line))
		bench_die("gpg", NULL);
	free(line);
	return bench_now() - begun;
}

int main(int argc, char **argv)
{
	double us[BENCH_ROUNDS_MAX], them[BENCH_ROUNDS_MAX], ratio[BENCH_ROUNDS_MAX];
	size_t rounds = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	char *directory;
	struct stat st;
	double mb;

	if (!rounds || rounds > BENCH_ROUNDS_MAX || stat(argv[3], &st))
		bench_die("usage: pgp KEYRING FINGERPRINT FILE ROUNDS", NULL);
	bench_limit(LIMIT_S);
	directory = bench_directory();
	for (size_t i = 0; i < rounds; i++) {
		us[i] = ours(argv[1], argv[2], argv[3], (uint64_t)st.st_size, directory);
		them[i] = theirs(argv[1], argv[2], argv[3], directory);
		ratio[i] = them[i] / us[i];
	}
	mb = (double)st.st_size / 1e6;
	printf("{\"bench\": \"openpgp_encrypt\", \"mb\": %.0f, \"mb_s\": %.3g, \"gpg_mb_s\": %.3g, \"ratio\": %.2f}\n",
	       mb, mb / bench_median(us, rounds), mb / bench_median(them, rounds), bench_median(ratio, rounds));
	bench_remove(directory);
	return 0;
}
