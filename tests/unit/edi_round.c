/* Decoding and encoding again gives the same bytes, for every document that is read without a finding: our own, and
 * real files that others published, which lie beside the source or in FERRULE_DATA and are skipped where they do not.
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/round.h"
#include "tests/support/support.h"

struct counts {
	unsigned same, told;
};

static void check_file(const char *format, const char *path, struct counts *counts)
{
	size_t n;
	char *content = support_read(path, &n);
	bool same, sound;

	assert_non_null(content);
	sound = round_trip(format, span_make(content, n), &same);
	if (sound && !same)
		fail_msg("%s is not the same when it is encoded again", path);
	counts->same += sound;
	counts->told += !sound;
	if (getenv("VERBOSE"))
		print_message("%s: %s\n", path, sound ? "the same" : "told");
	free(content);
}

static void walk(const char *format, const char *folder, struct counts *counts)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char *path = support_path(folder, entry->d_name);
		struct stat status;

		if (entry->d_name[0] != '.' && !stat(path, &status)) {
			if (S_ISDIR(status.st_mode))
				walk(format, path, counts);
			else if (strcmp(entry->d_name, "out") && strcmp(entry->d_name, "config.json"))
				check_file(format, path, counts);
		}
		free(path);
	}
	if (directory)
		closedir(directory);
}

static const char *source(void)
{
	return getenv("FERRULE_SRCDIR") ? getenv("FERRULE_SRCDIR") : SRCDIR;
}

static void own(const char *format, unsigned at_least)
{
	char *folder = mem_printf("%s/tests/golden/%s", source(), format);
	struct counts counts = {0};

	walk(format, folder, &counts);
	assert_true(counts.same >= at_least);
	assert_true(counts.told > 0);
	free(folder);
}

static void our_own_documents_come_back_as_they_were(void **state)
{
	own("x12", 20);
	own("edifact", 25);
	own("tradacoms", 5);
}

static void real_documents_come_back_as_they_were(void **state)
{
	static const struct {
		const char *format;
		unsigned same;
	} kinds[] = {{"x12", 39}, {"edifact", 10}, {"tradacoms", 3}};
	char *root =
		getenv("FERRULE_DATA") ? mem_strdup(getenv("FERRULE_DATA")) : mem_printf("%s/../shared/data", source());
	struct stat status;

	if (stat(root, &status)) {
		free(root);
		support_skip("there are no sample files in ../shared/data beside the source, nor in FERRULE_DATA");
		return;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char *folder = support_path(root, kinds[i].format);
		struct counts counts = {0};

		walk(kinds[i].format, folder, &counts);
		if (counts.same < kinds[i].same)
			fail_msg("%s: only %u of %u files are read without a finding", kinds[i].format, counts.same,
				 counts.same + counts.told);
		free(folder);
	}
	free(root);
}

/* Headers whose end never comes, none of which is seen by the search for another's: the rest is refused as a whole, or
 * a few megabytes take minutes. */
static void headers_without_an_end_are_not_searched_for_ever(void **state)
{
	static const char header[] = "ISA*00*          *00*          *ZZ*A              *ZZ*B              "
				     "*260101*1200*U*00401*000000001*0*P*>~GS*PO*A*B*20260101*1200*1*X*004010~"
				     "ST*850*0001~BEG*1x";
	struct buf document, lines;

	buf_init(&document, 1 << 20);
	buf_init(&lines, 1 << 20);
	for (int i = 0; i < 2000; i++)
		buf_text(&document, header);
	assert_in_range(round_run(&decode_transformer, "x12", buf_view(&document), &lines), 2, 100);
	assert_int_equal(lines.len, 0);
	buf_free(&document);
	buf_free(&lines);
}

/* Wherever a buffer ends: blanks in front of a document move every byte of it over the edges of what is read at
 * once. */
static void moved_over_the_edges(const char *format, const char *name)
{
	char *path = mem_printf("%s/tests/golden/%s/%s/in", source(), format, name);
	size_t n, before = 65536 - 700;
	char *content = support_read(path, &n);
	struct buf document;

	assert_non_null(content);
	buf_init(&document, 1 << 20);
	for (size_t i = 0; i < before; i++)
		buf_char(&document, i % 64 ? ' ' : '\n');
	for (size_t shift = 0; shift < n + 10; shift++) {
		bool same;

		document.len = before + shift;
		memset(document.data + before, ' ', shift);
		buf_append(&document, content, n);
		assert_true(round_trip(format, buf_view(&document), &same));
		assert_true(same);
	}
	buf_free(&document);
	free(content);
	free(path);
}

static void a_buffer_may_end_anywhere(void **state)
{
	moved_over_the_edges("x12", "binary-segment");
	moved_over_the_edges("edifact", "package-lines");
	moved_over_the_edges("edifact", "package-of-bytes");
	moved_over_the_edges("edifact", "unox-with-a-package");
	moved_over_the_edges("edifact", "unox-cn");
}

/* ---- packages of objects */
#define PACKAGE_HEAD "UNB+UNOY:4+A+B+20260101:1200+REF1'"

