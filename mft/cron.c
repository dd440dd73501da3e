/* See cron.h. */
#include "config.h"
#include "mft/cron.h"

#include <ctype.h>
#include <strings.h>

#include "mft/date.h"

#define TEXT_MAX 256

struct field {
	const char *name;
	int low, high;
	const char *words; /* three letters each, of low and what follows */
};

static const struct field fields[] = {
	{"minute", 0, 59, ""},
	{"hour", 0, 23, ""},
	{"day of month", 1, 31, ""},
	{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{"day of week", 0, 7, "sunmontuewedthufrisat"},
};
enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const struct {
	const char *name, *means;
} nicknames[] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
		 {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
		 {"@annually", "0 0 1 1 *"}};

struct parse {
	struct span in;
	const struct field *field;
	struct cron *cron;
	uint64_t bits;
};

static bool take(struct parse *p, char c)
{
	if (p->in.len == 0 || tolower((unsigned char)p->in.data[0]) != c)
		return false;
	p->in = span_make(p->in.data + 1, p->in.len - 1);
	return true;
}

/* A number or a name of the field; -1: none. */
static int take_value(struct parse *p)
{
	int value = -1;

	for (size_t i = 0; p->field->words[3 * i] && p->in.len >= 3; i++)
		if (!strncasecmp(p->in.data, p->field->words + 3 * i, 3)) {
			p->in = span_make(p->in.data + 3, p->in.len - 3);
			return p->field->low + (int)i;
		}
	while (p->in.len > 0 && isdigit((unsigned char)p->in.data[0]) && value < 1000) {
		value = (value < 0 ? 0 : value) * 10 + p->in.data[0] - '0';
		p->in = span_make(p->in.data + 1, p->in.len - 1);
	}
	return value;
}

/* fri#2, friL: only such days of the month. False: what is there is no such thing, or not well-formed (*wrong). */
static bool take_nth(struct parse *p, int value, bool *wrong)
{
	struct span before = p->in;
	int nth = 7;

	if (p->field != &fields[WEEKDAY])
		return false;
	if (take(p, '#')) {
		nth = p->in.len > 0 ? p->in.data[0] - '0' : 0;
		*wrong = nth < 1 || nth > 5;
		take(p, p->in.len > 0 ? p->in.data[0] : 0);
	} else if (!take(p, 'l')) {
		p->in = before;
		return false;
	}
	if (!*wrong)
		p->cron->nth[value % 7] |= (uint8_t)(1u << nth);
	return true;
}

/* One of a list: *, 5, 5-10, mon-fri, any of them with /2, and L. */
static int take_part(struct parse *p)
{
	int low = p->field->low, high = p->field->high, step = 1;
	bool wrong = false, all = take(p, '*');

	if (p->field == &fields[DAY] && take(p, 'l')) {
		p->cron->last_day = true;
		return 0;
	}
	if (!all) {
		low = high = take_value(p);
		if (low < p->field->low || low > p->field->high)
			return -1;
		if (take_nth(p, low, &wrong))
			return wrong ? -1 : 0;
		if (take(p, '-'))
			high = take_value(p);
		else if (p->in.len > 0 && p->in.data[0] == '/')
			high = p->field->high;
		if (high < low || high > p->field->high)
			return -1;
	}
	if (take(p, '/')) {
		step = take_value(p);
		if (step < 1 || step > 1000)
			return -1;
	}
	for (int value = low; value <= high; value += step)
		p->bits |= 1ull << value;
	return 0;
}

static int take_field(struct parse *p, bool *any)
{
	*any = p->in.len > 0 && p->in.data[0] == '*' &&
	       (p->field != &fields[HOUR] || p->in.len == 1 || isspace((unsigned char)p->in.data[1]));
	p->bits = 0;
	do {
		if (take_part(p))
			return -1;
	} while (take(p, ','));
	return p->in.len == 0 || isspace((unsigned char)p->in.data[0]) ? 0 : -1;
}

static void skip_blanks(struct parse *p)
{
	while (p->in.len > 0 && isspace((unsigned char)p->in.data[0]))
		p->in = span_make(p->in.data + 1, p->in.len - 1);
}

static struct span meant(struct span text)
{
	for (size_t i = 0; i < sizeof nicknames / sizeof *nicknames; i++)
		if (span_is(text, nicknames[i].name))
			return span_of(nicknames[i].means);
	return text;
}

/* 31 February never comes: a schedule that never runs is a mistake. */
static bool ever(const struct cron *cron)
{
	int longest = 0;

	for (int month = 1; month <= 12; month++)
		if (cron->months >> month & 1 && date_month_length(2024, month) > longest)
			longest = date_month_length(2024, month);
	if (cron->last_day || cron->any_day || !cron->any_weekday)
		return true;
	return cron->days & ((2ull << longest) - 1);
}

int cron_parse(struct span text, struct cron *cron, struct error *error)
{
	struct parse p = {.in = meant(text), .cron = cron};
	uint64_t bits[5] = {0};
	bool any[5];

	*cron = (struct cron){0};
	if (text.len > TEXT_MAX)
		return error_set(error, ERROR_REJECT, "schedule.cron", "a schedule has at most %d characters",
				 TEXT_MAX);
	for (int i = 0; i < 5; i++) {
		p.field = &fields[i];
		skip_blanks(&p);
		if (p.in.len == 0)
			return error_set(error, ERROR_REJECT, "schedule.cron",
					 "`%.*s` has %d of five fields: minute, hour, day of month, month, day of week",
					 SPAN_ARGS(text), i);
		if (take_field(&p, &any[i]))
			return error_set(error, ERROR_REJECT, "schedule.cron",
					 "`%.*s`: the %s is no number from %d to %d, no range, step or list of them",
					 SPAN_ARGS(text), p.field->name, p.field->low, p.field->high);
		bits[i] = p.bits;
	}
	skip_blanks(&p);
	if (p.in.len > 0)
		return error_set(error, ERROR_REJECT, "schedule.cron", "`%.*s` has more than five fields",
				 SPAN_ARGS(text));
	cron->minutes = bits[MINUTE];
	cron->hours = (uint32_t)bits[HOUR];
	cron->days = (uint32_t)bits[DAY];
	cron->months = (uint32_t)bits[MONTH];
	cron->weekdays = (uint32_t)(bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f;
	cron->any_hour = any[HOUR];
	cron->any_day = any[DAY];
	cron->any_weekday = any[WEEKDAY];
	if (!ever(cron))
		return error_set(error, ERROR_REJECT, "schedule.cron", "`%.*s`: such a day never comes",
				 SPAN_ARGS(text));
	return 0;
}

bool cron_day(const struct cron *cron, int64_t day)
{
	struct date date = date_of(day);
	int weekday = date_weekday(day), length = date_month_length(date.year, date.month);
	bool of_month = cron->days >> date.day & 1, of_week = cron->weekdays >> weekday & 1;

	if (!(cron->months >> date.month & 1))
		return false;
	of_month = of_month || (cron->last_day && date.day == length);
	of_week = of_week || cron->nth[weekday] >> ((date.day - 1) / 7 + 1) & 1 ||
		  (cron->nth[weekday] >> 7 && date.day + 7 > length);
	if (cron->any_day || cron->any_weekday)
		return of_month && of_week;
	return of_month || of_week;
}
