/* Expressions and templates: results, places, what is not there, and limits that hold. */
#include "config.h"
#include "base/expression.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/tree.h"
#include "tests/support/support.h"

static struct arena *arena;

static int make_arena(void **state)
{
	arena = arena_new();
	return 0;
}

static int free_arena(void **state)
{
	arena_free(arena);
	return 0;
}

static json_t *json(const char *text)
{
	struct error error;
	json_t *tree = tree_parse_new(span_of(text), &error);

	if (!tree)
		fail_msg("%s: %s", text, error.text);
	return tree;
}

/* The first result as JSON, "none", or the error's code and text; the caller frees. */
static char *run_on(const char *text, const char *body, const char *envelope, struct expression_limits limits)
{
	struct expression *e = expression_new(arena, span_of(text), (struct place){"flows/a.yaml", 7, 3});
	struct expression_input input = {json(body), envelope ? json(envelope) : NULL, limits};
	struct error error;
	struct buf out;
	json_t *result;

	buf_init(&out, 1 << 20);
	if (expression_run(e, &input, &result, &error))
		buf_printf(&out, "%s: %s", error.code, error.text);
	else if (!result)
		buf_text(&out, "none");
	else
		tree_write(&out, result, 0);
	json_decref(result);
	json_decref(input.body);
	json_decref(input.envelope);
	expression_drop(e);
	return buf_take(&out);
}

static char *run(const char *text, const char *body)
{
	return run_on(text, body, "{\"subject\":\"PO-1\",\"time\":\"2026-01-31T12:00:00Z\",\"a b\":[1,2]}",
		      (struct expression_limits){0});
}

static void expect(const char *text, const char *body, const char *want)
{
	char *got = run(text, body);

	if (strcmp(got, want))
		fail_msg("%s on %s: %s, not %s", text, body, got, want);
	free(got);
}

static void plain_paths_agree_with_libjq(void **state)
{
	static const char *const paths[] = {".",
					    " .a ",
					    ".a.b",
					    ".a.b[0]",
					    ".a[\"b\"]",
					    ".[\"a\"]",
					    ".\"a\"",
					    ".\"a\".\"b\"",
					    ".a.\"x y\"",
					    ".[0]",
					    ".[-1]",
					    ".[5]",
					    ".[-9]",
					    ".a[1]",
					    ".a.b.c",
					    ".and",
					    ".a.if",
					    "$envelope",
					    "$envelope.subject",
					    "$envelope.\"a b\"[1]",
					    "$envelope[\"subject\"]",
					    "$envelope.none.of.it",
					    ".[\"a\"][0].b"};
	static const char *const bodies[] = {"null",
					     "true",
					     "1",
					     "\"text\"",
					     "[1,[2,3],{\"a\":4}]",
					     "{}",
					     "{\"a\":{\"b\":[1,2],\"x y\":\"z\"},\"and\":1}",
					     "{\"a\":[{\"b\":1},{\"c\":2}]}",
					     "{\"a\":null}",
					     "{\"a\":\"b\"}",
					     "{\"a\":false}"};

	for (size_t p = 0; p < sizeof paths / sizeof *paths; p++)
		for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
			char *plain = run(paths[p], bodies[b]), *through = mem_printf("(%s)", paths[p]),
			     *jq = run(through, bodies[b]);

			if (strcmp(plain, jq))
				fail_msg("%s on %s: %s, libjq says %s", paths[p], bodies[b], plain, jq);
			free(plain);
			free(through);
			free(jq);
		}
}

static void results_come_back_as_they_went_in(void **state)
{
	static const char *const bodies[] = {"null",
					     "{\"a\":[1,2.5,-7,1e300,true,false,null,\"\xc3\xa9\\n\\\"\"]}",
					     "[]",
					     "{}",
					     "9007199254740992",
					     "0.1",
					     "[[[[1]]]]",
					     "-0.001",
					     "123456789.12"};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		char *want = run(".", bodies[i]), *got = run("[.] | .[0]", bodies[i]);

		assert_string_equal(got, want);
		free(got);
		free(want);
	}
	expect(".a + 1", "{\"a\":4.0}", "5");
	expect("1/3", "null", "0.3333333333333333");
	expect("[nan, infinite] | map(. == null or . > 1)", "null", "[false,true]");
	expect("nan", "null", "null");
	expect(".[] | select(. > 1)", "[1,2,3]", "2");
	expect("empty", "1", "none");
}

