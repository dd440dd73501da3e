/* The lines of JSON that the reader of documents writes: their beginning, their trailers, their end. See edi_read.h. */
#include "config.h"
#include "transformers/edi/edi_read.h"

#include "base/utf8.h"

/* ---- what a line begins with */
static void write_separators(struct buf *out, const struct edi_syntax *syntax)
{
	const struct {
		const char *name;
		char c;
	} separators[] = {{"element", syntax->element},
			  {"component", syntax->component},
			  {"repetition", syntax->repetition},
			  {"release", syntax->release}};
	struct buf end;

	buf_text(out, "\"separators\":{");
	for (size_t i = 0; i < sizeof separators / sizeof *separators; i++) {
		if (!separators[i].c && i != 1)
			continue;
		buf_printf(out, "\"%s\":", separators[i].name);
		edi_write_string(out, span_make(&separators[i].c, separators[i].c != '\0'));
		buf_char(out, ',');
	}
	buf_init(&end, 2 * EDI_SUFFIX_MAX);
	buf_char(&end, syntax->terminator);
	buf_append(&end, syntax->suffix, syntax->suffix_len);
	buf_text(out, "\"segment\":");
	edi_write_string(out, buf_view(&end));
	buf_char(out, '}');
	buf_free(&end);
}

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* ISA11 and ISA16, which name separators, and these may be control characters. */
static bool is_separator_place(const struct edi_syntax *syntax, int number, struct span element)
{
	return number == 16 ||
	       (number == 11 && element.len == 1 && syntax->repetition && *element.data == syntax->repetition);
}

/* ISA, in which the separators stand as data. */
static void write_fixed(struct edi_read *x, struct buf *out, struct span header)
{
	const struct edi_syntax *syntax = &x->scan.syntax;

	for (int i = 0; i <= 16; i++) {
		struct span element = edi_element(syntax, header, i);

		for (size_t k = 0; k < element.len; k++)
			if (is_control(element.data[k]) && !is_separator_place(syntax, i, element))
				x->bad |= BAD_INTERCHANGE;
		buf_char(out, i ? ',' : '[');
		edi_write_text(out, syntax, element);
	}
	buf_char(out, ']');
}

static void write_header(struct edi_read *x, struct buf *out, struct span header, enum edi_bad bad)
{
	struct edi_segment segment = {.text = header};
	struct edi_fault fault;
	unsigned elements, high = 0;

	x->bad &= ~(unsigned)bad;
	buf_text(out, "\"header\":");
	if (bad == BAD_INTERCHANGE && x->dialect->fixed_header) {
		write_fixed(x, out, header);
	} else if (edi_write_segment(out, &x->scan.syntax, &segment, &elements, &high, &fault) > EDI_NEEDLESS) {
		buf_text(out, "[]");
		x->bad |= bad;
	}
}

void edi_write_interchange(struct edi_read *x)
{
	struct buf *out = &x->interchange_json;

	buf_reset(out);
	buf_char(out, '{');
	x->dialect->facts(&x->scan.syntax, EDI_INTERCHANGE, x->start.header, out);
	if (x->start.una_end > x->start.offset) {
		buf_text(out, "\"una\":");
		edi_write_string(out, span_make(x->start.una, sizeof x->start.una));
		buf_char(out, ',');
	}
	write_separators(out, &x->scan.syntax);
	buf_char(out, ',');
	write_header(x, out, x->start.header, BAD_INTERCHANGE);
	buf_char(out, '}');
}

void edi_write_group(struct edi_read *x)
{
	struct buf *out = &x->group_json;

	buf_reset(out);
	if (!x->in_group)
		return;
	buf_char(out, '{');
	x->dialect->facts(&x->scan.syntax, EDI_GROUP, span_make(x->group_header.data, x->group_header_len), out);
	write_header(x, out, span_make(x->group_header.data, x->group_header_len), BAD_GROUP);
	buf_char(out, '}');
}

void edi_make_facts(json_t **facts, const struct buf *text)
{
	json_decref(*facts);
	*facts = text->len ? json_loadb(text->data, text->len, 0, NULL) : NULL;
}

static bool is_high(const struct buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		if ((unsigned char)text->data[i] >= 0x80)
			return true;
	return false;
}

bool edi_has_high(const struct edi_read *x)
{
	return is_high(&x->interchange_json) || is_high(&x->group_json);
}

