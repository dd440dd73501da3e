/* The parts of the HTTP adapter that need no network: proofs, problem details, addresses, what an answer means. */
#include "config.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <jansson.h>

#include "tests/lab/http_lab.h"

#define NOW 1614265330000LL
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

/* The example that Standard Webhooks publishes. */
static struct http_proof example(void)
{
	return (struct http_proof){.id = SPAN_LITERAL("msg_p5jXN8AQM9LWM0D4loKWxJek"),
				   .timestamp = SPAN_LITERAL("1614265330"),
				   .signature = SPAN_LITERAL(SIGNATURE),
				   .body = SPAN_LITERAL("{\"test\": 2432232314}")};
}

static int verify(const char *secrets, const struct http_proof *proof, int64_t now, struct error *error)
{
	struct http_keys keys = {0};
	int result;

	assert_int_equal(http_keys_add(&keys, span_of(secrets), true, error), 0);
	result = http_webhook_verify(&keys, proof, now, error);
	http_keys_free(&keys);
	return result;
}

static void the_published_signature_is_accepted(void **state)
{
	struct http_proof proof = example();
	struct error error;

	assert_int_equal(verify(SECRET, &proof, NOW, &error), 0);
	assert_int_equal(verify("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &proof, NOW, &error), 0);
}

static void any_changed_part_is_refused(void **state)
{
	struct error error;

	for (int part = 0; part < 4; part++) {
		struct http_proof proof = example();

		if (part == 0)
			proof.id = SPAN_LITERAL("msg_p5jXN8AQM9LWM0D4loKWxJel");
		else if (part == 1)
			proof.timestamp = SPAN_LITERAL("1614265331");
		else if (part == 2)
			proof.body = SPAN_LITERAL("{\"test\": 2432232315}");
		else
			proof.signature = SPAN_LITERAL("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLK1OE=");
		assert_int_equal(verify(SECRET, &proof, NOW, &error), -1);
		assert_string_equal(error.code, "webhook.signature");
	}
}

static void signatures_of_both_keys_of_a_rotation_are_accepted(void **state)
{
	struct http_proof proof = example();
	struct error error;

	assert_int_equal(verify("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" SECRET "\n", &proof, NOW, &error), 0);
	proof.signature = SPAN_LITERAL("v1a,xx v1,AAAA  v1,!!!! " SIGNATURE " v2,zz");
	assert_int_equal(verify(SECRET, &proof, NOW, &error), 0);
	assert_int_equal(verify("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &proof, NOW, &error), -1);
}

static void a_flood_of_signatures_is_not_all_tried(void **state)
{
	struct http_proof proof = example();
	struct error error;
	struct buf many;

	buf_init(&many, 10000);
	for (int i = 0; i < 50; i++)
		buf_text(&many, "v1,AAAA ");
	buf_text(&many, SIGNATURE);
	proof.signature = buf_view(&many);
	assert_int_equal(verify(SECRET, &proof, NOW, &error), -1);
	buf_free(&many);
}

static void five_minutes_are_tolerated_and_no_more(void **state)
{
	static const char *const bad[] = {"", "x", "-5", "1614265330x", "99999999999999999999"};
	struct http_proof proof = example();
	struct error error;

	assert_int_equal(verify(SECRET, &proof, NOW + 299999, &error), 0);
	assert_int_equal(verify(SECRET, &proof, NOW - 299999, &error), 0);
	assert_int_equal(verify(SECRET, &proof, NOW + 300001, &error), -1);
	assert_string_equal(error.code, "webhook.timestamp");
	assert_int_equal(verify(SECRET, &proof, NOW - 300001, &error), -1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		proof.timestamp = span_of(bad[i]);
		assert_int_equal(verify(SECRET, &proof, NOW, &error), -1);
	}
}

static void what_is_signed_here_is_verified_here_also_with_a_long_key(void **state)
{
	struct http_proof proof = {.id = SPAN_LITERAL("a"), .timestamp = SPAN_LITERAL("1614265330")};
	char key[101];
	struct secret *secret;
	struct buf out;

	memset(key, 'x', 100);
	secret = secret_from(span_make(key, 100));
	buf_init(&out, 100);
	http_webhook_sign(secret, &proof, &out);
	assert_string_equal(out.data, "v1,U0gpbabQ7f9t+iRW+YbI91xjO1T8iyA8MOCKuLtBsYc=");
	buf_free(&out);
	secret_free(secret);
}

static void secrets_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {"", " \n", "whsec_", "whsec_!!!", "a a a a a a a a a"};
	struct error error;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct http_keys keys = {0};

		assert_int_equal(http_keys_add(&keys, span_of(bad[i]), true, &error), -1);
		assert_string_equal(error.code, "secret.form");
		http_keys_free(&keys);
	}
}

static void a_bearer_key_must_fit_exactly(void **state)
{
	static const struct {
		const char *header;
		int result;
	} cases[] = {{"Bearer s3cret", 0},
		     {"bearer  s3cret", 0},
		     {"Bearer s3cre", -1},
		     {"Bearer s3crett", -1},
		     {"Basic s3cret", -1},
		     {"Bearer", -1},
		     {"", -1},
		     {"Bearer old", 0}};
	struct http_keys keys = {0};
	struct error error;

	http_keys_add(&keys, SPAN_LITERAL("s3cret old"), false, &error);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_proof proof = {.authorization = span_of(cases[i].header)};

		assert_int_equal(http_bearer_verify(&keys, &proof, &error), cases[i].result);
	}
	http_keys_free(&keys);
}

static void credentials_never_travel_with_a_document(void **state)
{
	static const char *const kept[] = {"Content-Type", "webhook-id", "Webhook-Timestamp", "User-Agent", "X-Shop",
					   "traceparent",  "ce-type"};
	static const char *const dropped[] = {"Authorization",
					      "webhook-signature",
					      "X-Hub-Signature-256",
					      "Cookie",
					      "X-Api-Key",
					      "X-Auth-Token",
					      "Proxy-Authorization",
					      "Host",
					      "Accept",
					      "X-Client-Secret",
					      ""};

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		assert_true(http_header_kept(span_of(kept[i])));
	for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
		assert_false(http_header_kept(span_of(dropped[i])));
}

static void errors_get_the_status_that_fits(void **state)
{
	static const struct {
		enum error_class class;
		const char *code;
		unsigned status;
	} cases[] = {{ERROR_RETRY, "site.full", 503},
		     {ERROR_DOUBT, "x", 503},
		     {ERROR_FATAL, "queue.gone", 500},
		     {ERROR_REJECT, "seen.conflict", 422},
		     {ERROR_REJECT, "document.too-large", 413},
		     {ERROR_REJECT, "webhook.signature", 401},
		     {ERROR_REJECT, "other", 400}};
	struct error error;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		error_set(&error, cases[i].class, cases[i].code, "text");
		assert_int_equal(http_error_status(&error), cases[i].status);
	}
}

