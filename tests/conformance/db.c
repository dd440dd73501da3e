/* The database contract (base/db.h), the same on both databases. */
#include "config.h"
#include "base/db.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/conformance/databases.h"

#define OPEN(name) database_open(TEST_DATABASE, name)

static const char table[] = "CREATE TABLE IF NOT EXISTS t (n {serial}, a {int}, b {blob}, c {text} UNIQUE)";
static const char insert[] = "INSERT INTO t (a, b, c) VALUES ($1, $2, $3)";

static struct db *open_table(const char *name)
{
	struct db *db = OPEN(name);

	assert_done(db->ops->script(db->self, table, done));
	return db;
}

static int put(struct db *db, int64_t a, struct span b, const char *c, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(a), VALUE_OF_BLOB(b), VALUE_OF_TEXT(span_of(c))};

	return db_run(db, insert, values, 3, NULL, NULL, error);
}

struct copy {
	struct value values[4];
	char bytes[4][300000];
	size_t rows;
};

static int copy_row(void *arg, const struct value *row, size_t columns)
{
	struct copy *copy = arg;

	copy->rows++;
	for (size_t i = 0; i < columns; i++) {
		copy->values[i] = row[i];
		assert_true(row[i].bytes.len <= sizeof copy->bytes[i]);
		if (row[i].bytes.len)
			memcpy(copy->bytes[i], row[i].bytes.data, row[i].bytes.len);
		copy->values[i].bytes.data = copy->bytes[i];
	}
	return 0;
}

static void values_come_back_as_they_were(void **state)
{
	struct db *db = open_table("values");
	static const int64_t numbers[] = {0, 1, -1, 255, 65536, INT64_MAX, INT64_MIN};
	struct copy *copy = mem_alloc(sizeof *copy);

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		char *blob = mem_alloc(i * 40000 + 1), name[16];
		struct value key;

		for (size_t b = 0; b < i * 40000; b++)
			blob[b] = (char)(b * 7 % 256);
		snprintf(name, sizeof name, "row %zu ä€", i);
		assert_done(put(db, numbers[i], span_make(blob, i * 40000), name, done));
		key = VALUE_OF_TEXT(span_of(name));
		copy->rows = 0;
		assert_done(db_run(db, "SELECT a, b, c FROM t WHERE c = $1", &key, 1, copy_row, copy, done));
		assert_int_equal(copy->rows, 1);
		assert_int_equal(copy->values[0].type, VALUE_INT);
		assert_true(copy->values[0].number == numbers[i]);
		assert_int_equal(copy->values[1].type, VALUE_BLOB);
		assert_true(span_equal(copy->values[1].bytes, span_make(blob, i * 40000)));
		assert_int_equal(copy->values[2].type, VALUE_TEXT);
		assert_true(span_is(copy->values[2].bytes, name));
		free(blob);
	}
	free(copy);
	database_close(db);
}

static void null_is_not_empty(void **state)
{
	struct db *db = open_table("nulls");
	struct value nulls[] = {VALUE_OF_NULL, VALUE_OF_NULL, VALUE_OF_NULL},
		     empty[] = {VALUE_OF_INT(0), VALUE_OF_BLOB(SPAN_NONE), VALUE_OF_TEXT(SPAN_NONE)};

	assert_done(db_run(db, insert, nulls, 3, NULL, NULL, done));
	assert_done(db_run(db, insert, empty, 3, NULL, NULL, done));
	assert_int_equal(database_number(db, "SELECT count(*) FROM t WHERE a IS NULL AND b IS NULL AND c IS NULL"), 1);
	assert_int_equal(database_number(db, "SELECT count(*) FROM t WHERE a = 0 AND b IS NOT NULL AND c = ''"), 1);
	database_close(db);
}

