/* XPath 2.0 over a small document: expressions and the texts that their values have, one by one; what is refused when
 * it is compiled, and what when it is evaluated. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/support.h"
#include "transformers/xml/xml_nodes.h"
#include "transformers/xpath/xpath.h"

static const char document[] =
	"<o:order xmlns:o='urn:o' xmlns:p='urn:p' id='7'>\n"
	" <o:buyer country='AT'>Baumeister  Huber</o:buyer>\n"
	" <o:line nr='1'><p:qty>2</p:qty><p:price>10.10</p:price><p:net>20.20</p:net></o:line>\n"
	" <o:line nr='2'><p:qty>3</p:qty><p:price>0.10</p:price><p:net>0.30</p:net><!--late--></o:line>\n"
	" <o:line nr='3'><p:qty>10</p:qty><p:price>1</p:price><p:net>10</p:net></o:line>\n"
	" <o:sum>30.50</o:sum><o:due>2026-02-28</o:due><o:empty/>\n"
	"</o:order>";

struct context {
	struct xpath_tree *tree;
	struct xpath_program *program;
	struct xpath_run *run;
};

static void open(struct context *context)
{
	struct error error;

	context->tree = xml_nodes_of_file(span_make(document, sizeof document - 1), "document", &error);
	if (!context->tree)
		fail_msg("%s", error.text);
	context->program = xpath_program_new();
	xpath_namespace(context->program, SPAN_LITERAL("o"), SPAN_LITERAL("urn:o"));
	xpath_namespace(context->program, SPAN_LITERAL("p"), SPAN_LITERAL("urn:p"));
	assert_int_equal(xpath_global(context->program, SPAN_LITERAL("lines")), 0);
	assert_int_equal(xpath_global(context->program, SPAN_LITERAL("loop")), 0);
	xpath_global_set(context->program, SPAN_LITERAL("lines"),
			 xpath_compile(context->program, SPAN_LITERAL("//o:line"), &error));
	xpath_global_set(context->program, SPAN_LITERAL("loop"),
			 xpath_compile(context->program, SPAN_LITERAL("$loop + 1"), &error));
}

static void close(struct context *context)
{
	xpath_program_free(context->program);
	xpath_tree_free(context->tree);
}

/* Its values as texts, with blanks between them, as xsl:value-of writes them; of the element o:order. */
static int value_of(struct context *context, const char *text, char into[1000], struct error *error)
{
	struct xpath_expr *expr = xpath_compile(context->program, span_of(text), error);
	struct xpath_run *run;
	struct span value;
	int failed;

	if (!expr)
		return -1;
	run = xpath_run_new(context->program, context->tree, 1772236800000);
	failed = xpath_run_text(run, expr, 1, &value, error);
	if (!failed)
		snprintf(into, 1000, "%.*s", SPAN_ARGS(value));
	xpath_run_free(run);
	return failed;
}

struct known {
	const char *text, *value;
};

static void are(const struct known *known, size_t n)
{
	struct context context;
	struct error error;
	char value[1000];

	open(&context);
	for (size_t i = 0; i < n; i++) {
		if (value_of(&context, known[i].text, value, &error))
			fail_msg("%s: %s", known[i].text, error.text);
		if (strcmp(value, known[i].value) != 0)
			fail_msg("%s is %s, not %s", known[i].text, value, known[i].value);
	}
	close(&context);
}

#define ARE(...)                                                                                                       \
	static const struct known known[] = {__VA_ARGS__};                                                             \
	are(known, sizeof known / sizeof *known)

