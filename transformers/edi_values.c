/* The elements of a segment against its form, and as members of an object. See edi_judge.h. */
#include "config.h"
#include "transformers/edi_judge_private.h"

#include <stdio.h>

#include "transformers/edi_chunk.h"

struct pen {     /* what is written goes there; each member with a comma behind it */
	char *o; /* NULL: nothing is */
};

/* ---- text */
static inline void copy(struct pen *pen, const char *text, size_t len)
{
#ifdef __SSE2__
	/* Behind both there is room. */
	for (size_t i = 0; i < len; i += STEP)
		store(pen->o + i, load(text + i));
#else
	memcpy(pen->o, text, len);
#endif
	pen->o += len;
}

static inline void put_char(struct pen *pen, char c)
{
	*pen->o++ = c;
}

static void put_byte(struct pen *pen, const struct edi_syntax *syntax, const struct edi_cell *cell, unsigned char byte)
{
	if (byte == '"' || byte == '\\')
		put_char(pen, '\\');
	if (byte < 0x20 || byte == 0x7f) {
		pen->o += sprintf(pen->o, "\\u%04x", byte);
	} else if (byte >= 0x80 && cell->binary) {
		put_char(pen, (char)(0xc0 | byte >> 6));
		put_char(pen, (char)(0x80 | (byte & 0x3f)));
	} else if (byte >= 0x80 && syntax->charset) {
		const char *text = syntax->charset->utf8[byte - 0x80];
		size_t n = strlen(text);

		memcpy(pen->o, text, n);
		pen->o += n;
	} else {
		put_char(pen, (char)byte);
	}
}

static void put_odd(struct pen *pen, const struct edi_judge *j, const struct edi_cell *cell)
{
	for (uint32_t i = 0; i < cell->len; i++) {
		if (cell->released && cell->p[i] == j->syntax->release && i + 1 < cell->len)
			i++;
		put_byte(pen, j->syntax, cell, (unsigned char)cell->p[i]);
	}
}

static inline void put_string(struct pen *pen, const struct edi_judge *j, const struct edi_cell *cell)
{
	put_char(pen, '"');
	if (cell->odd)
		put_odd(pen, j, cell);
	else
		copy(pen, cell->p, cell->len);
	put_char(pen, '"');
}

static void put_text(struct pen *pen, const char *text, size_t len)
{
	put_char(pen, '"');
	memcpy(pen->o, text, len);
	pen->o += len;
	put_char(pen, '"');
}

static inline void put_label(struct pen *pen, const struct edi_label *label)
{
	copy(pen, label->text, label->len);
}

static inline void put_name(struct pen *pen, const struct edi_judge *j, const struct edi_slot *slot)
{
	put_label(pen, j->keys == EDI_KEYS_POSITIONS ? &slot->by_position : &slot->by_name);
}

/* ---- a value and what is told beside it */
static void put_member(struct pen *pen, const struct edi_judge *j, const struct edi_label *name,
		       const struct edi_label *position, const struct edi_cell *cell, const char *text, size_t len)
{
	for (int both = 0; both < 2; both++) {
		if (j->keys == (both ? EDI_KEYS_NAMES : EDI_KEYS_POSITIONS))
			continue;
		put_label(pen, both ? position : name);
		if (cell)
			put_string(pen, j, cell);
		else
			put_text(pen, text, len);
		put_char(pen, ',');
	}
}

static void put_special(struct pen *pen, const struct edi_judge *j, const struct edi_slot *slot,
			const struct edi_cell *cell, const struct edi_cell *format)
{
	char text[64];
	size_t n = edi_decimal(&slot->data, cell, text);

	if (n) {
		put_member(pen, j, &slot->by_name, &slot->by_position, NULL, text, n);
		put_member(pen, j, &slot->raw_name, &slot->raw_position, cell, NULL, 0);
		return;
	}
	put_member(pen, j, &slot->by_name, &slot->by_position, cell, NULL, 0);
	n = slot->iso ? edi_iso(slot, cell, format, text) : 0;
	if (n)
		put_member(pen, j, &slot->iso_name, &slot->iso_position, NULL, text, n);
}