static void a_problem_tells_strangers_nothing_of_our_insides(void **state)
{
	struct error error;
	struct buf out;
	json_t *problem;

	buf_init(&out, 4096);
	error_set(&error, ERROR_RETRY, "vault.disk", "cannot write /srv/ferrule/data/vault");
	http_problem(&out, 503, &error);
	assert_null(strstr(out.data, "/srv"));
	assert_null(strstr(out.data, "vault"));
	buf_reset(&out);
	error_set(&error, ERROR_REJECT, "seen.conflict", "the id \"a\" came before with \xff another payload");
	http_problem(&out, 422, &error);
	problem = json_loadb(out.data, out.len, 0, NULL);
	assert_non_null(problem);
	assert_int_equal(json_integer_value(json_object_get(problem, "status")), 422);
	assert_string_equal(json_string_value(json_object_get(problem, "code")), "seen.conflict");
	json_decref(problem);
	buf_free(&out);
}

/* ---- addresses ------------------------------------------------------------------------------------------------------
 */
struct addressed {
	struct arena *arena;
	struct message *message;
	struct error error;
	int result;
};

static struct addressed address(const char *settings, const char *body)
{
	struct addressed made = {.arena = arena_new(), .message = message_new()};
	struct endpoint *endpoint =
		lab_endpoint(made.arena, "e", "/",
			     lab_settings(made.arena, http_target_options, sizeof(struct http_target), settings));
	struct expression_input input = {.body = json_loads(body, 0, NULL)};

	made.result = http_target_address(endpoint, &input, made.message, &made.error);
	json_decref(input.body);
	return made;
}

static void addressed_free(struct addressed *made)
{
	message_free(made->message);
	arena_free(made->arena);
}

static void expect_url(const char *settings, const char *body, const char *url)
{
	struct addressed made = address(settings, body);

	if (made.result)
		fail_msg("%s: %s", settings, made.error.text);
	assert_true(span_is(message_attr_find(made.message, "url"), url));
	addressed_free(&made);
}

