/* Findings: collected, sorted, and the nearest name. */
#include "config.h"
#include "tests/support/support.h"

#include "base/finding.h"

static void findings_are_sorted_by_place_and_errors_come_first(void **state)
{
	struct findings findings;

	findings_init(&findings);
	finding_add(&findings, (struct place){"b.yaml", 1, 1}, SEVERITY_ERROR, "x.one", "number %d", 1);
	finding_add(&findings, (struct place){"a.yaml", 9, 2}, SEVERITY_WARNING, "x.two", "two");
	finding_add(&findings, (struct place){"a.yaml", 9, 2}, SEVERITY_ERROR, "x.three", "three");
	finding_add(&findings, (struct place){"a.yaml", 2, 7}, SEVERITY_WARNING, "x.four", "four");
	finding_add(&findings, (struct place){NULL, 0, 0}, SEVERITY_ERROR, "x.five", "five");
	findings_sort(&findings);
	assert_int_equal(findings.count, 5);
	assert_int_equal(findings.errors, 3);
	assert_string_equal(findings.list[0].code, "x.five");
	assert_string_equal(findings.list[1].code, "x.four");
	assert_string_equal(findings.list[2].code, "x.three");
	assert_string_equal(findings.list[3].code, "x.two");
	assert_string_equal(findings.list[4].text, "number 1");
	findings_free(&findings);
}

static void a_finding_keeps_a_long_text_whole(void **state)
{
	struct findings findings;
	char text[5000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	findings_init(&findings);
	finding_add(&findings, (struct place){"a", 1, 1}, SEVERITY_ERROR, "x.long", "%s", text);
	assert_string_equal(findings.list[0].text, text);
	findings_free(&findings);
}

static const char *near(const char *word)
{
	static const char *const names[] = {"archive", "after", "order", "owner", "id"};

	return nearest_name(span_of(word), names, 5);
}

static void the_nearest_name_forgives_slips_of_the_keyboard(void **state)
{
	assert_string_equal(near("arhcive"), "archive");
	assert_string_equal(near("archve"), "archive");
	assert_string_equal(near("archives"), "archive");
	assert_string_equal(near("ownre"), "owner");
	assert_string_equal(near("ordr"), "order");
}

static void a_word_that_is_like_nothing_has_no_nearest_name(void **state)
{
	assert_null(near("subscribe"));
	assert_null(near("x"));
	assert_null(near(""));
	assert_null(near("to"));
	assert_null(near("archivearchivearchivearchivearchivearchivearchivearchivearchivearchive"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_are_sorted_by_place_and_errors_come_first),
		cmocka_unit_test(a_finding_keeps_a_long_text_whole),
		cmocka_unit_test(the_nearest_name_forgives_slips_of_the_keyboard),
		cmocka_unit_test(a_word_that_is_like_nothing_has_no_nearest_name),
	};

	return cmocka_run_group_tests_name("finding", tests, NULL, NULL);
}
