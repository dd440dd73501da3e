/* One value of an EDI document: whether its type, size and codes are right, and how it is told. See edi_judge.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#define NUMBER_MAX 40 /* characters of a number that is told with its point */

/* ---- findings */
struct edi_finding *edi_blame_at(struct edi_judge *j, enum edi_kind kind, bool guide, struct edi_at at,
				 const struct edi_slot *slot, const struct edi_cell *cell, const char *format, ...)
{
	struct edi_finding *finding;
	char text[sizeof finding->text];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	finding = edi_blame(j, kind, guide, "%s", text);
	if (!finding)
		return NULL;
	finding->element = at.element;
	finding->component = at.component;
	finding->repetition = at.repetition;
	if (slot && !slot->parts)
		snprintf(finding->reference, sizeof finding->reference, "%.7s", slot->data.number);
	else if (slot)
		snprintf(finding->reference, sizeof finding->reference, "%.7s", slot->composite);
	if (cell)
		edi_cell_text(j->syntax, cell, finding->value, sizeof finding->value);
	return finding;
}

/* ---- sizes */
static uint32_t characters(const struct edi_judge *j, const struct edi_cell *cell)
{
	uint32_t n = cell->len;

	if (!j->cells.careful)
		return n;
	n = 0;
	for (uint32_t i = 0; i < cell->len; i++) {
		if ((cell->odd & EDI_CELL_RELEASED) && cell->p[i] == j->syntax->release && i + 1 < cell->len)
			i++;
		n += j->syntax->charset || ((unsigned char)cell->p[i] & 0xc0) != 0x80;
	}
	return n;
}

static void judge_size(struct edi_judge *j, const struct edi_slot *slot, const struct edi_cell *cell, uint32_t n,
		       struct edi_at at)
{
	const struct edi_data *data = &slot->data;

	if (n > data->max)
		edi_blame_at(j, EDI_KIND_ELEMENT_LONG, data->guide_size, at, slot, cell,
			     "it has %u characters, and at most %u are allowed", n, data->max);
	else if (n < data->min)
		edi_blame_at(j, EDI_KIND_ELEMENT_SHORT, data->guide_size, at, slot, cell,
			     "it has %u characters, and at least %u are needed", n, data->min);
}

/* ---- dates and times */
static int two(const char *p)
{
	return isdigit((unsigned char)p[0]) && isdigit((unsigned char)p[1]) ? (p[0] - '0') * 10 + p[1] - '0' : -1;
}

static int days_in(int year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
		return 29;
	return days[month - 1];
}

struct when { /* while a pattern is followed */
	const char *p, *end;
	char *o;
	int year, month, last; /* last: what was written in front */
};

/* One part of a pattern: Y four digits, y two, M D h m s two each; T and / are only written, | is a - that becomes /.
 */
static bool take_part(struct when *w, char part)
{
	int value, low = 0, high = 99;

	if (part == 'T' || part == '/' || part == '|') {
		*w->o++ = part == '|' ? '/' : part;
		w->last = 0;
		return part != '|' || (w->p < w->end && *w->p++ == '-');
	}
	if (w->end - w->p < (part == 'Y' ? 4 : 2) || (value = two(w->p)) < 0)
		return false;
	if (part == 'Y' && two(w->p + 2) < 0)
		return false;
	if (w->last)
		*w->o++ = part == 'M' || part == 'D' ? '-' : ':';
	w->last = part;
	if (part == 'Y' || part == 'y') {
		w->year = part == 'Y' ? value * 100 + two(w->p + 2) : value + (value < 70 ? 2000 : 1900);
		for (int power = 1000, rest = w->year; power; rest %= power, power /= 10)
			*w->o++ = (char)('0' + rest / power);
		w->p += part == 'Y' ? 4 : 2;
		return true;
	}
	if (part == 'M') {
		low = 1;
		high = 12;
		w->month = value;
	} else if (part == 'D') {
		low = 1;
		high = w->month >= 1 && w->month <= 12 ? days_in(w->year, w->month) : 31;
	} else {
		high = part == 'h' ? 23 : 59;
	}
	*w->o++ = w->p[0];
	*w->o++ = w->p[1];
	w->p += 2;
	return value >= low && value <= high;
}

