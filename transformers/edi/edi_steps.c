/* Steps: recorded, found, and taken. See edi_steps.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"
#include "transformers/edi/edi_right.h"

#define TEXT_SLACK 64 /* bytes behind a step's text that may be read */
#define BLOCK 32      /* bytes that are copied at least */
#define GROWTH 3      /* what a byte of a segment can become: as it is, with a point, as a date */
#define ROOM 4096     /* bytes that dates and the last copies may take beside that */

struct edi_operation {
	const char *text; /* what stands in front of the value */
	uint32_t len;
	uint8_t put;
	uint8_t cell, format; /* format: NO_FORMAT, or the one that says how a date is written */
	uint32_t min, max;
	const struct edi_codes *codes;
	const struct edi_slot *slot;
};

#define NO_FORMAT 255

struct edi_step {
	struct edi_step *next; /* of the same row of the table */
	const struct edi_node *place;
	uint64_t shape;
	uint32_t key;
	/* What it does. */
	uint32_t depth, at; /* of the child that comes */
	uint32_t max;       /* so often may it come; 0: any number, or it is the first */
	bool again;
	bool looks;                  /* balances or business units look at it */
	const struct edi_node *loop; /* that it opens; or NULL */
	const struct edi_node *node; /* that it stands for */
	const char *text;            /* behind the last value */
	size_t len, most;            /* most: of all that it writes beside values */
	size_t count;
	struct edi_operation list[];
};

static inline size_t row_of(const struct edi_node *place, uint32_t key, uint64_t shape)
{
	uint64_t mixed = ((uintptr_t)place >> 4) * 0x9e3779b97f4a7c15u ^ (key * 0xff51afd7ed558ccdu) ^
			 shape * 0xc4ceb9fe1a85ec53u;

	return (mixed >> 40) % EDI_STEP_TABLE;
}

/* ---- recording */
void edi_steps_listen(struct edi_judge *j)
{
	struct edi_recorder *recorder = &j->steps.recorder;

	recorder->on = true;
	recorder->spoilt = false;
	recorder->place = j->place;
	recorder->count = 0;
}

void edi_steps_note(struct edi_judge *j, enum edi_telling put, const struct edi_slot *slot, const struct edi_cell *cell,
		    const struct edi_cell *format, const char *from, const char *to)
{
	struct edi_recorder *recorder = &j->steps.recorder;

	if (recorder->count == EDI_STEP_NOTES_MAX) {
		recorder->spoilt = true;
		return;
	}
	recorder->notes[recorder->count++] = (struct edi_note){put, slot, cell, format, from, to};
}

static struct edi_operation operation_of(const struct edi_judge *j, const struct edi_note *note)
{
	const struct edi_data *data = &note->slot->data;
	bool strict = (j->check & EDI_CHECK_STRUCTURE) != 0;
	struct edi_operation made = {.put = (uint8_t)note->put,
				     .cell = (uint8_t)(note->cell - j->cells.list),
				     .format = note->format ? (uint8_t)(note->format - j->cells.list) : NO_FORMAT,
				     .min = strict ? data->min : 0,
				     .max = strict ? data->max : UINT32_MAX,
				     .slot = note->slot};

	if (note->put == EDI_TELL_TEXT && data->codes && !data->codes->open && (j->check & EDI_CHECK_CODES)) {
		made.put = EDI_TELL_CODE;
		made.codes = data->codes;
	}
	return made;
}

/* The text that stands between values, from one `from` to the next. */
static void keep_text(struct edi_judge *j, struct edi_step *step, const char *o, const char *end)
{
	const struct edi_recorder *recorder = &j->steps.recorder;
	char *text = arena_alloc(j->steps.arena, (size_t)(end - o) + TEXT_SLACK);

	for (size_t i = 0; i < recorder->count; i++) {
		const struct edi_note *note = &recorder->notes[i];

		step->list[i] = operation_of(j, note);
		step->list[i].text = text;
		step->list[i].len = (uint32_t)(note->from - o);
		memcpy(text, o, step->list[i].len);
		text += step->list[i].len;
		o = note->to;
	}
	step->text = text;
	step->len = (size_t)(end - o);
	memcpy(text, o, step->len);
}

