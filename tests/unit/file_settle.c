/* How the file source puts files away: nothing overwritten, nothing followed, once through any crash. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/file_world.h"

/* ---- putting away --------------------------------------------------------------------------------------------- */

static void nothing_in_the_archive_is_overwritten(void **state)
{
	source_with("drop/*", "age", "0s", NULL, NULL);
	put("a.edi", "1");
	take(SETTLE_ACCEPTED);
	put("a.edi", "2");
	take(SETTLE_ACCEPTED);
	put("a.edi", "2");
	take(SETTLE_DUPLICATE);
	put("a.edi", "2");
	take(SETTLE_DUPLICATE);
	put("a.edi", "2");
	take(SETTLE_DUPLICATE_OF_DEAD);
	assert_true(holds(archived("a.edi"), "1"));
	assert_true(holds(archived("a.2.edi"), "2"));
	assert_true(there(archived("a.edi.duplicate")));
	assert_true(there(archived("a.edi.duplicate.2")));
	assert_true(there(archived("a.edi.duplicate-of-dead")));
}

static void a_moved_file_keeps_its_name(void **state)
{
	source_with("drop/*", "after", "move", "to", "else/where");
	clock_set(clock_now_ms() + 10000);
	put("a.edi", "1");
	take(SETTLE_ACCEPTED);
	assert_true(holds("else/where/a.edi", "1"));
}

static void a_deleted_file_is_gone_but_what_died_stays_in_sight(void **state)
{
	source_with("drop/*", "after", "delete", "age", "0s");
	put("a.edi", "1");
	take(SETTLE_ACCEPTED);
	put("b.edi", "1");
	take(SETTLE_DUPLICATE_OF_DEAD);
	put("c.edi", "1");
	take(SETTLE_REFUSED);
	none();
	assert_true(there("drop/rejected/b.edi.duplicate-of-dead"));
	assert_true(there("drop/rejected/c.edi"));
	assert_false(there("drop/a.edi"));
}

/* printf '1' | sha256sum */
#define SUM_OF_1 "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"

static void a_sidecar_follows_its_file_under_the_name_that_it_got(void **state)
{
	source_with("drop/*", "age", "0s", "sidecar", ".sha256");
	for (int i = 0; i < 2; i++) {
		put("a.edi", "1");
		none();
		put("a.edi.sha256", SUM_OF_1);
		take(i ? SETTLE_DUPLICATE : SETTLE_ACCEPTED);
	}
	put("a.edi", "1");
	put("a.edi.sha256", SUM_OF_1);
	take(SETTLE_ACCEPTED);
	assert_true(holds(archived("a.edi"), "1"));
	assert_true(holds(archived("a.edi.sha256"), SUM_OF_1));
	assert_true(there(archived("a.edi.duplicate.sha256")));
	assert_true(there(archived("a.2.edi.sha256")));
	assert_false(there("drop/a.edi.sha256"));
}

static void a_file_that_is_not_what_its_sidecar_says_is_refused_with_both_digests(void **state)
{
	struct document *document;
	struct error error = {0};

	source_with("drop/*", "age", "0s", "sidecar", ".sha256");
	put("a.edi", "2");
	put("a.edi.sha256", SUM_OF_1 "  a.edi\n");
	document = one();
	assert_int_equal(file_source_ops.fetch(w.source, document, w.vault, &error), -1);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(error.code, "sidecar.mismatch");
	assert_non_null(strstr(error.text, SUM_OF_1));
	assert_non_null(strstr(error.text, "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"));
	settle(document, SETTLE_REFUSED);
	assert_true(holds("drop/rejected/a.edi", "2"));
	assert_true(there("drop/rejected/a.edi.sha256"));
}

static void what_another_source_has_put_aside_is_left_to_it(void **state)
{
	source_with("drop/*.edi", "after", "delete", "sidecar", ".sha256");
	put(".ferrule-taken-a.xml.sha256", SUM_OF_1);
	put(".ferrule-taken-b.edi.sha256", SUM_OF_1);
	none();
	assert_true(there("drop/.ferrule-taken-a.xml.sha256"));
	assert_false(there("drop/.ferrule-taken-b.edi.sha256"));
}

