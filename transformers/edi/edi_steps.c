/* Steps: recorded, found, and taken. See edi_steps.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"
#include "transformers/edi/edi_right.h"

#define TEXT_SLACK 64 /* bytes behind a step's text that may be read */
#define BLOCK 32      /* bytes that are copied at least */
#define GROWTH 3      /* what a byte of a segment can become: as it is, with a point, as a date */
#define ROOM 4096     /* bytes that dates and the last copies may take beside that */

#define TEXT_MAX 60000 /* bytes that one writes beside values */
#define UNITS_MAX 2
#define NO_FORMAT 255

struct edi_operation {
	uint16_t text, len;   /* what stands in front of the value, in the step's text */
	uint8_t tell;         /* enum edi_telling */
	uint8_t cell, format; /* format: NO_FORMAT, or the one that says how a date is written */
	uint32_t min, max;
	const void *what; /* EDI_TELL_CODE: the codes; else the slot */
};

struct edi_step {
	struct edi_step *next; /* of the same row of the table */
	const struct edi_node *place;
	uint64_t shape;
	uint32_t key;
	/* What it does. */
	uint32_t max;       /* so often may what comes again come; 0: any number, or it does not come again */
	uint16_t depth, at; /* of the child that comes */
	bool again;
	bool looks;                  /* balances or business units look at it */
	uint8_t count;               /* of operations */
	uint16_t last, last_len;     /* what stands behind the last value, in `text` */
	const struct edi_node *loop; /* that it opens; or NULL */
	const struct edi_node *node; /* that it stands for */
	const char *text;
	size_t most; /* of all that it writes beside values */
	const struct edi_part *parts;
	size_t parts_count;
	uint8_t forgets; /* business units of the loop that it opens: bit 0 is the first */
	struct {
		uint8_t unit, cell;
	} units[UNITS_MAX]; /* that it tells */
	size_t units_count;
	struct edi_operation list[];
};

void edi_steps_begin(struct edi_steps *steps)
{
	steps->shape_of = edi_shape_way();
	steps->arena = arena_new();
}

void edi_steps_end(struct edi_steps *steps)
{
	arena_free(steps->arena);
}

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

void edi_steps_note(struct edi_judge *j, enum edi_telling tell, const struct edi_slot *slot,
		    const struct edi_cell *cell, const struct edi_cell *format, const char *from, const char *to)
{
	struct edi_recorder *recorder = &j->steps.recorder;

	if (recorder->count == EDI_STEP_NOTES_MAX) {
		recorder->spoilt = true;
		return;
	}
	recorder->notes[recorder->count++] = (struct edi_note){tell, slot, cell, format, from, to};
}

static struct edi_operation operation_of(const struct edi_judge *j, const struct edi_note *note)
{
	const struct edi_data *data = &note->slot->data;
	bool strict = (j->check & EDI_CHECK_STRUCTURE) != 0;
	struct edi_operation made = {.tell = (uint8_t)note->tell,
				     .cell = (uint8_t)(note->cell - j->cells.list),
				     .format = note->format ? (uint8_t)(note->format - j->cells.list) : NO_FORMAT,
				     .min = strict ? data->min : 0,
				     .max = strict ? data->max : UINT32_MAX,
				     .what = note->slot};

	if (note->tell == EDI_TELL_TEXT && data->codes && !data->codes->open && (j->check & EDI_CHECK_CODES)) {
		made.tell = EDI_TELL_CODE;
		made.what = data->codes;
	}
	return made;
}

/* The text that stands between values, from one `from` to the next. */
static void keep_text(struct edi_judge *j, struct edi_step *step, const char *o, const char *end)
{
	const struct edi_recorder *recorder = &j->steps.recorder;
	char *text = arena_alloc(j->steps.arena, (size_t)(end - o) + TEXT_SLACK);
	size_t len = 0;

	step->text = text;
	for (size_t i = 0; i < recorder->count; i++) {
		const struct edi_note *note = &recorder->notes[i];
		struct edi_operation *made = &step->list[i];

		*made = operation_of(j, note);
		made->text = (uint16_t)len;
		made->len = (uint16_t)(note->from - o);
		memcpy(text + len, o, made->len);
		len += made->len;
		o = note->to;
	}
	step->last = (uint16_t)len;
	step->last_len = (uint16_t)(end - o);
	memcpy(text + len, o, step->last_len);
}