static void an_integer_that_a_double_cannot_hold_is_refused_by_path(void **state)
{
	char *got = run("[.]", "{\"order\":{\"lines\":[{\"id\":9007199254740993}]}}");

	assert_non_null(strstr(got, "jq.number: .order.lines[0].id is 9007199254740993"));
	free(got);
	expect(".id", "{\"id\":9007199254740993}", "9007199254740993"); /* a plain path never rounds */
}

static void the_envelope_and_the_time_of_the_message_are_there(void **state)
{
	expect("[$envelope.subject, now]", "1", "[\"PO-1\",1769860800]");
	expect("now | todate", "1", "\"2026-01-31T12:00:00Z\"");
}

static void an_error_carries_message_and_place(void **state)
{
	expect(".a.b", "{\"a\":1}", "jq.error: Cannot index number with string \"b\" (flows/a.yaml:7)");
	expect("error(\"no total\")", "1", "jq.error: no total (flows/a.yaml:7)");
	expect("error({a: 1})", "1", "jq.error: {\"a\":1} (flows/a.yaml:7)");
}

/* Compiles; the findings as "line: text", one a line. */
static char *check(const char *text, const char *file)
{
	struct expression *e = expression_new(arena, span_of(text), (struct place){file, 7, 3});
	struct findings findings;
	struct buf out;
	int failed;

	buf_init(&out, 4096);
	findings_init(&findings);
	failed = expression_check(e, &findings);
	assert_int_equal(failed, findings.errors ? -1 : 0);
	for (size_t i = 0; i < findings.count; i++)
		buf_printf(&out, "%d: %s (%d)\n", findings.list[i].place.line, findings.list[i].text,
			   findings.list[i].place.column);
	findings_free(&findings);
	expression_drop(e);
	return buf_take(&out);
}

static void expect_finding(const char *text, const char *file, const char *want)
{
	char *got = check(text, file);

	if (!strstr(got, want) || (!*want && *got))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, got, want);
	free(got);
}

static void findings_are_at_the_line_of_the_file(void **state)
{
	expect_finding(".a | foo", "flows/a.yaml", "7: foo/0 is not defined");
	expect_finding(".a\n| foo\n", "flows/a.yaml", "8: foo/0 is not defined");
	expect_finding("# order\n.a |\n| .b", "mappings/a.jq", "9: syntax error");
	expect_finding("{a: (1}", "flows/a.yaml", "7: syntax error");
	expect_finding(".a |", "flows/a.yaml", "7: syntax error");
	expect_finding("  ", "flows/a.yaml", "7: the expression is empty");
	expect_finding("def f: .a; f # done", "flows/a.yaml", "");
}

static void findings_are_at_the_column_of_the_token(void **state)
{
	expect_finding(".a | foo", "a.jq", "7: foo/0 is not defined (8)");
	expect_finding(".a\n| foo(1)\n+ bar", "a.jq", "8: foo/1 is not defined (3)");
	expect_finding(".a\n| foo(1)\n+ bar", "a.jq", "9: bar/0 is not defined (3)");
	expect_finding("{a: 1,, b: 2}", "a.jq", "7: syntax error, unexpected `,` (9)");
	expect_finding(".a[\"x\"]] | .b", "a.jq", "unexpected `]` (10)");
	expect_finding("\"a \\(.b | foo) c\"", "a.jq", "7: foo/0 is not defined (13)");
	expect_finding("\"two\nlines\" | foo", "a.jq", "8: foo/0 is not defined (10)");
	expect_finding("# ü\n\"ü\" | foo", "a.jq", "8: foo/0 is not defined (7)");
	expect_finding("$nothing", "a.jq", "7: $nothing is not defined (3)");
	expect_finding("{a: (1}", "a.jq", "7: syntax error, unexpected `}` (9)");
	expect_finding("if .a then 1", "a.jq", "7: syntax error, unexpected end (15)");
	expect_finding("(.a\n\n", "a.jq", "7: syntax error, unexpected end (6)");
	expect_finding(".a) | .b", "a.jq", "7: syntax error, this `)` closes nothing (5)");
}

