/* CSV (RFC 4180, and what Excel makes of it) to JSON: an object for each row, keyed by the header, or one document of
 * all rows. Values are texts as they stand there. A row that is broken is refused by itself. See csv.h. */
#include "config.h"
#include "transformers/records/csv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tree.h"
#include "transformers/format.h"

#define LOOK ((size_t)64 * 1024)  /* by which the separator is judged */
#define PIECE ((size_t)64 * 1024) /* of output, by hand */

struct csv {
	const struct csv_settings *settings;
	struct csv_columns columns; /* that the settings name */
};

struct csv_read {
	const struct csv *csv;
	const struct csv_settings *settings;
	struct text text;
	struct item *whole;
	struct out *out;
	struct csv_row row;
	struct csv_columns columns; /* of the header */
	struct buf json;            /* the row, the rows of a piece, or the document */
	json_t *facts;
	uint64_t at, source;   /* of the row: in the text, and in the document */
	uint64_t line, number; /* of the row, from 1 */
	size_t row_max;
	bool in_pieces, known; /* known: source is right */
};

/* ---- facts */
static void tell_facts(struct csv_read *r)
{
	char separator[2] = {r->row.separator, '\0'};

	json_decref(r->facts);
	r->facts = json_pack("{s:{s:s s:s}}", "csv", "charset", *r->text.charset ? r->text.charset : "UTF-8",
			     "separator", separator);
}

/* ---- a row */
static void skip_bytes(struct csv_read *r, struct span piece)
{
	uint64_t source = text_source(&r->text, piece);

	r->known = r->known && (source || !piece.len);
	r->source += source;
	r->at += piece.len;
}

/* The line that a row begins in, where it is not known where the row ends. Its bytes are looked at and forgotten. */
static int skip_line(struct csv_read *r, struct error *error)
{
	size_t want = 4096;

	for (;;) {
		struct span got;
		size_t len, end;
		bool last;

		if (text_get(&r->text, r->at, want, &got, &last, error))
			return -1;
		len = csv_line_end(got, &end);
		if (end && !last && len + end == got.len && got.data[len] == '\r') {
			want = got.len + 1; /* a line feed may follow */
			continue;
		}
		if (!end)
			len = got.len;
		skip_bytes(r, span_make(got.data, len + end));
		r->line += end != 0;
		if (end || last)
			return 0;
		want = 4096;
	}
}

/* Reads the row at r->at into the JSON; *used: the bytes it took. CSV_LOST: its first line is what is refused. -1:
 * stop.
 */
static int read_row(struct csv_read *r, enum csv_result *result, struct span *used, struct error *error)
{
	size_t want = 4096;

	for (;;) {
		struct span got;
		bool last;

		if (text_get(&r->text, r->at, want, &got, &last, error))
			return -1;
		*result = got.len ? csv_row_read(&r->row, got, last, &r->json) : CSV_BLANK;
		if (*result == CSV_MORE && got.len <= r->row_max) {
			want = got.len * 2;
			continue;
		}
		if (*result == CSV_MORE || (*result != CSV_LOST && r->row.used > r->row_max)) {
			if (*result == CSV_ROW)
				r->json.len -= r->row.json_len;
			error_set(&r->row.why, ERROR_REJECT, "csv.limit", "the row is longer than %zu bytes",
				  r->row_max);
			*result = CSV_LOST;
		}
		if (!*r->text.charset && r->row.high) {
			if (*result == CSV_ROW)
				r->json.len -= r->row.json_len;
			if (text_settle(&r->text, r->at, error))
				return -1;
			tell_facts(r);
			want = 4096;
			continue;
		}
		*used = span_make(got.data, r->row.used);
		if (*result == CSV_ROW && r->row.high &&
		    !text_is_utf8(span_make(r->json.data + r->json.len - r->row.json_len, r->row.json_len))) {
			r->json.len -= r->row.json_len;
			error_set(&r->row.why, ERROR_REJECT, "csv.encoding", "there are bytes that are no %s",
				  r->text.charset);
			*result = CSV_BAD;
		}
		return 0;
	}
}

static struct item *item_of(struct csv_read *r, uint64_t line, uint64_t source)
{
	struct item *item = out_item(r->out, r->whole);
	char ordinal[24];

	snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)r->number);
	out_level(r->out, item, ordinal);
	json_decref(item->facts);
	item->facts = json_incref(r->facts);
	item->form = FORM_BYTES;
	item->media_type = SPAN_LITERAL("application/json");
	item->offset = source;
	item->length = r->known ? r->source - source : 0;
	item->position = span_of(
		r->known ? arena_printf(out_arena(r->out), "row %s, line %llu at byte %llu", ordinal,
					(unsigned long long)line, (unsigned long long)source)
			 : arena_printf(out_arena(r->out), "row %s, line %llu", ordinal, (unsigned long long)line));
	return item;
}

