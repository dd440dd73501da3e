/* Differences for people. See difference.h. The longest common subsequence by dynamic programming, after what both have
 * in common at their beginning and end was set aside. */
#include "config.h"
#include "base/difference.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

#define CONTEXT 3
#define CELLS_MAX (4u << 20)

/* ---- what can be seen */
static void put_visible(struct buf *out, struct span line)
{
	size_t end = line.len;

	while (end && line.data[end - 1] == ' ')
		end--;
	for (size_t i = 0; i < line.len;) {
		unsigned char c = (unsigned char)line.data[i];
		size_t n = utf8_character(span_make(line.data + i, line.len - i));

		if (i >= end)
			buf_text(out, "·");
		else if (c < 0x20)
			buf_append(out, (char[]){(char)0xe2, (char)0x90, (char)(0x80 + c)}, 3);
		else if (c == 0x7f)
			buf_text(out, "␡");
		else if (!n)
			buf_printf(out, "«%02x»", c);
		else
			buf_append(out, line.data + i, n);
		i += n ? n : 1;
	}
	buf_char(out, '\n');
}

void difference_visible(struct buf *out, struct span bytes)
{
	while (bytes.len) {
		const char *end = memchr(bytes.data, '\n', bytes.len);
		size_t n = end ? (size_t)(end - bytes.data) : bytes.len;

		put_visible(out, span_make(bytes.data, n));
		if (!end)
			buf_text(out, "(no newline at the end)\n");
		n += end ? 1 : 0;
		bytes = span_make(bytes.data + n, bytes.len - n);
	}
}

/* ---- lines */
struct lines {
	struct span *list;
	size_t count, capacity;
};

static void cut(struct lines *lines, struct span text)
{
	while (text.len) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t n = end ? (size_t)(end - text.data) : text.len;

		lines->list = mem_grow(lines->list, &lines->capacity, lines->count + 1, sizeof *lines->list);
		lines->list[lines->count++] = span_make(text.data, n);
		n += end ? 1 : 0;
		text = span_make(text.data + n, text.len - n);
	}
}

struct edit {
	char mark; /* ' ', '-' or '+' */
	struct span line;
	size_t first, second; /* lines before it, in each */
};

struct edits {
	struct edit *list;
	size_t count, capacity, first, second;
};

static void add(struct edits *edits, char mark, struct span line)
{
	edits->list = mem_grow(edits->list, &edits->capacity, edits->count + 1, sizeof *edits->list);
	edits->list[edits->count++] = (struct edit){mark, line, edits->first, edits->second};
	edits->first += mark != '+';
	edits->second += mark != '-';
}

/* Lengths of the longest common subsequences of all ends; then along the best way. */
static void middle(struct edits *edits, const struct span *a, size_t n, const struct span *b, size_t m)
{
	size_t width = m + 1, i = 0, j = 0;
	uint32_t *length = (n + 1) * width <= CELLS_MAX ? mem_alloc((n + 1) * width * sizeof *length) : NULL;

	for (size_t x = n; length && x-- > 0;)
		for (size_t y = m; y-- > 0;) {
			uint32_t down = length[(x + 1) * width + y], right = length[x * width + y + 1];

			length[x * width + y] = span_equal(a[x], b[y]) ? length[(x + 1) * width + y + 1] + 1
						: down > right         ? down
								       : right;
		}
	while (length && i < n && j < m) {
		if (span_equal(a[i], b[j])) {
			add(edits, ' ', a[i++]);
			j++;
		} else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
			add(edits, '-', a[i++]);
		} else {
			add(edits, '+', b[j++]);
		}
	}
	while (i < n)
		add(edits, '-', a[i++]);
	while (j < m)
		add(edits, '+', b[j++]);
	free(length);
}

static bool near_change(const struct edits *edits, size_t at)
{
	size_t from = at > CONTEXT ? at - CONTEXT : 0, to = at + CONTEXT;

	for (size_t i = from; i <= to && i < edits->count; i++)
		if (edits->list[i].mark != ' ')
			return true;
	return false;
}

static void print(struct buf *out, const struct edits *edits)
{
	bool open = false;

	for (size_t i = 0; i < edits->count; i++) {
		const struct edit *edit = &edits->list[i];

		if (!near_change(edits, i)) {
			open = false;
			continue;
		}
		if (!open)
			buf_printf(out, "@@ line %zu, line %zu @@\n", edit->first + 1, edit->second + 1);
		open = true;
		buf_char(out, edit->mark);
		buf_span(out, edit->line);
		buf_char(out, '\n');
	}
}

void difference_lines(struct buf *out, struct span first, struct span second)
{
	struct lines a = {NULL, 0, 0}, b = {NULL, 0, 0};
	struct edits edits = {NULL, 0, 0, 0, 0};
	size_t head = 0, tail = 0;

	cut(&a, first);
	cut(&b, second);
	while (head < a.count && head < b.count && span_equal(a.list[head], b.list[head]))
		add(&edits, ' ', a.list[head++]);
	while (tail < a.count - head && tail < b.count - head &&
	       span_equal(a.list[a.count - 1 - tail], b.list[b.count - 1 - tail]))
		tail++;
	middle(&edits, a.list + head, a.count - head - tail, b.list + head, b.count - head - tail);
	for (size_t i = a.count - tail; i < a.count; i++)
		add(&edits, ' ', a.list[i]);
	print(out, &edits);
	free(edits.list);
	free(a.list);
	free(b.list);
}
