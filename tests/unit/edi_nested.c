/* The nested form encoded again: the same bytes for what was decoded, the grammar's order for what a mapping made, and
 * a refusal that says where for everything that is not known. */
#include "config.h"

#include <stdio.h>

#include "tests/support/edi_hand.h"
#include "transformers/transformers.h"

/* ---- files of edi/ that are only here */
static const struct edi_hand_file files[] = {
	{"words.yaml",
	 "dictionary: x12 009999\n"
	 "segments:\n"
	 "  BEG: {name: beginning, title: Beginning, elements: [353 M purpose, 324 M number, 373 O date, 337 O time, "
	 "C040 "
	 "O reference, 1250 O format, 1251 O period]}\n"
	 "  REF: {title: Reference, elements: [128 M qualifier, 127 O 3 values, C040 O 2 others, 610 O 2 amounts]}\n"
	 "  PO1: {title: Line, elements: [350 O line, 330 O quantity, 610 O amount, 611 O rate, 354 O count]}\n"
	 "  NTE: {title: Note, elements: [93 O text]}\n"
	 "  BIN: {title: Bytes, elements: [784 M length, 785 M bytes]}\n"
	 "composites:\n"
	 "  C040: {title: Reference identifier, elements: [128 M qualifier, 127 O value, 93 O note]}\n"
	 "elements:\n"
	 "  '93': {title: Text, type: AN, size: 1..60}\n"
	 "  '127': {title: Reference, type: AN, size: 1..30}\n"
	 "  '128': {title: Qualifier, type: ID, size: 2..3}\n"
	 "  '324': {title: Number, type: AN, size: 1..22}\n"
	 "  '330': {title: Quantity, type: R, size: 1..15}\n"
	 "  '337': {title: Time, type: TM, size: 4..8}\n"
	 "  '350': {title: Line, type: AN, size: 1..20}\n"
	 "  '353': {title: Purpose, type: ID, size: 2..2}\n"
	 "  '354': {title: Count, type: N0, size: 1..6}\n"
	 "  '373': {title: Date, type: DT, size: 8..8}\n"
	 "  '610': {title: Amount, type: N2, size: 1..15}\n"
	 "  '611': {title: Rate, type: N4, size: 1..15}\n"
	 "  '784': {title: Length, type: N0, size: 1..15}\n"
	 "  '785': {title: Bytes, type: B, size: 1..999999}\n"
	 "  '1250': {title: Format, type: ID, size: 2..3}\n"
	 "  '1251': {title: Period, type: AN, size: 1..35}\n"},
	{"own.yaml", "grammar: x12 009999 850\n"
		     "dictionary: words.yaml\n"
		     "structure:\n"
		     "  - BEG M 1\n"
		     "  - REF O >1 references\n"
		     "  - loop: lines\n"
		     "    use: O >1\n"
		     "    structure:\n"
		     "      - PO1 M 1 line\n"
		     "      - REF O 1 reference\n"
		     "      - {loop: notes, use: O 5, structure: [NTE M 1 note, BIN O 1 attachment]}\n"
		     "  - NTE O 1 remark\n"},
	{"other.yaml", "grammar: x12 009999 850\n"
		       "extends: own.yaml\n"
		       "change: [{before: NTE, add: 'ZZ1 O 1 extra'}]\n"
		       "segments: {ZZ1: {title: Ours, elements: [93 M what]}}\n"},
};

static const char *const all_keys[] = {"names", "positions", "both"};

#define ISA                                                                                                            \
	"ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260101*1200*^*00501*000000001*0*P*>~"   \
	"GS*PO*ACME*HQ*20260101*1200*1*X*009999~"

static void build(struct buf *document, const char *segments)
{
	unsigned n = 2;

	for (const char *p = segments; *p; p++)
		n += *p == '~' && !(p[1] >= 'a' && p[1] <= 'z'); /* those are bytes */
	buf_init(document, 1 << 20);
	buf_printf(document, ISA "ST*850*0001~%sSE*%u*0001~GE*1*1~IEA*1*000000001~", segments, n);
}

#define DECODE "{format: x12, form: nested, grammars: [own.yaml], keys: %s}"
#define ENCODE "{format: x12, grammars: [own.yaml]}"

