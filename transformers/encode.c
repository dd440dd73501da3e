/* encode: a tree to bytes, in one of the formats below; the last step before a sink as a rule. The tree stays beside
 * the bytes, so that the sink's templates see it. */
#include "config.h"
#include "transformers/encode.h"

#include <stdlib.h>

#include "base/tree.h"
#include "transformers/transformers.h"

#define OUTPUT_MAX (256u << 20)

/* in the order of the option's range */
static const struct encode_format *const formats[] = {&encode_xml,         &encode_csv,     &encode_json,
						      &encode_x12,         &encode_edifact, &encode_tradacoms,
						      &encode_fixed_width, &encode_idoc,    &encode_bai2};

static const struct option_more *more(int word)
{
	const struct encode_format *format = formats[word];

	return format->more.table ? &format->more : NULL;
}

static const struct option options[] = {
	{.name = "format",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct encode_settings, format),
	 .range = "xml|csv|json|x12|edifact|tradacoms|fixed-width|idoc|bai2",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "what to write; some formats have further keys",
	 .more = more,
	 .more_offset = offsetof(struct encode_settings, of_format)},
	{.name = "root",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct encode_settings, root),
	 .help = "xml: name of the outermost element; without it the document's only key"},
	{.name = "declaration",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct encode_settings, declaration),
	 .fallback = "true",
	 .help = "xml: begin with <?xml …?>"},
	{.name = "doctype",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct encode_settings, doctype),
	 .help = "xml: the address of a DTD that the document shall name, as cXML wants it; nothing is checked by it"},
	{.name = "columns",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct encode_settings, columns),
	 .range = "<columns>",
	 .help = "csv: a list of names, or of NAME: jq over the row; without it the keys of the first row"},
	{.name = "rows",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct encode_settings, rows),
	 .help = "csv: jq that gives the array of rows; without it the document itself, or its `rows`"},
	{.name = "header",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct encode_settings, header),
	 .fallback = "true",
	 .help = "csv: begin with the names of the columns"},
	{.name = "separator",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct encode_settings, separator),
	 .fallback = ",",
	 .help = "csv: one character; `tab` for a tabulator"},
	{.name = "line-end",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct encode_settings, line_end),
	 .range = "crlf|lf",
	 .fallback = "crlf",
	 .help = "csv: how lines end"},
	{.name = "safe",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct encode_settings, safe),
	 .fallback = "false",
	 .help = "csv: put ' before texts that a spreadsheet would take for a formula"},
	{.name = "pretty",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct encode_settings, pretty),
	 .fallback = "false",
	 .help = "xml, json: indented"},
	{.name = "canonical",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct encode_settings, canonical),
	 .fallback = "false",
	 .help = "json: keys sorted by their bytes"},
	{.name = "charset",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct encode_settings, charset),
	 .range = "fit|reject|replace|transliterate",
	 .fallback = "fit",
	 .help = "x12, edifact, tradacoms: what becomes of characters that the set has not; `fit` refuses only what "
		 "cannot be written at all"},
	{.name = "envelope",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct encode_settings, envelope),
	 .help = "x12, edifact, tradacoms: jq that gives what to lay over interchange, group and transaction: control "
		 "numbers, sender, separators"},
	{.name = "grammars",
	 .type = OPTION_FILES,
	 .offset = offsetof(struct encode_settings, grammars),
	 .range = "edi",
	 .help = "x12, edifact: files of edi/, of the site or that ship, by which documents in the nested form are "
		 "written; of several for the same version and type the one that the document names, else the last"},
	OPTION_END,
};

static void read_column(struct encode *encode, const struct node *node, struct findings *findings)
{
	struct encode_column *column = &encode->columns[encode->columns_count];

	if (node->type == NODE_SCALAR) {
		column->name = arena_span(encode->arena, node->text).data;
	} else if (node->type == NODE_MAP && node->count == 1 && node->pairs[0].value->type == NODE_SCALAR) {
		const struct node *value = node->pairs[0].value;

		column->name = arena_span(encode->arena, node->pairs[0].key.text).data;
		column->value = expression_new(encode->arena, value->text, value->place);
	} else {
		finding_add(findings, node->place, SEVERITY_ERROR, "encode.columns", "a column is a name, or NAME: jq");
		return;
	}
	encode->columns_count++;
}

static struct encode *read_settings(const struct encode_settings *settings, struct place step,
				    struct findings *findings)
{
	struct encode *encode = mem_alloc(sizeof *encode);
	const struct node *columns = settings->columns;
	struct place place = columns ? columns->place : step;

