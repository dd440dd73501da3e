/* Options of `decode: csv`. See csv.h. */
#include "config.h"
#include "transformers/records/csv.h"

#include <stdlib.h>

const struct option csv_options[] = {
	{.name = "separator",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct csv_settings, separator),
	 .fallback = "auto",
	 .help = "one character, `tab`, or `auto`: the one of , ; tab | that the first lines agree on, or what a line "
		 "sep=; says"},
	{.name = "quote",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct csv_settings, quote),
	 .fallback = "\"",
	 .help = "the character around fields that hold separators or line ends, or `none`"},
	{.name = "header",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct csv_settings, header),
	 .range = "yes|no|<columns>",
	 .help = "whether the first line names the columns (yes), or the names of columns that it does not; no: rows "
		 "are arrays"},
	{.name = "each",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct csv_settings, each),
	 .range = "row|document",
	 .fallback = "row",
	 .help = "what goes on by itself: a row, or all of them as `rows` of one document"},
	{.name = "charset",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct csv_settings, charset),
	 .help = "the character set; without it what a byte order mark says, else UTF-8 where the document is valid "
		 "UTF-8, else CP1252"},
	{.name = "ragged",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct csv_settings, ragged),
	 .range = "reject|pad|keep",
	 .fallback = "reject",
	 .help = "rows with fewer or more fields than columns: refused; fewer are filled with empty ones; or left as "
		 "they are"},
	{.name = "stray-quotes",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct csv_settings, stray),
	 .range = "text|reject|loose",
	 .fallback = "text",
	 .help = "a quote within a field that does not begin with one is text, or refused; loose: text behind the "
		 "closing quote as well, as Excel reads it"},
	{.name = "trim",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct csv_settings, trim),
	 .fallback = "false",
	 .help = "leave out blanks around fields and quotes"},
	{.name = "excel-text",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct csv_settings, excel_text),
	 .fallback = "false",
	 .help = "read =\"001\" as the text 001"},
	{.name = "skip",
	 .type = OPTION_INT,
	 .offset = offsetof(struct csv_settings, skip),
	 .range = "0..1000",
	 .fallback = "0",
	 .help = "lines at the start that are no part of the table"},
	{.name = "columns-max",
	 .type = OPTION_INT,
	 .offset = offsetof(struct csv_settings, columns_max),
	 .range = "1..65536",
	 .fallback = "16384",
	 .help = "fields that a row may have"},
	{.name = "field-max",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct csv_settings, field_max),
	 .range = "1..16777216",
	 .fallback = "1MiB",
	 .help = "bytes that a field may have"},
	{.name = "rows-max",
	 .type = OPTION_INT,
	 .offset = offsetof(struct csv_settings, rows_max),
	 .range = "1..1000000",
	 .fallback = "100000",
	 .help = "rows that one document may have, with each: document"},
	OPTION_END,
};

static bool is_one(const char *text)
{
	return strlen(text) == 1 && *text > ' ' && *text < 0x7f && *text != '\\';
}

static void check_header(const struct node *header, struct findings *findings)
{
	if (header->type == NODE_SCALAR && csv_header_word(header) != HEADER_WRONG)
		return;
	if (header->type == NODE_LIST && header->count) {
		for (size_t i = 0; i < header->count; i++)
			if (header->items[i]->type != NODE_SCALAR)
				finding_add(findings, header->items[i]->place, SEVERITY_ERROR, "decode.header",
					    "the name of a column is a text");
		return;
	}
	finding_add(findings, header->place, SEVERITY_ERROR, "decode.header",
		    "header is yes, no, or a list of the columns' names");
}

enum csv_header csv_header_word(const struct node *header)
{
	static const char *const yes[] = {"yes", "true", "on"}, *const no[] = {"no", "false", "off"};

	for (size_t i = 0; i < 3; i++) {
		if (span_is(header->text, yes[i]))
			return HEADER_YES;
		if (span_is(header->text, no[i]))
			return HEADER_NO;
	}
	return HEADER_WRONG;
}

int csv_check(const void *of, const struct transformer_context *context, struct place place, struct findings *findings)
{
	const struct csv_settings *settings = of;
	size_t errors = findings->errors;
	bool fixed = strcmp(settings->separator, "auto") && strcmp(settings->separator, "tab"),
	     quoting = strcmp(settings->quote, "none");

	if (fixed && (!is_one(settings->separator) || *settings->separator == '"'))
		finding_add(findings, place, SEVERITY_ERROR, "decode.separator",
			    "the separator is one ASCII character, no quote and no backslash, or `tab`, or `auto`");
	if (quoting && (!is_one(settings->quote) || !strcmp(settings->quote, settings->separator)))
		finding_add(findings, place, SEVERITY_ERROR, "decode.quote",
			    "the quote is one ASCII character other than the separator, or `none`");
	if (settings->charset && !text_charset_known(settings->charset))
		finding_add(findings, place, SEVERITY_ERROR, "decode.charset",
			    "`%s` is no character set that is known here", settings->charset);
	if (settings->header)
		check_header(settings->header, findings);
	return findings->errors == errors ? 0 : -1;
}