/* What balances and findings in other segments need to know of it. False: it is too much. */
static bool keep_looks(struct edi_judge *j, struct edi_step *step)
{
	for (size_t i = 0; i < j->grammar->units_count; i++) {
		const struct edi_unit *unit = &j->grammar->units[i];
		const struct edi_cell *cell;

		step->forgets |= (uint8_t)((step->loop && unit->node->parent == step->loop) << i);
		if (unit->node != step->node)
			continue;
		cell = edi_cell_find(&j->cells, unit->element, unit->component);
		if (cell && step->units_count == UNITS_MAX)
			return false;
		if (!cell)
			continue;
		step->units[step->units_count].unit = (uint8_t)i;
		step->units[step->units_count++].cell = (uint8_t)(cell - j->cells.list);
	}
	step->parts_count = j->parts.count;
	step->parts = arena_alloc(j->steps.arena, (j->parts.count + 1) * sizeof *step->parts);
	memcpy((void *)(uintptr_t)step->parts, j->parts.list, j->parts.count * sizeof *step->parts);
	step->looks = step->forgets || step->units_count || step->parts_count;
	return true;
}

void edi_steps_keep(struct edi_judge *j, uint32_t key, const char *o, const char *end)
{
	struct edi_steps *steps = &j->steps;
	struct edi_recorder *recorder = &steps->recorder;
	struct edi_step *step, **row;

	recorder->on = false;
	if (recorder->spoilt || !j->write || !j->node || j->drops || j->cells.count != steps->shape.cells ||
	    end - o > TEXT_MAX)
		return;
	step = arena_alloc(steps->arena, sizeof *step + recorder->count * sizeof *step->list);
	step->place = recorder->place;
	step->shape = steps->shape.bits;
	step->key = key;
	step->depth = (uint16_t)recorder->depth;
	step->at = (uint16_t)recorder->at;
	step->again = recorder->again;
	step->max = recorder->again ? j->frames[recorder->depth].loop->children[recorder->at]->max : 0;
	step->loop = j->opened;
	step->node = j->node;
	step->most = (size_t)(end - o) + ROOM;
	step->count = (uint8_t)recorder->count;
	keep_text(j, step, o, end);
	steps->count++;
	if (!keep_looks(j, step))
		return;
	row = &steps->table[row_of(step->place, step->key, step->shape)];
	step->next = *row;
	*row = step;
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

/* 0: it is none. */
static size_t put_iso(const struct taking *t, const struct edi_operation *operation, struct edi_cell cell, char *o)
{
	const struct edi_slot *slot = operation->what;
	struct edi_cell format = {0};
	bool day = slot->iso == EDI_ISO_DATE;

	if (operation->format != NO_FORMAT) {
		format.p = text_of(t, operation->format, &format.len);
		day = says_day(format.p, format.len);
	}
	if (day && edi_is_day(cell.p, cell.len))
		return (size_t)(edi_put_day(o, cell.p) - o);
	return edi_iso(slot, &cell, format.p ? &format : NULL, o);
}

/* The value at o; NULL: it may not be right. */
static inline char *put_value(const struct taking *t, const struct edi_operation *operation, char *o)
{
	const struct edi_slot *slot = operation->what;
	struct edi_cell cell;
	size_t n;

	cell.p = text_of(t, operation->cell, &cell.len);
	cell.odd = 0;
	switch (operation->tell) {
	case EDI_TELL_TEXT:
		if (!edi_fits(cell.len, operation->min, operation->max))
			return NULL;
		break;
	case EDI_TELL_CODE:
		if (!edi_is_code(operation->what, cell.p, cell.len) ||
		    !edi_fits(cell.len, operation->min, operation->max))
			return NULL;
		break;
	case EDI_TELL_REAL:
		if (!edi_is_number(cell.p, cell.len, true, operation->min, operation->max))
			return NULL;
		break;
	case EDI_TELL_WHOLE:
		if (!edi_is_number(cell.p, cell.len, false, operation->min, operation->max))
			return NULL;
		break;
	case EDI_TELL_IMPLIED:
		n = edi_is_number(cell.p, cell.len, false, operation->min, operation->max)
			    ? edi_decimal(&slot->data, &cell, o)
			    : 0;
		return n ? o + n : NULL;
	case EDI_TELL_ISO:
		n = put_iso(t, operation, cell, o);
		return n ? o + n : NULL;
	default:
		break;
	}
	return copy(o, cell.p, cell.len);
}

static void fill_cell(struct edi_judge *j, const struct taking *t, uint16_t index)
{
	struct edi_cell *cell = &j->cells.list[index];

	if (index == EDI_NOWHERE)
		return;
	cell->p = text_of(t, index, &cell->len);
	cell->odd = 0;
}

static void look_at(struct edi_judge *j, const struct taking *t, const struct edi_step *step)
{
	for (size_t i = 0; i < j->grammar->units_count; i++)
		if (step->forgets >> i & 1)
			j->units[i][0] = '\0';
	for (size_t i = 0; i < step->units_count; i++) {
		char *unit = j->units[step->units[i].unit];
		uint32_t len;
		const char *text = text_of(t, step->units[i].cell, &len);

		len = len < EDI_UNIT_MAX ? len : EDI_UNIT_MAX;
		memcpy(unit, text, len);
		unit[len] = '\0';
	}
	for (size_t i = 0; i < step->parts_count; i++) {
		fill_cell(j, t, step->parts[i].value);
		fill_cell(j, t, step->parts[i].by);
		fill_cell(j, t, step->parts[i].when);
	}
	edi_balance_add(j, step->parts, step->parts_count);
}

static inline void stand(struct edi_judge *j, const struct edi_step *step)
{
	struct edi_frame *frame = &j->frames[step->depth];

	if (step->again) {
		frame->count++;
	} else {
		frame->at = step->at;
		frame->count = 1;
		frame->any = true;
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

/* The segment at t->p by the step; where the line goes on, or NULL. */
static inline char *put_segment(const struct taking *t, const struct edi_step *step, char *o)
{
	for (const struct edi_operation *one = step->list, *last = one + step->count; one < last; one++) {
		o = put_value(t, one, copy(o, step->text + one->text, one->len));
		if (!o)
			return NULL;
	}
	return copy(o, step->text + step->last, step->last_len);
}

const char *edi_steps_take(struct edi_judge *j, const struct edi_scan *scan, const char *p, const char *limit,
			   struct edi_row *row)
{
	const struct edi_syntax *syntax = j->syntax;
	struct edi_shape *shape = &j->steps.shape;
	struct taking t = {.shape = shape};
	struct buf *line = j->line;
	uint64_t begins = row->offset - (uint64_t)(uintptr_t)p; /* added to a place: its offset */

	j->steps.fresh = false;
	while (row->number <= row->most && limit - p > EDI_SUFFIX_MAX + WINDOW_SLACK && edi_is_usual(scan, p)) {
		const struct edi_step *step;
		const char *end;
		uint32_t key;
		size_t room;
		char *o;

		t.p = p + syntax->suffix_len;
		j->number = row->number;
		j->offset = begins + (uint64_t)(uintptr_t)t.p;
		end = j->steps.shape_of(syntax, t.p, shape);
		if (!end || end >= limit || (shape->at[0] != 3 && shape->at[0] != 2) || (shape->bits & 1))
			break;
		key = edi_key_of(t.p, shape->at[0] == 3);
		step = find(j, key, shape->bits);
		if (!step) {
			j->steps.fresh = j->steps.count < EDI_STEPS_MAX;
			break;
		}
		if (step->max && j->frames[step->depth].count >= step->max)
			break;
		room = step->most + (size_t)(end - t.p) * GROWTH;
		o = line->capacity - line->len > room ? line->data + line->len : buf_room(line, room);
		o = o ? put_segment(&t, step, o) : NULL;
		if (!o)
			break;
		line->len = (size_t)(o - line->data);
		stand(j, step);
		memcpy(j->tag, &key, sizeof j->tag);
		if (step->looks)
			look_at(j, &t, step);
		p = end + 1;
		row->number++;
	}
	row->offset = begins + (uint64_t)(uintptr_t)p;
	return p;
}
