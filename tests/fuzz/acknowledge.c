/* Fuzz target: any bytes as a document that is acknowledged. The first byte chooses the format, what is written and
 * what is judged. An answer must be readable without a finding, and is answered itself by nothing. */
#include "config.h"
#include "config/yaml.h"
#include "tests/fuzz/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char words[] =
	"dictionary: x12 004010\n"
	"segments:\n"
	"  BEG: {title: Beginning, elements: [353 M purpose, 324 M number, 373 O date, C040 O 2 reference], rules: "
	"[P0304]}\n"
	"  PO1: {title: Line, elements: [350 O line, 330 O quantity, 610 O amount], rules: [L010203]}\n"
	"  CTT: {title: Totals, elements: [354 M lines, 347 O hash]}\n"
	"composites:\n"
	"  C040: {title: Reference, elements: [1250 M format, 1251 M value]}\n"
	"elements:\n"
	"  '324': {title: Number, type: AN, size: 1..22}\n"
	"  '330': {title: Quantity, type: R, size: 1..15}\n"
	"  '347': {title: Hash total, type: R, size: 1..10}\n"
	"  '350': {title: Line, type: AN, size: 1..20}\n"
	"  '353': {title: Purpose, type: ID, size: 2..2, codes: {'00': Original}}\n"
	"  '354': {title: Lines, type: N0, size: 1..6}\n"
	"  '373': {title: Date, type: DT, size: 8..8}\n"
	"  '610': {title: Amount, type: N2, size: 1..15}\n"
	"  '1250': {title: Format, type: ID, size: 2..3}\n"
	"  '1251': {title: Date, type: AN, size: 1..35}\n",
		  order[] = "grammar: x12 004010 850\n"
			    "dictionary: words.yaml\n"
			    "structure:\n"
			    "  - BEG M 1\n"
			    "  - loop: lines\n"
			    "    use: M >1\n"
			    "    structure: [PO1 M 1, BEG O 2]\n"
			    "  - CTT O 1\n"
			    "balance:\n"
			    "  - count: {of: PO1, is: CTT01}\n",
		  words_of_edifact[] = "dictionary: edifact D 96A\n"
				       "segments:\n"
				       "  BGM: {title: Beginning, elements: [1004 M, 1225 C 2]}\n"
				       "  LIN: {title: Line, elements: [1082 C, C212 C 3]}\n"
				       "composites:\n"
				       "  C212: {title: Item, elements: [7140 M number, 7143 C type]}\n"
				       "elements:\n"
				       "  '1004': {title: Number, type: an, size: 2..10}\n"
				       "  '1082': {title: Line, type: n, size: 1..6}\n"
				       "  '1225': {title: Function, type: a, size: 1..3}\n"
				       "  '7140': {title: Number, type: an, size: 1..35}\n"
				       "  '7143': {title: Type, type: an, size: 1..3}\n",
		  orders[] = "grammar: edifact D 96A ORDERS\n"
			     "dictionary: edifact.yaml\n"
			     "structure: [BGM M 1, {loop: lines, use: M >1, structure: [LIN M 1]}]\n";

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	static struct span found;

	(void)site;
	(void)folder;
	found = span_of(!strcmp(name, "words.yaml")     ? words
			: !strcmp(name, "order.yaml")   ? order
			: !strcmp(name, "edifact.yaml") ? words_of_edifact
							: orders);
	return &found;
}

static void acknowledge(const char *settings, struct span document, struct buf *answer)
{
	struct arena *arena = arena_new();
	struct findings findings;
	struct yaml_documents documents = {0};
	struct option_context context = {.arena = arena, .findings = &findings};
	struct transformer_context surroundings = {.file = file_of};
	struct chain_step step = {.ops = &edi_acknowledge_transformer,
				  .settings = arena_alloc(arena, edi_acknowledge_transformer.settings_size),
				  .label = "acknowledge"};
	struct chain_hand hand = {.write = round_write, .arg = answer};
	struct reader *body = reader_new_copy(document);
	struct chain_report report;
	struct error error;
	struct chain *chain;

	findings_init(&findings);
	if (yaml_read(arena, &findings, "settings", span_of(settings), NULL, &documents) ||
	    option_fill(&context, documents.items[0], edi_acknowledge_transformer.options, NULL,
			(void *)(uintptr_t)step.settings) ||
	    edi_acknowledge_transformer.check(step.settings, &surroundings, (struct place){"settings", 1, 1},
					      &findings))
		abort();
	chain = chain_new("fuzz", &step, 1, &surroundings, NULL, &error);
	if (!chain || chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error))
		abort();
	chain_free(chain);
	reader_unref(body);
	findings_free(&findings);
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const char *format, *settings;
	} ways[] = {
		{"x12", "{format: x12}"},
		{"x12", "{format: x12, as: '999', check: [structure, codes, balance], grammars: [order.yaml]}"},
		{"x12", "{format: x12, as: ta1}"},
		{"x12", "{format: x12, check: [structure, codes, balance], accept: [codes], grammars: [order.yaml]}"},
		{"edifact", "{format: edifact}"},
		{"edifact", "{format: edifact, check: [structure, codes, balance], grammars: [orders.yaml]}"},
		{"edifact", "{format: edifact, receipt: true}"}};
	struct buf answer, again;
	struct buf lines;
	size_t way;

	if (!size)
		return 0;
	way = data[0] % (sizeof ways / sizeof *ways);
	buf_init(&answer, SIZE_MAX / 4);
	buf_init(&again, SIZE_MAX / 4);
	buf_init(&lines, SIZE_MAX / 4);
	acknowledge(ways[way].settings, span_make(data + 1, size - 1), &answer);
	if (answer.len && round_run(&decode_transformer, ways[way].format, buf_view(&answer), &lines))
		abort();
	if (answer.len && way != 2) {
		acknowledge(ways[way].settings, buf_view(&answer), &again);
		if (again.len)
			abort();
	}
	buf_free(&answer);
	buf_free(&again);
	buf_free(&lines);
	return 0;
}
