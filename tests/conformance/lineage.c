/* Lineage (operations/lineage.h), the same on both databases. */
#include "config.h"
#include "operations/lineage.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/conformance/databases.h"

static struct lineage *lineage;
static char name[32];

static void site_up(void)
{
	static unsigned sites;
	struct db *db;

	snprintf(name, sizeof name, "lineage_%u", ++sites);
	db = database_open(TEST_DATABASE, name);
	lineage = lineage_open_take(*db, done);
	if (!lineage)
		fail_msg("%s", done->text);
	free(db);
}

static struct id id_named(const char *what)
{
	return id_digest(span_of(what));
}

/* Message `what`, made from `parent` (NULL: accepted from a document), with one business key or none. */
static void record(const char *what, const char *parent, const char *stage, int64_t at_ms, const char *key)
{
	struct record_view r = {.message = id_named(what),
				.stage = span_of(stage),
				.place = SPAN_LITERAL("orders"),
				.time_ms = at_ms,
				.flow = SPAN_LITERAL("orders"),
				.revision = SPAN_LITERAL("aa11"),
				.position = SPAN_LITERAL("transaction 3"),
				.origin_length = 700};

	if (parent) {
		r.causation = id_named(parent);
	} else {
		r.origin_name = SPAN_LITERAL("drop/acme/orders.edi");
		r.origin_digest = id_named("the bytes of the file");
	}
	if (!strcmp(stage, "dead"))
		r.detail = SPAN_LITERAL("{\"code\":\"x12.count\",\"reason\":\"SE01 says 7\"}");
	if (key) {
		r.keys_count = 1;
		r.keys[0] = (struct attr){SPAN_LITERAL(".number"), span_of(key)};
	}
	assert_done(lineage_put(lineage, &r, done));
}

/* document → file → (order 1 → erp 1, crm 1), (order 2 → erp 2), a broken part. */
static void a_day(void)
{
	assert_done(lineage_begin(lineage, done));
	record("file", NULL, "received", 100, NULL);
	record("file", NULL, "dead", 150, NULL);
	record("order 1", "file", "published", 110, "PO-1");
	record("order 2", "file", "published", 120, "PO-2");
	record("erp 1", "order 1", "published", 130, "PO-1");
	record("crm 1", "order 1", "published", 131, "PO-1");
	record("erp 1", "order 1", "delivered", 140, "PO-1");
	record("erp 2", "order 2", "published", 132, "PO-2");
	assert_done(lineage_commit(lineage, done));
}

static json_t *trace(const char *key, unsigned most)
{
	json_t *answer;

	assert_done(lineage_trace(lineage, span_of(key), most, &answer, done));
	return answer;
}

static json_t *at(json_t *node, const char *list, size_t i)
{
	return json_array_get(json_object_get(node, list), i);
}

static const char *text(json_t *node, const char *field)
{
	return json_string_value(json_object_get(node, field));
}

static void assert_id(json_t *node, const char *what)
{
	struct id id = id_named(what);
	char hex[ID_TEXT];

	id_hex(&id, hex);
	assert_string_equal(text(node, "id"), hex);
}

static void a_business_key_shows_where_it_came_from_and_what_became_of_it(void **state)
{
	json_t *answer, *file, *order;

	site_up();
	a_day();
	answer = trace("PO-1", 0);
	assert_true(json_is_true(json_object_get(answer, "found")));
	assert_string_equal(json_string_value(at(answer, "by", 0)), ".number");
	assert_int_equal(json_integer_value(json_object_get(answer, "messages")), 4);
	assert_int_equal(json_array_size(json_object_get(answer, "tree")), 1);
	file = at(answer, "tree", 0);
	assert_id(file, "file");
	assert_true(json_is_false(json_object_get(file, "match")));
	assert_string_equal(text(json_object_get(file, "origin"), "name"), "drop/acme/orders.edi");
	assert_int_equal(json_array_size(json_object_get(file, "stages")), 2);
	assert_string_equal(text(at(file, "stages", 0), "stage"), "received");
	assert_string_equal(text(json_object_get(at(file, "stages", 1), "detail"), "code"), "x12.count");
	assert_int_equal(json_array_size(json_object_get(file, "children")), 1); /* not PO-2 */
	order = at(file, "children", 0);
	assert_id(order, "order 1");
	assert_true(json_is_true(json_object_get(order, "match")));
	assert_string_equal(text(at(order, "keys", 0), "value"), "PO-1");
	assert_string_equal(text(order, "position"), "transaction 3");
	assert_int_equal(json_array_size(json_object_get(order, "children")), 2);
	assert_id(at(order, "children", 0), "erp 1");
	assert_string_equal(text(at(at(order, "children", 0), "stages", 1), "stage"), "delivered");
	assert_id(at(order, "children", 1), "crm 1");
	json_decref(answer);
	lineage_close(lineage);
}