/* Whatever the bytes are, as ISO 8859-1, or as UTF-8 again. */
void edi_read_as(struct edi_read *x, const struct edi_charset *charset)
{
	if (x->scan.syntax.charset == charset)
		return;
	x->scan.syntax.charset = charset;
	edi_syntax_ready(&x->scan.syntax);
	edi_write_interchange(x);
	edi_write_group(x);
}

const struct edi_charset *edi_fallback(struct edi_read *x)
{
	if (strcmp(x->scan.charset.name, "ISO-8859-1"))
		edi_charset_make(&x->scan.charset, "ISO-8859-1");
	return &x->scan.charset;
}

/* A header with bytes that are no UTF-8: all that it heads is read as ISO 8859-1. */
void edi_check_header(struct edi_read *x, struct span header)
{
	if (x->scan.syntax.charset || utf8_is_clean(header))
		return;
	if (x->start.charset) /* it says that it is UTF-8 */
		x->bad |= x->in_group ? BAD_GROUP : BAD_INTERCHANGE;
	else if (x->in_group && is_high(&x->interchange_json))
		x->bad |= BAD_GROUP; /* both cannot be told apart again */
	else
		edi_read_as(x, edi_fallback(x));
}

void edi_begin_line(struct edi_read *x)
{
	struct buf *line = &x->line;

	buf_reset(line);
	x->bad &= ~(unsigned)BAD_LINE;
	x->ends = 0;
	x->high = 0;
	buf_text(line, "{\"format\":\"");
	buf_text(line, x->dialect->name);
	buf_char(line, '"');
	if (x->before.len) {
		buf_text(line, ",\"before\":");
		edi_write_string(line, buf_view(&x->before));
	}
	if (x->scan.escapes)
		buf_printf(line, ",\"charset\":\"%s\"",
			   iso2022_profile_name(edi_escapes_profile(x->scan.escapes)));
	else if (x->charset || (!x->start.charset && x->scan.syntax.charset))
		buf_printf(line, ",\"charset\":\"%s\"", x->scan.syntax.charset ? x->scan.charset.name : x->charset);
	buf_text(line, ",\"interchange\":");
	buf_span(line, buf_view(&x->interchange_json));
	if (x->in_group) {
		buf_text(line, ",\"group\":");
		buf_span(line, buf_view(&x->group_json));
	}
}

/* What the encoder would not write in the same way: a header or trailer that says more, or the same in another way. */
void edi_write_end(struct edi_read *x, const char *level, const struct edi_segment *segment)
{
	struct edi_fault fault;
	unsigned elements, high = 0;

	buf_text(&x->line, x->ends++ ? "," : ",\"ends\":{");
	buf_printf(&x->line, "\"%s\":", level);
	if (edi_write_segment(&x->line, &x->scan.syntax, segment, &elements, &high, &fault) > EDI_NEEDLESS) {
		buf_text(&x->line, "[]");
		x->bad |= BAD_LINE;
	}
	x->high |= high;
}

/* Takes the text and the separator behind it off the front. */
static bool take_text(struct span *rest, const char *text, char separator)
{
	size_t n = strlen(text);

	if (rest->len <= n || !span_starts(*rest, text) || rest->data[n] != separator)
		return false;
	*rest = span_make(rest->data + n + 1, rest->len - n - 1);
	return true;
}

bool edi_is_plain_close(const struct edi_read *x, struct span text, uint64_t segments, const char *control)
{
	const struct edi_dialect *dialect = x->dialect;
	const struct edi_syntax *syntax = &x->scan.syntax;
	char digits[24], *count = digits + sizeof digits - 1;
	bool count_first = dialect->close_count == 1;

	*count = '\0';
	for (uint64_t n = segments; n; n /= 10)
		*--count = (char)('0' + n % 10);
	return take_text(&text, dialect->close[EDI_TRANSACTION], syntax->tag) &&
	       (!dialect->close_control || take_text(&text, count_first ? count : control, syntax->element)) &&
	       span_is(text, dialect->close_control && count_first ? control : count);
}

/* ---- segments */
void edi_account_filler(struct edi_read *x, const struct edi_segment *segment)
{
	if (!x->accounted && segment->filler.data != x->scan.syntax.suffix)
		edi_layout_filler(&x->layout, &x->scan.syntax, segment->filler);
	x->accounted = false;
}

/* The segment shall be read again. */
void edi_give_back(struct edi_read *x, const struct edi_segment *segment)
{
	edi_seek(&x->scan, segment->offset);
	x->accounted = true;
}

bool edi_closes(const struct edi_read *x, struct span text, enum edi_level level)
{
	return x->dialect->close[level] && edi_is(&x->scan.syntax, text, x->dialect->close[level]);
}

