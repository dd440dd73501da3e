/* A package to a line of JSON: `package`, what UNO says, and its object, as text or in base64. See edi_package.h. */
#include "config.h"
#include "transformers/edi/edi_package.h"

#include <stdio.h>

#include "base/crypto.h"
#include "base/utf8.h"
#include "transformers/edi/edi_read.h"

#define CHUNK ((size_t)48 * 1024) /* of an object at once; a multiple of 3 */

struct package {
	uint64_t offset, end;
	char control[EDI_CONTROL_MAX];
	size_t facts_from, facts_to; /* in the line */
	struct edi_package at;
	struct error why; /* class NONE: sound so far */
	uint64_t fault_offset;
};

static void fault(struct package *p, const struct error *why, uint64_t offset)
{
	if (p->why.class != ERROR_NONE)
		return;
	p->why = *why;
	p->fault_offset = offset;
}

/* ---- UNO */
/* "qualifier:id", or what there is of them. */
static void write_qualified(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span element)
{
	struct span qualifier = edi_component(syntax, element, 1), id = edi_component(syntax, element, 2);
	struct buf text;

	buf_init(&text, EDI_SEGMENT_MAX * 2);
	buf_span(&text, qualifier);
	if (qualifier.len)
		buf_char(&text, ':');
	buf_span(&text, id);
	if (text.len)
		edi_write_fact(out, name, syntax, buf_view(&text));
	buf_free(&text);
}

static void begin(struct edi_read *x, struct package *p, const struct edi_segment *open)
{
	const struct edi_syntax *syntax = &x->scan.syntax;
	struct span reference = edi_element(syntax, open->text, EDI_UNO_REFERENCE);
	struct edi_fault unused;
	struct error why;
	unsigned elements;

	memset(p, 0, sizeof *p);
	p->offset = open->offset;
	snprintf(p->control, sizeof p->control, "%.*s",
		 (int)(reference.len < sizeof p->control ? reference.len : sizeof p->control - 1),
		 reference.data ? reference.data : "");
	edi_begin_line(x);
	buf_text(&x->line, ",\"package\":");
	p->facts_from = x->line.len;
	buf_char(&x->line, '{');
	edi_write_fact(&x->line, "control", syntax, edi_component(syntax, reference, 1));
	write_qualified(&x->line, "reference", syntax, edi_element(syntax, open->text, EDI_UNO_ID));
	write_qualified(&x->line, "type", syntax, edi_element(syntax, open->text, EDI_UNO_TYPE));
	buf_text(&x->line, "\"header\":");
	if (edi_write_segment(&x->line, syntax, open, &elements, &x->high, &unused) > EDI_NEEDLESS) {
		buf_text(&x->line, "[]");
		edi_fault(&why, x->dialect, "character",
			  "UNO has a control character, or one that is not in its character set");
		fault(p, &why, open->offset);
	}
	buf_char(&x->line, '}');
	p->facts_to = x->line.len;
	if (!reference.len || reference.len >= sizeof p->control ||
	    edi_component(syntax, reference, 1).len != reference.len) {
		edi_fault(&why, x->dialect, "control", "UNO has no reference number of 1 to 35 characters");
		fault(p, &why, open->offset);
	}
}

/* ---- the object */
/* As much of it as is text for anybody: no control characters but tabs and line ends. */
static bool write_text(struct buf *out, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
			return false;
		if (c == '"' || c == '\\')
			buf_char(out, '\\');
		if (c >= ' ')
			buf_char(out, (char)c);
		else
			buf_text(out, c == '\t' ? "\\t" : c == '\r' ? "\\r" : "\\n");
	}
	return true;
}