static void comes_back_itself(const char *segments)
{
	struct buf document, lines, bytes;
	char settings[100];

	build(&document, segments);
	for (size_t i = 0; i < 3; i++) {
		snprintf(settings, sizeof settings, DECODE, all_keys[i]);
		buf_init(&lines, 1 << 20);
		buf_init(&bytes, 1 << 20);
		if (edi_hand_run(&decode_transformer, settings, buf_view(&document), &lines))
			fail_msg("%s: %s", segments, edi_hand_told);
		if (edi_hand_run(&encode_transformer, ENCODE, buf_view(&lines), &bytes) ||
		    !span_equal(buf_view(&document), buf_view(&bytes)))
			fail_msg("%s (%s)\n%s\n%.*s\n%.*s", segments, all_keys[i], edi_hand_told,
				 SPAN_ARGS(buf_view(&lines)), SPAN_ARGS(buf_view(&bytes)));
		buf_free(&lines);
		buf_free(&bytes);
	}
	buf_free(&document);
}

static void what_the_nested_form_does_not_tell_is_kept_beside_it(void **state)
{
	comes_back_itself("BEG*00*1~");
	comes_back_itself("BEG*00*1**~");
	comes_back_itself("BEG*00*1*****~REF*AB**~");
	comes_back_itself("BEG*00*1***AB>C>~");
	comes_back_itself("BEG*00*1***AB>>~REF*AB*x*AB>1>^CD>~");
	comes_back_itself("BEG*00*1***>>~");
	comes_back_itself("BEG*00*1***>~REF*AB*^*AB~REF*AB**>>^>~");
	comes_back_itself("BEG~REF*~REF**~NTE~");
	comes_back_itself("BEG*00*1*20261340*9999**D8*x~");
	comes_back_itself("BEG*00*1*****\n**\n~REF*AB*a\nb**\n*~");
}

static void forms_that_the_grammar_has_not_come_back_too(void **state)
{
	comes_back_itself("BEG*00*1>2*20260101~ZZ9*a*b>c**~PO1*1*>*~QQ*1~");
	comes_back_itself("BEG*00*1*20260101*1200*AB>C>D>E>F*D8*20260101*x*y>z*a^b*^~");
	comes_back_itself("BEG*00^01*1~REF*AB*a^b^c^d*AB>1^^CD>2~");
	comes_back_itself("NTE*x~BEG*00*1~NTE*y~NTE*z~");
	comes_back_itself("BEG*00*1~REF*AB****a>b^c>d**~");
}

static void numbers_and_their_originals_agree(void **state)
{
	comes_back_itself("BEG*00*1~PO1*1*+5*1050*10500*007~");
	comes_back_itself("BEG*00*1~PO1*1*.50*0005*-1*-0~PO1*2*1,5*10.50*1A*1.0~");
	comes_back_itself("BEG*00*1~REF*AB***1050^05^1.5^X~");
}

static void a_binary_segment_keeps_its_bytes(void **state)
{
	comes_back_itself("BEG*00*1~PO1*1~NTE*a~BIN*9*a~b*c>\xe9\nd~NTE*b~");
	comes_back_itself("BEG*00*1~PO1*1~NTE*a~BIN*0*~");
}

/* ---- what mappings make */
static uint64_t encode_with(const char *settings, const char *document, struct buf *bytes)
{
	struct buf line;
	uint64_t refused;

	buf_init(&line, 1 << 20);
	buf_init(bytes, 1 << 20);
	buf_printf(
		&line,
		"{\"interchange\":{\"control\":\"1\",\"sender\":\"ZZ:A\",\"receiver\":\"ZZ:B\",\"version\":\"00501\"},"
		"\"group\":{\"code\":\"PO\",\"control\":\"1\",\"version\":\"009999\"},"
		"\"transaction\":{\"type\":\"850\"},%s}",
		document);
	refused = edi_hand_run(&encode_transformer, settings, buf_view(&line), bytes);
	buf_free(&line);
	return refused;
}

static void gives(const char *document, const char *segments)
{
	struct buf bytes;
	char *from, *to;

	if (encode_with(ENCODE, document, &bytes))
		fail_msg("%s: %s", document, edi_hand_told);
	buf_char(&bytes, '\0');
	from = strstr(bytes.data, "ST*850*0001~");
	to = from ? strstr(from, "SE*") : NULL;
	assert_non_null(to);
	*to = '\0';
	assert_string_equal(from + 12, segments);
	buf_free(&bytes);
}

