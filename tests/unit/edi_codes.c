/* Codes of what is wrong with an EDI document, whichever of its readers and writers says so; and that each kind of
 * finding is met by some test. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/edi_hand.h"
#include "transformers/edi/edi_finding.h"

#define ISA "ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260101*1200*U*00401*000000001*0*P*>~"
#define GS "GS*PO*ACME*HQ*20260101*1200*1*X*004010~"
#define ENDS "GE*1*1~IEA*1*000000001~"
#define LINE                                                                                                           \
	"{\"interchange\":{\"control\":\"1\",\"sender\":\"A\",\"receiver\":\"B\"},\"group\":{\"code\":\"PO\","         \
	"\"control\":\"1\","                                                                                           \
	"\"version\":\"004010\"},\"transaction\":{\"type\":\"850\"},"

static const struct {
	const struct transformer_ops *ops;
	const char *settings, *document, *told;
} cases[] = {
	{&decode_transformer, "x12", ISA GS "ST*850*0001~SE*2*0002~" ENDS, "x12.control: "},
	{&decode_transformer, "x12", ISA GS "ST*850*0001~SE*3*0001~" ENDS, "x12.count: "},
	{&decode_transformer, "x12", ISA GS "ST*850*0001~BEG*1~" ENDS, "x12.truncated: "},
	{&decode_transformer, "x12", ISA "ST*850*0001~SE*2*0001~IEA*0*000000001~", "x12.structure: "},
	{&decode_transformer, "x12", ISA GS "ST*850*0001~beg*1~SE*3*0001~" ENDS, "x12.segment: "},
	{&decode_transformer, "x12", ISA GS "ST*850*0001~BEG*\x01~SE*3*0001~" ENDS, "x12.character: "},
	{&decode_transformer, "x12",
	 "ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             "
	 "*260101*1200*U*00401*000000001*0*P**~" GS,
	 "x12.separator: "},
	{&decode_transformer, "x12", "ISA*00*~" GS GS GS GS, "x12.isa: "},
	{&decode_transformer, "x12", ISA "IEA*0*000000001~hello", "x12.junk: "},
	{&decode_transformer, "x12", "\xff\xfeI", "x12.encoding: "},
	{&decode_transformer, "x12", "   ", "x12.empty: "},
	{&decode_transformer, "{format: x12, form: nested}", ISA GS "ST*999*0001~SE*2*0001~" ENDS, "x12.grammar: "},
	{&encode_transformer, "{format: x12, charset: reject}", LINE "\"segments\":[[\"BEG\",\"\u00fc\"]]}",
	 "x12.charset: "},
	{&encode_transformer, "x12", LINE "\"segments\":1}", "x12.json: "},
	{&encode_transformer, "x12", "{\"format\":\"edifact\"}", "x12.format: "},
	{&encode_transformer, "{format: x12, envelope: '1'}", LINE "\"segments\":[]}", "x12.envelope: "},
};

static void each_code_is_told(void **state)
{
	unsigned failed = 0;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out;

		buf_init(&out, 1 << 20);
		edi_hand_run(cases[i].ops, cases[i].settings, span_of(cases[i].document), &out);
		if (strncmp(edi_hand_told, cases[i].told, strlen(cases[i].told)) != 0) {
			print_message("%s\n wanted: %s\n    got: %s\n", cases[i].document, cases[i].told,
				      edi_hand_told);
			failed++;
		}
		buf_free(&out);
	}
	assert_int_equal(failed, 0);
}

/* A segment of more than a mebibyte. */
static void what_is_too_large_is_told(void **state)
{
	struct buf document, out;

	buf_init(&document, 4 << 20);
	buf_init(&out, 4 << 20);
	buf_text(&document, ISA GS "ST*850*0001~BEG*");
	for (size_t i = 0; i < (1u << 20) + 10; i++)
		buf_char(&document, 'x');
	buf_text(&document, "~SE*3*0001~" ENDS);
	edi_hand_run(&decode_transformer, "x12", buf_view(&document), &out);
	assert_int_equal(strncmp(edi_hand_told, "x12.limit: ", 11), 0);
	buf_free(&document);
	buf_free(&out);
}

/* ---- every code of a finding stands in some test */
static bool stands_in(const char *file, const char *code)
{
	char *path = mem_printf("%s/tests/%s", edi_hand_source(), file), *text, *at;
	size_t n, len = strlen(code);
	bool found = false;

	text = support_read(path, &n);
	assert_non_null(text);
	for (at = text; !found && (at = strstr(at, code)); at += len) {
		char before = at == text ? ' ' : at[-1], after = at[len];

		found = (before == '.' || before == ' ') &&
			(after == '"' || after == '|' || after == ':' || after == ',');
	}
	free(text);
	free(path);
	return found;
}

static void every_kind_of_finding_is_met_by_a_test(void **state)
{
	static const char *const tests[] = {"unit/edi_grammar.c", "unit/edi_nested.c", "unit/edi_codes.c",
					    "formats/documents/cases.yaml"};
	unsigned missing = 0;

	for (int i = 0; i < EDI_KINDS; i++) {
		bool found = i == EDI_KIND_OTHER; /* never told: what has no kind of its own is put there */

		for (size_t k = 0; k < sizeof tests / sizeof *tests && !found; k++)
			found = stands_in(tests[k], edi_kinds[i].code);
		if (!found) {
			print_message("no test meets %s\n", edi_kinds[i].code);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_is_told),
		cmocka_unit_test(what_is_too_large_is_told),
		cmocka_unit_test(every_kind_of_finding_is_met_by_a_test),
	};

	return cmocka_run_group_tests(tests, NULL, edi_hand_end);
}
