/* A document to lines of JSON, one for each transaction. See edi.h; docs/formats.md shows the form.
 *
 * Nothing of an interchange is emitted before its envelope was surveyed: what is wrong with an interchange or a group
 * rejects that stretch, what is wrong with a transaction rejects it alone. Paths are interchange/group/transaction,
 * counted from 1 within what holds them; for people transactions are counted through the document. */
#include "config.h"
#include "transformers/edi/edi_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/utf8.h"
#include "transformers/edi/edi_package.h"

/* ---- a stretch that is rejected as a whole */
static struct item *item_of(struct edi_read *x, const char *path, const char *what, uint64_t offset, uint64_t length)
{
	struct item *item = out_item(x->out, x->whole);

	length = edi_offset(&x->scan, offset + length);
	offset = edi_offset(&x->scan, offset);
	length -= offset;
	out_level(x->out, item, path);
	item->offset = offset;
	item->length = length;
	item->position = span_of(arena_printf(out_arena(x->out), "%s at byte %llu (%llu bytes)", what,
					      (unsigned long long)offset, (unsigned long long)length));
	return item;
}

static int reject_stretch(struct edi_read *x, const char *what, const char *path, uint64_t offset, uint64_t length,
			  const struct error *why, struct error *error)
{
	x->came++;
	return out_reject(x->out, item_of(x, path, what, offset, length), why, error);
}

static int reject_interchange(struct edi_read *x, uint64_t offset, uint64_t end, const struct error *why,
			      struct error *error)
{
	char path[16], what[40];
	bool junk = strlen(why->code) > 5 && !strcmp(why->code + strlen(why->code) - 5, ".junk");

	snprintf(path, sizeof path, "%u", x->interchange);
	snprintf(what, sizeof what, junk ? "stretch %u" : "interchange %u", x->interchange);
	return reject_stretch(x, what, path, offset, end - offset, why, error);
}

static int reject_group(struct edi_read *x, const struct edi_group_fault *fault, struct error *error)
{
	char path[32], what[60];

	if (x->observer) {
		x->came++;
		x->observer->group(x->observer->arg, buf_view(&x->group_json), fault);
		return 0;
	}
	snprintf(path, sizeof path, "%u/%u", x->interchange, fault->ordinal);
	snprintf(what, sizeof what, "interchange %u, group %u", x->interchange, fault->ordinal);
	return reject_stretch(x, what, path, fault->offset, fault->length, &fault->why, error);
}

/* ---- a line without a transaction: service segments (TA1), an empty group or interchange */
json_t *edi_facts(const struct edi_read *x, bool group, json_t *transaction)
{
	json_t *facts = json_object();

	json_object_set(facts, "interchange", x->interchange_facts);
	if (group)
		json_object_set(facts, "group", x->group_facts);
	if (transaction)
		json_object_set(facts, "transaction", transaction);
	return facts;
}

static int emit_service(struct edi_read *x, bool group, struct error *error)
{
	char path[32], what[60];
	struct error unused;
	struct item *item;

	if (x->observer) {
		edi_pass_line(x, &unused);
		return 0;
	}
	snprintf(path, sizeof path, "%u/%u", x->interchange, group ? x->group : 0);
	if (group)
		snprintf(what, sizeof what, "interchange %u, group %u", x->interchange, x->group);
	else
		snprintf(what, sizeof what, "interchange %u", x->interchange);
	item = item_of(x, path, what, x->start.offset, x->scan.offset - x->start.offset);
	json_decref(item->facts);
	item->facts = edi_facts(x, group, NULL);
	return edi_emit_line(x, item, error);
}

/* Service segments in a row, or none; then the trailers that follow them. */
static int run_service(struct edi_read *x, struct error *error)
{
	struct edi_segment segment;
	struct edi_fault fault;
	bool group = x->in_group;
	unsigned elements, n = 0;
	int more;

	edi_begin_line(x);
	buf_text(&x->line, ",\"segments\":[");
	while ((more = edi_next(&x->scan, &segment, error)) > 0) {
		struct span raw = segment.text;

		edi_account_filler(x, &segment);
		edi_unwrap(&x->scan, &segment);
		if (!raw.len || group || !x->dialect->service(&x->scan.syntax, segment.text)) {
			edi_give_back(x, &segment);
			break;
		}
		edi_layout_segment(&x->layout, &x->scan.syntax, raw, true);
		if (n++)
			buf_char(&x->line, ',');
		if (edi_write_segment(&x->line, &x->scan.syntax, &segment, &elements, &x->high, &fault) > EDI_NEEDLESS)
			x->bad |= BAD_LINE;
	}
	buf_char(&x->line, ']');
	if (more < 0 || edi_take_trailers(x, error) < 0)
		return -1;
	if (x->high && !utf8_is_clean(buf_view(&x->line)))
		x->bad |= BAD_LINE;
	if (x->observer && !group && !n)
		x->observer->empty(x->observer->arg);
	return emit_service(x, group, error);
}

