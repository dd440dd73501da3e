/* The vault: what is put is found again, damage is told, and nothing is taken away that is fresh or pinned. */
#include "config.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vault.h"

#define NOON 1790000000000LL
#define DAY 86400000LL

struct fixture {
	char *directory;
	struct vault *vault;
	struct error error;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->directory = support_tmpdir();
	f->vault = vault_open(f->directory, &f->error);
	*state = f;
	return f->vault ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	clock_set(0);
	vault_close(f->vault);
	support_rmtree(f->directory);
	free(f->directory);
	free(f);
	return 0;
}

static char *bytes_of(size_t len, unsigned seed)
{
	char *bytes = malloc(len + 1);

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		bytes[i] = (char)(seed >> 16);
	}
	return bytes;
}

static int put(struct fixture *f, const char *bytes, size_t len, struct vault_entry *entry)
{
	struct reader *reader = reader_new_copy(span_make(bytes, len));
	int result = vault_put(f->vault, reader, entry, &f->error);

	reader_unref(reader);
	return result;
}

static void put_well(struct fixture *f, const char *bytes, size_t len, struct vault_entry *entry)
{
	struct id digest = id_digest(span_make(bytes, len));

	if (put(f, bytes, len, entry))
		fail_msg("%s", f->error.text);
	assert_true(id_equal(&entry->digest, &digest));
	assert_int_equal(entry->size, len);
}

static void sync_well(struct fixture *f)
{
	if (vault_sync(f->vault, &f->error))
		fail_msg("%s", f->error.text);
}

static void assert_holds(struct vault *vault, const char *ref, const char *bytes, size_t len)
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

static void assert_refused(struct vault *vault, const char *ref, const char *code)
{
	struct error error = {0};
	struct reader *reader = vault_get_new(vault, span_of(ref), &error);

	assert_null(reader);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(error.code, code);
}

/* Where a reference lies: in the vault's directory. The caller frees. */
static char *file_of(struct fixture *f, const char *ref)
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

static void age(const char *path, int64_t ms)
{
	struct timespec times[2] = {{.tv_sec = ms / 1000}, {.tv_sec = ms / 1000}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* ---- put and get --------------------------------------------------------------------------------------------------- */
static void documents_of_every_size_come_back_whole_from_another_process(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 300000, 2000000};
	struct fixture *f = *state;
	struct vault_entry entries[8];
	struct vault *other;

	for (size_t i = 0; i < 8; i++) {
		char *bytes = bytes_of(sizes[i], (unsigned)i);

		put_well(f, bytes, sizes[i], &entries[i]);
		assert_int_equal(entries[i].ref[0], sizes[i] > VAULT_PACK_LIMIT ? 'f' : 'p');
		free(bytes);
	}
	sync_well(f);
	other = vault_open(f->directory, NULL);
	for (size_t i = 0; i < 8; i++) {
		char *bytes = bytes_of(sizes[i], (unsigned)i);

		assert_holds(other, entries[i].ref, bytes, sizes[i]);
		free(bytes);
	}
	vault_close(other);
}

static void what_was_put_can_be_read_by_its_writer_before_the_sync(void **state)
{
	struct fixture *f = *state;
	char *large = bytes_of(100000, 7);
	struct vault_entry small_entry, large_entry;

	put_well(f, "small", 5, &small_entry);
	put_well(f, large, 100000, &large_entry);
	assert_holds(f->vault, small_entry.ref, "small", 5);
	assert_holds(f->vault, large_entry.ref, large, 100000);
	sync_well(f);
	assert_holds(f->vault, small_entry.ref, "small", 5);
	assert_holds(f->vault, large_entry.ref, large, 100000);
	free(large);
}

static void a_thousand_small_documents_share_a_pack(void **state)
{
	struct fixture *f = *state;
	struct vault_entry *entries = calloc(1000, sizeof *entries);
	char *packs;

	for (unsigned i = 0; i < 1000; i++) {
		char *bytes = bytes_of(3000, i);

		put_well(f, bytes, 3000, &entries[i]);
		free(bytes);
	}
	sync_well(f);
	packs = support_path(f->directory, "packs");
	assert_int_equal(support_count(packs), 1);
	for (unsigned i = 0; i < 1000; i++) {
		char *bytes = bytes_of(3000, i);

		assert_holds(f->vault, entries[i].ref, bytes, 3000);
		free(bytes);
	}
	free(packs);
	free(entries);
}

static int put_pipe(struct fixture *f, size_t len, uint64_t limit, struct vault_entry *entry)
{
	char *bytes = bytes_of(len, 3), *path = support_path(f->directory, "incoming");
	int fd, result;

	support_write(path, span_make(bytes, len));
	fd = open(path, O_RDONLY);
	result = vault_put_fd(f->vault, fd, limit, entry, &f->error);
	close(fd);
	free(bytes);
	free(path);
	return result;
}

static void a_descriptor_is_read_to_its_end(void **state)
{
	static const size_t sizes[] = {0, 10, 65536, 65537, 1000000};
	struct fixture *f = *state;

	for (size_t i = 0; i < 5; i++) {
		char *bytes = bytes_of(sizes[i], 3);
		struct vault_entry entry;

		assert_int_equal(put_pipe(f, sizes[i], sizes[i], &entry), 0);
		sync_well(f);
		assert_int_equal(entry.size, sizes[i]);
		assert_holds(f->vault, entry.ref, bytes, sizes[i]);
		free(bytes);
	}
}

static void a_document_past_its_limit_is_refused_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct vault_entry entry;
	char *tmp = support_path(f->directory, "tmp");

	assert_int_equal(put_pipe(f, 101, 100, &entry), -1);
	assert_string_equal(f->error.code, "document.too-large");
	assert_int_equal(f->error.class, ERROR_REJECT);
	assert_int_equal(put_pipe(f, 500001, 500000, &entry), -1);
	assert_string_equal(f->error.code, "document.too-large");
	assert_int_equal(support_count(tmp), 0);
	sync_well(f);
	free(tmp);
}