static void expect_refused(const char *settings, const char *body, const char *code)
{
	struct addressed made = address(settings, body);

	assert_int_equal(made.result, -1);
	assert_int_equal(made.error.class, ERROR_REJECT);
	assert_string_equal(made.error.code, code);
	addressed_free(&made);
}

static void values_are_escaped_on_their_way_into_a_url(void **state)
{
	expect_url("{\"url\":\"https://erp.example/orders\"}", "{}", "https://erp.example/orders");
	expect_url("{\"url\":\"https://erp.example/o/$(.n)?q=$(.q)\"}", "{\"n\":\"a/b c?d#e%\",\"q\":\"\xc3\xa9&x=1\"}",
		   "https://erp.example/o/a%2Fb%20c%3Fd%23e%25?q=%C3%A9%26x%3D1");
	expect_url("{\"url\":\"https://erp.example/api/\",\"path\":\"/orders/$(.n)\"}", "{\"n\":7}",
		   "https://erp.example/api/orders/7");
	expect_url("{\"url\":\"https://erp.example\",\"path\":\"orders\"}", "{}", "https://erp.example/orders");
	expect_url("{\"url\":\"https://erp.example/o?note=$(.note)\"}", "{}", "https://erp.example/o?note=");
}

static void a_url_cannot_be_turned_elsewhere_by_a_value(void **state)
{
	expect_refused("{\"url\":\"https://erp.example/o/$(.n)\"}", "{\"n\":\"\"}", "http.address");
	expect_refused("{\"url\":\"https://erp.example/o/$(.n)\"}", "{\"n\":\"..\"}", "http.address");
	expect_refused("{\"url\":\"https://erp.example/o/$(.n)/lines\"}", "{\"n\":\".\"}", "http.address");
	expect_refused("{\"url\":\"https://erp.example/o/$(.a)$(.a)\"}", "{\"a\":\".\"}", "http.address");
	expect_refused("{\"url\":\"$(.url)\"}", "{\"url\":\"http://169.254.169.254/\"}", "http.address");
	expect_refused("{\"url\":\"ftp://erp.example/\"}", "{}", "http.address");
	expect_refused("{\"url\":\"https://user:word@erp.example/\"}", "{}", "http.address");
	expect_refused("{\"url\":\"https://erp.example/a b\"}", "{}", "http.address");
	expect_refused("{\"url\":\"https://\"}", "{}", "http.address");
}

static void a_header_cannot_be_broken_by_a_value(void **state)
{
	struct addressed made = address("{\"url\":\"http://h/\",\"method\":\"PUT\",\"headers\":{\"X-Order\":\"no "
					"$(.n)\",\"X-None\":\"$(.none)\"}}",
					"{\"n\":\"7\"}");

	assert_int_equal(made.result, 0);
	assert_true(span_is(message_attr_find(made.message, "header.X-Order"), "no 7"));
	assert_int_equal(message_attr_find(made.message, "header.X-None").len, 0);
	assert_true(span_is(message_attr_find(made.message, "method"), "PUT"));
	addressed_free(&made);
	expect_refused("{\"url\":\"http://h/\",\"headers\":{\"X-Order\":\"$(.n)\"}}", "{\"n\":\"7\\r\\nX-Evil: 1\"}",
		       "http.header");
	expect_refused("{\"url\":\"http://h/\",\"headers\":{\"X-Order\":\"$(.n)\"}}", "{\"n\":\"7\\n\"}",
		       "http.header");
	expect_refused("{\"url\":\"http://h/\",\"headers\":{\"Content-Length\":\"5\"}}", "{}", "http.header");
	expect_refused("{\"url\":\"http://h/\",\"headers\":{\"X Order\":\"5\"}}", "{}", "http.header");
}

/* ---- what an answer means
 * --------------------------------------------------------------------------------------------- */
struct meaning {
	unsigned status;
	bool begun, broken, cut;
	enum error_class keyed, plain;
	enum error_scope scope; /* with a key */
};