/* 1: written; 0: it is no text; -1: as window_get. */
static int write_object(struct edi_read *x, const struct edi_package *at, bool text, struct error *error)
{
	bool sound = true;
	size_t was = x->line.len, from;

	buf_text(&x->line, text ? ",\"object\":\"" : ",\"object_base64\":\"");
	from = x->line.len;
	for (uint64_t done = 0; done < at->length && sound;) {
		size_t n = at->length - done < CHUNK ? (size_t)(at->length - done) : CHUNK;
		struct span got;

		if (window_get(&x->scan.window, at->from + done, n, &got, error))
			return -1;
		sound = text ? write_text(&x->line, span_make(got.data, n))
			     : !base64_encode(&x->line, span_make(got.data, n));
		done += n;
	}
	if (text && (!sound || !utf8_is_clean(span_make(x->line.data + from, x->line.len - from)))) {
		x->line.len = was;
		return 0;
	}
	buf_char(&x->line, '"');
	return 1;
}

static int take_object(struct edi_read *x, struct package *p, struct error *error)
{
	struct error why;
	int written;

	if (p->at.why.class != ERROR_NONE)
		fault(p, &p->at.why, p->at.from);
	if (p->why.class == ERROR_NONE && p->at.length > out_tree_max(x->out)) {
		edi_fault(&why, x->dialect, "limit", "the object passes %zu bytes", out_tree_max(x->out));
		fault(p, &why, p->at.from);
	}
	if (p->why.class != ERROR_NONE)
		return 0;
	written = write_object(x, &p->at, true, error);
	if (!written)
		written = write_object(x, &p->at, false, error);
	x->layout.length += p->at.length;
	return written < 0 ? -1 : 0;
}

/* ---- UNP */
static bool is_plain_close(const struct edi_read *x, const struct package *p, struct span text)
{
	char plain[EDI_CONTROL_MAX + 40];

	snprintf(plain, sizeof plain, "%s%c%llu%c%s", x->dialect->package[1], x->scan.syntax.element,
		 (unsigned long long)p->at.length, x->scan.syntax.element, p->control);
	return span_is(text, plain);
}

static void close_package(struct edi_read *x, struct package *p, struct edi_segment *closing)
{
	const struct edi_syntax *syntax = &x->scan.syntax;
	struct span raw = closing->text, length, reference;
	struct error why;
	uint64_t says;

	edi_unwrap(&x->scan, closing);
	length = edi_element(syntax, closing->text, EDI_UNP_LENGTH);
	reference = edi_element(syntax, closing->text, EDI_UNP_REFERENCE);
	p->end = closing->end;
	if (!span_is(reference, p->control)) {
		edi_fault(&why, x->dialect, "control", "UNP02 is \"%.*s\", but UNO01 is \"%s\"",
			  SPAN_ARGS(edi_shown(reference)), p->control);
		fault(p, &why, closing->offset);
	} else if (!edi_octets(length, &says) || says != p->at.length) {
		edi_fault(&why, x->dialect, "count", "UNP01 says \"%.*s\" octets, UNO04 says %llu",
			  SPAN_ARGS(edi_shown(length)), (unsigned long long)p->at.length);
		fault(p, &why, closing->offset);
	}
	edi_layout_segment(&x->layout, syntax, raw, true);
	if (p->why.class == ERROR_NONE && !is_plain_close(x, p, closing->text))
		edi_write_end(x, "package", closing);
}

/* ---- the item */
static struct span position_of(struct edi_read *x, const struct package *p)
{
	bool sound = p->why.class == ERROR_NONE;

	return span_of(arena_printf(out_arena(x->out), "package %llu (control %s)%s at byte %llu",
				    (unsigned long long)x->counted, p->control,
				    sound                           ? ""
				    : p->fault_offset == p->offset  ? ", UNO"
				    : p->fault_offset == p->at.from ? ", object"
								    : ", UNP",
				    (unsigned long long)(sound ? p->offset : p->fault_offset)));
}

static struct edi_finding finding_of(const struct package *p)
{
	struct edi_finding own = {.kind = edi_kind_of(p->why.code), .offset = p->fault_offset};

	snprintf(own.text, sizeof own.text, "%.239s", p->why.text);
	return own;
}