static void the_same_large_document_is_kept_once_and_its_time_is_that_of_the_last_put(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 1), *path, *tmp = support_path(f->directory, "tmp");
	struct vault_entry first, second, third;
	struct stat status;

	put_well(f, bytes, 100000, &first);
	put_well(f, bytes, 100000, &second);
	sync_well(f);
	assert_string_equal(first.ref, second.ref);
	path = file_of(f, first.ref);
	age(path, 1000000);
	put_well(f, bytes, 100000, &third);
	sync_well(f);
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_mtim.tv_sec > 1000000);
	assert_int_equal(support_count(tmp), 0);
	assert_holds(f->vault, first.ref, bytes, 100000);
	free(bytes);
	free(path);
	free(tmp);
}

static void a_pack_ends_with_its_day(void **state)
{
	struct fixture *f = *state;
	struct vault_entry today, tomorrow;

	clock_set(NOON);
	put_well(f, "a", 1, &today);
	clock_advance(DAY);
	put_well(f, "b", 1, &tomorrow);
	sync_well(f);
	assert_memory_equal(today.ref, "p:20260921/", 11);
	assert_memory_equal(tomorrow.ref, "p:20260922/", 11);
	assert_holds(f->vault, today.ref, "a", 1);
	assert_holds(f->vault, tomorrow.ref, "b", 1);
}

/* ---- damage ---------------------------------------------------------------------------------------------------------- */
static void a_torn_pack_tail_is_told_and_the_entries_before_it_stay_good(void **state)
{
	struct fixture *f = *state;
	struct vault_entry whole, torn;
	char *path;
	struct stat status;

	put_well(f, "whole", 5, &whole);
	put_well(f, "torn away", 9, &torn);
	sync_well(f);
	path = file_of(f, torn.ref);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(truncate(path, status.st_size - 3), 0);
	assert_holds(f->vault, whole.ref, "whole", 5);
	assert_refused(f->vault, torn.ref, "vault.damaged");
	free(path);
}

static void changed_bytes_in_a_pack_are_told(void **state)
{
	struct fixture *f = *state;
	struct vault_entry first, second;
	char *path;
	int fd;

	put_well(f, "first document", 14, &first);
	put_well(f, "second document", 15, &second);
	sync_well(f);
	path = file_of(f, first.ref);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "X", 1, 45), 1);
	close(fd);
	assert_refused(f->vault, first.ref, "vault.damaged");
	assert_holds(f->vault, second.ref, "second document", 15);
	free(path);
}

