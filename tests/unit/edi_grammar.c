/* Grammars: the nested form, and every finding that a grammar can make. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/yaml.h"
#include "tests/support/support.h"
#include "tests/unit/edi_grammar_files.h"
#include "transformers/chain.h"
#include "transformers/edi/edi_finding.h"
#include "transformers/transformers.h"

static struct span found;

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	(void)site;
	assert_string_equal(folder, "edi");
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (!strcmp(files[i].name, name)) {
			found = span_of(files[i].text);
			return &found;
		}
	return NULL;
}

/* ---- decoding by hand */
static struct buf out, told;

static int write_out(void *arg, struct span bytes, struct error *error)
{
	(void)arg;
	(void)error;
	return buf_span(&out, bytes);
}

static char *listed;

static void tell(void *arg, const char *step, struct span position, const struct error *why, const char *dropped,
		 const json_t *list)
{
	(void)arg;
	(void)step;
	free(listed);
	listed = list ? json_dumps(list, JSON_COMPACT) : NULL;
	buf_printf(&told, "%s|%.*s|%s\n", why ? why->code : dropped, SPAN_ARGS(position), why ? why->text : "");
}

static void decode(const char *settings, struct span document)
{
	struct arena *arena = arena_new();
	struct yaml_documents documents = {0};
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	struct transformer_context surroundings = {.file = file_of};
	struct chain_step step = {.ops = &decode_transformer,
				  .settings = arena_alloc(arena, decode_transformer.settings_size),
				  .label = "decode"};
	struct chain_hand hand = {.write = write_out, .tell = tell};
	struct chain_report report;
	struct reader *body = reader_new_copy(document);
	struct error error = {0};
	struct chain *chain;

	buf_free(&out);
	buf_free(&told);
	buf_init(&out, 1 << 24);
	buf_init(&told, 1 << 24);
	findings_init(&findings);
	assert_int_equal(yaml_read(arena, &findings, "settings", span_of(settings), NULL, &documents), 0);
	if (option_fill(&context, documents.items[0], decode_transformer.options, NULL,
			(void *)(uintptr_t)step.settings) ||
	    decode_transformer.check(step.settings, &surroundings, (struct place){"settings", 1, 1}, &findings))
		fail_msg("%s: %s", settings, findings.list[0].text);
	chain = chain_new("test", &step, 1, &surroundings, NULL, &error);
	if (!chain)
		fail_msg("%s", error.text);
	if (chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error))
		fail_msg("%s", error.text);
	chain_free(chain);
	reader_unref(body);
	findings_free(&findings);
	arena_free(arena);
}

static unsigned count_of(const char *segments)
{
	unsigned n = 0;

	for (const char *p = segments; *p; p++)
		n += *p == '~';
	return n;
}

/* The segments between ST and SE, ended by ~; ends with the repetition separator ^ and the component's >. */
static void decode_x12(const char *settings, const char *segments)
{
	struct buf document;
	const char *last = segments;
	unsigned transactions = 1;

	for (const char *p = segments; (p = strstr(p, "~ST*")) != NULL; transactions++) {
		p += 4;
		last = strchr(p, '~') + 1;
	}
	buf_init(&document, 1 << 20);
	buf_printf(
		&document,
		"ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260101*1200*^*00501*000000001*0*"
		"P*>~GS*PO*ACME*HQ*20260101*1200*1*X*004010~ST*850*0001~%sSE*%u*%s~GE*%u*1~IEA*1*000000001~",
		segments, count_of(last) + 2, transactions > 1 ? "0003" : "0001", transactions);
	decode(settings, buf_view(&document));
	buf_free(&document);
}

/* The `document` of the only line, and what follows it up to `ends`. */
static char *document_of(void)
{
	const char *from = out.data ? strstr(out.data, "\"document\":") : NULL,
		   *to = from ? strstr(from, ",\"ends\"") : NULL;
	json_t *whole;

	if (!from || !to)
		fail_msg("no nested document: %.*s %.*s", (int)out.len, out.data ? out.data : "", (int)told.len,
			 told.data ? told.data : "");
	whole = json_loadb(out.data, out.len, 0, NULL);
	if (!whole)
		fail_msg("no JSON: %.*s", (int)out.len, out.data);
	json_decref(whole);
	return mem_span_dup(span_make(from + 11, (size_t)(to - from - 11)));
}

