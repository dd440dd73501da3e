/* Marks in jq programs: which parts there are, and that a program with its marks does what it did before. */
#include "config.h"
#include "base/expression_marks.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/expression.h"
#include "base/tree.h"
#include "tests/support/support.h"

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

static int take(void *arg, json_t *result)
{
	json_array_append(arg, result);
	return 0;
}

/* All results as JSON lines, or the error. */
static char *results(struct expression *e, const char *input)
{
	struct error error = {0};
	json_t *body = tree_parse_new(span_of(input), &error);
	struct expression_input in = {.body = body};
	json_t *all = json_array();
	char *text, *line;
	int failed;

	failed = expression_each(e, &in, take, all, &error);
	line = json_dumps(all, JSON_COMPACT | JSON_ENCODE_ANY);
	text = failed ? mem_printf("%s %s", line, error.text) : mem_strdup(line);
	free(line);
	json_decref(all);
	json_decref(body);
	return text;
}

struct sample {
	const char *program, *input;
};

static const struct sample samples[] = {
	{".", "{\"a\":1}"},
	{".a.b[0]?", "{\"a\":{\"b\":[7]}}"},
	{"def f($x; g): if $x > 1 then g else . end; f(.a; .b) | {a: ., \"b c\": 1, (.|tostring): 2, @base64 \"x\": 3}",
	 "{\"a\":2,\"b\":\"q\"}"},
	{"[.[] | select(.n >= 2) | .n] | add // 0", "[{\"n\":1},{\"n\":2},{\"n\":3}]"},
	{".a |= (. // 5) | .b += 1 | del(.c) | .d[1:] = [9]", "{\"a\":null,\"b\":1,\"c\":2,\"d\":[1,2,3]}"},
	{"[paths(type == \"number\")], path(.a[0] // .b), [path(..)] | length", "{\"a\":[null],\"b\":2}"},
	{"(.a, .b) |= if . == null then 1 elif . > 1 then 2 else 3 end", "{\"a\":null,\"b\":5}"},
	{"(.[] | select(.a == 1) | .b) |= 7", "[{\"a\":1},{\"a\":2}]"},
	{"reduce .[] as [$a, {b: $c}] (0; . + $a + $c)", "[[1,{\"b\":2}],[3,{\"b\":4}]]"},
	{"[foreach .[] as $x (0; . + $x; [$x, .])], [limit(2; .[])], first(.[])", "[1,2,3]"},
	{"try error(\"x\") catch \"caught \\(.)\", (try (1, error(\"y\")) catch .), .a?", "[1]"},
	{"label $out | foreach .[] as $i (0; . + $i; if . > 2 then ., break $out else . end)", "[1,2,3]"},
	{"\"a\\(.a | if . then \"b\\(1 + 1)\" else 0 end)c\", @json \"x\\(.)\", @csv \"\\([1, \"b\"])\"",
	 "{\"a\":true}"},
	{". as {a: $x, b: [$y]} | $x + $y | -. * 2 - -1", "{\"a\":1,\"b\":[2]}"},
	{". as [$a] ?// $a | $a", "[[3]]"},
	{".a and .b or .c, (.a | not)", "{\"a\":true,\"b\":false,\"c\":1}"},
	{"{a, \"b\", $__loc__} | .a", "{\"a\":1}"},
	{"{x: .a | length, y: -1, z: (.a, .b)} # end", "{\"a\":[1],\"b\":2}"},
	{"# a comment (with \"quotes\n.a # and | more\n| .b", "{\"a\":{\"b\":1}}"},
	{".. | numbers", "[1,[2,{\"a\":3}]]"},
	{"[.[] as $x | $x * 2] | map(. + 1) | to_entries | from_entries? // \"no\"", "[1,2]"},
	{"[.[1:], .[:1], .[-1:], .\"a\"?, .[\"b\"]?]", "[1,2]"},
	{"def f: def g: 3; g * 2; f, (f as $x | $x / 4)", "null"},
	{"if .a then .b end | 1", "{}"},                   /* 1.6 wants an else: an error before and after */
	{".a.b.c + (.x | tonumber)", "{\"a\":{\"b\":3}}"}, /* fails */
	{"input, $ENV", "1"},
	{".a | = 2", "1"},
	{"[recurse(if . < 3 then . + 1 else empty end)] | index(2), @text, ascii_downcase?", "0"},
	{"1 as $x | 2 as $y | [$x, $y, $__loc__.line]", "null"},
	{"[.[] | (.a // empty), (.b? // \"d\")]", "[{\"a\":false,\"b\":2},{\"a\":1}]"},
	{"with_entries(select(.value != null)) | to_entries | map(.key) | join(\",\")", "{\"a\":1,\"b\":null}"},
};