void edi_steps_keep(struct edi_judge *j, uint32_t key, const char *o, const char *end)
{
	struct edi_steps *steps = &j->steps;
	struct edi_recorder *recorder = &steps->recorder;
	const struct edi_frame *frame;
	struct edi_step *step, **row;

	recorder->on = false;
	if (recorder->spoilt || !j->write || !j->node || j->drops || j->cells.count != steps->shape.cells)
		return;
	frame = &j->frames[recorder->depth];
	step = arena_alloc(steps->arena, sizeof *step + recorder->count * sizeof *step->list);
	step->place = recorder->place;
	step->shape = steps->shape.bits;
	step->key = key;
	step->depth = recorder->depth;
	step->at = recorder->at;
	step->again = recorder->again;
	step->max = recorder->again ? frame->loop->children[frame->at]->max : 0;
	step->loop = j->opened;
	step->node = j->node;
	step->looks = j->node->unit || (step->loop && j->grammar->units_count) ||
		      ((j->check & EDI_CHECK_BALANCE) && (j->node->terms || (step->loop && step->loop->terms)));
	step->most = (size_t)(end - o) + ROOM;
	step->count = recorder->count;
	keep_text(j, step, o, end);
	row = &steps->table[row_of(step->place, step->key, step->shape)];
	step->next = *row;
	*row = step;
	steps->count++;
}

/* ---- taking one */
static inline char *copy(char *o, const char *text, size_t len)
{
	for (size_t i = 0;; i += BLOCK) {
#ifdef __SSE2__
		chunk a = load(text + i), b = load(text + i + STEP);

		store(o + i, a);
		store(o + i + STEP, b);
#else
		memcpy(o + i, text + i, BLOCK);
#endif
		if (__builtin_expect(i + BLOCK >= len, 1))
			return o + len;
	}
}

struct taking { /* a segment, while it is */
	const char *p;
	const struct edi_shape *shape;
};

static inline const char *text_of(const struct taking *t, unsigned cell, uint32_t *len)
{
	uint32_t from = t->shape->at[cell] + 1;

	*len = t->shape->at[cell + 1] - from;
	return t->p + from;
}

/* "D8" and "102": a day as it is in most documents. */
static inline bool says_day(const char *format, uint32_t len)
{
	return (len == 3 && !memcmp(format, "102", 3)) || (len == 2 && !memcmp(format, "D8", 2));
}

static size_t put_iso(const struct taking *t, const struct edi_operation *operation, struct edi_cell cell, char *o)
{
	struct edi_cell format = {0};

	if (operation->format == NO_FORMAT)
		return edi_iso(operation->slot, &cell, NULL, o);
	format.p = text_of(t, operation->format, &format.len);
	if (says_day(format.p, format.len) && edi_is_day(cell.p, cell.len))
		return (size_t)(edi_put_day(o, cell.p) - o);
	return edi_iso(operation->slot, &cell, &format, o);
}