/* Partners send anything in the name of text. */
static void text_that_is_no_utf8_neither_fails_nor_hides(void **state)
{
	struct db *db = open_table("texts");
	struct span bad = SPAN_LITERAL("PO\xff-4711\xc3");
	struct value values[] = {VALUE_OF_INT(1), VALUE_OF_NULL, VALUE_OF_TEXT(bad)};
	struct copy *copy = mem_alloc(sizeof *copy);

	assert_done(db_run(db, insert, values, 3, NULL, NULL, done));
	assert_done(db_run(db, "SELECT a FROM t WHERE c = $1", &values[2], 1, copy_row, copy, done));
	assert_int_equal(copy->rows, 1);
	free(copy);
	database_close(db);
}

static void changes_are_counted_and_serial_numbers_never_come_back(void **state)
{
	struct db *db = open_table("serials");
	int64_t changed, first, second;

	assert_done(put(db, 1, SPAN_NONE, "one", done));
	first = database_number(db, "SELECT MAX(n) FROM t");
	assert_done(db_change(db, "DELETE FROM t WHERE a = 1", NULL, 0, &changed, done));
	assert_int_equal(changed, 1);
	assert_done(db_change(db, "DELETE FROM t WHERE a = 1", NULL, 0, &changed, done));
	assert_int_equal(changed, 0);
	assert_done(put(db, 2, SPAN_NONE, "two", done));
	second = database_number(db, "SELECT n FROM t WHERE a = 2");
	assert_true(second > first);
	assert_int_equal(database_number(db, "UPDATE t SET a = 3 WHERE a = 2 RETURNING a"), 3);
	assert_done(db_change(db, "SELECT a FROM t", NULL, 0, &changed, done));
	assert_int_equal(changed, 0);
	database_close(db);
}

static int stop_at_three(void *arg, const struct value *row, size_t columns)
{
	return ++*(int *)arg == 3;
}

static void ten_thousand_rows_in_a_transaction_and_a_reader_that_stops_early(void **state)
{
	struct db *db = open_table("many");
	char name[32];
	int seen = 0;

	assert_done(db->ops->begin(db->self, done));
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "row %d", i);
		assert_done(put(db, i, span_of(name), name, done));
	}
	assert_done(db->ops->commit(db->self, done));
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 10000);
	assert_done(db_run(db, "SELECT a FROM t", NULL, 0, stop_at_three, &seen, done));
	assert_int_equal(seen, 3);
	database_close(db);
}

struct nested {
	struct db *db;
	int depth, rows;
};

static const char nested_sql[] = "SELECT a FROM t ORDER BY a";

static int read_inside(void *arg, const struct value *row, size_t columns)
{
	struct nested *n = arg;

	n->rows++;
	if (n->depth++ == 0)
		assert_done(db_run(n->db, nested_sql, NULL, 0, read_inside, n, done));
	return 0;
}

static void the_same_statement_runs_while_its_rows_are_read(void **state)
{
	struct db *db = open_table("nested");
	struct nested n = {db, 0, 0};

	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof name, "%d", i);
		assert_done(put(db, i, SPAN_NONE, name, done));
	}
	assert_done(db_run(db, nested_sql, NULL, 0, read_inside, &n, done));
	assert_int_equal(n.rows, 6);
	database_close(db);
}

static void rollback_leaves_nothing(void **state)
{
	struct db *db = open_table("rollback");

	assert_done(db->ops->begin(db->self, done));
	assert_done(put(db, 1, SPAN_NONE, "one", done));
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 1);
	assert_done(put(db, 2, SPAN_NONE, "two", done));
	db->ops->rollback(db->self);
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 0);
	assert_done(db->ops->begin(db->self, done));
	db->ops->rollback(db->self);
	assert_done(db->ops->begin(db->self, done));
	assert_done(db->ops->commit(db->self, done));
	database_close(db);
}

/* The error may come out at once, at the next result or from commit; it never gets lost, and nothing of the transaction
 * stays. */
