/* What the store keeps but effects (operations/store.h), the same on both databases. */
#include "config.h"
#include "tests/conformance/store_site.h"

/* ---- opening */

static void a_store_opens_again_and_refuses_a_newer_one(void **state)
{
	struct site *site;
	struct error error = {0};

	site_up(state);
	site = *state;
	store_close(site->store);
	site->store = store_open(site->db, done);
	assert_non_null(site->store);
	store_close(site->store);
	assert_done(db_run(site->db, "UPDATE schema_version SET version = 99 WHERE part = 'store'", NULL, 0, NULL, NULL,
			   done));
	site->store = store_open(site->db, &error);
	assert_null(site->store);
	assert_string_equal(error.code, "store.newer");
	assert_non_null(strstr(error.text, "99"));
	site_down(site);
}

/* ---- seen */

static void what_was_seen_is_found_and_the_first_message_stays(void **state)
{
	struct site *site;
	struct id sources[40], messages[40], other = id_number("other", 0);
	enum seen seen[40];

	site_up(state);
	site = *state;
	for (uint64_t i = 0; i < 40; i++)
		sources[i] = id_number("source", i);
	BEGIN(site);
	for (uint64_t i = 0; i < 40; i += 2) {
		struct id message = id_number("message", i);

		assert_done(store_seen_put(site->store, &sources[i], &message, 1000, 0, done));
		assert_done(store_seen_put(site->store, &sources[i], &other, 2000, 0, done));
	}
	COMMIT(site);
	assert_done(store_seen_find(site->store, sources, 40, 0, seen, messages, done));
	for (uint64_t i = 0; i < 40; i++) {
		struct id message = id_number("message", i);

		assert_int_equal(seen[i], i % 2 ? SEEN_NEW : SEEN_BEFORE);
		assert_true(i % 2 || id_equal(&messages[i], &message));
	}
	assert_done(store_seen_find(site->store, sources, 3, 0, seen, NULL, done));
	assert_done(store_seen_find(site->store, sources, 0, 0, NULL, NULL, done));
	site_down(site);
}

static void what_is_past_its_time_is_new_again(void **state)
{
	struct id source = id_number("source", 1), first = id_number("message", 1), second = id_number("message", 2),
		found;
	struct site *site;
	enum seen seen;

	site_up(state);
	site = *state;
	BEGIN(site);
	assert_done(store_seen_put(site->store, &source, &first, 1000, 0, done));
	COMMIT(site);
	assert_done(store_seen_find(site->store, &source, 1, 1000, &seen, NULL, done));
	assert_int_equal(seen, SEEN_BEFORE);
	assert_done(store_seen_find(site->store, &source, 1, 1001, &seen, NULL, done));
	assert_int_equal(seen, SEEN_NEW);
	BEGIN(site);
	assert_done(store_seen_put(site->store, &source, &second, 3000, 1001, done));
	COMMIT(site);
	assert_done(store_seen_find(site->store, &source, 1, 1001, &seen, &found, done));
	assert_int_equal(seen, SEEN_BEFORE);
	assert_true(id_equal(&found, &second));
	site_down(site);
}

/* ---- parks */

struct parked {
	size_t n;
	int64_t numbers[64];
	char names[64][16];
	struct error why;
};

static int take_park(void *arg, const struct store_park *park)
{
	struct parked *p = arg;

	p->numbers[p->n] = park->number;
	snprintf(p->names[p->n], sizeof p->names[0], "%.*s", SPAN_ARGS(park->body));
	if (park->why)
		p->why = *park->why;
	p->n++;
	return 0;
}