	encode->settings = settings;
	encode->format = formats[settings->format];
	encode->arena = arena_new();
	if (strlen(settings->separator) != 1 && strcmp(settings->separator, "tab"))
		finding_add(findings, step, SEVERITY_ERROR, "encode.separator",
			    "the separator is one character, or `tab`");
	if (!columns)
		return encode;
	encode->columns = arena_alloc(encode->arena, columns->count * sizeof *encode->columns);
	if (columns->type != NODE_LIST || !columns->count)
		finding_add(findings, place, SEVERITY_ERROR, "encode.columns",
			    "columns is a list of names, or of NAME: jq");
	else
		for (size_t i = 0; i < columns->count; i++)
			read_column(encode, columns->items[i], findings);
	return encode;
}

/* What a format's check and open look at. */
static const void *of_format(const struct encode *encode)
{
	return encode->format->more.table ? encode->settings->of_format : encode->settings;
}

static void close_encode(void *self)
{
	struct encode *encode = self;

	if (encode->self && encode->format->open && encode->format->close)
		encode->format->close(encode->self);
	for (size_t i = 0; i < encode->columns_count; i++)
		expression_drop(encode->columns[i].value);
	expression_drop(encode->settings->rows);
	expression_drop(encode->settings->envelope);
	arena_free(encode->arena);
	free(encode);
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	size_t errors = findings->errors;
	struct encode *encode = read_settings(settings, place, findings);

	for (size_t i = 0; i < encode->columns_count; i++)
		if (encode->columns[i].value)
			expression_check(encode->columns[i].value, findings);
	if (encode->settings->rows)
		expression_check(encode->settings->rows, findings);
	if (encode->settings->envelope)
		expression_check(encode->settings->envelope, findings);
	if (encode->format->check)
		encode->format->check(of_format(encode), context, place, findings);
	close_encode(encode);
	return findings->errors == errors ? 0 : -1;
}

static void *open_encode(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct findings findings;
	struct encode *encode;

	findings_init(&findings);
	encode = read_settings(settings, (struct place){0}, &findings);
	if (findings.errors) {
		error_set(error, ERROR_REJECT, findings.list[0].code, "%s", findings.list[0].text);
		close_encode(encode);
		encode = NULL;
	}
	findings_free(&findings);
	if (!encode)
		return NULL;
	encode->self = encode->format->open ? encode->format->open(of_format(encode), context, error)
					    : encode->settings->of_format;
	if (!encode->self && encode->format->open) {
		close_encode(encode);
		return NULL;
	}
	return encode;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct encode *encode = self;
	struct expression_input input = out_input(out, item);
	struct item *encoded;
	struct buf bytes;
	int failed;

	if (encode->format->run)
		return encode->format->run(encode, item, out, error);
	buf_init(&bytes, OUTPUT_MAX);
	failed = encode->format->write(encode, &input, &bytes, error);
	if (!failed && bytes.full)
		failed = error_set(error, ERROR_REJECT, "encode.too-large", "the document passes %u MiB",
				   OUTPUT_MAX >> 20);
	if (!failed) {
		encoded = out_item(out, item);
		encoded->form = FORM_BYTES;
		encoded->bytes = reader_new_copy(buf_view(&bytes));
		encoded->tree = json_incref(item->tree);
		encoded->media_type = span_of(encode->format->media_type);
		buf_free(&bytes);
		return out_emit(out, encoded, error);
	}
	buf_free(&bytes);
	return -1;
}

static enum form takes_as(void *self)
{
	const struct encode *encode = self;

	return encode->format->run ? FORM_EITHER : FORM_TREE;
}

const struct transformer_ops encode_transformer = {
	.name = "encode",
	.help = "Writes the document in a format",
	.options = options,
	.settings_size = sizeof(struct encode_settings),
	.takes = FORM_TREE,
	.takes_as = takes_as,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_encode,
	.close = close_encode,
	.run = run,
};

/* ---- json */
static int write_json(const struct encode *encode, const struct expression_input *input, struct buf *out,
		      struct error *error)
{
	unsigned flags = (encode->settings->pretty ? TREE_PRETTY : 0) | (encode->settings->canonical ? TREE_SORTED : 0);

	tree_write(out, input->body, flags);
	if (encode->settings->pretty)
		buf_char(out, '\n');
	return 0;
}

const struct encode_format encode_json = {.name = "json", .media_type = "application/json", .write = write_json};
