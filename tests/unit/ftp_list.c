/* Listings of FTP servers, as they are seen in the wild and as nobody should write them. */
#include "config.h"

#include <sys/stat.h>

#include "broker-adapters/ftp/ftp_list.h"
#include "tests/support/support.h"

#define NOW 1795456710 /* 2026-11-23 17:58:30 */

static void is_file(const char *line, const char *name, uint64_t size, int64_t time)
{
	struct remote_attrs attrs;
	struct span found;
	bool facts = strchr(line, ';') != NULL;

	if (!(facts ? ftp_read_facts(span_of(line), &attrs, &found)
		    : ftp_read_list(span_of(line), NOW, &attrs, &found)))
		fail_msg("not read: %s", line);
	assert_true(span_is(found, name));
	assert_int_equal(attrs.mode & S_IFMT, S_IFREG);
	assert_true(attrs.has_size && attrs.has_mtime);
	assert_int_equal(attrs.size, size);
	assert_int_equal(attrs.mtime, time);
}

static void is_other(const char *line, const char *name, uint32_t mode)
{
	struct remote_attrs attrs;
	struct span found;

	if (!(strchr(line, ';') ? ftp_read_facts(span_of(line), &attrs, &found)
				: ftp_read_list(span_of(line), NOW, &attrs, &found)))
		fail_msg("not read: %s", line);
	assert_true(span_is(found, name));
	assert_int_equal(attrs.mode & S_IFMT, mode);
}

static void is_nothing(const char *line)
{
	struct remote_attrs attrs;
	struct span found;

	if (ftp_read_facts(span_of(line), &attrs, &found))
		fail_msg("taken for facts: %s", line);
	if (ftp_read_list(span_of(line), NOW, &attrs, &found))
		fail_msg("taken for a line of a listing: %s", line);
}

static void facts_tell_type_size_and_time(void **state)
{
	is_file("modify=20261123175830;perm=adfrw;size=12;type=file;unique=801U1;UNIX.mode=0640; orders.edi",
		"orders.edi", 12, NOW);
	is_file("Type=file;Size=0;Modify=20261123175830.123; a b  ü.edi", "a b  ü.edi", 0, NOW);
	is_file("type=FILE;size=18446744073;modify=19700101000000;  led by a space", " led by a space", 18446744073, 0);
	is_file("type=file;size=1;modify=20240229000000; a; b=c", "a; b=c", 1, 1709164800);
	is_other("type=dir;modify=20261123175830; archive", "archive", S_IFDIR);
	is_other("type=OS.unix=slink:/etc/passwd;size=1;modify=20261123175830; link", "link", S_IFLNK);
	is_other("type=OS.unix=chr-1/3; null", "null", S_IFIFO);
}

static void facts_that_are_none_are_left(void **state)
{
	is_nothing("");
	is_nothing(" name");
	is_nothing("type=file;size=1;modify=20261123175830;name");
	is_nothing("type=file;size=1;modify=20261123175830; ");
	is_nothing("type=cdir;modify=20261123175830; .");
	is_nothing("type=pdir;modify=20261123175830; ..");
	is_nothing("type=file;size=1; ..");
	is_nothing("type=file;size=1; ../../etc/passwd");
	is_nothing("type=file;size=1; a/b");
	is_nothing("type=file;size=1; a\tb");
	is_nothing("size=1; untyped");
	is_nothing("type=file");
	is_nothing("nonsense; name");
}

static void wrong_numbers_and_dates_are_none(void **state)
{
	struct remote_attrs attrs;
	struct span name;

	assert_true(ftp_read_facts(SPAN_LITERAL("type=file;size=-1;modify=20261323175830; a"), &attrs, &name));
	assert_false(attrs.has_size || attrs.has_mtime);
	assert_true(ftp_read_facts(SPAN_LITERAL("type=file;size=99999999999999999999;modify=2026; a"), &attrs, &name));
	assert_false(attrs.has_size || attrs.has_mtime);
}