size_t edi_follow(const char *pattern, const char *text, size_t len, char *into)
{
	struct when w = {.p = text, .end = text + len, .o = into};

	for (; *pattern; pattern++)
		if (!take_part(&w, *pattern))
			return 0;
	if (w.p < w.end && w.last == 's') { /* decimals of a second */
		if (w.end - w.p > 2)
			return 0;
		*w.o++ = '.';
		while (w.p < w.end && isdigit((unsigned char)*w.p))
			*w.o++ = *w.p++;
	}
	return w.p == w.end ? (size_t)(w.o - into) : 0;
}

const char *edi_pattern_of(const struct edi_cell *format)
{
	static const struct {
		const char *code, *pattern;
	} formats[] = {{"D8", "YMD"},      {"D6", "yMD"},     {"DT", "YMDThm"},   {"TM", "hm"},
		       {"RD8", "YMD|YMD"}, {"101", "yMD"},    {"102", "YMD"},     {"201", "yMDThm"},
		       {"202", "yMDThms"}, {"203", "YMDThm"}, {"204", "YMDThms"}, {"401", "hm"},
		       {"402", "hms"},     {"602", "Y"},      {"610", "YM"},      {"718", "YMD/YMD"}};

	for (size_t i = 0; format && i < sizeof formats / sizeof *formats; i++)
		if (span_is(span_make(format->p, format->len), formats[i].code))
			return formats[i].pattern;
	return NULL;
}

static const char *pattern_for(const struct edi_slot *slot, const struct edi_cell *cell, const struct edi_cell *format)
{
	switch (slot->iso) {
	case EDI_ISO_DATE:
		return cell->len == 6 ? "yMD" : "YMD";
	case EDI_ISO_TIME:
		return cell->len == 4 ? "hm" : "hms";
	case EDI_ISO_BEFORE:
	case EDI_ISO_BEHIND:
		return edi_pattern_of(format);
	default:
		return NULL;
	}
}

size_t edi_iso(const struct edi_slot *slot, const struct edi_cell *cell, const struct edi_cell *format, char *into)
{
	const char *pattern = pattern_for(slot, cell, format);

	return pattern && cell->len <= 20 ? edi_follow(pattern, cell->p, cell->len, into) : 0;
}

static void judge_when(struct edi_judge *j, const struct edi_slot *slot, const struct edi_cell *cell,
		       const struct edi_cell *format, struct edi_at at)
{
	const char *pattern = pattern_for(slot, cell, format);
	char iso[48];
	bool time = pattern && *pattern == 'h';

	if (!pattern || (cell->len <= 20 && edi_follow(pattern, cell->p, cell->len, iso)))
		return;
	edi_blame_at(j, time ? EDI_KIND_ELEMENT_TIME : EDI_KIND_ELEMENT_DATE, false, at, slot, cell,
		     time ? "it is no time of a day" : "it is no date of the calendar");
}

/* ---- numbers */
bool edi_number(struct span text, int decimals, int64_t *mantissa, int *places)
{
	const char *p = text.data, *end = p + text.len, *point = NULL;
	bool minus = text.len && *p == '-';
	int64_t value = 0;
	int digits = 0;

	for (p += minus; p < end; p++) {
		unsigned digit = (unsigned)*p - '0';

		if (digit <= 9 && ++digits <= 18)
			value = value * 10 + digit;
		else if ((*p == '.' || *p == ',') && !point && decimals < 0)
			point = p;
		else
			return false;
	}
	*mantissa = minus ? -value : value;
	*places = decimals >= 0 ? decimals : point ? (int)(end - point) - 1 : 0;
	return digits > 0;
}

/* Digits, -1: something else. X12 allows an exponent in R from 005010 on. */
static int digits_of(const struct edi_cell *cell, bool real, bool edifact)
{
	const char *p = cell->p, *end = p + cell->len;
	bool point = false;
	int digits = 0, mantissa;

	if (p < end && (*p == '-' || (*p == '+' && edifact)))
		p++;
	for (; p < end; p++) {
		if (isdigit((unsigned char)*p))
			digits++;
		else if (real && !point && (*p == '.' || (*p == ',' && edifact)))
			point = true;
		else
			break;
	}
	mantissa = digits;
	if (p < end && *p == 'E' && real && !edifact && digits) {
		p += 1 + (p + 1 < end && p[1] == '-');
		for (mantissa = 0; p < end && isdigit((unsigned char)*p); p++)
			mantissa++;
		digits += mantissa;
	}
	return p == end && mantissa ? digits : -1;
}

