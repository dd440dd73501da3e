/* SFTP against a server of our own that cuts, hangs, is full, forbids, changes files under our hands and lies
 * (tests/lab/sftp_liar.c): nothing is lost, nothing comes twice, no half file has its name, and errors say what it is.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker-adapters/sftp/sftp_files.h"
#include "tests/support/sftp_lab.h"
#include "tests/support/sftp_try.h"
#include "tests/support/support.h"

#define SIZE 5000
#define LARGE 150000 /* several requests */

#ifdef __SANITIZE_ADDRESS__ /* which keeps what was given back */
#define MOST_MB 600
#else
#define MOST_MB 200
#endif

static char *root;
static struct arena *arena;
static struct vault *vault;
static char body[SIZE + 1], large[LARGE + 1];

static int set_up(void **state)
{
	struct error error = {0};
	char *path;

	sftp_lab_need();
	sftp_lab_clean();
	root = support_tmpdir();
	arena = arena_new();
	path = support_path(root, "vault");
	vault = vault_open(path, &error);
	free(path);
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (char)('a' + i * 7 % 23);
	memcpy(body, large, SIZE);
	return 0;
}

static int tear_down(void **state)
{
	vault_close(vault);
	support_rmtree(root);
	free(root);
	arena_free(arena);
	return 0;
}

/* ---- what the liar is told --------------------------------------------------------------------------------------- */

static char *lies_path(const char *name)
{
	return mem_printf("%s/lies/%s", sftp_lab_need()->directory, name);
}

static unsigned lines_of(const char *name)
{
	char *path = lies_path(name), *text = support_read(path, NULL);
	unsigned n = 0;

	for (char *at = text; at && *at; at++)
		n += *at == '\n';
	free(text);
	free(path);
	return n;
}

static void tell(const char *script)
{
	static const char *const notes[] = {"fired", "asked", "half"};
	char *path = lies_path("script");

	support_write(path, span_of(script));
	chmod(path, 0644);
	free(path);
	for (size_t i = 0; i < 3; i++) {
		path = lies_path(notes[i]);
		unlink(path);
		free(path);
	}
}