static inline bool is_special(const struct edi_slot *slot)
{
	return slot->iso || slot->data.type == EDI_TYPE_IMPLIED || slot->data.type == EDI_TYPE_REAL;
}

/* The usual value is judged and written without a call. */
static inline void take_value(struct edi_judge *j, struct pen *pen, const struct edi_slot *slot,
			      const struct edi_cell *cell, const struct edi_cell *format, struct edi_at at)
{
	const struct edi_data *data = &slot->data;

	if (slot->use == EDI_NEVER && (j->check & EDI_CHECK_STRUCTURE))
		edi_blame_at(j, EDI_KIND_ELEMENT_UNUSED, slot->guide, at, slot, cell, "it is never used here");
	if (data->type != EDI_TYPE_TEXT || slot->iso || cell->released || j->cells.high || data->codes ||
	    cell->len - data->min > data->max - data->min)
		edi_value_judge(j, slot, cell, format, at);
	if (!pen->o)
		return;
	if (is_special(slot) || j->keys == EDI_KEYS_BOTH) {
		put_special(pen, j, slot, cell, format);
		return;
	}
	put_name(pen, j, slot);
	put_string(pen, j, cell);
	put_char(pen, ',');
}

/* In a list: the value alone. */
static void take_bare(struct edi_judge *j, struct pen *pen, const struct edi_slot *slot, const struct edi_cell *cell,
		      struct edi_at at)
{
	char text[64];
	size_t n;

	edi_value_judge(j, slot, cell, NULL, at);
	if (!pen->o)
		return;
	n = edi_decimal(&slot->data, cell, text);
	if (n)
		put_text(pen, text, n);
	else
		put_string(pen, j, cell);
	put_char(pen, ',');
}

/* ---- the needed, and the conditions among those that are there */
static void miss(struct edi_judge *j, const struct edi_slot *slots, uint64_t missing, unsigned element)
{
	for (; missing; missing &= missing - 1) {
		unsigned i = (unsigned)__builtin_ctzll(missing);
		struct edi_at at = {(uint16_t)(element ? element : i + 1), (uint16_t)(element ? i + 1 : 0), 0};

		edi_blame_at(j, EDI_KIND_ELEMENT_MISSING, slots[i].guide, at, &slots[i], NULL, "%s is missing",
			     slots[i].name);
	}
}

static void judge_rule(struct edi_judge *j, const struct edi_form *form, const struct edi_rule *rule, uint64_t seen)
{
	uint64_t here = seen & rule->bits, others = rule->bits & ~rule->first, bad = 0;
	enum edi_kind kind = EDI_KIND_ELEMENT_CONDITION;
	const char *why = "";
	unsigned i;

	switch (rule->kind) {
	case 'P':
		bad = here ? rule->bits & ~seen : 0;
		why = "all of these elements are there, or none";
		break;
	case 'R':
		bad = here ? 0 : rule->bits;
		why = "at least one of these elements is needed";
		break;
	case 'E':
		bad = here & (here - 1);
		why = "at most one of these elements may be there";
		kind = EDI_KIND_ELEMENT_EXCLUDED;
		break;
	case 'C':
		bad = seen & rule->first ? others & ~seen : 0;
		why = "the first of these elements asks for the others";
		break;
	default:
		bad = (seen & rule->first) && !(seen & others) ? others : 0;
		why = "the first of these elements asks for one of the others";
		break;
	}
	if (!bad)
		return;
	i = (unsigned)__builtin_ctzll(bad);
	edi_blame_at(j, kind, false, (struct edi_at){(uint16_t)(i + 1), 0, 0}, &form->slots[i], NULL,
		     "%s: %s (condition %c of %02d and %02d%s)", form->slots[i].name, why, rule->kind, rule->at[0],
		     rule->at[1], rule->count > 2 ? " …" : "");
}

static void judge_form(struct edi_judge *j, const struct edi_form *form, uint64_t seen)
{
	if (form->needed & ~seen)
		miss(j, form->slots, form->needed & ~seen, 0);
	for (size_t i = 0; i < form->rules_count; i++)
		judge_rule(j, form, &form->rules[i], seen);
}

/* ---- elements that are more than one value */
struct run { /* the cells of an element */
	const struct edi_cell *cell, *end;
};

static struct run run_of(const struct edi_cell *cell, const struct edi_cell *end)
{
	struct run run = {cell, cell};