static void what_reaches_outside_does_not_compile(void **state)
{
	expect_finding("env", "a.jq", "7: `env` does not exist here");
	expect_finding("1\n| env.HOME", "a.jq", "8: `env` does not exist here");
	expect_finding("1) | env | (.", "a.jq", "this `)` closes nothing");
	expect_finding(".\n| $ENV.PATH", "a.jq", "8: `$ENV` does not exist here");
	expect_finding("\"\\($ENV.PATH)\"", "a.jq", "7: `$ENV` does not exist here");
	expect_finding("import \"a\" as a; .", "a.jq", "7: `import` does not exist here");
	expect_finding("include \"a\"; .", "a.jq", "7: `include` does not exist here");
	expect_finding("\"a\" | modulemeta", "a.jq", "does not exist here");
	expect_finding("input", "a.jq", "does not exist here");
	expect_finding("[inputs]", "a.jq", "does not exist here");
	expect_finding("debug", "a.jq", "does not exist here");
	expect_finding("stderr", "a.jq", "does not exist here");
	expect_finding("halt_error", "a.jq", "does not exist here");
	expect_finding("halt_error(1)", "a.jq", "does not exist here");
	expect_finding("input_filename", "a.jq", "does not exist here");
	expect_finding("localtime", "a.jq", "does not exist here");
	expect_finding("{env: .input, x: \"env\", \"input\": 1}", "a.jq", ""); /* only names of fields */
	expect_finding("def env: 1; env", "a.jq", "");
	setenv("FERRULE_TEST_SECRET", "hush", 1);
	expect("\"$ENV\" | length", "1", "4");
}

static void time_is_limited(void **state)
{
	static const char *const endless[] = {"def f: f; f", "[range(1e9)] | length", "last(repeat(1))",
					      "reduce range(1e9) as $i (0; . + $i)", "until(false; . + 1)"};
	struct itimerval before = {{0, 0}, {0, 0}}, after;
	struct sigaction action;

	for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
		char *got = run_on(endless[i], "1", NULL, (struct expression_limits){.time_ms = 60});

		if (!strstr(got, "jq.time") && !strstr(got, "jq.memory"))
			fail_msg("%s: %s", endless[i], got);
		free(got);
	}
	getitimer(ITIMER_PROF, &after);
	assert_memory_equal(&before, &after, sizeof before);
	sigaction(SIGPROF, NULL, &action);
	assert_true(action.sa_handler == SIG_DFL);
}

static void memory_is_limited(void **state)
{
	static const char *const hungry[] = {"def f: 1 + f; f",
					     "[limit(1e8; repeat(\"aaaaaaaaaaaaaaaaaaaaaaaa\" + \"b\"))]"};

	for (size_t i = 0; i < sizeof hungry / sizeof *hungry; i++) {
		char *got =
			run_on(hungry[i], "1", NULL, (struct expression_limits){.time_ms = 20000, .memory = 32u << 20});

		if (!strstr(got, "jq.memory: stopped: it needed more than 32 MiB"))
			fail_msg("%s: %s", hungry[i], got);
		free(got);
	}
}

static void after_a_limit_the_same_expression_runs_again(void **state)
{
	struct expression *e = expression_new(arena, span_of("if . then 1 | until(false; .) else \"ok\" end"),
					      (struct place){"a", 1, 1});
	struct expression_input input = {json("true"), NULL, {.time_ms = 30}};
	struct error error;
	json_t *result;

	assert_int_equal(expression_run(e, &input, &result, &error), -1);
	assert_string_equal(error.code, "jq.time");
	json_decref(input.body);
	input.body = json_false();
	assert_int_equal(expression_run(e, &input, &result, &error), 0);
	assert_string_equal(json_string_value(result), "ok");
	json_decref(result);
	expression_drop(e);
}

