/* Separators that the nested form does not tell: those of empty elements at the end of a segment, of empty components
 * at the end of a composite, and within an element that is empty. They become notes of the layout, so that a document
 * comes back as it was. See edi_judge.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"

struct dropped {
	const char *text;
	struct edi_drop *list;
	size_t count;
	bool full;
};

static void drop(struct dropped *d, const char *from, const char *to)
{
	if (from == to)
		return;
	if (d->count == EDI_DROPS_MAX)
		d->full = true;
	else
		d->list[d->count++] = (struct edi_drop){(size_t)(from - d->text), (size_t)(to - from)};
}

static const char *end_of(const struct edi_cell *cell)
{
	return cell->p + cell->len;
}

/* Of one repetition of a composite. */
static void drop_components(struct dropped *d, const struct edi_cell *cell, const struct edi_cell *last)
{
	const struct edi_cell *kept = last;

	while (kept > cell && !kept->len)
		kept--;
	drop(d, end_of(kept), end_of(last));
}

static bool is_last(const struct edi_cell *cell)
{
	return cell->ends == EDI_ELEMENT || cell->ends == EDI_END;
}

/* An element from `cell` to `last`. False: all of it is empty. */
static bool drop_within(struct dropped *d, const struct edi_slot *slot, const struct edi_cell *cell,
			const struct edi_cell *last)
{
	const struct edi_cell *one = cell;

	while (one < last && !one->len)
		one++;
	if (!one->len) {
		drop(d, cell->p, end_of(last));
		return false;
	}
	for (one = cell; slot && slot->parts && one <= last; cell = ++one) {
		while (one < last && one->ends == EDI_COMPONENT)
			one++;
		drop_components(d, cell, one);
	}
	return true;
}

size_t edi_judge_drops(const struct edi_judge *j, const char *text, struct edi_drop *list)
{
	const struct edi_cell *cell = j->cells.list, *end = cell + j->cells.count;
	const struct edi_form *form = j->node->form;
	struct dropped d = {.text = text, .list = list};
	const char *kept = cell < end ? cell->p - 1 : text; /* behind the last that is told */
	size_t count = 0;

	for (size_t i = 0; cell < end; i++) {
		const struct edi_cell *last = cell;

		while (!is_last(last))
			last++;
		if (drop_within(&d, i < form->slots_count ? &form->slots[i] : NULL, cell, last)) {
			kept = end_of(last);
			count = d.count;
		}
		cell = last + 1;
	}
	d.count = count;
	if (j->cells.count)
		drop(&d, kept, end_of(end - 1));
	return d.full ? EDI_DROPS_MAX + 1 : d.count;
}

bool edi_judge_drops_any(const struct edi_judge *j)
{
	return j->drops && j->node && j->write;
}