	while (run.end < end && run.end->ends != EDI_ELEMENT && run.end->ends != EDI_END)
		run.end++;
	run.end += run.end < end;
	return run;
}

/* The cells of the first repetition of it. */
static struct run first_of(struct run *rest)
{
	struct run one = {rest->cell, rest->cell};

	while (one.end < rest->end && one.end->ends == EDI_COMPONENT)
		one.end++;
	one.end += one.end < rest->end;
	rest->cell = one.end;
	return one;
}

static bool is_empty(struct run run)
{
	for (; run.cell < run.end; run.cell++)
		if (run.cell->len)
			return false;
	return true;
}

/* Components without names: an array of them. */
static void put_plain(struct pen *pen, const struct edi_judge *j, struct run run)
{
	if (run.end - run.cell == 1) {
		put_string(pen, j, run.cell);
	} else {
		put_char(pen, '[');
		for (; run.cell < run.end; run.cell++) {
			put_string(pen, j, run.cell);
			if (run.cell + 1 < run.end)
				put_char(pen, ',');
		}
		put_char(pen, ']');
	}
	put_char(pen, ',');
}

static void close_with(struct pen *pen, char opened, char c)
{
	if (pen->o[-1] == opened)
		put_char(pen, c);
	else
		pen->o[-1] = c;
}

static void put_beyond(struct pen *pen, const char *tag, unsigned element, unsigned component)
{
	if (component)
		pen->o += sprintf(pen->o, "\"%s%02u-%u\":", tag, element, component);
	else
		pen->o += sprintf(pen->o, "\"%s%02u\":", tag, element);
}

static void take_composite(struct edi_judge *j, struct pen *pen, const struct edi_slot *slot, struct run run,
			   struct edi_at at)
{
	bool strict = (j->check & EDI_CHECK_STRUCTURE) != 0;
	uint64_t seen = 0;

	if (pen->o)
		put_char(pen, '{');
	for (unsigned i = 0; run.cell < run.end; run.cell++, i++) {
		at.component = (uint16_t)(i + 1);
		if (!run.cell->len)
			continue;
		if (i < slot->parts_count) {
			const struct edi_cell *format = NULL;

			seen |= (uint64_t)1 << i;
			if (slot->parts[i].iso == EDI_ISO_BEFORE)
				format = i ? run.cell - 1 : NULL;
			else if (slot->parts[i].iso == EDI_ISO_BEHIND)
				format = run.cell + 1 < run.end ? run.cell + 1 : NULL;
			take_value(j, pen, &slot->parts[i], run.cell, format, at);
			continue;
		}
		if (strict)
			edi_blame_at(j, EDI_KIND_COMPONENTS, false, at, slot, run.cell,
				     "%s has %zu components, and there are more", slot->name, slot->parts_count);
		strict = false;
		if (!pen->o)
			continue;
		put_beyond(pen, j->tag, at.element, at.component);
		put_string(pen, j, run.cell);
		put_char(pen, ',');
	}
	if (pen->o) {
		close_with(pen, '{', '}');
		put_char(pen, ',');
	}
	if ((slot->needed & ~seen) && (j->check & EDI_CHECK_STRUCTURE))
		miss(j, slot->parts, slot->needed & ~seen, at.element);
}

static void take_one(struct edi_judge *j, struct pen *pen, const struct edi_slot *slot, struct run run,
		     struct edi_at at)
{
	if (slot->parts) {
		take_composite(j, pen, slot, run, at);
		return;
	}
	if (run.end - run.cell == 1) {
		take_bare(j, pen, slot, run.cell, at);
		return;
	}
	at.component = 2;
	if (j->check & EDI_CHECK_STRUCTURE)
		edi_blame_at(j, EDI_KIND_COMPONENTS, false, at, slot, run.cell + 1, "%s has components, and takes none",
			     slot->name);
	if (pen->o)
		put_plain(pen, j, run);
}

