/* Messages that wait in durable steps (operations/held.h), the same on both databases. */
#include "config.h"
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/held_site.h"

/* ---- collect */
static void the_same_message_twice_is_one_also_when_its_collection_has_closed(void **state)
{
	struct hold hold = by_count("a", 2);
	struct message *again = message_made(1);
	struct site *site;

	site_up(state);
	site = *state;
	assert_int_equal(put(site, 1, "1", &hold, T0), HELD_KEPT);
	assert_int_equal(put(site, 1, "1", &hold, T0), HELD_AGAIN);
	assert_int_equal(number(site, ONE(members, "number = 1")), 1);
	assert_int_equal(put(site, 2, "2", &hold, T0), HELD_KEPT);
	finish(site, 1);
	assert_int_equal(number(site, COLLECTIONS(3)), 1);
	assert_int_equal(number(site, MEMBERS("1 = 1")), 0);
	assert_int_equal(put(site, 2, "2", &hold, T0), HELD_AGAIN);
	assert_int_equal(number(site, COLLECTIONS(0)), 0);
	assert_int_equal(put(site, 2, "other", &hold, T0), HELD_REFUSED);
	assert_string_equal(why.code, "identity.conflict");
	again->flags = MESSAGE_REPLAY; /* whatever its bytes are now */
	put_one(site, again, "other", &hold, T0);
	assert_int_equal(came, HELD_AGAIN);
	again->generation = 1; /* anew */
	put_one(site, again, "other", &hold, T0);
	assert_int_equal(came, HELD_KEPT);
	message_free(again);
	site_down(site);
}

static void a_count_closes_with_exactly_so_many_and_the_next_opens_another(void **state)
{
	struct hold a = by_count("a", 3), b = by_count("b", 3);
	struct site *site;

	site_up(state);
	site = *state;
	for (uint64_t i = 1; i <= 7; i++) {
		put(site, i, "{}", &a, T0);
		assert_int_equal(due, i % 3 == 0);
	}
	put(site, 100, "{}", &b, T0);
	assert_int_equal(number(site, COLLECTIONS(1)), 2);
	assert_int_equal(number(site, COLLECTIONS(0)), 2);
	assert_int_equal(number(site, MEMBERS("collection = 1")), 3);
	assert_int_equal(number(site, ONE(MAX(generation), "label = 'a'")), 3);
	site_down(site);
}

static void a_size_closes_before_it_is_passed(void **state)
{
	struct hold hold = by_count("a", 0);
	struct site *site;

	site_up(state);
	site = *state;
	hold.bytes = 40;
	for (uint64_t i = 1; i <= 5; i++)
		put(site, i, "0123456789", &hold, T0); /* with a comma and brackets: three of them fit */
	assert_int_equal(number(site, MEMBERS("collection = 1")), 3);
	assert_int_equal(number(site, ONE(state, "number = 1")), COLLECTION_CLOSING);
	assert_int_equal(number(site, COLLECTIONS(0)), 1);
	hold.bytes = 0;
	hold.bytes_most = 40; /* the site's limit does the same */
	for (uint64_t i = 6; i <= 7; i++)
		put(site, i, "0123456789", &hold, T0);
	assert_int_equal(number(site, COLLECTIONS(1)), 2);
	site_down(site);
}

static void a_time_counts_from_the_first_and_another_key_closes_at_once(void **state)
{
	struct hold a = by_count("a", 0), b = by_count("b", 0);
	struct site *site;
	int64_t next;
	bool changed;

	site_up(state);
	site = *state;
	a.within_ms = b.within_ms = 5000;
	put(site, 1, "1", &a, T0);
	assert_true(due); /* the steward must know until when to sleep */
	put(site, 2, "2", &a, T0 + 3000);
	assert_false(due);
	assert_done(store_held_next(site->store, &next, done));
	assert_int_equal(next, T0 + 5000);
	b.change = true;
	put(site, 3, "3", &b, T0 + 4000);
	assert_int_equal(number(site, ONE(state, "label = 'a'")), COLLECTION_CLOSING);
	assert_int_equal(number(site, ONE(state, "label = 'b'")), COLLECTION_OPEN);
	BEGIN(site);
	assert_done(store_collection_close(site->store, 2, "time", T0, &changed, done));
	assert_true(changed);
	assert_done(store_collection_close(site->store, 2, "time", T0, &changed, done));
	assert_false(changed);
	COMMIT(site);
	site_down(site);
}

