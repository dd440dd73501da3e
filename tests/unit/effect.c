/* The key of an effect. */
#include "config.h"
#include "tests/support/support.h"

#include "base/effect.h"

static void the_key_depends_on_endpoint_message_and_generation_and_on_nothing_else(void **state)
{
	struct message *message = message_new();
	struct id first, key;

	message->id = id_digest(SPAN_LITERAL("one"));
	first = effect_key("erp", message);
	message_set(message, &message->revision, SPAN_LITERAL("another"));
	message->attempt = 7;
	key = effect_key("erp", message);
	assert_true(id_equal(&first, &key));
	key = effect_key("crm", message);
	assert_false(id_equal(&first, &key));
	message->generation = 1;
	key = effect_key("erp", message);
	assert_false(id_equal(&first, &key));
	message->generation = 0;
	message->id = id_digest(SPAN_LITERAL("two"));
	key = effect_key("erp", message);
	assert_false(id_equal(&first, &key));
	message_free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_depends_on_endpoint_message_and_generation_and_on_nothing_else),
	};

	return cmocka_run_group_tests_name("effect", tests, NULL, NULL);
}
