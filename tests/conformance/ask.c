/* Dead letters asked about and changed (operations/ask.h), the same on both databases. */
#include "config.h"
#include "tests/conformance/ask_site.h"

static void what_is_not_known_or_badly_asked_is_named(void **state)
{
	struct error error = {0};

	site_up();
	question_refused("weather", json_object(), "ask.unknown", "weather");
	refused(ask_change(&site.context, "weather", NULL, &error), &error, "ask.unknown", "weather");
	question_refused("dead.list", json_pack("{s:i}", "flow", 1), "ask.request", "`flow`");
	question_refused("dead.list", json_pack("{s:s}", "state", "lost"), "ask.request", "`state`");
	question_refused("dead.list", json_pack("{s:i}", "limit", 0), "ask.request", "`limit`");
	question_refused("dead.get", json_object(), "ask.request", "`number`");
	question_refused("dead.get", json_pack("{s:i}", "number", 99), "ask.request", "99");
	question_refused("dead.get", json_pack("{s:s}", "id", "12345"), "ask.request", "`id`");
	question_refused("doubt.get", json_pack("{s:s}", "key", "xyz456789"), "ask.request", "`key`");
	question_refused("doubt.get", json_pack("{s:s}", "key", "0123456789"), "ask.request", "`key`");
	question_refused("revision", json_pack("{s:s}", "revision", "ab"), "revision.unknown", "ab");
	change_refused("dead.replayed", json_object(), "`number`");
	change_refused("dead.discarded", json_pack("{s:i s:s}", "number", 1, "reason", ""), "no dead letter 1");
	change_refused("hold.set", json_pack("{s:s}", "name", "erp"), "`until_ms`");
	change_refused("hold.set", json_pack("{s:s s:s}", "name", "erp", "until_ms", "soon"), "`until_ms`");
	change_refused("revision.put", json_pack("{s:s}", "revision", "ab"), "`ref`");
	site_down();
}

static void dead_letters_are_listed_by_cause_and_page(void **state)
{
	json_t *answer;

	site_up();
	for (unsigned i = 1; i <= 7; i++)
		die(i, i < 5 ? "jq.error" : "x12.count", 0);
	answer = ask("dead.list", json_pack("{s:i}", "limit", 3));
	assert_int_equal(size(answer, "groups"), 2);
	assert_string_equal(text(first(answer, "groups"), "cause"), "jq.error");
	assert_string_equal(text(first(answer, "groups"), "step"), "map:a.jq");
	assert_string_equal(text(first(answer, "groups"), "flow"), "orders");
	assert_int_equal(number(first(answer, "groups"), "count"), 4);
	assert_int_equal(number(first(answer, "groups"), "first_ms"), 1001);
	assert_int_equal(number(first(answer, "groups"), "last_ms"), 1004);
	assert_int_equal(size(answer, "letters"), 3);
	assert_string_equal(text(json_array_get(json_object_get(first(answer, "letters"), "keys"), 1), "value"),
			    "PO-1");
	assert_string_equal(text(first(answer, "letters"), "state"), "open");
	assert_string_equal(text(first(answer, "letters"), "reason"), "because of jq.error");
	assert_int_equal(number(answer, "next"), 3);
	json_decref(answer);
	answer = ask("dead.list", json_pack("{s:i s:i}", "limit", 100, "after", 3));
	assert_int_equal(size(answer, "letters"), 4);
	assert_null(json_object_get(answer, "next"));
	json_decref(answer);
	answer = ask("dead.list", json_pack("{s:s s:s}", "cause", "x12.count", "flow", "orders"));
	assert_int_equal(size(answer, "letters"), 3);
	assert_int_equal(size(answer, "groups"), 1);
	json_decref(answer);
	answer = ask("dead.list", json_pack("{s:s}", "key", "PO-6"));
	assert_int_equal(size(answer, "letters"), 1);
	json_decref(answer);
	answer = ask("dead.list", json_pack("{s:s}", "flow", "others"));
	assert_int_equal(size(answer, "letters"), 0);
	json_decref(answer);
	answer = ask("dead.list", json_pack("{s:i}", "since", 1006));
	assert_int_equal(size(answer, "letters"), 2);
	json_decref(answer);
	site_down();
}