static void unix_writes_it_in_many_ways(void **state)
{
	int64_t minute = NOW - 30;

	is_file("-rw-r--r--   1 acme     acme         4096 Nov 23 17:58 orders.edi", "orders.edi", 4096, minute);
	is_file("-rw-r--r-- 1 acme 12 Nov 23 17:58 no group", "no group", 12, minute);
	is_file("-rw-r--r--+ 1 Domain Users 12 Nov 23 17:58 two  words ", "two  words ", 12, minute);
	is_file("-rw-r--r-- 1 a b 12 Nov 24 10:00 a day of grace", "a day of grace", 12, minute + 57720);
	is_file("-rw-r--r-- 1 a b 12 Nov 25 17:58 last year", "last year", 12, minute + 2 * 86400 - 365 * 86400);
	is_file("-rw-r--r-- 1 a b 12 Feb 29  2024 leap", "leap", 12, 1709164800);
	is_file("-rw-r--r-- 1 a b 12 2026-11-23 17:58 iso", "iso", 12, minute);
	is_file("-rw-r--r-- 1 Nov 5 12 Nov 23 17:58 Nov 23 17:58", "Nov 23 17:58", 12, minute);
	is_file("-rw-r--r-- 1 a b 12 Nov 23 17:58 a -> b", "a -> b", 12, minute);
	is_other("drwxr-xr-x   2 acme     acme         4096 Nov 23 18:28 archive", "archive", S_IFDIR);
	is_other("lrwxrwxrwx 1 a b 11 Nov 23 17:58 link -> /etc/passwd", "link", S_IFLNK);
}

static void dos_writes_it_in_two(void **state)
{
	int64_t minute = NOW - 30;

	is_file("11-23-26  05:58PM                 4096 orders.edi", "orders.edi", 4096, minute);
	is_file("11-23-2026  17:58                 4096 a b.edi", "a b.edi", 4096, minute);
	is_file("11-23-26  12:00AM                    1 midnight", "midnight", 1, minute - 17 * 3600 - 58 * 60);
	is_file("11-23-26  12:00PM                    1 noon", "noon", 1, minute - 5 * 3600 - 58 * 60);
	is_other("11-23-26  05:58PM       <DIR>          archive", "archive", S_IFDIR);
}

static void lines_that_are_none_are_left(void **state)
{
	static const char *const lines[] = {
		"total 12",
		"-rw-r--r-- 1 a b 12 Nov 23 17:58 ",
		"-rw-r--r-- 1 a b 12 Nov 23 17:58 ..",
		"-rw-r--r-- 1 a b 12 Nov 23 17:58 ../up",
		"-rw-r--r-- 1 a b 12 Nov 33 17:58 day",
		"-rw-r--r-- 1 a b 12 Nov 23 27:58 hour",
		"-rw-r--r-- 1 a b twelve Nov 23 17:58 size",
		"?rw-r--r-- 1 a b 12 Nov 23 17:58 type",
		"13-23-26  05:58PM  4096 month",
		"11-23-26  05:58PM",
		"--------------------------------",
		"                                ",
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		is_nothing(lines[i]);
}

static void the_same_line_cut_anywhere_harms_nobody(void **state)
{
	static const char *const lines[] = {"type=OS.unix=slink:/x;size=1;modify=20261123175830; name",
					    "-rw-r--r-- 1 acme acme 4096 Nov 23 17:58 orders.edi",
					    "11-23-26  05:58PM       <DIR>          archive"};
	struct remote_attrs attrs;
	struct span name;

	for (size_t i = 0; i < 3; i++)
		for (size_t n = 0; n <= strlen(lines[i]); n++) {
			char *exact =
				mem_span_dup(span_make(lines[i], n)); /* so that a sanitizer sees what is behind */

			ftp_read_facts(span_make(exact, n), &attrs, &name);
			ftp_read_own_facts(span_make(exact, n), &attrs);
			ftp_read_list(span_make(exact, n), NOW, &attrs, &name);
			free(exact);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_tell_type_size_and_time),
		cmocka_unit_test(facts_that_are_none_are_left),
		cmocka_unit_test(wrong_numbers_and_dates_are_none),
		cmocka_unit_test(unix_writes_it_in_many_ways),
		cmocka_unit_test(dos_writes_it_in_two),
		cmocka_unit_test(lines_that_are_none_are_left),
		cmocka_unit_test(the_same_line_cut_anywhere_harms_nobody),
	};

	return cmocka_run_group_tests_name("listings of ftp", tests, NULL, NULL);
}
