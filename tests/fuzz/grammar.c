/* Fuzz target: a grammar, a line of ===, and an X12 document, both any bytes. Without such a line all of it is the
 * document, of EDIFACT where it begins with UN. Mistakes of the grammar must be told; what comes out of the document
 * must be JSON, and encoded again the document, where nothing was refused. What begins with { is a nested document to
 * encode. */
#include "config.h"
#include "config/yaml.h"
#include "tests/fuzz/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char words[] =
	"dictionary: x12 004010\n"
	"segments:\n"
	"  BEG: {title: Beginning, elements: [353 M purpose, 324 M number, 373 O date, C040 O 2 "
	"reference], rules: [P0304]}\n"
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
		  small[] = "grammar: x12 004010 850\n"
			    "dictionary: words.yaml\n"
			    "structure:\n"
			    "  - BEG M 1\n"
			    "  - loop: lines\n"
			    "    use: M >1\n"
			    "    structure: [PO1 M 1, BEG O 2]\n"
			    "  - CTT O 1\n"
			    "balance:\n"
			    "  - count: {of: PO1, is: CTT01}\n"
			    "  - sum: {of: PO102*PO103, is: CTT02}\n";

static const char words_of_edifact[] =
	"dictionary: edifact D 96A\n"
	"segments:\n"
	"  BGM: {title: Beginning, elements: [C002 C, 1004 C, 1225 C]}\n"
	"  DTM: {title: Date, elements: [C507 M]}\n"
	"  LIN: {title: Line, elements: [1082 C, C212 C 3, 6060 C]}\n"
	"composites:\n"
	"  C002: {title: Name, elements: [1001 C code, 1000 C name]}\n"
	"  C212: {title: Item, elements: [7140 M number, 7143 C type]}\n"
	"  C507: {title: Date, elements: [2005 M qualifier, 2380 C value, 2379 C format]}\n"
	"elements:\n"
	"  '1000': {title: Name, type: an, size: 1..35}\n"
	"  '1001': {title: Code, type: an, size: 1..3, codes: ['220', 'a+b']}\n"
	"  '1004': {title: Number, type: an, size: 2..10}\n"
	"  '1082': {title: Line, type: n, size: 1..6}\n"
	"  '1225': {title: Function, type: a, size: 1..3}\n"
	"  '2005': {title: Qualifier, type: an, size: 1..3}\n"
	"  '2379': {title: Format, type: an, size: 1..3}\n"
	"  '2380': {title: Date, type: an, size: 1..35}\n"
	"  '6060': {title: Quantity, type: n, size: 1..15}\n"
	"  '7140': {title: Number, type: an, size: 1..35}\n"
	"  '7143': {title: Type, type: an, size: 1..3}\n",
		  orders[] = "grammar: edifact D 96A ORDERS\n"
			     "dictionary: edifact.yaml\n"
			     "structure:\n"
			     "  - BGM M 1\n"
			     "  - DTM C 35\n"
			     "  - {loop: lines, use: C >1, structure: [LIN M 1, DTM C 1]}\n"
			     "balance: [{sum: {of: lines/LIN03, is: LIN01}}]\n";

struct fuzz {
	struct span given, words, small, edifact, orders;
};

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	struct fuzz *fuzz = site;

	(void)folder;
	if (!strcmp(name, "given.yaml"))
		return &fuzz->given;
	if (!strcmp(name, "orders.yaml"))
		return &fuzz->orders;
	if (!strcmp(name, "edifact.yaml"))
		return &fuzz->edifact;
	return !strcmp(name, "words.yaml") ? &fuzz->words : !strcmp(name, "small.yaml") ? &fuzz->small : NULL;
}

static int write_line(void *arg, struct span bytes, struct error *error)
{
	(void)error;
	return buf_span(arg, bytes);
}

static void check_lines(struct span lines)
{
	while (lines.len) {
		const char *end = memchr(lines.data, '\n', lines.len);
		size_t n = end ? (size_t)(end - lines.data) : lines.len;
		json_t *tree = json_loadb(lines.data, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);

		if (!tree)
			abort();
		json_decref(tree);
		lines = end ? span_make(end + 1, lines.len - n - 1) : SPAN_NONE;
	}
}

/* False: the settings cannot be used, which was told. *refused: parts of the document that were. */
static bool take(struct fuzz *fuzz, const struct transformer_ops *ops, const char *settings, struct span document,
		 struct buf *lines, uint64_t *refused)
{
	struct arena *arena = arena_new();
	struct findings findings;
	struct yaml_documents documents = {0};
	struct option_context context = {.arena = arena, .findings = &findings};
	struct transformer_context surroundings = {.site = fuzz, .file = file_of};
	struct chain_step step = {.ops = ops, .settings = arena_alloc(arena, ops->settings_size), .label = ops->name};
	struct reader *body = reader_new_copy(document);
	struct chain_report report;
	struct chain *chain = NULL;
	struct error error;
	bool made;
	struct chain_hand hand = {.write = write_line, .arg = lines};

