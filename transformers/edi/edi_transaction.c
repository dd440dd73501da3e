/* One transaction: its segments to a line of JSON, its count and control number. See edi_read.h. */
#include "config.h"
#include "transformers/edi/edi_read.h"

#include <stdio.h>

#include "base/utf8.h"
#include "transformers/edi/edi_package.h"

#define SEGMENTS_MAX 1000000

struct transaction {
	uint64_t offset, end;
	uint64_t segments; /* as the trailer counts them: opening and closing one included */
	char control[40], type[40];
	size_t facts_from, facts_to; /* in the line */
	bool open;                   /* its segments are being written */
	bool latin;                  /* it was found to be no UTF-8: to be read again */
	bool judged;                 /* by a grammar */
	bool nested;                 /* the judge writes it */
	bool by_judge;               /* `why` is what the judge found first */
	struct error why;            /* class NONE: sound so far */
	uint64_t fault_segment, fault_offset;
	size_t fault_element, fault_component;
	char fault_name[4];
};

static void copy_text(char *into, size_t size, struct span text)
{
	size_t n = text.len < size ? text.len : size - 1;

	if (n)
		memcpy(into, text.data, n);
	into[n] = '\0';
}

static void place_fault(struct transaction *t, const struct error *why, uint64_t offset)
{
	if (t->why.class != ERROR_NONE)
		return;
	t->why = *why;
	t->fault_segment = t->segments;
	t->fault_offset = offset;
}

/* What the judge found is told as the transaction's fault; the first names the others. */
static void take_findings(struct edi_read *x, struct transaction *t)
{
	const struct edi_findings *findings = edi_judge_findings(x->judge);
	const struct edi_finding *first = findings->list;
	uint64_t others = findings->count ? findings->count - 1 + findings->more : 0;
	struct error why;

	if (!findings->count || t->why.class != ERROR_NONE)
		return;
	edi_fault(&why, x->dialect, edi_kinds[first->kind].code, "%s%s%s%s", first->text, *first->loop ? " (in " : "",
		  first->loop, *first->loop ? ")" : "");
	if (others)
		error_add(&why, "; and %llu more finding%s", (unsigned long long)others, others > 1 ? "s" : "");
	place_fault(t, &why, first->offset);
	t->by_judge = true;
	t->fault_segment = first->segment;
	t->fault_element = first->element;
	t->fault_component = first->component ? first->component : 1;
	memcpy(t->fault_name, first->tag, sizeof t->fault_name);
}

/* The version that the grammar must have: GS08's first six, or UNH's "D 96A". */
static void begin_judging(struct edi_read *x, struct transaction *t, const struct edi_segment *open)
{
	const struct edi_syntax *syntax = &x->scan.syntax;
	char text[48];

	if (!x->judge)
		return;
	if (x->dialect == &edi_x12) {
		struct span header = span_make(x->group_header.data, x->in_group ? x->group_header_len : 0);

		copy_text(text, 7, edi_component(syntax, edi_element(syntax, header, 8), 1));
	} else {
		struct span message = edi_element(syntax, open->text, x->dialect->type);
		size_t n;

		copy_text(text, 20, edi_component(syntax, message, 2));
		n = strlen(text);
		text[n] = ' ';
		copy_text(text + n + 1, 20, edi_component(syntax, message, 3));
	}
	t->judged = !edi_judge_begin(x->judge, syntax, &x->line, span_of(text), span_of(t->type));
	t->nested = t->judged && edi_judge_is_nested(x->judge);
	if (!t->judged) {
		edi_judge_findings(x->judge)->list[0].offset = open->offset;
		take_findings(x, t);
	}
}

