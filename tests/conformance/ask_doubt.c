/* Doubts, effects, status and the rest of operations/ask.h, the same on both databases. */
#include "config.h"
#include "tests/conformance/ask_site.h"

static void a_doubt_is_confirmed_by_a_person_with_the_first_digits_of_its_key(void **state)
{
	char hex[ID_TEXT], prefix[13];
	json_t *answer;
	struct id key;

	site_up();
	key = doubt(1, "crm");
	doubt(2, "erp");
	id_hex(&key, hex);
	snprintf(prefix, sizeof prefix, "%.12s", hex);
	answer = ask("doubt.list", json_object());
	assert_int_equal(size(answer, "doubts"), 2);
	assert_string_equal(text(first(answer, "doubts"), "key"), hex);
	assert_string_equal(text(first(answer, "doubts"), "reason"), "no answer in 30s");
	assert_string_equal(text(json_array_get(json_object_get(first(answer, "doubts"), "keys"), 0), "value"), "PO-1");
	json_decref(answer);
	answer = ask("doubt.list", json_pack("{s:s s:i}", "endpoint", "erp", "limit", 1));
	assert_int_equal(size(answer, "doubts"), 1);
	json_decref(answer);
	answer = ask("doubt.get", json_pack("{s:s}", "key", prefix));
	assert_base64(answer, "body", SPAN_LITERAL("sent"));
	assert_string_equal(text(answer, "state"), "doubt");
	json_decref(answer);
	for (int twice = 0; twice < 2; twice++)
		change("doubt.confirmed",
		       json_pack("{s:s s:s s:s}", "key", prefix, "note", "seen in the CRM", "by", "anna"));
	answer = ask("doubt.get", json_pack("{s:s}", "key", hex));
	assert_string_equal(text(answer, "state"), "delivered");
	assert_string_equal(text(json_object_get(answer, "receipt"), "note"), "seen in the CRM");
	assert_int_equal(size(answer, "history"), 1);
	json_decref(answer);
	change_refused("doubt.resend", json_pack("{s:s}", "key", hex), "receipt");
	site_down();
}

static void a_resent_doubt_comes_again_by_itself_and_may_be_done(void **state)
{
	struct message *m = message_made(1);
	struct buf envelope = encoded(m);
	struct intention intention;
	struct store_intent in = {.request = &m->id,
				  .endpoint = "crm",
				  .session = SPAN_LITERAL("s"),
				  .message = m,
				  .envelope = buf_view(&envelope)};
	char hex[ID_TEXT], seen[100] = "";
	struct id key;

	site_up();
	key = doubt(1, "crm");
	id_hex(&key, hex);
	for (int twice = 0; twice < 2; twice++)
		change("doubt.resend", json_pack("{s:s}", "key", hex));
	assert_int_equal(site.parks_changed, 1);
	assert_int_equal(database_number(site.db, "SELECT count(*) FROM parks"), 1);
	assert_done(store_park_due(site.context.store, 5000, 10, take_park, seen, done));
	assert_string_equal(seen, "out.crm sent doubt.resend");
	in.key = &key;
	assert_done(store_intend(site.context.store, &in, NULL, NULL, &intention, done));
	assert_int_equal(intention.answer, INTENT_GO);
	buf_free(&envelope);
	message_free(m);
	site_down();
}

static void the_effects_of_a_message_are_found(void **state)
{
	struct message *m = message_made(1);
	struct id key = effect_key("erp", m);
	char hex[ID_TEXT];
	json_t *answer;

	site_up();
	doubt(1, "crm");
	assert_done(store_effect(site.context.store, &key, OUTCOME_DELIVERED, m, "erp", SPAN_NONE, SPAN_NONE,
				 SPAN_LITERAL("{\"path\":\"a.xml\"}"), 1000, done));
	id_hex(&m->id, hex);
	answer = ask("effect.find", json_pack("{s:s}", "message", hex));
	assert_int_equal(size(answer, "effects"), 2);
	assert_string_equal(text(first(answer, "effects"), "state"), "delivered");
	assert_string_equal(text(json_object_get(first(answer, "effects"), "receipt"), "path"), "a.xml");
	assert_int_equal(number(first(answer, "effects"), "done_ms"), 1000);
	json_decref(answer);
	answer = ask("effect.find", json_pack("{s:s s:s}", "message", hex, "endpoint", "crm"));
	assert_int_equal(size(answer, "effects"), 1);
	json_decref(answer);
	message_free(m);
	site_down();
}