static void a_program_with_marks_does_what_it_did(void **state)
{
	for (int terms = 0; terms < 2; terms++)
		for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
			struct span text = span_of(samples[i].program);
			struct expression *plain = expression_new(arena, text, (struct place){"t", 1, 1}),
					  *woven = expression_new(arena, text, (struct place){"t", 1, 1});
			struct marks marks = {0};
			char *before = results(plain, samples[i].input), *after;

			if (!marks_find(&marks, text, terms))
				expression_watch(woven, &marks, NULL, terms);
			after = results(woven, samples[i].input);
			if (strcmp(before, after) != 0)
				fail_msg("%s: %s with marks, %s without", samples[i].program, after, before);
			free(before);
			free(after);
			expression_drop(plain);
			expression_drop(woven);
			marks_free(&marks);
		}
}

/* ---- programs by chance, from jq's grammar */
static unsigned dice;

static unsigned roll(unsigned below)
{
	dice = dice * 1103515245u + 12345u;
	return (dice >> 16) % below;
}

static void put_program(struct buf *out, int depth);

static void put_term(struct buf *out, int depth)
{
	static const char *const leaves[] = {".",     ".a",    ".b?",  ".[0]?", ".[]?",   "1",       "\"x\"",
					     "null",  "$v",    "[]",   "{}",    "..",     "length?", "keys?",
					     ".a.b?", "empty", "(-1)", "true",  ".[1:]?", "type",    "tostring"};

	switch (depth <= 0 ? 0 : roll(9)) {
	case 1:
		buf_text(out, "(");
		put_program(out, depth - 1);
		buf_text(out, ")");
		break;
	case 2:
		buf_text(out, "[");
		put_program(out, depth - 1);
		buf_text(out, "]");
		break;
	case 3:
		buf_text(out, "{a: ");
		put_term(out, depth - 1);
		buf_text(out, ", b: ");
		put_term(out, depth - 1);
		buf_text(out, "}");
		break;
	case 4:
		buf_text(out, "select(");
		put_program(out, depth - 1);
		buf_text(out, ")");
		break;
	case 5:
		buf_text(out, "\"t\\(");
		put_program(out, depth - 1);
		buf_text(out, ")\"");
		break;
	case 6:
		buf_text(out, "first(");
		put_program(out, depth - 1);
		buf_text(out, ")");
		break;
	default:
		buf_text(out, leaves[roll(sizeof leaves / sizeof *leaves)]);
	}
}

static void put_one(struct buf *out, int depth)
{
	static const char *const operators[] = {" + ",   " - ",  " * ",  " == ", " < ",
						" and ", " or ", " // ", " // ", ", "};

	switch (depth <= 0 ? 9 : roll(10)) {
	case 0:
		buf_text(out, "if ");
		put_program(out, depth - 1);
		buf_text(out, " then ");
		put_program(out, depth - 1);
		buf_text(out, " else ");
		put_program(out, depth - 1);
		buf_text(out, " end");
		break;
	case 1:
		buf_text(out, "reduce ");
		put_term(out, 0);
		buf_text(out, " as $v (");
		put_program(out, depth - 1);
		buf_text(out, "; ");
		put_program(out, depth - 1);
		buf_text(out, ")");
		break;
	case 2:
		buf_text(out, "try ");
		put_term(out, depth - 1);
		buf_text(out, " catch ");
		put_term(out, depth - 1);
		break;
	case 3:
		put_term(out, depth - 1);
		buf_text(out, " as $v | ");
		put_program(out, depth - 1);
		break;
	case 4:
		buf_text(out, "def f(g): ");
		put_program(out, depth - 1);
		buf_text(out, "; f(");
		put_program(out, depth - 1);
		buf_text(out, ")");
		break;
	case 5:
		buf_text(out, "(");
		put_program(out, depth - 1);
		buf_text(out, ") |= ");
		put_term(out, depth - 1);
		break;
	case 6:
		buf_text(out, "[path(");
		put_program(out, depth - 1);
		buf_text(out, ")]");
		break;
	default:
		put_term(out, depth);
		for (unsigned n = roll(3); n; n--) {
			buf_text(out, operators[roll(10)]);
			put_term(out, depth - 1);
		}
	}
}