static void a_reference_with_another_digest_offset_or_length_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vault_entry entry, other;
	char ref[VAULT_REF_MAX], *colon;

	put_well(f, "content", 7, &entry);
	put_well(f, "tnetnoc", 7, &other);
	sync_well(f);
	snprintf(ref, sizeof ref, "%s", entry.ref);
	strcpy(strrchr(ref, ':'), strrchr(other.ref, ':'));
	assert_refused(f->vault, ref, "vault.damaged");
	snprintf(ref, sizeof ref, "%s", entry.ref);
	colon = strchr(ref + 2, ':') + 1;
	*colon = '7';
	assert_refused(f->vault, ref, "vault.damaged");
	snprintf(ref, sizeof ref, "%s", entry.ref);
	strchr(strchr(ref + 2, ':') + 1, ':')[1] = '6';
	assert_refused(f->vault, ref, "vault.damaged");
}

static void a_reference_that_was_made_up_reaches_no_file(void **state)
{
	static const char *const refs[] = {
		"", "p", "p:", "f:", "x:1:2", "f:abc:1", "p:20260101/../../etc/passwd-1:0:1:00",
		"p:../../../../0123456789abcdef-1:0:5:00", "f:../../../../../../../etc/passwd:5",
		"p:20260101/0123456789abcdef-1:0:99999999:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"p:20260101/0123456789abcdef-1:-1:1:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"f:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855:",
		"f:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855:1",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof refs / sizeof *refs; i++)
		assert_refused(f->vault, refs[i], "vault.damaged");
}

static void what_is_gone_is_missing_and_a_file_of_another_size_is_damaged(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 1), *path;
	struct vault_entry small_entry, large_entry;

	put_well(f, "small", 5, &small_entry);
	put_well(f, bytes, 100000, &large_entry);
	sync_well(f);
	path = file_of(f, large_entry.ref);
	assert_int_equal(truncate(path, 99999), 0);
	assert_refused(f->vault, large_entry.ref, "vault.damaged");
	assert_int_equal(unlink(path), 0);
	assert_refused(f->vault, large_entry.ref, "vault.missing");
	free(path);
	path = file_of(f, small_entry.ref);
	assert_int_equal(unlink(path), 0);
	assert_refused(f->vault, small_entry.ref, "vault.missing");
	free(path);
	free(bytes);
}

/* ---- the collector --------------------------------------------------------------------------------------------------- */
struct pins {
	const char *name;
	unsigned asked;
};

static bool is_pin(void *arg, const char *name)
{
	struct pins *pins = arg;

	pins->asked++;
	return pins->name && !strcmp(name, pins->name);
}

static struct vault_collected collect(struct fixture *f, int64_t older_than, const char *pin)
{
	struct pins pins = {.name = pin};
	struct vault_collected counts;

	assert_int_equal(vault_collect(f->vault, older_than, is_pin, &pins, &counts, &f->error), 0);
	return counts;
}

/* One pack and one file, both old; the pack is no longer written to. */
static void put_two_old(struct fixture *f, struct vault_entry *packed, struct vault_entry *large, const char *bytes)
{
	char *path;

	clock_set(NOON);
	put_well(f, "packed", 6, packed);
	put_well(f, bytes, 100000, large);
	sync_well(f);
	path = file_of(f, packed->ref);
	age(path, NOON - 10 * DAY);
	free(path);
	path = file_of(f, large->ref);
	age(path, NOON - 10 * DAY);
	free(path);
	vault_close(f->vault);
	f->vault = vault_open(f->directory, NULL);
}