static void a_document_is_found_by_path_name_digest_and_message(void **state)
{
	struct id digest = id_named("the bytes of the file"), message = id_named("file");
	char digest_hex[ID_TEXT], message_hex[ID_TEXT], prefix[9];
	const char *keys[] = {"drop/acme/orders.edi", "orders.edi", digest_hex, message_hex, prefix};

	id_hex(&digest, digest_hex);
	id_hex(&message, message_hex);
	snprintf(prefix, sizeof prefix, "%.8s", message_hex);
	site_up();
	a_day();
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		json_t *answer = trace(keys[i], 0);

		assert_true(json_is_true(json_object_get(answer, "found")));
		assert_int_equal(json_integer_value(json_object_get(answer, "messages")), 6);
		assert_id(at(answer, "tree", 0), "file");
		json_decref(answer);
	}
	lineage_close(lineage);
}

static void what_is_not_known_says_where_it_was_looked_for_and_since_when(void **state)
{
	json_t *answer;

	site_up();
	answer = trace("PO-9", 0);
	assert_true(json_is_null(json_object_get(answer, "since_ms")));
	json_decref(answer);
	a_day();
	answer = trace("PO-\xff", 0);
	assert_true(json_is_false(json_object_get(answer, "found")));
	assert_int_equal(json_integer_value(json_object_get(answer, "since_ms")), 100);
	assert_int_equal(json_array_size(json_object_get(answer, "looked")), 4);
	json_decref(answer);
	lineage_close(lineage);
}

static void what_is_written_twice_is_there_once(void **state)
{
	json_t *totals, *total;
	size_t i;

	site_up();
	a_day();
	a_day();
	totals = lineage_totals(lineage, done);
	assert_int_equal(json_array_size(totals), 4);
	json_array_foreach (totals, i, total) {
		bool dead = !strcmp(text(total, "stage"), "dead");

		assert_string_equal(text(total, "reason"), dead ? "x12.count" : "");
		assert_int_equal(json_integer_value(json_object_get(total, "count")),
				 !strcmp(text(total, "stage"), "published") ? 5 : 1);
	}
	json_decref(totals);
	lineage_close(lineage);
}

static void what_died_again_after_its_replay_is_told_by_its_last_death(void **state)
{
	json_t *answer, *file;

	site_up();
	a_day();
	assert_done(lineage_begin(lineage, done));
	record("file", NULL, "replayed", 200, NULL);
	record("file", NULL, "dead", 210, NULL);
	record("file", NULL, "received", 220, NULL); /* the same unit, done again: stays as it was */
	assert_done(lineage_commit(lineage, done));
	answer = trace("orders.edi", 0);
	file = at(answer, "tree", 0);
	assert_int_equal(json_array_size(json_object_get(file, "stages")), 3);
	assert_string_equal(text(at(file, "stages", 0), "stage"), "received");
	assert_string_equal(text(at(file, "stages", 1), "stage"), "replayed");
	assert_string_equal(text(at(file, "stages", 2), "stage"), "dead");
	json_decref(answer);
	lineage_close(lineage);
}

