/* See calendar.h. */
#include "config.h"
#include "mft/calendar.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mft/date.h"

enum rule_form { RULE_DATE, RULE_YEARLY, RULE_WEEKDAY, RULE_EASTER };

#define LAST_OF_MONTH 9   /* in place of 1 … 4 */
#define OBSERVED_REACH 14 /* days: further than this no holiday is moved */

struct rule {
	enum rule_form form;
	int64_t value; /* the day; month * 100 + day; month * 100 + which * 10 + day of the week; days from Easter */
};

struct rules {
	struct rule *list;
	size_t count;
};

struct calendar {
	bool weekdays[7];
	struct rules holidays, working;
	enum calendar_observed observed;
};

static bool yearly_parse(struct span text, int64_t *value)
{
	struct date date;
	char full[11];

	if (text.len != 5)
		return false;
	snprintf(full, sizeof full, "2024-%.*s", SPAN_ARGS(text)); /* a leap year: 02-29 is a day */
	if (date_parse(span_of(full), &date))
		return false;
	*value = date.month * 100 + date.day;
	return true;
}

/* 01-mon#3, 05-monL, as in cron. A fifth is not in every year: the last one is meant, or it is a mistake. */
static bool weekday_parse(struct span text, int64_t *value)
{
	int weekday, month, which = LAST_OF_MONTH;

	if (text.len < 7 || text.len > 8 || text.data[2] != '-' || text.data[0] < '0' || text.data[0] > '1' ||
	    text.data[1] < '0' || text.data[1] > '9')
		return false;
	month = (text.data[0] - '0') * 10 + text.data[1] - '0';
	weekday = date_weekday_parse(span_make(text.data + 3, 3));
	if (text.len == 8 && text.data[6] == '#' && text.data[7] >= '1' && text.data[7] <= '4')
		which = text.data[7] - '0';
	else if (text.len != 7 || text.data[6] != 'L')
		return false;
	*value = month * 100 + which * 10 + weekday;
	return month >= 1 && month <= 12 && weekday >= 0;
}

/* easter, easter+39, easter-2 */
static bool easter_parse(struct span text, int64_t *value)
{
	char *end, number[8] = "0";
	long days;

	if (!span_starts(text, "easter") || text.len > 10)
		return false;
	snprintf(number, sizeof number, "%.*s", (int)text.len - 6, text.data + 6);
	if (text.len > 6 && number[0] != '+' && number[0] != '-')
		return false;
	days = strtol(number, &end, 10);
	if (*end || (text.len > 6 && !number[1]) || days < -200 || days > 200 || strchr(number, ' '))
		return false;
	*value = days;
	return true;
}

static int rule_parse(struct span text, struct rule *rule, struct error *error)
{
	struct date date;

	if (!date_parse(text, &date)) {
		*rule = (struct rule){RULE_DATE, date_days(date)};
		return 0;
	}
	rule->form = RULE_YEARLY;
	if (yearly_parse(text, &rule->value))
		return 0;
	rule->form = RULE_WEEKDAY;
	if (weekday_parse(text, &rule->value))
		return 0;
	rule->form = RULE_EASTER;
	if (easter_parse(text, &rule->value))
		return 0;
	return error_set(error, ERROR_REJECT, "calendar.date",
			 "`%.40s` is no day: write 2026-12-24, 12-24 for every year, 01-mon#3 (1 to 4), 05-monL, or "
			 "easter-2",
			 text.data);
}

static int compare(const void *a, const void *b)
{
	const struct rule *one = a, *other = b;

	if (one->form != other->form)
		return one->form < other->form ? -1 : 1;
	return (one->value > other->value) - (one->value < other->value);
}

static int read_rules(struct rules *rules, const struct text_list *texts, struct error *error)
{
	if (texts->count > CALENDAR_DATES_MAX)
		return error_set(error, ERROR_REJECT, "calendar.date", "a list has at most %d days",
				 CALENDAR_DATES_MAX);
	rules->list = mem_alloc((texts->count + 1) * sizeof *rules->list);
	for (size_t i = 0; i < texts->count; i++)
		if (rule_parse(span_of(texts->items[i]), &rules->list[rules->count++], error))
			return -1;
	qsort(rules->list, rules->count, sizeof *rules->list, compare);
	return 0;
}

static int read_weekdays(struct calendar *calendar, const struct text_list *texts, struct error *error)
{
	for (size_t i = 0; i < texts->count; i++) {
		int day = date_weekday_parse(span_of(texts->items[i]));

		if (day < 0)
			return error_set(error, ERROR_REJECT, "calendar.day", "`%.40s` is no day of the week: %s",
					 texts->items[i], "mon, tue, wed, thu, fri, sat or sun");
		calendar->weekdays[day] = true;
	}
	if (texts->count == 0)
		for (int day = 1; day <= 5; day++)
			calendar->weekdays[day] = true;
	return 0;
}

