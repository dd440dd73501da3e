/* What the reader calls for a transaction that has a grammar. See edi_judge.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define USUAL_MAX 500 /* cells */
#define UNPLACED_MAX (64u * 1024 * 1024)

struct edi_judge *edi_judge_new(struct edi_grammars *set, bool nested, int keys, unsigned check)
{
	struct edi_judge *j = mem_alloc(sizeof *j);

	j->set = set;
	j->nested = nested;
	j->keys = keys;
	j->check = check;
	buf_init(&j->unplaced, UNPLACED_MAX);
	edi_steps_begin(&j->steps);
	return j;
}

void edi_judge_free(struct edi_judge *j)
{
	if (!j)
		return;
	edi_findings_free(&j->findings);
	buf_free(&j->unplaced);
	edi_steps_end(&j->steps);
	free(j);
}

void edi_judge_by_hand(struct edi_judge *j, bool by_hand)
{
	j->by_hand = by_hand;
}

bool edi_judge_is_nested(const struct edi_judge *j)
{
	return j->nested;
}

struct edi_findings *edi_judge_findings(struct edi_judge *j)
{
	return &j->findings;
}

/* ---- business units */
static void take_units(struct edi_judge *j)
{
	for (size_t i = 0; i < j->grammar->units_count; i++) {
		const struct edi_unit *unit = &j->grammar->units[i];
		const struct edi_cell *cell;

		if (j->opened && unit->node->parent == j->opened)
			j->units[i][0] = '\0';
		if (unit->node != j->node)
			continue;
		cell = edi_cell_find(&j->cells, unit->element, unit->component);
		if (cell)
			edi_cell_text(j->syntax, cell, j->units[i], sizeof j->units[i]);
	}
}

static void take_balances(struct edi_judge *j)
{
	j->parts.count = 0;
	if (!(j->check & EDI_CHECK_BALANCE))
		return;
	if (j->opened && j->opened->terms)
		edi_balance_parts(j, j->opened, &j->parts);
	if (j->node->terms)
		edi_balance_parts(j, j->node, &j->parts);
	edi_balance_add(j, j->parts.list, j->parts.count);
}

/* Of the innermost open loop that has one. */
static void name_unit(const struct edi_judge *j, struct edi_finding *finding)
{
	for (size_t i = j->grammar ? j->grammar->units_count : 0; i-- > 0;) {
		const struct edi_unit *unit = &j->grammar->units[i];

		for (unsigned depth = 0; depth <= j->depth && *j->units[i]; depth++)
			if (j->frames[depth].loop == unit->node->parent) {
				memcpy(finding->unit, unit->says, sizeof finding->unit);
				memcpy(finding->unit_value, j->units[i], sizeof finding->unit_value);
				return;
			}
	}
}

struct edi_finding *edi_blame(struct edi_judge *j, enum edi_kind kind, bool guide, const char *format, ...)
{
	struct edi_finding *finding = edi_finding_add(&j->findings, kind);
	va_list arguments;

	j->write = false;
	if (!finding)
		return NULL;
	finding->guide = guide;
	name_unit(j, finding);
	finding->segment = j->number;
	finding->offset = j->offset;
	memcpy(finding->tag, j->tag, sizeof finding->tag);
	if (j->node)
		edi_walk_path(j->node, finding);
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof finding->text, format, arguments);
	va_end(arguments);
	return finding;
}

int edi_judge_begin(struct edi_judge *j, const struct edi_syntax *syntax, struct buf *line, struct span version,
		    struct span type)
{
	struct error error = {0};

	edi_findings_reset(&j->findings);
	buf_reset(&j->unplaced);
	j->syntax = syntax;
	j->line = line;
	j->number = 1;
	j->offset = 0;
	j->node = NULL;
	j->form = NULL;
	memset(j->tag, 0, sizeof j->tag);
	j->grammar = edi_grammars_find(j->set, version, type, j->by_hand, &error);
	j->write = j->nested && j->grammar;
	if (!j->grammar) {
		edi_blame(j, EDI_KIND_GRAMMAR, false, "%s%sthere is no grammar for %.*s %.*s",
			  error.class == ERROR_NONE ? "" : error.text, error.class == ERROR_NONE ? "" : ": ",
			  SPAN_ARGS(edi_shown(version)), SPAN_ARGS(edi_shown(type)));
		return -1;
	}
	memset(j->totals, 0, j->grammar->balances_count * sizeof *j->totals);
	memset(j->units, 0, sizeof j->units);
	edi_walk_begin(j);
	if (j->write) {
		buf_text(line, ",\"form\":\"nested\",\"grammar\":");
		edi_write_string(line, span_of(j->grammar->file));
		buf_text(line, ",\"document\":{");
	}
	return 0;
}

/* Room for what the segment in hand can become at most. False: the line is too long. */
static bool make_room(struct edi_judge *j)
{
	const struct edi_cells *cells = &j->cells;
	const struct edi_cell *last = &cells->list[cells->count ? cells->count - 1 : 0];
	size_t len = cells->count ? (size_t)(last->p + last->len - cells->list[0].p) : 0,
	       need = cells->count * EDI_CELL_ROOM + len * EDI_CELL_GROWTH + EDI_SEGMENT_ROOM;

	j->o = NULL;
	need += j->nesting.len * EDI_CELL_GROWTH;
	if (!j->write)
		return true;
	j->o = j->line->capacity - j->line->len > need ? j->line->data + j->line->len : buf_room(j->line, need);
	return j->o != NULL;
}