static void park(struct site *site, const char *queue, uint64_t order_key, int64_t due, const char *name, bool failed)
{
	struct message *m = message_made(7);
	struct buf envelope = encoded(m);
	struct error why = {0};
	struct store_park p = {.queue = queue,
			       .due = due,
			       .order_key = order_key,
			       .message_id = id_span(&m->id),
			       .envelope = buf_view(&envelope),
			       .body = span_of(name),
			       .why = failed ? &why : NULL};

	error_set(&why, ERROR_RETRY, "http.status", "the target answered 503");
	why.scope = SCOPE_ENDPOINT;
	BEGIN(site);
	assert_done(store_park_put(site->store, &p, 1, done));
	COMMIT(site);
	buf_free(&envelope);
	message_free(m);
}

static struct parked due(struct site *site, int64_t now, size_t limit)
{
	struct parked p = {0};

	assert_done(store_park_due(site->store, now, limit, take_park, &p, done));
	return p;
}

static void parks_come_due_oldest_first(void **state)
{
	struct parked p;
	struct site *site;
	int64_t next;
	bool gone;

	site_up(state);
	site = *state;
	assert_done(store_park_next(site->store, &next, done));
	assert_true(next == INT64_MAX);
	park(site, "out.erp", 0, 300, "c", true);
	park(site, "out.erp", 0, 100, "a", true);
	park(site, "out.crm", 0, 200, "b", false);
	assert_int_equal(due(site, 99, 10).n, 0);
	p = due(site, 250, 10);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.names[0], "a");
	assert_string_equal(p.names[1], "b");
	assert_string_equal(p.why.code, "http.status");
	assert_string_equal(p.why.text, "the target answered 503");
	assert_int_equal(p.why.class, ERROR_RETRY);
	assert_int_equal(p.why.scope, SCOPE_ENDPOINT);
	assert_int_equal(due(site, 1000, 1).n, 1);
	assert_done(store_park_next(site->store, &next, done));
	assert_true(next == 100);
	assert_done(store_park_delete(site->store, p.numbers[0], &gone, done));
	assert_true(gone);
	assert_done(store_park_delete(site->store, p.numbers[0], &gone, done));
	assert_false(gone);
	assert_done(store_park_next(site->store, &next, done));
	assert_true(next == 200);
	assert_true(pins_of(site) == 2);
	site_down(site);
}

static void of_one_order_key_only_the_first_is_due_and_what_failed_stays_in_front(void **state)
{
	const uint64_t key = 0xfedcba9876543210u; /* does not fit a signed integer */
	struct parked p;
	struct site *site;
	bool gone;

	site_up(state);
	site = *state;
	park(site, "out.erp", key, 500, "A", true);
	park(site, "out.erp", key, 0, "B", false);
	park(site, "out.erp", key, 0, "C", false);
	park(site, "out.crm", key, 0, "other queue", false);
	park(site, "out.erp", 5, 0, "other key", false);
	p = due(site, 499, 10);
	assert_int_equal(p.n, 2);
	p = due(site, 500, 10);
	assert_int_equal(p.n, 3);
	assert_string_equal(p.names[2], "A");
	assert_done(store_park_delete(site->store, p.numbers[2], &gone, done)); /* published … */
	park(site, "out.erp", key, 900, "A again", true);                       /* … and failed once more */
	p = due(site, 899, 10);
	assert_int_equal(p.n, 2);
	p = due(site, 900, 10);
	assert_int_equal(p.n, 3);
	assert_string_equal(p.names[2], "A again");
	assert_done(store_park_delete(site->store, p.numbers[2], &gone, done));
	p = due(site, 900, 10);
	assert_string_equal(p.names[0], "B");
	site_down(site);
}

static int take_key(void *arg, const char *queue, uint64_t order_key, uint64_t count)
{
	snprintf(arg, 64, "%s %llu %llu", queue, (unsigned long long)order_key, (unsigned long long)count);
	return 0;
}