static void tell(struct edi_read *x, struct package *p, struct span facts)
{
	struct edi_transaction_facts told = {"", p->control, .facts = facts, .package = true};
	struct edi_finding own;

	if (p->why.class != ERROR_NONE)
		x->came++;
	else
		edi_pass_line(x, &p->why);
	if (p->why.class != ERROR_NONE) {
		own = finding_of(p);
		told.own = &own;
	}
	x->observer->transaction(x->observer->arg, &told);
}

static int put_out(struct edi_read *x, struct package *p, bool group, struct error *error)
{
	struct span facts = span_make(x->line.data + p->facts_from, p->facts_to - p->facts_from);
	struct edi_finding own;
	struct item *item;
	char path[48];

	p->offset = edi_offset(&x->scan, p->offset);
	p->end = edi_offset(&x->scan, p->end);
	p->at.from = edi_offset(&x->scan, p->at.from);
	p->fault_offset = edi_offset(&x->scan, p->fault_offset);
	if (x->observer) {
		tell(x, p, facts);
		return 0;
	}
	item = out_item(x->out, x->whole);
	snprintf(path, sizeof path, "%u/%u/%u", x->interchange, group ? x->group : 0, x->transaction);
	out_level(x->out, item, path);
	json_decref(item->facts);
	item->facts = edi_facts(x, group, NULL);
	json_object_set_new(item->facts, "package", json_loadb(facts.data, facts.len, 0, NULL));
	item->offset = p->offset;
	item->length = p->end - p->offset;
	item->position = position_of(x, p);
	if (p->why.class == ERROR_NONE)
		return edi_emit_line(x, item, error);
	own = finding_of(p);
	json_object_set_new(item->facts, "findings", json_pack("[o]", edi_finding_json_new(&own, x->dialect->name)));
	x->came++;
	return out_reject(x->out, item, &p->why, error);
}

/* Its line, but for its end. */
static int write_package(struct edi_read *x, struct package *p, const struct edi_segment *open, struct span raw,
			 struct error *error)
{
	struct edi_segment closing;
	int found;

	edi_layout_segment(&x->layout, &x->scan.syntax, raw, true);
	x->layout.length -= x->scan.syntax.suffix_len; /* the object follows at once */
	begin(x, p, open);
	found = edi_package_find(&x->scan, open, &p->at, error);
	if (found < 0 || take_object(x, p, error))
		return -1;
	edi_seek(&x->scan, found ? p->at.closing : x->scan.window.size);
	if (found)
		found = edi_next(&x->scan, &closing, error);
	p->end = x->scan.offset;
	if (found > 0)
		close_package(x, p, &closing);
	return found < 0 || (p->why.class == ERROR_NONE && edi_take_trailers(x, error) < 0) ? -1 : 0;
}

/* As edi_transaction.c does: 1 when it must be read again in another character set. */
static int run_once(struct edi_read *x, const struct edi_segment *open, struct span raw, struct error *error)
{
	struct edi_layout_mark mark = edi_layout_mark(&x->layout);
	bool group = x->in_group;
	struct package p;
	struct error why;

	if (write_package(x, &p, open, raw, error))
		return -1;
	if (p.why.class == ERROR_NONE && x->high && !x->line.full && !utf8_is_clean(buf_view(&x->line))) {
		edi_layout_return(&x->layout, mark);
		if (!x->start.charset && !edi_has_high(x))
			return 1;
		edi_fault(&why, x->dialect, "character",
			  "UNO or UNP has bytes that are no UTF-8, in which its header is");
		fault(&p, &why, p.offset);
	}
	if (p.why.class != ERROR_NONE) {
		edi_layout_return(&x->layout, x->header_mark);
		x->accounted = true;
	}
	return put_out(x, &p, group, error);
}

int edi_run_package(struct edi_read *x, struct edi_segment *open, struct span raw, struct error *error)
{
	uint64_t offset = open->offset;
	bool group = x->in_group;
	int result;

	x->transaction++;
	x->counted++;
	result = run_once(x, open, raw, error);
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
		result = run_once(x, open, raw, error);
	}
	edi_read_as(x, NULL);
	return result;
}