static void numbers_are_exact_unless_they_are_doubles(void **state)
{
	ARE({"0.1 + 0.2 = 0.3", "true"}, {"0.1e0 + 0.2e0 = 0.3e0", "false"}, {"sum((0.10, 0.20, 0.30))", "0.6"},
	    {"xs:decimal('1.10') * 3", "3.3"}, {"10 div 4", "2.5"}, {"1 div 3", "0.333333333333333333"},
	    {"2 div 3", "0.666666666666666667"}, {"7 idiv 2", "3"}, {"-7 idiv 2", "-3"}, {"-7 mod 2", "-1"},
	    {"5.5 mod 2", "1.5"}, {"round(2.5)", "3"}, {"round(-2.5)", "-2"}, {"round(2.4999)", "2"},
	    {"round-half-to-even(2.5)", "2"}, {"round-half-to-even(3.125, 2)", "3.12"}, {"floor(-1.5)", "-2"},
	    {"ceiling(1.2)", "2"}, {"abs(-3.20)", "3.2"}, {"round(1.005 * 10 * 10) div 100", "1.01"},
	    {"99999999999999999999.99 + 0.01", "100000000000000000000"}, {"1e0 div 3", "0.3333333333333333"},
	    {"1 div 0e0", "INF"}, {"number('x')", "NaN"}, {"1.5e10", "1.5E10"}, {"100e0", "100"},
	    {"0.00001e0", "0.00001"}, {"0.0000001e0", "1.0E-7"}, {"xs:integer('12') + 1", "13"},
	    {"xs:integer(3.9)", "3"}, {"-(-4)", "4"}, {"avg((1, 2))", "1.5"}, {"max((3, 10, 2))", "10"},
	    {"min(//p:qty)", "2"}, {"sum(())", "0"}, {"sum((), 0.00)", "0"}, {"string(1.10)", "1.1"},
	    {"3 = 3.0", "true"}, {"'3' = '3.0'", "false"}, {"number('x') != number('x')", "true"},
	    {"xs:double('-INF') lt 0", "true"}, {"max((1, number('x'), 3))", "NaN"}, {"min((number('x'), 1))", "NaN"},
	    {"-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"},
	    {"round-half-to-even(99999999999999999999999999999999999999, -2)",
	     "100000000000000000000000000000000000000"});
}

static void paths_find_nodes_in_the_order_of_the_document(void **state)
{
	ARE({"o:line/@nr", "1 2 3"}, {"//@nr", "1 2 3"}, {"count(//*)", "17"}, {"/o:order/@id", "7"},
	    {"o:line[2]/p:qty", "3"}, {"o:line[last()]/@nr", "3"}, {"o:line[position() > 1]/@nr", "2 3"},
	    {"o:line[p:qty > 2][1]/@nr", "2"}, {"(o:line/p:qty)[2]", "3"}, {"o:line/p:qty[2]", ""},
	    {"//p:qty[. = 10]/../@nr", "3"}, {"//p:qty[ancestor::o:line/@nr = '2']", "3"},
	    {"o:line[1]/following-sibling::o:line/@nr", "2 3"}, {"o:line[3]/preceding-sibling::o:line/@nr", "1 2"},
	    {"o:line[3]/preceding-sibling::o:line[1]/@nr", "2"}, {"count(o:line[2]/preceding::p:*)", "3"},
	    {"count(o:line[2]/following::*)", "7"}, {"(//p:net | //p:qty)[1]", "2"},
	    {"count(//p:* except //p:qty)", "6"}, {"count(//p:* intersect o:line[1]/*)", "3"},
	    {"*:line[1]/p:*", "2 10.10 20.20"}, {"name(*[1])", "o:buyer"}, {"local-name(.)", "order"},
	    {"namespace-uri((//p:qty)[1])", "urn:p"}, {"o:line/local-name()", "line line line"},
	    {"o:line/xs:decimal(p:qty)", "2 3 10"}, {"count(o:line[2]/comment())", "1"},
	    {"o:line[2]/comment()", "late"}, {"o:line[1] is //o:line[@nr = '1']", "true"},
	    {"o:line[1] << o:line[2]", "true"}, {"count(/)", "1"}, {"count((//o:line, //o:line))", "6"},
	    {"count(//o:line/..)", "1"}, {"o:line[1]/p:qty/root()/*/@id", "7"}, {"count($lines)", "3"},
	    {"$lines[2]/@nr", "2"}, {"for $l in $lines return $l/p:qty + 1", "3 4 11"},
	    {"reverse($lines)/@nr", "1 2 3"}, {"o:buyer[@country = ('DE', 'AT')]/@country", "AT"},
	    {"//o:line[not(@nr = '2')]/@nr", "1 3"}, {"count(self::o:order)", "1"}, {"count(self::o:line)", "0"},
	    {"count(descendant-or-self::node())", "36"},
	    {"o:line[@nr='2']/p:price/ancestor-or-self::*/name()", "o:order o:line p:price"});
}