static void use_room(struct edi_judge *j)
{
	if (!j->o)
		return;
	j->line->len = (size_t)(j->o - j->line->data);
	j->o = NULL;
}

/* The cells are cut, and there is room; the segment finds its place and is judged there. False: it has none. */
static bool take(struct edi_judge *j, uint32_t number, uint64_t offset, uint32_t key)
{
	j->number = number;
	j->offset = offset;
	memcpy(j->tag, &key, sizeof j->tag);
	j->node = NULL;
	j->drops = false;
	j->node = edi_walk_to(j, key);
	if (j->node) {
		take_units(j);
		edi_values(j, j->node->form);
		take_balances(j);
	}
	use_room(j);
	return j->node != NULL;
}

static void begin_unplaced(struct edi_judge *j, uint32_t number)
{
	buf_printf(&j->unplaced, "%s[%u,", j->unplaced.len ? "," : "", number);
}

const char *edi_judge_row(struct edi_judge *j, const struct edi_scan *scan, const char *p, const char *limit,
			  struct edi_row *row)
{
	return j->write && j->steps.shape_of ? edi_steps_take(j, scan, p, limit, row) : p;
}

const char *edi_judge_usual(struct edi_judge *j, const char *p, const char *limit, uint32_t number, uint64_t offset,
			    unsigned *high)
{
	const struct edi_syntax *syntax = j->syntax;
	unsigned signs = 0, none = 0;
	bool fresh = j->steps.fresh && j->offset == offset, placed;
	const char *end;
	size_t n = 0, was = j->line->len;

	while (n < 4 && ((p[n] >= 'A' && p[n] <= 'Z') || (p[n] >= '0' && p[n] <= '9')))
		n++;
	if (n < 2 || n > 3 || p[n] != syntax->tag)
		return NULL;
	end = edi_cut(&j->cells, syntax, p + n + 1, limit, false, &signs);
	j->nesting = SPAN_NONE;
	if (!end || end >= limit || end - p > (ptrdiff_t)EDI_SEGMENT_MAX || j->cells.count > USUAL_MAX || !make_room(j))
		return NULL;
	*high |= signs;
	if (fresh)
		edi_steps_listen(j);
	placed = take(j, number, offset, edi_key(p, n));
	if (fresh)
		edi_steps_keep(j, edi_key(p, n), j->line->data + was, j->line->data + j->line->len);
	if (!placed && j->write) {
		begin_unplaced(j, number);
		edi_write_usual(&j->unplaced, syntax, false, p, limit, &none, &signs);
		buf_char(&j->unplaced, ']');
	}
	return end + 1;
}

/* BIN and BDS: what stands in front of the bytes is cut, they are one more cell. */
static const char *cut_binary(struct edi_judge *j, const struct edi_segment *segment, size_t name)
{
	struct span text = segment->text;
	struct edi_cells *cells = &j->cells;
	size_t from = name + 1;

	cells->count = 0;
	cells->high = cells->careful = false;
	for (size_t i = from; i < segment->binary_from && cells->count < EDI_CELLS_MAX - 2; i++)
		if (text.data[i] == j->syntax->element) {
			cells->list[cells->count++] = (struct edi_cell){
				.p = text.data + from, .len = (uint32_t)(i - from), .ends = EDI_ELEMENT};
			from = i + 1;
		}
	cells->list[cells->count++] = (struct edi_cell){.p = text.data + segment->binary_from,
							.len = (uint32_t)(text.len - segment->binary_from),
							.ends = EDI_END,
							.odd = EDI_CELL_ODD | EDI_CELL_BINARY};
	return text.data + text.len;
}

int edi_judge_segment(struct edi_judge *j, const struct edi_segment *segment, uint32_t number)
{
	const struct edi_syntax *syntax = j->syntax;
	struct span text = segment->text;
	unsigned high = 0, elements;
	struct edi_fault fault;
	size_t n = 0, at;

	j->nesting = SPAN_NONE;
	while (n < text.len && n < 3 && text.data[n] != syntax->tag && text.data[n] != syntax->component)
		n++;
	j->cells.count = 0;
	at = n;
	if (n < text.len && text.data[n] == syntax->component && syntax->tag == syntax->element) {
		while (at < text.len && text.data[at] != syntax->element)
			at++;
		j->nesting = span_make(text.data + n + 1, at - n - 1);
	}
	if (segment->binary)
		cut_binary(j, segment, n);
	else if (at < text.len && text.data[at] == syntax->tag &&
		 !edi_cut(&j->cells, syntax, text.data + at + 1, text.data + text.len + 1, true, &high))
		return -1;
	if (!make_room(j))
		return -1;
	if (!take(j, number, segment->offset, edi_key(text.data, n)) && j->write) {
		begin_unplaced(j, number);
		edi_write_segment(&j->unplaced, syntax, segment, &elements, &high, &fault);
		buf_char(&j->unplaced, ']');
	}
	return 0;
}

void edi_judge_end(struct edi_judge *j, uint32_t number, uint64_t offset)
{
	j->number = number;
	j->offset = offset;
	j->node = NULL;
	memset(j->tag, 0, sizeof j->tag);
	j->cells.count = 0;
	if (!make_room(j))
		return;
	edi_walk_end(j);
	use_room(j);
	if (j->check & EDI_CHECK_BALANCE)
		edi_balance_end(j);
	if (!j->write)
		return;
	buf_char(j->line, '}');
	if (j->unplaced.len) {
		buf_text(j->line, ",\"unplaced\":[");
		buf_span(j->line, buf_view(&j->unplaced));
		buf_char(j->line, ']');
	}
	if (j->unplaced.full)
		j->line->full = true;
}
