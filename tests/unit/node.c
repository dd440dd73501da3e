/* Trees as YAML gives them. */
#include "config.h"
#include "tests/support/support.h"

#include "base/node.h"

static void a_key_is_found_in_a_map_and_nowhere_else(void **state)
{
	struct node value = {.type = NODE_SCALAR, .text = SPAN_LITERAL("v")}, list = {.type = NODE_LIST};
	struct pair pairs[2] = {{.key = {.text = SPAN_LITERAL("a")}, .value = &list},
				{.key = {.text = SPAN_LITERAL("b")}, .value = &value}};
	struct node map = {.type = NODE_MAP, .pairs = pairs, .count = 2};

	assert_ptr_equal(node_find(&map, "b"), &value);
	assert_ptr_equal(node_find(&map, "a"), &list);
	assert_null(node_find(&map, "c"));
	assert_null(node_find(&value, "b"));
	assert_null(node_find(&list, "b"));
	assert_null(node_find(NULL, "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_in_a_map_and_nowhere_else),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
