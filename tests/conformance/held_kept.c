/* What is kept of messages that wait in durable steps, for how long, and how what waits is found among it. */
#include "config.h"
#include "operations/store_private.h"
#include "tests/conformance/held_site.h"

/* ---- retention */
static void what_waits_is_pinned_and_does_not_expire_what_is_gone_does(void **state)
{
	struct store_retention all = {
		.receipts_before = T0 + 100000, .dead_before = T0, .revisions_before = T0, .now = T0};
	struct hold hold = by_count("a", 2), number_one = by_number(1, HOLD_WAIT);
	struct site *site;
	bool more;

	site_up(state);
	site = *state;
	put(site, 1, "1", &hold, T0);
	gap(site, "forgotten", 1, GAP_DEAD);
	assert_int_equal(pins_of(site), 2); /* its original and its body */
	BEGIN(site);
	assert_done(store_expire(site->store, &all, 100, &more, done));
	COMMIT(site);
	assert_int_equal(number(site, "SELECT count(*) FROM held"), 1);
	assert_int_equal(number(site, "SELECT count(*) FROM collections"), 1); /* one that only had a gap has gone */
	put(site, 2, "2", &hold, T0);
	finish(site, 1);
	assert_int_equal(pins_of(site), 0);
	put(site, 5, "5", &number_one, T0);
	released(site, 1, 2);
	BEGIN(site);
	assert_done(store_expire(site->store, &all, 100, &more, done));
	COMMIT(site);
	assert_int_equal(number(site, "SELECT count(*) FROM held"), 0);
	assert_int_equal(number(site, "SELECT count(*) FROM collections"), 1); /* the sequence knows its next number */
	site_down(site);
}

/* A dead part of a group that is open for longer than receipts are kept: sent anew, it takes the place of its gap. */
static void the_gaps_of_an_open_group_do_not_expire(void **state)
{
	struct store_retention all = {
		.receipts_before = T0 + 100000, .dead_before = T0, .revisions_before = T0, .now = T0};
	struct hold one = by_group("g", 1, 3), two = by_group("g", 2, 3), three = by_group("g", 3, 3);
	struct site *site;
	bool more;

	site_up(state);
	site = *state;
	put(site, 1, "1", &one, T0);
	gap(site, "g", 2, GAP_DEAD);
	BEGIN(site);
	assert_done(store_expire(site->store, &all, 100, &more, done));
	COMMIT(site);
	put(site, 2, "2", &two, T0 + 200000);
	assert_int_equal(number(site, COLLECTIONS(0)), 1); /* the third is still missing */
	assert_int_equal(number(site, ONE(dead, "number = 1")), 0);
	put(site, 3, "3", &three, T0 + 200000);
	assert_int_equal(number(site, COLLECTIONS(1)), 1);
	finish(site, 1);
	BEGIN(site);
	assert_done(store_expire(site->store, &all, 100, &more, done));
	COMMIT(site);
	assert_int_equal(number(site, "SELECT count(*) FROM held"), 0);
	site_down(site);
}

/* A message that waited for longer than revisions are kept goes on, and is in a queue under its old revision. */
static void the_revision_of_what_went_on_stays_as_if_it_had_come_now(void **state)
{
	struct store_retention then = {.revisions_before = T0 + 900000, .now = T0},
			       later = {.revisions_before = T0 + 2000000, .now = T0};
	struct hold first = by_number(1, HOLD_WAIT);
	struct site *site;
	bool more;

	site_up(state);
	site = *state;
	BEGIN(site);
	assert_done(store_revision_put(site->store, "aa11", "r:1", T0, done)); /* message_made's */
	assert_done(store_revision_put(site->store, "bb22", "r:2", T0 + 1, done));
	COMMIT(site);
	put(site, 1, "1", &first, T0);
	BEGIN(site);
	assert_done(store_expire(site->store, &then, 100, &more, done));
	COMMIT(site);
	assert_int_equal(number(site, "SELECT count(*) FROM revisions"), 2);
	now_ms = T0 + 1000000;
	released(site, 1, 2);
	now_ms = T0;
	BEGIN(site);
	assert_done(store_expire(site->store, &then, 100, &more, done));
	COMMIT(site);
	assert_int_equal(number(site, "SELECT count(*) FROM revisions"), 2);
	BEGIN(site);
	assert_done(store_expire(site->store, &later, 100, &more, done));
	COMMIT(site);
	assert_int_equal(number(site, "SELECT count(*) FROM revisions"), 1);
	site_down(site);
}

