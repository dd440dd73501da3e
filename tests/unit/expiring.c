/* When the end of a key is told: a clock that the tests turn, over two years. */
#include "config.h"
#include "operations/expiring.h"

#include <stdlib.h>

#include "base/clock.h"
#include "tests/support/support.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static const int64_t warn[] = {30 * DAY, 7 * DAY, DAY};
static const int64_t start = INT64_C(1767225600000); /* 2026-01-01 */

struct life {
	json_t *entry;
	unsigned told;
	int64_t days[16], next;
};

static void look(struct life *life, const struct expiring *one, int64_t now)
{
	struct expiring_verdict verdict;

	expiring_judge(one, warn, 3, life->entry, now, &verdict);
	if (verdict.tell)
		life->days[life->told++] = expiring_days(one->expires_ms, now);
	json_decref(life->entry);
	life->entry = expiring_entry_new(one, &verdict);
	life->next = verdict.next_ms;
}

static struct expiring key(int64_t expires)
{
	return (struct expiring){"openpgp", "ABCD", "Acme <edi@acme.example>", "flow orders", "sales", "", expires};
}

static void hour_by_hour_each_threshold_and_the_end_are_told_once(void **state)
{
	struct expiring one = key(start + 400 * DAY + 5 * HOUR);
	struct life life = {0};

	for (int64_t now = start; now < start + 730 * DAY; now += HOUR)
		look(&life, &one, now);
	assert_int_equal(life.told, 4);
	assert_int_equal(life.days[0], 30);
	assert_int_equal(life.days[1], 7);
	assert_int_equal(life.days[2], 1);
	assert_int_equal(life.days[3], 0);
	assert_true(life.next == INT64_MAX);
	json_decref(life.entry);
}

static void looking_only_when_it_says_so_tells_the_same(void **state)
{
	struct expiring one = key(start + 400 * DAY);
	struct life life = {.next = start};

	for (unsigned looks = 0; life.next != INT64_MAX; looks++) {
		assert_true(looks < 10);
		look(&life, &one, life.next);
	}
	assert_int_equal(life.told, 4);
	json_decref(life.entry);
}

static void one_that_is_renewed_begins_anew(void **state)
{
	struct expiring one = key(start + 20 * DAY), renewed = key(start + 400 * DAY);
	struct life life = {0};

	look(&life, &one, start);
	assert_int_equal(life.told, 1);
	look(&life, &renewed, start + DAY);
	assert_int_equal(life.told, 1);
	assert_null(json_object_get(life.entry, "told_ms"));
	look(&life, &renewed, start + 371 * DAY);
	assert_int_equal(life.told, 2);
	json_decref(life.entry);
}

static void after_a_long_rest_only_the_shortest_is_told_and_a_clock_set_back_tells_nothing_again(void **state)
{
	struct expiring one = key(start + 20 * DAY);
	struct life life = {0};

	look(&life, &one, start + 19 * DAY + HOUR);
	assert_int_equal(life.told, 1);
	look(&life, &one, start + 10 * DAY);
	look(&life, &one, start + 14 * DAY);
	assert_int_equal(life.told, 1);
	look(&life, &one, start + 21 * DAY);
	assert_int_equal(life.told, 2);
	assert_int_equal(life.days[1], -1);
	json_decref(life.entry);
}

static void an_old_key_that_nobody_uses_is_not_told_when_it_is_first_seen(void **state)
{
	struct expiring unused = key(start - DAY), used = key(start - DAY);
	struct life life = {0}, other = {0};

	unused.used = "";
	look(&life, &unused, start);
	look(&life, &unused, start + DAY);
	assert_int_equal(life.told, 0);
	look(&other, &used, start);
	look(&other, &used, start + DAY);
	assert_int_equal(other.told, 1);
	json_decref(life.entry);
	json_decref(other.entry);
}

static void the_event_says_what_ends_when_whose_it_is_and_what_to_type(void **state)
{
	struct expiring one = key(start + 6 * DAY + HOUR);
	struct expiring_verdict verdict;
	json_t *body;

	expiring_judge(&one, warn, 3, NULL, start, &verdict);
	body = expiring_event_new(&one, &verdict, start);
	assert_string_equal(json_string_value(json_object_get(body, "what")),
			    "the OpenPGP key Acme <edi@acme.example> expires in 6 days");
	assert_string_equal(json_string_value(json_object_get(body, "expires")), "2026-01-07T01:00:00.000Z");
	assert_string_equal(json_string_value(json_object_get(body, "owner")), "sales");
	assert_string_equal(json_string_value(json_object_get(body, "used")), "flow orders");
	assert_false(json_is_true(json_object_get(body, "expired")));
	json_decref(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hour_by_hour_each_threshold_and_the_end_are_told_once),
		cmocka_unit_test(looking_only_when_it_says_so_tells_the_same),
		cmocka_unit_test(one_that_is_renewed_begins_anew),
		cmocka_unit_test(after_a_long_rest_only_the_shortest_is_told_and_a_clock_set_back_tells_nothing_again),
		cmocka_unit_test(an_old_key_that_nobody_uses_is_not_told_when_it_is_first_seen),
		cmocka_unit_test(the_event_says_what_ends_when_whose_it_is_and_what_to_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