/* ---- one interchange, its envelope known to be sound but for some groups */
static const struct edi_group_fault *fault_of(const struct edi_survey *survey, uint32_t group)
{
	for (size_t i = 0; i < survey->faults_count; i++)
		if (survey->faults[i].ordinal == group)
			return &survey->faults[i];
	return NULL;
}

/* Without line ends, its layout noted. For segments of the envelope. */
static void take_plainly(struct edi_read *x, struct edi_segment *segment)
{
	edi_layout_segment(&x->layout, &x->scan.syntax, segment->text, true);
	edi_unwrap(&x->scan, segment);
}

static void take_group_header(struct edi_read *x, const struct edi_segment *segment)
{
	buf_reset(&x->group_header);
	buf_span(&x->group_header, segment->text);
	buf_char(&x->group_header, x->scan.syntax.terminator);
	buf_room(&x->group_header, WINDOW_SLACK);
	x->group_header_len = segment->text.len;
	edi_write_group(x);
}

/* It was rejected: its header says what for, and no line has it. */
static void observe_fault(struct edi_read *x, struct edi_segment *segment)
{
	edi_unwrap(&x->scan, segment);
	x->in_group = true;
	take_group_header(x, segment);
	x->in_group = false;
}

static int enter_group(struct edi_read *x, struct edi_segment *segment, const struct edi_survey *survey, bool *skip,
		       struct error *error)
{
	const struct edi_group_fault *fault = fault_of(survey, ++x->group);

	x->transaction = 0;
	*skip = fault != NULL;
	if (fault) {
		edi_layout_return(&x->layout, x->header_mark);
		if (x->observer)
			observe_fault(x, segment);
		return reject_group(x, fault, error);
	}
	x->in_group = true;
	take_plainly(x, segment);
	take_group_header(x, segment);
	edi_check_header(x, segment->text);
	edi_make_facts(&x->group_facts, &x->group_json);
	if (x->observer)
		x->observer->group(x->observer->arg, buf_view(&x->group_json), NULL);
	return 0;
}

/* A group that held no transaction has a line of its own. */
static int leave_group(struct edi_read *x, const struct edi_segment *closing, struct error *error)
{
	if (x->in_group && !x->transaction) {
		edi_give_back(x, closing);
		return run_service(x, error);
	}
	x->in_group = false;
	edi_layout_return(&x->layout, x->header_mark);
	x->accounted = true;
	return 0;
}

static int run_named(struct edi_read *x, struct edi_segment *segment, struct span raw, const struct edi_survey *survey,
		     bool *skip, struct error *error)
{
	if (edi_opens(x, segment->text, EDI_TRANSACTION))
		return edi_run_transaction(x, segment, raw, survey->end, error);
	if (edi_opens_package(&x->scan, segment->text))
		return edi_run_package(x, segment, raw, error);
	if (edi_opens(x, segment->text, EDI_GROUP)) {
		segment->text = raw;
		return enter_group(x, segment, survey, skip, error);
	}
	if (edi_closes(x, segment->text, EDI_GROUP))
		return leave_group(x, segment, error);
	if (edi_closes(x, segment->text, EDI_INTERCHANGE) && x->came > x->interchange_came)
		return 0;
	if (edi_closes(x, segment->text, EDI_INTERCHANGE) ||
	    (!x->in_group && x->dialect->service(&x->scan.syntax, segment->text))) {
		edi_give_back(x, segment);
		return run_service(x, error);
	}
	return 0;
}

/* Of a group that was rejected: its object is none of our segments. */
static int pass_package(struct edi_read *x, const struct edi_segment *uno, struct error *error)
{
	struct edi_package package;

	x->counted++;
	return edi_package_find(&x->scan, uno, &package, error) < 0 ? -1 : 0;
}

