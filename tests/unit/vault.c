/* The vault: what is put is found again, damage is told, and crashes and full disks lose nothing that was synced. */
#include "config.h"
#include "tests/unit/vault_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* ---- put and get ------------------------------------------------------------------------------------------------- */
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

/* ---- parts ------------------------------------------------------------------------------------------------------- */

struct coming {
	const char *bytes;
	uint64_t at, size, stops; /* fails there */
	uint64_t had;             /* when it went on */
	enum error_class class;
	bool useless; /* what is there is not of this */
};

static ssize_t come(void *arg, void *into, size_t len, struct error *error)
{
	struct coming *coming = arg;
	uint64_t left = (coming->stops ? coming->stops : coming->size) - coming->at;

	if (!left && coming->stops)
		return error_set(error, coming->class, "test.stops", "the line broke");
	len = len < left ? len : (size_t)left;
	memcpy(into, coming->bytes + coming->at, len);
	coming->at += len;
	return (ssize_t)len;
}

static int go_on(void *arg, int fd, uint64_t have, struct error *error)
{
	struct coming *coming = arg;

	coming->had = have;
	coming->at = coming->useless ? 0 : have;
	return coming->useless;
}

static int put_coming(struct vault *vault, struct coming *coming, struct vault_entry *entry)
{
	struct id key = id_digest(SPAN_LITERAL("a file"));
	struct error error = {0};

	return vault_put_part(vault, &key, go_on, come, coming, 10000000, entry, &error);
}

static void what_broke_off_goes_on_in_another_process_or_begins_anew_when_it_is_of_no_use(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(3000000, 3);
	struct coming first = {.bytes = bytes, .size = 3000000, .stops = 1000000, .class = ERROR_RETRY}, second = first;
	struct vault *other = vault_open(f->directory, NULL);
	struct vault_entry entry;

	for (int useless = 0; useless < 2; useless++) {
		first.at = 0;
		assert_int_equal(put_coming(f->vault, &first, &entry), -1);
		second = (struct coming){.bytes = bytes, .size = 3000000, .useless = useless};
		assert_int_equal(put_coming(other, &second, &entry), 0);
		assert_int_equal(second.had, 1000000);
		assert_int_equal(vault_sync(other, NULL), 0);
		assert_holds(f->vault, entry.ref, bytes, 3000000);
		second = (struct coming){.bytes = bytes, .size = 3000000}; /* nothing is left of it */
		assert_int_equal(put_coming(other, &second, &entry), 0);
		assert_int_equal(second.had, 0);
	}
	first = (struct coming){.bytes = bytes, .size = 3000000, .stops = 500000, .class = ERROR_REJECT};
	assert_int_equal(put_coming(f->vault, &first, &entry), -1);
	second = (struct coming){.bytes = bytes, .size = 3000000};
	assert_int_equal(put_coming(other, &second, &entry), 0);
	assert_int_equal(second.had, 0);
	vault_close(other);
	free(bytes);
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

/* ---- damage ------------------------------------------------------------------------------------------------------ */
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

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void a_reference_that_was_made_up_reaches_no_file(void **state)
{
	static const char *const refs[] = {
		"",
		"p",
		"p:",
		"f:",
		"x:1:2",
		"f:abc:1",
		"p:20260101/../../etc/passwd-1:0:1:00",
		"p:../../../../0123456789abcdef-1:0:5:00",
		"f:../../../../../../../etc/passwd:5",
		"p:20260101/0123456789abcdef-1:0:99999999:" EMPTY,
		"p:20260101/0123456789abcdef-1:-1:1:" EMPTY,
		"f:" EMPTY ":",
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

/* ---- crashes and full disks -------------------------------------------------------------------------------------- */
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
	static const char *const points[] = {"vault.put:1=kill",         "vault.put:2=kill",
					     "vault.file-synced:1=kill", "vault.file-renamed:1=kill",
					     "vault.written:1=kill",     "vault.pack-synced:1=kill",
					     "vault.synced:1=kill"};
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(documents_of_every_size_come_back_whole_from_another_process),
		VAULT_TEST(what_was_put_can_be_read_by_its_writer_before_the_sync),
		VAULT_TEST(what_broke_off_goes_on_in_another_process_or_begins_anew_when_it_is_of_no_use),
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
		VAULT_TEST(a_kill_between_any_two_steps_leaves_a_vault_that_takes_the_document_again),
		VAULT_TEST(after_a_failed_write_the_sync_fails_once_and_then_all_is_well),
		cmocka_unit_test(a_vault_that_cannot_be_made_is_fatal),
		VAULT_TEST(a_full_disk_is_a_retry_and_damages_nothing),
	};

	return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
