/* What the store keeps of effects, and whole units (operations/store.h), the same on both databases. */
#include "config.h"
#include "tests/conformance/store_site.h"

/* ---- effects */

static void an_effect_is_done_once(void **state)
{
	struct message *m = message_made(1);
	struct intention in;
	struct site *site;

	site_up(state);
	site = *state;
	clock_set(1000);
	alive_session = "one";
	in = intend(site, m, "one", "bytes");
	assert_int_equal(in.answer, INTENT_GO);
	assert_int_equal(in.attempts, 1);
	assert_int_equal(in.first_ms, 1000);
	outcome(site, m, OUTCOME_DELIVERED);
	clock_set(2000);
	in = intend(site, m, "two", "bytes");
	assert_int_equal(in.answer, INTENT_DONE);
	assert_true(in.same_request);
	assert_int_equal(in.first_ms, 1000);
	in = intend(site, m, "two", "other bytes");
	assert_int_equal(in.answer, INTENT_DONE);
	assert_false(in.same_request);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM effects WHERE state = 1 AND body IS NULL AND "
						   "envelope IS NULL AND done_ms = 1000"),
			 1);
	m->generation = 1; /* --again */
	in = intend(site, m, "one", "bytes");
	assert_int_equal(in.answer, INTENT_GO);
	message_free(m);
	site_down(site);
}

static void a_receipt_is_never_taken_back(void **state)
{
	struct message *m = message_made(1);
	struct site *site;

	site_up(state);
	site = *state;
	intend(site, m, "one", "bytes");
	outcome(site, m, OUTCOME_DELIVERED);
	outcome(site, m, OUTCOME_DELIVERED);
	outcome(site, m, OUTCOME_NOT_DONE);
	outcome(site, m, OUTCOME_UNCLEAR);
	outcome(site, m, OUTCOME_DOUBT);
	assert_int_equal(intend(site, m, "one", "bytes").answer, INTENT_DONE);
	message_free(m);
	m = message_made(2); /* one that needed no intent */
	outcome(site, m, OUTCOME_DELIVERED);
	assert_int_equal(intend(site, m, "one", "bytes").answer, INTENT_DONE);
	message_free(m);
	site_down(site);
}

static void what_was_certainly_not_done_is_tried_again_and_counted(void **state)
{
	struct message *m = message_made(1);
	struct intention in;
	struct site *site;

	site_up(state);
	site = *state;
	clock_set(1000);
	intend(site, m, "one", "bytes");
	outcome(site, m, OUTCOME_NOT_DONE);
	assert_int_equal(
		database_number(site->db, "SELECT count(*) FROM effects WHERE body IS NULL AND session IS NULL"), 1);
	clock_set(5000);
	in = intend(site, m, "two", "other bytes");
	assert_int_equal(in.answer, INTENT_GO);
	assert_true(in.same_request);
	assert_int_equal(in.attempts, 2);
	assert_int_equal(in.first_ms, 1000);
	outcome(site, m, OUTCOME_DELIVERED);
	assert_true(intend(site, m, "two", "other bytes").same_request);
	message_free(m);
	site_down(site);
}

static void a_live_session_keeps_its_intent_and_a_dead_one_leaves_doubt(void **state)
{
	struct message *m = message_made(1);
	struct intention in;
	struct site *site;

	site_up(state);
	site = *state;
	alive_session = "one";
	intend(site, m, "one", "bytes");
	assert_int_equal(intend(site, m, "two", "bytes").answer, INTENT_BUSY);
	alive_session = "two";
	in = intend(site, m, "two", "bytes");
	assert_int_equal(in.answer, INTENT_DOUBT);
	assert_true(in.same_request);
	assert_int_equal(in.attempts, 2);
	assert_int_equal(intend(site, m, "three", "bytes").answer, INTENT_BUSY);
	alive_session = "three";
	in = intend(site, m, "three", "changed bytes");
	assert_int_equal(in.answer, INTENT_DOUBT);
	assert_false(in.same_request);
	outcome(site, m, OUTCOME_NOT_DONE); /* found out */
	assert_int_equal(intend(site, m, "three", "bytes").answer, INTENT_GO);
	message_free(m);
	site_down(site);
}