static void judge_number(struct edi_judge *j, const struct edi_slot *slot, const struct edi_cell *cell,
			 struct edi_at at)
{
	int n = digits_of(cell, slot->data.type == EDI_TYPE_REAL, j->syntax->release != '\0');

	if (n < 0)
		edi_blame_at(j, EDI_KIND_ELEMENT_TYPE, false, at, slot, cell, "it is no number%s",
			     slot->data.type == EDI_TYPE_IMPLIED ? " without a point" : "");
	else
		judge_size(j, slot, cell, (uint32_t)n, at);
}

/* "1050" of N2 */
static size_t imply(const struct edi_cell *cell, unsigned decimals, char *into)
{
	const char *p = cell->p, *end = p + cell->len;
	char *o = into;

	if (*p == '-')
		*o++ = *p++;
	for (const char *q = p; q < end; q++)
		if (!isdigit((unsigned char)*q))
			return 0;
	while (end - p > 1 && end - p > (ptrdiff_t)decimals + 1 && *p == '0')
		p++;
	if (p == end)
		return 0;
	if (end - p <= (ptrdiff_t)decimals)
		*o++ = '0';
	while (end - p > (ptrdiff_t)decimals)
		*o++ = *p++;
	*o++ = '.';
	for (ptrdiff_t i = end - p; i < (ptrdiff_t)decimals; i++)
		*o++ = '0';
	while (p < end)
		*o++ = *p++;
	return (size_t)(o - into);
}

size_t edi_decimal(const struct edi_data *data, const struct edi_cell *cell, char *into)
{
	const char *comma;

	if (!cell->len || cell->len > NUMBER_MAX || cell->odd)
		return 0;
	if (data->type == EDI_TYPE_IMPLIED && data->decimals)
		return imply(cell, data->decimals, into);
	comma = data->type == EDI_TYPE_REAL ? memchr(cell->p, ',', cell->len) : NULL;
	if (!comma)
		return 0;
	memcpy(into, cell->p, cell->len);
	into[comma - cell->p] = '.';
	return cell->len;
}

/* ---- all of it */
static void judge_alpha(struct edi_judge *j, const struct edi_slot *slot, const struct edi_cell *cell, struct edi_at at)
{
	for (uint32_t i = 0; i < cell->len; i++)
		if (isdigit((unsigned char)cell->p[i])) {
			edi_blame_at(j, EDI_KIND_ELEMENT_TYPE, false, at, slot, cell,
				     "it has a digit, and only letters are allowed");
			return;
		}
	judge_size(j, slot, cell, characters(j, cell), at);
}

static void judge_code(struct edi_judge *j, const struct edi_slot *slot, const struct edi_cell *cell, struct edi_at at)
{
	const struct edi_codes *codes = slot->data.codes;
	char text[100];

	if (codes->open)
		return;
	if (!cell->odd) {
		if (edi_code_find(codes, cell->p, cell->len))
			return;
	} else {
		edi_cell_text(j->syntax, cell, text, sizeof text);
		if (edi_code_find(codes, text, strlen(text)))
			return;
	}
	edi_cell_text(j->syntax, cell, text, 40);
	edi_blame_at(j, EDI_KIND_CODE, slot->data.guide_codes, at, slot, cell, "\"%s\" is none of the %zu codes%s%s",
		     text, codes->count, slot->data.title ? " of " : "", slot->data.title ? slot->data.title : "");
}

void edi_value_judge(struct edi_judge *j, const struct edi_slot *slot, const struct edi_cell *cell,
		     const struct edi_cell *format, struct edi_at at)
{
	if (slot->data.codes && (j->check & EDI_CHECK_CODES))
		judge_code(j, slot, cell, at);
	if (!(j->check & EDI_CHECK_STRUCTURE))
		return;
	switch (slot->data.type) {
	case EDI_TYPE_REAL:
	case EDI_TYPE_IMPLIED:
		judge_number(j, slot, cell, at);
		return;
	case EDI_TYPE_ALPHA:
		judge_alpha(j, slot, cell, at);
		return;
	default:
		judge_size(j, slot, cell, characters(j, cell), at);
		if (slot->iso != EDI_ISO_NONE)
			judge_when(j, slot, cell, format, at);
		return;
	}
}
