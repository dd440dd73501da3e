/* Numbers by address. */
#include "config.h"
#include "tests/support/support.h"

#include "base/literals.h"

static void a_text_keeps_its_number_while_the_table_grows(void **state)
{
	static char many[1000][8];
	struct literals literals = {0};

	for (unsigned i = 0; i < 1000; i++) {
		unsigned *number = literals_number(&literals, many[i]);

		assert_int_equal(*number, 0);
		*number = i + 1;
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(*literals_number(&literals, many[i]), i + 1);
	literals_free(&literals);
}

static void a_number_that_was_not_set_stays_zero(void **state)
{
	struct literals literals = {0};

	literals_number(&literals, "SELECT 1");
	assert_int_equal(*literals_number(&literals, "SELECT 1"), 0);
	literals_free(&literals);
	assert_int_equal(literals.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_keeps_its_number_while_the_table_grows),
		cmocka_unit_test(a_number_that_was_not_set_stays_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