static bool expired(struct archived archived)
{
	struct error error = {0};
	bool removed;

	if (file_source_ops.expire(w.source, &archived, &removed, &error))
		fail_msg("%s", error.text);
	return removed;
}

/* What retention was told before is what a crash leaves it with. */
static void a_file_is_archived_under_the_day_that_was_written_down_though_midnight_comes_between(void **state)
{
	struct archived into[2] = {0};
	struct document *document;

	source_with("drop/*", "sidecar", ".sha256", NULL, NULL);
	clock_set(clock_now_ms() + 10000);
	put("a.edi", "1");
	put("a.edi.sha256", SUM_OF_1);
	clock_advance(90000);
	document = one();
	fetch(document);
	file_source_ops.intend(w.source, document, SETTLE_ACCEPTED, into);
	clock_advance(86400000);
	assert_int_equal(file_source_ops.settle(w.source, document, SETTLE_ACCEPTED, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(document->archived[i].path, into[i].path);
		assert_int_equal(access(into[i].path, F_OK), 0);
		free(into[i].path);
	}
	forget(document);
	clock_set(0);
}

static void only_what_was_archived_and_is_that_still_is_removed_from_the_archive(void **state)
{
	struct document *document;
	struct archived was, other;
	char day[CLOCK_TEXT], *folder, *moved;

	source_with("drop/*", "age", "0s", NULL, NULL);
	today(day);
	put("a.edi", "1");
	document = one();
	fetch(document);
	file_source_ops.settle(w.source, document, SETTLE_ACCEPTED, NULL);
	was = document->archived[0];
	was.path = mem_strdup(was.path);
	assert_null(document->archived[1].path);
	forget(document);
	other = was;
	other.size++;
	assert_false(expired(other));
	other = was;
	other.time_ms++;
	assert_false(expired(other));
	other.path = mem_printf("%s/archive/../a.edi", w.drop);
	assert_false(expired(other));
	free(other.path);
	folder = mem_printf("%s/archive/%s", w.drop, day);
	moved = mem_printf("%s/archive/elsewhere", w.drop);
	assert_int_equal(rename(folder, moved), 0);
	assert_int_equal(symlink("elsewhere", folder), 0);
	assert_false(expired(was));
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rename(moved, folder), 0);
	assert_true(expired(was));
	assert_false(expired(was));
	assert_int_equal(access(folder, F_OK), -1); /* its day went with it */
	free(was.path);
	free(folder);
	free(moved);
}

/* As an intent has it, which a crash left behind: under the name that it was to have, the numbers having gaps. */
static void what_was_put_away_under_a_number_is_found_by_what_was_intended(void **state)
{
	static const struct {
		enum settlement how;
		const char *there;
	} cases[] = {
		{SETTLE_ACCEPTED, "a.7.edi"},
		{SETTLE_DUPLICATE, "a.edi.duplicate.7"},
		{SETTLE_DUPLICATE_OF_DEAD, "a.edi.duplicate-of-dead.7"},
	};
	struct archived into[2] = {0}, *settled;
	struct document *document;
	char *moved, *stays;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		source_with("drop/*", "sidecar", ".sha256", "age", "0s");
		put("a.edi", "1");
		put("a.edi.sha256", SUM_OF_1);
		document = one();
		fetch(document);
		file_source_ops.intend(w.source, document, cases[i].how, into);
		assert_int_equal(file_source_ops.settle(w.source, document, cases[i].how, NULL), 0);
		settled = document->archived;
		for (int k = 0; k < 2; k++) {
			const char *end = k ? ".sha256" : "";
			int folder = (int)(strrchr(settled[k].path, '/') - settled[k].path);

			moved = mem_printf("%.*s/%s%s", folder, settled[k].path, cases[i].there, end);
			stays = mem_printf("%.*s/a.x7.edi%s", folder, settled[k].path, end);
			assert_int_equal(link(settled[k].path, stays), 0);
			assert_int_equal(rename(settled[k].path, moved), 0);
			assert_false(expired(into[k]));
			into[k].numbered = true;
			assert_true(expired(into[k]));
			assert_int_equal(access(moved, F_OK), -1);
			assert_false(expired(into[k]));
			assert_int_equal(unlink(stays), 0);
			free(into[k].path);
			into[k] = (struct archived){0};
			free(moved);
			free(stays);
		}
		forget(document);
	}
}