static void comparisons_take_any_of_many(void **state)
{
	ARE({"//p:qty = 3", "true"}, {"//p:qty != 3", "true"}, {"//p:qty > 10", "false"}, {"//p:missing = 1", "false"},
	    {"not(//p:missing != 1)", "true"}, {"(1, 2) = (2, 3)", "true"}, {"o:sum = 30.5", "true"},
	    {"o:sum = '30.5'", "false"}, {"p:qty < '3'", "false"}, {"//p:qty = '10'", "true"},
	    {"o:line[3]/p:qty < o:line[1]/p:qty", "true"}, {"o:line[3]/p:qty < xs:decimal(o:line[1]/p:qty)", "false"},
	    {"1 eq 1", "true"}, {"'a' lt 'b'", "true"}, {"count(() eq 1)", "0"},
	    {"every $q in //p:qty satisfies $q > 1", "true"}, {"some $q in //p:qty satisfies $q > 9", "true"},
	    {"some $a in (1, 2), $b in (2, 3) satisfies $a = $b", "true"}, {"every $x in () satisfies false()", "true"},
	    {"o:sum = round(sum(o:line/xs:decimal(p:net)) * 10 * 10) div 100", "true"},
	    {"true() or (1 div 0 = 1)", "true"}, {"false() and (1 div 0 = 1)", "false"},
	    {"if (o:empty) then 'there' else 'not'", "there"}, {"if (string(o:empty)) then 'text' else 'none'", "none"},
	    {"boolean('')", "false"}, {"boolean('false')", "true"}, {"exists(o:due) and empty(o:none)", "true"},
	    {"@id instance of attribute()", "true"}, {"1 instance of xs:decimal", "true"},
	    {"1.0 instance of xs:integer", "false"}, {"//o:line instance of element()+", "true"});
}

static void texts_are_cut_joined_and_searched(void **state)
{
	ARE({"normalize-space(o:buyer)", "Baumeister Huber"}, {"substring('12345', 2, 3)", "234"},
	    {"substring('12345', 1.5, 2.6)", "234"}, {"substring('12345', 0, 3)", "12"},
	    {"substring('12345', 3)", "345"}, {"substring('12345', 0 div 0e0, 3)", ""}, {"string-length('Grüße')", "5"},
	    {"upper-case('Grüße žš')", "GRÜSSE ŽŠ"}, {"lower-case('ÄÖÜ ΑΒΓ ДЖ')", "äöü αβγ дж"},
	    {"translate('bar', 'abc', 'AB')", "BAr"}, {"translate('a-b-c', '-', '')", "abc"},
	    {"substring-before('2026-02', '-')", "2026"}, {"substring-after('2026-02', '-')", "02"},
	    {"contains('abc', 'bc')", "true"}, {"starts-with('abc', '')", "true"}, {"ends-with('abc', 'bc')", "true"},
	    {"concat('a', 1, (), 2.50)", "a12.5"}, {"string-join(('a', 'b', 'c'), '-')", "a-b-c"},
	    {"string-join(//@nr, ',')", "1,2,3"}, {"tokenize('a b  c', '\\s+')", "a b c"},
	    {"count(tokenize('1:2:3', ':'))", "3"}, {"tokenize('urn:a:07', ':')[3]", "07"},
	    {"matches('AT123', '^[A-Z]{2}\\d+$')", "true"}, {"matches('abc', 'B')", "false"},
	    {"matches('abc', 'B', 'i')", "true"}, {"matches('x', '^[^0-9]$')", "true"},
	    {"replace('2026-02-28', '-(\\d+)', '/$1')", "2026/02/28"}, {"replace('a.b', '\\.', '')", "ab"},
	    {"string-to-codepoints('AZ')", "65 90"}, {"codepoints-to-string((71, 252))", "Gü"},
	    {"compare('a', 'b')", "-1"}, {"'it''s'", "it's"}, {"\"a\"\"b\"", "a\"b"},
	    {"distinct-values(('a', 'b', 'a'))", "a b"}, {"index-of((10, 20, 10), 10)", "1 3"},
	    {"subsequence((1, 2, 3, 4), 2, 2)", "2 3"}, {"remove((1, 2, 3), 2)", "1 3"}, {"1 to 4", "1 2 3 4"},
	    {"count(2 to 1)", "0"}, {"(1 (: a comment (: in one :) :), 2)", "1 2"});
}