static void a_failed_statement_spoils_its_transaction(void **state)
{
	struct db *db = open_table("spoiled");
	struct error failed = {0}, later = {0}, commit = {0};
	int seen = 0;

	assert_done(put(db, 0, SPAN_NONE, "taken", done));
	assert_done(db->ops->begin(db->self, done));
	assert_done(put(db, 1, SPAN_NONE, "before", done));
	put(db, 2, SPAN_NONE, "taken", &failed);
	put(db, 3, SPAN_NONE, "after", &later);
	assert_int_equal(db->ops->commit(db->self, &commit), -1);
	assert_string_equal(commit.code, "db.error");
	assert_int_equal(commit.class, ERROR_FATAL);
	db->ops->rollback(db->self);
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 1);
	assert_true(db->ops->alive(db->self));

	assert_done(db->ops->begin(db->self, done));
	put(db, 4, SPAN_NONE, "taken", &failed);
	assert_int_equal(db_run(db, "SELECT count(*) FROM t", NULL, 0, stop_at_three, &seen, &later), -1);
	assert_string_equal(later.code, "db.error");
	assert_int_equal(db->ops->commit(db->self, &commit), -1);
	db->ops->rollback(db->self);
	assert_done(db->ops->begin(db->self, done));
	assert_done(put(db, 5, SPAN_NONE, "five", done));
	assert_done(db->ops->commit(db->self, done));
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 2);
	database_close(db);
}

static void wrong_sql_is_our_own_mistake(void **state)
{
	struct db *db = open_table("wrong");
	struct error error = {0};

	assert_int_equal(db_run(db, "SELECT nothing FROM nowhere", NULL, 0, NULL, NULL, &error), -1);
	assert_string_equal(error.code, "db.error");
	assert_int_equal(error.class, ERROR_FATAL);
	assert_done(put(db, 1, SPAN_NONE, "still usable", done));
	database_close(db);
}

static void migrations_go_forward_once_and_refuse_a_newer_schema(void **state)
{
	static const char *const one[] = {"CREATE TABLE m (a {int})"};
	static const char *const two[] = {"CREATE TABLE m (a {int})",
					  "INSERT INTO m (a) VALUES (1); INSERT INTO m (a) VALUES (2)"};
	static const char *const broken[] = {"", "",
					     "INSERT INTO m (a) VALUES (3); INSERT INTO nowhere (a) VALUES (1)"};
	struct db *db = OPEN("migrations");
	struct error error = {0};

	assert_done(db_migrate(db, "part", one, 1, done));
	assert_done(db_migrate(db, "part", two, 2, done));
	assert_done(db_migrate(db, "part", two, 2, done));
	assert_int_equal(database_number(db, "SELECT count(*) FROM m"), 2);
	assert_int_equal(db_migrate(db, "part", one, 1, &error), -1);
	assert_string_equal(error.code, "store.newer");
	assert_int_equal(error.class, ERROR_FATAL);
	assert_non_null(strstr(error.text, "version 2"));
	assert_non_null(strstr(error.text, "knows 1"));
	assert_int_equal(db_migrate(db, "part", broken, 3, &error), -1);
	assert_int_equal(database_number(db, "SELECT count(*) FROM m"), 2);
	assert_int_equal(database_number(db, "SELECT version FROM schema_version"), 2);
	database_close(db);
}

static void a_reader_sees_what_was_committed_and_writes_nothing(void **state)
{
	struct db *db = open_table("reader"), *reader;
	struct error error = {0};

	assert_done(put(db, 1, SPAN_NONE, "one", done));
	reader = database_open_reader(TEST_DATABASE, "reader");
	assert_done(db->ops->begin(db->self, done));
	assert_done(put(db, 2, SPAN_NONE, "two", done));
	assert_int_equal(database_number(reader, "SELECT count(*) FROM t"), 1);
	assert_done(db->ops->commit(db->self, done));
	assert_int_equal(database_number(reader, "SELECT count(*) FROM t"), 2);
	assert_int_equal(put(reader, 3, SPAN_NONE, "three", &error), -1);
	database_close(reader);
	database_close(db);
}