static int flush(struct csv_read *r, struct error *error)
{
	struct item *item;
	struct span lines = buf_view(&r->json);

	if (!lines.len)
		return 0;
	item = out_item(r->out, r->whole);
	json_decref(item->facts);
	item->facts = json_incref(r->facts);
	item->form = FORM_BYTES;
	item->media_type = SPAN_LITERAL("application/json");
	item->bytes =
		reader_new_copy(span_make(lines.data, lines.len - 1)); /* the last line end is written behind it */
	buf_reset(&r->json);
	return out_emit(r->out, item, error);
}

static int emit_row(struct csv_read *r, uint64_t line, uint64_t source, struct error *error)
{
	struct item *item;

	if (r->in_pieces) {
		buf_char(&r->json, '\n');
		return r->json.len < PIECE ? 0 : flush(r, error);
	}
	item = item_of(r, line, source);
	item->bytes = reader_new_copy(buf_view(&r->json));
	buf_reset(&r->json);
	return out_emit(r->out, item, error);
}

static int add_row(struct csv_read *r, struct error *error)
{
	if (r->number > (uint64_t)r->settings->rows_max)
		return error_set(error, ERROR_REJECT, "csv.limit",
				 "there are more than %lld rows: take each: row, or raise rows-max",
				 (long long)r->settings->rows_max);
	if (r->json.len > out_tree_max(r->out))
		return error_set(error, ERROR_REJECT, "csv.limit", "its JSON passes %zu bytes: take each: row",
				 out_tree_max(r->out));
	buf_char(&r->json, ',');
	return 0;
}

static int refuse(struct csv_read *r, uint64_t line, uint64_t source, struct error *error)
{
	struct item *item;

	if (r->settings->each == EACH_DOCUMENT) {
		*error = r->row.why;
		error_wrap(error, "row %llu, line %llu", (unsigned long long)r->number, (unsigned long long)line);
		return error_place(error, "line %llu", (unsigned long long)line);
	}
	item = item_of(r, line, source);
	error_wrap(&r->row.why, "%.*s", SPAN_ARGS(item->position));
	return out_reject(r->out, item, &r->row.why, error);
}

/* One row, or an empty line. */
static int take_row(struct csv_read *r, struct error *error)
{
	uint64_t line = r->line, source = r->source;
	enum csv_result result;
	struct span used;

	if (read_row(r, &result, &used, error))
		return -1;
	r->number += result != CSV_BLANK;
	if (result == CSV_LOST) {
		if (skip_line(r, error))
			return -1;
		return refuse(r, line, source, error);
	}
	r->line += r->row.lines;
	skip_bytes(r, used);
	if (result == CSV_BLANK)
		return 0;
	if (result == CSV_BAD)
		return refuse(r, line, source, error);
	if (!r->row.columns && !r->row.width && r->row.ragged != RAGGED_KEEP)
		r->row.width = r->row.fields;
	return r->settings->each == EACH_DOCUMENT ? add_row(r, error) : emit_row(r, line, source, error);
}

/* ---- the start */
static int read_header(struct csv_read *r, struct error *error)
{
	enum csv_result result = CSV_BLANK;
	uint64_t line = r->line;
	json_t *names;
	struct span used, text;
	bool last = false;

	while (result == CSV_BLANK) {
		line = r->line;
		if (text_get(&r->text, r->at, 1, &text, &last, error) ||
		    (text.len && read_row(r, &result, &used, error)))
			return -1;
		if (!text.len)
			return error_set(error, ERROR_REJECT, "csv.empty", "there is no line in the document");
		r->line += r->row.lines;
		if (result != CSV_LOST)
			skip_bytes(r, used);
	}
	if (result != CSV_ROW) {
		*error = r->row.why;
		error_wrap(error, "the header, line %llu", (unsigned long long)line);
		return error_place(error, "line %llu", (unsigned long long)line);
	}
	names = tree_parse_new(buf_view(&r->json), error);
	buf_reset(&r->json);
	if (!names)
		return -1;
	while (json_array_size(names) > 1 &&
	       !json_string_length(json_array_get(names, json_array_size(names) - 1))) /* separators at its end */
		json_array_remove(names, json_array_size(names) - 1);
	csv_columns_make(&r->columns, names);
	json_decref(names);
	r->row.columns = &r->columns;
	return 0;
}

static int skip_lines(struct csv_read *r, struct error *error)
{
	for (int64_t i = 0; i < r->settings->skip; i++)
		if (skip_line(r, error))
			return -1;
	return 0;
}

static int find_separator(struct csv_read *r, struct error *error)
{
	const char *wish = r->settings->separator;
	bool automatic = !strcmp(wish, "auto"), last;
	char told = '\0';
	struct span head;
	size_t used;

	if (text_get(&r->text, r->at, LOOK, &head, &last, error))
		return -1;
	used = csv_told_separator(head, last, &told);
	if (used) {
		skip_bytes(r, span_make(head.data, used));
		r->line++;
	}
	if (skip_lines(r, error) || text_get(&r->text, r->at, LOOK, &head, &last, error))
		return -1;
	r->row.quote = strcmp(r->settings->quote, "none") ? *r->settings->quote : '\0';
	if (automatic)
		r->row.separator = told && told != r->row.quote ? told : csv_guess_separator(head, last, r->row.quote);
	else
		r->row.separator = strcmp(wish, "tab") ? *wish : '\t';
	if (!r->row.quote)
		r->row.quote = r->row.separator;
	return 0;
}

