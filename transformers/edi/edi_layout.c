/* The layout of a document. See edi_layout.h. */
#include "config.h"
#include "transformers/edi/edi_layout.h"

#include "transformers/edi/edi_judge.h"

struct edi_layout_mark edi_layout_mark(const struct edi_layout *layout)
{
	return (struct edi_layout_mark){layout->notes.len, layout->length};
}

void edi_layout_return(struct edi_layout *layout, struct edi_layout_mark mark)
{
	layout->notes.len = mark.notes;
	layout->length = mark.length;
}

void edi_layout_reset(struct edi_layout *layout)
{
	buf_reset(&layout->notes);
	layout->length = 0;
}

void edi_layout_note(struct edi_layout *layout, uint64_t at, struct span text, size_t drop)
{
	buf_printf(&layout->notes, ",[%llu,", (unsigned long long)at);
	edi_write_string(&layout->notes, text);
	if (drop)
		buf_printf(&layout->notes, ",%zu", drop);
	buf_char(&layout->notes, ']');
}

void edi_layout_filler(struct edi_layout *layout, const struct edi_syntax *syntax, struct span filler)
{
	size_t n = syntax->suffix_len;

	if (filler.len == n && !memcmp(filler.data ? filler.data : "", syntax->suffix, n))
		return;
	if (filler.len > n && !memcmp(filler.data, syntax->suffix, n))
		edi_layout_note(layout, layout->length, span_make(filler.data + n, filler.len - n), 0);
	else
		edi_layout_note(layout, layout->length - n, filler, n);
}

static bool is_line_end(const struct edi_syntax *syntax, char c)
{
	return (c == '\r' || c == '\n') && c != syntax->terminator;
}

/* Where the segment has a release character in front of something that needs none. */
static bool is_needless(const struct edi_syntax *syntax, struct span text, size_t at)
{
	while (++at < text.len && is_line_end(syntax, text.data[at]))
		;
	if (at >= text.len)
		return true;
	switch (syntax->class[(uint8_t)text.data[at]]) {
	case EDI_ELEMENT:
	case EDI_COMPONENT:
	case EDI_END:
	case EDI_REPETITION:
	case EDI_RELEASE:
		return false;
	default:
		return true;
	}
}

static uint64_t look_through(struct edi_layout *layout, const struct edi_syntax *syntax, struct span text,
			     const struct edi_drop *drops, size_t count)
{
	uint64_t written = 0;
	bool released = false;
	size_t k = 0; /* without line ends */

	for (size_t i = 0; i < text.len; i++) {
		size_t n = 1;

		if (is_line_end(syntax, text.data[i])) {
			while (i + n < text.len && is_line_end(syntax, text.data[i + n]))
				n++;
			edi_layout_note(layout, layout->length + written, span_make(text.data + i, n), 0);
			i += n - 1;
			continue;
		}
		if (count && k == drops->at + drops->len) {
			drops++;
			count--;
		}
		if (count && k++ >= drops->at) {
			edi_layout_note(layout, layout->length + written, span_make(text.data + i, 1), 0);
			continue;
		}
		if (!released && syntax->release && text.data[i] == syntax->release) {
			released = true;
			if (is_needless(syntax, text, i)) {
				edi_layout_note(layout, layout->length + written, span_make(text.data + i, 1), 0);
				continue;
			}
		} else {
			released = false;
		}
		written++;
	}
	return written;
}

void edi_layout_segment(struct edi_layout *layout, const struct edi_syntax *syntax, struct span text, bool look)
{
	layout->length += (look ? look_through(layout, syntax, text, NULL, 0) : text.len) + 1 + syntax->suffix_len;
}

void edi_layout_dropped(struct edi_layout *layout, const struct edi_syntax *syntax, struct span text, bool look,
			const struct edi_drop *drops, size_t count)
{
	uint64_t length = layout->length;

	if (look) {
		length += look_through(layout, syntax, text, drops, count);
	} else {
		size_t gone = 0;

		for (size_t i = 0; i < count; i++) {
			edi_layout_note(layout, length + drops[i].at - gone,
					span_make(text.data + drops[i].at, drops[i].len), 0);
			gone += drops[i].len;
		}
		length += text.len - gone;
	}
	layout->length = length + 1 + syntax->suffix_len;
}

void edi_layout_write(struct edi_layout *layout, struct buf *out)
{
	if (!layout->notes.len)
		return;
	buf_printf(out, ",\"layout\":[%llu", (unsigned long long)layout->length);
	buf_span(out, buf_view(&layout->notes));
	buf_char(out, ']');
}