/* ---- the plans of what people ask for */
static bool a_scan;

static int look_for_a_scan(void *arg, const struct value *row, size_t columns)
{
	struct span text = row[TEST_IS_POSTGRESQL ? 0 : 3].bytes;
	char *line = mem_span_dup(text);

	a_scan = a_scan || strstr(line, "Seq Scan on collections") || !strncmp(line, "SCAN collections", 16);
	free(line);
	return 0;
}

static void no_scan(struct site *site, const char *explain)
{
	a_scan = false;
	assert_done(db_run(site->db, explain, NULL, 0, look_for_a_scan, NULL, done));
	if (a_scan)
		fail_msg("it looks at all collections: %s", explain);
}

#define plan_of(site, query) no_scan(site, TEST_IS_POSTGRESQL ? "EXPLAIN " query : "EXPLAIN QUERY PLAN " query)

#define MANY(key)                                                                                                      \
	"INSERT INTO collections (queue, key, generation, state, kind, policy, flow, step, label, due, members,"       \
	" bytes, filled, dead, dropped, size, count_max, bytes_max, within_ms, next, first_ms, last_ms, closed_ms)"    \
	" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"                             \
	" SELECT '" QUEUE "', " key ", 1, 3, 1, 0, 'f', 's', 'l', 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, i FROM n"

static void what_waits_is_found_among_many_that_have_closed(void **state)
{
	struct hold hold = by_count("a", 2), first = by_number(1, HOLD_WAIT);
	const char *many = TEST_IS_POSTGRESQL ? MANY("CAST(CAST(i AS TEXT) AS BYTEA)") : MANY("CAST(i AS BLOB)");
	struct site *site;
	bool any;

	site_up(state);
	site = *state;
	BEGIN(site);
	assert_done(db_run(site->db, many, NULL, 0, NULL, NULL, done));
	COMMIT(site);
	put(site, 1, "1", &hold, T0);
	put(site, 2, "2", &first, T0);
	assert_int_equal(number(site, "SELECT count(*) FROM collections WHERE " STORE_WAITING), 2);
	released(site, 1, 2);
	assert_int_equal(number(site, "SELECT count(*) FROM collections WHERE " STORE_WAITING), 1);
	assert_done(store_held_before(site->store, QUEUE, &any, done));
	assert_true(any);
	if (TEST_IS_POSTGRESQL)
		assert_done(db_run(site->db, "ANALYZE collections", NULL, 0, NULL, NULL, done));
	plan_of(site, "SELECT number FROM collections WHERE " STORE_WAITING
		      " AND (flow = 'f' OR 'f' = '') ORDER BY first_ms, number LIMIT 10");
	plan_of(site, "SELECT MIN(queue), count(*) FROM collections WHERE " STORE_WAITING " GROUP BY queue || '' "
		      "ORDER BY 1");
	plan_of(site, "SELECT count(*) FROM collections WHERE " STORE_WAITING
		      " AND queue || '' = '" QUEUE "' AND state IN (0, 1)");
	plan_of(site, "SELECT MIN(queue), count(*) FROM collections WHERE " STORE_WAITING
		      " AND kind = 2 AND due + 0 = 7 GROUP BY queue || '' ORDER BY 1");
	plan_of(site, "SELECT SUM(members) FROM collections WHERE " STORE_WAITING " AND state = 0");
	plan_of(site, "SELECT (SELECT count(*) FROM collections WHERE state IN (1, 2))"
		      " + (SELECT count(*) FROM collections WHERE state = 0 AND due <= 7)");
	site_down(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_is_pinned_and_does_not_expire_what_is_gone_does),
		cmocka_unit_test(the_gaps_of_an_open_group_do_not_expire),
		cmocka_unit_test(the_revision_of_what_went_on_stays_as_if_it_had_come_now),
		cmocka_unit_test(what_waits_is_found_among_many_that_have_closed),
	};

	return cmocka_run_group_tests_name("what is kept of durable steps on " TEST_DATABASE, tests, databases_up,
					   databases_down);
}
