/* The calendars that ship, as a site finds them by name, against lists of public holidays written by hand; and the
 * rules that they are made of. */
#include "config.h"
#include "config/site.h"

#include <stdlib.h>

#include "base/mem.h"
#include "mft/calendar.h"
#include "mft/date.h"
#include "tests/support/registry.h"
#include "tests/support/support.h"

#define TRANSFER                                                                                                       \
	"transfer: nightly\nowner: a\nfrom: {file: 'in/*'}\nto: {file: 'out/$($envelope.name)'}\neffect: rename\n"

struct shipped {
	char *directory;
	struct findings findings;
	struct bundle *bundle;
	struct site *site;
	struct calendar *calendar;
};

static void open_shipped(struct shipped *shipped, const char *name)
{
	struct error error = {0};
	const struct flow *flow;
	char *path, *text = mem_printf(TRANSFER "calendar: %s\n", name);

	*shipped = (struct shipped){.directory = support_tmpdir()};
	findings_init(&shipped->findings);
	path = support_path(shipped->directory, "site.yaml");
	support_write(path, span_of("name: test\n"));
	free(path);
	path = support_path(shipped->directory, "transfers/nightly.yaml");
	support_write(path, span_of(text));
	free(path);
	free(text);
	shipped->bundle = bundle_read_new(shipped->directory, "", &error);
	assert_non_null(shipped->bundle);
	shipped->site = site_load_new(shipped->bundle, support_registry(), shipped->directory, &shipped->findings);
	assert_non_null(shipped->site);
	flow = site_flow(shipped->site, SPAN_LITERAL("nightly"));
	assert_string_equal(flow->transfer->schedule.calendar->name, name);
	shipped->calendar = calendar_new(flow->transfer->schedule.calendar, &error);
	if (!shipped->calendar)
		fail_msg("%s: %s", name, error.text);
}

static void close_shipped(struct shipped *shipped)
{
	calendar_free(shipped->calendar);
	site_free(shipped->site);
	bundle_free(shipped->bundle);
	findings_free(&shipped->findings);
	support_rmtree(shipped->directory);
	free(shipped->directory);
}

static int64_t day_of(const char *text)
{
	struct date date;

	if (date_parse(span_of(text), &date))
		fail_msg("no date: %s", text);
	return date_days(date);
}

/* From Monday to Friday of these five years exactly the days of the list are free. */
static void assert_free(const char *name, const char *const *list)
{
	struct shipped shipped;

	open_shipped(&shipped, name);
	for (int64_t day = day_of("2024-01-01"); day <= day_of("2028-12-31"); day++) {
		bool weekend = date_weekday(day) == 0 || date_weekday(day) == 6, listed = *list && day_of(*list) == day;
		struct date date = date_of(day);

		if (calendar_works(shipped.calendar, day) == (weekend || listed))
			fail_msg("%s: %04d-%02d-%02d is %s", name, date.year, date.month, date.day,
				 weekend || listed ? "a working day" : "free");
		list += listed;
	}
	assert_null(*list);
	close_shipped(&shipped);
}

static void target_closes_on_the_days_that_the_ecb_says(void **state)
{
	static const char *const days[] = {
		"2024-01-01", "2024-03-29", "2024-04-01", "2024-05-01", "2024-12-25", "2024-12-26", "2025-01-01",
		"2025-04-18", "2025-04-21", "2025-05-01", "2025-12-25", "2025-12-26", "2026-01-01", "2026-04-03",
		"2026-04-06", "2026-05-01", "2026-12-25", "2027-01-01", "2027-03-26", "2027-03-29", "2028-04-14",
		"2028-04-17", "2028-05-01", "2028-12-25", "2028-12-26", NULL};

	assert_free("target2", days);
}

/* Juneteenth of 2027 and Christmas of 2027 are Saturdays, Independence Day of 2027 a Sunday; New Year 2028 goes back
 * into 2027. */
static void federal_holidays_of_the_united_states_are_observed_on_the_nearest_weekday(void **state)
{
	static const char *const days[] = {
		"2024-01-01", "2024-01-15", "2024-02-19", "2024-05-27", "2024-06-19", "2024-07-04", "2024-09-02",
		"2024-10-14", "2024-11-11", "2024-11-28", "2024-12-25", "2025-01-01", "2025-01-20", "2025-02-17",
		"2025-05-26", "2025-06-19", "2025-07-04", "2025-09-01", "2025-10-13", "2025-11-11", "2025-11-27",
		"2025-12-25", "2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03",
		"2026-09-07", "2026-10-12", "2026-11-11", "2026-11-26", "2026-12-25", "2027-01-01", "2027-01-18",
		"2027-02-15", "2027-05-31", "2027-06-18", "2027-07-05", "2027-09-06", "2027-10-11", "2027-11-11",
		"2027-11-25", "2027-12-24", "2027-12-31", "2028-01-17", "2028-02-21", "2028-05-29", "2028-06-19",
		"2028-07-04", "2028-09-04", "2028-10-09", "2028-11-10", "2028-11-23", "2028-12-25", NULL};

	assert_free("us-federal", days);
}