static int run_segment(struct edi_read *x, struct edi_segment *segment, const struct edi_survey *survey, bool *skip,
		       struct error *error)
{
	struct span raw = segment->text;

	if (!raw.len || (x->in_group && !edi_is_interesting(&x->scan, raw))) {
		edi_account_filler(x, segment);
		edi_layout_segment(&x->layout, &x->scan.syntax, raw, true);
		return 0;
	}
	edi_unwrap(&x->scan, segment);
	if (!*skip) {
		edi_account_filler(x, segment);
		return run_named(x, segment, raw, survey, skip, error);
	}
	if (edi_opens(x, segment->text, EDI_GROUP)) { /* the group before it has no end */
		segment->text = raw;
		return enter_group(x, segment, survey, skip, error);
	}
	if (edi_opens_package(&x->scan, segment->text))
		return pass_package(x, segment, error);
	x->counted += edi_opens(x, segment->text, EDI_TRANSACTION);
	if (edi_closes(x, segment->text, EDI_GROUP)) {
		*skip = false;
		x->accounted = true;
	}
	return 0;
}

/* What the header looks like, for the first line. */
static int lay_out_header(struct edi_read *x, struct error *error)
{
	const struct edi_start *start = &x->start;
	struct edi_syntax *syntax = &x->scan.syntax;
	size_t length = (size_t)(start->end - start->offset);
	struct span got;

	edi_seek(&x->scan, start->offset);
	if (window_get(&x->scan.window, start->offset, length, &got, error))
		return -1;
	edi_layout_reset(&x->layout);
	if (start->una_end > start->offset) {
		size_t una = (size_t)(start->una_end - start->offset);

		x->layout.length = una + syntax->suffix_len;
		edi_layout_filler(&x->layout, syntax,
				  span_make(got.data + una, (size_t)(start->header_from - start->una_end)));
	}
	got = span_make(got.data + (start->header_from - start->offset), (size_t)(start->end - 1 - start->header_from));
	edi_layout_segment(&x->layout, syntax, got, true);
	return 0;
}

/* The line ends behind the header are what is expected behind every segment. */
static int read_suffix(struct edi_read *x, struct error *error)
{
	struct edi_syntax *syntax = &x->scan.syntax;
	struct span got;
	size_t n = 0;

	if (window_get(&x->scan.window, x->start.end, EDI_SUFFIX_MAX, &got, error))
		return -1;
	while (n < got.len && n < EDI_SUFFIX_MAX && (got.data[n] == '\r' || got.data[n] == '\n') &&
	       got.data[n] != syntax->terminator)
		n++;
	memcpy(syntax->suffix, got.data, n);
	syntax->suffix_len = n;
	return 0;
}

static int run_interchange(struct edi_read *x, const struct edi_survey *survey, struct error *error)
{
	struct edi_segment segment;
	bool skip = false;
	int failed = 0, more = 1;

	x->group = x->transaction = 0;
	x->in_group = x->ended = false;
	buf_reset(&x->group_json);
	x->accounted = false;
	x->interchange_came = x->came;
	x->interchange_lines = x->lines;
	x->line_from = x->start.offset;
	if (lay_out_header(x, error))
		return -1;
	x->header_mark = edi_layout_mark(&x->layout);
	edi_write_interchange(x);
	edi_check_header(x, x->start.header);
	edi_make_facts(&x->interchange_facts, &x->interchange_json);
	if (x->observer)
		x->observer->interchange(x->observer->arg, x->dialect, buf_view(&x->interchange_json), NULL);
	x->scan.lost_filler = false;
	edi_seek(&x->scan, x->start.end);
	while (!failed && !x->ended && x->scan.offset < survey->end && (more = edi_next(&x->scan, &segment, error)) > 0)
		failed = run_segment(x, &segment, survey, &skip, error);
	return failed || more < 0 ? -1 : 0;
}

/* ---- the document */
#define LOOKS_MAX 64 /* at each byte, on average, for the end of an interchange */

static int reject_junk(struct edi_read *x, const struct error *why, struct error *error)
{
	uint64_t start = x->scan.offset, next;

	if (edi_find(&x->scan, start + 1, x->scan.window.size, &next, error))
		return -1;
	if (x->interchange == 1 && next == x->scan.window.size) { /* the document is dead as a whole */
		*error = *why;
		return -1;
	}
	return reject_interchange(x, start, next, why, error);
}