static void what_is_old_goes_to_the_trash_and_comes_back_when_it_is_read(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 2), *path;
	struct vault_entry packed, large;

	put_two_old(f, &packed, &large, bytes);
	assert_int_equal(collect(f, NOON - 11 * DAY, NULL).moved, 0);
	assert_int_equal(collect(f, NOON - 9 * DAY, NULL).moved, 2);
	path = file_of(f, packed.ref);
	assert_false(exists(path));
	assert_holds(f->vault, packed.ref, "packed", 6);
	assert_true(exists(path));
	free(path);
	path = file_of(f, large.ref);
	assert_false(exists(path));
	assert_holds(f->vault, large.ref, bytes, 100000);
	assert_true(exists(path));
	free(path);
	free(bytes);
}

static void the_trash_is_emptied_after_a_day_and_not_before(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 2), *trash = support_path(f->directory, "trash");
	struct vault_entry packed, large;
	struct vault_collected counts;

	put_two_old(f, &packed, &large, bytes);
	assert_int_equal(collect(f, NOON - 9 * DAY, NULL).moved, 2);
	clock_advance(DAY - 1000);
	counts = collect(f, NOON - 9 * DAY, NULL);
	assert_int_equal(counts.moved + counts.removed, 0);
	clock_advance(2000);
	counts = collect(f, NOON - 9 * DAY, NULL);
	assert_int_equal(counts.removed, 2);
	assert_true(counts.bytes > 100000);
	assert_int_equal(support_count(trash), 0);
	assert_refused(f->vault, packed.ref, "vault.missing");
	assert_refused(f->vault, large.ref, "vault.missing");
	free(bytes);
	free(trash);
}

static void what_is_pinned_stays(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 2), pin[VAULT_REF_MAX];
	struct vault_entry packed, large;

	put_two_old(f, &packed, &large, bytes);
	snprintf(pin, sizeof pin, "%.*s", (int)(2 + strcspn(packed.ref + 2, ":")), packed.ref);
	assert_int_equal(collect(f, NOON, pin).moved, 1);
	assert_holds(f->vault, packed.ref, "packed", 6);
	snprintf(pin, sizeof pin, "%.66s", large.ref);
	assert_int_equal(collect(f, NOON, pin).moved, 1); /* the pack; the file came back from the trash, being pinned */
	free(bytes);
}

static void a_pin_that_comes_late_brings_back_what_is_in_the_trash(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 2), pin[VAULT_REF_MAX], *path;
	struct vault_entry packed, large;

	put_two_old(f, &packed, &large, bytes);
	collect(f, NOON - 9 * DAY, NULL);
	clock_advance(2 * DAY);
	snprintf(pin, sizeof pin, "%.66s", large.ref);
	assert_int_equal(collect(f, NOON - 9 * DAY, pin).removed, 1);
	path = file_of(f, large.ref);
	assert_true(exists(path));
	assert_holds(f->vault, large.ref, bytes, 100000);
	free(path);
	free(bytes);
}

static void a_document_put_again_outlives_the_trash(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 2), *path;
	struct vault_entry packed, large;

	put_two_old(f, &packed, &large, bytes);
	assert_int_equal(collect(f, NOON - 9 * DAY, NULL).moved, 2);
	put_well(f, bytes, 100000, &large);
	sync_well(f);
	path = file_of(f, large.ref);
	age(path, NOON);
	clock_advance(2 * DAY);
	assert_int_equal(collect(f, NOON - 9 * DAY, NULL).removed, 2);
	assert_holds(f->vault, large.ref, bytes, 100000);
	free(path);
	free(bytes);
}

static void a_fresh_file_left_in_the_trash_by_a_crash_goes_back(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 2), *path, *trashed, name[300];
	struct vault_entry packed, large;

	put_two_old(f, &packed, &large, bytes);
	assert_int_equal(collect(f, NOON - 9 * DAY, NULL).moved, 2);
	path = file_of(f, large.ref);
	snprintf(name, sizeof name, "trash/%lld/files/%.2s/%.64s", (long long)NOON, large.ref + 2, large.ref + 2);
	trashed = support_path(f->directory, name);
	assert_true(exists(trashed));
	age(trashed, NOON);
	clock_advance(2 * DAY);
	assert_int_equal(collect(f, NOON - 9 * DAY, NULL).removed, 1);
	assert_true(exists(path));
	free(path);
	free(trashed);
	free(bytes);
}