/* The value at o; NULL: it may not be right. */
static inline char *put_value(const struct taking *t, const struct edi_operation *operation, char *o)
{
	struct edi_cell cell;
	size_t n;

	cell.p = text_of(t, operation->cell, &cell.len);
	cell.odd = 0;
	switch (operation->put) {
	case EDI_TELL_TEXT:
		if (!edi_fits(cell.len, operation->min, operation->max))
			return NULL;
		break;
	case EDI_TELL_CODE:
		if (!edi_is_code(operation->codes, cell.p, cell.len) ||
		    !edi_fits(cell.len, operation->min, operation->max))
			return NULL;
		break;
	case EDI_TELL_REAL:
	case EDI_TELL_WHOLE:
		if (!edi_is_number(cell.p, cell.len, operation->put == EDI_TELL_REAL, operation->min, operation->max))
			return NULL;
		break;
	case EDI_TELL_IMPLIED:
		n = edi_is_number(cell.p, cell.len, false, operation->min, operation->max)
			    ? edi_decimal(&operation->slot->data, &cell, o)
			    : 0;
		return n ? o + n : NULL;
	case EDI_TELL_ISO:
		if (operation->format == NO_FORMAT && operation->slot->iso == EDI_ISO_DATE &&
		    edi_is_day(cell.p, cell.len))
			return edi_put_day(o, cell.p);
		n = put_iso(t, operation, cell, o);
		return n ? o + n : NULL;
	default:
		break;
	}
	return copy(o, cell.p, cell.len);
}

/* For those that look for elements by their numbers. */
static void fill_cells(struct edi_judge *j, const struct taking *t)
{
	struct edi_cells *cells = &j->cells;

	cells->count = t->shape->cells;
	cells->high = cells->careful = false;
	for (unsigned i = 0; i < cells->count; i++) {
		struct edi_cell *cell = &cells->list[i];

		cell->p = text_of(t, i, &cell->len);
		cell->ends = t->shape->bits >> (i + 1) & 1 ? EDI_COMPONENT : EDI_ELEMENT;
		cell->odd = 0;
	}
	if (cells->count)
		cells->list[cells->count - 1].ends = EDI_END;
}

static inline void stand(struct edi_judge *j, const struct edi_step *step)
{
	struct edi_frame *frame = &j->frames[step->depth];

	if (step->again) {
		frame->count++;
	} else {
		frame->at = step->at;
		frame->count = 1;
	}
	j->depth = step->depth;
	if (step->loop)
		j->frames[++j->depth] = (struct edi_frame){.loop = step->loop, .count = 1, .any = true};
	j->opened = step->loop;
	j->node = j->place = step->node;
	j->drops = false;
}

static inline const struct edi_step *find(const struct edi_judge *j, uint32_t key, uint64_t shape)
{
	const struct edi_step *step = j->steps.table[row_of(j->place, key, shape)];

	while (step && (step->shape != shape || step->place != j->place || step->key != key))
		step = step->next;
	return step;
}

const char *edi_steps_take(struct edi_judge *j, const char *p, const char *limit, bool *fresh)
{
	struct edi_shape *shape = &j->steps.shape;
	const struct taking t = {p, shape};
	const char *end = edi_shape_take(j->syntax, p, limit, shape);
	const struct edi_step *step;
	struct buf *line = j->line;
	uint32_t key;
	size_t room;
	char *o;

	if (!end || (shape->at[0] != 3 && shape->at[0] != 2) || (shape->bits & 1))
		return NULL;
	key = shape->at[0] == 3 ? edi_key(p, 3) : edi_key(p, 2);
	step = find(j, key, shape->bits);
	if (!step) {
		*fresh = j->steps.count < EDI_STEPS_MAX;
		return NULL;
	}
	if (step->max && j->frames[step->depth].count >= step->max)
		return NULL;
	room = step->most + (size_t)(end - p) * GROWTH;
	o = line->capacity - line->len > room ? line->data + line->len : buf_room(line, room);
	if (!o)
		return NULL;
	for (const struct edi_operation *one = step->list, *last = one + step->count; one < last; one++) {
		o = put_value(&t, one, copy(o, one->text, one->len));
		if (!o)
			return NULL;
	}
	o = copy(o, step->text, step->len);
	line->len = (size_t)(o - line->data);
	stand(j, step);
	memcpy(j->tag, &key, sizeof j->tag);
	if (step->looks) {
		fill_cells(j, &t);
		edi_judge_units(j);
		edi_judge_balances(j);
	}
	return end;
}