#define ORDER "{format: x12, form: nested, grammars: [order.yaml]}"
#define LOOSE "{format: x12, grammars: [loose.yaml], check: [balance]}"
#define STRICT "{format: x12, form: nested, grammars: [order.yaml], check: [structure, codes, balance]}"

static void gives(const char *settings, const char *segments, const char *wanted)
{
	char *document;

	decode_x12(settings, segments);
	document = document_of();
	assert_string_equal(document, wanted);
	free(document);
}

static void the_nested_form_names_segments_elements_and_loops(void **state)
{
	gives(ORDER, "BEG*00*PO-1*20260131*1230*CO>17~REF*CO*A1~REF*IA*B2~N1*BY*Shop~N3*Street~PO1*1*5*EA~CTT*1~",
	      "{\"beginning\":{\"purpose\":\"00\",\"number\":\"PO-1\",\"date\":\"20260131\",\"date_iso\":\"2026-01-"
	      "31\","
	      "\"time\":\"1230\",\"time_iso\":\"12:30\",\"reference\":{\"qualifier\":\"CO\",\"value\":\"17\"}},"
	      "\"references\":[{\"qualifier\":\"CO\",\"value\":\"A1\"},{\"qualifier\":\"IA\",\"value\":\"B2\"}],"
	      "\"parties\":[{\"name\":{\"entity\":\"BY\",\"name\":\"Shop\"},\"address\":{\"line\":\"Street\"}}],"
	      "\"lines\":[{\"item\":{\"line\":\"1\",\"quantity\":\"5\",\"unit\":\"EA\"}}],\"totals\":{\"lines\":\"1\"}"
	      "}");
}

static void the_innermost_open_loop_that_fits_takes_a_segment(void **state)
{
	gives(ORDER, "BEG*00*1~PO1*1~N1*ST*A~N3*B~PO1*2~REF*CO*XY~CTT*2~",
	      "{\"beginning\":{\"purpose\":\"00\",\"number\":\"1\"},"
	      "\"lines\":[{\"item\":{\"line\":\"1\"},\"parties\":{\"name\":{\"entity\":\"ST\",\"name\":\"A\"},"
	      "\"address\":{\"line\":\"B\"}}},{\"item\":{\"line\":\"2\"},\"reference\":{\"qualifier\":\"CO\","
	      "\"value\":\"XY\"}}],\"totals\":{\"lines\":\"2\"}}");
}

static void implied_decimals_are_written_out(void **state)
{
	gives(ORDER, "BEG*00*1~PO1*1****1050~PO1*2****5~PO1*3****-0012345~CTT*3~",
	      "{\"beginning\":{\"purpose\":\"00\",\"number\":\"1\"},"
	      "\"lines\":[{\"item\":{\"line\":\"1\",\"amount\":\"10.50\",\"amount_raw\":\"1050\"}},"
	      "{\"item\":{\"line\":\"2\",\"amount\":\"0.05\",\"amount_raw\":\"5\"}},"
	      "{\"item\":{\"line\":\"3\",\"amount\":\"-123.45\",\"amount_raw\":\"-0012345\"}}],\"totals\":{\"lines\":"
	      "\"3\"}}");
}

static void what_has_no_place_is_kept_where_structure_is_not_checked(void **state)
{
	gives(ORDER, "BEG*00*1*****y>z~ZZ9*a\"b>c~BEG*01*2~PO1*1~CTT*1~",
	      "{\"beginning\":{\"purpose\":\"00\",\"number\":\"1\",\"BEG07\":[\"y\",\"z\"]},"
	      "\"lines\":[{\"item\":{\"line\":\"1\"}}],\"totals\":{\"lines\":\"1\"}},"
	      "\"unplaced\":[[3,[\"ZZ9\",[\"a\\\"b\",\"c\"]]],[4,[\"BEG\",\"01\",\"2\"]]]");
}