static void one_letter_is_told_in_full(void **state)
{
	json_t *answer, *again;
	char id[9];

	site_up();
	die(1, "jq.error", 1);
	answer = ask("dead.get", json_pack("{s:i}", "number", 1));
	assert_base64(answer, "body", SPAN_LITERAL("old body"));
	assert_base64(answer, "content", SPAN_LITERAL("\0\1"));
	assert_string_equal(text(answer, "queue"), "in.orders");
	assert_string_equal(text(answer, "class"), "reject");
	assert_string_equal(text(answer, "order_key"), "1");
	assert_string_equal(text(json_object_get(answer, "origin"), "name"), "acme.edi");
	assert_string_equal(text(answer, "body_ref"), "f:bb:90000");
	snprintf(id, sizeof id, "%.8s", text(answer, "id"));
	again = ask("dead.get", json_pack("{s:s}", "id", id));
	assert_true(json_equal(answer, again));
	json_decref(again);
	json_decref(answer);
	site_down();
}

static void a_letter_is_closed_once_and_its_history_kept(void **state)
{
	json_t *answer;

	site_up();
	die(1, "jq.error", 0);
	die(2, "jq.error", 0);
	change("dead.replayed", json_pack("{s:i s:s}", "number", 1, "by", "anna"));
	change("dead.replayed", json_pack("{s:i}", "number", 1));
	change("dead.discarded", json_pack("{s:i s:s s:s}", "number", 2, "reason", "a test order", "by", "bob"));
	answer = ask("dead.list", json_object());
	assert_int_equal(size(answer, "letters"), 0);
	json_decref(answer);
	answer = ask("dead.list", json_pack("{s:s}", "state", "all"));
	assert_int_equal(size(answer, "letters"), 2);
	json_decref(answer);
	answer = ask("dead.get", json_pack("{s:i}", "number", 1));
	assert_string_equal(text(answer, "state"), "replayed");
	assert_int_equal(size(answer, "history"), 1);
	assert_string_equal(text(first(answer, "history"), "who"), "anna");
	json_decref(answer);
	answer = ask("dead.get", json_pack("{s:i}", "number", 2));
	assert_string_equal(text(answer, "state"), "discarded");
	assert_string_equal(text(first(answer, "history"), "why"), "a test order");
	assert_int_equal(number(answer, "closed_ms"), 5000);
	json_decref(answer);
	site_down();
}

static void a_letter_that_died_again_is_not_closed_by_the_replay_before(void **state)
{
	json_t *answer;

	site_up();
	die(1, "jq.error", 0);
	die(1, "jq.error", 0); /* the published copy, before the change is made */
	change("dead.replayed", json_pack("{s:i s:i}", "number", 1, "deaths", 1));
	answer = ask("dead.list", json_object());
	assert_int_equal(number(first(answer, "letters"), "deaths"), 2);
	json_decref(answer);
	change("dead.replayed", json_pack("{s:i s:i}", "number", 1, "deaths", 2));
	answer = ask("dead.list", json_object());
	assert_int_equal(size(answer, "letters"), 0);
	json_decref(answer);
	site_down();
}

static void what_waited_behind_a_letter_goes_on_when_the_last_is_closed(void **state)
{
	char seen[100] = "";
	json_t *answer;

	site_up();
	die(1, "jq.error", 9);
	die(2, "jq.error", 9);
	park("in.orders", INT64_MAX, 9);
	change("dead.discarded", json_pack("{s:i s:s}", "number", 1, "reason", "never mind"));
	assert_int_equal(site.parks_changed, 0);
	answer = ask("parks", json_pack("{s:s}", "queue", "in.orders"));
	assert_true(json_is_true(json_object_get(first(answer, "parks"), "held")));
	json_decref(answer);
	change("dead.discarded", json_pack("{s:i s:s}", "number", 2, "reason", "never mind"));
	assert_int_equal(site.parks_changed, 1);
	assert_done(store_park_due(site.context.store, 5000, 10, take_park, seen, done));
	assert_string_equal(seen, "in.orders  ");
	site_down();
}

static void a_replay_by_the_store_goes_in_front_of_what_waited(void **state)
{
	struct message *m = message_made(1);
	struct buf envelope, base64;
	char seen[100] = "";

	site_up();
	die(1, "jq.error", 9);
	park("in.orders", INT64_MAX, 9);
	message_set(m, &m->revision, SPAN_LITERAL("today"));
	envelope = encoded(m);
	buf_init(&base64, 1u << 20);
	base64_encode(&base64, buf_view(&envelope));
	for (int twice = 0; twice < 2; twice++)
		change("dead.replay", json_pack("{s:i s:s%}", "number", 1, "envelope", base64.data, base64.len));
	assert_int_equal(database_number(site.db, "SELECT count(*) FROM parks"), 2);
	assert_int_equal(database_number(site.db, "SELECT count(*) FROM parks WHERE revision = 'today'"), 1);
	assert_done(store_park_due(site.context.store, 5000, 10, take_park, seen, done));
	assert_string_equal(seen, "in.orders old body dead.replay");
	assert_int_equal(database_number(site.db, "SELECT state FROM dead"), 1);
	change_refused("dead.replay", json_pack("{s:i s:s}", "number", 1, "envelope", "*"), "`envelope`");
	buf_free(&envelope);
	buf_free(&base64);
	message_free(m);
	site_down();
}