static void begin(struct edi_read *x, struct transaction *t, const struct edi_segment *open)
{
	const struct edi_dialect *dialect = x->dialect;
	const struct edi_syntax *syntax = &x->scan.syntax;
	struct edi_fault fault;
	struct error why;
	unsigned elements;

	memset(t, 0, sizeof *t);
	t->offset = open->offset;
	t->segments = 1;
	copy_text(t->control, sizeof t->control,
		  edi_control(dialect, syntax, open->text, dialect->control[EDI_TRANSACTION]));
	copy_text(t->type, sizeof t->type, edi_component(syntax, edi_element(syntax, open->text, dialect->type), 1));
	edi_begin_line(x);
	buf_text(&x->line, ",\"transaction\":");
	t->facts_from = x->line.len;
	buf_char(&x->line, '{');
	dialect->facts(syntax, EDI_TRANSACTION, open->text, &x->line);
	if (dialect->plain(syntax, open->text)) {
		x->line.len--; /* the comma */
	} else {
		buf_text(&x->line, "\"header\":");
		if (edi_write_segment(&x->line, syntax, open, &elements, &x->high, &fault) > EDI_NEEDLESS)
			x->bad |= BAD_LINE;
	}
	buf_char(&x->line, '}');
	t->facts_to = x->line.len;
	for (size_t i = 0; i < open->text.len && !syntax->charset; i++)
		x->high |= (unsigned char)open->text.data[i] & 0x80u;
	begin_judging(x, t, open);
	if (!t->nested)
		buf_text(&x->line, ",\"segments\":[");
	if (dialect->check_open(syntax, EDI_TRANSACTION, open->text, &why))
		place_fault(t, &why, open->offset);
}

