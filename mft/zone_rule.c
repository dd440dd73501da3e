/* The rule by which a zone goes on for ever: the TZ of POSIX, with the hours and names that RFC 8536 (3.3.1) adds. */
#include "config.h"
#include "mft/zone_private.h"

#include <ctype.h>

#include "mft/date.h"

#define HOURS_MAX 167 /* of a change, RFC 8536 */
#define OFFSET_HOURS_MAX 24

static bool take(struct span *in, char c)
{
	if (in->len == 0 || in->data[0] != c)
		return false;
	*in = span_make(in->data + 1, in->len - 1);
	return true;
}

static int take_number(struct span *in, int most)
{
	int value = -1;

	while (in->len > 0 && isdigit((unsigned char)in->data[0])) {
		value = (value < 0 ? 0 : value) * 10 + in->data[0] - '0';
		if (value > most)
			return -1;
		*in = span_make(in->data + 1, in->len - 1);
	}
	return value;
}

/* CET or <+0330> */
static int take_name(struct span *in)
{
	bool quoted = take(in, '<');
	size_t n = 0;

	while (n < in->len && (quoted ? in->data[n] != '>' : isalpha((unsigned char)in->data[n])))
		n++;
	if (n < 3 || (quoted && n == in->len))
		return -1;
	n += quoted;
	*in = span_make(in->data + n, in->len - n);
	return 0;
}

/* [+-]h[h[h]][:mm[:ss]] */
static int take_time(struct span *in, int hours_max, int *seconds)
{
	bool minus = take(in, '-');
	int hours, rest[2] = {0, 0};

	if (!minus)
		take(in, '+');
	hours = take_number(in, hours_max);
	if (hours < 0)
		return -1;
	for (int i = 0; i < 2 && take(in, ':'); i++) {
		rest[i] = take_number(in, 59);
		if (rest[i] < 0)
			return -1;
	}
	*seconds = hours * 3600 + rest[0] * 60 + rest[1];
	if (minus)
		*seconds = -*seconds;
	return 0;
}

static int take_change(struct span *in, struct zone_change *change)
{
	if (!take(in, ','))
		return -1;
	if (take(in, 'M')) {
		change->form = CHANGE_WEEKDAY;
		change->month = take_number(in, 12);
		if (change->month < 1 || !take(in, '.'))
			return -1;
		change->week = take_number(in, 5);
		if (change->week < 1 || !take(in, '.'))
			return -1;
		change->day = take_number(in, 6);
	} else {
		change->form = take(in, 'J') ? CHANGE_JULIAN : CHANGE_DAY;
		change->day = take_number(in, 365);
	}
	if (change->day < 0 || (change->form == CHANGE_JULIAN && change->day < 1))
		return -1;
	change->second = 2 * 3600;
	return take(in, '/') ? take_time(in, HOURS_MAX, &change->second) : 0;
}

int zone_rule_parse(struct span text, struct zone_rule *rule)
{
	*rule = (struct zone_rule){0};
	if (take_name(&text) || take_time(&text, OFFSET_HOURS_MAX, &rule->standard))
		return -1;
	rule->standard = -rule->standard; /* POSIX counts to the west */
	if (text.len == 0)
		return 0;
	rule->changes = true;
	rule->summer = rule->standard + 3600;
	if (take_name(&text))
		return -1;
	if (text.len > 0 && text.data[0] != ',') {
		if (take_time(&text, OFFSET_HOURS_MAX, &rule->summer))
			return -1;
		rule->summer = -rule->summer;
	}
	if (take_change(&text, &rule->begins) || take_change(&text, &rule->ends))
		return -1;
	return text.len == 0 ? 0 : -1;
}

/* In local seconds of the time before it. */
static int64_t change_in(const struct zone_change *change, int year)
{
	int64_t first = date_days((struct date){year, 1, 1}), day = first + change->day;

	if (change->form == CHANGE_JULIAN) {
		day = first + change->day - 1 + (change->day >= 60 && date_month_length(year, 2) == 29);
	} else if (change->form == CHANGE_WEEKDAY) {
		int length = date_month_length(year, change->month), of_month;

		first = date_days((struct date){year, change->month, 1});
		of_month = (change->day - date_weekday(first) + 7) % 7 + (change->week - 1) * 7;
		day = first + (of_month < length ? of_month : of_month - 7);
	}
	return day * DAY_SECONDS + change->second;
}

int zone_rule_offset(const struct zone_rule *rule, int64_t time)
{
	int of_day, year;
	int64_t begins, ends;
	bool summer;

	if (!rule->changes)
		return rule->standard;
	year = date_of(date_floor(time + rule->standard, &of_day)).year;
	begins = change_in(&rule->begins, year) - rule->standard;
	ends = change_in(&rule->ends, year) - rule->summer;
	summer = begins < ends ? time >= begins && time < ends : !(time >= ends && time < begins);
	return summer ? rule->summer : rule->standard;
}