static void bank_holidays_of_england_have_substitute_days(void **state)
{
	static const char *const days[] = {
		"2024-01-01", "2024-03-29", "2024-04-01", "2024-05-06", "2024-05-27", "2024-08-26", "2024-12-25",
		"2024-12-26", "2025-01-01", "2025-04-18", "2025-04-21", "2025-05-05", "2025-05-26", "2025-08-25",
		"2025-12-25", "2025-12-26", "2026-01-01", "2026-04-03", "2026-04-06", "2026-05-04", "2026-05-25",
		"2026-08-31", "2026-12-25", "2026-12-28", "2027-01-01", "2027-03-26", "2027-03-29", "2027-05-03",
		"2027-05-31", "2027-08-30", "2027-12-27", "2027-12-28", "2028-01-03", "2028-04-14", "2028-04-17",
		"2028-05-01", "2028-05-29", "2028-08-28", "2028-12-25", "2028-12-26", NULL};
	struct shipped shipped;

	assert_free("uk-england", days);
	open_shipped(&shipped, "uk-england"); /* Christmas of 2022 is a Sunday: it waits behind Boxing Day */
	assert_false(calendar_works(shipped.calendar, day_of("2022-12-26")));
	assert_false(calendar_works(shipped.calendar, day_of("2022-12-27")));
	assert_true(calendar_works(shipped.calendar, day_of("2022-12-28")));
	close_shipped(&shipped);
}

static bool works(const struct calendar_spec *spec, const char *day)
{
	struct error error = {0};
	struct calendar *calendar = calendar_new(spec, &error);
	bool result;

	if (!calendar)
		fail_msg("%s", error.text);
	result = calendar_works(calendar, day_of(day));
	calendar_free(calendar);
	return result;
}

static void a_week_that_ends_otherwise_moves_holidays_to_its_own_days(void **state)
{
	static const char *week[] = {"sun", "mon", "tue", "wed", "thu"}, *holidays[] = {"12-25", "2026-10-03"};
	static const char *six[] = {"mon", "tue", "wed", "thu", "fri", "sat"}, *working[] = {"2026-12-24"};
	struct calendar_spec spec = {
		.days = {week, 5}, .holidays = {holidays, 2}, .observed = OBSERVED_NEAREST}; /* a Friday in 2026 */

	assert_false(works(&spec, "2026-12-24"));
	spec.working = (struct text_list){working, 1};
	assert_true(works(&spec, "2026-12-24"));
	spec.working.count = 0;
	spec.observed = OBSERVED_NEXT;
	assert_true(works(&spec, "2026-12-24"));
	assert_false(works(&spec, "2026-12-27"));
	assert_true(works(&spec, "2026-10-04")); /* one that is said with its year stays where it is */
	spec = (struct calendar_spec){.days = {six, 6}, .holidays = {holidays, 1}, .observed = OBSERVED_NEAREST};
	assert_true(works(&spec, "2022-12-24")); /* Saturday and Monday are as near */
	assert_false(works(&spec, "2022-12-26"));
	spec.observed = OBSERVED_NEVER;
	assert_true(works(&spec, "2022-12-26"));
}

static void what_is_no_day_of_a_month_is_refused(void **state)
{
	static const char *const bad[] = {"01-mon#5", "01-mon#0",    "13-mon#1", "00-monL",  "01-monl",
					  "01-mon",   "01-monday#1", "01-mon#",  "1-mon#1",  "01-xyz#1",
					  "01 mon#1", "monL",        "01-monLL", "01-mon#12"};
	static const char *item[1];
	struct calendar_spec spec = {.holidays = {item, 1}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct error error = {0};

		item[0] = bad[i];
		if (!calendar_check(&spec, &error))
			fail_msg("%s was taken", bad[i]);
		assert_string_equal(error.code, "calendar.date");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target_closes_on_the_days_that_the_ecb_says),
		cmocka_unit_test(federal_holidays_of_the_united_states_are_observed_on_the_nearest_weekday),
		cmocka_unit_test(bank_holidays_of_england_have_substitute_days),
		cmocka_unit_test(a_week_that_ends_otherwise_moves_holidays_to_its_own_days),
		cmocka_unit_test(what_is_no_day_of_a_month_is_refused),
	};

	return cmocka_run_group_tests_name("calendars", tests, NULL, NULL);
}