static void a_pack_that_is_written_to_is_never_taken_away(void **state)
{
	struct fixture *f = *state;
	struct vault_entry entry;
	struct vault *collector = vault_open(f->directory, NULL);
	struct vault_collected counts;
	char *path;

	put_well(f, "x", 1, &entry);
	sync_well(f);
	path = file_of(f, entry.ref);
	age(path, 1000000);
	assert_int_equal(vault_collect(collector, clock_now_ms(), NULL, NULL, &counts, NULL), 0);
	assert_int_equal(counts.moved, 0);
	assert_true(exists(path));
	vault_close(f->vault);
	f->vault = collector;
	assert_int_equal(vault_collect(collector, clock_now_ms(), NULL, NULL, &counts, NULL), 0);
	assert_int_equal(counts.moved, 1);
	free(path);
}

static void half_written_files_go_after_a_day(void **state)
{
	struct fixture *f = *state;
	char *old = support_path(f->directory, "tmp/old"), *young = support_path(f->directory, "tmp/young");

	support_write(old, SPAN_LITERAL("half"));
	support_write(young, SPAN_LITERAL("half"));
	clock_set(NOON);
	age(old, NOON - DAY - 2000);
	age(young, NOON - DAY + 2000);
	collect(f, 0, NULL);
	assert_false(exists(old));
	assert_true(exists(young));
	free(old);
	free(young);
}

/* ---- crashes and full disks -------------------------------------------------------------------------------------------- */
/* A child puts the same two documents and dies at the fault point; whatever it left, putting again must work. */
static int die_at(struct fixture *f, const char *faults, const char *bytes)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		struct vault_entry entry;
		struct fixture own = {.directory = f->directory};

		setenv("FERRULE_FAULTS", faults, 1);
		own.vault = vault_open(f->directory, NULL);
		put(&own, "small", 5, &entry);
		put(&own, bytes, 100000, &entry);
		vault_sync(own.vault, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_kill_between_any_two_steps_leaves_a_vault_that_takes_the_document_again(void **state)
{
	static const char *const points[] = {"vault.put:1=kill", "vault.put:2=kill", "vault.file-synced:1=kill",
					     "vault.file-renamed:1=kill", "vault.written:1=kill",
					     "vault.pack-synced:1=kill", "vault.synced:1=kill"};
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 5);

#ifndef FERRULE_FAULTS
	support_skip("built without --enable-faults");
#endif
	for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
		struct vault_entry small_entry, large_entry;

		assert_int_equal(die_at(f, points[i], bytes), SIGKILL);
		put_well(f, "small", 5, &small_entry);
		put_well(f, bytes, 100000, &large_entry);
		sync_well(f);
		assert_holds(f->vault, small_entry.ref, "small", 5);
		assert_holds(f->vault, large_entry.ref, bytes, 100000);
	}
	free(bytes);
}

