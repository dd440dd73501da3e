/* What must agree in a document: its own counts and totals against what came. See edi_judge.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"

#include <stdio.h>
#include <stdlib.h>

__extension__ typedef __int128 wide;

#define PER_MILLIONTH 1000000 /* EDI_SCALE is six more */
#define PER_CENT 10000000000
#define HASH_MAX 10000000000 /* element 347 has ten digits: those in front are cut off */

/* At EDI_SCALE decimals. False: too many digits. */
static bool scale(wide value, int places, wide *into)
{
	static const int64_t powers[EDI_SCALE + 1] = {1,           10,           100,          1000,      10000,
						      100000,      1000000,      10000000,     100000000, 1000000000,
						      10000000000, 100000000000, 1000000000000};

	if (places > EDI_SCALE)
		return false;
	if (value == (int64_t)value) {
		*into = (wide)(int64_t)value * powers[EDI_SCALE - places];
		return true;
	}
	return !__builtin_mul_overflow(value, (wide)powers[EDI_SCALE - places], into);
}

static const struct edi_data *data_of(const struct edi_node *node, unsigned element, unsigned component)
{
	const struct edi_slot *slot = &node->form->slots[element - 1];

	if (component)
		return &slot->parts[component - 1].data;
	return slot->parts ? &slot->parts[0].data : &slot->data;
}

/* ---- what a segment adds */
static const struct edi_cell *cell_at(const struct edi_judge *j, uint16_t index)
{
	return index == EDI_NOWHERE ? NULL : &j->cells.list[index];
}

/* 1: a number, 0: nothing stands there, -1: no number. */
static int number_at(const struct edi_judge *j, uint16_t index, const struct edi_data *data, int64_t *mantissa,
		     int *places)
{
	const struct edi_cell *cell = cell_at(j, index);

	if (!cell)
		return 0;
	return edi_number(span_make(cell->p, cell->len), data->type == EDI_TYPE_IMPLIED ? data->decimals : -1, mantissa,
			  places)
		       ? 1
		       : -1;
}

/* "A|B": what the cell says is one of these. */
static bool is_among(const char *list, const struct edi_cell *cell)
{
	for (uint32_t n; cell; list += n + 1) {
		for (n = 0; list[n] && list[n] != '|'; n++)
			;
		if (cell->len == n && !memcmp(cell->p, list, n))
			return true;
		if (!list[n])
			break;
	}
	return false;
}

static bool applies(const struct edi_judge *j, const struct edi_part *part)
{
	return !part->term->when || is_among(part->term->when, cell_at(j, part->when));
}

static void add_term(struct edi_judge *j, const struct edi_part *part)
{
	const struct edi_balance *balance = &j->grammar->balances[part->balance];
	const struct edi_term *term = part->term;
	struct edi_total *total = &j->totals[part->balance];
	int64_t value, by = 1;
	int places, by_places = 0, is;
	wide scaled = 0;

	if (term->only) {
		total->lost |= part->when == EDI_NOWHERE ? term->needed : !applies(j, part);
		return;
	}
	if (!applies(j, part))
		return;
	if (!term->element || !balance->sum) {
		total->counted += !term->element || part->value != EDI_NOWHERE;
		return;
	}
	is = number_at(j, part->value, data_of(term->node, term->element, term->component), &value, &places);
	if (is > 0 && term->element_by)
		is = number_at(j, part->by, data_of(term->node, term->element_by, term->component_by), &by, &by_places);
	if (is > 0 && balance->hash)
		total->hash = (total->hash + (uint64_t)(value < 0 ? -value : value) % HASH_MAX) % HASH_MAX;
	if (is < 0 || (is > 0 && !scale((wide)value * by, places + by_places, &scaled)))
		total->lost = true;
	else if (is > 0)
		total->lost |= __builtin_add_overflow(total->sums[term->group], term->minus ? -scaled : scaled,
						      &total->sums[term->group]);
	total->counted += is > 0;
	/* Somebody rounded it. */
	total->products += is > 0 && term->element_by && places + by_places > 2 && scaled % PER_CENT != 0;
}

static void note_total(struct edi_judge *j, const struct edi_part *part)
{
	const struct edi_term *is = part->term;
	struct edi_total *total = &j->totals[part->balance];
	int64_t value;
	int places;

	if (part->value == EDI_NOWHERE || total->said || !applies(j, part))
		return;
	total->said = true;
	total->segment = j->number;
	total->offset = j->offset;
	edi_cell_text(j->syntax, cell_at(j, part->value), total->value, sizeof total->value);
	if (number_at(j, part->value, data_of(is->node, is->element, is->component), &value, &places) != 1 ||
	    !scale(value, places, &total->says))
		total->lost = true;
}