static void an_edited_letter_has_a_new_body_and_keeps_its_original(void **state)
{
	static char large[70000];
	struct buf base64, envelope;
	struct message *message;
	json_t *answer;

	site_up();
	die(1, "jq.error", 0);
	change("dead.edited", json_pack("{s:i s:s s:s}", "number", 1, "body", "bmV3IGJvZHk=", "by", "anna"));
	answer = ask("dead.get", json_pack("{s:i}", "number", 1));
	assert_base64(answer, "body", SPAN_LITERAL("new body"));
	assert_true(json_is_true(json_object_get(answer, "edited")));
	assert_string_equal(text(first(answer, "history"), "what"), "edited");
	assert_string_equal(text(answer, "state"), "open");
	buf_init(&envelope, 1u << 20);
	base64_decode(&envelope, span_of(text(answer, "envelope")));
	message = message_decode_new(buf_view(&envelope), done);
	assert_int_equal(message->body_ref.len, 0);
	assert_int_equal(message->body_size, 8);
	assert_false(id_is_none(&message->body_digest));
	assert_true(span_is(message->origin.ref, "f:aa:100"));
	message_free(message);
	buf_free(&envelope);
	json_decref(answer);
	buf_init(&base64, 1u << 20);
	base64_encode(&base64, span_make(large, sizeof large));
	change_refused("dead.edited", json_pack("{s:i s:s%}", "number", 1, "body", base64.data, base64.len),
		       "too large");
	change("dead.discarded", json_pack("{s:i s:s}", "number", 1, "reason", "done"));
	change_refused("dead.edited", json_pack("{s:i s:s}", "number", 1, "body", ""), "closed");
	buf_free(&base64);
	site_down();
}

static void entries_of_tables_are_written_found_and_listed_by_key(void **state)
{
	char id[65];
	json_t *answer;

	site_up();
	memset(id, 'a', 64);
	id[64] = 0;
	change("table.put",
	       json_pack("{s:s s:s s:s s:s}", "table", "ids", "key", "C-1", "value", "4711", "by", "anna"));
	change("table.put",
	       json_pack("{s:s s:s s:{s:i} s:s}", "table", "ids", "key", "C-2", "value", "erp", 1, "message", id));
	change("table.put", json_pack("{s:s s:s s:n}", "table", "ids", "key", "C-3", "value"));
	change("table.put", json_pack("{s:s s:s s:s}", "table", "other", "key", "C-1", "value", "x"));
	change("table.put", json_pack("{s:s s:s s:s s:b}", "table", "ids", "key", "C-1", "value", "no", "keep", 1));
	answer = ask("table.find", json_pack("{s:s s:[s,s,s]}", "table", "ids", "keys", "C-1", "C-2", "C-9"));
	assert_int_equal(json_object_size(json_object_get(answer, "values")), 2);
	assert_string_equal(text(json_object_get(answer, "values"), "C-1"), "4711");
	assert_int_equal(number(json_object_get(json_object_get(answer, "values"), "C-2"), "erp"), 1);
	json_decref(answer);
	answer = ask("table.list", json_pack("{s:s s:i}", "table", "ids", "limit", 2));
	assert_int_equal(size(answer, "entries"), 2);
	assert_string_equal(text(first(answer, "entries"), "by"), "anna");
	assert_int_equal(number(first(answer, "entries"), "at_ms"), 5000);
	assert_string_equal(text(json_array_get(json_object_get(answer, "entries"), 1), "message"), id);
	assert_string_equal(text(answer, "next"), "C-2");
	json_decref(answer);
	answer = ask("table.list", json_pack("{s:s s:s}", "table", "ids", "after", "C-2"));
	assert_int_equal(size(answer, "entries"), 1);
	assert_true(json_is_null(json_object_get(first(answer, "entries"), "value")));
	json_decref(answer);
	change("table.put", json_pack("{s:s s:s s:s}", "table", "ids", "key", "C-1", "value", "4712"));
	change("table.remove", json_pack("{s:s s:s}", "table", "ids", "key", "C-2"));
	change("table.remove", json_pack("{s:s s:s}", "table", "ids", "key", "C-2"));
	answer = ask("table.find", json_pack("{s:s s:[s,s]}", "table", "ids", "keys", "C-1", "C-2"));
	assert_int_equal(json_object_size(json_object_get(answer, "values")), 1);
	assert_string_equal(text(json_object_get(answer, "values"), "C-1"), "4712");
	json_decref(answer);
	answer = ask("tables", json_object());
	assert_int_equal(size(answer, "tables"), 2);
	assert_string_equal(text(first(answer, "tables"), "name"), "ids");
	assert_int_equal(number(first(answer, "tables"), "count"), 2);
	json_decref(answer);
	site_down();
}