static void after_a_failed_write_the_sync_fails_once_and_then_all_is_well(void **state)
{
	struct fixture *f = *state;
	pid_t child;
	int status;

#ifndef FERRULE_FAULTS
	support_skip("built without --enable-faults");
#endif
	child = fork();
	if (child == 0) { /* fault points are read once in a process */
		struct vault_entry first, second;

		setenv("FERRULE_FAULTS", "vault.full:1=fail", 1);
		if (put(f, "first", 5, &first) || !vault_sync(f->vault, &f->error))
			_exit(1);
		if (strcmp(f->error.code, "disk.full") || f->error.class != ERROR_RETRY)
			_exit(2);
		if (put(f, "second", 6, &second) || vault_sync(f->vault, &f->error))
			_exit(3);
		assert_holds(f->vault, second.ref, "second", 6);
		assert_refused(f->vault, first.ref, "vault.damaged");
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void fill(struct fixture *f, const char *directory)
{
	char *bytes = bytes_of(60000, 1), *large = bytes_of(400000, 9);
	struct vault_entry good, entry, after;
	bool failed = false;

	f->vault = vault_open(directory, &f->error);
	put_well(f, "good", 4, &good);
	sync_well(f);
	for (unsigned i = 0; i < 40 && !failed; i++)
		failed = put(f, bytes, 60000, &entry) || vault_sync(f->vault, &f->error);
	assert_true(failed);
	assert_int_equal(f->error.class, ERROR_RETRY);
	assert_string_equal(f->error.code, "disk.full");
	assert_int_equal(f->error.scope, SCOPE_SITE);
	assert_int_equal(put(f, large, 400000, &entry), -1);
	assert_string_equal(f->error.code, "disk.full");
	assert_holds(f->vault, good.ref, "good", 4);
	/* A new pack needs a page; somebody made room. */
	support_rmtree("ballast");
	if (put(f, "after", 5, &after) == 0 && vault_sync(f->vault, &f->error) == 0)
		assert_holds(f->vault, after.ref, "after", 5);
	else
		fail_msg("after room was made: %s", f->error.text);
	vault_close(f->vault);
	f->vault = NULL;
	free(bytes);
	free(large);
}

/* Last of all: the process changes into a mount namespace of its own. */
static void a_full_disk_is_a_retry_and_damages_nothing(void **state)
{
	struct fixture *f = *state;
	char *mount_point = support_tmpdir(), *directory = support_path(mount_point, "vault");
	char *ballast = bytes_of(100000, 4);
	char *before = getcwd(NULL, 0);

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", mount_point, "tmpfs", 0, "size=1m,mode=0700")) {
		free(mount_point);
		free(directory);
		free(ballast);
		free(before);
		support_skip("a small file system cannot be mounted here (needs CAP_SYS_ADMIN)");
		return;
	}
	vault_close(f->vault);
	f->vault = NULL;
	assert_int_equal(chdir(mount_point), 0);
	support_write("ballast", span_make(ballast, 100000));
	fill(f, directory);
	assert_int_equal(chdir(before), 0);
	umount2(mount_point, MNT_DETACH);
	free(mount_point);
	free(directory);
	free(ballast);
	free(before);
}

static void a_vault_that_cannot_be_made_is_fatal(void **state)
{
	struct error error = {0};

	assert_null(vault_open("/proc/ferrule-vault", &error));
	assert_int_equal(error.class, ERROR_FATAL);
	assert_string_equal(error.code, "vault.open");
}

#define VAULT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(documents_of_every_size_come_back_whole_from_another_process),
		VAULT_TEST(what_was_put_can_be_read_by_its_writer_before_the_sync),
		VAULT_TEST(a_thousand_small_documents_share_a_pack),
		VAULT_TEST(a_descriptor_is_read_to_its_end),
		VAULT_TEST(a_document_past_its_limit_is_refused_and_leaves_nothing),
		VAULT_TEST(the_same_large_document_is_kept_once_and_its_time_is_that_of_the_last_put),
		VAULT_TEST(a_pack_ends_with_its_day),
		VAULT_TEST(a_torn_pack_tail_is_told_and_the_entries_before_it_stay_good),
		VAULT_TEST(changed_bytes_in_a_pack_are_told),
		VAULT_TEST(a_reference_with_another_digest_offset_or_length_is_refused),
		VAULT_TEST(a_reference_that_was_made_up_reaches_no_file),
		VAULT_TEST(what_is_gone_is_missing_and_a_file_of_another_size_is_damaged),
		VAULT_TEST(what_is_old_goes_to_the_trash_and_comes_back_when_it_is_read),
		VAULT_TEST(the_trash_is_emptied_after_a_day_and_not_before),
		VAULT_TEST(what_is_pinned_stays),
		VAULT_TEST(a_pin_that_comes_late_brings_back_what_is_in_the_trash),
		VAULT_TEST(a_document_put_again_outlives_the_trash),
		VAULT_TEST(a_fresh_file_left_in_the_trash_by_a_crash_goes_back),
		VAULT_TEST(a_pack_that_is_written_to_is_never_taken_away),
		VAULT_TEST(half_written_files_go_after_a_day),
		VAULT_TEST(a_kill_between_any_two_steps_leaves_a_vault_that_takes_the_document_again),
		VAULT_TEST(after_a_failed_write_the_sync_fails_once_and_then_all_is_well),
		cmocka_unit_test(a_vault_that_cannot_be_made_is_fatal),
		VAULT_TEST(a_full_disk_is_a_retry_and_damages_nothing),
	};

	return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