/* What is not one plain value: a composite, repetitions. False: all of it is empty. */
static bool take_element(struct edi_judge *j, struct pen *pen, const struct edi_slot *slot, struct run run,
			 unsigned element)
{
	struct run rest = run, one = first_of(&rest);
	struct edi_at at = {(uint16_t)element, 0, 1};
	bool list = slot->max != 1 || rest.cell < rest.end;

	if (is_empty(run))
		return false;
	if (slot->use == EDI_NEVER && (j->check & EDI_CHECK_STRUCTURE))
		edi_blame_at(j, EDI_KIND_ELEMENT_UNUSED, slot->guide, at, slot, run.cell, "it is never used here");
	if (pen->o) {
		put_name(pen, j, slot);
		if (list)
			put_char(pen, '[');
	}
	for (;; at.repetition++) {
		if (slot->max && at.repetition == slot->max + 1 && (j->check & EDI_CHECK_STRUCTURE))
			edi_blame_at(j, EDI_KIND_ELEMENT_REPEATS, false, at, slot, one.cell,
				     "%s may come %u times, and comes more often", slot->name, slot->max);
		take_one(j, pen, slot, one, at);
		if (rest.cell == rest.end)
			break;
		one = first_of(&rest);
	}
	if (pen->o && list) {
		close_with(pen, '[', ']');
		put_char(pen, ',');
	}
	return true;
}

/* More elements than the form has. */
static void take_beyond(struct edi_judge *j, struct pen *pen, const struct edi_form *form, struct run run,
			unsigned element)
{
	struct edi_at at = {(uint16_t)element, 0, 1};
	struct run rest = run;
	bool list = false;

	if (is_empty(run))
		return;
	if (j->check & EDI_CHECK_STRUCTURE)
		edi_blame_at(j, EDI_KIND_ELEMENTS, false, at, NULL, run.cell, "the segment has at most %zu elements",
			     form->slots_count);
	if (!pen->o)
		return;
	put_beyond(pen, form->tag, element, 0);
	for (struct run one = first_of(&rest); one.cell < one.end; one = first_of(&rest)) {
		if (!list && rest.cell < rest.end) {
			put_char(pen, '[');
			list = true;
		}
		put_plain(pen, j, one);
	}
	if (list) {
		close_with(pen, '[', ']');
		put_char(pen, ',');
	}
}

static bool begin(struct edi_judge *j, struct pen *pen)
{
	const struct edi_cells *cells = &j->cells;
	size_t len, need;

	pen->o = NULL;
	if (!j->write)
		return false;
	len = cells->count
		      ? (size_t)(cells->list[cells->count - 1].p + cells->list[cells->count - 1].len - cells->list[0].p)
		      : 0;
	need = cells->count * EDI_CELL_ROOM + len * EDI_CELL_GROWTH + EDI_CELL_ROOM;
	pen->o = j->line->capacity - j->line->len > need ? j->line->data + j->line->len : buf_room(j->line, need);
	if (!pen->o) /* the line is too long, which its end tells */
		return false;
	put_char(pen, '{');
	return true;
}

void edi_values(struct edi_judge *j, const struct edi_form *form)
{
	const struct edi_cell *cell = j->cells.list, *end = cell + j->cells.count;
	struct pen pen;
	bool writes = begin(j, &pen);
	char *from = pen.o;
	uint64_t seen = 0;

	for (unsigned element = 1; cell < end; element++) {
		const struct edi_slot *slot = &form->slots[element - 1];
		struct run run;

		if (element <= form->slots_count && cell->ends != EDI_COMPONENT && cell->ends != EDI_REPETITION &&
		    !slot->parts && slot->max == 1) {
			if (cell->len) {
				seen |= (uint64_t)1 << (element - 1);
				take_value(j, &pen, slot, cell,
					   slot->iso == EDI_ISO_BEFORE && element > 1 ? cell - 1 : NULL,
					   (struct edi_at){(uint16_t)element, 0, 1});
			}
			cell++;
			continue;
		}
		run = run_of(cell, end);
		cell = run.end;
		if (element > form->slots_count)
			take_beyond(j, &pen, form, run, element);
		else if (take_element(j, &pen, slot, run, element))
			seen |= (uint64_t)1 << (element - 1);
	}
	if (j->check & EDI_CHECK_STRUCTURE)
		judge_form(j, form, seen);
	if (!writes)
		return;
	close_with(&pen, '{', '}');
	buf_added(j->line, (size_t)(pen.o - from) + 1);
}