static void types_are_cast_and_dates_compared(void **state)
{
	ARE({"'12' castable as xs:integer", "true"}, {"'12.0' castable as xs:integer", "false"},
	    {"'x' castable as xs:decimal", "false"}, {"'1e3' castable as xs:decimal", "false"},
	    {"'1e3' castable as xs:double", "true"}, {"() castable as xs:integer?", "true"},
	    {"'2026-02-29' castable as xs:date", "false"}, {"'2024-02-29' castable as xs:date", "true"},
	    {"xs:date(o:due) < xs:date('2026-03-01')", "true"},
	    {"xs:date('2026-03-01') = xs:date('2026-03-01Z')", "true"},
	    {"xs:dateTime('2026-03-01T00:00:00+01:00') = xs:dateTime('2026-02-28T23:00:00Z')", "true"},
	    {"xs:string(xs:date('2026-03-01+01:00'))", "2026-03-01+01:00"}, {"year-from-date(xs:date(o:due))", "2026"},
	    {"xs:time(xs:dateTime('2026-03-01T23:30:00+01:00'))", "23:30:00+01:00"},
	    {"xs:time('08:15:00.50') < xs:time('08:15:01')", "true"}, {"'24:00:00' castable as xs:time", "true"},
	    {"'8:15:00' castable as xs:time", "false"}, {"'T08:15:00' castable as xs:time", "false"},
	    {"'2026-03-01+14:30' castable as xs:date", "false"}, {"'7' castable as xsd:integer", "true"},
	    {"month-from-date(xs:date(o:due))", "2"}, {"current-date() = xs:date('2026-02-28Z')", "true"},
	    {"'7' cast as xs:integer", "7"}, {"xs:boolean('1')", "true"}, {"xs:decimal(@id) + 1", "8"},
	    {"xs:string(@id) = '7'", "true"}, {"xs:decimal(1.5e0)", "1.5"}, {"count(xs:decimal(()))", "0"});
}

struct wrong {
	const char *text, *says;
};

static void what_is_not_known_is_refused_when_it_is_compiled(void **state)
{
	static const struct wrong wrong[] = {
		{"a +", "an expression is missing, at its end"},
		{"a[", "an expression is missing"},
		{"a b", "an operator or the end is missing, at character 3"},
		{"$nothing", "there is no variable $nothing"},
		{"q:a", "the prefix `q` is not declared"},
		{"doc('x')", "the function doc() is not known here"},
		{"document('x')", "the function document() is not known here"},
		{"count()", "count() does not take 0 arguments"},
		{"xs:duration('P1D')", "the type xs:duration is not one"},
		{"namespace::a", "the axis `namespace` is not known here"},
		{"matches(., '[a-z-[aeiou]]')", "[ inside [ ] is not known here"},
		{"matches(., '(')", "matches()"},
		{"for $a in b", "`return` is missing"},
		{"if (a) then b", "`else` is missing"},
		{"'open", "a text does not end"},
		{"1x", "`1` is no number"},
		{"o:f(1)", "there is no function o:f() of 1 arguments"},
		{"(((((a", ") is missing"},
	};
	struct context context;

	open(&context);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct error error;

		if (xpath_compile(context.program, span_of(wrong[i].text), &error))
			fail_msg("%s is taken", wrong[i].text);
		assert_string_equal(error.code, "xpath.syntax");
		if (!strstr(error.text, wrong[i].says))
			fail_msg("%s: %s", wrong[i].text, error.text);
	}
	close(&context);
}