static void a_thousand_parts_are_cut_off_and_it_is_said(void **state)
{
	json_t *answer;

	site_up();
	assert_done(lineage_begin(lineage, done));
	record("file", NULL, "received", 100, NULL);
	for (int i = 0; i < 1000; i++) {
		char what[32], key[32];

		snprintf(what, sizeof what, "order %d", i);
		snprintf(key, sizeof key, "PO-%d", i);
		record(what, "file", "published", 200 + i, key);
	}
	assert_done(lineage_commit(lineage, done));
	answer = trace("orders.edi", 100);
	assert_true(json_is_true(json_object_get(answer, "truncated")));
	assert_int_equal(json_array_size(json_object_get(at(answer, "tree", 0), "children")), 99);
	assert_id(at(at(answer, "tree", 0), "children", 0), "order 0");
	json_decref(answer);
	answer = trace("PO-999", 100);
	assert_true(json_is_false(json_object_get(answer, "truncated")));
	assert_int_equal(json_integer_value(json_object_get(answer, "messages")), 2);
	json_decref(answer);
	lineage_close(lineage);
}

static void retention_takes_the_old_with_its_names_and_leaves_the_new(void **state)
{
	json_t *answer;

	site_up();
	assert_done(lineage_begin(lineage, done));
	for (int i = 0; i < 3000; i++) {
		char what[32], key[32];

		snprintf(what, sizeof what, "order %d", i);
		snprintf(key, sizeof key, "PO-%d", i);
		record(what, "file", "published", i, key);
	}
	record("order 5", "file", "replayed", 5000, "PO-5");
	assert_done(lineage_commit(lineage, done));
	assert_done(lineage_expire(lineage, 2000, done));
	answer = trace("PO-6", 0);
	assert_true(json_is_false(json_object_get(answer, "found")));
	assert_int_equal(json_integer_value(json_object_get(answer, "since_ms")), 2000);
	json_decref(answer);
	answer = trace("PO-5", 0); /* something happened to it since */
	assert_int_equal(json_array_size(json_object_get(at(answer, "tree", 0), "stages")), 1);
	json_decref(answer);
	answer = trace("PO-2000", 0);
	assert_true(json_is_true(json_object_get(answer, "found")));
	json_decref(answer);
	assert_done(lineage_expire(lineage, 2000, done));
	lineage_close(lineage);
}

static void a_reader_looks_beside_the_writer(void **state)
{
	struct lineage *writer;
	struct error error = {0};
	struct db *empty, *reading;
	json_t *answer;

	site_up();
	writer = lineage;
	reading = database_open_reader(TEST_DATABASE, name);
	lineage = lineage_reader_take(*reading, done);
	free(reading);
	assert_non_null(lineage);
	answer = trace("PO-1", 0);
	assert_true(json_is_false(json_object_get(answer, "found")));
	json_decref(answer);
	{
		struct lineage *reader = lineage;

		lineage = writer;
		a_day();
		lineage = reader;
	}
	answer = trace("PO-1", 0);
	assert_true(json_is_true(json_object_get(answer, "found")));
	json_decref(answer);
	lineage_close(lineage);
	lineage_close(writer);

	database_close(database_open(TEST_DATABASE, "nothing_recorded"));
	empty = database_open_reader(TEST_DATABASE, "nothing_recorded");
	assert_null(lineage_reader_take(*empty, &error));
	assert_string_equal(error.code, "db.missing");
	free(empty);
}

static void originals_are_listed_and_what_went_out_since_is_seen(void **state)
{
	struct id first_order = id_named("order 1"), second_order = id_named("order 2");
	struct record_view later = {.message = id_named("corrected order"),
				    .stage = SPAN_LITERAL("delivered"),
				    .time_ms = 500,
				    .correlation = SPAN_LITERAL("another document"),
				    .keys_count = 1,
				    .keys = {{SPAN_LITERAL(".number"), SPAN_LITERAL("PO-1")}}};
	json_t *originals;
	struct buf key;

	site_up();
	a_day();
	assert_done(lineage_begin(lineage, done));
	assert_done(lineage_put(lineage, &later, done));
	assert_done(lineage_commit(lineage, done));
	originals = lineage_originals(lineage, "orders", 100, 200, 10, done);
	assert_int_equal(json_array_size(originals), 1);
	assert_id(json_array_get(originals, 0), "file");
	assert_string_equal(text(json_array_get(originals, 0), "name"), "drop/acme/orders.edi");
	json_decref(originals);
	originals = lineage_originals(lineage, "orders", 101, 200, 10, done);
	assert_int_equal(json_array_size(originals), 0);
	json_decref(originals);
	buf_init(&key, 1000);
	assert_done(lineage_newer(lineage, &second_order, "this one", 200, &key, done));
	assert_int_equal(key.len, 0);
	assert_done(lineage_newer(lineage, &first_order, "this one", 600, &key, done));
	assert_int_equal(key.len, 0);
	assert_done(lineage_newer(lineage, &first_order, "this one", 200, &key, done));
	assert_true(span_is(buf_view(&key), "PO-1"));
	buf_free(&key);
	lineage_close(lineage);
}