static void refuses(const char *document, const char *why)
{
	struct buf bytes;

	assert_int_equal(encode_with(ENCODE, document, &bytes), 1);
	if (!strstr(edi_hand_told, why))
		fail_msg("%s: %s", document, edi_hand_told);
	buf_free(&bytes);
}

#define D "\"document\":"

static void members_take_the_grammars_order(void **state)
{
	gives(D "{\"remark\":{\"text\":\"end\"},\"lines\":[{\"notes\":[{\"note\":{\"text\":\"n\"}}],\"line\":{"
		"\"quantity\":"
		"5,\"line\":\"1\"}}],\"references\":{\"values\":\"x\",\"qualifier\":\"AB\"},\"beginning\":{\"number\":"
		"\"PO-1\",\"purpose\":\"00\"}}",
	      "BEG*00*PO-1~REF*AB*x~PO1*1*5~NTE*n~NTE*end~");
	gives(D "{\"BEG\":{\"BEG02\":\"1\",\"BEG05\":{\"BEG05_2\":\"v\",\"qualifier\":\"AB\"}},\"references\":null,"
		"\"lines\":[],\"remark\":{}}",
	      "BEG**1***AB>v~NTE~");
	gives(D "{\"references\":[{\"qualifier\":\"AB\",\"values\":[\"a\",\"b\"],\"others\":{\"qualifier\":\"CD\"}}]}",
	      "REF*AB*a^b*CD~");
	gives(D "{\"beginning\":{\"purpose\":\"\",\"number\":null,\"reference\":{\"note\":\"\"}}}", "BEG~");
}

static void values_take_the_form_of_their_element(void **state)
{
	gives(D "{\"lines\":[{\"line\":{\"quantity\":9.5,\"amount\":\"10.5\",\"rate\":\"0.05\",\"count\":3}}]}",
	      "PO1**9.5*1050*500*3~");
	gives(D "{\"lines\":[{\"line\":{\"amount\":10,\"rate\":\"-1.20000\",\"count\":\"007\"}}]}",
	      "PO1***1000*-12000*007~");
	/* An original that says something else is of before the change. */
	gives(D "{\"lines\":[{\"line\":{\"amount\":\"11.00\",\"amount_raw\":\"1050\",\"rate\":\"1.0500\",\"rate_raw\":"
		"\"010500\"}}]}",
	      "PO1***1100*010500~");
	gives(D "{\"beginning\":{\"date_iso\":\"2026-01-31\",\"time_iso\":\"12:30\",\"period_iso\":"
		"\"2026-01-01/2026-01-31\"}}",
	      "BEG***20260131*1230**RD8*20260101-20260131~");
	gives(D "{\"beginning\":{\"date\":\"20260201\",\"date_iso\":\"2026-01-31\",\"format\":\"D6\",\"period_iso\":"
		"\"2026-01-31\"}}",
	      "BEG***20260201***D6*260131~");
}

static void what_is_not_known_is_refused_with_its_place(void **state)
{
	refuses(D "{\"begining\":{}}", "x12.document: document.begining: there is no such member in the document of "
				       "own.yaml; the nearest is beginning");
	refuses(D "{\"lines\":[{\"line\":{}},{\"line\":{\"quantty\":\"1\"}}]}",
		"document.lines[1].line.quantty: there is no such member in the segment PO1 of own.yaml; the nearest "
		"is "
		"quantity");
	refuses(D "{\"lines\":[{\"line\":{},\"notes\":[{\"note\":{},\"xyzzy\":1}]}]}",
		"document.lines[0].notes[0].xyzzy: there is no such member in the loop notes of own.yaml; there are "
		"note, "
		"attachment");
	refuses(D "{\"beginning\":{\"reference\":{\"valu\":\"x\"}}}",
		"document.beginning.reference.valu: there is no such member in the composite BEG05");
	refuses(D "{\"beginning\":{\"number_iso\":\"x\"}}", "document.beginning.number_iso: there is no such member");
	refuses(D "{\"beginning\":{\"number\":\"1\",\"BEG02\":\"2\"}}", "by its name and by its position");
	refuses(D "{\"remark\":{},\"NTE\":{}}", "by its name and by its position");
}

