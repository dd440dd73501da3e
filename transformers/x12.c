/* X12 in: an item for each transaction set, in the plain form of the design:
 *
 *   {"format": "x12", "interchange": {…}, "group": {…}, "transaction": {"type": "850", "control": "0001"},
 *    "segments": [["BEG", "00", "SA", "PO-4711", "", "20260101"], …]}
 *
 * ST and SE are not among the segments. An element is a string; one with components an array of strings; one with
 * repetitions (ISA11, from version 00402 on) an array of arrays, each the components of one repetition. Bytes that are
 * no UTF-8 are read as ISO 8859-1. The last element of BIN and BDS is taken by its length, each byte one character.
 *
 * Nothing of an interchange is emitted before its envelope was surveyed: what is wrong with an interchange or a group
 * rejects that stretch, what is wrong with a transaction rejects it alone. Paths are interchange/group/transaction,
 * counted from 1 within what holds them; for people transactions are counted through the document. */
#include "config.h"
#include "transformers/x12.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/format.h"

#define ELEMENTS_MAX 1000
#define SEGMENTS_MAX 100000
#define VALUES_MAX 1000000 /* elements of one transaction: a tree of at most some 100 MB */

struct x12 {
	struct x12_scan scan;
	struct item *whole;
	struct out *out;
	uint32_t interchange, group, transaction; /* ordinals within what holds them */
	uint64_t counted;                         /* transactions of the document so far */
	uint64_t came;                            /* items emitted or rejected */
	json_t *interchange_facts, *group_facts;
};

struct transaction {
	uint64_t offset, end;
	uint64_t segments; /* counted as SE01 does: ST and SE included */
	uint64_t values;
	json_t *facts, *list;
	char control[40], type[16];
	struct error why;          /* class NONE: sound so far */
	uint64_t fault_segment, fault_offset;
};

/* ---- texts */
static json_t *text_of(struct span bytes, bool binary)
{
	json_t *text = binary ? NULL : json_stringn(bytes.len ? bytes.data : "", bytes.len);
	struct buf wide;

	if (text)
		return text;
	buf_init(&wide, bytes.len * 2);
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		if (c >= 0x80)
			buf_char(&wide, (char)(0xc0 | c >> 6));
		buf_char(&wide, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
	}
	text = json_stringn(wide.data ? wide.data : "", wide.len);
	buf_free(&wide);
	return text;
}

static struct span cut(struct span *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
	struct span part = span_make(rest->data, end ? (size_t)(end - rest->data) : rest->len);

	*rest = end ? span_make(end + 1, rest->len - part.len - 1) : SPAN_NONE;
	return part;
}

static size_t count_of(struct span text, char separator)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.data[i] == separator;
	return n;
}

static json_t *components_of(struct span text, char separator)
{
	json_t *list = json_array();

	for (size_t n = count_of(text, separator); n; n--)
		json_array_append_new(list, text_of(cut(&text, separator), false));
	return list;
}

static json_t *element_of(const struct x12_syntax *syntax, struct span text)
{
	json_t *list;

	if (syntax->repetition && text.len && memchr(text.data, syntax->repetition, text.len)) {
		list = json_array();
		for (size_t n = count_of(text, syntax->repetition); n; n--)
			json_array_append_new(list, components_of(cut(&text, syntax->repetition), syntax->component));
		return list;
	}
	if (text.len && memchr(text.data, syntax->component, text.len))
		return components_of(text, syntax->component);
	return text_of(text, false);
}

