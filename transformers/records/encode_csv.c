/* JSON to CSV (RFC 4180): a row for each element of an array, or of the document's `rows`. Rows are objects, or arrays
 * of cells where no columns are named; columns are those that the option or the document names, else all keys. Cells
 * are plain values; null is an empty cell. */
#include "config.h"
#include "transformers/encode.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tree.h"

struct writer {
	const struct encode *encode;
	const struct expression_input *input;
	struct buf *out;
	char separator;
	struct error *error;
};

/* An amount may begin with a sign and is no formula for that. */
static bool is_formula(struct span text)
{
	if (!text.len || !memchr("=+-@\t\r", text.data[0], 6))
		return false;
	for (size_t i = 1; i < text.len; i++)
		if (!memchr("0123456789.", text.data[i], 11))
			return true;
	return text.len == 1 || (text.data[0] != '+' && text.data[0] != '-');
}

/* `alone`: it is all of its row, which must not become an empty line. */
static void write_cell(const struct writer *writer, struct span text, bool alone)
{
	const struct encode_settings *settings = writer->encode->settings;
	bool formula = settings->safe && is_formula(text), quote = alone && !text.len;

	for (size_t i = 0; i < text.len && !quote; i++)
		quote = text.data[i] == writer->separator || memchr("\"\r\n", text.data[i], 3);
	quote = quote || (text.len && (text.data[0] == ' ' || text.data[text.len - 1] == ' '));
	if (quote)
		buf_char(writer->out, '"');
	if (formula)
		buf_char(writer->out, '\'');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"')
			buf_char(writer->out, '"');
		buf_char(writer->out, text.data[i]);
	}
	if (quote)
		buf_char(writer->out, '"');
}

static void end_line(const struct writer *writer)
{
	buf_text(writer->out, writer->encode->settings->line_end == LINE_LF ? "\n" : "\r\n");
}

static int write_value(const struct writer *writer, const json_t *value, size_t row, const char *column, bool alone)
{
	struct buf text;

	if (json_is_object(value) || json_is_array(value))
		return error_set(writer->error, ERROR_REJECT, "csv.cell",
				 "row %zu, column %s: a cell must be a plain value", row + 1, column);
	if (json_is_string(value)) {
		write_cell(writer, span_make(json_string_value(value), json_string_length(value)), alone);
	} else if (value && !json_is_null(value)) {
		/* A number is no formula, though it may begin with a minus. */
		buf_init(&text, 64);
		tree_write(&text, value, 0);
		buf_span(writer->out, buf_view(&text));
		buf_free(&text);
	} else {
		write_cell(writer, SPAN_LITERAL(""), alone);
	}
	return 0;
}

static int write_column(const struct writer *writer, const struct encode_column *column, json_t *row, size_t number,
			bool alone)
{
	struct expression_input input = *writer->input;
	json_t *value;
	int failed;

	if (!column->value)
		return write_value(writer, json_object_get(row, column->name), number, column->name, alone);
	input.body = row;
	if (expression_run(column->value, &input, &value, writer->error))
		return error_wrap(writer->error, "row %zu, column %s", number + 1, column->name);
	failed = write_value(writer, value, number, column->name, alone);
	json_decref(value);
	return failed;
}

static int write_row(const struct writer *writer, const struct encode_column *columns, size_t n, json_t *row,
		     size_t number)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(writer->out, writer->separator);
		if (write_column(writer, &columns[i], row, number, n == 1))
			return -1;
	}
	end_line(writer);
	return 0;
}

static int write_cells(const struct writer *writer, const json_t *row, size_t number)
{
	char column[24];

	for (size_t i = 0; i < json_array_size(row); i++) {
		snprintf(column, sizeof column, "%zu", i + 1);
		if (i)
			buf_char(writer->out, writer->separator);
		if (write_value(writer, json_array_get(row, i), number, column, json_array_size(row) == 1))
			return -1;
	}
	end_line(writer);
	return 0;
}

static void write_header(const struct writer *writer, const struct encode_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(writer->out, writer->separator);
		write_cell(writer, span_of(columns[i].name), n == 1);
	}
	end_line(writer);
}

/* The document's `columns`, then the keys that rows have beside them, as they come: no value is left out. The caller
 * frees the array and lets go of `names`, whose keys they are. */
static struct encode_column *columns_of(const json_t *told, const json_t *rows, json_t *names, size_t *n)
{
	struct encode_column *columns;
	const char *key;
	json_t *value;
	size_t i;

	json_array_foreach(told, i, value)
		if (json_is_string(value))
			json_object_set_new_nocheck(names, json_string_value(value), json_true());
	json_array_foreach(rows, i, value) {
		const char *name;
		json_t *cell;

		json_object_foreach(value, name, cell)
			json_object_set_new_nocheck(names, name, json_true());
	}
	columns = mem_alloc((json_object_size(names) + 1) * sizeof *columns);
	*n = 0;
	json_object_foreach(names, key, value)
		columns[(*n)++] = (struct encode_column){key, NULL};
	return columns;
}

static int write_rows(const struct writer *writer, const json_t *told, const json_t *rows)
{
	struct encode_column *own = NULL;
	json_t *names = json_object();
	const struct encode_column *columns = writer->encode->columns;
	size_t n = writer->encode->columns_count, i;
	json_t *first = json_array_get(rows, 0);
	int failed = 0;

	if (!columns && (json_is_object(first) || (!first && json_array_size(told))))
		columns = own = columns_of(told, rows, names, &n);
	if (columns && writer->encode->settings->header)
		write_header(writer, columns, n);
	for (i = 0; i < json_array_size(rows) && !failed && !writer->out->full; i++) {
		json_t *row = json_array_get(rows, i);

		if (columns ? json_is_object(row) || (writer->encode->columns && columns[0].value) : json_is_array(row))
			failed = columns ? write_row(writer, columns, n, row, i) : write_cells(writer, row, i);
		else
			failed = error_set(writer->error, ERROR_REJECT, "csv.row",
					   "row %zu must be an %s like the first", i + 1, columns ? "object" : "array");
	}
	free(own);
	json_decref(names);
	return failed;
}

static int write_csv(const struct encode *encode, const struct expression_input *input, struct buf *out,
		     struct error *error)
{
	const struct encode_settings *settings = encode->settings;
	const char *separator = settings->separator;
	struct writer writer = {encode, input, out, strcmp(separator, "tab") ? separator[0] : '\t', error};
	json_t *rows = NULL;
	int failed;

	if (settings->rows) {
		if (expression_run(settings->rows, input, &rows, error))
			return -1;
	} else {
		rows = json_incref(json_is_object(input->body) ? json_object_get(input->body, "rows") : input->body);
	}
	if (json_is_array(rows))
		failed = write_rows(&writer, settings->rows ? NULL : json_object_get(input->body, "columns"), rows);
	else
		failed = error_set(error, ERROR_REJECT, "csv.rows",
				   "there is no array of rows: give `rows`, a jq expression that finds it");
	json_decref(rows);
	return failed;
}

const struct encode_format encode_csv = {.name = "csv", .media_type = "text/csv", .write = write_csv};