static void every_outcome_has_its_class(void **state)
{
	static const struct meaning table[] = {
		{200, true, false, false, ERROR_NONE, ERROR_NONE, 0},
		{204, true, false, false, ERROR_NONE, ERROR_NONE, 0},
		{200, true, true, true, ERROR_NONE, ERROR_NONE, 0},
		{200, true, true, false, ERROR_DOUBT, ERROR_DOUBT, 0},
		{0, false, true, false, ERROR_RETRY, ERROR_RETRY, SCOPE_ENDPOINT},
		{0, true, true, false, ERROR_DOUBT, ERROR_DOUBT, 0},
		{301, true, false, false, ERROR_REJECT, ERROR_REJECT, 0},
		{400, true, false, false, ERROR_REJECT, ERROR_REJECT, 0},
		{400, true, true, false, ERROR_REJECT, ERROR_REJECT, 0},
		{401, true, false, false, ERROR_RETRY, ERROR_RETRY, SCOPE_ENDPOINT},
		{404, true, false, false, ERROR_REJECT, ERROR_REJECT, 0},
		{408, true, false, false, ERROR_RETRY, ERROR_RETRY, SCOPE_MESSAGE},
		{409, true, false, false, ERROR_DOUBT, ERROR_REJECT, 0},
		{422, true, false, false, ERROR_REJECT, ERROR_REJECT, 0},
		{425, true, false, false, ERROR_RETRY, ERROR_RETRY, SCOPE_MESSAGE},
		{429, true, false, false, ERROR_RETRY, ERROR_RETRY, SCOPE_ENDPOINT},
		{500, true, false, false, ERROR_DOUBT, ERROR_DOUBT, 0},
		{501, true, false, false, ERROR_REJECT, ERROR_REJECT, 0},
		{502, true, false, false, ERROR_DOUBT, ERROR_DOUBT, 0},
		{503, true, false, false, ERROR_RETRY, ERROR_RETRY, SCOPE_ENDPOINT},
		{504, true, false, false, ERROR_DOUBT, ERROR_DOUBT, 0},
		{599, true, false, false, ERROR_DOUBT, ERROR_DOUBT, 0},
	};
	struct http_target settings = {0};
	struct endpoint endpoint = {.name = "e", .settings = &settings};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct meaning *m = &table[i];
		struct http_answer answer = {
			.status = m->status, .begun = m->begun, .broken = m->broken, .cut = m->cut};
		struct error error;

		endpoint.effect.kind = EFFECT_KEY;
		http_judge(&endpoint, &answer, &error);
		if (error.class != m->keyed || (m->keyed == ERROR_RETRY && error.scope != m->scope))
			fail_msg("%u with a key: %s", m->status, error.text);
		endpoint.effect.kind = EFFECT_NONE;
		http_judge(&endpoint, &answer, &error);
		if (error.class != m->plain)
			fail_msg("%u without a key: %s", m->status, error.text);
	}
}

static void declared_successes_are_the_only_ones(void **state)
{
	const char *items[] = {"200-202", "404"}, *wrong[] = {"2x"};
	struct http_target settings = {.success = {items, 2}};
	struct endpoint endpoint = {.settings = &settings};
	struct text_list bad = {wrong, 1};
	struct error error;

	for (unsigned status = 200; status < 500; status++) {
		struct http_answer answer = {.status = status, .begun = true};

		http_judge(&endpoint, &answer, &error);
		assert_int_equal(error.class == ERROR_NONE, (status >= 200 && status <= 202) || status == 404);
	}
	assert_int_equal(http_success_check(&settings.success, &error), 0);
	assert_int_equal(http_success_check(&bad, &error), -1);
}

static void retry_after_is_read_in_both_forms_and_bounded(void **state)
{
	assert_int_equal(http_retry_after(SPAN_LITERAL("120"), NOW), 120000);
	assert_int_equal(http_retry_after(SPAN_LITERAL(" 120 "), NOW), 120000);
	assert_int_equal(http_retry_after(SPAN_LITERAL("99999999999999999999"), NOW), 86400000);
	assert_int_equal(http_retry_after(SPAN_LITERAL("Thu, 25 Feb 2021 15:03:10 GMT"), NOW), 60000);
	assert_int_equal(http_retry_after(SPAN_LITERAL("Thu, 25 Feb 2021 15:01:10 GMT"), NOW), 0);
	assert_int_equal(http_retry_after(SPAN_LITERAL("Thu, 25 Feb 2221 15:01:10 GMT"), NOW), 86400000);
	assert_int_equal(http_retry_after(SPAN_LITERAL("soon"), NOW), 0);
	assert_int_equal(http_retry_after(SPAN_LITERAL("12x"), NOW), 0);
	assert_int_equal(http_retry_after(SPAN_LITERAL("-5"), NOW), 0);
	assert_int_equal(http_retry_after(SPAN_NONE, NOW), 0);
}