static void repetitions_are_arrays(void **state)
{
	gives(ORDER, "BEG*00*1~REF*CO*AA**r1^r2~REF*IA*BB**r3~PO1*1~CTT*1~",
	      "{\"beginning\":{\"purpose\":\"00\",\"number\":\"1\"},"
	      "\"references\":[{\"qualifier\":\"CO\",\"value\":\"AA\",\"more\":[\"r1\",\"r2\"]},"
	      "{\"qualifier\":\"IA\",\"value\":\"BB\",\"more\":[\"r3\"]}],"
	      "\"lines\":[{\"item\":{\"line\":\"1\"}}],\"totals\":{\"lines\":\"1\"}}");
}

static void keys_may_be_positions_or_both(void **state)
{
	gives("{format: x12, form: nested, grammars: [order.yaml], keys: positions}",
	      "BEG*00*1*20260131**CO>17~PO1*1****5~CTT*1~",
	      "{\"BEG\":{\"BEG01\":\"00\",\"BEG02\":\"1\",\"BEG03\":\"20260131\",\"BEG03_iso\":\"2026-01-31\","
	      "\"BEG05\":{\"BEG05_1\":\"CO\",\"BEG05_2\":\"17\"}},"
	      "\"lines\":[{\"PO1\":{\"PO101\":\"1\",\"PO105\":\"0.05\",\"PO105_raw\":\"5\"}}],\"CTT\":{\"CTT01\":\"1\"}"
	      "}");
	gives("{format: x12, form: nested, grammars: [order.yaml], keys: both}", "BEG*00*1~PO1*1~CTT*1~",
	      "{\"beginning\":{\"purpose\":\"00\",\"BEG01\":\"00\",\"number\":\"1\",\"BEG02\":\"1\"},"
	      "\"lines\":[{\"item\":{\"line\":\"1\",\"PO101\":\"1\"}}],\"totals\":{\"lines\":\"1\",\"CTT01\":\"1\"}}");
}

static void edifact_has_its_dates_and_decimal_commas_told(void **state)
{
	char *document;

	decode("{format: edifact, form: nested, grammars: [orders.yaml], check: structure}",
	       SPAN_LITERAL("UNA:+.? 'UNB+UNOC:3+A+B+260101:1200+1'UNH+1+ORDERS:D:96A:UN'BGM+220+PO?+1+9'"
			    "DTM+137:20260131:102'DTM+2:202601311230:203'QTY+AB:1,5'UNT+6+1'UNZ+1+1'"));
	document = document_of();
	assert_string_equal(
		document,
		"{\"beginning\":{\"documentName\":{\"code\":\"220\"},\"documentNumber\":\"PO+1\","
		"\"messageFunction\":\"9\"},\"dates\":[{\"date\":{\"qualifier\":\"137\",\"value\":\"20260131\","
		"\"value_iso\":\"2026-01-31\",\"format\":\"102\"}},{\"date\":{\"qualifier\":\"2\","
		"\"value\":\"202601311230\",\"value_iso\":\"2026-01-31T12:30\",\"format\":\"203\"}}],"
		"\"quantity\":{\"quantity\":{\"qualifier\":\"AB\",\"quantity\":\"1.5\",\"quantity_raw\":\"1,5\"}}}");
	free(document);
}

/* ---- findings */
#define OURS "{format: x12, grammars: [order.yaml, ours.yaml], check: [structure, codes]}"
#define CODES "{format: x12, grammars: [order.yaml], check: codes}"