static void a_clock_time_is_the_next_one_on_the_wall(void **state)
{
	struct hold hold = by_count("a", 0);
	struct site *site;
	int64_t next;

	setenv("TZ", "UTC", 1);
	site_up(state);
	site = *state;
	hold.at_minute = 18 * 60;
	put(site, 1, "1", &hold, INT64_C(1769882400000)); /* 2026-01-31T18:00:00Z */
	assert_done(store_held_next(site->store, &next, done));
	assert_int_equal(next, INT64_C(1769968800000)); /* a day later */
	site_down(site);
}

/* ---- groups */
static void a_group_closes_when_every_place_has_a_member_or_a_gap(void **state)
{
	struct hold one = by_group("g", 1, 3), two = by_group("g", 2, 3), three = by_group("g", 3, 3);
	struct site *site;

	site_up(state);
	site = *state;
	gap(site, "g", 2, GAP_DEAD); /* before any member */
	gap(site, "g", 2, GAP_DEAD); /* a unit done again */
	put(site, 3, "3", &three, T0);
	assert_int_equal(number(site, ONE(filled, "state = 0")), 2);
	put(site, 2, "2", &two, T0); /* replayed: takes its place */
	assert_int_equal(number(site, ONE(filled, "state = 0")), 2);
	assert_int_equal(number(site, ONE(dead, "state = 0")), 0);
	gap(site, "g", 3, GAP_DROPPED); /* of one that has come by another way */
	assert_int_equal(number(site, ONE(filled, "state = 0")), 2);
	put(site, 1, "1", &one, T0);
	assert_true(due);
	assert_int_equal(number(site, COLLECTIONS(1)), 1);
	assert_int_equal(put(site, 9, "9", &one, T0), HELD_REFUSED);
	assert_string_equal(why.code, "collect.late");
	gap(site, "g", 3, GAP_DEAD); /* changes nothing any more */
	assert_int_equal(number(site, COLLECTIONS(0)), 0);
	site_down(site);
}

static void the_size_of_a_group_may_be_known_first_or_last_and_a_gap_may_be_the_last(void **state)
{
	struct hold one = by_group("early", 1, 0), late = by_group("late", 1, 0);
	struct site *site;

	site_up(state);
	site = *state;
	size_of(site, "early", 2);
	put(site, 1, "1", &one, T0);
	assert_false(due);
	gap(site, "early", 2, GAP_DEAD);
	assert_true(due);
	put(site, 2, "2", &late, T0);
	assert_false(due);
	size_of(site, "late", 1);
	assert_true(due);
	size_of(site, "late", 1);
	assert_int_equal(number(site, COLLECTIONS(1)), 2);
	gap(site, "nobody", 1, GAP_DEAD);
	size_of(site, "nobody", 1);
	assert_false(due);
	assert_int_equal(number(site, COLLECTIONS(3)), 1); /* without a result */
	site_down(site);
}

static void a_part_that_makes_its_group_too_large_is_refused(void **state)
{
	struct hold one = by_group("g", 1, 2), two = by_group("g", 2, 2);
	struct site *site;

	site_up(state);
	site = *state;
	one.bytes_most = two.bytes_most = 20;
	assert_int_equal(put(site, 1, "0123456789", &one, T0), HELD_KEPT);
	assert_int_equal(put(site, 2, "0123456789", &two, T0), HELD_REFUSED);
	assert_string_equal(why.code, "collect.too-large");
	assert_int_equal(number(site, MEMBERS("1 = 1")), 1);
	site_down(site);
}