static void builtins_on_which_libjq_aborts_are_mended(void **state)
{
	expect("implode", "[104,105]", "\"hi\"");
	expect("implode", "[\"a\"]", "jq.error: implode needs an array of code points (flows/a.yaml:7)");
	expect("implode", "[-1]", "jq.error: implode needs an array of code points (flows/a.yaml:7)");
	expect("todate", "1e300", "jq.error: strftime: 1e+300 seconds are no time (flows/a.yaml:7)");
	expect("[nan | todate]", "1", "jq.error: strftime: null seconds are no time (flows/a.yaml:7)");
	expect("[todate, date, dateiso8601, (gmtime | strftime(\"%H\"))]", "3600",
	       "[\"1970-01-01T01:00:00Z\",\"1970-01-01T01:00:00Z\",\"1970-01-01T01:00:00Z\",\"01\"]");
	expect("implode", "[55296]", "jq.error: implode needs an array of code points (flows/a.yaml:7)");
}

static void indices_agree_with_libjq_where_that_returns(void **state)
{
	expect("indices([])", "[1,2]", "[]");
	expect("indices(1)", "[1,2,1]", "[0,2]");
	expect("indices([1,2])", "[1,2,1,2]", "[0,2]");
	expect("indices([1,1])", "[1,1,1]", "[0,1]");
	expect("indices(null)", "[null]", "[0]");
	expect("indices([1,2,3])", "[1]", "[]");
	expect("indices(\"b\")", "\"abcb\"", "[1,3]");
	expect("indices(\"\")", "\"x\"", "[]"); /* libjq 1.6 never returns */
	expect("indices(1)", "null", "null");
	expect("[index(1), rindex(1), index(3)]", "[1,2,1]", "[0,2,null]");
	expect("[index(\"a\"), rindex(\", \")]", "\"a,b, cd, efg\"", "[0,7]");
}

static void results_too_deep_or_with_nul_are_refused(void **state)
{
	char *got = run("reduce range(2000) as $i (null; [.])", "1");

	assert_non_null(strstr(got, "jq.depth"));
	free(got);
	got = run("[0] | implode", "1");
	assert_non_null(strstr(got, "jq.text"));
	free(got);
}

static int count(void *arg, json_t *result)
{
	int *n = arg;

	*n += (int)json_integer_value(result);
	return *n > 5;
}

static void every_result_comes_in_turn_until_stopped(void **state)
{
	struct expression *e = expression_new(arena, span_of(".[]"), (struct place){"a", 1, 1});
	struct expression_input input = {json("[1,2]"), NULL, {0}};
	struct error error;
	int n = 0;

	assert_int_equal(expression_each(e, &input, count, &n, &error), 0);
	assert_int_equal(n, 3);
	assert_int_equal(expression_each(e, &input, count, &n, &error), -1); /* 4, then 6 */
	assert_int_equal(n, 6);
	json_decref(input.body);
	expression_drop(e);
}

static int shout(struct buf *out, struct span value, struct error *error)
{
	if (memchr(value.data, '/', value.len))
		return error_set(error, ERROR_REJECT, "path.unsafe", "a slash");
	buf_char(out, '<');
	buf_span(out, value);
	return buf_char(out, '>');
}

static void expect_rendered(const char *text, const char *body, template_escape_fn *escape, const char *want)
{
	struct findings findings;
	struct expression_input input = {json(body), NULL, {0}};
	struct template *template;
	struct error error;
	struct buf out;

	findings_init(&findings);
	buf_init(&out, 1000);
	template = template_new(arena, span_of(text), (struct place){"a", 1, 1}, &findings);
	assert_non_null(template);
	assert_int_equal(template_check(template, &findings), 0);
	if (template_render(template, &input, escape, &out, &error))
		buf_printf(&out, "!%s", error.code);
	assert_string_equal(out.data ? out.data : "", want);
	template_drop(template);
	buf_free(&out);
	findings_free(&findings);
	json_decref(input.body);
}