static void a_held_order_key_waits_until_it_is_released(void **state)
{
	struct parked p;
	struct site *site;
	char text[64] = "";
	int64_t next;

	site_up(state);
	site = *state;
	park(site, "out.erp", 9, INT64_MAX, "A", true);
	park(site, "out.erp", 9, INT64_MAX, "B", false);
	assert_int_equal(due(site, INT64_MAX - 1, 10).n, 0);
	assert_done(store_park_next(site->store, &next, done));
	assert_true(next == INT64_MAX);
	assert_done(store_park_keys(site->store, take_key, text, done));
	assert_string_equal(text, "out.erp 9 2");
	BEGIN(site);
	assert_done(store_park_release(site->store, "out.erp", 8, 50, done));
	assert_done(store_park_release(site->store, "out.crm", 9, 50, done));
	COMMIT(site);
	assert_int_equal(due(site, 100, 10).n, 0);
	assert_done(store_park_release(site->store, "out.erp", 9, 50, done));
	p = due(site, 50, 10);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.names[0], "A");
	site_down(site);
}

static bool is_sqlite(const struct site *site)
{
	return !strcmp(site->db->ops->name, "sqlite");
}

static int take_plan(void *arg, const struct value *row, size_t columns)
{
	struct buf *text = arg;

	buf_span(text, row[columns - 1].bytes);
	buf_span(text, SPAN_LITERAL("\n"));
	return 0;
}

static const char many_parks[] = /* 20,000 behind 5 keys, each with one that is ahead of them */
	"WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)"
	" INSERT INTO parks (queue, due, order_key, place, head, message, at_ms, class, scope, envelope, body)"
	" SELECT 'out.erp', 10 + i, 1 + i % 5, i / 5, CASE WHEN i < 5 THEN 1 ELSE 0 END, p.message, 1, 0, 0,"
	" p.envelope, p.body FROM n, parks p WHERE p.queue = 'model'";

/* However many wait behind few keys: what may go is found by what is first of a key, not by looking at all. */
static void many_parks_behind_few_keys_are_not_looked_at(void **state)
{
	struct parked p;
	struct site *site;
	int64_t next;
	bool gone;

	site_up(state);
	site = *state;
	park(site, "model", 0, INT64_MAX, "x", false);
	assert_done(db_run(site->db, many_parks, NULL, 0, NULL, NULL, done));
	if (is_sqlite(site)) {
		struct buf text;

		buf_init(&text, 10000);
		assert_done(db_run(site->db,
				   "EXPLAIN QUERY PLAN SELECT due FROM parks WHERE head = 1 AND due <= 5 ORDER BY due, "
				   "number LIMIT 1",
				   NULL, 0, take_plan, &text, done));
		buf_u8(&text, 0);
		assert_non_null(strstr(text.data, "parks_due"));
		assert_null(strstr(text.data, "SCAN"));
		assert_null(strstr(text.data, "TEMP B-TREE"));
		buf_free(&text);
	}
	for (int i = 0; i < 500; i++) {
		p = due(site, 1000000, 64);
		assert_int_equal(p.n, 5);
		assert_done(store_park_next(site->store, &next, done));
		assert_true(next == 10 + i);
		BEGIN(site);
		assert_done(store_park_delete(site->store, p.numbers[0], &gone, done));
		COMMIT(site);
		assert_true(gone);
	}
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM parks WHERE head = 1 AND order_key <> 0"), 5);
	site_down(site);
}

/* ---- dead letters */

static void the_same_death_is_one_letter(void **state)
{
	struct message *m = message_made(1);
	struct site *site;

	site_up(state);
	site = *state;
	die(site, m, "in.orders", "map:a.jq", "", "map.failed", 100);
	die(site, m, "in.orders", "map:a.jq", "", "map.slow", 200);
	assert_int_equal(dead_open(site), 1);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM dead WHERE code = 'map.slow' AND at_ms = 200 "
						   "AND first_ms = 100 AND deaths = 2 AND flow = 'orders'"),
			 1);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM dead_keys"), 1);
	die(site, m, "in.orders", "map:a.jq", "3", "map.failed", 300);
	die(site, m, "in.orders", "validate", "", "contract.required", 300);
	assert_int_equal(dead_open(site), 3);
	assert_done(db_run(site->db, "UPDATE dead SET state = 1, closed_ms = 400", NULL, 0, NULL, NULL, done));
	assert_int_equal(dead_open(site), 0);
	die(site, m, "in.orders", "validate", "", "contract.required", 500); /* its replay died too */
	assert_int_equal(dead_open(site), 1);
	assert_int_equal(pins_of(site), 2);
	message_free(m);
	site_down(site);
}