static const struct {
	const char *settings, *segments, *told; /* empty: nothing is wrong */
} wrong[] = {
	{STRICT, "BEG*00*1~PO1*1*2*EA~CTT*1*2~", ""},
	{STRICT, "PO1*1~CTT*1~", "x12.segment-missing|transaction 1 (control 0001), segment 2 (BEG)"},
	{STRICT, "BEG*00*1~PO1*1~", "x12.segment-missing|transaction 1 (control 0001), segment 4 (CTT)"},
	{STRICT, "BEG*00*1~CTT*1~", "x12.loop-missing|transaction 1 (control 0001), segment 3 (PO1)"},
	{STRICT, "BEG*00*1~QQQ*1~PO1*1~CTT*1~", "x12.segment-unknown|transaction 1 (control 0001), segment 3 (QQQ)"},
	{STRICT, "BEG*00*1~ZZ1*1~PO1*1~CTT*1~", "x12.segment-undefined|transaction 1 (control 0001), segment 3 (ZZ1)"},
	{STRICT, "BEG*00*1~PO1*1~CUR*BY*USD~CTT*1~", "x12.segment-order|transaction 1 (control 0001), segment 4 (CUR)"},
	{STRICT, "BEG*00*1~REF*CO*AA~REF*CO*AA~REF*CO*AA~PO1*1~CTT*1~",
	 "x12.segment-repeats|transaction 1 (control 0001), segment 5 (REF)"},
	{STRICT, "BEG*00*1~N1*BY~N1*BY~N1*BY~PO1*1~CTT*1~",
	 "x12.loop-repeats|transaction 1 (control 0001), segment 5 (N1)"},
	{STRICT, "BEG*00*1~PO1*1~N1*BY~N3*a~N3*b~CTT*1~",
	 "x12.segment-repeats|transaction 1 (control 0001), segment 6 (N3)"},
	{STRICT, "BEG*00~PO1*1~CTT*1~",
	 "x12.element-missing|transaction 1 (control 0001), segment 2 (BEG), element 2, component 1"},
	{STRICT, "BEG*00*1***CO~PO1*1~CTT*1~",
	 "x12.element-missing|transaction 1 (control 0001), segment 2 (BEG), element 5, component 2"},
	{STRICT, "BEG*00*1~CUR*BY~PO1*1~CTT*1~",
	 "x12.element-condition|transaction 1 (control 0001), segment 3 (CUR), element 2, component 1"},
	{STRICT, "BEG*00*1~CUR***1.255~PO1*1~CTT*1~",
	 "x12.element-condition|transaction 1 (control 0001), segment 3 (CUR), element 1, component 1"},
	{STRICT, "BEG*00*1~REF*CO~PO1*1~CTT*1~",
	 "x12.element-condition|transaction 1 (control 0001), segment 3 (REF), element 2, component 1"},
	{STRICT, "BEG*00*1~PO1*1*2~CTT*1~",
	 "x12.element-condition|transaction 1 (control 0001), segment 3 (PO1), element 3, component 1"},
	{STRICT, "BEG*00*1~REF*CO*AA**BB~PO1*1~CTT*1~",
	 "x12.element-excluded|transaction 1 (control 0001), segment 3 (REF), element 4, component 1"},
	{STRICT, "BEG*00*1~REF*CO*AA^BB~PO1*1~CTT*1~",
	 "x12.element-repeats|transaction 1 (control 0001), segment 3 (REF), element 2, component 1"},
	{STRICT, "BEG*00*1~REF*CO***B1^B2^B3~REF*CO*A1~PO1*1~CTT*1~",
	 "x12.element-condition|transaction 1 (control 0001), segment 3 (REF), element 2"},
	{STRICT, "BEG*00*1~REF*CO*A~PO1*1~CTT*1~",
	 "x12.element-short|transaction 1 (control 0001), segment 3 (REF), element 2, component 1 at byte 166|it has 1 "
	 "characters, and at least 2 are needed"},
	{STRICT, "BEG*00*12345678901234567890123~PO1*1~CTT*1~",
	 "x12.element-long|transaction 1 (control 0001), segment 2 (BEG), element 2"},
	{STRICT,
	 "BEG*00*\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc~PO1*1~"
	 "CTT*1~",
	 ""},
	{STRICT, "BEG*00*1~PO1*1*1,5*EA~CTT*1~",
	 "x12.element-type|transaction 1 (control 0001), segment 3 (PO1), element 2"},
	{STRICT, "BEG*00*1~PO1*1*-1.5*EA~PO1*2*1E2*EA~PO1*3*.5*EA~CTT*3~", ""},
	{STRICT, "BEG*00*1~PO1*1*.*EA~CTT*1~",
	 "x12.element-type|transaction 1 (control 0001), segment 3 (PO1), element 2"},
	{STRICT, "BEG*00*1~PO1*1****1.5~CTT*1~",
	 "x12.element-type|transaction 1 (control 0001), segment 3 (PO1), element 5"},
	{STRICT, "BEG*00*1*20260230~PO1*1~CTT*1~",
	 "x12.element-date|transaction 1 (control 0001), segment 2 (BEG), element 3"},
	{STRICT, "BEG*00*1*20240229~PO1*1~CTT*1~", ""},
	{STRICT, "BEG*00*1**2460~PO1*1~CTT*1~",
	 "x12.element-time|transaction 1 (control 0001), segment 2 (BEG), element 4"},
	{STRICT, "BEG*00*1**12305999~PO1*1~CTT*1~", ""},
	{STRICT, "BEG*00*1****x~PO1*1~CTT*1~", "x12.elements|transaction 1 (control 0001), segment 2 (BEG), element 6"},
	{STRICT, "BEG*00*1***CO>AA>b>c~PO1*1~CTT*1~",
	 "x12.components|transaction 1 (control 0001), segment 2 (BEG), element 5, component 4"},
	{STRICT, "BEG*00*1>2~PO1*1~CTT*1~",
	 "x12.components|transaction 1 (control 0001), segment 2 (BEG), element 2, component 2"},
	{STRICT, "BEG*02*1~PO1*1~CTT*1~", "x12.code|transaction 1 (control 0001), segment 2 (BEG), element 1"},
	{STRICT, "BEG*00*1***XX>AA~PO1*1~CTT*1~",
	 "x12.code|transaction 1 (control 0001), segment 2 (BEG), element 5, component 1"},
	{STRICT, "BEG*00*1~PO1*1*5*QQ~CTT*1~", ""}, /* an open list */
	{CODES, "BEG*00~QQQ*5~CTT*9~", ""},         /* nothing else is judged */
	{CODES, "BEG*99~", "x12.code"},
	{STRICT, "BEG*00*1~PO1*1~CTT*2~",
	 "x12.balance-count|transaction 1 (control 0001), segment 4 (CTT), element 1, component 1 at byte 172|CTT01 "
	 "says 2, "
	 "and the number of PO1 is 1"},
	{STRICT, "BEG*00*1~PO1*1*1.5*EA~PO1*2*2.25*EA~CTT*2*3.75~", ""},
	{STRICT, "BEG*00*1~PO1*1*1.5*EA~PO1*2*2.25*EA~CTT*2*4~",
	 "x12.balance-sum|transaction 1 (control 0001), segment 5 (CTT), element 2, component 1 at byte 193|CTT02 says "
	 "4, and "
	 "the sum of PO102 is 3.75"},
	{STRICT, "BEG*00*1~PO1*1*3*EA*1.335*100~PO1*2*2*XX*1*50~CTT*2~TDS*651~", ""}, /* 4.005 + 2 + 1.00 - 0.50 */
	{STRICT, "BEG*00*1~PO1*1*3*EA*1.335*100~PO1*2*2*XX*1*50~CTT*2~TDS*652~", "x12.balance-sum|"},
	{LOOSE, "BEG*00*1~PO1*1*3*EA*1.50*100~PO1*2*2*XX*1*50~TDS*650~", ""}, /* the lines alone */
	{LOOSE, "BEG*00*1~PO1*1*3*EA*1.50*100~PO1*2*2*XX*1*50~TDS*750~", ""}, /* with what EA adds */
	{LOOSE, "BEG*00*1~PO1*1*3*EA*1.50*100~PO1*2*2*XX*1*50~TDS*600~", ""}, /* less what XX takes */
	{LOOSE, "BEG*00*1~PO1*1*3*EA*1.50*100~PO1*2*2*XX*1*50~TDS*700~", ""}, /* both */
	{LOOSE, "BEG*00*1~PO1*1*3*EA*1.50*100~PO1*2*2*XX*1*50~TDS*701~",
	 "x12.balance-sum|transaction 1 (control 0001), segment 5 (TDS), element 1, component 1 at byte 202|TDS01 says "
	 "7.01, and the sum of PO102*PO104 is 6.5, with or without what else may count"},
	{LOOSE, "BEG*00*1~PO1*1*3*EA*1.335*100~TDS*400~", ""}, /* 4.005, rounded down */
	{LOOSE, "BEG*00*1~PO1*1*3*DZ*1.50*100~TDS*999~", ""},  /* of a price by the dozen nothing is known */
	{LOOSE, "BEG*00*1~PO1*1*3**1.50*100~TDS*999~", "x12.balance-sum|"},
	{"{format: x12, form: nested, grammars: [ours.yaml]}", "ZZ9~", ""},
	{OURS, "BEG*00*1234~N1*SE*A~PO1*1~CTT*1~", ""},
	{OURS, "BEG*01*1234~N1*BY*A~PO1*1~CTT*1~", "x12.code|transaction 1 (control 0001), segment 2 (BEG), element 1"},
	{OURS, "BEG*00*1~N1*BY*A~PO1*1~CTT*1~", "x12.element-short|"},
	{OURS, "BEG*00*1234~PO1*1~CTT*1~", "x12.loop-missing|transaction 1 (control 0001), segment 3 (N1)"},
	{OURS, "BEG*00*1234~N1*BY~PO1*1~CTT*1~",
	 "x12.element-missing|transaction 1 (control 0001), segment 3 (N1), element 2"},
	{OURS, "BEG*00*1234~CUR*BY*USD~N1*BY*A~PO1*1~CTT*1~",
	 "x12.segment-unused|transaction 1 (control 0001), segment 3 (CUR)"},
	{OURS, "BEG*00*1234***CO>AA>x~N1*BY*A~PO1*1~CTT*1~",
	 "x12.element-unused|transaction 1 (control 0001), segment 2 (BEG), element 5, component 3"},
	{OURS, "BEG*00*1234~ZZ2*a~N1*BY*A~PO1*1~CTT*1~", ""},
	{OURS, "BEG*00*1234~ZZ2~N1*BY*A~PO1*1~CTT*1~", "x12.element-missing|"},
	{"{format: x12, form: nested}", "BEG*00*1~",
	 "x12.grammar|transaction 1 (control 0001), segment 1 at byte 145|there "
	 "is no grammar for 004010 850"},
	{"{format: x12, check: balance}", "BEG*00*1~", "x12.grammar|"},
};