/* ---- resequence */
static void a_sequence_lets_go_what_is_next(void **state)
{
	struct hold first = by_number(1, HOLD_PASS), second = by_number(2, HOLD_PASS), third = by_number(3, HOLD_PASS);
	struct site *site;
	int64_t next;

	site_up(state);
	site = *state;
	put(site, 2, "two", &second, T0);
	assert_done(store_held_next(site->store, &next, done));
	assert_int_equal(next, T0 + 1000); /* until then the gap may last */
	put(site, 1, "one", &first, T0 + 500);
	assert_true(due);
	assert_done(store_held_next(site->store, &next, done));
	assert_int_equal(next, 0);
	released(site, 1, 2);
	released(site, 2, 3);
	assert_int_equal(number(site, ONE(next, "number = 1")), 3);
	assert_done(store_held_next(site->store, &next, done));
	assert_int_equal(next, INT64_MAX);
	BEGIN(site); /* of a steward that was stopped for a while */
	assert_done(store_held_released(site->store, 1, NULL, 0, 2, T0, done));
	COMMIT(site);
	assert_int_equal(number(site, ONE(next, "number = 1")), 3);
	assert_int_equal(put(site, 20, "two", &second, T0), HELD_DUPLICATE);
	assert_int_equal(put(site, 21, "another", &second, T0), HELD_REFUSED);
	assert_string_equal(why.code, "resequence.conflict");
	assert_int_equal(put(site, 3, "three", &third, T0), HELD_KEPT);
	assert_int_equal(number(site, ONE(members, "number = 1")), 1);
	site_down(site);
}

static void a_gap_is_passed_over_and_what_comes_late_is_refused(void **state)
{
	struct hold second = by_number(2, HOLD_WAIT), fourth = by_number(4, HOLD_WAIT), third = by_number(3, HOLD_WAIT);
	struct site *site;
	struct message *anew = message_made(50);
	int64_t next;

	site_up(state);
	site = *state;
	put(site, 4, "four", &fourth, T0);
	put(site, 2, "two", &second, T0);
	assert_false(due); /* a person must come */
	for (int i = 0; i < 2; i++) {
		BEGIN(site);
		assert_done(store_sequence_skip(site->store, 1, T0, done));
		COMMIT(site);
		assert_done(store_held_next(site->store, &next, done));
		assert_int_equal(next, 0);
		assert_int_equal(number(site, ONE(next, "number = 1")), 2); /* twice is once */
	}
	released(site, 2, 3);
	BEGIN(site);
	assert_done(store_sequence_skip(site->store, 1, T0, done));
	COMMIT(site);
	assert_int_equal(put(site, 3, "three", &third, T0), HELD_REFUSED);
	assert_string_equal(why.code, "resequence.late");
	anew->generation = 7;
	put_one(site, anew, "three", &third, T0);
	assert_int_equal(came, HELD_KEPT);
	assert_int_equal(number(site, MEMBERS("place = -1")), 1); /* in front of all */
	message_free(anew);
	site_down(site);
}

/* ---- dedupe */
static void the_first_of_a_key_is_kept_for_its_time(void **state)
{
	struct hold hold = by_count("k", 0), loose;
	struct site *site;

	hold.kind = HOLD_FIRST;
	hold.within_ms = 1000;
	loose = hold;
	loose.policy = HOLD_PASS;
	site_up(state);
	site = *state;
	assert_int_equal(put(site, 1, "same", &hold, T0), HELD_KEPT);
	assert_true(due);
	assert_int_equal(put(site, 1, "same", &hold, T0), HELD_AGAIN);
	assert_int_equal(put(site, 2, "same", &hold, T0), HELD_DUPLICATE);
	assert_int_equal(put(site, 3, "other", &hold, T0), HELD_REFUSED);
	assert_string_equal(why.code, "dedupe.conflict");
	assert_int_equal(put(site, 3, "other", &loose, T0), HELD_DUPLICATE);
	assert_int_equal(put(site, 4, "other", &hold, T0 + 1001), HELD_KEPT); /* forgotten */
	assert_int_equal(number(site, MEMBERS("1 = 1")), 2);
	site_down(site);
}