static void a_duplicate_of_what_died_is_told_from_one_that_lived(void **state)
{
	struct message *m = message_made(1);
	struct id source = id_number("source", 1), message;
	struct site *site;
	enum seen seen;

	site_up(state);
	site = *state;
	assert_done(store_seen_put(site->store, &source, &m->id, 1000, 0, done));
	die(site, m, "in.orders", "decode", "3", "x12.broken", 100);
	assert_done(store_seen_find(site->store, &source, 1, 0, &seen, &message, done));
	assert_int_equal(seen, SEEN_DIED);
	assert_true(id_equal(&message, &m->id));
	assert_done(db_run(site->db, "UPDATE dead SET state = 1, closed_ms = 1", NULL, 0, NULL, NULL, done));
	assert_done(store_seen_find(site->store, &source, 1, 0, &seen, &message, done));
	assert_int_equal(seen, SEEN_BEFORE);
	message_free(m);
	site_down(site);
}

static int take_hold(void *arg, const char *queue, uint64_t order_key)
{
	char *text = arg;
	size_t used = strlen(text);

	snprintf(text + used, 128 - used, "%s %llu;", queue, (unsigned long long)order_key);
	return 0;
}

static void an_open_letter_holds_its_order_key(void **state)
{
	struct message *m = message_made(1), *other = message_made(2);
	struct site *site;
	char text[128] = "";

	site_up(state);
	site = *state;
	message_order(m, SPAN_LITERAL("orders-to-erp"), UINT64_MAX);
	die(site, m, "out.erp", "deliver", "", "http.refused", 100);
	die(site, other, "out.erp", "deliver", "", "http.refused", 100);
	assert_done(store_dead_holds(site->store, take_hold, text, done));
	assert_string_equal(text, "out.erp 18446744073709551615;");
	assert_done(db_run(site->db, "UPDATE dead SET state = 2, closed_ms = 1", NULL, 0, NULL, NULL, done));
	text[0] = '\0';
	assert_done(store_dead_holds(site->store, take_hold, text, done));
	assert_string_equal(text, "");
	message_free(m);
	message_free(other);
	site_down(site);
}

/* ---- holds and revisions */

static int take_holding(void *arg, const struct store_hold *hold)
{
	snprintf(arg, 128, "%s until %lld since %lld: %s (%s)", hold->name, (long long)hold->until,
		 (long long)hold->since, hold->reason, hold->by);
	return 0;
}

static void holds_last_until_their_time(void **state)
{
	struct store_hold hold = {"erp", 500, 100, "upgrade", "anna"}, again = {"erp", 900, 200, "longer", "bob"};
	struct site *site;
	char text[128] = "";
	bool held;

	site_up(state);
	site = *state;
	assert_done(store_hold_set(site->store, &hold, done));
	assert_done(store_hold_each(site->store, 499, take_holding, text, done));
	assert_string_equal(text, "erp until 500 since 100: upgrade (anna)");
	text[0] = '\0';
	assert_done(store_hold_each(site->store, 500, take_holding, text, done));
	assert_string_equal(text, "");
	assert_done(store_hold_set(site->store, &again, done));
	assert_done(store_hold_each(site->store, 500, take_holding, text, done));
	assert_string_equal(text, "erp until 900 since 100: longer (bob)");
	assert_done(store_hold_release(site->store, "erp", &held, done));
	assert_true(held);
	assert_done(store_hold_release(site->store, "erp", &held, done));
	assert_false(held);
	site_down(site);
}