static void templates_evaluate_what_is_in_brackets(void **state)
{
	struct findings findings;
	struct template *template;
	struct span constant;

	expect_rendered("drop/$(.number).xml", "{\"number\":\"PO-1\"}", NULL, "drop/PO-1.xml");
	expect_rendered("$(.a)$(.b)", "{\"a\":1,\"b\":{\"c\":null}}", NULL, "1{\"c\":null}");
	expect_rendered("$(.a)|$(.none)|$(empty)", "{\"a\":null}", NULL, "||");
	expect_rendered("$(.n | \")\" + \"\\(.)\")!", "{\"n\":\"x\"}", NULL, ")x!");
	expect_rendered("a$$(b)$(.c)", "{\"c\":\"d\"}", NULL, "a$(b)d");
	expect_rendered("[$(.a)]", "{\"a\":\"x\"}", shout, "[<x>]");
	expect_rendered("[$(.a)]", "{\"a\":\"../x\"}", shout, "[!path.unsafe");
	findings_init(&findings);
	template = template_new(arena, span_of("plain $$(x)"), (struct place){"a", 1, 1}, &findings);
	assert_true(template_constant(template, &constant));
	assert_true(span_is(constant, "plain $(x)"));
	assert_null(template_new(arena, span_of("a $(.b"), (struct place){"a", 1, 1}, &findings));
	assert_int_equal(findings.errors, 1);
	assert_int_equal(findings.list[0].place.column, 3);
	findings_free(&findings);
}

static void expect_parsed(struct span text, const char *want)
{
	struct error error = {0};
	json_t *tree = tree_parse_new(text, &error);

	if (tree ? *want != '\0' : !*want || !strstr(error.text, want))
		fail_msg("%.*s: %s", (int)(text.len < 40 ? text.len : 40), text.data,
			 tree ? "it was taken" : error.text);
	json_decref(tree);
}

static void json_is_refused_with_its_position(void **state)
{
	char *deep = mem_alloc(100001);

	expect_parsed(SPAN_LITERAL("\xef\xbb\xbf{\"a\":1}"), "");
	expect_parsed(SPAN_LITERAL(""), "the document is empty");
	expect_parsed(SPAN_LITERAL(" \n"), "only white space");
	expect_parsed(SPAN_LITERAL("{\"a\":1,\n \"a\":2}"), "duplicate object key");
	expect_parsed(SPAN_LITERAL("{\"a\":1,\n \"a\":2}"), "line 2");
	expect_parsed(SPAN_LITERAL("{} x"), "line 1, column 4 (byte 3)");
	expect_parsed(SPAN_LITERAL("{\"a\":\n \"\xe9\"}"), "unable to decode byte 0xe9");
	expect_parsed(SPAN_LITERAL("\xff\xfe{\0}\0"), "UTF-16");
	expect_parsed(SPAN_LITERAL("{\0}\0"), "binary");
	expect_parsed(SPAN_LITERAL("{\"a\":"), "line 1");
	expect_parsed(SPAN_LITERAL("123456789012345678901234567890"), "too big integer");
	memset(deep, '[', 100000);
	expect_parsed(span_of(deep), "nested more than 512 deep at line 1, column 513 (byte 512)");
	free(deep);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain_paths_agree_with_libjq, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(results_come_back_as_they_went_in, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(an_integer_that_a_double_cannot_hold_is_refused_by_path, make_arena,
						free_arena),
		cmocka_unit_test_setup_teardown(the_envelope_and_the_time_of_the_message_are_there, make_arena,
						free_arena),
		cmocka_unit_test_setup_teardown(an_error_carries_message_and_place, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(findings_are_at_the_line_of_the_file, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(findings_are_at_the_column_of_the_token, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(what_reaches_outside_does_not_compile, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(time_is_limited, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(memory_is_limited, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(after_a_limit_the_same_expression_runs_again, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(builtins_on_which_libjq_aborts_are_mended, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(indices_agree_with_libjq_where_that_returns, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(results_too_deep_or_with_nul_are_refused, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(every_result_comes_in_turn_until_stopped, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(templates_evaluate_what_is_in_brackets, make_arena, free_arena),
		cmocka_unit_test_setup_teardown(json_is_refused_with_its_position, make_arena, free_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