/* ---- several machines */
static void a_member_that_joins_while_another_machine_closes_is_in_it_or_in_the_next(void **state)
{
	struct hold hold = by_count("a", 0);
	struct message *m;
	struct store_held held = {.hold = &hold, .queue = QUEUE, .step = "collect", .body = SPAN_LITERAL("2")};
	struct buf envelope;
	struct site *site;
	int status;
	pid_t other;

	if (!TEST_IS_POSTGRESQL) /* a file has one owner */
		skip();
	site_up(state);
	site = *state;
	put(site, 1, "1", &hold, T0);
	held.message = m = message_made(2);
	m->body_size = 1;
	envelope = encoded(m);
	held.envelope = buf_view(&envelope);
	BEGIN(site);
	assert_done(store_held_put(site->store, &held, T0, &came, &due, &why, done));
	other = fork();
	if (other == 0) { /* waits for our commit, then sees what we put */
		char name[32];
		struct db db;
		struct store *store;
		bool changed = false;

		snprintf(name, sizeof name, "store_%u", sites);
		if (database_try(TEST_DATABASE, name, &db, done) || !(store = store_open(&db, done)) ||
		    db.ops->begin(db.self, done) || store_collection_close(store, 1, "time", T0, &changed, done) ||
		    db.ops->commit(db.self, done))
			_exit(1);
		_exit(changed ? 0 : 2);
	}
	usleep(300000);
	COMMIT(site);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	assert_int_equal(number(site, MEMBERS("collection = 1")), 2);
	assert_int_equal(number(site, ONE(members, "number = 1")), 2);
	put(site, 3, "3", &hold, T0);
	assert_int_equal(number(site, MEMBERS("collection = 1")), 2);
	buf_free(&envelope);
	message_free(m);
	site_down(site);
}

/* The other one finds it open, waits for our commit, and must not open the group a second time. */
static void a_part_that_comes_while_another_machine_closes_its_group_is_late(void **state)
{
	struct hold first = by_group("g", 1, 2), second = by_group("g", 2, 2);
	struct store_held held = {.hold = &second, .queue = QUEUE, .step = "collect", .body = SPAN_LITERAL("2")};
	struct message *m;
	struct buf envelope;
	struct site *site;
	bool changed;
	int status;
	pid_t other;

	if (!TEST_IS_POSTGRESQL) /* a file has one owner */
		skip();
	site_up(state);
	site = *state;
	put(site, 1, "1", &first, T0);
	held.message = m = message_made(2);
	envelope = encoded(m);
	held.envelope = buf_view(&envelope);
	BEGIN(site);
	assert_done(store_collection_close(site->store, 1, "time", T0, &changed, done));
	assert_true(changed);
	other = fork();
	if (other == 0) {
		char name[32];
		struct db db;
		struct store *store;

		snprintf(name, sizeof name, "store_%u", sites);
		if (database_try(TEST_DATABASE, name, &db, done) || !(store = store_open(&db, done)) ||
		    db.ops->begin(db.self, done) || store_held_put(store, &held, T0, &came, &due, &why, done) ||
		    db.ops->commit(db.self, done))
			_exit(1);
		_exit(came == HELD_REFUSED && !strcmp(why.code, "collect.late") ? 0 : 2);
	}
	usleep(300000);
	COMMIT(site);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	assert_int_equal(number(site, "SELECT count(*) FROM collections"), 1);
	buf_free(&envelope);
	message_free(m);
	site_down(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_message_twice_is_one_also_when_its_collection_has_closed),
		cmocka_unit_test(a_count_closes_with_exactly_so_many_and_the_next_opens_another),
		cmocka_unit_test(a_size_closes_before_it_is_passed),
		cmocka_unit_test(a_time_counts_from_the_first_and_another_key_closes_at_once),
		cmocka_unit_test(a_clock_time_is_the_next_one_on_the_wall),
		cmocka_unit_test(a_group_closes_when_every_place_has_a_member_or_a_gap),
		cmocka_unit_test(the_size_of_a_group_may_be_known_first_or_last_and_a_gap_may_be_the_last),
		cmocka_unit_test(a_part_that_makes_its_group_too_large_is_refused),
		cmocka_unit_test(a_sequence_lets_go_what_is_next),
		cmocka_unit_test(a_gap_is_passed_over_and_what_comes_late_is_refused),
		cmocka_unit_test(the_first_of_a_key_is_kept_for_its_time),
		cmocka_unit_test(a_member_that_joins_while_another_machine_closes_is_in_it_or_in_the_next),
		cmocka_unit_test(a_part_that_comes_while_another_machine_closes_its_group_is_late),
	};

	return cmocka_run_group_tests_name("durable steps on " TEST_DATABASE, tests, databases_up, databases_down);
}