	findings_init(&findings);
	*refused = 1;
	if (yaml_read(arena, &findings, "settings", span_of(settings), NULL, &documents) ||
	    option_fill(&context, documents.items[0], ops->options, NULL, (void *)(uintptr_t)step.settings))
		abort();
	if (!ops->check(step.settings, &surroundings, (struct place){"settings", 1, 1}, &findings))
		chain = chain_new("fuzz", &step, 1, &surroundings, NULL, &error);
	else if (!findings.errors)
		abort();
	if (chain && !chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error))
		*refused = report.dead + report.dropped;
	made = chain != NULL;
	chain_free(chain);
	reader_unref(body);
	findings_free(&findings);
	arena_free(arena);
	return made;
}

/* What is read without a finding in the nested form comes back as it was. */
static bool decode(struct fuzz *fuzz, const char *settings, struct span document)
{
	struct buf lines, bytes;
	char encode[100];
	const char *file = strstr(settings, "grammars: [");
	uint64_t refused, again;
	bool made;

	buf_init(&lines, SIZE_MAX / 4);
	buf_init(&bytes, SIZE_MAX / 4);
	made = take(fuzz, &decode_transformer, settings, document, &lines, &refused);
	check_lines(buf_view(&lines));
	snprintf(encode, sizeof encode, "{format: %s, grammars: [%.*s]}", strstr(settings, "x12") ? "x12" : "edifact",
		 (int)strcspn(file + 11, "]"), file + 11);
	if (made && !refused &&
	    (!take(fuzz, &encode_transformer, encode, buf_view(&lines), &bytes, &again) || again ||
	     !span_equal(buf_view(&bytes), document)))
		abort();
	buf_free(&lines);
	buf_free(&bytes);
	return made;
}

/* A nested document as a mapping might make it: what was written of it can be read. */
static void encode(struct fuzz *fuzz, struct span document)
{
	static const char x12[] =
		"{\"interchange\":{\"control\":\"1\",\"sender\":\"A\",\"receiver\":\"B\",\"version\":\"00501\"},"
		"\"group\":{\"code\":\"PO\",\"control\":\"1\",\"version\":\"004010\"},"
		"\"transaction\":{\"type\":\"850\"},\"document\":",
			  edifact[] = "{\"interchange\":{\"control\":\"1\",\"sender\":\"A\",\"receiver\":\"B\","
				      "\"version\":\"4\"},\"transaction\":{\"type\":\"ORDERS\",\"version\":\"D\","
				      "\"release\":\"96A\"},\"document\":";

	for (int i = 0; i < 2; i++) {
		struct buf line, bytes, lines;
		uint64_t refused;

		buf_init(&line, SIZE_MAX / 4);
		buf_init(&bytes, SIZE_MAX / 4);
		buf_init(&lines, SIZE_MAX / 4);
		buf_text(&line, i ? edifact : x12);
		buf_span(&line, document);
		buf_char(&line, '}');
		take(fuzz, &encode_transformer,
		     i ? "{format: edifact, grammars: [orders.yaml]}" : "{format: x12, grammars: [small.yaml]}",
		     buf_view(&line), &bytes, &refused);
		if (bytes.len)
			take(fuzz, &decode_transformer,
			     i ? "{format: edifact, form: nested, grammars: [orders.yaml]}"
			       : "{format: x12, form: nested, grammars: [small.yaml]}",
			     buf_view(&bytes), &lines, &refused);
		buf_free(&line);
		buf_free(&bytes);
		buf_free(&lines);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_make(data, size), document = all;
	const char *line = size ? memmem(data, size, "\n===\n", 5) : NULL;
	struct fuzz fuzz = {.words = span_of(words),
			    .small = span_of(small),
			    .edifact = span_of(words_of_edifact),
			    .orders = span_of(orders)};
	bool given = line != NULL;

	if (line) {
		fuzz.given = span_make(data, (size_t)(line + 1 - all.data));
		document = span_make(line + 5, size - (size_t)(line + 5 - all.data));
	}
	if (span_starts(document, "{")) {
		encode(&fuzz, document);
		return 0;
	}
	if (span_starts(document, "UN")) {
		decode(&fuzz,
		       "{format: edifact, form: nested, grammars: [orders.yaml], check: [structure, codes, balance]}",
		       document);
		decode(&fuzz, "{format: edifact, form: nested, grammars: [orders.yaml], keys: both}", document);
		decode(&fuzz, "{format: edifact, form: nested, grammars: [orders.yaml]}", document);
		return 0;
	}
	if (given)
		given = decode(
			&fuzz,
			"{format: x12, form: nested, grammars: [given.yaml], check: [structure, codes, balance]}",
			document);
	decode(&fuzz,
	       given ? "{format: x12, form: nested, grammars: [given.yaml], keys: both}"
		     : "{format: x12, form: nested, grammars: [small.yaml], keys: both}",
	       document);
	decode(&fuzz, "{format: x12, form: nested, grammars: [small.yaml]}", document);
	decode(&fuzz, "{format: x12, grammars: [small.yaml], check: [structure, codes, balance]}", document);
	return 0;
}