static bool has_escape(const struct buf *text)
{
	return text->len && (memchr(text->data, '\x1b', text->len) || memchr(text->data, '\x0f', text->len));
}

static int set_charset(struct edi_read *x, struct error *why)
{
	if (!x->start.unox && has_escape(&x->before))
		return edi_fault(why, x->dialect, "character",
				 "escape sequences stand in front of an interchange that is not of UNOX");
	if (x->scan.escapes)
		x->start.charset = "UTF-8";
	if (x->charset)
		x->start.charset = x->charset;
	if (x->start.charset && strcasecmp(x->start.charset, "UTF-8")) {
		if (edi_charset_make(&x->scan.charset, x->start.charset))
			return edi_fault(why, x->dialect, "charset",
					 "%s is no character set with a byte for each character", x->start.charset);
		x->scan.syntax.charset = &x->scan.charset;
	}
	edi_syntax_ready(&x->scan.syntax);
	return 0;
}

/* Headers without an end, one after another: the end of each is looked for in all that follows. */
static int refuse_rest(struct edi_read *x, struct error *error)
{
	uint64_t start = x->scan.offset, end = x->scan.window.size;
	struct error why;

	x->interchange++;
	edi_fault(&why, x->dialect, "limit", "the rest of the document: too many interchanges before it have no end");
	edi_seek(&x->scan, end);
	return reject_interchange(x, start, end, &why, error);
}

static int refuse_stretch(struct edi_read *x, uint64_t start, const struct error *why, struct error *error)
{
	if (x->scan.escapes && edi_leave_escaped(x, error))
		return -1;
	edi_seek(&x->scan, start);
	return reject_junk(x, why, error);
}

static int run_stretch(struct edi_read *x, struct error *error)
{
	struct edi_survey survey;
	struct error why;
	uint64_t start = x->scan.offset;
	int is = x->dialect->start(&x->scan, start, &x->start, &why, error), failed;

	if (is > 0 && x->start.unox && !x->charset)
		is = edi_read_escaped(x, &why, error);
	if (is < 0)
		return -1;
	x->dialect = x->scan.dialect;
	x->interchange++;
	if (!is) {
		error_place(&why, "byte %llu", (unsigned long long)start);
		return refuse_stretch(x, start, &why, error);
	}
	if (set_charset(x, &why))
		return refuse_stretch(x, start, &why, error);
	if (read_suffix(x, error))
		return -1;
	failed = edi_survey(&x->scan, &x->start, &survey, error);
	if (!failed)
		edi_explain_unclosed(x, &survey.why);
	if (!failed && survey.why.class != ERROR_NONE && x->observer) {
		x->came++;
		edi_write_interchange(x);
		x->observer->interchange(x->observer->arg, x->dialect, buf_view(&x->interchange_json), &survey.why);
	} else if (!failed && survey.why.class != ERROR_NONE) {
		x->counted += survey.transactions;
		failed = reject_interchange(x, start, survey.end, &survey.why, error);
	} else if (!failed) {
		failed = run_interchange(x, &survey, error);
	}
	free(survey.faults);
	if (x->scan.offset < survey.end)
		edi_seek(&x->scan, survey.end);
	if (x->scan.escapes && edi_leave_escaped(x, failed ? NULL : error))
		failed = -1;
	buf_reset(&x->before);
	x->looked += survey.looked_to - start;
	if (!failed && x->looked / LOOKS_MAX > x->scan.window.size && x->scan.offset < x->scan.window.size)
		return refuse_rest(x, error);
	return failed;
}

static int refuse_start(struct edi_read *x, struct error *error, const char *kind, uint64_t at, const char *what)
{
	edi_fault(error, x->dialect, kind, "%s", what);
	return error_place(error, "byte %llu", (unsigned long long)at);
}

/* The escape sequence at the front, or a shift: what follows is to be UNOX. */
static bool take_escape(struct edi_read *x, struct span got)
{
	struct iso2022_unit unit;

	if (!x->dialect->una || !got.len || !memchr("\x1b\x0e\x0f", *got.data, 3))
		return false;
	iso2022_read(NULL, &x->escaped, got, &unit);
	if (unit.kind != ISO2022_ESCAPE)
		return false;
	x->escaped = unit.after;
	buf_append(&x->before, got.data, unit.len);
	edi_seek(&x->scan, x->scan.offset + unit.len);
	return true;
}

