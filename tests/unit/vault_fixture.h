/* What the tests of the vault share: a vault in a directory of its own, and short words for using it. */
#ifndef FERRULE_TESTS_UNIT_VAULT_FIXTURE_H
#define FERRULE_TESTS_UNIT_VAULT_FIXTURE_H

#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vault.h"

#define NOON 1790000000000LL
#define DAY 86400000LL

struct fixture {
	char *directory;
	struct vault *vault;
	struct error error;
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->directory = support_tmpdir();
	f->vault = vault_open(f->directory, &f->error);
	*state = f;
	return f->vault ? 0 : -1;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	clock_set(0);
	vault_close(f->vault);
	support_rmtree(f->directory);
	free(f->directory);
	free(f);
	return 0;
}

static inline char *bytes_of(size_t len, unsigned seed)
{
	char *bytes = malloc(len + 1);

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		bytes[i] = (char)(seed >> 16);
	}
	return bytes;
}

static inline int put(struct fixture *f, const char *bytes, size_t len, struct vault_entry *entry)
{
	struct reader *reader = reader_new_copy(span_make(bytes, len));
	int result = vault_put(f->vault, reader, entry, &f->error);

	reader_unref(reader);
	return result;
}

static inline void put_well(struct fixture *f, const char *bytes, size_t len, struct vault_entry *entry)
{
	struct id digest = id_digest(span_make(bytes, len));

	if (put(f, bytes, len, entry))
		fail_msg("%s", f->error.text);
	assert_true(id_equal(&entry->digest, &digest));
	assert_int_equal(entry->size, len);
}

static inline void sync_well(struct fixture *f)
{
	if (vault_sync(f->vault, &f->error))
		fail_msg("%s", f->error.text);
}

static inline void assert_holds(struct vault *vault, const char *ref, const char *bytes, size_t len)
{
	struct error error = {0};
	struct reader *reader = vault_get_new(vault, span_of(ref), &error);
	struct span view;

	if (!reader)
		fail_msg("%s: %s", ref, error.text);
	assert_int_equal(reader_size(reader), len);
	assert_int_equal(reader_view(reader, &view, &error), 0);
	assert_true(span_equal(view, span_make(bytes, len)));
	reader_unref(reader);
}

static inline void assert_refused(struct vault *vault, const char *ref, const char *code)
{
	struct error error = {0};
	struct reader *reader = vault_get_new(vault, span_of(ref), &error);

	assert_null(reader);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(error.code, code);
}

/* Where a reference lies: in the vault's directory. The caller frees. */
static inline char *file_of(struct fixture *f, const char *ref)
{
	char name[400], pack[100];

	if (ref[0] == 'f')
		snprintf(name, sizeof name, "files/%.2s/%.64s", ref + 2, ref + 2);
	else {
		snprintf(pack, sizeof pack, "%.*s", (int)strcspn(ref + 2, ":"), ref + 2);
		snprintf(name, sizeof name, "packs/%s.pack", pack);
	}
	return support_path(f->directory, name);
}

static inline void age(const char *path, int64_t ms)
{
	struct timespec times[2] = {{.tv_sec = ms / 1000}, {.tv_sec = ms / 1000}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static inline bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

#define VAULT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
