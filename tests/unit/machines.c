/* What machines of a site know of each other, by rows of a table: a clock that the tests turn. */
#include "config.h"
#include "operations/machines.h"

#include "tests/support/support.h"

#define NOW INT64_C(1767225600000)
#define ONE "0000000000000001"
#define TWO "0000000000000002"
#define THREE "0000000000000003"

static void add_machine(json_t *rows, const char *instance, const char *name, int64_t gone)
{
	json_t *row = json_pack("{s:s s:I}", "machine", name, "since", (json_int_t)NOW - 1000);

	if (gone)
		json_object_set_new(row, "gone", json_integer(gone));
	json_object_set_new(rows, instance, row);
}

static void add_trouble(json_t *rows, const char *instance, const char *name, int64_t since)
{
	char key[100];

	snprintf(key, sizeof key, "%s/%s", instance, name);
	json_object_set_new(
		rows, key, json_pack("{s:s s:s s:I}", "problem", name, "what", name, "since", (json_int_t)since));
}

/* Three machines, `a` (ours), `b` and `c`; two have a trouble. */
static json_t *rows_new(int64_t gone)
{
	json_t *rows = json_object();

	add_machine(rows, ONE, "a", 0);
	add_trouble(rows, ONE, "disk a", NOW);
	add_machine(rows, TWO, "b", 0);
	add_machine(rows, THREE, "c", gone);
	add_trouble(rows, THREE, "paused erp", NOW - 500);
	add_trouble(rows, THREE, "paused bank/x", NOW - 400);
	return rows;
}

static json_t *alive_new(bool three)
{
	json_t *alive = json_pack("{s:b s:b}", ONE, 1, TWO, 1);

	if (three)
		json_object_set_new(alive, THREE, json_true());
	return alive;
}

static json_t *plan_new(json_t *rows, bool three, int64_t now)
{
	json_t *alive = alive_new(three), *plan = machines_tidy(rows, alive, ONE, "a", now);

	json_decref(alive);
	return plan;
}

static json_t *problems_new(json_t *rows, bool three, int64_t now)
{
	json_t *alive = alive_new(three), *problems = json_array();

	machines_tell(rows, alive, ONE, "a", now, problems);
	json_decref(alive);
	return problems;
}

static const char *text(const json_t *problems, size_t i, const char *field)
{
	return json_string_value(json_object_get(json_array_get(problems, i), field));
}

static void troubles_of_others_are_told_with_their_machine_and_ours_are_not(void **state)
{
	json_t *rows = rows_new(0), *problems = problems_new(rows, true, NOW), *machines;

	assert_int_equal(json_array_size(problems), 2);
	assert_string_equal(text(problems, 0, "problem"), "paused erp");
	machines = json_object_get(json_array_get(problems, 0), "machines");
	assert_int_equal(json_array_size(machines), 1);
	assert_string_equal(json_string_value(json_array_get(machines, 0)), "c");
	json_decref(problems);
	json_decref(rows);
}

static void the_same_trouble_on_several_machines_is_one_since_the_first_had_it(void **state)
{
	json_t *rows = rows_new(0), *alive = alive_new(true), *problems, *one;

	add_trouble(rows, TWO, "paused erp", NOW - 900);
	problems = json_pack("[{s:s s:I s:[s]}]", "problem", "paused erp", "since", (json_int_t)NOW - 100, "machines",
			     "a");
	machines_tell(rows, alive, ONE, "a", NOW, problems);
	assert_int_equal(json_array_size(problems), 2);
	one = json_array_get(problems, 0);
	assert_int_equal(json_integer_value(json_object_get(one, "since")), NOW - 900);
	assert_int_equal(json_array_size(json_object_get(one, "machines")), 3);
	json_decref(problems);
	json_decref(alive);
	json_decref(rows);
}

static void a_machine_whose_session_ends_is_noted_and_one_that_is_back_is_not_gone(void **state)
{
	json_t *rows = rows_new(0), *plan = plan_new(rows, false, NOW), *row;

	row = json_object_get(json_object_get(plan, "put"), THREE);
	assert_int_equal(json_integer_value(json_object_get(row, "gone")), NOW);
	assert_int_equal(json_object_size(json_object_get(plan, "put")), 1);
	assert_int_equal(json_array_size(json_object_get(plan, "remove")), 0);
	json_decref(plan);
	json_decref(rows);

	rows = rows_new(NOW);
	plan = plan_new(rows, false, NOW + 1000); /* once is enough */
	assert_int_equal(json_object_size(json_object_get(plan, "put")), 0);
	json_decref(plan);
	plan = plan_new(rows, true, NOW + 1000);
	row = json_object_get(json_object_get(plan, "put"), THREE);
	assert_non_null(row);
	assert_null(json_object_get(row, "gone"));
	json_decref(plan);
	json_decref(rows);
}

static void what_is_gone_is_told_as_such_after_a_moment_and_forgotten_after_three_days(void **state)
{
	json_t *rows = rows_new(NOW), *problems = problems_new(rows, false, NOW + MACHINES_LEFT_MS - 1), *plan;

	assert_int_equal(json_array_size(problems), 2);
	assert_string_equal(text(problems, 0, "problem"), "paused erp");
	json_decref(problems);

	problems = problems_new(rows, false, NOW + MACHINES_LEFT_MS);
	assert_int_equal(json_array_size(problems), 1);
	assert_string_equal(text(problems, 0, "problem"), "gone c");
	assert_non_null(strstr(text(problems, 0, "what"), "had 2 problems: paused erp"));
	json_decref(problems);

	plan = plan_new(rows, false, NOW + MACHINES_KEPT_MS - 1);
	assert_int_equal(json_array_size(json_object_get(plan, "remove")), 0);
	json_decref(plan);
	plan = plan_new(rows, false, NOW + MACHINES_KEPT_MS);
	assert_int_equal(json_array_size(json_object_get(plan, "remove")), 3);
	json_decref(plan);
	problems = problems_new(rows, false, NOW + MACHINES_KEPT_MS);
	assert_int_equal(json_array_size(problems), 0);
	json_decref(problems);
	json_decref(rows);
}

static void an_earlier_life_of_our_own_machine_leaves_nothing_and_so_does_a_row_without_a_machine(void **state)
{
	json_t *rows = rows_new(0), *plan, *problems;

	add_machine(rows, "00000000000000ff", "a", 0);
	add_trouble(rows, "00000000000000ff", "paused erp", NOW);
	add_trouble(rows, "00000000000000ee", "paused erp", NOW);
	json_object_set_new(rows, "rubbish", json_object());
	plan = plan_new(rows, true, NOW);
	assert_int_equal(json_array_size(json_object_get(plan, "remove")), 3);
	json_decref(plan);
	problems = problems_new(rows, true, NOW);
	assert_int_equal(json_array_size(json_object_get(json_array_get(problems, 0), "machines")), 1);
	json_decref(problems);
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(troubles_of_others_are_told_with_their_machine_and_ours_are_not),
		cmocka_unit_test(the_same_trouble_on_several_machines_is_one_since_the_first_had_it),
		cmocka_unit_test(a_machine_whose_session_ends_is_noted_and_one_that_is_back_is_not_gone),
		cmocka_unit_test(what_is_gone_is_told_as_such_after_a_moment_and_forgotten_after_three_days),
		cmocka_unit_test(an_earlier_life_of_our_own_machine_leaves_nothing_and_so_does_a_row_without_a_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
