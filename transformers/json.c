/* JSON in: one document (RFC 8259), or a document a line (json-lines). An array stays whole; `split` takes it apart. */
#include "config.h"
#include "transformers/format.h"

#include <stdio.h>

#include "base/tree.h"
#include "transformers/window.h"

static int run_document(void *self, struct item *item, struct out *out, struct error *error)
{
	struct item *decoded;
	struct span text;
	json_t *tree;

	if (reader_size(item->bytes) > out_tree_max(out))
		return error_set(
			error, ERROR_REJECT, "json.too-large",
			"%llu bytes, the limit of one tree is %zu: use json-lines, or split it before it is sent",
			(unsigned long long)reader_size(item->bytes), out_tree_max(out));
	if (reader_view(item->bytes, &text, error))
		return -1;
	tree = tree_parse_new(text, error);
	if (!tree)
		return -1;
	decoded = out_item(out, item);
	decoded->form = FORM_TREE;
	decoded->tree = tree;
	decoded->media_type = SPAN_LITERAL("application/json");
	return out_emit(out, decoded, error);
}

const struct decode_format decode_json = {.name = "json", .help = "One JSON document", .run = run_document};

/* ---- a document a line */
struct lines {
	struct window window;
	struct item *whole;
	struct out *out;
	uint64_t offset, number, emitted;
	size_t max;
};

/* The line at lines->offset, without its end; *next is where the one after it starts. Past the limit it is cut, and
 * *cut says so. */
static int line_get(struct lines *lines, struct span *line, uint64_t *next, bool *cut, struct error *error)
{
	size_t want = 4096;
	struct span got;
	const char *end;

	*cut = false;
	for (;;) {
		if (window_get(&lines->window, lines->offset, want, &got, error))
			return -1;
		end = memchr(got.data, '\n', got.len);
		if (end || lines->offset + got.len == lines->window.size || got.len > lines->max)
			break;
		want = got.len * 2;
	}
	*line = span_make(got.data, end ? (size_t)(end - got.data) : got.len);
	*next = lines->offset + line->len + (end != NULL);
	if (line->len <= lines->max)
		return 0;
	*cut = true;
	while (!end && *next < lines->window.size) { /* the rest of it is looked at only for its end */
		if (window_get(&lines->window, *next, 1, &got, error))
			return -1;
		end = memchr(got.data, '\n', got.len);
		*next += end ? (uint64_t)(end - got.data) + 1 : got.len;
	}
	return 0;
}

static int line_out(struct lines *lines, struct span line, uint64_t next, bool cut, struct error *error)
{
	struct item *item = out_item(lines->out, lines->whole);
	char ordinal[24];
	struct error why;

	snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)lines->number);
	out_level(lines->out, item, ordinal);
	item->position = span_of(arena_printf(out_arena(lines->out), "line %s at byte %llu", ordinal,
					      (unsigned long long)lines->offset));
	item->offset = lines->offset;
	item->length = next - lines->offset;
	lines->emitted++;
	if (cut) {
		error_set(&why, ERROR_REJECT, "json.too-large", "line %s at byte %llu is longer than %zu bytes",
			  ordinal, (unsigned long long)lines->offset, lines->max);
		return out_reject(lines->out, item, &why, error);
	}
	item->tree = tree_parse_new(line, &why);
	if (!item->tree) {
		error_wrap(&why, "line %s at byte %llu", ordinal, (unsigned long long)lines->offset);
		return out_reject(lines->out, item, &why, error);
	}
	item->form = FORM_TREE;
	item->media_type = SPAN_LITERAL("application/json");
	return out_emit(lines->out, item, error);
}

static bool is_blank(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!strchr(" \t\r", line.data[i]) || !line.data[i])
			return false;
	return true;
}

static int run_lines(void *self, struct item *item, struct out *out, struct error *error)
{
	struct lines lines = {.whole = item, .out = out, .max = out_tree_max(out)};
	int failed = 0;

	window_begin(&lines.window, item->bytes, out);
	while (!failed && lines.offset < lines.window.size) {
		struct span line;
		uint64_t next = 0;
		bool cut = false;

		failed = line_get(&lines, &line, &next, &cut, error);
		lines.number++;
		if (!failed && (cut || !is_blank(line)))
			failed = line_out(&lines, line, next, cut, error);
		if (!failed)
			lines.offset = next;
	}
	window_end(&lines.window);
	if (!failed && !lines.emitted) {
		error_set(error, ERROR_REJECT, "json.empty", "there is no line of JSON in %llu bytes",
			  (unsigned long long)reader_size(item->bytes));
		return error_place(error, "byte 0");
	}
	return failed;
}

const struct decode_format decode_json_lines = {
	.name = "json-lines", .help = "A JSON document a line", .run = run_lines};