bool edi_opens(const struct edi_read *x, struct span text, enum edi_level level)
{
	return x->dialect->open[level] && edi_is(&x->scan.syntax, text, x->dialect->open[level]);
}

/* ---- behind a line's last segment: the trailers that follow belong to it */
static int write_after(struct edi_read *x, struct error *error)
{
	struct edi_syntax *syntax = &x->scan.syntax;
	struct span filler;

	if (edi_skip_filler(&x->scan, &filler, error))
		return -1;
	if (filler.len == syntax->suffix_len && !memcmp(filler.data, syntax->suffix, filler.len))
		return 0;
	buf_text(&x->line, x->ends++ ? "," : ",\"ends\":{");
	buf_text(&x->line, "\"after\":");
	edi_write_string(&x->line, filler);
	return 0;
}

/* 1: the interchange ended. */
int edi_take_trailers(struct edi_read *x, struct error *error)
{
	struct edi_segment segment;
	int more;

	while ((more = edi_next(&x->scan, &segment, error)) > 0) {
		struct span raw = segment.text;
		bool last;

		edi_account_filler(x, &segment);
		edi_unwrap(&x->scan, &segment);
		last = edi_closes(x, segment.text, EDI_INTERCHANGE);
		if (!last && !edi_closes(x, segment.text, EDI_GROUP)) {
			edi_give_back(x, &segment);
			return 0;
		}
		edi_layout_segment(&x->layout, &x->scan.syntax, raw, true);
		if (last && segment.open)
			edi_layout_note(&x->layout, x->layout.length - x->scan.syntax.suffix_len - 1, SPAN_NONE,
					1 + x->scan.syntax.suffix_len);
		edi_write_end(x, last ? "interchange" : "group", &segment);
		if (last) {
			x->ended = true;
			return !segment.open && write_after(x, error) ? -1 : 1;
		}
		x->in_group = false;
	}
	return more;
}

/* Which escape sequences there were, where the encoder would write others. As edi_escapes_write. */
static int write_escapes(struct edi_read *x, struct error *error)
{
	uint64_t from = x->line_from;

	x->line_from = x->scan.offset;
	/* Behind one that was rejected they cannot be what they were. */
	if (!x->scan.escapes || x->came - x->interchange_came != x->lines - x->interchange_lines)
		return 0;
	return edi_escapes_write(x->scan.escapes, from, x->scan.offset, &x->line, error);
}

static int end_line(struct edi_read *x, struct error *error)
{
	int written;

	if (x->ends)
		buf_char(&x->line, '}');
	edi_layout_write(&x->layout, &x->line);
	written = write_escapes(x, error);
	buf_char(&x->line, '}');
	return written;
}

static void line_is_out(struct edi_read *x)
{
	edi_layout_reset(&x->layout);
	x->header_mark = edi_layout_mark(&x->layout);
	buf_reset(&x->before);
	x->scan.lost_filler = false;
	x->lines++;
}

/* What is written so far can go out. */
static int check_line(struct edi_read *x, struct error *why)
{
	if (x->bad)
		return edi_fault(
			why, x->dialect, "character",
			"a header or trailer has a control character, or one that is not in its character set");
	if (x->line.full || x->layout.notes.full)
		return edi_fault(why, x->dialect, "limit", "its JSON passes %zu bytes", EDI_TEXT_MAX);
	if (x->scan.lost_filler || x->before.full)
		return edi_fault(why, x->dialect, "limit", "there are more than %u bytes of white space in a row",
				 EDI_FILLER_MAX);
	return 0;
}

int edi_pass_line(struct edi_read *x, struct error *why)
{
	int failed = check_line(x, why);

	x->came++;
	if (failed) {
		edi_layout_return(&x->layout, x->header_mark);
		x->scan.lost_filler = false;
	} else {
		line_is_out(x);
	}
	return failed;
}

int edi_emit_line(struct edi_read *x, struct item *item, struct error *error)
{
	struct error why;
	int written = end_line(x, error);

	if (written < 0)
		return -1;
	x->came++;
	if (written)
		edi_fault(&why, x->dialect, "character",
			  "a character is written in a way that could not be written again: it has another code too");
	if (written || check_line(x, &why)) {
		edi_layout_return(&x->layout, x->header_mark);
		x->scan.lost_filler = false;
		return out_reject(x->out, item, &why, error);
	}
	line_is_out(x);
	item->form = FORM_BYTES;
	item->bytes = reader_new_copy(buf_view(&x->line));
	item->media_type = SPAN_LITERAL("application/json");
	return out_emit(x->out, item, error);
}