static void names_that_are_no_utf_8_are_read_as_the_source_says(void **state)
{
	struct document *document;

	source_with("drop/*", "names", "windows-1252", "age", "0s");
	put("M\xfcller \x80.edi", "1");
	document = one();
	assert_int_equal(document->name.len, strlen("Müller €.edi"));
	assert_memory_equal(document->name.data, "Müller €.edi", document->name.len);
	fetch(document);
	settle(document, SETTLE_ACCEPTED);
	put("M\xfc\x81.edi", "2"); /* 81 is no character of that set */
	put("Ä.edi", "3");
	document = one();
	assert_memory_equal(document->name.data, "M\\xfc\\x81.edi", document->name.len);
	settle(document, SETTLE_REFUSED);
	document = one();
	assert_memory_equal(document->name.data, "Ä.edi", document->name.len);
	settle(document, SETTLE_REFUSED);
}

static void a_sidecar_that_is_a_link_or_still_empty_is_none(void **state)
{
	char *link;

	source_with("drop/*", "age", "0s", "sidecar", ".sha256");
	put("a.edi", "1");
	put("elsewhere", SUM_OF_1);
	link = support_path(w.drop, "a.edi.sha256");
	assert_int_equal(symlink("elsewhere", link), 0);
	free(link);
	put("b.edi", "1");
	put("b.edi.sha256", "");
	none();
}

static void an_archive_that_leads_elsewhere_is_not_followed(void **state)
{
	struct document *document;
	struct error error = {0};
	char *archive = support_path(w.drop, "archive"), *outside = support_path(w.root, "outside");

	mkdir(outside, 0755);
	assert_int_equal(symlink(outside, archive), 0);
	source_with("drop/*.edi", "age", "0s", NULL, NULL);
	put("a.edi", "1");
	document = one();
	fetch(document);
	assert_int_equal(file_source_ops.settle(w.source, document, SETTLE_ACCEPTED, &error), -1);
	assert_string_equal(error.code, "file.directory");
	assert_int_equal(support_count(outside), 0);
	assert_true(there("drop/a.edi"));
	forget(document);
	free(archive);
	free(outside);
}

static void a_long_name_still_finds_a_free_one(void **state)
{
	char name[256];

	memset(name, 'x', 255);
	memcpy(name + 251, ".edi", 5);
	source_with("drop/*", "age", "0s", NULL, NULL);
	put(name, "1");
	take(SETTLE_ACCEPTED);
	put(name, "2");
	take(SETTLE_ACCEPTED);
	put(name, "3");
	take(SETTLE_DUPLICATE);
	memcpy(name + 249, ".2.edi", 7);
	assert_true(holds(archived(name), "2"));
}

/* /dev/shm is another file system than the temporary directory, nearly everywhere. */
static char *other_file_system(void)
{
	char path[] = "/dev/shm/ferrule-test-XXXXXX";
	struct stat here, other;

	if (!mkdtemp(path))
		return NULL;
	stat(path, &other);
	stat(w.root, &here);
	if (here.st_dev != other.st_dev)
		return mem_strdup(path);
	rmdir(path);
	return NULL;
}

static void an_archive_on_another_file_system_gets_a_synced_copy(void **state)
{
	char *other = other_file_system(), *copy, *content;

	if (!other)
		skip();
	source_with("drop/*", "after", "move", "to", other);
	clock_set(clock_now_ms() + 10000);
	put("a.edi", "across");
	take(SETTLE_ACCEPTED);
	copy = support_path(other, "a.edi");
	content = support_read(copy, NULL);
	assert_string_equal(content, "across");
	assert_false(there("drop/a.edi"));
	put("a.edi", "another");
	take(SETTLE_ACCEPTED);
	assert_int_equal(support_count(other), 2);
	free(content);
	free(copy);
	support_rmtree(other);
	free(other);
}

