/* Questions and changes (operations/ask.h), the same on both databases. */
#include "config.h"
#include "operations/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/conformance/databases.h"

static struct {
	struct db *db;
	struct ask_context context;
	unsigned parks_changed, holds_changed;
} site;

static unsigned sites;

static void parks_changed(void *engine)
{
	site.parks_changed++;
}

static void holds_changed(void *engine)
{
	site.holds_changed++;
}

static int live(void *engine, const char *question, json_t *answer, struct error *error)
{
	if (!strcmp(question, "idle"))
		return json_object_update_new(answer, json_pack("{s:i s:i s:i}", "ready", 0, "unsettled", 0, "unrecorded", 0));
	return json_object_update_new(answer, json_pack("{s:s s:[{s:s s:s s:s s:s s:s s:i}]}", "site", "acme", "queues", "name", "in.orders", "flow",
							"orders", "endpoint", "", "owner", "order-management", "runbook", "docs/orders.md", "ready", 3));
}

static void site_up(void)
{
	char name[32];

	snprintf(name, sizeof name, "ask_%u", ++sites);
	memset(&site, 0, sizeof site);
	site.db = database_open(TEST_DATABASE, name);
	site.context = (struct ask_context){.store = store_open(site.db, done), .now = 5000, .live = live, .holds_changed = holds_changed,
					    .parks_changed = parks_changed};
	assert_non_null(site.context.store);
}

static void site_down(void)
{
	store_close(site.context.store);
	database_close(site.db);
}

static json_t *ask(const char *name, json_t *request)
{
	json_t *answer = NULL;

	assert_non_null(request);
	assert_done(ask_question(&site.context, name, request, &answer, done));
	json_decref(request);
	return answer;
}

static void change(const char *name, json_t *request)
{
	assert_non_null(request);
	assert_done(site.db->ops->begin(site.db->self, done));
	assert_done(ask_change(&site.context, name, request, done));
	assert_done(site.db->ops->commit(site.db->self, done));
	json_decref(request);
}

static void refused(int status, const struct error *error, const char *code, const char *field)
{
	assert_int_equal(status, -1);
	assert_int_equal(error->class, ERROR_REJECT);
	assert_string_equal(error->code, code);
	assert_non_null(strstr(error->text, field));
}

static void question_refused(const char *name, json_t *request, const char *code, const char *field)
{
	struct error error = {0};
	json_t *answer;

	refused(ask_question(&site.context, name, request, &answer, &error), &error, code, field);
	assert_null(answer);
	json_decref(request);
}

static void change_refused(const char *name, json_t *request, const char *field)
{
	struct error error = {0};

	refused(ask_change(&site.context, name, request, &error), &error, "ask.request", field);
	json_decref(request);
}