static int begin(struct csv_read *r, struct error *error)
{
	const struct csv_settings *settings = r->settings;
	const struct node *header = settings->header;

	r->row = (struct csv_row){.trim = settings->trim,
				  .excel_text = settings->excel_text,
				  .ragged = (enum csv_ragged)settings->ragged,
				  .stray = (enum csv_stray)settings->stray,
				  .columns_max = (size_t)settings->columns_max,
				  .field_max = (size_t)settings->field_max};
	r->in_pieces = out_in_pieces(r->out) && settings->each == EACH_ROW;
	r->row_max = out_tree_max(r->out);
	r->known = true;
	r->line = 1;
	buf_init(&r->json, SIZE_MAX / 4);
	if (text_begin(&r->text, r->whole->bytes, r->out, settings->charset, error))
		return -1;
	r->at = r->source = r->text.start;
	if (r->at >= r->text.window.size)
		return error_set(error, ERROR_REJECT, "csv.empty", "the document is empty");
	if (find_separator(r, error))
		return -1;
	if (header && header->type == NODE_LIST)
		r->row.columns = &r->csv->columns;
	else if ((!header || csv_header_word(header) == HEADER_YES) && read_header(r, error))
		return -1;
	tell_facts(r);
	return 0;
}

/* ---- the document as one */
static void open_document(struct csv_read *r)
{
	const struct csv_columns *columns = r->row.columns;

	buf_text(&r->json, "{\"format\":\"csv\"");
	for (size_t i = 0; columns && i < columns->count; i++) {
		struct span prefix = columns->prefixes[i]; /* {"NAME":" */
		size_t from = i ? 2 : 1;

		buf_text(&r->json, i ? "," : ",\"columns\":[");
		buf_append(&r->json, prefix.data + from, prefix.len - from - 2);
	}
	buf_text(&r->json, columns ? "],\"rows\":[" : ",\"rows\":[");
}

static int close_document(struct csv_read *r, struct error *error)
{
	struct item *item = out_item(r->out, r->whole);

	if (r->number)
		r->json.len--;
	buf_text(&r->json, "],\"separator\":");
	tree_write(&r->json, json_object_get(json_object_get(r->facts, "csv"), "separator"), 0);
	buf_printf(&r->json, ",\"charset\":\"%s\"}", *r->text.charset ? r->text.charset : "UTF-8");
	json_decref(item->facts);
	item->facts = json_incref(r->facts);
	item->form = FORM_BYTES;
	item->media_type = SPAN_LITERAL("application/json");
	item->bytes = reader_new_copy(buf_view(&r->json));
	return out_emit(r->out, item, error);
}

static int read_rows(struct csv_read *r, struct error *error)
{
	struct span text;
	bool last;

	if (r->settings->each == EACH_DOCUMENT)
		open_document(r);
	for (;;) {
		if (text_get(&r->text, r->at, 1, &text, &last, error))
			return -1;
		if (!text.len)
			break;
		if (take_row(r, error))
			return -1;
	}
	if (r->settings->each == EACH_DOCUMENT)
		return close_document(r, error);
	if (!r->number)
		return out_drop(r->out, out_item(r->out, r->whole), "there is no row in it", error);
	return flush(r, error);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct csv *csv = self;
	struct csv_read r = {.csv = csv, .settings = csv->settings, .whole = item, .out = out};
	int failed = begin(&r, error) || read_rows(&r, error);

	json_decref(r.facts);
	csv_columns_free(&r.columns);
	buf_free(&r.json);
	text_end(&r.text);
	return failed ? -1 : 0;
}

/* ---- settings */
static void *open_csv(const void *of, const struct transformer_context *context, struct error *error)
{
	const struct csv_settings *settings = of;
	const struct node *header = settings->header;
	struct csv *csv = mem_alloc(sizeof *csv);
	json_t *names;

	csv->settings = settings;
	if (!header || header->type != NODE_LIST)
		return csv;
	names = json_array();
	for (size_t i = 0; i < header->count; i++)
		json_array_append_new(names,
				      json_stringn_nocheck(header->items[i]->text.data, header->items[i]->text.len));
	csv_columns_make(&csv->columns, names);
	json_decref(names);
	return csv;
}

static void close_csv(void *self)
{
	struct csv *csv = self;

	csv_columns_free(&csv->columns);
	free(csv);
}

const struct decode_format decode_csv = {
	.name = "csv",
	.help = "A table of texts, an object for each row",
	.more = {csv_options, sizeof(struct csv_settings)},
	.check = csv_check,
	.open = open_csv,
	.close = close_csv,
	.run = run,
};
