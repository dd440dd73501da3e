/* What only a server shows: its locks as others see them, and a transaction that it does not begin. The database
 * contract (base/db.h) on PostgreSQL. */
#include "config.h"
#include "base/db.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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

#ifdef FERRULE_FAULTS
static int insert(struct db *db, int64_t number, struct error *error)
{
	struct value value = VALUE_OF_INT(number);

	return db_run(db, "INSERT INTO t VALUES ($1)", &value, 1, NULL, NULL, error);
}

/* In a process of its own, which alone has the fault. 0: the unit failed, and nothing of it is there. The statement is
 * one that the server knows already: one that it learns in the unit is waited for anyway. */
static int write_behind_a_refused_begin(void)
{
	struct error error = {0};
	struct db db;
	int failed;

	setenv("FERRULE_FAULTS", "db.begin.refused:2=fail", 1);
	if (database_try(TEST_DATABASE, "refused", &db, &error) || db.ops->begin(db.self, &error) ||
	    insert(&db, 1, &error))
		return 2;
	db.ops->rollback(db.self);
	if (db.ops->begin(db.self, &error))
		return 2;
	failed = insert(&db, 2, &error);
	insert(&db, 3, &error);
	failed = db.ops->commit(db.self, &error) || failed;
	db.ops->rollback(db.self);
	if (!failed || database_number(&db, "SELECT count(*) FROM t"))
		return 3;
	/* and the connection goes on */
	if (db.ops->begin(db.self, &error) || insert(&db, 4, &error) || db.ops->commit(db.self, &error))
		return 4;
	return 0;
}

static void nothing_is_written_behind_a_begin_that_failed(void **state)
{
	struct db *db = OPEN("refused");
	int status;

	assert_done(db->ops->script(db->self, "DROP TABLE IF EXISTS t; CREATE TABLE t (a {int})", done));
	if (fork() == 0)
		_exit(write_behind_a_refused_begin());
	wait(&status);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 1);
	assert_int_equal(database_number(db, "SELECT a FROM t"), 4);
	database_close(db);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_is_looked_at_without_taking_it),
#ifdef FERRULE_FAULTS
		cmocka_unit_test(nothing_is_written_behind_a_begin_that_failed),
#endif
	};

	return cmocka_run_group_tests_name("locks on " TEST_DATABASE, tests, databases_up, databases_down);
}
