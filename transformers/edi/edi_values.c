/* The elements of a segment against its form, and as members of an object. See edi_judge.h. */
#include "config.h"
#include "transformers/edi/edi_pen.h"
#include "transformers/edi/edi_right.h"

/* ---- a value and what is told beside it */
struct told {
	enum edi_telling tell;
	const struct edi_slot *slot;
	const struct edi_cell *cell, *format;
	const char *text; /* NULL: the cell as it stands */
	size_t len;
};

static void put_told(struct pen *pen, struct edi_judge *j, const struct told *told, enum edi_telling tell)
{
	const char *from;

	put_char(pen, '"');
	from = pen->o;
	if (told->text)
		put_bytes(pen, told->text, told->len);
	else
		put_cell(pen, j, told->cell);
	if (j->steps.recorder.on)
		edi_steps_note(j, tell, told->slot, told->cell, told->format, from, pen->o);
	put_char(pen, '"');
	put_char(pen, ',');
}

static void put_member(struct pen *pen, struct edi_judge *j, const struct edi_label *name,
		       const struct edi_label *position, const struct told *told)
{
	if (j->keys != EDI_KEYS_POSITIONS) {
		put_label(pen, name);
		put_told(pen, j, told, told->tell);
	}
	if (j->keys != EDI_KEYS_NAMES) {
		put_label(pen, position);
		put_told(pen, j, told, j->keys == EDI_KEYS_BOTH && !told->text ? EDI_TELL_SAME : told->tell);
	}
}

static enum edi_telling telling_of(struct edi_judge *j, const struct edi_slot *slot)
{
	enum edi_type type = slot->data.type;

	if (type == EDI_TYPE_TEXT || type == EDI_TYPE_DATE || type == EDI_TYPE_TIME)
		return EDI_TELL_TEXT;
	/* A step does not look at letters and bytes, nor for codes that are numbers. */
	j->steps.recorder.spoilt |= type == EDI_TYPE_ALPHA || type == EDI_TYPE_BINARY || slot->data.codes;
	return type == EDI_TYPE_REAL ? EDI_TELL_REAL : EDI_TELL_WHOLE;
}

static void put_value(struct pen *pen, struct edi_judge *j, const struct edi_slot *slot, const struct edi_cell *cell,
		      const struct edi_cell *format)
{
	char text[64];
	struct told same = {telling_of(j, slot), slot, cell, NULL, NULL, 0},
		    other = {EDI_TELL_IMPLIED, slot, cell, format, text, 0};
	bool implied = slot->data.type == EDI_TYPE_IMPLIED && slot->data.decimals;

	if (!slot->plain)
		other.len = edi_decimal(&slot->data, cell, text);
	if (other.len)
		put_member(pen, j, &slot->by_name, &slot->by_position, &other);
	else
		put_member(pen, j, &slot->by_name, &slot->by_position, &same);
	if (other.len || implied) { /* where its point cannot be told, an encoder must not look for it */
		same.tell = EDI_TELL_SAME;
		put_member(pen, j, &slot->raw_name, &slot->raw_position, &same);
		j->steps.recorder.spoilt |= !other.len || !implied;
	}
	if (!slot->iso)
		return;
	other.tell = EDI_TELL_ISO;
	other.len = edi_iso(slot, cell, format, text);
	if (other.len)
		put_member(pen, j, &slot->iso_name, &slot->iso_position, &other);
	else
		j->steps.recorder.spoilt = true; /* another one like it may be told */
}