static void what_a_document_was_collected_into_is_nothing_newer(void **state)
{
	struct id first_order = id_named("order 1"), week = id_named("week");
	struct record_view collected = {.message = first_order,
					.stage = SPAN_LITERAL("collected"),
					.time_ms = 400,
					.causation = id_named("file")};
	struct record_view sent = {.message = id_named("the week's file"),
				   .stage = SPAN_LITERAL("delivered"),
				   .time_ms = 500,
				   .causation = week,
				   .correlation = SPAN_LITERAL("another document"),
				   .keys_count = 1,
				   .keys = {{SPAN_LITERAL(".number"), SPAN_LITERAL("PO-1")}}};
	char detail[100], hex[ID_TEXT];
	struct buf key;

	site_up();
	a_day();
	id_hex(&week, hex);
	snprintf(detail, sizeof detail, "{\"result\":\"%s\"}", hex);
	collected.detail = span_of(detail);
	buf_init(&key, 1000);
	assert_done(lineage_begin(lineage, done));
	assert_done(lineage_put(lineage, &sent, done));
	assert_done(lineage_commit(lineage, done));
	assert_done(lineage_newer(lineage, &first_order, "this one", 200, &key, done));
	assert_true(span_is(buf_view(&key), "PO-1")); /* somebody else's week */
	buf_reset(&key);
	assert_done(lineage_begin(lineage, done));
	assert_done(lineage_put(lineage, &collected, done));
	assert_done(lineage_commit(lineage, done));
	assert_done(lineage_newer(lineage, &first_order, "this one", 200, &key, done));
	assert_int_equal(key.len, 0);
	sent.message = id_named("corrected order");
	sent.causation = id_named("another file");
	assert_done(lineage_begin(lineage, done));
	assert_done(lineage_put(lineage, &sent, done));
	assert_done(lineage_commit(lineage, done));
	assert_done(lineage_newer(lineage, &first_order, "this one", 200, &key, done));
	assert_true(span_is(buf_view(&key), "PO-1"));
	buf_free(&key);
	lineage_close(lineage);
}

static void a_batch_that_is_rolled_back_was_never_there(void **state)
{
	json_t *answer;

	site_up();
	assert_done(lineage_begin(lineage, done));
	record("file", NULL, "received", 100, "PO-1");
	lineage_rollback(lineage);
	answer = trace("PO-1", 0);
	assert_true(json_is_false(json_object_get(answer, "found")));
	json_decref(answer);
	lineage_close(lineage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_business_key_shows_where_it_came_from_and_what_became_of_it),
		cmocka_unit_test(a_document_is_found_by_path_name_digest_and_message),
		cmocka_unit_test(what_is_not_known_says_where_it_was_looked_for_and_since_when),
		cmocka_unit_test(what_is_written_twice_is_there_once),
		cmocka_unit_test(what_a_document_was_collected_into_is_nothing_newer),
		cmocka_unit_test(what_died_again_after_its_replay_is_told_by_its_last_death),
		cmocka_unit_test(a_thousand_parts_are_cut_off_and_it_is_said),
		cmocka_unit_test(retention_takes_the_old_with_its_names_and_leaves_the_new),
		cmocka_unit_test(a_reader_looks_beside_the_writer),
		cmocka_unit_test(originals_are_listed_and_what_went_out_since_is_seen),
		cmocka_unit_test(a_batch_that_is_rolled_back_was_never_there),
	};

	return cmocka_run_group_tests_name("lineage on " TEST_DATABASE, tests, databases_up, databases_down);
}