static const char *text(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static long long number(json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static json_t *first(json_t *answer, const char *name)
{
	return json_array_get(json_object_get(answer, name), 0);
}

static size_t size(json_t *answer, const char *name)
{
	return json_array_size(json_object_get(answer, name));
}

/* ---- what there is to ask about */

static struct message *message_made(unsigned n)
{
	struct message *m = message_new();
	char name[32];

	snprintf(name, sizeof name, "PO-%u", n);
	m->id = id_digest(span_of(name));
	message_set(m, &m->flow, SPAN_LITERAL("orders"));
	message_set(m, &m->origin.name, SPAN_LITERAL("acme.edi"));
	message_set(m, &m->origin.ref, SPAN_LITERAL("f:aa:100"));
	message_set(m, &m->body_ref, SPAN_LITERAL("f:bb:90000"));
	message_key(m, SPAN_LITERAL(".number"), span_of(name), NULL);
	message_key(m, SPAN_LITERAL(".customer"), SPAN_LITERAL("C\xff"), NULL); /* no UTF-8 */
	return m;
}

static struct buf encoded(const struct message *m)
{
	struct buf buf;

	buf_init(&buf, MESSAGE_ENVELOPE_MAX);
	assert_done(message_encode(m, &buf, done));
	return buf;
}

static void die(unsigned n, const char *code, uint64_t order_key)
{
	struct message *m = message_made(n);
	struct buf envelope;
	struct error why = {0};
	struct dead dead = {.message = m, .queue = "in.orders", .step = "map:a.jq", .position = SPAN_LITERAL("line 3"), .content = SPAN_LITERAL("\0\1"),
			    .why = &why};

	if (order_key)
		message_order(m, SPAN_LITERAL("orders"), order_key);
	envelope = encoded(m);
	error_set(&why, ERROR_REJECT, code, "because of %s", code);
	assert_done(store_dead_put(site.context.store, &dead, buf_view(&envelope), SPAN_LITERAL("old body"), 1000 + n, done));
	buf_free(&envelope);
	message_free(m);
}

static struct id doubt(unsigned n, const char *endpoint)
{
	struct message *m = message_made(n);
	struct buf envelope = encoded(m);
	struct id key = effect_key(endpoint, m);

	assert_done(store_effect(site.context.store, &key, OUTCOME_DOUBT, m, endpoint, buf_view(&envelope), SPAN_LITERAL("sent"),
				 SPAN_LITERAL("{\"reason\":\"no answer in 30s\",\"status\":0}"), 2000 + n, done));
	buf_free(&envelope);
	message_free(m);
	return key;
}

static void park(const char *queue, int64_t due, uint64_t order_key)
{
	struct message *m = message_made(77);
	struct buf envelope = encoded(m);
	struct store_park p = {.queue = queue, .due = due, .order_key = order_key, .message_id = id_span(&m->id), .envelope = buf_view(&envelope)};

	assert_done(store_park_put(site.context.store, &p, 3000, done));
	buf_free(&envelope);
	message_free(m);
}

static int take_park(void *arg, const struct store_park *p)
{
	snprintf(arg, 100, "%s %.*s %s", p->queue, SPAN_ARGS(p->body), p->why ? p->why->code : "");
	return 1;
}

static void assert_base64(json_t *object, const char *name, struct span expected)
{
	struct buf bytes;

	buf_init(&bytes, 1u << 20);
	assert_int_equal(base64_decode(&bytes, span_of(text(object, name))), 0);
	assert_true(span_equal(buf_view(&bytes), expected));
	buf_free(&bytes);
}

/* ---- */

static void what_is_not_known_or_badly_asked_is_named(void **state)
{
	struct error error = {0};

	site_up();
	question_refused("weather", json_object(), "ask.unknown", "weather");
	refused(ask_change(&site.context, "weather", json_object(), &error), &error, "ask.unknown", "weather");
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
	assert_string_equal(text(json_array_get(json_object_get(first(answer, "letters"), "keys"), 1), "value"), "PO-1");
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
	change_refused("dead.edited", json_pack("{s:i s:s%}", "number", 1, "body", base64.data, base64.len), "too large");
	change("dead.discarded", json_pack("{s:i s:s}", "number", 1, "reason", "done"));
	change_refused("dead.edited", json_pack("{s:i s:s}", "number", 1, "body", ""), "closed");
	buf_free(&base64);
	site_down();
}

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
		change("doubt.confirmed", json_pack("{s:s s:s s:s}", "key", prefix, "note", "seen in the CRM", "by", "anna"));
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
	struct store_intent in = {.request = &m->id, .endpoint = "crm", .session = SPAN_LITERAL("s"), .message = m, .envelope = buf_view(&envelope)};
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
	assert_done(store_effect(site.context.store, &key, OUTCOME_DELIVERED, m, "erp", SPAN_NONE, SPAN_NONE, SPAN_LITERAL("{\"path\":\"a.xml\"}"), 1000, done));
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
	change("hold.set", json_pack("{s:s s:i s:s s:s}", "name", "erp", "until_ms", 9000, "reason", "upgrade", "by", "anna"));
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
		cmocka_unit_test(what_is_not_known_or_badly_asked_is_named),
		cmocka_unit_test(dead_letters_are_listed_by_cause_and_page),
		cmocka_unit_test(one_letter_is_told_in_full),
		cmocka_unit_test(a_letter_is_closed_once_and_its_history_kept),
		cmocka_unit_test(a_letter_that_died_again_is_not_closed_by_the_replay_before),
		cmocka_unit_test(what_waited_behind_a_letter_goes_on_when_the_last_is_closed),
		cmocka_unit_test(a_replay_by_the_store_goes_in_front_of_what_waited),
		cmocka_unit_test(an_edited_letter_has_a_new_body_and_keeps_its_original),
		cmocka_unit_test(a_doubt_is_confirmed_by_a_person_with_the_first_digits_of_its_key),
		cmocka_unit_test(a_resent_doubt_comes_again_by_itself_and_may_be_done),
		cmocka_unit_test(the_effects_of_a_message_are_found),
		cmocka_unit_test(status_tells_what_is_stored_with_and_without_a_running_site),
		cmocka_unit_test(a_site_is_idle_when_only_a_person_can_move_what_is_left),
		cmocka_unit_test(revisions_and_pins_are_told),
	};

	return cmocka_run_group_tests_name("ask on " TEST_DATABASE, tests, databases_up, databases_down);
}