static void each_finding_has_its_code_and_place(void **state)
{
	unsigned failed = 0;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		const char *wanted = wrong[i].told;

		decode_x12(wrong[i].settings, wrong[i].segments);
		if (!*wanted ? !told.len : told.len && !strncmp(told.data, wanted, strlen(wanted)))
			continue;
		print_message("%s\n wanted: %s\n    got: %.*s\n", wrong[i].segments, wanted, (int)told.len,
			      told.data ? told.data : "");
		failed++;
	}
	assert_int_equal(failed, 0);
}

#define SOUND "BEG*00*1~PO1*1*2*EA~PO1*2*3*EA~PO1*3*4*EA~PO1*4*5*EA~PO1*5*6*EA~PO1*6*7*EA~PO1*7*8*EA~CTT*7*35~"

/* One transaction behind another, NULL: none; and one behind both, since the last bytes of a document are taken with
 * more care. What came of it: its line, or its code and the finding's text. The caller frees. */
static char *decode_behind(const char *settings, const char *before, const char *segments)
{
	struct buf all;
	char *line, *result;
	const char *text;

	buf_init(&all, 1 << 20);
	if (before)
		buf_printf(&all, "%sSE*%u*0001~ST*850*0002~", before, 2 + count_of(before));
	buf_printf(&all, "%sSE*%u*%s~ST*850*0003~" SOUND, segments, 2 + count_of(segments), before ? "0002" : "0001");
	decode_x12(settings, buf_view(&all).data);
	buf_free(&all);
	line = mem_span_dup(buf_view(&out));
	text = strstr(line, before ? "\"control\":\"0002\"" : "\"control\":\"0001\"");
	if (told.len)
		result = mem_printf("%.*s%s", (int)strcspn(told.data, "|"), told.data, strrchr(told.data, '|'));
	else
		result = mem_span_dup(span_make(text, strcspn(text, "\n")));
	free(line);
	return result;
}

