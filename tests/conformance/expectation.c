/* What must happen by a time (operations/expectation.h), and events on their way, the same on both databases. */
#include "config.h"
#include "operations/expectation.h"
#include "tests/conformance/store_site.h"

#define T0 INT64_C(1700000000000)
#define HOUR (INT64_C(3600) * 1000)

static bool due;

static struct id member(uint64_t n)
{
	return id_of((struct span[]){span_make(&n, sizeof n)}, 1);
}

static void opened(struct site *site, const char *key, uint64_t n, int64_t now)
{
	struct id id = member(n);
	struct store_expectation open = {.name = "erp",
					 .flow = "orders",
					 .key = span_of(key),
					 .member = &id,
					 .label = key,
					 .message = "abcd",
					 .needed = 1,
					 .start = now - 1000,
					 .end = INT64_MAX,
					 .due = now + 2 * HOUR};

	due = false;
	BEGIN(site);
	assert_done(store_expect_open(site->store, &open, now, &due, done));
	COMMIT(site);
}

static void day(struct site *site, int64_t start, int64_t needed)
{
	struct id id = member((uint64_t)start);
	struct store_expectation open = {.name = "bank",
					 .flow = "bank",
					 .member = &id,
					 .label = "2026-11-23",
					 .message = "",
					 .needed = needed,
					 .start = start,
					 .end = start + 24 * HOUR,
					 .due = start + 8 * HOUR};

	BEGIN(site);
	assert_done(store_expect_open(site->store, &open, start, &due, done));
	COMMIT(site);
}

static void arrived(struct site *site, const char *name, const char *key, uint64_t n, int64_t at)
{
	struct id id = member(n);

	due = false;
	BEGIN(site);
	assert_done(store_expect_arrived(site->store, name, span_of(key), &id, at, &due, done));
	COMMIT(site);
}

static void judged(struct site *site, int64_t number, int64_t now)
{
	due = false;
	BEGIN(site);
	assert_done(store_expect_judge(site->store, number, SPAN_LITERAL("{\"owner\":\"finance\"}"), now, &due, done));
	COMMIT(site);
}

static int64_t number(struct site *site, const char *sql)
{
	return database_number(site->db, sql);
}

#define STATE(n) "SELECT state FROM expectations WHERE number = " #n
#define EVENTS(topic) "SELECT count(*) FROM events WHERE topic = '" topic "'"
#define COUNT(column) "SELECT " #column " FROM expectation_counts"

static void an_answer_in_time_meets_all_that_wait_for_its_key_and_no_other(void **state)
{
	struct site *site;

	site_up(state);
	site = *state;
	opened(site, "PO-1", 1, T0);
	assert_true(due);
	opened(site, "PO-1", 2, T0 + 1);
	assert_false(due); /* the steward waits for an earlier one */
	opened(site, "PO-2", 3, T0);
	opened(site, "PO-1", 1, T0 + 5); /* the same unit again */
	arrived(site, "erp", "PO-1", 10, T0 + HOUR);
	assert_int_equal(number(site, STATE(1)), EXPECTATION_MET);
	assert_int_equal(number(site, STATE(2)), EXPECTATION_MET);
	assert_int_equal(number(site, STATE(3)), EXPECTATION_OPEN);
	assert_int_equal(number(site, "SELECT count(*) FROM expectations"), 3);
	assert_int_equal(number(site, COUNT(met)), 2);
	assert_int_equal(number(site, COUNT(lag_ms)), -HOUR - 1);
	assert_int_equal(number(site, "SELECT count(*) FROM events"), 0);
	judged(site, 1, T0 + 3 * HOUR); /* too late: it is met */
	assert_int_equal(number(site, STATE(1)), EXPECTATION_MET);
	site_down(site);
}

static void an_answer_that_overtakes_the_question_counts_and_an_old_one_does_not(void **state)
{
	struct site *site;

	site_up(state);
	site = *state;
	arrived(site, "erp", "PO-1", 10, T0 - 500); /* behind the acceptance of the message */
	arrived(site, "erp", "PO-2", 11, T0 - 5000);
	opened(site, "PO-1", 1, T0);
	opened(site, "PO-2", 2, T0);
	assert_int_equal(number(site, STATE(1)), EXPECTATION_MET);
	assert_int_equal(number(site, STATE(2)), EXPECTATION_OPEN);
	site_down(site);
}

static void a_miss_is_told_once_and_its_late_answer_once(void **state)
{
	struct site *site;

	site_up(state);
	site = *state;
	opened(site, "PO-1", 1, T0);
	judged(site, 1, T0 + HOUR); /* it is not due */
	assert_int_equal(number(site, STATE(1)), EXPECTATION_OPEN);
	for (int i = 0; i < 2; i++)
		judged(site, 1, T0 + 2 * HOUR + i);
	assert_int_equal(number(site, STATE(1)), EXPECTATION_MISSED);
	assert_int_equal(number(site, EVENTS(EVENT_EXPECTATION_MISSED)), 1);
	assert_int_equal(number(site, COUNT(missed)), 1);
	for (int i = 0; i < 2; i++)
		arrived(site, "erp", "PO-1", 10, T0 + 3 * HOUR);
	assert_true(number(site, STATE(1)) == EXPECTATION_LATE);
	assert_int_equal(number(site, EVENTS(EVENT_EXPECTATION_MET)), 1);
	assert_int_equal(number(site, COUNT(late)), 1);
	assert_int_equal(number(site, COUNT(lag_ms)), HOUR);
	arrived(site, "erp", "PO-1", 11, T0 + 4 * HOUR);
	assert_int_equal(number(site, EVENTS(EVENT_EXPECTATION_MET)), 1);
	site_down(site);
}