static void put_program(struct buf *out, int depth)
{
	put_one(out, depth);
	for (unsigned n = depth > 0 ? roll(2) : 0; n; n--) {
		buf_text(out, " | ");
		put_one(out, depth - 1);
	}
}

static bool compiles(const char *program)
{
	struct expression *e = expression_new(arena, span_of(program), (struct place){"t", 1, 1});
	struct findings findings;
	bool right;

	findings_init(&findings);
	right = !expression_check(e, &findings);
	findings_free(&findings);
	expression_drop(e);
	return right;
}

static void programs_by_chance_do_what_they_did(void **state)
{
	const char *input = "{\"a\":{\"b\":[1,2]},\"b\":null}";
	/* More of them, by hand: MARKS_PROGRAMS=5000 MARKS_SEED=3 tests/testing/marks */
	const char *programs = getenv("MARKS_PROGRAMS"), *seed = getenv("MARKS_SEED");
	int compared = 0, wanted = programs ? atoi(programs) : 40;

	for (dice = seed ? (unsigned)atoi(seed) : 7; compared < wanted; compared++) {
		struct buf program;
		char *text, *before, *after;
		struct marks marks;
		struct expression *plain, *woven;

		buf_init(&program, 1 << 20);
		buf_text(&program, "7 as $v | ");
		put_program(&program, 3);
		text = buf_take(&program);
		buf_free(&program);
		if (strlen(text) > 600 || !compiles(text)) {
			free(text);
			continue;
		}
		plain = expression_new(arena, span_of(text), (struct place){"t", 1, 1});
		woven = expression_new(arena, span_of(text), (struct place){"t", 1, 1});
		if (marks_find(&marks, span_of(text), compared % 2))
			fail_msg("not understood: %s", text);
		if (expression_watch(woven, &marks, NULL, compared % 2))
			fail_msg("does not compile with its marks: %s", text);
		before = results(plain, input);
		after = results(woven, input);
		if (strcmp(before, after) != 0)
			fail_msg("%s: %s with marks, %s without", text, after, before);
		expression_drop(plain);
		expression_drop(woven);
		marks_free(&marks);
		free(before);
		free(after);
		free(text);
	}
}

static void every_program_that_compiles_is_understood(void **state)
{
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		struct expression *e = expression_new(arena, span_of(samples[i].program), (struct place){"t", 1, 1});
		struct error error = {0};
		struct marks marks;
		struct findings findings;
		bool right;

		findings_init(&findings);
		right = !expression_check(e, &findings);
		if (right && marks_find(&marks, span_of(samples[i].program), true))
			fail_msg("not understood: %s", samples[i].program);
		if (right)
			marks_free(&marks);
		findings_free(&findings);
		expression_drop(e);
		(void)error;
	}
}

static void the_mappings_that_ship_are_understood(void **state)
{
	const char *pattern = SRCDIR "/config/sample/*/mappings/*.jq";
	glob_t found;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char *text = support_read(found.gl_pathv[i], NULL);
		struct expression *e = expression_new(arena, span_of(text), (struct place){"t", 1, 1});
		struct marks marks;

		if (marks_find(&marks, span_of(text), true) || expression_watch(e, &marks, NULL, false))
			fail_msg("%s is not understood", found.gl_pathv[i]);
		assert_true(marks.count > 3);
		expression_drop(e);
		marks_free(&marks);
		free(text);
	}
	globfree(&found);
}