static bool has(const struct rules *rules, enum rule_form form, int64_t value)
{
	struct rule rule = {form, value};

	return bsearch(&rule, rules->list, rules->count, sizeof rule, compare) != NULL;
}

static bool has_weekday(const struct rules *rules, struct date date, int64_t day)
{
	int64_t weekday = date.month * 100 + date_weekday(day);

	return has(rules, RULE_WEEKDAY, weekday + ((date.day - 1) / 7 + 1) * 10) ||
	       (date.day + 7 > date_month_length(date.year, date.month) &&
		has(rules, RULE_WEEKDAY, weekday + LAST_OF_MONTH * 10));
}

static bool named(const struct rules *rules, int64_t day)
{
	struct date date;

	if (rules->count == 0)
		return false;
	date = date_of(day);
	return has(rules, RULE_DATE, day) || has(rules, RULE_YEARLY, date.month * 100 + date.day) ||
	       has_weekday(rules, date, day) || has(rules, RULE_EASTER, day - date_easter(date.year));
}

/* A holiday such as 12-24 on a day that is free anyway. */
static bool is_lost(const struct calendar *calendar, int64_t day)
{
	struct date date = date_of(day);

	return !calendar->weekdays[date_weekday(day)] &&
	       has(&calendar->holidays, RULE_YEARLY, date.month * 100 + date.day);
}

/* The nearest day of work of the week is this one; of two that are as near, the later. */
static bool is_nearest(const struct calendar *calendar, int64_t lost, int64_t day)
{
	for (int i = 1; i < 7; i++) {
		if (calendar->weekdays[date_weekday(lost + i)])
			return lost + i == day;
		if (calendar->weekdays[date_weekday(lost - i)])
			return lost - i == day;
	}
	return false;
}

/* Is this day, no holiday itself, free for one that was lost? With `next` those that wait take the days in turn. */
static bool is_observed(const struct calendar *calendar, int64_t day)
{
	int waiting = 0;

	if (calendar->observed == OBSERVED_NEVER)
		return false;
	if (calendar->observed == OBSERVED_NEAREST) {
		for (int64_t other = day - 6; other <= day + 6; other++)
			if (is_lost(calendar, other) && is_nearest(calendar, other, day))
				return true;
		return false;
	}
	for (int64_t other = day - OBSERVED_REACH; other < day; other++) {
		if (!calendar->weekdays[date_weekday(other)])
			waiting += is_lost(calendar, other);
		else if (waiting > 0 && !named(&calendar->holidays, other))
			waiting--;
	}
	return waiting > 0;
}

/* A week of the calendar's days, all holidays by date left out, has to have one left in four years. */
static bool is_empty(const struct calendar *calendar)
{
	int64_t day = date_days((struct date){2024, 1, 1});

	for (int i = 0; i < 4 * 366; i++)
		if (calendar_works(calendar, day + i))
			return false;
	return true;
}

struct calendar *calendar_new(const struct calendar_spec *spec, struct error *error)
{
	struct calendar *calendar = mem_alloc(sizeof *calendar);

	if (!spec) {
		memset(calendar->weekdays, true, sizeof calendar->weekdays);
		return calendar;
	}
	calendar->observed = (enum calendar_observed)spec->observed;
	if (read_weekdays(calendar, &spec->days, error) || read_rules(&calendar->holidays, &spec->holidays, error) ||
	    read_rules(&calendar->working, &spec->working, error))
		goto failed;
	if (!is_empty(calendar))
		return calendar;
	error_set(error, ERROR_REJECT, "calendar.empty", "this calendar has no working day");
failed:
	calendar_free(calendar);
	return NULL;
}

int calendar_check(const struct calendar_spec *spec, struct error *error)
{
	struct calendar *calendar = calendar_new(spec, error);

	calendar_free(calendar);
	return calendar ? 0 : -1;
}

void calendar_free(struct calendar *calendar)
{
	if (!calendar)
		return;
	free(calendar->holidays.list);
	free(calendar->working.list);
	free(calendar);
}

bool calendar_works(const struct calendar *calendar, int64_t day)
{
	if (named(&calendar->working, day))
		return true;
	return calendar->weekdays[date_weekday(day)] && !named(&calendar->holidays, day) && !is_observed(calendar, day);
}

static int64_t search(const struct calendar *calendar, int64_t day, int step)
{
	for (int i = 0; i < CALENDAR_SEARCH_DAYS; i++)
		if (calendar_works(calendar, day + (int64_t)i * step))
			return day + (int64_t)i * step;
	return day;
}

int64_t calendar_next(const struct calendar *calendar, int64_t day)
{
	return search(calendar, day, 1);
}

int64_t calendar_previous(const struct calendar *calendar, int64_t day)
{
	return search(calendar, day, -1);
}