static void what_came_late_is_late_though_nobody_had_looked(void **state)
{
	struct site *site;

	site_up(state);
	site = *state;
	opened(site, "PO-1", 1, T0);
	arrived(site, "erp", "PO-1", 10, T0 + 2 * HOUR + 1);
	assert_int_equal(number(site, STATE(1)), EXPECTATION_OPEN);
	judged(site, 1, T0 + 5 * HOUR);
	assert_true(due);
	assert_int_equal(number(site, STATE(1)), EXPECTATION_LATE);
	assert_int_equal(number(site, "SELECT number FROM events WHERE topic = '" EVENT_EXPECTATION_MISSED "'"), 1);
	assert_int_equal(number(site, "SELECT number FROM events WHERE topic = '" EVENT_EXPECTATION_MET "'"), 2);
	site_down(site);
}

static void a_day_counts_what_came_in_it_each_once(void **state)
{
	struct site *site;

	site_up(state);
	site = *state;
	arrived(site, "bank", "", 1, T0 + 1); /* before anybody opened the day */
	day(site, T0, 3);
	arrived(site, "bank", "", 2, T0 - 1); /* of the day before */
	arrived(site, "bank", "", 3, T0 + HOUR);
	arrived(site, "bank", "", 3, T0 + HOUR);
	assert_int_equal(number(site, "SELECT count FROM expectations"), 2);
	assert_int_equal(number(site, STATE(1)), EXPECTATION_OPEN);
	arrived(site, "bank", "", 4, T0 + 2 * HOUR);
	assert_int_equal(number(site, STATE(1)), EXPECTATION_MET);
	day(site, T0 + 24 * HOUR, 1);
	arrived(site, "bank", "", 5, T0 + 48 * HOUR); /* of the day behind it */
	judged(site, 2, T0 + 49 * HOUR);
	assert_int_equal(number(site, STATE(2)), EXPECTATION_MISSED);
	site_down(site);
}

static void a_person_closes_one_and_nothing_more_is_told_of_it(void **state)
{
	struct site *site;
	bool closed;

	site_up(state);
	site = *state;
	opened(site, "PO-1", 1, T0);
	BEGIN(site);
	assert_done(store_expect_close(site->store, 1, "holiday", T0, &closed, done));
	COMMIT(site);
	assert_true(closed);
	judged(site, 1, T0 + 3 * HOUR);
	arrived(site, "erp", "PO-1", 10, T0 + 4 * HOUR);
	assert_int_equal(number(site, STATE(1)), EXPECTATION_CLOSED);
	assert_int_equal(number(site, "SELECT count(*) FROM events"), 0);
	site_down(site);
}

static bool nothing(void *arg, const char *topic)
{
	return false;
}

static int gone(void *arg, const struct store_event *event)
{
	*(int64_t *)arg = event->number;
	return 1;
}

static void an_event_stays_until_it_is_told_and_one_that_nobody_wants_is_not_kept(void **state)
{
	struct store_event event = {
		.id = member(1), .topic = "a.v1", .subject = "s", .body = SPAN_LITERAL("{}"), .at = T0};
	struct site *site;
	int64_t first = 0;
	bool put = false, any;

	site_up(state);
	site = *state;
	BEGIN(site);
	assert_done(store_event_put(site->store, &event, &put, done));
	assert_true(put);
	put = false;
	assert_done(store_event_put(site->store, &event, &put, done)); /* the same */
	assert_false(put);
	event.id = member(2);
	store_events_wanted(site->store, nothing, NULL);
	assert_done(store_event_put(site->store, &event, &put, done));
	assert_false(put);
	COMMIT(site);
	assert_done(store_event_each(site->store, 10, gone, &first, done));
	assert_int_equal(first, 1);
	assert_done(store_events_wait(site->store, &any, done));
	assert_true(any);
	BEGIN(site);
	assert_done(store_event_gone(site->store, first, done));
	COMMIT(site);
	assert_done(store_events_wait(site->store, &any, done));
	assert_false(any);
	site_down(site);
}

static void what_is_over_goes_and_what_is_open_stays(void **state)
{
	struct store_retention retention = {.receipts_before = T0 + 100 * HOUR, .now = T0 + 200 * HOUR};
	struct site *site;
	bool more;

	site_up(state);
	site = *state;
	opened(site, "PO-1", 1, T0);
	opened(site, "PO-2", 2, T0);
	opened(site, "PO-3", 3, T0);
	arrived(site, "erp", "PO-1", 10, T0 + HOUR);
	judged(site, 2, T0 + 3 * HOUR);
	BEGIN(site);
	assert_done(store_expire(site->store, &retention, 100, &more, done));
	COMMIT(site);
	assert_int_equal(number(site, "SELECT count(*) FROM expectations"), 1);
	assert_int_equal(number(site, STATE(3)), EXPECTATION_OPEN);
	assert_int_equal(number(site, "SELECT count(*) FROM arrivals"), 0);
	site_down(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_in_time_meets_all_that_wait_for_its_key_and_no_other),
		cmocka_unit_test(an_answer_that_overtakes_the_question_counts_and_an_old_one_does_not),
		cmocka_unit_test(a_miss_is_told_once_and_its_late_answer_once),
		cmocka_unit_test(what_came_late_is_late_though_nobody_had_looked),
		cmocka_unit_test(a_day_counts_what_came_in_it_each_once),
		cmocka_unit_test(a_person_closes_one_and_nothing_more_is_told_of_it),
		cmocka_unit_test(an_event_stays_until_it_is_told_and_one_that_nobody_wants_is_not_kept),
		cmocka_unit_test(what_is_over_goes_and_what_is_open_stays),
	};

	return cmocka_run_group_tests_name("expectations on " TEST_DATABASE, tests, databases_up, databases_down);
}