/* ---- one segment */
static int check_segment(const struct x12_scan *scan, const struct x12_segment *segment, struct error *why)
{
	struct span name = x12_element(scan, segment, 0), text = segment->text;
	size_t until = segment->binary ? segment->binary_from : text.len;

	if (segment->oversized)
		return error_set(why, ERROR_REJECT, "x12.limit",
				 "a segment is longer than %u bytes: its terminator may be missing", X12_SEGMENT_MAX);
	if (name.len < 2 || name.len > 3)
		return error_set(why, ERROR_REJECT, "x12.segment", "a segment has no name of two or three characters");
	for (size_t i = 0; i < name.len; i++)
		if (!((name.data[i] >= 'A' && name.data[i] <= 'Z') || (name.data[i] >= '0' && name.data[i] <= '9')))
			return error_set(why, ERROR_REJECT, "x12.segment",
					 "a segment's name has something other than capital letters and digits");
	for (size_t i = 0; i < until; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			/* Where a control character is itself a separator it is not in the data. */
			if (text.data[i] != scan->syntax.element && text.data[i] != scan->syntax.component &&
			    text.data[i] != scan->syntax.repetition)
				return error_set(why, ERROR_REJECT, "x12.character",
						 "segment %.*s contains the control character 0x%02x", SPAN_ARGS(name),
						 (unsigned char)text.data[i]);
	if (segment->binary && memchr(text.data + until, '\0', text.len - until))
		return error_set(why, ERROR_REJECT, "x12.character", "the binary data of %.*s contains a NUL",
				 SPAN_ARGS(name));
	if (count_of(span_make(text.data, until), scan->syntax.element) > ELEMENTS_MAX)
		return error_set(why, ERROR_REJECT, "x12.limit", "segment %.*s has more than %d elements",
				 SPAN_ARGS(name), ELEMENTS_MAX);
	return 0;
}

static json_t *segment_of(const struct x12_scan *scan, const struct x12_segment *segment)
{
	size_t until = segment->binary ? segment->binary_from - 1 : segment->text.len;
	struct span rest = span_make(segment->text.data, until);
	json_t *list = json_array();

	for (size_t n = count_of(rest, scan->syntax.element); n; n--)
		json_array_append_new(list, element_of(&scan->syntax, cut(&rest, scan->syntax.element)));
	if (segment->binary)
		json_array_append_new(
			list, text_of(span_make(segment->text.data + until + 1, segment->text.len - until - 1), true));
	return list;
}

/* ---- facts */
static void set_text(json_t *facts, const char *name, struct span text)
{
	json_object_set_new(facts, name, text_of(text, false));
}

static void set_party(json_t *facts, const char *name, struct span qualifier, struct span party)
{
	char text[40];

	snprintf(text, sizeof text, "%.*s:%.*s", SPAN_ARGS(qualifier), SPAN_ARGS(party));
	set_text(facts, name, span_of(text));
}

static json_t *facts_of_interchange(const struct x12_isa *isa)
{
	json_t *facts = json_object();

	set_text(facts, "control", x12_isa_element(isa, 13));
	set_party(facts, "sender", x12_isa_element(isa, 5), x12_isa_element(isa, 6));
	set_party(facts, "receiver", x12_isa_element(isa, 7), x12_isa_element(isa, 8));
	set_text(facts, "version", x12_isa_element(isa, 12));
	set_text(facts, "usage", x12_isa_element(isa, 15));
	return facts;
}

static json_t *facts_of_group(const struct x12_scan *scan, const struct x12_segment *segment)
{
	json_t *facts = json_object();

	set_text(facts, "code", x12_element(scan, segment, 1));
	set_text(facts, "control", x12_element(scan, segment, 6));
	set_text(facts, "version", x12_element(scan, segment, 8));
	return facts;
}

/* ---- a stretch that is rejected as a whole */
static int reject_stretch(struct x12 *x, const char *what, const char *path, uint64_t offset, uint64_t length,
			  const struct error *why, struct error *error)
{
	struct item *item = out_item(x->out, x->whole);

	out_level(x->out, item, path);
	item->offset = offset;
	item->length = length;
	item->position = span_of(arena_printf(out_arena(x->out), "%s at byte %llu (%llu bytes)", what,
					      (unsigned long long)offset, (unsigned long long)length));
	x->came++;
	return out_reject(x->out, item, why, error);
}

static int reject_interchange(struct x12 *x, uint64_t offset, uint64_t end, const struct error *why,
			      struct error *error)
{
	char path[16], what[40];

	snprintf(path, sizeof path, "%u", x->interchange);
	snprintf(what, sizeof what, strcmp(why->code, "x12.junk") ? "interchange %u" : "stretch %u", x->interchange);
	return reject_stretch(x, what, path, offset, end - offset, why, error);
}

static int reject_group(struct x12 *x, const struct x12_group_fault *fault, struct error *error)
{
	char path[32], what[60];

	snprintf(path, sizeof path, "%u/%u", x->interchange, fault->ordinal);
	snprintf(what, sizeof what, "interchange %u, group %u", x->interchange, fault->ordinal);
	return reject_stretch(x, what, path, fault->offset, fault->length, &fault->why, error);
}

/* ---- one transaction */
static void transaction_begin(struct x12 *x, struct transaction *t, const struct x12_segment *st)
{
	struct span type = x12_element(&x->scan, st, 1), control = x12_element(&x->scan, st, 2),
		    convention = x12_element(&x->scan, st, 3);
	json_t *facts = json_object();

	memset(t, 0, sizeof *t);
	x->transaction++;
	x->counted++;
	t->offset = st->offset;
	t->segments = 1;
	snprintf(t->control, sizeof t->control, "%.*s", (int)(control.len < 39 ? control.len : 39),
		 control.data ? control.data : "");
	snprintf(t->type, sizeof t->type, "%.*s", (int)(type.len < 15 ? type.len : 15), type.data ? type.data : "");
	set_text(facts, "type", type);
	set_text(facts, "control", control);
	if (convention.len)
		set_text(facts, "convention", convention);
	t->facts = json_object();
	json_object_set(t->facts, "interchange", x->interchange_facts);
	json_object_set(t->facts, "group", x->group_facts);
	json_object_set_new(t->facts, "transaction", facts);
	t->list = json_array();
	if (type.len != 3 || control.len < 4 || control.len > 9) {
		error_set(&t->why, ERROR_REJECT, "x12.control",
			  "ST has no type of three digits, or no control number of 4 to 9 digits");
		t->fault_segment = 1;
		t->fault_offset = st->offset;
	}
}

static void transaction_fault(struct transaction *t, const struct error *why, uint64_t offset)
{
	if (t->why.class != ERROR_NONE)
		return;
	t->why = *why;
	t->fault_segment = t->segments;
	t->fault_offset = offset;
	json_decref(t->list);
	t->list = NULL;
}

static void transaction_add(struct x12 *x, struct transaction *t, const struct x12_segment *segment)
{
	struct error why;
	bool bad;

	t->segments++;
	if (t->why.class != ERROR_NONE)
		return;
	t->values += count_of(segment->text, x->scan.syntax.element);
	bad = check_segment(&x->scan, segment, &why) != 0;
	if (!bad &&
	    (t->segments > SEGMENTS_MAX || t->values > VALUES_MAX || segment->end - t->offset > out_tree_max(x->out)))
		bad = error_set(&why, ERROR_REJECT, "x12.limit",
				"the transaction passes %d segments, %d elements or %zu bytes", SEGMENTS_MAX,
				VALUES_MAX, out_tree_max(x->out)) != 0;
	if (bad)
		transaction_fault(t, &why, segment->offset);
	else
		json_array_append_new(t->list, segment_of(&x->scan, segment));
}

/* SE: what it counts and names must agree with what came. */
static void transaction_close(struct x12 *x, struct transaction *t, const struct x12_segment *se)
{
	struct span count = x12_element(&x->scan, se, 1), control = x12_element(&x->scan, se, 2);
	char wanted[24], *end;
	struct error why;

	t->segments++;
	t->end = se->end;
	snprintf(wanted, sizeof wanted, "%.*s", (int)(count.len < 20 ? count.len : 20), count.data ? count.data : "");
	if (!span_is(control, t->control)) {
		error_set(&why, ERROR_REJECT, "x12.control", "SE02 is \"%.*s\", but ST02 is \"%s\"",
			  (int)(control.len < 40 ? control.len : 40), control.data ? control.data : "", t->control);
		transaction_fault(t, &why, se->offset);
	} else if (!wanted[0] || wanted[0] == '-' || strtoull(wanted, &end, 10) != t->segments || *end) {
		error_set(&why, ERROR_REJECT, "x12.count", "SE01 says \"%s\" segments, there are %llu", wanted,
			  (unsigned long long)t->segments);
		transaction_fault(t, &why, se->offset);
	}
}

static struct span position_of(struct x12 *x, const struct transaction *t)
{
	struct arena *arena = out_arena(x->out);

	if (t->why.class == ERROR_NONE)
		return span_of(arena_printf(arena, "transaction %llu (control %s) at byte %llu",
					    (unsigned long long)x->counted, t->control, (unsigned long long)t->offset));
	return span_of(arena_printf(arena, "transaction %llu (control %s), segment %llu at byte %llu",
				    (unsigned long long)x->counted, t->control, (unsigned long long)t->fault_segment,
				    (unsigned long long)t->fault_offset));
}

static json_t *body_of(const struct transaction *t)
{
	json_t *body = json_object();

	json_object_set_new(body, "format", json_string("x12"));
	json_object_update(body, t->facts);
	json_object_set(body, "segments", t->list);
	return body;
}

static int transaction_out(struct x12 *x, struct transaction *t, struct error *error)
{
	struct item *item = out_item(x->out, x->whole);
	char path[48];

	snprintf(path, sizeof path, "%u/%u/%u", x->interchange, x->group, x->transaction);
	out_level(x->out, item, path);
	json_decref(item->facts);
	item->facts = json_incref(t->facts);
	item->offset = t->offset;
	item->length = t->end - t->offset;
	item->position = position_of(x, t);
	x->came++;
	if (t->why.class != ERROR_NONE)
		return out_reject(x->out, item, &t->why, error);
	item->form = FORM_TREE;
	item->tree = body_of(t);
	item->media_type = SPAN_LITERAL("application/json");
	return out_emit(x->out, item, error);
}

static bool ends_without_se(const struct x12_scan *scan, const struct x12_segment *segment)
{
	return x12_is(scan, segment, "ST") || x12_is(scan, segment, "GE") || x12_is(scan, segment, "GS") ||
	       x12_is(scan, segment, "IEA");
}

/* From ST on, which was read; leaves off behind SE, or in front of what must not come before it. */
static int run_transaction(struct x12 *x, const struct x12_segment *st, uint64_t until, struct error *error)
{
	struct x12_segment segment;
	struct transaction t;
	struct error why;
	int more = 1;

	transaction_begin(x, &t, st);
	while (x->scan.offset < until && (more = x12_next(&x->scan, &segment, error)) > 0) {
		if (x12_is(&x->scan, &segment, "SE")) {
			transaction_close(x, &t, &segment);
			break;
		}
		if (ends_without_se(&x->scan, &segment)) {
			x->scan.offset = segment.offset;
			break;
		}
		transaction_add(x, &t, &segment);
	}
	if (more >= 0 && !t.end) {
		t.end = x->scan.offset;
		error_set(&why, ERROR_REJECT, "x12.truncated", "the transaction (type %s) has no SE", t.type);
		transaction_fault(&t, &why, t.end);
	}
	more = more < 0 ? -1 : transaction_out(x, &t, error);
	json_decref(t.facts);
	json_decref(t.list);
	return more;
}

/* ---- one interchange, its envelope known to be sound but for some groups */
static const struct x12_group_fault *fault_of(const struct x12_survey *survey, uint32_t group)
{
	for (size_t i = 0; i < survey->faults_count; i++)
		if (survey->faults[i].ordinal == group)
			return &survey->faults[i];
	return NULL;
}

static int enter_group(struct x12 *x, const struct x12_segment *gs, const struct x12_survey *survey, bool *skip,
		       struct error *error)
{
	const struct x12_group_fault *fault = fault_of(survey, ++x->group);

	x->transaction = 0;
	json_decref(x->group_facts);
	x->group_facts = facts_of_group(&x->scan, gs);
	*skip = fault != NULL;
	return fault ? reject_group(x, fault, error) : 0;
}

static int run_interchange(struct x12 *x, const struct x12_isa *isa, const struct x12_survey *survey,
			   struct error *error)
{
	struct x12_segment segment;
	bool skip = false;
	int failed = 0, more = 1;

	x->group = 0;
	json_decref(x->interchange_facts);
	x->interchange_facts = facts_of_interchange(isa);
	x->scan.offset = isa->end;
	while (!failed && x->scan.offset < survey->end && (more = x12_next(&x->scan, &segment, error)) > 0) {
		bool st = x12_is(&x->scan, &segment, "ST");

		if (x12_is(&x->scan, &segment, "GS"))
			failed = enter_group(x, &segment, survey, &skip, error);
		else if (st && skip)
			x->counted++;
		else if (st)
			failed = run_transaction(x, &segment, survey->end, error);
	}
	return failed || more < 0 ? -1 : 0;
}

/* ---- the document */
static int run_stretch(struct x12 *x, struct error *error)
{
	uint64_t start = x->scan.offset, next;
	struct x12_survey survey;
	struct x12_isa isa;
	struct error why;
	int is = x12_isa_read(&x->scan, start, &isa, &why, error), failed;

	if (is < 0)
		return -1;
	x->interchange++;
	if (!is) {
		if (x12_isa_find(&x->scan, start + 1, x->scan.window.size, &next, error))
			return -1;
		x->scan.offset = next;
		if (x->interchange == 1 &&
		    next == x->scan.window.size) { /* nothing here is X12: the document is dead as a whole */
			*error = why;
			return -1;
		}
		return reject_interchange(x, start, next, &why, error);
	}
	failed = x12_survey(&x->scan, &isa, &survey, error);
	if (!failed && survey.why.class != ERROR_NONE) {
		x->counted += survey.transactions;
		failed = reject_interchange(x, start, survey.end, &survey.why, error);
	} else if (!failed) {
		failed = run_interchange(x, &isa, &survey, error);
	}
	free(survey.faults);
	x->scan.offset = survey.end;
	return failed;
}

static int refuse_start(struct error *error, const char *code, uint64_t at, const char *what)
{
	error_set(error, ERROR_REJECT, code, "%s", what);
	return error_place(error, "byte %llu", (unsigned long long)at);
}

static int check_start(struct x12 *x, struct error *error)
{
	struct span got;

	if (window_get(&x->scan.window, 0, 4, &got, error))
		return -1;
	if (got.len >= 2 && (!memcmp(got.data, "\xff\xfe", 2) || !memcmp(got.data, "\xfe\xff", 2)))
		return refuse_start(error, "x12.encoding", 0,
				    "this is UTF-16; X12 is exchanged in ASCII, ISO 8859-1 or UTF-8");
	if (got.len >= 3 && !memcmp(got.data, "\xef\xbb\xbf", 3))
		x->scan.offset = 3;
	if (x12_skip_filler(&x->scan, error))
		return -1;
	if (x->scan.offset >= x->scan.window.size)
		return refuse_start(error, "x12.empty", x->scan.offset,
				    got.len ? "there is no interchange: only white space"
					    : "there is no interchange: the document is empty");
	return 0;
}

static int run(struct item *item, struct out *out, struct error *error)
{
	struct x12 x = {.whole = item, .out = out};
	int failed;

	window_begin(&x.scan.window, item->bytes, out);
	buf_init(&x.scan.unwrapped, 2 * X12_SEGMENT_MAX);
	failed = check_start(&x, error);
	while (!failed && x.scan.offset < x.scan.window.size) {
		failed = run_stretch(&x, error);
		if (!failed)
			failed = x12_skip_filler(&x.scan, error);
	}
	window_end(&x.scan.window);
	buf_free(&x.scan.unwrapped);
	json_decref(x.interchange_facts);
	json_decref(x.group_facts);
	if (!failed && !x.came)
		return out_drop(out, item, "its interchanges hold no transactions", error);
	return failed;
}

const struct decode_format decode_x12 = {"x12", "ASC X12 interchanges, a transaction set each", run};
