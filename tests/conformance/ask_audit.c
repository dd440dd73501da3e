/* The audit trail in the store (operations/store.h, ask.h), the same on both databases. */
#include "config.h"
#include "tests/conformance/ask_site.h"

static struct audit_key key;

static void audit_up(void)
{
	site_up();
	memset(key.seed, 7, sizeof key.seed);
	sign_public(key.seed, key.public_key);
	site.context.audit_key = &key;
}

/* How many records there are; each line is verified. */
static int64_t verified(struct audit_check *check)
{
	struct error error = {0};
	int64_t after = 0;

	memset(check, 0, sizeof *check);
	for (;;) {
		json_t *answer = ask("audit.list", json_pack("{s:I s:i}", "after", (json_int_t)after, "limit", 10)),
		       *record;
		size_t i;

		json_array_foreach(json_object_get(answer, "records"), i, record)
			if (audit_check_line(check, span_of(text(record, "line")), &error))
				fail_msg("%s: %s", error.code, error.text);
		after = json_object_get(answer, "next") ? number(answer, "next") : 0;
		json_decref(answer);
		if (!after)
			return check->head.number;
	}
}

static void what_persons_change_leaves_records(void **state)
{
	struct audit_check check;
	json_t *answer;

	audit_up();
	change("hold.set",
	       json_pack("{s:s s:i s:s s:s}", "name", "erp", "until_ms", 9000, "reason", "upgrade", "by", "dana"));
	change("table.put",
	       json_pack("{s:s s:s s:s s:s}", "table", "ids", "key", "a", "value", "secret", "by", "dana"));
	change("table.put", json_pack("{s:s s:s s:s}", "table", "ids", "key", "b", "value", "learned")); /* by a flow */
	answer = ask("audit.list", json_object());
	assert_int_equal(size(answer, "records"), 4); /* the key, the hold, its check point, the entry */
	assert_non_null(strstr(text(json_array_get(json_object_get(answer, "records"), 1), "line"),
			       "\"what\":\"hold.set\",\"by\":\"dana\",\"facts\":{"));
	assert_null(strstr(text(json_array_get(json_object_get(answer, "records"), 3), "line"), "secret"));
	json_decref(answer);
	assert_int_equal(verified(&check), 4);
	assert_int_equal(check.signed_number, 3);
	change("audit.checkpoint", json_object());
	assert_int_equal(verified(&check), 5);
	assert_int_equal(check.signed_number, 5);
	change("audit.checkpoint", json_object()); /* nothing new to sign */
	assert_int_equal(verified(&check), 5);
	site_down();
}

static void check_points_come_after_many_records_and_with_a_new_day(void **state)
{
	struct audit_check check;

	audit_up();
	for (int i = 0; i < 200; i++)
		change("audit.note", json_pack("{s:s s:{s:i}}", "what", "received", "facts", "i", i));
	verified(&check);
	assert_int_equal(check.checkpoints, 1 + 200 / AUDIT_EVERY);
	site.context.now += 24 * 3600 * 1000;
	change("audit.note", json_pack("{s:s}", "what", "received"));
	verified(&check);
	assert_int_equal(check.checkpoints, 2 + 200 / AUDIT_EVERY);
	assert_int_equal(check.signed_number, check.head.number);
	site_down();
}

static void what_is_there_once_does_not_come_again(void **state)
{
	struct audit_check check;
	int64_t before;

	audit_up();
	change("audit.note", json_pack("{s:s s:s}", "what", "delivered", "once", "delivered 1"));
	before = verified(&check);
	change("audit.note", json_pack("{s:s s:s}", "what", "delivered", "once", "delivered 1"));
	assert_int_equal(verified(&check), before);
	change("audit.note", json_pack("{s:s s:s}", "what", "delivered", "once", "delivered 2"));
	assert_int_equal(verified(&check), before + 1);
	site_down();
}

static void a_revision_leaves_a_record_when_it_is_another(void **state)
{
	struct audit_check check;
	int64_t before;

	audit_up();
	change("revision.put", json_pack("{s:s s:s}", "revision", "aa", "ref", "r1"));
	before = verified(&check);
	change("revision.put", json_pack("{s:s s:s}", "revision", "aa", "ref", "r1"));
	assert_int_equal(verified(&check), before);
	change("revision.put", json_pack("{s:s s:s}", "revision", "bb", "ref", "r2"));
	change("revision.put", json_pack("{s:s s:s}", "revision", "aa", "ref", "r1"));
	assert_int_equal(verified(&check), before + 2);
	site_down();
}

static void a_change_that_is_rolled_back_leaves_none(void **state)
{
	json_t *request = json_pack("{s:s s:i s:s}", "name", "erp", "until_ms", 9000, "by", "dana");
	struct audit_check check;
	struct error error = {0};

	audit_up();
	assert_int_equal(site.db->ops->begin(site.db->self, &error), 0);
	assert_int_equal(ask_change(&site.context, "hold.set", request, &error), 0);
	site.db->ops->rollback(site.db->self);
	json_decref(request);
	assert_int_equal(verified(&check), 0);
	site_down();
}

static void another_key_is_announced_and_signs_from_then_on(void **state)
{
	struct audit_check check;

	audit_up();
	change("audit.note", json_pack("{s:s}", "what", "one"));
	key.seed[0] ^= 1;
	sign_public(key.seed, key.public_key);
	change("audit.note", json_pack("{s:s}", "what", "two"));
	change("audit.checkpoint", json_object());
	verified(&check);
	assert_int_equal(check.keys_count, 2);
	assert_int_equal(check.signed_number, check.head.number);
	site_down();
}

static void notes_do_not_pass_for_the_chains_own_records(void **state)
{
	audit_up();
	change_refused("audit.note", json_pack("{s:s}", "what", "checkpoint"), "`what`");
	change_refused("audit.note", json_pack("{s:s}", "what", "audit.key"), "`what`");
	change_refused("audit.note", json_pack("{s:s s:s}", "what", "a", "facts", "b"), "`facts`");
	change_refused("audit.note", json_object(), "`what`");
	site_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_persons_change_leaves_records),
		cmocka_unit_test(check_points_come_after_many_records_and_with_a_new_day),
		cmocka_unit_test(what_is_there_once_does_not_come_again),
		cmocka_unit_test(a_revision_leaves_a_record_when_it_is_another),
		cmocka_unit_test(a_change_that_is_rolled_back_leaves_none),
		cmocka_unit_test(another_key_is_announced_and_signs_from_then_on),
		cmocka_unit_test(notes_do_not_pass_for_the_chains_own_records),
	};

	return cmocka_run_group_tests_name("audit trail on " TEST_DATABASE, tests, databases_up, databases_down);
}