/* Nothing can be wrong with it. False: it is not known. */
static inline bool is_right(const struct edi_judge *j, const struct edi_slot *slot, const struct edi_cell *cell)
{
	const struct edi_data *data = &slot->data;

	if (slot->use == EDI_NEVER || j->cells.careful)
		return false;
	if (data->codes && !data->codes->open && !edi_is_code(data->codes, cell->p, cell->len))
		return false;
	switch (data->type) {
	case EDI_TYPE_TEXT:
		return edi_fits(cell->len, data->min, data->max) && !slot->iso;
	case EDI_TYPE_REAL:
	case EDI_TYPE_IMPLIED:
		return edi_is_number(cell->p, cell->len, data->type == EDI_TYPE_REAL, data->min, data->max);
	case EDI_TYPE_DATE:
		return edi_is_day(cell->p, cell->len) && data->max >= 8 && data->min <= 8;
	default:
		return false;
	}
}

static void take_value(struct edi_judge *j, struct pen *pen, const struct edi_slot *slot, const struct edi_cell *cell,
		       const struct edi_cell *format, struct edi_at at)
{
	if (j->check && !is_right(j, slot, cell)) {
		if (slot->use == EDI_NEVER && (j->check & EDI_CHECK_STRUCTURE))
			edi_blame_at(j, EDI_KIND_ELEMENT_UNUSED, slot->guide, at, slot, cell, "it is never used here");
		edi_value_judge(j, slot, cell, format, at);
	}
	if (pen->o)
		put_value(pen, j, slot, cell, format);
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
	j->steps.recorder.spoilt = true;
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
	struct edi_finding *finding;
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
	finding = edi_blame_at(j, kind, false, (struct edi_at){(uint16_t)(i + 1), 0, 0}, &form->slots[i], NULL,
			       "%s: %s (condition %c of %02d and %02d%s)", form->slots[i].name, why, rule->kind,
			       rule->at[0], rule->at[1], rule->count > 2 ? " …" : "");
	/* What made the condition apply: one of the others that are there. */
	here &= ~((uint64_t)1 << i);
	if (!finding || !here)
		return;
	i = (unsigned)__builtin_ctzll(here & rule->first ? rule->first : here);
	finding->trigger = (uint16_t)(i + 1);
	snprintf(finding->trigger_reference, sizeof finding->trigger_reference, "%.7s",
		 form->slots[i].parts ? form->slots[i].composite : form->slots[i].data.number);
}