/* Segments that came before decide how the next like them is taken, and must decide nothing else. */
static void what_came_before_does_not_change_what_is_found(void **state)
{
	const size_t n = sizeof wrong / sizeof *wrong;

	for (size_t i = 0; i < n; i++) {
		char *alone = strcmp(wrong[i].settings, STRICT) ? NULL : decode_behind(STRICT, NULL, wrong[i].segments);

		for (size_t k = 0; alone && k < n; k++) {
			char *behind;

			if (*wrong[k].told || strcmp(wrong[k].settings, STRICT))
				continue;
			behind = decode_behind(STRICT, wrong[k].segments, wrong[i].segments);
			assert_string_equal(alone + 17, behind + 17); /* but for the control number */
			free(behind);
		}
		free(alone);
	}
}

static void edifact_is_judged_as_well(void **state)
{
	static const struct {
		const char *segments, *told;
	} cases[] = {
		{"BGM+220+PO-1+9'DTM+137:20260131:102'QTY+AB:-1,5'", ""},
		{"BGM+220+PO-1+9'DTM+137:20260231:102'", "edifact.element-date|message 1 (control 1), segment 3 (DTM), "
							 "element 1, component 2"},
		{"BGM+220+PO-1+9'DTM+137:2026?+:718'", "edifact.element-date|"},
		{"BGM+220+PO-1+9'DTM+137:whatever:999'", ""},
		{"BGM+220+PO-1+9'DTM'", "edifact.element-missing|message 1 (control 1), segment 3 (DTM), element 1"},
		{"BGM+220+PO-1+9'DTM+:20260131:102'",
		 "edifact.element-missing|message 1 (control 1), segment 3 (DTM), element 1, component 1"},
		{"BGM+220+PO-1+9'DTM+137'QTY+A1:1'", "edifact.element-type|message 1 (control 1), segment 4 (QTY), "
						     "element 1, component 1"},
		{"BGM+220+PO-1+9'DTM+137'QTY+AB:1.5.5'", "edifact.element-type|message 1 (control 1), segment 4 (QTY), "
							 "element 1, component 2"},
		/* a released separator is one character */
		{"BGM+220+12345678901234567890123456789012345+9'DTM+137'", ""},
		{"BGM+220+1234567890123456789012345678901234?++9'DTM+137'", ""},
		{"BGM+220+12345678901234567890123456789012345?++9'DTM+137'", "edifact.element-long|"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf document;
		unsigned n = 2;

		for (const char *p = cases[i].segments; *p; p++)
			n += *p == '\'';
		buf_init(&document, 1 << 16);
		buf_printf(&document, "UNB+UNOC:3+A+B+260101:1200+1'UNH+1+ORDERS:D:96A:UN'%sUNT+%u+1'UNZ+1+1'",
			   cases[i].segments, n);
		decode("{format: edifact, form: nested, grammars: [orders.yaml], check: [structure, codes]}",
		       buf_view(&document));
		if (!*cases[i].told ? told.len != 0
				    : !told.len || strncmp(told.data, cases[i].told, strlen(cases[i].told)) != 0)
			fail_msg("%s\n wanted: %s\n    got: %.*s", cases[i].segments, cases[i].told, (int)told.len,
				 told.data ? told.data : "");
		buf_free(&document);
	}
}

static void a_check_leaves_the_plain_form_as_it_is(void **state)
{
	static const char segments[] = "BEG*00*1*20260131**CO>17~PO1*1*5*EA*1.5*50~PO1*2~CTT*2*5~TDS*800~";
	char *plain;

	decode_x12("{format: x12}", segments);
	plain = mem_span_dup(buf_view(&out));
	decode_x12("{format: x12, grammars: [order.yaml], check: [structure, codes, balance]}", segments);
	assert_int_equal(told.len, 0);
	assert_string_equal(out.data, plain);
	free(plain);
}

static void all_findings_are_told_with_their_places(void **state)
{
	decode_x12(STRICT, "BEG*00*1~PO1*1~N1*XX~CTT*7~");
	assert_string_equal(
		listed,
		"[{\"code\":\"x12.code\",\"level\":\"codes\",\"segment\":4,\"tag\":\"N1\",\"loop\":\"lines/parties\","
		"\"element\":1,\"reference\":\"98\",\"offset\":172,\"value\":\"XX\",\"text\":\"\\\"XX\\\" is none of "
		"the 2 "
		"codes of "
		"Entity\"},{\"code\":\"x12.balance-count\",\"level\":\"balance\",\"segment\":5,\"tag\":\"CTT\","
		"\"element\":1,\"reference\":\"354\",\"offset\":178,\"value\":\"7\",\"text\":\"CTT01 says 7, and the "
		"number of "
		"PO1 is 1\"}]");
	assert_string_equal(
		told.data, "x12.code|transaction 1 (control 0001), segment 4 (N1), element 1, component 1 at "
			   "byte 172|\"XX\" is none of the 2 codes of Entity (in lines/parties); and 1 more finding\n");
}

static void no_more_findings_are_kept_than_anybody_reads(void **state)
{
	struct buf segments;

	buf_init(&segments, 1 << 20);
	buf_text(&segments, "BEG*00*1~");
	for (int i = 0; i < 1000; i++)
		buf_text(&segments, "ZZ9*1~");
	buf_text(&segments, "PO1*1~CTT*1~");
	decode_x12(STRICT, segments.data);
	assert_non_null(strstr(told.data, "and 999 more findings"));
	buf_free(&segments);
}

static void what_the_reader_finds_is_told_in_the_same_way(void **state)
{
	decode("{format: x12}",
	       SPAN_LITERAL("ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             "
			    "*260101*1200*U*00401*000000001*0*P*>~GS*PO*ACME*HQ*20260101*1200*1*X*004010~ST*850*0001~"
			    "BEG*0\x01~SE*3*0001~ST*850*0002~SE*9*0002~GE*2*1~IEA*1*000000001~"));
	assert_non_null(strstr(listed, "\"code\":\"x12.count\",\"level\":\"syntax\",\"segment\":2"));
	assert_non_null(strstr(told.data, "x12.character|"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nested_form_names_segments_elements_and_loops),
		cmocka_unit_test(the_innermost_open_loop_that_fits_takes_a_segment),
		cmocka_unit_test(implied_decimals_are_written_out),
		cmocka_unit_test(what_has_no_place_is_kept_where_structure_is_not_checked),
		cmocka_unit_test(repetitions_are_arrays),
		cmocka_unit_test(keys_may_be_positions_or_both),
		cmocka_unit_test(edifact_has_its_dates_and_decimal_commas_told),
		cmocka_unit_test(each_finding_has_its_code_and_place),
		cmocka_unit_test(what_came_before_does_not_change_what_is_found),
		cmocka_unit_test(edifact_is_judged_as_well),
		cmocka_unit_test(a_check_leaves_the_plain_form_as_it_is),
		cmocka_unit_test(all_findings_are_told_with_their_places),
		cmocka_unit_test(no_more_findings_are_kept_than_anybody_reads),
		cmocka_unit_test(what_the_reader_finds_is_told_in_the_same_way),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&out);
	buf_free(&told);
	free(listed);
	return failed;
}
