/* Weaving marks into a jq program, and telling them to people. See expression_marks.h. */
#include "config.h"
#include "base/expression_marks.h"

#include <stdlib.h>

#include "base/mem.h"

static void put_close(struct buf *out, enum mark_kind kind, size_t number)
{
	if (kind == MARK_LEFT)
		buf_printf(out, " | __some(%zu))", number);
	else if (kind == MARK_FIELD)
		buf_printf(out, " | __filled(%zu))", number);
	else if (kind == MARK_SELECT)
		buf_printf(out, " | __seen(%zu))", number);
	else
		buf_text(out, "))");
}

static void put_open(struct buf *out, enum mark_kind kind, size_t number)
{
	if (kind == MARK_LEFT || kind == MARK_FIELD || kind == MARK_SELECT)
		buf_char(out, '(');
	else
		buf_printf(out, "(__seen(%zu) | (", number);
}

void marks_weave(const struct marks *marks, struct span program, struct buf *out)
{
	size_t *open = mem_alloc((marks->count + 1) * sizeof *open), depth = 0, next_mark = 0;

	for (size_t i = 0; i <= program.len; i++) {
		while (depth && marks->list[open[depth - 1]].end == i) {
			depth--;
			put_close(out, marks->list[open[depth]].kind, open[depth]);
		}
		while (next_mark < marks->count && marks->list[next_mark].start == i) {
			put_open(out, marks->list[next_mark].kind, next_mark);
			open[depth++] = next_mark++;
		}
		if (i < program.len)
			buf_char(out, program.data[i]);
	}
	free(open);
}

const char *mark_name(enum mark_kind kind)
{
	static const char *const names[] = {"program", "function", "then",  "else", "value", "alternative", "field",
					    "select",  "operand",  "catch", "loop", "each",  "term"};

	return names[kind];
}

void mark_place(struct span program, size_t offset, int *line, int *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < offset && i < program.len; i++) {
		*column = program.data[i] == '\n' ? 1 : *column + 1;
		*line += program.data[i] == '\n';
	}
}