static void a_session_that_gave_up_its_own_intent_is_told_of_its_doubt(void **state)
{
	struct message *m = message_made(1);
	struct intention in;
	struct site *site;

	site_up(state);
	site = *state;
	alive_session = "one";
	clock_set(1000);
	intend(site, m, "one", "bytes");
	clock_set(2000);
	in = intend(site, m, "one", "bytes"); /* a receipt could not be stored, and the delivery came again */
	assert_int_equal(in.answer, INTENT_DOUBT);
	assert_int_equal(in.first_ms, 1000);
	assert_int_equal(in.attempts, 2);
	assert_int_equal(intend(site, m, "two", "bytes").answer, INTENT_BUSY);
	message_free(m);
	site_down(site);
}

static void an_unclear_effect_is_doubt_for_the_next_at_once(void **state)
{
	struct message *m = message_made(1);
	struct site *site;

	site_up(state);
	site = *state;
	alive_session = "one";
	intend(site, m, "one", "bytes");
	outcome(site, m, OUTCOME_UNCLEAR);
	assert_int_equal(intend(site, m, "one", "bytes").answer, INTENT_DOUBT);
	message_free(m);
	m = message_made(2);
	outcome(site, m, OUTCOME_UNCLEAR); /* even without an intent */
	assert_int_equal(intend(site, m, "one", "bytes").answer, INTENT_DOUBT);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM effects WHERE state = 2"), 0);
	message_free(m);
	site_down(site);
}

static void a_doubt_waits_for_a_person_with_everything_kept(void **state)
{
	struct message *m = message_made(1);
	struct store_retention far = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
	struct site *site;
	bool more;

	site_up(state);
	site = *state;
	alive_session = "one";
	intend(site, m, "one", "bytes");
	outcome(site, m, OUTCOME_DOUBT);
	outcome(site, m, OUTCOME_DOUBT);
	outcome(site, m, OUTCOME_NOT_DONE); /* late: changes nothing */
	assert_int_equal(
		database_number(
			site->db,
			"SELECT count(*) FROM effects WHERE state = 2 AND body IS NOT NULL AND envelope IS NOT NULL"),
		1);
	assert_done(store_expire(site->store, &far, 100, &more, done));
	assert_int_equal(intend(site, m, "one", "bytes").answer, INTENT_DOUBT); /* a copy that comes may find out */
	assert_int_equal(intend(site, m, "two", "bytes").answer, INTENT_BUSY);
	assert_int_equal(pins_of(site), 2);
	outcome(site, m, OUTCOME_DELIVERED);
	assert_int_equal(pins_of(site), 0);
	message_free(m);
	site_down(site);
}

/* ---- retention */

static void ten_thousand_rows_expire_in_portions_and_nothing_open_does(void **state)
{
	struct store_retention retention = {
		.receipts_before = 5000, .dead_before = 5000, .revisions_before = 0, .now = 5000};
	struct message *open = message_made(100001), *doubtful = message_made(100002), *letter = message_made(100003);
	struct site *site;
	int rounds = 0;
	bool more = true;

	site_up(state);
	site = *state;
	clock_set(1000);
	BEGIN(site);
	for (uint64_t i = 0; i < 10000; i++) {
		struct id source = id_number("source", i), key = id_number("key", i);

		assert_done(store_seen_put(site->store, &source, &source, i < 9000 ? 4999 : 5001, 0, done));
		assert_done(store_effect(site->store, &key, OUTCOME_DELIVERED, open, "erp", SPAN_NONE, SPAN_NONE,
					 SPAN_NONE, i < 9500 ? 4999 : 5001, done));
	}
	COMMIT(site);
	alive_session = "one";
	intend(site, open, "one", "bytes");
	outcome(site, doubtful, OUTCOME_DOUBT);
	die(site, letter, "in.orders", "decode", "", "x12.broken", 100);
	die(site, letter, "in.orders", "decode", "1", "x12.broken", 100);
	assert_done(db_run(site->db, "UPDATE dead SET state = 2, closed_ms = 200 WHERE path = '1'", NULL, 0, NULL, NULL,
			   done));
	while (more) {
		BEGIN(site);
		assert_done(store_expire(site->store, &retention, 1000, &more, done));
		COMMIT(site);
		assert_true(++rounds < 20);
	}
	assert_in_range(rounds, 10, 11);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM seen"), 1000);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM effects"), 502);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM dead"), 1);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM dead_keys"), 1);
	message_free(open);
	message_free(doubtful);
	message_free(letter);
	site_down(site);
}

/* ---- units */

