/* Locks of a session as others see them: the database contract (base/db.h), on PostgreSQL, where there are others. */
#include "config.h"
#include "base/db.h"

#include "tests/conformance/databases.h"

#define OPEN(name) database_open(TEST_DATABASE, name)

static void a_lock_is_looked_at_without_taking_it(void **state)
{
	static const int64_t keys[] = {7, INT64_MIN + 5, -1, INT64_MAX};
	struct db *one = OPEN("locks"), *two = OPEN("locks"), *other = OPEN("locks_of_another_site");
	bool held;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		assert_done(two->ops->locked(two->self, keys[i], &held, done));
		assert_false(held);
		assert_done(one->ops->lock(one->self, keys[i], &held, done));
		assert_true(held);
		assert_done(two->ops->locked(two->self, keys[i], &held, done));
		assert_true(held);
		assert_done(other->ops->locked(other->self, keys[i], &held, done));
		assert_false(held);
		one->ops->unlock(one->self, keys[i]);
		assert_done(two->ops->locked(two->self, keys[i], &held, done));
		assert_false(held);
	}
	database_close(one);
	database_close(two);
	database_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_is_looked_at_without_taking_it),
	};

	return cmocka_run_group_tests_name("locks on " TEST_DATABASE, tests, databases_up, databases_down);
}