static void what_cannot_be_evaluated_is_an_error_and_neither_true_nor_false(void **state)
{
	static const struct wrong wrong[] = {
		{"xs:decimal(o:buyer)", "is no xs:decimal"},
		{"1 div 0", "a division by zero"},
		{"'a' + 1", "cannot be calculated with"},
		{"'a' = 1", "cannot be compared"},
		{"o:line + 1", "3 values where an operator takes one"},
		{"string(//o:line)", "string() takes one value, and there are 3"},
		{"upper-case(1)", "upper-case() takes a text, and not xs:integer"},
		{"xs:date('28.2.2026')", "is no xs:date"},
		{"boolean((1, 2))", "neither true nor false"},
		{"$loop", "a variable depends on itself"},
		{"'a'/b", "nodes are asked for by /"},
		{"99999999999999999999999999999999999999 * 10", "more digits"},
		{"99999999999999999999999999999999999999 + 1", "more digits"},
		{"-99999999999999999999999999999999999999 - 99999999999999999999999999999999999999", "more digits"},
		{"tokenize('a', 'x*')", "matches nothing at all"},
		{"1 to 99999999", "`to` goes too far"},
		{"exactly-one(//o:line)", "there are 3 values"},
	};
	struct context context;
	char value[1000];

	open(&context);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct error error;

		if (!value_of(&context, wrong[i].text, value, &error))
			fail_msg("%s is %s", wrong[i].text, value);
		assert_string_equal(error.code, "xpath.value");
		if (!strstr(error.text, wrong[i].says))
			fail_msg("%s: %s", wrong[i].text, error.text);
	}
	close(&context);
}

static void work_and_depth_have_limits(void **state)
{
	struct context context;
	struct error error;
	char value[1000], deep[2000];
	size_t n = 0;

	open(&context);
	assert_int_equal(
		value_of(&context, "count(for $a in 1 to 100000, $b in 1 to 100000 return $a[. = $b])", value, &error),
		-1);
	assert_string_equal(error.code, "xpath.work");
	while (n < 1000)
		deep[n++] = '(';
	strcpy(deep + n, "1");
	assert_null(xpath_compile(context.program, span_of(deep), &error));
	assert_non_null(strstr(error.text, "inside one another"));
	for (n = 0; n < 1900; n += 2)
		memcpy(deep + n, "1+", 2);
	strcpy(deep + n, "1");
	assert_null(xpath_compile(context.program, span_of(deep), &error));
	assert_non_null(strstr(error.text, "inside one another"));
	close(&context);
}

static void places_are_told_as_the_document_names_them(void **state)
{
	struct context context;
	struct error error, skipped;
	struct xpath_expr *expr;
	struct buf place;
	uint32_t *nodes;
	size_t count;
	struct xpath_run *run;

	open(&context);
	expr = xpath_compile_pattern(context.program, SPAN_LITERAL("o:line[2]/p:qty | @country"), &error);
	assert_non_null(expr);
	run = xpath_run_new(context.program, context.tree, 0);
	assert_int_equal(xpath_run_nodes(run, expr, &nodes, &count, &skipped, &error), 0);
	assert_int_equal(count, 2);
	buf_init(&place, 1000);
	xpath_tree_place(context.tree, nodes[0], &place);
	assert_string_equal(place.data, "/o:order/o:buyer/@country");
	buf_reset(&place);
	xpath_tree_place(context.tree, nodes[1], &place);
	assert_string_equal(place.data, "/o:order/o:line[2]/p:qty");
	assert_int_equal(context.tree->nodes[nodes[1]].line, 4);
	buf_free(&place);
	free(nodes);
	xpath_run_free(run);
	close(&context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_exact_unless_they_are_doubles),
		cmocka_unit_test(paths_find_nodes_in_the_order_of_the_document),
		cmocka_unit_test(comparisons_take_any_of_many),
		cmocka_unit_test(texts_are_cut_joined_and_searched),
		cmocka_unit_test(types_are_cast_and_dates_compared),
		cmocka_unit_test(what_is_not_known_is_refused_when_it_is_compiled),
		cmocka_unit_test(what_cannot_be_evaluated_is_an_error_and_neither_true_nor_false),
		cmocka_unit_test(work_and_depth_have_limits),
		cmocka_unit_test(places_are_told_as_the_document_names_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
