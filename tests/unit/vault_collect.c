/* The vault's collector: nothing is taken away that is fresh, pinned or in use, and what was taken comes back for a
 * day. */
#include "config.h"
#include "tests/unit/vault_fixture.h"

#include <signal.h>
#include <sys/wait.h>

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
	/* the pack; the file came back from the trash, being pinned */
	assert_int_equal(collect(f, NOON, pin).moved, 1);
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

static void collect_for_ever(const char *directory)
{
	struct vault *vault = vault_open(directory, NULL);
	struct vault_collected counts;

	for (;;)
		vault_collect(vault, clock_now_ms() + 1000, NULL, NULL, &counts, NULL);
}

/* Everything counts as old, so that the collector takes away as fast as it can. */
static void what_is_put_while_a_collector_runs_is_always_found(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(70000, 6);
	pid_t child = fork();

	if (child == 0)
		collect_for_ever(f->directory);
	for (unsigned i = 0; i < 300; i++) {
		struct vault_entry packed, large;

		memcpy(bytes, &(unsigned){i % 3}, sizeof i); /* the same three documents again and again */
		put_well(f, bytes, 70000, &large);
		put_well(f, bytes, 100, &packed);
		sync_well(f);
		assert_holds(f->vault, packed.ref, bytes, 100);
		assert_holds(f->vault, large.ref, bytes, 70000);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	free(bytes);
}

static void what_is_renewed_is_as_fresh_as_if_it_were_put_now(void **state)
{
	struct fixture *f = *state;
	char *bytes = bytes_of(100000, 2), gone[VAULT_REF_MAX];
	struct vault_entry packed, large;

	put_two_old(f, &packed, &large, bytes);
	assert_int_equal(collect(f, NOON - 9 * DAY, NULL).moved, 2); /* it may be in the trash already */
	assert_int_equal(vault_renew(f->vault, span_of(packed.ref), &f->error), 0);
	assert_int_equal(vault_renew(f->vault, span_of(large.ref), &f->error), 0);
	assert_int_equal(collect(f, NOON - 1000, NULL).moved, 0);
	assert_holds(f->vault, packed.ref, "packed", 6);
	assert_holds(f->vault, large.ref, bytes, 100000);
	snprintf(gone, sizeof gone, "f:%064d:5", 0);
	assert_int_equal(vault_renew(f->vault, span_of(gone), &f->error), 0);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(what_is_old_goes_to_the_trash_and_comes_back_when_it_is_read),
		VAULT_TEST(the_trash_is_emptied_after_a_day_and_not_before),
		VAULT_TEST(what_is_pinned_stays),
		VAULT_TEST(a_pin_that_comes_late_brings_back_what_is_in_the_trash),
		VAULT_TEST(a_document_put_again_outlives_the_trash),
		VAULT_TEST(a_fresh_file_left_in_the_trash_by_a_crash_goes_back),
		VAULT_TEST(a_pack_that_is_written_to_is_never_taken_away),
		VAULT_TEST(what_is_put_while_a_collector_runs_is_always_found),
		VAULT_TEST(half_written_files_go_after_a_day),
		VAULT_TEST(what_is_renewed_is_as_fresh_as_if_it_were_put_now),
	};

	return cmocka_run_group_tests_name("vault_collect", tests, NULL, NULL);
}