/* One whose object has n bytes that may mean anything; text: in UTF-8. */
static void make_package(struct buf *document, size_t n, bool text)
{
	static const char what[] = "UNP+7+P1'UNZ+1+REF1'\n\xc3\xbc\xe2\x82\xac\"\\";

	buf_reset(document);
	buf_printf(document, PACKAGE_HEAD "UNO+P1+AAA:1+13:x+%zu'", n);
	for (size_t i = 0; i < n; i++)
		buf_char(document, text && i + sizeof what < n ? what[i % (sizeof what - 1)]
				   : text                      ? '.'
							       : (char)(i * i));
	buf_printf(document, "UNP+%zu+P1'UNZ+1+REF1'", n);
}

static void objects_of_any_size_come_back(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 49151, 49152, 49153, 65536, 200000, 5000000};
	struct buf document;

	buf_init(&document, 1 << 23);
	for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
		bool same;

		make_package(&document, sizes[i / 2], i & 1);
		assert_true(round_trip("edifact", buf_view(&document), &same));
		assert_true(same);
	}
	buf_free(&document);
}

static void objects_have_a_limit(void **state)
{
	struct buf document, lines;

	buf_init(&document, 1 << 28);
	buf_init(&lines, 1 << 20);
	make_package(&document, (64u << 20) + 1, true);
	assert_int_equal(round_run(&decode_transformer, "edifact", buf_view(&document), &lines), 1);
	assert_int_equal(lines.len, 0);
	buf_free(&document);
	buf_free(&lines);
}

/* Published examples whose UNZ counts the message alone and has the message's reference: with that made right they are
 * sound. */
static void real_packages_come_back_as_they_were(void **state)
{
	static const char *const names[] = {"EDIFACT_EXAMPLE2.TXT", "EDIFACT_EXAMPLE5.TXT"};
	char *root =
		getenv("FERRULE_DATA") ? mem_strdup(getenv("FERRULE_DATA")) : mem_printf("%s/../shared/data", source());
	unsigned found = 0;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = mem_printf("%s/edifact/eInvoicing-EN16931/%s", root, names[i]), *content, *end;
		struct buf document;
		size_t n;
		bool same;

		content = support_read(path, &n);
		free(path);
		end = content ? strstr(content, "UNZ+1+") : NULL;
		if (!content)
			continue;
		found++;
		assert_non_null(end);
		buf_init(&document, 1 << 20);
		buf_append(&document, content, (size_t)(end - content));
		buf_text(&document, "UNZ+2+87846595'\n");
		assert_true(round_trip("edifact", buf_view(&document), &same));
		assert_true(same);
		buf_free(&document);
		free(content);
	}
	free(root);
	if (!found)
		support_skip("there are no sample files in ../shared/data beside the source, nor in FERRULE_DATA");
}

/* ---- escape sequences */
#define UNOX_HEAD "UNB+UNOX:4+A+B+20260101:1200+R'"
#define UNOX_BROKEN "UNH+%u+ORDERS:D:96A:UN'NAD+BY+++\x1b$(Z'+%u'UNT+3+%u'"
#define UNOX_MESSAGE "UNH+%u+ORDERS:D:96A:UN'NAD+BY+++\x1b$B'+?:\x1b(B+%u'UNT+3+%u'"

/* Bytes of a character are no separators, however far from the nearest place that was noted they are. */
static void escaped_documents_of_any_size_come_back(void **state)
{
	struct buf document, lines;
	bool same;

	buf_init(&document, 1 << 26);
	buf_init(&lines, 1 << 28);
	buf_text(&document, UNOX_HEAD);
	for (unsigned i = 1; i <= 60000; i++)
		buf_printf(&document, UNOX_MESSAGE, i, i, i);
	buf_text(&document, "UNZ+60000+R'");
	assert_true(round_trip("edifact", buf_view(&document), &same));
	assert_true(same);
	assert_int_equal(round_run(&decode_transformer, "edifact", buf_view(&document), &lines), 0);
	assert_non_null(memmem(lines.data, lines.len, "\"charset\":\"ISO-2022-JP\"", 23));
	assert_null(memmem(lines.data, lines.len, "escapes", 7));
	buf_free(&document);
	buf_free(&lines);
}

/* A message that is refused says its byte in the document, and its neighbours go on. */
static void what_is_broken_in_an_escaped_document_is_refused_alone(void **state)
{
	struct buf document, lines;

	buf_init(&document, 1 << 20);
	buf_init(&lines, 1 << 20);
	buf_text(&document, UNOX_HEAD);
	for (unsigned i = 1; i <= 3; i++)
		buf_printf(&document, i == 2 ? UNOX_BROKEN : UNOX_MESSAGE, i, i, i);
	buf_text(&document, "UNZ+3+R'");
	assert_int_equal(round_run(&decode_transformer, "edifact", buf_view(&document), &lines), 1);
	assert_non_null(memmem(lines.data, lines.len, "\"control\":\"1\"", 13));
	assert_non_null(memmem(lines.data, lines.len, "\"control\":\"3\"", 13));
	buf_free(&document);
	buf_free(&lines);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_documents_come_back_as_they_were),
		cmocka_unit_test(real_documents_come_back_as_they_were),
		cmocka_unit_test(a_buffer_may_end_anywhere),
		cmocka_unit_test(objects_of_any_size_come_back),
		cmocka_unit_test(objects_have_a_limit),
		cmocka_unit_test(real_packages_come_back_as_they_were),
		cmocka_unit_test(escaped_documents_of_any_size_come_back),
		cmocka_unit_test(what_is_broken_in_an_escaped_document_is_refused_alone),
		cmocka_unit_test(headers_without_an_end_are_not_searched_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