static void a_refusals_text_is_made_fit_for_a_line(void **state)
{
	struct http_target settings = {0};
	struct endpoint endpoint = {.settings = &settings};
	struct http_answer answer = {.status = 422, .begun = true};
	char hostile[3000];
	struct error error;

	answer.body = SPAN_LITERAL("{\"detail\":\n\t\"no such\x1b[31m customer \xc3\xa9 \xff\xfe\"}\0x");
	http_judge(&endpoint, &answer, &error);
	assert_string_equal(error.code, "http.status-422");
	assert_string_equal(error.text, "the target answered 422: {\"detail\": \"no such [31m customer \xc3\xa9 ?"
					"?\"} x");
	memset(hostile, '\xe2', sizeof hostile);
	answer.body = span_make(hostile, sizeof hostile);
	http_judge(&endpoint, &answer, &error);
	assert_true(strlen(error.text) < 560);
	assert_null(strchr(error.text, '\xe2'));
}

static void a_receipt_is_json_whatever_the_target_says(void **state)
{
	struct http_answer answer = {.status = 201,
				     .took_ms = 12,
				     .location = SPAN_LITERAL("/orders/\"7\"\xff"),
				     .request_id = SPAN_LITERAL("r-1")};
	struct buf out;
	json_t *receipt;

	buf_init(&out, 4096);
	http_receipt(&answer, "http://h/x", &out);
	receipt = json_loadb(out.data, out.len, 0, NULL);
	assert_non_null(receipt);
	assert_int_equal(json_integer_value(json_object_get(receipt, "status")), 201);
	assert_string_equal(json_string_value(json_object_get(receipt, "location")), "/orders/\"7\"?");
	assert_string_equal(json_string_value(json_object_get(receipt, "request")), "r-1");
	json_decref(receipt);
	buf_free(&out);
}

static void the_option_tables_bring_the_defaults(void **state)
{
	struct arena *arena = arena_new();
	const struct http_target *target =
		lab_settings(arena, http_target_options, sizeof *target, "{\"url\":\"http://h/\"}");
	const struct http_listen *listen = lab_settings(arena, http_listen_options, sizeof *listen, "{}");
	const struct http_webhook *hook = lab_settings(arena, http_webhook_options, sizeof *hook,
						       "{\"webhook\":\"/a\",\"secret\":{\"secret\":\"s\"}}");

	assert_int_equal(target->method, HTTP_POST);
	assert_int_equal(target->timeout_ms, 30000);
	assert_int_equal(target->parallel, 4);
	assert_string_equal(target->idempotency, "Idempotency-Key");
	assert_null(target->auth.bearer);
	assert_string_equal(listen->address, "127.0.0.1");
	assert_int_equal(listen->port, 8080);
	assert_int_equal(listen->max, 10 * 1024 * 1024);
	assert_int_equal(hook->verify, HTTP_VERIFY_STANDARD);
	assert_string_equal(hook->secret, "s");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_signature_is_accepted),
		cmocka_unit_test(any_changed_part_is_refused),
		cmocka_unit_test(signatures_of_both_keys_of_a_rotation_are_accepted),
		cmocka_unit_test(a_flood_of_signatures_is_not_all_tried),
		cmocka_unit_test(five_minutes_are_tolerated_and_no_more),
		cmocka_unit_test(what_is_signed_here_is_verified_here_also_with_a_long_key),
		cmocka_unit_test(secrets_that_are_none_are_refused),
		cmocka_unit_test(a_bearer_key_must_fit_exactly),
		cmocka_unit_test(credentials_never_travel_with_a_document),
		cmocka_unit_test(errors_get_the_status_that_fits),
		cmocka_unit_test(a_problem_tells_strangers_nothing_of_our_insides),
		cmocka_unit_test(values_are_escaped_on_their_way_into_a_url),
		cmocka_unit_test(a_url_cannot_be_turned_elsewhere_by_a_value),
		cmocka_unit_test(a_header_cannot_be_broken_by_a_value),
		cmocka_unit_test(every_outcome_has_its_class),
		cmocka_unit_test(declared_successes_are_the_only_ones),
		cmocka_unit_test(retry_after_is_read_in_both_forms_and_bounded),
		cmocka_unit_test(a_refusals_text_is_made_fit_for_a_line),
		cmocka_unit_test(a_receipt_is_json_whatever_the_target_says),
		cmocka_unit_test(the_option_tables_bring_the_defaults),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