static void what_has_another_form_is_refused(void **state)
{
	refuses(D "[]", "x12.document: `document` is an object");
	refuses(D "{\"beginning\":\"x\"}", "x12.document: document.beginning: a segment is an object");
	refuses(D "{\"lines\":[null]}", "x12.document: document.lines[0]: a loop is an object");
	refuses(D "{\"beginning\":[{},{}]}", "document.beginning: it may come once, and there are 2 of it");
	refuses(D "{\"lines\":[{\"notes\":[]}]}", "document.lines[0].line: the loop begins with this segment, PO1");
	refuses(D "{\"beginning\":{\"reference\":\"x\"}}", "document.beginning.reference: it is a composite");
	refuses(D "{\"beginning\":{\"number\":{\"a\":1}}}", "document.beginning.number: a value is a text or a number");
	refuses(D "{\"beginning\":{\"number\":true}}", "document.beginning.number: a value is a text or a number");
	refuses(D "{},\"unplaced\":[[2]]", "x12.document: unplaced[0]");
	refuses(D "{},\"segments\":[[\"BEG\"]]", "x12.document: the line has `segments` and a `document`");
	refuses("\"segments\":[[\"BEG\"]]," D "{}", "x12.document: the line has `segments` and a `document`");
}

static void a_value_that_the_element_cannot_hold_is_refused(void **state)
{
	refuses(D "{\"lines\":[{\"line\":{\"amount\":\"1.055\"}}]}",
		"x12.value: document.lines[0].line.amount: it has more decimals");
	refuses(D "{\"lines\":[{\"line\":{\"amount\":\"ten\"}}]}", "x12.value: document.lines[0].line.amount: it is no "
								   "number");
	refuses(D "{\"lines\":[{\"line\":{\"quantity\":1e40}}]}", "without an exponent");
	refuses(D "{\"beginning\":{\"date_iso\":\"2026-02-30\"}}",
		"x12.value: document.beginning.date: its ISO form \"2026-02-30\" cannot be written");
	refuses(D "{\"beginning\":{\"format\":\"ZZ\",\"period_iso\":\"2026-02-20\"}}", "in the format ZZ");
	refuses(D "{\"beginning\":{\"number\":\"a*b\"}}",
		"x12.separator: document.beginning.number: an element contains "
		"the separator");
}

static void grammars_are_found_by_version_type_and_name(void **state)
{
	struct buf bytes;

	refuses("\"grammar\":\"other.yaml\"," D "{\"extra\":{\"what\":\"x\"}}",
		"document.extra: there is no such member");
	assert_int_equal(encode_with("{format: x12, grammars: [other.yaml, own.yaml]}",
				     "\"grammar\":\"other.yaml\"," D "{\"extra\":{\"what\":\"x\"}}", &bytes),
			 0);
	buf_free(&bytes);
	assert_int_equal(encode_with("{format: x12, grammars: [own.yaml, other.yaml]}",
				     D "{\"extra\":{\"what\":\"x\"}}", &bytes),
			 0);
	buf_free(&bytes);
	assert_int_equal(encode_with("{format: x12}", D "{}", &bytes), 1);
	assert_non_null(strstr(edi_hand_told, "x12.grammar: there is no grammar for 009999 850"));
	buf_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_nested_form_does_not_tell_is_kept_beside_it),
		cmocka_unit_test(forms_that_the_grammar_has_not_come_back_too),
		cmocka_unit_test(numbers_and_their_originals_agree),
		cmocka_unit_test(a_binary_segment_keeps_its_bytes),
		cmocka_unit_test(members_take_the_grammars_order),
		cmocka_unit_test(values_take_the_form_of_their_element),
		cmocka_unit_test(what_is_not_known_is_refused_with_its_place),
		cmocka_unit_test(what_has_another_form_is_refused),
		cmocka_unit_test(a_value_that_the_element_cannot_hold_is_refused),
		cmocka_unit_test(grammars_are_found_by_version_type_and_name),
	};

	edi_hand_files(files, sizeof files / sizeof *files);
	return cmocka_run_group_tests(tests, NULL, edi_hand_end);
}