static void put(const char *name, struct span content, int64_t age)
{
	char *path = sftp_lab_path("outbox", name), *folder = sftp_lab_path("outbox", NULL);
	struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
	struct stat st;

	support_write(path, content);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(chown(path, st.st_uid, st.st_gid), 0); /* so that the liar's commands may change it */
	free(folder);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

static bool is_there(const char *folder, const char *name)
{
	char *path = sftp_lab_path(folder, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static unsigned all_in(const char *folder)
{
	char *path = sftp_lab_path(folder, NULL);
	DIR *open = opendir(path);
	struct dirent *found;
	unsigned n = 0;

	while (open && (found = readdir(open)))
		n += strcmp(found->d_name, ".") && strcmp(found->d_name, "..");
	if (open)
		closedir(open);
	free(path);
	return n;
}

static bool has(const char *folder, const char *name, struct span content)
{
	char *path = sftp_lab_path(folder, name), *bytes;
	size_t len = 0;
	bool same;

	bytes = support_read(path, &len);
	same = bytes && span_equal(span_make(bytes, len), content);
	free(bytes);
	free(path);
	return same;
}

static struct endpoint *source_with(const char *key, const char *value)
{
	return sftp_lab_endpoint(arena, root, sftp_source_ops.options, sftp_source_ops.settings_size, "outbox/*", "age",
				 "0s", "timeout", "1s", "after", "move", "to", "archive", key, value, NULL);
}

static struct endpoint *sink_with(const char *key, const char *value)
{
	return sftp_lab_endpoint(arena, root, sftp_sink_ops.options, sftp_sink_ops.settings_size, "inbox/$(.name)",
				 "timeout", "1s", key, value, NULL);
}

static int64_t cpu_ms(void)
{
	return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

/* ---- one lie, and the file comes all the same ----------------------------------------------------------------------
 */

static void comes_once(const struct endpoint *endpoint, const char *script, const char *code, bool fires)
{
	struct span content = span_make(body, SIZE);
	struct id digest = id_digest(content);
	struct visitor visitor;
	int64_t cpu = cpu_ms(), begun = clock_tick_ms();
	unsigned settled;

	sftp_lab_clean();
	put("a.edi", content, 5000);
	tell(script);
	visitor_begin(&visitor, endpoint, vault);
	settled = visitor_until(&visitor, 1, 4);
	if (fires && !lines_of("fired"))
		fail_msg("%s: it was never asked for", script);
	if (settled < 1)
		fail_msg("%s: nothing came: %s: %s", script, visitor.first.code, visitor.first.text);
	if (visitor.count != 1 || visitor.taken[0].accepted != 1 || !id_equal(&visitor.taken[0].digest, &digest))
		fail_msg("%s: %u documents", script, visitor.count);
	if (code && strcmp(code, visitor.first.code))
		fail_msg("%s: it is called %s, not %s: %s", script, visitor.first.code, code, visitor.first.text);
	visitor_until(&visitor, 1, 1); /* it does not come again */
	if (visitor.count != 1 || is_there("outbox", "a.edi") || all_in("archive") != 1)
		fail_msg("%s: %u documents, %u in the archive", script, visitor.count, all_in("archive"));
	assert_true(is_there("archive", "a.edi")
			    ? has("archive", "a.edi", content)
			    : has("archive", "a.duplicate.edi", content) || has("archive", "a.edi.duplicate", content));
	if (lines_of("asked") > 800 || cpu_ms() - cpu > 1500 || clock_tick_ms() - begun > 12000)
		fail_msg("%s: %u requests, %d ms of CPU, %d ms", script, lines_of("asked"), (int)(cpu_ms() - cpu),
			 (int)(clock_tick_ms() - begun));
	visitor_end(&visitor);
}

static void goes_once(const struct endpoint *endpoint, const char *script, const char *code, bool fires)
{
	struct span content = span_make(body, SIZE);
	struct delivery delivery;
	char *whole = mem_printf("%s\nwatch:inbox/a.edi %d 0\n", script, SIZE);
	int64_t cpu = cpu_ms(), begun = clock_tick_ms();
	int result;

	sftp_lab_clean();
	tell(whole);
	free(whole);
	delivery_begin(&delivery, endpoint, "a.edi", content);
	result = delivery_until(&delivery, 4);
	if (fires && !lines_of("fired"))
		fail_msg("%s: it was never asked for", script);
	if (result || !has("inbox", "a.edi", content))
		fail_msg("%s: it ends with %d: %s: %s", script, result, delivery.first.code, delivery.first.text);
	if (code && strcmp(code, delivery.first.code))
		fail_msg("%s: it is called %s, not %s: %s", script, delivery.first.code, code, delivery.first.text);
	if (lines_of("half"))
		fail_msg("%s: a part of it had its name", script);
	tell("");
	delivery_sweep(endpoint);
	if (all_in("inbox") != 1)
		fail_msg("%s: %u files are there", script, all_in("inbox"));
	if (cpu_ms() - cpu > 1500 || clock_tick_ms() - begun > 12000)
		fail_msg("%s: %d ms of CPU, %d ms", script, (int)(cpu_ms() - cpu), (int)(clock_tick_ms() - begun));
	delivery_end(&delivery);
}

static bool is_long(void)
{
	return getenv("FERRULE_LONG") != NULL;
}

typedef void once_fn(const struct endpoint *, const char *script, const char *code, bool fires);

/* Each kind of trouble at each kind of request; the short form takes every seventh of them. */
static void each_trouble_at_each(const char *const *requests, const struct endpoint *endpoint, once_fn *once)
{
	static const char *const troubles[] = {"cut",  "cut-after",  "status 4", "status 3", "status 8",
					       "id",   "twice",      "garbage",  "huge",     "empty",
					       "hang", "hang-after", "slow 300"};
	unsigned n = 0;

	for (size_t i = 0; requests[i]; i++)
		for (size_t k = 0; k < sizeof troubles / sizeof *troubles; k++) {
			char script[100];

			if (n++ % 7 && !is_long())
				continue;
			snprintf(script, sizeof script, "%s 0 1 %s\n", requests[i], troubles[k]);
			once(endpoint, script, NULL, true);
		}
}

static void whatever_happens_at_any_request_a_file_is_fetched_once(void **state)
{
	static const char *const requests[] = {"version", "opendir", "readdir", "open", "read",
					       "close",   "lstat",   "rename",  NULL};

	each_trouble_at_each(requests + 1, source_with("interval", "1m"), comes_once);
	comes_once(source_with("interval", "1m"), "version 0 1 hang\n", "sftp.timeout", true);
	comes_once(source_with("interval", "1m"), "version 0 1 cut\n", "sftp.lost", true);
	comes_once(source_with("interval", "1m"), "version 0 1 huge\n", "sftp.protocol", true);
}

static void whatever_happens_at_any_request_a_file_is_delivered_once(void **state)
{
	static const char *const requests[] = {"lstat", "open",   "write",  "fsync", "fstat",
					       "close", "rename", "remove", NULL};

	each_trouble_at_each(requests, sink_with("exists", "refuse"), goes_once);
}

/* ---- certain lies ------------------------------------------------------------------------------------------------ */

struct certain {
	const char *script, *code; /* what the first failure is called; NULL: there need not be one */
};

static void each_of(const struct certain *lies, size_t n, const struct endpoint *endpoint, once_fn *once)
{
	for (size_t i = 0; i < n; i++)
		once(endpoint, lies[i].script, lies[i].code, true);
}

#define EACH_OF(lies, endpoint, once) each_of(lies, sizeof lies / sizeof *(lies), endpoint, once)

static void wrong_reads_are_noticed_and_short_ones_put_together(void **state)
{
	static const struct certain lies[] = {
		{"read 0 0 short 7\n", NULL},
		{"read 0 0 short 500\nno-limits\n", NULL},
		{"read 0 1 more 1\n", NULL},
		{"read 0 1 more 200000\n", NULL},
		{"lstat:a.edi 0 1 size 5\n", "file.changed"},
		{"lstat:a.edi 0 1 older 5\n", "file.changed"},
		{"lstat:a.edi 0 1 bare\n", "file.changed"},
		{"readdir 0 1 size 100\n", "file.changed"},
		{"readdir 0 1 size -100\n", "file.changed"},
		{"readdir 0 1 bare\n", NULL},
		{"open:a.edi 0 1 status 3\n", "sftp.permission"},
		{"open:a.edi 0 1 status 4\n", "sftp.failure"},
		{"open:a.edi 0 1 status 2\n", "file.vanished"},
		{"opendir 0 1 status 3\n", "sftp.permission"},
		{"opendir 0 1 status 2\n", "sftp.missing"},
		{"readdir 0 1 status 3\n", "sftp.permission"},
		{"rename 0 1 status 3\n", NULL},
		{"rename 0 2 status 3\n", "sftp.permission"},
		{"rename 0 1 done 4\n", NULL},
		{"rename 0 1 ok\n", NULL},
	};
	struct endpoint *endpoint = source_with("interval", "1m");

	EACH_OF(lies, endpoint, comes_once);
}

/* Space, rights and lost writes. */
static void what_is_full_forbidden_or_not_written_is_delivered_later(void **state)
{
	static const struct certain lies[] = {
		{"write 0 1 status 4\n", "sftp.failure"},
		{"write 0 1 status 14\n", "sftp.full"},
		{"close 0 1 status 4\n", "sftp.failure"},
		{"close 0 1 status 15\n", "sftp.full"},
		{"fsync 0 1 status 4\n", "sftp.failure"},
		{"fsync 0 0 status 8\n", NULL},
		{"version 1 0 slow 1\nno-fsync\nno-limits\nno-replace\n", NULL},
		{"open:.tmp 0 1 status 3\n", "sftp.permission"},
		{"open:.tmp 0 1 status 2\n", "sftp.missing"},
		{"open:.mark 0 1 status 3\n", "sftp.permission"},
		{"open:.mark 0 1 status 14\n", "sftp.full"},
		{"write 0 1 ok\n", "sftp.damaged"},
		{"fstat 0 1 size 1\n", "sftp.damaged"},
		{"fstat 0 1 size -1\n", "sftp.damaged"},
		{"fstat 0 1 bare\n", NULL},
		{"rename 0 1 done 4\n", NULL},
		{"rename 0 1 ok\n", NULL},
		{"rename 0 1 status 3\n", "sftp.permission"},
		{"rename 0 1 status 2\n", "sftp.missing"},
		{"lstat:a.edi 0 1 status 3\n", "sftp.permission"},
		{"lstat:.mark 0 1 status 4\n", "sftp.failure"},
		{"remove:.mark 0 1 ok\n", NULL},
		{"remove:.mark 0 1 status 3\n", NULL},
	};

	EACH_OF(lies, sink_with("exists", "refuse"), goes_once);
	if (is_long())
		EACH_OF(lies, sink_with("exists", "number"), goes_once);
}

static void replacing_is_found_out_as_well(void **state)
{
	static const struct certain lies[] = {
		{"posix-rename 0 1 done 4\n", NULL},
		{"posix-rename 0 1 ok\n", NULL},
		{"posix-rename 0 1 status 3\n", "sftp.permission"},
		{"posix-rename 0 1 cut\n", NULL},
		{"posix-rename 0 1 cut-after\n", NULL},
		{"rename 0 1 done 4\nno-replace\n", NULL},
		{"rename 0 1 ok\nno-replace\n", NULL},
		{"rename 0 1 cut-after\nno-replace\n", NULL},
	};

	EACH_OF(lies, sink_with("exists", "replace"), goes_once);
}

/* Written, said to be of the right size, and wrong. */
static void content_that_is_wrong_there_is_noticed_where_that_is_asked_for(void **state)
{
	static const struct certain lies[] = {
		{"write 0 1 run true\nclose:.tmp 0 1 then for f in inbox/.f*.tmp; do printf XYZ | dd of=$f "
		 "conv=notrunc "
		 "bs=1 seek=4000 status=none; done\n",
		 "sftp.damaged"},
	};

	EACH_OF(lies, sink_with("verify", "content"), goes_once);
}

/* ---- under our hands --------------------------------------------------------------------------------------------- */

/* What the file is in the end comes once, and whole; never a mixture. */
static void ends_as(const char *script, const char *name, struct span wanted)
{
	struct endpoint *endpoint = source_with("interval", "1m");
	struct id before = id_digest(span_make(large, LARGE)), after = id_digest(wanted);
	struct visitor visitor;
	unsigned last = 0;

	sftp_lab_clean();
	put("a.edi", span_make(large, LARGE), 5000);
	tell(script);
	visitor_begin(&visitor, endpoint, vault);
	visitor_until(&visitor, 2, 4);
	assert_true(lines_of("fired"));
	assert_int_equal(lines_of("half"), 0); /* a command that failed */
	for (unsigned i = 0; i < visitor.count; i++) {
		if (!id_equal(&visitor.taken[i].digest, &before) && !id_equal(&visitor.taken[i].digest, &after))
			fail_msg("%s: a document that never was", script);
		last += !strcmp(visitor.taken[i].name, name) && id_equal(&visitor.taken[i].digest, &after);
	}
	if (wanted.len && last != 1)
		fail_msg("%s: it did not come as %s in the end: %s: %s (%u)", script, name, visitor.first.code,
			 visitor.first.text, visitor.count);
	if (all_in("outbox"))
		fail_msg("%s: it was left", script);
	visitor_end(&visitor);
}

static void files_that_change_under_our_hands_come_whole_or_not_at_all(void **state)
{
	struct span whole = span_make(large, LARGE), part = span_make(large, 100),
		    more = SPAN_LITERAL("another file\n");
	static const char *const whens[] = {"open:a.edi 1 1 run",   "open:a.edi 1 1 then", "read 1 1 run",
					    "read 1 1 then",        "close 2 1 run",       "lstat:a.edi 1 1 run",
					    "lstat:a.edi 1 1 then", "rename:a.edi 1 1 run"};

	for (size_t i = 0; i < sizeof whens / sizeof *whens; i++) {
		char script[300];

		snprintf(script, sizeof script, "%s truncate -s 100 outbox/a.edi\nno-limits\n", whens[i]);
		ends_as(script, "a.edi", part);
		snprintf(script, sizeof script, "%s mv outbox/a.edi outbox/b.edi\n", whens[i]);
		ends_as(script, "b.edi", whole);
		snprintf(script, sizeof script, "%s rm -f outbox/a.edi\n", whens[i]);
		ends_as(script, "a.edi", SPAN_NONE);
		snprintf(script, sizeof script, "%s rm -f outbox/a.edi; echo another file >outbox/a.edi\n", whens[i]);
		ends_as(script, "a.edi", more);
	}
}

/* ---- lines that break at each byte ------------------------------------------------------------------------------- */

static void break_anywhere(const struct endpoint *endpoint, const char *direction, once_fn *once)
{
	long step = is_long() ? 100 : 1700, whole = strcmp(direction, "bytes-in") == (once == comes_once) ? 7200 : 2600;

	for (long at = 1; at < whole; at += at == 1 ? step - 1 : step) {
		char script[60];

		snprintf(script, sizeof script, "%s %ld 1\n", direction, at);
		once(endpoint, script, NULL, true);
	}
}

static void reading_may_break_at_any_byte(void **state)
{
	break_anywhere(source_with("interval", "1m"), "bytes-out", comes_once);
	break_anywhere(source_with("interval", "1m"), "bytes-in", comes_once);
}

static void writing_may_break_at_any_byte(void **state)
{
	break_anywhere(sink_with("exists", "refuse"), "bytes-in", goes_once);
	break_anywhere(sink_with("exists", "refuse"), "bytes-out", goes_once);
}

/* ---- listings ---------------------------------------------------------------------------------------------------- */

static long memory_kb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void names_that_no_file_has_are_not_taken_for_files(void **state)
{
	struct visitor visitor;

	put("a.edi", SPAN_LITERAL("a\n"), 5000);
	tell("readdir 1 1 names awkward\nreaddir 2 1 names awkward\n");
	visitor_begin(&visitor, source_with("interval", "1m"), vault);
	visitor_until(&visitor, 1, 3);
	assert_int_equal(visitor.count, 1);
	assert_string_equal(visitor.taken[0].name, "a.edi");
	visitor_end(&visitor);
	/* only those that a file can have were asked for: with a new line, in Latin-1, with a hyphen */
	assert_true(lines_of("asked") < 40);
	tell("readdir 0 1 names long\n");
	put("b.edi", SPAN_LITERAL("b\n"), 5000);
	visitor_begin(&visitor, source_with("interval", "1m"), vault);
	assert_int_equal(visitor_until(&visitor, 1, 3), 1);
	visitor_end(&visitor);
}

static void a_name_that_is_listed_twice_comes_once(void **state)
{
	struct visitor visitor;

	put("a.edi", SPAN_LITERAL("seven b"), time(NULL) - 1000000000);
	tell("readdir 1 1 names twice\n");
	visitor_begin(&visitor, source_with("interval", "1m"), vault);
	visitor_until(&visitor, 2, 3);
	assert_int_equal(visitor.count, 1);
	assert_int_equal(visitor.duplicates, 0);
	assert_int_equal(all_in("archive"), 1);
	visitor_end(&visitor);
}

static void a_listing_without_an_end_is_given_up(void **state)
{
	struct visitor visitor;
	long before = memory_kb();

	tell("readdir 0 0 names endless\n");
	visitor_begin(&visitor, source_with("interval", "1m"), vault);
	assert_int_equal(visitor_look(&visitor), -1);
	assert_string_equal(visitor.first.code, "sftp.protocol");
	visitor_end(&visitor);
	if (memory_kb() - before > MOST_MB * 1024)
		fail_msg("%ld MB", (memory_kb() - before) / 1024);
}

static void a_folder_with_fifty_thousand_files_is_listed_in_bounded_time_and_memory(void **state)
{
	struct endpoint *endpoint = source_with("order", "name");
	struct document *documents[16];
	struct error error = {0};
	int64_t cpu = cpu_ms();
	long before = memory_kb();
	size_t found = 0;
	void *source;

	tell("readdir 0 0 names many\n");
	source = sftp_source_ops.open(endpoint, &error);
	if (sftp_source_ops.poll(source, documents, 16, &found, &error))
		fail_msg("%s: %s", error.code, error.text);
	assert_int_equal(found, 16);
	assert_true(lines_of("fired") > 500); /* all of it was read, a hundred names in each answer */
	for (size_t i = 0; i < found; i++) {
		char name[40];

		snprintf(name, sizeof name, "made-up-%09u-", (unsigned)i);
		assert_true(span_starts(documents[i]->name, name));
		sftp_source_ops.forget(source, documents[i]);
	}
	sftp_source_ops.close(source);
	if (cpu_ms() - cpu > 5000 || memory_kb() - before > 60 * 1024)
		fail_msg("%d ms of CPU, %ld MB", (int)(cpu_ms() - cpu), (memory_kb() - before) / 1024);
	print_message("# %d ms of CPU, %ld MB\n", (int)(cpu_ms() - cpu), (memory_kb() - before) / 1024);
}

static void a_listing_that_changes_while_it_is_read_loses_nothing(void **state)
{
	char script[400], name[40];
	struct visitor visitor;

	for (int i = 0; i < 120; i++) {
		snprintf(name, sizeof name, "file-%03d.edi", i);
		put(name, span_of(name), 5000 - i);
	}
	snprintf(script, sizeof script,
		 "readdir 2 1 run mv outbox/file-119.edi outbox/moved.edi; rm outbox/file-118.edi; echo new "
		 ">outbox/new.edi; touch -d @1000000000 outbox/new.edi\n");
	tell(script);
	visitor_begin(&visitor, source_with("interval", "1m"), vault);
	for (int looks = 0; looks < 15; looks++)
		visitor_look(&visitor);
	assert_int_equal(all_in("outbox"), 0);
	assert_int_equal(all_in("archive"), 120);
	assert_int_equal(visitor.duplicates, 0);
	visitor_end(&visitor);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whatever_happens_at_any_request_a_file_is_fetched_once),
		TEST(whatever_happens_at_any_request_a_file_is_delivered_once),
		TEST(wrong_reads_are_noticed_and_short_ones_put_together),
		TEST(what_is_full_forbidden_or_not_written_is_delivered_later),
		TEST(replacing_is_found_out_as_well),
		TEST(content_that_is_wrong_there_is_noticed_where_that_is_asked_for),
		TEST(files_that_change_under_our_hands_come_whole_or_not_at_all),
		TEST(reading_may_break_at_any_byte),
		TEST(writing_may_break_at_any_byte),
		TEST(names_that_no_file_has_are_not_taken_for_files),
		TEST(a_name_that_is_listed_twice_comes_once),
		TEST(a_folder_with_fifty_thousand_files_is_listed_in_bounded_time_and_memory),
		TEST(a_listing_without_an_end_is_given_up),
		TEST(a_listing_that_changes_while_it_is_read_loses_nothing),
	};

	cmocka_set_test_filter(getenv("FERRULE_ONLY"));
	return cmocka_run_group_tests_name("sftp and a server that lies", tests, NULL, NULL);
}