/* Byte order marks and white space in front of an interchange; files are put behind one another marks and all. */
static int take_before(struct edi_read *x, struct error *error)
{
	struct span got, filler;

	for (;;) {
		if (edi_skip_filler(&x->scan, &filler, error))
			return -1;
		buf_span(&x->before, filler);
		x->before.full |= x->scan.lost_filler;
		if (window_get(&x->scan.window, x->scan.offset, ISO2022_UNIT_MAX, &got, error))
			return -1;
		if (!span_starts(got, EDI_MARK)) {
			if (take_escape(x, got))
				continue;
			return 0;
		}
		buf_text(&x->before, EDI_MARK);
		edi_seek(&x->scan, x->scan.offset + 3);
	}
}

static int check_start(struct edi_read *x, struct error *error)
{
	struct span got;

	if (window_get(&x->scan.window, 0, 4, &got, error))
		return -1;
	if (got.len >= 2 && (!memcmp(got.data, "\xff\xfe", 2) || !memcmp(got.data, "\xfe\xff", 2)))
		return refuse_start(x, error, "encoding", 0,
				    "this is UTF-16; it is exchanged in ASCII, ISO 8859 or UTF-8");
	if (take_before(x, error))
		return -1;
	if (x->scan.offset >= x->scan.window.size)
		return refuse_start(x, error, "empty", x->scan.offset,
				    x->scan.window.size ? "there is no interchange: only white space"
							: "there is no interchange: the document is empty");
	return 0;
}

/* A byte order mark that nothing follows. */
static int refuse_mark(struct edi_read *x, struct error *error)
{
	struct error why;

	bool mark = memmem(x->before.data, x->before.len, EDI_MARK, strlen(EDI_MARK)) != NULL;

	if (!mark && !has_escape(&x->before))
		return 0;
	x->interchange++;
	edi_fault(&why, x->dialect, "junk", "the document ends behind %s",
		  mark ? "a byte order mark" : "an escape sequence");
	return reject_interchange(x, x->scan.window.size - x->before.len, x->scan.window.size, &why, error);
}

static void begin(struct edi_read *x, const struct edi_dialect *dialect, struct item *item, struct out *out)
{
	memset(x, 0, sizeof *x);
	x->dialect = dialect;
	x->whole = item;
	x->out = out;
	edi_scan_begin(&x->scan, dialect, item->bytes, out);
	iso2022_begin(&x->escaped);
	buf_init(&x->interchange_json, EDI_TEXT_MAX);
	buf_init(&x->group_json, EDI_TEXT_MAX);
	buf_init(&x->group_header, EDI_TEXT_MAX);
	buf_init(&x->line, EDI_TEXT_MAX);
	buf_init(&x->before, 2 * EDI_FILLER_MAX);
	buf_init(&x->layout.notes, EDI_LAYOUT_MAX);
}

static void end(struct edi_read *x)
{
	struct error unused;

	if (x->scan.escapes)
		edi_leave_escaped(x, &unused);
	edi_scan_end(&x->scan);
	buf_free(&x->interchange_json);
	buf_free(&x->group_json);
	buf_free(&x->group_header);
	buf_free(&x->line);
	buf_free(&x->before);
	buf_free(&x->layout.notes);
	json_decref(x->interchange_facts);
	json_decref(x->group_facts);
}

int edi_observe(const struct edi_dialect *dialect, const char *charset, struct edi_judge *judge,
		const struct edi_observer *observer, struct item *item, struct out *out, struct error *error)
{
	struct edi_read x;
	int failed;

	begin(&x, dialect, item, out);
	x.charset = charset;
	x.judge = judge;
	x.observer = observer;
	if (judge)
		edi_judge_by_hand(judge, out_in_pieces(out));
	failed = check_start(&x, error);
	while (!failed && x.scan.offset < x.scan.window.size)
		failed = run_stretch(&x, error) || take_before(&x, error);
	failed = failed || (x.came && x.before.len && refuse_mark(&x, error));
	end(&x);
	if (!failed && !x.came && !observer)
		return out_drop(out, item, "its interchanges hold nothing", error);
	return failed;
}

int edi_read(const struct edi_dialect *dialect, const char *charset, struct edi_judge *judge, struct item *item,
	     struct out *out, struct error *error)
{
	return edi_observe(dialect, charset, judge, NULL, item, out, error);
}