static void a_unit_that_is_rolled_back_leaves_nothing(void **state)
{
	struct message *m = message_made(1);
	struct id source = id_number("source", 1), key = id_number("key", 1);
	struct buf envelope = encoded(m);
	struct store_park p = {.queue = "out.erp", .message_id = id_span(&m->id), .envelope = buf_view(&envelope)};
	struct error why = {0};
	struct dead dead = {.message = m, .queue = "in.orders", .step = "decode", .why = &why};
	struct site *site;
	enum seen seen;

	site_up(state);
	site = *state;
	error_set(&why, ERROR_REJECT, "x12.broken", "broken");
	BEGIN(site);
	assert_done(store_seen_put(site->store, &source, &m->id, 1000, 0, done));
	assert_done(
		store_effect(site->store, &key, OUTCOME_DELIVERED, m, "erp", SPAN_NONE, SPAN_NONE, SPAN_NONE, 1, done));
	assert_done(store_park_put(site->store, &p, 1, done));
	assert_done(store_dead_put(site->store, &dead, buf_view(&envelope), SPAN_NONE, 1, done));
	site->db->ops->rollback(site->db->self);
	assert_done(store_seen_find(site->store, &source, 1, 0, &seen, NULL, done));
	assert_int_equal(seen, SEEN_NEW);
	assert_int_equal(dead_open(site), 0);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM parks"), 0);
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM effects"), 0);
	buf_free(&envelope);
	message_free(m);
	site_down(site);
}

static void a_connection_lost_in_a_unit_is_found_out_and_the_unit_done_again(void **state)
{
	struct message *m = message_made(1);
	struct error error = {0};
	struct site *site, *other;
	char kill_it[100];

	site_up(state);
	site = *state;
	other = mem_alloc(sizeof *other);
	other->db = database_open(TEST_DATABASE, "lost");
	alive_session = "one";
	intend(site, m, "one", "bytes");
	snprintf(kill_it, sizeof kill_it, "SELECT pg_terminate_backend(%d)",
		 (int)database_number(site->db, "SELECT pg_backend_pid()"));
	BEGIN(site);
	assert_done(store_effect(site->store, &m->id, OUTCOME_DELIVERED, m, "erp", SPAN_NONE, SPAN_NONE, SPAN_NONE, 1,
				 done));
	database_number(other->db, kill_it);
	assert_int_equal(site->db->ops->commit(site->db->self, &error), -1);
	assert_string_equal(error.code, "db.gone");
	assert_false(site->db->ops->alive(site->db->self));
	site->db->ops->rollback(site->db->self);
	site->db->ops->close(site->db->self);
	{
		char name[32];

		snprintf(name, sizeof name, "store_%u", sites);
		assert_done(database_try(TEST_DATABASE, name, site->db, done));
	}
	assert_int_equal(database_number(site->db, "SELECT count(*) FROM effects WHERE state = 1"), 0);
	assert_int_equal(intend(site, m, "two", "bytes").answer, INTENT_BUSY);
	outcome(site, m, OUTCOME_DELIVERED);
	assert_int_equal(intend(site, m, "two", "bytes").answer, INTENT_DONE);
	message_free(m);
	database_close(other->db);
	free(other);
	site_down(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_effect_is_done_once),
		cmocka_unit_test(a_receipt_is_never_taken_back),
		cmocka_unit_test(what_was_certainly_not_done_is_tried_again_and_counted),
		cmocka_unit_test(a_live_session_keeps_its_intent_and_a_dead_one_leaves_doubt),
		cmocka_unit_test(a_session_that_gave_up_its_own_intent_is_told_of_its_doubt),
		cmocka_unit_test(an_unclear_effect_is_doubt_for_the_next_at_once),
		cmocka_unit_test(a_doubt_waits_for_a_person_with_everything_kept),
		cmocka_unit_test(ten_thousand_rows_expire_in_portions_and_nothing_open_does),
		cmocka_unit_test(a_unit_that_is_rolled_back_leaves_nothing),
		cmocka_unit_test(a_connection_lost_in_a_unit_is_found_out_and_the_unit_done_again),
	};

	size_t n = sizeof tests / sizeof *tests;

	return _cmocka_run_group_tests("effects on " TEST_DATABASE, tests,
				       TEST_IS_POSTGRESQL ? n : n - 1 /* a file has no connection to lose */,
				       databases_up, databases_down);
}
