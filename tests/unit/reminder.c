/* When owners are reminded of what lasts: a clock that the tests turn. */
#include "config.h"
#include "operations/reminder.h"

#include "tests/support/support.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define START INT64_C(1767225600000)

static json_t *status_new(int64_t started)
{
	return json_pack("{s:I s:[] s:[]}", "since", (json_int_t)started, "problems", "holds");
}

static void add(json_t *status, const char *name, const char *owner, int64_t since, bool here)
{
	json_array_append_new(json_object_get(status, "problems"),
			      json_pack("{s:s s:s s:s s:s s:s s:I s:b}", "problem", name, "what", name, "owner", owner,
					"runbook", "", "next", "", "since", (json_int_t)since, "here", here));
}

/* One look; takes the status, changes what is known, gives the number of events. */
static size_t look(json_t *known, json_t *status, int64_t now)
{
	json_t *plan = reminders_judge(status, known, DAY, now), *name;
	size_t i, n = json_object_size(json_object_get(plan, "events"));

	json_object_update(known, json_object_get(plan, "put"));
	json_array_foreach(json_object_get(plan, "remove"), i, name)
		json_object_del(known, json_string_value(name));
	json_decref(plan);
	json_decref(status);
	return n;
}

static void owners_are_reminded_once_a_day_and_apart(void **state)
{
	json_t *known = json_object(), *status;
	size_t told = 0;

	for (int64_t now = START; now <= START + 3 * DAY; now += HOUR) {
		status = status_new(START);
		add(status, "dead a", "sales", START, false);
		add(status, "dead b", "sales", START, false);
		add(status, "dead c", "care", START, false);
		told += look(known, status, now);
	}
	assert_int_equal(told, 6);
	assert_int_equal(look(known, status_new(START), START + 5 * DAY), 0);
	json_decref(known);
}

static void what_only_processes_know_keeps_its_age_over_a_restart_and_has_one_without_a_time(void **state)
{
	json_t *known = json_object(), *status;
	size_t told = 0;

	for (int64_t now = START; now <= START + DAY; now += HOUR) { /* a process of its own each hour */
		assert_int_equal(look(known, status_new(now), now), 0);
		status = status_new(now);
		add(status, "paused x", "sales", now, true);
		add(status, "unserved y", "care", 0, true);
		told += look(known, status, now + 60000);
	}
	assert_int_equal(told, 2);
	json_decref(known);
}

static void what_is_tried_again_and_again_is_as_old_as_its_first_try(void **state)
{
	json_t *known = json_object(), *status;
	size_t told = 0;

	for (int64_t now = START; now <= START + DAY; now += HOUR) {
		status = status_new(START);
		add(status, "retry in.x clamav.away", "sales", now, false);
		json_object_set_new(json_array_get(json_object_get(status, "problems"), 0), "tried", json_true());
		told += look(known, status, now);
	}
	assert_int_equal(told, 1);
	json_decref(known);
}

static void what_is_held_reminds_nobody(void **state)
{
	json_t *known = json_object(), *status;
	size_t told = 0;

	for (int64_t now = START; now <= START + 2 * DAY; now += HOUR) {
		status = status_new(START);
		add(status, "paused x", "sales", START, true);
		json_object_set_new(json_array_get(json_object_get(status, "problems"), 0), "endpoint",
				    json_string("x"));
		json_array_append_new(json_object_get(status, "holds"), json_pack("{s:s}", "name", "x"));
		told += look(known, status, now);
	}
	assert_int_equal(told, 0);
	json_decref(known);
}

static void what_ended_and_came_again_starts_anew(void **state)
{
	json_t *known = json_object(), *status = status_new(START);

	add(status, "paused x", "sales", START, true);
	assert_int_equal(look(known, status, START), 0);
	assert_int_equal(look(known, status_new(START), START + HOUR), 0);
	assert_int_equal(look(known, status_new(START), START + 2 * HOUR), 0);
	assert_int_equal(json_object_size(known), 0);
	status = status_new(START);
	add(status, "paused x", "sales", START + 3 * HOUR, true);
	assert_int_equal(look(known, status, START + DAY), 0);
	status = status_new(START);
	add(status, "paused x", "sales", START + 3 * HOUR, true);
	assert_int_equal(look(known, status, START + 27 * HOUR), 1);
	json_decref(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_are_reminded_once_a_day_and_apart),
		cmocka_unit_test(what_only_processes_know_keeps_its_age_over_a_restart_and_has_one_without_a_time),
		cmocka_unit_test(what_is_tried_again_and_again_is_as_old_as_its_first_try),
		cmocka_unit_test(what_is_held_reminds_nobody),
		cmocka_unit_test(what_ended_and_came_again_starts_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