/* ---- killed between two lines */
#ifdef FERRULE_FAULTS
static void kill_at(const char *name, const char *fault)
{
	pid_t child = fork();
	struct error error = {0};
	struct db db;
	int status;

	if (child == 0) {
		setenv("FERRULE_FAULTS", fault, 1);
		if (!database_try(TEST_DATABASE, name, &db, &error) && !db.ops->begin(db.self, &error) &&
		    !put(&db, 7, SPAN_NONE, fault, &error))
			db.ops->commit(db.self, &error);
		_exit(1);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void what_is_killed_before_its_commit_never_happened_and_after_it_did(void **state)
{
	struct db *db = open_table("killed");

	database_close(db);
	kill_at("killed", "db.commit:1=kill");
	db = OPEN("killed");
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 0);
	database_close(db);
	kill_at("killed", "db.committed:1=kill");
	db = OPEN("killed");
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 1);
	database_close(db);
}
#endif

/* ---- only SQLite */

static void the_file_is_ours_alone_and_durable(void **state)
{
	struct db *db = open_table("mode");
	struct stat st;

	assert_int_equal(stat(database_path("mode"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(database_number(db, "PRAGMA page_size"), 8192);
	assert_int_equal(database_number(db, "PRAGMA synchronous"), 2);
	database_close(db);
	chmod(database_path("mode"), 0644);
	db = open_table("mode");
	assert_int_equal(stat(database_path("mode"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	database_close(db);
}

static void a_damaged_file_says_what_to_do(void **state)
{
	struct error error = {0};
	struct db db;

	support_write(
		database_path("damaged"),
		SPAN_LITERAL(
			"this is certainly not a database, and it is long enough to have a header of its own, which is "
			"one hundred bytes, and more"));
	assert_int_equal(database_try("sqlite", "damaged", &db, &error), -1);
	assert_string_equal(error.code, "db.corrupt");
	assert_int_equal(error.class, ERROR_FATAL);
	assert_non_null(strstr(error.text, "restore a backup"));
}

static void a_directory_that_is_not_there_is_named(void **state)
{
	struct error error = {0};
	struct db db;

	assert_int_equal(database_try("sqlite", "no/where", &db, &error), -1);
	assert_string_equal(error.code, "db.open");
	db.self = db.ops->open_reader(NULL, "/nonexistent/file.db", SPAN_NONE, &error);
	assert_null(db.self);
	assert_string_equal(error.code, "db.missing");
}

/* A limit on the file's pages is what a full disk looks like from inside. */
static void a_full_disk_is_tried_again_and_then_goes_on(void **state)
{
	struct db *db = open_table("full");
	static char bytes[60000];
	struct error error = {0};
	int i = 0;

	assert_done(db->ops->script(db->self, "PRAGMA max_page_count=30", done));
	assert_done(db->ops->begin(db->self, done));
	for (char name[32]; i < 100; i++) {
		snprintf(name, sizeof name, "full %d", i);
		if (put(db, i, span_make(bytes, sizeof bytes), name, &error))
			break;
	}
	assert_string_equal(error.code, "db.full");
	assert_int_equal(error.class, ERROR_RETRY);
	assert_int_equal(put(db, 1000, SPAN_NONE, "alone", &error), -1);
	assert_int_equal(db->ops->commit(db->self, &error), -1);
	assert_string_equal(error.code, "db.full");
	db->ops->rollback(db->self);
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 0);
	assert_done(db->ops->script(db->self, "PRAGMA max_page_count=10000", done));
	assert_done(put(db, 1, span_make(bytes, sizeof bytes), "now", done));
	database_close(db);
}

/* ---- only PostgreSQL */

static void a_lock_has_one_holder_until_its_connection_ends(void **state)
{
	struct db *one = OPEN("locks"), *two = OPEN("locks"), *other = OPEN("locks_of_another_site");
	bool held;

	assert_done(one->ops->lock(one->self, 7, &held, done));
	assert_true(held);
	assert_done(one->ops->lock(one->self, 7, &held, done));
	assert_true(held);
	assert_done(two->ops->lock(two->self, 7, &held, done));
	assert_false(held);
	assert_done(two->ops->lock(two->self, 8, &held, done));
	assert_true(held);
	assert_done(other->ops->lock(other->self, 7, &held, done));
	assert_true(held);
	one->ops->unlock(one->self, 7);
	assert_done(two->ops->lock(two->self, 7, &held, done));
	assert_true(held);
	database_close(two);
	for (int i = 0; i < 100; i++) {
		assert_done(one->ops->lock(one->self, 7, &held, done));
		if (held)
			break;
		usleep(10000);
	}
	assert_true(held);
	database_close(one);
	database_close(other);
}

/* A machine that stands still in the midst of a transaction keeps others from its rows no longer than its locks. */
static void a_silent_transaction_of_who_holds_locks_ends(void **state)
{
	struct db *db = open_table("silent"), *other = OPEN("silent");
	int64_t until = clock_tick_ms() + DB_SILENCE_MS + 4000, changed;
	struct error error;
	bool held = false;

	assert_done(put(db, 1, SPAN_NONE, "one", done));
	assert_done(db->ops->lock(db->self, 4711, &held, done));
	assert_done(db->ops->begin(db->self, done));
	assert_done(db_change(db, "UPDATE t SET a = 2", NULL, 0, &changed, done));
	while (!database_number(other, "SELECT count(*) FROM (SELECT 1 FROM t FOR UPDATE SKIP LOCKED) AS x")) {
		assert_true(clock_tick_ms() < until);
		usleep(100000);
	}
	assert_int_equal(db->ops->commit(db->self, &error), -1);
	assert_int_equal(database_number(other, "SELECT a FROM t"), 1);
	database_close(other);
	database_close(db);
}

static void machines_that_start_at_once_migrate_once(void **state)
{
	static const char *const steps[] = {"CREATE TABLE once (a {int})", "INSERT INTO once (a) VALUES (1)",
					    "INSERT INTO once (a) VALUES (2)"};
	struct db *db;
	int status;

	database_close(OPEN("somewhere_else")); /* skips here when there is no server */
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			struct error error = {0};
			struct db mine;
			int failed = database_try(TEST_DATABASE, "at_once", &mine, &error) ||
				     db_migrate(&mine, "part", steps, 3, &error);

			if (failed)
				fprintf(stderr, "# %s\n", error.text);
			_exit(failed ? 1 : 0);
		}
	}
	for (int i = 0; i < 4; i++) {
		wait(&status);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	db = OPEN("at_once");
	assert_int_equal(database_number(db, "SELECT count(*) FROM once"), 2);
	database_close(db);
}

static void expect_gone(struct db *db, const struct error *error)
{
	assert_string_equal(error->code, "db.gone");
	assert_int_equal(error->class, ERROR_RETRY);
	assert_int_equal(error->scope, SCOPE_SITE);
	assert_false(db->ops->alive(db->self));
}

static void a_connection_that_ends_in_a_transaction_leaves_nothing(void **state)
{
	struct db *db = open_table("lost"), *other = open_table("lost");
	struct error error = {0};
	char kill_it[100];

	assert_done(db->ops->begin(db->self, done));
	assert_done(put(db, 1, SPAN_NONE, "one", done));
	snprintf(kill_it, sizeof kill_it, "SELECT pg_terminate_backend(%d)",
		 (int)database_number(db, "SELECT pg_backend_pid()"));
	assert_int_equal(database_number(other, kill_it), 1);
	put(db, 2, SPAN_NONE, "two", &error);
	assert_int_equal(db->ops->commit(db->self, &error), -1);
	expect_gone(db, &error);
	db->ops->rollback(db->self);
	assert_int_equal(put(db, 3, SPAN_NONE, "three", &error), -1);
	expect_gone(db, &error);
	database_close(db);
	assert_int_equal(database_number(other, "SELECT count(*) FROM t"), 0);
	database_close(other);
}

static void what_was_committed_survives_the_death_of_the_server(void **state)
{
	struct db *db = open_table("survivor");
	struct error error = {0};
	struct db again;

	assert_done(db->ops->begin(db->self, done));
	assert_done(put(db, 1, SPAN_NONE, "one", done));
	assert_done(db->ops->commit(db->self, done));
	assert_done(db->ops->begin(db->self, done));
	assert_done(put(db, 2, SPAN_NONE, "two", done));
	databases_kill();
	assert_int_equal(db->ops->commit(db->self, &error), -1);
	expect_gone(db, &error);
	database_close(db);
	assert_int_equal(database_try(TEST_DATABASE, "survivor", &again, &error), -1);
	assert_string_equal(error.code, "db.gone");
	assert_int_equal(error.class, ERROR_RETRY);
	databases_start();
	db = open_table("survivor");
	assert_int_equal(database_number(db, "SELECT count(*) FROM t"), 1);
	database_close(db);
}

static void a_server_that_hangs_counts_as_lost(void **state)
{
	struct db *db = open_table("hung");
	pid_t backend = (pid_t)database_number(db, "SELECT pg_backend_pid()");
	int64_t before = clock_tick_ms();
	struct error error = {0};

	if (kill(backend, SIGSTOP))
		support_skip("the server's process cannot be stopped from here");
	assert_int_equal(put(db, 1, SPAN_NONE, "one", &error), -1);
	kill(backend, SIGCONT);
	expect_gone(db, &error);
	assert_in_range(clock_tick_ms() - before, 1900, 5000);
	database_close(db);
}

int main(void)
{
	const struct CMUnitTest both[] = {
		cmocka_unit_test(values_come_back_as_they_were),
		cmocka_unit_test(null_is_not_empty),
		cmocka_unit_test(text_that_is_no_utf8_neither_fails_nor_hides),
		cmocka_unit_test(changes_are_counted_and_serial_numbers_never_come_back),
		cmocka_unit_test(ten_thousand_rows_in_a_transaction_and_a_reader_that_stops_early),
		cmocka_unit_test(the_same_statement_runs_while_its_rows_are_read),
		cmocka_unit_test(rollback_leaves_nothing),
		cmocka_unit_test(a_failed_statement_spoils_its_transaction),
		cmocka_unit_test(wrong_sql_is_our_own_mistake),
		cmocka_unit_test(migrations_go_forward_once_and_refuse_a_newer_schema),
		cmocka_unit_test(a_reader_sees_what_was_committed_and_writes_nothing),
#ifdef FERRULE_FAULTS
		cmocka_unit_test(what_is_killed_before_its_commit_never_happened_and_after_it_did),
#endif
	};
	const struct CMUnitTest sqlite[] = {
		cmocka_unit_test(the_file_is_ours_alone_and_durable),
		cmocka_unit_test(a_damaged_file_says_what_to_do),
		cmocka_unit_test(a_directory_that_is_not_there_is_named),
		cmocka_unit_test(a_full_disk_is_tried_again_and_then_goes_on),
	};
	const struct CMUnitTest postgresql[] = {
		cmocka_unit_test(a_lock_has_one_holder_until_its_connection_ends),
		cmocka_unit_test(machines_that_start_at_once_migrate_once),
		cmocka_unit_test(a_silent_transaction_of_who_holds_locks_ends),
		cmocka_unit_test(a_connection_that_ends_in_a_transaction_leaves_nothing),
		cmocka_unit_test(what_was_committed_survives_the_death_of_the_server),
		cmocka_unit_test(a_server_that_hangs_counts_as_lost),
	};
	struct CMUnitTest all[24];
	size_t n = sizeof both / sizeof *both;

	memcpy(all, both, sizeof both);
	if (TEST_IS_POSTGRESQL)
		memcpy(all + n, postgresql, sizeof postgresql);
	else
		memcpy(all + n, sqlite, sizeof sqlite);
	n += TEST_IS_POSTGRESQL ? sizeof postgresql / sizeof *postgresql : sizeof sqlite / sizeof *sqlite;
	return _cmocka_run_group_tests("db on " TEST_DATABASE, all, n, databases_up, databases_down);
}