static void status_tells_what_is_stored_with_and_without_a_running_site(void **state)
{
	json_t *answer, *problem;

	site_up();
	for (unsigned i = 1; i <= 12; i++)
		die(i, "jq.error", 0);
	doubt(20, "crm");
	park("in.orders", 9000, 0);
	park("out.erp", INT64_MAX, 4);
	change("hold.set",
	       json_pack("{s:s s:i s:s s:s}", "name", "erp", "until_ms", 9000, "reason", "upgrade", "by", "anna"));
	assert_int_equal(site.holds_changed, 1);
	answer = ask("status", json_object());
	assert_string_equal(text(answer, "site"), "acme");
	assert_int_equal(number(answer, "dead"), 12);
	assert_int_equal(number(answer, "doubt"), 1);
	assert_int_equal(number(answer, "parked"), 2);
	assert_int_equal(number(first(answer, "queues"), "ready"), 3);
	assert_int_equal(number(first(answer, "queues"), "parked"), 1);
	assert_string_equal(text(first(answer, "holds"), "by"), "anna");
	assert_int_equal(size(answer, "problems"), 3);
	problem = first(answer, "problems");
	assert_string_equal(text(problem, "what"), "12 dead letters of flow orders: jq.error in map:a.jq");
	assert_string_equal(text(problem, "owner"), "order-management");
	assert_string_equal(text(problem, "runbook"), "docs/orders.md");
	assert_string_equal(text(problem, "next"), "ferrule dead list --flow orders --cause jq.error");
	assert_int_equal(number(problem, "since"), 1001);
	assert_int_equal(size(problem, "keys"), 10);
	problem = json_array_get(json_object_get(answer, "problems"), 1);
	assert_string_equal(text(problem, "next"), "ferrule doubt list --endpoint crm");
	assert_string_equal(json_string_value(json_array_get(json_object_get(problem, "keys"), 0)), "PO-20");
	json_decref(answer);
	site.context.live = NULL;
	answer = ask("status", json_object());
	assert_int_equal(number(answer, "dead"), 12);
	assert_int_equal(size(answer, "queues"), 2);
	json_decref(answer);
	change("hold.release", json_pack("{s:s}", "name", "erp"));
	change("hold.release", json_pack("{s:s}", "name", "erp"));
	assert_int_equal(site.holds_changed, 2);
	answer = ask("holds", json_object());
	assert_int_equal(size(answer, "holds"), 0);
	json_decref(answer);
	site_down();
}

static void a_site_is_idle_when_only_a_person_can_move_what_is_left(void **state)
{
	json_t *answer;

	site_up();
	park("out.erp", INT64_MAX, 4);
	answer = ask("idle", json_object());
	assert_true(json_is_true(json_object_get(answer, "idle")));
	json_decref(answer);
	park("out.crm", 9000, 0);
	answer = ask("idle", json_object());
	assert_false(json_is_true(json_object_get(answer, "idle")));
	assert_int_equal(number(answer, "parked"), 1);
	json_decref(answer);
	site_down();
}

static void revisions_and_pins_are_told(void **state)
{
	json_t *answer;

	site_up();
	change("revision.put", json_pack("{s:s s:s}", "revision", "aa11", "ref", "f:cc:10"));
	answer = ask("revision", json_pack("{s:s}", "revision", "aa11"));
	assert_string_equal(text(answer, "ref"), "f:cc:10");
	json_decref(answer);
	die(1, "jq.error", 0);
	answer = ask("pins", json_object());
	assert_int_equal(size(answer, "refs"), 3);
	json_decref(answer);
	site_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_doubt_is_confirmed_by_a_person_with_the_first_digits_of_its_key),
		cmocka_unit_test(a_resent_doubt_comes_again_by_itself_and_may_be_done),
		cmocka_unit_test(the_effects_of_a_message_are_found),
		cmocka_unit_test(status_tells_what_is_stored_with_and_without_a_running_site),
		cmocka_unit_test(a_site_is_idle_when_only_a_person_can_move_what_is_left),
		cmocka_unit_test(revisions_and_pins_are_told),
	};

	return cmocka_run_group_tests_name("doubts and status on " TEST_DATABASE, tests, databases_up, databases_down);
}