static void a_wish_of_each_kind_stands_in_the_schedules_and_the_trail(void **state)
{
	json_t *answer, *values;

	site_up();
	change("transfer.run", json_pack("{s:s s:s}", "transfer", "bank", "by", "anna"));
	change("transfer.skip", json_pack("{s:s s:s}", "transfer", "bank", "by", "dana"));
	answer = ask("table.find", json_pack("{s:s s:[s,s]}", "table", ASK_SCHEDULES, "keys", ASK_WISH_RUN "bank",
					     ASK_WISH_SKIP "bank"));
	values = json_object_get(answer, "values");
	assert_int_equal(number(json_object_get(values, ASK_WISH_RUN "bank"), "at"), 5000);
	assert_string_equal(text(json_object_get(values, ASK_WISH_SKIP "bank"), "by"), "dana");
	json_decref(answer);
	change("transfer.run", json_pack("{s:s s:s}", "transfer", "bank", "by", "carl"));
	answer = ask("table.find", json_pack("{s:s s:[s]}", "table", ASK_SCHEDULES, "keys", ASK_WISH_RUN "bank"));
	values = json_object_get(answer, "values");
	assert_int_equal(number(json_object_get(values, ASK_WISH_RUN "bank"), "at"), 5001); /* by the same clock */
	json_decref(answer);
	answer = ask("audit.list", json_object());
	assert_int_equal(size(answer, "records"), 3);
	assert_non_null(strstr(text(first(answer, "records"), "line"),
			       "\"what\":\"transfer.run\",\"by\":\"anna\",\"facts\":{\"transfer\":\"bank\"}"));
	json_decref(answer);
	site_down();
}

static void entries_have_limits(void **state)
{
	static char large[17000], key[1030];
	json_t *keys = json_array();

	site_up();
	memset(large, 'x', sizeof large - 1);
	memset(key, 'k', sizeof key - 1);
	for (int i = 0; i < 1001; i++)
		json_array_append_new(keys, json_string("k"));
	change_refused("table.put", json_pack("{s:s s:s s:s}", "table", "ids", "key", "a", "value", large), "16 KiB");
	change_refused("table.put", json_pack("{s:s s:s s:s}", "table", "ids", "key", key, "value", ""), "1024");
	change_refused("table.put", json_pack("{s:s s:s s:s}", "table", "Ids", "key", "a", "value", ""), "`table`");
	change_refused("table.put", json_pack("{s:s s:s}", "table", "ids", "key", "a"), "`value`");
	change_refused("table.put",
		       json_pack("{s:s s:s s:s s:s}", "table", "ids", "key", "a", "value", "", "message", "x"),
		       "`message`");
	change_refused("table.remove", json_pack("{s:s}", "table", "ids"), "`key`");
	change_refused("transfer.run", json_pack("{s:s}", "transfer", key), "1024");
	change_refused("transfer.skip", json_object(), "`transfer`");
	question_refused("table.find", json_pack("{s:s s:o}", "table", "ids", "keys", keys), "ask.request", "1000");
	question_refused("table.find", json_pack("{s:s s:[i]}", "table", "ids", "keys", 1), "ask.request", "`keys`");
	question_refused("table.list", json_object(), "ask.request", "`table`");
	site_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_of_tables_are_written_found_and_listed_by_key),
		cmocka_unit_test(a_wish_of_each_kind_stands_in_the_schedules_and_the_trail),
		cmocka_unit_test(entries_have_limits),
		cmocka_unit_test(what_is_not_known_or_badly_asked_is_named),
		cmocka_unit_test(dead_letters_are_listed_by_cause_and_page),
		cmocka_unit_test(one_letter_is_told_in_full),
		cmocka_unit_test(a_letter_is_closed_once_and_its_history_kept),
		cmocka_unit_test(a_letter_that_died_again_is_not_closed_by_the_replay_before),
		cmocka_unit_test(what_waited_behind_a_letter_goes_on_when_the_last_is_closed),
		cmocka_unit_test(a_replay_by_the_store_goes_in_front_of_what_waited),
		cmocka_unit_test(an_edited_letter_has_a_new_body_and_keeps_its_original),
	};

	return cmocka_run_group_tests_name("ask on " TEST_DATABASE, tests, databases_up, databases_down);
}
