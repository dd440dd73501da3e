/* Dates and times of XPath (xs:date, xs:dateTime, xs:time), as microseconds in UTC, of 1970 or of a day; without a time
 * zone they are taken for UTC. */
#include "config.h"
#include <ctype.h>
#include <stdio.h>

#include "transformers/xpath/xpath_private.h"

#define DAY 86400000000LL

/* Days since 1970-01-01 of the Gregorian calendar, by counting years from March on. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t era, of_era, of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	of_era = year - era * 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t era, of_era, years, of_year, part;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = days - era * 146097;
	years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * years + years / 4 - years / 100);
	part = (5 * of_year + 2) / 153;
	*day = (int)(of_year - (153 * part + 2) / 5 + 1);
	*month = (int)(part < 10 ? part + 3 : part - 9);
	*year = (int)(years + era * 400 + (*month <= 2));
}

/* Exactly n digits; -1 when there are others. */
static int digits(struct span *text, int n)
{
	int value = 0;

	if (text->len < (size_t)n)
		return -1;
	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text->data[i]))
			return -1;
		value = value * 10 + text->data[i] - '0';
	}
	*text = span_make(text->data + n, text->len - (size_t)n);
	return value;
}

static bool take(struct span *text, char c)
{
	if (!text->len || text->data[0] != c)
		return false;
	*text = span_make(text->data + 1, text->len - 1);
	return true;
}

static bool read_day(struct span *text, int64_t *time)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = digits(text, 4), month, day;
	bool leap;

	if (year < 1 || !take(text, '-'))
		return false;
	month = digits(text, 2);
	if (month < 1 || month > 12 || !take(text, '-'))
		return false;
	day = digits(text, 2);
	leap = month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
	*time = days_of(year, month, day) * DAY;
	return day >= 1 && day <= lengths[month - 1] + leap;
}

static bool read_time(struct span *text, int64_t *time)
{
	int hour, minute, second;
	int64_t part = 0, unit = 1000000;

	hour = digits(text, 2);
	if (hour < 0 || !take(text, ':'))
		return false;
	minute = digits(text, 2);
	if (minute < 0 || !take(text, ':'))
		return false;
	second = digits(text, 2);
	if (take(text, '.')) {
		if (!text->len || !isdigit((unsigned char)text->data[0]))
			return false;
		while (text->len && isdigit((unsigned char)text->data[0])) {
			unit /= 10;
			part += unit * (text->data[0] - '0');
			*text = span_make(text->data + 1, text->len - 1);
		}
	}
	*time += ((hour * 60LL + minute) * 60 + second) * 1000000 + part;
	return second >= 0 && second < 60 && minute < 60 && (hour < 24 || (hour == 24 && !minute && !second && !part));
}

static bool read_zone(struct span *text, struct xpath_item *out)
{
	bool minus;
	int hour, minute;

	out->zoned = text->len > 0;
	if (!text->len || take(text, 'Z'))
		return true;
	minus = text->data[0] == '-';
	if (!take(text, '+') && !take(text, '-'))
		return false;
	hour = digits(text, 2);
	if (hour < 0 || !take(text, ':'))
		return false;
	minute = digits(text, 2);
	out->zone = (int16_t)((hour * 60 + minute) * (minus ? -1 : 1));
	out->time -= out->zone * 60000000LL;
	return minute >= 0 && minute < 60 && hour * 60 + minute <= 14 * 60;
}

int xpath_date_read(struct span text, enum xpath_type type, struct xpath_item *out)
{
	while (text.len && strchr(" \t\r\n", text.data[0]))
		text = span_make(text.data + 1, text.len - 1);
	while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
		text.len--;
	*out = (struct xpath_item){.type = type};
	if (type != XPATH_TIME && !read_day(&text, &out->time))
		return -1;
	if (type != XPATH_DATE && ((type == XPATH_DATETIME && !take(&text, 'T')) || !read_time(&text, &out->time)))
		return -1;
	if (type == XPATH_TIME)
		out->time %= DAY; /* 24:00:00 */
	return read_zone(&text, out) && !text.len ? 0 : -1;
}

void xpath_date_text(const struct xpath_item *item, char text[XPATH_NUMBER_TEXT])
{
	int64_t local = item->time + item->zone * 60000000LL, days = local / DAY - (local % DAY < 0),
		rest = local - days * DAY;
	int year, month, day, n = 0, zone = item->zone < 0 ? -item->zone : item->zone;

	date_of(days, &year, &month, &day);
	if (item->type != XPATH_TIME)
		n = snprintf(text, XPATH_NUMBER_TEXT, "%04d-%02d-%02d%s", year, month, day,
			     item->type == XPATH_DATETIME ? "T" : "");
	if (item->type != XPATH_DATE) {
		n += snprintf(text + n, XPATH_NUMBER_TEXT - (size_t)n, "%02d:%02d:%02d", (int)(rest / 3600000000LL),
			      (int)(rest / 60000000LL % 60), (int)(rest / 1000000 % 60));
		if (rest % 1000000) {
			n += snprintf(text + n, XPATH_NUMBER_TEXT - (size_t)n, ".%06d", (int)(rest % 1000000));
			while (text[n - 1] == '0')
				text[--n] = '\0';
		}
	}
	if (item->zoned && !item->zone)
		snprintf(text + n, XPATH_NUMBER_TEXT - (size_t)n, "Z");
	else if (item->zoned)
		snprintf(text + n, XPATH_NUMBER_TEXT - (size_t)n, "%c%02d:%02d", item->zone < 0 ? '-' : '+', zone / 60,
			 zone % 60);
}