#ifdef FERRULE_FAULTS
static void settle_once_and_die(const char *faults)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct document *document;
		struct error error = {0};
		size_t found;

		setenv("FERRULE_FAULTS", faults, 1);
		CHILD_EXPECT(!file_source_ops.poll(w.source, &document, 1, &found, &error) && found == 1);
		CHILD_EXPECT(!file_source_ops.settle(w.source, document, SETTLE_ACCEPTED, &error));
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_copy_interrupted_anywhere_is_made_once(void **state)
{
	static const char *const points[] = {"file.copied", "file.archived", "file.archive-synced", "file.removed",
					     "file.settled", "file.no-exclusive-rename%1=fail,file.linked"};
	char *other = other_file_system(), faults[64], name[16];
	DIR *folder;
	struct dirent *found;

	if (!other)
		skip();
	for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
		source_with("drop/*", "after", "move", "to", other);
		clock_set(clock_now_ms() + 10000);
		snprintf(name, sizeof name, "%u.edi", i);
		put(name, "across");
		snprintf(faults, sizeof faults, "%s:1=kill", points[i]);
		settle_once_and_die(faults);
		if (i < 3 || i == 5)
			settle_once_and_die(i == 5 ? "file.no-exclusive-rename%1=fail" : "");
		assert_int_equal(support_count(w.drop), 0);
		assert_int_equal(support_count(other), i + 1);
		clock_set(0);
	}
	folder = opendir(other);
	while ((found = readdir(folder)))
		assert_int_not_equal(strncmp(found->d_name, ".ferrule", 8), 0);
	closedir(folder);
	support_rmtree(other);
	free(other);
}

static void a_rename_made_of_links_and_interrupted_keeps_one(void **state)
{
	char day[CLOCK_TEXT], *path;

	today(day);
	source_with("drop/*", "age", "0s", NULL, NULL);
	put("a.edi", "x");
	settle_once_and_die("file.no-exclusive-rename%1=fail,file.linked:1=kill");
	assert_true(there("drop/a.edi"));
	assert_true(there(archived("a.edi")));
	settle_once_and_die("file.no-exclusive-rename%1=fail");
	assert_false(there("drop/a.edi"));
	path = mem_printf("%s/archive/%s", w.drop, day);
	assert_int_equal(support_count(path), 1);
	free(path);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_in_the_archive_is_overwritten),
		TEST(a_moved_file_keeps_its_name),
		TEST(a_deleted_file_is_gone_but_what_died_stays_in_sight),
		TEST(what_was_put_away_under_a_number_is_found_by_what_was_intended),
		TEST(names_that_are_no_utf_8_are_read_as_the_source_says),
		TEST(a_file_is_archived_under_the_day_that_was_written_down_though_midnight_comes_between),
		TEST(only_what_was_archived_and_is_that_still_is_removed_from_the_archive),
		TEST(what_another_source_has_put_aside_is_left_to_it),
		TEST(a_sidecar_that_is_a_link_or_still_empty_is_none),
		TEST(a_file_that_is_not_what_its_sidecar_says_is_refused_with_both_digests),
		TEST(a_sidecar_follows_its_file_under_the_name_that_it_got),
		TEST(an_archive_that_leads_elsewhere_is_not_followed),
		TEST(a_long_name_still_finds_a_free_one),
		TEST(an_archive_on_another_file_system_gets_a_synced_copy),
#ifdef FERRULE_FAULTS
		TEST(a_copy_interrupted_anywhere_is_made_once),
		TEST(a_rename_made_of_links_and_interrupted_keeps_one),
#endif
	};

	log_levels("error");
	return cmocka_run_group_tests_name("file settle", tests, NULL, NULL);
}
