/* YAML: places, documents, variables, what is refused, and limits. */
#include "config.h"
#include "config/yaml.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "tests/support/support.h"

static struct arena *arena;
static struct findings findings;
static struct yaml_documents documents;

static int set_up(void **state)
{
	arena = arena_new();
	findings_init(&findings);
	return 0;
}

static int tear_down(void **state)
{
	findings_free(&findings);
	arena_free(arena);
	return 0;
}

static bool find(void *arg, struct span name, struct span *value)
{
	*value = span_of("8080: {x}");
	return span_is(name, "PORT");
}

static int parse(const char *text)
{
	static const char *const names[] = {"PORT"};
	struct yaml_variables variables = {find, names, 1, NULL};

	return yaml_read(arena, &findings, "f.yaml", span_of(text), &variables, &documents);
}

static const struct node *value(const char *key)
{
	const struct node *node = documents.count > 0 ? node_find(documents.items[0], key) : NULL;

	if (!node)
		fail_msg("there is no %s", key);
	return node;
}

static void assert_place(const struct node *node, int line, int column)
{
	assert_int_equal(node->place.line, line);
	assert_int_equal(node->place.column, column);
}

static void assert_text(const struct node *node, const char *text)
{
	if (!span_is(node->text, text))
		fail_msg("it is %.*s", SPAN_ARGS(node->text));
}

static void assert_only(const char *code)
{
	assert_int_equal(findings.count, 1);
	assert_string_equal(findings.list[0].code, code);
}

static void every_value_knows_its_place(void **state)
{
	assert_int_equal(parse("a: one\nlist:\n  - x\n  - {k: v}\nblock: |\n  line 1\n  line 2\n"), 0);
	assert_place(value("a"), 1, 4);
	assert_place(value("list")->items[0], 3, 5);
	assert_place(node_find(value("list")->items[1], "k"), 4, 9);
	assert_place(value("block"), 6, 3); /* where its text starts */
	assert_text(value("block"), "line 1\nline 2\n");
	assert_string_equal(value("a")->place.file, "f.yaml");
}

static void scalars_stay_what_was_typed(void **state)
{
	assert_int_equal(parse("version: 004010\nswitch: on\nnothing:\nquoted: ''\nnull: ~\n"), 0);
	assert_text(value("version"), "004010");
	assert_text(value("switch"), "on");
	assert_text(value("nothing"), "");
	assert_false(value("nothing")->quoted);
	assert_true(value("quoted")->quoted);
	assert_text(value("null"), "~");
}

static void a_file_may_hold_several_documents(void **state)
{
	assert_int_equal(parse("# only a comment\n---\na: 1\n---\n# empty\n---\nb: 2\n...\n"), 0);
	assert_int_equal(documents.count, 2);
	assert_non_null(node_find(documents.items[1], "b"));
	assert_int_equal(parse(""), 0);
	assert_int_equal(documents.count, 0);
}

static void variables_are_replaced_after_parsing(void **state)
{
	assert_int_equal(parse("a: ${PORT}\nb: x${PORT}y${NONE:z}\nc: $${PORT}\nd: $(.x) $5\ne: '${NONE:}'\n"), 0);
	assert_int_equal(findings.count, 0);
	assert_text(value("a"), "8080: {x}"); /* never structure */
	assert_text(value("b"), "x8080: {x}yz");
	assert_text(value("c"), "${PORT}");
	assert_text(value("d"), "$(.x) $5");
	assert_text(value("e"), "");
}

static void a_default_may_have_colons_braces_and_variables(void **state)
{
	assert_int_equal(parse("a: '${NO:http://x:1/}'\nb: '${NO:{\"a\": {}}}'\nc: '${NO:${PORT}}'\n"
			       "d: '${NO:${NO2:${NO3:x}}!}'\n"
			       "e: ['${NO:1}', '${PORT}']\nf: '$${NO:${NO:1}}'\ng: '${NO:$${x}}'\nh: '${NO:a}b}'\n"),
			 0);
	assert_int_equal(findings.count, 0);
	assert_text(value("a"), "http://x:1/");
	assert_text(value("b"), "{\"a\": {}}");
	assert_text(value("c"), "8080: {x}");
	assert_text(value("d"), "x!");
	assert_text(value("e")->items[0], "1");
	assert_text(value("e")->items[1], "8080: {x}");
	assert_text(value("f"), "${NO:1}");
	assert_text(value("g"), "${x}");
	assert_text(value("h"), "ab}");
}