/* What did not run, as "kind:text kind:text". */
static char *unseen(const char *program, const char *input)
{
	struct expression *e = expression_new(arena, span_of(program), (struct place){"t", 1, 1});
	uint64_t hits[64] = {0};
	struct marks marks;
	struct buf out;
	char *text;

	buf_init(&out, 4096);
	assert_int_equal(marks_find(&marks, span_of(program), false), 0);
	assert_true(marks.count <= 64);
	assert_int_equal(expression_watch(e, &marks, hits, false), 0);
	free(results(e, input));
	for (size_t i = 0; i < marks.count; i++)
		if (!hits[i])
			buf_printf(&out, "%s%s:%.*s", out.len ? " " : "", mark_name(marks.list[i].kind),
				   (int)(marks.list[i].end - marks.list[i].start), program + marks.list[i].start);
	text = out.len ? buf_take(&out) : mem_strdup("");
	buf_free(&out);
	expression_drop(e);
	marks_free(&marks);
	return text;
}

static void what_never_ran_is_known(void **state)
{
	static const struct {
		const char *program, *input, *unseen;
	} cases[] = {
		{"if .a then 1 else 2 end", "{\"a\":1}", "else:2"},
		{"if .a then 1 elif .b then 2 else 3 end", "{\"b\":1}", "then:1 else:3"},
		{".a // .b", "{\"a\":1}", "alternative:.b"},
		{".a // .b", "{\"b\":1}", "value:.a"},
		{"{x: .a, y: .b}", "{\"a\":1}", "field:.b"},
		{"{x: null}", "{}", ""},
		{"[.[] | select(. > 5)]", "[1]", "select:select(. > 5)"},
		{"[.[] | . + 1]", "[]", "each:. + 1"},
		{".a and .b", "{\"a\":false}", "operand:.b"},
		{"def f: 1; def g: 2; f", "1", "function:2"},
		{"try .a catch 7", "{\"a\":1}", "catch:7"},
		{"reduce .[] as $x (0; . + $x)", "[]", "loop:. + $x"},
		{"reduce .[] as $x (0; . + $x)", "[1]", ""},
		{"error(\"x\")", "1", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *got = unseen(cases[i].program, cases[i].input);

		if (strcmp(got, cases[i].unseen) != 0)
			fail_msg("%s over %s: never ran `%s`, not `%s`", cases[i].program, cases[i].input, got,
				 cases[i].unseen);
		free(got);
	}
}

static void the_last_mark_tells_where_it_failed_and_with_what(void **state)
{
	const char *program = "{n: .a,\n x: (.b | .c.d)}";
	struct expression *e = expression_new(arena, span_of(program), (struct place){"t", 1, 1});
	struct marks marks;
	json_t *value;
	int line, column;
	size_t mark;

	assert_int_equal(marks_find(&marks, span_of(program), true), 0);
	assert_int_equal(expression_watch(e, &marks, NULL, true), 0);
	free(results(e, "{\"a\":1,\"b\":{\"c\":[5]}}"));
	assert_true(expression_last(e, &mark, &value));
	mark_place(span_of(program), marks.list[mark].start, &line, &column);
	assert_int_equal(line, 2);
	assert_int_equal(column, 11);
	assert_true(json_is_array(json_object_get(value, "c")));
	json_decref(value);
	expression_drop(e);
	marks_free(&marks);
}

/* Whatever the text: it is understood or not, and never more than that. */
static void no_text_breaks_the_parser(void **state)
{
	static const char pieces[][8] = {"if ", "then ", "else ",   "end ", "(",  ")", "[",    "]",
					 "{",   "}",     "\"",      "\\(",  "|",  ",", "//",   ".a",
					 "$x ", "as ",   "reduce ", "def ", "f:", ";", "1",    "@x",
					 "?",   "..",    "and ",    "-",    "\n", "#", "try ", "label "};
	unsigned seed = 1;

	for (int round = 0; round < 20000; round++) {
		char text[200] = "";
		struct marks marks;
		struct buf woven;

		for (int i = 0; i < 12; i++) {
			seed = seed * 1103515245u + 12345u;
			strcat(text, pieces[(seed >> 16) % (sizeof pieces / sizeof *pieces)]);
		}
		if (marks_find(&marks, span_of(text), true))
			continue;
		buf_init(&woven, 1 << 20);
		marks_weave(&marks, span_of(text), &woven);
		buf_free(&woven);
		marks_free(&marks);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_program_with_marks_does_what_it_did, set_up, tear_down),
		cmocka_unit_test_setup_teardown(programs_by_chance_do_what_they_did, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_program_that_compiles_is_understood, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_mappings_that_ship_are_understood, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_never_ran_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_mark_tells_where_it_failed_and_with_what, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_text_breaks_the_parser, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