static uint16_t find(const struct edi_judge *j, unsigned element, unsigned component)
{
	const struct edi_cell *cell = element ? edi_cell_find(&j->cells, element, component) : NULL;

	return cell ? (uint16_t)(cell - j->cells.list) : EDI_NOWHERE;
}

static void keep(struct edi_judge *j, size_t balance, const struct edi_term *term, struct edi_parts *parts)
{
	if (term->node != parts->node)
		return;
	if (parts->count < EDI_PARTS_MAX)
		parts->list[parts->count] =
			(struct edi_part){.term = term,
					  .balance = (uint16_t)balance,
					  .value = find(j, term->element, term->component),
					  .by = find(j, term->element_by, term->component_by),
					  .when = find(j, term->element_when, term->component_when)};
	parts->count++;
}

void edi_balance_parts(struct edi_judge *j, const struct edi_node *node, struct edi_parts *parts)
{
	parts->node = node;
	for (size_t i = 0; i < j->grammar->balances_count; i++) {
		const struct edi_balance *balance = &j->grammar->balances[i];

		for (size_t k = 0; k < balance->terms_count; k++)
			keep(j, i, &balance->terms[k], parts);
		keep(j, i, &balance->is, parts);
	}
}

void edi_balance_add(struct edi_judge *j, const struct edi_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].term == &j->grammar->balances[parts[i].balance].is)
			note_total(j, &parts[i]);
		else
			add_term(j, &parts[i]);
}

static void show(wide value, char *into, size_t size)
{
	bool minus = value < 0;
	char digits[48];
	int n = 0, decimals = EDI_SCALE;

	if (minus)
		value = -value;
	while (decimals && value % 10 == 0) {
		value /= 10;
		decimals--;
	}
	do {
		if (n && n == decimals)
			digits[n++] = '.';
		digits[n++] = (char)('0' + (int)(value % 10));
		value /= 10;
	} while (n < 45 && (value || n <= decimals));
	if (size > 1 && minus) {
		*into++ = '-';
		size--;
	}
	while (n > 0 && size > 1) {
		*into++ = digits[--n];
		size--;
	}
	*into = '\0';
}

static void blame(struct edi_judge *j, const struct edi_balance *balance, const struct edi_total *total)
{
	struct edi_finding *finding;
	char there[48], says[48] = "";

	if (balance->sum)
		show(total->sums[0], there, sizeof there);
	else
		snprintf(there, sizeof there, "%llu", (unsigned long long)total->counted);
	if (total->says && balance->sum)
		show(total->says, says, sizeof says);
	finding = edi_blame(j, balance->sum ? EDI_KIND_BALANCE_SUM : EDI_KIND_BALANCE_COUNT, false,
			    "%s says %.40s, and the %s of %.80s is %s%s", balance->is_says, *says ? says : total->value,
			    balance->sum ? "sum" : "number", balance->says ? balance->says : "its parts", there,
			    balance->maybes ? ", with or without what else may count" : "");
	if (!finding)
		return;
	finding->segment = total->segment;
	finding->offset = total->offset;
	finding->element = balance->is.element;
	finding->component = balance->is.component;
	memcpy(finding->tag, balance->is.node->form->tag, sizeof finding->tag);
	snprintf(finding->reference, sizeof finding->reference, "%.7s",
		 data_of(balance->is.node, balance->is.element, balance->is.component)->number);
	snprintf(finding->value, sizeof finding->value, "%s", total->value);
	edi_walk_path(balance->is.node, finding);
}

/* Some of the parts that may count, or none, make it what it says. */
static bool agrees(const struct edi_balance *balance, const struct edi_total *total)
{
	wide within =
		(wide)balance->within * PER_MILLIONTH + (wide)balance->each * PER_MILLIONTH * (wide)total->products;

	if (balance->hash && total->says == (wide)total->hash * PER_MILLIONTH * PER_MILLIONTH)
		return true;
	for (unsigned choice = 0; choice < 1u << balance->maybes; choice++) {
		wide sum = balance->sum ? total->sums[0] : (wide)total->counted;

		if (!balance->sum && !scale(sum, 0, &sum))
			return true;
		for (unsigned i = 0; i < balance->maybes; i++)
			if (choice & 1u << i && __builtin_add_overflow(sum, total->sums[i + 1], &sum))
				return true;
		if ((sum > total->says ? sum - total->says : total->says - sum) <= within)
			return true;
	}
	return false;
}

void edi_balance_end(struct edi_judge *j)
{
	for (size_t i = 0; i < j->grammar->balances_count; i++) {
		const struct edi_balance *balance = &j->grammar->balances[i];
		const struct edi_total *total = &j->totals[i];

		/* a total of what nobody told says nothing */
		if (balance->sum && !total->counted)
			continue;
		if (total->said && !total->lost && !agrees(balance, total))
			blame(j, balance, total);
	}
}