static void a_default_in_a_default_ends_somewhere(void **state)
{
	assert_int_equal(parse("a: '${N:${N:${N:${N:${N:${N:${N:${N:${N:${N:x}}}}}}}}}}'\n"
			       "b: '${N:{x}'\nc: '${N:${M}}'\n"), 0);
	assert_int_equal(findings.count, 3);
	assert_string_equal(findings.list[0].code, "variable.syntax");
	assert_string_equal(findings.list[1].code, "variable.syntax");
	assert_string_equal(findings.list[2].code, "variable.undefined");
	assert_non_null(strstr(findings.list[2].text, "the variable M "));
}

static void a_variable_in_a_block_is_found_in_its_line(void **state)
{
	assert_int_equal(parse("a:\n  b: |\n    one ${PORT}\n    two ${PRT}\nc: >-\n  x\n  y\n  ${NO} ${\n"), 0);
	assert_int_equal(findings.count, 3);
	assert_int_equal(findings.list[0].place.line, 4);
	assert_int_equal(findings.list[0].place.column, 9);
	assert_int_equal(findings.list[1].place.line, 8);
	assert_int_equal(findings.list[1].place.column, 3);
	assert_string_equal(findings.list[2].code, "variable.syntax");
	assert_int_equal(findings.list[2].place.line, 8);
}

static void an_undefined_variable_is_named_with_the_nearest(void **state)
{
	parse("a:\n  - ok\n  - ${PROT}\n");
	assert_only("variable.undefined");
	assert_place(&(struct node){.place = findings.list[0].place}, 3, 5);
	assert_non_null(strstr(findings.list[0].text, "did you mean `PORT`?"));
}

static void a_repeated_key_is_told_and_the_first_kept(void **state)
{
	parse("a: 1\nb: 2\na: 3\n");
	assert_only("yaml.repeated");
	assert_int_equal(findings.list[0].place.line, 3);
	assert_text(value("a"), "1");
	assert_int_equal(documents.items[0]->count, 2);
}

static void aliases_tags_and_odd_keys_are_refused(void **state)
{
	static const struct {
		const char *text, *code;
	} cases[] = {
		{"a: &x 1\nb: *x\n", "yaml.alias"}, {"a: !!int 5\n", "yaml.tag"},
		{"? [a, b]\n: c\n", "yaml.key"},    {"a: \"x\\0y\"\n", "yaml.nul"},
		{"${PORT}: a\n", "variable.key"},   {"a: ${not a name}\n", "variable.syntax"},
		{"a: [b\n", "yaml.syntax"},         {"a: b: c\n", "yaml.syntax"},
		{"\xff\xfe\x01", "yaml.encoding"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		findings_free(&findings);
		findings_init(&findings);
		parse(cases[i].text);
		assert_only(cases[i].code);
	}
}

static void a_bomb_of_aliases_is_small(void **state)
{
	struct buf text;

	buf_init(&text, 1 << 16);
	buf_text(&text, "a0: &a0 x\n");
	for (int i = 1; i < 40; i++)
		buf_printf(&text, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1);
	assert_int_equal(parse(text.data), 0);
	assert_int_equal(findings.count, 3 * 39);
	assert_true(arena_size(arena) < 1 << 20);
	buf_free(&text);
}

static void depth_size_and_number_have_limits(void **state)
{
	struct buf text;

	buf_init(&text, 4 << 20);
	for (int i = 0; i < 500; i++)
		buf_char(&text, '[');
	assert_int_equal(parse(text.data), -1);
	assert_string_equal(findings.list[0].code, "yaml.depth");
	buf_reset(&text);
	for (int i = 0; i < 120000; i++)
		buf_text(&text, "- a\n");
	assert_int_equal(parse(text.data), -1);
	assert_string_equal(findings.list[1].code, "yaml.size");
	buf_reset(&text);
	for (int i = 0; i < 110000; i++)
		buf_text(&text, "# a comment\n");
	assert_int_equal(parse(text.data), -1);
	assert_string_equal(findings.list[2].code, "yaml.size");
	buf_free(&text);
}

static void what_came_before_a_mistake_is_kept(void **state)
{
	assert_int_equal(parse("a: 1\n---\nb: [2\n---\nc: 3\n"), -1);
	assert_int_equal(documents.count, 1);
	assert_text(value("a"), "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_value_knows_its_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(scalars_stay_what_was_typed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_may_hold_several_documents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(variables_are_replaced_after_parsing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_default_may_have_colons_braces_and_variables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_default_in_a_default_ends_somewhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_variable_in_a_block_is_found_in_its_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_undefined_variable_is_named_with_the_nearest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_repeated_key_is_told_and_the_first_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(aliases_tags_and_odd_keys_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bomb_of_aliases_is_small, set_up, tear_down),
		cmocka_unit_test_setup_teardown(depth_size_and_number_have_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_came_before_a_mistake_is_kept, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