static void a_revision_counts_from_the_end_of_its_use(void **state)
{
	struct store_retention retention = {1, 1, 900000, 1};
	struct error error = {0};
	struct site *site;
	struct buf ref;
	bool more;

	site_up(state);
	site = *state;
	buf_init(&ref, 1000);
	assert_done(store_revision_put(site->store, "aa11", "f:1:10", 100, done));
	assert_done(store_revision_put(site->store, "bb22", "f:2:10", 1000000, done)); /* a reload, long after */
	assert_done(store_expire(site->store, &retention, 100, &more, done));
	assert_done(store_revision_find(site->store, "aa11", &ref, done)); /* what it accepted just now still waits */
	assert_done(store_revision_put(site->store, "bb22", "f:2:10", 2000000, done)); /* a restart */
	retention.revisions_before = 1900000;
	assert_done(store_expire(site->store, &retention, 100, &more, done));
	assert_int_equal(store_revision_find(site->store, "aa11", &ref, &error), -1);
	assert_done(store_revision_find(site->store, "bb22", &ref, done));
	buf_free(&ref);
	site_down(site);
}

static void revisions_are_found_and_kept_while_something_runs_under_them(void **state)
{
	struct store_retention retention = {1, 1, 1000, 2000};
	struct message *m = message_made(1); /* under aa11 */
	struct error error = {0};
	struct site *site;
	struct buf ref;
	bool more;

	site_up(state);
	site = *state;
	buf_init(&ref, 1000);
	assert_done(store_revision_put(site->store, "aa11", "f:1:10", 100, done));
	assert_done(store_revision_put(site->store, "bb22", "f:2:10", 200, done));
	assert_done(store_revision_put(site->store, "cc33", "f:3:10", 300, done));
	assert_done(store_revision_find(site->store, "bb22", &ref, done));
	assert_true(span_is(buf_view(&ref), "f:2:10"));
	die(site, m, "in.orders", "decode", "", "x12.broken", 100);
	assert_int_equal(pins_of(site), 5);
	assert_done(store_expire(site->store, &retention, 100, &more, done));
	assert_done(store_revision_find(site->store, "aa11", &ref, done));
	assert_done(store_revision_find(site->store, "cc33", &ref, done)); /* the newest */
	assert_int_equal(store_revision_find(site->store, "bb22", &ref, &error), -1);
	assert_string_equal(error.code, "revision.unknown");
	assert_int_equal(error.class, ERROR_REJECT);
	/* the newest is the last that was put, also when the clock was put back in between */
	assert_done(store_revision_put(site->store, "dd44", "f:4:10", 250, done));
	assert_done(store_expire(site->store, &retention, 100, &more, done));
	assert_done(store_revision_find(site->store, "dd44", &ref, done));
	buf_free(&ref);
	message_free(m);
	site_down(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_opens_again_and_refuses_a_newer_one),
		cmocka_unit_test(what_was_seen_is_found_and_the_first_message_stays),
		cmocka_unit_test(what_is_past_its_time_is_new_again),
		cmocka_unit_test(parks_come_due_oldest_first),
		cmocka_unit_test(many_parks_behind_few_keys_are_not_looked_at),
		cmocka_unit_test(of_one_order_key_only_the_first_is_due_and_what_failed_stays_in_front),
		cmocka_unit_test(a_held_order_key_waits_until_it_is_released),
		cmocka_unit_test(the_same_death_is_one_letter),
		cmocka_unit_test(a_duplicate_of_what_died_is_told_from_one_that_lived),
		cmocka_unit_test(an_open_letter_holds_its_order_key),
		cmocka_unit_test(holds_last_until_their_time),
		cmocka_unit_test(a_revision_counts_from_the_end_of_its_use),
		cmocka_unit_test(revisions_are_found_and_kept_while_something_runs_under_them),
	};

	return cmocka_run_group_tests_name("store on " TEST_DATABASE, tests, databases_up, databases_down);
}