static const char *printable(struct span text, char shown[16])
{
	copy_text(shown, 16, text);
	for (char *p = shown; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '.';
	return shown;
}

static int explain(struct edi_read *x, struct transaction *t, const struct edi_segment *segment,
		   const struct edi_fault *fault, struct error *why)
{
	const struct edi_dialect *dialect = x->dialect;
	struct span name = edi_element(&x->scan.syntax, segment->text, 0);
	char shown[16];

	t->fault_element = fault->element;
	t->fault_component = fault->component;
	if (!fault->kind)
		return edi_fault(why, dialect, "limit", "the %s passes %u MiB of JSON", dialect->transaction, 1024u);
	if (!strcmp(fault->kind, "segment") && !segment->text.len)
		return edi_fault(why, dialect, "segment", "a segment is empty");
	if (!strcmp(fault->kind, "segment"))
		return edi_fault(why, dialect, "segment",
				 "a segment is called \"%s\", but a name is two or three capital letters and digits",
				 printable(name, shown));
	copy_text(t->fault_name, sizeof t->fault_name, name);
	if (fault->byte == '\x1b' && x->scan.escapes) {
		uint64_t at;
		const char *what = edi_escapes_fault(x->scan.escapes, segment->offset, segment->end, &at);

		if (what)
			return edi_fault(why, dialect, "character", "segment %.3s: %s, at byte %llu", t->fault_name,
					 what, (unsigned long long)at);
	}
	if (fault->byte < 0x20 || fault->byte == 0x7f)
		return edi_fault(why, dialect, "character", "segment %.3s contains the control character 0x%02x",
				 t->fault_name, fault->byte);
	return edi_fault(why, dialect, "character",
			 "segment %.3s contains the byte 0x%02x, which is no character of %s", t->fault_name,
			 fault->byte, x->scan.syntax.charset ? x->scan.syntax.charset->name : "its character set");
}

/* BIN or BDS that its length does not fit: bytes and characters could not be told apart in what was made of it. */
static bool is_broken_binary(const struct edi_read *x, const struct edi_segment *segment)
{
	struct span text = segment->text;
	unsigned high = 0;

	if (!x->dialect->binary || segment->binary || (!span_starts(text, "BIN") && !span_starts(text, "BDS")))
		return false;
	for (size_t i = 0; i < text.len; i++)
		high |= (unsigned char)text.data[i] & 0x80u;
	return high != 0;
}

/* What the encoder would write for it. */
static int account(struct edi_read *x, const struct transaction *t, const struct edi_segment *segment, struct span raw,
		   bool look, struct error *why)
{
	struct edi_drop drops[EDI_DROPS_MAX];
	size_t count = 0;

	if (t->nested && edi_judge_drops_any(x->judge))
		count = edi_judge_drops(x->judge, segment->text.data, drops);
	if (count > EDI_DROPS_MAX)
		return edi_fault(why, x->dialect, "limit", "segment %.3s has too many empty elements",
				 segment->text.data);
	edi_layout_dropped(&x->layout, &x->scan.syntax, raw, look, drops, count);
	return 0;
}

static int write_one(struct edi_read *x, struct transaction *t, struct edi_segment *segment, struct error *why)
{
	const struct edi_syntax *syntax = &x->scan.syntax;
	struct span raw = segment->text;
	struct edi_fault fault;
	enum edi_written written;
	unsigned elements = 0;
	size_t was = x->line.len;

	if (is_broken_binary(x, segment))
		return edi_fault(why, x->dialect, "character", "segment %.3s is binary, and its length does not fit",
				 segment->text.data);
	if (t->segments > 2 && !t->nested)
		buf_char(&x->line, ',');
	written = edi_write_segment(&x->line, syntax, segment, &elements, &x->high, &fault);
	if (written == EDI_WRAPPED && edi_unwrap(&x->scan, segment)) {
		written = edi_write_segment(&x->line, syntax, segment, &elements, &x->high, &fault);
		if (written == EDI_WRITTEN)
			written = EDI_NEEDLESS;
	}
	if (written > EDI_NEEDLESS)
		return explain(x, t, segment, &fault, why);
	if (elements > EDI_ELEMENTS_MAX)
		return edi_fault(why, x->dialect, "limit", "segment %.3s has more than %d elements", segment->text.data,
				 EDI_ELEMENTS_MAX);
	if (t->nested)
		x->line.len = was;
	if (t->judged && edi_judge_segment(x->judge, segment, (uint32_t)t->segments))
		return edi_fault(why, x->dialect, "limit", "segment %.3s has more components than a grammar goes by",
				 segment->text.data);
	return account(x, t, segment, raw, written == EDI_NEEDLESS, why);
}

static void add(struct edi_read *x, struct transaction *t, struct edi_segment *segment)
{
	const struct edi_dialect *dialect = x->dialect;
	struct error why;
	int bad;

	t->segments++;
	if (t->why.class != ERROR_NONE)
		return;
	if (segment->oversized)
		bad = edi_fault(&why, dialect, "limit",
				"a segment is longer than %u bytes: its terminator may be missing", EDI_SEGMENT_MAX);
	else if (t->segments > SEGMENTS_MAX || segment->end - t->offset > out_tree_max(x->out))
		bad = edi_fault(&why, dialect, "limit", "the %s passes %d segments or %zu bytes", dialect->transaction,
				SEGMENTS_MAX, out_tree_max(x->out));
	else
		bad = write_one(x, t, segment, &why);
	if (bad)
		place_fault(t, &why, segment->offset);
}

/* What it counts and names must agree with what came. */
static void close_transaction(struct edi_read *x, struct transaction *t, const struct edi_segment *segment)
{
	const struct edi_dialect *dialect = x->dialect;
	const struct edi_syntax *syntax = &x->scan.syntax;
	struct span count = edi_element(syntax, segment->text, dialect->close_count),
		    control = edi_control(dialect, syntax, segment->text, dialect->close_control);
	const char *open = dialect->open[EDI_TRANSACTION], *close = dialect->close[EDI_TRANSACTION];
	bool judged = t->judged && t->why.class == ERROR_NONE; /* else the judge did not see all of it */
	struct error why;

	t->segments++;
	t->end = segment->end;
	if (judged)
		edi_judge_end(x->judge, (uint32_t)t->segments, segment->offset);
	if (!edi_is_same_control(dialect, EDI_TRANSACTION, span_of(t->control), control)) {
		edi_fault(&why, dialect, "control", "%s%02d is \"%.*s\", but %s%02d is \"%s\"", close,
			  dialect->close_control, SPAN_ARGS(edi_shown(control)), open,
			  dialect->control[EDI_TRANSACTION], t->control);
		place_fault(t, &why, segment->offset);
	} else if (!edi_count_agrees(dialect, count, t->segments)) {
		edi_fault(&why, dialect, "count", "%s%02d says \"%.*s\" segments, there are %llu", close,
			  dialect->close_count, SPAN_ARGS(edi_shown(count)), (unsigned long long)t->segments);
		place_fault(t, &why, segment->offset);
	}
	if (judged)
		take_findings(x, t);
	if (t->why.class != ERROR_NONE)
		return;
	if (!t->nested)
		buf_char(&x->line, ']');
	if (!edi_is_plain_close(x, segment->text, t->segments, t->control))
		edi_write_end(x, "transaction", segment);
}

/* Where the document has them, which the scan may have elsewhere. */
static void place_offsets(struct edi_read *x, struct transaction *t)
{
	struct edi_findings *judged = x->judge && t->judged ? edi_judge_findings(x->judge) : NULL;

	if (!x->scan.escapes || (t->why.class == ERROR_NONE && !x->observer && out_in_pieces(x->out)))
		return; /* nobody is told */
	t->offset = edi_offset(&x->scan, t->offset);
	t->end = edi_offset(&x->scan, t->end);
	t->fault_offset = edi_offset(&x->scan, t->fault_offset);
	for (size_t i = 0; judged && i < judged->count; i++)
		judged->list[i].offset = edi_offset(&x->scan, judged->list[i].offset);
}

static struct span position_of(struct edi_read *x, const struct transaction *t)
{
	struct arena *arena = out_arena(x->out);
	const char *what = x->dialect->transaction;
	char in[60] = "";

	if (t->why.class == ERROR_NONE)
		return span_of(arena_printf(arena, "%s %llu (control %s) at byte %llu", what,
					    (unsigned long long)x->counted, t->control, (unsigned long long)t->offset));
	if (t->fault_element)
		snprintf(in, sizeof in, " (%.3s), element %zu, component %zu", t->fault_name, t->fault_element,
			 t->fault_component);
	else if (*t->fault_name)
		snprintf(in, sizeof in, " (%.3s)", t->fault_name);
	return span_of(arena_printf(arena, "%s %llu (control %s), segment %llu%s at byte %llu", what,
				    (unsigned long long)x->counted, t->control, (unsigned long long)t->fault_segment,
				    in, (unsigned long long)t->fault_offset));
}

/* What the reader itself found. */
static struct edi_finding finding_of(const struct transaction *t)
{
	struct edi_finding own = {.kind = edi_kind_of(t->why.code),
				  .segment = (uint32_t)t->fault_segment,
				  .element = (uint16_t)t->fault_element,
				  .component = (uint16_t)t->fault_component,
				  .offset = t->fault_offset};

	snprintf(own.text, sizeof own.text, "%.239s", t->why.text);
	memcpy(own.tag, t->fault_name, sizeof own.tag);
	return own;
}

/* All that is wrong with it: what the reader found, then what the judge did. */
static json_t *findings_new(struct edi_read *x, const struct transaction *t)
{
	json_t *list = json_array();
	const struct edi_findings *judged = x->judge ? edi_judge_findings(x->judge) : NULL;
	struct edi_finding own = finding_of(t);

	if (!t->by_judge)
		json_array_append_new(list, edi_finding_json_new(&own, x->dialect->name));
	for (size_t i = 0; judged && i < judged->count; i++)
		json_array_append_new(list, edi_finding_json_new(&judged->list[i], x->dialect->name));
	return list;
}

static void tell(struct edi_read *x, struct transaction *t)
{
	struct edi_transaction_facts facts = {t->type, t->control,
					      .more = x->judge ? edi_judge_findings(x->judge) : NULL};
	struct edi_finding own;

	if (t->facts_to <= x->line.len)
		facts.facts = span_make(x->line.data + t->facts_from, t->facts_to - t->facts_from);
	if (t->why.class != ERROR_NONE)
		x->came++;
	else if (edi_pass_line(x, &t->why))
		t->fault_segment = 1;
	if (t->why.class != ERROR_NONE && !t->by_judge) {
		own = finding_of(t);
		facts.own = &own;
	}
	x->observer->transaction(x->observer->arg, &facts);
}

static int put_out(struct edi_read *x, struct transaction *t, bool group, struct error *error)
{
	struct item *item = out_item(x->out, x->whole);
	bool bare = out_in_pieces(x->out); /* nobody sees more than the line */
	json_t *facts = NULL;
	char path[48];

	if (!bare || t->why.class != ERROR_NONE) {
		snprintf(path, sizeof path, "%u/%u/%u", x->interchange, group ? x->group : 0, x->transaction);
		out_level(x->out, item, path);
	}
	if (!x->line.full && !bare)
		facts = json_loadb(x->line.data + t->facts_from, t->facts_to - t->facts_from, 0, NULL);
	if (!bare || t->why.class != ERROR_NONE) {
		json_decref(item->facts);
		item->facts = edi_facts(x, group, facts);
		json_decref(facts);
	}
	item->offset = t->offset;
	item->length = t->end - t->offset;
	if (!bare || t->why.class != ERROR_NONE)
		item->position = position_of(x, t);
	if (t->why.class == ERROR_NONE)
		return edi_emit_line(x, item, error);
	json_object_set_new(item->facts, "findings", findings_new(x, t));
	x->came++;
	return out_reject(x->out, item, &t->why, error);
}

static bool ends_without_close(const struct edi_read *x, struct span text)
{
	return edi_opens(x, text, EDI_TRANSACTION) || edi_opens(x, text, EDI_GROUP) || edi_closes(x, text, EDI_GROUP) ||
	       edi_closes(x, text, EDI_INTERCHANGE) || edi_opens_package(&x->scan, text);
}

/* One that lies within the bytes in hand, written and judged; what follows it, or NULL, and nothing was done. */
static inline const char *add_one(struct edi_read *x, const struct transaction *t, const char *p, const char *limit,
				  uint64_t offset)
{
	const struct edi_syntax *syntax = &x->scan.syntax;
	unsigned elements = 0;
	const char *end;

	if (t->nested)
		return edi_judge_usual(x->judge, p, limit, (uint32_t)t->segments + 1, offset, &x->high);
	end = edi_write_usual(&x->line, syntax, t->segments > 1, p, limit, &elements, &x->high);
	if (!end || elements > EDI_ELEMENTS_MAX || end - p > (ptrdiff_t)EDI_SEGMENT_MAX)
		return NULL;
	if (t->judged && !edi_judge_usual(x->judge, p, limit, (uint32_t)t->segments + 1, offset, &x->high))
		return NULL;
	return end;
}

/* As many as are alike are taken in one go. `offset`: of the bytes in hand. */
static void add_row(struct edi_read *x, struct transaction *t, uint64_t offset)
{
	struct edi_scan *scan = &x->scan;
	const char *p = scan->got.data, *limit = p + scan->got.len;
	struct edi_row row = {(uint32_t)t->segments + 1, SEGMENTS_MAX, offset};
	uint64_t written;

	if (t->segments >= SEGMENTS_MAX || !edi_at_usual(scan))
		return;
	if (t->nested) {
		p = edi_judge_row(x->judge, scan, p, limit, &row);
		t->segments = row.number - 1;
	} else if (!t->judged) {
		p = edi_write_row(&x->line, scan, t->segments > 1, p, limit, SEGMENTS_MAX - t->segments, &written,
				  &x->high);
		t->segments += written;
	}
	scan->got = span_make(p, (size_t)(limit - p));
}

/* The separators of the segment from p on that its nested form does not tell. Their number. */
static size_t note_drops(struct edi_read *x, const char *p, uint64_t at)
{
	struct edi_drop drops[EDI_DROPS_MAX];
	size_t count = edi_judge_drops(x->judge, p, drops), gone = 0;

	for (size_t i = 0; i < count && i < EDI_DROPS_MAX; i++) {
		edi_layout_note(&x->layout, at + drops[i].at - gone, span_make(p + drops[i].at, drops[i].len), 0);
		gone += drops[i].len;
	}
	return gone;
}

/* Segments of the usual kind, as many as are in hand. */
static void add_usual(struct edi_read *x, struct transaction *t)
{
	struct edi_scan *scan = &x->scan;
	const struct edi_syntax *syntax = &scan->syntax;
	struct span got = scan->got;
	uint64_t gone = 0;

	if (t->why.class != ERROR_NONE || x->accounted || !got.len ||
	    scan->offset - t->offset + got.len > out_tree_max(x->out))
		return;
	/* A terminator behind the last byte, where nothing else is, ends every search. */
	scan->window.data[scan->window.len] = syntax->terminator;
	for (;;) {
		const char *p, *end;
		size_t was;

		add_row(x, t, scan->offset + (uint64_t)(scan->got.data - got.data));
		if (!t->judged || t->segments >= SEGMENTS_MAX || !edi_at_usual(scan))
			break;
		p = scan->got.data + syntax->suffix_len;
		was = x->line.len;
		end = add_one(x, t, p, got.data + got.len, scan->offset + (uint64_t)(p - got.data));
		if (!end) {
			x->line.len = was;
			break;
		}
		t->segments++;
		scan->got = span_make(end, (size_t)(got.data + got.len - end));
		if (t->nested && edi_judge_drops_any(x->judge))
			gone += note_drops(x, p,
					   x->layout.length - syntax->suffix_len + (uint64_t)(p - got.data) - gone);
	}
	x->line.full = false;
	x->layout.length += (uint64_t)(scan->got.data - got.data) - gone;
	scan->offset += (uint64_t)(scan->got.data - got.data);
}

/* 1: it was closed. 0: what follows ends it. */
static int read_segments(struct edi_read *x, struct transaction *t, uint64_t until, struct error *error)
{
	struct edi_segment segment;
	int more;

	while (add_usual(x, t), x->scan.offset < until && (more = edi_next(&x->scan, &segment, error))) {
		struct span raw = segment.text;

		if (more < 0)
			return -1;
		edi_account_filler(x, &segment);
		if (edi_is_interesting(&x->scan, raw)) {
			bool wrapped = edi_unwrap(&x->scan, &segment);

			if (edi_closes(x, segment.text, EDI_TRANSACTION)) {
				edi_layout_segment(&x->layout, &x->scan.syntax, raw, true);
				close_transaction(x, t, &segment);
				return 1;
			}
			if (ends_without_close(x, segment.text)) {
				edi_give_back(x, &segment);
				return 0;
			}
			if (wrapped)
				segment.text = raw;
		}
		add(x, t, &segment);
	}
	return 0;
}

/* Once with the character set as it is: 1 when it must be read again in another. */
static int run_once(struct edi_read *x, struct edi_segment *open, struct span raw, uint64_t until, struct error *error)
{
	struct edi_layout_mark mark = edi_layout_mark(&x->layout);
	bool group = x->in_group;
	struct transaction t;
	struct error why;
	int closed;

	edi_layout_segment(&x->layout, &x->scan.syntax, raw, true);
	begin(x, &t, open);
	closed = read_segments(x, &t, until, error);
	if (closed < 0)
		return -1;
	if (!closed) {
		t.end = x->scan.offset;
		edi_fault(&why, x->dialect, "truncated", "the %s (type %s) has no %s", x->dialect->transaction, t.type,
			  x->dialect->close[EDI_TRANSACTION]);
		place_fault(&t, &why, t.end);
	}
	if (t.why.class == ERROR_NONE && edi_take_trailers(x, error) < 0)
		return -1;
	/* A header that cannot be read refuses the line anyway, for its own reason. Whether `high` is set then is
	   chance: the blocks that were looked at may begin within the header. */
	if (t.why.class == ERROR_NONE && !(x->bad & (BAD_INTERCHANGE | BAD_GROUP)) && x->high && !x->line.full &&
	    !utf8_is_clean(buf_view(&x->line))) {
		edi_layout_return(&x->layout, mark);
		if (!x->start.charset && !edi_has_high(x))
			return 1;
		edi_fault(&why, x->dialect, "character", "the %s has bytes that are no UTF-8, in which its header is",
			  x->dialect->transaction);
		place_fault(&t, &why, t.offset);
	}
	if (t.why.class != ERROR_NONE) {
		edi_layout_return(&x->layout, x->header_mark);
		x->accounted = x->accounted || closed;
	}
	place_offsets(x, &t);
	if (!x->observer)
		return put_out(x, &t, group, error);
	tell(x, &t);
	return 0;
}

int edi_run_transaction(struct edi_read *x, struct edi_segment *open, struct span raw, uint64_t until,
			struct error *error)
{
	uint64_t offset = open->offset;
	bool group = x->in_group;
	int result;

	x->transaction++;
	x->counted++;
	result = run_once(x, open, raw, until, error);
	if (result != 1)
		return result;
	x->in_group = group;
	x->ended = x->accounted = false;
	edi_read_as(x, edi_fallback(x));
	edi_seek(&x->scan, offset);
	result = edi_next(&x->scan, open, error);
	if (result > 0) {
		raw = open->text;
		edi_unwrap(&x->scan, open);
		result = run_once(x, open, raw, until, error);
	}
	edi_read_as(x, NULL);
	return result;
}