static void judge_form(struct edi_judge *j, const struct edi_form *form, uint64_t seen)
{
	struct edi_kept *kept = &j->kept[((uintptr_t)form >> 4 ^ seen ^ seen >> 12) % EDI_KEPT];
	size_t before = j->findings.count;

	if (kept->form == form && kept->seen == seen)
		return;
	if (form->needed & ~seen)
		miss(j, form->slots, form->needed & ~seen, 0);
	for (size_t i = 0; i < form->rules_count; i++)
		judge_rule(j, form, &form->rules[i], seen);
	if (before == j->findings.count && before < EDI_FINDINGS_MAX)
		*kept = (struct edi_kept){form, seen};
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

static size_t size_of(struct run run)
{
	return (size_t)(run.end - run.cell);
}

static bool is_empty(struct run run)
{
	for (; run.cell < run.end; run.cell++)
		if (run.cell->len)
			return false;
	return true;
}

/* Components without names: an array of them; of one, too, where `list`. */
static void put_plain(struct pen *pen, struct edi_judge *j, struct run run, bool list)
{
	j->steps.recorder.spoilt = true;
	if (run.end - run.cell == 1 && !list) {
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
		pen->o += sprintf(pen->o, "\"%s%02u_%u\":", tag, element, component);
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
		j->steps.recorder.spoilt = true;
		put_beyond(pen, j->tag, at.element, at.component);
		put_string(pen, j, run.cell);
		put_char(pen, ',');
	}
	if (pen->o) {
		close_with(pen, '{', '}');
		put_char(pen, ',');
	}
	j->drops |= at.component > 1 && !run.end[-1].len;
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
		put_plain(pen, j, run, false);
}

/* Beside a list of numbers that are told with a point: what they were. */
static void put_originals(struct pen *pen, struct edi_judge *j, const struct edi_slot *slot, struct run run)
{
	char text[64];
	bool any = slot->data.type == EDI_TYPE_IMPLIED && slot->data.decimals;

	for (const struct edi_cell *cell = run.cell; cell < run.end; cell++)
		any |= edi_decimal(&slot->data, cell, text) != 0;
	if (!any)
		return;
	put_label(pen, j->keys == EDI_KEYS_POSITIONS ? &slot->raw_position : &slot->raw_name);
	put_char(pen, '[');
	while (run.cell < run.end)
		put_plain(pen, j, first_of(&run), false);
	close_with(pen, '[', ']');
	put_char(pen, ',');
}

/* What is not one plain value: a composite, repetitions. False: all of it is empty. */
static bool take_element(struct edi_judge *j, struct pen *pen, const struct edi_slot *slot, struct run run,
			 unsigned element)
{
	struct run rest = run, one = first_of(&rest);
	struct edi_at at = {(uint16_t)element, 0, 1};
	bool list = slot->max != 1 || rest.cell < rest.end || (!slot->parts && size_of(run) > 1);

	if (is_empty(run)) {
		j->drops |= size_of(run) > 1;
		return false;
	}
	if (slot->use == EDI_NEVER && (j->check & EDI_CHECK_STRUCTURE))
		edi_blame_at(j, EDI_KIND_ELEMENT_UNUSED, slot->guide, at, slot, run.cell, "it is never used here");
	if (pen->o) {
		put_label(pen, name_of(j, slot));
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
		if (!slot->plain && !slot->parts)
			put_originals(pen, j, slot, run);
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

	if (is_empty(run)) {
		j->drops |= size_of(run) > 1;
		return;
	}
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
		put_plain(pen, j, one, list);
	}
	if (list) {
		close_with(pen, '[', ']');
		put_char(pen, ',');
	}
}

/* Components of the tag itself, each a string. */
static void put_nesting(struct pen *pen, const struct edi_judge *j)
{
	const char *p = j->nesting.data, *end = p + j->nesting.len;

	pen->o += sprintf(pen->o, "\"%.3s00\":[", j->tag);
	for (;;) {
		const char *to = memchr(p, j->syntax->component, (size_t)(end - p));
		struct edi_cell cell = {
			.p = p, .len = (uint32_t)((to ? to : end) - p), .odd = EDI_CELL_ODD | EDI_CELL_RELEASED};

		put_string(pen, j, &cell);
		put_char(pen, to ? ',' : ']');
		if (!to)
			break;
		p = to + 1;
	}
	put_char(pen, ',');
}

void edi_values(struct edi_judge *j, const struct edi_form *form)
{
	const struct edi_cell *cell = j->cells.list, *end = cell + j->cells.count;
	const struct edi_slot *slot = form->slots, *slots_end = slot + form->slots_count;
	struct pen pen = {j->o};
	uint64_t seen = 0, bit = 1;

	if (pen.o)
		put_char(&pen, '{');
	if (pen.o && j->nesting.data)
		put_nesting(&pen, j);
	for (unsigned element = 1; cell < end; element++, slot++, bit <<= 1) {
		struct run run = run_of(cell, end);

		cell = run.end;
		if (slot >= slots_end) {
			take_beyond(j, &pen, form, run, element);
		} else if (slot->single && size_of(run) == 1) {
			if (!run.cell->len)
				continue;
			seen |= bit;
			take_value(j, &pen, slot, run.cell,
				   slot->iso == EDI_ISO_BEFORE && element > 1 ? run.cell - 1 : NULL,
				   (struct edi_at){(uint16_t)element, 0, 1});
		} else if (take_element(j, &pen, slot, run, element)) {
			seen |= bit;
		}
	}
	if (j->check & EDI_CHECK_STRUCTURE)
		judge_form(j, form, seen);
	j->drops |= j->cells.count && !end[-1].len;
	if (!pen.o)
		return;
	close_with(&pen, '{', '}');
	j->o = pen.o;
}
